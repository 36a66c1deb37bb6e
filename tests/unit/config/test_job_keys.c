/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "expect.h"
#include "gravel/base/mem.h"
#include "gravel/relabel/relabel.h"
#include "gravel/rollup/rollup.h"
#include "keys.h"

#define FOLDER GRAVEL_SOURCE_DIR "/tests/unit/config/data"
#define FILE_NAME FOLDER "/scrape_configs.yaml"

static struct gs_config *config;

static int setup(void **state) {
	struct gs_config_report report;
	(void)state;
	assert_int_equal(gs_config_load(FILE_NAME, &report, &config), GS_OK);
	gs_buf_char(&report.text, '\0');
	assert_string_equal(report.text.p,
	    FILE_NAME ":67:5: warning: key \"scrape_configs[2].enable_http2\" is known but has no effect yet\n");
	gs_config_report_free(&report);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_config_free(config);
	return 0;
}

static void same_texts(const char **got, size_t n, const char *const *want) {
	size_t i = 0;
	for (; i < n && want[i] != NULL; i++)
		assert_string_equal(got[i], want[i]);
	assert_int_equal(i, n);
	assert_null(want[i]);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_TEXTS ((const char *const[]){NULL})

static const struct gs_config_job *job(const char *name) {
	for (size_t i = 0; i < config->njobs; i++) {
		if (strcmp(config->jobs[i].name, name) == 0)
			return &config->jobs[i];
	}
	fail_msg("no job %s", name);
	return NULL;
}

static void test_names_and_places(void **state) {
	static const struct {
		const char *name;
		uint32_t line, column;
	} want[] = {{"own-form", 12, 3}, {"prometheus", 20, 15}, {"federate", 24, 15}, {"secure", 46, 15},
	    {"token", 82, 15}, {"old-token", 109, 15}};
	(void)state;
	assert_int_equal(config->njobs, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < config->njobs; i++) {
		assert_string_equal(config->jobs[i].name, want[i].name);
		assert_int_equal(config->jobs[i].line, want[i].line);
		assert_int_equal(config->jobs[i].column, want[i].column);
	}
	assert_string_equal(config->poller_stream.push_stream, "EDGE_PUSHES");
	assert_int_equal(config->poller_stream.push_retention, 6 * 3600 * 1000);
}

/* What a job has that says nothing, in both forms. */
static void check_defaults(const struct gs_config_job *j) {
	const struct gs_config_http *h = &j->http;
	assert_int_equal(j->scrape_interval, 30000);
	assert_int_equal(j->scrape_timeout, 10000);
	assert_string_equal(j->metrics_path, "/metrics");
	assert_string_equal(j->scheme, "http");
	assert_true(j->honor_timestamps && j->enable_compression && h->follow_redirects);
	assert_false(h->basic_auth || h->authorization || h->insecure_skip_verify);
	assert_string_equal(h->username, "");
	assert_string_equal(h->authorization_type, "Bearer");
	assert_true(h->password.value == NULL && h->password.file == NULL);
	assert_true(h->credentials.value == NULL && h->credentials.file == NULL);
	assert_true(h->ca_file == NULL && h->cert_file == NULL && h->key_file == NULL);
	assert_true(h->server_name == NULL && h->proxy_url == NULL);
	assert_int_equal(h->min_version, GS_TLS_DEFAULT);
	assert_int_equal(h->nheaders + j->nparams + j->nrelabel + j->nmetric_relabel + j->nrollups + j->nrules, 0);
	assert_int_equal(j->body_size_limit + j->sample_limit + j->label_limit + j->label_name_length_limit, 0);
	assert_int_equal(j->label_value_length_limit + j->target_limit, 0);
}

static void test_defaults(void **state) {
	const struct gs_config_job *own = job("own-form"), *list = job("prometheus");
	(void)state;
	check_defaults(own);
	check_defaults(list);
	assert_true(own->honor_labels);
	assert_false(list->honor_labels);
	assert_int_equal(own->ntargets, 1);
	assert_string_equal(own->targets[0].name, "10.0.0.1:9100");
	assert_int_equal(own->nsds, 1);
	assert_int_equal(list->ntargets, 0);
	assert_int_equal(list->nsds, 1);
	assert_int_equal(list->sds[0].kind, GS_SD_STATIC);
	same_texts(list->sds[0].names, list->sds[0].nnames, TEXTS("localhost:9090"));
	assert_int_equal(list->sds[0].nlabels, 0);
	assert_int_equal(list->sds[0].line, 22);
	assert_int_equal(list->sds[0].column, 9);
}

static void same_labels(const struct gs_config_label *got, size_t n, const char *const *want) {
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(got[i].name, want[2 * i]);
		assert_string_equal(got[i].value, want[2 * i + 1]);
	}
	assert_null(want[2 * n]);
}

