/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is given to the writer, as long as it is UTF-8: what it writes parses again, in every dialect, and holds the same samples. The
 * bytes of the input make the model: a family, its type, help and unit, and samples with labels, timestamps and exemplars.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/expo/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SAMPLES_MAX 12
#define LABELS_MAX 5
#define TEXT_MAX 40 /* bytes of a name or value */
#define WRITTEN_MAX (GS_EXPO_ESCAPED_MAX(TEXT_MAX) + 16)

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* The input, read from its start; it never ends, but gives zeros. */
struct source {
	const uint8_t *p;
	const uint8_t *end;
};

struct texts {
	size_t n;
	char bytes[4096];
};

struct model {
	struct gs_expo_family family;
	struct gs_expo_sample samples[SAMPLES_MAX];
	size_t n;
	struct gs_label labels[SAMPLES_MAX][LABELS_MAX];
	struct gs_label bounds[SAMPLES_MAX];
	struct gs_exemplar exemplars[SAMPLES_MAX];
	struct gs_label exemplar_labels[SAMPLES_MAX][LABELS_MAX];
	struct texts texts;
};

static uint8_t byte(struct source *source) {
	return source->p < source->end ? *source->p++ : 0;
}

/* A text of the input, up to a byte 0xff; what is no UTF-8 in it becomes 'x'. */
static struct gs_str read_text(struct source *source, struct texts *texts) {
	char *start = texts->bytes + texts->n;
	size_t n = 0;
	while (n < TEXT_MAX && source->p < source->end && *source->p != 0xff && texts->n + n < sizeof(texts->bytes))
		start[n++] = (char)*source->p++;
	if (source->p < source->end && *source->p == 0xff)
		source->p++;
	for (size_t i = 0; i < n && !gs_str_is_utf8(gs_str_make(start, n)); i++) {
		if ((start[i] & 0x80) != 0)
			start[i] = 'x';
	}
	texts->n += n;
	return gs_str_make(start, n);
}

/* A name: not empty, not __name__, which is none of a label. */
static struct gs_str read_name(struct source *source, struct texts *texts) {
	struct gs_str name = read_text(source, texts);
	return name.n != 0 && !gs_str_eq(name, GS_STR("__name__")) ? name : GS_STR("n");
}

static double read_double(struct source *source) {
	static const double some[] = {0, 1, -1, 0.5, 1e6, 123456789, 1e300, 5e-324, INFINITY, -INFINITY, NAN, 3};
	uint8_t kind = byte(source);
	double v;
	if (kind < 128)
		return some[kind % (sizeof(some) / sizeof(some[0]))];
	uint8_t bits[8];
	for (size_t i = 0; i < sizeof(bits); i++)
		bits[i] = byte(source);
	memcpy(&v, bits, sizeof(v));
	return v;
}

/* Milliseconds that a double of seconds tells apart. */
static int64_t read_time(struct source *source) {
	int64_t ms = 0;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | byte(source);
	return (byte(source) & 1) != 0 ? -ms : ms;
}

/* Labels with distinct names, written as they are or escaped: names that VALUES keeps apart. */
static size_t read_labels(struct source *source, struct texts *texts, struct gs_label *labels) {
	size_t want = byte(source) % (LABELS_MAX + 1), n = 0;
	for (size_t i = 0; i < want; i++) {
		struct gs_label label = {read_name(source, texts), read_text(source, texts)};
		bool known = false;
		for (size_t k = 0; k < n; k++)
			known |= gs_str_eq(labels[k].name, label.name);
		if (!known)
			labels[n++] = label;
	}
	return n;
}

static bool has_label(const struct gs_label *labels, size_t n, struct gs_str name) {
	for (size_t i = 0; i < n; i++) {
		if (gs_str_eq(labels[i].name, name))
			return true;
	}
	return false;
}

static void read_sample(struct source *source, struct model *m) {
	static const struct gs_str suffixes[] = {GS_STR_INIT(""), GS_STR_INIT("_bucket"), GS_STR_INIT("_sum"),
	    GS_STR_INIT("_count"), GS_STR_INIT("_created"), GS_STR_INIT("_gsum"), GS_STR_INIT("_gcount")};
	static const struct gs_str bounds[] = {GS_STR_INIT("le"), GS_STR_INIT("quantile")};
	struct gs_expo_sample *s = &m->samples[m->n];
	uint8_t flags = byte(source);
	*s = (struct gs_expo_sample){.labels = m->labels[m->n], .has_timestamp = (flags & 1) != 0};
	s->suffix = suffixes[byte(source) % (sizeof(suffixes) / sizeof(suffixes[0]))];
	s->nlabels = read_labels(source, &m->texts, m->labels[m->n]);
	s->value = read_double(source);
	if (s->has_timestamp)
		s->timestamp_ms = read_time(source);
	struct gs_str bound = bounds[(flags >> 1) & 1];
	if ((flags & 4) != 0 && !has_label(s->labels, s->nlabels, bound)) {
		m->bounds[m->n] = (struct gs_label){bound, read_text(source, &m->texts)};
		s->bound = &m->bounds[m->n];
	}
	if ((flags & 8) != 0) {
		struct gs_exemplar *e = &m->exemplars[m->n];
		*e = (struct gs_exemplar){.labels = m->exemplar_labels[m->n], .has_timestamp = (flags & 16) != 0};
		e->nlabels = read_labels(source, &m->texts, m->exemplar_labels[m->n]);
		e->value = read_double(source);
		if (e->has_timestamp)
			e->timestamp_ms = read_time(source);
		s->exemplar = e;
	}
	m->n++;
}

