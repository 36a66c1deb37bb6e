/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A logarithmic histogram that stores only buckets with something in them, after the idea of DDSketch. Where that takes the logarithm of a number, this one
 * splits it into its power of two and a mantissa, both exact, and looks the mantissa up in a table: logarithms differ by a last bit between
 * machines, and one bit can be another bucket.
 */
#include "sketch.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "archive.h"
#include "gravel/gravel/mode.h"

/* 35 buckets for each power of two: (2^(1/35) - 1) / (2^(1/35) + 1) = 0.0099 is how far the middle of one is from its ends. */
#define OCTAVE 35

/* 2^(i/35) / 2, to the nearest double. The middle of a bucket need not be known better than GS_SKETCH_ERROR. */
static const double edges[OCTAVE + 1] = {
    0x1.0000000000000p-1,
    0x1.051ed35254d7bp-1,
    0x1.0a57de9c16bc7p-1,
    0x1.0faba81d4e5dfp-1,
    0x1.151ab8c56eea2p-1,
    0x1.1aa59c4115e7dp-1,
    0x1.204ce10811781p-1,
    0x1.2611186bae675p-1,
    0x1.2bf2d6a54f7dap-1,
    0x1.31f2b2e54f85dp-1,
    0x1.381147622f886p-1,
    0x1.3e4f316812c30p-1,
    0x1.44ad116889e7bp-1,
    0x1.4b2b8b0aaf3c7p-1,
    0x1.51cb453b9536cp-1,
    0x1.588cea3f093bep-1,
    0x1.5f7127c0ac32ap-1,
    0x1.6678aee5629f8p-1,
    0x1.6da4345d1e0adp-1,
    0x1.74f47075017a0p-1,
    0x1.7c6a1f29e2ce6p-1,
    0x1.8406003b2ae5cp-1,
    0x1.8bc8d73e16610p-1,
    0x1.93b36bb158fffp-1,
    0x1.9bc68911258c0p-1,
    0x1.a402feeb9c533p-1,
    0x1.ac69a0f5a241cp-1,
    0x1.b4fb472022b1ap-1,
    0x1.bdb8cdadbe120p-1,
    0x1.c6a31548e794dp-1,
    0x1.cfbb031a741a5p-1,
    0x1.d90180e09c9e4p-1,
    0x1.e2777d0676770p-1,
    0x1.ec1deabbe3c14p-1,
    0x1.f5f5c20dfe5f2p-1,
    0x1.0000000000000p+0,
};

#define MIN_EXPONENT (DBL_MIN_EXP) /* of frexp, for DBL_MIN */
#define INFINITE ((DBL_MAX_EXP - MIN_EXPONENT + 1) * OCTAVE + 1)

/* Keys rise with the numbers: 0 is zero, negative ones are those of negative numbers. */
struct bucket {
	uint64_t word; /* the key, biased, above the count */
	double value; /* the only number that came; NaN if there was another */
};

#define COUNT_BITS 44 /* at a million a second half a year of one slice */
#define KEY_BIAS (INT32_C(1) << 19)

static int32_t key_in(const struct bucket *bucket) {
	return (int32_t)(bucket->word >> COUNT_BITS) - KEY_BIAS;
}

static uint64_t count_in(const struct bucket *bucket) {
	return bucket->word & ((UINT64_C(1) << COUNT_BITS) - 1);
}

/*
 * Invariants (gs_sketch_check):
 * 1. Keys rise strictly, counts are above 0, n <= GS_SKETCH_BUCKETS, n <= cap.
 * 2. min and max are those of all numbers; both NaN if there is none.
 * 3. The value of a bucket that has one belongs there, unless it is the lowest.
 */
struct gs_sketch {
	uint32_t n;
	uint32_t cap;
	double min;
	double max;
	struct bucket buckets[];
};

static size_t size_of(uint32_t cap) {
	return sizeof(struct gs_sketch) + cap * sizeof(struct bucket);
}

static int32_t key_of(double x) {
	double magnitude = fabs(x);
	int exponent = 0;
	if (magnitude < DBL_MIN)
		return 0;
	if (isinf(x))
		return x > 0 ? INFINITE : -INFINITE;
	double mantissa = frexp(magnitude, &exponent);
	int32_t low = 0, high = OCTAVE;
	while (high - low > 1) {
		int32_t middle = (low + high) / 2;
		*(mantissa >= edges[middle] ? &low : &high) = middle;
	}
	int32_t key = (exponent - MIN_EXPONENT) * OCTAVE + low + 1;
	return x > 0 ? key : -key;
}

