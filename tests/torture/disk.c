/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static struct disk_control *control;
static char root[PATH_MAX];
static size_t root_len;
static int undo_fd = -1;
static char trash[PATH_MAX];
static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

/* What the operation that is due is to become. */
enum fate { GO_ON, DIE_BEFORE, DIE_HALF, DIE_AFTER };

static void real_write_all(int fd, const void *bytes, size_t n) {
	const char *at = bytes;
	while (n > 0) {
		ssize_t wrote = syscall(SYS_write, fd, at, n);
		if (wrote <= 0)
			abort();
		at += wrote;
		n -= (size_t)wrote;
	}
}

static void lock_undo(void) {
	pthread_mutex_lock(&undo_lock);
}

static void unlock_undo(void) {
	pthread_mutex_unlock(&undo_lock);
}

__attribute__((constructor)) static void begin(void) {
	const char *folder = getenv("GRAVEL_DISK_ROOT"), *file = getenv("GRAVEL_DISK_CONTROL"),
		   *undo = getenv("GRAVEL_DISK_UNDO");
	if (folder == NULL || file == NULL)
		return;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED || ((struct disk_control *)map)->magic != DISK_MAGIC)
		return;
	root_len = (size_t)snprintf(root, sizeof(root), "%s", folder);
	if (undo != NULL) {
		undo_fd = (int)syscall(SYS_openat, AT_FDCWD, undo, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		snprintf(trash, sizeof(trash), "%s.trash", undo);
		mkdir(trash, 0700);
	}
	control = map;
	control->main_pid = (uint32_t)getpid();
	/* A fork must not inherit the lock of a thread that it has not. */
	pthread_atfork(lock_undo, unlock_undo, unlock_undo);
}

static bool is_ours(const char *path) {
	return strncmp(path, root, root_len) == 0 && (path[root_len] == '/' || path[root_len] == '\0');
}

/* The path of a descriptor, if it is under our folder. */
static bool path_of(int fd, char path[PATH_MAX]) {
	if (control == NULL)
		return false;
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, PATH_MAX - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return is_ours(path);
}

/* The whole path of one that may stand relative to a folder. */
static bool path_at(int folder, const char *name, char path[PATH_MAX]) {
	if (control == NULL || name == NULL)
		return false;
	if (name[0] == '/')
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && is_ours(path);
	char base[PATH_MAX];
	if (folder == AT_FDCWD) {
		if (getcwd(base, sizeof(base)) == NULL)
			return false;
	} else if (!path_of(folder, base)) {
		return false;
	}
	if (strlen(base) + strlen(name) + 2 > PATH_MAX)
		return false;
	size_t n = strlen(base);
	memcpy(path, base, n);
	path[n] = '/';
	memcpy(path + n + 1, name, strlen(name) + 1);
	return is_ours(path);
}

/* The index of SQLite's write-ahead log is memory that processes share; what is in it is made anew from the log. */
static bool is_index(const char *path) {
	size_t n = strlen(path);
	return n > 4 && strcmp(path + n - 4, "-shm") == 0;
}

static void wait_us(uint64_t us) {
	if (us == 0)
		return;
	struct timespec time = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
	while (nanosleep(&time, &time) != 0 && errno == EINTR)
		continue;
}

static void die(void) {
	if (control->kill_whom == DISK_SELF)
		kill(getpid(), SIGKILL);
	else
		kill(0, SIGKILL);
	for (;;)
		pause();
}

static enum fate count(void) {
	if (control->only_forks && (uint32_t)getpid() == control->main_pid)
		return GO_ON;
	uint64_t n = __atomic_add_fetch(&control->ops, 1, __ATOMIC_SEQ_CST);
	if (n != control->kill_at)
		return GO_ON;
	if (control->kill_mode == DISK_BEFORE)
		die();
	return control->kill_mode == DISK_HALF ? DIE_HALF : DIE_AFTER;
}

