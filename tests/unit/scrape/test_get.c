/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>

#include "discovery/canned.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/scrape/get.h"

static char url[64];
static struct gs_http *http;
static int calls;
static enum gs_scrape_cause cause;
static char body[512], type[64];

static void on_answer(void *ctx, const struct gs_http_answer *answer) {
	assert_ptr_equal(ctx, &calls);
	cause = answer->cause;
	snprintf(body, sizeof(body), "%.*s", GS_FMT(answer->body));
	snprintf(type, sizeof(type), "%.*s", GS_FMT(answer->content_type));
	assert_int_equal(answer->text[0] == '\0', cause == GS_SCRAPE_OK);
	calls++;
}

static void run(int wanted) {
	while (calls < wanted) {
		int64_t left = (gs_http_deadline_ns(http) - gs_clock_mono_ns()) / 1000000 + 1;
		struct pollfd fd = {.fd = gs_http_fd(http), .events = POLLIN};
		(void)poll(&fd, 1, left < 0 ? 0 : left > 1000 ? 1000 : (int)left);
		gs_http_work(http);
	}
}

/* The request itself is the answer. */
static size_t echo(struct canned *server, const char *request, size_t n, char *answer, size_t max) {
	(void)n;
	return server->step == 1 ? 0 : canned_http(answer, max, server->step == 2 ? 500 : 200, request);
}

static void start(struct canned *server) {
	*server = (struct canned){.fn = echo};
	canned_start(server);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/p?q=1", server->port);
	assert_int_equal(gs_http_new("test", 400, &http, NULL), GS_OK);
	calls = 0;
}

static void end(struct canned *server) {
	gs_http_free(http);
	canned_stop(server);
}

static void test_get_and_post(void **state) {
	static const char *const headers[] = {"X-A: 1"};
	struct gs_config_http settings = {.authorization = true,
	    .authorization_type = "Bearer",
	    .credentials = {.value = "abc"},
	    .follow_redirects = true};
	struct gs_http_request get = {
	    .url = url, .http = &settings, .headers = headers, .nheaders = 1, .timeout_ms = 5000};
	struct gs_http_request post = {.url = url, .post = GS_STR("{}"), .timeout_ms = 5000};
	struct canned server;
	(void)state;
	start(&server);
	assert_int_equal(gs_http_start(http, &get, on_answer, &calls, NULL), GS_OK);
	run(1);
	assert_int_equal(cause, GS_SCRAPE_OK);
	assert_string_equal(type, "application/json");
	assert_true(strncmp(body, "GET /p?q=1 HTTP/1.1\r\n", 21) == 0);
	assert_non_null(strstr(body, "\r\nX-A: 1\r\n"));
	assert_non_null(strstr(body, "\r\nAuthorization: Bearer abc\r\n"));
	assert_non_null(strstr(body, "\r\nUser-Agent: test\r\n"));
	assert_int_equal(gs_http_start(http, &post, on_answer, &calls, NULL), GS_OK);
	run(2);
	assert_true(strncmp(body, "POST /p?q=1 HTTP/1.1\r\n", 22) == 0);
	assert_non_null(strstr(body, "\r\nContent-Length: 2\r\n"));
	assert_non_null(strstr(body, "\r\n\r\n{}"));
	assert_null(strstr(body, "Authorization"));
	assert_null(strstr(body, "Expect"));
	/* An empty body is one, and the next GET is a GET again. */
	post.post.n = 0;
	assert_int_equal(gs_http_start(http, &post, on_answer, &calls, NULL), GS_OK);
	run(3);
	assert_non_null(strstr(body, "\r\nContent-Length: 0\r\n"));
	assert_int_equal(gs_http_start(http, &get, on_answer, &calls, NULL), GS_OK);
	run(4);
	assert_true(strncmp(body, "GET ", 4) == 0);
	end(&server);
}

static void test_failures(void **state) {
	static char large[600];
	struct gs_http_request request = {.url = url, .timeout_ms = 5000};
	struct canned server;
	(void)state;
	start(&server);
	server.step = 1;
	assert_int_equal(gs_http_start(http, &request, on_answer, &calls, NULL), GS_OK);
	run(1);
	assert_int_equal(cause, GS_SCRAPE_EMPTY);
	server.step = 2;
	assert_int_equal(gs_http_start(http, &request, on_answer, &calls, NULL), GS_OK);
	run(2);
	assert_int_equal(cause, GS_SCRAPE_STATUS);
	assert_string_equal(body, "");
	server.step = 0;
	memset(large, 'x', sizeof(large) - 1);
	request.post = gs_str_of(large);
	assert_int_equal(gs_http_start(http, &request, on_answer, &calls, NULL), GS_OK);
	run(3);
	assert_int_equal(cause, GS_SCRAPE_BODY_LIMIT);
	end(&server);
}

static void test_secrets(void **state) {
	struct gs_config_secret inline_secret = {.value = "abc"}, missing = {.file = "/no/such/file"}, none = {0};
	struct gs_config_http settings = {
	    .authorization = true, .authorization_type = "Bearer", .credentials = missing};
	struct gs_http_request request = {.url = url, .http = &settings, .timeout_ms = 5000};
	struct canned server;
	struct gs_error err;
	struct gs_buf out;
	(void)state;
	start(&server);
	gs_buf_init(&out, 64);
	assert_int_equal(gs_http_secret(&inline_secret, "password", &out, &err), GS_OK);
	assert_int_equal(gs_http_secret(&none, "password", &out, &err), GS_OK);
	assert_true(gs_str_eq(gs_buf_slice(&out), GS_STR("abc")));
	assert_int_equal(gs_http_secret(&missing, "password", &out, &err), GS_EIO);
	assert_non_null(strstr(err.text, "/no/such/file"));
	gs_buf_free(&out);
	assert_int_equal(gs_http_start(http, &request, on_answer, &calls, &err), GS_EIO);
	assert_non_null(strstr(err.text, "/no/such/file"));
	assert_int_equal(calls, 0);
	end(&server);
}

static void test_free_cancels(void **state) {
	struct gs_http_request request = {.url = url, .post = GS_STR("x"), .timeout_ms = 5000};
	struct canned server;
	(void)state;
	start(&server);
	for (int i = 0; i < 3; i++)
		assert_int_equal(gs_http_start(http, &request, on_answer, &calls, NULL), GS_OK);
	end(&server);
	assert_int_equal(calls, 0);
	gs_http_free(NULL);
}

static void test_memory(void **state) {
	static const char *const headers[] = {"X-A: 1"};
	struct gs_config_http settings = {.server_name = "other.example", .follow_redirects = true};
	struct gs_http_request request = {.url = "https://127.0.0.1:9/",
	    .http = &settings,
	    .headers = headers,
	    .nheaders = 1,
	    .post = GS_STR("x"),
	    .timeout_ms = 5000};
	(void)state;
	for (int64_t i = 0;; i++) {
		http = NULL;
		calls = 0;
		gs_mem_fail_after(i);
		enum gs_status status = gs_http_new("test", 400, &http, NULL);
		if (status == GS_OK)
			status = gs_http_start(http, &request, on_answer, &calls, NULL);
		if (status == GS_OK)
			run(1);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_http_free(http);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_int_equal(cause, GS_SCRAPE_CONNECT);
			return;
		}
		assert_true(status == GS_ENOMEM || status == GS_OK);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_get_and_post),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_secrets),
	    cmocka_unit_test(test_free_cancels),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
