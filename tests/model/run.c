/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "compare.h"
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"
#include "gravel/gravel/snapshot.h"

#define T0 INT64_C(1700000000000)
#define VERSIONS 256
#define SELDOM 4
#define RARELY 32 /* operations between two of the slower comparisons */
#define RESTART 16 /* operations between two restarts of the replica */

const char *const run_event_names[EVENTS] = {
    "operations",
    "bodies refused",
    "pushes",
    "pushes in conflict",
    "stores full",
    "scrapes",
    "scrapes stale",
    "scrapes of the future",
    "scrapes not newer",
    "targets gone",
    "those with a newer scrape",
    "groups gone stale",
    "series expired",
    "operations without memory",
    "renderings without memory",
    "changes of groups of the Pushgateway's dialect",
    "those in conflict",
    "exemplars compared",
    "units compared",
    "restarts",
    "series gone",
    "owner conflicts",
    "type conflicts",
    "samples dropped for a conflict",
    "samples dropped as stale",
    "samples dropped as late",
    "lines compared",
};

/* What a family was when it had a version. */
struct version {
	const char *name;
	uint64_t version;
	uint64_t text;
	uint64_t strict_version;
	uint64_t strict; /* as OpenMetrics, which depends on other families, too */
};

struct feed {
	struct gs_store *store;
	struct gs_batch *batch;
};

struct run {
	const struct run_options *options;
	struct run_progress *progress;
	struct gs_buf *why;
	struct model *model;
	struct m_batch batch;
	struct feed first; /* compared with the model after every operation */
	struct feed replica; /* given the same without ever being read before the end */
	struct gs_expo_parser *parser;
	struct gs_expo_seen *seen;
	struct gs_buf body;
	struct gs_buf got;
	struct gs_buf want;
	struct gs_buf again;
	struct version versions[VERSIONS];
	size_t nversions;
	int64_t now_ms;
	struct m_limits limits;
};

static const struct gs_expo_dialect text_1 = {.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE};

static void count(struct run *run, enum event event, size_t n) {
	run->progress->events[event] += n;
}

__attribute__((format(printf, 2, 3))) static bool differs(struct run *run, const char *fmt, ...) {
	char text[65536];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	gs_buf_printf(run->why, "%s\n", text);
	return false;
}

static bool reads_body(const struct op *op) {
	if (op->kind == OP_GATEWAY)
		return op->gateway == M_PUT || op->gateway == M_POST;
	return op->kind == OP_PUSH || op->kind == OP_SCRAPE || op->kind == OP_OWN;
}

/* From the model's words to the store's */

static size_t labels_of(const struct m_label *labels, unsigned n, struct gs_label *ret) {
	for (unsigned i = 0; i < n; i++)
		ret[i] = (struct gs_label){gs_str_of(labels[i].name), gs_str_of(labels[i].value)};
	return n;
}

static enum gs_status read_batch(struct run *run, struct gs_batch *batch, const struct op *op, struct gs_error *err) {
	static const enum gs_label_rule rules[] = {GS_LABELS_OVERRIDE, GS_LABELS_HONOR, GS_LABELS_EXPORT};
	struct gs_label labels[M_LABELS];
	struct gs_batch_options options = {
	    .labels = labels,
	    .nlabels = labels_of(op->options.labels, op->options.nlabels, labels),
	    .rule = rules[op->options.rule],
	    .ttl_ms = op->options.ttl_ms,
	    .lenient = op->options.lenient,
	    .gateway = op->options.gateway,
	};
	if (op->options.mode.kind != M_DEFAULT)
		m_demand(gs_mode_parse(gs_str_of(op->options.mode.text), &options.mode, NULL) == GS_OK, "mode");
	gs_batch_begin(batch, &options);
	return gs_batch_read(batch, run->parser, NULL, gs_buf_slice(&run->body), err);
}

