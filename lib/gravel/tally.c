/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one slice of a pebble keeps of histograms or summaries. Each bucket of a histogram is a step function of its bound: at a bound that a push does not
 * have it counts what the push has at the largest bound below, or nothing. So a bound that comes late begins as its neighbour below, and the
 * result is as if every push had had every bound. A quantile is there or not.
 */
#include "archive.h"

static size_t tally_size(const struct rule *rule, uint32_t nbounds) {
	return sizeof(struct tally) + ((size_t)nbounds + 2) * rule->width * sizeof(union slot);
}

/* The cells of the bounds by their number; behind them those of sum and count. */
static union slot *cell_at(const struct rule *rule, struct tally *tally, uint32_t i) {
	return tally->slots + (size_t)i * rule->width;
}

static const union slot *const_cell_at(const struct rule *rule, const struct tally *tally, uint32_t i) {
	return tally->slots + (size_t)i * rule->width;
}

static enum gs_pebble_agg agg_at(const struct rule *rule, const struct tally *tally, uint32_t i) {
	return i < tally->layout->n ? gs_rule_bound_agg(rule) : rule->agg;
}

/* An empty one. Takes the ref, also without memory. */
static struct tally *tally_new(struct gs_store *store, const struct rule *rule, struct layout *layout) {
	if (layout == NULL)
		return NULL;
	struct tally *tally = gs_store_alloc(store, tally_size(rule, layout->n));
	if (tally == NULL) {
		gs_layout_put(store, layout);
		return NULL;
	}
	tally->layout = layout;
	for (uint32_t i = 0; i < layout->n + 2; i++)
		gs_cell_clear(cell_at(rule, tally, i), agg_at(rule, tally, i));
	return tally;
}

void gs_tally_free(struct gs_store *store, const struct rule *rule, struct tally *tally) {
	if (tally == NULL)
		return;
	uint32_t n = tally->layout->n;
	for (uint32_t i = 0; i < n + 2; i++)
		gs_cell_free(store, cell_at(rule, tally, i), agg_at(rule, tally, i));
	gs_layout_put(store, tally->layout);
	gs_store_release(store, tally, tally_size(rule, n));
}

/* Merge ${from} into ${into}, which has all of its bounds. */
static enum gs_status add_all(
    struct gs_store *store, const struct rule *rule, struct tally *into, const struct tally *from) {
	const struct layout *to = into->layout, *has = from->layout;
	enum gs_pebble_agg agg = gs_rule_bound_agg(rule);
	enum gs_status status = GS_OK;
	uint32_t k = 0; /* bounds of from at or below this one */
	for (uint32_t i = 0; i < to->n && status == GS_OK; i++) {
		union slot *cell = cell_at(rule, into, i);
		while (k < has->n && has->at[k] <= to->at[i])
			k++;
		if (k != 0 && (rule->kind == KIND_HISTOGRAM || has->at[k - 1] == to->at[i]))
			status = gs_cell_merge(store, cell, const_cell_at(rule, from, k - 1), agg);
		else if (rule->kind == KIND_HISTOGRAM && has->n != 0)
			status = gs_cell_merge_zeros(store, cell, const_cell_at(rule, from, 0), agg);
	}
	for (uint32_t i = 0; i < 2 && status == GS_OK; i++)
		status = gs_cell_merge(
		    store, cell_at(rule, into, to->n + i), const_cell_at(rule, from, has->n + i), rule->agg);
	into->has_sum |= from->has_sum;
	into->has_count |= from->has_count;
	return status;
}

/* A copy for these bounds, which are all of ${from} and perhaps more. Takes the ref, also without memory. */
static struct tally *widen(
    struct gs_store *store, const struct rule *rule, const struct tally *from, struct layout *layout) {
	struct tally *wide = tally_new(store, rule, layout);
	if (wide != NULL && add_all(store, rule, wide, from) != GS_OK) {
		gs_tally_free(store, rule, wide);
		return NULL;
	}
	return wide;
}

static enum gs_status reserve_cells(struct gs_store *store, const struct rule *rule, struct tally *tally) {
	enum gs_status status = GS_OK;
	for (uint32_t i = 0; i < tally->layout->n + 2 && status == GS_OK; i++)
		status = gs_cell_reserve(store, cell_at(rule, tally, i), agg_at(rule, tally, i));
	return status;
}

static bool has_bounds(const struct layout *layout, const struct batch_point *point) {
	uint32_t i = 0;
	for (uint32_t k = 0; k < point->nparts; k++) {
		while (i < layout->n && layout->at[i] < point->parts[k].at)
			i++;
		if (i == layout->n || layout->at[i] != point->parts[k].at)
			return false;
	}
	return true;
}

