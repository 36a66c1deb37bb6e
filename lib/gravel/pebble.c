/* SPDX-License-Identifier: Apache-2.0 */
/* Time-sliced aggregates: DESIGN 3.2. */
#include <assert.h>

#include "archive.h"
#include "gravel/base/mem.h"

static int64_t floor_div(int64_t a, int64_t b) {
	int64_t q = a / b;
	return q - (a % b < 0);
}

struct pebble *gs_pebble_new(struct gs_store *store, const struct gs_mode *mode, enum value_kind kind) {
	struct pebble *pebble = gs_store_alloc(store, sizeof(*pebble));
	if (pebble == NULL)
		return NULL;
	pebble->rule = gs_rule_of(mode, kind);
	pebble->window_ms = mode->window_ms;
	pebble->width_ms = (mode->window_ms + GS_LIMIT_PEBBLE_SLICES - 1) / GS_LIMIT_PEBBLE_SLICES;
	return pebble;
}

static bool is_simple(const struct pebble *pebble) {
	return pebble->rule.kind == KIND_SIMPLE;
}

/* Slots of a slice: its index, and a cell or a tally. */
static uint32_t stride(const struct pebble *pebble) {
	return 1 + (is_simple(pebble) ? pebble->rule.width : 1);
}

static union slot *slice_at(const struct pebble *pebble, uint32_t i) {
	return pebble->slices + (size_t)i * stride(pebble);
}

static int64_t index_at(const struct pebble *pebble, uint32_t i) {
	return slice_at(pebble, i)[0].index;
}

static void free_content(struct gs_store *store, const struct pebble *pebble, union slot *content) {
	if (is_simple(pebble))
		gs_cell_free(store, content, pebble->rule.agg);
	else
		gs_tally_free(store, &pebble->rule, content->tally);
}

static void free_spare(struct gs_store *store, struct pebble *pebble) {
	free_content(store, pebble, &pebble->spare);
	pebble->spare = (union slot){0};
}

void gs_pebble_free(struct gs_store *store, struct pebble *pebble) {
	if (pebble == NULL)
		return;
	for (uint32_t i = 0; i < pebble->n; i++)
		free_content(store, pebble, slice_at(pebble, i) + 1);
	free_spare(store, pebble);
	gs_store_release(store, pebble->slices, pebble->cap * stride(pebble) * sizeof(union slot));
	gs_store_release(store, pebble, sizeof(*pebble));
}

struct gs_mode gs_pebble_mode(const struct pebble *pebble) {
	return (struct gs_mode){
	    .kind = GS_MODE_PEBBLE,
	    .agg = pebble->rule.agg,
	    .percent_milli = pebble->rule.percent_milli,
	    .window_ms = pebble->window_ms,
	};
}

bool gs_pebble_is(const struct pebble *pebble, const struct gs_mode *mode) {
	struct gs_mode own = gs_pebble_mode(pebble);
	return gs_mode_same(&own, mode);
}

static int64_t slice_of(const struct pebble *pebble, int64_t time_ms) {
	return floor_div(time_ms, pebble->width_ms);
}

/* Slices in a window. One of 5 s has 100 of 50 ms, one of 50 ms has 50 of 1 ms. */
static int64_t window_slices(const struct pebble *pebble) {
	return (pebble->window_ms + pebble->width_ms - 1) / pebble->width_ms;
}

/* The first slice inside the window when the newest is ${now_slice}. */
static int64_t window_start(const struct pebble *pebble, int64_t now_slice) {
	return now_slice - window_slices(pebble) + 1;
}

bool gs_pebble_place(const struct pebble *pebble, int64_t now_ms, int64_t at_ms, int64_t *ret_at_ms) {
	/* A time from outside may be any number: no arithmetic with it before it is known to be near. */
	int64_t oldest = now_ms - 2 * pebble->window_ms - pebble->width_ms;
	*ret_at_ms = at_ms > oldest ? at_ms : oldest;
	return slice_of(pebble, *ret_at_ms) >= window_start(pebble, slice_of(pebble, now_ms));
}

