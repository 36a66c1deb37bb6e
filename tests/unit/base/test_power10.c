/* SPDX-License-Identifier: Apache-2.0 */
/* Every power of ten against its definition, with integers as long as needed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "power10.h"

#define LIMBS 40 /* 5^342 * 2^128 has 923 bits */

struct big {
	uint32_t limb[LIMBS]; /* the lowest first */
};

static void multiply(struct big *b, uint32_t factor) {
	uint64_t carry = 0;
	for (size_t i = 0; i < LIMBS; i++) {
		carry += (uint64_t)b->limb[i] * factor;
		b->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	assert_int_equal(carry, 0);
}

static struct big times(const struct big *b, gs_uint128 factor) {
	struct big sum = {{0}};
	for (int part = 0; part < 4; part++) {
		struct big shifted = {{0}};
		memcpy(shifted.limb + part, b->limb, (LIMBS - 4) * sizeof(b->limb[0]));
		multiply(&shifted, (uint32_t)(factor >> (32 * part)));
		uint64_t carry = 0;
		for (size_t i = 0; i < LIMBS; i++) {
			carry += (uint64_t)sum.limb[i] + shifted.limb[i];
			sum.limb[i] = (uint32_t)carry;
			carry >>= 32;
		}
	}
	return sum;
}

static int bit_length(const struct big *b) {
	int top = LIMBS - 1;
	while (b->limb[top] == 0)
		top--;
	return 32 * top + 32 - __builtin_clz(b->limb[top]);
}

static struct big power_of_2(int n) {
	struct big b = {{0}};
	b.limb[n / 32] = UINT32_C(1) << n % 32;
	return b;
}

static int compare(const struct big *a, const struct big *b) {
	for (size_t i = LIMBS; i-- > 0;) {
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	}
	return 0;
}

/* p is 10^k without its power of two, that is 5^k, cut off: p * unit <= five < (p + 1) * unit. */
static void expect_between(gs_uint128 p, const struct big *unit, const struct big *five, bool exact) {
	struct big low = times(unit, p);
	struct big high = times(unit, p + 1);
	assert_true(p >> 127 == 1);
	assert_int_equal(compare(&low, five), exact ? 0 : -1);
	assert_int_equal(compare(five, &high), -1);
}

static void test_positive(void **state) {
	(void)state;
	struct big five = {{1}};
	for (int k = 0; k <= GS_POWER10_MAX; k++) {
		int length = bit_length(&five);
		struct big unit = power_of_2(length > 128 ? length - 128 : 0);
		struct big scaled = five;
		for (int i = length; i < 128; i++)
			multiply(&scaled, 2);
		expect_between(gs_power10(k), &unit, &scaled, gs_power10_exact(k));
		assert_int_equal(gs_power10_log2(k), k + length - 1);
		multiply(&five, 5);
	}
}

static void test_negative(void **state) {
	(void)state;
	struct big five = {{5}};
	for (int k = -1; k >= GS_POWER10_MIN; k--) {
		int length = bit_length(&five);
		struct big one = power_of_2(127 + length);
		expect_between(gs_power10(k), &five, &one, gs_power10_exact(k));
		assert_int_equal(gs_power10_log2(k), k - length);
		multiply(&five, 5);
	}
}

static void *sum_of_table(void *ctx) {
	gs_uint128 *sum = ctx;
	for (int k = GS_POWER10_MIN; k <= GS_POWER10_MAX; k++)
		*sum += gs_power10(k);
	return NULL;
}

/* The first who ask, all at once, get the same. */
static void test_first_use_by_threads(void **state) {
	(void)state;
	pthread_t threads[4];
	gs_uint128 sums[4] = {0}, want = 0;
	assert_false(gs_power10_is_ready());
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sum_of_table, &sums[i]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	sum_of_table(&want);
	for (int i = 0; i < 4; i++)
		assert_true(sums[i] == want && want != 0);
}

static void test_made_once(void **state) {
	(void)state;
	gs_uint128 before = gs_power10(-1);
	assert_true(gs_power10_is_ready());
	gs_power10_make();
	assert_true(gs_power10(-1) == before && before != 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_use_by_threads),
	    cmocka_unit_test(test_positive),
	    cmocka_unit_test(test_negative),
	    cmocka_unit_test(test_made_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
