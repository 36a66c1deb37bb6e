/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TRANSFORM_TRANSFORM_H
#define GRAVEL_TRANSFORM_TRANSFORM_H

#include "gravel/relabel/relabel.h"
#include "gravel/rollup/rollup.h"

/*
 * What a job does to an exposition between the target and the wire: metric_relabel_configs, limits, honor_timestamps, aggregation, clearmodes. Everything that
 * a job did not ask for costs nothing, and a job that asked for nothing (gs_transform_copies) sends the bytes of its target. One thread at a time.
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

/** gs_transform_copies(transform): Whether the body goes as it is, so that only limits are to be checked: gs_transform_event writes nothing. */
bool gs_transform_copies(const struct gs_transform *transform);

/** gs_transform_begin(transform, labels, nlabels, target, format, out):
 * A scrape of a target with these ${labels} (job and instance among them) begins; they must live until it ends. What is to be sent goes to ${out}, in the format that
 * gs_transform_format then says. ${target}: as in gs_rollup_begin. */
void gs_transform_begin(struct gs_transform *transform, const struct gs_label *labels, size_t nlabels, uint64_t target,
    const struct gs_expo_options *format, struct gs_buf *out);

/** gs_transform_event(transform, event, err):
 * Take the next event of its exposition. GS_ELIMIT with ${err} (text and limit, as Prometheus words it) beyond a limit, GS_EINVAL for a series that relabelling left without a name, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_transform_event(
    struct gs_transform *transform, const struct gs_expo_event *event, struct gs_error *err);

struct gs_transform_result {
	uint64_t samples; /* scrape_samples_scraped */
	uint64_t kept; /* scrape_samples_post_metric_relabeling; those that a rollup took count, too */
	bool honor_labels; /* what the wire is to say: conflicts of labels were settled here, so that samples win */
	enum gs_expo_format format; /* of what was written */
	bool utf8_names;
};

/** gs_transform_end(transform, ok, ret, err): The exposition has ended; not ${ok}: it broke off, and what was written is void. Errors as of gs_transform_event. */
GS_MUST_USE enum gs_status gs_transform_end(
    struct gs_transform *transform, bool ok, struct gs_transform_result *ret, struct gs_error *err);

#endif
