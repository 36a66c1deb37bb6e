/* SPDX-License-Identifier: Apache-2.0 */
/* Every setting of a job and a source counts in one of the hashes, and in no other. */
#include "manager_test.h"

struct hashes {
	uint64_t scope, build, source;
};

static struct gs_config *config;

static struct hashes hashes_of(const struct gs_config_job *job) {
	struct hashes h;
	assert_int_equal(gs_settings_scope(config, job, &h.scope), GS_OK);
	assert_int_equal(gs_settings_build(job, &h.build), GS_OK);
	assert_int_equal(gs_settings_source(&job->sds[0], &h.source), GS_OK);
	return h;
}

static const char text[] = "jobs:\n  j:\n    scrape_interval: 3s\n    http_sd_configs: [{url: 'http://a/', basic_auth: "
			   "{username: u, password: p}}]\n"
			   "    basic_auth: {username: u, password: p}\n    params: {a: [b]}\n    relabel_configs: "
			   "[{target_label: a, replacement: b, source_labels: [x]}]\n"
			   "    metric_relabel_configs: [{target_label: a, replacement: b}]\n    clearmodes: {a: sum}\n"
			   "    aggregations: [{sum: a, as: b, by: [job]}]\n    http_headers: {X: {values: [y]}}\n";

static int setup(void **state) {
	(void)state;
	config = config_of(text);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_config_free(config);
	return 0;
}

/* Changes ${place} for the while of three hashes, and says which of them saw it. */
#define CHANGED(place, value)                                                                                          \
	do {                                                                                                           \
		__typeof__(place) kept = place;                                                                        \
		before = hashes_of(job);                                                                               \
		place = value;                                                                                         \
		after = hashes_of(job);                                                                                \
		place = kept;                                                                                          \
		scope = before.scope != after.scope, build = before.build != after.build,                              \
		source = before.source != after.source;                                                                \
	} while (0)

#define SCOPE(place, value)                                                                                            \
	do {                                                                                                           \
		CHANGED(job->place, value);                                                                            \
		assert_true(scope && !build && !source);                                                               \
	} while (0)

#define BUILD(place, value)                                                                                            \
	do {                                                                                                           \
		CHANGED(job->place, value);                                                                            \
		assert_true(!scope && build && !source);                                                               \
	} while (0)

#define SOURCE(place, value)                                                                                           \
	do {                                                                                                           \
		CHANGED(job->sds[0].place, value);                                                                     \
		assert_true(!scope && !build && source);                                                               \
	} while (0)

static void test_scope(void **state) {
	(void)state;
	struct gs_config_job *job = &config->jobs[0];
	struct hashes before, after;
	bool scope, build, source;
	const char *labels[] = {"other"};
	SCOPE(honor_labels, true);
	SCOPE(honor_timestamps, false);
	SCOPE(enable_compression, false);
	SCOPE(body_size_limit, 5);
	SCOPE(sample_limit, 5);
	SCOPE(label_limit, 5);
	SCOPE(label_name_length_limit, 5);
	SCOPE(label_value_length_limit, 5);
	SCOPE(http.basic_auth, false);
	SCOPE(http.username, "other");
	SCOPE(http.password.value, "other");
	SCOPE(http.password.file, "other");
	SCOPE(http.authorization, true);
	SCOPE(http.authorization_type, "other");
	SCOPE(http.credentials.value, "other");
	SCOPE(http.credentials.file, "other");
	SCOPE(http.ca_file, "other");
	SCOPE(http.cert_file, "other");
	SCOPE(http.key_file, "other");
	SCOPE(http.server_name, "other");
	SCOPE(http.insecure_skip_verify, true);
	SCOPE(http.min_version, GS_TLS_13);
	SCOPE(http.headers[0].name, "other");
	SCOPE(http.headers[0].value, "other");
	SCOPE(http.headers[0].secret.value, "other");
	SCOPE(http.headers[0].secret.file, "other");
	SCOPE(http.nheaders, 0);
	SCOPE(http.proxy_url, "other");
	SCOPE(http.follow_redirects, false);
	SCOPE(metric_relabel[0].action, GS_RELABEL_DROP);
	SCOPE(metric_relabel[0].regex, "other");
	SCOPE(nmetric_relabel, 0);
	SCOPE(rules[0].metric, "other");
	SCOPE(rules[0].clearmode, "other");
	SCOPE(nrules, 0);
	SCOPE(rollups[0].op, GS_ROLLUP_MAX);
	SCOPE(rollups[0].of, "other");
	SCOPE(rollups[0].as, "other");
	SCOPE(rollups[0].labels, labels);
	SCOPE(rollups[0].nlabels, 0);
	SCOPE(rollups[0].without, true);
	SCOPE(rollups[0].drop, !job->rollups[0].drop);
	CHANGED(config->scrape_body_limit, 7);
	assert_true(scope && !build && !source);
	job->body_size_limit = 5;
	CHANGED(config->scrape_body_limit, 7);
	assert_true(!scope && !build && !source);
	job->body_size_limit = 0;
	/* Results come as often as the job scrapes: with them the interval counts twice. */
	CHANGED(job->scrape_interval, 7);
	assert_true(scope && build && !source);
}

