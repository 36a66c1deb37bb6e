/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base64.h"
#include "gravel/base/mem.h"

/* RFC 4648, section 10. */
static const struct {
	struct gs_str plain;
	const char *coded;
} examples[] = {
    {GS_STR_INIT(""), ""},
    {GS_STR_INIT("f"), "Zg=="},
    {GS_STR_INIT("fo"), "Zm8="},
    {GS_STR_INIT("foo"), "Zm9v"},
    {GS_STR_INIT("foob"), "Zm9vYg=="},
    {GS_STR_INIT("fooba"), "Zm9vYmE="},
    {GS_STR_INIT("foobar"), "Zm9vYmFy"},
    {GS_STR_INIT("\xff\xfe\0\x7f"), "//4Afw=="},
};

static void test_both_ways(void **state) {
	struct gs_arena *arena = gs_arena_new(4096);
	struct gs_buf out;
	(void)state;
	gs_buf_init(&out, 64);
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct gs_str plain;
		gs_buf_clear(&out);
		gs_sd_base64_encode(examples[i].plain, &out);
		assert_true(gs_str_eq(gs_buf_slice(&out), gs_str_of(examples[i].coded)));
		assert_int_equal(gs_sd_base64_decode(gs_str_of(examples[i].coded), arena, &plain), GS_OK);
		assert_true(gs_str_eq(plain, examples[i].plain));
	}
	gs_buf_free(&out);
	gs_arena_free(arena);
}

static void test_what_no_encoder_writes(void **state) {
	static const char *const bad[] = {
	    "Z", "Zg", "Zg=", "====", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "_-8=", "Z=g=", "=Zg="};
	struct gs_arena *arena = gs_arena_new(4096);
	struct gs_str plain;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(gs_sd_base64_decode(gs_str_of(bad[i]), arena, &plain), GS_EINVAL);
	gs_arena_free(arena);
	arena = gs_arena_new(4096);
	gs_mem_fail_after(0);
	assert_int_equal(gs_sd_base64_decode(GS_STR("Zm9v"), arena, &plain), GS_ENOMEM);
	gs_mem_fail_after(-1);
	gs_arena_free(arena);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways), cmocka_unit_test(test_what_no_encoder_writes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
