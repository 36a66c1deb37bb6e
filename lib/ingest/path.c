/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/ingest/path.h"

#include "gravel/base/base64.h"
#include "gravel/base/num.h"

#define GATEWAY_PATH_SHOWN 64 /* bytes of a name in an error */

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
		enum gs_status status = gs_base64_decode(GS_BASE64_ANY, value, arena, &value);
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

/* A label of a grouping key, in its place by name. */
static enum gs_status put_label(struct gs_path *path, struct gs_str name, struct gs_str value, struct gs_error *err) {
	size_t at = path->nlabels;
	while (at > 0 && gs_str_cmp(path->labels[at - 1].name, name) > 0)
		at--;
	if (at > 0 && gs_str_eq(path->labels[at - 1].name, name)) {
		path->labels[at - 1].value = value;
		return GS_OK;
	}
	if (path->nlabels == GS_PATH_LABELS_MAX)
		return gs_error_set(
		    err, GS_ELIMIT, 0, 0, "more than %d labels in the grouping key", GS_PATH_LABELS_MAX);
	memmove(&path->labels[at + 1], &path->labels[at], (path->nlabels - at) * sizeof(path->labels[0]));
	path->labels[at] = (struct gs_label){.name = name, .value = value};
	path->nlabels++;
	return GS_OK;
}

static enum gs_status put_segments(
    struct gs_path *path, struct gs_str name, struct gs_str value, struct gs_arena *arena, struct gs_error *err) {
	bool coded = gs_str_ends(name, GS_STR("@base64"));
	if (coded)
		name.n -= GS_STR("@base64").n;
	struct gs_str shown = gs_str_make(name.p, name.n < GATEWAY_PATH_SHOWN ? name.n : GATEWAY_PATH_SHOWN);
	if (!gs_expo_is_label_name(name) || gs_str_starts(name, GS_STR("__")))
		return gs_error_set(err, GS_EINVAL, 0, 0, "improper label name \"%.*s\"", GS_FMT(shown));
	enum gs_status status = coded ? gs_base64_decode(GS_BASE64_GO, value, arena, &value) : GS_OK;
	if (status != GS_OK)
		return gs_error_set(err, status, 0, 0, "the value of label \"%.*s\" is not base64", GS_FMT(shown));
	if (value.n > GS_LIMIT_LABEL_VALUE)
		return gs_error_set(err, GS_ELIMIT, 0, 0, "the value of label \"%.*s\" is too long", GS_FMT(shown));
	if (!gs_str_is_utf8(value))
		return gs_error_set(err, GS_EINVAL, 0, 0, "the value of label \"%.*s\" is not UTF-8", GS_FMT(shown));
	return put_label(path, name, value, err);
}

/* ${rest}: name/value/name/value, not empty. The Pushgateway redirects a path with an empty segment to one without it, which is another group. */
static enum gs_status put_rest(struct gs_path *path, struct gs_str rest, struct gs_arena *arena, struct gs_error *err) {
	enum gs_status status = GS_OK;
	for (bool more = true; more && status == GS_OK;) {
		struct gs_str name, value = {0};
		bool has_value = gs_str_cut(rest, '/', &name, &rest);
		if (has_value)
			more = gs_str_cut(rest, '/', &value, &rest);
		if (!has_value)
			return gs_error_set(
			    err, GS_EINVAL, 0, 0, "an odd number of segments behind the name of the job");
		if (name.n == 0 || (value.n == 0 && more))
			return gs_error_set(
			    err, GS_EINVAL, 0, 0, "an empty segment in the path; an empty value is LABEL@base64/=");
		status = put_segments(path, name, value, arena, err);
	}
	return status;
}

enum gs_status gs_path_parse_gateway(
    struct gs_str path, struct gs_arena *arena, struct gs_path *ret, struct gs_error *err) {
	static const struct gs_str job = GS_STR_INIT("job");
	struct gs_str first, name, rest = {0};
	*ret = (struct gs_path){0};
	bool named = gs_str_cut(path, '/', &first, &path);
	if (!named || path.n == 0 || (!gs_str_eq(first, job) && !gs_str_eq(first, GS_STR("job@base64"))))
		return gs_error_set(err, GS_ENOTFOUND, 0, 0, "not found: a path is /metrics/job/NAME/LABEL/VALUE");
	gs_str_cut(path, '/', &name, &rest);
	if (name.n == 0)
		return gs_error_set(err, GS_EINVAL, 0, 0, "an empty segment in the path");
	enum gs_status status = rest.n != 0 ? put_rest(ret, rest, arena, err) : GS_OK;
	if (status == GS_OK)
		status = put_segments(ret, first, name, arena, err);
	for (size_t i = 0; i < ret->nlabels && status == GS_OK; i++) {
		if (gs_str_eq(ret->labels[i].name, job) && ret->labels[i].value.n == 0)
			status = gs_error_set(err, GS_EINVAL, 0, 0, "job name is required");
	}
	return status;
}

enum gs_status gs_path_parse_ttl(struct gs_str text, int64_t *ret_ms, struct gs_error *err) {
	struct gs_str shown = gs_str_make(text.p, text.n < GATEWAY_PATH_SHOWN ? text.n : GATEWAY_PATH_SHOWN);
	if (gs_num_parse_duration(text, ret_ms) != GS_OK || *ret_ms <= 0 || *ret_ms > GS_LIMIT_TTL_MS)
		return gs_error_set(err, GS_EINVAL, 0, 0,
		    "ttl \"%.*s\": write a duration like 90s or 1h30m, of at most ten years", GS_FMT(shown));
	return GS_OK;
}
