/* SPDX-License-Identifier: Apache-2.0 */
/* Times to live, and the lists of series. */
#include "gravel_test.h"

static enum gs_status push_for(struct bench *b, int64_t ttl_ms, const char *body) {
	struct gs_batch_options options = {.ttl_ms = ttl_ms};
	b->err = (struct gs_error){0};
	gs_batch_begin(b->batch, &options);
	assert_int_equal(gs_batch_read(b->batch, b->parser, NULL, gs_str_of(body), &b->err), GS_OK);
	enum gs_status status = gs_store_push(b->store, b->batch, b->now, &b->result, &b->err);
	gs_store_check(b->store);
	return status;
}

static size_t expire(struct bench *b, int64_t after) {
	size_t stale, expired;
	b->now += after;
	/* What is due is known before. */
	bool due = gs_store_expires_ms(b->store) <= b->now;
	gs_store_expire(b->store, b->now, &stale, &expired);
	assert_int_equal(due, expired != 0);
	assert_true(gs_store_expires_ms(b->store) > b->now);
	gs_store_check(b->store);
	return expired;
}

static void test_each_its_own(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){.expiration_ms = 50000});
	assert_int_equal(push_for(&b, 10000, "a 1\nb 1\n"), GS_OK);
	assert_int_equal(push_for(&b, 20000, "c 1\n"), GS_OK);
	assert_int_equal(push_for(&b, 0, "d 1\n"), GS_OK);
	assert_int_equal(expire(&b, 10000), 0);
	assert_int_equal(push_for(&b, 10000, "b 1\n"), GS_OK);
	assert_int_equal(expire(&b, 1), 1);
	assert_exposition(&b, "# TYPE b untyped\nb 2\n# TYPE c untyped\nc 1\n# TYPE d untyped\nd 1\n");
	assert_int_equal(expire(&b, 10000), 2);
	assert_exposition(&b, "# TYPE d untyped\nd 1\n");
	assert_int_equal(expire(&b, 29999), 0);
	assert_int_equal(expire(&b, 1), 1);
	assert_exposition(&b, "");
	bench_close(&b);
}

/* The last push says how long, and adds to what an earlier one with another time put there. */
static void test_the_last_push_says(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	assert_int_equal(push_for(&b, 10000, "a 1\n"), GS_OK);
	assert_int_equal(push_for(&b, 60000, "a 1\n"), GS_OK);
	assert_int_equal(b.result.owner_conflicts, 0);
	assert_int_equal(expire(&b, 20000), 0);
	assert_exposition(&b, "# TYPE a untyped\na 2\n");
	assert_int_equal(push_for(&b, 5000, "a 1\n"), GS_OK);
	assert_int_equal(expire(&b, 5001), 1);
	assert_int_equal(push_for(&b, 0, "a 1\n"), GS_OK);
	assert_int_equal(expire(&b, INT64_C(400) * 86400 * 1000), 0);
	bench_close(&b);
}

static void test_too_many(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &(struct gs_store_options){0});
	for (int64_t i = 1; i <= GS_LIMIT_TTLS; i++) {
		char body[32];
		snprintf(body, sizeof(body), "a{x=\"%d\"} 1\n", (int)i);
		struct gs_batch_options options = {.ttl_ms = i * 1000};
		gs_batch_begin(b.batch, &options);
		assert_int_equal(gs_batch_read(b.batch, b.parser, NULL, gs_str_of(body), NULL), GS_OK);
		assert_int_equal(gs_store_push(b.store, b.batch, b.now, &b.result, NULL), GS_OK);
	}
	assert_int_equal(push_for(&b, 1, "a 1\n"), GS_ELIMIT);
	assert_string_equal(b.err.text, "more than 1024 different times to live: use one that is in use already");
	assert_int_equal(push_for(&b, 5000, "a 1\n"), GS_OK);
	/* One whose series are gone makes room. */
	assert_int_equal(expire(&b, 1001), 1);
	assert_int_equal(push_for(&b, 1, "a 1\n"), GS_OK);
	bench_close(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_its_own),
	    cmocka_unit_test(test_the_last_push_says),
	    cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
