/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/hash.h"

/* On the wire and in file formats this may never change: fixed values of XXH3. */
static void test_stable_values(void **state) {
	(void)state;
	assert_true(gs_hash_stable((struct gs_str){0}, 0) == UINT64_C(0x2d06800538d394c2));
	assert_true(gs_hash_stable(GS_STR("a"), 0) == UINT64_C(0xe6c632b61e964e1f));
	assert_true(gs_hash_stable(GS_STR("abc"), 0) == UINT64_C(0x78af5f94892f3950));
	assert_true(gs_hash_stable(GS_STR("abc"), 1) != gs_hash_stable(GS_STR("abc"), 0));
}

static void test_hash_depends_on_bytes_and_length(void **state) {
	(void)state;
	char a[] = "same", b[] = "same";
	assert_true(gs_hash(gs_str_of(a)) == gs_hash(gs_str_of(b)));
	assert_true(gs_hash(GS_STR("a\0")) != gs_hash(GS_STR("a")));
	assert_true(gs_hash(GS_STR("ab")) != gs_hash(GS_STR("ba")));
	assert_true(gs_hash((struct gs_str){0}) == gs_hash(gs_str_make("", 0)));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stable_values),
	    cmocka_unit_test(test_hash_depends_on_bytes_and_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
