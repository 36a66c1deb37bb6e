/* SPDX-License-Identifier: Apache-2.0 */
/* Names in quotes, and sets of labels. */
#include "parser.h"

/* The quote that ends the string whose first byte is at p, or the end of the line; sets *hard if it holds an escape or bytes
 * that are not ASCII. */
static inline const char *find_quote(const struct gs_expo_parser *parser, const char *p, bool *escapes, bool *hard) {
	const char *end = parser->bounds.end;
	const char *at = gs_expo_skip_plain(p, &parser->bounds);
	while (at < end && *at != '"') {
		*hard = true;
		*escapes = *escapes || *at == '\\';
		at += *at == '\\' && end - at > 1 ? 2 : 1;
		at = gs_expo_skip_plain(at, &parser->bounds);
	}
	return at;
}

enum gs_expo_fault gs_expo_read_quoted(struct gs_expo_parser *parser, const char **p, struct gs_str *ret) {
	bool escapes = false, hard = false;
	const char *start = *p + 1;
	if (!parser->quotes)
		return GS_EXPO_NO_QUOTES;
	const char *at = find_quote(parser, start, &escapes, &hard);
	if (at >= parser->bounds.end)
		return GS_EXPO_OPEN;
	struct gs_str name = gs_expo_between(start, at);
	if (name.n == 0)
		return GS_EXPO_EMPTY;
	if (hard && !gs_str_is_utf8(name))
		return GS_EXPO_NO_UTF8;
	if (escapes && gs_expo_unescape(parser, name, true, &name) != GS_OK)
		return GS_EXPO_NO_ROOM;
	if (name.n > GS_LIMIT_NAME)
		return GS_EXPO_LONG;
	*p = at + 1;
	*ret = name;
	return GS_EXPO_FINE;
}

enum gs_status gs_expo_quoted_name(struct gs_expo_parser *parser, const char **p, struct gs_str *ret) {
	switch (gs_expo_read_quoted(parser, p, ret)) {
	case GS_EXPO_NO_QUOTES:
		return gs_expo_fail(
		    parser, GS_EINVAL, *p, "a name in quotes, but the content type does not say escaping=allow-utf-8");
	case GS_EXPO_OPEN:
		return gs_expo_fail(parser, GS_EINVAL, *p, "missing '\"' at the end of the name");
	case GS_EXPO_NO_UTF8:
		return gs_expo_fail(parser, GS_EINVAL, *p, "the name is not UTF-8");
	case GS_EXPO_EMPTY:
		return gs_expo_fail(parser, GS_EINVAL, *p, "the name is empty");
	case GS_EXPO_LONG:
		return gs_expo_limit(parser, "name_length",
		    gs_expo_fail(parser, GS_ELIMIT, *p, "the name is longer than %d bytes", GS_LIMIT_NAME));
	case GS_EXPO_NO_ROOM:
		return gs_expo_limit(parser, "value_length",
		    gs_expo_fail(parser, GS_ELIMIT, *p,
			"the names and values with escapes are together longer than %d bytes", GS_LIMIT_LABEL_VALUE));
	case GS_EXPO_FINE:
		break;
	}
	return GS_OK;
}

/* The value whose first byte is at start and whose closing quote is at end is not plain. */
static enum gs_status read_hard_value(
    struct gs_expo_parser *parser, struct gs_label *label, struct gs_str value, bool escapes) {
	const char *quote = value.p - 1;
	if (!gs_str_is_utf8(value))
		return gs_expo_fail(
		    parser, GS_EINVAL, quote, "the value of label %s is not UTF-8", gs_expo_quote(label->name).text);
	if (escapes && gs_expo_unescape(parser, value, true, &value) != GS_OK)
		return gs_expo_limit(parser, "value_length",
		    gs_expo_fail(parser, GS_ELIMIT, quote,
			"the values with escapes up to label %s are together longer than %d bytes",
			gs_expo_quote(label->name).text, GS_LIMIT_LABEL_VALUE));
	label->value = value;
	return GS_OK;
}

