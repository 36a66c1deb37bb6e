/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BASE_BINARY_H
#define GRAVEL_LIB_BASE_BINARY_H

#include <stdbool.h>
#include <stdint.h>

/* For num_parse.c only. */

#define GS_BINARY_TEXT_MAX 512 /* longer texts of a number are refused; the exact way counts on it */

/** gs_binary_of_decimal(m, exponent, digits, end):
 * The double nearest to D * 10^${exponent}, of two the even one; infinity from the middle between DBL_MAX and 2^1024 on. D are all the
 * digits in [${digits}, ${end}), at least one, with or without a point, GS_BINARY_TEXT_MAX bytes at most; ${m} is D modulo 2^64. */
double gs_binary_of_decimal(uint64_t m, int exponent, const char *digits, const char *end);

/** gs_binary_round(m, more, exponent): The same for (${m} + r) * 2^${exponent}, where 0 < r < 1 if ${more} (which needs ${m} >= 2^55), else r = 0. */
double gs_binary_round(uint64_t m, bool more, int exponent);

#endif
