/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What every bench program shares: timing with a median, and the JSON line. A bench has a function that does its work once;
 * it is called until a run took bench_options.min_ms, and the run repeated bench_options.runs times.
 */

struct bench_options {
	int runs; /* 5; with --smoke 2 */
	int64_t min_ms; /* 200 for a run; with --smoke 1 */
	const char *body; /* --body FILE: a real exposition; NULL: the bench makes one up */
	bool smoke; /* small inputs: only whether it works */
};

/* Seconds for one call of the measured function. */
struct bench_time {
	double median;
	double min;
	double max;
	int runs;
};

/** bench_options_read(argc, argv): Read --runs N, --min-ms N, --body FILE, --smoke; exits with a usage on anything else. */
struct bench_options bench_options_read(int argc, char **argv);

/** bench_run(options, fn, ctx): Measure ${fn}, after one call that warms up. */
struct bench_time bench_run(const struct bench_options *options, void (*fn)(void *ctx), void *ctx);

/** bench_print(name, unit, amount, time):
 * Print a JSON line with the rate ${amount} / time, so 1e6 bytes as ${amount} of 1 give "MB/s"; ${unit} names it. */
void bench_print(const char *name, const char *unit, double amount, struct bench_time time);

/** bench_print_beside(name, unit, amount, time, peer, peer_time):
 * The same, beside the rate of a ${peer} that did the same ${amount} in ${peer_time}; "ratio" is ours over the peer's. */
void bench_print_beside(const char *name, const char *unit, double amount, struct bench_time time, const char *peer,
    struct bench_time peer_time);

/** bench_print_cost(name, unit, scale, time): A JSON line with time * ${scale}: 1e9 / samples gives "ns/sample". */
void bench_print_cost(const char *name, const char *unit, double scale, struct bench_time time);

/** bench_file(file, ret_n): Return the contents of ${file} (to be freed with free), or exit with a sentence. */
char *bench_file(const char *file, size_t *ret_n);

/** bench_node_body(options, ret_n): options->body, or a made-up one in the form of a node_exporter's; free it with free. */
char *bench_node_body(const struct bench_options *options, size_t *ret_n);

/** bench_wide_body(series, ret_n): A made-up body of ${series} series in families of 1,000; free it with free. */
char *bench_wide_body(size_t series, size_t *ret_n);

/* Where results go so that the compiler keeps the work. */
extern volatile uint64_t bench_sink;

#endif
