/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast reader (fast.h). Included once by each source that defines, for its kind of blocks (else those of words.h are taken):
 *   BLOCK              bytes in a block
 *   FAST               attributes of its functions
 *   FAST_READ          the name of the reader
 *   stop_value(p)      index of the first byte of the block at p that is '"', '\\', below ' ' or not ASCII; BLOCK if there is none
 *   stop_name(p)       of the first that cannot stand in a metric name
 *   stop_label(p)      of the first that cannot stand in a label name
 *   stop_word(p)       of the first that is ' ' or below or not ASCII
 *   stop_equal(p, q)   of the first that differs from the block at q
 */
#ifndef BLOCK
#include "words.h"
#endif

#include "number.h"
#include "parser.h"

/* Blocks are read only where all of a block lies in the window: safe is the last such place. The bytes p[0] to p[7] can be read where
 * p <= safe. */
struct reader {
	const char *p;
	const char *safe;
	struct gs_expo_parser *parser;
	size_t nlabels;
};

/* Go to the byte that stop finds; false where the window ends too soon. */
static inline FAST bool go_to(struct reader *r, unsigned (*stop)(const char *p)) {
	const char *p = r->p;
	for (; p <= r->safe; p += BLOCK) {
		unsigned at = stop(p);
		if (at != BLOCK) {
			r->p = p + at;
			return r->p <= r->safe;
		}
	}
	return false;
}

/* How many of the n bytes at p are those at q, which stand before them. */
static inline FAST size_t count_equal(const char *p, const char *q, size_t n, const char *safe) {
	size_t at = 0;
	for (; at < n && p + at <= safe; at += BLOCK) {
		unsigned same = stop_equal(p + at, q + at);
		if (same != BLOCK) {
			at += same; /* only here, so that the blocks do not wait for each other */
			break;
		}
	}
	return at < n ? at : n;
}

static inline size_t end_of(const struct gs_expo_place *place) {
	return (size_t)place->value + place->value_n + 1;
}

static inline void set_label(struct gs_expo_parser *parser, size_t i, const char *open) {
	const struct gs_expo_place *place = &parser->braces.places[i];
	struct gs_label *label = &parser->labels[i];
	label->name = gs_str_make(open + place->name, place->name_n);
	label->value = gs_str_make(open + place->value, place->value_n);
}

/* Resolve the escapes in the values; false if there is no room. */
static __attribute__((noinline)) bool resolve_escapes(struct gs_expo_parser *parser, size_t nlabels) {
	for (size_t i = 0; i < nlabels; i++) {
		struct gs_str *value = &parser->labels[i].value;
		if (parser->braces.escaped[i] && gs_expo_unescape(parser, *value, true, value) != GS_OK)
			return false;
	}
	return true;
}

/* What stands at the same place as in the braces before, to the byte. ${inside}: the metric name stands in the braces. */
static inline FAST void reuse_labels(struct reader *r, const char *open, bool inside) {
	struct gs_expo_braces *braces = &r->parser->braces;
	size_t same = 0, n = braces->nlabels, start = 1;
	if (inside == (braces->name_n != 0))
		same = count_equal(open, braces->open, braces->n, r->safe);
	while (n != 0 && end_of(&braces->places[n - 1]) > same)
		n--;
	if (n != 0)
		start = end_of(&braces->places[n - 1]);
	if (n == 0)
		braces->escapes = false;
	if (n == 0 && inside && same >= braces->name_n + 4) /* and what follows the quote */
		start = braces->name_n + 3;
	r->nlabels = n;
	r->p = open + start;
	for (size_t i = 0; i < n; i++)
		set_label(r->parser, i, open);
}

/* The closing quote of the text from start, which is plain up to p; NULL if it is none that the reader knows. By value, so that the reader can
 * stay in registers. */
static __attribute__((noinline)) FAST const char *end_of_hard_text(
    const char *start, const char *p, const char *safe, bool *ret_escapes) {
	struct reader r = {.p = p, .safe = safe};
	bool ascii = true;
	do {
		bool escape = *r.p == '\\';
		if (!escape && (unsigned char)*r.p < 0x80)
			return NULL;
		*ret_escapes = *ret_escapes || escape;
		ascii = ascii && escape;
		r.p += escape && (r.p[1] == '"' || r.p[1] == '\\') ? 2 : 1;
	} while (go_to(&r, stop_value) && *r.p != '"');
	bool ends = r.p <= safe && *r.p == '"';
	return ends && (ascii || gs_str_is_utf8(gs_expo_between(start, r.p))) ? r.p : NULL;
}

/* The text from r->p to its closing quote, which r->p is then at. */
static inline FAST bool read_text(struct reader *r, struct gs_str *ret, bool *ret_escapes) {
	const char *start = r->p;
	bool escapes = false;
	if (!go_to(r, stop_value))
		return false;
	if (*r->p != '"') {
		const char *end = end_of_hard_text(start, r->p, r->safe, &escapes);
		if (end == NULL)
			return false;
		r->p = end;
	}
	*ret_escapes = escapes;
	*ret = gs_expo_between(start, r->p);
	return true;
}

