/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "run.h"

static char dir[64], pattern[96];
static const char *names[] = {pattern};
static struct gs_config_sd sd = {.kind = GS_SD_FILE, .refresh_interval = 50, .names = names, .nnames = 1};

static const char *path_of(const char *name) {
	static char path[160];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text) {
	FILE *f = fopen(path_of(name), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state) {
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/gravel-sd-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(pattern, sizeof(pattern), "%s/*.json", dir);
	gs_telemetry_reset();
	return 0;
}

static int teardown(void **state) {
	static const char *const files[] = {"a.json", "b.json", "big.json"};
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(path_of(files[i]));
	return rmdir(dir);
}

static char *expect(const char *address, const char *file) {
	static char text[256];
	snprintf(text, sizeof(text), "{__address__=\"%s\",__meta_filepath=\"%s\"}", address, path_of(file));
	return text;
}

/* Of the same length, in the same inode, within a tick of the file system's clock: only what is read again is seen. */
static void test_changes_that_stat_cannot_tell(void **state) {
	struct run run;
	char text[64], address[16];
	(void)state;
	put("a.json", "[{\"targets\":[\"a:00\"]}]");
	assert_int_equal(run_start(&run, &sd, NULL, NULL), GS_OK);
	run_wait(&run, expect("a:00", "a.json"));
	for (int i = 0; i < 40; i++) {
		snprintf(address, sizeof(address), "a:%02d", i);
		snprintf(text, sizeof(text), "[{\"targets\":[\"%s\"]}]", address);
		put("a.json", text);
	}
	run_wait(&run, expect("a:39", "a.json"));
	run_stop(&run);
}

static void test_failures(void **state) {
	struct run run;
	(void)state;
	put("a.json", "[{\"targets\":[\"a\"]}]");
	put("b.json", "[");
	assert_int_equal(run_start(&run, &sd, NULL, NULL), GS_OK);
	run_wait(&run, expect("a", "a.json"));
	run_wait_failures("file", 2);
	/* Larger than may be; without a byte on the disk. */
	put("big.json", "[]");
	assert_int_equal(truncate(path_of("big.json"), GS_LIMIT_SD_DOCUMENT + 1), 0);
	put("b.json", "[]");
	double before = gs_metric_get(GS_M_SD_FAILURES, "job", "file");
	run_wait_failures("file", before + 2);
	assert_true(gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "file") == 0);
	unlink(path_of("big.json"));
	for (int i = 0; i < 1500 && gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "file") == 0; i++)
		gs_clock_sleep_ms(10);
	assert_true(gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "file") > 0);
	unlink(path_of("a.json"));
	run_wait(&run, "");
	assert_int_equal(run.lists, 2);
	run_stop(&run);
	/* What a job that left had found is no metric any more. */
	assert_true(gs_metric_get(GS_M_SD_LAST_SUCCESS, "job", "file") == 0);
}

static void test_nothing_readable_is_no_empty_list(void **state) {
	struct run run;
	(void)state;
	put("a.json", "[");
	assert_int_equal(run_start(&run, &sd, NULL, NULL), GS_OK);
	run_wait_failures("file", 2);
	assert_int_equal(run.lists, 0);
	put("a.json", "[]");
	run_wait(&run, "");
	run_stop(&run);
}

static void test_memory(void **state) {
	(void)state;
	put("a.json", "[{\"targets\":[\"a\"]}]");
	run_without_memory(&sd, NULL, expect("a", "a.json"), 300);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_changes_that_stat_cannot_tell, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nothing_readable_is_no_empty_list, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