static enum gs_status apply_to_store(
    const struct feed *feed, const struct op *op, struct gs_store_result *ret, struct gs_error *err) {
	struct gs_scrape_info info = {
	    .key = {gs_str_of(op->group.publisher), gs_str_of(op->group.job), gs_str_of(op->group.instance)},
	    .time_ms = op->group.time_ms,
	    .interval_ms = op->group.interval_ms,
	};
	static const enum gs_gateway_op gateway_ops[] = {
	    GS_GATEWAY_PUT, GS_GATEWAY_POST, GS_GATEWAY_DELETE, GS_GATEWAY_FAILED};
	struct gs_label labels[M_LABELS];
	size_t nlabels = labels_of(op->labels, op->nlabels, labels);
	switch (op->kind) {
	case OP_PUSH:
		return gs_store_push(feed->store, feed->batch, op->now_ms, ret, err);
	case OP_SCRAPE:
		return gs_store_scrape(feed->store, &info, feed->batch, op->now_ms, ret);
	case OP_OWN:
		return gs_store_own(feed->store, feed->batch, op->now_ms);
	case OP_DELETE:
		return gs_store_delete(feed->store, labels, nlabels, ret);
	case OP_GATEWAY:
		return gs_store_gateway(feed->store, gateway_ops[op->gateway], labels, nlabels,
		    reads_body(op) ? feed->batch : NULL, op->now_ms, ret, err);
	case OP_GONE:
		return gs_store_gone(feed->store, &info.key, info.time_ms, op->now_ms, ret);
	case OP_EXPIRE:
		gs_store_expire(feed->store, op->now_ms, &ret->series_new, &ret->series_gone);
		return GS_OK;
	case OP_KINDS:
		break;
	}
	return GS_EINVAL;
}

static enum gs_status apply_to_model(struct run *run, const struct op *op, struct m_result *ret) {
	*ret = (struct m_result){0};
	switch (op->kind) {
	case OP_PUSH:
		return m_push(run->model, &run->batch, op->now_ms, ret);
	case OP_SCRAPE:
		return m_scrape(run->model, &op->group, &run->batch, op->now_ms, ret);
	case OP_OWN:
		return m_own(run->model, &run->batch, op->now_ms);
	case OP_DELETE:
		m_delete(run->model, op->labels, op->nlabels, ret);
		return GS_OK;
	case OP_GATEWAY:
		return m_gateway(run->model, op->gateway, op->labels, op->nlabels, &run->batch, op->now_ms, ret);
	case OP_GONE:
		return m_gone(run->model, &op->group, op->now_ms, ret);
	case OP_EXPIRE:
		m_expire(run->model, op->now_ms, &ret->series_new, &ret->series_gone);
		return GS_OK;
	case OP_KINDS:
		break;
	}
	return GS_EINVAL;
}

/* Comparing */

static void count_status(struct run *run, const struct op *op, enum gs_status status, const struct m_result *result) {
	bool push = op->kind == OP_PUSH, scrape = op->kind == OP_SCRAPE, expire = op->kind == OP_EXPIRE;
	count(run, EVENT_FULL, status == GS_ELIMIT);
	count(run, EVENT_PUSHED, push && status == GS_OK);
	count(run, EVENT_PUSH_CONFLICT, push && status == GS_ECONFLICT);
	count(run, EVENT_SCRAPED, scrape && status == GS_OK);
	count(run, EVENT_SCRAPE_STALE, scrape && status == GS_ESTALE);
	count(run, EVENT_SCRAPE_FUTURE, scrape && status == GS_EINVAL);
	count(run, EVENT_SCRAPE_OLD, scrape && status == GS_ECONFLICT);
	count(run, EVENT_GONE, op->kind == OP_GONE && status == GS_OK);
	count(run, EVENT_GONE_OLD, op->kind == OP_GONE && status == GS_ECONFLICT);
	count(run, EVENT_GATEWAY, op->kind == OP_GATEWAY && status == GS_OK);
	count(run, EVENT_GATEWAY_CONFLICT, op->kind == OP_GATEWAY && status == GS_ECONFLICT);
	count(run, EVENT_GROUPS_STALE, expire ? result->series_new : 0);
	count(run, EVENT_EXPIRED, expire ? result->series_gone : 0);
	if (expire || status != GS_OK)
		return;
	count(run, EVENT_SERIES_GONE, result->series_gone);
	count(run, EVENT_OWNER_CONFLICT, result->owner_conflicts);
	count(run, EVENT_TYPE_CONFLICT, result->type_conflicts);
	count(run, EVENT_DROPPED_CONFLICT, result->dropped_conflict);
	count(run, EVENT_DROPPED_STALE, result->dropped_stale);
	count(run, EVENT_DROPPED_LATE, result->dropped_late);
}