/* Which slices are still of use beside one that comes: those in the window and, if the clock of the log went back, those as far ahead
 * as a window is long. */
static void find_kept(const struct pebble *pebble, int64_t now_ms, uint32_t *ret_from, uint32_t *ret_to) {
	int64_t now_slice = slice_of(pebble, now_ms), start = window_start(pebble, now_slice);
	uint32_t from = 0, to = pebble->n;
	while (to > 0 && index_at(pebble, to - 1) > now_slice + window_slices(pebble))
		to--;
	while (from < to && index_at(pebble, from) < start)
		from++;
	*ret_from = from;
	*ret_to = to;
}

static void prune(struct gs_store *store, struct pebble *pebble, int64_t now_ms) {
	uint32_t from, to;
	find_kept(pebble, now_ms, &from, &to);
	if (from == 0 && to == pebble->n)
		return;
	for (uint32_t i = 0; i < pebble->n; i++) {
		if (i < from || i >= to)
			free_content(store, pebble, slice_at(pebble, i) + 1);
	}
	pebble->n = to - from;
	memmove(pebble->slices, slice_at(pebble, from), pebble->n * stride(pebble) * sizeof(union slot));
}

/* Where the slice is, or where it would stand. */
static uint32_t place_of(const struct pebble *pebble, int64_t index) {
	uint32_t i = pebble->n;
	while (i > 0 && index_at(pebble, i - 1) >= index)
		i--;
	return i;
}

/* The cell or tally of a slice; NULL if it is not there. */
static union slot *find(const struct pebble *pebble, int64_t index) {
	uint32_t i = place_of(pebble, index);
	return i < pebble->n && index_at(pebble, i) == index ? slice_at(pebble, i) + 1 : NULL;
}

static enum gs_status reserve_slice(struct gs_store *store, struct pebble *pebble, int64_t now_ms) {
	uint32_t from, to;
	find_kept(pebble, now_ms, &from, &to);
	if (to - from < pebble->cap)
		return GS_OK;
	uint32_t cap = pebble->cap != 0 ? pebble->cap * 2 : 2;
	if (pebble->cap < GS_LIMIT_PEBBLE_SLICES + 1 && cap > GS_LIMIT_PEBBLE_SLICES + 1)
		cap = GS_LIMIT_PEBBLE_SLICES + 1;
	size_t size = stride(pebble) * sizeof(union slot);
	union slot *slices = gs_store_resize(store, pebble->slices, pebble->cap * size, cap * size);
	if (slices == NULL)
		return GS_ENOMEM;
	pebble->slices = slices;
	pebble->cap = cap;
	return GS_OK;
}

/* Whether the slices have not too many different bounds, when ${content} (NULL: a new one) gets those of ${layout}: who reads puts them together. */
static bool bounds_fit(
    const struct pebble *pebble, const union slot *content, const struct layout *layout, int64_t now_ms) {
	const struct layout *last = layout;
	size_t bounds = layout->n;
	uint32_t from, to;
	find_kept(pebble, now_ms, &from, &to);
	for (uint32_t i = from; i < to; i++) {
		const union slot *other = slice_at(pebble, i) + 1;
		const struct layout *its = other != content ? other->tally->layout : layout;
		bounds += its != last ? its->n : 0;
		last = its;
	}
	return bounds <= GS_LIMIT_PEBBLE_BOUNDS;
}

enum gs_status gs_pebble_reserve(
    struct gs_store *store, struct pebble *pebble, const struct batch_point *point, int64_t at_ms, int64_t now_ms) {
	const struct rule *rule = &pebble->rule;
	union slot *content = find(pebble, slice_of(pebble, at_ms));
	free_spare(store, pebble); /* of a push that was refused */
	if (content == NULL && reserve_slice(store, pebble, now_ms) != GS_OK)
		return GS_ENOMEM;
	if (is_simple(pebble))
		return gs_cell_reserve(store, content != NULL ? content : &pebble->spare, rule->agg);
	enum gs_status status =
	    gs_tally_reserve(store, rule, content != NULL ? content->tally : NULL, point, &pebble->spare.tally);
	if (status != GS_OK)
		return status;
	const struct tally *tally = pebble->spare.tally != NULL ? pebble->spare.tally : content->tally;
	return bounds_fit(pebble, content, tally->layout, now_ms) ? GS_OK : GS_ELIMIT;
}

