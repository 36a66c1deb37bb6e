/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "gravel/base/num.h"
#include "parser.h"

/* A set of labels between braces, while it is read. */
struct label_set {
	const char *of; /* "metric" or "the exemplar of metric", for error texts */
	struct gs_str metric;
	struct gs_label *labels;
	size_t n;
};

/* The value whose first byte is at *p holds an escape or bytes that are not ASCII, or does not end. Called with where the plain
 * part stopped. */
static enum gs_status read_hard_value(
    struct gs_expo_parser *parser, struct gs_label *label, const char **p, const char *at) {
	const char *start = *p, *end = parser->bounds.end;
	bool escapes = false;
	while (at < end && *at != '"') {
		escapes = escapes || *at == '\\';
		at += *at == '\\' && end - at > 1 ? 2 : 1;
		at = gs_expo_skip_plain(at, &parser->bounds);
	}
	if (at >= end)
		return gs_expo_fail(parser, GS_EINVAL, start - 1, "missing '\"' at the end of the value of label %s",
		    gs_expo_quote(label->name).text);
	struct gs_str value = gs_expo_between(start, at);
	if (!gs_str_is_utf8(value))
		return gs_expo_fail(parser, GS_EINVAL, start - 1, "the value of label %s is not UTF-8",
		    gs_expo_quote(label->name).text);
	if (escapes && gs_expo_unescape(parser, value, true, &value) != GS_OK)
		return gs_expo_fail(parser, GS_ELIMIT, start - 1,
		    "the values with escapes up to label %s are together longer than %d bytes",
		    gs_expo_quote(label->name).text, GS_LIMIT_LABEL_VALUE);
	label->value = value;
	*p = at + 1;
	return GS_OK;
}

/* The quoted value at *p; *p is then behind its closing quote. */
static inline enum gs_status read_value_of_label(
    struct gs_expo_parser *parser, struct gs_label *label, const char **p) {
	const char *start = *p + 1;
	const char *at = gs_expo_skip_plain(start, &parser->bounds);
	if (at < parser->bounds.end && *at == '"') {
		label->value = gs_expo_between(start, at);
		*p = at + 1;
	} else {
		*p = start;
		enum gs_status status = read_hard_value(parser, label, p, at);
		if (status != GS_OK)
			return status;
	}
	if (label->value.n > GS_LIMIT_LABEL_VALUE)
		return gs_expo_fail(parser, GS_ELIMIT, start - 1, "the value of label %s is longer than %d bytes",
		    gs_expo_quote(label->name).text, GS_LIMIT_LABEL_VALUE);
	return GS_OK;
}

/* What stands at p is neither a label name nor a closing brace. */
static enum gs_status fail_label(struct gs_expo_parser *parser, const struct label_set *set, const char *p) {
	struct gs_expo_quoted name = gs_expo_quote(set->metric);
	if (p == parser->bounds.end)
		return gs_expo_fail(parser, GS_EINVAL, p, "missing '}' after the labels of %s %s", set->of, name.text);
	if (*p == '"')
		return gs_expo_fail(
		    parser, GS_EINVAL, p, "names in quotes are not supported (labels of %s %s)", set->of, name.text);
	return gs_expo_fail(parser, GS_EINVAL, p, "expected a label name or '}' in the labels of %s %s, found %s",
	    set->of, name.text, gs_expo_quote(gs_str_make(p, 1)).text);
}

static enum gs_status check_label_name(struct gs_expo_parser *parser, const struct label_set *set, struct gs_str name) {
	for (size_t i = 0; i < set->n; i++) {
		if (gs_str_eq(set->labels[i].name, name))
			return gs_expo_fail(
			    parser, GS_EINVAL, name.p, "duplicate label name %s", gs_expo_quote(name).text);
	}
	if (name.n > GS_LIMIT_NAME)
		return gs_expo_fail(parser, GS_ELIMIT, name.p, "the label name %s is longer than %d bytes",
		    gs_expo_quote(name).text, GS_LIMIT_NAME);
	if (set->n == GS_LIMIT_LABELS)
		return gs_expo_fail(parser, GS_ELIMIT, name.p, "%s %s has more than %d labels", set->of,
		    gs_expo_quote(set->metric).text, GS_LIMIT_LABELS);
	if (name.p[0] == '_' && gs_str_eq(name, GS_STR("__name__")))
		return gs_expo_fail(parser, GS_EINVAL, name.p, "label name \"__name__\" is reserved");
	return GS_OK;
}

