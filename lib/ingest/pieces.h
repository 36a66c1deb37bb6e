/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_INGEST_PIECES_H
#define GRAVEL_LIB_INGEST_PIECES_H

#include "gravel/base/buf.h"
#include "gravel/codec/codec.h"

/*
 * Pieces of renderings, shared by all readers who want the same and kept for those who come later. A piece is the text of a run of families; its key
 * says which, and in which state (read.c). It is compressed in slices, each when the first reader wants it. What is compressed is kept until
 * it is forgotten or there is no room; text that is sent as it is lives as long as somebody reads it.
 *
 * Any thread. Who must wait waits for a thread that renders or compresses right now, never for a reader. gs_pieces_take does not wait: it may be
 * called with the store's lock.
 */
struct gs_pieces;
struct gs_piece;

/** gs_pieces_new(max): ${max}: bytes to keep. NULL: no memory. */
struct gs_pieces *gs_pieces_new(size_t max);

/** gs_pieces_free(pieces): All pieces must have been given back. NULL is nothing. */
void gs_pieces_free(struct gs_pieces *pieces);

/** gs_pieces_take(pieces, kind, key, n, ret_render):
 * The piece of this key, from now on used by the caller as well; NULL: no memory. *${ret_render}: it is new, and the caller must call
 * gs_pieces_rendered, without waiting for anything. Without a key (n == 0) it is always new, and nobody else's. */
struct gs_piece *gs_pieces_take(
    struct gs_pieces *pieces, enum gs_codec_kind kind, const uint64_t *key, size_t n, bool *ret_render);

/** gs_pieces_rendered(pieces, piece, text): Here is its text, which is taken over; a buffer with an error fails all who wait for it. */
void gs_pieces_rendered(struct gs_pieces *pieces, struct gs_piece *piece, struct gs_buf *text);

/** gs_pieces_slice(pieces, piece, i, ret_slice, ret_sum):
 * Slice ${i} of the piece as gs_codec_piece makes it, and its sum; empty behind the last. Lives as long as the caller uses the piece. GS_ENOMEM, GS_ELIMIT. */
GS_MUST_USE enum gs_status gs_pieces_slice(
    struct gs_pieces *pieces, struct gs_piece *piece, size_t i, struct gs_str *ret_slice, struct gs_codec_sum *ret_sum);

/** gs_pieces_give(pieces, piece): The caller uses it no more. NULL is nothing. */
void gs_pieces_give(struct gs_pieces *pieces, struct gs_piece *piece);

/** gs_pieces_mark(pieces): A mark for gs_pieces_forget. */
uint64_t gs_pieces_mark(struct gs_pieces *pieces);

/** gs_pieces_forget(pieces, kind, first, mark, idle_ms):
 * Forget what nobody uses and nobody took since ${mark}, of this kind and with ${first} as the first word of its key; and of all others what nobody
 * took for ${idle_ms}. */
void gs_pieces_forget(
    struct gs_pieces *pieces, enum gs_codec_kind kind, uint64_t first, uint64_t mark, int64_t idle_ms);

/* What is kept or in use and has a key. */
struct gs_pieces_stats {
	size_t pieces;
	size_t bytes;
};

struct gs_pieces_stats gs_pieces_stats(struct gs_pieces *pieces);

/** gs_pieces_check(pieces): Assert every invariant. For tests. */
void gs_pieces_check(struct gs_pieces *pieces);

#endif
