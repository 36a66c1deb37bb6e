/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_EXPO_PB_H
#define GRAVEL_TESTS_EXPO_PB_H

/* Bodies of the protobuf exposition, made by protobuf-c's own packer, and their events as text. Include cmocka.h before. */

#include <stdio.h>
#include <stdlib.h>

#include <metrics.pb-c.h>

#include "gravel/base/mem.h"
#include "gravel/expo/expo.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Memory that lives until pb_free. */
struct pb_piece {
	struct pb_piece *next;
	_Alignas(16) char bytes[];
};

static struct pb_piece *pb_pieces;

static inline void *pb_copy(const void *from, size_t n, size_t room) {
	struct pb_piece *piece = calloc(1, sizeof(*piece) + room + 1);
	assert_non_null(piece);
	memcpy(piece->bytes, from, n);
	piece->next = pb_pieces;
	pb_pieces = piece;
	return piece->bytes;
}

static inline void pb_free(void) {
	while (pb_pieces != NULL) {
		struct pb_piece *next = pb_pieces->next;
		free(pb_pieces);
		pb_pieces = next;
	}
}

#define PB_NEW(type, init) ((type *)pb_copy(&(type)init, sizeof(type), sizeof(type)))

/* Append to a repeated field of elements of that size. */
static inline void pb_push(void *array, size_t *n, const void *element, size_t size) {
	void *old;
	memcpy(&old, array, sizeof(old));
	if ((*n & (*n - 1)) == 0) {
		old = pb_copy(*n != 0 ? old : "", *n * size, (*n * 2 + 1) * size);
		memcpy(array, &old, sizeof(old));
	}
	memcpy((char *)old + *n * size, element, size);
	++*n;
}

#define PB_PUSH(message, field, value) pb_push(&(message)->field, &(message)->n_##field, &(value), sizeof(value))

static inline ProtobufCBinaryData pb_bytes(struct gs_str s) {
	return (ProtobufCBinaryData){.len = s.n, .data = pb_copy(s.n != 0 ? s.p : "", s.n, s.n)};
}

static inline Gs__Expo__LabelPair *pb_pair(struct gs_str name, struct gs_str value) {
	Gs__Expo__LabelPair *pair = PB_NEW(Gs__Expo__LabelPair, GS__EXPO__LABEL_PAIR__INIT);
	pair->has_name = 1;
	pair->name = pb_bytes(name);
	pair->has_value = 1;
	pair->value = pb_bytes(value);
	return pair;
}

static inline Gs__Expo__MetricFamily *pb_family(const char *name, Gs__Expo__MetricType type) {
	Gs__Expo__MetricFamily *family = PB_NEW(Gs__Expo__MetricFamily, GS__EXPO__METRIC_FAMILY__INIT);
	family->has_name = 1;
	family->name = pb_bytes(gs_str_of(name));
	family->has_type = 1;
	family->type = type;
	return family;
}

static inline void pb_help(Gs__Expo__MetricFamily *family, const char *help) {
	family->has_help = 1;
	family->help = pb_bytes(gs_str_of(help));
}

static inline void pb_unit(Gs__Expo__MetricFamily *family, const char *unit) {
	family->has_unit = 1;
	family->unit = pb_bytes(gs_str_of(unit));
}

static inline Gs__Expo__Metric *pb_metric(Gs__Expo__MetricFamily *family) {
	Gs__Expo__Metric *metric = PB_NEW(Gs__Expo__Metric, GS__EXPO__METRIC__INIT);
	PB_PUSH(family, metric, metric);
	return metric;
}

static inline void pb_label(Gs__Expo__Metric *metric, const char *name, const char *value) {
	Gs__Expo__LabelPair *pair = pb_pair(gs_str_of(name), gs_str_of(value));
	PB_PUSH(metric, label, pair);
}

static inline Gs__Expo__Timestamp *pb_time(int64_t seconds, int32_t nanos) {
	Gs__Expo__Timestamp *time = PB_NEW(Gs__Expo__Timestamp, GS__EXPO__TIMESTAMP__INIT);
	time->has_seconds = 1;
	time->seconds = seconds;
	time->has_nanos = 1;
	time->nanos = nanos;
	return time;
}

