/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BASE_STATUS_H
#define GRAVEL_BASE_STATUS_H

/*
 * The one error convention of the project: a function that can fail returns enum gs_status, and the
 * caller must look at it. Where a human caused the failure (a config, a push), a trailing
 * struct gs_error (error.h) says what and where.
 */
enum gs_status {
	GS_OK = 0,
	GS_ENOMEM, /* memory, or a budget for it, is used up */
	GS_EINVAL, /* an argument or a document is wrong in its form */
	GS_ELIMIT, /* a limit of limits.h or of the configuration is reached */
	GS_ENOTFOUND, /* what was named does not exist */
	GS_ECONFLICT, /* it contradicts what is already there */
	GS_EIO, /* the operating system or a peer refused */
	GS_EAGAIN, /* not now; the same call may succeed later */
	GS_ESTALE, /* older than what is already known */
	GS_ECLOSED, /* the object is shutting down */
	GS_EUNSUPPORTED, /* well-formed, but a version or kind unknown to us */
};

#define GS_MUST_USE __attribute__((warn_unused_result))

/** gs_status_name(status):
 * Return a static lower-case word for ${status} ("ok", "limit", ...), fit for a metric label. */
const char *gs_status_name(enum gs_status status);

#endif
