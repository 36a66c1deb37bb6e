/* SPDX-License-Identifier: Apache-2.0 */
/* Random scrapes beside a slow model that is written down as docs/AGGREGATION.md says it. The seed is printed; GRAVEL_SEED=N repeats one. */
#include <math.h>
#include <stdlib.h>

#include "gravel/base/limits.h"
#include "gravel/base/num.h"
#include "rollup_test.h"

#define SCRAPES 12000
#define TARGETS 6
#define VALUES 2 /* of each of the labels a and b */
#define BOUNDS 5

static const char *const bound_texts[BOUNDS] = {"0.1", "1", "5", "1e+06", "+Inf"};

/* The series of each target for each a and b. */
enum series { G, U, C, H0, H_SUM = H0 + BOUNDS, H_COUNT, S_SUM, S_COUNT, S_Q, KINDS };

static const struct gs_rollup_rule rules[] = {
    {.op = GS_ROLLUP_SUM, .of = "g", .as = "g_sum", .drop = true, BY("a")},
    {.op = GS_ROLLUP_AVG, .of = "g", .as = "g_avg", .without = true, BY("instance", "b")},
    {.op = GS_ROLLUP_MIN, .of = "g|u", .as = "gu_min"},
    {.op = GS_ROLLUP_MAX, .of = "g|c_total", .as = "gc_max", BY("b")},
    {.op = GS_ROLLUP_COUNT, .of = "c_total|h", .as = "ch_count", BY("a")},
    {.op = GS_ROLLUP_SUM, .of = "c_total", .as = "c_sum", BY("a")},
    {.op = GS_ROLLUP_AVG, .of = "c_total", .as = "c_avg"},
    {.op = GS_ROLLUP_SUM, .of = "h", .as = "h_all", BY("a")},
    {.op = GS_ROLLUP_SUM, .of = "s", .as = "s_all"},
    {.op = GS_ROLLUP_SUM, .of = "u", .as = "u_sum", BY("b")},
    {.op = GS_ROLLUP_SUM, .of = "h_count", .as = "hc_sum", BY("instance")},
};

struct state {
	bool known; /* it is remembered */
	bool live;
	int missed;
	double last;
	/* The scrape under way. */
	bool present;
	double next;
	/* What the target itself counts. */
	double real;
};

struct histogram {
	bool there[BOUNDS];
	double total[BOUNDS];
	double sum;
	double count;
	bool has_sum;
};

static struct model {
	struct state s[TARGETS][VALUES][VALUES][KINDS];
	double c_sum[VALUES];
	double c_avg;
	double hc[TARGETS];
	struct histogram h[VALUES];
	double s_sum;
	double s_count;
	bool has_s_sum;
} m;

static uint64_t rng;
static unsigned hidden; /* bounds that no target shows for some time */

static unsigned roll(unsigned n) {
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 33) % n;
}

#define EACH_PAIR                                                                                                      \
	for (int a = 0; a < VALUES; a++)                                                                               \
		for (int b = 0; b < VALUES; b++)

static bool is_gauge(int k) {
	return k == G || k == U || k == S_Q;
}

/* What the target shows this time. */

static void count_up(struct state s[KINDS], bool restart) {
	double more = 0;
	for (int k = 0; k < KINDS; k++) {
		if (is_gauge(k))
			s[k].real = roll(40) == 0 ? NAN : (double)roll(2001) - 1000;
		else if (restart)
			s[k].real = 0;
		if (k >= H0 && k < H0 + BOUNDS)
			s[k].real += more += roll(5);
		else if (k == H_SUM)
			s[k].real += (double)roll(20) - 2;
		else if (k == H_COUNT)
			s[k].real = s[H0 + BOUNDS - 1].real;
		else if (!is_gauge(k))
			s[k].real += roll(10);
	}
}

static void show(int t) {
	bool partial = roll(4) == 0;
	EACH_PAIR {
		bool all = roll(12) != 0, restart = roll(25) == 0;
		count_up(m.s[t][a][b], restart);
		for (int k = 0; k < KINDS; k++) {
			bool hides = k >= H0 && k < H0 + BOUNDS && (hidden >> (k - H0) & 1) != 0;
			m.s[t][a][b][k].present = all && !hides && !(partial && roll(8) == 0);
			m.s[t][a][b][k].next = m.s[t][a][b][k].real;
		}
	}
}

