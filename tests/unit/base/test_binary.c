/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding to the nearest double: the middles between two, exact and a hair beside, and numbers of more digits than fit in 64 bits. */
#include "numbers.h"

#include "binary.h"

#define DIGITS 480 /* of a middle in the tests; all are below the limit of 512 bytes then */

/* The middle between v and the next double as digits and an exponent: a long double has at least 64 bits and more exponents, and glibc prints
 * it exactly. Whether all of it fitted. */
static bool middle_text(char *out, size_t n, double v) {
	long double next = nextafter(v, INFINITY);
	long double middle = isinf(nextafter(v, INFINITY)) ? 0x1.fffffffffffff8p1023L : ((long double)v + next) / 2;
	snprintf(out, n, "%.*Le", DIGITS, middle);
	return memcmp(out + DIGITS - 10, "000000000000", 12) == 0;
}

/* Add 1 to (or take 1 from) the last digit of d.ddd in text. */
static void step_digit(char *text, int by) {
	char *p = strchr(text, 'e') - 1;
	for (; *p == '.' || *p == (by > 0 ? '9' : '0'); p--) {
		if (*p != '.')
			*p = by > 0 ? '0' : '9';
	}
	*p = (char)(*p + by);
}

static unsigned exact_middles;

static void check_middle(double v) {
	char text[DIGITS + 20], beside[DIGITS + 20];
	double next = nextafter(v, INFINITY);
	bool exact = middle_text(text, sizeof(text), v);
	expect_as_strtod(text);
	if (exact)
		expect_parse(gs_str_of(text), bits_of(v) % 2 == 0 ? v : next);
	exact_middles += exact;
	memcpy(beside, text, sizeof(text));
	step_digit(beside, 1);
	expect_parse(gs_str_of(beside), next);
	memcpy(beside, text, sizeof(text));
	step_digit(beside, -1);
	expect_parse(gs_str_of(beside), v);
}

static void test_middles(void **state) {
	(void)state;
	exact_middles = 0;
	for (uint64_t i = rounds(6000); i > 0; i--) {
		double v = double_of(next_random() & INT64_MAX);
		if (isfinite(v))
			check_middle(v);
	}
	assert_true(exact_middles > 1500);
	check_middle(0x1.fffffffffffffp1023); /* the last before infinity */
	check_middle(0x1.ffffffffffffep1023);
	check_middle(0x0.fffffffffffffp-1022); /* from subnormal to normal */
	check_middle(1);
	check_middle(0x1.fffffffffffffp0);
	expect_as_strtod("2.4703282292062327208299439e-324"); /* above half of the smallest */
	expect_as_strtod("2.4703282292062327208299438e-324");
	expect_as_strtod("2.470328229206232720e-324");
	expect_as_strtod("1.7976931348623158079372897140530341507993413271003782693617e308");
	expect_as_strtod("1.7976931348623158079372897140530341507993413271003782693618e308");
}

/* Middles with few digits, where no digit is cut off: c.5 for integers c of 53 bits. */
static void test_short_middles(void **state) {
	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t c = next_random() >> 11 | UINT64_C(1) << 52;
		char text[80];
		double v = (double)c;
		double want = c % 2 == 0 ? v : v + 1;
		snprintf(text, sizeof(text), "%llu.5", (unsigned long long)c);
		expect_parse(gs_str_of(text), want);
		snprintf(text, sizeof(text), "%llu.50000000000000000000000000000000000000001", (unsigned long long)c);
		expect_parse(gs_str_of(text), v + 1);
		snprintf(text, sizeof(text), "%llu.49999999999999999999999999999999999999999", (unsigned long long)c);
		expect_parse(gs_str_of(text), v);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)(2 * c + 1));
		expect_parse(gs_str_of(text), 2 * want);
	}
}

/* What is near a middle without being one: c * 10^k for which the first 64 bits of the product do not decide. From W. Kahan's and others'
 * collections of hard numbers, and powers of five, whose products with powers of ten are exact as long as they fit. */
