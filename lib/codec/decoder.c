/* SPDX-License-Identifier: Apache-2.0 */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/codec/codec.h"

#define STEP ((size_t)16 * 1024) /* room that is made for output at a time */
#define FEED_MAX ((size_t)1 << 30) /* zlib counts in unsigned int */
#define ZLIB_GZIP (15 + 16) /* windowBits: 32 KiB, gzip wrapping */
#define MAGIC 4 /* bytes of zstd's magic number */

struct gs_decoder {
	enum gs_codec_kind kind;
	bool between; /* at the beginning of a gzip member or zstd frame */
	bool any; /* something came */
	z_stream z;
	bool z_on;
	ZSTD_DCtx *zstd;
	unsigned char magic[MAGIC]; /* of a frame, as far as it came */
	size_t nmagic;
};

static voidpf zlib_alloc(voidpf opaque, uInt count, uInt size) {
	(void)opaque;
	return gs_alloc_array(count, size);
}

static void zlib_free(voidpf opaque, voidpf p) {
	(void)opaque;
	gs_free(p);
}

static bool start(struct gs_decoder *decoder) {
	switch (decoder->kind) {
	case GS_CODEC_GZIP:
		decoder->z = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
		decoder->z_on = inflateInit2(&decoder->z, ZLIB_GZIP) == Z_OK;
		return decoder->z_on;
	case GS_CODEC_ZSTD:
		decoder->zstd = ZSTD_createDCtx();
		return decoder->zstd != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(
						    decoder->zstd, ZSTD_d_windowLogMax, GS_LIMIT_ZSTD_WINDOW_LOG));
	case GS_CODEC_IDENTITY:
		return true;
	}
	return false;
}

struct gs_decoder *gs_decoder_new(enum gs_codec_kind kind) {
	struct gs_decoder *decoder = gs_alloc(sizeof(*decoder));
	if (decoder == NULL)
		return NULL;
	decoder->kind = kind;
	decoder->between = true;
	if (start(decoder))
		return decoder;
	gs_decoder_free(decoder);
	return NULL;
}

void gs_decoder_free(struct gs_decoder *decoder) {
	if (decoder == NULL)
		return;
	if (decoder->z_on)
		inflateEnd(&decoder->z);
	ZSTD_freeDCtx(decoder->zstd);
	gs_free(decoder);
}

static void advance(struct gs_str *in, size_t n) {
	*in = gs_str_make(in->p + n, in->n - n);
}

static enum gs_status gzip_step(struct gs_decoder *decoder, struct gs_str *in, char *to, size_t room, size_t *ret_n) {
	z_stream *z = &decoder->z;
	size_t n = in->n < FEED_MAX ? in->n : FEED_MAX;
	if (decoder->between && n == 0)
		return GS_OK;
	if (decoder->between && decoder->any && inflateReset(z) != Z_OK)
		return GS_EINVAL;
	decoder->between = false;
	decoder->any = true;
	z->next_in = (z_const Bytef *)(uintptr_t)in->p;
	z->avail_in = (uInt)n;
	z->next_out = (Bytef *)to;
	z->avail_out = (uInt)room;
	int rc = inflate(z, Z_NO_FLUSH);
	advance(in, n - z->avail_in);
	*ret_n = room - z->avail_out;
	decoder->between = rc == Z_STREAM_END;
	/* Z_BUF_ERROR: it wants more, and that may come. */
	if (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR)
		return GS_OK;
	return rc == Z_MEM_ERROR ? GS_ENOMEM : GS_EINVAL;
}

