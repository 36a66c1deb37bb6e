/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of the Pushgateway's dialect. */
#include "gravel_test.h"

static const struct gs_store_options plain = {0};

static enum gs_status gateway(struct bench *b, enum gs_gateway_op op, const char *key, const char *body) {
	struct gs_label labels[8];
	struct gs_batch_options options = {.labels = labels, .nlabels = labels_of(key, labels), .gateway = true};
	b->err = (struct gs_error){0};
	enum gs_status status = GS_OK;
	if (body != NULL) {
		gs_batch_begin(b->batch, &options);
		status = gs_batch_read(b->batch, b->parser, NULL, gs_str_of(body), &b->err);
	}
	if (status == GS_OK)
		status = gs_store_gateway(
		    b->store, op, labels, options.nlabels, body != NULL ? b->batch : NULL, b->now, &b->result, &b->err);
	gs_store_check(b->store);
	return status;
}

/* The exposition without the families of times. */
static void assert_metrics(struct bench *b, const char *expected) {
	char *text = exposition(b);
	char *times = strstr(text, "# HELP push_");
	if (times != NULL)
		*times = '\0';
	assert_string_equal(text, expected);
	gs_free(text);
}

static void test_put_and_post(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(
	    gateway(&b, GS_GATEWAY_PUT, "job=j", "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\nb 3\n"), GS_OK);
	assert_metrics(&b,
	    "# TYPE a gauge\na{instance=\"\",job=\"j\",x=\"1\"} 1\na{instance=\"\",job=\"j\",x=\"2\"} 2\n"
	    "# TYPE b untyped\nb{instance=\"\",job=\"j\"} 3\n");
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=j", "# TYPE a gauge\na{x=\"1\"} 5\nc 1\n"), GS_OK);
	assert_int_equal(b.result.series_gone, 1);
	assert_metrics(&b,
	    "# TYPE a gauge\na{instance=\"\",job=\"j\",x=\"1\"} 5\n# TYPE b untyped\nb{instance=\"\",job=\"j\"} 3\n"
	    "# TYPE c untyped\nc{instance=\"\",job=\"j\"} 1\n");
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "c 2\n"), GS_OK);
	assert_metrics(&b, "# TYPE c untyped\nc{instance=\"\",job=\"j\"} 2\n");
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", ""), GS_OK);
	assert_metrics(&b, "");
	bench_close(&b);
}

static void test_times(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	b.now = 1700000000250;
	assert_int_equal(gateway(&b, GS_GATEWAY_FAILED, "job=j,x=1", NULL), GS_OK);
	assert_exposition(&b,
	    "# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.\n"
	    "# TYPE push_failure_time_seconds gauge\n"
	    "push_failure_time_seconds{instance=\"\",job=\"j\",x=\"1\"} 1.70000000025e+09\n"
	    "# HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.\n"
	    "# TYPE push_time_seconds gauge\n"
	    "push_time_seconds{instance=\"\",job=\"j\",x=\"1\"} 0\n");
	b.now += 1000;
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "x=1,job=j", ""), GS_OK);
	char *text = exposition(&b);
	assert_non_null(
	    strstr(text, "\npush_failure_time_seconds{instance=\"\",job=\"j\",x=\"1\"} 1.70000000025e+09\n"));
	assert_non_null(strstr(text, "\npush_time_seconds{instance=\"\",job=\"j\",x=\"1\"} 1.70000000125e+09\n"));
	gs_free(text);
	assert_int_equal(gateway(&b, GS_GATEWAY_DELETE, "job=j", NULL), GS_OK);
	assert_int_equal(gs_store_stats(b.store).series, 2);
	assert_int_equal(gateway(&b, GS_GATEWAY_DELETE, "job=j,x=1", NULL), GS_OK);
	assert_exposition(&b, "");
	bench_close(&b);
}

static void test_groups_apart(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "# TYPE a gauge\na{x=\"1\"} 1\n"), GS_OK);
	/* The same series in another group, and the same family with another type. */
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j,x=1", "# TYPE a gauge\na 1\n"), GS_ECONFLICT);
	assert_string_equal(b.err.text, "a series of \"a\" with the same labels is in another group");
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=k", "# TYPE a counter\na 1\n"), GS_ECONFLICT);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=k", "a 1\n"), GS_ECONFLICT);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=k", "# TYPE a gauge\na 1\n"), GS_OK);
	assert_metrics(&b, "# TYPE a gauge\na{instance=\"\",job=\"j\",x=\"1\"} 1\na{instance=\"\",job=\"k\"} 1\n");
	/* A pushed series is another source's too; deleting pushed ones touches no group. */
	assert_pushed(&b, "b{instance=\"i\",job=\"j\"} 1\n");
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j,instance=i", "b 1\n"), GS_ECONFLICT);
	assert_int_equal(gs_store_delete(b.store, NULL, 0, &b.result), GS_OK);
	assert_int_equal(b.result.series_gone, 1);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j,instance=i", "b 1\n"), GS_OK);
	/* And nobody takes a series of a group over, nor its times. */
	assert_int_equal(push(&b, "c 1\nb{instance=\"i\",job=\"j\"} 2\n"), GS_ECONFLICT);
	assert_int_equal(b.err.line, 2);
	assert_string_equal(b.err.text, "a series of \"b\" with the same labels is in another group");
	assert_int_equal(
	    push(&b, "# TYPE push_time_seconds gauge\npush_time_seconds{instance=\"i\",job=\"j\"} 2\n"), GS_ECONFLICT);
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=j,instance=i", "b 3\n"), GS_OK);
	bench_close(&b);
}

