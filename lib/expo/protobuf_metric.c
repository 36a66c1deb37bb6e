/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Metric of the protobuf exposition and its samples. All of it is checked before the first sample is given. A histogram gives its classic
 * samples even if it has no classic buckets, as its text would: +Inf, sum and count.
 */
#include <math.h>

#include <metrics.pb-c.h>
#include <protobuf-c/protobuf-c.h>

#include "gravel/base/num.h"
#include "parser.h"
#include "protobuf.h"

/* What the time of a google.protobuf.Timestamp may be: from year 1 to year 9999. */
#define SECONDS_MIN (-62135596800LL)
#define SECONDS_MAX 253402300799LL

/* One side of a native histogram as protobuf-c has it. */
struct side {
	const char *what;
	Gs__Expo__BucketSpan *const *spans;
	size_t nspans;
	struct gs_native_side to;
};

static void *take(struct gs_expo_protobuf *pb, size_t n) {
	size_t left = sizeof(pb->arena) - pb->used;
	if (n > left) {
		pb->full = true;
		return NULL;
	}
	void *p = pb->arena + pb->used;
	size_t whole = (n + 15) & ~(size_t)15;
	pb->used += whole < left ? whole : left;
	return p;
}

static void *take_for_library(void *data, size_t n) {
	return take(data, n);
}

/* The next metric takes all of it back. */
static void give_back(void *data, void *p) {
	(void)data;
	(void)p;
}

static const Gs__Expo__Metric *metric_of(const struct gs_expo_protobuf *pb) {
	return pb->metric;
}

static struct gs_str str_of(ProtobufCBinaryData data) {
	return gs_str_make((const char *)data.data, data.len);
}

/* The name of the family, whole in the window. */
static struct gs_str family_of(const struct gs_expo_parser *parser) {
	return gs_str_make(parser->line_start + parser->protobuf.name.at, parser->protobuf.name.n);
}

/* Where errors in the metric are. */
static const char *here(const struct gs_expo_parser *parser) {
	return parser->line_start + parser->protobuf.metric_at;
}

static enum gs_status fail_full(struct gs_expo_parser *parser) {
	return gs_expo_fail(parser, GS_ELIMIT, here(parser), "a metric of %s takes more than %d bytes of memory",
	    gs_expo_quote(family_of(parser)).text, GS_EXPO_ARENA);
}

/* A count has two fields; the one that is a double holds if it is above 0. */
static double count_of(double whole_or_not, uint64_t whole) {
	return whole_or_not > 0 ? whole_or_not : (double)whole;
}

static double bucket_count(const Gs__Expo__Bucket *bucket) {
	return count_of(bucket->cumulative_count_float, bucket->cumulative_count);
}

static double histogram_count(const Gs__Expo__Histogram *histogram) {
	return count_of(histogram->sample_count_float, histogram->sample_count);
}

static bool is_histogram(enum gs_expo_type type) {
	return type == GS_TYPE_HISTOGRAM || type == GS_TYPE_GAUGEHISTOGRAM;
}

/* The label that the samples of a type get on top of their own. */
static struct gs_str own_label(enum gs_expo_type type) {
	if (is_histogram(type))
		return GS_STR("le");
	return type == GS_TYPE_SUMMARY ? GS_STR("quantile") : (struct gs_str){0};
}

/* What a set of labels belongs to, for error texts. */
struct owner {
	const char *of; /* "metric" or "an exemplar of metric" */
	struct gs_str reserved; /* a name that is refused like __name__; empty: none */
};

