/* SPDX-License-Identifier: Apache-2.0 */
/* The table of docs/CLEARMODES.md: what two pushes become, for every type and every clearmode; and every way from one clearmode to another. */
#include "gravel_test.h"

#include "gravel/gravel/mode.h"

enum shape { SIMPLE, INFO, STATESET, BUCKETS, QUANTILES, SHAPES };

/* In the bodies '@' is where a label is put behind others, '$' where it is the only one. In what is expected '%' is a number. */
struct type {
	const char *name;
	enum shape shape;
	bool openmetrics;
	bool adds; /* without a clearmode */
	const char *first;
	const char *second;
	const char *both; /* what is shown of the two */
	const char *alone; /* what is shown of the second alone */
	unsigned quantiles; /* of both */
	unsigned quantiles_alone;
};

#define BUCKETS_BOTH                                                                                                   \
	"h_bucket{le=\"1.0\"} %\nh_bucket{le=\"5.0\"} %\nh_bucket{le=\"10.0\"} %\nh_bucket{le=\"+Inf\"} %\n"
#define BUCKETS_ALONE "h_bucket{le=\"5.0\"} %\nh_bucket{le=\"+Inf\"} %\n"

static const struct type types[] = {
    {.name = "untyped",
	.adds = true,
	.first = "x$ 6\n",
	.second = "x$ 2\n",
	.both = "# TYPE x untyped\nx %\n",
	.alone = "# TYPE x untyped\nx %\n"},
    {.name = "counter",
	.adds = true,
	.first = "# TYPE x counter\nx$ 6\n",
	.second = "# TYPE x counter\nx$ 2\n",
	.both = "# TYPE x counter\nx %\n",
	.alone = "# TYPE x counter\nx %\n"},
    {.name = "gauge",
	.first = "# TYPE x gauge\nx$ 6\n",
	.second = "# TYPE x gauge\nx$ 2\n",
	.both = "# TYPE x gauge\nx %\n",
	.alone = "# TYPE x gauge\nx %\n"},
    {.name = "info",
	.shape = INFO,
	.openmetrics = true,
	.first = "# TYPE x info\nx_info{v=\"1\"@} 1\n# EOF\n",
	.second = "# TYPE x info\nx_info{v=\"1\"@} 1\n# EOF\n",
	.both = "# TYPE x_info gauge\nx_info{v=\"1\"} %\n",
	.alone = "# TYPE x_info gauge\nx_info{v=\"1\"} %\n"},
    {.name = "stateset",
	.shape = STATESET,
	.openmetrics = true,
	.first = "# TYPE x stateset\nx{x=\"on\"@} 1\n# EOF\n",
	.second = "# TYPE x stateset\nx{x=\"on\"@} 0\n# EOF\n",
	.both = "# TYPE x gauge\nx{x=\"on\"} %\n",
	.alone = "# TYPE x gauge\nx{x=\"on\"} %\n"},
    {.name = "histogram",
	.shape = BUCKETS,
	.adds = true,
	.first = "# TYPE h histogram\nh_bucket{le=\"1.0\"@} 2\nh_bucket{le=\"10.0\"@} 4\nh_bucket{le=\"+Inf\"@} 5\n"
		 "h_sum$ 30\nh_count$ 5\n",
	.second = "# TYPE h histogram\nh_bucket{le=\"5.0\"@} 3\nh_bucket{le=\"+Inf\"@} 3\nh_sum$ 7\nh_count$ 3\n",
	.both = "# TYPE h histogram\n" BUCKETS_BOTH "h_sum %\nh_count %\n",
	.alone = "# TYPE h histogram\n" BUCKETS_ALONE "h_sum %\nh_count %\n"},
    {.name = "gaugehistogram",
	.shape = BUCKETS,
	.openmetrics = true,
	.adds = true,
	.first = "# TYPE h gaugehistogram\nh_bucket{le=\"1.0\"@} 2\nh_bucket{le=\"10.0\"@} 4\n"
		 "h_bucket{le=\"+Inf\"@} 5\nh_gsum$ 30\nh_gcount$ 5\n# EOF\n",
	.second = "# TYPE h gaugehistogram\nh_bucket{le=\"5.0\"@} 3\nh_bucket{le=\"+Inf\"@} 3\nh_gsum$ 7\nh_gcount$ "
		  "3\n# EOF\n",
	.both = "# TYPE h untyped\n" BUCKETS_BOTH "h_gsum %\nh_gcount %\n",
	.alone = "# TYPE h untyped\n" BUCKETS_ALONE "h_gsum %\nh_gcount %\n"},
    {.name = "summary",
	.shape = QUANTILES,
	.adds = true,
	.first = "# TYPE s summary\ns{quantile=\"0.5\"@} 3\ns{quantile=\"0.9\"@} 8\ns_sum$ 10\ns_count$ 4\n",
	.second = "# TYPE s summary\ns{quantile=\"0.5\"@} 1\ns{quantile=\"0.99\"@} 20\ns_sum$ 6\ns_count$ 2\n",
	.both = "# TYPE s summary\ns{quantile=\"0.5\"} %\ns{quantile=\"0.9\"} %\ns{quantile=\"0.99\"} %\ns_sum "
		"%\ns_count %\n",
	.alone = "# TYPE s summary\ns{quantile=\"0.5\"} %\ns{quantile=\"0.99\"} %\ns_sum %\ns_count %\n",
	.quantiles = 3,
	.quantiles_alone = 2},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

/* What the second push is by itself. */
static const char *const alone[SHAPES] = {"2", "1", "0", "3 3 7 3", "1 20 6 2"};

/* What the two are together; NULL: the second one alone. */
static const struct row {
	const char *mode;
	const char *cells[SHAPES];
} rows[] = {
    {"aggregate", {"8", "2", "1", "2 5 7 8 37 8", "1 8 20 16 6"}},
    {"sum", {"8", "2", "1", "2 5 7 8 37 8", "1 8 20 16 6"}},
    {"replace", {NULL}},
    {"family", {NULL}},
    {"info", {NULL}},
    {"min", {"2", "1", "0", "0 2 3 3 7 3", "1 8 20 6 2"}},
    {"max", {"6", "1", "1", "2 3 4 5 30 5", "3 8 20 10 4"}},
    {"sum5m", {"8", "2", "1", "2 5 7 8 37 8", "1 8 20 16 6"}},
    {"mean5m", {"4", "1", "0.5", "1 2.5 3.5 4 18.5 4", "2 8 20 8 3"}},
    {"min5m", {"2", "1", "0", "0 2 3 3 7 3", "1 8 20 6 2"}},
    {"max5m", {"6", "1", "1", "2 3 4 5 30 5", "3 8 20 10 4"}},
    {"count5m", {"2", "2", "2", "2 2 2 2 2 2", "2 1 1 2 2"}},
    {"last5m", {"2", "1", "0", "0 3 3 3 7 3", "1 8 20 6 2"}},
    {"median5m", {"2", "1", "0", "0 2 3 3 7 3", "1 8 20 6 2"}},
    /* 1, 0.5, 0.5, 1 and 1 by themselves: a bucket is at least the one below, and the count is that of +Inf. */
    {"stddev5m", {"2", "0", "0.5", "1 1 1 1 11.5 1", "1 0 0 2 1"}},
    {"p90:5m", {"6", "1", "1", "2 3 4 5 30 5", "3 8 20 10 4"}},
    {"sum10m", {"8", "2", "1", "2 5 7 8 37 8", "1 8 20 16 6"}},
    {"p10:5m", {"2", "1", "0", "0 2 3 3 7 3", "1 8 20 6 2"}},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define NO_MODE ROWS /* the number of the row of no clearmode */

static struct gs_mode mode_of(size_t row) {
	struct gs_mode mode = {0};
	if (row != NO_MODE)
		assert_int_equal(gs_mode_parse(gs_str_of(rows[row].mode), &mode, NULL), GS_OK);
	return mode;
}

/* ${template} with ${label} (may be empty) at its places. */
static void fill_labels(char *out, size_t n, const char *template, const char *label) {
	size_t at = 0;
	for (const char *p = template; *p != '\0'; p++) {
		if (*p != '@' && *p != '$')
			out[at++] = *p;
		else if (label[0] != '\0')
			at += (size_t)snprintf(out + at, n - at, *p == '@' ? ",%s" : "{%s}", label);
		assert_true(at + 1 < n);
	}
	out[at] = '\0';
}

/* ${template} with the numbers in ${numbers} at its places. */
static void fill_numbers(char *out, size_t n, const char *template, const char *numbers) {
	struct gs_str rest = gs_str_of(numbers), number;
	size_t at = 0;
	for (const char *p = template; *p != '\0'; p++) {
		if (*p != '%') {
			out[at++] = *p;
			continue;
		}
		assert_true(rest.n != 0);
		gs_str_cut(rest, ' ', &number, &rest);
		at += (size_t)snprintf(out + at, n - at, "%.*s", GS_FMT(number));
		assert_true(at + 1 < n);
	}
	assert_int_equal(rest.n, 0);
	out[at] = '\0';
}

/* ${template} with one number everywhere, but another one for the first ${n_other}. */
static void fill_same(
    char *out, size_t n, const char *template, const char *number, unsigned n_other, const char *other) {
	char numbers[200] = "";
	for (const char *p = strchr(template, '%'); p != NULL; p = strchr(p + 1, '%')) {
		size_t at = strlen(numbers);
		snprintf(numbers + at, sizeof(numbers) - at, "%s%s", at != 0 ? " " : "", n_other != 0 ? other : number);
		n_other -= n_other != 0;
	}
	fill_numbers(out, n, template, numbers);
}

static void push_with(struct bench *b, const struct type *type, const char *template, const char *label) {
	static const struct gs_expo_options openmetrics = {.format = GS_FORMAT_OPENMETRICS};
	struct gs_batch_options options = {0};
	char body[1000];
	fill_labels(body, sizeof(body), template, label);
	b->err = (struct gs_error){0};
	gs_batch_begin(b->batch, &options);
	enum gs_status status =
	    gs_batch_read(b->batch, b->parser, type->openmetrics ? &openmetrics : NULL, gs_str_of(body), &b->err);
	if (status == GS_OK)
		status = gs_store_push(b->store, b->batch, b->now, &b->result, &b->err);
	if (status != GS_OK)
		fail_msg("%s: %u:%u: %s", body, b->err.line, b->err.column, b->err.text);
	gs_store_check(b->store);
}

static void push_mode(struct bench *b, const struct type *type, const char *template, size_t row) {
	char label[64] = "";
	if (row != NO_MODE)
		snprintf(label, sizeof(label), "clearmode=\"%s\"", rows[row].mode);
	push_with(b, type, template, label);
}

static void assert_shown(
    struct bench *b, const struct type *type, size_t before, size_t row, const char *what, const char *expected) {
	char *text = exposition(b);
	if (strcmp(text, expected) != 0)
		fail_msg("%s, %s then %s, %s:\n%s\ninstead of\n%s", type->name,
		    before == NO_MODE ? "none" : rows[before].mode, row == NO_MODE ? "none" : rows[row].mode, what,
		    text, expected);
	gs_free(text);
}

/* The second push by itself, under a mode in which it is the first. */
static void expect_alone(char *out, size_t n, const struct type *type, const struct gs_mode *mode) {
	bool pebble = mode->kind == GS_MODE_PEBBLE;
	if (pebble && mode->agg == GS_PEBBLE_COUNT)
		fill_same(out, n, type->alone, "1", 0, "");
	else if (pebble && mode->agg == GS_PEBBLE_STDDEV)
		fill_same(out, n, type->alone, "0", 0, "");
	else
		fill_numbers(out, n, type->alone, alone[type->shape]);
}

/* What both pushes are in the row. */
static void expect_both(char *out, size_t n, const struct type *type, size_t row) {
	size_t effective = row != NO_MODE ? row : 0;
	const char *cell = rows[effective].cells[type->shape];
	if (cell == NULL || (row == NO_MODE && !type->adds))
		fill_numbers(out, n, type->alone, alone[type->shape]);
	else
		fill_numbers(out, n, type->both, cell);
}

/* When the window of the pebble has passed. */
static void expect_empty(char *out, size_t n, const struct type *type, const struct gs_mode *mode, bool both) {
	const char *template = both ? type->both : type->alone;
	unsigned quantiles = both ? type->quantiles : type->quantiles_alone;
	if (mode->agg == GS_PEBBLE_SUM)
		fill_same(out, n, template, "0", quantiles, "NaN"); /* of a quantile the last one would stand */
	else if (mode->agg == GS_PEBBLE_COUNT)
		fill_same(out, n, template, "0", 0, "");
	else
		out[0] = '\0';
}

static void test_every_cell(void **state) {
	(void)state;
	char expected[1000];
	for (size_t t = 0; t < TYPES; t++) {
		for (size_t row = 0; row <= ROWS; row++) {
			struct bench b;
			bench_open(&b, &(struct gs_store_options){0});
			push_mode(&b, &types[t], types[t].first, row);
			push_mode(&b, &types[t], types[t].second, row);
			expect_both(expected, sizeof(expected), &types[t], row);
			assert_shown(&b, &types[t], row, row, "both", expected);
			bench_close(&b);
		}
	}
}

/* Two pushes with two clearmodes; then a time in which the window of a pebble passes. */
static void transition(const struct type *type, size_t from, size_t to) {
	struct gs_mode before = mode_of(from), after = mode_of(to);
	bool was_pebble = before.kind == GS_MODE_PEBBLE, named = to != NO_MODE;
	bool stays = was_pebble && (!named || gs_mode_same(&before, &after));
	bool plain = !stays && after.kind != GS_MODE_PEBBLE;
	bool joined = stays || (plain && !was_pebble);
	struct gs_mode now = stays ? before : after;
	struct bench b;
	char expected[1000];
	bench_open(&b, &(struct gs_store_options){0});
	push_mode(&b, type, type->first, from);
	push_mode(&b, type, type->second, to);
	if (joined)
		expect_both(expected, sizeof(expected), type, stays ? from : to);
	else
		expect_alone(expected, sizeof(expected), type, &now);
	assert_shown(&b, type, from, to, "both", expected);
	struct gs_family_view view;
	struct gs_str name = type->shape == INFO     ? GS_STR("x_info")
			     : type->shape < BUCKETS ? GS_STR("x")
						     : gs_str_make(type->shape == BUCKETS ? "h" : "s", 1);
	assert_true(gs_store_family(b.store, name, &view));
	assert_int_equal(view.timed, !plain);
	b.now += 3600000;
	if (!plain)
		expect_empty(expected, sizeof(expected), type, &now, joined);
	assert_shown(&b, type, from, to, "an hour later", expected);
	bench_close(&b);
}

static void test_every_transition(void **state) {
	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		for (size_t from = 0; from <= ROWS; from++) {
			for (size_t to = 0; to <= ROWS; to++)
				transition(&types[t], from, to);
		}
	}
}

/* From a plain value to a pebble, back, and to the pebble again: nothing of what was before is left. */
static void test_there_and_back(void **state) {
	(void)state;
	char expected[1000];
	for (size_t t = 0; t < TYPES; t++) {
		for (size_t row = 0; row < ROWS; row++) {
			struct gs_mode mode = mode_of(row);
			if (mode.kind != GS_MODE_PEBBLE)
				continue;
			struct bench b;
			bench_open(&b, &(struct gs_store_options){0});
			push_mode(&b, &types[t], types[t].first, NO_MODE);
			push_mode(&b, &types[t], types[t].first, row);
			push_mode(&b, &types[t], types[t].first, NO_MODE); /* stays */
			push_mode(&b, &types[t], types[t].second, 2); /* replace */
			fill_numbers(expected, sizeof(expected), types[t].alone, alone[types[t].shape]);
			assert_shown(&b, &types[t], row, 2, "replaced", expected);
			push_mode(&b, &types[t], types[t].second, row);
			expect_alone(expected, sizeof(expected), &types[t], &mode);
			assert_shown(&b, &types[t], 2, row, "again", expected);
			bench_close(&b);
		}
	}
}

/* Only family removes the series that the push does not have. */
static void test_what_becomes_of_others(void **state) {
	(void)state;
	for (size_t t = 0; t < TYPES; t++) {
		for (size_t row = 0; row <= ROWS; row++) {
			bool family = mode_of(row).kind == GS_MODE_FAMILY;
			struct bench b;
			char expected[1000];
			bench_open(&b, &(struct gs_store_options){0});
			push_with(&b, &types[t], types[t].first, "other=\"1\"");
			push_mode(&b, &types[t], types[t].second, row);
			assert_int_equal(gs_store_stats(b.store).series, family ? 1 : 2);
			assert_int_equal(b.result.series_gone, family ? 1 : 0);
			fill_numbers(expected, sizeof(expected), types[t].alone, alone[types[t].shape]);
			if (family)
				assert_shown(&b, &types[t], NO_MODE, row, "family", expected);
			bench_close(&b);
		}
	}
}

/* An older value does not replace a newer one, but it counts where both do. */
static void test_older_values(void **state) {
	(void)state;
	static const struct {
		const char *mode;
		double value;
		size_t stale;
	} older[] = {{"replace", 5, 1}, {"family", 5, 1}, {"aggregate", 6, 0}, {"min", 1, 0}, {"max", 5, 0}};
	for (size_t i = 0; i < sizeof(older) / sizeof(older[0]); i++) {
		struct bench b;
		char body[100];
		bench_open(&b, &(struct gs_store_options){0});
		assert_pushed(&b, "x 5 2000\n");
		snprintf(body, sizeof(body), "x{clearmode=\"%s\"} 1 1000\n", older[i].mode);
		assert_pushed(&b, body);
		assert_int_equal(b.result.dropped_stale, older[i].stale);
		snprintf(body, sizeof(body), "# TYPE x untyped\nx %d\n", (int)older[i].value);
		assert_exposition(&b, body);
		bench_close(&b);
	}
}

/* NaN is no number to min and max; infinities are. */
static void test_nan_and_infinity(void **state) {
	(void)state;
	static const struct {
		const char *mode;
		const char *pushed;
		const char *becomes;
	} cells[] = {
	    {"min", "NaN", "NaN"},
	    {"min", "NaN 4 NaN 3", "3"},
	    {"max", "NaN 4 3", "4"},
	    {"max", "4 NaN", "4"},
	    {"min", "4 -Inf", "-Inf"},
	    {"max", "+Inf 4", "+Inf"},
	    {"aggregate", "1 NaN", "NaN"},
	    {"aggregate", "+Inf -Inf", "NaN"},
	    {"min5m", "NaN 4 NaN 3", "3"},
	    {"max5m", "NaN", "NaN"},
	    {"max5m", "NaN 4 3", "4"},
	    {"median5m", "NaN 4 NaN", "4"},
	    {"median5m", "NaN NaN", "NaN"},
	    {"p100:5m", "1 +Inf 2", "+Inf"},
	    {"p0:5m", "-Inf 1 2", "-Inf"},
	    {"median5m", "-Inf 1 +Inf", "1"},
	    {"count5m", "NaN NaN", "2"},
	    {"last5m", "1 NaN", "NaN"},
	    {"sum5m", "1 NaN", "NaN"},
	    {"mean5m", "1 +Inf", "+Inf"},
	    {"stddev5m", "NaN", "NaN"},
	    {"stddev5m", "+Inf", "NaN"},
	    {"stddev5m", "1 +Inf", "NaN"},
	    {"stddev5m", "1e200 1e200", "0"},
	    {"median5m", "-0", "0"},
	};
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		struct gs_str rest = gs_str_of(cells[i].pushed), one;
		struct bench b;
		char text[200];
		bench_open(&b, &(struct gs_store_options){0});
		while (rest.n != 0) {
			gs_str_cut(rest, ' ', &one, &rest);
			snprintf(text, sizeof(text), "# TYPE x gauge\nx{clearmode=\"%s\"} %.*s\n", cells[i].mode,
			    GS_FMT(one));
			assert_pushed(&b, text);
		}
		snprintf(text, sizeof(text), "# TYPE x gauge\nx %s\n", cells[i].becomes);
		char *shown = exposition(&b);
		if (strcmp(shown, text) != 0)
			fail_msg("%s of %s is %s", cells[i].mode, cells[i].pushed, shown);
		gs_free(shown);
		bench_close(&b);
	}
}

