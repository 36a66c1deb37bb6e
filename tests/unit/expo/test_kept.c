/* SPDX-License-Identifier: Apache-2.0 */
/* Which samples belong to the metric of the sample before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct gs_expo_options text = {.format = GS_FORMAT_TEXT};

#define BUCKET "h_bucket bucket of h histogram < 1"

static void test_joined(void **state) {
	(void)state;
	static const struct good_case cases[] = {
	    /* Another metric. */
	    {"# TYPE h histogram\nh_sum{a=\"1\"} 1\nh_sum{a=\"2\"} 1\nh_sum{b=\"2\"} 1\nh_sum "
	     "1\nh_sum{a=\"2\",b=\"2\"} 1\n",
		"h_sum sum of h histogram;h_sum sum of h histogram;h_sum sum of h histogram;h_sum sum of h histogram;"
		"h_sum sum of h histogram;"},
	    /* le stands first, in the middle, last, alone. */
	    {"# TYPE h histogram\nh_bucket{le=\"1\",a=\"1\",b=\"2\"} 1\nh_bucket{a=\"1\",le=\"1\",b=\"2\"} 1\n"
	     "h_bucket{a=\"1\",b=\"2\",le=\"1\"} 1\nh_sum{a=\"1\",b=\"2\"} 1\nh_bucket{a=\"1\",le=\"1\",b=\"2\"} 1\n"
	     "h_bucket{b=\"1\",le=\"1\",b2=\"2\"} 1\n",
		BUCKET ";" BUCKET " +;" BUCKET " +;h_sum sum of h histogram +;" BUCKET " +;" BUCKET ";"},
	    {"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum{} 1\nh_count 1\nh_bucket{ le=\"1\", } 1\n",
		BUCKET ";h_sum sum of h histogram +;h_count count of h histogram +;" BUCKET " +;"},
	    /* The same set in another order or spelling. */
	    {"# TYPE h histogram\nh_sum{a=\"1\",b=\"2\"} 1\nh_count{b=\"2\",a=\"1\"} "
	     "1\nh_bucket{b=\"2\",a=\"1\",le=\"1\"} 1\n"
	     "h_sum{ a = \"1\" b=\"2\" , } 1\nh_sum{a=\"2\",b=\"1\"} 1\n",
		"h_sum sum of h histogram;h_count count of h histogram +;" BUCKET " +;h_sum sum of h histogram +;"
		"h_sum sum of h histogram;"},
	    {"# TYPE h histogram\nh_sum{a=\"\\\\1\"} 1\nh_count{a=\"\\1\"} 1\nh_bucket{le=\"1\",a=\"\\\\1\"} "
	     "1\nh_sum{a=\"1\"} 1\n",
		"h_sum sum of h histogram;h_count count of h histogram +;" BUCKET " +;h_sum sum of h histogram;"},
	    {"# TYPE h histogram\nh_bucket{a=\"\\n\",le=\"1\"} 1\nh_bucket{a=\"\\n\",le=\"2\"} "
	     "1\nh_bucket{a=\"n\",le=\"2\"} 1\n",
		BUCKET ";h_bucket bucket of h histogram < 2 +;h_bucket bucket of h histogram < 2;"},
	    /* A bound that another label has as well. */
	    {"# TYPE h histogram\nh_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{le=\"1\",a=\"1\"} 1\nh_bucket{a=\"1\"} 1\n",
		BUCKET ";" BUCKET " +;h_bucket untyped;"},
	    /* Something between. */
	    {"# TYPE h histogram\nh_sum 1\nx 1\nh_count 1\n",
		"h_sum sum of h histogram;x untyped;h_count count of h histogram;"},
	    {"# TYPE h histogram\nh_sum 1\nh 1\nh_count 1\n",
		"h_sum sum of h histogram;h untyped;h_count count of h histogram;"},
	    {"# TYPE h histogram\nh_sum 1\n# HELP h x\n# note\n\nh_count 1\n# TYPE h histogram\nh_sum 2\n# TYPE h "
	     "summary\nh_count 1\n",
		"h_sum sum of h histogram;h_count count of h histogram +;h_sum sum of h histogram +;h_count count of h "
		"summary;"},
	    {"# TYPE h histogram\nh_sum 1\n# TYPE g histogram\ng_sum 1\n# TYPE h histogram\nh_count 1\n",
		"h_sum sum of h histogram;g_sum sum of g histogram;h_count count of h histogram;"},
	    /* Another metric point. */
	    {"# TYPE h histogram\nh_sum 1 5\nh_count 1 5\nh_sum 1 6\nh_count 1\nh_sum 1 0\n",
		"h_sum sum of h histogram;h_count count of h histogram +;h_sum sum of h histogram;"
		"h_count count of h histogram;h_sum sum of h histogram;"},
	};
	check_parts(&text, "", cases, COUNT(cases));
}

/* What is longer than what the parser keeps is known again all the same. */
static void test_joined_long(void **state) {
	(void)state;
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_buf out, body;
	char long_value[6001];
	memset(long_value, 'x', sizeof(long_value));
	long_value[sizeof(long_value) - 1] = '\0';
	gs_buf_init(&out, 1 << 20);
	gs_buf_init(&body, 1 << 20);
	gs_buf_printf(&body,
	    "# TYPE h histogram\nh_sum{a=\"%s\"} 1\nh_bucket{a=\"%s\",le=\"1\"} 1\nh_bucket{a=\"%s\",le=\"1\"} 1\n",
	    long_value, long_value, long_value);
	gs_buf_printf(&body, "h_sum{b=\"\",a=\"%s\"} 1\nh_sum{a=\"%s\",b=\"\"} 1\n", long_value, long_value);
	long_value[5000] = 'y';
	gs_buf_printf(&body, "h_sum{a=\"%s\",b=\"\"} 1\nh_sum 1\n", long_value);
	gs_buf_printf(&body, "h_sum{a=\"%.4000s\"} 1\nh_sum{a=\"%.4001s\"} 1\nh_sum{a=\"%.4001s\" } 1\n", long_value,
	    long_value, long_value);
	struct gs_error err = {0};
	assert_int_equal(dump_parts(parser, &text, gs_buf_slice(&body), 0, &out, &err), GS_OK);
	gs_buf_char(&out, '\0');
	assert_string_equal(out.p, "h_sum sum of h histogram;" BUCKET " +;" BUCKET
				   " +;h_sum sum of h histogram;h_sum sum of h histogram +;h_sum sum of h histogram;"
				   "h_sum sum of h histogram;h_sum sum of h histogram;h_sum sum of h histogram;"
				   "h_sum sum of h histogram +;");
	gs_buf_free(&body);
	gs_buf_free(&out);
	gs_expo_parser_free(parser);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_joined),
	    cmocka_unit_test(test_joined_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
