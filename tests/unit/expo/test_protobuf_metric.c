/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics and their samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "pb.h"

#define TYPE(name) GS__EXPO__METRIC_TYPE__##name

static void test_values(void **state) {
	(void)state;
	Gs__Expo__MetricFamily *family = pb_family("g", TYPE(GAUGE));
	pb_metric(family)->gauge = pb_gauge(NAN);
	pb_metric(family)->gauge = pb_gauge(-INFINITY);
	pb_metric(family)->gauge = PB_NEW(Gs__Expo__Gauge, GS__EXPO__GAUGE__INIT); /* no value is 0 */
	Gs__Expo__Metric *metric = pb_metric(family);
	metric->gauge = pb_gauge(5e-324);
	metric->untyped = pb_untyped(1); /* not of its type: not looked at */
	pb_label(metric, "b", "");
	pb_label(metric, "a.b", "\xc3\xa4\n\"");
	metric->has_timestamp_ms = 1;
	metric->timestamp_ms = -5;
	pb_check_family(family, "1T g gauge\n1S g{} NaN value of g gauge\n1S g{} -Inf value of g gauge\n"
				"1S g{} 0 value of g gauge\n1S g{b=,a.b=\xc3\xa4\n\"} 5e-324 @-5 value of g gauge\n"
				"end 1\n");
	family = pb_family("u", TYPE(UNTYPED));
	metric = pb_metric(family);
	metric->untyped = pb_untyped(7);
	metric->has_timestamp_ms = 1;
	pb_check_family(family, "1T u untyped\n1S u{} 7 @0 value of u untyped\nend 1\n");
}

static void test_counters(void **state) {
	(void)state;
	Gs__Expo__MetricFamily *family = pb_family("c_total", TYPE(COUNTER));
	Gs__Expo__Metric *metric = pb_metric(family);
	metric->counter = pb_counter(3);
	metric->counter->exemplar = pb_exemplar("abc", 0.5, pb_time(1625851151, 233181499));
	metric->counter->created_timestamp = pb_time(1625851153, 146000000);
	metric->has_timestamp_ms = 1;
	metric->timestamp_ms = 1000;
	pb_label(metric, "a", "1");
	metric = pb_metric(family);
	metric->counter = pb_counter(4);
	metric->counter->exemplar = PB_NEW(Gs__Expo__Exemplar, GS__EXPO__EXEMPLAR__INIT);
	pb_label(metric, "a", "2");
	pb_check_family(family, "1T c_total counter\n"
				"1S c_total{a=1} 3 @1000 value of c_total counter #{trace=abc} 0.5 @1625851151233\n"
				"1S c_created{a=1} 1.625851153146e+09 @1000 created of c_total counter +\n"
				"1S c_total{a=2} 4 value of c_total counter #{} 0\n"
				"end 1\n");
	family = pb_family("c", TYPE(COUNTER));
	metric = pb_metric(family);
	metric->counter = pb_counter(1);
	metric->counter->created_timestamp = pb_time(0, 1);
	pb_check_family(family,
	    "1T c counter\n1S c{} 1 value of c counter\n1S c_created{} 1e-09 created of c counter +\n"
	    "end 1\n");
}

