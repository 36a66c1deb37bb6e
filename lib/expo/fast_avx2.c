/* SPDX-License-Identifier: Apache-2.0 */
/* The fast reader with 32 bytes, where the processor has AVX2. */
#include "fast.h"

#ifdef __x86_64__

#include <immintrin.h>

#include "scan.h"

#define BLOCK 32
#define FAST __attribute__((target("avx2,bmi")))
#define FAST_READ gs_expo_fast_avx2

static inline FAST __m256i load(const char *p) {
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline FAST __m256i equal(__m256i block, char c) {
	return _mm256_cmpeq_epi8(block, _mm256_set1_epi8(c));
}

/* BLOCK if no byte is set. */
static inline FAST unsigned first(__m256i stops) {
	return _tzcnt_u32((unsigned)_mm256_movemask_epi8(stops));
}

static inline FAST unsigned stop_value(const char *p) {
	__m256i block = load(p);
	__m256i stops = _mm256_or_si256(equal(block, '"'), equal(block, '\\'));
	return first(_mm256_or_si256(stops, _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), block)));
}

/* 0xff in each byte of block that lies in [start, start + count). */
static inline FAST __m256i in_range(__m256i block, char start, char count) {
	__m256i offset = _mm256_sub_epi8(block, _mm256_set1_epi8(start));
	return _mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8((char)(count - 1))), offset);
}

/* The first byte that is no letter, no '_' and none of the count that begin with '0'. */
static inline FAST unsigned stop_name_of(const char *p, char count) {
	__m256i block = load(p);
	__m256i letter = in_range(_mm256_or_si256(block, _mm256_set1_epi8(0x20)), 'a', 26);
	__m256i name = _mm256_or_si256(_mm256_or_si256(letter, in_range(block, '0', count)), equal(block, '_'));
	return _tzcnt_u32(~(unsigned)_mm256_movemask_epi8(name));
}

static inline FAST unsigned stop_name(const char *p) {
	return stop_name_of(p, 11); /* ':' follows '9' */
}

static inline FAST unsigned stop_label(const char *p) {
	return stop_name_of(p, 10);
}

static inline FAST unsigned stop_word(const char *p) {
	return first(_mm256_cmpgt_epi8(_mm256_set1_epi8(' ' + 1), load(p)));
}

static inline FAST unsigned stop_equal(const char *p, const char *q) {
	return _tzcnt_u32(~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(p), load(q))));
}

#include "fast_read.h"

#endif
