/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push log that is the stream of pushes: what is pushed here goes into it as at a poller, and is answered when it has come back and was applied. A thread of its own puts snapshots into NATS, for
 * receivers on other machines to start from.
 */
#include <pthread.h>
#include <stdio.h>

#include "../common/program.h"
#include "gravel/base/clock.h"
#include "gravel/base/lock.h"
#include "gravel/base/mem.h"
#include "gravel/journal/snapshots.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "receiver.h"

#define TICK_MS 1000
#define APPLY_MS 30000 /* a push that is in the log, and is not applied here for so long, is answered */
#define RETRY_MS 200
#define EMPTY_MS                                                                                                       \
	30000 /* that a receiver without a state believes in a snapshot where there is a stream for them and none in it: it would begin with nothing */

struct snapshot {
	uint64_t position; /* 0: none */
	int64_t time_ms;
	int64_t due_ms; /* monotonic: not to be published before */
};

struct receiver_stream {
	struct receiver *receiver;
	struct gs_forward *forward;
	struct gs_shelf *shelf;
	pthread_t thread;
	bool thread_started;
	struct gs_lock lock;
	struct gs_cond cond;
	/* Under the lock. */
	struct snapshot saved; /* to be published */
	bool fetching; /* the shelf is the ingest's */
	bool stopping;
};

/* Hooks of the ingest */

static void on_applied(void *ctx, struct gs_str token, enum gs_status status, const struct gs_error *err) {
	struct receiver_stream *stream = ctx;
	gs_forward_applied(stream->forward, token, status, err);
}

static void on_saved(void *ctx, uint64_t position, int64_t time_ms) {
	struct receiver_stream *stream = ctx;
	gs_lock_take(&stream->lock);
	stream->saved = (struct snapshot){position, time_ms, 0};
	gs_cond_signal(&stream->cond);
	gs_lock_release(&stream->lock);
}

static void on_woken(void *ctx, enum gs_status status, const struct gs_error *err) {
	(void)ctx;
	(void)status; /* if it did not arrive, the next one will */
	(void)err;
}

static void on_wake(void *ctx) {
	struct receiver_stream *stream = ctx;
	struct gs_ingest_push nothing = {.done = on_woken};
	struct gs_error err = {0};
	/* If it cannot be logged now: it is due again at the next tick. */
	if (gs_forward_push(stream->forward, GS_WIRE_PUSH, &nothing, &err) != GS_OK)
		gs_log(GS_LOG_VERBOSE, "an entry that lets pushes expire is not logged: %s", err.text);
}

static void on_failed(void *ctx) {
	(void)ctx;
	program_stop();
}

static bool is_stopping(struct receiver_stream *stream, int64_t wait_ms) {
	gs_lock_take(&stream->lock);
	if (!stream->stopping && wait_ms != 0)
		gs_cond_wait(&stream->cond, &stream->lock, wait_ms);
	bool stopping = stream->stopping;
	gs_lock_release(&stream->lock);
	return stopping;
}

/* The newest one that is whole and beyond the position. GS_EAGAIN: ask again later; GS_ENOTFOUND: likewise, but there may never have been one. */
static enum gs_status fetch_once(struct receiver_stream *stream, uint64_t position, struct gs_error *err) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	char path[PATH_MAX];
	size_t n = 0;
	enum gs_status status = gs_shelf_list(stream->shelf, files, &n, err);
	if (status == GS_ENOTFOUND)
		return GS_OK;
	if (status == GS_OK && n == 0 && position == 0)
		return GS_ENOTFOUND;
	for (size_t i = 0; i < n && status == GS_OK && files[i].position > position; i++) {
		status = gs_snapshots_path(stream->receiver->folder, files[i].position, path, sizeof(path));
		if (status == GS_OK)
			status = gs_shelf_take(stream->shelf, &files[i], path, err);
		if (status == GS_OK) {
			gs_log(GS_LOG_INFO, "fetched the snapshot of position %llu from NATS: %llu bytes",
			    (unsigned long long)files[i].position, (unsigned long long)files[i].size);
			return GS_OK;
		}
		if (status != GS_EINVAL && status != GS_ENOTFOUND)
			return status;
		gs_log(GS_LOG_WARN, "cannot use the snapshot of position %llu in NATS: %s",
		    (unsigned long long)files[i].position, err->text);
		status = GS_OK;
	}
	return status;
}

