/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "line.h"

/*
 * No lock: each line is one write to a descriptor opened with O_APPEND, and a reopened file takes over the number of the old
 * one (dup3), so that a thread in the middle of a write never sees it closed.
 */
static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int log_level = GS_LOG_INFO;
/* Written by gs_log_open and gs_log_close only, when the program has one thread. */
static const char *log_program = "gravel";
static char *log_program_copy;
static char *log_path;

static const char *level_name(enum gs_log_level level) {
	static const char *const names[] = {"error", "warn", "info", "info", "debug"};
	return names[level];
}

static int open_path(const char *path) {
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

static enum gs_status cannot_open(const char *path, int errnum, struct gs_error *err) {
	char reason[128];
	return gs_error_set(err, GS_EIO, 0, 0,
	    "cannot open the log file \"%s\": %s; let this user write there, or set another \"logfile\"", path,
	    strerror_r(errnum, reason, sizeof(reason)));
}

enum gs_status gs_log_open(const char *program, const char *path, enum gs_log_level level, struct gs_error *err) {
	enum gs_status status = GS_OK;
	int fd = STDERR_FILENO;
	char *program_copy = gs_strdup(gs_str_of(program));
	char *path_copy = path != NULL ? gs_strdup(gs_str_of(path)) : NULL;
	if (program_copy == NULL || (path != NULL && path_copy == NULL)) {
		status = gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
		goto out;
	}
	if (path != NULL && (fd = open_path(path)) < 0) {
		status = cannot_open(path, errno, err);
		goto out;
	}
	gs_log_close();
	log_path = path_copy;
	log_program_copy = program_copy;
	log_program = program_copy;
	path_copy = NULL;
	program_copy = NULL;
	atomic_store(&log_level, (int)level);
	atomic_store(&log_fd, fd);
out:
	gs_free(path_copy);
	gs_free(program_copy);
	return status;
}

void gs_log_reopen(void) {
	if (log_path == NULL)
		return;
	int fd = open_path(log_path);
	if (fd < 0 || dup3(fd, atomic_load(&log_fd), O_CLOEXEC) < 0) {
		struct gs_error err;
		if (cannot_open(log_path, errno, &err) != GS_OK)
			gs_log(GS_LOG_ERROR, "%s; the old one stays in use", err.text);
	}
	if (fd >= 0)
		close(fd);
}

void gs_log_close(void) {
	int fd = atomic_exchange(&log_fd, STDERR_FILENO);
	if (fd != STDERR_FILENO)
		close(fd);
	gs_free(log_path);
	gs_free(log_program_copy);
	log_path = NULL;
	log_program_copy = NULL;
	log_program = "gravel";
	atomic_store(&log_level, GS_LOG_INFO);
}

/* A log that cannot be written (disk full, reader gone) must not stop the program: the line is lost. */
static void write_line(const char *line, size_t n) {
	int fd = atomic_load(&log_fd);
	while (n != 0) {
		ssize_t wrote = write(fd, line, n);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return;
		line += wrote;
		n -= (size_t)wrote;
	}
}

/* ${suppressed} lines before this one were held back. */
__attribute__((format(printf, 2, 0))) static void write_text(
    enum gs_log_level level, const char *fmt, va_list ap, uint64_t suppressed) {
	char text[GS_LOG_LINE_MAX], line[GS_LOG_LINE_MAX];
	int saved = errno; /* logging in an error branch must not change the error */
	size_t at = 0;
	if (suppressed != 0) {
		int n = snprintf(text, sizeof(text), "(%llu more like this before) ", (unsigned long long)suppressed);
		at = n > 0 ? (size_t)n : 0;
	}
	int n = vsnprintf(text + at, sizeof(text) - at, fmt, ap);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) - at ? (size_t)n : sizeof(text) - at - 1;
	write_line(
	    line, gs_log_line(line, gs_clock_wall_ms(), level_name(level), log_program, gs_str_make(text, at + len)));
	errno = saved;
}

static bool passes(enum gs_log_level level) {
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

void gs_log(enum gs_log_level level, const char *fmt, ...) {
	if (!passes(level))
		return;
	va_list ap;
	va_start(ap, fmt);
	write_text(level, fmt, ap, 0);
	va_end(ap);
}

void gs_log_limited(struct gs_log_limit *limit, int64_t period_ms, enum gs_log_level level, const char *fmt, ...) {
	if (!passes(level))
		return;
	/* A zeroed limit lets the first line pass: its time is past on any machine that has been up for a millisecond. */
	int64_t now = gs_clock_mono_ms();
	int64_t until = __atomic_load_n(&limit->until_ms, __ATOMIC_RELAXED);
	if (now < until || !__atomic_compare_exchange_n(
			       &limit->until_ms, &until, now + period_ms, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&limit->suppressed, 1, __ATOMIC_RELAXED);
		return;
	}
	va_list ap;
	va_start(ap, fmt);
	write_text(level, fmt, ap, __atomic_exchange_n(&limit->suppressed, 0, __ATOMIC_RELAXED));
	va_end(ap);
}
