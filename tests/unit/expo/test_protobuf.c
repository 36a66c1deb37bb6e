/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and their lengths, the fields of a family, limits, and going on after errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pb.h"

/* One event of each kind. */
static Gs__Expo__MetricFamily *some_family(const char *name) {
	Gs__Expo__MetricFamily *family = pb_family(name, GS__EXPO__METRIC_TYPE__GAUGE);
	Gs__Expo__Metric *metric = pb_metric(family);
	pb_help(family, "A help.");
	pb_unit(family, "seconds");
	pb_label(metric, "a", "b");
	metric->gauge = pb_gauge(1.5);
	return family;
}

#define SOME(n, name)                                                                                                  \
#n "H " name " [A help.]\n" #n "T " name " gauge\n" #n "U " name " [seconds]\n" #n "S " name                   \
	   "{a=b} 1.5 value of " name " gauge\n"

static void test_nothing(void **state) {
	(void)state;
	pb_check(GS_STR(""), "end 0\n");
}

static void test_families(void **state) {
	(void)state;
	struct gs_buf body;
	gs_buf_init(&body, 1 << 16);
	pb_put(&body, some_family("x_seconds"));
	pb_put(&body, some_family("y_seconds"));
	pb_check(gs_buf_slice(&body), SOME(1, "x_seconds") SOME(2, "y_seconds") "end 2\n");
	gs_buf_free(&body);
}

/* A family without metrics, help or unit; of every type. */
static void test_types(void **state) {
	(void)state;
	static const char *const events[] = {
	    [GS__EXPO__METRIC_TYPE__COUNTER] = "1T a counter\nend 1\n",
	    [GS__EXPO__METRIC_TYPE__GAUGE] = "1T a gauge\nend 1\n",
	    [GS__EXPO__METRIC_TYPE__SUMMARY] = "1T a summary\nend 1\n",
	    [GS__EXPO__METRIC_TYPE__UNTYPED] = "1T a untyped\nend 1\n",
	    [GS__EXPO__METRIC_TYPE__HISTOGRAM] = "1T a histogram\nend 1\n",
	    [GS__EXPO__METRIC_TYPE__GAUGE_HISTOGRAM] = "1T a gaugehistogram\nend 1\n",
	};
	for (size_t i = 0; i < COUNT(events); i++)
		pb_check_family(pb_family("a", (Gs__Expo__MetricType)i), events[i]);
	pb_check(GS_STR("\x03\x0a\x01"
			"a"),
	    "1T a counter\nend 1\n");
}

/* Whatever the order of the fields, and whatever else there is. */
static void test_fields(void **state) {
	(void)state;
	static const struct gs_str body = GS_STR_INIT("\x40"
						      "\x22\x0b\x12\x09\x09\0\0\0\0\0\0\xf0?" /* metric: gauge 1 */
						      "\x2a\x01s" /* unit */
						      "\x32\x02zz" /* 6: bytes */
						      "\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* 7: 2^64-1 */
						      "\x41zzzzzzzz" /* 8: 64 bits */
						      "\x4dzzzz" /* 9: 32 bits */
						      "\x12\x01h" /* help */
						      "\x18\x00" /* type, twice */
						      "\x18\x01"
						      "\x0a\x03u_s" /* name, twice */
						      "\x0a\x03w_s"
						      "\x22\x00"); /* metric without a gauge */
	pb_check(body, "1H w_s [h]\n1T w_s gauge\n1U w_s [s]\n1S w_s{} 1 value of w_s gauge\n"
		       "invalid 1:63: metric \"w_s\" has no value of its type, gauge\nend 1\n");
}

