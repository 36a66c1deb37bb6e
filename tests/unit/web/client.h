/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_WEB_CLIENT_H
#define GRAVEL_TESTS_WEB_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gravel/base/buf.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/web/web.h"

/* A small HTTP client on a raw socket, so that tests can send what no library would. */

#define CLIENT_PATIENCE_MS 10000

/* Where silence is as good as a refusal (old libmicrohttpd waits for the rest of some nonsense until the idle timeout), a test
 * sets this, and silence reads as the end of the stream. */
static bool silence_is_fine;

struct response {
	unsigned code; /* 0: the connection ended before an answer */
	struct gs_buf head;
	struct gs_buf body;
	bool chunked;
	bool cut; /* in the middle of its chunks */
	bool closed; /* the server closed afterwards; known only where the body is read to the end of the stream */
};

static inline struct gs_web *serve(const struct gs_web_route *routes, void *ctx, size_t body_limit) {
	struct gs_web *web = NULL;
	struct gs_error err = {0};
	struct gs_web_options options = {.listen = "127.0.0.1:0",
	    .routes = routes,
	    .ctx = ctx,
	    .body_limit = body_limit,
	    .body_limit_key = "its.key",
	    .threads = 2};
	if (gs_web_start(&options, &web, &err) != GS_OK)
		fail_msg("%s", err.text);
	return web;
}

static inline int dial(const struct gs_web *web) {
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)gs_web_port(web)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Send all; false where the server has closed. */
static inline bool put(int fd, struct gs_str s) {
	while (s.n != 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		s = gs_str_make(s.p + n, s.n - (size_t)n);
	}
	return true;
}

/* Receive at most ${n} bytes into buf; 0 at the end of the stream. */
static inline size_t get(int fd, struct gs_buf *buf, size_t n) {
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ready = poll(&p, 1, silence_is_fine ? 500 : CLIENT_PATIENCE_MS);
	if (ready != 1 && silence_is_fine)
		return 0;
	if (ready != 1)
		fail_msg("no answer within %d ms", CLIENT_PATIENCE_MS);
	char *at = gs_buf_reserve(buf, n);
	assert_non_null(at);
	ssize_t got = recv(fd, at, n, 0);
	buf->n += got > 0 ? (size_t)got : 0;
	return got > 0 ? (size_t)got : 0;
}

/* The value of a header of the answer, or the empty slice. */
static inline struct gs_str field(const struct response *r, const char *name) {
	struct gs_str rest = gs_buf_slice(&r->head);
	struct gs_str line;
	struct gs_str key;
	struct gs_str value;
	while (rest.n != 0) {
		gs_str_cut(rest, '\n', &line, &rest);
		if (gs_str_cut(line, ':', &key, &value) && key.n == strlen(name) &&
		    strncasecmp(key.p, name, key.n) == 0)
			return gs_str_trim(value);
	}
	return (struct gs_str){NULL, 0};
}

/* One line without its CRLF, into ${line}; empty at the end of the stream. */
static inline void get_line(int fd, struct gs_buf *line) {
	gs_buf_clear(line);
	while (!gs_str_ends(gs_buf_slice(line), GS_STR("\r\n"))) {
		if (get(fd, line, 1) == 0) {
			gs_buf_clear(line);
			return;
		}
	}
	line->n -= 2;
}

/* A body in chunks; false where it breaks off. */
static inline bool read_chunks(int fd, struct gs_buf *body) {
	struct gs_buf line;
	bool whole = false, more = true;
	gs_buf_init(&line, 1024);
	while (more) {
		get_line(fd, &line);
		gs_buf_char(&line, '\0');
		size_t left = (size_t)strtoul(line.p, NULL, 16);
		whole = line.n > 1 && left == 0;
		more = left != 0;
		while (more && left != 0) {
			size_t n = get(fd, body, left);
			left -= n;
			more = n != 0;
		}
		get_line(fd, &line);
	}
	gs_buf_free(&line);
	return whole;
}

/* Read one answer; ${head} where it has no body whatever it says. Byte for byte up to the body, so that pipelined answers
 * stay apart. */
static inline struct response read_response(int fd, bool head) {
	struct response r = {0};
	uint64_t n = 0;
	gs_buf_init(&r.head, 65536);
	gs_buf_init(&r.body, (size_t)256 * 1024 * 1024);
	while (!gs_str_ends(gs_buf_slice(&r.head), GS_STR("\r\n\r\n"))) {
		if (get(fd, &r.head, 1) == 0)
			return r;
	}
	uint64_t code = 0;
	assert_int_equal(gs_num_parse_u64(gs_str_make(r.head.p + 9, 3), &code), GS_OK);
	if (code == 100) {
		gs_buf_free(&r.head);
		return read_response(fd, head);
	}
	struct gs_str length = field(&r, "Content-Length");
	r.code = (unsigned)code;
	if (length.n != 0)
		assert_int_equal(gs_num_parse_u64(length, &n), GS_OK);
	r.chunked = field(&r, "Transfer-Encoding").n != 0;
	if (r.chunked && !head) {
		r.cut = !read_chunks(fd, &r.body);
		return r;
	}
	while (!head && r.body.n < n && get(fd, &r.body, (size_t)n - r.body.n) != 0)
		;
	if (!head)
		assert_int_equal(r.body.n, n);
	return r;
}

static inline void response_free(struct response *r) {
	gs_buf_free(&r->head);
	gs_buf_free(&r->body);
}

/* One request on one connection of its own. */
static inline struct response ask(const struct gs_web *web, struct gs_str request) {
	int fd = dial(web);
	put(fd, request);
	struct response r = read_response(fd, gs_str_starts(request, GS_STR("HEAD")));
	close(fd);
	return r;
}

static inline struct response ask_text(const struct gs_web *web, const char *request) {
	return ask(web, gs_str_of(request));
}

static inline void assert_body(const struct response *r, const char *want) {
	struct gs_str w = gs_str_of(want);
	if (!gs_str_eq(gs_buf_slice(&r->body), w))
		fail_msg("body is '%.*s', not '%s'", GS_FMT(r->body), want);
}

static inline void assert_field(const struct response *r, const char *name, const char *want) {
	struct gs_str value = field(r, name);
	if (!gs_str_eq(value, gs_str_of(want)))
		fail_msg("%s is '%.*s', not '%s'", name, GS_FMT(value), want);
}

/* Ask and compare code and body. */
static inline void expect(const struct gs_web *web, const char *request, unsigned code, const char *body) {
	struct response r = ask_text(web, request);
	if (r.code != code)
		fail_msg("'%.60s' gave %u, not %u", request, r.code, code);
	if (body != NULL)
		assert_body(&r, body);
	response_free(&r);
}

/* Whether the server closes the connection (rather than waiting for more). */
static inline bool is_closed(int fd) {
	struct gs_buf rest;
	gs_buf_init(&rest, 65536);
	while (get(fd, &rest, 4096) != 0)
		;
	gs_buf_free(&rest);
	return true;
}

/* What no HTTP server should take: refused, cut off, or left waiting. */
static inline void expect_refused(const struct gs_web *web, struct gs_str request) {
	silence_is_fine = true;
	struct response r = ask(web, request);
	silence_is_fine = false;
	if (r.code != 0 && (r.code < 400 || r.code > 505))
		fail_msg("'%.60s' gave %u", request.p, r.code);
	response_free(&r);
}

#define HOST "Host: localhost\r\n"

#endif
