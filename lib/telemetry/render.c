/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "table.h"

#define ARENA_MAX ((size_t)64 * 1024 * 1024) /* far above GS_LIMIT_METRIC_SERIES series of one metric */

/* One family to be written: a row of one of the two tables. */
struct family {
	const struct gs_metric_row *row;
	int id; /* in gs_metric_table, or -1 */
	double value; /* of a process metric */
};

struct families {
	struct family all[GS_METRICS + GS_PROCESS_METRICS];
	size_t n;
};

static int compare_families(const void *a, const void *b) {
	const struct family *x = a, *y = b;
	return strcmp(x->row->name, y->row->name);
}

static void collect(struct families *families, enum gs_metric_program program) {
	double process[GS_PROCESS_METRICS];
	families->n = 0;
	for (int i = 0; i < GS_METRICS; i++) {
		if (gs_metric_table[i].program & program)
			families->all[families->n++] = (struct family){.row = &gs_metric_table[i], .id = i};
	}
	gs_process_read(process);
	for (size_t i = 0; i < GS_PROCESS_METRICS; i++) {
		if (!isnan(process[i]))
			families->all[families->n++] =
			    (struct family){.row = &gs_process_table[i], .id = -1, .value = process[i]};
	}
	qsort(families->all, families->n, sizeof(families->all[0]), compare_families);
}

static void put_escaped(struct gs_buf *out, struct gs_str s, bool quoted) {
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '\n')
			gs_buf_cstr(out, "\\n");
		else if (c == '\\' || (quoted && c == '"'))
			gs_buf_printf(out, "\\%c", c);
		else
			gs_buf_char(out, c);
	}
}

static void put_head(struct gs_buf *out, const struct gs_metric_row *row) {
	gs_buf_printf(out, "# HELP %s ", row->name);
	put_escaped(out, gs_str_of(row->help), false);
	gs_buf_printf(out, "\n# TYPE %s %s\n", row->name, gs_metric_type_name(row->type));
}

static void put_value(struct gs_buf *out, double v) {
	gs_buf_char(out, ' ');
	gs_buf_double(out, v);
	gs_buf_char(out, '\n');
}

static void put_point(struct gs_buf *out, const struct gs_metric_row *row, const struct gs_metric_point *point) {
	struct gs_str names[GS_METRIC_LABELS];
	size_t n = gs_metric_row_labels(row, names);
	gs_buf_cstr(out, row->name);
	for (size_t i = 0; i < n; i++) {
		gs_buf_char(out, i == 0 ? '{' : ',');
		gs_buf_str(out, names[i]);
		gs_buf_cstr(out, "=\"");
		put_escaped(out, point->values[i], true);
		gs_buf_char(out, '"');
	}
	if (n != 0)
		gs_buf_char(out, '}');
	put_value(out, point->value);
}

static void put_histogram(struct gs_buf *out, const struct gs_metric_row *row, enum gs_metric id) {
	uint64_t counts[GS_METRIC_BOUNDS + 1], n = 0;
	double sum;
	gs_metric_histogram(id, counts, &sum);
	put_head(out, row);
	for (size_t i = 0; i <= GS_METRIC_BOUNDS; i++) {
		n += counts[i];
		gs_buf_printf(out, "%s_bucket{le=\"", row->name);
		gs_buf_double(out, i < GS_METRIC_BOUNDS ? gs_metric_bounds[i] : INFINITY);
		gs_buf_cstr(out, "\"}");
		put_value(out, (double)n);
	}
	gs_buf_printf(out, "%s_sum", row->name);
	put_value(out, sum);
	gs_buf_printf(out, "%s_count", row->name);
	put_value(out, (double)n); /* of the same moment as the buckets */
}

static void put_family(struct gs_buf *out, const struct family *family, struct gs_arena *arena) {
	struct gs_metric_point process = {.value = family->value}, *points = &process;
	size_t n = 1;
	if (family->id >= 0 && family->row->type == GS_METRIC_HISTOGRAM) {
		put_histogram(out, family->row, (enum gs_metric)family->id);
		return;
	}
	if (family->id >= 0 && gs_metric_points((enum gs_metric)family->id, arena, &points, &n) != GS_OK) {
		out->status = GS_ENOMEM;
		return;
	}
	if (n != 0)
		put_head(out, family->row);
	for (size_t i = 0; i < n; i++)
		put_point(out, family->row, &points[i]);
}

void gs_metric_head(enum gs_metric id, struct gs_buf *out) {
	put_head(out, &gs_metric_table[id]);
}

void gs_telemetry_render(enum gs_metric_program program, struct gs_buf *out) {
	struct families families;
	struct gs_arena *arena = gs_arena_new(ARENA_MAX);
	if (arena == NULL) {
		out->status = GS_ENOMEM;
		return;
	}
	collect(&families, program);
	for (size_t i = 0; i < families.n && out->status == GS_OK; i++) {
		put_family(out, &families.all[i], arena);
		gs_arena_clear(arena);
	}
	gs_arena_free(arena);
}
