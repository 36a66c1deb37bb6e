/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/relabel/relabel.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const char *const good_source[] = {"a"}, *const bad_source[] = {"a", "0a"}, *const empty_source[] = {""};

static enum gs_status compile(struct gs_relabel_rule rule, struct gs_error *err) {
	struct gs_relabel *relabel = NULL;
	struct gs_relabel_rule rules[2] = {
	    {.action = GS_RELABEL_KEEP, .separator = ";", .regex = "(.*)", .replacement = "$1"}, rule};
	rules[1].separator = rule.separator != NULL ? rule.separator : ";";
	rules[1].regex = rule.regex != NULL ? rule.regex : "(.*)";
	rules[1].replacement = rule.replacement != NULL ? rule.replacement : "$1";
	enum gs_status status = gs_relabel_new(rules, 2, &relabel, err);
	assert_int_equal(status == GS_OK, relabel != NULL);
	gs_relabel_free(relabel);
	return status;
}

static void test_what_is_refused(void **state) {
	(void)state;
	static const struct {
		struct gs_relabel_rule rule;
		const char *text;
	} cases[] = {
	    {{.action = GS_RELABEL_REPLACE}, "the action replace needs a target_label"},
	    {{.action = GS_RELABEL_REPLACE, .target_label = ""}, "the action replace needs a target_label"},
	    {{.action = GS_RELABEL_REPLACE, .target_label = "0a"}, "\"0a\" is no target_label for the action replace"},
	    {{.action = GS_RELABEL_REPLACE, .target_label = "a-b"},
		"\"a-b\" is no target_label for the action replace"},
	    {{.action = GS_RELABEL_REPLACE, .target_label = "a$"}, "\"a$\" is no target_label for the action replace"},
	    {{.action = GS_RELABEL_REPLACE, .target_label = "$$1"},
		"\"$$1\" is no target_label for the action replace"},
	    {{.action = GS_RELABEL_REPLACE, .target_label = "${1"},
		"\"${1\" is no target_label for the action replace"},
	    {{.action = GS_RELABEL_REPLACE, .target_label = "${}"},
		"\"${}\" is no target_label for the action replace"},
	    {{.action = GS_RELABEL_REPLACE, .target_label = "a", .regex = "("},
		"\"(\" is no regular expression: missing closing parenthesis at byte 2"},
	    {{.action = GS_RELABEL_KEEP, .source_labels = bad_source, .nsource_labels = 2},
		"\"0a\" of source_labels is no label name"},
	    {{.action = GS_RELABEL_KEEP, .source_labels = empty_source, .nsource_labels = 1},
		"\"\" of source_labels is no label name"},
	    {{.action = GS_RELABEL_HASHMOD, .target_label = "a"}, "the action hashmod needs a modulus above 0"},
	    {{.action = GS_RELABEL_HASHMOD, .modulus = 1}, "the action hashmod needs a target_label"},
	    {{.action = GS_RELABEL_HASHMOD, .modulus = 1, .target_label = "$1"},
		"\"$1\" is no target_label for the action hashmod"},
	    {{.action = GS_RELABEL_HASHMOD, .modulus = 1, .target_label = "a", .regex = "*"},
		"\"*\" is no regular expression: quantifier does not follow a repeatable item at byte 1"},
	    {{.action = GS_RELABEL_LABELMAP, .replacement = "0"},
		"\"0\" is no replacement for the action labelmap: it gives no label names"},
	    {{.action = GS_RELABEL_LABELMAP, .replacement = ""},
		"\"\" is no replacement for the action labelmap: it gives no label names"},
	    {{.action = GS_RELABEL_LABELDROP, .source_labels = good_source, .nsource_labels = 1},
		"the action labeldrop takes a regex and nothing else"},
	    {{.action = GS_RELABEL_LABELDROP, .target_label = "a"},
		"the action labeldrop takes a regex and nothing else"},
	    {{.action = GS_RELABEL_LABELKEEP, .modulus = 1}, "the action labelkeep takes a regex and nothing else"},
	    {{.action = GS_RELABEL_LABELKEEP, .separator = ""}, "the action labelkeep takes a regex and nothing else"},
	    {{.action = GS_RELABEL_LABELKEEP, .replacement = "x"},
		"the action labelkeep takes a regex and nothing else"},
	    {{.action = GS_RELABEL_LOWERCASE}, "the action lowercase needs a target_label"},
	    {{.action = GS_RELABEL_LOWERCASE, .target_label = "a", .replacement = "x"},
		"the action lowercase takes no replacement"},
	    {{.action = GS_RELABEL_UPPERCASE, .target_label = "a-"},
		"\"a-\" is no target_label for the action uppercase"},
	    {{.action = GS_RELABEL_KEEPEQUAL}, "the action keepequal needs a target_label"},
	    {{.action = GS_RELABEL_KEEPEQUAL, .target_label = "a", .regex = "b"},
		"the action keepequal takes source_labels and target_label and nothing else"},
	    {{.action = GS_RELABEL_DROPEQUAL, .target_label = "a", .separator = ","},
		"the action dropequal takes source_labels and target_label and nothing else"},
	    {{.action = GS_RELABEL_DROPEQUAL, .target_label = "a", .modulus = 2},
		"the action dropequal takes source_labels and target_label and nothing else"},
	    {{.action = GS_RELABEL_DROPEQUAL, .target_label = "a", .replacement = "x"},
		"the action dropequal takes source_labels and target_label and nothing else"},
	    {{.action = (enum gs_relabel_action)11}, "there is no such action"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct gs_error err = {0};
		assert_int_equal(compile(cases[i].rule, &err), GS_EINVAL);
		assert_string_equal(err.text, cases[i].text);
		assert_int_equal(err.line, 2);
		assert_int_equal(compile(cases[i].rule, NULL), GS_EINVAL);
	}
}

static void test_what_is_taken(void **state) {
	(void)state;
	static const struct gs_relabel_rule rules[] = {
	    {.action = GS_RELABEL_REPLACE, .target_label = "a"},
	    {.action = GS_RELABEL_REPLACE, .target_label = "$1"},
	    {.action = GS_RELABEL_REPLACE, .target_label = "$a_1"},
	    {.action = GS_RELABEL_REPLACE, .target_label = "a${b}c$1_${2}", .replacement = "${"},
	    {.action = GS_RELABEL_KEEP, .target_label = "0-", .replacement = "x", .modulus = 2},
	    {.action = GS_RELABEL_DROP, .regex = ""},
	    {.action = GS_RELABEL_LOWERCASE, .target_label = "$1", .separator = "", .modulus = 3, .regex = "b"},
	    {.action = GS_RELABEL_KEEPEQUAL, .target_label = "${x}b"},
	    {.action = GS_RELABEL_LABELMAP, .target_label = "-"},
	    {.action = GS_RELABEL_LABELDROP},
	    {.action = GS_RELABEL_HASHMOD, .target_label = "a", .modulus = UINT64_MAX, .replacement = "x"},
	};
	for (size_t i = 0; i < N(rules); i++) {
		struct gs_error err = {0};
		if (compile(rules[i], &err) != GS_OK)
			fail_msg("rule %zu: %s", i, err.text);
	}
}

static void test_a_long_expression(void **state) {
	(void)state;
	char *regex = gs_alloc(GS_LIMIT_REGEX + 2);
	struct gs_error err = {0};
	memset(regex, 'a', GS_LIMIT_REGEX + 1);
	assert_int_equal(compile((struct gs_relabel_rule){.action = GS_RELABEL_KEEP, .regex = regex}, &err), GS_ELIMIT);
	assert_int_equal(err.line, 2);
	assert_string_equal(err.text, "a regular expression is longer than 16384 bytes");
	gs_free(regex);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_refused),
	    cmocka_unit_test(test_what_is_taken),
	    cmocka_unit_test(test_a_long_expression),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