/* The first and last times that there are, and those where nanoseconds do not fit into 64 bits. */
static void test_times(void **state) {
	(void)state;
	static const struct {
		int64_t seconds;
		int32_t nanos;
		const char *text; /* NULL: refused */
	} cases[] = {
	    {-62135596800, 0, "-62135596800"},
	    {253402300799, 999999999, "253402300800"},
	    {9223372035, 500000000, "9.2233720355e+09"},
	    {9223372036, 500000000, "9.2233720365e+09"},
	    {-9223372036, 0, "-9223372036"},
	    {-1, 500000000, "-0.5"},
	    {-62135596801, 999999999, NULL},
	    {253402300800, 0, NULL},
	    {INT64_MAX, 0, NULL},
	    {INT64_MIN, 0, NULL},
	    {0, -1, NULL},
	    {0, 1000000000, NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char events[256];
		Gs__Expo__MetricFamily *family = pb_family("s", TYPE(SUMMARY));
		Gs__Expo__Metric *metric = pb_metric(family);
		metric->summary = pb_summary(1, 2);
		metric->summary->created_timestamp = pb_time(cases[i].seconds, cases[i].nanos);
		if (cases[i].text != NULL)
			snprintf(events, sizeof(events),
			    "1T s summary\n1S s_sum{} 2 sum of s summary\n1S s_count{} 1 count of s summary +\n"
			    "1S s_created{} %s created of s summary +\nend 1\n",
			    cases[i].text);
		else
			snprintf(events, sizeof(events),
			    "1T s summary\ninvalid 1:6: the created timestamp of metric \"s\" is out of range\nend "
			    "1\n");
		pb_check_family(family, events);
	}
}

static void test_summaries(void **state) {
	(void)state;
	Gs__Expo__MetricFamily *family = pb_family("s", TYPE(SUMMARY));
	Gs__Expo__Metric *metric = pb_metric(family);
	metric->summary = pb_summary(UINT64_MAX, -0.5);
	pb_quantile(metric->summary, 0.5, 1);
	pb_quantile(metric->summary, 0.999, NAN);
	pb_quantile(metric->summary, 1, 3);
	pb_label(metric, "a", "b");
	metric = pb_metric(family);
	metric->summary = PB_NEW(Gs__Expo__Summary, GS__EXPO__SUMMARY__INIT);
	pb_check_family(family, "1T s summary\n"
				"1S s{a=b,quantile=0.5} 1 quantile:0.5 of s summary\n"
				"1S s{a=b,quantile=0.999} NaN quantile:0.999 of s summary +\n"
				"1S s{a=b,quantile=1} 3 quantile:1 of s summary +\n"
				"1S s_sum{a=b} -0.5 sum of s summary +\n"
				"1S s_count{a=b} 1.8446744073709552e+19 count of s summary +\n"
				"1S s_sum{} 0 sum of s summary\n"
				"1S s_count{} 0 count of s summary +\n"
				"end 1\n");
}

static void test_histograms(void **state) {
	(void)state;
	Gs__Expo__MetricFamily *family = pb_family("h", TYPE(HISTOGRAM));
	Gs__Expo__Metric *metric = pb_metric(family);
	metric->histogram = pb_histogram(9, 4.5);
	metric->histogram->created_timestamp = pb_time(5, 0);
	metric->has_timestamp_ms = 1;
	metric->timestamp_ms = 6;
	pb_label(metric, "a", "b");
	pb_bucket(metric->histogram, -0.25, 1);
	pb_bucket(metric->histogram, 1, 3)->exemplar = pb_exemplar("x", 0.75, NULL);
	metric = pb_metric(family);
	metric->histogram = pb_histogram(2, 3);
	pb_bucket(metric->histogram, INFINITY, 7)->exemplar = pb_exemplar("y", 1, pb_time(0, 999999));
	pb_check_family(family, "1T h histogram\n"
				"1S h_bucket{a=b,le=-0.25} 1 @6 bucket:-0.25 of h histogram\n"
				"1S h_bucket{a=b,le=1} 3 @6 bucket:1 of h histogram + #{trace=x} 0.75\n"
				"1S h_bucket{a=b,le=+Inf} 9 @6 bucket:+Inf of h histogram +\n"
				"1S h_sum{a=b} 4.5 @6 sum of h histogram +\n"
				"1S h_count{a=b} 9 @6 count of h histogram +\n"
				"1S h_created{a=b} 5 @6 created of h histogram +\n"
				"1S h_bucket{le=+Inf} 7 bucket:+Inf of h histogram #{trace=y} 1 @0\n"
				"1S h_sum{} 3 sum of h histogram +\n"
				"1S h_count{} 2 count of h histogram +\n"
				"end 1\n");
}

static void test_float_histograms(void **state) {
	(void)state;
	Gs__Expo__MetricFamily *family = pb_family("h", TYPE(GAUGE_HISTOGRAM));
	Gs__Expo__Metric *metric = pb_metric(family);
	metric->histogram = pb_histogram(9, 4.5);
	metric->histogram->has_sample_count_float = 1;
	metric->histogram->sample_count_float = 9.5;
	metric->histogram->created_timestamp = pb_time(5, 0);
	Gs__Expo__Bucket *bucket = pb_bucket(metric->histogram, -INFINITY, 1);
	bucket->has_cumulative_count_float = 1;
	bucket->cumulative_count_float = 0.5;
	pb_check_family(family, "1T h gaugehistogram\n"
				"1S h_bucket{le=-Inf} 0.5 bucket:-Inf of h gaugehistogram\n"
				"1S h_bucket{le=+Inf} 9.5 bucket:+Inf of h gaugehistogram +\n"
				"1S h_gsum{} 4.5 sum of h gaugehistogram +\n"
				"1S h_gcount{} 9.5 count of h gaugehistogram +\n"
				"1S h_created{} 5 created of h gaugehistogram +\n"
				"end 1\n");
}

/* The value of label le as strconv.FormatFloat(v, 'g', -1, 64) has it. */
static void test_bounds(void **state) {
	(void)state;
	static const struct {
		double bound;
		const char *text;
	} cases[] = {
	    {-9007199254740992, "-9.007199254740992e+15"},
	    {-1e6, "-1e+06"},
	    {-999999, "-999999"},
	    {-0.0, "-0"},
	    {5e-324, "5e-324"},
	    {0.00001, "1e-05"},
	    {0.0001, "0.0001"},
	    {0.1, "0.1"},
	    {999999, "999999"},
	    {1e6, "1e+06"},
	    {1000001, "1.000001e+06"},
	    {1048576, "1.048576e+06"},
	    {1048576.5, "1.0485765e+06"},
	    {1200000, "1.2e+06"},
	    {1e9, "1e+09"},
	    {12345678901, "1.2345678901e+10"},
	    {9007199254740994, "9.007199254740994e+15"},
	    {1e21, "1e+21"},
	    {1.7976931348623157e308, "1.7976931348623157e+308"},
	    {INFINITY, "+Inf"},
	};
	struct gs_buf body;
	gs_buf_init(&body, 1 << 16);
	Gs__Expo__MetricFamily *family = pb_family("h", TYPE(HISTOGRAM));
	Gs__Expo__Metric *metric = pb_metric(family);
	metric->histogram = pb_histogram(1, 1);
	for (size_t i = 0; i < COUNT(cases); i++)
		pb_bucket(metric->histogram, cases[i].bound, 1);
	pb_put(&body, family);
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, gs_buf_slice(&body), true);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		assert_int_equal(event.part, GS_PART_BUCKET);
		assert_memory_equal(&event.bound, &cases[i].bound, sizeof(double));
		assert_int_equal(event.nlabels, 1);
		char text[64];
		snprintf(text, sizeof(text), "%.*s", GS_FMT(event.labels[0].value));
		assert_string_equal(text, cases[i].text);
	}
	gs_expo_parser_free(parser);
	gs_buf_free(&body);
}

