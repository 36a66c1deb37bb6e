/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>

#include "gravel/expo/write_protobuf.h"
#include "pb.h"

static struct gs_buf out;
static struct gs_expo_pb_writer w;

static int open_buffer(void **state) {
	(void)state;
	gs_buf_init(&out, 16 << 20);
	gs_expo_pb_init(&w, &out, GS_ESCAPE_NONE);
	return 0;
}

static int close_buffer(void **state) {
	(void)state;
	gs_buf_free(&out);
	pb_free();
	return 0;
}

static void begin(const char *name, enum gs_expo_type type) {
	struct gs_expo_family family = {.name = gs_str_of(name), .type = type};
	gs_expo_pb_begin_family(&w, &family, (struct gs_str){0});
}

static const struct gs_label labels[] = {{GS_STR_INIT("a"), GS_STR_INIT("1")}, {GS_STR_INIT("b.c"), GS_STR_INIT("")}};
static const struct gs_label trace[] = {{GS_STR_INIT("trace"), GS_STR_INIT("x")}};
static const struct gs_exemplar exemplar = {
    .labels = trace, .nlabels = 1, .value = 0.5, .has_timestamp = true, .timestamp_ms = 1500};

static void simple(const struct gs_label *own, size_t n, double value) {
	gs_expo_pb_begin_metric(&w, own, n);
	gs_expo_pb_value(&w, value, &exemplar);
	gs_expo_pb_end_metric(&w);
}

/* What was written, read strictly, at every split position. */
static void assert_events(const char *events) {
	assert_int_equal(out.status, GS_OK);
	pb_check(gs_buf_slice(&out), events);
	gs_buf_clear(&out);
}

static void test_simple(void **state) {
	(void)state;
	struct gs_expo_family family = {.name = GS_STR("c_seconds_total"),
	    .help = GS_STR("The \"help\"\n."),
	    .unit = GS_STR("seconds"),
	    .type = GS_TYPE_COUNTER};
	gs_expo_pb_begin_family(&w, &family, (struct gs_str){0});
	simple(labels, 2, 3.5);
	simple(NULL, 0, NAN);
	gs_expo_pb_end_family(&w);
	begin("g", GS_TYPE_GAUGE);
	simple(labels, 1, -INFINITY);
	gs_expo_pb_end_family(&w);
	begin("u", GS_TYPE_UNTYPED);
	simple(NULL, 0, 1);
	gs_expo_pb_end_family(&w);
	begin("i_info", GS_TYPE_INFO);
	simple(NULL, 0, 1);
	gs_expo_pb_end_family(&w);
	begin("s", GS_TYPE_STATESET);
	simple(NULL, 0, 0);
	gs_expo_pb_end_family(&w);
	assert_events("1H c_seconds_total [The \"help\"\n.]\n"
		      "1T c_seconds_total counter\n"
		      "1U c_seconds_total [seconds]\n"
		      "1S c_seconds_total{a=1,b.c=} 3.5 value of c_seconds_total counter #{trace=x} 0.5 @1500\n"
		      "1S c_seconds_total{} NaN value of c_seconds_total counter #{trace=x} 0.5 @1500\n"
		      "2T g gauge\n"
		      "2S g{a=1} -Inf value of g gauge\n"
		      "3T u untyped\n"
		      "3S u{} 1 value of u untyped\n"
		      "4T i_info gauge\n"
		      "4S i_info{} 1 value of i_info gauge\n"
		      "5T s gauge\n"
		      "5S s{} 0 value of s gauge\n"
		      "end 5\n");
}

/* The bytes are those of the library's packer. */
static void test_bytes(void **state) {
	(void)state;
	struct gs_buf expected;
	gs_buf_init(&expected, 1 << 20);
	Gs__Expo__MetricFamily *family = pb_family("h", GS__EXPO__METRIC_TYPE__HISTOGRAM);
	pb_help(family, "Help.");
	Gs__Expo__Metric *metric = pb_metric(family);
	pb_label(metric, "a", "1");
	metric->histogram = pb_histogram(7, 2.25);
	pb_bucket(metric->histogram, 1, 3)->exemplar = pb_exemplar("x", 0.5, pb_time(1, 500000000));
	pb_bucket(metric->histogram, INFINITY, 7);
	Gs__Expo__Histogram *h = metric->histogram;
	/* protobuf-c packs fields by number: sums and counts before buckets. */
	pb_put(&expected, family);
	struct gs_expo_family head = {.name = GS_STR("h"), .help = GS_STR("Help."), .type = GS_TYPE_HISTOGRAM};
	struct gs_expo_pb_totals totals = {.sum = h->sample_sum, .count = (double)h->sample_count};
	gs_expo_pb_begin_family(&w, &head, (struct gs_str){0});
	gs_expo_pb_begin_metric(&w, labels, 1);
	gs_expo_pb_totals(&w, &totals);
	gs_expo_pb_part(&w, 1, 3, &exemplar);
	gs_expo_pb_part(&w, INFINITY, 7, NULL);
	gs_expo_pb_end_metric(&w);
	gs_expo_pb_end_family(&w);
	assert_int_equal(out.n, expected.n);
	assert_memory_equal(out.p, expected.p, out.n);
	gs_buf_free(&expected);
}

