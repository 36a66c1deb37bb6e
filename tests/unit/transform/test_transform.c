/* SPDX-License-Identifier: Apache-2.0 */
/* What a job's settings make of an exposition. Numbers and words of errors are those of Prometheus 2.42 for the same settings. */
#include "transform_test.h"

static void test_nothing_asked_for_writes_nothing(void **state) {
	(void)state;
	struct scrape s;
	struct gs_transform *transform = NULL;
	scrape_init(&s);
	assert_int_equal(gs_transform_new(&s.options, &transform, NULL), GS_OK);
	assert_true(gs_transform_copies(transform));
	scrape_by(&s, transform, GS_STR("# TYPE a gauge\na 1\nb{x=\"1\"} 2 1000\n"));
	assert_written(&s, "");
	assert_int_equal(s.result.samples, 2);
	assert_int_equal(s.result.kept, 2);
	assert_false(s.result.honor_labels);
	gs_transform_free(transform);
	s.options.honor_labels = true;
	s.format.format = GS_FORMAT_OPENMETRICS;
	s.format.utf8_names = true;
	becomes(&s, "# TYPE a gauge\na 1\n# EOF\n", "", 1, 1);
	assert_true(s.result.honor_labels);
	assert_int_equal(s.result.format, GS_FORMAT_OPENMETRICS);
	assert_true(s.result.utf8_names);
	fails(&s, "a 1\nb{\n", GS_EINVAL, "missing '}' after the labels of metric \"b\"", NULL, 1, 1);
	scrape_close(&s);
}

/* The rule that changes nothing: what is settled between sample and target shows. */
static const struct gs_relabel_rule *nothing(void) {
	static const char *const source[] = {"none"};
	static const struct gs_relabel_rule rule = {.action = GS_RELABEL_DROP,
	    .source_labels = source,
	    .nsource_labels = 1,
	    .separator = ";",
	    .regex = "never",
	    .replacement = "$1"};
	return &rule;
}

static void test_sample_limit(void **state) {
	(void)state;
	struct gs_relabel_rule drop = rule_of(GS_RELABEL_DROP, SOURCE("__name__"), "b", NULL, NULL);
	struct scrape s;
	scrape_init(&s);
	s.options.sample_limit = 2;
	becomes(&s, "a 1\nb 2\n", "", 2, 2);
	fails(&s, "a 1\nb 2\nc 3\nd 4\n", GS_ELIMIT, "sample limit exceeded", "sample_limit", 4, 4);
	s.options.relabel = &drop;
	s.options.nrelabel = 1;
	becomes(&s, "a 1\nb 2\nc 3\n", "a 1\nc 3\n", 3, 2);
	fails(&s, "a 1\nb 2\nc 3\nd 4\n", GS_ELIMIT, "sample limit exceeded", "sample_limit", 4, 3);
	fails(&s, "a 1\nb 2\nc 3\nd 4\ne{ 5\n", GS_EINVAL,
	    "expected a label name or '}' in the labels of metric \"e\", found \"5\"", NULL, 4, 3);
	scrape_close(&s);
}

static void test_label_limit(void **state) {
	(void)state;
	struct scrape s;
	scrape_init(&s);
	for (size_t n = 0; n < 2; n++) {
		s.options.relabel = nothing();
		s.options.nrelabel = n;
		s.options.label_limit = 4;
		/* An empty label is none; one in conflict stays as another. */
		becomes(&s, "a{x=\"1\"} 1\nb{y=\"\",x=\"1\"} 2\nc{job=\"1\"} 3\n",
		    n == 0 ? "" : "a{x=\"1\"} 1\nb{x=\"1\"} 2\nc{exported_job=\"1\"} 3\n", 3, 3);
		fails(&s, "a 1\nb{x=\"1\",y=\"2\"} 2\nc 3\n", GS_ELIMIT,
		    "label_limit exceeded (metric: b, number of labels: 5, limit: 4)", "label_limit", 2, 1);
		s.options.label_limit = 3;
		s.options.honor_labels = true;
		becomes(&s, "a{job=\"1\"} 1\n", n == 0 ? "" : "a{job=\"1\"} 1\n", 1, 1);
		s.options.honor_labels = false;
		fails(&s, "a{job=\"1\"} 1\n", GS_ELIMIT,
		    "label_limit exceeded (metric: a, number of labels: 4, limit: 3)", "label_limit", 1, 0);
	}
	scrape_close(&s);
}