static bool same_result(struct run *run, const struct gs_store_result *got, const struct m_result *want) {
	const struct {
		const char *name;
		size_t got, want;
	} counters[] = {
	    {"samples", got->samples, want->samples},
	    {"series_new", got->series_new, want->series_new},
	    {"series_gone", got->series_gone, want->series_gone},
	    {"owner_conflicts", got->owner_conflicts, want->owner_conflicts},
	    {"type_conflicts", got->type_conflicts, want->type_conflicts},
	    {"dropped_conflict", got->dropped_conflict, want->dropped_conflict},
	    {"dropped_stale", got->dropped_stale, want->dropped_stale},
	    {"dropped_late", got->dropped_late, want->dropped_late},
	};
	bool equal = true;
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		if (counters[i].got != counters[i].want)
			equal = differs(run, "result.%s: store %zu, model %zu", counters[i].name, counters[i].got,
			    counters[i].want);
	}
	return equal;
}

static bool same_strict_version(struct run *run, struct version *known, const struct gs_family_view *view) {
	gs_buf_clear(&run->again);
	if (!gs_store_render_family(run->first.store, gs_str_of(known->name), run->now_ms,
		(struct gs_expo_dialect){.format = GS_FORMAT_OPENMETRICS, .escaping = GS_ESCAPE_NONE}, &run->again))
		return differs(run, "family %s is not there as OpenMetrics", known->name);
	uint64_t hash = gs_hash_stable(gs_buf_slice(&run->again), 4);
	bool equal = view->timed || known->strict_version != view->version || known->strict == hash;
	known->strict_version = view->timed ? 0 : view->version;
	known->strict = hash;
	return equal || differs(run, "family %s changed as OpenMetrics, but not its version:\n%.*s", known->name,
			    GS_FMT(gs_buf_slice(&run->again)));
}

/* What a version stands for never changes, as long as nothing depends on the time. */
static bool same_version(struct run *run, const char *name, const struct gs_family_view *view, struct gs_str text) {
	struct version *known = NULL;
	for (size_t i = 0; i < run->nversions && known == NULL; i++) {
		if (run->versions[i].name == name)
			known = &run->versions[i];
	}
	if (known == NULL) {
		m_demand(run->nversions < VERSIONS, "too many families");
		known = &run->versions[run->nversions++];
		*known = (struct version){.name = name};
	}
	uint64_t hash = gs_hash_stable(text, 4);
	bool equal = view->timed || known->version != view->version || known->text == hash;
	known->version = view->timed ? 0 : view->version;
	known->text = hash;
	return (equal || differs(run, "family %s changed, but not its version", name)) &&
	       (run->progress->number % SELDOM != 0 || same_strict_version(run, known, view));
}

