/* SPDX-License-Identifier: Apache-2.0 */
/* Integers. Doubles are in test_num_parse.c and test_num_print.c. */
#include <inttypes.h>

#include "numbers.h"

static void test_parse(void **state) {
	(void)state;
	uint64_t u = 42;
	int64_t i = 42;
	assert_int_equal(gs_num_parse_u64(GS_STR("0"), &u), GS_OK);
	assert_true(u == 0);
	assert_int_equal(gs_num_parse_u64(GS_STR("18446744073709551615"), &u), GS_OK);
	assert_true(u == UINT64_MAX);
	assert_int_equal(gs_num_parse_u64(GS_STR("18446744073709551616"), &u), GS_ELIMIT);
	assert_int_equal(gs_num_parse_u64(GS_STR("99999999999999999999999"), &u), GS_ELIMIT);
	assert_int_equal(gs_num_parse_u64(GS_STR("00000000000000000000000000000001"), &u), GS_OK);
	assert_true(u == 1);
	assert_int_equal(gs_num_parse_i64(GS_STR("-9223372036854775808"), &i), GS_OK);
	assert_true(i == INT64_MIN);
	assert_int_equal(gs_num_parse_i64(GS_STR("+9223372036854775807"), &i), GS_OK);
	assert_true(i == INT64_MAX);
	assert_int_equal(gs_num_parse_i64(GS_STR("9223372036854775808"), &i), GS_ELIMIT);
	assert_int_equal(gs_num_parse_i64(GS_STR("-9223372036854775809"), &i), GS_ELIMIT);
	assert_int_equal(gs_num_parse_u64(GS_STR("+1"), &u), GS_EINVAL);
	assert_int_equal(gs_num_parse_u64(GS_STR("-0"), &u), GS_EINVAL);
	assert_int_equal(gs_num_parse_u64(gs_str_make("123", 1), &u), GS_OK);
	assert_int_equal(u, 1);
}

static void test_parse_bad(void **state) {
	(void)state;
	uint64_t u = 42;
	int64_t i = 42;
	static const char *const bad[] = {"", "-", "+", " 1", "1 ", "1a", "0x1", "1.0", "--1", "+-1", "1e3", "1234567 ",
	    "12345678 ", "1234567:", "123456781234567/", "12345678123456781x", "\xb1\xb1\xb1\xb1\xb1\xb1\xb1\xb1",
	    "1234\0"};
	for (size_t k = 0; k < COUNT(bad); k++) {
		struct gs_str s = gs_str_make(bad[k], strlen(bad[k]) + (k == COUNT(bad) - 1));
		assert_int_equal(gs_num_parse_u64(s, &u), GS_EINVAL);
		assert_int_equal(gs_num_parse_i64(s, &i), GS_EINVAL);
	}
	assert_true(u == 42 && i == 42);
}

/* Write into memory that ends where the contract says, and read back. */
static void check_u64(uint64_t v) {
	char out[20], want[32];
	uint64_t back = ~v;
	struct gs_str text = gs_str_make(out, gs_num_print_u64(out, v));
	snprintf(want, sizeof(want), "%" PRIu64, v);
	assert_true(gs_str_eq(text, gs_str_of(want)));
	assert_int_equal(gs_num_parse_u64(text, &back), GS_OK);
	assert_true(back == v);
}

static void check_i64(int64_t v) {
	char out[21], want[32];
	int64_t back = ~v;
	struct gs_str text = gs_str_make(out, gs_num_print_i64(out, v));
	snprintf(want, sizeof(want), "%" PRId64, v);
	assert_true(gs_str_eq(text, gs_str_of(want)));
	assert_int_equal(gs_num_parse_i64(text, &back), GS_OK);
	assert_true(back == v);
}

static void test_print(void **state) {
	(void)state;
	uint64_t power = 1;
	for (int k = 0; k < 20; k++, power *= 10) {
		for (int64_t i = -2; i <= 2; i++) {
			check_u64(power + (uint64_t)i);
			check_i64((int64_t)power + i);
			check_i64(-(int64_t)(power % INT64_MAX) - i);
		}
	}
	for (uint64_t v = 0; v < 20000; v++)
		check_u64(v);
	check_u64(UINT64_MAX);
	check_i64(INT64_MAX);
	check_i64(INT64_MIN);
	for (int i = 0; i < 200000; i++) {
		uint64_t v = next_random() >> (i % 64);
		check_u64(v);
		check_i64((int64_t)v);
	}
}

static void expect_seconds(int64_t ms, const char *want) {
	char out[GS_NUM_DOUBLE_MAX];
	struct gs_str text = gs_str_make(out, gs_num_print_ms_as_seconds(out, ms));
	if (!gs_str_eq(text, gs_str_of(want)))
		fail_msg("%" PRId64 " ms are %.*s instead of %s", ms, GS_FMT(text), want);
}

static void test_ms_as_seconds(void **state) {
	(void)state;
	expect_seconds(0, "0");
	expect_seconds(1, "0.001");
	expect_seconds(-1, "-0.001");
	expect_seconds(10, "0.01");
	expect_seconds(120, "0.12");
	expect_seconds(-500, "-0.5");
	expect_seconds(1000, "1");
	expect_seconds(-1000, "-1");
	expect_seconds(1700000000000, "1700000000");
	expect_seconds(1700000000123, "1700000000.123");
	expect_seconds(1700000000120, "1700000000.12");
	expect_seconds(-1700000000100, "-1700000000.1");
	expect_seconds(1700000000007, "1700000000.007");
	expect_seconds(INT64_MAX, "9223372036854775.807");
	expect_seconds(INT64_MIN, "-9223372036854775.808");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_parse_bad),
	    cmocka_unit_test(test_print),
	    cmocka_unit_test(test_ms_as_seconds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
