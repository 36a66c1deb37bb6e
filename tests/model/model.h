/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TEST_MODEL_H
#define GRAVEL_TEST_MODEL_H

#include "gravel/base/buf.h"
#include "gravel/expo/expo.h"

/*
 * What the store means, as slowly and obviously as it can be said: arrays of series with all their labels, searched from the front, and pebbles
 * that remember every push. Written from the contract (DESIGN 3 and include/gravel/gravel), not from lib/gravel, of which nothing is used here. The
 * universe is small on purpose (generate.c), so that collisions of every kind happen all the time.
 *
 * Strings are literals or interned (m_intern) and live as long as the program.
 */

#define M_LABELS 20 /* of a series */
#define M_PARTS 16 /* bounds of a histogram */
#define M_LINES 160 /* of a body */
#define M_POINTS 160 /* of a batch, and so lines that are samples */
#define M_SERIES 1024
#define M_GROUPS 64

struct m_label {
	const char *name;
	const char *value;
};

enum m_mode_kind { M_DEFAULT, M_AGGREGATE, M_REPLACE, M_FAMILY, M_MIN, M_MAX, M_PEBBLE, M_UNKNOWN };
enum m_agg { M_SUM, M_MEAN, M_AGG_MIN, M_AGG_MAX, M_COUNT, M_LAST, M_STDDEV, M_PERCENTILE };

/* A clearmode, with the text that names it. */
struct m_mode {
	const char *text;
	enum m_mode_kind kind;
	enum m_agg agg;
	int64_t window_ms;
	double percent;
};

/* With one label, "trace"; NULL: there is none. */
struct m_exemplar {
	const char *trace;
	double value;
	bool has_time;
	int64_t time_ms;
};

/* A pushed or scraped body, before it is text. */
enum m_line_kind { M_TYPE, M_HELP, M_UNIT, M_SAMPLE };

struct m_line {
	enum m_line_kind kind;
	const char *name;
	const char *help; /* or unit */
	enum gs_expo_type type;
	struct m_label labels[M_LABELS]; /* in the order of the text, without clearmode; values may be empty */
	unsigned nlabels;
	const struct m_mode *mode; /* NULL: none */
	double value;
	bool has_time;
	int64_t time_ms;
	struct m_exemplar exemplar;
};

struct m_body {
	struct m_line lines[M_LINES];
	unsigned n;
};

/* What a body is read with: gs_batch_options. */
enum m_rule { M_OVERRIDE, M_HONOR, M_EXPORT };

struct m_options {
	struct m_label labels[M_LABELS];
	unsigned nlabels;
	enum m_rule rule;
	struct m_mode mode;
	int64_t ttl_ms;
	bool lenient;
	bool gateway; /* clearmode is a label like others, timestamps are refused, instance is there */
};

/* Histograms and summaries. */
struct m_parts {
	unsigned n;
	double at[M_PARTS]; /* rising */
	const char *text[M_PARTS];
	double v[M_PARTS];
	double sum;
	double count;
	bool has_sum;
	bool has_count;
};

/* By the bounds of their buckets; that of a counter stands at +Inf. */
struct m_exemplars {
	unsigned n;
	double at[M_PARTS];
	struct m_exemplar e[M_PARTS];
};

struct m_value {
	double simple;
	struct m_parts parts;
	struct m_exemplars exemplars;
};

enum m_kind { M_PLAIN, M_HISTOGRAM, M_SUMMARY };

struct m_family;

/* A series of a batch. */
struct m_point {
	struct m_family *family;
	struct m_label labels[M_LABELS]; /* sorted by name */
	unsigned nlabels;
	struct m_mode mode;
	struct m_value value;
	bool has_time;
	int64_t time_ms;
	unsigned samples;
	unsigned line;
};

/* A family of a batch. */
struct m_family {
	const char *name;
	const char *help; /* "" for none */
	const char *unit;
	enum gs_expo_type type;
	bool typed;
	bool family_mode;
};

