/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status pages as JSON. What a group of the Pushgateway's dialect holds is taken from the store as an exposition and written again, so that the
 * lock is held for a copy and not for the formatting.
 */
#include "gravel/base/clock.h"
#include "gravel/base/json.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "ingest_internal.h"

#define READER_TEXT_MAX ((size_t)GS_LIMIT_LINE) /* more than a key that came in a path */

static void key_str(struct gs_json *json, const char *key, struct gs_str value) {
	gs_json_key(json, gs_str_of(key));
	gs_json_str(json, value);
}

static void key_u64(struct gs_json *json, const char *key, uint64_t value) {
	gs_json_key(json, gs_str_of(key));
	gs_json_u64(json, value);
}

static void key_bool(struct gs_json *json, const char *key, bool value) {
	gs_json_key(json, gs_str_of(key));
	gs_json_bool(json, value);
}

static void key_time(struct gs_json *json, const char *key, int64_t ms) {
	gs_json_key(json, gs_str_of(key));
	gs_json_time(json, ms);
}

static void key_seconds(struct gs_json *json, const char *key, int64_t ms) {
	gs_json_key(json, gs_str_of(key));
	gs_json_seconds(json, ms);
}

/* ${without}: the name of a label that is left out, or empty. */
static void key_labels(struct gs_json *json, const struct gs_label *labels, size_t n, struct gs_str without) {
	gs_json_key(json, GS_STR("labels"));
	gs_json_open(json, '{');
	for (size_t i = 0; i < n; i++) {
		if (without.n != 0 && gs_str_eq(labels[i].name, without))
			continue;
		gs_json_key(json, labels[i].name);
		gs_json_str(json, labels[i].value);
	}
	gs_json_close(json, '}');
}

static void key_open(struct gs_json *json, const char *key, char bracket) {
	gs_json_key(json, gs_str_of(key));
	gs_json_open(json, bracket);
}

/* Status */

static void write_status(struct gs_ingest *ingest, struct gs_json *json) {
	static const char *const build[] = {"branch", "buildDate", "buildUser", "goVersion", "revision"};
	struct gs_store_stats stats = gs_ingest_stats(ingest);
	gs_json_open(json, '{');
	key_open(json, "build_information", '{');
	for (size_t i = 0; i < sizeof(build) / sizeof(build[0]); i++)
		key_str(json, build[i], GS_STR("")); /* for clients of the Pushgateway's page, which has them */
	key_str(json, "version", GS_STR(GRAVEL_VERSION));
	gs_json_close(json, '}');
	key_open(json, "flags", '{');
	gs_json_close(json, '}');
	key_time(json, "start_time", ingest->start_ms);
	key_u64(json, "families", stats.families);
	key_u64(json, "series", stats.series);
	key_u64(json, "bytes", stats.bytes);
	key_open(json, "groups", '{');
	key_u64(json, "fresh", stats.groups_fresh);
	key_u64(json, "stale", stats.groups_stale);
	key_u64(json, "gateway", stats.groups_gateway);
	gs_json_close(json, '}');
	gs_json_close(json, '}');
}

/* Groups, targets, publishers: with the lock held */

/* What reads a grouping key, which the store has as it stands in a sample. */
struct reader {
	struct gs_expo_parser *parser;
	struct gs_buf text;
};

static void key_group(struct gs_json *json, struct reader *reader, struct gs_str key) {
	struct gs_expo_event event = {0};
	gs_buf_clear(&reader->text);
	gs_buf_cstr(&reader->text, "k{");
	gs_buf_str(&reader->text, key);
	gs_buf_cstr(&reader->text, "} 0\n");
	enum gs_status status = reader->text.status;
	if (status == GS_OK) {
		gs_expo_begin_text(reader->parser, gs_buf_slice(&reader->text));
		status = gs_expo_next(reader->parser, &event, NULL);
	}
	if (status != GS_OK && json->out->status == GS_OK)
		json->out->status = status;
	key_labels(json, event.labels, status == GS_OK ? event.nlabels : 0, (struct gs_str){0});
}

