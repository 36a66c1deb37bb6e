/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/scrape/get.h"
#include "private.h"

/*
 * http_sd: GET of a JSON document. The timeout is the refresh interval, as in Prometheus, within these bounds.
 */
#define TIMEOUT_MIN_MS 5000
#define TIMEOUT_MAX_MS 60000

struct state {
	struct gs_sd_doc *doc; /* the last good answer */
	char *url; /* for __meta_url: without userinfo */
	char interval[80]; /* header line */
};

static bool is_json(struct gs_str type) {
	struct gs_str head, rest;
	gs_str_cut(type, ';', &head, &rest);
	head = gs_str_trim(head);
	rest = gs_str_trim(rest);
	if (head.n != sizeof("application/json") - 1 || strncasecmp(head.p, "application/json", head.n) != 0)
		return false;
	if (rest.n == 0)
		return true;
	/* Any other charset is not what JSON has. */
	static const char *const charsets[] = {"charset=utf-8", "charset=\"utf-8\""};
	for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
		if (rest.n == strlen(charsets[i]) && strncasecmp(rest.p, charsets[i], rest.n) == 0)
			return true;
	}
	return false;
}

static void take(struct gs_sd_source *source, struct gs_str body) {
	struct state *s = source->state;
	struct gs_sd_parse parse = {.meta = {{.name = GS_STR("__meta_url"), .value = gs_str_of(s->url)}}, .nmeta = 1};
	struct gs_sd_doc *doc;
	struct gs_error err;
	if (gs_sd_parse_json(body, &parse, &doc, &err) != GS_OK) {
		if (err.line != 0)
			gs_sd_failed(source, "line %lu of the answer: %s", (unsigned long)err.line, err.text);
		else
			gs_sd_failed(source, "%s", err.text);
		return;
	}
	if (!gs_sd_publish(source, &doc, 1)) {
		gs_sd_doc_free(doc);
		return;
	}
	gs_sd_doc_free(s->doc);
	s->doc = doc;
	gs_sd_good(source);
}

static void on_answer(void *ctx, const struct gs_http_answer *answer) {
	struct gs_sd_source *source = ctx;
	source->busy = false;
	if (answer->cause != GS_SCRAPE_OK)
		gs_sd_failed(source, "%s", answer->text);
	else if (!is_json(answer->content_type))
		gs_sd_failed(source, "the Content-Type is \"%.*s\", not application/json",
		    (int)(answer->content_type.n < 80 ? answer->content_type.n : 80),
		    answer->content_type.n != 0 ? answer->content_type.p : "");
	else
		take(source, answer->body);
}

static void refresh(struct gs_sd_source *source) {
	struct state *s = source->state;
	int64_t interval = source->sd->refresh_interval,
		timeout = interval > TIMEOUT_MIN_MS ? interval : TIMEOUT_MIN_MS;
	const char *headers[] = {"Accept: application/json", s->interval};
	struct gs_http_request request = {
	    .url = source->sd->names[0],
	    .http = &source->sd->http,
	    .headers = headers,
	    .nheaders = 2,
	    .timeout_ms = timeout < TIMEOUT_MAX_MS ? timeout : TIMEOUT_MAX_MS,
	};
	struct gs_error err;
	source->busy = true;
	if (gs_http_start(source->discovery->http, &request, on_answer, source, &err) == GS_OK)
		return;
	source->busy = false;
	gs_sd_failed(source, "%s", err.text);
}

/* The URL without "user:password@". */
static char *label_of(const char *url) {
	const char *p = strstr(url, "://");
	size_t scheme = p != NULL ? (size_t)(p - url) + 3 : 0, n = strcspn(url + scheme, "/?#"), skip = 0;
	struct gs_buf out;
	for (size_t i = 0; i < n; i++) {
		if (url[scheme + i] == '@')
			skip = i + 1;
	}
	gs_buf_init(&out, GS_LIMIT_LABEL_VALUE + 1);
	gs_buf_add(&out, url, scheme);
	gs_buf_cstr(&out, url + scheme + skip);
	gs_buf_char(&out, '\0');
	char *label = gs_buf_take(&out, &n);
	gs_buf_free(&out);
	return label;
}

static enum gs_status open_http(struct gs_sd_source *source, struct gs_error *err) {
	static const char name[] = "X-Prometheus-Refresh-Interval-Seconds: ";
	struct state *s = gs_alloc(sizeof(*s));
	source->state = s;
	if (s == NULL || (s->url = label_of(source->sd->names[0])) == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	memcpy(s->interval, name, sizeof(name) - 1);
	s->interval[sizeof(name) - 1 +
		    gs_num_print_ms_as_seconds(s->interval + sizeof(name) - 1, source->sd->refresh_interval)] = '\0';
	return gs_sd_http(source->discovery, err);
}

static void close_http(struct gs_sd_source *source) {
	struct state *s = source->state;
	if (s == NULL)
		return;
	gs_sd_doc_free(s->doc);
	gs_free(s->url);
	gs_free(s);
}

const struct gs_sd_ops gs_sd_http_ops = {.name = "http", .open = open_http, .refresh = refresh, .close = close_http};
