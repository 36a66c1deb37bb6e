/* SPDX-License-Identifier: Apache-2.0 */
/* What is pushed and deleted: from requests to calls of a sink, and from results to status codes. */
#include "push.h"

#include <stdio.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/expo/format.h"
#include "gravel/ingest/path.h"
#include "gravel/telemetry/telemetry.h"

#define PATH_MAX_BYTES (64 * 1024)
#define SEGMENTS_MAX (2 * GS_PATH_LABELS_MAX + 2)

/* A push or deletion between its handler and the writer's answer. */
struct pending {
	struct gs_web_request *request;
	struct gs_arena *arena;
	struct gs_path path;
	unsigned success; /* the code for it */
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
	pending->success = 200;
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
	gs_web_answer_text(request, code, text);
}

static void answer_error(struct gs_web_request *request, unsigned code, const struct gs_error *err) {
	char text[sizeof(err->text) + 32];
	if (err->line != 0)
		snprintf(text, sizeof(text), "%u:%u: %s\n", err->line, err->column, err->text);
	else
		snprintf(text, sizeof(text), "%s\n",
		    err->text[0] != '\0' ? err->text
		    : code == 429        ? "too many pushes are in flight; try again (receiver.limits.pushes_in_flight)"
					 : "out of memory; try again");
	answer(request, code, text);
}

/* What is too large itself is 413 (before it is queued), what finds no room 429. */
static unsigned code_of(enum gs_status status, bool queued) {
	switch (status) {
	case GS_OK:
		return 200;
	case GS_EINVAL:
	case GS_ECONFLICT:
	case GS_EUNSUPPORTED:
		return 400;
	case GS_ELIMIT:
		return queued ? 429 : 413;
	case GS_EAGAIN: /* too many in flight; or the log takes none */
		return queued ? 503 : 429;
	case GS_ENOMEM:
	case GS_ENOTFOUND:
	case GS_EIO:
	case GS_ESTALE:
	case GS_ECLOSED:
		break;
	}
	return 503;
}

static void answer_status(
    struct gs_web_request *request, enum gs_status status, bool queued, const struct gs_error *err) {
	unsigned code = code_of(status, queued);
	if (code == 503 || status == GS_EAGAIN)
		gs_web_add_header(request, "Retry-After", "1");
	answer_error(request, code, err);
}

/* Pushing */

static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct pending *pending = ctx;
	struct gs_web_request *request = pending->request;
	unsigned success = pending->success;
	pending_free(pending);
	if (status == GS_OK)
		answer(request, success, "");
	else
		answer_status(request, status, true, err);
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

/* The limits of paths are fixed. */
static enum gs_status count_limit(enum gs_status status) {
	if (status == GS_ELIMIT)
		gs_metric_add_l(GS_M_LIMITED, 1, "other", NULL);
	return status;
}

static enum gs_status read_path(struct pending *pending, struct gs_error *err) {
	struct gs_str segments[SEGMENTS_MAX];
	size_t n = 0;
	enum gs_status status = split_path(gs_web_rest(pending->request), pending->arena, segments, &n, err);
	if (status == GS_OK)
		status = gs_path_parse(segments, n, pending->arena, &pending->path, err);
	return count_limit(status);
}

static bool is_printable(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	}
	return true;
}

/* What names the push, so that it counts once however often it is sent. */
static enum gs_status read_key(const struct gs_web_request *request, struct gs_str *ret, struct gs_error *err) {
	struct gs_str key = gs_web_header(request, "Idempotency-Key");
	if (key.p == NULL)
		return GS_OK;
	*ret = key;
	if (key.n == 0 || key.n > GS_LIMIT_KEY || !is_printable(key))
		return gs_error_set(
		    err, GS_EINVAL, 0, 0, "Idempotency-Key must be 1 to %d printable bytes", GS_LIMIT_KEY);
	return GS_OK;
}

/* ?ttl= of a push. */
static enum gs_status read_ttl(const struct gs_web_request *request, int64_t *ret, struct gs_error *err) {
	struct gs_str text = gs_web_query(request, "ttl", 0);
	return text.p != NULL ? gs_path_parse_ttl(text, ret, err) : GS_OK;
}

static void refuse(
    struct gs_web_request *request, struct pending *pending, enum gs_status status, const struct gs_error *err) {
	answer_status(request, status, false, err);
	pending_free(pending);
}

/* What a request says beside its body, as far as ${op} has it. */
static enum gs_status read_head(
    struct pending *pending, enum gs_wire_push_op op, struct gs_ingest_push *what, struct gs_error *err) {
	bool deletes = op == GS_WIRE_PUSH_DELETE;
	enum gs_status status = op != GS_WIRE_PUSH_INGEST ? read_path(pending, err) : GS_OK;
	if (status == GS_OK && !deletes)
		status = read_ttl(pending->request, &what->ttl_ms, err);
	if (status == GS_OK)
		status = read_key(pending->request, &what->key, err);
	if (status == GS_OK && deletes && pending->path.nlabels == 0)
		status = gs_error_set(err, GS_EINVAL, 0, 0, "name what to delete: DELETE /metrics/NAME/VALUE");
	return status;
}

