/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/relabel/relabel.h"

#define RULES_MAX 4
#define SOURCE(...)                                                                                                    \
	.source_labels = (const char *const[]){__VA_ARGS__},                                                           \
	.nsource_labels = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

/* What is not said is the default. */
static struct gs_relabel *compile(const struct gs_relabel_rule *given, size_t n) {
	struct gs_relabel_rule rules[RULES_MAX];
	struct gs_relabel *relabel = NULL;
	struct gs_error err = {0};
	for (size_t i = 0; i < n; i++) {
		rules[i] = given[i];
		rules[i].separator = given[i].separator != NULL ? given[i].separator : ";";
		rules[i].regex = given[i].regex != NULL ? given[i].regex : "(.*)";
		rules[i].replacement = given[i].replacement != NULL ? given[i].replacement : "$1";
	}
	if (gs_relabel_new(rules, n, &relabel, &err) != GS_OK)
		fail_msg("rule %u: %s", err.line, err.text);
	return relabel;
}

/* Labels as "name=value|name=value". */
static void read_labels(struct gs_labels *labels, const char *text) {
	struct gs_str rest = gs_str_of(text), one, name, value;
	gs_labels_clear(labels);
	while (rest.n != 0) {
		gs_str_cut(rest, '|', &one, &rest);
		gs_str_cut(one, '=', &name, &value);
		assert_int_equal(gs_labels_put(labels, name, value), GS_OK);
	}
}

static void write_labels(struct gs_labels *labels, char *text, size_t size) {
	size_t n, at = 0;
	const struct gs_label *items = gs_labels_sorted(labels, &n);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%.*s=%.*s", i != 0 ? "|" : "", GS_FMT(items[i].name),
		    GS_FMT(items[i].value));
}

/* ${expected} NULL: dropped. The list is applied twice: nothing may be left of the first time. */
static void check_list(const struct gs_relabel_rule *rules, size_t n, const char *before, const char *expected) {
	struct gs_relabel *relabel = compile(rules, n);
	struct gs_labels *labels = gs_labels_new();
	char text[4096];
	for (int turn = 0; turn < 2; turn++) {
		bool keep = false;
		read_labels(labels, before);
		assert_int_equal(gs_relabel_apply(relabel, labels, &keep), GS_OK);
		write_labels(labels, text, sizeof(text));
		assert_int_equal(keep, expected != NULL);
		if (keep)
			assert_string_equal(text, expected);
	}
	gs_labels_free(labels);
	gs_relabel_free(relabel);
}

static void check(struct gs_relabel_rule rule, const char *before, const char *expected) {
	check_list(&rule, 1, before, expected);
}

#define RULE(...) ((struct gs_relabel_rule){__VA_ARGS__})
#define REPLACE(...) RULE(.action = GS_RELABEL_REPLACE, __VA_ARGS__)

static void test_replace(void **state) {
	(void)state;
	/* The defaults copy. */
	check(REPLACE(SOURCE("a"), .target_label = "b"), "a=1", "a=1|b=1");
	check(REPLACE(SOURCE("a"), .target_label = "b"), "a=1|b=2", "a=1|b=1");
	/* Of what is not there, which deletes. */
	check(REPLACE(SOURCE("a"), .target_label = "b"), "b=2|c=3", "c=3");
	check(REPLACE(.target_label = "b"), "b=2|c=3", "c=3");
	check(REPLACE(.target_label = "b", .replacement = "x"), "a=1", "a=1|b=x");
	check(REPLACE(.target_label = "a", .replacement = ""), "a=1|b=2", "b=2");
	/* Without a match nothing happens. */
	check(REPLACE(SOURCE("a"), .regex = "x", .target_label = "b", .replacement = "y"), "a=1|b=2", "a=1|b=2");
	check(REPLACE(SOURCE("a"), .regex = "", .target_label = "b", .replacement = "y"), "a=1", "a=1");
	check(REPLACE(SOURCE("a"), .regex = "", .target_label = "b", .replacement = "y"), "c=1", "b=y|c=1");
	check(REPLACE(SOURCE("a"), .regex = "f(.*)", .target_label = "b"), "a=afoo", "a=afoo");
	check(REPLACE(SOURCE("a", "b"), .target_label = "c"), "a=1|b=2", "a=1|b=2|c=1;2");
	check(REPLACE(SOURCE("a", "x", "b"), .target_label = "c", .separator = "::"), "a=1|b=2", "a=1|b=2|c=1::::2");
	check(REPLACE(SOURCE("a", "b"), .separator = "", .target_label = "a"), "a=1|b=2", "a=12|b=2");
	check(REPLACE(SOURCE("a"), .regex = "(f).(o)", .target_label = "d", .replacement = "$2-$1-${0}"), "a=foo",
	    "a=foo|d=o-f-foo");
	check(REPLACE(SOURCE("a"), .regex = "(?P<x>.)(?P<y>.*)", .target_label = "d", .replacement = "$y${x}z$$"),
	    "a=foo", "a=foo|d=oofz$");
	check(REPLACE(SOURCE("a"), .regex = "(.*):\\d+", .target_label = "a"), "a=host:9100", "a=host");
	check(REPLACE(SOURCE("__name__"), .regex = "(.*)_count", .target_label = "__name__", .replacement = "${1}_n"),
	    "__name__=x_count", "__name__=x_n");
}

