/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS_MAX 101
#define LINE_ROOM 256 /* bytes that no made-up line exceeds */

volatile uint64_t bench_sink;

static double now_s(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void usage(const char *program) {
	fprintf(stderr, "usage: %s [--runs N] [--min-ms N] [--body FILE] [--smoke]\n", program);
	exit(2);
}

struct bench_options bench_options_read(int argc, char **argv) {
	static const struct option longs[] = {{"runs", required_argument, NULL, 'r'},
	    {"min-ms", required_argument, NULL, 'm'}, {"body", required_argument, NULL, 'b'},
	    {"smoke", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	struct bench_options o = {.runs = 5, .min_ms = 200};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'r':
			o.runs = (int)strtol(optarg, NULL, 10);
			break;
		case 'm':
			o.min_ms = strtol(optarg, NULL, 10);
			break;
		case 'b':
			o.body = optarg;
			break;
		case 's':
			o.smoke = true;
			o.runs = 2;
			o.min_ms = 1;
			break;
		default:
			usage(argv[0]);
		}
	}
	if (optind != argc || o.runs < 1 || o.runs > RUNS_MAX || o.min_ms < 0) {
		usage(argv[0]);
	}
	return o;
}

static double run_once(int64_t min_ms, void (*fn)(void *ctx), void *ctx) {
	double start = now_s();
	double least = (double)min_ms / 1000;
	double spent;
	uint64_t calls = 0;

	do {
		fn(ctx);
		calls++;
		spent = now_s() - start;
	} while (spent < least);
	return spent / (double)calls;
}

static int by_size(const void *a, const void *b) {
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct bench_time bench_run(const struct bench_options *options, void (*fn)(void *ctx), void *ctx) {
	double seconds[RUNS_MAX];
	int n = options->runs;

	fn(ctx);
	for (int i = 0; i < n; i++) {
		seconds[i] = run_once(options->min_ms, fn, ctx);
	}
	qsort(seconds, (size_t)n, sizeof(seconds[0]), by_size);
	return (struct bench_time){
	    .median = (seconds[n / 2] + seconds[(n - 1) / 2]) / 2, .min = seconds[0], .max = seconds[n - 1], .runs = n};
}

static void print_open(const char *name, const char *unit, double value, double min, double max, int runs) {
	printf("{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"min\": %.6g, \"max\": %.6g, \"runs\": %d", name,
	    value, unit, min, max, runs);
}

void bench_print(const char *name, const char *unit, double amount, struct bench_time time) {
	print_open(name, unit, amount / time.median, amount / time.max, amount / time.min, time.runs);
	puts("}");
	fflush(stdout);
}

void bench_print_beside(const char *name, const char *unit, double amount, struct bench_time time, const char *peer,
    struct bench_time peer_time) {
	print_open(name, unit, amount / time.median, amount / time.max, amount / time.min, time.runs);
	printf(", \"peer\": \"%s\", \"peer_value\": %.6g, \"ratio\": %.6g}\n", peer, amount / peer_time.median,
	    peer_time.median / time.median);
	fflush(stdout);
}

void bench_print_cost(const char *name, const char *unit, double scale, struct bench_time time) {
	print_open(name, unit, scale * time.median, scale * time.min, scale * time.max, time.runs);
	puts("}");
	fflush(stdout);
}

static void *need(void *p) {
	if (p == NULL) {
		fputs("bench: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

char *bench_file(const char *file, size_t *ret_n) {
	FILE *f = fopen(file, "rb");
	size_t cap = 1 << 16;
	char *p = need(malloc(cap));
	size_t n = 0;
	size_t got;

	if (f == NULL) {
		perror(file);
		exit(1);
	}
	while ((got = fread(p + n, 1, cap - n, f)) > 0) {
		n += got;
		if (n == cap) {
			cap *= 2;
			p = need(realloc(p, cap));
		}
	}
	fclose(f);
	*ret_n = n;
	return p;
}

/* A family in the manner of node_exporter: its two comment lines, then ${series} samples. */
static size_t family(char *out, size_t number, size_t series) {
	size_t n = (size_t)snprintf(out, 2 * (size_t)LINE_ROOM,
	    "# HELP node_made_up_%zu_total A made-up family, number %zu, about as long as most.\n"
	    "# TYPE node_made_up_%zu_total counter\n",
	    number, number, number);

	for (size_t i = 0; i < series; i++) {
		n += (size_t)snprintf(out + n, LINE_ROOM,
		    "node_made_up_%zu_total{device=\"nvme%zun1\",mode=\"m%zu\"} %zu.%02zu\n", number, i / 8, i % 8,
		    1000 + i * 7919 % 100003 * (number + 1), i * 31 % 100);
	}
	return n;
}

static char *families(size_t count, size_t series, size_t *ret_n) {
	char *p = need(malloc(count * (series + 2) * LINE_ROOM));

	*ret_n = 0;
	for (size_t i = 0; i < count; i++) {
		*ret_n += family(p + *ret_n, i, series);
	}
	return p;
}

char *bench_node_body(const struct bench_options *options, size_t *ret_n) {
	return options->body != NULL ? bench_file(options->body, ret_n) : families(280, 3, ret_n);
}

char *bench_wide_body(size_t series, size_t *ret_n) {
	return families(series < 1000 ? 1 : series / 1000, series < 1000 ? series : 1000, ret_n);
}
