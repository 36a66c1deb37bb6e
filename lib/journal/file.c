/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The push log in an SQLite database: one table, one transaction for each append, one sync for each transaction (WAL, synchronous=FULL). The file is
 * locked for as long as it is open: two receivers would both believe that they know the next position.
 */
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "gravel/base/mem.h"
#include "journal_internal.h"

#define APPLICATION_ID 0x67736c67 /* "gslg" in the header of the file, for file(1) and for us */
#define VERSION 1
#define CUT_MAX 2000
#define PAGE 8192

enum statement { BEGIN, INSERT, COMMIT, ROLLBACK, AFTER, CUT, STATEMENTS };

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [INSERT] = "INSERT INTO log (position, time_ms, header, body) VALUES (?, ?, ?, ?)",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [AFTER] = "SELECT position, time_ms, header, body FROM log WHERE position > ? ORDER BY position",
    [CUT] = "DELETE FROM log WHERE position <= ?",
};

struct gs_journal_file {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *statements[STATEMENTS];
};

static const char *advice(int code) {
	switch (code & 0xff) {
	case SQLITE_FULL:
		return "the disk, or receiver.log.max_size, is full: make room";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "another process has it open: one receiver has one file";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "it is damaged, or no log of ours: move it away, or bring back a copy";
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return "it cannot be opened or written: look at the permissions of the file and its folder";
	default:
		return "see receiver.log.path";
	}
}

static enum gs_status failed(const struct gs_journal_file *file, const char *what, struct gs_error *err) {
	int code = file->db != NULL ? sqlite3_extended_errcode(file->db) : SQLITE_NOMEM;
	if ((code & 0xff) == SQLITE_NOMEM)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	return gs_error_set(err, GS_EIO, 0, 0, "cannot %s the push log %s: %s; %s", what, file->path,
	    sqlite3_errmsg(file->db), advice(code));
}

static bool run(struct gs_journal_file *file, const char *sql) {
	return sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool read_number(struct gs_journal_file *file, const char *sql, int64_t *ret) {
	sqlite3_stmt *statement = NULL;
	bool read = sqlite3_prepare_v2(file->db, sql, -1, &statement, NULL) == SQLITE_OK &&
		    sqlite3_step(statement) == SQLITE_ROW;
	if (read)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return read;
}

static bool set_number(struct gs_journal_file *file, const char *pragma, uint64_t n) {
	char sql[100];
	snprintf(sql, sizeof(sql), "PRAGMA %s = %llu", pragma, (unsigned long long)n);
	return run(file, sql);
}

/* What must be said before the first page is written. */
static bool set_up(struct gs_journal_file *file, uint64_t max_bytes) {
	int64_t page = PAGE;
	return run(file, "PRAGMA locking_mode = EXCLUSIVE") && set_number(file, "page_size", PAGE) &&
	       run(file, "PRAGMA journal_mode = WAL") && run(file, "PRAGMA synchronous = FULL") &&
	       read_number(file, "PRAGMA page_size", &page) &&
	       (max_bytes == 0 || set_number(file, "max_page_count", max_bytes / (uint64_t)page + 1));
}

static bool make_tables(struct gs_journal_file *file) {
	return run(file, "BEGIN EXCLUSIVE") &&
	       run(file,
		   "CREATE TABLE log (position INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, header TEXT NOT NULL, "
		   "body BLOB NOT NULL)") &&
	       set_number(file, "application_id", APPLICATION_ID) && set_number(file, "user_version", VERSION) &&
	       run(file, "COMMIT");
}

/* See that it is a log of ours, or make it one if it is new. */
static enum gs_status identify(struct gs_journal_file *file, struct gs_error *err) {
	int64_t id = 0, version = 0, tables = 0;
	if (!read_number(file, "PRAGMA application_id", &id) || !read_number(file, "PRAGMA user_version", &version) ||
	    !read_number(file, "SELECT count(*) FROM sqlite_master", &tables))
		return failed(file, "read", err);
	if (tables == 0 && id == 0)
		return make_tables(file) ? GS_OK : failed(file, "make", err);
	if (id != APPLICATION_ID)
		return gs_error_set(err, GS_EIO, 0, 0,
		    "%s is a database of something else: choose another receiver.log.path", file->path);
	if (version != VERSION)
		return gs_error_set(err, GS_EUNSUPPORTED, 0, 0,
		    "the push log %s was written by a later version: use that, or another receiver.log.path",
		    file->path);
	return GS_OK;
}

static enum gs_status prepare_all(struct gs_journal_file *file, struct gs_error *err) {
	for (int i = 0; i < STATEMENTS; i++) {
		if (sqlite3_prepare_v3(file->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &file->statements[i], NULL) !=
		    SQLITE_OK)
			return failed(file, "read", err);
	}
	return GS_OK;
}

static enum gs_status open_database(
    struct gs_journal_file *file, const struct gs_journal_file_options *options, struct gs_error *err) {
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	if (sqlite3_open_v2(file->path, &file->db, flags, NULL) != SQLITE_OK || !set_up(file, options->max_bytes))
		return failed(file, "open", err);
	enum gs_status status = identify(file, err);
	return status == GS_OK ? prepare_all(file, err) : status;
}

enum gs_status gs_journal_file_open(const struct gs_journal_file_options *options, struct gs_journal_file **ret,
    uint64_t *ret_last, struct gs_error *err) {
	int64_t last = 0;
	struct gs_journal_file *file = gs_alloc(sizeof(*file));
	if (file != NULL)
		file->path = gs_strdup(gs_str_of(options->path));
	if (file == NULL || file->path == NULL) {
		gs_journal_file_close(file);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	}
	enum gs_status status = open_database(file, options, err);
	if (status == GS_OK && !read_number(file, "SELECT coalesce(max(position), 0) FROM log", &last))
		status = failed(file, "read", err);
	if (status != GS_OK) {
		gs_journal_file_close(file);
		return status;
	}
	*ret_last = (uint64_t)last;
	*ret = file;
	return GS_OK;
}

void gs_journal_file_close(struct gs_journal_file *file) {
	if (file == NULL)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(file->statements[i]);
	sqlite3_close(file->db);
	gs_free(file->path);
	gs_free(file);
}

/* Run a statement that gives no rows. */
static bool step(struct gs_journal_file *file, enum statement which) {
	int code = sqlite3_step(file->statements[which]);
	sqlite3_reset(file->statements[which]);
	return code == SQLITE_DONE;
}

static bool insert(struct gs_journal_file *file, uint64_t position, const struct gs_journal_entry *entry) {
	sqlite3_stmt *statement = file->statements[INSERT];
	if (entry->header.n > INT_MAX)
		return false;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)position);
	sqlite3_bind_int64(statement, 2, entry->time_ms);
	sqlite3_bind_text(
	    statement, 3, entry->header.n != 0 ? entry->header.p : "", (int)entry->header.n, SQLITE_STATIC);
	if (entry->body.n != 0)
		sqlite3_bind_blob64(statement, 4, entry->body.p, entry->body.n, SQLITE_STATIC);
	else
		sqlite3_bind_zeroblob(statement, 4, 0);
	return step(file, INSERT);
}