/* The model */

static double grown(const struct state *s) {
	if (!s->known || !s->present)
		return 0;
	return s->next >= s->last ? s->next - s->last : s->next;
}

static int live_counters(void) {
	int n = 0;
	for (int t = 0; t < TARGETS; t++)
		EACH_PAIR
	n += m.s[t][a][b][C].live;
	return n;
}

static bool is_known(int t, int a, int first, int last) {
	for (int k = first; k <= last; k++)
		for (int b = 0; b < VALUES; b++)
			if (m.s[t][a][b][k].known)
				return true;
	return false;
}

static bool is_known_anywhere(int a, int first, int last) {
	for (int t = 0; t < TARGETS; t++)
		if (is_known(t, a, first, last))
			return true;
	return false;
}

static bool restarted(const struct state *s, int first, int last) {
	bool is = false;
	for (int k = first; k <= last; k++)
		is |= k != H_SUM && s[k].known && s[k].present && s[k].next < s[k].last;
	return is;
}

static double part_grown(const struct state *s, bool again) {
	if (!s->present)
		return 0;
	return again ? s->next : s->known ? s->next - s->last : 0;
}

/* What the histogram grew by at its own bound i. */
static double bucket_grown(const struct state *s, int i, bool again) {
	double below = 0, whole = 0;
	if (s[H0 + i].known || again || !s[H0 + i].present)
		return part_grown(&s[H0 + i], again);
	for (int k = 0; k < i; k++)
		below = s[H0 + k].known ? s[H0 + k].last : below;
	if (s[H_COUNT].known || s[H_COUNT].present)
		whole = part_grown(&s[H_COUNT], again);
	else
		for (int k = 0; k < BOUNDS; k++)
			if (s[H0 + k].known || s[H0 + k].present)
				whole = part_grown(&s[H0 + k], again);
	whole = fmax(whole, 0);
	return fmin(fmax(s[H0 + i].next - below, 0), whole);
}

static void add_bounds(int t, int a) {
	for (int i = 0; i < BOUNDS; i++) {
		bool comes = m.h[a].there[i];
		for (int b = 0; b < VALUES; b++)
			comes |= m.s[t][a][b][H0 + i].present;
		if (comes && !m.h[a].there[i]) {
			m.h[a].there[i] = true;
			m.h[a].total[i] = 0;
			for (int k = 0; k < i; k++)
				m.h[a].total[i] = m.h[a].there[k] ? m.h[a].total[k] : m.h[a].total[i];
			if (i == BOUNDS - 1)
				m.h[a].total[i] = fmax(m.h[a].total[i], m.h[a].count);
		}
	}
}

static void add_histogram(int t, int a, int b) {
	struct state *s = m.s[t][a][b];
	bool known = false, again = restarted(s, H0, H_COUNT);
	double by = 0;
	for (int k = H0; k <= H_COUNT; k++)
		known |= s[k].known;
	if (!known)
		return;
	for (int i = 0; i < BOUNDS; i++) {
		if (s[H0 + i].known || s[H0 + i].present)
			by = bucket_grown(s, i, again);
		if (m.h[a].there[i])
			m.h[a].total[i] += by;
	}
	m.h[a].count += part_grown(&s[H_COUNT], again);
	m.h[a].sum += part_grown(&s[H_SUM], again);
	for (int k = H0; again && k <= H_COUNT; k++)
		s[k].last = 0;
}

static void add_summary(struct state *s) {
	bool known = s[S_SUM].known || s[S_COUNT].known, counts = s[S_COUNT].known || s[S_COUNT].present;
	bool again = counts ? restarted(s, S_COUNT, S_COUNT) : restarted(s, S_SUM, S_SUM);
	if (!known)
		return;
	m.s_count += part_grown(&s[S_COUNT], again);
	m.s_sum += part_grown(&s[S_SUM], again);
	for (int k = S_SUM; again && k <= S_COUNT; k++)
		s[k].last = 0;
}

