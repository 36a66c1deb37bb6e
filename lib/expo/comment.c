/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that begin with '#'. */
#include "parser.h"

/* The keywords of a comment that is more than a comment. */
enum keyword {
	KEYWORD_NONE,
	KEYWORD_HELP,
	KEYWORD_TYPE,
	KEYWORD_UNIT,
};

static const char *const keywords[] = {"", "HELP", "TYPE", "UNIT"};

/* Which keyword the four bytes at p are. */
static enum keyword keyword_of(const char *p) {
	for (enum keyword k = KEYWORD_HELP; k <= KEYWORD_UNIT; k++) {
		if (memcmp(p, keywords[k], 4) == 0)
			return k;
	}
	return KEYWORD_NONE;
}

/* The metric name at *p; *p is then behind it. */
static enum gs_status read_name(
    struct gs_expo_parser *parser, const char *keyword, const char **p, struct gs_str *ret_name) {
	const char *start = *p, *end = parser->bounds.end;
	if (start < end && *start == '"')
		return gs_expo_quoted_name(parser, p, ret_name);
	const char *at = start;
	if (at < end && (gs_expo_class[(unsigned char)*at] & GS_EXPO_METRIC_FIRST) != 0)
		at = gs_expo_skip_metric(at, &parser->bounds);
	struct gs_str name = gs_expo_between(start, at);
	if (name.n == 0)
		return gs_expo_fail(parser, GS_EINVAL, at, "expected a metric name after %s", keyword);
	if (name.n > GS_LIMIT_NAME)
		return gs_expo_limit(parser, "name_length",
		    gs_expo_fail(parser, GS_ELIMIT, start, "the metric name after %s is longer than %d bytes", keyword,
			GS_LIMIT_NAME));
	*p = at;
	*ret_name = name;
	return GS_OK;
}

/* The first byte of a HELP text of OpenMetrics that its grammar does not allow, or the end: a quote that is not escaped, a backslash
 * at the end. */
static const char *find_bare(const char *p, const char *end) {
	while (p < end && *p != '"') {
		if (*p == '\\' && end - p == 1)
			return p;
		p += *p == '\\' ? 2 : 1;
	}
	return p;
}

/* The HELP text from p to the end of the line. */
static enum gs_status read_help(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	struct gs_str text = gs_expo_between(p, parser->bounds.end);
	if (!gs_str_is_utf8(text))
		return gs_expo_fail(
		    parser, GS_EINVAL, p, "the HELP text of %s is not UTF-8", gs_expo_quote(event->name).text);
	const char *bare = parser->strict ? find_bare(p, parser->bounds.end) : parser->bounds.end;
	if (bare < parser->bounds.end)
		return gs_expo_fail(parser, GS_EINVAL, bare, "%s in the HELP text of %s is not escaped",
		    *bare == '"' ? "a quote" : "the backslash at the end", gs_expo_quote(event->name).text);
	bool fits = true;
	if (text.n != 0 && memchr(text.p, '\\', text.n) != NULL)
		fits = gs_expo_unescape(parser, text, parser->strict, &text) == GS_OK;
	if (!fits || text.n > GS_LIMIT_LABEL_VALUE)
		return gs_expo_fail(parser, GS_ELIMIT, p, "the HELP text of %s is longer than %d bytes",
		    gs_expo_quote(event->name).text, GS_LIMIT_LABEL_VALUE);
	event->kind = GS_EXPO_HELP;
	event->text = text;
	return GS_OK;
}

static enum gs_status set_type(struct gs_expo_parser *parser, struct gs_str word, struct gs_expo_event *event) {
	if (word.n == 0)
		return gs_expo_fail(parser, GS_EINVAL, word.p, "expected a type after the metric name %s",
		    gs_expo_quote(event->name).text);
	if (!gs_expo_type_of(word, parser->strict, &event->type))
		return gs_expo_fail(parser, GS_EINVAL, word.p, "unknown type %s of metric %s", gs_expo_quote(word).text,
		    gs_expo_quote(event->name).text);
	event->kind = GS_EXPO_TYPE;
	return GS_OK;
}

static enum gs_status read_type(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	p = gs_expo_skip_blanks(p, parser->bounds.end);
	const char *word_end = gs_expo_skip_word(p, &parser->bounds);
	const char *rest = gs_expo_skip_blanks(word_end, parser->bounds.end);
	enum gs_status status = set_type(parser, gs_expo_between(p, word_end), event);
	if (status == GS_OK && rest < parser->bounds.end)
		return gs_expo_fail(parser, GS_EINVAL, rest, "unexpected %s after the type",
		    gs_expo_quote(gs_expo_between(rest, parser->bounds.end)).text);
	return status;
}

static enum gs_status set_unit(struct gs_expo_parser *parser, struct gs_str unit, struct gs_expo_event *event) {
	if (unit.n > GS_LIMIT_LABEL_VALUE)
		return gs_expo_fail(parser, GS_ELIMIT, unit.p, "the unit of %s is longer than %d bytes",
		    gs_expo_quote(event->name).text, GS_LIMIT_LABEL_VALUE);
	event->kind = GS_EXPO_UNIT;
	event->text = unit;
	return GS_OK;
}

