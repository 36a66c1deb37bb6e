/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

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

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_clearmode),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
