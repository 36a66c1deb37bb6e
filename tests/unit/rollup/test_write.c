/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup_test.h"

/* Every operation on every type, over two targets with two series each; of counters and histograms after they have grown. */
static const char *const bodies[2][2] = {
    {"# TYPE g gauge\ng{a=\"x\"} 1\ng{a=\"y\"} 2\n# TYPE c_total counter\nc_total{a=\"x\"} 100\nc_total{a=\"y\"} "
     "200\nu{a=\"x\"} 7\n"
     "# TYPE h histogram\nh_bucket{le=\"1\"} 10\nh_bucket{le=\"+Inf\"} 20\nh_sum 30\nh_count 20\n"
     "# TYPE s summary\ns{quantile=\"0.5\"} 3\ns_sum 40\ns_count 50\n",
	"# TYPE g gauge\ng{a=\"x\"} 3\ng{a=\"y\"} -2.5\n# TYPE c_total counter\nc_total{a=\"x\"} 101\nc_total{a=\"y\"} "
	"203\nu{a=\"x\"} 8\n"
	"# TYPE h histogram\nh_bucket{le=\"1\"} 12\nh_bucket{le=\"+Inf\"} 25\nh_sum 36.5\nh_count 25\n"
	"# TYPE s summary\ns{quantile=\"0.5\"} 4\ns_sum 42\ns_count 53\n"},
    {"# TYPE g gauge\ng{a=\"x\"} 10\ng{a=\"y\"} 20\n# TYPE c_total counter\nc_total{a=\"x\"} 1000\nc_total{a=\"y\"} "
     "2000\nu{a=\"x\"} 70\n"
     "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"
     "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 4\ns_count 5\n",
	"# TYPE g gauge\ng{a=\"x\"} 30\ng{a=\"y\"} 40\n# TYPE c_total counter\nc_total{a=\"x\"} 1010\nc_total{a=\"y\"} "
	"2030\nu{a=\"x\"} 80\n"
	"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 13\nh_count 3\n"
	"# TYPE s summary\ns{quantile=\"0.5\"} 2\ns_sum 5\ns_count 7\n"},
};

