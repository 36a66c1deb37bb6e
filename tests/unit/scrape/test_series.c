/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "gravel/base/mem.h"
#include "gravel/scrape/series.h"

static uint64_t update(struct gs_series_set *set, const uint64_t *hashes, size_t n) {
	uint64_t added = 12345;
	assert_int_equal(gs_series_set_update(set, hashes, n, &added), GS_OK);
	assert_int_equal(gs_series_set_count(set), n);
	return added;
}

#define UPDATE(set, ...)                                                                                               \
	update((set), (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void test_update_counts_what_is_new(void **state) {
	(void)state;
	struct gs_series_set *set = gs_series_set_new();
	assert_int_equal(update(set, NULL, 0), 0);
	assert_int_equal(UPDATE(set, 1, 2, 3), 3);
	assert_int_equal(UPDATE(set, 1, 2, 3), 0);
	assert_int_equal(UPDATE(set, 3, 1, 2), 0); /* another order */
	assert_int_equal(UPDATE(set, 3, 1), 0); /* a prefix */
	assert_int_equal(UPDATE(set, 3, 1, 2), 1); /* the one that left is back */
	assert_int_equal(UPDATE(set, 3, 9, 1, 2), 1); /* in the middle */
	assert_int_equal(UPDATE(set, 8, 9, 1, 2), 1);
	assert_int_equal(UPDATE(set, 20, 21), 2); /* all other */
	assert_int_equal(update(set, NULL, 0), 0);
	assert_int_equal(UPDATE(set, 20), 1);
	gs_series_set_free(set);
	gs_series_set_free(NULL);
}

static void test_repetitions_count_once(void **state) {
	(void)state;
	struct gs_series_set *set = gs_series_set_new();
	assert_int_equal(UPDATE(set, 5, 5, 6), 2);
	assert_int_equal(UPDATE(set, 5, 6, 6, 7, 7), 1);
	gs_series_set_free(set);
}

static void test_zero_is_a_hash_like_others(void **state) {
	(void)state;
	struct gs_series_set *set = gs_series_set_new();
	assert_int_equal(UPDATE(set, 0, 7), 2);
	assert_int_equal(UPDATE(set, 0, 7), 0);
	assert_int_equal(UPDATE(set, 7, 0), 0);
	gs_series_set_free(set);
}

/* Against the definition, on random sequences. */
static void test_update_agrees_with_the_definition(void **state) {
	(void)state;
	uint64_t before[64], now[64];
	size_t nbefore = 0;
	struct gs_series_set *set = gs_series_set_new();
	srand(7);
	for (int round = 0; round < 2000; round++) {
		size_t n = (size_t)rand() % 64, expected = 0;
		for (size_t i = 0; i < n; i++) {
			bool keep = i < nbefore && rand() % 8 != 0;
			now[i] = keep ? before[i] : 1 + (uint64_t)rand() % 100;
			bool known = false;
			for (size_t j = 0; j < nbefore; j++)
				known |= before[j] == now[i];
			for (size_t j = 0; j < i; j++)
				known |= now[j] == now[i];
			expected += !known;
		}
		assert_int_equal(update(set, now, n), expected);
		for (size_t i = 0; i < n; i++)
			before[i] = now[i];
		nbefore = n;
	}
	gs_series_set_free(set);
}

static void test_memory_is_eight_bytes_a_series(void **state) {
	(void)state;
	uint64_t hashes[1000];
	struct gs_series_set *set = gs_series_set_new();
	size_t empty = gs_series_set_bytes(set);
	assert_true(empty <= 32);
	for (size_t i = 0; i < 1000; i++)
		hashes[i] = i * UINT64_C(0x9e3779b97f4a7c15);
	assert_int_equal(update(set, hashes, 1000), 1000);
	assert_int_equal(gs_series_set_bytes(set), empty + 8000);
	assert_int_equal(update(set, hashes, 10), 0);
	assert_int_equal(gs_series_set_bytes(set), empty + 80);
	gs_series_set_free(set);
}

static void test_same_sequence_takes_no_memory(void **state) {
	(void)state;
	uint64_t hashes[] = {4, 5, 6}, added = 9;
	struct gs_series_set *set = gs_series_set_new();
	assert_int_equal(update(set, hashes, 3), 3);
	gs_mem_fail_after(0);
	assert_int_equal(gs_series_set_update(set, hashes, 3, &added), GS_OK);
	assert_false(gs_mem_failed());
	gs_mem_fail_after(-1);
	assert_int_equal(added, 0);
	gs_series_set_free(set);
}

static void test_update_out_of_memory_keeps_the_set(void **state) {
	(void)state;
	uint64_t old[] = {1, 2, 3}, fresh[] = {1, 9, 3, 4}, added = 0;
	for (int n = 0;; n++) {
		struct gs_series_set *set = gs_series_set_new();
		assert_int_equal(update(set, old, 3), 3);
		gs_mem_fail_after(n);
		enum gs_status status = gs_series_set_update(set, fresh, 4, &added);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		/* That the last, shrinking realloc may fail is no failure. */
		if (status == GS_OK)
			assert_int_equal(added, 2);
		else
			assert_int_equal(update(set, old, 3), 0);
		gs_series_set_free(set);
		assert_true(failed || status == GS_OK);
		if (!failed)
			break;
		assert_true(n < 10);
	}
}

struct seen {
	uint64_t samples;
	uint64_t added;
};

/* A scrape: good, or broken off where its body is none. */
static enum gs_status scrape(struct gs_series_set *set, const char *body, struct seen *seen) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_series_run run;
	struct gs_expo_event event;
	enum gs_status status;
	*seen = (struct seen){0, 99};
	gs_series_run_begin(&run, set);
	gs_expo_begin_text(parser, gs_str_of(body));
	while ((status = gs_expo_next(parser, &event, NULL)) == GS_OK && event.kind != GS_EXPO_END) {
		if (event.kind == GS_EXPO_SAMPLE) {
			seen->samples++;
			assert_int_equal(gs_series_run_add(&run, &event), GS_OK);
		}
	}
	if (status == GS_OK)
		status = gs_series_run_end(&run, set, &seen->added);
	gs_series_run_drop(&run);
	gs_expo_parser_free(parser);
	return status;
}

static struct seen good(struct gs_series_set *set, const char *body) {
	struct seen seen;
	assert_int_equal(scrape(set, body, &seen), GS_OK);
	return seen;
}

static void test_a_run_counts_samples_and_what_is_new(void **state) {
	(void)state;
	struct gs_series_set *set = gs_series_set_new();
	struct seen s = good(set, "# TYPE a counter\na 1\nb{x=\"1\"} 2\nb{x=\"2\"} 3 1000\n");
	assert_int_equal(s.samples, 3);
	assert_int_equal(s.added, 3);
	s = good(set, "a 7\n# HELP b help\nb{x=\"1\"} 8\nb{x=\"2\"} 9\n"); /* values and comments do not matter */
	assert_int_equal(s.samples, 3);
	assert_int_equal(s.added, 0);
	assert_int_equal(good(set, "a 7\nb{x=\"1\"} 8\nb{x=\"3\"} 9\n").added, 1);
	s = good(set, "");
	assert_int_equal(s.samples, 0);
	assert_int_equal(s.added, 0);
	assert_int_equal(good(set, "a 7\n").added, 1);
	gs_series_set_free(set);
}

/* The set is that of the last good scrape. */
static void test_a_run_that_is_dropped_changes_nothing(void **state) {
	(void)state;
	struct gs_series_set *set = gs_series_set_new();
	struct seen s;
	assert_int_equal(good(set, "a 1\nz 1\n").added, 2);
	assert_int_equal(scrape(set, "a 1\nb 2\nc zzz\n", &s), GS_EINVAL);
	assert_int_equal(gs_series_set_count(set), 2);
	assert_int_equal(good(set, "a 1\nz 1\n").added, 0);
	gs_series_set_free(set);
}

static void test_a_run_out_of_memory(void **state) {
	(void)state;
	struct gs_series_set *set = gs_series_set_new();
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE, .series = GS_STR("a")};
	struct gs_series_run run;
	gs_series_run_begin(&run, set);
	gs_mem_fail_after(0);
	assert_int_equal(gs_series_run_add(&run, &event), GS_ENOMEM);
	gs_mem_fail_after(-1);
	gs_series_run_drop(&run);
	assert_int_equal(gs_series_set_count(set), 0);
	gs_series_set_free(set);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_update_counts_what_is_new),
	    cmocka_unit_test(test_repetitions_count_once),
	    cmocka_unit_test(test_zero_is_a_hash_like_others),
	    cmocka_unit_test(test_update_agrees_with_the_definition),
	    cmocka_unit_test(test_memory_is_eight_bytes_a_series),
	    cmocka_unit_test(test_same_sequence_takes_no_memory),
	    cmocka_unit_test(test_update_out_of_memory_keeps_the_set),
	    cmocka_unit_test(test_a_run_counts_samples_and_what_is_new),
	    cmocka_unit_test(test_a_run_that_is_dropped_changes_nothing),
	    cmocka_unit_test(test_a_run_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
