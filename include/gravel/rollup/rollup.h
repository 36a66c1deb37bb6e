/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_ROLLUP_ROLLUP_H
#define GRAVEL_ROLLUP_ROLLUP_H

#include "gravel/relabel/labels.h"

/*
 * Aggregation at the edge: the rules of a job make few series of the many that its targets expose, over all its targets. docs/AGGREGATION.md says what the results mean. Gauges: of
 * the newest value of every input that is there, as PromQL has it. Counters under sum and avg, histograms and summaries under sum: what they grew by since they were
 * first seen is added, so the result never falls while it is there, and its rate is the sum of theirs.
 *
 * Nothing counts before its scrape has ended well. One thread at a time (the scraper's), one scrape at a time.
 */
enum gs_rollup_op { GS_ROLLUP_SUM, GS_ROLLUP_MIN, GS_ROLLUP_MAX, GS_ROLLUP_AVG, GS_ROLLUP_COUNT };

struct gs_rollup_rule {
	enum gs_rollup_op op;
	const char *of; /* fully anchored regular expression of names */
	const char *as; /* name of the result */
	const char *const *labels;
	size_t nlabels;
	bool without; /* labels are left out; else they are all that stays */
	bool drop; /* the inputs are not sent themselves */
};

struct gs_rollup;

/** gs_rollup_new(rules, n, max_series, ret_rollup, err): Compile; nothing of ${rules} is kept. GS_EINVAL with ${err}, whose line is the number of the rule from 1;
 * GS_ENOMEM. ${max_series} bounds inputs and results together. */
GS_MUST_USE enum gs_status gs_rollup_new(const struct gs_rollup_rule *rules, size_t n, size_t max_series,
    struct gs_rollup **ret_rollup, struct gs_error *err);
void gs_rollup_free(struct gs_rollup *rollup);

/** gs_rollup_begin(rollup, target): A scrape of ${target} (any number of the caller's) begins; none is under way. */
void gs_rollup_begin(struct gs_rollup *rollup, uint64_t target);

/** gs_rollup_sample(rollup, event, labels, ret_drop):
 * Take one sample: its type, part and value are those of ${event}, name (__name__) and labels those of ${labels}, as they would be sent, with those of the
 * target. ${ret_drop}: whether a rule that took it drops its inputs. GS_ELIMIT above max_series, or of an expression that takes too many steps; GS_ENOMEM: the scrape
 * then ends as failed, whatever gs_rollup_end is told, and every further sample gets the same answer. */
GS_MUST_USE enum gs_status gs_rollup_sample(
    struct gs_rollup *rollup, const struct gs_expo_event *event, struct gs_labels *labels, bool *ret_drop);

/** gs_rollup_end(rollup, ok): The scrape is over. Not ${ok}: as if its target had exposed nothing, and nothing of it is added. Inputs that this scrape did not have leave; what
 * counters were worth is remembered for GS_LIMIT_ROLLUP_MISSED scrapes of the target. */
void gs_rollup_end(struct gs_rollup *rollup, bool ok);

/** gs_rollup_remove(rollup, target): The target left, and all that was known of it; a scrape of it that is under way counts for nothing. */
void gs_rollup_remove(struct gs_rollup *rollup, uint64_t target);

/** gs_rollup_write(rollup, out): Append all results as an exposition (text 1.0.0), families whole and typed. Looks at every input where a result is made of newest values: so
 * call it once in an interval and not once a scrape. GS_ENOMEM, GS_ELIMIT of ${out}. */
GS_MUST_USE enum gs_status gs_rollup_write(struct gs_rollup *rollup, struct gs_buf *out);

/** gs_rollup_series(rollup): What counts against max_series. */
size_t gs_rollup_series(const struct gs_rollup *rollup);

/** gs_rollup_conflicts(rollup): How many samples a rule matched and did not take since the beginning, because its result is of another type, or because they are no whole part
 * of a histogram or summary. */
uint64_t gs_rollup_conflicts(const struct gs_rollup *rollup);

/** gs_rollup_check(rollup): For tests: assert the invariants. Slow. */
void gs_rollup_check(const struct gs_rollup *rollup);

#endif
