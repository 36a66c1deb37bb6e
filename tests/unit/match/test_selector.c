/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "gravel/match/selector.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct gs_selector *selector_of(const char *text) {
	struct gs_selector *selector = NULL;
	struct gs_error err = {0};
	if (gs_selector_parse(gs_str_of(text), &selector, &err) != GS_OK)
		fail_msg("%s: %u:%u: %s", text, err.line, err.column, err.text);
	return selector;
}

/* The series that all cases ask for. */
static const struct gs_label series[] = {
    {GS_STR_INIT("__name__"), GS_STR_INIT("http_requests_total")},
    {GS_STR_INIT("code"), GS_STR_INIT("503")},
    {GS_STR_INIT("a.b"), GS_STR_INIT("\xc3\xa4 \"x\"\n")},
    {GS_STR_INIT("job"), GS_STR_INIT("api")},
};

static bool selects(const char *text) {
	struct gs_selector *selector = selector_of(text);
	bool first, again;
	assert_int_equal(gs_selector_match(selector, series, N(series), &first), GS_OK);
	assert_int_equal(gs_selector_match(selector, series, N(series), &again), GS_OK);
	assert_int_equal(first, again);
	gs_selector_free(selector);
	return first;
}

static void test_selecting(void **state) {
	(void)state;
	static const char *const yes[] = {
	    "http_requests_total",
	    " http_requests_total { } ",
	    "http_requests_total{}",
	    "{__name__=\"http_requests_total\"}",
	    "{__name__=~\"http_.*\"}",
	    "{\"http_requests_total\"}",
	    "{'http_requests_total',code=\"503\",}",
	    "{code=\"503\",\"http_requests_total\"}",
	    "{code=~\"5..|404\"}",
	    "{code!~\"4..\",job=\"api\"}",
	    "{job!=\"\"}",
	    "{job=\"api\",nothere=\"\"}",
	    "{job=\"api\",nothere!=\"x\"}",
	    "{job=\"api\",nothere=~\"x*\"}",
	    "{job=\"api\",nothere!~\"x+\"}",
	    "{ code = `503` , job =~ 'a.*' }",
	    "{\"a.b\"=~\"\xc3\xa4.*\"}",
	    "{\"a.b\"=\"\\u00e4 \\\"x\\\"\\n\"}",
	    "{'a.b'='\\xc3\\xa4\\040\"x\"\\U0000000a'}",
	    "# all\n{job=\"api\"} # of it",
	    "{job=\"api\",job=~\"a.*\"}",
	    "http_requests_total{__name__=~\"http.*\"}",
	    "{job=\"\\x61\\160\\u0069\"}",
	};
	static const char *const no[] = {
	    "http_requests",
	    "{__name__=~\"requests_total\"}",
	    "http_requests_total{__name__=\"x\"}",
	    "http_requests_total{code=\"500\"}",
	    "{code=~\"50\"}",
	    "{code!~\"5..\",job=\"api\"}",
	    "{job!=\"api\",code=\"503\"}",
	    "{nothere!=\"\"}",
	    "{nothere=~\".+\"}",
	    "{job=`\\x61pi`}",
	};
	for (size_t i = 0; i < N(yes); i++) {
		if (!selects(yes[i]))
			fail_msg("%s does not select", yes[i]);
	}
	for (size_t i = 0; i < N(no); i++) {
		if (selects(no[i]))
			fail_msg("%s selects", no[i]);
	}
}

