/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and times of a line. */
#include "number.h"

#include "parser.h"

/* Whether a number, not the word Inf, was too large for a double. */
static bool out_of_range(struct gs_str text, double value) {
	return isinf(value) && memchr(text.p, 'n', text.n) == NULL && memchr(text.p, 'N', text.n) == NULL;
}

enum gs_status gs_expo_number(
    struct gs_expo_parser *parser, const char *what, struct gs_str metric, const char **p, double *ret) {
	const char *end = gs_expo_skip_word(*p, &parser->bounds);
	struct gs_str text = gs_expo_between(*p, end);
	if (text.n == 0)
		return gs_expo_fail(parser, GS_EINVAL, *p, "missing %s of metric %s", what, gs_expo_quote(metric).text);
	if (!gs_expo_is_decimal(text) || gs_num_parse_double(text, ret) != GS_OK)
		return gs_expo_fail(parser, GS_EINVAL, *p, "%s %s of metric %s is not a number", what,
		    gs_expo_quote(text).text, gs_expo_quote(metric).text);
	if (out_of_range(text, *ret))
		return gs_expo_fail(parser, GS_EINVAL, *p, "%s %s of metric %s is out of range", what,
		    gs_expo_quote(text).text, gs_expo_quote(metric).text);
	*p = end;
	return GS_OK;
}

/* As Prometheus: the product is that of a double, what is left of a millisecond is dropped. */
static bool to_milliseconds(double seconds, int64_t *ret_ms) {
	double ms = seconds * 1000;
	if (!(ms >= -0x1p63 && ms < 0x1p63))
		return false;
	*ret_ms = (int64_t)ms;
	return true;
}

enum gs_status gs_expo_seconds(
    struct gs_expo_parser *parser, const char *what, struct gs_str metric, const char **p, int64_t *ret_ms) {
	const char *start = *p;
	double seconds = 0;
	enum gs_status status = gs_expo_number(parser, what, metric, p, &seconds);
	if (status != GS_OK)
		return status;
	if (!isfinite(seconds))
		return gs_expo_fail(parser, GS_EINVAL, start, "%s %s of metric %s is not a number of seconds", what,
		    gs_expo_quote(gs_expo_between(start, *p)).text, gs_expo_quote(metric).text);
	if (!to_milliseconds(seconds, ret_ms))
		return gs_expo_fail(parser, GS_EINVAL, start, "%s %s of metric %s is out of range", what,
		    gs_expo_quote(gs_expo_between(start, *p)).text, gs_expo_quote(metric).text);
	return GS_OK;
}
