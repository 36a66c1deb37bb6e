/* SPDX-License-Identifier: Apache-2.0 */
/* Labels, and names in quotes. */
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
    {"a{} 1", "S a 1;"},
    {"a {} 1", "S a 1;"},
    {"a{}1", "S a 1;"},
    {"a{b=\"c\"} 1", "S a b=[c] 1;"},
    {"a{b=\"c\",} 1", "S a b=[c] 1;"},
    {"a{b=\"c\",d=\"e\"} 1", "S a b=[c] d=[e] 1;"},
    {"a{b=\"c\", d=\"e\" , f=\"g\" , } 1", "S a b=[c] d=[e] f=[g] 1;"},
    {"a{b=\"c\"d=\"e\" f=\"g\"}1", "S a b=[c] d=[e] f=[g] 1;"},
    {"\t a \t{\tb \t= \t\"c\"\t } \t 1 \t", "S a b=[c] 1;"},
    {"a{b=\"\"} 1", "S a b=[] 1;"},
    {"a{B_9=\"c\",__x=\"d\"} 1", "S a B_9=[c] __x=[d] 1;"},
    {"a{b=\"{},= #\t\"} 1", "S a b=[{},= #\t] 1;"},
    {"a{b=\"\r\"} 1\r\n", "S a b=[\r] 1;"},
    /* escapes: \\ \n \" and nothing else */
    {"a{b=\"\\\\\"} 1", "S a b=[\\] 1;"},
    {"a{b=\"\\n\"} 1", "S a b=[\n] 1;"},
    {"a{b=\"\\\"\"} 1", "S a b=[\"] 1;"},
    {"a{b=\"\\\\n\"} 1", "S a b=[\\n] 1;"},
    {"a{b=\"\\q\\t\\\\\\\\\"} 1", "S a b=[\\q\\t\\\\] 1;"},
    {"a{b=\"C:\\\\dir\\\\\",c=\"x\\ny\",d=\"plain\"} 1", "S a b=[C:\\dir\\] c=[x\ny] d=[plain] 1;"},
    {"a{b=\"\\\xc3\xa4\"} 1", "S a b=[\\\xc3\xa4] 1;"},
    /* UTF-8 */
    {"a{b=\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"} 1", "S a b=[\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80] 1;"},
    {"a{b=\"12345678\xc3\xa4"
     "1234567890\\n\"} 1",
	"S a b=[12345678\xc3\xa4"
	"1234567890\n] 1;"},
    /* names in quotes */
    {"a{\"b\"=\"c\"} 1", "S a b=[c] 1;"},
    {"foo{\"label.name\"=\"x\"} 1", "S foo label.name=[x] 1;"},
    {"{\"my.metric\",\"label.name\"=\"x\"} 1", "S my.metric label.name=[x] 1;"},
    {"{\"m\",a=\"b\"} 1", "S m a=[b] 1;"},
    {"{a=\"b\",\"m\"} 1", "S m a=[b] 1;"},
    {"{a=\"b\",\"m\",c=\"d\"} 1", "S m a=[b] c=[d] 1;"},
    {"{a=\"b\"\"m\",\"c\"=\"d\"\"e\"=\"f\"} 1", "S m a=[b] c=[d] e=[f] 1;"},
    {"{\"m\",} 1", "S m 1;"},
    {"{\"m\" , a=\"b\" , } 1", "S m a=[b] 1;"},
    {"{\"a=b\",\"c,d\"=\"\",\"}\"=\"{\"} 1", "S a=b c,d=[] }=[{] 1;"},
    {"{\"a\\\\\\\"\\n\\q\",\"b\\n\"=\"\\n\"} 1", "S a\\\"\n\\q b\n=[\n] 1;"},
    {"{\"\xc3\xa4\",\"\xe2\x82\xac\"=\"\xf0\x9f\x98\x80\"} 1", "S \xc3\xa4 \xe2\x82\xac=[\xf0\x9f\x98\x80] 1;"},
    {"{\"__name__\"} 1", "S __name__ 1;"},
};

