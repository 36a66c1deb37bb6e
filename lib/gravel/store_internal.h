/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_STORE_INTERNAL_H
#define GRAVEL_LIB_STORE_INTERNAL_H

#include "batch_internal.h"
#include "gravel/gravel/store.h"

/* A string that many share, counted. */
struct symbol {
	uint32_t refs;
	uint32_t n;
	char p[];
};

static inline struct gs_str gs_symbol_str(const struct symbol *symbol) {
	return symbol != NULL ? gs_str_make(symbol->p, symbol->n) : (struct gs_str){0};
}

/* The bounds (le, quantile) that histograms of one make share, with their texts as written; sorted. */
struct layout {
	struct gs_str key; /* the texts, each ended by 0xff; stands behind the arrays */
	uint32_t refs;
	uint32_t n;
	double *at;
	struct gs_str *text;
};

/* The value of a histogram or summary; a simple value has none. Immutable but for its freeing: a change makes a new one. */
struct parts {
	struct layout *layout;
	double sum;
	double count;
	bool has_sum;
	bool has_count;
	double v[]; /* layout->n */
};

struct value {
	double simple;
	struct parts *parts;
};

/* A ring of time slices, sorted by index = floor(time / width). The newest is kept even when it left the window: it knows the
 * bounds of an empty histogram. */
struct pebble_slice {
	int64_t index;
	uint64_t count; /* pushes in it */
	struct value value;
};

struct pebble {
	enum gs_pebble_agg agg;
	int64_t window_ms;
	int64_t width_ms;
	uint32_t n;
	uint32_t cap;
	struct pebble_slice *slices;
};

/* Who put series here: the pushers together, one scraped group, or the program itself. Its series in a list, oldest renewal
 * first. */
struct owner {
	struct series *first;
	struct series *last;
	size_t count;
};

struct group {
	struct owner owner; /* first: an owner of a scrape is its group */
	struct gs_str key; /* publisher 0xff job 0xff instance; stands behind the struct */
	struct gs_group_key names; /* slices of key */
	int64_t time_ms;
	int64_t interval_ms;
	bool stale;
};

struct series {
	uint64_t hash;
	struct family *family;
	struct owner *owner;
	struct series *prev; /* of the owner's list */
	struct series *next;
	struct pebble *pebble; /* NULL: an ordinary series */
	struct value value;
	int64_t renewed_ms; /* last push or scrape that had it */
	int64_t timestamp_ms; /* of its last sample that had one */
	uint32_t position; /* in family->series */
	uint32_t round; /* of the last apply that had it */
	uint8_t type;
	uint8_t nlabels;
	bool has_timestamp;
	bool has_value; /* false until its first value is committed */
	struct symbol *labels[]; /* name, value, name, value, ...; sorted by name */
};

struct family {
	struct symbol *name;
	struct symbol *help;
	struct series **series; /* [0, sorted) in order of labels */
	uint32_t n;
	uint32_t cap;
	uint32_t sorted;
	uint32_t position; /* in store->order */
	uint32_t npebbles; /* series that are one */
	uint64_t version; /* of what is written of it */
	uint32_t types[GS_TYPE_GAUGEHISTOGRAM + 1]; /* how many series have each type */
};

/* One series of the batch that is being applied, and what it will become. */
struct change {
	struct series *series;
	const struct batch_point *point;
	struct parts *parts; /* new parts of the value, or of the slice */
	struct pebble *pebble; /* a new pebble */
	enum gs_mode_kind mode;
	bool created;
	bool skip; /* older than what is stored, or too late for the window */
	bool fresh; /* what is stored does not count */
	int64_t slice;
};

/*
 * Invariants (gs_store_check):
 * 1. Every series stands once in the table, once in its family at its position, once in its owner's list.
 * 2. Every family has a series, and family->types counts them by type; store->order holds every family once.
 * 3. [0, sorted) of a family and, if !order_dirty, store->order are in strictly rising order.
 * 4. A series has parts exactly if its type has; layouts and symbols have as many refs as users.
 * 5. bytes is the sum of what is allocated.
 * 6. Between calls no series is without a value.
 * 7. Slices of a pebble are in strictly rising order, at most GS_LIMIT_PEBBLE_SLICES + 1.
 */
