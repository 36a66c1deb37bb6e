/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BUS_BUS_H
#define GRAVEL_BUS_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

/*
 * NATS and JetStream. The only module that includes nats.h. A bus connects and reconnects for ever on a thread of its own (the first
 * connection included), makes the stream if it is missing, and says why it is not connected once per reason, not once a try.
 */
struct gs_bus;

/* The stream of a topic. An existing stream is compared, and a difference is a warning that names the setting. */
struct gs_bus_stream {
	const char *name;
	const char *subjects; /* "<topic>.scrape.>" */
	int64_t replicas;
	int64_t max_age_ms;
	int64_t max_msgs_per_subject;
	bool memory;
	bool whole; /* a log: consumed from its first message, not from the last one of every subject */
};

/* The result of one publish: GS_OK when JetStream has acknowledged (a duplicate counts as that), GS_EIO or GS_EAGAIN otherwise. Called on a
 * thread of the bus, without locks; must not block or call back into the bus except gs_bus_publish. */
typedef void gs_bus_ack_fn(void *ctx, uint64_t token, enum gs_status status, const char *reason);

struct gs_bus_message {
	struct gs_str subject;
	struct gs_str header; /* value of our header line; empty if it has none */
	struct gs_str data;
	uint64_t sequence; /* in the stream */
	int64_t time_ms; /* when the server stored it, by its clock */
	uint64_t pending; /* messages of the stream behind this one */
};

/* One consumed message, on the consumer's thread, in the order of the stream. May block: that is the back-pressure. Slices
 * are valid during the call only. */
typedef void gs_bus_message_fn(void *ctx, const struct gs_bus_message *message);

/* Where to begin with a stream that is a log: behind its message ${sequence}, if that is there as it was stored then, else with the first one. */
struct gs_bus_start {
	uint64_t sequence; /* 0: with the first one */
	int64_t time_ms;
};

/* What there is when delivery begins, at first and after whatever interrupted it; when messages are not there that should have come next; and, with all 0, that nothing is on its way: what there was has come, or
 * left before it could. */
struct gs_bus_begin {
	uint64_t first; /* sequence of the first message of the stream, or of the next one if it has none */
	uint64_t last; /* and of the last one; 0: there was none ever */
	uint64_t pending; /* messages that will be delivered of those that are there */
	bool anew; /* the stream is not the one that was known: its messages are delivered from the first one on */
};

/* On the consumer's thread, before the messages. */
typedef void gs_bus_begin_fn(void *ctx, const struct gs_bus_begin *begin);

/* The state of the connection changed; on a thread of the bus. */
typedef void gs_bus_state_fn(void *ctx, bool connected);

struct gs_bus_options {
	const char *const *urls;
	size_t nurls;
	const char *name; /* of the connection, as monitoring shows it */
	struct gs_bus_stream stream;
	size_t max_pending; /* publishes in flight; then gs_bus_publish answers GS_EAGAIN. 4096 if 0 */
	size_t max_pending_bytes; /* likewise in bytes. 32 MiB if 0 */
	gs_bus_ack_fn *on_ack; /* needed to publish */
	gs_bus_state_fn *on_state; /* may be NULL */
	void *ctx;
};

/* Which stream of a bus: the one that it was opened with, or the one that was added. */
enum gs_bus_lane { GS_BUS_FIRST, GS_BUS_SECOND };

/** gs_bus_open(options, ret_bus, err):
 * Start. Does not wait for a connection and does not fail because there is none; GS_EINVAL with ${err} for URLs that nats.c refuses, GS_ENOMEM. Options are
 * copied. */
GS_MUST_USE enum gs_status gs_bus_open(
    const struct gs_bus_options *options, struct gs_bus **ret_bus, struct gs_error *err);

/** gs_bus_add_stream(bus, options, err):
 * Add the second stream to the same connection: it is made, compared, published to and consumed by itself, with its own callbacks and limits; what is wrong
 * with one stream does not hold up the other. Of ${options} urls and name are not looked at. Once per bus, at any time; callbacks may come before this returns. GS_EINVAL, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_bus_add_stream(
    struct gs_bus *bus, const struct gs_bus_options *options, struct gs_error *err);

/** gs_bus_close(bus, timeout_ms): Stop consuming, wait at most ${timeout_ms} for acks of what was published, close. After it
 * returns no callback runs: a callback that blocks must be let go first. No other call on the bus may be under way. NULL is nothing. */
void gs_bus_close(struct gs_bus *bus, int64_t timeout_ms);

/** gs_bus_connected(bus): Whether the bus is connected and its stream is there, so that a publish may be taken. This is also what on_state reports. Any
 * thread. */
bool gs_bus_connected(const struct gs_bus *bus);

/** gs_bus_lane_connected(bus, lane): The same of one of its streams; gs_bus_connected is that of GS_BUS_FIRST. */
bool gs_bus_lane_connected(const struct gs_bus *bus, enum gs_bus_lane lane);

/** gs_bus_max_payload(bus): Bytes a message may have on this connection, headers included; 1 MiB while not connected. */
size_t gs_bus_max_payload(const struct gs_bus *bus);

/** gs_bus_publish(bus, subject, header, msg_id, data, token):
 * Publish to JetStream without waiting; the result comes to on_ack with ${token}, exactly once for every GS_OK given here (in time,
 * also when the connection breaks). ${subject}, ${header} and ${msg_id} are NUL-terminated; ${data} is copied. GS_EAGAIN while not connected or when
 * too much is in flight, GS_ELIMIT for a message above the server's limit. Any thread. */
GS_MUST_USE enum gs_status gs_bus_publish(struct gs_bus *bus, const char *subject, const char *header,
    const char *msg_id, struct gs_str data, uint64_t token);

/** gs_bus_publish_on(bus, lane, ...): The same to one of the streams. GS_EINVAL for a stream that was not added. */
GS_MUST_USE enum gs_status gs_bus_publish_on(struct gs_bus *bus, enum gs_bus_lane lane, const char *subject,
    const char *header, const char *msg_id, struct gs_str data, uint64_t token);

/** gs_bus_consume(bus, fn, ctx, err):
 * Deliver the last message of every subject of the stream (all messages of one that is whole) and then all that follow, in order, to ${fn}, and again from the last position
 * after every reconnect (what was delivered before is not repeated). Starts over when the stream was made anew. Once per stream. */
GS_MUST_USE enum gs_status gs_bus_consume(struct gs_bus *bus, gs_bus_message_fn *fn, void *ctx, struct gs_error *err);

/** gs_bus_consume_on(bus, lane, fn, ctx, err): The same of one of the streams, on a thread of its own. */
GS_MUST_USE enum gs_status gs_bus_consume_on(
    struct gs_bus *bus, enum gs_bus_lane lane, gs_bus_message_fn *fn, void *ctx, struct gs_error *err);

/** gs_bus_consume_from(bus, lane, start, begin, fn, ctx, err): The same from a position on (NULL: as gs_bus_consume_on), and ${begin}, unless it is NULL, says what there is. */
GS_MUST_USE enum gs_status gs_bus_consume_from(struct gs_bus *bus, enum gs_bus_lane lane,
    const struct gs_bus_start *start, gs_bus_begin_fn *begin, gs_bus_message_fn *fn, void *ctx, struct gs_error *err);

#endif
