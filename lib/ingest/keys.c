/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include <assert.h>

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"

#define START 64 /* places */
/* Two hashes of one key, as one of 128 bits. */
#define SEED_A 0x6b657973
#define SEED_B 0x79656b73

struct place {
	struct gs_key_hash hash;
	int64_t time_ms;
};

/* A ring of places, and a table of their numbers by hash, with open addressing. Both have sizes that are powers of two. */
struct gs_push_keys {
	int64_t window_ms;
	size_t max;
	struct place *ring;
	uint32_t *table; /* number of a place + 1; 0: none */
	size_t cap; /* of the ring; the table has twice as many */
	size_t first; /* of the oldest */
	size_t n;
};

struct gs_key_hash gs_key_hash(struct gs_str key) {
	return (struct gs_key_hash){gs_hash_stable(key, SEED_A), gs_hash_stable(key, SEED_B)};
}

struct gs_push_keys *gs_push_keys_new(int64_t window_ms, size_t max) {
	struct gs_push_keys *keys = gs_alloc(sizeof(*keys));
	if (keys == NULL)
		return NULL;
	keys->window_ms = window_ms;
	keys->max = max;
	return keys;
}

void gs_push_keys_free(struct gs_push_keys *keys) {
	if (keys == NULL)
		return;
	gs_free(keys->ring);
	gs_free(keys->table);
	gs_free(keys);
}

size_t gs_push_keys_held(const struct gs_push_keys *keys) {
	return keys->n;
}

static size_t place_of(const struct gs_push_keys *keys, size_t i) {
	return (keys->first + i) & (keys->cap - 1);
}

static size_t mask_of(const struct gs_push_keys *keys) {
	return 2 * keys->cap - 1;
}

/* Where the hash stands in the table, or the empty slot where it would. */
static size_t slot_of(const struct gs_push_keys *keys, struct gs_key_hash hash) {
	size_t mask = mask_of(keys), slot = hash.a & mask;
	for (; keys->table[slot] != 0; slot = (slot + 1) & mask) {
		const struct place *place = &keys->ring[keys->table[slot] - 1];
		if (place->hash.a == hash.a && place->hash.b == hash.b)
			break;
	}
	return slot;
}

bool gs_push_keys_has(const struct gs_push_keys *keys, struct gs_key_hash hash) {
	return keys->n != 0 && keys->table[slot_of(keys, hash)] != 0;
}

/* Close the gap, so that no search ends before what it looks for. */
static void empty_slot(struct gs_push_keys *keys, size_t gap) {
	size_t mask = mask_of(keys);
	for (size_t slot = (gap + 1) & mask; keys->table[slot] != 0; slot = (slot + 1) & mask) {
		size_t home = keys->ring[keys->table[slot] - 1].hash.a & mask;
		if (((slot - home) & mask) < ((slot - gap) & mask))
			continue;
		keys->table[gap] = keys->table[slot];
		gap = slot;
	}
	keys->table[gap] = 0;
}

static void forget_oldest(struct gs_push_keys *keys) {
	empty_slot(keys, slot_of(keys, keys->ring[keys->first].hash));
	keys->first = place_of(keys, 1);
	keys->n--;
}

static enum gs_status grow(struct gs_push_keys *keys) {
	size_t cap = keys->cap == 0 ? START : 2 * keys->cap;
	struct gs_push_keys grown = {.window_ms = keys->window_ms, .max = keys->max, .cap = cap, .n = keys->n};
	grown.ring = gs_alloc_array(cap, sizeof(*grown.ring));
	grown.table = gs_alloc_array(2 * cap, sizeof(*grown.table));
	if (grown.ring == NULL || grown.table == NULL) {
		gs_free(grown.ring);
		gs_free(grown.table);
		return GS_ENOMEM;
	}
	for (size_t i = 0; i < keys->n; i++) {
		grown.ring[i] = keys->ring[place_of(keys, i)];
		grown.table[slot_of(&grown, grown.ring[i].hash)] = (uint32_t)i + 1;
	}
	gs_free(keys->ring);
	gs_free(keys->table);
	*keys = grown;
	return GS_OK;
}

enum gs_status gs_push_keys_reserve(struct gs_push_keys *keys) {
	return keys->n == keys->cap && keys->n < keys->max ? grow(keys) : GS_OK;
}

void gs_push_keys_add(struct gs_push_keys *keys, struct gs_key_hash hash, int64_t time_ms) {
	if (keys->n == keys->max)
		forget_oldest(keys);
	assert(keys->n < keys->cap);
	size_t at = place_of(keys, keys->n);
	if (keys->n != 0) {
		int64_t newest_ms = keys->ring[place_of(keys, keys->n - 1)].time_ms;
		time_ms = time_ms > newest_ms ? time_ms : newest_ms;
	}
	size_t slot = slot_of(keys, hash);
	assert(keys->table[slot] == 0);
	keys->ring[at] = (struct place){hash, time_ms};
	keys->table[slot] = (uint32_t)at + 1;
	keys->n++;
}

void gs_push_keys_forget(struct gs_push_keys *keys, int64_t now_ms) {
	while (keys->n != 0 && keys->ring[keys->first].time_ms < now_ms - keys->window_ms)
		forget_oldest(keys);
}

static void put_u64(unsigned char *at, uint64_t n) {
	for (unsigned i = 0; i < 8; i++)
		at[i] = (unsigned char)(n >> 8 * i);
}

static uint64_t get_u64(const unsigned char *at) {
	uint64_t n = 0;
	for (unsigned i = 0; i < 8; i++)
		n |= (uint64_t)at[i] << 8 * i;
	return n;
}

void gs_push_keys_save(const struct gs_push_keys *keys, size_t i, unsigned char out[GS_KEY_SAVED]) {
	const struct place *place = &keys->ring[place_of(keys, i)];
	put_u64(out, place->hash.a);
	put_u64(out + 8, place->hash.b);
	put_u64(out + 16, (uint64_t)place->time_ms);
}

enum gs_status gs_push_keys_load(struct gs_push_keys *keys, const unsigned char in[GS_KEY_SAVED]) {
	struct gs_key_hash hash = {get_u64(in), get_u64(in + 8)};
	int64_t time_ms = (int64_t)get_u64(in + 16);
	bool falls = keys->n != 0 && time_ms < keys->ring[place_of(keys, keys->n - 1)].time_ms;
	if (falls || gs_push_keys_has(keys, hash))
		return GS_EINVAL;
	enum gs_status status = gs_push_keys_reserve(keys);
	if (status == GS_OK)
		gs_push_keys_add(keys, hash, time_ms);
	return status;
}

void gs_push_keys_check(const struct gs_push_keys *keys) {
	size_t taken = 0;
	assert(keys->n <= keys->cap && keys->n <= keys->max);
	for (size_t i = 0; i < keys->n; i++) {
		const struct place *place = &keys->ring[place_of(keys, i)];
		assert(i == 0 || place->time_ms >= keys->ring[place_of(keys, i - 1)].time_ms);
		assert(keys->table[slot_of(keys, place->hash)] == place_of(keys, i) + 1);
	}
	for (size_t i = 0; i < 2 * keys->cap; i++)
		taken += keys->table[i] != 0;
	assert(taken == keys->n);
	(void)taken;
}
