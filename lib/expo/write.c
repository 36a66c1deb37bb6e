/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/base/num.h"
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

/* The same into memory that is known to suffice: asking for room at every piece took half of the time of a rendering. */

static char *put(char *at, struct gs_str s) {
	if (s.n != 0)
		memcpy(at, s.p, s.n);
	return at + s.n;
}

static char *put_label(char *at, char before, const struct gs_label *label) {
	*at++ = before;
	at = put(at, label->name);
	*at++ = '=';
	*at++ = '"';
	const char *p = label->value.p, *end = label->value.n != 0 ? p + label->value.n : p;
	for (; p < end; p++) {
		if (*p == '\\' || *p == '"' || *p == '\n')
			*at++ = '\\';
		*at++ = *p != '\n' ? *p : 'n';
	}
	*at++ = '"';
	return at;
}

/* No label becomes longer than this, whatever it holds. */
static size_t label_bound(const struct gs_label *label) {
	return label->name.n + 2 * label->value.n + 4;
}

static size_t sample_bound(struct gs_str name, struct gs_str suffix, const struct gs_label *labels, size_t nlabels,
    const struct gs_label *extra) {
	size_t bound = name.n + suffix.n + GS_NUM_DOUBLE_MAX + 8;
	for (size_t i = 0; i < nlabels; i++)
		bound += label_bound(&labels[i]);
	return bound + (extra != NULL ? label_bound(extra) : 0);
}

static char *put_sample(char *at, struct gs_str name, struct gs_str suffix, const struct gs_label *labels,
    size_t nlabels, const struct gs_label *extra, double value) {
	at = put(put(at, name), suffix);
	for (size_t i = 0; i < nlabels; i++)
		at = put_label(at, i == 0 ? '{' : ',', &labels[i]);
	if (extra != NULL)
		at = put_label(at, nlabels == 0 ? '{' : ',', extra);
	if (nlabels != 0 || extra != NULL)
		*at++ = '}';
	*at++ = ' ';
	at += gs_num_print_double(at, value);
	*at++ = '\n';
	return at;
}

static void write_pieces(struct gs_buf *out, struct gs_str name, struct gs_str suffix, const struct gs_label *labels,
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

void gs_expo_write_sample(struct gs_buf *out, struct gs_str name, struct gs_str suffix, const struct gs_label *labels,
    size_t nlabels, const struct gs_label *extra, double value) {
	size_t bound = sample_bound(name, suffix, labels, nlabels, extra);
	if (bound > out->max - out->n) { /* it may fit all the same */
		write_pieces(out, name, suffix, labels, nlabels, extra, value);
		return;
	}
	char *at = gs_buf_reserve(out, bound);
	if (at != NULL)
		out->n += (size_t)(put_sample(at, name, suffix, labels, nlabels, extra, value) - at);
}
