/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of the whole state, written by a fork: the child has the memory as it was between two entries, for the price of its page tables, and nobody waits for it. It touches no lock,
 * no log and no metric; what it has to say it says through a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/gravel/snapshot.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

#define MAGIC "gravel receiver\n"
#define MAGIC_SIZE 16
#define VERSION 2
#define FRONT_SIZE (MAGIC_SIZE + 8)
#define HEAD_SIZE (8 * 7) /* of version 1, which was that of a log in a file: OLD_HEAD_SIZE of it */
#define OLD_HEAD_SIZE (8 * 4)
#define NOTE GS_STR("by=" GRAVEL_VERSION)
#define ENTRIES_MAX 1000000 /* what is replayed in some seconds */
#define BYTES_MAX ((uint64_t)1024 * 1024 * 1024)
#define SHARES 4 /* of the log's size between two snapshots: there are two of them, and one is being written */
#define NICE 10
#define CHILD_MS 5000 /* that a stop waits for the child */
#define CHILD_POLL_MS 10

/* Head and keys: they stand before the store, which reads to the end. */

static void put_u64(unsigned char *at, uint64_t n) {
	for (unsigned i = 0; i < 8; i++)
		at[i] = (unsigned char)(n >> 8 * i);
}

static uint64_t get_u64(const unsigned char *at) {
	uint64_t n = 0;
	for (unsigned i = 0; i < 8; i++)
		n |= (uint64_t)at[i] << 8 * i;
	return n;
}

static enum gs_status put(void *ctx, struct gs_str bytes) {
	return gs_snapshot_writer_put(ctx, bytes);
}

static enum gs_status put_keys(const struct gs_push_keys *keys, struct gs_snapshot_writer *writer) {
	enum gs_status status = GS_OK;
	for (size_t i = 0; i < gs_push_keys_held(keys) && status == GS_OK; i++) {
		unsigned char key[GS_KEY_SAVED];
		gs_push_keys_save(keys, i, key);
		status = gs_snapshot_writer_put(writer, gs_str_make((const char *)key, sizeof(key)));
	}
	return status;
}

static enum gs_status fill(void *ctx, struct gs_snapshot_writer *writer) {
	struct gs_ingest *ingest = ctx;
	const struct applied *applied = &ingest->applied;
	unsigned char front[FRONT_SIZE], head[HEAD_SIZE];
	memcpy(front, MAGIC, MAGIC_SIZE);
	put_u64(front + MAGIC_SIZE, VERSION);
	put_u64(head, (uint64_t)applied->time_ms);
	put_u64(head + 8, applied->mark.sequence);
	put_u64(head + 16, (uint64_t)applied->mark.stored_ms);
	put_u64(head + 24, gs_push_keys_held(ingest->keys));
	put_u64(head + 32, gs_ingest_reads_log(ingest));
	put_u64(head + 40, applied->last.sequence);
	put_u64(head + 48, (uint64_t)applied->last.stored_ms);
	enum gs_status status = gs_snapshot_writer_put(writer, gs_str_make((const char *)front, sizeof(front)));
	if (status == GS_OK)
		status = gs_snapshot_writer_put(writer, gs_str_make((const char *)head, sizeof(head)));
	if (status == GS_OK)
		status = put_keys(ingest->keys, writer);
	return status == GS_OK ? gs_store_save(ingest->store, put, writer) : status;
}

struct source {
	struct gs_snapshot_reader *reader;
	struct gs_str rest;
};

static enum gs_status get(void *ctx, struct gs_str *ret_bytes) {
	struct source *source = ctx;
	if (source->rest.n == 0)
		return gs_snapshot_reader_get(source->reader, ret_bytes);
	*ret_bytes = source->rest;
	source->rest.n = 0;
	return GS_OK;
}

/* Exactly ${n} bytes; GS_EINVAL at the end. */
static enum gs_status get_all(struct source *source, unsigned char *to, size_t n) {
	while (n != 0) {
		if (source->rest.n == 0) {
			enum gs_status status = gs_snapshot_reader_get(source->reader, &source->rest);
			if (status != GS_OK || source->rest.n == 0)
				return status != GS_OK ? status : GS_EINVAL;
		}
		size_t some = n < source->rest.n ? n : source->rest.n;
		memcpy(to, source->rest.p, some);
		source->rest = gs_str_make(source->rest.p + some, source->rest.n - some);
		to += some;
		n -= some;
	}
	return GS_OK;
}

/* Whichever log wrote it, either goes on from it: one in a file behind all messages of the stream that count in it, a stream behind all that none needs any more. */
static void set_marks(struct gs_ingest *ingest, const unsigned char *head) {
	struct applied *applied = &ingest->applied;
	applied->mark = (struct stream_mark){get_u64(head + 8), (int64_t)get_u64(head + 16)};
	applied->streamed = get_u64(head + 32) != 0;
	applied->last = (struct stream_mark){get_u64(head + 40), (int64_t)get_u64(head + 48)};
	if (!applied->streamed)
		applied->last = applied->mark;
	else if (!gs_ingest_reads_log(ingest))
		applied->mark = applied->last;
}