static void test_units(void **state) {
	(void)state;
	static const struct {
		const char *name, *unit;
		Gs__Expo__MetricType type;
		bool good;
	} cases[] = {
	    {"a_seconds", "seconds", GS__EXPO__METRIC_TYPE__GAUGE, true},
	    {"a_seconds", "seconds", GS__EXPO__METRIC_TYPE__COUNTER, true},
	    {"a_seconds_total", "seconds", GS__EXPO__METRIC_TYPE__COUNTER, true},
	    {"a_total", "total", GS__EXPO__METRIC_TYPE__GAUGE, true},
	    {"a_seconds_total", "seconds", GS__EXPO__METRIC_TYPE__GAUGE, false},
	    {"a_total", "total", GS__EXPO__METRIC_TYPE__COUNTER, false},
	    {"aseconds", "seconds", GS__EXPO__METRIC_TYPE__GAUGE, false},
	    {"seconds", "seconds", GS__EXPO__METRIC_TYPE__GAUGE, false},
	    {"s", "seconds", GS__EXPO__METRIC_TYPE__GAUGE, false},
	    {"a_second", "seconds", GS__EXPO__METRIC_TYPE__GAUGE, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char events[256];
		size_t n = strlen(cases[i].name);
		Gs__Expo__MetricFamily *family = pb_family(cases[i].name, cases[i].type);
		pb_unit(family, cases[i].unit);
		if (cases[i].good)
			snprintf(events, sizeof(events), "1T %s %s\n1U %s [%s]\nend 1\n", cases[i].name,
			    cases[i].type == GS__EXPO__METRIC_TYPE__GAUGE ? "gauge" : "counter", cases[i].name,
			    cases[i].unit);
		else
			snprintf(events, sizeof(events),
			    "invalid 1:%zu: the name of metric \"%s\" does not end with its unit \"%s\"\nend 1\n",
			    2 + n + 2 + 2 + 1, cases[i].name, cases[i].unit);
		pb_check_family(family, events);
	}
}

static const struct {
	struct gs_str body;
	const char *events;
} hostile[] = {
    /* lengths */
    {GS_STR_INIT("\x80"), "invalid 1:2: the body ends within a message\n"},
    {GS_STR_INIT("\x05\x0a\x01"), "invalid 1:3: the body ends within a message\n"},
    {GS_STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "invalid 1:10: the body ends within a message\n"},
    {GS_STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
	"invalid 1:1: the length of the message is larger than 64 bits\n"},
    {GS_STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
	"invalid 1:1: the length of the message is larger than 64 bits\n"},
    {GS_STR_INIT("\x03\x0a\x01"
		 "a\xff"),
	"1T a counter\ninvalid 2:2: the body ends within a message\n"},
    {GS_STR_INIT("\x83\x80\x00\x0a\x01"
		 "a"),
	"1T a counter\nend 1\n"}, /* a length that takes more bytes than it must */
    {GS_STR_INIT("\x00"), "invalid 1:1: the family has no name\nend 1\n"},
    /* a limit error skips what is not there */
    {GS_STR_INIT("\x81\x80\x80\x20\x03\x0a\x01"
		 "a"),
	"limit 1:1: the message is longer than 67108864 bytes\nend 1\n"},
    {GS_STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x03\x0a\x01"
		 "a"),
	"limit 1:1: the message is longer than 67108864 bytes\nend 1\n"},
    /* tags */
    {GS_STR_INIT("\x01\x00"), "invalid 1:1: a field has an impossible number\nend 1\n"},
    {GS_STR_INIT("\x01\x02"), "invalid 1:1: a field has an impossible number\nend 1\n"},
    {GS_STR_INIT("\x07\xf8\xff\xff\xff\x0f\x00\x0a"), "invalid 1:7: a field has no whole length\nend 1\n"},
    {GS_STR_INIT("\x06\x80\x80\x80\x80\x10\x00"), "invalid 1:1: a field has an impossible number\nend 1\n"},
    {GS_STR_INIT("\x01\x80"), "invalid 1:1: a field has no whole tag\nend 1\n"},
    {GS_STR_INIT("\x0b\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\x00"), "invalid 1:1: a field has no whole tag\nend 1\n"},
    /* wire types */
    {GS_STR_INIT("\x05\x0a\x01"
		 "a\x33\x34"),
	"invalid 1:4: a field is a group\nend 1\n"},
    {GS_STR_INIT("\x04\x0a\x01"
		 "a\x34"),
	"invalid 1:4: a field is a group\nend 1\n"},
    {GS_STR_INIT("\x04\x0a\x01"
		 "a\x36"),
	"invalid 1:4: a field has an unknown wire type\nend 1\n"},
    {GS_STR_INIT("\x04\x0a\x01"
		 "a\x37"),
	"invalid 1:4: a field has an unknown wire type\nend 1\n"},
    {GS_STR_INIT("\x02\x08\x01"), "invalid 1:1: a field of the family has a wire type that is not its own\nend 1\n"},
    {GS_STR_INIT("\x05\x0d"
		 "aaaa"),
	"invalid 1:1: a field of the family has a wire type that is not its own\nend 1\n"},
    {GS_STR_INIT("\x02\x10\x01"), "invalid 1:1: a field of the family has a wire type that is not its own\nend 1\n"},
    {GS_STR_INIT("\x02\x1a\x00"), "invalid 1:1: a field of the family has a wire type that is not its own\nend 1\n"},
    {GS_STR_INIT("\x02\x20\x01"), "invalid 1:1: a field of the family has a wire type that is not its own\nend 1\n"},
    {GS_STR_INIT("\x02\x28\x01"), "invalid 1:1: a field of the family has a wire type that is not its own\nend 1\n"},
    /* fields */
    {GS_STR_INIT("\x03\x0a\x02"
		 "a"),
	"invalid 1:1: a field is longer than what it stands in\nend 1\n"},
    {GS_STR_INIT("\x0c\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
		 "a"),
	"invalid 1:1: a field is longer than what it stands in\nend 1\n"},
    {GS_STR_INIT("\x08\x41"
		 "1234567"),
	"invalid 1:1: a field is longer than what it stands in\nend 1\n"},
    {GS_STR_INIT("\x04\x45"
		 "123"),
	"invalid 1:1: a field is longer than what it stands in\nend 1\n"},
    {GS_STR_INIT("\x02\x18\x80"), "invalid 1:1: a field is no whole varint\nend 1\n"},
    {GS_STR_INIT("\x05\x0a\x01"
		 "a\x18\x06"),
	"invalid 1:4: unknown type 6 of metric \"a\"\nend 1\n"},
    {GS_STR_INIT("\x0e\x0a\x01"
		 "a\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	"invalid 1:4: unknown type 18446744073709551615 of metric \"a\"\nend 1\n"},
    /* texts */
    {GS_STR_INIT("\x02\x0a\x00"), "invalid 1:3: the family has no name\nend 1\n"},
    {GS_STR_INIT("\x03\x0a\x01\xff"), "invalid 1:3: the metric name \"\\xff\" is not UTF-8\nend 1\n"},
    {GS_STR_INIT("\x06\x0a\x01"
		 "a\x12\x01\xc0"),
	"invalid 1:6: the HELP text of \"a\" is not UTF-8\nend 1\n"},
    {GS_STR_INIT("\x06\x0a\x01"
		 "a\x2a\x01\xc0"),
	"invalid 1:6: the unit of \"a\" is not UTF-8\nend 1\n"},
    {GS_STR_INIT("\x08\x0a\x06"
		 "a.\xc3\xa4 b"),
	"1T a.\xc3\xa4 b counter\nend 1\n"},
    /* no text and no other format */
    {GS_STR_INIT("a 1\n"), "invalid 1:4: the body ends within a message\n"},
    {GS_STR_INIT("\x03"
		 "a 1"),
	"invalid 1:1: a field is longer than what it stands in\nend 1\n"},
};

static void test_hostile(void **state) {
	(void)state;
	for (size_t i = 0; i < COUNT(hostile); i++)
		pb_check(hostile[i].body, hostile[i].events);
}

/* What was wrong is left out, and what follows it is read. */
static void test_recover(void **state) {
	(void)state;
	struct gs_buf body;
	gs_buf_init(&body, 1 << 16);
	pb_put(&body, some_family("a_seconds"));
	pb_raw(&body, GS_STR("\x0f"));
	Gs__Expo__MetricFamily *family = some_family("b_seconds");
	pb_label(pb_metric(family), "", "x");
	pb_metric(family)->gauge = pb_gauge(3);
	pb_put(&body, family);
	pb_put(&body, some_family("c_seconds"));
	pb_check(
	    gs_buf_slice(&body), SOME(1, "a_seconds") "invalid 2:1: a field has an unknown wire type\n" SOME(3,
				     "b_seconds") "invalid 3:44: a label of metric \"b_seconds\" has no name\n" SOME(4,
				     "c_seconds") "end 4\n");
	gs_buf_free(&body);
}

/* A message that is too long goes by piece by piece; what follows it is read. */
static void test_long_message(void **state) {
	(void)state;
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_error err;
	static char piece[1 << 20];
	size_t n = GS_LIMIT_SCRAPE_BODY + 1 - sizeof(piece);
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, GS_STR("\x81\x80\x80\x20"), false);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_ELIMIT);
	assert_int_equal(gs_expo_used(parser), 0);
	assert_true(gs_expo_recover(parser));
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_EAGAIN);
	assert_int_equal(gs_expo_used(parser), 4);
	for (size_t at = 0; at < n; at += sizeof(piece)) {
		gs_expo_feed(parser, gs_str_make(piece, n - at < sizeof(piece) ? n - at : sizeof(piece)), false);
		assert_int_equal(gs_expo_next(parser, &event, &err), GS_EAGAIN);
		assert_int_equal(gs_expo_used(parser), n - at < sizeof(piece) ? n - at : sizeof(piece));
	}
	gs_expo_feed(parser, gs_str_make(piece, sizeof(piece)), false);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_EAGAIN);
	gs_expo_feed(parser, GS_STR("\x03\x0a\x01z"), true);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_OK);
	assert_int_equal(event.kind, GS_EXPO_TYPE);
	assert_int_equal(event.line, 2);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_OK);
	assert_int_equal(event.kind, GS_EXPO_END);
	gs_expo_parser_free(parser);
}

