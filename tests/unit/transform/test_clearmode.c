/* SPDX-License-Identifier: Apache-2.0 */
/* Clearmodes alone: the bytes of the target, with a label put into some. */
#include "transform_test.h"

#include "internal.h"

/* Whatever pieces the body comes in, ${expected} is what is sent. */
static void expect(const struct gs_clearmode_rule *modes, size_t n, const char *body, const char *expected) {
	struct scrape s;
	scrape_init(&s);
	s.options.clearmodes = modes;
	s.options.nclearmodes = n;
	s.windows = true;
	for (s.piece = 0; s.piece <= strlen(body); s.piece++) {
		scrape_run(&s, gs_str_of(body));
		assert_written(&s, expected);
		assert_int_equal(s.result.samples, s.result.kept);
	}
	scrape_close(&s);
}

static const struct gs_clearmode_rule all_sum[] = {{".*", "sum"}};

static void test_every_form_of_a_sample(void **state) {
	(void)state;
	static const char *const forms[][2] = {
	    {"", ""},
	    {"a 1\n", "a{clearmode=\"sum\"} 1\n"},
	    {"a 1", "a{clearmode=\"sum\"} 1"},
	    {"a\t1\n", "a{clearmode=\"sum\"}\t1\n"},
	    {"a{} 1\n", "a{clearmode=\"sum\"} 1\n"},
	    {"a{ } 1\n", "a{ clearmode=\"sum\"} 1\n"},
	    {"a{x=\"1\"} 1\n", "a{x=\"1\",clearmode=\"sum\"} 1\n"},
	    {"a{x=\"1\",} 1\n", "a{x=\"1\",clearmode=\"sum\"} 1\n"},
	    {"a{x=\"1\", } 1\n", "a{x=\"1\", clearmode=\"sum\"} 1\n"},
	    {"a{x=\"1\" } 1\n", "a{x=\"1\" ,clearmode=\"sum\"} 1\n"},
	    {"a {x=\"1\"} 1\n", "a {x=\"1\",clearmode=\"sum\"} 1\n"},
	    {"a{x=\"}\\\"{,\"} 1 1700000000000\n", "a{x=\"}\\\"{,\",clearmode=\"sum\"} 1 1700000000000\n"},
	    {"a 1\nb 2\na{x=\"\"} NaN\n",
		"a{clearmode=\"sum\"} 1\nb{clearmode=\"sum\"} 2\na{x=\"\",clearmode=\"sum\"} NaN\n"},
	};
	for (size_t i = 0; i < N(forms); i++)
		expect(all_sum, 1, forms[i][0], forms[i][1]);
}

/* Names in quotes stand behind the brace; the rule of one is not that of another that begins like it. */
static void test_names_in_quotes(void **state) {
	(void)state;
	static const struct gs_clearmode_rule modes[] = {{"a\\.b|x", "sum"}, {"\\{\"a", "mean5m"}};
	expect(modes, N(modes),
	    "{\"a.b\"} 1\n{ \"a.b\" } 2\n{\"a.b\",} 3\n{\"c.d\"=\"e\",\"a.b\"} 4\n{\"a.c\"} 5\nx 6\n",
	    "{\"a.b\",clearmode=\"sum\"} 1\n{ \"a.b\" ,clearmode=\"sum\"} 2\n{\"a.b\",clearmode=\"sum\"} 3\n"
	    "{\"c.d\"=\"e\",\"a.b\",clearmode=\"sum\"} 4\n{\"a.c\"} 5\nx{clearmode=\"sum\"} 6\n");
	expect(modes, N(modes), "{\"abc\"} 1\n{\"{\\\"a\"} 2\n{\"abc\"} 3\n",
	    "{\"abc\"} 1\n{\"{\\\"a\",clearmode=\"mean5m\"} 2\n{\"abc\"} 3\n");
}

static void test_all_other_bytes_stay(void **state) {
	(void)state;
	expect(all_sum, 1, "\n# a comment {x=\"1\"}\n# HELP a The a.\n# TYPE a counter\n\n  a 1\n# EOF\n",
	    "\n# a comment {x=\"1\"}\n# HELP a The a.\n# TYPE a counter\n\n  a{clearmode=\"sum\"} 1\n# EOF\n");
}