static enum gs_status load_head(struct gs_ingest *ingest, struct source *source) {
	unsigned char front[FRONT_SIZE], head[HEAD_SIZE] = {0}, key[GS_KEY_SAVED];
	enum gs_status status = get_all(source, front, sizeof(front));
	if (status != GS_OK || memcmp(front, MAGIC, MAGIC_SIZE) != 0)
		return status != GS_OK ? status : GS_EINVAL;
	uint64_t version = get_u64(front + MAGIC_SIZE);
	if (version == 0 || version > VERSION)
		return GS_EUNSUPPORTED;
	status = get_all(source, head, version == 1 ? OLD_HEAD_SIZE : HEAD_SIZE);
	if (status != GS_OK)
		return status;
	ingest->applied.time_ms = (int64_t)get_u64(head);
	set_marks(ingest, head);
	for (uint64_t n = get_u64(head + 24); n != 0 && status == GS_OK; n--) {
		status = get_all(source, key, sizeof(key));
		if (status == GS_OK)
			status = gs_push_keys_load(ingest->keys, key);
	}
	return status;
}

enum gs_status gs_snapshot_load(struct gs_ingest *ingest, struct gs_snapshot_reader *reader, struct gs_error *err) {
	struct source source = {.reader = reader};
	struct gs_error why = {0};
	enum gs_status status = load_head(ingest, &source);
	if (status == GS_OK)
		status = gs_store_load(ingest->store, get, &source, &why);
	if (status == GS_OK)
		return GS_OK;
	if (why.text[0] == '\0')
		gs_error_set(&why, status, 0, 0, "%s",
		    status == GS_EUNSUPPORTED ? "a later version wrote it" : gs_status_name(status));
	return gs_error_set(err, status, 0, 0, "cannot load the snapshot of position %llu in %s: %s",
	    (unsigned long long)ingest->applied.position, ingest->options.log.folder, why.text);
}

static enum gs_status write_one(struct gs_ingest *ingest, struct gs_error *err) {
	struct gs_snapshot_info info = {
	    .position = ingest->applied.position, .time_ms = gs_clock_wall_ms(), .note = NOTE};
	return gs_snapshots_write(ingest->folder, &info, fill, ingest, err);
}

/* The child */

struct report {
	int64_t took_ns;
	char text[sizeof((struct gs_error){0}.text)]; /* why it failed */
};

/* What the parent has open is not kept open by us: a connection that it closes would stay. */
static void close_all_but(int kept) {
	struct rlimit limit = {0};
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3U, (unsigned)kept - 1, 0U) == 0 &&
	    syscall(SYS_close_range, (unsigned)kept + 1, ~0U, 0U) == 0)
		return;
#endif
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 3; (rlim_t)fd < limit.rlim_cur && fd < 65536; fd++) {
		if (fd != kept)
			(void)close(fd);
	}
}

static _Noreturn void be_child(struct gs_ingest *ingest, int pipe, pid_t parent) {
	struct gs_error err = {0};
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* an orphan would write while the next receiver reads */
	if (getppid() != parent)
		_exit(1); /* allow _exit: a fork runs nobody's exit handlers */
	close_all_but(pipe);
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	struct report report = {0};
	int64_t begun_ns = gs_clock_mono_ns();
	enum gs_status status = write_one(ingest, &err);
	if (status != GS_OK)
		snprintf(
		    report.text, sizeof(report.text), "%s", err.text[0] != '\0' ? err.text : gs_status_name(status));
	report.took_ns = gs_clock_mono_ns() - begun_ns;
	(void)!write(pipe, &report, sizeof(report)); /* whole, or the parent is gone */
	_exit(status == GS_OK ? 0 : 1); /* allow _exit: likewise */
}

/* The parent */

void gs_snapper_init(struct gs_ingest *ingest) {
	int64_t interval_ms = ingest->options.log.snapshot_ms;
	ingest->snapper.due_ms = interval_ms != 0 ? gs_clock_mono_ms() + interval_ms : INT64_MAX;
}

static void succeeded(struct gs_ingest *ingest) {
	char path[PATH_MAX];
	struct stat st;
	uint64_t oldest = 0;
	gs_metric_add(GS_M_SNAPSHOTS, 1);
	gs_metric_set(GS_M_SNAPSHOT_TIME, (double)ingest->snapper.time_ms / 1e3);
	gs_metric_set(GS_M_SNAPSHOT_POSITION, (double)ingest->snapper.position);
	if (gs_snapshots_path(ingest->folder, ingest->snapper.position, path, sizeof(path)) == GS_OK &&
	    stat(path, &st) == 0)
		gs_metric_set(GS_M_SNAPSHOT_BYTES, (double)st.st_size);
	if (gs_ingest_reads_log(ingest))
		ingest->stream.saved(ingest->stream.ctx, ingest->snapper.position, ingest->snapper.time_ms);
	if (gs_snapshots_oldest(ingest->folder, &oldest) != GS_OK)
		return;
	gs_lock_take(&ingest->queue_lock);
	ingest->cut_upto = oldest;
	gs_cond_signal(&ingest->log_work);
	gs_lock_release(&ingest->queue_lock);
}

