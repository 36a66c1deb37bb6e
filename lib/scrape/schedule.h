/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_SCRAPE_SCHEDULE_H
#define GRAVEL_LIB_SCRAPE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "gravel/base/status.h"
#include "gravel/scrape/scrape.h"

/*
 * When to start what: a heap of items by their next start. Looking at the first costs nothing, moving it and
 * removing any O(log n), so that ten
 * thousand targets cost a wakeup no more than one. Private to the module; one thread.
 */
struct gs_schedule;

/* What stands in a schedule: a part of the caller's own struct, zeroed at first. */
struct gs_schedule_item {
	size_t place; /* in the heap, from 1; 0: in no schedule. The schedule's own */
};

struct gs_schedule *gs_schedule_new(void);
void gs_schedule_free(struct gs_schedule *schedule);

/** gs_schedule_add(schedule, at_ns, item): ${item} is not owned, and in no schedule yet. GS_ENOMEM; GS_ELIMIT above GS_LIMIT_TARGETS. */
GS_MUST_USE enum gs_status gs_schedule_add(struct gs_schedule *schedule, int64_t at_ns, struct gs_schedule_item *item);

/** gs_schedule_remove(schedule, item): Take out ${item}, which is in it. */
void gs_schedule_remove(struct gs_schedule *schedule, struct gs_schedule_item *item);

/** gs_schedule_first(schedule, ret_at_ns): The item that is due first, or NULL (and INT64_MAX) where there is none. */
struct gs_schedule_item *gs_schedule_first(const struct gs_schedule *schedule, int64_t *ret_at_ns);

/** gs_schedule_move_first(schedule, at_ns): Give the first item another time. */
void gs_schedule_move_first(struct gs_schedule *schedule, int64_t at_ns);

void gs_schedule_check(const struct gs_schedule *schedule);

/** gs_schedule_offset(identity, target): A target's place in its interval, in [0, interval_ms): the same on every run and machine. */
int64_t gs_schedule_offset(const char *identity, const struct gs_scrape_target *target);

/** gs_schedule_slot(wall_ms, interval_ms, offset_ms): The first moment after ${wall_ms} (of the wall clock) that lies at ${offset_ms} in its
 * interval, intervals being counted from the epoch. */
int64_t gs_schedule_slot(int64_t wall_ms, int64_t interval_ms, int64_t offset_ms);

#endif
