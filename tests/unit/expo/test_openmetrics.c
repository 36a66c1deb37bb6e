/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of OpenMetrics that go beyond one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "parts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define END "# EOF\n"

static const struct gs_expo_options plain = {.format = GS_FORMAT_OPENMETRICS};

static const struct good_case good[] = {
    {"", ""},
    {"a 1\nb 1\n", "a untyped;b untyped;"},
    {"# TYPE a gauge\na 1\na{x=\"1\"} -1\n", "a gauge;a gauge;"},
    {"# TYPE a unknown\na NaN\n", "a untyped;"},
    {"# TYPE a counter\na_total 1\na_created 1\na_total{x=\"1\"} 0\na_created{x=\"1\"} -1.5\n",
	"a_total of a counter;a_created created of a counter;a_total of a counter;a_created created of a counter;"},
    {"# TYPE a counter\na_created 1\na_total 1\na_created{x=\"1\"} 1\na_total{x=\"1\"} +Inf\n",
	"a_created created of a counter;a_total of a counter;a_created created of a counter;a_total of a counter;"},
    {"# TYPE a info\na_info 1\na_info{x=\"1\"} 1.0\n", "a_info of a info;a_info of a info;"},
    {"# TYPE a stateset\na{a=\"x\"} 1\na{a=\"y\"} 0\na{b=\"1\",a=\"x\"} 1\n", "a stateset;a stateset;a stateset;"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 0.5\nh_created 5\n",
	"h_bucket bucket of h histogram < 1;h_bucket bucket of h histogram < +Inf +;"
	"h_count count of h histogram +;h_sum sum of h histogram +;h_created created of h histogram +;"},
    {"# TYPE h histogram\nh_created 5\nh_count 2\nh_sum 2\nh_bucket{le=\"+Inf\"} 2\nh_bucket{le=\"+Inf\",a=\"1\"} 2\n",
	"h_created created of h histogram;h_count count of h histogram +;h_sum sum of h histogram +;"
	"h_bucket bucket of h histogram < +Inf +;h_bucket bucket of h histogram < +Inf;"},
    {"# TYPE h histogram\nh_bucket{le=\"-1e-05\"} 1.0\nh_bucket{le=\"0\"} 1\nh_bucket{le=\"+Inf\"} 1\n",
	"h_bucket bucket of h histogram < -1e-05;h_bucket bucket of h histogram < 0 +;"
	"h_bucket bucket of h histogram < +Inf +;"},
    {"# TYPE g gaugehistogram\ng_bucket{le=\"-1\"} 1\ng_bucket{le=\"+Inf\"} 1\ng_gcount 1\ng_gsum -1\n",
	"g_bucket bucket of g gaugehistogram < -1;g_bucket bucket of g gaugehistogram < +Inf +;"
	"g_gcount count of g gaugehistogram +;g_gsum sum of g gaugehistogram +;"},
    {"# TYPE s summary\ns_count 1\ns_sum 1\ns{quantile=\"1\"} NaN\ns{quantile=\"0\"} 0\ns_created 1\n",
	"s_count count of s summary;s_sum sum of s summary +;s quantile summary < 1 +;s quantile summary < 0 +;"
	"s_created created of s summary +;"},
};

static const struct good_case good_meta[] = {
    {"# TYPE a_s gauge\n# UNIT a_s s\n# HELP a_s x\na_s 1\n", "a_s gauge;"},
    {"# HELP a_s x\n# UNIT a_s s\n# TYPE a_s counter\na_s_total 1\n", "a_s_total of a_s counter;"},
    {"# UNIT a_b_s b_s\n# UNIT _s s\n# UNIT x \n# TYPE x info\n", ""},
    {"# TYPE i info\n# UNIT i \ni_info 1\n# HELP j \nj 1\n", "i_info of i info;j untyped;"},
    {"# TYPE a gauge\n# TYPE b gauge\n# HELP c x\n", ""},
    /* Names that look like parts, of families that have none. */
    {"# TYPE a gauge\na 1\na_total 1\na_bucket 1\na_sum 1\n",
	"a gauge;a_total untyped;a_bucket untyped;a_sum untyped;"},
    {"# TYPE a histogram\n# TYPE a_gcount gauge\na_gcount 1\na_info 1\na_total 1\n",
	"a_gcount gauge;a_info untyped;a_total untyped;"},
    {"# TYPE a gaugehistogram\n# TYPE a_count gauge\n# TYPE a_created gauge\n", ""},
    {"a_bucket{le=\"x\"} -1.5\na_count NaN\n", "a_bucket untyped;a_count untyped;"},
};

