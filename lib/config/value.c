/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include "gravel/base/num.h"

static const struct {
	struct gs_str name;
	int64_t bytes;
} units[] = {
    {GS_STR_INIT("GiB"), INT64_C(1) << 30},
    {GS_STR_INIT("MiB"), INT64_C(1) << 20},
    {GS_STR_INIT("KiB"), INT64_C(1) << 10},
    {GS_STR_INIT("GB"), 1000000000},
    {GS_STR_INIT("MB"), 1000000},
    {GS_STR_INIT("KB"), 1000},
};

#define UNITS (sizeof(units) / sizeof(units[0]))
#define BINARY_UNITS 3 /* those that are printed */

/* "word", "Word" or "WORD", as YAML 1.1 has its booleans. */
static bool is_word(struct gs_str s, const char *word) {
	if (s.n != strlen(word))
		return false;
	bool same = true, title = true, upper = true;
	for (size_t i = 0; i < s.n; i++) {
		char up = (char)(word[i] - 'a' + 'A');
		same = same && s.p[i] == word[i];
		title = title && s.p[i] == (i == 0 ? up : word[i]);
		upper = upper && s.p[i] == up;
	}
	return same || title || upper;
}

enum gs_status gs_value_bool(struct gs_str s, bool *ret) {
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"true", true}, {"yes", true}, {"on", true}, {"false", false}, {"no", false}, {"off", false}};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (is_word(s, words[i].word)) {
			*ret = words[i].value;
			return GS_OK;
		}
	}
	return GS_EINVAL;
}

enum gs_status gs_value_duration(struct gs_str s, int64_t *ret_ms) {
	uint64_t seconds;
	enum gs_status status = gs_num_parse_u64(s, &seconds);
	if (status == GS_EINVAL)
		return gs_num_parse_duration(s, ret_ms);
	if (status != GS_OK || seconds > (uint64_t)INT64_MAX / 1000)
		return GS_ELIMIT;
	*ret_ms = (int64_t)seconds * 1000;
	return GS_OK;
}

enum gs_status gs_value_size(struct gs_str s, int64_t *ret) {
	int64_t unit = 1;
	uint64_t v;
	for (size_t i = 0; i < UNITS && unit == 1; i++) {
		if (gs_str_ends(s, units[i].name)) {
			unit = units[i].bytes;
			s.n -= units[i].name.n;
		}
	}
	if (unit != 1 && s.n != 0 && s.p[s.n - 1] == ' ')
		s.n--;
	enum gs_status status = gs_num_parse_u64(s, &v);
	if (status != GS_OK)
		return status;
	if (v > (uint64_t)INT64_MAX || __builtin_mul_overflow((int64_t)v, unit, ret))
		return GS_ELIMIT;
	return GS_OK;
}

/* How many bits the unit at the end of ${s} shifts; it is cut off. */
static unsigned cut_binary_unit(struct gs_str *s) {
	static const char letters[] = "KMGTP";
	if (s->n < 2 || s->p[s->n - 1] != 'B')
		return 0;
	s->n--;
	if (s->p[s->n - 1] == 'i' && s->n > 1 && strchr(letters, s->p[s->n - 2]) != NULL)
		s->n--;
	const char *letter = memchr(letters, s->p[s->n - 1], sizeof(letters) - 1);
	if (letter == NULL)
		return 0;
	s->n--;
	return 10 * (unsigned)(letter - letters + 1);
}

enum gs_status gs_value_binary_size(struct gs_str s, int64_t *ret) {
	struct gs_str whole, fraction;
	unsigned shift = cut_binary_unit(&s);
	uint64_t v, f = 0;
	if (shift != 0 && s.n != 0 && s.p[s.n - 1] == ' ')
		s.n--;
	bool dot = gs_str_cut(s, '.', &whole, &fraction);
	enum gs_status status = gs_num_parse_u64(whole, &v);
	if (status == GS_OK && dot)
		status = fraction.n > 3 ? GS_EINVAL : gs_num_parse_u64(fraction, &f);
	if (status != GS_OK)
		return status;
	for (size_t i = fraction.n; i < 3; i++)
		f *= 10;
	if (v > (uint64_t)INT64_MAX >> shift)
		return GS_ELIMIT;
	*ret = (int64_t)((v << shift) + (f << shift) / 1000);
	return *ret < 0 ? GS_ELIMIT : GS_OK;
}

void gs_value_print_duration(struct gs_buf *out, int64_t ms) {
	char text[48];
	gs_num_print_duration(text, sizeof(text), ms);
	gs_buf_cstr(out, text);
}

void gs_value_print_size(struct gs_buf *out, int64_t bytes) {
	for (size_t i = 0; i < BINARY_UNITS && bytes != 0; i++) {
		if (bytes % units[i].bytes == 0) {
			gs_buf_i64(out, bytes / units[i].bytes);
			gs_buf_str(out, units[i].name);
			return;
		}
	}
	gs_buf_i64(out, bytes);
}

void gs_value_print_string(struct gs_buf *out, struct gs_str s) {
	gs_buf_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < 0x20 || c == 0x7f) {
			gs_buf_printf(out, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			gs_buf_char(out, '\\');
		gs_buf_char(out, s.p[i]);
	}
	gs_buf_char(out, '"');
}
