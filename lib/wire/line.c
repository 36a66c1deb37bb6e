/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include "escape.h"
#include "gravel/base/num.h"

#define VERSION_MAX 65535

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

static bool is_text_byte(unsigned char c) {
	return c > 0x20 && c < 0x7f && c != '%';
}

static const struct gs_wire_escaping text_rule = {.mark = '%', .plain = is_text_byte};

/* Writing */

void gs_wire_add_key(struct gs_buf *out, char name) {
	gs_buf_add(out, (char[]){' ', name, '='}, 3);
}

void gs_wire_add_text(struct gs_buf *out, struct gs_str text) {
	gs_wire_escape_add(out, &text_rule, text);
}

void gs_wire_add_format(struct gs_buf *out, enum gs_expo_format format, bool utf8_names) {
	for (size_t i = 0; i < FORMATS; i++) {
		bool utf8 = format == GS_FORMAT_OPENMETRICS && utf8_names;
		if (formats[i].format != format || formats[i].utf8_names != utf8)
			continue;
		gs_wire_add_key(out, 'f');
		gs_buf_str(out, formats[i].word);
	}
}

/* Errors */

static uint32_t column_of(const struct gs_wire_line *line, struct gs_str token) {
	return (uint32_t)(token.p - line->line.p) + 1;
}

static int shown(struct gs_str word) {
	return word.n < GS_WIRE_SHOWN_MAX ? (int)word.n : GS_WIRE_SHOWN_MAX;
}

enum gs_status gs_wire_line_missing(const struct gs_wire_line *line, char name) {
	return gs_error_set(line->err, GS_EINVAL, 1, 0, "key %c is missing", name);
}

enum gs_status gs_wire_line_wrong(
    const struct gs_wire_line *line, enum gs_status status, struct gs_str key, const char *what) {
	return gs_error_set(line->err, status, 1, column_of(line, key), "key %.*s %s", shown(key), key.p, what);
}

enum gs_status gs_wire_line_twice(const struct gs_wire_line *line, struct gs_str key) {
	return gs_wire_line_wrong(line, GS_EINVAL, key, "twice");
}

/* Reading */

static enum gs_status check_form(struct gs_wire_line *line) {
	struct gs_str all = line->line;
	gs_buf_clear(line->scratch);
	if (all.n > GS_LIMIT_HEADER)
		return gs_error_set(line->err, GS_ELIMIT, 1, 0, "longer than %d bytes", GS_LIMIT_HEADER);
	for (size_t i = 0; i < all.n; i++) {
		if (all.p[i] < 0x20 || all.p[i] > 0x7e)
			return gs_error_set(line->err, GS_EINVAL, 1, (uint32_t)i + 1, "a byte that is not printable");
	}
	if (all.n == 0)
		return gs_error_set(line->err, GS_EINVAL, 1, 0, "empty line");
	if (gs_buf_reserve(line->scratch, all.n) == NULL)
		return gs_error_set(line->err, line->scratch->status, 1, 0, "no memory for the line");
	return GS_OK;
}

/* Take "key=value" off the front. */
static enum gs_status take_pair(struct gs_wire_line *line, struct gs_str *ret_key, struct gs_str *ret_value) {
	struct gs_str pair, before = line->rest;
	if (gs_str_cut(line->rest, ' ', &pair, &line->rest) && line->rest.n == 0)
		return gs_error_set(line->err, GS_EINVAL, 1, (uint32_t)line->line.n, "blank at the end");
	if (pair.n == 0)
		return gs_error_set(line->err, GS_EINVAL, 1, column_of(line, before), "empty key: a blank too many");
	if (!gs_str_cut(pair, '=', ret_key, ret_value) || ret_key->n == 0)
		return gs_error_set(line->err, GS_EINVAL, 1, column_of(line, pair), "not key=value");
	return GS_OK;
}

static enum gs_status read_version(struct gs_wire_line *line) {
	struct gs_str key = {0}, value = {0};
	uint64_t version = 0;
	enum gs_status status = take_pair(line, &key, &value);
	if (status != GS_OK)
		return status;
	if (!gs_str_eq(key, GS_STR("v")) || gs_num_parse_u64(value, &version) != GS_OK || version > VERSION_MAX)
		return gs_error_set(line->err, GS_EINVAL, 1, 1, "key v must come first, with a number");
	if (version != GS_WIRE_VERSION)
		return gs_error_set(line->err, GS_EUNSUPPORTED, 1, 1, "version %u", (unsigned)version);
	return GS_OK;
}

