/* SPDX-License-Identifier: Apache-2.0 */
/* As what a family is written in OpenMetrics: as what it is, as long as it keeps the rules of that. */
#include "rich_test.h"

static const struct gs_store_options plain = {.max_age_ms = 10000};

#define HISTOGRAM(name, sum, count)                                                                                    \
	"# TYPE " name " histogram\n" name "_bucket{le=\"+Inf\"} " count "\n" name "_sum " sum "\n" name               \
	"_count " count "\n"

/* What is served keeps every rule, also those that need a memory of all of it. */
static void assert_valid(struct bench *b, const char *text) {
	struct gs_expo_seen *seen = gs_expo_seen_new();
	struct gs_expo_options options = {.format = GS_FORMAT_OPENMETRICS, .utf8_names = true, .seen = seen};
	struct gs_expo_event event = {0};
	struct gs_error err = {0};
	struct gs_buf whole;
	gs_buf_init(&whole, SIZE_MAX);
	gs_buf_cstr(&whole, text);
	gs_buf_cstr(&whole, "# EOF\n");
	gs_expo_begin(b->parser, &options);
	gs_expo_feed(b->parser, gs_buf_slice(&whole), true);
	while (gs_expo_next(b->parser, &event, &err) == GS_OK && event.kind != GS_EXPO_END)
		continue;
	if (event.kind != GS_EXPO_END)
		fail_msg("%u:%u: %s\n%s", err.line, err.column, err.text, text);
	gs_buf_free(&whole);
	gs_expo_seen_free(seen);
}

/* What is served after a scrape of ${body}, which may hold what a push may not. */
static void assert_form(const char *body, const char *expected) {
	struct gs_batch_options options = {.lenient = true};
	struct gs_scrape_info info = {.time_ms = T0, .interval_ms = 1000};
	struct bench b;
	bench_open(&b, &plain);
	gs_batch_begin(b.batch, &options);
	assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, gs_str_of(body), &b.err), GS_OK);
	assert_int_equal(gs_store_scrape(b.store, &info, b.batch, T0, &b.result), GS_OK);
	gs_store_check(b.store);
	char *text = exposition_in(&b, strict_utf8);
	assert_valid(&b, text);
	assert_string_equal(text, expected);
	gs_free(text);
	bench_close(&b);
}

/* What is written as it is, but for the name of its head. */
#define assert_fits(type, name, head, body)                                                                            \
	assert_form("# TYPE " name " " type "\n" body, "# TYPE " head " " type "\n" body)

static void test_numbers(void **state) {
	(void)state;
	assert_fits("counter", "a_total", "a", "a_total 1\n");
	assert_fits("counter", "a_total", "a", "a_total +Inf\n");
	assert_fits("counter", "a_total", "a", "a_total 0\n");
	assert_form("# TYPE a_total counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} -1\n",
	    "# TYPE a_total unknown\na_total{x=\"1\"} 1\na_total{x=\"2\"} -1\n");
	assert_form("# TYPE a_total counter\na_total NaN\n", "# TYPE a_total unknown\na_total NaN\n");
	assert_form("# TYPE a counter\na 1\n", "# TYPE a unknown\na 1\n");
	assert_form("# TYPE _total counter\n_total 1\n", "# TYPE _total unknown\n_total 1\n");
	assert_fits("gauge", "a", "a", "a NaN\n");
	assert_form("a -1\n", "# TYPE a unknown\na -1\n");
	assert_fits("info", "a_info", "a", "a_info{v=\"1\"} 1\n");
	assert_form("# TYPE a_info info\na_info{v=\"1\"} 2\n", "# TYPE a_info gauge\na_info{v=\"1\"} 2\n");
	assert_form("# TYPE a info\na{v=\"1\"} 1\n", "# TYPE a gauge\na{v=\"1\"} 1\n");
}

