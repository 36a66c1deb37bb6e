/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the store piece by piece. A piece is a run of families in the order of their names. Where one begins follows from the names and sizes of
 * two neighbours alone: so a family that changes makes one piece new, and moves no border of others. The key of a piece is the versions of
 * its families; whoever finds that key in the cache need not render. A large family is a piece for each of its parts.
 */
#include "gravel/ingest/read.h"

#include <assert.h>
#include <stdlib.h>

#include "gravel/base/clock.h"
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/expo/write.h"
#include "ingest_internal.h"

#define PIECE                                                                                                          \
	((uint64_t)64 *                                                                                                \
	    1024) /* bytes of text that a piece of small families has, about: compressing more at once gains 3 % */
#define PIECE_MOST (4 * PIECE)
#define FAMILIES_MAX 1024 /* in a piece */
#define SERIES_BYTES 128 /* guesses for borders and first allocations */
#define HEAD_BYTES 256
#define IDLE_MS (5 * 60 * 1000) /* pieces of a dialect that nobody reads any more */
#define CLOCK_EVERY 64 /* lines between two looks at the clock */

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_TAIL, PHASE_END };

/* A family that was asked for by name. */
struct choice {
	struct gs_str name;
	bool whole; /* every line of it */
};

struct gs_ingest_reader {
	struct gs_ingest *ingest;
	struct gs_expo_dialect dialect;
	enum gs_codec_kind encoding;
	enum phase phase;
	int64_t now_ms; /* of pebbles */
	uint64_t mark;
	bool ended; /* no family is left */

	bool filtered;
	struct gs_arena *arena;
	struct choice *choices; /* sorted, each name once */
	size_t nchoices;
	size_t at; /* of choices, where nothing else can be wanted */
	bool anywhere; /* a selector names no metric: every family may have something */
	struct gs_selector **selectors;
	size_t nselectors;
	enum gs_status status; /* of the selectors */
	int64_t until_ms; /* monotonic: when they have looked at a family for too long */
	unsigned lines;

	char name[GS_LIMIT_NAME]; /* of the last family */
	size_t nname;
	bool parted; /* that family is read in parts, and not at its end ... */
	struct gs_family_place place; /* ... but here */
	struct gs_piece *piece;
	size_t slice;
	struct gs_codec_sum sum;
	char tail[GS_CODEC_TAIL_MAX];
	uint64_t key[1 + FAMILIES_MAX];
};

/* The whole exposition */

static uint64_t first_word(const struct gs_ingest_reader *reader) {
	return (uint64_t)reader->dialect.format | (uint64_t)reader->dialect.escaping << 8 |
	       (uint64_t)reader->dialect.draft << 16 | (uint64_t)reader->encoding << 24;
}

static uint64_t weight_of(const struct gs_family_view *view) {
	return HEAD_BYTES + (uint64_t)view->series * SERIES_BYTES;
}

/* Whether a piece begins between two families: around large ones, around what changes with time, and else by the name with a chance that makes pieces
 * as long as they should be. */
static bool is_border(const struct gs_family_view *before, const struct gs_family_view *view) {
	uint64_t weight = weight_of(view);
	if (before->timed != view->timed || weight_of(before) >= PIECE || weight >= PIECE)
		return true;
	return (gs_hash_stable(view->name, 0) & (PIECE - 1)) < weight;
}

/* The families of the next piece: their versions into the key, and what they weigh. With the store's lock. */
static size_t next_run(struct gs_ingest_reader *reader, uint64_t *ret_weight, struct gs_family_view *ret_last) {
	struct gs_store *store = reader->ingest->store;
	struct gs_str after = gs_str_make(reader->name, reader->nname);
	struct gs_family_view view;
	size_t n = 0;
	*ret_weight = 0;
	while (n < FAMILIES_MAX && *ret_weight < PIECE_MOST && gs_store_family_next(store, after, &view)) {
		if (n != 0 && is_border(ret_last, &view))
			break;
		*ret_weight += weight_of(&view);
		reader->key[++n] = view.version;
		*ret_last = view;
		after = view.name;
	}
	return n;
}

