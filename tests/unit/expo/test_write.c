/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dump.h"
#include "gravel/base/mem.h"

/* Assert that out holds text, and empty it. */
static void assert_text(struct gs_buf *out, const char *text) {
	gs_buf_char(out, '\0');
	assert_int_equal(out->status, GS_OK);
	assert_string_equal(out->p, text);
	gs_buf_clear(out);
}

static void test_meta(void **state) {
	(void)state;
	struct gs_buf out;
	gs_buf_init(&out, 10000);
	gs_expo_write_meta(&out, GS_STR("a"), GS_TYPE_COUNTER, GS_STR("The help."));
	assert_text(&out, "# HELP a The help.\n# TYPE a counter\n");
	gs_expo_write_meta(&out, GS_STR("a"), GS_TYPE_UNTYPED, (struct gs_str){0});
	assert_text(&out, "# TYPE a untyped\n");
	gs_expo_write_meta(&out, GS_STR("a"), GS_TYPE_SUMMARY, GS_STR("\\a\n\"b\"\n"));
	assert_text(&out, "# HELP a \\\\a\\n\"b\"\\n\n# TYPE a summary\n");
	gs_buf_free(&out);
}

/* Readers of 0.0.4 refuse the type words of OpenMetrics. */
static void test_meta_of_openmetrics_types(void **state) {
	(void)state;
	struct gs_buf out;
	gs_buf_init(&out, 10000);
	gs_expo_write_meta(&out, GS_STR("a"), GS_TYPE_INFO, (struct gs_str){0});
	assert_text(&out, "# TYPE a gauge\n");
	gs_expo_write_meta(&out, GS_STR("a"), GS_TYPE_STATESET, (struct gs_str){0});
	assert_text(&out, "# TYPE a gauge\n");
	gs_expo_write_meta(&out, GS_STR("a"), GS_TYPE_GAUGEHISTOGRAM, (struct gs_str){0});
	assert_text(&out, "# TYPE a histogram\n");
	gs_buf_free(&out);
}

static void test_label(void **state) {
	(void)state;
	struct gs_buf out;
	gs_buf_init(&out, 10000);
	gs_expo_write_label(&out, true, GS_STR("a"), GS_STR("b"));
	gs_expo_write_label(&out, false, GS_STR("c"), (struct gs_str){0});
	gs_expo_write_label(&out, false, GS_STR("d"), GS_STR("\\x\"y\nz\\"));
	assert_text(&out, "a=\"b\",c=\"\",d=\"\\\\x\\\"y\\nz\\\\\"");
	gs_buf_free(&out);
}

static void test_sample(void **state) {
	(void)state;
	struct gs_buf out;
	struct gs_label labels[2] = {{GS_STR("a"), GS_STR("b")}, {GS_STR("c"), GS_STR("d")}};
	struct gs_label le = {GS_STR("le"), GS_STR("+Inf")};
	gs_buf_init(&out, 10000);
	gs_expo_write_sample(&out, GS_STR("m"), (struct gs_str){0}, NULL, 0, NULL, 1);
	assert_text(&out, "m 1\n");
	gs_expo_write_sample(&out, GS_STR("m"), GS_STR("_sum"), labels, 2, NULL, 0.5);
	assert_text(&out, "m_sum{a=\"b\",c=\"d\"} 0.5\n");
	gs_expo_write_sample(&out, GS_STR("m"), GS_STR("_bucket"), labels, 1, &le, INFINITY);
	assert_text(&out, "m_bucket{a=\"b\",le=\"+Inf\"} +Inf\n");
	gs_expo_write_sample(&out, GS_STR("m"), GS_STR("_bucket"), NULL, 0, &le, NAN);
	assert_text(&out, "m_bucket{le=\"+Inf\"} NaN\n");
	gs_expo_write_sample(&out, GS_STR("m"), (struct gs_str){0}, NULL, 0, NULL, -1.5e300);
	assert_text(&out, "m -1.5e+300\n");
	gs_buf_free(&out);
}

