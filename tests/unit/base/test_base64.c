/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/base64.h"
#include "gravel/base/mem.h"

#define VARIANTS 3
#define STANDARD (1U << GS_BASE64_STANDARD)
#define ANY (1U << GS_BASE64_ANY)
#define GO (1U << GS_BASE64_GO)

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
		gs_base64_encode(examples[i].plain, &out);
		assert_true(gs_str_eq(gs_buf_slice(&out), gs_str_of(examples[i].coded)));
		assert_int_equal(
		    gs_base64_decode(GS_BASE64_STANDARD, gs_str_of(examples[i].coded), arena, &plain), GS_OK);
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
		assert_int_equal(gs_base64_decode(GS_BASE64_STANDARD, gs_str_of(bad[i]), arena, &plain), GS_EINVAL);
	gs_arena_free(arena);
	arena = gs_arena_new(4096);
	gs_mem_fail_after(0);
	assert_int_equal(gs_base64_decode(GS_BASE64_STANDARD, GS_STR("Zm9v"), arena, &plain), GS_ENOMEM);
	gs_mem_fail_after(-1);
	gs_arena_free(arena);
}

/* Who takes what, and that all who take it read the same. */
static void test_variants(void **state) {
	static const struct {
		const char *coded;
		unsigned who;
		struct gs_str plain;
	} rows[] = {
	    {"", STANDARD | ANY | GO, GS_STR_INIT("")},
	    {"Zm9v", STANDARD | ANY | GO, GS_STR_INIT("foo")},
	    {"Zm8", ANY | GO, GS_STR_INIT("fo")},
	    {"Zg", ANY | GO, GS_STR_INIT("f")},
	    {"Zg=", ANY | GO, GS_STR_INIT("f")},
	    {"Zg==", STANDARD | ANY | GO, GS_STR_INIT("f")},
	    {"Zg=====", ANY | GO, GS_STR_INIT("f")},
	    {"=", ANY | GO, GS_STR_INIT("")},
	    {"====", ANY | GO, GS_STR_INIT("")},
	    {"Zm9v=", ANY | GO, GS_STR_INIT("foo")},
	    {"Zm9v====", ANY | GO, GS_STR_INIT("foo")},
	    {"Zh", GO, GS_STR_INIT("f")},
	    {"Zh==", GO, GS_STR_INIT("f")},
	    {"Zm9=", GO, GS_STR_INIT("fo")},
	    {"Pz8+Pg==", STANDARD | ANY, GS_STR_INIT("\?\?>>")},
	    {"Pz8-Pg==", ANY | GO, GS_STR_INIT("\?\?>>")},
	    {"/w==", STANDARD | ANY, GS_STR_INIT("\xff")},
	    {"_w==", ANY | GO, GS_STR_INIT("\xff")},
	    {"_/-+", ANY, GS_STR_INIT("\xff\xff\xbe")},
	    {"Z", 0, GS_STR_INIT("")},
	    {"Z===", 0, GS_STR_INIT("")},
	    {"Zm9vZ", 0, GS_STR_INIT("")},
	    {"Z=g=", 0, GS_STR_INIT("")},
	    {"Zm9v Zm9v", 0, GS_STR_INIT("")},
	    {"Zm9\xc3", 0, GS_STR_INIT("")},
	};
	struct gs_arena *arena = gs_arena_new(4096);
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned variant = 0; variant < VARIANTS; variant++) {
			struct gs_str plain = GS_STR("before");
			bool takes = (rows[i].who & 1U << variant) != 0;
			enum gs_status status = gs_base64_decode(variant, gs_str_of(rows[i].coded), arena, &plain);
			if (status != (takes ? GS_OK : GS_EINVAL) ||
			    !gs_str_eq(plain, takes ? rows[i].plain : GS_STR("")))
				fail_msg("variant %u of \"%s\": %s", variant, rows[i].coded, gs_status_name(status));
		}
	}
	gs_arena_free(arena);
}

/* Every byte as a digit: only those of the alphabet are one. */
static void test_digits(void **state) {
	static const unsigned count[VARIANTS] = {64, 66, 64};
	struct gs_arena *arena = gs_arena_new(1 << 20);
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		unsigned taken = 0;
		for (int c = 0; c < 256; c++) {
			char text[4] = {'Z', (char)c, '9', 'v'};
			struct gs_str plain;
			taken += gs_base64_decode(variant, gs_str_make(text, 4), arena, &plain) == GS_OK;
		}
		assert_int_equal(taken, count[variant]);
	}
	gs_arena_free(arena);
}

static void test_memory(void **state) {
	struct gs_str plain;
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct gs_arena *arena = gs_arena_new(16);
		assert_int_equal(
		    gs_base64_decode(variant, GS_STR("AAAAAAAAAAAAAAAAAAAAAAAA"), arena, &plain), GS_ENOMEM);
		assert_true(plain.p == NULL && plain.n == 0);
		assert_int_equal(gs_base64_decode(variant, GS_STR("AAAAAAAAAAAAAAAAAAAA"), arena, &plain), GS_OK);
		assert_int_equal(plain.n, 15);
		assert_int_equal(gs_arena_used(arena), 16);
		gs_arena_free(arena);
		arena = gs_arena_new(4096);
		gs_mem_fail_after(0);
		assert_int_equal(gs_base64_decode(variant, GS_STR("Zm9v"), arena, &plain), GS_ENOMEM);
		gs_mem_fail_after(-1);
		gs_arena_free(arena);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways),
	    cmocka_unit_test(test_what_no_encoder_writes),
	    cmocka_unit_test(test_variants),
	    cmocka_unit_test(test_digits),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
