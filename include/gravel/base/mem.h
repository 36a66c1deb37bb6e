/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_MEM_H
#define GRAVEL_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "gravel/base/str.h"

/* All allocation of the project goes through here, so that a test can fail the n-th one. Every
 * function may be called on any thread; NULL means out of memory (or that a test said so). */

/** gs_alloc(n): Return ${n} zeroed bytes, to be freed with gs_free. */
void *gs_alloc(size_t n) __attribute__((malloc));

/** gs_alloc_array(count, size): As gs_alloc for count * size bytes; NULL if that overflows. */
void *gs_alloc_array(size_t count, size_t size) __attribute__((malloc));

/** gs_realloc_array(p, count, size):
 * Resize ${p} (may be NULL) to count * size bytes, new bytes undefined. On failure ${p} stays. */
void *gs_realloc_array(void *p, size_t count, size_t size);

/** gs_grow_array(p, cap, n, size):
 * Make room for one more element behind the ${n} in ${p} (may be NULL), whose capacity is *${cap}: return ${p} itself where there is room, else
 * the array at twice the capacity, which is noted in *${cap}. On failure NULL, and ${p} and *${cap} stay. */
void *gs_grow_array(void *p, size_t *cap, size_t n, size_t size);

/** gs_strdup(s): Return a NUL-terminated copy of ${s}. */
char *gs_strdup(struct gs_str s) __attribute__((malloc));

/** gs_free(p): Free ${p}; NULL is nothing. */
void gs_free(void *p);

/** gs_mem_denied(): Whether a test wants the allocation that is about to happen to fail: for allocators that cut memory which they have already. */
int gs_mem_denied(void);

/** gs_mem_fail_after(n):
 * For tests: let the next ${n} allocations of the process succeed and the one after them fail, once. A negative
 * ${n} switches that off. */
void gs_mem_fail_after(int64_t n);

/** gs_mem_failed(): For tests: whether the failure ordered last has happened. */
int gs_mem_failed(void);

#endif