static void test_label_name_length_limit(void **state) {
	(void)state;
	struct scrape s;
	scrape_init(&s);
	for (size_t n = 0; n < 2; n++) {
		s.options.relabel = nothing();
		s.options.nrelabel = n;
		s.options.label_name_length_limit = 8;
		becomes(&s, "a{abcdefgh=\"1\"} 1\n", n == 0 ? "" : "a{abcdefgh=\"1\"} 1\n", 1, 1);
		fails(&s, "a{abcdefghi=\"1\"} 1\n", GS_ELIMIT,
		    "label_name_length_limit exceeded (metric: a, label name: abcdefghi, length: 9, limit: 8)",
		    "label_name_length_limit", 1, 0);
		fails(&s, "a{job=\"1\"} 1\n", GS_ELIMIT,
		    "label_name_length_limit exceeded (metric: a, label name: exported_job, length: 12, limit: 8)",
		    "label_name_length_limit", 1, 0);
		s.options.label_name_length_limit = 7;
		fails(&s, "a 1\n", GS_ELIMIT,
		    "label_name_length_limit exceeded (metric: a, label name: __name__, length: 8, limit: 7)",
		    "label_name_length_limit", 1, 0);
	}
	scrape_close(&s);
}

static void test_label_value_length_limit(void **state) {
	(void)state;
	struct scrape s;
	scrape_init(&s);
	for (size_t n = 0; n < 2; n++) {
		s.options.relabel = nothing();
		s.options.nrelabel = n;
		s.options.label_value_length_limit = 5;
		becomes(&s, "abcde{x=\"12345\"} 1\n", n == 0 ? "" : "abcde{x=\"12345\"} 1\n", 1, 1);
		fails(&s, "abcdef 1\n", GS_ELIMIT,
		    "label_value_length_limit exceeded (metric: abcdef, label name: __name__, value: \"abcdef\", "
		    "length: 6, limit: 5)",
		    "label_value_length_limit", 1, 0);
		fails(&s, "a{x=\"1\\n\\\"456\"} 1\n", GS_ELIMIT,
		    "label_value_length_limit exceeded (metric: a, label name: x, value: \"1\\n\\\"456\", length: 6, "
		    "limit: 5)",
		    "label_value_length_limit", 1, 0);
		/* Fifty characters of a value are shown, not bytes. */
		fails(&s,
		    "a{x=\"\xc3\xa4"
		    "2345678901234567890123456789012345678901234567890123\"} 1\n",
		    GS_ELIMIT,
		    "label_value_length_limit exceeded (metric: a, label name: x, value: "
		    "\"\xc3\xa4"
		    "2345678901234567890123456789012345678901234567890\", length: 54, limit: 5)",
		    "label_value_length_limit", 1, 0);
	}
	scrape_close(&s);
}

static void test_timestamps_are_left_out(void **state) {
	(void)state;
	struct scrape s;
	scrape_init(&s);
	s.options.honor_timestamps = false;
	s.options.honor_labels = true;
	becomes(&s, "# TYPE a gauge\na{job=\"\",x=\"1\"} 1 1000\nb 1e3 -5\n",
	    "# TYPE a gauge\na{job=\"\",x=\"1\"} 1\nb 1000\n", 2, 2);
	assert_true(s.result.honor_labels);
	assert_int_equal(s.result.format, GS_FORMAT_TEXT);
	s.options.honor_timestamps = true;
	s.options.relabel = nothing();
	s.options.nrelabel = 1;
	becomes(&s, "a 1 1000\nb 1 -5\n", "a 1 1000\nb 1 -5\n", 2, 2);
	scrape_close(&s);
}

