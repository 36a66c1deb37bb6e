/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "rollup_internal.h"

/* Indexes */

static size_t home_of(const struct index *index, uint64_t hash, uint32_t target) {
	return (size_t)(hash ^ (target * UINT64_C(0x9e3779b97f4a7c15) >> 32)) & (index->nheads - 1);
}

/* A hash that two inputs of one target share would make one of them: for 100,000 inputs of a target the odds are 1 in 3,000 million, and
 * nobody can look for two such names, for the hash is seeded at random. */
uint32_t gs_rollup_index_find(const struct index *index, uint64_t hash, uint32_t target) {
	if (index->nheads == 0)
		return 0;
	uint32_t number = index->heads[home_of(index, hash, target)];
	while (number != 0) {
		const struct node *node = gs_pool_at(index->pool, number);
		if (node->hash == hash && node->target == target)
			break;
		number = node->next;
	}
	return number;
}

static void index_link(struct index *index, uint32_t number) {
	struct node *node = gs_pool_at(index->pool, number);
	uint32_t *head = &index->heads[home_of(index, node->hash, node->target)];
	node->next = *head;
	*head = number;
}

/* Room for one more. */
static enum gs_status index_grow(struct index *index) {
	if (index->n < index->nheads)
		return GS_OK;
	struct index old = *index;
	size_t nheads = old.nheads != 0 ? 2 * old.nheads : 64;
	uint32_t *heads = gs_alloc_array(nheads, sizeof(*heads));
	if (heads == NULL)
		return GS_ENOMEM;
	index->heads = heads;
	index->nheads = nheads;
	for (size_t i = 0; i < old.nheads; i++) {
		for (uint32_t number = old.heads[i], next; number != 0; number = next) {
			next = ((struct node *)gs_pool_at(index->pool, number))->next;
			index_link(index, number);
		}
	}
	gs_free(old.heads);
	return GS_OK;
}

static void index_add(struct index *index, uint32_t number, uint64_t hash, uint32_t target) {
	struct node *node = gs_pool_at(index->pool, number);
	node->hash = hash;
	node->target = target;
	index_link(index, number);
	index->n++;
}

static void index_remove(struct index *index, uint32_t number) {
	const struct node *node = gs_pool_at(index->pool, number);
	uint32_t *at = &index->heads[home_of(index, node->hash, node->target)];
	while (*at != number)
		at = &((struct node *)gs_pool_at(index->pool, *at))->next;
	*at = node->next;
	index->n--;
}

/* Hashes */

/* Names and values are short, and a call of memcpy would cost more than the copy. */
static inline char *put_short(char *to, struct gs_str s) {
	const char *p = s.p;
	size_t n = s.n;
	if (n > 32) {
		memcpy(to, p, n);
	} else if (n >= 16) {
		memcpy(to, p, 16);
		memcpy(to + n - 16, p + n - 16, 16);
	} else if (n >= 8) {
		memcpy(to, p, 8);
		memcpy(to + n - 8, p + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, p, 4);
		memcpy(to + n - 4, p + n - 4, 4);
	} else if (n != 0) {
		to[0] = p[0];
		to[n / 2] = p[n / 2];
		to[n - 1] = p[n - 1];
	}
	return to + n;
}

static inline char *put_label(char *to, const struct gs_label *label) {
	uint32_t n[2] = {(uint32_t)label->name.n, (uint32_t)label->value.n};
	memcpy(to, n, sizeof(n));
	to = put_short(to + sizeof(n), label->name);
	return put_short(to, label->value);
}

uint64_t gs_rollup_hash(struct gs_rollup *r, const struct name *name, const struct gs_label *labels, size_t n) {
	uint16_t kind[2] = {name->type, name->part};
	size_t size = sizeof(kind);
	for (size_t i = 0; i < n; i++)
		size += 2 * sizeof(uint32_t) + labels[i].name.n + labels[i].value.n;
	gs_buf_clear(&r->key);
	char *start = gs_buf_reserve(&r->key, size), *to = start;
	if (to == NULL)
		return 0;
	memcpy(to, kind, sizeof(kind));
	to += sizeof(kind);
	for (size_t i = 0; i < n; i++)
		to = put_label(to, &labels[i]);
	uint64_t hash = gs_hash(gs_str_make(start, (size_t)(to - start)));
	return hash != 0 ? hash : 1;
}

/* Targets */

