/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/check/check.h"

#include <assert.h>

#include "families.h"
#include "gravel/base/mem.h"
#include "lint.h"

#define STEP ((size_t)256 * 1024) /* bytes of a piece that are looked at at a time */
#define WINDOW_MAX                                                                                                     \
	(GS_LIMIT_SCRAPE_BODY + 2 * STEP) /* the parser refuses a line or message that is larger before it is here */

/*
 * Invariants:
 * 1. window holds what the parser has not used of the pieces so far; before it stood ${dropped} bytes of the body.
 * 2. counted: the byte of the body up to which all belongs to a family, or never will.
 * 3. family is that of the last event, NULL before the first one and after an error.
 */
struct gs_check {
	struct gs_check_options options;
	enum gs_expo_format format;
	struct gs_expo_parser *parser;
	struct gs_expo_seen *seen;
	struct gs_check_families *families;
	struct gs_buf window;
	uint64_t dropped;
	uint64_t counted;
	struct gs_check_family *family;
	struct gs_check_totals totals;
	bool over;
	struct gs_buf first_series; /* of the last run of joined samples, if it had timestamps: its first series */
	bool run_is_later; /* another point of series that were counted */
};

struct gs_check *gs_check_new(const struct gs_check_options *options) {
	struct gs_check *check = gs_alloc(sizeof(*check));
	if (check == NULL)
		return NULL;
	check->options = *options;
	if (check->options.max_families == 0)
		check->options.max_families = GS_LIMIT_CHECK_FAMILIES;
	gs_buf_init(&check->window, WINDOW_MAX);
	gs_buf_init(&check->first_series, GS_LIMIT_LINE);
	check->parser = gs_expo_parser_new();
	check->seen = gs_expo_seen_new();
	check->families = gs_check_families_new(check->options.max_families);
	if (check->parser == NULL || check->seen == NULL || check->families == NULL) {
		gs_check_free(check);
		return NULL;
	}
	gs_check_begin(check, GS_FORMAT_TEXT, false);
	return check;
}

void gs_check_free(struct gs_check *check) {
	if (check == NULL)
		return;
	gs_expo_parser_free(check->parser);
	gs_expo_seen_free(check->seen);
	gs_check_families_free(check->families);
	gs_buf_free(&check->window);
	gs_buf_free(&check->first_series);
	gs_free(check);
}

void gs_check_begin(struct gs_check *check, enum gs_expo_format format, bool utf8_names) {
	struct gs_expo_options options = {.format = format, .utf8_names = utf8_names, .seen = check->seen};
	gs_expo_begin(check->parser, &options);
	gs_check_families_clear(check->families);
	gs_buf_clear(&check->window);
	check->format = format;
	check->dropped = 0;
	check->counted = 0;
	check->family = NULL;
	check->totals = (struct gs_check_totals){0};
	check->over = false;
	gs_buf_clear(&check->first_series);
	check->run_is_later = false;
}

static void report(struct gs_check *check, enum gs_check_severity severity, const struct gs_error *problem) {
	uint64_t *count = severity == GS_CHECK_ERROR ? &check->totals.errors : &check->totals.warnings;
	(*count)++;
	if (check->options.max_reports == 0 || *count <= check->options.max_reports)
		check->options.report(check->options.ctx, severity, problem);
}

/* What the parser has used since the last call is of the family; NULL: of none. */
static void take_bytes(struct gs_check *check, struct gs_check_family *family) {
	uint64_t at = check->dropped + gs_expo_used(check->parser);
	if (family != NULL)
		family->bytes += at - check->counted;
	check->counted = at;
}

/* Whether the sample is of a series that was counted: samples with timestamps that begin with the series that the ones before began with
 * are another point of the same metric. */
static bool is_later_point(struct gs_check *check, const struct gs_expo_event *event) {
	struct gs_buf *first = &check->first_series;
	if (event->joined)
		return check->run_is_later;
	check->run_is_later =
	    event->has_timestamp && event->series.n != 0 && gs_str_eq(event->series, gs_buf_slice(first));
	if (check->run_is_later)
		return true;
	gs_buf_clear(first);
	if (event->has_timestamp)
		gs_buf_str(first, event->series);
	return false;
}

static void count_sample(struct gs_check *check, struct gs_check_family *family, const struct gs_expo_event *event) {
	bool new_series = !is_later_point(check, event);
	family->samples++;
	family->series += new_series;
	check->totals.samples++;
	check->totals.series += new_series;
}

