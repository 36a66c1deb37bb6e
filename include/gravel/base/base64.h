/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_BASE64_H
#define GRAVEL_BASE_BASE64_H

#include "gravel/base/arena.h"
#include "gravel/base/buf.h"

/* Base64 (RFC 4648): one encoder, and a decoder for each of those who write it. */
enum gs_base64 {
	GS_BASE64_STANDARD, /* section 4, as protobuf's JSON writes bytes: with '+', '/' and padding, and only what an encoder writes */
	GS_BASE64_ANY, /* either alphabet, any number of '=' at the end; no bits left over that an encoder does not leave */
	GS_BASE64_GO, /* as the Pushgateway's own decoder: '-' and '_' only, any number of '=' at the end, without a look at bits that are left over */
};

/** gs_base64_encode(in, out): Append ${in} encoded to ${out}: the standard alphabet, with padding. */
void gs_base64_encode(struct gs_str in, struct gs_buf *out);

/** gs_base64_decode(variant, in, arena, ret): *${ret} stands in ${arena}; {NULL, 0} when it is empty, and after an error. GS_EINVAL for what ${variant} does not take, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_base64_decode(
    enum gs_base64 variant, struct gs_str in, struct gs_arena *arena, struct gs_str *ret);

#endif
