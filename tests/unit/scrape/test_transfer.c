/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault_server.h"
#include "gravel/base/mem.h"
#include "transfer.h"

#define GOOD "# HELP good_total A good counter.\n# TYPE good_total counter\ngood_total 1\n"
#define GOOD_SIZE (sizeof(GOOD) - 1)

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

static struct gs_transfer_scratch scratch_new(size_t body_limit) {
	struct gs_transfer_scratch scratch = {.codec = gs_codec_new()};
	gs_buf_init(&scratch.plain, body_limit);
	return scratch;
}

static void scratch_free(struct gs_transfer_scratch *scratch) {
	gs_codec_free(scratch->codec);
	gs_buf_free(&scratch->plain);
}

/* One GET, without the machinery around it. */
static struct gs_scrape_result get(
    struct gs_transfer *transfer, struct gs_transfer_scratch *scratch, const char *path) {
	struct gs_scrape_result result;
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s", server.port, path);
	struct gs_transfer_request request = {.url = url, .timeout_ms = 10000};
	assert_int_equal(gs_transfer_prepare(transfer, &request), GS_OK);
	CURLcode code = curl_easy_perform(transfer->easy);
	gs_transfer_result(transfer, code, scratch, &result);
	return result;
}

static enum gs_scrape_cause cause_with_limit(size_t limit, const char *path) {
	struct gs_transfer *transfer = gs_transfer_new("test", limit);
	struct gs_transfer_scratch scratch = scratch_new(limit);
	struct gs_scrape_result result = get(transfer, &scratch, path);
	enum gs_scrape_cause cause = result.cause;
	if (cause == GS_SCRAPE_OK)
		assert_true(gs_str_eq(result.body, GS_STR(GOOD)));
	else
		assert_int_equal(result.body.n, 0);
	gs_transfer_free(transfer);
	scratch_free(&scratch);
	return cause;
}

static void test_the_limit_of_a_plain_body_is_exact(void **state) {
	(void)state;
	static const char *const paths[] = {"good", "chunked", "http10"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(cause_with_limit(GOOD_SIZE, paths[i]), GS_SCRAPE_OK);
		assert_int_equal(cause_with_limit(GOOD_SIZE - 1, paths[i]), GS_SCRAPE_BODY_LIMIT);
	}
}

/* Of a compressed body both forms must fit. */
static void test_the_limit_is_on_what_was_decoded(void **state) {
	(void)state;
	struct gs_transfer *transfer = gs_transfer_new("test", 4 << 20);
	struct gs_transfer_scratch scratch = scratch_new(4 << 20);
	struct gs_scrape_result result = get(transfer, &scratch, "big-gzip");
	size_t size = result.body.n;
	assert_int_equal(result.cause, GS_SCRAPE_OK);
	assert_int_equal(size, 1000000);
	assert_true(transfer->raw.n < size / 5);
	transfer->body_limit = size;
	assert_int_equal(get(transfer, &scratch, "big-gzip").cause, GS_SCRAPE_OK);
	transfer->body_limit = size - 1;
	assert_int_equal(get(transfer, &scratch, "big-gzip").cause, GS_SCRAPE_BODY_LIMIT);
	gs_transfer_free(transfer);
	scratch_free(&scratch);
	assert_int_equal(cause_with_limit(GOOD_SIZE - 1, "zstd"), GS_SCRAPE_BODY_LIMIT);
}

static void test_a_transfer_is_as_new_after_any_other(void **state) {
	(void)state;
	static const char *const paths[] = {"gzip", "500", "unknown-encoding", "bad-gzip", "bomb", "endless",
	    "endless-headers", "truncated", "redirect-loop", "close", "empty"};
	struct gs_transfer *transfer = gs_transfer_new("test", 100000);
	struct gs_transfer_scratch scratch = scratch_new(100000);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		(void)get(transfer, &scratch, paths[i]);
		gs_buf_check(&transfer->raw);
		struct gs_scrape_result result = get(transfer, &scratch, "good");
		assert_int_equal(result.cause, GS_SCRAPE_OK);
		assert_string_equal(result.text, "");
		assert_true(gs_str_eq(result.body, GS_STR(GOOD)));
	}
	gs_transfer_free(transfer);
	scratch_free(&scratch);
}

static void test_a_bomb_costs_no_more_than_the_limit(void **state) {
	(void)state;
	struct gs_transfer *transfer = gs_transfer_new("test", 2000000);
	struct gs_transfer_scratch scratch = scratch_new(2000000);
	struct gs_scrape_result result = get(transfer, &scratch, "bomb");
	assert_int_equal(result.cause, GS_SCRAPE_BODY_LIMIT);
	assert_true(scratch.plain.cap <= 2000000);
	assert_true(transfer->raw.cap <= 2000000);
	gs_transfer_free(transfer);
	scratch_free(&scratch);
}

static void test_a_refusal_is_read_only_so_far(void **state) {
	(void)state;
	struct gs_transfer *transfer = gs_transfer_new("test", 100000);
	struct gs_transfer_scratch scratch = scratch_new(100000);
	struct gs_scrape_result result = get(transfer, &scratch, "endless-500");
	assert_int_equal(result.cause, GS_SCRAPE_STATUS);
	assert_in_range(transfer->received, 64 * 1024, 512 * 1024);
	assert_int_equal(transfer->raw.n, 0);
	gs_transfer_free(transfer);
	scratch_free(&scratch);
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_transfer_scratch scratch = scratch_new(100000);
	for (int n = 0;; n++) {
		struct gs_scrape_result result = {.cause = GS_SCRAPE_OTHER, .text = "out of memory"};
		gs_mem_fail_after(n);
		struct gs_transfer *transfer = gs_transfer_new("test", 100000);
		if (transfer != NULL)
			result = get(transfer, &scratch, "gzip");
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(result.cause, failed ? GS_SCRAPE_OTHER : GS_SCRAPE_OK);
		assert_string_equal(result.text, failed ? "out of memory" : "");
		gs_transfer_free(transfer);
		if (!failed) {
			assert_true(n > 2);
			break;
		}
	}
	scratch_free(&scratch);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_limit_of_a_plain_body_is_exact),
	    cmocka_unit_test(test_the_limit_is_on_what_was_decoded),
	    cmocka_unit_test(test_a_transfer_is_as_new_after_any_other),
	    cmocka_unit_test(test_a_bomb_costs_no_more_than_the_limit),
	    cmocka_unit_test(test_a_refusal_is_read_only_so_far),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
