/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "gravel/check/check.h"

/* Writes problems as "E 1:2 reason;" into the buffer that ctx is. */
static void note(void *ctx, enum gs_check_severity severity, const struct gs_error *problem) {
	gs_buf_printf(
	    ctx, "%c %u:%u %s;", severity == GS_CHECK_ERROR ? 'E' : 'W', problem->line, problem->column, problem->text);
}

struct fixture {
	struct gs_buf notes;
	struct gs_check *check;
};

static void set_up(struct fixture *f, struct gs_check_options options) {
	gs_buf_init(&f->notes, 1 << 20);
	options.report = note;
	options.ctx = &f->notes;
	f->check = gs_check_new(&options);
	assert_non_null(f->check);
}

static void tear_down(struct fixture *f) {
	gs_check_free(f->check);
	gs_buf_free(&f->notes);
}

/* Check the body in pieces of n bytes. */
static struct gs_check_totals check_pieces(
    struct fixture *f, enum gs_expo_format format, struct gs_str body, size_t n) {
	gs_buf_clear(&f->notes);
	gs_check_begin(f->check, format, false);
	while (body.n > n) {
		assert_false(gs_check_is_over(f->check));
		/* Each piece stands alone on the heap, and is gone after the call. */
		char *piece = gs_strdup(gs_str_make(body.p, n));
		assert_non_null(piece);
		assert_int_equal(gs_check_feed(f->check, gs_str_make(piece, n), false), GS_OK);
		gs_free(piece);
		body = gs_str_make(body.p + n, body.n - n);
	}
	assert_int_equal(gs_check_feed(f->check, body, true), GS_OK);
	assert_true(gs_check_is_over(f->check));
	return gs_check_totals(f->check);
}

static struct gs_check_totals check_text(struct fixture *f, const char *body) {
	return check_pieces(f, GS_FORMAT_TEXT, gs_str_of(body), SIZE_MAX);
}

static void assert_notes(struct fixture *f, const char *want) {
	gs_buf_char(&f->notes, '\0');
	assert_string_equal(f->notes.p, want);
}

#define GOOD                                                                                                           \
	"# HELP a_total A.\n"                                                                                          \
	"# TYPE a_total counter\n"                                                                                     \
	"a_total{b=\"1\"} 1\n"                                                                                         \
	"a_total{b=\"2\"} 2\n"                                                                                         \
	"\n"                                                                                                           \
	"# a comment\n"                                                                                                \
	"c 3\n"

static void test_counts(void **state) {
	(void)state;
	struct fixture f;
	struct gs_check_family families[3];
	set_up(&f, (struct gs_check_options){0});
	struct gs_check_totals totals = check_text(&f, GOOD);
	assert_notes(&f, "");
	assert_int_equal(totals.families, 2);
	assert_int_equal(totals.series, 3);
	assert_int_equal(totals.samples, 3);
	assert_int_equal(totals.bytes, strlen(GOOD));
	assert_int_equal(totals.errors, 0);
	assert_int_equal(totals.warnings, 0);
	assert_false(totals.stopped);
	assert_false(totals.more_families);
	assert_int_equal(gs_check_largest(f.check, families, 3), 2);
	assert_true(gs_str_eq(families[0].name, GS_STR("a_total")));
	assert_int_equal(families[0].type, GS_TYPE_COUNTER);
	assert_true(families[0].has_type && families[0].has_help);
	assert_int_equal(families[0].line, 1);
	assert_int_equal(families[0].series, 2);
	assert_int_equal(families[0].samples, 2);
	assert_int_equal(families[0].bytes, 75);
	assert_true(gs_str_eq(families[1].name, GS_STR("c")));
	assert_false(families[1].has_type || families[1].has_help);
	assert_int_equal(families[1].line, 7);
	assert_int_equal(families[1].samples, 1);
	assert_int_equal(families[1].bytes, strlen(GOOD) - 75);
	tear_down(&f);
}

#define BAD                                                                                                            \
	"a 1\n"                                                                                                        \
	"b{ 1\n"                                                                                                       \
	"\n"                                                                                                           \
	"# TYPE c camel\n"                                                                                             \
	"c 1\n"                                                                                                        \
	"d x"