struct m_batch {
	struct m_options options;
	struct m_family families[M_LINES];
	unsigned nfamilies;
	struct m_point points[M_POINTS];
	unsigned npoints;
	unsigned samples;
	unsigned dropped;
};

/* One push into a pebble. */
struct m_event {
	int64_t slice;
	int64_t at_ms;
	struct m_value value;
};

struct m_pebble {
	enum m_agg agg;
	double percent;
	int64_t window_ms;
	int64_t width_ms;
	struct m_event *events; /* as they came */
	size_t n;
	size_t cap;
};

enum { M_PUSHED = 0, M_OWN = 1, M_FIRST_GROUP = 2, M_FIRST_GATEWAY = 1000000 };

struct m_series {
	const char *name; /* of its family */
	struct m_label labels[M_LABELS];
	unsigned nlabels;
	enum gs_expo_type type;
	int owner;
	struct m_value value;
	struct m_pebble *pebble; /* NULL: an ordinary one */
	bool has_time;
	int64_t time_ms;
	int64_t renewed_ms;
	int64_t ttl_ms;
	bool created; /* by the batch that is being applied */
	bool renewed; /* likewise */
};

struct m_group {
	int owner;
	const char *publisher;
	const char *job;
	const char *instance;
	int64_t time_ms;
	int64_t interval_ms;
	bool stale;
	bool gone; /* without series, and in no list */
};

/* A group of the Pushgateway's dialect. Its times are series of an owner of their own, whose number is the next. */
struct m_gateway {
	int owner;
	struct m_label key[M_LABELS];
	unsigned nkey;
	int64_t push_ms;
	int64_t failure_ms;
};

enum m_gateway_op { M_PUT, M_POST, M_REMOVE, M_FAILED };

struct m_help {
	const char *name;
	const char *help;
	const char *unit;
};

/* What the options of gs_store_new say. */
struct m_limits {
	size_t max_series;
	size_t max_series_per_family;
	size_t max_series_per_group;
	size_t max_groups;
	int64_t expiration_ms;
	int64_t max_age_ms;
};

struct model {
	struct m_limits limits;
	struct m_series *series[M_SERIES];
	size_t nseries;
	struct m_group groups[M_GROUPS];
	size_t ngroups;
	int next_owner;
	struct m_gateway gateways[M_GROUPS];
	size_t ngateways;
	int next_gateway;
	struct m_help helps[M_SERIES]; /* of families that have series */
	size_t nhelps;
};

struct m_result {
	size_t samples;
	size_t series_new;
	size_t series_gone;
	size_t owner_conflicts;
	size_t type_conflicts;
	size_t dropped_conflict;
	size_t dropped_stale;
	size_t dropped_late;
	bool beyond; /* what was planned up to a conflict was more than there is room for, if nothing leaves */
};

/* common.c */
void m_demand(bool condition, const char *what); /* a mistake of the model itself */
const char *m_intern(const char *text);
const char *m_join(const char *head, const char *tail); /* interned */
static inline bool m_same(const char *a, const char *b) {
	return a == b || (*a == *b && strcmp(a, b) == 0);
}
bool m_is_joined(const char *text, const char *head, const char *tail);
enum m_kind m_kind_of(enum gs_expo_type type);
/* The suffixes of the names of a type's samples: _bucket (not of summaries), sum, count. Returns how many. */
unsigned m_suffixes(enum gs_expo_type type, const char *suffixes[3]);
const struct m_label *m_find_label(const struct m_label *labels, unsigned n, const char *name);
void m_sort_labels(struct m_label *labels, unsigned n);
bool m_same_labels(const struct m_label *a, unsigned na, const struct m_label *b, unsigned nb);
bool m_has_labels(const struct m_label *labels, unsigned n, const struct m_label *wanted, unsigned nwanted);

/* body.c: a body as text, and what it means as a batch. */
void m_body_text(const struct m_body *body, struct gs_buf *out);
enum gs_status m_body_read(const struct m_body *body, const struct m_options *options, struct m_batch *ret);

