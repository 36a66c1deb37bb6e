/* SPDX-License-Identifier: Apache-2.0 */
/* Exemplars: those of a batch, and those that the store keeps of a series. */
#include <assert.h>

#include "archive.h"
#include "gravel/base/mem.h"
#include "label.h"

/* Of a batch */

static size_t characters(struct gs_str s) {
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* And so fits into the room. */
static bool is_short(const struct gs_exemplar *exemplar) {
	size_t n = 0, bytes = 0;
	if (exemplar->nlabels > EXEMPLAR_LABELS)
		return false;
	for (size_t i = 0; i < exemplar->nlabels; i++) {
		n += characters(exemplar->labels[i].name) + characters(exemplar->labels[i].value);
		bytes += exemplar->labels[i].name.n + exemplar->labels[i].value.n;
	}
	return n <= EXEMPLAR_CHARACTERS && bytes <= EXEMPLAR_BYTES;
}

enum gs_status gs_batch_exemplar(
    struct gs_batch *batch, const struct gs_exemplar *from, const struct batch_exemplar **ret) {
	size_t size = 1;
	bool odd = false;
	*ret = NULL;
	if (!is_short(from))
		return GS_OK;
	for (size_t i = 0; i < from->nlabels; i++)
		size += GS_LABEL_TEXT_MAX(from->labels[i].name, from->labels[i].value);
	struct batch_exemplar *exemplar = gs_arena_alloc(batch->arena, sizeof(*exemplar) + size);
	if (exemplar == NULL)
		return GS_ENOMEM;
	char *start = (char *)(exemplar + 1), *at = start;
	for (size_t i = 0; i < from->nlabels; i++) {
		if (i != 0)
			*at++ = ',';
		at = gs_label_put(at, from->labels[i].name, from->labels[i].value, &odd);
	}
	*exemplar = (struct batch_exemplar){.text = gs_str_make(start, (size_t)(at - start)),
	    .value = from->value,
	    .timestamp_ms = from->timestamp_ms,
	    .has_timestamp = from->has_timestamp};
	*ret = exemplar;
	return GS_OK;
}

/* Of the store */

/* A block to be; without memory yet it only counts. */
struct block {
	struct exemplars *to;
	uint32_t n;
	uint32_t bytes; /* of texts */
};

static void put(struct block *block, double at, const struct batch_exemplar *from) {
	if (block->to != NULL) {
		struct exemplars *to = block->to;
		struct exemplar *e = &to->e[block->n];
		*e = (struct exemplar){.at = at,
		    .value = from->value,
		    .has_timestamp = from->has_timestamp,
		    .timestamp_ms = from->has_timestamp ? from->timestamp_ms : 0,
		    .n = (uint32_t)from->text.n,
		    .text = (uint32_t)(sizeof(*to) + to->n * sizeof(*e)) + block->bytes};
		if (e->n != 0)
			memcpy((char *)to + e->text, from->text.p, e->n);
	}
	block->n++;
	block->bytes += (uint32_t)from->text.n;
}

static struct batch_exemplar view(const struct exemplars *exemplars, const struct exemplar *e) {
	return (struct batch_exemplar){.text = gs_str_make((const char *)exemplars + e->text, e->n),
	    .value = e->value,
	    .timestamp_ms = e->timestamp_ms,
	    .has_timestamp = e->has_timestamp};
}

static void put_old(struct block *block, const struct exemplars *old, uint32_t i) {
	struct batch_exemplar exemplar = view(old, &old->e[i]);
	put(block, old->e[i].at, &exemplar);
}

/* Memory for what was counted; false: there is none. */
static bool open_block(struct gs_store *store, struct block *block) {
	size_t bytes = sizeof(*block->to) + block->n * sizeof(struct exemplar) + block->bytes;
	struct exemplars *to = gs_store_alloc(store, bytes);
	if (to == NULL)
		return false;
	to->bytes = (uint32_t)bytes;
	to->n = block->n;
	*block = (struct block){.to = to};
	return true;
}

static bool is_older(const struct batch_exemplar *pushed, const struct exemplar *stored) {
	return pushed->has_timestamp && stored->has_timestamp && pushed->timestamp_ms < stored->timestamp_ms;
}

/* The exemplar of the i-th place of a point: of its parts, or, behind them, its own. */
static const struct batch_exemplar *exemplar_at(const struct batch_point *point, uint32_t i, double *ret_at) {
	*ret_at = i < point->nparts ? point->parts[i].at : (double)INFINITY;
	return i < point->nparts ? point->parts[i].exemplar : point->exemplar;
}

static void put_all(struct block *block, const struct batch_point *point, const struct exemplars *old) {
	uint32_t k = 0, nold = old != NULL ? old->n : 0;
	for (uint32_t i = 0; i <= point->nparts; i++) {
		double at;
		const struct batch_exemplar *pushed = exemplar_at(point, i, &at);
		if (pushed == NULL)
			continue;
		while (k < nold && old->e[k].at < at)
			put_old(block, old, k++);
		bool both = k < nold && old->e[k].at == at;
		if (both && is_older(pushed, &old->e[k]))
			put_old(block, old, k);
		else
			put(block, at, pushed);
		k += both;
	}
	while (k < nold)
		put_old(block, old, k++);
}

enum gs_status gs_exemplars_of_point(struct gs_store *store, const struct batch_point *point,
    const struct exemplars *old, bool merge, struct exemplars **ret) {
	struct block block = {0};
	old = merge ? old : NULL;
	*ret = NULL;
	put_all(&block, point, old);
	if (block.n == 0)
		return GS_OK;
	if (!open_block(store, &block))
		return GS_ENOMEM;
	put_all(&block, point, old);
	*ret = block.to;
	return GS_OK;
}

struct exemplars *gs_exemplars_list(struct gs_store *store, const struct batch_exemplar *from, size_t n) {
	struct block block = {0};
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++)
			put(&block, (double)i, &from[i]);
		if (pass == 0 && !open_block(store, &block))
			return NULL;
	}
	return block.to;
}

