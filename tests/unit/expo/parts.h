/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_EXPO_PARTS_H
#define GRAVEL_TESTS_EXPO_PARTS_H

/* What the samples of a body are parts of. Include cmocka.h before. */

#include "dump.h"

/* Append a sample as "name part of family type", " < bound" if it has one, " +" if it is joined, and ";". Without the part where it is the whole
 * value, without " of family" where that is its name. */
static inline void dump_part(struct gs_buf *out, const struct gs_expo_event *e) {
	static const char *const parts[] = {"", " bucket", " quantile", " sum", " count", " created", " native"};
	gs_buf_str(out, e->name);
	gs_buf_cstr(out, parts[e->part]);
	if (!gs_str_eq(e->family, e->name))
		gs_buf_printf(out, " of %.*s", GS_FMT(e->family));
	gs_buf_printf(out, " %s", gs_expo_type_name(e->type));
	if (e->part == GS_PART_BUCKET || e->part == GS_PART_QUANTILE) {
		gs_buf_cstr(out, " < ");
		gs_buf_double(out, e->bound);
	}
	gs_buf_cstr(out, e->joined ? " +;" : ";");
}

/* Parse body in windows that grow by piece bytes (0: in one), each in memory of its own; append its samples to out (may be NULL). */
static inline enum gs_status dump_parts(struct gs_expo_parser *parser, const struct gs_expo_options *options,
    struct gs_str body, size_t piece, struct gs_buf *out, struct gs_error *err) {
	struct gs_expo_event event = {.kind = GS_EXPO_TYPE};
	enum gs_status status = GS_EAGAIN;
	size_t used = 0, end = 0;
	gs_expo_begin(parser, options);
	while (status == GS_EAGAIN) {
		end = piece != 0 && piece < body.n - end ? end + piece : body.n;
		struct gs_str window = gs_str_make(body.p + used, end - used);
		char *copy = test_malloc(window.n + 1);
		memcpy(copy, window.p, window.n);
		gs_expo_feed(parser, gs_str_make(copy, window.n), end == body.n);
		do {
			status = gs_expo_next(parser, &event, err);
			if (status == GS_OK && event.kind == GS_EXPO_SAMPLE && out != NULL)
				dump_part(out, &event);
		} while (status == GS_OK && event.kind != GS_EXPO_END);
		used += gs_expo_used(parser);
		test_free(copy);
	}
	return status;
}

/* What comes of body in one piece; in pieces of each size it must be the same. Terminated. */
static inline enum gs_status dump_parts_cut(struct gs_expo_parser *parser, const struct gs_expo_options *options,
    struct gs_str body, struct gs_buf *out, struct gs_error *err) {
	struct gs_buf cut;
	gs_buf_init(&cut, 1 << 20);
	gs_buf_clear(out);
	*err = (struct gs_error){0};
	enum gs_status status = dump_parts(parser, options, body, 0, out, err);
	gs_buf_char(out, '\0');
	for (size_t piece = 1; piece < body.n && piece <= 200; piece++) {
		struct gs_error e = {0};
		gs_buf_clear(&cut);
		assert_int_equal(dump_parts(parser, options, body, piece, &cut, &e), status);
		gs_buf_char(&cut, '\0');
		assert_string_equal(cut.p, out->p);
		assert_int_equal(e.line, err->line);
		assert_int_equal(e.column, err->column);
		assert_string_equal(e.text, err->text);
	}
	gs_buf_free(&cut);
	return status;
}

/* With the ends behind each body. */
static inline void check_parts(
    const struct gs_expo_options *options, const char *end, const struct good_case *cases, size_t n) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf body, out;
	gs_buf_init(&body, 1 << 20);
	gs_buf_init(&out, 1 << 20);
	assert_non_null(parser);
	for (size_t i = 0; i < n; i++) {
		struct gs_error err;
		gs_buf_clear(&body);
		gs_buf_printf(&body, "%s%s", cases[i].body, end);
		if (dump_parts_cut(parser, options, gs_buf_slice(&body), &out, &err) != GS_OK)
			fail_msg("'%s': %u:%u: %s", cases[i].body, err.line, err.column, err.text);
		assert_string_equal(out.p, cases[i].events);
	}
	gs_buf_free(&body);
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

static inline void check_broken(
    const struct gs_expo_options *options, const char *end, const struct bad_case *cases, size_t n) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf body, out;
	gs_buf_init(&body, 1 << 20);
	gs_buf_init(&out, 1 << 20);
	assert_non_null(parser);
	for (size_t i = 0; i < n; i++) {
		struct gs_error err;
		gs_buf_clear(&body);
		gs_buf_printf(&body, "%s%s", cases[i].body, end);
		enum gs_status status = dump_parts_cut(parser, options, gs_buf_slice(&body), &out, &err);
		if (status != GS_EINVAL)
			fail_msg("'%s' gave %s", cases[i].body, gs_status_name(status));
		if (err.line != cases[i].line || err.column != cases[i].column || strcmp(err.text, cases[i].text) != 0)
			fail_msg("'%s' failed at %u:%u: %s, not %u:%u: %s", cases[i].body, err.line, err.column,
			    err.text, cases[i].line, cases[i].column, cases[i].text);
	}
	gs_buf_free(&body);
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

#endif
