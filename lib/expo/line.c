/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include "gravel/base/hash.h"

struct gs_str gs_line_content(const char *p, const char *end) {
	const char *lf = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	if (lf != NULL)
		end = lf;
	if (end > p && end[-1] == '\r')
		end--;
	return gs_str_make(p, (size_t)(end - p));
}

static const char *skip_word(const char *p, const char *end) {
	while (p < end && !gs_expo_is_blank(*p))
		p++;
	return p;
}

/* Behind the quoted text whose opening quote is at p. */
static const char *skip_quoted(const char *p, const char *end) {
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\' && end - p > 1)
			p++;
	}
	return p < end ? p + 1 : end;
}

static bool keyword_of(struct gs_str word, enum gs_line_kind *ret) {
	if (gs_str_eq(word, GS_STR("HELP")))
		*ret = GS_LINE_HELP;
	else if (gs_str_eq(word, GS_STR("TYPE")))
		*ret = GS_LINE_TYPE;
	else if (gs_str_eq(word, GS_STR("UNIT")))
		*ret = GS_LINE_UNIT;
	else
		return false;
	return true;
}

bool gs_line_is_meta(struct gs_str line, struct gs_line_meta *ret) {
	const char *end = line.p + line.n, *p = gs_expo_skip_blanks(line.p, end);
	if (p == end || *p != '#')
		return false;
	p = gs_expo_skip_blanks(p + 1, end);
	const char *stop = skip_word(p, end);
	if (!keyword_of(gs_str_make(p, (size_t)(stop - p)), &ret->kind))
		return false;
	p = gs_expo_skip_blanks(stop, end);
	stop = p < end && *p == '"' ? skip_quoted(p, end) : skip_word(p, end);
	ret->name = gs_str_make(p, (size_t)(stop - p));
	p = gs_expo_skip_blanks(stop, end);
	ret->word = gs_str_make(p, (size_t)(skip_word(p, end) - p));
	return true;
}

bool gs_line_says_nothing(struct gs_str line) {
	struct gs_line_meta meta;
	const char *end = line.p + line.n, *p = gs_expo_skip_blanks(line.p, end);
	return p == end || (*p == '#' && !gs_line_is_meta(line, &meta));
}

/* Behind the labels whose opening brace is at p. */
static const char *skip_labels(const char *p, const char *end) {
	for (p++; p < end && *p != '}';)
		p = *p == '"' ? skip_quoted(p, end) : p + 1;
	return p < end ? p + 1 : end;
}

size_t gs_line_value(struct gs_str line) {
	const char *end = line.p + line.n, *p = gs_expo_skip_blanks(line.p, end);
	while (p < end && *p != '{' && !gs_expo_is_blank(*p))
		p++;
	p = gs_expo_skip_blanks(p, end);
	if (p < end && *p == '{')
		p = gs_expo_skip_blanks(skip_labels(p, end), end);
	return (size_t)(p - line.p);
}

void gs_line_enter(struct gs_line_context *context, const struct gs_line_meta *meta, bool openmetrics) {
	if (meta->kind == GS_LINE_TYPE)
		*context = (struct gs_line_context){.name = meta->name, .type = meta->word};
	else if (openmetrics && !gs_str_eq(context->name, meta->name))
		*context = (struct gs_line_context){.name = meta->name};
}

uint64_t gs_line_key(struct gs_str line, size_t value, const struct gs_line_context *context) {
	uint64_t key = gs_hash(gs_str_make(line.p, value));
	if (context != NULL)
		key ^= gs_hash(context->name) * 3 + gs_hash(context->type) * 5;
	return key;
}
