/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/limits.h"
#include "load.h"

#define LABELS_MAX (GS_LIMIT_LABELS / 2) /* a target's own; the scrape brings more */
#define HEADERS_MAX 100 /* values of one request; fixed: what servers take */

bool gs_load_reserve(struct gs_loader *l, const struct gs_path *path, const struct gs_node *node, size_t n) {
	l->items += n;
	if (l->items <= GS_LIMIT_TARGETS)
		return true;
	if (path == NULL)
		gs_load_error(l, path, node, "a config has at most %d jobs", GS_LIMIT_TARGETS);
	else
		gs_load_error(l, path, node, "is too long: more than %d items in all lists", GS_LIMIT_TARGETS);
	return false;
}

static void load_text_list(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base) {
	const char **texts = gs_load_alloc(l, node->nitems, sizeof(texts[0]));
	size_t n = 0;
	for (size_t i = 0; i < node->nitems && texts != NULL && !l->no_memory; i++) {
		struct gs_path here = {.up = path, .index = i};
		const char *text = gs_load_string(l, key, &here, node->items[i]);
		if (text == NULL)
			text = ""; /* an error that was noted; or what is the same as none, as NULL is */
		texts[n++] = text;
	}
	if (n == 0 && (key->marks & GS_KEY_REQUIRED))
		gs_load_error(l, path, node, "must not be empty");
	gs_keys_set_array(key, base, texts, n);
}

void gs_load_texts(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base) {
	if (!(key->marks & GS_KEY_SINGLE)) {
		if (gs_load_is(l, path, node, GS_NODE_LIST))
			load_text_list(l, key, path, node, base);
		return;
	}
	const char **text = gs_load_alloc(l, 1, sizeof(text[0]));
	if (text != NULL && (text[0] = gs_load_string(l, key, path, node)) != NULL)
		gs_keys_set_array(key, base, text, 1);
}

/* The name of a label, a parameter, a header: in the arena, or NULL with an error noted. */
static const char *load_name(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_path *here, const struct gs_node *node) {
	const char *wrong = key->check != NULL ? key->check(node->text) : NULL;
	if (wrong == NULL)
		return gs_load_text(l, path, node, 0, GS_KEYS_TEXT_MAX);
	gs_load_error(l, here, node, "%s", wrong);
	return NULL;
}

void gs_load_labels(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base) {
	size_t n = node->nitems / 2;
	if (!gs_load_is(l, path, node, GS_NODE_MAPPING))
		return;
	if (n > LABELS_MAX)
		gs_load_error(l, path, node, "has more than %d labels", LABELS_MAX);
	struct gs_config_label *labels = gs_load_alloc(l, n, sizeof(labels[0]));
	for (size_t i = 0; i < n && labels != NULL && !l->no_memory; i++) {
		const struct gs_node *name = node->items[2 * i];
		struct gs_path here = {.up = path, .name = name->text};
		labels[i].name = load_name(l, key, path, &here, name);
		labels[i].value = gs_load_text(l, &here, node->items[2 * i + 1], key->min, key->max);
	}
	gs_keys_set_array(key, base, labels, labels != NULL ? n : 0);
}

/* Items of the lists that are the values of a mapping. */
static size_t count_inner(const struct gs_node *node) {
	size_t n = 0;
	for (size_t i = 1; i < node->nitems; i += 2)
		n += node->items[i]->kind == GS_NODE_LIST ? node->items[i]->nitems : 0;
	return n;
}

void gs_load_params(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base) {
	size_t n = 0;
	if (!gs_load_is(l, path, node, GS_NODE_MAPPING))
		return;
	struct gs_config_label *params = gs_load_alloc(l, count_inner(node), sizeof(params[0]));
	for (size_t i = 0; i < node->nitems && !l->no_memory; i += 2) {
		struct gs_path here = {.up = path, .name = node->items[i]->text};
		const struct gs_node *values = node->items[i + 1];
		const char *name = load_name(l, key, path, &here, node->items[i]);
		if (gs_node_is_null(values) || !gs_load_is(l, &here, values, GS_NODE_LIST))
			continue;
		for (size_t k = 0; k < values->nitems && !l->no_memory; k++) {
			struct gs_path place = {.up = &here, .index = k};
			params[n].name = name;
			params[n++].value = gs_load_text(l, &place, values->items[k], key->min, key->max);
		}
	}
	gs_keys_set_array(key, base, params, n);
}

