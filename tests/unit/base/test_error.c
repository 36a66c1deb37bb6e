/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

static void test_fills(void **state) {
	(void)state;
	struct gs_error err;
	assert_int_equal(gs_error_set(&err, GS_EINVAL, 3, 7, "bad %s %d", "thing", 5), GS_EINVAL);
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 7);
	assert_string_equal(err.text, "bad thing 5");
	assert_int_equal(gs_error_set(NULL, GS_ELIMIT, 1, 1, "%s", "x"), GS_ELIMIT);
}

static void test_cuts(void **state) {
	(void)state;
	struct gs_error err;
	char text[1000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(gs_error_set(&err, GS_EIO, 0, 0, "%s", text), GS_EIO);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_cuts_between_characters(void **state) {
	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		struct gs_error err;
		char text[1000];
		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 5);
		assert_int_equal(gs_error_set(&err, GS_EIO, 0, 0, "%s", text), GS_EIO);
		assert_true(gs_str_is_utf8(gs_str_of(err.text)));
		assert_in_range(strlen(err.text), sizeof(err.text) - 8, sizeof(err.text) - 1);
	}
}

static void test_no_control_bytes(void **state) {
	(void)state;
	struct gs_error err;
	assert_int_equal(gs_error_set(&err, GS_EIO, 0, 0, "%s", "a\nb\r\t\x1b[\x7f \xc3\xa4"), GS_EIO);
	assert_string_equal(err.text, "a?b???[? \xc3\xa4");
}

static void test_names_a_limit(void **state) {
	(void)state;
	struct gs_error err;
	gs_error_set(&err, GS_ELIMIT, 1, 1, "too many");
	assert_null(err.limit);
	assert_int_equal(gs_error_limit(&err, "labels"), GS_ELIMIT);
	assert_string_equal(err.limit, "labels");
	assert_string_equal(err.text, "too many");
	gs_error_set(&err, GS_EINVAL, 1, 1, "another");
	assert_null(err.limit);
	assert_int_equal(gs_error_limit(NULL, "labels"), GS_ELIMIT);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fills),
	    cmocka_unit_test(test_cuts),
	    cmocka_unit_test(test_cuts_between_characters),
	    cmocka_unit_test(test_no_control_bytes),
	    cmocka_unit_test(test_names_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
