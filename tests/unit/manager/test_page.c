/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

static void assert_url(const char *url, const char *shown) {
	struct gs_buf out;
	gs_buf_init(&out, 1000);
	gs_page_url(&out, gs_str_of(url));
	assert_int_equal(out.n, strlen(shown));
	assert_memory_equal(out.p, shown, out.n);
	gs_buf_free(&out);
}

static void test_passwords_are_hidden(void **state) {
	(void)state;
	assert_url("http://host:1/a?b=c:d@e", "http://host:1/a?b=c:d@e");
	assert_url("http://user:secret@host:1/a", "http://user:xxxxx@host:1/a");
	assert_url("http://user:se@cr:et@host:1/a", "http://user:xxxxx@host:1/a");
	assert_url("http://:secret@host", "http://:xxxxx@host");
	assert_url("http://user@host/a:b@c", "http://user@host/a:b@c");
	assert_url("http://host?user:x@y", "http://host?user:x@y");
}

static void test_json(void **state) {
	(void)state;
	struct gs_relay *relay = relay_open();
	struct gs_manager *manager =
	    manager_of(relay, "jobs:\n  j:\n    scrape_interval: 1h\n    targets:\n"
			      "    - {name: \"a\\\"\\u00e9\", url: 'http://u:p@localhost:1/m?x=y', labels: {l: v}}\n"
			      "    static_configs: [{targets: ['gone:1']}]\n    relabel_configs:\n"
			      "    - {source_labels: [__address__], regex: 'gone.*', action: drop}\n");
	snprintf(manager->hostname, sizeof(manager->hostname), "myhost");
	char *json = json_of(manager);
	assert_string_equal(json,
	    "{\"status\":\"success\",\"data\":{\"activeTargets\":[{\"discoveredLabels\":{\"__address__\":\"localhost:"
	    "1\","
	    "\"__metrics_path__\":\"/"
	    "m\",\"__scheme__\":\"http\",\"__scrape_interval__\":\"1h\",\"__scrape_timeout__\":\"10s\","
	    "\"instance\":\"a\\\"\xc3\xa9\",\"job\":\"j\",\"l\":\"v\"},\"labels\":{\"instance\":\"a\\\"\xc3\xa9\","
	    "\"job\":\"j\",\"l\":\"v\"},"
	    "\"scrapePool\":\"j\",\"scrapeUrl\":\"http://u:xxxxx@localhost:1/m?x=y\","
	    "\"globalUrl\":\"http://u:xxxxx@localhost:1/"
	    "m?x=y\",\"lastError\":\"\",\"lastScrape\":\"0001-01-01T00:00:00Z\","
	    "\"lastScrapeDuration\":0,\"health\":\"unknown\",\"scrapeInterval\":\"1h\",\"scrapeTimeout\":\"10s\","
	    "\"samples\":0}],"
	    "\"droppedTargets\":[{\"discoveredLabels\":{\"__address__\":\"gone:1\",\"__metrics_path__\":\"/metrics\","
	    "\"__scheme__\":\"http\",\"__scrape_interval__\":\"1h\",\"__scrape_timeout__\":\"10s\",\"job\":\"j\"}}]}}");
	gs_free(json);
	gs_manager_free(manager);
	relay_close(relay);
}

static void test_filters_and_limit(void **state) {
	(void)state;
	struct gs_relay *relay = relay_open();
	struct gs_manager *manager = manager_of(
	    relay, "jobs:\n  j: {targets: [{url: 'http://[::1]:7/m'}]}\n  k: {targets: [{url: 'http://b'}]}\n");
	snprintf(manager->hostname, sizeof(manager->hostname), "myhost");
	struct gs_manager_filter filter = {.job = GS_STR("j"), .active = true};
	struct gs_buf out;
	gs_buf_init(&out, 10000);
	gs_manager_targets_json(manager, &filter, &out);
	gs_buf_char(&out, '\0');
	assert_int_equal(occurrences(out.p, "scrapePool"), 1);
	assert_non_null(strstr(out.p, "\"globalUrl\":\"http://myhost:7/m\""));
	gs_buf_clear(&out);
	filter.active = false;
	gs_manager_targets_json(manager, &filter, &out);
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, "{\"status\":\"success\",\"data\":{\"activeTargets\":[],\"droppedTargets\":[]}}");
	gs_buf_free(&out);
	gs_buf_init(&out, 100);
	filter.active = true;
	gs_manager_targets_json(manager, &filter, &out);
	assert_int_equal(out.status, GS_ELIMIT);
	gs_buf_free(&out);
	gs_manager_free(manager);
	relay_close(relay);
}

/* A target that does not answer. */
static void test_state(void **state) {
	(void)state;
	struct gs_relay *relay = relay_open();
	struct gs_manager *manager = manager_of(relay, "jobs:\n  j:\n    scrape_interval: 100ms\n    scrape_timeout: "
						       "20ms\n    targets: [{url: 'http://127.0.0.1:1/'}]\n");
	const struct target *target = manager->jobs[0]->view->targets[0];
	struct shown shown;
	for (int i = 0; i < 5000; i++) {
		gs_page_state(manager, target, &shown);
		if (shown.state.time_ms != 0)
			break;
		gs_clock_sleep_ms(1);
	}
	assert_string_equal(shown.health, "down");
	assert_true(strlen(shown.error) > 10);
	assert_int_equal(shown.state.cause, GS_SCRAPE_CONNECT);
	/* After the last scrape it is still known how it was. */
	gs_manager_stop(manager, 0);
	gs_page_state(manager, target, &shown);
	assert_string_equal(shown.health, "down");
	gs_manager_free(manager);
	relay_close(relay);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_passwords_are_hidden),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_filters_and_limit),
	    cmocka_unit_test(test_state),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
