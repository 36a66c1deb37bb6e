/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "table.h"

static int reset(void **state) {
	(void)state;
	gs_mem_fail_after(-1);
	gs_telemetry_reset();
	return 0;
}

static double get(enum gs_metric id, const char *a, const char *b) {
	return gs_metric_get(id, a, b);
}

static void test_plain(void **state) {
	(void)state;
	assert_true(get(GS_M_SCRAPES, NULL, NULL) == 0);
	gs_metric_add(GS_M_SCRAPES, 1);
	gs_metric_add(GS_M_SCRAPES, 2.5);
	assert_true(get(GS_M_SCRAPES, NULL, NULL) == 3.5);
	gs_metric_set(GS_M_TARGETS, 7);
	gs_metric_add(GS_M_TARGETS, -2);
	assert_true(get(GS_M_TARGETS, NULL, NULL) == 5);
	gs_telemetry_reset();
	assert_true(get(GS_M_SCRAPES, NULL, NULL) == 0);
	assert_true(get(GS_M_TARGETS, NULL, NULL) == 0);
}

static void test_labels(void **state) {
	(void)state;
	gs_metric_add_l(GS_M_SCRAPE_FAILURES, 1, "timeout", NULL);
	gs_metric_add_l(GS_M_SCRAPE_FAILURES, 1, "timeout", NULL);
	gs_metric_add_l(GS_M_SCRAPE_FAILURES, 1, "refused", NULL);
	gs_metric_add_l(GS_M_SCRAPE_FAILURES, 1, NULL, NULL);
	assert_true(get(GS_M_SCRAPE_FAILURES, "timeout", NULL) == 2);
	assert_true(get(GS_M_SCRAPE_FAILURES, "refused", NULL) == 1);
	assert_true(get(GS_M_SCRAPE_FAILURES, "", NULL) == 1);
	assert_true(get(GS_M_SCRAPE_FAILURES, "else", NULL) == 0);
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 1, "/metrics", "200");
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 1, "/metrics", "400");
	assert_true(get(GS_M_HTTP_REQUESTS, "/metrics", "200") == 1);
	/* The border between the two values is part of the key. */
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 1, "/metrics2", "00");
	assert_true(get(GS_M_HTTP_REQUESTS, "/metrics", "200") == 1);
	gs_metric_set_l(GS_M_GROUPS, 9, "fresh", NULL);
	gs_metric_set_l(GS_M_GROUPS, 4, "fresh", NULL);
	assert_true(get(GS_M_GROUPS, "fresh", NULL) == 4);
	gs_metric_drop_l(GS_M_GROUPS, "fresh", NULL);
	gs_metric_drop_l(GS_M_GROUPS, "never", NULL);
	assert_true(get(GS_M_GROUPS, "fresh", NULL) == 0);
}

static void test_histogram(void **state) {
	uint64_t counts[GS_METRIC_BOUNDS + 1];
	double sum;
	(void)state;
	gs_metric_observe(GS_M_LAG, 0.001); /* bounds are inclusive */
	gs_metric_observe(GS_M_LAG, -3); /* a skewed clock */
	gs_metric_observe(GS_M_LAG, 0.0011);
	gs_metric_observe(GS_M_LAG, 60);
	gs_metric_observe(GS_M_LAG, 61);
	gs_metric_observe(GS_M_LAG, (double)NAN);
	gs_metric_observe(GS_M_LAG, (double)INFINITY);
	gs_metric_histogram(GS_M_LAG, counts, &sum);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[GS_METRIC_BOUNDS - 1], 1);
	assert_int_equal(counts[GS_METRIC_BOUNDS], 1);
	assert_true(get(GS_M_LAG, NULL, NULL) == 5);
	assert_true(sum > 118.0020 && sum < 118.0022);
}