/* With the label trace=${trace}. */
static inline Gs__Expo__Exemplar *pb_exemplar(const char *trace, double value, Gs__Expo__Timestamp *time) {
	Gs__Expo__Exemplar *exemplar = PB_NEW(Gs__Expo__Exemplar, GS__EXPO__EXEMPLAR__INIT);
	Gs__Expo__LabelPair *pair = pb_pair(GS_STR("trace"), gs_str_of(trace));
	PB_PUSH(exemplar, label, pair);
	exemplar->has_value = 1;
	exemplar->value = value;
	exemplar->timestamp = time;
	return exemplar;
}

static inline Gs__Expo__Gauge *pb_gauge(double value) {
	Gs__Expo__Gauge *gauge = PB_NEW(Gs__Expo__Gauge, GS__EXPO__GAUGE__INIT);
	gauge->has_value = 1;
	gauge->value = value;
	return gauge;
}

static inline Gs__Expo__Untyped *pb_untyped(double value) {
	Gs__Expo__Untyped *untyped = PB_NEW(Gs__Expo__Untyped, GS__EXPO__UNTYPED__INIT);
	untyped->has_value = 1;
	untyped->value = value;
	return untyped;
}

static inline Gs__Expo__Counter *pb_counter(double value) {
	Gs__Expo__Counter *counter = PB_NEW(Gs__Expo__Counter, GS__EXPO__COUNTER__INIT);
	counter->has_value = 1;
	counter->value = value;
	return counter;
}

static inline Gs__Expo__Summary *pb_summary(uint64_t count, double sum) {
	Gs__Expo__Summary *summary = PB_NEW(Gs__Expo__Summary, GS__EXPO__SUMMARY__INIT);
	summary->has_sample_count = 1;
	summary->sample_count = count;
	summary->has_sample_sum = 1;
	summary->sample_sum = sum;
	return summary;
}

static inline void pb_quantile(Gs__Expo__Summary *summary, double at, double value) {
	Gs__Expo__Quantile *quantile = PB_NEW(Gs__Expo__Quantile, GS__EXPO__QUANTILE__INIT);
	quantile->has_quantile = 1;
	quantile->quantile = at;
	quantile->has_value = 1;
	quantile->value = value;
	PB_PUSH(summary, quantile, quantile);
}

static inline Gs__Expo__Histogram *pb_histogram(uint64_t count, double sum) {
	Gs__Expo__Histogram *histogram = PB_NEW(Gs__Expo__Histogram, GS__EXPO__HISTOGRAM__INIT);
	histogram->has_sample_count = 1;
	histogram->sample_count = count;
	histogram->has_sample_sum = 1;
	histogram->sample_sum = sum;
	return histogram;
}

static inline Gs__Expo__Bucket *pb_bucket(Gs__Expo__Histogram *histogram, double bound, uint64_t count) {
	Gs__Expo__Bucket *bucket = PB_NEW(Gs__Expo__Bucket, GS__EXPO__BUCKET__INIT);
	bucket->has_upper_bound = 1;
	bucket->upper_bound = bound;
	bucket->has_cumulative_count = 1;
	bucket->cumulative_count = count;
	PB_PUSH(histogram, bucket, bucket);
	return bucket;
}

static inline Gs__Expo__BucketSpan *pb_span(int32_t offset, uint32_t length) {
	Gs__Expo__BucketSpan *span = PB_NEW(Gs__Expo__BucketSpan, GS__EXPO__BUCKET_SPAN__INIT);
	span->has_offset = 1;
	span->offset = offset;
	span->has_length = 1;
	span->length = length;
	return span;
}

static inline void pb_varint(struct gs_buf *out, uint64_t v) {
	for (; v >= 0x80; v >>= 7)
		gs_buf_char(out, (char)(v | 0x80));
	gs_buf_char(out, (char)v);
}

/* Append a message of any bytes, its length before it. */
static inline void pb_raw(struct gs_buf *out, struct gs_str message) {
	pb_varint(out, message.n);
	gs_buf_str(out, message);
}

