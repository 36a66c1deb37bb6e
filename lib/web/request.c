/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "web_internal.h"

#define ARENA_MAX ((size_t)8 * GS_LIMIT_WEB_HEADERS) /* decoded query, added headers */

static const struct {
	const char *name;
	enum gs_web_method method;
} methods[] = {
    {"GET", GS_WEB_GET},
    {"POST", GS_WEB_POST},
    {"PUT", GS_WEB_PUT},
    {"DELETE", GS_WEB_DELETE},
};

#define METHODS (sizeof(methods) / sizeof(methods[0]))

/* 0 for a method that no route can have. */
static unsigned method_of(const char *name, bool *ret_head) {
	*ret_head = strcmp(name, "HEAD") == 0;
	if (*ret_head)
		return GS_WEB_GET;
	for (size_t i = 0; i < METHODS; i++) {
		if (strcmp(name, methods[i].name) == 0)
			return methods[i].method;
	}
	return 0;
}

/* The path of a request target: without "http://host" where a client of a proxy sends that (RFC 9112, 3.2.2). */
static struct gs_str path_of(const char *url) {
	struct gs_str path = gs_str_of(url);
	if (!gs_str_starts(path, GS_STR("http://")))
		return path;
	const char *slash = strchr(url + 7, '/');
	return slash != NULL ? gs_str_of(slash) : GS_STR("/");
}

static bool fits(const struct gs_web_route *route, struct gs_str path) {
	struct gs_str own = gs_str_of(route->path);
	if (!gs_str_starts(path, own))
		return false;
	if (path.n == own.n)
		return true;
	return route->prefix && (path.p[own.n] == '/' || (own.n != 0 && own.p[own.n - 1] == '/'));
}

static void refuse_method(struct gs_web_request *request) {
	struct gs_buf allow;
	gs_buf_init(&allow, 64);
	for (size_t i = 0; i < METHODS; i++) {
		if ((request->route->methods & methods[i].method) == 0)
			continue;
		if (allow.n != 0)
			gs_buf_cstr(&allow, ", ");
		gs_buf_cstr(&allow, methods[i].method == GS_WEB_GET ? "GET, HEAD" : methods[i].name);
	}
	gs_buf_char(&allow, '\0');
	request->broken |= allow.status != GS_OK;
	if (!request->broken)
		gs_web_add_header(request, "Allow", allow.p);
	gs_buf_free(&allow);
	gs_web_answer_text(request, 405, "method not allowed\n");
}

static void route(struct gs_web_request *request, const char *method) {
	const struct gs_web_route *r = request->web->routes;
	unsigned known = method_of(method, &request->head);
	while (r->path != NULL && !fits(r, request->path))
		r++;
	request->method = known != 0 ? (enum gs_web_method)known : GS_WEB_GET;
	request->keeps_body = known == GS_WEB_POST || known == GS_WEB_PUT;
	request->route = r->path != NULL ? r : NULL;
	if (request->route == NULL)
		gs_web_answer_text(request, 404, "not found\n");
	else if ((r->methods & known) == 0)
		refuse_method(request);
}

struct gs_web_request *gs_web_request_new(
    struct gs_web *web, struct MHD_Connection *connection, const char *url, const char *method) {
	struct gs_web_request *request = gs_alloc(sizeof(*request));
	if (request == NULL)
		return NULL;
	request->web = web;
	request->connection = connection;
	request->path = path_of(url);
	gs_buf_init(&request->body, web->body_limit);
	gs_buf_init(&request->answer, SIZE_MAX);
	route(request, method);
	return request;
}

void gs_web_request_free(struct gs_web_request *request) {
	if (request == NULL)
		return;
	gs_buf_free(&request->body);
	gs_web_receive_charge(request);
	gs_buf_free(&request->answer);
	gs_web_stream_free(&request->stream);
	gs_arena_free(request->arena);
	gs_free(request);
}

void *gs_web_request_alloc(struct gs_web_request *request, size_t n) {
	if (request->arena == NULL)
		request->arena = gs_arena_new(ARENA_MAX);
	return request->arena != NULL ? gs_arena_alloc(request->arena, n) : NULL;
}

