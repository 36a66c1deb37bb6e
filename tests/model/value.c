/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of DESIGN 3.1 and 3.2. */
#include <math.h>
#include <stdlib.h>

#include "gravel/base/mem.h"
#include "model.h"

#define SLICES 100
#define NUMBERS_MAX 4096 /* pushes in a window */

bool m_parts_put(struct m_parts *parts, double at, const char *text, double v) {
	unsigned i = 0;
	while (i < parts->n && parts->at[i] < at)
		i++;
	if (i < parts->n && parts->at[i] == at)
		return false;
	m_demand(parts->n < M_PARTS, "too many bounds");
	for (unsigned k = parts->n; k > i; k--) {
		parts->at[k] = parts->at[k - 1];
		parts->text[k] = parts->text[k - 1];
		parts->v[k] = parts->v[k - 1];
	}
	parts->at[i] = at;
	parts->text[i] = text;
	parts->v[i] = v;
	parts->n++;
	return true;
}

/* What a histogram counts at a bound: what it has at its largest bound at or below it. */
static double count_at(const struct m_parts *parts, double at) {
	double v = 0;
	for (unsigned i = 0; i < parts->n && parts->at[i] <= at; i++)
		v = parts->v[i];
	return v;
}

static bool has_bound(const struct m_parts *parts, double at) {
	for (unsigned i = 0; i < parts->n; i++) {
		if (parts->at[i] == at)
			return true;
	}
	return false;
}

/* A NaN is no number: the other one is the lesser or greater. */
double m_combine(enum m_mode_kind mode, double a, double b) {
	if (mode != M_MIN && mode != M_MAX)
		return a + b;
	bool takes_b = isnan(a) || (mode == M_MIN ? b < a : b > a);
	return takes_b ? b : a;
}

static double combine_some(enum m_mode_kind mode, bool has_a, double a, bool has_b, double b) {
	if (has_a && has_b)
		return m_combine(mode, a, b);
	return has_a ? a : b;
}

/* A histogram: by the union of the bounds. A summary: of a quantile that adds up the last one stands. */
void m_parts_combine(enum m_mode_kind mode, struct m_parts *a, const struct m_parts *b, enum m_kind kind) {
	struct m_parts both = *a;
	for (unsigned i = 0; i < b->n; i++)
		(void)m_parts_put(&both, b->at[i], b->text[i], 0);
	for (unsigned i = 0; i < both.n; i++) {
		double at = both.at[i], in_a = count_at(a, at), in_b = count_at(b, at);
		if (kind == M_HISTOGRAM)
			both.v[i] = m_combine(mode, in_a, in_b);
		else if (mode == M_AGGREGATE)
			both.v[i] = has_bound(b, at) ? in_b : in_a;
		else
			both.v[i] = combine_some(mode, has_bound(a, at), in_a, has_bound(b, at), in_b);
	}
	both.sum = combine_some(mode, a->has_sum, a->sum, b->has_sum, b->sum);
	both.count = combine_some(mode, a->has_count, a->count, b->has_count, b->count);
	both.has_sum = a->has_sum || b->has_sum;
	both.has_count = a->has_count || b->has_count;
	*a = both;
}

void m_exemplars_put(struct m_exemplars *exemplars, double at, const struct m_exemplar *exemplar) {
	unsigned i = 0;
	while (i < exemplars->n && exemplars->at[i] != at)
		i++;
	bool old = i < exemplars->n && exemplars->e[i].has_time && exemplar->has_time &&
		   exemplar->time_ms < exemplars->e[i].time_ms;
	if (exemplar->trace == NULL || old)
		return;
	m_demand(i < M_PARTS, "too many exemplars");
	exemplars->at[i] = at;
	exemplars->e[i] = *exemplar;
	exemplars->n += i == exemplars->n;
}

void m_exemplars_add(struct m_exemplars *a, const struct m_exemplars *b) {
	for (unsigned i = 0; i < b->n; i++)
		m_exemplars_put(a, b->at[i], &b->e[i]);
}

struct m_pebble *m_pebble_new(const struct m_mode *mode) {
	struct m_pebble *pebble = gs_alloc(sizeof(*pebble));
	m_demand(pebble != NULL, "memory");
	pebble->agg = mode->agg;
	pebble->percent = mode->percent;
	pebble->window_ms = mode->window_ms;
	pebble->width_ms = (mode->window_ms + SLICES - 1) / SLICES;
	return pebble;
}

void m_pebble_free(struct m_pebble *pebble) {
	if (pebble == NULL)
		return;
	gs_free(pebble->events);
	gs_free(pebble);
}

bool m_pebble_is(const struct m_pebble *pebble, const struct m_mode *mode) {
	return pebble->agg == mode->agg && pebble->window_ms == mode->window_ms &&
	       (pebble->agg != M_PERCENTILE || pebble->percent == mode->percent);
}

