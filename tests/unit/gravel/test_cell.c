/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of one component: that what is split into slices and joined again is what it was. */
#include <math.h>

#include "gravel_test.h"

#include "store_internal.h"

static struct gs_store *store;

static int open_store(void **state) {
	(void)state;
	store = gs_store_new(&(struct gs_store_options){0});
	return store == NULL;
}

/* The store asserts that nothing of it is left. */
static int close_store(void **state) {
	(void)state;
	gs_store_free(store);
	return 0;
}

static struct rule rule_of(enum gs_pebble_agg agg, enum value_kind kind) {
	struct gs_mode mode = {
	    .kind = GS_MODE_PEBBLE, .agg = agg, .percent_milli = 50 * GS_PERCENT_SCALE, .window_ms = 1000};
	return gs_rule_of(&mode, kind);
}

static void add(union slot *cell, enum gs_pebble_agg agg, double x, int64_t at_ms) {
	assert_int_equal(gs_cell_reserve(store, cell, agg), GS_OK);
	gs_cell_add(cell, agg, x, at_ms);
}

static const enum gs_pebble_agg aggs[] = {GS_PEBBLE_SUM, GS_PEBBLE_MEAN, GS_PEBBLE_MIN, GS_PEBBLE_MAX, GS_PEBBLE_COUNT,
    GS_PEBBLE_LAST, GS_PEBBLE_STDDEV, GS_PEBBLE_PERCENTILE};

#define AGGS (sizeof(aggs) / sizeof(aggs[0]))

/* A slice of a sum does not pay for what others need. */
static void test_width(void **state) {
	(void)state;
	static const uint32_t widths[AGGS] = {1, 2, 1, 1, 1, 2, 3, 1};
	for (size_t i = 0; i < AGGS; i++) {
		assert_int_equal(rule_of(aggs[i], KIND_SIMPLE).width, widths[i]);
		assert_int_equal(rule_of(aggs[i], KIND_HISTOGRAM).width, widths[i]);
	}
	struct rule summary = rule_of(GS_PEBBLE_SUM, KIND_SUMMARY);
	assert_int_equal(summary.width, 2); /* of a quantile the last one, and when that was */
	assert_int_equal(gs_rule_bound_agg(&summary), GS_PEBBLE_LAST);
}

/* Whole numbers, whose sums are exact, in 1 to 9 slices: the same bits. */
static void test_joined_is_single(void **state) {
	(void)state;
	static const double want[AGGS] = {4950, 49.5, 0, 99, 100, 99, 0, 49};
	for (size_t a = 0; a < AGGS; a++) {
		struct rule rule = rule_of(aggs[a], KIND_SIMPLE);
		if (aggs[a] == GS_PEBBLE_STDDEV)
			continue;
		for (int n = 1; n < 10; n++) {
			union slot slices[9][CELL_SLOTS_MAX], sum[CELL_SLOTS_MAX];
			gs_cell_clear(sum, aggs[a]);
			for (int i = 0; i < n; i++)
				gs_cell_clear(slices[i], aggs[a]);
			for (int i = 0; i < 100; i++)
				add(slices[i * n / 100], aggs[a], i, i);
			for (int i = 0; i < n; i++) {
				assert_int_equal(gs_cell_merge(store, sum, slices[i], aggs[a]), GS_OK);
				gs_cell_free(store, slices[i], aggs[a]);
			}
			double got = gs_cell_read(sum, &rule, aggs[a]);
			if (got != want[a] &&
			    !(aggs[a] == GS_PEBBLE_PERCENTILE && fabs(got - want[a]) <= want[a] / 100))
				fail_msg("aggregation %zu in %d slices is %g", a, n, got);
			gs_cell_free(store, sum, aggs[a]);
		}
	}
}