static void test_statesets(void **state) {
	(void)state;
	assert_fits("stateset", "s", "s", "s{s=\"a\"} 1\ns{s=\"b\"} 0\n");
	assert_fits("stateset", "s", "s", "s{a=\"1\",s=\"a\"} 1\ns{a=\"1\",s=\"b\"} 0\ns{a=\"2\",s=\"a\"} 1\n");
	assert_fits("stateset", "s", "s", "s{s=\"a\",z=\"1\"} 1\ns{s=\"b\",z=\"1\"} 1\n");
	assert_fits("stateset", "s", "s", "s{a=\"1\",s=\"a\",z=\"1\"} 1\ns{a=\"2\",s=\"a\",z=\"2\"} 1\n");
	assert_form("# TYPE \"s.t\" stateset\n{\"s.t\",\"s.t\"=\"a\"} 1\n",
	    "# TYPE \"s.t\" stateset\n{\"s.t\",\"s.t\"=\"a\"} 1\n");
	/* the states of two sets take turns */
	assert_form("# TYPE s stateset\ns{s=\"a\",z=\"1\"} 1\ns{s=\"a\",z=\"2\"} 1\n",
	    "# TYPE s gauge\ns{s=\"a\",z=\"1\"} 1\ns{s=\"a\",z=\"2\"} 1\n");
	assert_form("# TYPE s stateset\ns{s=\"a\"} 2\n", "# TYPE s gauge\ns{s=\"a\"} 2\n");
	assert_form("# TYPE s stateset\ns{x=\"a\"} 1\n", "# TYPE s gauge\ns{x=\"a\"} 1\n");
	assert_form("# TYPE s stateset\ns 1\n", "# TYPE s gauge\ns 1\n");
}

#define H(bucket) "h_bucket{le=\"" bucket "\n"
#define STAYS(lines) assert_fits("histogram", "h", "h", lines)
#define BREAKS(lines) assert_form("# TYPE h histogram\n" lines, "# TYPE h unknown\n" lines)

static void test_histograms(void **state) {
	(void)state;
	STAYS(H("1\"} 2") H("+Inf\"} 3") "h_sum 4\nh_count 3\n");
	STAYS(H("1\"} 2") H("+Inf\"} 3"));
	STAYS(H("-1\"} 2") H("+Inf\"} 3"));
	STAYS(H("+Inf\"} 3") "h_sum +Inf\nh_count 3\n");
	BREAKS(H("1\"} 2") "h_sum 4\nh_count 2\n"); /* no +Inf */
	BREAKS("h_sum 4\nh_count 2\n");
	BREAKS(H("1\"} 2") H("+Inf\"} 3") "h_sum 4\nh_count 2\n");
	BREAKS(H("1\"} 2") H("+Inf\"} 1") "h_sum 4\nh_count 1\n");
	BREAKS(H("1\"} 0.5") H("+Inf\"} 1") "h_sum 4\nh_count 1\n");
	BREAKS(H("+Inf\"} -1") "h_sum 4\nh_count -1\n");
	BREAKS(H("+Inf\"} +Inf") "h_sum 4\nh_count +Inf\n");
	BREAKS(H("+Inf\"} NaN") "h_sum 4\nh_count NaN\n");
	BREAKS(H("+Inf\"} 1") "h_sum 4\n");
	BREAKS(H("+Inf\"} 1") "h_count 1\n");
	BREAKS(H("+Inf\"} 1") "h_sum -4\nh_count 1\n");
	BREAKS(H("+Inf\"} 1") "h_sum NaN\nh_count 1\n");
	BREAKS(H("-1\"} 1") H("+Inf\"} 1") "h_sum 4\nh_count 1\n");
}

static void test_gauge_histograms(void **state) {
	(void)state;
	assert_fits("gaugehistogram", "h", "h", H("1\"} 2") H("+Inf\"} 3") "h_gsum 4\nh_gcount 3\n");
	assert_fits("gaugehistogram", "h", "h", H("-1\"} 2") H("+Inf\"} 3") "h_gsum -4\nh_gcount 3\n");
	assert_form("# TYPE h gaugehistogram\n" H("+Inf\"} 3") "h_gsum -4\nh_gcount 3\n",
	    "# TYPE h unknown\n" H("+Inf\"} 3") "h_gsum -4\nh_gcount 3\n");
	assert_form("# TYPE h gaugehistogram\n" H("-1\"} 1") H("+Inf\"} 3") "h_gsum NaN\nh_gcount 3\n",
	    "# TYPE h unknown\n" H("-1\"} 1") H("+Inf\"} 3") "h_gsum NaN\nh_gcount 3\n");
}