static int64_t slice_of(const struct m_pebble *pebble, int64_t time_ms) {
	int64_t slice = time_ms / pebble->width_ms;
	return slice * pebble->width_ms > time_ms ? slice - 1 : slice;
}

static int64_t first_slice(const struct m_pebble *pebble, int64_t now_ms) {
	int64_t slices = (pebble->window_ms + pebble->width_ms - 1) / pebble->width_ms;
	return slice_of(pebble, now_ms) - slices + 1;
}

/* A value of the future is one of now. */
bool m_pebble_place(const struct m_pebble *pebble, int64_t now_ms, int64_t at_ms, int64_t *ret_slice) {
	*ret_slice = slice_of(pebble, at_ms < now_ms ? at_ms : now_ms);
	return *ret_slice >= first_slice(pebble, now_ms);
}

void m_pebble_push(struct m_pebble *pebble, int64_t slice, int64_t at_ms, const struct m_value *value) {
	struct m_event *events = gs_grow_array(pebble->events, &pebble->cap, pebble->n, sizeof(*events));
	m_demand(events != NULL, "memory");
	pebble->events = events;
	events[pebble->n++] = (struct m_event){.slice = slice, .at_ms = at_ms, .value = *value};
}

/* Reading: the numbers of all pushes in the window, one component at a time. */

struct numbers {
	size_t n;
	double v[NUMBERS_MAX];
	int64_t at_ms[NUMBERS_MAX];
};

static void add_number(struct numbers *numbers, double v, int64_t at_ms) {
	m_demand(numbers->n < NUMBERS_MAX, "too many pushes in a window");
	numbers->v[numbers->n] = v;
	numbers->at_ms[numbers->n++] = at_ms;
}

static double extreme(const struct numbers *numbers, enum m_mode_kind mode) {
	double v = (double)NAN;
	for (size_t i = 0; i < numbers->n; i++)
		v = m_combine(mode, v, numbers->v[i]);
	return v;
}

static double total(const struct numbers *numbers) {
	double v = 0;
	for (size_t i = 0; i < numbers->n; i++)
		v += numbers->v[i];
	return v;
}

/* The newest by its time; of several the one that came last. */
static double last(const struct numbers *numbers) {
	size_t newest = 0;
	for (size_t i = 1; i < numbers->n; i++) {
		if (numbers->at_ms[i] >= numbers->at_ms[newest])
			newest = i;
	}
	return numbers->n != 0 ? numbers->v[newest] : (double)NAN;
}

static double deviation(const struct numbers *numbers) {
	double mean = total(numbers) / (double)numbers->n, squares = 0;
	for (size_t i = 0; i < numbers->n; i++)
		squares += (numbers->v[i] - mean) * (numbers->v[i] - mean);
	return sqrt(squares / (double)numbers->n);
}

