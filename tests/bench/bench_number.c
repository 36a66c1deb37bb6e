/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to read and to write one number, beside libc. The sets are too long for a branch predictor to learn by heart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gravel/base/num.h"

#define SET 20000
#define TEXT_ROOM 32

struct work {
	size_t n;
	double values[SET];
	struct gs_str words[SET];
	char text[(size_t)SET * TEXT_ROOM]; /* each word ends with a newline, as in an exposition */
	size_t used;
};

static uint64_t next_random(void) {
	static uint64_t x = 88172645463325252u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static uint64_t below_digits(unsigned digits) {
	uint64_t bound = 1;
	while (digits-- > 0)
		bound *= 10;
	return next_random() % bound;
}

/* Counters: one to ten digits, every length as often. */
static int write_integer(char *out) {
	return snprintf(out, TEXT_ROOM, "%llu", (unsigned long long)below_digits(1 + (unsigned)(next_random() % 10)));
}

/* Times and ratios: 0.25, 17.125, 0.005. */
static int write_decimal(char *out) {
	unsigned long long whole = below_digits((unsigned)(next_random() % 5));
	unsigned places = 1 + (unsigned)(next_random() % 3);
	return snprintf(out, TEXT_ROOM, "%llu.%0*llu", whole, (int)places, (unsigned long long)below_digits(places));
}

/* As Go writes what has more than six digits, or is small: 1.234567e+06, 5e-05. */
static int write_exponent(char *out) {
	int places = (int)(next_random() % 10), exponent = (int)(next_random() % 18);
	return snprintf(out, TEXT_ROOM, "%.*e", places, (double)(1 + below_digits(10)) * (exponent < 9 ? 1e-14 : 1e-3));
}

/* Doubles that need 16 or 17 digits. */
static int write_double(char *out) {
	double v = (double)(next_random() >> 11) / (double)(next_random() >> 30);
	return snprintf(out, TEXT_ROOM, "%.17g", v);
}

static void fill(struct work *w, size_t n, int (*write)(char *out)) {
	w->n = n;
	w->used = 0;
	for (size_t i = 0; i < n; i++) {
		char *at = w->text + w->used;
		size_t length = (size_t)write(at);
		w->words[i] = gs_str_make(at, length);
		w->values[i] = strtod(at, NULL);
		at[length] = '\n';
		w->used += length + 1;
	}
}

static void add(double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	bench_sink += bits;
}

static void wrong(const char *what) {
	fprintf(stderr, "bench_number: %s does not read its own text\n", what);
	exit(1);
}

static void parse(void *ctx) {
	struct work *w = ctx;
	double v = 0, sum = 0;
	for (size_t i = 0; i < w->n; i++) {
		if (gs_num_parse_double(w->words[i], &v) != GS_OK)
			wrong("gs_num_parse_double");
		sum += v;
	}
	add(sum);
}

/* As the parser of expositions reads them: the end of the number is not known before. */
static void scan(void *ctx) {
	struct work *w = ctx;
	double v = 0, sum = 0;
	const char *end = w->text + w->used;
	for (const char *p = w->text; p < end; p++) {
		p = gs_num_scan_double(p, end, &v);
		if (p == NULL || *p != '\n')
			wrong("gs_num_scan_double");
		sum += v;
	}
	add(sum);
}

static void parse_libc(void *ctx) {
	struct work *w = ctx;
	double sum = 0;
	for (size_t i = 0; i < w->n; i++)
		sum += strtod(w->words[i].p, NULL);
	add(sum);
}

static void print(void *ctx) {
	struct work *w = ctx;
	char out[GS_NUM_DOUBLE_MAX];
	size_t sum = 0;
	for (size_t i = 0; i < w->n; i++)
		sum += gs_num_print_double(out, w->values[i]) + (unsigned char)out[0];
	bench_sink += sum;
}

static void print_libc(void *ctx) {
	struct work *w = ctx;
	char out[GS_NUM_DOUBLE_MAX];
	size_t sum = 0;
	for (size_t i = 0; i < w->n; i++)
		sum += (size_t)snprintf(out, sizeof(out), "%.17g", w->values[i]) + (unsigned char)out[0];
	bench_sink += sum;
}

static void report(const char *what, const char *set, size_t n, struct bench_time time, const char *peer,
    struct bench_time peer_time) {
	char name[64];
	snprintf(name, sizeof(name), "number.%s.%s", what, set);
	bench_print_beside(name, "M/s", (double)n / 1e6, time, peer, peer_time);
	snprintf(name, sizeof(name), "number.%s.%s.cost", what, set);
	bench_print_cost(name, "ns", 1e9 / (double)n, time);
}

static void measure(const struct bench_options *options, struct work *w, const char *set, int (*write)(char *out)) {
	fill(w, options->smoke ? 100 : SET, write);
	struct bench_time peer = bench_run(options, parse_libc, w);
	report("parse", set, w->n, bench_run(options, parse, w), "strtod", peer);
	report("scan", set, w->n, bench_run(options, scan, w), "strtod", peer);
	struct bench_time time = bench_run(options, print, w);
	report("print", set, w->n, time, "snprintf %.17g", bench_run(options, print_libc, w));
}

int main(int argc, char **argv) {
	struct bench_options options = bench_options_read(argc, argv);
	struct work *w = calloc(1, sizeof(*w));
	if (w == NULL) {
		fputs("bench_number: out of memory\n", stderr);
		return 1;
	}
	measure(&options, w, "integers", write_integer);
	measure(&options, w, "decimals", write_decimal);
	measure(&options, w, "exponents", write_exponent);
	measure(&options, w, "doubles", write_double);
	free(w);
	return 0;
}
