/* SPDX-License-Identifier: Apache-2.0 */
/* How fast series that are kept as slices are written, by dialect and by what must be escaped, beside a memcpy of the result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gravel/expo/write.h"

#define LABELS_MAX 8
#define TEXT_MAX 48 /* bytes of a made-up label value */
#define FAMILY 1000 /* series in each */
#define VALUES 1000 /* different values of a label: a store keeps each once */

struct one {
	struct gs_label labels[LABELS_MAX];
	size_t nlabels;
	double value;
};

struct work {
	char texts[LABELS_MAX][VALUES][TEXT_MAX];
	struct one *series;
	size_t n;
	struct gs_expo_dialect dialect;
	struct gs_buf out;
	struct gs_str *prefixes; /* of each series */
	char *prefix_text;
	char *copy;
};

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "bench_write: %s\n", what);
	exit(1);
}

static const char *const values[LABELS_MAX] = {"/api/v%zu/orders/{id}/items", "GET-%zu", "20%zu",
    "node-%zu.rack7.example.org:9100", "http-gateway-%zu", "publisher%zu.eu-west-1.example.org", "%zu", "canary=%zu"};
static const char *const odd_values[LABELS_MAX] = {"C:\\data\\v%zu\\orders\\items", "GET-%zu", "20%zu",
    "node-%zu.rack7.example.org:9100", "a \"quoted\" gateway-%zu", "publisher%zu.eu-west-1.example.org", "%zu",
    "canary=%zu"};
static const char *const names[LABELS_MAX] = {
    "path", "method", "code", "instance", "job", "publisher", "shard", "deployment_environment"};
static const char *const odd_names[LABELS_MAX] = {
    "http.route", "method", "code", "instance", "job", "publisher", "shard", "deployment.environment"};

/* Counts, seconds with a fraction, and now and then 0: the numbers of a real body. */
static double value_of(size_t i) {
	if (i % 7 == 0)
		return 0;
	if (i % 3 == 0)
		return (double)(i * 2654435761u % 1000000) / 1e3 + 0.001;
	return i % 3 == 1 ? (double)(i * 7919 % 100003) : (double)(i * 2654435761u % 1000003) / 977.0;
}

static void make(struct work *w, size_t n, const char *const *label_names, const char *const *texts) {
	w->n = n;
	w->series = calloc(n, sizeof(*w->series));
	demand(w->series != NULL, "out of memory");
	for (size_t k = 0; k < LABELS_MAX; k++) {
		for (size_t i = 0; i < VALUES; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(w->texts[k][i], TEXT_MAX, texts[k], i);
#pragma GCC diagnostic pop
		}
	}
	for (size_t i = 0; i < n; i++) {
		struct one *one = &w->series[i];
		one->nlabels = 5 + i / FAMILY % 4;
		one->value = value_of(i);
		for (size_t k = 0; k < one->nlabels; k++)
			one->labels[k] =
			    (struct gs_label){gs_str_of(label_names[k]), gs_str_of(w->texts[k][i * (k + 3) % VALUES])};
	}
}

static void begin_family(struct work *w, struct gs_expo_writer *writer, size_t i) {
	char name[64];
	snprintf(name, sizeof(name), "gateway_http_request_duration_%zu_seconds", i / FAMILY);
	struct gs_expo_family family = {.name = gs_str_of(name),
	    .type = GS_TYPE_GAUGE,
	    .help = GS_STR("Time that the gateway took for a request.")};
	gs_expo_write_family(writer, &family);
	demand(w->out.status == GS_OK, "the buffer is full");
}

static void write_samples(void *ctx) {
	struct work *w = ctx;
	struct gs_expo_writer writer;
	gs_buf_clear(&w->out);
	gs_expo_writer_init(&writer, &w->out, w->dialect);
	for (size_t i = 0; i < w->n; i++) {
		const struct one *one = &w->series[i];
		struct gs_expo_sample sample = {.labels = one->labels, .nlabels = one->nlabels, .value = one->value};
		if (i % FAMILY == 0)
			begin_family(w, &writer, i);
		gs_expo_write_sample(&writer, &sample);
	}
	gs_expo_write_end(&writer);
	demand(w->out.status == GS_OK, "the buffer is full");
	bench_sink += w->out.n;
}

