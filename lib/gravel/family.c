/* SPDX-License-Identifier: Apache-2.0 */
/* Families: finding, adding, removing, keeping in order. */
#include <assert.h>
#include <stdlib.h>

#include "gravel/base/mem.h"
#include "store_internal.h"

struct family *gs_family_find(const struct gs_store *store, struct gs_str name) {
	return gs_map_get(store->families, name);
}

bool gs_family_type(const struct family *family, enum gs_expo_type *ret) {
	unsigned types = 0;
	for (unsigned t = 0; t <= GS_TYPE_GAUGEHISTOGRAM; t++) {
		if (family->types[t] == 0)
			continue;
		*ret = (enum gs_expo_type)t;
		types++;
	}
	return types == 1;
}

struct family *gs_family_add(struct gs_store *store, struct gs_str name) {
	struct family **order =
	    gs_store_grow(store, store->order, &store->cap_order, store->norder, sizeof(struct family *));
	if (order == NULL)
		return NULL;
	store->order = order;
	uint32_t number = gs_pool_get(&store->families_pool);
	if (number == 0)
		return NULL;
	struct family *family = gs_family_at(store, number);
	family->number = number;
	family->name = gs_store_dup(store, name);
	if (family->name.n == 0 || gs_map_put(store->families, family->name, family) != GS_OK) {
		gs_store_release(store, (void *)(uintptr_t)family->name.p, family->name.n);
		gs_pool_put(&store->families_pool, number);
		return NULL;
	}
	family->position = (uint32_t)store->norder;
	store->order[store->norder++] = family;
	store->order_dirty = true;
	gs_family_touch(store, family);
	return family;
}

void gs_family_remove(struct gs_store *store, struct family *family) {
	gs_map_remove(store->families, family->name);
	struct family *last = store->order[--store->norder];
	if (last != family)
		store->order_dirty = true;
	store->order[family->position] = last;
	last->position = family->position;
	gs_store_release(store, (void *)(uintptr_t)family->name.p, family->name.n);
	gs_store_release(store, (void *)(uintptr_t)family->help.p, family->help.n);
	gs_store_release(store, (void *)(uintptr_t)family->unit.p, family->unit.n);
	gs_store_release(store, family->series, family->cap * sizeof(uint32_t));
	gs_pool_put(&store->families_pool, family->number);
}

static struct gs_str *text_of(struct family *family, bool unit) {
	return unit ? &family->unit : &family->help;
}

static enum gs_status prepare_text(struct gs_store *store, struct family *family, bool unit, struct gs_str text) {
	if (text.n == 0 || gs_str_eq(*text_of(family, unit), text))
		return GS_OK;
	struct help *helps = gs_store_grow(store, store->helps, &store->cap_helps, store->nhelps, sizeof(*helps));
	if (helps == NULL)
		return GS_ENOMEM;
	store->helps = helps;
	struct gs_str copy = gs_store_dup(store, text);
	if (copy.n == 0)
		return GS_ENOMEM;
	store->helps[store->nhelps++] = (struct help){.family = family, .unit = unit, .text = copy};
	return GS_OK;
}

enum gs_status gs_help_prepare(struct gs_store *store, struct family *family, const struct batch_family *pushed) {
	enum gs_status status = prepare_text(store, family, false, pushed->help);
	return status == GS_OK ? prepare_text(store, family, true, pushed->unit) : status;
}

void gs_helps_commit(struct gs_store *store) {
	for (size_t i = 0; i < store->nhelps; i++) {
		struct family *family = store->helps[i].family;
		struct gs_str *text = text_of(family, store->helps[i].unit);
		gs_store_release(store, (void *)(uintptr_t)text->p, text->n);
		*text = store->helps[i].text;
		gs_family_touch(store, family);
	}
	store->nhelps = 0;
}

void gs_helps_abort(struct gs_store *store) {
	for (size_t i = 0; i < store->nhelps; i++)
		gs_store_release(store, (void *)(uintptr_t)store->helps[i].text.p, store->helps[i].text.n);
	store->nhelps = 0;
}

