/* SPDX-License-Identifier: Apache-2.0 */
/* What a sample is to its family; what stands twice in text. OpenMetrics goes the way of text where its rules beyond a line are not asked for. */
#include "family.h"

#include <assert.h>
#include <math.h>

#include "gravel/base/hash.h"
#include "number.h"
#include "parser.h"
#include "seen.h"

#define BIT(suffix) (1U << GS_SUFFIX_##suffix)

/* As in Prometheus' expfmt; the parts of a gauge histogram, of which text 0.0.4 has none, are those of OpenMetrics. */
static const unsigned text_suffixes[] = {
    [GS_TYPE_UNTYPED] = BIT(NONE),
    [GS_TYPE_COUNTER] = BIT(NONE),
    [GS_TYPE_GAUGE] = BIT(NONE),
    [GS_TYPE_HISTOGRAM] = BIT(BUCKET) | BIT(COUNT) | BIT(SUM),
    [GS_TYPE_SUMMARY] = BIT(NONE) | BIT(COUNT) | BIT(SUM),
    [GS_TYPE_INFO] = BIT(NONE),
    [GS_TYPE_STATESET] = BIT(NONE),
    [GS_TYPE_GAUGEHISTOGRAM] = BIT(BUCKET) | BIT(GCOUNT) | BIT(GSUM),
};

static const struct gs_str suffix_texts[] = {
    [GS_SUFFIX_NONE] = GS_STR_INIT(""),
    [GS_SUFFIX_TOTAL] = GS_STR_INIT("_total"),
    [GS_SUFFIX_CREATED] = GS_STR_INIT("_created"),
    [GS_SUFFIX_BUCKET] = GS_STR_INIT("_bucket"),
    [GS_SUFFIX_COUNT] = GS_STR_INIT("_count"),
    [GS_SUFFIX_SUM] = GS_STR_INIT("_sum"),
    [GS_SUFFIX_GCOUNT] = GS_STR_INIT("_gcount"),
    [GS_SUFFIX_GSUM] = GS_STR_INIT("_gsum"),
    [GS_SUFFIX_INFO] = GS_STR_INIT("_info"),
};

struct gs_str gs_expo_suffix_text(enum gs_expo_suffix suffix) {
	return suffix_texts[suffix];
}

void gs_expo_family_begin(struct gs_expo_parser *parser) {
	struct gs_expo_family *family = &parser->family;
	gs_expo_family_set(family, (struct gs_str){0}, GS_TYPE_UNTYPED, 0);
	family->joinable = false;
	gs_expo_family_fresh(family);
	family->lost = false;
	family->line = 0;
	family->last_n = 0;
	family->point.open = false;
	if (parser->options.seen != NULL)
		gs_expo_seen_clear(parser->options.seen);
}

void gs_expo_family_set(struct gs_expo_family *family, struct gs_str name, enum gs_expo_type type, unsigned suffixes) {
	assert(name.n <= sizeof(family->name));
	if (name.n != 0)
		memcpy(family->name, name.p, name.n);
	family->n = name.n;
	family->type = type;
	family->composite = type == GS_TYPE_HISTOGRAM || type == GS_TYPE_SUMMARY || type == GS_TYPE_GAUGEHISTOGRAM;
	family->suffixes = suffixes;
}

static enum gs_expo_suffix suffix_of(struct gs_str s) {
	enum gs_expo_suffix suffix = GS_SUFFIX_NONE;
	while (suffix < GS_SUFFIXES && !gs_str_eq(s, suffix_texts[suffix]))
		suffix++;
	return suffix;
}

enum gs_expo_suffix gs_expo_suffix_of(struct gs_str name, const struct gs_expo_family *family) {
	if (name.n < family->n || memcmp(name.p, family->name, family->n) != 0)
		return GS_SUFFIXES;
	enum gs_expo_suffix suffix = suffix_of(gs_str_make(name.p + family->n, name.n - family->n));
	return (family->suffixes & 1U << suffix) != 0 ? suffix : GS_SUFFIXES;
}

enum gs_expo_part gs_expo_part_of(enum gs_expo_type type, enum gs_expo_suffix suffix) {
	static const uint8_t parts[] = {
	    [GS_SUFFIX_NONE] = GS_PART_VALUE,
	    [GS_SUFFIX_TOTAL] = GS_PART_VALUE,
	    [GS_SUFFIX_CREATED] = GS_PART_CREATED,
	    [GS_SUFFIX_BUCKET] = GS_PART_BUCKET,
	    [GS_SUFFIX_COUNT] = GS_PART_COUNT,
	    [GS_SUFFIX_SUM] = GS_PART_SUM,
	    [GS_SUFFIX_GCOUNT] = GS_PART_COUNT,
	    [GS_SUFFIX_GSUM] = GS_PART_SUM,
	    [GS_SUFFIX_INFO] = GS_PART_VALUE,
	};
	bool quantile = suffix == GS_SUFFIX_NONE && type == GS_TYPE_SUMMARY;
	return quantile ? GS_PART_QUANTILE : (enum gs_expo_part)parts[suffix];
}

