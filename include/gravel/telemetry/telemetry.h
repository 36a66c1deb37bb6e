/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TELEMETRY_TELEMETRY_H
#define GRAVEL_TELEMETRY_TELEMETRY_H

#include "gravel/base/buf.h"

/*
 * The programs' own metrics. metrics.def is the table (id, name, type, labels, help, which program); it yields this enum,
 * the exposition and docs/METRICS.md. Thread-safe and cheap: a metric without labels is one atomic, one with labels
 * a short lock. One process-wide instance: metrics describe the process.
 */
enum gs_metric {
#define GS_METRIC(id, program, type, name, labels, help) GS_M_##id,
#include "gravel/telemetry/metrics.def"
#undef GS_METRIC
	GS_METRICS,
};

enum gs_metric_program { GS_METRIC_POLLER = 1, GS_METRIC_RECEIVER = 2, GS_METRIC_BOTH = 3 };
enum gs_metric_type { GS_METRIC_COUNTER, GS_METRIC_GAUGE, GS_METRIC_HISTOGRAM };

/** gs_metric_add(id, v): Add ${v} >= 0 to a counter without labels, or any ${v} to a gauge without labels. */
void gs_metric_add(enum gs_metric id, double v);

/** gs_metric_set(id, v): Set a gauge without labels. */
void gs_metric_set(enum gs_metric id, double v);

/** gs_metric_observe(id, v): Add an observation (in the metric's base unit) to a histogram. */
void gs_metric_observe(enum gs_metric id, double v);

/* The same for metrics with labels: one value for each label that the table names, in its order (NULL for no more;
 * two at most). Values beyond GS_LIMIT_METRIC_SERIES, or without memory, are counted under "other". Bytes that are not UTF-8 become
 * '?', and a value is cut at 256 bytes. */
void gs_metric_add_l(enum gs_metric id, double v, const char *value1, const char *value2);
void gs_metric_set_l(enum gs_metric id, double v, const char *value1, const char *value2);

/** gs_metric_get(id, value1, value2): The current value, 0 if there is none yet; for histograms the count. For status pages and tests. */
double gs_metric_get(enum gs_metric id, const char *value1, const char *value2);

/** gs_metric_drop_l(id, value1, value2): Forget one labelled series (a publisher that left). */
void gs_metric_drop_l(enum gs_metric id, const char *value1, const char *value2);

/** gs_telemetry_render(program, out):
 * Append the exposition (text 0.0.4) of all metrics of ${program}, families and series in a stable order, and of
 * process_* as Prometheus' client libraries name them (cpu seconds, resident memory, open fds, start time). Counters without labels are
 * there from the start, with 0; gauges once they were set, so that a receiver without NATS does not claim to be disconnected. Out of memory
 * is the buffer's status. */
void gs_telemetry_render(enum gs_metric_program program, struct gs_buf *out);

/** gs_telemetry_reference(out): Append docs/METRICS.md, made from the table. */
void gs_telemetry_reference(struct gs_buf *out);

/** gs_metric_head(id, out): Append the HELP and TYPE lines of a metric whose values are written by someone else. */
void gs_metric_head(enum gs_metric id, struct gs_buf *out);

/** gs_telemetry_reset(): For tests: everything back to its start. */
void gs_telemetry_reset(void);

#endif
