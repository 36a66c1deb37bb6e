/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "md5.h"

/* RFC 1321, A.5. */
static void test_known_sums(void **state) {
	(void)state;
	struct gs_md5 *md5 = NULL;
	uint64_t tail = 0;
	assert_int_equal(gs_md5_new(&md5), GS_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(gs_md5_tail(md5, (struct gs_str){0}, &tail), GS_OK);
		assert_true(tail == UINT64_C(0xe9800998ecf8427e));
		assert_int_equal(gs_md5_tail(md5, GS_STR("abc"), &tail), GS_OK);
		assert_true(tail == UINT64_C(0xd6963f7d28e17f72));
		assert_int_equal(gs_md5_tail(md5, GS_STR("message digest"), &tail), GS_OK);
		assert_true(tail == UINT64_C(0x525a2f31aaf161d0));
	}
	gs_md5_free(md5);
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_md5 *md5 = NULL;
	gs_mem_fail_after(0);
	assert_int_equal(gs_md5_new(&md5), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_null(md5);
	gs_md5_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_sums),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
