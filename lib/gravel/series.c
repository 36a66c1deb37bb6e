/* SPDX-License-Identifier: Apache-2.0 */
/* Series and families: finding, adding, removing, keeping in order. */
#include <assert.h>
#include <stdlib.h>

#include "gravel/base/mem.h"
#include "store_internal.h"

static size_t series_size(size_t nlabels) {
	return sizeof(struct series) + 2 * nlabels * sizeof(struct symbol *);
}

struct family *gs_family_find(const struct gs_store *store, struct gs_str name) {
	return gs_map_get(store->families, name);
}

bool gs_family_type(const struct family *family, enum gs_expo_type *ret) {
	unsigned types = 0;
	for (unsigned t = 0; t <= GS_TYPE_GAUGEHISTOGRAM; t++) {
		if (family->types[t] == 0)
			continue;
		*ret = (enum gs_expo_type)t;
		types++;
	}
	return types == 1;
}

bool gs_series_is(const struct series *series, const struct batch_point *point) {
	if (series->hash != point->hash || series->nlabels != point->nlabels ||
	    !gs_str_eq(gs_symbol_str(series->family->name), point->family->name))
		return false;
	for (uint32_t i = 0; i < point->nlabels; i++) {
		if (!gs_str_eq(gs_symbol_str(series->labels[2 * i]), point->labels[i].name) ||
		    !gs_str_eq(gs_symbol_str(series->labels[2 * i + 1]), point->labels[i].value))
			return false;
	}
	return true;
}

struct series *gs_series_find(const struct gs_store *store, const struct batch_point *point) {
	if (store->cap_table == 0)
		return NULL;
	size_t mask = store->cap_table - 1;
	for (size_t i = point->hash & mask; store->table[i] != NULL; i = (i + 1) & mask) {
		if (gs_series_is(store->table[i], point))
			return store->table[i];
	}
	return NULL;
}

static void table_insert(struct series **table, size_t cap, struct series *series) {
	size_t i = series->hash & (cap - 1);
	while (table[i] != NULL)
		i = (i + 1) & (cap - 1);
	table[i] = series;
}

static enum gs_status table_reserve(struct gs_store *store) {
	if ((store->nseries + 1) * 4 <= store->cap_table * 3)
		return GS_OK;
	size_t cap = store->cap_table != 0 ? store->cap_table * 2 : 64;
	struct series **table = gs_store_alloc(store, cap * sizeof(struct series *));
	if (table == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < store->cap_table; i++) {
		if (store->table[i] != NULL)
			table_insert(table, cap, store->table[i]);
	}
	gs_store_release(store, store->table, store->cap_table * sizeof(struct series *));
	store->table = table;
	store->cap_table = cap;
	return GS_OK;
}

/* Linear probing without tombstones: move back what the hole would hide. */
static void table_remove(struct gs_store *store, const struct series *series) {
	size_t mask = store->cap_table - 1;
	size_t hole = series->hash & mask;
	while (store->table[hole] != series)
		hole = (hole + 1) & mask;
	for (size_t i = (hole + 1) & mask; store->table[i] != NULL; i = (i + 1) & mask) {
		size_t home = store->table[i]->hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		store->table[hole] = store->table[i];
		hole = i;
	}
	store->table[hole] = NULL;
}

static void family_remove(struct gs_store *store, struct family *family) {
	gs_map_remove(store->families, gs_symbol_str(family->name));
	struct family *last = store->order[--store->norder];
	if (last != family)
		store->order_dirty = true;
	store->order[family->position] = last;
	last->position = family->position;
	gs_symbol_put(store, family->name);
	gs_symbol_put(store, family->help);
	gs_store_release(store, family->series, family->cap * sizeof(struct series *));
	gs_store_release(store, family, sizeof(*family));
}

static struct family *family_add(struct gs_store *store, struct gs_str name) {
	if (store->norder == store->cap_order) {
		size_t cap = store->cap_order != 0 ? store->cap_order * 2 : 64;
		struct family **order = gs_store_resize(
		    store, store->order, store->cap_order * sizeof(struct family *), cap * sizeof(struct family *));
		if (order == NULL)
			return NULL;
		store->order = order;
		store->cap_order = cap;
	}
	struct family *family = gs_store_alloc(store, sizeof(*family));
	if (family == NULL)
		return NULL;
	family->name = gs_symbol_get(store, name);
	if (family->name == NULL || gs_map_put(store->families, gs_symbol_str(family->name), family) != GS_OK) {
		gs_symbol_put(store, family->name);
		gs_store_release(store, family, sizeof(*family));
		return NULL;
	}
	family->position = (uint32_t)store->norder;
	store->order[store->norder++] = family;
	store->order_dirty = true;
	return family;
}

static enum gs_status family_reserve(struct gs_store *store, struct family *family) {
	if (family->n < family->cap)
		return GS_OK;
	uint32_t cap = family->cap != 0 ? family->cap * 2 : 4;
	struct series **list = gs_store_resize(
	    store, family->series, family->cap * sizeof(struct series *), cap * sizeof(struct series *));
	if (list == NULL)
		return GS_ENOMEM;
	family->series = list;
	family->cap = cap;
	return GS_OK;
}

