/* SPDX-License-Identifier: Apache-2.0 */
/* What aggregation at the edge costs a sample: names that no rule matches, gauges, counters, histograms, and writing the results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "gravel/rollup/rollup.h"

#define TARGETS 1000 /* so that the inputs do not stay in the cache */
#define SERIES 120 /* of each of them and of each kind */
#define RUNS_MAX 101
#define LABELS 4 /* of a sample, besides __name__, instance and job */

struct one {
	struct gs_expo_event event;
	struct gs_label labels[LABELS];
	char le[32];
	char path[32];
};

struct work {
	struct gs_rollup *rollup;
	struct gs_labels *labels;
	struct one *series;
	size_t n;
	size_t targets;
	char (*instances)[64];
	double value;
	bool bare; /* only the labels, without the rollup */
	struct gs_buf out;
};

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "bench_rollup: %s\n", what);
	exit(1);
}

static void make_one(struct one *one, size_t i, const char *name, enum gs_expo_type type, enum gs_expo_part part) {
	snprintf(one->path, sizeof(one->path), "/api/v1/orders/%zu", i / 12);
	snprintf(one->le, sizeof(one->le), "%g", 0.001 * (double)(1U << i % 12));
	one->labels[0] = (struct gs_label){GS_STR("code"), GS_STR("200")};
	one->labels[1] = (struct gs_label){GS_STR("method"), GS_STR("GET")};
	one->labels[2] = (struct gs_label){GS_STR("path"), gs_str_of(one->path)};
	one->labels[3] = (struct gs_label){GS_STR("le"), gs_str_of(one->le)};
	one->event = (struct gs_expo_event){.kind = GS_EXPO_SAMPLE,
	    .type = type,
	    .part = part,
	    .name = gs_str_of(name),
	    .nlabels = LABELS,
	    .labels = one->labels};
}

/* Each sample has its labels put into the set, as what stands before a rollup does it; the bench without a rollup does no more. */
static void sample(struct work *w, struct one *one, struct gs_str instance) {
	bool drop = false;
	enum gs_status status = GS_OK;
	gs_labels_clear(w->labels);
	status |= gs_labels_put(w->labels, GS_STR("__name__"), one->event.name);
	status |= gs_labels_put(w->labels, GS_STR("code"), one->labels[0].value);
	status |= gs_labels_put(w->labels, GS_STR("instance"), instance);
	status |= gs_labels_put(w->labels, GS_STR("job"), GS_STR("api"));
	status |= gs_labels_put(w->labels, GS_STR("le"), one->labels[3].value);
	status |= gs_labels_put(w->labels, GS_STR("method"), one->labels[1].value);
	status |= gs_labels_put(w->labels, GS_STR("path"), one->labels[2].value);
	one->event.value = w->value;
	if (!w->bare)
		status |= gs_rollup_sample(w->rollup, &one->event, w->labels, &drop);
	demand(status == GS_OK, "a sample is refused");
	bench_sink += drop;
}

/* A scrape of every target. */
static void scrape(void *ctx) {
	struct work *w = ctx;
	w->value++;
	for (size_t t = 0; t < w->targets; t++) {
		struct gs_str instance = gs_str_of(w->instances[t]);
		if (!w->bare)
			gs_rollup_begin(w->rollup, t);
		for (size_t i = 0; i < w->n; i++)
			sample(w, &w->series[i], instance);
		if (!w->bare)
			gs_rollup_end(w->rollup, true);
	}
}

static void write_results(void *ctx) {
	struct work *w = ctx;
	gs_buf_clear(&w->out);
	demand(gs_rollup_write(w->rollup, &w->out) == GS_OK, "out of memory");
	bench_sink += w->out.n;
}

