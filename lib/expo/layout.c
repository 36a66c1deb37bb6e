/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

#include <assert.h>

#include "gravel/base/mem.h"

struct gs_layout *gs_layout_new(void) {
	return gs_alloc(sizeof(struct gs_layout));
}

void gs_layout_free(struct gs_layout *layout) {
	if (layout == NULL)
		return;
	gs_free(layout->of.lines);
	gs_free(layout);
}

size_t gs_layout_samples(const struct gs_layout *layout) {
	return layout->samples;
}

size_t gs_layout_memory(const struct gs_layout *layout) {
	return sizeof(*layout) + layout->of.cap * sizeof(layout->of.lines[0]);
}

enum gs_status gs_lines_reserve(struct gs_lines *lines, size_t n) {
	if (n < lines->cap)
		return GS_OK;
	size_t cap = n + n / 2 + 64;
	struct gs_line *grown = gs_realloc_array(lines->lines, cap, sizeof(*grown));
	if (grown == NULL)
		return GS_ENOMEM;
	lines->lines = grown;
	lines->cap = cap;
	return GS_OK;
}

void gs_lines_add_other(struct gs_lines *lines, size_t start) {
	struct gs_line *last = lines->n != 0 ? &lines->lines[lines->n - 1] : NULL;
	if (last != NULL && last->kind == GS_LINE_OTHER && last->at < GS_LINE_AT_MAX)
		last->at++;
	else
		gs_lines_add(lines, (struct gs_line){.start = (uint32_t)start, .at = 1, .kind = GS_LINE_OTHER});
}

enum gs_status gs_lines_copy(struct gs_lines *to, const struct gs_lines *from) {
	size_t cap = from->n + 1;
	if (to->cap < cap || to->cap / 2 > cap) {
		struct gs_line *lines = gs_alloc_array(cap, sizeof(*lines));
		if (lines == NULL)
			return GS_ENOMEM;
		gs_free(to->lines);
		*to = (struct gs_lines){.lines = lines, .cap = cap};
	}
	to->n = from->n;
	if (from->n != 0)
		memcpy(to->lines, from->lines, cap * sizeof(to->lines[0]));
	return GS_OK;
}

void gs_lines_check(const struct gs_lines *lines, size_t bytes) {
	assert(lines->n == 0 || lines->n < lines->cap);
	for (size_t i = 0; i < lines->n; i++) {
		assert(i != 0 || lines->lines[i].start == 0);
		assert(lines->lines[i].start < lines->lines[i + 1].start);
	}
	assert(lines->n == 0 ? bytes == 0 : lines->lines[lines->n].start == bytes);
}
