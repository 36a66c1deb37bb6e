/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of io.prometheus.client, byte by byte: there are few, and a packer of the library wants a tree of structs for each metric. A message
 * begins with one byte for its length; where that becomes larger, what was written is moved.
 */
#include "gravel/expo/write_protobuf.h"

#include <assert.h>
#include <math.h>

#define VARINT_MAX 10
#define SUFFIX_MAX 16
#define FIELD_MAX (2 * VARINT_MAX) /* a tag and a varint; a tag and a double take less */

/* Wire types. */
#define WIRE_VARINT 0
#define WIRE_64BIT 1
#define WIRE_BYTES 2

/* Numbers of fields: metrics.proto. */
enum {
	FAMILY_NAME = 1,
	FAMILY_HELP = 2,
	FAMILY_TYPE = 3,
	FAMILY_METRIC = 4,
	FAMILY_UNIT = 5,
	METRIC_LABEL = 1,
	METRIC_GAUGE = 2,
	METRIC_COUNTER = 3,
	METRIC_SUMMARY = 4,
	METRIC_UNTYPED = 5,
	METRIC_HISTOGRAM = 7,
	PAIR_NAME = 1,
	PAIR_VALUE = 2,
	SIMPLE_VALUE = 1,
	COUNTER_EXEMPLAR = 2,
	EXEMPLAR_LABEL = 1,
	EXEMPLAR_VALUE = 2,
	EXEMPLAR_TIME = 3,
	TIME_SECONDS = 1,
	TIME_NANOS = 2,
	TOTAL_COUNT = 1,
	TOTAL_SUM = 2,
	PART = 3,
	QUANTILE_AT = 1,
	QUANTILE_VALUE = 2,
	BUCKET_COUNT = 1,
	BUCKET_AT = 2,
	BUCKET_EXEMPLAR = 3,
	BUCKET_COUNT_FLOAT = 4,
	HISTOGRAM_COUNT_FLOAT = 4,
	HISTOGRAM_SCHEMA = 5,
	HISTOGRAM_ZERO_THRESHOLD = 6,
	HISTOGRAM_ZERO_COUNT = 7,
	HISTOGRAM_ZERO_COUNT_FLOAT = 8,
	HISTOGRAM_NEGATIVE = 9, /* span, delta, count */
	HISTOGRAM_POSITIVE = 12,
	HISTOGRAM_EXEMPLARS = 16,
	SPAN_OFFSET = 1,
	SPAN_LENGTH = 2,
};

/* What the time of a google.protobuf.Timestamp may be: from year 1 to year 9999. */
#define SECONDS_MIN (-62135596800LL)
#define SECONDS_MAX 253402300799LL

#define WHOLE_END 18446744073709551616.0 /* 2^64 */

static char *put_varint(char *at, uint64_t v) {
	for (; v >= 0x80; v >>= 7)
		*at++ = (char)(v | 0x80);
	*at++ = (char)v;
	return at;
}

static char *put_tag(char *at, unsigned number, unsigned wire) {
	return put_varint(at, number << 3 | wire);
}

static char *put_number(char *at, unsigned number, uint64_t v) {
	return put_varint(put_tag(at, number, WIRE_VARINT), v);
}

