/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that are numbers, and as which double each is read. */
#include "numbers.h"

static void test_good(void **state) {
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
	    {"-0e-99999", -0.0},
	    {"-0.000000000000000000000000000000000e0", -0.0},
	    {"1e00003", 1000},
	    {"1.7e+09", 1.7e9},
	    {"1.23456789e+08", 123456789},
	    {"5e-05", 0.00005},
	    {"1700000000.123", 1700000000.123},
	    {"12345678", 12345678},
	    {"123456789", 123456789},
	    {"1234567.8", 1234567.8},
	    {"12345678.", 12345678},
	    {"12345678.12345678", 12345678.12345678},
	    {".12345678", 0.12345678},
	    {"1234567812345678", 1234567812345678},
	    {"9007199254740992", 0x1p53},
	    {"9007199254740993", 0x1p53},
	    {"9007199254740995", 9007199254740996.0},
	    {"123456789012345678", 123456789012345678.0},
	    {"00000000000000000000000000000000000123", 123},
	    {"0.00000000000000000000000000000000000123", 1.23e-36},
	    {"1000000000000000000000000000000", 1e30},
	    {"1.0000000000000000000000000000000000", 1},
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
	    {"0.000001e99999999999999999999999999999999", INFINITY},
	    {"Inf", INFINITY},
	    {"+Inf", INFINITY},
	    {"-Inf", -INFINITY},
	    {"inf", INFINITY},
	    {"INFINITY", INFINITY},
	    {"-infinity", -INFINITY},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_parse(gs_str_of(cases[i].text), cases[i].want);
	static const char *const nans[] = {"NaN", "nan", "NAN"};
	for (size_t i = 0; i < COUNT(nans); i++)
		expect_parse(gs_str_of(nans[i]), NAN);
}

static void test_bad(void **state) {
	(void)state;
	static const char *const cases[] = {"", " ", "+", "-", ".", "+.", "e", "e5", ".e5", "1e", "1e+", "1e1.5", "1 ",
	    " 1", "1.2.3", "1,5", "1_000", "0x", "0x1", "0xp1", "0x1p", "0x1p+", "0x.p1", "0x1.8", "0x1p1x", "--1",
	    "+-1", "1-", "infi", "infinit", "in", "+NaN", "-NaN", "nan(1)", "NaN1", "1f", "1d", "0b1", "0o7", "one",
	    "\xc2\xb2", "1\n", "1:", "1/", "12345678:", "1234567/", "\xb1", "1\xb1", "..", "1..", ".1.", "1e5e5",
	    "1e5."};
	for (size_t i = 0; i < COUNT(cases); i++) {
		double v = 42;
		if (gs_num_parse_double(gs_str_of(cases[i]), &v) != GS_EINVAL || v != 42)
			fail_msg("'%s' was taken", cases[i]);
	}
	double v = 42;
	assert_int_equal(gs_num_parse_double(GS_STR("1\0"), &v), GS_EINVAL);
	assert_int_equal(gs_num_parse_double((struct gs_str){0}, &v), GS_EINVAL);
	assert_null(gs_num_scan_double(NULL, NULL, &v));
	assert_true(v == 42);
}

