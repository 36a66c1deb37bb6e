/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of OpenMetrics 1.0 that go beyond one line, in the order of its specification; where that leaves a choice, as Python's client reads
 * it (docs/FORMATS.md has the differences). The first sample of a metric point tells what the last one before left out.
 */
#include <math.h>

#include "gravel/base/hash.h"
#include "gravel/base/num.h"
#include "parser.h"
#include "seen.h"

#define BIT(suffix) (1U << GS_SUFFIX_##suffix)

static const unsigned type_suffixes[] = {
    [GS_TYPE_UNTYPED] = BIT(NONE),
    [GS_TYPE_COUNTER] = BIT(TOTAL) | BIT(CREATED),
    [GS_TYPE_GAUGE] = BIT(NONE),
    [GS_TYPE_HISTOGRAM] = BIT(BUCKET) | BIT(COUNT) | BIT(SUM) | BIT(CREATED),
    [GS_TYPE_SUMMARY] = BIT(NONE) | BIT(COUNT) | BIT(SUM) | BIT(CREATED),
    [GS_TYPE_INFO] = BIT(INFO),
    [GS_TYPE_STATESET] = BIT(NONE),
    [GS_TYPE_GAUGEHISTOGRAM] = BIT(BUCKET) | BIT(GCOUNT) | BIT(GSUM),
};

unsigned gs_expo_openmetrics_suffixes(enum gs_expo_type type) {
	return type_suffixes[type];
}

/* A sample and what the rules need of it. */
struct sample {
	struct gs_expo_event *event;
	enum gs_expo_suffix suffix;
	bool again; /* the sample before with another bound */
	size_t except; /* the label that is none of the metric: le, quantile or the state; nlabels if there is none */
	struct gs_expo_stamp stamp; /* if event->has_timestamp */
};

/* The rest of a sample's line, for the position of an error; its form is known to be right. */
static const char *value_of(const struct gs_expo_parser *parser, const struct gs_expo_event *event) {
	return gs_expo_skip_blanks(event->series.p + event->series.n, parser->bounds.end);
}

static const char *next_word(const struct gs_expo_parser *parser, const char *p) {
	return gs_expo_skip_blanks(gs_expo_skip_word(p, &parser->bounds), parser->bounds.end);
}

static const char *exemplar_of(const struct gs_expo_parser *parser, const struct gs_expo_event *event) {
	const char *p = next_word(parser, value_of(parser, event));
	return event->has_timestamp ? next_word(parser, p) : p;
}

static const char *label_of(const struct gs_expo_parser *parser, const struct gs_expo_event *event, size_t i) {
	const char *p = event->labels[i].value.p;
	bool stands = p >= event->series.p && p <= event->series.p + event->series.n;
	return gs_expo_at(parser, stands ? p : event->series.p);
}

/* "histogram "foo"" for error texts. */
struct described {
	char text[128];
};

static struct described describe(enum gs_expo_type type, struct gs_str name) {
	struct described d;
	struct gs_str word = type == GS_TYPE_UNTYPED ? GS_STR("metric") : gs_str_of(gs_expo_type_name(type));
	struct gs_expo_quoted quoted = gs_expo_quote(name);
	size_t n = strlen(quoted.text) + 1;
	memcpy(d.text, word.p, word.n);
	d.text[word.n] = ' ';
	memcpy(d.text + word.n + 1, quoted.text, n);
	return d;
}

static struct described describe_family(const struct gs_expo_family *family) {
	return describe(family->type, gs_expo_family_name(family));
}

/* The end of a metric point. */

static const char *problem_of_histogram(const struct gs_expo_point *point) {
	bool count = (point->had & (BIT(COUNT) | BIT(GCOUNT))) != 0;
	bool sum = (point->had & (BIT(SUM) | BIT(GSUM))) != 0;
	if ((point->had & BIT(BUCKET)) == 0 || point->bound != (double)INFINITY)
		return "has no bucket of le=\"+Inf\"";
	if (count && point->count != point->bucket)
		return "has a count that is not the value of its bucket of le=\"+Inf\"";
	if (sum != count)
		return sum ? "has a sum, but no count" : "has a count, but no sum";
	if ((point->had & BIT(SUM)) != 0 && point->negative_bound)
		return "has a sum, though it has a bucket below 0";
	if (point->negative_sum && !point->negative_bound)
		return "has a sum below 0, but no such bucket";
	return NULL;
}

