/* SPDX-License-Identifier: Apache-2.0 */
#include "etcd_answer.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/scrape/get.h"
#include "private.h"

/*
 * etcd v3 by its JSON gateway, asked again every refresh_interval; no watch. A refresh reads all keys of the prefix, page by page at the revision of the
 * first page, from the first endpoint that gives all of them, beginning with the one that did so last.
 */

/* Fixed: keys of one page; with the longest keys and values far below the limit of an answer. */
#define PAGE 5000
/* Fixed: of one answer, so that the next endpoint has its turn. */
#define TIMEOUT_MS 10000
#define TOKEN_MAX 8192
#define PASSWORD_MAX 16384

struct state {
	struct gs_config_http http; /* without basic_auth: that is for the login */
	struct gs_sd_doc *doc; /* the last good list */
	size_t endpoint; /* the one in use */
	struct gs_buf token; /* empty: none */
	/* The refresh under way. */
	struct gs_sd_doc *next;
	struct gs_sd_etcd_page page;
	struct gs_buf last; /* key of it */
	struct gs_buf url;
	size_t tried; /* endpoints that failed */
	bool renewed; /* a new token was fetched from this endpoint */
	size_t skipped; /* keys without an address in the last list */
};

static void attempt(struct gs_sd_source *source);

static void finish(struct gs_sd_source *source) {
	struct state *s = source->state;
	gs_sd_doc_free(s->next);
	s->next = NULL;
	source->busy = false;
}

/* This endpoint is of no use now: the next one, or the end of the refresh. */
static void fail(struct gs_sd_source *source, const char *why) {
	struct state *s = source->state;
	char shown[GS_SD_SHOWN];
	gs_sd_shown_url(source->sd->names[s->endpoint], shown, sizeof(shown));
	s->endpoint = (s->endpoint + 1) % source->sd->nnames;
	s->renewed = false;
	if (++s->tried < source->sd->nnames) {
		attempt(source);
		return;
	}
	gs_sd_failed(source, "%s: %s", shown, why);
	finish(source);
}

static void complete(struct gs_sd_source *source) {
	struct state *s = source->state;
	if (gs_sd_publish(source, &s->next, 1)) {
		gs_sd_doc_free(s->doc);
		s->doc = s->next;
		s->next = NULL;
		gs_sd_good(source);
		if (s->page.skipped != s->skipped)
			gs_log(GS_LOG_VERBOSE, "keys without host:port are left out job=\"%s\" prefix=\"%s\" keys=%zu",
			    source->job, source->sd->prefix, s->page.skipped);
		s->skipped = s->page.skipped;
	}
	finish(source);
}

/* Asking. */

static void post(struct gs_sd_source *source, const char *path, const struct gs_buf *body, gs_http_fn *fn) {
	struct state *s = source->state;
	struct gs_str endpoint = gs_str_of(source->sd->names[s->endpoint]);
	struct gs_buf header;
	struct gs_error err;
	while (gs_str_ends(endpoint, GS_STR("/")))
		endpoint.n--;
	gs_buf_clear(&s->url);
	gs_buf_str(&s->url, endpoint);
	gs_buf_cstr(&s->url, path);
	gs_buf_char(&s->url, '\0');
	gs_buf_init(&header, TOKEN_MAX + 32);
	gs_buf_cstr(&header, "Authorization: ");
	gs_buf_str(&header, gs_buf_slice(&s->token));
	gs_buf_char(&header, '\0');
	const char *headers[] = {"Content-Type: application/json", header.p};
	struct gs_http_request request = {
	    .url = s->url.p,
	    .http = &s->http,
	    .headers = headers,
	    .nheaders = s->token.n != 0 ? 2 : 1,
	    .post = gs_buf_slice(body),
	    .timeout_ms = TIMEOUT_MS,
	};
	enum gs_status status = GS_ENOMEM;
	(void)gs_error_set(&err, status, 0, 0, "out of memory");
	if (s->url.status == GS_OK && header.status == GS_OK && body->status == GS_OK)
		status = gs_http_start(source->discovery->http, &request, fn, source, &err);
	gs_buf_free(&header);
	if (status == GS_OK)
		return;
	gs_sd_failed(source, "%s", err.text);
	finish(source);
}

static void on_page(void *ctx, const struct gs_http_answer *answer);

