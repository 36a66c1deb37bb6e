/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "json.h"

static void test_strings_and_errors(void **state) {
	enum gs_status status;
	struct gs_error err;
	(void)state;
	json_t *root = gs_sd_json_load(GS_STR("{\"a\":\"b\\u00e4\",\"n\":1}"), &status, &err);
	assert_int_equal(status, GS_OK);
	assert_true(gs_str_eq(gs_sd_json_str(json_object_get(root, "a")), GS_STR("b\xc3\xa4")));
	assert_int_equal(gs_sd_json_str(json_object_get(root, "n")).n, 0);
	assert_int_equal(gs_sd_json_str(NULL).n, 0);
	json_decref(root);
	assert_null(gs_sd_json_load(GS_STR("[1,\n2,,]"), &status, &err));
	assert_int_equal(status, GS_EINVAL);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 3);
	assert_null(gs_sd_json_load((struct gs_str){0}, &status, &err));
	assert_int_equal(status, GS_EINVAL);
	assert_int_equal(err.line, 1);
	assert_null(gs_sd_json_load(GS_STR("\"\xff\""), &status, NULL));
	assert_int_equal(status, GS_EINVAL);
}

/* Fifty bytes of memory for each of these: stopped in time. */
static void test_a_bomb(void **state) {
	static char text[GS_LIMIT_SD_DOCUMENT];
	enum gs_status status;
	struct gs_error err;
	(void)state;
	text[0] = '[';
	for (size_t i = 1; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "{},", 3);
	assert_null(gs_sd_json_load(gs_str_make(text, sizeof(text)), &status, &err));
	assert_int_equal(status, GS_ELIMIT);
	assert_string_equal(err.text, "reading it takes too much memory");
}

static void test_memory(void **state) {
	(void)state;
	for (int64_t i = 0;; i++) {
		enum gs_status status;
		gs_mem_fail_after(i);
		json_t *root = gs_sd_json_load(
		    GS_STR("[{\"targets\":[\"a\",\"b\"],\"labels\":{\"c\":\"d\"}}, 1.5]"), &status, NULL);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		json_decref(root);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed)
			break;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_strings_and_errors), cmocka_unit_test(test_a_bomb), cmocka_unit_test(test_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
