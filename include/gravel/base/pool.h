/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_POOL_H
#define GRAVEL_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "gravel/base/error.h"

/*
 * Things of one size, each with a number from 1 on; 0 is none. They stand in blocks that never move and are never given back while the pool lives, so a
 * pointer to one is good as long as it is, nothing is copied to grow, and what is put back is handed out again first. Not thread-safe.
 * Invariants (gs_pool_check): used + free ones = next - 1; next - 1 <= nblocks << shift.
 */
struct gs_pool {
	uint32_t size; /* bytes of one, a multiple of 8 */
	uint32_t shift; /* 1 << shift stand in a block */
	uint32_t next; /* the first number that was never handed out */
	uint32_t free; /* the number that was put back last */
	uint32_t used;
	uint32_t nblocks;
	uint32_t cap_blocks;
	char **blocks;
};

/** gs_pool_init(pool, size): An empty pool of things of ${size} bytes, at least 4; allocates nothing. */
void gs_pool_init(struct gs_pool *pool, size_t size);

/** gs_pool_free(pool): Free all blocks, whatever is in them; the pool is then empty. */
void gs_pool_free(struct gs_pool *pool);

/** gs_pool_get(pool): The number of a new thing, zeroed; 0 when out of memory or of numbers. */
uint32_t gs_pool_get(struct gs_pool *pool);

/** gs_pool_put(pool, number): Take it back. */
void gs_pool_put(struct gs_pool *pool, uint32_t number);

/** gs_pool_at(pool, number): The thing of that number, which must have one. */
static inline void *gs_pool_at(const struct gs_pool *pool, uint32_t number) {
	uint32_t at = number - 1;
	return pool->blocks[at >> pool->shift] + (size_t)(at & ((1U << pool->shift) - 1)) * pool->size;
}

/** gs_pool_bytes(pool): What it has allocated. */
size_t gs_pool_bytes(const struct gs_pool *pool);

void gs_pool_check(const struct gs_pool *pool);

#endif