static int compare_numbers(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The number at rank ceil(q n); a NaN is none. */
static double percentile(const struct numbers *numbers, double percent) {
	static double sorted[NUMBERS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < numbers->n; i++) {
		if (!isnan(numbers->v[i]))
			sorted[n++] = numbers->v[i];
	}
	if (n == 0)
		return (double)NAN;
	qsort(sorted, n, sizeof(*sorted), compare_numbers);
	size_t rank = (size_t)ceil(percent / 100 * (double)n);
	return sorted[rank != 0 ? rank - 1 : 0];
}

static double aggregate(const struct numbers *numbers, enum m_agg agg, double percent) {
	switch (agg) {
	case M_SUM:
		return total(numbers);
	case M_MEAN:
		return numbers->n != 0 ? total(numbers) / (double)numbers->n : (double)NAN;
	case M_AGG_MIN:
		return extreme(numbers, M_MIN);
	case M_AGG_MAX:
		return extreme(numbers, M_MAX);
	case M_COUNT:
		return (double)numbers->n;
	case M_LAST:
		return last(numbers);
	case M_STDDEV:
		return deviation(numbers);
	case M_PERCENTILE:
		break;
	}
	return percentile(numbers, percent);
}

typedef bool m_component_fn(const struct m_value *value, double at, double *ret);

static bool simple_of(const struct m_value *value, double at, double *ret) {
	(void)at;
	*ret = value->simple;
	return true;
}

static bool sum_of(const struct m_value *value, double at, double *ret) {
	(void)at;
	*ret = value->parts.sum;
	return value->parts.has_sum;
}

static bool count_of(const struct m_value *value, double at, double *ret) {
	(void)at;
	*ret = value->parts.count;
	return value->parts.has_count;
}

static bool bucket_of(const struct m_value *value, double at, double *ret) {
	*ret = count_at(&value->parts, at);
	return value->parts.n != 0;
}

static bool quantile_of(const struct m_value *value, double at, double *ret) {
	*ret = count_at(&value->parts, at);
	return has_bound(&value->parts, at);
}

/* A window: its pushes; or, where it has none, those of the newest slice, which say what bounds there are, but count for nothing. */
struct window {
	const struct m_pebble *pebble;
	int64_t from;
	int64_t to;
	bool empty;
};

static bool is_inside(const struct window *window, const struct m_event *event) {
	return event->slice >= window->from && event->slice <= window->to;
}

static double read_component(const struct window *window, m_component_fn *component, double at, enum m_agg agg) {
	static struct numbers numbers;
	const struct m_pebble *pebble = window->pebble;
	double v;
	numbers.n = 0;
	for (size_t i = 0; i < pebble->n && !window->empty; i++) {
		const struct m_event *event = &pebble->events[i];
		if (is_inside(window, event) && component(&event->value, at, &v))
			add_number(&numbers, v, event->at_ms);
	}
	if (agg == M_STDDEV && numbers.n == 0)
		return (double)NAN;
	return aggregate(&numbers, agg, pebble->percent);
}

/* Bounds have the text that came first, by slices and in each as they came. */
static void read_bounds(const struct window *window, struct m_parts *parts) {
	const struct m_pebble *pebble = window->pebble;
	int64_t slice = window->from - 1;
	for (;;) {
		int64_t next = INT64_MAX;
		for (size_t i = 0; i < pebble->n; i++) {
			if (is_inside(window, &pebble->events[i]) && pebble->events[i].slice > slice &&
			    pebble->events[i].slice < next)
				next = pebble->events[i].slice;
		}
		if (next == INT64_MAX)
			return;
		slice = next;
		for (size_t i = 0; i < pebble->n; i++) {
			const struct m_parts *has = &pebble->events[i].value.parts;
			for (unsigned k = 0; k < has->n && pebble->events[i].slice == slice; k++)
				(void)m_parts_put(parts, has->at[k], has->text[k], 0);
		}
	}
}

static void read_parts(const struct window *window, enum m_kind kind, struct m_parts *ret) {
	const struct m_pebble *pebble = window->pebble;
	/* Quantiles do not add up: of a sum the last one stands. */
	enum m_agg agg = kind == M_SUMMARY && pebble->agg == M_SUM ? M_LAST : pebble->agg;
	double below = 0;
	read_bounds(window, ret);
	for (unsigned i = 0; i < ret->n; i++) {
		ret->v[i] = read_component(window, kind == M_HISTOGRAM ? bucket_of : quantile_of, ret->at[i], agg);
		if (kind == M_HISTOGRAM)
			ret->v[i] = below = m_combine(M_MAX, below, ret->v[i]);
	}
	for (size_t i = 0; i < pebble->n; i++) {
		ret->has_sum |= is_inside(window, &pebble->events[i]) && pebble->events[i].value.parts.has_sum;
		ret->has_count |= is_inside(window, &pebble->events[i]) && pebble->events[i].value.parts.has_count;
	}
	ret->sum = read_component(window, sum_of, 0, pebble->agg);
	ret->count = read_component(window, count_of, 0, pebble->agg);
	if (kind == M_HISTOGRAM && ret->n != 0 && ret->at[ret->n - 1] == (double)INFINITY)
		ret->count = below; /* it is cumulative, whatever was aggregated */
}

static size_t count_inside(const struct window *window) {
	size_t n = 0;
	for (size_t i = 0; i < window->pebble->n; i++)
		n += is_inside(window, &window->pebble->events[i]);
	return n;
}

bool m_pebble_read(const struct m_pebble *pebble, enum m_kind kind, int64_t now_ms, struct m_value *ret) {
	struct window window = {.pebble = pebble, .from = first_slice(pebble, now_ms), .to = slice_of(pebble, now_ms)};
	*ret = (struct m_value){0};
	window.empty = count_inside(&window) == 0;
	if (window.empty && pebble->agg != M_SUM && pebble->agg != M_COUNT)
		return false;
	if (window.empty) {
		int64_t newest = INT64_MIN;
		for (size_t i = 0; i < pebble->n; i++)
			newest = pebble->events[i].slice > newest ? pebble->events[i].slice : newest;
		window.from = window.to = newest;
	}
	if (kind == M_PLAIN)
		ret->simple = read_component(&window, simple_of, 0, pebble->agg);
	else
		read_parts(&window, kind, &ret->parts);
	return true;
}

double m_pebble_tolerance(const struct m_pebble *pebble) {
	switch (pebble->agg) {
	case M_SUM:
	case M_COUNT:
	case M_LAST:
		return 0;
	case M_MEAN:
	case M_AGG_MIN:
	case M_AGG_MAX:
		break;
	case M_STDDEV:
		return 1e-9;
	case M_PERCENTILE:
		return 0.01;
	}
	return 1e-12;
}