/* The name in quotes at r->p, which is then behind them. */
static inline FAST bool read_quoted(struct reader *r, struct gs_str *ret_name) {
	bool escapes;
	r->p++;
	if (!r->parser->quotes || !read_text(r, ret_name, &escapes) || escapes || ret_name->n == 0 ||
	    ret_name->n > GS_LIMIT_NAME)
		return false;
	r->p++;
	return r->p <= r->safe;
}

/* The metric name behind the '{'. */
static inline FAST bool read_inside(struct reader *r) {
	struct gs_str name;
	if (r->p > r->safe || *r->p != '"' || !read_quoted(r, &name))
		return false;
	r->parser->braces.name_n = name.n;
	return *r->p == ',' || *r->p == '}';
}

/* The name of the next label, unlike that of the braces before, and what stands between it and its value. */
static inline FAST bool read_new_name(struct reader *r, const char *open) {
	struct gs_expo_place *places = r->parser->braces.places;
	struct gs_str name = {.p = r->p};
	if (r->nlabels == GS_LIMIT_LABELS || r->p > r->safe)
		return false;
	bool quoted = *r->p == '"';
	if (quoted) {
		if (!read_quoted(r, &name))
			return false;
	} else {
		if ((gs_expo_class[(unsigned char)*r->p] & GS_EXPO_LABEL_FIRST) == 0 || !go_to(r, stop_label))
			return false;
		name.n = (size_t)(r->p - name.p);
	}
	if (r->p[0] != '=' || r->p[1] != '"' || name.n > GS_LIMIT_NAME || gs_str_eq(name, GS_STR("__name__")))
		return false;
	for (size_t i = 0; i < r->nlabels; i++) {
		if (places[i].name_n == name.n && memcmp(open + places[i].name, name.p, name.n) == 0)
			return false;
	}
	places[r->nlabels].name = (uint32_t)(name.p - open);
	places[r->nlabels].name_n = (uint32_t)name.n;
	r->parser->braces.quoted[r->nlabels] = quoted;
	r->p += 2;
	return true;
}

/* The name of the next label, if it is that of the label at the same place in the braces before. */
static inline FAST bool read_same_name(struct reader *r, const char *open, const char *before) {
	struct gs_expo_place *place = &r->parser->braces.places[r->nlabels];
	size_t quote = r->parser->braces.quoted[r->nlabels];
	size_t n = (size_t)place->name_n + 2 + 2 * quote;
	if (count_equal(r->p, before + place->name - quote, n, r->safe) != n)
		return false;
	place->name = (uint32_t)((size_t)(r->p - open) + quote);
	r->p += n;
	return true;
}

/* The value whose first byte is at r->p, which is then behind its closing quote. */
static inline FAST bool read_value(struct reader *r, const char *open) {
	struct gs_expo_braces *braces = &r->parser->braces;
	struct gs_str value;
	bool escapes;
	if (!read_text(r, &value, &escapes) || value.n > GS_LIMIT_LABEL_VALUE)
		return false;
	braces->places[r->nlabels].value = (uint32_t)(value.p - open);
	braces->places[r->nlabels].value_n = (uint32_t)value.n;
	braces->escaped[r->nlabels] = escapes;
	braces->escapes = braces->escapes || escapes;
	r->p++;
	return true;
}

/* The labels whose '{' is at r->p, which is then behind the '}'. */
static inline FAST bool read_labels(struct reader *r, bool inside) {
	struct gs_expo_braces *braces = &r->parser->braces;
	const char *open = r->p, *before = braces->open;
	size_t nbefore = braces->nlabels;
	bool alike =
	    true; /* the names so far are those of the braces before, so that they are well formed and distinct */
	reuse_labels(r, open, inside);
	if (!inside)
		braces->name_n = 0;
	else if (r->p == open + 1 && !read_inside(r))
		return false;
	while (r->p <= r->safe && *r->p != '}') {
		if (r->p != open + 1 && *r->p++ != ',')
			return false;
		alike = alike && r->nlabels < nbefore && read_same_name(r, open, before);
		if ((!alike && !read_new_name(r, open)) || !read_value(r, open))
			return false;
		set_label(r->parser, r->nlabels++, open);
	}
	if (r->p > r->safe || (braces->escapes && !resolve_escapes(r->parser, r->nlabels)))
		return false;
	r->p++;
	braces->open = open;
	braces->n = (size_t)(r->p - open);
	braces->nlabels = r->nlabels;
	return true;
}

static inline FAST bool read_name(struct reader *r, struct gs_str *ret_name) {
	const char *start = r->p;
	if ((gs_expo_class[(unsigned char)*start] & GS_EXPO_METRIC_FIRST) == 0 || !go_to(r, stop_name) ||
	    r->p - start > GS_LIMIT_NAME)
		return false;
	*ret_name = gs_expo_between(start, r->p);
	return true;
}

