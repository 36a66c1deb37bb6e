/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup_test.h"

static const char whole[] =
    "# TYPE g gauge\ng{a=\"1\"} 1\ng{a=\"2\"} 2\n# TYPE c counter\nc 5\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\n"
    "h_bucket{le=\"2\"} 1\nh_bucket{le=\"3\"} 1\nh_bucket{le=\"4\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n";

static const struct gs_rollup_rule rules[] = {
    {.op = GS_ROLLUP_SUM, .of = "g|c", .as = "v", BY("a")},
    {.op = GS_ROLLUP_MAX, .of = "g|c", .as = "m", .without = true, BY("a")},
    {.op = GS_ROLLUP_SUM, .of = "h", .as = "x", .drop = true},
    {.op = GS_ROLLUP_SUM, .of = "h", .as = "y", BY("instance")},
    {.op = GS_ROLLUP_SUM, .of = "h_count", .as = "z"},
};

/* In whatever order a target shows its series. */
static void test_the_order_of_a_scrape_does_not_matter(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.of = "c", .as = "r"});
	char body[4096];
	for (unsigned pass = 0; pass < 20; pass++) {
		size_t n = (size_t)snprintf(body, sizeof(body), "# TYPE c counter\n");
		for (unsigned i = 0; i < 60; i++) {
			unsigned k = (i * (pass % 2 == 0 ? 7 : 37) + pass) % 60;
			n += (size_t)snprintf(body + n, sizeof(body) - n, "c{i=\"%u\"} %u\n", k, 1000 * k + pass * k);
		}
		scrape(&f, 1, body);
	}
	assert_results(&f, "# TYPE r counter\nr 33630\n"); /* 19 * (0 + ... + 59) */
	assert_int_equal(gs_rollup_series(f.rollup), 61);
	close_fixture(&f);
}

/* 10 inputs and 2 groups of v, 1 of m, 5 + 3 of x and of y, 1 of z: but c is no gauge and only goes into m */
#define WHOLE_SERIES (10 + 2 + 1 + 8 + 8 + 1)

static void test_what_is_beyond_max_series_fails_the_scrape(void **state) {
	(void)state;
	for (size_t max = 0; max <= WHOLE_SERIES; max++) {
		struct fixture f = open_rules(rules, N(rules), max);
		enum gs_status status = scrape_as(&f, GS_FORMAT_TEXT, 1, whole, true);
		assert_int_equal(status, max < WHOLE_SERIES ? GS_ELIMIT : GS_OK);
		assert_int_equal(gs_rollup_series(f.rollup), max < WHOLE_SERIES ? 0 : WHOLE_SERIES);
		close_fixture(&f);
	}
}

static void test_what_was_there_stays_at_the_limit(void **state) {
	(void)state;
	struct fixture f = open_rules(rules, N(rules), WHOLE_SERIES);
	scrape(&f, 1, whole);
	gs_rollup_begin(f.rollup, 2);
	assert_int_equal(feed(&f, GS_FORMAT_TEXT, "t2", "# TYPE g gauge\ng 1\n"), GS_ELIMIT);
	assert_int_equal(feed(&f, GS_FORMAT_TEXT, "t2", "nothing 1\n"), GS_ELIMIT); /* the same answer again */
	gs_rollup_end(f.rollup, true);
	gs_rollup_check(f.rollup);
	scrape(&f, 1, whole);
	assert_int_equal(gs_rollup_series(f.rollup), WHOLE_SERIES);
	gs_rollup_remove(f.rollup, 1);
	scrape(&f, 2, "# TYPE g gauge\ng 1\n");
	assert_results(&f, "# TYPE v gauge\nv 1\n# TYPE m gauge\nm{instance=\"t2\",job=\"j\"} 1\n");
	close_fixture(&f);
}

/* Every allocation of a scrape fails once; what was there before stays as it was, and the next scrape makes it all. */
static void test_a_scrape_without_memory(void **state) {
	(void)state;
	for (int64_t n = 0;; n++) {
		struct fixture f = open_rules(rules, N(rules), 1000);
		scrape(&f, 2, "# TYPE g gauge\ng{a=\"1\"} 7\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\n");
		size_t before = gs_rollup_series(f.rollup);
		gs_rollup_begin(f.rollup, 1);
		gs_mem_fail_after(n);
		enum gs_status status = feed(&f, GS_FORMAT_TEXT, "t1", whole);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_rollup_check(f.rollup);
		gs_rollup_end(f.rollup, true);
		gs_rollup_check(f.rollup);
		if (status != GS_OK) {
			assert_int_equal(status, GS_ENOMEM);
			assert_int_equal(gs_rollup_series(f.rollup), before);
		}
		scrape(&f, 1, whole);
		scrape(&f, 1, whole);
		assert_results(&f, "# TYPE v gauge\nv{a=\"1\"} 8\nv{a=\"2\"} 2\n# TYPE m "
				   "gauge\nm{instance=\"t2\",job=\"j\"} 7\nm{instance=\"t1\",job=\"j\"} 5\n"
				   "# TYPE x histogram\nx_bucket{le=\"1\"} 0\nx_bucket{le=\"2\"} 0\nx_bucket{le=\"3\"} "
				   "0\nx_bucket{le=\"4\"} 0\n"
				   "x_bucket{le=\"+Inf\"} 0\nx_sum 0\nx_count 0\n"
				   "# TYPE y histogram\ny_bucket{instance=\"t2\",le=\"1\"} "
				   "0\ny_bucket{instance=\"t2\",le=\"+Inf\"} 0\ny_count{instance=\"t2\"} 0\n"
				   "y_bucket{instance=\"t1\",le=\"1\"} 0\ny_bucket{instance=\"t1\",le=\"2\"} "
				   "0\ny_bucket{instance=\"t1\",le=\"3\"} 0\n"
				   "y_bucket{instance=\"t1\",le=\"4\"} 0\ny_bucket{instance=\"t1\",le=\"+Inf\"} "
				   "0\ny_sum{instance=\"t1\"} 0\ny_count{instance=\"t1\"} 0\n"
				   "# TYPE z counter\nz 0\n");
		close_fixture(&f);
		if (!failed && status == GS_OK)
			break;
	}
}