static double cpu_now(void) {
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_of(struct work *w, bool bare, int times) {
	double start = cpu_now();
	w->bare = bare;
	for (int i = 0; i < times; i++)
		scrape(w);
	return (cpu_now() - start) / times;
}

static int by_size(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* CPU that the rollup adds to a sample, beside what its labels cost: measured in turn, for the difference of two figures of a busy machine says little. */
static void bench_kind(const struct bench_options *options, struct work *w, const char *kind) {
	char name[64];
	double costs[RUNS_MAX];
	double samples = (double)(w->n * w->targets);
	int runs = options->runs < RUNS_MAX ? options->runs : RUNS_MAX, times = options->smoke ? 1 : 10;
	cpu_of(w, false, 1);
	for (int i = 0; i < runs; i++) {
		double bare = cpu_of(w, true, times), all = cpu_of(w, false, times);
		costs[i] = all > bare ? all - bare : 0;
	}
	qsort(costs, (size_t)runs, sizeof(*costs), by_size);
	struct bench_time time = {.median = costs[runs / 2], .min = costs[0], .max = costs[runs - 1], .runs = runs};
	snprintf(name, sizeof(name), "rollup.%s", kind);
	bench_print_cost(name, "ns/sample", 1e9 / samples, time);
}

int main(int argc, char **argv) {
	static const struct {
		const char *kind;
		const char *name;
		enum gs_expo_type type;
		enum gs_expo_part part;
		const char *other; /* of every second sample; NULL: the same */
	} kinds[] = {
	    {"unmatched", "process_cpu_seconds_total", GS_TYPE_COUNTER, GS_PART_VALUE, NULL},
	    {"unmatched.changing", "process_cpu_seconds_total", GS_TYPE_COUNTER, GS_PART_VALUE,
		"process_wait_seconds_total"},
	    {"gauge", "http_requests_in_flight", GS_TYPE_GAUGE, GS_PART_VALUE, NULL},
	    {"counter", "http_requests_total", GS_TYPE_COUNTER, GS_PART_VALUE, NULL},
	    {"histogram", "http_request_duration_seconds_bucket", GS_TYPE_HISTOGRAM, GS_PART_BUCKET, NULL},
	};
	static const char *const by[] = {"code", "method"};
	const struct gs_rollup_rule rules[] = {
	    {.op = GS_ROLLUP_AVG, .of = "http_requests_in_flight", .as = "a", .labels = by, .nlabels = 2, .drop = true},
	    {.op = GS_ROLLUP_SUM,
		.of = "http_requests_(total|failed)",
		.as = "b",
		.labels = by,
		.nlabels = 2,
		.drop = true},
	    {.op = GS_ROLLUP_SUM,
		.of = "http_request_duration_seconds",
		.as = "c",
		.labels = by,
		.nlabels = 2,
		.drop = true},
	};
	struct bench_options options = bench_options_read(argc, argv);
	struct work w = {.n = SERIES, .targets = options.smoke ? 5 : TARGETS, .labels = gs_labels_new()};
	w.series = calloc(SERIES, sizeof(*w.series));
	w.instances = calloc(w.targets, sizeof(*w.instances));
	demand(w.series != NULL && w.instances != NULL && w.labels != NULL, "out of memory");
	demand(gs_rollup_new(rules, 3, SIZE_MAX, &w.rollup, NULL) == GS_OK, "the rules are refused");
	gs_buf_init(&w.out, SIZE_MAX);
	for (size_t t = 0; t < w.targets; t++)
		snprintf(w.instances[t], sizeof(w.instances[t]), "node-%zu.rack7.example.org:9100", t);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (size_t i = 0; i < SERIES; i++)
			make_one(&w.series[i], i, kinds[k].other != NULL && i % 2 != 0 ? kinds[k].other : kinds[k].name,
			    kinds[k].type, kinds[k].part);
		bench_kind(&options, &w, kinds[k].kind);
		/* The inputs of the last kind leave with the next; of gauges the results are written meanwhile. */
		if (kinds[k].type == GS_TYPE_GAUGE)
			bench_print_cost("rollup.write", "ns/input", 1e9 / (double)(w.n * w.targets),
			    bench_run(&options, write_results, &w));
	}
	gs_buf_free(&w.out);
	gs_rollup_free(w.rollup);
	gs_labels_free(w.labels);
	free(w.instances);
	free(w.series);
	return 0;
}
