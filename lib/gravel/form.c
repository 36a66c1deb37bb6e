/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a family is written in a format that has rules for more than a line. A family that breaks one would spoil the whole exposition, so
 * it is written as what has no rules: unknown. What decides is what is stored: values, and the names of other families. All of it is found when somebody
 * reads, and remembered by versions: whoever pushes, and whoever reads text, pays nothing.
 */
#include <math.h>

#include "label.h"
#include "store_internal.h"

#define TOTAL GS_STR("_total")
#define INFO GS_STR("_info")
#define CREATED GS_STR("_created")

#define WHOLE_END 18446744073709551616.0 /* 2^64 */

/* Names */

/* The name before the suffix; empty if it does not end so, or is nothing else. */
static struct gs_str stem_of(struct gs_str name, struct gs_str suffix) {
	bool ends = name.n > suffix.n && gs_str_ends(name, suffix);
	return ends ? gs_str_make(name.p, name.n - suffix.n) : (struct gs_str){0};
}

static struct family *find_with(const struct gs_store *store, struct gs_str stem, struct gs_str suffix) {
	char text[GS_LIMIT_NAME + 16];
	if (stem.n + suffix.n > sizeof(text))
		return NULL; /* no family has such a name */
	memcpy(text, stem.p, stem.n);
	memcpy(text + stem.n, suffix.p, suffix.n);
	return gs_family_find(store, gs_str_make(text, stem.n + suffix.n));
}

static bool has_type(const struct family *family, enum gs_expo_type type) {
	return family != NULL && family->types[type] != 0;
}

static bool is_only(const struct family *family, enum gs_expo_type type) {
	enum gs_expo_type one;
	return family != NULL && gs_family_type(family, &one) && one == type;
}

/* Whether a family has a part of that name. */
static bool is_part(const struct gs_store *store, struct gs_str name) {
	static const enum gs_expo_type types[] = {GS_TYPE_HISTOGRAM, GS_TYPE_SUMMARY, GS_TYPE_GAUGEHISTOGRAM};
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		for (enum part_suffix s = SUFFIX_BUCKET; s < SUFFIXES; s++) {
			struct gs_str stem = stem_of(name, gs_part_suffix(types[t], s));
			if (stem.n != 0 && !(types[t] == GS_TYPE_SUMMARY && s == SUFFIX_BUCKET) &&
			    has_type(gs_family_find(store, stem), types[t]))
				return true;
		}
	}
	return false;
}

/* Whether a histogram, summary or counter could have times of creation of that name. */
static bool is_created(const struct gs_store *store, struct gs_str name) {
	struct gs_str stem = stem_of(name, CREATED);
	if (stem.n == 0)
		return false;
	const struct family *family = gs_family_find(store, stem);
	return has_type(family, GS_TYPE_HISTOGRAM) || has_type(family, GS_TYPE_SUMMARY) ||
	       has_type(find_with(store, stem, TOTAL), GS_TYPE_COUNTER);
}

/*
 * Text has each name once. OpenMetrics gives a counter x_total two more, x and x_created, an info x_info the name x, a histogram or summary x the name
 * x_created. Who would get a name that another one has, or would get and goes before, gets none: histograms and summaries go before counters, those
 * before infos. x_created is not looked at here: it may be a part of this one.
 */
static bool find_clash(const struct gs_store *store, const struct family *family) {
	struct gs_str of_total = stem_of(family->name, TOTAL), of_info = stem_of(family->name, INFO);
	bool counter = of_total.n != 0 && has_type(family, GS_TYPE_COUNTER);
	bool info = of_info.n != 0 && has_type(family, GS_TYPE_INFO);
	struct gs_str stem = counter ? of_total : of_info;
	if (!counter && !info)
		return false;
	if (gs_family_find(store, stem) != NULL || is_part(store, stem) || is_created(store, stem))
		return true;
	if (info)
		return has_type(find_with(store, stem, TOTAL), GS_TYPE_COUNTER);
	const struct family *created = find_with(store, stem, GS_STR("_created_total"));
	return has_type(created, GS_TYPE_COUNTER);
}

