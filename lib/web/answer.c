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

/* Replace the body by its gzip form; return whether that was done. What does not shrink or finds no memory goes
 * as it is. */
static bool zip(struct gs_web_request *request) {
	struct gs_buf packed;
	struct gs_codec *codec = gs_web_codec_take(request->web);
	if (codec == NULL)
		return false;
	gs_buf_init(&packed, request->answer.n - 1);
	enum gs_status status =
	    gs_codec_compress(codec, GS_CODEC_GZIP, GS_WEB_ZIP_LEVEL, gs_buf_slice(&request->answer), &packed);
	gs_web_codec_give(request->web, codec);
	if (status == GS_OK) {
		gs_buf_free(&request->answer);
		request->answer = packed;
		return true;
	}
	gs_buf_free(&packed);
	return false;
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

static bool add_fields(const struct gs_web_request *request, struct MHD_Response *response, bool varies, bool zipped) {
	bool ok = true;
	if (request->type != NULL)
		ok &= MHD_add_response_header(response, "Content-Type", request->type) == MHD_YES;
	if (varies)
		ok &= MHD_add_response_header(response, "Vary", "Accept-Encoding") == MHD_YES;
	if (zipped)
		ok &= MHD_add_response_header(response, "Content-Encoding", "gzip") == MHD_YES;
	for (const struct gs_web_field *f = request->fields; f != NULL; f = f->next)
		ok &= MHD_add_response_header(response, f->name, f->value) == MHD_YES;
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
	gs_buf_free(&request->answer);
	return MHD_create_response_from_buffer(
	    sizeof(OUT_OF_MEMORY) - 1, (void *)(uintptr_t)OUT_OF_MEMORY, MHD_RESPMEM_PERSISTENT);
}

gs_mhd_result gs_web_answer_send(struct gs_web_request *request) {
	bool varies =
	    !request->broken && request->answer.n >= GS_WEB_ZIP_MIN && !has_field(request, "Content-Encoding");
	bool zipped = varies && gs_web_accepts_gzip(gs_web_header(request, "Accept-Encoding")) && zip(request);
	size_t n = request->broken ? sizeof(OUT_OF_MEMORY) - 1 : request->answer.n;
	struct MHD_Response *response = request->broken ? replacement(request) : from_memory(&request->answer);
	if (response == NULL)
		return MHD_NO;
	gs_mhd_result sent = MHD_NO;
	if (add_fields(request, response, varies, zipped)) {
		count(request, n);
		sent = MHD_queue_response(request->connection, request->code, response);
	}
	MHD_destroy_response(response);
	return sent;
}