static void test_build(void **state) {
	(void)state;
	struct gs_config_job *job = &config->jobs[0];
	struct hashes before, after;
	bool scope, build, source;
	const char *labels[] = {"other"};
	job->nrollups = 0;
	BUILD(scrape_interval, 7);
	BUILD(scrape_timeout, 7);
	BUILD(metrics_path, "other");
	BUILD(scheme, "other");
	BUILD(params[0].name, "other");
	BUILD(params[0].value, "other");
	BUILD(nparams, 0);
	BUILD(relabel[0].action, GS_RELABEL_DROP);
	BUILD(relabel[0].source_labels, labels);
	BUILD(relabel[0].nsource_labels, 0);
	BUILD(relabel[0].separator, "other");
	BUILD(relabel[0].regex, "other");
	BUILD(relabel[0].modulus, 7);
	BUILD(relabel[0].target_label, NULL);
	BUILD(relabel[0].replacement, "other");
	BUILD(nrelabel, 0);
	CHANGED(job->name, "other");
	assert_true(scope && build && !source);
	/* Neither what a rule was called in the file, nor where it stood. */
	CHANGED(job->relabel[0].line, 99);
	assert_true(!scope && !build && !source);
	CHANGED(job->target_limit, 99);
	assert_true(!scope && !build && !source);
}

static void test_source(void **state) {
	(void)state;
	struct gs_config_job *job = &config->jobs[0];
	struct hashes before, after;
	bool scope, build, source;
	const char *names[] = {"other"};
	SOURCE(kind, GS_SD_FILE);
	SOURCE(refresh_interval, 7);
	SOURCE(names, names);
	SOURCE(nnames, 0);
	SOURCE(dns_type, GS_DNS_AAAA);
	SOURCE(dns_port, 7);
	SOURCE(prefix, "other");
	SOURCE(http.username, "other");
	SOURCE(http.password.value, "other");
	assert_true((before.source & 1) == 1);
}

/* "ab", "c" and "a", "bc" are not the same, nor is an empty text none. */
static void test_borders(void **state) {
	(void)state;
	struct gs_config_job *job = &config->jobs[0];
	struct hashes a, b;
	job->http.cert_file = "ab";
	job->http.key_file = "c";
	a = hashes_of(job);
	job->http.cert_file = "a";
	job->http.key_file = "bc";
	b = hashes_of(job);
	assert_true(a.scope != b.scope);
	job->http.key_file = "";
	a = hashes_of(job);
	job->http.key_file = NULL;
	b = hashes_of(job);
	assert_true(a.scope != b.scope);
	job->http.cert_file = NULL;
}

static void test_memory(void **state) {
	(void)state;
	uint64_t hash = 5;
	gs_mem_fail_after(0);
	assert_int_equal(gs_settings_scope(config, &config->jobs[0], &hash), GS_ENOMEM);
	gs_mem_fail_after(0);
	assert_int_equal(gs_settings_build(&config->jobs[0], &hash), GS_ENOMEM);
	gs_mem_fail_after(0);
	assert_int_equal(gs_settings_source(&config->jobs[0].sds[0], &hash), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_int_equal(hash, 5);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_scope, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_build, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_source, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_borders, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
