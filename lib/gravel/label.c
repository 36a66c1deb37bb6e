/* SPDX-License-Identifier: Apache-2.0 */
#include "label.h"

#include <string.h>

#include "gravel/expo/format.h"

/* A byte of each that is 1 where x has no bit set: the usual trick, exact for what it is asked here. */
static uint64_t has_zero(uint64_t x) {
	return (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080);
}

static bool needs_escape(uint64_t eight) {
	const uint64_t ones = UINT64_C(0x0101010101010101);
	return (has_zero(eight ^ (ones * '"')) | has_zero(eight ^ (ones * '\\')) | has_zero(eight ^ (ones * '\n'))) !=
	       0;
}

static char *put_escaped(char *at, struct gs_str s) {
	size_t i = 0;
	while (i < s.n) {
		uint64_t eight;
		if (s.n - i >= sizeof(eight)) {
			memcpy(&eight, s.p + i, sizeof(eight));
			if (!needs_escape(eight)) {
				memcpy(at, &eight, sizeof(eight));
				at += sizeof(eight);
				i += sizeof(eight);
				continue;
			}
		}
		char c = s.p[i++];
		if (c == '"' || c == '\\' || c == '\n')
			*at++ = '\\';
		*at++ = c != '\n' ? c : 'n';
	}
	return at;
}

char *gs_label_put(char *at, struct gs_str name, struct gs_str value, bool *odd) {
	bool classic = gs_expo_is_label_name(name);
	*odd = *odd || !classic || gs_str_starts(name, GS_STR("U__"));
	if (classic) {
		memcpy(at, name.p, name.n);
		at += name.n;
	} else {
		*at++ = '"';
		at = put_escaped(at, name);
		*at++ = '"';
	}
	*at++ = '=';
	*at++ = '"';
	at = put_escaped(at, value);
	*at++ = '"';
	return at;
}

/* Behind the quote that ends the string which begins behind a quote at p. */
static const char *skip_quoted(const char *p, const char *end) {
	while (p < end && *p != '"')
		p += *p == '\\' ? 2 : 1;
	return p + 1;
}

bool gs_label_next(struct gs_str *rest, struct gs_label *ret) {
	if (rest->n == 0)
		return false;
	const char *p = rest->p, *end = p + rest->n;
	const char *name_end = *p == '"' ? skip_quoted(p + 1, end) : memchr(p, '=', rest->n);
	const char *value_end = skip_quoted(name_end + 2, end);
	ret->name = gs_str_make(p, (size_t)(name_end - p));
	ret->value = gs_str_make(name_end + 2, (size_t)(value_end - 1 - (name_end + 2)));
	if (value_end < end)
		value_end++; /* the comma */
	*rest = gs_str_make(value_end, (size_t)(end - value_end));
	return true;
}

struct gs_str gs_label_read(struct gs_str s, char *at) {
	size_t n = 0;
	if (s.n >= 2 && s.p[0] == '"')
		s = gs_str_make(s.p + 1, s.n - 2);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '\\') {
			c = s.p[++i];
			c = c != 'n' ? c : '\n';
		}
		at[n++] = c;
	}
	return gs_str_make(at, n);
}

/* Behind the quote that ends a string of UTF-8 escaped as put_escaped does it; NULL: it is none. */
static const char *end_of_quoted(const char *p, const char *end) {
	const char *start = p;
	for (; p < end && *p != '"'; p++) {
		if (*p == '\n')
			return NULL;
		if (*p == '\\' && (++p == end || (*p != '"' && *p != '\\' && *p != 'n')))
			return NULL;
	}
	return p < end && gs_str_is_utf8(gs_str_make(start, (size_t)(p - start))) ? p + 1 : NULL;
}

/* Behind a name; NULL: it is none, or would be written otherwise. */
static const char *end_of_name(const char *p, const char *end) {
	if (p < end && *p == '"') {
		const char *behind = end_of_quoted(p + 1, end);
		struct gs_str inside = gs_str_make(p + 1, behind != NULL ? (size_t)(behind - 1 - (p + 1)) : 0);
		return behind != NULL && inside.n != 0 && !gs_expo_is_label_name(inside) ? behind : NULL;
	}
	const char *equals = memchr(p, '=', (size_t)(end - p));
	if (equals == NULL || !gs_expo_is_label_name(gs_str_make(p, (size_t)(equals - p))))
		return NULL;
	return equals;
}

/* Names compare by what they mean: the quotes and escapes of one do not matter to where it stands. */
static int compare_names(struct gs_str a, struct gs_str b) {
	size_t i = a.p[0] == '"', k = b.p[0] == '"';
	size_t na = a.n - i, nb = b.n - k;
	for (; i < na && k < nb; i++, k++) {
		bool ea = a.p[i] == '\\', eb = b.p[k] == '\\';
		unsigned char x = (unsigned char)a.p[i += ea], y = (unsigned char)b.p[k += eb];
		x = ea && x == 'n' ? '\n' : x;
		y = eb && y == 'n' ? '\n' : y;
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (i < na) - (k < nb);
}

bool gs_label_is_text(struct gs_str s, bool sorted, bool *odd) {
	const char *p = s.p, *end = p + s.n;
	struct gs_str last = {0};
	while (p < end) {
		const char *name_end = end_of_name(p, end);
		if (name_end == NULL || end - name_end < 3 || name_end[0] != '=' || name_end[1] != '"')
			return false;
		struct gs_str name = gs_str_make(p, (size_t)(name_end - p));
		if (sorted && last.n != 0 && compare_names(last, name) >= 0)
			return false;
		*odd = *odd || name.p[0] == '"' || gs_str_starts(name, GS_STR("U__"));
		last = name;
		p = end_of_quoted(name_end + 2, end);
		if (p == NULL || (p < end && (*p != ',' || p + 1 == end)))
			return false;
		p += p < end;
	}
	return true;
}

bool gs_label_is_target(struct gs_str name) {
	switch (name.n) {
	case 3:
		return memcmp(name.p, "job", 3) == 0;
	case 8:
		return memcmp(name.p, "instance", 8) == 0;
	case 9:
		return memcmp(name.p, "publisher", 9) == 0;
	default:
		return false;
	}
}
