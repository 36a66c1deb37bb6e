/* SPDX-License-Identifier: Apache-2.0 */
/* Text: which part of which family a sample is; what stands twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "parts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct gs_expo_options text = {.format = GS_FORMAT_TEXT};

static void test_parts(void **state) {
	(void)state;
	static const struct good_case cases[] = {
	    {"a 1\n", "a untyped;"},
	    {"# TYPE a gauge\na 1\nab 1\na_sum 1\nb 1\na{x=\"1\"} 1\n",
		"a gauge;ab untyped;a_sum untyped;b untyped;a gauge;"},
	    {"# TYPE a counter\na_total 1\na 1\n# TYPE a_total counter\na_total 1\n",
		"a_total untyped;a counter;a_total counter;"},
	    {"# TYPE a info\na 1\na_info 1\n# TYPE b stateset\nb{b=\"x\"} 1\n", "a info;a_info untyped;b stateset;"},
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
		"h_bucket bucket of h histogram < 1;h_bucket bucket of h histogram < +Inf +;"
		"h_sum sum of h histogram +;h_count count of h histogram +;"},
	    {"# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"1\"} 2\ns_sum 3\ns_count 2\n",
		"s quantile summary < 0.5;s quantile summary < 1 +;s_sum sum of s summary +;s_count count of s summary "
		"+;"},
	    {"# TYPE g gaugehistogram\ng_bucket{le=\"1\"} 1\ng_gsum 1\ng_gcount 1\ng_sum 1\ng_count 1\n",
		"g_bucket bucket of g gaugehistogram < 1;g_gsum sum of g gaugehistogram +;"
		"g_gcount count of g gaugehistogram +;g_sum untyped;g_count untyped;"},
	};
	check_parts(&text, "", cases, COUNT(cases));
}

/* The family is that of the last TYPE line, and what is not like one of its parts is none. */
static void test_no_parts(void **state) {
	(void)state;
	static const struct good_case cases[] = {
	    {"h_bucket{le=\"1\"} 1\n", "h_bucket untyped;"},
	    {"# TYPE h histogram\n# TYPE g gauge\nh_sum 1\n", "h_sum untyped;"},
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\n# TYPE g histogram\nh_bucket{le=\"2\"} 1\n",
		"h_bucket bucket of h histogram < 1;h_bucket untyped;"},
	    {"# TYPE h histogram\n# HELP g x\nh_sum 1\n", "h_sum sum of h histogram;"},
	    {"# TYPE h histogram\nh 1\nh_buckets{le=\"1\"} 1\nh_created 1\nh_sum_sum 1\nhh_sum 1\n",
		"h untyped;h_buckets untyped;h_created untyped;h_sum_sum untyped;hh_sum untyped;"},
	    {"# TYPE h histogram\nh_bucket 1\nh_bucket{x=\"1\"} 1\nh_bucket{le=\"\"} 1\nh_bucket{le=\"x\"} 1\n",
		"h_bucket untyped;h_bucket untyped;h_bucket untyped;h_bucket untyped;"},
	    {"# TYPE h histogram\nh_bucket{le=\"NaN\"} 1\nh_bucket{le=\"0x1p1\"} 1\nh_bucket{le=\"-0X1\"} "
	     "1\nh_bucket{le=\"1e999\"} 1\n",
		"h_bucket untyped;h_bucket untyped;h_bucket untyped;h_bucket untyped;"},
	    {"# TYPE h histogram\nh_bucket{le=\"-1.5e3\"} 1\nh_bucket{le=\"inf\"} 1\nh_bucket{le=\"-Infinity\"} 1\n",
		"h_bucket bucket of h histogram < -1500;h_bucket bucket of h histogram < +Inf +;"
		"h_bucket bucket of h histogram < -Inf +;"},
	    {"# TYPE h histogram\nh_sum{le=\"1\"} 1\nh_count{le=\"x\"} 1\nh_sum{quantile=\"1\"} 1\n",
		"h_sum untyped;h_count untyped;h_sum sum of h histogram;"},
	    {"# TYPE s summary\ns 1\ns{quantile=\"\"} 1\ns{le=\"1\"} 1\ns_sum{quantile=\"1\"} 1\ns_count{le=\"1\"} 1\n",
		"s untyped;s untyped;s untyped;s_sum untyped;s_count count of s summary;"},
	};
	check_parts(&text, "", cases, COUNT(cases));
}

/* Names in quotes, which text has always: the family stands in the body or in the memory of the parser, and ends where it should. */
static void test_quoted(void **state) {
	(void)state;
	static const struct good_case cases[] = {
	    {"# TYPE \"my.h\" histogram\n{\"my.h_bucket\",\"a.b\"=\"1\",le=\"1\"} "
	     "1\n{\"my.h_bucket\",\"a.b\"=\"1\",\"le\"=\"2\"} 1\n"
	     "{\"my.h_sum\",\"a.b\"=\"1\"} 1\n{\"my.h_sum\",\"a.c\"=\"1\"} 1\n",
		"my.h_bucket bucket of my.h histogram < 1;my.h_bucket bucket of my.h histogram < 2 +;"
		"my.h_sum sum of my.h histogram +;my.h_sum sum of my.h histogram;"},
	    {"# TYPE \"\\\\h\" summary\n{\"\\\\h\",quantile=\"1\"} 1\n{\"\\\\h_sum\"} 1\n",
		"\\h quantile summary < 1;\\h_sum sum of \\h summary +;"},
	};
	check_parts(&text, "", cases, COUNT(cases));
}

