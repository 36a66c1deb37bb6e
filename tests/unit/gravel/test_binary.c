/* SPDX-License-Identifier: Apache-2.0 */
/* What readers of the protobuf exposition get: the same series as those of text. */
#include "rich_test.h"

static const struct gs_store_options plain = {.max_age_ms = 10000};
static const struct gs_expo_dialect binary_values = {.format = GS_FORMAT_PROTOBUF, .escaping = GS_ESCAPE_VALUES};

static void test_types(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	push_strict(&b, "",
	    "# TYPE a gauge\n# HELP a The \\\"help\\\".\na{y=\"\\\"\\\\\\n\",x=\"\"} -1.5\n"
	    "# TYPE c counter\nc_total 3 # {t=\"1\"} 1\nc_created 5\n"
	    "# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {t=\"2\"} 0.5\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum "
	    "3\nh_created 7\n"
	    "# TYPE i info\ni_info{v=\"1\"} 1\n"
	    "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_count 2\ns_sum 3\n"
	    "# TYPE t stateset\nt{t=\"x\"} 1\n"
	    "# TYPE u unknown\nu 9\n");
	assert_binary(&b, "H a The \"help\".\n"
			  "T a gauge\n"
			  "a{y=\"\\\n} -1.5\n"
			  "T c_created gauge\n"
			  "c_created 5\n"
			  "T c_total counter\n"
			  "c_total 3 #{t=1} 1\n"
			  "T h histogram\n"
			  "h_bucket{le=1} 1 #{t=2} 0.5\n"
			  "h_bucket{le=+Inf} 2\n"
			  "h_sum 3\n"
			  "h_count 2\n"
			  "T h_created gauge\n"
			  "h_created 7\n"
			  "T i_info gauge\n"
			  "i_info{v=1} 1\n"
			  "T s summary\n"
			  "s{quantile=0.5} 1\n"
			  "s_sum 3\n"
			  "s_count 2\n"
			  "T t gauge\n"
			  "t{t=x} 1\n"
			  "T u untyped\n"
			  "u 9\n");
	bench_close(&b);
}

/* What the message could not say is a metric of its own for each name, as it is in text. */
static void test_apart(void **state) {
	(void)state;
	static const char *const broken[] = {
	    "h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n",
	    "h_bucket{le=\"+Inf\"} 1\nh_count 1\n",
	    "h_bucket{le=\"+Inf\"} 1\nh_sum 1\n",
	    "h_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 1\n",
	    "h_bucket{le=\"1\"} 0.5\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
	    "h_bucket{le=\"+Inf\"} -1\nh_sum 1\nh_count -1\n",
	    "h_bucket{le=\"+Inf\"} NaN\nh_sum 1\nh_count NaN\n",
	};
	static const char *const expected[] = {
	    "T h_bucket untyped\nh_bucket{le=1} 1\nT h_sum untyped\nh_sum 3\nT h_count untyped\nh_count 1\n",
	    "T h_bucket untyped\nh_bucket{le=+Inf} 1\nT h_count untyped\nh_count 1\n",
	    "T h_bucket untyped\nh_bucket{le=+Inf} 1\nT h_sum untyped\nh_sum 1\n",
	    "T h_bucket untyped\nh_bucket{le=+Inf} 2\nT h_sum untyped\nh_sum 1\nT h_count untyped\nh_count 1\n",
	    ("T h_bucket untyped\nh_bucket{le=1} 0.5\nh_bucket{le=+Inf} 1\nT h_sum untyped\nh_sum 1\n"
	     "T h_count untyped\nh_count 1\n"),
	    "T h_bucket untyped\nh_bucket{le=+Inf} -1\nT h_sum untyped\nh_sum 1\nT h_count untyped\nh_count -1\n",
	    "T h_bucket untyped\nh_bucket{le=+Inf} NaN\nT h_sum untyped\nh_sum 1\nT h_count untyped\nh_count NaN\n",
	};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		char body[256];
		struct gs_batch_options options = {.lenient = true};
		struct gs_scrape_info info = {.time_ms = T0, .interval_ms = 1000};
		struct bench b;
		bench_open(&b, &plain);
		snprintf(body, sizeof(body), "# TYPE h histogram\n%s", broken[i]);
		gs_batch_begin(b.batch, &options);
		assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, gs_str_of(body), &b.err), GS_OK);
		assert_int_equal(gs_store_scrape(b.store, &info, b.batch, T0, &b.result), GS_OK);
		assert_binary(&b, expected[i]);
		bench_close(&b);
	}
}

