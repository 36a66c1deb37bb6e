/* SPDX-License-Identifier: Apache-2.0 */
/* How fast an exposition is parsed, beside what the memory of the machine allows at all: memcpy and a scan for newlines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gravel/expo/expo.h"

struct work {
	struct gs_str body;
	struct gs_expo_parser *parser;
	char *copy;
	size_t samples;
};

static void parse(void *ctx) {
	struct work *w = ctx;
	struct gs_expo_event event;
	struct gs_error err;
	size_t samples = 0;

	gs_expo_begin_text(w->parser, w->body);
	do {
		if (gs_expo_next(w->parser, &event, &err) != GS_OK) {
			fprintf(stderr, "bench_expo: the body does not parse after %zu samples\n", samples);
			exit(1);
		}
		samples += event.kind == GS_EXPO_SAMPLE;
	} while (event.kind != GS_EXPO_END);
	w->samples = samples;
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

static void measure(const struct bench_options *options, const char *name, char *body, size_t n) {
	struct work w = {.body = gs_str_make(body, n), .parser = gs_expo_parser_new(), .copy = malloc(n)};
	struct bench_time parsed, copied, scanned;
	double mb = (double)n / 1e6;
	char line[64];

	if (w.parser == NULL || w.copy == NULL) {
		fputs("bench_expo: out of memory\n", stderr);
		exit(1);
	}
	parsed = bench_run(options, parse, &w);
	copied = bench_run(options, copy, &w);
	scanned = bench_run(options, scan, &w);
	snprintf(line, sizeof(line), "expo.%s.parse", name);
	bench_print_beside(line, "MB/s", mb, parsed, "memcpy", copied);
	snprintf(line, sizeof(line), "expo.%s.samples", name);
	bench_print(line, "samples/s", (double)w.samples, parsed);
	snprintf(line, sizeof(line), "expo.%s.newline_scan", name);
	bench_print_beside(line, "MB/s", mb, scanned, "memcpy", copied);
	gs_expo_parser_free(w.parser);
	free(w.copy);
	free(body);
}

int main(int argc, char **argv) {
	struct bench_options options = bench_options_read(argc, argv);
	size_t n;
	char *body = bench_node_body(&options, &n);

	measure(&options, "node", body, n);
	body = bench_wide_body(options.smoke ? 1000 : 100000, &n);
	measure(&options, options.smoke ? "series_1k" : "series_100k", body, n);
	return 0;
}
