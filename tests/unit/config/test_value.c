/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value.h"

static void test_bool(void **state) {
	static const char *const good[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "false",
	    "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"};
	static const char *const bad[] = {"", "1", "0", "tRUE", "y", "n", "truee", "oFF", " on"};
	bool v = false;
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(gs_value_bool(gs_str_of(good[i]), &v), GS_OK);
		assert_int_equal(v, i < 9);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(gs_value_bool(gs_str_of(bad[i]), &v), GS_EINVAL);
}

static void test_duration(void **state) {
	static const struct {
		const char *text;
		enum gs_status status;
		int64_t ms;
	} cases[] = {
	    {"15s", GS_OK, 15000},
	    {"1m30s", GS_OK, 90000},
	    {"500ms", GS_OK, 500},
	    {"80", GS_OK, 80000},
	    {"0", GS_OK, 0},
	    {"9223372036854775", GS_OK, INT64_C(9223372036854775000)},
	    {"9223372036854776", GS_ELIMIT, 0},
	    {"99999999999999999999", GS_ELIMIT, 0},
	    {"", GS_EINVAL, 0},
	    {"1.5", GS_EINVAL, 0},
	    {"-1", GS_EINVAL, 0},
	    {"+1", GS_EINVAL, 0},
	    {"15 s", GS_EINVAL, 0},
	    {"15sec", GS_EINVAL, 0},
	    {"1s1m", GS_EINVAL, 0},
	    {"0x10", GS_EINVAL, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = 0;
		assert_int_equal(gs_value_duration(gs_str_of(cases[i].text), &ms), cases[i].status);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void test_size(void **state) {
	static const struct {
		const char *text;
		enum gs_status status;
		int64_t bytes;
	} cases[] = {
	    {"0", GS_OK, 0},
	    {"1048576", GS_OK, 1048576},
	    {"5KB", GS_OK, 5000},
	    {"5 MB", GS_OK, 5000000},
	    {"5GB", GS_OK, INT64_C(5000000000)},
	    {"5KiB", GS_OK, 5120},
	    {"64MiB", GS_OK, 64 << 20},
	    {"2 GiB", GS_OK, INT64_C(2) << 30},
	    {"8589934591GiB", GS_OK, INT64_C(8589934591) << 30},
	    {"8589934592GiB", GS_ELIMIT, 0},
	    {"9223372036854775808", GS_ELIMIT, 0},
	    {"", GS_EINVAL, 0},
	    {"MB", GS_EINVAL, 0},
	    {" MB", GS_EINVAL, 0},
	    {"5  MB", GS_EINVAL, 0},
	    {"5 ", GS_EINVAL, 0},
	    {"5mb", GS_EINVAL, 0},
	    {"5B", GS_EINVAL, 0},
	    {"5KBKB", GS_EINVAL, 0},
	    {"1.5MB", GS_EINVAL, 0},
	    {"-5MB", GS_EINVAL, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t bytes = 0;
		enum gs_status status = gs_value_size(gs_str_of(cases[i].text), &bytes);
		if (status != cases[i].status || (status == GS_OK && bytes != cases[i].bytes))
			fail_msg("\"%s\": %s %lld", cases[i].text, gs_status_name(status), (long long)bytes);
	}
}

static void test_binary_size(void **state) {
	static const struct {
		const char *text;
		enum gs_status status;
		int64_t bytes;
	} cases[] = {
	    {"0", GS_OK, 0},
	    {"1048576", GS_OK, 1048576},
	    {"7B", GS_OK, 7},
	    {"5KB", GS_OK, 5120},
	    {"5 KiB", GS_OK, 5120},
	    {"10MB", GS_OK, 10 << 20},
	    {"1.5GB", GS_OK, INT64_C(3) << 29},
	    {"0.25MiB", GS_OK, 1 << 18},
	    {"2TB", GS_OK, INT64_C(2) << 40},
	    {"3PiB", GS_OK, INT64_C(3) << 50},
	    {"8191PB", GS_OK, INT64_C(8191) << 50},
	    {"8192PB", GS_ELIMIT, 0},
	    {"9223372036854775808", GS_ELIMIT, 0},
	    {"", GS_EINVAL, 0},
	    {"B", GS_EINVAL, 0},
	    {"MB", GS_EINVAL, 0},
	    {"iB", GS_EINVAL, 0},
	    {"5iB", GS_EINVAL, 0},
	    {"5XB", GS_EINVAL, 0},
	    {"5mb", GS_EINVAL, 0},
	    {"1.MB", GS_EINVAL, 0},
	    {".5MB", GS_EINVAL, 0},
	    {"1.2345MB", GS_EINVAL, 0},
	    {"-5MB", GS_EINVAL, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t bytes = 0;
		enum gs_status status = gs_value_binary_size(gs_str_of(cases[i].text), &bytes);
		if (status != cases[i].status || (status == GS_OK && bytes != cases[i].bytes))
			fail_msg("\"%s\": %s %lld", cases[i].text, gs_status_name(status), (long long)bytes);
	}
}

/* What is printed reads back as the same. */
static void test_print(void **state) {
	static const int64_t values[] = {0, 1, 999, 1000, 1024, 1500, 60000, 61001, 65536, 1 << 20, (1 << 20) + 1,
	    3 << 20, INT64_C(5) << 30, 86400000, INT64_C(31536000000), INT64_MAX};
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct gs_buf out;
		int64_t v = -1;
		gs_buf_init(&out, 100);
		gs_value_print_size(&out, values[i]);
		assert_int_equal(gs_value_size(gs_buf_slice(&out), &v), GS_OK);
		assert_int_equal(v, values[i]);
		assert_int_equal(gs_value_binary_size(gs_buf_slice(&out), &v), GS_OK);
		assert_int_equal(v, values[i]);
		gs_buf_clear(&out);
		gs_value_print_duration(&out, values[i]);
		assert_int_equal(gs_value_duration(gs_buf_slice(&out), &v), GS_OK);
		assert_int_equal(v, values[i]);
		gs_buf_free(&out);
	}
}

static void test_print_form(void **state) {
	struct gs_buf out;
	(void)state;
	gs_buf_init(&out, 200);
	gs_value_print_size(&out, 64 << 20);
	gs_buf_char(&out, ' ');
	gs_value_print_size(&out, 5000);
	gs_buf_char(&out, ' ');
	gs_value_print_duration(&out, 90500);
	gs_buf_char(&out, ' ');
	gs_value_print_string(&out, GS_STR("a\"b\\c #\xc3\xbc\n\x7f"));
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, "64MiB 5000 1m30s500ms \"a\\\"b\\\\c #\xc3\xbc\\x0a\\x7f\"");
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bool), cmocka_unit_test(test_duration),
	    cmocka_unit_test(test_size), cmocka_unit_test(test_binary_size), cmocka_unit_test(test_print),
	    cmocka_unit_test(test_print_form)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
