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

static inline void set_label(struct gs_label *label, const char *open, const struct gs_expo_place *place) {
	label->name = gs_str_make(open + place->name, place->name_n);
	label->value = gs_str_make(open + place->value, place->value_n);
}

/* The labels that stand at the same place as in the braces before, to the byte. */
static inline FAST void reuse_labels(struct reader *r, const char *open) {
	const struct gs_expo_braces *before = &r->parser->braces;
	size_t same = count_equal(open, before->open, before->n, r->safe);
	size_t n = before->nlabels;
	while (n != 0 && end_of(&before->places[n - 1]) > same)
		n--;
	for (size_t i = 0; i < n; i++)
		set_label(&r->parser->labels[i], open, &before->places[i]);
	r->nlabels = n;
	r->p = n != 0 ? open + end_of(&before->places[n - 1]) : open + 1;
}

/* The name of the next label, unlike that of the braces before. */
static inline FAST bool read_new_name(struct reader *r, const char *open, struct gs_expo_place *place) {
	const struct gs_expo_place *places = r->parser->braces.places;
	const char *start = r->p;
	if (r->nlabels == GS_LIMIT_LABELS || start > r->safe ||
	    (gs_expo_class[(unsigned char)*start] & GS_EXPO_LABEL_FIRST) == 0 || !go_to(r, stop_label))
		return false;
	struct gs_str name = gs_expo_between(start, r->p);
	if (r->p[0] != '=' || r->p[1] != '"' || name.n > GS_LIMIT_NAME || gs_str_eq(name, GS_STR("__name__")))
		return false;
	for (size_t i = 0; i < r->nlabels; i++) {
		if (places[i].name_n == name.n && memcmp(open + places[i].name, start, name.n) == 0)
			return false;
	}
	place->name = (uint32_t)(start - open);
	place->name_n = (uint32_t)name.n;
	r->p += 2;
	return true;
}

/* The value whose first byte is at r->p, if it is one without escapes; r->p is then behind its closing quote. */
static inline FAST bool read_value(struct reader *r, const char *open, struct gs_expo_place *place) {
	const char *start = r->p;
	bool ascii = true;
	if (!go_to(r, stop_value))
		return false;
	while ((unsigned char)*r->p >= 0x80) {
		ascii = false;
		r->p++;
		if (!go_to(r, stop_value))
			return false;
	}
	struct gs_str value = gs_expo_between(start, r->p);
	if (*r->p != '"' || value.n > GS_LIMIT_LABEL_VALUE || (!ascii && !gs_str_is_utf8(value)))
		return false;
	place->value = (uint32_t)(start - open);
	place->value_n = (uint32_t)value.n;
	r->p++;
	return true;
}

/* The labels whose '{' is at r->p; r->p is then behind the '}'. */
static inline FAST bool read_labels(struct reader *r) {
	struct gs_expo_braces *braces = &r->parser->braces;
	const char *open = r->p, *before = braces->open;
	size_t nbefore = braces->nlabels;
	bool alike =
	    true; /* the names so far are those of the braces before, so that they are well formed and distinct */
	reuse_labels(r, open);
	while (r->p <= r->safe && *r->p != '}') {
		if (r->nlabels != 0 && *r->p++ != ',')
			return false;
		struct gs_expo_place *place = &braces->places[r->nlabels];
		size_t n = (size_t)place->name_n + 2;
		alike = alike && r->nlabels < nbefore && count_equal(r->p, before + place->name, n, r->safe) == n;
		if (alike) {
			place->name = (uint32_t)(r->p - open);
			r->p += n;
		} else if (!read_new_name(r, open, place)) {
			return false;
		}
		if (!read_value(r, open, place))
			return false;
		set_label(&r->parser->labels[r->nlabels++], open, place);
	}
	if (r->p > r->safe)
		return false;
	r->p++;
	braces->open = open;
	braces->n = (size_t)(r->p - open);
	braces->nlabels = r->nlabels;
	return true;
}

static inline FAST bool read_series(struct reader *r, struct gs_str *ret_name, struct gs_str *ret_series) {
	const char *start = r->p;
	if (r->p > r->safe || (gs_expo_class[(unsigned char)*start] & GS_EXPO_METRIC_FIRST) == 0 ||
	    !go_to(r, stop_name) || r->p - start > GS_LIMIT_NAME)
		return false;
	*ret_name = gs_expo_between(start, r->p);
	if (*r->p == '{' && !read_labels(r))
		return false;
	*ret_series = gs_expo_between(start, r->p);
	return r->p < r->safe && *r->p++ == ' ';
}

static inline FAST bool read_number(struct reader *r, double *ret) {
	const char *start = r->p;
	if (!go_to(r, stop_word) || r->p == start)
		return false;
	struct gs_str text = gs_expo_between(start, r->p);
	return (text.n <= 8 && gs_expo_parse_short(text, ret)) || gs_expo_parse_number(text, ret);
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
	parser->scratch_used = 0;
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
	const char *start = r->p + 7;
	r->p = start;
	if (start > r->safe || (gs_expo_class[(unsigned char)*start] & GS_EXPO_METRIC_FIRST) == 0 ||
	    !go_to(r, stop_name) || *r->p != ' ' || r->p - start > GS_LIMIT_NAME)
		return false;
	struct gs_str name = gs_expo_between(start, r->p++);
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
	if (*r.p == '#')
		return read_comment(&r, event) ? GS_OK : GS_EAGAIN;
	if (!read_sample(&r, event)) {
		parser->braces.n = 0;
		parser->braces.nlabels = 0;
		return GS_EAGAIN;
	}
	return r.p == parser->bounds.end ? GS_OK : gs_expo_tail(parser, event, r.p);
}