/* The other family of x_created and x_total or x. */
static struct family *find_partner(const struct gs_store *store, const struct family *family) {
	struct gs_str stem = stem_of(family->name, CREATED), total = stem_of(family->name, TOTAL);
	if (is_only(family, GS_TYPE_HISTOGRAM) || is_only(family, GS_TYPE_SUMMARY))
		return find_with(store, family->name, CREATED);
	if (total.n != 0 && is_only(family, GS_TYPE_COUNTER))
		return find_with(store, total, CREATED);
	if (stem.n == 0)
		return NULL;
	struct family *other = gs_family_find(store, stem);
	if (other != NULL)
		return is_only(other, GS_TYPE_HISTOGRAM) || is_only(other, GS_TYPE_SUMMARY) ? other : NULL;
	other = find_with(store, stem, TOTAL);
	return is_only(other, GS_TYPE_COUNTER) ? other : NULL;
}

static struct kin *kin_of(struct gs_store *store, struct family *family) {
	struct kin *kin = &family->kin;
	if (kin->shape == store->shape)
		return kin;
	const struct family *partner = find_partner(store, family);
	uint32_t number = partner != NULL ? partner->number : 0;
	bool clash = find_clash(store, family);
	if (kin->partner != number || kin->clash != clash)
		gs_family_touch(store, family);
	kin->partner = number;
	kin->clash = clash;
	kin->shape = store->shape;
	return kin;
}

static struct family *partner_of(struct gs_store *store, struct family *family) {
	const struct kin *kin = kin_of(store, family);
	return kin->partner != 0 ? gs_family_at(store, kin->partner) : NULL;
}

static uint64_t later_version(const struct family *a, const struct family *b) {
	return a->version > b->version ? a->version : b->version;
}

uint64_t gs_form_version(struct gs_store *store, struct family *family) {
	struct family *partner = partner_of(store, family);
	if (partner == NULL)
		return family->version;
	/* A number of its own: the partner stands for the same two. */
	uint64_t of = later_version(family, partner);
	if (family->kin.served_of != of)
		family->kin.served = ++store->version;
	family->kin.served_of = of;
	return family->kin.served;
}

/* Values */

static bool is_whole(double v) {
	return v >= 0 && v < WHOLE_END && v == floor(v);
}

static bool is_count(double v) {
	return v >= 0 && isfinite(v) && v == floor(v);
}

static bool has_inf(const struct layout *layout) {
	return layout->n != 0 && layout->at[layout->n - 1] == (double)INFINITY;
}

/* OpenMetrics, "Histogram" and "GaugeHistogram". */
static bool is_strict_histogram(const struct parts *parts, bool gauge) {
	const struct layout *layout = parts->layout;
	bool below_zero = layout->n != 0 && layout->at[0] < 0;
	double last = 0;
	if (!has_inf(layout) || parts->has_sum != parts->has_count)
		return false;
	for (uint32_t i = 0; i < layout->n; i++) {
		if (!is_count(parts->v[i]) || parts->v[i] < last)
			return false;
		last = parts->v[i];
	}
	if (parts->has_count && parts->count != last)
		return false;
	if (!parts->has_sum)
		return true;
	return gauge ? parts->sum >= 0 || (below_zero && !isnan(parts->sum)) : parts->sum >= 0 && !below_zero;
}

/* OpenMetrics, "Summary". */
static bool is_strict_summary(const struct parts *parts) {
	const struct layout *layout = parts->layout;
	for (uint32_t i = 0; i < layout->n; i++) {
		if (!(layout->at[i] >= 0 && layout->at[i] <= 1) || parts->v[i] < 0)
			return false;
	}
	return (!parts->has_count || is_count(parts->count)) && (!parts->has_sum || parts->sum >= 0);
}

static unsigned bit(enum form_rules rules, bool broken) {
	return broken ? 1U << rules : 0;
}

static unsigned broken_number(enum gs_expo_type type, double value) {
	switch (type) {
	case GS_TYPE_COUNTER:
		return bit(FORM_STRICT, !(value >= 0));
	case GS_TYPE_INFO:
		return bit(FORM_STRICT, value != 1);
	case GS_TYPE_STATESET:
		return bit(FORM_STRICT, value != 0 && value != 1);
	case GS_TYPE_GAUGE: /* as a time of creation */
		return bit(FORM_STRICT, !isfinite(value));
	case GS_TYPE_UNTYPED:
	case GS_TYPE_HISTOGRAM:
	case GS_TYPE_SUMMARY:
	case GS_TYPE_GAUGEHISTOGRAM:
		break;
	}
	return 0;
}

