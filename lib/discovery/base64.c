/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void gs_sd_base64_encode(struct gs_str in, struct gs_buf *out) {
	for (size_t i = 0; i < in.n; i += 3) {
		size_t n = in.n - i < 3 ? in.n - i : 3;
		unsigned bits = 0;
		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < n ? (unsigned char)in.p[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			gs_buf_char(out, j <= n ? digits[bits >> (18 - 6 * j) & 63] : '=');
	}
}

static int value_of(char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bytes that the last four characters stand for, by their padding. */
static size_t last_bytes(struct gs_str in) {
	if (in.p[in.n - 1] != '=')
		return 3;
	return in.p[in.n - 2] != '=' ? 2 : 1;
}

enum gs_status gs_sd_base64_decode(struct gs_str in, struct gs_arena *arena, struct gs_str *ret) {
	*ret = (struct gs_str){0};
	if (in.n == 0)
		return GS_OK;
	if (in.n % 4 != 0)
		return GS_EINVAL;
	size_t n = in.n / 4 * 3 - 3 + last_bytes(in), text = in.n - (3 - last_bytes(in)), at = 0;
	char *out = gs_arena_alloc(arena, n);
	if (out == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < in.n; i += 4) {
		unsigned bits = 0;
		for (size_t j = 0; j < 4; j++) {
			int value = i + j < text ? value_of(in.p[i + j]) : 0;
			if (value < 0)
				return GS_EINVAL;
			bits = bits << 6 | (unsigned)value;
		}
		for (size_t j = 0; j < 3; j++) {
			unsigned byte = bits >> (16 - 8 * j) & 255;
			if (at < n)
				out[at++] = (char)byte;
			else if (byte != 0)
				return GS_EINVAL; /* bits that no encoder leaves */
		}
	}
	*ret = gs_str_make(out, n);
	return GS_OK;
}
