/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/buf.h"
#include "lint.h"

/* The warnings of a family with TYPE and HELP, joined by "; ". */
static void assert_lint(const char *name, enum gs_expo_type type, enum gs_expo_format format, const char *want) {
	struct gs_error warnings[GS_CHECK_LINT_MAX];
	struct gs_check_family family = {
	    .name = gs_str_of(name), .type = type, .has_type = true, .has_help = true, .line = 7};
	struct gs_buf got;
	gs_buf_init(&got, 4096);
	size_t n = gs_check_lint(&family, format, warnings);
	assert_true(n <= GS_CHECK_LINT_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(warnings[i].line, 7);
		assert_int_equal(warnings[i].column, 0);
		gs_buf_printf(&got, "%s%s", i != 0 ? "; " : "", warnings[i].text);
	}
	gs_buf_char(&got, '\0');
	assert_string_equal(got.p, want);
	gs_buf_free(&got);
}

static void test_names(void **state) {
	(void)state;
	static const struct {
		const char *name;
		enum gs_expo_type type;
		enum gs_expo_format format;
		const char *want;
	} cases[] = {
	    {"a", GS_TYPE_GAUGE, GS_FORMAT_TEXT, ""},
	    {"a_total", GS_TYPE_COUNTER, GS_FORMAT_TEXT, ""},
	    {"a", GS_TYPE_COUNTER, GS_FORMAT_TEXT, "counter \"a\" does not end in \"_total\""},
	    {"a", GS_TYPE_COUNTER, GS_FORMAT_PROTOBUF, "counter \"a\" does not end in \"_total\""},
	    {"a", GS_TYPE_COUNTER, GS_FORMAT_OPENMETRICS, ""},
	    {"a_total", GS_TYPE_GAUGE, GS_FORMAT_TEXT, "gauge \"a_total\" ends in \"_total\" like a counter"},
	    {"a_total", GS_TYPE_UNTYPED, GS_FORMAT_TEXT, ""},
	    {"a_count", GS_TYPE_GAUGE, GS_FORMAT_TEXT,
		"gauge \"a_count\" ends in \"_count\" like a part of a histogram or summary"},
	    {"a_sum", GS_TYPE_HISTOGRAM, GS_FORMAT_TEXT,
		"histogram \"a_sum\" ends in \"_sum\" like a part of a histogram or summary"},
	    {"a_bucket", GS_TYPE_COUNTER, GS_FORMAT_TEXT,
		"counter \"a_bucket\" does not end in \"_total\"; "
		"counter \"a_bucket\" ends in \"_bucket\" like a part of a histogram or summary"},
	    {"a_sum", GS_TYPE_UNTYPED, GS_FORMAT_TEXT, ""},
	    {"job:a:rate5m", GS_TYPE_GAUGE, GS_FORMAT_TEXT,
		"gauge \"job:a:rate5m\" has a ':' in its name, which is kept for recording rules"},
	    {"aB", GS_TYPE_GAUGE, GS_FORMAT_TEXT, "gauge \"aB\" is camelCase, not snake_case"},
	    {"AB_cD", GS_TYPE_GAUGE, GS_FORMAT_TEXT, "gauge \"AB_cD\" is camelCase, not snake_case"},
	    {"ABc", GS_TYPE_GAUGE, GS_FORMAT_TEXT, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_lint(cases[i].name, cases[i].type, cases[i].format, cases[i].want);
}

static void test_missing_lines(void **state) {
	(void)state;
	struct gs_error warnings[GS_CHECK_LINT_MAX];
	struct gs_check_family family = {.name = GS_STR("a"), .line = 1};
	assert_int_equal(gs_check_lint(&family, GS_FORMAT_TEXT, warnings), 2);
	assert_string_equal(warnings[0].text, "untyped \"a\" has no HELP");
	assert_string_equal(warnings[1].text, "untyped \"a\" has no TYPE");
	family.has_type = true;
	assert_int_equal(gs_check_lint(&family, GS_FORMAT_TEXT, warnings), 1);
}

/* The longest name that a family can have leaves room for the reason. */
static void test_long_name(void **state) {
	(void)state;
	char name[GS_LIMIT_NAME];
	struct gs_error warnings[GS_CHECK_LINT_MAX];
	memset(name, 'a', sizeof(name));
	struct gs_check_family family = {.name = {name, sizeof(name)}, .has_type = true, .line = 1};
	assert_int_equal(gs_check_lint(&family, GS_FORMAT_TEXT, warnings), 1);
	assert_non_null(strstr(warnings[0].text, "aaa\" has no HELP"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_missing_lines),
	    cmocka_unit_test(test_long_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