static void remember(struct gs_ingest_reader *reader, struct gs_str name) {
	assert(name.n <= sizeof(reader->name));
	memmove(reader->name, name.p, name.n);
	reader->nname = name.n;
}

/* Render the next ${n} families, or only pass them. With the store's lock. */
static void pass_run(struct gs_ingest_reader *reader, size_t n, struct gs_buf *out) {
	struct gs_str after = gs_str_make(reader->name, reader->nname);
	struct gs_family_view view;
	for (size_t i = 0; i < n; i++) {
		if (out != NULL) {
			gs_store_render_next(reader->ingest->store, &after, reader->now_ms, reader->dialect, out);
		} else {
			gs_store_family_next(reader->ingest->store, after, &view);
			after = view.name;
		}
	}
	remember(reader, after);
}

/* What changes with time has no state to be known by. */
static enum gs_status take_piece(struct gs_ingest_reader *reader, size_t nkey, bool *ret_render) {
	reader->piece = gs_pieces_take(reader->ingest->pieces, reader->encoding, reader->key, nkey, ret_render);
	return reader->piece != NULL ? GS_OK : GS_ENOMEM;
}

static enum gs_status run_locked(
    struct gs_ingest_reader *reader, size_t n, uint64_t weight, bool timed, struct gs_buf *text, bool *ret_render) {
	enum gs_status status = take_piece(reader, timed ? 0 : n + 1, ret_render);
	if (status != GS_OK)
		return status;
	if (*ret_render)
		gs_buf_reserve(text, weight);
	pass_run(reader, n, *ret_render ? text : NULL);
	return GS_OK;
}

/* The next part of a large family; no piece if it is gone. The key says which part of which version: it cannot be that of a run. */
static enum gs_status part_locked(struct gs_ingest_reader *reader, struct gs_buf *text, bool *ret_render) {
	struct gs_str name = gs_str_make(reader->name, reader->nname);
	struct gs_family_place *place = &reader->place;
	struct gs_family_view view;
	reader->parted = gs_store_family(reader->ingest->store, name, &view);
	if (!reader->parted)
		return GS_OK;
	bool alone = view.timed || place->moved || (place->version != 0 && place->version != view.version);
	reader->key[1] = view.version;
	reader->key[2] = UINT64_MAX; /* no version */
	reader->key[3] = place->part;
	enum gs_status status = take_piece(reader, alone ? 0 : 4, ret_render);
	if (status != GS_OK)
		return status;
	if (*ret_render)
		gs_buf_reserve(text, PIECE_MOST);
	reader->parted = gs_store_render_part(
	    reader->ingest->store, name, place, reader->now_ms, reader->dialect, *ret_render ? text : NULL);
	return GS_OK;
}

static void begin_parts(struct gs_ingest_reader *reader, struct gs_str name) {
	remember(reader, name);
	gs_family_place_close(&reader->place);
	reader->place = (struct gs_family_place){0};
	reader->parted = true;
}

static enum gs_status next_shared(struct gs_ingest_reader *reader) {
	struct gs_ingest *ingest = reader->ingest;
	struct gs_family_view last = {0};
	struct gs_buf text;
	uint64_t weight = 0;
	size_t n = 0;
	bool render = false;
	enum gs_status status = GS_OK;
	gs_buf_init(&text, SIZE_MAX);
	gs_ingest_store_take(ingest);
	if (!reader->parted) {
		n = next_run(reader, &weight, &last);
		reader->ended = n == 0;
		if (n == 1 && weight >= PIECE_MOST)
			begin_parts(reader, last.name);
	}
	if (reader->parted)
		status = part_locked(reader, &text, &render);
	else if (n != 0)
		status = run_locked(reader, n, weight, last.timed, &text, &render);
	gs_ingest_store_release(ingest);
	if (render && status == GS_OK)
		gs_pieces_rendered(ingest->pieces, reader->piece, &text);
	gs_buf_free(&text);
	return status;
}

