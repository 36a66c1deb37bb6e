/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "expect.h"
#include "gravel/base/mem.h"
#include "tree.h"

struct fixture {
	struct gs_arena *arena;
	struct gs_problems problems;
	struct gs_node *root;
	enum gs_status status;
};

static void parse(struct fixture *f, const char *text) {
	f->arena = gs_arena_new((size_t)1 << 30);
	gs_problems_init(&f->problems);
	f->status = gs_tree_parse(gs_str_of(text), f->arena, &f->problems, &f->root);
}

static void done(struct fixture *f) {
	gs_arena_free(f->arena);
	gs_problems_free(&f->problems);
}

static void test_places(void **state) {
	struct fixture f;
	(void)state;
	parse(&f, "---\na: 1\nb:\n  - x\n  - {c: 'y'}\n");
	assert_int_equal(f.status, GS_OK);
	assert_int_equal(f.root->kind, GS_NODE_MAPPING);
	assert_int_equal(f.root->nitems, 4);
	assert_int_equal(f.root->nodes, 9);
	assert_int_equal(f.root->bytes, 6);
	const struct gs_node *b = gs_node_get(f.root, GS_STR("b"));
	assert_int_equal(b->kind, GS_NODE_LIST);
	assert_int_equal(b->nitems, 2);
	assert_int_equal(b->items[0]->line, 4);
	assert_int_equal(b->items[0]->column, 5);
	assert_true(b->items[0]->plain);
	const struct gs_node *c = gs_node_get(b->items[1], GS_STR("c"));
	assert_string_equal(c->text.p, "y");
	assert_false(c->plain);
	assert_int_equal(c->line, 5);
	assert_int_equal(c->column, 9);
	assert_null(gs_node_get(f.root, GS_STR("z")));
	assert_null(gs_node_get(NULL, GS_STR("z")));
	assert_null(gs_node_get(b, GS_STR("z")));
	done(&f);
}

static void test_nulls(void **state) {
	static const char *const nothing[] = {"", "# only a comment\n", "---\n", "~", "null", "---\n...\n"};
	struct fixture f;
	(void)state;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		parse(&f, nothing[i]);
		assert_int_equal(f.status, GS_OK);
		assert_null(f.root);
		done(&f);
	}
	parse(&f, "[, ~, null, Null, NULL, '', 'null', nul]"); /* the first is the last one's neighbour: nothing */
	done(&f);
	parse(&f, "[~, null, Null, NULL, '', 'null', nul, []]");
	assert_int_equal(f.root->nitems, 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(gs_node_is_null(f.root->items[i]), i < 4);
	done(&f);
}

static void test_aliases(void **state) {
	struct fixture f;
	(void)state;
	parse(&f, "a: &x [1, 2]\nb: *x\nc: &x 3\nd: *x\n");
	assert_int_equal(f.status, GS_OK);
	assert_ptr_equal(gs_node_get(f.root, GS_STR("a")), gs_node_get(f.root, GS_STR("b")));
	assert_string_equal(gs_node_get(f.root, GS_STR("d"))->text.p, "3");
	assert_int_equal(f.root->nodes, 1 + 4 + 3 + 3 + 1 + 1);
	done(&f);
}