/* What a target exposes as a group has it is dropped, and the rest of its scrape is not. */
static void test_scrapes_leave_groups_alone(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j,instance=i", "a 1\n"), GS_OK);
	struct gs_batch_options options = {.rule = GS_LABELS_HONOR, .lenient = true};
	struct gs_scrape_info info = {
	    .key = {GS_STR("p"), GS_STR("j"), GS_STR("i")}, .time_ms = b.now, .interval_ms = 1000};
	gs_batch_begin(b.batch, &options);
	assert_int_equal(
	    gs_batch_read(b.batch, b.parser, NULL, GS_STR("a{instance=\"i\",job=\"j\"} 2\nc 1\n"), NULL), GS_OK);
	assert_int_equal(gs_store_scrape(b.store, &info, b.batch, b.now, &b.result), GS_OK);
	gs_store_check(b.store);
	assert_int_equal(b.result.dropped_conflict, 1);
	assert_int_equal(b.result.samples, 1);
	assert_int_equal(b.result.owner_conflicts, 0);
	assert_metrics(&b, "# TYPE a untyped\na{instance=\"i\",job=\"j\"} 1\n# TYPE c untyped\nc 1\n");
	bench_close(&b);
}

/* Alerts compare the two times. */
static void test_the_last_of_two_is_the_later_one(void **state) {
	(void)state;
	struct bench b;
	struct gs_gateway_view view;
	size_t cursor = 0;
	bench_open(&b, &plain);
	b.now = 1700000000000;
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "a 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_FAILED, "job=j", NULL), GS_OK);
	assert_true(gs_store_gateway_next(b.store, &cursor, &view));
	assert_int_equal(view.push_ms, b.now);
	assert_int_equal(view.failure_ms, b.now + 1);
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=j", "a 1\n"), GS_OK);
	cursor = 0;
	assert_true(gs_store_gateway_next(b.store, &cursor, &view));
	assert_int_equal(view.push_ms, b.now + 2);
	b.now -= 60000; /* a clock that was set back says so */
	assert_int_equal(gateway(&b, GS_GATEWAY_FAILED, "job=j", NULL), GS_OK);
	cursor = 0;
	assert_true(gs_store_gateway_next(b.store, &cursor, &view));
	assert_int_equal(view.failure_ms, b.now);
	bench_close(&b);
}

static void test_list_and_render(void **state) {
	(void)state;
	struct bench b;
	struct gs_gateway_view view;
	struct gs_buf out;
	size_t cursor = 0;
	gs_buf_init(&out, 65536);
	bench_open(&b, &plain);
	assert_false(gs_store_gateway_next(b.store, &cursor, &view));
	b.now = 1000;
	assert_int_equal(
	    gateway(&b, GS_GATEWAY_PUT, "zone=z,job=j,none=",
		"# HELP b Help.\nb{none=\"x\"} 1\n# TYPE a summary\na{quantile=\"1.0\"} 5\na_sum 1\na_count 2\n"),
	    GS_OK);
	b.now = 2000;
	assert_int_equal(
	    gateway(&b, GS_GATEWAY_POST, "zone=z,job=j", "b{l=\"2\"} 2\nb{l=\"1\"} 1\n\"ü\" 3\n"), GS_EINVAL);
	assert_int_equal(
	    gateway(&b, GS_GATEWAY_POST, "zone=z,job=j", "b{l=\"2\"} 2\nb{l=\"1\"} 1\n{\"ü\"} 3\n"), GS_OK);
	cursor = 0;
	assert_true(gs_store_gateway_next(b.store, &cursor, &view));
	assert_true(gs_str_eq(view.key, GS_STR("job=\"j\",zone=\"z\"")));
	assert_int_equal(view.push_ms, 2000);
	assert_int_equal(view.failure_ms, 0);
	assert_int_equal(view.series, 6);
	assert_int_equal(gs_store_stats(b.store).groups_gateway, 1);
	assert_int_equal(gs_store_gateway_render(b.store, view.key, &out), GS_OK);
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p,
	    "# TYPE a summary\n"
	    "a{instance=\"\",job=\"j\",zone=\"z\",quantile=\"1\"} 5 1000\n"
	    "a_sum{instance=\"\",job=\"j\",zone=\"z\"} 1 1000\n"
	    "a_count{instance=\"\",job=\"j\",zone=\"z\"} 2 1000\n"
	    "# HELP b Help.\n"
	    "# TYPE b untyped\n"
	    "b{instance=\"\",job=\"j\",l=\"1\",zone=\"z\"} 1 2000\n"
	    "b{instance=\"\",job=\"j\",l=\"2\",zone=\"z\"} 2 2000\n"
	    "# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.\n"
	    "# TYPE push_failure_time_seconds gauge\n"
	    "push_failure_time_seconds{instance=\"\",job=\"j\",zone=\"z\"} 0 2000\n"
	    "# HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.\n"
	    "# TYPE push_time_seconds gauge\n"
	    "push_time_seconds{instance=\"\",job=\"j\",zone=\"z\"} 2 2000\n"
	    "# TYPE \"ü\" untyped\n"
	    "{\"ü\",instance=\"\",job=\"j\",zone=\"z\"} 3 2000\n");
	gs_buf_clear(&out);
	assert_int_equal(gs_store_gateway_render(b.store, GS_STR("job=\"k\""), &out), GS_ENOTFOUND);
	gs_mem_fail_after(0);
	enum gs_status status = gs_store_gateway_render(b.store, view.key, &out);
	gs_mem_fail_after(-1);
	assert_int_equal(status, GS_ENOMEM);
	gs_buf_free(&out);
	assert_false(gs_store_gateway_next(b.store, &cursor, &view));
	bench_close(&b);
}