/* More values than there is room for are counted, not lost; a genuine "other" is the same series. */
static void test_other(void **state) {
	char value[32];
	(void)state;
	gs_metric_add_l(GS_M_DROPPED, 1, "other", NULL);
	for (int i = 0; i < GS_LIMIT_METRIC_SERIES + 10; i++) {
		snprintf(value, sizeof(value), "value %d", i);
		gs_metric_add_l(GS_M_DROPPED, 1, value, NULL);
	}
	assert_true(get(GS_M_DROPPED, "value 0", NULL) == 1);
	assert_true(get(GS_M_DROPPED, "other", NULL) == 11);
	gs_metric_add_l(GS_M_DROPPED, 1, "value 0", NULL); /* known ones go on */
	assert_true(get(GS_M_DROPPED, "value 0", NULL) == 2);
	gs_metric_drop_l(GS_M_DROPPED, "other", NULL);
	assert_true(get(GS_M_DROPPED, "other", NULL) == 0);
}

static void test_values_from_outside(void **state) {
	char big[1000], cut[257];
	(void)state;
	gs_metric_add_l(GS_M_DROPPED, 1, "a\xff", NULL);
	assert_true(get(GS_M_DROPPED, "a?", NULL) == 1);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	big[255] = '\xc3'; /* a letter across the limit */
	big[256] = '\xbc';
	gs_metric_add_l(GS_M_DROPPED, 1, big, NULL);
	memset(cut, 'x', sizeof(cut));
	cut[255] = '\0';
	assert_true(get(GS_M_DROPPED, cut, NULL) == 1);
}

static void test_points_sorted(void **state) {
	struct gs_arena *arena = gs_arena_new(1 << 20);
	static const double want[] = {3, 2, 1, 4};
	struct gs_metric_point *points;
	size_t n;
	(void)state;
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 1, "/b", "200");
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 2, "/a", "404");
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 3, "/a", "200");
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 4, "other", "other");
	assert_int_equal(gs_metric_points(GS_M_HTTP_REQUESTS, arena, &points, &n), GS_OK);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++)
		assert_true(points[i].value == want[i]);
	assert_true(gs_str_eq(points[3].values[1], GS_STR("other")));
	assert_int_equal(gs_metric_points(GS_M_TARGETS, arena, &points, &n), GS_OK);
	assert_int_equal(n, 0);
	gs_arena_free(arena);
}

static void test_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		gs_telemetry_reset();
		gs_mem_fail_after(n);
		gs_metric_add_l(GS_M_DROPPED, 1, "reason", NULL);
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_true(get(GS_M_DROPPED, failed ? "other" : "reason", NULL) == 1);
		if (!failed)
			break;
		assert_true(n < 20);
	}
}

static void *worker(void *arg) {
	for (int i = 0; i < 2000; i++) {
		gs_metric_add(GS_M_SCRAPES, 1);
		gs_metric_observe(GS_M_LAG, 0.5);
		gs_metric_add_l(GS_M_DROPPED, 1, i % 2 ? "odd" : "even", NULL);
		gs_metric_set_l(GS_M_GROUPS, i, arg, NULL);
		gs_metric_drop_l(GS_M_GROUPS, arg, NULL);
		if (i % 500 == 0) {
			struct gs_buf out;
			gs_buf_init(&out, 1 << 20);
			gs_telemetry_render(GS_METRIC_BOTH, &out);
			gs_buf_free(&out);
		}
	}
	return NULL;
}

static void test_threads(void **state) {
	pthread_t threads[4];
	static char names[4][2] = {"a", "b", "c", "d"};
	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker, names[i]), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_true(get(GS_M_SCRAPES, NULL, NULL) == 8000);
	assert_true(get(GS_M_LAG, NULL, NULL) == 8000);
	assert_true(get(GS_M_DROPPED, "odd", NULL) == 4000);
	assert_true(get(GS_M_DROPPED, "even", NULL) == 4000);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, reset)
	const struct CMUnitTest tests[] = {TEST(test_plain), TEST(test_labels), TEST(test_histogram), TEST(test_other),
	    TEST(test_values_from_outside), TEST(test_points_sorted), TEST(test_memory), TEST(test_threads)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
