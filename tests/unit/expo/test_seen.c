/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of what stood in an exposition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/expo/seen.h"
#include "gravel/base/mem.h"

static uint64_t key_of(uint64_t i) {
	return gs_expo_seen_key(GS_SEEN_SERIES, i, 7);
}

static void add(struct gs_expo_seen *seen, uint64_t key, bool expected) {
	bool again = !expected;
	assert_int_equal(gs_expo_seen_add(seen, key, &again), GS_OK);
	assert_int_equal(again, expected);
}

static void test_set(void **state) {
	(void)state;
	struct gs_expo_seen *seen = gs_expo_seen_new();
	assert_non_null(seen);
	assert_false(gs_expo_seen_has(seen, key_of(0)));
	for (uint64_t i = 0; i < 5000; i++) {
		assert_false(gs_expo_seen_has(seen, key_of(i)));
		add(seen, key_of(i), false);
		add(seen, key_of(i / 2), true);
	}
	gs_expo_seen_check(seen);
	for (uint64_t i = 0; i < 5000; i++)
		assert_true(gs_expo_seen_has(seen, key_of(i)));
	for (uint64_t i = 5000; i < 10000; i++)
		assert_false(gs_expo_seen_has(seen, key_of(i)));
	gs_expo_seen_free(seen);
	gs_expo_seen_free(NULL);
}

/* Keys that all begin at the same slot, and the one that stands for a free slot. */
static void test_collisions(void **state) {
	(void)state;
	struct gs_expo_seen *seen = gs_expo_seen_new();
	add(seen, 0, false);
	add(seen, 0, true);
	for (uint64_t i = 1; i < 1000; i++)
		add(seen, i << 40, false);
	gs_expo_seen_check(seen);
	for (uint64_t i = 1; i < 1000; i++)
		add(seen, i << 40, true);
	assert_false(gs_expo_seen_has(seen, UINT64_C(1000) << 40));
	gs_expo_seen_free(seen);
}

/* Small and large tables are empty afterwards, and of use. */
static void test_clear(void **state) {
	(void)state;
	static const uint64_t counts[] = {0, 1, 300, 100000};
	struct gs_expo_seen *seen = gs_expo_seen_new();
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		for (uint64_t i = 0; i < counts[c]; i++)
			add(seen, key_of(i), false);
		gs_expo_seen_clear(seen);
		gs_expo_seen_check(seen);
		for (uint64_t i = 0; i < counts[c]; i++)
			assert_false(gs_expo_seen_has(seen, key_of(i)));
	}
	add(seen, key_of(1), false);
	add(seen, key_of(1), true);
	gs_expo_seen_free(seen);
}

static void test_no_memory(void **state) {
	(void)state;
	bool again;
	gs_mem_fail_after(0);
	assert_null(gs_expo_seen_new());
	assert_true(gs_mem_failed());
	gs_mem_fail_after(-1);
	struct gs_expo_seen *seen = gs_expo_seen_new();
	/* The n-th growth fails: what was there before stays, and the next try is as if it had not been. */
	uint64_t i = 0;
	for (int failures = 0; failures < 6; i++) {
		gs_mem_fail_after(0);
		enum gs_status status = gs_expo_seen_add(seen, key_of(i), &again);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		gs_expo_seen_check(seen);
		assert_int_equal(gs_expo_seen_has(seen, key_of(i)), !failed);
		add(seen, key_of(i), !failed);
		failures += failed;
	}
	assert_int_equal(i, 256 * 16 * 3 / 4 + 1);
	for (uint64_t j = 0; j < i; j++)
		assert_true(gs_expo_seen_has(seen, key_of(j)));
	gs_expo_seen_free(seen);
}

static uint64_t hash(const char *const *words, size_t n, size_t except) {
	struct gs_label labels[8];
	for (size_t i = 0; i < n; i++)
		labels[i] = (struct gs_label){.name = gs_str_of(words[2 * i]), .value = gs_str_of(words[2 * i + 1])};
	return gs_expo_hash_labels(labels, n, except);
}

/* The hash is that of a set of pairs. */
static void test_hash_labels(void **state) {
	(void)state;
	static const char *const a[] = {"a", "1", "b", "2", "le", "3"};
	static const char *const order[] = {"le", "3", "b", "2", "a", "1"};
	static const char *const swapped[] = {"a", "2", "b", "1", "le", "3"};
	static const char *const inverse[] = {"1", "a", "2", "b", "3", "le"};
	static const char *const moved[] = {"a1", "", "b", "2", "le", "3"};
	static const char *const empty[] = {"a", ""};
	assert_true(hash(a, 3, 3) == hash(order, 3, 3));
	assert_true(hash(a, 3, 2) == hash(order, 3, 0));
	assert_true(hash(a, 3, 2) == hash(a, 2, 2));
	assert_true(hash(a, 3, 3) != hash(a, 2, 2));
	assert_true(hash(a, 3, 3) != hash(swapped, 3, 3));
	assert_true(hash(a, 3, 3) != hash(inverse, 3, 3));
	assert_true(hash(a, 3, 3) != hash(moved, 3, 3));
	assert_true(hash(a, 1, 0) == hash(a, 0, 0));
	assert_true(hash(empty, 1, 1) != hash(a, 0, 0));
}

static void test_keys(void **state) {
	(void)state;
	assert_true(gs_expo_seen_key(GS_SEEN_TYPE, 1, 2) == gs_expo_seen_key(GS_SEEN_TYPE, 1, 2));
	assert_true(gs_expo_seen_key(GS_SEEN_TYPE, 1, 2) != gs_expo_seen_key(GS_SEEN_HELP, 1, 2));
	assert_true(gs_expo_seen_key(GS_SEEN_TYPE, 1, 2) != gs_expo_seen_key(GS_SEEN_TYPE, 2, 1));
	assert_true(gs_expo_seen_key(GS_SEEN_TYPE, 1, 2) != gs_expo_seen_key(GS_SEEN_TYPE, 2, 2));
	assert_true(gs_expo_seen_key(GS_SEEN_TYPE, 1, 2) != gs_expo_seen_key(GS_SEEN_TYPE, 1, 1));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set),
	    cmocka_unit_test(test_collisions),
	    cmocka_unit_test(test_clear),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_hash_labels),
	    cmocka_unit_test(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
