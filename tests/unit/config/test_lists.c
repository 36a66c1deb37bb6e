/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "expect.h"
#include "gravel/base/limits.h"

/* Each case is a job "a" with these keys, which begin in column 12. */
static void refuse_jobs(const struct refused *cases, size_t n) {
	for (size_t i = 0; i < n; i++) {
		char text[1024];
		snprintf(text, sizeof(text), "jobs: {a: {%s}}\n", cases[i].text);
		refuse_with(text, cases[i].want);
	}
}

#define REFUSE_JOBS(cases) refuse_jobs(cases, sizeof(cases) / sizeof((cases)[0]))

static void test_texts_and_mappings(void **state) {
	static const struct refused cases[] = {
	    {"static_configs: [{targets: x:1}]",
		"f:1:39: key \"jobs.a.static_configs[0].targets\" must be a list, not a word\n"},
	    {"static_configs: [{targets: [[x]]}]",
		"f:1:40: key \"jobs.a.static_configs[0].targets[0]\" must be one word, not a list\n"},
	    {"static_configs: [{targets: ['', 'http://x/y', 'a b', ok:1]}]",
		"f:1:40: key \"jobs.a.static_configs[0].targets[0]\" must not be empty\n"
		"f:1:44: key \"jobs.a.static_configs[0].targets[1]\" is an address (host:port) and has no '/'; see "
		"scheme "
		"and metrics_path\n"
		"f:1:58: key \"jobs.a.static_configs[0].targets[2]\" has a blank in it\n"},
	    {"static_configs: [{labels: {__x: y, 9z: a, b: [c]}}]",
		"f:1:47: key \"jobs.a.static_configs[0].labels.9z\" is no label name ([a-zA-Z_][a-zA-Z0-9_]*)\n"
		"f:1:57: key \"jobs.a.static_configs[0].labels.b\" must be one word, not a list\n"},
	    {"static_configs: {targets: []}", "f:1:28: key \"jobs.a.static_configs\" must be a list, not a mapping\n"},
	    {"static_configs: [x]", "f:1:29: key \"jobs.a.static_configs[0]\" must be a mapping, not a word\n"},
	    {"static_configs: [{target: []}]", "f:1:30: unknown key \"jobs.a.static_configs[0].target\"; did you mean "
					       "\"jobs.a.static_configs[0].targets\"?\n"},
	    {"params: [a]", "f:1:20: key \"jobs.a.params\" must be a mapping, not a list\n"},
	    {"params: {a: b}", "f:1:24: key \"jobs.a.params.a\" must be a list, not a word\n"},
	    {"params: {a: [{b: c}]}", "f:1:25: key \"jobs.a.params.a[0]\" must be one word, not a mapping\n"},
	    {"http_headers: {X-A: v}", "f:1:32: key \"jobs.a.http_headers.X-A\" must be a mapping, not a word\n"},
	    {"http_headers: {'a b': {}, user-agent: {values: [x]}, X: {value: [y]}}",
		"f:1:27: key \"jobs.a.http_headers.a b\" is no name of a header\n"
		"f:1:38: key \"jobs.a.http_headers.user-agent\" is set by the poller itself\n"
		"f:1:69: unknown key \"jobs.a.http_headers.X.value\"; did you mean "
		"\"jobs.a.http_headers.X.values\"?\n"},
	};
	(void)state;
	REFUSE_JOBS(cases);
}

