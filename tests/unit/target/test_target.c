/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/target/target.h"

#define FOUND_MAX 8

struct fixture {
	struct gs_target_defaults defaults;
	struct gs_labels *labels;
	struct gs_arena *arena;
	struct gs_target target;
	bool keep;
	struct gs_error err;
};

static void set_up(struct fixture *f) {
	*f = (struct fixture){.defaults = {.job = GS_STR("j"),
				  .scheme = GS_STR("http"),
				  .metrics_path = GS_STR("/metrics"),
				  .interval_ms = 15000,
				  .timeout_ms = 10000},
	    .labels = gs_labels_new(),
	    .arena = gs_arena_new(SIZE_MAX / 2)};
}

static void tear_down(struct fixture *f) {
	gs_labels_free(f->labels);
	gs_arena_free(f->arena);
	gs_relabel_free(f->defaults.relabel);
}

/* Of labels as "name=value|name=value". */
static enum gs_status build(struct fixture *f, const char *found) {
	struct gs_label labels[FOUND_MAX];
	struct gs_str rest = gs_str_of(found), one;
	size_t n = 0;
	for (; rest.n != 0 && n < FOUND_MAX; n++) {
		gs_str_cut(rest, '|', &one, &rest);
		gs_str_cut(one, '=', &labels[n].name, &labels[n].value);
	}
	gs_arena_clear(f->arena);
	f->err = (struct gs_error){0};
	enum gs_status status =
	    gs_target_build(&f->defaults, labels, n, f->labels, f->arena, &f->target, &f->keep, &f->err);
	/* Nothing of the target may be in the set. */
	gs_labels_clear(f->labels);
	return status;
}

static void expect_labels(const struct gs_label *labels, size_t n, const char *expected) {
	char text[4096] = "";
	size_t at = 0;
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.*s=%.*s", i != 0 ? "|" : "",
		    GS_FMT(labels[i].name), GS_FMT(labels[i].value));
	assert_string_equal(text, expected);
}

static void expect(struct fixture *f, const char *found, const char *labels, const char *url) {
	if (build(f, found) != GS_OK)
		fail_msg("%s: %s", found, f->err.text);
	assert_true(f->keep);
	expect_labels(f->target.labels, f->target.nlabels, labels);
	assert_string_equal(f->target.url.p, url);
	assert_int_equal(f->target.url.n, strlen(url));
}

static void expect_error(struct fixture *f, const char *found, const char *text) {
	assert_int_equal(build(f, found), GS_EINVAL);
	assert_string_equal(f->err.text, text);
}

static void relabel(struct fixture *f, struct gs_relabel_rule rule) {
	gs_relabel_free(f->defaults.relabel);
	rule.separator = ";";
	rule.regex = rule.regex != NULL ? rule.regex : "(.*)";
	rule.replacement = rule.replacement != NULL ? rule.replacement : "$1";
	assert_int_equal(gs_relabel_new(&rule, 1, &f->defaults.relabel, NULL), GS_OK);
}

static void test_defaults(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f);
	expect(&f, "__address__=h:1|a=b|__meta_x=y|__tmp=z", "a=b|instance=h:1|job=j", "http://h:1/metrics");
	expect_labels(f.target.discovered, f.target.ndiscovered,
	    "__address__=h:1|__meta_x=y|__metrics_path__=/"
	    "metrics|__scheme__=http|__scrape_interval__=15s|__scrape_timeout__=10s|__tmp=z|a=b|job=j");
	assert_int_equal(f.target.interval_ms, 15000);
	assert_int_equal(f.target.timeout_ms, 10000);
	/* What was discovered wins, unless it is empty. */
	expect(&f,
	    "__address__=h:1|job=other|instance=i|__scheme__=https|__metrics_path__=/"
	    "x|__scrape_interval__=1m|__scrape_timeout__=1m",
	    "instance=i|job=other", "https://h:1/x");
	assert_int_equal(f.target.interval_ms, 60000);
	assert_int_equal(f.target.timeout_ms, 60000);
	expect(&f, "__address__=h:1|job=|instance=", "instance=h:1|job=j", "http://h:1/metrics");
	tear_down(&f);
}

static void test_addresses(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f);
	expect(&f, "__address__=h", "instance=h:80|job=j", "http://h:80/metrics");
	expect(&f, "__address__=h|__scheme__=https", "instance=h:443|job=j", "https://h:443/metrics");
	expect(&f, "__address__=[::1]", "instance=[::1]:80|job=j", "http://[::1]:80/metrics");
	/* It is no address, but Prometheus leaves that to the one who connects. */
	expect(&f, "__address__=::1", "instance=::1|job=j", "http://::1/metrics");
	expect(&f, "__address__=h|instance=mine", "instance=mine|job=j", "http://h:80/metrics");
	expect_error(&f, "a=b", "no address");
	expect_error(&f, "__address__=", "no address");
	expect_error(&f, "__address__=h/x", "\"h/x:80\" is not a valid hostname");
	expect_error(&f, "__address__=http://h:1/x", "\"http://h:1/x\" is not a valid hostname");
	expect_error(&f, "__address__=h|__scheme__=ftp", "invalid scheme: \"ftp\"");
	/* The scheme is only asked for the port. */
	expect(&f, "__address__=h:21|__scheme__=ftp", "instance=h:21|job=j", "ftp://h:21/metrics");
	tear_down(&f);
}