/* Fails with the line of the last sample of the point; the current line is read all the same. */
static void end_point(struct gs_expo_parser *parser) {
	struct gs_expo_family *family = &parser->family;
	struct gs_expo_point *point = &family->point;
	const char *problem = NULL;
	if (!point->open)
		return;
	point->open = false;
	if (family->type == GS_TYPE_HISTOGRAM || family->type == GS_TYPE_GAUGEHISTOGRAM)
		problem = problem_of_histogram(point);
	else if (family->type == GS_TYPE_COUNTER && (point->had & BIT(TOTAL)) == 0)
		problem = "has a _created, but no _total";
	if (problem == NULL || point->spoilt)
		return;
	(void)gs_expo_fail(parser, GS_EINVAL, parser->line_start, "%s %s", describe_family(family).text, problem);
	parser->error.line = point->line;
}

/* Families. */

/* name and the suffix, if the family "name" of that type would have such samples and other is their name. */
static bool clashes(struct gs_str name, enum gs_expo_type type, struct gs_str other) {
	enum gs_expo_suffix suffix = GS_SUFFIX_NONE;
	if (!gs_str_starts(other, name))
		return false;
	struct gs_str rest = gs_str_make(other.p + name.n, other.n - name.n);
	while (suffix < GS_SUFFIXES && !gs_str_eq(rest, gs_expo_suffix_text(suffix)))
		suffix++;
	return suffix < GS_SUFFIXES && ((type_suffixes[type] | BIT(NONE)) & 1U << suffix) != 0;
}

/* The name of a family, or of samples that it may have. */
static enum gs_status add_name(
    struct gs_expo_parser *parser, enum gs_expo_tag tag, struct gs_str name, bool *ret_again) {
	uint64_t hash = gs_hash(name);
	enum gs_expo_tag other = tag == GS_SEEN_NAME ? GS_SEEN_FAMILY : GS_SEEN_NAME;
	*ret_again = false;
	if (gs_expo_seen_has(parser->options.seen, gs_expo_seen_key(other, hash, 0))) {
		*ret_again = true;
		return GS_OK;
	}
	return gs_expo_seen_add(parser->options.seen, gs_expo_seen_key(tag, hash, 0), ret_again);
}

/* name is that of a family: it must be no other's, nor one that another's samples may have. */
static enum gs_status check_family_name(struct gs_expo_parser *parser, struct gs_str name, const char *at) {
	bool again;
	struct gs_expo_seen *seen = parser->options.seen;
	if (seen == NULL)
		return GS_OK;
	bool twice = gs_expo_seen_has(seen, gs_expo_seen_key(GS_SEEN_FAMILY, gs_hash(name), 0));
	if (add_name(parser, GS_SEEN_FAMILY, name, &again) != GS_OK)
		return gs_expo_fail_memory(parser);
	if (twice)
		return gs_expo_fail(
		    parser, GS_EINVAL, at, "the family %s stands in two places", gs_expo_quote(name).text);
	if (again)
		return gs_expo_fail(parser, GS_EINVAL, at, "the name %s clashes with a sample of another family",
		    gs_expo_quote(name).text);
	return GS_OK;
}

/* Begin the family called name. The one before is complete. */
static void start_family(struct gs_expo_parser *parser, struct gs_str name) {
	struct gs_expo_family *family = &parser->family;
	end_point(parser);
	memcpy(family->last, family->name, family->n);
	family->last_n = family->n;
	gs_expo_family_set(family, name, GS_TYPE_UNTYPED, type_suffixes[GS_TYPE_UNTYPED]);
	gs_expo_family_fresh(family);
}

static enum gs_status open_family(struct gs_expo_parser *parser, struct gs_str name, const char *at) {
	struct gs_expo_family *family = &parser->family;
	struct gs_str last = gs_str_make(family->last, family->n);
	enum gs_expo_type last_type = family->type;
	start_family(parser, name);
	if (last.n == 0 || !clashes(last, last_type, name))
		return check_family_name(parser, name, at);
	if (name.n == last.n)
		return gs_expo_fail(
		    parser, GS_EINVAL, at, "a sample of the %s has no suffix", describe(last_type, last).text);
	return gs_expo_fail(parser, GS_EINVAL, at, "the name %s clashes with a sample of the %s",
	    gs_expo_quote(name).text, describe(last_type, last).text);
}