static enum gs_status check_label_name(
    struct gs_expo_parser *parser, const struct owner *owner, Gs__Expo__LabelPair *const *pairs, size_t i) {
	struct gs_str name = str_of(pairs[i]->name);
	if (name.n == 0)
		return gs_expo_fail(parser, GS_EINVAL, here(parser), "a label of %s %s has no name", owner->of,
		    gs_expo_quote(family_of(parser)).text);
	if (name.n > GS_LIMIT_NAME)
		return gs_expo_limit(parser, "name_length",
		    gs_expo_fail(parser, GS_ELIMIT, here(parser), "the label name %s is longer than %d bytes",
			gs_expo_quote(name).text, GS_LIMIT_NAME));
	if (!gs_str_is_utf8(name))
		return gs_expo_fail(
		    parser, GS_EINVAL, here(parser), "the label name %s is not UTF-8", gs_expo_quote(name).text);
	if (gs_str_eq(name, GS_STR("__name__")) || gs_str_eq(name, owner->reserved))
		return gs_expo_fail(parser, GS_EINVAL, here(parser), "label name %s of %s %s is reserved",
		    gs_expo_quote(name).text, owner->of, gs_expo_quote(family_of(parser)).text);
	for (size_t k = 0; k < i; k++) {
		if (gs_str_eq(str_of(pairs[k]->name), name))
			return gs_expo_fail(
			    parser, GS_EINVAL, here(parser), "duplicate label name %s", gs_expo_quote(name).text);
	}
	return GS_OK;
}

static enum gs_status check_labels(
    struct gs_expo_parser *parser, const struct owner *owner, Gs__Expo__LabelPair *const *pairs, size_t n) {
	if (n + (owner->reserved.n != 0) > GS_LIMIT_LABELS)
		return gs_expo_limit(parser, "labels_per_series",
		    gs_expo_fail(parser, GS_ELIMIT, here(parser), "%s %s has more than %d labels", owner->of,
			gs_expo_quote(family_of(parser)).text, GS_LIMIT_LABELS));
	for (size_t i = 0; i < n; i++) {
		struct gs_str value = str_of(pairs[i]->value);
		enum gs_status status = check_label_name(parser, owner, pairs, i);
		if (status != GS_OK)
			return status;
		if (value.n > GS_LIMIT_LABEL_VALUE)
			return gs_expo_limit(parser, "value_length",
			    gs_expo_fail(parser, GS_ELIMIT, here(parser),
				"the value of label %s is longer than %d bytes",
				gs_expo_quote(str_of(pairs[i]->name)).text, GS_LIMIT_LABEL_VALUE));
		if (!gs_str_is_utf8(value))
			return gs_expo_fail(parser, GS_EINVAL, here(parser), "the value of label %s is not UTF-8",
			    gs_expo_quote(str_of(pairs[i]->name)).text);
	}
	return GS_OK;
}

static void fill_labels(struct gs_label *labels, Gs__Expo__LabelPair *const *pairs, size_t n) {
	for (size_t i = 0; i < n; i++)
		labels[i] = (struct gs_label){.name = str_of(pairs[i]->name), .value = str_of(pairs[i]->value)};
}

/* ${time} may be NULL. */
static enum gs_status check_time(struct gs_expo_parser *parser, const char *what, const Gs__Expo__Timestamp *time) {
	if (time == NULL || (time->seconds >= SECONDS_MIN && time->seconds <= SECONDS_MAX && time->nanos >= 0 &&
				time->nanos <= 999999999))
		return GS_OK;
	return gs_expo_fail(parser, GS_EINVAL, here(parser), "the %s of metric %s is out of range", what,
	    gs_expo_quote(family_of(parser)).text);
}

/* In seconds as clients of Go write it. */
static double seconds_of(const Gs__Expo__Timestamp *time) {
	bool in_nanos = time->seconds > INT64_MIN / 1000000000 && time->seconds < INT64_MAX / 1000000000;
	if (in_nanos)
		return (double)(time->seconds * 1000000000 + time->nanos) / 1e9;
	return (double)time->seconds + time->nanos / 1e9;
}

/* ${exemplar} may be NULL. */
static enum gs_status check_exemplar(struct gs_expo_parser *parser, const Gs__Expo__Exemplar *exemplar) {
	static const struct owner owner = {.of = "an exemplar of metric"};
	if (exemplar == NULL)
		return GS_OK;
	enum gs_status status = check_time(parser, "exemplar's timestamp", exemplar->timestamp);
	return status == GS_OK ? check_labels(parser, &owner, exemplar->label, exemplar->n_label) : status;
}

static void fill_exemplar(struct gs_exemplar *to, struct gs_label *labels, const Gs__Expo__Exemplar *from) {
	*to = (struct gs_exemplar){.labels = labels, .nlabels = from->n_label, .value = from->value};
	fill_labels(labels, from->label, from->n_label);
	if (from->timestamp != NULL) {
		to->has_timestamp = true;
		to->timestamp_ms = from->timestamp->seconds * 1000 + from->timestamp->nanos / 1000000;
	}
}