/* What all leaves with a PUT stands in nobody's way. */
static void test_a_group_may_change_its_types(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "# TYPE a gauge\na 1\na_count 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=j", "# TYPE a summary\na_sum 1\na_count 2\n"), GS_ECONFLICT);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "# TYPE a summary\na_sum 1\na_count 2\n"), GS_OK);
	assert_metrics(&b, "# TYPE a summary\na_sum{instance=\"\",job=\"j\"} 1\na_count{instance=\"\",job=\"j\"} 2\n");
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=j", "# TYPE a counter\na 5\n"), GS_OK);
	assert_metrics(&b, "# TYPE a counter\na{instance=\"\",job=\"j\"} 5\n");
	bench_close(&b);
}

static void test_its_own_dialect(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "a{clearmode=\"sum5m\",instance=\"own\"} 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_POST, "job=j", "a{clearmode=\"sum5m\",instance=\"own\"} 1\n"), GS_OK);
	assert_metrics(&b, "# TYPE a untyped\na{instance=\"own\",job=\"j\",clearmode=\"sum5m\"} 1\n");
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "b 1\na 1 1000\n"), GS_EINVAL);
	assert_int_equal(b.err.line, 2);
	assert_string_equal(b.err.text, "\"a\" has a timestamp: pushed metrics must not");
	bench_close(&b);
}

static void test_limit(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.max_groups = 1});
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "a 1\n"), GS_OK);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=k", "a 1\n"), GS_ELIMIT);
	assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "a 2\n"), GS_OK);
	bench_close(&b);
}

/* Whatever runs out: the metrics are those of before, or those of after. */
static void test_no_memory(void **state) {
	(void)state;
	for (int64_t n = 0, done = 0; done == 0; n++) {
		struct bench b;
		struct gs_label labels[8];
		bench_open(&b, &plain);
		assert_int_equal(gateway(&b, GS_GATEWAY_PUT, "job=j", "a 1\n"), GS_OK);
		struct gs_batch_options options = {
		    .labels = labels, .nlabels = labels_of("job=k", labels), .gateway = true};
		gs_batch_begin(b.batch, &options);
		assert_int_equal(gs_batch_read(b.batch, b.parser, NULL,
				     GS_STR("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"), NULL),
		    GS_OK);
		gs_mem_fail_after(n);
		enum gs_status status =
		    gs_store_gateway(b.store, GS_GATEWAY_PUT, labels, options.nlabels, b.batch, b.now, &b.result, NULL);
		done = !gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_store_check(b.store);
		assert_int_equal(status, done ? GS_OK : GS_ENOMEM);
		struct gs_family_view view;
		assert_int_equal(gs_store_family(b.store, GS_STR("h"), &view), done);
		assert_true(gs_store_family(b.store, GS_STR("a"), &view));
		bench_close(&b);
		assert_true(n < 1000);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_put_and_post),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_groups_apart),
	    cmocka_unit_test(test_a_group_may_change_its_types),
	    cmocka_unit_test(test_its_own_dialect),
	    cmocka_unit_test(test_scrapes_leave_groups_alone),
	    cmocka_unit_test(test_the_last_of_two_is_the_later_one),
	    cmocka_unit_test(test_list_and_render),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
