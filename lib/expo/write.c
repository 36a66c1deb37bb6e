/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/expo/write.h"

#include <math.h>

#include "copy.h"
#include "gravel/base/num.h"

#define EXEMPLAR_MAX 128 /* characters of the labels of an exemplar: OpenMetrics, "Exemplars" */
#define TIMESTAMP_MAX 24 /* bytes of a timestamp in any dialect */
#define BOUND_MAX (GS_NUM_DOUBLE_MAX + 8) /* bytes of a canonical number */
#define EXPONENT_DIGITS 6 /* digits from which on a canonical number has an exponent */

/*
 * A line is put into room that suffices whatever must be escaped: asking for room at every piece took half of the time of a
 * rendering. Where the buffer has not that much left, the line may fit all the same, and goes through a spare one.
 */
struct line {
	struct gs_buf *out;
	struct gs_buf spare;
};

static bool has_room(const struct gs_buf *out, size_t n) {
	return n <= out->max - out->n;
}

/* Where to put a line of at most ${bound} bytes; NULL: no memory. */
static char *begin_line(struct line *line, struct gs_buf *out, size_t bound) {
	line->out = out;
	gs_buf_init(&line->spare, bound);
	return gs_buf_reserve(has_room(out, bound) ? out : &line->spare, bound);
}

static void end_line(struct line *line, const char *end) {
	if (line->spare.p == NULL) {
		if (end != NULL)
			line->out->n = (size_t)(end - line->out->p);
		else if (line->out->status == GS_OK)
			line->out->status = line->spare.status;
		return;
	}
	gs_buf_add(line->out, line->spare.p, (size_t)(end - line->spare.p));
	gs_buf_free(&line->spare);
}

static char *put_escaped(char *at, struct gs_str s, bool quote) {
	const char *p = s.p, *end = s.n != 0 ? p + s.n : p;
	while (end - p >= GS_COPY_BLOCK) {
		unsigned odd = gs_copy_block(at, p);
		size_t n = odd != 0 ? (size_t)__builtin_ctz(odd) : GS_COPY_BLOCK;
		p += n;
		at += n;
		if (odd == 0)
			continue;
		if (*p != '"' || quote)
			*at++ = '\\';
		*at++ = *p != '\n' ? *p : 'n';
		p++;
	}
	for (; p < end; p++) {
		if (*p == '\\' || *p == '\n' || (*p == '"' && quote))
			*at++ = '\\';
		*at++ = *p != '\n' ? *p : 'n';
	}
	return at;
}

/* Names */

static bool ends_longer(struct gs_str s, struct gs_str suffix) {
	return s.n > suffix.n && gs_str_ends(s, suffix);
}

/* Whether the name can stand as it is. What could be taken for a name that was escaped by VALUES is escaped itself. */
static bool is_plain(enum gs_escaping escaping, enum gs_name_kind kind, struct gs_str name) {
	bool classic = kind == GS_NAME_LABEL ? gs_expo_is_label_name(name) : gs_expo_is_metric_name(name);
	return classic && (escaping != GS_ESCAPE_VALUES || !gs_str_starts(name, GS_STR("U__")));
}

/* The name as it stands in the text, without quotes around it; at most GS_EXPO_ESCAPED_MAX bytes. */
static char *put_name(char *at, enum gs_escaping escaping, enum gs_name_kind kind, struct gs_str name) {
	if (is_plain(escaping, kind, name))
		return gs_copy(at, name);
	if (escaping == GS_ESCAPE_NONE)
		return put_escaped(at, name, true);
	if (escaping == GS_ESCAPE_VALUES)
		return at + gs_expo_escape_always(at, name, kind);
	return at + gs_expo_escape(at, name, kind, escaping);
}

static struct gs_str written_name(const struct gs_expo_writer *w) {
	return gs_str_make(w->name, w->nname);
}

static struct gs_str head_name(const struct gs_expo_writer *w) {
	return gs_str_make(w->name, w->nhead);
}

