/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/num.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "decimal.h"

#define EXACT_INTEGER 9007199254740992.0 /* 2^53 */
#define POW10_EXACT 22 /* the largest power of ten that a double holds exactly */
#define NUMBER_TEXT_MAX 512 /* longer texts of a number are refused */

static const double pow10_table[POW10_EXACT + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
    1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void) {
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static char lower(char c) {
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool eq_nocase(struct gs_str s, const char *word) {
	size_t i = 0;
	while (i < s.n && word[i] != '\0' && lower(s.p[i]) == word[i])
		i++;
	return i == s.n && word[i] == '\0';
}

static bool parse_special(struct gs_str s, double *ret) {
	bool negative = s.n != 0 && s.p[0] == '-';
	bool sign = negative || (s.n != 0 && s.p[0] == '+');
	struct gs_str word = sign ? gs_str_make(s.p + 1, s.n - 1) : s;
	if (eq_nocase(word, "inf") || eq_nocase(word, "infinity"))
		*ret = negative ? -INFINITY : INFINITY;
	else if (!sign && eq_nocase(word, "nan"))
		*ret = NAN;
	else
		return false;
	return true;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/*
 * Decimal floats whose digits and power of ten are both exact in a double: one multiplication or division is then
 * correctly rounded (Clinger 1990). Sets *form when the text has the form of a decimal float, whether it was
 * exact or not.
 */
static bool parse_exact(struct gs_str s, double *ret, bool *form) {
	const char *p = s.p, *end = s.p + s.n;
	uint64_t m = 0;
	int digits = 0, exp10 = 0;
	bool any = false, inexact = false;
	bool negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (bool point = false; p < end && (is_digit(*p) || (*p == '.' && !point)); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		any = true;
		if (digits < 18) {
			m = m * 10 + (uint64_t)(*p - '0');
			digits += m != 0;
			exp10 -= point;
		} else {
			inexact = true;
		}
	}
	if (any && p < end && lower(*p) == 'e') {
		const char *at = p + 1;
		bool minus = at < end && *at == '-';
		int e = 0;
		if (at < end && (*at == '-' || *at == '+'))
			at++;
		any = at < end && is_digit(*at);
		for (; at < end && is_digit(*at); at++)
			e = e < 100000 ? e * 10 + (*at - '0') : e;
		exp10 += minus ? -e : e;
		p = at;
	}
	*form = any && p == end;
	if (!*form || inexact || m > (uint64_t)EXACT_INTEGER || exp10 < -POW10_EXACT || exp10 > POW10_EXACT)
		return false;
	double v = exp10 < 0 ? (double)m / pow10_table[-exp10] : (double)m * pow10_table[exp10];
	*ret = negative ? -v : v;
	return true;
}

/* Go takes hexadecimal floats only with a binary exponent; so strtod is asked only for texts of that form. */
static bool is_hex_float(struct gs_str s) {
	size_t i = s.n != 0 && (s.p[0] == '-' || s.p[0] == '+');
	bool digit = false, point = false;
	if (s.n < i + 3 || s.p[i] != '0' || lower(s.p[i + 1]) != 'x')
		return false;
	for (i += 2; i < s.n; i++) {
		char c = lower(s.p[i]);
		if (c == '.' && !point)
			point = true;
		else if (is_digit(c) || (c >= 'a' && c <= 'f'))
			digit = true;
		else
			break;
	}
	if (!digit || i >= s.n || lower(s.p[i]) != 'p')
		return false;
	i++;
	i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
	if (i >= s.n)
		return false;
	while (i < s.n && is_digit(s.p[i]))
		i++;
	return i == s.n;
}

enum gs_status gs_num_parse_double(struct gs_str s, double *ret) {
	bool form = false;
	if (s.n == 0 || s.n > NUMBER_TEXT_MAX)
		return GS_EINVAL;
	if (parse_exact(s, ret, &form))
		return GS_OK;
	if (!form && parse_special(s, ret))
		return GS_OK;
	if (!form && !is_hex_float(s))
		return GS_EINVAL;
	char text[NUMBER_TEXT_MAX + 1];
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	pthread_once(&c_locale_once, make_c_locale);
	*ret = strtod_l(text, NULL, c_locale);
	return GS_OK;
}

enum gs_status gs_num_parse_u64(struct gs_str s, uint64_t *ret) {
	uint64_t v = 0;
	if (s.n == 0)
		return GS_EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return GS_EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return GS_ELIMIT;
	}
	*ret = v;
	return GS_OK;
}

enum gs_status gs_num_parse_i64(struct gs_str s, int64_t *ret) {
	bool negative = s.n != 0 && s.p[0] == '-';
	uint64_t v = 0;
	if (s.n != 0 && (s.p[0] == '-' || s.p[0] == '+'))
		s = gs_str_make(s.p + 1, s.n - 1);
	enum gs_status status = gs_num_parse_u64(s, &v);
	if (status != GS_OK)
		return status;
	if (v > (uint64_t)INT64_MAX + negative)
		return GS_ELIMIT;
	*ret = negative ? (int64_t)-v : (int64_t)v;
	return GS_OK;
}

size_t gs_num_print_u64(char *out, uint64_t v) {
	char text[20];
	size_t n = 0;
	do {
		text[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	for (size_t i = 0; i < n; i++)
		out[i] = text[n - 1 - i];
	return n;
}

/*
 * Lay out significant digits d[0..n) with the decimal point after the first and exponent e, as Go's 'g' format does:
 * an exponent below -4 or above 5 is written as such.
 */
static size_t lay_out(char *out, const char *d, size_t n, int e) {
	char *p = out;
	if (e < -4 || e >= 6) {
		*p++ = *d;
		if (n > 1) {
			*p++ = '.';
			memcpy(p, d + 1, n - 1);
			p += n - 1;
		}
		*p++ = 'e';
		*p++ = e < 0 ? '-' : '+';
		unsigned abs = (unsigned)(e < 0 ? -e : e);
		if (abs < 10)
			*p++ = '0';
		return (size_t)(p - out) + gs_num_print_u64(p, abs);
	}
	if (e < 0) {
		*p++ = '0';
		*p++ = '.';
		for (int i = -1; i > e; i--)
			*p++ = '0';
		memcpy(p, d, n);
		return (size_t)(p - out) + n;
	}
	size_t whole = (size_t)e + 1;
	for (size_t i = 0; i < whole; i++)
		*p++ = i < n ? d[i] : '0';
	if (n > whole) {
		*p++ = '.';
		memcpy(p, d + whole, n - whole);
		p += n - whole;
	}
	return (size_t)(p - out);
}

size_t gs_num_print_double(char *out, double v) {
	if (isnan(v)) {
		memcpy(out, "NaN", 3);
		return 3;
	}
	if (isinf(v)) {
		memcpy(out, v > 0 ? "+Inf" : "-Inf", 4);
		return 4;
	}
	size_t sign = 0;
	if (signbit(v)) {
		*out++ = '-';
		sign = 1;
		v = -v;
	}
	if (v <= EXACT_INTEGER && v == (double)(uint64_t)v)
		return sign + gs_num_print_u64(out, (uint64_t)v);
	struct gs_decimal decimal = gs_decimal_shortest(v);
	char digits[20];
	size_t n = gs_num_print_u64(digits, decimal.digits);
	return sign + lay_out(out, digits, n, decimal.exponent + (int)n - 1);
}
