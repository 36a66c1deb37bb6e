/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that many series share. The number of a text says which pool it stands in, that of its size, and where. */
#include <assert.h>

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "label.h"
#include "store_internal.h"

#define LARGE GS_SLAB_CLASSES /* the pool of pointers to what no class has */

static size_t text_size(size_t n) {
	return offsetof(struct text, p) + n;
}

static unsigned class_of(size_t n) {
	return text_size(n) <= GS_SLAB_MAX ? gs_slab_class(text_size(n)) : LARGE;
}

struct text *gs_text_at(const struct gs_store *store, uint32_t number) {
	unsigned class = number >> TEXT_CLASS_SHIFT;
	void *p = gs_pool_at(&store->texts[class], number & ((1U << TEXT_CLASS_SHIFT) - 1));
	return class != LARGE ? p : *(struct text **)p;
}

enum gs_status gs_texts_open(struct gs_store *store) {
	for (unsigned class = 0; class < LARGE; class ++)
		gs_pool_init(&store->texts[class], gs_slab_class_bytes(class));
	gs_pool_init(&store->texts[LARGE], sizeof(struct text *));
	store->empty = gs_text_get(store, GS_STR(""), (uint32_t)gs_hash(GS_STR("")), false);
	return store->empty != 0 ? GS_OK : GS_ENOMEM;
}

void gs_texts_close(struct gs_store *store) {
	if (store->empty != 0)
		gs_text_put(store, store->empty);
	assert(store->ntexts == 0);
	gs_store_release(store, store->text_table, store->cap_texts * sizeof(uint32_t));
	for (unsigned class = 0; class <= LARGE; class ++)
		gs_pool_free(&store->texts[class]);
}

/* The slot of the text, or the free one where it would stand. */
static size_t find_slot(const struct gs_store *store, struct gs_str s, uint32_t hash) {
	size_t mask = store->cap_texts - 1, i = hash & mask;
	for (; store->text_table[i] != 0; i = (i + 1) & mask) {
		const struct text *text = gs_text_at(store, store->text_table[i]);
		if (text->hash == hash && gs_str_eq(gs_text_str(text), s))
			break;
	}
	return i;
}

uint32_t gs_text_find(const struct gs_store *store, struct gs_str s, uint32_t hash) {
	return store->cap_texts != 0 ? store->text_table[find_slot(store, s, hash)] : 0;
}

static enum gs_status reserve(struct gs_store *store) {
	if ((store->ntexts + 1) * 4 <= store->cap_texts * 3)
		return GS_OK;
	size_t cap = store->cap_texts != 0 ? store->cap_texts * 2 : 64;
	uint32_t *table = gs_store_alloc(store, cap * sizeof(*table));
	if (table == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < store->cap_texts; i++) {
		uint32_t number = store->text_table[i];
		if (number == 0)
			continue;
		size_t at = gs_text_at(store, number)->hash & (cap - 1);
		while (table[at] != 0)
			at = (at + 1) & (cap - 1);
		table[at] = number;
	}
	gs_store_release(store, store->text_table, store->cap_texts * sizeof(*table));
	store->text_table = table;
	store->cap_texts = cap;
	return GS_OK;
}

static uint32_t new_text(struct gs_store *store, size_t n) {
	unsigned class = class_of(n);
	uint32_t index = gs_pool_get(&store->texts[class]);
	if (index == 0)
		return 0;
	if (index >> TEXT_CLASS_SHIFT != 0)
		goto fail;
	if (class == LARGE) {
		struct text **large = gs_pool_at(&store->texts[class], index);
		*large = gs_store_alloc(store, text_size(n));
		if (*large == NULL)
			goto fail;
	}
	return index | class << TEXT_CLASS_SHIFT;
fail:
	gs_pool_put(&store->texts[class], index);
	return 0;
}

static void free_text(struct gs_store *store, uint32_t number) {
	unsigned class = number >> TEXT_CLASS_SHIFT;
	if (class == LARGE) {
		struct text *text = gs_text_at(store, number);
		gs_store_release(store, text, text_size(text->n));
	}
	gs_pool_put(&store->texts[class], number & ((1U << TEXT_CLASS_SHIFT) - 1));
}

uint32_t gs_text_get(struct gs_store *store, struct gs_str s, uint32_t hash, bool odd) {
	uint32_t number = gs_text_find(store, s, hash);
	if (number != 0) {
		gs_text_at(store, number)->refs++;
		return number;
	}
	if (reserve(store) != GS_OK || (number = new_text(store, s.n)) == 0)
		return 0;
	struct text *text = gs_text_at(store, number);
	text->refs = 1;
	text->n = (uint32_t)s.n;
	text->hash = hash;
	text->odd = odd;
	if (s.n != 0)
		memcpy(text->p, s.p, s.n);
	store->text_table[find_slot(store, s, hash)] = number;
	store->ntexts++;
	return number;
}

uint32_t gs_text_ref(struct gs_store *store, uint32_t number) {
	gs_text_at(store, number)->refs++;
	return number;
}

void gs_text_put(struct gs_store *store, uint32_t number) {
	struct text *text = gs_text_at(store, number);
	if (--text->refs != 0)
		return;
	size_t mask = store->cap_texts - 1, hole = text->hash & mask;
	while (store->text_table[hole] != number)
		hole = (hole + 1) & mask;
	/* Linear probing without tombstones: move back what the hole would hide. */
	for (size_t i = (hole + 1) & mask; store->text_table[i] != 0; i = (i + 1) & mask) {
		size_t home = gs_text_at(store, store->text_table[i])->hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		store->text_table[hole] = store->text_table[i];
		hole = i;
	}
	store->text_table[hole] = 0;
	store->ntexts--;
	free_text(store, number);
}

static size_t read_labels(struct gs_buf *to, struct gs_str text, struct gs_label *labels, size_t max) {
	struct gs_label raw;
	size_t n = 0;
	while (n < max && gs_label_next(&text, &raw)) {
		labels[n].name = gs_label_read(raw.name, to->p + to->n);
		to->n += labels[n].name.n;
		labels[n].value = gs_label_read(raw.value, to->p + to->n);
		to->n += labels[n].value.n;
		n++;
	}
	return n;
}

size_t gs_text_labels(struct gs_store *store, const struct series *series, struct gs_label *labels, size_t max) {
	struct gs_str target = gs_text_str(gs_text_at(store, series->target));
	struct gs_str own = gs_text_str(gs_text_at(store, series->own));
	gs_buf_clear(&store->scratch);
	if (gs_buf_reserve(&store->scratch, target.n + own.n + 1) == NULL)
		return 0;
	size_t n = read_labels(&store->scratch, target, labels, max);
	return n + read_labels(&store->scratch, own, labels + n, max - n);
}

void gs_texts_check(const struct gs_store *store) {
	size_t n = 0;
	for (size_t i = 0; i < store->cap_texts; i++) {
		uint32_t number = store->text_table[i];
		if (number == 0)
			continue;
		const struct text *text = gs_text_at(store, number);
		assert(text->refs > 0);
		assert(text->hash == (uint32_t)gs_hash(gs_text_str(text)));
		assert(gs_text_find(store, gs_text_str(text), text->hash) == number);
		assert(number >> TEXT_CLASS_SHIFT == class_of(text->n));
		n++;
	}
	assert(n == store->ntexts);
	for (unsigned class = 0; class <= LARGE; class ++)
		gs_pool_check(&store->texts[class]);
}
