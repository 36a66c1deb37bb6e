/* SPDX-License-Identifier: Apache-2.0 */
/* What the settings of a job cost for each sample of a scrape, on top of parsing: the same body, by job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gravel/transform/transform.h"

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "bench_transform: %s\n", what);
	exit(1);
}

struct work {
	struct gs_str body;
	struct gs_expo_parser *parser;
	struct gs_transform *transform; /* NULL: only parse */
	struct gs_buf out;
	uint64_t samples;
	uint64_t kept;
};

static const struct gs_label target[] = {{GS_STR_INIT("dc"), GS_STR_INIT("fra")},
    {GS_STR_INIT("instance"), GS_STR_INIT("web17.example.org:9100")}, {GS_STR_INIT("job"), GS_STR_INIT("node")}};

static void parse(void *ctx) {
	struct work *w = ctx;
	struct gs_expo_event event;
	gs_expo_begin_text(w->parser, w->body);
	w->samples = 0;
	do {
		demand(gs_expo_next(w->parser, &event, NULL) == GS_OK, "the body does not parse");
		w->samples += event.kind == GS_EXPO_SAMPLE;
	} while (event.kind != GS_EXPO_END);
}

static void transform(void *ctx) {
	struct work *w = ctx;
	struct gs_expo_event event;
	struct gs_expo_options format = {.format = GS_FORMAT_TEXT};
	struct gs_transform_result result;
	gs_buf_clear(&w->out);
	gs_transform_begin(w->transform, target, 3, 1, &format, &w->out);
	gs_transform_window(w->transform, 0, w->body);
	gs_expo_begin_text(w->parser, w->body);
	do {
		demand(gs_expo_next(w->parser, &event, NULL) == GS_OK, "the body does not parse");
		demand(gs_transform_event(w->transform, &event, NULL) == GS_OK, "the scrape fails");
	} while (event.kind != GS_EXPO_END);
	demand(gs_transform_end(w->transform, true, &result, NULL) == GS_OK, "the scrape fails at its end");
	w->kept = result.kept;
	bench_sink += w->out.n;
}

static const char *const by_name[] = {"__name__"};
static const char *const by_path[] = {"path"};
static const char *const by_device[] = {"device"};
static const char *const by_mode[] = {"mode"};

#define RULE(act, source, count, expression, target_name, text)                                                        \
	{                                                                                                              \
		.action = (act), .source_labels = (source), .nsource_labels = (count), .separator = ";",               \
		.regex = (expression), .target_label = (target_name), .replacement = (text)                            \
	}

/* Two that drop by name, one that cleans a value, one that removes labels. */
static const struct gs_relabel_rule typical[] = {
    RULE(GS_RELABEL_DROP, by_name, 1, "go_.*|process_.*|promhttp_.*", NULL, "$1"),
    RULE(GS_RELABEL_DROP, by_name, 1, "node_(scrape_collector|textfile)_.*", NULL, "$1"),
    RULE(GS_RELABEL_REPLACE, by_path, 1, "(/[^/]*/[^/]*)/.*", "path", "$1"),
    RULE(GS_RELABEL_LABELDROP, NULL, 0, "canary|fstype", NULL, "$1"),
};
static const struct gs_relabel_rule one_drop[] = {
    RULE(GS_RELABEL_DROP, by_name, 1, "go_.*|process_.*|promhttp_.*", NULL, "$1")};
static const struct gs_relabel_rule one_keep[] = {
    RULE(GS_RELABEL_KEEP, by_name, 1, "node_(cpu|load|memory|filesystem|network)_?.*", NULL, "$1")};
static const struct gs_relabel_rule rename_all[] = {RULE(GS_RELABEL_REPLACE, by_name, 1, "(.*)", "__name__", "site_$1"),
    RULE(GS_RELABEL_REPLACE, by_device, 1, "(.+)", "dev", "$1"),
    RULE(GS_RELABEL_REPLACE, by_mode, 1, "(idle|iowait)", "quiet", "yes")};
static const struct gs_clearmode_rule modes[] = {{".*_total", "sum"}, {"node_load.*", "mean5m"}};

static void measure(const struct bench_options *options, struct work *w, const char *body, const char *name,
    const struct gs_transform_options *job) {
	char line[64];
	struct gs_error err = {0};
	struct bench_time time;
	if (job == NULL) {
		time = bench_run(options, parse, w);
	} else {
		demand(gs_transform_new(job, &w->transform, &err) == GS_OK, err.text);
		time = bench_run(options, transform, w);
		gs_transform_free(w->transform);
	}
	snprintf(line, sizeof(line), "transform.%s.%s", body, name);
	bench_print_cost(line, "ns/sample", 1e9 / (double)w->samples, time);
}

static void measure_all(const struct bench_options *options, struct work *w, const char *body) {
	struct gs_transform_options job = {.honor_timestamps = true};
	measure(options, w, body, "parse", NULL);
	measure(options, w, body, "copy", &job);
	job.sample_limit = 10000000;
	job.label_limit = 30;
	job.label_name_length_limit = 200;
	job.label_value_length_limit = 2000;
	measure(options, w, body, "limits", &job);
	job = (struct gs_transform_options){.honor_timestamps = true, .clearmodes = modes, .nclearmodes = 2};
	measure(options, w, body, "clearmodes", &job);
	job = (struct gs_transform_options){.honor_timestamps = false};
	measure(options, w, body, "timestamps", &job);
	job = (struct gs_transform_options){.honor_timestamps = true, .relabel = one_drop, .nrelabel = 1};
	measure(options, w, body, "relabel.one_drop", &job);
	job = (struct gs_transform_options){.honor_timestamps = true, .relabel = one_keep, .nrelabel = 1};
	measure(options, w, body, "relabel.one_keep", &job);
	job = (struct gs_transform_options){.honor_timestamps = true, .relabel = typical, .nrelabel = 4};
	measure(options, w, body, "relabel.typical", &job);
	job = (struct gs_transform_options){.honor_timestamps = true, .relabel = rename_all, .nrelabel = 3};
	measure(options, w, body, "relabel.rename_all", &job);
}

int main(int argc, char **argv) {
	struct bench_options options = bench_options_read(argc, argv);
	struct work w = {.parser = gs_expo_parser_new()};
	demand(w.parser != NULL, "out of memory");
	gs_buf_init(&w.out, (size_t)1 << 30);
	char *text = bench_node_body(&options, &w.body.n);
	w.body.p = text;
	measure_all(&options, &w, "node");
	free(text);
	text = bench_wide_body(options.smoke ? 2000 : 100000, &w.body.n);
	w.body.p = text;
	measure_all(&options, &w, "series_100k");
	free(text);
	gs_buf_free(&w.out);
	gs_expo_parser_free(w.parser);
	return 0;
}
