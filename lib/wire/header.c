/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#define KIND_SCRAPE 's'
#define KIND_GONE 'g'
#define CAUSE_MAX 32
#define CAUSE_UNKNOWN "unknown"

/* The keys of version 1 after v and k, in the order in which they are written. docs/PROTOCOL.md has the same table. */
enum key { TIME, SENT, INTERVAL, DURATION, UP, SAMPLES, KEPT, ADDED, BODY, PART, PARTS, HONOR, RESULTS, NUMBERS };

static const struct gs_wire_key keys[NUMBERS] = {
    [TIME] = {'t', true, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [SENT] = {'s', true, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [INTERVAL] = {'i', true, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [DURATION] = {'d', true, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [UP] = {'u', true, 1, GS_EINVAL},
    [SAMPLES] = {'n', true, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [KEPT] = {'m', false, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [ADDED] = {'a', false, GS_WIRE_EXACT_MAX, GS_EINVAL},
    [BODY] = {'b', true, GS_LIMIT_WIRE_BODY, GS_ELIMIT},
    [PART] = {'p', false, GS_LIMIT_PARTS - 1, GS_EINVAL},
    [PARTS] = {'q', false, GS_LIMIT_PARTS, GS_ELIMIT},
    [HONOR] = {'h', false, 1, GS_EINVAL},
    [RESULTS] = {'e', false, 1, GS_EINVAL},
};
_Static_assert(NUMBERS <= GS_WIRE_KEYS_MAX, "a line has room for them");

static bool is_cause_byte(char c) {
	return (c >= 'a' && c <= 'z') || c == '_';
}

static void add_number(struct gs_buf *out, enum key key, int64_t v) {
	gs_wire_add_key(out, keys[key].name);
	gs_buf_i64(out, v);
}

static void add_count(struct gs_buf *out, enum key key, uint64_t v) {
	gs_wire_add_key(out, keys[key].name);
	gs_buf_u64(out, v);
}

/* Whatever cause holds, one word of the protocol comes out. */
static void add_cause(struct gs_buf *out, struct gs_str cause) {
	if (cause.n == 0)
		cause = GS_STR(CAUSE_UNKNOWN);
	gs_wire_add_key(out, 'c');
	for (size_t i = 0; i < cause.n && i < CAUSE_MAX; i++)
		gs_buf_char(out, is_cause_byte(cause.p[i]) ? cause.p[i] : '_');
}

void gs_wire_header_write(struct gs_buf *out, const struct gs_wire_header *header) {
	gs_buf_cstr(out, "v=");
	gs_buf_u64(out, GS_WIRE_VERSION);
	gs_wire_add_key(out, 'k');
	gs_buf_char(out, header->kind == GS_WIRE_GONE ? KIND_GONE : KIND_SCRAPE);
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
		gs_wire_add_key(out, 'l');
		gs_wire_add_text(out, header->labels);
	}
}

/* One parse: the line, and what only this kind has. */
struct parse {
	struct gs_wire_line line;
	struct gs_wire_text labels;
	struct gs_str cause;
	bool has_cause;
};

static bool is_gone(const struct parse *p) {
	return p->line.kind == KIND_GONE;
}

static enum gs_status read_cause(struct parse *p, struct gs_str key, struct gs_str value) {
	struct gs_buf *scratch = p->line.scratch;
	if (p->has_cause)
		return gs_wire_line_twice(&p->line, key);
	bool good = value.n != 0 && value.n <= CAUSE_MAX;
	for (size_t i = 0; good && i < value.n; i++)
		good = is_cause_byte(value.p[i]);
	if (!good)
		return gs_wire_line_wrong(&p->line, GS_EINVAL, key, "is no cause");
	p->has_cause = true;
	p->cause = gs_str_make(scratch->p + scratch->n, value.n);
	gs_buf_str(scratch, value);
	return scratch->status;
}

static enum gs_status read_pair(struct parse *p) {
	struct gs_str key = {0}, value = {0};
	enum gs_status status = gs_wire_line_next(&p->line, &key, &value);
	if (status != GS_OK || key.n == 0)
		return status;
	if (is_gone(p) && key.p[0] != keys[TIME].name && key.p[0] != keys[SENT].name)
		return GS_OK;
	switch (key.p[0]) {
	case 'c':
		return read_cause(p, key, value);
	case 'f':
		return gs_wire_line_format(&p->line, key, value);
	case 'l':
		return gs_wire_line_text(&p->line, key, value, &p->labels);
	default:
		return gs_wire_line_number(&p->line, key, value);
	}
}

/* What no single key can know. */
static enum gs_status check_whole(struct parse *p) {
	uint64_t *v = p->line.numbers;
	struct gs_error *err = p->line.err;
	enum gs_status status = gs_wire_line_require(&p->line, is_gone(p) ? SENT + 1 : NUMBERS);
	if (status != GS_OK)
		return status;
	if (!p->line.has[PARTS])
		v[PARTS] = 1;
	if (is_gone(p))
		return GS_OK;
	if (v[UP] == 0 && !p->has_cause)
		return gs_wire_line_missing(&p->line, 'c');
	if (v[UP] == 1 && p->has_cause)
		return gs_error_set(err, GS_EINVAL, 1, 0, "key c with up 1");
	if (!p->line.has[KEPT])
		v[KEPT] = v[SAMPLES];
	if (v[PARTS] == 0)
		return gs_error_set(err, GS_EINVAL, 1, 0, "key q is 0");
	if (v[PART] >= v[PARTS])
		return gs_error_set(err, GS_EINVAL, 1, 0, "key p is not below q");
	return GS_OK;
}

static void fill(const struct parse *p, struct gs_wire_header *ret) {
	const uint64_t *v = p->line.numbers;
	*ret = (struct gs_wire_header){
	    .kind = is_gone(p) ? GS_WIRE_GONE : GS_WIRE_SCRAPE,
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
	    .format = p->line.format,
	    .utf8_names = p->line.utf8_names,
	    .cause = p->cause,
	    .labels = p->labels.value,
	};
}

enum gs_status gs_wire_header_parse(
    struct gs_str line, struct gs_buf *scratch, struct gs_wire_header *ret_header, struct gs_error *err) {
	struct parse p = {.line = {.keys = keys,
			      .nkeys = NUMBERS,
			      .kinds = GS_STR_INIT("sg"),
			      .names_max = true,
			      .scratch = scratch,
			      .err = err}};
	enum gs_status status = gs_wire_line_open(&p.line, line);
	while (status == GS_OK && p.line.rest.n != 0)
		status = read_pair(&p);
	if (status == GS_OK)
		status = check_whole(&p);
	if (status == GS_OK)
		fill(&p, ret_header);
	return status;
}
