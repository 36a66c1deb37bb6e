/* SPDX-License-Identifier: Apache-2.0 */
#include "pieces.h"

#include <assert.h>

#include "gravel/base/clock.h"
#include "gravel/base/lock.h"
#include "gravel/base/map.h"
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"

#define SLICE ((size_t)128 * 1024) /* of text: what one call compresses, so that no thread is busy for long */
#define GZIP_LEVEL 3 /* a tenth smaller than 1 for a tenth more time; 6 takes three times as long (measured) */
#define ZSTD_LEVEL 1
#define PACKERS 8 /* kept for the next slice */

enum slice_state { SLICE_TODO, SLICE_BUSY, SLICE_DONE };

struct slice {
	enum slice_state state;
	char *p;
	size_t n;
	struct gs_codec_sum sum;
};

enum piece_state { PIECE_RENDERING, PIECE_READY, PIECE_FAILED };

struct gs_piece {
	enum piece_state state;
	enum gs_status status; /* of one that failed */
	enum gs_codec_kind kind;
	unsigned users;
	bool listed; /* in the map */
	uint64_t taken; /* last, by the counter */
	int64_t taken_ms; /* likewise, monotonic */
	struct gs_buf text; /* empty as soon as every slice is compressed */
	struct slice *slices; /* NULL where the text is sent as it is */
	size_t n;
	size_t done;
	size_t bytes; /* that it counts for */
	size_t nkey;
	uint64_t key[];
};

/* What compressing a slice needs. */
struct packer {
	struct packer *next;
	struct gs_codec *codec;
	struct gs_buf out;
};

/*
 * Invariants, under lock (gs_pieces_check):
 * 1. The map holds exactly the listed pieces, each by its key; bytes is the sum of their bytes.
 * 2. A listed piece without users is compressed whole, and not one that is sent as it is.
 * 3. done counts the slices that are done; text is there while one is not.
 * 4. A slice is busy, and a piece is being rendered, only while a thread is in a call that does it.
 */
struct gs_pieces {
	struct gs_lock lock;
	struct gs_cond changed;
	struct gs_map *map;
	size_t max;
	size_t bytes;
	uint64_t counter;
	struct packer *packers;
	size_t npackers;
};

static struct gs_str key_of(const struct gs_piece *piece) {
	return gs_str_make((const char *)piece->key, piece->nkey * sizeof(piece->key[0]));
}

static void packer_free(struct packer *packer) {
	if (packer == NULL)
		return;
	gs_codec_free(packer->codec);
	gs_buf_free(&packer->out);
	gs_free(packer);
}

static void piece_free(struct gs_piece *piece) {
	for (size_t i = 0; piece->slices != NULL && i < piece->n; i++)
		gs_free(piece->slices[i].p);
	gs_free(piece->slices);
	gs_buf_free(&piece->text);
	gs_free(piece);
}

struct gs_pieces *gs_pieces_new(size_t max) {
	struct gs_pieces *pieces = gs_alloc(sizeof(*pieces));
	if (pieces == NULL)
		return NULL;
	pieces->max = max;
	pieces->map = gs_map_new(SIZE_MAX);
	if (pieces->map == NULL || gs_lock_init(&pieces->lock, GS_RANK_PIECES) != GS_OK)
		goto no_lock;
	if (gs_cond_init(&pieces->changed) == GS_OK)
		return pieces;
	gs_lock_destroy(&pieces->lock);
no_lock:
	gs_map_free(pieces->map);
	gs_free(pieces);
	return NULL;
}

void gs_pieces_free(struct gs_pieces *pieces) {
	struct gs_piece *piece;
	size_t cursor = 0;
	if (pieces == NULL)
		return;
	while ((piece = gs_map_next(pieces->map, &cursor, NULL)) != NULL) {
		assert(piece->users == 0);
		piece_free(piece);
	}
	while (pieces->packers != NULL) {
		struct packer *next = pieces->packers->next;
		packer_free(pieces->packers);
		pieces->packers = next;
	}
	gs_map_free(pieces->map);
	gs_cond_destroy(&pieces->changed);
	gs_lock_destroy(&pieces->lock);
	gs_free(pieces);
}

