/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "gravel/base/num.h"
#include "gravel/expo/write.h"
#include "rollup_internal.h"

/* Values are not carried along from scrape to scrape, but taken anew: so no error of rounding stays, and no NaN or infinity. */

static bool is_recent(const struct gs_rollup *r) {
	for (size_t i = 0; i < r->nrules; i++) {
		if (r->rules[i].class == CLASS_VALUE)
			return true;
	}
	return false;
}

static void clear_group(const struct gs_rollup *r, uint32_t number) {
	struct group *g = group_at(r, number);
	g->total = 0;
	g->count = 0;
	g->n = 0;
}

/* ${v} more, with what rounding took from the sum noted: so the order of the targets does not matter. */
static void add(struct group *g, double v) {
	double sum = g->total + v;
	if (isfinite(sum))
		g->count += fabs(g->total) >= fabs(v) ? g->total - sum + v : v - sum + g->total;
	g->total = sum;
}

/* As in PromQL: a NaN is less and more than nothing, but for another NaN. */
static void add_extreme(struct group *g, double v, bool max) {
	if (g->n == 0 || isnan(g->total) || (max ? v > g->total : v < g->total))
		g->total = v;
}

static void add_value(const struct gs_rollup *r, const struct input *input) {
	GS_ROLLUP_EACH(r, &input->to, number) {
		struct group *g = group_at(r, number);
		const struct rule *rule = &r->rules[g->rule];
		if (rule->class != CLASS_VALUE)
			continue;
		if (rule->op == GS_ROLLUP_SUM || rule->op == GS_ROLLUP_AVG)
			add(g, input->last);
		else if (rule->op != GS_ROLLUP_COUNT)
			add_extreme(g, input->last, rule->op == GS_ROLLUP_MAX);
		g->n++;
	}
}

static void take_values(const struct gs_rollup *r) {
	for (size_t i = 0; i < r->nrules; i++) {
		if (r->rules[i].class != CLASS_VALUE)
			continue;
		for (uint32_t g = r->rules[i].first; g != 0; g = group_at(r, g)->next)
			clear_group(r, g);
	}
	for (uint32_t t = r->first_target; t != 0; t = target_at(r, t)->next) {
		for (uint32_t i = target_at(r, t)->first; i != 0; i = input_at(r, i)->follow) {
			if (input_at(r, i)->live)
				add_value(r, input_at(r, i));
		}
	}
}

static double value_of(const struct rule *rule, const struct group *g) {
	double sum = isfinite(g->total) ? g->total + g->count : g->total;
	switch (rule->op) {
	case GS_ROLLUP_SUM:
		return sum;
	case GS_ROLLUP_AVG:
		return sum / g->n;
	case GS_ROLLUP_COUNT:
		return g->n;
	case GS_ROLLUP_MIN:
	case GS_ROLLUP_MAX:
		break;
	}
	return g->total;
}

/* Writing */

struct writing {
	const struct gs_rollup *r;
	const struct rule *rule;
	struct gs_expo_writer writer;
	struct gs_expo_sample sample;
	struct gs_label labels[GS_LIMIT_LABELS + 1];
};

static void write_part(struct writing *w, struct gs_str suffix, double value) {
	w->sample.suffix = suffix;
	w->sample.value = value;
	gs_expo_write_sample(&w->writer, &w->sample);
}

static void write_bucket(struct writing *w, double at, double value) {
	char text[GS_NUM_DOUBLE_MAX];
	struct gs_label le = {.name = GS_STR("le"), .value = {.p = text, .n = gs_num_print_go(text, at)}};
	w->sample.bound = &le;
	write_part(w, GS_STR("_bucket"), value);
	w->sample.bound = NULL;
}

/* Inputs that are no histograms, because a bucket is above the next one, do not make the result another. */
static void write_histogram(struct writing *w, struct group *g) {
	uint32_t n = g->nbounds;
	bool open = n == 0 || !isinf(g->bounds[n - 1].at) || g->bounds[n - 1].at < 0;
	double most = n != 0 ? g->bounds[n - 1].total : g->count;
	if (open && g->count > most)
		most = g->count;
	double low = most;
	for (uint32_t i = n; i-- > 0;) {
		if (g->bounds[i].total < low)
			low = g->bounds[i].total;
		g->bounds[i].shown = low;
	}
	for (uint32_t i = 0; i < n; i++)
		write_bucket(w, g->bounds[i].at, g->bounds[i].shown);
	if (open)
		write_bucket(w, INFINITY, most);
	if (g->has_sum)
		write_part(w, GS_STR("_sum"), g->total);
	write_part(w, GS_STR("_count"), most);
}

static void write_group(struct writing *w, struct group *g) {
	struct gs_str rest = gs_str_make(g->key.p + sizeof(uint32_t), g->key.n - sizeof(uint32_t));
	size_t n = 0;
	while (n <= GS_LIMIT_LABELS && gs_rollup_next_label(&rest, &w->labels[n]))
		n++;
	w->sample = (struct gs_expo_sample){.labels = w->labels, .nlabels = n};
	switch (w->rule->class) {
	case CLASS_NONE:
		break;
	case CLASS_VALUE:
		write_part(w, GS_STR(""), value_of(w->rule, g));
		break;
	case CLASS_COUNTER:
		write_part(w, GS_STR(""), g->total);
		break;
	case CLASS_HISTOGRAM:
		write_histogram(w, g);
		break;
	case CLASS_SUMMARY:
		if (g->has_sum)
			write_part(w, GS_STR("_sum"), g->total);
		write_part(w, GS_STR("_count"), g->count);
		break;
	}
}

static enum gs_expo_type type_of(const struct rule *rule) {
	switch (rule->class) {
	case CLASS_COUNTER:
		return GS_TYPE_COUNTER;
	case CLASS_HISTOGRAM:
		return GS_TYPE_HISTOGRAM;
	case CLASS_SUMMARY:
		return GS_TYPE_SUMMARY;
	case CLASS_NONE:
	case CLASS_VALUE:
		break;
	}
	return rule->op == GS_ROLLUP_SUM && rule->nuntyped != 0 ? GS_TYPE_UNTYPED : GS_TYPE_GAUGE;
}

static void write_rule(struct writing *w) {
	bool head = false;
	for (uint32_t number = w->rule->first; number != 0; number = group_at(w->r, number)->next) {
		struct group *g = group_at(w->r, number);
		if (w->rule->class == CLASS_VALUE && g->n == 0)
			continue;
		if (!head)
			gs_expo_write_family(
			    &w->writer, &(struct gs_expo_family){.name = w->rule->as, .type = type_of(w->rule)});
		head = true;
		write_group(w, g);
	}
}

enum gs_status gs_rollup_write(struct gs_rollup *rollup, struct gs_buf *out) {
	struct writing w = {.r = rollup};
	gs_expo_writer_init(
	    &w.writer, out, (struct gs_expo_dialect){.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE});
	if (is_recent(rollup))
		take_values(rollup);
	for (size_t i = 0; i < rollup->nrules; i++) {
		w.rule = &rollup->rules[i];
		write_rule(&w);
	}
	return out->status;
}
