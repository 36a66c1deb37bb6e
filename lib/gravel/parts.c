/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms and summaries: bounds shared by many, and their arithmetic. */
#include "archive.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"

static size_t layout_size(uint32_t n, size_t key) {
	return sizeof(struct layout) + n * (sizeof(double) + sizeof(struct gs_str)) + key;
}

static size_t parts_size(uint32_t n) {
	return sizeof(struct parts) + n * sizeof(double);
}

void gs_layout_put(struct gs_store *store, struct layout *layout) {
	if (--layout->refs != 0)
		return;
	gs_map_remove(store->layouts, layout->key);
	gs_store_release(store, layout, layout_size(layout->n, layout->key.n));
}

struct layout *gs_layout_ref(struct layout *layout) {
	layout->refs++;
	return layout;
}

/* One bound of a layout to be. */
struct bound {
	double at;
	struct gs_str text;
};

/* Find the layout of these bounds or make it; one more ref. */
static struct layout *layout_get(struct gs_store *store, const struct bound *bounds, uint32_t n) {
	size_t bytes = n;
	for (uint32_t i = 0; i < n; i++)
		bytes += bounds[i].text.n;
	struct layout *layout = gs_store_alloc(store, layout_size(n, bytes));
	if (layout == NULL)
		return NULL;
	layout->refs = 1;
	layout->n = n;
	layout->at = (double *)(layout + 1);
	layout->text = (struct gs_str *)(layout->at + n);
	char *p = (char *)(layout->text + n);
	layout->key = gs_str_make(p, bytes);
	for (uint32_t i = 0; i < n; i++) {
		layout->at[i] = bounds[i].at;
		layout->text[i] = gs_str_make(p, bounds[i].text.n);
		memcpy(p, bounds[i].text.p, bounds[i].text.n);
		p += bounds[i].text.n;
		*p++ = '\xff';
	}
	struct layout *known = gs_map_get(store->layouts, layout->key);
	if (known != NULL || gs_map_put(store->layouts, layout->key, layout) != GS_OK) {
		gs_store_release(store, layout, layout_size(n, bytes));
		if (known != NULL)
			known->refs++;
		return known;
	}
	return layout;
}

struct parts *gs_parts_new(struct gs_store *store, struct layout *layout) {
	if (layout == NULL)
		return NULL;
	struct parts *parts = gs_store_alloc(store, parts_size(layout->n));
	if (parts == NULL) {
		gs_layout_put(store, layout);
		return NULL;
	}
	parts->layout = layout;
	return parts;
}

void gs_parts_free(struct gs_store *store, struct parts *parts) {
	if (parts == NULL)
		return;
	uint32_t n = parts->layout->n;
	gs_layout_put(store, parts->layout);
	gs_store_release(store, parts, parts_size(n));
}

struct layout *gs_layout_of_point(struct gs_store *store, const struct batch_point *point) {
	struct bound *bounds = gs_alloc_array(point->nparts, sizeof(*bounds));
	if (bounds == NULL)
		return NULL;
	for (uint32_t i = 0; i < point->nparts; i++)
		bounds[i] = (struct bound){.at = point->parts[i].at, .text = point->parts[i].text};
	struct layout *layout = layout_get(store, bounds, point->nparts);
	gs_free(bounds);
	return layout;
}

bool gs_layout_fits(const struct layout *a, const struct layout *b) {
	uint32_t i = 0, k = 0, n = 0;
	if (a == b || a->n + b->n <= GS_LIMIT_BUCKETS)
		return true;
	for (; i < a->n && k < b->n; n++) {
		double at = a->at[i] < b->at[k] ? a->at[i] : b->at[k];
		i += a->at[i] == at;
		k += b->at[k] == at;
	}
	return n + (a->n - i) + (b->n - k) <= GS_LIMIT_BUCKETS;
}

struct layout *gs_layout_union(struct gs_store *store, const struct layout *a, const struct layout *b) {
	struct bound *bounds = gs_alloc_array((size_t)a->n + b->n, sizeof(*bounds));
	uint32_t i = 0, k = 0, n = 0;
	if (bounds == NULL)
		return NULL;
	while (i < a->n || k < b->n) {
		bool take_a = k == b->n || (i < a->n && a->at[i] <= b->at[k]);
		bool take_b = i == a->n || (k < b->n && b->at[k] <= a->at[i]);
		bounds[n++] = take_a ? (struct bound){.at = a->at[i], .text = a->text[i]}
				     : (struct bound){.at = b->at[k], .text = b->text[k]};
		i += take_a;
		k += take_b;
	}
	struct layout *layout = layout_get(store, bounds, n);
	gs_free(bounds);
	return layout;
}

struct parts *gs_parts_of_point(struct gs_store *store, const struct batch_point *point) {
	struct parts *parts = gs_parts_new(store, gs_layout_of_point(store, point));
	if (parts == NULL)
		return NULL;
	for (uint32_t i = 0; i < point->nparts; i++)
		parts->v[i] = point->parts[i].value;
	parts->has_sum = point->has_sum;
	parts->has_count = point->has_count;
	parts->sum = point->sum;
	parts->count = point->count;
	return parts;
}

/* Of a sum or count that not everybody has. */
static double combine_some(enum gs_mode_kind mode, bool has_a, double a, bool has_b, double b) {
	if (has_a && has_b)
		return gs_combine(mode, a, b);
	return has_a ? a : b;
}

