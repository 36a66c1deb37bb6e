/* SPDX-License-Identifier: Apache-2.0 */
/* Who put series here, and the lists of series: of an owner, in order of renewal, and of a target. */
#include <assert.h>

#include "gravel/base/limits.h"
#include "store_internal.h"

uint32_t gs_owner_new(struct gs_store *store, enum owner_kind kind) {
	uint32_t number = gs_pool_get(&store->owners);
	if (number != 0)
		gs_owner_at(store, number)->kind = kind;
	return number;
}

void gs_owner_free(struct gs_store *store, uint32_t number) {
	assert(gs_owner_at(store, number)->count == 0);
	gs_pool_put(&store->owners, number);
}

static bool is_pushed(const struct gs_store *store, uint32_t owner) {
	return gs_owner_at(store, owner)->kind == OWNER_PUSHED;
}

static void link_in(struct gs_store *store, uint32_t owner, uint32_t number, struct series *series) {
	struct owner *to = gs_owner_at(store, owner);
	series->owner = owner;
	series->owner_prev = to->last;
	series->owner_next = 0;
	*(to->last != 0 ? &gs_series_at(store, to->last)->owner_next : &to->first) = number;
	to->last = number;
	to->count++;
}

static void unlink_from(struct gs_store *store, struct series *series) {
	struct owner *from = gs_owner_at(store, series->owner);
	*(series->owner_prev != 0 ? &gs_series_at(store, series->owner_prev)->owner_next : &from->first) =
	    series->owner_next;
	*(series->owner_next != 0 ? &gs_series_at(store, series->owner_next)->owner_prev : &from->last) =
	    series->owner_prev;
	from->count--;
}

void gs_owner_link(struct gs_store *store, uint32_t owner, uint32_t number, struct series *series) {
	link_in(store, owner, number, series);
	gs_text_at(store, series->target)->pushed += is_pushed(store, owner);
}

void gs_owner_unlink(struct gs_store *store, struct series *series) {
	unlink_from(store, series);
	gs_text_at(store, series->target)->pushed -= is_pushed(store, series->owner);
}

void gs_owner_take(struct gs_store *store, uint32_t owner, struct series *series) {
	if (series->owner == owner && series->owner_next == 0)
		return;
	uint32_t number = gs_series_number(store, series);
	int more = is_pushed(store, owner) - is_pushed(store, series->owner);
	unlink_from(store, series);
	link_in(store, owner, number, series);
	if (more != 0) /* mostly its owner stays, and then its target need not be looked at */
		gs_text_at(store, series->target)->pushed += (uint32_t)more;
}

void gs_owner_clear(struct gs_store *store, uint32_t owner) {
	const struct owner *from = gs_owner_at(store, owner);
	while (from->first != 0)
		gs_series_remove(store, gs_series_at(store, from->first));
}

/* One more, or the place of one that nobody uses. */
static enum gs_status new_lease(struct gs_store *store, uint32_t *ret) {
	for (size_t i = 0; i < store->nleases; i++) {
		*ret = store->leases[i];
		if (gs_owner_at(store, *ret)->count == 0)
			return GS_OK;
	}
	if (store->nleases == GS_LIMIT_TTLS)
		return GS_ELIMIT;
	uint32_t *leases = gs_store_grow(store, store->leases, &store->cap_leases, store->nleases, sizeof(*leases));
	if (leases == NULL)
		return GS_ENOMEM;
	store->leases = leases;
	*ret = gs_owner_new(store, OWNER_PUSHED);
	if (*ret == 0)
		return GS_ENOMEM;
	leases[store->nleases++] = *ret;
	return GS_OK;
}

enum gs_status gs_owner_pushed(struct gs_store *store, int64_t ttl_ms, uint32_t *ret) {
	for (size_t i = 0; i < store->nleases; i++) {
		*ret = store->leases[i];
		if (gs_owner_at(store, *ret)->ttl_ms == ttl_ms)
			return GS_OK;
	}
	enum gs_status status = new_lease(store, ret);
	if (status == GS_OK)
		gs_owner_at(store, *ret)->ttl_ms = ttl_ms;
	return status;
}

bool gs_owner_same(const struct gs_store *store, uint32_t a, uint32_t b) {
	return a == b || (gs_owner_at(store, a)->kind == OWNER_PUSHED && gs_owner_at(store, b)->kind == OWNER_PUSHED);
}

enum gs_status gs_target_reserve(struct gs_store *store) {
	uint32_t *targets =
	    gs_store_grow(store, store->targets, &store->cap_targets, store->ntargets, sizeof(*targets));
	if (targets == NULL)
		return GS_ENOMEM;
	store->targets = targets;
	return GS_OK;
}

void gs_target_link(struct gs_store *store, uint32_t number, struct series *series) {
	struct text *target = gs_text_at(store, series->target);
	series->target_prev = 0;
	series->target_next = target->first;
	if (target->first != 0)
		gs_series_at(store, target->first)->target_prev = number;
	target->first = number;
	if (target->count++ != 0)
		return;
	target->position = (uint32_t)store->ntargets;
	store->targets[store->ntargets++] = series->target;
}

void gs_target_unlink(struct gs_store *store, struct series *series) {
	struct text *target = gs_text_at(store, series->target);
	*(series->target_prev != 0 ? &gs_series_at(store, series->target_prev)->target_next : &target->first) =
	    series->target_next;
	if (series->target_next != 0)
		gs_series_at(store, series->target_next)->target_prev = series->target_prev;
	if (--target->count != 0)
		return;
	uint32_t last = store->targets[--store->ntargets];
	store->targets[target->position] = last;
	gs_text_at(store, last)->position = target->position;
}
