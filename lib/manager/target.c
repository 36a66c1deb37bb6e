/* SPDX-License-Identifier: Apache-2.0 */
/* One target: its memory, its name on the wire, and how it comes and goes. */
#include <assert.h>
#include <stdio.h>

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "manager_internal.h"

/* Memory */

static char *pack(char *at, struct gs_str s, struct gs_str *ret) {
	if (s.n != 0)
		memcpy(at, s.p, s.n);
	at[s.n] = '\0';
	*ret = gs_str_make(at, s.n);
	return at + s.n + 1;
}

static size_t packed_size(const struct gs_label *labels, size_t n) {
	size_t size = 0;
	for (size_t i = 0; i < n; i++)
		size += sizeof(*labels) + labels[i].name.n + labels[i].value.n + 2;
	return size;
}

static char *pack_labels(char *at, struct gs_label *to, const struct gs_label *labels, size_t n) {
	for (size_t i = 0; i < n; i++) {
		at = pack(at, labels[i].name, &to[i].name);
		at = pack(at, labels[i].value, &to[i].value);
	}
	return at;
}

struct target *gs_managed_new(const struct target_parts *parts) {
	struct gs_str text;
	struct target *target = gs_alloc(sizeof(*target) + packed_size(parts->labels, parts->nlabels) +
					 packed_size(parts->discovered, parts->ndiscovered) + parts->key.n +
					 parts->url.n + parts->error.n + 3);
	if (target == NULL)
		return NULL;
	struct gs_label *labels = (struct gs_label *)(void *)(target + 1);
	struct gs_label *discovered = labels + parts->nlabels;
	char *at = (char *)(discovered + parts->ndiscovered);
	atomic_init(&target->refs, 1);
	target->kind = parts->kind;
	target->scope = parts->scope != NULL ? gs_scope_ref(parts->scope) : NULL;
	target->labels = labels;
	target->nlabels = parts->nlabels;
	target->discovered = discovered;
	target->ndiscovered = parts->ndiscovered;
	target->interval_ms = parts->interval_ms;
	target->timeout_ms = parts->timeout_ms;
	at = pack_labels(at, labels, parts->labels, parts->nlabels);
	at = pack_labels(at, discovered, parts->discovered, parts->ndiscovered);
	at = pack(at, parts->key, &target->key);
	at = pack(at, parts->url, &text);
	target->url = text.p;
	(void)pack(at, parts->error, &text);
	atomic_init(&target->error, parts->error.n != 0 ? text.p : NULL);
	return target;
}

struct target *gs_managed_ref(struct target *target) {
	atomic_fetch_add(&target->refs, 1);
	return target;
}

void gs_managed_unref(struct target *target) {
	if (target == NULL || atomic_fetch_sub(&target->refs, 1) != 1)
		return;
	assert(target->group == NULL && target->relayed == NULL);
	gs_scope_unref(target->scope);
	gs_free(target);
}

struct gs_str gs_managed_label(const struct target *target, struct gs_str name) {
	for (size_t i = 0; i < target->nlabels; i++) {
		if (gs_str_eq(target->labels[i].name, name))
			return target->labels[i].value;
	}
	return (struct gs_str){0};
}

/* Groups */

static struct group *group_new(struct gs_str key, size_t job) {
	struct group *group = gs_alloc(sizeof(*group) + key.n + 1);
	if (group == NULL)
		return NULL;
	memcpy(group->bytes, key.p, key.n);
	group->key = gs_str_make(group->bytes, key.n);
	group->job = group->bytes;
	group->instance = group->bytes + job + 1;
	return group;
}

/* The group of that name, if it is free; GS_ECONFLICT if somebody has it. */
static enum gs_status take_group(struct gs_manager *manager, struct target *target, struct gs_str key, size_t job) {
	enum gs_status status = GS_OK;
	gs_lock_take(&manager->lock);
	struct group *group = gs_map_get(manager->groups, key);
	if (group == NULL) {
		group = group_new(key, job);
		status = group != NULL ? gs_map_put(manager->groups, group->key, group) : GS_ENOMEM;
		if (status != GS_OK) {
			gs_free(group);
			group = NULL;
		}
	} else if (group->owner != NULL) {
		status = GS_ECONFLICT;
	}
	if (status == GS_OK) {
		group->owner = target;
		group->refs++;
		target->group = group;
	}
	gs_lock_release(&manager->lock);
	return status;
}

static void drop_group_locked(struct gs_manager *manager, struct target *target) {
	struct group *group = target->group;
	target->group = NULL;
	if (group == NULL)
		return;
	if (group->owner == target)
		group->owner = NULL;
	if (--group->refs != 0)
		return;
	(void)gs_map_remove(manager->groups, group->key);
	gs_free(group);
}

/* The same on every run, as long as the targets are: receivers know the group by it. */
static uint64_t labels_hash(const struct target *target, uint64_t seed) {
	uint64_t hash = seed;
	for (size_t i = 0; i < target->nlabels; i++) {
		hash = gs_hash_stable(target->labels[i].name, hash);
		hash = gs_hash_stable(target->labels[i].value, hash);
	}
	return hash;
}

