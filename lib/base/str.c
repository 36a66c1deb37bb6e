/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/str.h"

#include <stdint.h>

#define DISTANCE_MAX 64

int gs_str_cmp(struct gs_str a, struct gs_str b) {
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n != 0 ? memcmp(a.p, b.p, n) : 0;
	if (c != 0)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

bool gs_str_starts(struct gs_str s, struct gs_str prefix) {
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool gs_str_ends(struct gs_str s, struct gs_str suffix) {
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

bool gs_str_cut(struct gs_str s, char sep, struct gs_str *ret_head, struct gs_str *ret_tail) {
	const char *at = s.n != 0 ? memchr(s.p, sep, s.n) : NULL;
	if (at == NULL) {
		*ret_head = s;
		*ret_tail = (struct gs_str){0};
		return false;
	}
	size_t n = (size_t)(at - s.p);
	*ret_head = gs_str_make(s.p, n);
	*ret_tail = gs_str_make(at + 1, s.n - n - 1);
	return true;
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct gs_str gs_str_trim(struct gs_str s) {
	while (s.n != 0 && is_blank(s.p[0]))
		s = gs_str_make(s.p + 1, s.n - 1);
	while (s.n != 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Length of the well-formed sequence at p, with at most n bytes, or 0 (RFC 3629, section 4). */
static size_t utf8_sequence(const unsigned char *p, size_t n) {
	unsigned char low = 0x80, high = 0xbf;
	size_t len;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

bool gs_str_is_utf8(struct gs_str s) {
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = s.n;
	while (n != 0) {
		uint64_t word;
		if (n >= sizeof(word)) {
			memcpy(&word, p, sizeof(word));
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				p += sizeof(word);
				n -= sizeof(word);
				continue;
			}
		}
		size_t len = utf8_sequence(p, n);
		if (len == 0)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

static size_t min3(size_t a, size_t b, size_t c) {
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

size_t gs_str_distance(struct gs_str a, struct gs_str b) {
	/* Optimal string alignment over three rows. */
	size_t rows[3][DISTANCE_MAX + 1];
	if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *row = rows[i % 3];
		const size_t *up = rows[(i - 1) % 3];
		const size_t *up2 = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t cost = a.p[i - 1] != b.p[j - 1];
			row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + cost);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
			    up2[j - 2] + 1 < row[j])
				row[j] = up2[j - 2] + 1;
		}
	}
	return rows[a.n % 3][b.n];
}