static enum gs_status fail_native(
    struct gs_expo_parser *parser, enum gs_status status, const struct side *side, const char *what) {
	return gs_expo_fail(parser, status, here(parser), "the %s side of native histogram %s has %s", side->what,
	    gs_expo_quote(family_of(parser)).text, what);
}

/* Copy the spans of a side, and see that they are in order and what they have together is ${n} buckets. */
static enum gs_status read_spans(struct gs_expo_parser *parser, struct side *side, size_t n) {
	if (side->nspans > GS_LIMIT_BUCKETS || n > GS_LIMIT_BUCKETS)
		return fail_native(parser, GS_ELIMIT, side, "too many spans or buckets");
	struct gs_span *spans = take(&parser->protobuf, side->nspans * sizeof(*spans));
	if (spans == NULL)
		return fail_full(parser);
	int64_t index = 0;
	uint64_t total = 0;
	for (size_t i = 0; i < side->nspans; i++) {
		spans[i] = (struct gs_span){.offset = side->spans[i]->offset, .length = side->spans[i]->length};
		if (i > 0 && spans[i].offset < 0)
			return fail_native(parser, GS_EINVAL, side, "spans that overlap");
		index += (int64_t)spans[i].offset + spans[i].length;
		if (index > INT32_MAX)
			return fail_native(parser, GS_EINVAL, side, "an index that is out of range");
		total += spans[i].length;
	}
	if (total != n)
		return fail_native(parser, GS_EINVAL, side, "spans that do not match its buckets");
	side->to.spans = spans;
	side->to.nspans = side->nspans;
	return GS_OK;
}

static enum gs_status check_buckets(struct gs_expo_parser *parser, const struct side *side) {
	int64_t count = 0;
	for (size_t i = 0; i < side->to.ndeltas; i++) {
		if (__builtin_add_overflow(count, side->to.deltas[i], &count) || count < 0)
			return fail_native(parser, GS_EINVAL, side, "a count that is negative or out of range");
	}
	for (size_t i = 0; i < side->to.ncounts; i++) {
		if (!(side->to.counts[i] >= 0))
			return fail_native(parser, GS_EINVAL, side, "a count that is negative or out of range");
	}
	return GS_OK;
}

static enum gs_status read_side(
    struct gs_expo_parser *parser, bool is_float, struct side *side, struct gs_native_side *ret) {
	if (is_float ? side->to.ndeltas != 0 : side->to.ncounts != 0)
		return fail_native(parser, GS_EINVAL, side, "both deltas and counts, or those of another kind");
	enum gs_status status = read_spans(parser, side, is_float ? side->to.ncounts : side->to.ndeltas);
	if (status == GS_OK)
		status = check_buckets(parser, side);
	*ret = side->to;
	return status;
}

static enum gs_status read_native_exemplars(struct gs_expo_parser *parser, const Gs__Expo__Histogram *from) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	struct gs_exemplar *exemplars = take(pb, from->n_exemplars * sizeof(*exemplars));
	if (exemplars == NULL)
		return fail_full(parser);
	for (size_t i = 0; i < from->n_exemplars; i++) {
		enum gs_status status = check_exemplar(parser, from->exemplars[i]);
		if (status != GS_OK)
			return status;
		struct gs_label *labels = take(pb, from->exemplars[i]->n_label * sizeof(*labels));
		if (labels == NULL)
			return fail_full(parser);
		fill_exemplar(&exemplars[i], labels, from->exemplars[i]);
	}
	pb->native.exemplars = exemplars;
	pb->native.nexemplars = from->n_exemplars;
	return GS_OK;
}

/* As Prometheus has it; clients give an empty histogram a span without buckets. */
static bool is_native(const Gs__Expo__Histogram *from) {
	return from->n_positive_span != 0 || from->n_negative_span != 0 || from->zero_threshold > 0 ||
	       from->zero_count > 0 || from->zero_count_float > 0;
}

