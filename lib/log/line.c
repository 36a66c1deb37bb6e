/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <stdio.h>
#include <time.h>

#define ESCAPE_MAX 4 /* \xNN */

static const char tail[] = "...\"\n";

/* "2026-11-20T23:59:01.123Z level=info program=x msg=\"" */
static size_t put_head(char *out, size_t n, int64_t wall_ms, const char *level, const char *program) {
	struct tm tm;
	time_t seconds = (time_t)(wall_ms / 1000);
	if (gmtime_r(&seconds, &tm) == NULL)
		tm = (struct tm){.tm_year = 70, .tm_mday = 1};
	int wrote =
	    snprintf(out, n, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ level=%s program=%.64s msg=\"", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000), level, program);
	if (wrote < 0)
		return 0;
	return (size_t)wrote < n ? (size_t)wrote : n - 1;
}

static size_t put_hex(char *out, unsigned char c) {
	static const char digits[] = "0123456789abcdef";
	out[0] = '\\';
	out[1] = 'x';
	out[2] = digits[c >> 4];
	out[3] = digits[c & 15];
	return ESCAPE_MAX;
}

static size_t put_escaped(char *out, char c) {
	char word = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c;
	out[0] = '\\';
	out[1] = word;
	return 2;
}

/* One byte of the text. With ${utf8} the bytes above 0x7f are letters, except that U+0080 to U+009f are control characters too. */
static size_t put_byte(char *out, struct gs_str text, size_t i, bool utf8) {
	unsigned char c = (unsigned char)text.p[i];
	if (c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t')
		return put_escaped(out, text.p[i]);
	bool c1_head = utf8 && c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0;
	bool c1_tail = utf8 && (c & 0xe0) == 0x80 && i > 0 && (unsigned char)text.p[i - 1] == 0xc2;
	if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8) || c1_head || c1_tail)
		return put_hex(out, c);
	out[0] = text.p[i];
	return 1;
}

/* Take back the bytes of a letter that was cut in its middle. */
static size_t whole_letters(const char *out, size_t head, size_t n) {
	size_t at = n;
	while (at > head && ((unsigned char)out[at - 1] & 0xc0) == 0x80)
		at--;
	return at > head && (unsigned char)out[at - 1] >= 0xc0 ? at - 1 : n;
}

size_t gs_log_line(char *out, int64_t wall_ms, const char *level, const char *program, struct gs_str text) {
	size_t head = put_head(out, GS_LOG_LINE_MAX, wall_ms, level, program);
	size_t n = head, i = 0;
	bool utf8 = gs_str_is_utf8(text);
	while (i < text.n && n + ESCAPE_MAX + sizeof(tail) <= GS_LOG_LINE_MAX) {
		n += put_byte(out + n, text, i, utf8);
		i++;
	}
	struct gs_str end = gs_str_make(tail, sizeof(tail) - 1);
	if (i == text.n)
		end = gs_str_make(tail + 3, sizeof(tail) - 4);
	else
		n = whole_letters(out, head, n);
	memcpy(out + n, end.p, end.n);
	return n + end.n;
}
