/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canned.h"
#include "run.h"

static char dead[64], url[64];
static const char *names[] = {dead, url};
static struct gs_config_sd sd = {.kind = GS_SD_ETCD,
    .refresh_interval = 20,
    .names = names,
    .nnames = 2,
    .prefix = "/t/",
    .http = {.basic_auth = true, .username = "me", .password = {.value = "pw"}}};

/* Two pages of /t/a:1 and /t/b:2, for whoever has the token of the step. */
static size_t pages(struct canned *server, const char *request, size_t n, char *answer, size_t max) {
	char token[64];
	(void)n;
	snprintf(token, sizeof(token), "\r\nAuthorization: tok.%d\r\n", (int)server->step);
	if (strncmp(request, "POST /v3/auth/authenticate ", 27) == 0) {
		char body[64];
		if (strstr(request, "{\"name\":\"me\",\"password\":\"pw\"}") == NULL)
			return canned_http(answer, max, 400, "");
		snprintf(body, sizeof(body), "{\"token\":\"tok.%d\"}", (int)server->step);
		return canned_http(answer, max, 200, body);
	}
	if (strncmp(request, "POST /v3/kv/range ", 18) != 0 || strstr(request, token) == NULL)
		return canned_http(answer, max, 401, "{}");
	if (server->step == 2)
		return canned_http(answer, max, 200, "{}");
	if (strstr(request, "{\"key\":\"L3Qv\",\"range_end\":\"L3Qw\",\"limit\":5000}") != NULL)
		return canned_http(answer, max, 200,
		    "{\"header\":{\"revision\":\"7\"},\"kvs\":[{\"key\":\"L3QvYTox\"}],\"more\":true,\"count\":\"2\"}");
	if (strstr(request, "{\"key\":\"L3QvYToxAA==\",\"range_end\":\"L3Qw\",\"limit\":5000,\"revision\":7}") != NULL)
		return canned_http(answer, max, 200,
		    "{\"header\":{\"revision\":\"9\"},\"kvs\":[{\"key\":\"L3QvYjoy\"}],\"count\":\"1\"}");
	return canned_http(answer, max, 400, "{}");
}

static const char both[] =
    "{__address__=\"a:1\",__meta_etcd_key=\"/t/a:1\"} {__address__=\"b:2\",__meta_etcd_key=\"/t/b:2\"}";

static void start(struct canned *server) {
	gs_telemetry_reset();
	canned_start(server);
	/* The discard port of the loopback: nobody is there. */
	snprintf(dead, sizeof(dead), "http://127.0.0.1:9");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server->port);
}

static void test_pages_endpoints_and_tokens(void **state) {
	struct canned server = {.fn = pages};
	struct run run;
	(void)state;
	start(&server);
	assert_int_equal(run_start(&run, &sd, NULL, NULL), GS_OK);
	run_wait(&run, both);
	assert_true(gs_metric_get(GS_M_SD_FAILURES, "job", "etcd") == 0);
	/* The token is not good any more. */
	double before = gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "etcd");
	server.step = 1;
	while (gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "etcd") < before + 0.2)
		gs_clock_sleep_ms(10);
	assert_true(gs_metric_get(GS_M_SD_FAILURES, "job", "etcd") == 0);
	/* An answer that is none. */
	server.step = 2;
	run_wait_failures("etcd", 2);
	assert_true(run_is(&run, both));
	assert_int_equal(run.lists, 1);
	run_stop(&run);
	canned_stop(&server);
}

static void test_memory(void **state) {
	struct canned server = {.fn = pages};
	(void)state;
	start(&server);
	run_without_memory(&sd, NULL, both, 600);
	canned_stop(&server);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pages_endpoints_and_tokens), cmocka_unit_test(test_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