/* What was asked for */

static int compare_choices(const void *a, const void *b) {
	return gs_str_cmp(((const struct choice *)a)->name, ((const struct choice *)b)->name);
}

static struct choice *find_choice(const struct gs_ingest_reader *reader, struct gs_str name) {
	struct choice wanted = {.name = name};
	if (reader->nchoices == 0)
		return NULL;
	return bsearch(&wanted, reader->choices, reader->nchoices, sizeof(wanted), compare_choices);
}

/* Whether a reader wants a line; after a failure it wants no more. */
static bool wanted(void *ctx, const struct gs_label *labels, size_t n) {
	struct gs_ingest_reader *reader = ctx;
	bool matches = false;
	if (reader->status != GS_OK)
		return false;
	if (++reader->lines % CLOCK_EVERY == 0 && gs_clock_mono_ms() > reader->until_ms)
		reader->status = GS_ELIMIT;
	for (size_t i = 0; i < reader->nselectors && !matches && reader->status == GS_OK; i++)
		reader->status = gs_selector_match(reader->selectors[i], labels, n, &matches);
	return matches && reader->status == GS_OK;
}

/* Append what is wanted of the family. With the store's lock. */
static void render_wanted(struct gs_ingest_reader *reader, struct gs_str name, bool whole, struct gs_buf *out) {
	reader->until_ms = gs_clock_mono_ms() + GS_LIMIT_MATCH_MS;
	gs_store_render_family_if(
	    reader->ingest->store, name, reader->now_ms, reader->dialect, whole ? NULL : wanted, reader, out);
}

/* The next family that may have something; false at the end. With the store's lock. */
static bool next_wanted(struct gs_ingest_reader *reader, struct gs_buf *out) {
	struct gs_family_view view;
	if (!reader->anywhere) {
		if (reader->at == reader->nchoices)
			return false;
		const struct choice *choice = &reader->choices[reader->at++];
		render_wanted(reader, choice->name, choice->whole, out);
		return true;
	}
	if (!gs_store_family_next(reader->ingest->store, gs_str_make(reader->name, reader->nname), &view))
		return false;
	const struct choice *choice = find_choice(reader, view.name);
	remember(reader, view.name);
	render_wanted(reader, gs_str_make(reader->name, reader->nname), choice != NULL && choice->whole, out);
	return true;
}

/* A piece of this reader alone. */
static enum gs_status own_piece(struct gs_ingest_reader *reader, struct gs_buf *text) {
	bool render;
	reader->piece = gs_pieces_take(reader->ingest->pieces, reader->encoding, NULL, 0, &render);
	if (reader->piece == NULL)
		return GS_ENOMEM;
	gs_pieces_rendered(reader->ingest->pieces, reader->piece, text);
	return GS_OK;
}

static enum gs_status next_filtered(struct gs_ingest_reader *reader) {
	struct gs_buf text;
	gs_buf_init(&text, SIZE_MAX);
	while (!reader->ended && text.n < PIECE && text.status == GS_OK && reader->status == GS_OK) {
		gs_ingest_store_take(reader->ingest);
		reader->ended = !next_wanted(reader, &text);
		gs_ingest_store_release(reader->ingest);
	}
	enum gs_status status = reader->status;
	if (status == GS_OK && (text.n != 0 || text.status != GS_OK))
		status = own_piece(reader, &text);
	gs_buf_free(&text);
	return status;
}

/* Both */

/* What a format has at its end. */
static enum gs_status end_piece(struct gs_ingest_reader *reader) {
	struct gs_expo_writer writer;
	struct gs_buf text;
	gs_buf_init(&text, SIZE_MAX);
	gs_expo_writer_init(&writer, &text, reader->dialect);
	gs_expo_write_end(&writer);
	enum gs_status status = text.n != 0 || text.status != GS_OK ? own_piece(reader, &text) : GS_OK;
	gs_buf_free(&text);
	return status;
}

