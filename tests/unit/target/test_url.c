/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "parts.h"

static void check(struct gs_url_parts parts, const char *expected) {
	struct gs_buf out;
	gs_buf_init(&out, 10000);
	gs_url_write(&parts, &out);
	gs_buf_char(&out, '\0');
	assert_int_equal(out.status, GS_OK);
	assert_string_equal(out.p, expected);
	gs_buf_free(&out);
}

#define PARTS(s, a, p, ...)                                                                                            \
	((struct gs_url_parts){.scheme = GS_STR(s), .address = GS_STR(a), .path = GS_STR(p), __VA_ARGS__})

static void test_what_stands_before_the_parameters(void **state) {
	(void)state;
	check(PARTS("http", "host:80", "/metrics", .nparams = 0), "http://host:80/metrics");
	check(PARTS("https", "[::1]:443", "metrics", .nparams = 0), "https://[::1]:443/metrics");
	check(PARTS("", "host", "", .nparams = 0), "//host");
	check(PARTS("http", "host", "*", .nparams = 0), "http://host/*");
	check(PARTS("http", "host", "/*", .nparams = 0), "http://host/%2A");
	check(PARTS("http", "host", "/a b?c#d%e/f!'()\xc3\xa4", .nparams = 0),
	    "http://host/a%20b%3Fc%23d%25e/f%21%27%28%29%C3%A4");
	check(PARTS("http", "host", "/-_.~$&+,/:;=@", .nparams = 0), "http://host/-_.~$&+,/:;=@");
	check(PARTS("http", "u@h?x#y%z\xc3\xa4 !$&'()*+,;=:[]<>\"", "/", .nparams = 0),
	    "http://u%40h%3Fx%23y%25z%C3%A4%20!$&'()*+,;=:[]<>\"/");
	check(PARTS("http", "h", "/\n\x7f", .nparams = 0), "http://h/%0A%7F");
}

static void test_parameters(void **state) {
	(void)state;
	static const struct gs_label params[] = {{GS_STR_INIT("match[]"), GS_STR_INIT("{a=\"b c\"}")},
	    {GS_STR_INIT("Z"), GS_STR_INIT("1")}, {GS_STR_INIT("match[]"), GS_STR_INIT("up")},
	    {GS_STR_INIT("a"), GS_STR_INIT("&=+~")}};
	static const struct gs_label labels[] = {{GS_STR_INIT("__param"), GS_STR_INIT("no")},
	    {GS_STR_INIT("__param_"), GS_STR_INIT("empty name")}, {GS_STR_INIT("__param_b"), GS_STR_INIT("new")},
	    {GS_STR_INIT("__param_match[]"), GS_STR_INIT("first")}, {GS_STR_INIT("a"), GS_STR_INIT("no")}};
	check(PARTS("http", "h", "/", .params = params, .nparams = 4),
	    "http://h/?Z=1&a=%26%3D%2B~&match%5B%5D=%7Ba%3D%22b+c%22%7D&match%5B%5D=up");
	/* A label stands in the place of the first value, or is one more. */
	check(PARTS("http", "h", "/", .params = params, .nparams = 4, .labels = labels, .nlabels = 5),
	    "http://h/?=empty+name&Z=1&a=%26%3D%2B~&b=new&match%5B%5D=first&match%5B%5D=up");
	check(PARTS("http", "h", "", .labels = labels, .nlabels = 5), "http://h?=empty+name&b=new&match%5B%5D=first");
}

static void test_limit(void **state) {
	(void)state;
	struct gs_buf out;
	struct gs_url_parts parts = PARTS("http", "host", "/metrics", .nparams = 0);
	gs_buf_init(&out, 10);
	gs_url_write(&parts, &out);
	assert_int_equal(out.status, GS_ELIMIT);
	gs_buf_free(&out);
	gs_mem_fail_after(0);
	gs_url_write(&parts, &out);
	gs_mem_fail_after(-1);
	assert_int_equal(out.status, GS_ENOMEM);
	gs_buf_free(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_stands_before_the_parameters),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
