/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of reading a batch: raw samples become points of families, the parts of histograms and summaries are put together, and
 * what no exposition may hold (duplicates, broken histograms) is found. */
#include <math.h>
#include <stdlib.h>

#include "batch_internal.h"
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "label.h"

#define POINT_LABELS_MAX (GS_LIMIT_LABELS + GS_BATCH_LABELS_MAX + 1) /* and an empty instance */

/* What one name means: found once for a run of samples that share it. */
struct meaning {
	struct gs_str name;
	struct batch_family *family;
	enum part_suffix suffix;
	bool clash; /* a family of its own, and a part of another one too */
};

struct gs_str gs_part_suffix(enum gs_expo_type type, enum part_suffix suffix) {
	bool gauge = type == GS_TYPE_GAUGEHISTOGRAM;
	switch (suffix) {
	case SUFFIX_BUCKET:
		return GS_STR("_bucket");
	case SUFFIX_SUM:
		return gauge ? GS_STR("_gsum") : GS_STR("_sum");
	case SUFFIX_COUNT:
		return gauge ? GS_STR("_gcount") : GS_STR("_count");
	case SUFFIX_NONE:
	case SUFFIXES:
		break;
	}
	return (struct gs_str){0};
}

/* Whether ${name} is a part of a typed family with parts; says which. */
static bool find_part(const struct gs_batch *batch, struct gs_str name, struct meaning *ret) {
	static const enum gs_expo_type types[] = {GS_TYPE_HISTOGRAM, GS_TYPE_SUMMARY, GS_TYPE_GAUGEHISTOGRAM};
	if (name.n == 0 || (name.p[name.n - 1] != 't' && name.p[name.n - 1] != 'm'))
		return false; /* _bucket, _count, _sum: most names end otherwise */
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		for (enum part_suffix s = SUFFIX_BUCKET; s < SUFFIXES; s++) {
			struct gs_str suffix = gs_part_suffix(types[t], s);
			if (!gs_str_ends(name, suffix) || (types[t] == GS_TYPE_SUMMARY && s == SUFFIX_BUCKET))
				continue;
			struct batch_family *family =
			    gs_map_get(batch->families, gs_str_make(name.p, name.n - suffix.n));
			if (family != NULL && family->typed && family->type == types[t]) {
				ret->family = family;
				ret->suffix = s;
				return true;
			}
		}
	}
	return false;
}

static enum gs_status find_meaning(struct gs_batch *batch, struct gs_str name, struct meaning *ret) {
	if (ret->family != NULL && gs_str_eq(ret->name, name))
		return GS_OK;
	*ret = (struct meaning){.name = name};
	bool part = find_part(batch, name, ret);
	struct batch_family *own = gs_batch_find_family(batch, name);
	ret->clash = part && own != NULL && own->typed;
	if (part)
		return GS_OK;
	ret->family = own != NULL ? own : gs_batch_family_of(batch, name);
	return ret->family != NULL ? GS_OK : GS_ENOMEM;
}

static struct gs_label *find_label(struct gs_label *labels, size_t n, struct gs_str name) {
	for (size_t i = 0; i < n; i++) {
		if (gs_str_eq(labels[i].name, name))
			return &labels[i];
	}
	return NULL;
}

/* As Prometheus: exported_ is put in front of the name until it is free. */
static enum gs_status export_label(struct gs_batch *batch, struct gs_label *labels, size_t n, struct gs_label *label) {
	static const struct gs_str exported = GS_STR_INIT("exported_");
	struct gs_str name = label->name;
	while (find_label(labels, n, name) != NULL || find_label(batch->labels, batch->options.nlabels, name) != NULL) {
		char *p = gs_arena_alloc(batch->arena, exported.n + name.n);
		if (p == NULL)
			return GS_ENOMEM;
		memcpy(p, exported.p, exported.n);
		memcpy(p + exported.n, name.p, name.n);
		name = gs_str_make(p, exported.n + name.n);
	}
	label->name = name;
	return GS_OK;
}

