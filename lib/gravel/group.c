/* SPDX-License-Identifier: Apache-2.0 */
/* Scraped groups: DESIGN 3.3. And what leaves by itself. */
#include "archive.h"
#include "gravel/base/mem.h"

#define FORGET_STALE_MS (3600 * 1000)
#define KEY_MAX ((size_t)3 * 65536)

/* The text of a key, in ${buf}. */
static struct gs_str key_text(struct gs_buf *buf, const struct gs_group_key *key) {
	gs_buf_str(buf, key->publisher);
	gs_buf_char(buf, '\xff');
	gs_buf_str(buf, key->job);
	gs_buf_char(buf, '\xff');
	gs_buf_str(buf, key->instance);
	return gs_buf_slice(buf);
}

static struct group *new_group(struct gs_store *store, const struct gs_group_key *key, struct gs_str text) {
	struct group *group = gs_group_new(store, OWNER_SCRAPED, text);
	if (group == NULL)
		return NULL;
	const char *p = group->key.p;
	group->names.publisher = gs_str_make(p, key->publisher.n);
	group->names.job = gs_str_make(p + key->publisher.n + 1, key->job.n);
	group->names.instance = gs_str_make(p + key->publisher.n + 1 + key->job.n + 1, key->instance.n);
	group->time_ms = INT64_MIN;
	return group;
}

struct group *gs_group_new(struct gs_store *store, enum owner_kind kind, struct gs_str key) {
	struct group *group = gs_store_alloc(store, sizeof(*group) + key.n);
	if (group == NULL)
		return NULL;
	char *p = (char *)(group + 1);
	if (key.n != 0)
		memcpy(p, key.p, key.n);
	group->key = gs_str_make(p, key.n);
	group->owner = gs_owner_new(store, kind);
	if (kind == OWNER_GATEWAY)
		group->times = gs_owner_new(store, kind);
	if (group->owner != 0 && (kind != OWNER_GATEWAY || group->times != 0))
		return group;
	gs_group_free(store, group);
	return NULL;
}

static void free_owner(struct gs_store *store, uint32_t owner) {
	if (owner == 0)
		return;
	gs_owner_clear(store, owner);
	gs_owner_free(store, owner);
}

void gs_group_free(struct gs_store *store, struct group *group) {
	free_owner(store, group->owner);
	free_owner(store, group->times);
	gs_store_release(store, group, sizeof(*group) + group->key.n);
}

/* Find the group, or make one that is not in the map yet. */
static enum gs_status find_group(
    struct gs_store *store, const struct gs_group_key *key, struct group **ret, bool *ret_new) {
	struct gs_buf buf;
	gs_buf_init(&buf, KEY_MAX);
	struct gs_str text = key_text(&buf, key);
	enum gs_status status = buf.status;
	if (status == GS_OK) {
		*ret = gs_map_get(store->groups, text);
		*ret_new = *ret == NULL;
		if (*ret == NULL && gs_map_count(store->groups) >= store->options.max_groups)
			status = GS_ELIMIT;
		else if (*ret == NULL && (*ret = new_group(store, key, text)) == NULL)
			status = GS_ENOMEM;
	}
	gs_buf_free(&buf);
	return status;
}

static enum gs_status replace_owned(struct gs_store *store, uint32_t owner, const struct gs_batch *batch,
    int64_t time_ms, struct gs_store_result *ret) {
	struct gs_error err = {0};
	enum gs_status status = gs_apply_prepare(store, batch, owner, time_ms, ret, &err);
	if (status != GS_OK) {
		gs_apply_abort(store);
		ret->limit = err.limit;
		return status;
	}
	gs_apply_commit(store, batch, owner, time_ms, ret);
	ret->series_gone += gs_apply_remove_rest(store, owner);
	return GS_OK;
}

/* What is too old says nothing of now; what is further ahead than that would lock its group for as long. */
static enum gs_status judge_time(const struct gs_store *store, int64_t time_ms, int64_t now_ms) {
	int64_t max = store->options.max_age_ms;
	if (max != 0 && now_ms - time_ms > max)
		return GS_ESTALE;
	return max != 0 && time_ms - now_ms > max ? GS_EINVAL : GS_OK;
}

