/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

#include <stdlib.h>
#include <unistd.h>

#define TARGETS "    targets: [{name: a, url: 'http://127.0.0.1:1/a'}, {name: b, url: 'http://127.0.0.1:1/b'}]\n"

static struct gs_relay *relay;

static int setup(void **state) {
	(void)state;
	gs_telemetry_reset();
	relay = relay_open();
	return 0;
}

static int teardown(void **state) {
	(void)state;
	relay_close(relay);
	return 0;
}

static void reload(struct gs_manager *manager, const char *text, size_t targets, size_t came, size_t left) {
	struct gs_manager_changes changes = {0};
	struct gs_error err = {0};
	assert_int_equal(gs_manager_reload(manager, config_of(text), &changes, &err), GS_OK);
	assert_int_equal(changes.targets, targets);
	assert_int_equal(changes.came, came);
	assert_int_equal(changes.left, left);
	assert_true(gs_metric_get(GS_M_TARGETS, NULL, NULL) == (double)targets);
}

static bool nobody_leaves(struct gs_manager *manager) {
	gs_lock_take(&manager->lock);
	bool none = manager->leaving == NULL;
	gs_lock_release(&manager->lock);
	return none;
}

static void test_reloads(void **state) {
	(void)state;
	struct gs_manager *manager = manager_of(relay, "jobs:\n  j:\n" TARGETS);
	reload(manager, "jobs:\n  j:\n" TARGETS, 2, 0, 0);
	const struct target *a = manager->jobs[0]->view->targets[0];
	reload(manager, "jobs:\n  k: {targets: [{url: 'http://127.0.0.1:1'}]}\n  j:\n" TARGETS, 3, 1, 0);
	assert_ptr_equal(manager->jobs[1]->view->targets[0], a);
	reload(manager, "jobs:\n  k: {targets: [{url: 'http://127.0.0.1:2'}]}\n  j:\n" TARGETS, 3, 1, 1);
	reload(
	    manager, "jobs:\n  j: {honor_labels: true, targets: [{name: a, url: 'http://127.0.0.1:1/a'}]}\n", 1, 1, 3);
	reload(manager, "jobs: {}\n", 0, 0, 1);
	for (int i = 0; i < 5000 && !nobody_leaves(manager); i++)
		gs_clock_sleep_ms(1);
	assert_true(nobody_leaves(manager));
	assert_int_equal(gs_map_count(manager->groups), 0);
	reload(manager, "jobs:\n  j:\n" TARGETS, 2, 2, 0);
	gs_manager_free(manager);
	gs_manager_free(NULL);
}

static void test_a_reload_that_fails_changes_nothing(void **state) {
	(void)state;
	struct gs_manager *manager = manager_of(relay, "jobs:\n  j:\n" TARGETS);
	char *before = json_of(manager);
	struct gs_config *config = config_of("jobs:\n  new: {targets: [{url: 'http://127.0.0.1:2'}]}\n  j:\n"
					     "    relabel_configs: [{target_label: x, regex: '('}]\n" TARGETS);
	struct gs_error err = {0};
	assert_int_equal(gs_manager_reload(manager, config, NULL, &err), GS_EINVAL);
	assert_true(err.text[0] != '\0');
	gs_config_free(config); /* still ours */
	char *after = json_of(manager);
	assert_string_equal(before, after);
	gs_free(before);
	gs_free(after);
	gs_manager_free(manager);
}

static void test_our_own_job(void **state) {
	(void)state;
	struct gs_manager_options options = options_of(relay);
	struct gs_manager *manager = NULL;
	options.self_url = "http://127.0.0.1:1/metrics";
	/* A job of that name is another one. */
	const char *text = "jobs:\n  prometheus_streams:\n" TARGETS;
	assert_int_equal(gs_manager_new(&options, config_of(text), &manager, NULL), GS_OK);
	assert_int_equal(manager->njobs, 2);
	assert_true(
	    gs_str_eq(gs_managed_label(manager->jobs[1]->view->targets[0], GS_STR("instance")), GS_STR("here")));
	reload(manager, text, 3, 0, 0);
	/* Its identity stays, whatever the file says. */
	struct gs_config *config = config_of(text);
	config->identity = "elsewhere";
	struct gs_manager_changes changes;
	assert_int_equal(gs_manager_reload(manager, config, &changes, NULL), GS_OK);
	assert_int_equal(changes.came + changes.left, 0);
	gs_manager_free(manager);
}