void gs_expo_writer_init(struct gs_expo_writer *writer, struct gs_buf *out, struct gs_expo_dialect dialect) {
	writer->out = out;
	writer->dialect = dialect;
	writer->strict = dialect.format == GS_FORMAT_OPENMETRICS;
	writer->type = GS_TYPE_UNTYPED;
	writer->quoted = false;
	writer->odd = false;
	writer->start = out->n;
	writer->nname = 0;
	writer->nhead = 0;
}

/* The family */

/* The words of OpenMetrics that readers of text refuse, in its own words. */
static const char *text_type(enum gs_expo_type type) {
	if (type == GS_TYPE_INFO || type == GS_TYPE_STATESET)
		type = GS_TYPE_GAUGE;
	if (type == GS_TYPE_GAUGEHISTOGRAM)
		type = GS_TYPE_HISTOGRAM;
	return gs_expo_type_name(type);
}

/* What OpenMetrics may call the family by its name: the suffix belongs to the samples and not to the head. */
static void set_strict_type(struct gs_expo_writer *w) {
	struct gs_str name = written_name(w), suffix = {0};
	bool fits = true;
	if (w->type == GS_TYPE_COUNTER)
		suffix = GS_STR("_total");
	else if (w->type == GS_TYPE_INFO)
		suffix = GS_STR("_info");
	else if (w->type == GS_TYPE_STATESET) /* a label of its samples has the name of the family */
		fits = w->dialect.escaping == GS_ESCAPE_NONE || gs_expo_is_label_name(name);
	if (!fits || (suffix.n != 0 && !ends_longer(name, suffix)))
		w->type = GS_TYPE_UNTYPED;
	else
		w->nhead -= suffix.n;
}

static bool may_have_unit(const struct gs_expo_writer *w, struct gs_str unit) {
	struct gs_str head = head_name(w);
	if (unit.n == 0 || w->type == GS_TYPE_INFO || w->type == GS_TYPE_STATESET)
		return false;
	if (gs_expo_skip_class(unit.p, unit.p + unit.n, GS_EXPO_METRIC) != unit.p + unit.n)
		return false;
	return ends_longer(head, unit) && head.p[head.n - unit.n - 1] == '_';
}

/* "# WORD name text\n" */
static void write_comment(struct gs_expo_writer *w, const char *word, struct gs_str text) {
	struct line line;
	char *at = begin_line(&line, w->out, w->nhead + 2 * text.n + 16);
	if (at != NULL) {
		at = gs_copy(at, gs_str_of(word));
		if (w->quoted)
			*at++ = '"';
		at = gs_copy(at, head_name(w));
		if (w->quoted)
			*at++ = '"';
		*at++ = ' ';
		at = put_escaped(at, text, w->strict);
		*at++ = '\n';
	}
	end_line(&line, at);
}

static void write_help(struct gs_expo_writer *w, struct gs_str help) {
	while (help.n != 0 && help.p[help.n - 1] == '\r')
		help.n--;
	if (help.n != 0)
		write_comment(w, "# HELP ", help);
}

void gs_expo_write_family(struct gs_expo_writer *writer, const struct gs_expo_family *family) {
	struct gs_expo_writer *w = writer;
	if (family->name.n > GS_LIMIT_NAME) {
		gs_buf_reserve(w->out, SIZE_MAX);
		return;
	}
	w->start = w->out->n;
	w->type = family->no_type ? GS_TYPE_UNTYPED : family->type;
	w->quoted = w->dialect.escaping == GS_ESCAPE_NONE && !gs_expo_is_metric_name(family->name);
	w->nname = (size_t)(put_name(w->name, w->dialect.escaping, GS_NAME_METRIC, family->name) - w->name);
	w->nhead = w->nname;
	if (w->strict)
		set_strict_type(w);
	/* Each in the order of its world: that of client_golang, and that of the specification. */
	if (!w->strict)
		write_help(w, family->help);
	if (!family->no_type && w->strict && w->type == GS_TYPE_UNTYPED)
		write_comment(w, "# TYPE ", GS_STR("unknown"));
	else if (!family->no_type)
		write_comment(w, "# TYPE ", gs_str_of(w->strict ? gs_expo_type_name(w->type) : text_type(w->type)));
	if (w->strict && may_have_unit(w, family->unit))
		write_comment(w, "# UNIT ", family->unit);
	if (w->strict)
		write_help(w, family->help);
}

