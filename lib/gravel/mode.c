/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/gravel/mode.h"

#include "gravel/base/limits.h"
#include "gravel/base/num.h"

#define VALID_MODES                                                                                                    \
	"aggregate, sum, replace, family, info, min, max, and with a window sum5m, mean5m, avg5m, min5m, max5m, "      \
	"count5m, last5m, median5m, stddev5m, p99:5m (any percentile from p0: to p100: with up to 3 decimals; "        \
	"windows are durations like 90s, 5m or 1h30m)"

static const struct {
	struct gs_str name;
	enum gs_mode_kind kind;
} words[] = {
    {GS_STR_INIT("aggregate"), GS_MODE_AGGREGATE},
    {GS_STR_INIT("sum"), GS_MODE_AGGREGATE},
    {GS_STR_INIT("replace"), GS_MODE_REPLACE},
    {GS_STR_INIT("family"), GS_MODE_FAMILY},
    {GS_STR_INIT("info"), GS_MODE_FAMILY},
    {GS_STR_INIT("min"), GS_MODE_MIN},
    {GS_STR_INIT("max"), GS_MODE_MAX},
};

#define MEDIAN_MILLI (50 * GS_PERCENT_SCALE)

/* No name is the beginning of another. The first one of an aggregation is the one that is printed. */
static const struct {
	struct gs_str name;
	enum gs_pebble_agg agg;
} aggs[] = {
    {GS_STR_INIT("sum"), GS_PEBBLE_SUM},
    {GS_STR_INIT("mean"), GS_PEBBLE_MEAN},
    {GS_STR_INIT("avg"), GS_PEBBLE_MEAN},
    {GS_STR_INIT("min"), GS_PEBBLE_MIN},
    {GS_STR_INIT("max"), GS_PEBBLE_MAX},
    {GS_STR_INIT("count"), GS_PEBBLE_COUNT},
    {GS_STR_INIT("last"), GS_PEBBLE_LAST},
    {GS_STR_INIT("stddev"), GS_PEBBLE_STDDEV},
    {GS_STR_INIT("median"), GS_PEBBLE_PERCENTILE},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct gs_str behind(struct gs_str s, size_t n) {
	return gs_str_make(s.p + n, s.n - n);
}

static bool take_char(struct gs_str *s, char c) {
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = behind(*s, 1);
	return true;
}

static bool take_digit(struct gs_str *s, uint32_t *ret) {
	if (s->n == 0 || s->p[0] < '0' || s->p[0] > '9')
		return false;
	*ret = (uint32_t)(s->p[0] - '0');
	*s = behind(*s, 1);
	return true;
}

/* "p<percent>:" with up to three digits on each side of the point. */
static bool take_percentile(struct gs_str *s, uint32_t *ret_milli) {
	uint32_t whole = 0, milli = 0, digit = 0, n = 0;
	if (!take_char(s, 'p'))
		return false;
	for (; n < 3 && take_digit(s, &digit); n++)
		whole = whole * 10 + digit;
	if (n == 0)
		return false;
	if (take_char(s, '.')) {
		uint32_t unit = GS_PERCENT_SCALE / 10;
		for (; unit != 0 && take_digit(s, &digit); unit /= 10)
			milli += digit * unit;
		if (unit == GS_PERCENT_SCALE / 10)
			return false;
	}
	*ret_milli = whole * GS_PERCENT_SCALE + milli;
	return *ret_milli <= 100 * GS_PERCENT_SCALE && take_char(s, ':');
}

/* "<agg>", a colon allowed behind it, or "p<percent>:". */
static bool take_agg(struct gs_str *s, struct gs_mode *ret) {
	for (size_t i = 0; i < COUNT(aggs); i++) {
		if (!gs_str_starts(*s, aggs[i].name))
			continue;
		*s = behind(*s, aggs[i].name.n);
		take_char(s, ':');
		ret->agg = aggs[i].agg;
		ret->percent_milli = ret->agg == GS_PEBBLE_PERCENTILE ? MEDIAN_MILLI : 0;
		return true;
	}
	ret->agg = GS_PEBBLE_PERCENTILE;
	return take_percentile(s, &ret->percent_milli);
}

static enum gs_status parse_pebble(struct gs_str text, struct gs_mode *ret) {
	struct gs_mode mode = {.kind = GS_MODE_PEBBLE};
	if (!take_agg(&text, &mode))
		return GS_EINVAL;
	enum gs_status status = gs_num_parse_duration(text, &mode.window_ms);
	if (status == GS_OK && mode.window_ms == 0)
		status = GS_EINVAL;
	if (status == GS_OK && mode.window_ms > GS_LIMIT_PEBBLE_WINDOW_MS)
		status = GS_ELIMIT;
	if (status == GS_OK)
		*ret = mode;
	return status;
}

enum gs_status gs_mode_parse(struct gs_str text, struct gs_mode *ret_mode, struct gs_error *err) {
	for (size_t i = 0; i < COUNT(words); i++) {
		if (gs_str_eq(words[i].name, text)) {
			*ret_mode = (struct gs_mode){.kind = words[i].kind};
			return GS_OK;
		}
	}
	enum gs_status status = parse_pebble(text, ret_mode);
	if (status == GS_OK)
		return GS_OK;
	struct gs_str shown = gs_str_make(text.p, text.n < 64 ? text.n : 64);
	if (status == GS_ELIMIT)
		return gs_error_set(
		    err, status, 0, 0, "clearmode \"%.*s\": the window may be at most 1y1d", GS_FMT(shown));
	return gs_error_set(err, status, 0, 0, "unknown clearmode \"%.*s\"; valid are " VALID_MODES, GS_FMT(shown));
}

bool gs_mode_same(const struct gs_mode *a, const struct gs_mode *b) {
	if (a->kind != b->kind || a->kind != GS_MODE_PEBBLE)
		return a->kind == b->kind;
	return a->agg == b->agg && a->window_ms == b->window_ms &&
	       (a->agg != GS_PEBBLE_PERCENTILE || a->percent_milli == b->percent_milli);
}

static void print_agg(struct gs_buf *out, const struct gs_mode *mode) {
	if (mode->agg != GS_PEBBLE_PERCENTILE || mode->percent_milli == MEDIAN_MILLI) {
		size_t i = 0;
		while (aggs[i].agg != mode->agg)
			i++;
		gs_buf_str(out, aggs[i].name);
		return;
	}
	gs_buf_char(out, 'p');
	gs_buf_u64(out, mode->percent_milli / GS_PERCENT_SCALE);
	uint32_t rest = mode->percent_milli % GS_PERCENT_SCALE;
	if (rest != 0)
		gs_buf_char(out, '.');
	for (uint32_t unit = GS_PERCENT_SCALE / 10; rest != 0; unit /= 10) {
		gs_buf_char(out, (char)('0' + rest / unit));
		rest %= unit;
	}
	gs_buf_char(out, ':');
}

void gs_mode_print(struct gs_buf *out, const struct gs_mode *mode) {
	char duration[48];
	switch (mode->kind) {
	case GS_MODE_DEFAULT:
		break;
	case GS_MODE_AGGREGATE:
		gs_buf_cstr(out, "aggregate");
		break;
	case GS_MODE_REPLACE:
		gs_buf_cstr(out, "replace");
		break;
	case GS_MODE_MIN:
		gs_buf_cstr(out, "min");
		break;
	case GS_MODE_MAX:
		gs_buf_cstr(out, "max");
		break;
	case GS_MODE_FAMILY:
		gs_buf_cstr(out, "family");
		break;
	case GS_MODE_PEBBLE:
		gs_num_print_duration(duration, sizeof(duration), mode->window_ms);
		print_agg(out, mode);
		gs_buf_cstr(out, duration);
		break;
	}
}
