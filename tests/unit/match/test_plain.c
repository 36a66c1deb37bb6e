/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "plain.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define MORE GS_PLAIN_ASK

static struct gs_plain *plain_of(const char *pattern, bool lines) {
	struct gs_plain *plain = NULL;
	assert_int_equal(gs_plain_new(gs_str_of(pattern), lines, &plain), GS_OK);
	return plain;
}

static enum gs_plain_answer answer(const char *pattern, bool lines, struct gs_str text) {
	struct gs_plain *plain = plain_of(pattern, lines);
	assert_non_null(plain);
	enum gs_plain_answer found = gs_plain_match(plain, text);
	gs_plain_free(plain);
	return found;
}

static void test_answers(void **state) {
	(void)state;
	static const struct {
		const char *pattern;
		const char *text;
		enum gs_plain_answer expected;
	} cases[] = {
	    {"", "", GS_PLAIN_YES},
	    {"", "a", GS_PLAIN_NO},
	    {"ab", "ab", GS_PLAIN_YES},
	    {"ab", "abc", GS_PLAIN_NO},
	    {"ab", "a", GS_PLAIN_NO},
	    {"ab", "", GS_PLAIN_NO},
	    {"^ab$", "ab", GS_PLAIN_YES},
	    {"a|", "", GS_PLAIN_YES},
	    {"a||b", "b", GS_PLAIN_YES},
	    {".*", "", GS_PLAIN_YES},
	    {".*", "x", GS_PLAIN_YES},
	    {".+", "", GS_PLAIN_NO},
	    {"(.*)", "x", GS_PLAIN_YES},
	    {"(.+)", "", GS_PLAIN_NO},
	    {"go_.*", "go_", GS_PLAIN_YES},
	    {"go_.+", "go_", GS_PLAIN_NO},
	    {"go_.+", "go_x", GS_PLAIN_YES},
	    {"go_(.*)", "go_x", GS_PLAIN_YES},
	    {"go_.*", "node_go_x", GS_PLAIN_NO},
	    {".*_total", "_total", GS_PLAIN_YES},
	    {".+_total", "_total", GS_PLAIN_NO},
	    {".*_total", "a_total", GS_PLAIN_YES},
	    {".*_total", "a_total_", GS_PLAIN_NO},
	    {".*_(bucket|sum)", "a_sum", GS_PLAIN_YES},
	    {".*_(bucket|sum)", "a_summ", GS_PLAIN_NO},
	    {"(go|process)_(a|b).*", "process_bx", GS_PLAIN_YES},
	    {"(go|process)_(a|b).*", "process_cx", GS_PLAIN_NO},
	    {"(?:go|)x", "x", GS_PLAIN_YES},
	    {"(?P<n>go|no)x", "nox", GS_PLAIN_YES},
	    {"a\\.b|c\\\\d", "a.b", GS_PLAIN_YES},
	    {"a\\.b|c\\\\d", "axb", GS_PLAIN_NO},
	    {"a\\.b|c\\\\d", "c\\d", GS_PLAIN_YES},
	    {"\xc3\xa4|\xc3\xb6.*", "\xc3\xb6x", GS_PLAIN_YES},
	    /* Of these only the beginning is known. */
	    {"go_[a-z]+", "go_x", MORE},
	    {"go_[a-z]+", "gox", GS_PLAIN_NO},
	    {"ab*", "a", MORE},
	    {"ab?|c", "c", GS_PLAIN_YES},
	    {"ab?|c", "b", GS_PLAIN_NO},
	    {"a\\d|c", "cc", GS_PLAIN_NO},
	    {"a\\d|c", "a", MORE},
	    {"\xc3\xa4+|x", "\xc3\xa4", MORE},
	    {"\xc3\xa4+|x", "\xc3", MORE},
	    {"a(b|c)+|x", "x", GS_PLAIN_YES},
	    {"a(b|c)+|x", "b", GS_PLAIN_NO},
	    {"a(b(c|d))|x", "c", GS_PLAIN_NO},
	    {"a[]|]|x", "|", GS_PLAIN_NO},
	    {"a[^]|]|x", "x", GS_PLAIN_YES},
	    {"a[\\]|]|x", "|", GS_PLAIN_NO},
	    {"a.*b|x", "ab", MORE},
	    {".*a.*|x", "x", GS_PLAIN_YES},
	    {".*a.*|x", "y", MORE},
	    {"a.*?|x", "ab", MORE},
	    {"a{2}|x", "a{2}", MORE},
	    {"a$b|x", "b", GS_PLAIN_NO},
	};
	for (size_t i = 0; i < N(cases); i++) {
		enum gs_plain_answer found = answer(cases[i].pattern, false, gs_str_of(cases[i].text));
		if (found != cases[i].expected)
			fail_msg("%s of \"%s\": %d", cases[i].pattern, cases[i].text, found);
	}
	assert_int_equal(answer("a.*", false, (struct gs_str){0}), GS_PLAIN_NO);
}

