/* SPDX-License-Identifier: Apache-2.0 */
/* What the receiver serves, and its table of routes; what is pushed to it is push.c's. */
#include <stdio.h>

#include "receiver.h"

bool receiver_is_starting(struct receiver *receiver, struct gs_web_request *request) {
	struct gs_error err = {0};
	char text[sizeof(err.text) + 2];
	if (gs_ingest_ready(receiver->ingest, &err) == GS_OK)
		return false;
	snprintf(text, sizeof(text), "%s\n", err.text);
	gs_web_add_header(request, "Retry-After", "1");
	gs_web_answer_text(request, 503, text);
	return true;
}

static void serve_both(void *ctx, struct gs_web_request *request) {
	if (gs_web_method(request) == GS_WEB_GET)
		receiver_serve_metrics(ctx, request);
	else
		receiver_serve_push(ctx, request);
}

static void serve_index(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200,
	    "gravel-receiver " GRAVEL_VERSION "\n"
	    "\n"
	    "GET  /metrics                     everything, for Prometheus (honor_labels: true)\n"
	    "POST /metrics[/LABEL/VALUE...]    push: curl --data-binary @FILE\n"
	    "DEL  /metrics/LABEL/VALUE...      delete what was pushed with these labels\n"
	    "     /pushgateway                 base URL for clients of a Pushgateway\n"
	    "POST /ingest                      push: replace, and expire\n"
	    "GET  /api/v1/status, /api/v1/targets, /api/v1/publishers, /api/v1/groups, /api/v1/metrics\n"
	    "GET  /telemetry                   this program's own metrics alone\n"
	    "GET  /-/healthy, /-/ready\n");
}

static void serve_healthy(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200, "healthy\n");
}

static void serve_ready(void *ctx, struct gs_web_request *request) {
	if (!receiver_is_starting(ctx, request))
		gs_web_answer_text(request, 200, "ready\n");
}

/* What the Pushgateway says. */
static void serve_ok_if_ready(void *ctx, struct gs_web_request *request) {
	if (!receiver_is_starting(ctx, request))
		gs_web_answer_text(request, 200, "OK");
}

static void serve_ok(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200, "OK");
}

const struct gs_web_route receiver_routes[] = {
    {.path = "/metrics", .methods = GS_WEB_GET | GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE, .handler = serve_both},
    {.path = "/metrics",
	.prefix = true,
	.methods = GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE,
	.handler = receiver_serve_push},
    {.path = "/telemetry", .methods = GS_WEB_GET, .handler = receiver_serve_telemetry},
    {.path = "/-/healthy", .methods = GS_WEB_GET, .handler = serve_healthy},
    {.path = "/-/ready", .methods = GS_WEB_GET, .handler = serve_ready},
    {.path = "/ingest", .methods = GS_WEB_POST, .handler = receiver_serve_ingest},
    {.path = "/api/v1/status", .methods = GS_WEB_GET, .handler = receiver_serve_status},
    {.path = "/api/v1/metrics", .methods = GS_WEB_GET, .handler = receiver_serve_pushed},
    {.path = "/api/v1/groups", .methods = GS_WEB_GET, .handler = receiver_serve_groups},
    {.path = "/api/v1/targets", .methods = GS_WEB_GET, .handler = receiver_serve_targets},
    {.path = "/api/v1/publishers", .methods = GS_WEB_GET, .handler = receiver_serve_publishers},
    {.path = "/pushgateway/metrics", .methods = GS_WEB_GET, .handler = receiver_serve_metrics},
    {.path = "/pushgateway/metrics/",
	.prefix = true,
	.methods = GS_WEB_GET | GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE,
	.handler = receiver_serve_gateway},
    {.path = "/pushgateway/api/v1/status", .methods = GS_WEB_GET, .handler = receiver_serve_status},
    {.path = "/pushgateway/api/v1/metrics", .methods = GS_WEB_GET, .handler = receiver_serve_pushed},
    {.path = "/pushgateway/-/healthy", .methods = GS_WEB_GET, .handler = serve_ok},
    {.path = "/pushgateway/-/ready", .methods = GS_WEB_GET, .handler = serve_ok_if_ready},
    {.path = "/pushgateway/", .methods = GS_WEB_GET, .handler = serve_index},
    {.path = "/", .methods = GS_WEB_GET, .handler = serve_index},
    {0},
};
