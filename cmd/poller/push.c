/* SPDX-License-Identifier: Apache-2.0 */
/* Where what is pushed to the poller goes: to NATS, in messages. */
#include "push.h"

#include "../common/program.h"
#include "../common/push.h"

enum gs_status poller_push_open(
    const struct gs_config *config, struct gs_bus *bus, struct gs_forward **ret, struct gs_error *err) {
	struct program_bus memory;
	struct gs_bus_options stream;
	program_push_options(config, &config->poller_stream, &memory, &stream);
	struct gs_forward_options options = {
	    .bus = bus,
	    .stream = stream.stream,
	    .topic = config->poller_stream.topic,
	    .identity = config->identity,
	    .push_samples = (size_t)config->receiver.limits.push_samples,
	    .max_labels = (size_t)config->receiver.limits.labels_per_series,
	    .max_name = (size_t)config->receiver.limits.name_length,
	    .max_value = (size_t)config->receiver.limits.value_length,
	    .pushes_in_flight = (size_t)config->receiver.limits.pushes_in_flight,
	};
	return gs_forward_new(&options, ret, err);
}

static enum gs_status take(
    void *ctx, enum gs_wire_push_op op, const struct gs_ingest_push *push, struct gs_error *err) {
	return gs_forward_push(ctx, op, push, err);
}

void poller_push_serve(struct gs_forward *forward, struct gs_web_request *request) {
	struct push_sink sink = {.take = take, .ctx = forward};
	push_serve(&sink, request);
}

void poller_push_serve_ingest(struct gs_forward *forward, struct gs_web_request *request) {
	struct push_sink sink = {.take = take, .ctx = forward};
	push_serve_ingest(&sink, request);
}

void poller_push_serve_gateway(struct gs_forward *forward, struct gs_web_request *request) {
	struct push_sink sink = {.take = take, .ctx = forward};
	push_serve_gateway(&sink, request);
}
