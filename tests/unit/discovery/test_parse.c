/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doc.h"
#include "gravel/base/mem.h"
#include "show.h"

typedef enum gs_status parse_fn(
    struct gs_str text, const struct gs_sd_parse *parse, struct gs_sd_doc **ret_doc, struct gs_error *err);

static const struct gs_sd_parse list = {.meta = {{GS_STR_INIT("__meta_x"), GS_STR_INIT("m")}}, .nmeta = 1};
static const struct gs_sd_parse one = {.one = true};

static void good(parse_fn *fn, const struct gs_sd_parse *how, const char *text, const char *wanted) {
	struct gs_sd_doc *doc = NULL;
	struct gs_error err = {0};
	if (fn(gs_str_of(text), how, &doc, &err) != GS_OK)
		fail_msg("%s: %s", text, err.text);
	gs_sd_doc_check(doc);
	char *shown = show(doc->targets, doc->n);
	assert_string_equal(shown, wanted);
	free(shown);
	gs_sd_doc_free(doc);
}

static void bad(
    parse_fn *fn, const struct gs_sd_parse *how, const char *text, uint32_t line, uint32_t column, const char *why) {
	struct gs_sd_doc *doc = NULL;
	struct gs_error err = {0};
	assert_int_equal(fn(gs_str_of(text), how, &doc, &err), GS_EINVAL);
	assert_null(doc);
	if (err.line != line || err.column != column || strcmp(err.text, why) != 0)
		fail_msg("%s: %u:%u: %s", text, err.line, err.column, err.text);
}

static void test_json(void **state) {
	(void)state;
	good(gs_sd_parse_json, &list, "[]", "");
	good(gs_sd_parse_json, &list, "null", "");
	good(gs_sd_parse_json, &list, "[{}]", "");
	good(gs_sd_parse_json, &list, "[{\"targets\":null,\"labels\":null}]", "");
	good(gs_sd_parse_json, &list,
	    "[{\"targets\":[\"a:1\",\"b:2\"],\"labels\":{\"x\":\"1\",\"e\":\"\",\"__meta_x\":\"no\"}},\n{\"labels\":{"
	    "\"q\":\"r\"},\"targets\":[\"c:3\"]}]",
	    "{__address__=\"a:1\",__meta_x=\"m\",x=\"1\"} {__address__=\"b:2\",__meta_x=\"m\",x=\"1\"} "
	    "{__address__=\"c:3\",__meta_x=\"m\",q=\"r\"}");
	good(gs_sd_parse_json, &one, "{\"targets\":[\"a:1\"]}", "{__address__=\"a:1\"}");
	good(gs_sd_parse_json, &one, "[{\"targets\":[\"a:1\"]}]", "{__address__=\"a:1\"}");
}

static void test_json_errors_have_a_line(void **state) {
	(void)state;
	bad(gs_sd_parse_json, &list, "{\"targets\":[]}", 1, 1, "this is no list of groups");
	bad(gs_sd_parse_json, &list, "\"x\"", 1, 1, "this is no list of groups");
	bad(gs_sd_parse_json, &list, "[null]", 1, 2, "this is no group (an object with \"targets\" and \"labels\")");
	bad(gs_sd_parse_json, &list, "[\n  {\"targets\": [\"],{\", \"\\\"\"]},\n\n \t {\"targets\": 1}\n]", 4, 4,
	    "\"targets\" is no list");
	bad(gs_sd_parse_json, &list, "[{\"targets\":[]}, {}, {\"targets\":[\"a\",2]}]", 1, 22,
	    "target 2 of \"targets\" is no string");
	bad(gs_sd_parse_json, &list, "[{\"labels\":[]}]", 1, 2, "\"labels\" is no object");
	bad(gs_sd_parse_json, &list, "[{\"labels\":{\"a\":1}}]", 1, 2, "the value of label \"a\" is no string");
	bad(gs_sd_parse_json, &list, "[{\"labels\":{\"a-\":\"\"}}]", 1, 2, "\"a-\" is no label name");
	bad(gs_sd_parse_json, &list, "[{\"Targets\":[]}]", 1, 2,
	    "unknown field \"Targets\"; a group has \"targets\" and \"labels\"");
	bad(gs_sd_parse_json, &one, "{\"x\":1}", 1, 1, "unknown field \"x\"; a group has \"targets\" and \"labels\"");
}

