/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "table.h"

static bool is_name(const char *s) {
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789");
	return n != 0 && s[n] == '\0' && s[0] >= 'a' && s[0] <= 'z';
}

static void check_row(const struct gs_metric_row *row) {
	struct gs_str labels[GS_METRIC_LABELS];
	size_t help = strlen(row->help);
	bool total = gs_str_ends(gs_str_of(row->name), GS_STR("_total"));
	if (!is_name(row->name) || (row->type == GS_METRIC_COUNTER) != total)
		fail_msg("%s: the name does not fit its type", row->name);
	if (help < 10 || row->help[help - 1] != '.' || strpbrk(row->help, "\n\\") != NULL)
		fail_msg("%s: the help is no sentence", row->name);
	size_t n = gs_metric_row_labels(row, labels);
	for (size_t i = 0; i < n; i++) {
		if (labels[i].n == 0 || memchr(labels[i].p, ',', labels[i].n) != NULL)
			fail_msg("%s: labels are \"a\" or \"a,b\"", row->name);
	}
	if (row->type == GS_METRIC_HISTOGRAM && n != 0)
		fail_msg("%s: histograms have no labels", row->name);
}

static void test_rows(void **state) {
	(void)state;
	for (size_t i = 0; i < GS_METRICS; i++) {
		check_row(&gs_metric_table[i]);
		assert_true(gs_str_starts(gs_str_of(gs_metric_table[i].name), GS_STR("gravel_")));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(gs_metric_table[i].name, gs_metric_table[j].name);
	}
	for (size_t i = 0; i < GS_PROCESS_METRICS; i++)
		check_row(&gs_process_table[i]);
}

static void test_bounds_rise(void **state) {
	(void)state;
	assert_true(gs_metric_bounds[0] == 0.001);
	for (size_t i = 1; i < GS_METRIC_BOUNDS; i++)
		assert_true(gs_metric_bounds[i] > gs_metric_bounds[i - 1]);
	assert_true(gs_metric_bounds[GS_METRIC_BOUNDS - 1] == 60);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_bounds_rise)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
