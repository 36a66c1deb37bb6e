/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_ERROR_H
#define GRAVEL_BASE_ERROR_H

#include <stdint.h>

#include "gravel/base/status.h"

/* What went wrong and where, for the person who wrote the input. Line and column count from 1;
 * 0 means that there is no position. */
struct gs_error {
	uint32_t line;
	uint32_t column;
	const char *limit; /* of GS_ELIMIT: which limit it is, where that has a name; static. NULL: none of those */
	char text[512];
};

/** gs_error_set(err, status, line, column, fmt, ...):
 * Fill ${err} (may be NULL) and return ${status}, so that a failing branch is one statement. Text that
 * is too long is cut; bytes below 0x20 and 0x7f in it are replaced by '?', so that input quoted in it cannot
 * forge a log line. */
enum gs_status gs_error_set(struct gs_error *err, enum gs_status status, uint32_t line, uint32_t column,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/** gs_error_limit(err, limit): Say which limit the error is of that ${err} (may be NULL) was just filled with, as the key of receiver.limits is called; ${limit} is
 * static. Returns GS_ELIMIT. */
enum gs_status gs_error_limit(struct gs_error *err, const char *limit);

#endif
