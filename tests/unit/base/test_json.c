/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdio.h>

#include "gravel/base/json.h"
#include "gravel/base/mem.h"

static void assert_written(const struct gs_buf *out, const char *wanted) {
	assert_int_equal(out->status, GS_OK);
	assert_int_equal(out->n, strlen(wanted));
	assert_memory_equal(out->p, wanted, out->n);
}

static void test_structure(void **state) {
	(void)state;
	struct gs_buf out;
	struct gs_json json;
	gs_buf_init(&out, 4096);
	gs_json_init(&json, &out);
	gs_json_open(&json, '{');
	gs_json_key(&json, GS_STR("empty"));
	gs_json_open(&json, '[');
	gs_json_close(&json, ']');
	gs_json_key(&json, GS_STR("list"));
	gs_json_open(&json, '[');
	gs_json_u64(&json, 0);
	gs_json_u64(&json, UINT64_MAX);
	gs_json_bool(&json, true);
	gs_json_bool(&json, false);
	gs_json_null(&json);
	gs_json_open(&json, '{');
	gs_json_key(&json, GS_STR("a"));
	gs_json_str(&json, GS_STR(""));
	gs_json_close(&json, '}');
	gs_json_open(&json, '[');
	gs_json_close(&json, ']');
	gs_json_close(&json, ']');
	gs_json_key(&json, GS_STR("last"));
	gs_json_str(&json, GS_STR("x"));
	gs_json_close(&json, '}');
	assert_written(
	    &out, "{\"empty\":[],\"list\":[0,18446744073709551615,true,false,null,{\"a\":\"\"},[]],\"last\":\"x\"}");
	gs_buf_free(&out);
}

static void test_strings(void **state) {
	(void)state;
	static const struct {
		struct gs_str in;
		const char *out;
	} rows[] = {
	    {GS_STR_INIT("plain"), "\"plain\""},
	    {GS_STR_INIT("a\"b\\c"), "\"a\\\"b\\\\c\""},
	    {GS_STR_INIT("a\nb\tc\r"), "\"a\\nb\\u0009c\\u000d\""},
	    {GS_STR_INIT("\x01\x1f\x7f"), "\"\\u0001\\u001f\\u007f\""},
	    {GS_STR_INIT("a\0b"), "\"a\\u0000b\""},
	    {GS_STR_INIT("ünï €"), "\"ünï €\""},
	    {GS_STR_INIT("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\""},
	    {GS_STR_INIT("a\xff"
			 "b"),
		"\"a\xef\xbf\xbd"
		"b\""},
	    {GS_STR_INIT("\xc3"), "\"\xef\xbf\xbd\""},
	    {GS_STR_INIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	    {GS_STR_INIT("</script>"), "\"</script>\""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_buf out;
		struct gs_json json;
		gs_buf_init(&out, 4096);
		gs_json_init(&json, &out);
		gs_json_str(&json, rows[i].in);
		assert_written(&out, rows[i].out);
		gs_buf_clear(&out);
		gs_json_init(&json, &out);
		gs_json_key(&json, rows[i].in);
		char key[64];
		snprintf(key, sizeof(key), "%s:", rows[i].out);
		assert_written(&out, key);
		gs_buf_free(&out);
	}
}

static void test_numbers_and_times(void **state) {
	(void)state;
	struct gs_buf out;
	struct gs_json json;
	gs_buf_init(&out, 4096);
	gs_json_init(&json, &out);
	gs_json_open(&json, '[');
	gs_json_double(&json, 1.5);
	gs_json_double(&json, INFINITY);
	gs_json_double(&json, NAN);
	gs_json_seconds(&json, 1500);
	gs_json_seconds(&json, -20);
	gs_json_time(&json, 1700000000123);
	gs_json_time(&json, 1);
	gs_json_time(&json, 0);
	gs_json_time(&json, -1);
	gs_json_time(&json, 253402300799999);
	gs_json_time(&json, 253402300800000);
	gs_json_time(&json, INT64_MAX);
	gs_json_close(&json, ']');
	assert_written(&out,
	    "[\"1.5\",\"+Inf\",\"NaN\",1.5,-0.02,\"2023-11-14T22:13:20.123Z\",\"1970-01-01T00:00:00.001Z\",null,null,"
	    "\"9999-12-31T23:59:59.999Z\",null,null]");
	gs_buf_free(&out);
}

static void test_errors_stick(void **state) {
	(void)state;
	struct gs_buf out;
	struct gs_json json;
	gs_buf_init(&out, 8);
	gs_json_init(&json, &out);
	gs_json_str(&json, GS_STR("longer than eight"));
	assert_int_equal(out.status, GS_ELIMIT);
	gs_buf_free(&out);
	gs_buf_init(&out, 4096);
	gs_json_init(&json, &out);
	gs_mem_fail_after(0);
	gs_json_time(&json, 1);
	gs_mem_fail_after(-1);
	assert_int_equal(out.status, GS_ENOMEM);
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_structure),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_numbers_and_times),
	    cmocka_unit_test(test_errors_stick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
