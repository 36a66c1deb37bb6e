/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_FORWARD_FORWARD_H
#define GRAVEL_FORWARD_FORWARD_H

#include "gravel/bus/bus.h"
#include "gravel/ingest/ingest.h"
#include "gravel/wire/push.h"

/*
 * A push on its way into the stream of pushes, a poller's, or a receiver's whose log is that stream: it is validated as the receiver does it, put into messages, and published to the second stream of
 * the bus; who pushed it hears of it when the stream has acknowledged all of them, and at a receiver when it has come back and was applied there. What is not acknowledged may have been stored all the
 * same.
 */
struct gs_forward;

struct gs_forward_options {
	struct gs_bus *bus; /* must outlive it until gs_bus_close; has no second stream yet */
	struct gs_bus_stream stream; /* of the pushes */
	const char *topic; /* copied, as the identity */
	const char *identity; /* the publisher */
	size_t push_samples; /* in one push */
	size_t max_labels; /* as in gs_batch_options */
	size_t max_name;
	size_t max_value;
	size_t pushes_in_flight; /* not acknowledged yet */
	size_t bytes_in_flight; /* of their messages; 0: GS_LIMIT_FORWARD */
	bool awaits; /* a push is not done before gs_forward_applied says so, or gs_forward_sweep gives it up */
};

/** gs_forward_new(options, ret, err): Add the stream to the bus. GS_EINVAL, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_forward_new(
    const struct gs_forward_options *options, struct gs_forward **ret, struct gs_error *err);

/** gs_forward_free(forward): After gs_bus_close, which has answered all that was under way. NULL is nothing. */
void gs_forward_free(struct gs_forward *forward);

/** gs_forward_push(forward, op, push, err):
 * Take a push or a deletion. With GS_OK done of ${push} will be called: GS_OK when all of it is stored, GS_EIO when that is not known in time, GS_EINVAL for a push of the Pushgateway's
 * dialect that was refused and whose group is told so, with awaits what gs_forward_applied says; on a thread of the bus or of that call, even before this returns; body and labels are needed until this returns. Otherwise it will not: GS_EINVAL or GS_ELIMIT as gs_ingest_push, GS_EIO with ${err} when there is no
 * connection or too much under way, GS_ENOMEM. Any thread. */
GS_MUST_USE enum gs_status gs_forward_push(
    struct gs_forward *forward, enum gs_wire_push_op op, const struct gs_ingest_push *push, struct gs_error *err);

/** gs_forward_applied(forward, token, status, err): The push that bears ${token} has come back, and this became of it. Nothing happens for the token of another program, or of a push that was given up. Any thread,
 * without locks. */
void gs_forward_applied(
    struct gs_forward *forward, struct gs_str token, enum gs_status status, const struct gs_error *err);

/** gs_forward_sweep(forward, max_ms): Give up, with GS_EIO, pushes that are stored and were not applied for ${max_ms}. To be called now and then with awaits, and with 0 before gs_forward_free. Any thread,
 * without locks. */
void gs_forward_sweep(struct gs_forward *forward, int64_t max_ms);

#endif