/* The number that is off by the same factor from both ends of the bucket. */
static double middle_of(int32_t key) {
	int32_t place = (key > 0 ? key : -key) - 1;
	if (key == 0)
		return 0;
	if (place + 1 == INFINITE)
		return key > 0 ? INFINITY : -INFINITY;
	double low = edges[place % OCTAVE], high = edges[place % OCTAVE + 1];
	double middle = ldexp(2 * low * high / (low + high), place / OCTAVE + MIN_EXPONENT);
	return key > 0 ? middle : -middle;
}

struct gs_sketch *gs_sketch_reserve(struct gs_store *store, struct gs_sketch *sketch, size_t n) {
	uint32_t used = sketch != NULL ? sketch->n : 0, cap = sketch != NULL ? sketch->cap : 0;
	if (sketch != NULL && cap - used >= n)
		return sketch;
	size_t want = used + n;
	if (want < cap + cap / 2)
		want = cap + cap / 2;
	/* A whole merge may need twice as many for a moment; whoever only adds never has more than it needs. */
	if (want > GS_SKETCH_BUCKETS + 1 && used + n <= GS_SKETCH_BUCKETS + 1)
		want = GS_SKETCH_BUCKETS + 1;
	struct gs_sketch *grown =
	    gs_store_resize(store, sketch, sketch != NULL ? size_of(cap) : 0, size_of((uint32_t)want));
	if (grown == NULL)
		return NULL;
	if (sketch == NULL)
		*grown = (struct gs_sketch){.min = NAN, .max = NAN};
	grown->cap = (uint32_t)want;
	return grown;
}

void gs_sketch_free(struct gs_store *store, struct gs_sketch *sketch) {
	if (sketch != NULL)
		gs_store_release(store, sketch, size_of(sketch->cap));
}

struct gs_sketch *gs_sketch_copy(struct gs_store *store, const struct gs_sketch *from, size_t n) {
	struct gs_sketch *copy = gs_sketch_reserve(store, NULL, from->n + n);
	if (copy == NULL)
		return NULL;
	uint32_t cap = copy->cap;
	memcpy(copy, from, size_of(from->n));
	copy->cap = cap;
	return copy;
}

static void add_to_bucket(struct bucket *bucket, const struct bucket *more) {
	bucket->word += count_in(more);
	if (bucket->value != more->value) /* or one of them is a NaN */
		bucket->value = NAN;
}

/* Let the lowest buckets be one, so that no more than GS_SKETCH_BUCKETS are left. */
static void collapse(struct gs_sketch *sketch) {
	if (sketch->n <= GS_SKETCH_BUCKETS)
		return;
	uint32_t gone = sketch->n - GS_SKETCH_BUCKETS;
	for (uint32_t i = 0; i < gone; i++)
		add_to_bucket(&sketch->buckets[gone], &sketch->buckets[i]);
	sketch->n -= gone;
	memmove(sketch->buckets, sketch->buckets + gone, sketch->n * sizeof(*sketch->buckets));
}

static void widen(struct gs_sketch *sketch, double min, double max) {
	if (!(sketch->min <= min)) /* also of a NaN: nothing was there */
		sketch->min = min;
	if (!(sketch->max >= max))
		sketch->max = max;
}

