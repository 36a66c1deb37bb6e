/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader sees: text 1.0.0 with names in quotes. The order of series and of labels is the store's own business. */
#include <math.h>
#include <stdlib.h>

#include "model.h"

static int compare_names(const void *a, const void *b) {
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t m_families(const struct model *model, const char *names[M_SERIES]) {
	size_t n = 0;
	for (size_t i = 0; i < model->nseries; i++) {
		size_t k = 0;
		while (k < n && !m_same(names[k], model->series[i]->name))
			k++;
		if (k == n)
			names[n++] = model->series[i]->name;
	}
	if (n != 0)
		qsort(names, n, sizeof(*names), compare_names);
	return n;
}

static void put_escaped(struct gs_buf *out, const char *s, bool quotes) {
	for (; *s != '\0'; s++) {
		if (*s == '\\' || *s == '\n' || (*s == '"' && quotes))
			gs_buf_char(out, '\\');
		gs_buf_char(out, *s == '\n' ? 'n' : *s);
	}
}

static void put_in_quotes(struct gs_buf *out, const char *s) {
	gs_buf_char(out, '"');
	put_escaped(out, s, true);
	gs_buf_char(out, '"');
}

void m_put_label(struct gs_buf *out, char before, struct gs_str name, struct gs_str value) {
	bool classic = gs_expo_is_label_name(name);
	gs_buf_char(out, before);
	gs_buf_cstr(out, classic ? "" : "\"");
	gs_buf_str(out, name);
	gs_buf_cstr(out, classic ? "=\"" : "\"=\"");
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\\' || value.p[i] == '\n' || value.p[i] == '"')
			gs_buf_char(out, '\\');
		gs_buf_char(out, value.p[i] == '\n' ? 'n' : value.p[i]);
	}
	gs_buf_char(out, '"');
}

static void put_label(struct gs_buf *out, char *before, const char *name, const char *value) {
	gs_buf_char(out, *before);
	*before = ',';
	if (gs_expo_is_label_name(gs_str_of(name)))
		gs_buf_cstr(out, name);
	else
		put_in_quotes(out, name);
	gs_buf_char(out, '=');
	put_in_quotes(out, value);
}

static void put_line(struct gs_buf *out, const struct m_series *series, const char *suffix, const char *bound,
    const char *at, double value) {
	bool quoted = !gs_expo_is_metric_name(gs_str_of(series->name));
	char before = quoted ? ',' : '{';
	gs_buf_cstr(out, quoted ? "{\"" : "");
	put_escaped(out, series->name, quoted);
	gs_buf_cstr(out, suffix);
	gs_buf_cstr(out, quoted ? "\"" : "");
	for (unsigned i = 0; i < series->nlabels; i++)
		put_label(out, &before, series->labels[i].name, series->labels[i].value);
	if (bound != NULL)
		put_label(out, &before, bound, at);
	if (before == ',')
		gs_buf_char(out, '}');
	gs_buf_char(out, ' ');
	gs_buf_double(out, value);
	gs_buf_char(out, '\n');
}

static void put_series(struct gs_buf *out, const struct m_series *series, const struct m_value *value) {
	enum m_kind kind = m_kind_of(series->type);
	const struct m_parts *parts = &value->parts;
	bool gauge = series->type == GS_TYPE_GAUGEHISTOGRAM;
	if (kind == M_PLAIN) {
		put_line(out, series, "", NULL, NULL, value->simple);
		return;
	}
	for (unsigned i = 0; i < parts->n; i++) {
		if (kind == M_SUMMARY)
			put_line(out, series, "", "quantile", parts->text[i], parts->v[i]);
		else
			put_line(out, series, "_bucket", "le", parts->text[i], parts->v[i]);
	}
	if (parts->has_sum)
		put_line(out, series, gauge ? "_gsum" : "_sum", NULL, NULL, parts->sum);
	if (parts->has_count)
		put_line(out, series, gauge ? "_gcount" : "_count", NULL, NULL, parts->count);
}

