/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_RECEIVER_H
#define GRAVEL_CMD_RECEIVER_H

#include "gravel/bus/bus.h"
#include "gravel/config/config.h"
#include "gravel/ingest/ingest.h"
#include "gravel/web/web.h"

struct receiver {
	const struct gs_config *config;
	struct gs_ingest *ingest;
	struct gs_bus *bus; /* NULL: no stream, pushes only */
	struct gs_web *web;
};

extern const struct gs_web_route receiver_routes[];

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