static const struct bad_case bad[] = {
    {"a{", 1, 3, "missing '}' after the labels of metric \"a\""},
    {"a{b=\"c\"", 1, 8, "expected ',' or '}' after the value of label \"b\""},
    {"a{b=\"c\" 1", 1, 9, "expected ',' or '}' after the value of label \"b\""},
    {"a{b=\"c\", ", 1, 10, "missing '}' after the labels of metric \"a\""},
    {"a{,} 1", 1, 3, "expected a label name or '}' in the labels of metric \"a\", found \",\""},
    {"a{b=\"c\",,} 1", 1, 9, "expected a label name or '}' in the labels of metric \"a\", found \",\""},
    {"a{1=\"c\"} 1", 1, 3, "expected a label name or '}' in the labels of metric \"a\", found \"1\""},
    {"a{:b=\"c\"} 1", 1, 3, "expected a label name or '}' in the labels of metric \"a\", found \":\""},
    {"a{=\"c\"} 1", 1, 3, "expected a label name or '}' in the labels of metric \"a\", found \"=\""},
    {"a{foo} 1", 1, 6, "expected '=' after label name \"foo\""},
    {"a{foo", 1, 6, "expected '=' after label name \"foo\""},
    {"a{foo-b=\"c\"} 1", 1, 6, "expected '=' after label name \"foo\""},
    {"a{b:c=\"d\"} 1", 1, 4, "expected '=' after label name \"b\""},
    {"a{b=c} 1", 1, 5, "expected '\"' before the value of label \"b\""},
    {"a{b='c'} 1", 1, 5, "expected '\"' before the value of label \"b\""},
    {"a{b=} 1", 1, 5, "expected '\"' before the value of label \"b\""},
    {"a{b=", 1, 5, "expected '\"' before the value of label \"b\""},
    {"a{b=\"c} 1", 1, 5, "missing '\"' at the end of the value of label \"b\""},
    {"a{b=\"c} 1\nd{e=\"f\"} 1", 1, 5, "missing '\"' at the end of the value of label \"b\""},
    {"a{b=\"", 1, 5, "missing '\"' at the end of the value of label \"b\""},
    {"a{b=\"c\\", 1, 5, "missing '\"' at the end of the value of label \"b\""},
    {"a{b=\"c\\\"", 1, 5, "missing '\"' at the end of the value of label \"b\""},
    {"a{b=\"c\\\n\"} 1", 1, 5, "missing '\"' at the end of the value of label \"b\""},
    {"a{b=\"c\nd\"} 1", 1, 5, "missing '\"' at the end of the value of label \"b\""},
    {"a{b=\"c\",b=\"d\"} 1", 1, 9, "duplicate label name \"b\""},
    {"a{b=\"c\",cc=\"\",b=\"c\"} 1", 1, 15, "duplicate label name \"b\""},
    {"a{__name__=\"b\"} 1", 1, 3, "label name \"__name__\" is reserved"},
    {"x 1\n  a{c=\"\",b=\"\xff\"} 1", 2, 12, "the value of label \"b\" is not UTF-8"},
    {"a{b=\"0123456789\xc3\"} 1", 1, 5, "the value of label \"b\" is not UTF-8"},
    {"a{b=\"\xc0\xaf\"} 1", 1, 5, "the value of label \"b\" is not UTF-8"},
    {"a{b=\"\\\xc3\\\xa4\"} 1", 1, 5, "the value of label \"b\" is not UTF-8"},
    /* names in quotes */
    {"foo{\"m\"} 1", 1, 5, "a second metric name \"m\": metric \"foo\" has its name already"},
    {"{\"m\",a=\"b\",\"n\"} 1", 1, 12, "a second metric name \"n\": metric \"m\" has its name already"},
    {"{\"m\" a=\"b\"} 1", 1, 6, "expected '=' after label name \"m\""},
    {"{\"m\"", 1, 5, "expected '=' after label name \"m\""},
    {"{\"m\",", 1, 6, "missing '}' after the labels of metric \"m\""},
    {"{\"m\",,} 1", 1, 6, "expected a label name or '}' in the labels of metric \"m\", found \",\""},
    {"{,\"m\"} 1", 1, 2, "expected a label name or '}' in the labels of metric \"\", found \",\""},
    {"{m} 1", 1, 3, "expected '=' after label name \"m\""},
    {"{\"\"} 1", 1, 2, "the name is empty"},
    {"a{\"\"=\"x\"} 1", 1, 3, "the name is empty"},
    {"a{\"b} 1", 1, 3, "missing '\"' at the end of the name"},
    {"a{\"b\nc\"=\"\"} 1", 1, 3, "missing '\"' at the end of the name"},
    {"a{\"b\\\"=\"} 1", 1, 3, "a second metric name \"b\"=\": metric \"a\" has its name already"},
    {"{\"\xff\"} 1", 1, 2, "the name is not UTF-8"},
    {"a{b=\"\",\"\xed\xa0\x80\"=\"x\"} 1", 1, 8, "the name is not UTF-8"},
    {"a{b=\"\",\"b\"=\"x\"} 1", 1, 8, "duplicate label name \"b\""},
    {"a{\"b\\n\"=\"\",\"b\\n\"=\"x\"} 1", 1, 12, "duplicate label name \"b\\x0a\""},
    {"a{\"__name__\"=\"x\"} 1", 1, 3, "label name \"__name__\" is reserved"},
};

