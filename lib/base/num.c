/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/num.h"

#include "digits.h"

enum gs_status gs_num_parse_u64(struct gs_str s, uint64_t *ret) {
	const char *p = s.p, *end = s.p + s.n;
	uint64_t v = 0;
	if (s.n == 0)
		return GS_EINVAL;
	/* Sixteen digits cannot overflow; any more go the slow way. */
	for (; end - p >= 8 && p - s.p < 16; p += 8) {
		uint64_t word = gs_digits_load(p, p, end);
		if (gs_digits_count(word) != 8)
			return GS_EINVAL;
		v = v * 100000000 + gs_digits_value(word ^ GS_DIGITS_ZEROS);
	}
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return GS_EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return GS_ELIMIT;
	}
	*ret = v;
	return GS_OK;
}

enum gs_status gs_num_parse_i64(struct gs_str s, int64_t *ret) {
	bool negative = s.n != 0 && s.p[0] == '-';
	uint64_t v = 0;
	if (s.n != 0 && (s.p[0] == '-' || s.p[0] == '+'))
		s = gs_str_make(s.p + 1, s.n - 1);
	enum gs_status status = gs_num_parse_u64(s, &v);
	if (status != GS_OK)
		return status;
	if (v > (uint64_t)INT64_MAX + negative)
		return GS_ELIMIT;
	*ret = negative ? (int64_t)-v : (int64_t)v;
	return GS_OK;
}

size_t gs_num_print_u64(char *out, uint64_t v) {
	return gs_digits_put(out, v);
}

size_t gs_num_print_i64(char *out, int64_t v) {
	*out = '-';
	return (v < 0) + gs_digits_put(out + (v < 0), v < 0 ? -(uint64_t)v : (uint64_t)v);
}

size_t gs_num_print_ms_as_seconds(char *out, int64_t ms) {
	uint64_t abs = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	uint64_t rest = abs % 1000;
	char *p = out;
	*p = '-';
	p += ms < 0;
	p += gs_digits_put(p, abs / 1000);
	if (rest == 0)
		return (size_t)(p - out);
	p[0] = '.';
	p[1] = (char)('0' + rest / 100);
	p[2] = (char)('0' + rest / 10 % 10);
	p[3] = (char)('0' + rest % 10);
	return (size_t)(p - out) + (rest % 100 == 0 ? 2 : rest % 10 == 0 ? 3 : 4);
}