/* A family whose name, help or unit has n bytes, behind the name "a_" where it is a unit. */
static void check_length(int field, size_t n, const char *events) {
	struct gs_buf out, body;
	gs_buf_init(&out, 1 << 20);
	gs_buf_init(&body, 1 << 20);
	char *text = malloc(n + 1);
	memset(text, 'x', n);
	text[n] = '\0';
	Gs__Expo__MetricFamily *family = pb_family(field == 1 ? text : "a", GS__EXPO__METRIC_TYPE__GAUGE);
	if (field == 2)
		pb_help(family, text);
	if (field == 5)
		pb_unit(family, text);
	pb_put(&body, family);
	pb_parse_whole(gs_buf_slice(&body), 0, &out);
	if (events != NULL)
		assert_string_equal(out.p, events);
	else
		assert_string_equal(out.p + out.n - 7, "end 1\n");
	free(text);
	gs_buf_free(&out);
	gs_buf_free(&body);
}

#define X10 "xxxxxxxxxx"
#define X64 X10 X10 X10 X10 X10 X10 "xxxx"

static void test_limits(void **state) {
	(void)state;
	check_length(1, GS_LIMIT_NAME, NULL);
	check_length(1, GS_LIMIT_NAME + 1, "limit 1:4: the metric name \"" X64 "...\" is longer than 1024 bytes\n");
	check_length(2, GS_LIMIT_LABEL_VALUE, NULL);
	check_length(2, GS_LIMIT_LABEL_VALUE + 1, "limit 1:8: the HELP text of \"a\" is longer than 65536 bytes\n");
	check_length(5, GS_LIMIT_LABEL_VALUE + 1, "limit 1:10: the unit of \"a\" is longer than 65536 bytes\n");
}

