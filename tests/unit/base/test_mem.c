/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"

static void test_zeroed(void **state) {
	(void)state;
	for (size_t n = 0; n < 300; n += 7) {
		unsigned char *p = gs_alloc(n);
		assert_non_null(p); /* also for no bytes: NULL means failure only */
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
		gs_free(p);
	}
	gs_free(NULL);
}

static void test_overflow(void **state) {
	(void)state;
	/* Volatile, so that no compiler warns of what is meant. */
	volatile size_t huge = SIZE_MAX / 2 + 2;
	assert_null(gs_alloc_array(huge, 2));
	assert_null(gs_realloc_array(NULL, huge, 2));
	char *p = gs_alloc(4);
	p[0] = 'x';
	assert_null(gs_realloc_array(p, huge, 2));
	assert_int_equal(p[0], 'x'); /* it stays on failure */
	gs_free(p);
}

static void test_realloc_keeps(void **state) {
	(void)state;
	char *p = gs_realloc_array(NULL, 3, 1);
	memcpy(p, "abc", 3);
	p = gs_realloc_array(p, 1000, 10);
	assert_non_null(p);
	assert_memory_equal(p, "abc", 3);
	p = gs_realloc_array(p, 0, 10);
	assert_non_null(p);
	gs_free(p);
}

static void test_grow(void **state) {
	(void)state;
	uint32_t *p = NULL;
	size_t cap = 0;
	for (uint32_t n = 0; n < 1000; n++) {
		uint32_t *grown = gs_grow_array(p, &cap, n, sizeof(*p));
		assert_non_null(grown);
		assert_true(cap > n);
		p = grown;
		p[n] = n;
	}
	for (uint32_t n = 0; n < 1000; n++)
		assert_int_equal(p[n], n);
	size_t before = cap;
	gs_mem_fail_after(0);
	assert_null(gs_grow_array(p, &cap, cap, sizeof(*p)));
	gs_mem_fail_after(-1);
	assert_int_equal(cap, before);
	cap = SIZE_MAX / 2 + 1;
	assert_null(gs_grow_array(p, &cap, cap, sizeof(*p)));
	gs_free(p);
}

static void test_strdup(void **state) {
	(void)state;
	char *p = gs_strdup(gs_str_make("abcdef", 3));
	assert_string_equal(p, "abc");
	gs_free(p);
	p = gs_strdup((struct gs_str){0});
	assert_string_equal(p, "");
	gs_free(p);
}

static void test_ordered_failure(void **state) {
	(void)state;
	void *p[4];
	gs_mem_fail_after(2);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(gs_mem_failed(), i > 2);
		p[i] = i % 2 == 0 ? gs_alloc(1) : gs_realloc_array(NULL, 1, 1);
	}
	assert_non_null(p[0]);
	assert_non_null(p[1]);
	assert_null(p[2]); /* the third, once */
	assert_non_null(p[3]);
	for (int i = 0; i < 4; i++)
		gs_free(p[i]);
	gs_mem_fail_after(0);
	assert_null(gs_strdup(GS_STR("x")));
	gs_mem_fail_after(0);
	gs_mem_fail_after(-1);
	char *q = gs_strdup(GS_STR("x"));
	assert_non_null(q);
	assert_false(gs_mem_failed());
	gs_free(q);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_zeroed),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_realloc_keeps),
	    cmocka_unit_test(test_grow),
	    cmocka_unit_test(test_strdup),
	    cmocka_unit_test(test_ordered_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
