/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "decimal.h"
#include "digits.h"
#include "gravel/base/num.h"

#define EXACT_INTEGER 9007199254740992.0 /* 2^53 */
#define INFINITE (UINT64_C(2047) << 52)

/* Seventeen digits as characters: the first, and the rest in two words. */
struct characters {
	uint64_t high;
	uint64_t low;
	unsigned n; /* without zeros at the end, but at least 1 */
	char first;
};

static inline struct characters characters_of(uint64_t digits) {
	uint64_t first = digits / 10000000000000000, top = digits / 100000000;
	uint64_t high = gs_digits_of(top - first * 100000000), low = gs_digits_of(digits - top * 100000000);
	unsigned high_zeros = (unsigned)__builtin_clzll(high | 1) / 8,
		 low_zeros = (unsigned)__builtin_clzll(low | 1) / 8;
	return (struct characters){
	    .high = high | GS_DIGITS_ZEROS,
	    .low = low | GS_DIGITS_ZEROS,
	    .n = low != 0    ? 17 - low_zeros
		 : high != 0 ? 9 - high_zeros
			     : 1,
	    .first = (char)('0' + first),
	};
}

/* 0.000ddd: the exponent is -4 to -1. */
static inline size_t put_fraction(char *out, const struct characters *c, int exponent) {
	char *p = out + 1 - exponent;
	gs_digits_store(out, (GS_DIGITS_ZEROS & ~UINT64_C(0xff00)) | (uint64_t)'.' << 8);
	p[0] = c->first;
	gs_digits_store(p + 1, c->high);
	gs_digits_store(p + 9, c->low);
	return (size_t)(1 - exponent) + c->n;
}

/* e+dd or e-ddd as a word, and how long it is: 4 or 5. */
static inline uint64_t exponent_word(int exponent, size_t *ret_n) {
	unsigned abs = (unsigned)(exponent < 0 ? -exponent : exponent);
	unsigned hundreds = abs * 41 >> 12, rest = abs - 100 * hundreds, tens = rest * 103 >> 10; /* below 400 */
	uint64_t digits = ((uint64_t)(rest - 10 * tens) << 16 | tens << 8 | hundreds) + 0x303030;
	*ret_n = hundreds == 0 ? 4 : 5;
	return (hundreds == 0 ? digits >> 8 : digits) << 16 | (uint64_t)(exponent < 0 ? '-' : '+') << 8 | 'e';
}

/*
 * d.ddde+dd, and ddd.ddd for exponents from 0 to 5: integers do not come here, so there always is something behind the point. Which of the
 * two it is cannot be predicted, so both are written in the same way.
 */
static inline size_t put_point(char *out, const struct characters *c, int exponent) {
	unsigned plain = (unsigned)exponent < 6;
	unsigned point = (unsigned)exponent & -plain;
	unsigned bits = 8 * point;
	size_t n = c->n + (c->n != 1), suffix;
	uint64_t word = exponent_word(exponent, &suffix);
	out[0] = c->first;
	gs_digits_store(out + 1, c->high);
	out[point + 1] = '.';
	gs_digits_store(out + point + 2, c->high >> bits | (c->low << (56 - bits) << 8));
	gs_digits_store(out + point + 10, c->low >> bits);
	gs_digits_store(out + n, word);
	return n + (suffix & ((size_t)plain - 1));
}

static size_t put_special(char *out, uint64_t bits) {
	if (bits << 12 != 0) {
		memcpy(out, "NaN", 3);
		return 3;
	}
	memcpy(out, bits >> 63 == 0 ? "+Inf" : "-Inf", 4);
	return 4;
}

size_t gs_num_print_double(char *out, double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	if ((bits & INFINITE) == INFINITE)
		return put_special(out, bits);
	size_t sign = bits >> 63;
	*out = '-';
	out += sign;
	v = sign != 0 ? -v : v;
	if (v <= EXACT_INTEGER && (double)(int64_t)v == v)
		return sign + gs_digits_put(out, (uint64_t)(int64_t)v);
	struct gs_decimal decimal = gs_decimal_shortest(v);
	struct characters c = characters_of(decimal.digits);
	int exponent = decimal.exponent + 16;
	if (exponent < 0 && exponent >= -4)
		return sign + put_fraction(out, &c, exponent);
	return sign + put_point(out, &c, exponent);
}

size_t gs_num_print_go(char *out, double v) {
	size_t n = gs_num_print_double(out, v), sign = v < 0, digits = n - sign;
	if (fabs(v) < 1e6 || !isfinite(v) || memchr(out, 'e', n) != NULL || memchr(out, '.', n) != NULL)
		return n;
	char *first = out + sign;
	size_t exponent = digits - 1;
	while (first[digits - 1] == '0')
		digits--;
	if (digits > 1) {
		memmove(first + 2, first + 1, digits - 1);
		first[1] = '.';
		digits++;
	}
	memcpy(first + digits, "e+", 2);
	first[digits + 2] = (char)('0' + exponent / 10);
	first[digits + 3] = (char)('0' + exponent % 10);
	return sign + digits + 4;
}
