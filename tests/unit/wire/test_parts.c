/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/wire/wire.h"

#define MEGA ((size_t)1024 * 1024)

static struct gs_wire_joiner *joiner;
static struct gs_str body;
static size_t dropped; /* of the last add */
static size_t dropped_total;

static int setup(void **state) {
	(void)state;
	joiner = gs_wire_joiner_new(MEGA);
	dropped_total = 0;
	return joiner != NULL ? 0 : -1;
}

static int teardown(void **state) {
	(void)state;
	gs_wire_joiner_free(joiner);
	return 0;
}

static struct gs_wire_group group_of(const char *instance) {
	return (struct gs_wire_group){GS_STR("dc1"), GS_STR("node"), gs_str_of(instance)};
}

static enum gs_wire_joined add_slice(
    const char *instance, int64_t time_ms, uint32_t part, uint32_t parts, struct gs_str bytes) {
	struct gs_wire_group group = group_of(instance);
	struct gs_wire_header header = {
	    .kind = GS_WIRE_SCRAPE, .time_ms = time_ms, .part = part, .parts = parts, .body_size = bytes.n};
	enum gs_wire_joined result;
	assert_int_equal(gs_wire_joiner_add(joiner, &group, &header, bytes, &result, &body, &dropped), GS_OK);
	gs_wire_joiner_check(joiner);
	dropped_total += dropped;
	if (result != GS_WIRE_WHOLE)
		assert_int_equal(body.n, 0);
	return result;
}

static enum gs_wire_joined add(const char *instance, int64_t time_ms, uint32_t part, uint32_t parts, const char *text) {
	return add_slice(instance, time_ms, part, parts, gs_str_of(text));
}

static void assert_body(const char *want) {
	assert_int_equal(body.n, strlen(want));
	assert_memory_equal(body.p, want, body.n);
}

/* The parts that split gives, put together, are the body; none is empty or too large, and a cut stands behind a newline if one is in reach. */
static void check_split(struct gs_str whole, size_t part_size) {
	size_t cursor = 0, at = 0;
	for (;;) {
		struct gs_str part = gs_wire_split(whole, part_size, &cursor);
		if (part.n == 0)
			break;
		assert_true(part.n <= part_size);
		assert_ptr_equal(part.p, whole.p + at);
		at += part.n;
		assert_int_equal(cursor, at);
		if (at < whole.n && part.p[part.n - 1] != '\n') {
			assert_int_equal(part.n, part_size);
			assert_null(memchr(part.p, '\n', part.n));
		}
	}
	assert_int_equal(at, whole.n);
}

static void test_split(void **state) {
	(void)state;
	size_t cursor = 0;
	struct gs_str whole = GS_STR("a 1\nbb 2\nccc 3\n");
	struct gs_str part = gs_wire_split(whole, 10, &cursor);
	assert_int_equal(part.n, 9);
	part = gs_wire_split(whole, 10, &cursor);
	assert_int_equal(part.n, 6);
	part = gs_wire_split(whole, 10, &cursor);
	assert_int_equal(part.n, 0);
	/* The rest is not cut when it fits. */
	cursor = 0;
	assert_int_equal(gs_wire_split(GS_STR("a\nb"), 3, &cursor).n, 3);
	cursor = 0;
	assert_int_equal(gs_wire_split((struct gs_str){0}, 10, &cursor).n, 0);
}

static void test_split_anywhere_then_join_is_the_body(void **state) {
	(void)state;
	char text[601];
	uint32_t seed = 12345;
	for (size_t i = 0; i < sizeof(text); i++) {
		seed = seed * 1103515245u + 12345u;
		text[i] = (seed >> 16) % 23 == 0 ? '\n' : (char)(seed >> 20);
	}
	for (size_t n = 1; n <= sizeof(text); n += 60) {
		for (size_t part_size = 1; part_size <= n + 1; part_size++) {
			struct gs_str whole = gs_str_make(text, n);
			check_split(whole, part_size);
			uint32_t parts = 0, part = 0;
			size_t cursor = 0;
			while (gs_wire_split(whole, part_size, &cursor).n != 0)
				parts++;
			enum gs_wire_joined result = GS_WIRE_DROP;
			cursor = 0;
			for (struct gs_str s = gs_wire_split(whole, part_size, &cursor); s.n != 0;
			     s = gs_wire_split(whole, part_size, &cursor))
				result = add_slice("a", 1, part++, parts, s);
			assert_int_equal(result, GS_WIRE_WHOLE);
			assert_int_equal(body.n, n);
			assert_memory_equal(body.p, text, n);
			assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
		}
	}
}

