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

/* OpenMetrics has rules for more than one line; they hold wherever the comparison goes on fast. */
#define MANY                                                                                                           \
	"# TYPE g gauge\ng{n=\"1\"} 1\ng{n=\"2\"} 1\ng{n=\"3\"} 1\ng{n=\"4\"} 1\ng{n=\"5\"} 1\ng{n=\"6\"} "            \
	"1\ng{n=\"7\"} 1\ng{n=\"8\"} 1\n"
#define HISTOGRAM(one, inf, sum, count)                                                                                \
	"# TYPE h histogram\nh_bucket{le=\"1\"} " one "\nh_bucket{le=\"+Inf\"} " inf "\nh_sum " sum "\nh_count " count \
	"\n# EOF\n"

/* More lines than are looked at before the comparison goes on fast. */
#define POINTS(t) "a 1 " t "1\na 1 " t "2\na 1 " t "3\na 1 " t "4\na 1 " t "5\na 1 " t "6\na 1 " t "7\na 1 " t "8\n"
#define BUCKETS                                                                                                        \
	"h_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"3\"} 1\nh_bucket{le=\"4\"} 1\nh_bucket{le=\"5\"} "  \
	"1\n"                                                                                                          \
	"h_bucket{le=\"6\"} 1\nh_bucket{le=\"7\"} 1\nh_bucket{le=\"8\"} 1\nh_bucket{le=\"9\"} "                        \
	"1\nh_bucket{le=\"+Inf\"} 1\n"                                                                                 \
	"h_sum 1\nh_count 1\n# EOF\n"

static const struct change_case histograms[] = {
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("2", "2", "3", "2"), "V 0>0 2;"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("5", "6", "7.5", "6"), "V 0>0 5;V 1>1 6;V 2>2 7.5;V 3>3 6;"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("5.0", "6.0", "7", "6"), "V 0>0 5;V 1>1 6;V 2>2 7;V 3>3 6;"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1", "1e1", "3", "10"), "V 1>1 10;V 3>3 10;"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1", "2", "3", "2.0"), "V 3>3 2;"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1 # {} 0.5", "2", "3", "2"), "V 0>0 1 # 0.5;"},
    {HISTOGRAM("1 # {} 0.5", "2", "3", "2"), HISTOGRAM("1 # {} 0.5", "3", "3", "3"), "V 1>1 3;V 3>3 3;"},
    {MANY HISTOGRAM("1", "2", "3", "2"), "x 1\n" MANY HISTOGRAM("2", "3", "3", "3"),
	"A 0 S x 1;V 8>9 2;V 9>10 3;V 11>12 3;"},
    {"# TYPE a counter\na_total 1\na_total{x=\"1\"} 1\n# EOF\n",
	"# TYPE a counter\na_total 1\nb 1\na_total{x=\"1\"} 1\n# EOF\n", "A 1 S b 1;A 2 S a_total x=[1] 1;R 1;"},
    {"# TYPE a counter\na_total 1\nb 1\nc 1\n# EOF\n", "# TYPE a counter\na_total 1\nb 1\nx 1\nc 1\n# EOF\n",
	"A 2 S x 1;"},
    {"# TYPE a counter\na_total 1\nb 1\na 1\nc 1\n# EOF\n", "# TYPE a counter\na_total 1\nb 1\na 1\nx 1\nc 1\n# EOF\n",
	"A 3 S x 1;"},
    {"a 1 1\na 1 2\na 1 3\n# EOF\n", "a 1 1\na 1 2.5\na 1 3\n# EOF\n", "V 1>1 1 @2500;"},
};

