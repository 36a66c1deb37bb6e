/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "gravel/base/num.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) {
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t bits_of(double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static double double_of(uint64_t bits) {
	double v;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static void test_parse_good(void **state) {
	(void)state;
	static const struct {
		const char *text;
		double want;
	} cases[] = {
	    {"0", 0},
	    {"-0", -0.0},
	    {"+0", 0},
	    {"1", 1},
	    {"-1", -1},
	    {"+1", 1},
	    {"007", 7},
	    {".5", 0.5},
	    {"5.", 5},
	    {"-.5", -0.5},
	    {"1e3", 1000},
	    {"1E+3", 1000},
	    {"1e-3", 0.001},
	    {"1.5e0", 1.5},
	    {"0e99999", 0},
	    {"1e00003", 1000},
	    {"9007199254740992", 0x1p53},
	    {"9007199254740993", 0x1p53},
	    {"9007199254740995", 9007199254740996.0},
	    {"123456789012345678", 123456789012345678.0},
	    {"0.1", 0.1},
	    {"0.30000000000000004", 0.1 + 0.2},
	    {"1.7976931348623157e308", 0x1.fffffffffffffp1023},
	    {"4.9e-324", 0x1p-1074},
	    {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
	    {"1e22", 1e22},
	    {"1e23", 1e23},
	    {"1e400", INFINITY},
	    {"-1e400", -INFINITY},
	    {"1e-400", 0},
	    {"-1e-400", -0.0},
	    {"1e9999999999999999999", INFINITY},
	    {"1e-9999999999999999999", 0},
	    {"Inf", INFINITY},
	    {"+Inf", INFINITY},
	    {"-Inf", -INFINITY},
	    {"inf", INFINITY},
	    {"INFINITY", INFINITY},
	    {"-infinity", -INFINITY},
	    {"0x1p-2", 0.25},
	    {"-0X1.8P1", -3},
	    {"0x.8p0", 0.5},
	    {"0x1p1024", INFINITY},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		double v = 42;
		if (gs_num_parse_double(gs_str_of(cases[i].text), &v) != GS_OK || bits_of(v) != bits_of(cases[i].want))
			fail_msg("'%s' gave %a", cases[i].text, v);
	}
	static const char *const nans[] = {"NaN", "nan", "NAN"};
	for (size_t i = 0; i < COUNT(nans); i++) {
		double v = 0;
		assert_int_equal(gs_num_parse_double(gs_str_of(nans[i]), &v), GS_OK);
		assert_true(isnan(v));
	}
}

static void test_parse_bad(void **state) {
	(void)state;
	static const char *const cases[] = {"", " ", "+", "-", ".", "+.", "e", "e5", ".e5", "1e", "1e+", "1e1.5", "1 ",
	    " 1", "1.2.3", "1,5", "1_000", "0x", "0x1", "0xp1", "0x1p", "0x1p+", "0x.p1", "0x1.8", "0x1p1x", "--1",
	    "+-1", "1-", "infi", "infinit", "in", "+NaN", "-NaN", "nan(1)", "NaN1", "1f", "1d", "0b1", "0o7", "one",
	    "\xc2\xb2", "1\n"};
	for (size_t i = 0; i < COUNT(cases); i++) {
		double v;
		if (gs_num_parse_double(gs_str_of(cases[i]), &v) != GS_EINVAL)
			fail_msg("'%s' was taken", cases[i]);
	}
	double v;
	assert_int_equal(gs_num_parse_double(GS_STR("1\0"), &v), GS_EINVAL);
	assert_int_equal(gs_num_parse_double((struct gs_str){0}, &v), GS_EINVAL);
	char text[600];
	memset(text, '1', sizeof(text));
	assert_int_equal(gs_num_parse_double(gs_str_make(text, sizeof(text)), &v), GS_EINVAL);
	assert_int_equal(gs_num_parse_double(gs_str_make(text, 300), &v), GS_OK);
}

/* A random text of the form of a decimal float, with 1 to 22 digits. */
static void random_text(char *out, size_t n) {
	uint64_t r = next_random();
	int whole = (int)(r % 20), fraction = (int)(r / 20 % 20), at = 0;
	at += snprintf(out, n, "%s", r / 400 % 3 == 0 ? "-" : "");
	for (int i = 0; i < whole; i++)
		out[at++] = (char)('0' + next_random() % 10);
	if (fraction != 0 || whole == 0)
		out[at++] = '.';
	for (int i = 0; i < fraction || (whole == 0 && i == 0); i++)
		out[at++] = (char)('0' + next_random() % (r / 2000 % 3 == 0 ? 2 : 10));
	if (r / 10000 % 2 == 0)
		at +=
		    snprintf(out + at, n - (size_t)at, "e%d", (int)(r / 20000 % (r / 70000 % 2 == 0 ? 50 : 700)) - 350);
	out[at] = '\0';
}

static void test_parse_as_strtod(void **state) {
	(void)state;
	for (int i = 0; i < 300000; i++) {
		char text[80];
		double v = 42;
		random_text(text, sizeof(text));
		assert_int_equal(gs_num_parse_double(gs_str_of(text), &v), GS_OK);
		if (bits_of(v) != bits_of(strtod(text, NULL)))
			fail_msg("'%s' gave %a", text, v);
	}
}

/* The slice ends where it ends: what follows in memory is not read. */
static void test_parse_takes_the_slice_only(void **state) {
	(void)state;
	double v = 0;
	uint64_t u = 0;
	assert_int_equal(gs_num_parse_double(gs_str_make("12345", 2), &v), GS_OK);
	assert_true(v == 12);
	assert_int_equal(gs_num_parse_double(gs_str_make("0.12345678901234567899", 19), &v), GS_OK);
	assert_true(v == 0.12345678901234567);
	assert_int_equal(gs_num_parse_u64(gs_str_make("123", 1), &u), GS_OK);
	assert_int_equal(u, 1);
}

static bool use_comma_locale(void) {
	return setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL || setlocale(LC_NUMERIC, "fr_FR.UTF-8") != NULL;
}

/* Where the machine has a locale with a decimal comma, it changes nothing. */
static void test_locale(void **state) {
	(void)state;
	if (!use_comma_locale())
		skip();
	double v = 0;
	char out[GS_NUM_DOUBLE_MAX];
	assert_int_equal(gs_num_parse_double(GS_STR("0.30000000000000004"), &v), GS_OK);
	size_t n = gs_num_print_double(out, v);
	setlocale(LC_NUMERIC, "C");
	assert_true(v == 0.1 + 0.2);
	assert_true(gs_str_eq(gs_str_make(out, n), GS_STR("0.30000000000000004")));
}

static void assert_prints(double v, const char *want) {
	char out[GS_NUM_DOUBLE_MAX];
	struct gs_str text = gs_str_make(out, gs_num_print_double(out, v));
	if (!gs_str_eq(text, gs_str_of(want)))
		fail_msg("%.*s instead of %s", GS_FMT(text), want);
}

static void test_print(void **state) {
	(void)state;
	assert_prints(0, "0");
	assert_prints(-0.0, "-0");
	assert_prints(NAN, "NaN");
	assert_prints(-NAN, "NaN");
	assert_prints(INFINITY, "+Inf");
	assert_prints(-INFINITY, "-Inf");
	assert_prints(0.5, "0.5");
	assert_prints(-2.25, "-2.25");
	assert_prints(0.0001, "0.0001");
	assert_prints(0.00001, "1e-05");
	assert_prints(123456.5, "123456.5");
	assert_prints(1234567.5, "1.2345675e+06");
	assert_prints(-1e-300, "-1e-300");
	assert_prints(-1.7976931348623157e308, "-1.7976931348623157e+308");
	assert_prints(-2.2250738585072014e-308, "-2.2250738585072014e-308");
}

static void test_print_integers_without_exponent(void **state) {
	(void)state;
	assert_prints(1e15, "1000000000000000");
	assert_prints(9007199254740991, "9007199254740991");
	assert_prints(9007199254740992, "9007199254740992");
	assert_prints(-9007199254740992, "-9007199254740992");
	assert_prints(9007199254740994, "9.007199254740994e+15");
	for (int i = 0; i < 100000; i++) {
		int64_t want = (int64_t)(next_random() >> (11 + i % 53)) * (i % 2 != 0 ? -1 : 1);
		char out[GS_NUM_DOUBLE_MAX], text[32];
		size_t n = gs_num_print_double(out, (double)want);
		snprintf(text, sizeof(text), "%lld", (long long)want);
		if (want != 0)
			assert_true(gs_str_eq(gs_str_make(out, n), gs_str_of(text)));
	}
}

static void test_print_round_trip(void **state) {
	(void)state;
	for (int i = 0; i < 1000000; i++) {
		double v = double_of(next_random()), back = 0;
		char out[GS_NUM_DOUBLE_MAX];
		size_t n = gs_num_print_double(out, v);
		assert_in_range(n, 1, GS_NUM_DOUBLE_MAX);
		assert_int_equal(gs_num_parse_double(gs_str_make(out, n), &back), GS_OK);
		if (isnan(v) ? !isnan(back) : bits_of(back) != bits_of(v))
			fail_msg("%a printed as %.*s", v, (int)n, out);
	}
}

static void test_parse_integers(void **state) {
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
	static const char *const bad[] = {"", "-", "+", " 1", "1 ", "1a", "0x1", "1.0", "--1", "+-1", "1e3"};
	for (size_t k = 0; k < COUNT(bad); k++) {
		assert_int_equal(gs_num_parse_u64(gs_str_of(bad[k]), &u), GS_EINVAL);
		assert_int_equal(gs_num_parse_i64(gs_str_of(bad[k]), &i), GS_EINVAL);
	}
	assert_int_equal(gs_num_parse_u64(GS_STR("+1"), &u), GS_EINVAL);
	assert_int_equal(gs_num_parse_u64(GS_STR("-0"), &u), GS_EINVAL);
}

static void test_print_u64(void **state) {
	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint64_t v = i == 0 ? 0 : i == 1 ? UINT64_MAX : next_random() >> (i % 64);
		char out[20], want[32];
		size_t n = gs_num_print_u64(out, v);
		snprintf(want, sizeof(want), "%llu", (unsigned long long)v);
		assert_true(gs_str_eq(gs_str_make(out, n), gs_str_of(want)));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_good),
	    cmocka_unit_test(test_parse_bad),
	    cmocka_unit_test(test_parse_as_strtod),
	    cmocka_unit_test(test_parse_takes_the_slice_only),
	    cmocka_unit_test(test_locale),
	    cmocka_unit_test(test_print),
	    cmocka_unit_test(test_print_integers_without_exponent),
	    cmocka_unit_test(test_print_round_trip),
	    cmocka_unit_test(test_parse_integers),
	    cmocka_unit_test(test_print_u64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
