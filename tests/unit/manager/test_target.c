/* SPDX-License-Identifier: Apache-2.0 */
/* Names on the wire, and how targets come and go. */
#include "manager_test.h"

static struct gs_relay *relay;
static struct gs_manager *manager;
static struct scope *scope;

static int setup(void **state) {
	(void)state;
	gs_telemetry_reset();
	relay = relay_open();
	manager = manager_of(relay, "jobs: {j: {}}\n");
	scope = manager->jobs[0]->scope;
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_manager_free(manager);
	relay_close(relay);
	return 0;
}

static struct target *target_of(const char *instance, const char *zone) {
	struct gs_label labels[] = {{GS_STR_INIT("instance"), gs_str_of(instance)},
	    {GS_STR_INIT("job"), GS_STR_INIT("j")}, {GS_STR_INIT("zone"), gs_str_of(zone)}};
	struct target_parts parts = {.kind = TARGET_SCRAPED,
	    .scope = scope,
	    .key = GS_STR("key"),
	    .labels = labels,
	    .nlabels = 3,
	    .discovered = labels,
	    .ndiscovered = 1,
	    .url = GS_STR("http://127.0.0.1:1/"),
	    .interval_ms = 60000,
	    .timeout_ms = 1000};
	struct target *target = gs_managed_new(&parts);
	assert_non_null(target);
	return target;
}

static size_t groups(void) {
	gs_lock_take(&manager->lock);
	size_t n = gs_map_count(manager->groups);
	gs_lock_release(&manager->lock);
	return n;
}

static void wait_groups(size_t n) {
	for (int i = 0; i < 5000 && groups() != n; i++)
		gs_clock_sleep_ms(1);
	assert_int_equal(groups(), n);
}

static void test_copy_holds_everything(void **state) {
	(void)state;
	struct target *target = target_of("i", "z");
	assert_string_equal(target->url, "http://127.0.0.1:1/");
	assert_int_equal(target->nlabels, 3);
	assert_int_equal(target->ndiscovered, 1);
	assert_true(gs_str_eq(target->key, GS_STR("key")));
	assert_null(target->error);
	assert_true(gs_str_eq(gs_managed_label(target, GS_STR("zone")), GS_STR("z")));
	assert_int_equal(gs_managed_label(target, GS_STR("none")).n, 0);
	gs_managed_unref(gs_managed_ref(target));
	gs_managed_unref(target);
	struct target_parts refused = {.kind = TARGET_REFUSED, .error = GS_STR("why")};
	target = gs_managed_new(&refused);
	assert_string_equal(target->error, "why");
	gs_managed_unref(target);
	gs_managed_unref(NULL);
}

static void test_second_of_a_name_is_marked(void **state) {
	(void)state;
	struct target *a = target_of("i", "a"), *b = target_of("i", "b"), *again = target_of("i", "b");
	gs_managed_start(manager, a);
	gs_managed_start(manager, b);
	gs_managed_start(manager, again); /* as if it were of another job */
	assert_true(a->started && b->started && again->started);
	assert_string_equal(a->group->instance, "i");
	assert_string_equal(a->group->job, "j");
	assert_int_equal(strlen(b->group->instance), 1 + 1 + 16);
	assert_int_equal(strncmp(b->group->instance, "i;", 2), 0);
	assert_int_equal(strspn(b->group->instance + 2, "0123456789abcdef"), 16);
	assert_string_not_equal(b->group->instance, again->group->instance);
	char name[40];
	snprintf(name, sizeof(name), "%s", b->group->instance);
	assert_int_equal(groups(), 3);
	/* The first leaves: the others keep their names, and the next one gets the plain one. */
	gs_managed_leave(manager, a);
	struct target *next = target_of("i", "c");
	gs_managed_start(manager, next);
	assert_string_equal(next->group->instance, "i");
	gs_managed_leave(manager, b);
	wait_groups(2);
	struct target *b2 = target_of("i", "b");
	gs_managed_start(manager, b2);
	assert_string_equal(b2->group->instance, name); /* of its labels, so the same as before */
	struct target *all[] = {a, b, again, next, b2};
	for (int i = 0; i < 5; i++) {
		gs_managed_leave(manager, all[i]);
		gs_managed_unref(all[i]);
	}
	wait_groups(0);
	assert_true(gs_metric_get(GS_M_TARGETS, NULL, NULL) == 0);
}

static void test_what_cannot_start_says_why(void **state) {
	(void)state;
	static char name[2000];
	memset(name, 'x', sizeof(name) - 1);
	struct target *target = target_of(name, "z");
	gs_managed_start(manager, target);
	assert_false(target->started);
	assert_non_null(strstr(target->error, "too long"));
	assert_int_equal(groups(), 0);
	gs_managed_leave(manager, target); /* never came */
	gs_managed_unref(target);
	struct gs_label labels[] = {{GS_STR_INIT("instance"), gs_str_make("a\0b", 3)}};
	struct target_parts parts = {.kind = TARGET_SCRAPED,
	    .scope = scope,
	    .labels = labels,
	    .nlabels = 1,
	    .url = GS_STR("http://a/"),
	    .interval_ms = 1000,
	    .timeout_ms = 1000};
	target = gs_managed_new(&parts);
	gs_managed_start(manager, target);
	assert_false(target->started);
	gs_managed_unref(target);
	assert_int_equal(groups(), 0);
}

static void test_memory(void **state) {
	(void)state;
	for (int n = 0; n < 200; n++) {
		struct target *target = target_of("i", "z");
		gs_mem_fail_after(n);
		gs_managed_start(manager, target);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_true(target->started || strcmp(target->error, "out of memory") == 0);
		bool started = target->started;
		gs_managed_leave(manager, target);
		gs_managed_unref(target);
		wait_groups(0);
		if (started && !failed)
			break;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_copy_holds_everything, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_second_of_a_name_is_marked, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_cannot_start_says_why, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
