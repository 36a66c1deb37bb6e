/* SPDX-License-Identifier: Apache-2.0 */
/* What the store allocates, counted, and the strings that its parts share. */
#include "gravel/base/mem.h"
#include "store_internal.h"

void *gs_store_alloc(struct gs_store *store, size_t n) {
	void *p = gs_alloc(n);
	if (p != NULL)
		store->bytes += n;
	return p;
}

void *gs_store_resize(struct gs_store *store, void *p, size_t old, size_t n) {
	void *resized = gs_realloc_array(p, n, 1);
	if (resized != NULL)
		store->bytes += n - old;
	return resized;
}

void gs_store_release(struct gs_store *store, void *p, size_t n) {
	if (p != NULL)
		store->bytes -= n;
	gs_free(p);
}

struct symbol *gs_symbol_get(struct gs_store *store, struct gs_str s) {
	struct symbol *symbol = gs_map_get(store->symbols, s);
	if (symbol != NULL) {
		symbol->refs++;
		return symbol;
	}
	symbol = gs_store_alloc(store, sizeof(*symbol) + s.n);
	if (symbol == NULL)
		return NULL;
	symbol->refs = 1;
	symbol->n = (uint32_t)s.n;
	if (s.n != 0)
		memcpy(symbol->p, s.p, s.n);
	if (gs_map_put(store->symbols, gs_symbol_str(symbol), symbol) != GS_OK) {
		gs_store_release(store, symbol, sizeof(*symbol) + s.n);
		return NULL;
	}
	return symbol;
}

void gs_symbol_put(struct gs_store *store, struct symbol *symbol) {
	if (symbol == NULL || --symbol->refs != 0)
		return;
	gs_map_remove(store->symbols, gs_symbol_str(symbol));
	gs_store_release(store, symbol, sizeof(*symbol) + symbol->n);
}
