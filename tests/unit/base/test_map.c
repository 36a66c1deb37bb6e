/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gravel/base/map.h"
#include "gravel/base/mem.h"

#define KEYS 2000

/* Keys that live as long as any map of these tests, and a plain model to compare with. */
static char keys[KEYS][12];
static int values[KEYS];

static struct gs_str key_of(size_t i) {
	snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
	return gs_str_of(keys[i]);
}

static void test_empty(void **state) {
	(void)state;
	struct gs_map *map = gs_map_new(10);
	size_t cursor = 0;
	assert_null(gs_map_get(map, GS_STR("a")));
	assert_null(gs_map_remove(map, GS_STR("a")));
	assert_null(gs_map_next(map, &cursor, NULL));
	assert_int_equal(gs_map_count(map), 0);
	gs_map_check(map);
	gs_map_free(map);
	gs_map_free(NULL);
}

static void test_put_replaces(void **state) {
	(void)state;
	struct gs_map *map = gs_map_new(1);
	char other[] = "k0";
	struct gs_str key;
	size_t cursor = 0;
	assert_int_equal(gs_map_put(map, key_of(0), &values[0]), GS_OK);
	assert_int_equal(gs_map_put(map, gs_str_of(other), &values[1]), GS_OK); /* also when full */
	assert_int_equal(gs_map_count(map), 1);
	assert_ptr_equal(gs_map_next(map, &cursor, &key), &values[1]);
	assert_ptr_equal(key.p, other); /* the key is replaced too: the old one may go away */
	gs_map_check(map);
	gs_map_free(map);
}

static void test_clear(void **state) {
	(void)state;
	struct gs_map *map = gs_map_new(3);
	char gone[] = "gone";
	gs_map_clear(map);
	assert_int_equal(gs_map_put(map, gs_str_of(gone), &values[0]), GS_OK);
	assert_int_equal(gs_map_put(map, key_of(1), &values[1]), GS_OK);
	gone[0] = 'x'; /* the key has changed under the entry */
	gs_map_clear(map);
	gs_map_check(map);
	assert_int_equal(gs_map_count(map), 0);
	assert_null(gs_map_get(map, key_of(1)));
	assert_int_equal(gs_map_put(map, key_of(1), &values[1]), GS_OK);
	gs_map_check(map);
	gs_map_free(map);
}

static void test_keys_by_bytes(void **state) {
	(void)state;
	struct gs_map *map = gs_map_new(10);
	assert_int_equal(gs_map_put(map, GS_STR("a"), &values[0]), GS_OK);
	assert_int_equal(gs_map_put(map, GS_STR("a\0"), &values[1]), GS_OK);
	assert_int_equal(gs_map_put(map, (struct gs_str){0}, &values[2]), GS_OK);
	assert_ptr_equal(gs_map_get(map, GS_STR("a")), &values[0]);
	assert_ptr_equal(gs_map_get(map, GS_STR("a\0")), &values[1]);
	assert_ptr_equal(gs_map_get(map, gs_str_make("", 0)), &values[2]);
	gs_map_free(map);
}

static void test_max(void **state) {
	(void)state;
	struct gs_map *map = gs_map_new(3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(gs_map_put(map, key_of(i), &values[i]), GS_OK);
	assert_int_equal(gs_map_put(map, key_of(3), &values[3]), GS_ELIMIT);
	assert_null(gs_map_get(map, key_of(3)));
	assert_ptr_equal(gs_map_remove(map, key_of(1)), &values[1]);
	assert_int_equal(gs_map_put(map, key_of(3), &values[3]), GS_OK);
	gs_map_check(map);
	gs_map_free(map);
}

/* Random puts and removes against an array of flags. */
static void test_against_model(void **state) {
	(void)state;
	struct gs_map *map = gs_map_new(KEYS);
	bool in[KEYS] = {false};
	size_t count = 0;
	uint32_t x = 1;
	for (int step = 0; step < 60000; step++) {
		x = x * 1664525 + 1013904223;
		size_t i = (x >> 8) % (step < 20000 ? 50 : KEYS);
		if ((x >> 28) % 2 != 0) {
			assert_int_equal(gs_map_put(map, key_of(i), &values[i]), GS_OK);
			count += !in[i];
			in[i] = true;
		} else {
			assert_ptr_equal(gs_map_remove(map, key_of(i)), in[i] ? &values[i] : NULL);
			count -= in[i];
			in[i] = false;
		}
		assert_int_equal(gs_map_count(map), count);
		if (step % 1000 == 0)
			gs_map_check(map);
	}
	for (size_t i = 0; i < KEYS; i++)
		assert_ptr_equal(gs_map_get(map, key_of(i)), in[i] ? &values[i] : NULL);
	gs_map_check(map);
	gs_map_free(map);
}

/* Churn at a constant size must not grow the table for ever. */
static void test_tombstones_do_not_pile_up(void **state) {
	(void)state;
	struct gs_map *map = gs_map_new(KEYS);
	for (size_t i = 0; i < 200000; i++) {
		assert_int_equal(gs_map_put(map, key_of(i % KEYS), &values[i % KEYS]), GS_OK);
		if (i >= 10)
			assert_non_null(gs_map_remove(map, key_of((i - 10) % KEYS)));
	}
	assert_int_equal(gs_map_count(map), 10);
	assert_in_range(gs_map_bytes(map), 1, 8192);
	gs_map_check(map);
	gs_map_free(map);
}

static void test_iteration_with_removal(void **state) {
	(void)state;
	struct gs_map *map = gs_map_new(KEYS);
	int seen[KEYS] = {0};
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(gs_map_put(map, key_of(i), &values[i]), GS_OK);
	size_t cursor = 0, steps = 0;
	struct gs_str key;
	for (int *v = gs_map_next(map, &cursor, &key); v != NULL; v = gs_map_next(map, &cursor, &key)) {
		seen[v - values]++;
		assert_true(gs_str_eq(key, gs_str_of(keys[v - values])));
		if (steps++ % 2 == 0)
			assert_ptr_equal(gs_map_remove(map, key), v);
	}
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(gs_map_count(map), KEYS / 2);
	gs_map_check(map);
	gs_map_free(map);
}

static void test_no_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int n = 0; failed; n++) {
		gs_mem_fail_after(n);
		struct gs_map *map = gs_map_new(KEYS);
		size_t refused = 0;
		for (size_t i = 0; map != NULL && i < KEYS; i++) {
			enum gs_status status = gs_map_put(map, key_of(i), &values[i]);
			assert_true(status == GS_OK || status == GS_ENOMEM);
			assert_ptr_equal(gs_map_get(map, key_of(i)), status == GS_OK ? &values[i] : NULL);
			refused += status != GS_OK;
		}
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (map != NULL) {
			assert_int_equal(refused, failed);
			assert_int_equal(gs_map_count(map), KEYS - refused);
			gs_map_check(map);
		}
		gs_map_free(map);
		assert_in_range(n, 0, 50);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_put_replaces),
	    cmocka_unit_test(test_clear),
	    cmocka_unit_test(test_keys_by_bytes),
	    cmocka_unit_test(test_max),
	    cmocka_unit_test(test_against_model),
	    cmocka_unit_test(test_tombstones_do_not_pile_up),
	    cmocka_unit_test(test_iteration_with_removal),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
