/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_VALUE_INTERNAL_H
#define GRAVEL_LIB_VALUE_INTERNAL_H

#include <math.h>

#include "batch_internal.h"
#include "sketch.h"

/* What a series is worth: numbers, the parts of histograms and summaries, and pebbles. Memory is the store's (memory.c). */

/* The bounds (le, quantile) that histograms of one make share, with their texts as written; sorted. */
struct layout {
	struct gs_str key; /* the texts, each ended by 0xff; stands behind the arrays */
	uint32_t refs;
	uint32_t n;
	uint32_t place; /* in a snapshot, while that is saved */
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

#define EXEMPLAR_CHARACTERS 128 /* of its labels: OpenMetrics, "Exemplars" */
#define EXEMPLAR_BYTES (4 * EXEMPLAR_CHARACTERS) /* of the same without escapes */
#define EXEMPLAR_LABELS EXEMPLAR_CHARACTERS /* no name is empty */

struct exemplar {
	double at; /* the bound of its bucket; of a counter +Inf */
	double value;
	int64_t timestamp_ms;
	bool has_timestamp;
	uint32_t n; /* bytes of its labels as text (label.h) */
	uint32_t text; /* where in the block */
};

/* The exemplars of a series, by rising bounds. One block, immutable but for its freeing. */
struct exemplars {
	uint32_t bytes; /* of the block */
	uint32_t n;
	struct exemplar e[];
};

/* Room to read one. */
struct exemplar_room {
	struct gs_label labels[EXEMPLAR_LABELS];
	char bytes[EXEMPLAR_BYTES];
};

/* The native part of a histogram. Immutable but for its freeing; its arrays stand behind the struct. */
struct native {
	size_t bytes;
	struct exemplars *exemplars; /* NULL: none */
	struct gs_native it; /* without its exemplars */
};

struct value {
	double simple;
	struct parts *parts;
};

/* What a pebble keeps of one number (a component) in one slice, in as many of these as its aggregation needs: cell.c. */
union slot {
	int64_t index; /* of the slice; before its cell */
	double d;
	struct gs_sketch *sketch;
	struct tally *tally;
};

#define CELL_SLOTS_MAX 3

/* What a slice keeps of histograms or summaries: a cell for each bound or quantile, then those of sum and of count. */
struct tally {
	struct layout *layout;
	bool has_sum;
	bool has_count;
	union slot slots[];
};

/* How a pebble counts. */
struct rule {
	enum value_kind kind;
	enum gs_pebble_agg agg;
	uint32_t percent_milli;
	uint32_t width; /* slots of a cell */
};

/* A ring of time slices, sorted by index = floor(time / width). What has left the window goes with the next push: until then it knows the
 * bounds of an empty histogram. */
struct pebble {
	struct rule rule;
	int64_t window_ms;
	int64_t width_ms;
	uint32_t n;
	uint32_t cap;
	union slot *slices; /* of each: its index; then its cell, or its tally */
	union slot spare; /* the sketch or tally that gs_pebble_reserve made for the slice to come; or none */
};

/* The lesser or greater of two numbers; a NaN is none. */
static inline double gs_lesser(double a, double b) {
	return b < a || isnan(a) ? b : a;
}

static inline double gs_greater(double a, double b) {
	return b > a || isnan(a) ? b : a;
}

/* What becomes of a stored and a pushed number under a mode in which both count. */
static inline double gs_combine(enum gs_mode_kind mode, double stored, double pushed) {
	if (mode == GS_MODE_MIN)
		return gs_lesser(stored, pushed);
	return mode == GS_MODE_MAX ? gs_greater(stored, pushed) : stored + pushed;
}

/* parts.c */
struct layout *gs_layout_of_point(
    struct gs_store *store, const struct batch_point *point); /* one more ref; NULL: no memory */
struct layout *gs_layout_union(struct gs_store *store, const struct layout *a, const struct layout *b); /* the same */
bool gs_layout_fits(const struct layout *a, const struct layout *b); /* their union has not too many bounds */
struct layout *gs_layout_ref(struct layout *layout); /* one more */
void gs_layout_put(struct gs_store *store, struct layout *layout); /* one less */
struct parts *gs_parts_new(
    struct gs_store *store, struct layout *layout); /* takes the ref, also without memory; zeros */
struct parts *gs_parts_of_point(struct gs_store *store, const struct batch_point *point);
/* a and b as one, by the union of their bounds (DESIGN 3.1): their sums, or for GS_MODE_MIN and GS_MODE_MAX the lesser or greater. Of a summary the
 * quantiles of b win where there are both, but for min and max. */
struct parts *gs_parts_merge(
    struct gs_store *store, const struct parts *a, const struct parts *b, enum value_kind kind, enum gs_mode_kind mode);
void gs_parts_free(struct gs_store *store, struct parts *parts);
/* Whether what is written of them is the same. */
bool gs_parts_same(const struct parts *a, const struct parts *b);

/* exemplar.c */
/* What a series has when the point takes the place of ${old}, or with ${merge} comes to it: then of each bound the newest, which is the pushed one unless both have
 * a timestamp. *ret is NULL where there is none. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_exemplars_of_point(struct gs_store *store, const struct batch_point *point,
    const struct exemplars *old, bool merge, struct exemplars **ret);
/* Those of a native histogram, in their order. NULL: no memory. */
struct exemplars *gs_exemplars_list(struct gs_store *store, const struct batch_exemplar *from, size_t n);
struct exemplars *gs_exemplars_copy(struct gs_store *store, const struct exemplars *from);
void gs_exemplars_free(struct gs_store *store, struct exemplars *exemplars);
bool gs_exemplars_same(const struct exemplars *a, const struct exemplars *b);
/* The one of that bound; NULL: there is none. */
const struct exemplar *gs_exemplars_find(const struct exemplars *exemplars, double at);
/* As the writers want it; lives as long as the room. */
struct gs_exemplar gs_exemplar_read(
    const struct exemplars *exemplars, const struct exemplar *exemplar, struct exemplar_room *room);
void gs_exemplars_check(const struct exemplars *exemplars);

/* native.c */
#define NATIVE_EXEMPLARS 16 /* that are kept of one: clients have 10 */
/* What a series has after the point: a copy of its native part, or with ${merge} the sum of that and ${old}. NULL where there is none, or only one of both is
 * there to be added: it would not be that of the histogram. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_native_of_point(
    struct gs_store *store, const struct batch_point *point, const struct native *old, bool merge, struct native **ret);
void gs_native_free(struct gs_store *store, struct native *native);
bool gs_native_same(const struct native *a, const struct native *b);
void gs_native_check(const struct native *native);

/* cell.c: the arithmetic of one component. */
struct rule gs_rule_of(const struct gs_mode *mode, enum value_kind kind);
/* The aggregation of a bound or quantile: a quantile does not add, the last one stands. */
enum gs_pebble_agg gs_rule_bound_agg(const struct rule *rule);
void gs_cell_clear(union slot *cell, enum gs_pebble_agg agg); /* nothing was added; frees nothing */
void gs_cell_free(struct gs_store *store, union slot *cell, enum gs_pebble_agg agg);
/* Make room, so that the next gs_cell_add cannot fail. */
GS_MUST_USE enum gs_status gs_cell_reserve(struct gs_store *store, union slot *cell, enum gs_pebble_agg agg);
void gs_cell_add(union slot *cell, enum gs_pebble_agg agg, double x, int64_t at_ms);
/* Add what ${from} has, which is not older. */
GS_MUST_USE enum gs_status gs_cell_merge(
    struct gs_store *store, union slot *into, const union slot *from, enum gs_pebble_agg agg);
/* Add as many zeros as ${like} has numbers. */
GS_MUST_USE enum gs_status gs_cell_merge_zeros(
    struct gs_store *store, union slot *into, const union slot *like, enum gs_pebble_agg agg);
double gs_cell_read(const union slot *cell, const struct rule *rule, enum gs_pebble_agg agg);

/* tally.c */
/* Make ready for a gs_tally_add that cannot fail: either room in ${tally} (may be NULL), or in *ret a new one that is to take its place. */
GS_MUST_USE enum gs_status gs_tally_reserve(struct gs_store *store, const struct rule *rule, struct tally *tally,
    const struct batch_point *point, struct tally **ret);
void gs_tally_add(const struct rule *rule, struct tally *tally, const struct batch_point *point, int64_t at_ms);
/* *into (NULL at first) with all of ${from}, which is not older. Without memory it is unusable, and still to be freed. */
GS_MUST_USE enum gs_status gs_tally_merge(
    struct gs_store *store, const struct rule *rule, struct tally **into, const struct tally *from);
/* What the tally is worth; ${empty}: only its bounds count. NULL without memory. */
struct parts *gs_tally_read(struct gs_store *store, const struct rule *rule, const struct tally *tally, bool empty);
void gs_tally_free(struct gs_store *store, const struct rule *rule, struct tally *tally);

/* pebble.c */
struct pebble *gs_pebble_new(struct gs_store *store, const struct gs_mode *mode, enum value_kind kind);
void gs_pebble_free(struct gs_store *store, struct pebble *pebble);
bool gs_pebble_is(const struct pebble *pebble, const struct gs_mode *mode);
struct gs_mode gs_pebble_mode(const struct pebble *pebble);
/* Whether a value from ${at_ms}, before now, is inside the window; *ret_at_ms is the time to add it with in any case. */
bool gs_pebble_place(const struct pebble *pebble, int64_t now_ms, int64_t at_ms, int64_t *ret_at_ms);
/* Make room, so that gs_pebble_add of the same cannot fail. Changes nothing of what is read. */
GS_MUST_USE enum gs_status gs_pebble_reserve(
    struct gs_store *store, struct pebble *pebble, const struct batch_point *point, int64_t at_ms, int64_t now_ms);
void gs_pebble_add(
    struct gs_store *store, struct pebble *pebble, const struct batch_point *point, int64_t at_ms, int64_t now_ms);
/* The value at ${now_ms}; GS_ENOTFOUND: nothing to expose, GS_ENOMEM. *ret->parts is new and the caller's. */
GS_MUST_USE enum gs_status gs_pebble_read(
    struct gs_store *store, const struct pebble *pebble, enum value_kind kind, int64_t now_ms, struct value *ret);
void gs_pebble_check(const struct pebble *pebble);

#endif
