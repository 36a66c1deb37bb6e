/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_SCRAPE_PLACES_H
#define GRAVEL_LIB_SCRAPE_PLACES_H

#include <stddef.h>

#include "gravel/base/status.h"

/*
 * Numbers for targets, from 0 on and without gaps as far as possible: the places of the fetcher. Whoever takes one gets that of a target of the same
 * origin (scheme, host, port) which left, if there is one, and with it the multi handle that keeps its connection. Private to the module; one thread.
 * Invariants (gs_places_check): what is free stands in the list of free places once; the map holds, for each origin that was remembered, the first of
 * the free places of that origin.
 */
struct gs_places;

struct gs_places *gs_places_new(void);
void gs_places_free(struct gs_places *places);

/** gs_places_take(places, url, ret_place): GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_places_take(struct gs_places *places, const char *url, size_t *ret_place);

/** gs_places_give(places, place): Give back what was taken. */
void gs_places_give(struct gs_places *places, size_t place);

/** gs_places_count(places): One more than the highest number that was ever taken. */
size_t gs_places_count(const struct gs_places *places);

void gs_places_check(const struct gs_places *places);

#endif
