/* SPDX-License-Identifier: Apache-2.0 */
/* Lines at a glance agree with the parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../lib/expo/line.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_word_end(void **state) {
	(void)state;
	for (size_t n = 0; n < 70; n++) {
		char *p = malloc(n + 2);
		assert_non_null(p);
		memset(p, '9', n + 2);
		assert_ptr_equal(gs_line_word_end(p, p + n), p + n);
		p[n] = (char)(n % 3 == 0 ? '\n' : n % 3 == 1 ? ' ' : '\t');
		assert_ptr_equal(gs_line_word_end(p, p + n + 2), p + n);
		p[n] = '\xff';
		assert_ptr_equal(gs_line_word_end(p, p + n + 2), p + n + 2);
		free(p);
	}
}

static void test_content(void **state) {
	static const struct {
		const char *body;
		size_t n;
	} cases[] = {{"", 0}, {"\n", 0}, {"\r\n", 0}, {"\r", 0}, {"a", 1}, {"a\nb", 1}, {"a\r\nb", 1}, {"a\r\r\n", 2},
	    {"a\rb\n", 3}, {"a\r", 1}};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gs_str s = gs_line_content(cases[i].body, cases[i].body + strlen(cases[i].body));
		assert_int_equal(s.n, cases[i].n);
	}
}

static void test_may_begin_value(void **state) {
	static const char yes[] = "1-+.NI#a}\xff", no[] = " \t\r\n{\x01";
	(void)state;
	for (size_t i = 0; i < sizeof(yes) - 1; i++)
		assert_true(gs_line_may_begin_value(&yes[i], yes + sizeof(yes) - 1));
	for (size_t i = 0; i < sizeof(no) - 1; i++)
		assert_false(gs_line_may_begin_value(&no[i], no + sizeof(no) - 1));
	assert_false(gs_line_may_begin_value(yes, yes));
}

static void test_meta(void **state) {
	static const struct {
		const char *line;
		enum gs_line_kind kind;
		const char *name;
		const char *word;
	} cases[] = {
	    {"# TYPE a gauge", GS_LINE_TYPE, "a", "gauge"},
	    {"# TYPE a", GS_LINE_TYPE, "a", ""},
	    {" #\tTYPE \t a  gauge ", GS_LINE_TYPE, "a", "gauge"},
	    {"# HELP a some text", GS_LINE_HELP, "a", "some"},
	    {"# HELP a", GS_LINE_HELP, "a", ""},
	    {"# UNIT a_b b", GS_LINE_UNIT, "a_b", "b"},
	    {"# TYPE \"a b\" gauge", GS_LINE_TYPE, "\"a b\"", "gauge"},
	    {"# TYPE \"a\\\"b\" gauge", GS_LINE_TYPE, "\"a\\\"b\"", "gauge"},
	    {"# TYPE \"a", GS_LINE_TYPE, "\"a", ""},
	};
	static const char *const others[] = {
	    "", " ", "a 1", "#", "# ", "# EOF", "# TYPES a b", "# type a b", "TYPE a b", "#a"};
	struct gs_line_meta meta;
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(gs_line_is_meta(gs_str_of(cases[i].line), &meta));
		assert_int_equal(meta.kind, cases[i].kind);
		assert_true(gs_str_eq(meta.name, gs_str_of(cases[i].name)));
		assert_true(gs_str_eq(meta.word, gs_str_of(cases[i].word)));
		assert_false(gs_line_says_nothing(gs_str_of(cases[i].line)));
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		assert_false(gs_line_is_meta(gs_str_of(others[i]), &meta));
		assert_int_equal(
		    gs_line_says_nothing(gs_str_of(others[i])), others[i][0] != 'a' && others[i][0] != 'T');
	}
}

/* The value stands where the parser finds it. */
static void test_value(void **state) {
	static const char *const lines[] = {"a 1", " \t a \t 1", "a{} 1", "a{b=\"c\"} 1", "a {b=\"c\",d=\"}\"}\t2 3",
	    "a{b=\"\\\"}\"} 5", "a{b=\"\\\\\"}5", "{\"a b\"} 1", "{\"a\",b=\"{\"} 1 # {c=\"d\"} 2", "a:b_9 NaN"};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	(void)state;
	assert_non_null(parser);
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct gs_expo_event event;
		struct gs_str line = gs_str_of(lines[i]);
		gs_expo_begin_text(parser, line);
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		const char *value = event.series.p + event.series.n;
		while (*value == ' ' || *value == '\t')
			value++;
		assert_int_equal(gs_line_value(line), value - line.p);
	}
	gs_expo_parser_free(parser);
}

static void test_value_of_what_is_none(void **state) {
	static const char *const lines[] = {
	    "", "  ", "a", "a ", "a{", "a{b=\"", "a{b=\"c", "a{b=\"c\"", "a{b=\"c\\", "{"};
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		assert_int_equal(gs_line_value(gs_str_of(lines[i])), strlen(lines[i]));
}

static struct gs_line_context enter(struct gs_line_context context, const char *line, bool openmetrics) {
	struct gs_line_meta meta;
	assert_true(gs_line_is_meta(gs_str_of(line), &meta));
	gs_line_enter(&context, &meta, openmetrics);
	return context;
}

static void test_context(void **state) {
	struct gs_line_context none = {0}, type, help, other;
	(void)state;
	type = enter(none, "# TYPE a gauge", false);
	assert_true(gs_str_eq(type.name, GS_STR("a")) && gs_str_eq(type.type, GS_STR("gauge")));
	help = enter(type, "# HELP b text", false);
	assert_true(gs_line_same_context(&help, &type));
	help = enter(type, "# HELP a text", true);
	assert_true(gs_line_same_context(&help, &type));
	other = enter(type, "# UNIT b text", true);
	assert_true(gs_str_eq(other.name, GS_STR("b")) && other.type.n == 0);
	assert_false(gs_line_same_context(&other, &type));
	other = enter(type, "# TYPE a counter", true);
	assert_false(gs_line_same_context(&other, &type));
}

static void test_keys(void **state) {
	struct gs_line_context a = enter((struct gs_line_context){0}, "# TYPE a gauge", false), none = {0};
	struct gs_str one = GS_STR("m{x=\"1\"} 5"), two = GS_STR("m{x=\"1\"} 67"), three = GS_STR("m{x=\"2\"} 5");
	(void)state;
	assert_true(gs_line_key(one, gs_line_value(one), &a) == gs_line_key(two, gs_line_value(two), &a));
	assert_true(gs_line_key(one, gs_line_value(one), &a) != gs_line_key(three, gs_line_value(three), &a));
	assert_true(gs_line_key(one, gs_line_value(one), &a) != gs_line_key(one, gs_line_value(one), &none));
	assert_true(gs_line_key(one, one.n, NULL) != gs_line_key(two, two.n, NULL));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_word_end),
	    cmocka_unit_test(test_content),
	    cmocka_unit_test(test_may_begin_value),
	    cmocka_unit_test(test_meta),
	    cmocka_unit_test(test_value),
	    cmocka_unit_test(test_value_of_what_is_none),
	    cmocka_unit_test(test_context),
	    cmocka_unit_test(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
