/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_SCRAPE_SECRET_H
#define GRAVEL_LIB_SCRAPE_SECRET_H

#include <stdbool.h>
#include <sys/stat.h>

#include "gravel/base/error.h"
#include "gravel/config/config.h"

/*
 * A secret of the configuration as it is now: in a file it may change at any time, so the file is looked at before each use and read again when it is another one. Nothing
 * of a secret ever stands in an error. Private to the module; one thread.
 */
struct gs_secret {
	const struct gs_config_secret *given;
	const char *what; /* its key, for errors */
	char *value; /* NUL-terminated, a file's without the blanks around it; NULL: not read */
	struct stat seen; /* of the file that it was read from */
};

/* Fixed: what fits into a request with room for others. */
#define GS_SECRET_MAX ((size_t)16 * 1024)

/** gs_secret_init(secret, given, what): Both must live as long. Reads nothing. */
void gs_secret_init(struct gs_secret *secret, const struct gs_config_secret *given, const char *what);

/** gs_secret_free(secret): The value is overwritten. */
void gs_secret_free(struct gs_secret *secret);

/** gs_secret_refresh(secret, ret_changed, err):
 * See to it that ${secret} has a value (an empty one where none was configured), and set ${ret_changed} if that is another one than before. GS_EIO for a file that cannot be read, GS_EINVAL for a value that
 * no header can hold, GS_ELIMIT for one that is too long, GS_ENOMEM; ${err} names the file. */
GS_MUST_USE enum gs_status gs_secret_refresh(struct gs_secret *secret, bool *ret_changed, struct gs_error *err);

#endif