static bool same_family(struct run *run, const char *name, struct gs_str *after) {
	struct gs_family_view view;
	struct gs_str want_name = gs_str_of(name);
	double tolerance;
	bool timed;
	size_t begin = run->got.n, series = 0;
	if (!gs_store_family_next(run->first.store, *after, &view) || !gs_str_eq(view.name, want_name))
		return differs(run, "family %s is not the next of the store", name);
	if (!gs_store_render_next(run->first.store, after, run->now_ms, text_1, &run->got) ||
	    !gs_str_eq(*after, want_name))
		return differs(run, "family %s is not the next that is rendered", name);
	struct gs_str got = gs_str_make(run->got.p + begin, run->got.n - begin);
	gs_buf_clear(&run->want);
	m_show(run->model, name, run->now_ms, &run->want, &tolerance, &timed);
	for (size_t i = 0; i < run->model->nseries; i++)
		series += m_same(run->model->series[i]->name, name);
	if (view.series != series || view.timed != timed)
		return differs(run, "family %s: %zu series of %zu, timed %d", name, view.series, series, view.timed);
	if (!compare_family(got, gs_buf_slice(&run->want), tolerance, run->why))
		return differs(run, "family %s differs; store:\n%.*s", name, GS_FMT(got));
	return same_version(run, name, &view, got);
}

static bool same_groups(struct run *run) {
	struct gs_group_view view;
	size_t cursor = 0, n = 0;
	while (gs_store_group_next(run->first.store, &cursor, &view)) {
		const struct m_group *group = NULL;
		for (size_t i = 0; i < run->model->ngroups; i++) {
			const struct m_group *g = &run->model->groups[i];
			if (gs_str_eq(view.key.publisher, gs_str_of(g->publisher)) &&
			    gs_str_eq(view.key.job, gs_str_of(g->job)) &&
			    gs_str_eq(view.key.instance, gs_str_of(g->instance)))
				group = g;
		}
		if (group == NULL || group->gone || view.time_ms != group->time_ms ||
		    view.interval_ms != group->interval_ms || view.stale != group->stale ||
		    view.series != m_owned(run->model, group->owner))
			return differs(run, "group %.*s/%.*s/%.*s differs", GS_FMT(view.key.publisher),
			    GS_FMT(view.key.job), GS_FMT(view.key.instance));
		n++;
	}
	size_t gone = 0;
	for (size_t i = 0; i < run->model->ngroups; i++)
		gone += run->model->groups[i].gone;
	return n == run->model->ngroups - gone || differs(run, "%zu groups, not %zu", n, run->model->ngroups - gone);
}

static bool is_gateway(struct run *run, const struct gs_gateway_view *view, const struct m_gateway *group) {
	struct m_label key[M_LABELS];
	memcpy(key, group->key, sizeof(key));
	m_sort_labels(key, group->nkey);
	gs_buf_clear(&run->want);
	for (unsigned i = 0; i < group->nkey; i++)
		gs_buf_printf(&run->want, "%s%s=\"%s\"", i != 0 ? "," : "", key[i].name, key[i].value);
	return gs_str_eq(view->key, gs_buf_slice(&run->want)) && view->push_ms == group->push_ms &&
	       view->failure_ms == group->failure_ms &&
	       view->series == m_owned(run->model, group->owner) + m_owned(run->model, group->owner + 1);
}

static bool same_gateways(struct run *run) {
	struct gs_gateway_view view;
	size_t cursor = 0, n = 0;
	while (gs_store_gateway_next(run->first.store, &cursor, &view)) {
		size_t i = 0;
		while (i < run->model->ngateways && !is_gateway(run, &view, &run->model->gateways[i]))
			i++;
		if (i == run->model->ngateways)
			return differs(run, "group %.*s of the Pushgateway's dialect differs", GS_FMT(view.key));
		n++;
	}
	return n == run->model->ngateways ||
	       differs(run, "%zu groups of the Pushgateway's dialect, not %zu", n, run->model->ngateways);
}

static bool same_stats(struct run *run, size_t families) {
	struct gs_store_stats stats = gs_store_stats(run->first.store);
	size_t stale = 0, gone = 0;
	for (size_t i = 0; i < run->model->ngroups; i++) {
		stale += run->model->groups[i].stale;
		gone += run->model->groups[i].gone;
	}
	return (stats.families == families && stats.series == run->model->nseries && stats.groups_stale == stale &&
		   stats.groups_gateway == run->model->ngateways &&
		   stats.groups_fresh == run->model->ngroups - stale - gone) ||
	       differs(run, "stats: %zu families of %zu, %zu series of %zu, %zu+%zu groups of %zu, %zu stale",
		   stats.families, families, stats.series, run->model->nseries, stats.groups_fresh, stats.groups_stale,
		   run->model->ngroups, stale);
}

