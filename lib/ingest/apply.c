/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer does with an entry. */
#include "gravel/base/clock.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

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

/* Append, then apply: the order that makes a push durable once the log is (DESIGN 6). */
static enum gs_status apply_logged(struct gs_ingest *ingest, struct entry *entry, struct gs_error *err) {
	struct gs_store_result result = {0};
	uint64_t position;
	struct gs_journal_entry logged = {.time_ms = gs_clock_wall_ms(), .body = entry->body};
	enum gs_status status = gs_journal_append(ingest->journal, &logged, &position);
	if (status != GS_OK)
		return gs_error_set(err, GS_EAGAIN, 0, 0, "the push log takes no entries now");
	gs_ingest_store_take(ingest);
	if (entry->kind == ENTRY_PUSH)
		status = gs_store_push(ingest->store, entry->batch, logged.time_ms, &result, err);
	else
		status = gs_store_delete(ingest->store, entry->labels, entry->nlabels, &result);
	gs_ingest_store_release(ingest);
	if (status == GS_OK)
		count_result(&result, "push");
	return status;
}

static void apply_push(struct gs_ingest *ingest, struct entry *entry) {
	struct gs_error err = {0};
	gs_ingest_done_fn *done = entry->done;
	void *ctx = entry->ctx;
	enum gs_status status = apply_logged(ingest, entry, &err);
	gs_lock_take(&ingest->queue_lock);
	ingest->pushes--;
	gs_lock_release(&ingest->queue_lock);
	if (status != GS_OK)
		gs_log(GS_LOG_VERBOSE, "refused a push: %u:%u: %s", err.line, err.column, err.text);
	done(ctx, status, &err);
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

static void apply_scrape(struct gs_ingest *ingest, const struct entry *entry) {
	struct gs_store_result result = {0};
	int64_t now_ms = gs_clock_wall_ms();
	gs_ingest_store_take(ingest);
	enum gs_status status = gs_store_scrape(ingest->store, &entry->info, entry->batch, now_ms, &result);
	gs_ingest_store_release(ingest);
	gs_publisher_saw(ingest, entry, now_ms);
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

void gs_ingest_apply(struct gs_ingest *ingest, struct entry *entry) {
	if (entry->kind == ENTRY_SCRAPE)
		apply_scrape(ingest, entry);
	else
		apply_push(ingest, entry);
	gs_entry_put(ingest, entry);
}
