/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/expo/expo.h"

static int is_letter(int c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_digit(int c) {
	return c >= '0' && c <= '9';
}

/* Every byte, alone and behind a letter, against the grammar of the text format. */
static void test_every_byte(void **state) {
	(void)state;
	for (int c = 0; c < 256; c++) {
		char text[2] = {'a', (char)c};
		assert_int_equal(gs_expo_is_metric_name(gs_str_make(text + 1, 1)), is_letter(c) || c == ':');
		assert_int_equal(gs_expo_is_label_name(gs_str_make(text + 1, 1)), is_letter(c));
		assert_int_equal(gs_expo_is_metric_name(gs_str_make(text, 2)), is_letter(c) || is_digit(c) || c == ':');
		assert_int_equal(gs_expo_is_label_name(gs_str_make(text, 2)), is_letter(c) || is_digit(c));
	}
}

static void test_empty(void **state) {
	(void)state;
	assert_false(gs_expo_is_metric_name((struct gs_str){0}));
	assert_false(gs_expo_is_label_name((struct gs_str){0}));
}

static void test_whole_slice(void **state) {
	(void)state;
	assert_true(gs_expo_is_metric_name(GS_STR("job:rate5m:sum")));
	assert_false(gs_expo_is_label_name(GS_STR("job:rate5m:sum")));
	assert_false(gs_expo_is_metric_name(GS_STR("a_b_c_d_e_f_g-")));
	assert_false(gs_expo_is_metric_name(GS_STR("a\0b")));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_byte),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_whole_slice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