static enum gs_status read_kind(struct gs_wire_line *line) {
	struct gs_str key = {0}, value = {0};
	if (line->rest.n == 0)
		return gs_wire_line_missing(line, 'k');
	enum gs_status status = take_pair(line, &key, &value);
	if (status != GS_OK)
		return status;
	if (!gs_str_eq(key, GS_STR("k")) || value.n == 0)
		return gs_error_set(line->err, GS_EINVAL, 1, column_of(line, key), "key k must come second");
	if (value.n != 1 || memchr(line->kinds.p, value.p[0], line->kinds.n) == NULL)
		return gs_error_set(
		    line->err, GS_EUNSUPPORTED, 1, column_of(line, key), "kind %.*s", shown(value), value.p);
	line->kind = value.p[0];
	return GS_OK;
}

enum gs_status gs_wire_line_open(struct gs_wire_line *line, struct gs_str text) {
	line->line = line->rest = text;
	enum gs_status status = check_form(line);
	if (status == GS_OK)
		status = read_version(line);
	return status == GS_OK ? read_kind(line) : status;
}

enum gs_status gs_wire_line_next(struct gs_wire_line *line, struct gs_str *ret_key, struct gs_str *ret_value) {
	enum gs_status status = take_pair(line, ret_key, ret_value);
	if (status != GS_OK)
		return status;
	if (ret_key->n != 1)
		*ret_key = (struct gs_str){0};
	bool front = ret_key->n != 0 && (ret_key->p[0] == 'v' || ret_key->p[0] == 'k');
	return front ? gs_wire_line_twice(line, *ret_key) : GS_OK;
}

static enum gs_status too_large(const struct gs_wire_line *line, const struct gs_wire_key *key, struct gs_str at) {
	if (!line->names_max)
		return gs_wire_line_wrong(line, key->above, at, "is too large");
	return gs_error_set(line->err, key->above, 1, column_of(line, at), "key %c is above %llu", key->name,
	    (unsigned long long)key->max);
}

enum gs_status gs_wire_line_number(struct gs_wire_line *line, struct gs_str key, struct gs_str value) {
	uint64_t v = 0;
	size_t i = 0;
	while (i < line->nkeys && line->keys[i].name != key.p[0])
		i++;
	if (i == line->nkeys)
		return GS_OK;
	if (line->has[i])
		return gs_wire_line_twice(line, key);
	enum gs_status status = gs_num_parse_u64(value, &v);
	if (status == GS_ELIMIT || (status == GS_OK && v > line->keys[i].max))
		return too_large(line, &line->keys[i], key);
	if (status != GS_OK)
		return gs_wire_line_wrong(line, GS_EINVAL, key, "is no number");
	line->numbers[i] = v;
	line->has[i] = true;
	return GS_OK;
}

enum gs_status gs_wire_line_text(
    struct gs_wire_line *line, struct gs_str key, struct gs_str value, struct gs_wire_text *text) {
	size_t at = line->scratch->n;
	if (text->key.n != 0)
		return gs_wire_line_twice(line, key);
	enum gs_status status = gs_wire_escape_undo(line->scratch, &text_rule, value);
	if (status != GS_OK)
		return gs_wire_line_wrong(line, status, key, "is not escaped as it must be");
	text->key = key;
	text->value = gs_str_make(line->scratch->p + at, line->scratch->n - at);
	return GS_OK;
}

enum gs_status gs_wire_line_format(struct gs_wire_line *line, struct gs_str key, struct gs_str value) {
	if (line->has_format)
		return gs_wire_line_twice(line, key);
	line->has_format = true;
	for (size_t i = 0; i < FORMATS; i++) {
		if (!gs_str_eq(formats[i].word, value))
			continue;
		line->format = formats[i].format;
		line->utf8_names = formats[i].utf8_names;
		return GS_OK;
	}
	return gs_error_set(line->err, value.n != 0 ? GS_EUNSUPPORTED : GS_EINVAL, 1, column_of(line, key),
	    "format %.*s", shown(value), value.p);
}

enum gs_status gs_wire_line_require(const struct gs_wire_line *line, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (line->keys[i].required && !line->has[i])
			return gs_wire_line_missing(line, line->keys[i].name);
	}
	return GS_OK;
}
