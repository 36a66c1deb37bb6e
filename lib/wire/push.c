/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/wire/push.h"

#include "gravel/base/num.h"
#include "header.h"

#define KIND_TOKEN "push"
#define EXACT_MAX (UINT64_C(1) << 53)

/* Keys with numbers, in the order in which they are written. docs/PROTOCOL.md has the same table. */
enum key { TIME, TTL, LABELS, BODY, PART, PARTS, NUMBERS };

static const struct {
	char name;
	bool required;
	uint64_t max;
	enum gs_status above;
} keys[NUMBERS] = {
    [TIME] = {'t', true, EXACT_MAX, GS_EINVAL},
    [TTL] = {'x', false, EXACT_MAX, GS_EINVAL},
    [LABELS] = {'l', false, GS_LIMIT_WIRE_BODY, GS_ELIMIT},
    [BODY] = {'b', true, GS_LIMIT_WIRE_BODY, GS_ELIMIT},
    [PART] = {'p', false, GS_LIMIT_PARTS - 1, GS_EINVAL},
    [PARTS] = {'q', false, GS_LIMIT_PARTS, GS_ELIMIT},
};

/* Keys with texts. */
enum text { OP, PUBLISHER, ID, MODE, TOKEN, TEXTS };
static const char text_names[TEXTS] = {[OP] = 'o', [PUBLISHER] = 'w', [ID] = 'i', [MODE] = 'c', [TOKEN] = 'r'};

static const struct gs_str ops[GS_WIRE_PUSH_OPS] = {
    [GS_WIRE_PUSH] = GS_STR_INIT("push"),
    [GS_WIRE_PUSH_INGEST] = GS_STR_INIT("ingest"),
    [GS_WIRE_PUSH_DELETE] = GS_STR_INIT("delete"),
    [GS_WIRE_PUSH_GATEWAY_PUT] = GS_STR_INIT("gateway-put"),
    [GS_WIRE_PUSH_GATEWAY_POST] = GS_STR_INIT("gateway-post"),
    [GS_WIRE_PUSH_GATEWAY_DELETE] = GS_STR_INIT("gateway-delete"),
};

/* Subjects and ids */

void gs_wire_push_subject(struct gs_buf *out, struct gs_str topic, uint32_t shard) {
	gs_buf_str(out, topic);
	gs_buf_cstr(out, "." KIND_TOKEN ".");
	gs_buf_u64(out, shard);
}

enum gs_status gs_wire_push_parse_subject(struct gs_str subject, struct gs_str topic, uint32_t *ret_shard) {
	struct gs_str infix = GS_STR("." KIND_TOKEN ".");
	uint64_t v = 0;
	if (!gs_str_starts(subject, topic))
		return GS_EINVAL;
	struct gs_str rest = gs_str_make(subject.p + topic.n, subject.n - topic.n);
	if (!gs_str_starts(rest, infix))
		return GS_EINVAL;
	rest = gs_str_make(rest.p + infix.n, rest.n - infix.n);
	bool padded = rest.n > 1 && rest.p[0] == '0';
	if (padded || gs_num_parse_u64(rest, &v) != GS_OK || v > UINT32_MAX)
		return GS_EINVAL;
	*ret_shard = (uint32_t)v;
	return GS_OK;
}

void gs_wire_push_message_id(struct gs_buf *out, struct gs_str id, uint32_t part) {
	gs_wire_add_text(out, id);
	gs_buf_char(out, '.');
	gs_buf_u64(out, part);
}

/* Writing */

static void add_number(struct gs_buf *out, enum key key, uint64_t v, uint64_t unless) {
	if (v == unless)
		return;
	gs_buf_add(out, (char[]){' ', keys[key].name, '='}, 3);
	gs_buf_u64(out, v);
}

static void add_text(struct gs_buf *out, enum text key, struct gs_str text) {
	gs_buf_add(out, (char[]){' ', text_names[key], '='}, 3);
	gs_wire_add_text(out, text);
}

void gs_wire_push_write(struct gs_buf *out, const struct gs_wire_push *push) {
	gs_buf_cstr(out, "v=");
	gs_buf_u64(out, GS_WIRE_VERSION);
	gs_buf_cstr(out, " k=p t=");
	gs_buf_i64(out, push->time_ms);
	add_text(out, OP, ops[push->op]);
	add_text(out, PUBLISHER, push->publisher);
	add_text(out, ID, push->id);
	if (push->mode.n != 0)
		add_text(out, MODE, push->mode);
	if (push->token.n != 0)
		add_text(out, TOKEN, push->token);
	add_number(out, TTL, (uint64_t)push->ttl_ms, 0);
	gs_wire_add_format(out, push->format, push->utf8_names);
	add_number(out, LABELS, push->labels_size, 0);
	add_number(out, BODY, push->body_size, UINT64_MAX);
	add_number(out, PART, push->part, 0);
	add_number(out, PARTS, push->parts, 1);
}

