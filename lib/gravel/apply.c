/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way in which values change. Prepare finds or adds the series of the batch, checks every conflict and allocates every
 * new part; commit only moves pointers and adds numbers, so a batch is applied whole or not at all.
 */
#include "gravel/base/mem.h"
#include "store_internal.h"

static enum owner_kind kind_of(const struct gs_store *store, uint32_t owner) {
	return gs_owner_at(store, owner)->kind;
}

static bool is_push(const struct gs_store *store, uint32_t owner) {
	return kind_of(store, owner) == OWNER_PUSHED;
}

/* Whether what does not fit is refused; else it is dropped and counted. */
static bool is_strict(const struct gs_store *store, uint32_t owner) {
	return is_push(store, owner) || kind_of(store, owner) == OWNER_GATEWAY;
}

static enum gs_mode_kind default_mode(enum gs_expo_type type) {
	switch (type) {
	case GS_TYPE_GAUGE:
	case GS_TYPE_INFO:
	case GS_TYPE_STATESET:
		return GS_MODE_REPLACE;
	case GS_TYPE_UNTYPED:
	case GS_TYPE_COUNTER:
	case GS_TYPE_HISTOGRAM:
	case GS_TYPE_SUMMARY:
	case GS_TYPE_GAUGEHISTOGRAM:
		break;
	}
	return GS_MODE_AGGREGATE;
}

/* Whether all series of the family are that owner's. */
static bool owns_all(const struct gs_store *store, const struct family *family, uint32_t owner) {
	if (owner == 0 || gs_family_count(family) > gs_owner_at(store, owner)->count)
		return false;
	for (uint32_t i = 0; i < family->n; i++) {
		if (family->series[i] != 0 && gs_series_at(store, family->series[i])->owner != owner)
			return false;
	}
	return true;
}

/* The family of that name, but for one that leaves with this very apply. */
static const struct family *find_lasting(const struct gs_store *store, struct gs_str name) {
	const struct family *family = gs_family_find(store, name);
	return family == NULL || owns_all(store, family, store->replaced) ? NULL : family;
}

/* Whether the name stands for a part of a stored histogram or summary. */
static const struct family *claimed_by(const struct gs_store *store, struct gs_str name) {
	static const enum gs_expo_type types[] = {GS_TYPE_HISTOGRAM, GS_TYPE_SUMMARY, GS_TYPE_GAUGEHISTOGRAM};
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		for (enum part_suffix s = SUFFIX_BUCKET; s < SUFFIXES; s++) {
			struct gs_str suffix = gs_part_suffix(types[t], s);
			if (!gs_str_ends(name, suffix) || (types[t] == GS_TYPE_SUMMARY && s == SUFFIX_BUCKET))
				continue;
			const struct family *family = find_lasting(store, gs_str_make(name.p, name.n - suffix.n));
			if (family != NULL && family->types[types[t]] != 0)
				return family;
		}
	}
	return NULL;
}

/* Whether a stored family has the name of a part of ${name}, and which part. */
static bool claims_stored(
    const struct gs_store *store, struct gs_str name, enum gs_expo_type type, struct gs_str *ret) {
	char text[GS_LIMIT_NAME + 16];
	for (enum part_suffix s = SUFFIX_BUCKET; s < SUFFIXES; s++) {
		struct gs_str suffix = gs_part_suffix(type, s);
		if ((type == GS_TYPE_SUMMARY && s == SUFFIX_BUCKET) || name.n + suffix.n > sizeof(text))
			continue;
		memcpy(text, name.p, name.n);
		memcpy(text + name.n, suffix.p, suffix.n);
		if (find_lasting(store, gs_str_make(text, name.n + suffix.n)) == NULL)
			continue;
		*ret = suffix;
		return true;
	}
	return false;
}

