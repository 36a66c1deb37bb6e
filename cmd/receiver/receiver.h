/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_RECEIVER_H
#define GRAVEL_CMD_RECEIVER_H

#include <limits.h>

#include "gravel/bus/bus.h"
#include "gravel/bus/shelf.h"
#include "gravel/config/config.h"
#include "gravel/forward/forward.h"
#include "gravel/ingest/ingest.h"
#include "gravel/web/web.h"

struct receiver {
	const struct gs_config *config;
	struct gs_ingest *ingest;
	struct gs_bus *bus; /* NULL: no stream, pushes only */
	struct gs_web *web;
	char folder[PATH_MAX]; /* of the push log */
	struct receiver_stream *stream; /* NULL: that log is not the stream of pushes */
};

/* How many bytes "<topic>.snapshot" may have. */
#define RECEIVER_SUBJECT_MAX 300

extern const struct gs_web_route receiver_routes[];

/* http.c: while the receiver is starting: answer 503 with how far it is, and return true. */
bool receiver_is_starting(struct receiver *receiver, struct gs_web_request *request);

/* folder.c: whether the log that is asked for can be; says so where it cannot. */
bool receiver_check_log(const struct gs_config *config, struct gs_buf *report);
/* folder.c: find the folder of the push log, and make it if it is missing, into receiver->folder; empty for none. GS_EIO with ${err}. */
GS_MUST_USE enum gs_status receiver_find_folder(struct receiver *receiver, struct gs_error *err);

/* stream.c: where the log is the stream of pushes. Add that stream to the bus; fill ${ret} with what the ingest needs of it. GS_EINVAL, GS_EIO, GS_ENOMEM. */
GS_MUST_USE enum gs_status receiver_stream_open(
    struct receiver *receiver, struct gs_ingest_stream *ret, struct gs_error *err);
/* stream.c: as a sink's take, ctx is the receiver. */
GS_MUST_USE enum gs_status receiver_stream_push(
    struct receiver *receiver, enum gs_wire_push_op op, const struct gs_ingest_push *push, struct gs_error *err);
/* stream.c: before the bus is closed: whatever waits for NATS is let go. */
void receiver_stream_stop(struct receiver *receiver);
/* stream.c: after gs_bus_close: answer what is not applied yet. */
void receiver_stream_end(struct receiver *receiver);
/* stream.c: after gs_ingest_free. */
void receiver_stream_free(struct receiver *receiver);

/* read.c: handlers of what is read; ctx is the receiver. */
void receiver_serve_metrics(void *ctx, struct gs_web_request *request); /* GET /metrics */
void receiver_serve_telemetry(void *ctx, struct gs_web_request *request); /* GET /telemetry */
/* push.c: handlers of what is pushed; ctx is the receiver. */
void receiver_serve_push(void *ctx, struct gs_web_request *request); /* POST, PUT, DELETE /metrics... */
void receiver_serve_ingest(void *ctx, struct gs_web_request *request); /* POST /ingest */
void receiver_serve_gateway(void *ctx, struct gs_web_request *request); /* /pushgateway/metrics/... */

/* page.c: JSON. */
void receiver_serve_status(void *ctx, struct gs_web_request *request);
void receiver_serve_pushed(void *ctx, struct gs_web_request *request);
void receiver_serve_groups(void *ctx, struct gs_web_request *request);
void receiver_serve_targets(void *ctx, struct gs_web_request *request);
void receiver_serve_publishers(void *ctx, struct gs_web_request *request);

#endif
