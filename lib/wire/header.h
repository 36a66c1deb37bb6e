/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_WIRE_HEADER_H
#define GRAVEL_LIB_WIRE_HEADER_H

#include "gravel/wire/wire.h"

/* What the header lines of all kinds share. */

/** gs_wire_add_text(out, text): Append ${text} as the value of a key: any bytes, escaped with '%'. */
void gs_wire_add_text(struct gs_buf *out, struct gs_str text);

/** gs_wire_read_text(scratch, value, ret): The reverse, behind what stands in ${scratch}, which has the room. GS_EINVAL. */
GS_MUST_USE enum gs_status gs_wire_read_text(struct gs_buf *scratch, struct gs_str value, struct gs_str *ret);

/** gs_wire_add_format(out, format, utf8_names): Append " f=<word>", or nothing for text. */
void gs_wire_add_format(struct gs_buf *out, enum gs_expo_format format, bool utf8_names);

/** gs_wire_read_format(value, ret_format, ret_utf8_names): GS_EUNSUPPORTED for a word that is none of ours, GS_EINVAL for none. */
GS_MUST_USE enum gs_status gs_wire_read_format(
    struct gs_str value, enum gs_expo_format *ret_format, bool *ret_utf8_names);

/** gs_wire_check_line(line, scratch, err): What holds for every header line, before a look at its keys: GS_ELIMIT, GS_EINVAL; and make room for it in ${scratch}: GS_ENOMEM,
 * GS_ELIMIT. */
GS_MUST_USE enum gs_status gs_wire_check_line(struct gs_str line, struct gs_buf *scratch, struct gs_error *err);

#endif