static void forget_results(void) {
	bool any_c = false, any_s = false;
	for (int a = 0; a < VALUES; a++) {
		any_c |= is_known_anywhere(a, C, C);
		any_s |= is_known_anywhere(a, S_SUM, S_COUNT);
		if (!is_known_anywhere(a, C, C))
			m.c_sum[a] = 0;
		if (!is_known_anywhere(a, H0, H_COUNT))
			m.h[a] = (struct histogram){0};
		for (int i = 0; i < BOUNDS; i++)
			m.h[a].there[i] = is_known_anywhere(a, H0 + i, H0 + i);
	}
	for (int t = 0; t < TARGETS; t++) {
		bool any = false;
		for (int a = 0; a < VALUES; a++)
			any |= is_known(t, a, H_COUNT, H_COUNT);
		if (!any)
			m.hc[t] = 0;
	}
	if (!any_c)
		m.c_avg = 0;
	if (!any_s) {
		m.s_sum = m.s_count = 0;
		m.has_s_sum = false;
	}
}

static void settle(struct state *s, int k, bool ok) {
	s->live = ok && s->present;
	if (s->live) {
		s->known = true;
		s->last = s->next;
		s->missed = 0;
	} else if (s->known && (++s->missed > GS_LIMIT_ROLLUP_MISSED || (ok && is_gauge(k)))) {
		*s = (struct state){.real = s->real};
	}
}

static void model_scrape(int t, bool ok) {
	for (int a = 0; ok && a < VALUES; a++)
		add_bounds(t, a);
	EACH_PAIR {
		struct state *s = m.s[t][a][b];
		for (int k = 0; ok && k < KINDS; k++)
			s[k].live = s[k].present;
		m.h[a].has_sum |= ok && s[H_SUM].present;
		m.has_s_sum |= ok && s[S_SUM].present;
	}
	EACH_PAIR {
		struct state *s = m.s[t][a][b];
		if (!ok)
			break;
		m.c_sum[a] += grown(&s[C]);
		m.c_avg += s[C].present && s[C].known ? grown(&s[C]) / live_counters() : 0;
		add_histogram(t, a, b);
		m.hc[t] += grown(&s[H_COUNT]);
		add_summary(s);
	}
	EACH_PAIR
	for (int k = 0; k < KINDS; k++)
		settle(&m.s[t][a][b][k], k, ok);
	forget_results();
}

static void model_remove(int t) {
	EACH_PAIR
	for (int k = 0; k < KINDS; k++)
		m.s[t][a][b][k] = (struct state){.real = m.s[t][a][b][k].real};
	forget_results();
}

/* What the model expects, as lines without an order. */

static struct gs_buf expected;

static void expect(const char *name, const char *labels, double v) {
	gs_buf_printf(&expected, "%s%s ", name, labels);
	gs_buf_double(&expected, v);
	gs_buf_char(&expected, '\n');
}

/* Over the live values of the kinds with this a and b (-1: any). */
static void expect_values(const char *name, const char *labels, enum gs_rollup_op op, unsigned kinds, int a0, int b0) {
	double sum = 0, least = NAN, most = NAN;
	int n = 0;
	for (int t = 0; t < TARGETS; t++)
		EACH_PAIR
	for (int k = 0; k < KINDS; k++) {
		const struct state *s = &m.s[t][a][b][k];
		if ((kinds >> k & 1) == 0 || !s->live || (a0 >= 0 && a != a0) || (b0 >= 0 && b != b0))
			continue;
		n++;
		sum += s->last;
		least = fmin(least, s->last);
		most = fmax(most, s->last);
	}
	if (n == 0)
		return;
	const double values[] = {[GS_ROLLUP_SUM] = sum,
	    [GS_ROLLUP_MIN] = least,
	    [GS_ROLLUP_MAX] = most,
	    [GS_ROLLUP_AVG] = sum / n,
	    [GS_ROLLUP_COUNT] = n};
	expect(name, labels, values[op]);
}

