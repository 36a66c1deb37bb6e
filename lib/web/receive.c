/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <strings.h>

#include "gravel/base/limits.h"
#include "gravel/base/num.h"
#include "gravel/telemetry/telemetry.h"
#include "web_internal.h"

#define OUT_OF_MEMORY "out of memory\n"

/* What the headers say of the body. */
struct framing {
	unsigned lengths; /* Content-Length headers */
	unsigned codings; /* Transfer-Encoding headers */
	uint64_t length;
	bool chunked;
	bool malformed;
	bool expects; /* the client waits before it sends the body */
};

static gs_mhd_result look(void *cls, enum MHD_ValueKind kind, const char *name, const char *value) {
	struct framing *f = cls;
	struct gs_str v = gs_str_trim(gs_str_of(value));
	(void)kind;
	if (strcasecmp(name, "Content-Length") == 0) {
		f->lengths++;
		f->malformed |= gs_num_parse_u64(v, &f->length) != GS_OK;
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		f->codings++;
		f->chunked = v.n == 7 && strncasecmp(v.p, "chunked", 7) == 0;
	} else if (strcasecmp(name, "Expect") == 0) {
		f->expects = true;
	}
	return MHD_YES;
}

/* Where two readers could disagree on where the request ends, another request could be smuggled past one of
 * them (RFC 9112, 6.3): any repetition is refused, equal or not. */
static const char *ambiguous(const struct framing *f) {
	if (f->lengths > 1 || f->malformed)
		return "more than one Content-Length, or none that is a number\n";
	if (f->lengths != 0 && f->codings != 0)
		return "both Content-Length and Transfer-Encoding\n";
	if (f->codings > 1 || (f->codings == 1 && !f->chunked))
		return "a Transfer-Encoding other than chunked\n";
	return NULL;
}

/* The key that the limit is set by, in brackets, if there is one. */
static const char *key_of(const struct gs_web_request *request, char *buf, size_t n) {
	const char *key = request->keeps_body ? request->web->body_limit_key : NULL;
	buf[0] = '\0';
	if (key != NULL)
		snprintf(buf, n, " (%s)", key);
	return buf;
}

static void refuse_size(struct gs_web_request *request) {
	char text[192], key[96];
	size_t limit = request->keeps_body ? request->web->body_limit : GS_LIMIT_WEB_DISCARD;
	snprintf(text, sizeof(text), "the body is larger than the limit of %zu bytes%s\n", limit,
	    key_of(request, key, sizeof(key)));
	gs_metric_add_l(GS_M_LIMITED, 1, request->keeps_body ? "push_body" : "other", NULL);
	gs_web_answer_text(request, 413, text);
}

bool gs_web_receive_begin(struct gs_web_request *request) {
	struct framing f = {0};
	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look, &f);
	const char *problem = ambiguous(&f);
	/* The route's own refusal comes second: what follows on such a connection cannot be trusted. */
	if (problem != NULL && !request->answered)
		gs_web_answer_text(request, 400, problem);
	if (problem != NULL)
		return true;
	size_t limit = request->keeps_body ? request->web->body_limit : GS_LIMIT_WEB_DISCARD;
	struct gs_str encoding = gs_web_header(request, "Content-Encoding");
	if (!request->answered && f.length > limit)
		refuse_size(request);
	if (!request->answered && request->keeps_body && gs_codec_parse(encoding, &request->encoding) != GS_OK)
		gs_web_answer_text(request, 415, "Content-Encoding: only gzip, zstd and identity are understood\n");
	/* An answer before the body closes the connection, so a small body is read and dropped instead. */
	bool has_body = f.length != 0 || f.chunked;
	bool now = f.expects || request->code == 413 || f.length > GS_LIMIT_WEB_DISCARD;
	return request->answered && has_body && now;
}

/* libmicrohttpd cannot answer in the middle of a body: the rest is read so that the refusal can be sent, up to a
 * limit of its own. */
static bool discard(struct gs_web_request *request, size_t n) {
	size_t limit = request->web->body_limit;
	if (limit < GS_LIMIT_WEB_DISCARD || !request->keeps_body)
		limit = GS_LIMIT_WEB_DISCARD;
	request->discarded += n;
	return request->discarded <= limit;
}

bool gs_web_receive_charge(struct gs_web_request *request) {
	struct gs_web *web = request->web;
	if (request->body.cap == request->charged)
		return true;
	bool grows = request->body.cap > request->charged;
	gs_lock_take(&web->lock);
	web->body_bytes = web->body_bytes - request->charged + request->body.cap;
	bool fits = web->body_bytes / GS_LIMIT_WEB_BODIES <= web->body_limit;
	gs_lock_release(&web->lock);
	request->charged = request->body.cap;
	return fits || !grows;
}

static void refuse_busy(struct gs_web_request *request) {
	char text[192], key[96];
	snprintf(text, sizeof(text), "%d bodies' worth of bytes is being sent here at once; try again later%s\n",
	    GS_LIMIT_WEB_BODIES, key_of(request, key, sizeof(key)));
	gs_metric_add_l(GS_M_LIMITED, 1, "bodies", NULL);
	gs_web_add_header(request, "Retry-After", "1");
	gs_web_answer_text(request, 429, text);
}

static void refuse_without_memory(struct gs_web_request *request) {
	gs_web_add_header(request, "Retry-After", "1");
	gs_web_answer_text(request, 503, OUT_OF_MEMORY);
}

bool gs_web_receive(struct gs_web_request *request, const char *p, size_t n) {
	if (request->answered || !request->keeps_body)
		return discard(request, n);
	gs_buf_add(&request->body, p, n);
	enum gs_status status = request->body.status;
	if (gs_web_receive_charge(request) && status == GS_OK)
		return true;
	gs_buf_free(&request->body);
	gs_web_receive_charge(request);
	if (status == GS_ELIMIT)
		refuse_size(request);
	else if (status == GS_OK)
		refuse_busy(request);
	else
		refuse_without_memory(request);
	return discard(request, n);
}

void gs_web_receive_end(struct gs_web_request *request) {
	struct gs_web *web = request->web;
	if (request->answered || request->body.n == 0 || request->encoding == GS_CODEC_IDENTITY)
		return;
	struct gs_buf plain;
	gs_buf_init(&plain, web->body_limit);
	struct gs_codec *codec = gs_web_codec_take(web);
	enum gs_status status =
	    codec == NULL ? GS_ENOMEM
			  : gs_codec_decompress(codec, request->encoding, gs_buf_slice(&request->body), &plain);
	gs_web_codec_give(web, codec);
	gs_buf_free(&request->body);
	if (status == GS_OK)
		request->body = plain;
	else
		gs_buf_free(&plain);
	bool fits = gs_web_receive_charge(request);
	if (status == GS_ELIMIT)
		refuse_size(request);
	else if (status == GS_EINVAL)
		gs_web_answer_text(
		    request, 400, "the body is not what its Content-Encoding says: damaged or cut short\n");
	else if (status != GS_OK)
		refuse_without_memory(request);
	else if (!fits)
		refuse_busy(request);
}
