/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "gravel/base/mem.h"

void gs_secret_init(struct gs_secret *secret, const struct gs_config_secret *given, const char *what) {
	*secret = (struct gs_secret){.given = given, .what = what};
}

static void wipe(char *value) {
	if (value != NULL)
		explicit_bzero(value, strlen(value));
	gs_free(value);
}

void gs_secret_free(struct gs_secret *secret) {
	wipe(secret->value);
	secret->value = NULL;
}

static enum gs_status no_file(const struct gs_secret *secret, int error, struct gs_error *err) {
	char text[128];
	return gs_error_set(err, GS_EIO, 0, 0, "cannot read %s \"%s\": %s", secret->what, secret->given->file,
	    strerror_r(error, text, sizeof(text)));
}

static bool fits_header(struct gs_str value) {
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static enum gs_status set_value(
    struct gs_secret *secret, struct gs_str value, bool *ret_changed, struct gs_error *err) {
	const char *where = secret->given->file != NULL ? secret->given->file : "";
	if (!fits_header(value))
		return gs_error_set(err, GS_EINVAL, 0, 0,
		    "%s %s%s%s has a line break or another byte that no header can have", secret->what,
		    where[0] != '\0' ? "\"" : "", where, where[0] != '\0' ? "\"" : "");
	if (secret->value != NULL && gs_str_eq(value, gs_str_of(secret->value)))
		return GS_OK;
	char *copy = gs_strdup(value);
	if (copy == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	wipe(secret->value);
	secret->value = copy;
	*ret_changed = true;
	return GS_OK;
}

static bool is_same(const struct stat *a, const struct stat *b) {
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Read up to ${max} bytes; -1 with errno. */
static ssize_t read_all(int fd, char *out, size_t max) {
	size_t n = 0;
	while (n < max) {
		ssize_t got = read(fd, out + n, max - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static enum gs_status read_file(struct gs_secret *secret, int fd, bool *ret_changed, struct gs_error *err) {
	char text[GS_SECRET_MAX + 1];
	struct stat now;
	if (fstat(fd, &now) != 0)
		return no_file(secret, errno, err);
	if (!S_ISREG(now.st_mode))
		return gs_error_set(
		    err, GS_EIO, 0, 0, "cannot read %s \"%s\": not a file", secret->what, secret->given->file);
	ssize_t n = read_all(fd, text, sizeof(text));
	if (n < 0)
		return no_file(secret, errno, err);
	enum gs_status status = GS_ELIMIT;
	if ((size_t)n > GS_SECRET_MAX)
		(void)gs_error_set(err, status, 0, 0, "%s \"%s\" is longer than %zu bytes", secret->what,
		    secret->given->file, GS_SECRET_MAX);
	else
		status = set_value(secret, gs_str_trim(gs_str_make(text, (size_t)n)), ret_changed, err);
	explicit_bzero(text, sizeof(text));
	if (status == GS_OK)
		secret->seen = now;
	return status;
}

enum gs_status gs_secret_refresh(struct gs_secret *secret, bool *ret_changed, struct gs_error *err) {
	const struct gs_config_secret *given = secret->given;
	struct stat now;
	if (given->file == NULL)
		return secret->value != NULL ? GS_OK : set_value(secret, gs_str_of(given->value), ret_changed, err);
	if (stat(given->file, &now) != 0)
		return no_file(secret, errno, err);
	if (secret->value != NULL && is_same(&now, &secret->seen))
		return GS_OK;
	/* Whoever puts a pipe there must not stop us. */
	int fd = open(given->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return no_file(secret, errno, err);
	enum gs_status status = read_file(secret, fd, ret_changed, err);
	close(fd);
	return status;
}
