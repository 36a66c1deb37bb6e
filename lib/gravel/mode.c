/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/gravel/mode.h"

#include "gravel/base/limits.h"
#include "gravel/base/num.h"

#define VALID_MODES                                                                                                    \
	"aggregate, sum, replace, family, info, and sum, mean or avg followed by a duration (sum5m, mean1h30m)"

static const struct {
	struct gs_str name;
	enum gs_mode_kind kind;
} words[] = {
    {GS_STR_INIT("aggregate"), GS_MODE_AGGREGATE},
    {GS_STR_INIT("sum"), GS_MODE_AGGREGATE},
    {GS_STR_INIT("replace"), GS_MODE_REPLACE},
    {GS_STR_INIT("family"), GS_MODE_FAMILY},
    {GS_STR_INIT("info"), GS_MODE_FAMILY},
};

static const struct {
	struct gs_str name;
	enum gs_pebble_agg agg;
} aggs[] = {
    {GS_STR_INIT("sum"), GS_PEBBLE_SUM},
    {GS_STR_INIT("mean"), GS_PEBBLE_MEAN},
    {GS_STR_INIT("avg"), GS_PEBBLE_MEAN},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* "<agg><duration>", a colon allowed between the two. */
static enum gs_status parse_pebble(struct gs_str text, struct gs_mode *ret) {
	for (size_t i = 0; i < COUNT(aggs); i++) {
		if (!gs_str_starts(text, aggs[i].name))
			continue;
		struct gs_str rest = gs_str_make(text.p + aggs[i].name.n, text.n - aggs[i].name.n);
		if (rest.n != 0 && rest.p[0] == ':')
			rest = gs_str_make(rest.p + 1, rest.n - 1);
		int64_t ms = 0;
		enum gs_status status = gs_num_parse_duration(rest, &ms);
		if (status == GS_OK && ms == 0)
			status = GS_EINVAL;
		if (status == GS_OK && ms > GS_LIMIT_PEBBLE_WINDOW_MS)
			status = GS_ELIMIT;
		if (status == GS_OK)
			*ret = (struct gs_mode){.kind = GS_MODE_PEBBLE, .agg = aggs[i].agg, .window_ms = ms};
		return status;
	}
	return GS_EINVAL;
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
		gs_buf_cstr(out, mode->agg == GS_PEBBLE_SUM ? "sum" : "mean");
		gs_buf_cstr(out, duration);
		break;
	}
}
