/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/arena.h"

#include <stdalign.h>

#include "gravel/base/mem.h"

#define BLOCK_MIN 4096
#define BLOCK_MAX ((size_t)1024 * 1024)

struct block {
	struct block *next;
	size_t size;
	alignas(max_align_t) char data[];
};

struct gs_arena {
	struct block *first; /* newest; its data[0..at) is handed out */
	size_t at;
	size_t used;
	size_t max;
};

struct gs_arena *gs_arena_new(size_t max) {
	struct gs_arena *arena = gs_alloc(sizeof(*arena));
	if (arena != NULL)
		arena->max = max;
	return arena;
}

static void free_blocks(struct block *b) {
	while (b != NULL) {
		struct block *next = b->next;
		gs_free(b);
		b = next;
	}
}

void gs_arena_free(struct gs_arena *arena) {
	if (arena == NULL)
		return;
	free_blocks(arena->first);
	gs_free(arena);
}

void gs_arena_clear(struct gs_arena *arena) {
	/* Keep the newest block: it is the largest. */
	if (arena->first != NULL) {
		free_blocks(arena->first->next);
		arena->first->next = NULL;
	}
	arena->at = 0;
	arena->used = 0;
}

void *gs_arena_alloc(struct gs_arena *arena, size_t n) {
	if (n > arena->max)
		return NULL;
	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (n > arena->max - arena->used)
		return NULL;
	if (arena->first == NULL || n > arena->first->size - arena->at) {
		size_t size = arena->first == NULL ? BLOCK_MIN : arena->first->size * 2;
		if (size > BLOCK_MAX)
			size = BLOCK_MAX;
		if (size < n)
			size = n;
		struct block *b = gs_realloc_array(NULL, sizeof(*b) + size, 1);
		if (b == NULL)
			return NULL;
		b->next = arena->first;
		b->size = size;
		arena->first = b;
		arena->at = 0;
	}
	void *p = arena->first->data + arena->at;
	arena->at += n;
	arena->used += n;
	return p;
}

struct gs_str gs_arena_dup(struct gs_arena *arena, struct gs_str s) {
	char *p = s.n != 0 ? gs_arena_alloc(arena, s.n) : NULL;
	if (p == NULL)
		return (struct gs_str){0};
	memcpy(p, s.p, s.n);
	return gs_str_make(p, s.n);
}

size_t gs_arena_used(const struct gs_arena *arena) {
	return arena->used;
}
