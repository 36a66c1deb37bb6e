/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "gravel/match/template.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void check(const char *pattern, const char *text, const char *template, const char *expected) {
	struct gs_regex *regex = NULL;
	struct gs_template *made = NULL;
	struct gs_buf room;
	struct gs_str found;
	bool matches = false;
	gs_buf_init(&room, 1000);
	assert_int_equal(gs_regex_new_lines(gs_str_of(pattern), &regex, NULL), GS_OK);
	assert_int_equal(gs_template_new(gs_str_of(template), regex, &made), GS_OK);
	assert_int_equal(gs_regex_match_groups(regex, gs_str_of(text), &matches), GS_OK);
	assert_true(matches);
	assert_int_equal(gs_template_expand(made, regex, &room, &found), GS_OK);
	if (!gs_str_eq(found, gs_str_of(expected)))
		fail_msg("%s of %s with %s: \"%.*s\"", template, text, pattern, GS_FMT(found));
	gs_buf_free(&room);
	gs_template_free(made);
	gs_regex_free(regex);
}

static void test_expanding(void **state) {
	(void)state;
	static const struct {
		const char *template;
		const char *expected;
	} cases[] = {
	    {"", ""},
	    {"text", "text"},
	    {"$0", "ab-12"},
	    {"$1", "ab"},
	    {"${1}", "ab"},
	    {"$2", "12"},
	    {"$n", "12"},
	    {"${n}", "12"},
	    {"$3", ""},
	    {"$4", ""},
	    {"$99999999999999999999", ""},
	    {"$1$2", "ab12"},
	    {"x$1-$2y", "xab-"},
	    {"x$1-${2}y", "xab-12y"},
	    {"$1x", ""},
	    {"${1}x", "abx"},
	    {"$1_", ""},
	    {"$1-", "ab-"},
	    {"$01", ""},
	    {"${00}", ""},
	    {"$nope", ""},
	    {"${nope}x", "x"},
	    {"$$", "$"},
	    {"$$1", "$1"},
	    {"$$$1", "$ab"},
	    {"$", "$"},
	    {"a$", "a$"},
	    {"$-1", "$-1"},
	    {"${", "${"},
	    {"${1", "${1"},
	    {"${}", "${}"},
	    {"${1x", "${1x"},
	    {"${1-}", "${1-}"},
	    {"{1}", "{1}"},
	    {"$\xc3\xa4", ""}, /* a letter */
	    {"$1\xc3\xa4", ""},
	    {"$1\xe2\x82\xac", "ab\xe2\x82\xac"}, /* none */
	    {"$1\xd9\xa1", ""}, /* a digit */
	    {"$1\xff", "ab\xff"},
	    {"\xc3\xa4$1", "\xc3\xa4"
			   "ab"},
	};
	for (size_t i = 0; i < N(cases); i++)
		check("([a-z]+)-(?P<n>\\d+)(x)?", "ab-12", cases[i].template, cases[i].expected);
	check("(.*)", "", "$1", "");
	check("(.*)", "", "<$1>", "<>");
	check("(.*)", "a b", "<$0$1$2>", "<a ba b>");
	check("(a)|(b)", "b", "<$1|$2>", "<|b>");
	check("(a)|b", "b", "<$1>", "<>");
	check("((a)|b)*", "ab", "$1$2", "ba");
}

static void test_room_is_limited(void **state) {
	(void)state;
	struct gs_regex *regex = NULL;
	struct gs_template *made = NULL;
	struct gs_buf room;
	struct gs_str found;
	bool matches = false;
	gs_buf_init(&room, 5);
	assert_int_equal(gs_regex_new(GS_STR("(.*)"), &regex, NULL), GS_OK);
	assert_int_equal(gs_template_new(GS_STR("$1$1"), regex, &made), GS_OK);
	assert_int_equal(gs_regex_match_groups(regex, GS_STR("abc"), &matches), GS_OK);
	assert_int_equal(gs_template_expand(made, regex, &room, &found), GS_ELIMIT);
	assert_int_equal(gs_regex_match_groups(regex, GS_STR("ab"), &matches), GS_OK);
	assert_int_equal(gs_template_expand(made, regex, &room, &found), GS_OK);
	assert_true(gs_str_eq(found, GS_STR("abab")));
	/* Nothing is known after a match without groups, or none. */
	assert_int_equal(gs_regex_match(regex, GS_STR("ab"), &matches), GS_OK);
	assert_int_equal(gs_regex_group(regex, 0).n, 0);
	assert_int_equal(gs_regex_match_groups(regex, GS_STR("\xff"), &matches), GS_OK);
	assert_false(matches);
	assert_int_equal(gs_regex_group(regex, 0).n, 0);
	gs_buf_free(&room);
	gs_template_free(made);
	gs_regex_free(regex);
}

static enum gs_status try(const struct gs_regex *regex) {
	struct gs_template *made = NULL;
	enum gs_status status = gs_template_new(GS_STR("a$1b$2c$3d$4e$5$\xc3\xa4"), regex, &made);
	gs_template_free(made);
	return status;
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_regex *regex = NULL;
	assert_int_equal(gs_regex_new(GS_STR("(.*)"), &regex, NULL), GS_OK);
	for (int n = 0;; n++) {
		gs_mem_fail_after(n);
		enum gs_status status = try(regex);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (!failed) {
			assert_int_equal(status, GS_OK);
			assert_true(n > 5);
			break;
		}
		assert_true(status == GS_ENOMEM || status == GS_OK); /* JIT does without */
		assert_true(n > 2 || status == GS_ENOMEM);
	}
	gs_regex_free(regex);
	gs_template_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expanding),
	    cmocka_unit_test(test_room_is_limited),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
