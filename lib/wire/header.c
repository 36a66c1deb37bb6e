/* SPDX-License-Identifier: Apache-2.0 */
#include "header.h"

#include "escape.h"
#include "gravel/base/num.h"
#include "gravel/wire/wire.h"

#define KIND_SCRAPE "s"
#define KIND_GONE "g"
#define CAUSE_MAX 32
#define CAUSE_UNKNOWN "unknown"
#define EXACT_MAX (UINT64_C(1) << 53) /* what any reader holds exactly, one with doubles only too */
#define VERSION_MAX 65535

/* The keys of version 1 after v and k, in the order in which they are written. docs/PROTOCOL.md has the same table. */
enum key { TIME, SENT, INTERVAL, DURATION, UP, SAMPLES, KEPT, ADDED, BODY, PART, PARTS, HONOR, RESULTS, NUMBERS };

static const struct {
	char name;
	bool required;
	uint64_t max;
	enum gs_status above; /* what a number above max is */
} keys[NUMBERS] = {
    [TIME] = {'t', true, EXACT_MAX, GS_EINVAL},
    [SENT] = {'s', true, EXACT_MAX, GS_EINVAL},
    [INTERVAL] = {'i', true, EXACT_MAX, GS_EINVAL},
    [DURATION] = {'d', true, EXACT_MAX, GS_EINVAL},
    [UP] = {'u', true, 1, GS_EINVAL},
    [SAMPLES] = {'n', true, EXACT_MAX, GS_EINVAL},
    [KEPT] = {'m', false, EXACT_MAX, GS_EINVAL},
    [ADDED] = {'a', false, EXACT_MAX, GS_EINVAL},
    [BODY] = {'b', true, GS_LIMIT_WIRE_BODY, GS_ELIMIT},
    [PART] = {'p', false, GS_LIMIT_PARTS - 1, GS_EINVAL},
    [PARTS] = {'q', false, GS_LIMIT_PARTS, GS_ELIMIT},
    [HONOR] = {'h', false, 1, GS_EINVAL},
    [RESULTS] = {'e', false, 1, GS_EINVAL},
};

