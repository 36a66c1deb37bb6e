/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "client.h"
#include "gravel/base/lock.h"

/* Answers what it was asked, one item a line. */
static void on_echo(void *ctx, struct gs_web_request *request) {
	struct gs_buf out;
	struct gs_str q;
	(void)ctx;
	gs_buf_init(&out, 65536);
	gs_buf_printf(&out, "method=%d\n", (int)gs_web_method(request));
	gs_buf_printf(&out, "path=%.*s\n", GS_FMT(gs_web_path(request)));
	gs_buf_printf(&out, "rest=%.*s\n", GS_FMT(gs_web_rest(request)));
	gs_buf_printf(&out, "body=%.*s\n", GS_FMT(gs_web_body(request)));
	gs_buf_printf(&out, "x=%.*s\n", GS_FMT(gs_web_header(request, "x-test")));
	for (size_t i = 0; (q = gs_web_query(request, "name[]", i)).p != NULL; i++)
		gs_buf_printf(&out, "name=%.*s\n", GS_FMT(q));
	gs_web_answer(request, 200, "text/plain", &out);
}

static const struct gs_web_route echo_routes[] = {
    {"/echo", true, GS_WEB_GET | GS_WEB_POST | GS_WEB_PUT | GS_WEB_DELETE, on_echo}, {0}};

static void test_accessors(void **state) {
	(void)state;
	struct gs_web *web = serve(echo_routes, NULL, 1000);
	expect(web, "GET /echo HTTP/1.1\r\n" HOST "\r\n", 200, "method=1\npath=/echo\nrest=\nbody=\nx=\n");
	expect(web,
	    "PUT /echo/a%2Fb/c%20?x=1 HTTP/1.1\r\n" HOST "X-TEST: one \r\nX-Test: two\r\nContent-Length: 3\r\n\r\nabc",
	    200, "method=4\npath=/echo/a%2Fb/c%20\nrest=/a%2Fb/c%20\nbody=abc\nx=one\n");
	expect(web, "POST /echo/ HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200,
	    "method=2\npath=/echo/\nrest=/\nbody=\nx=\n");
	expect(
	    web, "DELETE /echo/%00 HTTP/1.1\r\n" HOST "\r\n", 200, "method=8\npath=/echo/%00\nrest=/%00\nbody=\nx=\n");
	expect(web, "GET http://elsewhere/echo/x HTTP/1.1\r\n" HOST "\r\n", 200,
	    "method=1\npath=/echo/x\nrest=/x\nbody=\nx=\n");
	expect(web, "GET http://elsewhere HTTP/1.1\r\n" HOST "\r\n", 404, NULL);
	gs_web_stop(web);
}

static void test_queries(void **state) {
	(void)state;
	static const struct {
		const char *query;
		const char *names; /* NULL: 400 */
	} rows[] = {
	    {"", ""},
	    {"?", ""},
	    {"?other=1", ""},
	    {"?name[]=a", "name=a\n"},
	    {"?name[]=a&name[]=b&x=y&name[]=c", "name=a\nname=b\nname=c\n"},
	    {"?name%5B%5D=a&name%5b%5d=b", "name=a\nname=b\n"},
	    {"?name[]=a%26b%3Dc", "name=a&b=c\n"},
	    {"?name[]=a+b%2Bc", "name=a b+c\n"},
	    {"?name[]=", "name=\n"},
	    {"?name[]", "name=\n"},
	    {"?name[]=a=b", "name=a=b\n"},
	    {"?&&name[]=a&&", "name=a\n"},
	    {"?name[]=%c3%a9", "name=\xc3\xa9\n"},
	    {"?name[]=%", NULL},
	    {"?name[]=%4", NULL},
	    {"?name[]=%zz", NULL},
	    {"?name[]=a%00b", NULL},
	    {"?%00=1", NULL},
	};
	struct gs_web *web = serve(echo_routes, NULL, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char request[256];
		char want[256];
		snprintf(request, sizeof(request), "GET /echo%s HTTP/1.1\r\n" HOST "\r\n", rows[i].query);
		snprintf(want, sizeof(want), "method=1\npath=/echo\nrest=\nbody=\nx=\n%s",
		    rows[i].names != NULL ? rows[i].names : "");
		if (rows[i].names != NULL)
			expect(web, request, 200, want);
		else
			expect(web, request, 400, "the query has a broken percent escape\n");
	}
	gs_web_stop(web);
}

