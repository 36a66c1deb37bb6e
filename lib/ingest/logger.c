/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log thread: the only one that waits for a disk. It writes all pushes that wait in one transaction, and hands them to the writer in their order; and it cuts off what
 * snapshots have made needless.
 */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

#define LOG_NAME "push.log" /* in the folder */
#define BATCH 2048 /* entries of a transaction */
#define BATCH_BYTES ((size_t)32 * 1024 * 1024)
#define RETRY_MS 1000 /* of pushes that cannot be refused */
#define MEASURE_MS 1000

struct gs_logger {
	pthread_t thread;
	bool started;
	bool failing;
	int64_t measured_ms; /* monotonic */
	uint64_t cut; /* all up to here is cut off */
	struct gs_journal_entry entries[BATCH];
};

static size_t size_of(const struct entry *entry) {
	return entry->head.n + entry->content.n;
}

/* Times do not fall in the log. A push of the edge has its own where that is possible: what had left by the time when it was taken must not come back. */
static void stamp(struct gs_ingest *ingest, struct entry *entry, int64_t now_ms) {
	int64_t time_ms = entry->edge && entry->time_ms < now_ms ? entry->time_ms : now_ms;
	if (ingest->log_time_ms < time_ms)
		ingest->log_time_ms = time_ms;
	entry->time_ms = ingest->log_time_ms;
}

/* Take what waits off the queue, with times, as much as one transaction has. With the lock. */
static struct entry *take_batch(struct gs_ingest *ingest, size_t *ret_n) {
	struct entry *first = ingest->log_first, **end = &ingest->log_first;
	int64_t now_ms = gs_clock_wall_ms();
	size_t bytes = 0, n = 0;
	while (*end != NULL && n < BATCH && (n == 0 || bytes + size_of(*end) <= BATCH_BYTES)) {
		stamp(ingest, *end, now_ms);
		bytes += size_of(*end);
		ingest->log_queued -= (*end)->edge;
		end = &(*end)->next;
		n++;
	}
	ingest->log_first = *end;
	if (ingest->log_first == NULL)
		ingest->log_tail = &ingest->log_first;
	*end = NULL;
	ingest->unapplied += n;
	ingest->logged_bytes += bytes;
	gs_cond_broadcast(&ingest->space);
	*ret_n = n;
	return n != 0 ? first : NULL;
}

/* Wait for something to write, or to cut off. ${patient}: what is at the front could not be written just now. */
static struct entry *wait_for_batch(
    struct gs_ingest *ingest, bool patient, size_t *ret_n, uint64_t *ret_cut, bool *ret_stop) {
	const struct gs_logger *logger = ingest->logger;
	gs_lock_take(&ingest->queue_lock);
	if (!ingest->log_stop && patient)
		gs_cond_wait(&ingest->log_work, &ingest->queue_lock, RETRY_MS);
	else if (!ingest->log_stop && ingest->log_first == NULL && ingest->cut_upto <= logger->cut)
		gs_cond_wait(&ingest->log_work, &ingest->queue_lock, -1);
	struct entry *list = take_batch(ingest, ret_n);
	*ret_cut = ingest->cut_upto;
	*ret_stop = ingest->log_stop;
	gs_lock_release(&ingest->queue_lock);
	return list;
}

/* Say it once, not for every push. */
static void tell(struct gs_ingest *ingest, enum gs_status status, const struct gs_error *err) {
	struct gs_logger *logger = ingest->logger;
	gs_metric_set(GS_M_LOG_WRITABLE, status == GS_OK ? 1 : 0);
	if (status != GS_OK) {
		gs_metric_add(GS_M_LOG_FAILURES, 1);
		if (!logger->failing)
			gs_log(GS_LOG_ERROR, "pushes are answered 503: %s", err->text);
	} else if (logger->failing) {
		gs_log(GS_LOG_INFO, "the push log takes pushes again");
	}
	logger->failing = status != GS_OK;
}

static enum gs_status write_batch(struct gs_ingest *ingest, struct entry *list, size_t n, struct gs_error *err) {
	struct gs_logger *logger = ingest->logger;
	uint64_t last = 0;
	size_t i = 0;
	for (const struct entry *entry = list; entry != NULL; entry = entry->next)
		logger->entries[i++] = (struct gs_journal_entry){
		    .time_ms = entry->time_ms,
		    .header = gs_buf_slice(&entry->head),
		    .body = gs_buf_slice(&entry->content),
		};
	int64_t begun_ns = gs_clock_mono_ns();
	enum gs_status status = gs_journal_append_all(ingest->journal, logger->entries, n, &last, err);
	gs_metric_observe(GS_M_LOG_COMMIT, (double)(gs_clock_mono_ns() - begun_ns) / 1e9);
	if (status != GS_OK)
		return status;
	gs_metric_add(GS_M_LOG_ENTRIES, (double)n);
	for (struct entry *entry = list; entry != NULL; entry = entry->next)
		entry->position = last - --n;
	return GS_OK;
}

static void hand_over(struct gs_ingest *ingest, struct entry *list) {
	struct entry *last = list;
	while (last->next != NULL)
		last = last->next;
	gs_lock_take(&ingest->queue_lock);
	*ingest->tail = list;
	ingest->tail = &last->next;
	gs_cond_signal(&ingest->work);
	gs_lock_release(&ingest->queue_lock);
}