/* Close the holes. */
static void compact(struct gs_store *store, struct family *family) {
	uint32_t n = 0, sorted = 0;
	if (family->holes == 0)
		return;
	for (uint32_t i = 0; i < family->n; i++) {
		uint32_t number = family->series[i];
		if (number == 0)
			continue;
		sorted += i < family->sorted;
		if (n != i) {
			family->series[n] = number;
			gs_series_at(store, number)->position = n;
		}
		n++;
	}
	family->n = n;
	family->sorted = sorted;
	family->holes = 0;
}

enum gs_status gs_family_reserve(struct gs_store *store, struct family *family) {
	if (family->n == family->cap && family->holes > family->n / 4)
		compact(store, family);
	size_t cap = family->cap;
	uint32_t *series = gs_store_grow(store, family->series, &cap, family->n, sizeof(*series));
	if (series == NULL)
		return GS_ENOMEM;
	family->series = series;
	family->cap = (uint32_t)cap;
	return GS_OK;
}

void gs_family_link(struct gs_store *store, struct family *family, uint32_t number, struct series *series) {
	series->family = family->number;
	series->position = family->n;
	family->series[family->n++] = number;
	gs_family_touch(store, family);
	family->members = family->version;
	gs_family_count_type(store, family, series->type, true);
}

void gs_family_unlink(struct gs_store *store, struct family *family, struct series *series) {
	gs_family_count_type(store, family, series->type, false);
	for (unsigned rules = 0; rules < FORM_RULES; rules++)
		family->nbroken[rules] -= series->broken >> rules & 1;
	gs_family_touch(store, family);
	family->members = family->version;
	if (series->position == family->n - 1) {
		family->n--;
		family->sorted = family->sorted < family->n ? family->sorted : family->n;
		return;
	}
	family->series[series->position] = 0;
	family->holes++;
}

int gs_series_compare(const struct gs_store *store, const struct series *a, const struct series *b) {
	if (a->target != b->target)
		return gs_str_cmp(gs_text_str(gs_text_at(store, a->target)), gs_text_str(gs_text_at(store, b->target)));
	if (a->own == b->own)
		return 0;
	return gs_str_cmp(gs_text_str(gs_text_at(store, a->own)), gs_text_str(gs_text_at(store, b->own)));
}

static int compare_numbers(const void *a, const void *b, void *store) {
	return gs_series_compare(
	    store, gs_series_at(store, *(const uint32_t *)a), gs_series_at(store, *(const uint32_t *)b));
}

/* Merge the sorted list and the sorted rest behind it, from behind; ${rest} is a copy of the latter. */
static void merge(struct gs_store *store, struct family *family, const uint32_t *rest) {
	uint32_t i = family->sorted, k = family->n - family->sorted, at = family->n;
	while (k > 0) {
		bool from_list = i > 0 && compare_numbers(&family->series[i - 1], &rest[k - 1], store) > 0;
		family->series[--at] = from_list ? family->series[--i] : rest[--k];
	}
}

void gs_family_sort(struct gs_store *store, struct family *family) {
	compact(store, family);
	uint32_t sorted = family->sorted, rest = family->n - sorted;
	if (rest == 0)
		return;
	qsort_r(family->series + sorted, rest, sizeof(uint32_t), compare_numbers, store);
	uint32_t *copy = sorted != 0 ? gs_alloc_array(rest, sizeof(*copy)) : NULL;
	if (copy != NULL) {
		memcpy(copy, family->series + sorted, rest * sizeof(*copy));
		merge(store, family, copy);
		gs_free(copy);
	} else if (sorted != 0) {
		qsort_r(family->series, family->n, sizeof(uint32_t), compare_numbers, store);
	}
	for (uint32_t i = 0; i < family->n; i++)
		gs_series_at(store, family->series[i])->position = i;
	family->sorted = family->n;
}

static int compare_families(const void *a, const void *b) {
	return gs_str_cmp((*(struct family *const *)a)->name, (*(struct family *const *)b)->name);
}

void gs_store_sort(struct gs_store *store) {
	if (!store->order_dirty)
		return;
	qsort(store->order, store->norder, sizeof(struct family *), compare_families);
	for (size_t i = 0; i < store->norder; i++)
		store->order[i]->position = (uint32_t)i;
	store->order_dirty = false;
}