static const struct good_case good_points[] = {
    {"a 1 1\na 2 2\na{x=\"1\"} 1 1\n", "a untyped;a untyped;a untyped;"},
    {"a 1 1\na 2 1\n", "a untyped;a untyped;"}, /* not strictly */
    {"a 1 -1.75\na 1 -1.5\na 1 -1\na 1 -.5\na 1 0\na 1 0.1\na 1 .2\na 1 1e0\na 1 1.000000001\na 1 1.000000002\na 1 "
     "1.5\n",
	"a untyped;a untyped;a untyped;a untyped;a untyped;a untyped;a untyped;a untyped;a untyped;a untyped;a "
	"untyped;"},
    {"a 1\na{x=\"1\"} 1 5\na{x=\"2\"} 1 4\n", "a untyped;a untyped;a untyped;"},
    {"# TYPE a counter\na_total 1 1\na_created 1 1\na_total 2 2\na_created 1 2\n",
	"a_total of a counter;a_created created of a counter;a_total of a counter;a_created created of a counter;"},
    {"# TYPE a info\na_info 1 5\na_info{x=\"1\"} 1\na_info 1 4\n",
	"a_info of a info;a_info of a info;a_info of a info;"},
    {"# TYPE s summary\ns_count 1 1\ns_sum 1 1\ns_count 1 1.0001\ns_sum 1 1.0001\ns_sum{x=\"1\"} 1\n",
	"s_count count of s summary;s_sum sum of s summary +;s_count count of s summary;s_sum sum of s summary +;"
	"s_sum sum of s summary;"},
    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1 1\nh_bucket{le=\"+Inf\"} 1 1.000000001\n",
	"h_bucket bucket of h histogram < +Inf;h_bucket bucket of h histogram < +Inf;"},
};

static void test_good(void **state) {
	(void)state;
	struct gs_expo_options seen = {.format = GS_FORMAT_OPENMETRICS, .seen = gs_expo_seen_new()};
	assert_non_null(seen.seen);
	const struct gs_expo_options *const options[] = {&plain, &seen};
	for (size_t i = 0; i < COUNT(options); i++) {
		check_parts(options[i], END, good, COUNT(good));
		check_parts(options[i], END, good_meta, COUNT(good_meta));
		check_parts(options[i], END, good_points, COUNT(good_points));
	}
	gs_expo_seen_free(seen.seen);
}

/* Read by lines, what keeps to the rules is told the same, and what does not is read. */
static void test_lines_only(void **state) {
	(void)state;
	static const struct gs_expo_options lines = {.format = GS_FORMAT_OPENMETRICS, .lines_only = true};
	static const struct good_case broken[] = {
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\nh_sum -1\n",
		"h_bucket bucket of h histogram < 1;h_bucket bucket of h histogram < 2 +;h_sum sum of h histogram +;"},
	    {"# TYPE c counter\nc_total{clearmode=\"family\"} -1\nc_created NaN\nc 1\nc_total 2 2\nc_total 2 1\n",
		"c_total of c counter;c_created created of c counter;c counter;c_total of c counter;c_total of c "
		"counter;"},
	    {"# TYPE i info\ni_info 2\n# TYPE i info\ni_info 2\n", "i_info of i info;i_info of i info;"},
	    {"# TYPE s stateset\ns 3\n# TYPE a gauge\ns 1\na 1\n", "s stateset;s untyped;a gauge;"},
	};
	struct gs_expo_options seen = lines;
	seen.seen = gs_expo_seen_new();
	assert_non_null(seen.seen);
	const struct gs_expo_options *const options[] = {&lines, &seen};
	for (size_t i = 0; i < COUNT(options); i++) {
		check_parts(options[i], END, good, COUNT(good));
		check_parts(options[i], END, good_meta, COUNT(good_meta));
		check_parts(options[i], END, broken, COUNT(broken));
	}
	gs_expo_seen_free(seen.seen);
}

