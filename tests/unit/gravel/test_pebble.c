/* SPDX-License-Identifier: Apache-2.0 */
/* Pebbles are what they are at the moment of reading. */
#include "../../../lib/gravel/store_internal.h"
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

/* Each aggregation over what is in the window, as values leave it one by one. */
static void test_every_aggregation_expires(void **state) {
	(void)state;
	static const struct {
		const char *mode;
		const char *shown[4]; /* of 4, 1, 7; of 1, 7; of 7; of nothing */
	} rows[] = {
	    {"sum:100s", {"12", "8", "7", "0"}},
	    {"mean:100s", {"4", "4", "7", NULL}},
	    {"min:100s", {"1", "1", "7", NULL}},
	    {"max:100s", {"7", "7", "7", NULL}},
	    {"count:100s", {"3", "2", "1", "0"}},
	    {"last:100s", {"7", "7", "7", NULL}},
	    {"median:100s", {"4", "1", "7", NULL}},
	    {"stddev:100s", {"2.449489742783178", "3", "0", NULL}},
	    {"p33.333:100s", {"1", "1", "7", NULL}},
	    {"p33.334:100s", {"4", "1", "7", NULL}}, /* of 3, the second begins above a third */
	    {"p100:100s", {"7", "7", "7", NULL}},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench b;
		char text[200];
		bench_open(&b, &plain);
		for (int k = 0; k < 3; k++) {
			snprintf(text, sizeof(text), "# TYPE p gauge\np{clearmode=\"%s\"} %d\n", rows[i].mode,
			    "417"[k] - '0');
			b.now = T0 + k * 30000;
			assert_pushed(&b, text);
		}
		for (int k = 0; k < 4; k++) {
			b.now = T0 + (k == 0 ? 99999 : 70000 + k * 30000);
			text[0] = '\0';
			if (rows[i].shown[k] != NULL)
				snprintf(text, sizeof(text), "# TYPE p gauge\np %s\n", rows[i].shown[k]);
			assert_exposition(&b, text);
		}
		bench_close(&b);
	}
}

/* The time of the sample, not that of its push, says which is the last one. */
static void test_last_by_timestamp(void **state) {
	(void)state;
	struct bench b;
	char body[100];
	bench_open(&b, &plain);
	snprintf(body, sizeof(body), "p{clearmode=\"last100s\"} 1 %lld\n", (long long)T0 - 10);
	assert_pushed(&b, body);
	snprintf(body, sizeof(body), "p{clearmode=\"last100s\"} 2 %lld\n", (long long)T0 - 20);
	assert_pushed(&b, body);
	assert_exposition(&b, "# TYPE p untyped\np 1\n");
	snprintf(body, sizeof(body), "p{clearmode=\"last100s\"} 3 %lld\n", (long long)T0 - 50000);
	assert_pushed(&b, body);
	assert_exposition(&b, "# TYPE p untyped\np 1\n");
	assert_pushed(&b, "p 4\n");
	assert_exposition(&b, "# TYPE p untyped\np 4\n");
	bench_close(&b);
}

/* A clock that goes back: what is ahead is not read before its time comes, and of what is far ahead nothing is kept. */
static void test_time_goes_back(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "p{clearmode=\"sum100s\"} 1\n");
	b.now = T0 - 50000;
	assert_pushed(&b, "p 10\n");
	assert_exposition(&b, "# TYPE p untyped\np 10\n");
	b.now = T0;
	assert_exposition(&b, "# TYPE p untyped\np 11\n");
	b.now = T0 - 1000000;
	assert_pushed(&b, "p 100\n");
	b.now = T0;
	assert_exposition(&b, "# TYPE p untyped\np 0\n");
	bench_close(&b);
	bench_open(&b, &plain);
	for (int i = 0; i < 2000; i++) { /* gs_pebble_check counts the slices */
		b.now = T0 - i * 7000;
		assert_pushed(&b, "p{clearmode=\"sum100s\"} 1\n");
	}
	bench_close(&b);
}

static size_t bytes_of(const char *mode, int npushes) {
	struct bench b;
	char body[100];
	bench_open(&b, &plain);
	assert_pushed(&b, "p 1\n");
	size_t before = b.store->slab.used;
	snprintf(body, sizeof(body), "p{clearmode=\"%s\"} 1\n", mode);
	for (int i = 0; i < npushes; i++) {
		assert_pushed(&b, body);
		b.now += 1000;
	}
	size_t bytes = b.store->slab.used - before;
	bench_close(&b);
	return bytes;
}

/* A slice is its index and what the aggregation needs; a full window has 100 of them, whatever is pushed. */
static void test_memory(void **state) {
	(void)state;
	static const struct {
		const char *mode;
		size_t slice;
	} rows[] = {{"sum:100s", 16}, {"min:100s", 16}, {"max:100s", 16}, {"count:100s", 16}, {"mean:100s", 24},
	    {"last:100s", 24}, {"stddev:100s", 32}, {"p99:100s", 16 + 24 + 16}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t full = bytes_of(rows[i].mode, 100);
		/* The store hands out memory by classes that are at most a quarter too large. */
		assert_in_range(full, 100 * rows[i].slice, (101 * rows[i].slice + 100) * 5 / 4);
		assert_int_equal(bytes_of(rows[i].mode, 1000), full);
	}
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
	    cmocka_unit_test(test_every_aggregation_expires),
	    cmocka_unit_test(test_last_by_timestamp),
	    cmocka_unit_test(test_time_goes_back),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
