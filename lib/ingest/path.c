/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/ingest/path.h"

static int base64_digit(char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-' || c == '+')
		return 62;
	return c == '_' || c == '/' ? 63 : -1;
}

static enum gs_status decode_base64(struct gs_str in, struct gs_arena *arena, struct gs_str *ret) {
	unsigned bits = 0, held = 0;
	size_t n = 0;
	while (in.n != 0 && in.p[in.n - 1] == '=')
		in.n--;
	char *out = gs_arena_alloc(arena, in.n + 1);
	if (out == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < in.n; i++) {
		int digit = base64_digit(in.p[i]);
		if (digit < 0)
			return GS_EINVAL;
		bits = (bits << 6 | (unsigned)digit) & 0xffffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (char)(bits >> held & 0xff);
		}
	}
	if (held >= 6 || (bits & ((1U << held) - 1)) != 0)
		return GS_EINVAL; /* a digit too many, or bits that no encoder leaves */
	*ret = gs_str_make(out, n);
	return GS_OK;
}

static bool has_label(const struct gs_path *path, struct gs_str name) {
	for (size_t i = 0; i < path->nlabels; i++) {
		if (gs_str_eq(path->labels[i].name, name))
			return true;
	}
	return false;
}

static enum gs_status add_label(
    struct gs_str name, struct gs_str value, struct gs_arena *arena, struct gs_path *path, struct gs_error *err) {
	struct gs_str shown = gs_str_make(name.p, name.n < 64 ? name.n : 64);
	if (gs_str_ends(name, GS_STR("@base64"))) {
		name.n -= GS_STR("@base64").n;
		enum gs_status status = decode_base64(value, arena, &value);
		if (status != GS_OK)
			return gs_error_set(
			    err, status, 0, 0, "the value of path label \"%.*s\" is not base64", GS_FMT(shown));
	}
	if (!gs_expo_is_label_name(name) || gs_str_starts(name, GS_STR("__")))
		return gs_error_set(err, GS_EINVAL, 0, 0, "path label \"%.*s\": not a label name", GS_FMT(shown));
	if (value.n > GS_LIMIT_LABEL_VALUE)
		return gs_error_set(
		    err, GS_ELIMIT, 0, 0, "the value of path label \"%.*s\" is too long", GS_FMT(shown));
	if (!gs_str_is_utf8(value))
		return gs_error_set(
		    err, GS_EINVAL, 0, 0, "the value of path label \"%.*s\" is not UTF-8", GS_FMT(shown));
	if (gs_str_eq(name, GS_STR("clearmode")))
		return gs_mode_parse(value, &path->mode, err);
	if (has_label(path, name))
		return gs_error_set(err, GS_EINVAL, 0, 0, "path label \"%.*s\" comes twice", GS_FMT(shown));
	if (path->nlabels == GS_PATH_LABELS_MAX)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "more than %d path labels", GS_PATH_LABELS_MAX);
	path->labels[path->nlabels++] = (struct gs_label){.name = name, .value = value};
	return GS_OK;
}

enum gs_status gs_path_parse(
    const struct gs_str *segments, size_t n, struct gs_arena *arena, struct gs_path *ret, struct gs_error *err) {
	*ret = (struct gs_path){0};
	if (n % 2 != 0)
		return gs_error_set(err, GS_EINVAL, 0, 0,
		    "path label \"%.*s\" has no value; a path is /metrics/NAME/VALUE/NAME/VALUE",
		    GS_FMT(segments[n - 1]));
	for (size_t i = 0; i < n; i += 2) {
		enum gs_status status = add_label(segments[i], segments[i + 1], arena, ret, err);
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}
