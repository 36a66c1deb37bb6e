/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/map.h"

#include <assert.h>
#include <stdint.h>

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"

/* Open addressing with linear probing; a removed slot is a tombstone until the next rehash. */
struct slot {
	struct gs_str key;
	void *value; /* NULL: free or tombstone */
	uint64_t hash; /* with value == NULL: 0 free, 1 tombstone */
};

/*
 * Invariants:
 * 1. cap is 0 or a power of two; filled (entries and tombstones) <= 3/4 cap.
 * 2. count <= filled, count <= max.
 * 3. Between the home of an entry and its slot no slot is free.
 */
struct gs_map {
	struct slot *slots;
	size_t cap;
	size_t count;
	size_t filled;
	size_t max;
};

struct gs_map *gs_map_new(size_t max) {
	struct gs_map *map = gs_alloc(sizeof(*map));
	if (map != NULL)
		map->max = max;
	return map;
}

void gs_map_free(struct gs_map *map) {
	if (map == NULL)
		return;
	gs_free(map->slots);
	gs_free(map);
}

static struct slot *find(const struct gs_map *map, struct gs_str key, uint64_t hash) {
	if (map->cap == 0)
		return NULL;
	for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
		struct slot *s = &map->slots[i];
		if (s->value == NULL && s->hash == 0)
			return NULL;
		if (s->value != NULL && s->hash == hash && gs_str_eq(s->key, key))
			return s;
	}
}

static void insert(struct gs_map *map, struct slot entry) {
	size_t i = entry.hash & (map->cap - 1);
	while (map->slots[i].value != NULL)
		i = (i + 1) & (map->cap - 1);
	if (map->slots[i].hash == 0)
		map->filled++;
	map->slots[i] = entry;
	map->count++;
}

static enum gs_status rehash(struct gs_map *map) {
	size_t cap = 16;
	while (cap / 2 < map->count + 1)
		cap *= 2;
	struct slot *slots = gs_alloc_array(cap, sizeof(*slots));
	if (slots == NULL)
		return GS_ENOMEM;
	struct gs_map old = *map;
	map->slots = slots;
	map->cap = cap;
	map->count = 0;
	map->filled = 0;
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i].value != NULL)
			insert(map, old.slots[i]);
	}
	gs_free(old.slots);
	return GS_OK;
}

void *gs_map_get(const struct gs_map *map, struct gs_str key) {
	const struct slot *s = find(map, key, gs_hash(key));
	return s != NULL ? s->value : NULL;
}

enum gs_status gs_map_put(struct gs_map *map, struct gs_str key, void *value) {
	assert(value != NULL);
	uint64_t hash = gs_hash(key);
	struct slot *s = find(map, key, hash);
	if (s != NULL) {
		s->key = key;
		s->value = value;
		return GS_OK;
	}
	if (map->count >= map->max)
		return GS_ELIMIT;
	if ((map->filled + 1) * 4 > map->cap * 3) {
		enum gs_status status = rehash(map);
		if (status != GS_OK)
			return status;
	}
	insert(map, (struct slot){.key = key, .value = value, .hash = hash});
	return GS_OK;
}

void *gs_map_remove(struct gs_map *map, struct gs_str key) {
	struct slot *s = find(map, key, gs_hash(key));
	if (s == NULL)
		return NULL;
	void *value = s->value;
	*s = (struct slot){.hash = 1};
	map->count--;
	return value;
}

void gs_map_clear(struct gs_map *map) {
	if (map->filled != 0)
		memset(map->slots, 0, map->cap * sizeof(*map->slots));
	map->count = 0;
	map->filled = 0;
}

size_t gs_map_count(const struct gs_map *map) {
	return map->count;
}

void *gs_map_next(const struct gs_map *map, size_t *cursor, struct gs_str *ret_key) {
	while (*cursor < map->cap) {
		const struct slot *s = &map->slots[(*cursor)++];
		if (s->value == NULL)
			continue;
		if (ret_key != NULL)
			*ret_key = s->key;
		return s->value;
	}
	return NULL;
}

size_t gs_map_bytes(const struct gs_map *map) {
	return sizeof(*map) + map->cap * sizeof(*map->slots);
}

void gs_map_check(const struct gs_map *map) {
	size_t count = 0, filled = 0;
	assert((map->cap & (map->cap - 1)) == 0);
	for (size_t i = 0; i < map->cap; i++) {
		const struct slot *s = &map->slots[i];
		count += s->value != NULL;
		filled += s->value != NULL || s->hash != 0;
		if (s->value != NULL)
			assert(find(map, s->key, s->hash) == s);
	}
	assert(count == map->count && filled == map->filled);
	assert(count <= map->max && filled * 4 <= map->cap * 3);
}
