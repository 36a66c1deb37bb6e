/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/pool.h"

#include <assert.h>
#include <string.h>

#include "gravel/base/mem.h"
#include "poison.h"

#define BLOCK_BYTES (64 * 1024)

void gs_pool_init(struct gs_pool *pool, size_t size) {
	*pool = (struct gs_pool){.size = (uint32_t)((size + 7) & ~(size_t)7), .next = 1};
	while (pool->shift < 16 && ((size_t)2 << pool->shift) * pool->size <= BLOCK_BYTES)
		pool->shift++;
}

void gs_pool_free(struct gs_pool *pool) {
	for (uint32_t i = 0; i < pool->nblocks; i++)
		gs_free(pool->blocks[i]);
	gs_free(pool->blocks);
	gs_pool_init(pool, pool->size);
}

/* The number of the next free one stands in what is free. */
static uint32_t read_link(const struct gs_pool *pool, uint32_t number) {
	const uint32_t *link = gs_pool_at(pool, number);
	gs_unpoison(link, sizeof(*link));
	uint32_t next = *link;
	gs_poison(link, sizeof(*link));
	return next;
}

static enum gs_status add_block(struct gs_pool *pool) {
	size_t cap = pool->cap_blocks;
	char **blocks = gs_grow_array(pool->blocks, &cap, pool->nblocks, sizeof(*blocks));
	if (blocks == NULL)
		return GS_ENOMEM;
	pool->blocks = blocks;
	pool->cap_blocks = (uint32_t)cap;
	blocks[pool->nblocks] = gs_alloc_array((size_t)1 << pool->shift, pool->size);
	if (blocks[pool->nblocks] == NULL)
		return GS_ENOMEM;
	pool->nblocks++;
	return GS_OK;
}

uint32_t gs_pool_get(struct gs_pool *pool) {
	uint32_t number = pool->free;
	if (gs_mem_denied())
		return 0;
	if (number != 0) {
		pool->free = read_link(pool, number);
	} else {
		if (pool->next == UINT32_MAX)
			return 0;
		if ((pool->next - 1) >> pool->shift == pool->nblocks && add_block(pool) != GS_OK)
			return 0;
		number = pool->next++;
	}
	gs_unpoison(gs_pool_at(pool, number), pool->size);
	memset(gs_pool_at(pool, number), 0, pool->size);
	pool->used++;
	return number;
}

void gs_pool_put(struct gs_pool *pool, uint32_t number) {
	uint32_t *link = gs_pool_at(pool, number);
	*link = pool->free;
	gs_poison(link, pool->size);
	pool->free = number;
	pool->used--;
}

size_t gs_pool_bytes(const struct gs_pool *pool) {
	return (size_t)pool->nblocks * (pool->size << pool->shift) + pool->cap_blocks * sizeof(*pool->blocks);
}

void gs_pool_check(const struct gs_pool *pool) {
	uint32_t n = 0;
	for (uint32_t number = pool->free; number != 0; number = read_link(pool, number)) {
		assert(number < pool->next);
		assert(++n < pool->next);
	}
	assert(n + pool->used == pool->next - 1);
	assert(pool->next - 1 <= (uint64_t)pool->nblocks << pool->shift);
	assert(pool->nblocks <= pool->cap_blocks);
}
