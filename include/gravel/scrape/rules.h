/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_SCRAPE_RULES_H
#define GRAVEL_SCRAPE_RULES_H

#include <stddef.h>

#include "gravel/base/buf.h"
#include "gravel/base/error.h"
#include "gravel/expo/expo.h"

/*
 * The clearmode rules of a job: which of its metrics aggregate how, decided where they are scraped. One thread at a time.
 */
struct gs_rules;

struct gs_rule {
	/* as match/regex.h has it: must match the whole name of a sample, of a histogram also its _bucket, _sum and _count */
	const char *metric;
	const char *clearmode; /* as in the store's grammar, which is checked there */
};

/** gs_rules_new(rules, n, ret_rules, err):
 * Compile. Nothing of ${rules} is kept. GS_EINVAL with ${err} for a regular expression that is none: the text quotes it
 * and says at which byte; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_rules_new(
    const struct gs_rule *rules, size_t n, struct gs_rules **ret_rules, struct gs_error *err);
void gs_rules_free(struct gs_rules *rules);

/** gs_rules_apply(rules, parser, options, body, out):
 * Append ${body}, of the format that ${options} says, to ${out}; every sample gets the label clearmode of the first rule that matches its name, unless it has
 * one. All other bytes stay as they are. GS_EUNSUPPORTED for protobuf, GS_EINVAL or GS_ELIMIT for a body that the parser refuses, GS_ELIMIT also for
 * an expression that needs too many steps for a name, GS_ELIMIT or GS_ENOMEM of ${out}; ${out} then holds what it held before. */
GS_MUST_USE enum gs_status gs_rules_apply(struct gs_rules *rules, struct gs_expo_parser *parser,
    const struct gs_expo_options *options, struct gs_str body, struct gs_buf *out);

#endif
