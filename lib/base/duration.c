/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "gravel/base/num.h"

/* The units of Prometheus' model.ParseDuration, in the order in which they must stand. */
static const struct {
	struct gs_str name;
	int64_t ms;
} units[] = {
    {GS_STR_INIT("y"), INT64_C(365) * 86400000},
    {GS_STR_INIT("w"), INT64_C(7) * 86400000},
    {GS_STR_INIT("d"), 86400000},
    {GS_STR_INIT("h"), 3600000},
    {GS_STR_INIT("m"), 60000},
    {GS_STR_INIT("s"), 1000},
    {GS_STR_INIT("ms"), 1},
};

#define UNITS (sizeof(units) / sizeof(units[0]))

/* Cut the letters at the front of *s. */
static struct gs_str cut_unit(struct gs_str *s) {
	size_t n = 0;
	while (n < s->n && s->p[n] >= 'a' && s->p[n] <= 'z')
		n++;
	struct gs_str unit = gs_str_make(s->p, n);
	*s = gs_str_make(s->p + n, s->n - n);
	return unit;
}

enum gs_status gs_num_parse_duration(struct gs_str s, int64_t *ret_ms) {
	int64_t sum = 0;
	size_t next = 0; /* the first unit still allowed */
	if (s.n == 0)
		return GS_EINVAL;
	if (gs_str_eq(s, GS_STR("0"))) {
		*ret_ms = 0;
		return GS_OK;
	}
	while (s.n != 0) {
		size_t n = 0;
		uint64_t v = 0;
		while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
			n++;
		enum gs_status status = gs_num_parse_u64(gs_str_make(s.p, n), &v);
		if (status != GS_OK)
			return status;
		s = gs_str_make(s.p + n, s.n - n);
		struct gs_str unit = cut_unit(&s);
		while (next < UNITS && !gs_str_eq(units[next].name, unit))
			next++;
		if (next == UNITS)
			return GS_EINVAL;
		int64_t part;
		if (v > INT64_MAX || __builtin_mul_overflow((int64_t)v, units[next].ms, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return GS_ELIMIT;
		next++;
	}
	*ret_ms = sum;
	return GS_OK;
}

void gs_num_print_duration(char *out, size_t n, int64_t ms) {
	size_t at = 0;
	if (ms <= 0) {
		snprintf(out, n, "0s");
		return;
	}
	out[0] = '\0';
	for (size_t i = 0; i < UNITS && at < n; i++) {
		int64_t count = ms / units[i].ms;
		if (count == 0)
			continue;
		int wrote = snprintf(out + at, n - at, "%lld%s", (long long)count, units[i].name.p);
		at += wrote > 0 ? (size_t)wrote : 0;
		ms %= units[i].ms;
	}
}
