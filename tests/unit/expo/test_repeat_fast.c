/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that differ in values, timestamps and exemplars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "changes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LONG "long_name_of_a_metric_so_that_a_block_is_full{label=\"and a value\",another=\"one\"} "

static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};

static const struct change_case values[] = {
    {"", "", ""},
    {"a 1\n", "a 1\n", ""},
    {"a 1\n", "a 2\n", "V 0>0 2;"},
    {"a 1\nb 2\nc 3\n", "a 1\nb 5\nc 3\n", "V 1>1 5;"},
    {"a 1\nb 2\nc 3\n", "a 7\nb 8\nc 9\n", "V 0>0 7;V 1>1 8;V 2>2 9;"},
    {"a{x=\"1\"} 1\na{x=\"2\"} 1\n", "a{x=\"1\"} 1\na{x=\"2\"} 2\n", "V 1>1 2;"},
    /* longer and shorter */
    {"a 1\nb 2\nc 3\n", "a 1234567890\nb 2\nc 3\n", "V 0>0 1234567890;"},
    {"a 1234567890\nb 2\nc 3\n", "a 1\nb 2\nc 3\n", "V 0>0 1;"},
    {"a 12\nb 2\n", "a 1\nb 2\n", "V 0>0 1;"},
    {"a 1\nb 2\n", "a 12\nb 2\n", "V 0>0 12;"},
    {LONG "1\n" LONG "2\n" LONG "3\n", LONG "1\n" LONG "22\n" LONG "4\n", "V 1>1 22;V 2>2 4;"},
    /* forms */
    {"a 1\n", "a 1.0\n", "V 0>0 1;"}, /* another text */
    {"a 1\n", "a -1\n", "V 0>0 -1;"},
    {"a 1\n", "a +1\n", "V 0>0 1;"},
    {"a 1\n", "a 1e3\n", "V 0>0 1000;"},
    {"a 1\n", "a 1.5e-3\n", "V 0>0 0.0015;"},
    {"a 1\n", "a .5\n", "V 0>0 0.5;"},
    {"a 1\n", "a 5.\n", "V 0>0 5;"},
    {"a 1\n", "a NaN\n", "V 0>0 NaN;"},
    {"a NaN\n", "a +Inf\n", "V 0>0 +Inf;"},
    {"a +Inf\n", "a -Inf\n", "V 0>0 -Inf;"},
    {"a 1\n", "a 0.30000000000000004\n", "V 0>0 0.30000000000000004;"},
    {"a 1\n", "a 123456789012345678901234567890\n", "V 0>0 1.2345678901234568e+29;"},
    /* the last line */
    {"a 1\nb 2", "a 1\nb 2", ""},
    {"a 1\nb 2", "a 1\nb 3", "V 1>1 3;"},
    {"a 1\nb 2", "a 1\nb 23", "V 1>1 23;"},
    {"a 1\nb 23", "a 1\nb 2", "V 1>1 2;"},
    {"a 1\nb 2", "a 1\nb 2\n", ""},
    {"a 1\nb 2\n", "a 1\nb 2", ""},
    {"a 1\nb 2", "a 1\nb 23\n", "V 1>1 23;"},
    /* ends of lines */
    {"a 1\nb 2\n", "a 1\r\nb 2\r\n", ""},
    {"a 1\r\nb 2\r\n", "a 1\nb 2\n", ""},
    {"a 1\nb 2\n", "a 1\r\nb 3\r\n", "V 1>1 3;"},
    {"a 1\r\nb 2\r\n", "a 1\r\nb 33\r\n", "V 1>1 33;"},
    {"a 1\nb 2", "a 1\nb 2\r", ""},
    {"a 1\n", "a 1 \n", "V 0>0 1;"},
    {"# HELP a b\n# TYPE a gauge\na 1\n", "# HELP a b\n# TYPE a gauge\na 2\n", "V 0>0 2;"},
    {"# c\n\na 1\n# d\nb 1\n", "# c\n\na 1\n# d\nb 2\n", "V 1>1 2;"},
};

