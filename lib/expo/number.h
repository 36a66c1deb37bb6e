/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_NUMBER_H
#define GRAVEL_LIB_EXPO_NUMBER_H

#include <math.h>

#include "gravel/base/num.h"

/** gs_expo_is_decimal(text): Whether ${text}, not empty, has not the form of a hexadecimal float: those are Go's, but neither of Prometheus, which keeps to
 * Go before 1.13, nor of OpenMetrics. */
static inline bool gs_expo_is_decimal(struct gs_str text) {
	size_t sign = text.p[0] == '-' || text.p[0] == '+';
	return text.n <= sign + 1 || (text.p[sign + 1] | 0x20) != 'x';
}

/** gs_expo_parse_number(text, ret): Read the number ${text}, not empty. False if it is none, and for what is infinite, in words or out of range. */
static inline bool gs_expo_parse_number(struct gs_str text, double *ret) {
	return gs_expo_is_decimal(text) && gs_num_parse_double(text, ret) == GS_OK && !isinf(*ret);
}

#endif