/* The map */

static void count_locked(struct gs_pieces *pieces, struct gs_piece *piece, size_t more) {
	piece->bytes += more;
	if (piece->listed)
		pieces->bytes += more;
}

static void unlist_locked(struct gs_pieces *pieces, struct gs_piece *piece) {
	if (!piece->listed)
		return;
	gs_map_remove(pieces->map, key_of(piece));
	piece->listed = false;
	pieces->bytes -= piece->bytes;
}

static struct gs_piece *add_locked(struct gs_pieces *pieces, enum gs_codec_kind kind, const uint64_t *key, size_t n) {
	struct gs_piece *piece = gs_alloc(sizeof(*piece) + n * sizeof(key[0]));
	if (piece == NULL)
		return NULL;
	piece->kind = kind;
	piece->nkey = n;
	if (n != 0)
		memcpy(piece->key, key, n * sizeof(key[0]));
	gs_buf_init(&piece->text, SIZE_MAX);
	piece->listed = n != 0;
	if (piece->listed && gs_map_put(pieces->map, key_of(piece), piece) != GS_OK) {
		gs_free(piece);
		return NULL;
	}
	count_locked(pieces, piece, sizeof(*piece) + n * sizeof(key[0]));
	return piece;
}

struct gs_piece *gs_pieces_take(
    struct gs_pieces *pieces, enum gs_codec_kind kind, const uint64_t *key, size_t n, bool *ret_render) {
	struct gs_piece *piece = NULL;
	int64_t now_ms = gs_clock_mono_ms();
	gs_lock_take(&pieces->lock);
	if (n != 0)
		piece = gs_map_get(pieces->map, gs_str_make((const char *)key, n * sizeof(key[0])));
	*ret_render = piece == NULL;
	if (piece == NULL)
		piece = add_locked(pieces, kind, key, n);
	if (piece != NULL) {
		assert(piece->kind == kind);
		piece->users++;
		piece->taken = ++pieces->counter;
		piece->taken_ms = now_ms;
	}
	gs_lock_release(&pieces->lock);
	if (n != 0)
		gs_metric_add(*ret_render ? GS_M_RENDER_MISSES : GS_M_RENDER_HITS, 1);
	return piece;
}

/* Whether it can be of use to those who come later. */
static bool is_worth_keeping_locked(const struct gs_pieces *pieces, const struct gs_piece *piece) {
	return piece->listed && piece->state == PIECE_READY && piece->slices != NULL && piece->done == piece->n &&
	       pieces->bytes <= pieces->max;
}

void gs_pieces_give(struct gs_pieces *pieces, struct gs_piece *piece) {
	if (piece == NULL)
		return;
	gs_lock_take(&pieces->lock);
	assert(piece->users != 0);
	bool last = --piece->users == 0 && !is_worth_keeping_locked(pieces, piece);
	if (last)
		unlist_locked(pieces, piece);
	size_t bytes = pieces->bytes;
	gs_lock_release(&pieces->lock);
	if (last)
		piece_free(piece);
	gs_metric_set(GS_M_RENDER_BYTES, (double)bytes);
}

uint64_t gs_pieces_mark(struct gs_pieces *pieces) {
	gs_lock_take(&pieces->lock);
	uint64_t mark = ++pieces->counter;
	gs_lock_release(&pieces->lock);
	return mark;
}

void gs_pieces_forget(
    struct gs_pieces *pieces, enum gs_codec_kind kind, uint64_t first, uint64_t mark, int64_t idle_ms) {
	struct gs_piece *piece;
	size_t cursor = 0;
	int64_t now_ms = gs_clock_mono_ms();
	gs_lock_take(&pieces->lock);
	while ((piece = gs_map_next(pieces->map, &cursor, NULL)) != NULL) {
		bool same = piece->kind == kind && piece->key[0] == first;
		bool old = same ? piece->taken < mark : now_ms - piece->taken_ms >= idle_ms;
		if (piece->users != 0 || !old)
			continue;
		unlist_locked(pieces, piece);
		piece_free(piece);
	}
	size_t bytes = pieces->bytes;
	gs_lock_release(&pieces->lock);
	gs_metric_set(GS_M_RENDER_BYTES, (double)bytes);
}