static const struct change_case timestamps[] = {
    {"a 1\n", "a 1 5\n", "V 0>0 1 @5;"},
    {"a 1 5\n", "a 1\n", "V 0>0 1;"},
    {"a 1 5\n", "a 1 6\n", "V 0>0 1 @6;"},
    {"a 1 5\n", "a 2 5\n", "V 0>0 2 @5;"},
    {"a 1 5\n", "a 1 -1700000000000\n", "V 0>0 1 @-1700000000000;"},
    {"a 1 5\nb 2\n", "a 1 6 \nb 2\n", "V 0>0 1 @6;"},
    {"a 1 5\nb 2\n", "a 1\t 56\t\r\nb 2\n", "V 0>0 1 @56;"},
    {"a 1 5\n", "a 1 5\r\n", ""},
    {"a 1 5", "a 1 57", "V 0>0 1 @57;"},
    {"a 1 5\n", "a NaN 6\n", "V 0>0 NaN @6;"},
    {"{\"a b\",c=\"}\"} 1 2\n", "{\"a b\",c=\"}\"} 1 3\n", "V 0>0 1 @3;"},
};

static const struct change_case exemplars[] = {
    {"a 1\n", "a 1 # {b=\"c\"} 2\n", "V 0>0 1 # b=[c] 2;"},
    {"a 1 # {b=\"c\"} 2\n", "a 1 # {b=\"d\"} 2\n", "V 0>0 1 # b=[d] 2;"},
    {"a 1 # {b=\"c\"} 2\n", "a 5 # {b=\"c\"} 2\n", "V 0>0 5 # b=[c] 2;"},
    {"a 1 # {b=\"c\"} 2\n", "a 1\n", "V 0>0 1;"},
    {"a 1 # {b=\"c\"} 2\n", "a 1 5 # {b=\"c\"} 2\n", "V 0>0 1 @5 # b=[c] 2;"},
    {"a 1 # {b=\"c\"} 2\nd 1\n", "a 1 # {b=\"c\"} 2\nd 2\n", "V 1>1 2;"},
};

static const struct change_case strict[] = {
    {"# TYPE a gauge\na 1\na{x=\"1\"} 2\n# EOF\n", "# TYPE a gauge\na -5\na{x=\"1\"} 2\n# EOF\n", "V 0>0 -5;"},
    {"# TYPE a counter\na_total 1\n# EOF\n", "# TYPE a counter\na_total 22\n# EOF\n", "V 0>0 22;"},
    {"# TYPE a counter\na_total 1\n# EOF\n", "# TYPE a counter\na_total 22 7\n# EOF\n", "V 0>0 22 @7000;"},
    {"# TYPE a counter\na_total 1\n# EOF\n", "# TYPE a counter\na_total 22 # {b=\"c\"} 2\n# EOF\n",
	"V 0>0 22 # b=[c] 2;"},
    {"# TYPE a summary\na{quantile=\"0.5\"} 1\na_sum 2\na_count 3\n# EOF\n",
	"# TYPE a summary\na{quantile=\"0.5\"} 1.5\na_sum 4\na_count 4\n# EOF\n", "V 0>0 1.5;V 1>1 4;V 2>2 4;"},
    {"# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 2\na_count 1\n# EOF\n",
	"# TYPE a histogram\na_bucket{le=\"+Inf\"} 3\na_sum 2\na_count 3\n# EOF\n", "V 0>0 3;V 2>2 3;"},
    {"a 1\n# EOF\n", "a NaN\n# EOF\n", "V 0>0 NaN;"},
    {"a 1\n# EOF\n", "a 1\n# EOF", ""},
};

