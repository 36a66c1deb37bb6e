/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/limits.h"
#include "rollup_test.h"

static void test_bad_rules_are_refused_by_number(void **state) {
	char long_name[GS_LIMIT_NAME + 1] = {0};
	const struct {
		struct gs_rollup_rule rule;
		const char *text;
	} bad[] = {
	    {{.op = (enum gs_rollup_op)5, .of = "a", .as = "b"}, "is none of sum, min, max, avg and count: \"\""},
	    {{.of = NULL, .as = "b"}, "of: matches no name: \"\""},
	    {{.of = "", .as = "b"}, "of: matches no name: \"\""},
	    {{.of = "(", .as = "b"}, "\"(\" is no regular expression: missing closing parenthesis at byte 2"},
	    {{.of = "a", .as = NULL}, "as: is no name of a metric: \"\""},
	    {{.of = "a", .as = "\xff"}, "as: is no name of a metric: \"\xff\""},
	    {{.of = "a", .as = "b", BY("")}, "is no name of a label: \"\""},
	    {{.of = "a", .as = "b", BY("x", "\xff")}, "is no name of a label: \"\xff\""},
	    {{.of = "a", .as = "b", BY("__name__")}, "the result has a name of its own, so leave it out: \"__name__\""},
	    {{.of = "a", .as = "first"}, "as: a rule before has the same result: \"first\""},
	    {{.of = "a", .as = "first_sum"},
		"as: is a part of what a histogram of another rule would be called: \"first_sum\""},
	    {{.of = "a", .as = "firs"}, NULL},
	    {{.of = "a", .as = "first_summary"}, NULL},
	    {{.of = ".*", .as = "\xc3\xa4", BY("x", "x")}, NULL},
	};
	(void)state;
	for (size_t i = 0; i < N(bad); i++) {
		struct gs_rollup_rule rules[] = {{.of = "a", .as = "first"}, bad[i].rule};
		struct gs_rollup *rollup = NULL;
		struct gs_error err = {0};
		enum gs_status status = gs_rollup_new(rules, 2, 10, &rollup, &err);
		assert_int_equal(status, bad[i].text != NULL ? GS_EINVAL : GS_OK);
		assert_string_equal(err.text, bad[i].text != NULL ? bad[i].text : "");
		assert_int_equal(err.line, bad[i].text != NULL ? 2 : 0);
		gs_rollup_free(rollup);
		rollup = NULL;
		assert_int_equal(gs_rollup_new(rules, 2, 10, &rollup, NULL), status);
		gs_rollup_free(rollup);
	}
	struct gs_rollup *rollup;
	struct gs_error err;
	memset(long_name, 'a', GS_LIMIT_NAME);
	struct gs_rollup_rule rule = {.of = "a", .as = long_name};
	assert_int_equal(gs_rollup_new(&rule, 1, 10, &rollup, &err), GS_EINVAL);
	struct gs_rollup_rule parts[] = {{.of = "a", .as = "x_bucket"}, {.of = "a", .as = "x"}};
	assert_int_equal(gs_rollup_new(parts, 2, 10, &rollup, &err), GS_EINVAL);
	assert_int_equal(err.line, 2);
	assert_int_equal(gs_rollup_new(NULL, GS_LIMIT_ROLLUP_RULES + 1, 10, &rollup, &err), GS_EINVAL);
	gs_rollup_free(NULL);
}