static void test_parts(void **state) {
	(void)state;
	struct gs_expo_pb_totals totals = {.sum = 4.5, .count = 3};
	begin("h", GS_TYPE_HISTOGRAM);
	gs_expo_pb_begin_metric(&w, labels, 1);
	gs_expo_pb_part(&w, 0.1, 1, NULL);
	gs_expo_pb_part(&w, INFINITY, 3, &exemplar);
	gs_expo_pb_totals(&w, &totals);
	gs_expo_pb_end_metric(&w);
	gs_expo_pb_end_family(&w);
	begin("s", GS_TYPE_SUMMARY);
	gs_expo_pb_begin_metric(&w, NULL, 0);
	gs_expo_pb_part(&w, 0.5, NAN, &exemplar);
	gs_expo_pb_part(&w, 0.9, 2, NULL);
	gs_expo_pb_totals(&w, &totals);
	gs_expo_pb_end_metric(&w);
	gs_expo_pb_end_family(&w);
	begin("g", GS_TYPE_GAUGEHISTOGRAM);
	gs_expo_pb_begin_metric(&w, NULL, 0);
	gs_expo_pb_part(&w, INFINITY, 3, NULL);
	gs_expo_pb_totals(&w, &totals);
	gs_expo_pb_end_metric(&w);
	gs_expo_pb_end_family(&w);
	assert_events("1T h histogram\n"
		      "1S h_bucket{a=1,le=0.1} 1 bucket:0.1 of h histogram\n"
		      "1S h_bucket{a=1,le=+Inf} 3 bucket:+Inf of h histogram + #{trace=x} 0.5 @1500\n"
		      "1S h_sum{a=1} 4.5 sum of h histogram +\n"
		      "1S h_count{a=1} 3 count of h histogram +\n"
		      "2T s summary\n"
		      "2S s{quantile=0.5} NaN quantile:0.5 of s summary\n"
		      "2S s{quantile=0.9} 2 quantile:0.9 of s summary +\n"
		      "2S s_sum{} 4.5 sum of s summary +\n"
		      "2S s_count{} 3 count of s summary +\n"
		      "3T g gaugehistogram\n"
		      "3S g_bucket{le=+Inf} 3 bucket:+Inf of g gaugehistogram\n"
		      "3S g_gsum{} 4.5 sum of g gaugehistogram +\n"
		      "3S g_gcount{} 3 count of g gaugehistogram +\n"
		      "end 3\n");
}

static void native_metric(const struct gs_native *native) {
	struct gs_expo_pb_totals totals = {.sum = -1, .count = -1, .native = native};
	begin("h", GS_TYPE_HISTOGRAM);
	gs_expo_pb_begin_metric(&w, NULL, 0);
	gs_expo_pb_part(&w, INFINITY, native->count, NULL);
	gs_expo_pb_totals(&w, &totals);
	gs_expo_pb_end_metric(&w);
	gs_expo_pb_end_family(&w);
}

