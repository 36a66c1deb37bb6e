/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/expo/expo.h"

/* The first byte of [p, end) that must be escaped. */
static const char *skip_plain(const char *p, const char *end, bool quote) {
	while (p < end && *p != '\\' && *p != '\n' && !(quote && *p == '"'))
		p++;
	return p;
}

static void add_escaped(struct gs_buf *out, struct gs_str s, bool quote) {
	if (s.n == 0)
		return;
	const char *p = s.p, *end = s.p + s.n;
	while (p < end) {
		const char *stop = skip_plain(p, end, quote);
		gs_buf_add(out, p, (size_t)(stop - p));
		if (stop == end)
			return;
		char pair[2] = {'\\', *stop == '\n' ? 'n' : *stop};
		gs_buf_add(out, pair, sizeof(pair));
		p = stop + 1;
	}
}

/* The words of OpenMetrics that readers of 0.0.4 refuse, in its own words. */
static const char *plain_type_name(enum gs_expo_type type) {
	if (type == GS_TYPE_INFO || type == GS_TYPE_STATESET)
		type = GS_TYPE_GAUGE;
	if (type == GS_TYPE_GAUGEHISTOGRAM)
		type = GS_TYPE_HISTOGRAM;
	return gs_expo_type_name(type);
}

void gs_expo_write_meta(struct gs_buf *out, struct gs_str name, enum gs_expo_type type, struct gs_str help) {
	if (help.n != 0) {
		gs_buf_str(out, GS_STR("# HELP "));
		gs_buf_str(out, name);
		gs_buf_char(out, ' ');
		add_escaped(out, help, false);
		gs_buf_char(out, '\n');
	}
	gs_buf_str(out, GS_STR("# TYPE "));
	gs_buf_str(out, name);
	gs_buf_char(out, ' ');
	gs_buf_cstr(out, plain_type_name(type));
	gs_buf_char(out, '\n');
}

void gs_expo_write_label(struct gs_buf *out, bool first, struct gs_str name, struct gs_str value) {
	if (!first)
		gs_buf_char(out, ',');
	gs_buf_str(out, name);
	gs_buf_str(out, GS_STR("=\""));
	add_escaped(out, value, true);
	gs_buf_char(out, '"');
}

void gs_expo_write_sample(struct gs_buf *out, struct gs_str name, struct gs_str suffix, const struct gs_label *labels,
    size_t nlabels, const struct gs_label *extra, double value) {
	gs_buf_str(out, name);
	gs_buf_str(out, suffix);
	if (nlabels != 0 || extra != NULL) {
		gs_buf_char(out, '{');
		for (size_t i = 0; i < nlabels; i++)
			gs_expo_write_label(out, i == 0, labels[i].name, labels[i].value);
		if (extra != NULL)
			gs_expo_write_label(out, nlabels == 0, extra->name, extra->value);
		gs_buf_char(out, '}');
	}
	gs_buf_char(out, ' ');
	gs_buf_double(out, value);
	gs_buf_char(out, '\n');
}