/* Which samples a rule drops, so which are its inputs. */
static void test_what_a_rule_takes(void **state) {
	static const char body[] = "# TYPE a_total counter\na_total 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\n"
				   "h_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n"
				   "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\n";
	static const struct {
		enum gs_rollup_op op;
		const char *of;
		const char *dropped;
	} takes[] = {
	    {GS_ROLLUP_SUM, "a_total", "a_total\n"},
	    {GS_ROLLUP_SUM, "a", ""},
	    {GS_ROLLUP_SUM, "h", "h_bucket\nh_bucket\nh_sum\nh_count\n"},
	    {GS_ROLLUP_COUNT, "h", "h_bucket\nh_bucket\nh_sum\nh_count\n"},
	    {GS_ROLLUP_MAX, "h", ""},
	    {GS_ROLLUP_SUM, "h_sum", "h_sum\n"},
	    {GS_ROLLUP_MAX, "h_.*", "h_bucket\nh_bucket\nh_sum\nh_count\n"},
	    {GS_ROLLUP_SUM, "s", "s\ns_sum\ns_count\n"},
	    {GS_ROLLUP_MIN, "s", "s\n"},
	    {GS_ROLLUP_AVG, "s_count|h_count", "h_count\ns_count\n"},
	    {GS_ROLLUP_SUM, "h|s_bucket", "h_bucket\nh_bucket\nh_sum\nh_count\n"},
	};
	(void)state;
	for (size_t i = 0; i < N(takes); i++) {
		struct fixture f =
		    open_rule((struct gs_rollup_rule){.op = takes[i].op, .of = takes[i].of, .as = "r", .drop = true});
		for (int pass = 0; pass < 2; pass++) {
			scrape(&f, 1, body);
			assert_string_equal(dropped(&f), takes[i].dropped);
		}
		assert_int_equal(gs_rollup_conflicts(f.rollup), 0);
		close_fixture(&f);
	}
}

static void test_when_a_dropped_counter_was_created_is_dropped(void **state) {
	(void)state;
	struct fixture f =
	    open_rule((struct gs_rollup_rule){.op = GS_ROLLUP_SUM, .of = "a_total", .as = "r", .drop = true});
	assert_int_equal(
	    scrape_as(&f, GS_FORMAT_OPENMETRICS, 1,
		"# TYPE a counter\na_total 1\na_created 1.5\n# TYPE b counter\nb_total 1\nb_created 1\n# EOF\n", true),
	    GS_OK);
	assert_string_equal(dropped(&f), "a_total\na_created\n");
	assert_results(&f, "# TYPE r counter\nr 0\n");
	close_fixture(&f);
}

static void test_inputs_are_kept_or_dropped_by_any_rule(void **state) {
	(void)state;
	struct gs_rollup_rule rules[] = {
	    {.op = GS_ROLLUP_SUM, .of = "a|b", .as = "r"}, {.op = GS_ROLLUP_MAX, .of = "b|c", .as = "q", .drop = true}};
	struct fixture f = open_rules(rules, 2, 100);
	scrape(&f, 1, "a 1\nb 2\nc 3\nd 4\n");
	assert_string_equal(dropped(&f), "b\nc\n");
	assert_results(&f, "# TYPE r untyped\nr 3\n# TYPE q gauge\nq 3\n");
	close_fixture(&f);
}

static void test_the_first_type_is_that_of_the_result(void **state) {
	(void)state;
	struct fixture f =
	    open_rule((struct gs_rollup_rule){.op = GS_ROLLUP_SUM, .of = "a|b|h", .as = "r", .drop = true});
	scrape(&f, 1, "# TYPE a counter\na 5\n");
	scrape(&f, 2,
	    "# TYPE a gauge\na 5\n# TYPE b counter\nb 1\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n");
	assert_string_equal(dropped(&f), "b\n"); /* what is not taken is not dropped */
	assert_int_equal(gs_rollup_conflicts(f.rollup), 3);
	scrape(&f, 2, "# TYPE a gauge\na 5\n# TYPE b counter\nb 3\n");
	assert_results(&f, "# TYPE r counter\nr 2\n");
	assert_int_equal(gs_rollup_conflicts(f.rollup), 4);
	gs_rollup_remove(f.rollup, 1);
	gs_rollup_remove(f.rollup, 2);
	scrape(&f, 2, "# TYPE a gauge\na 5\n"); /* when all of one type have left, another may come */
	assert_results(&f, "# TYPE r gauge\nr 5\n");
	close_fixture(&f);
}

