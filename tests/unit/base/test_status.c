/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gravel/base/status.h"

/* The names are label values: distinct, and of their alphabet. */
static void test_names(void **state) {
	(void)state;
	for (int i = GS_OK; i <= GS_EUNSUPPORTED; i++) {
		const char *name = gs_status_name((enum gs_status)i);
		assert_true(name[0] != '\0');
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		assert_string_not_equal(name, "unknown");
		for (int k = GS_OK; k < i; k++)
			assert_string_not_equal(name, gs_status_name((enum gs_status)k));
	}
	assert_string_equal(gs_status_name(GS_OK), "ok");
	assert_string_equal(gs_status_name((enum gs_status)99), "unknown");
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