static bool fails(uint32_t number) {
	static uint64_t turn;
	if (number == 0 || control->fail_period == 0)
		return false;
	if (__atomic_add_fetch(&turn, 1, __ATOMIC_SEQ_CST) % control->fail_period != 0)
		return false;
	__atomic_add_fetch(&control->failures, 1, __ATOMIC_SEQ_CST);
	errno = (int)number;
	return true;
}

struct note {
	struct disk_undo head;
	const char *path, *path2; /* the second of a rename */
	const void *old, *new;
};

static void note(struct note *n) {
	if (undo_fd < 0 || is_index(n->path))
		return;
	size_t first = strlen(n->path) + 1, second = n->path2 != NULL ? strlen(n->path2) + 1 : 0;
	n->head.path_bytes = (uint32_t)(first + second);
	size_t size = sizeof(n->head) + first + second + n->head.old_bytes + n->head.new_bytes;
	char *bytes = malloc(size), *at = bytes;
	if (bytes == NULL)
		abort();
	memcpy(at, &n->head, sizeof(n->head));
	at += sizeof(n->head);
	memcpy(at, n->path, first);
	at += first;
	if (second > 0)
		memcpy(at, n->path2, second);
	at += second;
	if (n->head.old_bytes > 0)
		memcpy(at, n->old, n->head.old_bytes);
	at += n->head.old_bytes;
	if (n->head.new_bytes > 0)
		memcpy(at, n->new, n->head.new_bytes);
	real_write_all(undo_fd, bytes, size);
	free(bytes);
}