/* The names that a sample of the family may have from now on must be no other family's. */
static enum gs_status check_sample_names(struct gs_expo_parser *parser, const char *at) {
	struct gs_expo_family *family = &parser->family;
	char text[GS_LIMIT_NAME + 16];
	bool again = false;
	memcpy(text, family->name, family->n);
	for (enum gs_expo_suffix suffix = GS_SUFFIX_TOTAL; suffix < GS_SUFFIXES; suffix++) {
		struct gs_str s = gs_expo_suffix_text(suffix);
		struct gs_str name = gs_str_make(text, family->n + s.n);
		if ((family->suffixes & 1U << suffix) == 0)
			continue;
		memcpy(text + family->n, s.p, s.n);
		if (parser->options.seen != NULL && add_name(parser, GS_SEEN_NAME, name, &again) != GS_OK)
			return gs_expo_fail_memory(parser);
		if (again || gs_str_eq(name, gs_str_make(family->last, family->last_n)))
			return gs_expo_fail(parser, GS_EINVAL, at,
			    "sample name %s of the %s clashes with another family", gs_expo_quote(name).text,
			    describe_family(family).text);
	}
	return GS_OK;
}

static bool may_have_unit(enum gs_expo_type type) {
	return type != GS_TYPE_INFO && type != GS_TYPE_STATESET;
}

static enum gs_status read_type(struct gs_expo_parser *parser, const struct gs_expo_event *event, const char *at) {
	struct gs_expo_family *family = &parser->family;
	if (family->has_type)
		return gs_expo_fail(parser, GS_EINVAL, at, "a second TYPE of the %s", describe_family(family).text);
	family->has_type = true;
	gs_expo_family_set(family, event->name, event->type, type_suffixes[event->type]);
	if (family->has_unit && !may_have_unit(event->type))
		return gs_expo_fail(parser, GS_EINVAL, at, "the %s has a unit", describe_family(family).text);
	return check_sample_names(parser, at);
}

static enum gs_status read_unit(struct gs_expo_parser *parser, const struct gs_expo_event *event, const char *at) {
	struct gs_expo_family *family = &parser->family;
	size_t n = event->text.n;
	if (family->has_unit_line)
		return gs_expo_fail(parser, GS_EINVAL, at, "a second UNIT of the %s", describe_family(family).text);
	family->has_unit_line = true;
	family->has_unit = n != 0;
	if (n == 0)
		return GS_OK;
	if (!may_have_unit(family->type))
		return gs_expo_fail(parser, GS_EINVAL, at, "the %s has a unit", describe_family(family).text);
	if (family->n <= n || family->name[family->n - n - 1] != '_' ||
	    memcmp(family->name + family->n - n, event->text.p, n) != 0)
		return gs_expo_fail(parser, GS_EINVAL, gs_expo_at(parser, event->text.p),
		    "the name of the %s does not end in \"_\" and the unit %s", describe_family(family).text,
		    gs_expo_quote(event->text).text);
	return GS_OK;
}

static enum gs_status read_help(struct gs_expo_parser *parser, const char *at) {
	struct gs_expo_family *family = &parser->family;
	if (family->has_help)
		return gs_expo_fail(parser, GS_EINVAL, at, "a second HELP of the %s", describe_family(family).text);
	family->has_help = true;
	return GS_OK;
}

/*
 * An empty HELP or UNIT says nothing, but it is a line: it may stand once, before the samples, and begins a family. Behind samples of a family of
 * that name it begins another, which only a memory finds wrong: most programs in Go expose the gauge go_memstats_alloc_bytes, and next
 * to it the counter of that name.
 */
static enum gs_status read_meta(struct gs_expo_parser *parser, const struct gs_expo_event *event) {
	struct gs_expo_family *family = &parser->family;
	const char *at = gs_expo_at(parser, event->name.p);
	enum gs_status status = GS_OK;
	if (!gs_str_eq(event->name, gs_expo_family_name(family)))
		status = open_family(parser, event->name, at);
	else if (family->has_samples && parser->options.seen != NULL)
		return gs_expo_fail(
		    parser, GS_EINVAL, at, "the %s has metadata after its samples", describe_family(family).text);
	else if (family->has_samples)
		start_family(parser, event->name);
	if (status == GS_ENOMEM)
		return status;
	if (event->kind == GS_EXPO_TYPE)
		return read_type(parser, event, at);
	return event->kind == GS_EXPO_UNIT ? read_unit(parser, event, at) : read_help(parser, at);
}