static void test_one_part_passes_through(void **state) {
	(void)state;
	const char *text = "up 1\n";
	assert_int_equal(add("a", 1, 0, 1, text), GS_WIRE_WHOLE);
	assert_ptr_equal(body.p, text);
	assert_body("up 1\n");
	assert_int_equal(add("a", 2, 0, 1, ""), GS_WIRE_WHOLE);
	assert_int_equal(body.n, 0);
	assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
}

static void swap(uint32_t *a, uint32_t *b) {
	uint32_t t = *a;
	*a = *b;
	*b = t;
}

static size_t permute(uint32_t *order, uint32_t n, uint32_t k) {
	static const char *const texts[] = {"one\n", "", "three\n", "4\n", "fifth\n"};
	size_t count = 0;
	if (k < n) {
		for (uint32_t i = k; i < n; i++) {
			swap(&order[k], &order[i]);
			count += permute(order, n, k + 1);
			swap(&order[k], &order[i]);
		}
		return count;
	}
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(add("a", 1, order[i], n, texts[order[i]]), i + 1 < n ? GS_WIRE_WAIT : GS_WIRE_WHOLE);
	assert_body("one\nthree\n4\nfifth\n");
	assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
	return 1;
}

static void test_all_orders_of_five_parts(void **state) {
	(void)state;
	uint32_t order[] = {0, 1, 2, 3, 4};
	assert_int_equal(permute(order, 5, 0), 120);
	assert_int_equal(dropped_total, 0);
}

/* Names that run together in a careless key. */
static void test_groups_do_not_mix(void **state) {
	(void)state;
	const struct gs_wire_group groups[] = {
	    {GS_STR("p"), GS_STR("a.b"), GS_STR("c")},
	    {GS_STR("p"), GS_STR("a"), GS_STR("b.c")},
	    {GS_STR("pa"), GS_STR("b"), GS_STR("c")},
	    {GS_STR("p"), GS_STR("ab"), GS_STR("c")},
	    {GS_STR("p"), GS_STR("a"), GS_STR("bc")},
	    {GS_STR("p"), GS_STR(""), GS_STR("abc")},
	};
	struct gs_wire_header header = {.kind = GS_WIRE_SCRAPE, .time_ms = 1, .parts = 2};
	size_t n = sizeof(groups) / sizeof(groups[0]);
	enum gs_wire_joined result;
	for (size_t i = 0; i < 2 * n; i++) {
		char text[3] = {(char)('A' + i % n), i < n ? '0' : '1', 0};
		header.part = i >= n;
		assert_int_equal(
		    gs_wire_joiner_add(joiner, &groups[i % n], &header, gs_str_of(text), &result, &body, &dropped),
		    GS_OK);
		gs_wire_joiner_check(joiner);
		assert_int_equal(result, i < n ? GS_WIRE_WAIT : GS_WIRE_WHOLE);
		if (i >= n) {
			char want[] = {text[0], '0', text[0], '1', 0};
			assert_body(want);
		}
	}
}

static void test_interleaved_groups(void **state) {
	(void)state;
	char names[50][8], text[16];
	for (uint32_t part = 0; part < 3; part++) {
		for (int i = 0; i < 50; i++) {
			snprintf(names[i], sizeof(names[i]), "i%d", i);
			snprintf(text, sizeof(text), "%d.%u;", i, (unsigned)part);
			enum gs_wire_joined result = add(names[i], 100 + i, part, 3, text);
			assert_int_equal(result, part < 2 ? GS_WIRE_WAIT : GS_WIRE_WHOLE);
			if (part == 2) {
				char want[64];
				snprintf(want, sizeof(want), "%d.0;%d.1;%d.2;", i, i, i);
				assert_body(want);
			}
		}
	}
	assert_int_equal(dropped_total, 0);
}