static void render(struct gs_store *store, int64_t now_ms, struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct gs_str after = {0};
	gs_buf_clear(out);
	while (gs_store_render_next(store, &after, now_ms, dialect, out))
		continue;
}

/* Read by name, it is the same bytes. */
static bool same_by_name(struct run *run, const char *const *names, size_t n) {
	gs_buf_clear(&run->again);
	for (size_t i = 0; i < n; i++) {
		struct gs_family_view view;
		if (!gs_store_family(run->first.store, gs_str_of(names[i]), &view) ||
		    !gs_store_render_family(run->first.store, gs_str_of(names[i]), run->now_ms, text_1, &run->again))
			return differs(run, "family %s is not found", names[i]);
	}
	if (gs_store_render_family(run->first.store, GS_STR("no_such"), run->now_ms, text_1, &run->again))
		return differs(run, "a family that is not there is rendered");
	return gs_str_eq(gs_buf_slice(&run->again), gs_buf_slice(&run->got)) ||
	       differs(run, "by name families are rendered differently");
}

static void put_event(struct gs_buf *out, const struct gs_expo_event *event) {
	struct gs_str name = event->name;
	bool classic = gs_expo_is_metric_name(name);
	gs_buf_cstr(out, classic ? "" : "{\"");
	gs_buf_str(out, name);
	gs_buf_cstr(out, classic ? "" : "\"");
	for (size_t i = 0; i < event->nlabels; i++)
		m_put_label(out, classic && i == 0 ? '{' : ',', event->labels[i].name, event->labels[i].value);
	gs_buf_cstr(out, classic && event->nlabels == 0 ? " " : "} ");
	gs_buf_double(out, event->value);
	gs_buf_char(out, '\n');
}

static bool same_number(double a, double b) {
	return a == b || (isnan(a) && isnan(b));
}

static bool same_exemplar(struct run *run, const struct gs_expo_event *event) {
	const struct m_exemplar *want = m_exemplar_of(run->model, event);
	const struct gs_exemplar *got = event->exemplar;
	count(run, EVENT_EXEMPLARS, want != NULL);
	/* One that does not lie in its bucket may not be shown everywhere. */
	bool misplaced = want != NULL && event->part == GS_PART_BUCKET && !(want->value <= event->bound);
	bool equal = got == NULL && (want == NULL || misplaced);
	if (got != NULL && want != NULL)
		equal = got->nlabels == 1 && gs_str_eq(got->labels[0].name, GS_STR("trace")) &&
			gs_str_eq(got->labels[0].value, gs_str_of(want->trace)) &&
			same_number(got->value, want->value) && got->has_timestamp == want->has_time &&
			(!want->has_time || got->timestamp_ms == want->time_ms);
	return equal ||
	       differs(run, "line %u: the store has %s exemplar, the model %s in\n%.*s", event->line,
		   got != NULL ? "an" : "no", want != NULL ? want->trace : "none", GS_FMT(gs_buf_slice(&run->again)));
}

/* Not every family may show its unit. */
static bool same_unit(struct run *run, const struct gs_expo_event *event) {
	count(run, EVENT_UNITS, 1);
	return gs_str_eq(gs_str_of(m_unit_of(run->model, event->name)), event->text) ||
	       differs(run, "the unit of %.*s is not %.*s", GS_FMT(event->name), GS_FMT(event->text));
}