/* Samples. */

/* Which label is none of the metric, and that there is one where there must be and none where there must not. */
static enum gs_status check_labels(struct gs_expo_parser *parser, struct sample *sample) {
	struct gs_expo_family *family = &parser->family;
	struct gs_expo_event *event = sample->event;
	bool bounded = event->part == GS_PART_BUCKET || event->part == GS_PART_QUANTILE;
	bool state = family->type == GS_TYPE_STATESET;
	struct gs_str name = state ? gs_expo_family_name(family) : gs_expo_bound_name(family->type);
	sample->except = event->nlabels;
	if (name.n == 0)
		return GS_OK;
	sample->except = sample->again ? event->nlabels - 1 : gs_expo_find_label(event, name);
	if (sample->except == event->nlabels)
		return !bounded && !state ? GS_OK
					  : gs_expo_fail(parser, GS_EINVAL, gs_expo_at(parser, event->series.p),
						"a sample of the %s has no label %s", describe_family(family).text,
						gs_expo_quote(name).text);
	if (state)
		return GS_OK;
	struct gs_str value = event->labels[sample->except].value;
	const char *at = label_of(parser, event, sample->except);
	if (!bounded)
		return gs_expo_fail(parser, GS_EINVAL, at, "sample %s has a label %s, though it is no %s",
		    gs_expo_quote(event->name).text, gs_expo_quote(name).text,
		    family->type == GS_TYPE_SUMMARY ? "quantile" : "bucket");
	bool valid = gs_expo_read_bound(parser, value, &event->bound);
	if (event->part == GS_PART_QUANTILE)
		valid = valid && event->bound >= 0 && event->bound <= 1;
	else
		valid = valid && (event->bound != (double)INFINITY || gs_str_eq(value, GS_STR("+Inf")));
	if (!valid)
		return gs_expo_fail(parser, GS_EINVAL, at, "%s=%s of the %s is no %s", name.p,
		    gs_expo_quote(value).text, describe_family(family).text,
		    event->part == GS_PART_QUANTILE ? "number from 0 to 1" : "number or \"+Inf\"");
	return GS_OK;
}

/* The timestamp as it stands in the line: seconds and, in plain decimals, nanoseconds; what has an exponent as exactly as a double can. */
static struct gs_expo_stamp read_stamp(const struct gs_expo_parser *parser, const struct gs_expo_event *event) {
	const char *p = next_word(parser, value_of(parser, event));
	struct gs_str text = gs_expo_between(p, gs_expo_skip_word(p, &parser->bounds)), whole, fraction;
	struct gs_expo_stamp stamp = {0};
	double seconds;
	(void)gs_str_cut(text, '.', &whole, &fraction);
	if (gs_num_parse_i64(whole, &stamp.s) != GS_OK || memchr(text.p, 'e', text.n) != NULL ||
	    memchr(text.p, 'E', text.n) != NULL) {
		if (gs_num_parse_double(text, &seconds) != GS_OK)
			seconds = (double)event->timestamp_ms / 1000;
		/* The lexer has taken it as milliseconds in 64 bits. */
		stamp.s = (int64_t)floor(seconds);
		stamp.ns = (int32_t)((seconds - floor(seconds)) * 1e9);
		return stamp;
	}
	for (size_t i = 0; i < 9; i++)
		stamp.ns = stamp.ns * 10 + (i < fraction.n ? fraction.p[i] - '0' : 0);
	if (text.p[0] == '-' && stamp.ns != 0) {
		stamp.s--;
		stamp.ns = 1000000000 - stamp.ns;
	}
	return stamp;
}

static int compare_stamps(struct gs_expo_stamp a, struct gs_expo_stamp b) {
	if (a.s != b.s)
		return a.s < b.s ? -1 : 1;
	return (a.ns > b.ns) - (a.ns < b.ns);
}

