/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/status.h"

const char *gs_status_name(enum gs_status status) {
	switch (status) {
	case GS_OK:
		return "ok";
	case GS_ENOMEM:
		return "memory";
	case GS_EINVAL:
		return "invalid";
	case GS_ELIMIT:
		return "limit";
	case GS_ENOTFOUND:
		return "not_found";
	case GS_ECONFLICT:
		return "conflict";
	case GS_EIO:
		return "io";
	case GS_EAGAIN:
		return "again";
	case GS_ESTALE:
		return "stale";
	case GS_ECLOSED:
		return "closed";
	case GS_EUNSUPPORTED:
		return "unsupported";
	}
	return "unknown";
}