/* Reading */

struct parse {
	struct gs_str line;
	struct gs_str rest;
	struct gs_buf *scratch;
	struct gs_error *err;
	uint64_t numbers[NUMBERS];
	bool has[NUMBERS];
	struct gs_str texts[TEXTS];
	bool has_text[TEXTS];
	bool has_format;
	enum gs_expo_format format;
	bool utf8_names;
};

static enum gs_status wrong(struct parse *p, enum gs_status status, struct gs_str at, const char *what) {
	uint32_t column = at.p != NULL ? (uint32_t)(at.p - p->line.p) + 1 : 0;
	return gs_error_set(p->err, status, 1, column, "key %.*s %s", (int)(at.n < 8 ? at.n : 8), at.p, what);
}

/* Take "key=value" off the front. */
static enum gs_status take_pair(struct parse *p, struct gs_str *ret_key, struct gs_str *ret_value) {
	struct gs_str pair;
	bool more = gs_str_cut(p->rest, ' ', &pair, &p->rest);
	if (pair.n == 0 || (more && p->rest.n == 0))
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "a blank too many");
	if (!gs_str_cut(pair, '=', ret_key, ret_value) || ret_key->n == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, (uint32_t)(pair.p - p->line.p) + 1, "not key=value");
	return GS_OK;
}

static enum gs_status read_number(struct parse *p, enum key i, struct gs_str key, struct gs_str value) {
	uint64_t v = 0;
	if (p->has[i])
		return wrong(p, GS_EINVAL, key, "twice");
	enum gs_status status = gs_num_parse_u64(value, &v);
	if (status == GS_ELIMIT || (status == GS_OK && v > keys[i].max))
		return wrong(p, keys[i].above, key, "is too large");
	if (status != GS_OK)
		return wrong(p, GS_EINVAL, key, "is no number");
	p->numbers[i] = v;
	p->has[i] = true;
	return GS_OK;
}

static enum gs_status read_text(struct parse *p, enum text i, struct gs_str key, struct gs_str value) {
	if (p->has_text[i])
		return wrong(p, GS_EINVAL, key, "twice");
	if (gs_wire_read_text(p->scratch, value, &p->texts[i]) != GS_OK)
		return wrong(p, GS_EINVAL, key, "is not escaped as it must be");
	p->has_text[i] = true;
	return GS_OK;
}

static enum gs_status read_pair(struct parse *p) {
	struct gs_str key = {0}, value = {0};
	enum gs_status status = take_pair(p, &key, &value);
	if (status != GS_OK || key.n != 1)
		return status; /* longer keys are a later writer's */
	if (key.p[0] == 'v' || key.p[0] == 'k')
		return wrong(p, GS_EINVAL, key, "twice");
	if (key.p[0] == 'f') {
		if (p->has_format)
			return wrong(p, GS_EINVAL, key, "twice");
		p->has_format = true;
		status = gs_wire_read_format(value, &p->format, &p->utf8_names);
		return status == GS_OK ? GS_OK : wrong(p, status, key, "is no format");
	}
	for (enum text i = 0; i < TEXTS; i++) {
		if (text_names[i] == key.p[0])
			return read_text(p, i, key, value);
	}
	for (enum key i = 0; i < NUMBERS; i++) {
		if (keys[i].name == key.p[0])
			return read_number(p, i, key, value);
	}
	return GS_OK;
}

