/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "gravel/match/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What lib/match/plain.c says without the engine is what the engine says: an option in the middle keeps it from saying anything. */
static void compare(struct gs_str pattern, struct gs_str text, bool lines) {
	struct gs_regex *regex = NULL, *slow = NULL;
	char *wrapped = malloc(pattern.n + 8);
	bool matches, groups, expected;
	assert(wrapped != NULL);
	enum gs_status (*make)(struct gs_str, struct gs_regex **, struct gs_error *) =
	    lines ? gs_regex_new_lines : gs_regex_new;
	size_t n = sizeof("(?-i)") - 1;
	memcpy(wrapped, "(?-i)", n);
	if (pattern.n != 0)
		memcpy(wrapped + n, pattern.p, pattern.n);
	if (make(pattern, &regex, NULL) == GS_OK && make(gs_str_make(wrapped, pattern.n + n), &slow, NULL) == GS_OK &&
	    gs_regex_match(regex, text, &matches) == GS_OK && gs_regex_match(slow, text, &expected) == GS_OK) {
		assert(matches == expected);
		if (gs_regex_match_groups(regex, text, &groups) == GS_OK)
			assert(groups == expected);
		for (uint32_t i = 0; i < 4; i++) {
			struct gs_str group = gs_regex_group(regex, i);
			assert(group.n == 0 || (group.p >= text.p && group.p + group.n <= text.p + text.n));
		}
	}
	gs_regex_free(regex);
	gs_regex_free(slow);
	free(wrapped);
}

static void expand(struct gs_str pattern, struct gs_str text, struct gs_str given) {
	struct gs_regex *regex = NULL;
	struct gs_template *template = NULL;
	struct gs_buf room;
	struct gs_str found;
	bool matches;
	gs_buf_init(&room, 1 << 16);
	if (gs_regex_new(pattern, &regex, NULL) == GS_OK && gs_template_new(given, regex, &template) == GS_OK &&
	    gs_regex_match_groups(regex, text, &matches) == GS_OK && matches) {
		enum gs_status status = gs_template_expand(template, regex, &room, &found);
		assert(status == GS_OK || status == GS_ELIMIT);
		if (status == GS_OK && memchr(given.n != 0 ? given.p : "", '$', given.n) == NULL)
			assert(gs_str_eq(found, given));
	}
	gs_buf_free(&room);
	gs_template_free(template);
	gs_regex_free(regex);
}

/* A line for the expression, one for the template, and the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_str pattern, template, text = gs_str_make((const char *)data, size);
	if (size == 0)
		return 0;
	gs_str_cut(text, '\n', &pattern, &text);
	gs_str_cut(text, '\n', &template, &text);
	compare(pattern, text, false);
	compare(pattern, text, true);
	expand(pattern, text, template);
	return 0;
}
