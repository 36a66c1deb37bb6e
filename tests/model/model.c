/* SPDX-License-Identifier: Apache-2.0 */
/* What operations do to the store: DESIGN 3, include/gravel/gravel/store.h, docs/PUSHING.md. */
#include "model.h"

#include <stdlib.h>

#include "gravel/base/mem.h"

#define FORGET_STALE_MS (3600 * 1000)
#define TYPES (GS_TYPE_GAUGEHISTOGRAM + 1)

struct model *m_new(const struct m_limits *limits) {
	struct model *model = gs_alloc(sizeof(*model));
	m_demand(model != NULL, "memory");
	model->limits = *limits;
	model->next_owner = M_FIRST_GROUP;
	model->next_gateway = M_FIRST_GATEWAY;
	return model;
}

static void free_series(struct m_series *series) {
	m_pebble_free(series->pebble);
	gs_free(series);
}

void m_free(struct model *model) {
	if (model == NULL)
		return;
	for (size_t i = 0; i < model->nseries; i++)
		free_series(model->series[i]);
	gs_free(model);
}

/* Families: the series of one name, and its help */

static size_t count_type(const struct model *model, const char *name, enum gs_expo_type type) {
	size_t n = 0;
	for (size_t i = 0; i < model->nseries; i++)
		n += m_same(model->series[i]->name, name) && model->series[i]->type == type;
	return n;
}

/* How many types the family has; one of them. */
static unsigned types_of(const struct model *model, const char *name, enum gs_expo_type *ret) {
	unsigned types = 0;
	for (unsigned t = 0; t < TYPES; t++) {
		if (count_type(model, name, (enum gs_expo_type)t) == 0)
			continue;
		*ret = (enum gs_expo_type)t;
		types++;
	}
	return types;
}

static bool is_stored(const struct model *model, const char *name) {
	for (size_t i = 0; i < model->nseries; i++) {
		if (m_same(model->series[i]->name, name))
			return true;
	}
	return false;
}

/* The newest help and unit that are not empty. */
static void set_help(struct model *model, const char *name, const char *help, const char *unit) {
	if ((help[0] == '\0' && unit[0] == '\0') || !is_stored(model, name))
		return;
	size_t i = 0;
	while (i < model->nhelps && !m_same(model->helps[i].name, name))
		i++;
	if (i == model->nhelps)
		model->helps[model->nhelps++] = (struct m_help){.name = name, .help = "", .unit = ""};
	if (help[0] != '\0')
		model->helps[i].help = help;
	if (unit[0] != '\0')
		model->helps[i].unit = unit;
}

/* The help of a family leaves with its last series. */
static void forget_helps(struct model *model) {
	for (size_t i = model->nhelps; i-- > 0;) {
		if (!is_stored(model, model->helps[i].name))
			model->helps[i] = model->helps[--model->nhelps];
	}
}

static struct m_series *find_series(const struct model *model, const struct m_point *point) {
	for (size_t i = 0; i < model->nseries; i++) {
		struct m_series *series = model->series[i];
		if (m_same(series->name, point->family->name) &&
		    m_same_labels(series->labels, series->nlabels, point->labels, point->nlabels))
			return series;
	}
	return NULL;
}

static struct m_series *add_series(
    struct model *model, const struct m_point *point, enum gs_expo_type type, int owner) {
	struct m_series *series = gs_alloc(sizeof(*series));
	m_demand(series != NULL && model->nseries < M_SERIES, "memory");
	series->name = point->family->name;
	memcpy(series->labels, point->labels, sizeof(series->labels));
	series->nlabels = point->nlabels;
	series->type = type;
	series->owner = owner;
	series->created = true;
	model->series[model->nseries++] = series;
	return series;
}

size_t m_remove_series(struct model *model, m_pick_fn *pick, const void *ctx) {
	size_t kept = 0, n = model->nseries;
	for (size_t i = 0; i < n; i++) {
		if (pick(model->series[i], ctx))
			free_series(model->series[i]);
		else
			model->series[kept++] = model->series[i];
	}
	model->nseries = kept;
	forget_helps(model);
	return n - kept;
}

/* Names: the samples of a family with parts have names that no other family may have. */

/* Who applies, and whose series leave with it but for those that it brings: their families are in nobody's way. */
struct m_apply {
	struct model *model;
	const struct m_batch *batch;
	int owner;
	int leaving; /* an owner, or -1 */
	int64_t now_ms;
	struct m_result *result;
	struct m_step {
		const struct m_point *point;
		struct m_series *series;
		enum gs_expo_type type;
	} steps[M_POINTS];
	unsigned n;
};

