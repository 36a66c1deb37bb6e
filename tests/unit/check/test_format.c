/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/check/check.h"

struct guess {
	const char *head;
	enum gs_expo_format format;
};

static void test_tail(void **state) {
	(void)state;
	static const struct guess cases[] = {
	    {"", GS_FORMAT_TEXT},
	    {"a 1\n", GS_FORMAT_TEXT},
	    {"a 1\n# EOF\n", GS_FORMAT_OPENMETRICS},
	    {"a 1\n# EOF", GS_FORMAT_OPENMETRICS},
	    {"# EOF\n", GS_FORMAT_OPENMETRICS},
	    {"# EOF", GS_FORMAT_OPENMETRICS},
	    /* Meant to be, and wrong as OpenMetrics. */
	    {"a 1\r\n# EOF\r\n", GS_FORMAT_OPENMETRICS},
	    {"a 1\n# EOF\n\n", GS_FORMAT_OPENMETRICS},
	    {"a 1\n# EOF\nb 1\n", GS_FORMAT_TEXT},
	    {"a 1\n## EOF\n", GS_FORMAT_TEXT},
	    {"a 1\nx # EOF\n", GS_FORMAT_TEXT},
	    {"a 1\n# EO", GS_FORMAT_TEXT},
	    /* What is known of the end counts more than what the head looks like. */
	    {"# UNIT a_seconds seconds\n# TYPE a_seconds info\n", GS_FORMAT_TEXT},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gs_str body = gs_str_of(cases[i].head);
		if (gs_check_format(GS_STR("<stdin>"), body, &body) != cases[i].format)
			fail_msg("case %zu: %s", i, cases[i].head);
	}
}

static void test_head_alone(void **state) {
	(void)state;
	static const struct guess cases[] = {
	    {"", GS_FORMAT_TEXT}, {"a 1\n", GS_FORMAT_TEXT},
	    {"# HELP a A.\n# UNIT a_seconds seconds\n", GS_FORMAT_OPENMETRICS},
	    {"# TYPE a unknown\n", GS_FORMAT_OPENMETRICS}, {"# TYPE a info\na_info 1\n", GS_FORMAT_OPENMETRICS},
	    {"b 1\n# TYPE a stateset\n", GS_FORMAT_OPENMETRICS}, {"# TYPE a gaugehistogram\n", GS_FORMAT_OPENMETRICS},
	    {"# TYPE a untyped\n", GS_FORMAT_TEXT}, {"# TYPE a counter\na 1\n", GS_FORMAT_TEXT},
	    {"# TYPE a_total counter\na_total 1\n", GS_FORMAT_TEXT},
	    {"# TYPE a counter\na_total 1\n", GS_FORMAT_OPENMETRICS},
	    {"# TYPE a counter\n# HELP a A.\na_total{b=\"c\"} 1\n", GS_FORMAT_OPENMETRICS},
	    {"# TYPE a gauge\na_total 1\n", GS_FORMAT_TEXT}, {"# TYPE a counter\na_totals 1\n", GS_FORMAT_TEXT},
	    {"# TYPE a counter\n# TYPE b gauge\na_total 1\n", GS_FORMAT_TEXT},
	    {"# TYPE a counter\na_total", GS_FORMAT_TEXT}, /* the line may go on */
	    {"# HELP a # UNIT x y\n# this is no TYPE x info\n#TYPE a info\n", GS_FORMAT_TEXT},
	    {"a 1\n# EOF\n", GS_FORMAT_TEXT}, /* a comment, and more may follow */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (gs_check_format(GS_STR("a.txt"), gs_str_of(cases[i].head), NULL) != cases[i].format)
			fail_msg("case %zu: %s", i, cases[i].head);
	}
}