static const struct good_case strict_good[] = {
    {"a{} 1\n# EOF", "S a 1;"},
    {"a{b=\"c\"} 1\n# EOF", "S a b=[c] 1;"},
    {"a{b=\"c\",_d9=\"\"} 1\n# EOF", "S a b=[c] _d9=[] 1;"},
    {"a{b=\" {},= #\t\r \"} 1\n# EOF", "S a b=[ {},= #\t\r ] 1;"},
    {"a{b=\"\\\\\\n\\\"\\q\\\\n\"} 1\n# EOF", "S a b=[\\\n\"\\q\\n] 1;"},
    {"a{b=\"\xf0\x9f\x98\x80\"} 1\n# EOF", "S a b=[\xf0\x9f\x98\x80] 1;"},
};

static const struct bad_case strict_bad[] = {
    {"a{b=\"c\",} 1\n# EOF", 1, 8, "unexpected ',' before '}' in the labels of metric \"a\""},
    {"a{,} 1\n# EOF", 1, 3, "expected a label name or '}' in the labels of metric \"a\", found \",\""},
    {"a{b=\"c\"d=\"e\"} 1\n# EOF", 1, 8, "expected ',' or '}' after the value of label \"b\""},
    {"a{ } 1\n# EOF", 1, 3, "expected a label name or '}' in the labels of metric \"a\", found \" \""},
    {"a{ b=\"c\"} 1\n# EOF", 1, 3, "expected a label name or '}' in the labels of metric \"a\", found \" \""},
    {"a{b =\"c\"} 1\n# EOF", 1, 4, "expected '=' after label name \"b\""},
    {"a{b= \"c\"} 1\n# EOF", 1, 5, "expected '\"' before the value of label \"b\""},
    {"a{b=\"c\" } 1\n# EOF", 1, 8, "expected ',' or '}' after the value of label \"b\""},
    {"a{b=\"c\" ,d=\"e\"} 1\n# EOF", 1, 8, "expected ',' or '}' after the value of label \"b\""},
    {"a{b=\"c\", d=\"e\"} 1\n# EOF", 1, 9, "expected a label name or '}' in the labels of metric \"a\", found \" \""},
    {"a{b='c'} 1\n# EOF", 1, 5, "expected '\"' before the value of label \"b\""},
    {"a{b=\"c\n\"} 1\n# EOF", 1, 5, "missing '\"' at the end of the value of label \"b\""},
    {"a{b=\"\xff\"} 1\n# EOF", 1, 5, "the value of label \"b\" is not UTF-8"},
    {"a{b=\"c\",b=\"c\"} 1\n# EOF", 1, 9, "duplicate label name \"b\""},
    {"a{a.b=\"c\"} 1\n# EOF", 1, 4, "expected '=' after label name \"a\""},
    {"a{\"b\"=\"c\"} 1\n# EOF", 1, 3, "a name in quotes, but the content type does not say escaping=allow-utf-8"},
};

static const struct good_case utf8_good[] = {
    {"{\"a.b\",c=\"d\"} 1\n{c=\"d\",\"a.b\"} 1\na{\"c.d\"=\"e\"} 1\n# EOF",
	"S a.b c=[d] 1;S a.b c=[d] 1;S a c.d=[e] 1;"},
    {"a 1\n{\"b\"} 1 1\n# EOF", "S a 1;S b 1 @1000;"},
};

static const struct bad_case utf8_bad[] = {
    {"{\"a.b\",} 1\n# EOF", 1, 7, "unexpected ',' before '}' in the labels of metric \"a.b\""},
    {"{ \"a.b\"} 1\n# EOF", 1, 2, "expected a label name or '}' in the labels of metric \"\", found \" \""},
    {"{\"a.b\" } 1\n# EOF", 1, 7, "expected '=' after label name \"a.b\""},
    {"{\"a.b\"}1\n# EOF", 1, 8, "expected a blank after '}', found \"1\""},
    {"{\"a.b\"c=\"d\"} 1\n# EOF", 1, 7, "expected '=' after label name \"a.b\""},
    {"{c=\"d\"\"a.b\"} 1\n# EOF", 1, 7, "expected ',' or '}' after the value of label \"c\""},
};

