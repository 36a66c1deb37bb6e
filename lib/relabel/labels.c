/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/relabel/labels.h"

#include "gravel/base/arena.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"

/* Copies between two clears. Fixed: many rules that write long values to one target, and no more. */
#define COPIES_MAX ((size_t)16 * 1024 * 1024)

/* Invariants:
 * 1. n <= GS_LIMIT_LABELS; names are distinct, values not empty.
 * 2. If sorted, the names rise. */
struct gs_labels {
	struct gs_arena *copies;
	size_t n;
	bool sorted;
	struct gs_label items[GS_LIMIT_LABELS];
};

struct gs_labels *gs_labels_new(void) {
	struct gs_labels *labels = gs_alloc(sizeof(*labels));
	if (labels == NULL)
		return NULL;
	labels->copies = gs_arena_new(COPIES_MAX);
	if (labels->copies == NULL) {
		gs_free(labels);
		return NULL;
	}
	labels->sorted = true;
	return labels;
}

void gs_labels_free(struct gs_labels *labels) {
	if (labels == NULL)
		return;
	gs_arena_free(labels->copies);
	gs_free(labels);
}

void gs_labels_clear(struct gs_labels *labels) {
	gs_arena_clear(labels->copies);
	labels->n = 0;
	labels->sorted = true;
}

/* Most names differ in their length or last byte; a call of memcmp for each would cost more than all the rest. */
static size_t find(const struct gs_labels *labels, struct gs_str name) {
	size_t i = 0;
	char last = name.n != 0 ? name.p[name.n - 1] : '\0';
	for (; i < labels->n; i++) {
		struct gs_str one = labels->items[i].name;
		if (one.n == name.n && (one.n == 0 || (one.p[one.n - 1] == last && memcmp(one.p, name.p, name.n) == 0)))
			break;
	}
	return i;
}

/* Whether a stands before b; their first bytes mostly tell. */
static bool is_before(struct gs_str a, struct gs_str b) {
	if (a.n != 0 && b.n != 0 && a.p[0] != b.p[0])
		return (unsigned char)a.p[0] < (unsigned char)b.p[0];
	return gs_str_cmp(a, b) < 0;
}

static void remove_at(struct gs_labels *labels, size_t i) {
	labels->n--;
	memmove(&labels->items[i], &labels->items[i + 1], (labels->n - i) * sizeof(labels->items[0]));
}

static enum gs_status check_lengths(struct gs_str name, struct gs_str value) {
	return name.n > GS_LIMIT_NAME || value.n > GS_LIMIT_LABEL_VALUE ? GS_ELIMIT : GS_OK;
}

static enum gs_status append(struct gs_labels *labels, struct gs_str name, struct gs_str value) {
	if (labels->n == GS_LIMIT_LABELS)
		return GS_ELIMIT;
	labels->sorted = labels->sorted && (labels->n == 0 || gs_str_cmp(labels->items[labels->n - 1].name, name) < 0);
	labels->items[labels->n++] = (struct gs_label){.name = name, .value = value};
	return GS_OK;
}

enum gs_status gs_labels_fill(struct gs_labels *labels, const struct gs_label *items, size_t n) {
	gs_labels_clear(labels);
	for (size_t i = 0; i < n; i++) {
		enum gs_status status = check_lengths(items[i].name, items[i].value);
		if (status == GS_OK && items[i].value.n != 0)
			status = append(labels, items[i].name, items[i].value);
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

enum gs_status gs_labels_put(struct gs_labels *labels, struct gs_str name, struct gs_str value) {
	enum gs_status status = check_lengths(name, value);
	if (status != GS_OK)
		return status;
	size_t i = find(labels, name);
	if (i == labels->n)
		return value.n != 0 ? append(labels, name, value) : GS_OK;
	if (value.n != 0)
		labels->items[i].value = value;
	else
		remove_at(labels, i);
	return GS_OK;
}

static enum gs_status copy(struct gs_labels *labels, struct gs_str *s) {
	if (s->n == 0)
		return GS_OK;
	if (s->n > COPIES_MAX - gs_arena_used(labels->copies))
		return GS_ELIMIT;
	*s = gs_arena_dup(labels->copies, *s);
	return s->n != 0 ? GS_OK : GS_ENOMEM;
}

enum gs_status gs_labels_set(struct gs_labels *labels, struct gs_str name, struct gs_str value) {
	enum gs_status status = check_lengths(name, value);
	if (status != GS_OK)
		return status;
	size_t i = find(labels, name);
	if (value.n == 0) {
		if (i < labels->n)
			remove_at(labels, i);
		return GS_OK;
	}
	if (i == labels->n && i == GS_LIMIT_LABELS)
		return GS_ELIMIT;
	status = copy(labels, &value);
	if (status == GS_OK && i == labels->n)
		status = copy(labels, &name);
	if (status != GS_OK)
		return status;
	if (i == labels->n)
		return append(labels, name, value);
	labels->items[i].value = value;
	return GS_OK;
}

struct gs_str gs_labels_get(const struct gs_labels *labels, struct gs_str name) {
	size_t i = find(labels, name);
	return i < labels->n ? labels->items[i].value : (struct gs_str){0};
}

/* Where label i belongs among those before it, which are sorted. */
static size_t place_of(const struct gs_label *items, size_t i) {
	size_t low = 0, high = i;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (is_before(items[middle].name, items[i].name))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct gs_label *gs_labels_sorted(struct gs_labels *labels, size_t *ret_n) {
	struct gs_label *items = labels->items;
	for (size_t i = 1; i < labels->n && !labels->sorted; i++) {
		if (is_before(items[i - 1].name, items[i].name))
			continue;
		struct gs_label item = items[i];
		size_t place = place_of(items, i);
		memmove(&items[place + 1], &items[place], (i - place) * sizeof(items[0]));
		items[place] = item;
	}
	labels->sorted = true;
	*ret_n = labels->n;
	return items;
}
