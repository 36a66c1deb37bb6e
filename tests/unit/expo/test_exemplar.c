/* SPDX-License-Identifier: Apache-2.0 */
/* Exemplars of the text format and of OpenMetrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dump.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};
static const struct gs_expo_options openmetrics_utf8 = {.format = GS_FORMAT_OPENMETRICS, .utf8_names = true};

static const struct good_case good[] = {
    {"a 1 # {} 2", "S a 1 # 2;"},
    {"a 1 # {t=\"x\"} 0.5", "S a 1 # t=[x] 0.5;"},
    {"a{b=\"c\"} 1 5 # {b=\"x\\n\", c=\"y\",} .5 1.5 ", "S a b=[c] 1 @5 # b=[x\n] c=[y] 0.5 @1500;"},
    {"a 1 #{t=\"x\"}1 2e9\nb 2", "S a 1 # t=[x] 1 @2000000000000;S b 2;"},
    {"a{b=\"\\\\\"} 1 # {\"t.u\"=\"\\\"\"} NaN -1.0009", "S a b=[\\] 1 # t.u=[\"] NaN @-1000;"},
};

static const struct bad_case bad[] = {
    {"a 1 # comment", 1, 7, "expected '{' after '#' in the exemplar of metric \"a\""},
    {"a 1 #", 1, 6, "expected '{' after '#' in the exemplar of metric \"a\""},
    {"a 1 # {b=\"c\",b=\"d\"} 1", 1, 14, "duplicate label name \"b\""},
    {"a 1 # {", 1, 8, "missing '}' after the labels of the exemplar of metric \"a\""},
    {"a 1 # {}", 1, 9, "missing the exemplar's value of metric \"a\""},
    {"a 1 # {} x", 1, 10, "the exemplar's value \"x\" of metric \"a\" is not a number"},
    {"a 1 # {} 1 x", 1, 12, "the exemplar's timestamp \"x\" of metric \"a\" is not a number"},
    {"a 1 # {} 1 NaN", 1, 12, "the exemplar's timestamp \"NaN\" of metric \"a\" is not a number of seconds"},
    {"a 1 # {} 1 2 3", 1, 14, "unexpected \"3\" after the exemplar"},
    {"a 1 # {} 1 # {} 1", 1, 12, "the exemplar's timestamp \"#\" of metric \"a\" is not a number"},
    {"a 1 # {\"m\"} 1", 1, 8, "a second metric name \"m\": the exemplar of metric \"a\" has its name already"},
};

/* OpenMetrics has exemplars of counters and buckets alone. */
#define COUNTER "# TYPE a counter\n"

static const struct good_case strict_good[] = {
    {COUNTER "a_total 1 # {} 2\n# EOF\n", "T a counter;S a_total 1 # 2;"},
    {COUNTER "a_total{b=\"c\"} 1 # {t=\"x\",u=\"\"} 0.5\n# EOF", "T a counter;S a_total b=[c] 1 # t=[x] u=[] 0.5;"},
    {COUNTER "a_total 1 1.5 # {t=\"x\"} -Inf\n# EOF", "T a counter;S a_total 1 @1500 # t=[x] -Inf;"},
    {COUNTER "a_total 1 -1.5 # {t=\"x\"} nan 1e3\n# EOF", "T a counter;S a_total 1 @-1500 # t=[x] NaN @1000000;"},
    {COUNTER "a_total 1 # {t=\" # {} 1\"} 1 .25\n# EOF", "T a counter;S a_total 1 # t=[ # {} 1] 1 @250;"},
};

static const struct bad_case strict_bad[] = {
    {"a 1 #{} 1\n# EOF", 1, 6, "expected a blank after '#', found \"{\""},
    {"a 1 #  {} 1\n# EOF", 1, 7, "expected one blank after '#', and then more"},
    {"a 1 # {}1\n# EOF", 1, 9, "expected a blank after '}', found \"1\""},
    {"a 1 # {} \n# EOF", 1, 10, "expected one blank after '}', and then more"},
    {"a 1 # {}\n# EOF", 1, 9, "missing the exemplar's value of metric \"a\""},
    {"a 1 # {} 1 \n# EOF", 1, 12, "expected one blank after the exemplar's value, and then more"},
    {"a 1 # {} 1 1 \n# EOF", 1, 14, "expected one blank after the exemplar's timestamp, and then more"},
    {"a 1 # {} 1 1 1\n# EOF", 1, 14, "unexpected \"1\" after the exemplar"},
    {"a 1 # {} 1 Inf\n# EOF", 1, 12, "the exemplar's timestamp \"Inf\" of metric \"a\" is not a number of seconds"},
    {"a 1 # {t=\"x\",} 1\n# EOF", 1, 13, "unexpected ',' before '}' in the labels of the exemplar of metric \"a\""},
    {"a 1 # {\"t\"=\"x\"} 1\n# EOF", 1, 8, "a name in quotes, but the content type does not say escaping=allow-utf-8"},
    {"a 1 # x\n# EOF", 1, 7, "expected '{' after '#' in the exemplar of metric \"a\""},
};

/* Names and values of n characters together, each of them of two bytes in the value. */
static enum gs_status parse_characters(const struct gs_expo_options *options, size_t n, struct gs_error *err) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf body;
	gs_buf_init(&body, 2000);
	gs_buf_cstr(&body, COUNTER "a_total 1 # {abc=\"\\n\\\\\",b=\""); /* six: an escape is one */
	for (size_t i = 6; i < n; i++)
		gs_buf_cstr(&body, "\xc3\xa4");
	gs_buf_cstr(&body, "\"} 1\n# EOF\n");
	enum gs_status status = dump_body_as(parser, options, gs_buf_slice(&body), NULL, err);
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
	return status;
}

static void test_characters(void **state) {
	(void)state;
	struct gs_error err;
	assert_int_equal(parse_characters(&openmetrics, 128, &err), GS_OK);
	assert_int_equal(parse_characters(&openmetrics, 129, &err), GS_EINVAL);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 13);
	assert_string_equal(err.text, "the labels of the exemplar of metric \"a_total\" have more than 128 characters");
	assert_int_equal(parse_characters(NULL, 200, &err), GS_OK);
}

static void test_utf8_names(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf out;
	gs_buf_init(&out, 1000);
	struct gs_str body = GS_STR("# TYPE \"a.b\" counter\n{\"a.b_total\"} 1 # {\"t.u\"=\"x\"} 1\n# EOF\n");
	assert_int_equal(dump_body_as(parser, &openmetrics_utf8, body, &out, NULL), GS_OK);
	assert_true(gs_str_eq(gs_buf_slice(&out), GS_STR("T a.b counter;S a.b_total 1 # t.u=[x] 1;")));
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

static void test_good(void **state) {
	(void)state;
	check_good(good, COUNT(good));
}

static void test_bad(void **state) {
	(void)state;
	check_bad(bad, COUNT(bad));
}

static void test_strict_good(void **state) {
	(void)state;
	check_good_as(&openmetrics, strict_good, COUNT(strict_good));
}

static void test_strict_bad(void **state) {
	(void)state;
	check_bad_as(&openmetrics, strict_bad, COUNT(strict_bad));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_strict_good),
	    cmocka_unit_test(test_strict_bad),
	    cmocka_unit_test(test_characters),
	    cmocka_unit_test(test_utf8_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
