/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/scrape/series.h"

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"

/* Invariants: 1. hashes holds n entries exactly. 2. n == 0 if and only if hashes == NULL. */
struct gs_series_set {
	uint64_t *hashes;
	size_t n;
};

struct gs_series_set *gs_series_set_new(void) {
	return gs_alloc(sizeof(struct gs_series_set));
}

void gs_series_set_free(struct gs_series_set *set) {
	if (set == NULL)
		return;
	gs_free(set->hashes);
	gs_free(set);
}

size_t gs_series_set_count(const struct gs_series_set *set) {
	return set->n;
}

size_t gs_series_set_bytes(const struct gs_series_set *set) {
	return sizeof(*set) + set->n * sizeof(*set->hashes);
}

static enum gs_status run_room(struct gs_series_run *run) {
	size_t cap = run->n < 64 ? 64 : run->n + run->n / 2;
	uint64_t *own = gs_realloc_array(run->own, cap, sizeof(*own));
	if (own == NULL)
		return GS_ENOMEM;
	if (run->own == NULL && run->n != 0)
		memcpy(own, run->set->hashes, run->n * sizeof(*own));
	run->own = own;
	run->cap = cap;
	return GS_OK;
}

static enum gs_status run_add(struct gs_series_run *run, uint64_t hash) {
	if (run->own == NULL && run->n < run->set->n && run->set->hashes[run->n] == hash) {
		run->n++;
		return GS_OK;
	}
	if (run->own == NULL || run->n == run->cap) {
		enum gs_status status = run_room(run);
		if (status != GS_OK)
			return status;
	}
	run->own[run->n++] = hash;
	return GS_OK;
}

/* A set of hashes with linear probing; at most half full. 0 marks a free slot, so the hash 0 counts as 1. */
struct table {
	uint64_t *slots;
	size_t mask;
};

static bool table_insert(struct table *table, uint64_t hash) {
	if (hash == 0)
		hash = 1;
	for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
		if (table->slots[i] == hash)
			return false;
		if (table->slots[i] == 0) {
			table->slots[i] = hash;
			return true;
		}
	}
}

static enum gs_status count_added(
    const struct gs_series_set *set, const uint64_t *hashes, size_t n, uint64_t *ret_added) {
	struct table table;
	size_t cap = 16;
	while (cap / 2 < set->n + n)
		cap *= 2;
	table.mask = cap - 1;
	table.slots = gs_alloc_array(cap, sizeof(*table.slots));
	if (table.slots == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < set->n; i++)
		(void)table_insert(&table, set->hashes[i]);
	*ret_added = 0;
	for (size_t i = 0; i < n; i++)
		*ret_added += table_insert(&table, hashes[i]);
	gs_free(table.slots);
	return GS_OK;
}

/* Make the first n of the set all of it. */
static void cut(struct gs_series_set *set, size_t n) {
	uint64_t *hashes = n != 0 ? gs_realloc_array(set->hashes, n, sizeof(*hashes)) : NULL;
	if (n == 0)
		gs_free(set->hashes);
	if (n == 0 || hashes != NULL)
		set->hashes = hashes;
	set->n = n;
}

static enum gs_status run_commit(struct gs_series_run *run, struct gs_series_set *set, uint64_t *ret_added) {
	*ret_added = 0;
	if (run->own == NULL) {
		if (run->n != set->n)
			cut(set, run->n);
		return GS_OK;
	}
	enum gs_status status = count_added(set, run->own, run->n, ret_added);
	if (status != GS_OK)
		return status;
	gs_free(set->hashes);
	set->hashes = run->own;
	set->n = run->n;
	run->own = NULL;
	if (run->cap != run->n)
		cut(set, run->n);
	return GS_OK;
}

enum gs_status gs_series_set_update(struct gs_series_set *set, const uint64_t *hashes, size_t n, uint64_t *ret_added) {
	struct gs_series_run run;
	enum gs_status status = GS_OK;
	gs_series_run_begin(&run, set);
	for (size_t i = 0; i < n && status == GS_OK; i++)
		status = run_add(&run, hashes[i]);
	if (status == GS_OK)
		return gs_series_run_end(&run, set, ret_added);
	gs_series_run_drop(&run);
	return status;
}

/* In protobuf a series has no text of its own. */
static uint64_t hash_of(const struct gs_expo_event *event) {
	if (event->series.n != 0)
		return gs_hash(event->series);
	uint64_t hash = gs_hash(event->name);
	for (size_t i = 0; i < event->nlabels; i++)
		hash = gs_hash_stable(event->labels[i].value, gs_hash_stable(event->labels[i].name, hash));
	return hash;
}

void gs_series_run_begin(struct gs_series_run *run, const struct gs_series_set *set) {
	*run = (struct gs_series_run){.set = set};
}

enum gs_status gs_series_run_add(struct gs_series_run *run, const struct gs_expo_event *event) {
	return run_add(run, hash_of(event));
}

enum gs_status gs_series_run_end(struct gs_series_run *run, struct gs_series_set *set, uint64_t *ret_added) {
	enum gs_status status = run_commit(run, set, ret_added);
	gs_series_run_drop(run);
	return status;
}

void gs_series_run_drop(struct gs_series_run *run) {
	gs_free(run->own);
	*run = (struct gs_series_run){0};
}