static const struct bad_case bad_families[] = {
    {"# TYPE a gauge\n# TYPE a gauge\n", 2, 8, "a second TYPE of the gauge \"a\""},
    {"# HELP a x\n# HELP a x\n", 2, 8, "a second HELP of the metric \"a\""},
    {"# HELP a \n# HELP a x\n", 2, 8, "a second HELP of the metric \"a\""},
    {"# UNIT a_s s\n# UNIT a_s s\n", 2, 8, "a second UNIT of the metric \"a_s\""},
    {"# UNIT a_s \n# UNIT a_s s\n", 2, 8, "a second UNIT of the metric \"a_s\""},
    {"# TYPE a gauge\n# UNIT a s\n", 2, 10, "the name of the gauge \"a\" does not end in \"_\" and the unit \"s\""},
    {"# UNIT s s\n", 1, 10, "the name of the metric \"s\" does not end in \"_\" and the unit \"s\""},
    {"# UNIT as s\n", 1, 11, "the name of the metric \"as\" does not end in \"_\" and the unit \"s\""},
    {"# UNIT a_s _s\n", 1, 12, "the name of the metric \"a_s\" does not end in \"_\" and the unit \"_s\""},
    {"# TYPE a_s info\n# UNIT a_s s\n", 2, 8, "the info \"a_s\" has a unit"},
    {"# UNIT a_s s\n# TYPE a_s stateset\n", 2, 8, "the stateset \"a_s\" has a unit"},
    {"# TYPE a counter\na 1\n", 2, 1, "a sample of the counter \"a\" has no suffix"},
    {"# TYPE a histogram\na{le=\"1\"} 1\n", 2, 1, "a sample of the histogram \"a\" has no suffix"},
    {"# TYPE a info\na 1\n", 2, 1, "a sample of the info \"a\" has no suffix"},
    {"# TYPE a counter\na_total 1\n# TYPE a_total gauge\n", 3, 8,
	"the name \"a_total\" clashes with a sample of the counter \"a\""},
    {"# TYPE a summary\n# HELP a_created x\n", 2, 8,
	"the name \"a_created\" clashes with a sample of the summary \"a\""},
    {"a_total 1\n# TYPE a counter\n", 2, 8, "sample name \"a_total\" of the counter \"a\" clashes with another family"},
    {"# TYPE a_info gauge\n# HELP a x\n# TYPE a info\n", 3, 8,
	"sample name \"a_info\" of the info \"a\" clashes with another family"},
};

