/* SPDX-License-Identifier: Apache-2.0 */
/* The fast reader with the 16 bytes that every x86-64 has. */
#include "fast.h"

#ifdef __x86_64__

#include <emmintrin.h>

#include "scan.h"

#define BLOCK 16
#define FAST
#define FAST_READ gs_expo_fast_sse2

static inline unsigned first(__m128i stops) {
	return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(stops) | 1U << BLOCK);
}

static inline unsigned stop_value(const char *p) {
	__m128i block = gs_expo_load(p);
	__m128i stops = _mm_or_si128(gs_expo_equal(block, '"'), gs_expo_equal(block, '\\'));
	return first(_mm_or_si128(stops, _mm_cmplt_epi8(block, _mm_set1_epi8(' '))));
}

static inline unsigned stop_name(const char *p) {
	return (unsigned)__builtin_ctz(gs_expo_no_metric(p) | 1U << BLOCK);
}

static inline unsigned stop_label(const char *p) {
	unsigned colons = (unsigned)_mm_movemask_epi8(gs_expo_equal(gs_expo_load(p), ':'));
	return (unsigned)__builtin_ctz(gs_expo_no_metric(p) | colons | 1U << BLOCK);
}

static inline unsigned stop_word(const char *p) {
	return first(_mm_cmplt_epi8(gs_expo_load(p), _mm_set1_epi8(' ' + 1)));
}

static inline unsigned stop_equal(const char *p, const char *q) {
	unsigned equal = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(gs_expo_load(p), gs_expo_load(q)));
	return (unsigned)__builtin_ctz(~equal);
}

#include "fast_read.h"

#endif