static void test_yaml(void **state) {
	(void)state;
	good(gs_sd_parse_yaml, &list, "", "");
	good(gs_sd_parse_yaml, &list, "# nothing\n", "");
	good(gs_sd_parse_yaml, &list, "[]", "");
	good(gs_sd_parse_yaml, &list,
	    "- targets: [a:1, 'b:2']\n  labels:\n    port: 80\n    t: true\n    e: ''\n    n: ~\n- labels: &l {q: r}\n "
	    " targets:\n  - c:3\n- {targets: [d], labels: *l}\n",
	    "{__address__=\"a:1\",__meta_x=\"m\",port=\"80\",t=\"true\"} "
	    "{__address__=\"b:2\",__meta_x=\"m\",port=\"80\",t=\"true\"} "
	    "{__address__=\"c:3\",__meta_x=\"m\",q=\"r\"} {__address__=\"d\",__meta_x=\"m\",q=\"r\"}");
	good(gs_sd_parse_yaml, &one, "targets: [a]", "{__address__=\"a\"}");
	/* JSON is YAML, too. */
	good(gs_sd_parse_yaml, &list, "[{\"targets\":[\"a:1\"],\"labels\":{\"x\":\"1\"}}]",
	    "{__address__=\"a:1\",__meta_x=\"m\",x=\"1\"}");
}

static void test_yaml_errors_have_a_line(void **state) {
	(void)state;
	bad(gs_sd_parse_yaml, &list, "targets: [a]", 1, 1, "this must be a list of groups; it is a mapping");
	bad(gs_sd_parse_yaml, &list, "- targets: [a]\n- b", 2, 3,
	    "a group must be a mapping with \"targets\" and \"labels\"; it is a word");
	bad(gs_sd_parse_yaml, &list, "- targets: a", 1, 12, "\"targets\" must be a list; it is a word");
	bad(gs_sd_parse_yaml, &list, "- targets: [[a]]", 1, 13, "a target must be a word; it is a list");
	bad(gs_sd_parse_yaml, &list, "- targets:\n  - a\n  -\n", 3, 4, "this target is nothing");
	bad(gs_sd_parse_yaml, &list, "- labels: [a]", 1, 11, "\"labels\" must be a mapping; it is a list");
	bad(gs_sd_parse_yaml, &list, "- labels:\n    a: {}", 2, 8,
	    "the value of a label must be a word; it is a mapping");
	bad(gs_sd_parse_yaml, &list, "- labels:\n    a-b: c", 2, 5, "\"a-b\" is no label name");
	bad(gs_sd_parse_yaml, &list, "- target: [a]", 1, 3,
	    "unknown field \"target\"; a group has \"targets\" and \"labels\"");
	bad(gs_sd_parse_yaml, &list, "- targets: [a]\n  targets: [b]", 2, 3,
	    "duplicate key \"targets\"; it stands first in line 1");
}

static const char *const texts[] = {
    "[{\"targets\":[\"a\",\"b\"],\"labels\":{\"c\":\"d\",\"e\":\"f\"}},{\"targets\":[\"g\"]}]",
    "[{\"targets\":[\"a\",\"b\"],\"labels\":{\"c\":\"d\",\"e-\":\"f\"}},{\"targets\":[\"g\"]}]",
};

static void test_memory(void **state) {
	static parse_fn *const fns[] = {gs_sd_parse_json, gs_sd_parse_yaml};
	(void)state;
	for (size_t k = 0; k < 4; k++) {
		for (int64_t i = 0;; i++) {
			struct gs_sd_doc *doc = NULL;
			gs_mem_fail_after(i);
			enum gs_status status = fns[k / 2](gs_str_of(texts[k % 2]), &list, &doc, NULL);
			bool failed = gs_mem_failed();
			gs_mem_fail_after(-1);
			gs_sd_doc_free(doc);
			if (!failed) {
				assert_int_equal(status, k % 2 == 0 ? GS_OK : GS_EINVAL);
				break;
			}
			assert_int_equal(status, GS_ENOMEM);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_json_errors_have_a_line),
	    cmocka_unit_test(test_yaml),
	    cmocka_unit_test(test_yaml_errors_have_a_line),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
