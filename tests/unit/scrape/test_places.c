/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/mem.h"
#include "places.h"

static size_t take(struct gs_places *places, const char *url) {
	size_t place = SIZE_MAX;
	assert_int_equal(gs_places_take(places, url, &place), GS_OK);
	gs_places_check(places);
	return place;
}

static void give(struct gs_places *places, size_t place) {
	gs_places_give(places, place);
	gs_places_check(places);
}

static void test_places_rise_from_zero(void **state) {
	(void)state;
	struct gs_places *places = gs_places_new();
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(take(places, "http://a/"), i);
	assert_int_equal(gs_places_count(places), 300);
	gs_places_free(places);
	gs_places_free(NULL);
}

static void test_the_place_of_an_origin_is_for_those_who_follow(void **state) {
	(void)state;
	struct gs_places *places = gs_places_new();
	size_t a = take(places, "http://a:1/metrics"), b = take(places, "http://b:1/metrics");
	size_t a2 = take(places, "http://a:1/other"), c = take(places, "https://a:1/metrics");
	give(places, a);
	give(places, b);
	give(places, a2);
	give(places, c);
	assert_int_equal(take(places, "http://b:1/new?x"), b);
	assert_int_equal(take(places, "http://a:1"), a2); /* the one whose connection is younger */
	assert_int_equal(take(places, "https://a:1/"), c);
	assert_int_equal(take(places, "http://a:1/"), a);
	assert_int_equal(take(places, "http://a:1/"), 4);
	gs_places_free(places);
}

static void test_a_stranger_takes_what_is_free(void **state) {
	(void)state;
	struct gs_places *places = gs_places_new();
	size_t a = take(places, "http://a/"), b = take(places, "http://a/b"), c = take(places, "http://c/");
	give(places, a);
	give(places, b);
	assert_int_equal(take(places, "http://d/"), b);
	assert_int_equal(take(places, "http://a/"), a);
	assert_int_equal(take(places, "http://a/"), 3);
	give(places, c);
	assert_int_equal(take(places, "http://e/"), c);
	assert_int_equal(gs_places_count(places), 4);
	gs_places_free(places);
}

/* Whatever comes and goes, nobody shares a place, and no more places are made than targets were there at once. */
static void test_any_order(void **state) {
	(void)state;
	enum { TARGETS = 100 };
	struct gs_places *places = gs_places_new();
	size_t held[TARGETS];
	bool in[TARGETS] = {false}, used[TARGETS] = {false};
	srand(3);
	for (int i = 0; i < 20000; i++) {
		int t = rand() % TARGETS;
		char url[32];
		snprintf(url, sizeof(url), "http://h%d/", rand() % 20);
		if (in[t]) {
			give(places, held[t]);
			used[held[t]] = false;
		} else {
			held[t] = take(places, url);
			assert_true(held[t] < TARGETS && !used[held[t]]);
			used[held[t]] = true;
		}
		in[t] = !in[t];
	}
	gs_places_free(places);
}

static void test_out_of_memory(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		enum gs_status status = GS_ENOMEM;
		size_t held[40], taken = 0, again;
		char url[32];
		gs_mem_fail_after(n);
		struct gs_places *places = gs_places_new();
		for (; places != NULL && taken < 40; taken++) {
			snprintf(url, sizeof(url), "http://h%zu/", taken / 2);
			status = gs_places_take(places, url, &held[taken]);
			if (status != GS_OK)
				break;
		}
		/* What is given back is back, remembered or not. */
		for (size_t i = 0; i < taken; i++)
			give(places, held[i]);
		for (size_t i = 0; i < taken; i++)
			assert_int_equal(gs_places_take(places, "http://h1/", &again), GS_OK);
		assert_true(places == NULL || gs_places_count(places) == taken);
		gs_places_free(places);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_true(n > 3);
			return;
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_places_rise_from_zero),
	    cmocka_unit_test(test_the_place_of_an_origin_is_for_those_who_follow),
	    cmocka_unit_test(test_a_stranger_takes_what_is_free),
	    cmocka_unit_test(test_any_order),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
