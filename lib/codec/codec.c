/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/codec/codec.h"

#include <stdint.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"

#define STEP ((size_t)16 * 1024) /* the least room made for output at a time */
#define ZLIB_FEED ((size_t)1 << 30) /* zlib counts in unsigned int */
#define ZLIB_GZIP (15 + 16) /* windowBits: 32 KiB, gzip wrapping */
#define ZLIB_RAW (-15) /* the same without wrapping */
#define FLUSH_ROOM 16 /* bytes of a full flush, and more: zlib asks for more than 6 to be free behind it */
#define HINT_RATIO 32 /* a claimed length is believed up to this many times the input */

/* Invariant: z is initialised if and only if on is set. */
struct deflater {
	z_stream z;
	bool on;
	int level;
};

/* Invariant: inflate is initialised if and only if its flag is set. */
struct gs_codec {
	struct deflater deflate;
	struct deflater piece; /* without wrapping */
	z_stream inflate;
	bool inflate_on;
	ZSTD_CCtx *zstd_c;
	ZSTD_DCtx *zstd_d;
};

/* Where output goes next. At out->max it is one spare byte: a stream that ends exactly there is fine, one that
 * writes into the spare is too long. */
struct sink {
	struct gs_buf *out;
	char *scratch; /* STEP bytes: nothing is kept, it will be too long anyway; NULL: all is */
	size_t left; /* with scratch: how much more is not too long */
	char spare;
	char *p;
	size_t n;
};

static enum gs_status sink_room(struct sink *sink, size_t want) {
	struct gs_buf *out = sink->out;
	size_t left = out->max - out->n;
	if (sink->scratch != NULL) {
		sink->p = sink->scratch;
		sink->n = STEP;
		return GS_OK;
	}
	if (left == 0) {
		sink->p = &sink->spare;
		sink->n = 1;
		return GS_OK;
	}
	sink->p = gs_buf_reserve(out, want < left ? want : left);
	sink->n = out->cap - out->n;
	return sink->p != NULL ? GS_OK : out->status;
}

static enum gs_status sink_wrote(struct sink *sink, size_t n) {
	if (sink->scratch != NULL) {
		if (n > sink->left)
			return GS_ELIMIT;
		sink->left -= n;
		return GS_OK;
	}
	if (sink->p == &sink->spare)
		return n == 0 ? GS_OK : GS_ELIMIT;
	sink->out->n += n;
	return GS_OK;
}

static voidpf zlib_alloc(voidpf opaque, uInt count, uInt size) {
	(void)opaque;
	return gs_alloc_array(count, size);
}

static void zlib_free(voidpf opaque, voidpf p) {
	(void)opaque;
	gs_free(p);
}

static enum gs_status zlib_status(int rc) {
	return rc == Z_OK || rc == Z_STREAM_END ? GS_OK : rc == Z_MEM_ERROR ? GS_ENOMEM : GS_EINVAL;
}

/* Give the stream the next of *in. */
static void zlib_feed(z_stream *z, struct gs_str *in) {
	size_t n = in->n < ZLIB_FEED ? in->n : ZLIB_FEED;
	if (z->avail_in != 0 || n == 0)
		return;
	z->next_in = (z_const Bytef *)(uintptr_t)in->p;
	z->avail_in = (uInt)n;
	*in = gs_str_make(in->p + n, in->n - n);
}

/* One call of deflate or inflate into the sink. */
static enum gs_status zlib_step(
    z_stream *z, int (*step)(z_stream *, int), int flush, struct sink *sink, size_t want, int *ret_rc) {
	enum gs_status status = sink_room(sink, want);
	if (status != GS_OK)
		return status;
	uInt n = (uInt)(sink->n < ZLIB_FEED ? sink->n : ZLIB_FEED);
	z->next_out = (Bytef *)sink->p;
	z->avail_out = n;
	*ret_rc = step(z, flush);
	return sink_wrote(sink, n - z->avail_out);
}

