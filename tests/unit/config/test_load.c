/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "expect.h"

static void test_everything(void **state) {
	(void)state;
	struct gs_config *c = accept(
	    "identity: me\n"
	    "scrape_interval: 1m30s\n"
	    "scrape_timeout: 20\n"
	    "scrape_body_limit: 5MB\n"
	    "max_age: 80\n"
	    "monitor_port: 10000\n"
	    "logfile: /var/log/x\n"
	    "verbose: yes\n"
	    "debug: true\n"
	    "poller_stream:\n"
	    "  urls: [\"nats://u:p@a:4222\", \"tls://b, nats://c\"]\n"
	    "  topic: a.b\n"
	    "  client_id: cid\n"
	    "  stream: S\n"
	    "  replicas: 3\n"
	    "  retention: 1h\n"
	    "  storage: memory\n"
	    "  buffer: 1GiB\n"
	    "  push_stream: P\n"
	    "  push_retention: 3h\n"
	    "receiver_stream: {urls: \"nats://a , nats://b\", push_stream: Q}\n"
	    "receiver:\n"
	    "  listen: :1\n"
	    "  publisher_label: off\n"
	    "  expiration: 2h\n"
	    "  limits: {push_body: 1MiB, push_samples: 2, pushes_in_flight: 3, series: 4, groups: 5,\n"
	    "    series_per_group: 6, series_per_family: 7, labels_per_series: 8, name_length: 9, value_length: 10}\n");
	assert_string_equal(c->file, "f");
	assert_string_equal(c->identity, "me");
	assert_int_equal(c->scrape_interval, 90000);
	assert_int_equal(c->scrape_timeout, 20000);
	assert_int_equal(c->scrape_body_limit, 5000000);
	assert_int_equal(c->max_age, 80000);
	assert_int_equal(c->monitor_port, 10000);
	assert_string_equal(c->logfile, "/var/log/x");
	assert_true(c->verbose && c->debug);
	const struct gs_config_stream *s = &c->poller_stream;
	assert_true(s->present);
	assert_int_equal(s->nurls, 3);
	assert_string_equal(s->urls[0], "nats://u:p@a:4222");
	assert_string_equal(s->urls[1], "tls://b");
	assert_string_equal(s->urls[2], "nats://c");
	assert_string_equal(s->topic, "a.b");
	assert_string_equal(s->client_id, "cid");
	assert_string_equal(s->stream, "S");
	assert_int_equal(s->replicas, 3);
	assert_int_equal(s->retention, 3600000);
	assert_int_equal(s->storage, GS_STORAGE_MEMORY);
	assert_int_equal(s->buffer, 1 << 30);
	assert_string_equal(s->push_stream, "P");
	assert_int_equal(s->push_retention, 10800000);
	assert_string_equal(c->receiver_stream.push_stream, "Q");
	assert_int_equal(c->receiver_stream.nurls, 2);
	assert_string_equal(c->receiver_stream.urls[1], "nats://b");
	assert_string_equal(c->receiver_stream.topic, "prometheus");
	assert_string_equal(c->receiver.listen, ":1");
	assert_false(c->receiver.publisher_label);
	assert_int_equal(c->receiver.expiration, 7200000);
	assert_int_equal(c->receiver.limits.push_body, 1 << 20);
	assert_int_equal(c->receiver.limits.push_samples, 2);
	assert_int_equal(c->receiver.limits.pushes_in_flight, 3);
	assert_int_equal(c->receiver.limits.series, 4);
	assert_int_equal(c->receiver.limits.groups, 5);
	assert_int_equal(c->receiver.limits.series_per_group, 6);
	assert_int_equal(c->receiver.limits.series_per_family, 7);
	assert_int_equal(c->receiver.limits.labels_per_series, 8);
	assert_int_equal(c->receiver.limits.name_length, 9);
	assert_int_equal(c->receiver.limits.value_length, 10);
	gs_config_free(c);
}

