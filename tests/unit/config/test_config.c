/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expect.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"

static char folder[64], path[128];

static int setup(void **state) {
	(void)state;
	memcpy(folder, "/tmp/gravel-config-XXXXXX", sizeof("/tmp/gravel-config-XXXXXX"));
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f.yaml", folder);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_mem_fail_after(-1);
	unlink(path);
	return rmdir(folder);
}

static void write_file(const char *text, size_t n) {
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static enum gs_status load(const char *file, struct gs_config_report *report, struct gs_config **ret) {
	*ret = NULL;
	enum gs_status status = gs_config_load(file, report, ret);
	gs_buf_char(&report->text, '\0');
	return status;
}

static void test_no_file(void **state) {
	struct gs_config_report report;
	struct gs_config *c;
	(void)state;
	assert_int_equal(load(NULL, &report, &c), GS_OK);
	assert_string_equal(report.text.p, "");
	assert_null(c->file);
	assert_string_equal(c->receiver.listen, "localhost:4278");
	gs_config_free(c);
	gs_config_report_free(&report);
	gs_config_free(NULL);
}

static void test_file(void **state) {
	struct gs_config_report report;
	struct gs_config *c;
	char want[256];
	(void)state;
	write_file("identity: me\ncolour: red\n", 25);
	assert_int_equal(load(path, &report, &c), GS_EINVAL);
	snprintf(want, sizeof(want), "%s:2:1: unknown key \"colour\"; docs/CONFIG.md lists all keys\n", path);
	assert_string_equal(report.text.p, want);
	assert_int_equal(report.errors, 1);
	gs_config_report_free(&report);
	write_file("identity: me\n", 13);
	assert_int_equal(load(path, &report, &c), GS_OK);
	assert_string_equal(c->identity, "me");
	assert_string_equal(c->file, path);
	gs_config_free(c);
	gs_config_report_free(&report);
}

/* Paths begin where the file is, and are absolute, so that a dump means the same wherever it is read. */
static void test_relative_paths(void **state) {
	static const char text[] = "jobs: {a: {basic_auth: {password_file: b/c}, tls_config: {ca_file: /d},\n"
				   "  file_sd_configs: [{files: ['*.yml', ../e.json]}]}}\n";
	struct gs_config_report report;
	struct gs_config *c = NULL;
	char want[1024], here[128];
	(void)state;
	write_file(text, sizeof(text) - 1);
	assert_non_null(getcwd(here, sizeof(here)));
	const char *names[] = {path, "f.yaml", "../f.yaml"};
	char folders[3][160];
	snprintf(folders[0], sizeof(folders[0]), "%s", folder);
	snprintf(folders[1], sizeof(folders[1]), "%s", folder);
	snprintf(folders[2], sizeof(folders[2]), "%s/sub/..", folder);
	char sub[128];
	snprintf(sub, sizeof(sub), "%s/sub", folder);
	assert_int_equal(mkdir(sub, 0700), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(chdir(i == 2 ? sub : folder), 0);
		enum gs_status status = load(names[i], &report, &c);
		assert_int_equal(chdir(here), 0);
		assert_int_equal(status, GS_OK);
		snprintf(want, sizeof(want), "%s/b/c", folders[i]);
		assert_string_equal(c->jobs[0].http.password.file, want);
		assert_string_equal(c->jobs[0].http.ca_file, "/d");
		snprintf(want, sizeof(want), "%s/*.yml", folders[i]);
		assert_string_equal(c->jobs[0].sds[0].names[0], want);
		snprintf(want, sizeof(want), "%s/../e.json", folders[i]);
		assert_string_equal(c->jobs[0].sds[0].names[1], want);
		gs_config_free(c);
		gs_config_report_free(&report);
	}
	assert_int_equal(rmdir(sub), 0);
}

/* One that fits as it is written, and not with its folder. */
static void test_long_path(void **state) {
	struct gs_config_report report;
	struct gs_config *c = NULL;
	char text[5000], want[256];
	(void)state;
	int n = snprintf(text, sizeof(text), "jobs: {a: {tls_config: {ca_file: ");
	memset(text + n, 'x', 4096);
	n += 4096;
	n += snprintf(text + n, sizeof(text) - (size_t)n, "}}}");
	write_file(text, (size_t)n);
	assert_int_equal(load(path, &report, &c), GS_EINVAL);
	snprintf(want, sizeof(want),
	    "%s:1:34: key \"jobs.a.tls_config.ca_file\" is longer than 4096 bytes with the folder of the config\n",
	    path);
	assert_string_equal(report.text.p, want);
	gs_config_report_free(&report);
	gs_config_free(accept(text)); /* of a name without a folder */
}

static void test_unreadable(void **state) {
	struct gs_config_report report;
	struct gs_config *c;
	char want[256];
	(void)state;
	assert_int_equal(load(path, &report, &c), GS_EIO);
	snprintf(want, sizeof(want), "%s: cannot be read: No such file or directory\n", path);
	assert_string_equal(report.text.p, want);
	assert_int_equal(report.errors, 1);
	assert_null(c);
	gs_config_report_free(&report);
	assert_int_equal(load(folder, &report, &c), GS_EIO);
	assert_non_null(strstr(report.text.p, ": cannot be read: Is a directory\n"));
	gs_config_report_free(&report);
}

static void test_too_large(void **state) {
	struct gs_config_report report;
	struct gs_config *c;
	char *text = malloc(GS_LIMIT_CONFIG + 1);
	(void)state;
	assert_non_null(text);
	memset(text, '\n', GS_LIMIT_CONFIG + 1);
	write_file(text, GS_LIMIT_CONFIG + 1);
	assert_int_equal(load(path, &report, &c), GS_ELIMIT);
	assert_non_null(strstr(report.text.p, ": is larger than 16777216 bytes\n"));
	gs_config_report_free(&report);
	write_file(text, GS_LIMIT_CONFIG);
	assert_int_equal(load(path, &report, &c), GS_OK);
	gs_config_free(c);
	gs_config_report_free(&report);
	free(text);
	assert_int_equal(load("/dev/zero", &report, &c), GS_ELIMIT); /* endless */
	gs_config_report_free(&report);
}

static void test_all_errors(void **state) {
	(void)state;
	refuse_with("scrap_interval: 5s\n"
		    "max_age: soon\n"
		    "jobs:\n"
		    "  node:\n"
		    "    targets:\n"
		    "      - url: gopher://x\n"
		    "        name: [a]\n"
		    "receiver:\n"
		    "  listen: 12\n"
		    "tls: {}\n"
		    "verbose: perhaps\n"
		    "verbose: on\n",
	    "f:1:1: unknown key \"scrap_interval\"; did you mean \"scrape_interval\"?\n"
	    "f:2:10: key \"max_age\" is no duration (15s, 1m30s, or a number of seconds): \"soon\"\n"
	    "f:6:14: key \"jobs.node.targets[0].url\" must begin with http:// or https://\n"
	    "f:7:15: key \"jobs.node.targets[0].name\" must be one word, not a list\n"
	    "f:9:11: key \"receiver.listen\" is no host:port, [v6]:port or :port\n"
	    "f:10:1: warning: key \"tls\" is known but has no effect yet\n"
	    "f:11:10: key \"verbose\" is true or false, not \"perhaps\"\n"
	    "f:12:1: duplicate key \"verbose\"; it stands first in line 11\n");
}

static void test_set_listen(void **state) {
	struct gs_error err;
	char address[] = "[::]:80";
	(void)state;
	struct gs_config *c = accept("receiver: {listen: a:1}\n");
	assert_int_equal(gs_config_set_listen(c, "nowhere", &err), GS_EINVAL);
	assert_string_equal(err.text, "the address \"nowhere\" is no host:port, [v6]:port or :port");
	assert_int_equal(gs_config_set_listen(c, "a\n:1", NULL), GS_EINVAL);
	assert_string_equal(c->receiver.listen, "a:1");
	assert_int_equal(gs_config_set_listen(c, address, &err), GS_OK);
	address[0] = 'x'; /* it was copied */
	assert_string_equal(c->receiver.listen, "[::]:80");
	gs_config_free(c);
}

/* Whichever allocation fails: the same answer or out of memory, never a crash, a leak or half a config. */
static void fail_each(const char *text, enum gs_status want) {
	for (int n = 0;; n++) {
		struct gs_config_report report;
		struct gs_config *c = NULL;
		gs_mem_fail_after(n);
		enum gs_status status = gs_config_parse(gs_str_of(text), "f", &report, &c);
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : want);
		assert_int_equal(c != NULL, status == GS_OK);
		gs_config_free(c);
		gs_config_report_free(&report);
		if (!failed)
			break;
		assert_true(n < 1000);
	}
}

