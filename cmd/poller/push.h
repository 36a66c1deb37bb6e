/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_POLLER_PUSH_H
#define GRAVEL_CMD_POLLER_PUSH_H

#include "gravel/bus/bus.h"
#include "gravel/config/config.h"
#include "gravel/forward/forward.h"
#include "gravel/web/web.h"

/* What is pushed to the poller. */

/** poller_push_open(config, bus, ret, err): Take pushes to be published on ${bus}. */
GS_MUST_USE enum gs_status poller_push_open(
    const struct gs_config *config, struct gs_bus *bus, struct gs_forward **ret, struct gs_error *err);

/* Handlers of the routes of pushes. */
void poller_push_serve(struct gs_forward *forward, struct gs_web_request *request); /* /metrics... */
void poller_push_serve_ingest(struct gs_forward *forward, struct gs_web_request *request); /* /ingest */
void poller_push_serve_gateway(
    struct gs_forward *forward, struct gs_web_request *request); /* /pushgateway/metrics/... */

#endif
