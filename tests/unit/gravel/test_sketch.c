/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of a sketch against those of the numbers themselves. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "gravel_test.h"

#include "sketch.h"
#include "store_internal.h"

#define N 20000

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

static uint64_t seed;

static double uniform(void) {
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(seed >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void) {
	return sqrt(-2 * log(uniform())) * cos(2 * 3.14159265358979323846 * uniform());
}

enum distribution {
	UNIFORM,
	NORMAL,
	LOGNORMAL,
	EXPONENTIAL,
	PARETO,
	BIMODAL,
	CONSTANT,
	INTEGERS,
	MIXED_SIGNS,
	TINY_AND_HUGE,
	DISTRIBUTIONS
};

static double draw(enum distribution which) {
	switch (which) {
	case UNIFORM:
		return uniform() * 1000;
	case NORMAL:
		return 100 + 10 * normal();
	case LOGNORMAL:
		return exp(2 * normal());
	case EXPONENTIAL:
		return -log(uniform()) / 3;
	case PARETO:
		return pow(uniform(), -1 / 1.1);
	case BIMODAL:
		return uniform() < 0.7 ? 0.003 + 0.001 * uniform() : 2 + 0.1 * normal();
	case CONSTANT:
		return 0.1;
	case INTEGERS:
		return floor(uniform() * 500);
	case MIXED_SIGNS:
		return uniform() < 0.1 ? 0 : 50 * normal();
	case TINY_AND_HUGE:
		return (uniform() < 0.5 ? -1 : 1) * ldexp(0.5 + uniform() / 2, (int)(uniform() * 20) * 95 - 900);
	case DISTRIBUTIONS:
		break;
	}
	return 0;
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void add(struct gs_sketch **sketch, double x) {
	*sketch = gs_sketch_reserve(store, *sketch, 1);
	assert_non_null(*sketch);
	gs_sketch_add(*sketch, x, 1);
}

static void merge(struct gs_sketch **into, const struct gs_sketch *from) {
	*into = gs_sketch_reserve(store, *into, gs_sketch_buckets(from));
	assert_non_null(*into);
	gs_sketch_merge(*into, from);
	gs_sketch_check(*into);
}

/* The number at rank ceil(q n) of sorted ones. */
static double exact(const double *sorted, size_t n, uint32_t milli) {
	size_t rank = (n * milli + 99999) / 100000;
	return sorted[rank != 0 ? rank - 1 : 0];
}

static const uint32_t percentiles[] = {
    0, 1, 10, 100, 1000, 5000, 10000, 25000, 50000, 75000, 90000, 95000, 99000, 99900, 99990, 99999, 100000};
#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static double error_of(double got, double want) {
	return got == want ? 0 : fabs(got - want) / fabs(want);
}

static void test_within_one_percent(void **state) {
	(void)state;
	static double numbers[N];
	for (enum distribution d = UNIFORM; d < DISTRIBUTIONS; d++) {
		struct gs_sketch *sketch = NULL;
		seed = 42 + d;
		for (size_t i = 0; i < N; i++)
			add(&sketch, numbers[i] = draw(d));
		gs_sketch_check(sketch);
		assert_int_equal(gs_sketch_count(sketch), N);
		qsort(numbers, N, sizeof(numbers[0]), compare);
		double worst = 0;
		for (size_t p = 0; p < PERCENTILES; p++) {
			double want = exact(numbers, N, percentiles[p]);
			double error = error_of(gs_sketch_quantile(sketch, percentiles[p]), want);
			if (!(error <= GS_SKETCH_ERROR))
				fail_msg("distribution %d, p%g: %g is off by %g", d, percentiles[p] / 1e3, want, error);
			worst = error > worst ? error : worst;
		}
		print_message("distribution %d: %zu buckets, worst error %.4f\n", d, gs_sketch_buckets(sketch), worst);
		if (d == CONSTANT)
			assert_true(worst == 0 && gs_sketch_buckets(sketch) == 1);
		gs_sketch_free(store, sketch);
	}
}

/* Every number by itself, as far as the ends of what a double can be. */
static void test_every_magnitude(void **state) {
	(void)state;
	for (int exponent = -1021; exponent <= 1024; exponent++) {
		for (int i = 0; i < 40; i++) {
			double x = ldexp(0.5 + i / 80.0, exponent), y = nextafter(x, INFINITY);
			struct gs_sketch *sketch = NULL;
			/* Two numbers side by side, so that the middle of their bucket stands for both; the outer ones keep it
			 * from being exact. */
			add(&sketch, -DBL_MAX);
			add(&sketch, x);
			add(&sketch, y);
			add(&sketch, INFINITY);
			gs_sketch_check(sketch);
			assert_true(error_of(gs_sketch_quantile(sketch, 50000), x) <= GS_SKETCH_ERROR);
			assert_true(error_of(gs_sketch_quantile(sketch, 75000), y) <= GS_SKETCH_ERROR);
			gs_sketch_free(store, sketch);
		}
	}
}

/* The same numbers in 7 sketches, in other orders, and in one: the same quantiles, to the last bit. */
static void test_merge_is_single(void **state) {
	(void)state;
	static double numbers[N];
	for (enum distribution d = UNIFORM; d < DISTRIBUTIONS; d++) {
		struct gs_sketch *one = NULL, *some[7] = {0}, *up = NULL, *down = NULL;
		seed = 4711 + d;
		for (size_t i = 0; i < N; i++) {
			numbers[i] = draw(d);
			add(&one, numbers[i]);
		}
		for (size_t i = N; i-- > 0;)
			add(&some[(i * i) % 7], numbers[i]);
		for (size_t i = 0; i < 7; i++) {
			if (some[i] != NULL)
				merge(&up, some[i]);
			if (some[6 - i] != NULL)
				merge(&down, some[6 - i]);
		}
		assert_int_equal(gs_sketch_buckets(up), gs_sketch_buckets(one));
		assert_int_equal(gs_sketch_count(up), N);
		for (uint32_t milli = 0; milli <= 100000; milli += 37) {
			double want = gs_sketch_quantile(one, milli);
			double got[] = {gs_sketch_quantile(up, milli), gs_sketch_quantile(down, milli)};
			assert_memory_equal(&got[0], &want, sizeof(want));
			assert_memory_equal(&got[1], &want, sizeof(want));
		}
		for (size_t i = 0; i < 7; i++)
			gs_sketch_free(store, some[i]);
		gs_sketch_free(store, one);
		gs_sketch_free(store, up);
		gs_sketch_free(store, down);
	}
}

/* Few numbers, and small whole ones, are what they are. */
static void test_exact_where_a_bucket_has_one_number(void **state) {
	(void)state;
	struct gs_sketch *sketch = NULL;
	for (int round = 0; round < 3; round++) {
		for (int i = 1; i <= 49; i++)
			add(&sketch, i);
	}
	for (int i = 1; i <= 49; i++)
		assert_true(gs_sketch_quantile(sketch, (uint32_t)(i * 100000 / 49)) == i);
	gs_sketch_free(store, sketch);
}

/* The middle of a bucket is no answer where all numbers are on one side of it. */
static void test_between_smallest_and_largest(void **state) {
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct gs_sketch *sketch = NULL;
		double a = 1 + i / 1000.0, b = nextafter(a, 3), c = nextafter(b, 3);
		add(&sketch, a);
		add(&sketch, b);
		add(&sketch, c);
		double middle = gs_sketch_quantile(sketch, 50000);
		assert_true(middle >= a && middle <= c);
		gs_sketch_free(store, sketch);
	}
}

