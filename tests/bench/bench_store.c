/* SPDX-License-Identifier: Apache-2.0 */
/* What the store costs: a scrape read into a batch and applied, small pushes on an empty and a full store, and rendering beside memcpy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gravel/gravel/store.h"

#define GROUPS 100 /* scraped targets in the store */

struct work {
	struct gs_store *store;
	struct gs_expo_parser *parser;
	struct gs_batch *batch;
	struct gs_str body;
	struct gs_buf out;
	char *copy;
	size_t group;
	int64_t now;
};

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "bench_store: %s\n", what);
	exit(1);
}

static void read_body(struct work *w, struct gs_str body, bool scrape, struct gs_str instance) {
	struct gs_label labels[] = {{GS_STR("job"), GS_STR("node")}, {GS_STR("instance"), instance}};
	struct gs_batch_options options = {.labels = labels, .nlabels = scrape ? 2 : 0, .lenient = scrape};
	gs_batch_begin(w->batch, &options);
	demand(gs_batch_read(w->batch, w->parser, NULL, body, NULL) == GS_OK, "the body does not parse");
}

static void read_scrape(void *ctx) {
	struct work *w = ctx;
	read_body(w, w->body, true, GS_STR("host"));
	bench_sink += gs_batch_stats(w->batch).points;
}

/* The next of GROUPS targets, so that the store is not in the cache for nothing. */
static void scrape(void *ctx) {
	struct work *w = ctx;
	struct gs_store_result result;
	char name[32];
	w->group = (w->group + 1) % GROUPS;
	snprintf(name, sizeof(name), "host%zu:9100", w->group);
	read_body(w, w->body, true, gs_str_of(name));
	struct gs_scrape_info info = {
	    .key = {.job = GS_STR("node"), .instance = gs_str_of(name)}, .time_ms = ++w->now, .interval_ms = 15000};
	demand(gs_store_scrape(w->store, &info, w->batch, w->now, &result) == GS_OK, "a scrape is refused");
}

static void push(void *ctx) {
	static const char body[] =
	    "# TYPE jobs_total counter\njobs_total{job=\"a\"} 1\n# TYPE last gauge\nlast{job=\"a\"} 5\n"
	    "# TYPE size_bytes summary\nsize_bytes_sum{job=\"a\"} 3\n";
	struct work *w = ctx;
	struct gs_store_result result;
	read_body(w, gs_str_of(body), false, GS_STR(""));
	demand(gs_store_push(w->store, w->batch, ++w->now, &result, NULL) == GS_OK, "a push is refused");
}

static void render(void *ctx) {
	struct work *w = ctx;
	struct gs_expo_dialect dialect = {.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES};
	struct gs_str after = {0};
	gs_buf_clear(&w->out);
	while (gs_store_render_next(w->store, &after, w->now, dialect, &w->out))
		continue;
	bench_sink += w->out.n;
}

static void copy(void *ctx) {
	struct work *w = ctx;
	memcpy(w->copy, w->out.p, w->out.n);
	bench_sink += (unsigned char)w->copy[w->out.n / 2];
}

static void bench_rendering(const struct bench_options *options, struct work *w) {
	render(w);
	w->copy = malloc(w->out.n);
	demand(w->copy != NULL, "out of memory");
	struct bench_time rendered = bench_run(options, render, w);
	double mb = (double)w->out.n / 1e6;
	bench_print_beside("store.render", "MB/s", mb, rendered, "memcpy", bench_run(options, copy, w));
	bench_print("store.render.series", "series/s", (double)gs_store_stats(w->store).series, rendered);
	free(w->copy);
}

int main(int argc, char **argv) {
	struct bench_options options = bench_options_read(argc, argv);
	struct gs_store_options plain = {0};
	struct work w = {.store = gs_store_new(&plain), .parser = gs_expo_parser_new(), .batch = gs_batch_new()};
	size_t n;
	char *body = bench_node_body(&options, &n);
	demand(w.store != NULL && w.parser != NULL && w.batch != NULL, "out of memory");
	gs_buf_init(&w.out, SIZE_MAX);
	w.body = gs_str_make(body, n);

	bench_print("store.push.empty", "pushes/s", 1, bench_run(&options, push, &w));
	read_scrape(&w);
	double samples = (double)gs_batch_stats(w.batch).samples;
	bench_print_cost("store.scrape.read", "ns/sample", 1e9 / samples, bench_run(&options, read_scrape, &w));
	for (int i = 0; i < GROUPS; i++)
		scrape(&w);
	bench_print_cost("store.scrape.read_and_apply", "ns/sample", 1e9 / samples, bench_run(&options, scrape, &w));
	bench_print("store.push.full", "pushes/s", 1, bench_run(&options, push, &w));
	bench_rendering(&options, &w);
	struct gs_store_stats stats = gs_store_stats(w.store);
	printf("{\"name\": \"store.memory\", \"value\": %.1f, \"unit\": \"bytes/series\", \"min\": %.1f, \"max\": "
	       "%.1f, \"runs\": 1}\n",
	    (double)stats.bytes / (double)stats.series, (double)stats.bytes / (double)stats.series,
	    (double)stats.bytes / (double)stats.series);

	gs_buf_free(&w.out);
	gs_batch_free(w.batch);
	gs_expo_parser_free(w.parser);
	gs_store_free(w.store);
	free(body);
	return 0;
}
