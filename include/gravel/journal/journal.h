/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_JOURNAL_JOURNAL_H
#define GRAVEL_JOURNAL_JOURNAL_H

#include <stdbool.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

/*
 * The push log: append gives each accepted push a position, and the position orders everything (DESIGN 6). Today it has one home, memory,
 * which keeps nothing: a push lives as long as the process. The durable homes (file, stream) come behind the same calls.
 */
struct gs_journal;

/* A push or a deletion, as it was accepted. */
struct gs_journal_entry {
	int64_t time_ms;
	struct gs_str body;
};

/** gs_journal_open_memory(ret): A journal that keeps nothing. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_journal_open_memory(struct gs_journal **ret);

/** gs_journal_is_instant(journal): Whether an append takes no I/O, so that whoever has a push may append and apply it without waiting for others. */
bool gs_journal_is_instant(const struct gs_journal *journal);
void gs_journal_close(struct gs_journal *journal);

/** gs_journal_append(journal, entry, ret_position):
 * Append ${entry}; with GS_OK it is as durable as this home makes it, and *${ret_position} is greater than every position before. One
 * thread at a time. */
GS_MUST_USE enum gs_status gs_journal_append(
    struct gs_journal *journal, const struct gs_journal_entry *entry, uint64_t *ret_position);

#endif
