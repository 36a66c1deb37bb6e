/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

struct told {
	int n;
	uint32_t line[8];
	char text[8][200];
};

static void tell(void *ctx, uint32_t line, uint32_t column, const char *text) {
	struct told *told = ctx;
	assert_in_range(told->n, 0, 7);
	assert_true(column != 0);
	told->line[told->n] = line;
	snprintf(told->text[told->n++], sizeof(told->text[0]), "%s", text);
}

static void test_check_names_every_problem(void **state) {
	(void)state;
	struct told told = {0};
	struct gs_config *config = config_of("jobs:\n" /* line 4 */
					     "  a:\n"
					     "    relabel_configs:\n"
					     "    - {target_label: x, regex: '('}\n"
					     "    - {target_label: x, regex: '.*'}\n"
					     "    - {target_label: x, regex: '['}\n"
					     "    metric_relabel_configs:\n"
					     "    - {action: labeldrop, regex: '(?'}\n"
					     "    clearmodes:\n"
					     "      ')': sum\n"
					     "      b: nonsense\n"
					     "    aggregations:\n"
					     "    - {sum: '(', as: r, by: [job]}\n"
					     "  good:\n"
					     "    clearmodes: {b: p99.9:1h}\n");
	assert_false(gs_manager_check(config, tell, &told));
	assert_int_equal(told.n, 6);
	const uint32_t lines[] = {7, 9, 11, 16, 13, 14};
	for (int i = 0; i < 6; i++)
		assert_int_equal(told.line[i], lines[i]);
	assert_non_null(strstr(told.text[5], "nonsense"));
	gs_config_free(config);
}

static void test_check_takes_what_is_good(void **state) {
	(void)state;
	struct told told = {0};
	struct gs_config *config =
	    config_of("jobs:\n  a:\n    clearmodes: {b: sum5m}\n    relabel_configs: [{target_label: x}]\n");
	assert_true(gs_manager_check(config, tell, &told));
	assert_int_equal(told.n, 0);
	gs_config_free(config);
}

static void test_generation_has_our_own_job_last(void **state) {
	(void)state;
	struct generation *generation =
	    gs_generation_new(config_of("jobs: {a: {}, b: {}}\n"), "me", "http://h:1/metrics");
	assert_string_equal(gs_generation_job(generation, 0)->name, "a");
	assert_string_equal(gs_generation_job(generation, 1)->name, "b");
	const struct gs_config_job *self = gs_generation_job(generation, 2);
	assert_string_equal(self->name, "prometheus_streams");
	assert_int_equal(self->scrape_interval, 20000);
	assert_string_equal(self->targets[0].name, "me");
	assert_null(gs_generation_job(generation, 3));
	gs_generation_unref(generation);
	generation = gs_generation_new(config_of("jobs: {a: {}}\n"), "me", NULL);
	assert_null(gs_generation_job(generation, 1));
	gs_generation_unref(generation);
}

static void test_scope_keeps_its_configuration(void **state) {
	(void)state;
	struct generation *generation = gs_generation_new(
	    config_of(
		"jobs:\n  a:\n    aggregations: [{max: b, as: c, by: [job]}]\n    body_size_limit: 7KB\n  b: {}\n"),
	    "me", NULL);
	struct scope *a = NULL, *b = NULL;
	assert_int_equal(gs_scope_new(generation, gs_generation_job(generation, 0), 1, 2, &a, NULL), GS_OK);
	assert_int_equal(gs_scope_new(generation, gs_generation_job(generation, 1), 1, 2, &b, NULL), GS_OK);
	assert_non_null(a->rollup);
	assert_null(b->rollup);
	assert_true(a->body_limit != b->body_limit);
	assert_int_equal(b->body_limit, generation->config->scrape_body_limit);
	gs_generation_unref(generation);
	gs_scope_unref(b);
	assert_string_equal(a->config->name, "a"); /* still there */
	gs_scope_unref(gs_scope_ref(a));
	gs_scope_unref(a);
	gs_scope_unref(NULL);
}

static void test_memory(void **state) {
	(void)state;
	struct generation *generation = gs_generation_new(
	    config_of("jobs:\n  a:\n    aggregations: [{max: b, as: c, by: [job]}]\n    clearmodes: {x: sum}\n"
		      "    metric_relabel_configs: [{target_label: q}]\n    relabel_configs: [{target_label: q}]\n"),
	    "me", NULL);
	for (int n = 0;; n++) {
		struct scope *scope = NULL;
		struct gs_relabel *relabel = NULL;
		struct gs_error err = {0};
		gs_mem_fail_after(n);
		enum gs_status status = gs_scope_new(generation, gs_generation_job(generation, 0), 1, 2, &scope, &err);
		if (status == GS_OK)
			status = gs_scope_relabel(gs_generation_job(generation, 0), &relabel, &err);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_scope_unref(scope);
		gs_relabel_free(relabel);
		assert_true(status == GS_OK || (status == GS_ENOMEM && failed)); /* compiling may do with less */
		if (!failed)
			break;
	}
	gs_generation_unref(generation);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_check_names_every_problem),
	    cmocka_unit_test(test_check_takes_what_is_good),
	    cmocka_unit_test(test_generation_has_our_own_job_last),
	    cmocka_unit_test(test_scope_keeps_its_configuration),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
