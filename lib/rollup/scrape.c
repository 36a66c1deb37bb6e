/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>

#include "gravel/base/mem.h"
#include "rollup_internal.h"

/* Scrapes: what their samples say is noted in the inputs, and counts when the scrape has ended well. */

enum gs_status gs_rollup_new(const struct gs_rollup_rule *rules, size_t n, size_t max_series,
    struct gs_rollup **ret_rollup, struct gs_error *err) {
	struct gs_rollup *r = gs_alloc(sizeof(*r));
	if (r == NULL)
		return GS_ENOMEM;
	r->max_series = max_series;
	gs_pool_init(&r->group_pool, sizeof(struct group));
	gs_pool_init(&r->input_pool, sizeof(struct input));
	gs_pool_init(&r->metric_pool, sizeof(struct metric));
	gs_pool_init(&r->ref_pool, sizeof(struct ref));
	gs_pool_init(&r->target_pool, sizeof(struct target));
	gs_slab_init(&r->slab);
	gs_buf_init(&r->key, SIZE_MAX);
	r->inputs.pool = &r->input_pool;
	r->metrics.pool = &r->metric_pool;
	r->names = gs_map_new(GS_LIMIT_ROLLUP_NAMES);
	r->groups = gs_map_new(SIZE_MAX);
	r->targets = gs_map_new(SIZE_MAX);
	enum gs_status status = GS_ENOMEM;
	if (r->names != NULL && r->groups != NULL && r->targets != NULL)
		status = gs_rollup_rules(r, rules, n, err);
	if (status != GS_OK) {
		gs_rollup_free(r);
		return status;
	}
	*ret_rollup = r;
	return GS_OK;
}

void gs_rollup_free(struct gs_rollup *rollup) {
	struct gs_rollup *r = rollup;
	if (r == NULL)
		return;
	r->open = false;
	while (r->first_target != 0)
		gs_rollup_target_free(r, r->first_target);
	gs_rollup_names_clear(r);
	gs_rollup_rules_free(r);
	gs_map_free(r->names);
	gs_map_free(r->groups);
	gs_map_free(r->targets);
	gs_pool_free(&r->group_pool);
	gs_pool_free(&r->input_pool);
	gs_pool_free(&r->metric_pool);
	gs_pool_free(&r->ref_pool);
	gs_pool_free(&r->target_pool);
	gs_slab_free(&r->slab);
	gs_free(r->inputs.heads);
	gs_free(r->metrics.heads);
	gs_buf_free(&r->key);
	gs_free(r);
}

static uint32_t find_target(const struct gs_rollup *r, uint64_t id) {
	return (uint32_t)(uintptr_t)gs_map_get(r->targets, gs_str_make((const char *)&id, sizeof(id)));
}

void gs_rollup_begin(struct gs_rollup *rollup, uint64_t target) {
	struct gs_rollup *r = rollup;
	assert(!r->open);
	r->open = true;
	r->failed = GS_OK;
	r->id = target;
	r->target = find_target(r, target);
	r->at = 0;
	r->expected = 0;
	if (r->target != 0) {
		struct target *t = target_at(r, r->target);
		t->scrape++;
		r->expected = t->first;
	}
}

/* Samples */

/* Its input, which is most often the one that followed the last one in the scrape before; 0: there is none. */
static uint32_t find_input(const struct gs_rollup *r, uint64_t hash) {
	if (r->expected != 0 && input_at(r, r->expected)->node.hash == hash)
		return r->expected;
	return r->target != 0 ? gs_rollup_index_find(&r->inputs, hash, r->target) : 0;
}

static enum gs_status take(
    struct gs_rollup *r, const struct name *name, double value, struct gs_labels *labels, bool *ret_drop) {
	size_t n;
	enum gs_status status = GS_OK;
	const struct gs_label *sorted = gs_labels_sorted(labels, &n);
	uint64_t hash = gs_rollup_hash(r, name, sorted, n);
	if (hash == 0)
		return GS_ENOMEM;
	uint32_t number = find_input(r, hash);
	if (number == 0)
		status = gs_rollup_input_new(r, name, sorted, n, hash, &number);
	else if (input_at(r, number)->refused)
		status = gs_rollup_input_retry(r, number, name, sorted, n);
	if (status != GS_OK || number == 0)
		return status;
	struct input *input = input_at(r, number);
	uint32_t scrape = target_at(r, r->target)->scrape;
	*ret_drop |= input->drop;
	if (input->seen == scrape) /* the same series again: the first one counts */
		return GS_OK;
	input->seen = scrape;
	input->next = value;
	r->at = number;
	r->expected = input->follow;
	return GS_OK;
}

