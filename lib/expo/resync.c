/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both bodies are searched in windows that double until they hold a line that both have. A match nearer than half of the last window would have
 * been found in the one before, so at least so many bytes are passed over then: what was searched is paid by what is left behind. Windows are
 * counted in bytes, since lines may be long.
 */
#include "resync.h"

#include "gravel/base/mem.h"

#define WINDOW_MIN 512

bool gs_resync_match(const struct gs_resync_place *place, size_t line, struct gs_str content, bool in_context) {
	const struct gs_line *old = &place->lines->lines[line];
	const char *start = place->previous.p + old->start;
	if (old->kind == GS_LINE_OTHER)
		return false;
	if (old->kind != GS_LINE_SAMPLE)
		return gs_str_eq(gs_line_content(start, place->previous.p + old[1].start), content);
	return in_context && content.n > old->at &&
	       gs_line_may_begin_value(content.p + old->at, content.p + content.n) &&
	       memcmp(start, content.p, old->at) == 0;
}

static enum gs_status add_entry(struct gs_resync *resync, uint64_t key, size_t line) {
	struct gs_resync_entry *entries =
	    gs_grow_array(resync->entries, &resync->cap, resync->n, sizeof(resync->entries[0]));
	if (entries == NULL)
		return GS_ENOMEM;
	resync->entries = entries;
	entries[resync->n++] = (struct gs_resync_entry){.key = key, .line = (uint32_t)line};
	return GS_OK;
}

/* Collect the old lines that end within the window. */
static enum gs_status collect(struct gs_resync *resync, const struct gs_resync_place *place, size_t window) {
	struct gs_line_context context = place->context;
	size_t from = place->lines->lines[place->line].start;
	resync->n = 0;
	for (size_t i = place->line; i < place->lines->n; i++) {
		const struct gs_line *line = &place->lines->lines[i];
		struct gs_line_meta meta;
		enum gs_status status = GS_OK;
		if (line[1].start - from > window)
			break;
		struct gs_str content =
		    gs_line_content(place->previous.p + line->start, place->previous.p + line[1].start);
		if (line->kind == GS_LINE_SAMPLE) {
			status = add_entry(resync, gs_line_key(content, line->at, &context), i);
		} else if (line->kind != GS_LINE_OTHER && gs_line_is_meta(content, &meta)) {
			gs_line_enter(&context, &meta, place->openmetrics);
			status = add_entry(resync, gs_line_key(content, content.n, NULL), i);
		}
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

/* The slot of the table that has the key, or is free for it. */
static uint32_t *find_slot(const struct gs_resync *resync, uint64_t key) {
	size_t mask = resync->size - 1, at = (size_t)(key ^ key >> 32) & mask;
	while (resync->table[at] != 0 && resync->entries[resync->table[at] - 1].key != key)
		at = (at + 1) & mask;
	return &resync->table[at];
}

static enum gs_status make_table(struct gs_resync *resync) {
	size_t size = 64;
	while (size < 2 * resync->n)
		size *= 2;
	if (size > resync->table_cap) {
		uint32_t *table = gs_realloc_array(resync->table, size, sizeof(*table));
		if (table == NULL)
			return GS_ENOMEM;
		resync->table = table;
		resync->table_cap = size;
	}
	resync->size = size;
	memset(resync->table, 0, size * sizeof(resync->table[0]));
	for (size_t i = 0; i < resync->n; i++) {
		uint32_t *slot = find_slot(resync, resync->entries[i].key);
		if (*slot == 0)
			*slot = (uint32_t)i + 1;
	}
	return GS_OK;
}

/* The number of the old line that matches, counted from the place, or SIZE_MAX. Moves the context over the line. */
static size_t look_up(const struct gs_resync *resync, const struct gs_resync_place *place, struct gs_str content,
    struct gs_line_context *context) {
	struct gs_line_meta meta;
	uint64_t key;
	if (gs_line_is_meta(content, &meta)) {
		gs_line_enter(context, &meta, place->openmetrics);
		key = gs_line_key(content, content.n, NULL);
	} else {
		key = gs_line_key(content, gs_line_value(content), context);
	}
	uint32_t slot = *find_slot(resync, key);
	if (slot == 0 || !gs_resync_match(place, resync->entries[slot - 1].line, content, true))
		return SIZE_MAX;
	return resync->entries[slot - 1].line - place->line;
}

/* Search the new lines that end within the window; false if none of them matches. */
static bool search(const struct gs_resync *resync, const struct gs_resync_place *place, size_t window, size_t *ret_gone,
    size_t *ret_added) {
	struct gs_line_context context = place->next_context;
	const char *p = place->next.p + place->at, *end = place->next.p + place->next.n;
	const char *stop = (size_t)(end - p) > window ? p + window : end;
	size_t best = SIZE_MAX;
	for (size_t added = 0; p < stop && added < best; added++) {
		const char *lf = memchr(p, '\n', (size_t)(stop - p));
		if (lf == NULL && stop != end)
			break;
		struct gs_str content = gs_line_content(p, lf != NULL ? lf + 1 : end);
		size_t gone = gs_line_says_nothing(content) ? SIZE_MAX : look_up(resync, place, content, &context);
		if (gone < best - added) {
			best = gone + added;
			*ret_gone = gone;
			*ret_added = added;
		}
		p = lf != NULL ? lf + 1 : end;
	}
	return best != SIZE_MAX;
}

/* The usual cases: one sample is gone, one is new, one is another. */
static bool find_near(const struct gs_resync_place *place, size_t *ret_gone, size_t *ret_added) {
	const struct gs_line *line = &place->lines->lines[place->line];
	const char *p = place->next.p + place->at, *end = place->next.p + place->next.n;
	const char *lf = p < end && *p != '#' ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	bool same_context = gs_line_same_context(&place->context, &place->next_context);
	bool may_go = line->kind == GS_LINE_SAMPLE && place->line + 1 < place->lines->n;
	struct gs_str next = lf != NULL ? gs_line_content(lf + 1, end) : GS_STR("");
	*ret_gone = 1;
	*ret_added = 0;
	if (may_go && gs_resync_match(place, place->line + 1, gs_line_content(p, end), same_context))
		return true;
	*ret_gone = 0;
	*ret_added = 1;
	if (lf == NULL || gs_resync_match(place, place->line, next, same_context))
		return lf != NULL;
	*ret_gone = 1;
	return may_go && gs_resync_match(place, place->line + 1, next, same_context);
}

enum gs_status gs_resync_find(
    struct gs_resync *resync, const struct gs_resync_place *place, size_t *ret_gone, size_t *ret_added) {
	size_t old_left = place->previous.n - place->lines->lines[place->line].start;
	size_t new_left = place->next.n - place->at;
	if (find_near(place, ret_gone, ret_added))
		return GS_OK;
	for (size_t window = WINDOW_MIN;; window *= 2) {
		enum gs_status status = collect(resync, place, window);
		if (status == GS_OK)
			status = make_table(resync);
		if (status != GS_OK)
			return status;
		if (search(resync, place, window, ret_gone, ret_added))
			return GS_OK;
		if (window >= old_left && window >= new_left)
			break;
	}
	*ret_gone = place->lines->n - place->line;
	*ret_added = SIZE_MAX;
	return GS_OK;
}

void gs_resync_free(struct gs_resync *resync) {
	gs_free(resync->entries);
	gs_free(resync->table);
	*resync = (struct gs_resync){0};
}
