/* SPDX-License-Identifier: Apache-2.0 */
/* A body in pieces: the same events and errors wherever it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dump.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EVENTS_MAX (1 << 20)

struct body {
	enum gs_expo_format format;
	bool utf8_names;
	size_t max_samples;
	const char *text;
};

static const struct body bodies[] = {
    {.text = ""},
    {.text = "\n"},
    {.text = "\r\n \t\r\n\t\n   "},
    {.text = "# HELP a_b The \\\\ total\\n number.\n# TYPE a_b counter\na_b{c=\"post\",d=\"200\"} 1027 1395066363000\n"
	     "a_b{c=\"post\",d=\"400\",} 3 1395066363000\r\n"},
    {.text = "a{b=\"\\\"\\n\\\\\\q\",c=\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 and words\"} +Inf # {t=\"x\"} .5 1.5\nb "
	     "2"},
    {.text = "# UNIT a_s s\n# TYPE a_s unknown\r\n \t a_s \t { } \t 1e-300 \t -5 \t \n#\n\n# EOF"},
    {.text = "{\"my.metric\",\"label.name\"=\"x\"} 1\n# TYPE \"my.metric\" gauge\n{a=\"b\"\"m\\n\"} 1\n"},
    {.text = "# TYPE h histogram\nh_bucket{a=\"0123456789\",le=\"1\"} 1\nh_bucket{a=\"0123456789\",le=\"+Inf\"} 2 77\n"
	     "h_sum{a=\"0123456789\"} 1.5\nh_count{a=\"0123456789\"} 2\r\nh_count{a=\"\xc3\xa4\"} 2 # {b=\"c\"} 1\n"
	     "h_count{a=\"0123456789\",a=\"b\"} 2\nh_count{a=\"0123456789\",b=\"c\"} 2x\n"},
    {.text = "<html>\n<body>\n\n"},
    {.text = "a{b=\"c\"d=\"e\"}1\nx 2 # {} 3"},
    {.text = "# TYPE a bogus\nb 1\nc\nd{ 1\ne 1"},
    {.text = "a{b=\"c\",b=\"d\"} 1"},
    {.text = "a 1 2 3\nb 1\r"},
    {.text = "a 1\rb 2\r\r\nc 3\n\r"},
    {.text = "a 1\n\r\na 2\nb 1\nb 2\n", .max_samples = 2},
    {.text = "a{b=\"\xff\"} 1\n# HELP a \xff\nc 1\n"},
    {.format = GS_FORMAT_TEXT_1, .text = "{\"a.b\"} 1\nc 1"},
    {.format = GS_FORMAT_OPENMETRICS, .text = ""},
    {.format = GS_FORMAT_OPENMETRICS, .text = "# EOF"},
    {.format = GS_FORMAT_OPENMETRICS, .text = "# EOF\n"},
    {.format = GS_FORMAT_OPENMETRICS, .text = "# EOF\n\n\n"},
    {.format = GS_FORMAT_OPENMETRICS, .text = "a 1\n# EOF\nb 1\nc 1\n"},
    {.format = GS_FORMAT_OPENMETRICS, .text = "a 1\nb 2"},
    {.format = GS_FORMAT_OPENMETRICS, .text = "a 1\nb 2\n"},
    {.format = GS_FORMAT_OPENMETRICS, .text = "a 1\r\n\nb\t2\n# x\n# TYPE c untyped\nd 1\n# EOF\n"},
    {.format = GS_FORMAT_OPENMETRICS, .text = "a 1\nb 2\nc 3\n", .max_samples = 1},
    {.format = GS_FORMAT_OPENMETRICS,
	.text = "# TYPE a counter\n# UNIT a \n# HELP a \\\\ \\\"h\\n\na_total{b=\"c\\n\"} 1 1.5 # {t=\"\\\\\"} 2 "
		"2.5\n# EOF\n"},
    {.format = GS_FORMAT_OPENMETRICS, .utf8_names = true, .text = "{\"a.b\",\"c.d\"=\"e\"} 1\n{} 1\n{\"a\n# EOF"},
};

/* Where the body is cut: a window ends at every place that is no longer than the bytes given so far. */
struct cut {
	size_t at; /* the first window */
	size_t step; /* of the windows that follow; 0: all the rest */
};

/* One parse in pieces; each window is memory of its own of exactly its size, so that the sanitizer sees what stays behind. */
struct feeder {
	struct gs_expo_parser *parser;
	struct gs_str rest; /* of the body, from the first byte not used */
	size_t given; /* bytes of rest in the window */
	struct cut cut;
	char *window;
};

