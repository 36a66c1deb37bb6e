/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_MATCH_REGEX_H
#define GRAVEL_MATCH_REGEX_H

#include <stdbool.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

/*
 * Regular expressions as Prometheus uses them: the whole text must match, '.' matches a line break too, '$' is only the end. This module is the only
 * one that includes pcre2.h.
 *
 * Prometheus' expressions are those of RE2. What is written for RE2 means the same here, but for: \s, which has the vertical tab as well; {,n}, which newer PCRE2 counts
 * as {0,n}; [a-\d], which RE2 refuses. PCRE2 reads more than RE2 does: references to groups, looking around, atomic groups and possessive
 * repeats, recursion, verbs such as (*FAIL), repeats above 1000, \h \R \X \N \Z. RE2 never searches for long, PCRE2 can: so there is a limit.
 */
struct gs_regex;

/** gs_regex_new(pattern, ret_regex, err):
 * Compile. Nothing of ${pattern} is kept. GS_EINVAL with ${err} for what is no regular expression: the text quotes it and says at which byte;
 * GS_ELIMIT with ${err} when it is longer than GS_LIMIT_REGEX; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_regex_new(struct gs_str pattern, struct gs_regex **ret_regex, struct gs_error *err);
void gs_regex_free(struct gs_regex *regex);

/** gs_regex_match(regex, text, ret_matches):
 * Whether all of ${text} matches; what is no UTF-8 does not. GS_ELIMIT when finding out takes too many steps, GS_ENOMEM. One thread at a time. */
GS_MUST_USE enum gs_status gs_regex_match(struct gs_regex *regex, struct gs_str text, bool *ret_matches);

#endif
