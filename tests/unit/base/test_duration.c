/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/num.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_good(void **state) {
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
	    {"0", 0},
	    {"0s", 0},
	    {"1ms", 1},
	    {"500ms", 500},
	    {"90s", 90000},
	    {"1m30s", 90000},
	    {"1h", 3600000},
	    {"1h30m", 5400000},
	    {"1d", 86400000},
	    {"2w", 1209600000},
	    {"1y", INT64_C(31536000000)},
	    {"1y2w3d4h5m6s7ms", INT64_C(31536000000) + 1209600000 + 259200000 + 14400000 + 300000 + 6000 + 7},
	    {"1s1ms", 1001},
	    {"1m1ms", 60001},
	    {"007s", 7000},
	    {"9223372036854775807ms", INT64_MAX},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = -1;
		if (gs_num_parse_duration(gs_str_of(cases[i].text), &ms) != GS_OK || ms != cases[i].ms)
			fail_msg("'%s' gave %lld", cases[i].text, (long long)ms);
	}
}

static void test_bad(void **state) {
	(void)state;
	static const char *const cases[] = {"", "1", "s", "1 s", " 1s", "1s ", "-1s", "+1s", "1.5s", "1S", "1sec",
	    "1s1m", "1s1s", "1m1h", "1ms1s", "1h30", "00", "1us", "1ns", "1M", "1s1", "\xff", "1s\n"};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms;
		if (gs_num_parse_duration(gs_str_of(cases[i]), &ms) != GS_EINVAL)
			fail_msg("'%s' was taken", cases[i]);
	}
	int64_t ms;
	assert_int_equal(gs_num_parse_duration(GS_STR("1\0s"), &ms), GS_EINVAL);
}

static void test_too_large(void **state) {
	(void)state;
	static const char *const cases[] = {
	    "9223372036854775808ms", "9223372036854775807s", "300000000y", "292471208y52w", "99999999999999999999s"};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms;
		if (gs_num_parse_duration(gs_str_of(cases[i]), &ms) != GS_ELIMIT)
			fail_msg("'%s'", cases[i]);
	}
}

static void assert_prints(int64_t ms, const char *text) {
	char out[48];
	gs_num_print_duration(out, sizeof(out), ms);
	assert_string_equal(out, text);
}

static void test_print(void **state) {
	(void)state;
	assert_prints(0, "0s");
	assert_prints(-5, "0s");
	assert_prints(1, "1ms");
	assert_prints(1500, "1s500ms");
	assert_prints(90000, "1m30s");
	assert_prints(3600000, "1h");
	assert_prints(86400000, "1d");
}

static void test_round_trip(void **state) {
	(void)state;
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < 100000; i++) {
		char out[48];
		int64_t ms = -1;
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		int64_t want = (int64_t)(x >> (1 + i % 62));
		gs_num_print_duration(out, sizeof(out), want);
		assert_int_equal(gs_num_parse_duration(gs_str_of(out), &ms), GS_OK);
		assert_true(ms == want);
	}
	char out[48];
	int64_t ms = 0;
	gs_num_print_duration(out, sizeof(out), INT64_MAX);
	assert_int_equal(gs_num_parse_duration(gs_str_of(out), &ms), GS_OK);
	assert_true(ms == INT64_MAX);
}

static void test_small_buffer(void **state) {
	(void)state;
	char out[8];
	for (size_t n = 1; n <= 4; n++) {
		memset(out, 'x', sizeof(out));
		gs_num_print_duration(out, n, 5430000); /* 1h30m30s */
		assert_int_equal(strlen(out), n - 1);
		assert_int_equal(out[n], 'x');
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_print),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_small_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
