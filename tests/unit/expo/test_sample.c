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
    {"{\"a\"} 1", "S a 1;"},
    {" {\"a.b\"}\t1 5", "S a.b 1 @5;"},
    {"\t{ \"my.metric\" , \"label.name\" = \"x\" } 1", "S my.metric label.name=[x] 1;"},
    /* timestamps */
    {"a 1 0", "S a 1 @0;"},
    {"a 1 1395066363000", "S a 1 @1395066363000;"},
    {"a{b=\"c\"}\t1\t-5\t\r\n", "S a b=[c] 1 @-5;"},
    {"a 1 +7", "S a 1 @7;"},
    {"a 1 9223372036854775807", "S a 1 @9223372036854775807;"},
};

static const struct good_case strict_good[] = {
    {"a 1\n:a:_9 1\n# EOF", "S a 1;S :a:_9 1;"},
    {"a{} 1\na{b=\"c\"} 1 1\n# EOF", "S a 1;S a b=[c] 1 @1000;"},
};

static const struct bad_case strict_bad[] = {
    {"a\n# EOF", 1, 2, "missing the value of metric \"a\""},
    {"a{}\n# EOF", 1, 4, "missing the value of metric \"a\""},
    {"a \n# EOF", 1, 3, "expected one blank after the metric name, and then more"},
    {" a 1\n# EOF", 1, 1, "expected a metric name or a comment, found \" \""},
    {"a  1\n# EOF", 1, 3, "expected one blank after the metric name, and then more"},
    {"a \t1\n# EOF", 1, 3, "expected one blank after the metric name, and then more"},
    {"a\t1\n# EOF", 1, 2, "expected a blank after the metric name, found \"\\x09\""},
    {"a {} 1\n# EOF", 1, 3, "the value \"{}\" of metric \"a\" is not a number"},
    {"a{}1\n# EOF", 1, 4, "expected a blank after '}', found \"1\""},
    {"a{}\t1\n# EOF", 1, 4, "expected a blank after '}', found \"\\x09\""},
    {"a{}  1\n# EOF", 1, 5, "expected one blank after '}', and then more"},
    {"a 1 \n# EOF", 1, 5, "expected one blank after the value, and then more"},
    {"a 1\t\n# EOF", 1, 4, "expected a blank after the value, found \"\\x09\""},
    {"a 1  1\n# EOF", 1, 5, "expected one blank after the value, and then more"},
    {"a 1 1 \n# EOF", 1, 7, "expected one blank after the timestamp, and then more"},
    {"a 1 1 1\n# EOF", 1, 7, "unexpected \"1\" after the timestamp"},
    {"a.b 1\n# EOF", 1, 2, "unexpected \".\" after metric name \"a\""},
    {"{\"a\"} 1\n# EOF", 1, 2, "a name in quotes, but the content type does not say escaping=allow-utf-8"},
    {"{} 1\n# EOF", 1, 1, "expected a metric name before '{', or in quotes in the braces"},
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
    {"{} 1", 1, 1, "expected a metric name before '{', or in quotes in the braces"},
    {"{", 1, 2, "missing '}' after the labels of metric \"\""},
    {"{\"a\"}", 1, 6, "missing the value of metric \"a\""},
    {"{\"a\"}{} 1", 1, 6, "the value \"{}\" of metric \"a\" is not a number"},
    {"{a=\"b\"} 1", 1, 1, "expected a metric name before '{', or in quotes in the braces"},
    {"a", 1, 2, "missing the value of metric \"a\""},
    {"x 1\na \t", 2, 4, "missing the value of metric \"a\""},
    {"a{}", 1, 4, "missing the value of metric \"a\""},
    {"a{b=\"c\"} \n", 1, 10, "missing the value of metric \"a\""},
    {"a b", 1, 3, "the value \"b\" of metric \"a\" is not a number"},
    {"a{}{} 1", 1, 4, "the value \"{}\" of metric \"a\" is not a number"},
    {"a 1{", 1, 3, "the value \"1{\" of metric \"a\" is not a number"},
    {"a # {} 1", 1, 3, "the value \"#\" of metric \"a\" is not a number"},
    /* what follows the value */
    {"a 1 x", 1, 5, "the timestamp \"x\" is not an integer of milliseconds"},
    {"a 1 1.5", 1, 5, "the timestamp \"1.5\" is not an integer of milliseconds"},
    {"a 1 1e3", 1, 5, "the timestamp \"1e3\" is not an integer of milliseconds"},
    {"a 1 -", 1, 5, "the timestamp \"-\" is not an integer of milliseconds"},
    {"a 1 9223372036854775808", 1, 5, "the timestamp \"9223372036854775808\" is out of range"},
    {"a 1 2 3", 1, 7, "unexpected \"3\" after the timestamp"},
    {"a 1 2 junk here", 1, 7, "unexpected \"junk here\" after the timestamp"},
};

static void test_good(void **state) {
	(void)state;
	check_good(good, COUNT(good));
}

static void test_bad(void **state) {
	(void)state;
	check_bad(bad, COUNT(bad));
}

static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};

static void test_strict(void **state) {
	(void)state;
	check_good_as(&openmetrics, strict_good, COUNT(strict_good));
	check_bad_as(&openmetrics, strict_bad, COUNT(strict_bad));
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
	assert_null(event.exemplar);
	assert_false(event.has_timestamp);
	assert_int_equal(one(parser, GS_STR(" {a=\"b\",\"m\"} 1"), &event, NULL), GS_OK);
	assert_true(gs_str_eq(event.series, GS_STR("{a=\"b\",\"m\"}")));
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

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_strict),
	    cmocka_unit_test(test_series_and_slices),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_names_and_words_of_every_length),
	    cmocka_unit_test(test_every_byte_in_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