static enum gs_status on_fetch(void *ctx, uint64_t position, struct gs_error *err) {
	struct receiver_stream *stream = ctx;
	enum gs_status status;
	gs_lock_take(&stream->lock);
	stream->fetching = !stream->stopping;
	bool go = stream->fetching;
	gs_lock_release(&stream->lock);
	if (!go)
		return gs_error_set(err, GS_ECLOSED, 0, 0, "stopped while starting");
	int64_t until_ms = gs_clock_mono_ms() + EMPTY_MS;
	while ((status = fetch_once(stream, position, err)) == GS_EAGAIN || status == GS_ENOTFOUND) {
		if (status == GS_ENOTFOUND && gs_clock_mono_ms() >= until_ms) {
			status = GS_OK;
			break;
		}
		if (!is_stopping(stream, RETRY_MS))
			continue;
		status = gs_error_set(err, GS_ECLOSED, 0, 0, "stopped while starting");
		break;
	}
	gs_lock_take(&stream->lock);
	stream->fetching = false;
	gs_cond_broadcast(&stream->cond);
	gs_lock_release(&stream->lock);
	return status;
}

/* Publishing */

/* One of several receivers is enough: when this one shall publish its own, in ms from now; -1: never, NATS has it. Where another one was faster, it will be with the next one, too, or it
 * is gone, and nobody but us has what came since. */
static int64_t wait_of(
    struct receiver_stream *stream, const struct snapshot *saved, const struct gs_shelf_file *newest) {
	int64_t interval_ms = stream->receiver->config->receiver.log.snapshot_interval;
	int64_t gone_ms = newest->time_ms + interval_ms + interval_ms / 2 - gs_clock_wall_ms();
	if (newest->position >= saved->position)
		return -1;
	if (newest->time_ms < saved->time_ms - interval_ms / 2 || gone_ms <= 0)
		return 0;
	return gone_ms < 2 * interval_ms ? gone_ms : 2 * interval_ms;
}

/* *ret_wait_ms: 0 if it is settled, else when to try again. */
static enum gs_status publish(
    struct receiver_stream *stream, const struct snapshot *saved, int64_t *ret_wait_ms, struct gs_error *err) {
	struct gs_shelf_file files[GS_SHELF_KEPT];
	char path[PATH_MAX];
	size_t n = 0;
	*ret_wait_ms = 0;
	enum gs_status status = gs_shelf_list(stream->shelf, files, &n, err);
	if (status == GS_ENOTFOUND)
		status = GS_OK;
	int64_t wait_ms = status == GS_OK && n != 0 ? wait_of(stream, saved, &files[0]) : 0;
	if (status != GS_OK || wait_ms != 0) {
		*ret_wait_ms = wait_ms > 0 ? wait_ms : 0;
		return status;
	}
	status = gs_snapshots_path(stream->receiver->folder, saved->position, path, sizeof(path));
	if (status == GS_OK)
		status = gs_shelf_put(stream->shelf, saved->position, saved->time_ms, path, err);
	if (status == GS_OK)
		gs_metric_add(GS_M_SNAPSHOTS_PUBLISHED, 1);
	return status;
}

/* Take the one that is due. */
static struct snapshot take_due(struct receiver_stream *stream) {
	struct snapshot due = {0};
	gs_lock_take(&stream->lock);
	if (stream->saved.due_ms <= gs_clock_mono_ms()) {
		due = stream->saved;
		stream->saved.position = 0;
	}
	gs_lock_release(&stream->lock);
	return due;
}

/* What cannot be published now is tried again until there is a newer one. */
static void publish_saved(struct receiver_stream *stream) {
	static struct gs_log_limit limit;
	struct gs_error err = {0};
	int64_t wait_ms = 0;
	struct snapshot saved = take_due(stream);
	if (saved.position == 0)
		return;
	enum gs_status status = publish(stream, &saved, &wait_ms, &err);
	if ((status == GS_OK && wait_ms == 0) || status == GS_ECLOSED)
		return;
	if (status != GS_OK && status != GS_EAGAIN)
		gs_metric_add(GS_M_SNAPSHOT_PUBLISH_FAILURES, 1);
	if (status != GS_OK)
		gs_log_limited(&limit, 60000, GS_LOG_WARN,
		    "the snapshot of position %llu is not in NATS yet, it is tried again: %s",
		    (unsigned long long)saved.position, err.text);
	saved.due_ms = gs_clock_mono_ms() + wait_ms;
	gs_lock_take(&stream->lock);
	if (stream->saved.position == 0)
		stream->saved = saved;
	gs_lock_release(&stream->lock);
}

static void *run(void *arg) {
	struct receiver_stream *stream = arg;
	pthread_setname_np(pthread_self(), "snapshots");
	while (!is_stopping(stream, TICK_MS)) {
		gs_metric_set(GS_M_LOG_WRITABLE, gs_bus_lane_connected(stream->receiver->bus, GS_BUS_SECOND) ? 1 : 0);
		gs_forward_sweep(stream->forward, APPLY_MS);
		/* The shelf is the ingest's until it is through with its recovery; then there are snapshots. */
		publish_saved(stream);
	}
	return NULL;
}

