/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_SKETCH_H
#define GRAVEL_LIB_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/status.h"

/*
 * Quantiles of many numbers in little memory: how many fell into each of the buckets that have any, buckets being so narrow that their middle is within
 * GS_SKETCH_ERROR of everything in them. Two sketches merge to exactly the one of all their numbers, in whatever order they came: a
 * sketch is a function of the set of its numbers.
 *
 * - A quantile is the number at rank ceil(q n), within a relative error of 1 %. The smallest and the largest are exact, and so is every number that is alone in
 *   its bucket, however often it came: of few or of small whole numbers quantiles are exact.
 * - Numbers of both signs, zero and infinities count. -0 is 0, and what is nearer to 0 than DBL_MIN counts as 0 (unless it is
 *   alone there). NaN is no number: it is left out.
 * - At most GS_SKETCH_BUCKETS buckets have a number of their own: beyond, the lowest two become one, and only quantiles below suffer. So many are needed only by
 *   numbers that spread over more than 17 powers of ten.
 * - The same bits everywhere: buckets are found by exact comparison with constants, and their middles with operations that IEEE 754 rounds.
 * - 24 bytes, and 16 for each bucket: no more than one for each number that came.
 *
 * Memory comes from the store. What adds never allocates: it needs the room that gs_sketch_reserve made.
 */
struct gs_sketch;
struct gs_store;

#define GS_SKETCH_ERROR 0.01
#define GS_SKETCH_BUCKETS 2048

/** gs_sketch_reserve(store, sketch, n):
 * Make room for ${n} more buckets in ${sketch} (NULL: a new one). Returns it, perhaps moved; NULL without memory, and ${sketch} is as it was. */
struct gs_sketch *gs_sketch_reserve(struct gs_store *store, struct gs_sketch *sketch, size_t n);
void gs_sketch_free(struct gs_store *store, struct gs_sketch *sketch); /* NULL is nothing */

/** gs_sketch_copy(store, from, n): Return an equal one with room for ${n} more buckets; NULL without memory. */
struct gs_sketch *gs_sketch_copy(struct gs_store *store, const struct gs_sketch *from, size_t n);

/** gs_sketch_add(sketch, x, times): Add the number ${x} ${times} (> 0) times. Needs room for one bucket. */
void gs_sketch_add(struct gs_sketch *sketch, double x, uint64_t times);

/** gs_sketch_merge(into, from): Add all that ${from} has. Needs room for gs_sketch_buckets(from). */
void gs_sketch_merge(struct gs_sketch *into, const struct gs_sketch *from);

size_t gs_sketch_buckets(const struct gs_sketch *sketch);

/** gs_sketch_count(sketch): How many numbers came. */
uint64_t gs_sketch_count(const struct gs_sketch *sketch);

/** gs_sketch_quantile(sketch, percent_milli): The quantile for ${percent_milli} / GS_PERCENT_SCALE percent (mode.h); NaN if there is no number. */
double gs_sketch_quantile(const struct gs_sketch *sketch, uint32_t percent_milli);

/** gs_sketch_check(sketch): Assert every invariant. */
void gs_sketch_check(const struct gs_sketch *sketch);

#endif
