/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "table.h"

static struct gs_buf out;

static int setup(void **state) {
	(void)state;
	gs_telemetry_reset();
	gs_buf_init(&out, 1 << 24);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_mem_fail_after(-1);
	gs_buf_free(&out);
	gs_telemetry_reset();
	return 0;
}

static const char *render(enum gs_metric_program program) {
	gs_buf_clear(&out);
	gs_telemetry_render(program, &out);
	gs_buf_char(&out, '\0');
	assert_int_equal(out.status, GS_OK);
	return out.p;
}

static void has(const char *text) {
	if (strstr(out.p, text) == NULL)
		fail_msg("missing: %s\nin:\n%s", text, out.p);
}

static void test_start(void **state) {
	(void)state;
	render(GS_METRIC_POLLER);
	has("# HELP gravel_scrapes_total Scrapes that ended, well or not.\n# TYPE gravel_scrapes_total counter\n"
	    "gravel_scrapes_total 0\n");
	has("# TYPE process_open_fds gauge\nprocess_open_fds ");
	has("gravel_scrape_delay_seconds_bucket{le=\"+Inf\"} 0\ngravel_scrape_delay_seconds_sum 0\n"
	    "gravel_scrape_delay_seconds_count 0\n");
	has("gravel_nats_connects_total 0\n");
	assert_null(strstr(out.p, "gravel_received_messages_total")); /* the receiver's */
	assert_null(strstr(out.p, "gravel_targets")); /* a gauge that was never set */
	assert_null(strstr(out.p, "gravel_scrape_failures_total")); /* labels without values */
	render(GS_METRIC_RECEIVER);
	has("gravel_received_messages_total 0\n");
	assert_null(strstr(out.p, "gravel_scrapes_total"));
}

static void test_values(void **state) {
	(void)state;
	gs_metric_set(GS_M_TARGETS, 12);
	gs_metric_add(GS_M_SCRAPE_BYTES, 123456789012);
	gs_metric_add_l(GS_M_SCRAPE_FAILURES, 2, "timeout", NULL);
	gs_metric_add_l(GS_M_SCRAPE_FAILURES, 1, "quote\" back\\ line\n", NULL);
	gs_metric_add_l(GS_M_HTTP_REQUESTS, 1, "/metrics", "200");
	gs_metric_observe(GS_M_SCRAPE_DELAY, 0.003);
	gs_metric_observe(GS_M_SCRAPE_DELAY, 100);
	render(GS_METRIC_POLLER);
	has("gravel_targets 12\n");
	has("gravel_scrape_bytes_total 123456789012\n");
	has("# TYPE gravel_scrape_failures_total counter\n"
	    "gravel_scrape_failures_total{reason=\"quote\\\" back\\\\ line\\n\"} 1\n"
	    "gravel_scrape_failures_total{reason=\"timeout\"} 2\n");
	has("gravel_http_requests_total{path=\"/metrics\",code=\"200\"} 1\n");
	has("_bucket{le=\"0.001\"} 0\ngravel_scrape_delay_seconds_bucket{le=\"0.0025\"} 0\n"
	    "gravel_scrape_delay_seconds_bucket{le=\"0.005\"} 1\n");
	has("_bucket{le=\"60\"} 1\ngravel_scrape_delay_seconds_bucket{le=\"+Inf\"} 2\n"
	    "gravel_scrape_delay_seconds_sum 100.003\ngravel_scrape_delay_seconds_count 2\n");
}

/* Families stand once each, in rising order. */
static void test_order(void **state) {
	char last[128] = "";
	size_t families = 0;
	(void)state;
	for (const char *p = strstr(render(GS_METRIC_BOTH), "# TYPE "); p != NULL; p = strstr(p + 1, "\n# TYPE ")) {
		const char *name = strstr(p, "TYPE ") + 5;
		size_t n = strcspn(name, " ");
		char now[128];
		assert_true(n < sizeof(now));
		memcpy(now, name, n);
		now[n] = '\0';
		assert_true(strcmp(last, now) < 0);
		memcpy(last, now, n + 1);
		families++;
	}
	assert_true(families > 20);
}

static void test_memory(void **state) {
	(void)state;
	gs_metric_add_l(GS_M_DROPPED, 1, "stale", NULL);
	for (int n = 0;; n++) {
		struct gs_buf small;
		gs_buf_init(&small, 1 << 20);
		gs_mem_fail_after(n);
		gs_telemetry_render(GS_METRIC_RECEIVER, &small);
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(small.status, failed ? GS_ENOMEM : GS_OK);
		gs_buf_free(&small);
		if (!failed)
			break;
		assert_true(n < 1000);
	}
}

static void test_limit(void **state) {
	struct gs_buf small;
	(void)state;
	gs_buf_init(&small, 100);
	gs_telemetry_render(GS_METRIC_BOTH, &small);
	assert_int_equal(small.status, GS_ELIMIT);
	gs_buf_free(&small);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_start), TEST(test_values), TEST(test_order), TEST(test_memory), TEST(test_limit)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
