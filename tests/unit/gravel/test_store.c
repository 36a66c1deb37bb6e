/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes: clearmodes, types, conflicts, atomicity. */
#include "gravel_test.h"

static const struct gs_store_options plain = {0};

static void test_defaults_by_type(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	for (int i = 0; i < 3; i++)
		assert_pushed(&b, "# TYPE c counter\nc 1\n# TYPE g gauge\ng 2\nu 3\n");
	assert_exposition(&b, "# TYPE c counter\nc 3\n# TYPE g gauge\ng 2\n# TYPE u untyped\nu 9\n");
	bench_close(&b);
}

static void test_clearmodes(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b,
	    "# TYPE value_total counter\nvalue_total 1\n# TYPE value2 gauge\nvalue2{clearmode=\"aggregate\"} 1\n"
	    "# TYPE version gauge\nversion{version=\"0.0.1\",clearmode=\"family\"} 1\n");
	assert_pushed(&b,
	    "# TYPE value_total counter\nvalue_total 3\n# TYPE value2 gauge\nvalue2{clearmode=\"sum\"} 1\n"
	    "# TYPE version gauge\nversion{version=\"0.0.2\",clearmode=\"info\"} 1\n");
	assert_exposition(&b, "# TYPE value2 gauge\nvalue2 2\n# TYPE value_total counter\nvalue_total 4\n"
			      "# TYPE version gauge\nversion{version=\"0.0.2\"} 1\n");
	assert_pushed(&b, "# TYPE value_total counter\nvalue_total{clearmode=\"replace\"} 1\n");
	assert_exposition(&b, "# TYPE value2 gauge\nvalue2 2\n# TYPE value_total counter\nvalue_total 1\n"
			      "# TYPE version gauge\nversion{version=\"0.0.2\"} 1\n");
	bench_close(&b);
}

static void test_family_respects_path(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(push_at(&b, "job=a", "v{x=\"1\",clearmode=\"family\"} 1\n"), GS_OK);
	assert_int_equal(push_at(&b, "job=b", "v{x=\"1\",clearmode=\"family\"} 1\n"), GS_OK);
	assert_int_equal(
	    push_at(&b, "job=a", "v{x=\"2\",clearmode=\"family\"} 1\nv{x=\"3\",clearmode=\"family\"} 1\n"), GS_OK);
	assert_int_equal(b.result.series_gone, 1);
	assert_exposition(
	    &b, "# TYPE v untyped\nv{job=\"a\",x=\"2\"} 1\nv{job=\"a\",x=\"3\"} 1\nv{job=\"b\",x=\"1\"} 1\n");
	assert_pushed(&b, "v{x=\"9\",clearmode=\"family\"} 1\n");
	assert_exposition(&b, "# TYPE v untyped\nv{x=\"9\"} 1\n");
	bench_close(&b);
}

static void test_path_labels_override(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(push_at(&b, "job=x,zone=", "v{job=\"body\",zone=\"z\",empty=\"\"} 1\n"), GS_OK);
	assert_exposition(&b, "# TYPE v untyped\nv{job=\"x\"} 1\n");
	bench_close(&b);
}

static void test_atomic(void **state) {
	(void)state;
	static const struct {
		const char *body;
		unsigned line;
		const char *reason;
	} rows[] = {
	    {"a 1\nb{\n", 2, ""},
	    {"# TYPE a counter\na 1\nnew 1\na 2\n", 4, "duplicate series of \"a\""},
	    {"new 1\n# TYPE a gauge\na 1\n", 3, "\"a\" is pushed as gauge, but stored as counter"},
	    {"new 1\na{clearmode=\"agregate\"} 1\n", 2, "unknown clearmode \"agregate\""},
	    {"new 1\na{x=\"y\",clearmode=\"agregate\"} 1\n", 2, ": a{x=\"y\",clearmode=\"agregate\"}"},
	    {"new 1\n# TYPE h histogram\nh 1\n", 3, "is a histogram"},
	    {"new 1\n# TYPE h histogram\nh_bucket{le=\"x\"} 1\nh_count 1\n", 3, "needs a label \"le\""},
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 5\nh_bucket{le=\"2\"} 4\nh_bucket{le=\"+Inf\"} 5\n", 3,
		"cumulative"},
	    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 5\nh_count 6\n", 2, "_count differs"},
	    {"# TYPE h histogram\nh_count{le=\"+Inf\"} 5\n", 2, "may not have a label \"le\""},
	    {"# TYPE s summary\ns{quantile=\"1\"} 5\ns_sum{quantile=\"1\"} 5\n", 3,
		"may not have a label \"quantile\""},
	    {"# TYPE a counter\n# TYPE a gauge\na 1\n", 2, "second TYPE"},
	    {"x{__name__=\"y\"} 1\n", 1, "__name__"},
	};
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE a counter\na 1\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum gs_status status = push(&b, rows[i].body);
		assert_true(status == GS_EINVAL || status == GS_ECONFLICT);
		assert_int_equal(b.err.line, rows[i].line);
		assert_true(b.err.column > 0);
		if (strstr(b.err.text, rows[i].reason) == NULL)
			fail_msg("\"%s\" lacks \"%s\"", b.err.text, rows[i].reason);
		assert_exposition(&b, "# TYPE a counter\na 1\n");
	}
	bench_close(&b);
}