static enum gs_status next_piece(struct gs_ingest_reader *reader) {
	reader->slice = 0;
	enum gs_status status = reader->filtered ? next_filtered(reader) : next_shared(reader);
	if (status != GS_OK || !reader->ended || reader->piece != NULL)
		return status;
	/* What this reader did not come across is no part of the exposition any more. */
	if (!reader->filtered)
		gs_pieces_forget(reader->ingest->pieces, reader->encoding, first_word(reader), reader->mark, IDLE_MS);
	reader->phase = PHASE_TAIL;
	return end_piece(reader);
}

/* The next slice, or none where the phase ends. */
static enum gs_status next_slice(struct gs_ingest_reader *reader, struct gs_str *ret) {
	struct gs_codec_sum sum;
	enum gs_status status = GS_OK;
	while (status == GS_OK && ret->n == 0) {
		if (reader->piece == NULL && reader->phase != PHASE_BODY)
			return GS_OK;
		if (reader->piece == NULL)
			status = next_piece(reader);
		if (status != GS_OK || reader->piece == NULL)
			continue;
		status = gs_pieces_slice(reader->ingest->pieces, reader->piece, reader->slice++, ret, &sum);
		if (status == GS_OK && ret->n != 0) {
			gs_codec_sum_add(&reader->sum, &sum);
		} else {
			gs_pieces_give(reader->ingest->pieces, reader->piece);
			reader->piece = NULL;
		}
	}
	return status;
}

static enum gs_status next(struct gs_ingest_reader *reader, struct gs_str *ret) {
	if (reader->phase == PHASE_HEAD) {
		reader->phase = PHASE_BODY;
		*ret = gs_codec_head(reader->encoding);
	}
	if (ret->n != 0 || reader->phase == PHASE_END)
		return GS_OK;
	enum gs_status status = next_slice(reader, ret);
	if (status != GS_OK || ret->n != 0)
		return status;
	reader->phase = PHASE_END;
	*ret = gs_str_make(reader->tail, gs_codec_tail(reader->encoding, &reader->sum, reader->tail));
	return GS_OK;
}

enum gs_status gs_ingest_read_next(struct gs_ingest_reader *reader, struct gs_str *ret_piece, struct gs_error *err) {
	*ret_piece = (struct gs_str){0};
	enum gs_status status = next(reader, ret_piece);
	if (status == GS_OK)
		return GS_OK;
	reader->phase = PHASE_END;
	*ret_piece = (struct gs_str){0};
	return gs_error_set(err, status, 0, 0, "%s",
	    status == GS_ELIMIT ? "the regular expressions of match[] take too long" : "out of memory; try again");
}

/* Beginning and end */

static enum gs_status add_choice(struct gs_ingest_reader *reader, struct gs_str name, bool whole) {
	struct choice *choice = &reader->choices[reader->nchoices];
	if (name.n == 0)
		return GS_OK;
	*choice = (struct choice){.name = gs_arena_dup(reader->arena, name), .whole = whole};
	if (choice->name.n != name.n)
		return GS_ENOMEM;
	reader->nchoices++;
	return GS_OK;
}

/* A name is what a family is called here, or what a reader of escaped names was told. */
static enum gs_status choose_family(struct gs_ingest_reader *reader, struct gs_str name) {
	size_t n;
	char *read = gs_arena_alloc(reader->arena, name.n + 1);
	if (read == NULL)
		return GS_ENOMEM;
	enum gs_status status = add_choice(reader, name, true);
	if (status == GS_OK && gs_expo_read_escaped(name, read, &n))
		status = add_choice(reader, gs_str_make(read, n), true);
	return status;
}