static void open_point(struct gs_expo_family *family, const struct sample *sample) {
	struct gs_expo_point *point = &family->point;
	point->open = true;
	point->spoilt = family->lost;
	point->has_timestamp = sample->event->has_timestamp;
	point->negative_bound = point->negative_sum = false;
	point->had = 0;
	point->stamp = sample->stamp;
}

/* The first sample of a metric that is another than that of the sample before. */
static enum gs_status open_metric(struct gs_expo_parser *parser, const struct sample *sample) {
	struct gs_expo_family *family = &parser->family;
	const struct gs_expo_event *event = sample->event;
	bool again;
	end_point(parser);
	open_point(family, sample);
	if (family->type == GS_TYPE_INFO)
		return GS_OK;
	gs_expo_kept_keep(&family->labels, parser, event, sample->except);
	if (parser->options.seen == NULL)
		return GS_OK;
	uint64_t labels = gs_expo_hash_labels(event->labels, event->nlabels, sample->except);
	uint64_t key = gs_expo_seen_key(GS_SEEN_GROUP, gs_hash(gs_expo_family_name(family)), labels);
	if (gs_expo_seen_add(parser->options.seen, key, &again) != GS_OK)
		return gs_expo_fail_memory(parser);
	if (again)
		return gs_expo_fail(parser, GS_EINVAL, gs_expo_at(parser, event->series.p),
		    "%s belongs to a metric that stood before the last one", gs_expo_quote(event->series).text);
	return GS_OK;
}

static enum gs_status fail_twice(struct gs_expo_parser *parser, const struct gs_expo_event *event) {
	return gs_expo_fail(parser, GS_EINVAL, gs_expo_at(parser, event->series.p), "the series %s stands twice",
	    gs_expo_quote(event->series).text);
}

/* Whether the sample before was of this metric; false also where nothing depends on it. Of an info no one can tell. */
static bool is_same_metric(const struct gs_expo_parser *parser, const struct sample *sample) {
	const struct gs_expo_family *family = &parser->family;
	const struct gs_expo_point *point = &family->point;
	bool counter =
	    family->type == GS_TYPE_COUNTER && (sample->suffix == GS_SUFFIX_CREATED || (point->had & BIT(TOTAL)) == 0);
	if (!point->open || family->type == GS_TYPE_INFO)
		return false;
	if (!family->composite && !counter && !point->has_timestamp && !sample->event->has_timestamp &&
	    parser->options.seen == NULL)
		return false;
	return sample->again || gs_expo_kept_same(&family->labels, parser, sample->event, sample->except);
}

/* Whether the series stands twice at the same time, or twice without one. */
static enum gs_status check_series(struct gs_expo_parser *parser, const struct sample *sample) {
	const struct gs_expo_event *event = sample->event;
	struct gs_expo_stamp stamp = sample->stamp;
	uint64_t key = gs_expo_hash_labels(event->labels, event->nlabels, event->nlabels);
	bool again;
	if (event->has_timestamp)
		key = gs_expo_seen_key(GS_SEEN_TIME, (uint64_t)stamp.s, gs_expo_seen_key(GS_SEEN_TIME, stamp.ns, key));
	key = gs_expo_seen_key(GS_SEEN_SERIES, gs_hash(event->name), key);
	if (gs_expo_seen_add(parser->options.seen, key, &again) != GS_OK)
		return gs_expo_fail_memory(parser);
	return again ? fail_twice(parser, event) : GS_OK;
}

/*
 * A part that its metric point has already. There are many quantiles, states and infos, in any order, so that only a memory of all tells;
 * that the bounds of buckets rise is looked at elsewhere. Points of one value may have equal timestamps. That they have none and stand
 * twice is left to the caller if there is no memory, as the contract has it: Prometheus takes one of them.
 */
static enum gs_status check_twice(struct gs_expo_parser *parser, const struct sample *sample) {
	const struct gs_expo_family *family = &parser->family;
	const struct gs_expo_event *event = sample->event;
	bool again = (family->point.had & 1U << sample->suffix) != 0;
	bool many = event->part == GS_PART_QUANTILE || family->type == GS_TYPE_STATESET || family->type == GS_TYPE_INFO;
	if (event->part == GS_PART_BUCKET || (event->has_timestamp && !family->composite))
		return GS_OK;
	if (many)
		return parser->options.seen != NULL ? check_series(parser, sample) : GS_OK;
	return again && (family->composite || parser->options.seen != NULL) ? fail_twice(parser, event) : GS_OK;
}

