/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void gs_base64_encode(struct gs_str in, struct gs_buf *out) {
	for (size_t i = 0; i < in.n; i += 3) {
		size_t n = in.n - i < 3 ? in.n - i : 3;
		unsigned bits = 0;
		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < n ? (unsigned char)in.p[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			gs_buf_char(out, j <= n ? digits[bits >> (18 - 6 * j) & 63] : '=');
	}
}

static int value_of(enum gs_base64 variant, char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (variant != GS_BASE64_GO && (c == '+' || c == '/'))
		return c == '+' ? 62 : 63;
	if (variant != GS_BASE64_STANDARD && (c == '-' || c == '_'))
		return c == '-' ? 62 : 63;
	return -1;
}

/* ${in} without its padding: at most two characters where it has to be right. */
static struct gs_str without_padding(enum gs_base64 variant, struct gs_str in) {
	size_t max = variant == GS_BASE64_STANDARD ? 2 : in.n;
	for (; max != 0 && in.n != 0 && in.p[in.n - 1] == '='; max--)
		in.n--;
	return in;
}

enum gs_status gs_base64_decode(enum gs_base64 variant, struct gs_str in, struct gs_arena *arena, struct gs_str *ret) {
	struct gs_str text = without_padding(variant, in);
	unsigned bits = 0, held = 0;
	*ret = (struct gs_str){0};
	if ((variant == GS_BASE64_STANDARD && in.n % 4 != 0) || text.n % 4 == 1)
		return GS_EINVAL;
	size_t n = text.n / 4 * 3 + text.n % 4 * 3 / 4, at = 0;
	if (n == 0)
		return GS_OK;
	char *out = gs_arena_alloc(arena, n);
	if (out == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < text.n; i++) {
		int value = value_of(variant, text.p[i]);
		if (value < 0)
			return GS_EINVAL;
		bits = (bits << 6 | (unsigned)value) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[at++] = (char)(bits >> held & 0xff);
		}
	}
	if (variant != GS_BASE64_GO && (bits & ((1U << held) - 1)) != 0)
		return GS_EINVAL; /* bits that no encoder leaves */
	*ret = gs_str_make(out, n);
	return GS_OK;
}