static void test_good(void **state) {
	(void)state;
	check_good_as(NULL, good, COUNT(good));
}

static void test_bad(void **state) {
	(void)state;
	check_bad_as(NULL, bad, COUNT(bad));
}

static void test_strict_good(void **state) {
	(void)state;
	check_good_as(&openmetrics, strict_good, COUNT(strict_good));
}

static void test_strict_bad(void **state) {
	(void)state;
	check_bad_as(&openmetrics, strict_bad, COUNT(strict_bad));
}

static void test_utf8_good(void **state) {
	(void)state;
	check_good_as(&openmetrics_utf8, utf8_good, COUNT(utf8_good));
}

static void test_utf8_bad(void **state) {
	(void)state;
	check_bad_as(&openmetrics_utf8, utf8_bad, COUNT(utf8_bad));
}

/* Parse one sample of body. */
static enum gs_status one(
    struct gs_expo_parser *parser, struct gs_str body, struct gs_expo_event *event, struct gs_error *err) {
	gs_expo_begin_text(parser, body);
	return gs_expo_next(parser, event, err);
}

/* Behind the line: nothing, or so much that blocks of bytes are read over its end, with what would end a value, a name or a word. */
static const char *const rests[] = {
    "", "\n", "\r\n", "\n#", "\nabcdefghijklmnop{b=\"\\\\\"} 1 2\nabcdefghijklmnop 1\n"};

/* The closing quote, an escape and a byte of UTF-8 at every distance from the start, for the reading by blocks. */
static void test_values_of_every_length(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	static const char *const tails[] = {"", "\\n", "\xc3\xa4", "!", "#", "[", "]"};
	static const char *const values[] = {"", "\n", "\xc3\xa4", "!", "#", "[", "]"};
	for (size_t n = 0; n < 40; n++) {
		for (size_t t = 0; t < COUNT(tails) * COUNT(rests); t++) {
			char body[200], want[100];
			struct gs_expo_event event;
			memset(want, 'x', n);
			snprintf(want + n, sizeof(want) - n, "%s", values[t % COUNT(tails)]);
			snprintf(body, sizeof(body), "a{b=\"%.*s%s\"} 1%s", (int)n, want, tails[t % COUNT(tails)],
			    rests[t / COUNT(tails)]);
			assert_int_equal(one(parser, gs_str_of(body), &event, NULL), GS_OK);
			assert_true(gs_str_eq(event.labels[0].value, gs_str_of(want)));
			assert_true(event.value == 1 && !event.has_timestamp);
		}
	}
	gs_expo_parser_free(parser);
}

static void many_labels(struct gs_buf *body, size_t n) {
	for (size_t i = 0; i < n; i++)
		gs_buf_printf(body, "l%zu=\"%zu\",", i, i);
}

static void test_label_count(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_error err;
	struct gs_buf body;
	gs_buf_init(&body, 100000);
	gs_buf_cstr(&body, "a{");
	many_labels(&body, GS_LIMIT_LABELS);
	gs_buf_cstr(&body, "} 1 # {");
	many_labels(&body, GS_LIMIT_LABELS);
	size_t sample = body.n;
	gs_buf_cstr(&body, "} 1");
	assert_int_equal(one(parser, gs_buf_slice(&body), &event, &err), GS_OK);
	assert_int_equal(event.nlabels, GS_LIMIT_LABELS);
	assert_true(gs_str_eq(event.labels[127].name, GS_STR("l127")));
	body.n = sample;
	gs_buf_cstr(&body, "m=\"\"} 1");
	assert_int_equal(one(parser, gs_buf_slice(&body), &event, &err), GS_ELIMIT);
	assert_int_equal(err.column, sample + 1);
	assert_string_equal(err.text, "the exemplar of metric \"a\" has more than 128 labels");
	gs_buf_clear(&body);
	gs_buf_cstr(&body, "a{");
	many_labels(&body, GS_LIMIT_LABELS + 1);
	assert_int_equal(one(parser, gs_buf_slice(&body), &event, &err), GS_ELIMIT);
	assert_string_equal(err.text, "metric \"a\" has more than 128 labels");
	assert_string_equal(err.limit, "labels_per_series");
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
}