/* Another format, read back as strictly as we can, has the same samples. */
static bool same_as(struct run *run, enum gs_expo_format format) {
	struct gs_expo_options options = {.format = format, .utf8_names = true, .seen = run->seen};
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE};
	struct gs_error err = {0};
	render(run->first.store, run->now_ms, (struct gs_expo_dialect){.format = format, .escaping = GS_ESCAPE_NONE},
	    &run->again);
	if (format == GS_FORMAT_OPENMETRICS)
		gs_buf_cstr(&run->again, "# EOF\n");
	gs_expo_begin(run->parser, &options);
	gs_expo_feed(run->parser, gs_buf_slice(&run->again), true);
	gs_buf_clear(&run->want);
	while (event.kind != GS_EXPO_END) {
		if (gs_expo_next(run->parser, &event, &err) != GS_OK)
			return differs(run, "format %d, %u:%u: %s in\n%.*s", (int)format, err.line, err.column,
			    err.text, GS_FMT(gs_buf_slice(&run->again)));
		if (event.kind == GS_EXPO_UNIT && !same_unit(run, &event))
			return false;
		if (event.kind != GS_EXPO_SAMPLE)
			continue;
		put_event(&run->want, &event);
		if (!same_exemplar(run, &event))
			return false;
	}
	return compare_samples(gs_buf_slice(&run->got), gs_buf_slice(&run->want), run->why) ||
	       differs(run, "format %d (here \"model\") has other samples than text", (int)format);
}

/* A rendering that runs out of memory says so, or is right. */
static bool renders_without_memory(struct run *run, const struct op *op) {
	gs_mem_fail_after(op->body.n % 8);
	render(run->first.store, run->now_ms, text_1, &run->again);
	count(run, EVENT_NO_MEMORY_RENDER, gs_mem_failed() != 0);
	gs_mem_fail_after(-1);
	return run->again.status != GS_OK || gs_str_eq(gs_buf_slice(&run->again), gs_buf_slice(&run->got)) ||
	       differs(run, "a rendering without memory is wrong and does not say so");
}

static bool same_whole(struct run *run, const struct op *op, uint32_t number) {
	static const char *names[M_SERIES];
	size_t n = m_families(run->model, names);
	struct gs_str after = {0};
	struct gs_family_view view;
	bool equal = true;
	gs_store_check(run->first.store);
	gs_buf_clear(&run->got);
	for (size_t i = 0; i < n && equal; i++)
		equal = same_family(run, names[i], &after);
	if (!equal)
		return false;
	if (gs_store_family_next(run->first.store, after, &view) ||
	    gs_store_render_next(run->first.store, &after, run->now_ms, text_1, &run->got))
		return differs(run, "the store has a family more, after %.*s", GS_FMT(after));
	if (!same_groups(run) || !same_gateways(run) || !same_stats(run, n))
		return false;
	if (!compare_valid(gs_buf_slice(&run->got), run->why))
		return differs(run, "the exposition breaks a rule:\n%.*s", GS_FMT(gs_buf_slice(&run->got)));
	if (op->render_fails && !renders_without_memory(run, op))
		return false;
	if (number % RARELY != 0)
		return true;
	bool right =
	    same_by_name(run, names, n) && same_as(run, GS_FORMAT_OPENMETRICS) && same_as(run, GS_FORMAT_PROTOBUF);
	gs_store_check(run->first.store); /* also after reading, which sorts */
	return right;
}

/* One operation */

static bool read_both(struct run *run, const struct op *op, struct gs_error *err, enum gs_status *ret) {
	gs_buf_clear(&run->body);
	m_body_text(&op->body, &run->body);
	enum gs_status want = m_body_read(&op->body, &op->options, &run->batch);
	gs_mem_fail_after(op->fail_after); /* not before: the model allocates too */
	*ret = read_batch(run, run->first.batch, op, err);
	if (*ret == GS_ENOMEM && gs_mem_failed())
		return true;
	count(run, EVENT_BODY_REFUSED, *ret != GS_OK);
	if (*ret != want)
		return differs(run, "the body: store %s (%u:%u: %s), model %s", gs_status_name(*ret), err->line,
		    err->column, err->text, gs_status_name(want));
	struct gs_batch_stats stats = gs_batch_stats(run->first.batch);
	return want != GS_OK || (stats.samples == run->batch.samples && stats.dropped == run->batch.dropped) ||
	       differs(run, "the body: %zu samples, %zu dropped, not %u, %u", stats.samples, stats.dropped,
		   run->batch.samples, run->batch.dropped);
}

