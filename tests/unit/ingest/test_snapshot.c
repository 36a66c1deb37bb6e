/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <signal.h>
#include <sys/stat.h>

#include "durable.h"

#define BODY "# TYPE c counter\nc 1\n"

/* A fork writes it while pushes go on, and the log is cut behind the older of two. */
static void test_forked(void **state) {
	(void)state;
	char *folder = folder_new(), *after = folder_new();
	struct gs_ingest_options options = durable_options(folder);
	options.log.snapshot_ms = 1; /* at every tick */
	struct gs_ingest *ingest = durable_open_with(&options);
	int pushed = 0;
	while (durable_metric(GS_M_SNAPSHOTS) < 3) {
		assert_int_equal(push(ingest, "", BODY), GS_OK);
		pushed++;
	}
	assert_true(durable_metric(GS_M_SNAPSHOT_FAILURES) == 0);
	assert_true(durable_metric(GS_M_SNAPSHOT_POSITION) <= pushed);
	assert_true(durable_metric(GS_M_SNAPSHOT_BYTES) > 0);
	assert_true(durable_metric(GS_M_SNAPSHOT_PAUSE) > 0);
	/* Now all of it is in one, so there is no other one while the files are copied. */
	while (durable_metric(GS_M_SNAPSHOT_POSITION) < pushed)
		gs_clock_sleep_ms(10);
	gs_clock_sleep_ms(100);
	folder_each(folder, after);
	struct gs_ingest_options other = durable_options(after);
	struct gs_ingest *again = durable_open_with(&other);
	char text[64];
	snprintf(text, sizeof(text), "# TYPE c counter\nc %d\n", pushed);
	assert_string_equal(durable_text(again, "c"), text);
	assert_int_equal(again->replayed, 0);
	gs_ingest_free(again);
	gs_ingest_free(ingest);
	folder_free(folder);
	folder_free(after);
}

/* Without changes there is none; one that fails is said, and tried again. */
static void test_failing(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest_options options = durable_options(folder);
	options.log.snapshot_ms = 1;
	struct gs_ingest *ingest = durable_open_with(&options);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/snapshot-00000000000000000001.new", folder);
	assert_int_equal(mkdir(path, 0700), 0); /* in its way */
	assert_int_equal(push(ingest, "", BODY), GS_OK);
	while (durable_metric(GS_M_SNAPSHOT_FAILURES) < 2)
		gs_clock_sleep_ms(10);
	assert_int_equal(rmdir(path), 0);
	while (durable_metric(GS_M_SNAPSHOTS) < 1)
		gs_clock_sleep_ms(10);
	assert_true(durable_metric(GS_M_SNAPSHOT_POSITION) == 1);
	gs_ingest_refresh(ingest);
	assert_true(durable_metric(GS_M_SNAPSHOTS) == 1);
	gs_ingest_free(ingest);
	folder_free(folder);
}

/* A process that a thread of this one made, once it is stopped; 0: there is none. */
static pid_t stopped_child(void) {
	char path[PATH_MAX], line[256] = "";
	struct dirent *entry;
	int child = 0;
	DIR *tasks = opendir("/proc/self/task");
	while (child == 0 && (entry = readdir(tasks)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/children", entry->d_name);
		FILE *file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fscanf(file, "%d", &child) != 1)
			child = 0;
		fclose(file);
	}
	closedir(tasks);
	if (child == 0 || kill(child, SIGSTOP) != 0)
		return 0;
	gs_clock_sleep_ms(10);
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	FILE *file = fopen(path, "r");
	bool stopped = file != NULL && fgets(line, sizeof(line), file) != NULL && strstr(line, ") T ") != NULL;
	if (file != NULL)
		fclose(file);
	return stopped ? child : 0;
}

/* A child that hangs is ended at a stop, and what it would have written is written. */
static void test_hanging(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest_options options = durable_options(folder);
	options.log.snapshot_ms = 1;
	struct gs_ingest *ingest = durable_open_with(&options);
	pid_t child = 0;
	/* With a store that takes some time to write. */
	struct gs_buf body;
	gs_buf_init(&body, 1 << 20);
	for (int i = 0; i < 4900; i++)
		gs_buf_printf(&body, "g{i=\"%d\"} 1\n", i);
	gs_buf_cstr(&body, "# TYPE last gauge\nlast 1\n");
	gs_buf_char(&body, '\0');
	for (int n = 0; child == 0; n++) {
		assert_int_equal(push(ingest, "", body.p), GS_OK);
		for (int i = 0; i < 20000 && child == 0; i++) {
			usleep(100);
			child = stopped_child();
		}
		assert_true(n < 10);
	}
	gs_ingest_free(ingest);
	assert_int_equal(kill(child, 0), -1);
	ingest = durable_open(folder);
	assert_int_equal(ingest->replayed, 0);
	assert_string_equal(durable_text(ingest, "last"), "# TYPE last gauge\nlast 1\n");
	gs_ingest_free(ingest);
	gs_buf_free(&body);
	folder_free(folder);
}

