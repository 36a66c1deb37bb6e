/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "gravel/base/mem.h"
#include "gravel/wire/wire.h"

static struct gs_str escape(struct gs_buf *out, struct gs_str token) {
	gs_buf_clear(out);
	gs_wire_escape(out, token);
	assert_int_equal(out->status, GS_OK);
	return gs_buf_slice(out);
}

static void assert_escaped(struct gs_str token, const char *want) {
	struct gs_buf out;
	gs_buf_init(&out, 4096);
	struct gs_str got = escape(&out, token);
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
	gs_buf_free(&out);
}

static void test_forms(void **state) {
	(void)state;
	assert_escaped(GS_STR("node-1_A"), "node-1_A");
	assert_escaped(GS_STR("web1.example.com:9100"), "web1=2Eexample=2Ecom=3A9100");
	assert_escaped(GS_STR(""), "=");
	assert_escaped(GS_STR("="), "=3D");
	assert_escaped(GS_STR("a b*c>"), "a=20b=2Ac=3E");
	assert_escaped(GS_STR("\xc3\xa9\0\r\n"), "=C3=A9=00=0D=0A");
}

static void test_every_byte_round_trips(void **state) {
	(void)state;
	struct gs_buf out, back;
	gs_buf_init(&out, 4096);
	gs_buf_init(&back, 4096);
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b += 5) {
			char token[2] = {(char)a, (char)b};
			struct gs_str escaped = escape(&out, gs_str_make(token, 2));
			for (size_t i = 0; i < escaped.n; i++)
				assert_true(escaped.p[i] > 0x20 && escaped.p[i] < 0x7f && escaped.p[i] != '.');
			gs_buf_clear(&back);
			assert_int_equal(gs_wire_unescape(&back, escaped), GS_OK);
			assert_int_equal(back.n, 2);
			assert_memory_equal(back.p, token, 2);
		}
	}
	gs_buf_free(&out);
	gs_buf_free(&back);
}

static void test_other_forms_are_refused(void **state) {
	(void)state;
	static const char *const bad[] = {
	    "", "=4", "a=", "a=2", "=2e", "=GG", "=41", "=2D", "a.b", "a b", "a*", ">", "==", "=3", "\xc3", "a\n"};
	struct gs_buf out;
	gs_buf_init(&out, 64);
	gs_buf_cstr(&out, "before");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(gs_wire_unescape(&out, gs_str_of(bad[i])), GS_EINVAL);
		assert_int_equal(out.n, 6);
	}
	/* Behind the slice nothing is read: an exact copy shows it to a sanitizer. */
	char *cut = gs_alloc(2);
	memcpy(cut, "=2", 2);
	assert_int_equal(gs_wire_unescape(&out, gs_str_make(cut, 2)), GS_EINVAL);
	gs_free(cut);
	assert_int_equal(out.n, 6);
	gs_buf_free(&out);
}

static void test_sticky_error_of_the_buffer(void **state) {
	(void)state;
	struct gs_buf out;
	gs_buf_init(&out, 4);
	assert_int_equal(gs_wire_unescape(&out, GS_STR("abcde")), GS_ELIMIT);
	gs_buf_free(&out);
	gs_buf_init(&out, 4);
	gs_mem_fail_after(0);
	assert_int_equal(gs_wire_unescape(&out, GS_STR("a")), GS_ENOMEM);
	assert_true(gs_mem_failed());
	gs_mem_fail_after(-1);
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_every_byte_round_trips),
	    cmocka_unit_test(test_other_forms_are_refused),
	    cmocka_unit_test(test_sticky_error_of_the_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
