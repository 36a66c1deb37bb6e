/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native histograms: copies of what was read, and their sum. Bucket i of schema s reaches from 2^((i-1)/2^s) to 2^(i/2^s), so one of the
 * schema below is two of them. Two are added in the lower schema of both, with the wider zero bucket of both.
 */
#include <assert.h>

#include "archive.h"
#include "gravel/base/mem.h"

#define SCHEMA_MIN (-4)
#define WHOLE_MAX 0x1p53 /* of a count that is exact */

/* Of a batch */

static const void *keep(struct gs_batch *batch, const void *from, size_t n, size_t size, bool *failed) {
	void *copy = gs_arena_alloc(batch->arena, n * size + 1);
	*failed = *failed || copy == NULL;
	if (copy != NULL && n != 0)
		memcpy(copy, from, n * size);
	return copy;
}

static void keep_side(struct gs_batch *batch, struct gs_native_side *side, bool *failed) {
	side->spans = keep(batch, side->spans, side->nspans, sizeof(*side->spans), failed);
	side->deltas = keep(batch, side->deltas, side->ndeltas, sizeof(*side->deltas), failed);
	side->counts = keep(batch, side->counts, side->ncounts, sizeof(*side->counts), failed);
}

static bool keep_exemplars(struct gs_batch *batch, struct batch_native *native, const struct gs_native *from) {
	const struct batch_exemplar *one;
	size_t n = from->nexemplars < NATIVE_EXEMPLARS ? from->nexemplars : NATIVE_EXEMPLARS;
	struct batch_exemplar *exemplars = gs_arena_alloc(batch->arena, n * sizeof(*exemplars) + 1);
	if (exemplars == NULL)
		return false;
	native->exemplars = exemplars;
	for (size_t i = 0; i < n; i++) {
		if (gs_batch_exemplar(batch, &from->exemplars[i], &one) != GS_OK)
			return false;
		if (one != NULL)
			exemplars[native->nexemplars++] = *one;
	}
	return true;
}

const struct batch_native *gs_batch_native(struct gs_batch *batch, const struct gs_native *from) {
	struct batch_native *native = gs_arena_alloc(batch->arena, sizeof(*native));
	bool failed = false;
	if (native == NULL)
		return NULL;
	*native = (struct batch_native){.it = *from};
	native->it.exemplars = NULL;
	native->it.nexemplars = 0;
	if (!(from->zero_threshold > 0))
		native->it.zero_threshold = 0;
	keep_side(batch, &native->it.positive, &failed);
	keep_side(batch, &native->it.negative, &failed);
	return !failed && keep_exemplars(batch, native, from) ? native : NULL;
}

/* Of the store */

static size_t side_bytes(const struct gs_native_side *side) {
	return side->ndeltas * sizeof(*side->deltas) + side->ncounts * sizeof(*side->counts) +
	       side->nspans * sizeof(*side->spans);
}

static void *take(char **at, const void *from, size_t n) {
	void *to = *at;
	if (n != 0)
		memcpy(to, from, n);
	*at += n;
	return to;
}

/* All of these are multiples of 8 bytes. */
static void copy_side(struct gs_native_side *side, char **at) {
	side->deltas = take(at, side->deltas, side->ndeltas * sizeof(*side->deltas));
	side->counts = take(at, side->counts, side->ncounts * sizeof(*side->counts));
	side->spans = take(at, side->spans, side->nspans * sizeof(*side->spans));
}

static struct native *copy(struct gs_store *store, const struct gs_native *from) {
	size_t bytes = sizeof(struct native) + side_bytes(&from->positive) + side_bytes(&from->negative);
	struct native *native = gs_store_alloc(store, bytes);
	if (native == NULL)
		return NULL;
	char *at = (char *)(native + 1);
	native->bytes = bytes;
	native->it = *from;
	copy_side(&native->it.positive, &at);
	copy_side(&native->it.negative, &at);
	return native;
}

void gs_native_free(struct gs_store *store, struct native *native) {
	if (native == NULL)
		return;
	gs_exemplars_free(store, native->exemplars);
	gs_store_release(store, native, native->bytes);
}

/* Sums */

struct bucket {
	int32_t index;
	double count;
};

struct side {
	struct bucket *buckets; /* by rising index */
	size_t n;
};

