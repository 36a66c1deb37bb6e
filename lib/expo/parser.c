/* SPDX-License-Identifier: Apache-2.0 */
#include "parser.h"

#include <stdarg.h>
#include <stdio.h>

#include "gravel/base/mem.h"

#define QUOTE_MAX 64

struct gs_expo_parser *gs_expo_parser_new(void) {
	struct gs_expo_parser *parser = gs_alloc(sizeof(*parser));
	if (parser == NULL)
		return NULL;
	for (int blocks = GS_EXPO_BLOCKS_AVX2; !gs_expo_use_blocks(parser, (enum gs_expo_blocks)blocks);)
		blocks--;
	gs_expo_begin_text(parser, (struct gs_str){0});
	return parser;
}

bool gs_expo_use_blocks(struct gs_expo_parser *parser, enum gs_expo_blocks blocks) {
	gs_expo_fast_fn *fast = NULL;
	switch (blocks) {
	case GS_EXPO_BLOCKS_NONE:
		break;
	case GS_EXPO_BLOCKS_PLAIN:
		fast = gs_expo_fast_plain;
		break;
#ifdef __x86_64__
	case GS_EXPO_BLOCKS_SSE2:
		fast = gs_expo_fast_sse2;
		break;
	case GS_EXPO_BLOCKS_AVX2:
		if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi"))
			return false;
		fast = gs_expo_fast_avx2;
		break;
#else
	case GS_EXPO_BLOCKS_SSE2:
	case GS_EXPO_BLOCKS_AVX2:
		return false;
#endif
	}
	parser->fast = fast;
	return true;
}

void gs_expo_parser_free(struct gs_expo_parser *parser) {
	gs_free(parser);
}

void gs_expo_begin(struct gs_expo_parser *parser, const struct gs_expo_options *options) {
	parser->options = options != NULL ? *options : (struct gs_expo_options){.format = GS_FORMAT_TEXT};
	parser->strict = parser->options.format == GS_FORMAT_OPENMETRICS;
	parser->quotes = !parser->strict || parser->options.utf8_names;
	parser->line = 0;
	parser->samples = 0;
	parser->status = GS_OK;
	parser->in_long_line = false;
	parser->skip_rest = false;
	parser->saw_eof = false;
	parser->ended = false;
	parser->scanned = 0;
	gs_expo_family_begin(parser);
	gs_expo_protobuf_begin(&parser->protobuf);
	gs_expo_feed(parser, (struct gs_str){0}, false);
}

void gs_expo_feed(struct gs_expo_parser *parser, struct gs_str window, bool last) {
	/* An empty window may stand at NULL, where no arithmetic is allowed. */
	parser->window = window.n != 0 ? window.p : "";
	parser->last = last;
	parser->next = parser->window;
	parser->bounds.limit = parser->window + window.n;
	parser->line_start = parser->window;
	gs_expo_forget_braces(parser);
	parser->bounds.end = parser->window;
	parser->scratch_used = 0;
}

size_t gs_expo_used(const struct gs_expo_parser *parser) {
	return (size_t)(parser->next - parser->window);
}

void gs_expo_begin_text(struct gs_expo_parser *parser, struct gs_str body) {
	gs_expo_begin(parser, NULL);
	gs_expo_feed(parser, body, true);
}

bool gs_expo_recover(struct gs_expo_parser *parser) {
	if ((parser->status != GS_EINVAL && parser->status != GS_ELIMIT) || parser->ended)
		return false;
	if (parser->options.format == GS_FORMAT_PROTOBUF)
		gs_expo_protobuf_recover(&parser->protobuf);
	parser->status = GS_OK;
	return true;
}

struct gs_expo_quoted gs_expo_quote(struct gs_str s) {
	struct gs_expo_quoted q;
	size_t at = 0;
	q.text[at++] = '"';
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (at > QUOTE_MAX) {
			at += (size_t)snprintf(q.text + at, sizeof(q.text) - at, "...");
			break;
		}
		if (c >= 0x20 && c < 0x7f)
			q.text[at++] = (char)c;
		else
			at += (size_t)snprintf(q.text + at, sizeof(q.text) - at, "\\x%02x", c);
	}
	q.text[at++] = '"';
	q.text[at] = '\0';
	return q;
}

enum gs_status gs_expo_fail(
    struct gs_expo_parser *parser, enum gs_status status, const char *at, const char *fmt, ...) {
	char text[sizeof(parser->error.text)];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	parser->status = status;
	uint32_t column = (uint32_t)(at - parser->line_start) + 1;
	return gs_error_set(&parser->error, status, parser->line, column, "%s", text);
}

enum gs_status gs_expo_limit(struct gs_expo_parser *parser, const char *limit, enum gs_status status) {
	gs_error_limit(&parser->error, limit);
	return status;
}

/* The byte that the escape \c stands for, or 0 if it is none. */
static char escaped(char c, bool quote) {
	if (c == 'n')
		return '\n';
	return c == '\\' || (quote && c == '"') ? c : '\0';
}

enum gs_status gs_expo_unescape(struct gs_expo_parser *parser, struct gs_str s, bool quote, struct gs_str *ret) {
	char *start = parser->scratch + parser->scratch_used;
	char *out = start, *out_end = parser->scratch + sizeof(parser->scratch);
	const char *p = s.p, *end = s.p + s.n;
	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t n = (size_t)((slash != NULL ? slash : end) - p);
		if ((size_t)(out_end - out) < n + (slash != NULL))
			return GS_ELIMIT;
		memcpy(out, p, n);
		out += n;
		p += n;
		if (slash == NULL)
			break;
		char c = slash + 1 < end ? escaped(slash[1], quote) : '\0';
		*out++ = c != '\0' ? c : '\\';
		p += c != '\0' ? 2 : 1;
	}
	*ret = gs_str_make(start, (size_t)(out - start));
	parser->scratch_used += ret->n;
	return GS_OK;
}
