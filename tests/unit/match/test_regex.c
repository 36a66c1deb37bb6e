/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/match/regex.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct gs_regex *regex_of(const char *pattern) {
	struct gs_regex *regex = NULL;
	struct gs_error err = {0};
	assert_int_equal(gs_regex_new(gs_str_of(pattern), &regex, &err), GS_OK);
	return regex;
}

static bool matches(const char *pattern, struct gs_str text) {
	struct gs_regex *regex = regex_of(pattern);
	bool answer;
	assert_int_equal(gs_regex_match(regex, text, &answer), GS_OK);
	gs_regex_free(regex);
	return answer;
}

static void test_the_whole_text_must_match(void **state) {
	(void)state;
	static const struct {
		const char *pattern;
		const char *text;
		bool expected;
	} cases[] = {
	    {"", "", true},
	    {"", "a", false},
	    {".*", "", true},
	    {".+", "", false},
	    {"a|ab", "ab", true},
	    {"a|ab", "abc", false},
	    {"b", "ab", false},
	    {"^ab$", "ab", true},
	    {"(?i)AB", "ab", true},
	    {"a\\.b", "a.b", true},
	    {"a\\.b", "axb", false},
	    {"5..", "503", true},
	    {"5..", "5034", false},
	    {"[[:alpha:]]+", "abc", true},
	    {"\\d+", "12", true},
	    {"\xc3\xa4.", "\xc3\xa4\xc3\xb6", true},
	    {"..", "\xc3\xa4", false},
	    {"(?P<x>a)", "a", true},
	    {"\\Qa.b\\E", "a.b", true},
	};
	for (size_t i = 0; i < N(cases); i++)
		assert_int_equal(matches(cases[i].pattern, gs_str_of(cases[i].text)), cases[i].expected);
}

/* As Go has it, and PCRE2 by itself has not. */
static void test_line_breaks_are_characters(void **state) {
	(void)state;
	assert_true(matches("a.b", GS_STR("a\nb")));
	assert_true(matches(".*", GS_STR("a\nb\n")));
	assert_false(matches("a$", GS_STR("a\n")));
	assert_false(matches("a", GS_STR("a\n")));
}

static void test_what_is_no_utf8_matches_nothing(void **state) {
	(void)state;
	assert_false(matches(".*", GS_STR("\xff")));
	assert_false(matches(".*", GS_STR("a\xc3")));
	assert_true(matches("a.b", GS_STR("a\0b")));
}

static void test_bad_expressions_are_named(void **state) {
	(void)state;
	static const char *const bad[] = {"(", "a{2,1}", "[z-a]", "*", "(?<n>a)(?<n>b)", "\xff", "a\\Cb"};
	for (size_t i = 0; i < N(bad); i++) {
		struct gs_regex *regex = NULL;
		struct gs_error err = {0};
		assert_int_equal(gs_regex_new(gs_str_of(bad[i]), &regex, &err), GS_EINVAL);
		assert_null(regex);
		assert_non_null(strstr(err.text, "is no regular expression"));
		assert_non_null(strstr(err.text, " at byte "));
	}
}

static void test_length_is_limited(void **state) {
	(void)state;
	char *pattern = gs_alloc(GS_LIMIT_REGEX + 1);
	struct gs_regex *regex = NULL;
	struct gs_error err = {0};
	memset(pattern, 'a', GS_LIMIT_REGEX + 1);
	assert_int_equal(gs_regex_new(gs_str_make(pattern, GS_LIMIT_REGEX + 1), &regex, &err), GS_ELIMIT);
	assert_string_equal(err.text, "a regular expression is longer than 16384 bytes");
	assert_null(regex);
	assert_int_equal(gs_regex_new(gs_str_make(pattern, GS_LIMIT_REGEX), &regex, &err), GS_OK);
	gs_regex_free(regex);
	gs_free(pattern);
}

static void test_steps_are_limited(void **state) {
	(void)state;
	struct gs_regex *regex = regex_of("(a+a+)+[bd]");
	bool answer = true;
	assert_int_equal(
	    gs_regex_match(regex, GS_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"), &answer), GS_ELIMIT);
	assert_false(answer);
	assert_int_equal(gs_regex_match(regex, GS_STR("aab"), &answer), GS_OK);
	assert_true(answer);
	gs_regex_free(regex);
}

/* More than fits on the stack of compiled code. */
static void test_long_texts(void **state) {
	(void)state;
	size_t n = 20000;
	char *text = gs_alloc(n);
	bool answer = false;
	memset(text, 'a', n);
	struct gs_regex *regex = regex_of("(.)*");
	enum gs_status status = gs_regex_match(regex, gs_str_make(text, n), &answer);
	/* By the build of PCRE2 this may need too much, but never more than the limit. */
	assert_true(status == GS_ELIMIT || (status == GS_OK && answer));
	gs_regex_free(regex);
	regex = regex_of("a*");
	assert_int_equal(gs_regex_match(regex, gs_str_make(text, n), &answer), GS_OK);
	assert_true(answer);
	gs_regex_free(regex);
	gs_free(text);
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		struct gs_regex *regex = NULL;
		bool answer = false;
		gs_mem_fail_after(n);
		enum gs_status status = gs_regex_new(GS_STR("a|b+"), &regex, NULL);
		if (status == GS_OK)
			status = gs_regex_match(regex, GS_STR("bb"), &answer);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_regex_free(regex);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_true(answer && n > 4);
			break;
		}
		/* JIT may do without. */
		assert_true(status == GS_ENOMEM || (status == GS_OK && answer));
		assert_true(n < 100);
	}
	gs_regex_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_whole_text_must_match),
	    cmocka_unit_test(test_line_breaks_are_characters),
	    cmocka_unit_test(test_what_is_no_utf8_matches_nothing),
	    cmocka_unit_test(test_bad_expressions_are_named),
	    cmocka_unit_test(test_length_is_limited),
	    cmocka_unit_test(test_steps_are_limited),
	    cmocka_unit_test(test_long_texts),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