/* A label of the path that would be a second le. */
static void test_path_label_of_parts(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(push_at(&b, "le=1", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\n"), GS_EINVAL);
	assert_int_equal(push_at(&b, "le=1", "g 1\n"), GS_OK);
	assert_exposition(&b, "# TYPE g untyped\ng{le=\"1\"} 1\n");
	bench_close(&b);
}

static void test_types_grow_and_conflict(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "a{x=\"1\"} 1\na{x=\"2\"} 1\n");
	assert_pushed(&b, "# TYPE a gauge\n# HELP a first\na{x=\"1\"} 5\n");
	assert_pushed(&b, "a{x=\"1\"} 6\n"); /* takes the stored type: replaces */
	assert_exposition(&b, "# HELP a first\n# TYPE a gauge\na{x=\"1\"} 6\na{x=\"2\"} 1\n");
	assert_pushed(&b, "# HELP a second\na{x=\"1\"} 6\n");
	assert_pushed(&b, "# HELP a\na{x=\"1\"} 6\n");
	assert_exposition(&b, "# HELP a second\n# TYPE a gauge\na{x=\"1\"} 6\na{x=\"2\"} 1\n");
	assert_int_equal(push(&b, "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\n"), GS_ECONFLICT);
	bench_close(&b);
}

static void test_parts_own_their_names(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n");
	assert_int_equal(push(&b, "h_count 5\n"), GS_ECONFLICT);
	assert_non_null(strstr(b.err.text, "part of the stored \"h\""));
	assert_pushed(&b, "# TYPE s_sum gauge\ns_sum 1\n");
	assert_int_equal(push(&b, "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\n"), GS_ECONFLICT);
	assert_int_equal(push(&b, "# TYPE s summary\n# TYPE s_sum gauge\ns_sum 1\n"), GS_EINVAL);
	bench_close(&b);
}

static void test_histograms_merge_by_union(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"10\"} 4\nh_bucket{le=\"+Inf\"} "
			  "5\nh_sum 30\nh_count 5\n");
	assert_pushed(&b, "# TYPE h histogram\nh_bucket{le=\"5\"} 3\nh_bucket{le=\"+Inf\"} 3\nh_sum 7\nh_count 3\n");
	assert_exposition(&b, "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"5\"} 5\nh_bucket{le=\"10\"} 7\n"
			      "h_bucket{le=\"+Inf\"} 8\nh_sum 37\nh_count 8\n");
	assert_pushed(&b, "# TYPE h histogram\nh_bucket{le=\"0.50\",clearmode=\"replace\"} 1\n"
			  "h_bucket{le=\"+Inf\",clearmode=\"replace\"} 1\nh_sum{clearmode=\"replace\"} 1\n");
	assert_exposition(
	    &b, "# TYPE h histogram\nh_bucket{le=\"0.50\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n");
	bench_close(&b);
}

static void test_summaries_merge(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.9\"} 2\ns_sum 10\ns_count 4\n");
	assert_pushed(&b, "# TYPE s summary\ns{quantile=\"0.5\"} 3\ns_sum 5\ns_count 2\n");
	assert_exposition(&b, "# TYPE s summary\ns{quantile=\"0.5\"} 3\ns{quantile=\"0.9\"} 2\ns_sum 15\ns_count 6\n");
	bench_close(&b);
}

static void test_timestamps_order_replace(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE g gauge\ng 1 2000\n");
	assert_pushed(&b, "# TYPE g gauge\ng 2 1000\n");
	assert_int_equal(b.result.dropped_stale, 1);
	assert_exposition(&b, "# TYPE g gauge\ng 1\n");
	assert_pushed(&b, "# TYPE g gauge\ng 3 3000\n");
	assert_exposition(&b, "# TYPE g gauge\ng 3\n");
	bench_close(&b);
}

static void test_integers_stay_exact(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE c counter\nc 9007199254740991\n");
	assert_pushed(&b, "# TYPE c counter\nc 1\n");
	assert_exposition(&b, "# TYPE c counter\nc 9007199254740992\n");
	bench_close(&b);
}