static void test_native(void **state) {
	(void)state;
	static const struct gs_span spans[] = {{-3, 2}, {4, 1}};
	static const int64_t deltas[] = {5, -4, 200};
	static const double counts[] = {0.5, 0, 7};
	struct gs_native whole = {
	    .schema = -2,
	    .zero_threshold = 0x1p-128,
	    .zero_count = 2,
	    .count = 210,
	    .sum = -3.5,
	    .positive = {.spans = spans, .nspans = 2, .deltas = deltas, .ndeltas = 3},
	    .negative = {.spans = spans, .nspans = 1, .deltas = deltas, .ndeltas = 2},
	    .exemplars = &exemplar,
	    .nexemplars = 1,
	};
	struct gs_native floats = {
	    .is_float = true,
	    .schema = 8,
	    .zero_count = 0.25,
	    .count = 7.75,
	    .sum = 1,
	    .positive = {.spans = spans, .nspans = 2, .counts = counts, .ncounts = 3},
	};
	struct gs_native empty = {.schema = 3};
	native_metric(&whole);
	native_metric(&floats);
	native_metric(&empty);
	assert_events("1T h histogram\n"
		      "1S h_bucket{le=+Inf} 210 bucket:+Inf of h histogram\n"
		      "1S h_sum{} -3.5 sum of h histogram +\n"
		      "1S h_count{} 210 count of h histogram +\n"
		      "1S h{} 210 native of h histogram + int schema -2 zero 2.938735877055719e-39:2 of 210 sum -3.5"
		      " + -3:2 4:1 d5 d-4 d200 - -3:2 d5 d-4 #{trace=x} 0.5 @1500\n"
		      "2T h histogram\n"
		      "2S h_bucket{le=+Inf} 7.75 bucket:+Inf of h histogram\n"
		      "2S h_sum{} 1 sum of h histogram +\n"
		      "2S h_count{} 7.75 count of h histogram +\n"
		      "2S h{} 7.75 native of h histogram + float schema 8 zero 0:0.25 of 7.75 sum 1"
		      " + -3:2 4:1 c0.5 c0 c7 -\n"
		      "3T h histogram\n"
		      "3S h_bucket{le=+Inf} 0 bucket:+Inf of h histogram\n"
		      "3S h_sum{} 0 sum of h histogram +\n"
		      "3S h_count{} 0 count of h histogram +\n"
		      "3S h{} 0 native of h histogram + int schema 3 zero 0:0 of 0 sum 0 + 0:0 -\n"
		      "end 3\n");
}

