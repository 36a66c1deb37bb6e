/* SPDX-License-Identifier: Apache-2.0 */
/* Two scrapes that differ in nothing but values. */
#include <math.h>

#include "compare.h"
#include "number.h"

enum fast {
	FAST_KEPT, /* the sample is as it was */
	FAST_CHANGED,
	FAST_NOT, /* the line needs the slow way */
	FAST_FAILED,
};

/* What stands at the value of a new line that is the old one up to there. */
struct fast_line {
	const struct gs_line *old;
	const char *start; /* of the line */
	const char *value;
	const char *stop; /* behind the word of the value */
	const char *end; /* of the content */
	const char *next; /* the line behind, or NULL while it is not known */
};

/* Pass over the old lines that end before ${same}, an offset in the old body up to which both are alike. */
static void copy_lines(struct gs_repeat *r, size_t same) {
	struct gs_resync_place *place = &r->place;
	const struct gs_line *line = &place->lines->lines[place->line], *first = line;
	const struct gs_line *end = place->lines->lines + place->lines->n;
	struct gs_line *out = r->out.lines + r->out.n;
	uint32_t shift = (uint32_t)place->at - line->start;
	size_t before = r->new_index, samples = before;
	for (; line < end && line[1].start <= same; line++, out++) {
		*out = *line;
		out->start = line->start + shift;
		if (line->kind == GS_LINE_SAMPLE) {
			if (samples == r->max_samples)
				break;
			samples++;
			continue;
		}
		r->line += line->at;
		r->new_index = samples;
		r->out.n = (size_t)(out - r->out.lines);
		if (line->kind != GS_LINE_OTHER)
			gs_compare_note_meta(r, (enum gs_line_kind)line->kind);
	}
	r->out.n = (size_t)(out - r->out.lines);
	r->new_index = samples;
	r->index += samples - before;
	r->line += (uint32_t)(samples - before);
	place->line += (size_t)(line - first);
	place->at = line->start + shift;
}

/* A decimal number that every format takes; the body goes on up to end. What else may be a value is left to the parser. */
static bool read_plain_number(struct gs_str s, const char *end, double *ret) {
	const char *first = s.p + (s.n > 1 && s.p[0] == '-'), *last = s.p + s.n - 1;
	if (*first < '0' || *first > '9' || *last < '0' || *last > '9')
		return false;
	if (s.n <= 8 && end - s.p >= 8 && gs_expo_parse_short(s, ret))
		return true;
	return gs_expo_parse_number(s, ret) && isfinite(*ret);
}

/* Whether a finite number may be a value of that kind, as far as it does not depend on others. */
static bool may_be(enum gs_line_values values, double value) {
	bool whole = values == GS_VALUES_WHOLE || values == GS_VALUES_BUCKET || values == GS_VALUES_COUNT;
	return values == GS_VALUES_ANY || (value >= 0 && (!whole || value == floor(value)));
}

/* The line behind p, where the content of a line ends if it does; NULL if it does not, or not in the way of OpenMetrics. */
static const char *next_line(const struct gs_repeat *r, const char *p, const char *end) {
	if (p < end && *p == '\n')
		return p + 1;
	if (r->openmetrics)
		return NULL;
	if (p == end)
		return end;
	return *p == '\r' && end - p > 1 && p[1] == '\n' ? p + 2 : NULL;
}

/* Behind the value of a text line comes a blank: a timestamp? */
static bool read_plain_timestamp(const struct gs_repeat *r, struct fast_line *line, struct gs_change *change) {
	const char *end = r->place.next.p + r->place.next.n;
	const char *start = gs_expo_skip_blanks(line->stop, end);
	line->end = gs_line_word_end(start, end);
	line->next = next_line(r, line->end, end);
	change->has_timestamp = true;
	return line->next != NULL &&
	       gs_num_parse_i64(gs_str_make(start, (size_t)(line->end - start)), &change->timestamp_ms) == GS_OK;
}

