/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doc.h"
#include "gravel/base/mem.h"
#include "show.h"

static struct gs_sd_group group;
static struct gs_error err;

static void put(const char *name, const char *value) {
	assert_int_equal(gs_sd_group_put(&group, gs_str_of(name), gs_str_of(value), &err), GS_OK);
}

static void add(const char *address) {
	assert_int_equal(gs_sd_group_target(&group, gs_str_of(address), &err), GS_OK);
	gs_sd_doc_check(group.doc);
}

static void check(const struct gs_sd_doc *doc, const char *wanted) {
	char *text = show(doc->targets, doc->n);
	assert_string_equal(text, wanted);
	free(text);
}

static void test_labels_are_sorted_and_the_address_wins(void **state) {
	struct gs_sd_doc *doc = gs_sd_doc_new();
	(void)state;
	gs_sd_group_begin(&group, doc);
	add("a:1");
	put("z", "1");
	put("A", "2");
	put("__address__", "other:1");
	put("m", "3");
	add("b:2");
	put("m", "4");
	put("z", "");
	put("never", "");
	add("c:3");
	add("");
	gs_sd_group_begin(&group, doc);
	add("d:4");
	check(doc,
	    "{A=\"2\",__address__=\"b:2\",m=\"3\",z=\"1\"} {A=\"2\",__address__=\"c:3\",m=\"4\"} {A=\"2\",m=\"4\"} "
	    "{__address__=\"a:1\"} {__address__=\"d:4\"}");
	gs_sd_doc_free(doc);
}

static void test_what_is_refused(void **state) {
	static char long_name[GS_LIMIT_NAME + 2], long_value[GS_LIMIT_LABEL_VALUE + 2];
	struct gs_sd_doc *doc = gs_sd_doc_new();
	char name[16];
	(void)state;
	gs_sd_group_begin(&group, doc);
	memset(long_name, 'a', sizeof(long_name) - 1);
	memset(long_value, 'a', sizeof(long_value) - 1);
	assert_int_equal(gs_sd_group_put(&group, GS_STR("a-b"), GS_STR("x"), &err), GS_EINVAL);
	assert_string_equal(err.text, "\"a-b\" is no label name");
	assert_int_equal(gs_sd_group_put(&group, GS_STR(""), GS_STR("x"), &err), GS_EINVAL);
	assert_int_equal(gs_sd_group_put(&group, GS_STR("a"), GS_STR("\xff"), &err), GS_EINVAL);
	assert_string_equal(err.text, "the value of label a is no UTF-8");
	assert_int_equal(gs_sd_group_put(&group, gs_str_of(long_name), GS_STR("x"), &err), GS_ELIMIT);
	assert_int_equal(gs_sd_group_put(&group, GS_STR("a"), gs_str_of(long_value), &err), GS_ELIMIT);
	assert_int_equal(gs_sd_group_target(&group, gs_str_of(long_value), &err), GS_ELIMIT);
	assert_int_equal(gs_sd_group_target(&group, GS_STR("\xc3"), &err), GS_EINVAL);
	assert_int_equal(group.n, 0);
	for (int i = 0; i < GS_LIMIT_LABELS - 1; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		put(name, "x");
	}
	assert_int_equal(gs_sd_group_put(&group, GS_STR("more"), GS_STR("x"), &err), GS_ELIMIT);
	put("l5", "another");
	add("a:1");
	assert_int_equal(doc->targets[0].nlabels, GS_LIMIT_LABELS);
	gs_sd_doc_free(doc);
}

static struct gs_sd_doc *doc_of(const char *const *addresses, size_t n, const char *label) {
	struct gs_sd_doc *doc = gs_sd_doc_new();
	gs_sd_group_begin(&group, doc);
	put("l", label);
	for (size_t i = 0; i < n; i++)
		add(addresses[i]);
	return doc;
}

static void test_hash_knows_no_order(void **state) {
	static const char *const ab[] = {"a", "b"}, *const ba[] = {"b", "a"}, *const aa[] = {"a", "a"};
	struct gs_sd_doc *docs[] = {doc_of(ab, 2, "x"), doc_of(ba, 2, "x"), doc_of(aa, 2, "x"), doc_of(ab, 2, "y"),
	    doc_of(ab, 1, "x"), doc_of(ba, 1, "x"), NULL, doc_of(NULL, 0, "x")};
	size_t n;
	(void)state;
	uint64_t hash = gs_sd_hash(docs, 1, &n);
	assert_int_equal(n, 2);
	assert_true(gs_sd_hash(docs + 1, 1, &n) == hash);
	assert_true(gs_sd_hash(docs + 2, 1, &n) != hash);
	assert_true(gs_sd_hash(docs + 3, 1, &n) != hash);
	assert_true(gs_sd_hash(docs + 4, 4, &n) == hash);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
		gs_sd_doc_free(docs[i]);
}

static enum gs_status fill(struct gs_sd_doc *doc) {
	enum gs_status status = GS_OK;
	char name[32];
	gs_sd_group_begin(&group, doc);
	for (int i = 0; i < 100 && status == GS_OK; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		status = gs_sd_group_put(&group, gs_str_of(name), GS_STR("value"), &err);
		if (status == GS_OK)
			status = gs_sd_group_target(&group, gs_str_of(name), &err);
	}
	return status;
}

static void test_memory(void **state) {
	(void)state;
	for (int64_t i = 0;; i++) {
		gs_mem_fail_after(i);
		struct gs_sd_doc *doc = gs_sd_doc_new();
		enum gs_status status = doc != NULL ? fill(doc) : GS_ENOMEM;
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (doc != NULL)
			gs_sd_doc_check(doc);
		gs_sd_doc_free(doc);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
		if (!failed)
			break;
	}
	gs_sd_doc_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_labels_are_sorted_and_the_address_wins),
	    cmocka_unit_test(test_what_is_refused),
	    cmocka_unit_test(test_hash_knows_no_order),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
