/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "load.h"

/* Fixed: GS_PROBLEMS_MAX lines with room for long file names; and what GS_TREE_NODES and GS_TREE_BYTES need at most. */
#define REPORT_MAX ((size_t)16 * 1024 * 1024)
#define ARENA_MAX ((size_t)2 * 1024 * 1024 * 1024)
#define READ_STEP ((size_t)64 * 1024)

/* What gs_config_free gets is the first member. */
struct holder {
	struct gs_config config;
	struct gs_arena *arena; /* all that the config points to */
};

void gs_config_free(struct gs_config *config) {
	struct holder *holder = (struct holder *)config;
	if (holder != NULL)
		gs_arena_free(holder->arena);
	gs_free(holder);
}

void gs_config_report_free(struct gs_config_report *report) {
	gs_buf_free(&report->text);
}

static const char *copy(struct gs_arena *arena, const char *text) {
	size_t n = strlen(text) + 1;
	char *p = gs_arena_alloc(arena, n);
	if (p != NULL)
		memcpy(p, text, n);
	return p;
}

static struct gs_config *new_config(const char *file) {
	struct holder *holder = gs_alloc(sizeof(*holder));
	if (holder == NULL)
		return NULL;
	gs_keys_defaults(&gs_keys_top, &holder->config);
	holder->arena = gs_arena_new(ARENA_MAX);
	if (holder->arena != NULL && (file == NULL || (holder->config.file = copy(holder->arena, file)) != NULL))
		return &holder->config;
	gs_config_free(&holder->config);
	return NULL;
}

enum gs_status gs_config_set_listen(struct gs_config *config, const char *address, struct gs_error *err) {
	const char *wrong = gs_check_text(gs_str_of(address));
	if (wrong == NULL)
		wrong = gs_check_listen(gs_str_of(address));
	if (wrong != NULL)
		return gs_error_set(err, GS_EINVAL, 0, 0, "the address \"%s\" %s", address, wrong);
	const char *text = copy(((struct holder *)config)->arena, address);
	if (text == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	config->receiver.listen = text;
	return GS_OK;
}

/* The host's name, in what a label and a subject take. */
static enum gs_status set_identity(struct gs_config *config) {
	const struct gs_config_key *key = gs_keys_find(&gs_keys_top, GS_STR("identity"));
	char name[256] = "";
	if (config->identity != NULL)
		return GS_OK;
	if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0' || strlen(name) > (size_t)key->max ||
	    gs_check_text(gs_str_of(name)) != NULL)
		memcpy(name, "localhost", sizeof("localhost"));
	config->identity = copy(((struct holder *)config)->arena, name);
	return config->identity != NULL ? GS_OK : GS_ENOMEM;
}

static enum gs_status parse(
    struct gs_str text, struct gs_str folder, struct gs_problems *problems, struct gs_config *config) {
	struct gs_node *root = NULL;
	struct gs_arena *arena = gs_arena_new(ARENA_MAX);
	if (arena == NULL)
		return GS_ENOMEM;
	enum gs_status status = gs_tree_parse(text, arena, problems, &root);
	if (status == GS_OK)
		status = gs_load_tree(root, folder, problems, ((struct holder *)config)->arena, config);
	if (status == GS_OK)
		status = set_identity(config);
	gs_arena_free(arena);
	return status;
}

/* Write the report and decide what it comes to. */
static enum gs_status conclude(
    enum gs_status status, struct gs_problems *problems, const char *file, struct gs_config_report *report) {
	if (status == GS_OK && problems->errors != 0)
		status = GS_EINVAL;
	if (problems->no_memory)
		status = GS_ENOMEM;
	if (status == GS_ENOMEM)
		gs_problems_error(problems, 0, 0, "out of memory");
	gs_problems_write(problems, file, report);
	return report->text.status == GS_OK ? status : GS_ENOMEM;
}