static void test_replace_into_a_template(void **state) {
	(void)state;
	check(REPLACE(SOURCE("a"), .regex = "some-([^-]+)-([^,]+)", .target_label = "${1}", .replacement = "${2}"),
	    "a=some-name-value", "a=some-name-value|name=value");
	check(REPLACE(SOURCE("a"), .regex = "some-([^-]+)-([^,]+)", .target_label = "x_$1_y", .replacement = "$2"),
	    "a=some-name-value", "a=some-name-value|x_=value");
	check(REPLACE(SOURCE("a"), .regex = "some-([^-]+)-([^,]+)", .target_label = "x_${1}_y", .replacement = "$2"),
	    "a=some-name-value", "a=some-name-value|x_name_y=value");
	/* The group is "1_y" there. What is no name is no target. */
	check(REPLACE(SOURCE("a"), .regex = "(.*)", .target_label = "${1}", .replacement = "x"), "a=no-name",
	    "a=no-name");
	check(REPLACE(SOURCE("a"), .regex = "(.*)", .target_label = "${1}", .replacement = "x"), "a=0", "a=0");
	check(REPLACE(SOURCE("a"), .regex = "(.*)", .target_label = "${3}", .replacement = "x"), "a=b", "a=b");
	/* An empty result deletes nothing here: Prometheus 2.42 looks for a label "${1}". */
	check(REPLACE(SOURCE("a"), .regex = "(.*)", .target_label = "${1}", .replacement = ""), "a=b|b=1", "a=b|b=1");
}

static void test_line_breaks(void **state) {
	(void)state;
	/* '.' does not match them before Prometheus 3. */
	check(REPLACE(SOURCE("a"), .target_label = "b"), "a=x\ny", "a=x\ny");
	check(REPLACE(SOURCE("a"), .regex = "(?s)(.*)", .target_label = "b"), "a=x\ny", "a=x\ny|b=x\ny");
	check(REPLACE(SOURCE("a"), .regex = "(x)\n.*", .target_label = "b"), "a=x\ny", "a=x\ny|b=x");
	check(RULE(.action = GS_RELABEL_DROP, SOURCE("a"), .regex = "x.*"), "a=x\ny", "a=x\ny");
}

static void test_keep_and_drop(void **state) {
	(void)state;
	check(RULE(.action = GS_RELABEL_KEEP, SOURCE("a"), .regex = "x.*"), "a=xy", "a=xy");
	check(RULE(.action = GS_RELABEL_KEEP, SOURCE("a"), .regex = "x.*"), "a=yx", NULL);
	check(RULE(.action = GS_RELABEL_KEEP, SOURCE("a"), .regex = "x"), "b=x", NULL);
	check(RULE(.action = GS_RELABEL_KEEP, SOURCE("a"), .regex = ""), "b=x", "b=x");
	check(RULE(.action = GS_RELABEL_KEEP), "b=x", "b=x");
	check(RULE(.action = GS_RELABEL_DROP, SOURCE("a", "b"), .regex = "x;y"), "a=x|b=y", NULL);
	check(RULE(.action = GS_RELABEL_DROP, SOURCE("a", "b"), .regex = "x;"), "a=x|b=y", "a=x|b=y");
	check(RULE(.action = GS_RELABEL_DROP, SOURCE("a", "b"), .regex = "x;"), "a=x", NULL);
	check(RULE(.action = GS_RELABEL_DROP), "b=x", NULL);
}

