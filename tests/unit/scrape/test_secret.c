/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gravel/base/mem.h"
#include "secret.h"

static char dir[] = "/tmp/gravel-secret-XXXXXX";
static char path[64];

static int make_dir(void **state) {
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/secret", dir);
	return 0;
}

static int remove_dir(void **state) {
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void write_file(const void *bytes, size_t n) {
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void test_a_value_is_itself(void **state) {
	(void)state;
	struct gs_config_secret given[] = {{.value = " hunter2 "}, {.value = NULL}};
	static const char *const expected[] = {" hunter2 ", ""};
	for (size_t i = 0; i < 2; i++) {
		struct gs_secret secret;
		bool changed = false;
		gs_secret_init(&secret, &given[i], "password");
		assert_int_equal(gs_secret_refresh(&secret, &changed, NULL), GS_OK);
		assert_true(changed);
		assert_string_equal(secret.value, expected[i]);
		changed = false;
		assert_int_equal(gs_secret_refresh(&secret, &changed, NULL), GS_OK);
		assert_false(changed);
		gs_secret_free(&secret);
	}
}

static void test_a_file_is_read_again_when_it_changes(void **state) {
	(void)state;
	struct gs_config_secret given = {.file = path};
	struct gs_secret secret;
	struct gs_error err = {0};
	bool changed = false;
	gs_secret_init(&secret, &given, "password_file");
	write_file("one\n", 4);
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_OK);
	assert_true(changed);
	assert_string_equal(secret.value, "one");
	changed = false;
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_OK);
	assert_false(changed);
	write_file("  two and more\r\n\n", 17);
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_OK);
	assert_true(changed);
	assert_string_equal(secret.value, "two and more");
	/* The same again in another file is no change. */
	changed = false;
	write_file("two and more", 12);
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_OK);
	assert_false(changed);
	unlink(path);
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_EIO);
	assert_non_null(strstr(err.text, "cannot read password_file \""));
	assert_non_null(strstr(err.text, "No such file"));
	gs_secret_free(&secret);
}

static void test_what_no_header_can_have_is_refused_and_not_told(void **state) {
	(void)state;
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {{"tell\nnobody", 11}, {"tell\rnobody", 11}, {"tell\0nobody", 11}, {"tell\x7fnobody", 11}};
	struct gs_config_secret given = {.file = path}, inline_given = {.value = "tell\nnobody"};
	struct gs_secret secret;
	struct gs_error err = {0};
	bool changed = false;
	gs_secret_init(&secret, &given, "credentials_file");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(bad[i].bytes, bad[i].n);
		assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_EINVAL);
		assert_null(strstr(err.text, "tell"));
		assert_null(strstr(err.text, "nobody"));
	}
	static char large[GS_SECRET_MAX + 1];
	memset(large, 'x', sizeof(large));
	write_file(large, sizeof(large));
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_ELIMIT);
	write_file(large, sizeof(large) - 1);
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_OK);
	gs_secret_free(&secret);
	gs_secret_init(&secret, &inline_given, "credentials");
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_EINVAL);
	assert_null(strstr(err.text, "nobody"));
}

static void test_what_is_no_file(void **state) {
	(void)state;
	struct gs_config_secret given = {.file = dir};
	struct gs_secret secret;
	struct gs_error err = {0};
	bool changed = false;
	gs_secret_init(&secret, &given, "credentials_file");
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_EIO);
	assert_non_null(strstr(err.text, "not a file"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0); /* nobody will ever write */
	given.file = path;
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_EIO);
	assert_non_null(strstr(err.text, "not a file"));
	unlink(path);
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_config_secret given = {.value = "a"};
	struct gs_secret secret;
	struct gs_error err = {0};
	bool changed = false;
	gs_secret_init(&secret, &given, "password");
	gs_mem_fail_after(0);
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_false(changed);
	assert_int_equal(gs_secret_refresh(&secret, &changed, &err), GS_OK);
	gs_secret_free(&secret);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_value_is_itself),
	    cmocka_unit_test(test_a_file_is_read_again_when_it_changes),
	    cmocka_unit_test(test_what_no_header_can_have_is_refused_and_not_told),
	    cmocka_unit_test(test_what_is_no_file),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
