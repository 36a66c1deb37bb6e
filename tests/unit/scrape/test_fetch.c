/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "fault_server.h"
#include "fetch.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"

#define SECOND INT64_C(1000000000)

static struct fault_server server;

static int start_server(void **state) {
	(void)state;
	server = fault_server_start();
	return 0;
}

static int stop_server(void **state) {
	(void)state;
	fault_server_stop(&server);
	return 0;
}

struct seen {
	struct gs_fetcher *fetcher;
	char url[64];
	unsigned done;
	unsigned ok;
	unsigned again; /* starts to be made from on_done */
	void *user;
	struct gs_transfer *transfer; /* started last */
};

static void start(struct seen *seen, size_t place) {
	struct gs_transfer_request request = {
	    .url = seen->url, .timeout_ms = 20000, .handle = &seen->transfer, .user = seen};
	assert_int_equal(gs_fetcher_start(seen->fetcher, place, &request), GS_OK);
}

static void on_done(void *ctx, void *user, struct gs_scrape_result *result) {
	struct seen *seen = ctx;
	seen->done++;
	seen->ok += result->cause == GS_SCRAPE_OK;
	seen->user = user;
	if (seen->again != 0) {
		seen->again--;
		start(seen, 0);
	}
}

static void fetcher_for(struct seen *seen, const char *path, size_t places) {
	struct gs_error err = {0};
	struct gs_fetcher_options options = {
	    .user_agent = "test", .body_limit = 1 << 20, .on_done = on_done, .ctx = seen};
	assert_int_equal(gs_fetcher_new(&options, &seen->fetcher, &err), GS_OK);
	assert_int_equal(gs_fetcher_reserve(seen->fetcher, places), GS_OK);
	snprintf(seen->url, sizeof(seen->url), "http://127.0.0.1:%u/%s", server.port, path);
}

static void run(struct seen *seen) {
	int64_t until = gs_clock_mono_ns() + 20 * SECOND;
	while (gs_fetcher_running(seen->fetcher) != 0 && gs_clock_mono_ns() < until)
		gs_fetcher_poll(seen->fetcher, until);
	assert_int_equal(gs_fetcher_running(seen->fetcher), 0);
}

static void test_poll_waits_until_its_time(void **state) {
	(void)state;
	struct seen seen = {0};
	fetcher_for(&seen, "good", 1);
	int64_t before = gs_clock_mono_ns();
	gs_fetcher_poll(seen.fetcher, before + SECOND / 10);
	assert_true(gs_clock_mono_ns() >= before + SECOND / 10);
	before = gs_clock_mono_ns();
	gs_fetcher_poll(seen.fetcher, 0);
	assert_true(gs_clock_mono_ns() < before + SECOND);
	gs_fetcher_free(seen.fetcher);
	gs_fetcher_free(NULL);
}

static void *wake(void *fetcher) {
	gs_fetcher_wake(fetcher);
	return NULL;
}

static void test_wake_ends_a_poll(void **state) {
	(void)state;
	struct seen seen = {0};
	pthread_t thread;
	fetcher_for(&seen, "good", 1);
	int64_t before = gs_clock_mono_ns();
	assert_int_equal(pthread_create(&thread, NULL, wake, seen.fetcher), 0);
	gs_fetcher_poll(seen.fetcher, before + 30 * SECOND);
	assert_true(gs_clock_mono_ns() < before + 20 * SECOND);
	pthread_join(thread, NULL);
	/* Once: the next poll waits again. */
	before = gs_clock_mono_ns();
	gs_fetcher_poll(seen.fetcher, before + SECOND / 20);
	assert_true(gs_clock_mono_ns() >= before + SECOND / 20);
	gs_fetcher_free(seen.fetcher);
}

/* More places than one multi handle takes, all at once. */
static void test_transfers_of_all_cells_end(void **state) {
	(void)state;
	struct seen seen = {0};
	fetcher_for(&seen, "slow-good", 400);
	for (size_t i = 0; i < 400; i++)
		start(&seen, i);
	assert_int_equal(gs_fetcher_running(seen.fetcher), 400);
	run(&seen);
	assert_int_equal(seen.done, 400);
	assert_int_equal(seen.ok, 400);
	assert_ptr_equal(seen.user, &seen);
	gs_fetcher_free(seen.fetcher);
}

static void test_a_transfer_may_start_the_next(void **state) {
	(void)state;
	struct seen seen = {.again = 20};
	fetcher_for(&seen, "good", 1);
	start(&seen, 0);
	run(&seen);
	assert_int_equal(seen.ok, 21);
	gs_fetcher_free(seen.fetcher);
}

static void test_cancel_tells_no_one(void **state) {
	(void)state;
	struct seen seen = {0};
	fetcher_for(&seen, "hang", 200);
	for (size_t i = 0; i < 200; i += 10)
		start(&seen, i);
	gs_fetcher_poll(seen.fetcher, gs_clock_mono_ns() + SECOND / 20);
	gs_fetcher_cancel(seen.fetcher);
	assert_int_equal(gs_fetcher_running(seen.fetcher), 0);
	assert_int_equal(seen.done, 0);
	/* And it can go on. */
	snprintf(seen.url, sizeof(seen.url), "http://127.0.0.1:%u/good", server.port);
	start(&seen, 7);
	run(&seen);
	assert_int_equal(seen.ok, 1);
	start(&seen, 7);
	gs_fetcher_free(seen.fetcher);
	assert_int_equal(seen.done, 1);
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		struct gs_fetcher *fetcher = NULL;
		struct gs_error err = {0};
		struct gs_fetcher_options options = {.user_agent = "test", .body_limit = 1 << 20, .on_done = on_done};
		struct gs_transfer_request request = {.url = "http://127.0.0.1:1/", .timeout_ms = 1000};
		gs_mem_fail_after(n);
		enum gs_status status = gs_fetcher_new(&options, &fetcher, &err);
		if (status == GS_OK)
			status = gs_fetcher_reserve(fetcher, 300);
		if (status == GS_OK)
			status = gs_fetcher_start(fetcher, 299, &request);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_fetcher_free(fetcher);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed) {
			assert_true(n > 5);
			break;
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_poll_waits_until_its_time),
	    cmocka_unit_test(test_wake_ends_a_poll),
	    cmocka_unit_test(test_transfers_of_all_cells_end),
	    cmocka_unit_test(test_a_transfer_may_start_the_next),
	    cmocka_unit_test(test_cancel_tells_no_one),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