#define BAD_NOTES                                                                                                      \
	"E 2:4 expected a label name or '}' in the labels of metric \"b\", found \"1\";"                               \
	"E 4:10 unknown type \"camel\" of metric \"c\";"                                                               \
	"E 6:3 the value \"x\" of metric \"d\" is not a number;"

/* Every error is found, wherever the body is cut; and so are the bytes of a family. */
static void test_every_error_at_every_cut(void **state) {
	(void)state;
	struct fixture f;
	struct gs_check_family families[2];
	set_up(&f, (struct gs_check_options){0});
	for (size_t n = 1; n <= strlen(BAD); n++) {
		struct gs_check_totals totals = check_pieces(&f, GS_FORMAT_TEXT, GS_STR(BAD), n);
		assert_notes(&f, BAD_NOTES);
		assert_int_equal(totals.errors, 3);
		assert_int_equal(totals.families, 2);
		assert_int_equal(totals.samples, 2);
		assert_int_equal(totals.bytes, strlen(BAD));
		assert_false(totals.stopped);
		assert_int_equal(gs_check_largest(f.check, families, 2), 2);
		assert_int_equal(families[0].bytes, 4);
		assert_int_equal(families[1].bytes, 4);
	}
	tear_down(&f);
}

static void test_last_piece_may_be_empty(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f, (struct gs_check_options){0});
	gs_check_begin(f.check, GS_FORMAT_TEXT, false);
	assert_int_equal(gs_check_feed(f.check, GS_STR("a 1\nb"), false), GS_OK);
	assert_int_equal(gs_check_totals(f.check).samples, 1);
	assert_false(gs_check_is_over(f.check));
	assert_int_equal(gs_check_feed(f.check, (struct gs_str){0}, true), GS_OK);
	assert_notes(&f, "E 2:2 missing the value of metric \"b\";");
	assert_true(gs_check_is_over(f.check));
	struct gs_check_totals nothing = check_text(&f, "");
	assert_int_equal(nothing.errors + nothing.families + nothing.samples + nothing.bytes, 0);
	tear_down(&f);
}

static void test_max_reports(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f, (struct gs_check_options){.max_reports = 2, .lint = true});
	for (int i = 0; i < 2; i++) {
		struct gs_check_totals totals = check_text(&f, "x\n\ny\nz\na 1\nb 1\n");
		assert_notes(&f, "E 1:2 missing the value of metric \"x\";E 3:2 missing the value of metric \"y\";"
				 "W 5:0 untyped \"a\" has no HELP;W 5:0 untyped \"a\" has no TYPE;");
		assert_int_equal(totals.errors, 3);
		assert_int_equal(totals.warnings, 4);
	}
	tear_down(&f);
}

/* Warnings come once, in the order of the families. */
static void test_lint(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f, (struct gs_check_options){.lint = true});
	struct gs_str body =
	    GS_STR("# TYPE b gauge\n# HELP b B.\nb 1\n# TYPE a counter\n# HELP a A.\na 1\nb{c=\"d\"} 1\n");
	for (size_t n = 1; n <= body.n; n++) {
		struct gs_check_totals totals = check_pieces(&f, GS_FORMAT_TEXT, body, n);
		assert_notes(&f, "W 4:0 counter \"a\" does not end in \"_total\";");
		assert_int_equal(totals.warnings, 1);
		assert_int_equal(totals.errors, 0);
	}
	tear_down(&f);
}

static void test_line_that_is_too_long(void **state) {
	(void)state;
	struct fixture f;
	struct gs_buf body;
	gs_buf_init(&body, 4 << 20);
	gs_buf_cstr(&body, "a 1\n# ");
	char *room = gs_buf_reserve(&body, GS_LIMIT_LINE * 2);
	assert_non_null(room);
	memset(room, 'x', GS_LIMIT_LINE * 2);
	body.n += GS_LIMIT_LINE * 2;
	gs_buf_cstr(&body, "\nb 2\n");
	set_up(&f, (struct gs_check_options){0});
	static const size_t pieces[] = {4096, 300000, GS_LIMIT_LINE, SIZE_MAX};
	for (size_t i = 0; i < 4; i++) {
		struct gs_check_totals totals = check_pieces(&f, GS_FORMAT_TEXT, gs_buf_slice(&body), pieces[i]);
		assert_notes(&f, "E 2:1048577 the line is longer than 1048576 bytes;");
		assert_int_equal(totals.samples, 2);
		assert_int_equal(totals.bytes, body.n);
	}
	gs_buf_free(&body);
	tear_down(&f);
}