/* With a rule: what is sent is the sample's difference to its target. */
static void test_conflicts_with_the_target(void **state) {
	(void)state;
	static const struct {
		const char *body;
		const char *exported;
		const char *honored;
	} cases[] = {
	    {"a 1\n", "a 1\n", "a 1\n"},
	    {"a{job=\"x\"} 1\n", "a{exported_job=\"x\"} 1\n", "a{job=\"x\"} 1\n"},
	    {"a{job=\"j\"} 1\n", "a{exported_job=\"j\"} 1\n", "a 1\n"},
	    {"a{job=\"\"} 1\n", "a 1\n", "a{job=\"\"} 1\n"},
	    {"a{job=\"x\",exported_job=\"y\"} 1\n", "a{exported_exported_job=\"x\",exported_job=\"y\"} 1\n",
		"a{exported_job=\"y\",job=\"x\"} 1\n"},
	    {"a{job=\"x\",exported_job=\"\"} 1\n", "a{exported_exported_job=\"x\"} 1\n", "a{job=\"x\"} 1\n"},
	    {"a{job=\"x\",instance=\"y\",z=\"\"} 1\n", "a{exported_instance=\"y\",exported_job=\"x\"} 1\n",
		"a{instance=\"y\",job=\"x\"} 1\n"},
	};
	struct scrape s;
	scrape_init(&s);
	s.options.relabel = nothing();
	s.options.nrelabel = 1;
	for (size_t i = 0; i < N(cases); i++) {
		s.options.honor_labels = false;
		becomes(&s, cases[i].body, cases[i].exported, 1, 1);
		assert_true(s.result.honor_labels);
		s.options.honor_labels = true;
		becomes(&s, cases[i].body, cases[i].honored, 1, 1);
		assert_true(s.result.honor_labels);
	}
	scrape_close(&s);
}

/* The rule ${rule} alone makes ${expected} of ${body}. */
static void relabels(
    struct gs_relabel_rule rule, const char *body, const char *expected, uint64_t samples, uint64_t kept) {
	struct scrape s;
	scrape_init(&s);
	s.options.relabel = &rule;
	s.options.nrelabel = 1;
	becomes(&s, body, expected, samples, kept);
	scrape_close(&s);
}

static void test_rules_see_the_labels_of_the_target(void **state) {
	(void)state;
	relabels(rule_of(GS_RELABEL_KEEP, SOURCE("job", "__name__"), "j;a", NULL, NULL), "a 1\nb 2\n", "a 1\n", 2, 1);
	relabels(
	    rule_of(GS_RELABEL_REPLACE, SOURCE("instance"), "(.*)", "i", "<$1>"), "a 1\n", "a{i=\"<i>\"} 1\n", 1, 1);
	relabels(rule_of(GS_RELABEL_REPLACE, NULL, NULL, "job", "other"), "a 1\n", "a{job=\"other\"} 1\n", 1, 1);
	relabels(rule_of(GS_RELABEL_LABELDROP, NULL, "instance|x", NULL, NULL), "a{x=\"1\",y=\"2\"} 1\n",
	    "a{instance=\"\",y=\"2\"} 1\n", 1, 1);
	relabels(rule_of(GS_RELABEL_LABELDROP, NULL, "instance|job", NULL, NULL), "a{z=\"1\",b=\"2\"} 1\n",
	    "a{b=\"2\",instance=\"\",job=\"\",z=\"1\"} 1\n", 1, 1);
}