enum gs_status gs_store_scrape(struct gs_store *store, const struct gs_scrape_info *info, const struct gs_batch *batch,
    int64_t now_ms, struct gs_store_result *ret) {
	struct group *group = NULL;
	bool is_new = false;
	*ret = (struct gs_store_result){0};
	enum gs_status status = judge_time(store, info->time_ms, now_ms);
	if (status == GS_OK)
		status = find_group(store, &info->key, &group, &is_new);
	if (status == GS_ELIMIT)
		ret->limit = "groups";
	if (status != GS_OK)
		return status;
	if (info->time_ms <= group->time_ms)
		return GS_ECONFLICT;
	if (is_new)
		status = gs_map_put(store->groups, group->key, group);
	if (status == GS_OK)
		status = replace_owned(store, group->owner, batch, info->time_ms, ret);
	if (status != GS_OK) {
		if (is_new) {
			gs_map_remove(store->groups, group->key);
			gs_group_free(store, group);
		}
		return status;
	}
	group->time_ms = info->time_ms;
	group->interval_ms = info->interval_ms;
	store->nstale -= group->stale;
	store->ngone -= group->gone;
	group->stale = group->gone = false;
	return GS_OK;
}

enum gs_status gs_store_gone(struct gs_store *store, const struct gs_group_key *key, int64_t time_ms, int64_t now_ms,
    struct gs_store_result *ret) {
	struct group *group = NULL;
	bool is_new = false;
	*ret = (struct gs_store_result){0};
	enum gs_status status = judge_time(store, time_ms, now_ms);
	if (status == GS_OK)
		status = find_group(store, key, &group, &is_new);
	if (status != GS_OK)
		return status;
	if (time_ms < group->time_ms)
		return GS_ECONFLICT;
	if (is_new && gs_map_put(store->groups, group->key, group) != GS_OK) {
		gs_group_free(store, group);
		return GS_ENOMEM;
	}
	ret->series_gone = gs_owner_at(store, group->owner)->count;
	gs_owner_clear(store, group->owner);
	store->nstale -= group->stale;
	store->ngone += !group->gone;
	group->stale = false;
	group->gone = true;
	group->time_ms = time_ms;
	return GS_OK;
}

enum gs_status gs_store_own(struct gs_store *store, const struct gs_batch *batch, int64_t now_ms) {
	struct gs_store_result result = {0};
	return replace_owned(store, store->own, batch, now_ms, &result);
}

/* DESIGN 3.3: no accepted scrape for max_age or three intervals, whichever is larger. */
static int64_t patience(const struct gs_store *store, const struct group *group) {
	int64_t three = 3 * group->interval_ms;
	return store->options.max_age_ms > three ? store->options.max_age_ms : three;
}

/* A group that is gone has done its part when no older scrape would be taken any more. */
static bool expire_gone(struct gs_store *store, struct group *group, int64_t now_ms) {
	int64_t wait = store->options.max_age_ms != 0 ? store->options.max_age_ms : FORGET_STALE_MS;
	if (!group->gone || now_ms - group->time_ms <= wait)
		return group->gone;
	gs_map_remove(store->groups, group->key);
	gs_group_free(store, group);
	store->ngone--;
	return true;
}

static size_t expire_groups(struct gs_store *store, int64_t now_ms) {
	size_t cursor = 0, went_stale = 0;
	struct group *group;
	while ((group = gs_map_next(store->groups, &cursor, NULL)) != NULL) {
		int64_t age = now_ms - group->time_ms;
		if (expire_gone(store, group, now_ms))
			continue;
		if (!group->stale && age > patience(store, group)) {
			gs_owner_clear(store, group->owner);
			group->stale = true;
			store->nstale++;
			went_stale++;
		}
		if (group->stale && age > patience(store, group) + FORGET_STALE_MS) {
			gs_map_remove(store->groups, group->key);
			gs_group_free(store, group);
			store->nstale--;
		}
	}
	return went_stale;
}

/* Each list of the pushed is in order of their last push. */
static size_t expire_pushed(struct gs_store *store, const struct owner *owner, int64_t now_ms) {
	size_t expired = 0;
	while (owner->ttl_ms != 0 && owner->first != 0) {
		struct series *series = gs_series_at(store, owner->first);
		if (now_ms - series->renewed_ms <= owner->ttl_ms)
			break;
		gs_series_remove(store, series);
		expired++;
	}
	return expired;
}

size_t gs_store_expire_pushed(struct gs_store *store, int64_t now_ms) {
	size_t expired = 0;
	for (size_t i = 0; i < store->nleases; i++)
		expired += expire_pushed(store, gs_owner_at(store, store->leases[i]), now_ms);
	return expired;
}

