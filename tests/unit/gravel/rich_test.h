/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TEST_RICH_H
#define GRAVEL_TEST_RICH_H

/* What OpenMetrics and protobuf bring and are served: exemplars, native histograms, times of creation. */
#include "gravel/expo/write_protobuf.h"
#include "gravel_test.h"

static const struct gs_expo_dialect strict_utf8 = {.format = GS_FORMAT_OPENMETRICS, .escaping = GS_ESCAPE_NONE};
static const struct gs_expo_dialect strict_values = {.format = GS_FORMAT_OPENMETRICS, .escaping = GS_ESCAPE_VALUES};
static const struct gs_expo_dialect binary_utf8 = {.format = GS_FORMAT_PROTOBUF, .escaping = GS_ESCAPE_NONE};

static inline enum gs_status push_as(
    struct bench *b, enum gs_expo_format format, const char *clearmode, struct gs_str body) {
	struct gs_batch_options options = {.nlabels = 0};
	struct gs_expo_options reading = {.format = format, .utf8_names = true};
	if (clearmode[0] != '\0')
		assert_int_equal(gs_mode_parse(gs_str_of(clearmode), &options.mode, NULL), GS_OK);
	b->err = (struct gs_error){0};
	gs_batch_begin(b->batch, &options);
	enum gs_status status = gs_batch_read(b->batch, b->parser, &reading, body, &b->err);
	if (status == GS_OK)
		status = gs_store_push(b->store, b->batch, b->now, &b->result, &b->err);
	gs_store_check(b->store);
	return status;
}

/* The body without its end, in OpenMetrics. */
#define push_strict(b, clearmode, body)                                                                                \
	do {                                                                                                           \
		enum gs_status strict_ = push_as(b, GS_FORMAT_OPENMETRICS, clearmode, GS_STR(body "# EOF\n"));         \
		if (strict_ != GS_OK)                                                                                  \
			fail_msg("push: %u:%u: %s", (b)->err.line, (b)->err.column, (b)->err.text);                    \
	} while (0)

#define assert_served(b, dialect, expected)                                                                            \
	do {                                                                                                           \
		char *served_ = exposition_in(b, dialect);                                                             \
		assert_string_equal(served_, expected);                                                                \
		gs_free(served_);                                                                                      \
	} while (0)

#define assert_strict(b, expected) assert_served(b, strict_utf8, expected)

/* A native histogram "h" of its own, whose classic part is what it has together. Buckets are NULL or end with a count below 0. */
struct native_bucket {
	int32_t index;
	double count;
};

struct native_body {
	const char *name; /* "h" if NULL */
	enum gs_expo_type type; /* histogram if untyped */
	bool is_float;
	int32_t schema;
	double zero_threshold;
	double zero_count;
	double sum;
	const struct native_bucket *positive;
	const struct native_bucket *negative;
	const struct gs_exemplar *exemplars;
	size_t nexemplars;
	bool classic_only;
};

/* Arrays of one side. */
struct native_room {
	struct gs_span spans[16];
	int64_t deltas[16];
	double counts[16];
};

static inline double make_side(
    const struct native_bucket *from, bool is_float, struct native_room *room, struct gs_native_side *to) {
	double total = 0;
	int64_t last = 0, next = 0;
	*to = (struct gs_native_side){.spans = room->spans, .deltas = room->deltas, .counts = room->counts};
	for (size_t i = 0; from != NULL && from[i].count >= 0; i++) {
		if (i == 0 || from[i].index != next)
			room->spans[to->nspans++] = (struct gs_span){.offset = (int32_t)(from[i].index - next)};
		room->spans[to->nspans - 1].length++;
		next = from[i].index + 1;
		room->deltas[i] = (int64_t)from[i].count - last;
		last = (int64_t)from[i].count;
		room->counts[i] = from[i].count;
		total += from[i].count;
		*(is_float ? &to->ncounts : &to->ndeltas) += 1;
	}
	return total;
}

static inline void put_native(struct gs_buf *out, const struct native_body *body) {
	struct native_room rooms[2] = {0};
	struct gs_native native = {.is_float = body->is_float,
	    .schema = body->schema,
	    .zero_threshold = body->zero_threshold,
	    .zero_count = body->zero_count,
	    .sum = body->sum,
	    .exemplars = body->exemplars,
	    .nexemplars = body->nexemplars};
	struct gs_expo_family family = {.name = gs_str_of(body->name != NULL ? body->name : "h"),
	    .type = body->type != GS_TYPE_UNTYPED ? body->type : GS_TYPE_HISTOGRAM};
	struct gs_expo_pb_writer writer;
	native.count = body->zero_count + make_side(body->positive, body->is_float, &rooms[0], &native.positive) +
		       make_side(body->negative, body->is_float, &rooms[1], &native.negative);
	struct gs_expo_pb_totals totals = {
	    .sum = native.sum, .count = native.count, .native = body->classic_only ? NULL : &native};
	gs_expo_pb_init(&writer, out, GS_ESCAPE_NONE);
	gs_expo_pb_begin_family(&writer, &family, (struct gs_str){0});
	gs_expo_pb_begin_metric(&writer, NULL, 0);
	gs_expo_pb_totals(&writer, &totals);
	gs_expo_pb_end_metric(&writer);
	gs_expo_pb_end_family(&writer);
	assert_int_equal(out->status, GS_OK);
}

