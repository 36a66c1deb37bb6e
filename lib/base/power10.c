/* SPDX-License-Identifier: Apache-2.0 */
#include "power10.h"

#include <pthread.h>
#include <stddef.h>

#define LIMBS 20 /* 10^324 has 17 of them; 2^1279 / 10^342 has 143 bits left */

gs_uint128 gs_power10_table[GS_POWER10_MAX - GS_POWER10_MIN + 1];
atomic_bool gs_power10_ready;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A large integer, lowest limb first. */
struct big {
	uint64_t limb[LIMBS];
};

static void times_10(struct big *b) {
	gs_uint128 carry = 0;
	for (size_t i = 0; i < LIMBS; i++) {
		carry += (gs_uint128)b->limb[i] * 10;
		b->limb[i] = (uint64_t)carry;
		carry >>= 64;
	}
}

static void over_10(struct big *b) {
	gs_uint128 rest = 0;
	for (size_t i = LIMBS; i-- > 0;) {
		rest = rest << 64 | b->limb[i];
		b->limb[i] = (uint64_t)(rest / 10);
		rest %= 10;
	}
}

/* The highest 128 bits, from the highest that is set. */
static gs_uint128 top_bits(const struct big *b) {
	size_t top = LIMBS - 1;
	while (b->limb[top] == 0)
		top--;
	uint64_t part[3] = {0}; /* highest first */
	for (size_t i = 0; i < 3 && i <= top; i++)
		part[i] = b->limb[top - i];
	int shift = __builtin_clzll(part[0]);
	gs_uint128 bits = (gs_uint128)part[0] << 64 | part[1];
	return shift == 0 ? bits : bits << shift | part[2] >> (64 - shift);
}

/* Cutting off after each division by 10 loses nothing: floor(floor(x / 10) / 10) is floor(x / 100). */
static void make(void) {
	struct big b = {.limb = {1}};
	for (int k = 0; k <= GS_POWER10_MAX; k++) {
		gs_power10_table[k - GS_POWER10_MIN] = top_bits(&b);
		times_10(&b);
	}
	b = (struct big){0};
	b.limb[LIMBS - 1] = UINT64_C(1) << 63;
	for (int k = -1; k >= GS_POWER10_MIN; k--) {
		over_10(&b);
		gs_power10_table[k - GS_POWER10_MIN] = top_bits(&b);
	}
	atomic_store_explicit(&gs_power10_ready, true, memory_order_release);
}

void gs_power10_make(void) {
	pthread_once(&once, make);
}
