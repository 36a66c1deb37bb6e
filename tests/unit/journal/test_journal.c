/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "gravel/base/mem.h"
#include "gravel/journal/journal.h"
#include "gravel/telemetry/telemetry.h"

static void test_positions_rise(void **state) {
	(void)state;
	struct gs_journal *journal = NULL;
	struct gs_journal_entry entry = {.time_ms = 1, .body = GS_STR("a 1\n")};
	uint64_t last = 0;
	gs_telemetry_reset();
	assert_int_equal(gs_journal_open_memory(&journal), GS_OK);
	assert_true(gs_journal_is_instant(journal));
	for (int i = 0; i < 100; i++) {
		uint64_t position = 0;
		assert_int_equal(gs_journal_append(journal, &entry, &position), GS_OK);
		assert_true(position > last);
		last = position;
		assert_true(gs_metric_get(GS_M_JOURNAL_POSITION, NULL, NULL) == (double)position);
	}
	gs_journal_close(journal);
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_journal *journal = NULL;
	gs_mem_fail_after(0);
	assert_int_equal(gs_journal_open_memory(&journal), GS_ENOMEM);
	gs_mem_fail_after(-1);
	gs_journal_close(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_positions_rise),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
