/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_TRANSFORM_INTERNAL_H
#define GRAVEL_LIB_TRANSFORM_INTERNAL_H

#include "gravel/base/arena.h"
#include "gravel/base/map.h"
#include "gravel/expo/write.h"
#include "gravel/transform/transform.h"

/* clearmode.c: which clearmode a name gets. */

struct gs_clearmodes;

/** gs_clearmodes_new(rules, n, ret, err): As gs_transform_new. */
GS_MUST_USE enum gs_status gs_clearmodes_new(
    const struct gs_clearmode_rule *rules, size_t n, struct gs_clearmodes **ret, struct gs_error *err);
void gs_clearmodes_free(struct gs_clearmodes *modes);

/** gs_clearmodes_find(modes, name, ret_label): The label (clearmode="...", escaped) of the first rule that matches ${name}; empty: none does. GS_ELIMIT for an
 * expression that takes too many steps, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_clearmodes_find(
    struct gs_clearmodes *modes, struct gs_str name, struct gs_str *ret_label);

/** gs_clearmodes_insert(out, rest, series, label): Append *${rest} up to the end of ${series}, which stands in it, with ${label} put into its braces, and advance *${rest}. */
void gs_clearmodes_insert(struct gs_buf *out, struct gs_str *rest, struct gs_str series, struct gs_str label);

/* As gs_str_cmp, which is not asked where the first bytes tell: most names of labels. */
static inline int gs_name_cmp(struct gs_str a, struct gs_str b) {
	if (a.n != 0 && b.n != 0 && a.p[0] != b.p[0])
		return (int)(unsigned char)a.p[0] - (int)(unsigned char)b.p[0];
	return gs_str_cmp(a, b);
}

/* settle.c: what a series is called with the labels of its target, and whether that is too much. */

/* Invariants: target is sorted by name, no value is empty; longest_name and longest_value are those of target. */
struct gs_settle {
	struct gs_labels *labels; /* of the last sample */
	struct gs_label *target;
	size_t ntarget;
	size_t cap_target;
	size_t longest_name;
	size_t longest_value;
	bool honor;
};

/** gs_settle_begin(settle, labels, n): The labels of the target; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_settle_begin(struct gs_settle *settle, const struct gs_label *labels, size_t n);

/** gs_settle(settle, event): Make settle->labels those of the sample and its target, with __name__. GS_ELIMIT for what gs_labels_set refuses, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_settle(struct gs_settle *settle, const struct gs_expo_event *event);

struct gs_label_limits {
	uint64_t labels;
	uint64_t name_length;
	uint64_t value_length;
};

/** gs_limits_surely_kept(limits, settle, event): Whether the series keeps the limits however its labels get along with the target's. */
bool gs_limits_surely_kept(
    const struct gs_label_limits *limits, const struct gs_settle *settle, const struct gs_expo_event *event);

/** gs_limits_check(limits, labels, n, err): The final labels, sorted. GS_ELIMIT with ${err}. */
GS_MUST_USE enum gs_status gs_limits_check(
    const struct gs_label_limits *limits, const struct gs_label *labels, size_t n, struct gs_error *err);

/** gs_settle_fail_names(labels, n, err): GS_EINVAL for names that are none; ${err} shows the labels. */
enum gs_status gs_settle_fail_names(const struct gs_label *labels, size_t n, struct gs_error *err);

/* family.c: the families that are written. */

enum gs_piece { /* what stands behind the name of the family in the name of a sample */
	GS_PIECE_NONE,
	GS_PIECE_BUCKET,
	GS_PIECE_SUM,
	GS_PIECE_COUNT,
	GS_PIECE_GSUM,
	GS_PIECE_GCOUNT,
	GS_PIECES,
};

struct gs_str gs_piece_text(enum gs_piece piece);
bool gs_type_is_composite(enum gs_expo_type type);

struct gs_run;
struct gs_family;

/*
 * Families are written where their first sample comes, head first. What only a later sample tells (a family that goes on behind another one, a type that does not
 * fit) is noted, and then all are put together anew at the end.
 * Invariants: 1. runs are disjoint parts of out, each of whole lines of samples. 2. not untidy: out is what the families would be put together to.
 */
struct gs_families {
	struct gs_arena *arena; /* names, help */
	struct gs_map *map; /* by name */
	struct gs_family *list; /* in the order of their first sample */
	struct gs_family **list_end;
	struct gs_family *current; /* gets the lines from start on */
	struct gs_run *runs;
	size_t nruns;
	size_t cap_runs;
	struct gs_buf *out;
	size_t base; /* where out began */
	size_t start;
	bool untidy;
	struct gs_expo_writer writer; /* of current */
	struct gs_buf spare;
	/* What was said of the family that comes, or is there. */
	struct gs_buf meta_name;
	struct gs_buf meta_help;
	struct gs_buf meta_unit;
	bool meta_used;
	struct gs_map *early; /* of families that did not come yet, by name */
};

GS_MUST_USE enum gs_status gs_families_init(struct gs_families *families);
void gs_families_free(struct gs_families *families);
GS_MUST_USE enum gs_status gs_families_begin(struct gs_families *families, struct gs_buf *out);

/** gs_families_meta(families, event): Take a TYPE, HELP or UNIT. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_families_meta(struct gs_families *families, const struct gs_expo_event *event);

/** gs_families_open(families, name, type, piece, given): The sample that gs_expo_write_sample writes next by families->writer is of this family; its HELP and UNIT
 * are those of the family that is called ${given} in what comes. GS_ENOMEM, GS_ELIMIT of out. */
GS_MUST_USE enum gs_status gs_families_open(
    struct gs_families *families, struct gs_str name, enum gs_expo_type type, enum gs_piece piece, struct gs_str given);

/** gs_families_end(families): Bring out into its order. GS_ENOMEM, GS_ELIMIT of out. */
GS_MUST_USE enum gs_status gs_families_end(struct gs_families *families);

/* sample.c: one sample as a line of text. */

struct gs_sample_out {
	const struct gs_expo_event *event;
	struct gs_str name;
	const struct gs_label *labels; /* without __name__ */
	size_t nlabels;
	const struct gs_label
	    *target; /* the labels need not be written where they are the same; sorted as ${labels} then are */
	size_t ntarget;
	bool moved; /* name or labels may be other than those of event */
	bool timestamp; /* is kept */
	struct gs_str clearmode; /* label, or empty */
};

/** gs_sample_write(families, sample, err): GS_ELIMIT with ${err} for a line that no parser takes, or of out; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_sample_write(
    struct gs_families *families, const struct gs_sample_out *sample, struct gs_error *err);

#endif
