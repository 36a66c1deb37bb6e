/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BATCH_INTERNAL_H
#define GRAVEL_LIB_BATCH_INTERNAL_H

#include "gravel/base/arena.h"
#include "gravel/base/map.h"
#include "gravel/gravel/batch.h"

/* What a value consists of. */
enum value_kind {
	KIND_SIMPLE,
	KIND_HISTOGRAM, /* buckets by "le", sum, count */
	KIND_SUMMARY, /* quantiles by "quantile", sum, count */
};

static inline enum value_kind gs_kind_of_type(enum gs_expo_type type) {
	if (type == GS_TYPE_HISTOGRAM || type == GS_TYPE_GAUGEHISTOGRAM)
		return KIND_HISTOGRAM;
	return type == GS_TYPE_SUMMARY ? KIND_SUMMARY : KIND_SIMPLE;
}

/* Suffixes of the parts of a type; index 2 and 3 are sum and count. */
enum part_suffix { SUFFIX_NONE, SUFFIX_BUCKET, SUFFIX_SUM, SUFFIX_COUNT, SUFFIXES };

/** gs_part_suffix(type, suffix): "_bucket", "_sum", "_gsum", ... */
struct gs_str gs_part_suffix(enum gs_expo_type type, enum part_suffix suffix);

/* What few samples have. */
struct batch_exemplar {
	struct gs_str text; /* its labels as text (label.h) */
	double value;
	int64_t timestamp_ms;
	bool has_timestamp;
};

struct batch_native {
	struct gs_native it; /* without its exemplars */
	const struct batch_exemplar *exemplars;
	size_t nexemplars;
};

struct batch_family {
	struct gs_str name;
	uint64_t hash; /* of the name (gs_hash) */
	struct gs_str help;
	struct gs_str unit;
	enum gs_expo_type type;
	bool typed; /* a TYPE line named it */
	struct batch_family *text; /* the family that text has for it, if it is not this one (OpenMetrics) */
	struct batch_point *first;
	struct batch_point **tail;
	size_t npoints;
	bool any_family_mode; /* a point has clearmode family */
};

/* One bucket or quantile. */
struct batch_part {
	double at;
	double value;
	struct gs_str text; /* of le or quantile, as written */
	const struct batch_exemplar *exemplar; /* of a bucket, or NULL */
	uint32_t line;
};

/* One series of the batch with its value. */
struct batch_point {
	struct batch_point *next; /* of its family */
	struct batch_family *family;
	struct gs_str target; /* the labels of the target, as text (label.h) */
	struct gs_str own; /* all others, without clearmode and without le or quantile of a part */
	uint32_t target_hash; /* gs_hash of them, its lower half */
	uint32_t own_hash;
	bool own_odd; /* has a name that is written otherwise for readers of classic names */
	bool names_quantile; /* a label quantile is among its own */
	uint32_t line;
	struct gs_mode mode;
	int64_t timestamp_ms;
	bool has_timestamp;
	bool has_sum;
	bool has_count;
	uint32_t samples; /* lines that made it */
	uint32_t nparts;
	uint32_t cap_parts;
	struct batch_part *parts; /* sorted by at */
	const struct batch_exemplar *exemplar; /* of a counter, or NULL */
	const struct batch_native *native; /* of a histogram, or NULL */
	bool has_exemplars; /* it or one of its parts */
	double value; /* of a simple one */
	double sum;
	double count;
};

/* A sample line as parsed; its family is not known before every TYPE line was seen. */
struct raw_sample {
	struct gs_str name;
	struct gs_label *labels; /* distinct, not sorted, no clearmode; NULL if ready */
	uint32_t nlabels;
	/* ${text} is what its labels and those of the options are as text (label.h), le or quantile at the end, but for those of a target, which are ${target}, or
	 * batch->target if that is empty. */
	bool ready;
	bool joined; /* ready like the sample before, and apart from le or quantile with the same labels */
	struct gs_str text;
	struct gs_str target;
	uint32_t line;
	struct gs_mode mode;
	double value;
	int64_t timestamp_ms;
	bool has_timestamp;
	const struct batch_exemplar *exemplar; /* NULL: none */
	const struct batch_native
	    *native; /* not NULL: it is no sample of its own, but a part of the point that its labels say */
};