/* None of these messages quotes what may be a secret. */
static void test_authorization(void **state) {
	static const struct refused cases[] = {
	    {"basic_auth: {password: s3cret, password_file: x}",
		"f:1:43: key \"jobs.a.basic_auth.password_file\" stands beside \"password\"; only one of them may\n"},
	    {"authorization: {credentials_file: x, credentials: s3cret}",
		"f:1:49: key \"jobs.a.authorization.credentials\" stands beside \"credentials_file\"; only one of them "
		"may\n"},
	    {"basic_auth: {}, authorization: {}, bearer_token: s3cret",
		"f:1:28: key \"jobs.a.authorization\" stands beside \"basic_auth\"; only one of them may\n"
		"f:1:47: key \"jobs.a.bearer_token\" stands beside \"basic_auth\"; only one of them may\n"},
	    {"authorization: {type: BASIC, credentials: s3cret}",
		"f:1:34: key \"jobs.a.authorization.type\" is not Basic here: use basic_auth\n"},
	    {"authorization: {type: 'a s3cret'}",
		"f:1:34: key \"jobs.a.authorization.type\" is one word without blanks\n"},
	    {"authorization: s3cret", "f:1:27: key \"jobs.a.authorization\" must be a mapping, not a word\n"},
	    {"basic_auth: {password: [s3cret]}",
		"f:1:35: key \"jobs.a.basic_auth.password\" must be one word, not a list\n"},
	    {"basic_auth: {password: \"s3\\u0007cret\"}",
		"f:1:35: key \"jobs.a.basic_auth.password\" has a control character\n"},
	    {"basic_auth: {username_file: x}",
		"f:1:40: key \"jobs.a.basic_auth.username_file\" is not supported: use username\n"},
	    {"oauth2: {client_secret: s3cret}",
		"f:1:20: key \"jobs.a.oauth2\" is not supported: requests would go out without "
		"their token; use authorization.credentials_file\n"},
	    {"proxy_url: 's3cret:x@y:z'", "f:1:23: key \"jobs.a.proxy_url\" does not begin with scheme://\n"},
	    {"proxy_url: 'socks4://u:s3cret@y'",
		"f:1:23: key \"jobs.a.proxy_url\" must begin with http://, https:// or socks5://\n"},
	    {"proxy_url: 'socks5://y/x'", "f:1:23: key \"jobs.a.proxy_url\" must end after host and port\n"},
	    {"tls_config: {cert_file: x}",
		"f:1:36: key \"jobs.a.tls_config.cert_file\" needs \"key_file\" beside it\n"},
	    {"tls_config: {key_file: x, cert_file: ''}",
		"f:1:35: key \"jobs.a.tls_config.key_file\" needs \"cert_file\" beside it\n"},
	    {"tls_config: {min_version: SSL3, server_name: 'a b', max_version: TLS13}",
		"f:1:38: key \"jobs.a.tls_config.min_version\" is TLS10, TLS11, TLS12 or TLS13, not \"SSL3\"\n"
		"f:1:57: key \"jobs.a.tls_config.server_name\" is no name of a host\n"
		"f:1:77: key \"jobs.a.tls_config.max_version\" is not supported: only min_version can be set\n"},
	    {"http_sd_configs: [{url: http://x, basic_auth: {}, authorization: {}}]",
		"f:1:62: key \"jobs.a.http_sd_configs[0].authorization\" stands beside \"basic_auth\"; only one of "
		"them "
		"may\n"},
	};
	(void)state;
	REFUSE_JOBS(cases);
}

static void test_settings(void **state) {
	static const struct refused cases[] = {
	    {"scheme: ftp", "f:1:20: key \"jobs.a.scheme\" is http or https\n"},
	    {"sample_limit: -1, label_limit: many",
		"f:1:26: key \"jobs.a.sample_limit\" is out of range: \"-1\" is not in 0 to 1000000000000\n"
		"f:1:43: key \"jobs.a.label_limit\" is no whole number: \"many\"\n"},
	    {"body_size_limit: 10XB",
		"f:1:29: key \"jobs.a.body_size_limit\" is no size (bytes, or with KB, MB, GB, KiB, MiB, "
		"GiB): \"10XB\"\n"},
	    {"relabel_configs: [{action: replce, source_labels: [a-b], modulus: x}]",
		"f:1:39: key \"jobs.a.relabel_configs[0].action\" is replace, keep, drop, keepequal, dropequal, "
		"hashmod, "
		"labelmap, labeldrop, labelkeep, lowercase or uppercase, not \"replce\"\n"
		"f:1:63: key \"jobs.a.relabel_configs[0].source_labels[0]\" is no label name "
		"([a-zA-Z_][a-zA-Z0-9_]*)\n"
		"f:1:78: key \"jobs.a.relabel_configs[0].modulus\" is no whole number: \"x\"\n"},
	    {"metric_relabel_configs: [{source_label: [a]}]",
		"f:1:38: unknown key \"jobs.a.metric_relabel_configs[0].source_label\"; did you mean "
		"\"jobs.a.metric_relabel_configs[0].source_labels\"?\n"},
	    {"aggregations: [{as: x}]", "f:1:27: key \"jobs.a.aggregations[0]\" needs sum, min, max, avg or count\n"},
	    {"aggregations: [{sum: a, count: b, as: 'x y', inputs: lose}]",
		"f:1:36: key \"jobs.a.aggregations[0].count\" stands beside \"sum\"; only one of them may\n"
		"f:1:50: key \"jobs.a.aggregations[0].as\" is no metric name ([a-zA-Z_:][a-zA-Z0-9_:]*)\n"
		"f:1:65: key \"jobs.a.aggregations[0].inputs\" is keep or drop, not \"lose\"\n"},
	    {"aggregations: [{sum: '', by: [a], without: [b-c]}]",
		"f:1:27: key \"jobs.a.aggregations[0]\" needs sum, min, max, avg or count\n"
		"f:1:27: key \"jobs.a.aggregations[0].as\" is missing\n"
		"f:1:33: key \"jobs.a.aggregations[0].sum\" must not be empty\n"
		"f:1:46: key \"jobs.a.aggregations[0].without\" stands beside \"by\"; only one of them may\n"
		"f:1:56: key \"jobs.a.aggregations[0].without[0]\" is no label name ([a-zA-Z_][a-zA-Z0-9_]*)\n"},
	};
	(void)state;
	REFUSE_JOBS(cases);
}

