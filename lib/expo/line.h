/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_LINE_H
#define GRAVEL_LIB_EXPO_LINE_H

/*
 * Lines at a glance, for the comparison of two bodies: what a line that the parser accepts would be, without a check that it does. Not for
 * other modules.
 */

#include "layout.h"
#include "scan.h"

/* A HELP, TYPE or UNIT line. */
struct gs_line_meta {
	enum gs_line_kind kind;
	struct gs_str name; /* with its quotes, if it has some */
	struct gs_str word; /* what follows the name, up to a blank */
};

/* What the samples at a place of a body belong to: as far as the lines before say. */
struct gs_line_context {
	struct gs_str name;
	struct gs_str type; /* empty: no TYPE line said */
};

/** gs_line_content(p, end): The line at ${p} without its LF or CRLF; the body ends at ${end}. */
struct gs_str gs_line_content(const char *p, const char *end);

/** gs_line_word_end(p, end): The first blank or other byte up to the space in ASCII from ${p} on. */
static inline const char *gs_line_word_end(const char *p, const char *end) {
#ifdef __SSE2__
	while (end - p >= 16) {
		__m128i block;
		memcpy(&block, p, sizeof(block));
		__m128i space = _mm_set1_epi8(' ');
		unsigned bits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(block, space), space));
		if (bits != 0)
			return p + __builtin_ctz(bits);
		p += 16;
	}
#endif
	while (p < end && (unsigned char)*p > ' ')
		p++;
	return p;
}

/** gs_line_may_begin_value(p, end): Whether ${p}, up to which a line is alike one that has its value there, can begin a value: not where more blanks
 * follow, or braces behind the blanks that text allows before them. */
static inline bool gs_line_may_begin_value(const char *p, const char *end) {
	return p < end && (unsigned char)*p > ' ' && *p != '{';
}

/** gs_line_is_meta(line, ret): Whether ${line}, without its end, looks like HELP, TYPE or UNIT. */
bool gs_line_is_meta(struct gs_str line, struct gs_line_meta *ret);

/** gs_line_says_nothing(line): Whether ${line} is blank or an ordinary comment. */
bool gs_line_says_nothing(struct gs_str line);

/** gs_line_value(line): The offset of the value of the sample ${line}; line.n if there is none. */
size_t gs_line_value(struct gs_str line);

/** gs_line_enter(context, meta, openmetrics): What ${context} is behind the line ${meta}. In OpenMetrics each of them begins the family that it
 * names, in text only TYPE does. */
void gs_line_enter(struct gs_line_context *context, const struct gs_line_meta *meta, bool openmetrics);

static inline bool gs_line_same_context(const struct gs_line_context *a, const struct gs_line_context *b) {
	return gs_str_eq(a->name, b->name) && gs_str_eq(a->type, b->type);
}

/** gs_line_key(line, value, context): A hash of what makes a sample the same, ${value} being the offset of its value. Of a line that is no sample:
 * of all of it, where ${value} is line.n and ${context} NULL. */
uint64_t gs_line_key(struct gs_str line, size_t value, const struct gs_line_context *context);

#endif