/* Who pushed here is told; what came by a stream waits at the front, in its order. Returns whether there is such. */
static bool give_back(struct gs_ingest *ingest, struct entry *list, size_t n, const struct gs_error *err) {
	struct entry *kept = NULL, **kept_end = &kept;
	size_t nkept = 0;
	gs_lock_take(&ingest->queue_lock);
	ingest->unapplied -= n;
	gs_lock_release(&ingest->queue_lock);
	while (list != NULL) {
		struct entry *entry = list;
		list = list->next;
		if (entry->edge) {
			entry->next = NULL;
			*kept_end = entry;
			kept_end = &entry->next;
			nkept++;
			continue;
		}
		entry->status = GS_EAGAIN;
		gs_error_set(&entry->err, GS_EAGAIN, 0, 0, "%s; nothing was applied, try again", err->text);
		gs_apply_finish(ingest, entry);
	}
	if (nkept == 0)
		return false;
	gs_lock_take(&ingest->queue_lock);
	*kept_end = ingest->log_first;
	if (ingest->log_first == NULL)
		ingest->log_tail = kept_end;
	ingest->log_first = kept;
	ingest->log_queued += nkept;
	gs_lock_release(&ingest->queue_lock);
	return true;
}

static void measure(struct gs_ingest *ingest) {
	struct gs_logger *logger = ingest->logger;
	int64_t now_ms = gs_clock_mono_ms();
	if (logger->measured_ms != 0 && now_ms - logger->measured_ms < MEASURE_MS)
		return;
	logger->measured_ms = now_ms;
	gs_metric_set(GS_M_LOG_BYTES, (double)gs_journal_bytes(ingest->journal));
}

/* One step of it: what is left is for the time after the next transaction. */
static void cut(struct gs_ingest *ingest, uint64_t upto) {
	static struct gs_log_limit limit;
	struct gs_error err = {0};
	enum gs_status status = gs_journal_cut(ingest->journal, upto, &err);
	if (status == GS_EAGAIN)
		return;
	if (status != GS_OK)
		gs_log_limited(&limit, 60000, GS_LOG_WARN, "%s", err.text);
	ingest->logger->cut = upto; /* tried again after the next snapshot */
	measure(ingest);
}

static void *run(void *arg) {
	struct gs_ingest *ingest = arg;
	struct gs_error err = {0};
	uint64_t upto = 0;
	size_t n = 0;
	pthread_setname_np(pthread_self(), "log");
	for (bool stop = false, waits = false; !stop || n != 0;) {
		struct entry *list = wait_for_batch(ingest, waits, &n, &upto, &stop);
		waits = false;
		if (list != NULL) {
			enum gs_status status = write_batch(ingest, list, n, &err);
			tell(ingest, status, &err);
			if (status == GS_OK)
				hand_over(ingest, list);
			else
				waits = give_back(ingest, list, n, &err);
			measure(ingest);
		}
		if (stop && waits)
			break; /* they are in their stream, and come again */
		if (!stop && upto > ingest->logger->cut)
			cut(ingest, upto);
	}
	return NULL;
}

/* The file of the log; NULL: no memory. */
static char *path_of(const struct gs_ingest *ingest) {
	struct gs_buf path;
	size_t n;
	gs_buf_init(&path, PATH_MAX + sizeof(LOG_NAME));
	gs_buf_printf(&path, "%s/" LOG_NAME, ingest->folder);
	gs_buf_char(&path, '\0');
	char *text = gs_buf_take(&path, &n);
	gs_buf_free(&path);
	return text;
}

static enum gs_status open_log(struct gs_ingest *ingest, struct gs_error *err) {
	char *path = path_of(ingest);
	if (path == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	struct gs_journal_file_options options = {.path = path, .max_bytes = ingest->options.log.max_bytes};
	enum gs_status status = gs_journal_open_file(&options, &ingest->journal, err);
	gs_free(path);
	return status;
}

enum gs_status gs_logger_last(const struct gs_ingest *ingest, uint64_t *ret_last, struct gs_error *err) {
	struct gs_journal *journal = NULL;
	char *path = path_of(ingest);
	enum gs_status status = path != NULL ? GS_OK : gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	if (status == GS_OK && access(path, F_OK) == 0)
		status = gs_journal_open_file(&(struct gs_journal_file_options){.path = path}, &journal, err);
	*ret_last = journal != NULL ? gs_journal_last(journal) : 0;
	gs_journal_close(journal);
	gs_free(path);
	return status;
}

enum gs_status gs_logger_new(struct gs_ingest *ingest, struct gs_error *err) {
	ingest->logger = gs_alloc(sizeof(*ingest->logger));
	if (ingest->logger == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	enum gs_status status = open_log(ingest, err);
	if (status != GS_OK)
		return status;
	gs_metric_set(GS_M_LOG_WRITABLE, 1);
	if (pthread_create(&ingest->logger->thread, NULL, run, ingest) != 0)
		return gs_error_set(err, GS_EIO, 0, 0, "cannot start the log thread: the system has no more threads");
	ingest->logger->started = true;
	return GS_OK;
}

void gs_logger_free(struct gs_ingest *ingest) {
	if (ingest->logger == NULL)
		return;
	if (ingest->logger->started) {
		gs_lock_take(&ingest->queue_lock);
		ingest->log_stop = true;
		gs_cond_signal(&ingest->log_work);
		gs_lock_release(&ingest->queue_lock);
		pthread_join(ingest->logger->thread, NULL);
	}
	while (ingest->log_first != NULL) {
		struct entry *entry = ingest->log_first;
		ingest->log_first = entry->next;
		gs_apply_drop(ingest, entry);
	}
	gs_free(ingest->logger);
	ingest->logger = NULL;
}
