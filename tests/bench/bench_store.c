/* SPDX-License-Identifier: Apache-2.0 */
/* What the store costs: scrapes and pushes applied, deletions and coming and going, rendering beside memcpy, memory, and saving and loading. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "gravel/base/clock.h"
#include "gravel/gravel/snapshot.h"
#include "gravel/gravel/store.h"
#include "model.h"

#define GROUPS 100 /* scraped targets in the store */
#define PUSHED_GROUPS 10000 /* of the full store */
#define PUSHED_LINES 109 /* of each; 1.09 million in all */
#define FAMILY_LINES 14
#define DELETES 100 /* in a run */
#define RUNS_MAX 101
#define HISTOGRAMS 8 /* of FAMILY_LINES in a group that has nothing else */
#define INSTANCE_MAX 48
#define PIECE ((size_t)64 * 1024) /* of what is loaded */

struct work {
	struct gs_store *store;
	struct gs_expo_parser *parser;
	struct gs_batch *batch;
	struct gs_str body;
	struct gs_buf out;
	char *copy;
	size_t group;
	int64_t now;
	struct gs_batch *batches[GROUPS];
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

/* The full store: groups that push the same application under another instance. */

struct full {
	struct work w;
	struct gs_buf body;
	struct gs_str three; /* three lines that each group has */
	struct gs_str job;
	const char *domain; /* of its instances */
	size_t groups;
	size_t next; /* group */
	size_t bytes; /* of the last rendering */
};

static double rss(void) {
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	demand(f != NULL && fscanf(f, "%*u %lu", &pages) == 1, "/proc/self/statm");
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void group_labels(const struct full *f, struct gs_label labels[2], char name[INSTANCE_MAX], size_t group) {
	snprintf(name, INSTANCE_MAX, "i%06zu%s", group % 1000000, f->domain);
	labels[0] = (struct gs_label){GS_STR("job"), f->job};
	labels[1] = (struct gs_label){GS_STR("instance"), gs_str_of(name)};
}

static void push_group(struct full *f, struct gs_str body, size_t group) {
	struct gs_label labels[2];
	char name[INSTANCE_MAX];
	struct gs_store_result result;
	struct gs_batch_options options = {.labels = labels, .nlabels = 2};
	group_labels(f, labels, name, group);
	gs_batch_begin(f->w.batch, &options);
	demand(gs_batch_read(f->w.batch, f->w.parser, NULL, body, NULL) == GS_OK, "the group does not parse");
	demand(gs_store_push(f->w.store, f->w.batch, ++f->w.now, &result, NULL) == GS_OK, "a push is refused");
}

static void delete_group(struct full *f, size_t group) {
	struct gs_label labels[2];
	char name[INSTANCE_MAX];
	struct gs_store_result result = {0};
	group_labels(f, labels, name, group);
	demand(
	    gs_store_delete(f->w.store, labels, 2, &result) == GS_OK && result.series_gone != 0, "nothing to delete");
}

static void push_spread(void *ctx) {
	struct full *f = ctx;
	f->next = (f->next + 7919) % f->groups;
	push_group(f, f->three, f->next);
}

/* Through one buffer, so that memory for the whole is not what is measured. */
static void render_full(void *ctx) {
	struct full *f = ctx;
	struct gs_expo_dialect dialect = {.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES};
	struct gs_str after = {0};
	f->bytes = 0;
	do {
		f->bytes += f->w.out.n;
		gs_buf_clear(&f->w.out);
	} while (gs_store_render_next(f->w.store, &after, f->w.now, dialect, &f->w.out));
	bench_sink += f->bytes;
}

/* The oldest group leaves and one that was never there comes. */
static void churn(void *ctx) {
	struct full *f = ctx;
	delete_group(f, f->next);
	push_group(f, gs_buf_slice(&f->body), f->next + f->groups);
	f->next++;
}

static int by_size(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static struct bench_time time_of(double *seconds, int n) {
	qsort(seconds, (size_t)n, sizeof(*seconds), by_size);
	return (struct bench_time){.median = seconds[n / 2], .min = seconds[0], .max = seconds[n - 1], .runs = n};
}

/* Only the deletions are timed, not what brings the groups back. */
static void bench_delete(const struct bench_options *options, struct full *f) {
	double seconds[RUNS_MAX];
	for (int run = 0; run < options->runs; run++) {
		size_t n = f->groups < DELETES ? f->groups : DELETES;
		int64_t start = gs_clock_mono_ns();
		for (size_t i = 0; i < n; i++)
			delete_group(f, i * (f->groups / n));
		seconds[run] = (double)(gs_clock_mono_ns() - start) / 1e9 / (double)n;
		for (size_t i = 0; i < n; i++)
			push_group(f, gs_buf_slice(&f->body), i * (f->groups / n));
	}
	bench_print_cost("store.full.delete", "us/group", 1e6, time_of(seconds, options->runs));
}

/* Of the first family of counters: its head and three lines. */
static struct gs_str three_lines(struct gs_str body) {
	const char *type = memmem(body.p, body.n, " counter\n", 9);
	demand(type != NULL, "the group has no counter");
	const char *head = memrchr(body.p, '\n', (size_t)(type - body.p));
	const char *end = type + 9;
	for (int i = 0; i < 3; i++)
		end = (const char *)memchr(end, '\n', (size_t)(body.p + body.n - end)) + 1;
	return gs_str_make(head + 1, (size_t)(end - head - 1));
}

/* Its groups have families of ${family} lines. */
static void full_open(const struct bench_options *options, struct full *f, size_t family) {
	struct gs_store_options plain = {0};
	struct bench_model *model = bench_model_new(PUSHED_LINES, family);
	*f = (struct full){.groups = options->smoke ? 20 : PUSHED_GROUPS, .job = GS_STR("bench"), .domain = ""};
	f->w = (struct work){
	    .store = gs_store_new(&plain), .parser = gs_expo_parser_new(), .batch = gs_batch_new(), .now = 1};
	demand(model != NULL && f->w.store != NULL && f->w.parser != NULL && f->w.batch != NULL, "out of memory");
	gs_buf_init(&f->w.out, SIZE_MAX);
	gs_buf_init(&f->body, SIZE_MAX);
	bench_model_render(model, BENCH_MODEL_TEXT, &f->body);
	demand(f->body.status == GS_OK, "out of memory");
	bench_model_free(model);
}

static void full_close(struct full *f) {
	gs_buf_free(&f->w.out);
	gs_buf_free(&f->body);
	gs_batch_free(f->w.batch);
	gs_expo_parser_free(f->w.parser);
	gs_store_free(f->w.store);
}

static void bench_memory(const char *name, double bytes, double lines) {
	bench_print_cost(
	    name, "bytes/line", bytes / lines, (struct bench_time){.median = 1, .min = 1, .max = 1, .runs = 1});
}

static void bench_full(const struct bench_options *options) {
	struct full f;
	full_open(options, &f, FAMILY_LINES);
	f.three = three_lines(gs_buf_slice(&f.body));
	double lines = (double)(f.groups * PUSHED_LINES);
	push_group(&f, gs_buf_slice(&f.body), 0);
	double before = rss();
	double start = (double)gs_clock_mono_ns();
	for (size_t i = 1; i < f.groups; i++)
		push_group(&f, gs_buf_slice(&f.body), i);
	double seconds = ((double)gs_clock_mono_ns() - start) / 1e9;
	bench_print("store.full.fill", "lines/s", lines, time_of(&seconds, 1));
	bench_memory("store.full.memory", (double)gs_store_stats(f.w.store).bytes, lines);
	bench_memory("store.full.memory.rss", rss() - before, lines);
	bench_print("store.full.push", "pushes/s", 1, bench_run(options, push, &f.w));
	bench_print("store.full.push.spread", "pushes/s", 1, bench_run(options, push_spread, &f));
	bench_delete(options, &f);
	struct bench_time rendered = bench_run(options, render_full, &f);
	bench_print("store.full.render", "MB/s", (double)f.bytes / 1e6, rendered);
	bench_print_cost("store.full.render.time", "ms", 1e3, rendered);
	f.next = 0;
	bench_print("store.full.churn", "lines/s", PUSHED_LINES, bench_run(options, churn, &f));
	bench_memory("store.full.churn.memory", (double)gs_store_stats(f.w.store).bytes, lines);
	full_close(&f);
}

/* What docs/STORE.md says of memory and of snapshots. */

static enum gs_status keep(void *ctx, struct gs_str bytes) {
	struct gs_buf *saved = ctx;
	gs_buf_str(saved, bytes);
	return saved->status;
}

static void save(void *ctx) {
	struct full *f = ctx;
	gs_buf_clear(&f->w.out);
	demand(gs_store_save(f->w.store, keep, &f->w.out) == GS_OK, "cannot save");
	bench_sink += f->w.out.n;
}

static enum gs_status give(void *ctx, struct gs_str *ret_bytes) {
	struct gs_str *rest = ctx;
	size_t n = rest->n < PIECE ? rest->n : PIECE;
	*ret_bytes = gs_str_make(rest->p, n);
	*rest = gs_str_make(rest->p + n, rest->n - n);
	return GS_OK;
}

/* Into a new store each time; making and freeing it is not timed. */
static void bench_load(const struct bench_options *options, const struct full *f, double lines) {
	double seconds[RUNS_MAX];
	struct gs_store_options plain = {0};
	for (int run = 0; run < options->runs; run++) {
		struct gs_str rest = gs_buf_slice(&f->w.out);
		struct gs_store *store = gs_store_new(&plain);
		demand(store != NULL, "out of memory");
		int64_t start = gs_clock_mono_ns();
		demand(gs_store_load(store, give, &rest, NULL) == GS_OK, "cannot load what was saved");
		seconds[run] = (double)(gs_clock_mono_ns() - start) / 1e9;
		demand(gs_store_stats(store).series == gs_store_stats(f->w.store).series, "series were lost");
		gs_store_free(store);
	}
	bench_print_cost("store.snapshot.load", "ns/line", 1e9 / lines, time_of(seconds, options->runs));
}

/* Groups with ${lines} of ${body} each; the batch and the parser are part of what comes with them. */
static double bench_filled(struct full *f, struct gs_str body, size_t lines, const char *name) {
	double before = rss(), all = (double)(f->groups * lines);
	char counted[64];
	f->job = GS_STR("batch-processing");
	f->domain = ".dc1.eu.example.com:9100";
	for (size_t i = 0; i < f->groups; i++)
		push_group(f, body, i);
	bench_memory(name, rss() - before, all);
	snprintf(counted, sizeof(counted), "%s.counted", name);
	bench_memory(counted, (double)gs_store_stats(f->w.store).bytes, all);
	return all;
}

static void bench_gauges(const struct bench_options *options) {
	struct full f;
	full_open(options, &f, 1);
	double lines = bench_filled(&f, gs_buf_slice(&f.body), PUSHED_LINES, "store.memory.gauges");
	struct bench_time saved = bench_run(options, save, &f);
	bench_print_cost("store.snapshot.save", "ns/line", 1e9 / lines, saved);
	bench_memory("store.snapshot.bytes", (double)f.w.out.n, lines);
	bench_load(options, &f, lines);
	full_close(&f);
}

static void bench_histograms(const struct bench_options *options) {
	struct full f;
	struct gs_buf body;
	full_open(options, &f, 1);
	gs_buf_init(&body, SIZE_MAX);
	for (size_t i = 0; i < HISTOGRAMS; i++) {
		gs_buf_printf(&body, "# TYPE took_%zu_seconds histogram\n", i);
		for (int bucket = 1; bucket <= FAMILY_LINES - 3; bucket++)
			gs_buf_printf(&body, "took_%zu_seconds_bucket{le=\"%d\"} %d\n", i, bucket, bucket * 3);
		gs_buf_printf(&body, "took_%zu_seconds_bucket{le=\"+Inf\"} 50\ntook_%zu_seconds_sum 99.5\n", i, i);
		gs_buf_printf(&body, "took_%zu_seconds_count 50\n", i);
	}
	demand(body.status == GS_OK, "out of memory");
	bench_filled(&f, gs_buf_slice(&body), HISTOGRAMS * FAMILY_LINES, "store.memory.histograms");
	gs_buf_free(&body);
	full_close(&f);
}

/* In a process of its own: what this one has freed would be used again, and not show in its RSS. */
static void apart(const struct bench_options *options, void (*fn)(const struct bench_options *options)) {
	int code = 0;
	pid_t child = fork();
	demand(child >= 0, "cannot fork");
	if (child == 0) {
		fn(options);
		exit(0);
	}
	demand(waitpid(child, &code, 0) == child && WIFEXITED(code) && WEXITSTATUS(code) == 0, "a child failed");
}

/* Scrapes that bring what is there already: each target has its batch, read once. */
static void apply_batch(void *ctx) {
	struct work *w = ctx;
	struct gs_store_result result;
	char name[32];
	w->group = (w->group + 1) % GROUPS;
	snprintf(name, sizeof(name), "host%zu:9100", w->group);
	struct gs_scrape_info info = {
	    .key = {.job = GS_STR("node"), .instance = gs_str_of(name)}, .time_ms = ++w->now, .interval_ms = 15000};
	demand(gs_store_scrape(w->store, &info, w->batches[w->group], w->now, &result) == GS_OK, "a scrape is refused");
}

static void bench_unchanged(const struct bench_options *options, struct work *w, double samples) {
	struct gs_batch *own = w->batch;
	char names[GROUPS][32]; /* the batches point there */
	for (size_t i = 0; i < GROUPS; i++) {
		snprintf(names[i], sizeof(names[i]), "host%zu:9100", i);
		w->batch = w->batches[i] = gs_batch_new();
		demand(w->batch != NULL, "out of memory");
		read_body(w, w->body, true, gs_str_of(names[i]));
	}
	w->batch = own;
	bench_print_cost(
	    "store.scrape.apply_unchanged", "ns/sample", 1e9 / samples, bench_run(options, apply_batch, w));
	for (size_t i = 0; i < GROUPS; i++)
		gs_batch_free(w->batches[i]);
}

int main(int argc, char **argv) {
	struct bench_options options = bench_options_read(argc, argv);
	apart(&options, bench_gauges);
	apart(&options, bench_histograms);
	apart(&options, bench_full);
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
	bench_unchanged(&options, &w, samples);
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
