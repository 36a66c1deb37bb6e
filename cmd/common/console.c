/* SPDX-License-Identifier: Apache-2.0 */
#include "console.h"

#include <stdarg.h>
#include <stdio.h>

int console_version(const char *program) {
	printf("%s %s\n", program, GRAVEL_VERSION);
	return EXIT_DONE;
}

int console_try_help(const char *program) {
	fprintf(stderr, "Try '%s --help'.\n", program);
	return EXIT_USAGE;
}

int console_usage(const char *program, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "%s: ", program);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return console_try_help(program);
}
