/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canned.h"
#include "run.h"

static char url[64];
static const char *names[] = {url};
static struct gs_config_sd sd = {.kind = GS_SD_HTTP, .refresh_interval = 20, .names = names, .nnames = 1};

static size_t steps(struct canned *server, const char *request, size_t n, char *answer, size_t max) {
	(void)n;
	if (strstr(request, "X-Prometheus-Refresh-Interval-Seconds: 0.02\r\n") == NULL)
		return canned_http(answer, max, 400, "");
	switch ((int)server->step) {
	case 0:
		return canned_http(answer, max, 200, "[{\"targets\":[\"a\"]}]");
	case 1:
		return canned_http(answer, max, 503, "[]");
	case 2:
		return canned_http(answer, max, 200, "[");
	case 3:
		return 0;
	default:
		return canned_http(answer, max, 200, "[]");
	}
}

static void test_keeps_the_last_good_list(void **state) {
	struct canned server = {.fn = steps};
	struct run run;
	char wanted[128];
	(void)state;
	gs_telemetry_reset();
	canned_start(&server);
	snprintf(url, sizeof(url), "http://u:p@127.0.0.1:%d/x", server.port);
	snprintf(wanted, sizeof(wanted), "{__address__=\"a\",__meta_url=\"http://127.0.0.1:%d/x\"}", server.port);
	assert_int_equal(run_start(&run, &sd, NULL, NULL), GS_OK);
	run_wait(&run, wanted);
	assert_true(gs_metric_get(GS_M_SD_TARGETS, "job", "http") == 1);
	for (int i = 1; i <= 3; i++) {
		double before = gs_metric_get(GS_M_SD_FAILURES, "job", "http");
		server.step = i;
		run_wait_failures("http", before + 2);
		assert_true(run_is(&run, wanted));
	}
	assert_int_equal(run.lists, 1);
	server.step = 4;
	run_wait(&run, "");
	assert_true(gs_metric_get(GS_M_SD_TARGETS, "job", "http") == 0);
	assert_true(gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "http") > 0);
	run_stop(&run);
	canned_stop(&server);
}

static void test_memory(void **state) {
	struct canned server = {.fn = steps};
	char wanted[128];
	(void)state;
	canned_start(&server);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
	snprintf(wanted, sizeof(wanted), "{__address__=\"a\",__meta_url=\"%s\"}", url);
	run_without_memory(&sd, NULL, wanted, 400);
	canned_stop(&server);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keeps_the_last_good_list), cmocka_unit_test(test_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