/* Which metric and metric point the sample is of. */
static enum gs_status find_point(struct gs_expo_parser *parser, struct sample *sample) {
	struct gs_expo_family *family = &parser->family;
	struct gs_expo_point *point = &family->point;
	struct gs_expo_event *event = sample->event;
	if (event->has_timestamp)
		sample->stamp = read_stamp(parser, event);
	if (!is_same_metric(parser, sample))
		return open_metric(parser, sample);
	if (point->has_timestamp != event->has_timestamp)
		return gs_expo_fail(parser, GS_EINVAL, gs_expo_at(parser, event->series.p),
		    "%s has %s timestamp, unlike the sample of its metric before", gs_expo_quote(event->series).text,
		    event->has_timestamp ? "a" : "no");
	int order = event->has_timestamp ? compare_stamps(sample->stamp, point->stamp) : 0;
	if (order < 0)
		return gs_expo_fail(parser, GS_EINVAL, next_word(parser, value_of(parser, event)),
		    "the timestamp of %s is before that of the sample of its metric before",
		    gs_expo_quote(event->series).text);
	if (order > 0) {
		end_point(parser);
		open_point(family, sample);
	}
	event->joined = order == 0 && family->composite;
	return GS_OK;
}

static enum gs_status fail_value(
    struct gs_expo_parser *parser, const struct gs_expo_event *event, const char *problem) {
	return gs_expo_fail(parser, GS_EINVAL, value_of(parser, event), "the value of %s of the %s %s",
	    gs_expo_quote(event->name).text, describe_family(&parser->family).text, problem);
}

static enum gs_status check_value(struct gs_expo_parser *parser, const struct sample *sample) {
	enum gs_expo_type type = parser->family.type;
	const struct gs_expo_event *event = sample->event;
	double value = event->value;
	unsigned suffix = 1U << sample->suffix;
	unsigned counts = BIT(BUCKET) | BIT(COUNT) | BIT(GCOUNT);
	if ((suffix & (counts | BIT(TOTAL) | BIT(SUM) | BIT(GSUM))) != 0 && isnan(value))
		return fail_value(parser, event, "is NaN");
	if ((suffix & (counts | BIT(TOTAL) | BIT(SUM))) != 0 && value < 0)
		return fail_value(parser, event, "is below 0");
	if ((suffix & counts) != 0 && (isinf(value) || value != floor(value)))
		return fail_value(parser, event, "is no integer");
	if (event->part == GS_PART_CREATED && !isfinite(value))
		return fail_value(parser, event, "is no time");
	if (event->part == GS_PART_QUANTILE && value < 0)
		return fail_value(parser, event, "is below 0");
	if (type == GS_TYPE_STATESET && value != 0 && value != 1)
		return fail_value(parser, event, "is not 0 or 1");
	if (type == GS_TYPE_INFO && value != 1)
		return fail_value(parser, event, "is not 1");
	return GS_OK;
}

static enum gs_status check_exemplar(struct gs_expo_parser *parser, const struct sample *sample) {
	const struct gs_expo_event *event = sample->event;
	if (event->exemplar == NULL)
		return GS_OK;
	if ((1U << sample->suffix & (BIT(BUCKET) | BIT(TOTAL))) == 0)
		return gs_expo_fail(parser, GS_EINVAL, exemplar_of(parser, event),
		    "an exemplar of %s, which is no bucket and no counter's _total", gs_expo_quote(event->name).text);
	if (event->part == GS_PART_BUCKET && !(event->exemplar->value <= event->bound)) /* nor if it is NaN */
		return gs_expo_fail(parser, GS_EINVAL, exemplar_of(parser, event),
		    "the exemplar of %s is not within its bucket", gs_expo_quote(event->series).text);
	return GS_OK;
}

