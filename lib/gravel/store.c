/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/gravel/store.h"

#include <assert.h>

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "store_internal.h"

static void init_pools(struct gs_store *store) {
	gs_slab_init(&store->slab);
	gs_pool_init(&store->families_pool, sizeof(struct family));
	gs_pool_init(&store->series_pool, sizeof(struct series));
	gs_pool_init(&store->owners, sizeof(struct owner));
	gs_pool_init(&store->extras, sizeof(struct extra));
	gs_buf_init(&store->scratch, SIZE_MAX / 2);
	store->shape = 1;
	store->secret = gs_hash(GS_STR("series"));
}

struct gs_store *gs_store_new(const struct gs_store_options *options) {
	struct gs_store *store = gs_alloc(sizeof(*store));
	if (store == NULL)
		return NULL;
	store->options = *options;
	if (store->options.max_series == 0)
		store->options.max_series = GS_LIMIT_SERIES;
	if (store->options.max_series_per_family == 0)
		store->options.max_series_per_family = GS_LIMIT_SERIES_PER_FAMILY;
	if (store->options.max_series_per_group == 0)
		store->options.max_series_per_group = GS_LIMIT_SERIES_PER_GROUP;
	if (store->options.max_groups == 0)
		store->options.max_groups = GS_LIMIT_GROUPS;
	init_pools(store);
	store->layouts = gs_map_new(SIZE_MAX);
	store->families = gs_map_new(SIZE_MAX);
	store->groups = gs_map_new(store->options.max_groups);
	store->gateways = gs_map_new(store->options.max_groups);
	store->times = gs_batch_new();
	if (store->layouts == NULL || store->families == NULL || store->groups == NULL || store->gateways == NULL ||
	    store->times == NULL || gs_texts_open(store) != GS_OK ||
	    (store->own = gs_owner_new(store, OWNER_SELF)) == 0) {
		gs_store_free(store);
		return NULL;
	}
	return store;
}

static void clear_groups(struct gs_store *store, struct gs_map *groups) {
	size_t cursor = 0;
	struct group *group;
	while (groups != NULL && (group = gs_map_next(groups, &cursor, NULL)) != NULL) {
		gs_map_remove(groups, group->key);
		gs_group_free(store, group);
	}
}

void gs_store_free(struct gs_store *store) {
	if (store == NULL)
		return;
	clear_groups(store, store->groups);
	clear_groups(store, store->gateways);
	for (size_t i = 0; i < store->nleases; i++)
		gs_owner_clear(store, store->leases[i]);
	if (store->own != 0)
		gs_owner_clear(store, store->own);
	assert(store->nseries == 0 && store->norder == 0 && store->ntargets == 0 && store->extras.used == 0);
	gs_texts_close(store);
	gs_store_release(store, store->table, store->cap_table * sizeof(uint32_t));
	gs_store_release(store, store->order, store->cap_order * sizeof(struct family *));
	gs_store_release(store, store->targets, store->cap_targets * sizeof(uint32_t));
	gs_store_release(store, store->leases, store->cap_leases * sizeof(uint32_t));
	gs_store_release(store, store->applied, store->cap_applied * sizeof(struct family *));
	gs_store_release(store, store->changes, store->cap_changes * sizeof(struct change));
	gs_store_release(store, store->helps, store->cap_helps * sizeof(struct help));
	assert(store->slab.used == 0);
	gs_slab_free(&store->slab);
	gs_pool_free(&store->families_pool);
	gs_pool_free(&store->series_pool);
	gs_pool_free(&store->owners);
	gs_pool_free(&store->extras);
	gs_buf_free(&store->scratch);
	gs_batch_free(store->times);
	gs_map_free(store->layouts);
	gs_map_free(store->families);
	gs_map_free(store->groups);
	gs_map_free(store->gateways);
	gs_free(store);
}

enum gs_status gs_store_push(struct gs_store *store, const struct gs_batch *batch, int64_t time_ms,
    struct gs_store_result *ret, struct gs_error *err) {
	int64_t ttl_ms = batch->options.ttl_ms != 0 ? batch->options.ttl_ms : store->options.expiration_ms;
	uint32_t owner;
	*ret = (struct gs_store_result){0};
	enum gs_status status = gs_owner_pushed(store, ttl_ms, &owner);
	if (status == GS_ELIMIT)
		return gs_error_set(err, status, 0, 0,
		    "more than %d different times to live: use one that is in use already", GS_LIMIT_TTLS);
	if (status != GS_OK)
		return status;
	status = gs_apply_prepare(store, batch, owner, time_ms, ret, err);
	if (status != GS_OK) {
		gs_apply_abort(store);
		return status;
	}
	gs_apply_commit(store, batch, owner, time_ms, ret);
	return GS_OK;
}

enum gs_status gs_store_delete(
    struct gs_store *store, const struct gs_label *labels, size_t nlabels, struct gs_store_result *ret) {
	struct wanted wanted;
	*ret = (struct gs_store_result){0};
	enum gs_status status = gs_wanted_open(&wanted, labels, nlabels);
	if (status == GS_OK)
		ret->series_gone = gs_pushed_remove(store, &wanted, NULL, NULL);
	gs_wanted_close(&wanted);
	return status;
}

struct gs_store_stats gs_store_stats(const struct gs_store *store) {
	size_t groups = gs_map_count(store->groups) - store->ngone;
	return (struct gs_store_stats){
	    .families = store->norder,
	    .series = store->nseries,
	    .groups_fresh = groups - store->nstale,
	    .groups_stale = store->nstale,
	    .groups_gateway = gs_map_count(store->gateways),
	    .bytes = gs_store_bytes(store),
	};
}