static enum gs_status read_native(struct gs_expo_parser *parser, const Gs__Expo__Histogram *from) {
	struct gs_native *native = &parser->protobuf.native;
	struct side positive = {"positive", from->positive_span, from->n_positive_span,
	    {.deltas = from->positive_delta,
		.ndeltas = from->n_positive_delta,
		.counts = from->positive_count,
		.ncounts = from->n_positive_count}};
	struct side negative = {"negative", from->negative_span, from->n_negative_span,
	    {.deltas = from->negative_delta,
		.ndeltas = from->n_negative_delta,
		.counts = from->negative_count,
		.ncounts = from->n_negative_count}};
	*native = (struct gs_native){
	    .is_float = from->sample_count_float > 0 || from->zero_count_float > 0 || from->n_positive_count != 0 ||
			from->n_negative_count != 0,
	    .schema = from->schema,
	    .zero_threshold = from->zero_threshold,
	    .zero_count = count_of(from->zero_count_float, from->zero_count),
	    .count = histogram_count(from),
	    .sum = from->sample_sum,
	};
	if (from->schema < -4 || from->schema > 8)
		return gs_expo_fail(parser, GS_EINVAL, here(parser), "native histogram %s has the unknown schema %d",
		    gs_expo_quote(family_of(parser)).text, from->schema);
	enum gs_status status = read_side(parser, native->is_float, &positive, &native->positive);
	if (status == GS_OK)
		status = read_side(parser, native->is_float, &negative, &native->negative);
	return status == GS_OK ? read_native_exemplars(parser, from) : status;
}

static enum gs_status fail_missing(struct gs_expo_parser *parser) {
	return gs_expo_fail(parser, GS_EINVAL, here(parser), "metric %s has no value of its type, %s",
	    gs_expo_quote(family_of(parser)).text, gs_expo_type_name(parser->protobuf.type));
}

static enum gs_status fail_many(struct gs_expo_parser *parser, const char *what) {
	return gs_expo_fail(parser, GS_ELIMIT, here(parser), "metric %s has more than %d %s",
	    gs_expo_quote(family_of(parser)).text, GS_LIMIT_BUCKETS, what);
}

static void add_tail(struct gs_expo_protobuf *pb, enum gs_expo_part part) {
	pb->tail[pb->ntail++] = part;
}

static enum gs_status open_created(struct gs_expo_parser *parser, const Gs__Expo__Timestamp *created) {
	if (created != NULL)
		add_tail(&parser->protobuf, GS_PART_CREATED);
	return check_time(parser, "created timestamp", created);
}

static enum gs_status open_histogram(struct gs_expo_parser *parser, const Gs__Expo__Histogram *from) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	size_t n = from->n_bucket;
	if (n > GS_LIMIT_BUCKETS)
		return fail_many(parser, "buckets");
	for (size_t i = 0; i < n; i++) {
		double bound = from->bucket[i]->upper_bound;
		if (isnan(bound) || (i > 0 && bound <= from->bucket[i - 1]->upper_bound))
			return gs_expo_fail(parser, GS_EINVAL, here(parser),
			    "the upper bounds of the buckets of metric %s do not rise",
			    gs_expo_quote(family_of(parser)).text);
		enum gs_status status = check_exemplar(parser, from->bucket[i]->exemplar);
		if (status != GS_OK)
			return status;
	}
	/* The bucket +Inf may be left out. */
	pb->nleading = n != 0 && from->bucket[n - 1]->upper_bound == INFINITY ? n : n + 1;
	add_tail(pb, GS_PART_SUM);
	add_tail(pb, GS_PART_COUNT);
	enum gs_status status = open_created(parser, from->created_timestamp);
	if (status != GS_OK || !is_native(from))
		return status;
	add_tail(pb, GS_PART_NATIVE);
	return read_native(parser, from);
}

static enum gs_status open_summary(struct gs_expo_parser *parser, const Gs__Expo__Summary *from) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	if (from->n_quantile > GS_LIMIT_BUCKETS)
		return fail_many(parser, "quantiles");
	pb->nleading = from->n_quantile;
	add_tail(pb, GS_PART_SUM);
	add_tail(pb, GS_PART_COUNT);
	return open_created(parser, from->created_timestamp);
}

