/* SPDX-License-Identifier: Apache-2.0 */
/* Every implementation finds the first difference, wherever it is and however the bytes lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "../../../lib/expo/common.h"

#define ROOM 400

static size_t find(const char *a, const char *b, size_t n) {
	size_t i = 0;
	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/* Both at the ends of their memory, so that a sanitizer sees what reads behind it. */
static void check(gs_expo_common_fn *fn, size_t n, size_t at, size_t skew) {
	char *a = malloc(n + skew + 1), *b = malloc(n + 1);
	assert_true(a != NULL && b != NULL);
	char *left = a + 1 + skew, *right = b + 1;
	for (size_t i = 0; i < n; i++)
		left[i] = right[i] = (char)(i * 7 + 1);
	for (size_t i = at; i < n; i += 3) /* what follows the first one does not matter */
		right[i] = (char)(right[i] ^ 0x80);
	assert_int_equal(find(left, right, n), at < n ? at : n);
	assert_int_equal(fn(left, right, n), at < n ? at : n);
	assert_int_equal(fn(right, left, n), at < n ? at : n);
	free(a);
	free(b);
}

static void test_all_places(void **state) {
	struct gs_expo_common all[GS_EXPO_COMMONS];
	size_t count = gs_expo_commons(all);
	(void)state;
	assert_true(count >= 1 && count <= GS_EXPO_COMMONS);
	for (size_t k = 0; k < count; k++) {
		for (size_t n = 0; all[k].usable && n < ROOM; n += n < 70 ? 1 : 13) {
			for (size_t at = 0; at <= n; at++)
				check(all[k].fn, n, at, (n + at) % 3);
		}
	}
}

static void test_one_bit_is_a_difference(void **state) {
	struct gs_expo_common all[GS_EXPO_COMMONS];
	size_t count = gs_expo_commons(all);
	char a[160] = {0}, b[160] = {0};
	(void)state;
	for (size_t k = 0; k < count; k++) {
		for (size_t i = 0; all[k].usable && i < 8 * sizeof(a); i++) {
			b[i / 8] = (char)(1U << i % 8);
			assert_int_equal(all[k].fn(a, b, sizeof(a)), i / 8);
			b[i / 8] = 0;
		}
	}
}

static void test_plain_c_is_there_and_the_best_is_one_of_all(void **state) {
	struct gs_expo_common all[GS_EXPO_COMMONS];
	size_t count = gs_expo_commons(all), i = 0;
	(void)state;
	assert_string_equal(all[count - 1].name, "plain");
	assert_true(all[count - 1].usable);
	while (i < count && !all[i].usable)
		i++;
	assert_ptr_equal(gs_expo_common_best(), all[i].fn);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_places),
	    cmocka_unit_test(test_one_bit_is_a_difference),
	    cmocka_unit_test(test_plain_c_is_there_and_the_best_is_one_of_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
