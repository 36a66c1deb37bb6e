/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the letters of classic names. The schemes are those of Prometheus: docs/instrumenting/escaping_schemes, and EscapeName of its
 * model package where that document is vague. */
#include "gravel/expo/format.h"
#include "scan.h"

#define REPLACEMENT 0xfffdU
#define CODE_DIGITS_MAX 6 /* hexadecimal, of the greatest code point */

/* The code point at *p, which is then behind it; a byte that begins none is U+FFFD. */
static uint32_t next_code(const char **p, const char *end) {
	const unsigned char *s = (const unsigned char *)*p;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n > (size_t)(end - *p) || !gs_str_is_utf8(gs_str_make(*p, n))) {
		(*p)++;
		return REPLACEMENT;
	}
	uint32_t code = n == 1 ? s[0] : s[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++)
		code = code << 6 | (s[i] & 0x3f);
	*p += n;
	return code;
}

static char *put(char *out, const char *text) {
	size_t n = strlen(text);
	memcpy(out, text, n);
	return out + n;
}

static char *put_code(char *out, uint32_t code) {
	int shift = 4 * (CODE_DIGITS_MAX - 1);
	while (shift > 0 && code >> shift == 0)
		shift -= 4;
	*out++ = '_';
	for (; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[code >> shift & 15];
	*out++ = '_';
	return out;
}

/* A character that cannot stand where it is, by the scheme. */
static char *put_odd(char *out, uint32_t code, enum gs_escaping scheme) {
	if (scheme == GS_ESCAPE_UNDERSCORES)
		return put(out, "_");
	if (scheme == GS_ESCAPE_VALUES)
		return put_code(out, code);
	return put(out, code == '.' ? "_dot_" : "__");
}

static bool is_classic(uint32_t code, bool first, enum gs_name_kind kind) {
	uint8_t class = kind == GS_NAME_LABEL ? (first ? GS_EXPO_LABEL_FIRST : GS_EXPO_LABEL)
					      : (first ? GS_EXPO_METRIC_FIRST : GS_EXPO_METRIC);
	return code < 0x80 && (gs_expo_class[code] & class) != 0;
}

static size_t escape(char *out, struct gs_str name, enum gs_name_kind kind, enum gs_escaping scheme) {
	char *at = scheme == GS_ESCAPE_VALUES ? put(out, "U__") : out;
	const char *p = name.p, *end = p + name.n;
	while (p < end) {
		bool first = p == name.p;
		uint32_t code = next_code(&p, end);
		if (code == '_' && scheme != GS_ESCAPE_UNDERSCORES)
			at = put(at, "__");
		else if (is_classic(code, first, kind))
			*at++ = (char)code;
		else
			at = put_odd(at, code, scheme);
	}
	return (size_t)(at - out);
}

size_t gs_expo_escape(char *out, struct gs_str name, enum gs_name_kind kind, enum gs_escaping scheme) {
	if (name.n == 0)
		return 0;
	bool classic = kind == GS_NAME_LABEL ? gs_expo_is_label_name(name) : gs_expo_is_metric_name(name);
	if (scheme != GS_ESCAPE_NONE && (!classic || scheme == GS_ESCAPE_DOTS))
		return escape(out, name, kind, scheme);
	memcpy(out, name.p, name.n);
	return name.n;
}

size_t gs_expo_escape_always(char *out, struct gs_str name, enum gs_name_kind kind) {
	return name.n != 0 ? escape(out, name, kind, GS_ESCAPE_VALUES) : 0;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 'a' - 'A';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The digits at *p up to a '_', which *p is then behind; false unless they are a code point that text may have. */
static bool read_code(const char **p, const char *end, uint32_t *ret) {
	const char *start = *p, *at = start;
	uint32_t code = 0;
	for (; at < end && *at != '_'; at++) {
		int digit = hex_digit(*at);
		if (digit < 0 || at - start == CODE_DIGITS_MAX)
			return false;
		code = code << 4 | (uint32_t)digit;
	}
	*p = at + 1;
	*ret = code;
	return at < end && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static char *put_utf8(char *out, uint32_t code) {
	if (code < 0x80) {
		*out++ = (char)code;
		return out;
	}
	int shift = code < 0x800 ? 6 : code < 0x10000 ? 12 : 18;
	unsigned lead = code < 0x800 ? 0xc0 : code < 0x10000 ? 0xe0 : 0xf0;
	*out++ = (char)(lead | code >> shift);
	while (shift > 0) {
		shift -= 6;
		*out++ = (char)(0x80 | (code >> shift & 0x3f));
	}
	return out;
}

bool gs_expo_read_escaped(struct gs_str name, char *out, size_t *ret_n) {
	if (!gs_str_starts(name, GS_STR("U__")))
		return false;
	char *at = out;
	const char *p = name.p + 3, *end = name.p + name.n;
	while (p < end) {
		uint32_t code = (unsigned char)*p++;
		if (code != '_') {
			*at++ = (char)code;
			continue;
		}
		if (p < end && *p == '_')
			p++;
		else if (!read_code(&p, end, &code))
			return false;
		at = put_utf8(at, code);
	}
	*ret_n = (size_t)(at - out);
	return true;
}
