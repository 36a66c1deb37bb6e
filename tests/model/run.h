/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TEST_RUN_H
#define GRAVEL_TEST_RUN_H

#include "operation.h"

/* What happened, so that it can be asserted that all of it did. */
enum event {
	EVENT_OPERATIONS,
	EVENT_BODY_REFUSED,
	EVENT_PUSHED,
	EVENT_PUSH_CONFLICT,
	EVENT_FULL,
	EVENT_SCRAPED,
	EVENT_SCRAPE_STALE,
	EVENT_SCRAPE_FUTURE,
	EVENT_SCRAPE_OLD,
	EVENT_GONE,
	EVENT_GONE_OLD,
	EVENT_GROUPS_STALE,
	EVENT_EXPIRED,
	EVENT_NO_MEMORY,
	EVENT_NO_MEMORY_RENDER,
	EVENT_GATEWAY,
	EVENT_GATEWAY_CONFLICT,
	EVENT_EXEMPLARS,
	EVENT_UNITS,
	EVENT_RESTARTS,
	EVENT_SERIES_GONE,
	EVENT_OWNER_CONFLICT,
	EVENT_TYPE_CONFLICT,
	EVENT_DROPPED_CONFLICT,
	EVENT_DROPPED_STALE,
	EVENT_DROPPED_LATE,
	EVENT_LINES,
	EVENTS,
};

extern const char *const run_event_names[EVENTS];

struct run_options {
	uint64_t seed;
	const uint32_t *numbers; /* of the operations to be run, rising */
	size_t n;
	bool print; /* every operation */
	bool forget; /* the model forgets every tenth operation, so that a test can see that it is found out */
};

/* What a run tells while it goes, in memory that the parent sees as well. */
struct run_progress {
	uint32_t number; /* of the operation that is being run */
	uint64_t events[EVENTS];
};

/** run_operations(options, progress, why):
 * Run them against the store and the model. False, with the reason in ${why}, where they differ. */
bool run_operations(const struct run_options *options, struct run_progress *progress, struct gs_buf *why);

#endif
