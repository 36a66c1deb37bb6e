/* SPDX-License-Identifier: Apache-2.0 */
/* The reader that the header lines of all kinds share; what each of them makes of it is in test_header.c and test_push.c. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "gravel/base/mem.h"

#include "line.h"

enum { NEEDED, SMALL, NUMBERS };
static const struct gs_wire_key keys[NUMBERS] = {
    [NEEDED] = {'n', true, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [SMALL] = {'s', false, 7, GS_ELIMIT},
};

static struct gs_buf scratch;
static struct gs_error err;
static struct gs_wire_line line;
static struct gs_wire_text text;

static int setup(void **state) {
	(void)state;
	gs_buf_init(&scratch, GS_LIMIT_HEADER);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_buf_free(&scratch);
	return 0;
}

static enum gs_status read_pair(void) {
	struct gs_str key, value;
	enum gs_status status = gs_wire_line_next(&line, &key, &value);
	if (status != GS_OK || key.n == 0)
		return status;
	if (key.p[0] == 'f')
		return gs_wire_line_format(&line, key, value);
	if (key.p[0] == 'l')
		return gs_wire_line_text(&line, key, value, &text);
	return gs_wire_line_number(&line, key, value);
}

static enum gs_status read_line(struct gs_str s) {
	line = (struct gs_wire_line){
	    .keys = keys, .nkeys = NUMBERS, .kinds = GS_STR("xy"), .scratch = &scratch, .err = &err};
	text = (struct gs_wire_text){0};
	err = (struct gs_error){0};
	enum gs_status status = gs_wire_line_open(&line, s);
	while (status == GS_OK && line.rest.n != 0)
		status = read_pair();
	return status == GS_OK ? gs_wire_line_require(&line, NUMBERS) : status;
}

static void test_what_is_read(void **state) {
	(void)state;
	assert_int_equal(
	    read_line(GS_STR("v=1 k=y zone=eu l=a%20=b s=7 z= n=9007199254740992 f=openmetrics-utf8")), GS_OK);
	assert_int_equal(line.kind, 'y');
	assert_true(line.numbers[NEEDED] == GS_WIRE_EXACT_MAX && line.has[NEEDED]);
	assert_true(line.numbers[SMALL] == 7 && line.has[SMALL]);
	assert_int_equal(line.format, GS_FORMAT_OPENMETRICS);
	assert_true(line.utf8_names);
	assert_true(gs_str_eq(text.value, GS_STR("a =b")));
	assert_int_equal(text.key.p - line.line.p, 16);
	assert_int_equal(read_line(GS_STR("v=1 k=x n=0 l=")), GS_OK);
	assert_int_equal(line.kind, 'x');
	assert_true(line.has[NEEDED] && !line.has[SMALL] && line.numbers[SMALL] == 0);
	assert_int_equal(line.format, GS_FORMAT_TEXT);
	assert_true(text.key.n == 1 && text.value.n == 0);
}

static void test_texts_stand_one_behind_the_other(void **state) {
	(void)state;
	struct gs_wire_text other = {0};
	assert_int_equal(read_line(GS_STR("v=1 k=x n=0 l=%25%25%25")), GS_OK);
	assert_int_equal(gs_wire_line_text(&line, text.key, GS_STR("b%0A"), &other), GS_OK);
	assert_true(gs_str_eq(text.value, GS_STR("%%%")));
	assert_true(gs_str_eq(other.value, GS_STR("b\n")));
	assert_ptr_equal(other.value.p, text.value.p + 3);
}

static void test_what_is_refused(void **state) {
	(void)state;
	static const struct {
		struct gs_str line;
		enum gs_status status;
		uint32_t column;
		const char *reason;
	} rows[] = {
	    {GS_STR_INIT(""), GS_EINVAL, 0, "empty line"},
	    {GS_STR_INIT("v=1 k=x\tn=0"), GS_EINVAL, 8, "a byte that is not printable"},
	    {GS_STR_INIT("v=1 k=x\0"), GS_EINVAL, 8, "a byte that is not printable"},
	    {GS_STR_INIT("v=1 k=x n=0 "), GS_EINVAL, 12, "blank at the end"},
	    {GS_STR_INIT(" v=1"), GS_EINVAL, 1, "empty key: a blank too many"},
	    {GS_STR_INIT("v=1 k=x  n=0"), GS_EINVAL, 9, "empty key: a blank too many"},
	    {GS_STR_INIT("v=1 k=x n"), GS_EINVAL, 9, "not key=value"},
	    {GS_STR_INIT("v=1 k=x =0"), GS_EINVAL, 9, "not key=value"},
	    {GS_STR_INIT("k=x v=1"), GS_EINVAL, 1, "key v must come first, with a number"},
	    {GS_STR_INIT("v=65536 k=x"), GS_EINVAL, 1, "key v must come first, with a number"},
	    {GS_STR_INIT("v=2 k=x"), GS_EUNSUPPORTED, 1, "version 2"},
	    {GS_STR_INIT("v=1"), GS_EINVAL, 0, "key k is missing"},
	    {GS_STR_INIT("v=1 n=0 k=x"), GS_EINVAL, 5, "key k must come second"},
	    {GS_STR_INIT("v=1 k="), GS_EINVAL, 5, "key k must come second"},
	    {GS_STR_INIT("v=1 k=z"), GS_EUNSUPPORTED, 5, "kind z"},
	    {GS_STR_INIT("v=1 k=xy"), GS_EUNSUPPORTED, 5, "kind xy"},
	    {GS_STR_INIT("v=1 k=abcdefghijabcdefghijabcdefghijabcdefghij"), GS_EUNSUPPORTED, 5,
		"kind abcdefghijabcdefghijabcdefghijab"},
	    {GS_STR_INIT("v=1 k=x v=1"), GS_EINVAL, 9, "key v twice"},
	    {GS_STR_INIT("v=1 k=x n=0 k=x"), GS_EINVAL, 13, "key k twice"},
	    {GS_STR_INIT("v=1 k=x n=0 n=0"), GS_EINVAL, 13, "key n twice"},
	    {GS_STR_INIT("v=1 k=x f=protobuf f=csv"), GS_EINVAL, 20, "key f twice"},
	    {GS_STR_INIT("v=1 k=x l= l=%"), GS_EINVAL, 12, "key l twice"},
	    {GS_STR_INIT("v=1 k=x n=-1"), GS_EINVAL, 9, "key n is no number"},
	    {GS_STR_INIT("v=1 k=x n="), GS_EINVAL, 9, "key n is no number"},
	    {GS_STR_INIT("v=1 k=x n=9007199254740993"), GS_EINVAL, 9, "key n is too large"},
	    {GS_STR_INIT("v=1 k=x n=0 s=8"), GS_ELIMIT, 13, "key s is too large"},
	    {GS_STR_INIT("v=1 k=x s=18446744073709551616"), GS_ELIMIT, 9, "key s is too large"},
	    {GS_STR_INIT("v=1 k=x l=%41"), GS_EINVAL, 9, "key l is not escaped as it must be"},
	    {GS_STR_INIT("v=1 k=x f=csv"), GS_EUNSUPPORTED, 9, "format csv"},
	    {GS_STR_INIT("v=1 k=x f="), GS_EINVAL, 9, "format "},
	    {GS_STR_INIT("v=1 k=x s=1"), GS_EINVAL, 0, "key n is missing"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum gs_status status = read_line(rows[i].line);
		if (status != rows[i].status || err.column != rows[i].column || err.line != 1 ||
		    strcmp(err.text, rows[i].reason) != 0)
			fail_msg("%s: %s, column %u: %s", rows[i].line.p, gs_status_name(status), err.column, err.text);
	}
}

static void test_errors_that_name_the_limit(void **state) {
	(void)state;
	assert_int_equal(read_line(GS_STR("v=1 k=x n=0")), GS_OK);
	line.names_max = true;
	assert_int_equal(gs_wire_line_number(&line, GS_STR("s"), GS_STR("8")), GS_ELIMIT);
	assert_string_equal(err.text, "key s is above 7");
	assert_false(line.has[SMALL]);
}

static void test_only_what_must_come_is_missed(void **state) {
	(void)state;
	assert_int_equal(read_line(GS_STR("v=1 k=x s=1")), GS_EINVAL);
	assert_int_equal(gs_wire_line_require(&line, NEEDED), GS_OK);
	assert_int_equal(gs_wire_line_require(&line, NEEDED + 1), GS_EINVAL);
}

static void test_length_is_bounded(void **state) {
	(void)state;
	char long_line[GS_LIMIT_HEADER + 1] = "v=1 k=x n=0 l=";
	size_t front = strlen(long_line);
	memset(long_line + front, 'x', sizeof(long_line) - front);
	assert_int_equal(read_line(gs_str_make(long_line, GS_LIMIT_HEADER)), GS_OK);
	assert_int_equal(text.value.n, GS_LIMIT_HEADER - front);
	assert_int_equal(read_line(gs_str_make(long_line, GS_LIMIT_HEADER + 1)), GS_ELIMIT);
	assert_string_equal(err.text, "longer than 8192 bytes");
}

static void test_failing_allocation_and_small_scratch(void **state) {
	(void)state;
	gs_mem_fail_after(0);
	assert_int_equal(read_line(GS_STR("v=1 k=x n=0")), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_string_equal(err.text, "no memory for the line");
	assert_int_equal(read_line(GS_STR("v=1 k=x n=0")), GS_OK);
	gs_buf_free(&scratch);
	gs_buf_init(&scratch, 8);
	assert_int_equal(read_line(GS_STR("v=1 k=x n=0")), GS_ELIMIT);
}

static void test_writing(void **state) {
	(void)state;
	struct gs_buf out;
	gs_buf_init(&out, 256);
	gs_wire_add_format(&out, GS_FORMAT_TEXT, true);
	gs_wire_add_format(&out, GS_FORMAT_PROTOBUF, true);
	gs_wire_add_format(&out, GS_FORMAT_OPENMETRICS, true);
	gs_wire_add_key(&out, 'l');
	gs_wire_add_text(&out, GS_STR("a b%\xff~"));
	assert_true(gs_str_eq(gs_buf_slice(&out), GS_STR(" f=protobuf f=openmetrics-utf8 l=a%20b%25%FF~")));
	gs_buf_free(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    T(test_what_is_read),
	    T(test_texts_stand_one_behind_the_other),
	    T(test_what_is_refused),
	    T(test_errors_that_name_the_limit),
	    T(test_only_what_must_come_is_missed),
	    T(test_length_is_bounded),
	    T(test_failing_allocation_and_small_scratch),
	    T(test_writing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