/* An integer histogram with both sides, exemplars and classic buckets. */
static Gs__Expo__Histogram *native_histogram(void) {
	static const int64_t deltas[] = {3, -1, 2, -4};
	Gs__Expo__Histogram *histogram = pb_histogram(20, 4.5);
	Gs__Expo__BucketSpan *spans[] = {pb_span(-2, 1), pb_span(0, 0), pb_span(5, 3), pb_span(7, 1)};
	Gs__Expo__Exemplar *exemplars[] = {pb_exemplar("p", 1, pb_time(1, 0)), pb_exemplar("q", 2, NULL)};
	int64_t one = 1;
	histogram->has_schema = 1;
	histogram->schema = 3;
	histogram->has_zero_threshold = 1;
	histogram->zero_threshold = 0.0001;
	histogram->has_zero_count = 1;
	histogram->zero_count = 2;
	for (size_t i = 0; i < 3; i++)
		PB_PUSH(histogram, positive_span, spans[i]);
	for (size_t i = 0; i < COUNT(deltas); i++)
		PB_PUSH(histogram, positive_delta, deltas[i]);
	PB_PUSH(histogram, negative_span, spans[3]);
	PB_PUSH(histogram, negative_delta, one);
	for (size_t i = 0; i < COUNT(exemplars); i++)
		PB_PUSH(histogram, exemplars, exemplars[i]);
	return histogram;
}

#define NATIVE_TAIL                                                                                                    \
	"int schema 3 zero 0.0001:2 of 20 sum 4.5 + -2:1 0:0 5:3 d3 d-1 d2 d-4 - 7:1 d1 #{trace=p} 1 @1000"            \
	" #{trace=q} 2\n"

static void test_native(void **state) {
	(void)state;
	Gs__Expo__MetricFamily *family = pb_family("h", TYPE(HISTOGRAM));
	Gs__Expo__Metric *metric = pb_metric(family);
	metric->histogram = native_histogram();
	pb_bucket(metric->histogram, 1, 8);
	metric->histogram->created_timestamp = pb_time(5, 0);
	pb_label(metric, "a", "b");
	metric = pb_metric(family);
	metric->histogram = native_histogram();
	pb_check_family(family,
	    "1T h histogram\n"
	    "1S h_bucket{a=b,le=1} 8 bucket:1 of h histogram\n"
	    "1S h_bucket{a=b,le=+Inf} 20 bucket:+Inf of h histogram +\n"
	    "1S h_sum{a=b} 4.5 sum of h histogram +\n"
	    "1S h_count{a=b} 20 count of h histogram +\n"
	    "1S h_created{a=b} 5 created of h histogram +\n"
	    "1S h{a=b} 20 native of h histogram + " NATIVE_TAIL "1S h_bucket{le=+Inf} 20 bucket:+Inf of h histogram\n"
	    "1S h_sum{} 4.5 sum of h histogram +\n"
	    "1S h_count{} 20 count of h histogram +\n"
	    "1S h{} 20 native of h histogram + " NATIVE_TAIL "end 1\n");
}

/* A float histogram; and what makes a histogram a native one where there are no buckets. */
static void test_native_kinds(void **state) {
	(void)state;
	static const double counts[] = {0.5, 0, 1e300};
	Gs__Expo__MetricFamily *family = pb_family("h", TYPE(GAUGE_HISTOGRAM));
	Gs__Expo__Histogram *histogram = pb_metric(family)->histogram = pb_histogram(0, 1);
	Gs__Expo__BucketSpan *span = pb_span(0, 3), *none = pb_span(0, 0);
	PB_PUSH(histogram, negative_span, span);
	for (size_t i = 0; i < COUNT(counts); i++)
		PB_PUSH(histogram, negative_count, counts[i]);
	histogram = pb_metric(family)->histogram = pb_histogram(0, 1);
	PB_PUSH(histogram, positive_span, none);
	histogram = pb_metric(family)->histogram = pb_histogram(0, 1);
	histogram->has_zero_count_float = 1;
	histogram->zero_count_float = 0.5;
	histogram = pb_metric(family)->histogram = pb_histogram(0, 1);
	histogram->has_zero_threshold = 1;
	histogram->zero_threshold = 0.25;
	histogram = pb_metric(family)->histogram = pb_histogram(1, 1);
	histogram->has_zero_count = 1;
	histogram->zero_count = 1;
	histogram->has_schema = 1;
	histogram->schema = -4;
	histogram = pb_metric(family)->histogram = pb_histogram(0, 1);
	histogram->has_schema = 1;
	histogram->schema = 99; /* of a classic one: says nothing */
#define CLASSIC(n)                                                                                                     \
	"1S h_bucket{le=+Inf} " #n " bucket:+Inf of h gaugehistogram\n1S h_gsum{} 1 sum of h gaugehistogram +\n"       \
	"1S h_gcount{} " #n " count of h gaugehistogram +\n"
	pb_check_family(family,
	    "1T h gaugehistogram\n" CLASSIC(
		0) "1S h{} 0 native of h gaugehistogram +"
		   " float schema 0 zero 0:0 of 0 sum 1 + - 0:3 c0.5 c0 c1e+300\n" CLASSIC(
		       0) "1S h{} 0 native of h gaugehistogram +"
			  " int schema 0 zero 0:0 of 0 sum 1 + 0:0 -\n" CLASSIC(
			      0) "1S h{} 0 native of h gaugehistogram +"
				 " float schema 0 zero 0:0.5 of 0 sum 1 + -\n" CLASSIC(
				     0) "1S h{} 0 native of h gaugehistogram +"
					" int schema 0 zero 0.25:0 of 0 sum 1 + -\n" CLASSIC(
					    1) "1S h{} 1 native of h gaugehistogram +"
					       " int schema -4 zero 0:1 of 1 sum 1 + -\n" CLASSIC(0) "end 1\n");
}

