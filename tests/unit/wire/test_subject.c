/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/wire/wire.h"

#include "wire/examples.h"

#define TOPIC GS_STR("prometheus.metrics")

static void assert_str(struct gs_str got, struct gs_str want) {
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.n != 0 ? got.p : "", want.n != 0 ? want.p : "", got.n);
}

static enum gs_status parse(const char *subject) {
	struct gs_buf scratch;
	struct gs_wire_group group;
	uint32_t slot;
	gs_buf_init(&scratch, GS_LIMIT_SUBJECT + 1);
	enum gs_status status = gs_wire_parse_subject(gs_str_of(subject), TOPIC, &scratch, &group, &slot);
	gs_buf_free(&scratch);
	return status;
}

static void round_trip(struct gs_str topic, struct gs_wire_group group, uint32_t slot) {
	struct gs_buf out, scratch;
	struct gs_wire_group back;
	uint32_t back_slot;
	gs_buf_init(&out, GS_LIMIT_SUBJECT);
	gs_buf_init(&scratch, GS_LIMIT_SUBJECT + 1);
	gs_wire_subject(&out, topic, &group, slot);
	assert_int_equal(out.status, GS_OK);
	assert_int_equal(gs_wire_parse_subject(gs_buf_slice(&out), topic, &scratch, &back, &back_slot), GS_OK);
	assert_str(back.publisher, group.publisher);
	assert_str(back.job, group.job);
	assert_str(back.instance, group.instance);
	assert_int_equal(back_slot, slot);
	gs_buf_free(&out);
	gs_buf_free(&scratch);
}

static void check_subject_example(struct gs_str line) {
	struct gs_str cell[6];
	uint64_t slot;
	struct gs_buf out;
	example_cells(line, cell, 6);
	assert_int_equal(gs_num_parse_u64(cell[4], &slot), GS_OK);
	struct gs_wire_group group = {.publisher = cell[1], .job = cell[2], .instance = cell[3]};
	gs_buf_init(&out, GS_LIMIT_SUBJECT);
	gs_wire_subject(&out, cell[0], &group, (uint32_t)slot);
	assert_str(gs_buf_slice(&out), cell[5]);
	round_trip(cell[0], group, (uint32_t)slot);
	gs_buf_free(&out);
}

static void test_examples_of_the_protocol(void **state) {
	(void)state;
	assert_true(for_each_example("subject", check_subject_example) >= 4);
}

static void test_round_trips(void **state) {
	(void)state;
	struct gs_wire_group group = {GS_STR("dc1"), GS_STR("node"), GS_STR("[::1]:9100")};
	round_trip(TOPIC, group, 0);
	round_trip(TOPIC, group, UINT32_MAX);
	round_trip(GS_STR("t"), (struct gs_wire_group){GS_STR(""), GS_STR(""), GS_STR("")}, 7);
	round_trip(GS_STR("t"), (struct gs_wire_group){GS_STR("a.b"), GS_STR("*"), GS_STR(">")}, 7);
	round_trip(GS_STR("t"), (struct gs_wire_group){GS_STR("\0\r\n"), GS_STR("\xff"), GS_STR("scrape")}, 7);
}

static void test_strangers_are_refused(void **state) {
	(void)state;
	static const char *const bad[] = {
	    "",
	    "prometheus.metrics",
	    "prometheus.metrics.scrape.",
	    "prometheus.metrics.scrape.p.j.i",
	    "prometheus.metrics.scrape.p.j.i.",
	    "prometheus.metrics.scrape.p.j.i.x",
	    "prometheus.metrics.scrape.p.j.i.-1",
	    "prometheus.metrics.scrape.p.j.i.+1",
	    "prometheus.metrics.scrape.p.j.i.01",
	    "prometheus.metrics.scrape.p.j.i.4294967296",
	    "prometheus.metrics.scrape.p.j.i.99999999999999999999999",
	    "prometheus.metrics.scrape.p.j.i.0.0",
	    "prometheus.metrics.scrape.p..i.0",
	    "prometheus.metrics.scrape.p.=4.i.0",
	    "prometheus.metrics.scrape.p.=2e.i.0",
	    "prometheus.metrics.scrape.p.=41.i.0",
	    "prometheus.metrics.scrape.p.a b.i.0",
	    "prometheus.metrics.push.p.j.i.0",
	    "prometheus.metricsscrape.p.j.i.0",
	    "prometheus.metric.scrape.p.j.i.0",
	    "prometheus.metrics.x.scrape.p.j.i.0",
	    "PROMETHEUS.metrics.scrape.p.j.i.0",
	};
	assert_int_equal(parse("prometheus.metrics.scrape.p.j.i.0"), GS_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i]) != GS_EINVAL)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void test_length_is_bounded(void **state) {
	(void)state;
	char subject[GS_LIMIT_SUBJECT + 2] = "prometheus.metrics.scrape.p.j.";
	size_t front = strlen(subject);
	memset(subject + front, 'a', sizeof(subject) - front);
	memcpy(subject + GS_LIMIT_SUBJECT - 2, ".0", 3);
	assert_int_equal(parse(subject), GS_OK);
	memcpy(subject + GS_LIMIT_SUBJECT - 2, "a.0", 4);
	assert_int_equal(parse(subject), GS_EINVAL);
}

