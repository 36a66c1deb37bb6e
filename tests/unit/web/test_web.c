/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "client.h"

/* Which route it was, and what followed. */
static void say(struct gs_web_request *request, const char *who) {
	struct gs_buf out;
	gs_buf_init(&out, 4096);
	gs_buf_printf(&out, "%s %.*s", who, GS_FMT(gs_web_rest(request)));
	gs_web_answer(request, 200, "text/plain", &out);
}

static void on_push(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	say(request, "push");
}

static void on_get(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	say(request, "get");
}

static void on_root(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	say(request, "root");
}

static void on_under(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	say(request, "under");
}

static void on_count(void *ctx, struct gs_web_request *request) {
	atomic_fetch_add((_Atomic int *)ctx, 1);
	gs_web_answer_text(request, 200, "counted");
}

static const struct gs_web_route routes[] = {
    {"/metrics/special", false, GS_WEB_GET, on_get},
    {"/metrics", true, GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE, on_push},
    {"/metrics", false, GS_WEB_GET, on_get}, /* never reached: the first that fits */
    {"/exact", false, GS_WEB_GET | GS_WEB_POST, on_get},
    {"/under/", true, GS_WEB_GET, on_under},
    {"/count", false, GS_WEB_GET | GS_WEB_POST, on_count},
    {"/", false, GS_WEB_GET, on_root},
    {0},
};

static _Atomic int counted;

static void test_routes(void **state) {
	(void)state;
	struct gs_web *web = serve(routes, &counted, 1000);
	expect(web, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "root ");
	expect(web, "GET /metrics/special HTTP/1.1\r\n" HOST "\r\n", 200, "get ");
	expect(web, "PUT /metrics HTTP/1.1\r\n" HOST "\r\n", 200, "push ");
	expect(web, "PUT /metrics/ HTTP/1.1\r\n" HOST "\r\n", 200, "push /");
	expect(web, "POST /metrics/job/x?y HTTP/1.1\r\n" HOST "\r\n", 200, "push /job/x");
	expect(web, "GET /exact HTTP/1.1\r\n" HOST "\r\n", 200, "get ");
	expect(web, "GET /under/ HTTP/1.1\r\n" HOST "\r\n", 200, "under /");
	expect(web, "GET /under/it HTTP/1.1\r\n" HOST "\r\n", 200, "under /it");
	static const char *const unknown[] = {"/metricsx", "/exact/", "/exact/more", "/under", "/Metrics", "/x", "//",
	    "/%65xact", "/metrics%2Fjob", "*", "/exac"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		char request[128];
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST "\r\n", unknown[i]);
		expect(web, request, 404, "not found\n");
	}
	gs_web_stop(web);
}

static void test_methods(void **state) {
	(void)state;
	static const struct {
		const char *method;
		const char *path;
		const char *allow;
	} rows[] = {
	    {"GET", "/metrics/x", "POST, PUT, DELETE"},
	    {"HEAD", "/metrics", "POST, PUT, DELETE"},
	    {"DELETE", "/exact", "GET, HEAD, POST"},
	    {"PUT", "/", "GET, HEAD"},
	    {"OPTIONS", "/exact", "GET, HEAD, POST"},
	    {"PATCH", "/exact", "GET, HEAD, POST"},
	    {"get", "/exact", "GET, HEAD, POST"},
	    {"BREW", "/exact", "GET, HEAD, POST"},
	};
	struct gs_web *web = serve(routes, &counted, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char request[128];
		snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\n" HOST "\r\n", rows[i].method, rows[i].path);
		struct response r = ask_text(web, request);
		assert_int_equal(r.code, 405);
		assert_field(&r, "Allow", rows[i].allow);
		response_free(&r);
	}
	gs_web_stop(web);
}