static void feed(struct feeder *f, size_t given) {
	char *window = malloc(given != 0 ? given : 1);
	assert_non_null(window);
	if (given != 0)
		memcpy(window, f->rest.p, given);
	f->given = given;
	gs_expo_feed(f->parser, gs_str_make(window, given), given == f->rest.n);
	free(f->window);
	f->window = window;
}

static void feed_more(struct feeder *f) {
	size_t used = gs_expo_used(f->parser);
	assert_true(used <= f->given);
	assert_true(f->given < f->rest.n); /* EAGAIN is not asked at the end */
	f->rest = gs_str_make(f->rest.p + used, f->rest.n - used);
	size_t given = f->given - used + f->cut.step;
	feed(f, f->cut.step != 0 && given < f->rest.n ? given : f->rest.n);
}

static void dump_error(struct gs_buf *out, enum gs_status status, const struct gs_error *err) {
	gs_buf_printf(out, "%s %u:%u %s;", gs_status_name(status), err->line, err->column, err->text);
}

/* All events and errors, going on after each error. */
static void dump_in_pieces(struct gs_expo_parser *parser, const struct gs_expo_options *options, struct gs_str body,
    struct cut cut, struct gs_buf *out) {
	struct feeder f = {.parser = parser, .rest = body, .cut = cut};
	gs_expo_begin(parser, options);
	feed(&f, cut.at < body.n ? cut.at : body.n);
	for (;;) {
		struct gs_expo_event event;
		struct gs_error err = {0};
		enum gs_status status = gs_expo_next(parser, &event, &err);
		if (status == GS_EAGAIN) {
			feed_more(&f);
			continue;
		}
		if (status == GS_OK) {
			gs_buf_printf(out, "%u ", event.line);
			dump_event(out, &event);
			if (event.kind == GS_EXPO_END)
				break;
			continue;
		}
		dump_error(out, status, &err);
		if (!gs_expo_recover(parser))
			break;
	}
	free(f.window);
	assert_int_equal(out->status, GS_OK);
}

static void check_cut(struct gs_expo_parser *parser, const struct gs_expo_options *options, struct gs_str body,
    struct cut cut, const char *whole) {
	struct gs_buf out;
	gs_buf_init(&out, EVENTS_MAX);
	dump_in_pieces(parser, options, body, cut, &out);
	gs_buf_char(&out, '\0');
	if (strcmp(out.p, whole) != 0)
		fail_msg("'%.60s' cut at %zu by %zu: %s not %s", body.p, cut.at, cut.step, out.p, whole);
	gs_buf_free(&out);
}

static void check_everywhere(const struct gs_expo_options *options, struct gs_str body) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf whole;
	gs_buf_init(&whole, EVENTS_MAX);
	assert_true(gs_expo_use_blocks(parser, GS_EXPO_BLOCKS_NONE));
	dump_in_pieces(parser, options, body, (struct cut){.at = body.n}, &whole);
	gs_buf_char(&whole, '\0');
	for (int blocks = 0; blocks <= GS_EXPO_BLOCKS_AVX2; blocks++) {
		if (!gs_expo_use_blocks(parser, (enum gs_expo_blocks)blocks))
			continue;
		for (size_t at = 0; at <= body.n; at++)
			check_cut(parser, options, body, (struct cut){.at = at}, whole.p);
		for (size_t step = 1; step < 6; step++)
			check_cut(parser, options, body, (struct cut){.at = 0, .step = step}, whole.p);
		check_cut(parser, options, body, (struct cut){.at = 0, .step = 50}, whole.p);
	}
	gs_buf_free(&whole);
	gs_expo_parser_free(parser);
}

static struct gs_expo_options options_of(const struct body *body) {
	return (struct gs_expo_options){
	    .format = body->format, .utf8_names = body->utf8_names, .max_samples = body->max_samples};
}

static void test_every_split(void **state) {
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct gs_expo_options options = options_of(&bodies[i]);
		check_everywhere(&options, gs_str_of(bodies[i].text));
	}
}

static void test_every_split_of_a_cut_body(void **state) {
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct gs_expo_options options = options_of(&bodies[i]);
		size_t n = strlen(bodies[i].text);
		for (size_t k = 0; k < n; k += 1 + n / 16)
			check_everywhere(&options, gs_str_make(bodies[i].text, k));
	}
}

