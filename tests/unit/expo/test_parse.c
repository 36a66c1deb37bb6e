/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, and what must hold for every body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dump.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct good_case good[] = {
    /* lines */
    {"", ""},
    {"\n", ""},
    {"\r\n \t\r\n\t\n   ", ""},
    {"a 1", "S a 1;"},
    {"a 1\nb 2\n", "S a 1;S b 2;"},
    {"a 1\r\nb 2\r\n", "S a 1;S b 2;"},
    {"a 1\r", "S a 1;"},
    {"\n\n a 1\n\n\n\tb 2\n\n", "S a 1;S b 2;"},
    /* comments */
    {"#", ""},
    {"# EOF", ""},
    {"# EOF\na 1\n", "S a 1;"},
    {"#!shebang\n#\n##\n# \n#\ta 1\n", ""},
    {"#HELP a b\n#TYPE a bogus\n", ""},
    {"# HELP\n# TYPE\n# UNIT\n# HELPa b\n# help a b\n# Type a b\n", ""},
    {"# \xff\xfe no UTF-8 in a comment", ""},
    /* any order */
    {"a 1\n# HELP a h\n# TYPE a gauge\na 2\n# note\n# UNIT a s", "S a 1;H a [h];T a gauge;S a 2;U a [s];"},
};

static const struct bad_case bad[] = {
    {"<!DOCTYPE html>\n<html>", 1, 1, "expected a metric name, found '<': this looks like HTML, not metrics"},
    {"\n  <html>", 2, 3, "expected a metric name, found '<': this looks like HTML, not metrics"},
    {"{\"status\":\"error\"}", 1, 10, "expected '=' after label name \"status\""},
    {"\xef\xbb\xbf"
     "a 1",
	1, 1, "expected a metric name or a comment, found \"\\xef\""},
    {"a 1\rb 2", 1, 3, "the value \"1\\x0db\" of metric \"a\" is not a number"},
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

static const struct good_case strict_good[] = {
    {"# EOF", ""},
    {"# EOF\n", ""},
    {"a 1\n# EOF\n", "S a 1;"},
    {"a 1\nb 2\n# EOF", "S a 1;S b 2;"},
};

static const struct bad_case strict_bad[] = {
    {"", 1, 1, "missing '# EOF' at the end"},
    {"a 1\n", 2, 1, "missing '# EOF' at the end"},
    {"a 1", 2, 1, "missing '# EOF' at the end"},
    {"# EO", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"\n# EOF", 1, 1, "the line is empty"},
    {"a 1\n\n# EOF", 2, 1, "the line is empty"},
    {" \n# EOF", 1, 1, "expected a metric name or a comment, found \" \""},
    {"a 1\n# EOF\n\n", 3, 1, "the body goes on after '# EOF'"},
    {"# EOF\na 1\n", 2, 1, "the body goes on after '# EOF'"},
    {"# EOF\n# EOF", 2, 1, "the body goes on after '# EOF'"},
    {"a 1\r\n# EOF", 1, 4, "the line ends with a carriage return"},
    {"\r\n# EOF", 1, 1, "the line ends with a carriage return"},
    {"# EOF\r\n", 1, 6, "the line ends with a carriage return"},
    {"# EOF\r", 1, 6, "the line ends with a carriage return"},
    {"\xef\xbb\xbf# EOF", 1, 1, "expected a metric name or a comment, found \"\\xef\""},
    {"\t# EOF", 1, 1, "expected a metric name or a comment, found \"\\x09\""},
};

static void test_strict_good(void **state) {
	(void)state;
	check_good_as(&openmetrics, strict_good, COUNT(strict_good));
}

static void test_strict_bad(void **state) {
	(void)state;
	check_bad_as(&openmetrics, strict_bad, COUNT(strict_bad));
}

static void test_nul_at_line_start(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_error err;
	assert_int_equal(dump_body(parser, GS_STR("a 1\n\0b 1\n"), NULL, &err), GS_EINVAL);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 1);
	assert_string_equal(err.text, "expected a metric name or a comment, found \"\\x00\"");
	gs_expo_parser_free(parser);
}

