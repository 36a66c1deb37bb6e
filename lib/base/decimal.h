/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BASE_DECIMAL_H
#define GRAVEL_LIB_BASE_DECIMAL_H

#include <stdint.h>

/* For num_print.c only. digits * 10^exponent. */
struct gs_decimal {
	uint64_t digits; /* 17 of them, the first not 0; what is not needed is 0 at the end */
	int exponent;
};

/** gs_decimal_shortest(v):
 * The decimal with the fewest digits that reads back as ${v} (finite, > 0), and of these the one nearest to ${v}. */
struct gs_decimal gs_decimal_shortest(double v);

#endif
