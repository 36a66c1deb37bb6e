/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/error.h"

#include <stdarg.h>
#include <stdio.h>

enum gs_status gs_error_set(
    struct gs_error *err, enum gs_status status, uint32_t line, uint32_t column, const char *fmt, ...) {
	if (err == NULL)
		return status;
	err->line = line;
	err->column = column;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	for (char *c = err->text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	return status;
}
