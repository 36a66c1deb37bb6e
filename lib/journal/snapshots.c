/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gravel-snapshot 1\n
 * position=<n> time=<ms> <note>\n
 * blocks: bytes when decompressed, bytes here (both 32 bits, low byte first), a zstd frame
 * a block of 0 and 0, and behind it the 64-bit XXH3 of all before, chained by blocks
 */
#include "gravel/journal/snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/codec/codec.h"
#include "gravel/log/log.h"

#define MAGIC "gravel-snapshot 1\n"
#define UNFINISHED ".new"
#define PREFIX "snapshot-"
#define DAMAGED ".damaged"
#define BLOCK ((size_t)256 * 1024) /* bytes that are compressed together */
#define BLOCK_HEAD 8
#define NOTE_MAX 4096
#define LEVEL 2 /* of zstd: as fast as 1 on a store, and half its size (measured) */
#define NAME_SIZE 64

static enum gs_status system_failed(const char *what, const char *folder, const char *name, struct gs_error *err) {
	char reason[128];
	int error = errno;
	return gs_error_set(err, GS_EIO, 0, 0, "cannot %s the snapshot %s/%s: %s; %s", what, folder, name,
	    strerror_r(error, reason, sizeof(reason)),
	    error == ENOSPC || error == EDQUOT || error == EFBIG
		? "make room there"
		: "look at the permissions of the folder of receiver.log.path");
}

static void put_u32(unsigned char *at, size_t n) {
	for (unsigned i = 0; i < 4; i++)
		at[i] = (unsigned char)(n >> 8 * i);
}

static uint32_t get_u32(const unsigned char *at) {
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u64(unsigned char *at, uint64_t n) {
	put_u32(at, (uint32_t)n);
	put_u32(at + 4, (uint32_t)(n >> 32));
}

/* Writing */

struct gs_snapshot_writer {
	int folder;
	int fd;
	int error; /* errno of what failed first */
	uint64_t hash;
	struct gs_codec *codec;
	struct gs_buf plain;
	struct gs_buf packed;
};

static enum gs_status write_all(struct gs_snapshot_writer *writer, const void *p, size_t n) {
	const char *at = p;
	writer->hash = gs_hash_stable(gs_str_make(p, n), writer->hash);
	while (n != 0) {
		ssize_t wrote = write(writer->fd, at, n);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0) {
			writer->error = errno;
			return GS_EIO;
		}
		at += wrote;
		n -= (size_t)wrote;
	}
	return GS_OK;
}

static enum gs_status write_block(struct gs_snapshot_writer *writer) {
	unsigned char head[BLOCK_HEAD];
	if (writer->plain.n == 0)
		return GS_OK;
	gs_buf_clear(&writer->packed);
	enum gs_status status =
	    gs_codec_compress(writer->codec, GS_CODEC_ZSTD, LEVEL, gs_buf_slice(&writer->plain), &writer->packed);
	if (status != GS_OK)
		return status;
	put_u32(head, writer->plain.n);
	put_u32(head + 4, writer->packed.n);
	gs_buf_clear(&writer->plain);
	status = write_all(writer, head, sizeof(head));
	return status == GS_OK ? write_all(writer, writer->packed.p, writer->packed.n) : status;
}

