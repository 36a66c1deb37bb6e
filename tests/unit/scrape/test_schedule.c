/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/mem.h"
#include "schedule.h"

static struct gs_scrape_target target(const char *job, const char *instance, const char *url, int64_t interval_ms) {
	return (struct gs_scrape_target){.job = job, .instance = instance, .url = url, .interval_ms = interval_ms};
}

static int64_t offset(const char *identity, const char *job, const char *instance, const char *url) {
	struct gs_scrape_target t = target(job, instance, url, 15000);
	return gs_schedule_offset(identity, &t);
}

/* Known answers: a release that changes them moves every target of every user. */
static void test_offset_is_the_same_for_ever(void **state) {
	(void)state;
	assert_int_equal(offset("dc1", "node", "a:9100", "http://a:9100/metrics"), 7019);
	assert_int_equal(offset("", "", "", ""), 2133);
}

static void test_offset_depends_on_every_part(void **state) {
	(void)state;
	int64_t base = offset("dc1", "node", "a:9100", "http://a/");
	assert_int_not_equal(base, offset("dc2", "node", "a:9100", "http://a/"));
	assert_int_not_equal(base, offset("dc1", "nodes", "a:9100", "http://a/"));
	assert_int_not_equal(base, offset("dc1", "node", "b:9100", "http://a/"));
	assert_int_not_equal(base, offset("dc1", "node", "a:9100", "http://b/"));
	assert_int_not_equal(offset("dc", "1node", "", ""), offset("dc1", "node", "", ""));
}

static void test_offsets_are_spread_evenly(void **state) {
	(void)state;
	unsigned tenths[10] = {0};
	char instance[32];
	for (int i = 0; i < 10000; i++) {
		snprintf(instance, sizeof(instance), "10.0.%d.%d:9100", i / 256, i % 256);
		int64_t o = offset("dc1", "node", instance, "http://x/metrics");
		assert_in_range(o, 0, 14999);
		tenths[o / 1500]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(tenths[i], 900, 1100);
}

static void test_slot(void **state) {
	(void)state;
	assert_int_equal(gs_schedule_slot(0, 1000, 0), 1000);
	assert_int_equal(gs_schedule_slot(0, 1000, 1), 1);
	assert_int_equal(gs_schedule_slot(999, 1000, 0), 1000);
	assert_int_equal(gs_schedule_slot(1000, 1000, 0), 2000);
	assert_int_equal(gs_schedule_slot(1250, 1000, 250), 2250);
	assert_int_equal(gs_schedule_slot(1249, 1000, 250), 1250);
	assert_int_equal(gs_schedule_slot(-1, 1000, 250), 250);
	assert_int_equal(gs_schedule_slot(-1001, 1000, 250), -750);
	assert_int_equal(gs_schedule_slot(5, 1, 0), 6);
}

static void test_slot_is_always_ahead_by_at_most_an_interval(void **state) {
	(void)state;
	for (int64_t wall = -50; wall < 50; wall++) {
		for (int64_t off = 0; off < 7; off++) {
			int64_t slot = gs_schedule_slot(wall, 7, off);
			assert_true(slot > wall && slot <= wall + 7);
			assert_int_equal(((slot - off) % 7 + 7) % 7, 0);
		}
	}
}

static void test_empty_schedule_has_no_first(void **state) {
	(void)state;
	int64_t at = 0;
	struct gs_schedule *schedule = gs_schedule_new();
	assert_null(gs_schedule_first(schedule, &at));
	assert_int_equal(at, INT64_MAX);
	gs_schedule_free(schedule);
	gs_schedule_free(NULL);
}

struct periodic {
	struct gs_schedule_item item; /* first */
	int64_t period;
	int64_t seen;
};

/* Items move by their own period, as targets do: each must come in order and as often as it should. */
static void test_items_come_in_order(void **state) {
	(void)state;
	struct periodic items[100] = {{{0}, 0, 0}};
	struct gs_schedule *schedule = gs_schedule_new();
	int64_t at, last = 0;
	srand(1);
	for (int i = 0; i < 100; i++) {
		items[i].period = 1 + rand() % 50;
		assert_int_equal(gs_schedule_add(schedule, items[i].period, &items[i].item), GS_OK);
		gs_schedule_check(schedule);
	}
	for (;;) {
		struct periodic *first = (struct periodic *)(void *)gs_schedule_first(schedule, &at);
		if (at > 1000)
			break;
		assert_true(at >= last);
		last = at;
		assert_int_equal(at, ++first->seen * first->period);
		gs_schedule_move_first(schedule, at + first->period);
		gs_schedule_check(schedule);
	}
	for (int i = 0; i < 100; i++)
		assert_int_equal(items[i].seen, 1000 / items[i].period);
	gs_schedule_free(schedule);
}

/* Items come and go by lot; those that are in it come in the order of their times, those that are not never. */
static void test_any_item_can_be_removed(void **state) {
	(void)state;
	struct periodic items[200] = {{{0}, 0, 0}};
	struct gs_schedule *schedule = gs_schedule_new();
	int64_t at, last = 0;
	int in = 0;
	srand(2);
	for (int i = 0; i < 20000; i++) {
		struct periodic *one = &items[rand() % 200];
		if (one->item.place != 0) {
			gs_schedule_remove(schedule, &one->item);
			in--;
		} else {
			one->period = rand() % 1000;
			assert_int_equal(gs_schedule_add(schedule, one->period, &one->item), GS_OK);
			in++;
		}
		gs_schedule_check(schedule);
	}
	assert_in_range(in, 50, 150);
	for (struct gs_schedule_item *first; (first = gs_schedule_first(schedule, &at)) != NULL; in--) {
		assert_true(at >= last);
		assert_int_equal(((struct periodic *)(void *)first)->period, at);
		last = at;
		gs_schedule_remove(schedule, first);
		gs_schedule_check(schedule);
	}
	assert_int_equal(in, 0);
	assert_int_equal(at, INT64_MAX);
	gs_schedule_free(schedule);
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		struct gs_schedule_item items[40] = {{0}};
		gs_mem_fail_after(n);
		enum gs_status status = GS_ENOMEM;
		struct gs_schedule *schedule = gs_schedule_new();
		for (int i = 0; schedule != NULL && i < 40; i++) {
			status = gs_schedule_add(schedule, i, &items[i]);
			gs_schedule_check(schedule);
			if (status != GS_OK)
				break;
		}
		gs_schedule_free(schedule);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_true(n > 2);
			return;
		}
		assert_int_equal(status, GS_ENOMEM);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_offset_is_the_same_for_ever),
	    cmocka_unit_test(test_offset_depends_on_every_part),
	    cmocka_unit_test(test_offsets_are_spread_evenly),
	    cmocka_unit_test(test_slot),
	    cmocka_unit_test(test_slot_is_always_ahead_by_at_most_an_interval),
	    cmocka_unit_test(test_empty_schedule_has_no_first),
	    cmocka_unit_test(test_items_come_in_order),
	    cmocka_unit_test(test_any_item_can_be_removed),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