static enum gs_status name_conflict(
    const struct gs_store *store, const struct batch_family *family, struct gs_error *err) {
	const struct family *claimer = claimed_by(store, family->name);
	struct gs_str suffix;
	if (claimer != NULL)
		return gs_error_set(err, GS_ECONFLICT, family->first->line, 1,
		    "\"%.*s\" is a part of the stored \"%.*s\": send the TYPE line of that", GS_FMT(family->name),
		    GS_FMT(claimer->name));
	if (gs_kind_of_type(family->type) != KIND_SIMPLE && claims_stored(store, family->name, family->type, &suffix))
		return gs_error_set(err, GS_ECONFLICT, family->first->line, 1,
		    "\"%.*s%.*s\" is stored as a metric of its own, so \"%.*s\" cannot be a %s", GS_FMT(family->name),
		    GS_FMT(suffix), GS_FMT(family->name), gs_expo_type_name(family->type));
	return GS_OK;
}

/*
 * The type that the points of ${family} get. A push must agree with what is stored (an untyped one takes the stored type, a typed one
 * gives its type to what was untyped); scrapes may disagree, the family is then served as untyped (DESIGN 3.3).
 */
static enum gs_status agree_type(const struct gs_store *store, const struct batch_family *family,
    const struct family *stored, uint32_t owner, enum gs_expo_type *ret, struct gs_error *err) {
	enum gs_expo_type type = GS_TYPE_UNTYPED;
	*ret = family->type;
	if (stored == NULL)
		return name_conflict(store, family, err);
	bool one = gs_family_type(stored, &type);
	if (one && type == family->type)
		return GS_OK;
	if (gs_kind_of_type(family->type) != KIND_SIMPLE && name_conflict(store, family, err) != GS_OK)
		return GS_ECONFLICT;
	if (!is_strict(store, owner) || (kind_of(store, owner) == OWNER_GATEWAY && owns_all(store, stored, owner)))
		return GS_OK;
	bool simple = is_push(store, owner) && one && gs_kind_of_type(type) == KIND_SIMPLE &&
		      gs_kind_of_type(family->type) == KIND_SIMPLE;
	if (simple && !family->typed) {
		*ret = type;
		return GS_OK;
	}
	if (simple && type == GS_TYPE_UNTYPED)
		return GS_OK;
	return gs_error_set(err, GS_ECONFLICT, family->first->line, 1, "\"%.*s\" is pushed as %s, but stored as %s",
	    GS_FMT(family->name), gs_expo_type_name(family->type), one ? gs_expo_type_name(type) : "several types");
}

static struct change *new_change(struct gs_store *store) {
	struct change *changes =
	    gs_store_grow(store, store->changes, &store->cap_changes, store->nchanges, sizeof(*changes));
	if (changes == NULL)
		return NULL;
	store->changes = changes;
	struct change *change = &store->changes[store->nchanges++];
	*change = (struct change){0};
	return change;
}

static struct gs_mode effective_mode(
    const struct gs_store *store, const struct change *change, uint32_t owner, enum gs_expo_type type) {
	const struct pebble *pebble = gs_pebble_of(store, change->series);
	struct gs_mode mode = change->point->mode;
	if (mode.kind != GS_MODE_DEFAULT)
		return mode;
	if (!is_push(store, owner))
		return (struct gs_mode){.kind = GS_MODE_REPLACE};
	if (pebble != NULL && !change->fresh)
		return gs_pebble_mode(pebble);
	return (struct gs_mode){.kind = default_mode(type)};
}

/* Room for the value in the pebble, or in a new one. */
static enum gs_status prepare_pebble(
    struct gs_store *store, struct change *change, const struct gs_mode *mode, int64_t time_ms, enum value_kind kind) {
	struct pebble *pebble = gs_pebble_of(store, change->series);
	const struct batch_point *point = change->point;
	if (pebble == NULL || change->fresh || !gs_pebble_is(pebble, mode)) {
		pebble = change->pebble = gs_pebble_new(store, mode, kind);
		if (pebble == NULL)
			return GS_ENOMEM;
	}
	change->at_ms = time_ms;
	if (point->has_timestamp && point->timestamp_ms < time_ms)
		change->skip = !gs_pebble_place(pebble, time_ms, point->timestamp_ms, &change->at_ms);
	if (change->skip && change->pebble == NULL)
		return GS_OK;
	return gs_pebble_reserve(store, pebble, point, change->at_ms, time_ms);
}

