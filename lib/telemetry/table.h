/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TELEMETRY_TABLE_H
#define GRAVEL_TELEMETRY_TABLE_H

#include "gravel/base/arena.h"
#include "gravel/telemetry/telemetry.h"

/* What the files of this module share: the rows of metrics.def, and the values behind them. */
struct gs_metric_row {
	enum gs_metric_program program;
	enum gs_metric_type type;
	const char *name;
	const char *labels; /* "", "a" or "a,b" */
	const char *help;
};

extern const struct gs_metric_row gs_metric_table[GS_METRICS];

/* Upper bounds of every histogram, in seconds; +Inf follows. 1 ms to 60 s, finer where the promises are (100 ms). */
#define GS_METRIC_BOUNDS 15
extern const double gs_metric_bounds[GS_METRIC_BOUNDS];

/** gs_metric_type_name(type): "counter", "gauge" or "histogram". */
const char *gs_metric_type_name(enum gs_metric_type type);

/** gs_metric_row_labels(row, ret): The one or two label names of ${row} in ${ret}; returns how many. */
size_t gs_metric_row_labels(const struct gs_metric_row *row, struct gs_str ret[2]);

/* One series at the time of the snapshot. */
struct gs_metric_point {
	struct gs_str values[2];
	double value;
};

/** gs_metric_points(id, arena, ret_points, ret_n):
 * Copy all series of a counter or gauge, sorted by label values, into ${arena}. */
GS_MUST_USE enum gs_status gs_metric_points(
    enum gs_metric id, struct gs_arena *arena, struct gs_metric_point **ret_points, size_t *ret_n);

/** gs_metric_histogram(id, ret_counts, ret_sum): The counts of each bucket (not cumulative; the last is above all bounds). */
void gs_metric_histogram(enum gs_metric id, uint64_t ret_counts[GS_METRIC_BOUNDS + 1], double *ret_sum);

/* The process_* metrics: the names, types and meanings that Prometheus' client libraries gave them. */
enum { GS_PROCESS_METRICS = 7 };
extern const struct gs_metric_row gs_process_table[GS_PROCESS_METRICS];

/** gs_process_read(ret): Read all of them from /proc/self, in the order of the table; NAN for what cannot be read. */
void gs_process_read(double ret[GS_PROCESS_METRICS]);

#endif
