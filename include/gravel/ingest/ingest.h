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

/* What a receiver needs whose log is the stream of pushes. All are called without locks; those on the writer's thread must not block, but fetch. */
struct gs_ingest_stream {
	/* A push with a token came by the stream, and this became of it; on the writer's thread or on that of gs_ingest_pushed. */
	void (*applied)(void *ctx, struct gs_str token, enum gs_status status, const struct gs_error *err);
	/* Before anything is loaded, on the writer's thread: put a snapshot beyond ${position} into the folder, if there is one somewhere. Any status but GS_OK ends the recovery. */
	enum gs_status (*fetch)(void *ctx, uint64_t position, struct gs_error *err);
	/* A snapshot was written; on the writer's thread. */
	void (*saved)(void *ctx, uint64_t position, int64_t time_ms);
	/* Something is to expire, which takes an entry, and none is under way: log an empty push; on the writer's thread. */
	void (*wake)(void *ctx);
	/* What gs_ingest_ready says now is for good: only a start anew helps. Any thread. */
	void (*failed)(void *ctx);
	void *ctx;
};

/* Where accepted pushes are written down before they are applied and answered (docs/LOG.md). */
struct gs_ingest_log {
	const char *
	    folder; /* of the log and its snapshots, which is there; copied. NULL: nowhere, they live as long as the process */
	const struct gs_ingest_stream *
	    stream; /* not NULL: the log is the stream of pushes, the folder has its snapshots; copied. What is pushed comes by gs_ingest_pushed only */
	uint64_t max_bytes; /* of the log; 0: as long as there is room */
	int64_t key_window_ms; /* how long the key of a push is remembered; 0: GS_LIMIT_KEY_WINDOW_MS */
	int64_t snapshot_ms; /* from one snapshot to the next; 0: only at the end */
};

struct gs_ingest_options {
	struct gs_store_options store;
	struct gs_ingest_log log;
	bool publisher_label;
	const char *topic; /* of the subjects; copied */
	size_t push_samples; /* in one push */
	size_t pushes_in_flight; /* queued and not applied */
	size_t samples_in_flight; /* of those; 0: GS_LIMIT_SAMPLES_IN_FLIGHT, or twice push_samples if that is more */
	size_t max_labels; /* of a series, pushed or scraped, and so on: as in gs_batch_options */
	size_t max_name;
	size_t max_value;
};

/** gs_ingest_new(options, ret, err):
 * Open the log and start the threads; they bring back what the log and its snapshots hold, see gs_ingest_ready. GS_EIO with ${err} for a log that cannot be opened (another
 * receiver has it, no permission...), GS_EUNSUPPORTED, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_ingest_new(
    const struct gs_ingest_options *options, struct gs_ingest **ret, struct gs_error *err);

/** gs_ingest_ready(ingest, err):
 * GS_OK when all that was there is back. GS_EAGAIN with ${err}, how far it is; pushes are refused until then, and what is read is a part. Another status: it cannot be brought
 * back, and ${err} says why; it stays so. Any thread. */
GS_MUST_USE enum gs_status gs_ingest_ready(struct gs_ingest *ingest, struct gs_error *err);

/** gs_ingest_let_go(ingest): What comes from streams is not taken any more: gs_ingest_message and gs_ingest_pushed that wait return, and later ones do nothing. Before the bus is closed. */
void gs_ingest_let_go(struct gs_ingest *ingest);

/** gs_ingest_free(ingest): Log and apply what is queued, stop the threads, write a snapshot, free. No other call may run or come. NULL is nothing. */
void gs_ingest_free(struct gs_ingest *ingest);

/* A message of the stream. */
struct gs_ingest_message {
	struct gs_str subject;
	struct gs_str header;
	struct gs_str data;
	uint64_t sequence; /* in the stream; 0: not known, where the log is not that stream. Of pushes only */
	int64_t stored_ms; /* when the NATS server stored it, by its clock */
};

/** gs_ingest_message(ingest, message):
 * Take in one message. Bad ones are counted by reason and skipped. Waits while the queue is full: that is the back-pressure on the
 * stream. One thread at a time; slices are needed during the call only. */
void gs_ingest_message(struct gs_ingest *ingest, const struct gs_ingest_message *message);

/** gs_ingest_pushed(ingest, message):
 * Take in one message of the stream of pushes, and do with the push that it completes what gs_ingest_push, gs_ingest_delete or gs_ingest_gateway would do. One whose id came before is left
 * out. What is refused is counted and logged, for its client was answered long ago. Waits while the queue is full, or the log cannot be written. When gs_ingest_ready says so, one thread at a time; it may be another than that of gs_ingest_message. */
void gs_ingest_pushed(struct gs_ingest *ingest, const struct gs_ingest_message *message);