static void test_max_samples(void **state) {
	(void)state;
	struct gs_buf out, body;
	gs_buf_init(&out, 1 << 16);
	gs_buf_init(&body, 1 << 16);
	Gs__Expo__MetricFamily *family = pb_family("h", GS__EXPO__METRIC_TYPE__HISTOGRAM);
	pb_metric(family)->histogram = pb_histogram(2, 3);
	pb_put(&body, family);
	pb_parse_whole(gs_buf_slice(&body), 3, &out);
	assert_string_equal(out.p, "1T h histogram\n1S h_bucket{le=+Inf} 2 bucket:+Inf of h histogram\n"
				   "1S h_sum{} 3 sum of h histogram +\n1S h_count{} 2 count of h histogram +\nend 1\n");
	gs_buf_clear(&out);
	pb_parse_whole(gs_buf_slice(&body), 2, &out);
	assert_string_equal(out.p, "1T h histogram\n1S h_bucket{le=+Inf} 2 bucket:+Inf of h histogram\n"
				   "1S h_sum{} 3 sum of h histogram +\nlimit 1:6: more than 2 samples\n");
	gs_buf_free(&out);
	gs_buf_free(&body);
}

/* A window may be fed anew, longer, while a message of it is being read. */
static void test_feed_within_message(void **state) {
	(void)state;
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf out, body;
	gs_buf_init(&out, 1 << 16);
	gs_buf_init(&body, 1 << 16);
	pb_put(&body, some_family("a_seconds"));
	pb_put(&body, some_family("b_seconds"));
	gs_expo_begin(parser, &options);
	size_t used = 0;
	struct gs_expo_event event = {.kind = GS_EXPO_HELP};
	while (event.kind != GS_EXPO_END) {
		char *window = pb_window(gs_buf_slice(&body), used, body.n);
		gs_expo_feed(parser, gs_str_make(window, body.n - used), true);
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		if (event.kind != GS_EXPO_END)
			pb_dump_event(&out, &event);
		used += gs_expo_used(parser);
		free(window);
	}
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, SOME(1, "a_seconds") SOME(2, "b_seconds"));
	assert_int_equal(used, body.n);
	gs_buf_free(&out);
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
}

