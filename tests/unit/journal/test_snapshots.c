/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gravel/base/mem.h"
#include "gravel/journal/snapshots.h"

static char folder[64];

static void open_folder(void) {
	snprintf(folder, sizeof(folder), "/tmp/gravel-snapshots-XXXXXX");
	assert_non_null(mkdtemp(folder));
}

/* The names in the folder, sorted, with blanks between. */
static const char *names(void) {
	static char text[1024];
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);
	size_t at = 0;
	text[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.')
			at += (size_t)snprintf(
			    text + at, sizeof(text) - at, "%s%s", at != 0 ? " " : "", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return text;
}

static void close_folder(void) {
	char path[400], *rest, *name = strtok_r((char *)(uintptr_t)names(), " ", &rest);
	for (; name != NULL; name = strtok_r(NULL, " ", &rest)) {
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
}

#define WORDS 300000

/* Some MB, of which each part says where it stands. */
static enum gs_status fill(void *ctx, struct gs_snapshot_writer *writer) {
	uint64_t seed = *(const uint64_t *)ctx;
	for (uint64_t i = 0; i < WORDS; i++) {
		uint64_t word = seed * WORDS + i;
		enum gs_status status = gs_snapshot_writer_put(writer, gs_str_make((const char *)&word, sizeof(word)));
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

static enum gs_status write_one(uint64_t position, struct gs_error *err) {
	struct gs_snapshot_info info = {
	    .position = position, .time_ms = (int64_t)position * 7, .note = GS_STR("scrapes=5 a b")};
	*err = (struct gs_error){0};
	return gs_snapshots_write(folder, &info, fill, &position, err);
}

/* The newest is the one of that position, with all its bytes. */
static void assert_newest(uint64_t position) {
	struct gs_snapshot_reader *reader = NULL;
	struct gs_error err = {0};
	if (gs_snapshots_open(folder, &reader, &err) != GS_OK)
		fail_msg("%s", err.text);
	struct gs_snapshot_info info = gs_snapshot_reader_info(reader);
	assert_true(info.position == position && info.time_ms == (int64_t)position * 7);
	assert_true(gs_str_eq(info.note, GS_STR("scrapes=5 a b")));
	uint64_t word = position * WORDS;
	struct gs_str bytes;
	do {
		assert_int_equal(gs_snapshot_reader_get(reader, &bytes), GS_OK);
		assert_int_equal(bytes.n % sizeof(word), 0);
		for (size_t i = 0; i < bytes.n; i += sizeof(word), word++)
			assert_memory_equal(bytes.p + i, &word, sizeof(word));
	} while (bytes.n != 0);
	assert_true(word == (position + 1) * WORDS);
	gs_snapshot_reader_close(reader);
}

static void test_write_and_read(void **state) {
	(void)state;
	struct gs_snapshot_reader *reader;
	struct gs_error err;
	uint64_t oldest;
	open_folder();
	assert_int_equal(gs_snapshots_open(folder, &reader, &err), GS_ENOTFOUND);
	assert_int_equal(gs_snapshots_oldest(folder, &oldest), GS_ENOTFOUND);
	assert_int_equal(write_one(7, &err), GS_OK);
	assert_newest(7);
	assert_int_equal(write_one(1000, &err), GS_OK);
	assert_newest(1000);
	assert_string_equal(names(), "snapshot-00000000000000000007 snapshot-00000000000000001000");
	assert_int_equal(gs_snapshots_oldest(folder, &oldest), GS_OK);
	assert_true(oldest == 7);
	assert_int_equal(write_one(1001, &err), GS_OK);
	assert_string_equal(names(), "snapshot-00000000000000001000 snapshot-00000000000000001001");
	assert_int_equal(gs_snapshots_oldest(folder, &oldest), GS_OK);
	assert_true(oldest == 1000);
	assert_int_equal(write_one(1001, &err), GS_OK); /* nothing came since */
	assert_newest(1001);
	close_folder();
}

static enum gs_status fill_nothing(void *ctx, struct gs_snapshot_writer *writer) {
	(void)ctx;
	(void)writer;
	return GS_OK;
}

static enum gs_status fill_badly(void *ctx, struct gs_snapshot_writer *writer) {
	enum gs_status status = fill(ctx, writer);
	return status == GS_OK ? GS_ECLOSED : status;
}

static void test_empty_and_failed(void **state) {
	(void)state;
	struct gs_snapshot_info info = {.position = 3};
	struct gs_snapshot_reader *reader = NULL;
	struct gs_error err = {0};
	struct gs_str bytes;
	uint64_t seed = 3;
	open_folder();
	assert_int_equal(gs_snapshots_write(folder, &info, fill_badly, &seed, &err), GS_ECLOSED);
	assert_string_equal(names(), "");
	assert_int_equal(gs_snapshots_write(folder, &info, fill_nothing, NULL, &err), GS_OK);
	assert_int_equal(gs_snapshots_open(folder, &reader, &err), GS_OK);
	assert_int_equal(gs_snapshot_reader_get(reader, &bytes), GS_OK);
	assert_int_equal(bytes.n, 0);
	gs_snapshot_reader_close(reader);
	close_folder();
}

static void path_of(char path[200], uint64_t position) {
	snprintf(path, 200, "%s/snapshot-%020llu", folder, (unsigned long long)position);
}

static void damage(uint64_t position, long at, int bit) {
	char path[200];
	path_of(path, position);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	off_t size = lseek(fd, 0, SEEK_END), where = at >= 0 ? at : size + at;
	unsigned char byte;
	assert_int_equal(pread(fd, &byte, 1, where), 1);
	byte = (unsigned char)(byte ^ 1 << bit);
	assert_int_equal(pwrite(fd, &byte, 1, where), 1);
	close(fd);
}

static void cut(uint64_t position, long by) {
	char path[200];
	struct stat st;
	path_of(path, position);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size + by), 0);
}

/* A damaged one is set aside, and the one before is taken. */
static void test_damaged(void **state) {
	(void)state;
	static const long places[] = {0, 20, 30, 50, 70, 1000, 100000, -1, -8, -9, -16, -1000};
	struct gs_error err;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		open_folder();
		assert_int_equal(write_one(1, &err), GS_OK);
		assert_int_equal(write_one(2, &err), GS_OK);
		damage(2, places[i], (int)(i % 8));
		assert_newest(1);
		assert_string_equal(names(), "snapshot-00000000000000000001 snapshot-00000000000000000002.damaged");
		assert_newest(1);
		assert_int_equal(write_one(3, &err), GS_OK);
		assert_newest(3);
		close_folder();
	}
	static const long cuts[] = {-1, -8, -20, -5000, 1};
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		open_folder();
		assert_int_equal(write_one(1, &err), GS_OK);
		assert_int_equal(write_one(2, &err), GS_OK);
		cut(2, cuts[i]);
		assert_newest(1);
		close_folder();
	}
}