static const struct {
	enum gs_rollup_op op;
	const char *of;
	bool without; /* instance and job; else by a */
	const char *results;
} cases[] = {
    {GS_ROLLUP_SUM, "g", false, "# TYPE r gauge\nr{a=\"x\"} 33\nr{a=\"y\"} 37.5\n"},
    {GS_ROLLUP_MIN, "g", false, "# TYPE r gauge\nr{a=\"x\"} 3\nr{a=\"y\"} -2.5\n"},
    {GS_ROLLUP_MAX, "g", false, "# TYPE r gauge\nr{a=\"x\"} 30\nr{a=\"y\"} 40\n"},
    {GS_ROLLUP_AVG, "g", false, "# TYPE r gauge\nr{a=\"x\"} 16.5\nr{a=\"y\"} 18.75\n"},
    {GS_ROLLUP_COUNT, "g", false, "# TYPE r gauge\nr{a=\"x\"} 2\nr{a=\"y\"} 2\n"},
    {GS_ROLLUP_SUM, "g", true, "# TYPE r gauge\nr{a=\"x\"} 33\nr{a=\"y\"} 37.5\n"},
    {GS_ROLLUP_MIN, "g", true, "# TYPE r gauge\nr{a=\"x\"} 3\nr{a=\"y\"} -2.5\n"},
    {GS_ROLLUP_MAX, "g", true, "# TYPE r gauge\nr{a=\"x\"} 30\nr{a=\"y\"} 40\n"},
    {GS_ROLLUP_AVG, "g", true, "# TYPE r gauge\nr{a=\"x\"} 16.5\nr{a=\"y\"} 18.75\n"},
    {GS_ROLLUP_COUNT, "g", true, "# TYPE r gauge\nr{a=\"x\"} 2\nr{a=\"y\"} 2\n"},
    {GS_ROLLUP_SUM, "c_total", false, "# TYPE r counter\nr{a=\"x\"} 11\nr{a=\"y\"} 33\n"},
    {GS_ROLLUP_SUM, "c_total", true, "# TYPE r counter\nr{a=\"x\"} 11\nr{a=\"y\"} 33\n"},
    {GS_ROLLUP_AVG, "c_total", false, "# TYPE r counter\nr{a=\"x\"} 5.5\nr{a=\"y\"} 16.5\n"},
    {GS_ROLLUP_AVG, "c_total", true, "# TYPE r counter\nr{a=\"x\"} 5.5\nr{a=\"y\"} 16.5\n"},
    {GS_ROLLUP_MIN, "c_total", false, "# TYPE r gauge\nr{a=\"x\"} 101\nr{a=\"y\"} 203\n"},
    {GS_ROLLUP_MAX, "c_total", true, "# TYPE r gauge\nr{a=\"x\"} 1010\nr{a=\"y\"} 2030\n"},
    {GS_ROLLUP_COUNT, "c_total", false, "# TYPE r gauge\nr{a=\"x\"} 2\nr{a=\"y\"} 2\n"},
    {GS_ROLLUP_SUM, "u", false, "# TYPE r untyped\nr{a=\"x\"} 88\n"},
    {GS_ROLLUP_AVG, "u", true, "# TYPE r gauge\nr{a=\"x\"} 44\n"},
    {GS_ROLLUP_MIN, "u", true, "# TYPE r gauge\nr{a=\"x\"} 8\n"},
    {GS_ROLLUP_MAX, "u", false, "# TYPE r gauge\nr{a=\"x\"} 80\n"},
    {GS_ROLLUP_COUNT, "u", false, "# TYPE r gauge\nr{a=\"x\"} 2\n"},
    {GS_ROLLUP_SUM, "h", false,
	"# TYPE r histogram\nr_bucket{le=\"1\"} 2\nr_bucket{le=\"+Inf\"} 6\nr_sum 16.5\nr_count 6\n"},
    {GS_ROLLUP_SUM, "h", true,
	"# TYPE r histogram\nr_bucket{le=\"1\"} 2\nr_bucket{le=\"+Inf\"} 6\nr_sum 16.5\nr_count 6\n"},
    {GS_ROLLUP_COUNT, "h", false, "# TYPE r gauge\nr 2\n"},
    {GS_ROLLUP_MIN, "h", false, ""},
    {GS_ROLLUP_MAX, "h", true, ""},
    {GS_ROLLUP_AVG, "h", false, ""},
    {GS_ROLLUP_SUM, "h_count", false, "# TYPE r counter\nr 6\n"},
    {GS_ROLLUP_AVG, "h_count", true, "# TYPE r counter\nr 3\n"},
    {GS_ROLLUP_MAX, "h_count", true, "# TYPE r gauge\nr 25\n"},
    {GS_ROLLUP_SUM, "h_bucket", true, "# TYPE r counter\nr{le=\"1\"} 2\nr{le=\"+Inf\"} 6\n"},
    {GS_ROLLUP_SUM, "s", false, "# TYPE r summary\nr_sum 3\nr_count 5\n"},
    {GS_ROLLUP_SUM, "s", true, "# TYPE r summary\nr_sum 3\nr_count 5\n"},
    {GS_ROLLUP_COUNT, "s", true, "# TYPE r gauge\nr 2\n"},
    {GS_ROLLUP_MIN, "s", true, "# TYPE r gauge\nr{quantile=\"0.5\"} 2\n"},
    {GS_ROLLUP_MAX, "s", false, "# TYPE r gauge\nr 4\n"},
    {GS_ROLLUP_AVG, "s", true, "# TYPE r gauge\nr{quantile=\"0.5\"} 3\n"},
    {GS_ROLLUP_SUM, "g|u", false, "# TYPE r untyped\nr{a=\"x\"} 121\nr{a=\"y\"} 37.5\n"},
    {GS_ROLLUP_SUM, "nothing", false, ""},
};

static void test_every_operation_on_every_type(void **state) {
	static const char *const by[] = {"a"}, *const without[] = {"job", "instance"};
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct gs_rollup_rule rule = {.op = cases[i].op, .of = cases[i].of, .as = "r"};
		rule.without = cases[i].without;
		rule.labels = rule.without ? without : by;
		rule.nlabels = rule.without ? 2 : 1;
		struct fixture f = open_rule(rule);
		for (unsigned pass = 0; pass < 2; pass++) {
			for (unsigned t = 0; t < 2; t++)
				scrape(&f, t, bodies[t][pass]);
		}
		assert_results(&f, cases[i].results);
		assert_results(&f, cases[i].results);
		close_fixture(&f);
	}
}

static void test_types_that_text_has_not(void **state) {
	static const char body[] =
	    "# TYPE v info\nv_info{version=\"1\"} 1\n# TYPE m stateset\nm{m=\"on\"} 1\nm{m=\"off\"} 0\n"
	    "# TYPE q gaugehistogram\nq_bucket{le=\"+Inf\"} 4\nq_gcount 4\nq_gsum 9\n# EOF\n";
	(void)state;
	struct gs_rollup_rule rules[] = {
	    {.op = GS_ROLLUP_SUM, .of = "v_info", .as = "versions", BY("version")},
	    {.op = GS_ROLLUP_SUM, .of = "m", .as = "modes", BY("m")},
	    {.op = GS_ROLLUP_SUM, .of = "q", .as = "none"},
	    {.op = GS_ROLLUP_SUM, .of = "q_gsum", .as = "sums"},
	};
	struct fixture f = open_rules(rules, N(rules), 1000);
	for (unsigned t = 0; t < 3; t++)
		assert_int_equal(scrape_as(&f, GS_FORMAT_OPENMETRICS, t, body, true), GS_OK);
	assert_results(&f, "# TYPE versions gauge\nversions{version=\"1\"} 3\n# TYPE modes gauge\nmodes{m=\"on\"} "
			   "3\nmodes{m=\"off\"} 0\n"
			   "# TYPE sums untyped\nsums 27\n");
	close_fixture(&f);
}

