/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms and summaries in pebbles, against a slow and obvious calculation, and that nothing makes a histogram that is none. */
#include <math.h>
#include <stdlib.h>

#include "gravel/base/num.h"
#include "gravel_test.h"

#define PUSHES 300
#define BOUNDS 6
#define WINDOW_MS 100000
#define SLICE_MS 1000

static uint64_t seed;

static uint32_t draw(uint32_t below) {
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((seed >> 33) % below);
}

/* A histogram (or summary) as it was pushed: some of the bounds. */
struct pushed {
	int64_t at_ms;
	bool has[BOUNDS];
	double v[BOUNDS]; /* of a histogram: everywhere, by steps */
	double sum;
	double count;
};

static const char *const les[BOUNDS] = {"1", "2", "4", "8", "16", "+Inf"};
static const char *const quantiles[BOUNDS] = {"0.1", "0.25", "0.5", "0.75", "0.9", "0.99"};

static struct pushed draw_pushed(int64_t now, bool histogram) {
	struct pushed p = {.at_ms = now, .sum = draw(40)};
	double at = 0;
	for (int i = 0; i < BOUNDS; i++) {
		p.has[i] = draw(2) != 0 || (histogram && i == BOUNDS - 1);
		if (p.has[i])
			at = histogram ? at + draw(8) : draw(49);
		p.v[i] = at;
	}
	p.count = histogram ? at : draw(40);
	if (draw(4) == 0)
		p.at_ms = now - draw(WINDOW_MS * 11 / 10);
	return p;
}