enum gs_status gs_snapshot_writer_put(struct gs_snapshot_writer *writer, struct gs_str bytes) {
	while (bytes.n != 0) {
		size_t room = BLOCK - writer->plain.n;
		size_t some = bytes.n < room ? bytes.n : room;
		gs_buf_add(&writer->plain, bytes.p, some);
		bytes = gs_str_make(bytes.p + some, bytes.n - some);
		enum gs_status status = writer->plain.status;
		if (status == GS_OK && writer->plain.n == BLOCK)
			status = write_block(writer);
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

static enum gs_status write_head(struct gs_snapshot_writer *writer, const struct gs_snapshot_info *info) {
	struct gs_buf head;
	gs_buf_init(&head, NOTE_MAX + 128);
	gs_buf_printf(&head, MAGIC "position=%llu time=%lld %.*s\n", (unsigned long long)info->position,
	    (long long)info->time_ms, GS_FMT(info->note));
	enum gs_status status = head.status;
	if (status == GS_OK)
		status = write_all(writer, head.p, head.n);
	gs_buf_free(&head);
	return status;
}

static enum gs_status write_end(struct gs_snapshot_writer *writer) {
	unsigned char end[BLOCK_HEAD] = {0}, sum[8];
	enum gs_status status = write_block(writer);
	if (status == GS_OK)
		status = write_all(writer, end, sizeof(end));
	put_u64(sum, writer->hash);
	if (status == GS_OK)
		status = write_all(writer, sum, sizeof(sum));
	if (status == GS_OK && fsync(writer->fd) != 0) {
		writer->error = errno;
		status = GS_EIO;
	}
	return status;
}

static enum gs_status write_file(
    struct gs_snapshot_writer *writer, const struct gs_snapshot_info *info, gs_snapshot_fill_fn *fill, void *ctx) {
	gs_buf_init(&writer->plain, BLOCK);
	gs_buf_init(&writer->packed, SIZE_MAX / 2);
	writer->codec = gs_codec_new();
	enum gs_status status = writer->codec != NULL ? write_head(writer, info) : GS_ENOMEM;
	if (status == GS_OK)
		status = fill(ctx, writer);
	if (status == GS_OK)
		status = write_end(writer);
	gs_codec_free(writer->codec);
	gs_buf_free(&writer->plain);
	gs_buf_free(&writer->packed);
	return status;
}

/* Folders */

/* The position in the name of a snapshot; false for any other name. */
static bool read_name(const char *name, uint64_t *ret_position) {
	size_t n = strlen(PREFIX);
	return strncmp(name, PREFIX, n) == 0 && gs_num_parse_u64(gs_str_of(name + n), ret_position) == GS_OK;
}

static void make_name(char *name, uint64_t position) {
	snprintf(name, NAME_SIZE, PREFIX "%020llu", (unsigned long long)position);
}

enum gs_status gs_snapshots_path(const char *folder, uint64_t position, char *ret, size_t n) {
	char name[NAME_SIZE];
	make_name(name, position);
	int length = snprintf(ret, n, "%s/%s", folder, name);
	return length >= 0 && (size_t)length < n ? GS_OK : GS_ELIMIT;
}

/* Positions of the newest snapshots in ${kept}, the newest first, and of the oldest of all. GS_EIO. */
static enum gs_status list(const char *folder, uint64_t *kept, size_t max, size_t *ret_n, uint64_t *ret_oldest) {
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint64_t position;
	*ret_n = 0;
	*ret_oldest = UINT64_MAX;
	if (dir == NULL)
		return GS_EIO;
	while ((entry = readdir(dir)) != NULL) {
		if (!read_name(entry->d_name, &position))
			continue;
		*ret_oldest = position < *ret_oldest ? position : *ret_oldest;
		size_t at = *ret_n;
		while (at > 0 && kept[at - 1] < position)
			at--;
		if (at == max)
			continue;
		size_t n = *ret_n < max ? *ret_n : max - 1;
		memmove(kept + at + 1, kept + at, (n - at) * sizeof(*kept));
		kept[at] = position;
		*ret_n = n + 1;
	}
	closedir(dir);
	return GS_OK;
}

enum gs_status gs_snapshots_oldest(const char *folder, uint64_t *ret_position) {
	uint64_t newest;
	size_t n;
	enum gs_status status = list(folder, &newest, 1, &n, ret_position);
	return status == GS_OK && n == 0 ? GS_ENOTFOUND : status;
}

enum gs_status gs_snapshots_newest(const char *folder, uint64_t *ret_position) {
	uint64_t oldest;
	size_t n;
	enum gs_status status = list(folder, ret_position, 1, &n, &oldest);
	return status == GS_OK && n == 0 ? GS_ENOTFOUND : status;
}

/* One at a time: there are seldom more than one too many. */
static void remove_old(const char *folder, int fd) {
	uint64_t kept[GS_SNAPSHOTS_KEPT], oldest;
	char name[NAME_SIZE];
	size_t n;
	while (list(folder, kept, GS_SNAPSHOTS_KEPT, &n, &oldest) == GS_OK && n == GS_SNAPSHOTS_KEPT &&
	       oldest < kept[n - 1]) {
		make_name(name, oldest);
		if (unlinkat(fd, name, 0) != 0)
			return;
	}
}

enum gs_status gs_snapshots_write(const char *folder, const struct gs_snapshot_info *info, gs_snapshot_fill_fn *fill,
    void *ctx, struct gs_error *err) {
	struct gs_snapshot_writer writer = {.fd = -1};
	char name[NAME_SIZE], temporary[NAME_SIZE + 8];
	make_name(name, info->position);
	snprintf(temporary, sizeof(temporary), "%s" UNFINISHED, name);
	writer.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer.folder >= 0)
		writer.fd =
		    openat(writer.folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum gs_status status = writer.fd >= 0 ? write_file(&writer, info, fill, ctx) : GS_EIO;
	if (writer.error != 0)
		errno = writer.error;
	if (status == GS_OK &&
	    (renameat(writer.folder, temporary, writer.folder, name) != 0 || fsync(writer.folder) != 0))
		status = GS_EIO;
	if (status == GS_EIO)
		(void)system_failed("write", folder, name, err);
	else if (status == GS_ENOMEM)
		(void)gs_error_set(err, status, 0, 0, "out of memory");
	if (writer.fd >= 0) {
		close(writer.fd);
		if (status != GS_OK)
			(void)unlinkat(writer.folder, temporary, 0);
	}
	if (status == GS_OK)
		remove_old(folder, writer.folder);
	if (writer.folder >= 0)
		close(writer.folder);
	return status;
}

/* Reading */

struct gs_snapshot_reader {
	FILE *file;
	struct gs_snapshot_info info;
	char *line; /* the second one of the file */
	struct gs_codec *codec;
	struct gs_buf packed;
	struct gs_buf plain;
};

void gs_snapshot_reader_close(struct gs_snapshot_reader *reader) {
	if (reader == NULL)
		return;
	if (reader->file != NULL)
		fclose(reader->file);
	gs_codec_free(reader->codec);
	gs_buf_free(&reader->packed);
	gs_buf_free(&reader->plain);
	gs_free(reader->line);
	gs_free(reader);
}

struct gs_snapshot_info gs_snapshot_reader_info(const struct gs_snapshot_reader *reader) {
	return reader->info;
}

/* Exactly ${n} bytes; GS_EINVAL where the file ends before. */
static enum gs_status read_all(struct gs_snapshot_reader *reader, void *to, size_t n) {
	if (fread(to, 1, n, reader->file) == n)
		return GS_OK;
	return ferror(reader->file) ? GS_EIO : GS_EINVAL;
}

static bool read_field(struct gs_str *line, const char *key, struct gs_str *ret) {
	struct gs_str name = gs_str_of(key);
	if (!gs_str_starts(*line, name))
		return false;
	struct gs_str rest = gs_str_make(line->p + name.n, line->n - name.n);
	return gs_str_cut(rest, ' ', ret, line);
}

/* The first two lines. They stand before all blocks, so whatever they say is checked with those. */
static enum gs_status read_head(struct gs_snapshot_reader *reader, uint64_t *hash) {
	char magic[sizeof(MAGIC)] = "";
	struct gs_str line, position, time;
	size_t n = 0;
	enum gs_status status = read_all(reader, magic, strlen(MAGIC));
	if (status != GS_OK || strcmp(magic, MAGIC) != 0)
		return status != GS_OK ? status : GS_EINVAL;
	reader->line = gs_alloc(NOTE_MAX + 128);
	if (reader->line == NULL)
		return GS_ENOMEM;
	for (int c; n < NOTE_MAX + 127 && (c = getc(reader->file)) != EOF && c != '\n';)
		reader->line[n++] = (char)c;
	line = gs_str_make(reader->line, n);
	if (!read_field(&line, "position=", &position) || !read_field(&line, "time=", &time) ||
	    gs_num_parse_u64(position, &reader->info.position) != GS_OK ||
	    gs_num_parse_i64(time, &reader->info.time_ms) != GS_OK)
		return GS_EINVAL;
	reader->info.note = line;
	struct gs_buf head;
	gs_buf_init(&head, NOTE_MAX + 256);
	gs_buf_cstr(&head, MAGIC);
	gs_buf_add(&head, reader->line, n);
	gs_buf_char(&head, '\n');
	*hash = gs_hash_stable(gs_buf_slice(&head), 0);
	status = head.status;
	gs_buf_free(&head);
	return status;
}

/* The next block as it stands in the file, in packed; of the end its plain size is 0. */
static enum gs_status read_packed(struct gs_snapshot_reader *reader, uint64_t *hash, uint32_t *ret_plain) {
	unsigned char head[BLOCK_HEAD];
	enum gs_status status = read_all(reader, head, sizeof(head));
	if (status != GS_OK)
		return status;
	uint32_t plain = get_u32(head), packed = get_u32(head + 4);
	if (plain > BLOCK || packed > 2 * BLOCK || (plain == 0) != (packed == 0))
		return GS_EINVAL;
	gs_buf_clear(&reader->packed);
	char *at = gs_buf_reserve(&reader->packed, packed + 1);
	if (at == NULL)
		return GS_ENOMEM;
	status = read_all(reader, at, packed);
	reader->packed.n = packed;
	*hash = gs_hash_stable(gs_str_make((const char *)head, sizeof(head)), *hash);
	if (packed != 0)
		*hash = gs_hash_stable(gs_buf_slice(&reader->packed), *hash);
	*ret_plain = plain;
	return status;
}

/* Read all of it once, so that nothing is loaded of what is damaged. */
static enum gs_status verify(struct gs_snapshot_reader *reader) {
	uint64_t hash = 0;
	uint32_t plain = 1;
	unsigned char sum[8], expected[8];
	enum gs_status status = read_head(reader, &hash);
	long blocks = ftell(reader->file);
	while (status == GS_OK && plain != 0)
		status = read_packed(reader, &hash, &plain);
	put_u64(expected, hash);
	if (status == GS_OK)
		status = read_all(reader, sum, sizeof(sum));
	if (status == GS_OK && (memcmp(sum, expected, sizeof(sum)) != 0 || getc(reader->file) != EOF))
		status = GS_EINVAL;
	if (status == GS_OK && (blocks < 0 || fseek(reader->file, blocks, SEEK_SET) != 0))
		status = GS_EIO;
	return status;
}

static enum gs_status open_reader(const char *path, struct gs_snapshot_reader **ret) {
	struct gs_snapshot_reader *reader = gs_alloc(sizeof(*reader));
	if (reader == NULL)
		return GS_ENOMEM;
	gs_buf_init(&reader->packed, 2 * BLOCK + 1);
	gs_buf_init(&reader->plain, BLOCK);
	reader->codec = gs_codec_new();
	reader->file = fopen(path, "re");
	enum gs_status status = reader->codec == NULL ? GS_ENOMEM : reader->file == NULL ? GS_EIO : verify(reader);
	if (status == GS_OK)
		*ret = reader;
	else
		gs_snapshot_reader_close(reader);
	return status;
}

enum gs_status gs_snapshot_reader_get(void *ctx, struct gs_str *ret_bytes) {
	struct gs_snapshot_reader *reader = ctx;
	uint64_t hash = 0;
	uint32_t plain = 0;
	enum gs_status status = read_packed(reader, &hash, &plain);
	gs_buf_clear(&reader->plain);
	if (status == GS_OK && plain != 0)
		status =
		    gs_codec_decompress(reader->codec, GS_CODEC_ZSTD, gs_buf_slice(&reader->packed), &reader->plain);
	if (status == GS_OK && reader->plain.n != plain)
		status = GS_EINVAL;
	*ret_bytes = gs_buf_slice(&reader->plain);
	return status;
}

/* It stays, for whoever wants to know what happened, but is not looked at again. */
static void set_aside(const char *path) {
	char damaged[PATH_MAX];
	bool aside =
	    snprintf(damaged, sizeof(damaged), "%s" DAMAGED, path) < (int)sizeof(damaged) && rename(path, damaged) == 0;
	gs_log(GS_LOG_ERROR, "the snapshot %s is damaged: %s; the one before is used", path,
	    aside ? "it is renamed to end in \"" DAMAGED "\"" : "it cannot be renamed");
}

/* What a process left unfinished that was killed. */
static void remove_unfinished(const char *folder) {
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(folder);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct gs_str name = gs_str_of(entry->d_name);
		if (gs_str_starts(name, GS_STR(PREFIX)) && gs_str_ends(name, GS_STR(UNFINISHED)) &&
		    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < (int)sizeof(path))
			(void)unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
}

enum gs_status gs_snapshots_open(const char *folder, struct gs_snapshot_reader **ret_reader, struct gs_error *err) {
	uint64_t kept[16], oldest;
	char name[NAME_SIZE] = "", path[PATH_MAX];
	size_t n;
	remove_unfinished(folder);
	enum gs_status status = list(folder, kept, sizeof(kept) / sizeof(kept[0]), &n, &oldest);
	if (status == GS_OK && n == 0)
		return GS_ENOTFOUND;
	for (size_t i = 0; status == GS_OK && i < n; i++) {
		make_name(name, kept[i]);
		if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
			return gs_error_set(err, GS_EIO, 0, 0, "the name of the folder %s is too long", folder);
		status = open_reader(path, ret_reader);
		if (status == GS_OK)
			return GS_OK;
		if (status == GS_EINVAL) {
			set_aside(path);
			status = i + 1 < n ? GS_OK : GS_EINVAL;
		}
	}
	if (status == GS_EINVAL)
		return gs_error_set(err, GS_EINVAL, 0, 0,
		    "all snapshots in %s are damaged: bring back a copy, or start without them by moving the push log "
		    "away "
		    "as well",
		    folder);
	if (status == GS_ENOMEM)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	return system_failed("read", folder, name, err);
}
