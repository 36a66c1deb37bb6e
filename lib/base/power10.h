/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BASE_POWER10_H
#define GRAVEL_LIB_BASE_POWER10_H

/* The powers of ten that reading (binary.c) and writing (decimal.c) of doubles scale with. For these two only. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 gs_uint128;

#define GS_POWER10_MIN (-342) /* 10^-343 times any 64 bits is nearer to 0 than to the smallest double */
#define GS_POWER10_MAX 324 /* scales the smallest double to an integer */

extern gs_uint128 gs_power10_table[GS_POWER10_MAX - GS_POWER10_MIN + 1];
extern atomic_bool gs_power10_ready;

/** gs_power10_make(): Fill the table once, from any thread. */
void gs_power10_make(void);

/** gs_power10_is_ready(): Whether gs_power10_make was called, so that the table may be read directly. */
static inline bool gs_power10_is_ready(void) {
	return __builtin_expect(atomic_load_explicit(&gs_power10_ready, memory_order_acquire), 1);
}

/** gs_power10(k):
 * The highest 128 bits of 10^${k}: 10^k = (p + r) * 2^(gs_power10_log2(k) - 127), 2^127 <= p < 2^128, 0 <= r < 1. */
static inline gs_uint128 gs_power10(int k) {
	if (!gs_power10_is_ready())
		gs_power10_make();
	return gs_power10_table[k - GS_POWER10_MIN];
}

/** gs_power10_exact(k): Whether r is 0: 5^55 < 2^128, and no negative power of ten is a binary fraction. */
static inline bool gs_power10_exact(int k) {
	return k >= 0 && k <= 55;
}

/** gs_power10_log2(k): floor(log2(10^${k})), exact for all of the table. */
static inline int gs_power10_log2(int k) {
	return (k * 1741647) >> 19;
}

#endif
