/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "problems.h"

static void init(struct gs_problems *problems, struct gs_config_report *report) {
	gs_problems_init(problems);
	*report = (struct gs_config_report){0};
	gs_buf_init(&report->text, 1 << 20);
}

static void done(struct gs_problems *problems, struct gs_config_report *report) {
	gs_problems_free(problems);
	gs_buf_free(&report->text);
}

static void test_sorted(void **state) {
	struct gs_problems problems;
	struct gs_config_report report;
	(void)state;
	init(&problems, &report);
	gs_problems_error(&problems, 3, 1, "third");
	gs_problems_warning(&problems, 2, 9, "second");
	gs_problems_error(&problems, 2, 1, "first %d", 1);
	gs_problems_error(&problems, 3, 1, "of the same place, found later");
	gs_problems_error(&problems, 0, 0, "of the file");
	gs_problems_write(&problems, "dir/f.yaml", &report);
	gs_buf_char(&report.text, '\0');
	assert_string_equal(report.text.p, "dir/f.yaml: of the file\n"
					   "dir/f.yaml:2:1: first 1\n"
					   "dir/f.yaml:2:9: warning: second\n"
					   "dir/f.yaml:3:1: third\n"
					   "dir/f.yaml:3:1: of the same place, found later\n");
	assert_int_equal(report.errors, 4);
	assert_int_equal(report.warnings, 1);
	done(&problems, &report);
}

static void test_harmless(void **state) {
	struct gs_problems problems;
	struct gs_config_report report;
	(void)state;
	init(&problems, &report);
	gs_problems_error(&problems, 1, 1, "a\nf:1:1: forged \x1b[31m\x7f");
	gs_problems_error(&problems, 1, 2, "\xc3\xbc whole, \xe2\x82\xac too");
	gs_problems_error(&problems, 1, 3, "\xc3\xbc cut \xe2\x82");
	gs_problems_write(&problems, "f", &report);
	gs_buf_char(&report.text, '\0');
	assert_string_equal(report.text.p, "f:1:1: a?f:1:1: forged ?[31m?\n"
					   "f:1:2: \xc3\xbc whole, \xe2\x82\xac too\n"
					   "f:1:3: ?? cut ??\n");
	done(&problems, &report);
}

static void test_too_many(void **state) {
	struct gs_problems problems;
	struct gs_config_report report;
	size_t lines = 0;
	(void)state;
	init(&problems, &report);
	for (uint32_t i = 0; i < GS_PROBLEMS_MAX + 7; i++)
		gs_problems_error(&problems, i + 1, 1, "wrong");
	gs_problems_write(&problems, "f", &report);
	gs_buf_char(&report.text, '\0');
	for (const char *p = report.text.p; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, GS_PROBLEMS_MAX + 1);
	assert_non_null(strstr(report.text.p, "\nf: and 7 more\n"));
	assert_int_equal(report.errors, GS_PROBLEMS_MAX + 7);
	done(&problems, &report);
}

static void test_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		struct gs_problems problems;
		gs_problems_init(&problems);
		gs_mem_fail_after(n);
		gs_problems_error(&problems, 1, 1, "wrong");
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(problems.no_memory, failed);
		assert_int_equal(problems.errors, 1); /* counted in any case */
		gs_problems_free(&problems);
		if (!failed)
			break;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sorted), cmocka_unit_test(test_harmless),
	    cmocka_unit_test(test_too_many), cmocka_unit_test(test_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
