/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BASE_DECIMAL_H
#define GRAVEL_LIB_BASE_DECIMAL_H

#include <stdint.h>

/* For num.c only. digits * 10^exponent; digits do not end in 0 unless they are 0. */
struct gs_decimal {
	uint64_t digits; /* at most 17 of them */
	int exponent;
};

/** gs_decimal_shortest(v):
 * The decimal with the fewest digits that reads back as ${v} (finite, > 0), and of these the one nearest to ${v}. */
struct gs_decimal gs_decimal_shortest(double v);

#endif