/* ${ia}, ${ib}: the index of the largest bound at or below this one plus one, 0 if there is none. */
static double merge_bucket(
    enum gs_mode_kind mode, const struct parts *a, uint32_t ia, const struct parts *b, uint32_t ib) {
	return gs_combine(mode, ia != 0 ? a->v[ia - 1] : 0, ib != 0 ? b->v[ib - 1] : 0);
}

static double merge_quantile(
    enum gs_mode_kind mode, double at, const struct parts *a, uint32_t ia, const struct parts *b, uint32_t ib) {
	bool in_a = ia != 0 && a->layout->at[ia - 1] == at, in_b = ib != 0 && b->layout->at[ib - 1] == at;
	if (in_a && in_b && mode != GS_MODE_AGGREGATE)
		return gs_combine(mode, a->v[ia - 1], b->v[ib - 1]);
	return in_b ? b->v[ib - 1] : a->v[ia - 1]; /* it does not add: the last pushed one stands */
}

struct parts *gs_parts_merge(struct gs_store *store, const struct parts *a, const struct parts *b, enum value_kind kind,
    enum gs_mode_kind mode) {
	struct parts *merged = gs_parts_new(store, gs_layout_union(store, a->layout, b->layout));
	if (merged == NULL)
		return NULL;
	uint32_t ia = 0, ib = 0;
	for (uint32_t i = 0; i < merged->layout->n; i++) {
		double at = merged->layout->at[i];
		while (ia < a->layout->n && a->layout->at[ia] <= at)
			ia++;
		while (ib < b->layout->n && b->layout->at[ib] <= at)
			ib++;
		merged->v[i] =
		    kind == KIND_SUMMARY ? merge_quantile(mode, at, a, ia, b, ib) : merge_bucket(mode, a, ia, b, ib);
	}
	merged->has_sum = a->has_sum || b->has_sum;
	merged->has_count = a->has_count || b->has_count;
	merged->sum = combine_some(mode, a->has_sum, a->sum, b->has_sum, b->sum);
	merged->count = combine_some(mode, a->has_count, a->count, b->has_count, b->count);
	return merged;
}

bool gs_parts_same(const struct parts *a, const struct parts *b) {
	if (a == NULL || b == NULL)
		return a == b;
	return a->layout == b->layout && a->has_sum == b->has_sum && a->has_count == b->has_count &&
	       memcmp(&a->sum, &b->sum, sizeof(a->sum)) == 0 && memcmp(&a->count, &b->count, sizeof(a->count)) == 0 &&
	       (a->layout->n == 0 || memcmp(a->v, b->v, a->layout->n * sizeof(a->v[0])) == 0);
}

/* Bounds are numbers that rise; each stands as its text alone. */
static void load_layout(struct archive *archive, uint32_t n, struct layout **layout) {
	struct gs_buf texts;
	struct bound *bounds = gs_alloc_array(n, sizeof(*bounds));
	gs_buf_init(&texts, SIZE_MAX / 2);
	if (bounds == NULL)
		gs_archive_fail(archive, GS_ENOMEM);
	for (uint32_t i = 0; i < n && archive->status == GS_OK; i++) {
		struct gs_str text = {0};
		gs_archive_str(archive, &text, GS_LIMIT_LABEL_VALUE);
		bounds[i].text.n = text.n;
		if (archive->status == GS_OK && (gs_num_parse_double(text, &bounds[i].at) != GS_OK ||
						    (i != 0 && !(bounds[i].at > bounds[i - 1].at))))
			gs_archive_fail(archive, GS_EINVAL);
		gs_buf_str(&texts, text);
		gs_archive_fail(archive, texts.status);
	}
	size_t at = 0;
	for (uint32_t i = 0; i < n && archive->status == GS_OK; at += bounds[i++].text.n)
		bounds[i].text.p = texts.p + at;
	if (archive->status == GS_OK && (*layout = layout_get(archive->store, bounds, n)) == NULL)
		gs_archive_fail(archive, GS_ENOMEM);
	gs_buf_free(&texts);
	gs_free(bounds);
}

void gs_archive_new_layout(struct archive *archive, struct layout **layout) {
	uint32_t n = archive->loading ? 0 : (*layout)->n;
	gs_archive_u32(archive, &n, 2 * GS_LIMIT_PEBBLE_BOUNDS);
	if (archive->loading) {
		*layout = NULL;
		load_layout(archive, n, layout);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		gs_archive_str(archive, &(*layout)->text[i], GS_LIMIT_LABEL_VALUE);
}

void gs_archive_parts(struct archive *archive, struct parts **parts) {
	struct layout *layout = archive->loading ? NULL : (*parts)->layout;
	gs_archive_layout(archive, &layout);
	if (archive->loading && (*parts = gs_parts_new(archive->store, layout)) == NULL) {
		gs_archive_fail(archive, GS_ENOMEM);
		return;
	}
	struct parts *it = *parts;
	gs_archive_bool(archive, &it->has_sum);
	gs_archive_bool(archive, &it->has_count);
	gs_archive_double(archive, &it->sum);
	gs_archive_double(archive, &it->count);
	for (uint32_t i = 0; i < it->layout->n; i++)
		gs_archive_double(archive, &it->v[i]);
}