static void test_series_without_a_name(void **state) {
	(void)state;
	struct gs_relabel_rule nameless = rule_of(GS_RELABEL_LABELDROP, NULL, "__name__", NULL, NULL);
	struct scrape s;
	scrape_init(&s);
	s.options.relabel = &nameless;
	s.options.nrelabel = 1;
	fails(&s, "a 1\nb 2\n", GS_EINVAL, "missing metric name (__name__ label)", NULL, 1, 0);
	/* One without any label is dropped. */
	relabels(rule_of(GS_RELABEL_LABELDROP, NULL, ".*", NULL, NULL), "a{x=\"1\"} 1\nb 2\n", "", 2, 0);
	scrape_close(&s);
}

static void test_names_that_are_none(void **state) {
	(void)state;
	struct gs_relabel_rule rule = rule_of(GS_RELABEL_REPLACE, NULL, NULL, "__name__", "a b");
	struct scrape s;
	scrape_init(&s);
	s.options.relabel = &rule;
	s.options.nrelabel = 1;
	fails(&s, "a{x=\"\\\"\"} 1\n", GS_EINVAL,
	    "invalid metric name or label names: {__name__=\"a b\", instance=\"i\", job=\"j\", x=\"\\\"\"}", NULL, 1,
	    0);
	rule = rule_of(GS_RELABEL_LABELMAP, NULL, "x(.*)", NULL, "$1");
	fails(&s, "a{x1=\"v\"} 1\n", GS_EINVAL,
	    "invalid metric name or label names: {1=\"v\", __name__=\"a\", instance=\"i\", job=\"j\", x1=\"v\"}", NULL,
	    1, 0);
	rule = rule_of(GS_RELABEL_UPPERCASE, SOURCE("x"), NULL, "$1", NULL);
	fails(&s, "a{x=\"v\"} 1\n", GS_EINVAL,
	    "invalid metric name or label names: {$1=\"V\", __name__=\"a\", instance=\"i\", job=\"j\", x=\"v\"}", NULL,
	    1, 0);
	/* What came in quotes may stay. */
	becomes(&s, "{\"a.b\",\"c.d\"=\"e\"} 1\n", "{\"a.b\",\"c.d\"=\"e\"} 1\n", 1, 1);
	scrape_close(&s);
}

#define HISTOGRAM                                                                                                      \
	"# HELP h Help.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"

static void test_a_histogram_under_a_new_name(void **state) {
	(void)state;
	relabels(rule_of(GS_RELABEL_REPLACE, SOURCE("__name__"), "h(_.*)", "__name__", "g$1"), HISTOGRAM,
	    "# HELP g Help.\n# TYPE g histogram\ng_bucket{le=\"1\"} 1\ng_bucket{le=\"+Inf\"} 2\ng_sum 3\ng_count 2\n",
	    4, 4);
}

static void test_parts_that_leave_a_histogram(void **state) {
	(void)state;
	relabels(rule_of(GS_RELABEL_REPLACE, SOURCE("__name__"), "h_sum", "__name__", "other"), HISTOGRAM,
	    "# HELP h Help.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\n"
	    "# HELP other Help.\nother 3\n",
	    4, 4);
	relabels(rule_of(GS_RELABEL_DROP, SOURCE("__name__"), "h_bucket", NULL, NULL), HISTOGRAM,
	    "# HELP h Help.\n# TYPE h histogram\nh_sum 3\nh_count 2\n", 4, 2);
	relabels(rule_of(GS_RELABEL_LABELDROP, NULL, "le", NULL, NULL), HISTOGRAM,
	    "# HELP h_bucket Help.\nh_bucket 1\nh_bucket 2\n# HELP h_sum Help.\nh_sum 3\n# HELP h_count Help.\nh_count "
	    "2\n",
	    4, 4);
	relabels(rule_of(GS_RELABEL_REPLACE, NULL, NULL, "le", "7"), HISTOGRAM,
	    "# HELP h_sum Help.\nh_sum{le=\"7\"} 3\n# HELP h_count Help.\nh_count{le=\"7\"} 2\n"
	    "# HELP h_bucket Help.\nh_bucket{le=\"7\"} 1\nh_bucket{le=\"7\"} 2\n",
	    4, 4);
}

