/* SPDX-License-Identifier: Apache-2.0 */
#include "decimal.h"
#include "digits.h"
#include "gravel/base/num.h"

#define EXACT_INTEGER 9007199254740992.0 /* 2^53 */
#define INFINITE (UINT64_C(2047) << 52)

/* Seventeen digits as characters: the first, and the rest in two words. */
struct characters {
	uint64_t high;
	uint64_t low;
	int n; /* without zeros at the end, but at least 1 */
	char first;
};

static inline struct characters characters_of(uint64_t digits) {
	uint64_t top = digits / 100000000; /* 9 digits */
	uint64_t high = gs_digits_of(top % 100000000), low = gs_digits_of(digits % 100000000);
	uint64_t last = low != 0 ? low : high;
	int n = (low != 0 ? 17 : 9) - __builtin_clzll(last | 1) / 8;
	return (struct characters){
	    .high = high | GS_DIGITS_ZEROS,
	    .low = low | GS_DIGITS_ZEROS,
	    .n = last == 0 ? 1 : n,
	    .first = (char)('0' + top / 100000000),
	};
}

/* d.ddde+dd; out has room for the digits, the point and 8 bytes for the exponent. */
static inline size_t put_exponential(char *out, const struct characters *c, int exponent) {
	uint64_t abs = (uint64_t)(exponent < 0 ? -exponent : exponent);
	uint64_t word = gs_digits_of(abs) | GS_DIGITS_ZEROS;
	int n = c->n == 1 ? 1 : c->n + 1;
	out[0] = c->first;
	out[1] = '.';
	gs_digits_store(out + 2, c->high);
	gs_digits_store(out + 10, c->low);
	word = (word >> (abs < 100 ? 48 : 40)) << 16;
	gs_digits_store(out + n, word | (uint64_t)(exponent < 0 ? '-' : '+') << 8 | 'e');
	return (size_t)n + (abs < 100 ? 4 : 5);
}

/* 0.000ddd: the exponent is -4 to -1. */
static inline size_t put_fraction(char *out, const struct characters *c, int exponent) {
	char *p = out + 1 - exponent;
	gs_digits_store(out, (GS_DIGITS_ZEROS & ~UINT64_C(0xff00)) | (uint64_t)'.' << 8);
	p[0] = c->first;
	gs_digits_store(p + 1, c->high);
	gs_digits_store(p + 9, c->low);
	return (size_t)(1 - exponent + c->n);
}

/* ddd.ddd: the exponent is 0 to 5, and there is always something behind the point: integers do not come here. */
static inline size_t put_plain(char *out, const struct characters *c, int exponent) {
	int bits = 8 * exponent;
	out[0] = c->first;
	gs_digits_store(out + 1, c->high);
	out[exponent + 1] = '.';
	gs_digits_store(out + exponent + 2, c->high >> bits | (c->low << (56 - bits) << 8));
	gs_digits_store(out + exponent + 10, c->low >> bits);
	return (size_t)c->n + 1;
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
	if (exponent < -4 || exponent >= 6)
		return sign + put_exponential(out, &c, exponent);
	return sign + (exponent < 0 ? put_fraction(out, &c, exponent) : put_plain(out, &c, exponent));
}
