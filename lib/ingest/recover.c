/* SPDX-License-Identifier: Apache-2.0 */
/* How the state comes back: the newest snapshot that is whole, and behind it what the log has, applied as it was. */
#include <inttypes.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

struct replay {
	struct gs_ingest *ingest;
	struct entry *entry;
	struct gs_buf scratch;
	struct gs_codec *codec;
	uint64_t expected; /* position of the next entry */
	uint64_t refused;
	struct gs_error err;
};

/* What the store refuses it refused then: that was said to whoever pushed. What cannot be read at all is another matter. */
static void note(struct replay *replay, uint64_t position, enum gs_status status, const struct gs_error *err) {
	static struct gs_log_limit limit;
	replay->refused++;
	gs_log_limited(&limit, 1000, GS_LOG_VERBOSE, "entry %" PRIu64 " of the push log is not applied: %s: %s",
	    position, gs_status_name(status), err->text);
}

static enum gs_status replay_one(void *ctx, uint64_t position, const struct gs_journal_entry *logged) {
	struct replay *replay = ctx;
	struct gs_ingest *ingest = replay->ingest;
	struct entry *entry = replay->entry;
	struct gs_error err = {0};
	if (ingest->give_up)
		return gs_error_set(&replay->err, GS_ECLOSED, 0, 0, "stopped while starting");
	if (position != replay->expected)
		return gs_error_set(&replay->err, GS_EINVAL, 0, 0,
		    "the push log in %s lacks the entries from %" PRIu64 " to %" PRIu64
		    ": bring back the snapshots and the log that belong together",
		    ingest->folder, replay->expected, position - 1);
	replay->expected = position + 1;
	enum gs_status status = gs_record_read(ingest, entry, &replay->scratch, replay->codec, logged, &err);
	if (status == GS_ENOMEM)
		return gs_error_set(&replay->err, status, 0, 0, "out of memory while replaying the push log");
	if (status != GS_OK)
		return gs_error_set(&replay->err, GS_EINVAL, 0, 0, "entry %" PRIu64 " of the push log in %s: %s",
		    position, ingest->folder, err.text);
	entry->position = position;
	gs_ingest_store_take(ingest);
	status = gs_apply_push_locked(ingest, entry);
	gs_ingest_store_release(ingest);
	if (status == GS_ENOMEM)
		return gs_error_set(&replay->err, status, 0, 0, "out of memory while replaying the push log");
	if (status != GS_OK)
		note(replay, position, status, &entry->err);
	ingest->replayed++;
	return GS_OK;
}

static enum gs_status replay_log(struct gs_ingest *ingest, uint64_t after, struct gs_error *err) {
	struct replay replay = {.ingest = ingest, .expected = after + 1};
	uint64_t last = gs_journal_last(ingest->journal);
	gs_buf_init(&replay.scratch, GS_LIMIT_HEADER);
	replay.entry = gs_entry_get(ingest, ENTRY_PUSH);
	replay.codec = gs_codec_new();
	enum gs_status status = GS_ENOMEM;
	ingest->to_replay = last > after ? last - after : 0;
	if (replay.entry != NULL && replay.codec != NULL)
		status = gs_journal_replay(ingest->journal, after, replay_one, &replay, err);
	if (replay.err.text[0] != '\0')
		*err = replay.err;
	else if (status == GS_ENOMEM)
		gs_error_set(err, status, 0, 0, "out of memory while replaying the push log");
	if (replay.entry != NULL)
		gs_entry_put(ingest, replay.entry);
	gs_codec_free(replay.codec);
	gs_buf_free(&replay.scratch);
	return status;
}

/* The newest snapshot, if there is one, into the store. */
static enum gs_status load_newest(struct gs_ingest *ingest, struct gs_error *err) {
	struct gs_snapshot_reader *reader = NULL;
	enum gs_status status = gs_snapshots_open(ingest->folder, &reader, err);
	if (status == GS_ENOTFOUND)
		return GS_OK;
	if (status != GS_OK)
		return status;
	struct gs_snapshot_info info = gs_snapshot_reader_info(reader);
	gs_ingest_store_take(ingest);
	ingest->applied.position = info.position;
	status = gs_snapshot_load(ingest, reader, err);
	gs_ingest_store_release(ingest);
	gs_metric_set(GS_M_SNAPSHOT_TIME, (double)info.time_ms / 1e3);
	gs_metric_set(GS_M_SNAPSHOT_POSITION, (double)info.position);
	gs_snapshot_reader_close(reader);
	return status;
}