static void failed(struct gs_ingest *ingest, const char *text) {
	ingest->snapper.changes = UINT64_MAX; /* what it would have held is not written yet */
	gs_metric_add(GS_M_SNAPSHOT_FAILURES, 1);
	gs_log(GS_LOG_ERROR, "no snapshot was written, the push log grows until there is one: %s", text);
}

/* See whether the child has ended. */
static void reap(struct gs_ingest *ingest, bool wait) {
	struct snapper *snapper = &ingest->snapper;
	struct report report;
	int code = 0;
	pid_t ended;
	do {
		ended = waitpid(snapper->child, &code, wait ? 0 : WNOHANG);
	} while (ended < 0 && errno == EINTR);
	if (ended == 0)
		return;
	bool told = read(snapper->pipe, &report, sizeof(report)) == (ssize_t)sizeof(report);
	close(snapper->pipe);
	snapper->child = 0;
	if (told)
		gs_metric_set(GS_M_SNAPSHOT_DURATION, (double)report.took_ns / 1e9);
	if (told && ended > 0 && WIFEXITED(code) && WEXITSTATUS(code) == 0)
		succeeded(ingest);
	else
		failed(ingest, told && report.text[0] != '\0' ? report.text : "the process that wrote it was killed");
}

/* One that hangs is ended: what it would have written the parent writes. */
static void await_child(struct gs_ingest *ingest) {
	int64_t until_ms = gs_clock_mono_ms() + CHILD_MS;
	while (ingest->snapper.child != 0 && gs_clock_mono_ms() < until_ms) {
		reap(ingest, false);
		if (ingest->snapper.child != 0)
			gs_clock_sleep_ms(CHILD_POLL_MS);
	}
	if (ingest->snapper.child == 0)
		return;
	(void)kill(ingest->snapper.child, SIGKILL);
	reap(ingest, true);
}

static bool is_due(struct gs_ingest *ingest) {
	struct snapper *snapper = &ingest->snapper;
	uint64_t max = ingest->options.log.max_bytes / SHARES;
	if (snapper->due_ms == INT64_MAX)
		return false;
	gs_ingest_store_take(ingest);
	uint64_t changes = ingest->applied.changes, position = ingest->applied.position;
	gs_ingest_store_release(ingest);
	gs_lock_take(&ingest->queue_lock);
	uint64_t bytes = ingest->logged_bytes - snapper->bytes;
	gs_lock_release(&ingest->queue_lock);
	if (max == 0 || max > BYTES_MAX)
		max = BYTES_MAX;
	if (changes == snapper->changes)
		return false;
	return gs_clock_mono_ms() >= snapper->due_ms || position - snapper->position >= ENTRIES_MAX || bytes >= max;
}

static void begin(struct gs_ingest *ingest) {
	struct snapper *snapper = &ingest->snapper;
	pid_t parent = getpid();
	int ends[2];
	snapper->due_ms = gs_clock_mono_ms() + ingest->options.log.snapshot_ms;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		failed(ingest, "the system has no more files");
		return;
	}
	gs_ingest_store_take(ingest);
	int64_t begun_ns = gs_clock_mono_ns();
	snapper->changes = ingest->applied.changes;
	snapper->position = ingest->applied.position;
	pid_t child = fork();
	if (child == 0)
		be_child(ingest, ends[1], parent);
	int64_t pause_ns = gs_clock_mono_ns() - begun_ns;
	gs_ingest_store_release(ingest);
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		failed(ingest, "the system has no room for one more process");
		return;
	}
	gs_lock_take(&ingest->queue_lock);
	snapper->bytes = ingest->logged_bytes;
	gs_lock_release(&ingest->queue_lock);
	gs_metric_set(GS_M_SNAPSHOT_PAUSE, (double)pause_ns / 1e9);
	snapper->child = child;
	snapper->pipe = ends[0];
	snapper->time_ms = gs_clock_wall_ms();
}

void gs_snapper_tick(struct gs_ingest *ingest) {
	if (!gs_ingest_is_kept(ingest))
		return;
	if (ingest->snapper.child != 0)
		reap(ingest, false);
	if (ingest->snapper.child == 0 && is_due(ingest))
		begin(ingest);
}

void gs_snapper_finish(struct gs_ingest *ingest) {
	struct gs_error err = {0};
	if (!gs_ingest_is_kept(ingest))
		return;
	await_child(ingest);
	if (ingest->phase != PHASE_READY || ingest->applied.changes == ingest->snapper.changes)
		return;
	if (write_one(ingest, &err) != GS_OK)
		failed(ingest, err.text);
}
