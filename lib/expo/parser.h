/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_PARSER_H
#define GRAVEL_LIB_EXPO_PARSER_H

#include "gravel/expo/expo.h"
#include "scan.h"

/* What the sources of this module share; not for others. */

/*
 * Invariants:
 * 1. window <= line_start, bounds.end, next <= bounds.limit; the current line is [line_start, bounds.end), without its LF or CRLF.
 * 2. [next, next + scanned) holds no LF, so that a line that comes in small pieces is not searched again and again.
 * 3. Once status is not GS_OK, error says why and every later call gives the same answer.
 * 4. scratch[0 .. scratch_used) is what the slices of the current event may point to.
 */
struct gs_expo_parser {
	struct gs_expo_options options;
	const char *window;
	bool last; /* nothing follows the window */
	bool in_long_line; /* what follows is the rest of a line that was too long */
	size_t scanned;
	size_t samples;
	const char *next; /* where the next line starts */
	const char *line_start;
	struct gs_expo_bounds bounds; /* of the line and the body */
	uint32_t line;
	enum gs_status status;
	size_t scratch_used;
	struct gs_error error;
	struct gs_label labels[2 * GS_LIMIT_LABELS]; /* of the sample, then of its exemplar */
	char scratch[GS_LIMIT_LABEL_VALUE]; /* unescaped texts */
};

/* A piece of the input made fit for an error text: printable and short. */
struct gs_expo_quoted {
	char text[96];
};

/** gs_expo_quote(s): ${s} in quotes, bytes that are not printable ASCII as \xNN, cut with "..." when long. */
struct gs_expo_quoted gs_expo_quote(struct gs_str s);

/** gs_expo_fail(parser, status, at, fmt, ...): End the parse with an error at ${at} in the current line; returns ${status}. */
enum gs_status gs_expo_fail(struct gs_expo_parser *parser, enum gs_status status, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5), cold));

/** gs_expo_unescape(parser, s, quote, ret): Resolve \\ and \n (and \" if ${quote}) of ${s} into the scratch memory; all else stays
 * as it is. GS_ELIMIT when the scratch memory is full. */
GS_MUST_USE enum gs_status gs_expo_unescape(
    struct gs_expo_parser *parser, struct gs_str s, bool quote, struct gs_str *ret);

/** gs_expo_sample(parser, p, event): Parse the current line as a sample; ${p} is its first byte that is no blank. */
GS_MUST_USE enum gs_status gs_expo_sample(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event);

/** gs_expo_classify(parser, event): Say of the sample ${event}, which the lexer has read, which part of which family it is; remember the family that a
 * TYPE names. For OpenMetrics, and where options.seen is set: check the rules that go beyond one line. */
GS_MUST_USE enum gs_status gs_expo_classify(struct gs_expo_parser *parser, struct gs_expo_event *event);

/** gs_expo_type_of(word, ret_type): The type that ${word} of a TYPE line names; false if there is none. */
bool gs_expo_type_of(struct gs_str word, enum gs_expo_type *ret_type);

static inline struct gs_str gs_expo_between(const char *p, const char *end) {
	return gs_str_make(p, (size_t)(end - p));
}

#endif