static inline void pb_put(struct gs_buf *out, const Gs__Expo__MetricFamily *family) {
	size_t n = gs__expo__metric_family__get_packed_size(family);
	pb_varint(out, n);
	char *room = gs_buf_reserve(out, n);
	assert_non_null(room);
	assert_int_equal(gs__expo__metric_family__pack(family, (uint8_t *)room), n);
	out->n += n;
}

static inline void pb_dump_exemplar(struct gs_buf *out, const struct gs_exemplar *e) {
	gs_buf_cstr(out, " #{");
	for (size_t i = 0; i < e->nlabels; i++)
		gs_buf_printf(
		    out, "%s%.*s=%.*s", i != 0 ? "," : "", GS_FMT(e->labels[i].name), GS_FMT(e->labels[i].value));
	gs_buf_cstr(out, "} ");
	gs_buf_double(out, e->value);
	if (e->has_timestamp)
		gs_buf_printf(out, " @%lld", (long long)e->timestamp_ms);
}

static inline void pb_dump_side(struct gs_buf *out, const struct gs_native_side *side) {
	for (size_t i = 0; i < side->nspans; i++)
		gs_buf_printf(out, " %d:%u", side->spans[i].offset, side->spans[i].length);
	for (size_t i = 0; i < side->ndeltas; i++)
		gs_buf_printf(out, " d%lld", (long long)side->deltas[i]);
	for (size_t i = 0; i < side->ncounts; i++) {
		gs_buf_cstr(out, " c");
		gs_buf_double(out, side->counts[i]);
	}
}

static inline void pb_dump_native(struct gs_buf *out, const struct gs_native *native) {
	gs_buf_printf(out, " %s schema %d zero ", native->is_float ? "float" : "int", native->schema);
	gs_buf_double(out, native->zero_threshold);
	gs_buf_char(out, ':');
	gs_buf_double(out, native->zero_count);
	gs_buf_cstr(out, " of ");
	gs_buf_double(out, native->count);
	gs_buf_cstr(out, " sum ");
	gs_buf_double(out, native->sum);
	gs_buf_cstr(out, " +");
	pb_dump_side(out, &native->positive);
	gs_buf_cstr(out, " -");
	pb_dump_side(out, &native->negative);
	for (size_t i = 0; i < native->nexemplars; i++)
		pb_dump_exemplar(out, &native->exemplars[i]);
}

/* "H name [text]", "T name type", "U name [text]", "S name{labels} value @timestamp part of family" and "+" when joined, one a line. */
static inline void pb_dump_event(struct gs_buf *out, const struct gs_expo_event *e) {
	static const char *const parts[] = {"value", "bucket", "quantile", "sum", "count", "created", "native"};
	static const char kinds[] = {'E', 'T', 'H', 'U', 'S'};
	gs_buf_printf(out, "%u%c %.*s", e->line, kinds[e->kind], GS_FMT(e->name));
	if (e->kind == GS_EXPO_TYPE)
		gs_buf_printf(out, " %s", gs_expo_type_name(e->type));
	if (e->kind == GS_EXPO_HELP || e->kind == GS_EXPO_UNIT)
		gs_buf_printf(out, " [%.*s]", GS_FMT(e->text));
	if (e->kind == GS_EXPO_SAMPLE) {
		gs_buf_char(out, '{');
		for (size_t i = 0; i < e->nlabels; i++)
			gs_buf_printf(out, "%s%.*s=%.*s", i != 0 ? "," : "", GS_FMT(e->labels[i].name),
			    GS_FMT(e->labels[i].value));
		gs_buf_cstr(out, "} ");
		gs_buf_double(out, e->value);
		if (e->has_timestamp)
			gs_buf_printf(out, " @%lld", (long long)e->timestamp_ms);
		gs_buf_printf(out, " %s", parts[e->part]);
		if (e->part == GS_PART_BUCKET || e->part == GS_PART_QUANTILE) {
			gs_buf_char(out, ':');
			gs_buf_double(out, e->bound);
		}
		gs_buf_printf(
		    out, " of %.*s %s%s", GS_FMT(e->family), gs_expo_type_name(e->type), e->joined ? " +" : "");
		assert_int_equal(e->series.n, 0);
		assert_int_equal(e->native != NULL, e->part == GS_PART_NATIVE);
	}
	if (e->exemplar != NULL)
		pb_dump_exemplar(out, e->exemplar);
	if (e->native != NULL)
		pb_dump_native(out, e->native);
	gs_buf_char(out, '\n');
}