/* Whether the new value depends on the stored one. */
static bool combines(enum gs_mode_kind mode) {
	return mode == GS_MODE_AGGREGATE || mode == GS_MODE_MIN || mode == GS_MODE_MAX;
}

/* Its exemplars and native part as they will be. */
static enum gs_status prepare_rich(
    struct gs_store *store, struct change *change, const struct extra *extra, enum gs_mode_kind mode) {
	const struct batch_point *point = change->point;
	bool merge = combines(mode) && !change->fresh;
	change->new_exemplars = point->has_exemplars || !merge;
	if (extra == NULL)
		return GS_OK;
	enum gs_status status = GS_OK;
	if (change->new_exemplars)
		status = gs_exemplars_of_point(store, point, extra->exemplars, merge, &change->exemplars);
	if (status == GS_OK)
		status = gs_native_of_point(
		    store, point, extra->native, mode == GS_MODE_AGGREGATE && merge, &change->native);
	return status;
}

static enum gs_status prepare_value(
    struct gs_store *store, struct change *change, uint32_t owner, int64_t time_ms, enum gs_expo_type type) {
	struct series *series = change->series;
	const struct batch_point *point = change->point;
	enum value_kind kind = gs_kind_of_type(type);
	change->fresh = change->created || !gs_owner_same(store, series->owner, owner) ||
			gs_kind_of_type((enum gs_expo_type)series->type) != kind;
	struct gs_mode mode = effective_mode(store, change, owner, type);
	change->mode = mode.kind;
	if ((mode.kind == GS_MODE_PEBBLE || kind != KIND_SIMPLE || point->has_timestamp || point->has_exemplars) &&
	    gs_series_need_extra(store, series) != GS_OK)
		return GS_ENOMEM;
	if (mode.kind == GS_MODE_PEBBLE)
		return prepare_pebble(store, change, &mode, time_ms, kind);
	const struct extra *extra = gs_extra_of(store, series);
	change->fresh |= extra != NULL && extra->pebble != NULL; /* a pebble that is turned back starts anew */
	if (!combines(mode.kind) && !change->fresh && point->has_timestamp && extra->has_timestamp &&
	    point->timestamp_ms < extra->timestamp_ms) {
		change->skip = true;
		return GS_OK;
	}
	enum gs_status status = prepare_rich(store, change, extra, mode.kind);
	if (status != GS_OK || kind == KIND_SIMPLE)
		return status;
	change->parts = gs_parts_of_point(store, point);
	if (change->parts == NULL)
		return GS_ENOMEM;
	if (!combines(mode.kind) || change->fresh)
		return GS_OK;
	if (!gs_layout_fits(extra->parts->layout, change->parts->layout))
		return GS_ELIMIT;
	struct parts *merged = gs_parts_merge(store, extra->parts, change->parts, kind, mode.kind);
	gs_parts_free(store, change->parts);
	change->parts = merged;
	return merged != NULL ? GS_OK : GS_ENOMEM;
}

/* What the points of a family have in common while they are prepared. */
struct run {
	struct family *family; /* NULL: it is not stored yet */
	struct gs_str target; /* the last one that was looked for */
	uint32_t number; /* its text; 0: there is none */
	enum gs_expo_type type;
	bool searched; /* names_quantiles is known */
	bool names_quantiles;
};

static uint32_t find_target(const struct gs_store *store, struct run *run, const struct batch_point *point) {
	if (run->number == 0 || run->target.p != point->target.p || run->target.n != point->target.n) {
		run->target = point->target;
		run->number = gs_text_find(store, point->target, point->target_hash);
	}
	return run->number;
}

/* The series after the last one found is tried first: the table is a random place in memory, the list is in the order of
 * the scrape before. */
