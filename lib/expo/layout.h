/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_LAYOUT_H
#define GRAVEL_LIB_EXPO_LAYOUT_H

#include "gravel/expo/repeat.h"

/* Where the lines of a body stand. Not for other modules. */

enum gs_line_kind {
	GS_LINE_SAMPLE,
	GS_LINE_TYPE,
	GS_LINE_HELP,
	GS_LINE_UNIT,
	GS_LINE_OTHER, /* any number of lines, blank or comments, that say nothing */
};

/* What a new value of a sample may be. */
enum gs_line_values {
	GS_VALUES_ANY,
	GS_VALUES_POSITIVE, /* or 0 */
	GS_VALUES_WHOLE, /* and positive or 0 */
	GS_VALUES_BUCKET, /* of a histogram: whole, and not below the bucket before */
	GS_VALUES_COUNT, /* of a histogram: that of its last bucket */
	GS_VALUES_TIED, /* to something else */
};

struct gs_line {
	uint32_t start; /* offset in the body */
	unsigned at : 22; /* of a sample: offset of the value from start; of others: how many lines these are */
	unsigned kind : 3;
	unsigned values : 3;
	bool linked : 1; /* OpenMetrics: it is a part of the same metric as the sample before */
	bool typed : 1; /* its family has a type */
	bool tail : 1; /* something follows the value */
};

#define GS_LINE_AT_MAX ((1U << 22) - 1)

/*
 * Invariants:
 * 1. n <= cap; if n != 0, n < cap and lines[n].start is the size of the body.
 * 2. Each line starts behind the one before, the first one at 0.
 */
struct gs_lines {
	struct gs_line *lines;
	size_t n;
	size_t cap;
};

struct gs_layout {
	struct gs_lines of;
	size_t samples;
	size_t bytes; /* of the body */
	enum gs_expo_format format;
	bool utf8_names;
};

/** gs_lines_reserve(lines, n): Make room for ${n} lines in all, and for the end. */
GS_MUST_USE enum gs_status gs_lines_reserve(struct gs_lines *lines, size_t n);

/** gs_lines_add_other(lines, start): Add a line that says nothing, for which there is room. */
void gs_lines_add_other(struct gs_lines *lines, size_t start);

/** gs_lines_copy(to, from): Let ${to} be as ${from}, in no more memory than needed; on failure it stays as it was. */
GS_MUST_USE enum gs_status gs_lines_copy(struct gs_lines *to, const struct gs_lines *from);

static inline void gs_lines_add(struct gs_lines *lines, struct gs_line line) {
	lines->lines[lines->n++] = line;
}

/** gs_lines_check(lines, bytes): Assert the invariants. */
void gs_lines_check(const struct gs_lines *lines, size_t bytes);

#endif
