/* SPDX-License-Identifier: Apache-2.0 */
#include "parser.h"

/* The keywords of a comment that is more than a comment. */
enum keyword {
	KEYWORD_NONE,
	KEYWORD_HELP,
	KEYWORD_TYPE,
	KEYWORD_UNIT,
};

static enum gs_status fail_long(struct gs_expo_parser *parser) {
	return gs_expo_fail(
	    parser, GS_ELIMIT, parser->line_start + GS_LIMIT_LINE, "the line is longer than %d bytes", GS_LIMIT_LINE);
}

/* The window ends within a line. */
static enum gs_status line_is_open(struct gs_expo_parser *parser, size_t n) {
	bool too_long = n > GS_LIMIT_LINE && (n > GS_LIMIT_LINE + 1 || parser->next[n - 1] != '\r');
	parser->scanned = n;
	if (!too_long)
		return GS_EAGAIN;
	parser->line++;
	parser->line_start = parser->next;
	parser->bounds.end = parser->next;
	parser->next = parser->bounds.limit;
	parser->scanned = 0;
	parser->in_long_line = true;
	return fail_long(parser);
}

/* Drop what is left of a line that was too long; false if its end is not in the window. */
static bool leave_long_line(struct gs_expo_parser *parser) {
	const char *lf = memchr(parser->next, '\n', (size_t)(parser->bounds.limit - parser->next));
	parser->next = lf != NULL ? lf + 1 : parser->bounds.limit;
	parser->in_long_line = lf == NULL;
	return lf != NULL;
}

/* Make the next line, of which there is at least a byte, the current one, without its LF or CRLF. */
static enum gs_status next_line(struct gs_expo_parser *parser) {
	const char *start = parser->next;
	size_t left = (size_t)(parser->bounds.limit - start);
	const char *lf = memchr(start + parser->scanned, '\n', left - parser->scanned);
	if (lf == NULL && !parser->last)
		return line_is_open(parser, left);
	const char *end = lf != NULL ? lf : parser->bounds.limit;
	parser->next = lf != NULL ? lf + 1 : parser->bounds.limit;
	parser->scanned = 0;
	if (end > start && end[-1] == '\r')
		end--;
	parser->line++;
	parser->line_start = start;
	parser->bounds.end = end;
	return end - start > GS_LIMIT_LINE ? fail_long(parser) : GS_OK;
}

/* Which keyword stands after the '#' at p; *ret_p is then behind the blanks that follow it. As in Prometheus there must be blanks
 * before and after it, else the line is an ordinary comment. */
static enum keyword read_keyword(const struct gs_expo_parser *parser, const char *p, const char **ret_p) {
	const char *end = parser->bounds.end;
	const char *word = gs_expo_skip_blanks(p + 1, end);
	if (word == p + 1 || end - word < 5 || !gs_expo_is_blank(word[4]))
		return KEYWORD_NONE;
	*ret_p = gs_expo_skip_blanks(word + 5, end);
	struct gs_str s = gs_str_make(word, 4);
	if (gs_str_eq(s, GS_STR("HELP")))
		return KEYWORD_HELP;
	if (gs_str_eq(s, GS_STR("TYPE")))
		return KEYWORD_TYPE;
	return gs_str_eq(s, GS_STR("UNIT")) ? KEYWORD_UNIT : KEYWORD_NONE;
}

/* The metric name at *p; *p is then behind it. */
static enum gs_status read_name(
    struct gs_expo_parser *parser, const char *keyword, const char **p, struct gs_str *ret_name) {
	const char *start = *p, *end = parser->bounds.end;
	if (start < end && *start == '"')
		return gs_expo_fail(parser, GS_EINVAL, start, "metric names in quotes are not supported");
	const char *at = start;
	if (at < end && (gs_expo_class[(unsigned char)*at] & GS_EXPO_METRIC_FIRST) != 0)
		at = gs_expo_skip_metric(at, &parser->bounds);
	struct gs_str name = gs_expo_between(start, at);
	if (name.n == 0)
		return gs_expo_fail(parser, GS_EINVAL, at, "expected a metric name after %s", keyword);
	if (name.n > GS_LIMIT_NAME)
		return gs_expo_fail(parser, GS_ELIMIT, start, "the metric name after %s is longer than %d bytes",
		    keyword, GS_LIMIT_NAME);
	*p = at;
	*ret_name = name;
	return GS_OK;
}

/* Prometheus drops exactly one blank after the name and keeps the rest as it stands. */
static enum gs_status read_help(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	if (p < parser->bounds.end)
		p++;
	struct gs_str text = gs_expo_between(p, parser->bounds.end);
	if (!gs_str_is_utf8(text))
		return gs_expo_fail(
		    parser, GS_EINVAL, p, "the HELP text of %s is not UTF-8", gs_expo_quote(event->name).text);
	bool fits = true;
	if (text.n != 0 && memchr(text.p, '\\', text.n) != NULL)
		fits = gs_expo_unescape(parser, text, false, &text) == GS_OK;
	if (!fits || text.n > GS_LIMIT_LABEL_VALUE)
		return gs_expo_fail(parser, GS_ELIMIT, p, "the HELP text of %s is longer than %d bytes",
		    gs_expo_quote(event->name).text, GS_LIMIT_LABEL_VALUE);
	event->kind = GS_EXPO_HELP;
	event->text = text;
	return GS_OK;
}