static void test_keepequal_and_dropequal(void **state) {
	(void)state;
	check(RULE(.action = GS_RELABEL_KEEPEQUAL, SOURCE("a"), .target_label = "b"), "a=1|b=1", "a=1|b=1");
	check(RULE(.action = GS_RELABEL_KEEPEQUAL, SOURCE("a"), .target_label = "b"), "a=1|b=2", NULL);
	check(RULE(.action = GS_RELABEL_KEEPEQUAL, SOURCE("a"), .target_label = "b"), "c=1", "c=1");
	check(RULE(.action = GS_RELABEL_KEEPEQUAL, SOURCE("a", "b"), .target_label = "c"), "a=1|b=2|c=1;2",
	    "a=1|b=2|c=1;2");
	check(RULE(.action = GS_RELABEL_DROPEQUAL, SOURCE("a"), .target_label = "b"), "a=1|b=1", NULL);
	check(RULE(.action = GS_RELABEL_DROPEQUAL, SOURCE("a"), .target_label = "b"), "a=1|b=2", "a=1|b=2");
	check(RULE(.action = GS_RELABEL_DROPEQUAL, .target_label = "b"), "a=1", NULL);
}

static void test_hashmod(void **state) {
	(void)state;
	/* Of Prometheus' own tests. */
	check(RULE(.action = GS_RELABEL_HASHMOD, SOURCE("c"), .target_label = "d", .modulus = 1000),
	    "a=foo|b=bar|c=baz", "a=foo|b=bar|c=baz|d=976");
	check(RULE(.action = GS_RELABEL_HASHMOD, SOURCE("a"), .target_label = "d", .modulus = 1), "a=foo", "a=foo|d=0");
	check(RULE(.action = GS_RELABEL_HASHMOD, SOURCE("a"), .target_label = "d", .modulus = UINT64_MAX), "a=abc",
	    "a=abc|d=15462616177412505458");
	check(RULE(.action = GS_RELABEL_HASHMOD, .target_label = "d", .modulus = UINT64_MAX), "a=1",
	    "a=1|d=16825458760271544958");
}

static void test_names(void **state) {
	(void)state;
	check(RULE(.action = GS_RELABEL_LABELMAP, .regex = "(b.*)", .replacement = "bar_${1}"), "a=foo|b1=bar|b2=baz",
	    "a=foo|b1=bar|b2=baz|bar_b1=bar|bar_b2=baz");
	check(RULE(.action = GS_RELABEL_LABELMAP, .regex = "__meta_(my_.*)"), "__meta_my_bar=aaa|a=1",
	    "__meta_my_bar=aaa|a=1|my_bar=aaa");
	/* As they were before: b does not become c by way of a. */
	check(RULE(.action = GS_RELABEL_LABELMAP, .regex = "(?:(a)|b)", .replacement = "${1}b"), "a=1|b=2",
	    "a=1|ab=1|b=2");
	/* Of two with one new name the later wins. */
	check(RULE(.action = GS_RELABEL_LABELMAP, .regex = "[ab]", .replacement = "c"), "a=1|b=2|c=3", "a=1|b=2|c=2");
	check(RULE(.action = GS_RELABEL_LABELMAP, .regex = "[bc]", .replacement = "b"), "c=3|b=2", "b=3|c=3");
	/* Names are not looked at again, as in Prometheus. */
	check(RULE(.action = GS_RELABEL_LABELMAP, .regex = "a(.*)"), "a0=x|a=y", "=y|0=x|a=y|a0=x");
	check(RULE(.action = GS_RELABEL_LABELDROP, .regex = "(b.*)"), "a=foo|b1=bar|b2=baz", "a=foo");
	check(RULE(.action = GS_RELABEL_LABELDROP, .regex = "b"), "a=foo|b1=bar|b=baz", "a=foo|b1=bar");
	check(RULE(.action = GS_RELABEL_LABELKEEP, .regex = "(b.*)"), "a=foo|b1=bar|b2=baz", "b1=bar|b2=baz");
	check(RULE(.action = GS_RELABEL_LABELKEEP, .regex = "none"), "a=foo", "");
}