static bool is_gateway(int owner) {
	return owner >= M_FIRST_GATEWAY;
}

/* What does not fit is refused; else it is dropped and counted. */
static bool is_strict(int owner) {
	return owner == M_PUSHED || is_gateway(owner);
}

static bool owns_all(const struct model *model, const char *name, int owner) {
	for (size_t i = 0; i < model->nseries; i++) {
		if (m_same(model->series[i]->name, name) && model->series[i]->owner != owner)
			return false;
	}
	return true;
}

static bool lasts(const struct m_apply *apply, const char *name) {
	return is_stored(apply->model, name) && (apply->leaving < 0 || !owns_all(apply->model, name, apply->leaving));
}

static bool is_part_name(const struct m_apply *apply, const char *name) {
	static const enum gs_expo_type types[] = {GS_TYPE_HISTOGRAM, GS_TYPE_SUMMARY, GS_TYPE_GAUGEHISTOGRAM};
	for (size_t i = 0; i < apply->model->nseries; i++) {
		const struct m_series *series = apply->model->series[i];
		const char *suffixes[3];
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			unsigned n = series->type == types[t] ? m_suffixes(types[t], suffixes) : 0;
			for (unsigned s = 0; s < n; s++) {
				if (m_is_joined(name, series->name, suffixes[s]) && lasts(apply, series->name))
					return true;
			}
		}
	}
	return false;
}

static bool claims_stored(const struct m_apply *apply, const char *name, enum gs_expo_type type) {
	const char *suffixes[3];
	unsigned n = m_suffixes(type, suffixes);
	for (unsigned s = 0; s < n; s++) {
		if (lasts(apply, m_join(name, suffixes[s])))
			return true;
	}
	return false;
}

static bool name_conflicts(const struct m_apply *apply, const struct m_family *family) {
	return is_part_name(apply, family->name) || claims_stored(apply, family->name, family->type);
}

/* Whether the family can be applied, and the type that its series get. A push must agree with the stored type, but for what has no type; a group
 * of the Pushgateway's dialect may change the type of what is all its own; a scrape need not agree. */
static bool agree(const struct m_apply *apply, const struct m_family *family, enum gs_expo_type *ret) {
	enum gs_expo_type stored = GS_TYPE_UNTYPED;
	unsigned types = types_of(apply->model, family->name, &stored);
	*ret = family->type;
	if (types == 0)
		return !name_conflicts(apply, family);
	if (types == 1 && stored == family->type)
		return true;
	if (m_kind_of(family->type) != M_PLAIN && name_conflicts(apply, family))
		return false;
	if (!is_strict(apply->owner))
		return true;
	if (is_gateway(apply->owner))
		return owns_all(apply->model, family->name, apply->owner);
	if (types != 1 || m_kind_of(stored) != M_PLAIN || m_kind_of(family->type) != M_PLAIN)
		return false;
	if (!family->typed)
		*ret = stored;
	return !family->typed || stored == GS_TYPE_UNTYPED;
}

/* In a family of several types a quantile of a summary and an ordinary series with a label of that name are written alike. */
static bool quantile_clashes(const struct model *model, const struct m_point *point, enum gs_expo_type type) {
	const char *name = point->family->name;
	enum gs_expo_type stored;
	if (!is_stored(model, name) || (types_of(model, name, &stored) == 1 && stored == type))
		return false;
	if (type != GS_TYPE_SUMMARY)
		return count_type(model, name, GS_TYPE_SUMMARY) != 0 &&
		       m_find_label(point->labels, point->nlabels, "quantile") != NULL;
	for (size_t i = 0; i < model->nseries; i++) {
		const struct m_series *series = model->series[i];
		if (m_same(series->name, name) && series->type != GS_TYPE_SUMMARY &&
		    m_find_label(series->labels, series->nlabels, "quantile") != NULL)
			return true;
	}
	return false;
}

/* Applying a batch: a plan that changes nothing but for adding series, then the change. */

static bool is_created(const struct m_series *series, const void *ctx) {
	(void)ctx;
	return series->created;
}

