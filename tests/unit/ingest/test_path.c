/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <string.h>

#include "gravel/ingest/path.h"

/* Split at '|' and parse. */
static enum gs_status parse(const char *text, struct gs_arena *arena, struct gs_path *path, struct gs_error *err) {
	struct gs_str segments[80], rest = gs_str_of(text);
	size_t n = 0;
	for (bool more = rest.n != 0; more;)
		more = gs_str_cut(rest, '|', &segments[n++], &rest);
	return gs_path_parse(segments, n, arena, path, err);
}

static void test_valid(void **state) {
	(void)state;
	static const struct {
		const char *text;
		size_t n;
		const char *last_name;
		const char *last_value;
	} rows[] = {
	    {"job|x", 1, "job", "x"},
	    {"job|x|instance|a b/c", 2, "instance", "a b/c"},
	    {"job@base64|L3Zhci90bXA", 1, "job", "/var/tmp"},
	    {"job@base64|L3Zhci90bXA=", 1, "job", "/var/tmp"},
	    {"job@base64|Pz8_Pg", 1, "job", "\?\?\?>"},
	    {"job@base64|Pz8/Pg==", 1, "job", "\?\?\?>"},
	    {"job|x|zone@base64|=", 2, "zone", ""},
	    {"job|", 1, "job", ""},
	    {"job|ünï", 1, "job", "ünï"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_arena *arena = gs_arena_new(1 << 20);
		struct gs_path path;
		assert_int_equal(parse(rows[i].text, arena, &path, NULL), GS_OK);
		assert_int_equal(path.nlabels, rows[i].n);
		assert_true(gs_str_eq(path.labels[path.nlabels - 1].name, gs_str_of(rows[i].last_name)));
		assert_true(gs_str_eq(path.labels[path.nlabels - 1].value, gs_str_of(rows[i].last_value)));
		gs_arena_free(arena);
	}
}

static void test_clearmode(void **state) {
	(void)state;
	struct gs_arena *arena = gs_arena_new(1 << 20);
	struct gs_path path;
	assert_int_equal(parse("job|x|clearmode|sum5m", arena, &path, NULL), GS_OK);
	assert_int_equal(path.nlabels, 1);
	assert_int_equal(path.mode.kind, GS_MODE_PEBBLE);
	gs_arena_free(arena);
}

static void test_invalid(void **state) {
	(void)state;
	static const struct {
		const char *text;
		const char *reason;
	} rows[] = {
	    {"job", "has no value"},
	    {"job|x|instance", "\"instance\" has no value"},
	    {"1job|x", "not a label name"},
	    {"__name__|x", "not a label name"},
	    {"|x", "not a label name"},
	    {"job|x|job|y", "comes twice"},
	    {"job|\xff", "not UTF-8"},
	    {"job@base64|_w", "not UTF-8"},
	    {"job@base64|a!", "not base64"},
	    {"job@base64|a", "not base64"},
	    {"job@base64|Zh", "not base64"},
	    {"clearmode|nope", "unknown clearmode \"nope\""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_arena *arena = gs_arena_new(1 << 20);
		struct gs_path path;
		struct gs_error err = {0};
		assert_int_equal(parse(rows[i].text, arena, &path, &err), GS_EINVAL);
		if (strstr(err.text, rows[i].reason) == NULL)
			fail_msg("%s: \"%s\" lacks \"%s\"", rows[i].text, err.text, rows[i].reason);
		gs_arena_free(arena);
	}
}

static void test_too_many(void **state) {
	(void)state;
	char text[1024] = "";
	struct gs_arena *arena = gs_arena_new(1 << 20);
	struct gs_path path;
	size_t at = 0;
	for (char c = 0; c < GS_PATH_LABELS_MAX + 1; c++) {
		text[at++] = 'l';
		text[at++] = (char)('a' + c % 26);
		text[at++] = (char)('a' + c / 26);
		text[at++] = '|';
		text[at++] = 'v';
		text[at++] = '|';
	}
	text[at - 1] = '\0';
	assert_int_equal(parse(text, arena, &path, NULL), GS_ELIMIT);
	text[at - 7] = '\0';
	assert_int_equal(parse(text, arena, &path, NULL), GS_OK);
	gs_arena_free(arena);
}

/* Labels as "name=value|name=value". */
static void assert_labels(const struct gs_path *path, const char *wanted) {
	char text[1024];
	size_t n = 0;
	for (size_t i = 0; i < path->nlabels; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s=%.*s", i != 0 ? "|" : "",
		    GS_FMT(path->labels[i].name), GS_FMT(path->labels[i].value));
	text[n] = '\0';
	assert_string_equal(text, wanted);
}

static void test_gateway_valid(void **state) {
	(void)state;
	static const struct {
		const char *path;
		const char *labels;
	} rows[] = {
	    {"job/x", "job=x"},
	    {"job/x/", "job=x"},
	    {"job@base64/L3Zhci90bXA", "job=/var/tmp"},
	    {"job@base64/L3Zhci90bXA===", "job=/var/tmp"},
	    {"job@base64/Pz8_Pg", "job=\?\?\?>"},
	    {"job@base64/eB", "job=x"},
	    {"job/x/zone/z/instance/y", "instance=y|job=x|zone=z"},
	    {"job/x/l/1/l/2", "job=x|l=2"},
	    {"job/x/job/y", "job=x"},
	    {"job/x/job@base64/eQ/a/1", "a=1|job=x"},
	    {"job/x/l@base64/=", "job=x|l="},
	    {"job/x/l@base64/", "job=x|l="},
	    {"job/x/l/", "job=x|l="},
	    {"job/x/clearmode/nonsense", "clearmode=nonsense|job=x"},
	    {"job/x/l/.", "job=x|l=."},
	    {"job/ü", "job=ü"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_arena *arena = gs_arena_new(1 << 20);
		struct gs_path path;
		struct gs_error err = {0};
		if (gs_path_parse_gateway(gs_str_of(rows[i].path), arena, &path, &err) != GS_OK)
			fail_msg("%s: %s", rows[i].path, err.text);
		assert_labels(&path, rows[i].labels);
		assert_int_equal(path.mode.kind, GS_MODE_DEFAULT);
		gs_arena_free(arena);
	}
}

static void test_gateway_invalid(void **state) {
	(void)state;
	static const struct {
		const char *path;
		enum gs_status status;
		const char *reason;
	} rows[] = {
	    {"", GS_ENOTFOUND, "not found"},
	    {"job", GS_ENOTFOUND, "not found"},
	    {"job/", GS_ENOTFOUND, "not found"},
	    {"job@base64/", GS_ENOTFOUND, "not found"},
	    {"jobs/x", GS_ENOTFOUND, "not found"},
	    {"instance/y/job/x", GS_ENOTFOUND, "not found"},
	    {"JOB/x", GS_ENOTFOUND, "not found"},
	    {"job//", GS_EINVAL, "empty segment"},
	    {"job//x", GS_EINVAL, "empty segment"},
	    {"job/x//", GS_EINVAL, "empty segment"},
	    {"job/x/l//m/1", GS_EINVAL, "empty segment"},
	    {"job/x/l", GS_EINVAL, "odd number"},
	    {"job/x/l/1/", GS_EINVAL, "odd number"},
	    {"job/x/l/1/m", GS_EINVAL, "odd number"},
	    {"job@base64/=", GS_EINVAL, "job name is required"},
	    {"job@base64/e*", GS_EINVAL, "\"job\" is not base64"},
	    {"job@base64/Pz8+Pg", GS_EINVAL, "\"job\" is not base64"},
	    {"job@base64/eAAAA", GS_EINVAL, "\"job\" is not base64"},
	    {"job/x/l@base64/e*", GS_EINVAL, "\"l\" is not base64"},
	    {"job/x/l@base64/_w", GS_EINVAL, "\"l\" is not UTF-8"},
	    {"job/\xff", GS_EINVAL, "\"job\" is not UTF-8"},
	    {"job/x/1l/1", GS_EINVAL, "improper label name \"1l\""},
	    {"job/x/__l/1", GS_EINVAL, "improper label name \"__l\""},
	    {"job/x/@base64/eA", GS_EINVAL, "improper label name \"\""},
	    {"job/x/ü/1", GS_EINVAL, "improper label name"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_arena *arena = gs_arena_new(1 << 20);
		struct gs_path path;
		struct gs_error err = {0};
		enum gs_status status = gs_path_parse_gateway(gs_str_of(rows[i].path), arena, &path, &err);
		if (status != rows[i].status || strstr(err.text, rows[i].reason) == NULL)
			fail_msg("%s: %s, \"%s\"", rows[i].path, gs_status_name(status), err.text);
		gs_arena_free(arena);
	}
}

static void test_gateway_limits(void **state) {
	(void)state;
	char text[1024] = "job/x";
	struct gs_arena *arena = gs_arena_new(1 << 20);
	struct gs_path path;
	size_t at = 5;
	for (int i = 0; i < GS_PATH_LABELS_MAX - 1; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "/l%d/v", i);
	assert_int_equal(gs_path_parse_gateway(gs_str_of(text), arena, &path, NULL), GS_OK);
	assert_int_equal(path.nlabels, GS_PATH_LABELS_MAX);
	snprintf(text + at, sizeof(text) - at, "/l0/w");
	assert_int_equal(gs_path_parse_gateway(gs_str_of(text), arena, &path, NULL), GS_OK);
	snprintf(text + at, sizeof(text) - at, "/m/w");
	assert_int_equal(gs_path_parse_gateway(gs_str_of(text), arena, &path, NULL), GS_ELIMIT);
	gs_arena_free(arena);

	struct gs_buf long_value;
	gs_buf_init(&long_value, SIZE_MAX);
	gs_buf_cstr(&long_value, "job/");
	for (int i = 0; i < GS_LIMIT_LABEL_VALUE; i++)
		gs_buf_char(&long_value, 'x');
	arena = gs_arena_new(1 << 20);
	assert_int_equal(gs_path_parse_gateway(gs_buf_slice(&long_value), arena, &path, NULL), GS_OK);
	gs_buf_char(&long_value, 'x');
	assert_int_equal(gs_path_parse_gateway(gs_buf_slice(&long_value), arena, &path, NULL), GS_ELIMIT);
	gs_buf_free(&long_value);
	gs_arena_free(arena);

	arena = gs_arena_new(8); /* no room for what base64 says */
	assert_int_equal(gs_path_parse_gateway(GS_STR("job@base64/L3Zhci90bXA"), arena, &path, NULL), GS_ENOMEM);
	gs_arena_free(arena);
}

static void test_ttl(void **state) {
	(void)state;
	static const char *const bad[] = {
	    "", "0", "0s", "soon", "5", "-5s", "1m1h", "5 s", "11y", "3661d", "99999999999999999999s"};
	int64_t ms = 0;
	struct gs_error err = {0};
	assert_int_equal(gs_path_parse_ttl(GS_STR("1ms"), &ms, NULL), GS_OK);
	assert_int_equal(ms, 1);
	assert_int_equal(gs_path_parse_ttl(GS_STR("1h30m"), &ms, NULL), GS_OK);
	assert_int_equal(ms, 5400000);
	assert_int_equal(gs_path_parse_ttl(GS_STR("3660d"), &ms, NULL), GS_OK);
	assert_int_equal(ms, GS_LIMIT_TTL_MS);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(gs_path_parse_ttl(gs_str_of(bad[i]), &ms, &err), GS_EINVAL);
	assert_int_equal(gs_path_parse_ttl(GS_STR("soon"), &ms, &err), GS_EINVAL);
	assert_string_equal(err.text, "ttl \"soon\": write a duration like 90s or 1h30m, of at most ten years");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_clearmode),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_gateway_valid),
	    cmocka_unit_test(test_gateway_invalid),
	    cmocka_unit_test(test_gateway_limits),
	    cmocka_unit_test(test_ttl),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