/* Move both places over the line; false if it is as it was after all. ${same} as in copy_lines. */
static bool pass_line(struct gs_repeat *r, const struct fast_line *line, size_t same) {
	struct gs_line *out = &r->out.lines[r->out.n++];
	*out = *line->old;
	out->start = (uint32_t)r->place.at;
	out->tail = line->stop != line->end;
	struct gs_str content = gs_str_make(line->value, (size_t)(line->end - line->value));
	bool kept = same - line->old->start >= (size_t)(line->stop - line->start) &&
		    gs_str_eq(content, gs_compare_old_value(r, line->old));
	r->place.at += (size_t)(line->next - line->start);
	r->place.line++;
	r->index++;
	r->new_index++;
	r->line++;
	return !kept;
}

/* Let the parser read a line of text whose value, or what follows it, is not plain. In text it depends on no other line. */
static enum fast read_alone(struct gs_repeat *r, struct fast_line *line, struct gs_change *change) {
	const char *end = r->place.next.p + r->place.next.n;
	const char *lf = memchr(line->stop, '\n', (size_t)(end - line->stop));
	line->next = lf != NULL ? lf + 1 : end;
	gs_compare_begin_parser(r);
	gs_compare_place_parser(r);
	gs_expo_feed(r->parser, gs_str_make(line->start, (size_t)(line->next - line->start)), line->next == end);
	r->status = gs_expo_next(r->parser, &r->event, &r->error);
	if (r->status != GS_OK)
		return FAST_FAILED;
	struct gs_str content = gs_line_content(line->start, end);
	line->end = content.p + content.n;
	gs_compare_set_value(r, change);
	return FAST_CHANGED;
}

/* A metric of an OpenMetrics histogram, while it is read. */
struct histogram {
	double bucket; /* the last one */
	double count;
	bool has_count;
};

/* Read a line of a histogram, which *p begins, if it is the old one but for a value that is plain; *p is then the next line. */
static bool read_histogram_line(
    const struct gs_repeat *r, const struct gs_line *old, struct histogram *histogram, const char **p) {
	const struct gs_resync_place *place = &r->place;
	const char *start = *p, *end = place->next.p + place->next.n;
	const char *was = place->previous.p + old->start;
	size_t n = old[1].start - old->start;
	double value;
	if ((size_t)(end - start) < old->at || memcmp(start, was, old->at) != 0)
		return false;
	const char *stop = gs_line_word_end(start + old->at, end);
	bool same = (size_t)(end - start) >= n && memcmp(start, was, n) == 0;
	if (!same && (old->tail || old->values == GS_VALUES_TIED || stop == end || *stop != '\n'))
		return false;
	*p = same ? start + n : stop + 1;
	if (old->values == GS_VALUES_TIED)
		return true;
	if (stop == start + old->at || !read_plain_number(gs_expo_between(start + old->at, stop), end, &value) ||
	    !may_be((enum gs_line_values)old->values, value))
		return false;
	if (old->values == GS_VALUES_BUCKET) {
		if (value < histogram->bucket)
			return false;
		histogram->bucket = value;
	} else if (old->values == GS_VALUES_COUNT) {
		histogram->count = value;
		histogram->has_count = true;
	}
	return true;
}

/*
 * Whether the metric of a histogram, of which the old line at the place is a bucket or the count, is in order with its new values, the lines
 * being the same otherwise. It is looked at as a whole when its first value differs.
 */
static bool histogram_is_valid(struct gs_repeat *r) {
	const struct gs_lines *old = r->place.lines;
	struct histogram histogram = {0};
	size_t i = r->place.line;
	if (i < r->valid)
		return true;
	while (old->lines[i].linked)
		i--;
	size_t before =
	    r->place.line - i; /* its lines that are passed stand one behind the other in the new layout too */
	const char *p = r->place.next.p + (before != 0 ? r->out.lines[r->out.n - before].start : r->place.at);
	do {
		if (!read_histogram_line(r, &old->lines[i++], &histogram, &p))
			return false;
	} while (i < old->n && old->lines[i].kind == GS_LINE_SAMPLE && old->lines[i].linked);
	if (histogram.has_count && histogram.count != histogram.bucket)
		return false;
	r->valid = i;
	return true;
}

