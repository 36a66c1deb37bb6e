/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_JSON_H
#define GRAVEL_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/buf.h"

/*
 * Writing of JSON (RFC 8259), in one line. Commas are put where they belong; that every bracket is closed and every member has a key is the
 * caller's. Errors stick to the buffer.
 */
struct gs_json {
	struct gs_buf *out;
	bool comma; /* something stands before what comes next */
};

/** gs_json_init(json, out): Write to the end of ${out}, which must outlive it. */
void gs_json_init(struct gs_json *json, struct gs_buf *out);

/** gs_json_open(json, bracket), gs_json_close(json, bracket): Begin or end an object ('{', '}') or an array ('[', ']'). */
void gs_json_open(struct gs_json *json, char bracket);
void gs_json_close(struct gs_json *json, char bracket);

/** gs_json_key(json, key): The name of the member whose value comes next. */
void gs_json_key(struct gs_json *json, struct gs_str key);

/** gs_json_str(json, s): A string; what is not UTF-8 in it becomes U+FFFD. */
void gs_json_str(struct gs_json *json, struct gs_str s);

void gs_json_u64(struct gs_json *json, uint64_t v);
void gs_json_bool(struct gs_json *json, bool v);
void gs_json_null(struct gs_json *json);

/** gs_json_double(json, v): As a string, because JSON has no Inf and NaN, and as gs_num_print_double writes it. */
void gs_json_double(struct gs_json *json, double v);

/** gs_json_seconds(json, ms): Milliseconds as a number of seconds, exactly. */
void gs_json_seconds(struct gs_json *json, int64_t ms);

/** gs_json_time(json, ms): A time since the epoch as RFC 3339 has it, in UTC with milliseconds, or null if it is 0 or beyond the year 9999. */
void gs_json_time(struct gs_json *json, int64_t ms);

#endif
