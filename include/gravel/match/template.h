/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_MATCH_TEMPLATE_H
#define GRAVEL_MATCH_TEMPLATE_H

#include "gravel/base/buf.h"
#include "gravel/match/regex.h"

/*
 * Text in which $1, ${1}, $name and ${name} stand for what a group matched, as Go's Regexp.Expand has it: the longest name of letters, digits and underscores
 * counts, so $1x is the group "1x"; $$ is a dollar; a group that there is not, or that took no part, is nothing; a dollar before anything else is itself.
 */
struct gs_template;

/** gs_template_new(text, regex, ret_template): Read ${text}, the groups being those of ${regex}. Nothing of either is kept. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_template_new(
    struct gs_str text, const struct gs_regex *regex, struct gs_template **ret_template);
void gs_template_free(struct gs_template *template);

/** gs_template_expand(template, regex, room, ret):
 * Put what ${regex}, an equal of the one above, just matched in its places. *${ret} is a slice of the template, of the text that was matched, or of ${room}, which is
 * cleared first and whose max is the limit; valid until one of them changes. GS_ELIMIT, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_template_expand(
    const struct gs_template *template, const struct gs_regex *regex, struct gs_buf *room, struct gs_str *ret);

#endif
