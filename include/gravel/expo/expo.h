/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_EXPO_EXPO_H
#define GRAVEL_EXPO_EXPO_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/buf.h"
#include "gravel/base/error.h"
#include "gravel/base/limits.h"

/*
 * Expositions: text in, events out, and back. Pure: no I/O, no store, no heap. The rules are those of Prometheus' own parser
 * (model/textparse) for the text format 0.0.4; where expfmt is stricter or laxer the function that decides says so.
 *
 * Laxer than Prometheus: CRLF, blanks at the end of a line and around a type, the type words of OpenMetrics, "# UNIT name unit", a sign
 * before a timestamp (as expfmt), an OpenMetrics exemplar behind the value or timestamp (checked and dropped).
 * Stricter: a line break in a label value and the label __name__ are refused (as expfmt does), NUL ends nothing, and after a metric name must
 * come a blank or '{': "cpu.0 5" is not metric cpu of value .0 at time 5, and "# HELP a.b text" is a mere comment.
 * Not yet: names in quotes.
 */

enum gs_expo_type {
	GS_TYPE_UNTYPED, /* also "unknown" */
	GS_TYPE_COUNTER,
	GS_TYPE_GAUGE,
	GS_TYPE_HISTOGRAM,
	GS_TYPE_SUMMARY,
	GS_TYPE_INFO,
	GS_TYPE_STATESET,
	GS_TYPE_GAUGEHISTOGRAM,
};

/** gs_expo_type_name(type): The word of a TYPE line ("untyped", "counter", ...); static. */
const char *gs_expo_type_name(enum gs_expo_type type);

struct gs_label {
	struct gs_str name;
	struct gs_str value; /* unescaped */
};

enum gs_expo_kind {
	GS_EXPO_END,
	GS_EXPO_TYPE, /* name, type */
	GS_EXPO_HELP, /* name, text (unescaped) */
	GS_EXPO_UNIT, /* name, text */
	GS_EXPO_SAMPLE, /* name, labels, value, timestamp */
};

/* One event. Slices stand in the caller's body or in the parser; all are valid until the next gs_expo_next. */
struct gs_expo_event {
	enum gs_expo_kind kind;
	enum gs_expo_type type;
	uint32_t line; /* of the event, from 1 */
	bool has_timestamp;
	size_t nlabels;
	struct gs_label *labels; /* in the order of the text; names are distinct */
	struct gs_str name;
	struct gs_str text;
	struct gs_str series; /* of a sample: its bytes from the name to the closing brace, as they stand in the body */
	double value;
	int64_t timestamp_ms;
};

/* The fixed state of a parse. Opaque but embeddable: about 70 KiB, so not for a stack. */
struct gs_expo_parser;

/** gs_expo_parser_new(): Allocate a parser, reusable for any number of bodies; NULL when out of memory. */
struct gs_expo_parser *gs_expo_parser_new(void);
void gs_expo_parser_free(struct gs_expo_parser *parser);

/** gs_expo_begin(parser, body): Start over on ${body}, which must live until the end of the parse. */
void gs_expo_begin(struct gs_expo_parser *parser, struct gs_str body);

/** gs_expo_next(parser, event, err):
 * Give the next event; after the last one an event of kind GS_EXPO_END, again at every further call. GS_EINVAL with ${err} (line,
 * column in bytes, reason; may be NULL) where the body breaks a rule, GS_ELIMIT where it exceeds a limit of limits.h; the parse is then
 * over and every further call gives the same answer. Label values with escapes of one sample may have GS_LIMIT_LABEL_VALUE
 * bytes together. */
GS_MUST_USE enum gs_status gs_expo_next(
    struct gs_expo_parser *parser, struct gs_expo_event *event, struct gs_error *err);

/* Writing, text 0.0.4. Values and names must be valid; label values and help text are escaped here. */

/** gs_expo_write_meta(out, name, type, help): Append "# HELP" (unless ${help} is empty) and "# TYPE" lines. The types that 0.0.4 does
 * not know are written as the nearest it does: info and stateset as gauge, gaugehistogram as histogram. */
void gs_expo_write_meta(struct gs_buf *out, struct gs_str name, enum gs_expo_type type, struct gs_str help);

/** gs_expo_write_label(out, first, name, value): Append name="value", a comma before it unless ${first}. */
void gs_expo_write_label(struct gs_buf *out, bool first, struct gs_str name, struct gs_str value);

/** gs_expo_write_sample(out, name, suffix, labels, nlabels, extra, value):
 * Append one sample line. ${suffix} ("_bucket") follows the name; ${extra} (may be NULL) is one more label at the end. */
void gs_expo_write_sample(struct gs_buf *out, struct gs_str name, struct gs_str suffix, const struct gs_label *labels,
    size_t nlabels, const struct gs_label *extra, double value);

/** gs_expo_is_metric_name(s), gs_expo_is_label_name(s): The classic character sets. */
bool gs_expo_is_metric_name(struct gs_str s);
bool gs_expo_is_label_name(struct gs_str s);

#endif
