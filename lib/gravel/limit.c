/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much the store takes. While a batch is prepared, what it brings stands beside what it takes the place of. So one that replaces may go beyond a
 * limit by as much as could leave with it, and whether it is within it is counted when it is known what does leave.
 *
 * What we add ourselves (up and its like, times of pushes, own metrics) is bounded by the groups and never refused: one who looks for what
 * is wrong needs it.
 */
#include "store_internal.h"

static enum owner_kind kind_of(const struct gs_store *store, uint32_t owner) {
	return gs_owner_at(store, owner)->kind;
}

static bool is_limited(const struct gs_store *store, uint32_t owner, const struct batch_point *point) {
	return point->line != 0 && kind_of(store, owner) != OWNER_SELF;
}

static size_t count_series(const struct gs_store *store) {
	return store->nseries - gs_owner_at(store, store->own)->count;
}

/* The series of the group that the series is in. Pushers are one owner: their groups are those of the labels of a target. */
static size_t count_group(const struct gs_store *store, uint32_t owner, uint32_t target) {
	if (kind_of(store, owner) != OWNER_PUSHED)
		return gs_owner_at(store, owner)->count;
	return target != 0 ? gs_text_at(store, target)->pushed : 0;
}

static enum gs_status full_store(const struct gs_store *store, const struct batch_point *point, struct gs_error *err) {
	gs_error_set(
	    err, GS_ELIMIT, point->line, 1, "the store is full: it may hold %zu series", store->options.max_series);
	return gs_error_limit(err, "series");
}

static enum gs_status full_family(const struct gs_store *store, const struct batch_point *point, struct gs_error *err) {
	gs_error_set(err, GS_ELIMIT, point->line, 1, "family \"%.*s\" is full: it may have %zu series",
	    GS_FMT(gs_batch_shortened(point->family->name)), store->options.max_series_per_family);
	return gs_error_limit(err, "series_per_family");
}

static enum gs_status full_group(const struct gs_store *store, const struct batch_point *point, struct gs_error *err) {
	gs_error_set(err, GS_ELIMIT, point->line, 1, "the group {%.*s} is full: it may have %zu series",
	    GS_FMT(gs_batch_shortened(point->target)), store->options.max_series_per_group);
	return gs_error_limit(err, "series_per_group");
}

void gs_limit_begin(struct gs_store *store, const struct gs_batch *batch, uint32_t owner) {
	store->room = (struct room){0};
	if (kind_of(store, owner) != OWNER_PUSHED) {
		store->room.spare = gs_owner_at(store, owner)->count;
		return;
	}
	for (size_t i = 0; i < batch->norder; i++) {
		const struct family *family = NULL;
		if (batch->order[i]->any_family_mode)
			family = gs_family_find(store, batch->order[i]->name);
		if (family != NULL)
			store->room.spare += gs_family_count(family);
	}
}

static bool fits(struct gs_store *store, size_t n, size_t max) {
	if (n <= max)
		return true;
	store->room.over = true;
	return n - max <= store->room.spare;
}

enum gs_status gs_limit_bring(
    struct gs_store *store, uint32_t owner, const struct batch_point *point, struct gs_error *err) {
	if (!is_limited(store, owner, point) || kind_of(store, owner) != OWNER_SCRAPED)
		return GS_OK;
	return ++store->room.brought <= store->options.max_series_per_group ? GS_OK : full_group(store, point, err);
}

enum gs_status gs_limit_add(struct gs_store *store, uint32_t owner, const struct family *family, uint32_t target,
    const struct batch_point *point, struct gs_error *err) {
	const struct gs_store_options *max = &store->options;
	if (!is_limited(store, owner, point))
		return GS_OK;
	if (!fits(store, count_series(store) + 1, max->max_series))
		return full_store(store, point, err);
	if (!fits(store, (family != NULL ? gs_family_count(family) : 0) + 1, max->max_series_per_family))
		return full_family(store, point, err);
	if (kind_of(store, owner) != OWNER_SCRAPED &&
	    !fits(store, count_group(store, owner, target) + 1, max->max_series_per_group))
		return full_group(store, point, err);
	return GS_OK;
}

/* Take a series that leaves out of all that is counted here, or back in. */
static void count_leaving(struct gs_store *store, const struct series *series, bool back) {
	uint32_t by = back ? 1 : UINT32_MAX; /* modulo 2^32: one less */
	gs_owner_at(store, series->owner)->count += by;
	if (kind_of(store, series->owner) == OWNER_PUSHED)
		gs_text_at(store, series->target)->pushed += by;
	gs_family_of(store, series)->holes -= by;
	store->nseries = back ? store->nseries + 1 : store->nseries - 1;
}

static bool count_replaced(struct gs_store *store, const struct series *series, void *back) {
	count_leaving(store, series, *(const bool *)back);
	return false; /* it does not leave now */
}

static void count_rest(struct gs_store *store, uint32_t owner, bool back) {
	bool all = kind_of(store, owner) != OWNER_GATEWAY || store->replaced == owner;
	for (uint32_t i = gs_owner_at(store, owner)->first; i != 0;) {
		const struct series *series = gs_series_at(store, i);
		i = series->owner_next;
		if (series->round != store->round && (all || gs_family_of(store, series)->round == store->round))
			count_leaving(store, series, back);
	}
}

static void count_all_leaving(struct gs_store *store, const struct gs_batch *batch, uint32_t owner, bool back) {
	if (kind_of(store, owner) != OWNER_PUSHED) {
		count_rest(store, owner, back);
		return;
	}
	for (size_t i = 0; i < batch->norder; i++) {
		if (batch->order[i]->any_family_mode && store->applied[i] != NULL)
			gs_apply_visit_replaced(store, store->applied[i], count_replaced, &back);
	}
}

static enum gs_status check_added(
    const struct gs_store *store, uint32_t owner, const struct change *change, struct gs_error *err) {
	const struct gs_store_options *max = &store->options;
	if (!change->created || !is_limited(store, owner, change->point))
		return GS_OK;
	if (count_series(store) > max->max_series)
		return full_store(store, change->point, err);
	if (gs_family_count(gs_family_of(store, change->series)) > max->max_series_per_family)
		return full_family(store, change->point, err);
	if (kind_of(store, owner) != OWNER_SCRAPED &&
	    count_group(store, owner, change->series->target) > max->max_series_per_group)
		return full_group(store, change->point, err);
	return GS_OK;
}

enum gs_status gs_limit_end(
    struct gs_store *store, const struct gs_batch *batch, uint32_t owner, struct gs_error *err) {
	enum gs_status status = GS_OK;
	if (!store->room.over)
		return GS_OK;
	for (size_t i = 0; i < batch->norder; i++) {
		if (store->applied[i] != NULL)
			store->applied[i]->round = store->round;
	}
	count_all_leaving(store, batch, owner, false);
	for (size_t i = 0; i < store->nchanges && status == GS_OK; i++)
		status = check_added(store, owner, &store->changes[i], err);
	count_all_leaving(store, batch, owner, true);
	return status;
}
