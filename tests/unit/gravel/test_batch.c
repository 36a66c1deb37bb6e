/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch makes of the formats: the families that the store then serves. The semantics of pushes and scrapes are test_store's. */
#include "gravel_test.h"

static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};

static enum gs_status push_as(struct bench *b, const struct gs_expo_options *format, const char *body) {
	struct gs_batch_options options = {0};
	b->err = (struct gs_error){0};
	gs_batch_begin(b->batch, &options);
	enum gs_status status = gs_batch_read(b->batch, b->parser, format, gs_str_of(body), &b->err);
	if (status == GS_OK)
		status = gs_store_push(b->store, b->batch, b->now, &b->result, &b->err);
	gs_store_check(b->store);
	return status;
}

static void assert_becomes(const char *body, const char *exposition_of_it) {
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	if (push_as(&b, &openmetrics, body) != GS_OK)
		fail_msg("'%s': %u:%u: %s", body, b.err.line, b.err.column, b.err.text);
	assert_exposition(&b, exposition_of_it);
	bench_close(&b);
}

static void test_openmetrics_families_get_the_names_of_text(void **state) {
	(void)state;
	assert_becomes("# TYPE a counter\n# HELP a Help.\na_total 5\n# EOF\n",
	    "# HELP a_total Help.\n# TYPE a_total counter\na_total 5\n");
	assert_becomes("# HELP a Help.\n# TYPE a counter\na_total{x=\"y\"} 5\n# EOF\n",
	    "# HELP a_total Help.\n# TYPE a_total counter\na_total{x=\"y\"} 5\n");
	assert_becomes("# TYPE build info\n# HELP build Of it.\nbuild_info{v=\"1\"} 1\n# EOF\n",
	    "# HELP build_info Of it.\n# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n");
	assert_becomes("# TYPE a unknown\na 5\n# EOF\n", "# TYPE a untyped\na 5\n");
	assert_becomes("# TYPE a stateset\na{a=\"on\"} 1\na{a=\"off\"} 0\n# EOF\n",
	    "# TYPE a gauge\na{a=\"off\"} 0\na{a=\"on\"} 1\n");
	assert_becomes("# TYPE w_seconds gauge\n# UNIT w_seconds seconds\nw_seconds 5\n# EOF\n",
	    "# TYPE w_seconds gauge\nw_seconds 5\n");
}

/* A family that was read by another name leaves nothing behind. */
static void test_a_gauge_beside_a_counter(void **state) {
	(void)state;
	assert_becomes("# TYPE a counter\na_total 5\n# TYPE b gauge\nb 1\n# EOF\n",
	    "# TYPE a_total counter\na_total 5\n# TYPE b gauge\nb 1\n");
}

static void test_times_of_creation_are_gauges(void **state) {
	(void)state;
	assert_becomes("# TYPE a counter\na_total 5\na_created 1700000000.5\n# EOF\n",
	    "# TYPE a_created gauge\na_created 1.7000000005e+09\n# TYPE a_total counter\na_total 5\n");
	assert_becomes("# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\n"
		       "h_created 17\n# EOF\n",
	    "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"
	    "# TYPE h_created gauge\nh_created 17\n");
}

static void test_exemplars_are_read_and_not_kept(void **state) {
	(void)state;
	assert_becomes("# TYPE a counter\na_total 5 # {trace=\"x\"} 1 1700000000.1\n# EOF\n",
	    "# TYPE a_total counter\na_total 5\n");
}

static void test_openmetrics_is_strict_in_a_push(void **state) {
	(void)state;
	static const char *const bodies[] = {
	    "# TYPE a counter\na 5\n# EOF\n", "a 1\n", "# TYPE a gauge\na  1\n# EOF\n"};
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		assert_int_equal(push_as(&b, &openmetrics, bodies[i]), GS_EINVAL);
		assert_in_range(b.err.line, 1, 3);
		assert_exposition(&b, "");
	}
	bench_close(&b);
}

static void test_no_memory(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	long failures = 0;
	enum gs_status status = GS_ENOMEM;
	for (; status == GS_ENOMEM; failures++) {
		struct gs_batch_options options = {0};
		gs_batch_free(b.batch);
		b.batch = gs_batch_new();
		gs_batch_begin(b.batch, &options);
		gs_mem_fail_after(failures);
		status = gs_batch_read(b.batch, b.parser, &openmetrics,
		    GS_STR("# TYPE a counter\n# HELP a Help.\na_total 5\na_created 1\n# EOF\n"), NULL);
		gs_mem_fail_after(-1);
		/* The next body is read as if nothing had been. */
		assert_int_equal(push(&b, "again{y=\"1\",x=\"2\"} 1\n"), GS_OK);
	}
	assert_int_equal(status, GS_OK);
	assert_true(failures > 3);
	bench_close(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_openmetrics_families_get_the_names_of_text),
	    cmocka_unit_test(test_a_gauge_beside_a_counter),
	    cmocka_unit_test(test_times_of_creation_are_gauges),
	    cmocka_unit_test(test_exemplars_are_read_and_not_kept),
	    cmocka_unit_test(test_openmetrics_is_strict_in_a_push),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
