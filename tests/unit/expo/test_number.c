/* SPDX-License-Identifier: Apache-2.0 */
/* Values and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/expo/number.h"
#include "dump.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};

static const struct good_case good[] = {
    {"a 0", "S a 0;"},
    {"a -0", "S a -0;"},
    {"a +1.50", "S a 1.5;"},
    {"a .5", "S a 0.5;"},
    {"a 5.", "S a 5;"},
    {"a -.5e1", "S a -5;"},
    {"a 1E3", "S a 1000;"},
    {"a 1e-400", "S a 0;"},
    {"a Inf", "S a +Inf;"},
    {"a +inf", "S a +Inf;"},
    {"a -INF", "S a -Inf;"},
    {"a Infinity", "S a +Inf;"},
    {"a NaN", "S a NaN;"},
    {"a nan", "S a NaN;"},
    {"a 9007199254740993", "S a 9007199254740992;"},
    {"a 00012", "S a 12;"},
};

static const struct bad_case bad[] = {
    {"a b", 1, 3, "the value \"b\" of metric \"a\" is not a number"},
    {"a 1,5", 1, 3, "the value \"1,5\" of metric \"a\" is not a number"},
    {"a 1_000", 1, 3, "the value \"1_000\" of metric \"a\" is not a number"},
    {"a 0x10", 1, 3, "the value \"0x10\" of metric \"a\" is not a number"},
    {"a 0x1p4", 1, 3, "the value \"0x1p4\" of metric \"a\" is not a number"},
    {"a -0X1P4", 1, 3, "the value \"-0X1P4\" of metric \"a\" is not a number"},
    {"a +NaN", 1, 3, "the value \"+NaN\" of metric \"a\" is not a number"},
    {"a 1e", 1, 3, "the value \"1e\" of metric \"a\" is not a number"},
    {"a .", 1, 3, "the value \".\" of metric \"a\" is not a number"},
    {"a -", 1, 3, "the value \"-\" of metric \"a\" is not a number"},
    {"a 1e400", 1, 3, "the value \"1e400\" of metric \"a\" is out of range"},
    {"a -1e309 5", 1, 3, "the value \"-1e309\" of metric \"a\" is out of range"},
};

static const struct good_case strict_good[] = {
    {"a 0\na 0042\na +1\na -1\n# EOF", "S a 0;S a 42;S a 1;S a -1;"},
    {"a 1.\na .5\na -.5e1\na 1.5E+3\na 1e3\na 1.e-1\n# EOF", "S a 1;S a 0.5;S a -5;S a 1500;S a 1000;S a 0.1;"},
    {"a inf\na +Inf\na -INF\na Infinity\na -infINITY\n# EOF", "S a +Inf;S a +Inf;S a -Inf;S a +Inf;S a -Inf;"},
    {"a nan\na NaN\na NAN\n# EOF", "S a NaN;S a NaN;S a NaN;"},
    {"a 1 -1.5\na 1 0\na 1 .001\na 1 1.5\n# EOF", "S a 1 @-1500;S a 1 @0;S a 1 @1;S a 1 @1500;"},
    {"a 1 1520879607.789\n# EOF", "S a 1 @1520879607789;"},
    {"a 1 -1.0019\na 1 1.0019\n# EOF", "S a 1 @-1001;S a 1 @1001;"},
    {"a 1 1e3\na 1 1604676851.123456789\n# EOF", "S a 1 @1000000;S a 1 @1604676851123;"},
    {"a 1 -9223372036854775.808\n# EOF", "S a 1 @-9223372036854775808;"},
};

static const struct bad_case strict_bad[] = {
    {"a 0x10\n# EOF", 1, 3, "the value \"0x10\" of metric \"a\" is not a number"},
    {"a 0x1p4\n# EOF", 1, 3, "the value \"0x1p4\" of metric \"a\" is not a number"},
    {"a 1_0\n# EOF", 1, 3, "the value \"1_0\" of metric \"a\" is not a number"},
    {"a +nan\n# EOF", 1, 3, "the value \"+nan\" of metric \"a\" is not a number"},
    {"a in\n# EOF", 1, 3, "the value \"in\" of metric \"a\" is not a number"},
    {"a .\n# EOF", 1, 3, "the value \".\" of metric \"a\" is not a number"},
    {"a .e1\n# EOF", 1, 3, "the value \".e1\" of metric \"a\" is not a number"},
    {"a 1e\n# EOF", 1, 3, "the value \"1e\" of metric \"a\" is not a number"},
    {"a 1e400\n# EOF", 1, 3, "the value \"1e400\" of metric \"a\" is out of range"},
    {"a \xd9\xa1\n# EOF", 1, 3, "the value \"\\xd9\\xa1\" of metric \"a\" is not a number"},
    {"a 1 x\n# EOF", 1, 5, "the timestamp \"x\" of metric \"a\" is not a number"},
    {"a 1 NaN\n# EOF", 1, 5, "the timestamp \"NaN\" of metric \"a\" is not a number of seconds"},
    {"a 1 -Inf\n# EOF", 1, 5, "the timestamp \"-Inf\" of metric \"a\" is not a number of seconds"},
    {"a 1 9223372036854775.808\n# EOF", 1, 5, "the timestamp \"9223372036854775.808\" of metric \"a\" is out of range"},
    {"a 1 -1e300\n# EOF", 1, 5, "the timestamp \"-1e300\" of metric \"a\" is out of range"},
    {"a 1 1e306\n# EOF", 1, 5, "the timestamp \"1e306\" of metric \"a\" is out of range"},
};

static void test_good(void **state) {
	(void)state;
	check_good(good, COUNT(good));
}

static void test_bad(void **state) {
	(void)state;
	check_bad(bad, COUNT(bad));
}

static void test_strict_good(void **state) {
	(void)state;
	check_good_as(&openmetrics, strict_good, COUNT(strict_good));
}

static void test_strict_bad(void **state) {
	(void)state;
	check_bad_as(&openmetrics, strict_bad, COUNT(strict_bad));
}

/* text, with junk behind it that must not matter, read both ways. */
static void check_short(const char *text, size_t n) {
	char room[24];
	double got = -1, want = -1;
	memset(room, '7', sizeof(room));
	memcpy(room, text, n);
	bool is_short = gs_expo_parse_short(gs_str_make(room, n), &got);
	bool plain = strspn(text, "0123456789.") >= n;
	bool valid = gs_num_parse_double(gs_str_make(text, n), &want) == GS_OK;
	if (is_short != (plain && valid) || (is_short && got != want))
		fail_msg("'%.*s' gave %d %.17g, not %d %.17g", (int)n, text, is_short, got, valid, want);
}

