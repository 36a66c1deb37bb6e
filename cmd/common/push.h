/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_PUSH_H
#define GRAVEL_CMD_PUSH_H

#include "gravel/ingest/ingest.h"
#include "gravel/web/web.h"
#include "gravel/wire/push.h"

/* What is pushed by HTTP, to either daemon: same paths, same dialects, same answers. */

/* Where it goes. */
struct push_sink {
	/* With GS_OK done of ${push} is called once, on any thread; otherwise it is not, and ${err} says why: GS_EINVAL, GS_ELIMIT, GS_EAGAIN, or GS_EIO and
	 * GS_ENOMEM for what may work later. What is deleted has no body. */
	enum gs_status (*take)(
	    void *ctx, enum gs_wire_push_op op, const struct gs_ingest_push *push, struct gs_error *err);
	void *ctx;
};

void push_serve(const struct push_sink *sink, struct gs_web_request *request); /* POST, PUT, DELETE /metrics... */
void push_serve_ingest(const struct push_sink *sink, struct gs_web_request *request); /* POST /ingest */
void push_serve_gateway(const struct push_sink *sink, struct gs_web_request *request); /* /pushgateway/metrics/... */

#endif