/* What a sum is made with. */
struct sum {
	struct side sides[2]; /* positive, negative */
	int32_t schema;
	double zero_threshold;
	double zero_count;
	bool is_float;
};

static void sum_free(struct sum *sum) {
	gs_free(sum->sides[0].buckets);
	gs_free(sum->sides[1].buckets);
}

static bool read_side(const struct gs_native_side *from, struct side *to) {
	size_t n = from->ndeltas + from->ncounts, k = 0;
	int64_t index = 0, count = 0;
	to->buckets = gs_alloc_array(n + 1, sizeof(*to->buckets));
	if (to->buckets == NULL)
		return false;
	for (size_t i = 0; i < from->nspans; i++) {
		index += from->spans[i].offset;
		for (uint32_t b = 0; b < from->spans[i].length; b++, k++) {
			if (k < from->ndeltas)
				count += from->deltas[k];
			to->buckets[k] = (struct bucket){
			    .index = (int32_t)index++, .count = from->ndeltas != 0 ? (double)count : from->counts[k]};
		}
	}
	to->n = k;
	return true;
}

static bool sum_open(struct sum *sum, const struct gs_native *from) {
	*sum = (struct sum){.schema = from->schema,
	    .zero_threshold = from->zero_threshold,
	    .zero_count = from->zero_count,
	    .is_float = from->is_float};
	return read_side(&from->positive, &sum->sides[0]) && read_side(&from->negative, &sum->sides[1]);
}

static void reduce_side(struct side *side, int32_t by) {
	size_t n = 0;
	for (size_t i = 0; i < side->n; i++) {
		struct bucket bucket = side->buckets[i];
		bucket.index = (int32_t)((((int64_t)bucket.index - 1) >> by) + 1);
		if (n != 0 && side->buckets[n - 1].index == bucket.index)
			side->buckets[n - 1].count += bucket.count;
		else
			side->buckets[n++] = bucket;
	}
	side->n = n;
}

static void reduce(struct sum *sum, int32_t schema) {
	if (sum->schema == schema)
		return;
	reduce_side(&sum->sides[0], sum->schema - schema);
	reduce_side(&sum->sides[1], sum->schema - schema);
	sum->schema = schema;
}

/* The upper bound of a bucket. By square roots and products, which every machine rounds alike: replicas agree bit by bit. */
static double upper_bound(int32_t schema, int64_t index) {
	double root = 2, product = 1;
	int64_t exponent = schema > 0 ? index >> schema : index * ((int64_t)1 << -schema);
	for (int32_t bit = schema - 1; bit >= 0; bit--) {
		root = sqrt(root);
		if ((index >> bit & 1) != 0)
			product *= root;
	}
	return ldexp(product, exponent > 5000 ? 5000 : exponent < -5000 ? -5000 : (int)exponent);
}

/* Move what is below the threshold into the zero bucket. A bucket that is partly below widens it. True if it did. */
static bool widen_zero(struct sum *sum, double *threshold) {
	double before = *threshold;
	for (int s = 0; s < 2; s++) {
		struct side *side = &sum->sides[s];
		size_t gone = 0;
		while (gone < side->n) {
			struct bucket *bucket = &side->buckets[gone];
			if (!(upper_bound(sum->schema, (int64_t)bucket->index - 1) < *threshold))
				break;
			double upper = upper_bound(sum->schema, bucket->index);
			if (bucket->count > 0 && upper > *threshold)
				*threshold = upper;
			sum->zero_count += bucket->count;
			gone++;
		}
		side->n -= gone;
		memmove(side->buckets, side->buckets + gone, side->n * sizeof(*side->buckets));
	}
	sum->zero_threshold = *threshold;
	return *threshold > before;
}

/* Where they have the same zero bucket, what it overlaps is as it was pushed. */
static void agree_zero(struct sum *a, struct sum *b) {
	double threshold = a->zero_threshold > b->zero_threshold ? a->zero_threshold : b->zero_threshold;
	if (a->zero_threshold == b->zero_threshold)
		return;
	bool wider = true;
	while (wider) {
		bool of_a = widen_zero(a, &threshold), of_b = widen_zero(b, &threshold);
		wider = of_a || of_b;
	}
}