static void test_name(void **state) {
	(void)state;
	static const struct guess cases[] = {
	    {"a.prom", GS_FORMAT_TEXT},
	    {"a.om", GS_FORMAT_OPENMETRICS},
	    {"x/a.openmetrics", GS_FORMAT_OPENMETRICS},
	    {"a.pb", GS_FORMAT_PROTOBUF},
	    {"a.binpb", GS_FORMAT_PROTOBUF},
	    {"a.protobuf", GS_FORMAT_PROTOBUF},
	    {"a.om.gz", GS_FORMAT_OPENMETRICS},
	    {"a.pb.zst", GS_FORMAT_PROTOBUF},
	    {"a.txt", GS_FORMAT_TEXT},
	    {"a.prometheus", GS_FORMAT_TEXT},
	    {"prom", GS_FORMAT_TEXT},
	    {"", GS_FORMAT_TEXT},
	};
	struct gs_str text = GS_STR("a 1\n"), eof = GS_STR("a 1\n# EOF\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (gs_check_format(gs_str_of(cases[i].head), text, &text) != cases[i].format)
			fail_msg("%s", cases[i].head);
	}
	assert_int_equal(gs_check_format(GS_STR("a.prom"), eof, &eof), GS_FORMAT_TEXT);
	assert_int_equal(gs_check_format(GS_STR("a.pb"), eof, &eof), GS_FORMAT_PROTOBUF);
}

#define A_MESSAGE                                                                                                      \
	"\x05\x0a\x01"                                                                                                 \
	"a\x18\x01"

static void test_protobuf(void **state) {
	(void)state;
	static const struct {
		struct gs_str head;
		bool protobuf;
	} cases[] = {
	    {GS_STR_INIT(A_MESSAGE), true},
	    {GS_STR_INIT("\x04\x0a\x02"
			 "ab"),
		true},
	    {GS_STR_INIT("\x84\x01\x0a\x02"
			 "ab"),
		true},
	    {GS_STR_INIT("\x06\x0a\x04\xc3\xa4\xc3\xb6"), true},
	    {GS_STR_INIT("\x04\x0a\x03"
			 "abc"),
		false}, /* the name is longer than the message */
	    {GS_STR_INIT("\x04\x0a\x02"
			 "a"),
		false}, /* or than all that is there */
	    {GS_STR_INIT("\x04\x0a\x02"
			 "a\n"),
		false},
	    {GS_STR_INIT("\x04\x0a\x02"
			 "a\xff"),
		false},
	    {GS_STR_INIT("\x04\x12\x02"
			 "ab"),
		false},
	    {GS_STR_INIT("\x02\x0a\x00"), false},
	    {GS_STR_INIT("\xff\xff\xff\xff\xff\x0a\x02"
			 "ab"),
		false},
	    {GS_STR_INIT("\x04"), false},
	    {GS_STR_INIT("\x04\x0a"), false},
	    {GS_STR_INIT("\xff"), false},
	    /* What a text may begin with. */
	    {GS_STR_INIT("\n\n# HELP a A.\na 1\n"), false},
	    {GS_STR_INIT("\t\n\ta 1\n"), false},
	    {GS_STR_INIT("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\na 1\n"), false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool got = gs_check_format(GS_STR("a"), cases[i].head, NULL) == GS_FORMAT_PROTOBUF;
		if (got != cases[i].protobuf)
			fail_msg("case %zu", i);
	}
	/* Its contents count more than its name. */
	assert_int_equal(gs_check_format(GS_STR("a.prom"), GS_STR(A_MESSAGE), NULL), GS_FORMAT_PROTOBUF);
	char name[3 + 2 * GS_LIMIT_NAME] = "\xff\x7f\x0a\x81\x08";
	memset(name + 5, 'a', sizeof(name) - 5);
	assert_int_equal(gs_check_format(GS_STR("a"), gs_str_make(name, sizeof(name)), NULL), GS_FORMAT_TEXT);
	name[3] = '\x80';
	assert_int_equal(gs_check_format(GS_STR("a"), gs_str_make(name, sizeof(name)), NULL), GS_FORMAT_PROTOBUF);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tail),
	    cmocka_unit_test(test_head_alone),
	    cmocka_unit_test(test_name),
	    cmocka_unit_test(test_protobuf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
