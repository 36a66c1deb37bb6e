/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from the receiver: the exposition, whole or in parts, and its own metrics. */
#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/expo/format.h"
#include "gravel/ingest/read.h"
#include "gravel/telemetry/telemetry.h"
#include "receiver.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TELEMETRY_MAX ((size_t)64 * 1024 * 1024)

/* Names as they are to who can read them. To all others by VALUES, whatever they ask for: underscores and dots can make one name of two, and
 * so a body that nobody can read. */
static struct gs_expo_dialect dialect_of(const struct gs_web_request *request) {
	struct gs_expo_dialect dialect = gs_expo_negotiate(gs_web_header(request, "Accept"), GS_FORMATS_WRITTEN);
	if (dialect.escaping == GS_ESCAPE_NONE)
		return dialect;
	dialect.escaping = GS_ESCAPE_VALUES;
	if (dialect.format == GS_FORMAT_TEXT_1)
		dialect.format = GS_FORMAT_TEXT;
	return dialect;
}

static size_t count_of(const struct gs_web_request *request, const char *name) {
	size_t n = 0;
	while (gs_web_query(request, name, n).p != NULL)
		n++;
	return n;
}

/* Read every match[] into query->selectors; ${err} says which one is wrong, and where. */
static enum gs_status read_selectors(
    const struct gs_web_request *request, struct gs_ingest_query *query, struct gs_error *err) {
	size_t n = count_of(request, "match[]");
	if (n == 0)
		return GS_OK;
	query->selectors = gs_alloc_array(n, sizeof(struct gs_selector *));
	if (query->selectors == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct gs_error at = {0};
		struct gs_str text = gs_web_query(request, "match[]", i);
		enum gs_status status = gs_selector_parse(text, &query->selectors[i], &at);
		if (status != GS_OK)
			return gs_error_set(err, status, 0, 0, "match[] %.*s: %u:%u: %s",
			    (int)(text.n < 200 ? text.n : 200), text.p, at.line, at.column, at.text);
		query->nselectors++;
	}
	return GS_OK;
}

static void free_selectors(struct gs_ingest_query *query) {
	for (size_t i = 0; i < query->nselectors; i++)
		gs_selector_free(query->selectors[i]);
	gs_free(query->selectors);
}

static enum gs_status open_reader(struct receiver *receiver, const struct gs_web_request *request,
    struct gs_ingest_query *query, struct gs_ingest_reader **ret_reader, struct gs_error *err) {
	size_t n = count_of(request, "name[]");
	struct gs_str *names = gs_alloc_array(n, sizeof(*names));
	enum gs_status status = names != NULL ? read_selectors(request, query, err) : GS_ENOMEM;
	for (size_t i = 0; i < n && status == GS_OK; i++)
		names[i] = gs_web_query(request, "name[]", i);
	query->names = names;
	query->nnames = n;
	if (status == GS_OK)
		status = gs_ingest_read(receiver->ingest, query, ret_reader);
	else
		free_selectors(query);
	gs_free(names);
	return status;
}

static enum gs_status reader_next(void *ctx, struct gs_str *ret_piece, struct gs_error *err) {
	return gs_ingest_read_next(ctx, ret_piece, err);
}

static void reader_end(void *ctx) {
	gs_ingest_read_end(ctx);
}

void receiver_serve_metrics(void *ctx, struct gs_web_request *request) {
	struct receiver *receiver = ctx;
	struct gs_ingest_query query = {.dialect = dialect_of(request), .encoding = gs_web_encoding(request)};
	struct gs_ingest_reader *reader = NULL;
	struct gs_error err = {0};
	if (receiver_is_starting(receiver, request))
		return;
	gs_ingest_refresh(receiver->ingest);
	enum gs_status status = open_reader(receiver, request, &query, &reader, &err);
	gs_web_add_header(request, "Vary", "Accept");
	if (status != GS_OK) {
		char text[sizeof(err.text) + 8];
		snprintf(text, sizeof(text), "%s\n", status == GS_ENOMEM ? "out of memory; try again" : err.text);
		if (status == GS_ENOMEM)
			gs_web_add_header(request, "Retry-After", "1");
		gs_web_answer_text(request, status == GS_ENOMEM ? 503 : 400, text);
		return;
	}
	struct gs_web_stream stream = {.next = reader_next, .free = reader_end, .ctx = reader};
	gs_web_answer_stream(request, 200, gs_expo_content_type(query.dialect), query.encoding, &stream);
}

void receiver_serve_telemetry(void *ctx, struct gs_web_request *request) {
	const struct receiver *receiver = ctx;
	struct gs_buf out;
	gs_buf_init(&out, TELEMETRY_MAX);
	if (gs_ingest_ready(receiver->ingest, NULL) == GS_OK) /* else the writer has other work */
		gs_ingest_refresh(receiver->ingest); /* sets the gauges of the store */
	gs_telemetry_render(GS_METRIC_RECEIVER, &out);
	gs_web_answer(request, 200, TEXT_TYPE, &out);
}