/* A value of any bytes comes back as it was, and so does a HELP text. */
static void test_round_trip_of_texts(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf out;
	uint32_t seed = 1;
	static const char alphabet[] = "ab\\\\\"\"\n\nn q{},=\t#";
	gs_buf_init(&out, 10000);
	for (int i = 0; i < 20000; i++) {
		char text[24];
		struct gs_str s = gs_str_make(text, i % (int)sizeof(text));
		for (size_t k = 0; k < s.n; k++) {
			seed = seed * 1664525 + 1013904223;
			text[k] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		struct gs_label label = {GS_STR("l"), s};
		struct gs_expo_event event;
		gs_buf_clear(&out);
		gs_expo_write_meta(&out, GS_STR("m"), GS_TYPE_GAUGE, s);
		gs_expo_write_sample(&out, GS_STR("m"), (struct gs_str){0}, &label, 1, NULL, i);
		gs_expo_begin_text(parser, gs_buf_slice(&out));
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		if (s.n != 0) {
			assert_int_equal(event.kind, GS_EXPO_HELP);
			assert_true(gs_str_eq(event.text, s));
			assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		}
		assert_int_equal(event.kind, GS_EXPO_TYPE);
		assert_int_equal(event.type, GS_TYPE_GAUGE);
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		assert_true(event.value == i && event.nlabels == 1);
		assert_true(gs_str_eq(event.labels[0].value, s));
	}
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

static void write_all(struct gs_buf *out) {
	struct gs_label label = {GS_STR("label"), GS_STR("a\nb")};
	for (int i = 0; i < 200; i++) {
		gs_expo_write_meta(out, GS_STR("name"), GS_TYPE_GAUGE, GS_STR("help\n"));
		gs_expo_write_sample(out, GS_STR("name"), GS_STR("_sum"), &label, 1, &label, 0.1);
	}
}

static void test_no_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int n = 0; failed; n++) {
		struct gs_buf out;
		gs_buf_init(&out, 1 << 20);
		gs_mem_fail_after(n);
		write_all(&out);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(out.status, failed ? GS_ENOMEM : GS_OK);
		gs_buf_free(&out);
		assert_in_range(n, 0, 100);
	}
}

static void test_full_buffer(void **state) {
	(void)state;
	struct gs_buf out;
	gs_buf_init(&out, 1000);
	write_all(&out);
	assert_int_equal(out.status, GS_ELIMIT);
	assert_true(out.n <= 1000);
	gs_buf_free(&out);
}

/* Whatever room there is: the line is written exactly when it fits. */
static void test_sample_at_every_limit(void **state) {
	(void)state;
	static const char text[] = "name_sum{a=\"q\\\"b\\\\n\\n\",le=\"+Inf\"} 0.25\n";
	const struct gs_label label = {GS_STR("a"), GS_STR("q\"b\\n\n")}, extra = {GS_STR("le"), GS_STR("+Inf")};
	for (size_t max = 0; max < 200; max++) {
		struct gs_buf out;
		gs_buf_init(&out, max);
		gs_expo_write_sample(&out, GS_STR("name"), GS_STR("_sum"), &label, 1, &extra, 0.25);
		gs_buf_check(&out);
		assert_int_equal(out.status, max >= sizeof(text) - 1 ? GS_OK : GS_ELIMIT);
		if (out.status == GS_OK)
			assert_true(gs_str_eq(gs_buf_slice(&out), gs_str_of(text)));
		gs_buf_free(&out);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_meta),
	    cmocka_unit_test(test_meta_of_openmetrics_types),
	    cmocka_unit_test(test_label),
	    cmocka_unit_test(test_sample),
	    cmocka_unit_test(test_sample_at_every_limit),
	    cmocka_unit_test(test_round_trip_of_texts),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_full_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
