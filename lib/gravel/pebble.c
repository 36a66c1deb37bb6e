/* SPDX-License-Identifier: Apache-2.0 */
/* Time-sliced aggregates: DESIGN 3.2. */
#include <assert.h>

#include "gravel/base/mem.h"
#include "store_internal.h"

static int64_t floor_div(int64_t a, int64_t b) {
	int64_t q = a / b;
	return q - (a % b < 0);
}

struct pebble *gs_pebble_new(struct gs_store *store, const struct gs_mode *mode) {
	struct pebble *pebble = gs_store_alloc(store, sizeof(*pebble));
	if (pebble == NULL)
		return NULL;
	pebble->agg = mode->agg;
	pebble->window_ms = mode->window_ms;
	pebble->width_ms = (mode->window_ms + GS_LIMIT_PEBBLE_SLICES - 1) / GS_LIMIT_PEBBLE_SLICES;
	return pebble;
}

void gs_pebble_free(struct gs_store *store, struct pebble *pebble) {
	if (pebble == NULL)
		return;
	for (uint32_t i = 0; i < pebble->n; i++)
		gs_parts_free(store, pebble->slices[i].value.parts);
	gs_store_release(store, pebble->slices, pebble->cap * sizeof(*pebble->slices));
	gs_store_release(store, pebble, sizeof(*pebble));
}

bool gs_pebble_is(const struct pebble *pebble, const struct gs_mode *mode) {
	return pebble->agg == mode->agg && pebble->window_ms == mode->window_ms;
}

int64_t gs_pebble_slice_of(const struct pebble *pebble, int64_t time_ms) {
	return floor_div(time_ms, pebble->width_ms);
}

/* The first slice inside the window when the newest is ${now_slice}. A window of 5 s has 100 slices of 50 ms, one of
 * 50 ms has 50 of 1 ms. */
static int64_t window_start(const struct pebble *pebble, int64_t now_slice) {
	return now_slice - (pebble->window_ms + pebble->width_ms - 1) / pebble->width_ms + 1;
}

bool gs_pebble_place(const struct pebble *pebble, int64_t now_ms, int64_t at_ms, int64_t *ret_slice) {
	/* A time from outside may be any number: no arithmetic with it before it is known to be near. */
	int64_t oldest = now_ms - 2 * pebble->window_ms - pebble->width_ms;
	*ret_slice = gs_pebble_slice_of(pebble, at_ms > oldest ? at_ms : oldest);
	return *ret_slice >= window_start(pebble, gs_pebble_slice_of(pebble, now_ms));
}

/* Drop what has left the window, but for the newest slice. */
static void prune(struct gs_store *store, struct pebble *pebble, int64_t now_slice) {
	int64_t start = window_start(pebble, now_slice);
	uint32_t gone = 0;
	while (gone + 1 < pebble->n && pebble->slices[gone].index < start)
		gs_parts_free(store, pebble->slices[gone++].value.parts);
	if (gone == 0)
		return;
	pebble->n -= gone;
	memmove(pebble->slices, pebble->slices + gone, pebble->n * sizeof(*pebble->slices));
}

enum gs_status gs_pebble_reserve(struct gs_store *store, struct pebble *pebble, int64_t now_slice) {
	prune(store, pebble, now_slice);
	if (pebble->n < pebble->cap)
		return GS_OK;
	uint32_t cap = pebble->cap != 0 ? pebble->cap * 2 : 4;
	struct pebble_slice *slices =
	    gs_store_resize(store, pebble->slices, pebble->cap * sizeof(*slices), cap * sizeof(*slices));
	if (slices == NULL)
		return GS_ENOMEM;
	pebble->slices = slices;
	pebble->cap = cap;
	return GS_OK;
}

/* Index of the slice, or where it would stand. */
static uint32_t place_of(const struct pebble *pebble, int64_t slice) {
	uint32_t i = pebble->n;
	while (i > 0 && pebble->slices[i - 1].index >= slice)
		i--;
	return i;
}

const struct pebble_slice *gs_pebble_find(const struct pebble *pebble, int64_t slice) {
	uint32_t i = place_of(pebble, slice);
	return i < pebble->n && pebble->slices[i].index == slice ? &pebble->slices[i] : NULL;
}

void gs_pebble_add(struct gs_store *store, struct pebble *pebble, int64_t slice, double simple, struct parts *parts) {
	uint32_t i = place_of(pebble, slice);
	if (i == pebble->n || pebble->slices[i].index != slice) {
		assert(pebble->n < pebble->cap); /* gs_pebble_reserve */
		memmove(pebble->slices + i + 1, pebble->slices + i, (pebble->n - i) * sizeof(*pebble->slices));
		pebble->slices[i] = (struct pebble_slice){.index = slice};
		pebble->n++;
	}
	pebble->slices[i].count++;
	pebble->slices[i].value.simple += simple;
	if (parts == NULL)
		return;
	gs_parts_free(store, pebble->slices[i].value.parts);
	pebble->slices[i].value.parts = parts;
}

/* Sum over [from, to) of the slices; with from == to the bounds of the newest and zeros. */
static struct parts *sum_parts(
    struct gs_store *store, const struct pebble *pebble, enum value_kind kind, uint32_t from, uint32_t to) {
	struct parts *sum = NULL;
	uint32_t first = from < to ? from : pebble->n - 1;
	uint32_t end = from < to ? to : pebble->n;
	for (uint32_t i = first; i < end; i++) {
		struct parts *next = gs_parts_merge(store, sum, pebble->slices[i].value.parts, kind);
		gs_parts_free(store, sum);
		if (next == NULL)
			return NULL;
		sum = next;
	}
	if (from == to)
		gs_parts_scale(sum, kind, 0);
	return sum;
}

bool gs_pebble_read(
    struct gs_store *store, const struct pebble *pebble, enum value_kind kind, int64_t now_ms, struct value *ret) {
	int64_t now_slice = gs_pebble_slice_of(pebble, now_ms);
	int64_t start = window_start(pebble, now_slice);
	uint32_t from = 0, to = pebble->n;
	uint64_t count = 0;
	double sum = 0;
	while (from < to && pebble->slices[from].index < start)
		from++;
	while (to > from && pebble->slices[to - 1].index > now_slice)
		to--;
	for (uint32_t i = from; i < to; i++) {
		count += pebble->slices[i].count;
		sum += pebble->slices[i].value.simple;
	}
	bool mean = pebble->agg == GS_PEBBLE_MEAN;
	if (pebble->n == 0 || (mean && count == 0))
		return false;
	*ret = (struct value){.simple = mean ? sum / (double)count : sum};
	if (kind == KIND_SIMPLE)
		return true;
	ret->parts = sum_parts(store, pebble, kind, from, to);
	if (ret->parts != NULL && mean)
		gs_parts_scale(ret->parts, kind, 1 / (double)count);
	return ret->parts != NULL;
}

void gs_pebble_check(const struct pebble *pebble) {
	assert(pebble->width_ms > 0 && pebble->n <= pebble->cap);
	assert(pebble->n >= 1 && pebble->n <= 2 * GS_LIMIT_PEBBLE_SLICES + 1);
	for (uint32_t i = 1; i < pebble->n; i++)
		assert(pebble->slices[i - 1].index < pebble->slices[i].index);
}