/* A request of our own dialect. */
static void serve(const struct push_sink *sink, struct gs_web_request *request, enum gs_wire_push_op op) {
	struct gs_error err = {0};
	struct gs_ingest_push what = {.leaves = op == GS_WIRE_PUSH_INGEST, .done = on_done};
	bool deletes = op == GS_WIRE_PUSH_DELETE;
	if (!deletes &&
	    gs_expo_read_content_type(gs_web_header(request, "Content-Type"), &what.format, &err) != GS_OK) {
		answer_error(request, 415, &err);
		return;
	}
	struct pending *pending = pending_new(request);
	enum gs_status status = pending != NULL ? read_head(pending, op, &what, &err) : GS_ENOMEM;
	if (status != GS_OK) {
		refuse(request, pending, status, &err);
		return;
	}
	what.ctx = pending;
	what.labels = pending->path.labels;
	what.nlabels = pending->path.nlabels;
	if (!deletes) {
		what.body = gs_web_body(request);
		what.mode = pending->path.mode;
	}
	/* Suspended first: the answer may come before this function ends. */
	gs_web_suspend(request);
	status = sink->take(sink->ctx, op, &what, &err);
	if (status != GS_OK)
		refuse(request, pending, status, &err);
}

void push_serve(const struct push_sink *sink, struct gs_web_request *request) {
	serve(sink, request, gs_web_method(request) == GS_WEB_DELETE ? GS_WIRE_PUSH_DELETE : GS_WIRE_PUSH);
}

void push_serve_ingest(const struct push_sink *sink, struct gs_web_request *request) {
	serve(sink, request, GS_WIRE_PUSH_INGEST);
}

/* The Pushgateway's dialect */

/* Decoded before it is split, as there. */
static enum gs_status read_gateway_path(struct pending *pending, struct gs_error *err) {
	struct gs_str rest = gs_web_rest(pending->request);
	struct gs_buf decoded;
	gs_buf_init(&decoded, PATH_MAX_BYTES);
	enum gs_status status = gs_web_percent_decode(gs_str_make(rest.p + 1, rest.n - 1), false, &decoded);
	if (status == GS_EINVAL)
		gs_error_set(err, status, 0, 0, "the path has a broken percent escape");
	struct gs_str path = {0};
	if (status == GS_OK)
		path = gs_arena_dup(pending->arena, gs_buf_slice(&decoded));
	if (status == GS_OK && path.n != decoded.n)
		status = GS_ENOMEM;
	gs_buf_free(&decoded);
	if (status == GS_OK)
		status = gs_path_parse_gateway(path, pending->arena, &pending->path, err);
	return count_limit(status);
}

/* Everything but a protobuf is text, whatever its Content-Type says. */
static struct gs_expo_options gateway_format(const struct gs_web_request *request) {
	struct gs_expo_options format = {0};
	if (gs_expo_read_content_type(gs_web_header(request, "Content-Type"), &format, NULL) != GS_OK ||
	    format.format != GS_FORMAT_PROTOBUF)
		format = (struct gs_expo_options){0};
	return format;
}

static void refuse_gateway(
    struct gs_web_request *request, struct pending *pending, enum gs_status status, const struct gs_error *err) {
	if (status == GS_ENOTFOUND)
		answer_error(request, 404, err);
	else
		answer_status(request, status, false, err);
	pending_free(pending);
}

void push_serve_gateway(const struct push_sink *sink, struct gs_web_request *request) {
	struct gs_error err = {0};
	enum gs_web_method method = gs_web_method(request);
	struct pending *pending = pending_new(request);
	enum gs_status status = pending != NULL ? read_gateway_path(pending, &err) : GS_ENOMEM;
	if (method == GS_WEB_GET && status != GS_ENOTFOUND) {
		pending_free(pending);
		gs_web_add_header(request, "Allow", "POST, PUT, DELETE");
		answer(request, 405, "method not allowed\n");
		return;
	}
	if (status == GS_OK && gs_web_query(request, "ttl", 0).p != NULL)
		status = gs_error_set(&err, GS_EINVAL, 0, 0,
		    "groups of the Pushgateway's dialect stay until they are deleted; ?ttl= is for /metrics");
	struct gs_str key = {0};
	if (status == GS_OK)
		status = read_key(request, &key, &err);
	if (status != GS_OK) {
		refuse_gateway(request, pending, status, &err);
		return;
	}
	struct gs_ingest_push what = {
	    .key = key,
	    .body = gs_web_body(request),
	    .format = gateway_format(request),
	    .labels = pending->path.labels,
	    .nlabels = pending->path.nlabels,
	    .mode = {.kind = GS_MODE_REPLACE},
	    .done = on_done,
	    .ctx = pending,
	};
	pending->success = method == GS_WEB_DELETE ? 202 : 200;
	enum gs_wire_push_op op = method == GS_WEB_DELETE ? GS_WIRE_PUSH_GATEWAY_DELETE
				  : method == GS_WEB_PUT  ? GS_WIRE_PUSH_GATEWAY_PUT
							  : GS_WIRE_PUSH_GATEWAY_POST;
	gs_web_suspend(request);
	status = sink->take(sink->ctx, op, &what, &err);
	if (status != GS_OK)
		refuse_gateway(request, pending, status, &err);
}
