/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_JOURNAL_SNAPSHOTS_H
#define GRAVEL_JOURNAL_SNAPSHOTS_H

#include <stddef.h>
#include <stdint.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

/*
 * Snapshots in a folder: files "snapshot-<position>", in blocks of zstd, with a checksum behind them (docs/LOG.md, "Snapshots"). A file is there whole or not at
 * all: it is written under another name, synced, and renamed. Nothing here is shared: any thread, and a fork too.
 */

#define GS_SNAPSHOTS_KEPT 2 /* the newest, and the one before in case that is damaged */

struct gs_snapshot_info {
	uint64_t position; /* of the log: all up to it is in the snapshot */
	int64_t time_ms; /* when it was begun */
	struct gs_str note; /* one line of text, without line breaks, of whoever wrote it */
};

/* Where the bytes of a snapshot go. */
struct gs_snapshot_writer;

/** gs_snapshot_writer_put(writer, bytes): Add ${bytes}. GS_EIO, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_snapshot_writer_put(struct gs_snapshot_writer *writer, struct gs_str bytes);

/* Give all bytes to the writer. */
typedef enum gs_status gs_snapshot_fill_fn(void *ctx, struct gs_snapshot_writer *writer);

/** gs_snapshots_write(folder, info, fill, ctx, err):
 * Write a snapshot whose bytes ${fill} gives. With GS_OK it is on the disk, and older ones than the GS_SNAPSHOTS_KEPT newest are removed. GS_EIO with ${err} naming the file and what to
 * do, GS_ENOMEM, or what ${fill} said; then nothing has changed. */
GS_MUST_USE enum gs_status gs_snapshots_write(const char *folder, const struct gs_snapshot_info *info,
    gs_snapshot_fill_fn *fill, void *ctx, struct gs_error *err);

/* A snapshot that is read. */
struct gs_snapshot_reader;

/** gs_snapshots_open(folder, ret_reader, err):
 * Open the newest snapshot that is whole: all of its bytes are checked. One that is damaged is renamed to end in ".damaged", logged, and the one before is taken; one that was left unfinished is removed: nobody else writes there. GS_ENOTFOUND if there is
 * none (and none that was damaged); GS_EINVAL with ${err} if all that were there are damaged; GS_EIO with ${err}, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_snapshots_open(
    const char *folder, struct gs_snapshot_reader **ret_reader, struct gs_error *err);
void gs_snapshot_reader_close(struct gs_snapshot_reader *reader);

/** gs_snapshot_reader_info(reader): Lives as long as the reader. */
struct gs_snapshot_info gs_snapshot_reader_info(const struct gs_snapshot_reader *reader);

/** gs_snapshot_reader_get(reader, ret_bytes): A gs_snapshot_get_fn of the store: the next bytes, none at the end. */
GS_MUST_USE enum gs_status gs_snapshot_reader_get(void *reader, struct gs_str *ret_bytes);

/** gs_snapshots_path(folder, position, ret, n): Write the name of the file of a snapshot, NUL-terminated. GS_ELIMIT if there is no room. */
GS_MUST_USE enum gs_status gs_snapshots_path(const char *folder, uint64_t position, char *ret, size_t n);

/** gs_snapshots_newest(folder, ret_position): The position of the newest snapshot, whole or not; GS_ENOTFOUND, GS_EIO. */
GS_MUST_USE enum gs_status gs_snapshots_newest(const char *folder, uint64_t *ret_position);

/** gs_snapshots_oldest(folder, ret_position): The position of the oldest snapshot that is kept; GS_ENOTFOUND if there is none, GS_EIO. The log is needed behind it. */
GS_MUST_USE enum gs_status gs_snapshots_oldest(const char *folder, uint64_t *ret_position);

#endif