struct gs_store {
	struct gs_store_options options;
	struct gs_map *symbols;
	struct gs_map *layouts;
	struct gs_map *families;
	struct gs_map *groups;
	struct series **table; /* open addressing by hash; a power of two */
	size_t cap_table;
	size_t nseries;
	struct family **order;
	size_t norder;
	size_t cap_order;
	bool order_dirty;
	struct owner pushed;
	struct owner own;
	size_t nstale; /* groups */
	size_t bytes;
	uint64_t version; /* the last that a family got */
	uint32_t round;
	struct series *expected; /* of an apply: a scrape mostly brings what its owner has, in the same order */
	struct change *changes; /* scratch of an apply */
	size_t nchanges;
	size_t cap_changes;
};

/* memory.c: allocation that counts. */
void *gs_store_alloc(struct gs_store *store, size_t n);
void *gs_store_resize(struct gs_store *store, void *p, size_t old, size_t n);
void gs_store_release(struct gs_store *store, void *p, size_t n);

struct symbol *gs_symbol_get(struct gs_store *store, struct gs_str s); /* one more ref; NULL: no memory */
void gs_symbol_put(struct gs_store *store, struct symbol *symbol); /* one less */

/* parts.c */
struct parts *gs_parts_of_point(struct gs_store *store, const struct batch_point *point);
/* a + b by the union of their bounds (DESIGN 3.1); for a summary the quantiles of b win. ${a} may be NULL. */
struct parts *gs_parts_merge(
    struct gs_store *store, const struct parts *a, const struct parts *b, enum value_kind kind);
void gs_parts_scale(struct parts *parts, enum value_kind kind, double factor);
void gs_parts_free(struct gs_store *store, struct parts *parts);

/* pebble.c */
struct pebble *gs_pebble_new(struct gs_store *store, const struct gs_mode *mode);
void gs_pebble_free(struct gs_store *store, struct pebble *pebble);
bool gs_pebble_is(const struct pebble *pebble, const struct gs_mode *mode);
int64_t gs_pebble_slice_of(const struct pebble *pebble, int64_t time_ms);
/* The slice of a value from ${at_ms}, before now; false when that has left the window. */
bool gs_pebble_place(const struct pebble *pebble, int64_t now_ms, int64_t at_ms, int64_t *ret_slice);
/* Make room, so that gs_pebble_add cannot fail. */
GS_MUST_USE enum gs_status gs_pebble_reserve(struct gs_store *store, struct pebble *pebble, int64_t now_slice);
const struct pebble_slice *gs_pebble_find(const struct pebble *pebble, int64_t slice);
/* Add to a slice; ${parts} (moved) replace those of the slice. */
void gs_pebble_add(struct gs_store *store, struct pebble *pebble, int64_t slice, double simple, struct parts *parts);
/* The value at ${now_ms}; false: nothing to expose, or no memory. *ret->parts is new and the caller's. */
bool gs_pebble_read(
    struct gs_store *store, const struct pebble *pebble, enum value_kind kind, int64_t now_ms, struct value *ret);
void gs_pebble_check(const struct pebble *pebble);

/* series.c */
struct family *gs_family_find(const struct gs_store *store, struct gs_str name);
/* Whether all series of the family have one type, and which. */
bool gs_family_type(const struct family *family, enum gs_expo_type *ret);
struct series *gs_series_find(const struct gs_store *store, const struct batch_point *point);
bool gs_series_is(const struct series *series, const struct batch_point *point);
/* A new series without a value; its family is made if it is missing. GS_ELIMIT, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_series_add(struct gs_store *store, const struct batch_point *point,
    enum gs_expo_type type, struct owner *owner, struct series **ret);
void gs_series_remove(struct gs_store *store, struct series *series);
void gs_series_retype(struct series *series, enum gs_expo_type type);
/* What is written of the family is another. */
static inline void gs_family_touch(struct gs_store *store, struct family *family) {
	family->version = ++store->version;
}
/* Move the series to the end of the list of ${owner}. */
void gs_series_own(struct series *series, struct owner *owner);
bool gs_series_has_labels(const struct series *series, const struct gs_label *labels, size_t n);
void gs_family_sort(struct family *family);
void gs_store_sort(struct gs_store *store);
int gs_series_compare(const struct series *a, const struct series *b);

/* apply.c: the one way of changing values. Prepare allocates and checks all, commit cannot fail, abort takes all back. */
GS_MUST_USE enum gs_status gs_apply_prepare(struct gs_store *store, const struct gs_batch *batch, struct owner *owner,
    int64_t time_ms, struct gs_store_result *result, struct gs_error *err);
void gs_apply_commit(struct gs_store *store, const struct gs_batch *batch, struct owner *owner, int64_t time_ms,
    struct gs_store_result *result);
void gs_apply_abort(struct gs_store *store);

#endif