static bool add_side(struct side *a, const struct side *b) {
	struct bucket *sum = gs_alloc_array(a->n + b->n + 1, sizeof(*sum));
	size_t i = 0, k = 0, n = 0;
	if (sum == NULL)
		return false;
	while (i < a->n || k < b->n) {
		bool take_a = k == b->n || (i < a->n && a->buckets[i].index <= b->buckets[k].index);
		bool take_b = i == a->n || (k < b->n && b->buckets[k].index <= a->buckets[i].index);
		sum[n] = take_a ? a->buckets[i] : b->buckets[k];
		if (take_a && take_b)
			sum[n].count += b->buckets[k].count;
		n++;
		i += take_a;
		k += take_b;
	}
	gs_free(a->buckets);
	*a = (struct side){.buckets = sum, .n = n};
	return true;
}

/* ${b} to ${a}. False: no memory. */
static bool add(struct sum *a, struct sum *b) {
	int32_t schema = a->schema < b->schema ? a->schema : b->schema;
	reduce(a, schema);
	reduce(b, schema);
	agree_zero(a, b);
	a->zero_count += b->zero_count;
	a->is_float |= b->is_float;
	if (!add_side(&a->sides[0], &b->sides[0]) || !add_side(&a->sides[1], &b->sides[1]))
		return false;
	while (a->schema > SCHEMA_MIN && (a->sides[0].n > GS_LIMIT_BUCKETS || a->sides[1].n > GS_LIMIT_BUCKETS))
		reduce(a, a->schema - 1);
	return true;
}

/* One side of a sum as spans with deltas or counts. */
struct encoded {
	struct gs_span *spans;
	int64_t *deltas;
	double *counts;
};

static void encoded_free(struct encoded *e) {
	gs_free(e->spans);
	gs_free(e->deltas);
	gs_free(e->counts);
}

static bool encode_side(const struct side *side, bool is_float, struct encoded *e, struct gs_native_side *ret) {
	int64_t last = 0;
	*ret = (struct gs_native_side){0};
	e->spans = gs_alloc_array(side->n + 1, sizeof(*e->spans));
	e->deltas = gs_alloc_array(side->n + 1, sizeof(*e->deltas));
	e->counts = gs_alloc_array(side->n + 1, sizeof(*e->counts));
	if (e->spans == NULL || e->deltas == NULL || e->counts == NULL)
		return false;
	for (size_t i = 0; i < side->n; i++) {
		const struct bucket *bucket = &side->buckets[i];
		int64_t next = i != 0 ? (int64_t)side->buckets[i - 1].index + 1 : 0;
		if (i == 0 || bucket->index != next)
			e->spans[ret->nspans++] = (struct gs_span){.offset = (int32_t)(bucket->index - next)};
		e->spans[ret->nspans - 1].length++;
		e->counts[i] = bucket->count;
		if (is_float)
			continue;
		e->deltas[i] = (int64_t)bucket->count - last;
		last = (int64_t)bucket->count;
	}
	ret->spans = e->spans;
	ret->deltas = e->deltas;
	ret->ndeltas = is_float ? 0 : side->n;
	ret->counts = e->counts;
	ret->ncounts = is_float ? side->n : 0;
	return true;
}

/* Whether it can be said, and its counts can be whole numbers if they were. */
static bool check_side(const struct side *side, bool *is_float) {
	for (size_t i = 0; i < side->n; i++) {
		if (!(side->buckets[i].count <= WHOLE_MAX))
			*is_float = true;
		if (i != 0 && (int64_t)side->buckets[i].index - side->buckets[i - 1].index - 1 > INT32_MAX)
			return false;
	}
	return side->n <= GS_LIMIT_BUCKETS;
}

/* The sum as one of the store. *ret is NULL where it cannot be said. */
static enum gs_status encode(
    struct gs_store *store, const struct sum *sum, double count, double of_values, struct native **ret) {
	struct encoded e[2] = {0};
	struct gs_native it = {.is_float = sum->is_float,
	    .schema = sum->schema,
	    .zero_threshold = sum->zero_threshold,
	    .zero_count = sum->zero_count,
	    .count = count,
	    .sum = of_values};
	if (!(count <= WHOLE_MAX))
		it.is_float = true;
	if (!check_side(&sum->sides[0], &it.is_float) || !check_side(&sum->sides[1], &it.is_float))
		return GS_OK;
	if (encode_side(&sum->sides[0], it.is_float, &e[0], &it.positive) &&
	    encode_side(&sum->sides[1], it.is_float, &e[1], &it.negative))
		*ret = copy(store, &it);
	encoded_free(&e[0]);
	encoded_free(&e[1]);
	return *ret != NULL ? GS_OK : GS_ENOMEM;
}