/* Life */

static enum gs_status open_shelf(
    struct receiver_stream *stream, const struct gs_bus_stream *scrapes, struct gs_error *err) {
	const struct gs_config_stream *config = &stream->receiver->config->receiver_stream;
	char name[300], subject[RECEIVER_SUBJECT_MAX];
	snprintf(name, sizeof(name), "%s_SNAPSHOT", scrapes->name);
	snprintf(subject, sizeof(subject), "%s.snapshot", config->topic);
	struct gs_shelf_options options = {
	    .stream = name, .subject = subject, .replicas = scrapes->replicas, .memory = scrapes->memory};
	return gs_shelf_new(stream->receiver->bus, &options, &stream->shelf, err);
}

static enum gs_status open_forward(struct receiver_stream *stream, struct gs_error *err) {
	const struct gs_config *config = stream->receiver->config;
	struct program_bus memory;
	struct gs_bus_options pushes;
	program_push_options(config, &config->receiver_stream, &memory, &pushes);
	struct gs_forward_options options = {
	    .bus = stream->receiver->bus,
	    .stream = pushes.stream,
	    .topic = config->receiver_stream.topic,
	    .identity = config->identity,
	    .push_samples = (size_t)config->receiver.limits.push_samples,
	    .max_labels = (size_t)config->receiver.limits.labels_per_series,
	    .max_name = (size_t)config->receiver.limits.name_length,
	    .max_value = (size_t)config->receiver.limits.value_length,
	    .pushes_in_flight = (size_t)config->receiver.limits.pushes_in_flight,
	    .awaits = true,
	};
	return gs_forward_new(&options, &stream->forward, err);
}

enum gs_status receiver_stream_open(struct receiver *receiver, struct gs_ingest_stream *ret, struct gs_error *err) {
	struct program_bus memory;
	struct gs_bus_options scrapes;
	struct receiver_stream *stream = gs_alloc(sizeof(*stream));
	if (stream == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	stream->receiver = receiver;
	if (gs_lock_init(&stream->lock, GS_RANK_FORWARD) != GS_OK || gs_cond_init(&stream->cond) != GS_OK) {
		gs_free(stream);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	}
	receiver->stream = stream;
	program_bus_options(receiver->config, &receiver->config->receiver_stream, &memory, &scrapes);
	enum gs_status status = open_shelf(stream, &scrapes.stream, err);
	if (status == GS_OK)
		status = open_forward(stream, err);
	if (status == GS_OK && pthread_create(&stream->thread, NULL, run, stream) != 0)
		status = gs_error_set(err, GS_EIO, 0, 0, "cannot start a thread: the system has no more");
	stream->thread_started = status == GS_OK;
	*ret = (struct gs_ingest_stream){
	    .applied = on_applied,
	    .fetch = on_fetch,
	    .saved = on_saved,
	    .wake = on_wake,
	    .failed = on_failed,
	    .ctx = stream,
	};
	return status;
}

enum gs_status receiver_stream_push(
    struct receiver *receiver, enum gs_wire_push_op op, const struct gs_ingest_push *push, struct gs_error *err) {
	if (gs_ingest_ready(receiver->ingest, err) != GS_OK)
		return GS_EIO;
	return gs_forward_push(receiver->stream->forward, op, push, err);
}

void receiver_stream_stop(struct receiver *receiver) {
	struct receiver_stream *stream = receiver->stream;
	if (stream == NULL)
		return;
	gs_lock_take(&stream->lock);
	stream->stopping = true;
	gs_cond_broadcast(&stream->cond);
	gs_lock_release(&stream->lock);
	if (stream->shelf != NULL)
		gs_shelf_stop(stream->shelf);
	if (stream->thread_started)
		pthread_join(stream->thread, NULL);
	gs_lock_take(&stream->lock);
	while (stream->fetching)
		gs_cond_wait(&stream->cond, &stream->lock, -1);
	gs_lock_release(&stream->lock);
	gs_shelf_free(stream->shelf);
	stream->shelf = NULL;
}

void receiver_stream_end(struct receiver *receiver) {
	if (receiver->stream != NULL && receiver->stream->forward != NULL)
		gs_forward_sweep(receiver->stream->forward, 0);
}

void receiver_stream_free(struct receiver *receiver) {
	struct receiver_stream *stream = receiver->stream;
	if (stream == NULL)
		return;
	gs_forward_free(stream->forward);
	gs_cond_destroy(&stream->cond);
	gs_lock_destroy(&stream->lock);
	gs_free(stream);
}