static void test_newer_scrape_in_between(void **state) {
	(void)state;
	assert_int_equal(add("a", 1, 0, 3, "old0;"), GS_WIRE_WAIT);
	assert_int_equal(add("a", 1, 1, 3, "old1;"), GS_WIRE_WAIT);
	assert_int_equal(add("a", 2, 1, 2, "new1;"), GS_WIRE_WAIT);
	assert_int_equal(dropped, 1);
	assert_int_equal(add("a", 1, 2, 3, "old2;"), GS_WIRE_DROP);
	assert_int_equal(dropped, 0);
	assert_int_equal(add("a", 2, 0, 2, "new0;"), GS_WIRE_WHOLE);
	assert_body("new0;new1;");
}

static void test_newer_scrape_of_one_part(void **state) {
	(void)state;
	assert_int_equal(add("a", 1, 0, 2, "x"), GS_WIRE_WAIT);
	assert_int_equal(add("a", 0, 0, 1, "older"), GS_WIRE_DROP);
	assert_int_equal(dropped, 0);
	assert_int_equal(add("b", 5, 0, 1, "other"), GS_WIRE_WHOLE);
	assert_int_equal(dropped, 0);
	assert_int_equal(add("a", 2, 0, 1, "newer"), GS_WIRE_WHOLE);
	assert_int_equal(dropped, 1);
	assert_body("newer");
	assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
}

static void test_repetition_is_dropped(void **state) {
	(void)state;
	assert_int_equal(add("a", 1, 0, 2, "0;"), GS_WIRE_WAIT);
	size_t bytes = gs_wire_joiner_bytes(joiner);
	assert_int_equal(add("a", 1, 0, 2, "again;"), GS_WIRE_DROP);
	assert_int_equal(dropped, 0);
	assert_int_equal(gs_wire_joiner_bytes(joiner), bytes);
	assert_int_equal(add("a", 1, 1, 2, "1;"), GS_WIRE_WHOLE);
	assert_body("0;1;");
	/* An empty part is a part. */
	assert_int_equal(add("a", 2, 1, 2, ""), GS_WIRE_WAIT);
	assert_int_equal(add("a", 2, 1, 2, ""), GS_WIRE_DROP);
	assert_int_equal(add("a", 2, 0, 2, "x"), GS_WIRE_WHOLE);
	assert_body("x");
}

static void test_contradiction_discards(void **state) {
	(void)state;
	assert_int_equal(add("a", 1, 0, 3, "0;"), GS_WIRE_WAIT);
	assert_int_equal(add("a", 1, 3, 4, "3;"), GS_WIRE_DROP);
	assert_int_equal(dropped, 1);
	assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
	assert_int_equal(add("a", 1, 0, 2, "0;"), GS_WIRE_WAIT);
	assert_int_equal(add("a", 1, 0, 1, "all;"), GS_WIRE_DROP);
	assert_int_equal(dropped, 1);
}