static enum gs_status plan_point(struct m_apply *apply, const struct m_point *point, enum gs_expo_type type) {
	struct model *model = apply->model;
	struct m_series *series = find_series(model, point);
	bool others = series != NULL && series->owner != apply->owner;
	if (others && (is_gateway(apply->owner) || is_gateway(series->owner)))
		return GS_ECONFLICT; /* nobody takes a series from a group of the dialect, nor does that from others */
	if (series == NULL)
		series = add_series(model, point, type, apply->owner);
	apply->steps[apply->n++] = (struct m_step){.point = point, .series = series, .type = type};
	return GS_OK;
}

static enum gs_status plan_family(struct m_apply *apply, const struct m_family *family) {
	const struct m_batch *batch = apply->batch;
	bool strict = is_strict(apply->owner), first = true, agrees = true;
	enum gs_expo_type type = family->type;
	enum gs_status status = GS_OK;
	for (unsigned i = 0; i < batch->npoints && status == GS_OK; i++) {
		const struct m_point *point = &batch->points[i];
		if (point->family != family)
			continue;
		if (first)
			agrees = agree(apply, family, &type);
		first = false;
		if (!agrees && strict)
			return GS_ECONFLICT;
		if (!agrees || (!strict && quantile_clashes(apply->model, point, type)))
			apply->result->dropped_conflict += point->samples;
		else
			status = plan_point(apply, point, type);
		if (status == GS_ECONFLICT && !strict) {
			apply->result->dropped_conflict += point->samples;
			status = GS_OK;
		}
	}
	return status;
}

struct m_replaced {
	const struct m_family *family;
	const struct m_options *options;
};

/* Clearmode family: what else the pushers have of the family with the same path labels. */
static bool is_replaced(const struct m_series *series, const void *ctx) {
	const struct m_replaced *replaced = ctx;
	return m_same(series->name, replaced->family->name) && series->owner == M_PUSHED && !series->renewed &&
	       m_has_labels(series->labels, series->nlabels, replaced->options->labels, replaced->options->nlabels);
}

bool m_is_in_batch(const struct m_batch *batch, const char *name) {
	for (unsigned i = 0; i < batch->npoints; i++) {
		if (m_same(batch->points[i].family->name, name))
			return true;
	}
	return false;
}

/* What leaves with the batch: of the owner what it does not bring, of a POST in its families; of the pushers what clearmode family replaces. */
static bool leaves(const struct m_apply *apply, const struct m_series *series) {
	if (series->renewed || series->owner != apply->owner)
		return false;
	if (is_gateway(apply->owner) && apply->leaving < 0)
		return m_is_in_batch(apply->batch, series->name);
	if (apply->owner != M_PUSHED)
		return true;
	for (unsigned i = 0; i < apply->batch->nfamilies; i++) {
		struct m_replaced replaced = {.family = &apply->batch->families[i], .options = &apply->batch->options};
		if (replaced.family->family_mode && is_replaced(series, &replaced))
			return true;
	}
	return false;
}

static bool is_of_target(const struct m_label *label) {
	return m_same(label->name, "job") || m_same(label->name, "instance") || m_same(label->name, "publisher");
}

static bool same_target(const struct m_series *a, const struct m_series *b) {
	struct m_label of_a[M_LABELS], of_b[M_LABELS];
	unsigned na = 0, nb = 0;
	for (unsigned i = 0; i < a->nlabels; i++) {
		if (is_of_target(&a->labels[i]))
			of_a[na++] = a->labels[i];
	}
	for (unsigned i = 0; i < b->nlabels; i++) {
		if (is_of_target(&b->labels[i]))
			of_b[nb++] = b->labels[i];
	}
	return m_same_labels(of_a, na, of_b, nb);
}

/* Whether there is room for the new series, with what leaves (if ${exchange}) or beside it. */
static bool is_room_for(const struct m_apply *apply, const struct m_series *added, bool exchange) {
	const struct m_limits *max = &apply->model->limits;
	size_t all = 0, family = 0, group = 0;
	for (size_t i = 0; i < apply->model->nseries; i++) {
		const struct m_series *series = apply->model->series[i];
		if (exchange && leaves(apply, series))
			continue;
		all += series->owner != M_OWN;
		family += m_same(series->name, added->name);
		group += series->owner == added->owner && (added->owner != M_PUSHED || same_target(series, added));
	}
	bool scraped = added->owner != M_PUSHED && !is_gateway(added->owner); /* counted by what it brings */
	return all <= max->max_series && family <= max->max_series_per_family &&
	       (scraped || group <= max->max_series_per_group);
}