static void test_summaries_apart(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE s summary\ns{a=\"1\",quantile=\"0.50\"} 1\ns_sum{a=\"1\"} 2\n"
			  "# TYPE r summary\nr_sum 1\nr_count 1.5\n# TYPE q summary\nq_sum 1\nq_count 1\n");
	assert_binary(&b, "T q summary\nq_sum 1\nq_count 1\n"
			  "T r_sum untyped\nr_sum 1\nT r_count untyped\nr_count 1.5\n"
			  "T s untyped\ns{a=1,quantile=0.50} 1\nT s_sum untyped\ns_sum{a=1} 2\n");
	bench_close(&b);
}

/* A family of several types. */
static void test_mixed(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(scrape_at(&b, "1", T0, "# TYPE m counter\n# HELP m Help.\nm 1\n"), GS_OK);
	assert_int_equal(
	    scrape_at(&b, "2", T0, "# TYPE m histogram\nm_bucket{le=\"+Inf\"} 1\nm_sum 1\nm_count 1\n"), GS_OK);
	assert_binary(&b, "H m Help.\nT m untyped\nm{instance=1,job=j} 1\n"
			  "H m_bucket Help.\nT m_bucket untyped\nm_bucket{instance=2,job=j,le=+Inf} 1\n"
			  "H m_sum Help.\nT m_sum untyped\nm_sum{instance=2,job=j} 1\n"
			  "H m_count Help.\nT m_count untyped\nm_count{instance=2,job=j} 1\n");
	bench_close(&b);
}

static void test_pebbles(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	push_strict(&b, "mean5m",
	    "# TYPE c counter\nc_total 1\n# TYPE g gauge\ng 1\n"
	    "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\nh_sum 1\n");
	assert_binary(&b, "T c_total counter\nc_total 1\nT g gauge\ng 1\n"
			  "T h_bucket untyped\nh_bucket{le=+Inf} 1\nT h_sum untyped\nh_sum 1\n"
			  "T h_count untyped\nh_count 1\n");
	/* of nothing there is no mean, and no family without metrics */
	b.now += 10 * 60 * 1000;
	char *text = exposition_in(&b, binary_utf8);
	assert_string_equal(text, "");
	gs_free(text);
	bench_close(&b);
}

static void test_names(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE \"a.b\" gauge\n{\"a.b\",\"l.m\"=\"x\"} 1\n"
			  "# TYPE \"h.i\" histogram\n{\"h.i_bucket\",le=\"+Inf\"} 1\n{\"h.i_count\"} 1\n");
	assert_binary(&b, "T a.b gauge\na.b{l.m=x} 1\nT h.i_bucket untyped\nh.i_bucket{le=+Inf} 1\n"
			  "T h.i_count untyped\nh.i_count 1\n");
	char *text = served_binary(&b, binary_values);
	assert_string_equal(text, "T U__a_2e_b gauge\nU__a_2e_b{U__l_2e_m=x} 1\n"
				  "T U__h_2e_i_bucket untyped\nU__h_2e_i_bucket{le=+Inf} 1\n"
				  "T U__h_2e_i_count untyped\nU__h_2e_i_count 1\n");
	gs_free(text);
	bench_close(&b);
}

static bool no_sums(void *ctx, const struct gs_label *labels, size_t n) {
	(void)ctx;
	(void)n;
	return !gs_str_ends(labels[0].value, GS_STR("_sum")) && !gs_str_ends(labels[n - 1].value, GS_STR("2"));
}