static enum gs_status count(struct gs_check *check, const struct gs_expo_event *event) {
	struct gs_check_family *family;
	bool sample = event->kind == GS_EXPO_SAMPLE;
	enum gs_status status =
	    gs_check_families_get(check->families, sample ? event->family : event->name, event->line, &family);
	if (status != GS_OK)
		return status;
	if (sample)
		count_sample(check, family, event);
	if (event->kind == GS_EXPO_TYPE) {
		family->type = event->type;
		family->has_type = true;
	}
	if (event->kind == GS_EXPO_HELP)
		family->has_help = true;
	/* A line is used with its event, a message only behind its last one. */
	if (check->format != GS_FORMAT_PROTOBUF)
		take_bytes(check, family);
	check->family = family;
	return check->first_series.status;
}

/* Take all events that the window has. */
static enum gs_status read_events(struct gs_check *check) {
	struct gs_expo_event event;
	struct gs_error problem;
	while (!check->over) {
		enum gs_status status = gs_expo_next(check->parser, &event, &problem);
		if (check->format == GS_FORMAT_PROTOBUF)
			take_bytes(check, check->family);
		if (status == GS_EAGAIN)
			return GS_OK;
		if (status == GS_EINVAL || status == GS_ELIMIT) {
			report(check, GS_CHECK_ERROR, &problem);
			check->over = !gs_expo_recover(check->parser);
			take_bytes(check, NULL);
			check->family = NULL;
			continue;
		}
		if (status == GS_OK && event.kind != GS_EXPO_END)
			status = count(check, &event);
		else if (status == GS_OK)
			check->over = true;
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

static enum gs_status read_step(struct gs_check *check, struct gs_str step, bool last) {
	struct gs_buf *window = &check->window;
	gs_buf_str(window, step);
	assert(window->status != GS_ELIMIT);
	if (window->status != GS_OK)
		return window->status;
	gs_expo_feed(check->parser, gs_buf_slice(window), last);
	enum gs_status status = read_events(check);
	size_t used = gs_expo_used(check->parser);
	if (used != 0)
		memmove(window->p, window->p + used, window->n - used);
	window->n -= used;
	check->dropped += used;
	check->totals.stopped = check->over && (!last || window->n != 0);
	return status;
}

static void lint(struct gs_check *check) {
	struct gs_error warnings[GS_CHECK_LINT_MAX];
	const struct gs_check_family *family = NULL;
	while ((family = gs_check_families_next(check->families, family)) != NULL) {
		size_t n = gs_check_lint(family, check->format, warnings);
		for (size_t i = 0; i < n; i++)
			report(check, GS_CHECK_WARNING, &warnings[i]);
	}
}

enum gs_status gs_check_feed(struct gs_check *check, struct gs_str piece, bool last) {
	bool was_over = check->over;
	enum gs_status status = GS_OK;
	check->totals.bytes += piece.n;
	do {
		size_t n = piece.n < STEP ? piece.n : STEP;
		if (!check->over)
			status = read_step(check, gs_str_make(piece.p, n), last && n == piece.n);
		piece = gs_str_make(piece.p + n, piece.n - n);
	} while (status == GS_OK && piece.n != 0 && !check->over);
	if (status == GS_OK && check->over && !was_over && !check->totals.stopped && check->options.lint)
		lint(check);
	return status;
}

bool gs_check_is_over(const struct gs_check *check) {
	return check->over;
}

struct gs_check_totals gs_check_totals(const struct gs_check *check) {
	struct gs_check_totals totals = check->totals;
	totals.families = gs_check_families_count(check->families);
	totals.more_families = gs_check_families_full(check->families);
	return totals;
}

static bool is_larger(const struct gs_check_family *a, const struct gs_check_family *b) {
	return a->series != b->series ? a->series > b->series : a->bytes > b->bytes;
}

size_t gs_check_largest(const struct gs_check *check, struct gs_check_family *ret, size_t n) {
	const struct gs_check_family *family = NULL;
	size_t have = 0;
	while ((family = gs_check_families_next(check->families, family)) != NULL) {
		size_t at = have;
		while (at > 0 && is_larger(family, &ret[at - 1]))
			at--;
		if (at == n)
			continue;
		have += have < n;
		memmove(&ret[at + 1], &ret[at], (have - at - 1) * sizeof(*ret));
		ret[at] = *family;
	}
	return have;
}