static enum gs_status deflate_ready(struct deflater *deflater, int level, int window) {
	z_stream *z = &deflater->z;
	if (deflater->on && deflater->level == level)
		return zlib_status(deflateReset(z));
	if (deflater->on)
		deflateEnd(z);
	*z = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
	int rc = deflateInit2(z, level, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
	deflater->on = rc == Z_OK;
	deflater->level = level;
	return zlib_status(rc);
}

static enum gs_status gzip_compress(struct gs_codec *codec, int level, struct gs_str in, struct gs_buf *out) {
	struct sink sink = {.out = out};
	size_t want = in.n / 8 + STEP;
	int rc = Z_OK;
	z_stream *z = &codec->deflate.z;
	enum gs_status status = deflate_ready(&codec->deflate, level != 0 ? level : 6, ZLIB_GZIP);
	while (status == GS_OK && rc != Z_STREAM_END) {
		zlib_feed(z, &in);
		status = zlib_step(z, deflate, in.n != 0 ? Z_NO_FLUSH : Z_FINISH, &sink, want, &rc);
		want = STEP;
	}
	return status;
}

/* Blocks that end on a byte, the last of them not marked as such: others may follow. */
static enum gs_status gzip_piece(struct gs_codec *codec, int level, struct gs_str in, struct gs_buf *out) {
	z_stream *z = &codec->piece.z;
	enum gs_status status = deflate_ready(&codec->piece, level != 0 ? level : 6, ZLIB_RAW);
	if (status != GS_OK || in.n == 0)
		return status;
	size_t room = deflateBound(z, (uLong)in.n) + FLUSH_ROOM;
	char *p = gs_buf_reserve(out, room);
	if (p == NULL)
		return out->status;
	z->next_out = (Bytef *)p;
	z->avail_out = (uInt)room;
	z->avail_in = 0;
	zlib_feed(z, &in);
	int rc = deflate(z, Z_FULL_FLUSH);
	out->n += room - z->avail_out;
	return zlib_status(rc);
}

static enum gs_status inflate_ready(struct gs_codec *codec) {
	z_stream *z = &codec->inflate;
	if (codec->inflate_on) {
		z->avail_in = 0; /* what a failed text left */
		return zlib_status(inflateReset(z));
	}
	*z = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
	int rc = inflateInit2(z, ZLIB_GZIP);
	codec->inflate_on = rc == Z_OK;
	return zlib_status(rc);
}

/* Whether the text ends with a length above ${room}: it is then too long, or damaged, but surely not for ${room}. */
static bool gzip_claims_more(struct gs_str in, size_t room) {
	const unsigned char *p = (const unsigned char *)in.p + in.n;
	return in.n >= 4 && (p[-4] | (uint32_t)p[-3] << 8 | (uint32_t)p[-2] << 16 | (uint32_t)p[-1] << 24) > room;
}

static enum gs_status gzip_decompress(struct gs_codec *codec, struct gs_str in, struct gs_buf *out) {
	char scratch[STEP];
	struct sink sink = {.out = out, .left = out->max - out->n};
	if (gzip_claims_more(in, sink.left))
		sink.scratch = scratch;
	z_stream *z = &codec->inflate;
	size_t want = in.n < STEP ? STEP : in.n;
	enum gs_status status = inflate_ready(codec);
	while (status == GS_OK) {
		int rc = Z_OK;
		zlib_feed(z, &in);
		status = zlib_step(z, inflate, Z_NO_FLUSH, &sink, want, &rc);
		want = STEP;
		if (status != GS_OK)
			break;
		if (rc == Z_STREAM_END) {
			if (z->avail_in == 0 && in.n == 0)
				break;
			rc = inflateReset(z);
		}
		/* Z_BUF_ERROR, no progress: the input ended before its text. */
		status = zlib_status(rc);
	}
	return status;
}

static enum gs_status zstd_status(size_t rc) {
	if (!ZSTD_isError(rc))
		return GS_OK;
	/* A few codes have a meaning of ours, all others are damage. */
	int code = (int)ZSTD_getErrorCode(rc);
	if (code == ZSTD_error_memory_allocation)
		return GS_ENOMEM;
	return code == ZSTD_error_frameParameter_windowTooLarge ? GS_ELIMIT : GS_EINVAL;
}

static enum gs_status zstd_compress_ready(struct gs_codec *codec, int level, size_t n) {
	if (codec->zstd_c == NULL)
		codec->zstd_c = ZSTD_createCCtx();
	if (codec->zstd_c == NULL)
		return GS_ENOMEM;
	if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel())
		return GS_EINVAL;
	ZSTD_CCtx *c = codec->zstd_c;
	ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
	size_t rc = ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	if (!ZSTD_isError(rc))
		rc = ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	if (!ZSTD_isError(rc))
		rc = ZSTD_CCtx_setPledgedSrcSize(c, n);
	/* What we write we must be able to read: the highest levels choose larger windows for large texts. */
	if (!ZSTD_isError(rc) && level > 19)
		rc = ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, GS_LIMIT_ZSTD_WINDOW_LOG);
	return zstd_status(rc);
}

