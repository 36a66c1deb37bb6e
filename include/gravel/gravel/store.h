/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_GRAVEL_STORE_H
#define GRAVEL_GRAVEL_STORE_H

#include "gravel/expo/format.h"
#include "gravel/gravel/batch.h"

/*
 * The gravel store: families of series, fed by pushes and scrapes, read as an exposition. Pure: no I/O, no clock (every time comes
 * from the caller), no locks (the caller has one: ingest.h). State is a function of the calls made and their times.
 */
struct gs_store;

struct gs_store_options {
	size_t max_series; /* but for the program's own; GS_LIMIT_SERIES if 0 */
	size_t max_series_per_family; /* GS_LIMIT_SERIES_PER_FAMILY if 0 */
	/* of a target that is scraped, of a group of the Pushgateway's dialect, and pushed ones of the same job, instance and publisher; GS_LIMIT_SERIES_PER_GROUP if 0 */
	size_t max_series_per_group;
	size_t max_groups; /* GS_LIMIT_GROUPS if 0 */
	int64_t expiration_ms; /* of pushed series not pushed again; 0: never */
	int64_t max_age_ms; /* of scrapes */
};

/* What one call did. */
struct gs_store_result {
	size_t samples; /* applied */
	size_t series_new; /* series that did not exist */
	size_t series_gone; /* series removed */
	size_t owner_conflicts; /* series taken over from another source */
	size_t type_conflicts; /* families that carry two types now */
	size_t dropped_conflict; /* scrape: samples whose name another family claims */
	size_t dropped_stale; /* samples older than what is stored */
	size_t dropped_late; /* samples outside the window of their pebble */
	const char *limit; /* of a scrape that was refused with GS_ELIMIT: which, as in gs_error */
};

struct gs_store *gs_store_new(const struct gs_store_options *options);
void gs_store_free(struct gs_store *store);

/** gs_store_push(store, batch, time_ms, ret, err):
 * Apply a push accepted at ${time_ms}: whole, or not at all. GS_ECONFLICT with ${err} (line, reason) where a family is stored with another type; GS_ELIMIT
 * with ${err} (line, reason, limit) when the store, a family or a group would have more series than it may: what leaves with the push does not count; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_store_push(struct gs_store *store, const struct gs_batch *batch, int64_t time_ms,
    struct gs_store_result *ret, struct gs_error *err);

/** gs_store_delete(store, labels, nlabels, ret):
 * Remove every pushed series that carries all ${labels}, at most GS_BATCH_LABELS_MAX (none: every pushed series). GS_ENOMEM: nothing was removed. */
GS_MUST_USE enum gs_status gs_store_delete(
    struct gs_store *store, const struct gs_label *labels, size_t nlabels, struct gs_store_result *ret);

/* The source of a scrape. Slices are copied. */
struct gs_group_key {
	struct gs_str publisher;
	struct gs_str job;
	struct gs_str instance;
};

struct gs_scrape_info {
	struct gs_group_key key;
	int64_t time_ms; /* of the scrape, publisher's clock */
	int64_t interval_ms;
};

/** gs_store_scrape(store, info, batch, now_ms, ret):
 * Replace what the group ${info->key} owns by ${batch}. GS_ESTALE when the scrape is older than max_age; GS_EINVAL when it is further ahead than
 * that (a clock that jumped ahead and back would else lock its group for as long); GS_ECONFLICT when it is not newer than the group's last;
 * GS_ELIMIT as gs_store_push; GS_ENOMEM. Nothing is changed unless GS_OK. */
GS_MUST_USE enum gs_status gs_store_scrape(struct gs_store *store, const struct gs_scrape_info *info,
    const struct gs_batch *batch, int64_t now_ms, struct gs_store_result *ret);

/** gs_store_gone(store, key, time_ms, now_ms, ret):
 * The source of the group ${key} left for good at ${time_ms} (publisher's clock): its series leave, it is not listed any more, and only a scrape after ${time_ms} brings
 * it back. Of a group that is not there only that is remembered, as long as an older scrape would be taken. GS_ECONFLICT when it has a newer scrape, GS_ESTALE, GS_EINVAL, GS_ELIMIT and
 * GS_ENOMEM as gs_store_scrape: nothing is changed then. */