static void drop_empty(struct gs_label *labels, size_t *n) {
	size_t kept = 0;
	for (size_t i = 0; i < *n; i++) {
		if (labels[i].value.n != 0)
			labels[kept++] = labels[i];
	}
	*n = kept;
}

/* Set the labels of the options on labels[0..*n), by the rule for conflicts. */
static enum gs_status set_labels(struct gs_batch *batch, struct gs_label *labels, size_t *n) {
	for (size_t i = 0; i < batch->options.nlabels; i++) {
		struct gs_label set = batch->options.labels[i];
		struct gs_label *old = find_label(labels, *n, set.name);
		if (old != NULL && batch->options.rule == GS_LABELS_HONOR)
			continue;
		if (old != NULL && batch->options.rule == GS_LABELS_EXPORT && set.value.n != 0) {
			enum gs_status status = export_label(batch, labels, *n, old);
			if (status != GS_OK)
				return status;
			old = NULL;
		}
		if (old == NULL && set.value.n != 0)
			labels[(*n)++] = set;
		else if (old != NULL && set.value.n != 0)
			*old = set;
		else if (old != NULL)
			*old = labels[--*n];
	}
	if (batch->options.rule == GS_LABELS_HONOR)
		drop_empty(labels, n); /* they have kept away what they were to keep away */
	/* As in the Pushgateway: with honor_labels an empty instance keeps Prometheus from putting in that of the target. */
	if (batch->options.gateway && find_label(labels, *n, GS_STR("instance")) == NULL)
		labels[(*n)++] = (struct gs_label){.name = GS_STR("instance"), .value = GS_STR("")};
	return GS_OK;
}

static void sort_labels(struct gs_label *labels, size_t n) {
	for (size_t i = 1; i < n; i++) {
		struct gs_label label = labels[i];
		size_t at = i;
		for (; at > 0 && gs_str_cmp(labels[at - 1].name, label.name) > 0; at--)
			labels[at] = labels[at - 1];
		labels[at] = label;
	}
}

/* The labels of the point that the sample belongs to, and, cut off from them, the one that names its part. */
static enum gs_status point_labels(struct gs_batch *batch, const struct raw_sample *sample, struct gs_str part_name,
    struct gs_label *labels, size_t *ret_n, struct gs_str *ret_part) {
	size_t n = 0;
	*ret_part = (struct gs_str){0};
	for (size_t i = 0; i < sample->nlabels; i++) {
		if (part_name.n != 0 && gs_str_eq(sample->labels[i].name, part_name))
			*ret_part = sample->labels[i].value;
		else
			labels[n++] = sample->labels[i];
	}
	enum gs_status status = set_labels(batch, labels, &n);
	sort_labels(labels, n);
	*ret_n = n;
	return status;
}

/* The texts of a point to be. */
struct texts {
	struct gs_str target;
	struct gs_str own;
	uint32_t target_hash;
	uint32_t own_hash;
	bool own_odd;
	bool names_quantile;
};

/* The labels that are of a target, or those that are not. */
static char *put_labels(char *at, const struct gs_label *labels, size_t n, bool of_target, bool *odd) {
	const char *start = at;
	for (size_t i = 0; i < n; i++) {
		if (gs_label_is_target(labels[i].name) != of_target)
			continue;
		if (at != start)
			*at++ = ',';
		at = gs_label_put(at, labels[i].name, labels[i].value, odd);
	}
	return at;
}