static void test_federate(void **state) {
	const struct gs_config_job *j = job("federate");
	(void)state;
	assert_int_equal(j->scrape_interval, 15000);
	assert_true(j->honor_labels && !j->honor_timestamps);
	assert_string_equal(j->metrics_path, "/federate");
	assert_int_equal(j->nparams, 3);
	same_labels(j->params, j->nparams,
	    TEXTS("match[]", "{job=\"prometheus\"}", "match[]", "{__name__=~\"job:.*\"}", "x", ""));
	assert_int_equal(j->nsds, 2);
	same_texts(j->sds[0].names, j->sds[0].nnames, TEXTS("source-prometheus-1:9090", "source-prometheus-2:9090"));
	assert_int_equal(j->sds[0].nlabels, 4);
	same_labels(j->sds[0].labels, 4, TEXTS("dc", "west", "__metrics_path__", "/fed", "job", "other", "none", ""));
	same_texts(j->sds[1].names, j->sds[1].nnames, TEXTS("source-prometheus-3:9090"));
}

static void test_http(void **state) {
	const struct gs_config_job *j = job("secure");
	const struct gs_config_http *h = &j->http;
	(void)state;
	assert_string_equal(j->scheme, "https");
	assert_int_equal(j->scrape_timeout, 5000);
	assert_true(h->basic_auth && !h->authorization);
	assert_string_equal(h->username, "scraper");
	assert_string_equal(h->password.value, "s3cret-one");
	assert_null(h->password.file);
	assert_string_equal(h->ca_file, FOLDER "/tls/ca.pem");
	assert_string_equal(h->cert_file, FOLDER "/tls/client.pem");
	assert_string_equal(h->key_file, "/etc/keys/client.key");
	assert_string_equal(h->server_name, "metrics.example.net");
	assert_true(h->insecure_skip_verify);
	assert_int_equal(h->min_version, GS_TLS_12);
	assert_int_equal(h->nheaders, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(h->headers[i].name, i < 2 ? "X-Scope-OrgID" : "X-Api-Key");
	assert_string_equal(h->headers[0].value, "tenant-1");
	assert_string_equal(h->headers[1].value, "tenant-2");
	assert_null(h->headers[1].secret.value);
	assert_string_equal(h->headers[2].secret.value, "s3cret-two");
	assert_null(h->headers[2].value);
	assert_string_equal(h->headers[3].secret.file, FOLDER "/secrets/key");
	assert_string_equal(h->proxy_url, "http://proxyuser:s3cret-three@proxy.example.net:3128");
	assert_false(h->follow_redirects || j->enable_compression);
}

static void test_limits_and_files(void **state) {
	const struct gs_config_job *j = job("secure");
	(void)state;
	assert_int_equal(j->body_size_limit, 10 << 20); /* Prometheus' MB is 1024 KB */
	assert_int_equal(j->sample_limit, 50000);
	assert_int_equal(j->label_limit, 30);
	assert_int_equal(j->label_name_length_limit, 200);
	assert_int_equal(j->label_value_length_limit, 500);
	assert_int_equal(j->target_limit, 100);
	assert_int_equal(j->nsds, 3);
	assert_int_equal(j->sds[0].kind, GS_SD_STATIC); /* the last in the file: by kind */
	assert_int_equal(j->sds[0].nnames, 0);
	assert_int_equal(j->sds[1].kind, GS_SD_FILE);
	same_texts(j->sds[1].names, j->sds[1].nnames, TEXTS(FOLDER "/targets/*.json", "/etc/targets/x.yml"));
	assert_int_equal(j->sds[1].refresh_interval, 5 * 60000);
	same_texts(j->sds[2].names, j->sds[2].nnames, TEXTS(FOLDER "/more.yaml"));
	assert_int_equal(j->sds[2].refresh_interval, 60000);
}

static void test_discovery(void **state) {
	const struct gs_config_job *j = job("token");
	const struct gs_config_sd *sd = j->sds;
	static const int kinds[] = {GS_SD_DNS, GS_SD_DNS, GS_SD_HTTP, GS_SD_ETCD, GS_SD_NATS_KV, GS_SD_NATS_KV};
	static const int64_t refresh[] = {30000, 15000, 120000, 30000, 600000, 300000};
	(void)state;
	assert_true(j->http.authorization && !j->http.basic_auth);
	assert_string_equal(j->http.authorization_type, "Token");
	assert_string_equal(j->http.credentials.file, FOLDER "/secrets/token");
	assert_null(j->http.credentials.value);
	assert_int_equal(j->nsds, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(sd[i].kind, kinds[i]);
		assert_int_equal(sd[i].refresh_interval, refresh[i]);
	}
	assert_int_equal(sd[0].dns_type, GS_DNS_SRV);
	same_texts(sd[0].names, sd[0].nnames, TEXTS("_metrics._tcp.example.net"));
	assert_int_equal(sd[1].dns_type, GS_DNS_AAAA);
	assert_int_equal(sd[1].dns_port, 9100);
	same_texts(sd[1].names, sd[1].nnames, TEXTS("a.example.net", "b.example.net"));
	same_texts(sd[2].names, sd[2].nnames, TEXTS("http://sd:s3cret-four@inventory.example.net/targets?kind=node"));
	assert_true(sd[2].http.authorization && sd[2].http.follow_redirects);
	assert_string_equal(sd[2].http.credentials.value, "s3cret-five");
	assert_string_equal(sd[2].http.ca_file, FOLDER "/tls/inventory.pem");
	same_texts(sd[3].names, sd[3].nnames, TEXTS("https://etcd1:2379", "https://etcd2:2379"));
	assert_string_equal(sd[3].prefix, "/services/metrics/");
	assert_true(sd[3].http.basic_auth);
	assert_string_equal(sd[3].http.username, "root");
	assert_string_equal(sd[3].http.password.file, FOLDER "/secrets/etcd");
	same_texts(sd[4].names, sd[4].nnames, TEXTS("targets"));
	assert_string_equal(sd[4].prefix, "dc1.");
	same_texts(sd[5].names, sd[5].nnames, TEXTS("more"));
	assert_string_equal(sd[5].prefix, "");
}

static void same_rule(const struct gs_config_relabel *r, enum gs_relabel_action action, const char *separator,
    const char *regex, const char *target, const char *replacement) {
	assert_int_equal(r->action, action);
	assert_string_equal(r->separator, separator);
	assert_string_equal(r->regex, regex);
	assert_string_equal(r->replacement, replacement);
	if (target == NULL)
		assert_null(r->target_label);
	else
		assert_string_equal(r->target_label, target);
	assert_int_equal(r->modulus, action == GS_RELABEL_HASHMOD ? 8 : 0);
}

static void test_relabel(void **state) {
	const struct gs_config_job *j = job("old-token");
	const struct gs_config_relabel *r = j->relabel;
	(void)state;
	assert_int_equal(j->nrelabel, 12);
	same_rule(&r[0], GS_RELABEL_REPLACE, ";", "(.*)", "__param_target", "$1");
	same_texts(r[0].source_labels, r[0].nsource_labels, TEXTS("__address__"));
	assert_int_equal(r[0].line, 112);
	assert_int_equal(r[0].column, 9);
	same_rule(&r[2], GS_RELABEL_REPLACE, ";", "(.*)", "__address__", "blackbox-exporter:9115");
	same_texts(r[2].source_labels, r[2].nsource_labels, NO_TEXTS);
	same_rule(&r[3], GS_RELABEL_KEEP, "", "(.+)", NULL, "$1");
	same_texts(r[3].source_labels, r[3].nsource_labels, TEXTS("__meta_a", "__meta_b"));
	same_rule(&r[4], GS_RELABEL_HASHMOD, ";", "(.*)", "__tmp_hash", "$1");
	same_rule(&r[5], GS_RELABEL_LABELMAP, ";", "__meta_label_(.+)", NULL, "${1}");
	same_rule(&r[6], GS_RELABEL_LABELDROP, ";", "", NULL, "$1");
	same_rule(&r[7], GS_RELABEL_KEEPEQUAL, ";", "(.*)", "b", "$1");
	same_rule(&r[8], GS_RELABEL_DROPEQUAL, ";", "(.*)", "b", "$1");
	same_rule(&r[9], GS_RELABEL_LOWERCASE, ";", "(.*)", "b", "$1");
	same_rule(&r[10], GS_RELABEL_UPPERCASE, ";", "(.*)", "b", "$1");
	same_rule(&r[11], GS_RELABEL_LABELKEEP, ";", "keep.*", NULL, "$1");
	assert_int_equal(j->nmetric_relabel, 2);
	same_rule(&j->metric_relabel[0], GS_RELABEL_DROP, ";", "go_.*", NULL, "$1");
	same_rule(&j->metric_relabel[1], GS_RELABEL_REPLACE, ";", "pod_uid", "pod_uid", "");
}

static void test_old_token(void **state) {
	const struct gs_config_job *j = job("old-token");
	(void)state;
	assert_true(j->http.authorization);
	assert_string_equal(j->http.authorization_type, "Bearer");
	assert_string_equal(j->http.credentials.file, FOLDER "/secrets/bearer");
	assert_int_equal(j->nrules, 1);
	assert_string_equal(j->rules[0].clearmode, "sum");
}

static void same_rollup(
    const struct gs_config_rollup *r, enum gs_rollup_op op, const char *of, const char *as, const char *const *labels) {
	assert_int_equal(r->op, op);
	assert_string_equal(r->of, of);
	assert_string_equal(r->as, as);
	same_texts(r->labels, r->nlabels, labels);
}

static void test_aggregations(void **state) {
	const struct gs_config_job *j = job("old-token");
	const struct gs_config_rollup *r = j->rollups;
	(void)state;
	assert_int_equal(j->nrollups, 5);
	same_rollup(&r[0], GS_ROLLUP_SUM, "http_requests_total|http_errors_total", "site_http_requests_total",
	    TEXTS("job", "code"));
	same_rollup(
	    &r[1], GS_ROLLUP_MAX, "temperature_celsius", "site_temperature_celsius_max", TEXTS("instance", "sensor"));
	same_rollup(&r[2], GS_ROLLUP_COUNT, "up_.*", "site_up", NO_TEXTS);
	same_rollup(&r[3], GS_ROLLUP_AVG, "load1", "site_load", NO_TEXTS);
	same_rollup(&r[4], GS_ROLLUP_MIN, "free_bytes", "site_free_bytes", NO_TEXTS);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(r[i].drop, i == 0);
		assert_int_equal(r[i].without, i == 1 || i == 3);
	}
	assert_int_equal(r[0].line, 153);
}

