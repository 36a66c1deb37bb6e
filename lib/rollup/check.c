/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "gravel/base/mem.h"
#include "rollup_internal.h"

/* What is counted anew, by number of the group. */
struct count {
	uint32_t refs;
	uint32_t live;
};

struct tally {
	const struct gs_rollup *r;
	struct count *groups;
	size_t inputs;
	size_t metrics;
	size_t refs;
	uint32_t *untyped; /* by rule */
};

static void count_refs(struct tally *tally, const struct refs *refs, const struct input *input) {
	size_t n = 0;
	GS_ROLLUP_EACH(tally->r, refs, g) {
		assert(g < tally->r->group_pool.next);
		tally->groups[g].refs++;
		if (input != NULL) {
			tally->groups[g].live += input->live;
			tally->untyped[group_at(tally->r, g)->rule] += input->untyped;
		}
		n++;
	}
	tally->refs += n > 1 ? n - 1 : 0;
	assert(n != 0 || refs->more == 0);
}

static void check_input(struct tally *tally, uint32_t number, uint32_t target) {
	const struct gs_rollup *r = tally->r;
	const struct input *input = input_at(r, number);
	assert(input->node.target == target);
	assert(gs_rollup_index_find(&r->inputs, input->node.hash, target) == number);
	assert(input->to.group != 0 || input->metric != 0);
	if (input->metric != 0)
		assert(metric_at(r, input->metric)->node.target == target);
	if (!r->open) {
		assert(!input->fresh && input->missed <= GS_LIMIT_ROLLUP_MISSED);
		assert(input->live == (input->missed == 0));
	}
	count_refs(tally, &input->to, input);
	tally->inputs++;
}

static void check_metric(struct tally *tally, uint32_t number, uint32_t target) {
	const struct gs_rollup *r = tally->r;
	const struct metric *metric = metric_at(r, number);
	uint32_t n = 0;
	assert(metric->node.target == target && metric->to.group != 0);
	assert(gs_rollup_index_find(&r->metrics, metric->node.hash, target) == number);
	for (uint32_t b = metric->bucket; b != 0; b = input_at(r, b)->sibling) {
		const struct input *part = input_at(r, b);
		assert(part->metric == number && part->part == GS_PART_BUCKET);
		assert(part->sibling == 0 || part->bound <= input_at(r, part->sibling)->bound);
		n++;
	}
	assert(metric->sum == 0 || input_at(r, metric->sum)->metric == number);
	assert(metric->count == 0 || input_at(r, metric->count)->metric == number);
	n += (metric->sum != 0) + (metric->count != 0);
	assert(n == metric->nparts && n != 0);
	count_refs(tally, &metric->to, NULL);
	tally->metrics++;
}

static void check_targets(struct tally *tally) {
	const struct gs_rollup *r = tally->r;
	uint32_t before = 0;
	size_t n = 0;
	for (uint32_t t = r->first_target; t != 0; t = target_at(r, t)->next) {
		const struct target *target = target_at(r, t);
		assert(target->before == before && target->first != 0);
		before = t;
		n++;
		uint32_t last = 0;
		for (uint32_t i = target->first; i != 0; i = input_at(r, i)->follow) {
			assert(input_at(r, i)->before == last);
			check_input(tally, i, t);
			last = i;
		}
		assert(target->last == last);
		last = 0;
		for (uint32_t m = target->metric; m != 0; m = metric_at(r, m)->next) {
			assert(metric_at(r, m)->before == last);
			check_metric(tally, m, t);
			last = m;
		}
	}
	assert(n == r->target_pool.used && n == gs_map_count(r->targets));
	assert(tally->inputs == r->input_pool.used && tally->inputs == r->inputs.n);
	assert(tally->metrics == r->metric_pool.used && tally->metrics == r->metrics.n);
	assert(tally->refs == r->ref_pool.used);
}

/* Parts of the metrics of a group that have the bound, or all of them. */
static uint32_t parts_at(const struct gs_rollup *r, uint32_t group, double at, bool all) {
	uint32_t n = 0;
	for (uint32_t t = r->first_target; t != 0; t = target_at(r, t)->next) {
		for (uint32_t m = target_at(r, t)->metric; m != 0; m = metric_at(r, m)->next) {
			uint32_t times = 0;
			GS_ROLLUP_EACH(r, &metric_at(r, m)->to, g)
			times += g == group;
			for (uint32_t b = metric_at(r, m)->bucket; b != 0; b = input_at(r, b)->sibling)
				n += all || input_at(r, b)->bound == at ? times : 0;
		}
	}
	return n;
}

static size_t check_group(const struct tally *tally, uint32_t number, size_t rule) {
	const struct gs_rollup *r = tally->r;
	const struct group *g = group_at(r, number);
	uint32_t refs = 0;
	assert(g->rule == rule && (uintptr_t)gs_map_get(r->groups, g->key) == number);
	assert(g->refs != 0 && g->refs == tally->groups[number].refs && g->live == tally->groups[number].live);
	assert(g->nbounds <= g->cap_bounds && g->nbounds <= GS_LIMIT_BUCKETS);
	assert(g->nbounds == 0 || r->rules[rule].class == CLASS_HISTOGRAM);
	for (uint32_t i = 0; i < g->nbounds; i++) {
		assert(i == 0 || g->bounds[i - 1].at < g->bounds[i].at);
		assert(g->bounds[i].refs != 0 && g->bounds[i].refs == parts_at(r, number, g->bounds[i].at, false));
		refs += g->bounds[i].refs;
	}
	assert(g->nbounds == 0 || refs == parts_at(r, number, 0, true));
	return gs_rollup_series_of(r->rules[rule].class) + g->nbounds;
}

void gs_rollup_check(const struct gs_rollup *rollup) {
	const struct gs_rollup *r = rollup;
	struct tally tally = {.r = r};
	size_t series = 0, groups = 0;
	tally.groups = gs_alloc_array(r->group_pool.next, sizeof(*tally.groups));
	tally.untyped = gs_alloc_array(r->nrules + 1, sizeof(*tally.untyped));
	assert(tally.groups != NULL && tally.untyped != NULL);
	check_targets(&tally);
	for (size_t i = 0; i < r->nrules; i++) {
		uint32_t n = 0, before = 0;
		for (uint32_t g = r->rules[i].first; g != 0; g = group_at(r, g)->next) {
			assert(group_at(r, g)->before == before);
			series += check_group(&tally, g, i);
			before = g;
			n++;
		}
		assert(r->rules[i].last == before && r->rules[i].ngroups == n);
		assert((r->rules[i].class == CLASS_NONE) == (n == 0));
		assert(r->rules[i].nuntyped == tally.untyped[i]);
		groups += n;
	}
	assert(groups == r->group_pool.used && groups == gs_map_count(r->groups));
	assert(r->nseries == series + tally.inputs && r->nseries <= r->max_series);
	gs_pool_check(&r->input_pool);
	gs_pool_check(&r->group_pool);
	gs_pool_check(&r->metric_pool);
	gs_pool_check(&r->ref_pool);
	gs_pool_check(&r->target_pool);
	gs_free(tally.groups);
	gs_free(tally.untyped);
}
