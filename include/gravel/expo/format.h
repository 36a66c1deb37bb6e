/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_EXPO_FORMAT_H
#define GRAVEL_EXPO_FORMAT_H

#include "gravel/expo/expo.h"

/* Formats and escaping schemes by their names in HTTP: what a Content-Type says of a body, and what an Accept asks for. */

/* How a name that is no classic one is written for a reader that does not know UTF-8 names; the words are those of the media type parameter
 * "escaping". */
enum gs_escaping {
	GS_ESCAPE_UNDERSCORES, /* every other character becomes '_'; two names may become one */
	GS_ESCAPE_DOTS, /* '_' becomes "__", '.' becomes "_dot_", every other character "__"; two names may become one */
	GS_ESCAPE_VALUES, /* "U__" in front, '_' becomes "__", every other character its code point as "_hex_" */
	GS_ESCAPE_NONE, /* allow-utf-8: the name as it is, in quotes */
};

/* Where a name stands: ':' is a character of classic metric names, not of label names. */
enum gs_name_kind {
	GS_NAME_METRIC,
	GS_NAME_LABEL,
};

/* Bytes that gs_expo_escape needs at most for a name of ${n} bytes. */
#define GS_EXPO_ESCAPED_MAX(n) (6 * (n) + 3)

/** gs_expo_escape(out, name, kind, scheme):
 * Write ${name} by ${scheme} into ${out} (GS_EXPO_ESCAPED_MAX(name.n) bytes, not terminated) and return the length. As EscapeName of
 * Prometheus: a byte that is no UTF-8 counts as U+FFFD, a digit in front is escaped, DOTS doubles the '_' of classic names as well,
 * UNDERSCORES and VALUES leave those alone. Unlike it ':' is escaped in labels, where it would not parse. */
size_t gs_expo_escape(char *out, struct gs_str name, enum gs_name_kind kind, enum gs_escaping scheme);

/** gs_expo_escape_always(out, name, kind): VALUES even if the name is a classic one: what gs_expo_read_escaped reads back, whatever the name was. */
size_t gs_expo_escape_always(char *out, struct gs_str name, enum gs_name_kind kind);

/** gs_expo_read_escaped(name, out, ret_n):
 * Read a name that VALUES has written: its length in ${ret_n}, its bytes in ${out} (at least name.n bytes). False if it is none. */
bool gs_expo_read_escaped(struct gs_str name, char *out, size_t *ret_n);

/* What an answer is written in. */
struct gs_expo_dialect {
	enum gs_expo_format format;
	enum gs_escaping escaping;
	bool draft; /* OpenMetrics by its first name, version=0.0.1; the text is the same */
};

/** gs_expo_read_content_type(content_type, ret, err):
 * Set the format and utf8_names of ${ret} by the Content-Type of a body, all else to 0. An empty or unknown one is text, as to Prometheus 2.x.
 * GS_EUNSUPPORTED with ${err} for a protobuf that says it is no delimited io.prometheus.client.MetricFamily. */
GS_MUST_USE enum gs_status gs_expo_read_content_type(
    struct gs_str content_type, struct gs_expo_options *ret, struct gs_error *err);

/* A set of formats: GS_FORMAT_SET(GS_FORMAT_TEXT) | ... */
#define GS_FORMAT_SET(format) (1U << (format))
#define GS_FORMATS_TEXT (GS_FORMAT_SET(GS_FORMAT_TEXT) | GS_FORMAT_SET(GS_FORMAT_TEXT_1))
#define GS_FORMATS_WRITTEN (GS_FORMATS_TEXT | GS_FORMAT_SET(GS_FORMAT_OPENMETRICS) | GS_FORMAT_SET(GS_FORMAT_PROTOBUF))

/** gs_expo_negotiate(accept, formats):
 * The best dialect of ${formats} for an Accept header: by q, then the more specific, then by its order. An empty or hostile one, and one
 * that asks for nothing of ${formats}, gives text 0.0.4, and so does a wildcard. Without an escaping parameter the one of what the reader
 * would have liked better (Prometheus 3.0 says it of OpenMetrics only), else underscores, as the protocol has it. */
struct gs_expo_dialect gs_expo_negotiate(struct gs_str accept, unsigned formats);

/** gs_expo_content_type(dialect): The Content-Type of what is written in ${dialect}; static. */
const char *gs_expo_content_type(struct gs_expo_dialect dialect);

#endif
