/* SPDX-License-Identifier: Apache-2.0 */
/* What the poller serves, and its table of routes. */
#include "gravel/base/limits.h"
#include "gravel/base/num.h"
#include "gravel/telemetry/telemetry.h"
#include "poller.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_MAX ((size_t)64 * 1024 * 1024)
#define HTML_MAX ((size_t)64 * 1024 * 1024)

static void serve_metrics(void *ctx, struct gs_web_request *request) {
	struct gs_buf out;
	(void)ctx;
	gs_buf_init(&out, METRICS_MAX);
	gs_telemetry_render(GS_METRIC_POLLER, &out);
	gs_web_answer(request, 200, TEXT_TYPE, &out);
}

static void serve_healthy(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200, "healthy\n");
}

static void serve_ready(void *ctx, struct gs_web_request *request) {
	const struct poller *poller = ctx;
	if (gs_relay_connected(poller->relay))
		gs_web_answer_text(request, 200, "ready\n");
	else
		gs_web_answer_text(
		    request, 503, "not connected to NATS; scraping goes on, the newest scrapes are kept\n");
}

static void serve_index(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200,
	    "gravel-poller " GRAVEL_VERSION "\n"
	    "\n"
	    "GET  /targets                     what is scraped, and how that went\n"
	    "GET  /api/v1/targets              the same as Prometheus says it\n"
	    "GET  /metrics                     this program's own metrics\n"
	    "POST /metrics[/LABEL/VALUE...]    push, through NATS to the receivers\n"
	    "     /pushgateway                 base URL for clients of a Pushgateway\n"
	    "POST /ingest                      push: replace, and expire\n"
	    "POST /-/reload                    read the configuration again, as on SIGHUP\n"
	    "GET  /-/healthy, /-/ready\n");
}

/* Pushes */

#define PUSH_METHODS (GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE)

static void serve_push(void *ctx, struct gs_web_request *request) {
	const struct poller *poller = ctx;
	if (gs_web_method(request) == GS_WEB_GET)
		serve_metrics(ctx, request);
	else
		poller_push_serve(poller->forward, request);
}

static void serve_ingest(void *ctx, struct gs_web_request *request) {
	const struct poller *poller = ctx;
	poller_push_serve_ingest(poller->forward, request);
}

static void serve_gateway(void *ctx, struct gs_web_request *request) {
	const struct poller *poller = ctx;
	poller_push_serve_gateway(poller->forward, request);
}

/* Targets */

static void answer_page(struct gs_web_request *request, const char *type, struct gs_buf *out) {
	gs_web_add_header(request, "Cache-Control", "no-store");
	gs_web_add_header(request, "X-Content-Type-Options", "nosniff");
	if (out->status == GS_ELIMIT) {
		gs_buf_free(out);
		gs_web_answer_text(request, 503,
		    "too many targets for one page: ask for one job, with ?job= (or ?scrapePool= for JSON)\n");
		return;
	}
	gs_web_answer(request, 200, type, out);
}

static bool is_one_of(struct gs_str s, const char *a, const char *b) {
	return s.n == 0 || gs_str_eq(s, gs_str_of(a)) || gs_str_eq(s, gs_str_of(b));
}

static struct gs_manager *manager_of(struct poller *poller, struct gs_web_request *request) {
	struct gs_manager *manager = atomic_load(&poller->manager);
	if (manager == NULL)
		gs_web_answer_text(request, 503, "starting\n");
	return manager;
}

static void serve_targets_json(void *ctx, struct gs_web_request *request) {
	struct gs_manager *manager = manager_of(ctx, request);
	struct gs_str state = gs_web_query(request, "state", 0);
	char lower[8];
	struct gs_buf out;
	if (manager == NULL)
		return;
	for (size_t i = 0; i < state.n && state.n < sizeof(lower); i++)
		lower[i] = (char)(state.p[i] >= 'A' && state.p[i] <= 'Z' ? state.p[i] + 32 : state.p[i]);
	if (state.n < sizeof(lower))
		state = gs_str_make(lower, state.n);
	struct gs_manager_filter filter = {
	    .job = gs_web_query(request, "scrapePool", 0),
	    .active = is_one_of(state, "active", "any"),
	    .dropped = is_one_of(state, "dropped", "any"),
	};
	gs_buf_init(&out, GS_LIMIT_JSON);
	gs_manager_targets_json(manager, &filter, &out);
	answer_page(request, "application/json", &out);
}

static void serve_targets_html(void *ctx, struct gs_web_request *request) {
	struct gs_manager *manager = manager_of(ctx, request);
	struct gs_manager_filter filter = {
	    .job = gs_web_query(request, "job", 0),
	    .health = gs_web_query(request, "health", 0),
	};
	uint64_t limit;
	struct gs_buf out;
	if (manager == NULL)
		return;
	if (gs_num_parse_u64(gs_web_query(request, "limit", 0), &limit) == GS_OK)
		filter.limit = (size_t)limit;
	gs_buf_init(&out, HTML_MAX);
	gs_manager_targets_html(manager, &filter, &out);
	gs_web_add_header(request, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
	gs_web_add_header(request, "Referrer-Policy", "no-referrer");
	answer_page(request, "text/html; charset=utf-8", &out);
}

const struct gs_web_route poller_routes[] = {
    {.path = "/metrics", .methods = GS_WEB_GET | PUSH_METHODS, .handler = serve_push},
    {.path = "/metrics", .prefix = true, .methods = PUSH_METHODS, .handler = serve_push},
    {.path = "/ingest", .methods = GS_WEB_POST, .handler = serve_ingest},
    {.path = "/pushgateway/metrics/", .prefix = true, .methods = PUSH_METHODS, .handler = serve_gateway},
    {.path = "/targets", .methods = GS_WEB_GET, .handler = serve_targets_html},
    {.path = "/api/v1/targets", .methods = GS_WEB_GET, .handler = serve_targets_json},
    {.path = "/-/healthy", .methods = GS_WEB_GET, .handler = serve_healthy},
    {.path = "/-/ready", .methods = GS_WEB_GET, .handler = serve_ready},
    {.path = "/-/reload", .methods = GS_WEB_POST | GS_WEB_PUT, .handler = poller_serve_reload},
    {.path = "/", .methods = GS_WEB_GET, .handler = serve_index},
    {0},
};
