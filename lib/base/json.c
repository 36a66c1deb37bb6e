/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/json.h"

#include <time.h>

#include "gravel/base/num.h"

void gs_json_init(struct gs_json *json, struct gs_buf *out) {
	*json = (struct gs_json){.out = out};
}

/* What comes next begins here. */
static void begin(struct gs_json *json) {
	if (json->comma)
		gs_buf_char(json->out, ',');
	json->comma = true;
}

void gs_json_open(struct gs_json *json, char bracket) {
	begin(json);
	gs_buf_char(json->out, bracket);
	json->comma = false;
}

void gs_json_close(struct gs_json *json, char bracket) {
	gs_buf_char(json->out, bracket);
	json->comma = true;
}

/* Bytes of the UTF-8 character that ${s} begins with; 0 if it is none. */
static size_t character(struct gs_str s) {
	for (size_t n = 1; n <= 4 && n <= s.n; n++) {
		if (gs_str_is_utf8(gs_str_make(s.p, n)))
			return n;
	}
	return 0;
}

static bool is_plain(char c) {
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void escape(struct gs_buf *out, char c) {
	static const char digits[] = "0123456789abcdef";
	if (c == '"' || c == '\\') {
		gs_buf_char(out, '\\');
		gs_buf_char(out, c);
	} else if (c == '\n') {
		gs_buf_cstr(out, "\\n");
	} else {
		gs_buf_cstr(out, "\\u00");
		gs_buf_char(out, digits[(unsigned char)c >> 4]);
		gs_buf_char(out, digits[(unsigned char)c & 15]);
	}
}

static void quote(struct gs_buf *out, struct gs_str s) {
	gs_buf_char(out, '"');
	for (size_t i = 0; i < s.n;) {
		size_t run = i;
		while (run < s.n && is_plain(s.p[run]))
			run++;
		gs_buf_add(out, s.p + i, run - i);
		i = run;
		if (i == s.n)
			break;
		size_t n = character(gs_str_make(s.p + i, s.n - i));
		if (n == 1)
			escape(out, s.p[i]);
		else if (n != 0)
			gs_buf_add(out, s.p + i, n);
		else
			gs_buf_cstr(out, "\xef\xbf\xbd");
		i += n != 0 ? n : 1;
	}
	gs_buf_char(out, '"');
}

void gs_json_key(struct gs_json *json, struct gs_str key) {
	begin(json);
	quote(json->out, key);
	gs_buf_char(json->out, ':');
	json->comma = false;
}

void gs_json_str(struct gs_json *json, struct gs_str s) {
	begin(json);
	quote(json->out, s);
}

void gs_json_u64(struct gs_json *json, uint64_t v) {
	begin(json);
	gs_buf_u64(json->out, v);
}

void gs_json_bool(struct gs_json *json, bool v) {
	begin(json);
	gs_buf_cstr(json->out, v ? "true" : "false");
}

void gs_json_null(struct gs_json *json) {
	begin(json);
	gs_buf_cstr(json->out, "null");
}

void gs_json_double(struct gs_json *json, double v) {
	begin(json);
	gs_buf_char(json->out, '"');
	gs_buf_double(json->out, v);
	gs_buf_char(json->out, '"');
}

void gs_json_seconds(struct gs_json *json, int64_t ms) {
	char text[GS_NUM_DOUBLE_MAX];
	begin(json);
	gs_buf_add(json->out, text, gs_num_print_ms_as_seconds(text, ms));
}

void gs_json_time(struct gs_json *json, int64_t ms) {
	char text[32];
	struct tm tm;
	time_t seconds = (time_t)(ms / 1000);
	if (ms <= 0 || gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900) {
		gs_json_null(json);
		return;
	}
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	begin(json);
	gs_buf_char(json->out, '"');
	gs_buf_add(json->out, text, n);
	gs_buf_printf(json->out, ".%03u", (unsigned)(ms % 1000));
	gs_buf_cstr(json->out, "Z\"");
}