static void test_case(void **state) {
	(void)state;
	check(RULE(.action = GS_RELABEL_LOWERCASE, SOURCE("a"), .target_label = "b"), "a=FoO", "a=FoO|b=foo");
	check(RULE(.action = GS_RELABEL_UPPERCASE, SOURCE("a", "b"), .target_label = "a"), "a=x|b=\xc3\xa4",
	    "a=X;\xc3\x84|b=\xc3\xa4");
	check(RULE(.action = GS_RELABEL_UPPERCASE, SOURCE("c"), .target_label = "a"), "a=x|b=y", "b=y");
	/* Prometheus checks it as a template, but it is none. */
	check(RULE(.action = GS_RELABEL_LOWERCASE, SOURCE("a"), .target_label = "$1"), "a=X", "$1=x|a=X");
}

static void test_one_rule_after_the_other(void **state) {
	(void)state;
	const struct gs_relabel_rule rules[] = {
	    REPLACE(SOURCE("a"), .regex = "f(.*)", .target_label = "b", .replacement = "new-$1"),
	    REPLACE(SOURCE("b", "c"), .target_label = "d"),
	    RULE(.action = GS_RELABEL_DROP, SOURCE("d"), .regex = "new-oo;x"),
	    REPLACE(.target_label = "a", .replacement = "")};
	check_list(rules, 4, "a=foo|c=baz", "b=new-oo|c=baz|d=new-oo;baz");
	check_list(rules, 4, "a=foo|c=x", NULL);
	check_list(rules, 0, "a=foo", "a=foo");
	/* What was set, deleted and set again is there. */
	const struct gs_relabel_rule again[] = {REPLACE(.target_label = "a", .replacement = ""),
	    REPLACE(.target_label = "a", .replacement = "new"),
	    REPLACE(SOURCE("a"), .target_label = "b", .replacement = "<$1>")};
	check_list(again, 3, "a=1", "a=new|b=<new>");
}

static void test_a_dropped_one_stays_as_it_is(void **state) {
	(void)state;
	const struct gs_relabel_rule rules[] = {REPLACE(.target_label = "b", .replacement = "x"),
	    RULE(.action = GS_RELABEL_DROP), REPLACE(.target_label = "c", .replacement = "x")};
	struct gs_relabel *relabel = compile(rules, 3);
	struct gs_labels *labels = gs_labels_new();
	bool keep = true;
	char text[64];
	read_labels(labels, "a=1");
	assert_int_equal(gs_relabel_apply(relabel, labels, &keep), GS_OK);
	assert_false(keep);
	write_labels(labels, text, sizeof(text));
	assert_string_equal(text, "a=1|b=x");
	gs_labels_free(labels);
	gs_relabel_free(relabel);
}

static enum gs_status apply_once(struct gs_relabel_rule rule, struct gs_str value) {
	struct gs_relabel *relabel = compile(&rule, 1);
	struct gs_labels *labels = gs_labels_new();
	bool keep;
	assert_int_equal(gs_labels_put(labels, GS_STR("a"), value), GS_OK);
	enum gs_status status = gs_relabel_apply(relabel, labels, &keep);
	gs_labels_free(labels);
	gs_relabel_free(relabel);
	return status;
}

static void test_limits(void **state) {
	(void)state;
	static char text[GS_LIMIT_LABEL_VALUE];
	memset(text, 'x', sizeof(text));
	struct gs_str longest = gs_str_make(text, sizeof(text)), half = gs_str_make(text, sizeof(text) / 2);
	assert_int_equal(
	    apply_once(REPLACE(SOURCE("a"), .target_label = "b", .replacement = "$1$1"), longest), GS_ELIMIT);
	assert_int_equal(apply_once(REPLACE(SOURCE("a"), .target_label = "b", .replacement = "$1$1"), half), GS_OK);
	assert_int_equal(apply_once(REPLACE(SOURCE("a"), .target_label = "b"), longest), GS_OK);
	assert_int_equal(apply_once(REPLACE(SOURCE("a"), .target_label = "$1", .replacement = "v"), half), GS_ELIMIT);
	assert_int_equal(
	    apply_once(RULE(.action = GS_RELABEL_UPPERCASE, SOURCE("a"), .target_label = "b"), longest), GS_OK);
	assert_int_equal(
	    apply_once(RULE(.action = GS_RELABEL_UPPERCASE, SOURCE("a", "a"), .target_label = "b"), longest),
	    GS_ELIMIT);
	assert_int_equal(apply_once(RULE(.action = GS_RELABEL_DROP, SOURCE("a", "a", "a", "a", "a", "a", "a", "a", "a",
									"a", "a", "a", "a", "a", "a", "a", "a")),
			     longest),
	    GS_ELIMIT);
	assert_int_equal(
	    apply_once(RULE(.action = GS_RELABEL_DROP, SOURCE("a"), .regex = "(x+x+)+[yz]"), gs_str_make(text, 60)),
	    GS_ELIMIT);
	assert_int_equal(
	    apply_once(RULE(.action = GS_RELABEL_LABELMAP, .regex = "a", .replacement = "b"), longest), GS_OK);
}

