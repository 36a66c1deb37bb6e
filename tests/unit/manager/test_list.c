/* SPDX-License-Identifier: Apache-2.0 */
#include "manager_test.h"

struct fixture {
	struct generation *generation;
	struct scope *scope;
	struct gs_relabel *relabel;
	struct builder builder;
};

static void open_fixture(struct fixture *f, const char *text) {
	struct gs_error err = {0};
	f->generation = gs_generation_new(config_of(text), "me", NULL);
	const struct gs_config_job *job = gs_generation_job(f->generation, 0);
	assert_int_equal(gs_scope_new(f->generation, job, 1, 7, &f->scope, &err), GS_OK);
	assert_int_equal(gs_scope_relabel(job, &f->relabel, &err), GS_OK);
	f->builder = (struct builder){.config = job, .relabel = f->relabel, .scope = f->scope};
	assert_int_equal(gs_builder_init(&f->builder), GS_OK);
}

static void close_fixture(struct fixture *f) {
	gs_builder_free(&f->builder);
	gs_relabel_free(f->relabel);
	gs_scope_unref(f->scope);
	gs_generation_unref(f->generation);
}

static void assert_label(const struct target *target, const char *name, const char *value) {
	struct gs_str got = gs_managed_label(target, gs_str_of(name));
	assert_int_equal(got.n, strlen(value));
	assert_memory_equal(got.p != NULL ? got.p : "", value, got.n);
}

static void test_static_targets(void **state) {
	(void)state;
	struct fixture f;
	struct source *source = NULL;
	open_fixture(&f, "jobs:\n  j:\n    metrics_path: /m\n    targets:\n"
			 "    - {name: n, url: 'https://user:pw@host:1234/a/b?c=d&c=e#f', labels: {x: y}}\n"
			 "    - {url: 'http://plain'}\n"
			 "    static_configs:\n    - {targets: ['a:1', 'b:2', 'a:1'], labels: {z: w}}\n");
	assert_int_equal(gs_source_static(&f.builder, NULL, &source), GS_OK);
	assert_int_equal(source->n, 4);
	struct target *first = source->items[0]->target, *second = source->items[1]->target;
	assert_string_equal(first->url, "https://user:pw@host:1234/a/b?c=d&c=e#f");
	assert_label(first, "instance", "n");
	assert_label(first, "job", "j");
	assert_label(first, "x", "y");
	assert_label(first, "__address__", "");
	assert_int_equal(first->nlabels, 3);
	assert_string_equal(second->url, "http://plain");
	assert_label(second, "instance", "plain:80");
	assert_string_equal(source->items[2]->target->url, "http://a:1/m");
	assert_label(source->items[3]->target, "instance", "b:2");
	assert_label(source->items[3]->target, "z", "w");
	assert_int_equal(source->items[3]->target->interval_ms, 20000);
	gs_source_unref(source);
	close_fixture(&f);
}

static void test_relabelled_urls(void **state) {
	(void)state;
	struct fixture f;
	struct source *source = NULL;
	open_fixture(&f,
	    "jobs:\n  j:\n    targets:\n"
	    "    - {name: proxied, url: 'http://host:1/p?q=r'}\n"
	    "    - {name: kept, url: 'http://host:1/p?q=r'}\n"
	    "    - {name: param, url: 'http://host:1/p?q=r'}\n"
	    "    - {name: dropped, url: 'http://host:1/p?q=r'}\n"
	    "    relabel_configs:\n"
	    "    - {source_labels: [instance], regex: proxied, target_label: __address__, replacement: 'proxy:9'}\n"
	    "    - {source_labels: [instance], regex: param, target_label: __param_x, replacement: 'y'}\n"
	    "    - {source_labels: [instance], regex: dropped, action: drop}\n");
	assert_int_equal(gs_source_static(&f.builder, NULL, &source), GS_OK);
	assert_string_equal(source->items[0]->target->url, "http://proxy:9/p?q=r");
	assert_string_equal(source->items[1]->target->url, "http://host:1/p?q=r");
	assert_string_equal(source->items[2]->target->url, "http://host:1/p?x=y&q=r");
	assert_int_equal(source->items[3]->target->kind, TARGET_DROPPED);
	assert_true(source->items[3]->target->ndiscovered >= 5);
	gs_source_unref(source);
	close_fixture(&f);
}

static struct found found_at(struct gs_label *labels, char *address, size_t i) {
	snprintf(address, 24, "host-%zu:80", i);
	labels[0] = (struct gs_label){GS_STR("__address__"), gs_str_of(address)};
	labels[1] = (struct gs_label){GS_STR("__meta_zone"), GS_STR("z")};
	return (struct found){.labels = labels, .nlabels = 2};
}

#define MANY 10000

