/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "gravel/base/limits.h"
#include "rollup_test.h"

#define COUNTER "# TYPE c_total counter\n"
#define RESULT(value) "# TYPE r counter\nr " value "\n"

static struct fixture open_sum(const char *of) {
	return open_rule((struct gs_rollup_rule){.op = GS_ROLLUP_SUM, .of = of, .as = "r"});
}

static void test_a_counter_counts_from_when_it_is_first_seen(void **state) {
	(void)state;
	struct fixture f = open_sum("c_total");
	assert_results(&f, "");
	scrape(&f, 1, COUNTER "c_total 1000000\n");
	assert_results(&f, RESULT("0"));
	scrape(&f, 1, COUNTER "c_total 1000005\n");
	assert_results(&f, RESULT("5"));
	scrape(&f, 2, COUNTER "c_total 5000000\n"); /* a long-running target appears */
	assert_results(&f, RESULT("5"));
	scrape(&f, 2, COUNTER "c_total 5000001\n");
	assert_results(&f, RESULT("6"));
	scrape(&f, 1, COUNTER "c_total{new=\"1\"} 77\nc_total 1000005\n"); /* a new series of a target that is known */
	assert_results(&f, RESULT("6"));
	scrape(&f, 1, COUNTER "c_total{new=\"1\"} 78\nc_total 1000005\n");
	assert_results(&f, RESULT("7"));
	close_fixture(&f);
}

static void test_a_counter_that_falls_has_begun_again(void **state) {
	(void)state;
	struct fixture f = open_sum("c_total");
	scrape(&f, 1, COUNTER "c_total 100\n");
	scrape(&f, 1, COUNTER "c_total 110\n");
	scrape(&f, 1, COUNTER "c_total 4\n");
	assert_results(&f, RESULT("14"));
	scrape(&f, 1, COUNTER "c_total 4\n");
	assert_results(&f, RESULT("14"));
	scrape(&f, 1, COUNTER "c_total 0\n");
	assert_results(&f, RESULT("14"));
	scrape(&f, 1, COUNTER "c_total 1\n");
	assert_results(&f, RESULT("15"));
	scrape(&f, 1, COUNTER "c_total -3\n"); /* no counter does that */
	assert_results(&f, RESULT("15"));
	close_fixture(&f);
}

static void test_a_target_that_is_down_and_returns(void **state) {
	static const struct {
		const char *body;
		const char *result;
	} returns[] = {
	    {COUNTER "c_total 110\n", RESULT("10")}, /* the same */
	    {COUNTER "c_total 130\n", RESULT("30")}, /* it went on meanwhile */
	    {COUNTER "c_total 7\n", RESULT("17")}, /* it began again */
	};
	(void)state;
	for (size_t i = 0; i < N(returns); i++) {
		struct fixture f = open_sum("c_total");
		scrape(&f, 1, COUNTER "c_total 100\n");
		scrape(&f, 1, COUNTER "c_total 110\n");
		for (int k = 0; k < GS_LIMIT_ROLLUP_MISSED; k++) {
			fail_scrape(&f, 1, k % 2 == 0 ? "" : COUNTER "c_total 1\n");
			assert_results(&f, RESULT("10"));
		}
		scrape(&f, 1, returns[i].body);
		assert_results(&f, returns[i].result);
		close_fixture(&f);
	}
}

static void test_a_target_that_was_down_for_long_is_a_new_one(void **state) {
	(void)state;
	struct fixture f = open_sum("c_total");
	scrape(&f, 2, COUNTER "c_total 1\n");
	scrape(&f, 1, COUNTER "c_total 100\n");
	scrape(&f, 1, COUNTER "c_total 110\n");
	for (int k = 0; k <= GS_LIMIT_ROLLUP_MISSED; k++)
		fail_scrape(&f, 1, "");
	assert_int_equal(gs_rollup_series(f.rollup), 2); /* it is forgotten: the other input and the result */
	scrape(&f, 1, COUNTER "c_total 100000\n");
	assert_results(&f, RESULT("10"));
	scrape(&f, 1, COUNTER "c_total 100001\n");
	assert_results(&f, RESULT("11"));
	close_fixture(&f);
}

