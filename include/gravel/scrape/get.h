/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_SCRAPE_GET_H
#define GRAVEL_SCRAPE_GET_H

#include "gravel/base/buf.h"
#include "gravel/scrape/scrape.h"

/*
 * Single requests over HTTP for whoever has a loop of his own: with the settings of a gs_config_http, the limits and the sentences of a scrape. Nothing
 * blocks: wait for gs_http_fd to be readable or for gs_http_deadline_ns, then call gs_http_work. One thread.
 */
struct gs_http;

struct gs_http_request {
	const char *url; /* http or https; copied by libcurl */
	const struct gs_config_http *http; /* NULL: the defaults. Must live until the end */
	const char *const *headers; /* "Name: value"; copied */
	size_t nheaders;
	struct gs_str
	    post; /* p is not NULL: a POST of this (copied), without a Content-Type unless headers have one; else a GET */
	int64_t timeout_ms; /* of everything; 1 ms .. 366 days */
};

/* Valid during the call. */
struct gs_http_answer {
	enum gs_scrape_cause cause; /* GS_SCRAPE_OK with status 200 alone */
	const char *text; /* one sentence on the cause, without secrets; "" when OK */
	struct gs_str body; /* decoded; empty unless OK */
	struct gs_str content_type;
};

/* Once for each request that was started, from gs_http_work; may start others. */
typedef void gs_http_fn(void *ctx, const struct gs_http_answer *answer);

/** gs_http_new(user_agent, body_limit, ret_http, err): ${user_agent} must live as long; ${body_limit} in bytes, before and after decoding. GS_ENOMEM, GS_EIO. */
GS_MUST_USE enum gs_status gs_http_new(
    const char *user_agent, size_t body_limit, struct gs_http **ret_http, struct gs_error *err);

/** gs_http_free(http): Cancels what runs, without telling. NULL is nothing. */
void gs_http_free(struct gs_http *http);

/** gs_http_start(http, request, fn, ctx, err): Begin. GS_ENOMEM, GS_EIO, GS_EINVAL: a setting that cannot be used (a secret's file that cannot be read); ${fn} is then not called. */
GS_MUST_USE enum gs_status gs_http_start(
    struct gs_http *http, const struct gs_http_request *request, gs_http_fn *fn, void *ctx, struct gs_error *err);

/** gs_http_fd(http): A descriptor for epoll or poll (readable: there is work). */
int gs_http_fd(const struct gs_http *http);

/** gs_http_deadline_ns(http): When gs_http_work wants to be called at the latest, by the monotonic clock; INT64_MAX: never. */
int64_t gs_http_deadline_ns(const struct gs_http *http);

/** gs_http_work(http): Do what can be done without waiting. */
void gs_http_work(struct gs_http *http);

/** gs_http_secret(given, what, out, err): Append the secret as it is now to ${out}; ${what} is its key, for errors. GS_EIO for a file that cannot be read, GS_EINVAL, GS_ELIMIT, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_http_secret(
    const struct gs_config_secret *given, const char *what, struct gs_buf *out, struct gs_error *err);

#endif