static void test_defaults(void **state) {
	static const char *const nothing[] = {
	    "", "---\n", "{}", "jobs:\nreceiver: ~\npoller_stream: null\nidentity:\nlogfile: ''\n"};
	char host[256] = "";
	(void)state;
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		struct gs_config *c = accept(nothing[i]);
		assert_string_equal(c->identity, host);
		assert_null(c->logfile);
		assert_int_equal(c->scrape_interval, 15000);
		assert_false(c->poller_stream.present);
		assert_int_equal(c->njobs, 0);
		gs_config_free(c);
	}
}

static void test_timeout_clamped(void **state) {
	(void)state;
	struct gs_config *c = accept("scrape_interval: 5s\n");
	assert_int_equal(c->scrape_timeout, 5000);
	gs_config_free(c);
	c = accept("scrape_interval: 5s\nscrape_timeout: 5s\n");
	assert_int_equal(c->scrape_timeout, 5000);
	gs_config_free(c);
}

static void test_publisher_label(void **state) {
	(void)state;
	struct gs_config *c = accept("push_gateway: {publisher_label: false}\n");
	assert_false(c->receiver.publisher_label);
	gs_config_free(c);
	c = accept("push_gateway: {publisher_label: off}\nreceiver: {publisher_label: no}\n");
	assert_false(c->receiver.publisher_label);
	gs_config_free(c);
	refuse_with("receiver: {publisher_label: true}\npush_gateway: {publisher_label: false}\n",
	    "f:2:33: key \"push_gateway.publisher_label\" contradicts \"receiver.publisher_label\" in line 1\n");
}

static void test_no_effect(void **state) {
	(void)state;
	gs_config_free(accept_with("tls: {scheme: manual, ca: /x}\n"
				   "management: {any: [thing, {goes: here}], tls: {x: y}}\n"
				   "push_gateway: {url: http://a:9091}\n"
				   "poller_stream:\n"
				   "  urls: nats://a\n"
				   "  cluster_id: c\n"
				   "  tls:\n",
	    "f:1:1: warning: key \"tls\" is known but has no effect yet\n"
	    "f:2:1: warning: key \"management\" is known but has no effect yet\n"
	    "f:3:16: warning: key \"push_gateway.url\" is known but has no effect yet\n"
	    "f:6:3: warning: key \"poller_stream.cluster_id\" is known but has no effect yet\n"
	    "f:7:3: warning: key \"poller_stream.tls\" is known but has no effect yet\n"));
	refuse_with("tls: {scheme: magic, sa: x, ca: [y]}\nmanagement: [a]\npush_gateway: {url: nonsense}\n",
	    "f:1:1: warning: key \"tls\" is known but has no effect yet\n"
	    "f:1:15: key \"tls.scheme\" is puppet or manual, not \"magic\"\n"
	    "f:1:22: unknown key \"tls.sa\"; did you mean \"tls.ca\"?\n"
	    "f:1:33: key \"tls.ca\" must be one word, not a list\n"
	    "f:2:1: warning: key \"management\" is known but has no effect yet\n"
	    "f:2:13: key \"management\" must be a mapping, not a list\n"
	    "f:3:16: warning: key \"push_gateway.url\" is known but has no effect yet\n"
	    "f:3:21: key \"push_gateway.url\" does not begin with scheme://\n");
}