static enum gs_status merge(
    struct gs_store *store, const struct gs_native *old, const struct gs_native *pushed, struct native **ret) {
	struct sum a = {0}, b = {0};
	enum gs_status status = GS_ENOMEM;
	if (sum_open(&a, old) && sum_open(&b, pushed) && add(&a, &b))
		status = encode(store, &a, old->count + pushed->count, old->sum + pushed->sum, ret);
	sum_free(&a);
	sum_free(&b);
	return status;
}

/* Those of the push, if it has any. */
static enum gs_status take_exemplars(
    struct gs_store *store, const struct batch_native *pushed, const struct native *old, struct native *native) {
	if (pushed->nexemplars != 0)
		native->exemplars = gs_exemplars_list(store, pushed->exemplars, pushed->nexemplars);
	else if (old != NULL && old->exemplars != NULL)
		native->exemplars = gs_exemplars_copy(store, old->exemplars);
	else
		return GS_OK;
	return native->exemplars != NULL ? GS_OK : GS_ENOMEM;
}

enum gs_status gs_native_of_point(struct gs_store *store, const struct batch_point *point, const struct native *old,
    bool merged, struct native **ret) {
	const struct batch_native *pushed = point->native;
	enum gs_status status = GS_OK;
	*ret = NULL;
	if (pushed == NULL || (merged && old == NULL))
		return GS_OK;
	if (merged) {
		status = merge(store, &old->it, &pushed->it, ret);
	} else {
		*ret = copy(store, &pushed->it);
		status = *ret != NULL ? GS_OK : GS_ENOMEM;
	}
	if (*ret != NULL)
		status = take_exemplars(store, pushed, merged ? old : NULL, *ret);
	if (status != GS_OK) {
		gs_native_free(store, *ret);
		*ret = NULL;
	}
	return status;
}