/* What the end of the point will be judged by; buckets must rise. */
static enum gs_status note_value(struct gs_expo_parser *parser, const struct sample *sample) {
	struct gs_expo_point *point = &parser->family.point;
	const struct gs_expo_event *event = sample->event;
	bool first = (point->had & 1U << sample->suffix) == 0;
	point->had |= 1U << sample->suffix;
	if (event->part == GS_PART_COUNT)
		point->count = event->value;
	if (sample->suffix == GS_SUFFIX_GSUM && event->value < 0)
		point->negative_sum = true;
	if (event->part != GS_PART_BUCKET)
		return GS_OK;
	if (!first && event->bound <= point->bound)
		return gs_expo_fail(parser, GS_EINVAL, label_of(parser, event, sample->except),
		    "a bucket of the %s is not above the one before", describe_family(&parser->family).text);
	if (!first && event->value < point->bucket)
		return fail_value(parser, event, "is less than that of the bucket before");
	point->negative_bound = point->negative_bound || event->bound < 0;
	point->bound = event->bound;
	point->bucket = event->value;
	return GS_OK;
}

static enum gs_status check_sample(struct gs_expo_parser *parser, struct sample *sample) {
	enum gs_status status = check_labels(parser, sample);
	if (status == GS_OK)
		status = find_point(parser, sample);
	if (status == GS_OK)
		status = check_twice(parser, sample);
	if (status == GS_OK)
		status = check_value(parser, sample);
	if (status == GS_OK)
		status = check_exemplar(parser, sample);
	return status == GS_OK ? note_value(parser, sample) : status;
}

/*
 * What most samples are: one value without timestamp and exemplar, of a family that has no rules but for the name, or a counter. True if it is, and
 * breaks none.
 */
static inline bool is_simple(
    struct gs_expo_parser *parser, const struct gs_expo_event *event, enum gs_expo_suffix suffix) {
	struct gs_expo_family *family = &parser->family;
	struct gs_expo_point *point = &family->point;
	unsigned types = 1U << GS_TYPE_GAUGE | 1U << GS_TYPE_UNTYPED | 1U << GS_TYPE_COUNTER;
	if ((types & 1U << family->type) == 0 || event->has_timestamp || event->exemplar != NULL ||
	    parser->options.seen != NULL || (point->open && point->has_timestamp))
		return false;
	if (family->type == GS_TYPE_COUNTER &&
	    (suffix != GS_SUFFIX_TOTAL || !(event->value >= 0) || (point->open && (point->had & BIT(TOTAL)) == 0)))
		return false;
	point->open = true;
	point->spoilt = family->lost;
	point->has_timestamp = false;
	point->had = 1U << suffix;
	point->line = event->line;
	gs_expo_kept_keep(&family->labels, parser, event, event->nlabels);
	return true;
}

static enum gs_status read_sample(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct gs_expo_family *family = &parser->family;
	struct sample sample = {.event = event};
	enum gs_status status = GS_OK;
	sample.again = family->composite && family->point.open && gs_expo_kept_again(&family->labels, parser, event);
	if (!sample.again)
		sample.suffix = gs_expo_suffix_of(event->name, family);
	else if (family->type != GS_TYPE_SUMMARY)
		sample.suffix = GS_SUFFIX_BUCKET;
	/* A name that is none of the family's begins one that no TYPE line stands for. */
	if (sample.suffix == GS_SUFFIXES) {
		status = open_family(parser, event->name, gs_expo_at(parser, event->series.p));
		sample.suffix = GS_SUFFIX_NONE;
	}
	family->has_samples = true;
	event->family = gs_str_make(event->name.p, family->n);
	event->type = family->type;
	event->part = gs_expo_part_of(family->type, sample.suffix);
	if (status == GS_OK && is_simple(parser, event, sample.suffix))
		return GS_OK;
	if (status == GS_OK)
		status = check_sample(parser, &sample);
	if (status != GS_OK)
		family->point.spoilt = true;
	family->point.line = event->line;
	return status;
}

enum gs_status gs_expo_openmetrics(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct gs_expo_family *family = &parser->family;
	enum gs_status status = GS_OK;
	/* Every line is an event. */
	family->lost = event->line > family->line + 1;
	family->line = event->line;
	if (family->lost)
		family->point.spoilt = true;
	if (event->kind == GS_EXPO_SAMPLE)
		status = read_sample(parser, event);
	else if (event->kind != GS_EXPO_END)
		status = read_meta(parser, event);
	else
		end_point(parser);
	return status != GS_OK ? status : parser->status;
}