static void test_short_numbers(void **state) {
	(void)state;
	static const char bytes[] = "01234567890123456789.";
	uint32_t seed = 1;
	for (int round = 0; round < 400000; round++) {
		char text[17] = "";
		size_t n = 1 + (size_t)round % 16;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = bytes[(seed >> 16) % (sizeof(bytes) - 1)];
		}
		check_short(text, n);
	}
}

static void test_every_byte_in_a_short_number(void **state) {
	(void)state;
	static const char *const numbers[] = {"1", "12345678", "1.5", ".5", "5.", "0.25", "1234.678", "1234567.",
	    ".2345678", "123456789", "1234567890123456", "1234567.90123456", "12345678.0123456", "123456789.123456",
	    ".123456789012345", "123456789012345.", "9999999999.99999"};
	for (size_t k = 0; k < COUNT(numbers); k++) {
		size_t n = strlen(numbers[k]);
		for (size_t i = 0; i < n; i++) {
			for (int c = 1; c < 256; c++) {
				char text[17] = "";
				memcpy(text, numbers[k], n);
				text[i] = (char)c;
				check_short(text, n);
			}
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_strict_good),
	    cmocka_unit_test(test_strict_bad),
	    cmocka_unit_test(test_short_numbers),
	    cmocka_unit_test(test_every_byte_in_a_short_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
