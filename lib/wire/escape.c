/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include "gravel/wire/wire.h"

static bool is_token_byte(unsigned char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static const struct gs_wire_escaping token_rule = {.mark = '=', .plain = is_token_byte};

void gs_wire_escape_add(struct gs_buf *out, const struct gs_wire_escaping *rule, struct gs_str s) {
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (rule->plain(c))
			gs_buf_char(out, (char)c);
		else
			gs_buf_add(out, (char[]){rule->mark, hex[c >> 4], hex[c & 15]}, 3);
	}
}

/* Value of an upper-case hexadecimal digit, or -1. */
static int hex_value(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Read the byte at the front of s into *ret and return how many bytes it took, or 0 if it is in no form of ours. */
static size_t undo_byte(const struct gs_wire_escaping *rule, struct gs_str s, unsigned char *ret) {
	*ret = (unsigned char)s.p[0];
	if (rule->plain(*ret))
		return 1;
	if (s.p[0] != rule->mark || s.n < 3)
		return 0;
	int high = hex_value(s.p[1]), low = hex_value(s.p[2]);
	if (high < 0 || low < 0)
		return 0;
	*ret = (unsigned char)(high << 4 | low);
	return rule->plain(*ret) ? 0 : 3;
}

enum gs_status gs_wire_escape_undo(struct gs_buf *out, const struct gs_wire_escaping *rule, struct gs_str s) {
	size_t before = out->n;
	while (s.n != 0) {
		unsigned char c;
		size_t n = undo_byte(rule, s, &c);
		if (n == 0) {
			out->n = before;
			return GS_EINVAL;
		}
		gs_buf_char(out, (char)c);
		s = gs_str_make(s.p + n, s.n - n);
	}
	return out->status;
}

void gs_wire_escape(struct gs_buf *out, struct gs_str token) {
	/* NATS has no empty tokens. */
	if (token.n == 0)
		gs_buf_char(out, token_rule.mark);
	else
		gs_wire_escape_add(out, &token_rule, token);
}

enum gs_status gs_wire_unescape(struct gs_buf *out, struct gs_str token) {
	if (token.n == 0)
		return GS_EINVAL;
	if (token.n == 1 && token.p[0] == token_rule.mark)
		return out->status;
	return gs_wire_escape_undo(out, &token_rule, token);
}
