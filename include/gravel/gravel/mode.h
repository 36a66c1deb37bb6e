/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_GRAVEL_MODE_H
#define GRAVEL_GRAVEL_MODE_H

#include <stdbool.h>
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

/* What a pebble says of the values in its window. */
enum gs_pebble_agg {
	GS_PEBBLE_SUM, /* "sum" */
	GS_PEBBLE_MEAN, /* "mean", "avg" */
	GS_PEBBLE_MIN, /* "min" */
	GS_PEBBLE_MAX, /* "max" */
	GS_PEBBLE_COUNT, /* "count": how many there are */
	GS_PEBBLE_LAST, /* "last": the newest */
	GS_PEBBLE_STDDEV, /* "stddev": of the values themselves (population), not an estimate from a sample of them */
	GS_PEBBLE_PERCENTILE, /* "p99:", and "median" for p50: */
};

#define GS_PERCENT_SCALE 1000 /* percent_milli of one percent */

struct gs_mode {
	enum gs_mode_kind kind;
	enum gs_pebble_agg agg; /* of a pebble */
	uint32_t
	    percent_milli; /* of a percentile, 0 to 100 * GS_PERCENT_SCALE: an integer, so that two modes are the same or not */
	int64_t window_ms; /* of a pebble, > 0 */
};

/** gs_mode_parse(text, ret_mode, err):
 * Read the value of a clearmode label. A word is a mode of its own before it is the beginning of a pebble: "min" is GS_MODE_MIN, "min5m" and "min:5m" are
 * pebbles. GS_EINVAL with ${err} naming the text and every valid form; GS_ELIMIT for a window beyond GS_LIMIT_PEBBLE_WINDOW_MS. The position in
 * ${err} is left 0. */
GS_MUST_USE enum gs_status gs_mode_parse(struct gs_str text, struct gs_mode *ret_mode, struct gs_error *err);

/** gs_mode_same(a, b): Whether both say the same; what a mode does not use is not compared. */
bool gs_mode_same(const struct gs_mode *a, const struct gs_mode *b);

/** gs_mode_print(out, mode): Append the canonical text ("aggregate", "mean5m", "p99.9:1h", "median5m"), which gs_mode_parse reads as the same
 * mode; nothing for GS_MODE_DEFAULT. */
void gs_mode_print(struct gs_buf *out, const struct gs_mode *mode);

#endif
