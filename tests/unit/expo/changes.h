/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_EXPO_CHANGES_H
#define GRAVEL_TESTS_EXPO_CHANGES_H

/* What a comparison of two scrapes says, as text, so that a table of cases reads well. Include cmocka.h before. */

#include "dump.h"
#include "gravel/expo/repeat.h"

/* Two bodies that must both parse, and the changes as dump_change writes them. */
struct change_case {
	const char *previous;
	const char *next;
	const char *changes;
};

/* Append one change: "V index>new_index value @timestamp # exemplar;", "R index;", "A new_index event", "M event". */
static inline void dump_change(struct gs_buf *out, const struct gs_change *c) {
	static const char kinds[] = {'E', 'V', 'M', 'A', 'R'};
	gs_buf_printf(out, "%c ", kinds[c->kind]);
	if (c->kind == GS_CHANGE_VALUE) {
		gs_buf_printf(out, "%zu>%zu", c->index, c->new_index);
		dump_number(out, c->value, c->has_timestamp, c->timestamp_ms);
		if (c->exemplar != NULL) {
			gs_buf_cstr(out, " #");
			dump_labels(out, c->exemplar->labels, c->exemplar->nlabels);
			dump_number(out, c->exemplar->value, c->exemplar->has_timestamp, c->exemplar->timestamp_ms);
		}
		gs_buf_char(out, ';');
	} else if (c->kind == GS_CHANGE_REMOVED) {
		gs_buf_printf(out, "%zu;", c->index);
	} else {
		if (c->kind == GS_CHANGE_ADDED)
			gs_buf_printf(out, "%zu ", c->new_index);
		dump_event(out, c->event);
	}
}

/* Compare, appending the changes to out (may be NULL). */
static inline enum gs_status dump_changes(struct gs_repeat *repeat, struct gs_layout *layout, struct gs_str previous,
    struct gs_str next, const struct gs_expo_options *options, struct gs_buf *out, struct gs_error *err) {
	struct gs_change change;
	gs_repeat_begin(repeat, layout, previous, next, options);
	for (;;) {
		enum gs_status status = gs_repeat_next(repeat, &change, err);
		if (status != GS_OK || change.kind == GS_CHANGE_END)
			return status;
		if (out != NULL)
			dump_change(out, &change);
	}
}

/* Let the layout, which is new, be that of body; "" is no OpenMetrics, but what a new layout is of. */
static inline void learn(
    struct gs_repeat *repeat, struct gs_layout *layout, const char *body, const struct gs_expo_options *options) {
	struct gs_error err = {0};
	if (body[0] != '\0' &&
	    dump_changes(repeat, layout, (struct gs_str){0}, gs_str_of(body), options, NULL, &err) != GS_OK)
		fail_msg("'%s': %u:%u: %s", body, err.line, err.column, err.text);
}

/* After each case the new body is compared to itself: nothing has changed. */
static inline void check_changes(const struct gs_expo_options *options, const struct change_case *cases, size_t n) {
	struct gs_repeat *repeat = gs_repeat_new();
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	assert_non_null(repeat);
	for (size_t i = 0; i < n; i++) {
		const struct change_case *c = &cases[i];
		struct gs_layout *layout = gs_layout_new();
		struct gs_str next = gs_str_of(c->next);
		struct gs_error err = {0};
		assert_non_null(layout);
		learn(repeat, layout, c->previous, options);
		gs_buf_clear(&out);
		if (dump_changes(repeat, layout, gs_str_of(c->previous), next, options, &out, &err) != GS_OK)
			fail_msg("case %zu, '%s': %u:%u: %s", i, c->next, err.line, err.column, err.text);
		gs_buf_char(&out, '\0');
		if (strcmp(out.p, c->changes) != 0)
			fail_msg("case %zu, '%s': %s", i, c->next, out.p);
		gs_buf_clear(&out);
		assert_int_equal(dump_changes(repeat, layout, next, next, options, &out, &err), GS_OK);
		assert_int_equal(out.n, 0);
		gs_layout_free(layout);
	}
	gs_buf_free(&out);
	gs_repeat_free(repeat);
}

/* The second body is wrong, where and why the parser says; what came before it is reported. */
struct wrong_case {
	const char *previous;
	const char *next;
	const char *changes;
	uint32_t line;
	uint32_t column;
	const char *text;
};

/* The layout stays as it was, so that the previous body is found unchanged afterwards. */
static inline void check_wrong(const struct gs_expo_options *options, const struct wrong_case *cases, size_t n) {
	struct gs_repeat *repeat = gs_repeat_new();
	struct gs_buf out;
	gs_buf_init(&out, 1 << 20);
	assert_non_null(repeat);
	for (size_t i = 0; i < n; i++) {
		const struct wrong_case *c = &cases[i];
		struct gs_layout *layout = gs_layout_new();
		struct gs_str previous = gs_str_of(c->previous);
		struct gs_error err = {0}, again = {0};
		struct gs_change change;
		assert_non_null(layout);
		learn(repeat, layout, c->previous, options);
		gs_buf_clear(&out);
		enum gs_status status = dump_changes(repeat, layout, previous, gs_str_of(c->next), options, &out, &err);
		gs_buf_char(&out, '\0');
		if (status == GS_OK || err.line != c->line || err.column != c->column ||
		    strcmp(err.text, c->text) != 0 || strcmp(out.p, c->changes) != 0)
			fail_msg("case %zu, '%s': %s %u:%u: %s after %s", i, c->next, gs_status_name(status), err.line,
			    err.column, err.text, out.p);
		assert_int_equal(gs_repeat_next(repeat, &change, &again), status);
		assert_string_equal(again.text, err.text);
		gs_buf_clear(&out);
		assert_int_equal(dump_changes(repeat, layout, previous, previous, options, &out, &err), GS_OK);
		assert_int_equal(out.n, 0);
		gs_layout_free(layout);
	}
	gs_buf_free(&out);
	gs_repeat_free(repeat);
}

#endif