static enum gs_status everything(const struct gs_relabel_rule *rules, size_t n) {
	struct gs_relabel *relabel = NULL;
	struct gs_labels *labels = gs_labels_new();
	bool keep;
	enum gs_status status = labels != NULL ? gs_relabel_new(rules, n, &relabel, NULL) : GS_ENOMEM;
	if (status == GS_OK)
		status = gs_labels_put(labels, GS_STR("a"), GS_STR("value"));
	if (status == GS_OK)
		status = gs_relabel_apply(relabel, labels, &keep);
	gs_relabel_free(relabel);
	gs_labels_free(labels);
	return status;
}

static void test_out_of_memory(void **state) {
	(void)state;
	const struct gs_relabel_rule rules[] = {{.action = GS_RELABEL_REPLACE,
						    SOURCE("a", "b"),
						    .separator = ";",
						    .regex = "(v).*",
						    .target_label = "x_$1",
						    .replacement = "<$1>"},
	    {.action = GS_RELABEL_LABELMAP, .separator = ";", .regex = "(a)", .replacement = "m_$1"},
	    {.action = GS_RELABEL_HASHMOD,
		SOURCE("a"),
		.separator = ";",
		.regex = "(.*)",
		.target_label = "h",
		.modulus = 7,
		.replacement = "$1"},
	    {.action = GS_RELABEL_UPPERCASE,
		SOURCE("a"),
		.separator = ";",
		.regex = "(.*)",
		.target_label = "u",
		.replacement = "$1"}};
	size_t failures = 0;
	for (int n = 0; n < 1000; n++) {
		gs_mem_fail_after(n);
		enum gs_status status = everything(rules, 4);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			break;
		}
		/* JIT does without. */
		assert_true(status == GS_ENOMEM || status == GS_OK);
		failures += status == GS_ENOMEM;
	}
	assert_true(failures > 40);
	gs_relabel_free(NULL);
}

/* Where a series is like the one before nothing comes from the heap. */
static void test_no_heap_in_steady_state(void **state) {
	(void)state;
	const struct gs_relabel_rule rules[] = {
	    REPLACE(SOURCE("a", "b"), .regex = "(.*);(.*)", .target_label = "c", .replacement = "$1-$2"),
	    RULE(.action = GS_RELABEL_LABELMAP, .regex = "(a|b)", .replacement = "m_$1"),
	    RULE(.action = GS_RELABEL_UPPERCASE, SOURCE("a"), .target_label = "u"),
	    RULE(.action = GS_RELABEL_DROP, SOURCE("a"), .regex = "[0-9]+x?")};
	struct gs_relabel *relabel = compile(rules, 4);
	struct gs_labels *labels = gs_labels_new();
	for (int turn = 0; turn < 100; turn++) {
		bool keep;
		read_labels(labels, "a=some text|b=more of it");
		if (turn == 2)
			gs_mem_fail_after(0);
		assert_int_equal(gs_relabel_apply(relabel, labels, &keep), GS_OK);
		assert_true(keep);
	}
	assert_false(gs_mem_failed());
	gs_mem_fail_after(-1);
	gs_labels_free(labels);
	gs_relabel_free(relabel);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replace),
	    cmocka_unit_test(test_replace_into_a_template),
	    cmocka_unit_test(test_line_breaks),
	    cmocka_unit_test(test_keep_and_drop),
	    cmocka_unit_test(test_keepequal_and_dropequal),
	    cmocka_unit_test(test_hashmod),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_case),
	    cmocka_unit_test(test_one_rule_after_the_other),
	    cmocka_unit_test(test_a_dropped_one_stays_as_it_is),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_out_of_memory),
	    cmocka_unit_test(test_no_heap_in_steady_state),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
