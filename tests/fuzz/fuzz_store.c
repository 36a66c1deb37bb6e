/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No push and no scrape can break the exposition: whatever a sequence of them is, what the store serves parses, holds no series
 * twice and no family in two places, and every invariant holds. A 0xff byte in the input separates the messages; the first byte of each says
 * what it is. As long as nothing was scraped, histograms are cumulative as well, whatever the clearmodes.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/arena.h"
#include "gravel/base/map.h"
#include "gravel/base/num.h"
#include "gravel/gravel/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0 INT64_C(1700000000000)

struct bench {
	struct gs_store *store;
	struct gs_expo_parser *parser;
	struct gs_batch *batch;
	int64_t now;
	bool scraped; /* something was: a target's histogram is served as the target wrote it */
};

/* The clearmode of a whole push, by five bits of its first byte; none where the lower two are 0. */
static const char *const modes[32] = {"", "aggregate", "replace", "family", "", "min", "max", "sum1m", "", "mean1m",
    "min1m", "max1m", "", "count1m", "last1m", "median1m", "", "stddev1m", "p99:1m", "p0:1m", "", "p100:1m", "p99.9:5m",
    "sum:1ms", "", "mean:1y", "median2m", "stddev:50ms", "", "last:150ms", "p1:1m", "max10m"};

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void apply(struct bench *b, uint8_t kind, struct gs_str body) {
	static const struct gs_label labels[] = {
	    {GS_STR_INIT("job"), GS_STR_INIT("j")}, {GS_STR_INIT("instance"), GS_STR_INIT("i")}};
	struct gs_store_result result;
	bool scrape = (kind & 1) != 0;
	struct gs_batch_options options = {
	    .labels = labels,
	    .nlabels = (kind >> 1) % 3,
	    .rule = scrape ? (kind & 8 ? GS_LABELS_HONOR : GS_LABELS_EXPORT) : GS_LABELS_OVERRIDE,
	    .lenient = scrape,
	};
	struct gs_scrape_info info = {
	    .key = {.job = kind & 16 ? GS_STR("a") : GS_STR("b")}, .time_ms = b->now, .interval_ms = 1000};
	struct gs_str mode = gs_str_of(modes[kind >> 3]);
	if (!scrape && mode.n != 0)
		demand(gs_mode_parse(mode, &options.mode, NULL) == GS_OK, "a clearmode must be known");
	b->scraped |= scrape;
	gs_batch_begin(b->batch, &options);
	if (gs_batch_read(b->batch, b->parser, NULL, body, NULL) != GS_OK)
		return;
	enum gs_status status = scrape ? gs_store_scrape(b->store, &info, b->batch, b->now, &result)
				       : gs_store_push(b->store, b->batch, b->now, &result, NULL);
	demand(status == GS_OK || (!scrape && status == GS_ECONFLICT),
	    "a batch that was read must be applied or conflict");
	b->now += 1 + (kind >> 5) * 20000;
}

/* Where in a histogram the reader is. */
struct buckets {
	bool inside; /* a family of that type */
	double at;
	double count;
};

/* A bucket with a higher bound than the one before is of the same histogram, because each ends with +Inf. */
static void read_bucket(struct buckets *last, const struct gs_expo_event *event) {
	double at = 0;
	if (!last->inside || !gs_str_ends(event->name, GS_STR("_bucket")))
		return;
	for (size_t i = 0; i < event->nlabels; i++) {
		if (gs_str_eq(event->labels[i].name, GS_STR("le")))
			demand(gs_num_parse_double(event->labels[i].value, &at) == GS_OK, "a bound that is no number");
	}
	demand(!(at > last->at) || event->value >= last->count, "a histogram that is not cumulative");
	last->at = at;
	last->count = event->value;
}

/* Read what is served: every series once, every name in one run of lines. */
static void read_back(struct bench *b, struct gs_str text) {
	struct gs_expo_event event = {0};
	struct gs_error err = {0};
	struct gs_arena *arena = gs_arena_new(SIZE_MAX / 2);
	struct gs_map *series = gs_map_new(SIZE_MAX), *names = gs_map_new(SIZE_MAX);
	struct gs_str last = {0};
	struct buckets buckets = {.at = INFINITY};
	demand(arena != NULL && series != NULL && names != NULL, "memory");
	gs_expo_begin_text(b->parser, text);
	while (gs_expo_next(b->parser, &event, &err) == GS_OK && event.kind != GS_EXPO_END) {
		if (event.kind == GS_EXPO_TYPE)
			buckets = (struct buckets){.inside = event.type == GS_TYPE_HISTOGRAM, .at = INFINITY};
		if (event.kind != GS_EXPO_SAMPLE)
			continue;
		if (!b->scraped)
			read_bucket(&buckets, &event);
		demand(gs_map_get(series, event.series) == NULL, "a series twice");
		demand(gs_map_put(series, event.series, arena) == GS_OK, "memory");
		if (gs_str_eq(event.name, last))
			continue;
		last = event.name;
		bool part = gs_str_ends(last, GS_STR("_bucket")) || gs_str_ends(last, GS_STR("_sum")) ||
			    gs_str_ends(last, GS_STR("_count"));
		/* The parts of histograms and summaries take turns; of them only the series are compared. */
		demand(part || gs_map_get(names, last) == NULL || gs_map_get(names, last) == names,
		    "a name in two places");
		demand(gs_map_put(names, last, event.nlabels != 0 ? (void *)names : (void *)arena) == GS_OK, "memory");
	}
	demand(event.kind == GS_EXPO_END, err.text);
	gs_map_free(series);
	gs_map_free(names);
	gs_arena_free(arena);
}

static void serve(struct bench *b, struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct gs_str after = {0};
	gs_buf_clear(out);
	while (gs_store_render_next(b->store, &after, b->now, dialect, out))
		continue;
	gs_store_check(b->store);
	read_back(b, gs_buf_slice(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_store_options options = {.max_age_ms = 80000, .expiration_ms = 200000};
	struct bench b = {.now = T0};
	struct gs_buf out;
	size_t stale, expired;
	b.store = gs_store_new(&options);
	b.parser = gs_expo_parser_new();
	b.batch = gs_batch_new();
	gs_buf_init(&out, SIZE_MAX);
	demand(b.store != NULL && b.parser != NULL && b.batch != NULL, "memory");
	struct gs_str rest = gs_str_make((const char *)data, size), message;
	for (bool more = true; more;) {
		more = gs_str_cut(rest, '\xff', &message, &rest);
		if (message.n == 0)
			continue;
		apply(&b, (uint8_t)message.p[0], gs_str_make(message.p + 1, message.n - 1));
		gs_store_expire(b.store, b.now, &stale, &expired);
		gs_store_check(b.store);
		serve(&b, (struct gs_expo_dialect){.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE}, &out);
		serve(&b, (struct gs_expo_dialect){.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES}, &out);
	}
	gs_buf_free(&out);
	gs_batch_free(b.batch);
	gs_expo_parser_free(b.parser);
	gs_store_free(b.store);
	return 0;
}
