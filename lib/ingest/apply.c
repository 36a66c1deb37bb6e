/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to an entry: on the writer's thread, or on the one that brought it where nobody stands in its way. */
#include "gravel/base/clock.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

#define RUN_SAMPLES 16384 /* of pushes that are applied under one lock: some milliseconds */
#define AT_ONCE_SAMPLES 4096 /* a push of more keeps its thread, and all that wait for it, too long */

static void count_result(const struct gs_store_result *result, const char *source) {
	gs_metric_add_l(GS_M_APPLIED_SAMPLES, (double)result->samples, source, NULL);
	if (result->owner_conflicts != 0)
		gs_metric_add_l(GS_M_CONFLICTS, (double)result->owner_conflicts, "owner", NULL);
	if (result->type_conflicts != 0)
		gs_metric_add_l(GS_M_CONFLICTS, (double)result->type_conflicts, "type", NULL);
	if (result->dropped_conflict != 0)
		gs_metric_add_l(GS_M_DROPPED_SAMPLES, (double)result->dropped_conflict, "name_conflict", NULL);
	if (result->dropped_stale != 0)
		gs_metric_add_l(GS_M_DROPPED_SAMPLES, (double)result->dropped_stale, "older_timestamp", NULL);
	if (result->dropped_late != 0)
		gs_metric_add_l(GS_M_DROPPED_SAMPLES, (double)result->dropped_late, "outside_window", NULL);
}

/* Without a log that is kept, a position and a time are had at once. */
static enum gs_status take_place(struct gs_ingest *ingest, struct entry *entry) {
	struct gs_journal_entry logged = {.body = entry->body};
	if (!entry->edge)
		entry->time_ms = gs_clock_wall_ms();
	return gs_journal_append(ingest->journal, &logged, &entry->position);
}

static enum gs_status change(struct gs_ingest *ingest, struct entry *entry) {
	if (entry->kind == ENTRY_PUSH)
		return gs_store_push(ingest->store, entry->batch, entry->time_ms, &entry->result, &entry->err);
	if (entry->kind == ENTRY_GATEWAY)
		return gs_store_gateway(ingest->store, entry->op, entry->labels, entry->nlabels, entry->batch,
		    entry->time_ms, &entry->result, &entry->err);
	return gs_store_delete(ingest->store, entry->labels, entry->nlabels, &entry->result);
}

/* All of it is a function of the entry and of what is there: so it comes to the same whenever the log is read again. */
enum gs_status gs_apply_push_locked(struct gs_ingest *ingest, struct entry *entry) {
	struct applied *applied = &ingest->applied;
	gs_lock_assert_held(&ingest->store_lock);
	if (!gs_ingest_is_kept(ingest) && take_place(ingest, entry) != GS_OK)
		return gs_error_set(&entry->err, GS_EAGAIN, 0, 0, "the push log takes no entries now");
	applied->position = entry->position;
	applied->changes++;
	if (entry->time_ms > applied->time_ms)
		applied->time_ms = entry->time_ms;
	if (entry->mark.sequence != 0)
		applied->mark = entry->mark;
	if (entry->last.sequence != 0)
		applied->last = entry->last;
	gs_metric_add(GS_M_EXPIRED, (double)gs_store_expire_pushed(ingest->store, entry->time_ms));
	gs_push_keys_forget(ingest->keys, applied->time_ms);
	if (entry->once && gs_push_keys_has(ingest->keys, entry->key)) {
		entry->duplicate = true;
		return GS_OK;
	}
	if (entry->once && gs_push_keys_reserve(ingest->keys) != GS_OK)
		return GS_ENOMEM;
	enum gs_status status = change(ingest, entry);
	/* What was refused did not count: with the same key it may come again. */
	if (status == GS_OK && entry->once && entry->refused == NULL)
		gs_push_keys_add(ingest->keys, entry->key, applied->time_ms);
	return status;
}

/* Count it out, before whoever pushed can push again. */
static void count_out(struct gs_ingest *ingest, const struct entry *entry) {
	gs_lock_take(&ingest->queue_lock);
	ingest->pushes -= !entry->edge;
	ingest->samples -= entry->held;
	ingest->unapplied -= gs_ingest_is_kept(ingest) && entry->position != 0;
	if (ingest->edge_waits)
		gs_cond_broadcast(&ingest->space);
	gs_lock_release(&ingest->queue_lock);
}

