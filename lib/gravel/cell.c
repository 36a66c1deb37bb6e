/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pebble keeps of one number in one slice, and how two slices become one. The slots of a cell are
 *
 *   sum, count, min, max   the value
 *   last                   the value, its time
 *   mean                   how many, their sum
 *   stddev                 how many, their mean, the sum of their squared distances from it (Welford; two of them by Chan et al.)
 *   percentile             a sketch
 *
 * Additions happen in the order of the log and slices are joined in the order of time, so replicas agree to the last bit.
 */
#include <math.h>

#include "archive.h"

static uint32_t width_of(enum gs_pebble_agg agg) {
	switch (agg) {
	case GS_PEBBLE_SUM:
	case GS_PEBBLE_MIN:
	case GS_PEBBLE_MAX:
	case GS_PEBBLE_COUNT:
	case GS_PEBBLE_PERCENTILE:
		break;
	case GS_PEBBLE_MEAN:
	case GS_PEBBLE_LAST:
		return 2;
	case GS_PEBBLE_STDDEV:
		return 3;
	}
	return 1;
}

struct rule gs_rule_of(const struct gs_mode *mode, enum value_kind kind) {
	struct rule rule = {.kind = kind, .agg = mode->agg, .percent_milli = mode->percent_milli};
	uint32_t bound = width_of(gs_rule_bound_agg(&rule)), width = width_of(mode->agg);
	rule.width = bound > width ? bound : width;
	return rule;
}

enum gs_pebble_agg gs_rule_bound_agg(const struct rule *rule) {
	return rule->kind == KIND_SUMMARY && rule->agg == GS_PEBBLE_SUM ? GS_PEBBLE_LAST : rule->agg;
}

void gs_cell_clear(union slot *cell, enum gs_pebble_agg agg) {
	switch (agg) {
	case GS_PEBBLE_STDDEV:
		cell[2].d = 0;
		cell[1].d = 0;
		cell[0].d = 0;
		break;
	case GS_PEBBLE_MEAN:
		cell[1].d = 0;
		cell[0].d = 0;
		break;
	case GS_PEBBLE_SUM:
	case GS_PEBBLE_COUNT:
		cell[0].d = 0;
		break;
	case GS_PEBBLE_LAST:
		cell[1].d = -INFINITY;
		cell[0].d = NAN;
		break;
	case GS_PEBBLE_MIN:
	case GS_PEBBLE_MAX:
		cell[0].d = NAN;
		break;
	case GS_PEBBLE_PERCENTILE:
		cell[0].sketch = NULL;
		break;
	}
}

void gs_cell_free(struct gs_store *store, union slot *cell, enum gs_pebble_agg agg) {
	if (agg == GS_PEBBLE_PERCENTILE)
		gs_sketch_free(store, cell[0].sketch);
}

static enum gs_status reserve(struct gs_store *store, union slot *cell, size_t buckets) {
	struct gs_sketch *sketch = gs_sketch_reserve(store, cell[0].sketch, buckets);
	if (sketch == NULL)
		return GS_ENOMEM;
	cell[0].sketch = sketch;
	return GS_OK;
}

enum gs_status gs_cell_reserve(struct gs_store *store, union slot *cell, enum gs_pebble_agg agg) {
	return agg == GS_PEBBLE_PERCENTILE ? reserve(store, cell, 1) : GS_OK;
}

/* ${n} numbers more, with their mean and the sum of their squared distances from it. */
static void add_spread(union slot *cell, double n, double mean, double squares) {
	double before = cell[0].d, total = before + n, distance = mean - cell[1].d;
	if (n == 0)
		return;
	cell[0].d = total;
	if (before == 0) { /* the distance from nothing could overflow */
		cell[1].d = mean;
		cell[2].d = squares;
		return;
	}
	cell[1].d += distance * n / total;
	cell[2].d += squares + distance * distance * (before * n / total);
}