static void test_scan_stops(void **state) {
	(void)state;
	static const struct {
		const char *text;
		int taken; /* bytes; 0: no number */
		double want;
	} cases[] = {
	    {"12 34", 2, 12},
	    {"12\t", 2, 12},
	    {"1.5\r\n", 3, 1.5},
	    {"1e", 1, 1},
	    {"1e+", 1, 1},
	    {"1ex", 1, 1},
	    {"1.e-", 2, 1},
	    {"1e5e5", 3, 1e5},
	    {"1.2.3", 3, 1.2},
	    {"0x1p3", 1, 0},
	    {"-1-1", 2, -1},
	    {"Infinit", 3, INFINITY},
	    {"infinity1", 8, INFINITY},
	    {"-InF}", 4, -INFINITY},
	    {"1_0", 1, 1},
	    {"123456789:", 9, 123456789},
	    {"1234567\xff", 7, 1234567},
	    {"1234567\xb1", 7, 1234567},
	    {"x", 0, 0},
	    {"", 0, 0},
	    {" 1", 0, 0},
	    {".", 0, 0},
	    {"-.e1", 0, 0},
	    {"+nan", 0, 0},
	    {"--1", 0, 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		/* Once at the end of its memory, once with much behind. */
		for (size_t behind = 0; behind <= 32; behind += 16) {
			char room[64];
			double v = 42, want = cases[i].taken == 0 ? 42 : cases[i].want;
			size_t n = strlen(cases[i].text);
			char *p = room + sizeof(room) - behind - n;
			memset(room, ' ', sizeof(room));
			memcpy(p, cases[i].text, n);
			const char *after = gs_num_scan_double(p, room + sizeof(room), &v);
			if (after != (cases[i].taken == 0 ? NULL : p + cases[i].taken) || bits_of(v) != bits_of(want))
				fail_msg(
				    "'%s' gave %a, %d bytes", cases[i].text, v, after == NULL ? 0 : (int)(after - p));
		}
	}
}

/* 512 bytes and not one more, whatever they are. */
static void test_length(void **state) {
	(void)state;
	static const char *const ends[] = {"", "e5", "E-00400", ".", ".5", ".00e2"};
	for (size_t i = 0; i < COUNT(ends); i++) {
		for (int sign = 0; sign < 2; sign++) {
			char text[600];
			double v = 42;
			size_t n = strlen(ends[i]);
			memset(text, '1', sizeof(text));
			text[0] = sign ? '-' : '1';
			memcpy(text + 512 - n, ends[i], n);
			text[512] = '\0';
			expect_as_strtod(text);
			memset(text, '1', sizeof(text));
			text[0] = sign ? '-' : '1';
			memcpy(text + 513 - n, ends[i], n);
			text[513] = '\n';
			assert_int_equal(gs_num_parse_double(gs_str_make(text, 513), &v), GS_EINVAL);
			assert_null(gs_num_scan_double(text, text + 513, &v));
			assert_null(gs_num_scan_double(text, text + sizeof(text), &v));
			assert_true(v == 42);
		}
	}
	char zeros[513] = {0};
	memset(zeros, '0', 512);
	zeros[1] = '.';
	zeros[511] = '7';
	expect_as_strtod(zeros);
	memcpy(zeros + 505, "e-00323", 7);
	zeros[300] = '5';
	expect_as_strtod(zeros);
}

static int put_digits(char *out, int n, unsigned radix) {
	for (int i = 0; i < n; i++)
		out[i] = (char)('0' + next_random() % radix);
	return n;
}

/* A random text of the form of a decimal float: up to 19 digits on each side, now and then hundreds. */
static void random_text(char *out, size_t n) {
	uint64_t r = next_random();
	unsigned radix = r / 2000 % 3 == 0 ? 2 : 10;
	int whole = (int)(r % 20), fraction = (int)(r / 20 % 20), at = 0;
	if (r / 3000 % 64 == 0)
		fraction += 200;
	if (r / 3000 % 64 == 1)
		whole += 200;
	at += snprintf(out, n, "%s", r / 400 % 3 == 0 ? "-" : r / 400 % 9 == 1 ? "+" : "");
	at += put_digits(out + at, whole, radix);
	if (fraction != 0 || whole == 0)
		out[at++] = '.';
	at += put_digits(out + at, fraction + (whole == 0 && fraction == 0), radix);
	int range = r / 70000 % 2 == 0 ? 50 : 700;
	if (r / 10000 % 2 == 0)
		at += snprintf(out + at, n - (size_t)at, "e%d", (int)(r / 20000 % (unsigned)range) - range / 2);
	out[at] = '\0';
}

static void test_as_strtod(void **state) {
	(void)state;
	for (uint64_t i = rounds(400000); i > 0; i--) {
		char text[512];
		random_text(text, sizeof(text));
		expect_as_strtod(text);
	}
}

/* As printf writes doubles: with more digits than needed, and with too few. */
static void check_printed(double v) {
	char text[64];
	snprintf(text, sizeof(text), "%.17g", v);
	expect_parse(gs_str_of(text), v);
	snprintf(text, sizeof(text), "%.*e", (int)(next_random() % 30), v);
	expect_as_strtod(text);
}

static void test_printed_edges(void **state) {
	(void)state;
	each_edge(check_printed);
}

static void test_printed_random(void **state) {
	(void)state;
	for (uint64_t i = rounds(200000); i > 0; i--) {
		double v = double_of(next_random());
		if (isfinite(v))
			check_printed(v);
	}
}

static void expect_hex(const char *text, double want) {
	double v = 42;
	assert_int_equal(gs_num_parse_double(gs_str_of(text), &v), GS_OK);
	expect_bits("gs_num_parse_double", gs_str_of(text), v, want);
}

/* Hexadecimal digits with a point somewhere, zeros in front and behind, and then perhaps a 1 that only matters where the rest is a middle. glibc
 * 2.36 rounds subnormal ones wrongly (0x8874f93618ee54p-1079), so it is no judge here; a long double takes all of the bits. */
static void check_random_hex(void) {
	char text[160];
	uint64_t m = next_random() >> (8 + next_random() % 56), r = next_random();
	int zeros = (int)(r % 20), point = (int)(r / 32 % 14), exponent = (int)(r / 1024 % 2400) - 1200;
	bool more = r % 7 == 0;
	int n = snprintf(text, sizeof(text), "%s0x%0*d%0*llx%0*d", r % 2 == 0 ? "-" : "", zeros + 1, 0, point,
	    (unsigned long long)m, zeros + 1, more);
	int places = point + zeros + 1;
	memmove(text + n - places + 1, text + n - places, (size_t)places);
	text[n - places] = '.';
	n++;
	snprintf(text + n, sizeof(text) - (size_t)n, "p%d", exponent);
	long double exact = ldexpl((long double)m, exponent - 4 * point);
	/* Below the 64 bits of a long double the last 1 counts only by being there. */
	int below = m == 0 ? 0 : __builtin_clzll(m);
	below = m == 0 || below > 4 * (zeros + 1) ? 4 * (zeros + 1) : below;
	exact += more ? ldexpl(1, exponent - 4 * point - below) : 0;
	expect_hex(text, (double)(r % 2 == 0 ? -exact : exact));
}

static void test_hex(void **state) {
	(void)state;
	static const struct {
		const char *text;
		double want;
	} cases[] = {
	    {"0x1p-2", 0.25},
	    {"-0X1.8P1", -3},
	    {"0x.8p0", 0.5},
	    {"+0x8.p0", 8},
	    {"0x1p1024", INFINITY},
	    {"0x0p99999", 0},
	    {"-0x0p0", -0.0},
	    {"0x1.fffffffffffff7p1023", 0x1.fffffffffffffp1023},
	    {"0x1.fffffffffffff8p1023", INFINITY},
	    {"0x1.00000000000008p0", 1},
	    {"0x1.000000000000080000000001p0", 0x1.0000000000001p0},
	    {"0x1.00000000000018p0", 0x1.0000000000002p0},
	    {"0x1p-1074", 0x1p-1074},
	    {"0x1p-1075", 0},
	    {"0x1.0000000000000000000000000001p-1075", 0x1p-1074},
	    {"0x3p-1076", 0x1p-1074},
	    {"0x8874f93618ee54p-1079", 0x0.443a7c9b0c773p-1022},
	    {"0x000000000000000000000000000000000000001p0", 1},
	    {"0x.00000000000000000000000000000000001p140", 1},
	    {"0xfffffffffffffffffffffffffffffffp-200", 0x1p-76},
	    {"0xABCDEFabcdefp+3", 8.0 * 0xABCDEFabcdef},
	    {"0x1p99999999999999", INFINITY},
	    {"0x1p-99999999999999", 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_hex(cases[i].text, cases[i].want);
	for (int i = 0; i < 100000; i++)
		check_random_hex();
}

/* Where the machine has a locale with a decimal comma, it changes nothing. */
static void test_locale(void **state) {
	(void)state;
	if (!use_comma_locale())
		skip();
	double v = 0, comma = 0;
	enum gs_status status = gs_num_parse_double(GS_STR("0.30000000000000004"), &v);
	enum gs_status comma_status = gs_num_parse_double(GS_STR("0,5"), &comma);
	double libc = strtod("0,5", NULL);
	setlocale(LC_ALL, "C");
	assert_true(libc == 0.5); /* the locale was in force */
	assert_int_equal(status, GS_OK);
	assert_true(v == 0.1 + 0.2);
	assert_int_equal(comma_status, GS_EINVAL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_scan_stops),
	    cmocka_unit_test(test_length),
	    cmocka_unit_test(test_as_strtod),
	    cmocka_unit_test(test_printed_edges),
	    cmocka_unit_test(test_printed_random),
	    cmocka_unit_test(test_hex),
	    cmocka_unit_test(test_locale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
