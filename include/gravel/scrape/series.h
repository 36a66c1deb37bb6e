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

struct gs_scrape_stats {
	uint64_t samples; /* scrape_samples_scraped */
	uint64_t series_added; /* scrape_series_added */
};

/** gs_scrape_inspect(parser, options, body, set, ret_stats, err):
 * Parse ${body}, of the format that ${options} says, to its end, count, and bring ${set} (the target's) up to date. GS_EINVAL or GS_ELIMIT with ${err} (line, column, reason) where
 * it is not an exposition, GS_ENOMEM; ${set} is then as it was. A failed scrape does not come here: as in Prometheus, the series of
 * the scrape before it are not new after it. */
GS_MUST_USE enum gs_status gs_scrape_inspect(struct gs_expo_parser *parser, const struct gs_expo_options *options,
    struct gs_str body, struct gs_series_set *set, struct gs_scrape_stats *ret_stats, struct gs_error *err);

#endif