/* What we add ourselves has no line, and is never refused. */
static bool is_within(const struct m_apply *apply, bool exchange) {
	size_t brought = 0;
	if (apply->owner == M_OWN)
		return true;
	for (unsigned i = 0; i < apply->n; i++)
		apply->steps[i].series->renewed = true;
	for (unsigned i = 0; i < apply->n; i++) {
		const struct m_step *step = &apply->steps[i];
		brought += step->point->line != 0;
		if (step->series->created && step->point->line != 0 && !is_room_for(apply, step->series, exchange))
			return false;
	}
	return apply->owner == M_PUSHED || is_gateway(apply->owner) ||
	       brought <= apply->model->limits.max_series_per_group;
}

static enum m_mode_kind default_mode(enum gs_expo_type type) {
	return type == GS_TYPE_GAUGE || type == GS_TYPE_INFO || type == GS_TYPE_STATESET ? M_REPLACE : M_AGGREGATE;
}

static struct m_mode mode_of(const struct m_apply *apply, const struct m_step *step, bool fresh) {
	const struct m_pebble *pebble = step->series->pebble;
	struct m_mode mode = step->point->mode;
	if (mode.kind != M_DEFAULT)
		return mode;
	if (apply->owner != M_PUSHED)
		mode.kind = M_REPLACE;
	else if (pebble != NULL && !fresh)
		mode = (struct m_mode){
		    .kind = M_PEBBLE, .agg = pebble->agg, .window_ms = pebble->window_ms, .percent = pebble->percent};
	else
		mode.kind = default_mode(step->type);
	return mode;
}

/* False: too late. */
static bool put_pebble(const struct m_apply *apply, const struct m_step *step, const struct m_mode *mode, bool fresh) {
	struct m_series *series = step->series;
	const struct m_point *point = step->point;
	bool start = series->pebble == NULL || fresh || !m_pebble_is(series->pebble, mode);
	struct m_pebble *pebble = start ? m_pebble_new(mode) : series->pebble;
	int64_t slice;
	bool in_time = m_pebble_place(pebble, apply->now_ms, point->has_time ? point->time_ms : apply->now_ms, &slice);
	if (!in_time && !start)
		return false;
	if (!in_time)
		slice = INT64_MIN / 2; /* the pebble begins, and is empty */
	if (start)
		m_pebble_free(series->pebble);
	series->pebble = pebble;
	series->value = (struct m_value){0};
	bool past = point->has_time && point->time_ms < apply->now_ms;
	m_pebble_push(pebble, slice, past ? point->time_ms : apply->now_ms, &point->value);
	return true;
}

static bool m_combines(const struct m_mode *mode) {
	return mode->kind == M_AGGREGATE || mode->kind == M_MIN || mode->kind == M_MAX;
}

/* False: older than what is stored. */
static bool put_plain(const struct m_step *step, const struct m_mode *mode, bool fresh) {
	struct m_series *series = step->series;
	const struct m_point *point = step->point;
	bool combines = m_combines(mode);
	bool starts = fresh || series->pebble != NULL;
	if (!combines && !fresh && series->pebble == NULL && point->has_time && series->has_time &&
	    point->time_ms < series->time_ms)
		return false;
	m_pebble_free(series->pebble);
	series->pebble = NULL;
	if (!combines || starts) {
		series->value = point->value;
		return true;
	}
	series->value.simple = m_combine(mode->kind, series->value.simple, point->value.simple);
	m_exemplars_add(&series->value.exemplars, &point->value.exemplars);
	m_parts_combine(mode->kind, &series->value.parts, &point->value.parts, m_kind_of(step->type));
	return true;
}

static void apply_step(const struct m_apply *apply, const struct m_step *step) {
	struct m_series *series = step->series;
	const struct m_point *point = step->point;
	struct m_result *result = apply->result;
	bool fresh =
	    series->created || series->owner != apply->owner || m_kind_of(series->type) != m_kind_of(step->type);
	struct m_mode mode = mode_of(apply, step, fresh);
	bool pebble = mode.kind == M_PEBBLE;
	/* A value that both made is as new as the newer of the two. */
	bool keeps_time = m_combines(&mode) && !fresh && series->pebble == NULL && series->has_time &&
			  (!point->has_time || point->time_ms < series->time_ms);
	bool applied = pebble ? put_pebble(apply, step, &mode, fresh) : put_plain(step, &mode, fresh);
	series->renewed = true;
	series->renewed_ms = apply->now_ms;
	series->ttl_ms = apply->batch->options.ttl_ms;
	if (!applied) {
		*(pebble ? &result->dropped_late : &result->dropped_stale) += point->samples;
		return;
	}
	if (point->family->typed || apply->owner != M_PUSHED)
		series->type = point->family->type;
	result->owner_conflicts += series->owner != apply->owner;
	result->series_new += series->created;
	result->samples += point->samples;
	series->owner = apply->owner;
	if (keeps_time)
		return;
	series->has_time = point->has_time;
	series->time_ms = point->time_ms;
}