/* A native histogram of one side. */
struct native_case {
	Gs__Expo__BucketSpan spans[3];
	size_t nspans;
	int64_t deltas[3];
	size_t ndeltas;
	double counts[3];
	size_t ncounts;
	const char *fault; /* NULL: there is none */
};

#define SPAN(o, l)                                                                                                     \
	{ .has_offset = 1, .offset = (o), .has_length = 1, .length = (l) }

static const struct native_case native_cases[] = {
    {{SPAN(INT32_MIN, 1)}, 1, {INT64_MAX}, 1, {0}, 0, NULL},
    {{SPAN(INT32_MAX, 0)}, 1, {0}, 0, {0}, 0, NULL},
    {{SPAN(0, 2)}, 1, {0}, 0, {0, INFINITY}, 2, NULL},
    {{SPAN(0, 2)}, 1, {1}, 1, {0}, 0, "spans that do not match its buckets"},
    {{SPAN(0, 1)}, 1, {1, 2}, 2, {0}, 0, "spans that do not match its buckets"},
    {{SPAN(0, 0)}, 1, {1}, 1, {0}, 0, "spans that do not match its buckets"},
    {{SPAN(0, UINT32_MAX), SPAN(1, 2)}, 2, {1}, 1, {0}, 0, "an index that is out of range"},
    {{SPAN(-2, UINT32_MAX)}, 1, {1}, 1, {0}, 0, "an index that is out of range"},
    {{SPAN(INT32_MAX, 1)}, 1, {1}, 1, {0}, 0, "an index that is out of range"},
    {{SPAN(0, 1)}, 1, {0}, 0, {1, 2}, 2, "spans that do not match its buckets"},
    {{SPAN(0, 1), SPAN(-1, 1)}, 2, {1, 0}, 2, {0}, 0, "spans that overlap"},
    {{SPAN(0, 2)}, 1, {1, -2}, 2, {0}, 0, "a count that is negative or out of range"},
    {{SPAN(0, 1)}, 1, {-1}, 1, {0}, 0, "a count that is negative or out of range"},
    {{SPAN(0, 2)}, 1, {INT64_MAX, 1}, 2, {0}, 0, "a count that is negative or out of range"},
    {{SPAN(0, 1)}, 1, {0}, 0, {-0.5}, 1, "a count that is negative or out of range"},
    {{SPAN(0, 1)}, 1, {0}, 0, {NAN}, 1, "a count that is negative or out of range"},
    {{SPAN(0, 1)}, 1, {1}, 1, {1}, 1, "both deltas and counts, or those of another kind"},
};

static void check_native(const struct native_case *c, bool positive) {
	char events[256];
	Gs__Expo__MetricFamily *family = pb_family("h", TYPE(HISTOGRAM));
	Gs__Expo__Histogram *histogram = pb_metric(family)->histogram = pb_histogram(1, 1);
	histogram->has_zero_threshold = 1;
	histogram->zero_threshold = 1;
	for (size_t i = 0; i < c->nspans; i++) {
		Gs__Expo__BucketSpan *span = pb_span(c->spans[i].offset, c->spans[i].length);
		pb_push(positive ? &histogram->positive_span : &histogram->negative_span,
		    positive ? &histogram->n_positive_span : &histogram->n_negative_span, &span, sizeof(span));
	}
	for (size_t i = 0; i < c->ndeltas; i++)
		pb_push(positive ? &histogram->positive_delta : &histogram->negative_delta,
		    positive ? &histogram->n_positive_delta : &histogram->n_negative_delta, &c->deltas[i], 8);
	for (size_t i = 0; i < c->ncounts; i++)
		pb_push(positive ? &histogram->positive_count : &histogram->negative_count,
		    positive ? &histogram->n_positive_count : &histogram->n_negative_count, &c->counts[i], 8);
	struct gs_buf out, body;
	gs_buf_init(&out, 1 << 16);
	gs_buf_init(&body, 1 << 16);
	pb_put(&body, family);
	pb_parse_whole(gs_buf_slice(&body), 0, &out);
	snprintf(events, sizeof(events), "1T h histogram\ninvalid 1:6: the %s side of native histogram \"h\" has %s\n",
	    positive ? "positive" : "negative", c->fault);
	if (c->fault != NULL)
		assert_string_equal(out.p, events);
	else
		assert_string_equal(out.p + out.n - 7, "end 1\n");
	gs_buf_free(&out);
	gs_buf_free(&body);
}

static void test_native_faults(void **state) {
	(void)state;
	for (size_t i = 0; i < COUNT(native_cases); i++) {
		check_native(&native_cases[i], true);
		check_native(&native_cases[i], false);
	}
}