/* The quoted value at *p; *p is then behind its closing quote. */
static inline enum gs_status read_value(struct gs_expo_parser *parser, struct gs_label *label, const char **p) {
	bool escapes = false, hard = false;
	const char *start = *p + 1;
	const char *at = find_quote(parser, start, &escapes, &hard);
	if (at >= parser->bounds.end)
		return gs_expo_fail(parser, GS_EINVAL, *p, "missing '\"' at the end of the value of label %s",
		    gs_expo_quote(label->name).text);
	label->value = gs_expo_between(start, at);
	if (hard) {
		enum gs_status status = read_hard_value(parser, label, label->value, escapes);
		if (status != GS_OK)
			return status;
	}
	if (label->value.n > GS_LIMIT_LABEL_VALUE)
		return gs_expo_limit(parser, "value_length",
		    gs_expo_fail(parser, GS_ELIMIT, *p, "the value of label %s is longer than %d bytes",
			gs_expo_quote(label->name).text, GS_LIMIT_LABEL_VALUE));
	*p = at + 1;
	return GS_OK;
}

/* What stands at p is neither a label name nor a closing brace. */
static enum gs_status fail_label(struct gs_expo_parser *parser, const struct gs_expo_label_set *set, const char *p) {
	struct gs_expo_quoted name = gs_expo_quote(set->metric);
	if (p == parser->bounds.end)
		return gs_expo_fail(parser, GS_EINVAL, p, "missing '}' after the labels of %s %s", set->of, name.text);
	return gs_expo_fail(parser, GS_EINVAL, p, "expected a label name or '}' in the labels of %s %s, found %s",
	    set->of, name.text, gs_expo_quote(gs_str_make(p, 1)).text);
}

/* The name of the next label, which starts at p in the text. */
static enum gs_status check_label_name(
    struct gs_expo_parser *parser, const struct gs_expo_label_set *set, struct gs_str name, const char *p) {
	for (size_t i = 0; i < set->n; i++) {
		if (gs_str_eq(set->labels[i].name, name))
			return gs_expo_fail(parser, GS_EINVAL, p, "duplicate label name %s", gs_expo_quote(name).text);
	}
	if (name.n > GS_LIMIT_NAME)
		return gs_expo_limit(parser, "name_length",
		    gs_expo_fail(parser, GS_ELIMIT, p, "the label name %s is longer than %d bytes",
			gs_expo_quote(name).text, GS_LIMIT_NAME));
	if (set->n == GS_LIMIT_LABELS)
		return gs_expo_limit(parser, "labels_per_series",
		    gs_expo_fail(parser, GS_ELIMIT, p, "%s %s has more than %d labels", set->of,
			gs_expo_quote(set->metric).text, GS_LIMIT_LABELS));
	if (name.p[0] == '_' && gs_str_eq(name, GS_STR("__name__")))
		return gs_expo_fail(parser, GS_EINVAL, p, "label name \"__name__\" is reserved");
	return GS_OK;
}

/* OpenMetrics has no blanks in the braces. */
static inline const char *skip_gap(const struct gs_expo_parser *parser, const char *p) {
	return parser->strict ? p : gs_expo_skip_blanks(p, parser->bounds.end);
}

/* The rest of ${name}="value", from behind the name, which starts at start in the text; *p is then behind the value. */
static inline enum gs_status read_label(struct gs_expo_parser *parser, struct gs_expo_label_set *set,
    struct gs_str name, const char *start, const char **p) {
	const char *end = parser->bounds.end;
	enum gs_status status = check_label_name(parser, set, name, start);
	if (status != GS_OK)
		return status;
	struct gs_label *label = &set->labels[set->n];
	label->name = name;
	const char *at = skip_gap(parser, *p);
	if (at == end || *at != '=')
		return gs_expo_fail(
		    parser, GS_EINVAL, at, "expected '=' after label name %s", gs_expo_quote(name).text);
	at = skip_gap(parser, at + 1);
	if (at == end || *at != '"')
		return gs_expo_fail(
		    parser, GS_EINVAL, at, "expected '\"' before the value of label %s", gs_expo_quote(name).text);
	*p = at;
	status = read_value(parser, label, p);
	set->n += status == GS_OK;
	return status;
}