/* Each level multiplies by ten: refused as soon as the sum is too large, in little time and memory. */
static void test_merge(void **state) {
	static const struct {
		const char *text; /* of the key "m" */
		const char *want; /* keys and values in order */
	} cases[] = {
	    {"{<<: *a}", "x=1 y=2 "},
	    {"{<<: {x: 5}}", "x=5 "},
	    {"{y: 3, <<: *a, z: 4}", "y=3 z=4 x=1 "}, /* what stands here wins, wherever */
	    {"{<<: *a, x: }", "x= y=2 "},
	    {"{<<: [*b, *a], z: 4}", "z=4 y=9 x=1 "}, /* the first of the list wins */
	    {"{<<: [], z: 4}", "z=4 "},
	    {"{<<: *c}", "w=0 x=1 y=2 "}, /* one that was merged itself */
	    {"{'<<': v}", "<<=v "},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char text[256], got[256] = "";
		size_t n = 0;
		snprintf(text, sizeof(text), "a: &a {x: 1, y: 2}\nb: &b {y: 9}\nc: &c {w: 0, <<: *a}\nm: %s\n",
		    cases[i].text);
		parse(&f, text);
		assert_int_equal(f.status, GS_OK);
		assert_int_equal(f.problems.n, 0);
		const struct gs_node *m = gs_node_get(f.root, GS_STR("m"));
		for (size_t k = 0; k < m->nitems; k += 2)
			n += (size_t)snprintf(
			    got + n, sizeof(got) - n, "%s=%s ", m->items[k]->text.p, m->items[k + 1]->text.p);
		assert_string_equal(got, cases[i].want);
		done(&f);
	}
}