static void write_prefixed(void *ctx) {
	struct work *w = ctx;
	struct gs_expo_writer writer;
	gs_buf_clear(&w->out);
	gs_expo_writer_init(&writer, &w->out, w->dialect);
	for (size_t i = 0; i < w->n; i++) {
		struct gs_expo_sample sample = {.value = w->series[i].value};
		if (i % FAMILY == 0)
			begin_family(w, &writer, i);
		gs_expo_write_series(&writer, w->prefixes[i], &sample);
	}
	demand(w->out.status == GS_OK, "the buffer is full");
	bench_sink += w->out.n;
}

static void keep_prefixes(struct work *w) {
	struct gs_expo_writer writer;
	size_t start = 0;
	gs_buf_clear(&w->out);
	gs_expo_writer_init(&writer, &w->out, w->dialect);
	w->prefixes = calloc(w->n, sizeof(*w->prefixes));
	w->prefix_text = malloc(w->n * 600);
	demand(w->prefixes != NULL && w->prefix_text != NULL, "out of memory");
	for (size_t i = 0; i < w->n; i++) {
		struct gs_expo_sample sample = {.labels = w->series[i].labels, .nlabels = w->series[i].nlabels};
		if (i % FAMILY == 0)
			begin_family(w, &writer, i);
		size_t at = w->out.n;
		gs_expo_write_prefix(&writer, &sample);
		w->prefixes[i] = gs_str_make(w->prefix_text + start, w->out.n - at);
		memcpy(w->prefix_text + start, w->out.p + at, w->out.n - at);
		start += w->out.n - at;
	}
}

static void copy(void *ctx) {
	struct work *w = ctx;
	memcpy(w->copy, w->out.p, w->out.n);
	bench_sink += (unsigned char)w->copy[w->out.n / 2];
}

static void measure(const struct bench_options *options, struct work *w, const char *name, void (*fn)(void *ctx)) {
	char line[64];
	fn(w);
	w->copy = malloc(w->out.n);
	demand(w->copy != NULL, "out of memory");
	struct bench_time copied = bench_run(options, copy, w);
	struct bench_time written = bench_run(options, fn, w);
	snprintf(line, sizeof(line), "write.%s", name);
	bench_print_beside(line, "MB/s", (double)w->out.n / 1e6, written, "memcpy", copied);
	snprintf(line, sizeof(line), "write.%s.sample", name);
	bench_print_cost(line, "ns/sample", 1e9 / (double)w->n, written);
	free(w->copy);
}

int main(int argc, char **argv) {
	struct bench_options options = bench_options_read(argc, argv);
	static struct work w = {.dialect = {.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES}};
	size_t n = options.smoke ? 2000 : 100000;
	gs_buf_init(&w.out, (size_t)1 << 30);
	make(&w, n, names, values);
	measure(&options, &w, "text", write_samples);
	keep_prefixes(&w);
	measure(&options, &w, "text.prefix", write_prefixed);
	free(w.prefixes);
	free(w.prefix_text);
	w.dialect = (struct gs_expo_dialect){.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE};
	measure(&options, &w, "text_1", write_samples);
	w.dialect = (struct gs_expo_dialect){.format = GS_FORMAT_OPENMETRICS, .escaping = GS_ESCAPE_NONE};
	measure(&options, &w, "openmetrics", write_samples);
	free(w.series);
	make(&w, n, names, odd_values);
	measure(&options, &w, "openmetrics.escaped_values", write_samples);
	free(w.series);
	make(&w, n, odd_names, values);
	measure(&options, &w, "openmetrics.quoted_names", write_samples);
	w.dialect = (struct gs_expo_dialect){.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES};
	measure(&options, &w, "text.escaped_names", write_samples);
	free(w.series);
	gs_buf_free(&w.out);
	return 0;
}