static struct series *find_series(struct gs_store *store, struct run *run, const struct batch_point *point) {
	struct series *series = store->expected != 0 ? gs_series_at(store, store->expected) : NULL;
	if (run->family == NULL)
		return NULL;
	if (series == NULL || !gs_series_is(store, series, run->family->number, point))
		series = gs_series_find(store, run->family, find_target(store, run, point), point);
	if (series == NULL)
		return NULL;
	store->expected = series->owner_next;
	if (series->owner_next != 0)
		__builtin_prefetch(gs_series_at(store, series->owner_next));
	return series;
}

/* A series for the point, if the limits allow one more. */
static enum gs_status add_series(
    struct gs_store *store, struct run *run, struct change *change, uint32_t owner, struct gs_error *err) {
	const struct batch_point *point = change->point;
	enum gs_status status = gs_limit_add(store, owner, run->family, find_target(store, run, point), point, err);
	if (status == GS_OK)
		status = gs_series_add(store, point, run->type, owner, &change->series);
	if (status != GS_OK)
		return status;
	change->created = true;
	run->family = gs_family_of(store, change->series);
	return GS_OK;
}

/* Nobody takes a series of a group of the Pushgateway's dialect over, nor does that from others. */
static bool is_anothers(const struct gs_store *store, const struct series *series, uint32_t owner) {
	return series->owner != owner &&
	       (kind_of(store, owner) == OWNER_GATEWAY || kind_of(store, series->owner) == OWNER_GATEWAY);
}

static enum gs_status prepare_point(struct gs_store *store, struct run *run, const struct batch_point *point,
    uint32_t owner, int64_t time_ms, struct gs_error *err) {
	struct change *change = new_change(store);
	if (change == NULL)
		return GS_ENOMEM;
	change->point = point;
	change->series = find_series(store, run, point);
	enum gs_status status = GS_OK;
	if (change->series != NULL && is_anothers(store, change->series, owner))
		status = gs_error_set(is_strict(store, owner) ? err : NULL, GS_ECONFLICT, point->line, 1,
		    "a series of \"%.*s\" with the same labels is in another group", GS_FMT(point->family->name));
	else
		status = gs_limit_bring(store, owner, point, err);
	if (status == GS_OK && change->series == NULL)
		status = add_series(store, run, change, owner, err);
	if (status != GS_OK) {
		store->nchanges--;
		return status;
	}
	change->series->round = store->round;
	status = prepare_value(store, change, owner, time_ms, run->type);
	if (status == GS_ELIMIT)
		gs_error_set(err, status, point->line, 1,
		    "\"%.*s\" would have more than %d buckets or quantiles together with those that are stored",
		    GS_FMT(gs_batch_shortened(point->family->name)), GS_LIMIT_BUCKETS);
	return status;
}

/* A histogram of a scrape whose every part was dropped has nothing to say. */
static bool is_empty(const struct batch_point *point) {
	return point->samples == 0;
}

/* Whether a series of the family that is no summary has a label quantile. */
static bool names_quantiles(const struct gs_store *store, const struct family *family) {
	for (uint32_t i = 0; i < family->n; i++) {
		const struct series *series = family->series[i] != 0 ? gs_series_at(store, family->series[i]) : NULL;
		if (series != NULL && series->type != GS_TYPE_SUMMARY && gs_series_names_quantile(store, series))
			return true;
	}
	return false;
}

/* In a family of several types: whether the point could double a series, because a quantile of a summary and an ordinary series with a label
 * of that name are written alike. */
static bool quantile_clash(const struct gs_store *store, struct run *run, const struct batch_point *point) {
	enum gs_expo_type stored;
	if (run->family == NULL || (gs_family_type(run->family, &stored) && stored == run->type))
		return false;
	if (run->type != GS_TYPE_SUMMARY)
		return run->family->types[GS_TYPE_SUMMARY] != 0 && point->names_quantile;
	/* The points of the run are summaries, so they do not change it. */
	if (!run->searched)
		run->names_quantiles = names_quantiles(store, run->family);
	run->searched = true;
	return run->names_quantiles;
}

