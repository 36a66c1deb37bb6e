/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/buf.h"

/*
 * A made-up application of any size and its expositions: families of histograms, counters, gauges and summaries, whose series have 5 to 8 labels
 * (le and quantile counted); about 220 bytes a line. It can be written as text 0.0.4 and as OpenMetrics, so that both are measured on the same
 * data, and it can move on to its next scrape. Everything depends on the number of series and the steps taken alone: two runs give the same bytes.
 */

struct bench_model;

enum bench_model_format {
	BENCH_MODEL_TEXT,
	BENCH_MODEL_OPENMETRICS, /* UNIT, EOF, exemplars on some buckets */
	BENCH_MODEL_OPENMETRICS_CREATED, /* the same with a _created for each counter, histogram and summary */
};

/* What happens from one scrape to the next, as shares from 0 to 1. */
struct bench_step {
	double changed; /* of the samples get a new value; those of a histogram or summary all or none */
	double churn; /* of the metrics go away, and as many others appear, as long as there are some that were gone */
};

/** bench_model_new(series, family):
 * An application with exactly ${series} (at least 1) sample lines in text, in families of at most ${family} (0: as a large application has them; below
 * 14 all are gauges); NULL when out of memory. */
struct bench_model *bench_model_new(size_t series, size_t family);

void bench_model_free(struct bench_model *model);

/** bench_model_samples(model): Sample lines that a rendering as text has now. */
size_t bench_model_samples(const struct bench_model *model);

/** bench_model_step(model, step): Move on to the next scrape; returns how many sample lines (of text) have a new value. */
size_t bench_model_step(struct bench_model *model, struct bench_step step);

/** bench_model_render(model, format, out): Append the exposition; out->status says whether there was room. */
void bench_model_render(const struct bench_model *model, enum bench_model_format format, struct gs_buf *out);

#endif