static void read_model(struct source *source, struct model *m) {
	m->texts.n = 0;
	m->n = 0;
	m->family = (struct gs_expo_family){.type = (enum gs_expo_type)(byte(source) % (GS_TYPE_GAUGEHISTOGRAM + 1))};
	m->family.no_type = (byte(source) & 7) == 7;
	m->family.name = read_name(source, &m->texts);
	m->family.help = read_text(source, &m->texts);
	m->family.unit = read_text(source, &m->texts);
	while (m->n < SAMPLES_MAX && source->p < source->end)
		read_sample(source, m);
}

/* A name as a reader of the dialect must get it. */
static struct gs_str expected_name(
    struct gs_expo_dialect dialect, enum gs_name_kind kind, struct gs_str name, char *text) {
	bool classic = kind == GS_NAME_LABEL ? gs_expo_is_label_name(name) : gs_expo_is_metric_name(name);
	if (dialect.escaping == GS_ESCAPE_NONE)
		return name;
	if (dialect.escaping == GS_ESCAPE_VALUES && (!classic || gs_str_starts(name, GS_STR("U__"))))
		return gs_str_make(text, gs_expo_escape_always(text, name, kind));
	return classic ? name : gs_str_make(text, gs_expo_escape(text, name, kind, dialect.escaping));
}

static bool is_same(double a, double b) {
	return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

/* A time as it is read back. Seconds are written exactly, but the reader multiplies a double and drops what is below a millisecond, as
 * Prometheus does: one of a hundred times comes a millisecond short. */
static int64_t expected_time(struct gs_expo_dialect dialect, int64_t ms) {
	return dialect.format == GS_FORMAT_OPENMETRICS ? (int64_t)((double)ms / 1000 * 1000) : ms;
}

static void compare_label(
    struct gs_expo_dialect dialect, const struct gs_label *expected, const struct gs_label *found, bool number) {
	char text[WRITTEN_MAX];
	demand(gs_str_eq(found->name, expected_name(dialect, GS_NAME_LABEL, expected->name, text)), "a label name");
	demand(number || gs_str_eq(found->value, expected->value), "a label value");
}

static void compare_exemplar(
    struct gs_expo_dialect dialect, const struct gs_exemplar *expected, const struct gs_exemplar *found) {
	demand(expected != NULL, "an exemplar that nobody gave");
	demand(found->nlabels == expected->nlabels, "labels of an exemplar");
	for (size_t i = 0; i < found->nlabels; i++)
		compare_label(dialect, &expected->labels[i], &found->labels[i], false);
	demand(is_same(found->value, expected->value), "the value of an exemplar");
	demand(found->has_timestamp == expected->has_timestamp, "the timestamp of an exemplar");
	demand(!found->has_timestamp || found->timestamp_ms == expected_time(dialect, expected->timestamp_ms),
	    "when an exemplar was");
}

static void compare_sample(struct gs_expo_dialect dialect, const struct gs_expo_family *family,
    const struct gs_expo_sample *s, const struct gs_expo_event *e) {
	char text[WRITTEN_MAX + sizeof("_created")], base[WRITTEN_MAX];
	struct gs_str name = expected_name(dialect, GS_NAME_METRIC, family->name, base);
	bool strict = dialect.format == GS_FORMAT_OPENMETRICS;
	if (strict && family->type == GS_TYPE_COUNTER && gs_str_eq(s->suffix, GS_STR("_created")))
		name.n -= strlen("_total");
	memcpy(text, name.p, name.n);
	memcpy(text + name.n, s->suffix.p, s->suffix.n);
	demand(gs_str_eq(e->name, gs_str_make(text, name.n + s->suffix.n)), "the name of a sample");
	demand(e->nlabels == s->nlabels + (s->bound != NULL), "how many labels there are");
	for (size_t i = 0; i < s->nlabels; i++) {
		bool number = strict && (gs_str_eq(s->labels[i].name, GS_STR("le")) ||
					    gs_str_eq(s->labels[i].name, GS_STR("quantile")));
		compare_label(dialect, &s->labels[i], &e->labels[i], number);
	}
	if (s->bound != NULL)
		compare_label(dialect, s->bound, &e->labels[s->nlabels], strict);
	demand(is_same(e->value, s->value), "a value");
	demand(e->has_timestamp == s->has_timestamp, "a timestamp");
	demand(!e->has_timestamp || e->timestamp_ms == expected_time(dialect, s->timestamp_ms), "when a sample was");
	if (e->exemplar != NULL)
		compare_exemplar(dialect, s->exemplar, e->exemplar);
}

/* UNDERSCORES and DOTS may make one name of two labels, which is the caller's to avoid. */
static bool is_ambiguous(
    struct gs_expo_dialect dialect, const struct gs_label *labels, size_t n, const struct gs_label *more) {
	char a[WRITTEN_MAX], b[WRITTEN_MAX];
	if (more != NULL && is_ambiguous(dialect, labels, n, NULL))
		return true;
	for (size_t i = 0; i < n; i++) {
		struct gs_str name = expected_name(dialect, GS_NAME_LABEL, labels[i].name, a);
		if (gs_str_eq(name, GS_STR("__name__")) ||
		    (more != NULL && gs_str_eq(name, expected_name(dialect, GS_NAME_LABEL, more->name, b))))
			return true;
		for (size_t k = 0; more == NULL && k < i; k++) {
			if (gs_str_eq(name, expected_name(dialect, GS_NAME_LABEL, labels[k].name, b)))
				return true;
		}
	}
	return false;
}

static bool is_written(struct gs_expo_dialect dialect, const struct model *m, const struct gs_expo_sample *s) {
	if (s->exemplar != NULL && is_ambiguous(dialect, s->exemplar->labels, s->exemplar->nlabels, NULL))
		return false;
	(void)m;
	return !is_ambiguous(dialect, s->labels, s->nlabels, s->bound);
}

/* Write the family, and of every sample where its line ends; false if the dialect cannot have the family as it is. */
static bool write_model(struct gs_expo_dialect dialect, const struct model *m, struct gs_buf *out,
    struct gs_expo_parser *parser, bool *written) {
	static struct gs_expo_seen *seen;
	struct gs_expo_writer w;
	if (seen == NULL)
		seen = gs_expo_seen_new();
	demand(seen != NULL, "memory");
	gs_expo_writer_init(&w, out, dialect);
	gs_expo_write_family(&w, &m->family);
	for (size_t i = 0; i < m->n; i++) {
		size_t before = out->n;
		if (is_written(dialect, m, &m->samples[i]))
			gs_expo_write_sample(&w, &m->samples[i]);
		written[i] = out->n != before;
	}
	bool fine = gs_expo_check_family(&w, parser, seen);
	gs_expo_write_end(&w);
	return fine;
}

static void read_back(struct gs_expo_dialect dialect, const struct model *m, struct gs_str text,
    struct gs_expo_parser *parser, const bool *written) {
	struct gs_expo_options options = {.format = dialect.format, .utf8_names = dialect.escaping == GS_ESCAPE_NONE};
	struct gs_expo_event event = {0};
	struct gs_error err = {0};
	size_t i = 0;
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, text, true);
	do {
		demand(gs_expo_next(parser, &event, &err) == GS_OK, err.text);
		if (event.kind != GS_EXPO_SAMPLE)
			continue;
		while (i < m->n && !written[i])
			i++;
		demand(i < m->n, "a sample that nobody wrote");
		compare_sample(dialect, &m->family, &m->samples[i++], &event);
	} while (event.kind != GS_EXPO_END);
	while (i < m->n && !written[i])
		i++;
	demand(i == m->n, "a sample is lost");
}

