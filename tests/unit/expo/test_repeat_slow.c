/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that differ in lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "changes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FAMILY(name) "# HELP " name " h\n# TYPE " name " gauge\n" name " 1\n"

static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};

static const struct change_case lines[] = {
    /* the first body of all */
    {"", "a 1\n# TYPE b gauge\nb 2 3\n", "A 0 S a 1;M T b gauge;A 1 S b 2 @3;"},
    {"a 1\nb 2\n", "", "R 0;R 1;"},
    /* inserted */
    {"a 1\nb 2\n", "x 9\na 1\nb 2\n", "A 0 S x 9;"},
    {"a 1\nb 2\n", "a 1\nx 9\nb 2\n", "A 1 S x 9;"},
    {"a 1\nb 2\n", "a 1\nb 2\nx 9\n", "A 2 S x 9;"},
    {"a 1\nb 2", "a 1\nb 2\nx 9", "A 2 S x 9;"},
    {"a 1\nb 2", "a 1\nb 25\nx 9", "V 1>1 25;A 2 S x 9;"},
    {"a 1\nb 2\nc 3\n", "a 1\nx 9\nb 5\ny 9\nc 3\n", "A 1 S x 9;V 1>2 5;A 3 S y 9;"},
    {"a 1\nb 2\n", "a 1\nb{x=\"1\"} 3\nb 2\n", "A 1 S b x=[1] 3;"},
    {"a 1\nb 2\n", "a 1\na 1\nb 2\n", "A 1 S a 1;"},
    /* removed */
    {"a 1\nb 2\nc 3\n", "b 2\nc 3\n", "R 0;"},
    {"a 1\nb 2\nc 3\n", "a 1\nc 4\n", "R 1;V 2>1 4;"},
    {"a 1\nb 2\nc 3\n", "a 1\nb 2\n", "R 2;"},
    {"a 1\nb 2\nc 3", "a 1\nb 2", "R 2;"},
    {"a 1\nb 2\nc 3\nd 4\n", "d 5\n", "R 0;R 1;R 2;V 3>0 5;"},
    /* both, and moved */
    {"a 1\nb 2\nc 3\n", "a 1\nx 2\nc 3\n", "R 1;A 1 S x 2;"},
    {"a 1\nb 2\nc 3\n", "a 1\nc 3\nb 2\n", "R 1;A 2 S b 2;"},
    {"a 1\nb 2\n", "c 1\nd 2\n", "R 0;R 1;A 0 S c 1;A 1 S d 2;"},
    /* anything before the value is another sample */
    {"a 1\n", "a  1\n", "R 0;A 0 S a 1;"},
    {"a 1\n", " a 1\n", "R 0;A 0 S a 1;"},
    {"a 1\n", "a{} 1\n", "R 0;A 0 S a 1;"},
    {"a 1\n", "a {b=\"c\"} 1\n", "R 0;A 0 S a b=[c] 1;"},
    {"a{b=\"c\"} 1\n", "a{b=\"c\",} 1\n", "R 0;A 0 S a b=[c] 1;"},
    {"a_b 1\n", "a_c 1\n", "R 0;A 0 S a_c 1;"},
    /* comments */
    {"# one\na 1\n", "# two\na 1\n", ""},
    {"# one\na 1\n", "a 1\n", ""},
    {"a 1\nb 2\n", "# one\n\n\na 1\n# two\nb 3\n", "V 1>1 3;"},
    {"a 1\n# one\n", "a 1\n# one\n# two\n", ""},
    {"a 1\n\n\n\nb 1\n", "a 1\n\n\nb 1\n", ""},
    {"a 1\n", "a 1\n# HELP b.c d\n", ""},
    /* HELP and UNIT */
    {"# HELP a b\na 1\n", "# HELP a c\na 1\n", "M H a [c];"},
    {"# HELP a b\na 1\n", "a 1\n", ""},
    {"a 1\n", "# HELP a b\n# UNIT a c\na 1\n", "M H a [b];M U a [c];"},
    {"# HELP a b\r\na 1\n", "# HELP a b\na 1\n", ""},
    /* families */
    {FAMILY("a") FAMILY("b"), FAMILY("a") FAMILY("x") FAMILY("b"), "M H x [h];M T x gauge;A 1 S x 1;"},
    {FAMILY("a") FAMILY("b"), FAMILY("x") FAMILY("a") FAMILY("b"), "M H x [h];M T x gauge;A 0 S x 1;"},
    {FAMILY("a") FAMILY("b"), FAMILY("a") FAMILY("b") FAMILY("x"), "M H x [h];M T x gauge;A 2 S x 1;"},
    {FAMILY("a") FAMILY("b") FAMILY("c"), FAMILY("a") FAMILY("c"), "R 1;"},
    {FAMILY("a") FAMILY("b") FAMILY("c"), FAMILY("b") FAMILY("c"), "R 0;"},
    {FAMILY("a") FAMILY("b"), FAMILY("b") FAMILY("a"), "R 0;M H a [h];M T a gauge;A 1 S a 1;"},
    /* the type: samples up to the next TYPE that both have */
    {"# TYPE a gauge\na 1\nb 2\n# TYPE c gauge\nc 3\n", "# TYPE a counter\na 1\nb 2\n# TYPE c gauge\nc 3\n",
	"R 0;R 1;M T a counter;A 0 S a 1;A 1 S b 2;"},
    {"# TYPE a gauge\na 1\nb 2\n# TYPE c gauge\nc 3\n", "a 1\nb 2\n# TYPE c gauge\nc 4\n",
	"R 0;R 1;A 0 S a 1;A 1 S b 2;V 2>2 4;"},
    {"a 1\nb 2\n# TYPE c gauge\nc 3\n", "# TYPE a gauge\na 1\nb 2\n# TYPE c gauge\nc 4\n",
	"R 0;R 1;M T a gauge;A 0 S a 1;A 1 S b 2;V 2>2 4;"},
    {"# TYPE a gauge\na 1\n", "# TYPE a gauge\n# TYPE a gauge\na 2\n", "M T a gauge;V 0>0 2;"},
    {"# TYPE a gauge\na 1\nb 2\n", "# TYPE a gauge\na 1\n# TYPE b gauge\nb 2\n", "R 1;M T b gauge;A 1 S b 2;"},
};