static bool same_bits(double a, double b) {
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool same_bytes(const void *a, size_t na, const void *b, size_t nb, size_t size) {
	return na == nb && (na == 0 || memcmp(a, b, na * size) == 0);
}

static bool same_side(const struct gs_native_side *a, const struct gs_native_side *b) {
	return same_bytes(a->spans, a->nspans, b->spans, b->nspans, sizeof(*a->spans)) &&
	       same_bytes(a->deltas, a->ndeltas, b->deltas, b->ndeltas, sizeof(*a->deltas)) &&
	       same_bytes(a->counts, a->ncounts, b->counts, b->ncounts, sizeof(*a->counts));
}

bool gs_native_same(const struct native *a, const struct native *b) {
	if (a == NULL || b == NULL)
		return a == b;
	const struct gs_native *x = &a->it, *y = &b->it;
	return x->is_float == y->is_float && x->schema == y->schema &&
	       same_bits(x->zero_threshold, y->zero_threshold) && same_bits(x->zero_count, y->zero_count) &&
	       same_bits(x->count, y->count) && same_bits(x->sum, y->sum) && same_side(&x->positive, &y->positive) &&
	       same_side(&x->negative, &y->negative) && gs_exemplars_same(a->exemplars, b->exemplars);
}

static bool is_valid_side(const struct gs_native_side *side, bool is_float) {
	uint64_t n = 0;
	int64_t index = 0, count = 0;
	for (size_t i = 0; i < side->nspans; i++) {
		index += (int64_t)side->spans[i].offset + side->spans[i].length;
		if ((i != 0 && side->spans[i].offset < 0) || index > (int64_t)INT32_MAX)
			return false;
		n += side->spans[i].length;
	}
	if (n != (is_float ? side->ncounts : side->ndeltas) || (is_float ? side->ndeltas : side->ncounts) != 0)
		return false;
	for (size_t i = 0; i < side->ndeltas; i++) {
		if (__builtin_add_overflow(count, side->deltas[i], &count) || count < 0)
			return false;
	}
	for (size_t i = 0; i < side->ncounts; i++) {
		if (!(side->counts[i] >= 0))
			return false;
	}
	return true;
}

static bool is_valid(const struct gs_native *it) {
	return it->schema >= SCHEMA_MIN && it->schema <= 8 && it->nexemplars == 0 && it->zero_threshold >= 0 &&
	       is_valid_side(&it->positive, it->is_float) && is_valid_side(&it->negative, it->is_float);
}

void gs_native_check(const struct native *native) {
	if (native == NULL)
		return;
	assert(is_valid(&native->it));
	gs_exemplars_check(native->exemplars);
}

/* The arrays of one side while it is loaded. */
struct side_room {
	struct gs_span *spans;
	int64_t *deltas;
	double *counts;
};

static void *room_for(struct archive *archive, size_t n, size_t size) {
	void *room = archive->status == GS_OK ? gs_alloc_array(n, size) : NULL;
	if (room == NULL)
		gs_archive_fail(archive, GS_ENOMEM);
	return room;
}

static void archive_size(struct archive *archive, size_t *n) {
	uint32_t size = (uint32_t)*n;
	gs_archive_u32(archive, &size, GS_LIMIT_BUCKETS);
	*n = size;
}

static void open_room(struct archive *archive, struct gs_native_side *side, struct side_room *room) {
	side->spans = room->spans = room_for(archive, side->nspans, sizeof(*room->spans));
	side->deltas = room->deltas = room_for(archive, side->ndeltas, sizeof(*room->deltas));
	side->counts = room->counts = room_for(archive, side->ncounts, sizeof(*room->counts));
}

static void archive_side(struct archive *archive, struct gs_native_side *side, struct side_room *room) {
	archive_size(archive, &side->nspans);
	archive_size(archive, &side->ndeltas);
	archive_size(archive, &side->ncounts);
	if (archive->loading)
		open_room(archive, side, room);
	for (size_t i = 0; i < side->nspans && archive->status == GS_OK; i++) {
		struct gs_span span = archive->loading ? (struct gs_span){0} : side->spans[i];
		int64_t offset = span.offset;
		gs_archive_i64(archive, &offset);
		gs_archive_u32(archive, &span.length, UINT32_MAX);
		if (offset < INT32_MIN || offset > INT32_MAX)
			gs_archive_fail(archive, GS_EINVAL);
		span.offset = (int32_t)offset;
		if (archive->loading)
			room->spans[i] = span;
	}
	for (size_t i = 0; i < side->ndeltas && archive->status == GS_OK; i++) {
		int64_t delta = archive->loading ? 0 : side->deltas[i];
		gs_archive_i64(archive, &delta);
		if (archive->loading)
			room->deltas[i] = delta;
	}
	for (size_t i = 0; i < side->ncounts && archive->status == GS_OK; i++) {
		double count = archive->loading ? 0 : side->counts[i];
		gs_archive_double(archive, &count);
		if (archive->loading)
			room->counts[i] = count;
	}
}

static void close_room(struct side_room *room) {
	gs_free(room->spans);
	gs_free(room->deltas);
	gs_free(room->counts);
}

static void archive_numbers(struct archive *archive, struct gs_native *it) {
	int64_t schema = it->schema;
	gs_archive_bool(archive, &it->is_float);
	gs_archive_i64(archive, &schema);
	it->schema = schema < SCHEMA_MIN || schema > INT32_MAX ? INT32_MAX : (int32_t)schema;
	gs_archive_double(archive, &it->zero_threshold);
	gs_archive_double(archive, &it->zero_count);
	gs_archive_double(archive, &it->count);
	gs_archive_double(archive, &it->sum);
}

void gs_archive_native(struct archive *archive, struct native **native) {
	struct gs_native it = archive->loading ? (struct gs_native){0} : (*native)->it;
	struct exemplars *exemplars = archive->loading ? NULL : (*native)->exemplars;
	struct side_room rooms[2] = {{0}};
	bool has = exemplars != NULL;
	archive_numbers(archive, &it);
	archive_side(archive, &it.positive, &rooms[0]);
	archive_side(archive, &it.negative, &rooms[1]);
	gs_archive_bool(archive, &has);
	if (has)
		gs_archive_exemplars(archive, &exemplars);
	if (archive->loading) {
		if (archive->status == GS_OK && !is_valid(&it))
			gs_archive_fail(archive, GS_EINVAL);
		*native = archive->status == GS_OK ? copy(archive->store, &it) : NULL;
		if (*native != NULL) {
			(*native)->exemplars = exemplars;
		} else {
			gs_archive_fail(archive, GS_ENOMEM);
			gs_exemplars_free(archive->store, exemplars);
		}
	}
	close_room(&rooms[0]);
	close_room(&rooms[1]);
}
