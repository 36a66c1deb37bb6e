/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_SCRAPE_SERIES_H
#define GRAVEL_SCRAPE_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"
#include "gravel/expo/expo.h"

/*
 * What a scrape brought, in numbers: its samples, and how many of its series the scrape before did not have
 * (scrape_samples_scraped, scrape_series_added). Series are told apart by their names and labels in the order of the target, so one that writes the
 * labels of a series in another order has added a series. Not thread-safe: a set belongs to a target, and a target to one thread.
 */

/* The series of a target's last good scrape: 8 bytes each, in the order of its exposition. */
struct gs_series_set;

/** gs_series_set_new(): An empty set; NULL when out of memory. */
struct gs_series_set *gs_series_set_new(void);
void gs_series_set_free(struct gs_series_set *set);

/** gs_series_set_update(set, hashes, n, ret_added):
 * Make the ${n} series of ${hashes} (gs_hash of each) the content of ${set}; ${ret_added} is how many distinct ones of them were not in it.
 * The same sequence again costs a comparison and no memory. GS_ENOMEM leaves the set as it was. ${n} is bounded by
 * the caller's body limit. */
GS_MUST_USE enum gs_status gs_series_set_update(
    struct gs_series_set *set, const uint64_t *hashes, size_t n, uint64_t *ret_added);

size_t gs_series_set_count(const struct gs_series_set *set);

/** gs_series_set_bytes(set): Memory it holds between updates. */
size_t gs_series_set_bytes(const struct gs_series_set *set);

/*
 * The series of a scrape while they come. As long as they are the set's own, in its order, only their number is kept.
 * Invariant: own == NULL, and the first n are those of set; or own[0..n) holds them.
 */
struct gs_series_run {
	const struct gs_series_set *set;
	uint64_t *own;
	size_t n;
	size_t cap;
};

/** gs_series_run_begin(run, set): Begin a scrape of the target of ${set}, which must not change until its end. Takes no memory. */
void gs_series_run_begin(struct gs_series_run *run, const struct gs_series_set *set);

/** gs_series_run_add(run, event): Its next sample. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_series_run_add(struct gs_series_run *run, const struct gs_expo_event *event);

/** gs_series_run_end(run, set, ret_added):
 * The scrape was good: make its series the content of ${set}; ${ret_added} is as of gs_series_set_update, scrape_series_added. GS_ENOMEM leaves the set as it was. The run is over
 * in any case. A failed scrape is not ended so: as in Prometheus, the series of the scrape before it are not new after it. */
GS_MUST_USE enum gs_status gs_series_run_end(struct gs_series_run *run, struct gs_series_set *set, uint64_t *ret_added);

/** gs_series_run_drop(run): The scrape failed; a zeroed run is fine. */
void gs_series_run_drop(struct gs_series_run *run);

#endif
