/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_STORE_INTERNAL_H
#define GRAVEL_LIB_STORE_INTERNAL_H

#include "gravel/base/pool.h"
#include "gravel/base/slab.h"
#include "gravel/expo/write_protobuf.h"
#include "gravel/gravel/store.h"
#include "value_internal.h"

/* docs/STORE.md tells the whole of it. Series, families, owners and texts have numbers; 0 is none. */

/*
 * Labels as they stand between the braces, each such text once for all who have it. A series has two: of its target (instance, job, publisher)
 * and its own. The empty text is one like others.
 */
struct text {
	uint32_t refs;
	uint32_t n;
	uint32_t hash;
	uint32_t first; /* series whose target it is */
	uint32_t count; /* of them */
	uint32_t pushed; /* of those, what the pushers have */
	uint32_t position; /* in store->targets, if count is not 0 */
	bool odd; /* has a name that is written otherwise for readers of classic names */
	char p[];
};

enum owner_kind {
	OWNER_PUSHED, /* the pushers together; one for each time to live */
	OWNER_SCRAPED, /* a scraped group */
	OWNER_GATEWAY, /* a group of the Pushgateway's dialect */
	OWNER_SELF, /* the program itself */
};

/* Who put series here. Its series in a list, oldest renewal first. */
struct owner {
	enum owner_kind kind;
	uint32_t first;
	uint32_t last;
	uint32_t count;
	int64_t ttl_ms; /* OWNER_PUSHED: how long after its last push a series leaves; 0: never */
};

struct group {
	uint32_t owner;
	uint32_t times; /* gateway: the owner of its push_time_seconds and push_failure_time_seconds */
	bool stale;
	bool gone; /* its source left: without series, kept only so that no older scrape brings it back */
	struct gs_str
	    key; /* scraped: publisher 0xff job 0xff instance; gateway: the text of its labels. Stands behind the struct */
	struct gs_group_key names; /* slices of key; scraped only */
	int64_t time_ms; /* scraped: of the last scrape; gateway: of the last push that was taken, 0 before */
	int64_t failed_ms; /* gateway: of the last push that was refused, 0 before */
	int64_t interval_ms;
};

/* What few series have. */
struct extra {
	struct parts *parts;
	struct pebble *pebble; /* NULL: an ordinary series */
	struct exemplars *exemplars; /* NULL: none */
	struct native *native; /* of a histogram; NULL: none */
	int64_t timestamp_ms; /* of its last sample */
	bool has_timestamp; /* that one had one */
};

/* What may be written of a family. */
enum form_rules {
	FORM_TEXT,
	FORM_STRICT, /* OpenMetrics */
	FORM_BINARY, /* protobuf */
	FORM_RULES,
};

/* 64 bytes: a cache line. Its own number is family->series[position]. */
struct series {
	double value; /* if it has no parts and is no pebble */
	int64_t renewed_ms; /* last push or scrape that had it */
	uint32_t family;
	uint32_t own; /* texts */
	uint32_t target;
	uint32_t owner;
	uint32_t owner_prev; /* of the owner's list */
	uint32_t owner_next;
	uint32_t target_prev; /* of the target's */
	uint32_t target_next;
	uint32_t position; /* in family->series */
	uint32_t round; /* of the last apply that had it, also one that was refused */
	uint32_t extra; /* 0: none */
	uint8_t type;
	uint8_t broken; /* bits by enum form_rules: gs_series_judge */
	bool has_value; /* false until its first value is committed */
};

/*
 * What other families mean to one (form.c): names that clash in OpenMetrics, and x_created, which is there a part of x_total or x. Found when somebody
 * reads, and good as long as no family comes, goes, or gets other types.
 */
struct kin {
	uint64_t shape; /* store->shape when it was found */
	uint32_t partner; /* of x_created the family x_total or x, and the other way round; 0: none */
	bool clash; /* in OpenMetrics it would have a name of another one */
	bool paired; /* as of ${paired_of}: every series of the partner has the labels of one of this */
	bool mixed; /* as of ${mixed_of}: a stateset whose states do not stand together, or have no label */
	uint64_t paired_of; /* the later version of the members of both */
	uint64_t mixed_of; /* a version of the members */
	uint64_t served; /* the version that readers see, if there is a partner ... */
	uint64_t served_of; /* ... and the later version of both that it stands for */
};

