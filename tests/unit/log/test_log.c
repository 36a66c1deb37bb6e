/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gravel/base/mem.h"
#include "gravel/log/log.h"

static char folder[64], path[128], moved[128];

static int setup(void **state) {
	(void)state;
	strncpy(folder, "/tmp/gravel-log-XXXXXX", sizeof(folder) - 1);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(moved, sizeof(moved), "%s/log.1", folder);
	umask(022);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_log_close();
	gs_mem_fail_after(-1);
	unlink(path);
	unlink(moved);
	return rmdir(folder);
}

static char text[1024 * 1024];

static const char *contents(const char *file) {
	FILE *f = fopen(file, "rb");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static size_t lines(const char *file) {
	size_t n = 0;
	for (const char *p = contents(file); *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

static void test_levels(void **state) {
	(void)state;
	assert_int_equal(gs_log_open("prog", path, GS_LOG_WARN, NULL), GS_OK);
	gs_log(GS_LOG_ERROR, "one %d", 1);
	gs_log(GS_LOG_WARN, "two %s", "x\ny");
	gs_log(GS_LOG_INFO, "three");
	gs_log(GS_LOG_DEBUG, "four");
	const char *got = contents(path);
	assert_non_null(strstr(got, "Z level=error program=prog msg=\"one 1\"\n"));
	assert_non_null(strstr(got, "Z level=warn program=prog msg=\"two x\\ny\"\n"));
	assert_int_equal(lines(path), 2);
	assert_int_equal(gs_log_open("prog", path, GS_LOG_DEBUG, NULL), GS_OK);
	gs_log(GS_LOG_INFO, "three");
	gs_log(GS_LOG_DEBUG, "four");
	assert_int_equal(lines(path), 4); /* appended */
	assert_non_null(strstr(contents(path), " level=debug "));
}

static void test_file(void **state) {
	struct stat st;
	(void)state;
	assert_int_equal(gs_log_open("prog", path, GS_LOG_INFO, NULL), GS_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the log holds the number before this one */
	assert_true(fcntl(fd - 1, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd - 1, F_GETFL) & O_APPEND);
	gs_log_reopen();
	assert_true(fcntl(fd - 1, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void test_cannot_open(void **state) {
	struct gs_error err;
	(void)state;
	assert_int_equal(gs_log_open("prog", path, GS_LOG_INFO, NULL), GS_OK);
	assert_int_equal(gs_log_open("other", "/nowhere/at/all/log", GS_LOG_DEBUG, &err), GS_EIO);
	assert_non_null(strstr(err.text, "\"/nowhere/at/all/log\": No such file or directory"));
	assert_int_equal(gs_log_open("other", folder, GS_LOG_DEBUG, &err), GS_EIO);
	gs_log(GS_LOG_DEBUG, "not this");
	gs_log(GS_LOG_VERBOSE, "nor this");
	gs_log(GS_LOG_INFO, "this");
	assert_non_null(strstr(contents(path), "program=prog msg=\"this\""));
	assert_int_equal(lines(path), 1);
}

static void test_reopen(void **state) {
	(void)state;
	gs_log_reopen(); /* without a file: nothing */
	assert_int_equal(gs_log_open("prog", path, GS_LOG_INFO, NULL), GS_OK);
	gs_log(GS_LOG_INFO, "old");
	assert_int_equal(rename(path, moved), 0);
	gs_log(GS_LOG_INFO, "still old");
	gs_log_reopen();
	gs_log(GS_LOG_INFO, "new");
	assert_int_equal(lines(moved), 2);
	assert_int_equal(lines(path), 1);
	assert_non_null(strstr(contents(path), "\"new\""));
}

static void test_reopen_fails(void **state) {
	(void)state;
	assert_int_equal(gs_log_open("prog", path, GS_LOG_INFO, NULL), GS_OK);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	gs_log_reopen();
	gs_log(GS_LOG_INFO, "goes on");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(lines(moved), 2);
	assert_non_null(strstr(contents(moved), "the old one stays in use"));
	assert_non_null(strstr(contents(moved), "\"goes on\""));
}

static void test_errno_stays(void **state) {
	(void)state;
	assert_int_equal(gs_log_open("prog", "/dev/full", GS_LOG_INFO, NULL), GS_OK);
	errno = EDOM;
	gs_log(GS_LOG_INFO, "lost"); /* ENOSPC: neither fatal nor endless */
	assert_int_equal(errno, EDOM);
}

static void test_limited(void **state) {
	struct gs_log_limit limit = {0}, soon = {0};
	(void)state;
	assert_int_equal(gs_log_open("prog", path, GS_LOG_INFO, NULL), GS_OK);
	for (int i = 0; i < 100; i++)
		gs_log_limited(&limit, 3600 * 1000, GS_LOG_WARN, "again %d", i);
	assert_int_equal(lines(path), 1);
	assert_non_null(strstr(contents(path), "msg=\"again 0\""));
	limit.until_ms = 0; /* the hour is over */
	gs_log_limited(&limit, 3600 * 1000, GS_LOG_WARN, "last");
	assert_non_null(strstr(contents(path), "msg=\"(99 more like this before) last\""));
	gs_log_limited(&soon, 0, GS_LOG_INFO, "a");
	gs_log_limited(&soon, 0, GS_LOG_INFO, "b");
	gs_log_limited(&soon, 0, GS_LOG_DEBUG, "hidden levels do not count");
	assert_int_equal(soon.suppressed, 0);
	assert_int_equal(lines(path), 4);
}

static void test_long(void **state) {
	static char big[20000];
	(void)state;
	memset(big, 'z', sizeof(big) - 1);
	assert_int_equal(gs_log_open("prog", path, GS_LOG_INFO, NULL), GS_OK);
	gs_log(GS_LOG_INFO, "%s", big);
	assert_int_equal(lines(path), 1);
	assert_non_null(strstr(contents(path), "zzz...\"\n"));
}

static struct gs_log_limit shared;

static void *writer(void *arg) {
	for (int i = 0; i < 200; i++) {
		gs_log(GS_LOG_INFO, "thread %d line %d end", *(int *)arg, i);
		gs_log_limited(&shared, 3600 * 1000, GS_LOG_INFO, "once");
	}
	return NULL;
}

/* Four threads write while the file is rotated: each line is whole and stands in one of the two files. */
static void test_threads(void **state) {
	pthread_t threads[4];
	int ids[4];
	(void)state;
	memset(&shared, 0, sizeof(shared));
	assert_int_equal(gs_log_open("prog", path, GS_LOG_INFO, NULL), GS_OK);
	for (int i = 0; i < 4; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, writer, &ids[i]), 0);
	}
	assert_int_equal(rename(path, moved), 0);
	for (int i = 0; i < 20; i++)
		gs_log_reopen();
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(lines(path) + lines(moved), 4 * 200 + 1);
	assert_int_equal(shared.suppressed, 4 * 200 - 1);
	for (const char *p = contents(path), *end; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		assert_non_null(end);
		bool whole = memcmp(end - 5, " end\"", 5) == 0 || memcmp(end - 5, "once\"", 5) == 0;
		assert_true(whole);
	}
}

static void test_memory(void **state) {
	int n = 0;
	(void)state;
	for (;; n++) {
		struct gs_error err = {0};
		gs_mem_fail_after(n);
		enum gs_status status = gs_log_open("prog", path, GS_LOG_INFO, &err);
		gs_mem_fail_after(-1);
		if (status == GS_OK)
			break;
		assert_int_equal(status, GS_ENOMEM);
		assert_string_equal(err.text, "out of memory");
	}
	assert_int_equal(n, 2);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {TEST(test_levels), TEST(test_file), TEST(test_cannot_open),
	    TEST(test_reopen), TEST(test_reopen_fails), TEST(test_errno_stays), TEST(test_limited), TEST(test_long),
	    TEST(test_threads), TEST(test_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