static enum gs_status read_front(struct parse *p) {
	struct gs_str key = {0}, value = {0};
	uint64_t version = 0;
	enum gs_status status = take_pair(p, &key, &value);
	if (status != GS_OK)
		return status;
	if (!gs_str_eq(key, GS_STR("v")) || gs_num_parse_u64(value, &version) != GS_OK || version > UINT16_MAX)
		return gs_error_set(p->err, GS_EINVAL, 1, 1, "key v must come first, with a number");
	if (version != GS_WIRE_VERSION)
		return gs_error_set(p->err, GS_EUNSUPPORTED, 1, 1, "version %u", (unsigned)version);
	if (p->rest.n == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key k is missing");
	status = take_pair(p, &key, &value);
	if (status != GS_OK)
		return status;
	if (!gs_str_eq(key, GS_STR("k")) || value.n == 0)
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key k must come second");
	return gs_str_eq(value, GS_STR("p")) ? GS_OK : wrong(p, GS_EUNSUPPORTED, key, "is another kind");
}

static enum gs_status find_op(struct parse *p, enum gs_wire_push_op *ret) {
	for (enum gs_wire_push_op i = 0; i < GS_WIRE_PUSH_OPS; i++) {
		if (gs_str_eq(ops[i], p->texts[OP])) {
			*ret = i;
			return GS_OK;
		}
	}
	return wrong(p, GS_EUNSUPPORTED, GS_STR("o"), "is an operation of a later version");
}

/* What no single key can know. */
static enum gs_status check_whole(struct parse *p) {
	for (enum key i = 0; i < NUMBERS; i++) {
		if (keys[i].required && !p->has[i])
			return gs_error_set(p->err, GS_EINVAL, 1, 0, "key %c is missing", keys[i].name);
	}
	for (enum text i = 0; i < TEXTS; i++) {
		if (i != MODE && i != TOKEN && !p->has_text[i])
			return gs_error_set(p->err, GS_EINVAL, 1, 0, "key %c is missing", text_names[i]);
	}
	if (p->texts[ID].n == 0 || p->texts[ID].n > GS_WIRE_PUSH_ID_MAX)
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key i is empty or too long");
	if (p->texts[TOKEN].n > GS_WIRE_PUSH_ID_MAX)
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key r is too long");
	if (!p->has[PARTS])
		p->numbers[PARTS] = 1;
	if (p->numbers[PARTS] == 0 || p->numbers[PART] >= p->numbers[PARTS])
		return gs_error_set(p->err, GS_EINVAL, 1, 0, "key p is not below q");
	return GS_OK;
}

enum gs_status gs_wire_push_parse(
    struct gs_str line, struct gs_buf *scratch, struct gs_wire_push *ret_push, struct gs_error *err) {
	struct parse p = {.line = line, .rest = line, .scratch = scratch, .err = err};
	enum gs_wire_push_op op = GS_WIRE_PUSH;
	enum gs_status status = gs_wire_check_line(line, scratch, err);
	if (status == GS_OK)
		status = read_front(&p);
	while (status == GS_OK && p.rest.n != 0)
		status = read_pair(&p);
	if (status == GS_OK)
		status = check_whole(&p);
	if (status == GS_OK)
		status = find_op(&p, &op);
	if (status != GS_OK)
		return status;
	*ret_push = (struct gs_wire_push){
	    .op = op,
	    .time_ms = (int64_t)p.numbers[TIME],
	    .ttl_ms = (int64_t)p.numbers[TTL],
	    .body_size = p.numbers[BODY],
	    .labels_size = p.numbers[LABELS],
	    .part = (uint32_t)p.numbers[PART],
	    .parts = (uint32_t)p.numbers[PARTS],
	    .format = p.format,
	    .utf8_names = p.utf8_names,
	    .publisher = p.texts[PUBLISHER],
	    .id = p.texts[ID],
	    .mode = p.texts[MODE],
	    .token = p.texts[TOKEN],
	};
	return GS_OK;
}

/* Labels */

static void add_counted(struct gs_buf *out, struct gs_str s) {
	gs_buf_u64(out, s.n);
	gs_buf_char(out, ':');
	gs_buf_str(out, s);
}

void gs_wire_push_add_labels(struct gs_buf *out, const struct gs_label *labels, size_t n) {
	for (size_t i = 0; i < n; i++) {
		add_counted(out, labels[i].name);
		add_counted(out, labels[i].value);
	}
}

static enum gs_status take_counted(struct gs_str *rest, struct gs_str *ret) {
	struct gs_str length, tail;
	uint64_t n = 0;
	if (!gs_str_cut(*rest, ':', &length, &tail) || gs_num_parse_u64(length, &n) != GS_OK || n > tail.n)
		return GS_EINVAL;
	*ret = gs_str_make(tail.p, (size_t)n);
	*rest = gs_str_make(tail.p + n, tail.n - (size_t)n);
	return GS_OK;
}

enum gs_status gs_wire_push_read_labels(struct gs_str text, struct gs_label *labels, size_t max, size_t *ret_n) {
	size_t n = 0;
	while (text.n != 0) {
		if (n == max)
			return GS_ELIMIT;
		if (take_counted(&text, &labels[n].name) != GS_OK || take_counted(&text, &labels[n].value) != GS_OK)
			return GS_EINVAL;
		n++;
	}
	*ret_n = n;
	return GS_OK;
}
