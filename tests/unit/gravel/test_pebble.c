/* SPDX-License-Identifier: Apache-2.0 */
/* Pebbles are what they are at the moment of reading. */
#include "gravel_test.h"

static const struct gs_store_options plain = {0};

static void test_sum_expires_without_traffic(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "p{clearmode=\"sum100s\"} 1\n");
	b.now += 50000;
	assert_pushed(&b, "p 2\n"); /* stays a pebble without naming it */
	assert_exposition(&b, "# TYPE p untyped\np 3\n");
	b.now += 49999;
	assert_exposition(&b, "# TYPE p untyped\np 3\n");
	b.now += 1;
	assert_exposition(&b, "# TYPE p untyped\np 2\n");
	b.now += 50000;
	assert_exposition(&b, "# TYPE p untyped\np 0\n");
	bench_close(&b);
}

static void test_mean(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE p gauge\np{clearmode=\"mean100s\"} 1\n");
	assert_pushed(&b, "# TYPE p gauge\np{clearmode=\"avg:100s\"} 2\n");
	b.now += 60000;
	assert_pushed(&b, "# TYPE p gauge\np{clearmode=\"mean100s\"} 6\n");
	assert_exposition(&b, "# TYPE p gauge\np 3\n");
	b.now += 60000;
	assert_exposition(&b, "# TYPE p gauge\np 6\n");
	b.now += 60000;
	assert_exposition(&b, ""); /* an empty mean is not exposed */
	bench_close(&b);
}

/* The ancestor's never expired under steady traffic. */
static void test_steady_traffic(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	for (int i = 0; i < 1000; i++) {
		assert_pushed(&b, "p{clearmode=\"sum10s\"} 1\n");
		b.now += 100;
	}
	b.now -= 100;
	assert_exposition(&b, "# TYPE p untyped\np 100\n");
	bench_close(&b);
}

static void test_transitions(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "p{clearmode=\"sum10s\"} 5\n");
	assert_pushed(&b, "p{clearmode=\"aggregate\"} 1\n"); /* turned back: starts anew */
	assert_pushed(&b, "p 1\n");
	b.now += 60000;
	assert_exposition(&b, "# TYPE p untyped\np 2\n");
	assert_pushed(&b, "p{clearmode=\"sum10s\"} 5\n");
	assert_pushed(&b, "p{clearmode=\"sum20s\"} 7\n"); /* another window: another pebble */
	assert_exposition(&b, "# TYPE p untyped\np 7\n");
	bench_close(&b);
}

static void test_timestamps_place_values(void **state) {
	(void)state;
	struct bench b;
	char body[100];
	bench_open(&b, &plain);
	assert_pushed(&b, "p{clearmode=\"sum100s\"} 1\n");
	snprintf(body, sizeof(body), "p{clearmode=\"sum100s\"} 10 %lld\n", (long long)(T0 - 60000));
	assert_pushed(&b, body);
	snprintf(body, sizeof(body), "p{clearmode=\"sum100s\"} 100 %lld\n", (long long)(T0 - 160000));
	assert_pushed(&b, body);
	assert_int_equal(b.result.dropped_late, 1);
	assert_exposition(&b, "# TYPE p untyped\np 11\n");
	b.now += 50000;
	assert_exposition(&b, "# TYPE p untyped\np 1\n");
	bench_close(&b);
}

/* Any number may stand as a timestamp, and the smallest windows have fewer than 100 slices. */
static void test_extreme_timestamps(void **state) {
	(void)state;
	static const char *const times[] = {"-9223372036854775808", "9223372036854775807", "0", "-1"};
	static const char *const windows[] = {"1ms", "50ms", "150ms", "1y"};
	for (size_t w = 0; w < 4; w++) {
		struct bench b;
		char body[200];
		bench_open(&b, &plain);
		snprintf(body, sizeof(body), "p{clearmode=\"sum%s\"} 1\n", windows[w]);
		assert_pushed(&b, body);
		for (size_t t = 0; t < 4; t++) {
			snprintf(body, sizeof(body), "p{clearmode=\"sum%s\"} 10 %s\n", windows[w], times[t]);
			assert_pushed(&b, body);
			assert_int_equal(b.result.dropped_late, t != 1);
		}
		assert_exposition(&b, "# TYPE p untyped\np 11\n"); /* the future counts as now */
		bench_close(&b);
	}
}

static void test_histogram(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE h histogram\nh_bucket{le=\"1\",clearmode=\"sum100s\"} "
			  "1\nh_bucket{le=\"+Inf\",clearmode=\"sum100s\"} 2\n"
			  "h_sum{clearmode=\"sum100s\"} 5\n");
	b.now += 50000;
	assert_pushed(&b, "# TYPE h histogram\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 6\n");
	assert_exposition(&b, "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 4\nh_bucket{le=\"+Inf\"} "
			      "6\nh_sum 11\nh_count 6\n");
	b.now += 60000;
	assert_exposition(
	    &b, "# TYPE h histogram\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 6\nh_count 4\n");
	b.now += 60000;
	assert_exposition(
	    &b, "# TYPE h histogram\nh_bucket{le=\"2\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n");
	bench_close(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sum_expires_without_traffic),
	    cmocka_unit_test(test_mean),
	    cmocka_unit_test(test_steady_traffic),
	    cmocka_unit_test(test_transitions),
	    cmocka_unit_test(test_timestamps_place_values),
	    cmocka_unit_test(test_extreme_timestamps),
	    cmocka_unit_test(test_histogram),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