static char *put_signed(char *at, unsigned number, int64_t v) {
	return put_number(at, number, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static char *put_double(char *at, unsigned number, double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	at = put_tag(at, number, WIRE_64BIT);
	for (unsigned shift = 0; shift < 64; shift += 8)
		*at++ = (char)(bits >> shift);
	return at;
}

static char *put_bytes(char *at, unsigned number, struct gs_str s) {
	at = put_varint(put_tag(at, number, WIRE_BYTES), s.n);
	if (s.n != 0)
		memcpy(at, s.p, s.n);
	return at + s.n;
}

/* A count is a whole number, or in the field of its kind for others. */
static bool is_whole(double v) {
	return v >= 0 && v < WHOLE_END && v == floor(v);
}

static char *put_count(char *at, unsigned number, unsigned number_float, double v) {
	return is_whole(v) ? put_number(at, number, (uint64_t)v) : put_double(at, number_float, v);
}

static void end(struct gs_buf *out, const char *at) {
	out->n = (size_t)(at - out->p);
}

/* Begin a message that is a field of another; without ${number} it stands alone. Returns where it begins. */
static size_t begin(struct gs_buf *out, unsigned number) {
	char *at = gs_buf_reserve(out, FIELD_MAX);
	if (at == NULL)
		return 0;
	if (number != 0)
		at = put_tag(at, number, WIRE_BYTES);
	end(out, at + 1);
	return out->n;
}

/* End the message that begins at ${start}: its length stands before it. */
static void finish(struct gs_buf *out, size_t start) {
	char length[VARINT_MAX];
	if (out->status != GS_OK)
		return;
	size_t n = out->n - start, size = (size_t)(put_varint(length, n) - length);
	if (gs_buf_reserve(out, size) == NULL)
		return;
	if (size > 1)
		memmove(out->p + start + size - 1, out->p + start, n);
	memcpy(out->p + start - 1, length, size);
	out->n += size - 1;
}

/* Names */

/* Where names are escaped by VALUES, so is what looks as if it were (write.h). */
static bool is_plain(enum gs_escaping escaping, enum gs_name_kind kind, struct gs_str name) {
	bool classic = kind == GS_NAME_LABEL ? gs_expo_is_label_name(name) : gs_expo_is_metric_name(name);
	return escaping == GS_ESCAPE_NONE ||
	       (classic && (escaping != GS_ESCAPE_VALUES || !gs_str_starts(name, GS_STR("U__"))));
}

/* The name as it is written, in ${room} if it is not itself. */
static struct gs_str written(
    const struct gs_expo_pb_writer *w, enum gs_name_kind kind, struct gs_str name, char *room) {
	if (is_plain(w->escaping, kind, name))
		return name;
	size_t n = w->escaping == GS_ESCAPE_VALUES ? gs_expo_escape_always(room, name, kind)
						   : gs_expo_escape(room, name, kind, w->escaping);
	return gs_str_make(room, n);
}

static void write_label(const struct gs_expo_pb_writer *w, unsigned number, const struct gs_label *label) {
	char room[GS_EXPO_ESCAPED_MAX(GS_LIMIT_NAME)];
	if (label->name.n > GS_LIMIT_NAME) {
		gs_buf_reserve(w->out, SIZE_MAX);
		return;
	}
	struct gs_str name = written(w, GS_NAME_LABEL, label->name, room);
	size_t start = begin(w->out, number);
	char *at = gs_buf_reserve(w->out, name.n + label->value.n + 2 * FIELD_MAX);
	if (at == NULL)
		return;
	end(w->out, put_bytes(put_bytes(at, PAIR_NAME, name), PAIR_VALUE, label->value));
	finish(w->out, start);
}

/* Families */

void gs_expo_pb_init(struct gs_expo_pb_writer *writer, struct gs_buf *out, enum gs_escaping escaping) {
	*writer = (struct gs_expo_pb_writer){.out = out, .escaping = escaping};
}

static unsigned number_of_type(enum gs_expo_type type) {
	switch (type) {
	case GS_TYPE_COUNTER:
		return 0;
	case GS_TYPE_GAUGE:
	case GS_TYPE_INFO:
	case GS_TYPE_STATESET:
		return 1;
	case GS_TYPE_SUMMARY:
		return 2;
	case GS_TYPE_UNTYPED:
		return 3;
	case GS_TYPE_HISTOGRAM:
		return 4;
	case GS_TYPE_GAUGEHISTOGRAM:
		break;
	}
	return 5;
}

static bool may_have_unit(enum gs_expo_type type, struct gs_str name, struct gs_str unit) {
	if (type == GS_TYPE_COUNTER && gs_str_ends(name, GS_STR("_total")))
		name.n -= GS_STR("_total").n;
	return unit.n != 0 && name.n > unit.n && gs_str_ends(name, unit) && name.p[name.n - unit.n - 1] == '_';
}

void gs_expo_pb_begin_family(
    struct gs_expo_pb_writer *writer, const struct gs_expo_family *family, struct gs_str suffix) {
	struct gs_expo_pb_writer *w = writer;
	char room[GS_EXPO_ESCAPED_MAX(GS_LIMIT_NAME) + SUFFIX_MAX];
	assert(suffix.n <= SUFFIX_MAX);
	if (family->name.n > GS_LIMIT_NAME) {
		gs_buf_reserve(w->out, SIZE_MAX);
		return;
	}
	struct gs_str name = written(w, GS_NAME_METRIC, family->name, room);
	if (suffix.n != 0) {
		memmove(room, name.p, name.n);
		memcpy(room + name.n, suffix.p, suffix.n);
		name = gs_str_make(room, name.n + suffix.n);
	}
	w->type = family->type;
	w->family = begin(w->out, 0);
	char *at = gs_buf_reserve(w->out, name.n + family->help.n + family->unit.n + 4 * FIELD_MAX);
	if (at == NULL)
		return;
	at = put_bytes(at, FAMILY_NAME, name);
	if (family->help.n != 0)
		at = put_bytes(at, FAMILY_HELP, family->help);
	at = put_number(at, FAMILY_TYPE, number_of_type(w->type));
	if (may_have_unit(w->type, name, family->unit))
		at = put_bytes(at, FAMILY_UNIT, family->unit);
	end(w->out, at);
}

void gs_expo_pb_end_family(struct gs_expo_pb_writer *writer) {
	finish(writer->out, writer->family);
}

/* Metrics */

static unsigned number_of_value(enum gs_expo_type type) {
	switch (type) {
	case GS_TYPE_COUNTER:
		return METRIC_COUNTER;
	case GS_TYPE_GAUGE:
	case GS_TYPE_INFO:
	case GS_TYPE_STATESET:
		return METRIC_GAUGE;
	case GS_TYPE_SUMMARY:
		return METRIC_SUMMARY;
	case GS_TYPE_UNTYPED:
		return METRIC_UNTYPED;
	case GS_TYPE_HISTOGRAM:
	case GS_TYPE_GAUGEHISTOGRAM:
		break;
	}
	return METRIC_HISTOGRAM;
}

void gs_expo_pb_begin_metric(struct gs_expo_pb_writer *writer, const struct gs_label *labels, size_t n) {
	writer->metric = begin(writer->out, FAMILY_METRIC);
	for (size_t i = 0; i < n; i++)
		write_label(writer, METRIC_LABEL, &labels[i]);
	writer->value = begin(writer->out, number_of_value(writer->type));
}

void gs_expo_pb_end_metric(struct gs_expo_pb_writer *writer) {
	finish(writer->out, writer->value);
	finish(writer->out, writer->metric);
}

static void write_time(struct gs_buf *out, int64_t ms) {
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);
	if (seconds < SECONDS_MIN || seconds > SECONDS_MAX)
		return;
	size_t start = begin(out, EXEMPLAR_TIME);
	char *at = gs_buf_reserve(out, 2 * FIELD_MAX);
	if (at == NULL)
		return;
	at = put_number(at, TIME_SECONDS, (uint64_t)seconds);
	end(out, put_number(at, TIME_NANOS, (uint64_t)((ms - seconds * 1000) * 1000000)));
	finish(out, start);
}

static void write_exemplar(const struct gs_expo_pb_writer *w, unsigned number, const struct gs_exemplar *exemplar) {
	size_t start = begin(w->out, number);
	for (size_t i = 0; i < exemplar->nlabels; i++)
		write_label(w, EXEMPLAR_LABEL, &exemplar->labels[i]);
	char *at = gs_buf_reserve(w->out, FIELD_MAX);
	if (at == NULL)
		return;
	end(w->out, put_double(at, EXEMPLAR_VALUE, exemplar->value));
	if (exemplar->has_timestamp)
		write_time(w->out, exemplar->timestamp_ms);
	finish(w->out, start);
}

void gs_expo_pb_value(struct gs_expo_pb_writer *writer, double value, const struct gs_exemplar *exemplar) {
	char *at = gs_buf_reserve(writer->out, FIELD_MAX);
	if (at == NULL)
		return;
	end(writer->out, put_double(at, SIMPLE_VALUE, value));
	if (exemplar != NULL && writer->type == GS_TYPE_COUNTER)
		write_exemplar(writer, COUNTER_EXEMPLAR, exemplar);
}

void gs_expo_pb_part(struct gs_expo_pb_writer *writer, double bound, double value, const struct gs_exemplar *exemplar) {
	struct gs_buf *out = writer->out;
	bool summary = writer->type == GS_TYPE_SUMMARY;
	size_t start = begin(out, PART);
	char *at = gs_buf_reserve(out, 2 * FIELD_MAX);
	if (at == NULL)
		return;
	if (summary)
		at = put_double(put_double(at, QUANTILE_AT, bound), QUANTILE_VALUE, value);
	else
		at = put_double(put_count(at, BUCKET_COUNT, BUCKET_COUNT_FLOAT, value), BUCKET_AT, bound);
	end(out, at);
	if (exemplar != NULL && !summary)
		write_exemplar(writer, BUCKET_EXEMPLAR, exemplar);
	finish(out, start);
}

static void write_span(struct gs_buf *out, unsigned number, struct gs_span span) {
	size_t start = begin(out, number);
	char *at = gs_buf_reserve(out, 2 * FIELD_MAX);
	if (at == NULL)
		return;
	end(out, put_number(put_signed(at, SPAN_OFFSET, span.offset), SPAN_LENGTH, span.length));
	finish(out, start);
}

/* Spans, then deltas and counts, whose numbers follow that of the spans. */
static void write_side(struct gs_buf *out, unsigned number, const struct gs_native_side *side) {
	for (size_t i = 0; i < side->nspans; i++)
		write_span(out, number, side->spans[i]);
	char *at = gs_buf_reserve(out, (side->ndeltas + side->ncounts) * FIELD_MAX);
	if (at == NULL)
		return;
	for (size_t i = 0; i < side->ndeltas; i++)
		at = put_signed(at, number + 1, side->deltas[i]);
	for (size_t i = 0; i < side->ncounts; i++)
		at = put_double(at, number + 2, side->counts[i]);
	end(out, at);
}

static void write_native(const struct gs_expo_pb_writer *w, const struct gs_native *native) {
	char *at = gs_buf_reserve(w->out, 3 * FIELD_MAX);
	if (at == NULL)
		return;
	at = put_signed(at, HISTOGRAM_SCHEMA, native->schema);
	at = put_double(at, HISTOGRAM_ZERO_THRESHOLD, native->zero_threshold);
	if (native->is_float)
		at = put_double(at, HISTOGRAM_ZERO_COUNT_FLOAT, native->zero_count);
	else
		at = put_count(at, HISTOGRAM_ZERO_COUNT, HISTOGRAM_ZERO_COUNT_FLOAT, native->zero_count);
	end(w->out, at);
	write_side(w->out, HISTOGRAM_NEGATIVE, &native->negative);
	write_side(w->out, HISTOGRAM_POSITIVE, &native->positive);
	/* What has no bucket and no zero bucket either is known by a span without buckets. */
	if (native->negative.nspans == 0 && native->positive.nspans == 0 && !(native->zero_threshold > 0) &&
	    !(native->zero_count > 0))
		write_span(w->out, HISTOGRAM_POSITIVE, (struct gs_span){0});
	for (size_t i = 0; i < native->nexemplars; i++)
		write_exemplar(w, HISTOGRAM_EXEMPLARS, &native->exemplars[i]);
}

void gs_expo_pb_totals(struct gs_expo_pb_writer *writer, const struct gs_expo_pb_totals *totals) {
	const struct gs_native *native = writer->type != GS_TYPE_SUMMARY ? totals->native : NULL;
	double count = native != NULL ? native->count : totals->count;
	char *at = gs_buf_reserve(writer->out, 2 * FIELD_MAX);
	if (at == NULL)
		return;
	if (native != NULL && native->is_float)
		at = put_double(at, HISTOGRAM_COUNT_FLOAT, count);
	else
		at = put_count(at, TOTAL_COUNT, HISTOGRAM_COUNT_FLOAT, count);
	end(writer->out, put_double(at, TOTAL_SUM, native != NULL ? native->sum : totals->sum));
	if (native != NULL)
		write_native(writer, native);
}