static void test_bomb(void **state) {
	struct fixture f;
	char text[4096];
	int n = snprintf(text, sizeof(text), "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	(void)state;
	for (int i = 1; i < 30; i++) {
		n += snprintf(text + n, sizeof(text) - (size_t)n, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "*a%d,", i - 1);
		n += snprintf(text + n, sizeof(text) - (size_t)n, "]\n");
	}
	parse(&f, text);
	assert_int_equal(f.status, GS_EINVAL);
	assert_int_equal(f.problems.n, 1);
	assert_string_equal(f.problems.all[0].text, "too many values (aliases count each time)");
	assert_true(gs_arena_used(f.arena) < 100000);
	done(&f);
}

static void test_long_texts(void **state) {
	struct fixture f;
	struct gs_buf text;
	(void)state;
	gs_buf_init(&text, 4 << 20);
	gs_buf_cstr(&text, "a: &a ");
	for (int i = 0; i < 1000000; i++)
		gs_buf_char(&text, 'x');
	gs_buf_cstr(&text, "\nb: [");
	for (int i = 0; i < 80; i++)
		gs_buf_cstr(&text, "*a,");
	gs_buf_cstr(&text, "]\n");
	gs_buf_char(&text, '\0');
	parse(&f, text.p);
	assert_int_equal(f.status, GS_EINVAL);
	assert_string_equal(f.problems.all[0].text, "too many values (aliases count each time)");
	done(&f);
	gs_buf_free(&text);
}

static void test_depth(void **state) {
	struct fixture f;
	char text[2 * GS_TREE_DEPTH + 3];
	(void)state;
	for (size_t depth = GS_TREE_DEPTH; depth <= GS_TREE_DEPTH + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[2 * depth] = '\0';
		parse(&f, text);
		assert_int_equal(f.status, depth <= GS_TREE_DEPTH ? GS_OK : GS_EINVAL);
		done(&f);
	}
	assert_int_equal(f.problems.n, 0);
}

static void test_many_keys(void **state) {
	struct fixture f;
	char text[2000];
	int n = 0;
	(void)state;
	for (int i = 0; i < 100; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "k%d:\n", i == 90 ? 7 : i);
	parse(&f, text);
	assert_int_equal(f.status, GS_OK);
	assert_int_equal(f.problems.n, 1);
	assert_int_equal(f.problems.all[0].line, 91);
	assert_string_equal(f.problems.all[0].text, "duplicate key \"k7\"; it stands first in line 8");
	done(&f);
}

static void test_refused(void **state) {
	static const struct refused cases[] = {
	    {"jobs: {x\n",
		"f:2:1: this is no YAML: did not find expected ',' or '}' (while parsing a flow mapping that "
		"begins in line 1)\n"},
	    {"a: b: c\n", "f:1:5: this is no YAML: mapping values are not allowed in this context\n"},
	    {"verbose: \"no end\n",
		"f:2:1: this is no YAML: found unexpected end of stream (while scanning a quoted scalar "
		"that begins in line 1)\n"},
	    {"debug: on\nidentity: \xff\n", "f:2:11: this is no YAML: invalid leading UTF-8 octet\n"},
	    {"identity: a\x01\n", "f:1:12: this is no YAML: control characters are not allowed\n"},
	    {"debug: on\n---\ndebug: off\n", "f:2:1: a second document; there must be one\n"},
	    {"debug: !!bool on\n", "f:1:8: YAML tags (\"!...\") are not used here\n"},
	    {"debug: *no\n", "f:1:8: this alias names no anchor that is complete above it\n"},
	    {"jobs: &j {a: *j}\n", "f:1:14: this alias names no anchor that is complete above it\n"},
	    {"? [a]\n: b\n", "f:1:3: a key must be a word, not a list or a mapping\n"},
	    {"verbose: on\ndebug: on\nverbose: off\n", "f:3:1: duplicate key \"verbose\"; it stands first in line 1\n"},
	    {"jobs: {<<: x}\n", "f:1:8: a merge key needs a mapping, or a list of them\n"},
	    {"jobs: {a: {}, <<: [{}, x]}\n", "f:1:15: a merge key needs a mapping, or a list of them\n"},
	    {"jobs: {<<: {a: {}}, <<: {b: {}}}\n", "f:1:21: duplicate key \"<<\"; it stands first in line 1\n"},
	    {"jobs:\n  a: {}\n  b: {}\n  a: {}\n", "f:4:3: duplicate key \"a\"; it stands first in line 2\n"},
	};
	(void)state;
	refuse_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_memory(void **state) {
	static const char text[] =
	    "a: &x [1, {b: c}]\nd: *x\ne: {<<: [{f: 1}]}\nf: 1\ng: 1\nh: 1\ni: 1\nj: 1\nk: 1\nl: 1\nm: 1\nn: 1\no: 1\n"
	    "p: 1\nq: 1\nr: 1\ns: 1\nt: 1\n";
	(void)state;
	for (int n = 0;; n++) {
		struct fixture f = {.arena = gs_arena_new(1 << 20)};
		gs_problems_init(&f.problems);
		gs_mem_fail_after(n);
		f.status = gs_tree_parse(gs_str_of(text), f.arena, &f.problems, &f.root);
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(f.status, failed ? GS_ENOMEM : GS_OK);
		done(&f);
		if (!failed)
			break;
		assert_true(n < 100);
	}
}

static void test_read_gives_the_first_error(void **state) {
	struct gs_arena *arena = gs_arena_new(1 << 20);
	struct gs_node *root;
	struct gs_error err;
	(void)state;
	assert_int_equal(gs_tree_read(GS_STR("- a\n- b: c\n"), arena, &root, &err), GS_OK);
	assert_int_equal(root->nitems, 2);
	assert_int_equal(gs_tree_read(GS_STR("# nothing\n"), arena, &root, &err), GS_OK);
	assert_null(root);
	assert_int_equal(gs_tree_read(GS_STR("a: {b: 1, b: 2}\na: 3\n"), arena, &root, &err), GS_EINVAL);
	assert_int_equal(err.line, 1);
	assert_int_equal(err.column, 11);
	assert_string_equal(err.text, "duplicate key \"b\"; it stands first in line 1");
	assert_int_equal(gs_tree_read(GS_STR("- [a\n"), arena, &root, &err), GS_EINVAL);
	assert_int_equal(err.line, 2);
	for (int n = 0; n < 4; n++) {
		gs_mem_fail_after(n);
		enum gs_status status = gs_tree_read(GS_STR("a: {b: 1, b: 2}\n"), arena, &root, &err);
		int failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_EINVAL);
	}
	gs_arena_free(arena);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_places), cmocka_unit_test(test_nulls),
	    cmocka_unit_test(test_aliases), cmocka_unit_test(test_merge), cmocka_unit_test(test_bomb),
	    cmocka_unit_test(test_long_texts), cmocka_unit_test(test_depth), cmocka_unit_test(test_many_keys),
	    cmocka_unit_test(test_refused), cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_read_gives_the_first_error)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