static void test_a_summary_under_a_new_name(void **state) {
	(void)state;
	static const char body[] = "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 2\ns_count 3\n"
				   "s{a=\"b\",quantile=\"0.5\"} 4\ns_sum{a=\"b\"} 5\ns_count{a=\"b\"} 6\n";
	relabels(rule_of(GS_RELABEL_REPLACE, SOURCE("__name__"), "s(.*)", "__name__", "t$1"), body,
	    "# TYPE t summary\nt{quantile=\"0.5\"} 1\nt_sum 2\nt_count 3\n"
	    "t{a=\"b\",quantile=\"0.5\"} 4\nt_sum{a=\"b\"} 5\nt_count{a=\"b\"} 6\n",
	    6, 6);
	relabels(rule_of(GS_RELABEL_LABELDROP, NULL, "quantile", NULL, NULL), body,
	    "s 1\ns{a=\"b\"} 4\ns_sum 2\ns_sum{a=\"b\"} 5\ns_count 3\ns_count{a=\"b\"} 6\n", 6, 6);
}

static void test_families_that_become_one(void **state) {
	(void)state;
	struct gs_relabel_rule rule = rule_of(GS_RELABEL_REPLACE, SOURCE("__name__"), "b", "__name__", "a");
	relabels(rule, "# TYPE a gauge\na 1\n# TYPE c gauge\nc 2\n# HELP b B.\n# TYPE b gauge\nb{x=\"1\"} 3\n",
	    "# TYPE a gauge\na 1\na{x=\"1\"} 3\n# TYPE c gauge\nc 2\n", 3, 3);
	relabels(rule, "# TYPE a gauge\na 1\n# TYPE b counter\nb{x=\"1\"} 3\n", "a 1\na{x=\"1\"} 3\n", 2, 2);
	/* Series that become one stand twice, and the store keeps the first. */
	relabels(rule, "a 1\nb 2\n", "a 1\na 2\n", 2, 2);
}

static void test_what_openmetrics_says_is_kept(void **state) {
	(void)state;
	struct scrape s;
	scrape_init(&s);
	s.options.honor_timestamps = false;
	s.format = (struct gs_expo_options){.format = GS_FORMAT_OPENMETRICS, .utf8_names = true};
	becomes(&s,
	    "# TYPE r_seconds counter\n# UNIT r_seconds seconds\n# HELP r_seconds He\\\"lp\\\\.\n"
	    "r_seconds_total{a=\"b\"} 5 10 # {t=\"1\",\"u.v\"=\"\\\"\"} 2 3.5\nr_seconds_created{a=\"b\"} 7 10\n"
	    "r_seconds_total{a=\"c\"} 6\nr_seconds_created{a=\"c\"} 8\n"
	    "# TYPE st stateset\nst{st=\"x\"} 1\n# TYPE i info\ni_info{v=\"1\"} 1\n"
	    "# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 1\ng_gcount 1\ng_gsum 4\n# TYPE u unknown\nu 1\n# EOF\n",
	    "# HELP r_seconds_total He\"lp\\\\.\n# TYPE r_seconds_total counter\n# UNIT r_seconds_total seconds\n"
	    "r_seconds_total{a=\"b\"} 5 # {t=\"1\",\"u.v\"=\"\\\"\"} 2 3.5\nr_seconds_total{a=\"c\"} 6\n"
	    "# HELP r_seconds_created He\"lp\\\\.\n# TYPE r_seconds_created gauge\n# UNIT r_seconds_created seconds\n"
	    "r_seconds_created{a=\"b\"} 7\nr_seconds_created{a=\"c\"} 8\n"
	    "# TYPE st stateset\nst{st=\"x\"} 1\n# TYPE i_info info\ni_info{v=\"1\"} 1\n"
	    "# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 1\ng_gcount 1\ng_gsum 4\nu 1\n",
	    10, 10);
	assert_int_equal(s.result.format, GS_FORMAT_TEXT);
	assert_false(s.result.utf8_names);
	scrape_close(&s);
}