static void test_lines_of_events(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	static const uint32_t lines[] = {2, 4, 5, 7, 9, 9};
	gs_expo_begin_text(parser, GS_STR("\n# HELP a b\n\r\n# TYPE a gauge\na 1\n# c\na 2\n\na 3"));
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		assert_int_equal(event.line, lines[i]);
	}
	assert_int_equal(event.kind, GS_EXPO_END);
	gs_expo_parser_free(parser);
}

static void test_limits(void **state) {
	(void)state;
	struct gs_error err = {0};
	assert_int_equal(parse_long("#", 'x', GS_LIMIT_LINE - 1, "\r\n", &err, NULL), GS_OK);
	assert_int_equal(parse_long("\n#", 'x', GS_LIMIT_LINE, "", &err, NULL), GS_ELIMIT);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, GS_LIMIT_LINE + 1);
	assert_string_equal(err.text, "the line is longer than 1048576 bytes");
}

static const char *const bodies[] = {
    "# HELP http_requests_total The \\\\ total\\n number.\n# TYPE http_requests_total counter\n"
    "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
    "http_requests_total{method=\"post\",code=\"400\",} 3 1395066363000\r\n",
    "a{b=\"\\\"\\n\\\\\\q\",c=\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 and words\"} +Inf # {t=\"x\"} .5 1.5\n",
    "# UNIT a_seconds seconds\n# TYPE a_seconds unknown\n \t a_seconds \t { } \t 1e-300 \t -5 \t \n#\n\n# EOF",
    "<html>\n",
    "a{b=\"c\"d=\"e\"}1\nx 2 # {} 3",
    "# TYPE a bogus\n",
    "a{b=\"c\",b=\"d\"} 1",
    "a 1 2 3",
};

/* A body cut anywhere is read within its bytes (the copy has exactly its size, for the sanitizer), and the events before the line of
 * the cut are the same. */
static void test_every_prefix(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (size_t i = 0; i < COUNT(bodies); i++) {
		size_t whole = strlen(bodies[i]);
		for (size_t n = 0; n <= whole; n++) {
			char *copy = malloc(n != 0 ? n : 1);
			assert_non_null(copy);
			memcpy(copy, bodies[i], n);
			struct gs_error err = {0};
			uint32_t line = 1;
			for (size_t k = 0; k < n; k++)
				line += copy[k] == '\n';
			enum gs_status status = dump_body(parser, gs_str_make(copy, n), NULL, &err);
			if (status != GS_OK) {
				assert_int_equal(status, GS_EINVAL);
				assert_in_range(err.line, 1, line);
				assert_in_range(err.column, 1, n + 1);
			}
			free(copy);
		}
	}
	gs_expo_parser_free(parser);
}

/* Any single byte changed to any other: no crash, nothing read outside. */
static void test_every_byte_changed(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (size_t i = 0; i < COUNT(bodies); i++) {
		size_t n = strlen(bodies[i]);
		char *copy = malloc(n);
		assert_non_null(copy);
		for (size_t k = 0; k < n; k++) {
			memcpy(copy, bodies[i], n);
			for (int c = 0; c < 256; c++) {
				struct gs_error err = {0};
				copy[k] = (char)c;
				enum gs_status status = dump_body(parser, gs_str_make(copy, n), NULL, &err);
				assert_true(status == GS_OK || (status == GS_EINVAL && err.text[0] != '\0'));
			}
		}
		free(copy);
	}
	gs_expo_parser_free(parser);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_strict_good),
	    cmocka_unit_test(test_strict_bad),
	    cmocka_unit_test(test_nul_at_line_start),
	    cmocka_unit_test(test_lines_of_events),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_every_prefix),
	    cmocka_unit_test(test_every_byte_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
