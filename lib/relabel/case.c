/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"

#include "case_table.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define UTF8_MAX 4

static uint32_t map(const struct run *runs, size_t n, uint32_t c) {
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (runs[middle].last < c)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == n || c < runs[low].first || (c - runs[low].first) % runs[low].step != 0)
		return c;
	return (uint32_t)((int64_t)c + runs[low].delta);
}

/* The character at p and its length; U+FFFD and 1 for a byte that begins none. */
static uint32_t take(const unsigned char *p, size_t n, size_t *ret_n) {
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	*ret_n = 1;
	if (n < length || !gs_str_is_utf8(gs_str_make((const char *)p, length)))
		return 0xfffd;
	*ret_n = length;
	uint32_t c = length == 1 ? p[0] : p[0] & (0xffU >> (length + 1));
	for (size_t i = 1; i < length; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

static size_t put(char *at, uint32_t c) {
	size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	at[0] = (char)(more == 0 ? c : (0xff80U >> more & 0xff) | c >> 6 * more);
	for (size_t i = 1; i <= more; i++)
		at[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
	return more + 1;
}

static void convert(struct gs_str text, const struct run *runs, size_t nruns, char first, struct gs_buf *out) {
	const unsigned char *p = (const unsigned char *)text.p;
	for (size_t i = 0, length; i < text.n; i += length) {
		char *at = gs_buf_reserve(out, UTF8_MAX);
		if (at == NULL)
			return;
		unsigned char c = p[i];
		if (c < 0x80) {
			length = 1;
			*at = (char)((unsigned char)(c - (unsigned char)first) < 26 ? c ^ 0x20 : c);
			out->n++;
		} else {
			out->n += put(at, map(runs, nruns, take(p + i, text.n - i, &length)));
		}
	}
}

void gs_case_lower(struct gs_str text, struct gs_buf *out) {
	convert(text, lower_runs, N(lower_runs), 'A', out);
}

void gs_case_upper(struct gs_str text, struct gs_buf *out) {
	convert(text, upper_runs, N(upper_runs), 'a', out);
}