int64_t gs_store_expires_ms(const struct gs_store *store) {
	int64_t first_ms = INT64_MAX;
	for (size_t i = 0; i < store->nleases; i++) {
		const struct owner *owner = gs_owner_at(store, store->leases[i]);
		if (owner->ttl_ms == 0 || owner->first == 0)
			continue;
		int64_t at_ms = gs_series_at(store, owner->first)->renewed_ms + owner->ttl_ms + 1;
		first_ms = at_ms < first_ms ? at_ms : first_ms;
	}
	return first_ms;
}

size_t gs_store_expire_scraped(struct gs_store *store, int64_t now_ms) {
	return expire_groups(store, now_ms);
}

void gs_store_expire(struct gs_store *store, int64_t now_ms, size_t *ret_stale, size_t *ret_expired) {
	*ret_stale = expire_groups(store, now_ms);
	*ret_expired = gs_store_expire_pushed(store, now_ms);
}

bool gs_store_group_next(const struct gs_store *store, size_t *cursor, struct gs_group_view *ret) {
	const struct group *group;
	do {
		group = gs_map_next(store->groups, cursor, NULL);
		if (group == NULL)
			return false;
	} while (group->gone);
	*ret = (struct gs_group_view){
	    .key = group->names,
	    .time_ms = group->time_ms,
	    .interval_ms = group->interval_ms,
	    .series = gs_owner_at(store, group->owner)->count,
	    .stale = group->stale,
	};
	return true;
}

/* Put what was loaded into the map; whoever is there twice is an error. */
static enum gs_status keep_group(struct gs_map *groups, struct group *group) {
	if (gs_map_get(groups, group->key) != NULL)
		return GS_EINVAL;
	return gs_map_put(groups, group->key, group);
}

static struct group *load_group(struct archive *archive) {
	struct gs_buf buf;
	struct gs_group_key key = {0};
	struct gs_str part = {0};
	struct group *group = NULL;
	size_t sizes[3];
	gs_buf_init(&buf, KEY_MAX + 3);
	for (int i = 0; i < 3; i++) {
		gs_archive_str(archive, &part, GS_LIMIT_LABEL_VALUE);
		if (!gs_str_is_utf8(part))
			gs_archive_fail(archive, GS_EINVAL);
		sizes[i] = part.n;
		if (i != 0)
			gs_buf_char(&buf, '\xff');
		gs_buf_str(&buf, part);
	}
	gs_archive_fail(archive, buf.status);
	key.publisher.n = sizes[0];
	key.job.n = sizes[1];
	key.instance.n = sizes[2];
	if (archive->status == GS_OK && (group = new_group(archive->store, &key, gs_buf_slice(&buf))) == NULL)
		gs_archive_fail(archive, GS_ENOMEM);
	gs_buf_free(&buf);
	if (group == NULL)
		return NULL;
	enum gs_status status = keep_group(archive->store->groups, group);
	if (status == GS_OK)
		return group;
	gs_archive_fail(archive, status);
	gs_group_free(archive->store, group);
	return NULL;
}

static void archive_group(struct archive *archive, struct group *group) {
	if (archive->loading) {
		group = load_group(archive);
		if (group == NULL)
			return;
	} else {
		gs_archive_str(archive, &group->names.publisher, GS_LIMIT_LABEL_VALUE);
		gs_archive_str(archive, &group->names.job, GS_LIMIT_LABEL_VALUE);
		gs_archive_str(archive, &group->names.instance, GS_LIMIT_LABEL_VALUE);
	}
	gs_archive_time(archive, &group->time_ms);
	gs_archive_time(archive, &group->interval_ms);
	gs_archive_bool(archive, &group->stale);
	gs_archive_bool(archive, &group->gone);
	archive->store->nstale += archive->loading && group->stale;
	archive->store->ngone += archive->loading && group->gone;
	if (group->stale && group->gone)
		gs_archive_fail(archive, GS_EINVAL);
	gs_archive_series(archive, group->owner);
	if (archive->loading && (group->stale || group->gone) && gs_owner_at(archive->store, group->owner)->count != 0)
		gs_archive_fail(archive, GS_EINVAL);
}

void gs_archive_groups(struct archive *archive) {
	size_t cursor = 0;
	uint32_t n = (uint32_t)gs_map_count(archive->store->groups);
	gs_archive_u32(archive, &n, UINT32_MAX);
	for (uint32_t i = 0; i < n && archive->status == GS_OK; i++)
		archive_group(archive, archive->loading ? NULL : gs_map_next(archive->store->groups, &cursor, NULL));
}