/* A part that only one of the two has. */
static void test_missing_parts(void **state) {
	(void)state;
	static const struct {
		const char *mode;
		const char *shown;
	} cells[] = {
	    {"aggregate", "h_bucket{le=\"+Inf\"} 7\nh_sum 5\nh_count 7\n# TYPE s summary\ns_sum 3\ns_count 2\n"},
	    {"min", "h_bucket{le=\"+Inf\"} 3\nh_sum 5\nh_count 3\n# TYPE s summary\ns_sum 3\ns_count 2\n"},
	    {"max", "h_bucket{le=\"+Inf\"} 4\nh_sum 5\nh_count 4\n# TYPE s summary\ns_sum 3\ns_count 2\n"},
	    {"mean5m", "h_bucket{le=\"+Inf\"} 3.5\nh_sum 5\nh_count 3.5\n# TYPE s summary\ns_sum 3\ns_count 2\n"},
	    {"count5m", "h_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n# TYPE s summary\ns_sum 1\ns_count 1\n"},
	};
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		struct bench b;
		char text[500];
		const char *m = cells[i].mode;
		bench_open(&b, &(struct gs_store_options){0});
		snprintf(text, sizeof(text),
		    "# TYPE h histogram\nh_bucket{le=\"+Inf\",clearmode=\"%s\"} 4\n# TYPE s summary\n"
		    "s_sum{clearmode=\"%s\"} 3\n",
		    m, m);
		assert_pushed(&b, text);
		snprintf(text, sizeof(text),
		    "# TYPE h histogram\nh_bucket{le=\"+Inf\",clearmode=\"%s\"} 3\nh_sum{clearmode=\"%s\"} 5\n"
		    "# TYPE s summary\ns_count{clearmode=\"%s\"} 2\n",
		    m, m, m);
		assert_pushed(&b, text);
		snprintf(text, sizeof(text), "# TYPE h histogram\n%s", cells[i].shown);
		assert_exposition(&b, text);
		bench_close(&b);
	}
}

