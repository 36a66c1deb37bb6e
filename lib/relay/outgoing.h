/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_RELAY_OUTGOING_H
#define GRAVEL_LIB_RELAY_OUTGOING_H

#include "gravel/bus/bus.h"
#include "gravel/wire/wire.h"

/*
 * What leaves the poller: messages are built, kept in the outbox until JetStream has acknowledged them, and sent. Private to the module. Messages are put by one
 * thread; acks and the connection come on those of the bus.
 */
struct gs_outgoing;

/** gs_outgoing_open(bus, buffer, ret, err): ${bus} without callbacks and ctx. Does not wait for a connection. As gs_bus_open. */
GS_MUST_USE enum gs_status gs_outgoing_open(
    const struct gs_bus_options *bus, size_t buffer, struct gs_outgoing **ret, struct gs_error *err);

/** gs_outgoing_close(outgoing, timeout_ms): Send what is left and wait for its acks, ${timeout_ms} at most; close and free. NULL is nothing. */
void gs_outgoing_close(struct gs_outgoing *outgoing, int64_t timeout_ms);

/** gs_outgoing_connected(outgoing): Any thread. */
bool gs_outgoing_connected(const struct gs_outgoing *outgoing);

/** gs_outgoing_bus(outgoing): Its connection, for those who need another use of it. */
struct gs_bus *gs_outgoing_bus(struct gs_outgoing *outgoing);

/** gs_outgoing_part_size(outgoing): Bytes of an exposition that fit into a message even if they do not compress. */
size_t gs_outgoing_part_size(const struct gs_outgoing *outgoing);

/* A part of a body. */
struct gs_outgoing_part {
	struct gs_str data; /* compressed */
	size_t size; /* before that */
};

struct gs_outgoing_scrape {
	struct gs_str topic;
	const struct gs_wire_group *group;
	struct gs_str key; /* of the outbox: the newest of a key takes the place of what waits under it */
	struct gs_wire_header header; /* parts and sizes are filled in */
	const struct gs_outgoing_part *parts; /* copied */
	size_t nparts; /* 0: no body */
};

/** gs_outgoing_put(outgoing, scrape): Keep and send a scrape, or that its target is gone. GS_ELIMIT for more than GS_LIMIT_PARTS, a subject or header that is too long, or more than the
 * outbox holds; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_outgoing_put(struct gs_outgoing *outgoing, const struct gs_outgoing_scrape *scrape);

#endif