/* A desk where handlers lay requests down for another thread. */
struct desk {
	struct gs_lock lock;
	struct gs_cond changed;
	struct gs_web_request *waiting[256];
	size_t n;
};

static struct desk desk;

static void desk_open(void) {
	assert_int_equal(gs_lock_init(&desk.lock, GS_RANK_OUTBOX), GS_OK);
	assert_int_equal(gs_cond_init(&desk.changed), GS_OK);
	desk.n = 0;
}

static void desk_close(void) {
	gs_cond_destroy(&desk.changed);
	gs_lock_destroy(&desk.lock);
}

static void desk_lay(struct gs_web_request *request) {
	gs_lock_take(&desk.lock);
	desk.waiting[desk.n++] = request;
	gs_cond_broadcast(&desk.changed);
	gs_lock_release(&desk.lock);
}

static struct gs_web_request *desk_take(void) {
	gs_lock_take(&desk.lock);
	while (desk.n == 0)
		gs_cond_wait(&desk.changed, &desk.lock, -1);
	struct gs_web_request *request = desk.waiting[--desk.n];
	gs_lock_release(&desk.lock);
	return request;
}

static void answer_echo(struct gs_web_request *request) {
	struct gs_buf out;
	gs_buf_init(&out, 65536);
	gs_buf_cstr(&out, "late ");
	gs_buf_str(&out, gs_web_body(request));
	gs_buf_str(&out, gs_web_query(request, "q", 0));
	gs_web_add_header(request, "X-Late", "yes");
	gs_web_answer(request, 202, "text/plain", &out);
}

static void *answer_one(void *arg) {
	(void)arg;
	answer_echo(desk_take());
	return NULL;
}

static void on_late(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_suspend(request);
	desk_lay(request);
}

/* Returns only after another thread has answered. */
static void on_early(void *ctx, struct gs_web_request *request) {
	pthread_t thread;
	(void)ctx;
	gs_web_suspend(request);
	desk_lay(request);
	assert_int_equal(pthread_create(&thread, NULL, answer_one, NULL), 0);
	pthread_join(thread, NULL);
}

/* Suspends, and answers itself. */
static void on_self(void *ctx, struct gs_web_request *request) {
	(void)ctx;
	gs_web_suspend(request);
	answer_echo(request);
}

static const struct gs_web_route late_routes[] = {
    {"/late", false, GS_WEB_GET | GS_WEB_POST, on_late},
    {"/early", false, GS_WEB_POST, on_early},
    {"/self", false, GS_WEB_POST, on_self},
    {"/echo", true, GS_WEB_GET, on_echo},
    {0},
};

static void test_answer_before_return(void **state) {
	(void)state;
	desk_open();
	struct gs_web *web = serve(late_routes, NULL, 1000);
	for (int i = 0; i < 20; i++) {
		expect(web, "POST /early?q=1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 202, "late abc1");
		expect(web, "POST /self HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", 202, "late abc");
	}
	gs_web_stop(web);
	desk_close();
}

static void test_answer_after_return(void **state) {
	(void)state;
	desk_open();
	struct gs_web *web = serve(late_routes, NULL, 1000);
	int fd = dial(web);
	for (int i = 0; i < 20; i++) {
		put(fd, GS_STR("POST /late?q=%20x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"));
		struct gs_web_request *request = desk_take();
		if (i < 3)
			usleep(20000); /* let the connection really be suspended */
		/* Others are served meanwhile. */
		expect(web, "GET /echo HTTP/1.1\r\n" HOST "\r\n", 200, NULL);
		answer_echo(request);
		struct response r = read_response(fd, false);
		assert_int_equal(r.code, 202);
		assert_body(&r, "late abc x");
		assert_field(&r, "X-Late", "yes");
		response_free(&r);
	}
	close(fd);
	gs_web_stop(web);
	desk_close();
}

/* Many at once, answered by a thread that races with the handlers' return. */
static void *answer_many(void *arg) {
	for (size_t i = 0; i < *(size_t *)arg; i++)
		answer_echo(desk_take());
	return NULL;
}

static void test_race(void **state) {
	(void)state;
	enum { CLIENTS = 50, ROUNDS = 10 };
	size_t total = (size_t)CLIENTS * ROUNDS;
	pthread_t thread;
	int fds[CLIENTS];
	desk_open();
	struct gs_web *web = serve(late_routes, NULL, 1000);
	assert_int_equal(pthread_create(&thread, NULL, answer_many, &total), 0);
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = dial(web);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CLIENTS; i++)
			put(fds[i], GS_STR("GET /late?q=z HTTP/1.1\r\n" HOST "\r\n"));
		for (int i = 0; i < CLIENTS; i++) {
			struct response r = read_response(fds[i], false);
			assert_body(&r, "late z");
			response_free(&r);
		}
	}
	pthread_join(thread, NULL);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	gs_web_stop(web);
	desk_close();
}

