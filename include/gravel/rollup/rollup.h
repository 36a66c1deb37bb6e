/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_ROLLUP_ROLLUP_H
#define GRAVEL_ROLLUP_ROLLUP_H

#include "gravel/relabel/labels.h"

/*
 * Aggregation at the edge: the rules of a job make few series of the many that its targets expose, over all its targets. Gauges: of the newest value of every input that is
 * there. Counters (also of histograms and summaries: _bucket, _sum, _count) under sum and avg: what they grew by is added, so the result never
 * falls when an input starts again or leaves. One thread at a time (the scraper's).
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

/** gs_rollup_new(rules, n, max_series, ret_rollup, err): Compile. GS_EINVAL with ${err}, whose line is the number of the rule from 1; GS_ENOMEM. ${max_series} bounds inputs and
 * results together. */
GS_MUST_USE enum gs_status gs_rollup_new(const struct gs_rollup_rule *rules, size_t n, size_t max_series,
    struct gs_rollup **ret_rollup, struct gs_error *err);
void gs_rollup_free(struct gs_rollup *rollup);

/** gs_rollup_begin(rollup, target): A scrape of ${target} (any number of the caller's) begins. */
void gs_rollup_begin(struct gs_rollup *rollup, uint64_t target);

/** gs_rollup_sample(rollup, event, labels, ret_drop):
 * Take one sample: its type and value are those of ${event}, name (__name__) and labels those of ${labels}, as they would be sent, with those of the
 * target. ${ret_drop}: whether a rule that took it drops its inputs. GS_ELIMIT above max_series, GS_ENOMEM: the scrape is then to be ended as failed. */
GS_MUST_USE enum gs_status gs_rollup_sample(
    struct gs_rollup *rollup, const struct gs_expo_event *event, struct gs_labels *labels, bool *ret_drop);

/** gs_rollup_end(rollup, ok): The scrape is over. Not ${ok}: as if its target had exposed nothing, and nothing of it is added. Inputs that this scrape did not have leave. */
void gs_rollup_end(struct gs_rollup *rollup, bool ok);

/** gs_rollup_remove(rollup, target): The target left. */
void gs_rollup_remove(struct gs_rollup *rollup, uint64_t target);

/** gs_rollup_write(rollup, out): Append all results as an exposition (text 1.0.0), families whole and typed. GS_ENOMEM, GS_ELIMIT of ${out}. */
GS_MUST_USE enum gs_status gs_rollup_write(struct gs_rollup *rollup, struct gs_buf *out);

size_t gs_rollup_series(const struct gs_rollup *rollup);

#endif