struct family {
	uint32_t number;
	uint32_t position; /* in store->order */
	struct gs_str name;
	struct gs_str help;
	struct gs_str unit;
	uint32_t *series; /* [0, sorted) in order of labels, but for holes (0) */
	uint32_t n; /* with holes */
	uint32_t cap;
	uint32_t sorted;
	uint32_t holes;
	uint32_t npebbles; /* series that are one */
	uint32_t types[GS_TYPE_GAUGEHISTOGRAM +
		       1]; /* how many series have each type; changed by gs_family_count_type alone */
	uint32_t nbroken[FORM_RULES]; /* series whose value their type may not have by these rules */
	struct kin kin;
	uint64_t members; /* the version when a series came or went last */
	uint32_t round; /* of the last apply that had it */
	uint64_t version; /* of what is written of it */
};

/* The help or unit that a family gets from the batch that is being applied. */
struct help {
	struct family *family;
	bool unit;
	struct gs_str text;
};

/* One series of the batch that is being applied, and what it will become. */
struct change {
	struct series *series;
	const struct batch_point *point;
	struct parts *parts; /* new parts of the value */
	struct pebble *pebble; /* a new pebble */
	struct exemplars *exemplars; /* what takes the place of its exemplars, if new_exemplars */
	struct native *native; /* the new native part, or none */
	enum gs_mode_kind mode;
	bool created;
	bool skip; /* older than what is stored, or too late for the window */
	bool fresh; /* what is stored does not count */
	bool new_exemplars;
	int64_t at_ms; /* of a value for a pebble */
};

/* How a batch that is being prepared stands to the limits (limit.c). */
struct room {
	size_t spare; /* series that could leave with it, at most */
	size_t brought; /* scrape: series that it has, but for those that we add */
	bool over; /* what is there now is beyond a limit */
};

/* Labels to look for, as they would stand in a text; an empty value means that there is no such label. Zeroed: closed. */
struct wanted {
	size_t n;
	struct gs_label labels[GS_BATCH_LABELS_MAX];
	bool of_target[GS_BATCH_LABELS_MAX];
	struct gs_buf text;
};

#define TEXT_POOLS (GS_SLAB_CLASSES + 1) /* one for each class of size, and one of pointers to the larger ones */

/*
 * Invariants (gs_store_check):
 * 1. Every series stands once in the table, once in its family at its position, once in the lists of its owner and its target.
 * 2. Every family has a series, and family->types counts them by type; store->order holds every family once.
 * 3. [0, sorted) of a family without its holes and, if !order_dirty, store->order are in strictly rising order.
 * 4. A series has parts exactly if its type has and it is no pebble; layouts and texts have as many refs as users.
 * 5. An extra has something in it.
 * 6. Between calls no series is without a value.
 * 7. Slices of a pebble are in strictly rising order, at most 2 * GS_LIMIT_PEBBLE_SLICES + 1, and none is empty.
 * 8. store->targets holds every text that is the target of a series once.
 */
struct gs_store {
	struct gs_store_options options;
	struct gs_slab slab; /* all that is not in a pool */
	struct gs_pool families_pool;
	struct gs_pool series_pool;
	struct gs_pool owners;
	struct gs_pool extras;
	struct gs_pool texts[TEXT_POOLS];
	uint32_t *text_table; /* open addressing by hash; a power of two */
	size_t cap_texts;
	size_t ntexts;
	uint32_t *targets; /* texts */
	size_t ntargets;
	size_t cap_targets;
	uint32_t empty; /* the empty text */
	struct gs_map *layouts;
	struct gs_map *families;
	struct gs_map *groups; /* scraped */
	struct gs_map *gateways;
	uint64_t secret; /* so that nobody prepares series whose numbers collide */
	uint32_t *table; /* of series; open addressing by hash; a power of two */
	size_t cap_table;
	size_t nseries;
	struct family **order;
	size_t norder;
	size_t cap_order;
	bool order_dirty;
	uint32_t own; /* the owner of the program's own metrics */
	uint32_t *leases; /* owners of kind OWNER_PUSHED, each with another ttl_ms */
	size_t nleases;
	size_t cap_leases;
	size_t nstale; /* groups */
	size_t ngone; /* likewise; none of them is stale */
	uint64_t version; /* the last that a family got */
	uint64_t shape; /* changes when a family comes, goes, or has other types; not 0 */
	uint32_t round;
	struct room room; /* of an apply */
	uint32_t replaced; /* of an apply: the owner whose series all leave but for those that it renews; 0: none */
	uint32_t expected; /* of an apply: a scrape mostly brings what its owner has, in the same order */
	struct family **applied; /* scratch of an apply: the family of each of the batch; NULL: there is none */
	size_t cap_applied;
	struct change *changes; /* scratch of an apply */
	size_t nchanges;
	size_t cap_changes;
	struct help *helps; /* likewise */
	size_t nhelps;
	size_t cap_helps;
	struct gs_batch *times; /* the series of times of a gateway group */
	struct wanted scope; /* of an apply: the labels within which clearmode family replaces */
	struct gs_buf scratch; /* labels of a text, unescaped */
};

