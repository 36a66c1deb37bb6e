/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>

#include "binary.h"
#include "digits.h"
#include "gravel/base/num.h"

#define EXACT_INTEGER (UINT64_C(1) << 53)
#define POW10_EXACT 22 /* the largest power of ten that a double holds exactly */
#define DIGITS_EXACT 19 /* as many fit in 64 bits */
#define ROOM 16 /* bytes from which on it pays to try without a look at the end */
#define EXPONENT_ENOUGH 100000 /* with 512 digits of any kind this is as good as any larger exponent */

static const double pow10_double[POW10_EXACT + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
    1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const uint32_t pow10_integer[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static char lower(char c) {
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/*
 * The digits at p, added to *m (modulo 2^64, where they are many); returned is what is behind them. With room (a constant) eight bytes can be
 * loaded without a look at the end; NULL when they no longer can. The text begins at begin.
 */
ALWAYS_INLINE const char *read_digits(const char *begin, const char *p, const char *end, bool room, uint64_t *m) {
	for (;;) {
		if (room && end - p < 8)
			return NULL;
		uint64_t word = gs_digits_load(begin, p, end);
		unsigned count = gs_digits_count(word);
		if (count < 8) {
			*m = *m * pow10_integer[count] + gs_digits_value_of(word, count);
			return p + count;
		}
		*m = *m * 100000000 + gs_digits_value(word ^ GS_DIGITS_ZEROS);
		p += 8;
	}
}

/* The exponent whose 'e' (or 'p') is at p; where no digit follows it is none, and p is returned. */
static inline const char *read_exponent(const char *p, const char *end, int *ret) {
	const char *at = p + 1;
	bool minus = at < end && *at == '-';
	int e = 0;
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	if (at >= end || !is_digit(*at))
		return p;
	for (; at < end && is_digit(*at); at++)
		e = e < EXPONENT_ENOUGH ? e * 10 + (*at - '0') : e;
	*ret = minus ? -e : e;
	return at;
}

/* The ${word} of small letters at p in any case: where it ends, else NULL. */
static const char *skip_word(const char *p, const char *end, const char *word) {
	for (; *word != '\0'; word++, p++) {
		if (p >= end || lower(*p) != *word)
			return NULL;
	}
	return p;
}

/* Inf, infinity and, without a sign, NaN at p; NULL if it is none of them. */
static __attribute__((noinline)) const char *scan_no_decimal(const char *p, const char *end, double *ret) {
	bool minus = p < end && *p == '-', plus = p < end && *p == '+';
	const char *start = p + (minus || plus);
	const char *inf = skip_word(start, end, "inf");
	if (inf != NULL) {
		const char *infinity = skip_word(inf, end, "inity");
		*ret = minus ? -INFINITY : INFINITY;
		return infinity != NULL ? infinity : inf;
	}
	const char *nan = minus || plus ? NULL : skip_word(start, end, "nan");
	if (nan != NULL)
		*ret = NAN;
	return nan;
}

/* Not one multiplication or division of exact doubles: the digits stand before digits_end, perhaps with a sign. */
static __attribute__((noinline)) const char *finish(
    const char *p, const char *digits_end, uint64_t m, int exponent, const char *after, double *ret) {
	bool minus = *p == '-';
	double v = gs_binary_of_decimal(m, exponent, p + (minus || *p == '+'), digits_end);
	*ret = minus ? -v : v;
	return after;
}

static const char *scan_to_end(const char *p, const char *end, double *ret);

/*
 * Where the digits and the power of ten are both exact in a double, one multiplication or division of them is correctly rounded (Clinger
 * 1990). Everything else is left to functions called at the very end, so that this one needs no stack.
 */
ALWAYS_INLINE const char *scan(const char *p, const char *end, bool room, double *ret) {
	const char *start = p;
	bool minus = false;
	uint64_t m = 0;
	int exponent = 0;
	/* A branch, as nothing behind it could begin before the first byte is known otherwise. */
	if (__builtin_expect((room || p < end) && (*p == '-' || *p == '+'), 0)) {
		minus = *p == '-';
		start++;
	}
	const char *at = read_digits(p, start, end, room, &m);
	if (room && at == NULL)
		return scan_to_end(p, end, ret);
	ptrdiff_t digits = at - start;
	const char *digits_end = at;
	if (at < end && *at == '.') {
		at = read_digits(p, at + 1, end, room, &m);
		if (room && at == NULL)
			return scan_to_end(p, end, ret);
		digits = at - start - 1;
		exponent = (int)(digits_end + 1 - at);
		digits_end = at;
	}
	if (digits == 0)
		return scan_no_decimal(p, end, ret);
	if (at < end && (*at | 0x20) == 'e') {
		int e = 0;
		at = read_exponent(at, end, &e);
		exponent += e;
	}
	if (at - p > GS_BINARY_TEXT_MAX)
		return NULL;
	if (digits > DIGITS_EXACT || m > EXACT_INTEGER || exponent > POW10_EXACT || exponent < -POW10_EXACT)
		return finish(p, digits_end, m, exponent, at, ret);
	double v = (double)(int64_t)m;
	v = exponent < 0 ? v / pow10_double[-exponent] : v * pow10_double[exponent];
	*ret = minus ? -v : v;
	return at;
}

/* For what stands so near to the end that eight bytes cannot be loaded. */
static __attribute__((noinline)) const char *scan_to_end(const char *p, const char *end, double *ret) {
	return p < end ? scan(p, end, false, ret) : NULL;
}

const char *gs_num_scan_double(const char *p, const char *end, double *ret) {
	if (end - p < ROOM)
		return scan_to_end(p, end, ret);
	/* No number is read much farther than it may go. */
	return scan(p, end - p > GS_BINARY_TEXT_MAX ? p + GS_BINARY_TEXT_MAX + 1 : end, true, ret);
}

static unsigned hex_digit(char c) {
	c = lower(c);
	if (is_digit(c))
		return (unsigned)(c - '0');
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* A hexadecimal float; as Go has it only with a binary exponent. */
static bool parse_hex(struct gs_str s, double *ret) {
	const char *p = s.p, *end = s.p + s.n;
	bool minus = p < end && *p == '-', any = false, point = false, more = false;
	uint64_t m = 0;
	int exponent = 0, shift = 0;
	p += minus || (p < end && *p == '+');
	if (end - p < 3 || p[0] != '0' || lower(p[1]) != 'x')
		return false;
	for (p += 2; p < end && (hex_digit(*p) < 16 || (*p == '.' && !point)); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		any = true;
		shift -= point ? 4 : 0;
		if (m >> 60 == 0) {
			m = m * 16 + hex_digit(*p);
		} else {
			shift += 4;
			more = more || *p != '0';
		}
	}
	if (!any || p == end || lower(*p) != 'p' || read_exponent(p, end, &exponent) != end)
		return false;
	double v = gs_binary_round(m, more, exponent + shift);
	*ret = minus ? -v : v;
	return true;
}

/* Up to four digits, as most values of metrics: here a plain loop costs less than words put together from what a slice has. */
static inline bool parse_short(struct gs_str s, double *ret) {
	unsigned m = 0;
	if (s.n - 1 > 3)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';
		if (digit > 9)
			return false;
		m = m * 10 + digit;
	}
	*ret = m;
	return true;
}

enum gs_status gs_num_parse_double(struct gs_str s, double *ret) {
	double v;
	if (parse_short(s, ret))
		return GS_OK;
	if (s.n == 0 || s.n > GS_BINARY_TEXT_MAX)
		return GS_EINVAL;
	if (__builtin_expect(scan(s.p, s.p + s.n, false, &v) != s.p + s.n, 0) && !parse_hex(s, &v))
		return GS_EINVAL;
	*ret = v;
	return GS_OK;
}