static void test_clearmodes_follow_relabelling(void **state) {
	(void)state;
	struct gs_relabel_rule rule = rule_of(GS_RELABEL_REPLACE, SOURCE("__name__"), "a", "__name__", "b");
	static const struct gs_clearmode_rule modes[] = {{"b", "sum"}};
	struct scrape s;
	scrape_init(&s);
	s.options.relabel = &rule;
	s.options.nrelabel = 1;
	s.options.clearmodes = modes;
	s.options.nclearmodes = 1;
	s.options.label_limit = 4; /* a clearmode is no label */
	becomes(&s, "a{x=\"1\"} 1\na{clearmode=\"min\"} 2\nc 3\n",
	    "b{clearmode=\"sum\",x=\"1\"} 1\nb{clearmode=\"min\"} 2\nc 3\n", 3, 3);
	scrape_close(&s);
}

/* What a rollup has, written out; then it is freed. */
static void assert_rolled_up(struct gs_rollup *rollup, const char *expected) {
	struct gs_buf out;
	gs_buf_init(&out, 1 << 16);
	assert_int_equal(gs_rollup_write(rollup, &out), GS_OK);
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, expected);
	gs_buf_free(&out);
	gs_rollup_free(rollup);
}

static struct gs_rollup *rollup_of(const char *of, bool drop, size_t max_series) {
	static const char *const by[] = {"job", "x"};
	struct gs_rollup_rule rule = {
	    .op = GS_ROLLUP_SUM, .of = of, .as = "sum_of_a", .labels = by, .nlabels = 2, .drop = drop};
	struct gs_rollup *rollup = NULL;
	assert_int_equal(gs_rollup_new(&rule, 1, max_series, &rollup, NULL), GS_OK);
	return rollup;
}

static void test_aggregation_takes_what_is_left(void **state) {
	(void)state;
	struct gs_relabel_rule rule = rule_of(GS_RELABEL_REPLACE, SOURCE("__name__"), "a", "__name__", "b");
	struct scrape s;
	scrape_init(&s);
	s.options.relabel = &rule;
	s.options.nrelabel = 1;
	s.options.rollup = rollup_of("b", true, 100);
	becomes(&s, "# TYPE a gauge\na{x=\"1\",y=\"1\"} 1\na{x=\"1\",y=\"2\"} 2\nc 3\n", "c 3\n", 3, 3);
	assert_rolled_up(s.options.rollup, "# TYPE sum_of_a gauge\nsum_of_a{job=\"j\",x=\"1\"} 3\n");
	/* Kept, and without rules: the samples go as they came. */
	s.options.nrelabel = 0;
	s.options.rollup = rollup_of("a", false, 100);
	becomes(&s, "# TYPE a gauge\na{x=\"1\",job=\"k\"} 1\na{x=\"1\",y=\"2\"} 2\n",
	    "# TYPE a gauge\na{x=\"1\",job=\"k\"} 1\na{x=\"1\",y=\"2\"} 2\n", 2, 2);
	assert_false(s.result.honor_labels);
	assert_rolled_up(s.options.rollup, "# TYPE sum_of_a gauge\nsum_of_a{job=\"j\",x=\"1\"} 3\n");
	scrape_close(&s);
}

