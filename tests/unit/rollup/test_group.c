/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup_test.h"

#define H "# TYPE h histogram\n"
#define R "# TYPE r histogram\n"

static void test_results_have_the_labels_that_are_asked_for(void **state) {
	static const char body[] = "# TYPE g gauge\ng{a=\"1\",b=\"2\"} 1\ng{a=\"1\",c=\"3\"} 2\ng 4\n";
	const struct {
		struct gs_rollup_rule rule;
		const char *results;
	} cases[] = {
	    {{BY("a")}, "r{a=\"1\"} 3\nr 4\n"},
	    {{BY("a", "none")}, "r{a=\"1\"} 3\nr 4\n"},
	    {{BY("job", "instance")}, "r{instance=\"t1\",job=\"j\"} 7\n"},
	    {{.without = false}, "r 7\n"},
	    {{.without = true},
		"r{a=\"1\",b=\"2\",instance=\"t1\",job=\"j\"} 1\nr{a=\"1\",c=\"3\",instance=\"t1\",job=\"j\"} 2\n"
		"r{instance=\"t1\",job=\"j\"} 4\n"},
	    {{.without = true, BY("instance", "b", "c")}, "r{a=\"1\",job=\"j\"} 3\nr{job=\"j\"} 4\n"},
	};
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct gs_rollup_rule rule = cases[i].rule;
		rule.of = "g";
		rule.as = "r";
		struct fixture f = open_rule(rule);
		scrape(&f, 1, body);
		assert_string_equal(written(&f) + sizeof("# TYPE r gauge\n") - 1, cases[i].results);
		close_fixture(&f);
	}
}

/* Names and values that run together as text are labels of their own. */
static void test_labels_that_look_alike_are_others(void **state) {
	(void)state;
	struct fixture f =
	    open_rule((struct gs_rollup_rule){.of = "g", .as = "r", .without = true, BY("job", "instance")});
	scrape(&f, 1, "# TYPE g gauge\ng{a=\"bc\"} 1\ng{ab=\"c\"} 2\ng{a=\"b\",c=\"\"} 4\ng{a=\"b\"} 8\n");
	assert_results(&f, "# TYPE r gauge\nr{a=\"bc\"} 1\nr{ab=\"c\"} 2\nr{a=\"b\"} 4\n");
	close_fixture(&f);
}

static void test_buckets_of_other_bounds_join(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.of = "h", .as = "r", BY("le")});
	scrape(&f, 1, H "h_bucket{le=\"1\"} 0\nh_bucket{le=\"5\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n");
	scrape(&f, 2,
	    H "h_bucket{le=\"2.0\"} 0\nh_bucket{le=\"5.0\"} 0\nh_bucket{le=\"1e1\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_sum "
	      "0\nh_count 0\n");
	scrape(&f, 1, H "h_bucket{le=\"1\"} 1\nh_bucket{le=\"5\"} 3\nh_bucket{le=\"+Inf\"} 7\nh_sum 2\nh_count 7\n");
	assert_results(&f, R "r_bucket{le=\"1\"} 1\nr_bucket{le=\"2\"} 1\nr_bucket{le=\"5\"} 3\nr_bucket{le=\"10\"} "
			     "3\nr_bucket{le=\"+Inf\"} 7\n"
			     "r_sum 2\nr_count 7\n");
	scrape(&f, 2,
	    H "h_bucket{le=\"2.0\"} 10\nh_bucket{le=\"5.0\"} 20\nh_bucket{le=\"1e1\"} 30\nh_bucket{le=\"+Inf\"} "
	      "40\nh_sum 1\nh_count 40\n");
	assert_results(&f, R "r_bucket{le=\"1\"} 1\nr_bucket{le=\"2\"} 11\nr_bucket{le=\"5\"} 23\nr_bucket{le=\"10\"} "
			     "33\nr_bucket{le=\"+Inf\"} 47\n"
			     "r_sum 3\nr_count 47\n");
	/* A bound that comes later has had what the one below it had. */
	scrape(&f, 3, H "h_bucket{le=\"0.5\"} 9\nh_bucket{le=\"3\"} 9\nh_bucket{le=\"+Inf\"} 9\nh_sum 9\nh_count 9\n");
	assert_results(&f, R "r_bucket{le=\"0.5\"} 0\nr_bucket{le=\"1\"} 1\nr_bucket{le=\"2\"} 11\nr_bucket{le=\"3\"} "
			     "11\nr_bucket{le=\"5\"} 23\n"
			     "r_bucket{le=\"10\"} 33\nr_bucket{le=\"+Inf\"} 47\nr_sum 3\nr_count 47\n");
	/* 0.5, 1, 2, 3, 5, 10, +Inf, and 3 for the result; 5, 6 and 5 inputs */
	assert_int_equal(gs_rollup_series(f.rollup), 10 + 16);
	gs_rollup_remove(f.rollup, 2);
	gs_rollup_check(f.rollup);
	assert_results(&f, R "r_bucket{le=\"0.5\"} 0\nr_bucket{le=\"1\"} 1\nr_bucket{le=\"3\"} 11\nr_bucket{le=\"5\"} "
			     "23\nr_bucket{le=\"+Inf\"} 47\n"
			     "r_sum 3\nr_count 47\n");
	close_fixture(&f);
}

