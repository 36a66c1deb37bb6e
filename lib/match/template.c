/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/match/template.h"

#include "gravel/base/mem.h"

#define NONE UINT32_MAX

/* The text, then the group. */
struct part {
	uint32_t at;
	uint32_t n;
	uint32_t group; /* NONE: no group follows, or one that there is not */
};

struct gs_template {
	struct gs_buf text;
	struct part *parts; /* one at least */
	size_t n;
	size_t cap;
};

/* The last of its parts is open: text is added to it. */
struct reader {
	struct gs_template *template;
	const struct gs_regex *regex;
	struct gs_regex *letter; /* whether one character beyond ASCII may be in a name; NULL until the first of them */
	const char *p;
	const char *end;
};

static enum gs_status open_part(struct gs_template *template) {
	struct part *parts = gs_grow_array(template->parts, &template->cap, template->n, sizeof(*parts));
	if (parts == NULL)
		return GS_ENOMEM;
	template->parts = parts;
	parts[template->n++] = (struct part){.at = (uint32_t) template->text.n, .group = NONE};
	return GS_OK;
}

static void add_text(struct gs_template *template, const char *p, size_t n) {
	gs_buf_add(&template->text, p, n);
	template->parts[template->n - 1].n += (uint32_t)n;
}

static bool is_word(char c) {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Bytes of the character of a name at p, or 0. */
static enum gs_status name_char(struct reader *reader, const char *p, size_t *ret_n) {
	enum gs_status status = GS_OK;
	bool is_letter = false;
	*ret_n = 0;
	if (p == reader->end)
		return GS_OK;
	if ((unsigned char)*p < 0x80) {
		*ret_n = is_word(*p);
		return GS_OK;
	}
	size_t n = 1;
	while (p + n < reader->end && n < 4 && ((unsigned char)p[n] & 0xc0) == 0x80)
		n++;
	if (reader->letter == NULL)
		status = gs_regex_new(GS_STR("[\\p{L}\\p{Nd}]"), &reader->letter, NULL);
	if (status == GS_OK)
		status = gs_regex_match(reader->letter, gs_str_make(p, n), &is_letter);
	*ret_n = is_letter ? n : 0;
	return status;
}

/* A name that is a number without a leading zero is that group, any other the group of that name. */
static uint32_t group_of(const struct gs_regex *regex, struct gs_str name) {
	uint32_t number = 0;
	bool is_number = name.p[0] != '0' || name.n == 1;
	for (size_t i = 0; i < name.n && is_number; i++) {
		is_number = name.p[i] >= '0' && name.p[i] <= '9' && number < 100000000;
		number = is_number ? number * 10 + (uint32_t)(name.p[i] - '0') : 0;
	}
	return is_number ? number : gs_regex_group_of(regex, name);
}

/* What stands behind a dollar. */
static enum gs_status take_group(struct reader *reader) {
	struct gs_template *template = reader->template;
	const char *p = reader->p;
	bool brace = p < reader->end && *p == '{';
	p += brace;
	struct gs_str name = {.p = p};
	for (size_t n = 1; n != 0; name.n += n, p += n) {
		enum gs_status status = name_char(reader, p, &n);
		if (status != GS_OK)
			return status;
	}
	if (name.n == 0 || (brace && (p == reader->end || *p != '}'))) {
		add_text(template, "$", 1);
		return GS_OK;
	}
	reader->p = p + brace;
	template->parts[template->n - 1].group = group_of(reader->regex, name);
	return open_part(template);
}

static enum gs_status take_all(struct reader *reader) {
	enum gs_status status = open_part(reader->template);
	while (status == GS_OK && reader->p < reader->end) {
		const char *dollar = memchr(reader->p, '$', (size_t)(reader->end - reader->p));
		const char *stop = dollar != NULL ? dollar : reader->end;
		add_text(reader->template, reader->p, (size_t)(stop - reader->p));
		reader->p = stop + (dollar != NULL);
		if (dollar == NULL)
			break;
		if (reader->p < reader->end && *reader->p == '$')
			add_text(reader->template, reader->p++, 1);
		else
			status = take_group(reader);
	}
	return status != GS_OK ? status : reader->template->text.status;
}

enum gs_status gs_template_new(struct gs_str text, const struct gs_regex *regex, struct gs_template **ret_template) {
	struct gs_template *template = gs_alloc(sizeof(*template));
	if (template == NULL)
		return GS_ENOMEM;
	if (text.n == 0)
		text = GS_STR("");
	/* Nothing is longer than it was. */
	gs_buf_init(&template->text, text.n + 1);
	struct reader reader = {.template = template, .regex = regex, .p = text.p, .end = text.p + text.n};
	enum gs_status status = take_all(&reader);
	gs_regex_free(reader.letter);
	if (status != GS_OK) {
		gs_template_free(template);
		return status;
	}
	*ret_template = template;
	return GS_OK;
}

void gs_template_free(struct gs_template *template) {
	if (template == NULL)
		return;
	gs_buf_free(&template->text);
	gs_free(template->parts);
	gs_free(template);
}

enum gs_status gs_template_expand(
    const struct gs_template *template, const struct gs_regex *regex, struct gs_buf *room, struct gs_str *ret) {
	const struct part *parts = template->parts;
	if (template->n == 1) {
		*ret = gs_buf_slice(&template->text);
		return GS_OK;
	}
	/* A group alone: most are that. */
	if (template->n == 2 && template->text.n == 0) {
		*ret = gs_regex_group(regex, parts[0].group);
		return GS_OK;
	}
	gs_buf_clear(room);
	for (size_t i = 0; i < template->n; i++) {
		if (parts[i].n != 0)
			gs_buf_add(room, template->text.p + parts[i].at, parts[i].n);
		gs_buf_str(room, gs_regex_group(regex, parts[i].group));
	}
	*ret = gs_buf_slice(room);
	return room->status;
}
