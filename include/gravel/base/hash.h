/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_HASH_H
#define GRAVEL_BASE_HASH_H

#include <stdint.h>

#include "gravel/base/str.h"

/** gs_hash(s):
 * Return a 64-bit hash of ${s}, seeded at random once per process, so that no one outside can prepare
 * collisions. For tables in memory only: never on the wire, on disk, or where an order is visible. */
uint64_t gs_hash(struct gs_str s);

/** gs_hash_stable(s, seed):
 * Return a 64-bit hash that is the same on every machine and in every release (XXH3 with ${seed}). */
uint64_t gs_hash_stable(struct gs_str s, uint64_t seed);

#endif