/* From behind: le is the last label more often than not. */
size_t gs_expo_find_label(const struct gs_expo_event *event, struct gs_str name) {
	for (size_t i = event->nlabels; i > 0; i--) {
		if (gs_str_eq(event->labels[i - 1].name, name))
			return i - 1;
	}
	return event->nlabels;
}

struct gs_str gs_expo_bound_name(enum gs_expo_type type) {
	if (type == GS_TYPE_SUMMARY)
		return GS_STR("quantile");
	return type == GS_TYPE_HISTOGRAM || type == GS_TYPE_GAUGEHISTOGRAM ? GS_STR("le") : GS_STR("");
}

bool gs_expo_read_bound(const struct gs_expo_parser *parser, struct gs_str text, double *ret) {
	if (text.n == 0)
		return false;
	/* Most bounds are short, and without escapes in its line the text stands in the window. */
	if (text.n <= 8 && parser->scratch_used == 0 && parser->bounds.limit - text.p >= 8 &&
	    gs_expo_parse_short(text, ret))
		return true;
	if (!gs_expo_is_decimal(text) || gs_num_parse_double(text, ret) != GS_OK || isnan(*ret))
		return false;
	/* An infinite number without the letter of the word Inf was too large. */
	return !isinf(*ret) || memchr(text.p, 'n', text.n) != NULL || memchr(text.p, 'N', text.n) != NULL;
}

const char *gs_expo_at(const struct gs_expo_parser *parser, const char *p) {
	return p >= parser->line_start && p <= parser->bounds.end ? p : parser->line_start;
}

enum gs_status gs_expo_fail_memory(struct gs_expo_parser *parser) {
	return gs_expo_fail(parser, GS_ENOMEM, parser->line_start, "no memory to remember what stood before");
}

/* The part and bound, and the index of the label le or quantile; false if it has that and should not, or should and has not. */
static bool find_part(const struct gs_expo_parser *parser, struct gs_expo_event *event, bool again, size_t *ret_at) {
	const struct gs_expo_family *family = &parser->family;
	enum gs_expo_suffix suffix = GS_SUFFIX_NONE;
	size_t at = event->nlabels - 1;
	enum gs_expo_part part = family->type == GS_TYPE_SUMMARY ? GS_PART_QUANTILE : GS_PART_BUCKET;
	if (!again) {
		suffix = gs_expo_suffix_of(event->name, family);
		if (suffix == GS_SUFFIXES)
			return false;
		part = gs_expo_part_of(family->type, suffix);
		at = gs_expo_find_label(event, gs_expo_bound_name(family->type));
	}
	bool bounded = part == GS_PART_BUCKET || part == GS_PART_QUANTILE;
	if (bounded != (at < event->nlabels) ||
	    (bounded && !gs_expo_read_bound(parser, event->labels[at].value, &event->bound)))
		return false;
	event->part = part;
	*ret_at = at;
	return true;
}

/*
 * A sample whose name begins with that of a histogram or summary. Where it is none of its parts, it is a metric of its own that no TYPE line
 * stands for.
 */
static void part_of_text(struct gs_expo_parser *parser, struct gs_expo_event *event, bool again) {
	struct gs_expo_family *family = &parser->family;
	bool joinable = family->joinable;
	size_t at;
	family->joinable = find_part(parser, event, again, &at);
	if (!family->joinable)
		return;
	event->family.n = family->n;
	event->type = family->type;
	event->joined = joinable && family->has_timestamp == event->has_timestamp &&
			family->timestamp_ms == event->timestamp_ms &&
			(again || gs_expo_kept_same(&family->labels, parser, event, at));
	if (!event->joined)
		gs_expo_kept_keep(&family->labels, parser, event, at);
	family->has_timestamp = event->has_timestamp;
	family->timestamp_ms = event->timestamp_ms;
}

/* Add a key that may be there already. */
static enum gs_status note(struct gs_expo_parser *parser, enum gs_expo_tag tag, struct gs_str name) {
	bool again;
	if (gs_expo_seen_add(parser->options.seen, gs_expo_seen_key(tag, gs_hash(name), 0), &again) != GS_OK)
		return gs_expo_fail_memory(parser);
	return GS_OK;
}

static enum gs_status sample_seen(struct gs_expo_parser *parser, const struct gs_expo_event *event, bool typed) {
	uint64_t labels = gs_expo_hash_labels(event->labels, event->nlabels, event->nlabels);
	uint64_t key = gs_expo_seen_key(GS_SEEN_SERIES, gs_hash(event->name), labels);
	bool again;
	if (gs_expo_seen_add(parser->options.seen, key, &again) != GS_OK)
		return gs_expo_fail_memory(parser);
	if (again)
		return gs_expo_fail(parser, GS_EINVAL, gs_expo_at(parser, event->series.p),
		    "the series %s stands twice", gs_expo_quote(event->series).text);
	enum gs_status status = note(parser, GS_SEEN_FAMILY, event->family);
	return status == GS_OK && !typed ? note(parser, GS_SEEN_UNTYPED, event->name) : status;
}

