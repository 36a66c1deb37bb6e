/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_INGEST_READ_H
#define GRAVEL_INGEST_READ_H

#include "gravel/codec/codec.h"
#include "gravel/ingest/ingest.h"
#include "gravel/match/selector.h"

/*
 * A reader of the store: the exposition piece by piece, compressed if it wants that. Every family is as it was at one moment after the begin, so
 * what was pushed before is in it. Readers of the whole exposition share what is rendered and compressed, with each other and with those
 * before them, as long as nothing of it has changed. A reader holds no lock between two calls. One thread at a time.
 */
struct gs_ingest_reader;

/* What to read: without names and selectors all, else every line that a name or a selector asks for. */
struct gs_ingest_query {
	struct gs_expo_dialect dialect;
	enum gs_codec_kind encoding;
	const struct gs_str
	    *names; /* of families, also as gs_expo_escape writes them by VALUES; needed during the call only */
	size_t nnames;
	struct gs_selector *
	    *selectors; /* of series by the names that their lines have in text; taken over, whatever the result */
	size_t nselectors;
};

/** gs_ingest_read(ingest, query, ret_reader): Begin. GS_ENOMEM. Any thread. */
GS_MUST_USE enum gs_status gs_ingest_read(
    struct gs_ingest *ingest, const struct gs_ingest_query *query, struct gs_ingest_reader **ret_reader);

/** gs_ingest_read_next(reader, ret_piece, err):
 * The next bytes, empty at the end; they live until the next call. GS_ELIMIT with ${err} when a selector takes too long, GS_ENOMEM; then there is nothing
 * more. */
GS_MUST_USE enum gs_status gs_ingest_read_next(
    struct gs_ingest_reader *reader, struct gs_str *ret_piece, struct gs_error *err);

/** gs_ingest_read_end(reader): At any time. NULL is nothing. */
void gs_ingest_read_end(struct gs_ingest_reader *reader);

/** gs_ingest_read_all(ingest, query, out, err): Append all of it to ${out}. As gs_ingest_read and gs_ingest_read_next, or the error of ${out}. */
GS_MUST_USE enum gs_status gs_ingest_read_all(
    struct gs_ingest *ingest, const struct gs_ingest_query *query, struct gs_buf *out, struct gs_error *err);

#endif
