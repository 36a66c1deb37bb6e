/* SPDX-License-Identifier: Apache-2.0 */
/* A body as text, and as the batch that gs_batch_read makes of it. */
#include <math.h>

#include "gravel/base/num.h"
#include "model.h"

#define EXEMPLAR_MAX 128 /* characters of the labels of an exemplar */

/* Text */

static void put_quoted(struct gs_buf *out, const char *s) {
	gs_buf_char(out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			gs_buf_char(out, '\\');
		if (*s == '\n')
			gs_buf_cstr(out, "\\n");
		else
			gs_buf_char(out, *s);
	}
	gs_buf_char(out, '"');
}

static void put_name(struct gs_buf *out, const char *name) {
	if (gs_expo_is_metric_name(gs_str_of(name)))
		gs_buf_cstr(out, name);
	else
		put_quoted(out, name);
}

static void put_label(struct gs_buf *out, bool *first, const char *name, const char *value) {
	gs_buf_char(out, *first ? '{' : ',');
	*first = false;
	if (gs_expo_is_label_name(gs_str_of(name)))
		gs_buf_cstr(out, name);
	else
		put_quoted(out, name);
	gs_buf_char(out, '=');
	put_quoted(out, value);
}

static void put_exemplar(struct gs_buf *out, const struct m_exemplar *exemplar) {
	char seconds[GS_NUM_DOUBLE_MAX];
	if (exemplar->trace == NULL)
		return;
	gs_buf_printf(out, " # {trace=\"%s\"} ", exemplar->trace);
	gs_buf_double(out, exemplar->value);
	if (!exemplar->has_time)
		return;
	gs_buf_char(out, ' ');
	gs_buf_add(out, seconds, gs_num_print_ms_as_seconds(seconds, exemplar->time_ms));
}

static void put_sample(struct gs_buf *out, const struct m_line *line) {
	bool first = gs_expo_is_metric_name(gs_str_of(line->name));
	if (first)
		gs_buf_cstr(out, line->name);
	else {
		gs_buf_char(out, '{');
		put_quoted(out, line->name);
	}
	for (unsigned i = 0; i < line->nlabels; i++)
		put_label(out, &first, line->labels[i].name, line->labels[i].value);
	if (line->mode != NULL)
		put_label(out, &first, "clearmode", line->mode->text);
	if (!first)
		gs_buf_char(out, '}');
	gs_buf_char(out, ' ');
	gs_buf_double(out, line->value);
	if (line->has_time) {
		gs_buf_char(out, ' ');
		gs_buf_i64(out, line->time_ms);
	}
	put_exemplar(out, &line->exemplar);
}

static void put_help(struct gs_buf *out, const char *help) {
	for (; *help != '\0'; help++) {
		if (*help == '\\')
			gs_buf_char(out, '\\');
		if (*help == '\n')
			gs_buf_cstr(out, "\\n");
		else
			gs_buf_char(out, *help);
	}
}

void m_body_text(const struct m_body *body, struct gs_buf *out) {
	for (unsigned i = 0; i < body->n; i++) {
		const struct m_line *line = &body->lines[i];
		if (line->kind == M_SAMPLE) {
			put_sample(out, line);
		} else {
			gs_buf_cstr(out, line->kind == M_TYPE   ? "# TYPE "
					 : line->kind == M_HELP ? "# HELP "
								: "# UNIT ");
			put_name(out, line->name);
			gs_buf_char(out, ' ');
			if (line->kind == M_TYPE)
				gs_buf_cstr(out, gs_expo_type_name(line->type));
			else
				put_help(out, line->help);
		}
		gs_buf_char(out, '\n');
	}
}

/* Meaning */

static struct m_family *find_family(struct m_batch *batch, const char *name) {
	for (unsigned i = 0; i < batch->nfamilies; i++) {
		if (m_same(batch->families[i].name, name))
			return &batch->families[i];
	}
	return NULL;
}

static struct m_family *family_of(struct m_batch *batch, const char *name) {
	struct m_family *family = find_family(batch, name);
	if (family != NULL)
		return family;
	family = &batch->families[batch->nfamilies++];
	*family = (struct m_family){.name = name, .help = "", .unit = ""};
	return family;
}

/* TYPE and HELP count wherever they stand. The first TYPE counts; another one is an error of a push. */
static enum gs_status read_heads(const struct m_body *body, struct m_batch *batch) {
	for (unsigned i = 0; i < body->n; i++) {
		const struct m_line *line = &body->lines[i];
		if (line->kind == M_SAMPLE)
			continue;
		struct m_family *family = family_of(batch, line->name);
		if (line->kind == M_UNIT) {
			if (line->help[0] != '\0')
				family->unit = line->help;
			continue;
		}
		if (line->kind == M_HELP) {
			if (line->help[0] != '\0')
				family->help = line->help;
			continue;
		}
		if (family->typed && family->type != line->type && !batch->options.lenient)
			return GS_EINVAL;
		if (!family->typed)
			family->type = line->type;
		family->typed = true;
	}
	return GS_OK;
}