/* memory.c */
void *gs_store_alloc(struct gs_store *store, size_t n);
void *gs_store_resize(struct gs_store *store, void *p, size_t old, size_t n);
void gs_store_release(struct gs_store *store, void *p, size_t n);
/* Like gs_grow_array: room for one more behind ${n}; NULL: no memory, all stays. */
void *gs_store_grow(struct gs_store *store, void *p, size_t *cap, size_t n, size_t size);
size_t gs_store_bytes(const struct gs_store *store);
/* A copy, to be released with its n; n is 0 when there is no memory or nothing to copy. */
struct gs_str gs_store_dup(struct gs_store *store, struct gs_str s);

static inline struct series *gs_series_at(const struct gs_store *store, uint32_t number) {
	return gs_pool_at(&store->series_pool, number);
}

static inline struct family *gs_family_at(const struct gs_store *store, uint32_t number) {
	return gs_pool_at(&store->families_pool, number);
}

static inline struct family *gs_family_of(const struct gs_store *store, const struct series *series) {
	return gs_family_at(store, series->family);
}

static inline uint32_t gs_series_number(const struct gs_store *store, const struct series *series) {
	return gs_family_of(store, series)->series[series->position];
}

static inline struct owner *gs_owner_at(const struct gs_store *store, uint32_t number) {
	return gs_pool_at(&store->owners, number);
}

static inline struct extra *gs_extra_of(const struct gs_store *store, const struct series *series) {
	return series->extra != 0 ? gs_pool_at(&store->extras, series->extra) : NULL;
}

static inline struct pebble *gs_pebble_of(const struct gs_store *store, const struct series *series) {
	const struct extra *extra = gs_extra_of(store, series);
	return extra != NULL ? extra->pebble : NULL;
}

static inline struct parts *gs_series_parts(const struct gs_store *store, const struct series *series) {
	const struct extra *extra = gs_extra_of(store, series);
	return extra != NULL ? extra->parts : NULL;
}

/* text.c */
#define TEXT_CLASS_SHIFT 26
struct text *gs_text_at(const struct gs_store *store, uint32_t number);
static inline struct gs_str gs_text_str(const struct text *text) {
	return gs_str_make(text->p, text->n);
}
GS_MUST_USE enum gs_status gs_texts_open(struct gs_store *store);
void gs_texts_close(struct gs_store *store);
uint32_t gs_text_find(const struct gs_store *store, struct gs_str s, uint32_t hash); /* 0: there is none */
uint32_t gs_text_get(struct gs_store *store, struct gs_str s, uint32_t hash, bool odd); /* one more ref; 0: no memory */
uint32_t gs_text_ref(struct gs_store *store, uint32_t number); /* one more ref; the number */
void gs_text_put(struct gs_store *store, uint32_t number); /* one less */
/* The labels of both texts of the series as they are meant, in store->scratch until the next call; at most max. */
size_t gs_text_labels(struct gs_store *store, const struct series *series, struct gs_label *labels, size_t max);
void gs_texts_check(const struct gs_store *store);

/* family.c */
struct family *gs_family_find(const struct gs_store *store, struct gs_str name);
struct family *gs_family_add(struct gs_store *store, struct gs_str name); /* NULL: no memory */
void gs_family_remove(struct gs_store *store, struct family *family); /* that has no series */
/* Make room, so that gs_family_link cannot fail. */
GS_MUST_USE enum gs_status gs_family_reserve(struct gs_store *store, struct family *family);
void gs_family_link(struct gs_store *store, struct family *family, uint32_t number, struct series *series);
/* One series more of that type, or one less. */
static inline void gs_family_count_type(struct gs_store *store, struct family *family, unsigned type, bool more) {
	if (family->types[type] == (more ? 0 : 1))
		store->shape++;
	family->types[type] += more ? 1 : -1U;
}
void gs_family_unlink(struct gs_store *store, struct family *family, struct series *series);
/* How many series it has. */
static inline uint32_t gs_family_count(const struct family *family) {
	return family->n - family->holes;
}
/* Whether all series of the family have one type, and which. */
bool gs_family_type(const struct family *family, enum gs_expo_type *ret);
/* What is written of the family is another. */
static inline void gs_family_touch(struct gs_store *store, struct family *family) {
	family->version = ++store->version;
}
/* A new help and unit wait until the apply is committed; empty or equal: nothing. */
GS_MUST_USE enum gs_status gs_help_prepare(
    struct gs_store *store, struct family *family, const struct batch_family *pushed);
