/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast an exposition is parsed, and compared to the scrape before, beside what the memory of the machine allows at all: memcpy, a scan for
 * newlines, and memcmp against the body before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "body.h"
#include "gravel/expo/repeat.h"
#include "model.h"

#define SERIES 100000
#define SERIES_SMOKE 1000
#define INTERVAL_MS 15000 /* between two scrapes of a node_exporter */
#define NODE_MOVING 0.3 /* of its samples */

struct work {
	struct gs_str body;
	struct gs_expo_options options;
	struct gs_expo_parser *parser;
	char *copy;
	size_t samples;
	/* Of two scrapes, compared there and back again. */
	struct gs_repeat *repeat;
	struct gs_layout *layout;
	struct gs_str scrapes[2];
	size_t turn;
	size_t changes;
};

static void *need(void *p) {
	if (p == NULL) {
		fputs("bench_expo: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static void need_ok(enum gs_status status, const struct gs_error *err) {
	if (status != GS_OK) {
		fprintf(stderr, "bench_expo: the body does not parse: line %u, column %u: %s\n", err->line, err->column,
		    err->text);
		exit(1);
	}
}

static void parse(void *ctx) {
	struct work *w = ctx;
	struct gs_expo_event event;
	struct gs_error err;
	size_t samples = 0;

	gs_expo_begin(w->parser, &w->options);
	gs_expo_feed(w->parser, w->body, true);
	do {
		need_ok(gs_expo_next(w->parser, &event, &err), &err);
		samples += event.kind == GS_EXPO_SAMPLE;
	} while (event.kind != GS_EXPO_END);
	w->samples = samples;
}

static void compare(void *ctx) {
	struct work *w = ctx;
	struct gs_change change;
	struct gs_error err;
	size_t changes = 0;

	gs_repeat_begin(w->repeat, w->layout, w->scrapes[w->turn], w->scrapes[!w->turn], &w->options);
	w->turn = !w->turn;
	while (true) {
		need_ok(gs_repeat_next(w->repeat, &change, &err), &err);
		if (change.kind == GS_CHANGE_END) {
			break;
		}
		changes++;
		bench_sink += change.index;
	}
	w->changes = changes;
}

static void copy(void *ctx) {
	struct work *w = ctx;

	memcpy(w->copy, w->body.p, w->body.n);
	bench_sink += (unsigned char)w->copy[w->body.n / 2];
}

static void scan(void *ctx) {
	struct work *w = ctx;
	const char *p = w->body.p;
	const char *end = p + w->body.n;
	uint64_t lines = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		lines++;
		p++;
	}
	bench_sink += lines;
}

/* The copy is that of the body: all of it is compared. */
static void compare_memory(void *ctx) {
	struct work *w = ctx;

	bench_sink += (uint64_t)memcmp(w->copy, w->body.p, w->body.n) + 1;
}

/* What the memory allows, for a body. */
struct limits {
	struct bench_time copied;
	struct bench_time scanned;
	struct bench_time compared;
};

static const char *named(const char *body, const char *what) {
	static char line[96];

	snprintf(line, sizeof(line), "expo.%s.%s", body, what);
	return line;
}

static struct work work_of(struct gs_str body) {
	return (struct work){.body = body,
	    .options = {.format = GS_FORMAT_TEXT},
	    .parser = need(gs_expo_parser_new()),
	    .copy = need(malloc(body.n))};
}

static void work_free(struct work *w) {
	gs_expo_parser_free(w->parser);
	free(w->copy);
}

static struct limits measure_limits(const struct bench_options *options, const char *name, struct gs_str body) {
	struct work w = work_of(body);
	struct limits limits;
	double mb = (double)body.n / 1e6;

	limits.copied = bench_run(options, copy, &w);
	limits.scanned = bench_run(options, scan, &w);
	limits.compared = bench_run(options, compare_memory, &w);
	bench_print(named(name, "memcpy"), "MB/s", mb, limits.copied);
	bench_print_beside(named(name, "newline_scan"), "MB/s", mb, limits.scanned, "memcpy", limits.copied);
	bench_print_beside(named(name, "memcmp"), "MB/s", mb, limits.compared, "memcpy", limits.copied);
	work_free(&w);
	return limits;
}

/* Returns what the parse took. */
static struct bench_time measure_text(
    const struct bench_options *options, const char *name, struct gs_str body, const struct limits *limits) {
	struct work w = work_of(body);
	struct bench_time parsed = bench_run(options, parse, &w);

	bench_print_beside(named(name, "parse"), "MB/s", (double)body.n / 1e6, parsed, "memcpy", limits->copied);
	bench_print(named(name, "samples"), "samples/s", (double)w.samples, parsed);
	work_free(&w);
	return parsed;
}

/* The same samples as in ${text}, which took as long: the ratio is of samples a second. */
static void measure_openmetrics(
    const struct bench_options *options, const char *name, struct gs_str body, struct bench_time text) {
	struct work w = work_of(body);

	w.options.format = GS_FORMAT_OPENMETRICS;
	struct bench_time parsed = bench_run(options, parse, &w);
	bench_print_beside(named(name, "openmetrics"), "samples/s", (double)w.samples, parsed, "text", text);
	bench_print(named(name, "openmetrics.bytes"), "MB/s", (double)body.n / 1e6, parsed);
	work_free(&w);
}

/* The samples of ${next} for each time that it is compared to ${previous}, or the other way round. */
static void measure_repeat(const struct bench_options *options, const char *name, enum gs_expo_format format,
    struct gs_str previous, struct gs_str next, const struct limits *limits) {
	struct work w = {
	    .options = {.format = format}, .repeat = need(gs_repeat_new()), .layout = need(gs_layout_new())};

	w.scrapes[1] = previous;
	compare(&w); /* makes the layout */
	w.scrapes[0] = next;
	struct bench_time compared = bench_run(options, compare, &w);
	bench_print_beside(
	    name, "samples/s", (double)gs_layout_samples(w.layout), compared, "memcmp", limits->compared);
	fprintf(stderr, "%s: %zu changes in %zu samples, layout of %zu bytes\n", name, w.changes,
	    gs_layout_samples(w.layout), gs_layout_memory(w.layout));
	gs_repeat_free(w.repeat);
	gs_layout_free(w.layout);
}

/* A live body: the same values that the pipeline's targets move, one interval apart. */
static void measure_node_repeat(const struct bench_options *options, const struct limits *limits) {
	const char *err;
	struct bench_body *body = bench_body_load(options->body, NODE_MOVING, &err);
	struct gs_str scrapes[2];

	if (body == NULL) {
		fprintf(stderr, "bench_expo: %s %s\n", options->body, err);
		exit(1);
	}
	for (int i = 0; i < 2; i++) {
		char *p = need(malloc(bench_body_max(body)));

		scrapes[i] = gs_str_make(p, bench_body_render(body, 1, 1000000 + i * INTERVAL_MS, p));
	}
	measure_repeat(options, "expo.node.repeat.0", GS_FORMAT_TEXT, scrapes[0], scrapes[0], limits);
	measure_repeat(options, "expo.node.repeat.30", GS_FORMAT_TEXT, scrapes[0], scrapes[1], limits);
	for (int i = 0; i < 2; i++) {
		free((void *)(uintptr_t)scrapes[i].p);
	}
	bench_body_free(body);
}

static void measure_node(const struct bench_options *options) {
	size_t n;
	char *p = bench_node_body(options, &n);
	struct gs_str body = gs_str_make(p, n);
	struct limits limits = measure_limits(options, "node", body);

	measure_text(options, "node", body, &limits);
	if (options->body != NULL) {
		measure_node_repeat(options, &limits);
	}
	free(p);
}

/* The scrape that follows the first one of a fresh model. */
static void render(size_t series, enum bench_model_format format, const struct bench_step *step, struct gs_buf *out) {
	struct bench_model *model = need(bench_model_new(series, 0));

	gs_buf_init(out, (size_t)1 << 30);
	if (step != NULL) {
		bench_model_step(model, *step);
	}
	bench_model_render(model, format, out);
	need(out->p);
	bench_model_free(model);
}

static void measure_steps(const struct bench_options *options, const char *name, size_t series,
    enum bench_model_format format, const struct limits *limits) {
	static const struct {
		const char *name;
		struct bench_step step;
	} cases[] = {{"0", {0, 0}}, {"10", {0.1, 0}}, {"50", {0.5, 0}}, {"100", {1, 0}}, {"10_churn_1", {0.1, 0.01}}};
	enum gs_expo_format as = format == BENCH_MODEL_TEXT ? GS_FORMAT_TEXT : GS_FORMAT_OPENMETRICS;
	struct gs_buf previous, next;

	render(series, format, NULL, &previous);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char what[64];

		snprintf(what, sizeof(what), "repeat%s.%s", as == GS_FORMAT_TEXT ? "" : "_openmetrics", cases[i].name);
		render(series, format, &cases[i].step, &next);
		measure_repeat(options, named(name, what), as, gs_buf_slice(&previous), gs_buf_slice(&next), limits);
		gs_buf_free(&next);
	}
	gs_buf_free(&previous);
}

static void measure_series(const struct bench_options *options, const char *name, size_t series) {
	struct gs_buf text, openmetrics;
	struct limits limits;
	struct bench_time parsed;

	render(series, BENCH_MODEL_TEXT, NULL, &text);
	render(series, BENCH_MODEL_OPENMETRICS, NULL, &openmetrics);
	limits = measure_limits(options, name, gs_buf_slice(&text));
	parsed = measure_text(options, name, gs_buf_slice(&text), &limits);
	measure_openmetrics(options, name, gs_buf_slice(&openmetrics), parsed);
	gs_buf_free(&text);
	gs_buf_free(&openmetrics);
	measure_steps(options, name, series, BENCH_MODEL_TEXT, &limits);
	measure_steps(options, name, series, BENCH_MODEL_OPENMETRICS, &limits);
}

int main(int argc, char **argv) {
	struct bench_options options = bench_options_read(argc, argv);

	measure_node(&options);
	measure_series(&options, options.smoke ? "series_1k" : "series_100k", options.smoke ? SERIES_SMOKE : SERIES);
	return 0;
}