/* What a name is: a sample of its own family (suffix ""), or a part of a typed one. NULL: both, by their TYPE lines. */
static struct m_family *meaning_of(struct m_batch *batch, const char *name, const char **ret_suffix) {
	const struct m_family *own = find_family(batch, name);
	for (unsigned i = 0; i < batch->nfamilies; i++) {
		struct m_family *family = &batch->families[i];
		const char *suffixes[3];
		unsigned n = family->typed ? m_suffixes(family->type, suffixes) : 0;
		for (unsigned s = 0; s < n; s++) {
			if (!m_is_joined(name, family->name, suffixes[s]))
				continue;
			*ret_suffix = suffixes[s];
			return own != NULL && own->typed ? NULL : family;
		}
	}
	*ret_suffix = "";
	return family_of(batch, name);
}

/* As Prometheus: exported_ is put in front until the name is free. */
static const char *exported(const struct m_batch *batch, const struct m_point *point, const char *name) {
	const struct m_options *options = &batch->options;
	while (m_find_label(point->labels, point->nlabels, name) != NULL ||
	       m_find_label(options->labels, options->nlabels, name) != NULL)
		name = m_join("exported_", name);
	return name;
}

static void remove_label(struct m_point *point, struct m_label *label) {
	*label = point->labels[--point->nlabels];
}

static void set_label(const struct m_batch *batch, struct m_point *point, const struct m_label *set) {
	struct m_label *old = NULL;
	for (unsigned i = 0; i < point->nlabels && old == NULL; i++) {
		if (m_same(point->labels[i].name, set->name))
			old = &point->labels[i];
	}
	bool empty = set->value[0] == '\0';
	if (old == NULL && !empty)
		point->labels[point->nlabels++] = *set;
	if (old == NULL || batch->options.rule == M_HONOR)
		return;
	if (empty) {
		remove_label(point, old);
	} else if (batch->options.rule == M_EXPORT) {
		old->name = exported(batch, point, set->name);
		point->labels[point->nlabels++] = *set;
	} else {
		*old = *set;
	}
}

/* Whether an empty label of a sample says that the one of the batch is not to be set. */
static bool keeps_away(const struct m_batch *batch, const char *name) {
	bool set = false;
	for (unsigned i = 0; i < batch->options.nlabels; i++)
		set = set || m_same(batch->options.labels[i].name, name);
	return set && batch->options.rule == M_HONOR;
}

/* The labels of the point that a sample belongs to. *ret_bound is the text of its le or quantile. False: a label that only parts have. */
static bool point_labels(const struct m_batch *batch, const struct m_line *line, const char *bound, bool is_bound,
    struct m_point *point, const char **ret_bound) {
	*ret_bound = "";
	for (unsigned i = 0; i < line->nlabels; i++) {
		if (line->labels[i].value[0] == '\0' && !keeps_away(batch, line->labels[i].name))
			continue;
		if (is_bound && m_same(line->labels[i].name, bound))
			*ret_bound = line->labels[i].value;
		else
			point->labels[point->nlabels++] = line->labels[i];
	}
	if (batch->options.gateway && line->mode != NULL)
		point->labels[point->nlabels++] = (struct m_label){"clearmode", line->mode->text};
	for (unsigned i = 0; i < batch->options.nlabels; i++)
		set_label(batch, point, &batch->options.labels[i]);
	for (unsigned i = point->nlabels; batch->options.rule == M_HONOR && i-- > 0;) {
		if (point->labels[i].value[0] == '\0')
			remove_label(point, &point->labels[i]);
	}
	if (batch->options.gateway && m_find_label(point->labels, point->nlabels, "instance") == NULL)
		point->labels[point->nlabels++] = (struct m_label){"instance", ""};
	m_sort_labels(point->labels, point->nlabels);
	return bound == NULL || m_find_label(point->labels, point->nlabels, bound) == NULL;
}

static struct m_point *find_point(struct m_batch *batch, const struct m_point *like) {
	for (unsigned i = 0; i < batch->npoints; i++) {
		struct m_point *point = &batch->points[i];
		if (point->family == like->family &&
		    m_same_labels(point->labels, point->nlabels, like->labels, like->nlabels))
			return point;
	}
	return NULL;
}

static bool same_mode(const struct m_mode *a, const struct m_mode *b) {
	if (a->kind != b->kind || a->kind != M_PEBBLE)
		return a->kind == b->kind;
	return a->agg == b->agg && a->window_ms == b->window_ms && a->percent == b->percent;
}

static bool put_once(bool *has, double *to, double value) {
	bool first = !*has;
	*has = true;
	if (first)
		*to = value;
	return first;
}

/* As the Pushgateway spells bounds, whatever was written. */
static const char *as_number(double v) {
	char text[GS_NUM_DOUBLE_MAX + 1];
	text[gs_num_print_double(text, v)] = '\0';
	return m_intern(text);
}

/* Only short ones. */
static void keep_exemplar(struct m_point *point, double at, const struct m_line *line) {
	const char *trace = line->exemplar.trace;
	if (trace != NULL && strlen("trace") + strlen(trace) <= EXEMPLAR_MAX)
		m_exemplars_put(&point->value.exemplars, at, &line->exemplar);
}

