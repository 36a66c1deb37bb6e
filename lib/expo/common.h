/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_COMMON_H
#define GRAVEL_LIB_EXPO_COMMON_H

/* How two bodies are compared. Not for other modules. memcmp is as fast, but does not say where the difference is. */

#include <stdbool.h>
#include <stddef.h>

/** gs_expo_common_fn(a, b, n): How many of the first ${n} bytes of ${a} and ${b} are alike up to the first that differs. */
typedef size_t gs_expo_common_fn(const char *a, const char *b, size_t n);

struct gs_expo_common {
	const char *name;
	gs_expo_common_fn *fn;
	bool usable; /* on the processor that runs this */
};

#define GS_EXPO_COMMONS 3

/** gs_expo_commons(ret): All implementations, the fastest first; returns their number. The last is plain C and always usable. */
size_t gs_expo_commons(struct gs_expo_common ret[GS_EXPO_COMMONS]);

/** gs_expo_common_best(): The first that is usable. */
gs_expo_common_fn *gs_expo_common_best(void);

#endif
