/* SPDX-License-Identifier: Apache-2.0 */
#include "../../../lib/gravel/store_internal.h"
#include "gravel_test.h"

static const struct gs_store_options plain = {0};

static struct gs_family_view view(struct bench *b, const char *name) {
	struct gs_family_view view;
	assert_true(gs_store_family(b->store, gs_str_of(name), &view));
	return view;
}

/* Order survives additions and removals at every place, with rendering in between or not. */
static void test_order(void **state) {
	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		struct bench b;
		bool there[26] = {0};
		unsigned random = seed * 2654435761U + 1;
		bench_open(&b, &plain);
		assert_pushed(&b, "m 0\n");
		for (int step = 0; step < 60; step++) {
			random = random * 1664525 + 1013904223;
			unsigned i = random >> 16 & 0xff;
			char text[64], expected[2048] = "# TYPE m untyped\nm 0\n";
			struct gs_label label = {GS_STR("l"), gs_str_make(&"abcdefghijklmnopqrstuvwxyz"[i % 26], 1)};
			if (i < 150) {
				snprintf(text, sizeof(text), "m{l=\"%c\"} 0\n", 'a' + (char)(i % 26));
				assert_pushed(&b, text);
				there[i % 26] = true;
			} else {
				assert_int_equal(gs_store_delete(b.store, &label, 1, &b.result), GS_OK);
				assert_int_equal(b.result.series_gone, there[i % 26]);
				there[i % 26] = false;
			}
			gs_store_check(b.store);
			if ((random & 3) != 0)
				continue;
			size_t n = strlen(expected);
			for (int c = 0; c < 26; c++) {
				if (there[c])
					n += (size_t)snprintf(
					    expected + n, sizeof(expected) - n, "m{l=\"%c\"} 0\n", 'a' + c);
			}
			assert_exposition(&b, expected);
		}
		bench_close(&b);
	}
}

/* Without memory for a merge all of it is sorted. */
static void test_sort_without_memory(void **state) {
	(void)state;
	struct bench b;
	bench_open(&b, &plain);
	assert_pushed(&b, "m{l=\"b\"} 1\nm{l=\"d\"} 2\n");
	struct family *family = gs_family_find(b.store, GS_STR("m"));
	gs_family_sort(b.store, family);
	assert_pushed(&b, "m{l=\"a\"} 3\nm{l=\"c\"} 4\n");
	gs_mem_fail_after(0);
	gs_family_sort(b.store, family);
	assert_true(gs_mem_failed());
	gs_mem_fail_after(-1);
	assert_exposition(&b, "# TYPE m untyped\nm{l=\"a\"} 3\nm{l=\"b\"} 1\nm{l=\"c\"} 4\nm{l=\"d\"} 2\n");
	bench_close(&b);
}

/* A version is another one exactly when something else is written, and never one that was there before. */
static void test_versions(void **state) {
	(void)state;
	struct bench b;
	struct gs_label x1 = {GS_STR_INIT("x"), GS_STR_INIT("1")};
	static const struct {
		const char *body;
		bool changes;
	} steps[] = {
	    {"# TYPE g gauge\ng{x=\"1\"} 1\n", true},
	    {"# TYPE g gauge\ng{x=\"1\"} 1\n", false},
	    {"# TYPE g gauge\ng{x=\"1\"} 2\n", true},
	    {"# TYPE g gauge\ng{x=\"1\"} NaN\n", true},
	    {"# TYPE g gauge\ng{x=\"1\"} NaN\n", false},
	    {"# HELP g a\n# TYPE g gauge\ng{x=\"1\"} NaN\n", true},
	    {"# HELP g a\n# TYPE g gauge\ng{x=\"1\"} NaN\n", false},
	    {"# TYPE g gauge\ng{x=\"2\"} 0\n", true},
	    {"# TYPE g gauge\ng{x=\"2\"} -0\n", true},
	    {"# TYPE g gauge\ng{x=\"1\",clearmode=\"replace\"} 5 1000\n", true},
	    {"# TYPE g gauge\ng{x=\"1\",clearmode=\"replace\"} 6 999\n", false},
	    {"# TYPE g gauge\ng{x=\"1\",clearmode=\"sum5m\"} 6\n", true},
	    {"# TYPE other gauge\nother 6\n", false},
	};
	uint64_t last = 0;
	bench_open(&b, &plain);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_pushed(&b, steps[i].body);
		uint64_t version = view(&b, "g").version;
		assert_true(steps[i].changes ? version > last : version == last);
		last = version;
	}
	assert_true(view(&b, "g").timed);
	assert_false(view(&b, "other").timed);
	assert_int_equal(gs_store_delete(b.store, &x1, 1, &b.result), GS_OK);
	assert_true(view(&b, "g").version > last);
	assert_false(view(&b, "g").timed);
	last = view(&b, "g").version;
	assert_int_equal(gs_store_delete(b.store, NULL, 0, &b.result), GS_OK);
	assert_pushed(&b, "# TYPE g gauge\ng{x=\"2\"} 0\n");
	assert_true(view(&b, "g").version > last);
	bench_close(&b);
}

static void test_histograms_that_stay_the_same(void **state) {
	(void)state;
	struct bench b;
	static const char *const body =
	    "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
	bench_open(&b, &plain);
	assert_int_equal(scrape_at(&b, "1", T0, body), GS_OK);
	uint64_t version = view(&b, "h").version;
	assert_int_equal(scrape_at(&b, "1", T0 + 1, body), GS_OK);
	assert_int_equal(view(&b, "h").version, version);
	assert_int_equal(scrape_at(&b, "1", T0 + 2,
			     "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 4\nh_count 2\n"),
	    GS_OK);
	assert_true(view(&b, "h").version > version);
	bench_close(&b);
}

static void test_names(void **state) {
	(void)state;
	struct bench b;
	struct gs_family_view v;
	bench_open(&b, &plain);
	assert_false(gs_store_family_next(b.store, GS_STR(""), &v));
	assert_pushed(&b, "b 1\na 1\nc{x=\"1\"} 1\nc{x=\"2\"} 1\n");
	static const char *const names[] = {"a", "b", "c"};
	struct gs_str after = {0};
	for (size_t i = 0; i < 3; i++) {
		assert_true(gs_store_family_next(b.store, after, &v));
		assert_true(gs_str_eq(v.name, gs_str_of(names[i])));
		assert_int_equal(v.series, i == 2 ? 2 : 1);
		after = v.name;
	}
	assert_false(gs_store_family_next(b.store, after, &v));
	assert_false(gs_store_family(b.store, GS_STR("d"), &v));
	bench_close(&b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_sort_without_memory),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_histograms_that_stay_the_same),
	    cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
