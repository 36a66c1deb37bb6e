/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_CONSOLE_H
#define GRAVEL_CMD_CONSOLE_H

/* What every program says to whoever started it, in the same words. */

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/** console_version(program): Print "PROGRAM 1.2.3"; returns EXIT_DONE. */
int console_version(const char *program);

/** console_try_help(program): Print "Try 'PROGRAM --help'." to stderr; returns EXIT_USAGE. */
int console_try_help(const char *program);

/** console_usage(program, fmt, ...): Print "PROGRAM: text" to stderr, and where help is; returns EXIT_USAGE. */
int console_usage(const char *program, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
