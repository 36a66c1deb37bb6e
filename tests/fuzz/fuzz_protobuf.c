/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes parse as a protobuf exposition or fail with a position; the events keep their promises and do not depend on how the body is cut.
 *
 * The first byte says what the others are, so that a mutation need not mend the lengths around it: the whole body, one MetricFamily, or one
 * Metric of a family of each type.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gravel/expo/expo.h"

#define TYPES 6

static void must(int holds) {
	if (!holds)
		abort();
}

static void put_varint(struct gs_buf *out, uint64_t v) {
	for (; v >= 0x80; v >>= 7)
		gs_buf_char(out, (char)(v | 0x80));
	gs_buf_char(out, (char)v);
}

static void put_field(struct gs_buf *out, char tag, struct gs_str bytes) {
	gs_buf_char(out, tag);
	put_varint(out, bytes.n);
	gs_buf_str(out, bytes);
}

/* The body that ${data} stands for. */
static void make_body(struct gs_buf *out, struct gs_str data) {
	struct gs_buf family;
	unsigned what = data.n != 0 ? (unsigned char)data.p[0] % (TYPES + 2) : 0;
	if (data.n != 0)
		data = gs_str_make(data.p + 1, data.n - 1);
	gs_buf_init(&family, 64 << 20);
	if (what < TYPES) {
		put_field(&family, 0x0a, GS_STR("name_total"));
		gs_buf_char(&family, 0x18);
		gs_buf_char(&family, (char)what);
		put_field(&family, 0x22, data);
		data = gs_buf_slice(&family);
	}
	if (what <= TYPES)
		put_varint(out, data.n);
	gs_buf_str(out, data);
	gs_buf_free(&family);
}

