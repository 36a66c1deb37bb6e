/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_GRAVEL_BATCH_H
#define GRAVEL_GRAVEL_BATCH_H

#include "gravel/expo/expo.h"
#include "gravel/gravel/mode.h"

/*
 * A push or a scrape, parsed and validated whole, not applied yet. Made on any thread without touching a store; then handed to
 * gs_store_push or gs_store_scrape, which only read it. Not thread-safe: one owner at a time.
 */
struct gs_batch;

/* What happens when a sample carries a label that options.labels sets too. */
enum gs_label_rule {
	GS_LABELS_OVERRIDE, /* the one of options.labels wins (path labels of a push) */
	GS_LABELS_HONOR, /* the sample's wins, an empty one too: then there is none (honor_labels: true) */
	GS_LABELS_EXPORT, /* the sample's is renamed exported_<name> (honor_labels: false) */
};

#define GS_BATCH_LABELS_MAX 72 /* 64 of a target, and job, instance, publisher */

struct gs_batch_options {
	const struct gs_label *labels; /* set on every sample; names distinct; an empty value removes the label */
	size_t nlabels; /* at most GS_BATCH_LABELS_MAX */
	enum gs_label_rule rule;
	struct gs_mode mode; /* for samples that name no clearmode */
	int64_t ttl_ms; /* series that this pushes leave so long after their last push; 0: as the store has it */
	size_t max_samples; /* GS_LIMIT_PUSH_SAMPLES if 0 */
	size_t
	    max_labels; /* of a series, those of ${labels} too, without clearmode and le or quantile of a part; GS_LIMIT_LABELS if 0 */
	size_t max_name; /* bytes of the name of a metric or label, as sent; GS_LIMIT_NAME if 0 */
	size_t max_value; /* bytes of the value of a label, likewise; GS_LIMIT_LABEL_VALUE if 0 */
	bool lenient; /* a scrape: what a push would be refused for is dropped and counted instead, if it parses */
	/* A push of the Pushgateway's dialect: clearmode is a label like any other, a timestamp is refused, every series has an instance, which may be
	 * empty, and push_time_seconds and push_failure_time_seconds, which are the store's to set, are skipped. */
	bool gateway;
};

struct gs_batch_stats {
	size_t samples; /* read */
	size_t points; /* series that they make: the parts of a histogram are one */
	size_t dropped; /* lenient only: samples that a push would be refused for */
	bool parsed; /* the body was read to its end: what it is refused for is not its syntax */
};

/*
 * Families have the names that text gives them, whatever the body is written in: what OpenMetrics calls counter "x" and info "x" is "x_total" and "x_info"
 * here. A time of creation is a gauge "x_created" of its own, as Prometheus and the clients' text have it. A native histogram is
 * a part of the histogram that its classic samples are. Of exemplars those are kept that stand at a counter or a bucket, with labels of at most 128
 * characters.
 */

/** gs_batch_new(): Return an empty batch or NULL. */
struct gs_batch *gs_batch_new(void);
void gs_batch_free(struct gs_batch *batch);

/** gs_batch_begin(batch, options): Start over. ${options} is copied, its label slices are not. */
void gs_batch_begin(struct gs_batch *batch, const struct gs_batch_options *options);

/** gs_batch_gauge(batch, name, help, value): Add a gauge of our own (up, scrape_*), before gs_batch_read: it wins over an equal series of the body. */
GS_MUST_USE enum gs_status gs_batch_gauge(struct gs_batch *batch, struct gs_str name, struct gs_str help, double value);

/** gs_batch_read(batch, parser, options, body, err):
 * Parse ${body}, of the format that ${options} says (NULL: text), and finish the batch; once, after gs_batch_begin. ${body} must live as long as the batch is used. GS_EINVAL or
 * GS_ELIMIT with ${err} (line, column, reason, limit), GS_ENOMEM; the batch then holds nothing usable. What a limit refuses is refused whole, a lenient one too. */
GS_MUST_USE enum gs_status gs_batch_read(struct gs_batch *batch, struct gs_expo_parser *parser,
    const struct gs_expo_options *options, struct gs_str body, struct gs_error *err);

struct gs_batch_stats gs_batch_stats(const struct gs_batch *batch);

#endif
