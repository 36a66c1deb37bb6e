/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_SCAN_H
#define GRAVEL_LIB_EXPO_SCAN_H

/*
 * How the parser finds the end of names, values and words. Not for other modules. Blocks of bytes are faster for what is long or of
 * unpredictable length; label names are neither, and there the plain loop measured 15 % faster.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Classes of bytes in names, bits of gs_expo_class. */
#define GS_EXPO_LABEL 1
#define GS_EXPO_LABEL_FIRST 2
#define GS_EXPO_METRIC 4
#define GS_EXPO_METRIC_FIRST 8

extern const uint8_t gs_expo_class[256];

/*
 * A line [.., end) is followed by more of the body up to limit, so that a block may be read over the end of the line. What is found behind
 * the end counts as not found.
 */
struct gs_expo_bounds {
	const char *end;
	const char *limit;
};

static inline const char *gs_expo_skip_class(const char *p, const char *end, uint8_t class) {
	while (p < end && (gs_expo_class[(unsigned char)*p] & class) != 0)
		p++;
	return p;
}

static inline bool gs_expo_is_blank(char c) {
	return c == ' ' || c == '\t';
}

static inline const char *gs_expo_skip_blanks(const char *p, const char *end) {
	while (p < end && gs_expo_is_blank(*p))
		p++;
	return p;
}

#ifdef __SSE2__

#define GS_EXPO_BLOCK 16

static inline __m128i gs_expo_load(const char *p) {
	__m128i block;
	memcpy(&block, p, sizeof(block));
	return block;
}

/* 0xff in each byte of block that lies in [first, first + count). */
static inline __m128i gs_expo_in_range(__m128i block, char first, char count) {
	__m128i offset = _mm_sub_epi8(block, _mm_set1_epi8(first));
	return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8((char)(count - 1))), offset);
}

static inline __m128i gs_expo_equal(__m128i block, char c) {
	return _mm_cmpeq_epi8(block, _mm_set1_epi8(c));
}

/* A bit for each byte of the block at p that cannot stand in a metric name. */
static inline unsigned gs_expo_no_metric(const char *p) {
	__m128i block = gs_expo_load(p);
	__m128i letter = gs_expo_in_range(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 26);
	__m128i digit = gs_expo_in_range(block, '0', 11); /* ':' follows '9' */
	__m128i name = _mm_or_si128(_mm_or_si128(letter, digit), gs_expo_equal(block, '_'));
	return (unsigned)_mm_movemask_epi8(name) ^ 0xffff;
}

/* A bit for each byte of the block at p that is '"', '\\' or not ASCII. */
static inline unsigned gs_expo_no_plain(const char *p) {
	__m128i block = gs_expo_load(p);
	__m128i stop = _mm_or_si128(gs_expo_equal(block, '"'), gs_expo_equal(block, '\\'));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(stop, block));
}

/* A bit for each blank of the block at p. */
static inline unsigned gs_expo_blank(const char *p) {
	__m128i block = gs_expo_load(p);
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(gs_expo_equal(block, ' '), gs_expo_equal(block, '\t')));
}

/* Go over blocks to the first byte that mask has a bit for, or to where less than a block is left. */
static inline const char *gs_expo_skip_blocks(
    const char *p, const struct gs_expo_bounds *bounds, unsigned (*mask)(const char *p)) {
	while (p < bounds->end && bounds->limit - p >= GS_EXPO_BLOCK) {
		unsigned bits = mask(p);
		p += bits != 0 ? __builtin_ctz(bits) : GS_EXPO_BLOCK;
		if (bits != 0)
			break;
	}
	return p < bounds->end ? p : bounds->end;
}

#endif

/* The first byte from p on that cannot stand in a metric name. */
static inline const char *gs_expo_skip_metric(const char *p, const struct gs_expo_bounds *bounds) {
#ifdef __SSE2__
	p = gs_expo_skip_blocks(p, bounds, gs_expo_no_metric);
#endif
	return gs_expo_skip_class(p, bounds->end, GS_EXPO_METRIC);
}

/* The first byte from p on that is '"', '\\' or not ASCII. */
static inline const char *gs_expo_skip_plain(const char *p, const struct gs_expo_bounds *bounds) {
#ifdef __SSE2__
	p = gs_expo_skip_blocks(p, bounds, gs_expo_no_plain);
#endif
	while (p < bounds->end && *p != '"' && *p != '\\' && (unsigned char)*p < 0x80)
		p++;
	return p;
}

/* The first blank from p on. */
static inline const char *gs_expo_skip_word(const char *p, const struct gs_expo_bounds *bounds) {
#ifdef __SSE2__
	p = gs_expo_skip_blocks(p, bounds, gs_expo_blank);
#endif
	while (p < bounds->end && !gs_expo_is_blank(*p))
		p++;
	return p;
}

#endif