#define LISTS "static_configs, file_sd_configs, dns_sd_configs, http_sd_configs, etcd_sd_configs, nats_kv_sd_configs"

static void test_discovery(void **state) {
	static const struct refused cases[] = {
	    {"kubernetes_sd_configs: [{role: pod}]",
		"f:1:12: unknown discovery \"jobs.a.kubernetes_sd_configs\"; there are " LISTS "\n"},
	    {"fil_sd_configs: []", "f:1:12: unknown discovery \"jobs.a.fil_sd_configs\"; there are " LISTS "\n"},
	    {"static_config: []",
		"f:1:12: unknown key \"jobs.a.static_config\"; did you mean \"jobs.a.static_configs\"?\n"},
	    {"file_sd_configs: [{}]", "f:1:30: key \"jobs.a.file_sd_configs[0].files\" is missing\n"},
	    {"file_sd_configs: [{files: [], refresh_interval: 1ms}]",
		"f:1:38: key \"jobs.a.file_sd_configs[0].files\" must not be empty\n"
		"f:1:60: key \"jobs.a.file_sd_configs[0].refresh_interval\" is out of range: \"1ms\" is not in 100ms "
		"to "
		"1d\n"},
	    {"file_sd_configs: [{files: [a.txt, 'a*/b.json', 'a/*.yml', x*y*.JSON]}]",
		"f:1:39: key \"jobs.a.file_sd_configs[0].files[0]\" must end in .json, .yml or .yaml\n"
		"f:1:46: key \"jobs.a.file_sd_configs[0].files[1]\" has '*' before its last part\n"},
	    {"dns_sd_configs: [{names: [x], type: A}, {names: [y], type: MX, port: 70000}]",
		"f:1:29: key \"jobs.a.dns_sd_configs[0]\" needs a port: only SRV records have one\n"
		"f:1:71: key \"jobs.a.dns_sd_configs[1].type\" is SRV, A or AAAA, not \"MX\"\n"
		"f:1:81: key \"jobs.a.dns_sd_configs[1].port\" is out of range: \"70000\" is not in 0 to 65535\n"},
	    {"http_sd_configs: [{url: [http://x]}, {url: x}, {}, {url: ''}]",
		"f:1:36: key \"jobs.a.http_sd_configs[0].url\" must be one word, not a list\n"
		"f:1:55: key \"jobs.a.http_sd_configs[1].url\" does not begin with scheme://\n"
		"f:1:59: key \"jobs.a.http_sd_configs[2].url\" is missing\n"
		"f:1:69: key \"jobs.a.http_sd_configs[3].url\" must not be empty\n"},
	    {"etcd_sd_configs: [{urls: [etcd:2379]}]",
		"f:1:30: key \"jobs.a.etcd_sd_configs[0].prefix\" is missing\n"
		"f:1:38: key \"jobs.a.etcd_sd_configs[0].urls[0]\" does not begin with scheme://\n"},
	    {"nats_kv_sd_configs: [{bucket: a.b, prefix: 'x*'}]",
		"f:1:42: key \"jobs.a.nats_kv_sd_configs[0].bucket\" is no name of a bucket ([a-zA-Z0-9_-]+)\n"
		"f:1:55: key \"jobs.a.nats_kv_sd_configs[0].prefix\" is no beginning of a key ([a-zA-Z0-9_=./-]+)\n"},
	};
	(void)state;
	REFUSE_JOBS(cases);
}

/* Keys that other versions of Prometheus know. */
static void test_no_effect(void **state) {
	(void)state;
	gs_config_free(accept_with(
	    "scrape_configs:\n- job_name: a\n  enable_http2: false\n  scrape_protocols: [OpenMetricsText1.0.0]\n",
	    "f:3:3: warning: key \"scrape_configs[0].enable_http2\" is known but has no effect yet\n"
	    "f:4:3: warning: key \"scrape_configs[0].scrape_protocols\" is known but has no effect yet\n"));
	gs_config_free(accept("scrape_configs:\n- {job_name: a, oauth2: , no_proxy: }\n")); /* nothing is said */
}