/* The client leaves while its request waits: with FIN, and with RST. */
static void test_client_leaves(void **state) {
	(void)state;
	desk_open();
	struct gs_web *web = serve(late_routes, NULL, 1000);
	for (int i = 0; i < 10; i++) {
		int fd = dial(web);
		put(fd, GS_STR("POST /late?q=1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"));
		struct gs_web_request *request = desk_take();
		struct linger reset = {.l_onoff = 1, .l_linger = 0};
		if (i % 2 == 1)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		usleep(5000);
		/* What the request said is still there. */
		assert_true(gs_str_eq(gs_web_body(request), GS_STR("abc")));
		assert_true(gs_str_eq(gs_web_header(request, "Host"), GS_STR("localhost")));
		answer_echo(request);
		expect(web, "GET /echo HTTP/1.1\r\n" HOST "\r\n", 200, NULL);
	}
	gs_web_stop(web);
	desk_close();
}

/* The stop waits for the answer of a suspended request, which then reaches its client. */
static void *stop(void *web) {
	gs_web_stop(web);
	return NULL;
}

static void test_stop_waits(void **state) {
	(void)state;
	pthread_t thread;
	desk_open();
	struct gs_web *web = serve(late_routes, NULL, 1000);
	int waiting = dial(web);
	int other = dial(web);
	put(waiting, GS_STR("GET /late?q=1 HTTP/1.1\r\n" HOST "\r\n"));
	struct gs_web_request *request = desk_take();
	assert_int_equal(pthread_create(&thread, NULL, stop, web), 0);
	usleep(50000);
	put(other, GS_STR("GET /echo HTTP/1.1\r\n" HOST "\r\n"));
	struct response refused = read_response(other, false);
	assert_int_equal(refused.code, 503);
	assert_field(&refused, "Retry-After", "1");
	response_free(&refused);
	answer_echo(request);
	struct response r = read_response(waiting, false);
	assert_int_equal(r.code, 202);
	assert_body(&r, "late 1");
	response_free(&r);
	pthread_join(thread, NULL);
	close(waiting);
	close(other);
	desk_close();
}

/* Whatever allocation fails, the client gets an honest answer or none, and the next one is served. */
static void test_failing_allocations(void **state) {
	(void)state;
	const char *request = "POST /echo/x?name[]=a&name[]=b HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
	struct gs_web *web = serve(echo_routes, NULL, 1000);
	int fails = 0;
	for (int64_t n = 0;; n++) {
		int fd = dial(web);
		gs_mem_fail_after(n);
		put(fd, gs_str_of(request));
		char first = 0;
		ssize_t got = recv(fd, &first, 1, MSG_PEEK); /* wait without allocating */
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		struct response r = {0};
		if (got == 1)
			r = read_response(fd, false);
		if (failed)
			assert_true(r.code == 0 || r.code == 500 || r.code == 503);
		else
			assert_int_equal(r.code, 200);
		response_free(&r);
		close(fd);
		if (!failed)
			break;
		fails++;
	}
	assert_true(fails >= 4);
	gs_web_stop(web);
}

static void test_start_out_of_memory(void **state) {
	(void)state;
	struct gs_web *web = NULL;
	struct gs_error err = {0};
	struct gs_web_options options = {.listen = "127.0.0.1:0", .routes = echo_routes};
	gs_mem_fail_after(0);
	assert_int_equal(gs_web_start(&options, &web, &err), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_null(web);
	gs_web_stop(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accessors),
	    cmocka_unit_test(test_queries),
	    cmocka_unit_test(test_answer_before_return),
	    cmocka_unit_test(test_answer_after_return),
	    cmocka_unit_test(test_race),
	    cmocka_unit_test(test_client_leaves),
	    cmocka_unit_test(test_stop_waits),
	    cmocka_unit_test(test_failing_allocations),
	    cmocka_unit_test(test_start_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
