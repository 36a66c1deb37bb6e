/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

#include "gravel/base/mem.h"
#include "gravel/base/pool.h"

#define MANY 100000

static void test_numbers_and_places(void **state) {
	(void)state;
	static const size_t sizes[] = {4, 8, 40, 64, 100, 5000, 100000};
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct gs_pool pool;
		uint32_t n = sizes[s] < 1000 ? MANY : 300;
		gs_pool_init(&pool, sizes[s]);
		assert_int_equal(gs_pool_bytes(&pool), 0);
		for (uint32_t i = 1; i <= n; i++) {
			assert_int_equal(gs_pool_get(&pool), i);
			uint32_t *thing = gs_pool_at(&pool, i);
			assert_int_equal((uintptr_t)thing % 8, 0);
			assert_int_equal(*thing, 0);
			memset(thing, 0xff, sizes[s]);
			*thing = i;
		}
		gs_pool_check(&pool);
		for (uint32_t i = 1; i <= n; i++)
			assert_int_equal(*(uint32_t *)gs_pool_at(&pool, i), i);
		assert_in_range(gs_pool_bytes(&pool), n * sizes[s], n * (sizes[s] + 8) + 300000);
		gs_pool_free(&pool);
		assert_int_equal(gs_pool_bytes(&pool), 0);
	}
}

static void test_what_is_put_back_comes_again(void **state) {
	(void)state;
	struct gs_pool pool;
	gs_pool_init(&pool, 24);
	for (uint32_t i = 1; i <= MANY; i++)
		gs_pool_get(&pool);
	size_t bytes = gs_pool_bytes(&pool);
	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 2; i <= MANY; i += 2) {
			memset(gs_pool_at(&pool, i), 0xff, 24);
			gs_pool_put(&pool, i);
		}
		gs_pool_check(&pool);
		for (uint32_t i = 2; i <= MANY; i += 2) {
			uint32_t number = gs_pool_get(&pool);
			assert_int_equal(number % 2, 0);
			assert_int_equal(*(uint64_t *)gs_pool_at(&pool, number), 0);
		}
		gs_pool_check(&pool);
	}
	assert_int_equal(pool.used, MANY);
	assert_int_equal(gs_pool_bytes(&pool), bytes);
	gs_pool_free(&pool);
}

static void test_no_memory(void **state) {
	(void)state;
	struct gs_pool pool;
	gs_pool_init(&pool, 64);
	for (int64_t n = 0; n < 2; n++) {
		gs_mem_fail_after(n);
		assert_int_equal(gs_pool_get(&pool), 0);
		gs_pool_check(&pool);
	}
	gs_mem_fail_after(-1);
	assert_int_equal(gs_pool_get(&pool), 1);
	gs_pool_check(&pool);
	gs_pool_free(&pool);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers_and_places),
	    cmocka_unit_test(test_what_is_put_back_comes_again),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
