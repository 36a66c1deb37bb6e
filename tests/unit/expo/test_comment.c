/* SPDX-License-Identifier: Apache-2.0 */
/* HELP, TYPE and UNIT. */
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
    /* HELP */
    {"# HELP a The help.", "H a [The help.];"},
    {"# HELP a", "H a [];"},
    {"# HELP a \n", "H a [];"},
    {"# HELP a\t\n", "H a [];"},
    {"  #\t \tHELP\t  a:b_9\ttext", "H a:b_9 [text];"},
    {"# HELP a  two  blanks  ", "H a [ two  blanks  ];"},
    {"# HELP a CRLF\r\n", "H a [CRLF];"},
    {"# HELP a b\\\\c\\nd\\\"e\\qf\\", "H a [b\\c\nd\\\"e\\qf\\];"},
    {"# HELP a \\\\n", "H a [\\n];"},
    {"# HELP a \xc3\xa4\xe2\x82\xac", "H a [\xc3\xa4\xe2\x82\xac];"},
    {"# HELP a.b x\n# HELP a{b} x\n# HELP a\xff x\n", ""}, /* Prometheus: help of a, cut */
    {"# HELP a # TYPE a counter", "H a [# TYPE a counter];"},
    /* TYPE */
    {"# TYPE a counter", "T a counter;"},
    {"# TYPE A_B gauge\n", "T A_B gauge;"},
    {"# TYPE a histogram", "T a histogram;"},
    {"# TYPE a summary", "T a summary;"},
    {"# TYPE a untyped", "T a untyped;"},
    {"# TYPE a unknown", "T a untyped;"},
    {"# TYPE a info", "T a info;"},
    {"# TYPE a stateset", "T a stateset;"},
    {"# TYPE a gaugehistogram", "T a gaugehistogram;"},
    {"\t#  TYPE \t a \t gauge \t \r\n", "T a gauge;"},
    {"# TYPE a gauge\n# TYPE a counter", "T a gauge;T a counter;"},
    /* UNIT, and comments that begin alike */
    {"# UNIT a seconds", "U a [seconds];"},
    {"# UNIT a", "U a [];"},
    {"# UNIT\ta  seconds \r\n", "U a [seconds];"},
    {"# UNIT tests are great\n# UNIT 5 x\n# UNIT a, b\n# UNIT \n", ""},
    /* names in quotes */
    {"# HELP \"my.metric\" text", "H my.metric [text];"},
    {"# HELP \"m\"  two\n# HELP \"m\"", "H m [ two];H m [];"},
    {"# TYPE \"my.metric\" counter", "T my.metric counter;"},
    {"#\tTYPE\t\"a \\\\ \\\" \\n \\q\"\t gauge \r\n", "T a \\ \" \n \\q gauge;"},
    {"# TYPE \"\xc3\xa4\xe2\x82\xac\" counter", "T \xc3\xa4\xe2\x82\xac counter;"},
    {"# UNIT \"my.metric_seconds\" seconds\n# UNIT \"a b\"", "U my.metric_seconds [seconds];U a b [];"},
    {"# UNIT \"a\n# UNIT \"\" b\n# UNIT \"\xff\" b\n# UNIT \"a\"b\n# UNIT \"a\" b c\n", ""},
    {"# HELP \"a\"b text", ""},
};

static const struct bad_case bad[] = {
    {"# HELP \n", 1, 8, "expected a metric name after HELP"},
    {"# TYPE  ", 1, 9, "expected a metric name after TYPE"},
    {"\n# HELP 1a x", 2, 8, "expected a metric name after HELP"},
    {"# HELP a x\xff", 1, 10, "the HELP text of \"a\" is not UTF-8"},
    {"# HELP a \xc0\x80", 1, 10, "the HELP text of \"a\" is not UTF-8"},
    {"# HELP a \xed\xa0\x80", 1, 10, "the HELP text of \"a\" is not UTF-8"},
    {"# HELP a cut \xe2\x82", 1, 10, "the HELP text of \"a\" is not UTF-8"},
    {"# TYPE a", 1, 9, "expected a type after the metric name \"a\""},
    {"# TYPE a \t", 1, 11, "expected a type after the metric name \"a\""},
    {"b 1\n# TYPE a bogus", 2, 10, "unknown type \"bogus\" of metric \"a\""},
    {"# TYPE a Counter", 1, 10, "unknown type \"Counter\" of metric \"a\""},
    {"# TYPE a count", 1, 10, "unknown type \"count\" of metric \"a\""},
    {"# TYPE a gauge counter", 1, 16, "unexpected \"counter\" after the type"},
    {"# TYPE a-b gauge", 1, 9, "unexpected \"-\" in the metric name after TYPE"},
    {"# HELP \"a.b x", 1, 8, "missing '\"' at the end of the name"},
    {"# TYPE \"a\\\" counter", 1, 8, "missing '\"' at the end of the name"},
    {"# HELP \"\" x", 1, 8, "the name is empty"},
    {"# TYPE \"\xff\" counter", 1, 8, "the name is not UTF-8"},
    {"# TYPE \"a.b\"counter", 1, 13, "unexpected \"c\" in the metric name after TYPE"},
    {"# TYPE \"a.b\" bogus", 1, 14, "unknown type \"bogus\" of metric \"a.b\""},
    {"# TYPE \"a.b\"", 1, 13, "expected a type after the metric name \"a.b\""},
};