#define SUMMARY_STAYS(lines) assert_fits("summary", "s", "s", lines)
#define SUMMARY_BREAKS(lines) assert_form("# TYPE s summary\n" lines, "# TYPE s unknown\n" lines)

static void test_summaries(void **state) {
	(void)state;
	SUMMARY_STAYS("s{quantile=\"0\"} 1\ns{quantile=\"0.5\"} NaN\ns{quantile=\"1\"} 2\ns_sum 4\ns_count 3\n");
	SUMMARY_STAYS("s_count 3\n");
	SUMMARY_STAYS("s_sum 3.5\n");
	SUMMARY_STAYS("s{quantile=\"0.5\"} 1\n");
	SUMMARY_BREAKS("s{quantile=\"1.5\"} 1\n");
	SUMMARY_BREAKS("s{quantile=\"-0.5\"} 1\n");
	SUMMARY_BREAKS("s{quantile=\"0.5\"} -1\n");
	SUMMARY_BREAKS("s_count 3.5\n");
	SUMMARY_BREAKS("s_count -3\n");
	SUMMARY_BREAKS("s_sum -3\n");
	SUMMARY_BREAKS("s_sum NaN\n");
}

/* Parts that are no family stand with their like. */
static void test_parts_apart(void **state) {
	(void)state;
	assert_form("# TYPE h histogram\n"
		    "h_bucket{a=\"1\",le=\"+Inf\"} 1\nh_sum{a=\"1\"} -1\nh_count{a=\"1\"} 1\n"
		    "h_bucket{a=\"2\",le=\"+Inf\"} 1\nh_sum{a=\"2\"} 1\nh_count{a=\"2\"} 1\n",
	    "# TYPE h unknown\n"
	    "h_bucket{a=\"1\",le=\"+Inf\"} 1\nh_bucket{a=\"2\",le=\"+Inf\"} 1\n"
	    "h_sum{a=\"1\"} -1\nh_sum{a=\"2\"} 1\n"
	    "h_count{a=\"1\"} 1\nh_count{a=\"2\"} 1\n");
}

/* A bound stands as it came, if it is a number of OpenMetrics. */
static void test_bounds(void **state) {
	(void)state;
	static const char *const bounds[][2] = {{"1", "1"}, {"1.0", "1.0"}, {"1e3", "1e3"}, {"0.50", "0.50"},
	    {"+5", "+5"}, {".5", ".5"}, {"5.", "5."}, {"1E-3", "1E-3"}, {"0x1p3", "8.0"}, {"0X1P3", "8.0"}};
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		char body[256], expected[256];
		static const char form[] = "# TYPE h histogram\nh_bucket{le=\"%s\"} 1\nh_bucket{le=\"%s\"} 1\n";
		snprintf(body, sizeof(body), form, bounds[i][0], "inf");
		snprintf(expected, sizeof(expected), form, bounds[i][1], "+Inf");
		assert_form(body, expected);
	}
	assert_form("# TYPE h histogram\nh_bucket{le=\"-Inf\"} 0\nh_bucket{le=\"Infinity\"} 1\n",
	    "# TYPE h histogram\nh_bucket{le=\"-Inf\"} 0\nh_bucket{le=\"+Inf\"} 1\n");
}

