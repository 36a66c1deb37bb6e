/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "line.h"

static char out[GS_LOG_LINE_MAX + 1];

static const char *line(int64_t ms, struct gs_str text) {
	memset(out, '#', sizeof(out));
	size_t n = gs_log_line(out, ms, "info", "prog", text);
	assert_true(n <= GS_LOG_LINE_MAX);
	out[n] = '\0';
	return out;
}

#define HEAD "2023-11-14T22:13:20.007Z level=info program=prog msg=\""
#define AT 1700000000007

static void test_form(void **state) {
	(void)state;
	assert_string_equal(line(AT, GS_STR("hello")), HEAD "hello\"\n");
	assert_string_equal(line(AT, GS_STR("")), HEAD "\"\n");
	assert_string_equal(line(0, GS_STR("x")), "1970-01-01T00:00:00.000Z level=info program=prog msg=\"x\"\n");
}

static void test_escapes(void **state) {
	static const struct {
		struct gs_str text;
		const char *want;
	} cases[] = {
	    {GS_STR_INIT("a\nlevel=error"), HEAD "a\\nlevel=error\"\n"},
	    {GS_STR_INIT("say \"x\" \\ y"), HEAD "say \\\"x\\\" \\\\ y\"\n"},
	    {GS_STR_INIT("\r\t\0\x1b[31m\x7f"), HEAD "\\r\\t\\x00\\x1b[31m\\x7f\"\n"},
	    {GS_STR_INIT("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98"),
		HEAD "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98\"\n"},
	    {GS_STR_INIT("bad \xc3 utf8 \xff"), HEAD "bad \\xc3 utf8 \\xff\"\n"},
	    {GS_STR_INIT("csi \xc2\x9b"
			 "31m, \xc2\xa0 stays"),
		HEAD "csi \\xc2\\x9b"
		     "31m, \xc2\xa0 stays\"\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(line(AT, cases[i].text), cases[i].want);
}

/* Every length around the limit: one line, closed, within the limit, no letter cut in its middle. */
static void test_cut(void **state) {
	static const char *const units[] = {"a", "\n", "\x01", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\x98"};
	static char text[3 * GS_LOG_LINE_MAX];
	(void)state;
	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		size_t step = strlen(units[u]), n = 0;
		for (n = 0; n + step <= sizeof(text); n += step)
			memcpy(text + n, units[u], step);
		for (size_t shift = 0; shift < 8; shift++) {
			size_t len = n - shift * step;
			const char *got = line(AT, gs_str_make(text, len));
			size_t end = strlen(got);
			assert_string_equal(got + end - 5, "...\"\n");
			assert_ptr_equal(strchr(got, '\n'), got + end - 1);
			assert_true(gs_str_is_utf8(gs_str_of(got)));
			assert_true(end > GS_LOG_LINE_MAX - 16);
		}
	}
	for (size_t len = GS_LOG_LINE_MAX - 100; len < GS_LOG_LINE_MAX + 10; len++) {
		memset(text, 'x', len);
		const char *got = line(AT, gs_str_make(text, len));
		bool whole = strncmp(got + sizeof(HEAD) - 1, text, len) == 0;
		assert_int_equal(whole, strstr(got, "...") == NULL);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_form), cmocka_unit_test(test_escapes), cmocka_unit_test(test_cut)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
