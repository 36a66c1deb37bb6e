/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the clients of the gateway bench share: a connection, as much of HTTP/1.1 as they need to know where an answer ends, and a histogram of
 * times. Own code on raw sockets, because what the client costs is taken from the cores of the server.
 */

#define LOAD_HEAD_MAX 8192 /* bytes of status line and headers */

/** load_now_ns(), load_cpu_s(): Monotonic time; user and system time of this process. */
int64_t load_now_ns(void);
double load_cpu_s(void);

/** load_die(fmt, ...): Print a sentence behind the program's name and exit with 1. */
void load_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/** load_connect(address, blocking): A connection to "host:port" (host as digits), without Nagle's delay, or load_die. */
int load_connect(const char *address, bool blocking);

/* An answer as it comes in. Zeroed: nothing came yet. */
struct load_answer {
	enum { LOAD_HEAD, LOAD_LENGTH, LOAD_SIZE, LOAD_CHUNK, LOAD_CHUNK_END, LOAD_TRAILER, LOAD_DONE } state;
	int status;
	uint64_t left; /* of the body or of the chunk */
	uint64_t body; /* bytes so far, without what frames them */
	bool zipped; /* Content-Encoding: gzip */
	size_t nhead;
	char head[LOAD_HEAD_MAX]; /* status line and headers; then what is not whole yet of a line between chunks */
};

typedef void load_body_fn(void *ctx, const char *p, size_t n);

/** load_answer_clear(answer): As if nothing came yet, without touching the whole head. */
void load_answer_clear(struct load_answer *answer);

/** load_answer_feed(answer, p, n, on_body, ctx):
 * Take in what came, until the answer is whole (state LOAD_DONE); pieces of the body go to ${on_body}, which may be NULL. Returns the bytes
 * used, or SIZE_MAX for what is no HTTP that this knows. */
size_t load_answer_feed(struct load_answer *answer, const char *p, size_t n, load_body_fn *on_body, void *ctx);

/* Times by size: 64 places for each power of two, so that a percentile is right to 1.6 %. */
struct load_times {
	uint64_t places[64 * 64];
	uint64_t count;
	int64_t max_ns;
};

void load_times_add(struct load_times *times, int64_t ns);

/** load_times_at(times, share): The time in ns that ${share} (0 to 1) of all do not exceed (upper end of its place); 0 if there are none. */
int64_t load_times_at(const struct load_times *times, double share);

#endif
