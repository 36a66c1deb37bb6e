/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../lib/expo/layout.h"
#include "gravel/base/mem.h"

/* A line of four bytes. */
static struct gs_line line_of(size_t i) {
	return (struct gs_line){.start = (uint32_t)(4 * i), .at = 2, .kind = GS_LINE_SAMPLE};
}

static void fill(struct gs_lines *lines, size_t n) {
	assert_int_equal(gs_lines_reserve(lines, n), GS_OK);
	for (size_t i = 0; i < n; i++)
		gs_lines_add(lines, line_of(i));
	lines->lines[n] = line_of(n);
	gs_lines_check(lines, 4 * n);
}

static void test_a_line_takes_8_bytes(void **state) {
	(void)state;
	assert_int_equal(sizeof(struct gs_line), 8);
	assert_true(GS_LINE_AT_MAX > GS_LIMIT_LINE);
}

static void test_new(void **state) {
	struct gs_layout *layout = gs_layout_new();
	(void)state;
	assert_non_null(layout);
	assert_int_equal(gs_layout_samples(layout), 0);
	assert_int_equal(gs_layout_memory(layout), sizeof(*layout));
	gs_lines_check(&layout->of, 0);
	gs_layout_free(layout);
	gs_layout_free(NULL);
	gs_mem_fail_after(0);
	assert_null(gs_layout_new());
	gs_mem_fail_after(-1);
}

static void test_reserve(void **state) {
	struct gs_lines lines = {0};
	(void)state;
	for (size_t n = 0; n < 1000; n++) {
		assert_int_equal(gs_lines_reserve(&lines, n + 1), GS_OK);
		assert_true(lines.cap > n + 1);
		gs_lines_add(&lines, line_of(n));
		lines.lines[lines.n] = line_of(lines.n);
		gs_lines_check(&lines, 4 * lines.n);
	}
	size_t cap = lines.cap;
	gs_mem_fail_after(0);
	assert_int_equal(gs_lines_reserve(&lines, 1000000), GS_ENOMEM);
	assert_int_equal(lines.cap, cap);
	gs_lines_check(&lines, 4000);
	assert_int_equal(gs_lines_reserve(&lines, lines.n), GS_OK);
	gs_mem_fail_after(-1);
	gs_free(lines.lines);
}

static void test_lines_that_say_nothing_are_counted(void **state) {
	struct gs_lines lines = {0};
	(void)state;
	assert_int_equal(gs_lines_reserve(&lines, 10), GS_OK);
	gs_lines_add_other(&lines, 0);
	gs_lines_add_other(&lines, 1);
	gs_lines_add_other(&lines, 5);
	assert_int_equal(lines.n, 1);
	assert_int_equal(lines.lines[0].start, 0);
	assert_int_equal(lines.lines[0].at, 3);
	gs_lines_add(&lines, (struct gs_line){.start = 6, .at = 2, .kind = GS_LINE_SAMPLE});
	gs_lines_add_other(&lines, 10);
	assert_int_equal(lines.n, 3);
	assert_int_equal(lines.lines[2].start, 10);
	assert_int_equal(lines.lines[2].at, 1);
	lines.lines[2].at = GS_LINE_AT_MAX;
	gs_lines_add_other(&lines, 11);
	assert_int_equal(lines.n, 4);
	assert_int_equal(lines.lines[2].at, GS_LINE_AT_MAX);
	assert_int_equal(lines.lines[3].at, 1);
	gs_free(lines.lines);
}

static void test_copy(void **state) {
	static const size_t sizes[] = {0, 5, 6, 1000, 600, 5, 0, 3};
	struct gs_lines to = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct gs_lines from = {0};
		fill(&from, sizes[i]);
		assert_int_equal(gs_lines_copy(&to, &from), GS_OK);
		gs_lines_check(&to, 4 * sizes[i]);
		assert_int_equal(to.n, sizes[i]);
		assert_true(to.cap / 2 <= to.n + 1); /* no more memory than needed */
		gs_free(from.lines);
	}
	gs_free(to.lines);
}

static void test_copy_without_memory(void **state) {
	struct gs_lines to = {0}, from = {0};
	(void)state;
	fill(&to, 5);
	fill(&from, 1000);
	gs_mem_fail_after(0);
	assert_int_equal(gs_lines_copy(&to, &from), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_int_equal(to.n, 5);
	gs_lines_check(&to, 20);
	gs_free(to.lines);
	gs_free(from.lines);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_line_takes_8_bytes),
	    cmocka_unit_test(test_new),
	    cmocka_unit_test(test_reserve),
	    cmocka_unit_test(test_lines_that_say_nothing_are_counted),
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_copy_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
