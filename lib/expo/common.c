/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define GS_X86 1
#else
#define GS_X86 0
#endif

static inline uint64_t load_word(const char *p) {
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return word;
}

/* Bytes before the first one that is not zero in the memory of ${word}, which is not 0. */
static inline size_t zeros_before(uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return (size_t)__builtin_clzll(word) / 8;
#else
	return (size_t)__builtin_ctzll(word) / 8;
#endif
}

static size_t common_plain(const char *a, const char *b, size_t n) {
	size_t i = 0;
	for (; n - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
		uint64_t other = load_word(a + i) ^ load_word(b + i);
		if (other != 0)
			return i + zeros_before(other);
	}
	while (i < n && a[i] == b[i])
		i++;
	return i;
}

#if GS_X86

static inline unsigned unlike16(const char *a, const char *b) {
	__m128i x = _mm_loadu_si128((const void *)a), y = _mm_loadu_si128((const void *)b);
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) ^ 0xffff;
}

static size_t common_sse2(const char *a, const char *b, size_t n) {
	size_t i = 0;
	for (; n - i >= 16; i += 16) {
		unsigned bits = unlike16(a + i, b + i);
		if (bits != 0)
			return i + (size_t)__builtin_ctz(bits);
	}
	return i + common_plain(a + i, b + i, n - i);
}

__attribute__((target("avx2"))) static inline __m256i unlike32(const char *a, const char *b) {
	return _mm256_xor_si256(_mm256_loadu_si256((const void *)a), _mm256_loadu_si256((const void *)b));
}

__attribute__((target("avx2"))) static inline unsigned bits32(__m256i unlike) {
	return ~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(unlike, _mm256_setzero_si256()));
}

/* Four blocks at a time, in variables of their own: an array goes through memory. */
__attribute__((target("avx2"))) static size_t common_avx2(const char *a, const char *b, size_t n) {
	size_t i = 0;
	for (; n - i >= 128; i += 128) {
		__m256i first = unlike32(a + i, b + i), second = unlike32(a + i + 32, b + i + 32);
		__m256i third = unlike32(a + i + 64, b + i + 64), fourth = unlike32(a + i + 96, b + i + 96);
		__m256i any = _mm256_or_si256(_mm256_or_si256(first, second), _mm256_or_si256(third, fourth));
		if (_mm256_testz_si256(any, any))
			continue;
		uint64_t low = bits32(first) | (uint64_t)bits32(second) << 32;
		uint64_t high = bits32(third) | (uint64_t)bits32(fourth) << 32;
		return i + (low != 0 ? (size_t)__builtin_ctzll(low) : 64 + (size_t)__builtin_ctzll(high));
	}
	for (; n - i >= 32; i += 32) {
		unsigned bits = bits32(unlike32(a + i, b + i));
		if (bits != 0)
			return i + (size_t)__builtin_ctz(bits);
	}
	return i + common_plain(a + i, b + i, n - i);
}

#endif

size_t gs_expo_commons(struct gs_expo_common ret[GS_EXPO_COMMONS]) {
	size_t n = 0;
#if GS_X86
	ret[n++] = (struct gs_expo_common){"avx2", common_avx2, __builtin_cpu_supports("avx2") != 0};
	ret[n++] = (struct gs_expo_common){"sse2", common_sse2, true};
#endif
	ret[n++] = (struct gs_expo_common){"plain", common_plain, true};
	return n;
}

gs_expo_common_fn *gs_expo_common_best(void) {
	struct gs_expo_common all[GS_EXPO_COMMONS];
	size_t i = 0;
	gs_expo_commons(all);
	while (!all[i].usable)
		i++;
	return all[i].fn;
}