static enum gs_status find_group(struct gs_manager *manager, struct target *target) {
	struct gs_str job = gs_managed_label(target, GS_STR("job")), instance;
	instance = gs_managed_label(target, GS_STR("instance"));
	enum gs_status status = GS_ECONFLICT;
	struct gs_buf key;
	if ((job.n != 0 && memchr(job.p, '\0', job.n) != NULL) ||
	    (instance.n != 0 && memchr(instance.p, '\0', instance.n) != NULL))
		return GS_EINVAL;
	gs_buf_init(&key, 4 * (size_t)GS_LIMIT_LABEL_VALUE);
	for (uint64_t seed = 0; status == GS_ECONFLICT; seed++) {
		gs_buf_clear(&key);
		gs_buf_str(&key, job);
		gs_buf_char(&key, '\0');
		gs_buf_str(&key, instance);
		if (seed != 0)
			gs_buf_printf(&key, ";%016llx", (unsigned long long)labels_hash(target, seed - 1));
		status = key.status;
		if (status == GS_OK)
			status = take_group(manager, target, gs_buf_slice(&key), job.n);
	}
	gs_buf_free(&key);
	return status;
}

/* Coming */

static enum gs_status add_to_relay(struct gs_manager *manager, struct target *target) {
	struct gs_relay_target *relayed = NULL;
	struct gs_relay_target_options options = {
	    .job = target->group->job,
	    .instance = target->group->instance,
	    .interval_ms = target->interval_ms,
	    .labels = target->labels,
	    .nlabels = target->nlabels,
	    .transform = target->scope->transform,
	};
	enum gs_status status = gs_relay_add(manager->relay, &options, &relayed);
	if (status != GS_OK)
		return status;
	gs_lock_take(&manager->lock);
	target->relayed = relayed;
	gs_lock_release(&manager->lock);
	return GS_OK;
}

static enum gs_status add_to_scraper(struct gs_manager *manager, struct target *target) {
	const struct gs_config_job *job = target->scope->config;
	struct gs_scrape_target scraped = {
	    .job = target->group->job,
	    .instance = target->group->instance,
	    .url = target->url,
	    .http = &job->http,
	    .interval_ms = target->interval_ms,
	    .timeout_ms = target->timeout_ms,
	    .body_limit = target->scope->body_limit,
	    .identity = !job->enable_compression,
	    .user = target,
	};
	return gs_scraper_add(manager->scraper, &scraped);
}

static const char *start_error(enum gs_status status) {
	if (status == GS_ELIMIT)
		return "its names and labels are too long, or there are too many targets";
	return status == GS_ENOMEM ? "out of memory" : "no target: its URL, an interval or a label";
}

/* Nothing of it is used by anybody else. */
static void end(struct gs_manager *manager, struct target *target, bool gone) {
	gs_lock_take(&manager->lock);
	struct gs_relay_target *relayed = target->relayed;
	target->relayed = NULL;
	gone = gone && target->group != NULL && target->group->owner == NULL;
	gs_lock_release(&manager->lock);
	if (relayed != NULL)
		gs_relay_remove(manager->relay, relayed, gone);
	gs_lock_take(&manager->lock);
	drop_group_locked(manager, target);
	gs_lock_release(&manager->lock);
}

void gs_managed_start(struct gs_manager *manager, struct target *target) {
	enum gs_status status = find_group(manager, target);
	if (status == GS_OK)
		status = add_to_relay(manager, target);
	if (status == GS_OK)
		status = add_to_scraper(manager, target);
	if (status != GS_OK) {
		end(manager, target, false);
		atomic_store(&target->error, start_error(status));
		return;
	}
	atomic_store(&target->error, NULL);
	target->started = true;
	(void)gs_managed_ref(target); /* the scraper's */
	if (target->kind == TARGET_SCRAPED)
		gs_metric_add(GS_M_TARGETS, 1);
}

/* Going */

static void link_leaving_locked(struct gs_manager *manager, struct target *target) {
	target->next = manager->leaving;
	target->prev = NULL;
	if (target->next != NULL)
		target->next->prev = target;
	manager->leaving = target;
}

static void unlink_leaving_locked(struct gs_manager *manager, struct target *target) {
	if (target->next != NULL)
		target->next->prev = target->prev;
	if (target->prev != NULL)
		target->prev->next = target->next;
	else
		manager->leaving = target->next;
	target->next = target->prev = NULL;
}

void gs_managed_leave(struct gs_manager *manager, struct target *target) {
	if (!target->started)
		return;
	target->started = false;
	if (target->kind == TARGET_SCRAPED)
		gs_metric_add(GS_M_TARGETS, -1);
	gs_lock_take(&manager->lock);
	target->group->owner = NULL;
	link_leaving_locked(manager, target);
	gs_lock_release(&manager->lock);
	enum gs_status status = gs_scraper_remove(manager->scraper, target);
	assert(status == GS_OK);
	(void)status;
}

void gs_managed_removed(void *ctx, const struct gs_scrape_target *scraped) {
	struct gs_manager *manager = ctx;
	struct target *target = scraped->user;
	gs_lock_take(&manager->lock);
	unlink_leaving_locked(manager, target);
	gs_lock_release(&manager->lock);
	end(manager, target, true);
	gs_managed_unref(target);
}

void gs_managed_end(struct gs_manager *manager) {
	while (manager->leaving != NULL) {
		struct target *target = manager->leaving;
		unlink_leaving_locked(manager, target);
		end(manager, target, true);
		gs_managed_unref(target);
	}
}

void gs_managed_forget(struct gs_manager *manager, struct target *target) {
	if (!target->started)
		return;
	target->started = false;
	if (target->kind == TARGET_SCRAPED)
		gs_metric_add(GS_M_TARGETS, -1);
	end(manager, target, false);
	gs_managed_unref(target);
}
