/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/wire/push.h"

#include "gravel/base/num.h"
#include "line.h"

#define KIND_TOKEN "push"

/* Keys with numbers, in the order in which they are written. docs/PROTOCOL.md has the same table. */
enum key { TIME, TTL, LABELS, BODY, PART, PARTS, NUMBERS };

static const struct gs_wire_key keys[NUMBERS] = {
    [TIME] = {'t', true, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [TTL] = {'x', false, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [LABELS] = {'l', false, GS_LIMIT_WIRE_BODY, GS_ELIMIT},
    [BODY] = {'b', true, GS_LIMIT_WIRE_BODY, GS_ELIMIT},
    [PART] = {'p', false, GS_LIMIT_PARTS - 1, GS_EINVAL},
    [PARTS] = {'q', false, GS_LIMIT_PARTS, GS_ELIMIT},
};
_Static_assert(NUMBERS <= GS_WIRE_KEYS_MAX, "a line has room for them");

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
	gs_wire_add_key(out, keys[key].name);
	gs_buf_u64(out, v);
}

static void add_text(struct gs_buf *out, enum text key, struct gs_str text) {
	gs_wire_add_key(out, text_names[key]);
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
	struct gs_wire_line line;
	struct gs_wire_text texts[TEXTS];
};

static enum gs_status read_pair(struct parse *p) {
	struct gs_str key = {0}, value = {0};
	enum gs_status status = gs_wire_line_next(&p->line, &key, &value);
	if (status != GS_OK || key.n == 0)
		return status;
	if (key.p[0] == 'f')
		return gs_wire_line_format(&p->line, key, value);
	for (enum text i = 0; i < TEXTS; i++) {
		if (text_names[i] == key.p[0])
			return gs_wire_line_text(&p->line, key, value, &p->texts[i]);
	}
	return gs_wire_line_number(&p->line, key, value);
}

static enum gs_status find_op(const struct parse *p, enum gs_wire_push_op *ret) {
	for (enum gs_wire_push_op i = 0; i < GS_WIRE_PUSH_OPS; i++) {
		if (gs_str_eq(ops[i], p->texts[OP].value)) {
			*ret = i;
			return GS_OK;
		}
	}
	return gs_wire_line_wrong(&p->line, GS_EUNSUPPORTED, p->texts[OP].key, "is an operation of a later version");
}

/* What no single key can know. */
static enum gs_status check_whole(struct parse *p) {
	uint64_t *v = p->line.numbers;
	struct gs_str id = p->texts[ID].value;
	enum gs_status status = gs_wire_line_require(&p->line, NUMBERS);
	if (status != GS_OK)
		return status;
	for (enum text i = 0; i < TEXTS; i++) {
		if (i != MODE && i != TOKEN && p->texts[i].key.n == 0)
			return gs_wire_line_missing(&p->line, text_names[i]);
	}
	if (id.n == 0 || id.n > GS_WIRE_PUSH_ID_MAX)
		return gs_error_set(p->line.err, GS_EINVAL, 1, 0, "key i is empty or too long");
	if (p->texts[TOKEN].value.n > GS_WIRE_PUSH_ID_MAX)
		return gs_error_set(p->line.err, GS_EINVAL, 1, 0, "key r is too long");
	if (!p->line.has[PARTS])
		v[PARTS] = 1;
	if (v[PARTS] == 0 || v[PART] >= v[PARTS])
		return gs_error_set(p->line.err, GS_EINVAL, 1, 0, "key p is not below q");
	return GS_OK;
}

static void fill(const struct parse *p, enum gs_wire_push_op op, struct gs_wire_push *ret) {
	const uint64_t *v = p->line.numbers;
	*ret = (struct gs_wire_push){
	    .op = op,
	    .time_ms = (int64_t)v[TIME],
	    .ttl_ms = (int64_t)v[TTL],
	    .body_size = v[BODY],
	    .labels_size = v[LABELS],
	    .part = (uint32_t)v[PART],
	    .parts = (uint32_t)v[PARTS],
	    .format = p->line.format,
	    .utf8_names = p->line.utf8_names,
	    .publisher = p->texts[PUBLISHER].value,
	    .id = p->texts[ID].value,
	    .mode = p->texts[MODE].value,
	    .token = p->texts[TOKEN].value,
	};
}

enum gs_status gs_wire_push_parse(
    struct gs_str line, struct gs_buf *scratch, struct gs_wire_push *ret_push, struct gs_error *err) {
	struct parse p = {
	    .line = {.keys = keys, .nkeys = NUMBERS, .kinds = GS_STR_INIT("p"), .scratch = scratch, .err = err}};
	enum gs_wire_push_op op = GS_WIRE_PUSH;
	enum gs_status status = gs_wire_line_open(&p.line, line);
	while (status == GS_OK && p.line.rest.n != 0)
		status = read_pair(&p);
	if (status == GS_OK)
		status = check_whole(&p);
	if (status == GS_OK)
		status = find_op(&p, &op);
	if (status == GS_OK)
		fill(&p, op, ret_push);
	return status;
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
