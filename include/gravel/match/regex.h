/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_MATCH_REGEX_H
#define GRAVEL_MATCH_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

/*
 * Regular expressions as Prometheus uses them: the whole text must match, '.' matches a line break too, '$' is only the end. This module is the only
 * one that includes pcre2.h.
 *
 * Prometheus' expressions are those of RE2. What is written for RE2 means the same here, but for: \s, which has the vertical tab as well; {,n}, which newer PCRE2 counts
 * as {0,n}; [a-\d], which RE2 refuses. PCRE2 reads more than RE2 does: references to groups, looking around, atomic groups and possessive
 * repeats, recursion, verbs such as (*FAIL), repeats above 1000, \h \R \X \N \Z. RE2 never searches for long, PCRE2 can: so there is a limit.
 *
 * Literals, alternatives of them, and those with .* or .+ at one end are answered without PCRE2, in some nanoseconds (lib/match/plain.h).
 */
struct gs_regex;

/** gs_regex_new(pattern, ret_regex, err):
 * Compile. Nothing of ${pattern} is kept. GS_EINVAL with ${err} for what is no regular expression: the text quotes it and says at which byte;
 * GS_ELIMIT with ${err} when it is longer than GS_LIMIT_REGEX; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_regex_new(struct gs_str pattern, struct gs_regex **ret_regex, struct gs_error *err);
void gs_regex_free(struct gs_regex *regex);

/** gs_regex_new_lines(pattern, ret_regex, err): The same where '.' matches no line break: so it is in the relabelling of Prometheus before 3.0. */
GS_MUST_USE enum gs_status gs_regex_new_lines(struct gs_str pattern, struct gs_regex **ret_regex, struct gs_error *err);

/** gs_regex_match(regex, text, ret_matches):
 * Whether all of ${text} matches; what is no UTF-8 does not. GS_ELIMIT when finding out takes too many steps, GS_ENOMEM. One thread at a time. */
GS_MUST_USE enum gs_status gs_regex_match(struct gs_regex *regex, struct gs_str text, bool *ret_matches);

/** gs_regex_match_groups(regex, text, ret_matches): The same, and gs_regex_group then knows where the groups matched; until the next match of any kind. */
GS_MUST_USE enum gs_status gs_regex_match_groups(struct gs_regex *regex, struct gs_str text, bool *ret_matches);

/** gs_regex_group(regex, i):
 * What group ${i} matched, as a slice of the text that was given to gs_regex_match_groups and matched; group 0 is all of it. Empty where there is no such group, or it
 * took no part. */
struct gs_str gs_regex_group(const struct gs_regex *regex, uint32_t i);

/** gs_regex_group_of(regex, name): The number of the group ${name}; UINT32_MAX, which no group has, if there is none. */
uint32_t gs_regex_group_of(const struct gs_regex *regex, struct gs_str name);

#endif
