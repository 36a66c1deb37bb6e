/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "table.h"

/* Every metric has its row, each in its section. */
static void test_complete(void **state) {
	struct gs_buf out;
	(void)state;
	gs_buf_init(&out, 1 << 20);
	gs_telemetry_reference(&out);
	gs_buf_char(&out, '\0');
	assert_int_equal(out.status, GS_OK);
	const char *receiver = strstr(out.p, "## Receiver");
	assert_non_null(receiver);
	for (size_t i = 0; i < GS_METRICS; i++) {
		char row[128];
		snprintf(row, sizeof(row), "\n| `%s` | %s | ", gs_metric_table[i].name,
		    gs_metric_type_name(gs_metric_table[i].type));
		const char *at = strstr(out.p, row);
		if (at == NULL)
			fail_msg("missing: %s", row);
		if (gs_metric_table[i].program == GS_METRIC_POLLER)
			assert_true(at < receiver);
	}
	assert_non_null(strstr(out.p, "| `gravel_http_requests_total` | counter | `path`, `code` | HTTP requests"));
	assert_non_null(strstr(out.p, "| `process_open_fds` | gauge | | "));
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_complete)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
