/* SPDX-License-Identifier: Apache-2.0 */
/* The pages in JSON. */
#include "gravel/base/limits.h"
#include "receiver.h"

static void serve(struct receiver *receiver, struct gs_web_request *request, enum gs_ingest_page page) {
	struct gs_buf out;
	if (receiver_is_starting(receiver, request))
		return;
	gs_buf_init(&out, GS_LIMIT_JSON);
	gs_ingest_page(receiver->ingest, page, &out);
	gs_web_add_header(request, "Cache-Control", "no-store");
	if (out.status == GS_ELIMIT) {
		gs_buf_free(&out);
		gs_web_answer_text(
		    request, 503, "this would be more JSON than anybody reads; GET /metrics has it all\n");
		return;
	}
	gs_web_answer(request, 200, "application/json", &out);
}

void receiver_serve_status(void *ctx, struct gs_web_request *request) {
	serve(ctx, request, GS_PAGE_STATUS);
}

void receiver_serve_pushed(void *ctx, struct gs_web_request *request) {
	serve(ctx, request, GS_PAGE_METRICS);
}

void receiver_serve_groups(void *ctx, struct gs_web_request *request) {
	serve(ctx, request, GS_PAGE_GROUPS);
}

void receiver_serve_targets(void *ctx, struct gs_web_request *request) {
	serve(ctx, request, GS_PAGE_TARGETS);
}

void receiver_serve_publishers(void *ctx, struct gs_web_request *request) {
	serve(ctx, request, GS_PAGE_PUBLISHERS);
}