/* Of ten thousand targets of which one is new, one is built; all others are the very same. */
static void test_long_list_with_one_change(void **state) {
	(void)state;
	static struct gs_label labels[MANY][2];
	static char addresses[MANY][24];
	static struct found found[MANY];
	struct fixture f;
	struct source *old = NULL, *new = NULL;
	open_fixture(&f, "jobs:\n  j:\n    relabel_configs:\n    - {source_labels: [__meta_zone], target_label: zone}\n"
			 "    - {source_labels: [__address__], regex: '(.*):.*', target_label: host}\n");
	for (size_t i = 0; i < MANY; i++)
		found[i] = found_at(labels[i], addresses[i], i);
	int64_t begin = gs_clock_mono_ns();
	assert_int_equal(gs_source_new(&f.builder, 1, NULL, found, MANY, &old), GS_OK);
	int64_t all = gs_clock_mono_ns() - begin;
	assert_int_equal(f.builder.built, MANY);
	found[MANY / 2] = found_at(labels[MANY / 2], addresses[MANY / 2], MANY);
	f.builder.built = 0;
	begin = gs_clock_mono_ns();
	assert_int_equal(gs_source_new(&f.builder, 1, old, found, MANY, &new), GS_OK);
	int64_t one = gs_clock_mono_ns() - begin;
	assert_int_equal(f.builder.built, 1);
	for (size_t i = 0; i < MANY; i++)
		assert_true((old->items[i] == new->items[i]) == (i != MANY / 2));
	print_message("a list of %d: %.1f ms; with one change: %.1f ms\n", MANY, (double)all / 1e6, (double)one / 1e6);
	gs_source_unref(old);
	assert_label(new->items[0]->target, "host", "host-0");
	gs_source_unref(new);
	close_fixture(&f);
}

static void test_what_is_no_target(void **state) {
	(void)state;
	struct fixture f;
	struct source *source = NULL;
	struct gs_label bad[] = {{GS_STR_INIT("__address__"), GS_STR_INIT("a/b:1")}};
	struct gs_label none[] = {{GS_STR_INIT("x"), GS_STR_INIT("y")}};
	struct found found[] = {
	    {.labels = bad, .nlabels = 1}, {.labels = none, .nlabels = 1}, {.labels = bad, .nlabels = 1}};
	open_fixture(&f, "jobs: {j: {}}\n");
	assert_int_equal(gs_source_new(&f.builder, 1, NULL, found, 3, &source), GS_OK);
	assert_int_equal(source->n, 2); /* one came twice */
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(source->items[i]->target->kind, TARGET_REFUSED);
		assert_true(strlen(source->items[i]->target->error) > 5);
	}
	assert_int_equal(source->items[0]->target->ndiscovered, 1);
	gs_source_unref(source);
	close_fixture(&f);
}

/* With other settings all of a list is made anew, from what was found. */
static void test_again(void **state) {
	(void)state;
	struct fixture f, g;
	struct source *old = NULL, *new = NULL;
	char address[24];
	struct gs_label labels[2];
	struct found found = found_at(labels, address, 5);
	open_fixture(&f, "jobs: {j: {}}\n");
	open_fixture(&g, "jobs:\n  j:\n    relabel_configs: [{source_labels: [__meta_zone], target_label: zone}]\n");
	assert_int_equal(gs_source_new(&f.builder, 9, NULL, &found, 1, &old), GS_OK);
	assert_int_equal(gs_source_again(&g.builder, old, &new), GS_OK);
	assert_int_equal(new->hash, 9);
	assert_label(old->items[0]->target, "zone", "");
	assert_label(new->items[0]->target, "zone", "z");
	assert_true(gs_str_eq(old->items[0]->key, new->items[0]->key));
	gs_source_unref(old);
	gs_source_unref(new);
	close_fixture(&f);
	close_fixture(&g);
}

static void test_memory(void **state) {
	(void)state;
	struct fixture f;
	open_fixture(&f, "jobs:\n  j:\n    targets: [{url: 'http://a'}, {url: 'http://b'}]\n    static_configs: "
			 "[{targets: ['c:1']}]\n"
			 "    relabel_configs: [{target_label: a, replacement: b}]\n");
	for (int n = 0;; n++) {
		struct source *source = NULL, *again = NULL;
		gs_mem_fail_after(n);
		enum gs_status status = gs_source_static(&f.builder, NULL, &source);
		if (status == GS_OK)
			status = gs_source_again(&f.builder, source, &again);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		gs_source_unref(source);
		gs_source_unref(again);
		assert_true(status == GS_OK || (status == GS_ENOMEM && failed)); /* compiling may do with less */
		if (!failed)
			break;
	}
	close_fixture(&f);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_static_targets),
	    cmocka_unit_test(test_relabelled_urls),
	    cmocka_unit_test(test_long_list_with_one_change),
	    cmocka_unit_test(test_what_is_no_target),
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
