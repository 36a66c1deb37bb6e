/* SPDX-License-Identifier: Apache-2.0 */
/* Scraped groups, and what leaves by itself. */
#include "gravel_test.h"

static const struct gs_store_options aged = {.max_age_ms = 80000};

static void test_replaces_whole_group(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	assert_int_equal(scrape_at(&b, "1", T0, "a 1\nb 1\n# TYPE c counter\nc 5\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "2", T0, "b 2\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "1", T0 + 1, "b 3\n# TYPE c counter\nc 6\nd 1\n"), GS_OK);
	assert_int_equal(b.result.series_gone, 1);
	assert_int_equal(b.result.series_new, 1);
	assert_exposition(&b,
	    "# TYPE b untyped\nb{instance=\"1\",job=\"j\"} 3\nb{instance=\"2\",job=\"j\"} 2\n"
	    "# TYPE c counter\nc{instance=\"1\",job=\"j\"} 6\n# TYPE d untyped\nd{instance=\"1\",job=\"j\"} 1\n");
	assert_int_equal(scrape_at(&b, "1", T0 + 2, ""), GS_OK);
	assert_exposition(&b, "# TYPE b untyped\nb{instance=\"2\",job=\"j\"} 2\n");
	bench_close(&b);
}

static void test_order_and_age(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	assert_int_equal(scrape_at(&b, "1", T0, "a 1\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "1", T0, "a 2\n"), GS_ECONFLICT);
	assert_int_equal(scrape_at(&b, "1", T0 - 1, "a 3\n"), GS_ECONFLICT);
	assert_int_equal(scrape_at(&b, "2", T0 - 80001, "a 4\n"), GS_ESTALE);
	assert_int_equal(scrape_at(&b, "3", T0 - 80000, "a 5\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "4", T0 + 80001, "a 6\n"), GS_EINVAL);
	assert_exposition(&b, "# TYPE a untyped\na{instance=\"1\",job=\"j\"} 1\na{instance=\"3\",job=\"j\"} 5\n");
	bench_close(&b);
}

static void test_goes_stale_and_comes_back(void **state) {
	(void)state;
	struct bench b;
	size_t stale, expired, cursor = 0;
	struct gs_group_view view;
	bench_open(&b, &aged);
	assert_int_equal(scrape_at(&b, "1", T0, "a 1\n"), GS_OK);
	gs_store_expire(b.store, T0 + 80000, &stale, &expired);
	assert_int_equal(stale, 0);
	gs_store_expire(b.store, T0 + 80001, &stale, &expired);
	assert_int_equal(stale, 1);
	gs_store_check(b.store);
	assert_exposition(&b, "");
	assert_true(gs_store_group_next(b.store, &cursor, &view));
	assert_true(view.stale);
	assert_int_equal(view.time_ms, T0);
	b.now = T0 + 90000;
	assert_int_equal(scrape_at(&b, "1", T0 + 90000, "a 2\n"), GS_OK);
	assert_exposition(&b, "# TYPE a untyped\na{instance=\"1\",job=\"j\"} 2\n");
	gs_store_expire(b.store, T0 + 90000 + 80001, &stale, &expired);
	gs_store_expire(b.store, T0 + 90000 + 80001 + 3600000, &stale, &expired);
	cursor = 0;
	assert_false(gs_store_group_next(b.store, &cursor, &view));
	gs_store_check(b.store);
	bench_close(&b);
}

static enum gs_status gone_at(struct bench *b, const char *instance, int64_t time) {
	struct gs_group_key key = {GS_STR("p"), GS_STR("j"), gs_str_of(instance)};
	enum gs_status status = gs_store_gone(b->store, &key, time, b->now, &b->result);
	gs_store_check(b->store);
	return status;
}

static size_t listed(const struct bench *b) {
	struct gs_group_view view;
	size_t cursor = 0, n = 0;
	while (gs_store_group_next(b->store, &cursor, &view))
		n++;
	assert_int_equal(gs_store_stats(b->store).groups_fresh + gs_store_stats(b->store).groups_stale, n);
	return n;
}

/* Its series leave at once, and only a newer scrape brings it back. */
static void test_gone(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	assert_int_equal(scrape_at(&b, "1", T0, "a 1\nb 1\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "2", T0, "a 2\n"), GS_OK);
	assert_int_equal(gone_at(&b, "1", T0 - 1), GS_ECONFLICT);
	assert_int_equal(listed(&b), 2);
	assert_int_equal(gone_at(&b, "1", T0), GS_OK);
	assert_int_equal(b.result.series_gone, 2);
	assert_int_equal(listed(&b), 1);
	assert_exposition(&b, "# TYPE a untyped\na{instance=\"2\",job=\"j\"} 2\n");
	/* Once more is nothing new; an older one is nothing at all. */
	assert_int_equal(gone_at(&b, "1", T0 + 5), GS_OK);
	assert_int_equal(b.result.series_gone, 0);
	assert_int_equal(gone_at(&b, "1", T0 + 4), GS_ECONFLICT);
	assert_int_equal(scrape_at(&b, "1", T0 + 5, "a 1\n"), GS_ECONFLICT);
	assert_int_equal(listed(&b), 1);
	assert_int_equal(scrape_at(&b, "1", T0 + 6, "a 1\n"), GS_OK);
	assert_int_equal(listed(&b), 2);
	assert_exposition(&b, "# TYPE a untyped\na{instance=\"1\",job=\"j\"} 1\na{instance=\"2\",job=\"j\"} 2\n");
	bench_close(&b);
}

/* What is not known here, too old, too far ahead, or stale. */
static void test_gone_of_others(void **state) {
	(void)state;
	struct bench b;
	size_t stale, expired;
	bench_open(&b, &aged);
	assert_int_equal(gone_at(&b, "1", T0 - 80001), GS_ESTALE);
	assert_int_equal(gone_at(&b, "1", T0 + 80001), GS_EINVAL);
	assert_int_equal(scrape_at(&b, "1", T0 - 1, "a 1\n"), GS_OK);
	gs_store_expire(b.store, T0 + 80000, &stale, &expired);
	assert_int_equal(stale, 1);
	b.now = T0 + 80000;
	assert_int_equal(gone_at(&b, "1", T0 + 1), GS_OK);
	assert_int_equal(gs_store_stats(b.store).groups_stale, 0);
	/* A stranger: remembered, as long as an older scrape of it would be taken. */
	assert_int_equal(gone_at(&b, "9", T0), GS_OK);
	assert_int_equal(listed(&b), 0);
	assert_int_equal(scrape_at(&b, "9", T0, "a 1\n"), GS_ECONFLICT);
	gs_store_expire(b.store, T0 + 80000, &stale, &expired);
	assert_int_equal(scrape_at(&b, "9", T0, "a 1\n"), GS_ECONFLICT);
	gs_store_expire(b.store, T0 + 80001, &stale, &expired);
	gs_store_check(b.store);
	assert_int_equal(stale, 0);
	assert_int_equal(scrape_at(&b, "9", T0, "a 1\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "1", T0 + 1, "a 1\n"), GS_ECONFLICT);
	bench_close(&b);
}

/* Without max_age no scrape is too old: then for an hour. */
static void test_gone_without_age(void **state) {
	(void)state;
	struct bench b;
	size_t stale, expired;
	bench_open(&b, &(struct gs_store_options){.max_groups = 1});
	assert_int_equal(gone_at(&b, "1", T0), GS_OK);
	assert_int_equal(gone_at(&b, "2", T0), GS_ELIMIT);
	gs_store_expire(b.store, T0 + 3600000, &stale, &expired);
	assert_int_equal(scrape_at(&b, "1", T0, "a 1\n"), GS_ECONFLICT);
	gs_store_expire(b.store, T0 + 3600001, &stale, &expired);
	assert_int_equal(scrape_at(&b, "1", T0, "a 1\n"), GS_OK);
	bench_close(&b);
}

static void test_gone_out_of_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int n = 0; failed; n++) {
		struct bench b;
		bench_open(&b, &aged);
		gs_mem_fail_after(n);
		enum gs_status status = gone_at(&b, "1", T0);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		assert_int_equal(scrape_at(&b, "1", T0, "a 1\n"), failed ? GS_OK : GS_ECONFLICT);
		bench_close(&b);
		assert_true(n < 20);
	}
}

/* A sample with an empty label under honor_labels has none, whatever the target has. */
static void test_empty_label_takes_the_target_s(void **state) {
	(void)state;
	struct bench b;
	struct gs_label labels[] = {{GS_STR_INIT("dc"), GS_STR_INIT("fra")}, {GS_STR_INIT("job"), GS_STR_INIT("")}};
	struct gs_batch_options options = {.labels = labels, .nlabels = 2, .rule = GS_LABELS_HONOR, .lenient = true};
	struct gs_scrape_info info = {.key = {GS_STR("p"), GS_STR("j"), GS_STR("1")}, .time_ms = T0};
	bench_open(&b, &aged);
	gs_batch_begin(b.batch, &options);
	assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, GS_STR("a{dc=\"\"} 1\nb{x=\"y\"} 2\n"), NULL), GS_OK);
	assert_int_equal(gs_store_scrape(b.store, &info, b.batch, b.now, &b.result), GS_OK);
	assert_exposition(&b, "# TYPE a untyped\na 1\n# TYPE b untyped\nb{dc=\"fra\",x=\"y\"} 2\n");
	bench_close(&b);
}

static void test_labels_are_exported(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	assert_int_equal(scrape_at(&b, "1", T0, "a{job=\"own\",exported_job=\"old\"} 1\n"), GS_OK);
	assert_exposition(
	    &b, "# TYPE a untyped\na{instance=\"1\",job=\"j\",exported_exported_job=\"own\",exported_job=\"old\"} 1\n");
	bench_close(&b);
}

/* A scrape is taken as it is: what a push would be refused for costs one sample, not the target. */
static void test_lenient(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	assert_int_equal(scrape_at(&b, "1", T0,
			     "a 1\na 2\nx{clearmode=\"typo\"} 1\n# TYPE h histogram\nh 1\nh_bucket 1\n"
			     "h_bucket{le=\"1.0\"} 5\nh_bucket{le=\"2\"} 4\n"),
	    GS_OK);
	assert_int_equal(gs_batch_stats(b.batch).dropped, 4);
	assert_exposition(&b,
	    "# TYPE a untyped\na{instance=\"1\",job=\"j\"} 1\n# TYPE h histogram\n"
	    "h_bucket{instance=\"1\",job=\"j\",le=\"1.0\"} 5\nh_bucket{instance=\"1\",job=\"j\",le=\"2\"} 4\n");
	bench_close(&b);
}

/* What is dropped is as if it had not stood there. */
static void test_dropped_samples_leave_nothing(void **state) {
	struct bench b;
	(void)state;
	bench_open(&b, &(struct gs_store_options){0});
	/* A part with another clearmode than the part before. */
	assert_int_equal(
	    scrape_at(&b, "1", b.now,
		"# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.9\",clearmode=\"sum\"} 2\ns_sum 3\n"),
	    GS_OK);
	assert_int_equal(gs_batch_stats(b.batch).dropped, 1);
	assert_exposition(&b, "# TYPE s summary\ns{instance=\"1\",job=\"j\",quantile=\"0.5\"} 1\n"
			      "s_sum{instance=\"1\",job=\"j\"} 3\n");
	/* A bucket without le decides nothing of the series that the next one begins. */
	assert_int_equal(
	    scrape_at(&b, "1", b.now + 1,
		"# TYPE h histogram\nh_bucket{clearmode=\"sum\"} 7 1\nh_bucket{le=\"+Inf\"} 2\nh_count 2\n"),
	    GS_OK);
	assert_int_equal(gs_batch_stats(b.batch).dropped, 1);
	assert_exposition(&b, "# TYPE h histogram\nh_bucket{instance=\"1\",job=\"j\",le=\"+Inf\"} 2\n"
			      "h_count{instance=\"1\",job=\"j\"} 2\n");
	/* k_count{l="2"} is claimed twice and dropped; the sample behind it has the same labels, but is not that of the one before. */
	assert_int_equal(scrape_at(&b, "1", b.now + 2,
			     "# TYPE k histogram\n# TYPE k_count summary\nk_count_sum{l=\"1\"} 1\n"
			     "k_count{l=\"2\",quantile=\"0.5\"} 2\nk_count_sum{l=\"2\"} 3\n"),
	    GS_OK);
	assert_int_equal(gs_batch_stats(b.batch).dropped, 1);
	assert_exposition(&b, "# TYPE k_count summary\nk_count_sum{instance=\"1\",job=\"j\",l=\"1\"} 1\n"
			      "k_count_sum{instance=\"1\",job=\"j\",l=\"2\"} 3\n");
	/* A second TYPE does not count, but the parser joins by it: here the quantile is a label like others. */
	assert_int_equal(scrape_at(&b, "1", b.now + 3,
			     "# TYPE i histogram\ni_sum{l=\"1\"} 1\n# TYPE i summary\ni{l=\"1\",quantile=\"1\"} "
			     "2\ni_sum{l=\"1\"} 3\n"),
	    GS_OK);
	assert_int_equal(gs_batch_stats(b.batch).dropped, 2);
	assert_exposition(&b, "# TYPE i histogram\ni_sum{instance=\"1\",job=\"j\",l=\"1\"} 1\n");
	bench_close(&b);
}

/* A family of which every sample was dropped is one without samples: it changes no help and conflicts with nothing. */
static void test_dropped_families_leave_nothing(void **state) {
	struct bench b;
	(void)state;
	bench_open(&b, &(struct gs_store_options){0});
	assert_pushed(&b, "# HELP s Of the push.\n# TYPE s gauge\ns{x=\"p\"} 1\n");
	assert_int_equal(scrape_at(&b, "1", b.now, "# HELP s Other.\n# TYPE s summary\ns{x=\"1\"} 1\nt 1\n"), GS_OK);
	assert_int_equal(gs_batch_stats(b.batch).dropped, 1);
	assert_int_equal(gs_batch_stats(b.batch).points, 1);
	assert_int_equal(b.result.type_conflicts, 0);
	assert_exposition(&b, "# HELP s Of the push.\n# TYPE s gauge\ns{x=\"p\"} 1\n"
			      "# TYPE t untyped\nt{instance=\"1\",job=\"j\"} 1\n");
	bench_close(&b);
}

/* A name must stand together, also where a family is a histogram here and a gaugehistogram there. */
static void test_histogram_and_gaugehistogram(void **state) {
	struct bench b;
	(void)state;
	bench_open(&b, &(struct gs_store_options){0});
	assert_int_equal(
	    scrape_at(&b, "1", b.now,
		"# TYPE h histogram\nh_bucket{x=\"2\",le=\"+Inf\"} 3\nh_sum{x=\"2\"} 4\nh_count{x=\"2\"} 3\n"),
	    GS_OK);
	assert_int_equal(
	    scrape_at(&b, "0", b.now, "# TYPE h gaugehistogram\nh_bucket{le=\"+Inf\"} 1\nh_gsum 2\nh_gcount 1\n"),
	    GS_OK);
	assert_int_equal(
	    scrape_at(&b, "2", b.now, "# TYPE h gaugehistogram\nh_bucket{le=\"+Inf\"} 5\nh_gsum 6\nh_gcount 5\n"),
	    GS_OK);
	assert_exposition(&b, "# TYPE h untyped\n"
			      "h_bucket{instance=\"0\",job=\"j\",le=\"+Inf\"} 1\n"
			      "h_bucket{instance=\"1\",job=\"j\",x=\"2\",le=\"+Inf\"} 3\n"
			      "h_bucket{instance=\"2\",job=\"j\",le=\"+Inf\"} 5\n"
			      "h_sum{instance=\"1\",job=\"j\",x=\"2\"} 4\n"
			      "h_count{instance=\"1\",job=\"j\",x=\"2\"} 3\n"
			      "h_gsum{instance=\"0\",job=\"j\"} 2\nh_gsum{instance=\"2\",job=\"j\"} 6\n"
			      "h_gcount{instance=\"0\",job=\"j\"} 1\nh_gcount{instance=\"2\",job=\"j\"} 5\n");
	bench_close(&b);
}

static void test_clearmode_in_a_scrape(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	for (int i = 0; i < 3; i++)
		assert_int_equal(scrape_at(&b, "1", T0 + i, "# TYPE a counter\na{clearmode=\"aggregate\"} 2\n"), GS_OK);
	assert_exposition(&b, "# TYPE a counter\na{instance=\"1\",job=\"j\"} 6\n");
	bench_close(&b);
}

/* Two types for one family: served as untyped, every name together. */
static void test_types_disagree(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	assert_int_equal(scrape_at(&b, "1", T0, "# TYPE a counter\na 1\n"), GS_OK);
	assert_int_equal(
	    scrape_at(&b, "2", T0, "# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n"), GS_OK);
	assert_int_equal(b.result.type_conflicts, 1);
	assert_int_equal(
	    scrape_at(&b, "3", T0, "# TYPE a histogram\na_bucket{le=\"+Inf\"} 4\na_sum 5\na_count 4\n"), GS_OK);
	assert_exposition(&b,
	    "# TYPE a untyped\na{instance=\"1\",job=\"j\"} 1\n"
	    "a_bucket{instance=\"2\",job=\"j\",le=\"+Inf\"} 2\na_bucket{instance=\"3\",job=\"j\",le=\"+Inf\"} 4\n"
	    "a_sum{instance=\"2\",job=\"j\"} 3\na_sum{instance=\"3\",job=\"j\"} 5\n"
	    "a_count{instance=\"2\",job=\"j\"} 2\na_count{instance=\"3\",job=\"j\"} 4\n");
	assert_int_equal(scrape_at(&b, "1", T0 + 1, ""), GS_OK);
	assert_int_equal(scrape_at(&b, "3", T0 + 1, ""), GS_OK);
	assert_exposition(&b, "# TYPE a histogram\na_bucket{instance=\"2\",job=\"j\",le=\"+Inf\"} 2\n"
			      "a_sum{instance=\"2\",job=\"j\"} 3\na_count{instance=\"2\",job=\"j\"} 2\n");
	assert_int_equal(scrape_at(&b, "1", T0 + 2, "# TYPE a_sum gauge\na_sum 1\nok 1\n"), GS_OK);
	assert_int_equal(b.result.dropped_conflict, 1);
	assert_int_equal(b.result.samples, 1);
	bench_close(&b);
}

/* A quantile of a summary and a series with a label of that name are written alike: whoever comes second loses it. */
static void test_quantile_is_not_doubled(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	assert_pushed(&b,
	    "# TYPE s summary\ns{quantile=\"0.5\",job=\"j\",instance=\"1\"} 1\ns_sum{job=\"j\",instance=\"1\"} 2\n");
	assert_int_equal(scrape_at(&b, "1", T0, "s{quantile=\"0.5\"} 7\ns{x=\"y\"} 8\n"), GS_OK);
	assert_int_equal(b.result.dropped_conflict, 1);
	assert_exposition(&b,
	    "# TYPE s untyped\ns{instance=\"1\",job=\"j\",quantile=\"0.5\"} 1\ns{instance=\"1\",job=\"j\",x=\"y\"} 8\n"
	    "s_sum{instance=\"1\",job=\"j\"} 2\n");
	assert_int_equal(scrape_at(&b, "2", T0, "t{quantile=\"0.5\",instance=\"\"} 7\n"), GS_OK);
	assert_int_equal(scrape_at(&b, "3", T0, "# TYPE t summary\nt{quantile=\"0.5\"} 1\nt_sum 1\n"), GS_OK);
	assert_int_equal(b.result.dropped_conflict, 2);
	bench_close(&b);
}

static void test_gaugehistogram(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	for (int i = 0; i < 2; i++)
		assert_int_equal(scrape_at(&b, i == 0 ? "1" : "2", T0,
				     "# TYPE q gaugehistogram\nq_bucket{le=\"+Inf\"} 1\nq_gsum 2\nq_gcount 1\n"),
		    GS_OK);
	assert_exposition(&b, "# TYPE q untyped\nq_bucket{instance=\"1\",job=\"j\",le=\"+Inf\"} 1\n"
			      "q_bucket{instance=\"2\",job=\"j\",le=\"+Inf\"} 1\nq_gsum{instance=\"1\",job=\"j\"} 2\n"
			      "q_gsum{instance=\"2\",job=\"j\"} 2\nq_gcount{instance=\"1\",job=\"j\"} 1\n"
			      "q_gcount{instance=\"2\",job=\"j\"} 1\n");
	bench_close(&b);
}

static void test_ownership_moves(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &aged);
	assert_pushed(&b, "a{instance=\"1\",job=\"j\"} 7\n");
	assert_int_equal(scrape_at(&b, "1", T0, "a 1\n"), GS_OK);
	assert_int_equal(b.result.owner_conflicts, 1);
	assert_exposition(&b, "# TYPE a untyped\na{instance=\"1\",job=\"j\"} 1\n");
	assert_pushed(&b, "a{instance=\"1\",job=\"j\"} 7\n"); /* taken back: a scraped value is not added to */
	assert_int_equal(b.result.owner_conflicts, 1);
	assert_int_equal(scrape_at(&b, "1", T0 + 1, ""), GS_OK);
	assert_exposition(&b, "# TYPE a untyped\na{instance=\"1\",job=\"j\"} 7\n");
	bench_close(&b);
}

static void test_own_metrics(void **state) {
	(void)state;
	struct bench b;
	struct gs_batch_options options = {.lenient = true};
	bench_open(&b, &aged);
	assert_int_equal(scrape_at(&b, "1", T0, "# TYPE up_total counter\nup_total 1\n"), GS_OK);
	for (int i = 0; i < 2; i++) {
		gs_batch_begin(b.batch, &options);
		assert_int_equal(
		    gs_batch_read(b.batch, b.parser, NULL, GS_STR("# TYPE up_total counter\nup_total 2\n"), NULL),
		    GS_OK);
		assert_int_equal(gs_store_own(b.store, b.batch, T0), GS_OK);
		gs_store_check(b.store);
	}
	assert_exposition(&b, "# TYPE up_total counter\nup_total 2\nup_total{instance=\"1\",job=\"j\"} 1\n");
	bench_close(&b);
}

static void test_out_of_memory(void **state) {
	(void)state;
	bool done = false;
	for (int n = 0; !done; n++) {
		struct bench b;
		bench_open(&b, &aged);
		assert_int_equal(scrape_at(&b, "1", T0, "a 1\nb 1\n"), GS_OK);
		char *before = exposition(&b);
		gs_mem_fail_after(n);
		enum gs_status status =
		    scrape_at(&b, "2", T0, "a 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\n");
		if (status == GS_OK)
			status = scrape_at(&b, "1", T0 + 1, "a{x=\"y\"} 2\nc 1\n");
		done = !gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_store_check(b.store);
		assert_true(status == GS_OK || status == GS_ENOMEM);
		assert_int_equal(scrape_at(&b, "2", T0 + 5, ""), GS_OK);
		if (status == GS_ENOMEM && gs_store_stats(b.store).series == 2)
			assert_exposition(&b, before);
		gs_free(before);
		bench_close(&b);
		assert_true(n < 1000);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replaces_whole_group),
	    cmocka_unit_test(test_order_and_age),
	    cmocka_unit_test(test_goes_stale_and_comes_back),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_gone_of_others),
	    cmocka_unit_test(test_gone_without_age),
	    cmocka_unit_test(test_gone_out_of_memory),
	    cmocka_unit_test(test_empty_label_takes_the_target_s),
	    cmocka_unit_test(test_labels_are_exported),
	    cmocka_unit_test(test_lenient),
	    cmocka_unit_test(test_dropped_samples_leave_nothing),
	    cmocka_unit_test(test_dropped_families_leave_nothing),
	    cmocka_unit_test(test_histogram_and_gaugehistogram),
	    cmocka_unit_test(test_clearmode_in_a_scrape),
	    cmocka_unit_test(test_types_disagree),
	    cmocka_unit_test(test_quantile_is_not_doubled),
	    cmocka_unit_test(test_gaugehistogram),
	    cmocka_unit_test(test_ownership_moves),
	    cmocka_unit_test(test_own_metrics),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
