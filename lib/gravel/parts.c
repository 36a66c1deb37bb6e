/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms and summaries: bounds shared by many, and their arithmetic. */
#include "store_internal.h"

#include "gravel/base/mem.h"

static size_t layout_size(uint32_t n, size_t key) {
	return sizeof(struct layout) + n * (sizeof(double) + sizeof(struct gs_str)) + key;
}

static size_t parts_size(uint32_t n) {
	return sizeof(struct parts) + n * sizeof(double);
}

static void layout_put(struct gs_store *store, struct layout *layout) {
	if (--layout->refs != 0)
		return;
	gs_map_remove(store->layouts, layout->key);
	gs_store_release(store, layout, layout_size(layout->n, layout->key.n));
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

static struct parts *parts_new(struct gs_store *store, const struct bound *bounds, uint32_t n) {
	struct layout *layout = layout_get(store, bounds, n);
	if (layout == NULL)
		return NULL;
	struct parts *parts = gs_store_alloc(store, parts_size(n));
	if (parts == NULL) {
		layout_put(store, layout);
		return NULL;
	}
	parts->layout = layout;
	return parts;
}

void gs_parts_free(struct gs_store *store, struct parts *parts) {
	if (parts == NULL)
		return;
	uint32_t n = parts->layout->n;
	layout_put(store, parts->layout);
	gs_store_release(store, parts, parts_size(n));
}

struct parts *gs_parts_of_point(struct gs_store *store, const struct batch_point *point) {
	struct bound *bounds = gs_alloc_array(point->nparts, sizeof(*bounds));
	if (bounds == NULL)
		return NULL;
	for (uint32_t i = 0; i < point->nparts; i++)
		bounds[i] = (struct bound){.at = point->parts[i].at, .text = point->parts[i].text};
	struct parts *parts = parts_new(store, bounds, point->nparts);
	gs_free(bounds);
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

/* The union of two lists of bounds, and for each where it stands in a and in b: the index of the largest bound at or below it
 * plus one, 0 if there is none. */
struct join {
	struct bound *bounds;
	uint32_t *in_a;
	uint32_t *in_b;
	uint32_t n;
};

static void join_layouts(struct join *join, const struct layout *a, const struct layout *b) {
	uint32_t i = 0, k = 0;
	while (i < a->n || k < b->n) {
		bool take_a = k == b->n || (i < a->n && a->at[i] <= b->at[k]);
		bool take_b = i == a->n || (k < b->n && b->at[k] <= a->at[i]);
		join->bounds[join->n] = take_a ? (struct bound){.at = a->at[i], .text = a->text[i]}
					       : (struct bound){.at = b->at[k], .text = b->text[k]};
		i += take_a;
		k += take_b;
		join->in_a[join->n] = i;
		join->in_b[join->n] = k;
		join->n++;
	}
}

static void fill_merged(
    struct parts *merged, const struct join *join, const struct parts *a, const struct parts *b, enum value_kind kind) {
	for (uint32_t i = 0; i < join->n; i++) {
		uint32_t ia = join->in_a[i], ib = join->in_b[i];
		double in_a = ia != 0 ? a->v[ia - 1] : 0;
		double in_b = ib != 0 ? b->v[ib - 1] : 0;
		if (kind == KIND_SUMMARY) /* a quantile does not add: the last pushed one stands */
			merged->v[i] = ib != 0 && b->layout->at[ib - 1] == join->bounds[i].at ? in_b : in_a;
		else
			merged->v[i] = in_a + in_b;
	}
	merged->has_sum = a->has_sum || b->has_sum;
	merged->has_count = a->has_count || b->has_count;
	merged->sum = a->sum + b->sum;
	merged->count = a->count + b->count;
}

struct parts *gs_parts_merge(
    struct gs_store *store, const struct parts *a, const struct parts *b, enum value_kind kind) {
	static const struct layout no_layout = {0};
	static const struct parts nothing = {0};
	const struct layout *la = a != NULL ? a->layout : &no_layout;
	uint32_t max = la->n + b->layout->n;
	struct parts *merged = NULL;
	struct join join = {
	    .bounds = gs_alloc_array(max, sizeof(struct bound)),
	    .in_a = gs_alloc_array(max, sizeof(uint32_t)),
	    .in_b = gs_alloc_array(max, sizeof(uint32_t)),
	};
	if (join.bounds == NULL || join.in_a == NULL || join.in_b == NULL)
		goto out;
	join_layouts(&join, la, b->layout);
	merged = parts_new(store, join.bounds, join.n);
	if (merged != NULL)
		fill_merged(merged, &join, a != NULL ? a : &nothing, b, kind);
out:
	gs_free(join.bounds);
	gs_free(join.in_a);
	gs_free(join.in_b);
	return merged;
}

void gs_parts_scale(struct parts *parts, enum value_kind kind, double factor) {
	/* A quantile is not a sum: it stands as it is. */
	for (uint32_t i = 0; i < parts->layout->n && kind == KIND_HISTOGRAM; i++)
		parts->v[i] *= factor;
	parts->sum *= factor;
	parts->count *= factor;
}

bool gs_parts_same(const struct parts *a, const struct parts *b) {
	if (a == NULL || b == NULL)
		return a == b;
	return a->layout == b->layout && a->has_sum == b->has_sum && a->has_count == b->has_count &&
	       memcmp(&a->sum, &b->sum, sizeof(a->sum)) == 0 && memcmp(&a->count, &b->count, sizeof(a->count)) == 0 &&
	       (a->layout->n == 0 || memcmp(a->v, b->v, a->layout->n * sizeof(a->v[0])) == 0);
}