/* What was stored without a type takes the one that a push gives. */
static void give_type(struct model *model, const struct m_family *family) {
	for (size_t i = 0; i < model->nseries; i++) {
		struct m_series *series = model->series[i];
		if (m_same(series->name, family->name) && series->type == GS_TYPE_UNTYPED)
			series->type = family->type;
	}
}

static void finish_family(const struct m_apply *apply, const struct m_family *family) {
	struct model *model = apply->model;
	bool push = apply->owner == M_PUSHED, any = false;
	enum gs_expo_type type;
	for (unsigned i = 0; i < apply->batch->npoints; i++)
		any |= apply->batch->points[i].family == family;
	if (!any || !is_stored(model, family->name))
		return;
	set_help(model, family->name, family->help, family->unit);
	if (push && family->typed)
		give_type(model, family);
	struct m_replaced replaced = {.family = family, .options = &apply->batch->options};
	if (push && family->family_mode)
		apply->result->series_gone += m_remove_series(model, is_replaced, &replaced);
	apply->result->type_conflicts += types_of(model, family->name, &type) > 1;
}

enum gs_status m_apply_batch(
    struct model *model, const struct m_batch *batch, int owner, int leaving, int64_t now_ms, struct m_result *result) {
	static struct m_apply apply;
	enum gs_status status = GS_OK;
	apply.n = 0;
	apply.model = model;
	apply.batch = batch;
	apply.owner = owner;
	apply.leaving = leaving;
	apply.now_ms = now_ms;
	apply.result = result;
	for (size_t i = 0; i < model->nseries; i++)
		model->series[i]->created = model->series[i]->renewed = false;
	for (unsigned i = 0; i < batch->nfamilies && status == GS_OK; i++)
		status = plan_family(&apply, &batch->families[i]);
	result->beyond = status != GS_OK && !is_within(&apply, false);
	if (status == GS_OK && !is_within(&apply, true))
		status = GS_ELIMIT;
	if (status != GS_OK) {
		(void)m_remove_series(model, is_created, NULL);
		return status;
	}
	for (size_t i = 0; i < model->nseries; i++)
		model->series[i]->renewed = false;
	for (unsigned i = 0; i < apply.n; i++)
		apply_step(&apply, &apply.steps[i]);
	for (unsigned i = 0; i < batch->nfamilies; i++)
		finish_family(&apply, &batch->families[i]);
	return GS_OK;
}

enum gs_status m_push(struct model *model, const struct m_batch *batch, int64_t now_ms, struct m_result *ret) {
	*ret = (struct m_result){0};
	return m_apply_batch(model, batch, M_PUSHED, -1, now_ms, ret);
}

bool m_is_left_behind(const struct m_series *series, const void *ctx) {
	return series->owner == *(const int *)ctx && !series->renewed;
}

static enum gs_status replace_owned(
    struct model *model, const struct m_batch *batch, int owner, int64_t now_ms, struct m_result *ret) {
	*ret = (struct m_result){0};
	enum gs_status status = m_apply_batch(model, batch, owner, -1, now_ms, ret);
	if (status == GS_OK)
		ret->series_gone += m_remove_series(model, m_is_left_behind, &owner);
	return status;
}

enum gs_status m_own(struct model *model, const struct m_batch *batch, int64_t now_ms) {
	struct m_result result;
	return replace_owned(model, batch, M_OWN, now_ms, &result);
}

static struct m_group *find_group(struct model *model, const struct m_group *like) {
	for (size_t i = 0; i < model->ngroups; i++) {
		struct m_group *group = &model->groups[i];
		if (m_same(group->publisher, like->publisher) && m_same(group->job, like->job) &&
		    m_same(group->instance, like->instance))
			return group;
	}
	return NULL;
}

