/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/scrape/get.h"

#include "fetch.h"
#include "gravel/base/mem.h"
#include "secret.h"
#include "settings.h"

/* A request and what it must keep alive until its end. */
struct call {
	struct call *next;
	struct call **link; /* what points at it */
	gs_http_fn *fn;
	void *ctx;
	struct curl_slist *headers;
	struct gs_settings *settings;
	struct gs_route route;
	struct gs_buf post;
};

struct gs_http {
	struct gs_fetcher *fetcher;
	struct call *calls; /* those under way */
};

static void free_call(struct call *call) {
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
	curl_slist_free_all(call->headers);
	gs_route_free(&call->route);
	gs_settings_free(call->settings);
	gs_buf_free(&call->post);
	gs_free(call);
}

static void on_done(void *ctx, void *user, struct gs_scrape_result *result) {
	struct call *call = user;
	struct gs_http_answer answer = {
	    .cause = result->cause, .text = result->text, .body = result->body, .content_type = result->content_type};
	(void)ctx;
	call->fn(call->ctx, &answer);
	free_call(call);
}

enum gs_status gs_http_new(const char *user_agent, size_t body_limit, struct gs_http **ret_http, struct gs_error *err) {
	struct gs_http *http = gs_alloc(sizeof(*http));
	if (http == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	struct gs_fetcher_options options = {
	    .user_agent = user_agent, .body_limit = body_limit, .on_done = on_done, .ctx = http};
	enum gs_status status = gs_fetcher_new(&options, &http->fetcher, err);
	if (status == GS_OK && gs_fetcher_reserve(http->fetcher, 1) != GS_OK)
		status = gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	if (status == GS_OK)
		*ret_http = http;
	else
		gs_http_free(http);
	return status;
}

void gs_http_free(struct gs_http *http) {
	if (http == NULL)
		return;
	gs_fetcher_free(http->fetcher);
	while (http->calls != NULL)
		free_call(http->calls);
	gs_free(http);
}

static bool add_header(struct call *call, const char *line) {
	struct curl_slist *list = curl_slist_append(call->headers, line);
	if (list != NULL)
		call->headers = list;
	return list != NULL;
}

static struct call *new_call(struct gs_http *http) {
	struct call *call = gs_alloc(sizeof(*call));
	if (call == NULL)
		return NULL;
	call->next = http->calls;
	call->link = &http->calls;
	if (call->next != NULL)
		call->next->link = &call->next;
	http->calls = call;
	gs_buf_init(&call->post, SIZE_MAX);
	return call;
}

static enum gs_status set_headers(struct call *call, const struct gs_http_request *request) {
	/* Without it libcurl would wait a second for a 100 that few servers send. */
	bool ok = add_header(call, "Expect:");
	for (size_t i = 0; i < request->nheaders && ok; i++)
		ok = add_header(call, request->headers[i]);
	return ok ? gs_settings_headers(call->settings, &call->headers) : GS_ENOMEM;
}

static enum gs_status furnish(struct call *call, const struct gs_http_request *request, struct gs_error *err) {
	(void)gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	enum gs_status status = gs_settings_new(request->http, &call->settings);
	if (status == GS_EINVAL)
		return gs_error_set(err, status, 0, 0, "tls_config.server_name is no name of a host");
	if (status == GS_OK)
		status = gs_settings_refresh(call->settings, err);
	if (status == GS_OK)
		status = set_headers(call, request);
	if (status == GS_OK)
		status = gs_route_init(&call->route, call->settings, request->url);
	gs_buf_str(&call->post, request->post);
	gs_buf_char(&call->post, '\0');
	return status == GS_OK ? call->post.status : status;
}

static enum gs_status start(struct gs_http *http, struct call *call, const struct gs_http_request *request) {
	struct gs_transfer_request transfer = {
	    .url = request->url,
	    .timeout_ms = request->timeout_ms,
	    .headers = call->headers,
	    .settings = call->settings,
	    .user = call,
	};
	if (request->post.p != NULL)
		transfer.post = gs_str_make(call->post.p, call->post.n - 1);
	if (call->route.url != NULL) {
		transfer.url = call->route.url;
		transfer.shown_url = request->url;
		transfer.connect_to = call->route.connect_to;
		call->route.host.next = call->headers;
		transfer.headers = &call->route.host;
	}
	return gs_fetcher_start(http->fetcher, 0, &transfer);
}

enum gs_status gs_http_start(
    struct gs_http *http, const struct gs_http_request *request, gs_http_fn *fn, void *ctx, struct gs_error *err) {
	struct call *call = new_call(http);
	if (call == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	call->fn = fn;
	call->ctx = ctx;
	enum gs_status status = furnish(call, request, err);
	if (status == GS_OK)
		status = start(http, call, request);
	if (status == GS_OK)
		return GS_OK;
	free_call(call);
	return status != GS_ENOMEM ? status : gs_error_set(err, status, 0, 0, "out of memory");
}

enum gs_status gs_http_secret(
    const struct gs_config_secret *given, const char *what, struct gs_buf *out, struct gs_error *err) {
	struct gs_secret secret;
	bool changed;
	gs_secret_init(&secret, given, what);
	enum gs_status status = gs_secret_refresh(&secret, &changed, err);
	if (status == GS_OK) {
		gs_buf_cstr(out, secret.value);
		status = out->status;
	}
	gs_secret_free(&secret);
	return status;
}

int gs_http_fd(const struct gs_http *http) {
	return gs_fetcher_fd(http->fetcher);
}

int64_t gs_http_deadline_ns(const struct gs_http *http) {
	return gs_fetcher_timer_ns(http->fetcher);
}

void gs_http_work(struct gs_http *http) {
	gs_fetcher_poll(http->fetcher, 0);
}
