/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <strings.h>

#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "web_internal.h"

#define OUT_OF_MEMORY "out of memory\n"

static bool has_field(const struct gs_web_request *request, const char *name) {
	for (const struct gs_web_field *f = request->fields; f != NULL; f = f->next) {
		if (strcasecmp(f->name, name) == 0)
			return true;
	}
	return false;
}

static const char *encoding_name(enum gs_codec_kind kind) {
	return kind == GS_CODEC_GZIP ? "gzip" : kind == GS_CODEC_ZSTD ? "zstd" : NULL;
}

/* Compress the body for those who want that; what does not shrink or finds no memory goes as it is to those who take that. */
static void zip(struct gs_web_request *request, const struct gs_web_accept *accept) {
	struct gs_buf packed;
	struct gs_codec *codec = gs_web_codec_take(request->web);
	if (codec == NULL)
		return;
	gs_buf_init(&packed, accept->plain ? request->answer.n - 1 : SIZE_MAX);
	enum gs_status status = gs_codec_compress(codec, accept->best,
	    accept->best == GS_CODEC_GZIP ? GS_WEB_ZIP_LEVEL : 0, gs_buf_slice(&request->answer), &packed);
	gs_web_codec_give(request->web, codec);
	if (status == GS_OK) {
		gs_buf_free(&request->answer);
		request->answer = packed;
		request->packed = accept->best;
		return;
	}
	gs_buf_free(&packed);
}

static struct MHD_Response *from_memory(struct gs_buf *body) {
	size_t n = 0;
	char *p = gs_buf_take(body, &n);
	if (p == NULL)
		return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
#if MHD_VERSION >= 0x00096000
	struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(n, p, gs_free);
#else
	/* It calls free itself; gs_free is no other. */
	struct MHD_Response *response = MHD_create_response_from_buffer(n, p, MHD_RESPMEM_MUST_FREE);
#endif
	if (response == NULL)
		gs_free(p);
	return response;
}

/* One header Vary, whatever the handler said in its own. */
static bool add_vary(const struct gs_web_request *request, struct MHD_Response *response, bool varies) {
	char value[128] = "";
	for (const struct gs_web_field *f = request->fields; f != NULL; f = f->next) {
		if (strcasecmp(f->name, "Vary") == 0)
			snprintf(value, sizeof(value), "%s%s", f->value, varies ? ", " : "");
	}
	if (varies)
		snprintf(value + strlen(value), sizeof(value) - strlen(value), "Accept-Encoding");
	return value[0] == '\0' || MHD_add_response_header(response, "Vary", value) == MHD_YES;
}

static bool add_fields(const struct gs_web_request *request, struct MHD_Response *response, bool varies) {
	bool ok = add_vary(request, response, varies);
	const char *encoding = encoding_name(request->packed);
	if (request->type != NULL)
		ok &= MHD_add_response_header(response, "Content-Type", request->type) == MHD_YES;
	if (encoding != NULL)
		ok &= MHD_add_response_header(response, "Content-Encoding", encoding) == MHD_YES;
	for (const struct gs_web_field *f = request->fields; f != NULL; f = f->next) {
		if (strcasecmp(f->name, "Vary") != 0)
			ok &= MHD_add_response_header(response, f->name, f->value) == MHD_YES;
	}
	return ok;
}

static void count(const struct gs_web_request *request, size_t bytes) {
	char code[16];
	snprintf(code, sizeof(code), "%u", request->code);
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 1, request->route != NULL ? request->route->path : "other", code);
	gs_metric_add(GS_M_HTTP_BYTES, request->head ? 0 : (double)bytes);
}

/* An answer of which a part was lost becomes an honest failure that needs no memory of ours. */
static struct MHD_Response *replacement(struct gs_web_request *request) {
	request->code = 500;
	request->fields = NULL;
	request->type = "text/plain; charset=utf-8";
	request->packed = GS_CODEC_IDENTITY;
	gs_buf_free(&request->answer);
	return MHD_create_response_from_buffer(
	    sizeof(OUT_OF_MEMORY) - 1, (void *)(uintptr_t)OUT_OF_MEMORY, MHD_RESPMEM_PERSISTENT);
}

gs_mhd_result gs_web_answer_send(struct gs_web_request *request) {
	if (request->stream.next != NULL && !request->broken)
		gs_web_stream_begin(request);
	bool streams = request->stream.next != NULL;
	struct gs_web_accept accept = gs_web_accept_read(gs_web_header(request, "Accept-Encoding"));
	bool encoded = request->negotiated || has_field(request, "Content-Encoding");
	bool worth = request->answer.n >= GS_WEB_ZIP_MIN || (!accept.plain && request->answer.n != 0);
	bool varies = !request->broken && (request->negotiated || (worth && !encoded));
	if (varies && !encoded && accept.best != GS_CODEC_IDENTITY)
		zip(request, &accept);
	size_t n = request->broken ? sizeof(OUT_OF_MEMORY) - 1 : streams ? 0 : request->answer.n;
	struct MHD_Response *response = request->broken ? replacement(request)
					: streams       ? gs_web_stream_response(request)
							: from_memory(&request->answer);
	if (response == NULL)
		return MHD_NO;
	gs_mhd_result sent = MHD_NO;
	if (add_fields(request, response, varies)) {
		count(request, n);
		sent = MHD_queue_response(request->connection, request->code, response);
	}
	MHD_destroy_response(response);
	return sent;
}