/* name="value" at *p; *p is then behind the value. */
static inline enum gs_status read_label(struct gs_expo_parser *parser, struct label_set *set, const char **p) {
	const char *start = *p, *end = parser->bounds.end;
	if (start == end || (gs_expo_class[(unsigned char)*start] & GS_EXPO_LABEL_FIRST) == 0)
		return fail_label(parser, set, start);
	const char *at = gs_expo_skip_class(start + 1, end, GS_EXPO_LABEL);
	struct gs_label *label = &set->labels[set->n];
	struct gs_str name = gs_expo_between(start, at);
	enum gs_status status = check_label_name(parser, set, name);
	if (status != GS_OK)
		return status;
	label->name = name;
	at = gs_expo_skip_blanks(at, end);
	if (at == end || *at != '=')
		return gs_expo_fail(
		    parser, GS_EINVAL, at, "expected '=' after label name %s", gs_expo_quote(name).text);
	at = gs_expo_skip_blanks(at + 1, end);
	if (at == end || *at != '"')
		return gs_expo_fail(
		    parser, GS_EINVAL, at, "expected '\"' before the value of label %s", gs_expo_quote(name).text);
	*p = at;
	status = read_value_of_label(parser, label, p);
	set->n += status == GS_OK;
	return status;
}

/* The labels whose '{' is at *p; *p is then behind the '}'. As in Prometheus the comma between two labels may be missing. */
static enum gs_status read_labels(struct gs_expo_parser *parser, struct label_set *set, const char **p) {
	const char *end = parser->bounds.end;
	const char *at = gs_expo_skip_blanks(*p + 1, end);
	while (at == end || *at != '}') {
		enum gs_status status = read_label(parser, set, &at);
		if (status != GS_OK)
			return status;
		at = gs_expo_skip_blanks(at, end);
		if (at < end && *at == ',')
			at = gs_expo_skip_blanks(at + 1, end);
		else if (at == end || (*at != '}' && (gs_expo_class[(unsigned char)*at] & GS_EXPO_LABEL_FIRST) == 0))
			return gs_expo_fail(parser, GS_EINVAL, at, "expected ',' or '}' after the value of label %s",
			    gs_expo_quote(set->labels[set->n - 1].name).text);
	}
	*p = at + 1;
	return GS_OK;
}

/* A number in the forms of Go before 1.13, which Prometheus keeps to: no hexadecimal floats. */
static bool parse_value(struct gs_str text, double *ret) {
	size_t sign = text.p[0] == '-' || text.p[0] == '+';
	if (text.n > sign + 1 && (text.p[sign + 1] | 0x20) == 'x')
		return false;
	return gs_num_parse_double(text, ret) == GS_OK;
}

/* Whether a number, not the word Inf, was too large for a double. */
static bool out_of_range(struct gs_str text, double value) {
	return isinf(value) && memchr(text.p, 'n', text.n) == NULL && memchr(text.p, 'N', text.n) == NULL;
}

/* The number at *p, of "the value" or another ${what}; *p is then behind it. */
static enum gs_status read_number(
    struct gs_expo_parser *parser, const char *what, struct gs_str metric, const char **p, double *ret) {
	const char *end = gs_expo_skip_word(*p, &parser->bounds);
	struct gs_str text = gs_expo_between(*p, end);
	if (text.n == 0)
		return gs_expo_fail(parser, GS_EINVAL, *p, "missing %s of metric %s", what, gs_expo_quote(metric).text);
	if (!parse_value(text, ret))
		return gs_expo_fail(parser, GS_EINVAL, *p, "%s %s of metric %s is not a number", what,
		    gs_expo_quote(text).text, gs_expo_quote(metric).text);
	if (out_of_range(text, *ret))
		return gs_expo_fail(parser, GS_EINVAL, *p, "%s %s of metric %s is out of range", what,
		    gs_expo_quote(text).text, gs_expo_quote(metric).text);
	*p = end;
	return GS_OK;
}