/* The words are in the order of the enums, which another module owns. */
static void test_words(void **state) {
	static const char *const actions[] = {[GS_RELABEL_REPLACE] = "replace",
	    [GS_RELABEL_KEEP] = "keep",
	    [GS_RELABEL_DROP] = "drop",
	    [GS_RELABEL_KEEPEQUAL] = "keepequal",
	    [GS_RELABEL_DROPEQUAL] = "dropequal",
	    [GS_RELABEL_HASHMOD] = "hashmod",
	    [GS_RELABEL_LABELMAP] = "labelmap",
	    [GS_RELABEL_LABELDROP] = "labeldrop",
	    [GS_RELABEL_LABELKEEP] = "labelkeep",
	    [GS_RELABEL_LOWERCASE] = "lowercase",
	    [GS_RELABEL_UPPERCASE] = "uppercase"};
	static const struct {
		const char *word;
		int op;
	} ops[] = {{"sum", GS_ROLLUP_SUM}, {"min", GS_ROLLUP_MIN}, {"max", GS_ROLLUP_MAX}, {"avg", GS_ROLLUP_AVG},
	    {"count", GS_ROLLUP_COUNT}};
	const struct gs_config_section *relabel = gs_keys_find(&gs_keys_job, GS_STR("relabel_configs"))->section;
	const struct gs_config_section *rollup = gs_keys_find(&gs_keys_job, GS_STR("aggregations"))->section;
	const struct gs_config_key *action = gs_keys_find(relabel, GS_STR("action"));
	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		assert_string_equal(action->choices[i], actions[i]);
	assert_null(action->choices[sizeof(actions) / sizeof(actions[0])]);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		assert_int_equal(gs_keys_find(rollup, gs_str_of(ops[i].word))->number, ops[i].op);
}

/* No secret leaves: not in the dump, which loads again without a word and dumps to the same. */
static void test_dump(void **state) {
	struct gs_buf first, second;
	(void)state;
	gs_buf_init(&first, 1 << 20);
	gs_buf_init(&second, 1 << 20);
	gs_config_dump(config, &first);
	gs_buf_char(&first, '\0');
	assert_int_equal(first.status, GS_OK);
	assert_null(strstr(first.p, "s3cret"));
	assert_null(strstr(first.p, "proxyuser"));
	struct gs_config *again = accept(first.p);
	gs_config_dump(again, &second);
	gs_buf_char(&second, '\0');
	assert_string_equal(first.p, second.p);
	gs_config_free(again);
	gs_buf_free(&first);
	gs_buf_free(&second);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_and_places), cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_federate), cmocka_unit_test(test_http), cmocka_unit_test(test_limits_and_files),
	    cmocka_unit_test(test_discovery), cmocka_unit_test(test_relabel), cmocka_unit_test(test_old_token),
	    cmocka_unit_test(test_aggregations), cmocka_unit_test(test_words), cmocka_unit_test(test_dump)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