static void test_delete(void **state) {
	(void)state;
	struct bench b;
	struct gs_label labels[2];
	bench_open(&b, &plain);
	assert_pushed(&b, "a{job=\"x\",instance=\"1\"} 1\na{job=\"x\",instance=\"2\"} 1\nb{job=\"y\"} 1\n");
	assert_int_equal(scrape_at(&b, "1", T0, "c 1\n"), GS_OK);
	assert_int_equal(gs_store_delete(b.store, labels, labels_of("instance=1", labels), &b.result), GS_OK);
	assert_int_equal(b.result.series_gone, 1); /* scraped series are not deleted */
	assert_int_equal(gs_store_delete(b.store, labels, labels_of("job=x", labels), &b.result), GS_OK);
	assert_int_equal(b.result.series_gone, 1);
	assert_exposition(&b, "# TYPE b untyped\nb{job=\"y\"} 1\n# TYPE c untyped\nc{instance=\"1\",job=\"j\"} 1\n");
	bench_close(&b);
}

static void test_expiration(void **state) {
	(void)state;
	struct gs_store_options options = {.expiration_ms = 10000};
	struct bench b;
	size_t stale, expired;
	bench_open(&b, &options);
	assert_pushed(&b, "a 1\nb 1\n");
	b.now += 6000;
	assert_pushed(&b, "b 1\n");
	b.now += 6000;
	gs_store_expire(b.store, b.now, &stale, &expired);
	assert_int_equal(expired, 1);
	assert_exposition(&b, "# TYPE b untyped\nb 2\n");
	bench_close(&b);
}

static void test_full_store(void **state) {
	(void)state;
	struct gs_store_options options = {.max_series = 3};
	struct bench b;
	bench_open(&b, &options);
	assert_pushed(&b, "a 1\nb 1\n");
	assert_int_equal(push(&b, "c 1\nd 1\n"), GS_ELIMIT);
	assert_non_null(strstr(b.err.text, "full"));
	assert_exposition(&b, "# TYPE a untyped\na 1\n# TYPE b untyped\nb 1\n");
	assert_pushed(&b, "a 1\nc 1\n");
	bench_close(&b);
}

static void test_escapes(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# HELP a back\\\\slash and\\nline\na{x=\"q\\\"b\\\\n\\n\"} 1\n");
	assert_exposition(&b, "# HELP a back\\\\slash and\\nline\n# TYPE a untyped\na{x=\"q\\\"b\\\\n\\n\"} 1\n");
	bench_close(&b);
}

/* Whatever allocation fails, a push counts whole or not at all. */
static void test_out_of_memory(void **state) {
	(void)state;
	static const char body[] =
	    "# TYPE c counter\n# HELP c help\nc{x=\"1\"} 1\nc{x=\"2\"} 1\n# TYPE h histogram\n"
	    "h_bucket{le=\"5\"} 3\nh_bucket{le=\"+Inf\"} 3\nh_sum 7\n"
	    "p{clearmode=\"sum5m\"} 1\n# TYPE s summary\ns{quantile=\"0.5\",clearmode=\"mean5m\"} 1\n"
	    "s_sum{clearmode=\"mean5m\"} 1\n";
	static const char first[] =
	    "# TYPE c counter\nc{x=\"1\"} 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n"
	    "h_sum 7\n";
	bool done = false;
	for (int n = 0; !done; n++) {
		struct bench b;
		bench_open(&b, &plain);
		assert_pushed(&b, first);
		char *before = exposition(&b);
		gs_mem_fail_after(n);
		enum gs_status status = push(&b, body);
		done = !gs_mem_failed();
		gs_mem_fail_after(-1);
		if (status == GS_OK) {
			assert_int_equal(gs_store_stats(b.store).series, 5);
		} else {
			assert_int_equal(status, GS_ENOMEM);
			assert_exposition(&b, before);
		}
		gs_free(before);
		bench_close(&b);
		assert_true(n < 1000);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults_by_type),
	    cmocka_unit_test(test_clearmodes),
	    cmocka_unit_test(test_family_respects_path),
	    cmocka_unit_test(test_path_labels_override),
	    cmocka_unit_test(test_atomic),
	    cmocka_unit_test(test_path_label_of_parts),
	    cmocka_unit_test(test_types_grow_and_conflict),
	    cmocka_unit_test(test_parts_own_their_names),
	    cmocka_unit_test(test_histograms_merge_by_union),
	    cmocka_unit_test(test_summaries_merge),
	    cmocka_unit_test(test_timestamps_order_replace),
	    cmocka_unit_test(test_integers_stay_exact),
	    cmocka_unit_test(test_delete),
	    cmocka_unit_test(test_expiration),
	    cmocka_unit_test(test_full_store),
	    cmocka_unit_test(test_escapes),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