static enum gs_status new_target(struct gs_rollup *r) {
	uint32_t number = gs_pool_get(&r->target_pool);
	if (number == 0)
		return GS_ENOMEM;
	struct target *t = target_at(r, number);
	t->id = r->id;
	enum gs_status status =
	    gs_map_put(r->targets, gs_str_make((char *)&t->id, sizeof(t->id)), (void *)(uintptr_t)number);
	if (status != GS_OK) {
		gs_pool_put(&r->target_pool, number);
		return status;
	}
	t->scrape = 1;
	t->next = r->first_target;
	if (t->next != 0)
		target_at(r, t->next)->before = number;
	r->first_target = number;
	r->target = number;
	return GS_OK;
}

static void drop_target(struct gs_rollup *r, uint32_t number) {
	struct target *t = target_at(r, number);
	if (t->before != 0)
		target_at(r, t->before)->next = t->next;
	else
		r->first_target = t->next;
	if (t->next != 0)
		target_at(r, t->next)->before = t->before;
	gs_map_remove(r->targets, gs_str_make((char *)&t->id, sizeof(t->id)));
	gs_pool_put(&r->target_pool, number);
	if (r->target == number)
		r->target = r->at = r->expected = 0;
}

void gs_rollup_target_free(struct gs_rollup *r, uint32_t number) {
	for (uint32_t next, input = target_at(r, number)->first; input != 0; input = next) {
		next = input_at(r, input)->follow;
		gs_rollup_input_free(r, input);
	}
}

/* Metrics */

static uint32_t *slot_of(struct metric *metric, enum gs_expo_part part) {
	return part == GS_PART_SUM ? &metric->sum : &metric->count;
}

static void list_metric(struct gs_rollup *r, uint32_t number) {
	struct metric *metric = metric_at(r, number);
	struct target *t = target_at(r, metric->node.target);
	metric->next = t->metric;
	if (metric->next != 0)
		metric_at(r, metric->next)->before = number;
	t->metric = number;
}

static void free_metric(struct gs_rollup *r, uint32_t number) {
	struct metric *metric = metric_at(r, number);
	if (metric->before != 0)
		metric_at(r, metric->before)->next = metric->next;
	else
		target_at(r, metric->node.target)->metric = metric->next;
	if (metric->next != 0)
		metric_at(r, metric->next)->before = metric->before;
	gs_rollup_unrefer(r, &metric->to);
	index_remove(&r->metrics, number);
	gs_pool_put(&r->metric_pool, number);
}

/* The labels of the whole: without the bound, and without the name, whose part is no label of it. */
static enum gs_status hash_metric(
    struct gs_rollup *r, const struct name *name, const struct gs_label *labels, size_t n, uint64_t *ret) {
	struct gs_label family = {.name = GS_STR("__name__")};
	family.value = gs_str_make(name->text.p, name->text.n - name->nsuffix);
	gs_buf_clear(&r->key);
	gs_buf_add(&r->key, &name->type, sizeof(name->type));
	gs_rollup_put_label(&r->key, &family);
	for (size_t i = 0; i < n; i++) {
		bool mine = gs_str_eq(labels[i].name, GS_STR("le")) || gs_str_eq(labels[i].name, family.name);
		if (!mine)
			gs_rollup_put_label(&r->key, &labels[i]);
	}
	*ret = gs_hash(gs_buf_slice(&r->key));
	return r->key.status;
}

static enum gs_status refer_metric(
    struct gs_rollup *r, struct metric *metric, const struct name *name, const struct gs_label *labels, size_t n) {
	enum class class = name->type == GS_TYPE_HISTOGRAM ? CLASS_HISTOGRAM : CLASS_SUMMARY;
	for (size_t i = 0; i < name->ntakes; i++) {
		size_t rule = name->take[i].rule;
		if (name->take[i].take != TAKE_PART)
			continue;
		uint32_t before = metric->to.group, more = metric->to.more;
		enum gs_status status = gs_rollup_refer(r, &metric->to, rule, class, labels, n);
		if (status != GS_OK)
			return status;
		if (metric->to.group != before || metric->to.more != more)
			metric->drop |= r->rules[rule].drop;
	}
	return GS_OK;
}

/* The metric that has this part, made if need be; 0: no rule can take it. */
static enum gs_status find_metric(
    struct gs_rollup *r, const struct name *name, const struct gs_label *labels, size_t n, uint32_t *ret) {
	uint64_t hash;
	enum gs_status status = hash_metric(r, name, labels, n, &hash);
	if (status != GS_OK)
		return status;
	*ret = gs_rollup_index_find(&r->metrics, hash, r->target);
	if (*ret != 0)
		return GS_OK;
	if (index_grow(&r->metrics) != GS_OK)
		return GS_ENOMEM;
	uint32_t number = gs_pool_get(&r->metric_pool);
	if (number == 0)
		return GS_ENOMEM;
	struct metric *metric = metric_at(r, number);
	status = refer_metric(r, metric, name, labels, n);
	if (status != GS_OK || metric->to.group == 0) {
		gs_rollup_unrefer(r, &metric->to);
		gs_pool_put(&r->metric_pool, number);
		return status;
	}
	index_add(&r->metrics, number, hash, r->target);
	list_metric(r, number);
	*ret = number;
	return GS_OK;
}

