/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a push log: a header line and content, ended by 0xff. "#" in the header stands for the size of the content. What can be read can be written and read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../lib/ingest/ingest_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static struct gs_ingest *ingest;
static struct gs_codec *codec;
static struct gs_buf scratch, line;

static void open_once(void) {
	struct gs_ingest_options options = {.topic = "t", .push_samples = 1000, .pushes_in_flight = 1};
	if (ingest != NULL)
		return;
	codec = gs_codec_new();
	gs_buf_init(&scratch, GS_LIMIT_HEADER);
	gs_buf_init(&line, SIZE_MAX);
	demand(codec != NULL && gs_ingest_new(&options, &ingest, NULL) == GS_OK, "memory");
}

static void write_again(struct entry *entry, struct entry *copy) {
	struct gs_ingest_push push = {.body = entry->body, .labels = entry->labels, .nlabels = entry->nlabels};
	struct record record = {.op = GS_WIRE_PUSH, .push = &push, .mark = entry->mark};
	demand(gs_record_write(ingest, copy, &record, NULL) == GS_OK, "cannot be written");
	struct gs_journal_entry logged = {.header = gs_buf_slice(&copy->head), .body = gs_buf_slice(&copy->content)};
	struct entry *again = gs_entry_get(ingest, ENTRY_PUSH);
	enum gs_status status = gs_record_read(ingest, again, &scratch, codec, &logged, NULL);
	/* As a push without clearmode it may be refused, but then it was read. */
	demand(status == GS_OK || gs_str_eq(again->body, entry->body), "cannot be read again");
	demand(gs_str_eq(again->body, entry->body) && again->nlabels == entry->nlabels, "is another one");
	gs_entry_put(ingest, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_str header, body, rest = gs_str_make((const char *)data, size);
	open_once();
	(void)gs_str_cut(rest, (char)0xff, &header, &body);
	gs_buf_clear(&line);
	for (size_t i = 0; i < header.n; i++) {
		if (header.p[i] == '#')
			gs_buf_u64(&line, body.n);
		else
			gs_buf_char(&line, header.p[i]);
	}
	struct entry *entry = gs_entry_get(ingest, ENTRY_PUSH), *copy = gs_entry_get(ingest, ENTRY_PUSH);
	demand(entry != NULL && copy != NULL, "memory");
	struct gs_journal_entry logged = {.header = gs_buf_slice(&line), .body = body};
	if (gs_record_read(ingest, entry, &scratch, codec, &logged, NULL) == GS_OK)
		write_again(entry, copy);
	gs_entry_put(ingest, entry);
	gs_entry_put(ingest, copy);
	return 0;
}
