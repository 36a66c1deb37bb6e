/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dump.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct good_case good[] = {
    /* names */
    {"a 1", "S a 1;"},
    {":a:_9 1", "S :a:_9 1;"},
    {"UPPER_Case 1", "S UPPER_Case 1;"},
    {"_ 1", "S _ 1;"},
    /* values */
    {"a 0", "S a 0;"},
    {"a -0", "S a -0;"},
    {"a +1.50", "S a 1.5;"},
    {"a .5", "S a 0.5;"},
    {"a 5.", "S a 5;"},
    {"a -.5e1", "S a -5;"},
    {"a 1E3", "S a 1000;"},
    {"a 1e-400", "S a 0;"},
    {"a Inf", "S a +Inf;"},
    {"a +inf", "S a +Inf;"},
    {"a -INF", "S a -Inf;"},
    {"a Infinity", "S a +Inf;"},
    {"a NaN", "S a NaN;"},
    {"a nan", "S a NaN;"},
    {"a 9007199254740993", "S a 9007199254740992;"},
    {"a 00012", "S a 12;"},
    /* labels */
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
    /* timestamps */
    {"a 1 0", "S a 1 @0;"},
    {"a 1 1395066363000", "S a 1 @1395066363000;"},
    {"a{b=\"c\"}\t1\t-5\t\r\n", "S a b=[c] 1 @-5;"},
    {"a 1 +7", "S a 1 @7;"},
    {"a 1 9223372036854775807", "S a 1 @9223372036854775807;"},
    /* exemplars */
    {"a 1 # {} 2", "S a 1 # 2;"},
    {"a 1 # {t=\"x\"} 0.5", "S a 1 # t=[x] 0.5;"},
    {"a{b=\"c\"} 1 5 # {b=\"x\\n\", c=\"y\",} .5 1.5 ", "S a b=[c] 1 @5 # b=[x\n] c=[y] 0.5 @1500;"},
    {"a 1 #{t=\"x\"}1 2e9\nb 2", "S a 1 # t=[x] 1 @2000000000000;S b 2;"},
};

static const struct bad_case bad[] = {
    /* names */
    {"1a 1", 1, 1, "expected a metric name or a comment, found \"1\""},
    {"-a 1", 1, 1, "expected a metric name or a comment, found \"-\""},
    {"\xc3\xa4 1", 1, 1, "expected a metric name or a comment, found \"\\xc3\""},
    {"cpu.0 5", 1, 4, "unexpected \".\" after metric name \"cpu\""},
    {"a-b 5", 1, 2, "unexpected \"-\" after metric name \"a\""},
    {"a=1", 1, 2, "unexpected \"=\" after metric name \"a\""},
    {"ab\xff 1", 1, 3, "unexpected \"\\xff\" after metric name \"ab\""},
    {"{a=\"b\"} 1", 1, 1, "expected a metric name before '{', or in quotes in the braces"},
    /* values */
    {"a", 1, 2, "missing the value of metric \"a\""},
    {"x 1\na \t", 2, 4, "missing the value of metric \"a\""},
    {"a{}", 1, 4, "missing the value of metric \"a\""},
    {"a{b=\"c\"} \n", 1, 10, "missing the value of metric \"a\""},
    {"a b", 1, 3, "the value \"b\" of metric \"a\" is not a number"},
    {"a{}{} 1", 1, 4, "the value \"{}\" of metric \"a\" is not a number"},
    {"a 1{", 1, 3, "the value \"1{\" of metric \"a\" is not a number"},
    {"a 1,5", 1, 3, "the value \"1,5\" of metric \"a\" is not a number"},
    {"a 1_000", 1, 3, "the value \"1_000\" of metric \"a\" is not a number"},
    {"a 0x10", 1, 3, "the value \"0x10\" of metric \"a\" is not a number"},
    {"a 0x1p4", 1, 3, "the value \"0x1p4\" of metric \"a\" is not a number"},
    {"a -0X1P4", 1, 3, "the value \"-0X1P4\" of metric \"a\" is not a number"},
    {"a +NaN", 1, 3, "the value \"+NaN\" of metric \"a\" is not a number"},
    {"a 1e", 1, 3, "the value \"1e\" of metric \"a\" is not a number"},
    {"a .", 1, 3, "the value \".\" of metric \"a\" is not a number"},
    {"a -", 1, 3, "the value \"-\" of metric \"a\" is not a number"},
    {"a 1e400", 1, 3, "the value \"1e400\" of metric \"a\" is out of range"},
    {"a -1e309 5", 1, 3, "the value \"-1e309\" of metric \"a\" is out of range"},
    {"a # {} 1", 1, 3, "the value \"#\" of metric \"a\" is not a number"},
    /* labels */
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
    /* what follows the value */
    {"a 1 x", 1, 5, "the timestamp \"x\" is not an integer of milliseconds"},
    {"a 1 1.5", 1, 5, "the timestamp \"1.5\" is not an integer of milliseconds"},
    {"a 1 1e3", 1, 5, "the timestamp \"1e3\" is not an integer of milliseconds"},
    {"a 1 -", 1, 5, "the timestamp \"-\" is not an integer of milliseconds"},
    {"a 1 9223372036854775808", 1, 5, "the timestamp \"9223372036854775808\" is out of range"},
    {"a 1 2 3", 1, 7, "unexpected \"3\" after the timestamp"},
    {"a 1 2 junk here", 1, 7, "unexpected \"junk here\" after the timestamp"},
    {"a 1 # comment", 1, 7, "expected '{' after '#' in the exemplar of metric \"a\""},
    {"a 1 #", 1, 6, "expected '{' after '#' in the exemplar of metric \"a\""},
    {"a 1 # {b=\"c\",b=\"d\"} 1", 1, 14, "duplicate label name \"b\""},
    {"a 1 # {", 1, 8, "missing '}' after the labels of the exemplar of metric \"a\""},
    {"a 1 # {}", 1, 9, "missing the exemplar's value of metric \"a\""},
    {"a 1 # {} x", 1, 10, "the exemplar's value \"x\" of metric \"a\" is not a number"},
    {"a 1 # {} 1 x", 1, 12, "the exemplar's timestamp \"x\" of metric \"a\" is not a number"},
    {"a 1 # {} 1 2 3", 1, 14, "unexpected \"3\" after the exemplar"},
};

