/* SPDX-License-Identifier: Apache-2.0 */
/* Native histograms: kept as they come, added, and served to who asks for protobuf. */
#include <math.h>
#include <stdlib.h>

#include "rich_test.h"

static const struct gs_store_options plain = {.max_age_ms = 10000};

#define BUCKETS(...)                                                                                                   \
	(const struct native_bucket[]) {                                                                               \
		__VA_ARGS__, {                                                                                         \
			0, -1                                                                                          \
		}                                                                                                      \
	}

/* What the native part of h is, or that it has none. */
static void assert_native(struct bench *b, const char *expected) {
	char *all = served_binary(b, binary_utf8), *at = strstr(all, "\nh ");
	if (expected[0] == '\0') {
		assert_null(at);
	} else {
		assert_non_null(at);
		*strchr(at + 1, '\n') = '\0';
		assert_string_equal(at + 3, expected);
	}
	gs_free(all);
}

static void test_kept(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	struct native_body body = {.schema = 3,
	    .zero_threshold = 0.5,
	    .zero_count = 2,
	    .sum = 7.25,
	    .positive = BUCKETS({-3, 1}, {-2, 0}, {5, 4}),
	    .negative = BUCKETS({0, 2})};
	assert_int_equal(push_native(&b, "", &body), GS_OK);
	assert_binary(&b, "T h histogram\n"
			  "h_bucket{le=+Inf} 9\n"
			  "h_sum 7.25\n"
			  "h_count 9\n"
			  "h 9 whole 3 0.5:2 sum 7.25 +-3:1 +-2:0 +5:4 -0:2\n");
	/* its classic part is everybody's */
	assert_exposition(&b, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 9\nh_sum 7.25\nh_count 9\n");
	assert_strict(&b, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 9\nh_sum 7.25\nh_count 9\n");
	/* counts that are no whole numbers are none of a histogram there */
	body.is_float = true;
	body.zero_count = 0.5;
	assert_int_equal(push_native(&b, "replace", &body), GS_OK);
	assert_native(&b, "7.5 float 3 0.5:0.5 sum 7.25 +-3:1 +-2:0 +5:4 -0:2");
	assert_strict(&b, "# TYPE h unknown\nh_bucket{le=\"+Inf\"} 7.5\nh_sum 7.25\nh_count 7.5\n");
	bench_close(&b);
}

/* Nothing was observed yet: that it is a native one is known all the same. */
static void test_empty(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(push_native(&b, "", &(struct native_body){.schema = 1}), GS_OK);
	assert_native(&b, "0 whole 1 0:0 sum 0");
	assert_int_equal(push_native(&b, "", &(struct native_body){.schema = 1}), GS_OK);
	assert_native(&b, "0 whole 1 0:0 sum 0");
	bench_close(&b);
}

static void test_gauge_histogram(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	struct native_body body = {.type = GS_TYPE_GAUGEHISTOGRAM, .sum = -1, .positive = BUCKETS({1, 2})};
	assert_int_equal(push_native(&b, "", &body), GS_OK);
	assert_binary(&b, "T h gaugehistogram\n"
			  "h_bucket{le=+Inf} 2\n"
			  "h_gsum -1\n"
			  "h_gcount 2\n"
			  "h 2 whole 0 0:0 sum -1 +1:2\n");
	/* Prometheus calls the parts of a classic one otherwise than text does */
	body.classic_only = true;
	assert_int_equal(push_native(&b, "replace", &body), GS_OK);
	assert_binary(&b, "T h_bucket untyped\n"
			  "h_bucket{le=+Inf} 2\n"
			  "T h_gsum untyped\n"
			  "h_gsum -1\n"
			  "T h_gcount untyped\n"
			  "h_gcount 2\n");
	bench_close(&b);
}

/* What stands after one push and then another. */
static void assert_sum(
    const char *clearmode, const struct native_body *one, const struct native_body *two, const char *expected) {
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(push_native(&b, clearmode, one), GS_OK);
	assert_int_equal(push_native(&b, clearmode, two), GS_OK);
	assert_native(&b, expected);
	bench_close(&b);
}

static void test_sums(void **state) {
	(void)state;
	struct native_body one = {.schema = 1, .zero_count = 1, .sum = 2, .positive = BUCKETS({-1, 1}, {0, 2}, {4, 3})};
	struct native_body two = {
	    .schema = 1, .zero_count = 2, .sum = 3, .positive = BUCKETS({0, 10}, {1, 20}), .negative = BUCKETS({7, 5})};
	assert_sum("", &one, &two, "44 whole 1 0:3 sum 5 +-1:1 +0:12 +1:20 +4:3 -7:5");
	assert_sum("aggregate", &two, &one, "44 whole 1 0:3 sum 5 +-1:1 +0:12 +1:20 +4:3 -7:5");
	/* what is not added is replaced */
	assert_sum("replace", &one, &two, "37 whole 1 0:2 sum 3 +0:10 +1:20 -7:5");
	assert_sum("family", &one, &two, "37 whole 1 0:2 sum 3 +0:10 +1:20 -7:5");
	assert_sum("min", &one, &two, "37 whole 1 0:2 sum 3 +0:10 +1:20 -7:5");
	assert_sum("max", &two, &one, "7 whole 1 0:1 sum 2 +-1:1 +0:2 +4:3");
	/* one with fractions makes both so */
	two.is_float = true;
	two.zero_count = 0.5;
	assert_sum("", &one, &two, "42.5 float 1 0:1.5 sum 5 +-1:1 +0:12 +1:20 +4:3 -7:5");
	/* the lower schema: buckets -1 and 0 are one, 1 and 2, 3 and 4 */
	two.schema = 0;
	assert_sum("", &one, &two, "42.5 float 0 0:1.5 sum 5 +0:13 +1:20 +2:3 -7:5");
	two.schema = -4;
	assert_sum("", &one, &two, "42.5 float -4 0:1.5 sum 5 +0:13 +1:23 -7:5");
}

/* A part that only one of both has is not that of their sum. */
static void test_classic_only(void **state) {
	(void)state;
	struct native_body native = {.positive = BUCKETS({1, 2})}, classic = native;
	classic.classic_only = true;
	assert_sum("", &native, &classic, "");
	assert_sum("", &classic, &native, "");
	assert_sum("replace", &native, &classic, "");
	assert_sum("replace", &classic, &native, "2 whole 0 0:0 sum 0 +1:2");
	assert_sum("sum5m", &native, &native, "");
}

/* The wider zero bucket holds, and takes what is below it; a bucket that is partly below widens it. Schema 0: bucket i is (2^(i-1), 2^i]. */
static void test_zero_buckets(void **state) {
	(void)state;
	struct native_body narrow = {.zero_threshold = 0.25,
	    .zero_count = 1,
	    .positive = BUCKETS({-1, 2}, {0, 4}, {1, 8}, {2, 16}),
	    .negative = BUCKETS({0, 32}, {3, 64})};
	struct native_body wide = {.zero_threshold = 1, .zero_count = 128, .positive = BUCKETS({1, 256})};
	assert_sum("", &narrow, &wide, "511 whole 0 1:167 sum 0 +1:264 +2:16 -3:64");
	assert_sum("", &wide, &narrow, "511 whole 0 1:167 sum 0 +1:264 +2:16 -3:64");
	/* 1.5 is within (1, 2], which both have: so it becomes 2 */
	wide.zero_threshold = 1.5;
	wide.positive = BUCKETS({2, 256});
	assert_sum("", &narrow, &wide, "511 whole 0 2:175 sum 0 +2:272 -3:64");
	/* nobody is in (1, 2] of the other one */
	narrow.positive = BUCKETS({-1, 2}, {1, 0}, {2, 16});
	assert_sum("", &narrow, &wide, "499 whole 0 1.5:163 sum 0 +2:272 -3:64");
	/* a widened bucket is partly below that of the other, and so on */
	narrow.schema = 1;
	narrow.zero_threshold = 0;
	narrow.negative = NULL;
	narrow.positive = BUCKETS({1, 1}, {3, 1});
	wide.schema = 1;
	wide.zero_threshold = 1.2;
	wide.positive = BUCKETS({4, 1});
	assert_sum("", &narrow, &wide, "132 whole 1 1.4142135623730951:130 sum 0 +3:1 +4:1");
}

/* The index of the bucket that v > 0 falls into. */
static int32_t index_of(double v, int32_t schema) {
	return (int32_t)ceil(log2(v) * pow(2, schema));
}

static int compare_buckets(const void *a, const void *b) {
	const struct native_bucket *x = a, *y = b;
	return (x->index > y->index) - (x->index < y->index);
}

/* The histogram of values, as buckets. */
static void observe(const double *values, size_t n, int32_t schema, struct native_bucket *buckets) {
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		int32_t index = index_of(values[i], schema);
		size_t k = 0;
		while (k < used && buckets[k].index != index)
			k++;
		if (k == used)
			buckets[used++] = (struct native_bucket){.index = index};
		buckets[k].count++;
	}
	qsort(buckets, used, sizeof(*buckets), compare_buckets);
	buckets[used].count = -1;
}

/* The sum of two histograms is the histogram of all values. */
static void test_sums_of_values(void **state) {
	(void)state;
	uint32_t seed = 7;
	for (int round = 0; round < 200; round++) {
		double values[12];
		struct native_bucket one[13], two[13], all[13];
		struct bench b;
		char expected[512];
		seed = seed * 1664525 + 1013904223;
		int32_t schemas[2] = {(int32_t)(seed >> 8) % 13 - 4, (int32_t)(seed >> 20) % 13 - 4};
		int32_t schema = schemas[0] < schemas[1] ? schemas[0] : schemas[1];
		for (size_t i = 0; i < 12; i++) {
			seed = seed * 1664525 + 1013904223;
			values[i] = exp2((double)(seed >> 16) / 4096 - 8) + 1e-9; /* on no border */
		}
		observe(values, 5, schemas[0], one);
		observe(values + 5, 7, schemas[1], two);
		observe(values, 12, schema, all);
		bench_open(&b, &plain);
		struct native_body first = {.schema = schemas[0], .positive = one},
				   second = {.schema = schemas[1], .positive = two, .negative = two};
		assert_int_equal(push_native(&b, "", &first), GS_OK);
		assert_int_equal(push_native(&b, "", &second), GS_OK);
		size_t n = (size_t)snprintf(expected, sizeof(expected), "19 whole %d 0:0 sum 0", schema);
		for (size_t i = 0; all[i].count >= 0; i++)
			n += (size_t)snprintf(
			    expected + n, sizeof(expected) - n, " +%d:%d", all[i].index, (int)all[i].count);
		observe(values + 5, 7, schema, all);
		for (size_t i = 0; all[i].count >= 0; i++)
			n += (size_t)snprintf(
			    expected + n, sizeof(expected) - n, " -%d:%d", all[i].index, (int)all[i].count);
		assert_native(&b, expected);
		bench_close(&b);
	}
}

/* What cannot be said as one histogram is not kept; what is too exact is made coarser. */
static void test_extremes(void **state) {
	(void)state;
	struct bench b;
	struct native_body low = {.positive = BUCKETS({INT32_MIN, 1})},
			   high = {.positive = BUCKETS({INT32_MAX - 1, 1})};
	assert_sum("", &low, &high, "");
	assert_sum("", &high, &high, "2 whole 0 0:0 sum 0 +2147483646:2");
	struct native_body infinite = {.zero_threshold = (double)INFINITY, .positive = BUCKETS({3, 1})};
	assert_sum("", &low, &infinite, "2 whole 0 +Inf:2 sum 0");
	/* counts that a double does not hold exactly are no whole numbers any more */
	struct native_body large = {.positive = BUCKETS({1, 9007199254740992.0})};
	assert_sum("", &large, &large, "1.8014398509481984e+16 float 0 0:0 sum 0 +1:1.8014398509481984e+16");
	/* more buckets than a reader takes */
	bench_open(&b, &plain);
	for (int i = 0; i < 2; i++) {
		struct gs_expo_pb_writer writer;
		struct gs_expo_family family = {.name = GS_STR("h"), .type = GS_TYPE_HISTOGRAM};
		static struct gs_span span = {.length = 4000};
		static int64_t deltas[4000] = {1};
		struct gs_buf body;
		span.offset = i * 4000;
		struct gs_native native = {.schema = 4,
		    .count = 4000,
		    .positive = {.spans = &span, .nspans = 1, .deltas = deltas, .ndeltas = 4000}};
		struct gs_expo_pb_totals totals = {.native = &native};
		gs_buf_init(&body, 1 << 20);
		gs_expo_pb_init(&writer, &body, GS_ESCAPE_NONE);
		gs_expo_pb_begin_family(&writer, &family, (struct gs_str){0});
		gs_expo_pb_begin_metric(&writer, NULL, 0);
		gs_expo_pb_totals(&writer, &totals);
		gs_expo_pb_end_metric(&writer);
		gs_expo_pb_end_family(&writer);
		assert_int_equal(push_as(&b, GS_FORMAT_PROTOBUF, "", gs_buf_slice(&body)), GS_OK);
		gs_buf_free(&body);
	}
	char *all = served_binary(&b, binary_utf8);
	assert_non_null(strstr(all, "\nh 8000 whole 3 0:0 sum 0 +0:1 +1:2 +2:2 "));
	assert_non_null(strstr(all, " +3999:2 +4000:1\n"));
	gs_free(all);
	bench_close(&b);
}

static void test_exemplars(void **state) {
	(void)state;
	static const struct gs_label label = {GS_STR_INIT("t"), GS_STR_INIT("x")};
	static char text[130];
	memset(text, 'x', sizeof(text));
	struct gs_label longest = {GS_STR("t"), gs_str_make(text, sizeof(text))};
	struct gs_exemplar some[20] = {
	    {.labels = &label, .nlabels = 1, .value = 1},
	    {.labels = &longest, .nlabels = 1, .value = 2},
	    {.value = 3, .has_timestamp = true, .timestamp_ms = 1},
	};
	struct native_body with = {.positive = BUCKETS({1, 2}), .exemplars = some, .nexemplars = 3}, without = with;
	without.nexemplars = 0;
	/* those of the last push that has any */
	assert_sum("", &without, &with, "4 whole 0 0:0 sum 0 +1:4 #{t=x} 1 #{} 3 @1");
	assert_sum("", &with, &without, "4 whole 0 0:0 sum 0 +1:4 #{t=x} 1 #{} 3 @1");
	assert_sum("replace", &with, &without, "2 whole 0 0:0 sum 0 +1:2");
	with.nexemplars = 20;
	char expected[256];
	size_t n = (size_t)snprintf(expected, sizeof(expected), "2 whole 0 0:0 sum 0 +1:2 #{t=x} 1 #{} 3 @1");
	for (int i = 3; i < 16; i++)
		n += (size_t)snprintf(expected + n, sizeof(expected) - n, " #{} 0");
	assert_sum("replace", &without, &with, expected);
}

static void test_versions(void **state) {
	(void)state;
	static const struct gs_exemplar exemplar = {.value = 3};
	struct native_body bodies[] = {
	    {.positive = BUCKETS({1, 2})},
	    {.schema = 1, .positive = BUCKETS({1, 2})},
	    {.zero_threshold = 1, .positive = BUCKETS({1, 2})},
	    {.positive = BUCKETS({2, 2})},
	    {.positive = BUCKETS({1, 1}, {2, 1})},
	    {.negative = BUCKETS({1, 2})},
	    {.is_float = true, .positive = BUCKETS({1, 2})},
	    {.positive = BUCKETS({1, 2}), .exemplars = &exemplar, .nexemplars = 1},
	    {.classic_only = true, .positive = BUCKETS({1, 2})},
	};
	struct gs_family_view view;
	struct bench b;
	uint64_t last = 0;
	bench_open(&b, &plain);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		for (int again = 0; again < 2; again++) {
			assert_int_equal(push_native(&b, "replace", &bodies[i]), GS_OK);
			assert_true(gs_store_family(b.store, GS_STR("h"), &view));
			assert_int_equal(view.version != last, !again);
			last = view.version;
		}
	}
	bench_close(&b);
}

