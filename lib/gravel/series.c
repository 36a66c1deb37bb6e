/* SPDX-License-Identifier: Apache-2.0 */
/* Series: finding, adding, removing. */
#include <assert.h>

#include "gravel/base/mem.h"
#include "label.h"
#include "store_internal.h"

static uint64_t mix(uint64_t x) {
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static uint64_t hash_of(const struct gs_store *store, uint32_t family, uint32_t target, uint32_t own) {
	return mix(((uint64_t)target << 32 | own) + mix(family ^ store->secret));
}

static uint64_t hash_of_series(const struct gs_store *store, const struct series *series) {
	return hash_of(store, series->family, series->target, series->own);
}

bool gs_series_is(
    const struct gs_store *store, const struct series *series, uint32_t family, const struct batch_point *point) {
	if (series->family != family)
		return false;
	const struct text *own = gs_text_at(store, series->own), *target = gs_text_at(store, series->target);
	return own->hash == point->own_hash && target->hash == point->target_hash &&
	       gs_str_eq(gs_text_str(own), point->own) && gs_str_eq(gs_text_str(target), point->target);
}

static struct series *find_numbers(const struct gs_store *store, uint32_t family, uint32_t target, uint32_t own) {
	size_t mask = store->cap_table - 1, i = hash_of(store, family, target, own) & mask;
	for (; store->table[i] != 0; i = (i + 1) & mask) {
		struct series *series = gs_series_at(store, store->table[i]);
		if (series->own == own && series->target == target && series->family == family)
			return series;
	}
	return NULL;
}

struct series *gs_series_find(
    const struct gs_store *store, const struct family *family, uint32_t target, const struct batch_point *point) {
	if (family == NULL || target == 0 || store->cap_table == 0)
		return NULL;
	uint32_t own = gs_text_find(store, point->own, point->own_hash);
	return own != 0 ? find_numbers(store, family->number, target, own) : NULL;
}

bool gs_series_known(const struct gs_store *store, const struct family *family, uint32_t own, uint32_t target) {
	return store->cap_table != 0 && find_numbers(store, family->number, target, own) != NULL;
}

struct series *gs_series_twin(const struct gs_store *store, const struct series *series, const struct family *family) {
	return find_numbers(store, family->number, series->target, series->own);
}

static void table_insert(const struct gs_store *store, uint32_t *table, size_t cap, uint32_t number) {
	size_t i = hash_of_series(store, gs_series_at(store, number)) & (cap - 1);
	while (table[i] != 0)
		i = (i + 1) & (cap - 1);
	table[i] = number;
}

static enum gs_status table_reserve(struct gs_store *store) {
	if ((store->nseries + 1) * 4 <= store->cap_table * 3)
		return GS_OK;
	size_t cap = store->cap_table != 0 ? store->cap_table * 2 : 64;
	uint32_t *table = gs_store_alloc(store, cap * sizeof(*table));
	if (table == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < store->cap_table; i++) {
		if (store->table[i] != 0)
			table_insert(store, table, cap, store->table[i]);
	}
	gs_store_release(store, store->table, store->cap_table * sizeof(*table));
	store->table = table;
	store->cap_table = cap;
	return GS_OK;
}

/* Linear probing without tombstones: move back what the hole would hide. */
static void table_remove(struct gs_store *store, const struct series *series) {
	size_t mask = store->cap_table - 1, hole = hash_of_series(store, series) & mask;
	while (gs_series_at(store, store->table[hole]) != series)
		hole = (hole + 1) & mask;
	for (size_t i = (hole + 1) & mask; store->table[i] != 0; i = (i + 1) & mask) {
		size_t home = hash_of_series(store, gs_series_at(store, store->table[i])) & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		store->table[hole] = store->table[i];
		hole = i;
	}
	store->table[hole] = 0;
}

enum gs_status gs_series_need_extra(struct gs_store *store, struct series *series) {
	if (series->extra == 0)
		series->extra = gs_pool_get(&store->extras);
	return series->extra != 0 ? GS_OK : GS_ENOMEM;
}

void gs_series_drop_extra(struct gs_store *store, struct series *series) {
	const struct extra *extra = gs_extra_of(store, series);
	if (extra == NULL || extra->parts != NULL || extra->pebble != NULL || extra->exemplars != NULL ||
	    extra->native != NULL || extra->has_timestamp)
		return;
	gs_pool_put(&store->extras, series->extra);
	series->extra = 0;
}

static void free_series(struct gs_store *store, uint32_t number) {
	struct series *series = gs_series_at(store, number);
	struct extra *extra = gs_extra_of(store, series);
	if (extra != NULL) {
		gs_pebble_free(store, extra->pebble);
		gs_parts_free(store, extra->parts);
		gs_exemplars_free(store, extra->exemplars);
		gs_native_free(store, extra->native);
		gs_pool_put(&store->extras, series->extra);
	}
	if (series->own != 0)
		gs_text_put(store, series->own);
	if (series->target != 0)
		gs_text_put(store, series->target);
	gs_pool_put(&store->series_pool, number);
}

enum gs_status gs_series_insert(struct gs_store *store, struct family *family, uint32_t own, uint32_t target,
    enum gs_expo_type type, uint32_t owner, struct series **ret) {
	uint32_t number = 0;
	if (own != 0 && target != 0 && gs_family_reserve(store, family) == GS_OK && table_reserve(store) == GS_OK &&
	    gs_target_reserve(store) == GS_OK)
		number = gs_pool_get(&store->series_pool);
	if (number == 0) {
		if (own != 0)
			gs_text_put(store, own);
		if (target != 0)
			gs_text_put(store, target);
		return GS_ENOMEM;
	}
	struct series *series = gs_series_at(store, number);
	series->type = (uint8_t)type;
	series->own = own;
	series->target = target;
	gs_family_link(store, family, number, series);
	gs_owner_link(store, owner, number, series);
	gs_target_link(store, number, series);
	table_insert(store, store->table, store->cap_table, number);
	store->nseries++;
	*ret = series;
	return GS_OK;
}

enum gs_status gs_series_add(struct gs_store *store, const struct batch_point *point, enum gs_expo_type type,
    uint32_t owner, struct series **ret) {
	struct family *family = gs_family_find(store, point->family->name);
	if (family == NULL)
		family = gs_family_add(store, point->family->name);
	if (family == NULL)
		return GS_ENOMEM;
	uint32_t own = gs_text_get(store, point->own, point->own_hash, point->own_odd);
	uint32_t target = gs_text_get(store, point->target, point->target_hash, false);
	enum gs_status status = gs_series_insert(store, family, own, target, type, owner, ret);
	if (status != GS_OK && gs_family_count(family) == 0)
		gs_family_remove(store, family);
	return status;
}

void gs_series_remove(struct gs_store *store, struct series *series) {
	struct family *family = gs_family_of(store, series);
	uint32_t number = gs_series_number(store, series);
	table_remove(store, series);
	gs_owner_unlink(store, series);
	gs_target_unlink(store, series);
	family->npebbles -= gs_pebble_of(store, series) != NULL;
	gs_family_unlink(store, family, series);
	store->nseries--;
	free_series(store, number);
	if (gs_family_count(family) == 0)
		gs_family_remove(store, family);
}

void gs_series_retype(struct gs_store *store, struct series *series, enum gs_expo_type type) {
	struct family *family = gs_family_of(store, series);
	gs_family_count_type(store, family, series->type, false);
	gs_family_count_type(store, family, type, true);
	series->type = (uint8_t)type;
	gs_family_touch(store, family);
}

/* Labels to look for */

enum gs_status gs_wanted_open(struct wanted *wanted, const struct gs_label *labels, size_t n) {
	size_t size = 1;
	wanted->n = n;
	for (size_t i = 0; i < n; i++)
		size += GS_LABEL_TEXT_MAX(labels[i].name, labels[i].value);
	gs_buf_init(&wanted->text, size);
	if (gs_buf_reserve(&wanted->text, size) == NULL)
		return wanted->text.status;
	char *at = wanted->text.p;
	for (size_t i = 0; i < n; i++) {
		bool odd = false;
		char *end = gs_label_put(at, labels[i].name, labels[i].value, &odd);
		struct gs_str text = gs_str_make(at, (size_t)(end - at));
		gs_label_next(&text, &wanted->labels[i]);
		wanted->of_target[i] = gs_label_is_target(labels[i].name);
		at = end;
	}
	return GS_OK;
}

void gs_wanted_close(struct wanted *wanted) {
	gs_buf_free(&wanted->text);
	wanted->n = 0;
}

static bool has_wanted(const struct gs_store *store, uint32_t text, const struct wanted *wanted, bool of_target) {
	for (size_t i = 0; i < wanted->n; i++) {
		struct gs_str rest = gs_text_str(gs_text_at(store, text));
		struct gs_label label;
		if (wanted->of_target[i] != of_target)
			continue;
		bool found = wanted->labels[i].value.n == 0; /* empty is absent */
		while (gs_label_next(&rest, &label)) {
			if (!gs_str_eq(label.name, wanted->labels[i].name))
				continue;
			found = gs_str_eq(label.value, wanted->labels[i].value);
			break;
		}
		if (!found)
			return false;
	}
	return true;
}

bool gs_wanted_target(const struct gs_store *store, const struct wanted *wanted, uint32_t target) {
	return has_wanted(store, target, wanted, true);
}

bool gs_series_has_labels(const struct gs_store *store, const struct series *series, const struct wanted *wanted) {
	return has_wanted(store, series->target, wanted, true) && has_wanted(store, series->own, wanted, false);
}

/* Backwards: a target that loses its last series leaves the list, and the last one takes its place. */
size_t gs_pushed_remove(struct gs_store *store, const struct wanted *wanted,
    bool (*which)(struct gs_store *store, const struct series *series, void *ctx), void *ctx) {
	size_t gone = 0;
	for (size_t i = store->ntargets; i-- > 0;) {
		uint32_t next = gs_text_at(store, store->targets[i])->first;
		if (!gs_wanted_target(store, wanted, store->targets[i]))
			continue;
		while (next != 0) {
			struct series *series = gs_series_at(store, next);
			next = series->target_next;
			if (gs_owner_at(store, series->owner)->kind != OWNER_PUSHED ||
			    !has_wanted(store, series->own, wanted, false) ||
			    (which != NULL && !which(store, series, ctx)))
				continue;
			gs_series_remove(store, series);
			gone++;
		}
	}
	return gone;
}

bool gs_series_names_quantile(const struct gs_store *store, const struct series *series) {
	struct gs_str rest = gs_text_str(gs_text_at(store, series->own));
	struct gs_label label;
	while (gs_label_next(&rest, &label)) {
		if (gs_str_eq(label.name, GS_STR("quantile")))
			return true;
	}
	return false;
}