static void test_more_families_than_the_limit(void **state) {
	(void)state;
	struct fixture f;
	struct gs_check_family families[4];
	set_up(&f, (struct gs_check_options){.max_families = 2, .lint = true});
	struct gs_check_totals totals = check_text(&f, "# TYPE a gauge\na 1\nb 1\nc 1\nd 1\n");
	assert_int_equal(totals.families, 2);
	assert_true(totals.more_families);
	assert_int_equal(totals.series, 4);
	assert_int_equal(totals.samples, 4);
	assert_int_equal(totals.warnings, 3);
	assert_int_equal(gs_check_largest(f.check, families, 4), 2);
	tear_down(&f);
}

static void test_largest(void **state) {
	(void)state;
	struct fixture f;
	struct gs_check_family got[6];
	set_up(&f, (struct gs_check_options){0});
	check_text(&f, "one 1\n"
		       "three{a=\"1\"} 1\nthree{a=\"2\"} 1\nthree{a=\"3\"} 1\n"
		       "two{a=\"1\"} 1\ntwo{a=\"2\"} 1\n"
		       "one_long_name 1\n"
		       "uno 1\n");
	static const char *const want[] = {"three", "two", "one_long_name", "one", "uno"};
	for (size_t n = 0; n <= 6; n++) {
		size_t have = gs_check_largest(f.check, got, n);
		assert_int_equal(have, n < 5 ? n : 5);
		for (size_t i = 0; i < have; i++)
			assert_true(gs_str_eq(got[i].name, gs_str_of(want[i])));
	}
	assert_int_equal(got[0].series, 3);
	assert_int_equal(got[2].bytes, 16);
	tear_down(&f);
}

/* Check the body at once and in pieces, and hold its largest families against "name series samples bytes;". */
static struct gs_check_totals assert_largest(
    struct fixture *f, enum gs_expo_format format, struct gs_str body, const char *want) {
	struct gs_check_family got[4];
	struct gs_buf text;
	struct gs_check_totals totals = {0};
	gs_buf_init(&text, 4096);
	static const size_t pieces[] = {1, 7, SIZE_MAX};
	for (size_t i = 0; i < 3; i++) {
		totals = check_pieces(f, format, body, pieces[i]);
		size_t n = gs_check_largest(f->check, got, 4);
		gs_buf_clear(&text);
		for (size_t k = 0; k < n; k++)
			gs_buf_printf(&text, "%.*s %u %u %u;", GS_FMT(got[k].name), (unsigned)got[k].series,
			    (unsigned)got[k].samples, (unsigned)got[k].bytes);
		gs_buf_char(&text, '\0');
		assert_string_equal(text.p, want);
	}
	gs_buf_free(&text);
	return totals;
}

static void test_parts_are_of_their_family(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f, (struct gs_check_options){0});
	struct gs_check_totals totals = assert_largest(&f, GS_FORMAT_TEXT,
	    GS_STR("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"
		   "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\n"),
	    "h 4 4 78;s 3 3 55;");
	assert_int_equal(totals.families, 2);
	assert_int_equal(totals.series, 7);
	tear_down(&f);
}

/* OpenMetrics: several points in a row are one series, each of their parts too. */
static void test_points_are_one_series(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f, (struct gs_check_options){0});
	struct gs_check_totals totals = assert_largest(&f, GS_FORMAT_OPENMETRICS,
	    GS_STR("# TYPE g gauge\ng{a=\"1\"} 1 1\ng{a=\"1\"} 2 2\ng{a=\"1\"} 3 3\ng{a=\"2\"} 1 2\n"
		   "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2 1\nh_count 2 1\nh_sum 3 1\n"
		   "h_bucket{le=\"+Inf\"} 3 2\nh_count 3 2\nh_sum 4 2\n# EOF\n"),
	    "h 3 6 111;g 2 4 67;");
	assert_int_equal(totals.errors, 0);
	assert_int_equal(totals.series, 5);
	assert_int_equal(totals.samples, 10);
	tear_down(&f);
}

