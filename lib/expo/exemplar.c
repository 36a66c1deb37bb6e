/* SPDX-License-Identifier: Apache-2.0 */
/* Exemplars. They are OpenMetrics; the text format has none, but clients send them. */
#include "parser.h"

#define CHARACTERS_MAX 128 /* OpenMetrics 1.0, "Exemplars" */

static size_t count_characters(struct gs_str s) {
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* Whether the names and values of labels are within what OpenMetrics allows. */
static bool is_short(const struct gs_expo_label_set *set) {
	size_t n = 0;
	for (size_t i = 0; i < set->n; i++)
		n += count_characters(set->labels[i].name) + count_characters(set->labels[i].value);
	return n <= CHARACTERS_MAX;
}

static enum gs_status read_labels(
    struct gs_expo_parser *parser, struct gs_expo_event *event, struct gs_expo_label_set *set, const char **p) {
	const char *start = *p;
	if (start == parser->bounds.end || *start != '{')
		return gs_expo_fail(parser, GS_EINVAL, start, "expected '{' after '#' in the exemplar of metric %s",
		    gs_expo_quote(event->name).text);
	enum gs_status status = gs_expo_labels(parser, set, p);
	if (status == GS_OK && parser->strict && !is_short(set))
		return gs_expo_fail(parser, GS_EINVAL, start,
		    "the labels of the exemplar of metric %s have more than %d characters",
		    gs_expo_quote(event->name).text, CHARACTERS_MAX);
	return status;
}

enum gs_status gs_expo_exemplar(struct gs_expo_parser *parser, struct gs_expo_event *event, const char **p) {
	struct gs_exemplar *exemplar = &parser->exemplar;
	struct gs_expo_label_set set = {
	    .of = "the exemplar of metric", .metric = event->name, .labels = parser->labels + event->nlabels};
	const char *at = *p + 1;
	enum gs_status status = gs_expo_space(parser, &at, "'#'");
	if (status == GS_OK)
		status = read_labels(parser, event, &set, &at);
	if (status == GS_OK)
		status = gs_expo_space(parser, &at, "'}'");
	if (status == GS_OK)
		status = gs_expo_number(parser, "the exemplar's value", event->name, &at, &exemplar->value);
	if (status == GS_OK)
		status = gs_expo_space(parser, &at, "the exemplar's value");
	exemplar->has_timestamp = at < parser->bounds.end;
	if (status == GS_OK && exemplar->has_timestamp)
		status = gs_expo_seconds(parser, "the exemplar's timestamp", event->name, &at, &exemplar->timestamp_ms);
	if (status == GS_OK)
		status = gs_expo_space(parser, &at, "the exemplar's timestamp");
	exemplar->labels = set.labels;
	exemplar->nlabels = set.n;
	event->exemplar = exemplar;
	*p = at;
	return status;
}