/* The words of key f. Text has none: it is what is meant without the key. */
static const struct {
	struct gs_str word;
	enum gs_expo_format format;
	bool utf8_names;
} formats[] = {
    {GS_STR_INIT("openmetrics"), GS_FORMAT_OPENMETRICS, false},
    {GS_STR_INIT("openmetrics-utf8"), GS_FORMAT_OPENMETRICS, true},
    {GS_STR_INIT("protobuf"), GS_FORMAT_PROTOBUF, false},
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static bool is_label_byte(unsigned char c) {
	return c > 0x20 && c < 0x7f && c != '%';
}

static const struct gs_wire_escaping label_rule = {.mark = '%', .plain = is_label_byte};

static bool is_cause_byte(char c) {
	return (c >= 'a' && c <= 'z') || c == '_';
}

static void add_number(struct gs_buf *out, enum key key, int64_t v) {
	gs_buf_add(out, (char[]){' ', keys[key].name, '='}, 3);
	gs_buf_i64(out, v);
}

static void add_count(struct gs_buf *out, enum key key, uint64_t v) {
	gs_buf_add(out, (char[]){' ', keys[key].name, '='}, 3);
	gs_buf_u64(out, v);
}

/* Whatever cause holds, one word of the protocol comes out. */
static void add_cause(struct gs_buf *out, struct gs_str cause) {
	if (cause.n == 0)
		cause = GS_STR(CAUSE_UNKNOWN);
	gs_buf_cstr(out, " c=");
	for (size_t i = 0; i < cause.n && i < CAUSE_MAX; i++)
		gs_buf_char(out, is_cause_byte(cause.p[i]) ? cause.p[i] : '_');
}

void gs_wire_add_format(struct gs_buf *out, enum gs_expo_format format, bool utf8_names) {
	for (size_t i = 0; i < FORMATS; i++) {
		bool utf8 = format == GS_FORMAT_OPENMETRICS && utf8_names;
		if (formats[i].format != format || formats[i].utf8_names != utf8)
			continue;
		gs_buf_cstr(out, " f=");
		gs_buf_str(out, formats[i].word);
	}
}

enum gs_status gs_wire_read_format(struct gs_str value, enum gs_expo_format *ret_format, bool *ret_utf8_names) {
	for (size_t i = 0; i < FORMATS; i++) {
		if (!gs_str_eq(formats[i].word, value))
			continue;
		*ret_format = formats[i].format;
		*ret_utf8_names = formats[i].utf8_names;
		return GS_OK;
	}
	return value.n != 0 ? GS_EUNSUPPORTED : GS_EINVAL;
}

void gs_wire_add_text(struct gs_buf *out, struct gs_str text) {
	gs_wire_escape_add(out, &label_rule, text);
}

enum gs_status gs_wire_read_text(struct gs_buf *scratch, struct gs_str value, struct gs_str *ret) {
	size_t at = scratch->n;
	enum gs_status status = gs_wire_escape_undo(scratch, &label_rule, value);
	if (status == GS_OK)
		*ret = gs_str_make(scratch->p + at, scratch->n - at);
	return status;
}

void gs_wire_header_write(struct gs_buf *out, const struct gs_wire_header *header) {
	gs_buf_cstr(out, "v=");
	gs_buf_u64(out, GS_WIRE_VERSION);
	gs_buf_cstr(out, header->kind == GS_WIRE_GONE ? " k=" KIND_GONE : " k=" KIND_SCRAPE);
	add_number(out, TIME, header->time_ms);
	add_number(out, SENT, header->sent_ms);
	if (header->kind == GS_WIRE_GONE)
		return;
	add_number(out, INTERVAL, header->interval_ms);
	add_number(out, DURATION, header->duration_us);
	add_count(out, UP, header->up);
	add_count(out, SAMPLES, header->samples);
	if (header->samples_kept != header->samples)
		add_count(out, KEPT, header->samples_kept);
	if (header->series_added != 0)
		add_count(out, ADDED, header->series_added);
	add_count(out, BODY, header->body_size);
	if (header->part != 0)
		add_count(out, PART, header->part);
	if (header->parts != 1)
		add_count(out, PARTS, header->parts);
	if (header->honor_labels)
		add_count(out, HONOR, 1);
	if (header->results)
		add_count(out, RESULTS, 1);
	gs_wire_add_format(out, header->format, header->utf8_names);
	if (!header->up)
		add_cause(out, header->cause);
	if (header->labels.n != 0) {
		gs_buf_cstr(out, " l=");
		gs_wire_add_text(out, header->labels);
	}
}

/* One parse: what is left of the line, and what was found so far. */
struct parse {
	struct gs_str line; /* all of it, for columns */
	struct gs_str rest;
	struct gs_buf *scratch; /* has room for the line: no slice moves */
	struct gs_error *err;
	enum gs_wire_kind kind;
	uint64_t numbers[NUMBERS];
	bool has[NUMBERS];
	bool has_cause;
	bool has_format;
	enum gs_expo_format format;
	bool utf8_names;
	bool has_labels;
	struct gs_str cause;
	struct gs_str labels;
};

static uint32_t column_of(const struct parse *p, struct gs_str token) {
	return (uint32_t)(token.p - p->line.p) + 1;
}

/* Take "key=value" off the front. */
static enum gs_status take_pair(struct parse *p, struct gs_str *ret_key, struct gs_str *ret_value) {
	struct gs_str pair;
	const char *at = p->rest.p;
	if (gs_str_cut(p->rest, ' ', &pair, &p->rest) && p->rest.n == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, (uint32_t)p->line.n, "blank at the end");
	if (pair.n == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, (uint32_t)(at - p->line.p) + 1, "empty key");
	if (!gs_str_cut(pair, '=', ret_key, ret_value) || ret_key->n == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, column_of(p, pair), "not key=value");
	return GS_OK;
}

static enum gs_status duplicate(struct parse *p, struct gs_str key) {
	return gs_error_set(p->err, GS_EINVAL, 1, column_of(p, key), "key %.*s twice", GS_FMT(key));
}

static enum gs_status read_number(struct parse *p, enum key i, struct gs_str key, struct gs_str value) {
	uint64_t v = 0;
	if (p->has[i])
		return duplicate(p, key);
	enum gs_status status = gs_num_parse_u64(value, &v);
	if (status == GS_ELIMIT || (status == GS_OK && v > keys[i].max))
		return gs_error_set(p->err, keys[i].above, 1, column_of(p, key), "key %c is above %llu", keys[i].name,
		    (unsigned long long)keys[i].max);
	if (status != GS_OK)
		return gs_error_set(p->err, GS_EINVAL, 1, column_of(p, key), "key %c is no number", keys[i].name);
	p->numbers[i] = v;
	p->has[i] = true;
	return GS_OK;
}

static enum gs_status read_cause(struct parse *p, struct gs_str key, struct gs_str value) {
	if (p->has_cause)
		return duplicate(p, key);
	bool good = value.n != 0 && value.n <= CAUSE_MAX;
	for (size_t i = 0; good && i < value.n; i++)
		good = is_cause_byte(value.p[i]);
	if (!good)
		return gs_error_set(p->err, GS_EINVAL, 1, column_of(p, key), "key c is no cause");
	p->has_cause = true;
	p->cause = gs_str_make(p->scratch->p + p->scratch->n, value.n);
	gs_buf_str(p->scratch, value);
	return p->scratch->status;
}

static enum gs_status read_labels(struct parse *p, struct gs_str key, struct gs_str value) {
	if (p->has_labels)
		return duplicate(p, key);
	enum gs_status status = gs_wire_read_text(p->scratch, value, &p->labels);
	if (status != GS_OK)
		return gs_error_set(p->err, status, 1, column_of(p, key), "key l is not escaped as it must be");
	p->has_labels = true;
	return GS_OK;
}

static enum gs_status read_format(struct parse *p, struct gs_str key, struct gs_str value) {
	if (p->has_format)
		return duplicate(p, key);
	p->has_format = true;
	enum gs_status status = gs_wire_read_format(value, &p->format, &p->utf8_names);
	if (status == GS_OK)
		return GS_OK;
	return gs_error_set(p->err, status, 1, column_of(p, key), "format %.*s",
	    value.n < CAUSE_MAX ? (int)value.n : CAUSE_MAX, value.p);
}

static enum gs_status read_pair(struct parse *p) {
	struct gs_str key = {0}, value = {0};
	enum gs_status status = take_pair(p, &key, &value);
	if (status != GS_OK)
		return status;
	if (key.n != 1)
		return GS_OK; /* a later writer's */
	if (key.p[0] == 'v' || key.p[0] == 'k')
		return duplicate(p, key);
	if (p->kind == GS_WIRE_GONE && key.p[0] != keys[TIME].name && key.p[0] != keys[SENT].name)
		return GS_OK;
	if (key.p[0] == 'c')
		return read_cause(p, key, value);
	if (key.p[0] == 'f')
		return read_format(p, key, value);
	if (key.p[0] == 'l')
		return read_labels(p, key, value);
	for (enum key i = 0; i < NUMBERS; i++) {
		if (keys[i].name == key.p[0])
			return read_number(p, i, key, value);
	}
	return GS_OK;
}

/* Version and kind stand in front, because what they are decides how the rest is read. */
static enum gs_status read_front(struct parse *p) {
	struct gs_str key = {0}, value = {0};
	uint64_t version = 0;
	enum gs_status status = take_pair(p, &key, &value);
	if (status != GS_OK)
		return status;
	if (!gs_str_eq(key, GS_STR("v")) || gs_num_parse_u64(value, &version) != GS_OK || version > VERSION_MAX)
		return gs_error_set(p->err, GS_EINVAL, 1, 1, "key v must come first, with a number");
	if (version != GS_WIRE_VERSION)
		return gs_error_set(p->err, GS_EUNSUPPORTED, 1, 1, "version %u", (unsigned)version);
	if (p->rest.n == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key k is missing");
	status = take_pair(p, &key, &value);
	if (status != GS_OK)
		return status;
	if (!gs_str_eq(key, GS_STR("k")) || value.n == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, column_of(p, key), "key k must come second");
	p->kind = gs_str_eq(value, GS_STR(KIND_GONE)) ? GS_WIRE_GONE : GS_WIRE_SCRAPE;
	if (p->kind == GS_WIRE_SCRAPE && !gs_str_eq(value, GS_STR(KIND_SCRAPE)))
		return gs_error_set(p->err, GS_EUNSUPPORTED, 1, column_of(p, key), "kind %.*s",
		    value.n < CAUSE_MAX ? (int)value.n : CAUSE_MAX, value.p);
	return GS_OK;
}

/* What no single key can know. */
static enum gs_status check_whole(struct parse *p) {
	for (enum key i = 0; i < NUMBERS; i++) {
		if (keys[i].required && !p->has[i] && (p->kind == GS_WIRE_SCRAPE || i == TIME || i == SENT))
			return gs_error_set(p->err, GS_EINVAL, 1, 0, "key %c is missing", keys[i].name);
	}
	if (!p->has[PARTS])
		p->numbers[PARTS] = 1;
	if (p->kind == GS_WIRE_GONE)
		return GS_OK;
	if (p->numbers[UP] == 0 && !p->has_cause)
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key c is missing");
	if (p->numbers[UP] == 1 && p->has_cause)
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key c with up 1");
	if (!p->has[KEPT])
		p->numbers[KEPT] = p->numbers[SAMPLES];
	if (p->numbers[PARTS] == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key q is 0");
	if (p->numbers[PART] >= p->numbers[PARTS])
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key p is not below q");
	return GS_OK;
}

static void fill(const struct parse *p, struct gs_wire_header *ret) {
	const uint64_t *v = p->numbers;
	*ret = (struct gs_wire_header){
	    .kind = p->kind,
	    .up = v[UP] == 1,
	    .honor_labels = v[HONOR] == 1,
	    .results = v[RESULTS] == 1,
	    .time_ms = (int64_t)v[TIME],
	    .sent_ms = (int64_t)v[SENT],
	    .interval_ms = (int64_t)v[INTERVAL],
	    .duration_us = (int64_t)v[DURATION],
	    .samples = v[SAMPLES],
	    .samples_kept = v[KEPT],
	    .series_added = v[ADDED],
	    .body_size = v[BODY],
	    .part = (uint32_t)v[PART],
	    .parts = (uint32_t)v[PARTS],
	    .format = p->format,
	    .utf8_names = p->utf8_names,
	    .cause = p->cause,
	    .labels = p->labels,
	};
}

enum gs_status gs_wire_check_line(struct gs_str line, struct gs_buf *scratch, struct gs_error *err) {
	gs_buf_clear(scratch);
	if (line.n > GS_LIMIT_HEADER)
		return gs_error_set(err, GS_ELIMIT, 1, 0, "longer than %d bytes", GS_LIMIT_HEADER);
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] < 0x20 || line.p[i] > 0x7e)
			return gs_error_set(err, GS_EINVAL, 1, (uint32_t)i + 1, "a byte that is not printable");
	}
	if (line.n == 0)
		return gs_error_set(err, GS_EINVAL, 1, 0, "empty line");
	if (gs_buf_reserve(scratch, line.n) == NULL)
		return gs_error_set(err, scratch->status, 1, 0, "no memory for the line");
	return GS_OK;
}

enum gs_status gs_wire_header_parse(
    struct gs_str line, struct gs_buf *scratch, struct gs_wire_header *ret_header, struct gs_error *err) {
	struct parse p = {.line = line, .rest = line, .scratch = scratch, .err = err};
	enum gs_status status = gs_wire_check_line(line, scratch, err);
	if (status == GS_OK)
		status = read_front(&p);
	while (status == GS_OK && p.rest.n != 0)
		status = read_pair(&p);
	if (status == GS_OK)
		status = check_whole(&p);
	if (status == GS_OK)
		fill(&p, ret_header);
	return status;
}
