/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/target/target.h"

#include <stdio.h>

#include "gravel/base/limits.h"
#include "gravel/base/num.h"
#include "parts.h"

#define ADDRESS GS_STR("__address__")
#define SCHEME GS_STR("__scheme__")
#define PATH GS_STR("__metrics_path__")
#define INTERVAL GS_STR("__scrape_interval__")
#define TIMEOUT GS_STR("__scrape_timeout__")
#define PARAM "__param_"
#define JOB GS_STR("job")
#define INSTANCE GS_STR("instance")
#define DURATION_ROOM 32
#define DURATION_MAX (INT64_MAX / 1000000) /* ms: Go counts nanoseconds */
/* Two labels of an escaped byte each, and as many parameters; beyond it nobody's server reads the request line. */
#define URL_MAX ((size_t)1024 * 1024)

struct build {
	const struct gs_target_defaults *defaults;
	struct gs_labels *labels;
	struct gs_arena *arena;
	struct gs_target *target;
	struct gs_error *err;
};

#define BAD(...) gs_error_set(build->err, GS_EINVAL, 0, 0, __VA_ARGS__)

/* As model.Duration of Prometheus: years and weeks only where nothing remains, so eight days are "8d" and seven "1w". */
static struct gs_str print_duration(int64_t ms, char *out) {
	static const struct {
		const char *unit;
		int64_t ms;
		bool exact;
	} units[] = {{"y", 365 * INT64_C(86400000), true}, {"w", 7 * INT64_C(86400000), true}, {"d", 86400000, false},
	    {"h", 3600000, false}, {"m", 60000, false}, {"s", 1000, false}, {"ms", 1, false}};
	size_t n = 0;
	if (ms == 0)
		return GS_STR("0s");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].exact && ms % units[i].ms != 0)
			continue;
		if (ms / units[i].ms > 0)
			n += (size_t)snprintf(
			    out + n, DURATION_ROOM - n, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
		ms %= units[i].ms;
	}
	return gs_str_make(out, n);
}

static enum gs_status put_default(struct build *build, struct gs_str name, struct gs_str value) {
	return gs_labels_get(build->labels, name).n == 0 ? gs_labels_put(build->labels, name, value) : GS_OK;
}

static enum gs_status put_interval(struct build *build, struct gs_str name, int64_t ms) {
	char room[DURATION_ROOM];
	if (gs_labels_get(build->labels, name).n != 0)
		return GS_OK;
	return gs_labels_set(build->labels, name, print_duration(ms, room));
}