/* Who would get a name of another one stays what has none of its own. */
static void test_clashes(void **state) {
	(void)state;
	assert_form("# TYPE x gauge\nx 1\n# TYPE x_total counter\nx_total 2\n",
	    "# TYPE x gauge\nx 1\n# TYPE x_total unknown\nx_total 2\n");
	assert_form("# TYPE x_total counter\nx_total 2\n# TYPE x_info info\nx_info 1\n",
	    "# TYPE x_info gauge\nx_info 1\n# TYPE x counter\nx_total 2\n");
	assert_form("# TYPE x_total counter\nx_total 2\n# TYPE x_info gauge\nx_info 1\n",
	    "# TYPE x_info gauge\nx_info 1\n# TYPE x counter\nx_total 2\n");
	assert_form("x 2\n# TYPE x_info info\nx_info 1\n", "# TYPE x unknown\nx 2\n# TYPE x_info gauge\nx_info 1\n");
	/* the head of a counter would be a part of a histogram, or the other way round */
	assert_form(HISTOGRAM("h", "1", "1") "# TYPE h_sum_total counter\nh_sum_total 1\n",
	    HISTOGRAM("h", "1", "1") "# TYPE h_sum_total unknown\nh_sum_total 1\n");
	assert_form(HISTOGRAM("h", "1", "1") "# TYPE h_total counter\nh_total 1\n",
	    HISTOGRAM("h", "1", "1") "# TYPE h_total unknown\nh_total 1\n");
	assert_form(HISTOGRAM("h", "1", "1") "# TYPE h_created_total counter\nh_created_total 1\n",
	    HISTOGRAM("h", "1", "1") "# TYPE h_created_total unknown\nh_created_total 1\n");
	assert_form(HISTOGRAM("h", "1", "1") "# TYPE h_created_info info\nh_created_info 1\n",
	    HISTOGRAM("h", "1", "1") "# TYPE h_created_info gauge\nh_created_info 1\n");
	assert_form("# TYPE x_created_total counter\nx_created_total 1\n# TYPE x_total counter\nx_total 1\n",
	    "# TYPE x_created_total unknown\nx_created_total 1\n# TYPE x_total unknown\nx_total 1\n");
	assert_form("# TYPE x_created_info info\nx_created_info 1\n# TYPE x_total counter\nx_total 1\n",
	    "# TYPE x_created_info gauge\nx_created_info 1\n# TYPE x counter\nx_total 1\n");
	assert_form("# TYPE x_total_total counter\nx_total_total 1\n# TYPE x_total counter\nx_total 1\n",
	    "# TYPE x counter\nx_total 1\n# TYPE x_total_total unknown\nx_total_total 1\n");
	/* only names that are there count */
	assert_form("# TYPE h_sum_total counter\nh_sum_total 1\n# TYPE h gauge\nh 1\n",
	    "# TYPE h gauge\nh 1\n# TYPE h_sum counter\nh_sum_total 1\n");
}

/* Times of creation stand with what was created. */
static void test_created(void **state) {
	(void)state;
	assert_form("# TYPE c_total counter\nc_total{a=\"1\"} 1\nc_total{a=\"2\"} 2\n"
		    "# TYPE c_created gauge\nc_created{a=\"1\"} 5.5\n",
	    "# TYPE c counter\nc_total{a=\"1\"} 1\nc_created{a=\"1\"} 5.5\nc_total{a=\"2\"} 2\n");
	assert_form(HISTOGRAM("h", "1", "1") "# TYPE h_created gauge\nh_created 5.5\n",
	    HISTOGRAM("h", "1", "1") "h_created 5.5\n");
	assert_form("# TYPE s summary\ns_count 1\n# TYPE s_created gauge\ns_created 1700000000.123\n",
	    "# TYPE s summary\ns_count 1\ns_created 1.700000000123e+09\n");
	assert_form(
	    "# TYPE \"c.d_total\" counter\n{\"c.d_total\"} 1\n# TYPE \"c.d_created\" gauge\n{\"c.d_created\"} 2\n",
	    "# TYPE \"c.d\" counter\n{\"c.d_total\"} 1\n{\"c.d_created\"} 2\n");
}