struct gs_pieces_stats gs_pieces_stats(struct gs_pieces *pieces) {
	gs_lock_take(&pieces->lock);
	struct gs_pieces_stats stats = {.pieces = gs_map_count(pieces->map), .bytes = pieces->bytes};
	gs_lock_release(&pieces->lock);
	return stats;
}

/* Rendering and compressing */

static size_t slices_of(size_t n) {
	return (n + SLICE - 1) / SLICE;
}

void gs_pieces_rendered(struct gs_pieces *pieces, struct gs_piece *piece, struct gs_buf *text) {
	enum gs_status status = text->status;
	size_t n = slices_of(text->n);
	struct slice *slices = NULL;
	if (status == GS_OK && piece->kind != GS_CODEC_IDENTITY) {
		slices = gs_alloc_array(n, sizeof(*slices));
		status = slices != NULL ? GS_OK : GS_ENOMEM;
	}
	gs_lock_take(&pieces->lock);
	assert(piece->state == PIECE_RENDERING);
	piece->state = status == GS_OK ? PIECE_READY : PIECE_FAILED;
	piece->status = status;
	if (status == GS_OK) {
		piece->slices = slices;
		piece->n = n;
		if (n != 0) {
			piece->text = *text;
			gs_buf_init(text, text->max);
		}
		count_locked(pieces, piece, slices != NULL ? n * sizeof(*slices) : piece->text.n);
	} else {
		unlist_locked(pieces, piece); /* who comes next tries again */
	}
	gs_cond_broadcast(&pieces->changed);
	gs_lock_release(&pieces->lock);
}

static struct packer *packer_take(struct gs_pieces *pieces) {
	gs_lock_take(&pieces->lock);
	struct packer *packer = pieces->packers;
	if (packer != NULL) {
		pieces->packers = packer->next;
		pieces->npackers--;
	}
	gs_lock_release(&pieces->lock);
	if (packer != NULL)
		return packer;
	packer = gs_alloc(sizeof(*packer));
	if (packer == NULL)
		return NULL;
	gs_buf_init(&packer->out, SIZE_MAX);
	packer->codec = gs_codec_new();
	if (packer->codec != NULL)
		return packer;
	packer_free(packer);
	return NULL;
}

static void packer_give(struct gs_pieces *pieces, struct packer *packer) {
	gs_lock_take(&pieces->lock);
	bool kept = pieces->npackers < PACKERS;
	if (kept) {
		packer->next = pieces->packers;
		pieces->packers = packer;
		pieces->npackers++;
	}
	gs_lock_release(&pieces->lock);
	if (!kept)
		packer_free(packer);
}

/* Where slice i is in the text: all are about equally long. */
static struct gs_str text_of(const struct gs_piece *piece, size_t i) {
	size_t from = piece->text.n / piece->n * i,
	       to = i + 1 == piece->n ? piece->text.n : piece->text.n / piece->n * (i + 1);
	return gs_str_make(piece->text.p + from, to - from);
}

/* Without the lock: the slice is busy, so nobody else touches it or the text. */
static enum gs_status pack(struct gs_pieces *pieces, const struct gs_piece *piece, size_t i, struct slice *ret) {
	struct packer *packer = packer_take(pieces);
	if (packer == NULL)
		return GS_ENOMEM;
	gs_buf_clear(&packer->out);
	enum gs_status status = gs_codec_piece(packer->codec, piece->kind,
	    piece->kind == GS_CODEC_GZIP ? GZIP_LEVEL : ZSTD_LEVEL, text_of(piece, i), &packer->out, &ret->sum);
	ret->n = packer->out.n;
	ret->p = status == GS_OK ? gs_alloc_array(ret->n, 1) : NULL;
	if (ret->p != NULL)
		memcpy(ret->p, packer->out.p, ret->n);
	else if (status == GS_OK)
		status = GS_ENOMEM;
	packer_give(pieces, packer);
	return status;
}