static void test_a_series_that_misses_scrapes_and_returns(void **state) {
	(void)state;
	struct fixture f = open_sum("c_total");
	scrape(&f, 1, COUNTER "c_total{a=\"x\"} 100\nc_total{a=\"y\"} 10\n");
	scrape(&f, 1, COUNTER "c_total{a=\"y\"} 11\n");
	scrape(&f, 1, COUNTER "c_total{a=\"x\"} 103\nc_total{a=\"y\"} 12\n");
	assert_results(&f, RESULT("5"));
	for (int k = 0; k < GS_LIMIT_ROLLUP_MISSED; k++)
		scrape(&f, 1, COUNTER "c_total{a=\"y\"} 12\n");
	scrape(&f, 1, COUNTER "c_total{a=\"x\"} 105\nc_total{a=\"y\"} 12\n");
	assert_results(&f, RESULT("7"));
	for (int k = 0; k <= GS_LIMIT_ROLLUP_MISSED; k++)
		scrape(&f, 1, COUNTER "c_total{a=\"y\"} 12\n");
	scrape(&f, 1, COUNTER "c_total{a=\"x\"} 500\nc_total{a=\"y\"} 12\n");
	assert_results(&f, RESULT("7"));
	close_fixture(&f);
}

static void test_a_failed_scrape_counts_for_nothing(void **state) {
	(void)state;
	struct gs_rollup_rule rules[] = {
	    {.op = GS_ROLLUP_SUM, .of = "c_total", .as = "r"}, {.op = GS_ROLLUP_SUM, .of = "g", .as = "q"}};
	struct fixture f = open_rules(rules, 2, 1000);
	scrape(&f, 1, COUNTER "c_total 1\n# TYPE g gauge\ng 5\n");
	scrape(&f, 2, COUNTER "c_total 1\n# TYPE g gauge\ng 6\n");
	scrape(&f, 1, COUNTER "c_total 3\n# TYPE g gauge\ng 5\n");
	assert_results(&f, RESULT("2") "# TYPE q gauge\nq 11\n");
	fail_scrape(&f, 1, COUNTER "c_total 100\nc_total{new=\"1\"} 1\n# TYPE g gauge\ng 50\n");
	assert_results(&f, RESULT("2") "# TYPE q gauge\nq 6\n");
	fail_scrape(&f, 2, "");
	assert_results(&f, RESULT("2"));
	fail_scrape(&f, 3, COUNTER "c_total 9\n# TYPE g gauge\ng 9\n");
	assert_results(&f, RESULT("2"));
	scrape(&f, 1, COUNTER "c_total 4\n# TYPE g gauge\ng 1\n");
	assert_results(&f, RESULT("3") "# TYPE q gauge\nq 1\n");
	close_fixture(&f);
}

static void test_gauges_come_and_go(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.op = GS_ROLLUP_AVG, .of = "g", .as = "r", BY("a")});
	scrape(&f, 1, "# TYPE g gauge\ng{a=\"x\"} 1\ng{a=\"y\"} 2\n");
	scrape(&f, 2, "# TYPE g gauge\ng{a=\"x\"} 4\n");
	assert_results(&f, "# TYPE r gauge\nr{a=\"x\"} 2.5\nr{a=\"y\"} 2\n");
	scrape(&f, 1, "# TYPE g gauge\ng{a=\"x\"} 2\n");
	assert_results(&f, "# TYPE r gauge\nr{a=\"x\"} 3\n");
	assert_int_equal(gs_rollup_series(f.rollup), 3);
	gs_rollup_remove(f.rollup, 2);
	gs_rollup_check(f.rollup);
	assert_results(&f, "# TYPE r gauge\nr{a=\"x\"} 2\n");
	gs_rollup_remove(f.rollup, 1);
	gs_rollup_remove(f.rollup, 1);
	assert_results(&f, "");
	assert_int_equal(gs_rollup_series(f.rollup), 0);
	close_fixture(&f);
}

static void test_a_target_that_is_removed_leaves_what_it_added(void **state) {
	(void)state;
	struct fixture f = open_sum("c_total");
	scrape(&f, 1, COUNTER "c_total 1\n");
	scrape(&f, 2, COUNTER "c_total 1\n");
	scrape(&f, 1, COUNTER "c_total 11\n");
	gs_rollup_remove(f.rollup, 1);
	assert_results(&f, RESULT("10"));
	scrape(&f, 1, COUNTER "c_total 50\n");
	assert_results(&f, RESULT("10"));
	gs_rollup_remove(f.rollup, 1);
	gs_rollup_remove(f.rollup, 2); /* the last: the result leaves, and would begin at 0 */
	assert_results(&f, "");
	scrape(&f, 1, COUNTER "c_total 60\n");
	assert_results(&f, RESULT("0"));
	close_fixture(&f);
}