/* An input that a rule refused is asked again; without memory the scrape fails, and it is asked once more. */
static void test_a_refused_input_without_memory(void **state) {
	(void)state;
	const struct gs_rollup_rule two[] = {
	    {.op = GS_ROLLUP_MAX, .of = "a|b", .as = "m"}, {.op = GS_ROLLUP_SUM, .of = "a|b", .as = "s"}};
	for (int64_t n = 0;; n++) {
		struct fixture f = open_rules(two, 2, 100);
		scrape(&f, 1, "# TYPE b gauge\nb 1\n");
		scrape(&f, 2, "# TYPE a counter\na 1\n");
		assert_results(&f, "# TYPE m gauge\nm 1\n# TYPE s gauge\ns 1\n");
		gs_rollup_remove(f.rollup, 1);
		gs_rollup_begin(f.rollup, 2);
		gs_mem_fail_after(n);
		enum gs_status status = feed(&f, GS_FORMAT_TEXT, "t2", "# TYPE a counter\na 1\n");
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_rollup_end(f.rollup, true);
		gs_rollup_check(f.rollup);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		scrape(&f, 2, "# TYPE a counter\na 4\n");
		assert_results(&f, "# TYPE m gauge\nm 4\n# TYPE s counter\ns 3\n");
		close_fixture(&f);
		if (!failed)
			break;
	}
}

/* A scrape of what is known allocates nothing. */
static void test_a_steady_scrape_needs_no_memory(void **state) {
	(void)state;
	struct fixture f = open_rules(rules, N(rules), 1000);
	scrape(&f, 1, whole);
	gs_mem_fail_after(0);
	gs_rollup_begin(f.rollup, 1);
	assert_int_equal(feed(&f, GS_FORMAT_TEXT, "t1", whole), GS_OK);
	gs_rollup_end(f.rollup, true);
	assert_false(gs_mem_failed());
	gs_mem_fail_after(-1);
	close_fixture(&f);
}

/* Parts that relabelling has left without what makes them parts. */
static void test_parts_that_are_none(void **state) {
	static const struct {
		const char *name;
		enum gs_expo_part part;
		const char *le;
		const char *results;
		unsigned conflicts;
	} odd[] = {
	    {"h_bucket", GS_PART_BUCKET, "1",
		"# TYPE r histogram\nr_bucket{le=\"1\"} 0\nr_bucket{le=\"+Inf\"} 0\nr_count 0\n", 0},
	    {"h_bucket", GS_PART_BUCKET, NULL, "", 1},
	    {"h_bucket", GS_PART_BUCKET, "x", "", 1},
	    {"h_bucket", GS_PART_BUCKET, "NaN", "", 1},
	    {"h_sum", GS_PART_SUM, "1", "", 1},
	    {"h_count", GS_PART_COUNT, "1", "", 1},
	    {"h", GS_PART_SUM, NULL, "# TYPE r counter\nr 0\n", 0}, /* renamed: a counter of that name */
	    {"_sum", GS_PART_SUM, NULL, "", 0},
	};
	(void)state;
	for (size_t i = 0; i < N(odd); i++) {
		struct fixture f = open_rule((struct gs_rollup_rule){.of = "h", .as = "r"});
		struct gs_label le = {GS_STR("le"), gs_str_of(odd[i].le)};
		struct gs_expo_event event = {
		    .kind = GS_EXPO_SAMPLE, .type = GS_TYPE_HISTOGRAM, .part = odd[i].part, .value = 1, .labels = &le};
		bool drop;
		event.name = gs_str_of(odd[i].name);
		event.nlabels = odd[i].le != NULL;
		gs_rollup_begin(f.rollup, 1);
		assert_int_equal(put_labels(&f, &event, "t1"), GS_OK);
		assert_int_equal(gs_rollup_sample(f.rollup, &event, f.labels, &drop), GS_OK);
		gs_rollup_end(f.rollup, true);
		gs_rollup_check(f.rollup);
		assert_results(&f, odd[i].results);
		assert_int_equal(gs_rollup_conflicts(f.rollup), odd[i].conflicts);
		close_fixture(&f);
	}
}

static void test_a_sample_without_a_name_is_nothing(void **state) {
	(void)state;
	struct fixture f = open_rule((struct gs_rollup_rule){.of = ".*", .as = "r", .drop = true});
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .value = 1};
	bool drop = true;
	gs_rollup_begin(f.rollup, 1);
	gs_labels_clear(f.labels);
	assert_int_equal(gs_rollup_sample(f.rollup, &event, f.labels, &drop), GS_OK);
	assert_false(drop);
	gs_rollup_end(f.rollup, true);
	close_fixture(&f);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_order_of_a_scrape_does_not_matter),
	    cmocka_unit_test(test_what_is_beyond_max_series_fails_the_scrape),
	    cmocka_unit_test(test_what_was_there_stays_at_the_limit),
	    cmocka_unit_test(test_a_scrape_without_memory),
	    cmocka_unit_test(test_a_refused_input_without_memory),
	    cmocka_unit_test(test_a_steady_scrape_needs_no_memory),
	    cmocka_unit_test(test_parts_that_are_none),
	    cmocka_unit_test(test_a_sample_without_a_name_is_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