static inline enum gs_status push_native(struct bench *b, const char *clearmode, const struct native_body *body) {
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	put_native(&out, body);
	enum gs_status status = push_as(b, GS_FORMAT_PROTOBUF, clearmode, gs_buf_slice(&out));
	gs_buf_free(&out);
	return status;
}

static inline void dump_buckets(struct gs_buf *out, const char *sign, const struct gs_native_side *side) {
	int64_t index = 0, count = 0;
	size_t k = 0;
	for (size_t i = 0; i < side->nspans; i++) {
		index += side->spans[i].offset;
		for (uint32_t n = 0; n < side->spans[i].length; n++, k++, index++) {
			if (side->ndeltas != 0)
				count += side->deltas[k];
			gs_buf_printf(out, " %s%lld:", sign, (long long)index);
			gs_buf_double(out, side->ndeltas != 0 ? (double)count : side->counts[k]);
		}
	}
}

static inline void dump_exemplar(struct gs_buf *out, const struct gs_exemplar *e) {
	gs_buf_cstr(out, " #{");
	for (size_t i = 0; i < e->nlabels; i++)
		gs_buf_printf(
		    out, "%s%.*s=%.*s", i != 0 ? "," : "", GS_FMT(e->labels[i].name), GS_FMT(e->labels[i].value));
	gs_buf_cstr(out, "} ");
	gs_buf_double(out, e->value);
	if (e->has_timestamp)
		gs_buf_printf(out, " @%lld", (long long)e->timestamp_ms);
}

static inline void dump_event(struct gs_buf *out, const struct gs_expo_event *e) {
	gs_buf_printf(out, "%.*s", GS_FMT(e->name));
	for (size_t i = 0; i < e->nlabels; i++)
		gs_buf_printf(
		    out, "%s%.*s=%.*s", i != 0 ? "," : "{", GS_FMT(e->labels[i].name), GS_FMT(e->labels[i].value));
	gs_buf_cstr(out, e->nlabels != 0 ? "} " : " ");
	gs_buf_double(out, e->value);
	if (e->exemplar != NULL)
		dump_exemplar(out, e->exemplar);
	const struct gs_native *native = e->native;
	if (native != NULL) {
		gs_buf_printf(out, " %s %d ", native->is_float ? "float" : "whole", native->schema);
		gs_buf_double(out, native->zero_threshold);
		gs_buf_char(out, ':');
		gs_buf_double(out, native->zero_count);
		gs_buf_cstr(out, " sum ");
		gs_buf_double(out, native->sum);
		dump_buckets(out, "+", &native->positive);
		dump_buckets(out, "-", &native->negative);
		for (size_t i = 0; i < native->nexemplars; i++)
			dump_exemplar(out, &native->exemplars[i]);
	}
	gs_buf_char(out, '\n');
}

/* What is served as protobuf, one event a line: "T name type", "H name text", "U name unit", and samples; to be freed with gs_free. */
static inline char *served_binary(struct bench *b, struct gs_expo_dialect dialect) {
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_buf body, out;
	struct gs_str after = {0};
	struct gs_expo_event event = {0};
	struct gs_error err = {0};
	size_t n;
	gs_buf_init(&body, SIZE_MAX);
	gs_buf_init(&out, SIZE_MAX);
	while (gs_store_render_next(b->store, &after, b->now, dialect, &body))
		continue;
	assert_int_equal(body.status, GS_OK);
	gs_store_check(b->store);
	gs_expo_begin(b->parser, &options);
	gs_expo_feed(b->parser, gs_buf_slice(&body), true);
	while (gs_expo_next(b->parser, &event, &err) == GS_OK && event.kind != GS_EXPO_END) {
		if (event.kind == GS_EXPO_SAMPLE)
			dump_event(&out, &event);
		else
			gs_buf_printf(&out, "%c %.*s %.*s%s\n", "ETHU"[event.kind], GS_FMT(event.name),
			    GS_FMT(event.text), event.kind == GS_EXPO_TYPE ? gs_expo_type_name(event.type) : "");
	}
	if (event.kind != GS_EXPO_END)
		fail_msg("%u:%u: %s", err.line, err.column, err.text);
	gs_buf_char(&out, '\0');
	gs_buf_free(&body);
	return gs_buf_take(&out, &n);
}

#define assert_binary(b, expected)                                                                                     \
	do {                                                                                                           \
		char *binary_ = served_binary(b, binary_utf8);                                                         \
		assert_string_equal(binary_, expected);                                                                \
		gs_free(binary_);                                                                                      \
	} while (0)

#endif
