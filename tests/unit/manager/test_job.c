/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

#define SD "    file_sd_configs: [{files: [/nowhere/*.json]}]\n"

/* Only what an update needs of it. */
static struct gs_manager manager;

static struct gs_discovered *discovered(size_t n, size_t from) {
	static struct gs_label labels[64][1];
	static struct gs_discovered found[64];
	static char addresses[64][16];
	for (size_t i = 0; i < n; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "h%zu:1", from + i);
		labels[i][0] = (struct gs_label){GS_STR("__address__"), gs_str_of(addresses[i])};
		found[i] = (struct gs_discovered){labels[i], 1};
	}
	return found;
}

static struct job *job_new(const char *text, const struct job *old, struct gs_error *err) {
	struct generation *generation = gs_generation_new(config_of(text), "me", NULL);
	struct job *job = NULL;
	manager.epoch++;
	enum gs_status status = gs_job_new(&manager, generation, gs_generation_job(generation, 0), old, &job, err);
	assert_int_equal(status == GS_OK, job != NULL);
	gs_generation_unref(generation);
	return job;
}

static struct job *listed(const struct job *old, size_t n, size_t from) {
	uint64_t hash;
	struct job *job = NULL;
	manager.epoch++;
	assert_int_equal(gs_settings_source(&old->config->sds[old->config->nsds - 1], &hash), GS_OK);
	assert_int_equal(gs_job_listed(&manager, old, hash, discovered(n, from), n, &job), GS_OK);
	return job;
}

static bool same(const char *text, const struct job *job) {
	struct generation *generation = gs_generation_new(config_of(text), "me", NULL);
	bool ret = false;
	assert_int_equal(gs_job_same(generation, gs_generation_job(generation, 0), job, &ret), GS_OK);
	gs_generation_unref(generation);
	return ret;
}

static void test_same_settings_are_the_same_job(void **state) {
	(void)state;
	const char *text = "jobs:\n  j:\n    targets: [{url: 'http://a', labels: {x: y}}]\n" SD;
	struct job *job = job_new(text, NULL, NULL);
	assert_true(same(text, job));
	assert_false(same("jobs:\n  j:\n    targets: [{url: 'http://a', labels: {x: z}}]\n" SD, job));
	assert_false(same("jobs:\n  j:\n    targets: [{url: 'http://b', labels: {x: y}}]\n" SD, job));
	assert_false(same("jobs:\n  j:\n    targets: [{name: n, url: 'http://a', labels: {x: y}}]\n" SD, job));
	assert_false(same("jobs:\n  j:\n    targets: [{url: 'http://a', labels: {x: y}}]\n", job));
	assert_false(
	    same("jobs:\n  j:\n    target_limit: 5\n    targets: [{url: 'http://a', labels: {x: y}}]\n" SD, job));
	assert_false(
	    same("jobs:\n  j:\n    sample_limit: 5\n    targets: [{url: 'http://a', labels: {x: y}}]\n" SD, job));
	gs_job_free(job);
	gs_job_free(NULL);
}

static void test_a_list_keeps_its_targets(void **state) {
	(void)state;
	struct job *first = job_new("jobs:\n  j:\n    static_configs: [{targets: ['s:1']}]\n" SD, NULL, NULL);
	assert_int_equal(first->nscraped, 1);
	struct job *second = listed(first, 10, 0), *third = listed(second, 10, 1);
	assert_int_equal(second->nscraped, 11);
	assert_int_equal(third->nscraped, 11);
	assert_ptr_equal(first->view->targets[0], third->view->targets[0]);
	for (int i = 1; i < 10; i++)
		assert_ptr_equal(second->view->targets[i + 1], third->view->targets[i]);
	assert_true(second->view->targets[1]->epoch != manager.epoch); /* it leaves */
	assert_true(third->view->targets[1]->epoch == manager.epoch);
	assert_ptr_equal(first->scope, third->scope);
	gs_job_free(first);
	gs_job_free(second);
	gs_job_free(third);
}

static void test_lists_outlive_a_change_of_settings(void **state) {
	(void)state;
	struct job *empty = job_new("jobs:\n  j:\n" SD, NULL, NULL), *old = listed(empty, 3, 0);
	/* A static target more: the same targets. */
	struct job *more = job_new("jobs:\n  j:\n    static_configs: [{targets: ['s:1']}]\n" SD, old, NULL);
	assert_int_equal(more->nscraped, 4);
	assert_ptr_equal(more->view->targets[1], old->view->targets[0]);
	/* Relabelling that adds a label: others, of the same list. */
	struct job *other =
	    job_new("jobs:\n  j:\n    relabel_configs: [{target_label: x, replacement: y}]\n" SD, old, NULL);
	assert_int_equal(other->nscraped, 3);
	assert_ptr_equal(other->scope, old->scope);
	assert_ptr_not_equal(other->view->targets[0], old->view->targets[0]);
	/* Relabelling that changes nothing: the same, though built again. */
	struct job *idle =
	    job_new("jobs:\n  j:\n    relabel_configs: [{source_labels: [nothing], target_label: x}]\n" SD, old, NULL);
	assert_ptr_equal(idle->view->targets[0], old->view->targets[0]);
	/* A setting of scrapes: others. */
	struct job *limited = job_new("jobs:\n  j:\n    sample_limit: 5\n" SD, old, NULL);
	assert_ptr_not_equal(limited->scope, old->scope);
	assert_ptr_not_equal(limited->view->targets[0], old->view->targets[0]);
	/* Another source: its list is not there yet. */
	struct job *elsewhere = job_new("jobs:\n  j:\n    file_sd_configs: [{files: [/else.json]}]\n", old, NULL);
	assert_int_equal(elsewhere->nscraped, 0);
	struct job *all[] = {empty, old, more, other, idle, limited, elsewhere};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		gs_job_free(all[i]);
}