static bool pushed_well(const struct gs_gateway_view *view) {
	return view->failure_ms <= view->push_ms;
}

static void write_gateways(struct gs_ingest *ingest, struct gs_json *json, struct reader *reader) {
	struct gs_gateway_view view;
	size_t cursor = 0;
	while (json->out->status == GS_OK && gs_store_gateway_next(ingest->store, &cursor, &view)) {
		gs_json_open(json, '{');
		key_str(json, "kind", GS_STR("gateway"));
		key_group(json, reader, view.key);
		key_u64(json, "series", view.series);
		key_time(json, "last_push", view.push_ms);
		key_time(json, "last_failure", view.failure_ms);
		key_bool(json, "last_push_successful", pushed_well(&view));
		gs_json_close(json, '}');
	}
}

static void write_scraped(struct gs_json *json, const struct gs_group_view *view) {
	struct gs_label labels[] = {
	    {GS_STR_INIT("instance"), view->key.instance},
	    {GS_STR_INIT("job"), view->key.job},
	    {GS_STR_INIT("publisher"), view->key.publisher},
	};
	gs_json_open(json, '{');
	key_str(json, "kind", GS_STR("scrape"));
	key_labels(json, labels, sizeof(labels) / sizeof(labels[0]), (struct gs_str){0});
	key_u64(json, "series", view->series);
	key_time(json, "last_scrape", view->time_ms);
	key_bool(json, "stale", view->stale);
	gs_json_close(json, '}');
}

static void write_groups(struct gs_ingest *ingest, struct gs_json *json, struct reader *reader) {
	struct gs_group_view view;
	size_t cursor = 0;
	gs_json_open(json, '[');
	write_gateways(ingest, json, reader);
	while (json->out->status == GS_OK && gs_store_group_next(ingest->store, &cursor, &view))
		write_scraped(json, &view);
	gs_json_close(json, ']');
}

static void write_targets(struct gs_ingest *ingest, struct gs_json *json, struct reader *reader) {
	struct gs_group_view view;
	int64_t now_ms = gs_clock_wall_ms();
	size_t cursor = 0;
	(void)reader;
	gs_json_open(json, '[');
	while (json->out->status == GS_OK && gs_store_group_next(ingest->store, &cursor, &view)) {
		gs_json_open(json, '{');
		key_str(json, "publisher", view.key.publisher);
		key_str(json, "job", view.key.job);
		key_str(json, "instance", view.key.instance);
		key_str(json, "state", view.stale ? GS_STR("stale") : GS_STR("fresh"));
		key_time(json, "last_scrape", view.time_ms);
		key_seconds(json, "age_seconds", now_ms - view.time_ms);
		key_seconds(json, "interval_seconds", view.interval_ms);
		key_u64(json, "series", view.series);
		gs_json_close(json, '}');
	}
	gs_json_close(json, ']');
}

static void write_publishers(struct gs_ingest *ingest, struct gs_json *json, struct reader *reader) {
	const struct publisher *publisher;
	size_t cursor = 0;
	(void)reader;
	gs_json_open(json, '[');
	while (json->out->status == GS_OK && (publisher = gs_map_next(ingest->publishers, &cursor, NULL)) != NULL) {
		gs_json_open(json, '{');
		key_str(json, "publisher", publisher->name);
		key_time(json, "last_seen", publisher->seen_ms);
		key_seconds(json, "lag_seconds", publisher->lag_ms);
		key_seconds(json, "clock_skew_seconds", publisher->skew_ms);
		gs_json_close(json, '}');
	}
	gs_json_close(json, ']');
}

/* Metrics */

/* The groups as they were when the page began. */
struct list {
	struct gs_arena *arena;
	struct gs_gateway_view *at;
	size_t n;
	size_t cap;
};

