/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "table.h"

static double value_of(const char *name) {
	double values[GS_PROCESS_METRICS];
	gs_process_read(values);
	for (size_t i = 0; i < GS_PROCESS_METRICS; i++) {
		if (strcmp(gs_process_table[i].name, name) == 0)
			return values[i];
	}
	fail_msg("no %s", name);
	return 0;
}

static void test_cpu(void **state) {
	double before = value_of("process_cpu_seconds_total");
	struct timespec cpu;
	(void)state;
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	while ((double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9 < before + 0.05);
	double after = value_of("process_cpu_seconds_total");
	assert_true(after >= before + 0.02 && after < before + 10);
}

static void test_fds(void **state) {
	struct rlimit limit;
	(void)state;
	double before = value_of("process_open_fds");
	assert_true(before >= 3);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(value_of("process_open_fds") == before + 1);
	close(fd);
	assert_true(value_of("process_open_fds") == before);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(value_of("process_max_fds") == (double)limit.rlim_cur);
}

static void test_start(void **state) {
	double now = (double)time(NULL), start = value_of("process_start_time_seconds");
	(void)state;
	assert_true(start > now - 120 && start < now + 2);
	assert_true(value_of("process_start_time_seconds") == start);
}

static void test_memory(void **state) {
	(void)state;
	double resident = value_of("process_resident_memory_bytes");
	assert_true(resident > 100e3 && resident < value_of("process_virtual_memory_bytes"));
	size_t n = (size_t)32 << 20;
	volatile char *p = malloc(n);
	assert_non_null(p);
	for (size_t i = 0; i < n; i += 1024)
		p[i] = 1;
	assert_true(value_of("process_resident_memory_bytes") > resident + 16e6);
	free((void *)(uintptr_t)p);
}

/* The name of the program stands in brackets in the middle of the numbers. */
static void test_name_with_brackets(void **state) {
	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, "a) R 1 (2"), 0);
	assert_true(value_of("process_start_time_seconds") > 1e9);
	assert_false(isnan(value_of("process_cpu_seconds_total")));
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cpu), cmocka_unit_test(test_fds),
	    cmocka_unit_test(test_start), cmocka_unit_test(test_memory), cmocka_unit_test(test_name_with_brackets)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
