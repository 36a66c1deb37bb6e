/* SPDX-License-Identifier: Apache-2.0 */
/* Two scrapes line by line, by way of the parser. */
#include <assert.h>

#include "compare.h"

#define QUIET_LINES 8 /* OpenMetrics: so many lines without need for it end the slow way, which is costly to enter */

/* The line of that number in the new layout. */
static struct gs_str new_content(const struct gs_repeat *r, size_t out_line) {
	return gs_line_content(r->place.next.p + r->out.lines[out_line].start, r->place.next.p + r->place.next.n);
}

static size_t next_start(const struct gs_repeat *r, size_t out_line) {
	return out_line < r->out.n ? r->out.lines[out_line].start : r->place.at;
}

/* What the samples at the place belong to. */
static struct gs_line_context context_of(const struct gs_repeat *r) {
	struct gs_line_context context = {0};
	const size_t lines[] = {r->marks.type, r->marks.meta};
	for (size_t i = 0; i < 2; i++) {
		struct gs_line_meta meta;
		if (lines[i] != GS_COMPARE_NONE && gs_line_is_meta(new_content(r, lines[i]), &meta))
			gs_line_enter(&context, &meta, r->openmetrics);
	}
	return context;
}

/* Lines [from, to) of the new layout. */
struct range {
	size_t from;
	size_t to;
};

/* Let the parser see the lines of the range and forget what it says. */
static enum gs_status replay(struct gs_repeat *r, struct range range) {
	size_t start = next_start(r, range.from), end = next_start(r, range.to);
	enum gs_status status;
	if (range.from >= range.to)
		return GS_OK;
	gs_expo_feed(r->parser, gs_str_make(r->place.next.p + start, end - start), false);
	do
		status = gs_expo_next(r->parser, &r->event, NULL);
	while (status == GS_OK);
	return status == GS_EAGAIN ? GS_OK : status;
}

/* How many lines of the body the range is. */
static uint32_t count_lines(const struct gs_repeat *r, struct range range) {
	uint32_t n = 0;
	for (size_t i = range.from; i < range.to; i++)
		n += r->out.lines[i].kind == GS_LINE_SAMPLE ? 1 : r->out.lines[i].at;
	return n;
}

/* The last sample of the new layout, or GS_COMPARE_NONE. */
static size_t last_sample(const struct gs_repeat *r) {
	for (size_t i = r->out.n; i > 0; i--) {
		if (r->out.lines[i - 1].kind == GS_LINE_SAMPLE)
			return i - 1;
	}
	return GS_COMPARE_NONE;
}

/* The first of the lines that the sample of that number depends on. */
static size_t first_linked(const struct gs_repeat *r, size_t sample) {
	while (r->out.lines[sample].kind != GS_LINE_SAMPLE || r->out.lines[sample].linked)
		sample--;
	return sample;
}

static struct range one_line(size_t line) {
	return (struct range){line, line + 1};
}

/*
 * What matters of the lines before the place: the last sample, with those of its metric and the TYPE of its family, and any HELP, TYPE and UNIT
 * behind it. In text it would be enough to know the last TYPE and, for what is joined, the last sample.
 */
static void find_context(const struct gs_repeat *r, struct range ret[3]) {
	size_t sample = last_sample(r), type = r->marks.type;
	bool text = gs_compare_is_text(r);
	struct range last_type = {0, 0};
	memset(ret, 0, 3 * sizeof(ret[0]));
	if (type != GS_COMPARE_NONE && (sample == GS_COMPARE_NONE || type > sample))
		last_type = one_line(type);
	if (sample == GS_COMPARE_NONE) {
		ret[0] = text ? last_type : (struct range){0, r->out.n};
		return;
	}
	size_t its_type = last_type.to != 0 ? r->marks.sample_type : type;
	if (its_type != GS_COMPARE_NONE && (text || r->out.lines[sample].typed))
		ret[0] = one_line(its_type);
	ret[1] = (struct range){first_linked(r, sample), sample + 1};
	ret[2] = text ? last_type : (struct range){sample + 1, r->out.n};
}

/* Without the lines left out, so that the last sample has its number, which an error may name, and no line seems to be missing behind it. */
static enum gs_status replay_context(struct gs_repeat *r) {
	struct range ranges[3];
	enum gs_status status = GS_OK;
	find_context(r, ranges);
	r->parser->line = r->line;
	for (size_t i = 0; i < 3; i++)
		r->parser->line -= count_lines(r, ranges[i]);
	for (size_t i = 0; i < 3 && status == GS_OK; i++)
		status = replay(r, ranges[i]);
	return status;
}