/* Most scrapes bring what the one before brought. */
static struct family *find_family(const struct gs_store *store, struct gs_str name) {
	if (store->expected != 0) {
		struct family *family = gs_family_of(store, gs_series_at(store, store->expected));
		if (gs_str_eq(family->name, name))
			return family;
	}
	return gs_family_find(store, name);
}

/* *ret_family is the family in the store, if it is there now. */
static enum gs_status prepare_family(struct gs_store *store, const struct batch_family *family, uint32_t owner,
    int64_t time_ms, struct family **ret_family, struct gs_store_result *result, struct gs_error *err) {
	struct run run = {.family = find_family(store, family->name), .type = family->type};
	bool strict = is_strict(store, owner);
	enum gs_status status = agree_type(store, family, run.family, owner, &run.type, err);
	if (status == GS_ECONFLICT && !strict) {
		for (const struct batch_point *point = family->first; point != NULL; point = point->next)
			result->dropped_conflict += point->samples;
		*ret_family = run.family;
		return GS_OK;
	}
	for (const struct batch_point *point = family->first; point != NULL && status == GS_OK; point = point->next) {
		if (is_empty(point))
			continue;
		if (!strict && quantile_clash(store, &run, point))
			result->dropped_conflict += point->samples;
		else
			status = prepare_point(store, &run, point, owner, time_ms, err);
		if (status == GS_ECONFLICT && !strict) {
			result->dropped_conflict += point->samples;
			status = GS_OK;
		}
	}
	*ret_family = run.family;
	return status;
}

static enum gs_status reserve_families(struct gs_store *store, size_t n) {
	if (n <= store->cap_applied)
		return GS_OK;
	struct family **applied = gs_store_resize(
	    store, store->applied, store->cap_applied * sizeof(struct family *), 2 * n * sizeof(struct family *));
	if (applied == NULL)
		return GS_ENOMEM;
	store->applied = applied;
	store->cap_applied = 2 * n;
	return GS_OK;
}

enum gs_status gs_apply_prepare(struct gs_store *store, const struct gs_batch *batch, uint32_t owner, int64_t time_ms,
    struct gs_store_result *result, struct gs_error *err) {
	store->nchanges = 0;
	store->round++;
	store->expected = is_push(store, owner) ? 0 : gs_owner_at(store, owner)->first;
	gs_limit_begin(store, batch, owner);
	if (reserve_families(store, batch->norder) != GS_OK)
		return GS_ENOMEM;
	for (size_t i = 0; i < batch->norder; i++) {
		const struct batch_family *family = batch->order[i];
		store->applied[i] = NULL;
		if (family->first == NULL)
			continue; /* a family without samples changes nothing */
		if (family->any_family_mode && store->scope.text.p == NULL &&
		    gs_wanted_open(&store->scope, batch->options.labels, batch->options.nlabels) != GS_OK)
			return GS_ENOMEM;
		enum gs_status status = prepare_family(store, family, owner, time_ms, &store->applied[i], result, err);
		if (status == GS_OK && store->applied[i] != NULL)
			status = gs_help_prepare(store, store->applied[i], family);
		if (status != GS_OK)
			return status;
	}
	return gs_limit_end(store, batch, owner, err);
}

void gs_apply_abort(struct gs_store *store) {
	for (size_t i = 0; i < store->nchanges; i++) {
		struct change *change = &store->changes[i];
		gs_parts_free(store, change->parts);
		gs_pebble_free(store, change->pebble);
		gs_exemplars_free(store, change->exemplars);
		gs_native_free(store, change->native);
	}
	/* Backwards, so that families end as they were. */
	for (size_t i = store->nchanges; i-- > 0;) {
		if (store->changes[i].created)
			gs_series_remove(store, store->changes[i].series);
		else
			gs_series_drop_extra(store, store->changes[i].series);
	}
	store->nchanges = 0;
	gs_helps_abort(store);
	gs_wanted_close(&store->scope);
}