static enum gs_status list_gateways(struct gs_ingest *ingest, struct list *list) {
	struct gs_gateway_view view;
	size_t cursor = 0;
	while (gs_store_gateway_next(ingest->store, &cursor, &view)) {
		struct gs_gateway_view *at = gs_grow_array(list->at, &list->cap, list->n, sizeof(*at));
		if (at == NULL)
			return GS_ENOMEM;
		list->at = at;
		struct gs_str key = gs_arena_dup(list->arena, view.key);
		if (key.n != view.key.n)
			return GS_ENOMEM;
		view.key = key;
		at[list->n++] = view;
	}
	return GS_OK;
}

/* What is open while a group is written. */
struct writing {
	struct gs_json *json;
	struct gs_buf name; /* of the family that is open; empty: none */
	bool list; /* its "metrics" */
	bool metric; /* one of them */
	bool parts; /* its "buckets" or "quantiles" */
};

static void close_parts(struct writing *w) {
	if (w->parts)
		gs_json_close(w->json, '}');
	w->parts = false;
}

static void close_metric(struct writing *w) {
	close_parts(w);
	if (w->metric)
		gs_json_close(w->json, '}');
	w->metric = false;
}

static void close_family(struct writing *w) {
	close_metric(w);
	if (w->list)
		gs_json_close(w->json, ']');
	if (w->name.n != 0)
		gs_json_close(w->json, '}');
	w->list = false;
	gs_buf_clear(&w->name);
}

static void open_family(struct writing *w, struct gs_str name) {
	if (w->name.n != 0 && gs_str_eq(gs_buf_slice(&w->name), name))
		return;
	close_family(w);
	gs_buf_str(&w->name, name);
	gs_json_key(w->json, name);
	gs_json_open(w->json, '{');
}

static void write_type(struct writing *w, enum gs_expo_type type) {
	char text[32];
	struct gs_str name = gs_str_of(gs_expo_type_name(type));
	for (size_t i = 0; i < name.n && i < sizeof(text); i++)
		text[i] = (char)(name.p[i] - 'a' + 'A');
	key_str(w->json, "type", gs_str_make(text, name.n));
}

static void open_metric(struct writing *w, const struct gs_expo_event *event) {
	bool histogram = event->type == GS_TYPE_HISTOGRAM, summary = event->type == GS_TYPE_SUMMARY;
	struct gs_str bound = event->part == GS_PART_BUCKET     ? GS_STR("le")
			      : event->part == GS_PART_QUANTILE ? GS_STR("quantile")
								: GS_STR("");
	close_metric(w);
	if (!w->list) {
		key_time(w->json, "time_stamp", event->timestamp_ms);
		key_open(w->json, "metrics", '[');
		w->list = true;
	}
	gs_json_open(w->json, '{');
	w->metric = true;
	key_labels(w->json, event->labels, event->nlabels, bound);
	if (histogram || summary)
		key_open(w->json, histogram ? "buckets" : "quantiles", '{');
	w->parts = histogram || summary;
}

static void write_sample(struct writing *w, const struct gs_expo_event *event) {
	char bound[GS_NUM_DOUBLE_MAX];
	if (!event->joined || !w->metric)
		open_metric(w, event);
	if (event->part == GS_PART_BUCKET || event->part == GS_PART_QUANTILE) {
		gs_json_key(w->json, gs_str_make(bound, gs_num_print_double(bound, event->bound)));
	} else {
		close_parts(w);
		gs_json_key(w->json, event->part == GS_PART_SUM     ? GS_STR("sum")
				     : event->part == GS_PART_COUNT ? GS_STR("count")
								    : GS_STR("value"));
	}
	gs_json_double(w->json, event->value);
}

static enum gs_status write_families(struct gs_json *json, struct gs_expo_parser *parser, struct gs_str text) {
	struct writing w = {.json = json};
	struct gs_expo_event event = {0};
	enum gs_status status;
	gs_buf_init(&w.name, GS_LIMIT_NAME);
	gs_expo_begin_text(parser, text);
	while ((status = gs_expo_next(parser, &event, NULL)) == GS_OK && event.kind != GS_EXPO_END) {
		open_family(&w, event.kind == GS_EXPO_SAMPLE ? event.family : event.name);
		if (event.kind == GS_EXPO_HELP)
			key_str(json, "help", event.text);
		else if (event.kind == GS_EXPO_TYPE)
			write_type(&w, event.type);
		else if (event.kind == GS_EXPO_SAMPLE)
			write_sample(&w, &event);
	}
	if (status == GS_OK)
		status = w.name.status;
	close_family(&w);
	gs_buf_free(&w.name);
	return status;
}

