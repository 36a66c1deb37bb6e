/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "../../../lib/bus/private.h"

static void test_accepts(void **state) {
	(void)state;
	static const char *const good[] = {"nats://h", "nats://h:4222", "tls://h:1", "h", "h:65535",
	    "nats://u:p@h:4222", "nats://token@h", "nats://u:p@ss@h:4222", "nats://[::1]:4222", "nats://[::1]",
	    "nats://h:4222/", "u:p/w@h"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct gs_error err = {0};
		assert_int_equal(gs_url_check(gs_str_of(good[i]), &err), GS_OK);
	}
}

static void test_refuses_and_quotes_no_secret(void **state) {
	(void)state;
	static const char *const bad[] = {"", "nats://", "http://u:s3cret@h", "nats://u:s3cret", "nats://u:s3cret@",
	    "nats://h:0", "nats://h:65536", "nats://h:-1", "nats://h:", "nats://a b", "nats://h\n", "nats://[::1",
	    "nats://[]", "nats://h/x", "nats://:4222", "nats://u:s3cret@h:x", "s3cret://h", "nats://h:1/s3cret"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gs_error err = {0};
		assert_int_equal(gs_url_check(gs_str_of(bad[i]), &err), GS_EINVAL);
		assert_true(err.text[0] != '\0');
		assert_null(strstr(err.text, "s3cret"));
	}
}

static void check_redacted(const char *url, const char *wanted) {
	char out[128];
	gs_url_redact(gs_str_of(url), out, sizeof(out));
	assert_string_equal(out, wanted);
}

static void test_redacts(void **state) {
	(void)state;
	check_redacted("nats://h:4222", "nats://h:4222");
	check_redacted("nats://u:p@h:4222", "nats://***@h:4222");
	check_redacted("nats://token@h", "nats://***@h");
	check_redacted("nats://u:p@q@h", "nats://***@h");
	check_redacted("u:p/@h:1", "***@h:1");
	check_redacted("", "");
}

static void check_scrubbed(const char *text, const char *url, const char *wanted) {
	char buf[128];
	snprintf(buf, sizeof(buf), "%s", text);
	gs_url_scrub(buf, gs_str_of(url));
	assert_string_equal(buf, wanted);
}

static void test_scrubs(void **state) {
	(void)state;
	check_scrubbed("user u:s3cret refused", "nats://u:s3cret@h", "user ******** refused");
	check_scrubbed("password s3cret s3cret", "nats://u:s3cret@h", "password ****** ******");
	check_scrubbed("to nats://a:b@h failed", "nats://h", "to nats://***@h failed");
	check_scrubbed("nothing to hide", "nats://h", "nothing to hide");
	check_scrubbed("", "nats://u:p@h", "");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepts),
	    cmocka_unit_test(test_refuses_and_quotes_no_secret),
	    cmocka_unit_test(test_redacts),
	    cmocka_unit_test(test_scrubs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