static enum gs_status zstd_compress(struct gs_codec *codec, int level, struct gs_str in, struct gs_buf *out) {
	struct sink sink = {.out = out};
	/* Room for the whole result lets zstd skip its own output buffer; not for large texts, which shrink. */
	size_t bound = ZSTD_compressBound(in.n);
	size_t want = bound < 1024 * 1024 ? bound : in.n / 4;
	ZSTD_inBuffer src = {.src = in.p, .size = in.n};
	size_t rc = 1;
	enum gs_status status = zstd_compress_ready(codec, level, in.n);
	while (status == GS_OK && rc != 0) {
		status = sink_room(&sink, want);
		if (status != GS_OK)
			break;
		ZSTD_outBuffer dst = {.dst = sink.p, .size = sink.n};
		rc = ZSTD_compressStream2(codec->zstd_c, &dst, &src, ZSTD_e_end);
		status = zstd_status(rc);
		if (status == GS_OK)
			status = sink_wrote(&sink, dst.pos);
		want = STEP;
	}
	return status;
}

/* Whether a frame of the format as it is today stands at the front: the library may be built with decoders of
 * its old formats, and those are no business of ours. */
static bool zstd_is_frame(const ZSTD_inBuffer *src) {
	const unsigned char *p = (const unsigned char *)src->src + src->pos;
	if (src->size - src->pos < 4)
		return false;
	uint32_t magic = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	return magic == ZSTD_MAGICNUMBER || (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

/* How much room to start with: what the first frame claims to hold, as far as that is credible. */
static size_t zstd_hint(struct gs_str in) {
	unsigned long long claim = ZSTD_getFrameContentSize(in.p, in.n);
	size_t credible = in.n < SIZE_MAX / HINT_RATIO ? in.n * HINT_RATIO : SIZE_MAX;
	if (claim == ZSTD_CONTENTSIZE_UNKNOWN || claim == ZSTD_CONTENTSIZE_ERROR || claim < STEP)
		return STEP;
	return claim < credible ? (size_t)claim : STEP;
}

static enum gs_status zstd_decompress_ready(struct gs_codec *codec) {
	if (codec->zstd_d == NULL)
		codec->zstd_d = ZSTD_createDCtx();
	if (codec->zstd_d == NULL)
		return GS_ENOMEM;
	ZSTD_DCtx_reset(codec->zstd_d, ZSTD_reset_session_only);
	return zstd_status(ZSTD_DCtx_setParameter(codec->zstd_d, ZSTD_d_windowLogMax, GS_LIMIT_ZSTD_WINDOW_LOG));
}

/* Whether the first frame says of itself that it is longer than ${room}. */
static bool zstd_claims_more(struct gs_str in, size_t room) {
	unsigned long long claim = ZSTD_getFrameContentSize(in.p, in.n);
	return claim != ZSTD_CONTENTSIZE_UNKNOWN && claim != ZSTD_CONTENTSIZE_ERROR && claim > room;
}

static enum gs_status zstd_decompress(struct gs_codec *codec, struct gs_str in, struct gs_buf *out) {
	if (zstd_claims_more(in, out->max - out->n))
		return GS_ELIMIT;
	struct sink sink = {.out = out};
	size_t want = zstd_hint(in);
	ZSTD_inBuffer src = {.src = in.p, .size = in.n};
	size_t rc = 0; /* 0: between frames */
	enum gs_status status = zstd_decompress_ready(codec);
	while (status == GS_OK) {
		if (rc == 0 && !zstd_is_frame(&src))
			return GS_EINVAL;
		status = sink_room(&sink, want);
		want = STEP;
		if (status != GS_OK)
			break;
		ZSTD_outBuffer dst = {.dst = sink.p, .size = sink.n};
		rc = ZSTD_decompressStream(codec->zstd_d, &dst, &src);
		status = zstd_status(rc);
		if (status == GS_OK)
			status = sink_wrote(&sink, dst.pos);
		if (status != GS_OK || src.pos < src.size)
			continue;
		if (rc == 0)
			break;
		if (dst.pos < dst.size)
			status = GS_EINVAL; /* it wants more input, and there is none */
	}
	return status;
}

static enum gs_status identity(struct gs_str in, struct gs_buf *out) {
	gs_buf_str(out, in);
	return out->status;
}

/* The other half of every call: a failure leaves no trace. */
static enum gs_status undo_on_failure(enum gs_status status, struct gs_buf *out, size_t n) {
	if (status != GS_OK) {
		out->n = n;
		out->status = GS_OK;
	}
	return status;
}

struct gs_codec *gs_codec_new(void) {
	return gs_alloc(sizeof(struct gs_codec));
}

void gs_codec_free(struct gs_codec *codec) {
	if (codec == NULL)
		return;
	if (codec->deflate.on)
		deflateEnd(&codec->deflate.z);
	if (codec->piece.on)
		deflateEnd(&codec->piece.z);
	if (codec->inflate_on)
		inflateEnd(&codec->inflate);
	ZSTD_freeCCtx(codec->zstd_c);
	ZSTD_freeDCtx(codec->zstd_d);
	gs_free(codec);
}

enum gs_status gs_codec_compress(
    struct gs_codec *codec, enum gs_codec_kind kind, int level, struct gs_str in, struct gs_buf *out) {
	size_t n = out->n;
	if (out->status != GS_OK)
		return out->status;
	enum gs_status status = GS_EUNSUPPORTED;
	switch (kind) {
	case GS_CODEC_IDENTITY:
		status = identity(in, out);
		break;
	case GS_CODEC_GZIP:
		status = gzip_compress(codec, level, in, out);
		break;
	case GS_CODEC_ZSTD:
		status = zstd_compress(codec, level, in, out);
		break;
	}
	return undo_on_failure(status, out, n);
}

enum gs_status gs_codec_decompress(
    struct gs_codec *codec, enum gs_codec_kind kind, struct gs_str in, struct gs_buf *out) {
	size_t n = out->n;
	if (out->status != GS_OK)
		return out->status;
	enum gs_status status = GS_EUNSUPPORTED;
	switch (kind) {
	case GS_CODEC_IDENTITY:
		status = identity(in, out);
		break;
	case GS_CODEC_GZIP:
		status = gzip_decompress(codec, in, out);
		break;
	case GS_CODEC_ZSTD:
		status = zstd_decompress(codec, in, out);
		break;
	}
	return undo_on_failure(status, out, n);
}

enum gs_status gs_codec_piece(struct gs_codec *codec, enum gs_codec_kind kind, int level, struct gs_str in,
    struct gs_buf *out, struct gs_codec_sum *ret_sum) {
	size_t n = out->n;
	if (out->status != GS_OK)
		return out->status;
	if (in.n > GS_CODEC_PIECE_MAX)
		return GS_ELIMIT;
	*ret_sum = (struct gs_codec_sum){.n = in.n};
	/* No piece at all is as good as one of no text. */
	if (kind != GS_CODEC_GZIP)
		return in.n != 0 ? gs_codec_compress(codec, kind, level, in, out) : GS_OK;
	ret_sum->crc = (uint32_t)crc32(0, (const Bytef *)in.p, (uInt)in.n);
	return undo_on_failure(gzip_piece(codec, level, in, out), out, n);
}

void gs_codec_sum_add(struct gs_codec_sum *sum, const struct gs_codec_sum *piece) {
	sum->crc = (uint32_t)crc32_combine(sum->crc, piece->crc, (z_off_t)piece->n);
	sum->n += piece->n;
}

struct gs_str gs_codec_head(enum gs_codec_kind kind) {
	/* Deflate, no flags, no time, no hint at the level, an unknown system: RFC 1952, 2.3. */
	static const char gzip[10] = {'\x1f', '\x8b', 8, 0, 0, 0, 0, 0, 0, '\xff'};
	return kind == GS_CODEC_GZIP ? gs_str_make(gzip, sizeof(gzip)) : (struct gs_str){0};
}

static char *put_le32(char *at, uint32_t v) {
	for (int i = 0; i < 4; i++, v >>= 8)
		*at++ = (char)(v & 0xff);
	return at;
}

size_t gs_codec_tail(enum gs_codec_kind kind, const struct gs_codec_sum *sum, char *out) {
	/* A frame of no text: RFC 8878, 3.1.1. What is empty is no frame. */
	static const char zstd_empty[9] = {'\x28', '\xb5', '\x2f', '\xfd', '\x20', 0, 1, 0, 0};
	/* The last block, of fixed codes, holds only its end: RFC 1951, 3.2.6. */
	static const char deflate_end[2] = {3, 0};
	if (kind == GS_CODEC_GZIP) {
		memcpy(out, deflate_end, sizeof(deflate_end));
		char *at = put_le32(out + sizeof(deflate_end), sum->crc);
		return (size_t)(put_le32(at, (uint32_t)sum->n) - out);
	}
	if (kind != GS_CODEC_ZSTD || sum->n != 0)
		return 0;
	memcpy(out, zstd_empty, sizeof(zstd_empty));
	return sizeof(zstd_empty);
}

enum gs_codec_kind gs_codec_sniff(struct gs_str head) {
	if (gs_str_starts(head, GS_STR("\x1f\x8b")))
		return GS_CODEC_GZIP;
	return gs_str_starts(head, GS_STR("\x28\xb5\x2f\xfd")) ? GS_CODEC_ZSTD : GS_CODEC_IDENTITY;
}

enum gs_status gs_codec_parse(struct gs_str name, enum gs_codec_kind *ret_kind) {
	static const struct {
		struct gs_str name;
		enum gs_codec_kind kind;
	} names[] = {
	    {GS_STR_INIT(""), GS_CODEC_IDENTITY},
	    {GS_STR_INIT("identity"), GS_CODEC_IDENTITY},
	    {GS_STR_INIT("gzip"), GS_CODEC_GZIP},
	    {GS_STR_INIT("x-gzip"), GS_CODEC_GZIP},
	    {GS_STR_INIT("zstd"), GS_CODEC_ZSTD},
	};
	name = gs_str_trim(name);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (name.n == names[i].name.n && (name.n == 0 || strncasecmp(name.p, names[i].name.p, name.n) == 0)) {
			*ret_kind = names[i].kind;
			return GS_OK;
		}
	}
	return GS_EUNSUPPORTED;
}
