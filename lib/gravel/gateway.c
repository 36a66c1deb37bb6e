/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of the Pushgateway's dialect. */
#include <stdlib.h>

#include "archive.h"
#include "gravel/base/mem.h"
#include "label.h"

#define SAME_MS 1000 /* two times that are closer are of a burst, not of a clock that was set back */

static int compare_labels(const void *a, const void *b) {
	return gs_str_cmp(((const struct gs_label *)a)->name, ((const struct gs_label *)b)->name);
}

/* The text of the grouping key, in ${buf}. */
static enum gs_status key_text(struct gs_buf *buf, const struct gs_label *key, size_t n) {
	struct gs_label sorted[GS_BATCH_LABELS_MAX];
	size_t size = 1, all = n;
	bool odd = false;
	n = 0;
	for (size_t i = 0; i < all; i++) {
		if (key[i].value.n == 0)
			continue; /* an empty label is none: else two groups would have the same series */
		sorted[n++] = key[i];
		size += GS_LABEL_TEXT_MAX(key[i].name, key[i].value);
	}
	if (n != 0)
		qsort(sorted, n, sizeof(*sorted), compare_labels);
	gs_buf_init(buf, size);
	char *at = gs_buf_reserve(buf, size);
	if (at == NULL)
		return buf->status;
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			*at++ = ',';
		at = gs_label_put(at, sorted[i].name, sorted[i].value, &odd);
	}
	buf->n = (size_t)(at - buf->p);
	return GS_OK;
}

static enum gs_status find_group(
    struct gs_store *store, const struct gs_label *key, size_t n, bool add, struct group **ret) {
	struct gs_buf buf;
	enum gs_status status = key_text(&buf, key, n);
	*ret = NULL;
	if (status == GS_OK) {
		*ret = gs_map_get(store->gateways, gs_buf_slice(&buf));
		if (*ret == NULL && add && gs_map_count(store->gateways) >= store->options.max_groups)
			status = GS_ELIMIT;
		else if (*ret == NULL && add)
			status =
			    (*ret = gs_group_new(store, OWNER_GATEWAY, gs_buf_slice(&buf))) != NULL ? GS_OK : GS_ENOMEM;
	}
	gs_buf_free(&buf);
	return status;
}

/* Write the times of the group into their series. Cannot fail where those exist. */
static enum gs_status apply_times(
    struct gs_store *store, struct group *group, const struct gs_label *key, size_t n, struct gs_error *err) {
	struct gs_batch_options options = {.labels = key, .nlabels = n, .gateway = true};
	struct gs_store_result result = {0};
	gs_batch_begin(store->times, &options);
	enum gs_status status = gs_batch_gauge(store->times, GS_STR("push_time_seconds"),
	    GS_STR("Last Unix time when changing this group in the Pushgateway succeeded."),
	    (double)group->time_ms / 1000);
	if (status == GS_OK)
		status = gs_batch_gauge(store->times, GS_STR("push_failure_time_seconds"),
		    GS_STR("Last Unix time when changing this group in the Pushgateway failed."),
		    (double)group->failed_ms / 1000);
	if (status == GS_OK)
		status = gs_batch_resolve(store->times, err);
	if (status != GS_OK)
		return status;
	status = gs_apply_prepare(store, store->times, group->times, 0, &result, err);
	if (status == GS_OK)
		gs_apply_commit(store, store->times, group->times, 0, &result);
	else
		gs_apply_abort(store);
	return status;
}

/* Of the families that the last apply had, what it did not renew leaves. */
static size_t remove_rest_of_families(struct gs_store *store, uint32_t owner) {
	uint32_t next = gs_owner_at(store, owner)->first;
	size_t gone = 0;
	while (next != 0) {
		struct series *series = gs_series_at(store, next);
		next = series->owner_next;
		if (series->round == store->round)
			break; /* renewed ones are at the end */
		if (gs_family_of(store, series)->round != store->round)
			continue;
		gs_series_remove(store, series);
		gone++;
	}
	return gone;
}

static enum gs_status replace(struct gs_store *store, enum gs_gateway_op op, struct group *group,
    const struct gs_batch *batch, int64_t time_ms, struct gs_store_result *ret, struct gs_error *err) {
	store->replaced = op == GS_GATEWAY_PUT ? group->owner : 0;
	enum gs_status status = gs_apply_prepare(store, batch, group->owner, time_ms, ret, err);
	store->replaced = 0;
	if (status != GS_OK) {
		gs_apply_abort(store);
		return status;
	}
	gs_apply_commit(store, batch, group->owner, time_ms, ret);
	ret->series_gone += op == GS_GATEWAY_PUT ? gs_apply_remove_rest(store, group->owner)
						 : remove_rest_of_families(store, group->owner);
	return GS_OK;
}

static void remove_group(struct gs_store *store, struct group *group, struct gs_store_result *ret) {
	ret->series_gone += gs_owner_at(store, group->owner)->count;
	gs_map_remove(store->gateways, group->key);
	gs_group_free(store, group);
}

/* People compare the two times, and a push and a failure may come within the same millisecond: the last one is the later one. */
static int64_t later(int64_t time_ms, int64_t other_ms) {
	return time_ms <= other_ms && other_ms - time_ms < SAME_MS ? other_ms + 1 : time_ms;
}

