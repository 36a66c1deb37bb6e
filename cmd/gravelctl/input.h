/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_GRAVELCTL_INPUT_H
#define GRAVEL_CMD_GRAVELCTL_INPUT_H

#include "gravel/base/buf.h"
#include "gravel/base/error.h"
#include "gravel/codec/codec.h"

/* A file, pipe or standard input, read in pieces; one that is compressed is read and decompressed whole. */
struct input {
	int fd;
	enum gs_codec_kind packing; /* what it was compressed with */
	bool at_end; /* buf holds the last bytes */
	struct gs_buf buf; /* first the head, then one piece after the other */
	bool has_tail;
	struct gs_str tail; /* the last bytes, where they can be known */
	char tail_memory[64];
};

/** input_open(in, file, err): Open ${file}, "-" for standard input, and read its first bytes.
 * Whatever the result, close it. */
GS_MUST_USE enum gs_status input_open(struct input *in, const char *file, struct gs_error *err);

/** input_next(in, err): Replace in->buf by the next piece; nothing is in it when in->at_end comes with no bytes. */
GS_MUST_USE enum gs_status input_next(struct input *in, struct gs_error *err);

void input_close(struct input *in);

#endif