/* Write both into the scratch. */
static enum gs_status write_texts(struct gs_batch *batch, const struct gs_label *labels, size_t n, struct texts *ret) {
	size_t size = 1;
	bool odd = false;
	*ret = (struct texts){0};
	for (size_t i = 0; i < n; i++) {
		size += GS_LABEL_TEXT_MAX(labels[i].name, labels[i].value);
		ret->names_quantile = ret->names_quantile || gs_str_eq(labels[i].name, GS_STR("quantile"));
	}
	char *start = gs_buf_reserve(&batch->text, size);
	if (start == NULL)
		return batch->text.status;
	char *middle = put_labels(start, labels, n, true, &odd);
	char *end = put_labels(middle, labels, n, false, &ret->own_odd);
	ret->target = gs_str_make(start, (size_t)(middle - start));
	ret->own = gs_str_make(middle, (size_t)(end - middle));
	ret->target_hash = (uint32_t)gs_hash(ret->target);
	ret->own_hash = (uint32_t)gs_hash(ret->own);
	return GS_OK;
}

/* Move the texts from the scratch to the arena. */
static enum gs_status keep_texts(struct gs_batch *batch, struct texts *texts) {
	if (!gs_str_eq(texts->target, batch->last_target)) {
		struct gs_str target = gs_arena_dup(batch->arena, texts->target);
		if (target.n != texts->target.n)
			return GS_ENOMEM;
		batch->last_target = target;
	}
	texts->target = batch->last_target;
	struct gs_str own = gs_arena_dup(batch->arena, texts->own);
	if (own.n != texts->own.n)
		return GS_ENOMEM;
	texts->own = own;
	return GS_OK;
}

static bool is_point(const struct batch_point *point, const struct batch_family *family, const struct texts *texts) {
	return point->family == family && point->own_hash == texts->own_hash &&
	       point->target_hash == texts->target_hash && gs_str_eq(point->own, texts->own) &&
	       gs_str_eq(point->target, texts->target);
}

/* Find the point of these texts, or add it; *ret_new says which. They are the scratch's, or (kept) live as long as the batch. */
static struct batch_point *point_of(
    struct gs_batch *batch, struct batch_family *family, struct texts *texts, bool kept, bool *ret_new) {
	uint64_t hash = (family->hash ^ texts->target_hash) + texts->own_hash * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (hash ^ hash >> 32) & batch->mask_index;
	for (; batch->index[i] != NULL; i = (i + 1) & batch->mask_index) {
		if (!is_point(batch->index[i], family, texts))
			continue;
		*ret_new = false;
		return batch->index[i];
	}
	struct batch_point *point = gs_arena_alloc(batch->arena, sizeof(*point));
	if (point == NULL || (!kept && keep_texts(batch, texts) != GS_OK))
		return NULL;
	*point = (struct batch_point){.family = family,
	    .target = texts->target,
	    .own = texts->own,
	    .target_hash = texts->target_hash,
	    .own_hash = texts->own_hash,
	    .own_odd = texts->own_odd,
	    .names_quantile = texts->names_quantile};
	batch->index[i] = point;
	*family->tail = point;
	family->tail = &point->next;
	family->npoints++;
	batch->stats.points++;
	*ret_new = true;
	return point;
}

/* The labels that the options set on every sample, as far as they are a target's. */
static enum gs_status set_target(struct gs_batch *batch) {
	struct gs_label labels[POINT_LABELS_MAX];
	struct texts texts;
	size_t n = 0;
	enum gs_status status = set_labels(batch, labels, &n);
	sort_labels(labels, n);
	if (status == GS_OK)
		status = write_texts(batch, labels, n, &texts);
	if (status == GS_OK)
		status = keep_texts(batch, &texts);
	batch->target = texts.target;
	batch->target_hash = texts.target_hash;
	return status;
}

static enum gs_status duplicate(const struct raw_sample *sample, struct gs_error *err) {
	return gs_error_set(err, GS_EINVAL, sample->line, 1, "duplicate series of \"%.*s\"", GS_FMT(sample->name));
}

/* The Pushgateway reads bounds as numbers and writes them its own way: series that Prometheus has from there must not change their names. */
static enum gs_status spell_bound(struct gs_batch *batch, double at, struct gs_str *text) {
	if (!batch->options.gateway)
		return GS_OK;
	char spelled[GS_NUM_DOUBLE_MAX];
	struct gs_str s = gs_str_make(spelled, gs_num_print_go(spelled, at));
	if (gs_str_eq(s, *text))
		return GS_OK;
	*text = gs_arena_dup(batch->arena, s);
	return text->n == s.n ? GS_OK : GS_ENOMEM;
}