static void test_a_target_removed_while_it_is_scraped(void **state) {
	(void)state;
	struct fixture f = open_sum("c_total");
	scrape(&f, 1, COUNTER "c_total 1\n");
	gs_rollup_begin(f.rollup, 1);
	assert_int_equal(feed(&f, GS_FORMAT_TEXT, "t1", COUNTER "c_total 2\nc_total{new=\"1\"} 2\n"), GS_OK);
	gs_rollup_remove(f.rollup, 1);
	assert_int_equal(feed(&f, GS_FORMAT_TEXT, "t1", COUNTER "c_total{a=\"b\"} 2\n"), GS_OK);
	gs_rollup_end(f.rollup, true);
	gs_rollup_check(f.rollup);
	assert_int_equal(gs_rollup_series(f.rollup), 0);
	gs_rollup_begin(f.rollup, 2);
	gs_rollup_remove(f.rollup, 2);
	gs_rollup_end(f.rollup, true);
	close_fixture(&f);
}

static void test_the_average_of_counters_has_the_average_rate(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.op = GS_ROLLUP_AVG, .of = "c_total", .as = "r"});
	scrape(&f, 1, COUNTER "c_total 100\n");
	scrape(&f, 1, COUNTER "c_total 108\n");
	assert_results(&f, RESULT("8"));
	scrape(&f, 2, COUNTER "c_total{a=\"x\"} 100\nc_total{a=\"y\"} 100\nc_total{a=\"z\"} 100\n");
	scrape(&f, 1, COUNTER "c_total 116\n");
	assert_results(&f, RESULT("10"));
	scrape(&f, 2, COUNTER "c_total{a=\"x\"} 104\nc_total{a=\"y\"} 104\nc_total{a=\"z\"} 104\n");
	assert_results(&f, RESULT("13"));
	gs_rollup_remove(f.rollup, 2);
	assert_results(&f, RESULT("13")); /* never falls */
	scrape(&f, 1, COUNTER "c_total 117\n");
	assert_results(&f, RESULT("14"));
	close_fixture(&f);
}

static void test_a_counter_that_is_no_number_is_not_there(void **state) {
	(void)state;
	struct gs_rollup_rule rules[] = {{.op = GS_ROLLUP_SUM, .of = "c_total", .as = "r", .drop = true},
	    {.op = GS_ROLLUP_COUNT, .of = "c_total", .as = "n"}};
	struct fixture f = open_rules(rules, 2, 1000);
	scrape(&f, 1, COUNTER "c_total 1\n");
	scrape(&f, 1, COUNTER "c_total NaN\n");
	assert_string_equal(dropped(&f), "c_total\n");
	assert_results(&f, RESULT("0"));
	scrape(&f, 1, COUNTER "c_total +Inf\n");
	scrape(&f, 1, COUNTER "c_total 3\n");
	assert_results(&f, RESULT("2") "# TYPE n gauge\nn 1\n");
	scrape(&f, 1, COUNTER "c_total 1e308\n");
	scrape(&f, 1, COUNTER "c_total 9e307\n");
	scrape(&f, 1, COUNTER "c_total 8e307\n");
	assert_results(&f, RESULT("1e+308") "# TYPE n gauge\nn 1\n"); /* what would be infinite is left out */
	close_fixture(&f);
}

static void test_of_a_series_that_stands_twice_the_first_counts(void **state) {
	(void)state;
	struct fixture f = open_sum("g");
	scrape(&f, 1, "# TYPE g gauge\ng 1\ng{a=\"b\"} 10\ng 5\n");
	assert_results(&f, "# TYPE r gauge\nr 11\n");
	scrape(&f, 1, "# TYPE g gauge\ng 2\ng{a=\"b\"} 10\ng 5\n");
	assert_results(&f, "# TYPE r gauge\nr 12\n");
	close_fixture(&f);
}

#define H "# TYPE h histogram\n"