static enum gs_status open_counter(struct gs_expo_parser *parser, const Gs__Expo__Counter *from) {
	add_tail(&parser->protobuf, GS_PART_VALUE);
	enum gs_status status = check_exemplar(parser, from->exemplar);
	return status == GS_OK ? open_created(parser, from->created_timestamp) : status;
}

static enum gs_status open_value(struct gs_expo_parser *parser, const Gs__Expo__Metric *metric) {
	switch (parser->protobuf.type) {
	case GS_TYPE_COUNTER:
		return metric->counter != NULL ? open_counter(parser, metric->counter) : fail_missing(parser);
	case GS_TYPE_HISTOGRAM:
	case GS_TYPE_GAUGEHISTOGRAM:
		return metric->histogram != NULL ? open_histogram(parser, metric->histogram) : fail_missing(parser);
	case GS_TYPE_SUMMARY:
		return metric->summary != NULL ? open_summary(parser, metric->summary) : fail_missing(parser);
	case GS_TYPE_GAUGE:
		add_tail(&parser->protobuf, GS_PART_VALUE);
		return metric->gauge != NULL ? GS_OK : fail_missing(parser);
	case GS_TYPE_UNTYPED:
	case GS_TYPE_INFO:
	case GS_TYPE_STATESET:
		break;
	}
	add_tail(&parser->protobuf, GS_PART_VALUE);
	return metric->untyped != NULL ? GS_OK : fail_missing(parser);
}

enum gs_status gs_expo_metric_open(struct gs_expo_parser *parser, struct gs_str bytes) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	ProtobufCAllocator allocator = {.alloc = take_for_library, .free = give_back, .allocator_data = pb};
	const struct owner owner = {.of = "metric", .reserved = own_label(pb->type)};
	pb->used = 0;
	pb->full = false;
	pb->next_sample = 0;
	pb->nleading = 0;
	pb->ntail = 0;
	const Gs__Expo__Metric *metric = gs__expo__metric__unpack(&allocator, bytes.n, (const uint8_t *)bytes.p);
	pb->metric = metric;
	if (metric == NULL && pb->full)
		return fail_full(parser);
	if (metric == NULL)
		return gs_expo_fail(parser, GS_EINVAL, here(parser), "a metric of %s is no valid message",
		    gs_expo_quote(family_of(parser)).text);
	enum gs_status status = check_labels(parser, &owner, metric->label, metric->n_label);
	return status == GS_OK ? open_value(parser, metric) : status;
}

bool gs_expo_metric_has_next(const struct gs_expo_protobuf *pb) {
	return pb->next_sample < pb->nleading + pb->ntail;
}

/* What is behind the name of the family in the name of a sample. */
static struct gs_str suffix_of(enum gs_expo_type type, enum gs_expo_part part) {
	bool gauge = type == GS_TYPE_GAUGEHISTOGRAM;
	switch (part) {
	case GS_PART_BUCKET:
		return GS_STR("_bucket");
	case GS_PART_SUM:
		return gauge ? GS_STR("_gsum") : GS_STR("_sum");
	case GS_PART_COUNT:
		return gauge ? GS_STR("_gcount") : GS_STR("_count");
	case GS_PART_CREATED:
		return GS_STR("_created");
	case GS_PART_VALUE:
	case GS_PART_QUANTILE:
	case GS_PART_NATIVE:
		break;
	}
	return (struct gs_str){0};
}

static enum gs_status set_name(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	struct gs_str stem = event->family, suffix = suffix_of(pb->type, event->part);
	if (suffix.n == 0)
		return GS_OK;
	if (pb->type == GS_TYPE_COUNTER && gs_str_ends(stem, GS_STR("_total")))
		stem.n -= GS_STR("_total").n;
	if (stem.n + suffix.n > sizeof(pb->sample_name))
		return gs_expo_limit(parser, "name_length",
		    gs_expo_fail(parser, GS_ELIMIT, here(parser), "the metric name %s and %s are longer than %d bytes",
			gs_expo_quote(stem).text, suffix.p, GS_LIMIT_NAME));
	memcpy(pb->sample_name, stem.p, stem.n);
	memcpy(pb->sample_name + stem.n, suffix.p, suffix.n);
	event->name = gs_str_make(pb->sample_name, stem.n + suffix.n);
	return GS_OK;
}

