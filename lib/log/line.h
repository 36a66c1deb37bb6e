/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LOG_LINE_H
#define GRAVEL_LOG_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "gravel/base/str.h"

/* What one write puts into a pipe unbroken (PIPE_BUF of Linux). Fixed: a longer message is cut. */
#define GS_LOG_LINE_MAX 4096

/** gs_log_line(out, wall_ms, level, program, text):
 * Write one logfmt line with its newline into ${out} (GS_LOG_LINE_MAX bytes) and return its length. Bytes of ${text} that could end
 * the line, the quotes or a terminal's sanity are escaped; what does not fit is replaced by "...". Allocates nothing. */
size_t gs_log_line(char *out, int64_t wall_ms, const char *level, const char *program, struct gs_str text);

#endif
