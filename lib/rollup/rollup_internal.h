/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_ROLLUP_INTERNAL_H
#define GRAVEL_LIB_ROLLUP_INTERNAL_H

#include "gravel/base/map.h"
#include "gravel/base/pool.h"
#include "gravel/base/slab.h"
#include "gravel/match/regex.h"
#include "gravel/rollup/rollup.h"

/*
 * Who knows whom: a sample of a target is an input, which refers to the groups (results) that it goes into. The parts of a histogram or summary, where a rule takes
 * it as a whole, are inputs of one metric, and that refers to the groups. A target has lists of its inputs, in the order of its last
 * scrape, and of its metrics. Things are numbers of pools, 0 is none.
 */

/* What the result of a rule is, and what may go into it. */
enum class {
	CLASS_NONE, /* nothing has come yet */
	CLASS_VALUE, /* of the newest values of its inputs */
	CLASS_COUNTER, /* of what its inputs grew by */
	CLASS_HISTOGRAM,
	CLASS_SUMMARY,
};

/* How a rule takes the samples of a name. */
enum take {
	TAKE_NOTHING, /* they belong to a family that it takes, but say nothing to it */
	TAKE_VALUE, /* each as a number of its own */
	TAKE_PART, /* as parts of one */
};

struct rule {
	struct gs_regex *of;
	struct gs_str as;
	struct gs_str *labels;
	size_t nlabels;
	enum gs_rollup_op op;
	bool without;
	bool drop;
	enum class class; /* CLASS_NONE if and only if there are no groups */
	uint32_t first; /* of its groups, in the order in which they came */
	uint32_t last;
	uint32_t ngroups;
	uint32_t nuntyped; /* references of inputs without a type */
};

struct name_take {
	uint16_t rule;
	uint8_t take; /* enum take */
};

/* What the rules do with samples of one name, type and part. Its text stands behind takes. */
struct name {
	struct gs_str text;
	struct name *next; /* the same text as another type or part */
	enum class class; /* of the value of a sample: CLASS_VALUE or CLASS_COUNTER */
	uint16_t type; /* enum gs_expo_type */
	uint16_t part; /* enum gs_expo_part */
	uint16_t ntakes;
	uint16_t nsuffix; /* bytes at the end of text that do not belong to the family */
	bool takes_value;
	bool takes_part;
	bool drop_nothing; /* a rule of TAKE_NOTHING drops */
	bool drop_any; /* any of the rules drops */
	struct name_take take[];
};

/* What stands in an index. */
struct node {
	uint64_t hash;
	uint32_t next; /* in its chain */
	uint32_t target;
};

struct index {
	struct gs_pool *pool; /* each thing in it begins with a struct node */
	uint32_t *heads;
	size_t nheads; /* 0 or a power of two */
	size_t n;
};

/* Groups that an input or metric goes into: the first one, and a chain of struct ref. */
struct refs {
	uint32_t group;
	uint32_t more;
};

struct ref {
	uint32_t group;
	uint32_t next;
};

struct bound {
	double at;
	double total; /* what the inputs grew by at their largest bound up to this one */
	double shown; /* scratch of gs_rollup_write */
	uint32_t refs; /* parts that have this bound */
};

struct group {
	struct gs_str key; /* rule, labels; of the slab */
	double total; /* CLASS_COUNTER; else the sum: of parts, or (scratch) of values */
	double count; /* of parts; or (scratch) what the sum of values lost by rounding */
	uint32_t n; /* scratch: values there */
	uint32_t rule;
	uint32_t refs; /* inputs and metrics that refer to it */
	uint32_t live; /* of those, inputs that are there */
	uint32_t next; /* of the same rule */
	uint32_t before;
	uint32_t nbounds;
	uint32_t cap_bounds;
	struct bound *bounds; /* CLASS_HISTOGRAM, sorted; of the slab */
	bool has_sum;
};

