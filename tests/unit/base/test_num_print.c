/* SPDX-License-Identifier: Apache-2.0 */
/* How doubles are written; that it is with the fewest digits is shown in test_decimal.c. */
#include "numbers.h"

static void assert_prints(double v, const char *want) {
	char out[GS_NUM_DOUBLE_MAX];
	struct gs_str text = gs_str_make(out, gs_num_print_double(out, v));
	if (!gs_str_eq(text, gs_str_of(want)))
		fail_msg("%.*s instead of %s", GS_FMT(text), want);
}

static void test_layout(void **state) {
	(void)state;
	static const struct {
		double v;
		const char *text;
	} rows[] = {
	    {0, "0"},
	    {-0.0, "-0"},
	    {NAN, "NaN"},
	    {-NAN, "NaN"},
	    {INFINITY, "+Inf"},
	    {-INFINITY, "-Inf"},
	    {0.5, "0.5"},
	    {-2.25, "-2.25"},
	    {1.5, "1.5"},
	    {12.5, "12.5"},
	    {123.5, "123.5"},
	    {1234.5, "1234.5"},
	    {12345.5, "12345.5"},
	    {123456.5, "123456.5"},
	    {1234567.5, "1.2345675e+06"},
	    {0.1, "0.1"},
	    {0.01, "0.01"},
	    {0.001, "0.001"},
	    {0.0001, "0.0001"},
	    {0.00001, "1e-05"},
	    {-0.00001234, "-1.234e-05"},
	    {0.30000000000000004, "0.30000000000000004"},
	    {0.00012345678901234567, "0.00012345678901234567"},
	    {1.2345678901234567, "1.2345678901234567"},
	    {123456.78901234567, "123456.78901234567"},
	    {999999.5, "999999.5"},
	    {100000.00000000001, "100000.00000000001"},
	    {1.0000000000000002, "1.0000000000000002"},
	    {1e15, "1000000000000000"},
	    {9007199254740991, "9007199254740991"},
	    {9007199254740992, "9007199254740992"},
	    {-9007199254740992, "-9007199254740992"},
	    {9007199254740994, "9.007199254740994e+15"},
	    {1e16, "1e+16"},
	    {2e99, "2e+99"},
	    {-3e100, "-3e+100"},
	    {-1e-300, "-1e-300"},
	    {-1.7976931348623157e308, "-1.7976931348623157e+308"},
	    {-2.2250738585072014e-308, "-2.2250738585072014e-308"},
	    {-5e-324, "-5e-324"},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_prints(rows[i].v, rows[i].text);
}

static void test_integers_without_exponent(void **state) {
	(void)state;
	for (int i = 0; i < 200000; i++) {
		int64_t want = (int64_t)(next_random() >> (11 + i % 53)) * (i % 2 != 0 ? -1 : 1);
		char text[32];
		snprintf(text, sizeof(text), "%lld", (long long)want);
		if (want != 0)
			assert_prints((double)want, text);
	}
}

/* Decimals as people write them come back as they were: up to 15 digits every one is the shortest of its double. */
static void test_short_decimals(void **state) {
	(void)state;
	for (int i = 0; i < 200000; i++) {
		unsigned places = 1 + (unsigned)(next_random() % 9), whole = (unsigned)(next_random() % 1000000);
		unsigned part = (unsigned)(next_random() % 1000000000);
		char text[40];
		int n = snprintf(text, sizeof(text), "%u.%09u", whole, part);
		n -= 9 - (int)places;
		text[n - 1] = (char)('1' + i % 9); /* no zero at the end */
		text[n] = '\0';
		if (whole != 0 || part >= 100000000)
			assert_prints(strtod(text, NULL), text);
	}
}

/* Nothing behind the promised room is written, and what is written reads back. */
static void check_round_trip(double v) {
	char out[GS_NUM_DOUBLE_MAX + 1];
	double back = 42;
	out[GS_NUM_DOUBLE_MAX] = '\x7e';
	size_t n = gs_num_print_double(out, v);
	assert_in_range(n, 1, 24);
	assert_int_equal(out[GS_NUM_DOUBLE_MAX], '\x7e');
	assert_int_equal(gs_num_parse_double(gs_str_make(out, n), &back), GS_OK);
	if (isnan(v) ? !isnan(back) : bits_of(back) != bits_of(v))
		fail_msg("%a printed as %.*s", v, (int)n, out);
}

static void test_round_trip_of_edges(void **state) {
	(void)state;
	each_edge(check_round_trip);
}

static void test_round_trip_of_random(void **state) {
	(void)state;
	for (uint64_t i = rounds(4000000); i > 0; i--)
		check_round_trip(double_of(next_random()));
}

/* All orders of magnitude as often would leave few of those that metrics have. */
static void test_round_trip_of_usual(void **state) {
	(void)state;
	for (uint64_t i = rounds(2000000); i > 0; i--) {
		uint64_t r = next_random();
		check_round_trip((double)(r >> (11 + r % 53)) / (double)(1 + (next_random() >> (14 + r / 64 % 50))));
	}
}

static void test_go(void **state) {
	(void)state;
	static const struct {
		double v;
		const char *text;
	} rows[] = {{0, "0"}, {1, "1"}, {-2.5, "-2.5"}, {999999, "999999"}, {1e6, "1e+06"}, {-1e6, "-1e+06"},
	    {1048576, "1.048576e+06"}, {1234567.5, "1.2345675e+06"}, {9007199254740992, "9.007199254740992e+15"},
	    {-1230000000, "-1.23e+09"}, {1e22, "1e+22"}, {0.00001, "1e-05"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"},
	    {NAN, "NaN"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[GS_NUM_DOUBLE_MAX + 1];
		out[gs_num_print_go(out, rows[i].v)] = '\0';
		assert_string_equal(out, rows[i].text);
	}
}

static void test_locale(void **state) {
	(void)state;
	if (!use_comma_locale())
		skip();
	char out[GS_NUM_DOUBLE_MAX], libc[32], ms[GS_NUM_DOUBLE_MAX];
	size_t n = gs_num_print_double(out, 0.1 + 0.2), ms_n = gs_num_print_ms_as_seconds(ms, 1500);
	snprintf(libc, sizeof(libc), "%.1f", 0.5);
	setlocale(LC_ALL, "C");
	assert_string_equal(libc, "0,5"); /* the locale was in force */
	assert_true(gs_str_eq(gs_str_make(out, n), GS_STR("0.30000000000000004")));
	assert_true(gs_str_eq(gs_str_make(ms, ms_n), GS_STR("1.5")));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_layout),
	    cmocka_unit_test(test_integers_without_exponent),
	    cmocka_unit_test(test_short_decimals),
	    cmocka_unit_test(test_round_trip_of_edges),
	    cmocka_unit_test(test_round_trip_of_random),
	    cmocka_unit_test(test_round_trip_of_usual),
	    cmocka_unit_test(test_go),
	    cmocka_unit_test(test_locale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
