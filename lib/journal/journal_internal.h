/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_JOURNAL_INTERNAL_H
#define GRAVEL_LIB_JOURNAL_INTERNAL_H

#include "gravel/journal/journal.h"

struct gs_journal {
	uint64_t last;
	struct gs_journal_file *file; /* NULL: memory */
};

/* file.c: as the calls of gs_journal, but positions are the caller's. */
struct gs_journal_file;

GS_MUST_USE enum gs_status gs_journal_file_open(const struct gs_journal_file_options *options,
    struct gs_journal_file **ret, uint64_t *ret_last, struct gs_error *err);
void gs_journal_file_close(struct gs_journal_file *file);
GS_MUST_USE enum gs_status gs_journal_file_append(struct gs_journal_file *file, uint64_t first,
    const struct gs_journal_entry *entries, size_t n, struct gs_error *err);
GS_MUST_USE enum gs_status gs_journal_file_replay(
    struct gs_journal_file *file, uint64_t after, gs_journal_replay_fn *fn, void *ctx, struct gs_error *err);
GS_MUST_USE enum gs_status gs_journal_file_cut(struct gs_journal_file *file, uint64_t upto, struct gs_error *err);
uint64_t gs_journal_file_bytes(const struct gs_journal_file *file);

#endif
