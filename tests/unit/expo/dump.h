/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_EXPO_DUMP_H
#define GRAVEL_TESTS_EXPO_DUMP_H

/* Parses as text, so that a table of cases reads well. Include cmocka.h before. */

#include <stdio.h>

#include "gravel/expo/expo.h"

/* A body that must parse, and its events as dump_event writes them. */
struct good_case {
	const char *body;
	const char *events;
};

/* A body that must not, and where and why. */
struct bad_case {
	const char *body;
	uint32_t line;
	uint32_t column;
	const char *text; /* the whole reason */
};

static inline void dump_labels(struct gs_buf *out, const struct gs_label *labels, size_t n) {
	for (size_t i = 0; i < n; i++)
		gs_buf_printf(out, " %.*s=[%.*s]", GS_FMT(labels[i].name), GS_FMT(labels[i].value));
}

static inline void dump_number(struct gs_buf *out, double value, bool has_timestamp, int64_t timestamp_ms) {
	gs_buf_char(out, ' ');
	gs_buf_double(out, value);
	if (has_timestamp) {
		gs_buf_cstr(out, " @");
		gs_buf_i64(out, timestamp_ms);
	}
}

/* Append one event: "T name type;", "H name [text];", "U name [text];", "S name a=[v] value @timestamp # b=[w] value @timestamp;" */
static inline void dump_event(struct gs_buf *out, const struct gs_expo_event *e) {
	static const char kinds[] = {'E', 'T', 'H', 'U', 'S'};
	gs_buf_char(out, kinds[e->kind]);
	gs_buf_char(out, ' ');
	gs_buf_str(out, e->name);
	if (e->kind == GS_EXPO_TYPE)
		gs_buf_printf(out, " %s", gs_expo_type_name(e->type));
	if (e->kind == GS_EXPO_HELP || e->kind == GS_EXPO_UNIT)
		gs_buf_printf(out, " [%.*s]", GS_FMT(e->text));
	if (e->kind == GS_EXPO_SAMPLE) {
		dump_labels(out, e->labels, e->nlabels);
		dump_number(out, e->value, e->has_timestamp, e->timestamp_ms);
	}
	if (e->exemplar != NULL) {
		gs_buf_cstr(out, " #");
		dump_labels(out, e->exemplar->labels, e->exemplar->nlabels);
		dump_number(out, e->exemplar->value, e->exemplar->has_timestamp, e->exemplar->timestamp_ms);
	}
	gs_buf_char(out, ';');
}

/* Parse all of body with options (NULL: text), appending its events to out (may be NULL). */
static inline enum gs_status dump_body_as(struct gs_expo_parser *parser, const struct gs_expo_options *options,
    struct gs_str body, struct gs_buf *out, struct gs_error *err) {
	struct gs_expo_event event;
	gs_expo_begin(parser, options);
	gs_expo_feed(parser, body, true);
	for (;;) {
		enum gs_status status = gs_expo_next(parser, &event, err);
		if (status != GS_OK || event.kind == GS_EXPO_END)
			return status;
		if (out != NULL)
			dump_event(out, &event);
	}
}

static inline enum gs_status dump_body(
    struct gs_expo_parser *parser, struct gs_str body, struct gs_buf *out, struct gs_error *err) {
	return dump_body_as(parser, NULL, body, out, err);
}

static inline void check_good_as(const struct gs_expo_options *options, const struct good_case *cases, size_t n) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	assert_non_null(parser);
	for (size_t i = 0; i < n; i++) {
		struct gs_error err = {0};
		gs_buf_clear(&out);
		if (dump_body_as(parser, options, gs_str_of(cases[i].body), &out, &err) != GS_OK)
			fail_msg("'%s': %u:%u: %s", cases[i].body, err.line, err.column, err.text);
		gs_buf_char(&out, '\0');
		assert_string_equal(out.p, cases[i].events);
	}
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

static inline void check_bad_as(const struct gs_expo_options *options, const struct bad_case *cases, size_t n) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	assert_non_null(parser);
	for (size_t i = 0; i < n; i++) {
		struct gs_error err = {0};
		enum gs_status status = dump_body_as(parser, options, gs_str_of(cases[i].body), NULL, &err);
		if (status != GS_EINVAL)
			fail_msg("'%s' gave %s", cases[i].body, gs_status_name(status));
		if (err.line != cases[i].line || err.column != cases[i].column)
			fail_msg("'%s' failed at %u:%u, not %u:%u (%s)", cases[i].body, err.line, err.column,
			    cases[i].line, cases[i].column, err.text);
		assert_string_equal(err.text, cases[i].text);
	}
	gs_expo_parser_free(parser);
}

static inline void check_good(const struct good_case *cases, size_t n) {
	check_good_as(NULL, cases, n);
}

static inline void check_bad(const struct bad_case *cases, size_t n) {
	check_bad_as(NULL, cases, n);
}

/* The first event of: before, count times c, after; and the length of its text. */
static inline enum gs_status parse_long(
    const char *before, char c, size_t count, const char *after, struct gs_error *err, size_t *ret_n) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf body;
	assert_non_null(parser);
	gs_buf_init(&body, 4 << 20);
	gs_buf_cstr(&body, before);
	char *at = gs_buf_reserve(&body, count);
	assert_non_null(at);
	memset(at, c, count);
	body.n += count;
	gs_buf_cstr(&body, after);
	gs_expo_begin_text(parser, gs_buf_slice(&body));
	struct gs_expo_event event;
	enum gs_status status = gs_expo_next(parser, &event, err);
	if (status == GS_OK && ret_n != NULL)
		*ret_n = event.text.n;
	gs_buf_free(&body);
	gs_expo_parser_free(parser);
	return status;
}

#endif