static bool apply_to_replica(struct run *run, const struct op *op, enum gs_status want) {
	struct gs_store_result result;
	if (reads_body(op) && read_batch(run, run->replica.batch, op, NULL) != GS_OK)
		return differs(run, "the replica refuses the body");
	enum gs_status got = apply_to_store(&run->replica, op, &result, NULL);
	return got == want || differs(run, "the replica says %s", gs_status_name(got));
}

/* Without memory the failure of a change of such a group may have been noted, or not: note it. */
static bool is_noted(struct op *op, bool no_memory) {
	if (!no_memory || op->kind != OP_GATEWAY || op->gateway == M_REMOVE)
		return false;
	op->gateway = M_FAILED;
	op->fail_after = -1;
	return true;
}

static struct gs_store *new_store(const struct m_limits *limits) {
	struct gs_store_options options = {
	    .max_series = limits->max_series,
	    .max_series_per_family = limits->max_series_per_family,
	    .max_series_per_group = limits->max_series_per_group,
	    .max_groups = limits->max_groups,
	    .expiration_ms = limits->expiration_ms,
	    .max_age_ms = limits->max_age_ms,
	};
	struct gs_store *store = gs_store_new(&options);
	m_demand(store != NULL, "memory");
	return store;
}

static enum gs_status put_bytes(void *ctx, struct gs_str bytes) {
	struct gs_buf *saved = ctx;
	gs_buf_str(saved, bytes);
	return saved->status;
}

static enum gs_status get_bytes(void *ctx, struct gs_str *ret_bytes) {
	struct gs_str *rest = ctx;
	*ret_bytes = *rest;
	*rest = (struct gs_str){0};
	return GS_OK;
}

/* The replica ends, and another one goes on with what it saved. Its own metrics it would not have. */
static bool restart_replica(struct run *run) {
	struct gs_store *next = new_store(&run->limits);
	struct gs_error err = {0};
	struct gs_buf saved;
	gs_buf_init(&saved, SIZE_MAX);
	m_demand(gs_store_save(run->replica.store, put_bytes, &saved) == GS_OK, "saving");
	struct gs_str rest = gs_buf_slice(&saved);
	enum gs_status status = gs_store_load(next, get_bytes, &rest, &err);
	gs_buf_free(&saved);
	gs_store_free(run->replica.store);
	run->replica.store = next;
	count(run, EVENT_RESTARTS, 1);
	return status == GS_OK || differs(run, "the replica cannot be loaded: %s", err.text);
}

static bool apply_both(struct run *run, struct op *op) {
	struct gs_store_result got = {0};
	struct m_result want = {0};
	struct gs_error err = {0};
	enum gs_status status = GS_OK;
	if (!reads_body(op))
		gs_mem_fail_after(op->fail_after);
	else if (!read_both(run, op, &err, &status))
		return false;
	bool read = status == GS_OK;
	if (read)
		status = apply_to_store(&run->first, op, &got, &err);
	bool no_memory = status == GS_ENOMEM && gs_mem_failed();
	gs_mem_fail_after(-1);
	count(run, EVENT_NO_MEMORY, no_memory);
	if (read && is_noted(op, no_memory))
		return apply_both(run, op);
	if (!read || no_memory)
		return true; /* nothing may have changed */
	bool forgets = run->options->forget && run->progress->number % 10 == 9;
	enum gs_status wanted = forgets ? status : apply_to_model(run, op, &want);
	count_status(run, op, wanted, &want);
	/* Which of two reasons comes first is not the model's to say. */
	if (status == GS_ELIMIT && wanted == GS_ECONFLICT && want.beyond)
		wanted = GS_ELIMIT;
	if (status != wanted)
		return differs(run, "store %s (%u: %s), model %s", gs_status_name(status), err.line, err.text,
		    gs_status_name(wanted));
	if (op->kind == OP_PUSH && status != GS_OK && (err.line == 0 || err.line > op->body.n || err.text[0] == '\0'))
		return differs(run, "the reason has no line of the body: %u: %s", err.line, err.text);
	bool counts = status == GS_OK && op->kind != OP_OWN;
	if (counts && !same_result(run, &got, &want))
		return false;
	/* A refused change of a group of the Pushgateway's dialect is noted in it. */
	return (status != GS_OK && op->kind != OP_GATEWAY) || apply_to_replica(run, op, status);
}