static void test_refused(void **state) {
	static const struct refused cases[] = {
	    {"- a\n- b\n", "f:1:1: a config is a mapping of keys, not a list\n"},
	    {"word\n", "f:1:1: a config is a mapping of keys, not a word\n"},
	    {"scrap_interval: 5s\n", "f:1:1: unknown key \"scrap_interval\"; did you mean \"scrape_interval\"?\n"},
	    {"listen: :80\n", "f:1:1: unknown key \"listen\"; did you mean \"receiver.listen\"?\n"},
	    {"colour: red\n", "f:1:1: unknown key \"colour\"; docs/CONFIG.md lists all keys\n"},
	    {"'': red\n", "f:1:1: unknown key \"\"; docs/CONFIG.md lists all keys\n"},
	    {"\"a\\nb\": red\n", "f:1:1: unknown key \"a?b\"; docs/CONFIG.md lists all keys\n"},
	    {"receiver_stream:\n  urls: nats://a\n  buffer: 1MB\n",
		"f:3:3: unknown key \"receiver_stream.buffer\"; did you mean \"poller_stream.buffer\"?\n"},
	    {"receiver:\n  limits:\n    serie: 1\n",
		"f:3:5: unknown key \"receiver.limits.serie\"; did you mean \"receiver.limits.series\"?\n"},
	    {"receiver:\n  limits:\n    labels_per_series: 129\n    name_length: 1025\n    value_length: 65537\n"
	     "    series_per_group: 0\n    series_per_family: 0\n",
		"f:3:24: key \"receiver.limits.labels_per_series\" is out of range: \"129\" is not in 1 to 128\n"
		"f:4:18: key \"receiver.limits.name_length\" is out of range: \"1025\" is not in 1 to 1KiB\n"
		"f:5:19: key \"receiver.limits.value_length\" is out of range: \"65537\" is not in 1 to 64KiB\n"
		"f:6:23: key \"receiver.limits.series_per_group\" is out of range: \"0\" is not in 1 to 1000000000\n"
		"f:7:24: key \"receiver.limits.series_per_family\" is out of range: \"0\" is not in 1 to 1000000000\n"},
	    {"receiver:\n  limits: {labels_per_series: 0, name_length: 0, value_length: 0}\n",
		"f:2:31: key \"receiver.limits.labels_per_series\" is out of range: \"0\" is not in 1 to 128\n"
		"f:2:47: key \"receiver.limits.name_length\" is out of range: \"0\" is not in 1 to 1KiB\n"
		"f:2:64: key \"receiver.limits.value_length\" is out of range: \"0\" is not in 1 to 64KiB\n"},
	    {"receiver: on\n", "f:1:11: key \"receiver\" must be a mapping, not a word\n"},
	    {"identity: [a]\n", "f:1:11: key \"identity\" must be one word, not a list\n"},
	    {"identity: ''\n", "f:1:11: key \"identity\" must not be empty\n"},
	    {"identity: \"a\\0b\"\n", "f:1:11: key \"identity\" has a control character\n"},
	    {"logfile: |\n  a\n  b\n", "f:1:10: key \"logfile\" has a control character\n"},
	    {"verbose: 1\ndebug: maybe\n", "f:1:10: key \"verbose\" is true or false, not \"1\"\n"
					   "f:2:8: key \"debug\" is true or false, not \"maybe\"\n"},
	    {"scrape_interval: 15 seconds\n",
		"f:1:18: key \"scrape_interval\" is no duration (15s, 1m30s, or a number of "
		"seconds): \"15 seconds\"\n"},
	    {"scrape_interval: 0\nmax_age: 5y\n",
		"f:1:18: key \"scrape_interval\" is out of range: \"0\" is not in 100ms to 1d\n"
		"f:2:10: key \"max_age\" is out of range: \"5y\" is not in 100ms to 1y\n"},
	    {"max_age: 99999999999999999999\n",
		"f:1:10: key \"max_age\" is out of range: \"99999999999999999999\" is not in 100ms to 1y\n"},
	    {"monitor_port: 65536\n", "f:1:15: key \"monitor_port\" is out of range: \"65536\" is not in 0 to 65535\n"},
	    {"monitor_port: http\n", "f:1:15: key \"monitor_port\" is no whole number: \"http\"\n"},
	    {"scrape_body_limit: 1 TB\n",
		"f:1:20: key \"scrape_body_limit\" is no size (bytes, or with KB, MB, GB, KiB, MiB, "
		"GiB): \"1 TB\"\n"},
	    {"scrape_body_limit: 1GiB\n",
		"f:1:20: key \"scrape_body_limit\" is out of range: \"1GiB\" is not in 1KiB to 128MiB\n"},
	    {"scrape_timeout: 20s\n",
		"f:1:17: key \"scrape_timeout\" is longer than the scrape_interval: 20s against 15s\n"},
	    {"scrape_interval: x\nscrape_timeout: 20s\n",
		"f:1:18: key \"scrape_interval\" is no duration (15s, 1m30s, or a "
		"number of seconds): \"x\"\n"},
	    {"receiver: {listen: nowhere}\n", "f:1:20: key \"receiver.listen\" is no host:port, [v6]:port or :port\n"},
	};
	(void)state;
	refuse_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_refused_streams(void **state) {
	static const struct refused cases[] = {
	    {"poller_stream: {}\n", "f:1:16: key \"poller_stream.urls\" is missing\n"},
	    {"poller_stream: {urls: }\n", "f:1:16: key \"poller_stream.urls\" is missing\n"},
	    {"poller_stream: {urls: []}\n",
		"f:1:23: key \"poller_stream.urls\" must be an address or a list of them\n"},
	    {"poller_stream: {urls: {a: b}}\n",
		"f:1:23: key \"poller_stream.urls\" must be an address or a list of them\n"},
	    {"poller_stream: {urls: ''}\n", "f:1:23: key \"poller_stream.urls\" must not be empty\n"},
	    /* Neither message quotes the password. */
	    {"poller_stream: {urls: \"nats://a, http://user:secret@b\"}\n",
		"f:1:23: key \"poller_stream.urls\" must begin with nats:// or tls://\n"},
	    {"poller_stream:\n  urls:\n    - nats://a\n    - user:secret@b\n    - [c]\n    -\n",
		"f:4:7: key \"poller_stream.urls[1]\" does not begin with scheme://\n"
		"f:5:7: key \"poller_stream.urls[2]\" must be one word, not a list\n"
		"f:6:6: key \"poller_stream.urls[3]\" must not be empty\n"},
	    {"poller_stream: {urls: \"nats://a,,nats://b\"}\n",
		"f:1:23: key \"poller_stream.urls\" has an empty address\n"},
	    {"receiver_stream: {urls: nats://a, stream: S, push_stream: S, push_retention: 1ms}\n",
		"f:1:59: key \"receiver_stream.push_stream\" is the stream of scrapes; pushes need one of their own\n"
		"f:1:78: key \"receiver_stream.push_retention\" is out of range: \"1ms\" is not in 1s to 1y\n"},
	    {"poller_stream: {urls: nats://a, topic: a.*, stream: a.b, storage: disk, replicas: 6}\n",
		"f:1:40: key \"poller_stream.topic\" must not hold a blank, '*', '>' or '$'\n"
		"f:1:53: key \"poller_stream.stream\" must not hold a blank, '.', '*', '>', '/', '\\' or '$'\n"
		"f:1:67: key \"poller_stream.storage\" is file or memory, not \"disk\"\n"
		"f:1:83: key \"poller_stream.replicas\" is out of range: \"6\" is not in 1 to 5\n"},
	};
	(void)state;
	refuse_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_long_text(void **state) {
	char text[400];
	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "identity: ", 10);
	text[10 + 250] = '\0';
	gs_config_free(accept(text));
	text[10 + 250] = 'x';
	text[10 + 251] = '\0';
	refuse_with(text, "f:1:11: key \"identity\" is longer than 250 bytes\n");
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything), cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_timeout_clamped), cmocka_unit_test(test_publisher_label),
	    cmocka_unit_test(test_no_effect), cmocka_unit_test(test_refused), cmocka_unit_test(test_refused_streams),
	    cmocka_unit_test(test_long_text)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