void gs_helps_commit(struct gs_store *store);
void gs_helps_abort(struct gs_store *store);
void gs_family_sort(struct gs_store *store, struct family *family);
void gs_store_sort(struct gs_store *store);
int gs_series_compare(const struct gs_store *store, const struct series *a, const struct series *b);

/* series.c */
/* The series with the same labels in another family; NULL if there is none. */
struct series *gs_series_twin(const struct gs_store *store, const struct series *series, const struct family *family);
/* The series of the point in that family and target; NULL if there is none. */
struct series *gs_series_find(
    const struct gs_store *store, const struct family *family, uint32_t target, const struct batch_point *point);
bool gs_series_is(
    const struct gs_store *store, const struct series *series, uint32_t family, const struct batch_point *point);
/* A new series without a value; its family is made if it is missing. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_series_add(struct gs_store *store, const struct batch_point *point,
    enum gs_expo_type type, uint32_t owner, struct series **ret);
/* The same of texts that are there; takes a ref of each, also without memory; 0: there was none for one. */
GS_MUST_USE enum gs_status gs_series_insert(struct gs_store *store, struct family *family, uint32_t own,
    uint32_t target, enum gs_expo_type type, uint32_t owner, struct series **ret);
bool gs_series_known(const struct gs_store *store, const struct family *family, uint32_t own, uint32_t target);
void gs_series_remove(struct gs_store *store, struct series *series);
void gs_series_retype(struct gs_store *store, struct series *series, enum gs_expo_type type);
/* Give it an extra if it has none. */
GS_MUST_USE enum gs_status gs_series_need_extra(struct gs_store *store, struct series *series);
void gs_series_drop_extra(struct gs_store *store, struct series *series); /* if there is nothing in it */
/* Whether it has all the labels, in the form that gs_wanted_open gave them. */
bool gs_series_has_labels(const struct gs_store *store, const struct series *series, const struct wanted *wanted);
/* Whether a label quantile is among its own. */
bool gs_series_names_quantile(const struct gs_store *store, const struct series *series);

/* Labels to look for. */
GS_MUST_USE enum gs_status gs_wanted_open(struct wanted *wanted, const struct gs_label *labels, size_t n);
void gs_wanted_close(struct wanted *wanted);
/* Whether a series of that target can have them all. */
bool gs_wanted_target(const struct gs_store *store, const struct wanted *wanted, uint32_t target);
/* Remove what was pushed, has all ${wanted} labels and pleases ${which} (NULL: all does); how many. Costs what the targets that can have the labels cost. */
size_t gs_pushed_remove(struct gs_store *store, const struct wanted *wanted,
    bool (*which)(struct gs_store *store, const struct series *series, void *ctx), void *ctx);

/* form.c: how a family is written. */
/* What else is written: of times of creation it is known only in the first case that they have their place. */
enum form_scope {
	FORM_ALL, /* all families */
	FORM_FAMILY, /* who knows; but all of this one */
	FORM_LINES, /* only some lines of this one */
};
struct form {
	enum gs_expo_type type; /* of its head */
	bool together; /* the parts of a series stand together; else every name is a metric of its own */
	bool hidden; /* nothing is written: it is a part of another one */
	const struct family *created; /* where the times of creation are; NULL: there are none */
};
struct form gs_form_of(struct gs_store *store, struct family *family, enum form_rules rules, enum form_scope scope);
/* The family of the times of creation that belong to this one in OpenMetrics; NULL: there is none. For parts: what was decided of the first one holds. */
const struct family *gs_form_created(struct gs_store *store, struct family *family);
/* Note whether the value may stand as its type. After each commit of one. */
unsigned gs_form_broken(const struct gs_store *store, const struct series *series);
void gs_series_judge(struct gs_store *store, struct family *family, struct series *series);
/* The version for readers: of all that the family's rendering depends on. */
uint64_t gs_form_version(struct gs_store *store, struct family *family);
/* Whether a bound may be written to OpenMetrics as it is. */
bool gs_form_bound_stands(struct gs_str text);