static const struct wrong_case wrong[] = {
    {"a 1\nb 1\n", "a 2\nb x\n", "V 0>0 2;", 2, 3, "the value \"x\" of metric \"b\" is not a number"},
    {"a 1\nb 1\n", "a 1\nb 0x1\n", "", 2, 3, "the value \"0x1\" of metric \"b\" is not a number"},
    {"a 1\nb 1\n", "a 1\nb 1e999\n", "", 2, 3, "the value \"1e999\" of metric \"b\" is out of range"},
    {"a 1\nb 1\n", "a 1\nb 1 x\n", "", 2, 5, "the timestamp \"x\" is not an integer of milliseconds"},
    {"a 1\nb 1\n", "a 1\nb 1 2 3\n", "", 2, 7, "unexpected \"3\" after the timestamp"},
    {"a 1\nb 1\n", "a 1\nb ", "", 2, 3, "missing the value of metric \"b\""},
    {"# c\n\n# d\na 1\n\nb 1\n", "# c\n\n# d\na 2\n\nb -\n", "V 0>0 2;", 6, 3,
	"the value \"-\" of metric \"b\" is not a number"},
    {"a 1\n", "a 1\n\x01", "", 2, 1, "expected a metric name or a comment, found \"\\x01\""},
};

static const struct wrong_case strict_wrong[] = {
    {"a 1\n# EOF\n", "a 1\n", "", 2, 1, "missing '# EOF' at the end"},
    {"a 1\n# EOF\n", "a 2\r\n# EOF\n", "", 1, 4, "the line ends with a carriage return"},
    {"a 1\n# EOF\n", "a 0x2\n# EOF\n", "", 1, 3, "the value \"0x2\" of metric \"a\" is not a number"},
    {"a 1\n# EOF\n", "a 1\n# EOF\n\n", "", 3, 1, "the body goes on after '# EOF'"},
};

static void test_values(void **state) {
	(void)state;
	check_changes(NULL, values, COUNT(values));
}

static void test_timestamps(void **state) {
	(void)state;
	check_changes(NULL, timestamps, COUNT(timestamps));
}

static void test_exemplars(void **state) {
	(void)state;
	check_changes(NULL, exemplars, COUNT(exemplars));
}

static void test_openmetrics(void **state) {
	(void)state;
	check_changes(&openmetrics, strict, COUNT(strict));
}

static void test_wrong(void **state) {
	(void)state;
	check_wrong(NULL, wrong, COUNT(wrong));
	check_wrong(&openmetrics, strict_wrong, COUNT(strict_wrong));
}

static void test_a_value_that_makes_the_line_too_long(void **state) {
	struct gs_buf previous, next;
	(void)state;
	gs_buf_init(&previous, 4 << 20);
	gs_buf_init(&next, 4 << 20);
	gs_buf_cstr(&previous, "a 1\nb");
	while (previous.n < 4 + GS_LIMIT_LINE - 2)
		gs_buf_char(&previous, ' ');
	gs_buf_str(&next, gs_buf_slice(&previous));
	gs_buf_cstr(&previous, "12\n");
	gs_buf_cstr(&next, "123\n");
	struct gs_repeat *repeat = gs_repeat_new();
	struct gs_layout *layout = gs_layout_new();
	struct gs_error err = {0};
	assert_true(repeat != NULL && layout != NULL);
	struct gs_str a = gs_buf_slice(&previous), b = gs_buf_slice(&next);
	assert_int_equal(dump_changes(repeat, layout, (struct gs_str){0}, a, NULL, NULL, &err), GS_OK);
	assert_int_equal(dump_changes(repeat, layout, a, b, NULL, NULL, &err), GS_ELIMIT);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, GS_LIMIT_LINE + 1);
	gs_layout_free(layout);
	gs_repeat_free(repeat);
	gs_buf_free(&previous);
	gs_buf_free(&next);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_timestamps),
	    cmocka_unit_test(test_exemplars),
	    cmocka_unit_test(test_openmetrics),
	    cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_a_value_that_makes_the_line_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
