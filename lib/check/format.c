/* SPDX-License-Identifier: Apache-2.0 */
/* Which format a body is in that came without a Content-Type. */
#include "gravel/check/check.h"

/* A protobuf varint of at most four bytes at *s; *s is then behind it. More is no length that we would read. */
static bool read_length(struct gs_str *s, size_t *ret) {
	*ret = 0;
	for (unsigned i = 0; i < 4 && i < s->n; i++) {
		unsigned char c = (unsigned char)s->p[i];
		*ret |= (size_t)(c & 0x7f) << (7 * i);
		if (c < 0x80) {
			*s = gs_str_make(s->p + i + 1, s->n - i - 1);
			return true;
		}
	}
	return false;
}

static bool is_printable(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return gs_str_is_utf8(s);
}

/* Every encoder writes the fields in their order, so that the name comes first; a text that begins so would begin with control characters. */
static bool looks_like_protobuf(struct gs_str s) {
	size_t message, name;
	if (!read_length(&s, &message) || s.n == 0 || s.p[0] != 0x0a)
		return false;
	struct gs_str rest = gs_str_make(s.p + 1, s.n - 1);
	if (!read_length(&rest, &name) || name == 0 || name > GS_LIMIT_NAME || name > rest.n)
		return false;
	size_t used = (size_t)(rest.p - s.p) + name;
	return used <= message && is_printable(gs_str_make(rest.p, name));
}

static bool format_of_name(struct gs_str name, enum gs_expo_format *ret) {
	static const struct {
		struct gs_str ending;
		enum gs_expo_format format;
	} endings[] = {
	    {GS_STR_INIT(".prom"), GS_FORMAT_TEXT},
	    {GS_STR_INIT(".om"), GS_FORMAT_OPENMETRICS},
	    {GS_STR_INIT(".openmetrics"), GS_FORMAT_OPENMETRICS},
	    {GS_STR_INIT(".pb"), GS_FORMAT_PROTOBUF},
	    {GS_STR_INIT(".binpb"), GS_FORMAT_PROTOBUF},
	    {GS_STR_INIT(".protobuf"), GS_FORMAT_PROTOBUF},
	};
	static const struct gs_str packed[] = {GS_STR_INIT(".gz"), GS_STR_INIT(".zst")};
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		if (gs_str_ends(name, packed[i]))
			name.n -= packed[i].n;
	}
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (gs_str_ends(name, endings[i].ending)) {
			*ret = endings[i].format;
			return true;
		}
	}
	return false;
}

static bool ends_with_eof(struct gs_str tail) {
	struct gs_str s = gs_str_trim(tail), eof = GS_STR("# EOF");
	return gs_str_ends(s, eof) && (s.n == eof.n || s.p[s.n - eof.n - 1] == '\n');
}

/* The next word of *s, words being parted by one blank. */
static struct gs_str next_word(struct gs_str *s) {
	struct gs_str word;
	gs_str_cut(*s, ' ', &word, s);
	return word;
}

static bool is_openmetrics_type(struct gs_str word) {
	static const struct gs_str words[] = {
	    GS_STR_INIT("unknown"), GS_STR_INIT("info"), GS_STR_INIT("stateset"), GS_STR_INIT("gaugehistogram")};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (gs_str_eq(word, words[i]))
			return true;
	}
	return false;
}

/* Whether the line is a sample of counter_total. */
static bool is_total_of(struct gs_str line, struct gs_str counter) {
	struct gs_str rest = gs_str_make(line.p + counter.n, line.n - counter.n);
	return counter.n != 0 && gs_str_starts(rest, GS_STR("_total")) &&
	       (rest.n == 6 || rest.p[6] == ' ' || rest.p[6] == '{');
}

/* Whether a line is OpenMetrics and no text; *counter is the family that the last TYPE line made a counter. */
static bool is_openmetrics_line(struct gs_str line, struct gs_str *counter) {
	if (line.n == 0 || line.p[0] != '#')
		return gs_str_starts(line, *counter) && is_total_of(line, *counter);
	struct gs_str rest = line;
	next_word(&rest);
	struct gs_str keyword = next_word(&rest), name = next_word(&rest);
	if (gs_str_eq(keyword, GS_STR("UNIT")))
		return true;
	if (!gs_str_eq(keyword, GS_STR("TYPE")))
		return false;
	*counter = gs_str_eq(rest, GS_STR("counter")) ? name : (struct gs_str){0};
	return is_openmetrics_type(rest);
}

static bool looks_like_openmetrics(struct gs_str head) {
	struct gs_str counter = {0}, line;
	while (gs_str_cut(head, '\n', &line, &head)) {
		if (is_openmetrics_line(line, &counter))
			return true;
	}
	return false;
}

enum gs_expo_format gs_check_format(struct gs_str name, struct gs_str head, const struct gs_str *tail) {
	enum gs_expo_format format;
	if (looks_like_protobuf(head))
		return GS_FORMAT_PROTOBUF;
	if (format_of_name(name, &format))
		return format;
	bool openmetrics = tail != NULL ? ends_with_eof(*tail) : looks_like_openmetrics(head);
	return openmetrics ? GS_FORMAT_OPENMETRICS : GS_FORMAT_TEXT;
}
