/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/telemetry/telemetry.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "gravel/base/limits.h"
#include "gravel/base/lock.h"
#include "gravel/base/map.h"
#include "gravel/base/mem.h"
#include "table.h"

#define VALUE_MAX 256 /* bytes of a label value; a longer one is cut */
#define KEY_MAX (2 * VALUE_MAX + 1)
#define SEPARATOR '\xff' /* in no UTF-8 text */

struct key {
	size_t n;
	char p[KEY_MAX];
};

struct series {
	double value;
	size_t n;
	char key[]; /* value1, or value1 SEPARATOR value2 */
};

/* A double in an atomic word. */
typedef _Atomic uint64_t atomic_double;

/* Of metrics without labels. */
static struct {
	atomic_double value;
	_Atomic bool set;
} cells[GS_METRICS];

static struct {
	_Atomic uint64_t counts[GS_METRIC_BOUNDS + 1];
	atomic_double sum;
} histograms[GS_METRICS];

/* Of metrics with labels, under the lock. What finds no room, or no memory, is counted in "other", which needs neither. */
static struct {
	struct gs_map *series;
	double other;
	bool has_other;
} labelled[GS_METRICS];

static struct gs_lock lock;
static pthread_once_t lock_once = PTHREAD_ONCE_INIT;

static void make_lock(void) {
	enum gs_status status = gs_lock_init(&lock, GS_RANK_TELEMETRY);
	assert(status == GS_OK); /* a mutex without attributes allocates nothing */
}

static void take_lock(void) {
	pthread_once(&lock_once, make_lock);
	gs_lock_take(&lock);
}

