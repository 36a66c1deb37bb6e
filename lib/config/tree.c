/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <yaml.h>

#include "gravel/base/map.h"
#include "gravel/base/mem.h"

#define ANCHORS_MAX 100000 /* fixed: far above what anyone writes */
#define FEW_KEYS 16 /* up to here comparing all pairs is cheaper than a map */

struct reader {
	yaml_parser_t parser;
	struct gs_str text;
	struct gs_arena *arena;
	struct gs_problems *problems;
	struct gs_map *anchors; /* name -> finished node */
	struct gs_node **stack; /* items of the lists and mappings that are open */
	size_t nstack;
	size_t cap;
	uint64_t nodes;
	uint64_t bytes;
};

bool gs_node_is_null(const struct gs_node *node) {
	struct gs_str s = node->text;
	return node->kind == GS_NODE_SCALAR && node->plain &&
	       (s.n == 0 || gs_str_eq(s, GS_STR("~")) || gs_str_eq(s, GS_STR("null")) || gs_str_eq(s, GS_STR("Null")) ||
		   gs_str_eq(s, GS_STR("NULL")));
}

const char *gs_node_kind_name(const struct gs_node *node) {
	static const char *const names[] = {"a word", "a list", "a mapping"};
	return names[node->kind];
}

struct gs_node *gs_node_get(const struct gs_node *mapping, struct gs_str key) {
	if (mapping == NULL || mapping->kind != GS_NODE_MAPPING)
		return NULL;
	for (size_t i = 0; i < mapping->nitems; i += 2) {
		if (gs_str_eq(mapping->items[i]->text, key))
			return mapping->items[i + 1];
	}
	return NULL;
}

static enum gs_status refuse(struct reader *r, const yaml_mark_t *mark, const char *what) {
	gs_problems_error(r->problems, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1, "%s", what);
	return GS_EINVAL;
}

