/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

const struct gs_metric_row gs_metric_table[GS_METRICS] = {
#define GS_METRIC(id, program, type, name, labels, help) {GS_METRIC_##program, GS_METRIC_##type, name, labels, help},
#include "gravel/telemetry/metrics.def"
#undef GS_METRIC
};

const double gs_metric_bounds[GS_METRIC_BOUNDS] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

const char *gs_metric_type_name(enum gs_metric_type type) {
	static const char *const names[] = {"counter", "gauge", "histogram"};
	return names[type];
}

size_t gs_metric_row_labels(const struct gs_metric_row *row, struct gs_str ret[2]) {
	if (row->labels[0] == '\0')
		return 0;
	return gs_str_cut(gs_str_of(row->labels), ',', &ret[0], &ret[1]) ? 2 : 1;
}
