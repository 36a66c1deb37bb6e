/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver's HTTP: from requests to calls of ingest, and from results to status codes. */
#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/expo/format.h"
#include "gravel/ingest/path.h"
#include "gravel/telemetry/telemetry.h"
#include "receiver.h"

#define PATH_MAX_BYTES (64 * 1024)
#define SEGMENTS_MAX (2 * GS_PATH_LABELS_MAX + 2)

/* A push or deletion between its handler and the writer's answer. */
struct pending {
	struct gs_web_request *request;
	struct gs_arena *arena;
	struct gs_path path;
};

static void pending_free(struct pending *pending) {
	if (pending == NULL)
		return;
	gs_arena_free(pending->arena);
	gs_free(pending);
}

static struct pending *pending_new(struct gs_web_request *request) {
	struct pending *pending = gs_alloc(sizeof(*pending));
	if (pending == NULL)
		return NULL;
	pending->request = request;
	pending->arena = gs_arena_new((size_t)4 * PATH_MAX_BYTES);
	if (pending->arena == NULL) {
		pending_free(pending);
		return NULL;
	}
	return pending;
}

/* Answers */

static void answer(struct gs_web_request *request, unsigned code, const char *text) {
	char label[8];
	snprintf(label, sizeof(label), "%u", code);
	gs_metric_add_l(GS_M_PUSHES, 1, label, NULL);
	if (code == 503)
		gs_web_add_header(request, "Retry-After", "1");
	gs_web_answer_text(request, code, text);
}

static void answer_error(struct gs_web_request *request, unsigned code, const struct gs_error *err) {
	char text[sizeof(err->text) + 32];
	if (err->line != 0)
		snprintf(text, sizeof(text), "%u:%u: %s\n", err->line, err->column, err->text);
	else
		snprintf(text, sizeof(text), "%s\n", err->text[0] != '\0' ? err->text : "out of memory; try again");
	answer(request, code, text);
}

/* ${full} is the code for GS_ELIMIT: of the request itself, or of the store. */
static unsigned code_of(enum gs_status status, unsigned full) {
	switch (status) {
	case GS_OK:
		return 200;
	case GS_EINVAL:
	case GS_ECONFLICT:
	case GS_EUNSUPPORTED:
		return 400;
	case GS_ELIMIT:
		return full;
	case GS_ENOMEM:
	case GS_ENOTFOUND:
	case GS_EIO:
	case GS_EAGAIN:
	case GS_ESTALE:
	case GS_ECLOSED:
		break;
	}
	return 503;
}

/* Pushing */

static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct pending *pending = ctx;
	struct gs_web_request *request = pending->request;
	pending_free(pending);
	if (status == GS_OK)
		answer(request, 200, "");
	else
		answer_error(request, code_of(status, 429), err);
}

/* Decode the segments of "/job/x/instance/y" into the arena. */
static enum gs_status split_path(
    struct gs_str rest, struct gs_arena *arena, struct gs_str *segments, size_t *n, struct gs_error *err) {
	struct gs_buf decoded;
	enum gs_status status = GS_OK;
	gs_buf_init(&decoded, PATH_MAX_BYTES);
	if (rest.n != 0 && rest.p[0] == '/')
		rest = gs_str_make(rest.p + 1, rest.n - 1);
	if (rest.n != 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	for (bool more = rest.n != 0; more && status == GS_OK;) {
		struct gs_str raw;
		more = gs_str_cut(rest, '/', &raw, &rest);
		if (*n == SEGMENTS_MAX) {
			status = gs_error_set(err, GS_ELIMIT, 0, 0, "more than %d path labels", GS_PATH_LABELS_MAX);
			break;
		}
		gs_buf_clear(&decoded);
		status = gs_web_percent_decode(raw, false, &decoded);
		if (status != GS_OK) {
			gs_error_set(err, status, 0, 0, "the path has a broken percent escape");
			break;
		}
		segments[*n] = gs_arena_dup(arena, gs_buf_slice(&decoded));
		if (segments[(*n)++].n != decoded.n)
			status = GS_ENOMEM;
	}
	gs_buf_free(&decoded);
	return status;
}

static enum gs_status read_path(struct pending *pending, struct gs_error *err) {
	struct gs_str segments[SEGMENTS_MAX];
	size_t n = 0;
	enum gs_status status = split_path(gs_web_rest(pending->request), pending->arena, segments, &n, err);
	return status == GS_OK ? gs_path_parse(segments, n, pending->arena, &pending->path, err) : status;
}

static void serve_push(void *ctx, struct gs_web_request *request) {
	struct receiver *receiver = ctx;
	struct gs_error err = {0};
	bool delete = gs_web_method(request) == GS_WEB_DELETE;
	struct gs_expo_options format = {0};
	if (!delete &&gs_expo_read_content_type(gs_web_header(request, "Content-Type"), &format, &err) != GS_OK) {
		answer_error(request, 415, &err);
		return;
	}
	struct pending *pending = pending_new(request);
	enum gs_status status = pending != NULL ? read_path(pending, &err) : GS_ENOMEM;
	if (status == GS_OK && delete &&pending->path.nlabels == 0)
		status = gs_error_set(&err, GS_EINVAL, 0, 0, "name what to delete: DELETE /metrics/NAME/VALUE");
	if (status != GS_OK) {
		answer_error(request, code_of(status, 413), &err);
		pending_free(pending);
		return;
	}
	struct gs_ingest_push push = {
	    .body = gs_web_body(request),
	    .format = format,
	    .labels = pending->path.labels,
	    .nlabels = pending->path.nlabels,
	    .mode = pending->path.mode,
	    .done = on_done,
	    .ctx = pending,
	};
	/* The answer may come before this function ends. */
	gs_web_suspend(request);
	status = delete ? gs_ingest_delete(receiver->ingest, &push) : gs_ingest_push(receiver->ingest, &push, &err);
	if (status != GS_OK) {
		answer_error(request, code_of(status, 413), &err);
		pending_free(pending);
	}
}

static void serve_both(void *ctx, struct gs_web_request *request) {
	if (gs_web_method(request) == GS_WEB_GET)
		receiver_serve_metrics(ctx, request);
	else
		serve_push(ctx, request);
}

static void serve_index(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200,
	    "gravel-receiver " GRAVEL_VERSION "\n"
	    "\n"
	    "GET  /metrics                     everything, for Prometheus (honor_labels: true)\n"
	    "POST /metrics[/LABEL/VALUE...]    push: curl --data-binary @FILE\n"
	    "DEL  /metrics/LABEL/VALUE...      delete what was pushed with these labels\n"
	    "GET  /telemetry                   this program's own metrics alone\n"
	    "GET  /-/healthy, /-/ready\n");
}

static void serve_healthy(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_answer_text(request, 200, "healthy\n");
}

const struct gs_web_route receiver_routes[] = {
    {.path = "/metrics", .methods = GS_WEB_GET | GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE, .handler = serve_both},
    {.path = "/metrics", .prefix = true, .methods = GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE, .handler = serve_push},
    {.path = "/telemetry", .methods = GS_WEB_GET, .handler = receiver_serve_telemetry},
    {.path = "/-/healthy", .methods = GS_WEB_GET, .handler = serve_healthy},
    {.path = "/-/ready", .methods = GS_WEB_GET, .handler = serve_healthy},
    {.path = "/", .methods = GS_WEB_GET, .handler = serve_index},
    {0},
};