static void test_a_scrape_that_fails_is_not_aggregated(void **state) {
	(void)state;
	struct scrape s;
	scrape_init(&s);
	s.options.sample_limit = 1;
	s.options.rollup = rollup_of("a", true, 100);
	fails(&s, "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\n", GS_ELIMIT, "sample limit exceeded", "sample_limit", 2,
	    2);
	assert_rolled_up(s.options.rollup, "");
	s.options.sample_limit = 0;
	s.options.rollup = rollup_of("a", true, 100);
	fails(&s, "# TYPE a gauge\na{x=\"1\"} 1\nb{", GS_EINVAL, "missing '}' after the labels of metric \"b\"", NULL,
	    1, 1);
	assert_rolled_up(s.options.rollup, "");
	s.options.rollup = rollup_of("a", true, 2);
	fails(&s, "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\na{x=\"3\"} 2\n", GS_ELIMIT,
	    "the aggregation of the job has too many series, or an expression in it takes too many steps", NULL, 2, 2);
	assert_rolled_up(s.options.rollup, "");
	scrape_close(&s);
}

static void test_a_line_that_nobody_could_read(void **state) {
	(void)state;
	static char body[70000];
	struct gs_relabel_rule rule = rule_of(GS_RELABEL_REPLACE, SOURCE("x", "x"), "(.*);(.*)", "y", "$1");
	struct scrape s;
	scrape_init(&s);
	s.options.relabel = &rule;
	s.options.nrelabel = 1;
	/* Values with escapes may have 64 KiB together. */
	memset(body, 'v', sizeof(body));
	memcpy(body, "a{x=\"\\\\", 7);
	memcpy(body + 7 + 40000, "\"} 1\n", 6);
	fails(&s, body, GS_ELIMIT, "relabelling made a series that is too long to be read", NULL, 1, 1);
	memcpy(body, "a{x=\"vv", 7);
	scrape_run(&s, gs_str_of(body));
	assert_int_equal(s.status, GS_OK);
	assert_int_equal(s.out.n, 2 * 40002 + 15);
	scrape_close(&s);
}

static void test_a_bad_rule_is_told(void **state) {
	(void)state;
	struct gs_relabel_rule rule = rule_of(GS_RELABEL_DROP, SOURCE("a"), "(", NULL, NULL);
	struct scrape s;
	scrape_init(&s);
	s.options.relabel = &rule;
	s.options.nrelabel = 1;
	scrape_run(&s, GS_STR("a 1\n"));
	assert_int_equal(s.status, GS_EINVAL);
	assert_int_equal(s.err.line, 1);
	scrape_close(&s);
}

/* All ways at once, for what follows. */
static void ask_for_all(struct scrape *s, struct gs_relabel_rule *rules) {
	static const struct gs_clearmode_rule modes[] = {{"a.*", "sum"}};
	static const char *const source[] = {"x", NULL};
	rules[0] = rule_of(GS_RELABEL_REPLACE, source, "(.+)", "y", "v$1");
	rules[1] = rule_of(GS_RELABEL_LABELDROP, NULL, "le|instance", NULL, NULL);
	s->options.relabel = rules;
	s->options.nrelabel = 2;
	s->options.clearmodes = modes;
	s->options.nclearmodes = 1;
	s->options.label_limit = 10;
}

static const char all_body[] = "# HELP z Z.\n# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\",x=\"1\"} 1\n"
			       "h_bucket{le=\"+Inf\",x=\"1\"} 1\nh_sum{x=\"1\"} 1\nh_count{x=\"1\"} 1\n"
			       "a{x=\"1\",job=\"y\"} 1\nb 2\na{x=\"2\"} 3\nz 1\n";

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_relabel_rule rules[2];
	for (int n = 0;; n++) {
		struct scrape s;
		scrape_init(&s);
		ask_for_all(&s, rules);
		gs_mem_fail_after(n);
		scrape_run(&s, gs_str_of(all_body));
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (!failed) {
			assert_int_equal(s.status, GS_OK);
			assert_true(n > 30);
			scrape_close(&s);
			break;
		}
		/* The compiler of expressions may do without. */
		assert_true(s.status == GS_ENOMEM || s.status == GS_OK);
		assert_true(s.status == GS_OK || s.out.n == 0);
		scrape_close(&s);
		assert_true(n < 1000);
	}
}