static double load_double(atomic_double *word) {
	uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);
	double v;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static uint64_t bits_of(double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static void add_double(atomic_double *word, double v) {
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
	double sum;
	do {
		memcpy(&sum, &old, sizeof(sum));
		sum += v;
	} while (!atomic_compare_exchange_weak_explicit(
	    word, &old, bits_of(sum), memory_order_relaxed, memory_order_relaxed));
}

/* Using a metric as what it is not is a mistake of ours, found by the first test that comes by. */
static void assert_is(enum gs_metric id, bool labels, bool is_type) {
	assert(id < GS_METRICS && is_type);
	assert((gs_metric_table[id].labels[0] != '\0') == labels);
}

static bool is_type(enum gs_metric id, enum gs_metric_type type) {
	return gs_metric_table[id].type == type;
}

void gs_metric_add(enum gs_metric id, double v) {
	assert_is(id, false, is_type(id, GS_METRIC_GAUGE) || (is_type(id, GS_METRIC_COUNTER) && v >= 0));
	add_double(&cells[id].value, v);
	atomic_store_explicit(&cells[id].set, true, memory_order_relaxed);
}

void gs_metric_set(enum gs_metric id, double v) {
	assert_is(id, false, is_type(id, GS_METRIC_GAUGE));
	atomic_store_explicit(&cells[id].value, bits_of(v), memory_order_relaxed);
	atomic_store_explicit(&cells[id].set, true, memory_order_relaxed);
}

void gs_metric_observe(enum gs_metric id, double v) {
	size_t i = 0;
	assert_is(id, false, is_type(id, GS_METRIC_HISTOGRAM));
	if (!isfinite(v))
		return; /* it would spoil the sum for ever */
	while (i < GS_METRIC_BOUNDS && v > gs_metric_bounds[i])
		i++;
	atomic_fetch_add_explicit(&histograms[id].counts[i], 1, memory_order_relaxed);
	add_double(&histograms[id].sum, v);
}

void gs_metric_histogram(enum gs_metric id, uint64_t ret_counts[GS_METRIC_BOUNDS + 1], double *ret_sum) {
	for (size_t i = 0; i <= GS_METRIC_BOUNDS; i++)
		ret_counts[i] = atomic_load_explicit(&histograms[id].counts[i], memory_order_relaxed);
	*ret_sum = load_double(&histograms[id].sum);
}

/* Values may come from outside (a publisher's name): bytes that are not UTF-8 would break the exposition. */
static void key_value(struct key *key, const char *value) {
	struct gs_str s = gs_str_of(value);
	if (s.n > VALUE_MAX) {
		s.n = VALUE_MAX;
		while (s.n != 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	bool utf8 = gs_str_is_utf8(s);
	for (size_t i = 0; i < s.n; i++)
		key->p[key->n++] = utf8 || (unsigned char)s.p[i] < 0x80 ? s.p[i] : '?';
}

static struct gs_str make_key(enum gs_metric id, struct key *key, const char *value1, const char *value2) {
	struct gs_str names[2];
	key->n = 0;
	key_value(key, value1);
	if (gs_metric_row_labels(&gs_metric_table[id], names) == 2) {
		key->p[key->n++] = SEPARATOR;
		key_value(key, value2);
	}
	return gs_str_make(key->p, key->n);
}

static bool is_other(enum gs_metric id, struct gs_str key) {
	struct gs_str names[2];
	if (gs_metric_row_labels(&gs_metric_table[id], names) == 2)
		return gs_str_eq(key, GS_STR("other\xff"
					     "other"));
	return gs_str_eq(key, GS_STR("other"));
}

static struct series *insert_locked(enum gs_metric id, struct gs_str key) {
	gs_lock_assert_held(&lock);
	if (labelled[id].series == NULL)
		labelled[id].series = gs_map_new(GS_LIMIT_METRIC_SERIES);
	struct series *s = labelled[id].series != NULL ? gs_alloc(sizeof(*s) + key.n) : NULL;
	if (s == NULL)
		return NULL;
	memcpy(s->key, key.p, key.n);
	s->n = key.n;
	if (gs_map_put(labelled[id].series, gs_str_make(s->key, s->n), s) != GS_OK) {
		gs_free(s);
		return NULL;
	}
	return s;
}

static struct series *find_locked(enum gs_metric id, struct gs_str key) {
	return labelled[id].series != NULL ? gs_map_get(labelled[id].series, key) : NULL;
}

/* Where the value of this key is kept. */
static double *place_locked(enum gs_metric id, struct gs_str key) {
	struct series *s = NULL;
	if (!is_other(id, key) && (s = find_locked(id, key)) == NULL)
		s = insert_locked(id, key);
	if (s != NULL)
		return &s->value;
	labelled[id].has_other = true;
	return &labelled[id].other;
}

void gs_metric_add_l(enum gs_metric id, double v, const char *value1, const char *value2) {
	struct key key;
	assert_is(id, true, is_type(id, GS_METRIC_GAUGE) || (is_type(id, GS_METRIC_COUNTER) && v >= 0));
	struct gs_str k = make_key(id, &key, value1, value2);
	take_lock();
	*place_locked(id, k) += v;
	gs_lock_release(&lock);
}

void gs_metric_set_l(enum gs_metric id, double v, const char *value1, const char *value2) {
	struct key key;
	assert_is(id, true, is_type(id, GS_METRIC_GAUGE));
	struct gs_str k = make_key(id, &key, value1, value2);
	take_lock();
	*place_locked(id, k) = v;
	gs_lock_release(&lock);
}

void gs_metric_drop_l(enum gs_metric id, const char *value1, const char *value2) {
	struct key key;
	assert_is(id, true, true);
	struct gs_str k = make_key(id, &key, value1, value2);
	struct series *s = NULL;
	take_lock();
	if (is_other(id, k)) {
		labelled[id].has_other = false;
		labelled[id].other = 0;
	} else if (labelled[id].series != NULL) {
		s = gs_map_remove(labelled[id].series, k);
	}
	gs_lock_release(&lock);
	gs_free(s);
}

static double get_labelled(enum gs_metric id, const char *value1, const char *value2) {
	struct key key;
	struct gs_str k = make_key(id, &key, value1, value2);
	take_lock();
	struct series *s = find_locked(id, k);
	double v = s != NULL ? s->value : is_other(id, k) ? labelled[id].other : 0;
	gs_lock_release(&lock);
	return v;
}

double gs_metric_get(enum gs_metric id, const char *value1, const char *value2) {
	assert(id < GS_METRICS);
	if (gs_metric_table[id].labels[0] != '\0')
		return get_labelled(id, value1, value2);
	if (!is_type(id, GS_METRIC_HISTOGRAM))
		return load_double(&cells[id].value);
	uint64_t counts[GS_METRIC_BOUNDS + 1], n = 0;
	double sum;
	gs_metric_histogram(id, counts, &sum);
	for (size_t i = 0; i <= GS_METRIC_BOUNDS; i++)
		n += counts[i];
	return (double)n;
}

static int compare_points(const void *a, const void *b) {
	const struct gs_metric_point *x = a, *y = b;
	int c = gs_str_cmp(x->values[0], y->values[0]);
	return c != 0 ? c : gs_str_cmp(x->values[1], y->values[1]);
}

static void fill_point(struct gs_metric_point *point, struct gs_str key, double value) {
	gs_str_cut(key, SEPARATOR, &point->values[0], &point->values[1]);
	point->value = value;
}

/* Bounded by GS_LIMIT_METRIC_SERIES keys of KEY_MAX bytes. */
static enum gs_status copy_locked(
    enum gs_metric id, struct gs_arena *arena, struct gs_metric_point *points, size_t *n) {
	size_t cursor = 0;
	struct series *s;
	while (labelled[id].series != NULL && (s = gs_map_next(labelled[id].series, &cursor, NULL)) != NULL) {
		struct gs_str key = gs_arena_dup(arena, gs_str_make(s->key, s->n));
		if (key.n != s->n)
			return GS_ENOMEM;
		fill_point(&points[(*n)++], key, s->value);
	}
	return GS_OK;
}

static enum gs_status labelled_points(
    enum gs_metric id, struct gs_arena *arena, struct gs_metric_point **ret_points, size_t *ret_n) {
	struct gs_str names[2];
	size_t count, n = 0;
	enum gs_status status = GS_ENOMEM;
	take_lock();
	count = labelled[id].series != NULL ? gs_map_count(labelled[id].series) : 0;
	struct gs_metric_point *points = gs_arena_alloc(arena, (count + 1) * sizeof(*points));
	if (points == NULL)
		goto out;
	status = copy_locked(id, arena, points, &n);
	if (labelled[id].has_other) {
		fill_point(&points[n], GS_STR("other"), labelled[id].other);
		if (gs_metric_row_labels(&gs_metric_table[id], names) == 2)
			points[n].values[1] = GS_STR("other");
		n++;
	}
out:
	gs_lock_release(&lock);
	if (status != GS_OK)
		return status;
	qsort(points, n, sizeof(*points), compare_points);
	*ret_points = points;
	*ret_n = n;
	return GS_OK;
}

enum gs_status gs_metric_points(
    enum gs_metric id, struct gs_arena *arena, struct gs_metric_point **ret_points, size_t *ret_n) {
	*ret_n = 0;
	if (gs_metric_table[id].labels[0] != '\0')
		return labelled_points(id, arena, ret_points, ret_n);
	/* A gauge that nobody ever set has no value; a counter that nobody touched is 0. */
	if (is_type(id, GS_METRIC_GAUGE) && !atomic_load_explicit(&cells[id].set, memory_order_relaxed))
		return GS_OK;
	struct gs_metric_point *point = gs_arena_alloc(arena, sizeof(*point));
	if (point == NULL)
		return GS_ENOMEM;
	*point = (struct gs_metric_point){.value = load_double(&cells[id].value)};
	*ret_points = point;
	*ret_n = 1;
	return GS_OK;
}

static void reset_locked(size_t id) {
	size_t cursor = 0;
	struct series *s;
	while (labelled[id].series != NULL && (s = gs_map_next(labelled[id].series, &cursor, NULL)) != NULL) {
		gs_map_remove(labelled[id].series, gs_str_make(s->key, s->n));
		gs_free(s);
	}
	gs_map_free(labelled[id].series);
	labelled[id].series = NULL;
	labelled[id].other = 0;
	labelled[id].has_other = false;
}

void gs_telemetry_reset(void) {
	take_lock();
	for (size_t id = 0; id < GS_METRICS; id++) {
		reset_locked(id);
		atomic_store(&cells[id].value, 0);
		atomic_store(&cells[id].set, false);
		atomic_store(&histograms[id].sum, 0);
		for (size_t i = 0; i <= GS_METRIC_BOUNDS; i++)
			atomic_store(&histograms[id].counts[i], 0);
	}
	gs_lock_release(&lock);
}