static void test_a_series_that_changes_its_type(void **state) {
	(void)state;
	struct gs_rollup_rule rules[] = {
	    {.op = GS_ROLLUP_SUM, .of = "a", .as = "r"}, {.op = GS_ROLLUP_MAX, .of = "a", .as = "q"}};
	struct fixture f = open_rules(rules, 2, 100);
	scrape(&f, 1, "# TYPE a gauge\na 5\n");
	scrape(&f, 1, "# TYPE a counter\na 6\n");
	assert_results(&f, "# TYPE q gauge\nq 6\n");
	assert_int_equal(gs_rollup_conflicts(f.rollup), 1);
	/* The gauge has left, so now the sum takes it. */
	scrape(&f, 1, "# TYPE a counter\na 7\n");
	assert_results(&f, "# TYPE r counter\nr 1\n# TYPE q gauge\nq 7\n");
	scrape(&f, 1, "# TYPE a counter\na 9\n");
	assert_results(&f, "# TYPE r counter\nr 3\n# TYPE q gauge\nq 9\n");
	assert_int_equal(gs_rollup_conflicts(f.rollup), 1);
	close_fixture(&f);
}

static void test_names_that_come_and_go_do_not_fill_the_memory(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.op = GS_ROLLUP_SUM, .of = "n1|n70000", .as = "r"});
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .type = GS_TYPE_GAUGE, .value = 1};
	bool drop;
	gs_rollup_begin(f.rollup, 1);
	for (unsigned i = 0; i <= 70000; i++) {
		char name[16];
		snprintf(name, sizeof(name), "n%u", i);
		event.name = gs_str_of(name);
		assert_int_equal(put_labels(&f, &event, "t1"), GS_OK);
		assert_int_equal(gs_rollup_sample(f.rollup, &event, f.labels, &drop), GS_OK);
	}
	gs_rollup_end(f.rollup, true);
	assert_results(&f, "# TYPE r gauge\nr 2\n");
	close_fixture(&f);
}

static void test_an_expression_that_takes_too_long_fails_the_scrape(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.op = GS_ROLLUP_SUM, .of = "(a*)*\\1b|g", .as = "r"});
	scrape(&f, 1, "g 1\n");
	assert_int_equal(
	    scrape_as(&f, GS_FORMAT_TEXT, 1, "g 1\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac 1\n", true),
	    GS_ELIMIT);
	assert_results(&f, "");
	scrape(&f, 1, "g 2\n");
	assert_results(&f, "# TYPE r untyped\nr 2\n");
	close_fixture(&f);
}

static void test_new_without_memory(void **state) {
	(void)state;
	struct gs_rollup_rule rules[] = {{.of = "a", .as = "b", BY("x", "y")}, {.of = "c", .as = "d"}};
	for (int64_t n = 0;; n++) {
		struct gs_rollup *rollup = NULL;
		gs_mem_fail_after(n);
		enum gs_status status = gs_rollup_new(rules, 2, 10, &rollup, NULL);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_rollup_free(rollup);
		if (status == GS_OK) /* what only makes an expression faster may fail */
			assert_true(rollup != NULL);
		else
			assert_int_equal(status, GS_ENOMEM);
		if (!failed)
			break;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bad_rules_are_refused_by_number),
	    cmocka_unit_test(test_what_a_rule_takes),
	    cmocka_unit_test(test_when_a_dropped_counter_was_created_is_dropped),
	    cmocka_unit_test(test_inputs_are_kept_or_dropped_by_any_rule),
	    cmocka_unit_test(test_the_first_type_is_that_of_the_result),
	    cmocka_unit_test(test_a_series_that_changes_its_type),
	    cmocka_unit_test(test_names_that_come_and_go_do_not_fill_the_memory),
	    cmocka_unit_test(test_an_expression_that_takes_too_long_fails_the_scrape),
	    cmocka_unit_test(test_new_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