static const char *keep(struct gs_web_request *request, struct gs_str s) {
	char *p = gs_web_request_alloc(request, s.n + 1);
	if (p == NULL)
		return NULL;
	if (s.n != 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

/* What the walk over the arguments carries along. */
struct walk {
	struct gs_web_request *request;
	struct gs_buf text;
	enum gs_status status;
};

/* plus: libmicrohttpd has made blanks of them already, and left the escapes to us. */
static struct gs_str decoded(struct walk *walk, const char *raw) {
	gs_buf_clear(&walk->text);
	walk->status = gs_web_percent_decode(gs_str_of(raw), false, &walk->text);
	if (walk->status != GS_OK)
		return (struct gs_str){NULL, 0};
	const char *p = keep(walk->request, gs_buf_slice(&walk->text));
	if (p == NULL)
		walk->status = GS_ENOMEM;
	return gs_str_make(p, walk->text.n);
}

static gs_mhd_result add_arg(void *cls, enum MHD_ValueKind kind, const char *name, const char *value) {
	struct walk *walk = cls;
	struct gs_web_arg *arg = &walk->request->args[walk->request->arg_count];
	(void)kind;
	arg->name = decoded(walk, name);
	if (walk->status == GS_OK)
		arg->value = decoded(walk, value != NULL ? value : "");
	if (walk->status != GS_OK)
		return MHD_NO;
	walk->request->arg_count++;
	return MHD_YES;
}

enum gs_status gs_web_request_args(struct gs_web_request *request) {
	int n = MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, NULL, NULL);
	if (n <= 0)
		return GS_OK;
	request->args = gs_web_request_alloc(request, (size_t)n * sizeof(*request->args));
	if (request->args == NULL)
		return GS_ENOMEM;
	struct walk walk = {.request = request, .status = GS_OK};
	gs_buf_init(&walk.text, GS_LIMIT_WEB_HEADERS);
	MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, add_arg, &walk);
	gs_buf_free(&walk.text);
	return walk.status;
}

enum gs_web_method gs_web_method(const struct gs_web_request *request) {
	return request->method;
}

struct gs_str gs_web_path(const struct gs_web_request *request) {
	return request->path;
}

struct gs_str gs_web_rest(const struct gs_web_request *request) {
	size_t n = strlen(request->route->path);
	if (request->route->prefix && n != 0 && request->route->path[n - 1] == '/')
		n--;
	return gs_str_make(request->path.p + n, request->path.n - n);
}

struct gs_str gs_web_body(const struct gs_web_request *request) {
	return gs_buf_slice(&request->body);
}

struct gs_str gs_web_header(const struct gs_web_request *request, const char *name) {
	return gs_str_trim(gs_str_of(MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name)));
}

enum gs_codec_kind gs_web_encoding(const struct gs_web_request *request) {
	return gs_web_accept_read(gs_web_header(request, "Accept-Encoding")).best;
}

struct gs_str gs_web_query(const struct gs_web_request *request, const char *name, size_t i) {
	struct gs_str wanted = gs_str_of(name);
	for (size_t a = 0; a < request->arg_count; a++) {
		if (gs_str_eq(request->args[a].name, wanted) && i-- == 0)
			return request->args[a].value;
	}
	return (struct gs_str){NULL, 0};
}

void gs_web_add_header(struct gs_web_request *request, const char *name, const char *value) {
	struct gs_web_field *field = gs_web_request_alloc(request, sizeof(*field));
	if (field != NULL) {
		field->name = keep(request, gs_str_of(name));
		field->value = keep(request, gs_str_of(value));
	}
	if (field == NULL || field->name == NULL || field->value == NULL) {
		request->broken = true;
		return;
	}
	field->next = NULL;
	struct gs_web_field **at = &request->fields;
	while (*at != NULL)
		at = &(*at)->next;
	*at = field;
}

void gs_web_suspend(struct gs_web_request *request) {
	assert(!request->suspended);
	request->suspended = true;
}

/* One request less to wait for at the stop; with the lock held. */
static void settle_locked(struct gs_web *web) {
	gs_lock_assert_held(&web->lock);
	assert(web->unanswered != 0);
	web->unanswered--;
	gs_cond_broadcast(&web->changed);
}

/* The answer stands in the request: hand it over. */
static void settle(struct gs_web_request *request) {
	struct gs_web *web = request->web;
	struct MHD_Connection *connection = request->connection;
	gs_lock_take(&web->lock);
	assert(!request->answered);
	request->answered = true;
	bool dispatched = request->dispatched;
	bool wake = request->parked;
	if (dispatched && !wake)
		settle_locked(web);
	gs_lock_release(&web->lock);
	/* From here on the request may be gone. A parked connection waits for us, and the stop does as well. */
	if (!wake)
		return;
	MHD_resume_connection(connection);
	gs_lock_take(&web->lock);
	settle_locked(web);
	gs_lock_release(&web->lock);
}

void gs_web_answer(struct gs_web_request *request, unsigned code, const char *content_type, struct gs_buf *body) {
	request->code = code;
	request->type = content_type;
	if (body != NULL) {
		request->broken |= body->status != GS_OK;
		request->answer = *body;
		gs_buf_init(body, body->max);
	}
	settle(request);
}

void gs_web_answer_stream(struct gs_web_request *request, unsigned code, const char *content_type,
    enum gs_codec_kind encoding, const struct gs_web_stream *stream) {
	request->code = code;
	request->type = content_type;
	request->packed = encoding;
	request->negotiated = true;
	request->stream = *stream;
	settle(request);
}

void gs_web_answer_text(struct gs_web_request *request, unsigned code, const char *text) {
	struct gs_buf body;
	gs_buf_init(&body, SIZE_MAX);
	gs_buf_cstr(&body, text);
	gs_web_answer(request, code, "text/plain; charset=utf-8", &body);
	gs_buf_free(&body);
}
