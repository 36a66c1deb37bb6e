/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "rollup_internal.h"

/* Keys: the number of the rule, then each label as two lengths, its name and its value, sorted by names. */

void gs_rollup_put_label(struct gs_buf *key, const struct gs_label *label) {
	uint32_t n[2] = {(uint32_t)label->name.n, (uint32_t)label->value.n};
	gs_buf_add(key, n, sizeof(n));
	gs_buf_str(key, label->name);
	gs_buf_str(key, label->value);
}

static struct gs_str take_bytes(struct gs_str *rest, size_t n) {
	struct gs_str taken = gs_str_make(rest->p, n);
	rest->p += n;
	rest->n -= n;
	return taken;
}

bool gs_rollup_next_label(struct gs_str *rest, struct gs_label *ret) {
	uint32_t n[2];
	if (rest->n == 0)
		return false;
	memcpy(n, take_bytes(rest, sizeof(n)).p, sizeof(n));
	ret->name = take_bytes(rest, n[0]);
	ret->value = take_bytes(rest, n[1]);
	return true;
}

static enum gs_status make_key(
    struct gs_rollup *r, size_t rule, enum class class, const struct gs_label *labels, size_t n, struct gs_str *ret) {
	uint32_t number = (uint32_t)rule;
	gs_buf_clear(&r->key);
	gs_buf_add(&r->key, &number, sizeof(number));
	for (size_t i = 0; i < n; i++) {
		bool bound = class == CLASS_HISTOGRAM && gs_str_eq(labels[i].name, GS_STR("le"));
		if (!bound && gs_rollup_keeps(&r->rules[rule], labels[i].name))
			gs_rollup_put_label(&r->key, &labels[i]);
	}
	*ret = gs_buf_slice(&r->key);
	return r->key.status;
}

size_t gs_rollup_series_of(enum class class) {
	if (class == CLASS_HISTOGRAM)
		return 3; /* _sum, _count, and +Inf, which is written even if no input has it */
	return class == CLASS_SUMMARY ? 2 : 1;
}

/* Groups */

static void list_group(struct gs_rollup *r, struct rule *rule, uint32_t number) {
	struct group *g = group_at(r, number);
	g->before = rule->last;
	if (rule->last != 0)
		group_at(r, rule->last)->next = number;
	else
		rule->first = number;
	rule->last = number;
	rule->ngroups++;
}

static void unlist_group(struct gs_rollup *r, struct rule *rule, const struct group *g) {
	if (g->before != 0)
		group_at(r, g->before)->next = g->next;
	else
		rule->first = g->next;
	if (g->next != 0)
		group_at(r, g->next)->before = g->before;
	else
		rule->last = g->before;
	if (--rule->ngroups == 0)
		rule->class = CLASS_NONE;
}

static void put_text(struct gs_rollup *r, struct gs_str s) {
	char *p;
	memcpy(&p, &s.p, sizeof(p)); /* the slab's */
	gs_slab_put(&r->slab, p, s.n);
}

static enum gs_status new_group(
    struct gs_rollup *r, size_t rule, enum class class, struct gs_str key, uint32_t *ret_number) {
	if (r->max_series - r->nseries < gs_rollup_series_of(class))
		return GS_ELIMIT;
	uint32_t number = gs_pool_get(&r->group_pool);
	if (number == 0)
		return GS_ENOMEM;
	struct group *g = group_at(r, number);
	char *copy = gs_slab_get(&r->slab, key.n);
	enum gs_status status = copy != NULL ? GS_OK : GS_ENOMEM;
	if (copy != NULL) {
		memcpy(copy, key.p, key.n);
		g->key = gs_str_make(copy, key.n);
		status = gs_map_put(r->groups, g->key, (void *)(uintptr_t)number);
	}
	if (status != GS_OK) {
		gs_slab_put(&r->slab, copy, key.n);
		gs_pool_put(&r->group_pool, number);
		return status;
	}
	g->rule = (uint32_t)rule;
	r->rules[rule].class = class;
	r->nseries += gs_rollup_series_of(class);
	list_group(r, &r->rules[rule], number);
	*ret_number = number;
	return GS_OK;
}