/* Samples */

/* What stands before the labels; *before is then what must stand before the first. */
static char *put_metric(char *at, const struct gs_expo_writer *w, struct gs_str suffix, char *before) {
	bool created = w->strict && gs_str_eq(suffix, GS_STR("_created"));
	if (w->quoted) {
		memcpy(at, "{\"", 2);
		at += 2;
	}
	at = gs_copy(at, created ? head_name(w) : written_name(w));
	at = gs_copy(at, suffix);
	if (w->quoted)
		*at++ = '"';
	*before = w->quoted ? ',' : '{';
	return at;
}

static char *put_time(char *at, const struct gs_expo_writer *w, int64_t ms) {
	uint64_t n = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	*at++ = ' ';
	if (ms < 0)
		*at++ = '-';
	if (!w->strict)
		return at + gs_num_print_u64(at, n);
	at += gs_num_print_u64(at, n / 1000);
	unsigned rest = (unsigned)(n % 1000);
	if (rest == 0)
		return at;
	*at++ = '.';
	for (unsigned unit = 100; rest != 0; rest %= unit, unit /= 10)
		*at++ = (char)('0' + rest / unit);
	return at;
}

static char *put_value(char *at, const struct gs_expo_writer *w, const struct gs_expo_sample *s) {
	*at++ = ' ';
	at += gs_num_print_double(at, s->value);
	return s->has_timestamp ? put_time(at, w, s->timestamp_ms) : at;
}

/* As Go prints a float, with ".0" where it would look like an integer: OpenMetrics, "Canonical Numbers". */
static size_t print_canonical(char *out, double v) {
	size_t n = gs_num_print_double(out, v), sign = out[0] == '-';
	for (size_t i = sign; i < n; i++) {
		if (out[i] < '0' || out[i] > '9')
			return n;
	}
	size_t digits = n - sign, power = digits - 1;
	if (digits <= EXPONENT_DIGITS) {
		memcpy(out + n, ".0", 2);
		return n + 2;
	}
	while (digits > 1 && out[sign + digits - 1] == '0')
		digits--;
	if (digits > 1) {
		memmove(out + sign + 2, out + sign + 1, digits - 1);
		out[sign + 1] = '.';
		digits++;
	}
	n = sign + digits;
	out[n++] = 'e';
	out[n++] = '+';
	out[n++] = (char)('0' + power / 10);
	out[n++] = (char)('0' + power % 10);
	return n;
}

/* The name of the label whose value is the bound of the sample; empty: it has none, or this format does not care how it is written. */
static struct gs_str bound_name(const struct gs_expo_writer *w, struct gs_str suffix) {
	bool histogram = w->type == GS_TYPE_HISTOGRAM || w->type == GS_TYPE_GAUGEHISTOGRAM;
	if (w->strict && histogram && gs_str_eq(suffix, GS_STR("_bucket")))
		return GS_STR("le");
	if (w->strict && w->type == GS_TYPE_SUMMARY && suffix.n == 0)
		return GS_STR("quantile");
	return (struct gs_str){0};
}

/* A label that cannot stand as it is: its name, its value, or both. ${bound} names the one whose value is a number. */
static __attribute__((noinline)) char *put_odd_label(
    char *at, const struct gs_expo_writer *w, char before, const struct gs_label *label, struct gs_str bound) {
	bool quoted = w->dialect.escaping == GS_ESCAPE_NONE && !gs_expo_is_label_name(label->name);
	double v;
	*at++ = before;
	if (quoted)
		*at++ = '"';
	at = put_name(at, w->dialect.escaping, GS_NAME_LABEL, label->name);
	if (quoted)
		*at++ = '"';
	*at++ = '=';
	*at++ = '"';
	if (bound.n != 0 && gs_str_eq(label->name, bound) && gs_num_parse_double(label->value, &v) == GS_OK)
		at += print_canonical(at, v);
	else
		at = put_escaped(at, label->value, true);
	*at++ = '"';
	return at;
}