static enum gs_status read_type(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	p = gs_expo_skip_blanks(p, parser->bounds.end);
	const char *word_end = gs_expo_skip_word(p, &parser->bounds);
	const char *rest = gs_expo_skip_blanks(word_end, parser->bounds.end);
	struct gs_str word = gs_expo_between(p, word_end);
	if (word.n == 0)
		return gs_expo_fail(
		    parser, GS_EINVAL, p, "expected a type after the metric name %s", gs_expo_quote(event->name).text);
	if (!gs_expo_type_of(word, &event->type))
		return gs_expo_fail(parser, GS_EINVAL, p, "unknown type %s of metric %s", gs_expo_quote(word).text,
		    gs_expo_quote(event->name).text);
	if (rest < parser->bounds.end)
		return gs_expo_fail(parser, GS_EINVAL, rest, "unexpected %s after the type",
		    gs_expo_quote(gs_expo_between(rest, parser->bounds.end)).text);
	event->kind = GS_EXPO_TYPE;
	return GS_OK;
}

/* UNIT is OpenMetrics; to the text format the line is a comment, and so is any that does not read as name and unit. */
static enum gs_status read_unit(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	const char *end = parser->bounds.end;
	const char *name_end = gs_expo_skip_word(p, &parser->bounds);
	const char *unit = gs_expo_skip_blanks(name_end, end);
	const char *unit_end = gs_expo_skip_word(unit, &parser->bounds);
	event->name = gs_expo_between(p, name_end);
	event->text = gs_expo_between(unit, unit_end);
	if (!gs_expo_is_metric_name(event->name) || gs_expo_skip_blanks(unit_end, end) != end ||
	    gs_expo_skip_class(unit, unit_end, GS_EXPO_METRIC) != unit_end)
		return GS_OK;
	if (event->name.n > GS_LIMIT_NAME)
		return gs_expo_fail(
		    parser, GS_ELIMIT, p, "the metric name after UNIT is longer than %d bytes", GS_LIMIT_NAME);
	if (event->text.n > GS_LIMIT_LABEL_VALUE)
		return gs_expo_fail(parser, GS_ELIMIT, unit, "the unit of %s is longer than %d bytes",
		    gs_expo_quote(event->name).text, GS_LIMIT_LABEL_VALUE);
	event->kind = GS_EXPO_UNIT;
	return GS_OK;
}

/* The line whose '#' stands at p. The kind of the event stays GS_EXPO_END if it is an ordinary comment. */
static enum gs_status read_comment(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	enum keyword keyword = read_keyword(parser, p, &p);
	if (keyword == KEYWORD_NONE)
		return GS_OK;
	if (keyword == KEYWORD_UNIT)
		return read_unit(parser, p, event);
	bool help = keyword == KEYWORD_HELP;
	enum gs_status status = read_name(parser, help ? "HELP" : "TYPE", &p, &event->name);
	if (status != GS_OK)
		return status;
	bool clean = p == parser->bounds.end || gs_expo_is_blank(*p);
	if (help)
		return clean ? read_help(parser, p, event) : GS_OK; /* "# HELP a.b text" says nothing of a */
	if (!clean)
		return gs_expo_fail(parser, GS_EINVAL, p, "unexpected %s in the metric name after TYPE",
		    gs_expo_quote(gs_str_make(p, 1)).text);
	return read_type(parser, p, event);
}

static enum gs_status read_sample(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	if (parser->options.max_samples != 0 && parser->samples == parser->options.max_samples)
		return gs_expo_fail(parser, GS_ELIMIT, p, "more than %zu samples", parser->options.max_samples);
	parser->samples++;
	return gs_expo_sample(parser, p, event);
}

static enum gs_status read_event(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	parser->scratch_used = 0;
	if (parser->in_long_line && !leave_long_line(parser) && !parser->last)
		return GS_EAGAIN;
	while (parser->next < parser->bounds.limit) {
		enum gs_status status = next_line(parser);
		if (status != GS_OK)
			return status;
		const char *p = gs_expo_skip_blanks(parser->line_start, parser->bounds.end);
		if (p == parser->bounds.end)
			continue;
		*event = (struct gs_expo_event){.kind = GS_EXPO_END, .line = parser->line};
		status = *p != '#' ? read_sample(parser, p, event) : read_comment(parser, p, event);
		if (status == GS_OK && event->kind == GS_EXPO_END)
			continue;
		return status == GS_OK ? gs_expo_classify(parser, event) : status;
	}
	*event = (struct gs_expo_event){.kind = GS_EXPO_END, .line = parser->line};
	return parser->last ? GS_OK : GS_EAGAIN;
}

enum gs_status gs_expo_next(struct gs_expo_parser *parser, struct gs_expo_event *event, struct gs_error *err) {
	enum gs_status status = parser->status;
	if (status == GS_OK)
		status = read_event(parser, event);
	if (status != GS_OK && status != GS_EAGAIN && err != NULL)
		*err = parser->error;
	return status;
}