static void test_twice(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f, (struct gs_check_options){0});
	for (int i = 0; i < 2; i++) {
		struct gs_check_totals totals = check_text(&f, "a{b=\"c\"} 1\na 1\na{b=\"c\"} 2\n");
		assert_notes(&f, "E 3:1 the series \"a{b=\"c\"}\" stands twice;");
		assert_int_equal(totals.series, 2);
	}
	tear_down(&f);
}

/* Gauges of value 1, type set, without HELP. */
#define GAUGE_A                                                                                                        \
	"\x12\x0a\x01"                                                                                                 \
	"a\x18\x01\x22\x0b\x12\x09\x09\0\0\0\0\0\0\xf0\x3f"
#define GAUGE_BC                                                                                                       \
	"\x13\x0a\x02"                                                                                                 \
	"bc\x18\x01\x22\x0b\x12\x09\x09\0\0\0\0\0\0\xf0\x3f"
#define BAD_NAME                                                                                                       \
	"\x12\x0a\x01"                                                                                                 \
	"\xff\x18\x01\x22\x0b\x12\x09\x09\0\0\0\0\0\0\xf0\x3f"

static void test_protobuf(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f, (struct gs_check_options){0});
	struct gs_check_totals totals =
	    assert_largest(&f, GS_FORMAT_PROTOBUF, GS_STR(GAUGE_BC GAUGE_A), "bc 1 1 20;a 1 1 19;");
	assert_int_equal(totals.errors, 0);
	assert_int_equal(totals.families, 2);
	assert_int_equal(totals.bytes, 39);
	/* The bytes of the message that is wrong belong to none. */
	totals = assert_largest(&f, GS_FORMAT_PROTOBUF, GS_STR(GAUGE_BC BAD_NAME GAUGE_A), "bc 1 1 20;a 1 1 19;");
	assert_int_equal(totals.errors, 1);
	assert_false(totals.stopped);
	tear_down(&f);
}

/* A message of n bytes, its name and a HELP that is too long. */
static void append_message(struct gs_buf *out, size_t n) {
	static const char name[] = "\x0a\x01"
				   "a\x12";
	gs_buf_clear(out);
	for (size_t left = n, i = 0; i < 4; i++, left >>= 7)
		gs_buf_char(out, (char)((left & 0x7f) | (i < 3 ? 0x80 : 0)));
	gs_buf_cstr(out, name);
	n -= strlen(name) + 4;
	for (size_t left = n, i = 0; i < 4; i++, left >>= 7)
		gs_buf_char(out, (char)((left & 0x7f) | (i < 3 ? 0x80 : 0)));
	char *help = gs_buf_reserve(out, n);
	assert_non_null(help);
	memset(help, 'x', n);
	out->n += n;
	gs_buf_str(out, GS_STR(GAUGE_A));
}

/* The largest message, and one that is larger than that. */
static void test_large_messages(void **state) {
	(void)state;
	struct fixture f;
	struct gs_buf body;
	set_up(&f, (struct gs_check_options){0});
	gs_buf_init(&body, (size_t)GS_LIMIT_SCRAPE_BODY * 2);
	for (size_t more = 0; more < 2; more++) {
		append_message(&body, GS_LIMIT_SCRAPE_BODY + more);
		struct gs_check_totals totals =
		    check_pieces(&f, GS_FORMAT_PROTOBUF, gs_buf_slice(&body), (size_t)999999);
		gs_buf_char(&f.notes, '\0');
		assert_non_null(strstr(f.notes.p, more ? "E 1:1 the message is longer than 67108864 bytes;" : "E 1:"));
		assert_int_equal(totals.errors, 1);
		assert_int_equal(totals.samples, 1);
		assert_int_equal(totals.bytes, body.n);
	}
	gs_buf_free(&body);
	tear_down(&f);
}

