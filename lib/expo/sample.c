/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/num.h"
#include "parser.h"

enum gs_status gs_expo_space(struct gs_expo_parser *parser, const char **p, const char *after) {
	const char *at = *p, *end = parser->bounds.end;
	if (!parser->strict) {
		*p = gs_expo_skip_blanks(at, end);
		return GS_OK;
	}
	if (at == end)
		return GS_OK;
	if (*at != ' ')
		return gs_expo_fail(parser, GS_EINVAL, at, "expected a blank after %s, found %s", after,
		    gs_expo_quote(gs_str_make(at, 1)).text);
	if (at + 1 == end || gs_expo_is_blank(at[1]))
		return gs_expo_fail(parser, GS_EINVAL, at + 1, "expected one blank after %s, and then more", after);
	*p = at + 1;
	return GS_OK;
}

/* Milliseconds; OpenMetrics: seconds. */
static enum gs_status read_timestamp(struct gs_expo_parser *parser, struct gs_expo_event *event, const char **p) {
	if (parser->strict) {
		event->has_timestamp = true;
		return gs_expo_seconds(parser, "the timestamp", event->name, p, &event->timestamp_ms);
	}
	const char *end = gs_expo_skip_word(*p, &parser->bounds);
	struct gs_str text = gs_expo_between(*p, end);
	enum gs_status status = gs_num_parse_i64(text, &event->timestamp_ms);
	if (status == GS_ELIMIT)
		return gs_expo_fail(
		    parser, GS_EINVAL, *p, "the timestamp %s is out of range", gs_expo_quote(text).text);
	if (status != GS_OK)
		return gs_expo_fail(parser, GS_EINVAL, *p, "the timestamp %s is not an integer of milliseconds",
		    gs_expo_quote(text).text);
	event->has_timestamp = true;
	*p = end;
	return GS_OK;
}

/* A timestamp, an exemplar, both, or nothing. */
enum gs_status gs_expo_tail(struct gs_expo_parser *parser, struct gs_expo_event *event, const char *p) {
	const char *end = parser->bounds.end, *after = "value";
	enum gs_status status = gs_expo_space(parser, &p, "the value");
	if (status == GS_OK && p < end && *p != '#') {
		status = read_timestamp(parser, event, &p);
		if (status == GS_OK)
			status = gs_expo_space(parser, &p, "the timestamp");
		after = "timestamp";
	}
	if (status == GS_OK && p < end && *p == '#') {
		status = gs_expo_exemplar(parser, event, &p);
		after = "exemplar";
	}
	if (status == GS_OK && p < end)
		return gs_expo_fail(parser, GS_EINVAL, p, "unexpected %s after the %s",
		    gs_expo_quote(gs_expo_between(p, end)).text, after);
	return status;
}

/* The byte at p begins no metric name. */
static enum gs_status fail_start(struct gs_expo_parser *parser, const char *p) {
	if (*p == '<')
		return gs_expo_fail(
		    parser, GS_EINVAL, p, "expected a metric name, found '<': this looks like HTML, not metrics");
	return gs_expo_fail(parser, GS_EINVAL, p, "expected a metric name or a comment, found %s",
	    gs_expo_quote(gs_str_make(p, 1)).text);
}

/*
 * The metric name at *p and what must follow it: a blank or '{'. Prometheus would read "cpu.0 5" as metric cpu of value .0
 * at time 5; nobody means that. Before a '{' it is left empty.
 */
static enum gs_status read_metric_name(struct gs_expo_parser *parser, const char **p, struct gs_str *ret_name) {
	const char *start = *p, *end = parser->bounds.end;
	if (*start == '{')
		return GS_OK;
	if ((gs_expo_class[(unsigned char)*start] & GS_EXPO_METRIC_FIRST) == 0)
		return fail_start(parser, start);
	const char *at = gs_expo_skip_metric(start + 1, &parser->bounds);
	struct gs_str name = gs_expo_between(start, at);
	if (at < end && *at != '{' && !gs_expo_is_blank(*at))
		return gs_expo_fail(parser, GS_EINVAL, at, "unexpected %s after metric name %s",
		    gs_expo_quote(gs_str_make(at, 1)).text, gs_expo_quote(name).text);
	if (name.n > GS_LIMIT_NAME)
		return gs_expo_limit(parser, "name_length",
		    gs_expo_fail(parser, GS_ELIMIT, start, "the metric name %s is longer than %d bytes",
			gs_expo_quote(name).text, GS_LIMIT_NAME));
	*p = at;
	*ret_name = name;
	return GS_OK;
}

/* The labels in braces at *p, and the metric name if it stands among them; *p is then behind the '}'. */
static enum gs_status read_labels(
    struct gs_expo_parser *parser, struct gs_expo_event *event, const char *start, const char **p) {
	struct gs_expo_label_set set = {.of = "metric", .metric = event->name, .labels = parser->labels};
	enum gs_status status = gs_expo_labels(parser, &set, p);
	if (status != GS_OK)
		return status;
	if (set.metric.n == 0)
		return gs_expo_fail(
		    parser, GS_EINVAL, start, "expected a metric name before '{', or in quotes in the braces");
	event->name = set.metric;
	event->nlabels = set.n;
	event->series = gs_expo_between(start, *p);
	return GS_OK;
}

enum gs_status gs_expo_sample(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	const char *start = p, *end = parser->bounds.end;
	enum gs_status status = read_metric_name(parser, &p, &event->name);
	if (status != GS_OK)
		return status;
	event->kind = GS_EXPO_SAMPLE;
	event->series = event->name;
	event->labels = parser->labels;
	const char *after = "the metric name";
	if (!parser->strict)
		p = gs_expo_skip_blanks(p, end);
	if (p < end && *p == '{') {
		status = read_labels(parser, event, start, &p);
		after = "'}'";
	}
	if (status == GS_OK)
		status = gs_expo_space(parser, &p, after);
	if (status == GS_OK)
		status = gs_expo_number(parser, "the value", event->name, &p, &event->value);
	return status == GS_OK ? gs_expo_tail(parser, event, p) : status;
}