static void expect_histogram(int a, const char *label) {
	const struct histogram *h = &m.h[a];
	double most = h->count, low;
	int highest = -1;
	char labels[64];
	if (!is_known_anywhere(a, H0, H_COUNT))
		return;
	for (int i = 0; i < BOUNDS; i++)
		highest = h->there[i] ? i : highest;
	if (highest == BOUNDS - 1)
		most = h->total[highest];
	else if (highest >= 0)
		most = fmax(most, h->total[highest]);
	for (int i = 0; i < BOUNDS; i++) {
		low = most;
		for (int k = i; k < BOUNDS; k++)
			low = h->there[k] ? fmin(low, h->total[k]) : low;
		snprintf(labels, sizeof(labels), "{a=\"%d\",le=\"%s\"}", a, bound_texts[i]);
		if (h->there[i] || i == BOUNDS - 1)
			expect("h_all_bucket", labels, low);
	}
	if (h->has_sum)
		expect("h_all_sum", label, h->sum);
	expect("h_all_count", label, most);
}

static void expect_all(void) {
	bool any_c = false, any_s = false;
	gs_buf_clear(&expected);
	expect_values("gu_min", "", GS_ROLLUP_MIN, 1 << G | 1 << U, -1, -1);
	for (int v = 0; v < VALUES; v++) {
		char a[16], aj[32], b[16];
		snprintf(a, sizeof(a), "{a=\"%d\"}", v);
		snprintf(aj, sizeof(aj), "{a=\"%d\",job=\"j\"}", v);
		snprintf(b, sizeof(b), "{b=\"%d\"}", v);
		expect_values("g_sum", a, GS_ROLLUP_SUM, 1 << G, v, -1);
		expect_values("g_avg", aj, GS_ROLLUP_AVG, 1 << G, v, -1);
		expect_values("gc_max", b, GS_ROLLUP_MAX, 1 << G | 1 << C, -1, v);
		expect_values("ch_count", a, GS_ROLLUP_COUNT, 1 << C | 1 << H_COUNT, v, -1);
		expect_values("u_sum", b, GS_ROLLUP_SUM, 1 << U, -1, v);
		if (is_known_anywhere(v, C, C))
			expect("c_sum", a, m.c_sum[v]);
		expect_histogram(v, a);
		any_c |= is_known_anywhere(v, C, C);
		any_s |= is_known_anywhere(v, S_SUM, S_COUNT);
	}
	if (any_c)
		expect("c_avg", "", m.c_avg);
	if (any_s && m.has_s_sum)
		expect("s_all_sum", "", m.s_sum);
	if (any_s)
		expect("s_all_count", "", m.s_count);
	for (int t = 0; t < TARGETS; t++) {
		char labels[32];
		snprintf(labels, sizeof(labels), "{instance=\"t%d\"}", t);
		if (is_known(t, 0, H_COUNT, H_COUNT) || is_known(t, 1, H_COUNT, H_COUNT))
			expect("hc_sum", labels, m.hc[t]);
	}
}

/* The real one */

static void send(struct fixture *f, int t, int a, int b, int k) {
	static const char *const names[KINDS] = {"g", "u", "c_total", "h_bucket", "h_bucket", "h_bucket", "h_bucket",
	    "h_bucket", "h_sum", "h_count", "s_sum", "s_count", "s"};
	char va[2] = {(char)('0' + a)}, vb[2] = {(char)('0' + b)}, instance[4] = {'t', (char)('0' + t)};
	struct gs_label labels[3] = {{GS_STR("a"), gs_str_of(va)}, {GS_STR("b"), gs_str_of(vb)}};
	struct gs_expo_event event = {
	    .kind = GS_EXPO_SAMPLE, .name = gs_str_of(names[k]), .labels = labels, .nlabels = 2};
	bool drop, bucket = k >= H0 && k < H0 + BOUNDS;
	event.value = m.s[t][a][b][k].next;
	event.type = k == G         ? GS_TYPE_GAUGE
		     : k == U       ? GS_TYPE_UNTYPED
		     : k == C       ? GS_TYPE_COUNTER
		     : k <= H_COUNT ? GS_TYPE_HISTOGRAM
				    : GS_TYPE_SUMMARY;
	if (bucket) {
		labels[event.nlabels++] = (struct gs_label){GS_STR("le"), gs_str_of(bound_texts[k - H0])};
		event.part = GS_PART_BUCKET;
	} else if (k == S_Q) {
		labels[event.nlabels++] = (struct gs_label){GS_STR("quantile"), GS_STR("0.9")};
		event.part = GS_PART_QUANTILE;
	} else if (k == H_SUM || k == S_SUM) {
		event.part = GS_PART_SUM;
	} else if (k == H_COUNT || k == S_COUNT) {
		event.part = GS_PART_COUNT;
	}
	assert_int_equal(put_labels(f, &event, instance), GS_OK);
	assert_int_equal(gs_rollup_sample(f->rollup, &event, f->labels, &drop), GS_OK);
	assert_int_equal(drop, k == G);
}

