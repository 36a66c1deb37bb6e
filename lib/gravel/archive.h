/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_GRAVEL_ARCHIVE_H
#define GRAVEL_LIB_GRAVEL_ARCHIVE_H

#include "gravel/gravel/snapshot.h"
#include "store_internal.h"

/*
 * Bytes of a snapshot in either direction: the same function says what is saved and what is loaded, so the two cannot differ. Saving writes what it
 * is given; loading overwrites it. The first error sticks: everything loaded after it is 0 and empty, so loops end.
 */
struct archive {
	struct gs_store *store;
	bool loading;
	gs_snapshot_put_fn *put;
	gs_snapshot_get_fn *get;
	void *ctx;
	struct gs_buf bytes; /* saving: what is not put yet; loading: the last string */
	struct gs_str window; /* loading: what is left of what get gave */
	enum gs_status status;
	/* Numbers of what was saved before are those of its place in these. */
	uint32_t *texts; /* loading: numbers of texts, of each one ref */
	uint8_t *text_uses; /* what each may be: enum text_use */
	struct layout **layouts; /* likewise */
	struct family **families;
	uint32_t *text_places[TEXT_POOLS]; /* saving: places of texts, by number */
	uint32_t ntexts;
	uint32_t nlayouts;
	uint32_t nfamilies;
};

void gs_archive_end(struct archive *archive); /* all is written, or all was to be read */

/* The bytes say something that cannot be. */
void gs_archive_fail(struct archive *archive, enum gs_status status);

void gs_archive_u64(struct archive *archive, uint64_t *x);
void gs_archive_u32(struct archive *archive, uint32_t *x, uint32_t max); /* beyond max: GS_EINVAL */
void gs_archive_i64(struct archive *archive, int64_t *x);
void gs_archive_time(struct archive *archive, int64_t *ms); /* any but those whose differences overflow */
void gs_archive_bool(struct archive *archive, bool *x);
void gs_archive_double(struct archive *archive, double *x); /* all its bits */
/* The text itself, loaded into room that lasts until the next string. */
void gs_archive_str(struct archive *archive, struct gs_str *s, size_t max);
/* A layout that was saved before; loading gives one more ref, NULL after an error. */
void gs_archive_layout(struct archive *archive, struct layout **layout);

/* parts.c, cell.c, sketch.c, tally.c, pebble.c, exemplar.c, native.c: loading makes a new one, NULL after an error. */
void gs_archive_new_layout(struct archive *archive, struct layout **layout);
void gs_archive_parts(struct archive *archive, struct parts **parts);
void gs_archive_cell(struct archive *archive, union slot *cell, enum gs_pebble_agg agg);
void gs_archive_sketch(struct archive *archive, struct gs_sketch **sketch);
void gs_archive_tally(struct archive *archive, const struct rule *rule, struct tally **tally);
void gs_archive_pebble(struct archive *archive, enum value_kind kind, struct pebble **pebble);
void gs_archive_exemplars(struct archive *archive, struct exemplars **exemplars);
void gs_archive_native(struct archive *archive, struct native **native);

/* snapshot.c: the series of an owner, in their order. */
void gs_archive_series(struct archive *archive, uint32_t owner);

/* group.c, gateway.c: the groups, with their series. */
void gs_archive_groups(struct archive *archive);
void gs_archive_gateways(struct archive *archive);

#endif
