/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_WEB_INTERNAL_H
#define GRAVEL_WEB_INTERNAL_H

#include <microhttpd.h>

#include "gravel/base/arena.h"
#include "gravel/base/lock.h"
#include "gravel/codec/codec.h"
#include "gravel/web/web.h"

/* libmicrohttpd's yes and no were a plain int once (EL8). */
#if MHD_VERSION >= 0x00097002
typedef enum MHD_Result gs_mhd_result;
#else
typedef int gs_mhd_result;
#endif

#define GS_WEB_THREADS 16 /* at most */
#define GS_WEB_CODECS 16 /* codecs kept for the next request */
#define GS_WEB_ZIP_MIN 1024 /* bytes of the least body worth compressing */
#define GS_WEB_ZIP_LEVEL 3 /* gzip: on an aggregated body a third smaller than 1 at the same speed (measured) */
#define GS_WEB_HEAD                                                                                                    \
	((size_t)64 * 1024) /* bytes of a stream that are made before it is sent: a shorter one has a length */

/*
 * Invariants, under lock:
 * 1. unanswered counts the requests whose handler was called and that have no answer yet, plus those whose answering thread has
 *    not let go of them.
 * 2. unfinished counts the requests whose handler was called and that libmicrohttpd has not let go of; every unanswered
 *    request is unfinished, until its answer wakes its connection.
 * 3. body_bytes is the sum of charged over all requests.
 */
struct gs_web {
	struct MHD_Daemon *daemons[GS_WEB_THREADS]; /* each has a thread */
	size_t ndaemons;
	struct gs_web_acceptor *acceptor;
	const struct gs_web_route *routes;
	void *ctx;
	size_t body_limit;
	const char *body_limit_key;
	unsigned port;
	struct gs_lock lock; /* what follows, and answered and parked of every request */
	struct gs_cond changed;
	size_t unanswered;
	size_t unfinished;
	bool stopping;
	size_t body_bytes; /* memory of all bodies, the sum of charged */
	struct gs_codec *codecs[GS_WEB_CODECS];
	size_t codec_count;
};

struct gs_web_arg {
	struct gs_str name;
	struct gs_str value;
};

struct gs_web_field {
	const char *name;
	const char *value;
	struct gs_web_field *next;
};

/*
 * One request. It belongs to the HTTP thread of its connection; while it is suspended, to whoever answers it.
 * answered and parked are the hand-over, under web->lock:
 *   handler returns:  answered? send it. Else suspend the connection, parked = true.
 *   answer arrives:   answered = true. Parked? Wake the connection, and the HTTP thread sends it.
 */
struct gs_web_request {
	struct gs_web *web;
	struct MHD_Connection *connection;
	const struct gs_web_route *route; /* NULL: no route fits */
	enum gs_web_method method;
	bool head; /* HEAD: method is GET */
	bool keeps_body; /* POST or PUT */
	bool dispatched; /* the handler was called */
	bool suspended; /* the handler said so */
	bool answered;
	bool parked;
	bool broken; /* an added header was lost: out of memory */
	struct gs_str path;
	enum gs_codec_kind encoding;
	struct gs_buf body;
	size_t charged; /* memory of body as entered in web->body_bytes */
	size_t discarded; /* bytes of the body that nobody wants */
	struct gs_arena *arena; /* args and fields; NULL until needed */
	struct gs_web_arg *args;
	size_t arg_count;
	unsigned code;
	const char *type;
	struct gs_buf answer;
	struct gs_web_stream stream; /* next is NULL: the answer is whole */
	enum gs_codec_kind packed; /* how the answer is encoded already */
	bool negotiated; /* the handler chose that by Accept-Encoding */
	struct gs_web_field *fields;
};

/* listen.c */

/** gs_web_listen(address, setting, ret_fd, ret_port, err): Open the listening socket of options->listen. */
GS_MUST_USE enum gs_status gs_web_listen(
    const char *address, const char *setting, int *ret_fd, unsigned *ret_port, struct gs_error *err);

/* accept.c */

struct gs_web_acceptor;

/** gs_web_acceptor_start(daemons, n, listener, max): Accept connections on ${listener} for ${daemons}, on a thread; while each has ${max}, others wait. Takes ${listener}
 * over, and ${daemons} must live until it stops; NULL, without that, where the system has no threads, descriptors or memory. */
struct gs_web_acceptor *gs_web_acceptor_start(struct MHD_Daemon *const *daemons, size_t n, int listener, unsigned max);

/** gs_web_acceptor_stop(acceptor): Before the daemons stop. NULL is nothing. */
void gs_web_acceptor_stop(struct gs_web_acceptor *acceptor);

/* negotiate.c */

/* What an Accept-Encoding asks for. */
struct gs_web_accept {
	enum gs_codec_kind best;
	bool plain; /* identity will do */
	bool nothing; /* nothing that we have will do */
};

/** gs_web_accept_read(accept): Read an Accept-Encoding (RFC 9110, 12.5.3). No header: identity. */
struct gs_web_accept gs_web_accept_read(struct gs_str accept);

/* request.c */

/** gs_web_request_new(web, connection, url, method): Return a request that is routed, or already refused, or NULL. ${url} must live as long. */
struct gs_web_request *gs_web_request_new(
    struct gs_web *web, struct MHD_Connection *connection, const char *url, const char *method);
void gs_web_request_free(struct gs_web_request *request);

/** gs_web_request_alloc(request, n): Memory that lives as long as the request, or NULL. */
void *gs_web_request_alloc(struct gs_web_request *request, size_t n);

/** gs_web_request_args(request): Read the query. GS_EINVAL for a broken escape, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_web_request_args(struct gs_web_request *request);

/* receive.c */

/** gs_web_receive_begin(request): Look at what the headers say of the body and refuse what must be refused. Return whether the answer must
 * not wait for the body. */
bool gs_web_receive_begin(struct gs_web_request *request);

/** gs_web_receive(request, p, n): Take the next bytes of the body. False where the connection must be cut. */
bool gs_web_receive(struct gs_web_request *request, const char *p, size_t n);

/** gs_web_receive_charge(request): Enter the memory of the body as it is now; false where all bodies together take too much. */
bool gs_web_receive_charge(struct gs_web_request *request);

/** gs_web_receive_end(request): Decode the body, or refuse it. */
void gs_web_receive_end(struct gs_web_request *request);

/* answer.c */

/** gs_web_answer_send(request): Give the stored answer to libmicrohttpd, and count it. */
gs_mhd_result gs_web_answer_send(struct gs_web_request *request);

/* stream.c */

/** gs_web_stream_free(stream): End the stream if there is one, and forget it. */
void gs_web_stream_free(struct gs_web_stream *stream);

/** gs_web_stream_begin(request): Make the begin of the stream as a whole answer: a short one ends there, and what fails at once becomes an answer that
 * says so. Else the stream is still there. */
void gs_web_stream_begin(struct gs_web_request *request);

/** gs_web_stream_response(request): What libmicrohttpd pulls the answer from; NULL: no memory. */
struct MHD_Response *gs_web_stream_response(struct gs_web_request *request);

/* web.c */

/** gs_web_codec_take(web): Return a codec for one use, or NULL; gs_web_codec_give(web, codec) takes it back. */
struct gs_codec *gs_web_codec_take(struct gs_web *web);
void gs_web_codec_give(struct gs_web *web, struct gs_codec *codec);

#endif
