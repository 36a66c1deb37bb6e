/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <assert.h>

#include "gravel/base/hash.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"

struct entry {
	int64_t at_ns;
	struct gs_schedule_item *item;
};

/*
 * Invariants (gs_schedule_check):
 * 1. entries[i] is not before entries[(i - 1) / 2].
 * 2. n <= cap; entries[i].item->place == i + 1.
 */
struct gs_schedule {
	struct entry *entries;
	size_t n;
	size_t cap;
};

struct gs_schedule *gs_schedule_new(void) {
	return gs_alloc(sizeof(struct gs_schedule));
}

void gs_schedule_free(struct gs_schedule *schedule) {
	if (schedule == NULL)
		return;
	gs_free(schedule->entries);
	gs_free(schedule);
}

static enum gs_status grow(struct gs_schedule *schedule) {
	if (schedule->n == GS_LIMIT_TARGETS)
		return GS_ELIMIT;
	struct entry *entries = gs_grow_array(schedule->entries, &schedule->cap, schedule->n, sizeof(*entries));
	if (entries == NULL)
		return GS_ENOMEM;
	schedule->entries = entries;
	return GS_OK;
}

static void put(struct entry *entries, size_t i, struct entry entry) {
	entries[i] = entry;
	entry.item->place = i + 1;
}

/* Put ${entry} at ${i}, or above it where it is earlier. */
static void sift_up(struct entry *entries, size_t i, struct entry entry) {
	while (i != 0 && entries[(i - 1) / 2].at_ns > entry.at_ns) {
		put(entries, i, entries[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(entries, i, entry);
}

/* Put ${entry} at ${i}, or below it where it is later. */
static void sift_down(struct gs_schedule *schedule, size_t i, struct entry entry) {
	struct entry *entries = schedule->entries;
	for (;;) {
		size_t child = 2 * i + 1;
		if (child + 1 < schedule->n && entries[child + 1].at_ns < entries[child].at_ns)
			child++;
		if (child >= schedule->n || entries[child].at_ns >= entry.at_ns)
			break;
		put(entries, i, entries[child]);
		i = child;
	}
	put(entries, i, entry);
}

enum gs_status gs_schedule_add(struct gs_schedule *schedule, int64_t at_ns, struct gs_schedule_item *item) {
	assert(item->place == 0);
	enum gs_status status = grow(schedule);
	if (status != GS_OK)
		return status;
	sift_up(schedule->entries, schedule->n++, (struct entry){.at_ns = at_ns, .item = item});
	return GS_OK;
}

void gs_schedule_remove(struct gs_schedule *schedule, struct gs_schedule_item *item) {
	assert(item->place != 0 && item->place <= schedule->n);
	size_t i = item->place - 1;
	struct entry last = schedule->entries[--schedule->n];
	item->place = 0;
	if (last.item == item)
		return;
	if (i != 0 && schedule->entries[(i - 1) / 2].at_ns > last.at_ns)
		sift_up(schedule->entries, i, last);
	else
		sift_down(schedule, i, last);
}

struct gs_schedule_item *gs_schedule_first(const struct gs_schedule *schedule, int64_t *ret_at_ns) {
	*ret_at_ns = schedule->n != 0 ? schedule->entries[0].at_ns : INT64_MAX;
	return schedule->n != 0 ? schedule->entries[0].item : NULL;
}

void gs_schedule_move_first(struct gs_schedule *schedule, int64_t at_ns) {
	assert(schedule->n != 0);
	sift_down(schedule, 0, (struct entry){.at_ns = at_ns, .item = schedule->entries[0].item});
}

void gs_schedule_check(const struct gs_schedule *schedule) {
	assert(schedule->n <= schedule->cap);
	for (size_t i = 0; i < schedule->n; i++) {
		assert(schedule->entries[i].item->place == i + 1);
		assert(i == 0 || schedule->entries[i].at_ns >= schedule->entries[(i - 1) / 2].at_ns);
	}
}

int64_t gs_schedule_offset(const char *identity, const struct gs_scrape_target *target) {
	/* Each hash seeds the next, so that ("a", "bc") and ("ab", "c") differ. */
	uint64_t hash = gs_hash_stable(gs_str_of(identity), 0);
	hash = gs_hash_stable(gs_str_of(target->job), hash);
	hash = gs_hash_stable(gs_str_of(target->instance), hash);
	hash = gs_hash_stable(gs_str_of(target->url), hash);
	return (int64_t)(hash % (uint64_t)target->interval_ms);
}

int64_t gs_schedule_slot(int64_t wall_ms, int64_t interval_ms, int64_t offset_ms) {
	int64_t place = (wall_ms - offset_ms) % interval_ms;
	if (place < 0)
		place += interval_ms;
	return wall_ms - place + interval_ms;
}