static void test_a_histogram_begins_again_as_a_whole(void **state) {
	(void)state;
	struct fixture f = open_sum("h");
	scrape(&f, 1,
	    H "h_bucket{le=\"1\"} 3\nh_bucket{le=\"2\"} 50\nh_bucket{le=\"+Inf\"} 100\nh_sum 500\nh_count 100\n");
	assert_results(&f, "# TYPE r histogram\nr_bucket{le=\"1\"} 0\nr_bucket{le=\"2\"} 0\nr_bucket{le=\"+Inf\"} "
			   "0\nr_sum 0\nr_count 0\n");
	/* The first bucket and the sum are larger than before, and all the same from a new process. */
	scrape(&f, 1, H "h_bucket{le=\"1\"} 5\nh_bucket{le=\"2\"} 6\nh_bucket{le=\"+Inf\"} 7\nh_sum 600\nh_count 7\n");
	assert_results(&f, "# TYPE r histogram\nr_bucket{le=\"1\"} 5\nr_bucket{le=\"2\"} 6\nr_bucket{le=\"+Inf\"} "
			   "7\nr_sum 600\nr_count 7\n");
	close_fixture(&f);
}

static void test_the_sum_of_a_histogram_may_fall(void **state) {
	(void)state;
	struct fixture f = open_sum("h");
	scrape(&f, 1, H "h_bucket{le=\"+Inf\"} 100\nh_sum 500\nh_count 100\n");
	scrape(&f, 1, H "h_bucket{le=\"+Inf\"} 101\nh_sum 480\nh_count 101\n");
	assert_results(&f, "# TYPE r histogram\nr_bucket{le=\"+Inf\"} 1\nr_sum -20\nr_count 1\n");
	scrape(&f, 1, H "h_bucket{le=\"+Inf\"} 102\nh_sum NaN\nh_count 102\n");
	assert_results(&f, "# TYPE r histogram\nr_bucket{le=\"+Inf\"} 2\nr_sum -20\nr_count 2\n");
	close_fixture(&f);
}

static void test_parts_that_are_missing_for_a_while(void **state) {
	(void)state;
	struct fixture f = open_sum("h");
	scrape(&f, 1, H "h_bucket{le=\"1\"} 10\nh_bucket{le=\"+Inf\"} 20\nh_sum 30\nh_count 20\n");
	scrape(&f, 1, H "h_bucket{le=\"+Inf\"} 24\nh_count 24\n");
	assert_results(&f, "# TYPE r histogram\nr_bucket{le=\"1\"} 0\nr_bucket{le=\"+Inf\"} 4\nr_sum 0\nr_count 4\n");
	scrape(&f, 1, H "h_bucket{le=\"1\"} 13\nh_bucket{le=\"+Inf\"} 25\nh_sum 40\nh_count 25\n");
	assert_results(&f, "# TYPE r histogram\nr_bucket{le=\"1\"} 3\nr_bucket{le=\"+Inf\"} 5\nr_sum 10\nr_count 5\n");
	scrape(&f, 1, H "h_bucket{le=\"+Inf\"} 2\nh_count 2\n"); /* a new process, and parts of it to come */
	scrape(&f, 1, H "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 4\nh_sum 9\nh_count 4\n");
	assert_results(&f, "# TYPE r histogram\nr_bucket{le=\"1\"} 4\nr_bucket{le=\"+Inf\"} 9\nr_sum 19\nr_count 9\n");
	close_fixture(&f);
}

static void test_buckets_that_a_process_shows_when_they_fill(void **state) {
	(void)state;
	struct fixture f = open_sum("h");
	scrape(&f, 1, H "h_bucket{le=\"1\"} 10\nh_bucket{le=\"+Inf\"} 30\nh_count 30\n");
	scrape(&f, 1, H "h_bucket{le=\"1\"} 10\nh_bucket{le=\"2\"} 12\nh_bucket{le=\"+Inf\"} 33\nh_count 33\n");
	assert_results(
	    &f, "# TYPE r histogram\nr_bucket{le=\"1\"} 0\nr_bucket{le=\"2\"} 2\nr_bucket{le=\"+Inf\"} 3\nr_count 3\n");
	/* One that is full of old observations adds no more than the histogram grew by. */
	scrape(&f, 1,
	    H "h_bucket{le=\"1\"} 10\nh_bucket{le=\"2\"} 12\nh_bucket{le=\"5\"} 30\nh_bucket{le=\"+Inf\"} 34\nh_count "
	      "34\n");
	assert_results(&f, "# TYPE r histogram\nr_bucket{le=\"1\"} 0\nr_bucket{le=\"2\"} 2\nr_bucket{le=\"5\"} "
			   "3\nr_bucket{le=\"+Inf\"} 4\nr_count 4\n");
	close_fixture(&f);
}

