/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gravel/base/clock.h"
#include "gravel/base/map.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "private.h"

/*
 * file_sd. What a refresh finds is told by names and stat alone: a file is read again only if it is another one than before. Changes are seen by inotify
 * on the folders, not on the files: so a file that is renamed over another one, or a folder's symlink "..data" that is swapped below the files, is
 * seen, at whose name ever it happens. What inotify cannot see (a link to a file in another folder, a network file system) the refresh interval finds.
 */

/* Fixed: a refresh waits until nothing has happened for so long, */
#define QUIET_MS 100
/* but not longer than this. */
#define QUIET_MAX_MS 1000
/* Fixed: how often a folder that is not there is looked for. */
#define MISSING_MS 5000
/* Fixed: a file that changed so shortly before it was read may have changed again in the same tick of the file system's clock. */
#define RACY_NS INT64_C(1000000000)

#define EVENTS                                                                                                         \
	(IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |        \
	    IN_ATTRIB)

/* What tells one content of a path from another. */
struct identity {
	dev_t device;
	ino_t inode;
	off_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
};

struct file {
	struct gs_sd_doc *doc; /* the last good content; NULL: none yet */
	struct identity identity; /* of what was read last */
	bool trusted; /* the identity tells for sure that it is still the same */
	bool seen; /* by the refresh under way */
	struct gs_sd_reason error; /* why it could not be read */
	char path[]; /* as __meta_filepath has it */
};

struct pattern {
	char *folder; /* with its '/' at the end; empty: where we are */
	const char *name; /* what is matched; stands in the pattern's text */
	bool glob; /* more than a plain name */
	int wd; /* of inotify; -1: not watched */
};

struct state {
	struct pattern *patterns;
	size_t npatterns;
	struct gs_map *files; /* by path */
	int64_t first_event_ms; /* of those that wait for quiet; GS_SD_NEVER: none */
	bool incomplete; /* the refresh under way could not see all folders */
	struct gs_sd_reason error; /* the first of the refresh under way */
	size_t errors;
};

/* Files. */

static void note(struct state *s, const char *text) {
	if (s->errors++ == 0)
		gs_sd_because(&s->error, "%s", text);
}

static void note_path(struct state *s, const char *path, int error) {
	struct gs_sd_reason reason;
	char why[128];
	gs_sd_because(&reason, "%s: %s", path, strerror_r(error, why, sizeof(why)));
	note(s, reason.text);
}