enum gs_status m_scrape(struct model *model, const struct m_group *like, const struct m_batch *batch, int64_t now_ms,
    struct m_result *ret) {
	int64_t age = now_ms - like->time_ms, max = model->limits.max_age_ms;
	*ret = (struct m_result){0};
	if (max != 0 && age > max)
		return GS_ESTALE;
	if (max != 0 && -age > max)
		return GS_EINVAL;
	struct m_group *group = find_group(model, like);
	if (group == NULL && model->ngroups >= model->limits.max_groups)
		return GS_ELIMIT;
	if (group != NULL && like->time_ms <= group->time_ms)
		return GS_ECONFLICT;
	int owner = group != NULL ? group->owner : model->next_owner++;
	enum gs_status status = replace_owned(model, batch, owner, like->time_ms, ret);
	if (status != GS_OK)
		return status;
	if (group == NULL) {
		m_demand(model->ngroups < M_GROUPS, "too many groups");
		group = &model->groups[model->ngroups++];
	}
	*group = *like;
	group->owner = owner;
	group->stale = group->gone = false;
	return GS_OK;
}

/* Its series leave, and what is remembered is that nothing older of it counts. */
enum gs_status m_gone(struct model *model, const struct m_group *like, int64_t now_ms, struct m_result *ret) {
	int64_t age = now_ms - like->time_ms, max = model->limits.max_age_ms;
	*ret = (struct m_result){0};
	if (max != 0 && age > max)
		return GS_ESTALE;
	if (max != 0 && -age > max)
		return GS_EINVAL;
	struct m_group *group = find_group(model, like);
	if (group == NULL && model->ngroups >= model->limits.max_groups)
		return GS_ELIMIT;
	if (group != NULL && like->time_ms < group->time_ms)
		return GS_ECONFLICT;
	if (group == NULL) {
		m_demand(model->ngroups < M_GROUPS, "too many groups");
		group = &model->groups[model->ngroups++];
		*group = *like;
		group->owner = model->next_owner++;
	}
	ret->series_gone = m_remove_series(model, m_is_owned, &group->owner);
	group->time_ms = like->time_ms;
	group->stale = false;
	group->gone = true;
	return GS_OK;
}

void m_delete(struct model *model, const struct m_label *labels, unsigned nlabels, struct m_result *ret) {
	*ret = (struct m_result){0};
	for (size_t i = model->nseries; i-- > 0;)
		model->series[i]->renewed =
		    !m_has_labels(model->series[i]->labels, model->series[i]->nlabels, labels, nlabels);
	int owner = M_PUSHED;
	ret->series_gone = m_remove_series(model, m_is_left_behind, &owner);
}

bool m_is_owned(const struct m_series *series, const void *ctx) {
	return series->owner == *(const int *)ctx;
}

/* A group is stale without a scrape for max_age or three intervals, whichever is larger, and forgotten an hour later. */
static size_t expire_groups(struct model *model, int64_t now_ms) {
	size_t went_stale = 0;
	for (size_t i = model->ngroups; i-- > 0;) {
		struct m_group *group = &model->groups[i];
		int64_t age = now_ms - group->time_ms, max = model->limits.max_age_ms;
		if (group->gone) {
			if (age > (max != 0 ? max : FORGET_STALE_MS))
				*group = model->groups[--model->ngroups];
			continue;
		}
		int64_t patience = max > 3 * group->interval_ms ? max : 3 * group->interval_ms;
		if (age > patience && !group->stale) {
			(void)m_remove_series(model, m_is_owned, &group->owner);
			group->stale = true;
			went_stale++;
		}
		if (age > patience + FORGET_STALE_MS)
			*group = model->groups[--model->ngroups];
	}
	return went_stale;
}

struct m_expiry {
	int64_t now_ms;
	int64_t expiration_ms;
};

static bool is_expired(const struct m_series *series, const void *ctx) {
	const struct m_expiry *expiry = ctx;
	int64_t life = series->ttl_ms != 0 ? series->ttl_ms : expiry->expiration_ms;
	return series->owner == M_PUSHED && life != 0 && expiry->now_ms - series->renewed_ms > life;
}

void m_expire(struct model *model, int64_t now_ms, size_t *ret_stale, size_t *ret_expired) {
	struct m_expiry expiry = {.now_ms = now_ms, .expiration_ms = model->limits.expiration_ms};
	*ret_stale = expire_groups(model, now_ms);
	*ret_expired = m_remove_series(model, is_expired, &expiry);
}

size_t m_owned(const struct model *model, int owner) {
	size_t n = 0;
	for (size_t i = 0; i < model->nseries; i++)
		n += model->series[i]->owner == owner;
	return n;
}
