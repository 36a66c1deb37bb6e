/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_PARSER_H
#define GRAVEL_LIB_EXPO_PARSER_H

#include "gravel/expo/expo.h"
#include "scan.h"

/* What the sources of this module share; not for others. */

/*
 * Invariants:
 * 1. next, line_start and bounds stand in the body; the current line is [line_start, bounds.end), without its LF or CRLF.
 * 2. Once status is not GS_OK, error says why and every later call gives the same answer.
 * 3. scratch[0 .. scratch_used) is what the slices of the current event may point to.
 */
struct gs_expo_parser {
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

/** gs_expo_type_of(word, ret_type): The type that ${word} of a TYPE line names; false if there is none. */
bool gs_expo_type_of(struct gs_str word, enum gs_expo_type *ret_type);

static inline struct gs_str gs_expo_between(const char *p, const char *end) {
	return gs_str_make(p, (size_t)(end - p));
}

#endif
