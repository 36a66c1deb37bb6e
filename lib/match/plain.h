/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MATCH_PLAIN_H
#define MATCH_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/status.h"
#include "gravel/base/str.h"

/*
 * What can be told about a regular expression without its engine. Most of those that people write are a few names, beginnings or ends:
 * "up|go_.*", "(?:go|process)_.+", ".*_bucket". These are answered here in some nanoseconds, and of others at least that their beginning does not
 * fit. The expression must be one that PCRE2 has compiled with PCRE2_UTF.
 */
enum gs_plain_answer {
	GS_PLAIN_NO,
	GS_PLAIN_YES,
	GS_PLAIN_ASK, /* the engine knows */
};

struct gs_plain;

/** gs_plain_new(pattern, lines, ret_plain): Look at ${pattern}; of ${lines} '.' matches no line break. *${ret_plain} is NULL where nothing can be told.
 * Free it with gs_plain_free. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_plain_new(struct gs_str pattern, bool lines, struct gs_plain **ret_plain);
void gs_plain_free(struct gs_plain *plain);

/** gs_plain_match(plain, text): Whether all of ${text} matches. */
enum gs_plain_answer gs_plain_match(const struct gs_plain *plain, struct gs_str text);

#endif
