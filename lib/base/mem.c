/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Allocations left before the ordered failure; < 0: none is ordered. */
static _Atomic int64_t fail_after = -1;
static _Atomic int failed;

int gs_mem_denied(void) {
	if (atomic_load_explicit(&fail_after, memory_order_relaxed) < 0)
		return 0;
	if (atomic_fetch_sub(&fail_after, 1) != 0)
		return 0;
	atomic_store(&failed, 1);
	return 1;
}

void *gs_alloc(size_t n) {
	return gs_alloc_array(1, n);
}

void *gs_alloc_array(size_t count, size_t size) {
	size_t n;
	if (__builtin_mul_overflow(count, size, &n) || gs_mem_denied())
		return NULL;
	return calloc(count != 0 ? count : 1, size != 0 ? size : 1);
}

void *gs_realloc_array(void *p, size_t count, size_t size) {
	size_t n;
	if (__builtin_mul_overflow(count, size, &n) || gs_mem_denied())
		return NULL;
	return realloc(p, n != 0 ? n : 1);
}

void *gs_grow_array(void *p, size_t *cap, size_t n, size_t size) {
	if (n < *cap)
		return p;
	size_t twice;
	if (__builtin_mul_overflow(*cap, 2, &twice))
		return NULL;
	if (twice == 0)
		twice = 16;
	void *grown = gs_realloc_array(p, twice, size);
	if (grown != NULL)
		*cap = twice;
	return grown;
}

char *gs_strdup(struct gs_str s) {
	char *p = gs_alloc_array(s.n + 1, 1);
	if (p != NULL && s.n != 0)
		memcpy(p, s.p, s.n);
	return p;
}

void gs_free(void *p) {
	free(p);
}

void gs_mem_fail_after(int64_t n) {
	atomic_store(&failed, 0);
	atomic_store(&fail_after, n);
}

int gs_mem_failed(void) {
	return atomic_load(&failed);
}