struct input {
	struct node node; /* by type, part, name and labels */
	double last; /* its newest value; of a counter also after it left */
	double next; /* of the scrape under way */
	double bound; /* of a bucket */
	uint32_t follow; /* of its target */
	uint32_t before;
	uint32_t seen; /* the last scrape that has it */
	struct refs to;
	uint32_t metric; /* 0: no part */
	uint32_t sibling; /* the next bucket of its metric */
	uint8_t missed; /* scrapes since it was there */
	uint8_t part; /* enum gs_expo_part */
	bool fresh; /* no scrape that has it has ended well */
	bool live; /* the last scrape has it */
	bool counter; /* of its own value */
	bool untyped;
	bool refused; /* by a rule whose result is of another class */
	bool drop;
};

struct metric {
	struct node node; /* by type, family, and labels without le */
	struct refs to;
	uint32_t bucket; /* the first of its buckets, by rising bounds */
	uint32_t sum;
	uint32_t count;
	uint32_t nparts;
	uint32_t next; /* of its target */
	uint32_t before;
	bool drop;
};

struct target {
	uint64_t id;
	uint32_t first; /* of its inputs */
	uint32_t last;
	uint32_t metric; /* the first */
	uint32_t scrape; /* number of the newest */
	uint32_t next; /* of all targets */
	uint32_t before;
};

/*
 * Invariants (gs_rollup_check):
 * 1. nseries is the number of inputs, and of the series of all groups; it is not above max_series.
 * 2. Every input and metric is in the list of its target once, and the index finds it; the lists hold all that the pools do. Every target has an input.
 * 3. refs of a group are the inputs and metrics that refer to it, live those inputs of them that are; no group has none. Its key finds it.
 * 4. A rule has a class if and only if it has groups, and nuntyped references of inputs without a type.
 * 5. The bounds of a group rise; refs of each are the parts of its metrics with that bound, and never 0.
 * 6. The parts of a metric are of its target; buckets are sorted; nparts is their number, and never 0.
 * 7. Outside of a scrape no input is fresh, and what is not live was missed up to GS_LIMIT_ROLLUP_MISSED times and is a counter or a part.
 */
struct gs_rollup {
	struct rule *rules;
	size_t nrules;
	size_t max_series;
	size_t nseries;
	uint64_t conflicts;

	struct gs_map *names; /* the first struct name of a text */
	const struct name *name; /* the newest, in names */
	struct gs_map *groups; /* numbers, by key */
	struct gs_map *targets; /* numbers, by id */
	struct gs_pool group_pool;
	struct gs_pool input_pool;
	struct gs_pool metric_pool;
	struct gs_pool ref_pool;
	struct gs_pool target_pool;
	struct gs_slab slab;
	struct index inputs;
	struct index metrics;
	struct gs_buf key; /* scratch */
	uint32_t first_target;

	/* The scrape under way. */
	bool open;
	enum gs_status failed;
	uint64_t id;
	uint32_t target; /* 0: nothing of it is known yet */
	uint32_t at; /* the input that was found last */
	uint32_t expected; /* the one that followed it in the scrape before */
};

static inline struct group *group_at(const struct gs_rollup *r, uint32_t number) {
	return gs_pool_at(&r->group_pool, number);
}

static inline struct input *input_at(const struct gs_rollup *r, uint32_t number) {
	return gs_pool_at(&r->input_pool, number);
}

static inline struct metric *metric_at(const struct gs_rollup *r, uint32_t number) {
	return gs_pool_at(&r->metric_pool, number);
}

static inline struct target *target_at(const struct gs_rollup *r, uint32_t number) {
	return gs_pool_at(&r->target_pool, number);
}

/* Walk the groups of refs: for (uint32_t more = 0, g = refs_first(..); g != 0; g = refs_next(.., &more)). */
static inline uint32_t refs_next(const struct gs_rollup *r, uint32_t *more) {
	if (*more == 0)
		return 0;
	const struct ref *ref = gs_pool_at(&r->ref_pool, *more);
	*more = ref->next;
	return ref->group;
}

static inline uint32_t refs_first(const struct refs *refs, uint32_t *more) {
	*more = refs->more;
	return refs->group;
}

