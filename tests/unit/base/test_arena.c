/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/arena.h"
#include "gravel/base/mem.h"

static void test_alignment_and_no_overlap(void **state) {
	(void)state;
	struct gs_arena *arena = gs_arena_new(1 << 20);
	unsigned char *blocks[200];
	for (size_t i = 0; i < 200; i++) {
		blocks[i] = gs_arena_alloc(arena, i + 1);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
		memset(blocks[i], (int)i, i + 1);
	}
	for (size_t i = 0; i < 200; i++) {
		for (size_t k = 0; k <= i; k++)
			assert_int_equal(blocks[i][k], i);
	}
	assert_in_range(gs_arena_used(arena), 200 * 201 / 2, 200 * 201 / 2 + 200 * _Alignof(max_align_t));
	gs_arena_free(arena);
}

static void test_max(void **state) {
	(void)state;
	struct gs_arena *arena = gs_arena_new(1000);
	assert_null(gs_arena_alloc(arena, 1001));
	assert_null(gs_arena_alloc(arena, SIZE_MAX));
	assert_non_null(gs_arena_alloc(arena, 512));
	assert_null(gs_arena_alloc(arena, 512));
	assert_int_equal(gs_arena_used(arena), 512); /* a refusal takes nothing */
	assert_non_null(gs_arena_alloc(arena, 400));
	gs_arena_free(arena);
}

static void test_clear(void **state) {
	(void)state;
	struct gs_arena *arena = gs_arena_new(100000);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 9; i++) {
			char *p = gs_arena_alloc(arena, 10000);
			assert_non_null(p);
			memset(p, round, 10000);
		}
		gs_arena_clear(arena);
		assert_int_equal(gs_arena_used(arena), 0);
	}
	gs_arena_free(arena);
}

static void test_blocks_larger_than_the_largest_step(void **state) {
	(void)state;
	struct gs_arena *arena = gs_arena_new(64 << 20);
	char *big = gs_arena_alloc(arena, 5 << 20);
	char *small = gs_arena_alloc(arena, 10);
	assert_non_null(big);
	assert_non_null(small);
	memset(big, 1, 5 << 20);
	memset(small, 2, 10);
	assert_int_equal(big[(5 << 20) - 1], 1);
	gs_arena_free(arena);
}

static void test_dup(void **state) {
	(void)state;
	struct gs_arena *arena = gs_arena_new(100);
	char text[] = "hello";
	struct gs_str copy = gs_arena_dup(arena, gs_str_of(text));
	text[0] = 'j';
	assert_true(gs_str_eq(copy, GS_STR("hello")));
	assert_int_equal(gs_arena_dup(arena, (struct gs_str){0}).n, 0);
	char big[200] = {0};
	struct gs_str none = gs_arena_dup(arena, gs_str_make(big, sizeof(big)));
	assert_null(none.p);
	assert_int_equal(none.n, 0);
	gs_arena_free(arena);
}

static void test_no_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int n = 0; failed; n++) {
		gs_mem_fail_after(n);
		struct gs_arena *arena = gs_arena_new(1 << 20);
		size_t got = 0;
		for (int i = 0; arena != NULL && i < 20; i++)
			got += gs_arena_alloc(arena, 3000) != NULL;
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		/* One refusal, and the arena goes on after it. */
		assert_int_equal(got, !failed ? 20 : arena != NULL ? 19 : 0);
		gs_arena_free(arena);
		assert_in_range(n, 0, 50);
	}
	gs_arena_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alignment_and_no_overlap),
	    cmocka_unit_test(test_max),
	    cmocka_unit_test(test_clear),
	    cmocka_unit_test(test_blocks_larger_than_the_largest_step),
	    cmocka_unit_test(test_dup),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
