/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen without a server; test_relay.c has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "outgoing.h"

static const char *const urls[] = {"nats://127.0.0.1:1"}; /* nobody listens there */
static const struct gs_bus_options bus = {
    .urls = urls,
    .nurls = 1,
    .name = "test",
    .stream = {.name = "S", .subjects = "t.scrape.>", .replicas = 1, .max_msgs_per_subject = 1},
};
static const struct gs_wire_group group = {
    .publisher = GS_STR_INIT("p"), .job = GS_STR_INIT("j"), .instance = GS_STR_INIT("i")};

static struct gs_outgoing_scrape scrape(const struct gs_outgoing_part *parts, size_t n) {
	return (struct gs_outgoing_scrape){
	    .topic = GS_STR("t"),
	    .group = &group,
	    .key = GS_STR("key"),
	    .header = {.kind = GS_WIRE_SCRAPE, .up = true, .time_ms = 1, .sent_ms = 1},
	    .parts = parts,
	    .nparts = n,
	};
}

static void test_waits_for_a_connection(void **state) {
	(void)state;
	struct gs_outgoing *outgoing = NULL;
	struct gs_outgoing_part parts[3] = {{GS_STR("abc"), 10}, {GS_STR("defg"), 20}, {GS_STR(""), 0}};
	gs_telemetry_reset();
	assert_int_equal(gs_outgoing_open(&bus, 100000, &outgoing, NULL), GS_OK);
	assert_false(gs_outgoing_connected(outgoing));
	/* Beside the part a message of 1 MiB has room for the longest subject and header. */
	assert_in_range(gs_outgoing_part_size(outgoing), 1000000, (1 << 20) - GS_LIMIT_SUBJECT - GS_LIMIT_HEADER);
	struct gs_outgoing_scrape s = scrape(parts, 3);
	assert_int_equal(gs_outgoing_put(outgoing, &s), GS_OK);
	assert_true(gs_metric_get(GS_M_PUBLISH_PENDING, NULL, NULL) == 3);
	s = scrape(NULL, 0);
	s.header.kind = GS_WIRE_GONE;
	assert_int_equal(gs_outgoing_put(outgoing, &s), GS_OK);
	assert_true(gs_metric_get(GS_M_PUBLISH_PENDING, NULL, NULL) == 1);
	assert_true(gs_metric_get(GS_M_PUBLISH_REPLACED, NULL, NULL) == 1);
	gs_outgoing_close(outgoing, 100);
	gs_outgoing_close(NULL, 100);
}

static void test_what_is_too_large(void **state) {
	(void)state;
	struct gs_outgoing *outgoing = NULL;
	static struct gs_outgoing_part parts[GS_LIMIT_PARTS + 1];
	static char large[5000], name[GS_LIMIT_SUBJECT];
	memset(large, 'x', sizeof(large));
	memset(name, 'x', sizeof(name));
	assert_int_equal(gs_outgoing_open(&bus, 4000, &outgoing, NULL), GS_OK);
	struct gs_outgoing_scrape s = scrape(parts, GS_LIMIT_PARTS + 1);
	assert_int_equal(gs_outgoing_put(outgoing, &s), GS_ELIMIT);
	parts[0].data = gs_str_make(large, sizeof(large));
	s = scrape(parts, 1);
	assert_int_equal(gs_outgoing_put(outgoing, &s), GS_ELIMIT);
	struct gs_wire_group long_name = group;
	long_name.job = gs_str_make(name, sizeof(name));
	s = scrape(NULL, 0);
	s.group = &long_name;
	assert_int_equal(gs_outgoing_put(outgoing, &s), GS_ELIMIT);
	s = scrape(NULL, 0);
	assert_int_equal(gs_outgoing_put(outgoing, &s), GS_OK);
	gs_outgoing_close(outgoing, 100);
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_outgoing_part parts[2] = {{GS_STR("abc"), 10}, {GS_STR("defg"), 20}};
	struct gs_outgoing *outgoing = NULL;
	for (int n = 0, again = 0, done = 0; !done; n++) {
		struct gs_outgoing_scrape s = scrape(parts, 2);
		assert_int_equal(gs_outgoing_open(&bus, 100000, &outgoing, NULL), GS_OK);
		gs_mem_fail_after(n);
		enum gs_status status = gs_outgoing_put(outgoing, &s);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_outgoing_close(outgoing, 100);
		assert_true(status == GS_OK || (failed && status == GS_ENOMEM));
		done = status == GS_OK && n > 5;
		if (status == GS_OK && !done) { /* the failure met the thread that connects */
			assert_true(failed && ++again < 1000);
			n--;
		}
	}
	for (int n = 0; n < 3; n++) {
		gs_mem_fail_after(n);
		struct gs_error err = {0};
		assert_int_equal(gs_outgoing_open(&bus, 100000, &outgoing, &err), GS_ENOMEM);
		gs_mem_fail_after(-1);
		assert_string_not_equal(err.text, "");
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_waits_for_a_connection),
	    cmocka_unit_test(test_what_is_too_large),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