/* The first bucket whose key is not below. */
static uint32_t place_of(const struct gs_sketch *sketch, int32_t key) {
	uint32_t low = 0, high = sketch->n;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (key_in(&sketch->buckets[middle]) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void gs_sketch_add(struct gs_sketch *sketch, double x, uint64_t times) {
	if (isnan(x))
		return;
	if (x == 0)
		x = 0; /* not -0, which would be another value */
	int32_t key = key_of(x);
	struct bucket bucket = {.word = ((uint64_t)(key + KEY_BIAS) << COUNT_BITS) + times, .value = x};
	widen(sketch, x, x);
	uint32_t i = place_of(sketch, key);
	/* The lowest of a full sketch stands for all that is below it. */
	bool below = i == 0 && sketch->n == GS_SKETCH_BUCKETS;
	if (below || (i < sketch->n && key_in(&sketch->buckets[i]) == key)) {
		add_to_bucket(&sketch->buckets[i], &bucket);
		return;
	}
	assert(sketch->n < sketch->cap); /* gs_sketch_reserve */
	memmove(sketch->buckets + i + 1, sketch->buckets + i, (sketch->n - i) * sizeof(bucket));
	sketch->buckets[i] = bucket;
	sketch->n++;
	collapse(sketch);
}

static uint32_t union_size(const struct gs_sketch *a, const struct gs_sketch *b) {
	uint32_t i = 0, k = 0, n = 0;
	for (; i < a->n && k < b->n; n++) {
		int32_t key_a = key_in(&a->buckets[i]), key_b = key_in(&b->buckets[k]);
		i += key_a <= key_b;
		k += key_b <= key_a;
	}
	return n + (a->n - i) + (b->n - k);
}

void gs_sketch_merge(struct gs_sketch *into, const struct gs_sketch *from) {
	if (from->n == 0)
		return;
	uint32_t n = union_size(into, from), i = into->n, k = from->n;
	assert(n <= into->cap);
	/* From the highest down, so that nothing is overwritten before its turn. */
	for (uint32_t at = n; k > 0; at--) {
		int32_t key = key_in(&from->buckets[k - 1]);
		bool mine = i > 0 && key_in(&into->buckets[i - 1]) >= key;
		bool both = mine && key_in(&into->buckets[i - 1]) == key;
		into->buckets[at - 1] = mine ? into->buckets[i - 1] : from->buckets[k - 1];
		if (both)
			add_to_bucket(&into->buckets[at - 1], &from->buckets[k - 1]);
		i -= mine;
		k -= both || !mine;
	}
	into->n = n;
	widen(into, from->min, from->max);
	collapse(into);
}

size_t gs_sketch_buckets(const struct gs_sketch *sketch) {
	return sketch->n;
}

/* ceil(n percent / 100), at least 1, without a product that could overflow. */
static uint64_t rank_of(uint64_t n, uint32_t percent_milli) {
	const uint64_t whole = 100 * GS_PERCENT_SCALE;
	uint64_t rank = n / whole * percent_milli + (n % whole * percent_milli + whole - 1) / whole;
	return rank != 0 ? rank : 1;
}

uint64_t gs_sketch_count(const struct gs_sketch *sketch) {
	uint64_t n = 0;
	for (uint32_t i = 0; i < sketch->n; i++)
		n += count_in(&sketch->buckets[i]);
	return n;
}

double gs_sketch_quantile(const struct gs_sketch *sketch, uint32_t percent_milli) {
	uint64_t total = gs_sketch_count(sketch), rank = rank_of(total, percent_milli), below = 0;
	if (rank == 1)
		return sketch->min; /* NaN when empty */
	if (rank == total)
		return sketch->max;
	const struct bucket *bucket = sketch->buckets;
	for (; below + count_in(bucket) < rank; bucket++)
		below += count_in(bucket);
	if (!isnan(bucket->value))
		return bucket->value;
	double middle = middle_of(key_in(bucket));
	middle = middle > sketch->min ? middle : sketch->min;
	return middle < sketch->max ? middle : sketch->max;
}

static bool is_valid(const struct gs_sketch *sketch) {
	if (sketch->n > sketch->cap || sketch->n > GS_SKETCH_BUCKETS)
		return false;
	if (sketch->n != 0 ? !(sketch->min <= sketch->max) : !isnan(sketch->min) || !isnan(sketch->max))
		return false;
	for (uint32_t i = 0; i < sketch->n; i++) {
		const struct bucket *bucket = &sketch->buckets[i];
		if (count_in(bucket) == 0 || (i != 0 && key_in(&sketch->buckets[i - 1]) >= key_in(bucket)))
			return false;
		if (isnan(bucket->value))
			continue;
		if ((i != 0 && key_of(bucket->value) != key_in(bucket)) || bucket->value < sketch->min ||
		    bucket->value > sketch->max)
			return false;
	}
	return true;
}

void gs_sketch_check(const struct gs_sketch *sketch) {
	assert(is_valid(sketch));
}

/* A cell may have none. */
void gs_archive_sketch(struct archive *archive, struct gs_sketch **sketch) {
	bool there = !archive->loading && *sketch != NULL;
	uint32_t n = there ? (*sketch)->n : 0;
	gs_archive_bool(archive, &there);
	if (archive->loading)
		*sketch = NULL;
	if (!there)
		return;
	gs_archive_u32(archive, &n, GS_SKETCH_BUCKETS);
	if (archive->loading && (*sketch = gs_sketch_reserve(archive->store, NULL, n)) == NULL) {
		gs_archive_fail(archive, GS_ENOMEM);
		return;
	}
	struct gs_sketch *it = *sketch;
	gs_archive_double(archive, &it->min);
	gs_archive_double(archive, &it->max);
	for (uint32_t i = 0; i < n; i++) {
		gs_archive_u64(archive, &it->buckets[i].word);
		gs_archive_double(archive, &it->buckets[i].value);
	}
	it->n = n;
	if (archive->loading && !is_valid(it))
		gs_archive_fail(archive, GS_EINVAL);
}
