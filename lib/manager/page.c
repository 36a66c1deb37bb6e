/* SPDX-License-Identifier: Apache-2.0 */
/* How the targets are, and that as JSON: the shape of Prometheus' web/api/v1. */
#include "gravel/base/json.h"
#include "gravel/base/num.h"
#include "manager_internal.h"

/* Prometheus' zero time: never scraped. */
#define NEVER GS_STR("0001-01-01T00:00:00Z")

struct board *gs_page_board(struct gs_manager *manager) {
	gs_lock_take(&manager->lock);
	struct board *board = gs_board_ref(manager->board);
	gs_lock_release(&manager->lock);
	return board;
}

void gs_page_state(struct gs_manager *manager, const struct target *target, struct shown *ret) {
	const char *error = atomic_load(&target->error);
	ret->state = (struct gs_relay_target_state){0};
	gs_lock_take(&manager->lock);
	if (target->relayed != NULL)
		gs_relay_target_state(manager->relay, target->relayed, &ret->state);
	gs_lock_release(&manager->lock);
	ret->health = "unknown";
	ret->error = "";
	if (error != NULL) {
		ret->health = "down";
		ret->error = error;
	} else if (ret->state.time_ms != 0) {
		bool up = ret->state.cause == GS_SCRAPE_OK;
		ret->health = up ? "up" : "down";
		ret->error = up ? "" : ret->state.text;
	}
}

/* Where its authority begins and ends. */
static void authority(struct gs_str url, size_t *ret_begin, size_t *ret_end) {
	size_t begin = 0;
	for (size_t i = 0; i + 2 < url.n && begin == 0; i++) {
		if (memcmp(url.p + i, "://", 3) == 0)
			begin = i + 3;
	}
	size_t end = begin;
	while (end < url.n && strchr("/?#", url.p[end]) == NULL)
		end++;
	*ret_begin = begin;
	*ret_end = end;
}

void gs_page_url(struct gs_buf *out, struct gs_str url) {
	size_t begin, end, at = 0, colon = 0;
	authority(url, &begin, &end);
	for (size_t i = begin; i < end; i++) {
		if (url.p[i] == '@')
			at = i;
	}
	for (size_t i = begin; i < at && colon == 0; i++) {
		if (url.p[i] == ':')
			colon = i;
	}
	if (colon == 0) {
		gs_buf_str(out, url);
		return;
	}
	gs_buf_add(out, url.p, colon);
	gs_buf_cstr(out, ":xxxxx"); /* as Go writes it */
	gs_buf_add(out, url.p + at, url.n - at);
}

/* As Prometheus makes it of its external URL, which is the host's name if nobody says otherwise. */
static void global_url(const struct gs_manager *manager, struct gs_buf *out, struct gs_str url) {
	static const char *const local[] = {"127.0.0.1:", "localhost:", "[::1]:"};
	size_t begin, end;
	authority(url, &begin, &end);
	struct gs_str host = gs_str_make(url.p + begin, end - begin);
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		struct gs_str prefix = gs_str_of(local[i]);
		if (!gs_str_starts(host, prefix))
			continue;
		gs_buf_add(out, url.p, begin);
		gs_buf_cstr(out, manager->hostname);
		gs_buf_add(out, url.p + begin + prefix.n - 1, url.n - begin - prefix.n + 1);
		return;
	}
	gs_page_url(out, url);
}

static void key_labels(struct gs_json *json, const char *key, const struct gs_label *labels, size_t n) {
	gs_json_key(json, gs_str_of(key));
	gs_json_open(json, '{');
	for (size_t i = 0; i < n; i++) {
		gs_json_key(json, labels[i].name);
		gs_json_str(json, labels[i].value);
	}
	gs_json_close(json, '}');
}

static void key_str(struct gs_json *json, const char *key, struct gs_str value) {
	gs_json_key(json, gs_str_of(key));
	gs_json_str(json, value);
}

