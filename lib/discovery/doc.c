/* SPDX-License-Identifier: Apache-2.0 */
#include "doc.h"

#include <assert.h>

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"

static const struct gs_str address_name = GS_STR_INIT("__address__");

struct gs_sd_doc *gs_sd_doc_new(void) {
	struct gs_sd_doc *doc = gs_alloc(sizeof(*doc));
	if (doc == NULL)
		return NULL;
	doc->arena = gs_arena_new(GS_LIMIT_SD_MEMORY);
	if (doc->arena == NULL) {
		gs_free(doc);
		return NULL;
	}
	return doc;
}

void gs_sd_doc_free(struct gs_sd_doc *doc) {
	if (doc == NULL)
		return;
	gs_arena_free(doc->arena);
	gs_free(doc->targets);
	gs_free(doc);
}

void gs_sd_doc_check(const struct gs_sd_doc *doc) {
	assert(doc->n <= doc->cap && doc->n <= GS_LIMIT_TARGETS);
	for (size_t i = 0; i < doc->n; i++) {
		const struct gs_discovered *t = &doc->targets[i];
		for (size_t j = 0; j < t->nlabels; j++) {
			assert(t->labels[j].value.n != 0);
			assert(j == 0 || gs_str_cmp(t->labels[j - 1].name, t->labels[j].name) < 0);
		}
	}
}

void gs_sd_group_begin(struct gs_sd_group *group, struct gs_sd_doc *doc) {
	group->doc = doc;
	group->n = 0;
}

static enum gs_status no_memory(struct gs_error *err) {
	return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
}

/* Where ${name} stands, or would stand. */
static size_t place_of(const struct gs_label *labels, size_t n, struct gs_str name) {
	size_t i = 0;
	while (i < n && gs_str_cmp(labels[i].name, name) < 0)
		i++;
	return i;
}

static enum gs_status check_label(struct gs_str name, struct gs_str value, struct gs_error *err) {
	struct gs_str shown = gs_str_make(name.p, name.n < 80 ? name.n : 80);
	if (name.n > GS_LIMIT_NAME)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "the label name \"%.*s...\" has more than %d bytes",
		    GS_FMT(shown), GS_LIMIT_NAME);
	if (!gs_expo_is_label_name(name))
		return gs_error_set(err, GS_EINVAL, 0, 0, "\"%.*s\" is no label name", GS_FMT(shown));
	if (value.n > GS_LIMIT_LABEL_VALUE)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "the value of label %.*s has more than %d bytes",
		    GS_FMT(shown), GS_LIMIT_LABEL_VALUE);
	if (!gs_str_is_utf8(value))
		return gs_error_set(err, GS_EINVAL, 0, 0, "the value of label %.*s is no UTF-8", GS_FMT(shown));
	return GS_OK;
}

static void remove_label(struct gs_sd_group *group, size_t i) {
	memmove(&group->labels[i], &group->labels[i + 1], (group->n - i - 1) * sizeof(group->labels[0]));
	group->n--;
}

enum gs_status gs_sd_group_put(
    struct gs_sd_group *group, struct gs_str name, struct gs_str value, struct gs_error *err) {
	enum gs_status status = check_label(name, value, err);
	if (status != GS_OK)
		return status;
	size_t i = place_of(group->labels, group->n, name);
	bool there = i < group->n && gs_str_eq(group->labels[i].name, name);
	if (value.n == 0) {
		if (there)
			remove_label(group, i);
		return GS_OK;
	}
	/* One place stays free for __address__. */
	if (!there && group->n == GS_LIMIT_LABELS - 1)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "more than %d labels", GS_LIMIT_LABELS - 1);
	struct gs_label label = {
	    .name = gs_arena_dup(group->doc->arena, name), .value = gs_arena_dup(group->doc->arena, value)};
	if (label.name.n != name.n || label.value.n != value.n)
		return no_memory(err);
	if (!there) {
		memmove(&group->labels[i + 1], &group->labels[i], (group->n - i) * sizeof(group->labels[0]));
		group->n++;
	}
	group->labels[i] = label;
	return GS_OK;
}

static uint64_t mix(uint64_t h) {
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15U;
	return h ^ h >> 29;
}

static uint64_t hash_of(const struct gs_discovered *target) {
	uint64_t h = target->nlabels;
	for (size_t i = 0; i < target->nlabels; i++) {
		h = mix(h + gs_hash(target->labels[i].name));
		h = mix(h ^ gs_hash(target->labels[i].value));
	}
	return h;
}

static enum gs_status append(struct gs_sd_doc *doc, struct gs_discovered target, struct gs_error *err) {
	if (doc->n == GS_LIMIT_TARGETS)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "more than %d targets", GS_LIMIT_TARGETS);
	struct gs_discovered *targets = gs_grow_array(doc->targets, &doc->cap, doc->n, sizeof(*targets));
	if (targets == NULL)
		return no_memory(err);
	doc->targets = targets;
	targets[doc->n++] = target;
	doc->hash += hash_of(&target);
	return GS_OK;
}

enum gs_status gs_sd_group_target(struct gs_sd_group *group, struct gs_str address, struct gs_error *err) {
	struct gs_arena *arena = group->doc->arena;
	enum gs_status status = check_label(address_name, address, err);
	if (status != GS_OK)
		return status;
	size_t i = place_of(group->labels, group->n, address_name), n = group->n;
	size_t skip = i < n && gs_str_eq(group->labels[i].name, address_name); /* 1: its own is overruled */
	struct gs_label *labels = gs_arena_alloc(arena, (n + 1) * sizeof(*labels));
	struct gs_str value = gs_arena_dup(arena, address);
	if (labels == NULL || value.n != address.n)
		return no_memory(err);
	memcpy(labels, group->labels, i * sizeof(*labels));
	size_t at = i;
	if (value.n != 0)
		labels[at++] = (struct gs_label){.name = address_name, .value = value};
	memcpy(labels + at, group->labels + i + skip, (n - i - skip) * sizeof(*labels));
	at += n - i - skip;
	return append(group->doc, (struct gs_discovered){.labels = labels, .nlabels = at}, err);
}

uint64_t gs_sd_hash(struct gs_sd_doc *const *docs, size_t n, size_t *ret_targets) {
	uint64_t hash = 0;
	*ret_targets = 0;
	for (size_t i = 0; i < n; i++) {
		if (docs[i] == NULL)
			continue;
		hash += docs[i]->hash;
		*ret_targets += docs[i]->n;
	}
	return hash;
}
