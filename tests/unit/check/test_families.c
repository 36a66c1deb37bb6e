/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "families.h"
#include "gravel/base/mem.h"

static struct gs_check_family *get(struct gs_check_families *families, const char *name, uint32_t line) {
	struct gs_check_family *family = NULL;
	assert_int_equal(gs_check_families_get(families, gs_str_of(name), line, &family), GS_OK);
	assert_non_null(family);
	return family;
}

static void test_names_are_found_again(void **state) {
	(void)state;
	struct gs_check_families *families = gs_check_families_new(100);
	char name[] = "a";
	struct gs_check_family *a = get(families, name, 3);
	name[0] = 'b'; /* its bytes are the caller's */
	struct gs_check_family *b = get(families, name, 4);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(get(families, "a", 5), a);
	assert_ptr_equal(get(families, "a", 6), a);
	assert_true(gs_str_eq(a->name, GS_STR("a")));
	assert_int_equal(a->line, 3);
	assert_int_equal(a->type, GS_TYPE_UNTYPED);
	assert_int_equal(gs_check_families_count(families), 2);
	assert_false(gs_check_families_full(families));
	gs_check_families_free(families);
}

static void test_order_is_that_of_the_body(void **state) {
	(void)state;
	struct gs_check_families *families = gs_check_families_new(SIZE_MAX);
	char name[16];
	assert_null(gs_check_families_next(families, NULL));
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%u", i * 7 % 1000);
		get(families, name, i + 1);
	}
	const struct gs_check_family *family = NULL;
	for (uint32_t i = 0; i < 1000; i++) {
		family = gs_check_families_next(families, family);
		snprintf(name, sizeof(name), "n%u", i * 7 % 1000);
		assert_true(gs_str_eq(family->name, gs_str_of(name)));
		assert_int_equal(family->line, i + 1);
	}
	assert_null(gs_check_families_next(families, family));
	gs_check_families_free(families);
}

static void test_no_more_than_the_maximum(void **state) {
	(void)state;
	struct gs_check_families *families = gs_check_families_new(2);
	struct gs_check_family *a = get(families, "a", 1);
	get(families, "b", 2);
	assert_false(gs_check_families_full(families));
	struct gs_check_family *others = get(families, "c", 3);
	assert_true(gs_check_families_full(families));
	assert_int_equal(others->name.n, 0);
	assert_ptr_equal(get(families, "d", 4), others);
	assert_ptr_equal(get(families, "a", 5), a);
	assert_int_equal(gs_check_families_count(families), 2);
	others->samples = 5;
	gs_check_families_clear(families);
	assert_int_equal(gs_check_families_count(families), 0);
	assert_false(gs_check_families_full(families));
	assert_null(gs_check_families_next(families, NULL));
	assert_int_equal(get(families, "c", 9)->line, 9);
	get(families, "d", 9);
	assert_int_equal(get(families, "e", 9)->samples, 0);
	gs_check_families_free(families);
}

static void test_no_memory(void **state) {
	(void)state;
	struct gs_check_families *families = NULL;
	struct gs_check_family *family;
	int64_t n = 0;
	gs_check_families_free(NULL);
	for (; families == NULL; n++) {
		gs_mem_fail_after(n);
		families = gs_check_families_new(100);
		assert_true((families == NULL) == (gs_mem_failed() != 0));
	}
	assert_int_equal(n, 4);
	/* The arena's block fails for the entry, then the map's table; a failure happens once, so the block is there for the name. */
	for (n = 0; n < 2; n++) {
		gs_mem_fail_after(0);
		assert_int_equal(gs_check_families_get(families, GS_STR("a"), 1, &family), GS_ENOMEM);
		assert_true(gs_mem_failed());
		assert_int_equal(gs_check_families_count(families), 0);
		assert_null(gs_check_families_next(families, NULL));
	}
	gs_mem_fail_after(1);
	assert_int_equal(gs_check_families_get(families, GS_STR("a"), 1, &family), GS_OK);
	assert_false(gs_mem_failed());
	gs_mem_fail_after(-1);
	gs_check_families_free(families);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_are_found_again),
	    cmocka_unit_test(test_order_is_that_of_the_body),
	    cmocka_unit_test(test_no_more_than_the_maximum),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
