/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/web/web.h"

static int hex(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "%xy" at the front of s stands for, or 0 where it is no escape or one of NUL. */
static char unescape(struct gs_str s) {
	int high = s.n >= 3 ? hex(s.p[1]) : -1;
	int low = s.n >= 3 ? hex(s.p[2]) : -1;
	return high >= 0 && low >= 0 ? (char)(high * 16 + low) : '\0';
}

enum gs_status gs_web_percent_decode(struct gs_str in, bool plus, struct gs_buf *out) {
	char *at = in.n != 0 ? gs_buf_reserve(out, in.n) : NULL;
	size_t n = 0;
	if (at == NULL)
		return out->status;
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];
		if (c == '%') {
			c = unescape(gs_str_make(in.p + i, in.n - i));
			if (c == '\0')
				return GS_EINVAL;
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		at[n++] = c;
	}
	out->n += n;
	return GS_OK;
}
