/* SPDX-License-Identifier: Apache-2.0 */
/* Where two bodies go on alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "../../../lib/expo/resync.h"
#include "gravel/base/buf.h"
#include "gravel/base/mem.h"

/* The lines of a body of text, as the parser would tell them. */
static struct gs_lines lines_of(struct gs_str body) {
	struct gs_lines lines = {0};
	size_t at = 0;
	while (at < body.n) {
		struct gs_str content = gs_line_content(body.p + at, body.p + body.n);
		struct gs_line_meta meta;
		struct gs_line line = {.start = (uint32_t)at, .at = 1, .kind = GS_LINE_SAMPLE};
		const char *lf = memchr(body.p + at, '\n', body.n - at);
		assert_int_equal(gs_lines_reserve(&lines, lines.n + 1), GS_OK);
		at = lf != NULL ? (size_t)(lf - body.p) + 1 : body.n;
		if (gs_line_says_nothing(content)) {
			gs_lines_add_other(&lines, line.start);
			continue;
		}
		if (gs_line_is_meta(content, &meta))
			line.kind = meta.kind & 7;
		else
			line.at = gs_line_value(content) & GS_LINE_AT_MAX;
		gs_lines_add(&lines, line);
	}
	if (lines.n != 0)
		lines.lines[lines.n] = (struct gs_line){.start = (uint32_t)body.n};
	gs_lines_check(&lines, body.n);
	return lines;
}

struct found {
	enum gs_status status;
	size_t gone;
	size_t added;
};

static struct found find(struct gs_resync *resync, const char *previous, const char *next) {
	struct gs_lines lines = lines_of(gs_str_of(previous));
	struct gs_resync_place place = {.previous = gs_str_of(previous), .lines = &lines, .next = gs_str_of(next)};
	struct found found = {0};
	found.status = gs_resync_find(resync, &place, &found.gone, &found.added);
	gs_free(lines.lines);
	return found;
}

static void test_find(void **state) {
	static const struct {
		const char *previous;
		const char *next;
		size_t gone;
		size_t added;
	} cases[] = {
	    {"a 1\nb 1\n", "b 1\n", 1, 0},
	    {"b 1\n", "a 1\nb 1\n", 0, 1},
	    {"x 1\na 1\na 1\n", "a 1\n", 1, 0}, /* the first of two */
	    {"x 1\ny 1\na 1\na 1\n", "a 1\n", 2, 0},
	    {"a 1\nb 1\nc 1\n", "x 1\ny 1\nb 5\n", 1, 2},
	    {"a 1\nb 1\nc 1\n", "c 1\nb 1\na 1\n", 1, 1},
	    {"a 1\nx 1\ny 1\nz 1\n", "z 1\na 1\n", 0, 1}, /* nearer */
	    {"a 1\nb 1\nc 1\nd 1\n", "d 1\nx 1\ny 1\na 1\n", 3, 0}, /* as near as a is, and first */
	    {"a 1\n", "b 1\n", 1, SIZE_MAX},
	    {"a 1\n", "", 1, SIZE_MAX},
	    {"a 1\n", "a\n", 1, SIZE_MAX}, /* no value */
	    {"a 1\n", "a  1\n", 1, SIZE_MAX},
	    {"a 1\n", "a {b=\"c\"} 1\n", 1, SIZE_MAX},
	    {"a{b=\"c\"} 1\na{b=\"d\"} 2\n", "a{b=\"d\"} 3\n", 1, 0},
	    /* a TYPE between */
	    {"a 1\nb 1\n# TYPE c gauge\nc 1\n", "# TYPE b gauge\nb 1\n# TYPE c gauge\nc 1\n", 2, 2},
	    {"# TYPE a gauge\na 1\n", "a 1\n# TYPE a gauge\n", 0, 1},
	    {"# HELP a b\n# TYPE a gauge\n", "# TYPE a gauge\n", 1, 0},
	    {"# TYPE a gauge\r\n", "# HELP a b\n# TYPE a gauge\n", 0, 1},
	    /* comments are no mark */
	    {"# x\na 1\n", "# x\nb 1\na 1\n", 1, 2},
	    {"a 1\n\nb 1\n", "\n\nb 1\n", 2, 2},
	};
	struct gs_resync resync = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct found found = find(&resync, cases[i].previous, cases[i].next);
		assert_int_equal(found.status, GS_OK);
		if (found.gone != cases[i].gone || found.added != cases[i].added)
			fail_msg("case %zu: %zu gone, %zu added", i, found.gone, found.added);
	}
	gs_resync_free(&resync);
}