/* Whether the parser alone can say what the new value may be. */
static bool is_tied(struct gs_repeat *r, const struct gs_line *old) {
	if (old->values == GS_VALUES_BUCKET || old->values == GS_VALUES_COUNT)
		return !histogram_is_valid(r);
	return old->values == GS_VALUES_TIED;
}

/* The value of the old line at the place differs, or what follows it, if ${same} says so. */
static enum fast read_value(struct gs_repeat *r, size_t same, struct gs_change *change) {
	const struct gs_line *old = &r->place.lines->lines[r->place.line];
	if (old->kind != GS_LINE_SAMPLE || same - old->start < old->at || r->new_index == r->max_samples)
		return FAST_NOT;
	const char *end = r->place.next.p + r->place.next.n;
	struct fast_line line = {.old = old, .start = r->place.next.p + r->place.at};
	line.value = line.start + old->at;
	line.stop = line.end = gs_line_word_end(line.value, end);
	line.next = next_line(r, line.stop, end);
	bool strict = r->openmetrics || r->options.seen != NULL;
	if (!gs_line_may_begin_value(line.value, end) ||
	    (strict && (old->tail || line.next == NULL || is_tied(r, old))))
		return FAST_NOT;
	*change = (struct gs_change){.kind = GS_CHANGE_VALUE, .index = r->index, .new_index = r->new_index};
	bool plain = read_plain_number(gs_expo_between(line.value, line.stop), end, &change->value) &&
		     (line.next != NULL || read_plain_timestamp(r, &line, change));
	if (strict && (!plain || !may_be((enum gs_line_values)old->values, change->value)))
		return FAST_NOT;
	if (plain && line.end - line.start > GS_LIMIT_LINE)
		return FAST_NOT;
	if (!plain && read_alone(r, &line, change) == FAST_FAILED)
		return FAST_FAILED;
	return pass_line(r, &line, same) ? FAST_CHANGED : FAST_KEPT;
}

/* The old offset up to which both bodies are alike from the place on. */
static size_t find_difference(const struct gs_repeat *r) {
	const struct gs_resync_place *place = &r->place;
	size_t start = place->lines->lines[place->line].start;
	size_t old_left = place->previous.n - start, new_left = place->next.n - place->at;
	return start + r->common(place->previous.p + start, place->next.p + place->at,
			   old_left < new_left ? old_left : new_left);
}

/* As ${same}, but before a last line without LF whose likeness goes on in the new body. */
static size_t whole_lines(const struct gs_repeat *r, size_t same) {
	const struct gs_resync_place *place = &r->place;
	bool all = same == place->previous.n && place->previous.p[same - 1] != '\n';
	size_t alike = same - place->lines->lines[place->line].start;
	return all && place->at + alike < place->next.n ? same - 1 : same;
}

enum gs_status gs_compare_fast(struct gs_repeat *r, struct gs_change *change, bool *ret_changed) {
	const struct gs_lines *old = r->place.lines;
	if (old->n == 0 || r->gone != 0)
		return gs_compare_begin_slow(r);
	while (r->place.line < old->n) {
		size_t same = find_difference(r);
		copy_lines(r, whole_lines(r, same));
		if (r->place.line == old->n)
			break;
		enum fast fast = read_value(r, same, change);
		if (fast == FAST_NOT)
			return gs_compare_begin_slow(r);
		*ret_changed = fast == FAST_CHANGED;
		if (fast != FAST_KEPT)
			return r->status;
	}
	return r->place.at == r->place.next.n ? gs_compare_finish(r) : gs_compare_begin_slow(r);
}