/* The library may be built with decoders of its old formats, and those are no business of ours: nothing is handed on before the magic is known. */
static enum gs_status take_magic(struct gs_decoder *decoder, struct gs_str *in) {
	while (decoder->nmagic < MAGIC && in->n != 0) {
		decoder->magic[decoder->nmagic++] = (unsigned char)*in->p;
		decoder->any = true;
		advance(in, 1);
	}
	if (decoder->nmagic < MAGIC)
		return GS_EAGAIN;
	const unsigned char *p = decoder->magic;
	uint32_t magic = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	return magic == ZSTD_MAGICNUMBER || (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START
		   ? GS_OK
		   : GS_EINVAL;
}

static enum gs_status zstd_status(size_t rc) {
	if (!ZSTD_isError(rc))
		return GS_OK;
	int code = (int)ZSTD_getErrorCode(rc);
	if (code == ZSTD_error_memory_allocation)
		return GS_ENOMEM;
	return code == ZSTD_error_frameParameter_windowTooLarge ? GS_ELIMIT : GS_EINVAL;
}

static enum gs_status zstd_call(struct gs_decoder *decoder, ZSTD_inBuffer *src, char *to, size_t room, size_t *ret_n) {
	ZSTD_outBuffer dst = {.dst = to, .size = room};
	size_t rc = ZSTD_decompressStream(decoder->zstd, &dst, src);
	*ret_n = dst.pos;
	decoder->between = rc == 0;
	return zstd_status(rc);
}

static enum gs_status zstd_step(struct gs_decoder *decoder, struct gs_str *in, char *to, size_t room, size_t *ret_n) {
	if (decoder->between) {
		if (in->n == 0)
			return GS_OK;
		enum gs_status status = take_magic(decoder, in);
		if (status != GS_OK)
			return status == GS_EAGAIN ? GS_OK : status;
		ZSTD_inBuffer head = {.src = decoder->magic, .size = MAGIC};
		decoder->nmagic = 0;
		status = zstd_call(decoder, &head, to, room, ret_n);
		if (status != GS_OK)
			return status;
	}
	ZSTD_inBuffer src = {.src = in->p, .size = in->n};
	enum gs_status status = zstd_call(decoder, &src, to, room, ret_n);
	advance(in, src.pos);
	return status;
}

/* Decode into some room; *ret_n bytes were written. Returns with nothing written and nothing used when it wants more. */
static enum gs_status step(struct gs_decoder *decoder, struct gs_str *in, char *to, size_t room, size_t *ret_n) {
	*ret_n = 0;
	return decoder->kind == GS_CODEC_GZIP ? gzip_step(decoder, in, to, room, ret_n)
					      : zstd_step(decoder, in, to, room, ret_n);
}

static enum gs_status copy(struct gs_str *in, size_t max, struct gs_buf *out) {
	size_t n = in->n < max ? in->n : max;
	gs_buf_add(out, in->p, n);
	advance(in, n);
	return out->status;
}

/* At out->max a spare byte is the room: a text that ends exactly there is fine. */
enum gs_status gs_decoder_feed(struct gs_decoder *decoder, struct gs_str *in, size_t max, struct gs_buf *out) {
	size_t before = out->n;
	if (decoder->kind == GS_CODEC_IDENTITY) {
		decoder->any = true;
		return copy(in, max, out);
	}
	while (out->n - before < max) {
		size_t left = in->n, n = 0, room = out->max - out->n;
		char spare, *to = room != 0 ? gs_buf_reserve(out, room < STEP ? room : STEP) : &spare;
		if (to == NULL)
			return out->status;
		size_t wanted = max - (out->n - before);
		room = to == &spare ? 1 : out->cap - out->n;
		enum gs_status status = step(decoder, in, to, room < wanted ? room : wanted, &n);
		if (status != GS_OK)
			return status;
		if (to == &spare && n != 0)
			return GS_ELIMIT;
		if (to != &spare)
			out->n += n;
		if (n == 0 && in->n == left)
			break;
	}
	return GS_OK;
}

enum gs_status gs_decoder_end(const struct gs_decoder *decoder) {
	if (decoder->kind == GS_CODEC_IDENTITY)
		return GS_OK;
	return decoder->any && decoder->between && decoder->nmagic == 0 ? GS_OK : GS_EINVAL;
}