static void test_memory(void **state) {
	(void)state;
	fail_each("jobs: {a: {clearmodes: {x: sum}, targets: [{url: http://x, labels: {a: b}}, {url: http://y}]}}\n"
		  "poller_stream: {urls: [nats://a, nats://b]}\ntls: {}\n",
	    GS_OK);
	fail_each(
	    "scrape_configs:\n"
	    "- {job_name: a, params: {x: [y]}, http_headers: {X: {values: [v], secrets: [s], files: [f]}}}\n"
	    "- {job_name: b, static_configs: [{targets: [x], labels: {c: d}}], http_sd_configs: [{url: http://x}],\n"
	    "   file_sd_configs: [{files: [x.yml]}], aggregations: [{sum: a, by: [b], as: c}],\n"
	    "   relabel_configs: [{source_labels: [a], action: keep}], basic_auth: {username: u, password: p}}\n",
	    GS_OK);
	fail_each("scrape_configs: [{job_name: a, oauth2: {}, aggregations: [{}]}, {}, {job_name: a}, x]\n", GS_EINVAL);
	fail_each("max_age: 0\nx: y\njobs: {a: [], a: {}}\nmonitor_port: 99999999\n", GS_EINVAL);
	fail_each("jobs: {a", GS_EINVAL);
}

static void test_memory_of_load(void **state) {
	(void)state;
	write_file("identity: me\n", 13);
	for (int n = 0;; n++) {
		struct gs_config_report report;
		struct gs_config *c = NULL;
		gs_mem_fail_after(n);
		enum gs_status status = gs_config_load(path, &report, &c);
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		gs_config_free(c);
		gs_config_report_free(&report);
		if (!failed)
			break;
	}
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {TEST(test_no_file), TEST(test_file), TEST(test_relative_paths),
	    TEST(test_long_path), TEST(test_unreadable), TEST(test_too_large), TEST(test_all_errors),
	    TEST(test_set_listen), TEST(test_memory), TEST(test_memory_of_load)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