void gs_apply_drop(struct gs_ingest *ingest, struct entry *entry) {
	count_out(ingest, entry);
	gs_entry_put(ingest, entry);
}

void gs_apply_finish(struct gs_ingest *ingest, struct entry *entry) {
	/* Whether the group could be told or not, the push is refused. */
	if (entry->refused != NULL && !entry->duplicate && entry->status != GS_EAGAIN) {
		entry->status = GS_EINVAL;
		entry->err = *entry->refused;
	}
	if (entry->status == GS_ELIMIT)
		gs_ingest_limited(&entry->err);
	if (entry->status != GS_OK)
		gs_log(
		    GS_LOG_VERBOSE, "refused a push: %u:%u: %s", entry->err.line, entry->err.column, entry->err.text);
	else if (entry->duplicate)
		gs_metric_add(GS_M_DUPLICATES, 1);
	else
		count_result(&entry->result, "push");
	count_out(ingest, entry);
	entry->done(entry->ctx, entry->status, &entry->err);
	gs_entry_put(ingest, entry);
}

static const char *drop_reason(enum gs_status status) {
	switch (status) {
	case GS_ESTALE:
		return "max_age";
	case GS_ECONFLICT:
		return "out_of_order";
	case GS_EINVAL:
		return "future";
	case GS_OK:
	case GS_ENOMEM:
	case GS_ELIMIT:
	case GS_ENOTFOUND:
	case GS_EIO:
	case GS_EAGAIN:
	case GS_ECLOSED:
	case GS_EUNSUPPORTED:
		break;
	}
	return gs_status_name(status);
}

static enum gs_status store_scrape(
    struct gs_ingest *ingest, const struct entry *entry, int64_t now_ms, struct gs_store_result *result) {
	gs_ingest_store_take(ingest);
	enum gs_status status = gs_store_scrape(ingest->store, &entry->info, entry->batch, now_ms, result);
	gs_publisher_saw(ingest, entry, now_ms);
	ingest->applied.changes++;
	gs_ingest_store_release(ingest);
	return status;
}

/* What a limit refuses is a scrape that failed: what was there of the target would else be served as if it were new. */
static enum gs_status store_limited(
    struct gs_ingest *ingest, struct entry *entry, int64_t now_ms, struct gs_store_result *result) {
	static struct gs_log_limit limit;
	gs_log_limited(&limit, 60000, GS_LOG_WARN,
	    "dropped a scrape of \"%.*s\", job \"%.*s\", publisher \"%.*s\": beyond receiver.limits.%s",
	    GS_FMT(entry->info.key.instance), GS_FMT(entry->info.key.job), GS_FMT(entry->info.key.publisher),
	    result->limit != NULL ? result->limit : "(fixed)");
	enum gs_status status = gs_ingest_limited_scrape(ingest, entry, result->limit);
	if (status == GS_OK)
		status = store_scrape(ingest, entry, now_ms, result);
	if (status == GS_OK)
		gs_metric_add_l(GS_M_DROPPED, 1, "limit", NULL);
	return status;
}

static void apply_scrape(struct gs_ingest *ingest, struct entry *entry) {
	struct gs_store_result result = {0};
	int64_t now_ms = gs_clock_wall_ms();
	enum gs_status status = store_scrape(ingest, entry, now_ms, &result);
	if (status == GS_ELIMIT)
		status = store_limited(ingest, entry, now_ms, &result);
	if (status != GS_OK) {
		gs_metric_add_l(GS_M_DROPPED, 1, drop_reason(status), NULL);
		gs_log(GS_LOG_VERBOSE, "dropped a scrape of \"%.*s\", job \"%.*s\", publisher \"%.*s\": %s",
		    GS_FMT(entry->info.key.instance), GS_FMT(entry->info.key.job), GS_FMT(entry->info.key.publisher),
		    drop_reason(status));
		return;
	}
	gs_log(GS_LOG_DEBUG, "applied a scrape of \"%.*s\", job \"%.*s\", publisher \"%.*s\": %zu samples",
	    GS_FMT(entry->info.key.instance), GS_FMT(entry->info.key.job), GS_FMT(entry->info.key.publisher),
	    result.samples);
	gs_metric_add(GS_M_APPLIED, 1);
	gs_metric_observe(GS_M_LAG, (double)(now_ms - entry->end_ms) / 1e3);
	count_result(&result, "scrape");
	size_t dropped = gs_batch_stats(entry->batch).dropped;
	if (dropped != 0)
		gs_metric_add_l(GS_M_DROPPED_SAMPLES, (double)dropped, "malformed", NULL);
}

