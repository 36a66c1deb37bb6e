/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants of store_internal.h, proved. For tests; slow. */
#include <assert.h>

#include "gravel/base/map.h"
#include "label.h"
#include "store_internal.h"

static size_t check_owner(const struct gs_store *store, uint32_t number) {
	const struct owner *owner = gs_owner_at(store, number);
	uint32_t n = 0, prev = 0;
	for (uint32_t i = owner->first; i != 0; i = gs_series_at(store, i)->owner_next) {
		const struct series *series = gs_series_at(store, i);
		assert(series->owner == number && series->owner_prev == prev);
		prev = i;
		n++;
	}
	assert(owner->last == prev && n == owner->count);
	return n;
}

static void check_texts(const struct gs_store *store, const struct series *series) {
	for (int t = 0; t < 2; t++) {
		struct gs_str rest = gs_text_str(gs_text_at(store, t == 0 ? series->target : series->own));
		struct gs_label label, last = {0};
		while (gs_label_next(&rest, &label)) {
			assert(gs_label_is_target(label.name) == (t == 0));
			assert(label.name.n != 0 && !gs_str_eq(label.name, last.name));
			last = label;
		}
	}
}

static void check_series(const struct gs_store *store, uint32_t number) {
	const struct series *series = gs_series_at(store, number);
	const struct extra *extra = gs_extra_of(store, series);
	bool simple = gs_kind_of_type((enum gs_expo_type)series->type) == KIND_SIMPLE;
	size_t found = 0;
	for (size_t i = 0; i < store->cap_table; i++)
		found += store->table[i] == number;
	assert(found == 1);
	assert(series->has_value);
	assert(extra == NULL || extra->parts != NULL || extra->pebble != NULL || extra->exemplars != NULL ||
	       extra->native != NULL || extra->has_timestamp);
	bool pebble = extra != NULL && extra->pebble != NULL, parts = extra != NULL && extra->parts != NULL;
	assert(parts == (!simple && !pebble));
	if (pebble)
		gs_pebble_check(extra->pebble);
	if (extra != NULL) {
		gs_exemplars_check(extra->exemplars);
		gs_native_check(extra->native);
		assert(!pebble || (extra->exemplars == NULL && extra->native == NULL));
		assert(extra->native == NULL || parts);
	}
	check_texts(store, series);
}

static void check_family(const struct gs_store *store, const struct family *family) {
	uint32_t types[GS_TYPE_GAUGEHISTOGRAM + 1] = {0}, broken[FORM_RULES] = {0}, pebbles = 0, holes = 0;
	const struct series *last = NULL;
	assert(family->version != 0 && family->version <= store->version);
	assert(gs_family_count(family) > 0 && family->sorted <= family->n && family->n <= family->cap);
	assert(gs_map_get(store->families, family->name) == family);
	for (uint32_t i = 0; i < family->n; i++) {
		if (family->series[i] == 0) {
			holes++;
			continue;
		}
		const struct series *series = gs_series_at(store, family->series[i]);
		assert(series->family == family->number && series->position == i);
		assert(last == NULL || i >= family->sorted || gs_series_compare(store, last, series) < 0);
		last = series;
		types[series->type]++;
		assert(series->broken == gs_form_broken(store, series));
		for (unsigned rules = 0; rules < FORM_RULES; rules++)
			broken[rules] += series->broken >> rules & 1;
		pebbles += gs_pebble_of(store, series) != NULL;
		check_series(store, family->series[i]);
	}
	assert(memcmp(types, family->types, sizeof(types)) == 0);
	assert(memcmp(broken, family->nbroken, sizeof(broken)) == 0);
	assert(family->members != 0 && family->members <= family->version);
	assert(pebbles == family->npebbles && holes == family->holes);
}

static size_t check_targets(const struct gs_store *store) {
	size_t n = 0;
	for (size_t i = 0; i < store->ntargets; i++) {
		const struct text *target = gs_text_at(store, store->targets[i]);
		uint32_t count = 0, pushed = 0, prev = 0;
		assert(target->position == i && target->count != 0);
		for (uint32_t s = target->first; s != 0; s = gs_series_at(store, s)->target_next) {
			const struct series *series = gs_series_at(store, s);
			assert(series->target == store->targets[i] && series->target_prev == prev);
			prev = s;
			count++;
			pushed += gs_owner_at(store, series->owner)->kind == OWNER_PUSHED;
		}
		assert(count == target->count && pushed == target->pushed);
		n += count;
	}
	return n;
}

static size_t check_groups(const struct gs_store *store, const struct gs_map *groups, size_t *stale, size_t *gone) {
	size_t cursor = 0, n = 0;
	const struct group *group;
	while ((group = gs_map_next(groups, &cursor, NULL)) != NULL) {
		n += check_owner(store, group->owner);
		if (group->times != 0)
			n += check_owner(store, group->times);
		*stale += group->stale;
		*gone += group->gone;
		assert(!(group->stale && group->gone));
		assert(!(group->stale || group->gone) || gs_owner_at(store, group->owner)->count == 0);
	}
	return n;
}

/* Every text has as many refs as users. */
static void check_refs(const struct gs_store *store) {
	uint64_t refs = 1; /* the empty text's own */
	for (size_t i = 0; i < store->cap_texts; i++) {
		if (store->text_table[i] != 0)
			refs += gs_text_at(store, store->text_table[i])->refs;
	}
	assert(refs == 2 * store->nseries + 2);
}

void gs_store_check(struct gs_store *store) {
	size_t stale = 0, gone = 0, in_families = 0, owned = check_owner(store, store->own);
	for (size_t i = 0; i < store->norder; i++) {
		const struct family *family = store->order[i];
		assert(family->position == i);
		assert(i == 0 || store->order_dirty || gs_str_cmp(store->order[i - 1]->name, family->name) < 0);
		check_family(store, family);
		in_families += gs_family_count(family);
	}
	for (size_t i = 0; i < store->nleases; i++)
		owned += check_owner(store, store->leases[i]);
	owned += check_groups(store, store->groups, &stale, &gone);
	owned += check_groups(store, store->gateways, &stale, &gone);
	assert(gs_map_count(store->families) == store->norder);
	assert(in_families == store->nseries && owned == store->nseries && stale == store->nstale);
	assert(gone == store->ngone);
	assert(check_targets(store) == store->nseries);
	assert(store->nchanges == 0 && store->nhelps == 0 && store->scope.text.p == NULL);
	check_refs(store);
	gs_texts_check(store);
	gs_pool_check(&store->families_pool);
	gs_pool_check(&store->series_pool);
	gs_pool_check(&store->owners);
	gs_pool_check(&store->extras);
	gs_map_check(store->layouts);
}