enum gs_status gs_tally_reserve(struct gs_store *store, const struct rule *rule, struct tally *tally,
    const struct batch_point *point, struct tally **ret) {
	*ret = NULL;
	if (tally != NULL && has_bounds(tally->layout, point))
		return reserve_cells(store, rule, tally);
	struct layout *layout = gs_layout_of_point(store, point);
	if (layout != NULL && tally != NULL && !gs_layout_fits(tally->layout, layout)) {
		gs_layout_put(store, layout);
		return GS_ELIMIT;
	}
	if (layout != NULL && tally != NULL) {
		struct layout *both = gs_layout_union(store, tally->layout, layout);
		gs_layout_put(store, layout);
		layout = both;
	}
	struct tally *made =
	    tally != NULL && layout != NULL ? widen(store, rule, tally, layout) : tally_new(store, rule, layout);
	if (made == NULL)
		return GS_ENOMEM;
	if (reserve_cells(store, rule, made) != GS_OK) {
		gs_tally_free(store, rule, made);
		return GS_ENOMEM;
	}
	*ret = made;
	return GS_OK;
}

void gs_tally_add(const struct rule *rule, struct tally *tally, const struct batch_point *point, int64_t at_ms) {
	const struct layout *layout = tally->layout;
	enum gs_pebble_agg agg = gs_rule_bound_agg(rule);
	uint32_t k = 0; /* parts of the point at or below this bound */
	for (uint32_t i = 0; i < layout->n; i++) {
		while (k < point->nparts && point->parts[k].at <= layout->at[i])
			k++;
		if (rule->kind == KIND_HISTOGRAM && point->nparts != 0)
			gs_cell_add(cell_at(rule, tally, i), agg, k != 0 ? point->parts[k - 1].value : 0, at_ms);
		else if (k != 0 && point->parts[k - 1].at == layout->at[i])
			gs_cell_add(cell_at(rule, tally, i), agg, point->parts[k - 1].value, at_ms);
	}
	if (point->has_sum)
		gs_cell_add(cell_at(rule, tally, layout->n), rule->agg, point->sum, at_ms);
	if (point->has_count)
		gs_cell_add(cell_at(rule, tally, layout->n + 1), rule->agg, point->count, at_ms);
	tally->has_sum |= point->has_sum;
	tally->has_count |= point->has_count;
}

enum gs_status gs_tally_merge(
    struct gs_store *store, const struct rule *rule, struct tally **into, const struct tally *from) {
	if (*into == NULL) {
		*into = widen(store, rule, from, gs_layout_ref(from->layout));
		return *into != NULL ? GS_OK : GS_ENOMEM;
	}
	if ((*into)->layout != from->layout) {
		struct layout *layout = gs_layout_union(store, (*into)->layout, from->layout);
		struct tally *wide = layout != NULL ? widen(store, rule, *into, layout) : NULL;
		if (wide == NULL)
			return GS_ENOMEM;
		gs_tally_free(store, rule, *into);
		*into = wide;
	}
	return add_all(store, rule, *into, from);
}

/* Buckets whose order the aggregation did not keep, as a standard deviation does not: each is at least the one below, and the count is that of +Inf. */
static void make_cumulative(struct parts *parts) {
	const struct layout *layout = parts->layout;
	double below = 0;
	for (uint32_t i = 0; i < layout->n; i++) {
		parts->v[i] = below = gs_greater(below, parts->v[i]);
	}
	if (parts->has_count && layout->n != 0 && layout->at[layout->n - 1] == INFINITY)
		parts->count = below;
}

struct parts *gs_tally_read(struct gs_store *store, const struct rule *rule, const struct tally *tally, bool empty) {
	union slot nothing[CELL_SLOTS_MAX];
	uint32_t n = tally->layout->n;
	struct parts *parts = gs_parts_new(store, gs_layout_ref(tally->layout));
	if (parts == NULL)
		return NULL;
	for (uint32_t i = 0; i < n + 2; i++) {
		enum gs_pebble_agg agg = agg_at(rule, tally, i);
		gs_cell_clear(nothing, agg);
		double value = gs_cell_read(empty ? nothing : const_cell_at(rule, tally, i), rule, agg);
		*(i < n ? &parts->v[i] : i == n ? &parts->sum : &parts->count) = value;
	}
	parts->has_sum = tally->has_sum;
	parts->has_count = tally->has_count;
	if (rule->kind == KIND_HISTOGRAM)
		make_cumulative(parts);
	return parts;
}

void gs_archive_tally(struct archive *archive, const struct rule *rule, struct tally **tally) {
	struct layout *layout = archive->loading ? NULL : (*tally)->layout;
	gs_archive_layout(archive, &layout);
	if (archive->loading && (*tally = tally_new(archive->store, rule, layout)) == NULL) {
		gs_archive_fail(archive, GS_ENOMEM);
		return;
	}
	struct tally *it = *tally;
	gs_archive_bool(archive, &it->has_sum);
	gs_archive_bool(archive, &it->has_count);
	for (uint32_t i = 0; i < it->layout->n + 2; i++)
		gs_archive_cell(archive, cell_at(rule, it, i), agg_at(rule, it, i));
}