static const struct bad_case bad_samples[] = {
    {"# TYPE h histogram\nh_bucket 1\n", 2, 1, "a sample of the histogram \"h\" has no label \"le\""},
    {"# TYPE h histogram\nh_bucket{le=\"x\"} 1\n", 2, 14, "le=\"x\" of the histogram \"h\" is no number or \"+Inf\""},
    {"# TYPE h histogram\nh_bucket{le=\"nan\"} 1\n", 2, 14,
	"le=\"nan\" of the histogram \"h\" is no number or \"+Inf\""},
    {"# TYPE h histogram\nh_bucket{le=\"Inf\"} 1\n", 2, 14,
	"le=\"Inf\" of the histogram \"h\" is no number or \"+Inf\""},
    {"# TYPE h histogram\nh_bucket{le=\"1e999\"} 1\n", 2, 14,
	"le=\"1e999\" of the histogram \"h\" is no number or \"+Inf\""},
    {"# TYPE h histogram\nh_bucket{le=\"0x1\"} 1\n", 2, 14,
	"le=\"0x1\" of the histogram \"h\" is no number or \"+Inf\""},
    {"# TYPE h histogram\nh_bucket{a=\"\\\\\",le=\"\\\\\"} 1\n", 2, 1,
	"le=\"\\\" of the histogram \"h\" is no number or \"+Inf\""},
    {"# TYPE h histogram\nh_sum{a=\"1\",le=\"1\"} 1\n", 2, 17,
	"sample \"h_sum\" has a label \"le\", though it is no bucket"},
    {"# TYPE s summary\ns 1\n", 2, 1, "a sample of the summary \"s\" has no label \"quantile\""},
    {"# TYPE s summary\ns{quantile=\"1.1\"} 1\n", 2, 13,
	"quantile=\"1.1\" of the summary \"s\" is no number from 0 to 1"},
    {"# TYPE s summary\ns{quantile=\"-0.1\"} 1\n", 2, 13,
	"quantile=\"-0.1\" of the summary \"s\" is no number from 0 to 1"},
    {"# TYPE s summary\ns_created{quantile=\"1\"} 1\n", 2, 21,
	"sample \"s_created\" has a label \"quantile\", though it is no quantile"},
    {"# TYPE a stateset\na 1\n", 2, 1, "a sample of the stateset \"a\" has no label \"a\""},
    {"# TYPE a stateset\na{a=\"x\"} 0.5\n", 2, 10, "the value of \"a\" of the stateset \"a\" is not 0 or 1"},
    {"# TYPE a info\na_info 2\n", 2, 8, "the value of \"a_info\" of the info \"a\" is not 1"},
    {"# TYPE a counter\na_total NaN\n", 2, 9, "the value of \"a_total\" of the counter \"a\" is NaN"},
    {"# TYPE a counter\na_total{x=\"1\"} -1\n", 2, 16, "the value of \"a_total\" of the counter \"a\" is below 0"},
    {"# TYPE a counter\na_total 1\na_created NaN\n", 3, 11,
	"the value of \"a_created\" of the counter \"a\" is no time"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 0.5\n", 2, 18,
	"the value of \"h_bucket\" of the histogram \"h\" is no integer"},
    {"# TYPE h histogram\nh_count Inf\n", 2, 9, "the value of \"h_count\" of the histogram \"h\" is no integer"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} -1\n", 2, 18,
	"the value of \"h_bucket\" of the histogram \"h\" is below 0"},
    {"# TYPE h histogram\nh_sum -1\n", 2, 7, "the value of \"h_sum\" of the histogram \"h\" is below 0"},
    {"# TYPE g gaugehistogram\ng_gsum NaN\n", 2, 8, "the value of \"g_gsum\" of the gaugehistogram \"g\" is NaN"},
    {"# TYPE g gaugehistogram\ng_gcount 1.5\n", 2, 10,
	"the value of \"g_gcount\" of the gaugehistogram \"g\" is no integer"},
    {"# TYPE s summary\ns_count 1.5\n", 2, 9, "the value of \"s_count\" of the summary \"s\" is no integer"},
    {"# TYPE s summary\ns_sum -1\n", 2, 7, "the value of \"s_sum\" of the summary \"s\" is below 0"},
    {"# TYPE s summary\ns{quantile=\"1\"} -1\n", 2, 17, "the value of \"s\" of the summary \"s\" is below 0"},
    {"a 1 # {} 1\n", 1, 5, "an exemplar of \"a\", which is no bucket and no counter's _total"},
    {"# TYPE a counter\na_created 1 5 # {} 1\n", 2, 15,
	"an exemplar of \"a_created\", which is no bucket and no counter's _total"},
    {"# TYPE h histogram\nh_count 1 # {a=\"1\"} 1\n", 2, 11,
	"an exemplar of \"h_count\", which is no bucket and no counter's _total"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {} 1.5\n", 2, 20,
	"the exemplar of \"h_bucket{le=\"1\"}\" is not within its bucket"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1 7.5 # {} NaN\n", 2, 24,
	"the exemplar of \"h_bucket{le=\"1\"}\" is not within its bucket"},
};