static void test_times(void **state) {
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{1, "1ms"}, {1500, "1s500ms"}, {90000, "1m30s"}, {3600000, "1h"}, {INT64_C(7) * 86400000, "1w"},
	    {INT64_C(8) * 86400000, "8d"}, {INT64_C(365) * 86400000, "1y"}, {INT64_C(372) * 86400000, "372d"},
	    {INT64_C(14) * 86400000 + 1, "14d1ms"}, {INT64_C(106751) * 86400000, "106751d"}};
	struct fixture f;
	set_up(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.defaults.interval_ms = f.defaults.timeout_ms = cases[i].ms;
		assert_int_equal(build(&f, "__address__=h:1"), GS_OK);
		assert_true(gs_str_eq(f.target.discovered[3].name, GS_STR("__scrape_interval__")));
		assert_true(gs_str_eq(f.target.discovered[3].value, gs_str_of(cases[i].text)));
		assert_int_equal(f.target.interval_ms, cases[i].ms);
	}
	f.defaults.interval_ms = f.defaults.timeout_ms = 10000;
	expect_error(&f, "__address__=h:1|__scrape_timeout__=11s",
	    "scrape timeout cannot be greater than scrape interval (\"11s\" > \"10s\")");
	expect_error(&f, "__address__=h:1|__scrape_interval__=0", "scrape interval cannot be 0");
	expect_error(&f, "__address__=h:1|__scrape_timeout__=0s", "scrape timeout cannot be 0");
	expect_error(&f, "__address__=h:1|__scrape_interval__=5",
	    "error parsing scrape interval: \"5\" is not a valid duration");
	expect_error(&f, "__address__=h:1|__scrape_timeout__=1.5s",
	    "error parsing scrape timeout: \"1.5s\" is not a valid duration");
	expect_error(&f, "__address__=h:1|__scrape_interval__=300y",
	    "error parsing scrape interval: \"300y\" is not a valid duration");
	relabel(&f, (struct gs_relabel_rule){.action = GS_RELABEL_LABELDROP, .regex = "__scrape_interval__"});
	expect_error(&f, "__address__=h:1", "error parsing scrape interval: \"\" is not a valid duration");
	tear_down(&f);
}

static void test_relabelling(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f);
	relabel(&f, (struct gs_relabel_rule){.action = GS_RELABEL_LABELMAP, .regex = "__meta_(.+)"});
	expect(&f, "__address__=h:1|__meta_x=y", "instance=h:1|job=j|x=y", "http://h:1/metrics");
	relabel(&f, (struct gs_relabel_rule){.action = GS_RELABEL_LABELDROP, .regex = "job"});
	expect(&f, "__address__=h:1", "instance=h:1", "http://h:1/metrics");
	relabel(&f, (struct gs_relabel_rule){
			.action = GS_RELABEL_REPLACE, .target_label = "__address__", .replacement = "new:2"});
	expect(&f, "__address__=h:1", "instance=new:2|job=j", "http://new:2/metrics");
	relabel(&f,
	    (struct gs_relabel_rule){.action = GS_RELABEL_REPLACE, .target_label = "__scheme__", .replacement = ""});
	expect(&f, "__address__=h", "instance=h:80|job=j", "//h:80/metrics");
	relabel(&f,
	    (struct gs_relabel_rule){.action = GS_RELABEL_REPLACE, .target_label = "__param_p", .replacement = "x y"});
	expect(&f, "__address__=h:1", "instance=h:1|job=j", "http://h:1/metrics?p=x+y");
	relabel(&f, (struct gs_relabel_rule){.action = GS_RELABEL_LABELKEEP, .regex = "nothing"});
	expect_error(&f, "__address__=h:1", "no address");
	relabel(&f, (struct gs_relabel_rule){.action = GS_RELABEL_DROP});
	assert_int_equal(build(&f, "__address__=h:1"), GS_OK);
	assert_false(f.keep);
	assert_int_equal(f.target.ndiscovered, 6);
	assert_null(f.target.labels);
	/* A dropped one may be wrong in any way. */
	assert_int_equal(build(&f, "__scrape_interval__=x"), GS_OK);
	assert_false(f.keep);
	relabel(&f, (struct gs_relabel_rule){.action = GS_RELABEL_KEEP,
			.source_labels = (const char *const[]){"a"},
			.nsource_labels = 1,
			.regex = "(b+b+)+[cd]"});
	assert_int_equal(
	    build(&f, "__address__=h:1|a=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"), GS_ELIMIT);
	assert_string_equal(
	    f.err.text, "more or longer labels than a target may have, or a regular expression takes too many steps");
	tear_down(&f);
}