static const struct good_case strict_good[] = {
    {"# EOF", ""},
    {"# EOF\n", ""},
    {"# HELP a The help.\n# EOF\n", "H a [The help.];"},
    {"# HELP a \n# TYPE a counter\n# UNIT a \n# EOF\n", "H a [];T a counter;U a [];"},
    {"# HELP a  x\ty \n# EOF", "H a [ x\ty ];"},
    {"# HELP a \\\\ \\n \\\" \\q \\ \\\\n\n# EOF", "H a [\\ \n \" \\q \\ \\n];"},
    {"# HELP a \xc3\xa4\n# EOF", "H a [\xc3\xa4];"},
    {"# TYPE a gauge\n# TYPE b histogram\n# TYPE c gaugehistogram\n# TYPE d stateset\n# EOF",
	"T a gauge;T b histogram;T c gaugehistogram;T d stateset;"},
    {"# TYPE a info\n# TYPE b summary\n# TYPE c unknown\n# EOF", "T a info;T b summary;T c untyped;"},
    {"# UNIT a:b_seconds seconds\n# EOF", "U a:b_seconds [seconds];"},
    {"# UNIT a_9:x 9:x\n# EOF", "U a_9:x [9:x];"},
};

static const struct bad_case strict_bad[] = {
    {"#\n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# \n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# comment\n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# EOF \n", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"#EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# eof", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"#  EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"#\tEOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# EOFx", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"#HELP a x\n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"#  HELP a x\n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# HELP\ta x\n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# HELP\n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# help a x\n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# HELPS a x\n# EOF", 1, 1, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'"},
    {"# HELP \n# EOF", 1, 8, "expected a metric name after HELP"},
    {"# HELP  a x\n# EOF", 1, 8, "expected a metric name after HELP"},
    {"# HELP 1 x\n# EOF", 1, 8, "expected a metric name after HELP"},
    {"# HELP a\n# EOF", 1, 9, "expected a blank after the metric name \"a\""},
    {"# HELP a\tx\n# EOF", 1, 9, "expected a blank after the metric name \"a\""},
    {"# HELP a.b x\n# EOF", 1, 9, "expected a blank after the metric name \"a\""},
    {"# HELP a \"x\"\n# EOF", 1, 10, "a quote in the HELP text of \"a\" is not escaped"},
    {"# HELP a \\\\\"\n# EOF", 1, 12, "a quote in the HELP text of \"a\" is not escaped"},
    {"# HELP a x\\\n# EOF", 1, 11, "the backslash at the end in the HELP text of \"a\" is not escaped"},
    {"# HELP a \xff\n# EOF", 1, 10, "the HELP text of \"a\" is not UTF-8"},
    {"# TYPE a\n# EOF", 1, 9, "expected a blank after the metric name \"a\""},
    {"# TYPE a \n# EOF", 1, 10, "expected a type after the metric name \"a\""},
    {"# TYPE a  gauge\n# EOF", 1, 10, "unknown type \" gauge\" of metric \"a\""},
    {"# TYPE a gauge \n# EOF", 1, 10, "unknown type \"gauge \" of metric \"a\""},
    {"# TYPE a Gauge\n# EOF", 1, 10, "unknown type \"Gauge\" of metric \"a\""},
    {"# TYPE a untyped\n# EOF", 1, 10, "unknown type \"untyped\" of metric \"a\""},
    {"# TYPE a gauge\r\n# EOF", 1, 15, "the line ends with a carriage return"},
    {"# UNIT a\n# EOF", 1, 9, "expected a blank after the metric name \"a\""},
    {"# UNIT a b c\n# EOF", 1, 11, "unexpected \" \" in the unit of \"a\""},
    {"# UNIT a_m/s m/s\n# EOF", 1, 11, "expected a blank after the metric name \"a_m\""},
    {"# TYPE \"a.b\" gauge\n# EOF", 1, 8, "a name in quotes, but the content type does not say escaping=allow-utf-8"},
};

static const struct good_case utf8_good[] = {
    {"# HELP \"a.b\" x\n# TYPE \"a.b\" gauge\n# UNIT \"a.b\" \n# EOF", "H a.b [x];T a.b gauge;U a.b [];"},
    {"# UNIT \"a.b_m/s\" m/s\n# UNIT \"a_\xc2\xb5s\" \xc2\xb5s\n# EOF", "U a.b_m/s [m/s];U a_\xc2\xb5s [\xc2\xb5s];"},
};

static const struct bad_case utf8_bad[] = {
    {"# UNIT \"a.b\" \xff\n# EOF", 1, 14, "unexpected \"\\xff\" in the unit of \"a.b\""},
    {"# UNIT \"a.b\"\n# EOF", 1, 13, "expected a blank after the metric name \"a.b\""},
    {"# UNIT \"a.b \n# EOF", 1, 8, "missing '\"' at the end of the name"},
};

static void test_limits(void **state) {
	(void)state;
	struct gs_error err = {0};
	size_t n = 0;
	assert_int_equal(parse_long("# HELP ", 'x', GS_LIMIT_NAME, " h", &err, NULL), GS_OK);
	assert_int_equal(parse_long("# HELP ", 'x', GS_LIMIT_NAME + 1, " h", &err, NULL), GS_ELIMIT);
	assert_int_equal(err.column, 8);
	assert_string_equal(err.text, "the metric name after HELP is longer than 1024 bytes");
	assert_int_equal(parse_long("# UNIT ", 'x', GS_LIMIT_NAME + 1, " h", &err, NULL), GS_ELIMIT);
	assert_string_equal(err.text, "the metric name after UNIT is longer than 1024 bytes");

	assert_int_equal(parse_long("# HELP a ", 'x', GS_LIMIT_LABEL_VALUE, "", &err, &n), GS_OK);
	assert_int_equal(n, GS_LIMIT_LABEL_VALUE);
	assert_int_equal(parse_long("# HELP a ", 'x', GS_LIMIT_LABEL_VALUE + 1, "", &err, NULL), GS_ELIMIT);
	assert_int_equal(err.column, 10);
	assert_string_equal(err.text, "the HELP text of \"a\" is longer than 65536 bytes");
	assert_int_equal(parse_long("# HELP a ", 'x', GS_LIMIT_LABEL_VALUE - 1, "\\n", &err, &n), GS_OK);
	assert_int_equal(n, GS_LIMIT_LABEL_VALUE);
	assert_int_equal(parse_long("# HELP a ", 'x', GS_LIMIT_LABEL_VALUE, "\\n", &err, NULL), GS_ELIMIT);
	assert_int_equal(parse_long("# HELP a \\n", 'x', GS_LIMIT_LABEL_VALUE, "", &err, NULL), GS_ELIMIT);
	assert_int_equal(parse_long("# UNIT a ", 'x', GS_LIMIT_LABEL_VALUE + 1, "", &err, NULL), GS_ELIMIT);
	assert_string_equal(err.text, "the unit of \"a\" is longer than 65536 bytes");

	assert_int_equal(parse_long("# HELP \"", 'x', GS_LIMIT_NAME, "\" h", &err, NULL), GS_OK);
	assert_int_equal(parse_long("# HELP \"", 'x', GS_LIMIT_NAME + 1, "\" h", &err, NULL), GS_ELIMIT);
	assert_int_equal(err.column, 8);
	assert_string_equal(err.text, "the name is longer than 1024 bytes");
	assert_int_equal(parse_long("# UNIT \"", 'x', GS_LIMIT_NAME + 1, "\" h", &err, NULL), GS_ELIMIT);
	assert_string_equal(err.text, "the metric name after UNIT is longer than 1024 bytes");
	assert_int_equal(parse_long("# HELP \"\\\\", 'x', GS_LIMIT_LABEL_VALUE, "\" h", &err, NULL), GS_ELIMIT);
	assert_string_equal(err.text, "the names and values with escapes are together longer than 65536 bytes");
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

static void test_utf8_good(void **state) {
	(void)state;
	check_good_as(&openmetrics_utf8, utf8_good, COUNT(utf8_good));
}

static void test_utf8_bad(void **state) {
	(void)state;
	check_bad_as(&openmetrics_utf8, utf8_bad, COUNT(utf8_bad));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_strict_good),
	    cmocka_unit_test(test_strict_bad),
	    cmocka_unit_test(test_utf8_good),
	    cmocka_unit_test(test_utf8_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
