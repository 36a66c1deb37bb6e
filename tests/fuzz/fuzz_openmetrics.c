/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes beyond one line, with a memory of the whole exposition and without: an error has a position; pieces give the same; what is joined
 * belongs together and the other way round; buckets that are taken rise; no series stands twice in what is taken. The first byte says
 * how: its low bit whether OpenMetrics or text, the others the length of the pieces.
 */
#include <stdint.h>
#include <stdlib.h>

#include "gravel/expo/expo.h"

static void must(int holds) {
	if (!holds)
		abort();
}

/* A body's events as lines of text, and what is compared of its last sample. */
struct record {
	struct gs_buf events;
	struct gs_buf
	    series; /* each sample as a line with its length: name, labels in order, timestamp if it has one */
	struct gs_buf metric; /* of the last sample: family and labels in order, without le or quantile */
	bool composite; /* it was a part of a histogram or summary */
	bool has_timestamp;
	int64_t timestamp_ms;
	double bound;
	double value;
	bool bucket; /* the run of joined samples has one, of that bound and value */
	size_t samples;
	enum gs_status status;
	struct gs_error err;
};

static void put(struct gs_buf *out, struct gs_str s) {
	gs_buf_printf(out, "%zu:", s.n);
	gs_buf_str(out, s);
}

static bool is_composite(const struct gs_expo_event *e) {
	return e->part != GS_PART_VALUE && e->type != GS_TYPE_COUNTER;
}

/* The labels but that one, in the order of their names. */
static void put_sorted(struct gs_buf *out, const struct gs_expo_event *e, struct gs_str except) {
	struct gs_label sorted[GS_LIMIT_LABELS];
	size_t n = 0;
	for (size_t i = 0; i < e->nlabels; i++) {
		if (gs_str_eq(e->labels[i].name, except))
			continue;
		size_t at = n++;
		for (; at > 0 && gs_str_cmp(sorted[at - 1].name, e->labels[i].name) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = e->labels[i];
	}
	for (size_t i = 0; i < n; i++) {
		put(out, sorted[i].name);
		put(out, sorted[i].value);
	}
}

static void check_joined(struct record *r, const struct gs_expo_event *e, bool strict) {
	bool composite = is_composite(e);
	struct gs_buf metric;
	gs_buf_init(&metric, 64 << 20);
	put(&metric, e->family);
	put_sorted(&metric, e, e->type == GS_TYPE_SUMMARY ? GS_STR("quantile") : GS_STR("le"));
	bool same = composite && r->composite && gs_str_eq(gs_buf_slice(&metric), gs_buf_slice(&r->metric));
	bool same_time =
	    r->has_timestamp == e->has_timestamp && (!e->has_timestamp || r->timestamp_ms == e->timestamp_ms);
	must(!e->joined || (same && same_time));
	/* Two timestamps of OpenMetrics may differ by less than a millisecond. */
	if (!strict || !e->has_timestamp)
		must(e->joined == (same && same_time));
	if (!e->joined)
		r->bucket = false;
	if (e->part == GS_PART_BUCKET) {
		must(!strict || !r->bucket || (e->bound > r->bound && e->value >= r->value));
		r->bucket = true;
		r->bound = e->bound;
		r->value = e->value;
	}
	gs_buf_free(&r->metric);
	r->metric = metric;
	r->composite = composite;
	r->has_timestamp = e->has_timestamp;
	r->timestamp_ms = e->timestamp_ms;
}

static void check_sample(struct record *r, const struct gs_expo_event *e, bool strict) {
	must(e->family.n <= e->name.n && memcmp(e->family.p, e->name.p, e->family.n) == 0);
	must(strict || e->part == GS_PART_VALUE || e->type != GS_TYPE_COUNTER);
	must(!e->joined || is_composite(e));
	if (e->part == GS_PART_BUCKET || e->part == GS_PART_QUANTILE)
		must(e->bound == e->bound);
	check_joined(r, e, strict);
	if (r->samples++ >= 100 || (strict && e->has_timestamp))
		return;
	struct gs_buf line;
	gs_buf_init(&line, 64 << 20);
	put(&line, e->name);
	put_sorted(&line, e, GS_STR(""));
	put(&r->series, gs_buf_slice(&line));
	gs_buf_free(&line);
}

/* No two lines of the series are equal. */
static void check_series(struct gs_str rest) {
	struct gs_str lines[100], number, tail;
	size_t n = 0;
	while (gs_str_cut(rest, ':', &number, &tail)) {
		size_t length = 0;
		for (size_t i = 0; i < number.n; i++)
			length = length * 10 + (size_t)(number.p[i] - '0');
		lines[n] = gs_str_make(tail.p, length);
		for (size_t i = 0; i < n; i++)
			must(!gs_str_eq(lines[i], lines[n]));
		n++;
		rest = gs_str_make(tail.p + length, tail.n - length);
	}
}

static void put_event(struct record *r, const struct gs_expo_event *e, bool strict) {
	gs_buf_printf(&r->events, "%u %d %d %d %d %.17g ", e->line, e->kind, e->type, e->part, e->joined,
	    e->part == GS_PART_BUCKET || e->part == GS_PART_QUANTILE ? e->bound : 0);
	put(&r->events, e->name);
	put(&r->events, e->family);
	if (e->kind == GS_EXPO_SAMPLE)
		check_sample(r, e, strict);
	else if (strict) /* begins a family, even one of the same name */
		r->composite = r->bucket = false;
}

/* The next window ends where the last one did and a piece further; each in memory of its own. */
static char *feed(struct gs_expo_parser *parser, struct gs_str body, size_t *used, size_t *end, size_t piece) {
	*used += gs_expo_used(parser);
	*end = body.n - *end > piece ? *end + piece : body.n;
	char *window = malloc(*end - *used + 1);
	must(window != NULL);
	memcpy(window, body.p + *used, *end - *used);
	gs_expo_feed(parser, gs_str_make(window, *end - *used), *end == body.n);
	return window;
}

/* Read up to the first error, and then on: what is read there must only not harm. */
static void parse(struct gs_expo_parser *parser, const struct gs_expo_options *options, struct gs_str body,
    size_t piece, struct record *r) {
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE};
	bool strict = options->format == GS_FORMAT_OPENMETRICS;
	size_t used = 0, end = 0;
	*r = (struct record){.status = GS_OK};
	gs_buf_init(&r->events, 256 << 20);
	gs_buf_init(&r->series, 64 << 20);
	gs_buf_init(&r->metric, 64 << 20);
	gs_expo_begin(parser, options);
	char *window = feed(parser, body, &used, &end, piece);
	for (bool more = true; more;) {
		struct gs_error err = {0};
		enum gs_status status = gs_expo_next(parser, &event, &err);
		if (status == GS_EAGAIN) {
			must(end < body.n);
			char *next = feed(parser, body, &used, &end, piece);
			free(window);
			window = next;
		} else if (status == GS_OK) {
			if (r->status == GS_OK)
				put_event(r, &event, strict);
			more = event.kind != GS_EXPO_END;
		} else {
			must(status == GS_EINVAL || status == GS_ELIMIT);
			must(err.line >= 1 && err.column >= 1 && err.column <= body.n + 1 && err.text[0] != '\0');
			if (r->status == GS_OK) {
				r->status = status;
				r->err = err;
			}
			more = gs_expo_recover(parser);
		}
	}
	must(r->events.status == GS_OK && r->series.status == GS_OK && r->metric.status == GS_OK);
	free(window);
}