/* Where one of them is no such time, all stay where they are, and what they would be of has no type in which they had a place. */
static void test_not_created(void **state) {
	(void)state;
#define COUNTER "# TYPE c_total counter\nc_total{a=\"1\"} 1\n"
#define UNKNOWN "# TYPE c_total unknown\nc_total{a=\"1\"} 1\n"
	assert_form(COUNTER "# TYPE c_created gauge\nc_created{a=\"1\"} 1\nc_created{a=\"2\"} 1\n",
	    "# TYPE c_created gauge\nc_created{a=\"1\"} 1\nc_created{a=\"2\"} 1\n" UNKNOWN);
	assert_form(COUNTER "# TYPE c_created gauge\nc_created{a=\"1\"} NaN\n",
	    "# TYPE c_created gauge\nc_created{a=\"1\"} NaN\n" UNKNOWN);
	assert_form(COUNTER "c_created{a=\"1\"} 1\n", "# TYPE c_created unknown\nc_created{a=\"1\"} 1\n" UNKNOWN);
	assert_form(COUNTER HISTOGRAM("c_created", "1", "1"), HISTOGRAM("c_created", "1", "1") UNKNOWN);
	assert_form(COUNTER "c_total{a=\"0\"} -1\n# TYPE c_created gauge\nc_created{a=\"1\"} 1\n",
	    "# TYPE c_created gauge\nc_created{a=\"1\"} 1\n"
	    "# TYPE c_total unknown\nc_total{a=\"0\"} -1\nc_total{a=\"1\"} 1\n");
	assert_form(COUNTER "# TYPE c gauge\nc 1\n# TYPE c_created gauge\nc_created{a=\"1\"} 1\n",
	    "# TYPE c gauge\nc 1\n# TYPE c_created gauge\nc_created{a=\"1\"} 1\n" UNKNOWN);
	assert_form(COUNTER HISTOGRAM("c", "1", "1") "# TYPE c_created gauge\nc_created 1\n",
	    HISTOGRAM("c", "1", "1") "c_created 1\n" UNKNOWN);
	assert_form("# TYPE g gauge\ng 1\n# TYPE g_created gauge\ng_created 1\n",
	    "# TYPE g gauge\ng 1\n# TYPE g_created gauge\ng_created 1\n");
	assert_form("# TYPE c counter\nc 1\n# TYPE c_created gauge\nc_created 1\n",
	    "# TYPE c unknown\nc 1\n# TYPE c_created gauge\nc_created 1\n");
	assert_form("# TYPE _created gauge\n_created 1\n", "# TYPE _created gauge\n_created 1\n");
}

static char *family_in(struct bench *b, const char *name, struct gs_expo_dialect dialect, gs_store_wanted_fn *wanted) {
	struct gs_buf out;
	size_t n;
	gs_buf_init(&out, SIZE_MAX);
	assert_true(gs_store_render_family_if(b->store, gs_str_of(name), b->now, dialect, wanted, NULL, &out));
	gs_buf_char(&out, '\0');
	return gs_buf_take(&out, &n);
}

#define assert_family(b, name, wanted, expected)                                                                       \
	do {                                                                                                           \
		char *family_ = family_in(b, name, strict_utf8, wanted);                                               \
		assert_string_equal(family_, expected);                                                                \
		gs_free(family_);                                                                                      \
	} while (0)

static bool no_sums(void *ctx, const struct gs_label *labels, size_t n) {
	(void)ctx;
	(void)n;
	return !gs_str_ends(labels[0].value, GS_STR("_sum"));
}

/* Who asks for one family gets what it is in text; nobody knows what else is asked for. */
static void test_alone(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE c_total counter\nc_total 1\n# TYPE c_created gauge\nc_created 5\n"
			  "# TYPE d_total counter\nd_total 1\n" HISTOGRAM("h", "1", "1"));
	assert_family(&b, "c_total", NULL, "# TYPE c_total unknown\nc_total 1\n");
	assert_family(&b, "c_created", NULL, "# TYPE c_created gauge\nc_created 5\n");
	assert_family(&b, "d_total", NULL, "# TYPE d counter\nd_total 1\n");
	assert_family(&b, "d_total", no_sums, "# TYPE d counter\nd_total 1\n");
	assert_family(&b, "h", NULL, HISTOGRAM("h", "1", "1"));
	/* a histogram of which a line is left out is none */
	assert_family(&b, "h", no_sums, "# TYPE h unknown\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n");
	bench_close(&b);
}

