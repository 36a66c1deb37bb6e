/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are made while they are sent. */
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "web_internal.h"

/* What a stream is while it is sent; libmicrohttpd's, one thread at a time. */
struct body {
	struct gs_web_stream stream;
	struct gs_buf head; /* what was made before sending began */
	struct gs_str piece; /* what is left of the piece that is being sent */
	enum gs_status status;
	bool ended;
};

void gs_web_stream_free(struct gs_web_stream *stream) {
	if (stream->next != NULL)
		stream->free(stream->ctx);
	*stream = (struct gs_web_stream){0};
}

/* The last word about what cannot be made. */
static void fail_stream(struct gs_web_request *request, enum gs_status status, const struct gs_error *err) {
	gs_web_stream_free(&request->stream);
	gs_buf_clear(&request->answer);
	request->packed = GS_CODEC_IDENTITY;
	request->negotiated = false;
	request->type = "text/plain; charset=utf-8";
	request->code = status == GS_ENOMEM ? 503 : 400;
	if (status == GS_ENOMEM)
		gs_web_add_header(request, "Retry-After", "1");
	gs_buf_printf(&request->answer, "%s\n", err->text[0] != '\0' ? err->text : "out of memory; try again");
	request->broken |= request->answer.status != GS_OK;
}

void gs_web_stream_begin(struct gs_web_request *request) {
	struct gs_str piece = {0};
	struct gs_error err = {0};
	do {
		enum gs_status status = request->stream.next(request->stream.ctx, &piece, &err);
		if (status == GS_OK && piece.n != 0)
			gs_buf_str(&request->answer, piece);
		if (status == GS_OK)
			status = request->answer.status;
		if (status != GS_OK) {
			fail_stream(request, status, &err);
			return;
		}
	} while (piece.n != 0 && request->answer.n < GS_WEB_HEAD);
	if (piece.n == 0)
		gs_web_stream_free(&request->stream);
}

/* Fill the room with as many pieces as it takes: every call is one to the kernel. */
static ssize_t on_pull(void *cls, uint64_t pos, char *out, size_t room) {
	struct body *body = cls;
	size_t n = 0;
	(void)pos;
	while (n < room && body->status == GS_OK && !body->ended) {
		if (body->piece.n == 0) {
			gs_buf_free(&body->head);
			body->status = body->stream.next(body->stream.ctx, &body->piece, NULL);
			body->ended = body->status == GS_OK && body->piece.n == 0;
			continue;
		}
		size_t part = body->piece.n < room - n ? body->piece.n : room - n;
		memcpy(out + n, body->piece.p, part);
		n += part;
		body->piece = gs_str_make(body->piece.p + part, body->piece.n - part);
	}
	gs_metric_add(GS_M_HTTP_BYTES, (double)n);
	if (n != 0)
		return (ssize_t)n;
	if (body->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	gs_metric_add(GS_M_HTTP_CUT, 1);
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_body_free(void *cls) {
	struct body *body = cls;
	gs_web_stream_free(&body->stream);
	gs_buf_free(&body->head);
	gs_free(body);
}

struct MHD_Response *gs_web_stream_response(struct gs_web_request *request) {
	struct body *body = gs_alloc(sizeof(*body));
	if (body == NULL)
		return NULL;
	struct MHD_Response *response =
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, GS_WEB_HEAD, on_pull, body, on_body_free);
	if (response == NULL) {
		gs_free(body);
		return NULL;
	}
	body->stream = request->stream;
	body->head = request->answer;
	body->piece = gs_buf_slice(&body->head);
	request->stream = (struct gs_web_stream){0};
	gs_buf_init(&request->answer, SIZE_MAX);
	return response;
}
