/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/match/selector.h"

#include <stdarg.h>
#include <stdio.h>

#include "gravel/base/arena.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/match/regex.h"

#define NAME GS_STR("__name__")
#define REMEMBERED 128 /* bytes of the longest value whose answer is kept */

struct matcher {
	struct gs_str name;
	struct gs_str value;
	struct gs_regex *regex; /* NULL: compare */
	bool negative;
	/* Series of a target stand together: most values are the one before. */
	bool remembers;
	bool answer;
	size_t nlast;
	char last[REMEMBERED];
};

struct gs_selector {
	struct gs_arena *arena;
	struct matcher *matchers;
	size_t n;
	size_t cap;
};

struct scan {
	struct gs_selector *selector;
	const char *start;
	const char *p;
	const char *end;
	struct gs_error *err;
	bool named; /* by a name that stands for itself */
};

__attribute__((format(printf, 4, 5))) static enum gs_status fail(
    const struct scan *scan, enum gs_status status, const char *at, const char *fmt, ...) {
	char text[sizeof(scan->err->text)];
	uint32_t line = 1;
	const char *begin = scan->start;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *p = scan->start; p < at; p++) {
		if (*p != '\n')
			continue;
		line++;
		begin = p + 1;
	}
	return gs_error_set(scan->err, status, line, (uint32_t)(at - begin) + 1, "%s", text);
}

/* What stands at p, for a person. */
static enum gs_status fail_expected(const struct scan *scan, const char *what) {
	if (scan->p == scan->end)
		return fail(scan, GS_EINVAL, scan->p, "expected %s, but the selector ends", what);
	size_t n = 1;
	while (scan->p + n < scan->end && ((unsigned char)scan->p[n] & 0xc0) == 0x80)
		n++;
	return fail(scan, GS_EINVAL, scan->p, "expected %s, not %.*s", what, (int)n, scan->p);
}

static void skip_blanks(struct scan *scan) {
	bool comment = false;
	for (; scan->p < scan->end; scan->p++) {
		char c = *scan->p;
		if (c == '#')
			comment = true;
		else if (c == '\n')
			comment = false;
		else if (!comment && c != ' ' && c != '\t' && c != '\r')
			break;
	}
}

static bool at_char(const struct scan *scan, char c) {
	return scan->p < scan->end && *scan->p == c;
}

static bool take_char(struct scan *scan, char c) {
	bool there = at_char(scan, c);
	scan->p += there;
	return there;
}