static uint64_t mix(uint64_t hash, const void *p, size_t n) {
	const unsigned char *bytes = p;
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t mix_str(uint64_t hash, struct gs_str s) {
	return mix(mix(hash, &s.n, sizeof(s.n)), s.p, s.n);
}

static uint64_t mix_labels(uint64_t hash, const struct gs_label *labels, size_t n) {
	must(n <= GS_LIMIT_LABELS);
	for (size_t i = 0; i < n; i++) {
		must(labels[i].name.n != 0 && labels[i].name.n <= GS_LIMIT_NAME && gs_str_is_utf8(labels[i].name));
		must(labels[i].value.n <= GS_LIMIT_LABEL_VALUE && gs_str_is_utf8(labels[i].value));
		for (size_t k = 0; k < i; k++)
			must(!gs_str_eq(labels[i].name, labels[k].name));
		hash = mix_str(mix_str(hash, labels[i].name), labels[i].value);
	}
	return hash;
}

static uint64_t mix_exemplar(uint64_t hash, const struct gs_exemplar *e) {
	hash = mix(hash, &e->value, sizeof(e->value));
	hash = mix(hash, &e->timestamp_ms, sizeof(e->timestamp_ms));
	return mix_labels(hash, e->labels, e->nlabels);
}

static uint64_t mix_side(uint64_t hash, bool is_float, const struct gs_native_side *side) {
	uint64_t total = 0;
	for (size_t i = 0; i < side->nspans; i++) {
		must(i == 0 || side->spans[i].offset >= 0);
		total += side->spans[i].length;
	}
	must(total == (is_float ? side->ncounts : side->ndeltas));
	must((is_float ? side->ndeltas : side->ncounts) == 0);
	int64_t count = 0;
	for (size_t i = 0; i < side->ndeltas; i++)
		must((count += side->deltas[i]) >= 0);
	hash = mix(hash, side->spans, side->nspans * sizeof(*side->spans));
	hash = mix(hash, side->deltas, side->ndeltas * sizeof(*side->deltas));
	return mix(hash, side->counts, side->ncounts * sizeof(*side->counts));
}

static uint64_t mix_native(uint64_t hash, const struct gs_native *native) {
	hash = mix_side(hash, native->is_float, &native->positive);
	hash = mix_side(hash, native->is_float, &native->negative);
	for (size_t i = 0; i < native->nexemplars; i++)
		hash = mix_exemplar(hash, &native->exemplars[i]);
	return hash;
}

static uint64_t mix_sample(uint64_t hash, const struct gs_expo_event *e) {
	must(e->series.n == 0 && gs_str_is_utf8(e->family) && e->family.n != 0);
	must((e->native != NULL) == (e->part == GS_PART_NATIVE));
	if (e->part == GS_PART_BUCKET || e->part == GS_PART_QUANTILE)
		must(e->nlabels != 0 && gs_str_eq(e->labels[e->nlabels - 1].name,
					    e->part == GS_PART_BUCKET ? GS_STR("le") : GS_STR("quantile")));
	hash = mix_labels(mix_str(hash, e->family), e->labels, e->nlabels);
	hash = mix(hash, &e->value, sizeof(e->value));
	hash = mix(hash, &e->bound, sizeof(e->bound));
	hash = mix(hash, &e->timestamp_ms, sizeof(e->timestamp_ms));
	hash = mix(hash, &e->joined, sizeof(e->joined));
	if (e->exemplar != NULL)
		hash = mix_exemplar(hash, e->exemplar);
	return e->native != NULL ? mix_native(hash, e->native) : hash;
}

static uint64_t mix_event(uint64_t hash, const struct gs_expo_event *e) {
	must(e->name.n != 0 && e->name.n <= GS_LIMIT_NAME && gs_str_is_utf8(e->name));
	must(e->line >= 1 && gs_str_is_utf8(e->text));
	hash = mix(hash, &e->kind, sizeof(e->kind));
	hash = mix(hash, &e->type, sizeof(e->type));
	hash = mix(hash, &e->part, sizeof(e->part));
	hash = mix(hash, &e->line, sizeof(e->line));
	hash = mix_str(mix_str(hash, e->name), e->text);
	return e->kind == GS_EXPO_SAMPLE ? mix_sample(hash, e) : hash;
}

/* All events and errors of the windows that are there; true at the end of what can be read. */
static bool drain(struct gs_expo_parser *parser, uint64_t *hash) {
	for (;;) {
		struct gs_expo_event event;
		struct gs_error err = {0};
		enum gs_status status = gs_expo_next(parser, &event, &err);
		if (status == GS_EAGAIN)
			return false;
		if (status == GS_OK && event.kind == GS_EXPO_END)
			return true;
		if (status == GS_OK) {
			*hash = mix_event(*hash, &event);
			continue;
		}
		must(status == GS_EINVAL || status == GS_ELIMIT);
		must(err.line >= 1 && err.column >= 1 && err.text[0] != '\0');
		*hash = mix(mix(*hash, &err.line, sizeof(err.line)), &err.column, sizeof(err.column));
		*hash = mix_str(*hash, gs_str_of(err.text));
		if (!gs_expo_recover(parser))
			return true;
	}
}

/* What body gives in windows that grow by ${step} bytes. */
static uint64_t parse(struct gs_expo_parser *parser, struct gs_str body, size_t step) {
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	uint64_t hash = 0xcbf29ce484222325u;
	size_t used = 0, to = 0;
	bool done = false;
	gs_expo_begin(parser, &options);
	while (!done) {
		to = body.n - to < step ? body.n : to + step;
		/* Memory of its own, so that a sanitizer sees who reads beyond it. */
		char *window = malloc(to - used + 1);
		must(window != NULL);
		memcpy(window, body.p + used, to - used);
		gs_expo_feed(parser, gs_str_make(window, to - used), to == body.n);
		done = drain(parser, &hash);
		must(done || to < body.n);
		must(gs_expo_used(parser) <= to - used);
		used += gs_expo_used(parser);
		free(window);
	}
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct gs_expo_parser *parser;
	struct gs_buf body;
	if (parser == NULL)
		parser = gs_expo_parser_new();
	must(parser != NULL);
	gs_buf_init(&body, 64 << 20);
	gs_buf_char(&body, ' ');
	make_body(&body, gs_str_make((const char *)data, size));
	must(body.status == GS_OK);
	struct gs_str s = gs_str_make(body.p + 1, body.n - 1);
	uint64_t whole = parse(parser, s, s.n + 1);
	must(parse(parser, s, 1 + s.n / 16) == whole);
	must(s.n > 4096 || parse(parser, s, 1) == whole);
	gs_buf_free(&body);
	return 0;
}