/* A new slice. */
static union slot *insert(struct pebble *pebble, int64_t index) {
	uint32_t i = place_of(pebble, index);
	assert(pebble->n < pebble->cap); /* gs_pebble_reserve */
	union slot *slice = slice_at(pebble, i);
	memmove(slice + stride(pebble), slice, (pebble->n - i) * stride(pebble) * sizeof(union slot));
	pebble->n++;
	slice[0].index = index;
	if (is_simple(pebble))
		gs_cell_clear(slice + 1, pebble->rule.agg);
	else
		slice[1].tally = NULL;
	return slice + 1;
}

static void use_spare(struct gs_store *store, struct pebble *pebble, union slot *content) {
	if (is_simple(pebble)) {
		if (pebble->spare.sketch == NULL)
			return;
	} else if (pebble->spare.tally == NULL) {
		return;
	}
	free_content(store, pebble, content);
	*content = pebble->spare;
	pebble->spare = (union slot){0};
}

void gs_pebble_add(
    struct gs_store *store, struct pebble *pebble, const struct batch_point *point, int64_t at_ms, int64_t now_ms) {
	int64_t index = slice_of(pebble, at_ms);
	prune(store, pebble, now_ms);
	union slot *content = find(pebble, index);
	if (content == NULL)
		content = insert(pebble, index);
	use_spare(store, pebble, content);
	if (is_simple(pebble))
		gs_cell_add(content, pebble->rule.agg, point->value, at_ms);
	else
		gs_tally_add(&pebble->rule, content->tally, point, at_ms);
}

static enum gs_status read_simple(
    struct gs_store *store, const struct pebble *pebble, uint32_t from, uint32_t to, struct value *ret) {
	union slot sum[CELL_SLOTS_MAX];
	enum gs_pebble_agg agg = pebble->rule.agg;
	enum gs_status status = GS_OK;
	gs_cell_clear(sum, agg);
	for (uint32_t i = from; i < to && status == GS_OK; i++)
		status = gs_cell_merge(store, sum, slice_at(pebble, i) + 1, agg);
	if (status == GS_OK)
		ret->simple = gs_cell_read(sum, &pebble->rule, agg);
	gs_cell_free(store, sum, agg);
	return status;
}

static enum gs_status read_parts(
    struct gs_store *store, const struct pebble *pebble, uint32_t from, uint32_t to, struct value *ret) {
	const struct rule *rule = &pebble->rule;
	bool empty = from == to;
	struct tally *sum = NULL;
	enum gs_status status = GS_OK;
	for (uint32_t i = from; i < to && status == GS_OK; i++)
		status = gs_tally_merge(store, rule, &sum, slice_at(pebble, i)[1].tally);
	if (status == GS_OK)
		ret->parts = gs_tally_read(store, rule, empty ? slice_at(pebble, pebble->n - 1)[1].tally : sum, empty);
	gs_tally_free(store, rule, sum);
	return ret->parts != NULL ? GS_OK : GS_ENOMEM;
}

enum gs_status gs_pebble_read(
    struct gs_store *store, const struct pebble *pebble, enum value_kind kind, int64_t now_ms, struct value *ret) {
	int64_t now_slice = slice_of(pebble, now_ms), start = window_start(pebble, now_slice);
	uint32_t from = 0, to = pebble->n;
	assert(kind == pebble->rule.kind);
	*ret = (struct value){0};
	while (from < to && index_at(pebble, from) < start)
		from++;
	while (to > from && index_at(pebble, to - 1) > now_slice)
		to--;
	bool of_nothing = pebble->rule.agg == GS_PEBBLE_SUM || pebble->rule.agg == GS_PEBBLE_COUNT;
	if (pebble->n == 0 || (from == to && !of_nothing))
		return GS_ENOTFOUND;
	return is_simple(pebble) ? read_simple(store, pebble, from, to, ret) : read_parts(store, pebble, from, to, ret);
}

