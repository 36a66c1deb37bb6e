/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/bus/private.h"
#include "gravel/base/mem.h"

static void test_bounds(void **state) {
	(void)state;
	struct gs_flight f;
	assert_int_equal(gs_flight_init(&f, 3, 100), GS_OK);
	gs_flight_check(&f);
	uint32_t a = gs_flight_reserve(&f, 500, 1); /* one may always go */
	assert_true(a != GS_FLIGHT_NONE);
	assert_true(gs_flight_reserve(&f, 1, 2) == GS_FLIGHT_NONE);
	gs_flight_check(&f);
	gs_flight_move(&f, a, GS_FLIGHT_FREE);
	uint32_t slots[3];
	for (int i = 0; i < 3; i++) {
		slots[i] = gs_flight_reserve(&f, 30, 10 + (uint64_t)i);
		assert_true(slots[i] != GS_FLIGHT_NONE);
	}
	assert_true(gs_flight_reserve(&f, 1, 3) == GS_FLIGHT_NONE); /* by count */
	gs_flight_move(&f, slots[1], GS_FLIGHT_FREE);
	assert_true(gs_flight_reserve(&f, 41, 3) == GS_FLIGHT_NONE); /* by bytes */
	slots[1] = gs_flight_reserve(&f, 40, 3);
	assert_true(slots[1] != GS_FLIGHT_NONE);
	gs_flight_check(&f);
	for (int i = 0; i < 3; i++)
		gs_flight_move(&f, slots[i], GS_FLIGHT_FREE);
	gs_flight_check(&f);
	assert_int_equal(f.bytes, 0);
	gs_flight_free(&f);
}

static void test_serials_are_never_used_twice(void **state) {
	(void)state;
	struct gs_flight f;
	assert_int_equal(gs_flight_init(&f, 1, 100), GS_OK);
	uint32_t i = gs_flight_reserve(&f, 1, 1);
	uint64_t serial = f.slots[i].serial;
	assert_false(gs_flight_find(&f, i, serial)); /* not sent yet */
	gs_flight_move(&f, i, GS_FLIGHT_QUEUED);
	gs_flight_move(&f, i, GS_FLIGHT_SENT);
	assert_true(gs_flight_find(&f, i, serial));
	assert_false(gs_flight_find(&f, i + 1, serial));
	assert_false(gs_flight_find(&f, UINT64_MAX, serial));
	gs_flight_move(&f, i, GS_FLIGHT_FREE);
	assert_false(gs_flight_find(&f, i, serial));
	i = gs_flight_reserve(&f, 1, 1);
	gs_flight_move(&f, i, GS_FLIGHT_SENT);
	assert_false(gs_flight_find(&f, i, serial)); /* the late ack of the first one */
	gs_flight_move(&f, i, GS_FLIGHT_FREE);
	gs_flight_free(&f);
}

static void test_random_moves(void **state) {
	(void)state;
	struct gs_flight f;
	uint64_t seed = 88172645463325252, now = 0;
	assert_int_equal(gs_flight_init(&f, 16, 1000), GS_OK);
	for (int n = 0; n < 20000; n++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		uint32_t i = seed % 16;
		if (f.slots[i].state == GS_FLIGHT_FREE)
			(void)gs_flight_reserve(&f, (seed >> 8) % 300, seed);
		else if (f.slots[i].state == GS_FLIGHT_SENT || (seed >> 20) % 4 == 0)
			gs_flight_move(&f, i, GS_FLIGHT_FREE);
		else if (f.slots[i].state == GS_FLIGHT_QUEUED)
			f.slots[i].sent_ms = (int64_t)now++, gs_flight_move(&f, i, GS_FLIGHT_SENT);
		else
			gs_flight_move(&f, i, GS_FLIGHT_QUEUED);
		gs_flight_check(&f);
	}
	for (uint32_t i = 0; i < 16; i++) {
		if (f.slots[i].state != GS_FLIGHT_FREE)
			gs_flight_move(&f, i, GS_FLIGHT_FREE);
	}
	gs_flight_free(&f);
}

static void test_no_memory(void **state) {
	(void)state;
	struct gs_flight f;
	gs_mem_fail_after(0);
	assert_int_equal(gs_flight_init(&f, 16, 1000), GS_ENOMEM);
	gs_mem_fail_after(-1);
	gs_flight_free(&f);
	assert_int_equal(gs_flight_init(&f, UINT32_MAX, 1000), GS_ELIMIT);
	gs_flight_free(&f);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_serials_are_never_used_twice),
	    cmocka_unit_test(test_random_moves),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