static void set_bound(struct gs_expo_parser *parser, struct gs_expo_event *event, double bound) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	event->bound = bound;
	event->labels[event->nlabels++] = (struct gs_label){
	    .name = own_label(pb->type), .value = gs_str_make(pb->number, gs_num_print_go(pb->number, bound))};
}

static void set_exemplar(
    struct gs_expo_parser *parser, struct gs_expo_event *event, const Gs__Expo__Exemplar *exemplar) {
	if (exemplar == NULL)
		return;
	fill_exemplar(&parser->exemplar, parser->labels + GS_LIMIT_LABELS, exemplar);
	event->exemplar = &parser->exemplar;
}

static void set_from_histogram(
    struct gs_expo_parser *parser, struct gs_expo_event *event, const Gs__Expo__Histogram *from, size_t i) {
	if (event->part == GS_PART_BUCKET && i == from->n_bucket) {
		set_bound(parser, event, INFINITY);
		event->value = histogram_count(from);
	} else if (event->part == GS_PART_BUCKET) {
		set_bound(parser, event, from->bucket[i]->upper_bound);
		event->value = bucket_count(from->bucket[i]);
		set_exemplar(parser, event, from->bucket[i]->exemplar);
	} else if (event->part == GS_PART_SUM) {
		event->value = from->sample_sum;
	} else if (event->part == GS_PART_CREATED) {
		event->value = seconds_of(from->created_timestamp);
	} else {
		event->value = histogram_count(from);
		event->native = event->part == GS_PART_NATIVE ? &parser->protobuf.native : NULL;
	}
}

static void set_from_summary(
    struct gs_expo_parser *parser, struct gs_expo_event *event, const Gs__Expo__Summary *from, size_t i) {
	if (event->part == GS_PART_QUANTILE) {
		set_bound(parser, event, from->quantile[i]->quantile);
		event->value = from->quantile[i]->value;
	} else if (event->part == GS_PART_SUM) {
		event->value = from->sample_sum;
	} else if (event->part == GS_PART_COUNT) {
		event->value = (double)from->sample_count;
	} else {
		event->value = seconds_of(from->created_timestamp);
	}
}

static void set_from_counter(
    struct gs_expo_parser *parser, struct gs_expo_event *event, const Gs__Expo__Counter *from) {
	if (event->part == GS_PART_CREATED) {
		event->value = seconds_of(from->created_timestamp);
		return;
	}
	event->value = from->value;
	set_exemplar(parser, event, from->exemplar);
}

static void set_value(struct gs_expo_parser *parser, struct gs_expo_event *event, size_t i) {
	const Gs__Expo__Metric *metric = metric_of(&parser->protobuf);
	switch (event->type) {
	case GS_TYPE_COUNTER:
		set_from_counter(parser, event, metric->counter);
		break;
	case GS_TYPE_GAUGE:
		event->value = metric->gauge->value;
		break;
	case GS_TYPE_HISTOGRAM:
	case GS_TYPE_GAUGEHISTOGRAM:
		set_from_histogram(parser, event, metric->histogram, i);
		break;
	case GS_TYPE_SUMMARY:
		set_from_summary(parser, event, metric->summary, i);
		break;
	case GS_TYPE_UNTYPED:
	case GS_TYPE_INFO:
	case GS_TYPE_STATESET:
		event->value = metric->untyped->value;
		break;
	}
}

enum gs_status gs_expo_metric_next(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct gs_expo_protobuf *pb = &parser->protobuf;
	const Gs__Expo__Metric *metric = metric_of(pb);
	size_t i = pb->next_sample++;
	event->kind = GS_EXPO_SAMPLE;
	event->joined = i != 0;
	if (i >= pb->nleading)
		event->part = pb->tail[i - pb->nleading];
	else
		event->part = pb->type == GS_TYPE_SUMMARY ? GS_PART_QUANTILE : GS_PART_BUCKET;
	event->has_timestamp = metric->has_timestamp_ms != 0;
	event->timestamp_ms = metric->timestamp_ms;
	/* Anew for every sample: the caller may have sorted them. */
	event->labels = parser->labels;
	event->nlabels = metric->n_label;
	fill_labels(event->labels, metric->label, metric->n_label);
	set_value(parser, event, i);
	return set_name(parser, event);
}