/* The result is a histogram even if the inputs are none. */
static void test_what_is_no_histogram_becomes_one(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.of = "h", .as = "r"});
	scrape(&f, 1, H "h_bucket{le=\"1\"} 0\nh_bucket{le=\"2\"} 0\nh_count 0\n");
	scrape(&f, 1, H "h_bucket{le=\"1\"} 5\nh_bucket{le=\"2\"} 3\nh_count 9\n");
	assert_results(&f, R "r_bucket{le=\"1\"} 3\nr_bucket{le=\"2\"} 3\nr_bucket{le=\"+Inf\"} 9\nr_count 9\n");
	scrape(&f, 1, H "h_bucket{le=\"1\"} 5\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 10\nh_count 10\n");
	assert_results(&f, R "r_bucket{le=\"1\"} 3\nr_bucket{le=\"2\"} 3\nr_bucket{le=\"+Inf\"} 10\nr_count 10\n");
	scrape(&f, 2, H "h_count 1\nh_sum 1\n");
	scrape(&f, 2, H "h_count 2\nh_sum 4\n");
	assert_results(
	    &f, R "r_bucket{le=\"1\"} 3\nr_bucket{le=\"2\"} 3\nr_bucket{le=\"+Inf\"} 10\nr_sum 3\nr_count 10\n");
	close_fixture(&f);
}

static void test_several_families_are_one_result(void **state) {
	(void)state;
	struct fixture f = open_rule(
	    (struct gs_rollup_rule){.of = "(in|out)_total", .as = "r", .without = true, BY("instance", "job")});
	scrape(&f, 1, "# TYPE in_total counter\nin_total 1\n# TYPE out_total counter\nout_total 1\n");
	scrape(&f, 1, "# TYPE in_total counter\nin_total 4\n# TYPE out_total counter\nout_total 11\n");
	assert_results(&f, "# TYPE r counter\nr 13\n");
	close_fixture(&f);
}

static void test_one_histogram_in_two_results(void **state) {
	(void)state;
	struct gs_rollup_rule rules[] = {{.of = "h", .as = "r"}, {.of = "h|i", .as = "q", BY("instance")},
	    {.op = GS_ROLLUP_COUNT, .of = "h", .as = "n"}, {.op = GS_ROLLUP_SUM, .of = "h_count", .as = "c"}};
	struct fixture f = open_rules(rules, N(rules), 100);
	for (unsigned t = 1; t < 3; t++) {
		scrape(&f, t, H "h_bucket{le=\"+Inf\"} 1\nh_count 1\n");
		scrape(&f, t, H "h_bucket{le=\"+Inf\"} 3\nh_count 3\n");
	}
	assert_results(&f, R "r_bucket{le=\"+Inf\"} 4\nr_count 4\n# TYPE q "
			     "histogram\nq_bucket{instance=\"t1\",le=\"+Inf\"} 2\nq_count{instance=\"t1\"} 2\n"
			     "q_bucket{instance=\"t2\",le=\"+Inf\"} 2\nq_count{instance=\"t2\"} 2\n# TYPE n gauge\nn "
			     "2\n# TYPE c counter\nc 4\n");
	gs_rollup_remove(f.rollup, 1);
	gs_rollup_check(f.rollup);
	close_fixture(&f);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_results_have_the_labels_that_are_asked_for),
	    cmocka_unit_test(test_labels_that_look_alike_are_others),
	    cmocka_unit_test(test_buckets_of_other_bounds_join),
	    cmocka_unit_test(test_what_is_no_histogram_becomes_one),
	    cmocka_unit_test(test_several_families_are_one_result),
	    cmocka_unit_test(test_one_histogram_in_two_results),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