static enum gs_status write_listed(struct gs_ingest *ingest, struct gs_json *json, struct reader *reader,
    const struct gs_gateway_view *view, struct gs_buf *text) {
	gs_buf_clear(text);
	gs_ingest_store_take(ingest);
	enum gs_status status = gs_store_gateway_render(ingest->store, view->key, text);
	gs_ingest_store_release(ingest);
	if (status == GS_ENOTFOUND)
		return GS_OK; /* it has gone meanwhile */
	if (status != GS_OK)
		return status;
	gs_json_open(json, '{');
	key_group(json, reader, view->key);
	key_bool(json, "last_push_successful", pushed_well(view));
	status = write_families(json, reader->parser, gs_buf_slice(text));
	gs_json_close(json, '}');
	return status;
}

static enum gs_status write_list(
    struct gs_ingest *ingest, struct gs_json *json, const struct list *list, struct reader *reader) {
	struct gs_buf text;
	enum gs_status status = GS_OK;
	gs_buf_init(&text, GS_LIMIT_JSON);
	for (size_t i = 0; i < list->n && status == GS_OK && json->out->status == GS_OK; i++)
		status = write_listed(ingest, json, reader, &list->at[i], &text);
	gs_buf_free(&text);
	return status;
}

static void write_metrics(struct gs_ingest *ingest, struct gs_json *json, struct reader *reader) {
	struct list list = {.arena = gs_arena_new(SIZE_MAX / 2)};
	enum gs_status status = GS_ENOMEM;
	gs_json_open(json, '[');
	if (list.arena != NULL) {
		gs_ingest_store_take(ingest);
		status = list_gateways(ingest, &list);
		gs_ingest_store_release(ingest);
	}
	if (status == GS_OK)
		status = write_list(ingest, json, &list, reader);
	gs_json_close(json, ']');
	if (json->out->status == GS_OK)
		json->out->status = status;
	gs_arena_free(list.arena);
	gs_free(list.at);
}

typedef void write_fn(struct gs_ingest *ingest, struct gs_json *json, struct reader *reader);

static void write_locked(struct gs_ingest *ingest, struct gs_json *json, struct reader *reader, write_fn *write) {
	gs_ingest_store_take(ingest);
	write(ingest, json, reader);
	gs_ingest_store_release(ingest);
}

static void write_page(
    struct gs_ingest *ingest, enum gs_ingest_page page, struct gs_json *json, struct reader *reader) {
	gs_json_open(json, '{');
	key_str(json, "status", GS_STR("success"));
	gs_json_key(json, GS_STR("data"));
	switch (page) {
	case GS_PAGE_STATUS:
		write_status(ingest, json);
		break;
	case GS_PAGE_METRICS:
		write_metrics(ingest, json, reader);
		break;
	case GS_PAGE_GROUPS:
		write_locked(ingest, json, reader, write_groups);
		break;
	case GS_PAGE_TARGETS:
		write_locked(ingest, json, reader, write_targets);
		break;
	case GS_PAGE_PUBLISHERS:
		write_locked(ingest, json, reader, write_publishers);
		break;
	}
	gs_json_close(json, '}');
}

void gs_ingest_page(struct gs_ingest *ingest, enum gs_ingest_page page, struct gs_buf *out) {
	struct gs_json json;
	struct kit *kit = gs_kit_get(ingest);
	if (kit == NULL) {
		out->status = GS_ENOMEM;
		return;
	}
	struct reader reader = {.parser = kit->parser};
	gs_buf_init(&reader.text, READER_TEXT_MAX);
	gs_json_init(&json, out);
	write_page(ingest, page, &json, &reader);
	gs_buf_free(&reader.text);
	gs_kit_put(ingest, kit);
}