struct exemplars *gs_exemplars_copy(struct gs_store *store, const struct exemplars *from) {
	struct exemplars *copy = gs_store_alloc(store, from->bytes);
	if (copy != NULL)
		memcpy(copy, from, from->bytes);
	return copy;
}

void gs_exemplars_free(struct gs_store *store, struct exemplars *exemplars) {
	if (exemplars != NULL)
		gs_store_release(store, exemplars, exemplars->bytes);
}

static bool same_one(const struct exemplars *a, const struct exemplars *b, uint32_t i) {
	const struct exemplar *x = &a->e[i], *y = &b->e[i];
	return memcmp(&x->at, &y->at, sizeof(x->at)) == 0 && memcmp(&x->value, &y->value, sizeof(x->value)) == 0 &&
	       x->has_timestamp == y->has_timestamp && x->timestamp_ms == y->timestamp_ms && x->n == y->n &&
	       memcmp((const char *)a + x->text, (const char *)b + y->text, x->n) == 0;
}

bool gs_exemplars_same(const struct exemplars *a, const struct exemplars *b) {
	if (a == NULL || b == NULL || a->n != b->n)
		return a == b;
	for (uint32_t i = 0; i < a->n; i++) {
		if (!same_one(a, b, i))
			return false;
	}
	return true;
}

