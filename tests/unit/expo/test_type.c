/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/expo/expo.h"

static void test_names(void **state) {
	(void)state;
	assert_string_equal(gs_expo_type_name(GS_TYPE_UNTYPED), "untyped");
	assert_string_equal(gs_expo_type_name(GS_TYPE_COUNTER), "counter");
	assert_string_equal(gs_expo_type_name(GS_TYPE_GAUGE), "gauge");
	assert_string_equal(gs_expo_type_name(GS_TYPE_HISTOGRAM), "histogram");
	assert_string_equal(gs_expo_type_name(GS_TYPE_SUMMARY), "summary");
	assert_string_equal(gs_expo_type_name(GS_TYPE_INFO), "info");
	assert_string_equal(gs_expo_type_name(GS_TYPE_STATESET), "stateset");
	assert_string_equal(gs_expo_type_name(GS_TYPE_GAUGEHISTOGRAM), "gaugehistogram");
}

/* A value from a damaged snapshot or a later version must not read outside the table. */
static void test_unknown_value(void **state) {
	(void)state;
	assert_string_equal(gs_expo_type_name((enum gs_expo_type)999), "untyped");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_unknown_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
