/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_RESYNC_H
#define GRAVEL_LIB_EXPO_RESYNC_H

/* Where two bodies go on alike. Not for other modules. */

#include "line.h"

/* One of the old lines ahead. */
struct gs_resync_entry {
	uint64_t key;
	uint32_t line;
};

/* Memory of a search, kept for the next one. */
struct gs_resync {
	struct gs_resync_entry *entries;
	size_t n;
	size_t cap;
	uint32_t *table; /* 1 + index of the first entry with a key, or 0 */
	size_t size; /* of the table in use: a power of two */
	size_t table_cap;
};

/* Two bodies, and the places in them up to which they were compared. */
struct gs_resync_place {
	struct gs_str previous;
	const struct gs_lines *lines; /* of it */
	size_t line;
	struct gs_line_context context;
	struct gs_str next;
	size_t at; /* where a line starts */
	struct gs_line_context next_context;
	bool openmetrics;
};

/** gs_resync_match(place, line, content, in_context):
 * Whether the old ${line} is the same sample as the new line of ${content}, given whether they belong to the same family; or the same HELP, TYPE or UNIT. */
bool gs_resync_match(const struct gs_resync_place *place, size_t line, struct gs_str content, bool in_context);

/** gs_resync_find(resync, place, ret_gone, ret_added):
 * How many old lines and how many new ones to pass over so that the next ones match; the fewest in all where it is near. All that there are if
 * none match. Takes time in proportion to the bytes passed over, and memory to the old ones. */
GS_MUST_USE enum gs_status gs_resync_find(
    struct gs_resync *resync, const struct gs_resync_place *place, size_t *ret_gone, size_t *ret_added);

void gs_resync_free(struct gs_resync *resync);

#endif