static void test_a_summary_begins_again(void **state) {
	(void)state;
	struct fixture f = open_sum("s");
	scrape(&f, 1, "# TYPE s summary\ns_sum 10\ns_count 5\n");
	scrape(&f, 1, "# TYPE s summary\ns_sum 20\ns_count 2\n");
	assert_results(&f, "# TYPE r summary\nr_sum 20\nr_count 2\n");
	close_fixture(&f);
	f = open_sum("s");
	scrape(&f, 1, "# TYPE s summary\ns_sum 10\n");
	scrape(&f, 1, "# TYPE s summary\ns_sum 4\n");
	assert_results(&f, "# TYPE r summary\nr_sum 4\nr_count 0\n");
	close_fixture(&f);
}

/* increase() of a counter over its samples, as Prometheus counts it. */
struct increase {
	bool any;
	double last;
	double total;
};

static void see(struct increase *increase, double v) {
	if (increase->any)
		increase->total += v >= increase->last ? v - increase->last : v;
	increase->any = true;
	increase->last = v;
}

/* Counters that start high, begin again now and then, and come one after the other; the poller starts again ${restarts} times. */
static void compare_increase(unsigned restarts, uint64_t seed) {
	struct fixture f = open_sum("c_total");
	struct increase inputs[5] = {0}, result = {0};
	double values[5], total = 0;
	for (unsigned i = 0; i < 5; i++)
		values[i] = 1e6 * (i + 1);
	for (unsigned step = 0; step < 600; step++) {
		unsigned t = step % 5;
		char body[64];
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		if (step < 60 * t) /* not there yet */
			continue;
		values[t] = seed >> 58 == 0 ? (double)(seed >> 40 & 15) : values[t] + (double)(seed >> 40 & 255);
		snprintf(body, sizeof(body), COUNTER "c_total %.0f\n", values[t]);
		scrape(&f, t, body);
		see(&inputs[t], values[t]);
		see(&result, strtod(strchr(written(&f), '\n') + 2, NULL));
		if (restarts != 0 && step % (600 / restarts) == 600 / restarts - 1) {
			close_fixture(&f);
			f = open_sum("c_total");
		}
	}
	for (unsigned i = 0; i < 5; i++)
		total += inputs[i].total;
	assert_true(total > 10000);
	if (restarts == 0)
		assert_true(result.total == total);
	/* Each restart loses what all counters grew by in one round, and adds nothing. */
	assert_true(result.total <= total && result.total >= total - restarts * 5 * 255.0);
	close_fixture(&f);
}

static void test_the_increase_is_that_of_the_inputs(void **state) {
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		compare_increase(0, seed);
		compare_increase(3, seed);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_counter_counts_from_when_it_is_first_seen),
	    cmocka_unit_test(test_a_counter_that_falls_has_begun_again),
	    cmocka_unit_test(test_a_target_that_is_down_and_returns),
	    cmocka_unit_test(test_a_target_that_was_down_for_long_is_a_new_one),
	    cmocka_unit_test(test_a_series_that_misses_scrapes_and_returns),
	    cmocka_unit_test(test_a_failed_scrape_counts_for_nothing),
	    cmocka_unit_test(test_the_increase_is_that_of_the_inputs),
	    cmocka_unit_test(test_gauges_come_and_go),
	    cmocka_unit_test(test_a_target_that_is_removed_leaves_what_it_added),
	    cmocka_unit_test(test_a_target_removed_while_it_is_scraped),
	    cmocka_unit_test(test_the_average_of_counters_has_the_average_rate),
	    cmocka_unit_test(test_a_counter_that_is_no_number_is_not_there),
	    cmocka_unit_test(test_of_a_series_that_stands_twice_the_first_counts),
	    cmocka_unit_test(test_a_histogram_begins_again_as_a_whole),
	    cmocka_unit_test(test_the_sum_of_a_histogram_may_fall),
	    cmocka_unit_test(test_parts_that_are_missing_for_a_while),
	    cmocka_unit_test(test_buckets_that_a_process_shows_when_they_fill),
	    cmocka_unit_test(test_a_summary_begins_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
