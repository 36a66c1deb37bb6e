/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_NUMBER_H
#define GRAVEL_LIB_EXPO_NUMBER_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "gravel/base/num.h"

#define GS_EXPO_EACH(c) (UINT64_C(0x0101010101010101) * (uint64_t)(c)) /* in each byte of a word */

/* The eight bytes at p, the first of them lowest. */
static inline uint64_t gs_expo_load_word(const char *p) {
	uint64_t word;
	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/** gs_expo_is_decimal(text): Whether ${text}, not empty, has not the form of a hexadecimal float: those are Go's, but neither of Prometheus, which keeps to
 * Go before 1.13, nor of OpenMetrics. */
static inline bool gs_expo_is_decimal(struct gs_str text) {
	size_t sign = text.p[0] == '-' || text.p[0] == '+';
	return text.n <= sign + 1 || (text.p[sign + 1] | 0x20) != 'x';
}

/** gs_expo_parse_number(text, ret): Read the number ${text}, not empty. False if it is none, and for what is infinite, in words or out of range. */
static inline bool gs_expo_parse_number(struct gs_str text, double *ret) {
	return gs_expo_is_decimal(text) && gs_num_parse_double(text, ret) == GS_OK && !isinf(*ret);
}

/* The number of eight digits, each in its byte as 0 to 9; false if one is not. Neighbours are joined to two, four and eight digits. */
static inline bool gs_expo_join_digits(uint64_t digits, uint64_t *ret) {
	if (((digits | (digits + GS_EXPO_EACH(0x80 - 10))) & GS_EXPO_EACH(0x80)) != 0)
		return false;
	uint64_t twos = digits * 10 + (digits >> 8);
	uint64_t low = (twos & UINT64_C(0x000000ff000000ff)) * (100 + (UINT64_C(1000000) << 32));
	uint64_t high = ((twos >> 16) & UINT64_C(0x000000ff000000ff)) * (1 + (UINT64_C(10000) << 32));
	*ret = (low + high) >> 32;
	return true;
}

/* Take the point out of the digits ending in ${last}, if there is one: it goes, what stands before it moves up. Sets how many digits follow it. */
static inline bool gs_expo_drop_point(uint64_t *last, uint64_t carry, unsigned *ret_behind) {
	uint64_t other = *last ^ GS_EXPO_EACH('.' ^ '0');
	uint64_t point = (other - GS_EXPO_EACH(1)) & ~other & GS_EXPO_EACH(0x80);
	if (point == 0)
		return false;
	unsigned at = (unsigned)__builtin_ctzll(point) - 7;
	uint64_t before = *last & ((UINT64_C(1) << at) - 1), behind = *last & ~((UINT64_C(2) << (at + 7)) - 1);
	*last = before << 8 | behind | carry;
	*ret_behind = (56 - at) / 8;
	return true;
}

/** gs_expo_parse_short(text, ret): The same for a text of at most 16 bytes, of which at least eight can be read, if it is digits and at most one
 * point. A mantissa below 2^53 and a power of ten that are both exact give an exactly rounded quotient. */
static inline bool gs_expo_parse_short(struct gs_str text, double *ret) {
	static const double powers[] = {
	    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	/* The last eight digits, and those before them; the last of each stands highest, with zeros before the first. */
	uint64_t last = gs_expo_load_word(text.p) ^ GS_EXPO_EACH('0'), first = 0, number, rest = 0;
	unsigned behind = 0;
	if (text.n <= 8) {
		last <<= 64 - 8 * (unsigned)text.n;
	} else {
		first = last << (128 - 8 * (unsigned)text.n);
		last = gs_expo_load_word(text.p + text.n - 8) ^ GS_EXPO_EACH('0');
	}
	bool point = gs_expo_drop_point(&last, first >> 56, &behind);
	if (point) {
		first <<= 8;
	} else if (text.n > 8) {
		point = gs_expo_drop_point(&first, 0, &behind);
		behind += point ? 8 : 0;
	}
	if (!gs_expo_join_digits(last, &number) || (text.n > 8 && !gs_expo_join_digits(first, &rest)) ||
	    text.n == (size_t)point)
		return false;
	number += rest * 100000000;
	*ret = point ? (double)number / powers[behind] : (double)number;
	return true;
}

#endif
