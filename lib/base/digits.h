/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BASE_DIGITS_H
#define GRAVEL_LIB_BASE_DIGITS_H

/*
 * Decimal digits, eight at a time in a word of 64 bits: the first character in the lowest byte, so that a word is loaded and stored as little endian.
 * For the number files of this module only. What a loop over bytes costs is the branch at its end, which nobody can
 * predict for numbers of changing length; here the length is computed.
 */

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define GS_DIGITS_ZEROS UINT64_C(0x3030303030303030) /* "00000000" */

/* The bytes [p, end), at most eight of them, the rest 0. Nothing outside [begin, end) is read, where p is in it. */
static inline uint64_t gs_digits_load(const char *begin, const char *p, const char *end) {
	size_t n = (size_t)(end - p);
	uint64_t word = 0;
	uint32_t head, tail;
	if (n >= 8) {
		memcpy(&word, p, 8);
		return le64toh(word);
	}
	if (end - begin >= 8) {
		memcpy(&word, end - 8, 8);
		return le64toh(word) >> (56 - 8 * n) >> 8;
	}
	if (n >= 4) {
		memcpy(&head, p, 4);
		memcpy(&tail, end - 4, 4);
		return (uint64_t)le32toh(head) | (uint64_t)le32toh(tail) << (8 * (n - 4));
	}
	if (n != 0) {
		word = (unsigned char)p[0];
		word |= (uint64_t)(unsigned char)p[n / 2] << (8 * (n / 2));
		word |= (uint64_t)(unsigned char)p[n - 1] << (8 * (n - 1));
	}
	return word;
}

static inline void gs_digits_store(char *out, uint64_t word) {
	word = htole64(word);
	memcpy(out, &word, sizeof(word));
}

/* How many digits a loaded word begins with. */
static inline unsigned gs_digits_count(uint64_t word) {
	uint64_t x = word ^ GS_DIGITS_ZEROS;
	/* A byte of 10 or more gets its highest bit; what one above 0x89 carries over only reaches the bytes behind it. */
	uint64_t other = ((x + UINT64_C(0x7676767676767676)) | x) & UINT64_C(0x8080808080808080);
	return other == 0 ? 8 : (unsigned)__builtin_ctzll(other) / 8;
}

/* The value of eight bytes of 0 to 9: neighbours are joined to 2, then 4, then 8 digits. */
static inline uint64_t gs_digits_value(uint64_t x) {
	x = (x * 10 + (x >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x * 100 + (x >> 16)) & UINT64_C(0x0000ffff0000ffff);
	return (uint32_t)(x * 10000 + (x >> 32));
}

/* The value of the first count (0 to 7) bytes of a loaded word, all of them digits. */
static inline uint64_t gs_digits_value_of(uint64_t word, unsigned count) {
	return gs_digits_value((word ^ GS_DIGITS_ZEROS) << (56 - 8 * count) << 8);
}

/*
 * The way back: v < 10^8 as eight bytes of 0 to 9, halved in each step: the upper half of the digits, got by a multiplication that is an exact
 * division in this range, stays, and the rest, which is x - upper * 10^n, goes above it.
 */
static inline uint64_t gs_digits_of(uint64_t v) {
	uint64_t upper = v * 109951163 >> 40; /* / 10000 */
	uint64_t x = (v << 32) - upper * ((UINT64_C(10000) << 32) - 1);
	upper = (x * 5243 >> 19) & UINT64_C(0x0000007f0000007f); /* / 100 */
	x = (x << 16) - upper * ((UINT64_C(100) << 16) - 1);
	upper = (x * 103 >> 10) & UINT64_C(0x000f000f000f000f); /* / 10 */
	return (x << 8) - upper * ((UINT64_C(10) << 8) - 1);
}

/* Write v without leading zeros and return how many digits it has; up to 8, 16 or 20 bytes may be overwritten. */
static inline size_t gs_digits_put(char *out, uint64_t v) {
	uint64_t low = 0, middle = 0, first = v;
	if (v >= 100000000) {
		low = gs_digits_of(v % 100000000) | GS_DIGITS_ZEROS;
		first = v / 100000000;
		if (first >= 100000000) {
			middle = gs_digits_of(first % 100000000) | GS_DIGITS_ZEROS;
			first /= 100000000;
		}
	}
	uint64_t word = gs_digits_of(first);
	unsigned zeros = (unsigned)__builtin_ctzll(word | UINT64_C(1) << 56) / 8;
	size_t n = 8 - zeros;
	gs_digits_store(out, (word | GS_DIGITS_ZEROS) >> (8 * zeros));
	if (middle != 0) {
		gs_digits_store(out + n, middle);
		n += 8;
	}
	if (low != 0) {
		gs_digits_store(out + n, low);
		n += 8;
	}
	return n;
}

#endif