/* The value of a pebble falls, which that of a type with rules may not. */
static void test_pebbles(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	push_strict(&b, "sum5m",
	    "# TYPE c counter\nc_total 1\n# TYPE g gauge\ng 1\n# TYPE s summary\ns_count 1\n"
	    "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\nh_sum 1\n");
	assert_strict(&b, "# TYPE c_total unknown\nc_total 1\n# TYPE g gauge\ng 1\n"
			  "# TYPE h unknown\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"
			  "# TYPE s unknown\ns_count 1\n");
	bench_close(&b);
}

static uint64_t version_of(struct bench *b, const char *name) {
	struct gs_family_view view;
	assert_true(gs_store_family(b->store, gs_str_of(name), &view));
	return view.version;
}

/* Values that become right, and families that leave: what is written follows, and the versions say so. */
static void test_changes(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "# TYPE a_total counter\na_total{clearmode=\"replace\"} -1\nother 1\n");
	uint64_t a = version_of(&b, "a_total"), other = version_of(&b, "other");
	assert_strict(&b, "# TYPE a_total unknown\na_total -1\n# TYPE other unknown\nother 1\n");
	assert_pushed(&b, "# TYPE a_total counter\na_total{clearmode=\"replace\"} 1\n");
	assert_true(version_of(&b, "a_total") != a);
	assert_strict(&b, "# TYPE a counter\na_total 1\n# TYPE other unknown\nother 1\n");
	/* another family of its name comes and goes */
	a = version_of(&b, "a_total");
	assert_int_equal(push_at(&b, "job=x", "a 1\n"), GS_OK);
	assert_true(version_of(&b, "a_total") != a);
	a = version_of(&b, "a_total");
	assert_strict(&b, "# TYPE a unknown\na{job=\"x\"} 1\n# TYPE a_total unknown\na_total 1\n"
			  "# TYPE other unknown\nother 1\n");
	assert_int_equal(version_of(&b, "a_total"), a);
	struct gs_label label = {GS_STR("job"), GS_STR("x")};
	assert_int_equal(gs_store_delete(b.store, &label, 1, &b.result), GS_OK);
	assert_true(version_of(&b, "a_total") != a);
	assert_strict(&b, "# TYPE a counter\na_total 1\n# TYPE other unknown\nother 1\n");
	/* its times come, change and go: whoever keeps the one or the other must know */
	a = version_of(&b, "a_total");
	assert_pushed(&b, "# TYPE a_created gauge\na_created 5\n");
	uint64_t created = version_of(&b, "a_created");
	assert_true(version_of(&b, "a_total") != a);
	a = version_of(&b, "a_total");
	assert_true(created != a);
	assert_strict(&b, "# TYPE a counter\na_total 1\na_created 5\n# TYPE other unknown\nother 1\n");
	assert_pushed(&b, "# TYPE a_created gauge\na_created 6\n");
	assert_true(version_of(&b, "a_total") != a && version_of(&b, "a_created") != created);
	a = version_of(&b, "a_total");
	created = version_of(&b, "a_created");
	assert_int_equal(version_of(&b, "a_total"), a);
	assert_int_equal(version_of(&b, "a_created"), created);
	assert_pushed(&b, "# TYPE a_total counter\na_total{clearmode=\"replace\"} -1\n");
	assert_true(version_of(&b, "a_total") != a && version_of(&b, "a_created") != created);
	assert_strict(&b, "# TYPE a_created gauge\na_created 6\n# TYPE a_total unknown\na_total -1\n"
			  "# TYPE other unknown\nother 1\n");
	assert_int_equal(version_of(&b, "other"), other);
	bench_close(&b);
}