/* In OpenMetrics, HELP and UNIT begin a family too. */
static void test_context_of_openmetrics(void **state) {
	struct gs_str previous = GS_STR("x 1\na 1\n# TYPE c gauge\n"),
		      next = GS_STR("# HELP a b\na 1\n# TYPE c gauge\n");
	struct gs_lines lines = lines_of(previous);
	struct gs_resync_place place = {.previous = previous, .lines = &lines, .next = next};
	struct gs_resync resync = {0};
	size_t gone, added;
	(void)state;
	assert_int_equal(gs_resync_find(&resync, &place, &gone, &added), GS_OK);
	assert_int_equal(gone, 1);
	assert_int_equal(added, 1);
	place.openmetrics = true;
	assert_int_equal(gs_resync_find(&resync, &place, &gone, &added), GS_OK);
	assert_int_equal(gone, 2);
	assert_int_equal(added, 2);
	gs_free(lines.lines);
	gs_resync_free(&resync);
}

static void add_lines(struct gs_buf *out, const char *name, size_t from, size_t to) {
	for (size_t i = from; i < to; i++)
		gs_buf_printf(out, "%s{n=\"%zu\"} %zu\n", name, i, i * i);
}

/* However many lines come or go. */
static void test_far(void **state) {
	struct gs_resync resync = {0};
	(void)state;
	for (size_t n = 1; n < 3000; n = n * 3 + 1) {
		struct gs_buf shorter, longer;
		gs_buf_init(&shorter, 1 << 20);
		gs_buf_init(&longer, 1 << 20);
		add_lines(&longer, "other", 0, n);
		add_lines(&longer, "same", 0, 100);
		add_lines(&shorter, "same", 0, 100);
		gs_buf_char(&shorter, '\0');
		gs_buf_char(&longer, '\0');
		struct found found = find(&resync, shorter.p, longer.p);
		assert_int_equal(found.status, GS_OK);
		assert_int_equal(found.gone, 0);
		assert_int_equal(found.added, n);
		found = find(&resync, longer.p, shorter.p);
		assert_int_equal(found.gone, n);
		assert_int_equal(found.added, 0);
		gs_buf_free(&shorter);
		gs_buf_free(&longer);
	}
	gs_resync_free(&resync);
}

static void test_without_memory(void **state) {
	struct gs_buf old, new;
	size_t failures = 0;
	(void)state;
	gs_buf_init(&old, 1 << 20);
	gs_buf_init(&new, 1 << 20);
	add_lines(&old, "old", 0, 500);
	add_lines(&new, "new", 0, 500);
	struct gs_lines lines = lines_of(gs_buf_slice(&old));
	struct gs_resync_place place = {.previous = gs_buf_slice(&old), .lines = &lines, .next = gs_buf_slice(&new)};
	for (;; failures++) {
		struct gs_resync resync = {0};
		size_t gone, added;
		gs_mem_fail_after((int64_t)failures);
		enum gs_status status = gs_resync_find(&resync, &place, &gone, &added);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		gs_resync_free(&resync);
		if (!failed)
			break;
	}
	assert_true(failures >= 4);
	gs_free(lines.lines);
	gs_buf_free(&old);
	gs_buf_free(&new);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_context_of_openmetrics),
	    cmocka_unit_test(test_far),
	    cmocka_unit_test(test_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