/* OpenMetrics by lines: a value with suffix, or its _created. */
static void part_of_value(const struct gs_expo_family *family, struct gs_expo_event *event) {
	enum gs_expo_suffix suffix = gs_expo_suffix_of(event->name, family);
	if (suffix == GS_SUFFIXES)
		return;
	event->family.n = family->n;
	event->type = family->type;
	event->part = gs_expo_part_of(family->type, suffix);
}

/* Whether what stands twice is looked for. What that is in OpenMetrics is for the rules that go beyond a line. */
static bool remembers(const struct gs_expo_parser *parser) {
	return parser->options.seen != NULL && parser->options.format != GS_FORMAT_OPENMETRICS;
}

static enum gs_status text_sample(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct gs_expo_family *family = &parser->family;
	bool typed = false;
	bool again = family->joinable && gs_expo_kept_again(&family->labels, parser, event);
	event->family = event->name;
	if (!again && (event->name.n < family->n || memcmp(event->name.p, family->name, family->n) != 0)) {
		family->joinable = false;
	} else if (family->composite) {
		part_of_text(parser, event, again);
		typed = family->joinable;
	} else if (event->name.n == family->n) {
		event->type = family->type;
		typed = true;
	} else if (parser->options.format == GS_FORMAT_OPENMETRICS) {
		part_of_value(family, event);
	}
	return !remembers(parser) ? GS_OK : sample_seen(parser, event, typed);
}

static bool has(const struct gs_expo_parser *parser, enum gs_expo_tag tag, struct gs_str name) {
	return gs_expo_seen_has(parser->options.seen, gs_expo_seen_key(tag, gs_hash(name), 0));
}

/* Whether a sample that would be the family's stood before its TYPE line. */
static bool has_samples(const struct gs_expo_parser *parser, struct gs_str name, unsigned suffixes) {
	char text[GS_LIMIT_NAME + 16];
	memcpy(text, name.p, name.n);
	for (enum gs_expo_suffix suffix = GS_SUFFIX_TOTAL; suffix < GS_SUFFIXES; suffix++) {
		struct gs_str s = suffix_texts[suffix];
		memcpy(text + name.n, s.p, s.n);
		if ((suffixes & 1U << suffix) != 0 && has(parser, GS_SEEN_UNTYPED, gs_str_make(text, name.n + s.n)))
			return true;
	}
	return has(parser, GS_SEEN_FAMILY, name);
}

/* A TYPE or HELP line that stood before may stand again, if it says the same. */
static enum gs_status meta_seen(struct gs_expo_parser *parser, const struct gs_expo_event *event) {
	bool is_type = event->kind == GS_EXPO_TYPE;
	struct gs_str value = is_type ? gs_str_of(gs_expo_type_name(event->type)) : event->text;
	uint64_t name = gs_hash(event->name);
	uint64_t key = gs_expo_seen_key(is_type ? GS_SEEN_TYPE : GS_SEEN_HELP, name, 0);
	uint64_t value_key = gs_expo_seen_key(is_type ? GS_SEEN_TYPE_VALUE : GS_SEEN_HELP_VALUE, name, gs_hash(value));
	const char *at = gs_expo_at(parser, event->name.p);
	bool same, again;
	if (gs_expo_seen_add(parser->options.seen, value_key, &same) != GS_OK ||
	    gs_expo_seen_add(parser->options.seen, key, &again) != GS_OK)
		return gs_expo_fail_memory(parser);
	if (again && !same)
		return gs_expo_fail(parser, GS_EINVAL, at, "a second %s of metric %s, which says something else",
		    is_type ? "TYPE" : "HELP", gs_expo_quote(event->name).text);
	if (is_type && !again && has_samples(parser, event->name, text_suffixes[event->type]))
		return gs_expo_fail(parser, GS_EINVAL, at, "the TYPE of metric %s stands after its samples",
		    gs_expo_quote(event->name).text);
	return GS_OK;
}

static enum gs_status text_meta(struct gs_expo_parser *parser, const struct gs_expo_event *event) {
	struct gs_expo_family *family = &parser->family;
	if (event->kind == GS_EXPO_TYPE &&
	    (event->type != family->type || !gs_str_eq(event->name, gs_expo_family_name(family)))) {
		unsigned suffixes = parser->options.format == GS_FORMAT_OPENMETRICS
					? gs_expo_openmetrics_suffixes(event->type)
					: text_suffixes[event->type];
		gs_expo_family_set(family, event->name, event->type, suffixes);
		family->joinable = false;
	}
	return !remembers(parser) ? GS_OK : meta_seen(parser, event);
}

enum gs_status gs_expo_classify(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	if (parser->options.format == GS_FORMAT_OPENMETRICS && !parser->options.lines_only)
		return gs_expo_openmetrics(parser, event);
	if (event->kind == GS_EXPO_SAMPLE)
		return text_sample(parser, event);
	return event->kind == GS_EXPO_TYPE || event->kind == GS_EXPO_HELP ? text_meta(parser, event) : GS_OK;
}
