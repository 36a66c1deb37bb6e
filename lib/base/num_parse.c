/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>

#include "binary.h"
#include "digits.h"
#include "gravel/base/num.h"

#define EXACT_INTEGER (UINT64_C(1) << 53)
#define POW10_EXACT 22 /* the largest power of ten that a double holds exactly */
#define DIGITS_EXACT 19 /* as many fit in 64 bits */
#define EXPONENT_ENOUGH 100000 /* with 512 digits of any kind this is as good as any larger exponent */

static const double pow10_double[POW10_EXACT + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
    1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const uint32_t pow10_integer[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

static char lower(char c) {
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/* What stands at p behind the digits, added to *m: modulo 2^64, where they are many. */
static inline const char *read_digits(const char *p, const char *end, uint64_t *m) {
	for (;;) {
		uint64_t word = gs_digits_load(p, end);
		unsigned count = gs_digits_count(word);
		if (count == 0)
			return p;
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

/* The text has so many digits that m may have overflowed: without the zeros in front, take the first 19. */
static void take_first_digits(struct gs_binary_decimal *d) {
	const char *p = d->digits;
	while (p < d->end && (*p == '0' || *p == '.'))
		p++;
	bool point = memchr(p, '.', (size_t)(d->end - p)) != NULL;
	int over = (int)(d->end - p) - point - DIGITS_EXACT;
	if (over <= 0)
		return;
	d->m = 0;
	d->exponent += over;
	for (int taken = 0; taken < DIGITS_EXACT; p++) {
		if (*p == '.')
			continue;
		d->m = d->m * 10 + (uint64_t)(*p - '0');
		taken++;
	}
	for (; p < d->end; p++)
		d->more = d->more || (*p != '0' && *p != '.');
}

/* For what is no single multiplication or division of exact doubles. */
static __attribute__((noinline)) double convert(struct gs_binary_decimal d) {
	if (d.end - d.digits > DIGITS_EXACT)
		take_first_digits(&d);
	return d.m == 0 ? 0 : gs_binary_of_decimal(&d);
}

/*
 * The decimal float without a sign at p; NULL if there is none. Where the digits and the power of ten are both exact in a double,
 * one multiplication or division of them is correctly rounded (Clinger 1990).
 */
static inline const char *scan_decimal(const char *p, const char *end, double *ret) {
	const char *start = p;
	uint64_t m = 0;
	int exponent = 0, places = 0;
	p = read_digits(p, end, &m);
	ptrdiff_t whole = p - start;
	const char *digits_end = p;
	if (p < end && *p == '.') {
		p = read_digits(p + 1, end, &m);
		places = (int)(p - digits_end) - 1;
		digits_end = p;
	}
	if (whole + places == 0)
		return NULL;
	if (p < end && lower(*p) == 'e')
		p = read_exponent(p, end, &exponent);
	if (p - start > GS_BINARY_TEXT_MAX)
		return NULL;
	exponent -= places;
	if (digits_end - start > DIGITS_EXACT || m > EXACT_INTEGER || exponent > POW10_EXACT || exponent < -POW10_EXACT)
		*ret = convert((struct gs_binary_decimal){
		    .m = m, .exponent = exponent, .digits = start, .end = digits_end, .last_exponent = exponent});
	else if (exponent < 0)
		*ret = (double)m / pow10_double[-exponent];
	else
		*ret = (double)m * pow10_double[exponent];
	return p;
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
static const char *scan_special(const char *p, const char *end, bool sign, double *ret) {
	const char *inf = skip_word(p, end, "inf");
	const char *nan = sign || inf != NULL ? NULL : skip_word(p, end, "nan");
	*ret = inf != NULL ? INFINITY : nan != NULL ? NAN : *ret;
	if (inf == NULL)
		return nan;
	const char *infinity = skip_word(inf, end, "inity");
	return infinity != NULL ? infinity : inf;
}

static inline const char *scan(const char *p, const char *end, double *ret) {
	bool minus = p < end && *p == '-';
	bool sign = minus || (p < end && *p == '+');
	double v = 0;
	const char *after = scan_decimal(p + sign, end, &v);
	if (__builtin_expect(after == NULL, 0))
		after = scan_special(p + sign, end, sign, &v);
	if (after == NULL || after - p > GS_BINARY_TEXT_MAX)
		return NULL;
	*ret = minus ? -v : v;
	return after;
}

const char *gs_num_scan_double(const char *p, const char *end, double *ret) {
	/* So that no number is read much farther than it may go. */
	return scan(p, end - p > GS_BINARY_TEXT_MAX ? p + GS_BINARY_TEXT_MAX + 1 : end, ret);
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

enum gs_status gs_num_parse_double(struct gs_str s, double *ret) {
	if (s.n == 0 || s.n > GS_BINARY_TEXT_MAX)
		return GS_EINVAL;
	double v;
	if (__builtin_expect(scan(s.p, s.p + s.n, &v) != s.p + s.n, 0) && !parse_hex(s, &v))
		return GS_EINVAL;
	*ret = v;
	return GS_OK;
}
