/* SPDX-License-Identifier: Apache-2.0 */
/* Families as messages of the protobuf exposition. What they are written as, form.c has decided. */
#include "store_internal.h"

/* From here on a new message is begun: readers have limits, and the length stands before it. */
#define MESSAGE_BYTES ((size_t)16 * 1024 * 1024)

static void open_message(struct binary *binary) {
	const struct family *family = binary->family;
	struct gs_expo_family head = {
	    .name = family->name, .help = family->help, .unit = family->unit, .type = binary->type};
	binary->start = binary->writer.out->n;
	gs_expo_pb_begin_family(&binary->writer, &head, binary->suffix);
	binary->meta = binary->writer.out->n;
}

static void close_message(struct binary *binary) {
	struct gs_buf *out = binary->writer.out;
	if (out->n == binary->meta && out->status == GS_OK)
		out->n = binary->start;
	else
		gs_expo_pb_end_family(&binary->writer);
}

void gs_binary_begin(struct binary *binary, const struct family *family, struct gs_str suffix, enum gs_expo_type type,
    enum gs_escaping escaping, struct gs_buf *out) {
	*binary = (struct binary){.family = family, .suffix = suffix, .type = type};
	gs_expo_pb_init(&binary->writer, out, escaping);
	open_message(binary);
}

void gs_binary_end(struct binary *binary) {
	close_message(binary);
}

static void begin_metric(struct binary *binary, const struct gs_label *labels, size_t n) {
	if (binary->writer.out->n - binary->start >= MESSAGE_BYTES) {
		close_message(binary);
		open_message(binary);
	}
	gs_expo_pb_begin_metric(&binary->writer, labels, n);
}

void gs_binary_number(struct binary *binary, const struct gs_label *labels, size_t n, double value) {
	begin_metric(binary, labels, n);
	gs_expo_pb_value(&binary->writer, value, NULL);
	gs_expo_pb_end_metric(&binary->writer);
}

/* The exemplar of a bound; NULL: there is none. */
static const struct gs_exemplar *exemplar_at(
    const struct exemplars *exemplars, double at, struct exemplar_room *room, struct gs_exemplar *ret) {
	const struct exemplar *found = gs_exemplars_find(exemplars, at);
	if (found == NULL)
		return NULL;
	*ret = gs_exemplar_read(exemplars, found, room);
	return ret;
}

static void write_totals(struct binary *binary, const struct parts *parts, const struct native *native) {
	struct exemplar_room room[NATIVE_EXEMPLARS];
	struct gs_exemplar exemplars[NATIVE_EXEMPLARS];
	struct gs_expo_pb_totals totals = {.sum = parts->sum, .count = parts->count};
	struct gs_native whole;
	if (native != NULL) {
		uint32_t n = native->exemplars != NULL ? native->exemplars->n : 0;
		for (uint32_t i = 0; i < n; i++)
			exemplars[i] = gs_exemplar_read(native->exemplars, &native->exemplars->e[i], &room[i]);
		whole = native->it;
		whole.exemplars = exemplars;
		whole.nexemplars = n;
		totals.native = &whole;
	}
	gs_expo_pb_totals(&binary->writer, &totals);
}

void gs_binary_series(struct binary *binary, const struct gs_label *labels, size_t n, const struct extra *extra,
    const struct value *value) {
	const struct exemplars *exemplars = extra != NULL ? extra->exemplars : NULL;
	const struct parts *parts = value->parts;
	struct exemplar_room room;
	struct gs_exemplar exemplar;
	begin_metric(binary, labels, n);
	if (gs_kind_of_type(binary->type) == KIND_SIMPLE) {
		gs_expo_pb_value(
		    &binary->writer, value->simple, exemplar_at(exemplars, (double)INFINITY, &room, &exemplar));
	} else {
		for (uint32_t i = 0; i < parts->layout->n; i++)
			gs_expo_pb_part(&binary->writer, parts->layout->at[i], parts->v[i],
			    exemplar_at(exemplars, parts->layout->at[i], &room, &exemplar));
		write_totals(binary, parts, extra->native);
	}
	gs_expo_pb_end_metric(&binary->writer);
}
