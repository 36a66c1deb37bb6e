/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the stream as anyone who may publish can make them: subject, header line and body, each ended by 0xff. A body that begins with 'z'
 * is taken as it is, any other is compressed first, so that what is inside is reached too. Whatever comes, /metrics must parse.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/clock.h"
#include "gravel/codec/codec.h"
#include "gravel/ingest/read.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void send(
    struct gs_ingest *ingest, struct gs_codec *codec, struct gs_str subject, struct gs_str header, struct gs_str body) {
	struct gs_buf line, packed;
	gs_buf_init(&line, SIZE_MAX);
	gs_buf_init(&packed, SIZE_MAX);
	/* "@" in the header stands for now, which no corpus can know, and "#" for the size of the body. */
	for (size_t i = 0; i < header.n; i++) {
		if (header.p[i] == '@')
			gs_buf_i64(&line, gs_clock_wall_ms());
		else if (header.p[i] == '#')
			gs_buf_u64(&line, body.n);
		else
			gs_buf_char(&line, header.p[i]);
	}
	struct gs_ingest_message message = {.subject = subject, .header = gs_buf_slice(&line), .data = body};
	if (body.n != 0 && body.p[0] != 'z') {
		demand(gs_codec_compress(codec, GS_CODEC_ZSTD, 1, body, &packed) == GS_OK, "compression");
		message.data = gs_buf_slice(&packed);
	}
	if (gs_str_starts(subject, GS_STR("t.push.")))
		gs_ingest_pushed(ingest, &message);
	else
		gs_ingest_message(ingest, &message);
	gs_buf_free(&line);
	gs_buf_free(&packed);
}

static void read_back(struct gs_ingest *ingest) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event = {0};
	struct gs_error err = {0};
	struct gs_buf out;
	gs_buf_init(&out, SIZE_MAX);
	gs_ingest_refresh(ingest);
	gs_ingest_refresh(ingest);
	struct gs_ingest_query query = {.dialect = {.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES}};
	demand(parser != NULL && gs_ingest_read_all(ingest, &query, &out, NULL) == GS_OK, "memory");
	gs_expo_begin_text(parser, gs_buf_slice(&out));
	do {
		demand(gs_expo_next(parser, &event, &err) == GS_OK, err.text);
	} while (event.kind != GS_EXPO_END);
	gs_expo_parser_free(parser);
	gs_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_ingest_options options = {.store = {.max_age_ms = 80000},
	    .publisher_label = true,
	    .topic = "t",
	    .push_samples = 1000,
	    .pushes_in_flight = 1};
	struct gs_str rest = gs_str_make((const char *)data, size), subject, header, body;
	struct gs_ingest *ingest = NULL;
	static bool quiet;
	if (!quiet)
		quiet = gs_log_open("fuzz", "/dev/null", GS_LOG_ERROR, NULL) == GS_OK;
	struct gs_codec *codec = gs_codec_new();
	demand(codec != NULL && gs_ingest_new(&options, &ingest, NULL) == GS_OK, "memory");
	while (rest.n != 0) {
		gs_str_cut(rest, '\xff', &subject, &rest);
		gs_str_cut(rest, '\xff', &header, &rest);
		gs_str_cut(rest, '\xff', &body, &rest);
		send(ingest, codec, subject, header, body);
	}
	read_back(ingest);
	gs_ingest_free(ingest);
	gs_codec_free(codec);
	return 0;
}
