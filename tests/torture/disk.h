/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TORTURE_DISK_H
#define GRAVEL_TORTURE_DISK_H

#include <stdint.h>

/*
 * A bad disk for a program that is not asked: preloaded, it stands between the program and the calls that change what is under a folder. It is told what to do by a
 * file that both map (disk.py writes it), so a disk can become bad and good again while the program runs.
 *
 * GRAVEL_DISK_ROOT     the folder; nothing else is touched
 * GRAVEL_DISK_CONTROL  the file of a struct disk_control
 * GRAVEL_DISK_UNDO     where to note what a loss of power would undo; may be absent
 */

#define DISK_MAGIC 0x4b534944u

enum disk_kill_mode { DISK_BEFORE, DISK_HALF, DISK_AFTER };
enum disk_kill_whom { DISK_GROUP, DISK_SELF };

/* Little-endian, no gaps; disk.py has the same. */
struct disk_control {
	uint32_t magic;
	uint32_t main_pid; /* the process that was started; every other one is a fork of it */
	uint64_t ops; /* counted operations: write, sync, truncate, rename, unlink, creation */
	uint64_t kill_at; /* the number of the operation that ends it; 0: none */
	uint32_t kill_mode;
	uint32_t kill_whom; /* the process group of the program, or the process that did it */
	uint32_t only_forks; /* count and kill in forks only */
	uint32_t sync_delay_us;
	uint32_t write_delay_us; /* each write */
	uint32_t write_delay_us_per_kib;
	uint32_t full; /* nothing grows: ENOSPC, where a part fits that part is written */
	uint32_t sync_errno; /* of every fail_period-th sync */
	uint32_t write_errno; /* of every fail_period-th write */
	uint32_t fail_period;
	uint64_t failures; /* how many of all kinds were made */
	uint64_t syncs;
};

/* What stands in the undo file: a head, the path (or both, each with a zero), the old bytes, the new bytes. */
enum disk_undo_kind {
	UNDO_WRITE = 1,
	UNDO_TRUNCATE,
	UNDO_SYNC,
	UNDO_CREATE,
	UNDO_UNLINK,
	UNDO_RENAME,
	UNDO_SYNC_FOLDER
};

struct disk_undo {
	uint32_t kind;
	uint32_t path_bytes;
	uint64_t inode;
	uint64_t offset;
	uint64_t old_size; /* of the file */
	uint64_t old_bytes;
	uint64_t new_bytes;
	uint64_t trash; /* of a file that was removed or replaced: its link in "<undo>.trash/"; 0: none */
};

#endif