static void ask_page(struct gs_sd_source *source) {
	struct state *s = source->state;
	struct gs_str prefix = gs_str_of(source->sd->prefix), first = prefix;
	struct gs_buf body, next;
	gs_buf_init(&next, GS_LIMIT_SD_DOCUMENT);
	if (s->last.n != 0) {
		gs_buf_str(&next, gs_buf_slice(&s->last));
		gs_buf_char(&next, '\0'); /* the first key behind it */
		first = gs_buf_slice(&next);
	}
	gs_buf_init(&body, GS_LIMIT_SD_DOCUMENT);
	body.status = next.status;
	gs_sd_etcd_ask(first, prefix, s->page.revision, PAGE, &body);
	post(source, "/v3/kv/range", &body, on_page);
	gs_buf_free(&body);
	gs_buf_free(&next);
}

static void on_page(void *ctx, const struct gs_http_answer *answer) {
	struct gs_sd_source *source = ctx;
	struct state *s = source->state;
	struct gs_error err;
	if (answer->cause == GS_SCRAPE_STATUS && s->token.n != 0 && !s->renewed) {
		/* A token lives for minutes, and not beyond a restart. */
		gs_buf_clear(&s->token);
		s->renewed = true;
		attempt(source);
		return;
	}
	int64_t revision = s->page.revision;
	if (answer->cause != GS_SCRAPE_OK) {
		fail(source, answer->text);
	} else if (gs_sd_etcd_read(answer->body, s->next, &s->page, &err) != GS_OK) {
		fail(source, err.text);
	} else if (!s->page.more) {
		complete(source);
	} else {
		if (revision != 0)
			s->page.revision = revision;
		ask_page(source);
	}
}

/* Logging in. */

static void on_token(void *ctx, const struct gs_http_answer *answer) {
	struct gs_sd_source *source = ctx;
	struct state *s = source->state;
	struct gs_error err;
	struct gs_sd_reason reason;
	if (answer->cause != GS_SCRAPE_OK) {
		gs_sd_because(&reason, "login: %s", answer->text);
		fail(source, reason.text);
	} else if (gs_sd_etcd_token(answer->body, &s->token, &err) != GS_OK) {
		gs_buf_clear(&s->token);
		fail(source, err.text);
	} else {
		ask_page(source);
	}
}

static void log_in(struct gs_sd_source *source) {
	const struct gs_config_http *http = &source->sd->http;
	struct gs_buf password, body;
	struct gs_error err;
	gs_buf_init(&password, PASSWORD_MAX);
	gs_buf_init(&body, (size_t)8 * PASSWORD_MAX);
	enum gs_status status = gs_http_secret(&http->password, "password", &password, &err);
	if (status == GS_OK) {
		gs_sd_etcd_login(gs_str_of(http->username), gs_buf_slice(&password), &body);
		post(source, "/v3/auth/authenticate", &body, on_token);
	} else {
		gs_sd_failed(source, "%s", err.text);
		finish(source);
	}
	gs_buf_free(&password);
	gs_buf_free(&body);
}

/* One endpoint from the start. */
static void attempt(struct gs_sd_source *source) {
	struct state *s = source->state;
	gs_sd_doc_free(s->next);
	s->next = gs_sd_doc_new();
	gs_buf_clear(&s->last);
	s->page = (struct gs_sd_etcd_page){.last = &s->last};
	if (s->next == NULL) {
		gs_sd_failed(source, "out of memory");
		finish(source);
	} else if (source->sd->http.basic_auth && s->token.n == 0) {
		log_in(source);
	} else {
		ask_page(source);
	}
}

static void refresh(struct gs_sd_source *source) {
	struct state *s = source->state;
	source->busy = true;
	s->tried = 0;
	s->renewed = false;
	attempt(source);
}

static enum gs_status open_etcd(struct gs_sd_source *source, struct gs_error *err) {
	struct state *s = gs_alloc(sizeof(*s));
	source->state = s;
	if (s == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	s->http = source->sd->http;
	s->http.basic_auth = false;
	gs_buf_init(&s->token, TOKEN_MAX);
	gs_buf_init(&s->last, GS_LIMIT_SD_DOCUMENT);
	gs_buf_init(&s->url, (size_t)64 * 1024);
	return gs_sd_http(source->discovery, err);
}

static void close_etcd(struct gs_sd_source *source) {
	struct state *s = source->state;
	if (s == NULL)
		return;
	gs_sd_doc_free(s->doc);
	gs_sd_doc_free(s->next);
	gs_buf_free(&s->token);
	gs_buf_free(&s->last);
	gs_buf_free(&s->url);
	gs_free(s);
}

const struct gs_sd_ops gs_sd_etcd_ops = {.name = "etcd", .open = open_etcd, .refresh = refresh, .close = close_etcd};