static bool is_letter(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/* A classic name, or the empty slice. */
static struct gs_str take_name(struct scan *scan, bool colons) {
	const char *from = scan->p;
	while (scan->p < scan->end &&
	       (is_letter(*scan->p) || (colons && *scan->p == ':') || (scan->p != from && is_digit(*scan->p))))
		scan->p++;
	return gs_str_make(from, (size_t)(scan->p - from));
}

/* Strings */

static unsigned digit_of(char c) {
	if (is_digit(c))
		return (unsigned)(c - '0');
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (unsigned)((c | 0x20) - 'a') + 10;
	return 16;
}

static char *put_utf8(char *at, uint32_t c) {
	if (c < 0x80) {
		*at++ = (char)c;
		return at;
	}
	unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	*at++ = (char)((0xff80U >> more & 0xff) | c >> 6 * more);
	while (more-- != 0)
		*at++ = (char)(0x80 | (c >> 6 * more & 0x3f));
	return at;
}

/* ${n} digits of ${base} behind the backslash or its letter; scan->p is at the first of them. */
static enum gs_status take_code(
    struct scan *scan, const char *from, unsigned n, unsigned base, uint32_t max, uint32_t *ret) {
	uint32_t v = 0;
	for (unsigned i = 0; i < n; i++, scan->p++) {
		unsigned digit = scan->p < scan->end ? digit_of(*scan->p) : 16;
		if (digit >= base)
			return fail(scan, GS_EINVAL, from, "an escape has too few digits");
		v = v * base + digit;
	}
	if (v > max || (v >= 0xd800 && v < 0xe000))
		return fail(scan, GS_EINVAL, from, "an escape is no character");
	*ret = v;
	return GS_OK;
}

/* What stands behind a backslash, as Go has it. */
static enum gs_status take_escape(struct scan *scan, char quote, char **at) {
	static const char letters[] = "abfnrtv\\", bytes[] = "\a\b\f\n\r\t\v\\";
	const char *from = scan->p - 1;
	char c = scan->p < scan->end ? *scan->p : '\0';
	const char *letter = c != '\0' ? strchr(letters, c) : NULL;
	uint32_t code = 0;
	enum gs_status status = GS_OK;
	if (letter != NULL || c == quote) {
		*(*at)++ = letter != NULL ? bytes[letter - letters] : quote;
		scan->p++;
		return GS_OK;
	}
	bool unicode = c == 'u' || c == 'U';
	if (c != 'x' && !unicode && !(c >= '0' && c <= '7'))
		return fail(scan, GS_EINVAL, from, "unknown escape in a string");
	if (is_digit(c)) {
		status = take_code(scan, from, 3, 8, 255, &code);
	} else {
		scan->p++;
		status = take_code(scan, from, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, c == 'x' ? 255 : 0x10ffff, &code);
	}
	if (status != GS_OK)
		return status;
	if (unicode)
		*at = put_utf8(*at, code);
	else
		*(*at)++ = (char)code;
	return GS_OK;
}

static bool at_string(const struct scan *scan) {
	return at_char(scan, '"') || at_char(scan, '\'') || at_char(scan, '`');
}

static enum gs_status take_string(struct scan *scan, struct gs_str *ret) {
	const char *from = scan->p;
	char quote = *scan->p++;
	/* No escape is shorter than what it stands for. */
	char *text = gs_arena_alloc(scan->selector->arena, (size_t)(scan->end - from));
	char *at = text;
	if (text == NULL)
		return GS_ENOMEM;
	while (!at_char(scan, quote)) {
		if (scan->p == scan->end || (*scan->p == '\n' && quote != '`'))
			return fail(scan, GS_EINVAL, from, "a string does not end");
		char c = *scan->p++;
		if (c != '\\' || quote == '`') {
			*at++ = c;
			continue;
		}
		enum gs_status status = take_escape(scan, quote, &at);
		if (status != GS_OK)
			return status;
	}
	scan->p++;
	*ret = gs_str_make(text, (size_t)(at - text));
	return GS_OK;
}

/* Matchers */

static enum gs_status add_matcher(struct scan *scan, const struct matcher *given, struct matcher **ret) {
	struct gs_selector *selector = scan->selector;
	struct matcher *grown = gs_grow_array(selector->matchers, &selector->cap, selector->n, sizeof(*grown));
	if (grown == NULL)
		return GS_ENOMEM;
	selector->matchers = grown;
	*ret = &grown[selector->n++];
	**ret = *given;
	return GS_OK;
}

/* The metric is of this name. */
static enum gs_status add_name(struct scan *scan, const char *at, struct gs_str name) {
	struct matcher *matcher;
	struct matcher given = {.name = NAME, .value = gs_arena_dup(scan->selector->arena, name)};
	if (scan->named)
		return fail(scan, GS_EINVAL, at, "a second metric name");
	if (given.value.n != name.n)
		return GS_ENOMEM;
	scan->named = true;
	return add_matcher(scan, &given, &matcher);
}

static enum gs_status compile(struct scan *scan, const char *at, struct matcher *matcher) {
	struct gs_error err = {0};
	enum gs_status status = gs_regex_new(matcher->value, &matcher->regex, &err);
	return status == GS_ENOMEM || status == GS_OK ? status : fail(scan, status, at, "%s", err.text);
}

/* =, !=, =~ or !~, and the value. */
static enum gs_status take_condition(struct scan *scan, struct gs_str name) {
	struct matcher given = {.name = gs_arena_dup(scan->selector->arena, name)}, *matcher;
	if (given.name.n != name.n)
		return GS_ENOMEM;
	given.negative = take_char(scan, '!');
	bool equal = take_char(scan, '=');
	bool regex = (equal != given.negative) && take_char(scan, '~');
	if (!equal && !regex)
		return fail_expected(scan, given.negative ? "!= or !~" : "=, !=, =~ or !~");
	skip_blanks(scan);
	if (!at_string(scan))
		return fail_expected(scan, "a value in quotes");
	const char *at = scan->p;
	enum gs_status status = take_string(scan, &given.value);
	if (status == GS_OK)
		status = add_matcher(scan, &given, &matcher);
	return status == GS_OK && regex ? compile(scan, at, matcher) : status;
}

/* One matcher, or a metric name in quotes. */
static enum gs_status take_matcher(struct scan *scan) {
	const char *at = scan->p;
	struct gs_str name = {0};
	bool quoted = at_string(scan);
	enum gs_status status = GS_OK;
	if (scan->selector->n == GS_LIMIT_LABELS)
		return fail(scan, GS_ELIMIT, at, "more than %d matchers", GS_LIMIT_LABELS);
	if (quoted)
		status = take_string(scan, &name);
	else
		name = take_name(scan, false);
	if (status != GS_OK)
		return status;
	if (!quoted && name.n == 0)
		return fail_expected(scan, "a label name or }");
	skip_blanks(scan);
	if (quoted && (at_char(scan, ',') || at_char(scan, '}')))
		return add_name(scan, at, name);
	return take_condition(scan, name);
}

static enum gs_status take_matchers(struct scan *scan) {
	enum gs_status status = GS_OK;
	for (;;) {
		skip_blanks(scan);
		if (take_char(scan, '}'))
			return GS_OK;
		status = take_matcher(scan);
		if (status != GS_OK)
			return status;
		skip_blanks(scan);
		if (!take_char(scan, ',') && !at_char(scan, '}'))
			return fail_expected(scan, ", or }");
	}
}

static enum gs_status run(struct matcher *matcher, struct gs_str value, bool *ret) {
	if (matcher->regex == NULL) {
		*ret = gs_str_eq(value, matcher->value) != matcher->negative;
		return GS_OK;
	}
	if (matcher->remembers && gs_str_eq(value, gs_str_make(matcher->last, matcher->nlast))) {
		*ret = matcher->answer;
		return GS_OK;
	}
	bool matches;
	enum gs_status status = gs_regex_match(matcher->regex, value, &matches);
	*ret = matches != matcher->negative;
	matcher->remembers = status == GS_OK && value.n <= sizeof(matcher->last);
	if (matcher->remembers) {
		matcher->answer = *ret;
		matcher->nlast = value.n;
		if (value.n != 0)
			memcpy(matcher->last, value.p, value.n);
	}
	return status;
}

/* A selector that would take whatever has none of its labels is mostly a mistake. */
static enum gs_status check_not_empty(const struct scan *scan) {
	for (size_t i = 0; i < scan->selector->n; i++) {
		bool matches;
		enum gs_status status = run(&scan->selector->matchers[i], (struct gs_str){0}, &matches);
		if (status != GS_OK || !matches)
			return status;
	}
	return fail(scan, GS_EINVAL, scan->start, "one matcher at least must not match the empty text");
}

static enum gs_status take_selector(struct scan *scan) {
	enum gs_status status = GS_OK;
	skip_blanks(scan);
	const char *at = scan->p;
	struct gs_str name = take_name(scan, true);
	if (name.n == 0 && !at_char(scan, '{'))
		return fail_expected(scan, "a metric name or {");
	if (name.n != 0)
		status = add_name(scan, at, name);
	skip_blanks(scan);
	if (status == GS_OK && take_char(scan, '{'))
		status = take_matchers(scan);
	skip_blanks(scan);
	if (status == GS_OK && scan->p != scan->end)
		status = fail_expected(scan, "nothing more");
	return status == GS_OK ? check_not_empty(scan) : status;
}

enum gs_status gs_selector_parse(struct gs_str text, struct gs_selector **ret_selector, struct gs_error *err) {
	struct gs_selector *selector = gs_alloc(sizeof(*selector));
	if (selector == NULL)
		return GS_ENOMEM;
	struct scan scan = {.selector = selector,
	    .start = text.p,
	    .p = text.p,
	    .end = text.n != 0 ? text.p + text.n : text.p,
	    .err = err};
	selector->arena = gs_arena_new(SIZE_MAX / 2);
	enum gs_status status = selector->arena != NULL ? take_selector(&scan) : GS_ENOMEM;
	if (status != GS_OK) {
		gs_selector_free(selector);
		return status;
	}
	*ret_selector = selector;
	return GS_OK;
}

void gs_selector_free(struct gs_selector *selector) {
	if (selector == NULL)
		return;
	for (size_t i = 0; i < selector->n; i++)
		gs_regex_free(selector->matchers[i].regex);
	gs_free(selector->matchers);
	gs_arena_free(selector->arena);
	gs_free(selector);
}

struct gs_str gs_selector_name(const struct gs_selector *selector) {
	for (size_t i = 0; i < selector->n; i++) {
		const struct matcher *matcher = &selector->matchers[i];
		if (matcher->regex == NULL && !matcher->negative && gs_str_eq(matcher->name, NAME))
			return matcher->value;
	}
	return (struct gs_str){0};
}

static struct gs_str value_of(const struct gs_label *labels, size_t n, struct gs_str name) {
	for (size_t i = 0; i < n; i++) {
		if (gs_str_eq(labels[i].name, name))
			return labels[i].value;
	}
	return (struct gs_str){0};
}

enum gs_status gs_selector_match(
    struct gs_selector *selector, const struct gs_label *labels, size_t n, bool *ret_matches) {
	enum gs_status status = GS_OK;
	*ret_matches = true;
	for (size_t i = 0; i < selector->n && *ret_matches && status == GS_OK; i++) {
		struct matcher *matcher = &selector->matchers[i];
		status = run(matcher, value_of(labels, n, matcher->name), ret_matches);
	}
	return status;
}
