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

#endif
