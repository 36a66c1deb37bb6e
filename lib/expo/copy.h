/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_COPY_H
#define GRAVEL_LIB_EXPO_COPY_H

/*
 * Copying of slices whose length is mostly short and never known, and looking on the way whether they hold something that must be
 * escaped. Nothing is read or written beyond the slice: its last block overlaps the one before. What was seen is only collected, so that a
 * line has one branch on it, at its end. Not for other modules.
 */

#include "gravel/base/str.h"
#include "scan.h"

#if defined(__SSE2__) && !defined(GS_EXPO_PLAIN)
#define GS_COPY_SSE2
#endif

/* What was seen; all zero at first but for reserved. */
struct gs_odd {
	char reserved; /* a first letter that makes a name odd; a digit: none does that is not odd anyway */
#ifdef GS_COPY_SSE2
	__m128i bytes; /* not 0 where a byte was odd */
#endif
	unsigned any;
};

/* Fixed sizes, so that the compiler makes each a load and a store. */
#define GS_COPY_FIXED(at, p, n) memcpy((at), (p), (n))

static inline char *gs_copy(char *at, struct gs_str s) {
	const char *p = s.p;
	size_t n = s.n;
	if (n >= 16) {
		size_t i = 0;
		for (; i + 16 <= n; i += 16)
			GS_COPY_FIXED(at + i, p + i, 16);
		GS_COPY_FIXED(at + n - 16, p + n - 16, 16);
	} else if (n >= 8) {
		GS_COPY_FIXED(at, p, 8);
		GS_COPY_FIXED(at + n - 8, p + n - 8, 8);
	} else if (n >= 4) {
		GS_COPY_FIXED(at, p, 4);
		GS_COPY_FIXED(at + n - 4, p + n - 4, 4);
	} else if (n != 0) {
		at[0] = p[0];
		at[n / 2] = p[n / 2];
		at[n - 1] = p[n - 1];
	}
	return at + n;
}

#ifdef GS_COPY_SSE2

/* 0xff for each byte of a label value that must be escaped. */
static inline __m128i gs_odd_value(__m128i block) {
	__m128i quote = gs_expo_equal(block, '"'), slash = gs_expo_equal(block, '\\');
	return _mm_or_si128(_mm_or_si128(quote, slash), gs_expo_equal(block, '\n'));
}

/* 0xff in each byte of block that lies in [first, first + count): an instruction less than gs_expo_in_range. */
static inline __m128i gs_in_range(__m128i block, unsigned char first, unsigned char count) {
	__m128i offset = _mm_add_epi8(block, _mm_set1_epi8((char)(0x80 - first)));
	return _mm_cmplt_epi8(offset, _mm_set1_epi8((char)(0x80 + count)));
}

/* Not 0 for each byte that no classic label name has. */
static inline __m128i gs_odd_name(__m128i block) {
	__m128i letter = gs_in_range(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 26);
	__m128i digit = gs_in_range(block, '0', 10);
	__m128i fine = _mm_or_si128(_mm_or_si128(letter, digit), gs_expo_equal(block, '_'));
	return _mm_andnot_si128(fine, _mm_set1_epi8((char)0xff));
}

/* The bytes of a slice shorter than a block, some of them more than once: all 16 bytes are of the slice. */
static inline __m128i gs_copy_short(char *at, const char *p, size_t n) {
	if (n >= 8) {
		uint64_t low, high;
		memcpy(&low, p, 8);
		memcpy(&high, p + n - 8, 8);
		memcpy(at, &low, 8);
		memcpy(at + n - 8, &high, 8);
		return _mm_set_epi64x((long long)high, (long long)low);
	}
	uint32_t word;
	if (n >= 4) {
		uint32_t high;
		memcpy(&word, p, 4);
		memcpy(&high, p + n - 4, 4);
		memcpy(at, &word, 4);
		memcpy(at + n - 4, &high, 4);
		return _mm_set1_epi64x((long long)((uint64_t)high << 32 | word));
	}
	unsigned char first = (unsigned char)p[0], middle = (unsigned char)p[n / 2], last = (unsigned char)p[n - 1];
	at[0] = (char)first;
	at[n / 2] = (char)middle;
	at[n - 1] = (char)last;
	word = (uint32_t)first << 24 | (uint32_t)first << 16 | (uint32_t)middle << 8 | last;
	return _mm_set1_epi32((int)word);
}

static inline __attribute__((always_inline)) char *gs_copy_looking(
    char *at, struct gs_str s, struct gs_odd *odd, __m128i (*look)(__m128i block)) {
	const char *p = s.p;
	size_t n = s.n;
	if (n < 16) {
		if (n != 0)
			odd->bytes = _mm_or_si128(odd->bytes, look(gs_copy_short(at, p, n)));
		return at + n;
	}
	for (size_t i = 0;; i += 16) {
		if (i + 16 > n)
			i = n - 16;
		__m128i block = gs_expo_load(p + i);
		memcpy(at + i, &block, 16);
		odd->bytes = _mm_or_si128(odd->bytes, look(block));
		if (i + 16 == n)
			return at + n;
	}
}

static inline char *gs_copy_value(char *at, struct gs_str s, struct gs_odd *odd) {
	return gs_copy_looking(at, s, odd, gs_odd_value);
}

/* A name, which is not empty, of a label. */
static inline char *gs_copy_name(char *at, struct gs_str s, struct gs_odd *odd) {
	char first = s.p[0];
	odd->any |= ((unsigned)((unsigned char)first - '0') < 10) | (first == odd->reserved);
	return gs_copy_looking(at, s, odd, gs_odd_name);
}

static inline bool gs_is_odd(const struct gs_odd *odd) {
	return odd->any != 0 || _mm_movemask_epi8(_mm_cmpeq_epi8(odd->bytes, _mm_setzero_si128())) != 0xffff;
}

/* A bit for each byte of the block at p that must be escaped in a label value, copied to at. */
#define GS_COPY_BLOCK 16
static inline unsigned gs_copy_block(char *at, const char *p) {
	__m128i block = gs_expo_load(p);
	memcpy(at, &block, GS_COPY_BLOCK);
	return (unsigned)_mm_movemask_epi8(gs_odd_value(block));
}

#else

static inline bool gs_must_escape(char c) {
	return c == '"' || c == '\\' || c == '\n';
}

static inline char *gs_copy_value(char *at, struct gs_str s, struct gs_odd *odd) {
	for (size_t i = 0; i < s.n; i++)
		odd->any |= gs_must_escape(s.p[i]);
	return gs_copy(at, s);
}

static inline char *gs_copy_name(char *at, struct gs_str s, struct gs_odd *odd) {
	odd->any |= (gs_expo_class[(unsigned char)s.p[0]] & GS_EXPO_LABEL_FIRST) == 0 || s.p[0] == odd->reserved;
	for (size_t i = 0; i < s.n; i++)
		odd->any |= (gs_expo_class[(unsigned char)s.p[i]] & GS_EXPO_LABEL) == 0;
	return gs_copy(at, s);
}

static inline bool gs_is_odd(const struct gs_odd *odd) {
	return odd->any != 0;
}

#define GS_COPY_BLOCK 1
static inline unsigned gs_copy_block(char *at, const char *p) {
	*at = *p;
	return gs_must_escape(*p);
}

#endif

#endif
