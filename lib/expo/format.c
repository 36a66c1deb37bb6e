/* SPDX-License-Identifier: Apache-2.0 */
/* Media types. Formats: RFC 9110, 8.3 and 12.5.1, and Prometheus' docs/instrumenting/content_negotiation. */
#include "gravel/expo/format.h"

#include <strings.h>

#include "gravel/base/num.h"

/* A media type or range with those of its parameters that mean something here. */
struct media {
	struct gs_str type; /* "text/plain" */
	struct gs_str version;
	struct gs_str escaping;
	struct gs_str proto;
	struct gs_str encoding;
	double q; /* 0 to 1 */
};

/* How well a range fits a format; what it does not say at all is worst. */
enum fit {
	FIT_NONE,
	FIT_ANYTHING, /* any type */
	FIT_ANY_TEXT, /* any subtype of text */
	FIT_TYPE, /* the type, no version */
	FIT_VERSION,
};

/* What an Accept header says of one format. */
struct wish {
	enum fit fit;
	double q;
	size_t position;
	struct gs_str escaping;
	bool draft;
};

static bool is_word(struct gs_str s, const char *word) {
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* Cut *rest at the first ${sep} outside quotes. False at the end. */
static bool cut(struct gs_str *rest, char sep, struct gs_str *ret) {
	bool quoted = false;
	size_t n = 0;
	if (rest->p == NULL)
		return false;
	for (; n < rest->n && (quoted || rest->p[n] != sep); n++) {
		if (rest->p[n] == '"')
			quoted = !quoted;
		else if (quoted && rest->p[n] == '\\' && n + 1 < rest->n)
			n++;
	}
	*ret = gs_str_trim(gs_str_make(rest->p, n));
	*rest = n < rest->n ? gs_str_make(rest->p + n + 1, rest->n - n - 1) : (struct gs_str){0};
	return true;
}

/* A q that cannot be read asks for nothing. */
static double read_q(struct gs_str value) {
	double q;
	if (gs_num_parse_double(value, &q) != GS_OK || !(q >= 0))
		return 0;
	return q < 1 ? q : 1;
}

static void read_parameter(struct gs_str text, struct media *media) {
	struct gs_str name, value;
	gs_str_cut(text, '=', &name, &value);
	name = gs_str_trim(name);
	value = gs_str_trim(value);
	/* No value that matters needs a backslash; with one it stays what matches nothing. */
	if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
		value = gs_str_make(value.p + 1, value.n - 2);
	if (is_word(name, "q"))
		media->q = read_q(value);
	else if (is_word(name, "version"))
		media->version = value;
	else if (is_word(name, "escaping"))
		media->escaping = value;
	else if (is_word(name, "proto"))
		media->proto = value;
	else if (is_word(name, "encoding"))
		media->encoding = value;
}

static struct media read_media(struct gs_str text) {
	struct media media = {.q = 1};
	struct gs_str parameter;
	(void)cut(&text, ';', &media.type);
	while (cut(&text, ';', &parameter))
		read_parameter(parameter, &media);
	return media;
}

static const char *const escapings[] = {
    [GS_ESCAPE_UNDERSCORES] = "underscores",
    [GS_ESCAPE_DOTS] = "dots",
    [GS_ESCAPE_VALUES] = "values",
    [GS_ESCAPE_NONE] = "allow-utf-8",
};

#define ESCAPINGS (sizeof(escapings) / sizeof(escapings[0]))

/* Underscores if the word is none. */
static enum gs_escaping escaping_of(struct gs_str word) {
	for (size_t i = 0; i < ESCAPINGS; i++) {
		if (is_word(word, escapings[i]))
			return (enum gs_escaping)i;
	}
	return GS_ESCAPE_UNDERSCORES;
}

static bool is_escaping(struct gs_str word) {
	return escaping_of(word) != GS_ESCAPE_UNDERSCORES || is_word(word, escapings[GS_ESCAPE_UNDERSCORES]);
}

enum gs_status gs_expo_read_content_type(
    struct gs_str content_type, struct gs_expo_options *ret, struct gs_error *err) {
	struct media media = read_media(content_type);
	*ret = (struct gs_expo_options){.format = GS_FORMAT_TEXT};
	if (is_word(media.type, "application/openmetrics-text")) {
		ret->format = GS_FORMAT_OPENMETRICS;
		ret->utf8_names = escaping_of(media.escaping) == GS_ESCAPE_NONE;
	} else if (is_word(media.type, "application/vnd.google.protobuf")) {
		ret->format = GS_FORMAT_PROTOBUF;
		if (media.proto.n != 0 && !gs_str_eq(media.proto, GS_STR("io.prometheus.client.MetricFamily")))
			return gs_error_set(err, GS_EUNSUPPORTED, 0, 0,
			    "a protobuf that is no io.prometheus.client.MetricFamily is not read");
		if (media.encoding.n != 0 && !is_word(media.encoding, "delimited"))
			return gs_error_set(
			    err, GS_EUNSUPPORTED, 0, 0, "a protobuf whose encoding is not delimited is not read");
	} else if (is_word(media.type, "application/x-protobuf")) {
		return gs_error_set(err, GS_EUNSUPPORTED, 0, 0,
		    "application/x-protobuf is not read: application/vnd.google.protobuf is the exposition");
	} else if (is_word(media.type, "text/plain") && gs_str_eq(media.version, GS_STR("1.0.0"))) {
		ret->format = GS_FORMAT_TEXT_1;
	}
	return GS_OK;
}

/* It has no versions; what it says of message and encoding stands for one. */
static enum fit fit_of_protobuf(const struct media *media) {
	if (!is_word(media->type, "application/vnd.google.protobuf") ||
	    (media->proto.n != 0 && !gs_str_eq(media->proto, GS_STR("io.prometheus.client.MetricFamily"))) ||
	    (media->encoding.n != 0 && !is_word(media->encoding, "delimited")))
		return FIT_NONE;
	return media->proto.n != 0 && media->encoding.n != 0 ? FIT_VERSION : FIT_TYPE;
}

static enum fit fit_of(const struct media *media, enum gs_expo_format format) {
	static const char *const versions[] = {
	    [GS_FORMAT_TEXT] = "0.0.4",
	    [GS_FORMAT_TEXT_1] = "1.0.0",
	    [GS_FORMAT_OPENMETRICS] = "1.0.0",
	};
	bool text = format == GS_FORMAT_TEXT || format == GS_FORMAT_TEXT_1;
	if (is_word(media->type, "*/*") || is_word(media->type, "*"))
		return FIT_ANYTHING;
	if (format == GS_FORMAT_PROTOBUF)
		return fit_of_protobuf(media);
	if (text && is_word(media->type, "text/*"))
		return FIT_ANY_TEXT;
	if (!is_word(media->type, text ? "text/plain" : "application/openmetrics-text"))
		return FIT_NONE;
	if (media->version.n == 0) /* of each type its oldest version is meant */
		return format == GS_FORMAT_TEXT_1 ? FIT_NONE : FIT_TYPE;
	bool draft = !text && is_word(media->version, "0.0.1");
	return draft || is_word(media->version, versions[format]) ? FIT_VERSION : FIT_NONE;
}

/* Of the ranges that fit a format the most specific decides, then the first. One for version 0.0.1 is less than one for 1.0.0. */
static void take_wish(struct wish *wish, const struct media *media, enum gs_expo_format format, size_t position) {
	enum fit fit = fit_of(media, format);
	bool draft = format == GS_FORMAT_OPENMETRICS && is_word(media->version, "0.0.1");
	if (fit < wish->fit || (fit == wish->fit && (!wish->draft || draft)))
		return;
	*wish =
	    (struct wish){.fit = fit, .q = media->q, .position = position, .escaping = media->escaping, .draft = draft};
}

static bool is_better(const struct wish *a, const struct wish *b) {
	if (a->q != b->q)
		return a->q > b->q;
	return a->fit != b->fit ? a->fit > b->fit : a->position < b->position;
}

/* What the reader would have liked as much or better says of escaping. */
static struct gs_str find_escaping(struct gs_str accept, double q) {
	struct gs_str text, found = {0};
	while (found.n == 0 && cut(&accept, ',', &text)) {
		struct media media = read_media(text);
		if (media.q >= q && is_escaping(media.escaping))
			found = media.escaping;
	}
	return found;
}

struct gs_expo_dialect gs_expo_negotiate(struct gs_str accept, unsigned formats) {
	struct wish wishes[GS_FORMAT_PROTOBUF + 1] = {0}, none = {0}, *best = &none;
	struct gs_str rest = accept, text;
	for (size_t position = 0; cut(&rest, ',', &text); position++) {
		struct media media = read_media(text);
		for (enum gs_expo_format f = GS_FORMAT_TEXT; f <= GS_FORMAT_PROTOBUF; f++)
			take_wish(&wishes[f], &media, f, position);
	}
	for (enum gs_expo_format f = GS_FORMAT_TEXT; f <= GS_FORMAT_PROTOBUF; f++) {
		if ((formats & GS_FORMAT_SET(f)) != 0 && wishes[f].q > 0 && is_better(&wishes[f], best))
			best = &wishes[f];
	}
	if (best == &none)
		return (struct gs_expo_dialect){.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_UNDERSCORES};
	struct gs_str escaping = is_escaping(best->escaping) ? best->escaping : find_escaping(accept, best->q);
	return (struct gs_expo_dialect){
	    .format = (enum gs_expo_format)(best - wishes), .escaping = escaping_of(escaping), .draft = best->draft};
}

#define DRAFT (GS_FORMAT_PROTOBUF + 1) /* an index: the first name of OpenMetrics */

#define TYPES(type)                                                                                                    \
	{                                                                                                              \
		[GS_ESCAPE_UNDERSCORES] = type "; escaping=underscores", [GS_ESCAPE_DOTS] = type "; escaping=dots",    \
		[GS_ESCAPE_VALUES] = type "; escaping=values", [GS_ESCAPE_NONE] = type "; escaping=allow-utf-8",       \
	}

const char *gs_expo_content_type(struct gs_expo_dialect dialect) {
	static const char *const types[][ESCAPINGS] = {
	    [GS_FORMAT_TEXT] = TYPES("text/plain; version=0.0.4; charset=utf-8"),
	    [GS_FORMAT_TEXT_1] = TYPES("text/plain; version=1.0.0; charset=utf-8"),
	    [GS_FORMAT_OPENMETRICS] = TYPES("application/openmetrics-text; version=1.0.0; charset=utf-8"),
	    [GS_FORMAT_PROTOBUF] =
		TYPES("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"),
	    [DRAFT] = TYPES("application/openmetrics-text; version=0.0.1; charset=utf-8"),
	};
	bool draft = dialect.format == GS_FORMAT_OPENMETRICS && dialect.draft;
	return types[draft ? DRAFT : (unsigned)dialect.format][dialect.escaping];
}