/* All groups of the metric get the bound, or none. */
static enum gs_status add_bounds(struct gs_rollup *r, const struct metric *metric, double at) {
	enum gs_status status = GS_OK;
	uint32_t failed = 0;
	GS_ROLLUP_EACH(r, &metric->to, g) {
		status = gs_rollup_bound_add(r, g, at);
		if (status != GS_OK) {
			failed = g;
			break;
		}
	}
	GS_ROLLUP_EACH(r, &metric->to, g) {
		if (failed == 0 || g == failed)
			break;
		gs_rollup_bound_remove(r, g, at);
	}
	return status;
}

static void add_bucket(struct gs_rollup *r, struct metric *metric, uint32_t number) {
	struct input *input = input_at(r, number);
	uint32_t *at = &metric->bucket;
	while (*at != 0 && input_at(r, *at)->bound < input->bound)
		at = &input_at(r, *at)->sibling;
	input->sibling = *at;
	*at = number;
}

static bool read_bound(const struct gs_label *labels, size_t n, double *ret) {
	for (size_t i = 0; i < n; i++) {
		if (gs_str_eq(labels[i].name, GS_STR("le")))
			return gs_num_parse_double(labels[i].value, ret) == GS_OK && *ret == *ret;
	}
	return false;
}

/* What relabelling made of a part may be none: a bucket has one bound, a sum and a count have none, and there is one of each. */
static bool may_join(const struct gs_rollup *r, const struct input *input, uint32_t number) {
	struct metric *metric = metric_at(r, number);
	return input->part == GS_PART_BUCKET || *slot_of(metric, input->part) == 0;
}

static enum gs_status join(
    struct gs_rollup *r, uint32_t number, const struct name *name, const struct gs_label *labels, size_t n) {
	struct input *input = input_at(r, number);
	bool bucket = input->part == GS_PART_BUCKET;
	uint32_t found = 0;
	if (read_bound(labels, n, &input->bound) != bucket) {
		r->conflicts++;
		return GS_OK;
	}
	enum gs_status status = find_metric(r, name, labels, n, &found);
	if (status != GS_OK || found == 0)
		return status;
	struct metric *metric = metric_at(r, found);
	if (bucket)
		status = add_bounds(r, metric, input->bound);
	if (status != GS_OK || !may_join(r, input, found)) {
		if (metric->nparts == 0)
			free_metric(r, found);
		return status;
	}
	if (bucket)
		add_bucket(r, metric, number);
	else
		*slot_of(metric, input->part) = number;
	GS_ROLLUP_EACH(r, &metric->to, g)
	group_at(r, g)->has_sum |= input->part == GS_PART_SUM;
	metric->nparts++;
	input->metric = found;
	input->drop |= metric->drop;
	return GS_OK;
}

static void leave_metric(struct gs_rollup *r, uint32_t number) {
	struct input *input = input_at(r, number);
	struct metric *metric = metric_at(r, input->metric);
	if (input->part == GS_PART_BUCKET) {
		uint32_t *at = &metric->bucket;
		while (*at != number)
			at = &input_at(r, *at)->sibling;
		*at = input->sibling;
		GS_ROLLUP_EACH(r, &metric->to, g)
		gs_rollup_bound_remove(r, g, input->bound);
	} else {
		*slot_of(metric, input->part) = 0;
	}
	if (--metric->nparts == 0)
		free_metric(r, input->metric);
}

/* Inputs */

static void list_input(struct gs_rollup *r, uint32_t number) {
	struct target *t = target_at(r, r->target);
	struct input *input = input_at(r, number);
	input->before = r->at;
	input->follow = r->at != 0 ? input_at(r, r->at)->follow : t->first;
	if (input->before != 0)
		input_at(r, input->before)->follow = number;
	else
		t->first = number;
	if (input->follow != 0)
		input_at(r, input->follow)->before = number;
	else
		t->last = number;
}

