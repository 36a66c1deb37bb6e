/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_DISCOVERY_JSON_H
#define GRAVEL_LIB_DISCOVERY_JSON_H

#include <jansson.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

/** gs_sd_json_load(text, err):
 * Read ${text} with jansson, whose memory is ours from then on: GS_LIMIT_SD_MEMORY at most for one document. NULL with ${err} (GS_EINVAL with line and
 * column, GS_ELIMIT, GS_ENOMEM in *${ret_status}). To be freed with json_decref, on any thread. */
json_t *gs_sd_json_load(struct gs_str text, enum gs_status *ret_status, struct gs_error *err);

/** gs_sd_json_str(value): The text of a string; {NULL, 0} if ${value} (may be NULL) is none. */
struct gs_str gs_sd_json_str(const json_t *value);

#endif
