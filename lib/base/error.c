/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* Take what the cut left of a UTF-8 sequence off the end, so that a text that was UTF-8 stays so. */
static void drop_cut_sequence(char *text, size_t n) {
	size_t at = n;
	while (at > 0 && n - at < 4 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
		at--;
	if (at > 0 && (unsigned char)text[at - 1] >= 0xc0)
		text[at - 1] = '\0';
}

enum gs_status gs_error_set(
    struct gs_error *err, enum gs_status status, uint32_t line, uint32_t column, const char *fmt, ...) {
	if (err == NULL)
		return status;
	err->line = line;
	err->column = column;
	err->limit = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(err->text))
		drop_cut_sequence(err->text, sizeof(err->text) - 1);
	for (char *c = err->text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	return status;
}

enum gs_status gs_error_limit(struct gs_error *err, const char *limit) {
	if (err != NULL)
		err->limit = limit;
	return GS_ELIMIT;
}