const struct exemplar *gs_exemplars_find(const struct exemplars *exemplars, double at) {
	uint32_t low = 0, high = exemplars != NULL ? exemplars->n : 0;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (exemplars->e[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return exemplars != NULL && low < exemplars->n && exemplars->e[low].at == at ? &exemplars->e[low] : NULL;
}

struct gs_exemplar gs_exemplar_read(
    const struct exemplars *exemplars, const struct exemplar *exemplar, struct exemplar_room *room) {
	struct gs_str rest = gs_str_make((const char *)exemplars + exemplar->text, exemplar->n);
	struct gs_label raw;
	size_t n = 0;
	char *at = room->bytes;
	while (n < EXEMPLAR_LABELS && gs_label_next(&rest, &raw)) {
		room->labels[n].name = gs_label_read(raw.name, at);
		at += room->labels[n].name.n;
		room->labels[n].value = gs_label_read(raw.value, at);
		at += room->labels[n].value.n;
		n++;
	}
	return (struct gs_exemplar){.labels = room->labels,
	    .nlabels = n,
	    .value = exemplar->value,
	    .has_timestamp = exemplar->has_timestamp,
	    .timestamp_ms = exemplar->timestamp_ms};
}

static bool is_valid(const struct exemplars *exemplars) {
	struct exemplar_room room;
	size_t end = sizeof(*exemplars) + exemplars->n * sizeof(struct exemplar);
	for (uint32_t i = 0; i < exemplars->n; i++) {
		const struct exemplar *e = &exemplars->e[i];
		if (e->text != end || (i != 0 && !(exemplars->e[i - 1].at < e->at)))
			return false;
		end += e->n;
		struct gs_exemplar read = gs_exemplar_read(exemplars, e, &room);
		if (!is_short(&read))
			return false;
	}
	return exemplars->n != 0 && end == exemplars->bytes;
}

void gs_exemplars_check(const struct exemplars *exemplars) {
	assert(exemplars == NULL || is_valid(exemplars));
}

/* One of them, by way of what a batch has. */
static void archive_one(struct archive *archive, double *at, struct batch_exemplar *one) {
	gs_archive_double(archive, at);
	gs_archive_double(archive, &one->value);
	gs_archive_bool(archive, &one->has_timestamp);
	gs_archive_i64(archive, &one->timestamp_ms);
	gs_archive_str(archive, &one->text, 2 * EXEMPLAR_BYTES + 6 * EXEMPLAR_LABELS);
}

/* Room to put exemplars together in, as many as are claimed, but only as they come. */
struct loaded {
	struct batch_exemplar one;
	double at;
};

static void load(struct archive *archive, uint32_t n, struct loaded *loaded, struct gs_buf *texts) {
	for (uint32_t i = 0; i < n && archive->status == GS_OK; i++) {
		struct batch_exemplar *one = &loaded[i].one;
		bool odd = false;
		archive_one(archive, &loaded[i].at, one);
		if (archive->status == GS_OK && !gs_label_is_text(one->text, false, &odd))
			gs_archive_fail(archive, GS_EINVAL);
		gs_buf_str(texts, one->text);
		gs_archive_fail(archive, texts->status);
	}
	size_t at = 0;
	for (uint32_t i = 0; i < n && archive->status == GS_OK; at += loaded[i++].one.text.n)
		loaded[i].one.text.p = texts->n != 0 ? texts->p + at : "";
}

static struct exemplars *join(struct gs_store *store, const struct loaded *loaded, uint32_t n) {
	struct block block = {0};
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < n; i++)
			put(&block, loaded[i].at, &loaded[i].one);
		if (pass == 0 && !open_block(store, &block))
			return NULL;
	}
	return block.to;
}

static void load_exemplars(struct archive *archive, uint32_t n, struct exemplars **exemplars) {
	struct gs_buf texts;
	struct loaded *loaded = gs_alloc_array(n, sizeof(*loaded));
	gs_buf_init(&texts, SIZE_MAX / 2);
	if (loaded == NULL)
		gs_archive_fail(archive, GS_ENOMEM);
	else
		load(archive, n, loaded, &texts);
	if (archive->status == GS_OK && (*exemplars = join(archive->store, loaded, n)) == NULL)
		gs_archive_fail(archive, GS_ENOMEM);
	if (archive->status == GS_OK && !is_valid(*exemplars))
		gs_archive_fail(archive, GS_EINVAL);
	gs_buf_free(&texts);
	gs_free(loaded);
}

void gs_archive_exemplars(struct archive *archive, struct exemplars **exemplars) {
	uint32_t n = archive->loading ? 0 : (*exemplars)->n;
	gs_archive_u32(archive, &n, GS_LIMIT_BUCKETS + 1);
	if (archive->loading) {
		*exemplars = NULL;
		load_exemplars(archive, n, exemplars);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct batch_exemplar one = view(*exemplars, &(*exemplars)->e[i]);
		double at = (*exemplars)->e[i].at;
		archive_one(archive, &at, &one);
	}
}