/* Each failure of memory leaves the store as it was. */
static void test_no_memory(void **state) {
	(void)state;
	static const struct gs_exemplar exemplar = {.value = 3};
	struct native_body one = {.schema = 2, .positive = BUCKETS({1, 2}), .exemplars = &exemplar, .nexemplars = 1},
			   two = {.positive = BUCKETS({1, 2}), .negative = BUCKETS({0, 1})};
	bool failed = true;
	for (int64_t i = 0; failed; i++) {
		struct bench b;
		struct gs_buf body;
		gs_buf_init(&body, 1 << 20);
		put_native(&body, &two);
		bench_open(&b, &plain);
		assert_int_equal(push_native(&b, "", &one), GS_OK);
		gs_mem_fail_after(i);
		enum gs_status status = push_as(&b, GS_FORMAT_PROTOBUF, "", gs_buf_slice(&body));
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		assert_native(&b, failed ? "2 whole 2 0:0 sum 0 +1:2 #{} 3" : "5 whole 0 0:0 sum 0 +1:4 -0:1 #{} 3");
		gs_buf_free(&body);
		bench_close(&b);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kept),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_gauge_histogram),
	    cmocka_unit_test(test_sums),
	    cmocka_unit_test(test_classic_only),
	    cmocka_unit_test(test_zero_buckets),
	    cmocka_unit_test(test_sums_of_values),
	    cmocka_unit_test(test_extremes),
	    cmocka_unit_test(test_exemplars),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