static void test_keep_alive(void **state) {
	(void)state;
	struct gs_web *web = serve(routes, &counted, 1000);
	int fd = dial(web);
	for (int i = 0; i < 5; i++) {
		/* Two at once, then a 404 and a body: the connection stays. */
		put(fd, GS_STR("GET / HTTP/1.1\r\n" HOST "\r\nGET /exact HTTP/1.1\r\n" HOST "\r\n"));
		struct response a = read_response(fd, false);
		struct response b = read_response(fd, false);
		assert_body(&a, "root ");
		assert_body(&b, "get ");
		put(fd, GS_STR("POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"));
		struct response c = read_response(fd, false);
		assert_int_equal(c.code, 404);
		response_free(&a);
		response_free(&b);
		response_free(&c);
	}
	put(fd, GS_STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
	struct response last = read_response(fd, false);
	assert_int_equal(last.code, 200);
	assert_true(is_closed(fd));
	response_free(&last);
	close(fd);
	gs_web_stop(web);
}

/* What is no HTTP gets a 4xx or a closed connection, and harms nobody. */
static void test_malformed(void **state) {
	(void)state;
	static const struct gs_str bad[] = {
	    GS_STR_INIT("\r\n\r\n\r\n\r\nnonsense\r\n\r\n"),
	    GS_STR_INIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n"),
	    GS_STR_INIT("GET\r\n\r\n"),
	    GS_STR_INIT("GET / HTTP/9.9\r\n" HOST "\r\n"),
	    GS_STR_INIT("GET / with blanks HTTP/1.1\r\n" HOST "\r\n"),
	    GS_STR_INIT("GET / HTTP/1.1\r\n\r\n"), /* no Host */
	    GS_STR_INIT("GET / HTTP/1.1\r\n" HOST "no colon here\r\n\r\n"),
	    GS_STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	    GS_STR_INIT("\0\0\0\0\r\n\r\n"),
	};
	struct gs_web *web = serve(routes, &counted, 1000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_refused(web, bad[i]);
	expect(web, "GET / HTTP/1.1\r\n" HOST "\r\n", 200, "root ");
	gs_web_stop(web);
}

/* Headers up to about 30 KiB are fine, beyond the limit refused. */
static void test_large_headers(void **state) {
	(void)state;
	static const struct {
		size_t n;
		bool fits;
	} rows[] = {{64 * 1024, true}, {160 * 1024, false}, {1024 * 1024, false}};
	struct gs_web *web = serve(routes, &counted, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_buf request;
		gs_buf_init(&request, (size_t)4 * 1024 * 1024);
		gs_buf_cstr(&request, "GET / HTTP/1.1\r\n" HOST "X-Large: ");
		for (size_t n = 0; n < rows[i].n; n++)
			gs_buf_char(&request, 'x');
		gs_buf_cstr(&request, "\r\n\r\n");
		struct response r = ask(web, gs_buf_slice(&request));
		if (rows[i].fits)
			assert_int_equal(r.code, 200);
		else
			assert_true(r.code == 0 || (r.code >= 400 && r.code < 500));
		response_free(&r);
		gs_buf_free(&request);
	}
	gs_web_stop(web);
}

enum { CLIENTS = 200, EACH = 10 };

static void *client(void *arg) {
	struct gs_web *web = arg;
	int fd = dial(web);
	uintptr_t good = 0;
	for (int i = 0; i < EACH; i++) {
		put(fd, GS_STR("POST /count HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"));
		struct response r = read_response(fd, false);
		good += r.code == 200 && gs_str_eq(gs_buf_slice(&r.body), GS_STR("counted"));
		response_free(&r);
	}
	close(fd);
	return (void *)good;
}

static void test_concurrent(void **state) {
	(void)state;
	pthread_t threads[CLIENTS];
	struct gs_web *web = serve(routes, &counted, 1000);
	atomic_store(&counted, 0);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, client, web), 0);
	uintptr_t good = 0;
	for (int i = 0; i < CLIENTS; i++) {
		void *ret = NULL;
		pthread_join(threads[i], &ret);
		good += (uintptr_t)ret;
	}
	assert_int_equal(good, CLIENTS * EACH);
	assert_int_equal(atomic_load(&counted), CLIENTS * EACH);
	gs_web_stop(web);
}

