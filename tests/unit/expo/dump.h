/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_EXPO_DUMP_H
#define GRAVEL_TESTS_EXPO_DUMP_H

/* Parses as text, so that a table of cases reads well. Include cmocka.h before. */

#include <stdio.h>

#include "../../../lib/expo/fast.h"
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

/* Behind the last line so much that blocks of bytes can be read there. OpenMetrics: before its "# EOF", if it ends with that, a HELP line. */
#define PAD64 "################################################################"
#define HELP64 "# HELP z " PAD64 "\n"
#define HELP64_EVENT "H z [" PAD64 "];"

static inline bool ends_with_eof(struct gs_str body) {
	return gs_str_ends(body, GS_STR("\n# EOF")) || gs_str_ends(body, GS_STR("\n# EOF\n"));
}

/* False if nothing can be added to body. */
static inline bool pad_body(const struct gs_expo_options *options, struct gs_str body, struct gs_buf *out) {
	bool strict = options != NULL && options->format == GS_FORMAT_OPENMETRICS;
	if (strict && !ends_with_eof(body))
		return false;
	gs_buf_clear(out);
	gs_buf_add(out, body.p, strict ? body.n - 5 - (body.p[body.n - 1] == '\n') : body.n);
	gs_buf_cstr(out, strict ? HELP64 "# EOF" : "\n" PAD64);
	return true;
}

static inline void check_good_body(struct gs_expo_parser *parser, const struct gs_expo_options *options,
    struct gs_str body, const char *events, const char *more) {
	struct gs_error err = {0};
	struct gs_buf out, want;
	gs_buf_init(&out, 1 << 20);
	gs_buf_init(&want, 1 << 20);
	if (dump_body_as(parser, options, body, &out, &err) != GS_OK)
		fail_msg("'%.*s': %u:%u: %s", GS_FMT(body), err.line, err.column, err.text);
	gs_buf_char(&out, '\0');
	gs_buf_printf(&want, "%s%s", events, more);
	gs_buf_char(&want, '\0');
	assert_string_equal(out.p, want.p);
	gs_buf_free(&out);
	gs_buf_free(&want);
}

static inline void check_bad_body(struct gs_expo_parser *parser, const struct gs_expo_options *options,
    struct gs_str body, const struct bad_case *want) {
	struct gs_error err = {0};
	enum gs_status status = dump_body_as(parser, options, body, NULL, &err);
	if (status != GS_EINVAL)
		fail_msg("'%.*s' gave %s", GS_FMT(body), gs_status_name(status));
	if (err.line != want->line || err.column != want->column)
		fail_msg("'%.*s' failed at %u:%u, not %u:%u (%s)", GS_FMT(body), err.line, err.column, want->line,
		    want->column, err.text);
	assert_string_equal(err.text, want->text);
}

/* Every case with every kind of blocks that this machine has, as it stands and with more behind it. */

static inline void check_good_as(const struct gs_expo_options *options, const struct good_case *cases, size_t n) {
	bool strict = options != NULL && options->format == GS_FORMAT_OPENMETRICS;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf padded;
	gs_buf_init(&padded, 1 << 20);
	assert_non_null(parser);
	for (int blocks = 0; blocks <= GS_EXPO_BLOCKS_AVX2; blocks++) {
		if (!gs_expo_use_blocks(parser, (enum gs_expo_blocks)blocks))
			continue;
		for (size_t i = 0; i < n; i++) {
			struct gs_str body = gs_str_of(cases[i].body);
			check_good_body(parser, options, body, cases[i].events, "");
			if (pad_body(options, body, &padded))
				check_good_body(parser, options, gs_buf_slice(&padded), cases[i].events,
				    strict ? HELP64_EVENT : "");
		}
	}
	gs_buf_free(&padded);
	gs_expo_parser_free(parser);
}

static inline void check_bad_as(const struct gs_expo_options *options, const struct bad_case *cases, size_t n) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf padded;
	gs_buf_init(&padded, 1 << 20);
	assert_non_null(parser);
	for (int blocks = 0; blocks <= GS_EXPO_BLOCKS_AVX2; blocks++) {
		if (!gs_expo_use_blocks(parser, (enum gs_expo_blocks)blocks))
			continue;
		for (size_t i = 0; i < n; i++) {
			struct gs_str body = gs_str_of(cases[i].body);
			check_bad_body(parser, options, body, &cases[i]);
			if (pad_body(options, body, &padded))
				check_bad_body(parser, options, gs_buf_slice(&padded), &cases[i]);
		}
	}
	gs_buf_free(&padded);
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