/* What one name of http_headers stands for: ${n} headers at ${out}. */
static size_t put_headers(const char *name, const struct gs_config_header_values *lists, struct gs_config_header *out) {
	size_t n = 0;
	for (size_t i = 0; i < lists->nvalues; i++)
		out[n++] = (struct gs_config_header){.name = name, .value = lists->values[i]};
	for (size_t i = 0; i < lists->nsecrets; i++)
		out[n++] = (struct gs_config_header){.name = name, .secret.value = lists->secrets[i]};
	for (size_t i = 0; i < lists->nfiles; i++)
		out[n++] = (struct gs_config_header){.name = name, .secret.file = lists->files[i]};
	return n;
}

void gs_load_headers(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base) {
	size_t n = 0, max = 0;
	if (!gs_load_is(l, path, node, GS_NODE_MAPPING))
		return;
	for (size_t i = 1; i < node->nitems; i += 2)
		max += node->items[i]->kind == GS_NODE_MAPPING ? count_inner(node->items[i]) : 0;
	if (max > HEADERS_MAX) {
		gs_load_error(l, path, node, "has more than %d values", HEADERS_MAX);
		return;
	}
	struct gs_config_header *headers = gs_load_alloc(l, max, sizeof(headers[0]));
	for (size_t i = 0; i < node->nitems && !l->no_memory; i += 2) {
		struct gs_path here = {.up = path, .name = node->items[i]->text};
		struct gs_config_header_values lists = {0};
		const char *name = load_name(l, key, path, &here, node->items[i]);
		if (!gs_node_is_null(node->items[i + 1]))
			gs_load_section(l, key->section, &here, node->items[i + 1], &lists);
		if (!l->no_memory)
			n += put_headers(name, &lists, headers + n);
	}
	gs_keys_set_array(key, base, headers, n);
}

/* Where in an array of ${n} items those of ${section} begin: behind those with its tag or a smaller one. */
static size_t place_of(const struct gs_config_section *section, const char *items, size_t n) {
	size_t i = n;
	while (section->tagged && i > 0 &&
	       *(const int *)(const void *)(items + (i - 1) * section->size + section->tag_at) > section->tag)
		i--;
	return i;
}

/* Make room for ${more} zeroed items of ${key} where its section has its place. */
static char *grow(struct gs_loader *l, const struct gs_config_key *key, void *base, size_t more) {
	size_t size = key->section->size, n = gs_keys_count(key, base);
	const char *old = gs_keys_array(key, base);
	char *items = gs_load_alloc(l, n + more, size);
	if (items == NULL)
		return NULL;
	size_t at = place_of(key->section, old, n);
	if (at != 0)
		memcpy(items, old, at * size);
	if (n != at)
		memcpy(items + (at + more) * size, old + at * size, (n - at) * size);
	gs_keys_set_array(key, base, items, n + more);
	return items + at * size;
}

static void load_item(struct gs_loader *l, const struct gs_config_section *section, const struct gs_path *path,
    const struct gs_node *node, char *item) {
	gs_keys_defaults(section, item);
	if (section->place != 0) {
		uint32_t *place = (uint32_t *)(void *)(item + section->place);
		place[0] = node->line;
		place[1] = node->column;
	}
	gs_load_section(l, section, path, node, item);
}

void gs_load_items(struct gs_loader *l, const struct gs_config_key *key, const struct gs_path *path,
    const struct gs_node *node, void *base) {
	if (!gs_load_is(l, path, node, GS_NODE_LIST) || !gs_load_reserve(l, path, node, node->nitems))
		return;
	char *items = grow(l, key, base, node->nitems);
	for (size_t i = 0; i < node->nitems && items != NULL && !l->no_memory; i++) {
		struct gs_path here = {.up = path, .index = i};
		load_item(l, key->section, &here, node->items[i], items + i * key->section->size);
	}
}