/* What OpenMetrics cannot have as it is, it can have as unknown: each metric name is a family. */
static void write_untyped(
    struct gs_expo_dialect dialect, const struct model *m, struct gs_buf *out, struct gs_expo_parser *parser) {
	static struct model one;
	for (size_t i = 0; i < m->n; i++) {
		char name[TEXT_MAX + 16];
		bool written;
		one.n = 1;
		one.samples[0] = m->samples[i];
		one.samples[0].suffix = GS_STR("");
		memcpy(name, m->family.name.p, m->family.name.n);
		memcpy(name + m->family.name.n, m->samples[i].suffix.p, m->samples[i].suffix.n);
		one.family = (struct gs_expo_family){
		    .name = gs_str_make(name, m->family.name.n + m->samples[i].suffix.n), .help = m->family.help};
		gs_buf_clear(out);
		demand(write_model(dialect, &one, out, parser, &written), "not even as unknown");
		read_back(dialect, &one, gs_buf_slice(out), parser, &written);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct gs_expo_parser *parser;
	static struct model model;
	struct source source = {data, data + size};
	if (parser == NULL)
		parser = gs_expo_parser_new();
	demand(parser != NULL, "memory");
	read_model(&source, &model);
	for (int f = GS_FORMAT_TEXT; f <= GS_FORMAT_OPENMETRICS; f++) {
		for (int e = GS_ESCAPE_UNDERSCORES; e <= GS_ESCAPE_NONE; e++) {
			struct gs_expo_dialect dialect = {
			    .format = (enum gs_expo_format)f, .escaping = (enum gs_escaping)e};
			bool written[SAMPLES_MAX];
			struct gs_buf out;
			gs_buf_init(&out, 1 << 20);
			bool fine = write_model(dialect, &model, &out, parser, written);
			demand(out.status == GS_OK, "memory");
			if (fine)
				read_back(dialect, &model, gs_buf_slice(&out), parser, written);
			else
				write_untyped(dialect, &model, &out, parser);
			gs_buf_free(&out);
		}
	}
	return 0;
}
