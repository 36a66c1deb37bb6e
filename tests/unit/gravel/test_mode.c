/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel_test.h"

#include "gravel/gravel/mode.h"

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
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_mode mode = {0};
		struct gs_buf out;
		gs_buf_init(&out, 64);
		assert_int_equal(gs_mode_parse(gs_str_of(rows[i].text), &mode, NULL), GS_OK);
		assert_int_equal(mode.kind, rows[i].mode.kind);
		assert_int_equal(mode.agg, rows[i].mode.agg);
		assert_int_equal(mode.window_ms, rows[i].mode.window_ms);
		gs_mode_print(&out, &mode);
		assert_true(gs_str_eq(gs_buf_slice(&out), gs_str_of(rows[i].printed)));
		gs_buf_free(&out);
	}
}

static void test_invalid(void **state) {
	(void)state;
	static const char *const texts[] = {"", "agregate", "Sum", "sum5", "sum0s", "mean", "5m", "sum-5m", "sum5mm",
	    "sum 5m", "median5m", "sum::5m", "family5m"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct gs_mode mode;
		struct gs_error err = {0};
		assert_int_equal(gs_mode_parse(gs_str_of(texts[i]), &mode, &err), GS_EINVAL);
		assert_non_null(strstr(err.text, "aggregate, sum, replace, family, info"));
	}
	struct gs_mode mode;
	struct gs_error err = {0};
	assert_int_equal(gs_mode_parse(GS_STR("sum2y"), &mode, &err), GS_ELIMIT);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_invalid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