/* The lines of a name are in the family of that name, or in that of which they are a part: without _bucket, _sum and the like. */
static enum gs_status choose_lines(struct gs_ingest_reader *reader, const struct gs_selector *selector) {
	struct gs_str name = gs_selector_name(selector), family = name;
	if (name.n == 0) {
		reader->anywhere = true;
		return GS_OK;
	}
	while (family.n != 0 && family.p[family.n - 1] != '_')
		family.n--;
	family.n -= family.n != 0;
	enum gs_status status = add_choice(reader, name, false);
	return status == GS_OK ? add_choice(reader, family, false) : status;
}

/* In order, each name once, whole if it was once asked for so. */
static void sort_choices(struct gs_ingest_reader *reader) {
	size_t n = 0;
	if (reader->nchoices == 0)
		return;
	qsort(reader->choices, reader->nchoices, sizeof(reader->choices[0]), compare_choices);
	for (size_t i = 1; i < reader->nchoices; i++) {
		if (gs_str_eq(reader->choices[n].name, reader->choices[i].name))
			reader->choices[n].whole |= reader->choices[i].whole;
		else
			reader->choices[++n] = reader->choices[i];
	}
	reader->nchoices = n + 1;
}

static enum gs_status open_filter(struct gs_ingest_reader *reader, const struct gs_ingest_query *query) {
	enum gs_status status = GS_OK;
	reader->filtered = query->nnames != 0 || reader->nselectors != 0;
	if (!reader->filtered)
		return GS_OK;
	reader->arena = gs_arena_new(SIZE_MAX / 2);
	reader->choices = gs_alloc_array(2 * (query->nnames + reader->nselectors), sizeof(reader->choices[0]));
	if (reader->arena == NULL || reader->choices == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < query->nnames && status == GS_OK; i++)
		status = choose_family(reader, query->names[i]);
	for (size_t i = 0; i < reader->nselectors && status == GS_OK; i++)
		status = choose_lines(reader, reader->selectors[i]);
	sort_choices(reader);
	return status;
}

static void free_selectors(struct gs_selector **selectors, size_t n) {
	for (size_t i = 0; i < n; i++)
		gs_selector_free(selectors[i]);
	gs_free(selectors);
}

enum gs_status gs_ingest_read(
    struct gs_ingest *ingest, const struct gs_ingest_query *query, struct gs_ingest_reader **ret_reader) {
	struct gs_ingest_reader *reader = gs_alloc(sizeof(*reader));
	if (reader == NULL) {
		free_selectors(query->selectors, query->nselectors);
		return GS_ENOMEM;
	}
	reader->ingest = ingest;
	reader->dialect = query->dialect;
	reader->encoding = query->encoding;
	reader->selectors = query->selectors;
	reader->nselectors = query->nselectors;
	reader->now_ms = gs_clock_wall_ms();
	reader->mark = gs_pieces_mark(ingest->pieces);
	reader->key[0] = first_word(reader);
	enum gs_status status = open_filter(reader, query);
	if (status != GS_OK) {
		gs_ingest_read_end(reader);
		return status;
	}
	*ret_reader = reader;
	return GS_OK;
}

void gs_ingest_read_end(struct gs_ingest_reader *reader) {
	if (reader == NULL)
		return;
	gs_pieces_give(reader->ingest->pieces, reader->piece);
	gs_family_place_close(&reader->place);
	free_selectors(reader->selectors, reader->nselectors);
	gs_free(reader->choices);
	gs_arena_free(reader->arena);
	gs_free(reader);
}

enum gs_status gs_ingest_read_all(
    struct gs_ingest *ingest, const struct gs_ingest_query *query, struct gs_buf *out, struct gs_error *err) {
	struct gs_ingest_reader *reader = NULL;
	struct gs_str piece = {0};
	enum gs_status status = gs_ingest_read(ingest, query, &reader);
	if (status != GS_OK)
		return gs_error_set(err, status, 0, 0, "out of memory; try again");
	do {
		status = gs_ingest_read_next(reader, &piece, err);
		if (piece.n != 0)
			gs_buf_str(out, piece);
	} while (status == GS_OK && piece.n != 0 && out->status == GS_OK);
	gs_ingest_read_end(reader);
	return status == GS_OK ? out->status : status;
}
