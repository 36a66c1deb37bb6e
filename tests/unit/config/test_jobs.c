/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "expect.h"

static void test_jobs(void **state) {
	(void)state;
	struct gs_config *c = accept("jobs:\n"
				     "  node:\n"
				     "    targets:\n"
				     "      - url: http://a:9100/metrics\n"
				     "      - {name: second, url: \"https://u:p@b/m\", labels: {dc: x y, rack: 7}}\n"
				     "  slow:\n"
				     "    scrape_interval: 1m\n"
				     "    scrape_timeout: 30s\n"
				     "    honor_labels: true\n"
				     "    clearmodes:\n"
				     "      z.*: sum\n"
				     "      a|b: p99:5m\n"
				     "    targets: [{url: \"http://[::1]\"}, {url: https://c/}]\n"
				     "  empty:\n");
	assert_int_equal(c->njobs, 3);
	const struct gs_config_job *node = &c->jobs[0], *slow = &c->jobs[1];
	assert_string_equal(node->name, "node");
	assert_int_equal(node->scrape_interval, 15000);
	assert_int_equal(node->scrape_timeout, 10000);
	assert_int_equal(node->ntargets, 2);
	assert_string_equal(node->targets[0].name, "a:9100");
	assert_string_equal(node->targets[0].url, "http://a:9100/metrics");
	assert_int_equal(node->targets[0].nlabels, 0);
	assert_string_equal(node->targets[1].name, "second");
	assert_int_equal(node->targets[1].nlabels, 2);
	assert_string_equal(node->targets[1].labels[0].name, "dc");
	assert_string_equal(node->targets[1].labels[0].value, "x y");
	assert_string_equal(node->targets[1].labels[1].value, "7");
	assert_int_equal(slow->scrape_interval, 60000);
	assert_int_equal(slow->scrape_timeout, 30000);
	assert_true(slow->honor_labels);
	assert_int_equal(slow->nrules, 2);
	assert_string_equal(slow->rules[0].metric, "z.*"); /* in the order of the file */
	assert_string_equal(slow->rules[0].clearmode, "sum");
	assert_string_equal(slow->rules[1].clearmode, "p99:5m");
	assert_string_equal(slow->targets[0].name, "[::1]:80");
	assert_string_equal(slow->targets[1].name, "c:443");
	assert_string_equal(c->jobs[2].name, "empty");
	assert_int_equal(c->jobs[2].ntargets, 0);
	gs_config_free(c);
}

/* What a job does not say comes from above, wherever in the file that stands, and the timeout never exceeds the interval. */
static void test_inherited(void **state) {
	(void)state;
	struct gs_config *c = accept("jobs:\n"
				     "  a: {}\n"
				     "  b: {scrape_interval: 4s}\n"
				     "  c: {scrape_interval: 2m}\n"
				     "  d: {scrape_timeout: 25s}\n"
				     "scrape_interval: 30s\n"
				     "scrape_timeout: 20s\n");
	static const int64_t want[4][2] = {{30000, 20000}, {4000, 4000}, {120000, 20000}, {30000, 25000}};
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(c->jobs[i].scrape_interval, want[i][0]);
		assert_int_equal(c->jobs[i].scrape_timeout, want[i][1]);
	}
	gs_config_free(c);
	c = accept("scrape_interval: 5s\njobs: {a: {}, b: {scrape_interval: 1m}}\n");
	assert_int_equal(c->jobs[0].scrape_timeout, 5000);
	assert_int_equal(c->jobs[1].scrape_timeout, 10000); /* the default, not what is left of it at the top */
	gs_config_free(c);
}

static void test_aliases(void **state) {
	(void)state;
	struct gs_config *c = accept("jobs:\n"
				     "  a: {targets: &t [{url: \"http://x:1\"}]}\n"
				     "  b: {targets: *t, scrape_interval: &i 1m}\n"
				     "scrape_interval: *i\n");
	assert_string_equal(c->jobs[1].targets[0].name, "x:1");
	assert_int_equal(c->scrape_interval, 60000);
	gs_config_free(c);
}