GS_MUST_USE enum gs_status gs_store_gone(struct gs_store *store, const struct gs_group_key *key, int64_t time_ms,
    int64_t now_ms, struct gs_store_result *ret);

/* What a request of the Pushgateway's dialect does to a group. */
enum gs_gateway_op {
	GS_GATEWAY_PUT, /* the batch takes the place of all that the group has */
	GS_GATEWAY_POST, /* of those families of the group that the batch has */
	GS_GATEWAY_DELETE, /* the group leaves, with its times; without batch */
	GS_GATEWAY_FAILED, /* a push was refused: only push_failure_time_seconds changes; without batch */
};

/** gs_store_gateway(store, op, key, nkey, batch, time_ms, ret, err):
 * Change the group of the grouping key ${key} (names distinct, in any order; an empty label is none). Its series are not those of the pushers
 * of gs_store_push: neither replaces, expires or deletes the other's, and a series that another source has is refused. The group has
 * push_time_seconds and push_failure_time_seconds (0 before the first) with the labels of its key, as the Pushgateway has them. Every value replaces.
 * GS_ECONFLICT with ${err} where a family is stored with another type or a series is another's, GS_ELIMIT when the store is full, GS_ENOMEM: only
 * push_failure_time_seconds has changed then. */
GS_MUST_USE enum gs_status gs_store_gateway(struct gs_store *store, enum gs_gateway_op op, const struct gs_label *key,
    size_t nkey, const struct gs_batch *batch, int64_t time_ms, struct gs_store_result *ret, struct gs_error *err);

/* A group of the Pushgateway's dialect as it is now. Slices live until the next change of the store. */
struct gs_gateway_view {
	struct gs_str
	    key; /* its labels, as they stand between the braces of a sample, sorted by name, without empty ones */
	int64_t push_ms; /* the last push that was taken; 0: none yet */
	int64_t failure_ms; /* the last one that was refused; 0: none yet */
	size_t series; /* with the two times */
};

/** gs_store_gateway_next(store, cursor, ret): Step through these groups in no order: *cursor = 0 at first; false at the end. */
bool gs_store_gateway_next(const struct gs_store *store, size_t *cursor, struct gs_gateway_view *ret);

/** gs_store_gateway_render(store, key, out):
 * Append what the group holds whose view has that ${key}, as text with names as they are, families in order of their names, and the time of the push that
 * brought it behind every sample. GS_ENOTFOUND if there is no such group; GS_ENOMEM, GS_ELIMIT of ${out}, which may then hold a part. */
GS_MUST_USE enum gs_status gs_store_gateway_render(struct gs_store *store, struct gs_str key, struct gs_buf *out);

/** gs_store_own(store, batch, now_ms): Replace the program's own metrics: a group without a key, never stale, not listed by gs_store_group_next. */
GS_MUST_USE enum gs_status gs_store_own(struct gs_store *store, const struct gs_batch *batch, int64_t now_ms);

/** gs_store_expire(store, now_ms, ret_stale, ret_expired):
 * Let stale groups lose their series (DESIGN 3.3), forget groups stale for an hour, and remove pushed series that expired. Cheap; call
 * it about once a second. */
void gs_store_expire(struct gs_store *store, int64_t now_ms, size_t *ret_stale, size_t *ret_expired);

/** gs_store_expire_scraped(store, now_ms): Of that only the groups: returns how many went stale. */
size_t gs_store_expire_scraped(struct gs_store *store, int64_t now_ms);

/** gs_store_expire_pushed(store, now_ms): Of that only the last: remove pushed series that had expired at ${now_ms}, and return how many. */
size_t gs_store_expire_pushed(struct gs_store *store, int64_t now_ms);

/** gs_store_expires_ms(store): The first time at which gs_store_expire_pushed would remove something; INT64_MAX: nothing is to expire. */
int64_t gs_store_expires_ms(const struct gs_store *store);

/* A group as it is now, for freshness metrics and status pages. Slices live until the next change of the store. */
struct gs_group_view {
	struct gs_group_key key;
	int64_t time_ms;
	int64_t interval_ms;
	size_t series;
	bool stale;
};

