/* SPDX-License-Identifier: Apache-2.0 */
/* What arrives from NATS: the first line of the input as a header line, the rest as a subject. What parses must be written back to the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/wire/push.h"
#include "gravel/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%d: %s\n", __LINE__, #condition);                                             \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static bool same_header(const struct gs_wire_header *a, const struct gs_wire_header *b) {
	return a->kind == b->kind && a->up == b->up && a->honor_labels == b->honor_labels && a->results == b->results &&
	       a->time_ms == b->time_ms && a->sent_ms == b->sent_ms && a->interval_ms == b->interval_ms &&
	       a->duration_us == b->duration_us && a->samples == b->samples && a->samples_kept == b->samples_kept &&
	       a->series_added == b->series_added && a->body_size == b->body_size && a->part == b->part &&
	       a->parts == b->parts && gs_str_eq(a->cause, b->cause) && gs_str_eq(a->labels, b->labels);
}

static void check_header(const struct gs_wire_header *h) {
	CHECK(h->kind == GS_WIRE_SCRAPE || h->kind == GS_WIRE_GONE);
	CHECK(h->time_ms >= 0 && h->sent_ms >= 0 && h->interval_ms >= 0 && h->duration_us >= 0);
	CHECK(h->body_size <= GS_LIMIT_WIRE_BODY);
	CHECK(h->parts >= 1 && h->parts <= GS_LIMIT_PARTS && h->part < h->parts);
	CHECK(h->kind == GS_WIRE_GONE || h->up == (h->cause.n == 0));
}

static void fuzz_header(struct gs_str line) {
	struct gs_buf scratch, out, again;
	struct gs_wire_header header, back;
	struct gs_error err = {0};
	gs_buf_init(&scratch, GS_LIMIT_HEADER);
	gs_buf_init(&again, GS_LIMIT_HEADER);
	gs_buf_init(&out, GS_LIMIT_HEADER);
	enum gs_status status = gs_wire_header_parse(line, &scratch, &header, &err);
	CHECK(status == GS_OK || err.text[0] != '\0');
	if (status == GS_OK) {
		check_header(&header);
		gs_wire_header_write(&out, &header);
		CHECK(out.status == GS_OK && out.n <= line.n);
		CHECK(gs_wire_header_parse(gs_buf_slice(&out), &again, &back, NULL) == GS_OK);
		CHECK(same_header(&header, &back));
	}
	gs_buf_free(&scratch);
	gs_buf_free(&again);
	gs_buf_free(&out);
}

static void fuzz_push(struct gs_str line) {
	struct gs_buf scratch, out, again;
	struct gs_wire_push push, back;
	struct gs_error err = {0};
	gs_buf_init(&scratch, GS_LIMIT_HEADER);
	gs_buf_init(&again, GS_LIMIT_HEADER);
	gs_buf_init(&out, 2 * GS_LIMIT_HEADER);
	enum gs_status status = gs_wire_push_parse(line, &scratch, &push, &err);
	CHECK(status == GS_OK || err.text[0] != '\0');
	if (status == GS_OK) {
		CHECK(push.parts >= 1 && push.parts <= GS_LIMIT_PARTS && push.part < push.parts);
		CHECK(push.body_size <= GS_LIMIT_WIRE_BODY && push.id.n >= 1 && push.id.n <= GS_WIRE_PUSH_ID_MAX);
		gs_wire_push_write(&out, &push);
		CHECK(out.status == GS_OK && out.n <= line.n);
		CHECK(gs_wire_push_parse(gs_buf_slice(&out), &again, &back, NULL) == GS_OK);
		CHECK(back.op == push.op && back.time_ms == push.time_ms && back.ttl_ms == push.ttl_ms &&
		      back.body_size == push.body_size && back.labels_size == push.labels_size &&
		      back.part == push.part && back.parts == push.parts && back.format == push.format &&
		      gs_str_eq(back.id, push.id) && gs_str_eq(back.mode, push.mode) &&
		      gs_str_eq(back.publisher, push.publisher));
	}
	gs_buf_free(&scratch);
	gs_buf_free(&again);
	gs_buf_free(&out);
}

static void fuzz_labels(struct gs_str text) {
	struct gs_label labels[8];
	struct gs_buf out;
	size_t n = 0;
	gs_buf_init(&out, 2 * text.n + 64);
	if (gs_wire_push_read_labels(text, labels, 8, &n) == GS_OK) {
		gs_wire_push_add_labels(&out, labels, n);
		CHECK(out.status == GS_OK && out.n <= text.n);
	}
	gs_buf_free(&out);
}

static void fuzz_subject(struct gs_str subject, struct gs_str topic) {
	struct gs_buf scratch, out;
	struct gs_wire_group group;
	uint32_t slot;
	gs_buf_init(&scratch, GS_LIMIT_SUBJECT + 1);
	gs_buf_init(&out, GS_LIMIT_SUBJECT);
	if (gs_wire_parse_subject(subject, topic, &scratch, &group, &slot) == GS_OK) {
		gs_wire_subject(&out, topic, &group, slot);
		CHECK(gs_str_eq(gs_buf_slice(&out), subject));
	}
	gs_buf_free(&scratch);
	gs_buf_free(&out);
}

/* Any bytes at all as a name and as labels. */
static void fuzz_writer(struct gs_str bytes) {
	struct gs_buf out;
	gs_buf_init(&out, 3 * bytes.n + 256);
	struct gs_wire_group group = {bytes, gs_str_make(bytes.p, bytes.n / 2), gs_str_make(bytes.p, 0)};
	gs_buf_clear(&out);
	gs_wire_header_write(
	    &out, &(struct gs_wire_header){.kind = GS_WIRE_SCRAPE, .parts = 1, .cause = bytes, .labels = bytes});
	CHECK(out.status == GS_OK);
	for (size_t i = 0; i < out.n; i++)
		CHECK(out.p[i] >= 0x20 && out.p[i] <= 0x7e);
	if (out.n <= GS_LIMIT_HEADER)
		fuzz_header(gs_buf_slice(&out));
	gs_buf_free(&out);
	gs_buf_init(&out, GS_LIMIT_SUBJECT);
	gs_wire_subject(&out, GS_STR("t"), &group, 0);
	if (out.status == GS_OK)
		fuzz_subject(gs_buf_slice(&out), GS_STR("t"));
	gs_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_str line, rest;
	gs_str_cut(gs_str_make((const char *)data, size), '\n', &line, &rest);
	fuzz_header(line);
	fuzz_push(line);
	fuzz_labels(rest);
	fuzz_subject(rest, GS_STR("t"));
	fuzz_writer(line);
	return 0;
}