/* Empty texts: some are values, some are the same as none, and then they exclude nothing. */
static void test_empty(void **state) {
	(void)state;
	struct gs_config *c =
	    accept("jobs: {a: {metrics_path: '', scheme: http, proxy_url: '', bearer_token: '',\n"
		   "  basic_auth: {password: '', password_file: x}, tls_config: {server_name: '', ca_file: ''},\n"
		   "  relabel_configs: [{regex: '', separator: '', replacement: '', target_label: ''}, {regex: }]}}\n");
	const struct gs_config_job *j = &c->jobs[0];
	assert_string_equal(j->metrics_path, "");
	assert_null(j->http.proxy_url);
	assert_false(j->http.authorization);
	assert_true(j->http.basic_auth && j->http.password.value == NULL);
	assert_string_equal(j->http.password.file, "x");
	assert_true(j->http.server_name == NULL && j->http.ca_file == NULL);
	assert_string_equal(j->relabel[0].regex, "");
	assert_string_equal(j->relabel[0].separator, "");
	assert_string_equal(j->relabel[0].replacement, "");
	assert_null(j->relabel[0].target_label);
	assert_string_equal(j->relabel[1].regex, "(.*)");
	gs_config_free(c);
	c = accept("jobs: {a: {authorization: {type: '', credentials: x}, bearer_token: '', bearer_token_file: ''}}\n");
	assert_string_equal(c->jobs[0].http.credentials.value, "x");
	assert_string_equal(c->jobs[0].http.authorization_type, "Bearer");
	gs_config_free(c);
}

static void test_large_limit(void **state) {
	(void)state;
	struct gs_config *c = accept("jobs: {a: {body_size_limit: 100GB}, b: {body_size_limit: 1.5KB}}\n");
	assert_int_equal(c->jobs[0].body_size_limit, GS_LIMIT_WIRE_BODY);
	assert_int_equal(c->jobs[1].body_size_limit, 1536);
	gs_config_free(c);
}

/* Wherever the lists stand, those of one kind stay together and in order. */
static void test_order_of_discovery(void **state) {
	static const int kinds[] = {GS_SD_STATIC, GS_SD_STATIC, GS_SD_FILE, GS_SD_DNS, GS_SD_HTTP, GS_SD_HTTP};
	static const char *const names[] = {"s1", "s2", "f.yml", "d", "http://h1", "http://h2"};
	(void)state;
	struct gs_config *c = accept("jobs: {a: {http_sd_configs: [{url: http://h1}, {url: http://h2}],\n"
				     "  static_configs: [{targets: [s1]}, {targets: [s2]}], nats_kv_sd_configs: [],\n"
				     "  dns_sd_configs: [{names: [d]}], file_sd_configs: [{files: [f.yml]}]}}\n");
	const struct gs_config_job *j = &c->jobs[0];
	assert_int_equal(j->nsds, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(j->sds[i].kind, kinds[i]);
		assert_string_equal(j->sds[i].names[0], names[i]);
	}
	gs_config_free(c);
}

static void test_too_many(void **state) {
	size_t max = 1 << 23, n;
	char *text = malloc(max);
	(void)state;
	assert_non_null(text);
	n = (size_t)snprintf(text, max, "jobs: {a: {http_headers: {X: {values: [");
	for (int i = 0; i < 101; i++)
		n += (size_t)snprintf(text + n, max - n, "v,");
	snprintf(text + n, max - n, "]}}}}\n");
	refuse_with(text, "f:1:26: key \"jobs.a.http_headers\" has more than 100 values\n");
	n = (size_t)snprintf(text, max, "jobs: {a: {aggregations: [");
	for (int i = 0; i < 1000000; i++)
		n += (size_t)snprintf(text + n, max - n, "{},");
	snprintf(text + n, max - n, "]}}\n");
	refuse_with(text, "f:1:26: key \"jobs.a.aggregations\" is too long: more than 1000000 items in all lists\n");
	n = (size_t)snprintf(text, max, "scrape_configs: [");
	for (int i = 0; i < 1000001; i++)
		n += (size_t)snprintf(text + n, max - n, "{},");
	snprintf(text + n, max - n, "]\n");
	refuse_with(text, "f:1:1: a config has at most 1000000 jobs\n");
	free(text);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts_and_mappings),
	    cmocka_unit_test(test_authorization), cmocka_unit_test(test_settings), cmocka_unit_test(test_discovery),
	    cmocka_unit_test(test_no_effect), cmocka_unit_test(test_empty), cmocka_unit_test(test_large_limit),
	    cmocka_unit_test(test_order_of_discovery), cmocka_unit_test(test_too_many)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