static const struct bad_case bad_points[] = {
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\n", 2, 1, "histogram \"h\" has no bucket of le=\"+Inf\""},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\n# TYPE b gauge\nb 1\n", 3, 1,
	"histogram \"h\" has no bucket of le=\"+Inf\""},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\",x=\"1\"} 1\n", 2, 1,
	"histogram \"h\" has no bucket of le=\"+Inf\""},
    {"# TYPE h histogram\nh_count 1\nh_sum 1\n", 3, 1, "histogram \"h\" has no bucket of le=\"+Inf\""},
    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 2\nh_sum 1\n", 4, 1,
	"histogram \"h\" has a count that is not the value of its bucket of le=\"+Inf\""},
    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\n", 3, 1, "histogram \"h\" has a sum, but no count"},
    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n", 3, 1, "histogram \"h\" has a count, but no sum"},
    {"# TYPE h histogram\nh_bucket{le=\"-1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_count 1\nh_sum 1\n", 5, 1,
	"histogram \"h\" has a sum, though it has a bucket below 0"},
    {"# TYPE g gaugehistogram\ng_bucket{le=\"1\"} 1\ng_bucket{le=\"+Inf\"} 1\ng_gcount 1\ng_gsum -1\n", 5, 1,
	"gaugehistogram \"g\" has a sum below 0, but no such bucket"},
    {"# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\n", 3, 14,
	"a bucket of the histogram \"h\" is not above the one before"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 1\n", 3, 14,
	"a bucket of the histogram \"h\" is not above the one before"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\n", 3, 18,
	"the value of \"h_bucket\" of the histogram \"h\" is less than that of the bucket before"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 1\nh_bucket{le=\"+Inf\"} 1\n", 4, 21,
	"the value of \"h_bucket\" of the histogram \"h\" is less than that of the bucket before"},
    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\nh_sum 1\n", 5, 1,
	"the series \"h_sum\" stands twice"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 2 1\nh_bucket{le=\"+Inf\"} 2 2\n", 2, 1,
	"histogram \"h\" has no bucket of le=\"+Inf\""},
    {"# TYPE s summary\ns_count 1\ns_count 1\n", 3, 1, "the series \"s_count\" stands twice"},
    {"# TYPE a counter\na_created 1\n", 2, 1, "counter \"a\" has a _created, but no _total"},
    {"# TYPE a counter\na_created 1\na_total{x=\"1\"} 1\n", 2, 1, "counter \"a\" has a _created, but no _total"},
    {"# TYPE a counter\na_total 1\na_created{x=\"1\"} 1\n", 3, 1, "counter \"a\" has a _created, but no _total"},
    {"a 1\na 1 5\n", 2, 1, "\"a\" has a timestamp, unlike the sample of its metric before"},
    {"a{x=\"1\",y=\"2\"} 1 5\na{y=\"2\",x=\"1\"} 1\n", 2, 1,
	"\"a{y=\"2\",x=\"1\"}\" has no timestamp, unlike the sample of its metric before"},
    {"# TYPE a stateset\na{a=\"x\",b=\"1\"} 1 5\na{b=\"1\",a=\"y\"} 1\n", 3, 1,
	"\"a{b=\"1\",a=\"y\"}\" has no timestamp, unlike the sample of its metric before"},
    {"a 1 5\na 1 4.999\n", 2, 5, "the timestamp of \"a\" is before that of the sample of its metric before"},
    {"a{} 1 5.000000002\na{} 1 5.000000001\n", 2, 7,
	"the timestamp of \"a{}\" is before that of the sample of its metric before"},
    {"a 1 -1.25\na 1 -1.75\n", 2, 5, "the timestamp of \"a\" is before that of the sample of its metric before"},
    {"a 1 1.5e1\na 1 14.75\n", 2, 5, "the timestamp of \"a\" is before that of the sample of its metric before"},
    {"# TYPE s summary\ns_count 1 1\ns_count 1 2\ns_sum 1 1\n", 4, 9,
	"the timestamp of \"s_sum\" is before that of the sample of its metric before"},
};

/* A bucket that reads like one more of a family further up. */
static const struct good_case good_without_memory[] = {
    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\n# TYPE g histogram\nh_bucket{le=\"+Inf\"} 1\n",
	"h_bucket bucket of h histogram < +Inf;h_bucket untyped;"},
};