/* Errors below the grammar (bytes that are no UTF-8) come with an offset only. */
static yaml_mark_t mark_of_offset(struct gs_str text, size_t offset) {
	yaml_mark_t mark = {0};
	for (size_t i = 0; i < offset && i < text.n; i++) {
		mark.column++;
		if (text.p[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static enum gs_status syntax_error(struct reader *r) {
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem != NULL ? p->problem : "unknown error";
	if (p->error == YAML_MEMORY_ERROR)
		return GS_ENOMEM;
	yaml_mark_t mark = p->error == YAML_READER_ERROR ? mark_of_offset(r->text, p->problem_offset) : p->problem_mark;
	if (p->error != YAML_READER_ERROR && p->context != NULL)
		gs_problems_error(r->problems, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1,
		    "this is no YAML: %s (%s that begins in line %zu)", problem, p->context, p->context_mark.line + 1);
	else
		gs_problems_error(
		    r->problems, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1, "this is no YAML: %s", problem);
	return GS_EINVAL;
}

static enum gs_status next_event(struct reader *r, yaml_event_t *event) {
	return yaml_parser_parse(&r->parser, event) ? GS_OK : syntax_error(r);
}

static enum gs_status push(struct reader *r, struct gs_node *node) {
	struct gs_node **stack = gs_grow_array(r->stack, &r->cap, r->nstack, sizeof(struct gs_node *));
	if (stack == NULL)
		return GS_ENOMEM;
	r->stack = stack;
	r->stack[r->nstack++] = node;
	return GS_OK;
}

static enum gs_status count(struct reader *r, const yaml_mark_t *mark, uint64_t nodes, uint64_t bytes) {
	r->nodes += nodes;
	r->bytes += bytes;
	if (r->nodes > GS_TREE_NODES || r->bytes > GS_TREE_BYTES)
		return refuse(r, mark, "too many values (aliases count each time)");
	return GS_OK;
}

static enum gs_status new_node(
    struct reader *r, const yaml_event_t *event, enum gs_node_kind kind, struct gs_node **ret) {
	struct gs_node *node = gs_arena_alloc(r->arena, sizeof(*node));
	if (node == NULL)
		return GS_ENOMEM;
	*node = (struct gs_node){.kind = kind,
	    .line = (uint32_t)event->start_mark.line + 1,
	    .column = (uint32_t)event->start_mark.column + 1,
	    .nodes = 1};
	*ret = node;
	return GS_OK;
}

/* A finished node gets a name; one that is still open never has it, so that no alias can form a loop. */
static enum gs_status set_anchor(
    struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor, struct gs_node *node) {
	if (anchor == NULL)
		return GS_OK;
	struct gs_str name = gs_str_of((const char *)anchor), copy = gs_arena_dup(r->arena, name);
	if (copy.n != name.n)
		return GS_ENOMEM;
	if (r->anchors == NULL && (r->anchors = gs_map_new(ANCHORS_MAX)) == NULL)
		return GS_ENOMEM;
	enum gs_status status = gs_map_put(r->anchors, copy, node);
	return status == GS_ELIMIT ? refuse(r, &event->start_mark, "too many anchors") : status;
}

static enum gs_status read_scalar(struct reader *r, const yaml_event_t *event, struct gs_node **ret) {
	size_t n = event->data.scalar.length;
	enum gs_status status = count(r, &event->start_mark, 1, n);
	if (status == GS_OK)
		status = new_node(r, event, GS_NODE_SCALAR, ret);
	if (status != GS_OK)
		return status;
	char *text = gs_arena_alloc(r->arena, n + 1);
	if (text == NULL)
		return GS_ENOMEM;
	if (n != 0)
		memcpy(text, event->data.scalar.value, n);
	text[n] = '\0';
	(*ret)->text = gs_str_make(text, n);
	(*ret)->bytes = (uint32_t)n;
	(*ret)->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return set_anchor(r, event, event->data.scalar.anchor, *ret);
}

static enum gs_status read_alias(struct reader *r, const yaml_event_t *event, struct gs_node **ret) {
	struct gs_str name = gs_str_of((const char *)event->data.alias.anchor);
	struct gs_node *node = r->anchors != NULL ? gs_map_get(r->anchors, name) : NULL;
	if (node == NULL)
		return refuse(r, &event->start_mark, "this alias names no anchor that is complete above it");
	*ret = node;
	return count(r, &event->start_mark, node->nodes, node->bytes);
}

static void note_duplicate(struct reader *r, const struct gs_node *key, const struct gs_node *first) {
	gs_problems_error(r->problems, key->line, key->column, "duplicate key \"%.*s\"; it stands first in line %lu",
	    (int)(key->text.n < 80 ? key->text.n : 80), key->text.p, (unsigned long)first->line);
}

static void find_few_duplicates(struct reader *r, const struct gs_node *mapping) {
	for (size_t i = 2; i < mapping->nitems; i += 2) {
		size_t j = 0;
		while (j < i && !gs_str_eq(mapping->items[i]->text, mapping->items[j]->text))
			j += 2;
		if (j < i)
			note_duplicate(r, mapping->items[i], mapping->items[j]);
	}
}

static enum gs_status find_duplicates(struct reader *r, const struct gs_node *mapping) {
	if (mapping->nitems <= (size_t)2 * FEW_KEYS) {
		find_few_duplicates(r, mapping);
		return GS_OK;
	}
	struct gs_map *seen = gs_map_new(mapping->nitems);
	enum gs_status status = seen != NULL ? GS_OK : GS_ENOMEM;
	for (size_t i = 0; i < mapping->nitems && status == GS_OK; i += 2) {
		struct gs_node *key = mapping->items[i], *first = gs_map_get(seen, key->text);
		if (first != NULL)
			note_duplicate(r, key, first);
		else
			status = gs_map_put(seen, key->text, key);
	}
	gs_map_free(seen);
	return status;
}

static bool is_merge(const struct gs_node *key) {
	return key->plain && gs_str_eq(key->text, GS_STR("<<"));
}

/* Add the pairs of ${from} whose keys ${node} has not; there is room for them. */
static enum gs_status merge_pairs(struct gs_node *node, const struct gs_node *from, struct gs_map *seen) {
	enum gs_status status = GS_OK;
	for (size_t i = 0; i < from->nitems && status == GS_OK; i += 2) {
		if (gs_map_get(seen, from->items[i]->text) != NULL)
			continue;
		status = gs_map_put(seen, from->items[i]->text, from->items[i]);
		node->items[node->nitems++] = from->items[i];
		node->items[node->nitems++] = from->items[i + 1];
	}
	return status;
}

/* How many items the value of a merge key brings at most; SIZE_MAX if it is neither a mapping nor a list of them. */
static size_t merged_items(const struct gs_node *value) {
	size_t n = 0;
	if (value->kind == GS_NODE_MAPPING)
		return value->nitems;
	for (size_t i = 0; i < value->nitems; i++) {
		if (value->items[i]->kind != GS_NODE_MAPPING)
			return SIZE_MAX;
		n += value->items[i]->nitems;
	}
	return value->kind == GS_NODE_LIST ? n : SIZE_MAX;
}

/* Replace the pair at ${at}, a merge key and its value, by what it stands for: whatever the mapping has not itself. Its counts stay, as
 * bounds. */
static enum gs_status merge(struct reader *r, struct gs_node *node, size_t at) {
	const struct gs_node *key = node->items[at], *value = node->items[at + 1];
	size_t more = merged_items(value);
	if (more == SIZE_MAX) {
		gs_problems_error(
		    r->problems, key->line, key->column, "a merge key needs a mapping, or a list of them");
		return GS_EINVAL;
	}
	struct gs_map *seen = gs_map_new(node->nitems + more + 1);
	struct gs_node own = {.items = node->items, .nitems = at};
	struct gs_node behind = {.items = node->items + at + 2, .nitems = node->nitems - at - 2};
	node->items = gs_arena_alloc(r->arena, (node->nitems + more) * sizeof(struct gs_node *));
	node->nitems = 0;
	enum gs_status status = seen != NULL && node->items != NULL ? GS_OK : GS_ENOMEM;
	if (status == GS_OK)
		status =
		    gs_map_put(seen, key->text, (void *)(uintptr_t)key); /* a second one was noted as a duplicate */
	if (status == GS_OK)
		status = merge_pairs(node, &own, seen);
	if (status == GS_OK)
		status = merge_pairs(node, &behind, seen);
	if (status == GS_OK && value->kind == GS_NODE_MAPPING)
		status = merge_pairs(node, value, seen);
	for (size_t i = 0; value->kind == GS_NODE_LIST && i < value->nitems && status == GS_OK; i++)
		status = merge_pairs(node, value->items[i], seen);
	gs_map_free(seen);
	return status;
}

static enum gs_status close_mapping(struct reader *r, struct gs_node *node) {
	enum gs_status status = find_duplicates(r, node);
	for (size_t i = 0; i < node->nitems && status == GS_OK; i += 2) {
		if (is_merge(node->items[i]))
			return merge(r, node, i);
	}
	return status;
}

/* Take the items above ${from} off the stack. */
static enum gs_status close_node(struct reader *r, struct gs_node *node, size_t from) {
	size_t n = r->nstack - from;
	node->items = gs_arena_alloc(r->arena, n * sizeof(struct gs_node *));
	if (node->items == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		node->items[i] = r->stack[from + i];
		node->nodes += node->items[i]->nodes;
		node->bytes += node->items[i]->bytes;
	}
	node->nitems = n;
	r->nstack = from;
	return node->kind == GS_NODE_MAPPING ? close_mapping(r, node) : GS_OK;
}

static enum gs_status read_node(struct reader *r, const yaml_event_t *event, unsigned depth, struct gs_node **ret);

static bool is_key_place(const struct reader *r, const struct gs_node *node, size_t from) {
	return node->kind == GS_NODE_MAPPING && (r->nstack - from) % 2 == 0;
}

static enum gs_status read_items(struct reader *r, struct gs_node *node, yaml_event_type_t end, unsigned depth) {
	size_t from = r->nstack;
	yaml_event_t event;
	enum gs_status status;
	while ((status = next_event(r, &event)) == GS_OK && event.type != end) {
		struct gs_node *item = NULL;
		status = read_node(r, &event, depth + 1, &item);
		if (status == GS_OK && is_key_place(r, node, from) && item->kind != GS_NODE_SCALAR)
			status = refuse(r, &event.start_mark, "a key must be a word, not a list or a mapping");
		if (status == GS_OK)
			status = push(r, item);
		yaml_event_delete(&event);
		if (status != GS_OK)
			return status;
	}
	if (status != GS_OK)
		return status;
	yaml_event_delete(&event);
	return close_node(r, node, from);
}

static enum gs_status read_collection(
    struct reader *r, const yaml_event_t *event, unsigned depth, struct gs_node **ret) {
	bool list = event->type == YAML_SEQUENCE_START_EVENT;
	enum gs_status status = count(r, &event->start_mark, 1, 0);
	if (depth >= GS_TREE_DEPTH)
		return refuse(r, &event->start_mark, "nested too deeply");
	if (status == GS_OK)
		status = new_node(r, event, list ? GS_NODE_LIST : GS_NODE_MAPPING, ret);
	if (status == GS_OK)
		status = read_items(r, *ret, list ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT, depth);
	if (status != GS_OK)
		return status;
	return set_anchor(r, event, list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor, *ret);
}

static const yaml_char_t *tag_of(const yaml_event_t *event) {
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.tag;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return event->data.sequence_start.tag;
	return event->type == YAML_MAPPING_START_EVENT ? event->data.mapping_start.tag : NULL;
}

/* Read what begins with ${event}, which stays the caller's. */
static enum gs_status read_node(struct reader *r, const yaml_event_t *event, unsigned depth, struct gs_node **ret) {
	if (tag_of(event) != NULL)
		return refuse(r, &event->start_mark, "YAML tags (\"!...\") are not used here");
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(r, event, ret);
	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(r, event, ret);
	return read_collection(r, event, depth, ret);
}

/* The document's node, or what stands where nothing or something else should. */
static enum gs_status read_event(struct reader *r, const yaml_event_t *event, bool *done, struct gs_node **ret_root) {
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		*done = true;
		return GS_OK;
	case YAML_DOCUMENT_START_EVENT:
		if (*ret_root != NULL)
			return refuse(r, &event->start_mark, "a second document; there must be one");
		return GS_OK;
	case YAML_SCALAR_EVENT:
	case YAML_ALIAS_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return read_node(r, event, 0, ret_root);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	return GS_OK;
}

static enum gs_status read_document(struct reader *r, struct gs_node **ret_root) {
	enum gs_status status = GS_OK;
	bool done = false;
	while (!done && status == GS_OK) {
		yaml_event_t event;
		status = next_event(r, &event);
		if (status != GS_OK)
			break;
		status = read_event(r, &event, &done, ret_root);
		yaml_event_delete(&event);
	}
	return status;
}

enum gs_status gs_tree_parse(
    struct gs_str text, struct gs_arena *arena, struct gs_problems *problems, struct gs_node **ret_root) {
	struct reader r = {.text = text, .arena = arena, .problems = problems};
	*ret_root = NULL;
	if (!yaml_parser_initialize(&r.parser))
		return GS_ENOMEM;
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n != 0 ? text.p : ""), text.n);
	enum gs_status status = read_document(&r, ret_root);
	yaml_parser_delete(&r.parser);
	gs_map_free(r.anchors);
	gs_free(r.stack);
	if (status == GS_OK && *ret_root != NULL && gs_node_is_null(*ret_root))
		*ret_root = NULL;
	return status;
}

static const struct gs_problem *first_problem(const struct gs_problems *problems) {
	const struct gs_problem *first = problems->all;
	for (size_t i = 1; i < problems->n; i++) {
		const struct gs_problem *p = &problems->all[i];
		if (p->line < first->line || (p->line == first->line && p->column < first->column))
			first = p;
	}
	return first;
}

enum gs_status gs_tree_read(
    struct gs_str text, struct gs_arena *arena, struct gs_node **ret_root, struct gs_error *err) {
	struct gs_problems problems;
	gs_problems_init(&problems);
	enum gs_status status = gs_tree_parse(text, arena, &problems, ret_root);
	if (status == GS_ENOMEM || problems.no_memory) {
		status = gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	} else if (problems.n != 0) {
		const struct gs_problem *first = first_problem(&problems);
		status = gs_error_set(err, GS_EINVAL, first->line, first->column, "%s", first->text);
	}
	gs_problems_free(&problems);
	return status;
}
