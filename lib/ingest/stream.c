/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log that is the stream of pushes: which of its messages are entries here, and which are known. The position of an entry is the sequence of its message, of a push that of the one that completes it; where the stream
 * was made anew, or lost its end, positions go on all the same.
 */
#include <inttypes.h>

#include "gravel/base/clock.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

/* By number and time: a stream that was made anew has the same numbers. */
static bool is_upto(const struct stream_mark *mark, const struct stream_mark *upto) {
	return mark->sequence <= upto->sequence && mark->stored_ms <= upto->stored_ms;
}

void gs_stream_start(struct gs_ingest *ingest) {
	struct reading *reading = &ingest->reading;
	const struct applied *applied = &ingest->applied;
	reading->safe = reading->read = applied->mark;
	reading->taken = applied->last;
	reading->base = applied->position - applied->last.sequence;
	gs_metric_set(GS_M_JOURNAL_POSITION, (double)applied->position);
}

enum gs_status gs_ingest_pushed_from(struct gs_ingest *ingest, uint64_t *ret_sequence, int64_t *ret_stored_ms) {
	enum ingest_phase phase = (enum ingest_phase)ingest->phase;
	if (phase == PHASE_RECOVERING)
		return GS_EAGAIN;
	*ret_sequence = ingest->start.sequence;
	*ret_stored_ms = ingest->start.stored_ms;
	return GS_OK;
}

enum stream_news gs_stream_see(struct gs_ingest *ingest, const struct gs_ingest_message *message) {
	struct reading *reading = &ingest->reading;
	struct stream_mark mark = {message->sequence, message->stored_ms};
	if (is_upto(&mark, &reading->read))
		return STREAM_SEEN;
	uint64_t known =
	    reading->taken.sequence > reading->read.sequence ? reading->taken.sequence : reading->read.sequence;
	if (mark.sequence <= reading->read.sequence) {
		gs_log(GS_LOG_ERROR,
		    "the stream of the push log lost what it had behind message %" PRIu64
		    ": what was pushed then is in the "
		    "state of this receiver, and may be missing in that of others",
		    mark.sequence - 1);
		reading->base += known - mark.sequence + 1;
		reading->taken = (struct stream_mark){0};
	}
	reading->read = mark;
	reading->placed = 0;
	return is_upto(&mark, &reading->taken) ? STREAM_TAKEN : STREAM_NEW;
}

void gs_stream_place(struct gs_ingest *ingest, struct entry *entry, int64_t pushed_ms) {
	struct reading *reading = &ingest->reading;
	reading->placed = reading->read.sequence;
	entry->last = reading->read;
	entry->position = reading->base + reading->read.sequence;
	/* A clock that is ahead would keep its pushes from expiring; and times do not fall in a log. */
	int64_t time_ms = pushed_ms < entry->last.stored_ms ? pushed_ms : entry->last.stored_ms;
	gs_lock_take(&ingest->queue_lock);
	if (ingest->log_time_ms < time_ms)
		ingest->log_time_ms = time_ms;
	entry->time_ms = ingest->log_time_ms;
	ingest->unapplied++;
	gs_lock_release(&ingest->queue_lock);
}

/* Once all is read that was there, and applied, the state is that of the log. */
static void arrive(struct gs_ingest *ingest) {
	gs_lock_take(&ingest->queue_lock);
	while (ingest->unapplied != 0 && !ingest->let_go) {
		ingest->edge_waits = true;
		gs_cond_wait(&ingest->space, &ingest->queue_lock, -1);
	}
	ingest->edge_waits = false;
	bool all = ingest->unapplied == 0;
	gs_lock_release(&ingest->queue_lock);
	int phase = PHASE_CATCHING_UP;
	if (!all || !atomic_compare_exchange_strong(&ingest->phase, &phase, PHASE_READY))
		return; /* it may have failed meanwhile */
	gs_log(GS_LOG_INFO, "caught up with the push log at position %" PRIu64 ": %" PRIu64 " messages in %lld ms",
	    ingest->reading.base + ingest->reading.read.sequence, (uint64_t)ingest->replayed,
	    (long long)(gs_clock_mono_ms() - ingest->reading.begun_ms));
}

void gs_stream_count(struct gs_ingest *ingest) {
	if (ingest->phase != PHASE_CATCHING_UP)
		return;
	if (++ingest->replayed >= ingest->to_replay)
		arrive(ingest);
}

void gs_ingest_pushed_begin(struct gs_ingest *ingest, uint64_t first, uint64_t pending, bool anew) {
	struct gs_error err = {0};
	const struct reading *reading = &ingest->reading;
	uint64_t read = reading->read.sequence, taken = reading->taken.sequence;
	/* What is in the state is missed by nobody. A push of which only parts stood there is given up long before they leave. */
	uint64_t sequence = read > taken ? read : taken;
	if (!gs_ingest_reads_log(ingest))
		return;
	if (!anew && sequence != 0 && first > sequence + 1) {
		gs_error_set(&err, GS_EINVAL, 0, 0,
		    "the stream of the push log has no messages from %" PRIu64 " to %" PRIu64
		    " any more: this receiver was away for longer than push_retention, and needs a newer snapshot",
		    sequence + 1, first - 1);
		gs_ingest_fail(ingest, &err);
		return;
	}
	if (sequence == 0 && first > 1)
		gs_log(GS_LOG_WARN,
		    "the push log begins with message %" PRIu64
		    ", and there is no snapshot of what was before: this receiver begins without it",
		    first);
	if (ingest->phase != PHASE_CATCHING_UP)
		return;
	if (ingest->reading.begun_ms == 0)
		ingest->reading.begun_ms = gs_clock_mono_ms();
	if (ingest->to_replay < ingest->replayed + pending)
		ingest->to_replay = ingest->replayed + pending;
	/* Also when messages that were pending have left by age: then none of them comes, and this is said at the next pause. */
	if (pending == 0)
		arrive(ingest);
}