/* The engine has to be asked for all texts, or what stands there may change what stands elsewhere. */
static void test_nothing_known(void **state) {
	(void)state;
	static const char *const patterns[] = {"[ab]c", ".?", "\\d+", "(?i)ab", "a(?i:b)", "\\Qa\\E", "(*FAIL)|a",
	    "(?P=x)", "(?P>x)", "(?#|)a", "a[[:alpha:]]|b", "(a(?|b)c)", "(a|b)*", "\\ca|b"};
	for (size_t i = 0; i < N(patterns); i++) {
		struct gs_plain *plain = plain_of(patterns[i], false);
		if (plain != NULL)
			fail_msg("something is known of %s", patterns[i]);
	}
}

static void test_line_breaks(void **state) {
	(void)state;
	assert_int_equal(answer("a.*", false, GS_STR("a\nb")), GS_PLAIN_YES);
	assert_int_equal(answer("a.*", true, GS_STR("a\nb")), GS_PLAIN_NO);
	assert_int_equal(answer(".+b", true, GS_STR("\nb")), GS_PLAIN_NO);
	assert_int_equal(answer("a\nb", true, GS_STR("a\nb")), GS_PLAIN_YES);
	assert_int_equal(answer("a\n.*", true, GS_STR("a\nb")), GS_PLAIN_YES);
}

static void test_what_is_no_utf8(void **state) {
	(void)state;
	assert_int_equal(answer("a.*", false, GS_STR("a\xff")), GS_PLAIN_NO);
	assert_int_equal(answer(".+", false, GS_STR("\xc3")), GS_PLAIN_NO);
}

/* Up to 64 alternatives, however they are written. */
static void test_many_alternatives(void **state) {
	(void)state;
	struct gs_plain *plain = plain_of("(a|b|c|d)(a|b|c|d)(a|b|c|d)", false);
	assert_int_equal(gs_plain_match(plain, GS_STR("dcb")), GS_PLAIN_YES);
	assert_int_equal(gs_plain_match(plain, GS_STR("dce")), GS_PLAIN_NO);
	gs_plain_free(plain);
	assert_null(plain_of("(a|b|c|d)(a|b|c|d)(a|b|c|d)(a|b)", false));
	assert_int_equal(answer("(a|b|c|d)(a|b|c|d)x", false, GS_STR("ddx")), GS_PLAIN_YES);
	char pattern[3 * 65];
	for (size_t i = 0; i < 65; i++) {
		pattern[3 * i] = (char)('A' + i % 26);
		pattern[3 * i + 1] = (char)('0' + i / 26);
		pattern[3 * i + 2] = '|';
	}
	pattern[3 * 64 - 1] = '\0';
	plain = plain_of(pattern, false);
	assert_int_equal(gs_plain_match(plain, GS_STR("B1")), GS_PLAIN_YES);
	assert_int_equal(gs_plain_match(plain, GS_STR("B3")), GS_PLAIN_NO);
	gs_plain_free(plain);
	pattern[3 * 64 - 1] = '|';
	pattern[3 * 65 - 1] = '\0';
	assert_null(plain_of(pattern, false));
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		struct gs_plain *plain = NULL;
		gs_mem_fail_after(n);
		enum gs_status status = gs_plain_new(GS_STR("(a|b)x|c.*"), false, &plain);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_plain_free(plain);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_true(n >= 3);
			break;
		}
		assert_int_equal(status, GS_ENOMEM);
		assert_null(plain);
	}
	gs_plain_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_nothing_known),
	    cmocka_unit_test(test_line_breaks),
	    cmocka_unit_test(test_what_is_no_utf8),
	    cmocka_unit_test(test_many_alternatives),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