static void check_schema(int32_t schema, const char *events) {
	Gs__Expo__MetricFamily *family = pb_family("h", TYPE(HISTOGRAM));
	Gs__Expo__Histogram *histogram = pb_metric(family)->histogram = pb_histogram(0, 0);
	histogram->has_zero_threshold = 1;
	histogram->zero_threshold = 1;
	histogram->has_schema = 1;
	histogram->schema = schema;
	pb_check_family(family, events);
}

static void test_schemas(void **state) {
	(void)state;
#define BAD_SCHEMA(n) "1T h histogram\ninvalid 1:6: native histogram \"h\" has the unknown schema " #n "\nend 1\n"
#define GOOD_SCHEMA(n)                                                                                                 \
	"1T h histogram\n1S h_bucket{le=+Inf} 0 bucket:+Inf of h histogram\n1S h_sum{} 0 sum of h histogram +\n"       \
	"1S h_count{} 0 count of h histogram +\n"                                                                      \
	"1S h{} 0 native of h histogram + int schema " #n " zero 1:0 of 0 sum 0 + -\nend 1\n"
	check_schema(-5, BAD_SCHEMA(-5));
	check_schema(-4, GOOD_SCHEMA(-4));
	check_schema(8, GOOD_SCHEMA(8));
	check_schema(9, BAD_SCHEMA(9));
	check_schema(-53, BAD_SCHEMA(-53));
	check_schema(INT32_MIN, BAD_SCHEMA(-2147483648));
}

static void test_missing_values(void **state) {
	(void)state;
	static const char *const types[] = {"counter", "gauge", "summary", "untyped", "histogram", "gaugehistogram"};
	for (size_t i = 0; i < COUNT(types); i++) {
		char events[256];
		Gs__Expo__MetricFamily *family = pb_family("m", (Gs__Expo__MetricType)i);
		Gs__Expo__Metric *metric = pb_metric(family);
		if (i != TYPE(GAUGE))
			metric->gauge = pb_gauge(1);
		else
			metric->counter = pb_counter(1);
		snprintf(events, sizeof(events),
		    "1T m %s\ninvalid 1:6: metric \"m\" has no value of its type, %s\nend 1\n", types[i], types[i]);
		pb_check_family(family, events);
	}
}

static void test_bad_bounds(void **state) {
	(void)state;
	static const double bounds[][2] = {{1, 1}, {2, 1}, {NAN, 1}, {1, NAN}, {INFINITY, INFINITY}, {INFINITY, 1}};
	for (size_t i = 0; i < COUNT(bounds); i++) {
		Gs__Expo__MetricFamily *family = pb_family("h", TYPE(HISTOGRAM));
		Gs__Expo__Histogram *histogram = pb_metric(family)->histogram = pb_histogram(1, 1);
		pb_bucket(histogram, bounds[i][0], 1);
		pb_bucket(histogram, bounds[i][1], 1);
		pb_check_family(family,
		    "1T h histogram\ninvalid 1:6: the upper bounds of the buckets of metric \"h\" do "
		    "not rise\nend 1\n");
	}
}

/* A label that is wrong, in a metric of that type. */
static void check_label(Gs__Expo__MetricType type, struct gs_str name, struct gs_str value, const char *error) {
	struct gs_buf out, body;
	gs_buf_init(&out, 1 << 20);
	gs_buf_init(&body, 1 << 20);
	Gs__Expo__MetricFamily *family = pb_family("m", type);
	Gs__Expo__Metric *metric = pb_metric(family);
	Gs__Expo__LabelPair *pair = pb_pair(name, value);
	pb_label(metric, "a", "b");
	PB_PUSH(metric, label, pair);
	metric->gauge = pb_gauge(1);
	metric->counter = pb_counter(1);
	metric->summary = pb_summary(1, 1);
	metric->histogram = pb_histogram(1, 1);
	pb_put(&body, family);
	pb_parse_whole(gs_buf_slice(&body), 0, &out);
	const char *first_end = memchr(out.p, '\n', out.n);
	if (error != NULL)
		assert_string_equal(first_end + 1, error);
	else
		assert_string_equal(out.p + out.n - 7, "end 1\n");
	gs_buf_free(&out);
	gs_buf_free(&body);
}

#define X10 "xxxxxxxxxx"
#define X64 X10 X10 X10 X10 X10 X10 "xxxx"

