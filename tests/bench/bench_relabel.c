/* SPDX-License-Identifier: Apache-2.0 */
/* What relabelling costs for one sample: the labels of the series of a body, with job and instance, go through lists of rules that people write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gravel/base/arena.h"
#include "gravel/relabel/relabel.h"

#define TARGET 2 /* labels of the target */
#define RULES_MAX 8

struct series {
	struct gs_label *labels; /* the name first */
	size_t n;
};

struct work {
	struct gs_arena *arena;
	struct series *series;
	size_t n;
	size_t cap;
	struct gs_labels *labels;
	struct gs_relabel *relabel;
};

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "bench_relabel: %s\n", what);
	exit(1);
}

static struct gs_label copy(struct work *w, struct gs_str name, struct gs_str value) {
	return (struct gs_label){.name = gs_arena_dup(w->arena, name), .value = gs_arena_dup(w->arena, value)};
}

static void add_series(struct work *w, const struct gs_expo_event *event) {
	if (w->n == w->cap) {
		w->cap = w->cap * 2 + 1024;
		w->series = realloc(w->series, w->cap * sizeof(*w->series));
		demand(w->series != NULL, "out of memory");
	}
	struct series *one = &w->series[w->n++];
	one->labels = gs_arena_alloc(w->arena, (event->nlabels + 1 + TARGET) * sizeof(*one->labels));
	demand(one->labels != NULL, "out of memory");
	one->n = 0;
	one->labels[one->n++] = copy(w, GS_STR("__name__"), event->name);
	for (size_t i = 0; i < event->nlabels; i++)
		one->labels[one->n++] = copy(w, event->labels[i].name, event->labels[i].value);
	one->labels[one->n++] = copy(w, GS_STR("instance"), GS_STR("node-7.rack3.example.org:9100"));
	one->labels[one->n++] = copy(w, GS_STR("job"), GS_STR("node"));
}

static void read_body(struct work *w, struct gs_str body) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	demand(parser != NULL, "out of memory");
	gs_expo_begin_text(parser, body);
	do {
		demand(gs_expo_next(parser, &event, NULL) == GS_OK, "the body is no exposition");
		if (event.kind == GS_EXPO_SAMPLE)
			add_series(w, &event);
	} while (event.kind != GS_EXPO_END);
	gs_expo_parser_free(parser);
	demand(w->n != 0, "the body has no samples");
}

static void run(void *ctx) {
	struct work *w = ctx;
	uint64_t sum = 0;
	for (size_t i = 0; i < w->n; i++) {
		const struct series *one = &w->series[i];
		bool keep = true;
		size_t n = 0;
		demand(gs_labels_fill(w->labels, one->labels, one->n) == GS_OK, "fill");
		demand(gs_relabel_apply(w->relabel, w->labels, &keep) == GS_OK, "apply");
		if (keep)
			gs_labels_sorted(w->labels, &n);
		sum += n;
	}
	bench_sink += sum;
}

static const char *const name_source[] = {"__name__"}, *const two_sources[] = {"__name__", "device"},
			 *const instance_source[] = {"instance"}, *const device_source[] = {"device"};

#define NAMED .source_labels = name_source, .nsource_labels = 1
#define TWO .source_labels = two_sources, .nsource_labels = 2
#define HOST .source_labels = instance_source, .nsource_labels = 1
#define DEVICE .source_labels = device_source, .nsource_labels = 1

/* What is not said is the default. */
static const struct list {
	const char *name;
	size_t n;
	struct gs_relabel_rule rules[RULES_MAX];
} lists[] = {
    {.name = "none"},
    {"drop_prefix", 1, {{GS_RELABEL_DROP, NAMED, .regex = "go_.*"}}},
    {"drop_names", 1, {{GS_RELABEL_DROP, NAMED, .regex = "go_(gc|memstats)_.*|process_.+|node_uname_info"}}},
    {"drop_suffix", 1, {{GS_RELABEL_DROP, NAMED, .regex = ".*_(bucket|created)"}}},
    {"keep_class", 1, {{GS_RELABEL_KEEP, NAMED, .regex = "node_[a-z]+_.*_(total|bytes)"}}},
    {"drop_two_sources", 1, {{GS_RELABEL_DROP, TWO, .regex = "node_network_.*;(veth|cali).*"}}},
    {"replace_copy", 1, {{GS_RELABEL_REPLACE, HOST, .target_label = "node"}}},
    {"replace_constant", 1, {{GS_RELABEL_REPLACE, .target_label = "dc", .replacement = "eu-west-1"}}},
    {"replace_group", 1, {{GS_RELABEL_REPLACE, HOST, .regex = "([^:.]+)[^:]*(?::\\d+)?", .target_label = "host"}}},
    {"replace_name", 1,
	{{GS_RELABEL_REPLACE, NAMED, .regex = "node_(.*)", .replacement = "site_$1", .target_label = "__name__"}}},
    {"labeldrop", 1, {{GS_RELABEL_LABELDROP, .regex = "device|fstype|mountpoint"}}},
    {"labelmap", 1, {{GS_RELABEL_LABELMAP, .regex = "exported_(.+)"}}},
    {"hashmod", 1, {{GS_RELABEL_HASHMOD, NAMED, .modulus = 8, .target_label = "shard"}}},
    {"lowercase", 1, {{GS_RELABEL_LOWERCASE, DEVICE, .target_label = "device"}}},
    {"six", 6,
	{{GS_RELABEL_DROP, NAMED, .regex = "go_.*|process_.*"},
	    {GS_RELABEL_DROP, TWO, .regex = "node_network_.*;(veth|cali).*"},
	    {GS_RELABEL_REPLACE, HOST, .regex = "([^:.]+)[^:]*(?::\\d+)?", .target_label = "host"},
	    {GS_RELABEL_REPLACE, .target_label = "dc", .replacement = "eu-west-1"},
	    {GS_RELABEL_LABELMAP, .regex = "exported_(.+)"}, {GS_RELABEL_LABELDROP, .regex = "exported_.+|fstype"}}},
};

static void measure(const struct bench_options *options, struct work *w, const struct list *list) {
	struct gs_relabel_rule rules[RULES_MAX];
	struct gs_error err = {0};
	char name[64];
	for (size_t i = 0; i < list->n; i++) {
		rules[i] = list->rules[i];
		rules[i].separator = rules[i].separator != NULL ? rules[i].separator : ";";
		rules[i].regex = rules[i].regex != NULL ? rules[i].regex : "(.*)";
		rules[i].replacement = rules[i].replacement != NULL ? rules[i].replacement : "$1";
	}
	demand(gs_relabel_new(rules, list->n, &w->relabel, &err) == GS_OK, err.text);
	snprintf(name, sizeof(name), "relabel.%s", list->name);
	bench_print_cost(name, "ns/sample", 1e9 / (double)w->n, bench_run(options, run, w));
	gs_relabel_free(w->relabel);
}

int main(int argc, char **argv) {
	struct bench_options options = bench_options_read(argc, argv);
	struct work w = {.arena = gs_arena_new(SIZE_MAX / 2), .labels = gs_labels_new()};
	size_t n;
	char *body = bench_node_body(&options, &n);
	demand(w.arena != NULL && w.labels != NULL, "out of memory");
	read_body(&w, gs_str_make(body, n));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		measure(&options, &w, &lists[i]);
	free(w.series);
	free(body);
	gs_labels_free(w.labels);
	gs_arena_free(w.arena);
	return 0;
}