static void apply_gone(struct gs_ingest *ingest, const struct entry *entry) {
	struct gs_store_result result = {0};
	int64_t now_ms = gs_clock_wall_ms();
	gs_ingest_store_take(ingest);
	enum gs_status status = gs_store_gone(ingest->store, &entry->info.key, entry->info.time_ms, now_ms, &result);
	gs_publisher_saw(ingest, entry, now_ms);
	ingest->applied.changes++;
	gs_ingest_store_release(ingest);
	if (status == GS_OK)
		gs_metric_add(GS_M_GONE, 1);
	else
		gs_metric_add_l(GS_M_DROPPED, 1, drop_reason(status), NULL);
	gs_log(GS_LOG_VERBOSE, "\"%.*s\", job \"%.*s\", publisher \"%.*s\" is gone: %s%zu series left",
	    GS_FMT(entry->info.key.instance), GS_FMT(entry->info.key.job), GS_FMT(entry->info.key.publisher),
	    status == GS_OK ? "" : "not taken, ", result.series_gone);
}

/* Other receivers have applied it. */
static void fail_for_memory(struct gs_ingest *ingest) {
	struct gs_error err = {0};
	gs_error_set(&err, GS_ENOMEM, 0, 0, "out of memory while applying an entry of the push log");
	gs_ingest_fail(ingest, &err);
}

/* With readers at the store, each take of it may cost the time of one of them: so pushes that wait share one. */
static struct entry *apply_pushes(struct gs_ingest *ingest, struct entry *first) {
	struct entry *end = first;
	size_t samples = 0;
	gs_ingest_store_take(ingest);
	for (; end != NULL && !gs_entry_is_scraped(end) && samples < RUN_SAMPLES; end = end->next) {
		end->status = gs_apply_push_locked(ingest, end);
		samples += gs_batch_stats(end->batch).samples;
	}
	uint64_t position = ingest->applied.position;
	gs_ingest_store_release(ingest);
	if (gs_ingest_reads_log(ingest))
		gs_metric_set(GS_M_JOURNAL_POSITION, (double)position);
	while (first != end) {
		struct entry *entry = first;
		if (entry->status == GS_ENOMEM && gs_ingest_reads_log(ingest))
			fail_for_memory(ingest);
		first = first->next;
		gs_apply_finish(ingest, entry);
	}
	return end;
}

struct entry *gs_ingest_apply(struct gs_ingest *ingest, struct entry *entry) {
	if (!gs_entry_is_scraped(entry))
		return apply_pushes(ingest, entry);
	struct entry *next = entry->next;
	if (entry->kind == ENTRY_GONE)
		apply_gone(ingest, entry);
	else
		apply_scrape(ingest, entry);
	gs_entry_put(ingest, entry);
	return next;
}

/* What is queued belongs to others, whose pushes are not answered yet: none of them can tell that this one passed. */
bool gs_ingest_apply_at_once(struct gs_ingest *ingest, struct entry *entry) {
	if ((entry->kind != ENTRY_PUSH && entry->kind != ENTRY_GATEWAY) ||
	    gs_batch_stats(entry->batch).samples > AT_ONCE_SAMPLES || gs_ingest_is_kept(ingest) ||
	    !gs_ingest_store_try(ingest))
		return false;
	entry->status = gs_apply_push_locked(ingest, entry);
	gs_ingest_store_release(ingest);
	gs_apply_finish(ingest, entry);
	return true;
}