/* Put the value of the sample into its point; false: it cannot be a part, or the point has it already. */
static bool fill(
    struct m_point *point, const struct m_line *line, const char *suffix, const char *bound, bool gateway) {
	enum m_kind kind = m_kind_of(point->family->type);
	struct m_parts *parts = &point->value.parts;
	if (kind == M_PLAIN) {
		if (point->samples != 0)
			return false;
		point->value.simple = line->value;
		if (point->family->type == GS_TYPE_COUNTER)
			keep_exemplar(point, (double)INFINITY, line);
		return true;
	}
	if (m_same(suffix, "_sum") || m_same(suffix, "_gsum"))
		return put_once(&parts->has_sum, &parts->sum, line->value);
	if (m_same(suffix, "_count") || m_same(suffix, "_gcount"))
		return put_once(&parts->has_count, &parts->count, line->value);
	double at = 0;
	if (kind == M_HISTOGRAM && suffix[0] == '\0')
		return false;
	if (bound[0] == '\0' || gs_num_parse_double(gs_str_of(bound), &at) != GS_OK || isnan(at))
		return false;
	if (!m_parts_put(parts, at, gateway ? as_number(at) : bound, line->value))
		return false;
	if (kind == M_HISTOGRAM)
		keep_exemplar(point, at, line);
	return true;
}

/* Found while reading, before what needs the whole body. */
static bool is_wrong(const struct m_line *line, const struct m_options *options) {
	if (options->gateway)
		return line->has_time;
	return line->mode != NULL && line->mode->kind == M_UNKNOWN;
}

/* False: a push is refused for this sample, a scrape goes on without it. */
static bool read_sample(struct m_batch *batch, const struct m_line *line, unsigned number) {
	const char *suffix, *bound;
	bool named = line->mode != NULL && !batch->options.gateway;
	struct m_mode mode = named ? *line->mode : batch->options.mode;
	struct m_family *family = meaning_of(batch, line->name, &suffix);
	if (family == NULL)
		return false;
	enum m_kind kind = m_kind_of(family->type);
	const char *name = kind == M_HISTOGRAM ? "le" : kind == M_SUMMARY ? "quantile" : NULL;
	bool is_bound = (kind == M_HISTOGRAM && m_same(suffix, "_bucket")) || (kind == M_SUMMARY && suffix[0] == '\0');
	struct m_point like = {.family = family, .mode = mode, .has_time = line->has_time, .time_ms = line->time_ms};
	like.line = number;
	if (!point_labels(batch, line, name, is_bound, &like, &bound))
		return false;
	struct m_point *point = find_point(batch, &like);
	if (point != NULL && !same_mode(&point->mode, &mode))
		return false;
	struct m_point *to = point != NULL ? point : &like;
	if (!fill(to, line, suffix, bound, batch->options.gateway))
		return false;
	to->samples++;
	family->family_mode |= mode.kind == M_FAMILY;
	m_demand(point != NULL || batch->npoints < M_POINTS, "too many points");
	if (point == NULL)
		batch->points[batch->npoints++] = like;
	return true;
}

/* +Inf and count stand for one another, buckets are cumulative. */
static bool finish_histogram(struct m_point *point) {
	struct m_parts *parts = &point->value.parts;
	bool has_inf = parts->n != 0 && parts->at[parts->n - 1] == (double)INFINITY;
	if (!has_inf && parts->has_count)
		(void)m_parts_put(parts, (double)INFINITY, "+Inf", parts->count);
	else if (has_inf && !parts->has_count)
		(void)put_once(&parts->has_count, &parts->count, parts->v[parts->n - 1]);
	double below = 0;
	for (unsigned i = 0; i < parts->n; i++) {
		if (!(parts->v[i] >= below))
			return false;
		below = parts->v[i];
	}
	return parts->n != 0 && below == parts->count;
}

enum gs_status m_body_read(const struct m_body *body, const struct m_options *options, struct m_batch *ret) {
	ret->options = *options;
	ret->nfamilies = ret->npoints = ret->samples = ret->dropped = 0;
	for (unsigned i = 0; i < body->n; i++) {
		const struct m_line *line = &body->lines[i];
		if (line->kind == M_SAMPLE && is_wrong(line, options) && !options->lenient)
			return GS_EINVAL;
	}
	enum gs_status status = read_heads(body, ret);
	for (unsigned i = 0; i < body->n && status == GS_OK; i++) {
		const struct m_line *line = &body->lines[i];
		if (line->kind != M_SAMPLE)
			continue;
		ret->samples++;
		if (!is_wrong(line, options) && read_sample(ret, line, i + 1))
			continue;
		if (!options->lenient)
			return GS_EINVAL;
		ret->dropped++;
	}
	for (unsigned i = 0; i < ret->npoints && status == GS_OK && !options->lenient; i++) {
		struct m_point *point = &ret->points[i];
		if (m_kind_of(point->family->type) == M_HISTOGRAM && !finish_histogram(point))
			status = GS_EINVAL;
	}
	return status;
}
