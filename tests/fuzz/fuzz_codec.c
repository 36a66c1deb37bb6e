/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed bytes of anybody: three bytes choose the kind, how long the text may be and in which steps it is fed, the rest is the text. At once and in steps give the
 * same text or both none, no more than allowed comes out, and a codec that met damage is as good as a new one.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <zstd.h>

#include "gravel/codec/codec.h"

#define CHOICES 3
#define MAX_LOG 18 /* of what may come out */
#define BEFORE GS_STR("what stands in front stays")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static enum gs_status at_once(
    struct gs_codec *codec, enum gs_codec_kind kind, struct gs_str in, size_t max, struct gs_buf *out) {
	gs_buf_init(out, BEFORE.n + max);
	gs_buf_str(out, BEFORE);
	enum gs_status status = gs_codec_decompress(codec, kind, in, out);
	demand(out->status == GS_OK, "a buffer of no use");
	demand(out->n >= BEFORE.n && out->n <= BEFORE.n + max, "a length out of range");
	demand(gs_str_starts(gs_buf_slice(out), BEFORE), "not what was in front");
	demand(status == GS_OK || out->n == BEFORE.n, "a trace of a failure");
	demand(status == GS_OK || status == GS_EINVAL || status == GS_ELIMIT, "another status");
	return status;
}

static enum gs_status in_steps(enum gs_codec_kind kind, struct gs_str in, size_t step, size_t max, struct gs_buf *out) {
	struct gs_decoder *decoder = gs_decoder_new(kind);
	enum gs_status status = GS_OK;
	demand(decoder != NULL, "memory");
	gs_buf_init(out, max);
	for (bool more = true; more && status == GS_OK;) {
		struct gs_str piece = gs_str_make(in.p, in.n < step ? in.n : step);
		size_t before = out->n, left = piece.n;
		status = gs_decoder_feed(decoder, &piece, step, out);
		demand(out->n - before <= step && out->n <= max, "more than was asked for");
		in = gs_str_make(in.p + (left - piece.n), in.n - (left - piece.n));
		more = out->n != before || left != piece.n;
		demand(status != GS_OK || more || in.n == 0, "it stands still");
	}
	if (status == GS_OK)
		status = gs_decoder_end(decoder);
	gs_decoder_free(decoder);
	return status;
}

/*
 * Whether a frame holds less than it claims. libzstd's stream takes an empty last block for the end, whatever the claim, and so do steps; at once the claim is compared with the room, and by
 * libzstd with the text when the whole frame is there.
 */
static bool a_frame_lies(struct gs_str in, size_t max) {
	bool lies = false;
	while (in.n != 0 && !lies) {
		size_t n = ZSTD_findFrameCompressedSize(in.p, in.n);
		unsigned long long claim = ZSTD_getFrameContentSize(in.p, in.n);
		struct gs_buf out;
		if (ZSTD_isError(n))
			return false;
		enum gs_status status = in_steps(GS_CODEC_ZSTD, gs_str_make(in.p, n), n, max, &out);
		lies = status == GS_OK && claim != ZSTD_CONTENTSIZE_UNKNOWN && claim > out.n;
		gs_buf_free(&out);
		in = gs_str_make(in.p + n, in.n - n);
	}
	return lies;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static const enum gs_codec_kind kinds[] = {GS_CODEC_IDENTITY, GS_CODEC_GZIP, GS_CODEC_ZSTD};
	struct gs_buf first, second, third;
	if (size < CHOICES)
		return 0;
	enum gs_codec_kind kind = kinds[data[0] % 3];
	size_t max = (size_t)1 << data[1] % (MAX_LOG + 1), step = 1 + (size_t)data[2];
	struct gs_str in = gs_str_make((const char *)data + CHOICES, size - CHOICES);
	struct gs_codec *codec = gs_codec_new();
	demand(codec != NULL, "memory");
	enum gs_status status = at_once(codec, kind, in, max, &first);
	demand(at_once(codec, kind, in, max, &second) == status, "another status the second time");
	demand(gs_str_eq(gs_buf_slice(&first), gs_buf_slice(&second)), "another text the second time");
	enum gs_status stepped = in_steps(kind, in, step, max, &third);
	demand((stepped == GS_OK) == (status == GS_OK) ||
		   (stepped == GS_OK && kind == GS_CODEC_ZSTD && a_frame_lies(in, max)),
	    "another status in steps");
	struct gs_str text = gs_str_make(first.p + BEFORE.n, first.n - BEFORE.n);
	demand(status != GS_OK || gs_str_eq(gs_buf_slice(&third), text), "another text in steps");
	gs_buf_free(&first);
	gs_buf_free(&second);
	gs_buf_free(&third);
	gs_codec_free(codec);
	return 0;
}