static void check_content(const struct pebble *pebble, const union slot *content) {
	if (is_simple(pebble)) {
		if (pebble->rule.agg == GS_PEBBLE_PERCENTILE)
			gs_sketch_check(content->sketch);
		return;
	}
	assert(content->tally != NULL && content->tally->layout->refs > 0);
}

void gs_pebble_check(const struct pebble *pebble) {
	assert(pebble->width_ms > 0 && pebble->n <= pebble->cap);
	assert(pebble->n >= 1 && pebble->n <= 2 * GS_LIMIT_PEBBLE_SLICES + 1);
	for (uint32_t i = 0; i < pebble->n; i++) {
		assert(i == 0 || index_at(pebble, i - 1) < index_at(pebble, i));
		check_content(pebble, slice_at(pebble, i) + 1);
	}
}

static void archive_mode(struct archive *archive, struct gs_mode *mode) {
	uint32_t agg = mode->agg;
	gs_archive_u32(archive, &agg, GS_PEBBLE_PERCENTILE);
	mode->agg = (enum gs_pebble_agg)agg;
	gs_archive_u32(archive, &mode->percent_milli, 100 * GS_PERCENT_SCALE);
	gs_archive_i64(archive, &mode->window_ms);
	if (mode->window_ms <= 0 || mode->window_ms > GS_LIMIT_PEBBLE_WINDOW_MS)
		gs_archive_fail(archive, GS_EINVAL);
}

static void archive_content(struct archive *archive, const struct pebble *pebble, union slot *content) {
	if (is_simple(pebble))
		gs_archive_cell(archive, content, pebble->rule.agg);
	else
		gs_archive_tally(archive, &pebble->rule, &content->tally);
}

static bool is_near(int64_t index) {
	return index > INT64_MIN / 4 && index < INT64_MAX / 4; /* so that no sum of indices overflows */
}

static void load_slices(struct archive *archive, struct pebble *pebble, uint32_t n) {
	size_t size = stride(pebble) * sizeof(union slot);
	pebble->slices = n != 0 ? gs_store_alloc(archive->store, n * size) : NULL;
	if (pebble->slices == NULL) {
		gs_archive_fail(archive, n != 0 ? GS_ENOMEM : GS_EINVAL);
		return;
	}
	pebble->cap = n;
	for (uint32_t i = 0; i < n && archive->status == GS_OK; i++) {
		union slot *slice = slice_at(pebble, i);
		gs_archive_i64(archive, &slice[0].index);
		if (!is_near(slice[0].index) || (i != 0 && slice[0].index <= index_at(pebble, i - 1)))
			gs_archive_fail(archive, GS_EINVAL);
		archive_content(archive, pebble, slice + 1);
		pebble->n++; /* it is there to be freed, also if it is none */
	}
}

void gs_archive_pebble(struct archive *archive, enum value_kind kind, struct pebble **pebble) {
	struct gs_mode mode = archive->loading ? (struct gs_mode){.kind = GS_MODE_PEBBLE} : gs_pebble_mode(*pebble);
	uint32_t n = archive->loading ? 0 : (*pebble)->n;
	archive_mode(archive, &mode);
	gs_archive_u32(archive, &n, 2 * GS_LIMIT_PEBBLE_SLICES + 1);
	if (archive->loading) {
		*pebble = archive->status == GS_OK ? gs_pebble_new(archive->store, &mode, kind) : NULL;
		if (*pebble != NULL)
			load_slices(archive, *pebble, n);
		else
			gs_archive_fail(archive, GS_ENOMEM);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		union slot *slice = slice_at(*pebble, i);
		gs_archive_i64(archive, &slice[0].index);
		archive_content(archive, *pebble, slice + 1);
	}
}