static void test_ranks(void **state) {
	(void)state;
	struct gs_sketch *sketch = NULL;
	for (int i = 1; i <= 4; i++)
		add(&sketch, i * 10);
	static const struct {
		uint32_t milli;
		double value;
	} rows[] = {
	    {0, 10}, {25000, 10}, {25001, 20}, {50000, 20}, {50001, 30}, {75000, 30}, {75001, 40}, {100000, 40}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(gs_sketch_quantile(sketch, rows[i].milli) == rows[i].value);
	/* So many that a product would overflow. */
	gs_sketch_add(sketch, 20, UINT64_C(1) << 43);
	assert_true(gs_sketch_quantile(sketch, 99999) == 20);
	assert_true(gs_sketch_quantile(sketch, 100000) == 40);
	gs_sketch_free(store, sketch);
}

static void test_special_numbers(void **state) {
	(void)state;
	struct gs_sketch *sketch = NULL;
	add(&sketch, NAN);
	assert_true(isnan(gs_sketch_quantile(sketch, 50000)));
	gs_sketch_check(sketch);
	add(&sketch, -0.0);
	assert_false(signbit(gs_sketch_quantile(sketch, 50000)));
	add(&sketch, 0.0);
	add(&sketch, DBL_MIN / 2);
	add(&sketch, -DBL_MIN / 4);
	add(&sketch, INFINITY);
	add(&sketch, INFINITY);
	add(&sketch, -INFINITY);
	add(&sketch, -INFINITY);
	add(&sketch, NAN);
	gs_sketch_check(sketch);
	assert_int_equal(gs_sketch_count(sketch), 8);
	assert_int_equal(gs_sketch_buckets(sketch), 3);
	assert_true(gs_sketch_quantile(sketch, 25000) == -INFINITY);
	assert_true(gs_sketch_quantile(sketch, 50000) == 0);
	assert_true(gs_sketch_quantile(sketch, 75000) == 0);
	assert_true(gs_sketch_quantile(sketch, 80000) == INFINITY);
	gs_sketch_free(store, sketch);
}

/* A number for each bucket that there is: the lowest become one, the others keep their promise. */
static void test_bounded(void **state) {
	(void)state;
	static double numbers[50000];
	struct gs_sketch *one = NULL, *halves[2] = {0}, *both = NULL;
	size_t n = 0;
	for (; n < 50000; n++)
		numbers[n] = ldexp(pow(2, (double)n / 35), -700); /* about one a bucket */
	for (size_t i = 0; i < n; i++) {
		double x = numbers[i * 7919 % n]; /* all of them in another order */
		add(&one, x);
		add(&halves[i % 2], x);
	}
	gs_sketch_check(one);
	merge(&both, halves[0]);
	merge(&both, halves[1]);
	assert_int_equal(gs_sketch_buckets(one), GS_SKETCH_BUCKETS);
	assert_int_equal(gs_sketch_buckets(both), GS_SKETCH_BUCKETS);
	assert_int_equal(gs_sketch_count(one), n);
	for (uint32_t milli = 0; milli <= 100000; milli += 10) {
		double a = gs_sketch_quantile(one, milli), b = gs_sketch_quantile(both, milli);
		assert_memory_equal(&a, &b, sizeof(a));
		if (milli > 96000) /* 1 - 2048 / 50000 */
			assert_true(error_of(a, exact(numbers, n, milli)) <= GS_SKETCH_ERROR);
	}
	assert_true(gs_sketch_quantile(one, 0) == numbers[0]);
	gs_sketch_free(store, one);
	gs_sketch_free(store, both);
	gs_sketch_free(store, halves[0]);
	gs_sketch_free(store, halves[1]);
}

/* What the store hands out for n bytes. */
static void assert_used(size_t before, size_t n) {
	assert_in_range(store->slab.used - before, n, n + n / 4 + 16);
}

/* The memory that the header states. */
static void test_memory(void **state) {
	(void)state;
	struct gs_sketch *sketch = NULL;
	size_t before = store->slab.used;
	add(&sketch, 1);
	assert_used(before, 24 + 16);
	for (int i = 0; i < 1000; i++)
		add(&sketch, 1);
	/* The room that was asked for stays: one bucket more. */
	assert_used(before, 24 + 2 * 16);
	for (int i = 0; i < 100000; i++)
		add(&sketch, ldexp(1 + (i % 97) / 97.0, i % 2000 - 1000));
	assert_int_equal(gs_sketch_buckets(sketch), GS_SKETCH_BUCKETS);
	assert_used(before, 24 + (GS_SKETCH_BUCKETS + 1) * 16);
	struct gs_sketch *copy = gs_sketch_copy(store, sketch, 3);
	assert_non_null(copy);
	gs_sketch_free(store, sketch);
	assert_used(before, 24 + (gs_sketch_buckets(copy) + 3) * 16);
	gs_sketch_free(store, copy);
	assert_int_equal(store->slab.used, before);
}

static void test_no_memory(void **state) {
	(void)state;
	struct gs_sketch *sketch = NULL;
	gs_mem_fail_after(0);
	assert_null(gs_sketch_reserve(store, NULL, 1));
	gs_mem_fail_after(-1);
	add(&sketch, 1);
	gs_mem_fail_after(0);
	assert_null(gs_sketch_reserve(store, sketch, 1));
	gs_mem_fail_after(0);
	assert_null(gs_sketch_copy(store, sketch, 0));
	gs_mem_fail_after(-1);
	gs_sketch_check(sketch);
	assert_true(gs_sketch_quantile(sketch, 50000) == 1);
	gs_sketch_free(store, sketch);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_within_one_percent),
	    cmocka_unit_test(test_every_magnitude),
	    cmocka_unit_test(test_merge_is_single),
	    cmocka_unit_test(test_exact_where_a_bucket_has_one_number),
	    cmocka_unit_test(test_between_smallest_and_largest),
	    cmocka_unit_test(test_ranks),
	    cmocka_unit_test(test_special_numbers),
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, open_store, close_store);
}