static void write_file(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void wait_targets(struct gs_manager *manager, double n) {
	for (int i = 0; i < 10000 && gs_metric_get(GS_M_TARGETS, NULL, NULL) != n; i++)
		gs_clock_sleep_ms(1);
	assert_true(gs_metric_get(GS_M_TARGETS, NULL, NULL) == n);
	(void)manager;
}

static void test_discovery(void **state) {
	(void)state;
	char folder[] = "/tmp/gravel-manager-XXXXXX", path[64], new[64], text[200];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.json", folder);
	snprintf(new, sizeof(new), "%s/new", folder);
	snprintf(text, sizeof(text), "jobs:\n  j:\n    file_sd_configs: [{files: ['%s']}]\n", path);
	write_file(path, "[{\"targets\": [\"127.0.0.1:1\", \"127.0.0.1:2\"]}]");
	struct gs_manager *manager = manager_of(relay, text);
	wait_targets(manager, 2);
	write_file(new, "[{\"targets\": [\"127.0.0.1:2\", \"127.0.0.1:3\", \"127.0.0.1:4\"]}]");
	assert_int_equal(rename(new, path), 0);
	wait_targets(manager, 3);
	const struct watch *watch = manager->watch;
	reload(manager, text, 3, 0, 0);
	assert_ptr_equal(manager->watch, watch);
	/* Another configuration with the same source: discovery goes on. */
	char more[400];
	snprintf(more, sizeof(more), "%s  k:\n" TARGETS, text);
	reload(manager, more, 5, 2, 0);
	assert_ptr_equal(manager->watch, watch);
	/* Another source: the list of the first stays all the while. */
	snprintf(more, sizeof(more), "%s    - {files: ['%s/none.json']}\n", "", folder);
	char both[400];
	snprintf(both, sizeof(both),
	    "jobs:\n  j:\n    file_sd_configs: [{files: ['%s']}, {files: ['%s/none*.json']}]\n", path, folder);
	reload(manager, both, 3, 0, 2);
	assert_ptr_not_equal(manager->watch, watch);
	reload(manager, "jobs: {}\n", 0, 0, 3);
	assert_true(manager->watch == NULL || manager->watch->discovery == NULL);
	gs_manager_free(manager);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

#define MORE                                                                                                           \
	"jobs:\n  j:\n    targets: [{name: a, url: 'http://127.0.0.1:1/a'}, {name: c, url: 'http://127.0.0.1:1/c'}]\n" \
	"  k:\n    static_configs: [{targets: ['127.0.0.1:3']}]\n    relabel_configs: [{target_label: x, "             \
	"replacement: y}]\n"

/* Whatever fails, either all of it is in force or nothing; but for single targets, which say so. */
static void test_memory(void **state) {
	(void)state;
	struct gs_manager_options options = options_of(relay);
	for (int n = 0;; n++) {
		struct gs_manager *manager = NULL;
		struct gs_config *config = config_of("jobs:\n  j:\n" TARGETS);
		gs_mem_fail_after(n);
		enum gs_status status = gs_manager_new(&options, config, &manager, NULL);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (status != GS_OK)
			gs_config_free(config);
		gs_manager_free(manager);
		assert_true(status == GS_OK || (status == GS_ENOMEM && failed));
		if (!failed)
			break;
	}
	assert_true(gs_metric_get(GS_M_TARGETS, NULL, NULL) == 0);
}

static void test_memory_of_a_reload(void **state) {
	(void)state;
	for (int n = 0;; n++) {
		struct gs_manager *manager = manager_of(relay, "jobs:\n  j:\n" TARGETS);
		struct gs_config *config = config_of(MORE);
		struct gs_manager_changes changes = {0};
		struct gs_error err = {0};
		gs_mem_fail_after(n);
		enum gs_status status = gs_manager_reload(manager, config, &changes, &err);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		char *json = json_of(manager);
		if (status == GS_OK) {
			assert_int_equal(changes.targets, 3);
			assert_int_equal(changes.left, 1);
			assert_int_equal(occurrences(json, "scrapePool"), 3);
			assert_int_equal(changes.came + occurrences(json, "\"lastError\":\"out of memory\""), 2);
			reload(manager, MORE, 3, 2 - changes.came,
			    0); /* the next one has what it needs, or nothing to do */
		} else {
			assert_int_equal(status, GS_ENOMEM);
			assert_string_equal(err.text, "out of memory");
			assert_int_equal(occurrences(json, "scrapePool"), 2);
			assert_int_equal(occurrences(json, "\"instance\":\"b\""), 2);
			gs_config_free(config);
		}
		gs_free(json);
		gs_manager_free(manager);
		if (!failed)
			break;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_reloads, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_reload_that_fails_changes_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_our_own_job, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_discovery, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_memory_of_a_reload, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