static void test_refused(void **state) {
	static const struct refused cases[] = {
	    {"jobs: 5\n", "f:1:7: key \"jobs\" must be a mapping, not a word\n"},
	    {"jobs: [a]\n", "f:1:7: key \"jobs\" must be a mapping, not a list\n"},
	    {"jobs: {a: [b]}\n", "f:1:11: key \"jobs.a\" must be a mapping, not a list\n"},
	    {"jobs: {'': {}}\n", "f:1:8: key \"jobs\" must not be empty\n"},
	    {"jobs: {a: {targets: {url: x}}}\n", "f:1:21: key \"jobs.a.targets\" must be a list, not a mapping\n"},
	    {"jobs: {a: {targets: [http://x]}}\n", "f:1:22: key \"jobs.a.targets[0]\" must be a mapping, not a word\n"},
	    {"jobs: {a: {targets: [{name: x}]}}\n", "f:1:22: key \"jobs.a.targets[0].url\" is missing\n"},
	    {"jobs: {a: {targets: [{url: http://x}, {url: ftp://y}, {ulr: http://z}]}}\n",
		"f:1:45: key \"jobs.a.targets[1].url\" must begin with http:// or https://\n"
		"f:1:55: key \"jobs.a.targets[2].url\" is missing\n"
		"f:1:56: unknown key \"jobs.a.targets[2].ulr\"; did you mean \"jobs.a.targets[2].url\"?\n"},
	    {"jobs: {a: {target: []}}\n", "f:1:12: unknown key \"jobs.a.target\"; did you mean \"jobs.a.targets\"?\n"},
	    {"jobs:\n  a:\n    targets:\n      - url: http://x:1/a\n      - url: http://x:1/b\n      - {name: 'x:1', "
	     "url: http://y}\n",
		"f:5:14: key \"jobs.a.targets[1]\" is a duplicate: instance \"x:1\" of this job stands first in line "
		"4\n"
		"f:6:16: key \"jobs.a.targets[2]\" is a duplicate: instance \"x:1\" of this job stands first in line "
		"4\n"},
	    {"jobs: {a: {targets: [{url: http://x}]}, a: {}}\n",
		"f:1:41: duplicate key \"a\"; it stands first in line 1\n"},
	    {"jobs: {a: {targets: [{url: http://x}], targets: [{url: http://y}, {url: http://z}]}}\n",
		"f:1:40: duplicate key \"targets\"; it stands first in line 1\n"},
	    {"jobs: {a: {targets: [{url: http://x, labels: {__a: b, job: c, 9x: d, e: '', f: [g], h: \"\\t\"}}]}}\n",
		"f:1:47: key \"jobs.a.targets[0].labels.__a\" begins with \"__\", which is reserved\n"
		"f:1:55: key \"jobs.a.targets[0].labels.job\" is set by the poller itself\n"
		"f:1:63: key \"jobs.a.targets[0].labels.9x\" is no label name ([a-zA-Z_][a-zA-Z0-9_]*)\n"
		"f:1:73: key \"jobs.a.targets[0].labels.e\" must not be empty\n"
		"f:1:80: key \"jobs.a.targets[0].labels.f\" must be one word, not a list\n"
		"f:1:88: key \"jobs.a.targets[0].labels.h\" has a control character\n"},
	    {"jobs: {a: {clearmodes: [x]}}\n", "f:1:24: key \"jobs.a.clearmodes\" must be a mapping, not a list\n"},
	    {"jobs: {a: {clearmodes: {x: , '': sum}}}\n", "f:1:28: key \"jobs.a.clearmodes.x\" must not be empty\n"
							  "f:1:30: key \"jobs.a.clearmodes\" must not be empty\n"},
	    {"jobs: {a: {scrape_timeout: 20s}, b: {scrape_interval: 1m, scrape_timeout: 61s}}\n",
		"f:1:28: key \"jobs.a.scrape_timeout\" is longer than the scrape_interval: 20s against 15s\n"
		"f:1:75: key \"jobs.b.scrape_timeout\" is longer than the scrape_interval: 1m1s against 1m\n"},
	    {"jobs: {a: {scrape_interval: never, scrape_timeout: 1h}}\n",
		"f:1:29: key \"jobs.a.scrape_interval\" is no duration (15s, 1m30s, or a number of seconds): "
		"\"never\"\n"},
	};
	(void)state;
	refuse_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_both_lists(void **state) {
	(void)state;
	struct gs_config *c = accept("scrape_configs:\n"
				     "- {job_name: b, scrape_interval: 1m}\n"
				     "- job_name: c\n"
				     "  clearmodes: {x: sum}\n"
				     "scrape_timeout: 7s\n"
				     "jobs: {z: , a: {}}\n");
	static const char *const names[] = {"z", "a", "b", "c"};
	assert_int_equal(c->njobs, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(c->jobs[i].name, names[i]);
		assert_int_equal(c->jobs[i].scrape_interval, i == 2 ? 60000 : 15000);
		assert_int_equal(c->jobs[i].scrape_timeout, 7000);
	}
	assert_int_equal(c->jobs[3].nrules, 1);
	assert_int_equal(c->jobs[0].line, 6);
	assert_int_equal(c->jobs[0].column, 8);
	gs_config_free(c);
	c = accept("scrape_configs:\njobs:\n");
	assert_int_equal(c->njobs, 0);
	gs_config_free(c);
}

static void test_refused_lists(void **state) {
	static const struct refused cases[] = {
	    {"scrape_configs: a\n", "f:1:17: key \"scrape_configs\" must be a list, not a word\n"},
	    {"scrape_configs: {a: {}}\n", "f:1:17: key \"scrape_configs\" must be a list, not a mapping\n"},
	    {"scrape_configs: [a, {}, {job_name: }, {job_name: ''}, {job_name: [b]}]\n",
		"f:1:18: key \"scrape_configs[0]\" must be a mapping, not a word\n"
		"f:1:21: key \"scrape_configs[1].job_name\" is missing\n"
		"f:1:25: key \"scrape_configs[2].job_name\" is missing\n"
		"f:1:50: key \"scrape_configs[3].job_name\" must not be empty\n"
		"f:1:66: key \"scrape_configs[4].job_name\" must be one word, not a list\n"},
	    {"jobs: {a: {}}\nscrape_configs: [{job_name: b}, {job_name: a}, {job_name: b}]\n",
		"f:2:44: key \"scrape_configs[1].job_name\" is a duplicate: a job \"a\" stands first in line 1\n"
		"f:2:59: key \"scrape_configs[2].job_name\" is a duplicate: a job \"b\" stands first in line 2\n"},
	    {"scrape_configs: [{job_name: a, targets: []}]\n",
		"f:1:32: unknown key \"scrape_configs[0].targets\"; did you mean "
		"\"jobs.<name>.targets\"?\n"},
	    {"jobs: {a: {job_name: b}}\n",
		"f:1:12: unknown key \"jobs.a.job_name\"; did you mean \"scrape_configs[].job_name\"?\n"},
	    {"scrape_configs: [{job_name: a, scrape_timeout: 16s}]\n",
		"f:1:48: key \"scrape_configs[0].scrape_timeout\" is longer than the scrape_interval: 16s against "
		"15s\n"},
	};
	(void)state;
	refuse_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_long_host(void **state) {
	char text[600];
	(void)state;
	int n = snprintf(text, sizeof(text), "jobs: {a: {targets: [{url: http://");
	memset(text + n, 'x', 250);
	snprintf(text + n + 250, sizeof(text) - (size_t)n - 250, "}]}}");
	refuse_with(text, "f:1:28: key \"jobs.a.targets[0]\" needs a name: its host is longer than 250 bytes\n");
}

static void test_too_many_labels(void **state) {
	char text[2000];
	int n = snprintf(text, sizeof(text), "jobs: {a: {targets: [{url: http://x, labels: {");
	(void)state;
	for (int i = 0; i < 65; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "l%d: v,", i);
	snprintf(text + n, sizeof(text) - (size_t)n, "}}]}}");
	refuse_with(text, "f:1:46: key \"jobs.a.targets[0].labels\" has more than 64 labels\n");
}

/* A large site: no step is quadratic. */
static void test_many(void **state) {
	size_t max = 8 << 20, n = 0;
	char *text = malloc(max);
	(void)state;
	assert_non_null(text);
	n += (size_t)snprintf(text, max, "jobs:\n");
	for (int job = 0; job < 500; job++) {
		n += (size_t)snprintf(text + n, max - n, " j%d:\n  targets:\n", job);
		for (int i = 0; i < 100; i++)
			n += (size_t)snprintf(text + n, max - n, "  - url: http://h%d:9100/metrics\n", i);
	}
	n += (size_t)snprintf(text + n, max - n, " big:\n  targets:\n");
	for (int i = 0; i < 50000; i++)
		n += (size_t)snprintf(text + n, max - n, "  - url: http://h%d:9100/metrics\n", i);
	clock_t start = clock();
	struct gs_config *c = accept(text);
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20); /* under any sanitizer; 0.2 s without */
	assert_int_equal(c->njobs, 501);
	assert_int_equal(c->jobs[500].ntargets, 50000);
	gs_config_free(c);
	free(text);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_jobs), cmocka_unit_test(test_inherited),
	    cmocka_unit_test(test_aliases), cmocka_unit_test(test_refused), cmocka_unit_test(test_both_lists),
	    cmocka_unit_test(test_refused_lists), cmocka_unit_test(test_long_host),
	    cmocka_unit_test(test_too_many_labels), cmocka_unit_test(test_many)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