static void test_hard_numbers(void **state) {
	(void)state;
	static const char *const texts[] = {"9007199254740993", "9007199254740993e0", "9007199254740993.0000", "1e23",
	    "8.5e22", "7.2057594037927933e16", "6.8985865317742005e18", "9214843084008499",
	    "0.500000000000000166533453694", "3.518437208883201171875e13", "62.5364939768271845828",
	    "8.10109172351e-10", "1.50000000000000011102230246251565",
	    "104308485241983990666713401708072175773165034278682682111762292935302e-100", "1448997445238699",
	    "2.2250738585072011e-308", "2.2250738585072012e-308", "2.2250738585072014e-308", "4.9406564584124654e-324",
	    "5e-324", "3e-324", "2e-324", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
	    "30078505129381147446200", "1e-342", "9999999999999999999e-342", "9999999999999999999e-343",
	    "9999999999999999999e-344", "18446744073709551615", "18446744073709551616", "18446744073709551617e20",
	    "9999999999999999999e289", "9999999999999999999e290", "1e309"};
	for (size_t i = 0; i < COUNT(texts); i++)
		expect_as_strtod(texts[i]);
	for (int k = 0; k < 28; k++) {
		uint64_t five = 1;
		for (int i = 0; i < k; i++)
			five *= 5;
		for (int e = -60; e <= 60; e++) {
			char text[40];
			for (int i = -1; i <= 1; i++) {
				snprintf(
				    text, sizeof(text), "%llue%d", (unsigned long long)five + (unsigned long long)i, e);
				expect_as_strtod(text);
			}
		}
	}
}

static void test_round(void **state) {
	(void)state;
	expect_bits("zero", GS_STR("0"), gs_binary_round(0, false, 1000), 0);
	expect_bits("one", GS_STR("1"), gs_binary_round(1, false, 0), 1);
	expect_bits("even", GS_STR("2^53 + 1"), gs_binary_round((UINT64_C(1) << 53) + 1, false, 0), 0x1p53);
	expect_bits("even", GS_STR("2^60 + 2^7"), gs_binary_round((UINT64_C(1) << 60) + 128, false, 0), 0x1p60);
	expect_bits(
	    "more", GS_STR("2^60 + 2^7"), gs_binary_round((UINT64_C(1) << 60) + 128, true, 0), 0x1.0000000000001p60);
	expect_bits("carry", GS_STR("2^64 - 1"), gs_binary_round(UINT64_MAX, false, 0), 0x1p64);
	expect_bits("infinite", GS_STR("2^1024"), gs_binary_round(UINT64_MAX, false, 960), INFINITY);
	expect_bits("infinite", GS_STR("2^9999"), gs_binary_round(1, false, 9999), INFINITY);
	expect_bits("smallest", GS_STR("2^-1074"), gs_binary_round(1, false, -1074), 0x1p-1074);
	expect_bits("half of it", GS_STR("2^-1075"), gs_binary_round(1, false, -1075), 0);
	expect_bits("above half", GS_STR("3 * 2^-1076"), gs_binary_round(3, false, -1076), 0x1p-1074);
	expect_bits("nothing", GS_STR("2^-9999"), gs_binary_round(1, false, -9999), 0);
	for (int i = 0; i < 300000; i++) {
		uint64_t m = next_random() >> (next_random() % 64);
		int exponent = (int)(next_random() % 2300) - 1200;
		double want = (double)ldexpl((long double)m, exponent); /* 64 bits are exact, so only this rounds */
		expect_bits("gs_binary_round", GS_STR("random"), gs_binary_round(m, false, exponent), want);
		m |= UINT64_C(1) << 60;
		want = (double)ldexpl((long double)(m | 1), exponent);
		expect_bits("gs_binary_round", GS_STR("more"), gs_binary_round(m & ~UINT64_C(1), true, exponent), want);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_middles),
	    cmocka_unit_test(test_short_middles),
	    cmocka_unit_test(test_hard_numbers),
	    cmocka_unit_test(test_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