static enum gs_status fill_text(void *ctx, struct gs_snapshot_writer *writer) {
	return gs_snapshot_writer_put(writer, gs_str_make(ctx, 100));
}

/* What stands in a whole file and is no state. */
static void test_no_state(void **state) {
	(void)state;
	static const struct {
		char bytes[100];
		const char *text;
	} cases[] = {
	    {"nonsense", "invalid"},
	    {"gravel receiver\n\x03", "a later version"},
	    {"gravel receiver\n\x02", "no store"},
	    {"gravel receiver\n\x01", "no store"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *folder = folder_new();
		struct gs_snapshot_info info = {.position = 3, .note = GS_STR("x")};
		struct gs_error err = {0};
		char bytes[100];
		memcpy(bytes, cases[i].bytes, sizeof(bytes));
		assert_int_equal(gs_snapshots_write(folder, &info, fill_text, bytes, &err), GS_OK);
		struct gs_ingest_options options = durable_options(folder);
		struct gs_ingest *ingest = NULL;
		assert_int_equal(gs_ingest_new(&options, &ingest, NULL), GS_OK);
		assert_int_equal(durable_wait(ingest, &err), GS_EIO);
		assert_non_null(strstr(err.text, "cannot load the snapshot of position 3"));
		if (i > 0)
			assert_non_null(strstr(err.text, cases[i].text));
		gs_ingest_free(ingest);
		folder_free(folder);
	}
}

static enum gs_status fill_buf(void *ctx, struct gs_snapshot_writer *writer) {
	return gs_snapshot_writer_put(writer, gs_buf_slice(ctx));
}

/* The first version said nothing of which log it belongs to: there was one. */
static void test_version_1(void **state) {
	(void)state;
	char *folder = folder_new(), *older = folder_new();
	struct gs_ingest *ingest = durable_open(folder);
	assert_int_equal(push(ingest, "key", BODY), GS_OK);
	gs_ingest_free(ingest);
	struct gs_snapshot_reader *reader = NULL;
	struct gs_error err = {0};
	struct gs_buf all, old;
	struct gs_str some = {0};
	gs_buf_init(&all, 1 << 20);
	gs_buf_init(&old, 1 << 20);
	assert_int_equal(gs_snapshots_open(folder, &reader, &err), GS_OK);
	struct gs_snapshot_info info = gs_snapshot_reader_info(reader);
	do {
		assert_int_equal(gs_snapshot_reader_get(reader, &some), GS_OK);
		gs_buf_str(&all, some);
	} while (some.n != 0);
	/* Magic, version, time, mark and number of keys; then three numbers that are new. */
	enum { VERSION_AT = 16, OLD = VERSION_AT + 8 * 5, NEW = OLD + 8 * 3 };
	assert_int_equal(all.p[VERSION_AT], 2);
	gs_buf_add(&old, all.p, OLD);
	gs_buf_add(&old, all.p + NEW, all.n - NEW);
	old.p[VERSION_AT] = 1;
	assert_int_equal(gs_snapshots_write(older, &info, fill_buf, &old, &err), GS_OK);
	gs_snapshot_reader_close(reader);
	ingest = durable_open(older);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 1\n");
	assert_int_equal(push(ingest, "key", BODY), GS_OK);
	assert_int_equal(push(ingest, "", BODY), GS_OK);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 2\n");
	gs_ingest_free(ingest);
	gs_buf_free(&all);
	gs_buf_free(&old);
	folder_free(folder);
	folder_free(older);
}

static void test_no_memory(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest *ingest = durable_open(folder);
	for (int i = 0; i < 100; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(push(ingest, key, BODY), GS_OK);
	}
	gs_ingest_free(ingest);
	struct gs_ingest_options options = durable_options(NULL);
	bool failed = true;
	for (int64_t n = 0; failed; n++) {
		struct gs_snapshot_reader *reader = NULL;
		struct gs_error err = {0};
		assert_int_equal(gs_ingest_new(&options, &ingest, NULL), GS_OK);
		ingest->options.log.folder = folder; /* for what is said */
		assert_int_equal(gs_snapshots_open(folder, &reader, NULL), GS_OK);
		gs_mem_fail_after(n);
		gs_ingest_store_take(ingest);
		enum gs_status status = gs_snapshot_load(ingest, reader, &err);
		gs_ingest_store_release(ingest);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (status != GS_OK && !(failed && status == GS_ENOMEM))
			fail_msg("at %d: %s: %s", (int)n, gs_status_name(status), err.text);
		if (!failed)
			assert_int_equal(gs_push_keys_held(ingest->keys), 100);
		gs_snapshot_reader_close(reader);
		gs_ingest_free(ingest);
	}
	folder_free(folder);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forked),
	    cmocka_unit_test(test_failing),
	    cmocka_unit_test(test_no_state),
	    cmocka_unit_test(test_hanging),
	    cmocka_unit_test(test_version_1),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