static bool run_one(struct run *run, uint32_t number) {
	static struct op op;
	op_make(run->options->seed, number, run->now_ms, &op);
	if (run->options->print) {
		gs_buf_clear(&run->body);
		op_print(&op, &run->body);
		printf("-- %u: %.*s", number, GS_FMT(gs_buf_slice(&run->body)));
		fflush(stdout);
	}
	run->progress->number = number;
	count(run, EVENT_OPERATIONS, 1);
	bool equal = apply_both(run, &op) && same_whole(run, &op, number);
	if (equal && number % RESTART == 0 && m_owned(run->model, M_OWN) == 0)
		equal = restart_replica(run);
	struct gs_str rest = gs_buf_slice(&run->got), line;
	while (gs_str_cut(rest, '\n', &line, &rest))
		count(run, EVENT_LINES, 1);
	return equal;
}

/* Equal position means equal bytes (DESIGN 6), whenever and however often it was read. */
static bool same_replica(struct run *run) {
	gs_store_check(run->replica.store);
	render(run->first.store, run->now_ms, text_1, &run->got);
	render(run->replica.store, run->now_ms, text_1, &run->again);
	return gs_str_eq(gs_buf_slice(&run->got), gs_buf_slice(&run->again)) ||
	       differs(run, "the replica renders other bytes:\n%.*s", GS_FMT(gs_buf_slice(&run->again)));
}

static void open_feed(struct feed *feed, const struct m_limits *limits) {
	feed->store = new_store(limits);
	feed->batch = gs_batch_new();
	m_demand(feed->batch != NULL, "memory");
}

static void close_feed(struct feed *feed) {
	gs_batch_free(feed->batch);
	gs_store_free(feed->store);
}

bool run_operations(const struct run_options *options, struct run_progress *progress, struct gs_buf *why) {
	static struct run run; /* large */
	struct m_limits limits = op_limits(options->seed);
	run = (struct run){.options = options, .progress = progress, .why = why, .now_ms = T0, .limits = limits};
	open_feed(&run.first, &limits);
	open_feed(&run.replica, &limits);
	run.model = m_new(&limits);
	run.parser = gs_expo_parser_new();
	run.seen = gs_expo_seen_new();
	m_demand(run.parser != NULL && run.seen != NULL, "memory");
	gs_buf_init(&run.body, SIZE_MAX);
	gs_buf_init(&run.got, SIZE_MAX);
	gs_buf_init(&run.want, SIZE_MAX);
	gs_buf_init(&run.again, SIZE_MAX);
	bool equal = true;
	size_t i = 0;
	for (uint32_t number = 0; i < options->n && equal; number++) {
		run.now_ms += op_clock(options->seed, number);
		if (options->numbers[i] != number)
			continue;
		equal = run_one(&run, number);
		i++;
	}
	equal = equal && same_replica(&run);
	gs_buf_free(&run.body);
	gs_buf_free(&run.got);
	gs_buf_free(&run.want);
	gs_buf_free(&run.again);
	gs_expo_seen_free(run.seen);
	gs_expo_parser_free(run.parser);
	m_free(run.model);
	close_feed(&run.replica);
	close_feed(&run.first);
	return equal;
}