static int64_t ns_of(struct timespec t) {
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct identity identity_of(const struct stat *st) {
	return (struct identity){.device = st->st_dev,
	    .inode = st->st_ino,
	    .size = st->st_size,
	    .mtime_ns = ns_of(st->st_mtim),
	    .ctime_ns = ns_of(st->st_ctim)};
}

static bool is_same(const struct identity *a, const struct identity *b) {
	return a->device == b->device && a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

static bool has_ending(struct gs_str path, const char *ending) {
	size_t n = strlen(ending);
	return path.n > n && strncasecmp(path.p + path.n - n, ending, n) == 0;
}

static void parse(struct file *file, struct gs_str text) {
	struct gs_str path = gs_str_of(file->path);
	struct gs_sd_parse how = {.meta = {{.name = GS_STR("__meta_filepath"), .value = path}}, .nmeta = 1};
	struct gs_sd_doc *doc = NULL;
	struct gs_error err;
	enum gs_status status;
	if (has_ending(path, ".json"))
		status = gs_sd_parse_json(text, &how, &doc, &err);
	else if (has_ending(path, ".yml") || has_ending(path, ".yaml"))
		status = gs_sd_parse_yaml(text, &how, &doc, &err);
	else
		status = gs_error_set(&err, GS_EINVAL, 0, 0, "the name must end in .json, .yml or .yaml");
	file->error.text[0] = '\0';
	if (status == GS_OK) {
		gs_sd_doc_free(file->doc);
		file->doc = doc;
	} else if (err.line != 0) {
		gs_sd_because(&file->error, "%s:%lu:%lu: %s", file->path, (unsigned long)err.line,
		    (unsigned long)err.column, err.text);
	} else {
		gs_sd_because(&file->error, "%s: %s", file->path, err.text);
	}
	/* Memory may be there the next time. */
	file->trusted &= status != GS_ENOMEM;
}

/* All that ${fd} has; an error number, or 0. */
static int read_all(int fd, struct gs_buf *out) {
	for (;;) {
		char *p = gs_buf_reserve(out, 64 * 1024);
		if (p == NULL)
			return out->status == GS_ELIMIT ? EFBIG : ENOMEM;
		ssize_t n = read(fd, p, 64 * 1024);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno;
		out->n += n > 0 ? (size_t)n : 0;
	}
}

static int read_open(struct file *file, int fd) {
	struct stat st;
	struct gs_buf text;
	if (fstat(fd, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	/* Room for the last read, which finds nothing. */
	gs_buf_init(&text, GS_LIMIT_SD_DOCUMENT + 64 * 1024);
	int error = st.st_size > GS_LIMIT_SD_DOCUMENT ? EFBIG : read_all(fd, &text);
	file->identity = identity_of(&st);
	file->trusted = error == 0 && gs_clock_wall_ms() * 1000000 - file->identity.ctime_ns > RACY_NS;
	if (error == 0)
		parse(file, gs_buf_slice(&text));
	gs_buf_free(&text);
	return error;
}

/* Read it; ENOENT is no error: it has just left. */
static int read_file(struct file *file) {
	/* Not to hang in what is no file: a pipe, a device. */
	int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int error = read_open(file, fd);
	close(fd);
	return error;
}

static struct file *find_or_add(struct state *s, struct gs_str folder, const char *name, enum gs_status *ret_status) {
	size_t n = folder.n + strlen(name);
	struct file *file = gs_alloc(sizeof(*file) + n + 1);
	*ret_status = GS_ENOMEM;
	if (file == NULL)
		return NULL;
	memcpy(file->path, folder.p, folder.n);
	memcpy(file->path + folder.n, name, n - folder.n);
	struct file *old = gs_map_get(s->files, gs_str_make(file->path, n));
	if (old != NULL) {
		gs_free(file);
		*ret_status = GS_OK;
		return old;
	}
	*ret_status = gs_map_put(s->files, gs_str_make(file->path, n), file);
	if (*ret_status == GS_OK)
		return file;
	gs_free(file);
	return NULL;
}

static void look_at(struct state *s, struct gs_str folder, const char *name) {
	enum gs_status status;
	struct stat st;
	struct file *file = find_or_add(s, folder, name, &status);
	if (file == NULL) {
		s->incomplete = true;
		note(s, status == GS_ELIMIT ? "too many files" : "out of memory");
		return;
	}
	if (file->seen)
		return;
	int error = stat(file->path, &st) == 0 ? 0 : errno;
	struct identity identity = error == 0 ? identity_of(&st) : (struct identity){0};
	if (error == 0 && !(file->trusted && is_same(&identity, &file->identity)))
		error = read_file(file);
	file->seen = error != ENOENT && error != ENOTDIR;
	if (!file->seen)
		return;
	if (error != 0)
		note_path(s, file->path, error);
	else if (file->error.text[0] != '\0')
		note(s, file->error.text);
}

/* Folders. */

static void scan(struct state *s, const struct pattern *p) {
	struct gs_str folder = gs_str_of(p->folder);
	if (!p->glob) {
		look_at(s, folder, p->name);
		return;
	}
	const char *path = folder.n != 0 ? p->folder : ".";
	DIR *dir = opendir(path);
	if (dir == NULL && errno != ENOENT && errno != ENOTDIR) {
		s->incomplete = true;
		note_path(s, path, errno);
	}
	if (dir == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (fnmatch(p->name, entry->d_name, 0) == 0)
			look_at(s, folder, entry->d_name);
	}
	closedir(dir);
}

static void forget_unseen(struct state *s) {
	struct gs_str path;
	size_t cursor = 0;
	struct file *file;
	while ((file = gs_map_next(s->files, &cursor, &path)) != NULL) {
		if (file->seen)
			continue;
		gs_map_remove(s->files, path);
		gs_sd_doc_free(file->doc);
		gs_free(file);
	}
}

/* Before the folders are read, so that nothing is missed in between. */
static void watch(struct gs_sd_source *source) {
	struct state *s = source->state;
	int fd = source->discovery->inotify.fd;
	for (size_t i = 0; i < s->npatterns && fd >= 0; i++) {
		struct pattern *p = &s->patterns[i];
		p->wd = inotify_add_watch(fd, p->folder[0] != '\0' ? p->folder : ".", EVENTS | IN_ONLYDIR);
		int64_t again = gs_clock_mono_ms() + MISSING_MS;
		if (p->wd < 0 && source->due_ms > again)
			source->due_ms = again;
	}
}

static bool publish(struct gs_sd_source *source) {
	struct state *s = source->state;
	size_t n = 0, cursor = 0;
	struct gs_sd_doc **docs = gs_alloc_array(gs_map_count(s->files) + 1, sizeof(struct gs_sd_doc *));
	if (docs == NULL) {
		gs_sd_failed(source, "out of memory");
		return false;
	}
	for (struct file *file; (file = gs_map_next(s->files, &cursor, NULL)) != NULL;)
		docs[n++] = file->doc;
	bool ok = gs_sd_publish(source, docs, n);
	gs_free(docs);
	return ok;
}

static void refresh(struct gs_sd_source *source) {
	struct state *s = source->state;
	size_t cursor = 0, good = 0;
	s->first_event_ms = GS_SD_NEVER;
	s->incomplete = false;
	s->errors = 0;
	watch(source);
	for (struct file *file; (file = gs_map_next(s->files, &cursor, NULL)) != NULL;)
		file->seen = false;
	for (size_t i = 0; i < s->npatterns; i++)
		scan(s, &s->patterns[i]);
	if (!s->incomplete)
		forget_unseen(s);
	cursor = 0;
	for (struct file *file; (file = gs_map_next(s->files, &cursor, NULL)) != NULL;)
		good += file->doc != NULL;
	/* Where nothing at all could be read yet, there is no list, not even an empty one. */
	if ((s->errors == 0 || good != 0 || source->reported) && !publish(source))
		return;
	if (s->errors > 1)
		gs_sd_failed(source, "%s (and %zu more)", s->error.text, s->errors - 1);
	else if (s->errors == 1)
		gs_sd_failed(source, "%s", s->error.text);
	else
		gs_sd_good(source);
}

/* Changes. */

static void hurry(struct gs_sd_source *source) {
	struct state *s = source->state;
	int64_t now = gs_clock_mono_ms();
	if (s->first_event_ms == GS_SD_NEVER)
		s->first_event_ms = now;
	int64_t due = now + QUIET_MS, latest = s->first_event_ms + QUIET_MAX_MS;
	due = due < latest ? due : latest;
	if (s->first_event_ms == now ? due < source->due_ms : true)
		source->due_ms = due;
}

/* A file that was just made has nothing in it yet: its end of writing is told as well. Links are complete at once. */
static bool only_begun(const struct pattern *p, const struct inotify_event *event) {
	char path[4096];
	struct stat st;
	if ((event->mask & (IN_CREATE | IN_MOVED_TO | IN_ISDIR)) != IN_CREATE || event->len == 0)
		return false;
	int n = snprintf(path, sizeof(path), "%s%s", p->folder, event->name);
	return n > 0 && (size_t)n < sizeof(path) && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

static void on_event(struct gs_discovery *discovery, const struct inotify_event *event) {
	for (size_t i = 0; i < discovery->nsources; i++) {
		struct gs_sd_source *source = discovery->sources[i];
		if (source->ops != &gs_sd_file_ops)
			continue;
		struct state *s = source->state;
		for (size_t j = 0; j < s->npatterns; j++) {
			/* wd -1: events were lost. */
			if ((event->wd == -1 || event->wd == s->patterns[j].wd) && !only_begun(&s->patterns[j], event))
				hurry(source);
		}
	}
}

static void on_inotify(void *ctx, int fd, uint32_t events) {
	union {
		struct inotify_event event; /* for its alignment */
		char bytes[16 * 1024];
	} buf;
	(void)events;
	ssize_t n = read(fd, &buf, sizeof(buf));
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const void *)(buf.bytes + at);
		on_event(ctx, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

void gs_sd_file_watch(struct gs_discovery *discovery) {
	char why[128];
	if (discovery->inotify.fd >= 0)
		return;
	discovery->inotify =
	    (struct gs_sd_poll){.fn = on_inotify, .ctx = discovery, .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
	if (discovery->inotify.fd < 0)
		gs_log(GS_LOG_WARN,
		    "files of discovery are not watched, only read every refresh_interval reason=\"%s\"",
		    strerror_r(errno, why, sizeof(why)));
	else
		(void)gs_sd_poll_set(discovery, &discovery->inotify, EPOLLIN);
}

/* The source. */

static enum gs_status split(const char *text, struct pattern *ret) {
	const char *slash = strrchr(text, '/');
	ret->name = slash != NULL ? slash + 1 : text;
	ret->glob = strpbrk(ret->name, "*?[\\") != NULL;
	ret->wd = -1;
	ret->folder = gs_strdup(gs_str_make(text, (size_t)(ret->name - text)));
	return ret->folder != NULL ? GS_OK : GS_ENOMEM;
}

static enum gs_status open_files(struct gs_sd_source *source, struct gs_error *err) {
	const struct gs_config_sd *sd = source->sd;
	struct state *s = gs_alloc(sizeof(*s));
	source->state = s;
	if (s == NULL)
		goto no_memory;
	s->first_event_ms = GS_SD_NEVER;
	s->files = gs_map_new(GS_LIMIT_SD_FILES);
	s->patterns = gs_alloc_array(sd->nnames, sizeof(*s->patterns));
	if (s->files == NULL || s->patterns == NULL)
		goto no_memory;
	for (; s->npatterns < sd->nnames; s->npatterns++) {
		if (split(sd->names[s->npatterns], &s->patterns[s->npatterns]) != GS_OK)
			goto no_memory;
	}
	gs_sd_file_watch(source->discovery);
	return GS_OK;
no_memory:
	return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
}

static void close_files(struct gs_sd_source *source) {
	struct state *s = source->state;
	if (s == NULL)
		return;
	size_t cursor = 0;
	for (struct file *file; s->files != NULL && (file = gs_map_next(s->files, &cursor, NULL)) != NULL;)
		file->seen = false;
	if (s->files != NULL)
		forget_unseen(s);
	gs_map_free(s->files);
	for (size_t i = 0; i < s->npatterns; i++)
		gs_free(s->patterns[i].folder);
	gs_free(s->patterns);
	gs_free(s);
}

const struct gs_sd_ops gs_sd_file_ops = {.name = "file", .open = open_files, .refresh = refresh, .close = close_files};