static void test_labels(void **state) {
	(void)state;
	static char xs[GS_LIMIT_LABEL_VALUE + 1];
	memset(xs, 'x', sizeof(xs));
	struct gs_str v = GS_STR("v");
	check_label(TYPE(GAUGE), GS_STR("le"), v, NULL);
	check_label(TYPE(SUMMARY), GS_STR("le"), v, NULL);
	check_label(TYPE(HISTOGRAM), GS_STR("quantile"), v, NULL);
	check_label(TYPE(GAUGE), gs_str_make(xs, GS_LIMIT_NAME), gs_str_make(xs, GS_LIMIT_LABEL_VALUE), NULL);
	check_label(TYPE(GAUGE), (struct gs_str){0}, v, "invalid 1:6: a label of metric \"m\" has no name\n");
	check_label(TYPE(GAUGE), GS_STR("a"), v, "invalid 1:6: duplicate label name \"a\"\n");
	check_label(
	    TYPE(GAUGE), GS_STR("__name__"), v, "invalid 1:6: label name \"__name__\" of metric \"m\" is reserved\n");
	check_label(TYPE(HISTOGRAM), GS_STR("le"), v, "invalid 1:6: label name \"le\" of metric \"m\" is reserved\n");
	check_label(
	    TYPE(GAUGE_HISTOGRAM), GS_STR("le"), v, "invalid 1:6: label name \"le\" of metric \"m\" is reserved\n");
	check_label(
	    TYPE(SUMMARY), GS_STR("quantile"), v, "invalid 1:6: label name \"quantile\" of metric \"m\" is reserved\n");
	check_label(TYPE(GAUGE), GS_STR("\xff"), v, "invalid 1:6: the label name \"\\xff\" is not UTF-8\n");
	check_label(
	    TYPE(GAUGE), GS_STR("x"), GS_STR("\xc0\x80"), "invalid 1:6: the value of label \"x\" is not UTF-8\n");
	check_label(TYPE(GAUGE), gs_str_make(xs, GS_LIMIT_NAME + 1), v,
	    "limit 1:6: the label name \"" X64 "...\" is longer than 1024 bytes\n");
	check_label(TYPE(GAUGE), GS_STR("x"), gs_str_make(xs, sizeof(xs)),
	    "limit 1:6: the value of label \"x\" is longer than 65536 bytes\n");
}

/* A NUL is a character like any other: nothing is cut at it, and two values that differ behind it are two. */
static void test_nul(void **state) {
	(void)state;
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_buf body;
	gs_buf_init(&body, 1 << 16);
	Gs__Expo__MetricFamily *family = pb_family("g", TYPE(GAUGE));
	Gs__Expo__Metric *metric = pb_metric(family);
	Gs__Expo__LabelPair *pairs[] = {
	    pb_pair(GS_STR("x\0a"), GS_STR("1\0002")), pb_pair(GS_STR("x\0b"), GS_STR("\0"))};
	PB_PUSH(metric, label, pairs[0]);
	PB_PUSH(metric, label, pairs[1]);
	metric->gauge = pb_gauge(1);
	pb_put(&body, family);
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, gs_buf_slice(&body), true);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(event.nlabels, 2);
	assert_true(gs_str_eq(event.labels[0].name, GS_STR("x\0a")));
	assert_true(gs_str_eq(event.labels[0].value, GS_STR("1\0002")));
	assert_true(gs_str_eq(event.labels[1].name, GS_STR("x\0b")));
	assert_true(gs_str_eq(event.labels[1].value, GS_STR("\0")));
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
}

static void test_bad_exemplars(void **state) {
	(void)state;
	Gs__Expo__LabelPair *pair = pb_pair(GS_STR("trace"), GS_STR("again"));
	Gs__Expo__Exemplar *twice = pb_exemplar("x", 1, NULL), *late = pb_exemplar("x", 1, pb_time(0, -1));
	PB_PUSH(twice, label, pair);
	Gs__Expo__MetricFamily *family = pb_family("c", TYPE(COUNTER));
	pb_metric(family)->counter = pb_counter(1);
	family->metric[0]->counter->exemplar = twice;
	pb_check_family(family, "1T c counter\ninvalid 1:6: duplicate label name \"trace\"\nend 1\n");
	family->metric[0]->counter->exemplar = late;
	pb_check_family(
	    family, "1T c counter\ninvalid 1:6: the exemplar's timestamp of metric \"c\" is out of range\nend 1\n");
	family = pb_family("h", TYPE(HISTOGRAM));
	pb_metric(family)->histogram = pb_histogram(1, 1);
	pb_bucket(family->metric[0]->histogram, 1, 1)->exemplar = twice;
	pb_check_family(family, "1T h histogram\ninvalid 1:6: duplicate label name \"trace\"\nend 1\n");
	family->metric[0]->histogram = native_histogram();
	PB_PUSH(family->metric[0]->histogram, exemplars, late);
	pb_check_family(
	    family, "1T h histogram\ninvalid 1:6: the exemplar's timestamp of metric \"h\" is out of range\nend 1\n");
}

/* What no packer writes: a Metric of these bytes, behind the name "a" and the type gauge. */
static void check_raw(struct gs_str metric, const char *events) {
	struct gs_buf body, message;
	gs_buf_init(&body, 1 << 16);
	gs_buf_init(&message, 1 << 16);
	gs_buf_str(&message, GS_STR("\x0a\x01"
				    "a\x18\x01\x22"));
	pb_varint(&message, metric.n);
	gs_buf_str(&message, metric);
	pb_raw(&body, gs_buf_slice(&message));
	pb_check(gs_buf_slice(&body), events);
	gs_buf_free(&body);
	gs_buf_free(&message);
}