static void record_free(struct record *r) {
	gs_buf_free(&r->events);
	gs_buf_free(&r->series);
	gs_buf_free(&r->metric);
}

static void must_equal(const struct record *a, const struct record *b) {
	must(a->status == b->status && gs_str_eq(gs_buf_slice(&a->events), gs_buf_slice(&b->events)));
	must(a->err.line == b->err.line && a->err.column == b->err.column && strcmp(a->err.text, b->err.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct gs_expo_parser *parser;
	static struct gs_expo_seen *seen;
	if (size == 0)
		return 0;
	if (parser == NULL) {
		parser = gs_expo_parser_new();
		seen = gs_expo_seen_new();
		must(parser != NULL && seen != NULL);
	}
	struct gs_expo_options options = {.format = (data[0] & 1) != 0 ? GS_FORMAT_OPENMETRICS : GS_FORMAT_TEXT};
	struct gs_str body = gs_str_make((const char *)data + 1, size - 1);
	struct record whole, pieces, forgetful;
	parse(parser, &options, body, body.n, &forgetful);
	options.seen = seen;
	parse(parser, &options, body, body.n, &whole);
	parse(parser, &options, body, 1 + (data[0] >> 1), &pieces);
	must_equal(&whole, &pieces);
	/* A memory can only make a difference by finding an error, and not behind where one is found without. */
	if (whole.status == GS_OK)
		must_equal(&whole, &forgetful);
	must(gs_str_starts(gs_buf_slice(&forgetful.events), gs_buf_slice(&whole.events)));
	if (whole.status == GS_OK)
		check_series(gs_buf_slice(&whole.series));
	record_free(&whole);
	record_free(&pieces);
	record_free(&forgetful);
	return 0;
}
