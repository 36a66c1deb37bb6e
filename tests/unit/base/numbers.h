/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BASE_NUMBERS_H
#define TEST_BASE_NUMBERS_H

/* What the tests of numbers share: random doubles, and the comparison of every way to read a text with strtod. */

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gravel/base/num.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t random_state = 88172645463325252u;

static inline uint64_t next_random(void) {
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static inline uint64_t bits_of(double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static inline double double_of(uint64_t bits) {
	double v;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* How many random doubles a test takes: n, or with GRAVEL_TEST_NUMBERS=M that many millions. */
static inline uint64_t rounds(uint64_t n) {
	const char *millions = getenv("GRAVEL_TEST_NUMBERS");
	return millions != NULL ? strtoull(millions, NULL, 10) * 1000000 : n;
}

/* From now on a comma is what libc takes for a decimal point, if the machine has such a locale. */
static inline bool use_comma_locale(void) {
	static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ru_RU.UTF-8", "de_DE"};
	for (size_t i = 0; i < COUNT(names); i++) {
		if (setlocale(LC_ALL, names[i]) != NULL)
			return true;
	}
	return false;
}

static inline void expect_bits(const char *how, struct gs_str text, double got, double want) {
	if (bits_of(got) != bits_of(want))
		fail_msg("%s of '%.*s' gave %a instead of %a", how, GS_FMT(text), got, want);
}

/* Read the text (at most 512 bytes) as a slice and as the beginning of more, with and without bytes behind it: always as want. The memory of
 * the slice is as long as it is, so that a sanitizer sees what is read beside it. */
static inline void expect_parse(struct gs_str text, double want) {
	char room[512 + 32], *exact = malloc(text.n);
	double got = 42;
	assert_non_null(exact);
	memcpy(exact, text.p, text.n);
	assert_int_equal(gs_num_parse_double(gs_str_make(exact, text.n), &got), GS_OK);
	expect_bits("gs_num_parse_double", text, got, want);
	got = 42;
	if (gs_num_scan_double(exact, exact + text.n, &got) != exact + text.n)
		fail_msg("gs_num_scan_double did not take all of '%.*s'", GS_FMT(text));
	expect_bits("gs_num_scan_double", text, got, want);
	memcpy(room, text.p, text.n);
	memcpy(room + text.n, "\nnext_line_5 .7e6", 17);
	got = 42;
	if (gs_num_scan_double(room, room + text.n + 17, &got) != room + text.n)
		fail_msg("gs_num_scan_double did not stop behind '%.*s'", GS_FMT(text));
	expect_bits("gs_num_scan_double with room", text, got, want);
	free(exact);
}

static inline void expect_as_strtod(const char *text) {
	expect_parse(gs_str_of(text), strtod(text, NULL));
}

/* The doubles where something begins or ends, and their neighbours: f(v). */
static inline void each_edge(void (*f)(double v)) {
	for (uint64_t e = 0; e < 2047; e++) {
		for (int i = -2; i <= 2; i++) {
			if (e != 0 || i > 0)
				f(double_of((e << 52) + (uint64_t)(int64_t)i));
		}
	}
	for (int k = -324; k <= 308; k++) {
		char text[16];
		snprintf(text, sizeof(text), "1e%d", k);
		uint64_t bits = bits_of(strtod(text, NULL));
		for (int i = -2; i <= 2; i++) {
			uint64_t at = bits + (uint64_t)(int64_t)i;
			if (at - 1 < (UINT64_C(2047) << 52) - 1)
				f(double_of(at));
		}
	}
	for (int i = 0; i < 2000; i++) {
		f(double_of((uint64_t)i + 1)); /* the smallest */
		f(double_of((UINT64_C(2047) << 52) - 1 - (uint64_t)i)); /* the largest */
		f(double_of((UINT64_C(1) << 52) - 1000 + (uint64_t)i)); /* from subnormal to normal */
		f(0x1p53 - 1000 + i);
		f(0x1p54 - 2000 + 2 * i);
		f(0x1p63 - 2000 * 1024 + 1024.0 * i);
		f(1 + 0x1p-52 * (i - 1000));
	}
}

#endif