static void test_the_first_rule_that_fits_wins(void **state) {
	(void)state;
	static const struct gs_clearmode_rule modes[] = {
	    {"jobs_.*", "sum5m"}, {".*_total", "aggregate"}, {"jobs_total", "never"}};
	expect(modes, N(modes), "jobs_total 1\nx_total 2\nx 3\nx_total{a=\"b\"} 4\n",
	    "jobs_total{clearmode=\"sum5m\"} 1\nx_total{clearmode=\"aggregate\"} 2\nx 3\n"
	    "x_total{a=\"b\",clearmode=\"aggregate\"} 4\n");
}

static void test_a_rule_must_match_the_whole_name(void **state) {
	(void)state;
	static const struct gs_clearmode_rule modes[] = {{"a|ab", "sum"}, {"^x$", "min"}, {"(?i)UP", "max"}};
	expect(modes, N(modes), "a 1\nab 1\nabc 1\nxa 1\nx 1\nup 1\n",
	    "a{clearmode=\"sum\"} 1\nab{clearmode=\"sum\"} 1\nabc 1\nxa 1\nx{clearmode=\"min\"} "
	    "1\nup{clearmode=\"max\"} 1\n");
}

static void test_parts_of_a_histogram_are_names_of_their_own(void **state) {
	(void)state;
	static const struct gs_clearmode_rule modes[] = {{"h_(bucket|sum|count)", "sum"}};
	expect(modes, 1, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
	    "# TYPE h histogram\nh_bucket{le=\"+Inf\",clearmode=\"sum\"} 1\nh_sum{clearmode=\"sum\"} 1\n"
	    "h_count{clearmode=\"sum\"} 1\n");
}

static void test_what_the_exposition_says_stays(void **state) {
	(void)state;
	expect(all_sum, 1, "a{clearmode=\"replace\"} 1\na{x=\"1\",clearmode=\"\"} 2\na{clearmode_=\"1\"} 3\n",
	    "a{clearmode=\"replace\"} 1\na{x=\"1\",clearmode=\"\"} 2\na{clearmode_=\"1\",clearmode=\"sum\"} 3\n");
}

static void test_clearmode_is_escaped(void **state) {
	(void)state;
	static const struct gs_clearmode_rule modes[] = {{"a", "x\"} 1\n\\"}};
	expect(modes, 1, "a 1\n", "a{clearmode=\"x\\\"} 1\\n\\\\\"} 1\n");
}

/* Where the caller does not show the bytes, and in protobuf, the same is written anew. */
static void test_without_the_bytes(void **state) {
	(void)state;
	static const struct gs_clearmode_rule modes[] = {{"a", "sum"}, {"g_.*", "min"}};
	struct scrape s;
	scrape_init(&s);
	s.options.clearmodes = modes;
	s.options.nclearmodes = N(modes);
	becomes(&s,
	    "# c\n# TYPE a gauge\na{x=\"1\" , } 1e2\nb{x=\"\"} 2\n# TYPE g histogram\ng_bucket{le=\"+Inf\"} 1\n",
	    "# TYPE a gauge\na{clearmode=\"sum\",x=\"1\"} 100\nb{x=\"\"} 2\n# TYPE g histogram\n"
	    "g_bucket{clearmode=\"min\",le=\"+Inf\"} 1\n",
	    3, 3);
	scrape_close(&s);
}

static void test_limits_are_checked_as_well(void **state) {
	(void)state;
	struct scrape s;
	scrape_init(&s);
	s.options.clearmodes = all_sum;
	s.options.nclearmodes = 1;
	s.options.sample_limit = 2;
	s.options.label_limit = 4;
	s.windows = true;
	becomes(&s, "a{x=\"1\"} 1\nb 1\n", "a{x=\"1\",clearmode=\"sum\"} 1\nb{clearmode=\"sum\"} 1\n", 2, 2);
	fails(&s, "a 1\nb 1\nc 1\n", GS_ELIMIT, "sample limit exceeded", "sample_limit", 3, 3);
	fails(&s, "a 1\nb{x=\"1\",y=\"2\"} 1\nc 1\n", GS_ELIMIT,
	    "label_limit exceeded (metric: b, number of labels: 5, limit: 4)", "label_limit", 2, 1);
	scrape_close(&s);
}

