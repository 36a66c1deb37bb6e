/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_EXPO_FAMILY_H
#define GRAVEL_LIB_EXPO_FAMILY_H

#include "gravel/expo/expo.h"

/* What the parser remembers from line to line: the family, the metric and the metric point that the last sample was of. Of fixed size, and
 * without pointers into the window. Not for other modules. */

/* What a sample's name has behind the name of its family; as bits of a set, 1U << suffix. */
enum gs_expo_suffix {
	GS_SUFFIX_NONE,
	GS_SUFFIX_TOTAL,
	GS_SUFFIX_CREATED,
	GS_SUFFIX_BUCKET,
	GS_SUFFIX_COUNT,
	GS_SUFFIX_SUM,
	GS_SUFFIX_GCOUNT,
	GS_SUFFIX_GSUM,
	GS_SUFFIX_INFO,
	GS_SUFFIXES, /* also: another */
};

/* A series that is longer is remembered by a hash, and one with escapes. */
#define GS_EXPO_KEPT_TEXT 4096

/*
 * The labels of a sample but the one that is no label of its metric (le, quantile, a state). Kept as they stand, since to copy and compare
 * them is cheaper than to hash those of every sample, or to copy where each begins.
 * Invariants:
 * 1. hashed: ${hash} stands for them; else text[0 .. text_n) is the series, without escapes, its first label begins at labels_at, and the one that
 *    is none of the metric at except_at (SIZE_MAX: there is none).
 * 2. raw_n is not 0: text[labels_at .. labels_at + raw_n) are the labels, so that what reads the same is the same.
 * 3. bound_at is not 0: the label that is none of the metric is the last one; its value begins there.
 */
struct gs_expo_kept {
	bool hashed;
	size_t n;
	size_t text_n;
	size_t labels_at;
	size_t except_at;
	size_t raw_n;
	size_t bound_at;
	uint64_t hash;
	char text[GS_EXPO_KEPT_TEXT];
};

/* A timestamp of OpenMetrics, finer than the events have it. */
struct gs_expo_stamp {
	int64_t s;
	int32_t ns; /* 0 to 999,999,999: what follows s */
};

/* The metric point of the last sample. */
struct gs_expo_point {
	bool open; /* there is one */
	bool spoilt; /* a line of it was refused: what is missing may have stood there */
	bool has_timestamp;
	bool negative_bound;
	bool negative_sum;
	uint32_t line; /* of its last sample */
	unsigned had; /* suffixes of its samples */
	struct gs_expo_stamp stamp;
	double bound; /* of its last bucket */
	double bucket; /* the value of that */
	double count;
};

/*
 * Invariants:
 * 1. name[0 .. n) is the family: text: of the last TYPE line; OpenMetrics: of the last line. n is 0 before the first.
 * 2. ${labels} are those of the last sample; text: if joinable; OpenMetrics: if point.open and the family is no info.
 */
struct gs_expo_family {
	size_t n;
	enum gs_expo_type type;
	bool composite; /* the type is one whose values have parts */
	unsigned suffixes; /* that its samples may have */

	/* Text. */
	bool joinable; /* the last sample was a part of this family */
	bool has_timestamp; /* and what it had */
	int64_t timestamp_ms;

	/* OpenMetrics. */
	bool has_type, has_help, has_unit_line, has_samples;
	bool has_unit; /* that is not empty */
	bool lost; /* the line before was refused */
	uint32_t line; /* of the last event */
	size_t last_n; /* last[0 .. last_n) is the family before; 0: there is none */
	struct gs_expo_point point;

	char name[GS_LIMIT_NAME];
	char last[GS_LIMIT_NAME];
	struct gs_expo_kept labels;
};

struct gs_expo_parser;

/** gs_expo_family_begin(parser): Before the first line: there is no family, and options.seen is empty. */
void gs_expo_family_begin(struct gs_expo_parser *parser);

/** gs_expo_family_set(family, name, type, suffixes): From now on the lines are about this one. */
void gs_expo_family_set(struct gs_expo_family *family, struct gs_str name, enum gs_expo_type type, unsigned suffixes);

/* OpenMetrics: no line of the family was read yet. */
static inline void gs_expo_family_fresh(struct gs_expo_family *family) {
	family->has_type = family->has_help = family->has_unit_line = family->has_unit = family->has_samples = false;
}

static inline struct gs_str gs_expo_family_name(const struct gs_expo_family *family) {
	return gs_str_make(family->name, family->n);
}

/** gs_expo_suffix_of(name, family): What ${name} has behind the name of the family; GS_SUFFIXES if it is not one of those its samples may have. */
enum gs_expo_suffix gs_expo_suffix_of(struct gs_str name, const struct gs_expo_family *family);

/** gs_expo_suffix_text(suffix): "_total", ...; not of GS_SUFFIXES. */
struct gs_str gs_expo_suffix_text(enum gs_expo_suffix suffix);

/** gs_expo_part_of(type, suffix): What a sample of such a family and suffix is of the value. */
enum gs_expo_part gs_expo_part_of(enum gs_expo_type type, enum gs_expo_suffix suffix);

/** gs_expo_find_label(event, name): The index of a label; event->nlabels if there is none. */
size_t gs_expo_find_label(const struct gs_expo_event *event, struct gs_str name);

/** gs_expo_bound_name(type): The label that tells the buckets or quantiles of a family apart; empty if it has none. */
struct gs_str gs_expo_bound_name(enum gs_expo_type type);

/** gs_expo_read_bound(parser, text, ret): Read the value of a label le or quantile; false if it is no number, is NaN or does not fit into a double. */
bool gs_expo_read_bound(const struct gs_expo_parser *parser, struct gs_str text, double *ret);

/** gs_expo_kept_keep(kept, parser, event, except): Remember the labels of ${event} but the one of index ${except} (event->nlabels: none). */
void gs_expo_kept_keep(
    struct gs_expo_kept *kept, const struct gs_expo_parser *parser, const struct gs_expo_event *event, size_t except);

/** gs_expo_kept_same(kept, parser, event, except): Whether those of ${event} are the same set. Exact, or by hash where ${kept} is hashed. */
bool gs_expo_kept_same(const struct gs_expo_kept *kept, const struct gs_expo_parser *parser,
    const struct gs_expo_event *event, size_t except);

/** gs_expo_kept_again(kept, parser, event): Whether ${event} is known to be the kept sample with another le or quantile, its last label: the fast case of
 * a run of buckets. False where it may be that or not. */
bool gs_expo_kept_again(
    const struct gs_expo_kept *kept, const struct gs_expo_parser *parser, const struct gs_expo_event *event);

/** gs_expo_openmetrics_suffixes(type): Those that samples of such a family have in OpenMetrics. */
unsigned gs_expo_openmetrics_suffixes(enum gs_expo_type type);

/** gs_expo_openmetrics(parser, event): gs_expo_classify of OpenMetrics. */
GS_MUST_USE enum gs_status gs_expo_openmetrics(struct gs_expo_parser *parser, struct gs_expo_event *event);

/** gs_expo_at(parser, p): ${p} if it stands in the current line, else the start of that: where an error is. */
const char *gs_expo_at(const struct gs_expo_parser *parser, const char *p);

/** gs_expo_fail_memory(parser): For where options.seen does not take more. */
enum gs_status gs_expo_fail_memory(struct gs_expo_parser *parser);

#endif
