/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_COMPARE_H
#define GRAVEL_LIB_EXPO_COMPARE_H

/*
 * A comparison of two scrapes. Not for other modules.
 *
 * It runs over both bodies in one of two ways. Fast, as long as nothing but values differs: equal stretches are found as blocks of bytes, and a new
 * value is read by itself. Slow, from a line that differs otherwise to where both bodies go on alike: each line of the new body goes through
 * the parser, which was shown before what that line depends on. So what is accepted, and how an error reads, is the parser's business alone.
 */

#include "common.h"
#include "gravel/expo/repeat.h"
#include "layout.h"
#include "line.h"
#include "parser.h"
#include "resync.h"

#define GS_COMPARE_NONE SIZE_MAX

enum gs_compare_mode { GS_COMPARE_FAST, GS_COMPARE_SLOW, GS_COMPARE_END };

/*
 * Where the TYPE lines stand that later lines depend on, as numbers in the new layout, or GS_COMPARE_NONE. The samples before the last one belong to the one
 * before it: so two of them are kept.
 */
struct gs_compare_marks {
	size_t meta; /* the last HELP, TYPE or UNIT */
	size_t type; /* the last TYPE */
	size_t type_samples; /* how many samples came before it */
	size_t sample_type; /* the last TYPE that has samples after it, other than that */
};

/*
 * Invariants:
 * 1. The lines before ${place.line} of the old body and before ${place.at} of the new one are compared; ${out} has the lines of the latter.
 * 2. Fast: out.cap suffices for all old lines that are left, and both contexts are the same.
 * 3. Slow: the parser has seen, or knows all that matters of, what stands before place.at; if ${pending}, it has read the event that stands there, or
 *    the end.
 */
struct gs_repeat {
	struct gs_expo_parser *parser;
	gs_expo_common_fn *common;
	struct gs_resync resync;
	struct gs_layout *layout;
	struct gs_expo_options options;
	bool openmetrics;
	size_t max_samples;
	struct gs_resync_place place;
	struct gs_lines out;
	struct gs_compare_marks marks;
	enum gs_compare_mode mode;
	bool may_be_fast;
	bool pending;
	size_t fed_at; /* where the parser's window begins */
	size_t index; /* samples of the old body before the place */
	size_t new_index;
	uint32_t line; /* lines of the new body before the place */
	size_t gone; /* old lines from the place on that the new body does not have */
	size_t added; /* the other way round */
	size_t valid; /* the old line behind the last histogram whose new values were found to be in order */
	size_t quiet; /* lines just before the place that would not have needed the slow way */
	struct gs_expo_event event;
	enum gs_status status;
	struct gs_error error;
};

static inline bool gs_compare_is_text(const struct gs_repeat *r) {
	return !r->openmetrics;
}

/** gs_compare_fast(r, change, ret_changed): Go on the fast way up to a change, to a line that needs the slow way, or to the end. */
GS_MUST_USE enum gs_status gs_compare_fast(struct gs_repeat *r, struct gs_change *change, bool *ret_changed);

/** gs_compare_begin_slow(r): Show the parser what the line at the place depends on. */
GS_MUST_USE enum gs_status gs_compare_begin_slow(struct gs_repeat *r);

/** gs_compare_slow(r, change, ret_changed): One line forward in one of the bodies, or both; to the fast way, or to the end. */
GS_MUST_USE enum gs_status gs_compare_slow(struct gs_repeat *r, struct gs_change *change, bool *ret_changed);

/** gs_compare_finish(r): Both bodies are used up: let the layout be that of the new one. */
GS_MUST_USE enum gs_status gs_compare_finish(struct gs_repeat *r);

/** gs_compare_fail(r, status, text), gs_compare_no_memory(r): End the comparison; they return the status. */
enum gs_status gs_compare_fail(struct gs_repeat *r, enum gs_status status, const char *text);
enum gs_status gs_compare_no_memory(struct gs_repeat *r);

/** gs_compare_note_meta(r, kind): A HELP, TYPE or UNIT line of the new body is about to become that of number out.n. */
void gs_compare_note_meta(struct gs_repeat *r, enum gs_line_kind kind);

/** gs_compare_begin_parser(r): Let the parser start, with nothing said of where it is. */
void gs_compare_begin_parser(struct gs_repeat *r);

/** gs_compare_place_parser(r): Tell the parser that what it reads next stands at the place. */
void gs_compare_place_parser(struct gs_repeat *r);

/** gs_compare_old_value(r, line): What stands behind the series of the old ${line}. */
struct gs_str gs_compare_old_value(const struct gs_repeat *r, const struct gs_line *line);

/** gs_compare_set_value(r, change): Report that the sample at the place has the value of the event. */
void gs_compare_set_value(struct gs_repeat *r, struct gs_change *change);

#endif