/* value.c */
/* ${b} comes to ${a} by aggregate, min or max. */
double m_combine(enum m_mode_kind mode, double a, double b);
bool m_parts_put(struct m_parts *parts, double at, const char *text, double v); /* false: has it already */
void m_parts_combine(enum m_mode_kind mode, struct m_parts *a, const struct m_parts *b, enum m_kind kind);
/* The newest one of each place stands. */
void m_exemplars_put(struct m_exemplars *exemplars, double at, const struct m_exemplar *exemplar);
void m_exemplars_add(struct m_exemplars *a, const struct m_exemplars *b);
struct m_pebble *m_pebble_new(const struct m_mode *mode);
void m_pebble_free(struct m_pebble *pebble);
bool m_pebble_is(const struct m_pebble *pebble, const struct m_mode *mode);
/* The slice of a push at ${now_ms} of a value of ${at_ms}; false when that is too late. */
bool m_pebble_place(const struct m_pebble *pebble, int64_t now_ms, int64_t at_ms, int64_t *ret_slice);
void m_pebble_push(struct m_pebble *pebble, int64_t slice, int64_t at_ms, const struct m_value *value);
/* What is read at ${now_ms}; false: nothing is shown. */
bool m_pebble_read(const struct m_pebble *pebble, enum m_kind kind, int64_t now_ms, struct m_value *ret);
/* How far what is served may be from it, relative; 0: exactly that. */
double m_pebble_tolerance(const struct m_pebble *pebble);

/* model.c */
struct model *m_new(const struct m_limits *limits);
void m_free(struct model *model);
enum gs_status m_push(struct model *model, const struct m_batch *batch, int64_t now_ms, struct m_result *ret);
enum gs_status m_scrape(struct model *model, const struct m_group *group, const struct m_batch *batch, int64_t now_ms,
    struct m_result *ret);
enum gs_status m_gone(struct model *model, const struct m_group *group, int64_t now_ms, struct m_result *ret);
enum gs_status m_own(struct model *model, const struct m_batch *batch, int64_t now_ms);
void m_delete(struct model *model, const struct m_label *labels, unsigned nlabels, struct m_result *ret);
void m_expire(struct model *model, int64_t now_ms, size_t *ret_stale, size_t *ret_expired);
size_t m_owned(const struct model *model, int owner); /* how many series that owner has */

/* For those who apply something: model.c. The owner of ${leaving} loses all that the batch does not renew, so it is in nobody's way; -1: none does. */
enum gs_status m_apply_batch(
    struct model *model, const struct m_batch *batch, int owner, int leaving, int64_t now_ms, struct m_result *result);
typedef bool m_pick_fn(const struct m_series *series, const void *ctx);
size_t m_remove_series(
    struct model *model, m_pick_fn *pick, const void *ctx); /* those that it picks; returns how many */
bool m_is_in_batch(const struct m_batch *batch, const char *name); /* with samples */
bool m_is_owned(const struct m_series *series, const void *ctx); /* ctx: const int *owner */
bool m_is_left_behind(
    const struct m_series *series, const void *ctx); /* likewise, and the last batch did not renew it */

/* gateway.c */
enum gs_status m_gateway(struct model *model, enum m_gateway_op op, const struct m_label *key, unsigned nkey,
    const struct m_batch *batch, int64_t now_ms, struct m_result *ret);

/* show.c */
/* The exemplar that a line has in formats that know them; NULL: none. */
const struct m_exemplar *m_exemplar_of(const struct model *model, const struct gs_expo_event *event);
/* "" for none */
const char *m_unit_of(const struct model *model, struct gs_str name);
/* name="value" behind ${before}. */
void m_put_label(struct gs_buf *out, char before, struct gs_str name, struct gs_str value);
/* The names of all families, rising; returns how many. */
size_t m_families(const struct model *model, const char *names[M_SERIES]);
/* A family as text 1.0.0 with names in quotes; empty when nothing of it is shown. *ret_tolerance is that of its numbers. */
void m_show(const struct model *model, const char *name, int64_t now_ms, struct gs_buf *out, double *ret_tolerance,
    bool *ret_timed);

#endif