static const struct change_case strict[] = {
    {"", "# EOF\n", ""},
    {"a 1\nb 2\n# EOF\n", "a 1\nx 9\nb 3\n# EOF\n", "A 1 S x 9;V 1>2 3;"},
    {"a 1\nb 2\nc 3\n# EOF\n", "a 1\nc 3\n# EOF\n", "R 1;"},
    {"a 1\n# EOF\n", "# EOF\n", "R 0;"},
    {"# HELP a b\n# TYPE a gauge\na 1\n# EOF\n", "# HELP a c\n# TYPE a gauge\na 1\n# EOF\n", "M H a [c];"},
    {"# TYPE a gauge\na 1\n# EOF\n", "# HELP a c\n# TYPE a gauge\na 1\n# EOF\n", "M H a [c];"},
    {"# TYPE a_b gauge\na_b 1\n# EOF\n", "# TYPE a_b gauge\n# UNIT a_b b\na_b 1\n# EOF\n", "M U a_b [b];"},
    {"# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# EOF\n", "# TYPE a unknown\na 1\n# TYPE b gauge\nb 1\n# EOF\n",
	"R 0;M T a untyped;A 0 S a 1;"},
    {"# TYPE a gauge\na 1\nb 1\n# EOF\n", "# TYPE a gauge\na 1\n# HELP b c\nb 1\n# EOF\n", "R 1;M H b [c];A 1 S b 1;"},
};

static const struct wrong_case wrong[] = {
    {"a 1\nb 2\n", "a 1\nx\nb 2\n", "", 2, 2, "missing the value of metric \"x\""},
    {"a 1\nb 2\n", "x 1\na 5\nb 2\n<\n", "A 0 S x 1;V 0>1 5;", 4, 1,
	"expected a metric name, found '<': this looks like HTML, not metrics"},
    {"a 1\nb 2\n", "\n\na 1\n# TYPE b nonsense\nb 2\n", "", 4, 10, "unknown type \"nonsense\" of metric \"b\""},
    {"a{b=\"c\"} 1\n", "a{b=\"c\",b=\"d\"} 1\n", "", 1, 9, "duplicate label name \"b\""},
};

static const struct wrong_case strict_wrong[] = {
    {"a 1\nb 2\n# EOF\n", "a 1\n\nb 2\n# EOF\n", "", 2, 1, "the line is empty"},
    {"a 1\nb 2\n# EOF\n", "a 1\nb 2\nc 3", "A 2 S c 3;", 4, 1, "missing '# EOF' at the end"},
};

static void test_lines(void **state) {
	(void)state;
	check_changes(NULL, lines, COUNT(lines));
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

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_openmetrics),
	    cmocka_unit_test(test_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