static void test_parameters(void **state) {
	(void)state;
	static const struct gs_label params[] = {{GS_STR_INIT("p"), GS_STR_INIT("1")},
	    {GS_STR_INIT("match[]"), GS_STR_INIT("up")}, {GS_STR_INIT("p"), GS_STR_INIT("2")},
	    {GS_STR_INIT("e"), GS_STR_INIT("")}};
	struct fixture f;
	set_up(&f);
	f.defaults.params = params;
	f.defaults.nparams = 4;
	/* They take the place of what was discovered. */
	expect(&f, "__address__=h:1|__param_p=x", "instance=h:1|job=j", "http://h:1/metrics?e=&match%5B%5D=up&p=1&p=2");
	expect_labels(f.target.discovered, f.target.ndiscovered,
	    "__address__=h:1|__metrics_path__=/"
	    "metrics|__param_match[]=up|__param_p=1|__scheme__=http|__scrape_interval__=15s|__scrape_timeout__=10s|job="
	    "j");
	relabel(&f,
	    (struct gs_relabel_rule){.action = GS_RELABEL_REPLACE, .target_label = "__param_p", .replacement = "x"});
	expect(&f, "__address__=h:1", "instance=h:1|job=j", "http://h:1/metrics?e=&match%5B%5D=up&p=x&p=2");
	/* A label that is gone leaves the value. */
	relabel(
	    &f, (struct gs_relabel_rule){.action = GS_RELABEL_REPLACE, .target_label = "__param_p", .replacement = ""});
	expect(&f, "__address__=h:1", "instance=h:1|job=j", "http://h:1/metrics?e=&match%5B%5D=up&p=1&p=2");
	tear_down(&f);
}

static void test_utf8(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f);
	expect(&f, "__address__=h:1|a=\xc3\xa4", "a=\xc3\xa4|instance=h:1|job=j", "http://h:1/metrics");
	expect_error(&f, "__address__=h:1|a=\xff", "invalid label value for \"a\": \"\xff\"");
	expect_error(&f, "__address__=h:1|__tmp=\xff", "invalid label value for \"__tmp\": \"\xff\"");
	expect_error(&f, "__address__=h:1|\xff=a", "invalid label name \"\xff\"");
	expect(&f, "__address__=h:1|__meta_x=\xff", "instance=h:1|job=j", "http://h:1/metrics");
	tear_down(&f);
}

static void test_limits(void **state) {
	(void)state;
	struct fixture f;
	static char text[GS_LIMIT_LABEL_VALUE + 1];
	set_up(&f);
	memset(text, 'h', sizeof(text));
	struct gs_label found = {GS_STR("__address__"), gs_str_make(text, sizeof(text))};
	const size_t lengths[] = {GS_LIMIT_LABEL_VALUE + 1, GS_LIMIT_NAME};
	for (size_t i = 0; i < 2; i++) {
		found.value.n = lengths[i];
		assert_int_equal(
		    gs_target_build(&f.defaults, &found, 1, f.labels, f.arena, &f.target, &f.keep, &f.err), GS_ELIMIT);
	}
	assert_string_equal(f.err.text, "the address is too long");
	found.value.n = 200;
	assert_int_equal(gs_target_build(&f.defaults, &found, 1, f.labels, f.arena, &f.target, &f.keep, &f.err), GS_OK);
	const struct gs_label param = {gs_str_make(text, GS_LIMIT_NAME), GS_STR("v")};
	f.defaults.params = &param;
	f.defaults.nparams = 1;
	assert_int_equal(
	    gs_target_build(&f.defaults, &found, 1, f.labels, f.arena, &f.target, &f.keep, &f.err), GS_ELIMIT);
	tear_down(&f);
}

static void test_out_of_memory(void **state) {
	(void)state;
	static const struct gs_label params[] = {{GS_STR_INIT("p"), GS_STR_INIT("1")}};
	for (int n = 0;; n++) {
		struct fixture f;
		set_up(&f);
		f.defaults.params = params;
		f.defaults.nparams = 1;
		gs_mem_fail_after(n);
		enum gs_status status = build(&f, "__address__=h|a=b");
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		tear_down(&f);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_true(n >= 3);
			break;
		}
		assert_int_equal(status, GS_ENOMEM);
	}
	/* Nor beyond what the arena may hand out. */
	for (size_t max = 0; max < 2000; max += 16) {
		struct fixture f;
		set_up(&f);
		gs_arena_free(f.arena);
		f.arena = gs_arena_new(max);
		enum gs_status status = build(&f, "__address__=h|a=b");
		assert_true(status == GS_ENOMEM || (status == GS_OK && max > 500));
		tear_down(&f);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_relabelling),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_utf8),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