enum gs_status gs_rollup_sample(
    struct gs_rollup *rollup, const struct gs_expo_event *event, struct gs_labels *labels, bool *ret_drop) {
	struct gs_rollup *r = rollup;
	const struct name *name;
	struct gs_str text = gs_labels_get(labels, GS_STR("__name__"));
	*ret_drop = false;
	if (!r->open || r->failed != GS_OK || text.n == 0)
		return r->failed;
	enum gs_status status = gs_rollup_name_find(r, event->type, event->part, text, &name);
	if (status == GS_OK && name->ntakes == 0)
		return GS_OK;
	if (status == GS_OK) {
		*ret_drop = name->drop_nothing;
		if (!name->takes_value && !name->takes_part)
			return GS_OK;
		if (name->class == CLASS_COUNTER && !isfinite(event->value)) {
			*ret_drop = name->drop_any;
			return GS_OK;
		}
		status = take(r, name, event->value, labels, ret_drop);
	}
	r->failed = status;
	return status;
}

/* The end of a scrape */

/* What a counter grew by. A smaller value is one that began again at 0. */
static double growth(double last, double next) {
	double by = next >= last ? next - last : next;
	return by > 0 ? by : 0;
}

static void set_live(struct gs_rollup *r, struct input *input, bool live) {
	if (input->live == live)
		return;
	input->live = live;
	GS_ROLLUP_EACH(r, &input->to, g)
	group_at(r, g)->live += live ? 1U : -1U;
}

static void add_counter(struct gs_rollup *r, const struct input *input) {
	double by = input->fresh ? 0 : growth(input->last, input->next);
	if (by == 0)
		return;
	GS_ROLLUP_EACH(r, &input->to, g) {
		struct group *group = group_at(r, g);
		const struct rule *rule = &r->rules[group->rule];
		if (rule->class == CLASS_COUNTER)
			group->total =
			    gs_rollup_grown(group->total, rule->op == GS_ROLLUP_AVG ? by / (double)group->live : by);
	}
}

/* A metric in a scrape that has ended well. */
struct joint {
	struct gs_rollup *r;
	uint32_t scrape;
	bool known; /* some part of it was there before */
	bool restarted; /* it began again at 0 */
	double whole; /* what its count grew by */
};

static bool is_there(const struct joint *joint, const struct input *part) {
	return part->seen == joint->scrape;
}

static void look_at_part(struct joint *joint, uint32_t number, bool counts) {
	if (number == 0)
		return;
	const struct input *part = input_at(joint->r, number);
	joint->known |= !part->fresh;
	if (counts && !part->fresh && is_there(joint, part) && part->next < part->last)
		joint->restarted = true;
}

static double part_growth(const struct joint *joint, const struct input *part) {
	if (!is_there(joint, part))
		return 0;
	if (joint->restarted)
		return part->next;
	return part->fresh ? 0 : part->next - part->last;
}

static double positive(double by) {
	return by > 0 ? by : 0;
}

/* One process writes all parts, so all of them begin again when one does. The sum of a histogram may fall, where observations are negative. */
static struct joint look_at(struct gs_rollup *r, const struct metric *metric) {
	struct joint joint = {.r = r, .scrape = target_at(r, metric->node.target)->scrape};
	uint32_t highest = 0;
	look_at_part(&joint, metric->count, true);
	for (uint32_t b = metric->bucket; b != 0; b = input_at(r, b)->sibling) {
		look_at_part(&joint, b, true);
		highest = b;
	}
	look_at_part(&joint, metric->sum, metric->count == 0 && highest == 0);
	uint32_t whole = metric->count != 0 ? metric->count : highest;
	if (whole != 0)
		joint.whole = positive(part_growth(&joint, input_at(r, whole)));
	return joint;
}