/* What was added to with an older time, or without one, is as new as it was: a replace from between does not pass. */
static void test_time_of_what_both_made(void **state) {
	(void)state;
	static const char *const between[] = {"c{clearmode=\"aggregate\"} 1 1000\n", "c{clearmode=\"min\"} 9 1000\n",
	    "c{clearmode=\"max\"} 1 1000\n", "c{clearmode=\"aggregate\"} 0\n"};
	for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
		struct bench b;
		bench_open(&b, &(struct gs_store_options){0});
		assert_pushed(&b, "c{clearmode=\"replace\"} 5 5000\n");
		assert_pushed(&b, between[i]);
		assert_pushed(&b, "c{clearmode=\"replace\"} 7 4000\n");
		assert_int_equal(b.result.dropped_stale, 1);
		assert_pushed(&b, "c{clearmode=\"replace\"} 8 6000\n");
		assert_exposition(&b, "# TYPE c untyped\nc 8\n");
		bench_close(&b);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_time_of_what_both_made),
	    cmocka_unit_test(test_every_cell),
	    cmocka_unit_test(test_every_transition),
	    cmocka_unit_test(test_there_and_back),
	    cmocka_unit_test(test_what_becomes_of_others),
	    cmocka_unit_test(test_older_values),
	    cmocka_unit_test(test_nan_and_infinity),
	    cmocka_unit_test(test_missing_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