/* gs_config_parse with the folder where relative paths begin. */
static enum gs_status parse_in(struct gs_str text, const char *file, struct gs_str folder,
    struct gs_config_report *report, struct gs_config **ret_config) {
	struct gs_problems problems;
	*report = (struct gs_config_report){0};
	gs_buf_init(&report->text, REPORT_MAX);
	gs_problems_init(&problems);
	struct gs_config *config = new_config(file);
	enum gs_status status = GS_ENOMEM;
	if (text.n > GS_LIMIT_CONFIG) {
		gs_problems_error(&problems, 0, 0, "is larger than %d bytes", GS_LIMIT_CONFIG);
		status = GS_ELIMIT;
	} else if (config != NULL) {
		status = parse(text, folder, &problems, config);
	}
	status = conclude(status, &problems, file != NULL ? file : "config", report);
	gs_problems_free(&problems);
	if (status == GS_OK)
		*ret_config = config;
	else
		gs_config_free(config);
	return status;
}

/* The folder in the name of a file; empty if there is none. */
static struct gs_str folder_of(const char *file) {
	const char *slash = file != NULL ? strrchr(file, '/') : NULL;
	if (slash == NULL)
		return (struct gs_str){0};
	return gs_str_make(file, slash != file ? (size_t)(slash - file) : 1);
}

enum gs_status gs_config_parse(
    struct gs_str text, const char *file, struct gs_config_report *report, struct gs_config **ret_config) {
	return parse_in(text, file, folder_of(file), report, ret_config);
}

static enum gs_status read_all(int fd, struct gs_buf *buf) {
	while (true) {
		char *at = gs_buf_reserve(buf, READ_STEP);
		if (at == NULL)
			return buf->status;
		ssize_t n = read(fd, at, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return GS_EIO;
		if (n == 0)
			return GS_OK;
		buf->n += (size_t)n;
	}
}

/* The whole file, which may be a pipe. */
static enum gs_status read_file(const char *file, struct gs_buf *buf) {
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return GS_EIO;
	enum gs_status status = read_all(fd, buf);
	int saved = errno;
	close(fd);
	errno = saved;
	return status;
}

static enum gs_status cannot_read(enum gs_status status, const char *file, struct gs_config_report *report) {
	struct gs_problems problems;
	char reason[128];
	gs_problems_init(&problems);
	if (status == GS_EIO)
		gs_problems_error(&problems, 0, 0, "cannot be read: %s", strerror_r(errno, reason, sizeof(reason)));
	else if (status == GS_ELIMIT)
		gs_problems_error(&problems, 0, 0, "is larger than %d bytes", GS_LIMIT_CONFIG);
	status = conclude(status, &problems, file, report);
	gs_problems_free(&problems);
	return status;
}

/* The same as an absolute one, so that what is dumped means the same everywhere; in ${out} unless it is one already. */
static struct gs_str absolute_folder(const char *file, char out[PATH_MAX]) {
	struct gs_str folder = folder_of(file);
	if (file[0] == '/' || getcwd(out, PATH_MAX) == NULL)
		return folder;
	size_t n = strlen(out);
	if (folder.n != 0 && n + folder.n + 2 <= PATH_MAX)
		n += (size_t)snprintf(out + n, PATH_MAX - n, "/%.*s", GS_FMT(folder));
	return gs_str_make(out, n);
}

enum gs_status gs_config_load(const char *file, struct gs_config_report *report, struct gs_config **ret_config) {
	struct gs_buf text;
	enum gs_status status;
	char folder[PATH_MAX];
	if (file == NULL)
		return gs_config_parse((struct gs_str){0}, NULL, report, ret_config);
	*report = (struct gs_config_report){0};
	gs_buf_init(&report->text, REPORT_MAX);
	gs_buf_init(&text, GS_LIMIT_CONFIG + READ_STEP);
	status = read_file(file, &text);
	if (status == GS_OK)
		status = parse_in(gs_buf_slice(&text), file, absolute_folder(file, folder), report, ret_config);
	else
		status = cannot_read(status, file, report);
	gs_buf_free(&text);
	return status;
}
