/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_PARSER_H
#define GRAVEL_LIB_EXPO_PARSER_H

#include "family.h"
#include "fast.h"
#include "gravel/expo/expo.h"
#include "protobuf.h"
#include "scan.h"

/* What the sources of this module share; not for others. */

/*
 * Invariants:
 * 1. window <= line_start, bounds.end, next <= bounds.limit; the current line is [line_start, bounds.end), without its LF or CRLF.
 * 2. [next, next + scanned) holds no LF, so that a line that comes in small pieces is not searched again and again.
 * 3. Once status is not GS_OK, error says why and every later call gives the same answer.
 * 4. scratch[0 .. scratch_used) is what the slices of the current event may point to.
 * 5. Nothing but window, next, line_start, bounds and braces points into the window, and gs_expo_feed sets all of them anew.
 * 6. The names of braces.places[0 .. braces.nlabels) are well formed and distinct; braces.escapes is set if one of these has escapes.
 */
struct gs_expo_parser {
	struct gs_expo_options options;
	const char *window;
	bool last; /* nothing follows the window */
	bool strict; /* OpenMetrics */
	bool quotes; /* names may stand in quotes */
	bool in_long_line; /* what follows is the rest of a line that was too long */
	bool skip_rest; /* nothing of the body is read any more */
	bool saw_eof; /* "# EOF" of OpenMetrics */
	bool ended; /* the end was reached, well or with an error */
	size_t scanned;
	size_t samples;
	const char *next; /* where the next line starts */
	const char *line_start;
	struct gs_expo_bounds bounds; /* of the line and the body */
	uint32_t line;
	enum gs_status status;
	size_t scratch_used;
	gs_expo_fast_fn *fast; /* NULL: none */
	struct gs_expo_braces braces;
	struct gs_error error;
	struct gs_exemplar exemplar;
	struct gs_expo_family family;
	struct gs_label labels[2 * GS_LIMIT_LABELS]; /* of the sample, then of its exemplar */
	char scratch[GS_LIMIT_LABEL_VALUE]; /* unescaped texts */
	struct gs_expo_protobuf protobuf;
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

/** gs_expo_limit(parser, limit, status): Say of which limit the failure is; returns ${status}. See gs_error_limit. */
enum gs_status gs_expo_limit(struct gs_expo_parser *parser, const char *limit, enum gs_status status)
    __attribute__((cold));

/** gs_expo_unescape(parser, s, quote, ret): Resolve \\ and \n (and \" if ${quote}) of ${s} into the scratch memory; all else stays
 * as it is. GS_ELIMIT when the scratch memory is full. */
GS_MUST_USE enum gs_status gs_expo_unescape(
    struct gs_expo_parser *parser, struct gs_str s, bool quote, struct gs_str *ret);

/** gs_expo_space(parser, p, after): Go over the blanks at ${p}; OpenMetrics: over the one blank that must stand there. GS_EINVAL where there is none or more
 * than one; ${after} names what stands before it. At the end of the line there is nothing to check. */
GS_MUST_USE enum gs_status gs_expo_space(struct gs_expo_parser *parser, const char **p, const char *after);

/* Why a name in quotes is none. */
enum gs_expo_fault {
	GS_EXPO_FINE,
	GS_EXPO_NO_QUOTES, /* the format has none */
	GS_EXPO_OPEN,
	GS_EXPO_NO_UTF8,
	GS_EXPO_EMPTY,
	GS_EXPO_LONG,
	GS_EXPO_NO_ROOM, /* in the scratch memory */
};

/** gs_expo_read_quoted(parser, p, ret): Read the name in quotes at ${p}, unescaped; ${p} is then behind it. */
GS_MUST_USE enum gs_expo_fault gs_expo_read_quoted(struct gs_expo_parser *parser, const char **p, struct gs_str *ret);

/** gs_expo_quoted_name(parser, p, ret): The same, and the error if there is a fault. */
GS_MUST_USE enum gs_status gs_expo_quoted_name(struct gs_expo_parser *parser, const char **p, struct gs_str *ret);

/* A set of labels between braces, while it is read. */
struct gs_expo_label_set {
	const char *of; /* "metric" or "the exemplar of metric", for error texts */
	struct gs_str metric; /* empty: its name is yet to be found in the braces */
	struct gs_label *labels;
	size_t n;
};

/** gs_expo_labels(parser, set, p): Read the labels whose '{' is at ${p}; ${p} is then behind the '}'. */
GS_MUST_USE enum gs_status gs_expo_labels(struct gs_expo_parser *parser, struct gs_expo_label_set *set, const char **p);

/** gs_expo_number(parser, what, metric, p, ret): Read the number at ${p}, which is ${what} ("the value") of ${metric}; ${p} is then behind it. */
GS_MUST_USE enum gs_status gs_expo_number(
    struct gs_expo_parser *parser, const char *what, struct gs_str metric, const char **p, double *ret);

/** gs_expo_seconds(parser, what, metric, p, ret_ms): Read a time in seconds likewise, cut to milliseconds. */
GS_MUST_USE enum gs_status gs_expo_seconds(
    struct gs_expo_parser *parser, const char *what, struct gs_str metric, const char **p, int64_t *ret_ms);

/** gs_expo_exemplar(parser, event, p): Read the exemplar whose '#' is at ${p} into ${event}; ${p} is then behind it and the blanks that follow. */
GS_MUST_USE enum gs_status gs_expo_exemplar(struct gs_expo_parser *parser, struct gs_expo_event *event, const char **p);

/** gs_expo_sample(parser, p, event): Parse the current line as a sample; ${p} is its first byte that is no blank. */
GS_MUST_USE enum gs_status gs_expo_sample(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event);

/** gs_expo_tail(parser, event, p): Read what follows the value of ${event}, which ends at ${p}, to the end of the current line. */
GS_MUST_USE enum gs_status gs_expo_tail(struct gs_expo_parser *parser, struct gs_expo_event *event, const char *p);

/** gs_expo_comment(parser, p, event): Parse the current line, whose '#' stands at ${p}. The kind of ${event} stays GS_EXPO_END if it is an ordinary comment. */
GS_MUST_USE enum gs_status gs_expo_comment(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event);

/** gs_expo_classify(parser, event): Say of the sample ${event}, which the lexer has read, which part of which family it is; remember the family that a
 * TYPE names. For OpenMetrics, and where options.seen is set: check the rules that go beyond one line. Called for every event, once for the end. */
GS_MUST_USE enum gs_status gs_expo_classify(struct gs_expo_parser *parser, struct gs_expo_event *event);

/** gs_expo_type_of(word, strict, ret_type): The type that ${word} of a TYPE line names; false if there is none, or none in OpenMetrics if
 * ${strict}. */
bool gs_expo_type_of(struct gs_str word, bool strict, enum gs_expo_type *ret_type);

/* The next line is not compared with the one before. */
static inline void gs_expo_forget_braces(struct gs_expo_parser *parser) {
	parser->braces.n = 0;
	parser->braces.name_n = 0;
	parser->braces.nlabels = 0;
}

static inline struct gs_str gs_expo_between(const char *p, const char *end) {
	return gs_str_make(p, (size_t)(end - p));
}

#endif