static inline FAST bool read_series(struct reader *r, struct gs_str *ret_name, struct gs_str *ret_series) {
	const char *start = r->p;
	bool inside = *start == '{';
	if (!inside && !read_name(r, ret_name))
		return false;
	if (*r->p == '{' && !read_labels(r, inside))
		return false;
	if (inside)
		*ret_name = gs_str_make(start + 2, r->parser->braces.name_n);
	*ret_series = gs_expo_between(start, r->p);
	return r->p < r->safe && *r->p++ == ' ';
}

static inline FAST bool read_number(struct reader *r, double *ret) {
	const char *start = r->p;
	if (!go_to(r, stop_word) || r->p == start)
		return false;
	struct gs_str text = gs_expo_between(start, r->p);
	return (text.n <= 16 && gs_expo_parse_short(text, ret)) || gs_expo_parse_number(text, ret);
}

/* Where the line ends whose value ends at p: there, or where the end is found for what follows the value. NULL if the value does not
 * end there, or the line not in the window. */
static inline const char *find_end(const struct reader *r, const char *p, const char **ret_next) {
	const char *lf = p;
	if (*p == ' ' || *p == '\t')
		lf = memchr(p, '\n', (size_t)(r->parser->bounds.limit - p));
	else if (*p == '\r')
		lf = p + 1;
	if (lf == NULL || *lf != '\n')
		return NULL;
	*ret_next = lf + 1;
	return lf[-1] == '\r' ? lf - 1 : lf;
}

/* Make the line that ends at end the current one. */
static inline void take_line(struct gs_expo_parser *parser, const char *end, const char *next) {
	parser->line++;
	parser->line_start = parser->next;
	parser->bounds.end = end;
	parser->next = next;
}

static inline FAST bool read_sample(struct reader *r, struct gs_expo_event *event) {
	struct gs_expo_parser *parser = r->parser;
	const char *start = r->p, *next;
	struct gs_str name, series;
	double value;
	if (!read_series(r, &name, &series))
		return false;
	if (!read_number(r, &value))
		return false;
	const char *end = find_end(r, r->p, &next);
	if (end == NULL || end - start > GS_LIMIT_LINE || (parser->strict && *end == '\r'))
		return false;
	take_line(parser, end, next);
	*event = (struct gs_expo_event){
	    .kind = GS_EXPO_SAMPLE,
	    .line = parser->line,
	    .nlabels = r->nlabels,
	    .labels = parser->labels,
	    .name = name,
	    .series = series,
	    .value = value,
	};
	parser->samples++;
	return true;
}

/* The text of HELP to the end of the line, if it is ASCII without escapes. */
static inline FAST bool read_help(struct reader *r, struct gs_str *ret_text) {
	const char *start = r->p;
	bool more = go_to(r, stop_value);
	while (more && *r->p == '"' && !r->parser->strict) {
		r->p++;
		more = go_to(r, stop_value);
	}
	*ret_text = gs_expo_between(start, r->p);
	return more && *r->p == '\n' && ret_text->n <= GS_LIMIT_LABEL_VALUE;
}

static inline FAST bool read_type(struct reader *r, enum gs_expo_type *ret_type) {
	const char *start = r->p;
	return go_to(r, stop_word) && *r->p == '\n' &&
	       gs_expo_type_of(gs_expo_between(start, r->p), r->parser->strict, ret_type);
}

/* "# HELP name text" or "# TYPE name type". */
static inline FAST bool read_comment(struct reader *r, struct gs_expo_event *event) {
	struct gs_expo_parser *parser = r->parser;
	struct gs_str text = {0};
	enum gs_expo_type type = GS_TYPE_UNTYPED;
	bool help = memcmp(r->p, "# HELP ", 7) == 0;
	if (!help && memcmp(r->p, "# TYPE ", 7) != 0)
		return false;
	struct gs_str name;
	r->p += 7;
	if (r->p > r->safe || !(*r->p == '"' ? read_quoted(r, &name) : read_name(r, &name)) || *r->p++ != ' ')
		return false;
	if (help ? !read_help(r, &text) : !read_type(r, &type))
		return false;
	take_line(parser, r->p, r->p + 1);
	*event = (struct gs_expo_event){
	    .kind = help ? GS_EXPO_HELP : GS_EXPO_TYPE,
	    .line = parser->line,
	    .type = type,
	    .name = name,
	    .text = text,
	};
	return true;
}

enum gs_status FAST FAST_READ(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	struct reader r = {.p = parser->next, .parser = parser};
	if (parser->bounds.limit - r.p < BLOCK)
		return GS_EAGAIN;
	r.safe = parser->bounds.limit - BLOCK;
	parser->scratch_used = 0;
	if (*r.p == '#')
		return read_comment(&r, event) ? GS_OK : GS_EAGAIN;
	if (!read_sample(&r, event)) {
		gs_expo_forget_braces(parser);
		return GS_EAGAIN;
	}
	return r.p == parser->bounds.end ? GS_OK : gs_expo_tail(parser, event, r.p);
}
