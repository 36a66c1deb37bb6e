/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

static void test_table(void **state) {
	(void)state;
	static const struct {
		struct gs_str in;
		bool plus;
		const char *out; /* NULL: GS_EINVAL */
	} rows[] = {
	    {GS_STR_INIT(""), false, ""},
	    {GS_STR_INIT("plain"), false, "plain"},
	    {GS_STR_INIT("a%20b"), false, "a b"},
	    {GS_STR_INIT("%41%42"), false, "AB"},
	    {GS_STR_INIT("%2F%2f"), false, "//"},
	    {GS_STR_INIT("%c3%A9"), false, "\xc3\xa9"},
	    {GS_STR_INIT("%ff"), false, "\xff"},
	    {GS_STR_INIT("%2541"), false, "%41"},
	    {GS_STR_INIT("a+b"), false, "a+b"},
	    {GS_STR_INIT("a+b%2B"), true, "a b+"},
	    {GS_STR_INIT("%0a"), false, "\n"},
	    {GS_STR_INIT("%"), false, NULL},
	    {GS_STR_INIT("%4"), false, NULL},
	    {GS_STR_INIT("abc%4"), false, NULL},
	    {GS_STR_INIT("%4g"), false, NULL},
	    {GS_STR_INIT("%g4"), false, NULL},
	    {GS_STR_INIT("%%41"), false, NULL},
	    {GS_STR_INIT("%+1"), false, NULL},
	    {GS_STR_INIT("% 1"), true, NULL},
	    {GS_STR_INIT("%00"), false, NULL},
	    {GS_STR_INIT("a%00b"), true, NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_buf out;
		gs_buf_init(&out, 64);
		gs_buf_cstr(&out, "=");
		enum gs_status status = gs_web_percent_decode(rows[i].in, rows[i].plus, &out);
		assert_int_equal(status, rows[i].out != NULL ? GS_OK : GS_EINVAL);
		const char *want = rows[i].out != NULL ? rows[i].out : "";
		assert_int_equal(out.n, strlen(want) + 1);
		assert_memory_equal(out.p + 1, want, strlen(want));
		gs_buf_free(&out);
	}
}

/* Every cut of an escape at the end of a slice: nothing behind it is read (ASan sees it). */
static void test_ends_at_the_slice(void **state) {
	(void)state;
	for (size_t n = 0; n < 3; n++) {
		char *cut = gs_alloc(n);
		struct gs_buf out;
		memcpy(cut, "%41", n);
		gs_buf_init(&out, 64);
		assert_int_equal(gs_web_percent_decode(gs_str_make(cut, n), false, &out), n == 0 ? GS_OK : GS_EINVAL);
		assert_int_equal(out.n, 0);
		gs_buf_free(&out);
		gs_free(cut);
	}
}

static void test_limits(void **state) {
	(void)state;
	struct gs_buf out;
	gs_buf_init(&out, 2);
	assert_int_equal(gs_web_percent_decode(GS_STR("abc"), false, &out), GS_ELIMIT);
	gs_buf_clear(&out);
	gs_mem_fail_after(0);
	assert_int_equal(gs_web_percent_decode(GS_STR("ab"), false, &out), GS_ENOMEM);
	gs_mem_fail_after(-1);
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_ends_at_the_slice),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
