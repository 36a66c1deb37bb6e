/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_WIRE_ESCAPE_H
#define GRAVEL_WIRE_ESCAPE_H

#include <stdbool.h>

#include "gravel/base/buf.h"

/*
 * Private to the module: the one escaping that subjects and the header line share. A byte for which plain() is false, and the mark
 * itself, stands as the mark and two upper-case hexadecimal digits. Every text has exactly one escaped form.
 */
struct gs_wire_escaping {
	char mark;
	bool (*plain)(unsigned char c); /* false for the mark */
};

/** gs_wire_escape_add(out, rule, s): Append ${s} escaped. */
void gs_wire_escape_add(struct gs_buf *out, const struct gs_wire_escaping *rule, struct gs_str s);

/** gs_wire_escape_undo(out, rule, s): Append what ${s} was before. GS_EINVAL, with ${out} as it was, for any other form than the one that
 * gs_wire_escape_add writes. */
GS_MUST_USE enum gs_status gs_wire_escape_undo(
    struct gs_buf *out, const struct gs_wire_escaping *rule, struct gs_str s);

#endif