static void key_duration(struct gs_json *json, const char *key, int64_t ms) {
	char text[48];
	gs_num_print_duration(text, sizeof(text), ms);
	key_str(json, key, gs_str_of(text));
}

static void write_active(struct gs_manager *manager, struct gs_json *json, struct gs_buf *url, const char *pool,
    const struct target *target) {
	struct shown shown;
	gs_page_state(manager, target, &shown);
	gs_json_open(json, '{');
	key_labels(json, "discoveredLabels", target->discovered, target->ndiscovered);
	key_labels(json, "labels", target->labels, target->nlabels);
	key_str(json, "scrapePool", gs_str_of(pool));
	gs_buf_clear(url);
	gs_page_url(url, gs_str_of(target->url));
	key_str(json, "scrapeUrl", gs_buf_slice(url));
	gs_buf_clear(url);
	global_url(manager, url, gs_str_of(target->url));
	key_str(json, "globalUrl", gs_buf_slice(url));
	key_str(json, "lastError", gs_str_of(shown.error));
	gs_json_key(json, GS_STR("lastScrape"));
	if (shown.state.time_ms != 0)
		gs_json_time(json, shown.state.time_ms);
	else
		gs_json_str(json, NEVER);
	gs_json_key(json, GS_STR("lastScrapeDuration"));
	gs_buf_double(json->out, (double)shown.state.duration_us / 1e6);
	json->comma = true;
	key_str(json, "health", gs_str_of(shown.health));
	key_duration(json, "scrapeInterval", target->interval_ms);
	key_duration(json, "scrapeTimeout", target->timeout_ms);
	gs_json_key(json, GS_STR("samples"));
	gs_json_u64(json, shown.state.samples);
	gs_json_close(json, '}');
	if (url->status != GS_OK)
		json->out->status = url->status;
}

static void write_view(struct gs_manager *manager, struct gs_json *json, struct gs_buf *url, const struct view *view,
    enum target_kind kind) {
	for (size_t i = 0; i < view->n && json->out->status == GS_OK; i++) {
		const struct target *target = view->targets[i];
		if (target->kind != kind)
			continue;
		if (kind == TARGET_SCRAPED) {
			write_active(manager, json, url, view->name, target);
			continue;
		}
		gs_json_open(json, '{');
		key_labels(json, "discoveredLabels", target->discovered, target->ndiscovered);
		gs_json_close(json, '}');
	}
}

static void write_views(struct gs_manager *manager, struct gs_json *json, struct gs_buf *url, const struct board *board,
    const struct gs_manager_filter *filter, enum target_kind kind) {
	for (size_t i = 0; i < board->n; i++) {
		if (filter->job.n == 0 || gs_str_eq(filter->job, gs_str_of(board->views[i]->name)))
			write_view(manager, json, url, board->views[i], kind);
	}
}

void gs_manager_targets_json(struct gs_manager *manager, const struct gs_manager_filter *filter, struct gs_buf *out) {
	struct board *board = gs_page_board(manager);
	struct gs_json json;
	struct gs_buf url;
	gs_buf_init(&url, (size_t)1024 * 1024);
	gs_json_init(&json, out);
	gs_json_open(&json, '{');
	key_str(&json, "status", GS_STR("success"));
	gs_json_key(&json, GS_STR("data"));
	gs_json_open(&json, '{');
	gs_json_key(&json, GS_STR("activeTargets"));
	gs_json_open(&json, '[');
	if (filter->active)
		write_views(manager, &json, &url, board, filter, TARGET_SCRAPED);
	gs_json_close(&json, ']');
	gs_json_key(&json, GS_STR("droppedTargets"));
	gs_json_open(&json, '[');
	if (filter->dropped)
		write_views(manager, &json, &url, board, filter, TARGET_DROPPED);
	gs_json_close(&json, ']');
	gs_json_close(&json, '}');
	gs_json_close(&json, '}');
	gs_buf_free(&url);
	gs_board_unref(board);
}
