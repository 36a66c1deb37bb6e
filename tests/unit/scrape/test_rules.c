/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "gravel/scrape/rules.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct gs_expo_options text_format = {.format = GS_FORMAT_TEXT};

static struct gs_rules *rules_of(const struct gs_rule *given, size_t n) {
	struct gs_rules *rules = NULL;
	struct gs_error err = {0};
	assert_int_equal(gs_rules_new(given, n, &rules, &err), GS_OK);
	return rules;
}

static enum gs_status apply(struct gs_rules *rules, const char *body, struct gs_buf *out) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	enum gs_status status = gs_rules_apply(rules, parser, &text_format, gs_str_of(body), out);
	gs_buf_check(out);
	gs_expo_parser_free(parser);
	return status;
}

static void expect(const struct gs_rule *given, size_t n, const char *body, const char *expected) {
	struct gs_rules *rules = rules_of(given, n);
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	assert_int_equal(apply(rules, body, &out), GS_OK);
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, expected);
	gs_buf_free(&out);
	gs_rules_free(rules);
}

static const struct gs_rule all_sum[] = {{".*", "sum"}};

static void test_every_form_of_a_sample(void **state) {
	(void)state;
	static const char *const forms[][2] = {
	    {"", ""},
	    {"a 1\n", "a{clearmode=\"sum\"} 1\n"},
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
	static const struct gs_rule rules[] = {{"a\\.b|x", "sum"}, {"\\{\"a", "mean5m"}};
	expect(rules, N(rules),
	    "{\"a.b\"} 1\n{ \"a.b\" } 2\n{\"a.b\",} 3\n{\"c.d\"=\"e\",\"a.b\"} 4\n{\"a.c\"} 5\nx 6\n",
	    "{\"a.b\",clearmode=\"sum\"} 1\n{ \"a.b\" ,clearmode=\"sum\"} 2\n{\"a.b\",clearmode=\"sum\"} 3\n"
	    "{\"c.d\"=\"e\",\"a.b\",clearmode=\"sum\"} 4\n{\"a.c\"} 5\nx{clearmode=\"sum\"} 6\n");
	expect(rules, N(rules), "{\"abc\"} 1\n{\"{\\\"a\"} 2\n{\"abc\"} 3\n",
	    "{\"abc\"} 1\n{\"{\\\"a\",clearmode=\"mean5m\"} 2\n{\"abc\"} 3\n");
}

static void test_all_other_bytes_stay(void **state) {
	(void)state;
	expect(all_sum, 1, "\n# a comment {x=\"1\"}\n# HELP a The a.\n# TYPE a counter\n\n  a 1\n# EOF\n",
	    "\n# a comment {x=\"1\"}\n# HELP a The a.\n# TYPE a counter\n\n  a{clearmode=\"sum\"} 1\n# EOF\n");
}

static void test_the_first_rule_that_fits_wins(void **state) {
	(void)state;
	static const struct gs_rule rules[] = {
	    {"jobs_.*", "sum5m"}, {".*_total", "aggregate"}, {"jobs_total", "never"}};
	expect(rules, N(rules), "jobs_total 1\nx_total 2\nx 3\nx_total{a=\"b\"} 4\n",
	    "jobs_total{clearmode=\"sum5m\"} 1\nx_total{clearmode=\"aggregate\"} 2\nx 3\n"
	    "x_total{a=\"b\",clearmode=\"aggregate\"} 4\n");
}

static void test_a_rule_must_match_the_whole_name(void **state) {
	(void)state;
	static const struct gs_rule rules[] = {{"a|ab", "sum"}, {"^x$", "min"}, {"(?i)UP", "max"}};
	expect(rules, N(rules), "a 1\nab 1\nabc 1\nxa 1\nx 1\nup 1\n",
	    "a{clearmode=\"sum\"} 1\nab{clearmode=\"sum\"} 1\nabc 1\nxa 1\nx{clearmode=\"min\"} "
	    "1\nup{clearmode=\"max\"} 1\n");
}

static void test_parts_of_a_histogram_are_names_of_their_own(void **state) {
	(void)state;
	static const struct gs_rule rules[] = {{"h_(bucket|sum|count)", "sum"}};
	expect(rules, 1, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
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
	static const struct gs_rule rules[] = {{"a", "x\"} 1\n\\"}};
	expect(rules, 1, "a 1\n", "a{clearmode=\"x\\\"} 1\\n\\\\\"} 1\n");
}

static void test_no_rules_change_nothing(void **state) {
	(void)state;
	expect(NULL, 0, "a 1\n", "a 1\n");
}

static void test_bad_expressions_are_named(void **state) {
	(void)state;
	static const char *const bad[] = {"(", "a{2,1}", "[z-a]", "*", "(?<n>a)(?<n>b)", "\xff", "a\\Cb"};
	for (size_t i = 0; i < N(bad); i++) {
		const struct gs_rule rules[] = {{"fine", "sum"}, {bad[i], "sum"}};
		struct gs_rules *ret = NULL;
		struct gs_error err = {0};
		assert_int_equal(gs_rules_new(rules, 2, &ret, &err), GS_EINVAL);
		assert_null(ret);
		assert_non_null(strstr(err.text, "is no regular expression"));
		assert_non_null(strstr(err.text, " at byte "));
	}
}

static void test_out_is_as_before_after_a_failure(void **state) {
	(void)state;
	struct gs_rules *rules = rules_of(all_sum, 1);
	struct gs_buf out;
	gs_buf_init(&out, 64);
	gs_buf_cstr(&out, "before");
	assert_int_equal(apply(rules, "a 1\nb{", &out), GS_EINVAL);
	assert_true(gs_str_eq(gs_buf_slice(&out), GS_STR("before")));
	assert_int_equal(out.status, GS_OK);
	assert_int_equal(
	    apply(rules, "a 1\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1\n", &out), GS_ELIMIT);
	assert_int_equal(out.n, 6);
	gs_buf_free(&out);
	gs_rules_free(rules);
}

/* A name that makes an expression search for ever: it ends, and says so. */
static void test_an_expression_cannot_take_for_ever(void **state) {
	(void)state;
	static const struct gs_rule rules[] = {{"(a+a+)+[bd]", "sum"}};
	struct gs_rules *compiled = rules_of(rules, 1);
	struct gs_buf out;
	gs_buf_init(&out, 1024);
	assert_int_equal(apply(compiled, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac 1\n", &out), GS_ELIMIT);
	assert_int_equal(apply(compiled, "aab 1\n", &out), GS_OK);
	gs_buf_free(&out);
	gs_rules_free(compiled);
}

static void test_out_of_memory(void **state) {
	(void)state;
	static const struct gs_rule given[] = {{"a.*", "sum"}, {"[bc]+", "replace"}};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (int n = 0;; n++) {
		struct gs_rules *rules = NULL;
		struct gs_error err = {0};
		struct gs_buf out;
		gs_buf_init(&out, 1024);
		gs_mem_fail_after(n);
		enum gs_status status = gs_rules_new(given, N(given), &rules, &err);
		if (status == GS_OK)
			status = gs_rules_apply(rules, parser, &text_format, GS_STR("a 1\nb 2\n"), &out);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_buf_free(&out);
		gs_rules_free(rules);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_true(n > 4);
			break;
		}
		/* JIT may do without. */
		assert_true(status == GS_ENOMEM || status == GS_OK);
		assert_true(n < 100);
	}
	gs_expo_parser_free(parser);
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
	    cmocka_unit_test(test_no_rules_change_nothing),
	    cmocka_unit_test(test_bad_expressions_are_named),
	    cmocka_unit_test(test_out_is_as_before_after_a_failure),
	    cmocka_unit_test(test_an_expression_cannot_take_for_ever),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
