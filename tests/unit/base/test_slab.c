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
#include "gravel/base/slab.h"

#define N 3000

/* Every size up to beyond the largest class: all pieces at once, none touches another. */
static void test_every_size(void **state) {
	(void)state;
	struct gs_slab slab;
	static unsigned char *pieces[GS_SLAB_MAX + 100];
	gs_slab_init(&slab);
	for (int round = 0; round < 3; round++) {
		for (size_t n = 0; n < GS_SLAB_MAX + 100; n++) {
			pieces[n] = gs_slab_get(&slab, n);
			assert_non_null(pieces[n]);
			assert_int_equal((uintptr_t)pieces[n] % 16, 0);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(pieces[n][i], 0);
			memset(pieces[n], (int)(n % 251) + 1, n);
		}
		assert_in_range(slab.used, 1, slab.bytes);
		for (size_t n = 0; n < GS_SLAB_MAX + 100; n++) {
			for (size_t i = 0; i < n; i++)
				assert_int_equal(pieces[n][i], n % 251 + 1);
			gs_slab_put(&slab, pieces[n], n);
		}
		assert_int_equal(slab.used, 0);
	}
	gs_slab_free(&slab);
	assert_int_equal(slab.bytes, 0);
}

/* A piece is not much larger than what was asked for. */
static void test_waste(void **state) {
	(void)state;
	struct gs_slab slab;
	gs_slab_init(&slab);
	for (size_t n = 16; n <= GS_SLAB_MAX; n++) {
		void *p = gs_slab_get(&slab, n);
		assert_in_range(slab.used, n, n + n / 4 + 15);
		gs_slab_put(&slab, p, n);
	}
	gs_slab_free(&slab);
}

static void test_what_is_put_back_comes_again(void **state) {
	(void)state;
	struct gs_slab slab;
	void *pieces[N];
	size_t bytes = 0;
	gs_slab_init(&slab);
	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < N; i++)
			pieces[i] = gs_slab_get(&slab, 20 + i % 500);
		for (size_t i = 0; i < N; i++)
			gs_slab_put(&slab, pieces[i], 20 + i % 500);
		assert_true(round == 0 || slab.bytes == bytes);
		bytes = slab.bytes;
	}
	gs_slab_free(&slab);
}

static void test_resize(void **state) {
	(void)state;
	struct gs_slab slab;
	gs_slab_init(&slab);
	char *p = gs_slab_resize(&slab, NULL, 0, 10);
	memcpy(p, "0123456789", 10);
	static const size_t sizes[] = {12, 100, 5000, 9000, 4097, 4096, 40, 10};
	size_t old = 10;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = gs_slab_resize(&slab, p, old, sizes[i]);
		assert_non_null(p);
		assert_memory_equal(p, "0123456789", 10);
		old = sizes[i];
	}
	gs_mem_fail_after(0);
	assert_null(gs_slab_resize(&slab, p, old, 5000));
	gs_mem_fail_after(0);
	assert_null(gs_slab_get(&slab, 3000));
	gs_mem_fail_after(-1);
	assert_memory_equal(p, "0123456789", 10);
	gs_slab_put(&slab, p, old);
	gs_slab_put(&slab, NULL, 5);
	assert_int_equal(slab.used, 0);
	gs_slab_free(&slab);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_size),
	    cmocka_unit_test(test_waste),
	    cmocka_unit_test(test_what_is_put_back_comes_again),
	    cmocka_unit_test(test_resize),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