/* What only a memory of the whole exposition finds. */
static const struct bad_case bad_seen[] = {
    {"a 1\n# TYPE a gauge\n", 2, 8, "the metric \"a\" has metadata after its samples"},
    {"# TYPE a counter\na_total 1\n# HELP a x\n", 3, 8, "the counter \"a\" has metadata after its samples"},
    {"# HELP a x\n# TYPE a gauge\na 1\n# HELP a y\n# TYPE a counter\na_total 1\n", 4, 8,
	"the gauge \"a\" has metadata after its samples"},
    {"a 1\na 1\n", 2, 1, "the series \"a\" stands twice"},
    {"a{x=\"1\"} 1\na{y=\"1\"} 1\na{x=\"1\"} 1\n", 3, 1,
	"\"a{x=\"1\"}\" belongs to a metric that stood before the last one"},
    {"a{x=\"1\"} 1 1\na{y=\"1\"} 1 1\na{x=\"1\"} 1 2\n", 3, 1,
	"\"a{x=\"1\"}\" belongs to a metric that stood before the last one"},
    {"# TYPE a counter\na_total 1\na_total 1\n", 3, 1, "the series \"a_total\" stands twice"},
    {"# TYPE a info\na_info{x=\"1\",y=\"1\"} 1\na_info 1\na_info{y=\"1\",x=\"1\"} 1\n", 4, 1,
	"the series \"a_info{y=\"1\",x=\"1\"}\" stands twice"},
    {"# TYPE a stateset\na{a=\"x\"} 1\na{a=\"y\"} 1\na{a=\"x\"} 1\n", 4, 1, "the series \"a{a=\"x\"}\" stands twice"},
    {"# TYPE s summary\ns{quantile=\"1\"} 1\ns{quantile=\"0\"} 1\ns{quantile=\"1\"} 1\n", 4, 1,
	"the series \"s{quantile=\"1\"}\" stands twice"},
    {"# TYPE s summary\ns{quantile=\"1\"} 1 5\ns{quantile=\"1\"} 1 6\ns{quantile=\"1\"} 1 6\n", 4, 1,
	"the series \"s{quantile=\"1\"}\" stands twice"},
    {"# TYPE s summary\ns_sum{x=\"1\"} 1\ns_sum{x=\"2\"} 1\ns_count{x=\"1\"} 1\n", 4, 1,
	"\"s_count{x=\"1\"}\" belongs to a metric that stood before the last one"},
    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\n# TYPE g histogram\nh_bucket{le=\"+Inf\"} 1\n", 4, 1,
	"the name \"h_bucket\" clashes with a sample of another family"},
    {"a 1\nb 1\na{x=\"1\"} 1\n", 3, 1, "the family \"a\" stands in two places"},
    {"# TYPE a gauge\n# TYPE b gauge\n# HELP a x\n", 3, 8, "the family \"a\" stands in two places"},
    {"# TYPE a counter\n# TYPE b gauge\n# TYPE a_created gauge\n", 3, 8,
	"the name \"a_created\" clashes with a sample of another family"},
    {"# TYPE a_bucket gauge\n# TYPE b gauge\n# TYPE a gaugehistogram\n", 3, 8,
	"sample name \"a_bucket\" of the gaugehistogram \"a\" clashes with another family"},
};

static void test_bad(void **state) {
	(void)state;
	struct gs_expo_options seen = {.format = GS_FORMAT_OPENMETRICS, .seen = gs_expo_seen_new()};
	assert_non_null(seen.seen);
	const struct gs_expo_options *const options[] = {&plain, &seen};
	for (size_t i = 0; i < COUNT(options); i++) {
		check_broken(options[i], END, bad_families, COUNT(bad_families));
		check_broken(options[i], END, bad_samples, COUNT(bad_samples));
		check_broken(options[i], END, bad_points, COUNT(bad_points));
	}
	check_broken(&seen, END, bad_seen, COUNT(bad_seen));
	gs_expo_seen_free(seen.seen);
}

/* Prometheus takes these, and so does who has no memory. */
static void test_without_memory(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf body;
	gs_buf_init(&body, 10000);
	check_parts(&plain, END, good_without_memory, COUNT(good_without_memory));
	for (size_t i = 0; i < COUNT(bad_seen); i++) {
		struct gs_error err = {0};
		gs_buf_clear(&body);
		gs_buf_printf(&body, "%s" END, bad_seen[i].body);
		if (dump_parts(parser, &plain, gs_buf_slice(&body), 0, NULL, &err) != GS_OK)
			fail_msg("'%s': %u:%u: %s", bad_seen[i].body, err.line, err.column, err.text);
	}
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
}

/* Parse on after every error: "line:column " of each, and how many samples came. */
static size_t errors_of(const struct gs_expo_options *options, const char *body, struct gs_buf *out) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event = {.kind = GS_EXPO_TYPE};
	size_t samples = 0;
	gs_buf_clear(out);
	gs_expo_begin(parser, options);
	gs_expo_feed(parser, gs_str_of(body), true);
	for (bool more = true; more;) {
		struct gs_error err = {0};
		enum gs_status status = gs_expo_next(parser, &event, &err);
		samples += status == GS_OK && event.kind == GS_EXPO_SAMPLE;
		more = status == GS_OK ? event.kind != GS_EXPO_END : gs_expo_recover(parser);
		if (status != GS_OK)
			gs_buf_printf(out, "%u:%u ", err.line, err.column);
	}
	gs_buf_char(out, '\0');
	gs_expo_parser_free(parser);
	return samples;
}