/** gs_ingest_pushed_from(ingest, ret_sequence, ret_stored_ms):
 * Behind which message of the stream of pushes gs_ingest_pushed must go on, and when that one was stored; 0: with the first that is there. GS_EAGAIN while that is not known yet. Any thread. */
GS_MUST_USE enum gs_status gs_ingest_pushed_from(
    struct gs_ingest *ingest, uint64_t *ret_sequence, int64_t *ret_stored_ms);

/** gs_ingest_pushed_begin(ingest, first, pending, anew):
 * Where the log is the stream of pushes: its messages begin or go on, or pause (all 0); ${first} is the oldest that it has, ${pending} of them will come at once, and with ${anew} it is another stream than the one before.
 * Messages that were not read and are not there any more end it all, see failed. On the thread of gs_ingest_pushed. */
void gs_ingest_pushed_begin(struct gs_ingest *ingest, uint64_t first, uint64_t pending, bool anew);

/* The result of a push or deletion, exactly once, on the writer's thread or on that of the call, even before it returns; must not block. ${err} says why for the client. */
typedef void gs_ingest_done_fn(void *ctx, enum gs_status status, const struct gs_error *err);

struct gs_ingest_push {
	struct gs_str
	    key; /* Idempotency-Key: of what has the same only the first is applied, all are answered alike; empty: none */
	struct gs_str body; /* must live until done */
	struct gs_expo_options format; /* of the body; zeroed: text */
	const struct gs_label *labels; /* from the path; likewise */
	size_t nlabels;
	struct gs_mode mode; /* for samples that name none */
	int64_t ttl_ms; /* of what is pushed; 0: as the store has it */
	bool
	    leaves; /* of POST /ingest: every value replaces, and without a ttl and where the store has no expiration it leaves after 5 minutes */
	gs_ingest_done_fn *done;
	void *ctx;
};

/** gs_ingest_push(ingest, push, err):
 * Parse a push on this thread, and apply it here as well if nobody else is at the store, else queue it. With GS_OK done will be called; otherwise it will not: GS_EINVAL or GS_ELIMIT with line and
 * column for what does not parse, GS_EAGAIN when too many are in flight, GS_EIO before gs_ingest_ready says yes, GS_ENOMEM. In done GS_EAGAIN: the log cannot be written now, nothing was applied. What a limit refuses, here or in done, is counted, and ${err} ends with
 * the key of the limit. Any thread. */
GS_MUST_USE enum gs_status gs_ingest_push(
    struct gs_ingest *ingest, const struct gs_ingest_push *push, struct gs_error *err);

/** gs_ingest_delete(ingest, push, err): As gs_ingest_push, but remove the pushed series that carry the labels; the body is not looked at. */
GS_MUST_USE enum gs_status gs_ingest_delete(
    struct gs_ingest *ingest, const struct gs_ingest_push *push, struct gs_error *err);

/** gs_ingest_gateway(ingest, op, push, err):
 * As gs_ingest_push, but do ${op} (all but GS_GATEWAY_FAILED) with the group whose key are the labels; mode and ttl_ms are not looked at. A push that parses and is
 * refused all the same is GS_OK here: done gets GS_EINVAL once the group remembers its failure. */
GS_MUST_USE enum gs_status gs_ingest_gateway(
    struct gs_ingest *ingest, enum gs_gateway_op op, const struct gs_ingest_push *push, struct gs_error *err);

/** gs_ingest_limited(err): Count what a limit refused, and end ${err} with the key of the limit. For who validates a push himself. Any thread. */
void gs_ingest_limited(struct gs_error *err);

/** gs_ingest_refresh(ingest): Bring the own metrics in the store up to now; waits for the writer, a second at most. Any thread but
 * the writer's. */
void gs_ingest_refresh(struct gs_ingest *ingest);

/** gs_ingest_stats(ingest): Any thread. */
struct gs_store_stats gs_ingest_stats(struct gs_ingest *ingest);

/* What is in the store, as JSON: {"status": "success", "data": ...}. */
enum gs_ingest_page {
	GS_PAGE_STATUS, /* version, start, sizes; in it what the Pushgateway's status has */
	GS_PAGE_METRICS, /* what the groups of the Pushgateway's dialect hold, as its own api/v1/metrics */
	GS_PAGE_GROUPS, /* the groups of both kinds, with their labels, times and sizes */
	GS_PAGE_TARGETS, /* of the scraped groups: how fresh they are */
	GS_PAGE_PUBLISHERS, /* the pollers, how late they are and how wrong their clocks */
};

/** gs_ingest_page(ingest, page, out):
 * Append a page to ${out}, in no order of its entries. Each holds the store's lock for one pass over the groups, but METRICS, which holds it for a group at a time.
 * Errors stick to ${out}: GS_ELIMIT when it is full. Any thread. */
void gs_ingest_page(struct gs_ingest *ingest, enum gs_ingest_page page, struct gs_buf *out);

#endif
