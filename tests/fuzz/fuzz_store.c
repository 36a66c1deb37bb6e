/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No push and no scrape can break the exposition: whatever a sequence of them is, what the store serves parses, holds no series
 * twice and no family in two places, and every invariant holds. A 0xff byte in the input separates the messages; the first byte of each says
 * what it is. As long as nothing was scraped, histograms are cumulative as well, whatever the clearmodes. What is served in OpenMetrics breaks none of its
 * rules, and it and the protobuf exposition say what text says: the same series with the same values. A body that ends with "# EOF" is read as OpenMetrics, one
 * behind a 0xfe byte as protobuf.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/arena.h"
#include "gravel/base/hash.h"
#include "gravel/base/map.h"
#include "gravel/base/num.h"
#include "gravel/expo/write.h"
#include "gravel/gravel/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0 INT64_C(1700000000000)

struct bench {
	struct gs_store *store;
	struct gs_expo_parser *parser;
	struct gs_expo_seen *seen;
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

static enum gs_expo_format format_of(struct gs_str *body) {
	if (gs_str_starts(*body, GS_STR("\xfe"))) {
		*body = gs_str_make(body->p + 1, body->n - 1);
		return GS_FORMAT_PROTOBUF;
	}
	return gs_str_ends(*body, GS_STR("# EOF\n")) ? GS_FORMAT_OPENMETRICS : GS_FORMAT_TEXT;
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
	struct gs_expo_options format = {.format = format_of(&body), .utf8_names = true};
	gs_batch_begin(b->batch, &options);
	if (gs_batch_read(b->batch, b->parser, &format, body, NULL) != GS_OK)
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

static void render(struct bench *b, struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct gs_expo_writer writer;
	struct gs_str after = {0};
	gs_buf_clear(out);
	while (gs_store_render_next(b->store, &after, b->now, dialect, out))
		continue;
	gs_expo_writer_init(&writer, out, dialect);
	gs_expo_write_end(&writer);
	demand(out->status == GS_OK, "a rendering without an end");
	gs_store_check(b->store);
}

static void serve(struct bench *b, struct gs_expo_dialect dialect, struct gs_buf *out) {
	render(b, dialect, out);
	read_back(b, gs_buf_slice(out));
}

/* What an exposition says, whatever its order: a sum of hashes. */
struct said {
	uint64_t samples;
	uint64_t sum;
};

static uint64_t mix(uint64_t a, uint64_t b) {
	uint64_t both[2] = {a, b};
	return gs_hash(gs_str_make((const char *)both, sizeof(both)));
}

static uint64_t hash_number(double v) {
	double canonical = isnan(v) ? (double)NAN : v == 0 ? 0 : v;
	return gs_hash(gs_str_make((const char *)&canonical, sizeof(canonical)));
}

/* A bound is a number, however it is written. */
static uint64_t hash_label(const struct gs_label *label) {
	bool bound = gs_str_eq(label->name, GS_STR("le")) || gs_str_eq(label->name, GS_STR("quantile"));
	double v;
	if (bound && gs_num_parse_double(label->value, &v) == GS_OK)
		return mix(gs_hash(label->name), hash_number(v));
	return mix(gs_hash(label->name), gs_hash(label->value));
}

static void say(struct said *said, const struct gs_expo_event *event) {
	uint64_t labels = 0;
	if (event->kind != GS_EXPO_SAMPLE || event->native != NULL)
		return;
	for (size_t i = 0; i < event->nlabels; i++)
		labels += event->labels[i].value.n != 0 ? hash_label(&event->labels[i]) : 0;
	said->samples++;
	said->sum += mix(mix(gs_hash(event->name), labels), hash_number(event->value));
}

static struct said read_all(struct bench *b, struct gs_expo_dialect dialect, struct gs_buf *out) {
	bool strict = dialect.format == GS_FORMAT_OPENMETRICS;
	struct gs_expo_options options = {.format = dialect.format,
	    .utf8_names = dialect.escaping == GS_ESCAPE_NONE,
	    .seen = strict ? b->seen : NULL};
	struct gs_expo_event event = {0};
	struct gs_error err = {0};
	struct said said = {0};
	render(b, dialect, out);
	gs_expo_begin(b->parser, &options);
	gs_expo_feed(b->parser, gs_buf_slice(out), true);
	while (gs_expo_next(b->parser, &event, &err) == GS_OK && event.kind != GS_EXPO_END)
		say(&said, &event);
	if (event.kind != GS_EXPO_END)
		fprintf(stderr, "%u:%u of\n%.*s\n", err.line, err.column, strict ? (int)out->n : 0, out->p);
	demand(event.kind == GS_EXPO_END, err.text);
	return said;
}

/* Every format says the same, in one way of writing names. */
static void compare(struct bench *b, enum gs_escaping escaping, struct gs_buf *out) {
	struct gs_expo_dialect dialect = {.format = GS_FORMAT_TEXT_1, .escaping = escaping};
	struct said text = read_all(b, dialect, out);
	dialect.format = GS_FORMAT_OPENMETRICS;
	struct said strict = read_all(b, dialect, out);
	demand(strict.samples == text.samples, "OpenMetrics has more or less samples than text");
	demand(strict.sum == text.sum, "OpenMetrics has other samples than text");
	dialect.format = GS_FORMAT_PROTOBUF;
	struct said binary = read_all(b, dialect, out);
	demand(binary.samples == text.samples, "protobuf has more or less samples than text");
	demand(binary.sum == text.sum, "protobuf has other samples than text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_store_options options = {.max_age_ms = 80000, .expiration_ms = 200000};
	struct bench b = {.now = T0};
	struct gs_buf out;
	size_t stale, expired;
	b.store = gs_store_new(&options);
	b.parser = gs_expo_parser_new();
	b.seen = gs_expo_seen_new();
	b.batch = gs_batch_new();
	gs_buf_init(&out, SIZE_MAX);
	demand(b.store != NULL && b.parser != NULL && b.seen != NULL && b.batch != NULL, "memory");
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
		compare(&b, GS_ESCAPE_NONE, &out);
		compare(&b, GS_ESCAPE_VALUES, &out);
	}
	gs_buf_free(&out);
	gs_batch_free(b.batch);
	gs_expo_parser_free(b.parser);
	gs_expo_seen_free(b.seen);
	gs_store_free(b.store);
	return 0;
}
