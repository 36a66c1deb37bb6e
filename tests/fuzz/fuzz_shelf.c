/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a shelf, which anybody may have written. What is taken from it can be true, and is the same when it is written and read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../lib/bus/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_shelf_file files[GS_SHELF_KEPT], again[GS_SHELF_KEPT];
	char text[GS_SHELF_HEAD], more[GS_SHELF_HEAD];
	size_t n = gs_shelf_read_head(gs_str_make((const char *)data, size), 1000, files);
	demand(n <= GS_SHELF_KEPT, "too many files");
	for (size_t i = 0; i < n; i++) {
		const struct gs_shelf_file *f = &files[i];
		demand(strlen(f->id) == 32 && f->time_ms >= 0, "no id or time");
		demand(f->first > 0 && f->first <= f->last && f->last < 1000, "no such sequences");
		demand(f->messages > 0 && f->messages <= f->last - f->first + 1, "no such messages");
		demand(f->size >= f->messages && (f->size + 131071) / 131072 <= f->messages, "no such size");
	}
	size_t length = gs_shelf_write_head(files, n, text);
	demand(
	    length < sizeof(text) && gs_shelf_read_head(gs_str_make(text, length), 1000, again) == n, "cannot be read");
	demand(gs_shelf_write_head(again, n, more) == length && memcmp(text, more, length) == 0, "is another one");
	return 0;
}
