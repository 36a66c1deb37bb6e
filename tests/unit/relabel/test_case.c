/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "case.h"
#include "gravel/base/mem.h"

static void check(void (*convert)(struct gs_str text, struct gs_buf *out), const char *text, const char *expected) {
	struct gs_buf out;
	gs_buf_init(&out, 1000);
	convert(gs_str_of(text), &out);
	gs_buf_char(&out, '\0');
	assert_int_equal(out.status, GS_OK);
	assert_string_equal(out.p, expected);
	gs_buf_free(&out);
}

static void test_cases(void **state) {
	(void)state;
	check(gs_case_lower, "", "");
	check(gs_case_lower, "AbZ@[`{09", "abz@[`{09");
	check(gs_case_upper, "aBz@[`{09", "ABZ@[`{09");
	check(gs_case_lower, "\xc3\x84\xc3\x9f", "\xc3\xa4\xc3\x9f"); /* A with dots, sharp s */
	check(gs_case_upper, "\xc3\xa4\xc3\x9f", "\xc3\x84\xc3\x9f");
	check(gs_case_lower, "\xc4\xb0", "i"); /* I with a dot: shorter */
	check(gs_case_upper, "\xc4\xb1\xc5\xbf", "IS"); /* i without one, long s */
	check(gs_case_upper, "\xc9\x90", "\xe2\xb1\xaf"); /* turned a: longer */
	check(gs_case_upper, "\xc7\x85", "\xc7\x84"); /* a letter in title case */
	check(gs_case_lower, "\xc7\x85", "\xc7\x86");
	check(gs_case_upper, "\xf0\x90\x90\xa8", "\xf0\x90\x90\x80"); /* Deseret, four bytes */
	check(gs_case_lower, "\xe6\x97\xa5", "\xe6\x97\xa5"); /* has none */
	check(gs_case_upper, "\xc5\x89", "\xc5\x89"); /* would be two letters */
	check(gs_case_lower, "A\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd");
	check(gs_case_lower, "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_limit(void **state) {
	(void)state;
	struct gs_buf out;
	gs_buf_init(&out, 6);
	gs_case_upper(GS_STR("abc"), &out);
	assert_int_equal(out.status, GS_OK);
	gs_case_upper(GS_STR("abc"), &out);
	assert_int_equal(out.status, GS_ELIMIT);
	gs_buf_free(&out);
	gs_mem_fail_after(0);
	gs_case_upper(GS_STR("abc"), &out);
	gs_mem_fail_after(-1);
	assert_int_equal(out.status, GS_ENOMEM);
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