static void test_failing_allocation_and_small_scratch(void **state) {
	(void)state;
	struct gs_str subject = GS_STR("prometheus.metrics.scrape.p.j.i.0");
	struct gs_wire_group group;
	struct gs_buf scratch;
	uint32_t slot;
	gs_buf_init(&scratch, 1024);
	gs_mem_fail_after(0);
	assert_int_equal(gs_wire_parse_subject(subject, TOPIC, &scratch, &group, &slot), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_int_equal(gs_wire_parse_subject(subject, TOPIC, &scratch, &group, &slot), GS_OK);
	gs_buf_free(&scratch);
	gs_buf_init(&scratch, 4);
	assert_int_equal(gs_wire_parse_subject(subject, TOPIC, &scratch, &group, &slot), GS_ELIMIT);
	gs_buf_free(&scratch);
}

static void message_id(struct gs_buf *out, struct gs_wire_group group, int64_t time_ms, uint32_t slot) {
	gs_buf_clear(out);
	gs_wire_message_id(out, &group, time_ms, slot);
	assert_int_equal(out->status, GS_OK);
	assert_true(out->n <= 48);
}

static void check_id_example(struct gs_str line) {
	struct gs_str cell[6];
	uint64_t time_ms, slot;
	struct gs_buf out;
	example_cells(line, cell, 6);
	assert_int_equal(gs_num_parse_u64(cell[3], &time_ms), GS_OK);
	assert_int_equal(gs_num_parse_u64(cell[4], &slot), GS_OK);
	gs_buf_init(&out, 64);
	message_id(&out, (struct gs_wire_group){cell[0], cell[1], cell[2]}, (int64_t)time_ms, (uint32_t)slot);
	assert_str(gs_buf_slice(&out), cell[5]);
	gs_buf_free(&out);
}

static void test_message_id_examples(void **state) {
	(void)state;
	assert_true(for_each_example("message-id", check_id_example) >= 2);
}

static void check_gone_example(struct gs_str line) {
	struct gs_str cell[5];
	struct gs_buf out;
	int64_t time_ms = 0;
	example_cells(line, cell, 5);
	gs_buf_init(&out, 64);
	assert_int_equal(gs_num_parse_i64(cell[3], &time_ms), GS_OK);
	gs_wire_gone_id(&out, &(struct gs_wire_group){cell[0], cell[1], cell[2]}, time_ms);
	assert_true(gs_str_eq(gs_buf_slice(&out), cell[4]));
	gs_buf_free(&out);
}

static void test_gone_id_examples(void **state) {
	(void)state;
	assert_true(for_each_example("message-id-gone", check_gone_example) >= 1);
}

/* Neighbours that must not share an id. */
static void test_message_ids_differ(void **state) {
	(void)state;
	struct gs_buf first, other;
	gs_buf_init(&first, 64);
	gs_buf_init(&other, 64);
	message_id(&first, (struct gs_wire_group){GS_STR("p"), GS_STR("ab"), GS_STR("c")}, 1000, 1);
	const struct {
		struct gs_wire_group group;
		int64_t time_ms;
		uint32_t slot;
	} others[] = {
	    {{GS_STR("p"), GS_STR("a"), GS_STR("bc")}, 1000, 1},
	    {{GS_STR("pa"), GS_STR("b"), GS_STR("c")}, 1000, 1},
	    {{GS_STR("p"), GS_STR("c"), GS_STR("ab")}, 1000, 1},
	    {{GS_STR("p"), GS_STR("ab"), GS_STR("c")}, 1001, 1},
	    {{GS_STR("p"), GS_STR("ab"), GS_STR("c")}, 1000, 2},
	    {{GS_STR("p"), GS_STR("ab"), GS_STR("c")}, 100, 1},
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		message_id(&other, others[i].group, others[i].time_ms, others[i].slot);
		assert_false(gs_str_eq(gs_buf_slice(&first), gs_buf_slice(&other)));
	}
	message_id(&other, (struct gs_wire_group){GS_STR("p"), GS_STR("ab"), GS_STR("c")}, 1000, 1);
	assert_str(gs_buf_slice(&other), gs_buf_slice(&first));
	message_id(&other, (struct gs_wire_group){GS_STR("p"), GS_STR("ab"), GS_STR("c")}, INT64_MAX, UINT32_MAX);
	gs_buf_free(&first);
	gs_buf_free(&other);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_examples_of_the_protocol),
	    cmocka_unit_test(test_round_trips),
	    cmocka_unit_test(test_strangers_are_refused),
	    cmocka_unit_test(test_length_is_bounded),
	    cmocka_unit_test(test_failing_allocation_and_small_scratch),
	    cmocka_unit_test(test_message_id_examples),
	    cmocka_unit_test(test_gone_id_examples),
	    cmocka_unit_test(test_message_ids_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
