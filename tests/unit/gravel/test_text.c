/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../lib/gravel/store_internal.h"
#include "gravel/base/hash.h"
#include "gravel_test.h"

#define MANY 20000

static uint32_t hash_of(struct gs_str s) {
	return (uint32_t)gs_hash(s);
}

static uint32_t get(struct gs_store *store, struct gs_str s) {
	return gs_text_get(store, s, hash_of(s), false);
}

/* Of all sizes, the ones that no class has too: the same text has the same number, and keeps its bytes. */
static void test_sizes(void **state) {
	(void)state;
	struct gs_store *store = gs_store_new(&(struct gs_store_options){0});
	static char bytes[10000];
	static uint32_t numbers[sizeof(bytes)];
	memset(bytes, 'x', sizeof(bytes));
	for (size_t n = 1; n < sizeof(bytes); n += n < 300 ? 1 : 97) {
		numbers[n] = get(store, gs_str_make(bytes, n));
		assert_int_not_equal(numbers[n], 0);
	}
	for (size_t n = 1; n < sizeof(bytes); n += n < 300 ? 1 : 97) {
		struct gs_str s = gs_str_make(bytes, n);
		assert_int_equal(get(store, s), numbers[n]);
		assert_int_equal(gs_text_at(store, numbers[n])->refs, 2);
		assert_true(gs_str_eq(gs_text_str(gs_text_at(store, numbers[n])), s));
	}
	gs_texts_check(store);
	for (size_t n = 1; n < sizeof(bytes); n += n < 300 ? 1 : 97) {
		gs_text_put(store, numbers[n]);
		assert_int_equal(
		    gs_text_find(store, gs_str_make(bytes, n), hash_of(gs_str_make(bytes, n))), numbers[n]);
		gs_text_put(store, numbers[n]);
		assert_int_equal(gs_text_find(store, gs_str_make(bytes, n), hash_of(gs_str_make(bytes, n))), 0);
	}
	gs_texts_check(store);
	gs_store_free(store);
}

/* Coming and going in every order, in a memory that does not grow. */
static void test_churn(void **state) {
	(void)state;
	struct gs_store *store = gs_store_new(&(struct gs_store_options){0});
	static uint32_t numbers[MANY];
	char text[64];
	size_t bytes = 0;
	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < MANY; i++) {
			int n = snprintf(text, sizeof(text), "a=\"%d\",b=\"%d\"", round, i);
			numbers[i] = get(store, gs_str_make(text, (size_t)n));
		}
		assert_true(round < 1 || gs_store_stats(store).bytes <= bytes * 101 / 100);
		if (round == 0)
			bytes = gs_store_stats(store).bytes;
		gs_texts_check(store);
		for (int i = 0; i < MANY; i++)
			gs_text_put(store, numbers[(i * 7919) % MANY]);
		assert_int_equal(store->ntexts, 1);
	}
	gs_store_free(store);
}

static void test_no_memory(void **state) {
	(void)state;
	struct gs_store *store = gs_store_new(&(struct gs_store_options){0});
	char large[6000];
	memset(large, 'y', sizeof(large));
	static const size_t sizes[] = {3000, 6000};
	for (size_t i = 0; i < 2; i++) {
		uint32_t number = 0;
		int64_t n = 0;
		for (; number == 0; n++) {
			gs_mem_fail_after(n);
			number = get(store, gs_str_make(large, sizes[i]));
			gs_mem_fail_after(-1);
			gs_texts_check(store);
		}
		assert_true(n > 1);
		gs_text_put(store, number);
	}
	gs_store_free(store);
}

static void test_labels_as_they_are_meant(void **state) {
	(void)state;
	struct bench b;
	struct gs_label labels[8];
	bench_open(&b, &(struct gs_store_options){0});
	assert_pushed(&b, "{\"m\",\"a.b\"=\"1\\\\2\",instance=\"i\\\"\",c=\"\\n\"} 1\n");
	const struct series *series = gs_series_at(b.store, gs_family_find(b.store, GS_STR("m"))->series[0]);
	assert_int_equal(gs_text_labels(b.store, series, labels, 8), 3);
	assert_true(gs_str_eq(labels[0].name, GS_STR("instance")) && gs_str_eq(labels[0].value, GS_STR("i\"")));
	assert_true(gs_str_eq(labels[1].name, GS_STR("a.b")) && gs_str_eq(labels[1].value, GS_STR("1\\2")));
	assert_true(gs_str_eq(labels[2].name, GS_STR("c")) && gs_str_eq(labels[2].value, GS_STR("\n")));
	assert_int_equal(gs_text_labels(b.store, series, labels, 2), 2);
	bench_close(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_churn),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_labels_as_they_are_meant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
