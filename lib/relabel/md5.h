/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RELABEL_MD5_H
#define RELABEL_MD5_H

#include <stdint.h>

#include "gravel/base/status.h"
#include "gravel/base/str.h"

/* The hash of the action hashmod. One thread at a time. The only place that knows OpenSSL. */
struct gs_md5;

/** gs_md5_new(ret_md5): GS_ENOMEM, or GS_EUNSUPPORTED where OpenSSL has no MD5 at all. */
GS_MUST_USE enum gs_status gs_md5_new(struct gs_md5 **ret_md5);
void gs_md5_free(struct gs_md5 *md5);

/** gs_md5_tail(md5, text, ret): The last 8 bytes of the MD5 of ${text}, as a big-endian number. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_md5_tail(struct gs_md5 *md5, struct gs_str text, uint64_t *ret);

#endif