/* binary.c: families as messages, into a buffer. */
struct binary {
	struct gs_expo_pb_writer writer;
	const struct family *family;
	struct gs_str suffix; /* of the name of what is written */
	enum gs_expo_type type;
	size_t start; /* of the message */
	size_t meta; /* the end of its head */
};
/* Begin with the family, or with the metric of that name and suffix. */
void gs_binary_begin(struct binary *binary, const struct family *family, struct gs_str suffix, enum gs_expo_type type,
    enum gs_escaping escaping, struct gs_buf *out);
/* One number with these labels. */
void gs_binary_number(struct binary *binary, const struct gs_label *labels, size_t n, double value);
/* The whole of a series with these labels. */
void gs_binary_series(struct binary *binary, const struct gs_label *labels, size_t n, const struct extra *extra,
    const struct value *value);
void gs_binary_end(struct binary *binary); /* nothing is written of what has no metric */

/* owner.c */
uint32_t gs_owner_new(struct gs_store *store, enum owner_kind kind); /* 0: no memory */
void gs_owner_free(struct gs_store *store, uint32_t number); /* that has no series */
void gs_owner_link(struct gs_store *store, uint32_t owner, uint32_t number, struct series *series);
void gs_owner_unlink(struct gs_store *store, struct series *series);
/* Move the series to the end of the list of ${owner}. */
void gs_owner_take(struct gs_store *store, uint32_t owner, struct series *series);
void gs_owner_clear(struct gs_store *store, uint32_t owner); /* remove all its series */
/* The owner of what is pushed with that time to live. GS_ELIMIT when there are too many different ones. */
GS_MUST_USE enum gs_status gs_owner_pushed(struct gs_store *store, int64_t ttl_ms, uint32_t *ret);
/* Whether both are the same source: pushers are one, whatever the time to live. */
bool gs_owner_same(const struct gs_store *store, uint32_t a, uint32_t b);
/* The list of the target. */
GS_MUST_USE enum gs_status gs_target_reserve(struct gs_store *store);
void gs_target_link(struct gs_store *store, uint32_t number, struct series *series);
void gs_target_unlink(struct gs_store *store, struct series *series);

/* limit.c: before a batch is prepared; for each of its points; for each series that it adds, before that is made (family NULL, target 0: there is none yet);
 * and when all are prepared. GS_ELIMIT with ${err}. */
void gs_limit_begin(struct gs_store *store, const struct gs_batch *batch, uint32_t owner);
GS_MUST_USE enum gs_status gs_limit_bring(
    struct gs_store *store, uint32_t owner, const struct batch_point *point, struct gs_error *err);
GS_MUST_USE enum gs_status gs_limit_add(struct gs_store *store, uint32_t owner, const struct family *family,
    uint32_t target, const struct batch_point *point, struct gs_error *err);
GS_MUST_USE enum gs_status gs_limit_end(
    struct gs_store *store, const struct gs_batch *batch, uint32_t owner, struct gs_error *err);

/* group.c: a group that is in no map yet; NULL: no memory. Freed with its series. */
struct group *gs_group_new(struct gs_store *store, enum owner_kind kind, struct gs_str key);
void gs_group_free(struct gs_store *store, struct group *group);

/* render.c: one series, all of it, behind the head of its family if ${head}; as text, with ${time_ms} behind every sample. */
void gs_render_timed(
    struct gs_store *store, struct gs_buf *out, const struct series *series, bool head, int64_t time_ms);

/* apply.c: the one way of changing values. Prepare allocates and checks all, commit cannot fail, abort takes all back. */
GS_MUST_USE enum gs_status gs_apply_prepare(struct gs_store *store, const struct gs_batch *batch, uint32_t owner,
    int64_t time_ms, struct gs_store_result *result, struct gs_error *err);
void gs_apply_commit(struct gs_store *store, const struct gs_batch *batch, uint32_t owner, int64_t time_ms,
    struct gs_store_result *result);
void gs_apply_abort(struct gs_store *store);
/* Remove what clearmode family replaces in the family, as far as it pleases ${which}; how many. The series that it keeps were prepared. */
size_t gs_apply_visit_replaced(struct gs_store *store, struct family *family,
    bool (*which)(struct gs_store *store, const struct series *series, void *ctx), void *ctx);
/* The series of the owner that the last apply did not renew leave. They stand first in its list: renewed ones moved to the end. */
size_t gs_apply_remove_rest(struct gs_store *store, uint32_t owner);

#endif
