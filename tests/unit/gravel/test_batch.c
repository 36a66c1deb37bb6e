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

/* What a push or scrape with these limits and the path label job=x comes to. */
static void assert_within(
    const struct gs_batch_options *limits, const char *body, const char *limit, const char *text) {
	struct gs_batch *batch = gs_batch_new();
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_label job = {GS_STR("job"), GS_STR("x")};
	for (int lenient = 0; lenient < 2; lenient++) {
		struct gs_batch_options options = *limits;
		struct gs_error err = {0};
		options.labels = &job;
		options.nlabels = 1;
		options.lenient = lenient;
		gs_batch_begin(batch, &options);
		enum gs_status status = gs_batch_read(batch, parser, NULL, gs_str_of(body), &err);
		assert_int_equal(status, limit != NULL ? GS_ELIMIT : GS_OK);
		assert_string_equal(err.text, text);
		if (limit == NULL)
			continue;
		assert_string_equal(err.limit, limit);
		assert_int_equal(err.line, 2);
		assert_int_equal(err.column, 1);
	}
	gs_batch_free(batch);
	gs_expo_parser_free(parser);
}

static void test_labels_are_limited(void **state) {
	(void)state;
	static const struct gs_batch_options limits = {.max_labels = 3};
	const char *text = "\"a\" has more than 3 labels";
	assert_within(&limits, "\na{b=\"1\",c=\"1\"} 1\n", NULL, "");
	assert_within(&limits, "\na{b=\"1\",c=\"1\",d=\"1\"} 1\n", "labels_per_series", text);
	/* What is not written in the one way that needs no look at each label counts the same. */
	assert_within(&limits, "\na{c=\"1\", b=\"1\"} 1\n", NULL, "");
	assert_within(&limits, "\na{d=\"1\", c=\"1\", b=\"1\"} 1\n", "labels_per_series", text);
	/* What is not stored does not count, and what the path replaces counts once. */
	assert_within(&limits, "\na{b=\"1\",c=\"1\",clearmode=\"sum\",d=\"\",job=\"y\"} 1\n", NULL, "");
	assert_within(&limits,
	    "# TYPE a histogram\na_bucket{b=\"1\",c=\"1\",le=\"+Inf\"} 1\na_count{b=\"1\",c=\"1\"} 1\n", NULL, "");
	assert_within(&limits, "# TYPE a histogram\na_bucket{b=\"1\",c=\"1\",d=\"1\",le=\"+Inf\"} 1\n",
	    "labels_per_series", "\"a_bucket\" has more than 3 labels");
}

static void test_lengths_are_limited(void **state) {
	(void)state;
	static const struct gs_batch_options name = {.max_name = 4}, value = {.max_value = 4};
	assert_within(&name, "\nabcd{efgh=\"long value\"} 1\n", NULL, "");
	assert_within(&name, "\nabcde 1\n", "name_length", "the name of metric \"abcde\" is longer than 4 bytes");
	assert_within(
	    &name, "\na{b=\"1\",cdefg=\"1\"} 1\n", "name_length", "the name of label \"cdefg\" is longer than 4 bytes");
	assert_within(&name, "\na{cdefg=\"1\", b=\"1\"} 1\n", "name_length",
	    "the name of label \"cdefg\" is longer than 4 bytes");
	assert_within(&value, "\nlong_name{long_name=\"1234\"} 1\n", NULL, "");
	assert_within(
	    &value, "\na{b=\"12345\"} 1\n", "value_length", "the value of label \"b\" is longer than 4 bytes");
	/* As it is meant, not as it is written. */
	assert_within(&value, "\na{b=\"1\\n\\\\4\"} 1\n", NULL, "");
}

static void test_path_labels_are_limited(void **state) {
	(void)state;
	struct gs_label path = {GS_STR("instance"), GS_STR("12345")};
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	gs_batch_begin(b.batch, &(struct gs_batch_options){.labels = &path, .nlabels = 1, .max_value = 4});
	assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, GS_STR("a 1\n"), &b.err), GS_ELIMIT);
	assert_string_equal(b.err.text, "the value of label \"instance\" is longer than 4 bytes");
	assert_string_equal(b.err.limit, "value_length");
	assert_int_equal(b.err.line, 0);
	gs_batch_begin(b.batch, &(struct gs_batch_options){.labels = &path, .nlabels = 1, .max_name = 7});
	assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, GS_STR("a 1\n"), &b.err), GS_ELIMIT);
	assert_string_equal(b.err.limit, "name_length");
	bench_close(&b);
}

static void test_samples_are_limited(void **state) {
	(void)state;
	static const struct gs_batch_options limits = {.max_samples = 1};
	assert_within(&limits, "a 1\n", NULL, "");
	assert_within(&limits, "a 1\nb 1\n", "push_samples", "more than 1 samples");
}

/* What we add to a scrape is within every limit. */
static void test_gauges_of_our_own_are_not_limited(void **state) {
	(void)state;
	struct gs_label labels[] = {{GS_STR_INIT("job"), GS_STR_INIT("x")}, {GS_STR_INIT("rack"), GS_STR_INIT("1")}};
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	gs_batch_begin(
	    b.batch, &(struct gs_batch_options){.labels = labels, .nlabels = 2, .max_labels = 1, .max_name = 4});
	assert_int_equal(gs_batch_gauge(b.batch, GS_STR("scrape_x"), GS_STR(""), 1), GS_OK);
	assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, GS_STR(""), &b.err), GS_OK);
	bench_close(&b);
}

static void test_buckets_in_any_order(void **state) {
	(void)state;
	static const char *const les[] = {"+Inf", "0.5", "7", "1", "3", "2", "1e9"};
	struct bench b;
	struct gs_buf body;
	gs_buf_init(&body, 4096);
	bench_open(&b, &(struct gs_store_options){0});
	for (size_t twice = 0; twice < 8; twice++) { /* the last one: none is there twice */
		gs_buf_clear(&body);
		gs_buf_cstr(&body, "# TYPE h histogram\nh_sum 1\n");
		for (size_t i = 0; i < 7; i++)
			gs_buf_printf(&body, "h_bucket{le=\"%s\"} 4\n", les[i]);
		if (twice < 7)
			gs_buf_printf(&body, "h_bucket{le=\"%s.0\"} 4\n", les[twice]);
		gs_buf_char(&body, '\0');
		assert_int_equal(push(&b, body.p), twice < 7 ? GS_EINVAL : GS_OK);
		assert_true(twice == 7 || b.err.line == 10);
	}
	assert_exposition(&b, "# TYPE h histogram\nh_bucket{le=\"0.5\"} 4\nh_bucket{le=\"1\"} 4\nh_bucket{le=\"2\"} 4\n"
			      "h_bucket{le=\"3\"} 4\nh_bucket{le=\"7\"} 4\nh_bucket{le=\"1e9\"} "
			      "4\nh_bucket{le=\"+Inf\"} 4\nh_sum 1\nh_count 4\n");
	gs_buf_free(&body);
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
	    cmocka_unit_test(test_labels_are_limited),
	    cmocka_unit_test(test_lengths_are_limited),
	    cmocka_unit_test(test_path_labels_are_limited),
	    cmocka_unit_test(test_samples_are_limited),
	    cmocka_unit_test(test_gauges_of_our_own_are_not_limited),
	    cmocka_unit_test(test_buckets_in_any_order),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
