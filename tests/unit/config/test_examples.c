/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "gravel/config/config.h"

/* Load a file of the source tree; the report must be ${want}, where "F" at the start of a line is the file's name. */
static struct gs_config *load(const char *name, const char *want) {
	struct gs_config_report report;
	struct gs_config *c = NULL;
	char path[1024];
	snprintf(path, sizeof(path), "%s/%s", GRAVEL_SOURCE_DIR, name);
	enum gs_status status = gs_config_load(path, &report, &c);
	gs_buf_char(&report.text, '\0');
	char *line = report.text.p;
	for (const char *p = want; *p != '\0'; p = strchr(p, '\n') + 1) {
		size_t n = (size_t)(strchr(p, '\n') - p);
		assert_memory_equal(line, path, strlen(path));
		assert_memory_equal(line + strlen(path), p + 1, n);
		line += strlen(path) + n;
	}
	assert_string_equal(line, "");
	assert_int_equal(status, GS_OK);
	gs_config_report_free(&report);
	return c;
}

static void test_poller(void **state) {
	(void)state;
	struct gs_config *c = load("config/poller.yaml", "");
	assert_true(c->poller_stream.present && !c->receiver_stream.present);
	assert_int_equal(c->poller_stream.nurls, 2);
	assert_int_equal(c->njobs, 2);
	assert_int_equal(c->jobs[1].nrules, 2);
	assert_string_equal(c->jobs[0].targets[0].name, "10.0.0.11:9100");
	gs_config_free(c);
}

static void test_receiver(void **state) {
	(void)state;
	struct gs_config *c = load("config/receiver.yaml", "");
	assert_true(!c->poller_stream.present && c->receiver_stream.present);
	assert_int_equal(c->receiver.expiration, 86400000);
	assert_int_equal(c->njobs, 0);
	gs_config_free(c);
}

static void test_standalone(void **state) {
	(void)state;
	struct gs_config *c = load("config/standalone.yaml", "");
	assert_true(!c->poller_stream.present && !c->receiver_stream.present);
	assert_string_equal(c->receiver.listen, "localhost:4278");
	gs_config_free(c);
}

static void test_both(void **state) {
	(void)state;
	struct gs_config *c = load("config/both.yaml", "");
	assert_true(c->poller_stream.present && c->receiver_stream.present);
	assert_string_equal(c->poller_stream.topic, c->receiver_stream.topic);
	assert_int_equal(c->njobs, 1);
	gs_config_free(c);
}

static void test_scrape_configs(void **state) {
	static const char *const names[] = {
	    "backup", "node", "services", "database", "inventory", "workers", "federate", "probe"};
	(void)state;
	struct gs_config *c = load("config/scrape_configs.yaml", "");
	assert_int_equal(c->njobs, 8);
	for (size_t i = 0; i < 8; i++)
		assert_string_equal(c->jobs[i].name, names[i]);
	assert_int_equal(c->poller_stream.push_retention, 7200000);
	assert_int_equal(c->jobs[1].body_size_limit, 20 << 20);
	assert_string_equal(c->jobs[2].sds[0].names[0], GRAVEL_SOURCE_DIR "/config/targets/*.json");
	assert_int_equal(c->jobs[5].nsds, 2);
	assert_int_equal(c->jobs[5].nrollups, 2);
	assert_true(c->jobs[5].rollups[0].drop && !c->jobs[5].rollups[1].drop);
	assert_int_equal(c->jobs[7].nrelabel, 3);
	gs_config_free(c);
}

/* Its keys all mean what they meant, or say that they do not. */
static void test_prometheus_streams(void **state) {
	(void)state;
	struct gs_config *c = load("tests/unit/config/data/prometheus-streams.yaml",
	    "F:11:1: warning: key \"tls\" is known but has no effect yet\n"
	    "F:22:3: warning: key \"poller_stream.cluster_id\" is known but has no effect yet\n"
	    "F:25:3: warning: key \"poller_stream.tls\" is known but has no effect yet\n"
	    "F:31:3: warning: key \"receiver_stream.cluster_id\" is known but has no effect yet\n"
	    "F:36:3: warning: key \"push_gateway.url\" is known but has no effect yet\n"
	    "F:39:1: warning: key \"management\" is known but has no effect yet\n");
	assert_string_equal(c->identity, "poller1.dc1.example.net");
	assert_int_equal(c->scrape_interval, 60000);
	assert_int_equal(c->scrape_timeout, 10000);
	assert_int_equal(c->max_age, 80000);
	assert_int_equal(c->monitor_port, 10000);
	assert_string_equal(c->logfile, "/var/log/prometheus-streams.log");
	assert_string_equal(c->poller_stream.client_id, "dc1_poller");
	assert_int_equal(c->receiver_stream.nurls, 2);
	assert_true(c->receiver.publisher_label);
	assert_int_equal(c->njobs, 2);
	assert_string_equal(c->jobs[0].targets[1].name, "web2");
	gs_config_free(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_poller), cmocka_unit_test(test_receiver),
	    cmocka_unit_test(test_standalone), cmocka_unit_test(test_both), cmocka_unit_test(test_scrape_configs),
	    cmocka_unit_test(test_prometheus_streams)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
