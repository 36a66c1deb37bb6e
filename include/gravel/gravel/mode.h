/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_GRAVEL_MODE_H
#define GRAVEL_GRAVEL_MODE_H

#include <stdint.h>

#include "gravel/base/buf.h"
#include "gravel/base/error.h"

/* How a pushed number meets the stored one (DESIGN 3.1, 3.2). */
enum gs_mode_kind {
	GS_MODE_DEFAULT, /* none was named: by type, and a pebble stays one */
	GS_MODE_AGGREGATE, /* "aggregate", "sum" */
	GS_MODE_REPLACE, /* "replace" */
	GS_MODE_FAMILY, /* "family", "info": replaces the family within its path labels */
	GS_MODE_MIN, /* "min": the smaller one stands */
	GS_MODE_MAX, /* "max" */
	GS_MODE_PEBBLE, /* "<agg><duration>" */
};

enum gs_pebble_agg {
	GS_PEBBLE_SUM, /* "sum" */
	GS_PEBBLE_MEAN, /* "mean", "avg" */
};

struct gs_mode {
	enum gs_mode_kind kind;
	enum gs_pebble_agg agg; /* of a pebble */
	int64_t window_ms; /* of a pebble, > 0 */
};

/** gs_mode_parse(text, ret_mode, err):
 * Read the value of a clearmode label. GS_EINVAL with ${err} naming the text and every valid form; GS_ELIMIT for a window beyond
 * GS_LIMIT_PEBBLE_WINDOW_MS. The position in ${err} is left 0. */
GS_MUST_USE enum gs_status gs_mode_parse(struct gs_str text, struct gs_mode *ret_mode, struct gs_error *err);

/** gs_mode_print(out, mode): Append the canonical text ("aggregate", "mean5m"). */
void gs_mode_print(struct gs_buf *out, const struct gs_mode *mode);

#endif
