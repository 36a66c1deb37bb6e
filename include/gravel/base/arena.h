/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_ARENA_H
#define GRAVEL_BASE_ARENA_H

#include <stddef.h>

#include "gravel/base/str.h"

/* Memory of one message or one scrape, freed in one call. Not thread-safe: one owner at a time. */
struct gs_arena;

/** gs_arena_new(max): Return an arena that hands out at most ${max} bytes in all, or NULL. */
struct gs_arena *gs_arena_new(size_t max);

/** gs_arena_free(arena): Free it and all that came from it. NULL is nothing. */
void gs_arena_free(struct gs_arena *arena);

/** gs_arena_clear(arena): Take all memory back; keeps the first block for what comes next. */
void gs_arena_clear(struct gs_arena *arena);

/** gs_arena_alloc(arena, n): Return ${n} bytes, aligned for any type, not zeroed; NULL when memory or max is
 * used up. */
void *gs_arena_alloc(struct gs_arena *arena, size_t n);

/** gs_arena_dup(arena, s): Copy the slice; {NULL, 0} for an empty one or out of memory (compare n). */
struct gs_str gs_arena_dup(struct gs_arena *arena, struct gs_str s);

/** gs_arena_used(arena): Bytes handed out since the last clear. */
size_t gs_arena_used(const struct gs_arena *arena);

#endif
