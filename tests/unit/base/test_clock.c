/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "gravel/base/clock.h"

static void test_wall_is_that_of_the_system(void **state) {
	(void)state;
	int64_t before = (int64_t)time(NULL) * 1000;
	int64_t now = gs_clock_wall_ms();
	int64_t after = ((int64_t)time(NULL) + 1) * 1000;
	/* time() may read a coarser clock that is up to a tick behind. */
	assert_true(now >= before && now <= after + 100);
}

static void test_mono_rises_by_what_we_sleep(void **state) {
	(void)state;
	int64_t ns = gs_clock_mono_ns();
	int64_t ms = gs_clock_mono_ms();
	struct timespec pause = {.tv_nsec = 20000000};
	nanosleep(&pause, NULL);
	assert_true(gs_clock_mono_ns() - ns >= 20000000);
	assert_true(gs_clock_mono_ms() - ms >= 19);
	assert_true(ms - ns / 1000000 <= 1000); /* the same clock */
	for (int i = 0; i < 1000; i++) {
		int64_t next = gs_clock_mono_ns();
		assert_true(next >= ns);
		ns = next;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_wall_is_that_of_the_system),
	    cmocka_unit_test(test_mono_rises_by_what_we_sleep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