static void test_raw(void **state) {
	(void)state;
#define GAUGE "\x12\x09\x09\0\0\0\0\0\0\xf0?"
	static const struct gs_str good[] = {
	    GS_STR_INIT(GAUGE),
	    GS_STR_INIT(GAUGE "\x4a\x02zz"), /* unknown fields */
	    GS_STR_INIT("\x50\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01" GAUGE),
	    GS_STR_INIT("\x12\x09\x09\0\0\0\0\0\0\0\x40" GAUGE), /* a gauge twice: the last value holds */
	    GS_STR_INIT("\x12\x0b\x12\0" /* a field of the gauge that nobody knows */
			"\x09\0\0\0\0\0\0\xf0?"),
	};
	static const struct gs_str bad[] = {
	    GS_STR_INIT("\x12"), GS_STR_INIT("\x12\x0a\x09\0\0\0\0\0\0\xf0?"), /* longer than what is there */
	    GS_STR_INIT("\x12\xff\xff\xff\xff\x0f"), GS_STR_INIT("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	    GS_STR_INIT("\x12\x08\x09\0\0\0\0\0\0\xf0"),
	    GS_STR_INIT("\x11\0\0\0\0\0\0\xf0?"), /* the wire type of another field */
	    GS_STR_INIT("\x12\x02\x08\x01"), GS_STR_INIT(GAUGE "\x08\x01"),
	    GS_STR_INIT(GAUGE "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* a varint of 11 bytes */
	    GS_STR_INIT(GAUGE "\x0b\x0c"), /* groups */
	    GS_STR_INIT(GAUGE "\x4b\x4c"), GS_STR_INIT(GAUGE "\x4e\x01"), GS_STR_INIT(GAUGE "\0"),
	    GS_STR_INIT(GAUGE "\x0a\x03\x0a\x02x"), /* a label that is cut */
	};
	for (size_t i = 0; i < COUNT(good); i++)
		check_raw(good[i], "1T a gauge\n1S a{} 1 value of a gauge\nend 1\n");
	for (size_t i = 0; i < COUNT(bad); i++)
		check_raw(bad[i], "1T a gauge\ninvalid 1:6: a metric of \"a\" is no valid message\nend 1\n");
}

/* A metric with n labels, buckets, quantiles or spans. */
static void check_many(Gs__Expo__MetricType type, size_t nlabels, size_t n, const char *error) {
	struct gs_buf out, body;
	gs_buf_init(&out, 16 << 20);
	gs_buf_init(&body, 16 << 20);
	Gs__Expo__MetricFamily *family = pb_family("m", type);
	Gs__Expo__Metric *metric = pb_metric(family);
	for (size_t i = 0; i < nlabels; i++) {
		char name[16];
		snprintf(name, sizeof(name), "l%zu", i);
		pb_label(metric, name, "v");
	}
	metric->gauge = pb_gauge(1);
	metric->summary = pb_summary(1, 1);
	metric->histogram = pb_histogram(1, 1);
	for (size_t i = 0; i < n; i++) {
		if (type == TYPE(SUMMARY))
			pb_quantile(metric->summary, (double)i / (double)n, 1);
		else if (type == TYPE(HISTOGRAM))
			pb_bucket(metric->histogram, (double)i, 1);
		Gs__Expo__BucketSpan *span = pb_span(0, 0);
		if (type == TYPE(GAUGE_HISTOGRAM))
			PB_PUSH(metric->histogram, positive_span, span);
	}
	pb_put(&body, family);
	pb_parse_whole(gs_buf_slice(&body), 0, &out);
	if (error != NULL)
		assert_string_equal((char *)memchr(out.p, '\n', out.n) + 1, error);
	else
		assert_string_equal(out.p + out.n - 7, "end 1\n");
	gs_buf_free(&out);
	gs_buf_free(&body);
}

static void test_limits(void **state) {
	(void)state;
	static const char labels[] = "limit 1:6: metric \"m\" has more than 128 labels\n";
	check_many(TYPE(GAUGE), GS_LIMIT_LABELS, 0, NULL);
	check_many(TYPE(GAUGE), GS_LIMIT_LABELS + 1, 0, labels);
	check_many(TYPE(HISTOGRAM), GS_LIMIT_LABELS - 1, 2, NULL);
	check_many(TYPE(HISTOGRAM), GS_LIMIT_LABELS, 2, labels);
	check_many(TYPE(HISTOGRAM), 8, GS_LIMIT_BUCKETS, NULL);
	check_many(TYPE(HISTOGRAM), 0, GS_LIMIT_BUCKETS + 1, "limit 1:6: metric \"m\" has more than 4096 buckets\n");
	check_many(TYPE(SUMMARY), 8, GS_LIMIT_BUCKETS, NULL);
	check_many(TYPE(SUMMARY), 0, GS_LIMIT_BUCKETS + 1, "limit 1:6: metric \"m\" has more than 4096 quantiles\n");
	check_many(TYPE(GAUGE_HISTOGRAM), 8, GS_LIMIT_BUCKETS, NULL);
	check_many(TYPE(GAUGE_HISTOGRAM), 0, GS_LIMIT_BUCKETS + 1,
	    "limit 1:6: the positive side of native histogram \"m\" has too many spans or buckets\n");
	check_many(TYPE(HISTOGRAM), 0, 2 * GS_LIMIT_BUCKETS,
	    "limit 1:6: a metric of \"m\" takes more than 786432 bytes of memory\n");
	check_many(TYPE(HISTOGRAM), 0, 100000, "limit 1:6: a metric of \"m\" takes more than 786432 bytes of memory\n");
}

/* A native histogram whose labels leave less and less memory for the rest of it, down to none: it fits or is refused, wherever that is found. */
static void test_full_memory(void **state) {
	(void)state;
	static char value[61440];
	struct gs_buf out, body;
	int full = 0, fits = 0;
	gs_buf_init(&out, 4 << 20);
	gs_buf_init(&body, 4 << 20);
	memset(value, 'x', sizeof(value));
	for (size_t n = 44000; n < 48000; n += 16) {
		Gs__Expo__MetricFamily *family = pb_family("h", TYPE(HISTOGRAM));
		Gs__Expo__Metric *metric = pb_metric(family);
		metric->histogram = native_histogram();
		for (int i = 0; i <= 12; i++) {
			char name[16];
			snprintf(name, sizeof(name), "l%d", i);
			Gs__Expo__LabelPair *pair =
			    pb_pair(gs_str_of(name), gs_str_make(value, i < 12 ? sizeof(value) : n));
			PB_PUSH(metric, label, pair);
		}
		gs_buf_clear(&out);
		gs_buf_clear(&body);
		pb_put(&body, family);
		pb_parse_whole(gs_buf_slice(&body), 0, &out);
		if (strcmp(out.p + out.n - 7, "end 1\n") == 0) {
			assert_int_equal(full, 0);
			fits++;
		} else {
			assert_string_equal(out.p,
			    "1T h histogram\nlimit 1:6: a metric of \"h\" takes more than 786432 "
			    "bytes of memory\n");
			full++;
		}
		pb_free();
	}
	assert_true(fits > 0 && full > 0);
	gs_buf_free(&out);
	gs_buf_free(&body);
}

/* The names of a family that is just short enough may be too long with what its samples put behind it. */
static void test_long_names(void **state) {
	(void)state;
	static char name[GS_LIMIT_NAME + 1];
	struct gs_buf out, body;
	gs_buf_init(&out, 1 << 20);
	gs_buf_init(&body, 1 << 20);
	for (size_t n = GS_LIMIT_NAME - 8; n <= GS_LIMIT_NAME; n++) {
		memset(name, 'x', n);
		name[n] = '\0';
		Gs__Expo__MetricFamily *family = pb_family(name, TYPE(SUMMARY));
		pb_metric(family)->summary = pb_summary(1, 1);
		gs_buf_clear(&out);
		gs_buf_clear(&body);
		pb_put(&body, family);
		pb_parse_whole(gs_buf_slice(&body), 0, &out);
		if (n + 6 <= GS_LIMIT_NAME)
			assert_string_equal(out.p + out.n - 7, "end 1\n");
		else if (n + 4 <= GS_LIMIT_NAME)
			assert_non_null(
			    strstr(out.p, ": the metric name \"" X64 "...\" and _count are longer than 1024 bytes\n"));
		else
			assert_non_null(
			    strstr(out.p, ": the metric name \"" X64 "...\" and _sum are longer than 1024 bytes\n"));
	}
	gs_buf_free(&out);
	gs_buf_free(&body);
}

/* Nothing is allocated while a body is read. */
static void test_no_heap(void **state) {
	(void)state;
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_buf body;
	gs_buf_init(&body, 1 << 20);
	for (int i = 0; i < 50; i++) {
		Gs__Expo__MetricFamily *family = pb_family("h", TYPE(HISTOGRAM));
		for (int k = 0; k < 10; k++) {
			Gs__Expo__Metric *metric = pb_metric(family);
			metric->histogram = native_histogram();
			pb_label(metric, "a", "b");
			for (int b = 0; b < 20; b++)
				pb_bucket(metric->histogram, b, 1)->exemplar = pb_exemplar("x", 1, pb_time(1, 1));
		}
		pb_put(&body, family);
	}
	gs_mem_fail_after(0);
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, gs_buf_slice(&body), true);
	size_t samples = 0;
	enum gs_status status;
	do {
		status = gs_expo_next(parser, &event, NULL);
		samples += status == GS_OK && event.kind == GS_EXPO_SAMPLE;
	} while (status == GS_OK && event.kind != GS_EXPO_END);
	int failed = gs_mem_failed();
	gs_mem_fail_after(-1);
	assert_int_equal(status, GS_OK);
	assert_int_equal(failed, 0);
	assert_int_equal(samples, 50 * 10 * (20 + 1 + 2 + 1));
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
}

static int teardown(void **state) {
	(void)state;
	pb_free();
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_values, teardown),
	    cmocka_unit_test_teardown(test_counters, teardown),
	    cmocka_unit_test_teardown(test_times, teardown),
	    cmocka_unit_test_teardown(test_summaries, teardown),
	    cmocka_unit_test_teardown(test_histograms, teardown),
	    cmocka_unit_test_teardown(test_float_histograms, teardown),
	    cmocka_unit_test_teardown(test_bounds, teardown),
	    cmocka_unit_test_teardown(test_native, teardown),
	    cmocka_unit_test_teardown(test_native_kinds, teardown),
	    cmocka_unit_test_teardown(test_native_faults, teardown),
	    cmocka_unit_test_teardown(test_schemas, teardown),
	    cmocka_unit_test_teardown(test_missing_values, teardown),
	    cmocka_unit_test_teardown(test_bad_bounds, teardown),
	    cmocka_unit_test_teardown(test_labels, teardown),
	    cmocka_unit_test_teardown(test_nul, teardown),
	    cmocka_unit_test_teardown(test_bad_exemplars, teardown),
	    cmocka_unit_test_teardown(test_raw, teardown),
	    cmocka_unit_test_teardown(test_limits, teardown),
	    cmocka_unit_test_teardown(test_full_memory, teardown),
	    cmocka_unit_test_teardown(test_long_names, teardown),
	    cmocka_unit_test_teardown(test_no_heap, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