/* Behind how many of the parts the bound stands: nearly always behind all of them. */
static uint32_t part_place(const struct batch_point *point, double at) {
	uint32_t low = 0, high = point->nparts;
	if (high == 0 || point->parts[high - 1].at <= at)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (point->parts[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum gs_status add_part(struct gs_batch *batch, struct batch_point *point, const struct raw_sample *sample,
    struct gs_str text, struct gs_error *err) {
	double at = 0;
	if (text.n == 0 || gs_num_parse_double(text, &at) != GS_OK || isnan(at))
		return gs_error_set(err, GS_EINVAL, sample->line, 1, "\"%.*s\" needs a label \"%s\" with a number",
		    GS_FMT(sample->name), gs_kind_of_type(point->family->type) == KIND_SUMMARY ? "quantile" : "le");
	if (point->nparts >= GS_LIMIT_BUCKETS)
		return gs_error_set(err, GS_ELIMIT, sample->line, 1, "more than %d buckets", GS_LIMIT_BUCKETS);
	if (point->nparts == point->cap_parts) {
		uint32_t cap = point->cap_parts != 0 ? point->cap_parts * 2 : 16;
		struct batch_part *parts = gs_arena_alloc(batch->arena, cap * sizeof(*parts));
		if (parts == NULL)
			return GS_ENOMEM;
		if (point->nparts != 0)
			memcpy(parts, point->parts, point->nparts * sizeof(*parts));
		point->parts = parts;
		point->cap_parts = cap;
	}
	if (spell_bound(batch, at, &text) != GS_OK)
		return GS_ENOMEM;
	uint32_t i = part_place(point, at);
	if (i > 0 && point->parts[i - 1].at == at)
		return duplicate(sample, err);
	memmove(point->parts + i + 1, point->parts + i, (point->nparts - i) * sizeof(*point->parts));
	point->parts[i] = (struct batch_part){.at = at,
	    .value = sample->value,
	    .text = text,
	    .exemplar = gs_kind_of_type(point->family->type) == KIND_HISTOGRAM ? sample->exemplar : NULL,
	    .line = sample->line};
	point->has_exemplars |= point->parts[i].exemplar != NULL;
	point->nparts++;
	return GS_OK;
}

/* Put the value of the sample into its point. */
static enum gs_status fill(struct gs_batch *batch, struct batch_point *point, const struct raw_sample *sample,
    enum part_suffix suffix, struct gs_str part, bool is_new, struct gs_error *err) {
	enum value_kind kind = gs_kind_of_type(point->family->type);
	if (kind == KIND_SIMPLE) {
		if (!is_new)
			return duplicate(sample, err);
		point->value = sample->value;
		point->exemplar = point->family->type == GS_TYPE_COUNTER ? sample->exemplar : NULL;
		point->has_exemplars = point->exemplar != NULL;
		return GS_OK;
	}
	switch (suffix) {
	case SUFFIX_SUM:
		if (point->has_sum)
			return duplicate(sample, err);
		point->has_sum = true;
		point->sum = sample->value;
		return GS_OK;
	case SUFFIX_COUNT:
		if (point->has_count)
			return duplicate(sample, err);
		point->has_count = true;
		point->count = sample->value;
		return GS_OK;
	case SUFFIX_NONE:
		if (kind == KIND_HISTOGRAM)
			return gs_error_set(err, GS_EINVAL, sample->line, 1,
			    "\"%.*s\" is a histogram: its samples are named _bucket, _sum and _count",
			    GS_FMT(sample->name));
		return add_part(batch, point, sample, part, err);
	case SUFFIX_BUCKET:
	case SUFFIXES:
		break;
	}
	return add_part(batch, point, sample, part, err);
}

/* The label that tells the parts of a series apart. */
static struct gs_str reserved_label(enum value_kind kind) {
	switch (kind) {
	case KIND_HISTOGRAM:
		return GS_STR("le");
	case KIND_SUMMARY:
		return GS_STR("quantile");
	case KIND_SIMPLE:
		break;
	}
	return (struct gs_str){0};
}

/* Where le or quantile begins at the end of a ready text, and its value; the end of the text if neither is there. */
static size_t find_bound(const struct raw_sample *sample, struct gs_str name, struct gs_str *ret_value) {
	struct gs_str text = sample->text;
	*ret_value = (struct gs_str){0};
	if (text.n == 0)
		return 0;
	const char *quote = memrchr(text.p, '"', text.n - 1);
	const char *start = quote - 1 - name.n;
	if (start < text.p || memcmp(start, name.p, name.n) != 0 || (start != text.p && start[-1] != ','))
		return text.n;
	*ret_value = gs_str_make(quote + 1, (size_t)(text.p + text.n - 1 - (quote + 1)));
	return start != text.p ? (size_t)(start - 1 - text.p) : 0;
}

/* What the sample's place in its family is: which label tells its part, if any. */
struct place {
	struct gs_str reserved; /* le or quantile of the family */
	bool is_part; /* the sample has it */
	struct gs_str part; /* its value */
};

/* By text, without a look at each label; NULL with *ret_status GS_OK where that cannot be. */
static struct batch_point *ready_point(struct gs_batch *batch, const struct raw_sample *sample,
    struct batch_family *family, struct place *place, bool *ret_new, enum gs_status *ret_status) {
	bool usual = sample->target.n == 0;
	struct texts texts = {.target = usual ? batch->target : sample->target, .target_hash = batch->target_hash};
	struct gs_str le, quantile;
	size_t at_le = find_bound(sample, GS_STR("le"), &le),
	       at_quantile = find_bound(sample, GS_STR("quantile"), &quantile);
	bool is_le = at_le < sample->text.n, is_quantile = at_quantile < sample->text.n;
	bool wanted_le = gs_str_eq(place->reserved, GS_STR("le")),
	     wanted_quantile = place->reserved.n != 0 && !wanted_le;
	*ret_status = GS_OK;
	/* Such a label where it is not that of a part is sorted among the others: not at the end, more often than not. */
	if (!sample->ready || (is_le && !(wanted_le && place->is_part)) ||
	    (is_quantile && !(wanted_quantile && place->is_part)) || (place->is_part && !is_le && !is_quantile) ||
	    sample->nlabels + batch->options.nlabels > batch->options.max_labels)
		return NULL;
	place->part = is_le ? le : quantile;
	bool again = sample->joined && batch->last != NULL && batch->last->family == family;
	if (again) {
		*ret_new = false;
		return batch->last;
	}
	texts.own = gs_str_make(sample->text.p, is_le ? at_le : is_quantile ? at_quantile : sample->text.n);
	texts.own_hash = (uint32_t)gs_hash(texts.own);
	if (!usual)
		texts.target_hash = (uint32_t)gs_hash(texts.target);
	struct batch_point *point = point_of(batch, family, &texts, true, ret_new);
	*ret_status = point != NULL ? GS_OK : GS_ENOMEM;
	return point;
}

/* By each of its labels. */
static enum gs_status find_point(struct gs_batch *batch, const struct raw_sample *sample, struct batch_family *family,
    struct place *place, bool *ret_new, struct batch_point **ret, struct gs_error *err) {
	struct gs_label labels[POINT_LABELS_MAX], own[GS_LIMIT_LABELS];
	struct raw_sample read = *sample;
	struct texts texts;
	size_t n = 0;
	if (sample->ready) {
		read.labels = own;
		read.nlabels = (uint32_t)gs_ready_read(batch, sample, own);
	}
	enum gs_status status =
	    point_labels(batch, &read, place->is_part ? place->reserved : (struct gs_str){0}, labels, &n, &place->part);
	if (status != GS_OK)
		return status;
	/* Else a bucket would be written with the label twice. */
	if (place->reserved.n != 0 && find_label(labels, n, place->reserved) != NULL)
		return gs_error_set(err, GS_EINVAL, sample->line, 1,
		    "\"%.*s\" may not have a label \"%.*s\" besides that of its parts", GS_FMT(family->name),
		    GS_FMT(place->reserved));
	if (n > batch->options.max_labels && sample->line != 0) {
		gs_error_set(err, GS_ELIMIT, sample->line, 1, "\"%.*s\" has more than %zu labels", GS_FMT(sample->name),
		    batch->options.max_labels);
		return gs_error_limit(err, "labels_per_series");
	}
	status = write_texts(batch, labels, n, &texts);
	if (status != GS_OK)
		return status;
	*ret = point_of(batch, family, &texts, false, ret_new);
	return *ret != NULL ? GS_OK : GS_ENOMEM;
}

static enum gs_status add_sample(struct gs_batch *batch, struct batch_point *point, const struct raw_sample *sample,
    enum part_suffix suffix, struct gs_str part, bool is_new, struct gs_error *err) {
	if (sample->native != NULL) { /* where its classic part was dropped, so is it */
		if (point->native == NULL && point->samples != 0 &&
		    gs_kind_of_type(point->family->type) == KIND_HISTOGRAM)
			point->native = sample->native;
		return GS_OK;
	}
	if (point->samples == 0) { /* what was dropped before says nothing about it */
		point->mode = sample->mode;
		point->line = sample->line;
		point->has_timestamp = sample->has_timestamp;
		point->timestamp_ms = sample->timestamp_ms;
	}
	if (!gs_mode_same(&point->mode, &sample->mode))
		return gs_error_set(err, GS_EINVAL, sample->line, 1, "the parts of \"%.*s\" name different clearmodes",
		    GS_FMT(point->family->name));
	enum gs_status status = fill(batch, point, sample, suffix, part, is_new, err);
	if (status != GS_OK)
		return status;
	point->samples++;
	point->family->any_family_mode |= sample->mode.kind == GS_MODE_FAMILY;
	return GS_OK;
}

static enum gs_status resolve_sample(
    struct gs_batch *batch, const struct raw_sample *sample, struct meaning *meaning, struct gs_error *err) {
	bool is_new = false;
	enum gs_status status = find_meaning(batch, sample->name, meaning);
	if (status != GS_OK)
		return status;
	if (batch->options.gateway && sample->has_timestamp)
		return gs_error_set(err, GS_EINVAL, sample->line, 1,
		    "\"%.*s\" has a timestamp: pushed metrics must not", GS_FMT(sample->name));
	if (meaning->clash) {
		batch->last = NULL; /* the next one may be joined to this one, which is nobody's */
		return gs_error_set(err, GS_EINVAL, sample->line, 1,
		    "\"%.*s\" is a part of \"%.*s\" and has a TYPE of its own", GS_FMT(sample->name),
		    GS_FMT(meaning->family->name));
	}
	enum value_kind kind = gs_kind_of_type(meaning->family->type);
	struct place place = {.reserved = reserved_label(kind),
	    .is_part = kind != KIND_SIMPLE && meaning->suffix == (kind == KIND_SUMMARY ? SUFFIX_NONE : SUFFIX_BUCKET)};
	struct batch_point *point = ready_point(batch, sample, meaning->family, &place, &is_new, &status);
	batch->last = point; /* else le or quantile is an ordinary label of it, whatever the parser joined */
	if (point == NULL && status == GS_OK)
		status = find_point(batch, sample, meaning->family, &place, &is_new, &point, err);
	return status == GS_OK ? add_sample(batch, point, sample, meaning->suffix, place.part, is_new, err) : status;
}

/* A histogram without +Inf gets it from its count and the other way round; then it must be cumulative. */
static enum gs_status finish_histogram(struct gs_batch *batch, struct batch_point *point, struct gs_error *err) {
	struct gs_str name = point->family->name;
	bool has_inf =
	    point->nparts != 0 && isinf(point->parts[point->nparts - 1].at) && point->parts[point->nparts - 1].at > 0;
	if (!has_inf && point->has_count && !batch->options.lenient) {
		struct raw_sample inf = {.name = name, .value = point->count, .line = point->line};
		enum gs_status status = add_part(batch, point, &inf, GS_STR("+Inf"), err);
		if (status != GS_OK)
			return status;
	} else if (has_inf && !point->has_count && !batch->options.lenient) {
		point->has_count = true;
		point->count = point->parts[point->nparts - 1].value;
	}
	if (batch->options.lenient)
		return GS_OK; /* served as the target wrote it */
	if (point->nparts == 0)
		return gs_error_set(err, GS_EINVAL, point->line, 1,
		    "histogram \"%.*s\" has neither +Inf bucket nor _count", GS_FMT(name));
	for (uint32_t i = 0; i < point->nparts; i++) {
		double below = i != 0 ? point->parts[i - 1].value : 0;
		if (!(point->parts[i].value >= below))
			return gs_error_set(err, GS_EINVAL, point->parts[i].line, 1,
			    "histogram \"%.*s\": bucket le=\"%.*s\" is below the one before it; buckets are cumulative",
			    GS_FMT(name), GS_FMT(point->parts[i].text));
	}
	if (point->parts[point->nparts - 1].value != point->count)
		return gs_error_set(err, GS_EINVAL, point->line, 1,
		    "histogram \"%.*s\": _count differs from the +Inf bucket", GS_FMT(name));
	return GS_OK;
}

/* Series of which every sample was dropped say nothing: a family of only those is one without samples. */
static void remove_empty(struct gs_batch *batch, struct batch_family *family) {
	struct batch_point **at = &family->first;
	while (*at != NULL) {
		if ((*at)->samples != 0) {
			at = &(*at)->next;
			continue;
		}
		*at = (*at)->next;
		family->npoints--;
		batch->stats.points--;
	}
}

static enum gs_status finish_points(struct gs_batch *batch, struct gs_error *err) {
	for (size_t i = 0; i < batch->norder; i++) {
		struct batch_family *family = batch->order[i];
		if (batch->stats.dropped != 0)
			remove_empty(batch, family);
		if (gs_kind_of_type(family->type) != KIND_HISTOGRAM)
			continue;
		for (struct batch_point *point = family->first; point != NULL; point = point->next) {
			enum gs_status status = finish_histogram(batch, point, err);
			if (status != GS_OK)
				return status;
		}
	}
	return GS_OK;
}

static enum gs_status make_index(struct gs_batch *batch) {
	size_t cap = 64;
	while (cap < batch->nsamples * 2)
		cap *= 2;
	if (cap > batch->cap_index) {
		struct batch_point **index = gs_realloc_array(batch->index, cap, sizeof(struct batch_point *));
		if (index == NULL)
			return GS_ENOMEM;
		batch->index = index;
		batch->cap_index = cap;
	}
	batch->mask_index = cap - 1;
	memset(batch->index, 0, cap * sizeof(struct batch_point *));
	return GS_OK;
}

enum gs_status gs_batch_resolve(struct gs_batch *batch, struct gs_error *err) {
	struct meaning meaning = {0};
	enum gs_status status = make_index(batch);
	if (status == GS_OK && batch->tight)
		status = gs_batch_check_lengths(batch, batch->labels, batch->options.nlabels, 0, err);
	if (status == GS_OK)
		status = set_target(batch);
	batch->last = NULL;
	for (size_t i = 0; i < batch->nsamples && status == GS_OK; i++) {
		status = resolve_sample(batch, &batch->samples[i], &meaning, err);
		if (status == GS_EINVAL && batch->options.lenient) {
			batch->stats.dropped++;
			status = GS_OK;
		}
	}
	return status == GS_OK ? finish_points(batch, err) : status;
}
