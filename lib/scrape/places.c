/* SPDX-License-Identifier: Apache-2.0 */
#include "places.h"

#include <assert.h>
#include <stdbool.h>

#include "gravel/base/hash.h"
#include "gravel/base/limits.h"
#include "gravel/base/map.h"
#include "gravel/base/mem.h"
#include "gravel/base/pool.h"

struct place {
	uint64_t origin; /* a hash; the map's key */
	size_t number;
	struct place *next, *prev; /* of free ones: the last one given back first */
	struct place *next_same, *prev_same; /* of those, with the same origin */
	bool free;
	bool remembered; /* reached from the map */
};

struct gs_places {
	struct gs_pool pool; /* place n has its number n + 1 */
	struct gs_map *origins; /* origin -> its first free place */
	struct place *free;
	size_t count;
};

struct gs_places *gs_places_new(void) {
	struct gs_places *places = gs_alloc(sizeof(*places));
	if (places == NULL)
		return NULL;
	gs_pool_init(&places->pool, sizeof(struct place));
	places->origins = gs_map_new(GS_LIMIT_TARGETS);
	if (places->origins != NULL)
		return places;
	gs_free(places);
	return NULL;
}

void gs_places_free(struct gs_places *places) {
	if (places == NULL)
		return;
	gs_map_free(places->origins);
	gs_pool_free(&places->pool);
	gs_free(places);
}

static struct gs_str key_of(const uint64_t *origin) {
	return gs_str_make((const char *)origin, sizeof(*origin));
}

/* Scheme, host and port; the user part, too, which does no harm. */
static uint64_t origin_of(const char *url) {
	const char *host = strstr(url, "://");
	size_t n = host != NULL ? (size_t)(host + 3 - url) : 0;
	return gs_hash(gs_str_make(url, n + strcspn(url + n, "/?#")));
}

static void remember(struct gs_places *places, struct place *place) {
	struct place *first = gs_map_get(places->origins, key_of(&place->origin));
	/* Without memory for it the next target of the origin makes a new connection. */
	place->remembered = gs_map_put(places->origins, key_of(&place->origin), place) == GS_OK;
	place->prev_same = NULL;
	place->next_same = place->remembered ? first : NULL;
	if (place->next_same != NULL)
		place->next_same->prev_same = place;
}

static void forget(struct gs_places *places, struct place *place) {
	struct place *next = place->next_same, *prev = place->prev_same;
	if (!place->remembered)
		return;
	if (next != NULL)
		next->prev_same = prev;
	if (prev != NULL)
		prev->next_same = next;
	else if (next == NULL || gs_map_put(places->origins, key_of(&next->origin), next) != GS_OK)
		gs_map_remove(places->origins, key_of(&place->origin)); /* replacing a value never fails */
	place->remembered = false;
}

static void link_free(struct gs_places *places, struct place *place) {
	place->prev = NULL;
	place->next = places->free;
	if (place->next != NULL)
		place->next->prev = place;
	places->free = place;
	place->free = true;
}

static void unlink_free(struct gs_places *places, struct place *place) {
	if (place->next != NULL)
		place->next->prev = place->prev;
	if (place->prev != NULL)
		place->prev->next = place->next;
	else
		places->free = place->next;
	place->free = false;
}

static struct place *new_place(struct gs_places *places) {
	uint32_t number = gs_pool_get(&places->pool);
	if (number == 0)
		return NULL;
	struct place *place = gs_pool_at(&places->pool, number);
	place->number = places->count++;
	return place;
}

enum gs_status gs_places_take(struct gs_places *places, const char *url, size_t *ret_place) {
	uint64_t origin = origin_of(url);
	struct place *place = gs_map_get(places->origins, key_of(&origin));
	if (place == NULL)
		place = places->free;
	if (place != NULL) {
		forget(places, place);
		unlink_free(places, place);
	} else {
		place = new_place(places);
	}
	if (place == NULL)
		return GS_ENOMEM;
	place->origin = origin;
	*ret_place = place->number;
	return GS_OK;
}

void gs_places_give(struct gs_places *places, size_t number) {
	assert(number < places->count);
	struct place *place = gs_pool_at(&places->pool, (uint32_t)number + 1);
	assert(!place->free);
	link_free(places, place);
	remember(places, place);
}

size_t gs_places_count(const struct gs_places *places) {
	return places->count;
}

void gs_places_check(const struct gs_places *places) {
	size_t cursor = 0, chained = 0, remembered = 0;
	const struct place *place;
	while ((place = gs_map_next(places->origins, &cursor, NULL)) != NULL) {
		assert(place->prev_same == NULL);
		for (const struct place *same = place; same != NULL; same = same->next_same, chained++)
			assert(same->free && same->remembered && same->origin == place->origin);
	}
	for (place = places->free; place != NULL; place = place->next) {
		assert(place->free && place->number < places->count);
		assert(place->next == NULL || place->next->prev == place);
		remembered += place->remembered;
	}
	assert(remembered == chained);
}