/* No two states of a family, and no two families, have one version. */
static void test_versions_differ(void **state) {
	(void)state;
	static const char *const names[] = {"a", "a_total", "a_created", "a_info", "b", "b_created"};
	static const char *const bodies[] = {"# TYPE a gauge\na 1\n", "# TYPE a_total counter\na_total 1\n",
	    "# TYPE a_created gauge\na_created 1\n", "# TYPE a_info info\na_info 1\n", HISTOGRAM("b", "1", "1"),
	    "# TYPE b_created gauge\nb_created 1\n"};
	static uint64_t had[4000];
	size_t n = 0;
	struct bench b;
	uint32_t seed = 3;
	bench_open(&b, &plain);
	for (int round = 0; round < 600; round++) {
		struct gs_label label = {GS_STR("job"), GS_STR("")};
		char path[16], before[6][512] = {{0}};
		uint64_t versions[6] = {0};
		for (size_t i = 0; i < 6; i++) {
			struct gs_family_view view;
			if (!gs_store_family(b.store, gs_str_of(names[i]), &view))
				continue;
			versions[i] = view.version;
			char *text = family_in(&b, names[i], strict_utf8, NULL);
			snprintf(before[i], sizeof(before[i]), "%s", text);
			gs_free(text);
		}
		seed = seed * 1664525 + 1013904223;
		unsigned what = (seed >> 16) % 6;
		snprintf(path, sizeof(path), "job=%u", what);
		label.value = gs_str_make(path + 4, 1);
		if ((seed >> 24) % 3 == 0)
			assert_int_equal(gs_store_delete(b.store, &label, 1, &b.result), GS_OK);
		else
			assert_int_equal(push_at(&b, path, bodies[what]), GS_OK);
		char *all = exposition_in(&b, strict_utf8);
		assert_valid(&b, all);
		gs_free(all);
		for (size_t i = 0; i < 6; i++) {
			struct gs_family_view view;
			if (!gs_store_family(b.store, gs_str_of(names[i]), &view))
				continue;
			for (size_t k = 0; k < n; k++)
				assert_true(had[k] != view.version || versions[i] == view.version);
			if (view.version == versions[i]) {
				char *text = family_in(&b, names[i], strict_utf8, NULL);
				assert_string_equal(text, before[i]);
				gs_free(text);
			} else {
				had[n++] = view.version;
			}
		}
	}
	assert_true(n > 100);
	bench_close(&b);
}

static void test_units(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	push_strict(&b, "",
	    "# UNIT a_seconds seconds\n# TYPE a_seconds counter\na_seconds_total 1\n"
	    "# TYPE b_bytes gauge\n# UNIT b_bytes bytes\nb_bytes 1\n");
	assert_pushed(&b, "# UNIT c wrong\n# TYPE c gauge\nc 1\n# UNIT b_bytes \n# TYPE b_bytes gauge\nb_bytes 2\n");
	assert_strict(&b, "# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n"
			  "# TYPE b_bytes gauge\n# UNIT b_bytes bytes\nb_bytes 2\n"
			  "# TYPE c gauge\nc 1\n");
	assert_binary(&b, "T a_seconds_total counter\nU a_seconds_total seconds\na_seconds_total 1\n"
			  "T b_bytes gauge\nU b_bytes bytes\nb_bytes 2\n"
			  "T c gauge\nc 1\n");
	uint64_t version = version_of(&b, "b_bytes");
	push_strict(&b, "", "# TYPE b_bytes gauge\n# UNIT b_bytes bytes\nb_bytes 2\n");
	assert_int_equal(version_of(&b, "b_bytes"), version);
	bench_close(&b);
}

/* A unit that finds no memory refuses the push that brought it. */
static void test_no_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int64_t i = 0; failed; i++) {
		struct bench b;
		bench_open(&b, &plain);
		assert_pushed(&b, "# TYPE b_bytes gauge\nb_bytes 1\n");
		gs_mem_fail_after(i);
		enum gs_status status = push_as(&b, GS_FORMAT_OPENMETRICS, "",
		    GS_STR("# TYPE b_bytes gauge\n# UNIT b_bytes bytes\nb_bytes 2\n# EOF\n"));
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		assert_strict(&b, failed ? "# TYPE b_bytes gauge\nb_bytes 1\n"
					 : "# TYPE b_bytes gauge\n# UNIT b_bytes bytes\nb_bytes 2\n");
		bench_close(&b);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_statesets),
	    cmocka_unit_test(test_histograms),
	    cmocka_unit_test(test_gauge_histograms),
	    cmocka_unit_test(test_summaries),
	    cmocka_unit_test(test_parts_apart),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_clashes),
	    cmocka_unit_test(test_created),
	    cmocka_unit_test(test_not_created),
	    cmocka_unit_test(test_alone),
	    cmocka_unit_test(test_pebbles),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_versions_differ),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