static void test_numbers_that_are_none(void **state) {
	static const struct {
		enum gs_rollup_op op;
		const char *values[3];
		const char *result;
	} odd[] = {
	    {GS_ROLLUP_SUM, {"1", "NaN", "2"}, "r NaN\n"},
	    {GS_ROLLUP_SUM, {"1", "+Inf", "2"}, "r +Inf\n"},
	    {GS_ROLLUP_SUM, {"-Inf", "+Inf", "2"}, "r NaN\n"},
	    {GS_ROLLUP_SUM, {"1e308", "1e308", "1e308"}, "r +Inf\n"},
	    {GS_ROLLUP_SUM, {"1e100", "1", "-1e100"}, "r 1\n"},
	    {GS_ROLLUP_AVG, {"1", "NaN", "2"}, "r NaN\n"},
	    {GS_ROLLUP_AVG, {"1", "-Inf", "2"}, "r -Inf\n"},
	    {GS_ROLLUP_MIN, {"NaN", "5", "2"}, "r 2\n"},
	    {GS_ROLLUP_MAX, {"5", "NaN", "2"}, "r 5\n"},
	    {GS_ROLLUP_MAX, {"NaN", "NaN", "NaN"}, "r NaN\n"},
	    {GS_ROLLUP_MIN, {"1", "-Inf", "NaN"}, "r -Inf\n"},
	    {GS_ROLLUP_COUNT, {"1", "NaN", "+Inf"}, "r 3\n"},
	};
	(void)state;
	for (size_t i = 0; i < N(odd); i++) {
		struct fixture f = open_rule((struct gs_rollup_rule){.op = odd[i].op, .of = "g", .as = "r"});
		for (unsigned t = 0; t < 3; t++) {
			char body[64];
			snprintf(body, sizeof(body), "# TYPE g gauge\ng %s\n", odd[i].values[t]);
			scrape(&f, t, body);
		}
		assert_string_equal(written(&f) + sizeof("# TYPE r gauge\n") - 1, odd[i].result);
		/* What was no number leaves no trace. */
		for (unsigned t = 0; t < 3; t++)
			scrape(&f, t, "# TYPE g gauge\ng 4\n");
		bool sums = odd[i].op == GS_ROLLUP_SUM, counts = odd[i].op == GS_ROLLUP_COUNT;
		assert_results(&f, sums     ? "# TYPE r gauge\nr 12\n"
				   : counts ? "# TYPE r gauge\nr 3\n"
					    : "# TYPE r gauge\nr 4\n");
		close_fixture(&f);
	}
}

static void test_results_parse_again(void **state) {
	(void)state;
	struct gs_rollup_rule rule = {.op = GS_ROLLUP_SUM, .of = ".*", .as = "a b", .without = true, BY("job")};
	struct fixture f = open_rule(rule);
	scrape(&f, 1, "# TYPE g gauge\ng{a=\"q\\\"\\\\\\n\",\"x.y\"=\"\xc3\xa4\"} 1\n");
	assert_results(
	    &f, "# TYPE \"a b\" gauge\n{\"a b\",a=\"q\\\"\\\\\\n\",instance=\"t1\",\"x.y\"=\"\xc3\xa4\"} 1\n");
	struct gs_expo_event event;
	struct gs_expo_options options = {.format = GS_FORMAT_TEXT_1};
	gs_expo_begin(f.parser, &options);
	gs_expo_feed(f.parser, gs_str_of(f.out.p), true);
	do
		assert_int_equal(gs_expo_next(f.parser, &event, NULL), GS_OK);
	while (event.kind == GS_EXPO_TYPE);
	assert_int_equal(event.nlabels, 3);
	assert_true(gs_str_eq(event.labels[0].value, GS_STR("q\"\\\n")));
	close_fixture(&f);
}

static void test_a_full_buffer_is_an_error(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.op = GS_ROLLUP_SUM, .of = "g", .as = "r"});
	struct gs_buf small;
	gs_buf_init(&small, 10);
	scrape(&f, 1, "# TYPE g gauge\ng 1\n");
	assert_int_equal(gs_rollup_write(f.rollup, &small), GS_ELIMIT);
	gs_buf_free(&small);
	assert_results(&f, "# TYPE r gauge\nr 1\n");
	close_fixture(&f);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_operation_on_every_type),
	    cmocka_unit_test(test_types_that_text_has_not),
	    cmocka_unit_test(test_numbers_that_are_none),
	    cmocka_unit_test(test_results_parse_again),
	    cmocka_unit_test(test_a_full_buffer_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