/* Idle and half-spoken connections do not hold the stop up. */
static void test_stop_is_prompt(void **state) {
	(void)state;
	struct gs_web *web = serve(routes, &counted, 1000000);
	int fds[30];
	for (size_t i = 0; i < 30; i++) {
		fds[i] = dial(web);
		if (i % 3 == 0) {
			put(fds[i], GS_STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
			struct response r = read_response(fds[i], false);
			assert_int_equal(r.code, 200);
			response_free(&r);
		} else if (i % 3 == 1) {
			put(fds[i], GS_STR("POST /count HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\nhalf"));
		}
	}
	usleep(20000);
	int64_t before = gs_clock_mono_ms();
	gs_web_stop(web);
	assert_true(gs_clock_mono_ms() - before < 1500); /* the stop would wait 2 s for unfinished ones */
	for (size_t i = 0; i < 30; i++) {
		assert_true(is_closed(fds[i]));
		close(fds[i]);
	}
}

static void test_idle_timeout(void **state) {
	(void)state;
	struct gs_web *web = NULL;
	struct gs_web_options options = {
	    .listen = "127.0.0.1:0", .routes = routes, .ctx = &counted, .idle_timeout_s = 1};
	assert_int_equal(gs_web_start(&options, &web, NULL), GS_OK);
	int64_t before = gs_clock_mono_ms();
	int silent = dial(web);
	int half = dial(web);
	put(half, GS_STR("GET / HT"));
	assert_true(is_closed(silent));
	assert_true(is_closed(half));
	int64_t took = gs_clock_mono_ms() - before;
	assert_true(took >= 900 && took < 8000);
	close(silent);
	close(half);
	gs_web_stop(web);
}

static void test_thread_counts(void **state) {
	(void)state;
	static const unsigned counts[] = {0, 1, 2, 5};
	for (size_t i = 0; i < 4; i++) {
		struct gs_web *web = NULL;
		struct gs_web_options options = {
		    .listen = "localhost:0", .routes = routes, .ctx = &counted, .threads = counts[i]};
		assert_int_equal(gs_web_start(&options, &web, NULL), GS_OK);
		expect(web, "GET / HTTP/1.0\r\n\r\n", 200, "root ");
		gs_web_stop(web);
	}
}

/* A client that everybody has. */
static void test_real_curl(void **state) {
	(void)state;
	if (system("curl --version >/dev/null 2>&1") != 0)
		skip();
	struct gs_web *web = serve(routes, &counted, (size_t)64 * 1024 * 1024);
	static const struct {
		const char *args;
		const char *want;
	} rows[] = {
	    {"", "root 200"},
	    {"exact?x=1", "get 200"},
	    {"metrics/job/a --data-binary 'x 1'", "push /job/a200"},
	    {"metrics/job/a --compressed -X DELETE", "push /job/a200"},
	    {"nothing", "not found\n404"},
	    {"exact -X DELETE", "method not allowed\n405"},
	    /* larger than 1 MiB: curl asks first, with Expect: 100-continue */
	    {"metrics --data-binary @/proc/self/exe -H 'Expect: 100-continue'", "push 200"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char command[512];
		char got[256] = "";
		snprintf(command, sizeof(command), "curl -s -m 20 -w '%%{http_code}' http://localhost:%u/%s",
		    gs_web_port(web), rows[i].args);
		FILE *out = popen(command, "r");
		assert_non_null(out);
		size_t n = fread(got, 1, sizeof(got) - 1, out);
		assert_int_equal(pclose(out), 0);
		got[n] = '\0';
		assert_string_equal(got, rows[i].want);
	}
	gs_web_stop(web);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_routes),
	    cmocka_unit_test(test_methods),
	    cmocka_unit_test(test_keep_alive),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_large_headers),
	    cmocka_unit_test(test_concurrent),
	    cmocka_unit_test(test_stop_is_prompt),
	    cmocka_unit_test(test_idle_timeout),
	    cmocka_unit_test(test_thread_counts),
	    cmocka_unit_test(test_real_curl),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
