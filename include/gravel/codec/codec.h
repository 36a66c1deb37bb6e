/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CODEC_CODEC_H
#define GRAVEL_CODEC_CODEC_H

#include "gravel/base/buf.h"

/* Compression of whole buffers, and decompression of what comes in pieces. The only module that knows zlib and zstd. */
enum gs_codec_kind {
	GS_CODEC_IDENTITY,
	GS_CODEC_GZIP,
	GS_CODEC_ZSTD,
};

/* Scratch memory of one thread for many calls: not shared between threads. */
struct gs_codec;

/** gs_codec_new(): Return a codec, or NULL. It takes the memory of each kind at its first use and keeps it: about 300 KB for
 * compressing gzip, up to 8 MiB for decompressing zstd with large windows. */
struct gs_codec *gs_codec_new(void);

/** gs_codec_free(codec): Free it; NULL is nothing. */
void gs_codec_free(struct gs_codec *codec);

/** gs_codec_compress(codec, kind, level, in, out):
 * Append ${in} compressed to ${out}. ${level} is that of the kind; 0 is its default (gzip 6, zstd 3).
 * GS_EINVAL for a level that the kind does not have, GS_ELIMIT when ${out} is full, GS_ENOMEM; ${out} then holds what it held
 * before, and is usable. */
GS_MUST_USE enum gs_status gs_codec_compress(
    struct gs_codec *codec, enum gs_codec_kind kind, int level, struct gs_str in, struct gs_buf *out);

/** gs_codec_decompress(codec, kind, in, out):
 * Append the plain text of ${in} to ${out}. Grows as it goes and never trusts a length that ${in} claims, unless it is too long: a
 * bomb stops at out->max with GS_ELIMIT, without taking any memory if it admits what it is; which also answers a zstd window above GS_LIMIT_ZSTD_WINDOW_LOG. GS_EINVAL when ${in} is
 * empty, damaged, truncated, or followed by junk. Several concatenated gzip members or zstd frames are one text. GS_ENOMEM. On
 * failure ${out} holds what it held before, and is usable. */
GS_MUST_USE enum gs_status gs_codec_decompress(
    struct gs_codec *codec, enum gs_codec_kind kind, struct gs_str in, struct gs_buf *out);

/*
 * A text compressed in pieces: each by itself, on any thread, in any order, kept and used again. What gs_codec_head gives, the pieces and what gs_codec_tail
 * gives, one after the other, are one gzip member, or frames of zstd, or the text itself.
 */

/* What the tail must know of a text; zeroed: of an empty one. */
struct gs_codec_sum {
	uint32_t crc;
	uint64_t n; /* bytes of plain text */
};

/** gs_codec_piece(codec, kind, level, in, out, ret_sum):
 * Append ${in} (at most GS_CODEC_PIECE_MAX bytes, else GS_ELIMIT) as a piece to ${out}; otherwise as gs_codec_compress. */
GS_MUST_USE enum gs_status gs_codec_piece(struct gs_codec *codec, enum gs_codec_kind kind, int level, struct gs_str in,
    struct gs_buf *out, struct gs_codec_sum *ret_sum);

#define GS_CODEC_PIECE_MAX ((size_t)1 << 30)

/** gs_codec_sum_add(sum, piece): Make ${sum} that of its text with that of ${piece} behind it. */
void gs_codec_sum_add(struct gs_codec_sum *sum, const struct gs_codec_sum *piece);

/** gs_codec_head(kind): What stands before the pieces; static. */
struct gs_str gs_codec_head(enum gs_codec_kind kind);

#define GS_CODEC_TAIL_MAX 16

/** gs_codec_tail(kind, sum, out): Write what stands behind them into ${out} (GS_CODEC_TAIL_MAX bytes); return its length. */
size_t gs_codec_tail(enum gs_codec_kind kind, const struct gs_codec_sum *sum, char *out);

/* A text decompressed as it comes, in pieces of any size. */
struct gs_decoder;

/** gs_decoder_new(kind): NULL when out of memory. Takes up to 8 MiB with large zstd windows. */
struct gs_decoder *gs_decoder_new(enum gs_codec_kind kind);
void gs_decoder_free(struct gs_decoder *decoder);

/** gs_decoder_feed(decoder, in, max, out):
 * Decompress what ${in} begins with, append at most ${max} bytes of it to ${out}, and advance ${in} past what was used. With ${in} empty there may be more to
 * come out: call until nothing is appended. GS_EINVAL for what is damaged or is followed by junk, GS_ELIMIT of ${out} or for a zstd window above GS_LIMIT_ZSTD_WINDOW_LOG, GS_ENOMEM: the decoder is then of no use. */
GS_MUST_USE enum gs_status gs_decoder_feed(
    struct gs_decoder *decoder, struct gs_str *in, size_t max, struct gs_buf *out);

/** gs_decoder_end(decoder): Whether the text may end here; GS_EINVAL: it was cut short, or is empty. */
GS_MUST_USE enum gs_status gs_decoder_end(const struct gs_decoder *decoder);

/** gs_codec_sniff(head): The kind of a file that begins so, by its magic bytes; else identity. */
enum gs_codec_kind gs_codec_sniff(struct gs_str head);

/** gs_codec_parse(name, ret_kind):
 * Content-Encoding: "", identity, gzip, x-gzip, zstd in any case. GS_EUNSUPPORTED otherwise. */
GS_MUST_USE enum gs_status gs_codec_parse(struct gs_str name, enum gs_codec_kind *ret_kind);

#endif
