/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of docs/PROTOCOL.md, for the tests that prove them. */
#ifndef GRAVEL_TEST_WIRE_EXAMPLES_H
#define GRAVEL_TEST_WIRE_EXAMPLES_H

#include <stdio.h>

#include "gravel/base/str.h"

#define EXAMPLE_CELLS 8

typedef void example_fn(struct gs_str line);

/* Call fn with every line of the code blocks that begin with ```<name>, and return how many there were. */
static inline size_t for_each_example(const char *name, example_fn *fn) {
	FILE *f = fopen(GRAVEL_SOURCE_DIR "/docs/PROTOCOL.md", "r");
	assert_non_null(f);
	char text[16384];
	struct gs_str fence = GS_STR("```"), want = gs_str_of(name);
	enum { OUTSIDE, OURS, OTHERS } where = OUTSIDE;
	size_t count = 0;
	while (fgets(text, sizeof(text), f) != NULL) {
		struct gs_str line = gs_str_trim(gs_str_of(text));
		if (gs_str_starts(line, fence)) {
			struct gs_str info = gs_str_make(line.p + fence.n, line.n - fence.n);
			where = where != OUTSIDE ? OUTSIDE : gs_str_eq(info, want) ? OURS : OTHERS;
		} else if (where == OURS && line.n != 0) {
			fn(line);
			count++;
		}
	}
	fclose(f);
	return count;
}

/* The cells of a line "a | b | c". */
static inline void example_cells(struct gs_str line, struct gs_str *ret, size_t want) {
	size_t n = 0;
	bool more = true;
	while (more) {
		struct gs_str cell;
		more = gs_str_cut(line, '|', &cell, &line);
		assert_true(n < want);
		ret[n++] = gs_str_trim(cell);
	}
	assert_int_equal(n, want);
}

#endif
