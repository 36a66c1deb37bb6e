/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/buf.h"
#include "gravel/base/mem.h"

static void assert_holds(const struct gs_buf *buf, const char *text) {
	gs_buf_check(buf);
	assert_int_equal(buf->status, GS_OK);
	if (!gs_str_eq(gs_buf_slice(buf), gs_str_of(text)))
		fail_msg("'%.*s' is not '%s'", GS_FMT(gs_buf_slice(buf)), text);
}

static void test_appends(void **state) {
	(void)state;
	struct gs_buf buf;
	gs_buf_init(&buf, 1000);
	assert_holds(&buf, "");
	gs_buf_add(&buf, "ab", 2);
	gs_buf_add(&buf, NULL, 0);
	gs_buf_str(&buf, GS_STR("cd"));
	gs_buf_str(&buf, (struct gs_str){0});
	gs_buf_cstr(&buf, "ef");
	gs_buf_char(&buf, ' ');
	assert_holds(&buf, "abcdef ");
	gs_buf_clear(&buf);
	gs_buf_u64(&buf, UINT64_MAX);
	gs_buf_char(&buf, ' ');
	gs_buf_i64(&buf, INT64_MIN);
	gs_buf_char(&buf, ' ');
	gs_buf_i64(&buf, INT64_MAX);
	gs_buf_char(&buf, ' ');
	gs_buf_u64(&buf, 0);
	assert_holds(&buf, "18446744073709551615 -9223372036854775808 9223372036854775807 0");
	gs_buf_clear(&buf);
	gs_buf_double(&buf, 0.25);
	gs_buf_char(&buf, ' ');
	gs_buf_double(&buf, -INFINITY);
	gs_buf_printf(&buf, " %s-%d", "x", 7);
	assert_holds(&buf, "0.25 -Inf x-7");
	gs_buf_free(&buf);
	gs_buf_check(&buf);
}

static void test_growth_keeps_contents(void **state) {
	(void)state;
	struct gs_buf buf;
	gs_buf_init(&buf, 100000);
	for (int i = 0; i < 100000; i++) {
		gs_buf_char(&buf, (char)(i % 251));
		gs_buf_check(&buf);
	}
	assert_int_equal(buf.n, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal((unsigned char)buf.p[i], i % 251);
	gs_buf_free(&buf);
}

static void test_max_is_exact_and_sticky(void **state) {
	(void)state;
	struct gs_buf buf;
	gs_buf_init(&buf, 5);
	gs_buf_cstr(&buf, "12345");
	assert_holds(&buf, "12345");
	gs_buf_char(&buf, '6');
	assert_int_equal(buf.status, GS_ELIMIT);
	assert_int_equal(buf.n, 5);
	assert_null(gs_buf_reserve(&buf, 0));
	gs_buf_clear(&buf);
	gs_buf_cstr(&buf, "12");
	gs_buf_cstr(&buf, "3456");
	gs_buf_cstr(&buf, "7"); /* would fit, but the error sticks */
	assert_int_equal(buf.status, GS_ELIMIT);
	assert_int_equal(buf.n, 2);
	gs_buf_check(&buf);
	gs_buf_clear(&buf);
	assert_null(gs_buf_reserve(&buf, SIZE_MAX));
	gs_buf_free(&buf);
	gs_buf_init(&buf, 0);
	gs_buf_char(&buf, 'x');
	assert_int_equal(buf.status, GS_ELIMIT);
	gs_buf_check(&buf);
	gs_buf_free(&buf);
}

/* What has a fixed upper bound of length must not be refused while what it really needs fits. */
static void test_numbers_that_fill_the_buffer(void **state) {
	(void)state;
	struct gs_buf buf;
	gs_buf_init(&buf, 5);
	gs_buf_double(&buf, 12.25);
	assert_holds(&buf, "12.25");
	gs_buf_clear(&buf);
	gs_buf_printf(&buf, "%d", 1234);
	assert_holds(&buf, "1234");
	gs_buf_printf(&buf, "%d", 5);
	assert_int_equal(buf.status, GS_ELIMIT);
	gs_buf_free(&buf);
}

static void test_reserve(void **state) {
	(void)state;
	struct gs_buf buf;
	gs_buf_init(&buf, 1000);
	gs_buf_cstr(&buf, "x");
	char *at = gs_buf_reserve(&buf, 500);
	assert_ptr_equal(at, buf.p + 1);
	memset(at, 'y', 500);
	buf.n += 2;
	assert_holds(&buf, "xyy");
	gs_buf_free(&buf);
}

static void test_take(void **state) {
	(void)state;
	struct gs_buf buf;
	size_t n = 0;
	gs_buf_init(&buf, 100);
	assert_null(gs_buf_take(&buf, &n));
	gs_buf_cstr(&buf, "abc");
	char *p = gs_buf_take(&buf, &n);
	assert_int_equal(n, 3);
	assert_memory_equal(p, "abc", 3);
	gs_free(p);
	assert_holds(&buf, "");
	assert_int_equal(buf.max, 100);
	gs_buf_cstr(&buf, "abc");
	buf.status = GS_ENOMEM;
	assert_null(gs_buf_take(&buf, &n));
	gs_buf_free(&buf);
}

static void test_no_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int n = 0; failed; n++) {
		struct gs_buf buf;
		gs_buf_init(&buf, 1 << 20);
		gs_mem_fail_after(n);
		for (int i = 0; i < 5000; i++)
			gs_buf_printf(&buf, "%d ", i);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(buf.status, failed ? GS_ENOMEM : GS_OK);
		gs_buf_check(&buf);
		size_t before = buf.n;
		gs_buf_cstr(&buf, "more");
		assert_int_equal(buf.n, before + (failed ? 0 : 4));
		gs_buf_free(&buf);
		assert_in_range(n, 0, 30);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_appends),
	    cmocka_unit_test(test_growth_keeps_contents),
	    cmocka_unit_test(test_max_is_exact_and_sticky),
	    cmocka_unit_test(test_numbers_that_fill_the_buffer),
	    cmocka_unit_test(test_reserve),
	    cmocka_unit_test(test_take),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
