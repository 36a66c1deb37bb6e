/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_DISCOVERY_BASE64_H
#define GRAVEL_LIB_DISCOVERY_BASE64_H

#include "gravel/base/arena.h"
#include "gravel/base/buf.h"

/* Base64 with the standard alphabet and padding (RFC 4648, section 4), as protobuf's JSON writes bytes. */

/** gs_sd_base64_encode(in, out): Append ${in} encoded to ${out}. */
void gs_sd_base64_encode(struct gs_str in, struct gs_buf *out);

/** gs_sd_base64_decode(in, arena, ret): *${ret} stands in ${arena}. GS_EINVAL for what no encoder writes, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_sd_base64_decode(struct gs_str in, struct gs_arena *arena, struct gs_str *ret);

#endif
