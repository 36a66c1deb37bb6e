/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_INGEST_PATH_H
#define GRAVEL_INGEST_PATH_H

#include "gravel/base/arena.h"
#include "gravel/expo/expo.h"
#include "gravel/gravel/mode.h"

#define GS_PATH_LABELS_MAX 32

/* The labels in the URL of a push: /metrics/job/x/instance@base64/aG9zdA. */
struct gs_path {
	struct gs_label labels[GS_PATH_LABELS_MAX];
	size_t nlabels;
	struct gs_mode mode; /* of a path label "clearmode" */
};

/** gs_path_parse(segments, n, arena, ret, err):
 * Read ${n} decoded path segments: name, value, name, value. A name may end in "@base64", its value is then base64 (URL-safe or
 * standard, padding optional, "=" for empty; as the Pushgateway has it). GS_EINVAL with a sentence for an odd count, a bad name, a value that
 * is not UTF-8 or not base64, a name that comes twice, an unknown clearmode; GS_ELIMIT beyond GS_PATH_LABELS_MAX; GS_ENOMEM. Slices stand in the
 * segments or in ${arena}. */
GS_MUST_USE enum gs_status gs_path_parse(
    const struct gs_str *segments, size_t n, struct gs_arena *arena, struct gs_path *ret, struct gs_error *err);

/** gs_path_parse_gateway(path, arena, ret, err):
 * Read the grouping key in a path of the Pushgateway's dialect, without "/metrics/" in front and with its percent escapes decoded before it is split, as
 * there: "job/NAME" or "job@base64/NAME", then labels and values. Labels are sorted by name; one that comes twice has its last value, a
 * label job behind the first is ignored, clearmode is a label like any other, base64 is URL-safe. GS_ENOTFOUND for what is no such path; GS_EINVAL for
 * an odd count, a bad name, an empty segment, a value that is not UTF-8 or not base64, an empty job; GS_ELIMIT, GS_ENOMEM. Slices stand in ${path} or in ${arena}. */
GS_MUST_USE enum gs_status gs_path_parse_gateway(
    struct gs_str path, struct gs_arena *arena, struct gs_path *ret, struct gs_error *err);

/** gs_path_parse_ttl(text, ret_ms, err): Read the value of "?ttl=": a duration as Prometheus writes it, from 1 ms to GS_LIMIT_TTL_MS. GS_EINVAL. */
GS_MUST_USE enum gs_status gs_path_parse_ttl(struct gs_str text, int64_t *ret_ms, struct gs_error *err);

#endif
