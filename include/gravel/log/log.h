/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LOG_LOG_H
#define GRAVEL_LOG_LOG_H

#include <stdint.h>

#include "gravel/base/error.h"

/*
 * One line an event, logfmt: time level=... program=... msg="the text", cut at 4 KiB. Only cmd and the modules that own a
 * thread log (bus, scrape, web, ingest); what is below them returns errors instead. Thread-safe; never called under a
 * lock. Control bytes are escaped. Secrets are never passed in.
 */
enum gs_log_level {
	GS_LOG_ERROR, /* someone must act */
	GS_LOG_WARN, /* something was lost, or soon will be */
	GS_LOG_INFO, /* state changed */
	GS_LOG_VERBOSE, /* each event that went wrong; written as info */
	GS_LOG_DEBUG, /* each event */
};

/** gs_log_open(program, path, level, err):
 * Start logging for ${program} to the file ${path} (appended, created 0640), or to stderr when it is NULL. Before this call, lines
 * of level INFO and above go to stderr. GS_EIO with ${err} where the file cannot be opened, GS_ENOMEM; the log then stays as it was.
 * Open and close while the program has one thread; all else here may be called on any. */
GS_MUST_USE enum gs_status gs_log_open(
    const char *program, const char *path, enum gs_log_level level, struct gs_error *err);

/** gs_log_reopen(): Open the file again, for log rotation. Keeps the old one when that fails, and says so in it. */
void gs_log_reopen(void);

/** gs_log_close(): Back to the state before gs_log_open. */
void gs_log_close(void);

/** gs_log(level, fmt, ...): Write one line. */
void gs_log(enum gs_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A rate limit: one per call site, static and zeroed. */
struct gs_log_limit {
	int64_t until_ms;
	uint64_t suppressed;
};

/** gs_log_limited(limit, period_ms, level, fmt, ...):
 * As gs_log, at most once in ${period_ms} for this ${limit}; the next line that passes says how many did not. */
void gs_log_limited(struct gs_log_limit *limit, int64_t period_ms, enum gs_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