static void test_bad_expressions_are_named(void **state) {
	(void)state;
	static const char *const bad[] = {"(", "a{2,1}", "[z-a]", "*", "(?<n>a)(?<n>b)", "\xff", "a\\Cb"};
	for (size_t i = 0; i < N(bad); i++) {
		const struct gs_clearmode_rule given[] = {{"fine", "sum"}, {bad[i], "sum"}};
		struct gs_clearmodes *modes = NULL;
		struct gs_error err = {0};
		assert_int_equal(gs_clearmodes_new(given, 2, &modes, &err), GS_EINVAL);
		assert_null(modes);
		assert_non_null(strstr(err.text, "is no regular expression"));
		assert_non_null(strstr(err.text, " at byte "));
	}
}

/* What stood in the buffer before stays there, whatever happens. */
static void test_out_is_as_before_after_a_failure(void **state) {
	(void)state;
	struct scrape s;
	struct gs_transform *transform = NULL;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	static const char *const bodies[] = {
	    "a 1\nb{", "a 1\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1\n"};
	static const enum gs_status expected[] = {GS_EINVAL, GS_ELIMIT};
	scrape_init(&s);
	s.options.clearmodes = all_sum;
	s.options.nclearmodes = 1;
	assert_int_equal(gs_transform_new(&s.options, &transform, NULL), GS_OK);
	for (size_t i = 0; i < 4; i++) {
		s.out.max = 64;
		gs_buf_clear(&s.out);
		gs_buf_cstr(&s.out, "before");
		s.windows = i >= 2;
		gs_transform_begin(transform, s.target, s.ntarget, 1, &s.format, &s.out);
		enum gs_status status = scrape_events(&s, transform, parser, gs_str_of(bodies[i % 2]));
		enum gs_status ended = gs_transform_end(transform, status == GS_OK, &s.result, &s.err);
		assert_int_equal(status != GS_OK ? status : ended, expected[i % 2]);
		assert_true(gs_str_eq(gs_buf_slice(&s.out), GS_STR("before")));
		assert_int_equal(s.out.status, GS_OK);
	}
	gs_transform_free(transform);
	gs_expo_parser_free(parser);
	scrape_close(&s);
}

/* A name that makes an expression search for ever: it ends, and says so. */
static void test_an_expression_cannot_take_for_ever(void **state) {
	(void)state;
	static const struct gs_clearmode_rule modes[] = {{"(a+a+)+[bd]", "sum"}};
	struct scrape s;
	scrape_init(&s);
	s.options.clearmodes = modes;
	s.options.nclearmodes = 1;
	fails(&s, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac 1\n", GS_ELIMIT,
	    "the clearmode rules of the job cannot be applied", NULL, 1, 1);
	s.windows = true;
	becomes(&s, "aab 1\n", "aab{clearmode=\"sum\"} 1\n", 1, 1);
	scrape_close(&s);
}

static void test_out_of_memory(void **state) {
	(void)state;
	static const struct gs_clearmode_rule modes[] = {{"a.*", "sum"}, {"[bc]+", "replace"}};
	for (int n = 0;; n++) {
		struct scrape s;
		scrape_init(&s);
		s.options.clearmodes = modes;
		s.options.nclearmodes = 2;
		s.windows = true;
		gs_mem_fail_after(n);
		scrape_run(&s, GS_STR("a 1\nb 2\n"));
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		bool fine = s.status == GS_OK;
		assert_true(fine || s.status == GS_ENOMEM);
		scrape_close(&s);
		if (!failed) {
			assert_true(fine);
			assert_true(n > 4);
			break;
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_form_of_a_sample),
	    cmocka_unit_test(test_names_in_quotes),
	    cmocka_unit_test(test_all_other_bytes_stay),
	    cmocka_unit_test(test_the_first_rule_that_fits_wins),
	    cmocka_unit_test(test_a_rule_must_match_the_whole_name),
	    cmocka_unit_test(test_parts_of_a_histogram_are_names_of_their_own),
	    cmocka_unit_test(test_what_the_exposition_says_stays),
	    cmocka_unit_test(test_clearmode_is_escaped),
	    cmocka_unit_test(test_without_the_bytes),
	    cmocka_unit_test(test_limits_are_checked_as_well),
	    cmocka_unit_test(test_bad_expressions_are_named),
	    cmocka_unit_test(test_out_is_as_before_after_a_failure),
	    cmocka_unit_test(test_an_expression_cannot_take_for_ever),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