#define GS_ROLLUP_EACH(r, refs, g)                                                                                     \
	for (uint32_t more_##g, g = refs_first(refs, &more_##g); g != 0; g = refs_next(r, &more_##g))

/* A sum in doubles that never becomes what it cannot leave again. */
static inline double gs_rollup_grown(double total, double by) {
	double sum = total + by;
	return sum - sum == 0 ? sum : total;
}

/* rule.c */

/** gs_rollup_rules(rollup, rules, n, err): Compile into ${rollup}; what is there after a failure, gs_rollup_rules_free frees. */
GS_MUST_USE enum gs_status gs_rollup_rules(
    struct gs_rollup *r, const struct gs_rollup_rule *rules, size_t n, struct gs_error *err);
void gs_rollup_rules_free(struct gs_rollup *r);

/** gs_rollup_name_find(rollup, type, part, text, ret_name): What the rules do with it, valid until the next call. GS_ENOMEM; GS_ELIMIT of an expression. */
GS_MUST_USE enum gs_status gs_rollup_name_find(struct gs_rollup *r, enum gs_expo_type type, enum gs_expo_part part,
    struct gs_str text, const struct name **ret_name);

/** gs_rollup_names_clear(rollup): Forget all names. */
void gs_rollup_names_clear(struct gs_rollup *r);

/** gs_rollup_keeps(rule, name): Whether the result of the rule has the label of that name, if the input does. */
bool gs_rollup_keeps(const struct rule *rule, struct gs_str name);

/* group.c */

/** gs_rollup_put_label(key, label): Append in the form of a group's key. */
void gs_rollup_put_label(struct gs_buf *key, const struct gs_label *label);

/** gs_rollup_next_label(rest, ret): Take the first label of a key without its rule; false: there is none. */
bool gs_rollup_next_label(struct gs_str *rest, struct gs_label *ret);

/** gs_rollup_refer(rollup, refs, rule, class, labels, n):
 * Let ${refs} have the group of the rule for these labels, made if need be. With another class than the rule has, nothing is done but counting that. GS_ENOMEM,
 * GS_ELIMIT: nothing is done. */
GS_MUST_USE enum gs_status gs_rollup_refer(
    struct gs_rollup *r, struct refs *refs, size_t rule, enum class class, const struct gs_label *labels, size_t n);

/** gs_rollup_unrefer(rollup, refs): Refer to none any more; groups that nobody refers to leave. */
void gs_rollup_unrefer(struct gs_rollup *r, struct refs *refs);

/** gs_rollup_bound_add(rollup, group, at): One more part has that bound. GS_ENOMEM, GS_ELIMIT. */
GS_MUST_USE enum gs_status gs_rollup_bound_add(struct gs_rollup *r, uint32_t group, double at);
void gs_rollup_bound_remove(struct gs_rollup *r, uint32_t group, double at);

/** gs_rollup_series_of(class): For how many a group counts, apart from its bounds. */
size_t gs_rollup_series_of(enum class class);

/* input.c */

/** gs_rollup_index_find(index, hash, target): The number, or 0. */
uint32_t gs_rollup_index_find(const struct index *index, uint64_t hash, uint32_t target);

/** gs_rollup_hash(rollup, name, labels, n): Of what an input is known by; 0 when out of memory. */
uint64_t gs_rollup_hash(struct gs_rollup *r, const struct name *name, const struct gs_label *labels, size_t n);

/** gs_rollup_input_new(rollup, name, labels, n, hash, ret):
 * Make the input behind r->at. ${ret} is 0 if no rule can take it. GS_ENOMEM, GS_ELIMIT: nothing is left of it. */
GS_MUST_USE enum gs_status gs_rollup_input_new(struct gs_rollup *r, const struct name *name,
    const struct gs_label *labels, size_t n, uint64_t hash, uint32_t *ret);
void gs_rollup_input_free(struct gs_rollup *r, uint32_t number);

/** gs_rollup_input_retry(rollup, input, name, labels, n): Ask the rules that refused it again. GS_ENOMEM, GS_ELIMIT. */
GS_MUST_USE enum gs_status gs_rollup_input_retry(
    struct gs_rollup *r, uint32_t number, const struct name *name, const struct gs_label *labels, size_t n);

/** gs_rollup_target_free(rollup, target): With all its inputs. */
void gs_rollup_target_free(struct gs_rollup *r, uint32_t number);

#endif