/* What a bucket grew by; ${below} is what the next lower bucket was worth before. A bucket that the process did not show so far was as
 * full as that one, and cannot have grown by more than all of the histogram did. */
static double bucket_growth(const struct joint *joint, const struct input *part, double below) {
	if (!part->fresh || joint->restarted || !is_there(joint, part))
		return positive(part_growth(joint, part));
	double by = positive(part->next - below);
	return by < joint->whole ? by : joint->whole;
}

/* Each bound of the group grows by what the metric's largest bucket up to it did. */
static void add_buckets(const struct joint *joint, const struct metric *metric, struct group *g) {
	double by = 0, below = 0;
	uint32_t i = 0;
	for (uint32_t b = metric->bucket; b != 0;) {
		const struct input *part = input_at(joint->r, b);
		for (; i < g->nbounds && g->bounds[i].at < part->bound; i++)
			g->bounds[i].total = gs_rollup_grown(g->bounds[i].total, by);
		by = bucket_growth(joint, part, below);
		if (!part->fresh)
			below = part->last;
		b = part->sibling;
	}
	for (; i < g->nbounds; i++)
		g->bounds[i].total = gs_rollup_grown(g->bounds[i].total, by);
}

static void add_metric(struct gs_rollup *r, const struct metric *metric) {
	struct joint joint = look_at(r, metric);
	if (!joint.known)
		return;
	GS_ROLLUP_EACH(r, &metric->to, g) {
		struct group *group = group_at(r, g);
		if (metric->count != 0)
			group->count =
			    gs_rollup_grown(group->count, positive(part_growth(&joint, input_at(r, metric->count))));
		if (metric->sum != 0)
			group->total = gs_rollup_grown(group->total, part_growth(&joint, input_at(r, metric->sum)));
		add_buckets(&joint, metric, group);
	}
	/* What is not there now will have begun again, too, when it is back. */
	for (uint32_t b = metric->bucket; joint.restarted && b != 0; b = input_at(r, b)->sibling)
		input_at(r, b)->last = 0;
	if (joint.restarted && metric->sum != 0)
		input_at(r, metric->sum)->last = 0;
	if (joint.restarted && metric->count != 0)
		input_at(r, metric->count)->last = 0;
}

static void settle(struct gs_rollup *r, uint32_t number, bool ok) {
	struct input *input = input_at(r, number);
	if (ok && input->live) {
		if (input->counter)
			add_counter(r, input);
		input->last = input->next;
		input->missed = 0;
		input->fresh = false;
		return;
	}
	bool remembered = !ok || input->counter;
	if (input->fresh || !remembered || ++input->missed > GS_LIMIT_ROLLUP_MISSED)
		gs_rollup_input_free(r, number);
}

void gs_rollup_end(struct gs_rollup *rollup, bool ok) {
	struct gs_rollup *r = rollup;
	uint32_t next;
	ok = ok && r->failed == GS_OK;
	r->open = false;
	if (r->target == 0)
		return;
	const struct target *t = target_at(r, r->target);
	uint32_t scrape = t->scrape;
	for (uint32_t m = ok ? t->metric : 0; m != 0; m = metric_at(r, m)->next)
		add_metric(r, metric_at(r, m));
	/* How many are there must be known before an average is. */
	for (uint32_t i = t->first; i != 0; i = input_at(r, i)->follow)
		set_live(r, input_at(r, i), ok && input_at(r, i)->seen == scrape);
	for (uint32_t i = t->first; i != 0; i = next) {
		next = input_at(r, i)->follow;
		settle(r, i, ok);
	}
	r->target = 0;
}

void gs_rollup_remove(struct gs_rollup *rollup, uint64_t target) {
	struct gs_rollup *r = rollup;
	uint32_t number = find_target(r, target);
	/* A scrape of it that is under way counts for nothing: as if it had not begun. */
	if (r->open && r->id == target)
		r->open = false;
	if (number != 0)
		gs_rollup_target_free(r, number);
}

size_t gs_rollup_series(const struct gs_rollup *rollup) {
	return rollup->nseries;
}

uint64_t gs_rollup_conflicts(const struct gs_rollup *rollup) {
	return rollup->conflicts;
}