static void free_series(struct gs_store *store, struct series *series) {
	for (unsigned i = 0; i < 2U * series->nlabels; i++)
		gs_symbol_put(store, series->labels[i]);
	gs_pebble_free(store, series->pebble);
	gs_parts_free(store, series->value.parts);
	gs_store_release(store, series, series_size(series->nlabels));
}

/* A series that is not linked anywhere yet. */
static struct series *make_series(struct gs_store *store, const struct batch_point *point, enum gs_expo_type type) {
	struct series *series = gs_store_alloc(store, series_size(point->nlabels));
	if (series == NULL)
		return NULL;
	series->hash = point->hash;
	series->type = (uint8_t)type;
	series->nlabels = (uint8_t)point->nlabels;
	for (uint32_t i = 0; i < point->nlabels; i++) {
		series->labels[2 * i] = gs_symbol_get(store, point->labels[i].name);
		series->labels[2 * i + 1] = gs_symbol_get(store, point->labels[i].value);
		if (series->labels[2 * i] == NULL || series->labels[2 * i + 1] == NULL) {
			free_series(store, series);
			return NULL;
		}
	}
	return series;
}

static void link_owner(struct series *series, struct owner *owner) {
	series->owner = owner;
	series->prev = owner->last;
	series->next = NULL;
	*(owner->last != NULL ? &owner->last->next : &owner->first) = series;
	owner->last = series;
	owner->count++;
}

static void unlink_owner(struct series *series) {
	struct owner *owner = series->owner;
	*(series->prev != NULL ? &series->prev->next : &owner->first) = series->next;
	*(series->next != NULL ? &series->next->prev : &owner->last) = series->prev;
	owner->count--;
}

void gs_series_own(struct series *series, struct owner *owner) {
	if (series->owner == owner && owner->last == series)
		return;
	unlink_owner(series);
	link_owner(series, owner);
}

enum gs_status gs_series_add(struct gs_store *store, const struct batch_point *point, enum gs_expo_type type,
    struct owner *owner, struct series **ret) {
	if (store->nseries >= store->options.max_series)
		return GS_ELIMIT;
	struct family *family = gs_family_find(store, point->family->name);
	if (family == NULL)
		family = family_add(store, point->family->name);
	if (family == NULL)
		return GS_ENOMEM;
	struct series *series = NULL;
	if (family_reserve(store, family) == GS_OK && table_reserve(store) == GS_OK)
		series = make_series(store, point, type);
	if (series == NULL) {
		if (family->n == 0)
			family_remove(store, family);
		return GS_ENOMEM;
	}
	series->family = family;
	series->position = family->n;
	family->series[family->n++] = series;
	family->types[type]++;
	gs_family_touch(store, family);
	link_owner(series, owner);
	table_insert(store->table, store->cap_table, series);
	store->nseries++;
	*ret = series;
	return GS_OK;
}

void gs_series_remove(struct gs_store *store, struct series *series) {
	struct family *family = series->family;
	table_remove(store, series);
	unlink_owner(series);
	struct series *last = family->series[--family->n];
	family->series[series->position] = last;
	last->position = series->position;
	if (series->position < family->sorted)
		family->sorted = series->position;
	family->types[series->type]--;
	family->npebbles -= series->pebble != NULL;
	gs_family_touch(store, family);
	store->nseries--;
	free_series(store, series);
	if (family->n == 0)
		family_remove(store, family);
}

void gs_series_retype(struct series *series, enum gs_expo_type type) {
	series->family->types[series->type]--;
	series->family->types[type]++;
	series->type = (uint8_t)type;
}

bool gs_series_has_labels(const struct series *series, const struct gs_label *labels, size_t n) {
	for (size_t l = 0; l < n; l++) {
		bool found = labels[l].value.n == 0; /* empty is absent */
		for (unsigned i = 0; i < series->nlabels; i++) {
			if (!gs_str_eq(gs_symbol_str(series->labels[2 * i]), labels[l].name))
				continue;
			found = gs_str_eq(gs_symbol_str(series->labels[2 * i + 1]), labels[l].value);
			break;
		}
		if (!found)
			return false;
	}
	return true;
}

int gs_series_compare(const struct series *a, const struct series *b) {
	for (unsigned i = 0; i < 2U * a->nlabels && i < 2U * b->nlabels; i++) {
		if (a->labels[i] == b->labels[i])
			continue;
		return gs_str_cmp(gs_symbol_str(a->labels[i]), gs_symbol_str(b->labels[i]));
	}
	return (a->nlabels > b->nlabels) - (a->nlabels < b->nlabels);
}

static int compare_series_slots(const void *a, const void *b) {
	return gs_series_compare(*(struct series *const *)a, *(struct series *const *)b);
}

void gs_family_sort(struct family *family) {
	if (family->sorted == family->n)
		return;
	qsort(family->series, family->n, sizeof(struct series *), compare_series_slots);
	for (uint32_t i = 0; i < family->n; i++)
		family->series[i]->position = i;
	family->sorted = family->n;
}

static int compare_families(const void *a, const void *b) {
	return gs_str_cmp(
	    gs_symbol_str((*(struct family *const *)a)->name), gs_symbol_str((*(struct family *const *)b)->name));
}

void gs_store_sort(struct gs_store *store) {
	if (!store->order_dirty)
		return;
	qsort(store->order, store->norder, sizeof(struct family *), compare_families);
	for (size_t i = 0; i < store->norder; i++)
		store->order[i]->position = (uint32_t)i;
	store->order_dirty = false;
}