/* Reorder the labels, as a caller may: what follows must not change by it. */
static inline void pb_turn_labels(struct gs_expo_event *e) {
	for (size_t i = 0, k = e->nlabels; i + 1 < k; i++) {
		struct gs_label label = e->labels[i];
		e->labels[i] = e->labels[--k];
		e->labels[k] = label;
	}
}

/* Dump the events of the windows that are there, to the first answer that is none. */
static inline enum gs_status pb_drain(struct gs_expo_parser *parser, struct gs_buf *out, struct gs_error *err) {
	for (;;) {
		struct gs_expo_event event;
		enum gs_status status = gs_expo_next(parser, &event, err);
		if (status != GS_OK)
			return status;
		if (event.kind == GS_EXPO_END) {
			gs_buf_printf(out, "end %u\n", event.line);
			return GS_OK;
		}
		pb_dump_event(out, &event);
		pb_turn_labels(&event);
	}
}

/* A window of the body in memory of its own, so that a sanitizer sees who reads beyond it. */
static inline char *pb_window(struct gs_str body, size_t from, size_t to) {
	char *window = malloc(to - from + (to == from));
	assert_non_null(window);
	if (to > from)
		memcpy(window, body.p + from, to - from);
	return window;
}

/* Parse body in windows that end at ${first} and then at every ${step} bytes; errors are dumped, and recovered from if ${recover}. */
static inline void pb_parse(struct gs_expo_parser *parser, const struct gs_expo_options *options, struct gs_str body,
    size_t first, size_t step, bool recover, struct gs_buf *out) {
	size_t used = 0, to = first < body.n ? first : body.n;
	gs_expo_begin(parser, options);
	for (;;) {
		struct gs_error err = {0};
		char *window = pb_window(body, used, to);
		gs_expo_feed(parser, gs_str_make(window, to - used), to == body.n);
		enum gs_status status = pb_drain(parser, out, &err);
		while (status != GS_OK && status != GS_EAGAIN) {
			gs_buf_printf(out, "%s %u:%u: %s\n", gs_status_name(status), err.line, err.column, err.text);
			assert_int_equal(gs_expo_next(parser, &(struct gs_expo_event){0}, NULL), status);
			if (!recover || !gs_expo_recover(parser))
				break;
			status = pb_drain(parser, out, &err);
		}
		assert_true(gs_expo_used(parser) <= to - used);
		used += gs_expo_used(parser);
		free(window);
		if (status != GS_EAGAIN)
			break;
		assert_true(to < body.n);
		to = body.n - to < step ? body.n : to + step;
	}
}

/* What ${body} gives: as a whole, byte by byte, and cut in two at every position. */
static inline void pb_check(struct gs_str body, const char *events) {
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	assert_non_null(parser);
	for (size_t first = 0; first <= body.n + 1; first++) {
		gs_buf_clear(&out);
		/* The last two are not cut: as a whole, then byte by byte. */
		pb_parse(
		    parser, &options, body, first <= body.n ? first : 0, first <= body.n ? body.n + 1 : 1, true, &out);
		gs_buf_char(&out, '\0');
		assert_int_equal(out.status, GS_OK);
		assert_string_equal(out.p, events);
	}
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

/* The same of one family. */
static inline void pb_check_family(const Gs__Expo__MetricFamily *family, const char *events) {
	struct gs_buf body;
	gs_buf_init(&body, 16 << 20);
	pb_put(&body, family);
	pb_check(gs_buf_slice(&body), events);
	gs_buf_free(&body);
}

/* Parse only the whole, without recovering, into ${out}. For what is large. */
static inline void pb_parse_whole(struct gs_str body, size_t max_samples, struct gs_buf *out) {
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF, .max_samples = max_samples};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	assert_non_null(parser);
	pb_parse(parser, &options, body, body.n, 1, false, out);
	gs_buf_char(out, '\0');
	gs_expo_parser_free(parser);
}

#endif