/* The metric name ${name} in quotes at p. */
static enum gs_status set_metric_name(
    struct gs_expo_parser *parser, struct gs_expo_label_set *set, struct gs_str name, const char *p) {
	if (set->metric.n != 0)
		return gs_expo_fail(parser, GS_EINVAL, p, "a second metric name %s: %s %s has its name already",
		    gs_expo_quote(name).text, set->of, gs_expo_quote(set->metric).text);
	set->metric = name;
	return GS_OK;
}

/* The label, or the metric name, whose opening quote is at *p; *p is then behind it. */
static enum gs_status read_quoted_item(
    struct gs_expo_parser *parser, struct gs_expo_label_set *set, const char **p, bool *ret_is_label) {
	const char *start = *p, *end = parser->bounds.end;
	struct gs_str name = {0};
	enum gs_status status = gs_expo_quoted_name(parser, p, &name);
	if (status != GS_OK)
		return status;
	const char *at = skip_gap(parser, *p);
	*ret_is_label = at == end || (*at != ',' && *at != '}');
	return *ret_is_label ? read_label(parser, set, name, start, p) : set_metric_name(parser, set, name, start);
}

static inline enum gs_status read_item(
    struct gs_expo_parser *parser, struct gs_expo_label_set *set, const char **p, bool *ret_is_label) {
	const char *start = *p, *end = parser->bounds.end;
	if (start == end)
		return fail_label(parser, set, start);
	if ((gs_expo_class[(unsigned char)*start] & GS_EXPO_LABEL_FIRST) == 0)
		return *start == '"' ? read_quoted_item(parser, set, p, ret_is_label) : fail_label(parser, set, start);
	*p = gs_expo_skip_class(start + 1, end, GS_EXPO_LABEL);
	return read_label(parser, set, gs_expo_between(start, *p), start, p);
}

static bool begins_item(char c) {
	return c == '"' || (gs_expo_class[(unsigned char)c] & GS_EXPO_LABEL_FIRST) != 0;
}

/* What follows an item at *p: in the text format, as in Prometheus, a comma that may be missing between two and may follow the
 * last; but behind a metric name none can be missing. */
static inline enum gs_status read_comma(
    struct gs_expo_parser *parser, const struct gs_expo_label_set *set, const char **p, bool is_label) {
	const char *end = parser->bounds.end;
	const char *at = skip_gap(parser, *p);
	if (at < end && *at == ',') {
		*p = skip_gap(parser, at + 1);
		if (parser->strict && *p < end && **p == '}')
			return gs_expo_fail(parser, GS_EINVAL, at, "unexpected ',' before '}' in the labels of %s %s",
			    set->of, gs_expo_quote(set->metric).text);
		return GS_OK;
	}
	*p = at;
	if (at < end && (*at == '}' || (is_label && !parser->strict && begins_item(*at))))
		return GS_OK;
	if (is_label)
		return gs_expo_fail(parser, GS_EINVAL, at, "expected ',' or '}' after the value of label %s",
		    gs_expo_quote(set->labels[set->n - 1].name).text);
	return gs_expo_fail(
	    parser, GS_EINVAL, at, "expected ',' or '}' after metric name %s", gs_expo_quote(set->metric).text);
}

enum gs_status gs_expo_labels(struct gs_expo_parser *parser, struct gs_expo_label_set *set, const char **p) {
	const char *end = parser->bounds.end;
	const char *at = skip_gap(parser, *p + 1);
	while (at == end || *at != '}') {
		bool is_label = true;
		enum gs_status status = read_item(parser, set, &at, &is_label);
		if (status == GS_OK)
			status = read_comma(parser, set, &at, is_label);
		if (status != GS_OK)
			return status;
	}
	*p = at + 1;
	return GS_OK;
}