static void test_begin_forgets(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf out;
	struct gs_error err = {0};
	gs_buf_init(&out, 1000);
	assert_int_equal(dump_parts(parser, &text, GS_STR("# TYPE h histogram\nh_sum 1\n"), 0, NULL, &err), GS_OK);
	assert_int_equal(dump_parts(parser, &text, GS_STR("h_count 1\n"), 0, &out, &err), GS_OK);
	assert_true(gs_str_eq(gs_buf_slice(&out), GS_STR("h_count untyped;")));
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

/* Without a memory what stands twice is left to the caller; with one it is found. */
static void test_seen(void **state) {
	(void)state;
	struct gs_expo_options options = {.format = GS_FORMAT_TEXT, .seen = gs_expo_seen_new()};
	static const struct good_case good[] = {
	    {"a 1\na{x=\"1\"} 1\na{x=\"2\"} 1\nb{x=\"1\"} 1\na{y=\"1\"} 1\n",
		"a untyped;a untyped;a untyped;b untyped;a untyped;"},
	    {"# TYPE a gauge\n# HELP a x\na 1\n# TYPE b gauge\n# HELP a x\n# TYPE a gauge\na{x=\"\"} 1\n",
		"a gauge;a gauge;"},
	    {"# HELP a x\n# HELP b\na 1\n# HELP c x\n", "a untyped;"},
	    {"# TYPE h histogram\nh_sum 1\n# TYPE h_sum gauge\n", "h_sum sum of h histogram;"},
	    {"# TYPE h_sum gauge\nh_sum 1\n# TYPE h histogram\nh_count 1\n",
		"h_sum gauge;h_count count of h histogram;"},
	};
	static const struct bad_case bad[] = {
	    {"a 1\nb 1\na 2\n", 3, 1, "the series \"a\" stands twice"},
	    {"a 1\n a{} 2\n", 2, 2, "the series \"a{}\" stands twice"},
	    {"a 1 5\na 1 6\n", 2, 1, "the series \"a\" stands twice"},
	    {"a{x=\"1\",y=\"\\\\2\"} 1\na{y=\"\\2\", x=\"1\"} 1\n", 2, 1,
		"the series \"a{y=\"\\2\", x=\"1\"}\" stands twice"},
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1\"} 1\n", 3, 1,
		"the series \"h_bucket{le=\"1\"}\" stands twice"},
	    {"# TYPE a gauge\n# TYPE a counter\n", 2, 8, "a second TYPE of metric \"a\", which says something else"},
	    {"# HELP a x\n# HELP a y\n", 2, 8, "a second HELP of metric \"a\", which says something else"},
	    {"# HELP a x\n#  HELP a\n", 2, 9, "a second HELP of metric \"a\", which says something else"},
	    {"a 1\n# TYPE a gauge\n", 2, 8, "the TYPE of metric \"a\" stands after its samples"},
	    {"h_count 1\n# TYPE h histogram\n", 2, 8, "the TYPE of metric \"h\" stands after its samples"},
	    {"s{quantile=\"1\"} 1\n# TYPE s summary\n", 2, 8, "the TYPE of metric \"s\" stands after its samples"},
	    {"# TYPE s summary\ns 1\n# TYPE b gauge\nb 1\nb_bucket{le=\"1\"} 1\n# TYPE b histogram\n", 6, 8,
		"a second TYPE of metric \"b\", which says something else"},
	};
	assert_non_null(options.seen);
	check_parts(&options, "", good, COUNT(good));
	check_broken(&options, "", bad, COUNT(bad));
	gs_expo_seen_free(options.seen);
}

static void test_recover(void **state) {
	(void)state;
	struct gs_expo_options options = {.format = GS_FORMAT_TEXT, .seen = gs_expo_seen_new()};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_error err;
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, GS_STR("a 1\n# TYPE a counter\na 1\na{x=\"1\"} 1\n"), true);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_OK);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_EINVAL);
	assert_int_equal(err.line, 2);
	assert_true(gs_expo_recover(parser));
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_EINVAL);
	assert_int_equal(err.line, 3);
	assert_true(gs_expo_recover(parser));
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_OK);
	assert_int_equal(event.type, GS_TYPE_COUNTER); /* the TYPE line that came too late holds from there on */
	gs_expo_parser_free(parser);
	gs_expo_seen_free(options.seen);
}

static void test_no_memory(void **state) {
	(void)state;
	struct gs_expo_options options = {.format = GS_FORMAT_TEXT};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	static const char *const bodies[] = {"a 1\n", "# TYPE a gauge\n", "# HELP a x\n"};
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct gs_error err = {0};
		options.seen = gs_expo_seen_new();
		gs_mem_fail_after(0);
		assert_int_equal(dump_parts(parser, &options, gs_str_of(bodies[i]), 0, NULL, &err), GS_ENOMEM);
		assert_true(gs_mem_failed());
		gs_mem_fail_after(-1);
		assert_int_equal(err.line, 1);
		assert_string_equal(err.text, "no memory to remember what stood before");
		assert_false(gs_expo_recover(parser));
		assert_int_equal(gs_expo_next(parser, &(struct gs_expo_event){0}, NULL), GS_ENOMEM);
		gs_expo_seen_free(options.seen);
	}
	gs_expo_parser_free(parser);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_no_parts),
	    cmocka_unit_test(test_quoted),
	    cmocka_unit_test(test_begin_forgets),
	    cmocka_unit_test(test_seen),
	    cmocka_unit_test(test_recover),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
