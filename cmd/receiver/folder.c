/* SPDX-License-Identifier: Apache-2.0 */
/* Where the push log stands. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/program.h"
#include "receiver.h"

#define NAME "gravel-streams"
#define RETENTION_SHARE 4 /* of it between two snapshots: some may fail */
#define SYSTEM_FOLDER "/var/lib/" NAME

bool receiver_check_log(const struct gs_config *config, struct gs_buf *report) {
	const struct gs_config_stream *stream = &config->receiver_stream;
	int64_t interval_ms = config->receiver.log.snapshot_interval;
	if (config->receiver.log.kind != GS_CONFIG_LOG_STREAM)
		return true;
	if (stream->nurls == 0) {
		gs_buf_cstr(report,
		    "gravel-receiver: receiver.log.kind: stream needs receiver_stream.urls: the log is in NATS\n");
		return false;
	}
	if (interval_ms != 0 && interval_ms <= stream->push_retention / RETENTION_SHARE)
		return true;
	gs_buf_cstr(report,
	    "gravel-receiver: receiver.log.kind: stream needs a receiver.log.snapshot_interval of at most a quarter of "
	    "receiver_stream.push_retention: what is older than that is in snapshots only\n");
	return false;
}

static const char *variable(const char *name) {
	const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): before any thread starts */
	return value != NULL && value[0] == '/' ? value : NULL;
}

/* As systemd gives it, as the distribution has it, or below the home of whoever tries a receiver without a configuration. */
static bool choose(const struct gs_config *config, char *out, size_t n) {
	const char *given = config->receiver.log.path, *state = variable("STATE_DIRECTORY");
	const char *xdg = variable("XDG_STATE_HOME"), *home = variable("HOME");
	int length = -1;
	if (given[0] != '\0')
		length = snprintf(out, n, "%s", given);
	else if (state != NULL)
		length = snprintf(out, n, "%.*s", (int)strcspn(state, ":"), state);
	else if (config->file != NULL)
		length = snprintf(out, n, "%s", SYSTEM_FOLDER);
	else if (xdg != NULL)
		length = snprintf(out, n, "%s/" NAME, xdg);
	else if (home != NULL)
		length = snprintf(out, n, "%s/.local/state/" NAME, home);
	return length > 0 && (size_t)length < n;
}

/* The folder and those above it that are missing; for nobody else to read. */
static bool make_folders(char *path) {
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool made = mkdir(path, 0700) == 0 || errno == EEXIST || errno == EROFS || errno == EACCES;
		*slash = '/';
		if (!made)
			return false;
	}
	struct stat st;
	if (mkdir(path, 0700) == 0)
		return true;
	int error = errno;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	errno = error == EEXIST ? ENOTDIR : error;
	return false;
}

enum gs_status receiver_find_folder(struct receiver *receiver, struct gs_error *err) {
	char reason[128];
	receiver->folder[0] = '\0';
	if (receiver->config->receiver.log.kind == GS_CONFIG_LOG_MEMORY)
		return GS_OK;
	if (!choose(receiver->config, receiver->folder, sizeof(receiver->folder)))
		return gs_error_set(err, GS_EIO, 0, 0,
		    "there is no folder for the push log: set receiver.log.path, or STATE_DIRECTORY or HOME in the "
		    "environment");
	if (make_folders(receiver->folder))
		return GS_OK;
	int error = errno;
	return gs_error_set(err, GS_EIO, 0, 0,
	    "cannot make the folder %s of the push log: %s; make it for this user, set receiver.log.path, or "
	    "receiver.log.kind: memory "
	    "for pushes that nobody will miss",
	    receiver->folder, strerror_r(error, reason, sizeof(reason)));
}