/* Compress slice i, which was found undone; the lock is let go meanwhile. */
static enum gs_status pack_locked(struct gs_pieces *pieces, struct gs_piece *piece, size_t i) {
	struct slice *slice = &piece->slices[i];
	struct slice made = {.state = SLICE_DONE};
	struct gs_buf text;
	slice->state = SLICE_BUSY;
	gs_lock_release(&pieces->lock);
	enum gs_status status = pack(pieces, piece, i, &made);
	gs_buf_init(&text, 0);
	gs_lock_take(&pieces->lock);
	if (status != GS_OK) {
		slice->state = SLICE_TODO;
	} else {
		*slice = made;
		count_locked(pieces, piece, made.n);
		if (++piece->done == piece->n) {
			text = piece->text;
			gs_buf_init(&piece->text, SIZE_MAX);
		}
	}
	gs_cond_broadcast(&pieces->changed);
	gs_lock_release(&pieces->lock);
	gs_buf_free(&text);
	gs_lock_take(&pieces->lock);
	return status;
}

static enum gs_status slice_locked(
    struct gs_pieces *pieces, struct gs_piece *piece, size_t i, struct gs_str *ret, struct gs_codec_sum *ret_sum) {
	while (piece->state == PIECE_RENDERING)
		gs_cond_wait(&pieces->changed, &pieces->lock, -1);
	if (piece->state == PIECE_FAILED)
		return piece->status;
	if (i >= piece->n)
		return GS_OK;
	if (piece->slices == NULL) {
		*ret = text_of(piece, i);
		return GS_OK;
	}
	while (piece->slices[i].state == SLICE_BUSY)
		gs_cond_wait(&pieces->changed, &pieces->lock, -1);
	enum gs_status status = piece->slices[i].state == SLICE_DONE ? GS_OK : pack_locked(pieces, piece, i);
	if (status != GS_OK)
		return status;
	*ret = gs_str_make(piece->slices[i].p, piece->slices[i].n);
	*ret_sum = piece->slices[i].sum;
	return GS_OK;
}

enum gs_status gs_pieces_slice(struct gs_pieces *pieces, struct gs_piece *piece, size_t i, struct gs_str *ret_slice,
    struct gs_codec_sum *ret_sum) {
	*ret_slice = (struct gs_str){0};
	*ret_sum = (struct gs_codec_sum){0};
	gs_lock_take(&pieces->lock);
	enum gs_status status = slice_locked(pieces, piece, i, ret_slice, ret_sum);
	gs_lock_release(&pieces->lock);
	return status;
}

static void check_piece(const struct gs_piece *piece) {
	size_t done = 0;
	assert(piece->listed && piece->nkey != 0);
	assert(piece->users != 0 || (piece->state == PIECE_READY && piece->slices != NULL && piece->done == piece->n &&
					piece->text.p == NULL));
	for (size_t i = 0; piece->slices != NULL && i < piece->n; i++)
		done += piece->slices[i].state == SLICE_DONE;
	assert(done == piece->done && done <= piece->n);
	assert(done == piece->n || piece->text.p != NULL);
}

void gs_pieces_check(struct gs_pieces *pieces) {
	const struct gs_piece *piece;
	size_t cursor = 0, bytes = 0;
	struct gs_str key;
	gs_lock_take(&pieces->lock);
	while ((piece = gs_map_next(pieces->map, &cursor, &key)) != NULL) {
		assert(gs_str_eq(key, key_of(piece)));
		check_piece(piece);
		bytes += piece->bytes;
	}
	assert(bytes == pieces->bytes);
	gs_lock_release(&pieces->lock);
}