void gs_ingest_fail(struct gs_ingest *ingest, const struct gs_error *err) {
	gs_lock_take(&ingest->queue_lock);
	bool first = ingest->phase != PHASE_FAILED;
	if (first)
		ingest->failure = *err;
	ingest->phase = PHASE_FAILED;
	gs_lock_release(&ingest->queue_lock);
	if (first && gs_ingest_reads_log(ingest))
		ingest->stream.failed(ingest->stream.ctx);
}

/* What is needed of a snapshot in NATS, if there is one that is newer than those in the folder that are whole. */
static enum gs_status fetch_newer(struct gs_ingest *ingest, struct gs_error *err) {
	struct gs_snapshot_reader *reader = NULL;
	struct gs_error damaged = {0};
	uint64_t newest = 0;
	enum gs_status found = gs_snapshots_open(ingest->folder, &reader, &damaged);
	if (found == GS_OK) {
		newest = gs_snapshot_reader_info(reader).position;
		gs_snapshot_reader_close(reader);
	} else if (found != GS_ENOTFOUND && found != GS_EINVAL) {
		*err = damaged;
		return found;
	}
	enum gs_status status = ingest->stream.fetch(ingest->stream.ctx, newest, err);
	/* What was damaged is renamed, and would be no more than missing from now on. */
	if (status == GS_OK && found == GS_EINVAL && gs_snapshots_newest(ingest->folder, &newest) != GS_OK) {
		*err = damaged;
		return found;
	}
	return status;
}

/* What a log in a file left behind is in a snapshot, if that receiver was stopped in order. */
static enum gs_status check_left_log(struct gs_ingest *ingest, struct gs_error *err) {
	uint64_t last = 0;
	enum gs_status status = gs_logger_last(ingest, &last, err);
	if (status != GS_OK || last <= ingest->applied.position)
		return status;
	return gs_error_set(err, GS_EINVAL, 0, 0,
	    "the push log in %s has entries that no snapshot has: start once with receiver.log.kind: file and stop in "
	    "order, so that they come along",
	    ingest->folder);
}

/* From here on it is the push thread that brings entries, behind what was loaded. */
static enum gs_status recover_stream(struct gs_ingest *ingest, struct gs_error *err) {
	enum gs_status status = fetch_newer(ingest, err);
	if (status == GS_OK)
		status = load_newest(ingest, err);
	if (status == GS_OK && !ingest->applied.streamed)
		status = check_left_log(ingest, err);
	if (status != GS_OK)
		return status;
	gs_stream_start(ingest);
	ingest->snapper.position = ingest->applied.position;
	gs_lock_take(&ingest->queue_lock);
	ingest->log_time_ms = ingest->applied.time_ms;
	gs_lock_release(&ingest->queue_lock);
	gs_log(GS_LOG_INFO,
	    "loaded the snapshot of position %" PRIu64 ": reading the push log from message %" PRIu64 " on",
	    ingest->applied.position, ingest->applied.mark.sequence + 1);
	return GS_OK;
}

void gs_ingest_recover(struct gs_ingest *ingest) {
	struct gs_error err = {0};
	if (!gs_ingest_is_kept(ingest))
		return;
	int64_t begun_ms = gs_clock_mono_ms();
	if (gs_ingest_reads_log(ingest)) {
		if (recover_stream(ingest, &err) != GS_OK) {
			gs_ingest_fail(ingest, &err);
			return;
		}
		ingest->start = ingest->applied.mark;
		ingest->phase = PHASE_CATCHING_UP;
		return;
	}
	enum gs_status status = load_newest(ingest, &err);
	uint64_t after = ingest->applied.position;
	int64_t loaded_ms = gs_clock_mono_ms();
	if (status == GS_OK)
		status = replay_log(ingest, after, &err);
	if (status != GS_OK) {
		gs_ingest_fail(ingest, &err);
		return;
	}
	ingest->start = ingest->reading.safe = ingest->applied.mark;
	gs_journal_start(ingest->journal, after);
	ingest->applied.changes = ingest->replayed;
	ingest->snapper.position = after;
	uint64_t oldest = 0;
	bool kept = gs_snapshots_oldest(ingest->folder, &oldest) == GS_OK;
	gs_lock_take(&ingest->queue_lock);
	ingest->log_time_ms = ingest->applied.time_ms;
	ingest->cut_upto = kept ? oldest : 0;
	gs_cond_signal(&ingest->log_work);
	gs_lock_release(&ingest->queue_lock);
	gs_log(GS_LOG_INFO,
	    "brought back the state up to position %" PRIu64 " of the push log: snapshot %" PRIu64
	    " in %lld ms, %" PRIu64 " entries in %lld ms",
	    ingest->applied.position, after, (long long)(loaded_ms - begun_ms), (uint64_t)ingest->replayed,
	    (long long)(gs_clock_mono_ms() - loaded_ms));
	ingest->phase = PHASE_READY;
}