/* UNIT is OpenMetrics; to the text format the line is a comment, and so is any that does not read as name and unit. */
static enum gs_status read_plain_unit(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	const char *start = p, *end = parser->bounds.end;
	enum gs_expo_fault fault = GS_EXPO_FINE;
	bool quoted = p < end && *p == '"';
	if (quoted)
		fault = gs_expo_read_quoted(parser, &p, &event->name);
	else
		p = gs_expo_skip_word(start, &parser->bounds);
	if (!quoted)
		event->name = gs_expo_between(start, p);
	if (!quoted && event->name.n > GS_LIMIT_NAME)
		fault = GS_EXPO_LONG;
	const char *unit = gs_expo_skip_blanks(p, end);
	const char *unit_end = gs_expo_skip_word(unit, &parser->bounds);
	bool fits = gs_expo_skip_blanks(unit_end, end) == end && (unit > p || unit == end) &&
		    gs_expo_skip_class(unit, unit_end, GS_EXPO_METRIC) == unit_end;
	if ((fault != GS_EXPO_FINE && fault != GS_EXPO_LONG) || (!quoted && !gs_expo_is_metric_name(event->name)) ||
	    (fault == GS_EXPO_FINE && !fits))
		return GS_OK;
	if (fault == GS_EXPO_LONG)
		return gs_expo_limit(parser, "name_length",
		    gs_expo_fail(
			parser, GS_ELIMIT, start, "the metric name after UNIT is longer than %d bytes", GS_LIMIT_NAME));
	return set_unit(parser, gs_expo_between(unit, unit_end), event);
}

static enum gs_status read_plain(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	const char *end = parser->bounds.end;
	const char *word = gs_expo_skip_blanks(p + 1, end);
	/* As in Prometheus there must be blanks before and after the keyword, else the line is an ordinary comment. */
	if (word == p + 1 || end - word < 5 || !gs_expo_is_blank(word[4]))
		return GS_OK;
	enum keyword keyword = keyword_of(word);
	p = gs_expo_skip_blanks(word + 5, end);
	if (keyword == KEYWORD_NONE)
		return GS_OK;
	if (keyword == KEYWORD_UNIT)
		return read_plain_unit(parser, p, event);
	enum gs_status status = read_name(parser, keywords[keyword], &p, &event->name);
	if (status != GS_OK)
		return status;
	bool clean = p == end || gs_expo_is_blank(*p);
	if (keyword ==
	    KEYWORD_HELP) /* "# HELP a.b text" says nothing of a; else exactly one blank is dropped, as in Prometheus */
		return clean ? read_help(parser, p + (p < end), event) : GS_OK;
	if (!clean)
		return gs_expo_fail(parser, GS_EINVAL, p, "unexpected %s in the metric name after TYPE",
		    gs_expo_quote(gs_str_make(p, 1)).text);
	return read_type(parser, p, event);
}

/* OpenMetrics: all of [p, bounds.end) is the unit. */
static enum gs_status read_unit(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	struct gs_str unit = gs_expo_between(p, parser->bounds.end);
	const char *stop = gs_expo_skip_class(p, parser->bounds.end, GS_EXPO_METRIC);
	if (parser->quotes && gs_str_is_utf8(unit))
		stop = parser->bounds.end; /* the end of a name that is UTF-8 */
	if (stop < parser->bounds.end)
		return gs_expo_fail(parser, GS_EINVAL, stop, "unexpected %s in the unit of %s",
		    gs_expo_quote(gs_str_make(stop, 1)).text, gs_expo_quote(event->name).text);
	return set_unit(parser, unit, event);
}

static enum gs_status read_strict(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	const char *end = parser->bounds.end;
	if (gs_str_eq(gs_expo_between(p, end), GS_STR("# EOF"))) {
		parser->saw_eof = true;
		return GS_OK;
	}
	enum keyword keyword = end - p >= 7 && p[1] == ' ' && p[6] == ' ' ? keyword_of(p + 2) : KEYWORD_NONE;
	if (keyword == KEYWORD_NONE)
		return gs_expo_fail(parser, GS_EINVAL, p, "expected '# HELP ', '# TYPE ', '# UNIT ' or '# EOF'");
	p += 7;
	enum gs_status status = read_name(parser, keywords[keyword], &p, &event->name);
	if (status != GS_OK)
		return status;
	if (p == end || *p != ' ')
		return gs_expo_fail(
		    parser, GS_EINVAL, p, "expected a blank after the metric name %s", gs_expo_quote(event->name).text);
	p++;
	if (keyword == KEYWORD_HELP)
		return read_help(parser, p, event);
	return keyword == KEYWORD_UNIT ? read_unit(parser, p, event) : set_type(parser, gs_expo_between(p, end), event);
}

enum gs_status gs_expo_comment(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	return parser->strict ? read_strict(parser, p, event) : read_plain(parser, p, event);
}