/** gs_store_group_next(store, cursor, ret): Step through the groups that are not gone, in no order: *cursor = 0 at first; false at the end. */
bool gs_store_group_next(const struct gs_store *store, size_t *cursor, struct gs_group_view *ret);

struct gs_store_stats {
	size_t families;
	size_t series;
	size_t groups_fresh;
	size_t groups_stale;
	size_t groups_gateway; /* of the Pushgateway's dialect */
	size_t bytes;
};

struct gs_store_stats gs_store_stats(const struct gs_store *store);

/** gs_store_render_next(store, after, now_ms, dialect, out):
 * Append the first family whose name is greater than *${after} (empty at first) to ${out}, with pebbles as they are at ${now_ms}, and set *${after} to its name,
 * a slice that lives until the family changes: copy it before letting go of the store. Returns false at the end. May sort the
 * family, hence no const. ${dialect} is text; with escaping UNDERSCORES or DOTS two families or series may become one. */
bool gs_store_render_next(
    struct gs_store *store, struct gs_str *after, int64_t now_ms, struct gs_expo_dialect dialect, struct gs_buf *out);

/* Where a rendering of a family in parts is. Zeroed at first; to be closed. Series that came before that place since it began are not rendered any more, and none
 * is rendered twice. */
struct gs_family_place {
	uint64_t version; /* of the family when the last part was rendered; 0: none was */
	uint32_t part; /* number of the next one */
	uint32_t next; /* series */
	bool moved; /* the family changed between two parts: what follows is no other reader's */
	bool headed; /* TYPE and HELP are written */
	bool created; /* it has times of creation: as of the first part, like ... */
	enum gs_expo_type type; /* ... as what it is written */
	size_t ntarget;
	struct gs_buf last; /* texts of the last series rendered */
};

/** gs_store_render_part(store, name, place, now_ms, dialect, out):
 * Append the next part of the family to ${out}: some hundred KiB, or all of it where its series have several types. True if there is more. Two calls at the
 * same version and part, none of them moved, append the same: with ${out} NULL the place only moves on. */
bool gs_store_render_part(struct gs_store *store, struct gs_str name, struct gs_family_place *place, int64_t now_ms,
    struct gs_expo_dialect dialect, struct gs_buf *out);
void gs_family_place_close(struct gs_family_place *place);

/** gs_store_render_family(store, name, now_ms, dialect, out): Append one family; false if it is not there. */
bool gs_store_render_family(
    struct gs_store *store, struct gs_str name, int64_t now_ms, struct gs_expo_dialect dialect, struct gs_buf *out);

/* Whether a line is to be written: ${labels} are those of the series with __name__ before them, the name of the line in text (that of a bucket ends in _bucket), and
 * its le or quantile behind them. Called by the rendering: it must not touch the store. */
typedef bool gs_store_wanted_fn(void *ctx, const struct gs_label *labels, size_t n);

/** gs_store_render_family_if(store, name, now_ms, dialect, wanted, ctx, out):
 * As gs_store_render_family, but only those lines that ${wanted} wants (NULL: all); without any there is no head either. */
bool gs_store_render_family_if(struct gs_store *store, struct gs_str name, int64_t now_ms,
    struct gs_expo_dialect dialect, gs_store_wanted_fn *wanted, void *ctx, struct gs_buf *out);

/* A family as it is now. */
struct gs_family_view {
	struct gs_str name; /* lives until the family changes */
	uint64_t
	    version; /* another one whenever anything that is written of it may be another; never the same for two states */
	size_t series;
	bool timed; /* what is written depends on the time of reading as well: there is a pebble in it */
};

/** gs_store_family_next(store, after, ret): The first family whose name is greater than ${after} (empty: the first of all), false at the end. May sort. */
bool gs_store_family_next(struct gs_store *store, struct gs_str after, struct gs_family_view *ret);

/** gs_store_family(store, name, ret): The family of that name; false if there is none. */
bool gs_store_family(struct gs_store *store, struct gs_str name, struct gs_family_view *ret);

/** gs_store_check(store): Assert every invariant. For tests; slow. */
void gs_store_check(struct gs_store *store);

#endif
