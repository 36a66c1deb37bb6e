/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/scrape/series.h"

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"

/* Invariants: 1. hashes holds n entries exactly. 2. n == 0 if and only if hashes == NULL. */
struct gs_series_set {
	uint64_t *hashes;
	size_t n;
};

/*
 * The series of a scrape while they come. As long as they are the set's own, in its order, only their number is kept.
 * Invariant: own == NULL, and the first n are those of set; or own[0..n) holds them.
 */
struct sequence {
	const struct gs_series_set *set;
	uint64_t *own;
	size_t n;
	size_t cap;
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

static enum gs_status sequence_room(struct sequence *seq) {
	size_t cap = seq->n < 64 ? 64 : seq->n + seq->n / 2;
	uint64_t *own = gs_realloc_array(seq->own, cap, sizeof(*own));
	if (own == NULL)
		return GS_ENOMEM;
	if (seq->own == NULL && seq->n != 0)
		memcpy(own, seq->set->hashes, seq->n * sizeof(*own));
	seq->own = own;
	seq->cap = cap;
	return GS_OK;
}

static enum gs_status sequence_add(struct sequence *seq, uint64_t hash) {
	if (seq->own == NULL && seq->n < seq->set->n && seq->set->hashes[seq->n] == hash) {
		seq->n++;
		return GS_OK;
	}
	if (seq->own == NULL || seq->n == seq->cap) {
		enum gs_status status = sequence_room(seq);
		if (status != GS_OK)
			return status;
	}
	seq->own[seq->n++] = hash;
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

static enum gs_status sequence_commit(struct sequence *seq, struct gs_series_set *set, uint64_t *ret_added) {
	*ret_added = 0;
	if (seq->own == NULL) {
		if (seq->n != set->n)
			cut(set, seq->n);
		return GS_OK;
	}
	enum gs_status status = count_added(set, seq->own, seq->n, ret_added);
	if (status != GS_OK)
		return status;
	gs_free(set->hashes);
	set->hashes = seq->own;
	set->n = seq->n;
	seq->own = NULL;
	if (seq->cap != seq->n)
		cut(set, seq->n);
	return GS_OK;
}

enum gs_status gs_series_set_update(struct gs_series_set *set, const uint64_t *hashes, size_t n, uint64_t *ret_added) {
	struct sequence seq = {.set = set};
	enum gs_status status = GS_OK;
	for (size_t i = 0; i < n && status == GS_OK; i++)
		status = sequence_add(&seq, hashes[i]);
	if (status == GS_OK)
		status = sequence_commit(&seq, set, ret_added);
	gs_free(seq.own);
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

enum gs_status gs_scrape_inspect(struct gs_expo_parser *parser, const struct gs_expo_options *options,
    struct gs_str body, struct gs_series_set *set, struct gs_scrape_stats *ret_stats, struct gs_error *err) {
	struct sequence seq = {.set = set};
	struct gs_expo_event event = {0};
	struct gs_scrape_stats stats = {0};
	enum gs_status status;
	gs_expo_begin(parser, options);
	gs_expo_feed(parser, body, true);
	while ((status = gs_expo_next(parser, &event, err)) == GS_OK && event.kind != GS_EXPO_END) {
		if (event.kind != GS_EXPO_SAMPLE)
			continue;
		stats.samples++;
		status = sequence_add(&seq, hash_of(&event));
		if (status != GS_OK)
			break;
	}
	if (status == GS_OK)
		status = sequence_commit(&seq, set, &stats.series_added);
	if (status == GS_OK)
		*ret_stats = stats;
	else if (status == GS_ENOMEM)
		(void)gs_error_set(err, status, 0, 0, "out of memory");
	gs_free(seq.own);
	return status;
}