/* In an order of its own each time, but most often in the same. */
static unsigned real_scrape(struct fixture *f, int t, bool ok) {
	unsigned n = 0, turn = roll(3) == 0 ? roll(1000) : 0, total = VALUES * VALUES * KINDS;
	gs_rollup_begin(f->rollup, (uint64_t)t);
	for (unsigned i = 0; i < total; i++) {
		unsigned at = (i * (turn % 2 == 0 ? 1 : 17) + turn) % total;
		int a = (int)(at / KINDS / VALUES), b = (int)(at / KINDS % VALUES), k = (int)(at % KINDS);
		if (!m.s[t][a][b][k].present)
			continue;
		send(f, t, a, b, k);
		n++;
	}
	gs_rollup_end(f->rollup, ok);
	return n;
}

static int by_text(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text that are no comments, sorted. */
static size_t sort_lines(char *text, char **lines, size_t max) {
	size_t n = 0;
	for (char *p = text, *end; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		*end = '\0';
		assert_true(n < max);
		if (*p != '#')
			lines[n++] = p;
	}
	qsort(lines, n, sizeof(*lines), by_text);
	return n;
}

static void compare(struct fixture *f) {
	char *real[256], *model[256];
	written(f);
	expect_all();
	gs_buf_char(&expected, '\0');
	size_t n = sort_lines(f->out.p, real, 256), k = sort_lines(expected.p, model, 256);
	for (size_t i = 0; i < n && i < k; i++) {
		/* Divisions are rounded in another order. */
		if (strncmp(real[i], "c_avg ", 6) == 0 && strncmp(model[i], "c_avg ", 6) == 0)
			assert_true(fabs(strtod(real[i] + 6, NULL) - strtod(model[i] + 6, NULL)) < 1e-6);
		else
			assert_string_equal(real[i], model[i]);
	}
	assert_int_equal(n, k);
}

static uint64_t first_seed(void) {
	const char *text = getenv("GRAVEL_SEED");
	uint64_t seed = 0;
	if (text != NULL)
		assert_int_equal(gs_num_parse_u64(gs_str_of(text), &seed), GS_OK);
	return seed != 0 ? seed : (uint64_t)(uintptr_t)&seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static void test_random_scrapes_beside_the_model(void **state) {
	(void)state;
	struct fixture f = open_rules(rules, N(rules), 100000);
	uint64_t samples = 0;
	gs_buf_init(&expected, SIZE_MAX);
	rng = first_seed();
	printf("GRAVEL_SEED=%llu\n", (unsigned long long)rng);
	fflush(stdout);
	for (unsigned i = 0; i < SCRAPES; i++) {
		int t = (int)roll(TARGETS);
		if (roll(300) == 0)
			hidden = roll(1 << BOUNDS) & roll(1 << BOUNDS);
		/* Now and then one target is down for as long as it may be, or longer. */
		unsigned times = roll(200) == 0 ? GS_LIMIT_ROLLUP_MISSED - 1 + roll(4) : 1;
		bool ok = times == 1 && roll(10) != 0, gone = roll(150) == 0;
		for (unsigned k = 0; k < times; k++) {
			show(t);
			samples += real_scrape(&f, t, ok);
			model_scrape(t, ok);
		}
		if (gone) {
			gs_rollup_remove(f.rollup, (uint64_t)t);
			model_remove(t);
		}
		if (i % 4 == 0)
			compare(&f);
		if (i % 16 == 0)
			gs_rollup_check(f.rollup);
	}
	printf("%llu samples\n", (unsigned long long)samples);
	assert_true(samples >= 100000);
	for (uint64_t t = 0; t < TARGETS; t++)
		gs_rollup_remove(f.rollup, t);
	gs_rollup_check(f.rollup);
	assert_int_equal(gs_rollup_series(f.rollup), 0);
	gs_buf_free(&expected);
	close_fixture(&f);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_scrapes_beside_the_model)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