/* Note that ${n} bytes of ${fd} from ${offset} on are replaced by ${bytes}, or cut if those are NULL. */
static void note_bytes(int fd, const char *path, const void *bytes, size_t n, uint64_t offset) {
	struct stat st;
	if (undo_fd < 0 || is_index(path) || fstat(fd, &st) != 0)
		return;
	uint64_t size = (uint64_t)st.st_size;
	uint64_t old = offset >= size ? 0 : size - offset;
	if (bytes != NULL && old > n)
		old = n;
	char *before = malloc(old + 1), name[64];
	if (before == NULL)
		abort();
	/* The descriptor may be for writing only. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	int reader = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
	for (uint64_t got = 0; got < old;) {
		ssize_t more = pread64(reader, before + got, old - got, (off64_t)(offset + got));
		if (more <= 0)
			abort();
		got += (uint64_t)more;
	}
	close(reader);
	struct note entry = {
	    .head = {.kind = bytes != NULL ? UNDO_WRITE : UNDO_TRUNCATE,
		.inode = (uint64_t)st.st_ino,
		.offset = offset,
		.old_size = size,
		.old_bytes = old,
		.new_bytes = bytes != NULL ? n : 0},
	    .path = path,
	    .old = before,
	    .new = bytes,
	};
	note(&entry);
	free(before);
}

/* A further name for a file that goes, so that it can come back. */
static uint64_t keep(const char *path) {
	static uint64_t number;
	struct stat st;
	if (undo_fd < 0 || lstat(path, &st) != 0)
		return 0;
	uint64_t at = ((uint64_t)getpid() << 32) + __atomic_add_fetch(&number, 1, __ATOMIC_SEQ_CST);
	char to[PATH_MAX + 32];
	snprintf(to, sizeof(to), "%s/%llu", trash, (unsigned long long)at);
	return link(path, to) == 0 ? at : 0;
}

/* How many of ${n} bytes at ${offset} a full disk takes. */
static size_t room(int fd, size_t n, uint64_t offset) {
	struct stat st;
	if (!control->full || fstat(fd, &st) != 0 || offset + n <= (uint64_t)st.st_size)
		return n;
	__atomic_add_fetch(&control->failures, 1, __ATOMIC_SEQ_CST);
	return offset >= (uint64_t)st.st_size ? 0 : (size_t)((uint64_t)st.st_size - offset);
}

static ssize_t do_write(int fd, const void *bytes, size_t n, int64_t at) {
	return at < 0 ? syscall(SYS_write, fd, bytes, n) : syscall(SYS_pwrite64, fd, bytes, n, at);
}

/* ${at} is -1 for the place where the descriptor stands. */
static ssize_t bad_write(int fd, const void *bytes, size_t n, int64_t at) {
	char path[PATH_MAX];
	if (!path_of(fd, path))
		return do_write(fd, bytes, n, at);
	enum fate fate = count();
	wait_us(control->write_delay_us + (uint64_t)control->write_delay_us_per_kib * (n / 1024));
	if (fails(control->write_errno))
		return -1;
	struct stat st;
	off64_t place = at;
	if (at < 0) {
		bool append = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
		place = append && fstat(fd, &st) == 0 ? st.st_size : lseek64(fd, 0, SEEK_CUR);
	}
	if (fate == DIE_HALF)
		n = n / 2;
	size_t fits = room(fd, n, (uint64_t)place);
	if (fits == 0 && n > 0) {
		errno = ENOSPC;
		return -1;
	}
	pthread_mutex_lock(&undo_lock);
	note_bytes(fd, path, bytes, fits, (uint64_t)place);
	ssize_t wrote = do_write(fd, bytes, fits, at);
	pthread_mutex_unlock(&undo_lock);
	if (fate != GO_ON)
		die();
	return wrote;
}

ssize_t write(int fd, const void *bytes, size_t n) {
	return bad_write(fd, bytes, n, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
	return bad_write(fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
	return bad_write(fd, bytes, n, at);
}

static int bad_sync(int fd, long number) {
	char path[PATH_MAX];
	if (!path_of(fd, path))
		return (int)syscall(number, fd);
	enum fate fate = count();
	__atomic_add_fetch(&control->syncs, 1, __ATOMIC_SEQ_CST);
	wait_us(control->sync_delay_us);
	if (fails(control->sync_errno))
		return -1;
	/* Half a sync is none. */
	if (fate == DIE_HALF)
		die();
	pthread_mutex_lock(&undo_lock);
	struct stat st;
	/* What is noted is enough for a power failure of this model; a real sync would only cost time. */
	int rc = undo_fd < 0 ? (int)syscall(number, fd) : 0;
	if (rc == 0 && fstat(fd, &st) == 0) {
		struct note entry = {
		    .head = {.kind = S_ISDIR(st.st_mode) ? UNDO_SYNC_FOLDER : UNDO_SYNC, .inode = (uint64_t)st.st_ino},
		    .path = path};
		note(&entry);
	}
	pthread_mutex_unlock(&undo_lock);
	if (fate != GO_ON)
		die();
	return rc;
}

int fsync(int fd) {
	return bad_sync(fd, SYS_fsync);
}

int fdatasync(int fd) {
	return bad_sync(fd, SYS_fdatasync);
}

static int bad_truncate(int fd, int64_t size) {
	char path[PATH_MAX];
	struct stat st;
	if (!path_of(fd, path) || fstat(fd, &st) != 0)
		return (int)syscall(SYS_ftruncate, fd, size);
	enum fate fate = count();
	if (control->full && size > st.st_size) {
		__atomic_add_fetch(&control->failures, 1, __ATOMIC_SEQ_CST);
		errno = ENOSPC;
		return -1;
	}
	if (fate == DIE_HALF)
		die();
	pthread_mutex_lock(&undo_lock);
	note_bytes(fd, path, NULL, 0, (uint64_t)size);
	int rc = (int)syscall(SYS_ftruncate, fd, size);
	pthread_mutex_unlock(&undo_lock);
	if (fate != GO_ON)
		die();
	return rc;
}

int ftruncate(int fd, off_t size) {
	return bad_truncate(fd, size);
}

int ftruncate64(int fd, off64_t size) {
	return bad_truncate(fd, size);
}

static int bad_rename(int from_folder, const char *from, int to_folder, const char *to) {
	char path[PATH_MAX], path2[PATH_MAX];
	if (!path_at(from_folder, from, path) || !path_at(to_folder, to, path2))
		return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
	enum fate fate = count();
	if (fate == DIE_HALF)
		die();
	pthread_mutex_lock(&undo_lock);
	struct note entry = {.head = {.kind = UNDO_RENAME, .trash = keep(path2)}, .path = path, .path2 = path2};
	note(&entry);
	int rc = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
	pthread_mutex_unlock(&undo_lock);
	if (fate != GO_ON)
		die();
	return rc;
}

int rename(const char *from, const char *to) {
	return bad_rename(AT_FDCWD, from, AT_FDCWD, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
	return bad_rename(from_folder, from, to_folder, to);
}

static int bad_unlink(int folder, const char *name, int flags) {
	char path[PATH_MAX];
	if (!path_at(folder, name, path) || (flags & AT_REMOVEDIR) != 0)
		return (int)syscall(SYS_unlinkat, folder, name, flags);
	enum fate fate = count();
	if (fate == DIE_HALF)
		die();
	pthread_mutex_lock(&undo_lock);
	uint64_t kept = keep(path);
	if (kept != 0) {
		struct note entry = {.head = {.kind = UNDO_UNLINK, .trash = kept}, .path = path};
		note(&entry);
	}
	int rc = (int)syscall(SYS_unlinkat, folder, name, flags);
	pthread_mutex_unlock(&undo_lock);
	if (fate != GO_ON)
		die();
	return rc;
}

int unlink(const char *name) {
	return bad_unlink(AT_FDCWD, name, 0);
}

int unlinkat(int folder, const char *name, int flags) {
	return bad_unlink(folder, name, flags);
}

static int bad_open(int folder, const char *name, int flags, mode_t mode) {
	char path[PATH_MAX];
	struct stat st;
	bool creates = (flags & O_CREAT) != 0 && path_at(folder, name, path) && lstat(path, &st) != 0;
	bool cuts = !creates && (flags & O_TRUNC) != 0 && path_at(folder, name, path) && lstat(path, &st) == 0;
	if (!creates && !cuts)
		return (int)syscall(SYS_openat, folder, name, flags, mode);
	enum fate fate = count();
	if (fate == DIE_HALF)
		die();
	pthread_mutex_lock(&undo_lock);
	int fd = (int)syscall(SYS_openat, folder, name, flags & ~O_TRUNC, mode);
	if (fd >= 0 && cuts) {
		note_bytes(fd, path, NULL, 0, 0);
		(void)syscall(SYS_ftruncate, fd, 0);
	}
	if (fd >= 0 && creates && fstat(fd, &st) == 0) {
		struct note entry = {.head = {.kind = UNDO_CREATE, .inode = (uint64_t)st.st_ino}, .path = path};
		note(&entry);
	}
	pthread_mutex_unlock(&undo_lock);
	if (fate != GO_ON)
		die();
	return fd;
}

#define MODE_OF(flags, mode)                                                                                           \
	mode_t mode = 0;                                                                                               \
	if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                                  \
		va_list args;                                                                                          \
		va_start(args, flags);                                                                                 \
		mode = (mode_t)va_arg(args, int);                                                                      \
		va_end(args);                                                                                          \
	}

int open(const char *name, int flags, ...) {
	MODE_OF(flags, mode)
	return bad_open(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) {
	MODE_OF(flags, mode)
	return bad_open(AT_FDCWD, name, flags, mode);
}

int openat(int folder, const char *name, int flags, ...) {
	MODE_OF(flags, mode)
	return bad_open(folder, name, flags, mode);
}

int openat64(int folder, const char *name, int flags, ...) {
	MODE_OF(flags, mode)
	return bad_open(folder, name, flags, mode);
}