/* Where the borders of the messages are lost nothing more is learned. */
static void test_stop(void **state) {
	(void)state;
	struct fixture f;
	set_up(&f, (struct gs_check_options){.lint = true});
	struct gs_str body = GS_STR(GAUGE_A "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" GAUGE_BC);
	gs_check_begin(f.check, GS_FORMAT_PROTOBUF, false);
	assert_int_equal(gs_check_feed(f.check, body, false), GS_OK);
	assert_true(gs_check_is_over(f.check));
	struct gs_check_totals totals = gs_check_totals(f.check);
	assert_true(totals.stopped);
	assert_int_equal(totals.errors, 1);
	assert_int_equal(totals.warnings, 0);
	assert_int_equal(totals.families, 1);
	/* Further pieces are counted alone. */
	assert_int_equal(gs_check_feed(f.check, GS_STR(GAUGE_BC), true), GS_OK);
	assert_int_equal(gs_check_totals(f.check).families, 1);
	assert_int_equal(gs_check_totals(f.check).errors, 1);
	assert_int_equal(gs_check_totals(f.check).bytes, body.n + 20);
	tear_down(&f);
}

/* A body larger than what is looked at at once. */
static void test_large_body(void **state) {
	(void)state;
	struct fixture f;
	struct gs_buf body;
	gs_buf_init(&body, 16 << 20);
	for (unsigned i = 0; i < 100000; i++)
		gs_buf_printf(&body, i % 1000 == 7 ? "bad{ %u\n" : "metric_%u 1\n", i);
	assert_int_equal(body.status, GS_OK);
	set_up(&f, (struct gs_check_options){0});
	static const size_t pieces[] = {999, 262144, SIZE_MAX};
	for (size_t i = 0; i < 3; i++) {
		struct gs_check_totals totals = check_pieces(&f, GS_FORMAT_TEXT, gs_buf_slice(&body), pieces[i]);
		assert_int_equal(totals.errors, 100);
		assert_int_equal(totals.families, 99900);
		assert_int_equal(totals.series, 99900);
		assert_int_equal(totals.samples, 99900);
		assert_int_equal(totals.bytes, body.n);
	}
	gs_buf_free(&body);
	tear_down(&f);
}

static void test_no_memory(void **state) {
	(void)state;
	struct gs_buf notes;
	gs_buf_init(&notes, 4096);
	struct gs_check_options options = {.report = note, .ctx = &notes};
	struct gs_check *check = NULL;
	gs_check_free(NULL);
	for (int64_t n = 0; check == NULL; n++) {
		assert_true(n < 100);
		gs_mem_fail_after(n);
		check = gs_check_new(&options);
		assert_true((check == NULL) == (gs_mem_failed() != 0));
	}
	gs_check_free(check);
	enum gs_status status = GS_ENOMEM;
	for (int64_t n = 0; status != GS_OK; n++) {
		assert_true(n < 100);
		gs_mem_fail_after(-1);
		check = gs_check_new(&options);
		assert_non_null(check);
		gs_mem_fail_after(n);
		status = gs_check_feed(check, GS_STR(GOOD "d 1 1\n"), true);
		assert_int_equal(status, gs_mem_failed() ? GS_ENOMEM : GS_OK);
		/* The next body finds all in order. */
		gs_mem_fail_after(-1);
		gs_check_begin(check, GS_FORMAT_TEXT, false);
		assert_int_equal(gs_check_feed(check, GS_STR(GOOD), true), GS_OK);
		assert_int_equal(gs_check_totals(check).samples, 3);
		assert_int_equal(gs_check_totals(check).families, 2);
		gs_check_free(check);
	}
	assert_int_equal(notes.n, 0);
	gs_buf_free(&notes);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_every_error_at_every_cut),
	    cmocka_unit_test(test_last_piece_may_be_empty),
	    cmocka_unit_test(test_max_reports),
	    cmocka_unit_test(test_lint),
	    cmocka_unit_test(test_line_that_is_too_long),
	    cmocka_unit_test(test_more_families_than_the_limit),
	    cmocka_unit_test(test_largest),
	    cmocka_unit_test(test_parts_are_of_their_family),
	    cmocka_unit_test(test_points_are_one_series),
	    cmocka_unit_test(test_twice),
	    cmocka_unit_test(test_protobuf),
	    cmocka_unit_test(test_large_messages),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_large_body),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
