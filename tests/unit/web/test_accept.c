/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sys/resource.h>

#include "client.h"

static void on_thread(void *ctx, struct gs_web_request *request) {
	struct gs_buf out;
	(void)ctx;
	gs_buf_init(&out, 100);
	gs_buf_printf(&out, "%lx", (unsigned long)pthread_self());
	gs_web_answer(request, 200, "text/plain", &out);
}

static const struct gs_web_route routes[] = {
    {"/thread", false, GS_WEB_GET, on_thread},
    {0},
};

/* One request on a connection that stays; which thread answered it. */
static unsigned long thread_of(int fd) {
	assert_true(put(fd, GS_STR("GET /thread HTTP/1.1\r\nHost: x\r\n\r\n")));
	struct response r = read_response(fd, false);
	assert_int_equal(r.code, 200);
	gs_buf_char(&r.body, '\0');
	unsigned long thread = strtoul(r.body.p, NULL, 16);
	response_free(&r);
	return thread;
}

#define BURST 16

/* Whoever comes at once is dealt to both threads. */
static void test_deals_evenly(void **state) {
	(void)state;
	struct gs_web *web = serve(routes, NULL, 1000);
	unsigned long threads[BURST];
	int fds[BURST], of_first = 0, of_others = 0;
	for (int i = 0; i < BURST; i++)
		fds[i] = dial(web);
	for (int i = 0; i < BURST; i++)
		threads[i] = thread_of(fds[i]);
	for (int i = 0; i < BURST; i++) {
		of_first += threads[i] == threads[0];
		of_others += threads[i] != threads[0];
		close(fds[i]);
	}
	assert_int_equal(of_first, BURST / 2);
	assert_int_equal(of_others, BURST / 2);
	gs_web_stop(web);
}

#define FILES 32
#define MAX (FILES / 4 * 3)

static void limit_files(rlim_t soft) {
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = soft;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

/* Whoever is one too many waits, and comes next. */
static void test_full(void **state) {
	(void)state;
	struct rlimit before;
	int fds[MAX];
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit_files(FILES);
	struct gs_web *web = serve(routes, NULL, 1000);
	limit_files(before.rlim_cur);
	for (int i = 0; i < MAX; i++) {
		fds[i] = dial(web);
		assert_true(thread_of(fds[i]) != 0);
	}
	int last = dial(web);
	struct pollfd answer = {.fd = last, .events = POLLIN};
	assert_true(put(last, GS_STR("GET /thread HTTP/1.1\r\nHost: x\r\n\r\n")));
	assert_int_equal(poll(&answer, 1, 300), 0);
	close(fds[5]);
	struct response r = read_response(last, false);
	assert_int_equal(r.code, 200);
	response_free(&r);
	close(last);
	for (int i = 0; i < MAX; i++) {
		if (i != 5)
			close(fds[i]);
	}
	gs_web_stop(web);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_deals_evenly),
	    cmocka_unit_test(test_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