static void set_exemplars(struct gs_store *store, struct extra *extra, struct exemplars *exemplars) {
	gs_exemplars_free(store, extra->exemplars);
	extra->exemplars = exemplars;
}

static void set_native(struct gs_store *store, struct extra *extra, struct native *native) {
	gs_native_free(store, extra->native);
	extra->native = native;
}

static void commit_pebble(struct gs_store *store, struct change *change, int64_t time_ms) {
	struct extra *extra = gs_extra_of(store, change->series);
	struct family *family = gs_family_of(store, change->series);
	if (change->pebble != NULL) {
		family->npebbles += extra->pebble == NULL;
		gs_pebble_free(store, extra->pebble);
		extra->pebble = change->pebble;
	}
	gs_parts_free(store, extra->parts);
	extra->parts = NULL;
	set_exemplars(store, extra, NULL);
	set_native(store, extra, NULL);
	gs_pebble_add(store, extra->pebble, change->point, change->at_ms, time_ms);
	gs_family_touch(store, family);
}

static bool same_bits(double a, double b) {
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void commit_plain(struct gs_store *store, struct change *change) {
	struct series *series = change->series;
	struct extra *extra = gs_extra_of(store, series);
	struct family *family = gs_family_of(store, series);
	double value = change->point->value;
	bool same = series->has_value;
	if (combines(change->mode) && !change->fresh)
		value = gs_combine(change->mode, series->value, value);
	if (extra != NULL) {
		same = same && extra->pebble == NULL && gs_parts_same(extra->parts, change->parts);
		family->npebbles -= extra->pebble != NULL;
		gs_pebble_free(store, extra->pebble);
		extra->pebble = NULL;
		gs_parts_free(store, extra->parts);
		extra->parts = change->parts;
		same = same && gs_native_same(extra->native, change->native);
		set_native(store, extra, change->native);
	}
	if (extra != NULL && change->new_exemplars) {
		same = same && gs_exemplars_same(extra->exemplars, change->exemplars);
		set_exemplars(store, extra, change->exemplars);
	}
	if (!same || !same_bits(series->value, value))
		gs_family_touch(store, family);
	series->value = value;
}

static void renew(struct gs_store *store, struct series *series, uint32_t owner, int64_t time_ms) {
	gs_owner_take(store, owner, series);
	series->renewed_ms = time_ms;
}

/* A value that both made is as new as the newer of the two. */
static void commit_timestamp(struct gs_store *store, const struct change *change) {
	struct series *series = change->series;
	const struct batch_point *point = change->point;
	struct extra *extra = gs_extra_of(store, series);
	if (extra == NULL || (combines(change->mode) && !change->fresh && extra->has_timestamp &&
				 (!point->has_timestamp || point->timestamp_ms < extra->timestamp_ms)))
		return;
	extra->has_timestamp = point->has_timestamp;
	extra->timestamp_ms = point->timestamp_ms;
	gs_series_drop_extra(store, series);
}

static void commit_change(
    struct gs_store *store, struct change *change, uint32_t owner, int64_t time_ms, struct gs_store_result *result) {
	struct series *series = change->series;
	const struct batch_point *point = change->point;
	bool same_owner = gs_owner_same(store, series->owner, owner);
	if (change->skip && change->pebble == NULL) {
		*(change->mode == GS_MODE_PEBBLE ? &result->dropped_late : &result->dropped_stale) += point->samples;
		if (same_owner)
			renew(store, series, owner, time_ms); /* its value is dropped, but its source still has it */
		return;
	}
	if (series->type != point->family->type && (point->family->typed || !is_push(store, owner)))
		gs_series_retype(store, series, point->family->type);
	if (change->mode == GS_MODE_PEBBLE)
		commit_pebble(store, change, time_ms);
	else
		commit_plain(store, change);
	gs_series_judge(store, gs_family_of(store, series), series);
	if (!change->created && !same_owner)
		result->owner_conflicts++;
	renew(store, series, owner, time_ms);
	series->has_value = true;
	commit_timestamp(store, change);
	result->samples += point->samples;
	result->series_new += change->created;
}

/* What was stored without a type takes the type that a push gives the family. */
static void commit_type(
    struct gs_store *store, struct family *family, const struct batch_family *pushed, uint32_t owner) {
	if (!is_push(store, owner) || !pushed->typed || pushed->type == GS_TYPE_UNTYPED ||
	    family->types[GS_TYPE_UNTYPED] == 0)
		return;
	for (uint32_t i = 0; i < family->n; i++) {
		struct series *series = family->series[i] != 0 ? gs_series_at(store, family->series[i]) : NULL;
		if (series != NULL && series->type == GS_TYPE_UNTYPED) {
			gs_series_retype(store, series, pushed->type);
			gs_series_judge(store, family, series);
		}
	}
}

/* What clearmode family replaces: what was pushed of that family and not by this push. */
struct scope {
	const struct family *family;
	bool (*which)(struct gs_store *store, const struct series *series, void *ctx);
	void *ctx;
};

static bool is_replaced(struct gs_store *store, const struct series *series, void *ctx) {
	const struct scope *scope = ctx;
	return series->family == scope->family->number && series->round != store->round &&
	       (scope->which == NULL || scope->which(store, series, scope->ctx));
}

/* Whether the targets that can have the labels have fewer series than the family. */
static bool is_shorter_by_target(const struct gs_store *store, const struct family *family) {
	size_t n = store->ntargets;
	for (size_t i = 0; i < store->ntargets && n < family->n; i++) {
		if (gs_wanted_target(store, &store->scope, store->targets[i]))
			n += gs_text_at(store, store->targets[i])->count;
	}
	return n < family->n;
}

size_t gs_apply_visit_replaced(struct gs_store *store, struct family *family,
    bool (*which)(struct gs_store *store, const struct series *series, void *ctx), void *ctx) {
	struct scope scope = {.family = family, .which = which, .ctx = ctx};
	size_t gone = 0;
	if (is_shorter_by_target(store, family))
		return gs_pushed_remove(store, &store->scope, is_replaced, &scope);
	for (uint32_t i = family->n; i-- > 0;) {
		struct series *series = family->series[i] != 0 ? gs_series_at(store, family->series[i]) : NULL;
		if (series == NULL || series->round == store->round || !is_push(store, series->owner) ||
		    !gs_series_has_labels(store, series, &store->scope) || !is_replaced(store, series, &scope))
			continue;
		gs_series_remove(store, series);
		gone++;
	}
	return gone;
}

static bool is_mixed(const struct family *family) {
	enum gs_expo_type type;
	return !gs_family_type(family, &type);
}

void gs_apply_commit(struct gs_store *store, const struct gs_batch *batch, uint32_t owner, int64_t time_ms,
    struct gs_store_result *result) {
	for (size_t i = 0; i < store->nchanges; i++)
		commit_change(store, &store->changes[i], owner, time_ms, result);
	store->nchanges = 0;
	gs_helps_commit(store);
	for (size_t i = 0; i < batch->norder; i++) {
		const struct batch_family *pushed = batch->order[i];
		struct family *family = store->applied[i];
		if (family == NULL)
			continue;
		family->round = store->round;
		commit_type(store, family, pushed, owner);
		if (pushed->any_family_mode && is_push(store, owner))
			/* Scraped series belong to their groups and stay. The pushed ones keep the family alive. */
			result->series_gone += gs_apply_visit_replaced(store, family, NULL, NULL);
		result->type_conflicts += is_mixed(family);
	}
	gs_wanted_close(&store->scope);
}

size_t gs_apply_remove_rest(struct gs_store *store, uint32_t owner) {
	const struct owner *from = gs_owner_at(store, owner);
	size_t gone = 0;
	while (from->first != 0 && gs_series_at(store, from->first)->round != store->round) {
		gs_series_remove(store, gs_series_at(store, from->first));
		gone++;
	}
	return gone;
}