/* A histogram of which lines are left out is none. */
static void test_filter(void **state) {
	(void)state;
	static const char *const names[] = {"h", "g"};
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_event event = {0};
	struct gs_buf body, out;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\nh_sum 1\n"
			  "# TYPE g gauge\ng{a=\"1\"} 1\ng{a=\"2\"} 2\n");
	gs_buf_init(&body, SIZE_MAX);
	gs_buf_init(&out, SIZE_MAX);
	for (size_t i = 0; i < 2; i++)
		assert_true(
		    gs_store_render_family_if(b.store, gs_str_of(names[i]), b.now, binary_utf8, no_sums, NULL, &body));
	gs_expo_begin(b.parser, &options);
	gs_expo_feed(b.parser, gs_buf_slice(&body), true);
	while (gs_expo_next(b.parser, &event, NULL) == GS_OK && event.kind != GS_EXPO_END) {
		if (event.kind == GS_EXPO_SAMPLE)
			dump_event(&out, &event);
	}
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, "h_bucket{le=+Inf} 1\nh_count 1\ng{a=1} 1\n");
	gs_buf_free(&body);
	gs_buf_free(&out);
	bench_close(&b);
}

/* A large family comes in several messages, and each has a reader's size. */
static void test_large(void **state) {
	(void)state;
	enum { SERIES = 600 };
	static char value[60000];
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_event event = {0};
	struct gs_str after = {0};
	struct gs_buf body;
	struct bench b;
	size_t heads = 0, samples = 0;
	bench_open(&b, &plain);
	gs_buf_init(&body, SIZE_MAX);
	memset(value, 'v', sizeof(value));
	for (int i = 0; i < SERIES; i++) {
		gs_buf_printf(&body, "g{i=\"%d\",v=\"", i);
		gs_buf_add(&body, value, sizeof(value));
		gs_buf_cstr(&body, "\"} 1\n");
	}
	assert_int_equal(push_as(&b, GS_FORMAT_TEXT, "", gs_buf_slice(&body)), GS_OK);
	gs_buf_clear(&body);
	while (gs_store_render_next(b.store, &after, b.now, binary_utf8, &body))
		continue;
	assert_int_equal(body.status, GS_OK);
	gs_expo_begin(b.parser, &options);
	gs_expo_feed(b.parser, gs_buf_slice(&body), true);
	while (gs_expo_next(b.parser, &event, &b.err) == GS_OK && event.kind != GS_EXPO_END) {
		heads += event.kind == GS_EXPO_TYPE;
		samples += event.kind == GS_EXPO_SAMPLE;
	}
	assert_int_equal(event.kind, GS_EXPO_END);
	assert_int_equal(samples, SERIES);
	assert_int_equal(heads, 3); /* 36 MB in messages of 16 MiB */
	gs_buf_free(&body);
	bench_close(&b);
}

/* A rendering without memory says so. */
static void test_no_memory(void **state) {
	(void)state;
	static const struct native_bucket buckets[] = {{1, 2}, {0, -1}};
	static const struct gs_exemplar exemplar = {.value = 3};
	struct native_body native = {.positive = buckets, .exemplars = &exemplar, .nexemplars = 1};
	struct bench b;
	bool failed = true;
	bench_open(&b, &plain);
	assert_int_equal(push_native(&b, "", &native), GS_OK);
	assert_pushed(&b, "# TYPE c_total counter\nc_total 1 # {t=\"1\"} 2\n# TYPE s summary\ns_sum{a=\"1\"} 2\n");
	for (int64_t i = 0; failed; i++) {
		struct gs_str after = {0};
		struct gs_buf out;
		gs_buf_init(&out, SIZE_MAX);
		gs_mem_fail_after(i);
		while (gs_store_render_next(b.store, &after, b.now, binary_utf8, &out))
			continue;
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(out.status, failed ? GS_ENOMEM : GS_OK);
		gs_buf_free(&out);
	}
	bench_close(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_types),
	    cmocka_unit_test(test_apart),
	    cmocka_unit_test(test_summaries_apart),
	    cmocka_unit_test(test_mixed),
	    cmocka_unit_test(test_pebbles),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_filter),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