/*
 * What the message has no room for, or its readers would fill in: a part that is missing, a count that is no whole number. The parts of a gauge
 * histogram have other names to Prometheus than in text, so it is one only where it has a native part.
 */
static bool is_binary_histogram(const struct parts *parts, const struct native *native, bool gauge) {
	const struct layout *layout = parts->layout;
	if (!parts->has_sum || !parts->has_count || !has_inf(layout) || parts->count != parts->v[layout->n - 1] ||
	    (gauge && native == NULL))
		return false;
	for (uint32_t i = 0; i < layout->n; i++) {
		if (!is_whole(parts->v[i]) && (native == NULL || !native->it.is_float || !(parts->v[i] >= 0)))
			return false;
	}
	return true;
}

static bool is_binary_summary(const struct parts *parts) {
	return parts->has_sum && parts->has_count && is_whole(parts->count);
}

unsigned gs_form_broken(const struct gs_store *store, const struct series *series) {
	const struct extra *extra = gs_extra_of(store, series);
	enum gs_expo_type type = (enum gs_expo_type)series->type;
	bool gauge = type == GS_TYPE_GAUGEHISTOGRAM;
	if (extra != NULL && extra->pebble != NULL)
		return 0; /* the family has pebbles: that is enough to know */
	switch (gs_kind_of_type(type)) {
	case KIND_HISTOGRAM:
		return bit(FORM_STRICT, !is_strict_histogram(extra->parts, gauge)) |
		       bit(FORM_BINARY, !is_binary_histogram(extra->parts, extra->native, gauge));
	case KIND_SUMMARY:
		return bit(FORM_STRICT, !is_strict_summary(extra->parts)) |
		       bit(FORM_BINARY, !is_binary_summary(extra->parts));
	case KIND_SIMPLE:
		break;
	}
	return broken_number(type, series->value);
}

void gs_series_judge(struct gs_store *store, struct family *family, struct series *series) {
	unsigned broken = gs_form_broken(store, series);
	if (series->broken == broken)
		return;
	for (unsigned rules = 0; rules < FORM_RULES; rules++)
		family->nbroken[rules] += (broken >> rules & 1) - (series->broken >> rules & 1);
	series->broken = (uint8_t)broken;
}

/* Cut the label that has the name of the family out of the text of a state: what is before and behind it. */
static bool cut_state(struct gs_str own, struct gs_str name, struct gs_str *before, struct gs_str *behind) {
	char room[2 * GS_LIMIT_NAME + 2];
	struct gs_str rest = own, label_start = own;
	struct gs_label label;
	while (gs_label_next(&rest, &label)) {
		if (label.name.n <= sizeof(room) && gs_str_eq(gs_label_read(label.name, room), name)) {
			*before = gs_str_make(own.p, (size_t)(label_start.p - own.p));
			*behind = rest;
			return true;
		}
		label_start = rest;
	}
	return false;
}

/* OpenMetrics, "StateSet": the states of a set stand together. In their order here they do, unless labels behind that of the state differ. */
static bool is_mixed(struct gs_store *store, struct family *family) {
	struct gs_str before, behind, last_before = {0}, last_behind = {0};
	uint32_t target = 0;
	bool mixed = false;
	if (family->kin.mixed_of == family->members)
		return family->kin.mixed;
	gs_family_sort(store, family);
	for (uint32_t i = 0; i < family->n && !mixed; i++) {
		const struct series *series = gs_series_at(store, family->series[i]);
		mixed = !cut_state(gs_text_str(gs_text_at(store, series->own)), family->name, &before, &behind) ||
			(series->target == target && gs_str_eq(before, last_before) && !gs_str_eq(behind, last_behind));
		target = series->target;
		last_before = before;
		last_behind = behind;
	}
	family->kin.mixed_of = family->members;
	family->kin.mixed = mixed;
	return mixed;
}

/* Whether each series of ${created} is of one that is there. */
static bool is_paired(struct gs_store *store, struct family *family, const struct family *created) {
	struct kin *kin = &family->kin;
	uint64_t of = family->members > created->members ? family->members : created->members;
	if (kin->paired_of == of)
		return kin->paired;
	kin->paired_of = of;
	kin->paired = true;
	for (uint32_t i = 0; i < created->n && kin->paired; i++) {
		if (created->series[i] != 0)
			kin->paired = gs_series_twin(store, gs_series_at(store, created->series[i]), family) != NULL;
	}
	return kin->paired;
}

/* Forms */