/* The same parser reads text after protobuf and the other way round, whatever state it was left in. */
static void test_begin_anew(void **state) {
	(void)state;
	struct gs_expo_options options = {.format = GS_FORMAT_PROTOBUF};
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	for (int i = 0; i < 2; i++) {
		gs_expo_begin(parser, &options);
		gs_expo_feed(parser, GS_STR("\x06\x0a\x01z\x12\x01h"), false);
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		assert_int_equal(event.kind, GS_EXPO_HELP);
		gs_expo_begin(parser, &options);
		gs_expo_feed(parser, GS_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), false);
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EINVAL);
		assert_false(gs_expo_recover(parser));
		gs_expo_begin_text(parser, GS_STR("x 1\n"));
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		assert_int_equal(event.kind, GS_EXPO_SAMPLE);
	}
	gs_expo_parser_free(parser);
}

static int teardown(void **state) {
	(void)state;
	pb_free();
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_nothing, teardown),
	    cmocka_unit_test_teardown(test_families, teardown),
	    cmocka_unit_test_teardown(test_types, teardown),
	    cmocka_unit_test_teardown(test_fields, teardown),
	    cmocka_unit_test_teardown(test_units, teardown),
	    cmocka_unit_test_teardown(test_hostile, teardown),
	    cmocka_unit_test_teardown(test_recover, teardown),
	    cmocka_unit_test_teardown(test_long_message, teardown),
	    cmocka_unit_test_teardown(test_limits, teardown),
	    cmocka_unit_test_teardown(test_max_samples, teardown),
	    cmocka_unit_test_teardown(test_feed_within_message, teardown),
	    cmocka_unit_test_teardown(test_begin_anew, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
