/* SPDX-License-Identifier: Apache-2.0 */
/* Lines. */
#include "parser.h"

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
	bool cr = end > start && end[-1] == '\r';
	parser->line++;
	parser->line_start = start;
	parser->bounds.end = end - cr;
	if (end - start > GS_LIMIT_LINE + cr)
		return fail_long(parser);
	if (parser->strict && cr)
		return gs_expo_fail(parser, GS_EINVAL, end - 1, "the line ends with a carriage return");
	return GS_OK;
}

/* OpenMetrics: the window goes on behind "# EOF". */
static enum gs_status fail_after_eof(struct gs_expo_parser *parser) {
	parser->line++;
	parser->line_start = parser->next;
	parser->bounds.end = parser->next;
	parser->skip_rest = true;
	return gs_expo_fail(parser, GS_EINVAL, parser->next, "the body goes on after '# EOF'");
}

static enum gs_status read_sample(struct gs_expo_parser *parser, const char *p, struct gs_expo_event *event) {
	if (parser->options.max_samples != 0 && parser->samples == parser->options.max_samples) {
		parser->skip_rest = true;
		return gs_expo_fail(parser, GS_ELIMIT, p, "more than %zu samples", parser->options.max_samples);
	}
	parser->samples++;
	return gs_expo_sample(parser, p, event);
}

/* The current line; the kind of the event stays GS_EXPO_END if it says nothing. */
static enum gs_status read_line(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	const char *p = parser->line_start, *end = parser->bounds.end;
	if (!parser->strict)
		p = gs_expo_skip_blanks(p, end);
	if (p == end)
		return parser->strict ? gs_expo_fail(parser, GS_EINVAL, p, "the line is empty") : GS_OK;
	return *p != '#' ? read_sample(parser, p, event) : gs_expo_comment(parser, p, event);
}

/* GS_EAGAIN: the general reader has to look at the line. A line that comes in pieces, or would be a sample too many, is its business alone. */
static inline enum gs_status read_fast(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	if (parser->fast == NULL || parser->scanned != 0 ||
	    (parser->options.max_samples != 0 && parser->samples == parser->options.max_samples))
		return GS_EAGAIN;
	return parser->fast(parser, event);
}

/* The window holds no further line. */
static enum gs_status read_end(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	*event = (struct gs_expo_event){.kind = GS_EXPO_END, .line = parser->line};
	if (!parser->last)
		return GS_EAGAIN;
	if (parser->ended)
		return GS_OK;
	parser->ended = true;
	parser->line_start = parser->next;
	parser->bounds.end = parser->next;
	if (parser->strict && !parser->saw_eof && !parser->skip_rest) {
		parser->line++;
		return gs_expo_fail(parser, GS_EINVAL, parser->next, "missing '# EOF' at the end");
	}
	return gs_expo_classify(parser, event);
}

static enum gs_status read_event(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	if (parser->skip_rest)
		parser->next = parser->bounds.limit;
	if (parser->in_long_line && !leave_long_line(parser) && !parser->last)
		return GS_EAGAIN;
	while (parser->next < parser->bounds.limit) {
		if (parser->saw_eof)
			return fail_after_eof(parser);
		enum gs_status status = read_fast(parser, event);
		if (status != GS_EAGAIN)
			return status == GS_OK ? gs_expo_classify(parser, event) : status;
		status = next_line(parser);
		if (status != GS_OK)
			return status;
		parser->scratch_used = 0;
		*event = (struct gs_expo_event){.kind = GS_EXPO_END, .line = parser->line};
		status = read_line(parser, event);
		if (status == GS_OK && event->kind == GS_EXPO_END)
			continue;
		return status == GS_OK ? gs_expo_classify(parser, event) : status;
	}
	return read_end(parser, event);
}

enum gs_status gs_expo_next(struct gs_expo_parser *parser, struct gs_expo_event *event, struct gs_error *err) {
	enum gs_status status = parser->status;
	if (status == GS_OK && parser->options.format == GS_FORMAT_PROTOBUF)
		status = gs_expo_protobuf(parser, event);
	else if (status == GS_OK)
		status = read_event(parser, event);
	if (status != GS_OK && status != GS_EAGAIN && err != NULL)
		*err = parser->error;
	return status;
}
