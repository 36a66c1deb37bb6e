/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "private.h"
#include "run.h"

static void test_urls_are_shown_without_secrets(void **state) {
	static const struct {
		const char *url, *shown;
	} cases[] = {
	    {"http://a:1/b/c", "http://a:1/b/c"},
	    {"http://u:p@a:1/b?token=x#y", "http://a:1/b"},
	    {"https://u:p@q@a?x=@b", "https://a"},
	    {"http://a/@x", "http://a/@x"},
	    {"u:p@a", "a"},
	};
	char out[64];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		gs_sd_shown_url(cases[i].url, out, sizeof(out));
		assert_string_equal(out, cases[i].shown);
	}
}

static void test_what_is_no_source(void **state) {
	static const char *names[] = {"bucket"};
	struct gs_config_sd sd = {.kind = GS_SD_STATIC, .names = names, .nnames = 1, .line = 7, .column = 3};
	struct run run;
	struct gs_error err;
	size_t source;
	(void)state;
	assert_int_equal(run_start(&run, &sd, NULL, NULL), GS_EINVAL);
	sd.kind = GS_SD_NATS_KV;
	assert_int_equal(gs_discovery_add(run.discovery, "job", &sd, &source, &err), GS_EINVAL);
	assert_string_equal(err.text, "there is no connection to NATS");
	assert_int_equal(err.line, 7);
	sd.kind = GS_SD_HTTP;
	sd.nnames = 0;
	assert_int_equal(gs_discovery_add(run.discovery, "job", &sd, &source, &err), GS_EINVAL);
	run_stop(&run);
	gs_discovery_free(NULL);
}

/* Over all sources of a job and kind: the sum, and the success that is longest ago. */
static void test_gauges_of_several_sources(void **state) {
	static const char *good[] = {"/dev/shm/gravel-no-such-folder/*.json"},
			  *bad[] = {"/dev/null/x.json", "/dev/zero"};
	struct gs_config_sd sds[] = {
	    {.kind = GS_SD_FILE, .refresh_interval = 20, .names = good, .nnames = 1},
	    {.kind = GS_SD_FILE, .refresh_interval = 20, .names = bad, .nnames = 2},
	};
	struct run run;
	struct gs_error err;
	size_t source;
	(void)state;
	gs_telemetry_reset();
	struct gs_discovery_options options = {.user_agent = "test", .on_list = run_on_list, .ctx = &run};
	run = (struct run){.mutex = PTHREAD_MUTEX_INITIALIZER};
	assert_int_equal(gs_discovery_new(&options, &run.discovery, &err), GS_OK);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(gs_discovery_add(run.discovery, "job", &sds[i], &source, &err), GS_OK);
		assert_int_equal(source, i);
	}
	assert_int_equal(gs_discovery_start(run.discovery, &err), GS_OK);
	run_wait(&run, "");
	run_wait_failures("file", 3);
	assert_true(gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "file") == 0);
	assert_int_equal(run.lists, 1);
	run_stop(&run);
}

/* Never started: everything goes all the same. */
static void test_free_without_start(void **state) {
	static const char *names[] = {"http://127.0.0.1:9/"};
	static const enum gs_config_sd_kind kinds[] = {GS_SD_FILE, GS_SD_DNS, GS_SD_HTTP, GS_SD_ETCD};
	struct gs_discovery_options options = {.user_agent = "test", .on_list = run_on_list};
	struct gs_discovery *discovery;
	struct gs_error err;
	size_t source;
	(void)state;
	assert_int_equal(gs_discovery_new(&options, &discovery, &err), GS_OK);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct gs_config_sd sd = {
		    .kind = kinds[i], .refresh_interval = 1000, .names = names, .nnames = 1, .prefix = ""};
		assert_int_equal(gs_discovery_add(discovery, "job", &sd, &source, &err), GS_OK);
	}
	gs_discovery_free(discovery);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_urls_are_shown_without_secrets),
	    cmocka_unit_test(test_what_is_no_source),
	    cmocka_unit_test(test_gauges_of_several_sources),
	    cmocka_unit_test(test_free_without_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
