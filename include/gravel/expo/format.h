/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_EXPO_FORMAT_H
#define GRAVEL_EXPO_FORMAT_H

#include "gravel/expo/expo.h"

/* Formats and escaping schemes by their names in HTTP: what a Content-Type says of a body, and what an Accept asks for. */

/* How a name that is no classic one is written for a reader that does not know UTF-8 names; the words are those of the media type parameter
 * "escaping". */
enum gs_escaping {
	GS_ESCAPE_UNDERSCORES, /* every other character becomes '_'; two names may become one */
	GS_ESCAPE_DOTS, /* '_' becomes "__", '.' becomes "_dot_", every other character "__" */
	GS_ESCAPE_VALUES, /* "U__" in front, '_' becomes "__", every other character its code point as "_hex_" */
	GS_ESCAPE_NONE, /* allow-utf-8: the name as it is, in quotes */
};

/* What an answer is written in. */
struct gs_expo_dialect {
	enum gs_expo_format format; /* not GS_FORMAT_PROTOBUF, which is only read */
	enum gs_escaping escaping;
};

/** gs_expo_read_content_type(content_type, ret, err):
 * Set the format and utf8_names of ${ret} by the Content-Type of a body, all else to 0. An empty or unknown one is text, as to Prometheus 2.x.
 * GS_EUNSUPPORTED with ${err} for a protobuf that is no delimited io.prometheus.client.MetricFamily. */
GS_MUST_USE enum gs_status gs_expo_read_content_type(
    struct gs_str content_type, struct gs_expo_options *ret, struct gs_error *err);

/** gs_expo_negotiate(accept):
 * The best dialect for an Accept header, by q and then by its order; an empty or hostile one, and one that asks for nothing that can be
 * written, gives text 0.0.4. Without an escaping parameter: underscores, as the protocol has it. */
struct gs_expo_dialect gs_expo_negotiate(struct gs_str accept);

/** gs_expo_content_type(dialect): The Content-Type of what is written in ${dialect}; static. */
const char *gs_expo_content_type(struct gs_expo_dialect dialect);

#endif
