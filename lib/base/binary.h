/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BASE_BINARY_H
#define GRAVEL_LIB_BASE_BINARY_H

#include <stdbool.h>
#include <stdint.h>

/* For num_parse.c only. */

#define GS_BINARY_TEXT_MAX 512 /* longer texts of a number are refused; the exact way counts on it */

/* A decimal number that stands in a text: between m * 10^exponent and, where there are more digits, (m + 1) * 10^exponent. */
struct gs_binary_decimal {
	uint64_t m; /* not 0; the first 19 digits that count, or all of them */
	int exponent;
	bool more; /* digits that are not all 0 follow those in m */
	const char *digits; /* all digits, with or without a point, GS_BINARY_TEXT_MAX bytes at most: [digits, end) */
	const char *end;
	int last_exponent; /* of the last digit in the text */
};

/** gs_binary_of_decimal(d): The double nearest to ${d}, of two the even one; infinity from the middle between DBL_MAX and 2^1024 on. */
double gs_binary_of_decimal(const struct gs_binary_decimal *d);

/** gs_binary_round(m, more, exponent): The same for (${m} + r) * 2^${exponent}, where 0 < r < 1 if ${more} (which needs ${m} >= 2^55), else r = 0. */
double gs_binary_round(uint64_t m, bool more, int exponent);

#endif
