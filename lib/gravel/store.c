/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/gravel/store.h"

#include <assert.h>

#include "gravel/base/mem.h"
#include "store_internal.h"

struct gs_store *gs_store_new(const struct gs_store_options *options) {
	struct gs_store *store = gs_alloc(sizeof(*store));
	if (store == NULL)
		return NULL;
	store->options = *options;
	if (store->options.max_series == 0)
		store->options.max_series = GS_LIMIT_SERIES;
	if (store->options.max_groups == 0)
		store->options.max_groups = GS_LIMIT_GROUPS;
	store->symbols = gs_map_new(SIZE_MAX);
	store->layouts = gs_map_new(SIZE_MAX);
	store->families = gs_map_new(SIZE_MAX);
	store->groups = gs_map_new(store->options.max_groups);
	if (store->symbols == NULL || store->layouts == NULL || store->families == NULL || store->groups == NULL) {
		gs_store_free(store);
		return NULL;
	}
	return store;
}

static void remove_all(struct gs_store *store, struct owner *owner) {
	while (owner->first != NULL)
		gs_series_remove(store, owner->first);
}

void gs_store_free(struct gs_store *store) {
	if (store == NULL)
		return;
	size_t cursor = 0;
	struct group *group;
	while (store->groups != NULL && (group = gs_map_next(store->groups, &cursor, NULL)) != NULL) {
		remove_all(store, &group->owner);
		gs_map_remove(store->groups, group->key);
		gs_store_release(store, group, sizeof(*group) + group->key.n);
	}
	remove_all(store, &store->pushed);
	remove_all(store, &store->own);
	gs_store_release(store, store->table, store->cap_table * sizeof(struct series *));
	gs_store_release(store, store->order, store->cap_order * sizeof(struct family *));
	gs_store_release(store, store->changes, store->cap_changes * sizeof(struct change));
	assert(store->bytes == 0);
	gs_map_free(store->symbols);
	gs_map_free(store->layouts);
	gs_map_free(store->families);
	gs_map_free(store->groups);
	gs_free(store);
}

enum gs_status gs_store_push(struct gs_store *store, const struct gs_batch *batch, int64_t time_ms,
    struct gs_store_result *ret, struct gs_error *err) {
	*ret = (struct gs_store_result){0};
	enum gs_status status = gs_apply_prepare(store, batch, &store->pushed, time_ms, ret, err);
	if (status != GS_OK) {
		gs_apply_abort(store);
		return status;
	}
	gs_apply_commit(store, batch, &store->pushed, time_ms, ret);
	return GS_OK;
}

void gs_store_delete(
    struct gs_store *store, const struct gs_label *labels, size_t nlabels, struct gs_store_result *ret) {
	*ret = (struct gs_store_result){0};
	struct series *next;
	for (struct series *series = store->pushed.first; series != NULL; series = next) {
		next = series->next;
		if (!gs_series_has_labels(series, labels, nlabels))
			continue;
		gs_series_remove(store, series);
		ret->series_gone++;
	}
}

struct gs_store_stats gs_store_stats(const struct gs_store *store) {
	size_t groups = gs_map_count(store->groups);
	return (struct gs_store_stats){
	    .families = store->norder,
	    .series = store->nseries,
	    .groups_fresh = groups - store->nstale,
	    .groups_stale = store->nstale,
	    .bytes = sizeof(*store) + store->bytes + gs_map_bytes(store->symbols) + gs_map_bytes(store->layouts) +
		     gs_map_bytes(store->families) + gs_map_bytes(store->groups),
	};
}

static size_t check_owner(const struct owner *owner) {
	size_t n = 0;
	for (const struct series *s = owner->first; s != NULL; s = s->next) {
		assert(s->owner == owner);
		assert(s->next != NULL ? s->next->prev == s : owner->last == s);
		n++;
	}
	assert(n == owner->count);
	return n;
}

static void check_series(const struct gs_store *store, const struct series *series) {
	size_t mask = store->cap_table - 1, i = series->hash & mask;
	while (store->table[i] != series) {
		assert(store->table[i] != NULL);
		i = (i + 1) & mask;
	}
	bool simple = gs_kind_of_type((enum gs_expo_type)series->type) == KIND_SIMPLE;
	assert(series->has_value);
	assert(series->pebble != NULL ? series->value.parts == NULL : simple == (series->value.parts == NULL));
	if (series->pebble != NULL)
		gs_pebble_check(series->pebble);
	for (unsigned l = 2; l < 2U * series->nlabels; l += 2)
		assert(gs_str_cmp(gs_symbol_str(series->labels[l - 2]), gs_symbol_str(series->labels[l])) < 0);
}

static size_t check_family(const struct gs_store *store, const struct family *family) {
	uint32_t types[GS_TYPE_GAUGEHISTOGRAM + 1] = {0}, pebbles = 0;
	assert(family->version != 0 && family->version <= store->version);
	assert(family->n > 0 && family->sorted <= family->n);
	assert(gs_map_get(store->families, gs_symbol_str(family->name)) == family);
	for (uint32_t i = 0; i < family->n; i++) {
		const struct series *series = family->series[i];
		assert(series->family == family && series->position == i);
		assert(i == 0 || i >= family->sorted || gs_series_compare(family->series[i - 1], series) < 0);
		types[series->type]++;
		pebbles += series->pebble != NULL;
		check_series(store, series);
	}
	assert(memcmp(types, family->types, sizeof(types)) == 0);
	assert(pebbles == family->npebbles);
	return family->n;
}

void gs_store_check(struct gs_store *store) {
	size_t in_families = 0, owned = check_owner(&store->pushed) + check_owner(&store->own), stale = 0, cursor = 0;
	for (size_t i = 0; i < store->norder; i++) {
		assert(store->order[i]->position == i);
		if (i > 0 && !store->order_dirty)
			assert(gs_str_cmp(
				   gs_symbol_str(store->order[i - 1]->name), gs_symbol_str(store->order[i]->name)) < 0);
		in_families += check_family(store, store->order[i]);
	}
	assert(gs_map_count(store->families) == store->norder);
	for (const struct group *g = gs_map_next(store->groups, &cursor, NULL); g != NULL;
	     g = gs_map_next(store->groups, &cursor, NULL)) {
		owned += check_owner(&g->owner);
		stale += g->stale;
		assert(!g->stale || g->owner.count == 0);
	}
	assert(in_families == store->nseries && owned == store->nseries && stale == store->nstale);
	gs_map_check(store->symbols);
	gs_map_check(store->layouts);
}
