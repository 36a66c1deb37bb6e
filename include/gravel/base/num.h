/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_NUM_H
#define GRAVEL_BASE_NUM_H

#include <stdint.h>

#include "gravel/base/status.h"
#include "gravel/base/str.h"

/* Numbers without the locale, taking all of the slice or nothing. */

#define GS_NUM_DOUBLE_MAX 32 /* bytes that gs_num_print_double needs at most */

/** gs_num_parse_double(s, ret): Read what Go's strconv.ParseFloat reads in an exposition: decimal and hexadecimal floats, Inf, +Inf,
 * -Inf, infinity and NaN in any case; no blanks, no underscores, at most 512 bytes; correctly rounded. Out of range gives +-Inf or 0 (GS_OK). GS_EINVAL otherwise. */
GS_MUST_USE enum gs_status gs_num_parse_double(struct gs_str s, double *ret);

/** gs_num_scan_double(p, end, ret):
 * Read the number that ${p} begins with, and return the first byte behind it; nothing from ${end} on is read. It is the longest that
 * gs_num_parse_double takes, but for hexadecimal floats, which no exposition has: "1e" is a 1, "0x1p3" a 0, each with a rest. NULL where no number
 * begins, or one of more than 512 bytes. Whoever knows that a byte which belongs to no number follows need not look for the end first. */
GS_MUST_USE const char *gs_num_scan_double(const char *p, const char *end, double *ret);

/** gs_num_parse_i64(s, ret): Decimal with an optional sign; GS_EINVAL for junk, GS_ELIMIT when out of range. */
GS_MUST_USE enum gs_status gs_num_parse_i64(struct gs_str s, int64_t *ret);

/** gs_num_parse_u64(s, ret): Decimal digits only. */
GS_MUST_USE enum gs_status gs_num_parse_u64(struct gs_str s, uint64_t *ret);

/** gs_num_print_double(out, v):
 * Write the shortest text that reads back as exactly ${v} into ${out} (GS_NUM_DOUBLE_MAX bytes, which may all be
 * overwritten; not terminated) and return its length. Integers up to 2^53 have no exponent (DESIGN 3.1); else as Go's 'g' format; NaN, +Inf, -Inf. */
size_t gs_num_print_double(char *out, double v);

/** gs_num_print_go(out, v): The same with an exponent from a million on for integers as well: what clients in Go write into le and quantile. */
size_t gs_num_print_go(char *out, double v);

/** gs_num_print_u64(out, v): Write decimal digits and return their count. ${out} has 20 bytes, all of which may be overwritten. */
size_t gs_num_print_u64(char *out, uint64_t v);

/** gs_num_print_i64(out, v): The same with a sign where ${v} is negative; ${out} has 21 bytes. */
size_t gs_num_print_i64(char *out, int64_t v);

/** gs_num_print_ms_as_seconds(out, ms):
 * Write ${ms} as seconds, exactly and without zeros at the end: 1700000000123 is "1700000000.123", -500 is "-0.5". ${out} has
 * GS_NUM_DOUBLE_MAX bytes; returned is the length. */
size_t gs_num_print_ms_as_seconds(char *out, int64_t ms);

/** gs_num_parse_duration(s, ret_ms):
 * Read a duration as Prometheus writes it ("1h30m", "90s", "500ms", units y w d h m s ms in falling order, each at most once; "0"),
 * in milliseconds. GS_EINVAL for junk, GS_ELIMIT when it does not fit. */
GS_MUST_USE enum gs_status gs_num_parse_duration(struct gs_str s, int64_t *ret_ms);

/** gs_num_print_duration(out, n, ms): Write ${ms} in the same form, NUL-terminated, into ${out} of ${n} bytes (48 always
 * suffice). */
void gs_num_print_duration(char *out, size_t n, int64_t ms);

#endif