static void test_all_damaged(void **state) {
	(void)state;
	struct gs_snapshot_reader *reader = NULL;
	struct gs_error err = {0};
	open_folder();
	assert_int_equal(write_one(1, &err), GS_OK);
	assert_int_equal(write_one(2, &err), GS_OK);
	damage(1, 500, 1);
	damage(2, 500, 1);
	assert_int_equal(gs_snapshots_open(folder, &reader, &err), GS_EINVAL);
	assert_non_null(strstr(err.text, "all snapshots in"));
	assert_string_equal(names(), "snapshot-00000000000000000001.damaged snapshot-00000000000000000002.damaged");
	close_folder();
}

/* What is interrupted leaves the last one as it was. */
static void test_killed(void **state) {
	(void)state;
	struct gs_error err;
	char path[200];
	open_folder();
	assert_int_equal(write_one(1, &err), GS_OK);
	path_of(path, 2);
	for (useconds_t us = 100; us < 20000; us += us / 4) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(write_one(2, &err) == GS_OK ? 0 : 1);
		usleep(us);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_newest(access(path, F_OK) == 0 ? 2 : 1);
		(void)unlink(path);
	}
	assert_newest(1);
	close_folder();
}

static void test_full(void **state) {
	(void)state;
	struct gs_error err;
	struct rlimit before, small;
	open_folder();
	assert_int_equal(write_one(1, &err), GS_OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	small = before;
	small.rlim_cur = 5000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(write_one(2, &err), GS_EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(err.text, "make room there"));
	assert_string_equal(names(), "snapshot-00000000000000000001");
	assert_newest(1);
	close_folder();
}

static void test_no_folder(void **state) {
	(void)state;
	struct gs_snapshot_reader *reader;
	struct gs_error err;
	uint64_t oldest;
	snprintf(folder, sizeof(folder), "/nonexistent/folder");
	assert_int_equal(write_one(1, &err), GS_EIO);
	assert_non_null(strstr(err.text, "/nonexistent/folder"));
	assert_int_equal(gs_snapshots_open(folder, &reader, &err), GS_EIO);
	assert_int_equal(gs_snapshots_oldest(folder, &oldest), GS_EIO);
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct gs_error err;
	enum gs_status status = GS_ENOMEM;
	open_folder();
	for (int64_t n = 0; status != GS_OK; n++) {
		gs_mem_fail_after(n);
		status = write_one(1, &err);
		gs_mem_fail_after(-1);
		assert_true(status == GS_OK || status == GS_ENOMEM);
	}
	status = GS_ENOMEM;
	for (int64_t n = 0; status != GS_OK; n++) {
		struct gs_snapshot_reader *reader = NULL;
		gs_mem_fail_after(n);
		status = gs_snapshots_open(folder, &reader, &err);
		gs_mem_fail_after(-1);
		assert_true(status == GS_OK || status == GS_ENOMEM);
		gs_snapshot_reader_close(reader);
	}
	assert_newest(1);
	close_folder();
}

/* What was left by one that was killed is nobody's. */
static void test_unfinished(void **state) {
	(void)state;
	struct gs_snapshot_reader *reader = NULL;
	char path[128], left[140], short_path[4];
	open_folder();
	assert_int_equal(gs_snapshots_path(folder, 7, path, sizeof(path)), GS_OK);
	assert_int_equal(gs_snapshots_path(folder, 7, short_path, sizeof(short_path)), GS_ELIMIT);
	assert_string_equal(path + strlen(folder), "/snapshot-00000000000000000007");
	snprintf(left, sizeof(left), "%s.new", path);
	int fd = open(left, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(names(), "snapshot-00000000000000000007.new");
	assert_int_equal(gs_snapshots_open(folder, &reader, NULL), GS_ENOTFOUND);
	assert_string_equal(names(), "");
	assert_int_equal(rmdir(folder), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unfinished),
	    cmocka_unit_test(test_write_and_read),
	    cmocka_unit_test(test_empty_and_failed),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_all_damaged),
	    cmocka_unit_test(test_killed),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_no_folder),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
