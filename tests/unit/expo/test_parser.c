/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a parser: allocation, reuse, the end, and errors that stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dump.h"
#include "gravel/base/mem.h"

static void test_no_memory(void **state) {
	(void)state;
	gs_mem_fail_after(0);
	assert_null(gs_expo_parser_new());
	assert_true(gs_mem_failed());
	gs_mem_fail_after(-1);
	gs_expo_parser_free(NULL);
}

static void test_new_parser_is_at_end(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE};
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(event.kind, GS_EXPO_END);
	gs_expo_parser_free(parser);
}

static void test_end_repeats(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	gs_expo_begin_text(parser, GS_STR("a 1\n"));
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(event.kind, GS_EXPO_SAMPLE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
		assert_int_equal(event.kind, GS_EXPO_END);
	}
	gs_expo_parser_free(parser);
}

static void test_error_repeats(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	gs_expo_begin_text(parser, GS_STR("a x\nb 1\n"));
	for (int i = 0; i < 3; i++) {
		struct gs_error err = {0};
		assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EINVAL);
		assert_int_equal(gs_expo_next(parser, &event, &err), GS_EINVAL);
		assert_int_equal(err.line, 1);
		assert_int_equal(err.column, 3);
		assert_string_equal(err.text, "the value \"x\" of metric \"a\" is not a number");
	}
	gs_expo_parser_free(parser);
}

static void test_reuse_after_error(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf out;
	gs_buf_init(&out, 1000);
	assert_int_equal(dump_body(parser, GS_STR("\n\na{b=\"\\n"), NULL, NULL), GS_EINVAL);
	assert_int_equal(dump_body(parser, GS_STR("a 1"), &out, NULL), GS_OK);
	assert_true(gs_str_eq(gs_buf_slice(&out), GS_STR("S a 1;")));
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

/* What an error quotes is printable and short, whatever the input was. */
static void test_quotes_in_errors(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_error err = {0};
	assert_int_equal(dump_body(parser, GS_STR("a \x1b[31m\xff"), NULL, &err), GS_EINVAL);
	assert_string_equal(err.text, "the value \"\\x1b[31m\\xff\" of metric \"a\" is not a number");
	char body[1000] = "a ";
	memset(body + 2, 0x01, sizeof(body) - 2);
	assert_int_equal(dump_body(parser, gs_str_make(body, sizeof(body)), NULL, &err), GS_EINVAL);
	assert_non_null(strstr(err.text, "\\x01...\" of metric \"a\" is not a number"));
	assert_true(strlen(err.text) < 140);
	gs_expo_parser_free(parser);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_new_parser_is_at_end),
	    cmocka_unit_test(test_end_repeats),
	    cmocka_unit_test(test_error_repeats),
	    cmocka_unit_test(test_reuse_after_error),
	    cmocka_unit_test(test_quotes_in_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
