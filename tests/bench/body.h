/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BODY_H
#define BENCH_BODY_H

#include <stddef.h>
#include <stdint.h>

/*
 * A captured exposition that comes alive: the body of one real scrape is the template, and a share of its samples moves as
 * the real ones do: counters grow at a rate of their own, gauges wander around what they were. A value depends on the
 * target's number, the line and the time alone, so two renderings of the same moment are equal.
 */

struct bench_body;

/** bench_body_load(file, share, ret_err):
 * Read the exposition in ${file} and let about ${share} (0 to 1) of its samples move. NULL with a sentence in ${ret_err}
 * (static) when that fails. */
struct bench_body *bench_body_load(const char *file, double share, const char **ret_err);

void bench_body_free(struct bench_body *body);

/** bench_body_max(body): Bytes that no rendering exceeds. */
size_t bench_body_max(const struct bench_body *body);

/** bench_body_samples(body), bench_body_moving(body): Sample lines in a rendering, and how many of them move. The line
 * bench_served_timestamp_seconds is counted in both. */
size_t bench_body_samples(const struct bench_body *body);
size_t bench_body_moving(const struct bench_body *body);

/** bench_body_render(body, target, now_ms, out):
 * Write the body of ${target} at the wall time ${now_ms} into ${out} (bench_body_max bytes) and return its length. The last sample is
 * bench_served_timestamp_seconds, the time itself. */
size_t bench_body_render(const struct bench_body *body, uint64_t target, int64_t now_ms, char *out);

#endif
