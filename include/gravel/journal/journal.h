/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_JOURNAL_JOURNAL_H
#define GRAVEL_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

/*
 * The push log: append gives each accepted push a position, and the position orders everything (DESIGN 6). Two homes: memory, which keeps nothing, so that a push
 * lives as long as the process; and a file, an SQLite database that is synced with every append. This module is the only one that includes
 * sqlite3.h. A journal belongs to one thread at a time.
 */
struct gs_journal;

/* A push or a deletion, as it was accepted. */
struct gs_journal_entry {
	int64_t time_ms; /* when it was taken */
	struct gs_str header; /* what is to be done with the body; text */
	struct gs_str body;
};

/** gs_journal_open_memory(ret): A journal that keeps nothing. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_journal_open_memory(struct gs_journal **ret);

struct gs_journal_file_options {
	const char *path; /* of the database; its folder is there */
	uint64_t max_bytes; /* the file grows to no more; 0: as long as there is room */
};

/** gs_journal_open_file(options, ret, err):
 * Open the database, or make it. GS_EIO with ${err} naming the file and what to do: no permission, in use by another process, damaged, no database of ours;
 * GS_EUNSUPPORTED for one of a later version; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_journal_open_file(
    const struct gs_journal_file_options *options, struct gs_journal **ret, struct gs_error *err);

void gs_journal_close(struct gs_journal *journal);

/** gs_journal_is_instant(journal): Whether an append takes no I/O, so that whoever has a push may append and apply it without waiting for others. */
bool gs_journal_is_instant(const struct gs_journal *journal);

/** gs_journal_append_all(journal, entries, n, ret_last, err):
 * Append ${n} entries with one sync: with GS_OK all are as durable as this home makes them, the last at position *${ret_last}, the others at those before it; otherwise
 * none is there. GS_EIO with ${err} (disk full, or what the system said): a later call may succeed. */
GS_MUST_USE enum gs_status gs_journal_append_all(struct gs_journal *journal, const struct gs_journal_entry *entries,
    size_t n, uint64_t *ret_last, struct gs_error *err);

/** gs_journal_append(journal, entry, ret_position): One entry. */
GS_MUST_USE enum gs_status gs_journal_append(
    struct gs_journal *journal, const struct gs_journal_entry *entry, uint64_t *ret_position);

/** gs_journal_last(journal): The position of the last entry; 0: there was none yet. */
uint64_t gs_journal_last(const struct gs_journal *journal);

/** gs_journal_start(journal, last): After opening: what was appended up to ${last} is known elsewhere (a snapshot), so the next position is beyond it, whatever is in the
 * file. */
void gs_journal_start(struct gs_journal *journal, uint64_t last);

/* One entry of the past; slices are valid during the call. Another status than GS_OK ends the replay with it. */
typedef enum gs_status gs_journal_replay_fn(void *ctx, uint64_t position, const struct gs_journal_entry *entry);

/** gs_journal_replay(journal, after, fn, ctx, err): Hand all entries beyond ${after} to ${fn}, in order. GS_EIO with ${err} for a file that cannot be read, or what ${fn} said. */
GS_MUST_USE enum gs_status gs_journal_replay(
    struct gs_journal *journal, uint64_t after, gs_journal_replay_fn *fn, void *ctx, struct gs_error *err);

/** gs_journal_cut(journal, upto, err): Forget entries up to ${upto}, two thousand at most, so that nobody waits long: GS_EAGAIN where there are more. GS_EIO with ${err}: none was
 * forgotten. The file gets no smaller; its room is used again. */
GS_MUST_USE enum gs_status gs_journal_cut(struct gs_journal *journal, uint64_t upto, struct gs_error *err);

/** gs_journal_bytes(journal): Size of the file and what belongs to it. */
uint64_t gs_journal_bytes(const struct gs_journal *journal);

#endif
