/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "journal_internal.h"

static void set_last(struct gs_journal *journal, uint64_t last) {
	journal->last = last;
	gs_metric_set(GS_M_JOURNAL_POSITION, (double)last);
}

enum gs_status gs_journal_open_memory(struct gs_journal **ret) {
	*ret = gs_alloc(sizeof(**ret));
	return *ret != NULL ? GS_OK : GS_ENOMEM;
}

enum gs_status gs_journal_open_file(
    const struct gs_journal_file_options *options, struct gs_journal **ret, struct gs_error *err) {
	uint64_t last = 0;
	struct gs_journal *journal = gs_alloc(sizeof(*journal));
	if (journal == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	enum gs_status status = gs_journal_file_open(options, &journal->file, &last, err);
	if (status != GS_OK) {
		gs_free(journal);
		return status;
	}
	set_last(journal, last);
	*ret = journal;
	return GS_OK;
}

void gs_journal_close(struct gs_journal *journal) {
	if (journal == NULL)
		return;
	gs_journal_file_close(journal->file);
	gs_free(journal);
}

bool gs_journal_is_instant(const struct gs_journal *journal) {
	return journal->file == NULL;
}

enum gs_status gs_journal_append_all(struct gs_journal *journal, const struct gs_journal_entry *entries, size_t n,
    uint64_t *ret_last, struct gs_error *err) {
	enum gs_status status = GS_OK;
	if (journal->file != NULL && n != 0)
		status = gs_journal_file_append(journal->file, journal->last + 1, entries, n, err);
	if (status != GS_OK)
		return status;
	set_last(journal, journal->last + n);
	*ret_last = journal->last;
	return GS_OK;
}

enum gs_status gs_journal_append(
    struct gs_journal *journal, const struct gs_journal_entry *entry, uint64_t *ret_position) {
	return gs_journal_append_all(journal, entry, 1, ret_position, NULL);
}

uint64_t gs_journal_last(const struct gs_journal *journal) {
	return journal->last;
}

void gs_journal_start(struct gs_journal *journal, uint64_t last) {
	if (last > journal->last)
		set_last(journal, last);
}

enum gs_status gs_journal_replay(
    struct gs_journal *journal, uint64_t after, gs_journal_replay_fn *fn, void *ctx, struct gs_error *err) {
	return journal->file != NULL ? gs_journal_file_replay(journal->file, after, fn, ctx, err) : GS_OK;
}

enum gs_status gs_journal_cut(struct gs_journal *journal, uint64_t upto, struct gs_error *err) {
	return journal->file != NULL ? gs_journal_file_cut(journal->file, upto, err) : GS_OK;
}

uint64_t gs_journal_bytes(const struct gs_journal *journal) {
	return journal->file != NULL ? gs_journal_file_bytes(journal->file) : 0;
}