/* The text of the error before it is rolled back; some errors have rolled back already. */
static enum gs_status give_up(struct gs_journal_file *file, const char *what, struct gs_error *err) {
	enum gs_status status = failed(file, what, err);
	if (sqlite3_get_autocommit(file->db) == 0)
		(void)step(file, ROLLBACK);
	return status;
}

enum gs_status gs_journal_file_append(struct gs_journal_file *file, uint64_t first,
    const struct gs_journal_entry *entries, size_t n, struct gs_error *err) {
	if (!step(file, BEGIN))
		return failed(file, "write", err);
	for (size_t i = 0; i < n; i++) {
		if (!insert(file, first + i, &entries[i]))
			return give_up(file, "write", err);
	}
	return step(file, COMMIT) ? GS_OK : give_up(file, "write", err);
}

static struct gs_str column(sqlite3_stmt *statement, int i) {
	const void *p = sqlite3_column_blob(statement, i);
	int n = sqlite3_column_bytes(statement, i);
	return p != NULL ? gs_str_make(p, (size_t)n) : (struct gs_str){0};
}

enum gs_status gs_journal_file_replay(
    struct gs_journal_file *file, uint64_t after, gs_journal_replay_fn *fn, void *ctx, struct gs_error *err) {
	sqlite3_stmt *statement = file->statements[AFTER];
	enum gs_status status = GS_OK;
	int code = SQLITE_DONE;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)after);
	while (status == GS_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct gs_journal_entry entry = {
		    .time_ms = sqlite3_column_int64(statement, 1),
		    .header = column(statement, 2),
		    .body = column(statement, 3),
		};
		status = fn(ctx, (uint64_t)sqlite3_column_int64(statement, 0), &entry);
	}
	if (status == GS_OK && code != SQLITE_DONE)
		status = failed(file, "read", err);
	sqlite3_reset(statement);
	return status;
}

enum gs_status gs_journal_file_cut(struct gs_journal_file *file, uint64_t upto, struct gs_error *err) {
	int64_t first = 0;
	if (!read_number(file, "SELECT coalesce(min(position), 0) FROM log", &first))
		return failed(file, "read", err);
	if (first == 0 || (uint64_t)first > upto)
		return GS_OK;
	uint64_t now = upto - (uint64_t)first >= CUT_MAX ? (uint64_t)first + CUT_MAX - 1 : upto;
	sqlite3_bind_int64(file->statements[CUT], 1, (sqlite3_int64)now);
	if (!step(file, CUT))
		return failed(file, "cut", err);
	return now == upto ? GS_OK : GS_EAGAIN;
}

static uint64_t size_of(const char *path, const char *suffix) {
	char name[PATH_MAX];
	struct stat st;
	if (snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name) || stat(name, &st) != 0)
		return 0;
	return (uint64_t)st.st_size;
}

uint64_t gs_journal_file_bytes(const struct gs_journal_file *file) {
	return size_of(file->path, "") + size_of(file->path, "-wal");
}
