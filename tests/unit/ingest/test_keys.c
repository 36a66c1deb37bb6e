/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <string.h>

#include "../../../lib/ingest/keys.h"
#include "gravel/base/mem.h"

static struct gs_key_hash number(unsigned i) {
	char text[32];
	int n = snprintf(text, sizeof(text), "key %u", i);
	return gs_key_hash(gs_str_make(text, (size_t)n));
}

static void add(struct gs_push_keys *keys, unsigned i, int64_t time_ms) {
	assert_false(gs_push_keys_has(keys, number(i)));
	assert_int_equal(gs_push_keys_reserve(keys), GS_OK);
	gs_push_keys_add(keys, number(i), time_ms);
	assert_true(gs_push_keys_has(keys, number(i)));
}

/* It stands in files: it must never be another. */
static void test_hash_is_stable(void **state) {
	(void)state;
	struct gs_key_hash hash = gs_key_hash(GS_STR("a"));
	assert_true(hash.a == UINT64_C(0xcdff162b4f6b9c6f));
	assert_true(hash.b == UINT64_C(0x7f9be92fc8404db2));
}

static void test_window(void **state) {
	(void)state;
	struct gs_push_keys *keys = gs_push_keys_new(100, 1000);
	assert_false(gs_push_keys_has(keys, number(0)));
	gs_push_keys_forget(keys, 1000);
	add(keys, 0, 1000);
	add(keys, 1, 1050);
	add(keys, 2, 1040); /* counts as 1050 */
	gs_push_keys_forget(keys, 1100);
	assert_int_equal(gs_push_keys_held(keys), 3);
	gs_push_keys_forget(keys, 1101);
	assert_int_equal(gs_push_keys_held(keys), 2);
	assert_false(gs_push_keys_has(keys, number(0)));
	gs_push_keys_forget(keys, 1150);
	assert_true(gs_push_keys_has(keys, number(2)));
	gs_push_keys_forget(keys, 1151);
	assert_int_equal(gs_push_keys_held(keys), 0);
	gs_push_keys_check(keys);
	gs_push_keys_free(keys);
	gs_push_keys_free(NULL);
}

/* The ring goes round and grows in the middle of it, the table closes its gaps: against what must be there. */
static void test_many(void **state) {
	(void)state;
	struct gs_push_keys *keys = gs_push_keys_new(300, 500);
	unsigned first = 0;
	for (unsigned i = 0; i < 5000; i++) {
		add(keys, i, i);
		gs_push_keys_forget(keys, i);
		if (i % 7 == 0)
			gs_push_keys_forget(keys, i + (i / 1000) * 50);
		unsigned kept = (unsigned)gs_push_keys_held(keys);
		first = i + 1 - kept;
		assert_true(kept <= 301);
		if (i % 97 != 0)
			continue;
		gs_push_keys_check(keys);
		for (unsigned k = first > 20 ? first - 20 : 0; k <= i; k++)
			assert_int_equal(gs_push_keys_has(keys, number(k)), k >= first);
	}
	gs_push_keys_free(keys);
}

static void test_bound(void **state) {
	(void)state;
	struct gs_push_keys *keys = gs_push_keys_new(1000000, 100);
	for (unsigned i = 0; i < 1000; i++)
		add(keys, i, 5);
	assert_int_equal(gs_push_keys_held(keys), 100);
	assert_false(gs_push_keys_has(keys, number(899)));
	assert_true(gs_push_keys_has(keys, number(900)));
	gs_push_keys_check(keys);
	gs_push_keys_free(keys);
}

static void test_saved(void **state) {
	(void)state;
	struct gs_push_keys *keys = gs_push_keys_new(1000, 1000), *copy = gs_push_keys_new(1000, 1000);
	unsigned char bytes[200][GS_KEY_SAVED], again[GS_KEY_SAVED];
	for (unsigned i = 0; i < 300; i++)
		add(keys, i, i * 5);
	gs_push_keys_forget(keys, 1500);
	assert_int_equal(gs_push_keys_held(keys), 200);
	for (size_t i = 0; i < 200; i++) {
		gs_push_keys_save(keys, i, bytes[i]);
		assert_int_equal(gs_push_keys_load(copy, bytes[i]), GS_OK);
	}
	gs_push_keys_check(copy);
	for (size_t i = 0; i < 200; i++) {
		gs_push_keys_save(copy, i, again);
		assert_memory_equal(again, bytes[i], GS_KEY_SAVED);
	}
	assert_int_equal(gs_push_keys_load(copy, bytes[199]), GS_EINVAL); /* there already */
	gs_push_keys_forget(copy, 100000);
	assert_int_equal(gs_push_keys_load(copy, bytes[7]), GS_OK);
	assert_int_equal(gs_push_keys_load(copy, bytes[6]), GS_EINVAL); /* older */
	gs_push_keys_free(keys);
	gs_push_keys_free(copy);
}

static void test_no_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int64_t n = 0; failed; n++) {
		gs_mem_fail_after(n);
		struct gs_push_keys *keys = gs_push_keys_new(1000, 1000);
		for (unsigned i = 0; keys != NULL && i < 130; i++) {
			if (gs_push_keys_reserve(keys) == GS_OK)
				gs_push_keys_add(keys, number(i), 1);
		}
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (keys != NULL) {
			assert_int_equal(gs_push_keys_held(keys), failed ? 129 : 130);
			gs_push_keys_check(keys);
		}
		gs_push_keys_free(keys);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hash_is_stable),
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_saved),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