/* Whether the family, which has one type, may have that in OpenMetrics, times of creation aside. The value of a pebble falls, which that of a type with rules may not. */
static bool fits_strict(struct gs_store *store, struct family *family, enum gs_expo_type type) {
	if ((type == GS_TYPE_COUNTER && stem_of(family->name, TOTAL).n == 0) ||
	    (type == GS_TYPE_INFO && stem_of(family->name, INFO).n == 0))
		return false;
	return family->npebbles == 0 && family->nbroken[FORM_STRICT] == 0 && !kin_of(store, family)->clash &&
	       (type != GS_TYPE_STATESET || !is_mixed(store, family));
}

static bool may_have_created(enum gs_expo_type type) {
	return type == GS_TYPE_COUNTER || type == GS_TYPE_HISTOGRAM || type == GS_TYPE_SUMMARY;
}

/* Whether in OpenMetrics the family ${created} is a part of this one: all of it is times. */
static bool has_created(struct gs_store *store, struct family *family, const struct family *created) {
	enum gs_expo_type type;
	return gs_family_type(family, &type) && may_have_created(type) && partner_of(store, family) == created &&
	       fits_strict(store, family, type) && is_only(created, GS_TYPE_GAUGE) && created->npebbles == 0 &&
	       created->nbroken[FORM_STRICT] == 0 && is_paired(store, family, created);
}

const struct family *gs_form_created(struct gs_store *store, struct family *family) {
	const struct family *partner = partner_of(store, family);
	return partner != NULL && is_only(partner, GS_TYPE_GAUGE) && partner->npebbles == 0 ? partner : NULL;
}

static enum gs_expo_type without_rules(enum gs_expo_type type) {
	return type == GS_TYPE_INFO || type == GS_TYPE_STATESET ? GS_TYPE_GAUGE : GS_TYPE_UNTYPED;
}

/* Whether lines that are left out would break the type. */
static bool is_whole_only(enum gs_expo_type type) {
	return type == GS_TYPE_HISTOGRAM || type == GS_TYPE_GAUGEHISTOGRAM;
}

static struct form strict_form(
    struct gs_store *store, struct family *family, enum gs_expo_type type, enum form_scope scope) {
	bool all = scope == FORM_ALL;
	struct form form = {.type = type, .together = true};
	struct family *partner = partner_of(store, family);
	if (type == GS_TYPE_UNTYPED)
		return form;
	if (type == GS_TYPE_GAUGE) {
		form.hidden = all && partner != NULL && has_created(store, partner, family);
		return form;
	}
	if (may_have_created(type) && partner != NULL) {
		if (all && has_created(store, family, partner)) {
			form.created = partner;
			return form;
		}
	} else if (!(scope == FORM_LINES && is_whole_only(type)) && fits_strict(store, family, type)) {
		return form;
	}
	return (struct form){.type = without_rules(type), .together = gs_kind_of_type(type) == KIND_SIMPLE};
}

static struct form binary_form(const struct family *family, enum gs_expo_type type, enum form_scope scope) {
	bool simple = gs_kind_of_type(type) == KIND_SIMPLE;
	if (simple || (scope != FORM_LINES && family->npebbles == 0 && family->nbroken[FORM_BINARY] == 0))
		return (struct form){.type = type, .together = true};
	return (struct form){.type = GS_TYPE_UNTYPED};
}

struct form gs_form_of(struct gs_store *store, struct family *family, enum form_rules rules, enum form_scope scope) {
	enum gs_expo_type type = GS_TYPE_UNTYPED;
	if (!gs_family_type(family, &type))
		return (struct form){.type = GS_TYPE_UNTYPED};
	if (rules == FORM_STRICT)
		return strict_form(store, family, type, scope);
	if (rules == FORM_BINARY)
		return binary_form(family, type, scope);
	/* Text has no gaugehistogram: to its readers the parts are metrics of their own. */
	bool gauge = type == GS_TYPE_GAUGEHISTOGRAM;
	return (struct form){.type = gauge ? GS_TYPE_UNTYPED : type, .together = !gauge};
}

bool gs_form_bound_stands(struct gs_str text) {
	bool digit = false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		digit = digit || (c >= '0' && c <= '9');
		if (!(c >= '0' && c <= '9') && memchr("+-.eE", c, 5) == NULL)
			return gs_str_eq(text, GS_STR("+Inf"));
	}
	return digit;
}
