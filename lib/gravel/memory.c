/* SPDX-License-Identifier: Apache-2.0 */
/* What the store allocates beside its pools. */
#include "gravel/base/mem.h"
#include "store_internal.h"

void *gs_store_alloc(struct gs_store *store, size_t n) {
	return gs_slab_get(&store->slab, n);
}

void *gs_store_resize(struct gs_store *store, void *p, size_t old, size_t n) {
	return gs_slab_resize(&store->slab, p, old, n);
}

void gs_store_release(struct gs_store *store, void *p, size_t n) {
	gs_slab_put(&store->slab, p, n);
}

void *gs_store_grow(struct gs_store *store, void *p, size_t *cap, size_t n, size_t size) {
	if (n < *cap)
		return p;
	size_t more = *cap < 16 ? 16 : *cap + *cap / 2;
	void *grown = gs_store_resize(store, p, *cap * size, more * size);
	if (grown != NULL)
		*cap = more;
	return grown;
}

struct gs_str gs_store_dup(struct gs_store *store, struct gs_str s) {
	if (s.n == 0)
		return (struct gs_str){0};
	char *p = gs_store_alloc(store, s.n);
	if (p == NULL)
		return (struct gs_str){0};
	memcpy(p, s.p, s.n);
	return gs_str_make(p, s.n);
}

size_t gs_store_bytes(const struct gs_store *store) {
	size_t bytes = sizeof(*store) + store->slab.bytes + store->scratch.cap;
	bytes += gs_pool_bytes(&store->families_pool) + gs_pool_bytes(&store->series_pool) +
		 gs_pool_bytes(&store->owners) + gs_pool_bytes(&store->extras);
	for (unsigned i = 0; i < TEXT_POOLS; i++)
		bytes += gs_pool_bytes(&store->texts[i]);
	return bytes + gs_map_bytes(store->layouts) + gs_map_bytes(store->families) + gs_map_bytes(store->groups) +
	       gs_map_bytes(store->gateways);
}
