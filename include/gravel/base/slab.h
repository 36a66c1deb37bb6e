/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_SLAB_H
#define GRAVEL_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "gravel/base/error.h"

/*
 * Small memory of many sizes, without a header for each piece: the caller knows how large it is. Pieces are cut from blocks by classes of
 * size, and what is put back is handed out again to the same class. What is larger than GS_SLAB_MAX comes from gs_alloc. Not thread-safe.
 */
#define GS_SLAB_MAX 4096
#define GS_SLAB_CLASSES 44

struct gs_slab {
	void *free[GS_SLAB_CLASSES]; /* each begins with a pointer to the next one */
	char *room[GS_SLAB_CLASSES]; /* of the class' last block: what was never handed out */
	size_t left[GS_SLAB_CLASSES]; /* bytes there */
	void *blocks; /* each begins with a pointer to the next one */
	size_t bytes; /* allocated */
	size_t used; /* handed out, rounded up to classes */
};

/** gs_slab_init(slab): Empty; allocates nothing. */
void gs_slab_init(struct gs_slab *slab);

/** gs_slab_free(slab): Free all blocks; what is larger than GS_SLAB_MAX must have been put back. */
void gs_slab_free(struct gs_slab *slab);

/** gs_slab_get(slab, n): ${n} zeroed bytes, aligned for any type; NULL when out of memory. */
void *gs_slab_get(struct gs_slab *slab, size_t n);

/** gs_slab_put(slab, p, n): Take back what was got with that ${n}; NULL is nothing. */
void gs_slab_put(struct gs_slab *slab, void *p, size_t n);

/** gs_slab_class(n): The class of ${n} bytes, at most GS_SLAB_MAX: below GS_SLAB_CLASSES. */
unsigned gs_slab_class(size_t n);

/** gs_slab_class_bytes(class): The largest ${n} of that class. */
size_t gs_slab_class_bytes(unsigned class);

/** gs_slab_resize(slab, p, old, n): Get ${n} bytes with what fits of the ${old} bytes of ${p} (may be NULL); NULL when out of memory, ${p} then stays. */
void *gs_slab_resize(struct gs_slab *slab, void *p, size_t old, size_t n);

#endif