static void test_a_whole_scrape_is_bounded(void **state) {
	(void)state;
	size_t half = GS_LIMIT_WIRE_BODY / 2;
	char *bytes = gs_alloc(GS_LIMIT_WIRE_BODY + 1);
	assert_non_null(bytes);
	gs_wire_joiner_free(joiner);
	joiner = gs_wire_joiner_new((size_t)2 * GS_LIMIT_WIRE_BODY);
	assert_int_equal(add_slice("a", 1, 0, 1, gs_str_make(bytes, GS_LIMIT_WIRE_BODY + 1)), GS_WIRE_DROP);
	assert_int_equal(add_slice("a", 1, 0, 2, gs_str_make(bytes, half)), GS_WIRE_WAIT);
	assert_int_equal(add_slice("a", 1, 1, 2, gs_str_make(bytes, half + 1)), GS_WIRE_DROP);
	assert_int_equal(dropped, 1);
	/* A repetition adds nothing, however long it is. */
	assert_int_equal(add_slice("a", 1, 0, 2, gs_str_make(bytes, half + 1)), GS_WIRE_WAIT);
	assert_int_equal(add_slice("a", 1, 0, 2, gs_str_make(bytes, half + 1)), GS_WIRE_DROP);
	assert_int_equal(dropped, 0);
	assert_int_equal(add_slice("a", 1, 1, 2, gs_str_make(bytes, half - 1)), GS_WIRE_WHOLE);
	assert_int_equal(body.n, GS_LIMIT_WIRE_BODY);
	assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
	gs_free(bytes);
}

static void test_eviction_of_the_longest_waiting(void **state) {
	(void)state;
	static char bytes[MEGA];
	struct gs_str third = gs_str_make(bytes, MEGA / 3 - 1024);
	assert_int_equal(add_slice("a", 9, 0, 3, third), GS_WIRE_WAIT);
	assert_int_equal(add_slice("b", 1, 0, 2, third), GS_WIRE_WAIT);
	assert_int_equal(add_slice("c", 5, 0, 2, third), GS_WIRE_WAIT);
	assert_int_equal(dropped_total, 0);
	/* a waits longest, however new its time is. */
	assert_int_equal(add_slice("d", 2, 0, 2, third), GS_WIRE_WAIT);
	assert_int_equal(dropped, 1);
	assert_int_equal(add_slice("b", 1, 1, 2, (struct gs_str){0}), GS_WIRE_WHOLE);
	assert_int_equal(add_slice("c", 5, 1, 2, (struct gs_str){0}), GS_WIRE_WHOLE);
	assert_int_equal(add_slice("d", 2, 1, 2, (struct gs_str){0}), GS_WIRE_WHOLE);
	assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
	/* So may be the one that the part belongs to. */
	assert_int_equal(add_slice("a", 9, 1, 3, third), GS_WIRE_WAIT);
	assert_int_equal(add_slice("b", 9, 0, 3, third), GS_WIRE_WAIT);
	assert_int_equal(add_slice("a", 9, 2, 3, gs_str_make(bytes, MEGA / 2)), GS_WIRE_DROP);
	assert_int_equal(dropped, 1);
	assert_true(gs_wire_joiner_bytes(joiner) > third.n);
	assert_int_equal(add_slice("b", 9, 1, 3, third), GS_WIRE_WAIT);
}

static void test_a_part_above_the_memory(void **state) {
	(void)state;
	static char bytes[MEGA];
	assert_int_equal(add_slice("a", 1, 0, 2, gs_str_make(bytes, MEGA)), GS_WIRE_DROP);
	assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
	/* It takes no one else with it, at once or in steps. */
	assert_int_equal(add("other", 1, 0, 2, "x"), GS_WIRE_WAIT);
	assert_int_equal(add_slice("a", 1, 0, 2, gs_str_make(bytes, MEGA)), GS_WIRE_DROP);
	assert_int_equal(dropped, 0);
	assert_int_equal(add_slice("a", 1, 0, 3, gs_str_make(bytes, MEGA / 2)), GS_WIRE_WAIT);
	assert_int_equal(add_slice("a", 1, 1, 3, gs_str_make(bytes, MEGA / 2)), GS_WIRE_DROP);
	assert_int_equal(dropped, 1);
	assert_int_equal(add("other", 1, 1, 2, "y"), GS_WIRE_WHOLE);
	assert_body("xy");
	assert_int_equal(add_slice("a", 1, 0, 1, gs_str_make(bytes, MEGA)), GS_WIRE_WHOLE);
}

/* Claims without bytes cost memory too: the bookkeeping of 1024 parts. */
static void test_empty_claims_are_bounded(void **state) {
	(void)state;
	char name[16];
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "i%d", i);
		assert_int_equal(add(name, 1, 0, GS_LIMIT_PARTS, ""), GS_WIRE_WAIT);
		assert_true(gs_wire_joiner_bytes(joiner) <= MEGA);
	}
	assert_true(dropped_total > 2900);
}

