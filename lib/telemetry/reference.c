/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/limits.h"
#include "table.h"

/* A row of the table in Markdown; '|' would end the cell. */
static void put_row(struct gs_buf *out, const struct gs_metric_row *row) {
	struct gs_str names[2];
	size_t n = gs_metric_row_labels(row, names);
	gs_buf_printf(out, "| `%s` | %s | ", row->name, gs_metric_type_name(row->type));
	for (size_t i = 0; i < n; i++)
		gs_buf_printf(out, "%s`%.*s`", i != 0 ? ", " : "", GS_FMT(names[i]));
	gs_buf_cstr(out, n != 0 ? " | " : "| ");
	for (const char *c = row->help; *c != '\0'; c++) {
		if (*c == '|')
			gs_buf_char(out, '\\');
		gs_buf_char(out, *c);
	}
	gs_buf_cstr(out, " |\n");
}

static void put_section(struct gs_buf *out, const char *title) {
	gs_buf_printf(out, "\n## %s\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", title);
}

static void put_program(struct gs_buf *out, enum gs_metric_program program, const char *title) {
	put_section(out, title);
	for (size_t i = 0; i < GS_METRICS; i++) {
		if (gs_metric_table[i].program == program)
			put_row(out, &gs_metric_table[i]);
	}
}

void gs_telemetry_reference(struct gs_buf *out) {
	gs_buf_cstr(out,
	    "<!-- Made by gravel-reference from include/gravel/telemetry/metrics.def; a test compares. -->\n"
	    "# Metrics of the programs themselves\n\n"
	    "The receiver serves them in `/metrics` beside all others and alone in `/telemetry`; the poller on its "
	    "`monitor_port`.\nCounters without labels are there from the start with 0; everything else appears "
	    "with its first value. Label values beyond\n");
	gs_buf_u64(out, GS_LIMIT_METRIC_SERIES);
	gs_buf_cstr(out, " of one metric are counted under `other`.\n\n"
			 "Buckets of all histograms, in seconds:");
	for (size_t i = 0; i < GS_METRIC_BOUNDS; i++) {
		gs_buf_char(out, ' ');
		gs_buf_double(out, gs_metric_bounds[i]);
	}
	gs_buf_cstr(out, ".\n");
	put_program(out, GS_METRIC_POLLER, "Poller");
	put_program(out, GS_METRIC_RECEIVER, "Receiver");
	put_program(out, GS_METRIC_BOTH, "Both");
	put_section(out, "The process");
	for (size_t i = 0; i < GS_PROCESS_METRICS; i++)
		put_row(out, &gs_process_table[i]);
}