/* Labels and URL make a target, not where it was found. */
static void test_duplicates_are_one(void **state) {
	(void)state;
	struct job *empty = job_new("jobs:\n  j:\n    static_configs: [{targets: ['h1:1', 'h1:1']}]\n" SD, NULL, NULL);
	assert_int_equal(empty->nscraped, 1);
	struct job *job = listed(empty, 3, 0);
	assert_int_equal(job->nscraped, 3);
	/* The static one is dropped from the configuration: the target stays. */
	struct job *less = job_new("jobs:\n  j:\n" SD, job, NULL);
	assert_int_equal(less->nscraped, 3);
	assert_ptr_equal(less->view->targets[1], job->view->targets[0]);
	gs_job_free(empty);
	gs_job_free(job);
	gs_job_free(less);
}

static void test_target_limit(void **state) {
	(void)state;
	struct job *job = job_new("jobs:\n  j:\n    target_limit: 3\n" SD, NULL, NULL);
	struct job *three = listed(job, 3, 0), *four = listed(three, 4, 0);
	assert_false(three->over);
	assert_true(four->over);
	gs_job_free(job);
	gs_job_free(three);
	gs_job_free(four);
}

static void test_results_are_a_target_of_their_own(void **state) {
	(void)state;
	const char *text = "jobs:\n  j:\n    aggregations: [{sum: a, as: b, by: [job]}]\n" SD;
	struct job *job = job_new(text, NULL, NULL), *same_job = job_new(text, job, NULL), *list = listed(job, 2, 0);
	assert_int_equal(job->results->kind, TARGET_RESULTS);
	assert_ptr_equal(job->results, same_job->results);
	assert_ptr_equal(job->results, list->results);
	assert_int_equal(list->view->n, 2); /* not shown */
	struct job *other = job_new("jobs:\n  j:\n    aggregations: [{max: a, as: b, by: [job]}]\n" SD, job, NULL);
	assert_ptr_not_equal(job->results, other->results);
	gs_job_free(job);
	gs_job_free(same_job);
	gs_job_free(list);
	gs_job_free(other);
}

static void test_board_outlives_its_jobs(void **state) {
	(void)state;
	struct job *job = job_new("jobs:\n  j:\n    targets: [{url: 'http://a'}]\n", NULL, NULL);
	struct board *board = gs_board_new(&job, 1);
	gs_job_free(job);
	assert_string_equal(board->views[0]->name, "j");
	assert_string_equal(board->views[0]->targets[0]->url, "http://a");
	gs_board_unref(gs_board_ref(board));
	gs_board_unref(board);
	gs_board_unref(NULL);
}

static void test_memory(void **state) {
	(void)state;
	const char *text = "jobs:\n  j:\n    targets: [{url: 'http://a'}]\n    params: {a: [b]}\n    relabel_configs: "
			   "[{target_label: x}]\n"
			   "    aggregations: [{sum: a, as: b, by: [job]}]\n" SD;
	for (int n = 0;; n++) {
		struct gs_error err = {0};
		struct generation *generation = gs_generation_new(config_of(text), "me", NULL);
		struct job *job = NULL, *list = NULL;
		uint64_t hash;
		assert_int_equal(gs_settings_source(&gs_generation_job(generation, 0)->sds[0], &hash), GS_OK);
		gs_mem_fail_after(n);
		enum gs_status status =
		    gs_job_new(&manager, generation, gs_generation_job(generation, 0), NULL, &job, &err);
		if (status == GS_OK)
			status = gs_job_listed(&manager, job, hash, discovered(3, 0), 3, &list);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_job_free(job);
		gs_job_free(list);
		gs_generation_unref(generation);
		assert_true(status == GS_OK || (status == GS_ENOMEM && failed)); /* compiling may do with less */
		if (!failed)
			break;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_settings_are_the_same_job),
	    cmocka_unit_test(test_a_list_keeps_its_targets),
	    cmocka_unit_test(test_lists_outlive_a_change_of_settings),
	    cmocka_unit_test(test_duplicates_are_one),
	    cmocka_unit_test(test_target_limit),
	    cmocka_unit_test(test_results_are_a_target_of_their_own),
	    cmocka_unit_test(test_board_outlives_its_jobs),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