enum gs_status gs_compare_begin_slow(struct gs_repeat *r) {
	const struct gs_str next = r->place.next;
	enum gs_status status = GS_OK;
	r->mode = GS_COMPARE_SLOW;
	r->quiet = 0;
	r->pending = false;
	r->place.context = r->place.next_context = context_of(r);
	gs_compare_begin_parser(r);
	/* A memory of all that stands twice must have seen all of it. */
	if (r->options.seen != NULL)
		r->may_be_fast = false;
	if (r->place.at == next.n && gs_compare_is_text(r))
		status = GS_OK; /* there is nothing to come */
	else if (r->options.seen != NULL)
		status = replay(r, (struct range){0, r->out.n});
	else
		status = replay_context(r);
	if (status != GS_OK)
		return gs_compare_fail(r, status, "a line that was accepted before is not any more");
	gs_compare_place_parser(r);
	r->fed_at = r->place.at;
	gs_expo_feed(r->parser, gs_str_make(next.p + r->place.at, next.n - r->place.at), true);
	return GS_OK;
}

/* Both bodies have just had the same sample, ${old}. In OpenMetrics its metric must begin with it, and have its old values so far. */
static bool may_end_slow(const struct gs_repeat *r, const struct gs_line *old, bool changed) {
	bool part = old->values == GS_VALUES_BUCKET || old->values == GS_VALUES_COUNT;
	if (!r->may_be_fast || !r->openmetrics)
		return r->may_be_fast;
	return !old->linked && !r->out.lines[r->out.n - 1].linked && !(part && changed) && r->quiet >= QUIET_LINES;
}

static enum gs_status end_slow(struct gs_repeat *r) {
	if (gs_lines_reserve(&r->out, r->out.n + (r->layout->of.n - r->place.line)) != GS_OK)
		return gs_compare_no_memory(r);
	r->mode = GS_COMPARE_FAST;
	return GS_OK;
}

/* The next old line is not in the new body. */
static bool drop_line(struct gs_repeat *r, struct gs_change *change) {
	const struct gs_line *line = &r->layout->of.lines[r->place.line++];
	r->gone--;
	if (line->kind == GS_LINE_SAMPLE) {
		*change = (struct gs_change){.kind = GS_CHANGE_REMOVED, .index = r->index++};
		return true;
	}
	struct gs_line_meta meta;
	const char *body = r->place.previous.p;
	if (line->kind != GS_LINE_OTHER &&
	    gs_line_is_meta(gs_line_content(body + line->start, body + line[1].start), &meta))
		gs_line_enter(&r->place.context, &meta, r->openmetrics);
	return false;
}

/* Which values the sample of the event may get. */
static enum gs_line_values values_of(const struct gs_repeat *r) {
	const struct gs_expo_event *e = &r->event;
	if (gs_compare_is_text(r) || e->type == GS_TYPE_GAUGE || e->type == GS_TYPE_UNTYPED)
		return GS_VALUES_ANY;
	if (e->type == GS_TYPE_COUNTER && e->part == GS_PART_VALUE)
		return GS_VALUES_POSITIVE;
	if (e->type != GS_TYPE_SUMMARY && e->type != GS_TYPE_HISTOGRAM)
		return GS_VALUES_TIED;
	if (e->part == GS_PART_QUANTILE || e->part == GS_PART_SUM)
		return GS_VALUES_POSITIVE;
	if (e->part == GS_PART_BUCKET)
		return GS_VALUES_BUCKET;
	if (e->part == GS_PART_COUNT)
		return e->type == GS_TYPE_SUMMARY ? GS_VALUES_WHOLE : GS_VALUES_COUNT;
	return GS_VALUES_TIED;
}

/* Whether the sample of the event may depend on more than the one before it: it is a part of a metric that has others. */
static bool is_linked(const struct gs_repeat *r) {
	const struct gs_expo_event *e = &r->event;
	const struct gs_line *before = r->out.n != 0 ? &r->out.lines[r->out.n - 1] : NULL;
	if (gs_compare_is_text(r) || before == NULL || before->kind != GS_LINE_SAMPLE)
		return false;
	bool created = e->type == GS_TYPE_COUNTER && (e->part == GS_PART_CREATED || before->values == GS_VALUES_TIED);
	return e->joined || created;
}

/* What the line that the event was read from looks like. */
static struct gs_line line_of_event(const struct gs_repeat *r, struct gs_str content) {
	const struct gs_expo_event *e = &r->event;
	struct gs_line line = {.start = (uint32_t)r->place.at, .at = 1};
	if (e->kind != GS_EXPO_SAMPLE) {
		line.kind = e->kind == GS_EXPO_TYPE   ? GS_LINE_TYPE
			    : e->kind == GS_EXPO_HELP ? GS_LINE_HELP
						      : GS_LINE_UNIT;
		return line;
	}
	const char *end = content.p + content.n;
	const char *value = gs_expo_skip_blanks(e->series.p + e->series.n, end);
	line.kind = GS_LINE_SAMPLE;
	line.at = (unsigned)(value - content.p) & GS_LINE_AT_MAX;
	line.values = values_of(r);
	line.typed = e->type != GS_TYPE_UNTYPED;
	line.tail = gs_line_word_end(value, end) != end;
	line.linked = is_linked(r);
	return line;
}

