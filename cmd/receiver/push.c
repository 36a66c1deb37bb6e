/* SPDX-License-Identifier: Apache-2.0 */
/* Where what is pushed to the receiver goes. */
#include "../common/push.h"

#include "receiver.h"

static enum gs_status take(
    void *ctx, enum gs_wire_push_op op, const struct gs_ingest_push *push, struct gs_error *err) {
	struct receiver *receiver = ctx;
	if (receiver->stream != NULL)
		return receiver_stream_push(receiver, op, push, err);
	switch (op) {
	case GS_WIRE_PUSH:
	case GS_WIRE_PUSH_INGEST:
		return gs_ingest_push(receiver->ingest, push, err);
	case GS_WIRE_PUSH_DELETE:
		return gs_ingest_delete(receiver->ingest, push, err);
	case GS_WIRE_PUSH_GATEWAY_PUT:
		return gs_ingest_gateway(receiver->ingest, GS_GATEWAY_PUT, push, err);
	case GS_WIRE_PUSH_GATEWAY_POST:
		return gs_ingest_gateway(receiver->ingest, GS_GATEWAY_POST, push, err);
	case GS_WIRE_PUSH_GATEWAY_DELETE:
		break;
	}
	return gs_ingest_gateway(receiver->ingest, GS_GATEWAY_DELETE, push, err);
}

static struct push_sink sink_of(void *receiver) {
	return (struct push_sink){.take = take, .ctx = receiver};
}

void receiver_serve_push(void *ctx, struct gs_web_request *request) {
	struct push_sink sink = sink_of(ctx);
	push_serve(&sink, request);
}

void receiver_serve_ingest(void *ctx, struct gs_web_request *request) {
	struct push_sink sink = sink_of(ctx);
	push_serve_ingest(&sink, request);
}

void receiver_serve_gateway(void *ctx, struct gs_web_request *request) {
	struct push_sink sink = sink_of(ctx);
	push_serve_gateway(&sink, request);
}
