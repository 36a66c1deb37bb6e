/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_WORDS_H
#define GRAVEL_LIB_EXPO_WORDS_H

/* Blocks for the fast reader (fast_read.h): words of eight bytes, for machines without other ones. */

#include "number.h"
#include "scan.h"

#define BLOCK 8
#define FAST
#define FAST_READ gs_expo_fast_plain

/* The high bit of each byte of word that is less than c, and of some that follow the first of them. c <= 0x80. */
static inline uint64_t below(uint64_t word, uint64_t c) {
	return (word - GS_EXPO_EACH(c)) & ~word & GS_EXPO_EACH(0x80);
}

static inline unsigned first(uint64_t high_bits) {
	return high_bits != 0 ? (unsigned)__builtin_ctzll(high_bits) / 8 : BLOCK;
}

static inline unsigned stop_value(const char *p) {
	uint64_t word = gs_expo_load_word(p);
	uint64_t stops = below(word, ' ') | below(word ^ GS_EXPO_EACH('"'), 1) | below(word ^ GS_EXPO_EACH('\\'), 1);
	return first(stops | (word & GS_EXPO_EACH(0x80)));
}

static inline unsigned stop_name(const char *p) {
	unsigned i = 0;
	while (i < BLOCK && (gs_expo_class[(unsigned char)p[i]] & GS_EXPO_METRIC) != 0)
		i++;
	return i;
}

static inline unsigned stop_label(const char *p) {
	unsigned i = 0;
	while (i < BLOCK && (gs_expo_class[(unsigned char)p[i]] & GS_EXPO_LABEL) != 0)
		i++;
	return i;
}

static inline unsigned stop_word(const char *p) {
	uint64_t word = gs_expo_load_word(p);
	return first(below(word, ' ' + 1) | (word & GS_EXPO_EACH(0x80)));
}

static inline unsigned stop_equal(const char *p, const char *q) {
	return first(gs_expo_load_word(p) ^ gs_expo_load_word(q));
}

#endif
