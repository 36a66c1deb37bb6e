/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_MAP_H
#define GRAVEL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "gravel/base/status.h"
#include "gravel/base/str.h"

/*
 * A hash map from slices to pointers. Keys are not copied: the bytes of a key must live and stay unchanged as long as
 * the entry (usually they stand inside the value). Values are never NULL and not owned. Iteration
 * order is not stable between runs: sort before anything visible.
 */
struct gs_map;

/** gs_map_new(max): Return a map of at most ${max} entries, or NULL. */
struct gs_map *gs_map_new(size_t max);
void gs_map_free(struct gs_map *map);

/** gs_map_get(map, key): Return the value, or NULL. */
void *gs_map_get(const struct gs_map *map, struct gs_str key);

/** gs_map_put(map, key, value): Insert, or replace key and value of an equal key. GS_ENOMEM or GS_ELIMIT leave the map
 * as it was. */
GS_MUST_USE enum gs_status gs_map_put(struct gs_map *map, struct gs_str key, void *value);

/** gs_map_remove(map, key): Remove the entry and return its value, or NULL. */
void *gs_map_remove(struct gs_map *map, struct gs_str key);

/** gs_map_clear(map): Remove all entries without looking at their keys, which may be gone already; keeps the table. */
void gs_map_clear(struct gs_map *map);

size_t gs_map_count(const struct gs_map *map);

/** gs_map_next(map, cursor, ret_key):
 * Step through all entries: start with *${cursor} = 0, stop at NULL. The map must not change in between, except
 * that the entry just returned may be removed. ${ret_key} may be NULL. */
void *gs_map_next(const struct gs_map *map, size_t *cursor, struct gs_str *ret_key);

/** gs_map_bytes(map): Memory that the table itself holds. */
size_t gs_map_bytes(const struct gs_map *map);

void gs_map_check(const struct gs_map *map);

#endif