static void test_names_that_no_subject_can_hold(void **state) {
	(void)state;
	static char bytes[16 * 1024];
	struct gs_wire_group group = {gs_str_make(bytes, sizeof(bytes)), GS_STR(""), GS_STR("")};
	struct gs_wire_header header = {.kind = GS_WIRE_SCRAPE, .time_ms = 1, .parts = 2};
	enum gs_wire_joined result;
	assert_int_equal(gs_wire_joiner_add(joiner, &group, &header, GS_STR("x"), &result, &body, &dropped), GS_ELIMIT);
	gs_wire_joiner_check(joiner);
	assert_int_equal(add("a", 1, 0, 2, "x"), GS_WIRE_WAIT);
}

/* What was collected is counted when it goes, and only then. */
static void test_a_failure_is_counted(void **state) {
	(void)state;
	struct gs_wire_group group = group_of("a");
	struct gs_wire_header header = {.kind = GS_WIRE_SCRAPE, .time_ms = 1, .parts = 2};
	enum gs_wire_joined result;
	gs_mem_fail_after(0);
	assert_int_equal(gs_wire_joiner_add(joiner, &group, &header, GS_STR("x"), &result, &body, &dropped), GS_ENOMEM);
	assert_int_equal(dropped, 0);
	assert_int_equal(add("a", 1, 0, 2, "x"), GS_WIRE_WAIT);
	header.part = 1;
	for (int n = 0; n < 2; n++) {
		gs_mem_fail_after(n); /* the part's copy, then the whole */
		assert_int_equal(
		    gs_wire_joiner_add(joiner, &group, &header, GS_STR("y"), &result, &body, &dropped), GS_ENOMEM);
		gs_mem_fail_after(-1);
		assert_int_equal(result, GS_WIRE_DROP);
		assert_int_equal(dropped, 1);
		assert_int_equal(gs_wire_joiner_bytes(joiner), 0);
		assert_int_equal(add("a", 1, 0, 2, "x"), GS_WIRE_WAIT);
	}
}

/* Three parts of a and one of b; the status of the first call that fails. */
static enum gs_status run(void) {
	struct gs_wire_group a = group_of("a"), b = group_of("b");
	struct gs_wire_header header = {.kind = GS_WIRE_SCRAPE, .time_ms = 1, .parts = 3};
	enum gs_wire_joined result = GS_WIRE_DROP;
	for (uint32_t i = 0; i < 4; i++) {
		header.part = i == 3 ? 2 : i;
		enum gs_status status =
		    gs_wire_joiner_add(joiner, i == 1 ? &b : &a, &header, GS_STR("part;"), &result, &body, &dropped);
		gs_wire_joiner_check(joiner);
		if (status != GS_OK)
			return status;
		header.part = 1;
		if (i == 1)
			status = gs_wire_joiner_add(joiner, &a, &header, GS_STR("mid;"), &result, &body, &dropped);
		gs_wire_joiner_check(joiner);
		if (status != GS_OK)
			return status;
		if (result == GS_WIRE_WHOLE)
			break;
	}
	assert_int_equal(result, GS_WIRE_WHOLE);
	assert_body("part;mid;part;");
	return GS_OK;
}

static void test_failing_allocations(void **state) {
	(void)state;
	int n = 0;
	for (; n < 100; n++) {
		gs_wire_joiner_free(joiner);
		gs_mem_fail_after(n);
		joiner = gs_wire_joiner_new(MEGA);
		enum gs_status status = joiner != NULL ? run() : GS_ENOMEM;
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed)
			break;
		/* Nothing is left of what failed that could spoil what comes. */
		if (joiner != NULL) {
			assert_int_equal(add("a", 2, 0, 2, "new;"), GS_WIRE_WAIT);
			assert_int_equal(add("a", 2, 1, 2, "new;"), GS_WIRE_WHOLE);
			assert_body("new;new;");
		}
	}
	assert_in_range(n, 8, 99);
}