static void test_errors_say_where(void **state) {
	(void)state;
	static const struct {
		const char *text;
		unsigned line;
		unsigned column;
		const char *reason;
	} cases[] = {
	    {"", 1, 1, "expected a metric name or {, but the selector ends"},
	    {"  ", 1, 3, "expected a metric name or {, but the selector ends"},
	    {"1a", 1, 1, "expected a metric name or {, not 1"},
	    {"a b", 1, 3, "expected nothing more, not b"},
	    {"a{b=\"c\"} 5", 1, 10, "expected nothing more, not 5"},
	    {"a{", 1, 3, "expected a label name or }, but the selector ends"},
	    {"a{,}", 1, 3, "expected a label name or }, not ,"},
	    {"a{b=\"c\",,}", 1, 9, "expected a label name or }, not ,"},
	    {"a{b:c=\"d\"}", 1, 4, "expected =, !=, =~ or !~, not :"},
	    {"a{b}", 1, 4, "expected =, !=, =~ or !~, not }"},
	    {"a{b==\"c\"}", 1, 5, "expected a value in quotes, not ="},
	    {"a{b!\"c\"}", 1, 5, "expected != or !~, not \""},
	    {"a{b!=~\"c\"}", 1, 6, "expected a value in quotes, not ~"},
	    {"a{b~\"c\"}", 1, 4, "expected =, !=, =~ or !~, not ~"},
	    {"a{b=c}", 1, 5, "expected a value in quotes, not c"},
	    {"a{b=\xc3\xa4}", 1, 5, "expected a value in quotes, not \xc3\xa4"},
	    {"a{b=\"c\" d=\"e\"}", 1, 9, "expected , or }, not d"},
	    {"a{b=\"c}", 1, 5, "a string does not end"},
	    {"a{b=\"c\nd\"}", 1, 5, "a string does not end"},
	    {"a{b=\"\\q\"}", 1, 6, "unknown escape in a string"},
	    {"a{b=\"\\'\"}", 1, 6, "unknown escape in a string"},
	    {"a{b=\"\\", 1, 6, "unknown escape in a string"},
	    {"a{b=\"\\x4\"}", 1, 6, "an escape has too few digits"},
	    {"a{b=\"\\18\"}", 1, 6, "an escape has too few digits"},
	    {"a{b=\"\\400\"}", 1, 6, "an escape is no character"},
	    {"a{b=\"\\ud800\"}", 1, 6, "an escape is no character"},
	    {"a{b=\"\\U00110000\"}", 1, 6, "an escape is no character"},
	    {"a{\"b\"}", 1, 3, "a second metric name"},
	    {"{\"a\",\"b\"}", 1, 6, "a second metric name"},
	    {"# one\n{a=\"b\",\nc=d}", 3, 3, "expected a value in quotes, not d"},
	    {"{a=~\"b\",c=~\"(\"}", 1, 12, "\"(\" is no regular expression: missing closing parenthesis at byte 2"},
	    {"{}", 1, 1, "one matcher at least must not match the empty text"},
	    {"{a=\"\"}", 1, 1, "one matcher at least must not match the empty text"},
	    {"{a=~\".*\",b!=\"x\",c!~\"y\"}", 1, 1, "one matcher at least must not match the empty text"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct gs_selector *selector = NULL;
		struct gs_error err = {0};
		assert_int_equal(gs_selector_parse(gs_str_of(cases[i].text), &selector, &err), GS_EINVAL);
		assert_null(selector);
		assert_string_equal(err.text, cases[i].reason);
		assert_int_equal(err.line, cases[i].line);
		assert_int_equal(err.column, cases[i].column);
	}
}

static void test_number_of_matchers_is_limited(void **state) {
	(void)state;
	struct gs_selector *selector = NULL;
	struct gs_error err = {0};
	struct gs_buf text;
	gs_buf_init(&text, 1 << 16);
	gs_buf_char(&text, '{');
	for (int i = 0; i < GS_LIMIT_LABELS; i++)
		gs_buf_cstr(&text, "a=\"b\",");
	gs_buf_char(&text, '}');
	assert_int_equal(gs_selector_parse(gs_buf_slice(&text), &selector, &err), GS_OK);
	gs_selector_free(selector);
	selector = NULL;
	text.n--;
	gs_buf_cstr(&text, "a=\"b\"}");
	assert_int_equal(gs_selector_parse(gs_buf_slice(&text), &selector, &err), GS_ELIMIT);
	assert_null(selector);
	assert_string_equal(err.text, "more than 128 matchers");
	gs_buf_free(&text);
}

static void test_the_name_that_is_asked_for(void **state) {
	(void)state;
	static const char *const cases[][2] = {
	    {"up", "up"},
	    {"a:b{c=\"d\"}", "a:b"},
	    {"{\"x.y\",c=\"d\"}", "x.y"},
	    {"{c=\"d\",__name__=\"e\"}", "e"},
	    {"{__name__=~\"e\"}", ""},
	    {"{__name__!=\"e\",a=\"b\"}", ""},
	    {"{a=\"b\"}", ""},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct gs_selector *selector = selector_of(cases[i][0]);
		assert_true(gs_str_eq(gs_selector_name(selector), gs_str_of(cases[i][1])));
		gs_selector_free(selector);
	}
}

/* What is remembered of the last value is no answer for another one. */
static void test_answers_are_remembered_for_equal_values_only(void **state) {
	(void)state;
	struct gs_selector *selector = selector_of("{a=~\"x+\"}");
	char longer[200];
	memset(longer, 'x', sizeof(longer));
	const struct {
		struct gs_str value;
		bool expected;
	} cases[] = {
	    {GS_STR("x"), true},
	    {GS_STR("x"), true},
	    {GS_STR("y"), false},
	    {GS_STR("xx"), true},
	    {GS_STR(""), false},
	    {gs_str_make(longer, sizeof(longer)), true},
	    {GS_STR("xy"), false},
	    {gs_str_make(longer, sizeof(longer)), true},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct gs_label label = {GS_STR("a"), cases[i].value};
		bool answer;
		assert_int_equal(gs_selector_match(selector, &label, 1, &answer), GS_OK);
		assert_int_equal(answer, cases[i].expected);
	}
	gs_selector_free(selector);
}

static void test_an_expression_cannot_take_for_ever(void **state) {
	(void)state;
	struct gs_selector *selector = selector_of("{a=~\"(a+a+)+[bd]\"}");
	struct gs_label label = {GS_STR("a"), GS_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac")};
	bool answer;
	assert_int_equal(gs_selector_match(selector, &label, 1, &answer), GS_ELIMIT);
	assert_int_equal(gs_selector_match(selector, &label, 1, &answer), GS_ELIMIT);
	gs_selector_free(selector);
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		struct gs_selector *selector = NULL;
		bool answer = false;
		gs_mem_fail_after(n);
		enum gs_status status =
		    gs_selector_parse(GS_STR("http_requests_total{code=~\"5..\",\"a.b\"!=\"\\n\"}"), &selector, NULL);
		if (status == GS_OK)
			status = gs_selector_match(selector, series, N(series), &answer);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_selector_free(selector);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_true(answer && n > 8);
			break;
		}
		assert_true(status == GS_ENOMEM || (status == GS_OK && answer));
		assert_true(n < 100);
	}
	gs_selector_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_selecting),
	    cmocka_unit_test(test_errors_say_where),
	    cmocka_unit_test(test_number_of_matchers_is_limited),
	    cmocka_unit_test(test_the_name_that_is_asked_for),
	    cmocka_unit_test(test_answers_are_remembered_for_equal_values_only),
	    cmocka_unit_test(test_an_expression_cannot_take_for_ever),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