/* Numbers that differ in their last digits only: a sum of squares would have nothing left of that. */
static void test_stddev_is_stable(void **state) {
	(void)state;
	struct rule rule = rule_of(GS_PEBBLE_STDDEV, KIND_SIMPLE);
	const double want = sqrt((1000.0 * 1000.0 - 1) / 12); /* of 1000 numbers in a row */
	for (int n = 1; n <= 100; n += 33) {
		union slot slices[100][CELL_SLOTS_MAX], sum[CELL_SLOTS_MAX];
		gs_cell_clear(sum, rule.agg);
		for (int i = 0; i < n; i++)
			gs_cell_clear(slices[i], rule.agg);
		for (int i = 0; i < 1000; i++)
			add(slices[(i * 7) % n], rule.agg, 1e12 + i, i);
		for (int i = 0; i < n; i++)
			assert_int_equal(gs_cell_merge(store, sum, slices[i], rule.agg), GS_OK);
		assert_true(fabs(gs_cell_read(sum, &rule, rule.agg) - want) / want < 1e-6);
	}
	union slot same[CELL_SLOTS_MAX];
	gs_cell_clear(same, rule.agg);
	for (int i = 0; i < 1000; i++)
		add(same, rule.agg, 0.1, i);
	assert_true(gs_cell_read(same, &rule, rule.agg) == 0);
}

static void test_last_is_the_newest(void **state) {
	(void)state;
	struct rule rule = rule_of(GS_PEBBLE_LAST, KIND_SIMPLE);
	union slot a[CELL_SLOTS_MAX], b[CELL_SLOTS_MAX];
	gs_cell_clear(a, rule.agg);
	gs_cell_clear(b, rule.agg);
	add(a, rule.agg, 1, 100);
	add(a, rule.agg, 2, 50);
	assert_true(gs_cell_read(a, &rule, rule.agg) == 1);
	add(a, rule.agg, 3, 100); /* of two of one time the one that came last */
	assert_true(gs_cell_read(a, &rule, rule.agg) == 3);
	add(b, rule.agg, 4, 99);
	assert_int_equal(gs_cell_merge(store, a, b, rule.agg), GS_OK);
	assert_true(gs_cell_read(a, &rule, rule.agg) == 3);
}

/* As many zeros as another cell has numbers are as if they had been added one by one. */
static void test_zeros(void **state) {
	(void)state;
	for (size_t i = 0; i < AGGS; i++) {
		struct rule rule = rule_of(aggs[i], KIND_HISTOGRAM);
		union slot like[CELL_SLOTS_MAX], zeros[CELL_SLOTS_MAX], single[CELL_SLOTS_MAX];
		gs_cell_clear(like, aggs[i]);
		gs_cell_clear(zeros, aggs[i]);
		gs_cell_clear(single, aggs[i]);
		for (int n = 1; n <= 5; n++) {
			add(like, aggs[i], n, n);
			add(single, aggs[i], 0, n);
		}
		assert_int_equal(gs_cell_merge_zeros(store, zeros, like, aggs[i]), GS_OK);
		add(zeros, aggs[i], 3, 6);
		add(single, aggs[i], 3, 6);
		assert_true(gs_cell_read(zeros, &rule, aggs[i]) == gs_cell_read(single, &rule, aggs[i]));
		gs_cell_free(store, like, aggs[i]);
		gs_cell_free(store, zeros, aggs[i]);
		gs_cell_free(store, single, aggs[i]);
	}
}

static void test_no_memory(void **state) {
	(void)state;
	union slot cell[CELL_SLOTS_MAX], other[CELL_SLOTS_MAX];
	gs_cell_clear(cell, GS_PEBBLE_PERCENTILE);
	gs_cell_clear(other, GS_PEBBLE_PERCENTILE);
	add(other, GS_PEBBLE_PERCENTILE, 1, 1);
	gs_mem_fail_after(0);
	assert_int_equal(gs_cell_reserve(store, cell, GS_PEBBLE_PERCENTILE), GS_ENOMEM);
	gs_mem_fail_after(0);
	assert_int_equal(gs_cell_merge(store, cell, other, GS_PEBBLE_PERCENTILE), GS_ENOMEM);
	gs_mem_fail_after(0);
	assert_int_equal(gs_cell_merge_zeros(store, cell, other, GS_PEBBLE_PERCENTILE), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_null(cell[0].sketch);
	gs_cell_free(store, other, GS_PEBBLE_PERCENTILE);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_width),
	    cmocka_unit_test(test_joined_is_single),
	    cmocka_unit_test(test_stddev_is_stable),
	    cmocka_unit_test(test_last_is_the_newest),
	    cmocka_unit_test(test_zeros),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, open_store, close_store);
}
