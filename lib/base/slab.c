/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/slab.h"

#include <assert.h>
#include <string.h>

#include "gravel/base/mem.h"
#include "poison.h"

#define BLOCK_BYTES (32 * 1024)
#define BLOCK_HEAD 16 /* what comes after it is aligned as it is */
#define FINE 16 /* classes of 16, 32, ... 256 bytes, then four for each doubling */

/* 0 to 15: steps of 16 bytes to 256; then steps of a quarter of the power of two below. */
unsigned gs_slab_class(size_t n) {
	if (n <= 16 * FINE)
		return n == 0 ? 0 : (unsigned)((n - 1) / 16);
	unsigned log = 63 - (unsigned)__builtin_clzll(n - 1); /* 2^log < n <= 2^(log + 1) */
	unsigned quarter = (unsigned)((n - 1) >> (log - 2)) & 3;
	return FINE + (log - 8) * 4 + quarter;
}

size_t gs_slab_class_bytes(unsigned class) {
	if (class < FINE)
		return 16 * ((size_t) class + 1);
	unsigned log = 8 + (class - FINE) / 4, quarter = (class - FINE) % 4;
	return ((size_t)1 << log) + ((size_t)quarter + 1) * ((size_t)1 << (log - 2));
}

void gs_slab_init(struct gs_slab *slab) {
	*slab = (struct gs_slab){0};
}

void gs_slab_free(struct gs_slab *slab) {
	while (slab->blocks != NULL) {
		void *block = slab->blocks;
		memcpy(&slab->blocks, block, sizeof(void *));
		gs_free(block);
	}
	gs_slab_init(slab);
}

static void *cut(struct gs_slab *slab, unsigned class, size_t size) {
	if (slab->left[class] < size) {
		char *block = gs_alloc(BLOCK_BYTES);
		if (block == NULL)
			return NULL;
		memcpy(block, &slab->blocks, sizeof(void *));
		slab->blocks = block;
		slab->bytes += BLOCK_BYTES;
		slab->room[class] = block + BLOCK_HEAD;
		slab->left[class] = BLOCK_BYTES - BLOCK_HEAD;
	}
	void *p = slab->room[class];
	slab->room[class] += size;
	slab->left[class] -= size;
	return p;
}

void *gs_slab_get(struct gs_slab *slab, size_t n) {
	if (n > GS_SLAB_MAX) {
		void *large = gs_alloc(n);
		if (large == NULL)
			return NULL;
		slab->bytes += n;
		slab->used += n;
		return large;
	}
	unsigned class = gs_slab_class(n);
	size_t size = gs_slab_class_bytes(class);
	if (gs_mem_denied())
		return NULL;
	void *p = slab->free[class];
	if (p == NULL)
		p = cut(slab, class, size);
	if (p == NULL)
		return NULL;
	gs_unpoison(p, size);
	if (p == slab->free[class])
		memcpy(&slab->free[class], p, sizeof(void *));
	slab->used += size;
	return memset(p, 0, n);
}

void gs_slab_put(struct gs_slab *slab, void *p, size_t n) {
	if (p == NULL)
		return;
	if (n > GS_SLAB_MAX) {
		slab->bytes -= n;
		slab->used -= n;
		gs_free(p);
		return;
	}
	unsigned class = gs_slab_class(n);
	memcpy(p, &slab->free[class], sizeof(void *));
	slab->free[class] = p;
	gs_poison(p, gs_slab_class_bytes(class));
	slab->used -= gs_slab_class_bytes(class);
}

void *gs_slab_resize(struct gs_slab *slab, void *p, size_t old, size_t n) {
	if (p != NULL && old <= GS_SLAB_MAX && n <= GS_SLAB_MAX && gs_slab_class(old) == gs_slab_class(n))
		return p;
	void *resized = gs_slab_get(slab, n);
	if (resized == NULL || p == NULL)
		return resized;
	memcpy(resized, p, old < n ? old : n);
	gs_slab_put(slab, p, old);
	return resized;
}