static void write_pushed(char *out, size_t n, const struct pushed *p, bool histogram, const char *mode, int64_t now) {
	char time[32] = "";
	size_t at = (size_t)snprintf(out, n, "# TYPE h %s\n", histogram ? "histogram" : "summary");
	if (p->at_ms != now)
		snprintf(time, sizeof(time), " %lld", (long long)p->at_ms);
	for (int i = 0; i < BOUNDS; i++) {
		if (p->has[i])
			at += (size_t)snprintf(out + at, n - at, "h%s{%s=\"%s\",clearmode=\"%s\"} %d%s\n",
			    histogram ? "_bucket" : "", histogram ? "le" : "quantile",
			    histogram ? les[i] : quantiles[i], mode, (int)p->v[i], time);
	}
	snprintf(out + at, n - at, "h_sum{clearmode=\"%s\"} %d%s\nh_count{clearmode=\"%s\"} %d%s\n", mode, (int)p->sum,
	    time, mode, (int)p->count, time);
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The aggregation of numbers in the order of their times, with what else it may be that they are. */
static double aggregate(const char *agg, double *v, size_t n) {
	double sum = 0, last = v[n - 1];
	for (size_t i = 0; i < n; i++)
		sum += v[i];
	qsort(v, n, sizeof(*v), compare);
	if (strcmp(agg, "sum") == 0)
		return sum;
	if (strcmp(agg, "mean") == 0)
		return sum / (double)n;
	if (strcmp(agg, "count") == 0)
		return (double)n;
	if (strcmp(agg, "last") == 0)
		return last;
	if (strcmp(agg, "max") == 0)
		return v[n - 1];
	if (strcmp(agg, "min") == 0)
		return v[0];
	assert_string_equal(agg, "median");
	return v[(n + 1) / 2 - 1];
}

static bool in_window(int64_t at, int64_t now) {
	return at / SLICE_MS > now / SLICE_MS - WINDOW_MS / SLICE_MS;
}

/* Which number of a push: a bound, then sum and count. */
static double component(const struct pushed *p, int i) {
	return i < BOUNDS ? p->v[i] : i == BOUNDS ? p->sum : p->count;
}

/* What should be shown. ${order}: the pushes in the window by their times. */
static void write_expected(
    char *out, size_t n, struct pushed *const *order, size_t norder, bool histogram, const char *agg) {
	double v[PUSHES];
	size_t at = (size_t)snprintf(out, n, "# TYPE h %s\n", histogram ? "histogram" : "summary");
	for (int i = 0; i < BOUNDS + 2; i++) {
		size_t nv = 0;
		bool any = i >= BOUNDS;
		for (size_t k = 0; k < norder; k++) {
			bool has = i >= BOUNDS || order[k]->has[i];
			any |= has;
			if (has || histogram)
				v[nv++] = component(order[k], i);
		}
		if (!any)
			continue;
		bool quantile = !histogram && i < BOUNDS;
		double value = aggregate(quantile && strcmp(agg, "sum") == 0 ? "last" : agg, v, nv);
		char number[GS_NUM_DOUBLE_MAX + 1];
		number[gs_num_print_double(number, value)] = '\0';
		if (i < BOUNDS)
			at += (size_t)snprintf(out + at, n - at, "h%s{%s=\"%s\"} %s\n", histogram ? "_bucket" : "",
			    histogram ? "le" : "quantile", histogram ? les[i] : quantiles[i], number);
		else
			at += (size_t)snprintf(out + at, n - at, "h_%s %s\n", i == BOUNDS ? "sum" : "count", number);
	}
}

static size_t order_pushes(struct pushed *pushes, size_t n, int64_t now, struct pushed **order) {
	size_t norder = 0;
	for (size_t i = 0; i < n; i++) {
		if (!in_window(pushes[i].at_ms, now))
			continue;
		size_t at = norder++;
		for (; at > 0 && order[at - 1]->at_ms > pushes[i].at_ms; at--)
			order[at] = order[at - 1];
		order[at] = &pushes[i];
	}
	return norder;
}

static void compare_with_model(const char *agg, bool histogram) {
	static struct pushed pushes[PUSHES], *order[PUSHES];
	struct bench b;
	char mode[32], body[2000], expected[2000];
	snprintf(mode, sizeof(mode), "%s:100s", agg);
	bench_open(&b, &(struct gs_store_options){0});
	for (size_t n = 0; n < PUSHES; n++) {
		pushes[n] = draw_pushed(b.now, histogram);
		write_pushed(body, sizeof(body), &pushes[n], histogram, mode, b.now);
		assert_pushed(&b, body);
		bool late = !in_window(pushes[n].at_ms, b.now);
		assert_true(n == 0 || (b.result.dropped_late != 0) == late);
		if (late)
			pushes[n].at_ms = 0;
		b.now += draw(10) == 0 ? 30000 : draw(2000);
		size_t norder = order_pushes(pushes, n + 1, b.now, order);
		if (norder == 0)
			continue;
		write_expected(expected, sizeof(expected), order, norder, histogram, agg);
		char *text = exposition(&b);
		if (strcmp(text, expected) != 0)
			fail_msg("%s, push %zu:\n%s\ninstead of\n%s", agg, n, text, expected);
		gs_free(text);
	}
	bench_close(&b);
}

/* What slices make of any bounds, in any order of times, is what all pushes make that are in the window. */
static void test_slices_against_all_pushes(void **state) {
	(void)state;
	static const char *const aggs[] = {"sum", "mean", "min", "max", "count", "last", "median"};
	for (uint64_t round = 0; round < 5; round++) {
		for (size_t i = 0; i < sizeof(aggs) / sizeof(aggs[0]); i++) {
			seed = 1 + round * 100 + i;
			compare_with_model(aggs[i], true);
			compare_with_model(aggs[i], false);
		}
	}
}

/* The lines of a histogram: buckets rise, and +Inf is the count. */
static void assert_cumulative(const char *text, const char *mode) {
	double below = 0, count = -1;
	struct gs_str rest = gs_str_of(text), line, name, number;
	while (gs_str_cut(rest, '\n', &line, &rest) || line.n != 0) {
		double v = 0;
		gs_str_cut(line, ' ', &name, &number);
		if (line.n == 0 || line.p[0] == '#' || gs_str_starts(line, GS_STR("h_sum")))
			continue;
		assert_int_equal(gs_num_parse_double(number, &v), GS_OK);
		if (gs_str_starts(line, GS_STR("h_count"))) {
			count = v;
			continue;
		}
		if (!(v >= below))
			fail_msg("under %s: not cumulative:\n%s", mode, text);
		below = v;
	}
	if (text[0] != '\0' && count != below)
		fail_msg("under %s: count and +Inf differ:\n%s", mode, text);
}

/* Large, small and broken numbers, so that buckets of one sketch have middles and the others exact numbers. */
static double draw_count(double below) {
	switch (draw(6)) {
	case 0:
		return below;
	case 1:
		return below + draw(1000);
	case 2:
		return below * (1 + draw(30) / 1000.0);
	case 3:
		return below + draw(1000000) / 7.0;
	case 4:
		return draw(400) == 0 ? INFINITY : below + 1e-9 * draw(9);
	default:
		return below + draw(5);
	}
}

static void write_random(char *out, size_t n, const char *mode) {
	size_t at = (size_t)snprintf(out, n, "# TYPE h histogram\n");
	double value = 0;
	char label[64] = "", alone[64] = "", number[GS_NUM_DOUBLE_MAX + 1];
	if (mode[0] != '\0') {
		snprintf(label, sizeof(label), ",clearmode=\"%s\"", mode);
		snprintf(alone, sizeof(alone), "{clearmode=\"%s\"}", mode);
	}
	for (int i = 0; i < 12; i++) {
		if (i < 11 && draw(2) == 0)
			continue;
		value = draw_count(value);
		number[gs_num_print_double(number, value)] = '\0';
		if (i < 11)
			at += (size_t)snprintf(out + at, n - at, "h_bucket{le=\"%d\"%s} %s\n", i - 3, label, number);
		else
			at += (size_t)snprintf(out + at, n - at, "h_bucket{le=\"+Inf\"%s} %s\n", label, number);
	}
	snprintf(out + at, n - at, "h_sum%s %d\nh_count%s %s\n", alone, (int)draw(1000), alone, number);
}

static const char *const modes[] = {"", "aggregate", "replace", "family", "min", "max", "sum5m", "mean5m", "min5m",
    "max5m", "count5m", "last5m", "median5m", "stddev5m", "p90:5m", "p99.9:5m", "p5:5m"};

#define MODES (sizeof(modes) / sizeof(modes[0]))

static void test_every_mode_keeps_histograms(void **state) {
	(void)state;
	char body[4000];
	for (size_t m = 0; m <= MODES; m++) { /* the last round: another one each time */
		struct bench b;
		seed = 77 + m;
		bench_open(&b, &(struct gs_store_options){0});
		for (int i = 0; i < 1000; i++) {
			const char *mode = modes[m < MODES ? m : draw(MODES)];
			write_random(body, sizeof(body), mode);
			assert_pushed(&b, body);
			b.now += draw(50) == 0 ? 310000 : draw(4000);
			char *text = exposition(&b);
			assert_cumulative(text, mode);
			gs_free(text);
		}
		bench_close(&b);
	}
}

/* Whatever allocation fails, in a slice that is there and in a new one: the push counts whole or not at all, and reading shows it or nothing. */
static void no_memory(const char *mode, bool histogram, bool late) {
	bool done = false;
	char first[2000], second[2000];
	const char *type = histogram ? "histogram" : "summary", *suffix = histogram ? "_bucket" : "",
		   *le = histogram ? "le" : "quantile";
	snprintf(first, sizeof(first),
	    "# TYPE h %s\nh%s{%s=\"1\",clearmode=\"%s\"} 5\nh_sum{clearmode=\"%s\"} 3\nh_count{clearmode=\"%s\"} 5\n"
	    "# TYPE g gauge\ng{clearmode=\"%s\"} 5\n",
	    type, suffix, le, mode, mode, mode, mode);
	snprintf(second, sizeof(second),
	    "# TYPE h %s\nh%s{%s=\"0.5\",clearmode=\"%s\"} 1\nh%s{%s=\"2\",clearmode=\"%s\"} "
	    "2\nh_sum{clearmode=\"%s\"} 3\n"
	    "h_count{clearmode=\"%s\"} 2\n# TYPE g gauge\ng{clearmode=\"%s\"} 7\n",
	    type, suffix, le, mode, suffix, le, mode, mode, mode, mode);
	for (int n = 0; !done; n++) {
		struct bench b;
		bench_open(&b, &(struct gs_store_options){0});
		assert_pushed(&b, first);
		b.now += late ? 10000 : 0;
		char *before = exposition(&b);
		gs_mem_fail_after(n);
		enum gs_status status = push(&b, second);
		done = !gs_mem_failed();
		gs_mem_fail_after(-1);
		if (status != GS_OK) {
			assert_int_equal(status, GS_ENOMEM);
			assert_exposition(&b, before);
			assert_pushed(&b, second); /* what was left of the refused one is in nobody's way */
		}
		assert_int_equal(gs_store_stats(b.store).series, 2);
		gs_free(before);
		bench_close(&b);
		assert_true(n < 1000);
	}
}

static void test_no_memory(void **state) {
	(void)state;
	for (size_t m = 0; m < MODES; m++) {
		const char *mode = modes[m][0] != '\0' ? modes[m] : "sum5m";
		for (int i = 0; i < 4; i++)
			no_memory(mode, (i & 1) != 0, (i & 2) != 0);
	}
}

/* Without memory the rendering says so; nothing else happens. */
static void test_reading_without_memory(void **state) {
	(void)state;
	for (size_t m = 0; m < MODES; m++) {
		struct bench b;
		char body[4000];
		seed = 5;
		bench_open(&b, &(struct gs_store_options){0});
		for (int i = 0; i < 5; i++) {
			write_random(body, sizeof(body), modes[m]);
			assert_pushed(&b, body);
			b.now += 10000;
		}
		char *whole = exposition(&b);
		bool done = false;
		for (int n = 0; !done; n++) {
			struct gs_buf out;
			struct gs_str after = {0};
			gs_buf_init(&out, SIZE_MAX);
			assert_non_null(gs_buf_reserve(&out, 10000));
			gs_mem_fail_after(n);
			gs_store_render_next(b.store, &after, b.now,
			    (struct gs_expo_dialect){.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES}, &out);
			done = !gs_mem_failed();
			gs_mem_fail_after(-1);
			assert_int_equal(out.status, done ? GS_OK : GS_ENOMEM);
			assert_true(!done || gs_str_eq(gs_buf_slice(&out), gs_str_of(whole)));
			gs_store_check(b.store);
			gs_buf_free(&out);
			assert_true(n < 1000);
		}
		assert_exposition(&b, whole);
		gs_free(whole);
		bench_close(&b);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slices_against_all_pushes),
	    cmocka_unit_test(test_every_mode_keeps_histograms),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_reading_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