static void test_good(void **state) {
	(void)state;
	check_good(good, COUNT(good));
}

static void test_bad(void **state) {
	(void)state;
	check_bad(bad, COUNT(bad));
}

/* Parse one sample of body. */
static enum gs_status one(
    struct gs_expo_parser *parser, struct gs_str body, struct gs_expo_event *event, struct gs_error *err) {
	gs_expo_begin_text(parser, body);
	return gs_expo_next(parser, event, err);
}

static void test_series_and_slices(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_str body = GS_STR("  abc { d = \"e\" , } 1 2\n");
	assert_int_equal(one(parser, body, &event, NULL), GS_OK);
	assert_true(gs_str_eq(event.series, GS_STR("abc { d = \"e\" , }")));
	assert_ptr_equal(event.series.p, body.p + 2);
	assert_ptr_equal(event.labels[0].value.p, body.p + 13); /* no copy without an escape */
	assert_int_equal(one(parser, GS_STR("abc 1"), &event, NULL), GS_OK);
	assert_true(gs_str_eq(event.series, GS_STR("abc")));
	assert_false(event.has_timestamp);
	gs_expo_parser_free(parser);
}

static void test_nul(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_error err;
	assert_int_equal(one(parser, GS_STR("a\0b 1"), &event, &err), GS_EINVAL);
	assert_int_equal(err.column, 2);
	assert_string_equal(err.text, "unexpected \"\\x00\" after metric name \"a\"");
	assert_int_equal(one(parser, GS_STR("a{b\0=\"\"} 1"), &event, &err), GS_EINVAL);
	assert_int_equal(err.column, 4);
	assert_int_equal(one(parser, GS_STR("a 1\0"), &event, &err), GS_EINVAL);
	/* In a label value NUL is a character as any other. */
	assert_int_equal(one(parser, GS_STR("a{b=\"c\0d\"} 1"), &event, &err), GS_OK);
	assert_true(gs_str_eq(event.labels[0].value, GS_STR("c\0d")));
	gs_expo_parser_free(parser);
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

static void test_names_and_words_of_every_length(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	static const char name[] = "Az09_:zAZaz0123456789:_abcdefghijklmnopqrstuvwxyz";
	for (int n = 1; n < 40; n++) {
		for (size_t t = 0; t < 3 * COUNT(rests); t++) {
			static const char *const braces[] = {"", "{}", "\t"}, *const times[] = {"", "", " 77"};
			char body[300];
			struct gs_expo_event event;
			snprintf(body, sizeof(body), "%.*s%s 0%.*d%s%s", n, name, braces[t % 3], n, 5, times[t % 3],
			    rests[t / 3]);
			assert_int_equal(one(parser, gs_str_of(body), &event, NULL), GS_OK);
			assert_true(gs_str_eq(event.name, gs_str_make(name, (size_t)n)));
			assert_true(event.value == 5 && event.has_timestamp == (t % 3 == 2));
		}
	}
	gs_expo_parser_free(parser);
}

/* Every byte at every place of a name, against the grammar. */
static void test_every_byte_in_a_name(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (size_t at = 1; at < 20; at++) {
		for (int c = 0; c < 256; c++) {
			char body[] = "abcdefghijklmnopqrstuvwxyz 1\nabcdefghijklmnop 1\n";
			struct gs_expo_event event;
			body[at] = (char)c;
			enum gs_status status = one(parser, gs_str_make(body, sizeof(body) - 1), &event, NULL);
			bool fine = gs_expo_is_metric_name(gs_str_make(body, at + 1));
			/* A blank or a brace ends the name, and what follows is no value; as is nothing. */
			assert_int_equal(status, fine ? GS_OK : GS_EINVAL);
			assert_true(!fine || event.name.n == 26);
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
	assert_int_equal(long_one("a{b=\"", GS_LIMIT_LABEL_VALUE - 1, "\\n\"} 1", &event, &err), GS_OK);
	assert_int_equal(event.labels[0].value.n, GS_LIMIT_LABEL_VALUE);
	assert_int_equal(long_one("a{b=\"", GS_LIMIT_LABEL_VALUE, "\\n\"} 1", &event, &err), GS_ELIMIT);
	assert_int_equal(long_one("a{b=\"", GS_LIMIT_LABEL_VALUE - 1, "\\n\",c=\"\\n\"} 1", &event, &err), GS_ELIMIT);
	assert_string_equal(err.text, "the values with escapes up to label \"c\" are together longer than 65536 bytes");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_series_and_slices),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_values_of_every_length),
	    cmocka_unit_test(test_names_and_words_of_every_length),
	    cmocka_unit_test(test_every_byte_in_a_name),
	    cmocka_unit_test(test_label_count),
	    cmocka_unit_test(test_name_limits),
	    cmocka_unit_test(test_value_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
