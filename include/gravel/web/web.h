/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_WEB_WEB_H
#define GRAVEL_WEB_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/buf.h"
#include "gravel/base/error.h"
#include "gravel/codec/codec.h"

/*
 * The HTTP server. The only module that includes microhttpd.h. Routes are a table; a handler runs on an HTTP thread and answers at once,
 * or suspends its request and answers later from any thread.
 */
struct gs_web;
struct gs_web_request;

enum gs_web_method {
	GS_WEB_GET = 1,
	GS_WEB_POST = 2,
	GS_WEB_PUT = 4,
	GS_WEB_DELETE = 8
}; /* HEAD goes where GET goes */

typedef void gs_web_fn(void *ctx, struct gs_web_request *request);

struct gs_web_route {
	const char *path; /* "/metrics"; with prefix also "/metrics/..." */
	bool prefix;
	unsigned methods; /* set of gs_web_method; others are answered 405 with Allow */
	gs_web_fn *handler;
};

struct gs_web_options {
	/* host:port, [v6]:port or :port (all addresses); port 0: any; a name that has both: its IPv4 address */
	const char *listen;
	const char *setting; /* where a person sets listen, for errors; NULL: "-l or receiver.listen" */
	const struct gs_web_route *routes; /* ended by path NULL; must outlive the server. The first that fits */
	void *ctx; /* of every handler */
	size_t
	    body_limit; /* bytes of a request body, before and after decompression; beyond: 413. All bodies together: GS_LIMIT_WEB_BODIES times this; beyond: 429 with Retry-After */
	const char *body_limit_key; /* where a person sets body_limit, for errors; NULL: nowhere */
	unsigned threads; /* 2 if 0 */
	unsigned idle_timeout_s; /* 60 if 0 */
};

/** gs_web_start(options, ret_web, err): GS_EINVAL for an address that is none, GS_EIO with a sentence that says what to do (port in use, no permission). */
GS_MUST_USE enum gs_status gs_web_start(
    const struct gs_web_options *options, struct gs_web **ret_web, struct gs_error *err);

/** gs_web_stop(web): Answer new requests with 503, wait for suspended requests to be answered (the caller sees to it that they are) and for handlers, free. */
void gs_web_stop(struct gs_web *web);

/** gs_web_port(web): The port it listens on. */
unsigned gs_web_port(const struct gs_web *web);

/* What was asked. Slices are valid until the request is answered. */
enum gs_web_method gs_web_method(const struct gs_web_request *request);
struct gs_str gs_web_path(const struct gs_web_request *request); /* as sent, still percent-encoded, without the query */
struct gs_str gs_web_rest(
    const struct gs_web_request *request); /* of a prefix route: what follows its path, with the leading '/' */
struct gs_str gs_web_body(
    const struct gs_web_request *request); /* decoded by Content-Encoding (gzip, zstd); for POST and PUT */

/** gs_web_header(request, name): The first such header without blanks around it, or the empty slice. ${name} is compared without case. */
struct gs_str gs_web_header(const struct gs_web_request *request, const char *name);

/** gs_web_query(request, name, i): The ${i}-th value of the query argument ${name}, percent-decoded; {NULL, 0} if there is none. */
struct gs_str gs_web_query(const struct gs_web_request *request, const char *name, size_t i);

/** gs_web_percent_decode(in, plus, out): Append ${in} decoded ("+" as blank where ${plus}). GS_EINVAL for a broken escape or an encoded NUL. */
GS_MUST_USE enum gs_status gs_web_percent_decode(struct gs_str in, bool plus, struct gs_buf *out);

/** gs_web_answer(request, code, content_type, body):
 * Answer now, from the handler. ${body} is taken over (the buffer is empty afterwards; NULL or empty for none); bodies from 1 KiB on are compressed
 * for those who accept it. A header Vary names what else the answer depends on; Accept-Encoding is added to it. ${content_type} is not copied: a literal, or NULL. A body buffer with an error is answered 500. Exactly one answer or one suspend for each request. */
void gs_web_answer(struct gs_web_request *request, unsigned code, const char *content_type, struct gs_buf *body);

/** gs_web_answer_text(request, code, text): The same with a short text/plain body that is copied. */
void gs_web_answer_text(struct gs_web_request *request, unsigned code, const char *text);

/** gs_web_encoding(request): How the reader wants the body of the answer: what it likes best, gzip before zstd before identity. A GET whose Accept-Encoding has no
 * room for any of them is answered 406 before there is a handler. */
enum gs_codec_kind gs_web_encoding(const struct gs_web_request *request);

/*
 * An answer that is made while it is sent.
 */
struct gs_web_stream {
	/* The next piece, empty at the end. It must live until the next call. On an HTTP thread, which it should not hold for long; never two calls at
	 * once. An error is answered (400, or 503 for GS_ENOMEM, with the text of ${err}) while nothing has been sent, later it cuts the connection. */
	enum gs_status (*next)(void *ctx, struct gs_str *ret_piece, struct gs_error *err);
	void (*free)(void *ctx); /* once, whatever happens; on any thread */
	void *ctx;
};

/** gs_web_answer_stream(request, code, content_type, encoding, stream):
 * As gs_web_answer, with a body in pieces that are encoded already. It has a Content-Length if it is short. ${stream} is copied. */
void gs_web_answer_stream(struct gs_web_request *request, unsigned code, const char *content_type,
    enum gs_codec_kind encoding, const struct gs_web_stream *stream);

/** gs_web_add_header(request, name, value): One more header of the answer, before answering; both are copied. */
void gs_web_add_header(struct gs_web_request *request, const char *name, const char *value);

/** gs_web_suspend(request): Instead of an answer, from the handler: the connection waits. Then any thread calls gs_web_answer once, at any time, even before the
 * handler has returned. */
void gs_web_suspend(struct gs_web_request *request);

#endif
