/* SPDX-License-Identifier: Apache-2.0 */
/* The labels of the sample before. */
#include "parser.h"
#include "seen.h"

/*
 * What stands between the braces, without the label of index except where that is the last; empty also if it is not. The labels stand in the window.
 */
static struct gs_str raw_labels(const struct gs_expo_event *event, size_t except) {
	size_t n = event->nlabels;
	if (n == 0 || except + 1 < n || (n == 1 && except == 0))
		return GS_STR("");
	const char *start = event->labels[0].name.p;
	const char *end = except < n ? event->labels[except].name.p : event->series.p + event->series.n - 1;
	while (end > start && (end[-1] == ',' || gs_expo_is_blank(end[-1])))
		end--;
	return gs_expo_between(start, end);
}

void gs_expo_kept_keep(
    struct gs_expo_kept *kept, const struct gs_expo_parser *parser, const struct gs_expo_event *event, size_t except) {
	const char *start = event->series.p;
	size_t n = event->nlabels;
	kept->n = n - (except < n);
	kept->bound_at = 0;
	kept->hashed = parser->scratch_used != 0 || event->series.n > sizeof(kept->text);
	if (kept->hashed) {
		kept->hash = gs_expo_hash_labels(event->labels, n, except);
		return;
	}
	memcpy(kept->text, start, event->series.n);
	kept->text_n = event->series.n;
	kept->labels_at = n != 0 ? (size_t)(event->labels[0].name.p - start) : 0;
	kept->except_at = except < n ? (size_t)(event->labels[except].name.p - start) : SIZE_MAX;
	kept->raw_n = raw_labels(event, except).n;
	if (except < n && except + 1 == n)
		kept->bound_at = (size_t)(event->labels[except].value.p - start);
}

bool gs_expo_kept_again(
    const struct gs_expo_kept *kept, const struct gs_expo_parser *parser, const struct gs_expo_event *event) {
	const char *start = event->series.p;
	/* Where the value begins says as well that so many bytes may be compared. */
	return kept->bound_at != 0 && event->nlabels == kept->n + 1 && parser->scratch_used == 0 &&
	       event->labels[kept->n].value.p == start + kept->bound_at &&
	       memcmp(start, kept->text, kept->bound_at) == 0;
}

/* The bytes from *p to before the next quote, or the end; *p is then behind it. */
static struct gs_str cut(const char **p, const char *end) {
	const char *start = *p;
	const char *stop = memchr(start, '"', (size_t)(end - start));
	*p = stop != NULL ? stop + 1 : end;
	return gs_expo_between(start, stop != NULL ? stop : end);
}

/* The next kept label from *p on, *p is then behind it; false if there is none. The text is known to be well formed, without escapes. */
static bool next_label(const char **p, const char *end, struct gs_label *ret) {
	const char *at = *p;
	while (at < end && *at != '}') {
		if (*at == ',' || gs_expo_is_blank(*at)) {
			at++;
			continue;
		}
		bool quoted = *at == '"';
		const char *name = at++;
		if (quoted) {
			ret->name = cut(&at, end);
		} else {
			at = gs_expo_skip_class(at, end, GS_EXPO_LABEL);
			ret->name = gs_expo_between(name, at);
		}
		at = gs_expo_skip_blanks(at, end);
		if (at == end || *at != '=')
			continue; /* the metric's name, in quotes */
		at = gs_expo_skip_blanks(at + 1, end);
		at += at < end; /* its quote */
		ret->value = cut(&at, end);
		*p = at;
		return true;
	}
	return false;
}

/* The label of that name, usually the one at the same place; NULL if there is none, or if it is the exception. */
static const struct gs_label *find(const struct gs_expo_event *event, size_t except, size_t place, struct gs_str name) {
	if (place < event->nlabels && gs_str_eq(event->labels[place].name, name))
		return &event->labels[place];
	size_t i = gs_expo_find_label(event, name);
	return i < event->nlabels && i != except ? &event->labels[i] : NULL;
}

/* Whether each of the kept labels, which are as many, is one of event. */
static bool same_set(const struct gs_expo_kept *kept, const struct gs_expo_event *event, size_t except) {
	const char *p = kept->text + kept->labels_at, *end = kept->text + kept->text_n;
	struct gs_label label;
	size_t place = 0, found = 0;
	if (kept->n == 0)
		return true;
	p -= p[-1] == '"';
	while (next_label(&p, end, &label)) {
		if ((size_t)(label.name.p - kept->text) == kept->except_at)
			continue;
		place += place == except;
		const struct gs_label *other = find(event, except, place++, label.name);
		if (other == NULL || !gs_str_eq(other->value, label.value))
			return false;
		found++;
	}
	return found == kept->n;
}

bool gs_expo_kept_same(const struct gs_expo_kept *kept, const struct gs_expo_parser *parser,
    const struct gs_expo_event *event, size_t except) {
	if (kept->n != event->nlabels - (except < event->nlabels))
		return false;
	if (kept->hashed)
		return kept->hash == gs_expo_hash_labels(event->labels, event->nlabels, except);
	if (kept->raw_n != 0 && parser->scratch_used == 0 &&
	    gs_str_eq(raw_labels(event, except), gs_str_make(kept->text + kept->labels_at, kept->raw_n)))
		return true;
	return same_set(kept, event, except);
}