static void unlist_input(struct gs_rollup *r, uint32_t number) {
	struct input *input = input_at(r, number);
	struct target *t = target_at(r, input->node.target);
	if (input->before != 0)
		input_at(r, input->before)->follow = input->follow;
	else
		t->first = input->follow;
	if (input->follow != 0)
		input_at(r, input->follow)->before = input->before;
	else
		t->last = input->before;
	if (r->at == number)
		r->at = input->before;
	if (r->expected == number)
		r->expected = input->follow;
}

static bool is_untyped(const struct name *name) {
	return name->type == GS_TYPE_UNTYPED || name->type == GS_TYPE_GAUGEHISTOGRAM;
}

static bool has_rule(const struct gs_rollup *r, const struct input *input, size_t rule) {
	bool has = false;
	GS_ROLLUP_EACH(r, &input->to, g)
	has |= group_at(r, g)->rule == rule;
	return has;
}

static enum gs_status refer_value(struct gs_rollup *r, struct input *input, const struct name *name, size_t number,
    const struct gs_label *labels, size_t n) {
	struct rule *rule = &r->rules[number];
	bool adds = rule->op == GS_ROLLUP_SUM || rule->op == GS_ROLLUP_AVG;
	enum gs_status status = gs_rollup_refer(r, &input->to, number, adds ? name->class : CLASS_VALUE, labels, n);
	if (status != GS_OK)
		return status;
	if (!has_rule(r, input, number)) {
		input->refused = true;
		return GS_OK;
	}
	rule->nuntyped += input->untyped;
	input->drop |= rule->drop;
	return GS_OK;
}

static enum gs_status refer_all(
    struct gs_rollup *r, uint32_t number, const struct name *name, const struct gs_label *labels, size_t n) {
	struct input *input = input_at(r, number);
	for (size_t i = 0; i < name->ntakes; i++) {
		if (name->take[i].take != TAKE_VALUE)
			continue;
		enum gs_status status = refer_value(r, input, name, name->take[i].rule, labels, n);
		if (status != GS_OK)
			return status;
	}
	return name->takes_part ? join(r, number, name, labels, n) : GS_OK;
}

enum gs_status gs_rollup_input_new(struct gs_rollup *r, const struct name *name, const struct gs_label *labels,
    size_t n, uint64_t hash, uint32_t *ret) {
	*ret = 0;
	if (r->nseries >= r->max_series)
		return GS_ELIMIT;
	if (index_grow(&r->inputs) != GS_OK)
		return GS_ENOMEM;
	if (r->target == 0 && new_target(r) != GS_OK)
		return GS_ENOMEM;
	uint32_t number = gs_pool_get(&r->input_pool);
	if (number == 0) {
		if (target_at(r, r->target)->first == 0)
			drop_target(r, r->target);
		return GS_ENOMEM;
	}
	struct input *input = input_at(r, number);
	input->part = (uint8_t)name->part;
	input->counter = name->class == CLASS_COUNTER;
	input->untyped = is_untyped(name);
	input->fresh = true;
	index_add(&r->inputs, number, hash, r->target);
	list_input(r, number);
	r->nseries++;
	enum gs_status status = refer_all(r, number, name, labels, n);
	if (status != GS_OK || (input->to.group == 0 && input->metric == 0)) {
		gs_rollup_input_free(r, number);
		return status;
	}
	*ret = number;
	return GS_OK;
}

enum gs_status gs_rollup_input_retry(
    struct gs_rollup *r, uint32_t number, const struct name *name, const struct gs_label *labels, size_t n) {
	struct input *input = input_at(r, number);
	enum gs_status status = GS_OK;
	input->refused = false;
	for (size_t i = 0; i < name->ntakes && status == GS_OK; i++) {
		size_t rule = name->take[i].rule;
		if (name->take[i].take != TAKE_VALUE || has_rule(r, input, rule))
			continue;
		status = refer_value(r, input, name, rule, labels, n);
		GS_ROLLUP_EACH(r, &input->to, g)
		group_at(r, g)->live += group_at(r, g)->rule == rule && input->live;
	}
	input->refused |= status != GS_OK;
	return status;
}

void gs_rollup_input_free(struct gs_rollup *r, uint32_t number) {
	struct input *input = input_at(r, number);
	uint32_t target = input->node.target;
	GS_ROLLUP_EACH(r, &input->to, g) {
		struct group *group = group_at(r, g);
		group->live -= input->live;
		r->rules[group->rule].nuntyped -= input->untyped;
	}
	if (input->metric != 0)
		leave_metric(r, number);
	gs_rollup_unrefer(r, &input->to);
	index_remove(&r->inputs, number);
	unlist_input(r, number);
	gs_pool_put(&r->input_pool, number);
	r->nseries--;
	if (target_at(r, target)->first == 0)
		drop_target(r, target);
}
