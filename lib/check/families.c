/* SPDX-License-Identifier: Apache-2.0 */
#include "families.h"

#include "gravel/base/arena.h"
#include "gravel/base/map.h"
#include "gravel/base/mem.h"

/* The public part comes first, so that a pointer to it is one to the entry. */
struct entry {
	struct gs_check_family family;
	struct entry *next;
};

/*
 * Invariants:
 * 1. The list from first and the map hold the same entries; last is the end of the list.
 * 2. recent is NULL or one of them: most samples are of the same family as the one before.
 */
struct gs_check_families {
	struct gs_map *map;
	struct gs_arena *arena; /* of entries and names */
	struct entry *first;
	struct entry *last;
	struct entry *recent;
	struct entry others;
	size_t max;
	bool full;
};

struct gs_check_families *gs_check_families_new(size_t max) {
	struct gs_check_families *families = gs_alloc(sizeof(*families));
	if (families == NULL)
		return NULL;
	families->max = max;
	families->map = gs_map_new(max);
	families->arena = gs_arena_new(SIZE_MAX);
	if (families->map != NULL && families->arena != NULL)
		return families;
	gs_check_families_free(families);
	return NULL;
}

void gs_check_families_free(struct gs_check_families *families) {
	if (families == NULL)
		return;
	gs_map_free(families->map);
	gs_arena_free(families->arena);
	gs_free(families);
}

void gs_check_families_clear(struct gs_check_families *families) {
	gs_map_clear(families->map);
	gs_arena_clear(families->arena);
	families->first = NULL;
	families->last = NULL;
	families->recent = NULL;
	families->others = (struct entry){0};
	families->full = false;
}

static enum gs_status add(
    struct gs_check_families *families, struct gs_str name, uint32_t line, struct entry **ret_entry) {
	struct entry *entry = gs_arena_alloc(families->arena, sizeof(*entry));
	struct gs_str copy = gs_arena_dup(families->arena, name);
	if (entry == NULL || copy.n != name.n)
		return GS_ENOMEM;
	*entry = (struct entry){.family = {.name = copy, .type = GS_TYPE_UNTYPED, .line = line}};
	enum gs_status status = gs_map_put(families->map, copy, entry);
	if (status != GS_OK)
		return status;
	if (families->last != NULL)
		families->last->next = entry;
	else
		families->first = entry;
	families->last = entry;
	*ret_entry = entry;
	return GS_OK;
}

enum gs_status gs_check_families_get(
    struct gs_check_families *families, struct gs_str name, uint32_t line, struct gs_check_family **ret) {
	struct entry *entry = families->recent;
	if (entry == NULL || !gs_str_eq(entry->family.name, name))
		entry = gs_map_get(families->map, name);
	if (entry == NULL && gs_map_count(families->map) == families->max) {
		families->full = true;
		*ret = &families->others.family;
		return GS_OK;
	}
	if (entry == NULL) {
		enum gs_status status = add(families, name, line, &entry);
		if (status != GS_OK)
			return status;
	}
	families->recent = entry;
	*ret = &entry->family;
	return GS_OK;
}

const struct gs_check_family *gs_check_families_next(
    const struct gs_check_families *families, const struct gs_check_family *after) {
	const struct entry *entry = after != NULL ? ((const struct entry *)after)->next : families->first;
	return entry != NULL ? &entry->family : NULL;
}

size_t gs_check_families_count(const struct gs_check_families *families) {
	return gs_map_count(families->map);
}

bool gs_check_families_full(const struct gs_check_families *families) {
	return families->full;
}