/* A label as it is. Inline, so that what was odd stays in registers. */
static inline __attribute__((always_inline)) char *put_plain_label(
    char *at, char before, const struct gs_label *label, struct gs_odd *odd) {
	*at++ = before;
	at = gs_copy_name(at, label->name, odd);
	memcpy(at, "=\"", 2);
	at = gs_copy_value(at + 2, label->value, odd);
	*at++ = '"';
	return at;
}

static struct gs_odd nothing_odd(const struct gs_expo_writer *w) {
	return (struct gs_odd){.reserved = w->dialect.escaping == GS_ESCAPE_VALUES ? 'U' : '0'};
}

/* Either. */
static char *put_label(
    char *at, struct gs_expo_writer *w, char before, const struct gs_label *label, struct gs_str bound) {
	struct gs_odd odd = nothing_odd(w);
	char *end = put_plain_label(at, before, label, &odd);
	if (!gs_is_odd(&odd) && (bound.n == 0 || !gs_str_eq(label->name, bound)))
		return end;
	w->odd = true;
	return put_odd_label(at, w, before, label, bound);
}

static inline char *put_ready(char *at, const struct gs_expo_sample *s, char *before) {
	for (size_t i = 0; i < 2; i++) {
		if (s->ready[i].n == 0)
			continue;
		*at++ = *before;
		at = gs_copy(at, s->ready[i]);
		*before = ',';
	}
	return at;
}

/* Whether the bound must be written as a canonical number. */
static bool has_canonical(const struct gs_expo_writer *w, const struct gs_expo_sample *s) {
	return !s->bound_stands && bound_name(w, s->suffix).n != 0;
}

static char *put_series(char *at, struct gs_expo_writer *w, const struct gs_expo_sample *s) {
	struct gs_str bound = has_canonical(w, s) ? bound_name(w, s->suffix) : (struct gs_str){0};
	char before;
	w->odd = false;
	at = put_metric(at, w, s->suffix, &before);
	at = put_ready(at, s, &before);
	for (size_t i = 0; i < s->nlabels; i++) {
		at = put_label(at, w, before, &s->labels[i], bound);
		before = ',';
	}
	if (s->bound != NULL) {
		at = put_label(at, w, before, s->bound, bound);
		before = ',';
	}
	if (before == ',')
		*at++ = '}';
	return at;
}