/* before, then n times x, then after; cut around the limit of a line. */
static void check_long_line(
    const struct gs_expo_options *options, const char *before, size_t n, const char *after, const char *want) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf body;
	gs_buf_init(&body, 4 << 20);
	gs_buf_cstr(&body, before);
	char *at = gs_buf_reserve(&body, n);
	assert_non_null(at);
	memset(at, 'x', n);
	body.n += n;
	gs_buf_cstr(&body, after);
	check_cut(parser, options, gs_buf_slice(&body), (struct cut){.at = body.n}, want);
	for (size_t cut = n - 2; cut < body.n; cut++)
		check_cut(parser, options, gs_buf_slice(&body), (struct cut){.at = cut, .step = 1}, want);
	check_cut(parser, options, gs_buf_slice(&body), (struct cut){.at = 0, .step = 100000}, want);
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
}

static void test_long_lines(void **state) {
	(void)state;
	static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};
	const char *good = "2 S a 1;2 E ;", *bad = "limit 1:1048577 the line is longer than 1048576 bytes;";
	char both[200];
	snprintf(both, sizeof(both), "%s%s", bad, good);
	check_long_line(NULL, "#", GS_LIMIT_LINE - 1, "\na 1", good);
	check_long_line(NULL, "#", GS_LIMIT_LINE - 1, "\r\na 1", good);
	check_long_line(NULL, "#", GS_LIMIT_LINE - 1, "\r\ra 1",
	    "limit 1:1048577 the line is longer than "
	    "1048576 bytes;1 E ;");
	check_long_line(NULL, "#", GS_LIMIT_LINE, "\na 1", both);
	check_long_line(NULL, "#", GS_LIMIT_LINE, "\r\na 1", both);
	check_long_line(NULL, "#", GS_LIMIT_LINE + 20, "\na 1", both);
	check_long_line(NULL, "#", GS_LIMIT_LINE + 20, "",
	    "limit 1:1048577 the line is longer than 1048576 "
	    "bytes;1 E ;");
	snprintf(both, sizeof(both), "%s%s", bad, "2 S a 1;3 E ;");
	check_long_line(&openmetrics, "#", GS_LIMIT_LINE, "\na 1\n# EOF", both);
	check_long_line(&openmetrics, "#", GS_LIMIT_LINE - 1, "\r\n# EOF",
	    "invalid 1:1048577 the line ends with a carriage return;2 E ;");
}

/* The window is given back as far as it was read, so that a caller's buffer needs to hold no more than a line. */
static void test_used(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	gs_expo_begin(parser, NULL);
	assert_int_equal(gs_expo_used(parser), 0);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EAGAIN);
	gs_expo_feed(parser, GS_STR("a 1\n\n# c\nb 2\nc"), false);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(gs_expo_used(parser), 4);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(gs_expo_used(parser), 13);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EAGAIN);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EAGAIN);
	assert_int_equal(gs_expo_used(parser), 13);
	gs_expo_feed(parser, GS_STR("c 3"), false);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EAGAIN);
	assert_int_equal(gs_expo_used(parser), 0);
	gs_expo_feed(parser, GS_STR("c 3"), true);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(gs_expo_used(parser), 3);
	gs_expo_parser_free(parser);
}

static void test_recover(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};
	gs_expo_begin_text(parser, GS_STR("a x\nb 1\n"));
	assert_false(gs_expo_recover(parser)); /* nothing to recover from */
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EINVAL);
	assert_true(gs_expo_recover(parser));
	assert_false(gs_expo_recover(parser));
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(event.line, 2);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(event.kind, GS_EXPO_END);
	assert_false(gs_expo_recover(parser));
	gs_expo_begin(parser, &openmetrics);
	gs_expo_feed(parser, GS_STR("a 1\n"), true);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_OK);
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EINVAL);
	assert_false(gs_expo_recover(parser)); /* the end was reached */
	assert_int_equal(gs_expo_next(parser, &event, NULL), GS_EINVAL);
	gs_expo_parser_free(parser);
}

static void test_max_samples(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_expo_event event;
	struct gs_error err;
	gs_expo_begin(parser, &(struct gs_expo_options){.max_samples = 1});
	gs_expo_feed(parser, GS_STR("a 1\n# HELP b c\n  b 2\nc 3\n"), true);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_OK);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_OK);
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_ELIMIT);
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 3);
	assert_string_equal(err.text, "more than 1 samples");
	assert_true(gs_expo_recover(parser)); /* said once, not for every sample that follows */
	assert_int_equal(gs_expo_next(parser, &event, &err), GS_OK);
	assert_int_equal(event.kind, GS_EXPO_END);
	gs_expo_parser_free(parser);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_split),
	    cmocka_unit_test(test_every_split_of_a_cut_body),
	    cmocka_unit_test(test_long_lines),
	    cmocka_unit_test(test_used),
	    cmocka_unit_test(test_recover),
	    cmocka_unit_test(test_max_samples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
