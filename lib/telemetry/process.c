/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "gravel/base/num.h"
#include "table.h"

enum { CPU, MAX_FDS, OPEN_FDS, RESIDENT, START, VIRTUAL, VIRTUAL_MAX };

const struct gs_metric_row gs_process_table[GS_PROCESS_METRICS] = {
    [CPU] = {GS_METRIC_BOTH, GS_METRIC_COUNTER, "process_cpu_seconds_total", "",
	"Total user and system CPU time spent in seconds."},
    [MAX_FDS] = {GS_METRIC_BOTH, GS_METRIC_GAUGE, "process_max_fds", "", "Maximum number of open file descriptors."},
    [OPEN_FDS] = {GS_METRIC_BOTH, GS_METRIC_GAUGE, "process_open_fds", "", "Number of open file descriptors."},
    [RESIDENT] = {GS_METRIC_BOTH, GS_METRIC_GAUGE, "process_resident_memory_bytes", "",
	"Resident memory size in bytes."},
    [START] = {GS_METRIC_BOTH, GS_METRIC_GAUGE, "process_start_time_seconds", "",
	"Start time of the process since unix epoch in seconds."},
    [VIRTUAL] = {GS_METRIC_BOTH, GS_METRIC_GAUGE, "process_virtual_memory_bytes", "", "Virtual memory size in bytes."},
    [VIRTUAL_MAX] = {GS_METRIC_BOTH, GS_METRIC_GAUGE, "process_virtual_memory_max_bytes", "",
	"Maximum amount of virtual memory available in bytes."},
};

/* Numbers of the fields in /proc/self/stat that are used here (proc(5)). */
enum { STAT_STATE = 3, STAT_UTIME = 14, STAT_STIME = 15, STAT_START = 22, STAT_VSIZE = 23, STAT_RSS = 24, STAT_FIELDS };

/* The name of the program (field 2) may hold blanks and brackets: what follows its last ')' is field 3. */
static bool parse_stat(struct gs_str text, uint64_t fields[STAT_FIELDS]) {
	const char *at = memrchr(text.p, ')', text.n);
	if (at == NULL || (size_t)(at - text.p) + 2 > text.n)
		return false;
	struct gs_str rest = gs_str_make(at + 2, text.n - (size_t)(at - text.p) - 2), word;
	for (int i = STAT_STATE; i < STAT_FIELDS; i++) {
		gs_str_cut(rest, ' ', &word, &rest);
		bool wanted = i == STAT_UTIME || i == STAT_STIME || i >= STAT_START;
		if (wanted && gs_num_parse_u64(word, &fields[i]) != GS_OK)
			return false;
	}
	return true;
}

static bool read_stat(uint64_t fields[STAT_FIELDS]) {
	char text[2048];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text)); /* procfs gives it in one piece */
	close(fd);
	return n > 0 && parse_stat(gs_str_make(text, (size_t)n), fields);
}

static double seconds_of(clockid_t clock) {
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The kernel tells the start in ticks since boot, and the wall clock may step: so it is the moment of boot as believed
 * when first asked, and the same ever after. */
static double start_time(double ticks_start) {
	static _Atomic int64_t start_ms;
	if (start_ms == 0)
		start_ms = (int64_t)((seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) + ticks_start) * 1000);
	return (double)start_ms / 1000;
}

static double open_fds(void) {
	DIR *dir = opendir("/proc/self/fd");
	int n = -1; /* the folder's own */
	if (dir == NULL)
		return NAN;
	while (true) {
		struct dirent *entry = readdir(dir); /* NOLINT(concurrency-mt-unsafe): no other thread has this dir */
		if (entry == NULL)
			break;
		n += entry->d_name[0] != '.';
	}
	closedir(dir);
	return n;
}

static double limit_of(int what) {
	struct rlimit limit;
	return getrlimit((__rlimit_resource_t)what, &limit) == 0 ? (double)limit.rlim_cur : NAN;
}

void gs_process_read(double ret[GS_PROCESS_METRICS]) {
	uint64_t stat[STAT_FIELDS] = {0};
	double tick = (double)sysconf(_SC_CLK_TCK);
	bool ok = read_stat(stat);
	ret[CPU] = ok ? (double)(stat[STAT_UTIME] + stat[STAT_STIME]) / tick : NAN;
	ret[MAX_FDS] = limit_of(RLIMIT_NOFILE);
	ret[OPEN_FDS] = open_fds();
	ret[RESIDENT] = ok ? (double)stat[STAT_RSS] * (double)sysconf(_SC_PAGESIZE) : NAN;
	ret[START] = ok ? start_time((double)stat[STAT_START] / tick) : NAN;
	ret[VIRTUAL] = ok ? (double)stat[STAT_VSIZE] : NAN;
	ret[VIRTUAL_MAX] = limit_of(RLIMIT_AS);
}
