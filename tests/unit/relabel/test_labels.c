/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/relabel/labels.h"

static void expect(struct gs_labels *labels, const char *expected) {
	char text[4096] = "";
	size_t n, at = 0;
	const struct gs_label *items = gs_labels_sorted(labels, &n);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, "%.*s=%.*s ", GS_FMT(items[i].name), GS_FMT(items[i].value));
	assert_string_equal(text, expected);
}

static void set(struct gs_labels *labels, const char *name, const char *value) {
	assert_int_equal(gs_labels_set(labels, gs_str_of(name), gs_str_of(value)), GS_OK);
}

static void test_changing(void **state) {
	(void)state;
	struct gs_labels *labels = gs_labels_new();
	char name[] = "copied", value[] = "text";
	expect(labels, "");
	set(labels, "b", "1");
	set(labels, "a", "2");
	set(labels, "ab", "3");
	set(labels, name, value);
	name[0] = value[0] = '?';
	expect(labels, "a=2 ab=3 b=1 copied=text ");
	set(labels, "b", "changed");
	set(labels, "none", "");
	set(labels, "a", "");
	expect(labels, "ab=3 b=changed copied=text ");
	assert_int_equal(gs_labels_put(labels, GS_STR("Z"), GS_STR("z")), GS_OK);
	assert_int_equal(gs_labels_put(labels, GS_STR("b"), GS_STR("put")), GS_OK);
	assert_int_equal(gs_labels_put(labels, GS_STR("ab"), GS_STR("")), GS_OK);
	assert_int_equal(gs_labels_put(labels, GS_STR("none"), GS_STR("")), GS_OK);
	set(labels, "", "no name");
	expect(labels, "=no name Z=z b=put copied=text ");
	assert_true(gs_str_eq(gs_labels_get(labels, GS_STR("Z")), GS_STR("z")));
	assert_true(gs_str_eq(gs_labels_get(labels, GS_STR("")), GS_STR("no name")));
	assert_int_equal(gs_labels_get(labels, GS_STR("z")).n, 0);
	gs_labels_clear(labels);
	expect(labels, "");
	gs_labels_free(labels);
}

static void test_filling(void **state) {
	(void)state;
	struct gs_labels *labels = gs_labels_new();
	const struct gs_label items[] = {{GS_STR("b"), GS_STR("1")}, {GS_STR("none"), {0}}, {GS_STR("a"), GS_STR("2")}};
	set(labels, "before", "x");
	assert_int_equal(gs_labels_fill(labels, items, 3), GS_OK);
	expect(labels, "a=2 b=1 ");
	assert_int_equal(gs_labels_fill(labels, NULL, 0), GS_OK);
	expect(labels, "");
	gs_labels_free(labels);
}

static void test_sorting(void **state) {
	(void)state;
	struct gs_labels *labels = gs_labels_new();
	char names[GS_LIMIT_LABELS][8];
	for (size_t turn = 1; turn < 20; turn++) {
		size_t n;
		gs_labels_clear(labels);
		for (size_t i = 0; i < GS_LIMIT_LABELS; i++) {
			/* Odd multiples go through all of 0 to 127. */
			snprintf(names[i], sizeof(names[i]), "l%zu", i * (2 * turn + 1) % GS_LIMIT_LABELS);
			assert_int_equal(gs_labels_put(labels, gs_str_of(names[i]), GS_STR("v")), GS_OK);
		}
		const struct gs_label *sorted = gs_labels_sorted(labels, &n);
		assert_int_equal(n, GS_LIMIT_LABELS);
		for (size_t i = 1; i < n; i++)
			assert_true(gs_str_cmp(sorted[i - 1].name, sorted[i].name) < 0);
	}
	gs_labels_free(labels);
}

static void test_limits(void **state) {
	(void)state;
	struct gs_labels *labels = gs_labels_new();
	static char text[GS_LIMIT_LABEL_VALUE + 1];
	char name[16];
	memset(text, 'x', sizeof(text));
	struct gs_str longest = gs_str_make(text, GS_LIMIT_LABEL_VALUE), longer = gs_str_make(text, sizeof(text));
	struct gs_str name_longest = gs_str_make(text, GS_LIMIT_NAME),
		      name_longer = gs_str_make(text, GS_LIMIT_NAME + 1);
	const struct gs_label bad = {GS_STR("a"), longer};
	assert_int_equal(gs_labels_set(labels, GS_STR("a"), longest), GS_OK);
	assert_int_equal(gs_labels_set(labels, GS_STR("a"), longer), GS_ELIMIT);
	assert_int_equal(gs_labels_put(labels, GS_STR("a"), longer), GS_ELIMIT);
	assert_int_equal(gs_labels_set(labels, name_longest, GS_STR("v")), GS_OK);
	assert_int_equal(gs_labels_set(labels, name_longer, GS_STR("v")), GS_ELIMIT);
	assert_int_equal(gs_labels_put(labels, name_longer, GS_STR("v")), GS_ELIMIT);
	assert_int_equal(gs_labels_get(labels, GS_STR("a")).n, GS_LIMIT_LABEL_VALUE);
	for (size_t i = 2; i < GS_LIMIT_LABELS; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		set(labels, name, "v");
	}
	assert_int_equal(gs_labels_set(labels, GS_STR("one"), GS_STR("v")), GS_ELIMIT);
	assert_int_equal(gs_labels_put(labels, GS_STR("one"), GS_STR("v")), GS_ELIMIT);
	assert_int_equal(gs_labels_set(labels, GS_STR("one"), GS_STR("")), GS_OK);
	set(labels, "n2", "changed");
	set(labels, "n2", "");
	set(labels, "one", "v");
	assert_int_equal(gs_labels_fill(labels, &bad, 1), GS_ELIMIT);
	/* However often one is written, what the copies take is bounded, and back after a clear. */
	enum gs_status status = GS_OK;
	size_t times = 0;
	gs_labels_clear(labels);
	for (; status == GS_OK && times < 1000; times++)
		status = gs_labels_set(labels, GS_STR("a"), longest);
	assert_int_equal(status, GS_ELIMIT);
	assert_true(times > 200 && times < 300);
	gs_labels_clear(labels);
	assert_int_equal(gs_labels_set(labels, GS_STR("a"), longest), GS_OK);
	gs_labels_free(labels);
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		gs_mem_fail_after(n);
		struct gs_labels *labels = gs_labels_new();
		enum gs_status status = labels != NULL ? gs_labels_set(labels, GS_STR("a"), GS_STR("b")) : GS_ENOMEM;
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (labels != NULL)
			expect(labels, status == GS_OK ? "a=b " : "");
		gs_labels_free(labels);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_int_equal(n, 3);
			break;
		}
		assert_int_equal(status, GS_ENOMEM);
	}
	gs_labels_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_changing),
	    cmocka_unit_test(test_filling),
	    cmocka_unit_test(test_sorting),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
