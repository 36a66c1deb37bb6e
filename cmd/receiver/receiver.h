/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_RECEIVER_H
#define GRAVEL_CMD_RECEIVER_H

#include <limits.h>

#include "gravel/bus/bus.h"
#include "gravel/config/config.h"
#include "gravel/ingest/ingest.h"
#include "gravel/web/web.h"

struct receiver {
	const struct gs_config *config;
	struct gs_ingest *ingest;
	struct gs_bus *bus; /* NULL: no stream, pushes only */
	struct gs_web *web;
	char folder[PATH_MAX]; /* of the push log */
};

extern const struct gs_web_route receiver_routes[];

/* http.c: while the receiver is starting: answer 503 with how far it is, and return true. */
bool receiver_is_starting(struct receiver *receiver, struct gs_web_request *request);

/* folder.c: whether this version has the log that is asked for; says so where it has not. */
bool receiver_check_log(const struct gs_config *config);
/* folder.c: find the folder of the push log, and make it if it is missing, into receiver->folder; empty for none. GS_EIO with ${err}. */
GS_MUST_USE enum gs_status receiver_find_folder(struct receiver *receiver, struct gs_error *err);

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
