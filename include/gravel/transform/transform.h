/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TRANSFORM_TRANSFORM_H
#define GRAVEL_TRANSFORM_TRANSFORM_H

#include "gravel/relabel/relabel.h"
#include "gravel/rollup/rollup.h"

/*
 * What a job does to an exposition between the target and the wire: metric_relabel_configs, limits, honor_timestamps, aggregation, clearmodes. Everything that
 * a job did not ask for costs nothing, and a job that asked for nothing (gs_transform_copies) sends the bytes of its target. One thread at a time.
 *
 * Meaning and order are those of Prometheus 2.42 (scrape/scrape.go). What is written anew is text as our parser reads it, with the TYPE words, UNIT lines and exemplars of OpenMetrics;
 * a time of creation is a gauge of its own, as in Prometheus. Lost are: native histograms (their classic samples stay), comments, HELP and TYPE behind the samples of their family, HELP texts
 * above half of GS_LIMIT_LABEL_VALUE. A family keeps its type under a new name as long as its samples are the parts that they were: a bucket must still be called _bucket and have its le.
 * Where they are not, or two families became one that do not agree, each name in it is a family without a type. No family is split.
 *
 * Series that became one stand twice: as in Prometheus the receiver keeps the first one and counts the others as dropped.
 *
 * With relabelling a sample carries the labels that differ from the target's, and with an empty value those of the target that it has not: the wire is to say honor_labels.
 */

/* A rule "metric-name regex -> clearmode": must match the whole name of a sample, of a histogram also its _bucket, _sum and _count. */
struct gs_clearmode_rule {
	const char *metric;
	const char *clearmode; /* as in the store's grammar, which is checked there */
};

struct gs_transform_options {
	const struct gs_relabel_rule *relabel; /* metric_relabel_configs */
	size_t nrelabel;
	const struct gs_clearmode_rule *clearmodes;
	size_t nclearmodes;
	struct gs_rollup *rollup; /* NULL: none; must outlive it */
	bool honor_labels;
	bool honor_timestamps; /* off: the timestamps of samples are not sent */
	/* As Prometheus has them, 0: none. Beyond one the scrape fails. */
	uint64_t sample_limit; /* after relabelling */
	uint64_t label_limit; /* labels of a series, the target's and __name__ among them */
	uint64_t label_name_length_limit; /* bytes */
	uint64_t label_value_length_limit; /* bytes */
};

struct gs_transform;

/** gs_transform_new(options, ret_transform, err): Compile; nothing of ${options} but rollup is kept. GS_EINVAL with ${err}, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_transform_new(
    const struct gs_transform_options *options, struct gs_transform **ret_transform, struct gs_error *err);
void gs_transform_free(struct gs_transform *transform);

/** gs_transform_share(transform, ret_transform):
 * Another one that does the same with the same compiled rules, for a scrape that is under way while others of the job begin and end. ${transform} must outlive it; both belong to one
 * thread. GS_EUNSUPPORTED with a rollup, which takes one scrape after the other; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_transform_share(
    const struct gs_transform *transform, struct gs_transform **ret_transform);

/** gs_transform_copies(transform): Whether the body goes as it is, so that only limits are to be checked: gs_transform_event writes nothing. */
bool gs_transform_copies(const struct gs_transform *transform);

/** gs_transform_begin(transform, labels, nlabels, target, format, out):
 * A scrape of a target with these ${labels} (job and instance among them, where it has them) begins; they must live until it ends. What is to be sent is appended to ${out}, which is nobody
 * else's until the end; where gs_transform_copies nothing is, and it may be NULL. ${target}: as in gs_rollup_begin. ${format}: of the body. */
void gs_transform_begin(struct gs_transform *transform, const struct gs_label *labels, size_t nlabels, uint64_t target,
    const struct gs_expo_options *format, struct gs_buf *out);

/** gs_transform_remove(transform, target): The target left: what a rollup knows of it goes, too. None of its scrapes is under way. */
void gs_transform_remove(struct gs_transform *transform, uint64_t target);

/** gs_transform_window(transform, used, window):
 * To be called before each gs_expo_feed with the same ${window}; ${used} is gs_expo_used of the one before (first: 0). Only so a job that puts in clearmodes and nothing else
 * can send the bytes of its target, at a fraction of what writing them anew costs. */
void gs_transform_window(struct gs_transform *transform, size_t used, struct gs_str window);

/** gs_transform_event(transform, event, err):
 * Take the next event of its exposition. GS_ELIMIT with ${err} (text and limit, as Prometheus words it) beyond a limit, GS_EINVAL for a series that relabelling left without a name
 * or with one that is none, GS_ENOMEM, GS_ELIMIT of ${out}: then gs_transform_end comes next, not ok. That there are more samples than sample_limit is what gs_transform_end says: as in
 * Prometheus all are counted. */
GS_MUST_USE enum gs_status gs_transform_event(
    struct gs_transform *transform, const struct gs_expo_event *event, struct gs_error *err);

/** gs_transform_kept(transform): Whether the last event was a sample that is left after relabelling: only such ones are scrape_series_added. */
bool gs_transform_kept(const struct gs_transform *transform);

/* As of Prometheus: a scrape that fails has what came before it failed. The native part of a histogram counts as none: its classic samples do. */
struct gs_transform_result {
	uint64_t samples; /* scrape_samples_scraped */
	uint64_t kept; /* scrape_samples_post_metric_relabeling; those that a rollup took count, too */
	bool honor_labels; /* what the wire is to say: conflicts of labels were settled here, so that samples win */
	enum gs_expo_format format; /* of what was written */
	bool utf8_names;
};

/** gs_transform_end(transform, ok, ret, err):
 * The exposition has ended; not ${ok}: it broke off. Errors as of gs_transform_event; if there is one, or not ${ok}, ${out} is as it was at the begin, and a rollup has nothing of
 * this scrape. ${ret} is set in any case. */
GS_MUST_USE enum gs_status gs_transform_end(
    struct gs_transform *transform, bool ok, struct gs_transform_result *ret, struct gs_error *err);

#endif