/* How the labels of samples become text at once: ready.c. */
struct ready {
	bool possible;
	size_t nset; /* labels of the options, which are in every text */
	struct gs_label set[GS_BATCH_LABELS_MAX]; /* name, and name="value" as it stands in texts */
	size_t nset_target; /* those of a target stand first */
	size_t n; /* of the sample before: its labels as they were written ... */
	struct gs_str names[GS_LIMIT_LABELS];
	/* ... and which of them, or n + which of the options', is first, second, ...: those of a target, then its own. */
	uint8_t order[GS_LIMIT_LABELS + GS_BATCH_LABELS_MAX];
	size_t ntarget; /* of them; 0: the sample had none, and those of the options are not among them */
	size_t norder;
};

struct gs_batch {
	struct gs_arena *arena;
	struct gs_map *families; /* name -> batch_family */
	struct gs_batch_options options;
	struct gs_label labels[GS_BATCH_LABELS_MAX]; /* of the options */
	struct gs_batch_stats stats;
	struct gs_str body;
	enum gs_expo_format format; /* of the body */
	struct batch_family **order; /* families in the order in which they were first named */
	size_t norder;
	struct batch_family *recent; /* the last one found; NULL: none */
	size_t cap_order;
	struct raw_sample *samples; /* until they are resolved */
	size_t nsamples;
	size_t cap_samples;
	struct batch_point **index; /* points by hash: open addressing, a power of two */
	size_t cap_index;
	size_t mask_index; /* of as much of it as this batch needs */
	struct gs_buf text; /* scratch of the texts of a point */
	struct gs_str target; /* the labels of a target that the options set, as text */
	uint32_t target_hash;
	bool tight; /* lengths have lower limits than the parser's */
	struct ready ready;
	struct batch_point *last; /* of the sample before, while they are resolved; NULL: that has none */
	struct gs_str last_target; /* of the last new point: most have the same */
};

/** gs_batch_family_of(batch, name): Find or add the family; NULL when out of memory. */
struct batch_family *gs_batch_family_of(struct gs_batch *batch, struct gs_str name);

/** gs_batch_find_family(batch, name): Find the family, NULL if there is none. */
struct batch_family *gs_batch_find_family(struct gs_batch *batch, struct gs_str name);

/** gs_batch_shortened(s): As much of it as an answer has room for. */
struct gs_str gs_batch_shortened(struct gs_str s);

/** gs_batch_check_lengths(batch, labels, n, line, err): GS_ELIMIT if a name or value of the labels is longer than the options allow. */
GS_MUST_USE enum gs_status gs_batch_check_lengths(
    const struct gs_batch *batch, const struct gs_label *labels, size_t n, uint32_t line, struct gs_error *err);

/** gs_ready_begin(batch): After the options are set. */
void gs_ready_begin(struct gs_batch *batch);

/** gs_ready_take(batch, event, sample):
 * Set ready, text, joined and nlabels of ${sample}, the last of the batch; false where its labels must be looked at. */
bool gs_ready_take(struct gs_batch *batch, const struct gs_expo_event *event, struct raw_sample *sample);

/** gs_ready_read(batch, sample, labels): The labels of a ready sample one by one, without those of the options; how many. */
size_t gs_ready_read(const struct gs_batch *batch, const struct raw_sample *sample, struct gs_label *labels);

/* exemplar.c: a copy that lives as long as the batch; *ret is NULL if its labels are too long to be kept. */
GS_MUST_USE enum gs_status gs_batch_exemplar(
    struct gs_batch *batch, const struct gs_exemplar *from, const struct batch_exemplar **ret);

/* native.c: the same; NULL: no memory. */
const struct batch_native *gs_batch_native(struct gs_batch *batch, const struct gs_native *from);

/** gs_batch_resolve(batch, err): Turn the raw samples into points of families. */
GS_MUST_USE enum gs_status gs_batch_resolve(struct gs_batch *batch, struct gs_error *err);

#endif
