/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_INGEST_INGEST_H
#define GRAVEL_INGEST_INGEST_H

#include "gravel/base/buf.h"
#include "gravel/base/error.h"
#include "gravel/gravel/store.h"

/*
 * The receiver's heart: it owns the store, and the one thread that changes it. Messages and pushes are parsed and validated on the thread that
 * brings them, queued, and applied in order; readers (read.h) take the store's lock for one piece at a time. Every drop is counted.
 */
struct gs_ingest;

struct gs_ingest_options {
	struct gs_store_options store;
	bool publisher_label;
	const char *topic; /* of the subjects; copied */
	size_t push_samples; /* in one push */
	size_t pushes_in_flight; /* queued and not applied */
};

/** gs_ingest_new(options, ret, err): Start the writer thread. GS_ENOMEM, GS_EIO. */
GS_MUST_USE enum gs_status gs_ingest_new(
    const struct gs_ingest_options *options, struct gs_ingest **ret, struct gs_error *err);

/** gs_ingest_free(ingest): Apply what is queued, stop the thread, free. No other call may run or come. NULL is nothing. */
void gs_ingest_free(struct gs_ingest *ingest);

/* A message of the stream. */
struct gs_ingest_message {
	struct gs_str subject;
	struct gs_str header;
	struct gs_str data;
	int64_t stored_ms; /* when the NATS server stored it, by its clock */
};

/** gs_ingest_message(ingest, message):
 * Take in one message. Bad ones are counted by reason and skipped. Waits while the queue is full: that is the back-pressure on the
 * stream. One thread at a time; slices are needed during the call only. */
void gs_ingest_message(struct gs_ingest *ingest, const struct gs_ingest_message *message);

/* The result of a push or deletion, exactly once, on the writer's thread or on that of the call, even before it returns; must not block. ${err} says why for the client. */
typedef void gs_ingest_done_fn(void *ctx, enum gs_status status, const struct gs_error *err);

struct gs_ingest_push {
	struct gs_str body; /* must live until done */
	struct gs_expo_options format; /* of the body; zeroed: text */
	const struct gs_label *labels; /* from the path; likewise */
	size_t nlabels;
	struct gs_mode mode; /* for samples that name none */
	gs_ingest_done_fn *done;
	void *ctx;
};

/** gs_ingest_push(ingest, push, err):
 * Parse a push on this thread, and apply it here as well if nobody else is at the store, else queue it. With GS_OK done will be called; otherwise it will not: GS_EINVAL or GS_ELIMIT with line and
 * column for what does not parse, GS_EAGAIN when too many are in flight, GS_ENOMEM. Any thread. */
GS_MUST_USE enum gs_status gs_ingest_push(
    struct gs_ingest *ingest, const struct gs_ingest_push *push, struct gs_error *err);

/** gs_ingest_delete(ingest, push): As gs_ingest_push, but remove the pushed series that carry the labels; the body is not looked at. */
GS_MUST_USE enum gs_status gs_ingest_delete(struct gs_ingest *ingest, const struct gs_ingest_push *push);

/** gs_ingest_refresh(ingest): Bring the own metrics in the store up to now; waits for the writer, a second at most. Any thread but
 * the writer's. */
void gs_ingest_refresh(struct gs_ingest *ingest);

/** gs_ingest_stats(ingest): Any thread. */
struct gs_store_stats gs_ingest_stats(struct gs_ingest *ingest);

#endif