/* The first value of each name, in the place of what was discovered. */
static enum gs_status put_params(struct build *build) {
	const struct gs_label *params = build->defaults->params;
	for (size_t i = 0; i < build->defaults->nparams; i++) {
		char name[GS_LIMIT_NAME];
		size_t n = sizeof(PARAM) - 1 + params[i].name.n;
		bool again = false;
		for (size_t k = 0; k < i && !again; k++)
			again = gs_str_eq(params[k].name, params[i].name);
		if (again)
			continue;
		if (n > sizeof(name))
			return GS_ELIMIT;
		memcpy(name, PARAM, sizeof(PARAM) - 1);
		if (params[i].name.n != 0)
			memcpy(name + sizeof(PARAM) - 1, params[i].name.p, params[i].name.n);
		enum gs_status status = gs_labels_set(build->labels, gs_str_make(name, n), params[i].value);
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

static enum gs_status put_all(struct build *build, const struct gs_label *found, size_t nfound) {
	const struct gs_target_defaults *defaults = build->defaults;
	enum gs_status status = GS_OK;
	gs_labels_clear(build->labels);
	for (size_t i = 0; i < nfound && status == GS_OK; i++)
		status = gs_labels_put(build->labels, found[i].name, found[i].value);
	if (status == GS_OK)
		status = put_default(build, JOB, defaults->job);
	if (status == GS_OK)
		status = put_interval(build, INTERVAL, defaults->interval_ms);
	if (status == GS_OK)
		status = put_interval(build, TIMEOUT, defaults->timeout_ms);
	if (status == GS_OK)
		status = put_default(build, PATH, defaults->metrics_path);
	if (status == GS_OK)
		status = put_default(build, SCHEME, defaults->scheme);
	return status == GS_OK ? put_params(build) : status;
}

static bool is_hidden(struct gs_str name) {
	return gs_str_starts(name, GS_STR("__"));
}

/* The labels as they are now, sorted, into the arena; without those of "__" if ${hide}. */
static enum gs_status keep_labels(struct build *build, bool hide, const struct gs_label **ret, size_t *ret_n) {
	size_t n, kept = 0;
	const struct gs_label *labels = gs_labels_sorted(build->labels, &n);
	struct gs_label *copies = gs_arena_alloc(build->arena, (n != 0 ? n : 1) * sizeof(*copies));
	if (copies == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (hide && is_hidden(labels[i].name))
			continue;
		struct gs_label *copy = &copies[kept++];
		copy->name = gs_arena_dup(build->arena, labels[i].name);
		copy->value = gs_arena_dup(build->arena, labels[i].value);
		if (copy->name.n != labels[i].name.n || copy->value.n != labels[i].value.n)
			return GS_ENOMEM;
	}
	*ret = copies;
	*ret_n = kept;
	return GS_OK;
}

/* Give __address__ the port of its scheme where it has none. What is no address stays as it is, as in Prometheus, and never answers. */
static enum gs_status complete_address(struct build *build) {
	struct gs_str address = gs_labels_get(build->labels, ADDRESS);
	struct gs_str scheme = gs_labels_get(build->labels, SCHEME);
	char with_port[GS_LIMIT_NAME];
	enum gs_status status = GS_OK;
	if (address.n == 0)
		return BAD("no address");
	if (gs_address_port(address) == GS_ADDRESS_NO_PORT) {
		bool https = gs_str_eq(scheme, GS_STR("https"));
		if (!https && scheme.n != 0 && !gs_str_eq(scheme, GS_STR("http")))
			return BAD("invalid scheme: \"%.*s\"", GS_FMT(scheme));
		struct gs_str port = https ? GS_STR(":443") : GS_STR(":80");
		if (address.n + port.n > sizeof(with_port))
			return gs_error_set(build->err, GS_ELIMIT, 0, 0, "the address is too long");
		memcpy(with_port, address.p, address.n);
		memcpy(with_port + address.n, port.p, port.n);
		status = gs_labels_set(build->labels, ADDRESS, gs_str_make(with_port, address.n + port.n));
		address = gs_labels_get(build->labels, ADDRESS);
	}
	if (status == GS_OK && memchr(address.p, '/', address.n) != NULL)
		return BAD("\"%.*s\" is not a valid hostname", GS_FMT(address));
	return status;
}

static enum gs_status read_time(struct build *build, struct gs_str name, const char *what, int64_t *ret_ms) {
	struct gs_str text = gs_labels_get(build->labels, name);
	if (gs_num_parse_duration(text, ret_ms) != GS_OK || *ret_ms > DURATION_MAX)
		return BAD("error parsing scrape %s: \"%.*s\" is not a valid duration", what, GS_FMT(text));
	return *ret_ms != 0 ? GS_OK : BAD("scrape %s cannot be 0", what);
}

static enum gs_status read_times(struct build *build) {
	struct gs_target *target = build->target;
	enum gs_status status = read_time(build, INTERVAL, "interval", &target->interval_ms);
	if (status == GS_OK)
		status = read_time(build, TIMEOUT, "timeout", &target->timeout_ms);
	if (status == GS_OK && target->timeout_ms > target->interval_ms)
		return BAD("scrape timeout cannot be greater than scrape interval (\"%.*s\" > \"%.*s\")",
		    GS_FMT(gs_labels_get(build->labels, TIMEOUT)), GS_FMT(gs_labels_get(build->labels, INTERVAL)));
	return status;
}

static enum gs_status check_utf8(struct build *build) {
	size_t n;
	const struct gs_label *labels = gs_labels_sorted(build->labels, &n);
	for (size_t i = 0; i < n; i++) {
		if (!gs_str_is_utf8(labels[i].name))
			return BAD("invalid label name \"%.*s\"", GS_FMT(labels[i].name));
		if (!gs_str_starts(labels[i].name, GS_STR("__meta_")) && !gs_str_is_utf8(labels[i].value))
			return BAD("invalid label value for \"%.*s\": \"%.*s\"", GS_FMT(labels[i].name),
			    GS_FMT(labels[i].value));
	}
	return GS_OK;
}

static enum gs_status make_url(struct build *build) {
	struct gs_buf out;
	struct gs_url_parts parts = {.scheme = gs_labels_get(build->labels, SCHEME),
	    .address = gs_labels_get(build->labels, ADDRESS),
	    .path = gs_labels_get(build->labels, PATH),
	    .params = build->defaults->params,
	    .nparams = build->defaults->nparams};
	parts.labels = gs_labels_sorted(build->labels, &parts.nlabels);
	gs_buf_init(&out, URL_MAX);
	gs_url_write(&parts, &out);
	gs_buf_char(&out, '\0');
	enum gs_status status = out.status;
	if (status == GS_OK) {
		build->target->url = gs_arena_dup(build->arena, gs_buf_slice(&out));
		status = build->target->url.n == out.n ? GS_OK : GS_ENOMEM;
		build->target->url.n--;
	}
	gs_buf_free(&out);
	return status;
}

/* What is left to do after relabelling has kept it. */
static enum gs_status finish(struct build *build) {
	enum gs_status status = complete_address(build);
	if (status == GS_OK)
		status = read_times(build);
	if (status == GS_OK)
		status = put_default(build, INSTANCE, gs_labels_get(build->labels, ADDRESS));
	if (status == GS_OK)
		status = check_utf8(build);
	if (status == GS_OK)
		status = make_url(build);
	return status == GS_OK ? keep_labels(build, true, &build->target->labels, &build->target->nlabels) : status;
}

enum gs_status gs_target_build(const struct gs_target_defaults *defaults, const struct gs_label *found, size_t nfound,
    struct gs_labels *scratch, struct gs_arena *arena, struct gs_target *ret_target, bool *ret_keep,
    struct gs_error *err) {
	struct build build = {
	    .defaults = defaults, .labels = scratch, .arena = arena, .target = ret_target, .err = err};
	*ret_target = (struct gs_target){0};
	*ret_keep = true;
	enum gs_status status = put_all(&build, found, nfound);
	if (status == GS_OK)
		status = keep_labels(&build, false, &ret_target->discovered, &ret_target->ndiscovered);
	if (status == GS_OK && defaults->relabel != NULL)
		status = gs_relabel_apply(defaults->relabel, scratch, ret_keep);
	if (status == GS_ELIMIT)
		return gs_error_set(err, GS_ELIMIT, 0, 0,
		    "more or longer labels than a target may have, or a regular expression takes too many steps");
	return status == GS_OK && *ret_keep ? finish(&build) : status;
}