void gs_cell_add(union slot *cell, enum gs_pebble_agg agg, double x, int64_t at_ms) {
	double at = (double)at_ms; /* milliseconds of now are exact */
	switch (agg) {
	case GS_PEBBLE_SUM:
		cell[0].d += x;
		break;
	case GS_PEBBLE_COUNT:
		cell[0].d += 1;
		break;
	case GS_PEBBLE_MEAN:
		cell[0].d += 1;
		cell[1].d += x;
		break;
	case GS_PEBBLE_MIN:
		cell[0].d = gs_lesser(cell[0].d, x);
		break;
	case GS_PEBBLE_MAX:
		cell[0].d = gs_greater(cell[0].d, x);
		break;
	case GS_PEBBLE_LAST:
		if (at < cell[1].d)
			break;
		cell[0].d = x;
		cell[1].d = at;
		break;
	case GS_PEBBLE_STDDEV:
		add_spread(cell, 1, x, x - x); /* 0, or NaN: an infinite number has no distance */
		break;
	case GS_PEBBLE_PERCENTILE:
		gs_sketch_add(cell[0].sketch, x, 1);
		break;
	}
}

enum gs_status gs_cell_merge(struct gs_store *store, union slot *into, const union slot *from, enum gs_pebble_agg agg) {
	switch (agg) {
	case GS_PEBBLE_MEAN:
		into[1].d += from[1].d;
		into[0].d += from[0].d;
		break;
	case GS_PEBBLE_SUM:
	case GS_PEBBLE_COUNT:
		into[0].d += from[0].d;
		break;
	case GS_PEBBLE_MIN:
		into[0].d = gs_lesser(into[0].d, from[0].d);
		break;
	case GS_PEBBLE_MAX:
		into[0].d = gs_greater(into[0].d, from[0].d);
		break;
	case GS_PEBBLE_LAST:
		if (from[1].d < into[1].d)
			break;
		into[0].d = from[0].d;
		into[1].d = from[1].d;
		break;
	case GS_PEBBLE_STDDEV:
		add_spread(into, from[0].d, from[1].d, from[2].d);
		break;
	case GS_PEBBLE_PERCENTILE:
		if (from[0].sketch == NULL)
			break;
		if (reserve(store, into, gs_sketch_buckets(from[0].sketch)) != GS_OK)
			return GS_ENOMEM;
		gs_sketch_merge(into[0].sketch, from[0].sketch);
		break;
	}
	return GS_OK;
}

enum gs_status gs_cell_merge_zeros(
    struct gs_store *store, union slot *into, const union slot *like, enum gs_pebble_agg agg) {
	union slot zeros[CELL_SLOTS_MAX] = {0};
	if (agg == GS_PEBBLE_PERCENTILE) {
		uint64_t n = like[0].sketch != NULL ? gs_sketch_count(like[0].sketch) : 0;
		if (n == 0)
			return GS_OK;
		if (reserve(store, into, 1) != GS_OK)
			return GS_ENOMEM;
		gs_sketch_add(into[0].sketch, 0, n);
		return GS_OK;
	}
	if (agg == GS_PEBBLE_COUNT || agg == GS_PEBBLE_MEAN || agg == GS_PEBBLE_STDDEV)
		zeros[0] = like[0]; /* how many */
	if (agg == GS_PEBBLE_LAST)
		zeros[1] = like[1]; /* when */
	return gs_cell_merge(store, into, zeros, agg);
}

double gs_cell_read(const union slot *cell, const struct rule *rule, enum gs_pebble_agg agg) {
	switch (agg) {
	case GS_PEBBLE_MEAN:
		return cell[0].d != 0 ? cell[1].d / cell[0].d : NAN;
	case GS_PEBBLE_STDDEV:
		return cell[0].d != 0 ? sqrt(cell[2].d / cell[0].d) : NAN;
	case GS_PEBBLE_PERCENTILE:
		return cell[0].sketch != NULL ? gs_sketch_quantile(cell[0].sketch, rule->percent_milli) : NAN;
	case GS_PEBBLE_SUM:
	case GS_PEBBLE_COUNT:
	case GS_PEBBLE_MIN:
	case GS_PEBBLE_MAX:
	case GS_PEBBLE_LAST:
		break;
	}
	return cell[0].d;
}

void gs_archive_cell(struct archive *archive, union slot *cell, enum gs_pebble_agg agg) {
	if (agg == GS_PEBBLE_PERCENTILE) {
		gs_archive_sketch(archive, &cell[0].sketch);
		return;
	}
	for (uint32_t i = 0; i < width_of(agg); i++)
		gs_archive_double(archive, &cell[i].d);
}