static void free_group(struct gs_rollup *r, uint32_t number) {
	struct group *g = group_at(r, number);
	struct rule *rule = &r->rules[g->rule];
	r->nseries -= gs_rollup_series_of(rule->class) + g->nbounds;
	gs_slab_put(&r->slab, g->bounds, g->cap_bounds * sizeof(*g->bounds));
	gs_map_remove(r->groups, g->key);
	unlist_group(r, rule, g);
	put_text(r, g->key);
	gs_pool_put(&r->group_pool, number);
}

static void release(struct gs_rollup *r, uint32_t number) {
	if (--group_at(r, number)->refs == 0)
		free_group(r, number);
}

static enum gs_status add_ref(struct gs_rollup *r, struct refs *refs, uint32_t group) {
	if (refs->group == 0) {
		refs->group = group;
		return GS_OK;
	}
	uint32_t number = gs_pool_get(&r->ref_pool);
	if (number == 0)
		return GS_ENOMEM;
	*(struct ref *)gs_pool_at(&r->ref_pool, number) = (struct ref){.group = group, .next = refs->more};
	refs->more = number;
	return GS_OK;
}

enum gs_status gs_rollup_refer(
    struct gs_rollup *r, struct refs *refs, size_t rule, enum class class, const struct gs_label *labels, size_t n) {
	struct gs_str key;
	if (r->rules[rule].class != CLASS_NONE && r->rules[rule].class != class) {
		r->conflicts++;
		return GS_OK;
	}
	enum gs_status status = make_key(r, rule, class, labels, n, &key);
	if (status != GS_OK)
		return status;
	uint32_t number = (uint32_t)(uintptr_t)gs_map_get(r->groups, key);
	if (number == 0)
		status = new_group(r, rule, class, key, &number);
	if (status != GS_OK)
		return status;
	group_at(r, number)->refs++;
	status = add_ref(r, refs, number);
	if (status != GS_OK)
		release(r, number);
	return status;
}

void gs_rollup_unrefer(struct gs_rollup *r, struct refs *refs) {
	if (refs->group != 0)
		release(r, refs->group);
	while (refs->more != 0) {
		uint32_t number = refs->more;
		const struct ref *ref = gs_pool_at(&r->ref_pool, number);
		release(r, ref->group);
		refs->more = ref->next;
		gs_pool_put(&r->ref_pool, number);
	}
	refs->group = 0;
}

/* Bounds */

/* The place of the first bound that is not below ${at}. */
static uint32_t place_of(const struct group *g, double at) {
	uint32_t low = 0, high = g->nbounds;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (g->bounds[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum gs_status grow(struct gs_rollup *r, struct group *g) {
	if (g->nbounds < g->cap_bounds)
		return GS_OK;
	uint32_t cap = g->cap_bounds != 0 ? 2 * g->cap_bounds : 4;
	void *p = gs_slab_resize(&r->slab, g->bounds, g->cap_bounds * sizeof(*g->bounds), cap * sizeof(*g->bounds));
	if (p == NULL)
		return GS_ENOMEM;
	g->bounds = p;
	g->cap_bounds = cap;
	return GS_OK;
}

enum gs_status gs_rollup_bound_add(struct gs_rollup *r, uint32_t group, double at) {
	struct group *g = group_at(r, group);
	uint32_t i = place_of(g, at);
	if (i < g->nbounds && g->bounds[i].at == at) {
		g->bounds[i].refs++;
		return GS_OK;
	}
	if (g->nbounds >= GS_LIMIT_BUCKETS || r->nseries >= r->max_series)
		return GS_ELIMIT;
	enum gs_status status = grow(r, g);
	if (status != GS_OK)
		return status;
	memmove(&g->bounds[i + 1], &g->bounds[i], (g->nbounds - i) * sizeof(*g->bounds));
	/* Up to now every input has contributed here what it did at the bound below. */
	double total = i != 0 ? g->bounds[i - 1].total : 0;
	if (isinf(at) && at > 0 && g->count > total)
		total = g->count;
	g->bounds[i] = (struct bound){.at = at, .refs = 1, .total = total};
	g->nbounds++;
	r->nseries++;
	return GS_OK;
}

void gs_rollup_bound_remove(struct gs_rollup *r, uint32_t group, double at) {
	struct group *g = group_at(r, group);
	uint32_t i = place_of(g, at);
	if (--g->bounds[i].refs != 0)
		return;
	g->nbounds--;
	memmove(&g->bounds[i], &g->bounds[i + 1], (g->nbounds - i) * sizeof(*g->bounds));
	r->nseries--;
}