/* The old line at the place is the same sample as the event's. */
static enum gs_status keep_sample(
    struct gs_repeat *r, struct gs_str content, size_t value, struct gs_change *change, bool *ret_changed) {
	const struct gs_line *old = &r->layout->of.lines[r->place.line];
	*ret_changed = !gs_str_eq(gs_compare_old_value(r, old), gs_str_make(content.p + value, content.n - value));
	bool hard = old->tail || r->out.lines[r->out.n - 1].tail || old->values == GS_VALUES_TIED;
	r->quiet = *ret_changed && hard ? 0 : r->quiet + 1;
	gs_compare_set_value(r, change);
	r->place.line++;
	r->index++;
	r->new_index++;
	return may_end_slow(r, old, *ret_changed) ? end_slow(r) : GS_OK;
}

/* A HELP, TYPE or UNIT line was read. */
static void enter_meta(struct gs_repeat *r, enum gs_line_kind kind, struct gs_str content) {
	struct gs_line_meta meta;
	gs_compare_note_meta(r, kind);
	if (gs_line_is_meta(content, &meta))
		gs_line_enter(&r->place.next_context, &meta, r->openmetrics);
}

/* The event that is pending is of a line that the old body has as well if ${kept}. */
static enum gs_status take_event(struct gs_repeat *r, bool kept, struct gs_change *change, bool *ret_changed) {
	struct gs_str content = gs_expo_between(r->parser->line_start, r->parser->bounds.end);
	struct gs_line line = line_of_event(r, content);
	bool sample = line.kind == GS_LINE_SAMPLE;
	const struct gs_line *old = kept ? &r->layout->of.lines[r->place.line] : &line;
	assert(old->kind == line.kind);
	r->pending = false;
	r->place.at = r->fed_at + gs_expo_used(r->parser);
	r->line++;
	if (sample && old->typed != line.typed) {
		/* OpenMetrics: a sample before it began another family. */
		kept = false;
		r->gone = 1;
	}
	if (!sample)
		enter_meta(r, (enum gs_line_kind)line.kind, content);
	gs_lines_add(&r->out, line);
	if (kept && sample)
		return keep_sample(r, content, line.at, change, ret_changed);
	if (kept) {
		r->gone = 1;
		*ret_changed = drop_line(r, change);
		return GS_OK;
	}
	*change = (struct gs_change){
	    .kind = sample ? GS_CHANGE_ADDED : GS_CHANGE_META, .new_index = r->new_index, .event = &r->event};
	r->new_index += sample;
	r->quiet = 0;
	*ret_changed = true;
	return GS_OK;
}

/* Go over lines that say nothing, to where one begins that does or the body ends. */
static enum gs_status pass_others(struct gs_repeat *r, size_t at) {
	const struct gs_str next = r->place.next;
	while (r->place.at < at) {
		const char *lf = memchr(next.p + r->place.at, '\n', next.n - r->place.at);
		if (gs_lines_reserve(&r->out, r->out.n + 1) != GS_OK)
			return gs_compare_no_memory(r);
		gs_lines_add_other(&r->out, r->place.at);
		r->place.at = lf != NULL ? (size_t)(lf - next.p) + 1 : next.n;
		r->line++;
	}
	return GS_OK;
}

/* Let the parser read the next event and go to its line. */
static enum gs_status read_event(struct gs_repeat *r) {
	enum gs_status status = gs_expo_next(r->parser, &r->event, &r->error);
	if (status != GS_OK)
		return r->status = status;
	bool end = r->event.kind == GS_EXPO_END;
	status = pass_others(r, end ? r->place.next.n : (size_t)(r->parser->line_start - r->place.next.p));
	if (status == GS_OK && gs_lines_reserve(&r->out, r->out.n + 1) != GS_OK)
		return gs_compare_no_memory(r);
	r->pending = status == GS_OK;
	return status;
}

enum gs_status gs_compare_slow(struct gs_repeat *r, struct gs_change *change, bool *ret_changed) {
	struct gs_resync_place *place = &r->place;
	const struct gs_lines *old = place->lines;
	if (r->gone != 0) {
		*ret_changed = drop_line(r, change);
		return GS_OK;
	}
	enum gs_status status = r->pending ? GS_OK : read_event(r);
	if (status != GS_OK)
		return status;
	while (r->added == 0 && place->line < old->n && old->lines[place->line].kind == GS_LINE_OTHER)
		place->line++;
	if (r->event.kind == GS_EXPO_END) {
		r->gone = old->n - place->line;
		return r->gone != 0 ? GS_OK : gs_compare_finish(r);
	}
	if (r->added != 0 || place->line == old->n) {
		r->added -= r->added != 0;
		return take_event(r, false, change, ret_changed);
	}
	struct gs_str content = gs_expo_between(r->parser->line_start, r->parser->bounds.end);
	bool same_context = gs_line_same_context(&place->context, &place->next_context);
	if (gs_resync_match(place, place->line, content, same_context))
		return take_event(r, true, change, ret_changed);
	if (gs_resync_find(&r->resync, place, &r->gone, &r->added) != GS_OK)
		return gs_compare_no_memory(r);
	if (r->gone == 0 && r->added == 0)
		r->added = 1; /* two keys are alike by chance */
	return GS_OK;
}
