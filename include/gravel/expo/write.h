/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_EXPO_WRITE_H
#define GRAVEL_EXPO_WRITE_H

#include "gravel/expo/format.h"

/*
 * Writing of expositions: a family's head, its samples, and so on; at last the end.
 *
 * The writer is given what text 0.0.4 says, in every dialect: a counter foo_total, an info foo_info, parts named foo_bucket. OpenMetrics gets
 * from that what its own names are. All of it must be UTF-8, names not empty, label names distinct; what the format wants escaped
 * is escaped here.
 *
 * Every line parses again in its format. What takes more than one line to tell is the caller's: that no two families become one (by
 * UNDERSCORES and DOTS, or in OpenMetrics foo_total and foo), that no series stands twice, and in OpenMetrics that the values of a family are as its
 * type demands (a counter not negative, a histogram with le="+Inf"): gs_expo_check_family finds out. A name that is long and escaped may become longer than
 * GS_LIMIT_NAME, and then only readers without such a limit read it.
 *
 * Where names are escaped by VALUES, classic names that begin with "U__" are escaped as well: so no two names become one, and reading them back
 * gives all of them as they were.
 */

struct gs_expo_family {
	struct gs_str name;
	struct gs_str help; /* no HELP line if empty; CR at its end are dropped: no reader would see them */
	struct gs_str unit; /* OpenMetrics: a UNIT line, if the name and type may have that unit */
	enum gs_expo_type type;
	bool no_type; /* no TYPE line */
};

struct gs_expo_sample {
	struct gs_str
	    suffix; /* "_bucket", "_sum", ...; "_created" is written in OpenMetrics only, where the type has it */
	struct gs_str ready
	    [2]; /* labels that stand before all others, as they stand in the text: name="value",...; not checked, nor escaped */
	const struct gs_label *labels;
	size_t nlabels;
	const struct gs_label *bound; /* NULL, or one more label, at the end */
	bool
	    bound_stands; /* OpenMetrics: a le or quantile is a number of the format and stands as it is, where else it becomes a canonical one */
	double value;
	bool has_timestamp;
	int64_t timestamp_ms;
	const struct gs_exemplar *
	    exemplar; /* NULL, or written in OpenMetrics only, where the type, the bucket and its own length allow it */
};

/*
 * A value: copied and dropped freely. ${out} must outlive it.
 * Invariants: nhead <= nname; name holds what stands in the text, escaped, without quotes; strict if and only if OpenMetrics.
 */
struct gs_expo_writer {
	struct gs_buf *out;
	struct gs_expo_dialect dialect;
	enum gs_expo_type type; /* of the family, as it was written */
	bool strict;
	bool quoted; /* the name stands in quotes, inside the braces */
	bool odd; /* the last sample had a label that was not written as it is */
	size_t start; /* of the family in out */
	size_t nhead; /* OpenMetrics: bytes of name that TYPE names */
	size_t nname;
	char name[GS_EXPO_ESCAPED_MAX(GS_LIMIT_NAME)];
};

/** gs_expo_writer_init(writer, out, dialect): Write to the end of ${out}, whose error tells at last whether there was room and memory. */
void gs_expo_writer_init(struct gs_expo_writer *writer, struct gs_buf *out, struct gs_expo_dialect dialect);

/** gs_expo_write_family(writer, family):
 * Append the head (TYPE, HELP, UNIT); the samples that follow are of this family. Types that text does not know are written as the nearest it does: info
 * and stateset as gauge, gaugehistogram as histogram. In OpenMetrics a counter not named _total and an info not named _info are
 * unknown. The error of the buffer is GS_ELIMIT when the name is longer than GS_LIMIT_NAME. */
void gs_expo_write_family(struct gs_expo_writer *writer, const struct gs_expo_family *family);

/** gs_expo_write_sample(writer, sample): Append one sample line. */
void gs_expo_write_sample(struct gs_expo_writer *writer, const struct gs_expo_sample *sample);

/** gs_expo_write_prefix(writer, sample): Append what a sample line has before its value: name{labels}. */
void gs_expo_write_prefix(struct gs_expo_writer *writer, const struct gs_expo_sample *sample);

/** gs_expo_write_series(writer, prefix, sample):
 * Append one sample line that begins with ${prefix}, which gs_expo_write_prefix wrote in the same dialect; of ${sample} only value and timestamp count. */
void gs_expo_write_series(struct gs_expo_writer *writer, struct gs_str prefix, const struct gs_expo_sample *sample);

/** gs_expo_check_family(writer, parser, seen):
 * OpenMetrics: read the family that was written last, all of which must still be in the buffer. If it breaks a rule of the
 * specification, take it back and return false: as GS_TYPE_UNTYPED, each metric name a family, it can be written again. Text: true. ${seen} may
 * be NULL: series that stand twice are then not looked for. */
GS_MUST_USE bool gs_expo_check_family(
    struct gs_expo_writer *writer, struct gs_expo_parser *parser, struct gs_expo_seen *seen);

/** gs_expo_write_end(writer): Append what stands at the end of an exposition: "# EOF" in OpenMetrics, else nothing. */
void gs_expo_write_end(struct gs_expo_writer *writer);

/** gs_expo_write_label(out, first, name, value): Append name="value", a comma before it unless ${first}. ${name} must be a classic name. */
void gs_expo_write_label(struct gs_buf *out, bool first, struct gs_str name, struct gs_str value);

#endif
