/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct gs_str none;

static void test_compare(void **state) {
	(void)state;
	static const char *const sorted[] = {"", "A", "a", "aa", "ab", "b", "\xc3\xa4", "\xff"};
	for (size_t i = 0; i < COUNT(sorted); i++) {
		for (size_t k = 0; k < COUNT(sorted); k++) {
			struct gs_str a = gs_str_of(sorted[i]), b = gs_str_of(sorted[k]);
			int c = gs_str_cmp(a, b);
			assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
			assert_int_equal(gs_str_eq(a, b), i == k);
		}
	}
	assert_true(gs_str_eq(none, gs_str_of("")));
	assert_true(gs_str_eq(none, gs_str_of(NULL)));
	assert_int_equal(gs_str_cmp(none, none), 0);
	assert_true(gs_str_cmp(GS_STR("a\0b"), GS_STR("a\0a")) > 0);
}

static void test_starts_and_ends(void **state) {
	(void)state;
	struct gs_str s = GS_STR("abcabc");
	assert_true(gs_str_starts(s, GS_STR("abc")));
	assert_true(gs_str_starts(s, s));
	assert_true(gs_str_starts(s, none));
	assert_true(gs_str_starts(none, none));
	assert_false(gs_str_starts(s, GS_STR("bc")));
	assert_false(gs_str_starts(s, GS_STR("abcabcd")));
	assert_true(gs_str_ends(s, GS_STR("cabc")));
	assert_true(gs_str_ends(s, none));
	assert_true(gs_str_ends(none, none));
	assert_false(gs_str_ends(s, GS_STR("ab")));
	assert_false(gs_str_ends(none, GS_STR("a")));
}

static void test_cut(void **state) {
	(void)state;
	struct gs_str head, tail;
	assert_true(gs_str_cut(GS_STR("a=b=c"), '=', &head, &tail));
	assert_true(gs_str_eq(head, GS_STR("a")));
	assert_true(gs_str_eq(tail, GS_STR("b=c")));
	assert_true(gs_str_cut(GS_STR("="), '=', &head, &tail));
	assert_int_equal(head.n + tail.n, 0);
	assert_false(gs_str_cut(GS_STR("abc"), '=', &head, &tail));
	assert_true(gs_str_eq(head, GS_STR("abc")));
	assert_int_equal(tail.n, 0);
	assert_false(gs_str_cut(none, '=', &head, &tail));
	struct gs_str s = GS_STR("x,y");
	assert_true(gs_str_cut(s, ',', &s, &tail)); /* in place */
	assert_true(gs_str_eq(s, GS_STR("x")));
	assert_true(gs_str_eq(tail, GS_STR("y")));
}

static void test_trim(void **state) {
	(void)state;
	assert_true(gs_str_eq(gs_str_trim(GS_STR(" \t\r\na b\n\r\t ")), GS_STR("a b")));
	assert_int_equal(gs_str_trim(GS_STR(" \n ")).n, 0);
	assert_int_equal(gs_str_trim(none).n, 0);
	assert_true(gs_str_eq(gs_str_trim(GS_STR("\0 ")), GS_STR("\0")));
}

/* The encoding of RFC 3629 written the other way round: from code points. */
static size_t encode(uint32_t c, char *out) {
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	out[0] = (char)(lead[n] | c);
	return n;
}

static void test_utf8_every_code_point(void **state) {
	(void)state;
	for (uint32_t c = 0; c < 0x120000; c++) {
		char text[16] = "1234567";
		size_t n = 7 + encode(c, text + 7);
		bool want = c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);
		if (gs_str_is_utf8(gs_str_make(text, n)) != want ||
		    gs_str_is_utf8(gs_str_make(text + 7, n - 7)) != want)
			fail_msg("U+%04X", c);
		for (size_t cut = 8; cut < n; cut++)
			assert_false(gs_str_is_utf8(gs_str_make(text, cut)));
	}
}

static void test_utf8_bad(void **state) {
	(void)state;
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x80\x80",
	    "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
	    "\xf5\x80\x80\x80", "\xfe", "\xff", "\xe2\x82", "\xe2\x28\xa1", "\xf0\x9f\x98", "\xf0\x9f\x98\xc0",
	    "\xf8\x88\x80\x80\x80"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		for (size_t before = 0; before < 17; before++) {
			char text[40];
			size_t n = strlen(bad[i]);
			memset(text, 'x', sizeof(text));
			memcpy(text + before, bad[i], n);
			assert_false(gs_str_is_utf8(gs_str_make(text, before + n)));
			assert_false(gs_str_is_utf8(gs_str_make(text, sizeof(text))));
		}
	}
	assert_true(gs_str_is_utf8(none));
	assert_true(gs_str_is_utf8(GS_STR("a\0b")));
}

static void test_distance(void **state) {
	(void)state;
	static const struct {
		const char *a, *b;
		size_t want;
	} cases[] = {{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3},
	    {"replace", "relpace", 1}, {"ab", "ba", 1}, {"abcd", "badc", 2}, {"a", "b", 1}, {"identity", "identiy", 1},
	    {"x", "identity", 8}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(gs_str_distance(gs_str_of(cases[i].a), gs_str_of(cases[i].b)), cases[i].want);
		assert_int_equal(gs_str_distance(gs_str_of(cases[i].b), gs_str_of(cases[i].a)), cases[i].want);
	}
	char text[65];
	memset(text, 'x', sizeof(text));
	assert_int_equal(gs_str_distance(gs_str_make(text, 64), none), 64);
	assert_int_equal(gs_str_distance(gs_str_make(text, 64), gs_str_make(text, 64)), 0);
	assert_true(gs_str_distance(gs_str_make(text, 65), none) == SIZE_MAX);
	assert_true(gs_str_distance(none, gs_str_make(text, 65)) == SIZE_MAX);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_compare),
	    cmocka_unit_test(test_starts_and_ends),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_utf8_every_code_point),
	    cmocka_unit_test(test_utf8_bad),
	    cmocka_unit_test(test_distance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