static const struct wrong_case histograms_wrong[] = {
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("3", "2", "3", "2"), "V 0>0 3;", 3, 21,
	"the value of \"h_bucket\" of the histogram \"h\" is less than that of the bucket before"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1", "2", "3", "3"), "V 3>3 3;", 5, 1,
	"histogram \"h\" has a count that is not the value of its bucket of le=\"+Inf\""},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1", "3", "3", "2"), "V 1>1 3;", 5, 1,
	"histogram \"h\" has a count that is not the value of its bucket of le=\"+Inf\""},
    {"z 1\n" HISTOGRAM("1", "2", "3", "2"),
	"z 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\ni 1\n# EOF\n", "", 5, 1,
	"histogram \"h\" has a sum, but no count"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1", "2.5", "3", "2"), "", 3, 21,
	"the value of \"h_bucket\" of the histogram \"h\" is no integer"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1", "2", "-3", "2"), "", 4, 7,
	"the value of \"h_sum\" of the histogram \"h\" is below 0"},
    {MANY HISTOGRAM("1", "2", "3", "2"), "x 1\n" MANY HISTOGRAM("3", "2", "3", "2"), "A 0 S x 1;V 8>9 3;", 13, 21,
	"the value of \"h_bucket\" of the histogram \"h\" is less than that of the bucket before"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1.5", "2", "3", "2"), "", 2, 18,
	"the value of \"h_bucket\" of the histogram \"h\" is no integer"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1", "0", "3", "0"), "", 3, 21,
	"the value of \"h_bucket\" of the histogram \"h\" is less than that of the bucket before"},
    {"# TYPE h histogram\n" BUCKETS, "# TYPE h histogram\nh_bucket{le=\"-1\"} 0\n" BUCKETS, "A 0 S h_bucket le=[-1] 0;",
	14, 1, "histogram \"h\" has a sum, though it has a bucket below 0"},
    {"# TYPE a summary\na_sum 1\na_count 2\n# EOF\n", "# TYPE a summary\na_sum 1\na_count 2.5\n# EOF\n", "", 3, 9,
	"the value of \"a_count\" of the summary \"a\" is no integer"},
    {"# TYPE a info\na_info{b=\"c\"} 1\n# EOF\n", "# TYPE a info\na_info{b=\"c\"} 2\n# EOF\n", "", 2, 15,
	"the value of \"a_info\" of the info \"a\" is not 1"},
    {"# HELP a b\n# TYPE a gauge\na 1\n# EOF\n", "# HELP a b\n# HELP a c\n# TYPE a gauge\na 1\n# EOF\n", "", 2, 8,
	"a second HELP of the metric \"a\""},
    {POINTS("1") "a 1 20\n# EOF\n", POINTS("5") "a 1 20\n# EOF\n",
	"V 0>0 1 @51000;V 1>1 1 @52000;V 2>2 1 @53000;V 3>3 1 @54000;V 4>4 1 @55000;V 5>5 1 @56000;V 6>6 1 @57000;V "
	"7>7 1 @58000;",
	9, 5, "the timestamp of \"a\" is before that of the sample of its metric before"},
    {"# TYPE a counter\na_total 1\n# EOF\n", "# TYPE a counter\na_total -1\n# EOF\n", "", 2, 9,
	"the value of \"a_total\" of the counter \"a\" is below 0"},
    {"a 1 1\na 1 2\na 1 3\n# EOF\n", "a 1 1\na 1\na 1 3\n# EOF\n", "", 2, 1,
	"\"a\" has no timestamp, unlike the sample of its metric before"},
    {"a 1 1\na 1 2\na 1 3\n# EOF\n", "a 1 1\na 1 9\na 1 3\n# EOF\n", "V 1>1 1 @9000;", 3, 5,
	"the timestamp of \"a\" is before that of the sample of its metric before"},
};

/* With a memory of all that stands twice. */
static const struct change_case once[] = {
    {"a 1\nb 1\nc 1\n", "a 2\nb 1\nx 1\nc 2\n", "V 0>0 2;A 2 S x 1;V 2>3 2;"},
};

static const struct wrong_case twice[] = {
    {"a 1\nb 1\nc 1\n", "c 2\na 1\nb 1\nc 1\n", "A 0 S c 2;", 4, 1, "the series \"c\" stands twice"},
    {"a 1\nb 1\nc 1\n", "a 5\nb 1\na 1\nc 1\n", "V 0>0 5;", 3, 1, "the series \"a\" stands twice"},
};

static const struct wrong_case strict_twice[] = {
    {"# TYPE a gauge\na 1\n# EOF\n", "# TYPE a gauge\na 1\n# HELP a b\n# EOF\n", "", 3, 8,
	"the gauge \"a\" has metadata after its samples"},
    {HISTOGRAM("1", "2", "3", "2"), HISTOGRAM("1", "3", "3", "2"), "V 1>1 3;", 5, 1,
	"histogram \"h\" has a count that is not the value of its bucket of le=\"+Inf\""},
};

static void test_histograms(void **state) {
	(void)state;
	check_changes(&openmetrics, histograms, COUNT(histograms));
	check_wrong(&openmetrics, histograms_wrong, COUNT(histograms_wrong));
}

static void test_twice(void **state) {
	struct gs_expo_options options = {.format = GS_FORMAT_TEXT, .seen = gs_expo_seen_new()};
	(void)state;
	assert_non_null(options.seen);
	check_changes(&options, once, COUNT(once));
	check_wrong(&options, twice, COUNT(twice));
	options.format = GS_FORMAT_OPENMETRICS;
	check_changes(&options, histograms, 8); /* those that have no family in two places */
	check_wrong(&options, strict_twice, COUNT(strict_twice));
	gs_expo_seen_free(options.seen);
}

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
	    cmocka_unit_test(test_histograms),
	    cmocka_unit_test(test_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