enum gs_status gs_store_gateway(struct gs_store *store, enum gs_gateway_op op, const struct gs_label *key, size_t nkey,
    const struct gs_batch *batch, int64_t time_ms, struct gs_store_result *ret, struct gs_error *err) {
	struct group *group;
	*ret = (struct gs_store_result){0};
	enum gs_status status = find_group(store, key, nkey, op != GS_GATEWAY_DELETE, &group);
	if (status == GS_ELIMIT) {
		gs_error_set(err, status, 0, 0, "the store is full: it may hold %zu groups", store->options.max_groups);
		return gs_error_limit(err, "groups");
	}
	if (status != GS_OK || group == NULL)
		return status;
	if (op == GS_GATEWAY_DELETE) {
		remove_group(store, group, ret);
		return GS_OK;
	}
	bool is_new = gs_map_get(store->gateways, group->key) == NULL;
	/* Their series first, so that writing the times at the end cannot fail. */
	status = apply_times(store, group, key, nkey, err);
	if (status == GS_OK && is_new)
		status = gs_map_put(store->gateways, group->key, group);
	if (status != GS_OK) {
		if (is_new)
			gs_group_free(store, group);
		return status;
	}
	if (op != GS_GATEWAY_FAILED)
		status = replace(store, op, group, batch, time_ms, ret, err);
	if (op != GS_GATEWAY_FAILED && status == GS_OK)
		group->time_ms = later(time_ms, group->failed_ms);
	else
		group->failed_ms = later(time_ms, group->time_ms);
	enum gs_status written = apply_times(store, group, key, nkey, err);
	return status != GS_OK ? status : written;
}

bool gs_store_gateway_next(const struct gs_store *store, size_t *cursor, struct gs_gateway_view *ret) {
	const struct group *group = gs_map_next(store->gateways, cursor, NULL);
	if (group == NULL)
		return false;
	*ret = (struct gs_gateway_view){
	    .key = group->key,
	    .push_ms = group->time_ms,
	    .failure_ms = group->failed_ms,
	    .series = gs_owner_at(store, group->owner)->count + gs_owner_at(store, group->times)->count,
	};
	return true;
}

/* What a group holds, to be sorted. */
struct held {
	const struct gs_store *store;
	const struct series *series;
	int64_t time_ms;
};

static int compare_held(const void *a, const void *b) {
	const struct held *x = a, *y = b;
	if (x->series->family == y->series->family)
		return gs_series_compare(x->store, x->series, y->series);
	return gs_str_cmp(gs_family_of(x->store, x->series)->name, gs_family_of(y->store, y->series)->name);
}

static size_t hold_all(const struct gs_store *store, uint32_t owner, int64_t time_ms, struct held *at) {
	size_t n = 0;
	for (uint32_t next = gs_owner_at(store, owner)->first; next != 0; n++) {
		const struct series *series = gs_series_at(store, next);
		at[n] = (struct held){store, series, time_ms != 0 ? time_ms : series->renewed_ms};
		next = series->owner_next;
	}
	return n;
}

enum gs_status gs_store_gateway_render(struct gs_store *store, struct gs_str key, struct gs_buf *out) {
	const struct group *group = gs_map_get(store->gateways, key);
	if (group == NULL)
		return GS_ENOTFOUND;
	size_t n = gs_owner_at(store, group->owner)->count + gs_owner_at(store, group->times)->count;
	struct held *held = gs_alloc_array(n, sizeof(*held));
	if (held == NULL)
		return GS_ENOMEM;
	n = hold_all(store, group->owner, 0, held);
	n += hold_all(
	    store, group->times, group->time_ms > group->failed_ms ? group->time_ms : group->failed_ms, held + n);
	qsort(held, n, sizeof(*held), compare_held);
	for (size_t i = 0; i < n; i++)
		gs_render_timed(store, out, held[i].series,
		    i == 0 || held[i - 1].series->family != held[i].series->family, held[i].time_ms);
	gs_free(held);
	return out->status;
}

static struct group *load_group(struct archive *archive) {
	struct gs_str key = {0};
	struct group *group;
	bool odd = false;
	gs_archive_str(archive, &key, SIZE_MAX / 2);
	if (archive->status == GS_OK &&
	    (!gs_label_is_text(key, true, &odd) || gs_map_get(archive->store->gateways, key) != NULL))
		gs_archive_fail(archive, GS_EINVAL);
	if (archive->status != GS_OK)
		return NULL;
	group = gs_group_new(archive->store, OWNER_GATEWAY, key);
	enum gs_status status = group != NULL ? gs_map_put(archive->store->gateways, group->key, group) : GS_ENOMEM;
	if (status == GS_OK)
		return group;
	gs_archive_fail(archive, status);
	if (group != NULL)
		gs_group_free(archive->store, group);
	return NULL;
}

void gs_archive_gateways(struct archive *archive) {
	size_t cursor = 0;
	uint32_t n = (uint32_t)gs_map_count(archive->store->gateways);
	gs_archive_u32(archive, &n, UINT32_MAX);
	for (uint32_t i = 0; i < n && archive->status == GS_OK; i++) {
		struct group *group =
		    archive->loading ? load_group(archive) : gs_map_next(archive->store->gateways, &cursor, NULL);
		if (group == NULL)
			return;
		if (!archive->loading)
			gs_archive_str(archive, &group->key, SIZE_MAX / 2);
		gs_archive_time(archive, &group->time_ms);
		gs_archive_time(archive, &group->failed_ms);
		gs_archive_series(archive, group->owner);
		gs_archive_series(archive, group->times);
	}
}