/* The OpenMetrics exemplar whose '#' is at *p: checked, then forgotten. The text format has none, but clients send them. */
static enum gs_status skip_exemplar(struct gs_expo_parser *parser, const struct gs_expo_event *event, const char **p) {
	struct label_set set = {
	    .of = "the exemplar of metric", .metric = event->name, .labels = parser->labels + event->nlabels};
	const char *end = parser->bounds.end;
	double number;
	const char *at = gs_expo_skip_blanks(*p + 1, end);
	if (at == end || *at != '{')
		return gs_expo_fail(parser, GS_EINVAL, at, "expected '{' after '#' in the exemplar of metric %s",
		    gs_expo_quote(event->name).text);
	enum gs_status status = read_labels(parser, &set, &at);
	if (status != GS_OK)
		return status;
	at = gs_expo_skip_blanks(at, end);
	status = read_number(parser, "the exemplar's value", event->name, &at, &number);
	if (status != GS_OK)
		return status;
	at = gs_expo_skip_blanks(at, end);
	if (at < end)
		status = read_number(parser, "the exemplar's timestamp", event->name, &at, &number);
	*p = gs_expo_skip_blanks(at, end);
	return status;
}

static enum gs_status read_timestamp(struct gs_expo_parser *parser, struct gs_expo_event *event, const char **p) {
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
	*p = gs_expo_skip_blanks(end, parser->bounds.end);
	return GS_OK;
}

/* What may follow the value: a timestamp, an exemplar, the end of the line. */
static enum gs_status read_tail(struct gs_expo_parser *parser, struct gs_expo_event *event, const char *p) {
	enum gs_status status = GS_OK;
	const char *after = "value";
	if (*p != '#') {
		status = read_timestamp(parser, event, &p);
		after = "timestamp";
	}
	if (status == GS_OK && p < parser->bounds.end && *p == '#') {
		status = skip_exemplar(parser, event, &p);
		after = "exemplar";
	}
	if (status == GS_OK && p < parser->bounds.end)
		return gs_expo_fail(parser, GS_EINVAL, p, "unexpected %s after the %s",
		    gs_expo_quote(gs_expo_between(p, parser->bounds.end)).text, after);
	return status;
}

/* The byte at p begins no metric name. */
static enum gs_status fail_start(struct gs_expo_parser *parser, const char *p) {
	if (*p == '<')
		return gs_expo_fail(
		    parser, GS_EINVAL, p, "expected a metric name, found '<': this looks like HTML, not metrics");
	if (*p == '{')
		return gs_expo_fail(parser, GS_EINVAL, p,
		    "expected a metric name before '{' (names in quotes inside the braces are not supported)");
	return gs_expo_fail(parser, GS_EINVAL, p, "expected a metric name or a comment, found %s",
	    gs_expo_quote(gs_str_make(p, 1)).text);
}

/*
 * The metric name at *p and what must follow it: a blank or '{'. Prometheus would read "cpu.0 5" as metric cpu of value .0
 * at time 5; nobody means that.
 */
static enum gs_status read_metric_name(struct gs_expo_parser *parser, const char **p, struct gs_str *ret_name) {
	const char *start = *p, *end = parser->bounds.end;
	if ((gs_expo_class[(unsigned char)*start] & GS_EXPO_METRIC_FIRST) == 0)
		return fail_start(parser, start);
	const char *at = gs_expo_skip_metric(start + 1, &parser->bounds);
	struct gs_str name = gs_expo_between(start, at);
	if (at < end && *at != '{' && !gs_expo_is_blank(*at))
		return gs_expo_fail(parser, GS_EINVAL, at, "unexpected %s after metric name %s",
		    gs_expo_quote(gs_str_make(at, 1)).text, gs_expo_quote(name).text);
	if (name.n > GS_LIMIT_NAME)
		return gs_expo_fail(parser, GS_ELIMIT, start, "the metric name %s is longer than %d bytes",
		    gs_expo_quote(name).text, GS_LIMIT_NAME);
	*p = at;
	*ret_name = name;
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
	p = gs_expo_skip_blanks(p, end);
	if (p < end && *p == '{') {
		struct label_set set = {.of = "metric", .metric = event->name, .labels = parser->labels};
		status = read_labels(parser, &set, &p);
		if (status != GS_OK)
			return status;
		event->nlabels = set.n;
		event->series = gs_expo_between(start, p);
		p = gs_expo_skip_blanks(p, end);
	}
	status = read_number(parser, "the value", event->name, &p, &event->value);
	if (status != GS_OK)
		return status;
	p = gs_expo_skip_blanks(p, end);
	return p < end ? read_tail(parser, event, p) : GS_OK;
}