/* Names that the reader does not take as they are; a classic one that looks escaped is, where that could be misread. */
static void test_escaping(void **state) {
	(void)state;
	static const struct gs_label odd[] = {
	    {GS_STR_INIT("b.c"), GS_STR_INIT("x\"y")}, {GS_STR_INIT("U__a"), GS_STR_INIT("1")}};
	static const struct {
		enum gs_escaping escaping;
		const char *name;
		const char *label;
		const char *classic;
	} cases[] = {
	    {GS_ESCAPE_NONE, "m.n", "b.c", "U__a"},
	    {GS_ESCAPE_VALUES, "U__m_2e_n", "U__b_2e_c", "U__U____a"},
	    {GS_ESCAPE_UNDERSCORES, "m_n", "b_c", "U__a"},
	    {GS_ESCAPE_DOTS, "m_dot_n", "b_dot_c", "U__a"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char events[256];
		gs_expo_pb_init(&w, &out, cases[i].escaping);
		begin("m.n", GS_TYPE_GAUGE);
		simple(odd, 2, 1);
		gs_expo_pb_end_family(&w);
		snprintf(events, sizeof(events), "1T %s gauge\n1S %s{%s=x\"y,%s=1} 1 value of %s gauge\nend 1\n",
		    cases[i].name, cases[i].name, cases[i].label, cases[i].classic, cases[i].name);
		assert_events(events);
	}
}

/* A part as a metric of its own has the name that it has in text. */
static void test_suffixes(void **state) {
	(void)state;
	struct gs_expo_family family = {.name = GS_STR("a.b")};
	gs_expo_pb_begin_family(&w, &family, GS_STR("_bucket"));
	simple(NULL, 0, 1);
	gs_expo_pb_end_family(&w);
	assert_events("1T a.b_bucket untyped\n1S a.b_bucket{} 1 value of a.b_bucket untyped\nend 1\n");
	gs_expo_pb_init(&w, &out, GS_ESCAPE_VALUES);
	gs_expo_pb_begin_family(&w, &family, GS_STR("_bucket"));
	gs_expo_pb_end_family(&w);
	assert_events("1T U__a_2e_b_bucket untyped\nend 1\n");
}

static void test_units(void **state) {
	(void)state;
	static const struct {
		const char *name;
		enum gs_expo_type type;
		bool written;
	} cases[] = {
	    {"a_bytes", GS_TYPE_GAUGE, true},
	    {"a_bytes_total", GS_TYPE_COUNTER, true},
	    {"a_bytes_total", GS_TYPE_GAUGE, false},
	    {"abytes", GS_TYPE_GAUGE, false},
	    {"bytes", GS_TYPE_GAUGE, false},
	    {"a_byte", GS_TYPE_GAUGE, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char events[128];
		struct gs_expo_family family = {
		    .name = gs_str_of(cases[i].name), .unit = GS_STR("bytes"), .type = cases[i].type};
		gs_expo_pb_begin_family(&w, &family, (struct gs_str){0});
		gs_expo_pb_end_family(&w);
		snprintf(events, sizeof(events), "1T %s %s\n%s%s%send 1\n", cases[i].name,
		    gs_expo_type_name(cases[i].type), cases[i].written ? "1U " : "",
		    cases[i].written ? cases[i].name : "", cases[i].written ? " [bytes]\n" : "");
		assert_events(events);
	}
}

/* Times before the epoch, and those that a Timestamp cannot say. */
static void test_times(void **state) {
	(void)state;
	static const int64_t times[] = {
	    0, -1, -1001, 253402300799999, -62135596800000, 253402300800000, -62135596800001, INT64_MIN, INT64_MAX};
	static const bool kept[] = {true, true, true, true, true, false, false, false, false};
	for (size_t i = 0; i < COUNT(times); i++) {
		char events[160], time[32] = "";
		struct gs_exemplar at = {.value = 1, .has_timestamp = true, .timestamp_ms = times[i]};
		begin("c", GS_TYPE_COUNTER);
		gs_expo_pb_begin_metric(&w, NULL, 0);
		gs_expo_pb_value(&w, 2, &at);
		gs_expo_pb_end_metric(&w);
		gs_expo_pb_end_family(&w);
		if (kept[i])
			snprintf(time, sizeof(time), " @%lld", (long long)times[i]);
		snprintf(events, sizeof(events), "1T c counter\n1S c{} 2 value of c counter #{} 1%s\nend 1\n", time);
		assert_events(events);
	}
}

/* Lengths of one, two, three bytes, of each message. */
static void test_lengths(void **state) {
	(void)state;
	static char value[70000];
	static const size_t sizes[] = {1, 90, 100, 110, 120, 127, 128, 16000, 16370, 16384, 65536};
	memset(value, 'v', sizeof(value));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct gs_label label = {GS_STR("a"), gs_str_make(value, sizes[i])};
		struct gs_expo_event event;
		struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
		struct gs_expo_parser *parser = gs_expo_parser_new();
		assert_non_null(parser);
		begin("g", GS_TYPE_GAUGE);
		simple(&label, 1, 1);
		simple(&label, 1, 2);
		gs_expo_pb_end_family(&w);
		gs_expo_begin(parser, &options);
		gs_expo_feed(parser, gs_buf_slice(&out), true);
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		for (int k = 1; k <= 2; k++) {
			assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
			assert_true(gs_str_eq(event.labels[0].value, label.value));
			assert_true(event.value == k);
		}
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		assert_int_equal(event.kind, GS_EXPO_END);
		gs_expo_parser_free(parser);
		gs_buf_clear(&out);
	}
}

static void write_all(void) {
	static const struct gs_span spans[] = {{0, 1}};
	static const int64_t deltas[] = {1};
	struct gs_native native = {.count = 1,
	    .positive = {.spans = spans, .nspans = 1, .deltas = deltas, .ndeltas = 1},
	    .exemplars = &exemplar,
	    .nexemplars = 1};
	begin("c", GS_TYPE_COUNTER);
	simple(labels, 2, 1);
	gs_expo_pb_end_family(&w);
	native_metric(&native);
}

/* Whatever fails, memory or room: the buffer says so, and nothing is written beyond it. */
static void test_no_room(void **state) {
	(void)state;
	write_all();
	size_t n = out.n;
	for (size_t max = 0; max < n; max++) {
		gs_buf_free(&out);
		gs_buf_init(&out, max);
		gs_expo_pb_init(&w, &out, GS_ESCAPE_NONE);
		write_all();
		assert_int_equal(out.status, GS_ELIMIT);
		gs_buf_check(&out);
	}
	for (int64_t i = 0;; i++) {
		gs_buf_free(&out);
		gs_buf_init(&out, 16 << 20);
		gs_expo_pb_init(&w, &out, GS_ESCAPE_NONE);
		gs_mem_fail_after(i);
		write_all();
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(out.status, failed ? GS_ENOMEM : GS_OK);
		if (!failed)
			break;
	}
	assert_int_equal(out.n, n);
}

static void test_long_names(void **state) {
	(void)state;
	static char name[GS_LIMIT_NAME + 1];
	memset(name, 'n', sizeof(name));
	struct gs_expo_family family = {.name = gs_str_make(name, sizeof(name)), .type = GS_TYPE_GAUGE};
	gs_expo_pb_begin_family(&w, &family, (struct gs_str){0});
	assert_int_equal(out.status, GS_ELIMIT);
	gs_buf_clear(&out);
	struct gs_label label = {gs_str_make(name, sizeof(name)), GS_STR("1")};
	begin("g", GS_TYPE_GAUGE);
	simple(&label, 1, 1);
	assert_int_equal(out.status, GS_ELIMIT);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_simple, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_bytes, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_parts, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_native, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_escaping, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_suffixes, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_units, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_times, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_lengths, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_no_room, open_buffer, close_buffer),
	    cmocka_unit_test_setup_teardown(test_long_names, open_buffer, close_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