/* The second scrape of a target needs no heap. */
static void test_steady_state_allocates_nothing(void **state) {
	(void)state;
	struct gs_relabel_rule rules[2];
	struct scrape s;
	struct gs_transform *transform = NULL;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	scrape_init(&s);
	ask_for_all(&s, rules);
	assert_int_equal(gs_transform_new(&s.options, &transform, NULL), GS_OK);
	for (int i = 0; i < 3; i++) {
		gs_buf_clear(&s.out);
		gs_mem_fail_after(i == 0 ? -1 : 0);
		gs_transform_begin(transform, s.target, s.ntarget, 1, &s.format, &s.out);
		assert_int_equal(scrape_events(&s, transform, parser, gs_str_of(all_body)), GS_OK);
		assert_int_equal(gs_transform_end(transform, true, &s.result, &s.err), GS_OK);
		assert_int_equal(gs_mem_failed(), 0);
		gs_mem_fail_after(-1);
		assert_int_equal(s.result.kept, 8);
	}
	gs_transform_free(transform);
	gs_expo_parser_free(parser);
	scrape_close(&s);
}

/* What a scrape leaves behind, be it good or broken off, does not show in the next. */
static void test_scrapes_are_apart(void **state) {
	(void)state;
	struct gs_relabel_rule rules[2];
	struct scrape s;
	struct gs_transform *transform = NULL;
	struct gs_buf first;
	gs_buf_init(&first, 1 << 20);
	scrape_init(&s);
	ask_for_all(&s, rules);
	assert_int_equal(gs_transform_new(&s.options, &transform, NULL), GS_OK);
	scrape_by(&s, transform, gs_str_of(all_body));
	gs_buf_str(&first, gs_buf_slice(&s.out));
	scrape_by(&s, transform, GS_STR("# HELP z no\nz 1\n# TYPE h counter\nh 2\n# HELP a no\nx{"));
	assert_int_equal(s.status, GS_EINVAL);
	assert_int_equal(s.out.n, 0);
	scrape_by(&s, transform, gs_str_of(all_body));
	assert_int_equal(s.status, GS_OK);
	assert_true(gs_str_eq(gs_buf_slice(&first), gs_buf_slice(&s.out)));
	gs_buf_free(&first);
	gs_transform_free(transform);
	scrape_close(&s);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_asked_for_writes_nothing),
	    cmocka_unit_test(test_sample_limit),
	    cmocka_unit_test(test_label_limit),
	    cmocka_unit_test(test_label_name_length_limit),
	    cmocka_unit_test(test_label_value_length_limit),
	    cmocka_unit_test(test_timestamps_are_left_out),
	    cmocka_unit_test(test_conflicts_with_the_target),
	    cmocka_unit_test(test_rules_see_the_labels_of_the_target),
	    cmocka_unit_test(test_series_without_a_name),
	    cmocka_unit_test(test_names_that_are_none),
	    cmocka_unit_test(test_a_histogram_under_a_new_name),
	    cmocka_unit_test(test_parts_that_leave_a_histogram),
	    cmocka_unit_test(test_a_summary_under_a_new_name),
	    cmocka_unit_test(test_families_that_become_one),
	    cmocka_unit_test(test_what_openmetrics_says_is_kept),
	    cmocka_unit_test(test_clearmodes_follow_relabelling),
	    cmocka_unit_test(test_aggregation_takes_what_is_left),
	    cmocka_unit_test(test_a_scrape_that_fails_is_not_aggregated),
	    cmocka_unit_test(test_a_line_that_nobody_could_read),
	    cmocka_unit_test(test_a_bad_rule_is_told),
	    cmocka_unit_test(test_out_of_memory),
	    cmocka_unit_test(test_steady_state_allocates_nothing),
	    cmocka_unit_test(test_scrapes_are_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