/* Text has no word for info and stateset, and its readers know no gaugehistogram. */
static const char *type_word(const struct model *model, const char *name) {
	const struct m_series *first = NULL;
	for (size_t i = 0; i < model->nseries; i++) {
		const struct m_series *series = model->series[i];
		if (!m_same(series->name, name))
			continue;
		if (first != NULL && first->type != series->type)
			return "untyped";
		first = series;
	}
	if (first == NULL || first->type == GS_TYPE_GAUGEHISTOGRAM)
		return "untyped";
	if (first->type == GS_TYPE_INFO || first->type == GS_TYPE_STATESET)
		return "gauge";
	return gs_expo_type_name(first->type);
}

static void put_comment(struct gs_buf *out, const char *word, const char *name, const char *text) {
	gs_buf_printf(out, "# %s ", word);
	if (gs_expo_is_metric_name(gs_str_of(name)))
		gs_buf_cstr(out, name);
	else
		put_in_quotes(out, name);
	gs_buf_char(out, ' ');
	put_escaped(out, text, false);
	gs_buf_char(out, '\n');
}

void m_show(const struct model *model, const char *name, int64_t now_ms, struct gs_buf *out, double *ret_tolerance,
    bool *ret_timed) {
	size_t begin = out->n;
	*ret_tolerance = 0;
	*ret_timed = false;
	for (size_t i = 0; i < model->nhelps; i++) {
		if (m_same(model->helps[i].name, name) && model->helps[i].help[0] != '\0')
			put_comment(out, "HELP", name, model->helps[i].help);
	}
	put_comment(out, "TYPE", name, type_word(model, name));
	size_t head = out->n;
	for (size_t i = 0; i < model->nseries; i++) {
		const struct m_series *series = model->series[i];
		const struct m_value *shown = &series->value;
		struct m_value value;
		if (!m_same(series->name, name))
			continue;
		if (series->pebble != NULL) {
			double tolerance = m_pebble_tolerance(series->pebble);
			*ret_tolerance = tolerance > *ret_tolerance ? tolerance : *ret_tolerance;
			*ret_timed = true;
			if (!m_pebble_read(series->pebble, m_kind_of(series->type), now_ms, &value))
				continue;
			shown = &value;
		}
		put_series(out, series, shown);
	}
	if (out->n == head)
		out->n = begin; /* no family without samples */
}

/* Formats that know exemplars */

static bool is(const char *a, struct gs_str b) {
	return gs_str_eq(gs_str_of(a), b);
}

/* Whether the event is of this series; ${bucket}: it has a label le on top. */
static bool is_of(const struct m_series *series, const struct gs_expo_event *event, bool bucket) {
	struct gs_str name = event->name;
	if (bucket)
		name.n -= strlen("_bucket");
	if (!is(series->name, name) || event->nlabels != series->nlabels + bucket)
		return false;
	for (size_t i = 0; i < event->nlabels; i++) {
		const struct gs_label *label = &event->labels[i];
		bool found = bucket && gs_str_eq(label->name, GS_STR("le"));
		for (unsigned k = 0; k < series->nlabels && !found; k++)
			found = is(series->labels[k].name, label->name) && is(series->labels[k].value, label->value);
		if (!found)
			return false;
	}
	return true;
}

const struct m_exemplar *m_exemplar_of(const struct model *model, const struct gs_expo_event *event) {
	bool bucket = event->part == GS_PART_BUCKET && m_kind_of(event->type) == M_HISTOGRAM;
	double at = bucket ? event->bound : (double)INFINITY;
	if (!bucket && !(event->part == GS_PART_VALUE && event->type == GS_TYPE_COUNTER))
		return NULL;
	for (size_t i = 0; i < model->nseries; i++) {
		const struct m_exemplars *exemplars = &model->series[i]->value.exemplars;
		if (exemplars->n == 0 || !is_of(model->series[i], event, bucket))
			continue;
		for (unsigned k = 0; k < exemplars->n; k++) {
			if (exemplars->at[k] == at)
				return &exemplars->e[k];
		}
	}
	return NULL;
}

const char *m_unit_of(const struct model *model, struct gs_str name) {
	for (size_t i = 0; i < model->nhelps; i++) {
		if (is(model->helps[i].name, name))
			return model->helps[i].unit;
	}
	return "";
}