/* before, n times x, after. */
static enum gs_status long_one(
    const char *before, size_t n, const char *after, struct gs_expo_event *event, struct gs_error *err) {
	static char text[3 * GS_LIMIT_LABEL_VALUE];
	size_t at = strlen(before);
	memcpy(text, before, at);
	memset(text + at, 'x', n);
	memcpy(text + at + n, after, strlen(after));
	/* Not freed: the event points into it. */
	static struct gs_expo_parser *parser;
	if (parser == NULL)
		parser = gs_expo_parser_new();
	assert_non_null(parser);
	return one(parser, gs_str_make(text, at + n + strlen(after)), event, err);
}

static void test_name_limits(void **state) {
	(void)state;
	struct gs_expo_event event;
	struct gs_error err;
	assert_int_equal(long_one("", GS_LIMIT_NAME, " 1", &event, &err), GS_OK);
	assert_int_equal(long_one(" ", GS_LIMIT_NAME + 1, " 1", &event, &err), GS_ELIMIT);
	assert_int_equal(err.column, 2);
	assert_non_null(strstr(err.text, "xxx...\" is longer than 1024 bytes"));
	assert_int_equal(strncmp(err.text, "the metric name \"xxx", 20), 0);
	assert_int_equal(long_one("a{", GS_LIMIT_NAME, "=\"\"} 1", &event, &err), GS_OK);
	assert_int_equal(long_one("a{", GS_LIMIT_NAME + 1, "=\"\"} 1", &event, &err), GS_ELIMIT);
	assert_int_equal(err.column, 3);
	assert_int_equal(strncmp(err.text, "the label name \"xxx", 19), 0);
	assert_int_equal(long_one("{\"", GS_LIMIT_NAME, "\"} 1", &event, &err), GS_OK);
	assert_int_equal(event.name.n, GS_LIMIT_NAME);
	assert_int_equal(long_one("a{\"", GS_LIMIT_NAME + 1, "\"=\"\"} 1", &event, &err), GS_ELIMIT);
	assert_int_equal(err.column, 3);
	assert_string_equal(err.text, "the name is longer than 1024 bytes");
	assert_string_equal(err.limit, "name_length");
}

static void test_value_limits(void **state) {
	(void)state;
	struct gs_expo_event event;
	struct gs_error err;
	assert_int_equal(long_one("a{b=\"", GS_LIMIT_LABEL_VALUE, "\"} 1", &event, &err), GS_OK);
	assert_int_equal(event.labels[0].value.n, GS_LIMIT_LABEL_VALUE);
	assert_int_equal(long_one("a{b=\"", GS_LIMIT_LABEL_VALUE + 1, "\"} 1", &event, &err), GS_ELIMIT);
	assert_int_equal(err.column, 5);
	assert_string_equal(err.text, "the value of label \"b\" is longer than 65536 bytes");
	assert_string_equal(err.limit, "value_length");
	assert_int_equal(long_one("a{b=\"", GS_LIMIT_LABEL_VALUE - 1, "\\n\"} 1", &event, &err), GS_OK);
	assert_int_equal(event.labels[0].value.n, GS_LIMIT_LABEL_VALUE);
	assert_int_equal(long_one("a{b=\"", GS_LIMIT_LABEL_VALUE, "\\n\"} 1", &event, &err), GS_ELIMIT);
	assert_int_equal(long_one("a{b=\"", GS_LIMIT_LABEL_VALUE - 1, "\\n\",c=\"\\n\"} 1", &event, &err), GS_ELIMIT);
	assert_string_equal(err.text, "the values with escapes up to label \"c\" are together longer than 65536 bytes");
	assert_int_equal(
	    long_one("a{b=\"", GS_LIMIT_LABEL_VALUE - 1, "\\n\",\"\\n\"=\"\"} 1", &event, &err), GS_ELIMIT);
	assert_string_equal(err.text, "the names and values with escapes are together longer than 65536 bytes");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_strict_good),
	    cmocka_unit_test(test_strict_bad),
	    cmocka_unit_test(test_utf8_good),
	    cmocka_unit_test(test_utf8_bad),
	    cmocka_unit_test(test_values_of_every_length),
	    cmocka_unit_test(test_label_count),
	    cmocka_unit_test(test_name_limits),
	    cmocka_unit_test(test_value_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
