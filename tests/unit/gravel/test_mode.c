/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel_test.h"

#include "gravel/gravel/mode.h"

#define PERCENTILE(milli, ms)                                                                                          \
	{ .kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_PERCENTILE, .percent_milli = (milli), .window_ms = (ms) }

static void test_valid(void **state) {
	(void)state;
	static const struct {
		const char *text;
		struct gs_mode mode;
		const char *printed;
	} rows[] = {
	    {"aggregate", {.kind = GS_MODE_AGGREGATE}, "aggregate"},
	    {"sum", {.kind = GS_MODE_AGGREGATE}, "aggregate"},
	    {"replace", {.kind = GS_MODE_REPLACE}, "replace"},
	    {"family", {.kind = GS_MODE_FAMILY}, "family"},
	    {"info", {.kind = GS_MODE_FAMILY}, "family"},
	    {"sum5m", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_SUM, .window_ms = 300000}, "sum5m"},
	    {"sum:5m", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_SUM, .window_ms = 300000}, "sum5m"},
	    {"mean1h30m", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_MEAN, .window_ms = 5400000}, "mean1h30m"},
	    {"avg90s", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_MEAN, .window_ms = 90000}, "mean1m30s"},
	    {"min", {.kind = GS_MODE_MIN}, "min"},
	    {"max", {.kind = GS_MODE_MAX}, "max"},
	    {"min5m", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_MIN, .window_ms = 300000}, "min5m"},
	    {"min:5m", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_MIN, .window_ms = 300000}, "min5m"},
	    {"max5ms", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_MAX, .window_ms = 5}, "max5ms"},
	    {"count1d", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_COUNT, .window_ms = 86400000}, "count1d"},
	    {"last:1d", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_LAST, .window_ms = 86400000}, "last1d"},
	    {"stddev1h", {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_STDDEV, .window_ms = 3600000}, "stddev1h"},
	    {"median1h", PERCENTILE(50000, 3600000), "median1h"},
	    {"p50:1h", PERCENTILE(50000, 3600000), "median1h"},
	    {"p99:5m", PERCENTILE(99000, 300000), "p99:5m"},
	    {"p99.9:1h", PERCENTILE(99900, 3600000), "p99.9:1h"},
	    {"p99.90:1h", PERCENTILE(99900, 3600000), "p99.9:1h"},
	    {"p0.001:1h", PERCENTILE(1, 3600000), "p0.001:1h"},
	    {"p00.050:1h", PERCENTILE(50, 3600000), "p0.05:1h"},
	    {"p0:1h", PERCENTILE(0, 3600000), "p0:1h"},
	    {"p100:1h", PERCENTILE(100000, 3600000), "p100:1h"},
	    {"p100.000:1h", PERCENTILE(100000, 3600000), "p100:1h"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_mode mode = {0};
		struct gs_buf out;
		gs_buf_init(&out, 64);
		assert_int_equal(gs_mode_parse(gs_str_of(rows[i].text), &mode, NULL), GS_OK);
		assert_int_equal(mode.kind, rows[i].mode.kind);
		assert_int_equal(mode.agg, rows[i].mode.agg);
		assert_int_equal(mode.window_ms, rows[i].mode.window_ms);
		assert_int_equal(mode.percent_milli, rows[i].mode.percent_milli);
		assert_true(gs_mode_same(&mode, &rows[i].mode));
		gs_mode_print(&out, &mode);
		assert_true(gs_str_eq(gs_buf_slice(&out), gs_str_of(rows[i].printed)));
		struct gs_mode again = {0};
		assert_int_equal(gs_mode_parse(gs_buf_slice(&out), &again, NULL), GS_OK);
		assert_true(gs_mode_same(&mode, &again));
		gs_buf_free(&out);
	}
}

/* Every percentile that can be written is printed as it reads back. */
static void test_percentiles_round_trip(void **state) {
	(void)state;
	for (uint32_t milli = 0; milli <= 100 * GS_PERCENT_SCALE; milli++) {
		struct gs_mode mode = PERCENTILE(milli, 60000), again = {0};
		struct gs_buf out;
		gs_buf_init(&out, 64);
		gs_mode_print(&out, &mode);
		assert_int_equal(gs_mode_parse(gs_buf_slice(&out), &again, NULL), GS_OK);
		assert_int_equal(again.percent_milli, milli);
		gs_buf_free(&out);
	}
}

static void test_same(void **state) {
	(void)state;
	const struct gs_mode modes[] = {
	    {.kind = GS_MODE_DEFAULT},
	    {.kind = GS_MODE_MIN},
	    {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_SUM, .window_ms = 1000},
	    {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_SUM, .window_ms = 2000},
	    {.kind = GS_MODE_PEBBLE, .agg = GS_PEBBLE_MIN, .window_ms = 1000},
	    PERCENTILE(99000, 1000),
	    PERCENTILE(99900, 1000),
	};
	for (size_t i = 0; i < 7; i++) {
		for (size_t k = 0; k < 7; k++)
			assert_int_equal(gs_mode_same(&modes[i], &modes[k]), i == k);
	}
	struct gs_mode unused = {.kind = GS_MODE_MIN, .agg = GS_PEBBLE_MAX, .percent_milli = 7, .window_ms = 9};
	assert_true(gs_mode_same(&modes[1], &unused));
}

static void test_invalid(void **state) {
	(void)state;
	static const char *const texts[] = {"", "agregate", "Sum", "sum5", "sum0s", "mean", "5m", "sum-5m", "sum5mm",
	    "sum 5m", "sum::5m", "family5m", "median", "median5", "count", "last", "stddev:", "min:", "minimum", "max5",
	    "p", "p99", "p99:", "p995m", "p:5m", "p.5:5m", "p5.:5m", "p99.9991:5m", "p100.001:5m", "p101:5m",
	    "p0099:5m", "p-1:5m", "p99:0s", "p99::5m", "99:5m", "P99:5m", "median50:5m"};
	static const char *const forms[] = {"aggregate, sum, replace, family, info, min, max,", "sum5m", "mean5m",
	    "avg5m", "min5m", "max5m", "count5m", "last5m", "median5m", "stddev5m", "p99:5m"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct gs_mode mode;
		struct gs_error err = {0};
		char quoted[64];
		if (gs_mode_parse(gs_str_of(texts[i]), &mode, &err) != GS_EINVAL)
			fail_msg("\"%s\" is taken", texts[i]);
		snprintf(quoted, sizeof(quoted), "\"%s\"", texts[i]);
		assert_non_null(strstr(err.text, quoted));
		for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++)
			assert_non_null(strstr(err.text, forms[f]));
	}
	static const char *const long_ones[] = {"sum2y", "p99:2y", "min:367d"};
	for (size_t i = 0; i < 3; i++) {
		struct gs_mode mode;
		struct gs_error err = {0};
		assert_int_equal(gs_mode_parse(gs_str_of(long_ones[i]), &mode, &err), GS_ELIMIT);
		assert_non_null(strstr(err.text, "1y1d"));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_percentiles_round_trip),
	    cmocka_unit_test(test_same),
	    cmocka_unit_test(test_invalid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