/* One mistake is one error: what is missing may have stood in the line that was refused. */
static void test_recover(void **state) {
	(void)state;
	struct gs_expo_options seen = {.format = GS_FORMAT_OPENMETRICS, .seen = gs_expo_seen_new()};
	static const struct {
		const char *body;
		const char *errors;
		size_t samples;
	} cases[] = {
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} x\nh_count 1\nh_sum 1\n" END, "3:21 ", 3},
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"Inf\"} 1\nh_count 1\nh_sum 1\n" END, "3:14 ", 3},
	    {"# TYPE h histogram\nh_bucket{le=\"+Inf} 1\nh_count 1\nh_sum 1\n" END, "2:13 ", 2},
	    /* The sample that shows what the histogram before lacks is not read again, but its metric is known. */
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{x=\"1\",le=\"1\"} 1\nh_bucket{x=\"1\",le=\"+Inf\"} "
	     "1\nh_sum 1\n" END,
		"2:1 5:1 ", 2},
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\n# TYPE g counter\ng_total 1\n" END, "2:1 ", 2},
	    {"# TYPE a counter\na_created 1\n" END, "2:1 ", 1},
	    {"# TYPE a counter\na_total 1\n# TYPE a gauge\na_total 2\na_created 5\n# TYPE b gauge\na 1\nb 1\n" END,
		"3:8 4:1 7:1 8:1 ", 2},
	    {"# TYPE a gauge\n# TYPE a counter\n# UNIT a x\n# UNIT a y\na 1\n" END, "2:8 3:10 4:8 ", 1},
	    {"a{x=\"1\"} 1\nb 1\na{x=\"1\"} 2\na{x=\"2\"} 2\n" END, "3:1 ", 3},
	};
	struct gs_buf out;
	gs_buf_init(&out, 1000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t samples = errors_of(&seen, cases[i].body, &out);
		if (strcmp(out.p, cases[i].errors) != 0 || samples != cases[i].samples)
			fail_msg("'%s': %zu samples, errors at %s", cases[i].body, samples, out.p);
	}
	gs_buf_free(&out);
	gs_expo_seen_free(seen.seen);
}

/* Every allocation fails once: that is an error that stays, or the body is read as if nothing had been. */
static void test_no_memory(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf body;
	gs_buf_init(&body, 1 << 20);
	gs_buf_cstr(&body, "# TYPE h histogram\n");
	for (int i = 0; i < 200; i++)
		gs_buf_printf(&body, "h_bucket{x=\"%d\",le=\"+Inf\"} 1\n", i);
	for (int i = 0; i < 200; i++)
		gs_buf_printf(&body, "# TYPE c%d counter\nc%d_total 1\n", i, i);
	gs_buf_cstr(&body, "# TYPE i info\n");
	for (int i = 0; i < 800; i++)
		gs_buf_printf(&body, "i_info{x=\"%d\"} 1\n", i);
	gs_buf_cstr(&body, END);
	enum gs_status status = GS_ENOMEM;
	int64_t n = 0;
	for (; status != GS_OK; n++) {
		struct gs_expo_options options = {.format = GS_FORMAT_OPENMETRICS, .seen = gs_expo_seen_new()};
		struct gs_error err = {0};
		gs_mem_fail_after(n);
		status = dump_parts(parser, &options, gs_buf_slice(&body), 0, NULL, &err);
		assert_int_equal(status, gs_mem_failed() ? GS_ENOMEM : GS_OK);
		gs_mem_fail_after(-1);
		if (status != GS_OK) {
			assert_string_equal(err.text, "no memory to remember what stood before");
			assert_false(gs_expo_recover(parser));
			assert_int_equal(gs_expo_next(parser, &(struct gs_expo_event){0}, NULL), GS_ENOMEM);
		}
		gs_expo_seen_free(options.seen);
	}
	assert_int_equal(n, 6); /* tables of 256 slots to 4096 */
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
}

/* The memory is that of one exposition. */
static void test_begin_forgets(void **state) {
	(void)state;
	struct gs_expo_options seen = {.format = GS_FORMAT_OPENMETRICS, .seen = gs_expo_seen_new()};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	for (int i = 0; i < 3; i++) {
		struct gs_error err = {0};
		if (dump_parts(parser, &seen, GS_STR("# TYPE a counter\na_total 1\n" END), 0, NULL, &err) != GS_OK)
			fail_msg("%s", err.text);
		assert_int_equal(
		    dump_parts(parser, &seen, GS_STR("# TYPE a counter\na_created 1\n# EOF"), 0, NULL, &err),
		    GS_EINVAL);
	}
	gs_expo_parser_free(parser);
	gs_expo_seen_free(seen.seen);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_lines_only),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_without_memory),
	    cmocka_unit_test(test_recover),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_begin_forgets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