static size_t characters(struct gs_str s) {
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* The labels of an exemplar as they are written must not be long. */
static bool is_short(const struct gs_expo_writer *w, const struct gs_exemplar *exemplar) {
	char name[GS_EXPO_ESCAPED_MAX(EXEMPLAR_MAX * 4)];
	size_t n = 0;
	for (size_t i = 0; i < exemplar->nlabels && n <= EXEMPLAR_MAX; i++) {
		struct gs_str given = exemplar->labels[i].name;
		if (given.n > EXEMPLAR_MAX * 4)
			return false;
		if (w->dialect.escaping == GS_ESCAPE_NONE || is_plain(w->dialect.escaping, GS_NAME_LABEL, given))
			n += characters(given);
		else
			n += (size_t)(put_name(name, w->dialect.escaping, GS_NAME_LABEL, given) - name);
		n += characters(exemplar->labels[i].value);
	}
	return n <= EXEMPLAR_MAX;
}

/* Whether the exemplar lies in the bucket, as far as its bound says. */
static bool is_in_bucket(const struct gs_expo_sample *s) {
	struct gs_str le = s->bound != NULL && gs_str_eq(s->bound->name, GS_STR("le")) ? s->bound->value : GS_STR("");
	double v;
	for (size_t i = 0; le.n == 0 && i < s->nlabels; i++) {
		if (gs_str_eq(s->labels[i].name, GS_STR("le")))
			le = s->labels[i].value;
	}
	return gs_num_parse_double(le, &v) == GS_OK && s->exemplar->value <= v;
}

static bool may_have_exemplar(const struct gs_expo_writer *w, const struct gs_expo_sample *s) {
	if (!w->strict || s->exemplar == NULL)
		return false;
	if (w->type == GS_TYPE_COUNTER)
		return s->suffix.n == 0 && is_short(w, s->exemplar);
	return bound_name(w, s->suffix).n != 0 && w->type != GS_TYPE_SUMMARY && is_in_bucket(s) &&
	       is_short(w, s->exemplar);
}

static char *put_exemplar(char *at, struct gs_expo_writer *w, const struct gs_exemplar *exemplar) {
	memcpy(at, " # ", 3);
	at += 3;
	if (exemplar->nlabels == 0)
		*at++ = '{';
	for (size_t i = 0; i < exemplar->nlabels; i++)
		at = put_label(at, w, i == 0 ? '{' : ',', &exemplar->labels[i], (struct gs_str){0});
	memcpy(at, "} ", 2);
	at += 2;
	at += gs_num_print_double(at, exemplar->value);
	return exemplar->has_timestamp ? put_time(at, w, exemplar->timestamp_ms) : at;
}

static size_t labels_bound(const struct gs_label *labels, size_t n) {
	size_t bound = 0;
	for (size_t i = 0; i < n; i++)
		bound += GS_EXPO_ESCAPED_MAX(labels[i].name.n) + 2 * labels[i].value.n + BOUND_MAX + 8;
	return bound;
}

/* No line becomes longer than this, whatever it holds. */
static size_t line_bound(const struct gs_expo_writer *w, const struct gs_expo_sample *s, bool exemplar) {
	size_t bound = w->nname + s->suffix.n + GS_NUM_DOUBLE_MAX + TIMESTAMP_MAX + 16;
	bound += s->ready[0].n + s->ready[1].n + labels_bound(s->labels, s->nlabels);
	if (s->bound != NULL)
		bound += labels_bound(s->bound, 1);
	if (exemplar)
		bound +=
		    labels_bound(s->exemplar->labels, s->exemplar->nlabels) + GS_NUM_DOUBLE_MAX + TIMESTAMP_MAX + 8;
	return bound;
}

/* When a metric was created is no text's, and no gauge's. */
static bool is_left_out(const struct gs_expo_writer *w, const struct gs_expo_sample *s) {
	if (s->suffix.n != sizeof("_created") - 1 || !gs_str_eq(s->suffix, GS_STR("_created")))
		return false;
	return !w->strict || (w->type != GS_TYPE_COUNTER && w->type != GS_TYPE_HISTOGRAM && w->type != GS_TYPE_SUMMARY);
}

static size_t plain_label_size(const struct gs_label *label) {
	return label->name.n + label->value.n + 4;
}

static size_t plain_size(const struct gs_expo_writer *w, const struct gs_expo_sample *s) {
	size_t n = w->nname + s->suffix.n + s->ready[0].n + s->ready[1].n + GS_NUM_DOUBLE_MAX + TIMESTAMP_MAX + 10;
	for (size_t i = 0; i < s->nlabels; i++)
		n += plain_label_size(&s->labels[i]);
	return n + (s->bound != NULL ? plain_label_size(s->bound) : 0);
}

/* The series as if none of its labels were odd; NULL if one was. To ask once a line is a tenth faster than once a label. */
static char *put_plain_series(char *at, const struct gs_expo_writer *w, const struct gs_expo_sample *s) {
	struct gs_odd odd = nothing_odd(w);
	char before;
	at = put_metric(at, w, s->suffix, &before);
	at = put_ready(at, s, &before);
	for (size_t i = 0; i < s->nlabels; i++) {
		at = put_plain_label(at, before, &s->labels[i], &odd);
		before = ',';
	}
	if (s->bound != NULL) {
		at = put_plain_label(at, before, s->bound, &odd);
		before = ',';
	}
	if (before == ',')
		*at++ = '}';
	return gs_is_odd(&odd) ? NULL : at;
}

/* Write the sample if nothing in it is odd, which is so of nearly all. */
static bool try_plain(struct gs_expo_writer *w, const struct gs_expo_sample *s) {
	struct gs_buf *out = w->out;
	size_t size = plain_size(w, s);
	if (w->strict && (s->exemplar != NULL || has_canonical(w, s)))
		return false;
	char *at = has_room(out, size) ? gs_buf_reserve(out, size) : NULL;
	char *end = at != NULL ? put_plain_series(at, w, s) : NULL;
	if (end == NULL)
		return false;
	end = put_value(end, w, s);
	*end++ = '\n';
	out->n += (size_t)(end - at);
	return true;
}

void gs_expo_write_sample(struct gs_expo_writer *writer, const struct gs_expo_sample *sample) {
	struct line line;
	if (is_left_out(writer, sample))
		return;
	/* Where one label of a family is odd, that of the next sample is too. */
	if (!writer->odd && try_plain(writer, sample))
		return;
	bool exemplar = may_have_exemplar(writer, sample);
	char *at = begin_line(&line, writer->out, line_bound(writer, sample, exemplar));
	if (at != NULL) {
		at = put_value(put_series(at, writer, sample), writer, sample);
		if (exemplar)
			at = put_exemplar(at, writer, sample->exemplar);
		*at++ = '\n';
	}
	end_line(&line, at);
}

void gs_expo_write_prefix(struct gs_expo_writer *writer, const struct gs_expo_sample *sample) {
	struct line line;
	char *at = begin_line(&line, writer->out, line_bound(writer, sample, false));
	end_line(&line, at != NULL ? put_series(at, writer, sample) : NULL);
}

void gs_expo_write_series(struct gs_expo_writer *writer, struct gs_str prefix, const struct gs_expo_sample *sample) {
	struct line line;
	char *at = begin_line(&line, writer->out, prefix.n + GS_NUM_DOUBLE_MAX + TIMESTAMP_MAX + 8);
	if (at != NULL) {
		at = put_value(gs_copy(at, prefix), writer, sample);
		*at++ = '\n';
	}
	end_line(&line, at);
}

bool gs_expo_check_family(struct gs_expo_writer *writer, struct gs_expo_parser *parser, struct gs_expo_seen *seen) {
	struct gs_buf *out = writer->out;
	struct gs_expo_event event;
	enum gs_status status;
	if (!writer->strict || out->status != GS_OK || out->n == writer->start)
		return true;
	struct gs_expo_options options = {
	    .format = GS_FORMAT_OPENMETRICS,
	    .utf8_names = writer->dialect.escaping == GS_ESCAPE_NONE,
	    .seen = seen,
	};
	gs_expo_begin(parser, &options);
	gs_expo_feed(parser, gs_str_make(out->p + writer->start, out->n - writer->start), false);
	while ((status = gs_expo_next(parser, &event, NULL)) == GS_OK && event.kind != GS_EXPO_END)
		continue;
	if (status == GS_EAGAIN) {
		gs_expo_feed(parser, GS_STR("# EOF\n"), true);
		while ((status = gs_expo_next(parser, &event, NULL)) == GS_OK && event.kind != GS_EXPO_END)
			continue;
	}
	if (status != GS_OK)
		out->n = writer->start;
	return status == GS_OK;
}

void gs_expo_write_end(struct gs_expo_writer *writer) {
	if (writer->strict)
		gs_buf_str(writer->out, GS_STR("# EOF\n"));
}

void gs_expo_write_label(struct gs_buf *out, bool first, struct gs_str name, struct gs_str value) {
	struct line line;
	char *at = begin_line(&line, out, name.n + 2 * value.n + 4);
	if (at != NULL) {
		if (!first)
			*at++ = ',';
		at = gs_copy(at, name);
		memcpy(at, "=\"", 2);
		at = put_escaped(at + 2, value, true);
		*at++ = '"';
	}
	end_line(&line, at);
}