static void test_free_of_nothing_and_of_unfinished(void **state) {
	(void)state;
	gs_wire_joiner_free(NULL);
	assert_int_equal(add("a", 1, 0, 2, "x"), GS_WIRE_WAIT);
	assert_int_equal(add("b", 1, 0, 2, "x"), GS_WIRE_WAIT);
}

/* A target that left ends what it collects, unless that is newer; nobody else's. */
static void test_forget(void **state) {
	(void)state;
	struct gs_wire_group a = group_of("a"), stranger = group_of("x");
	size_t n = 9;
	assert_int_equal(gs_wire_joiner_forget(joiner, &a, 10, &n), GS_OK);
	assert_int_equal(n, 0);
	assert_int_equal(add("a", 10, 1, 3, "one\n"), GS_WIRE_WAIT);
	assert_int_equal(add("b", 10, 0, 2, "b0\n"), GS_WIRE_WAIT);
	assert_int_equal(gs_wire_joiner_forget(joiner, &a, 9, &n), GS_OK);
	assert_int_equal(n, 0);
	assert_int_equal(gs_wire_joiner_forget(joiner, &stranger, 99, &n), GS_OK);
	assert_int_equal(n, 0);
	assert_int_equal(gs_wire_joiner_forget(joiner, &a, 10, &n), GS_OK);
	assert_int_equal(n, 1);
	gs_wire_joiner_check(joiner);
	/* What the stream still has of it never becomes whole: its first part stood where the end stands. */
	assert_int_equal(add("a", 10, 1, 3, "one\n"), GS_WIRE_WAIT);
	assert_int_equal(add("a", 10, 2, 3, "two\n"), GS_WIRE_WAIT);
	/* Nor does a later scrape take any of it. */
	assert_int_equal(add("a", 11, 0, 3, "zero\n"), GS_WIRE_WAIT);
	assert_int_equal(dropped, 1);
	assert_int_equal(add("a", 10, 1, 3, "one\n"), GS_WIRE_DROP);
	assert_int_equal(add("a", 11, 1, 3, "new\n"), GS_WIRE_WAIT);
	assert_int_equal(add("a", 11, 2, 3, "end\n"), GS_WIRE_WHOLE);
	assert_body("zero\nnew\nend\n");
	assert_int_equal(add("b", 10, 1, 2, "b1\n"), GS_WIRE_WHOLE);
	assert_body("b0\nb1\n");
}

static void test_forget_without_a_key(void **state) {
	(void)state;
	size_t n = 0, size = (size_t)10 * GS_LIMIT_SUBJECT;
	char *name = gs_alloc(size);
	memset(name, '.', size);
	struct gs_wire_group huge = {GS_STR("dc1"), GS_STR("node"), gs_str_make(name, size)};
	assert_int_equal(add("a", 10, 1, 3, "one\n"), GS_WIRE_WAIT);
	assert_int_equal(gs_wire_joiner_forget(joiner, &huge, 10, &n), GS_ELIMIT);
	gs_wire_joiner_check(joiner);
	gs_free(name);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    T(test_split),
	    T(test_split_anywhere_then_join_is_the_body),
	    T(test_one_part_passes_through),
	    T(test_all_orders_of_five_parts),
	    T(test_groups_do_not_mix),
	    T(test_interleaved_groups),
	    T(test_newer_scrape_in_between),
	    T(test_newer_scrape_of_one_part),
	    T(test_repetition_is_dropped),
	    T(test_contradiction_discards),
	    T(test_a_whole_scrape_is_bounded),
	    T(test_eviction_of_the_longest_waiting),
	    T(test_a_part_above_the_memory),
	    T(test_empty_claims_are_bounded),
	    T(test_names_that_no_subject_can_hold),
	    T(test_a_failure_is_counted),
	    T(test_failing_allocations),
	    T(test_forget),
	    T(test_forget_without_a_key),
	    T(test_free_of_nothing_and_of_unfinished),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
