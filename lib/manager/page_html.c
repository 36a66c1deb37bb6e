/* SPDX-License-Identifier: Apache-2.0 */
/* The page of targets for a person: one file, no script. Every text in it is escaped, whatever it is. */
#include "gravel/base/clock.h"
#include "gravel/base/num.h"
#include "manager_internal.h"

#define REPLACEMENT "\xef\xbf\xbd"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Targets</title><style>"
    ":root{color-scheme:light dark}"
    "body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem;background:Canvas;color:CanvasText}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .6rem;border-bottom:1px solid #8884}"
    "td.n{text-align:right;white-space:nowrap}code{font-size:.9em;overflow-wrap:anywhere}"
    ".up,.down,.unknown{font-weight:600}.up{color:#2a8f3c}.down{color:#d33b2f}.unknown{color:#8a8a8a}"
    ".l{display:inline-block;margin:0 .3rem .15rem 0;padding:0 .3rem;border:1px solid #8886;border-radius:.3rem}"
    "h2 a{color:inherit;text-decoration:none}nav a{margin-right:1rem}"
    "</style></head><body><h1>Targets</h1>";

/* Bytes of the UTF-8 character that ${s} begins with; 0 if it is none. */
static size_t character(struct gs_str s) {
	for (size_t n = 1; n <= 4 && n <= s.n; n++) {
		if (gs_str_is_utf8(gs_str_make(s.p, n)))
			return n;
	}
	return 0;
}

static const char *entity(char c) {
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void put_text(struct gs_buf *out, struct gs_str s) {
	for (size_t i = 0; i < s.n;) {
		size_t n = character(gs_str_make(s.p + i, s.n - i));
		const char *named = entity(s.p[i]);
		unsigned char c = (unsigned char)s.p[i];
		if (named != NULL)
			gs_buf_cstr(out, named);
		else if (n == 0 || (n == 1 && (c == 0x7f || (c < 0x20 && c != '\n' && c != '\t'))))
			gs_buf_cstr(out, REPLACEMENT);
		else
			gs_buf_add(out, s.p + i, n);
		i += n != 0 ? n : 1;
	}
}

/* In a query. */
static void put_escaped(struct gs_buf *out, struct gs_str s) {
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
		    c == '_') {
			gs_buf_char(out, (char)c);
			continue;
		}
		gs_buf_char(out, '%');
		gs_buf_char(out, digits[c >> 4]);
		gs_buf_char(out, digits[c & 15]);
	}
}

static void put_labels(struct gs_buf *out, const struct gs_label *labels, size_t n) {
	for (size_t i = 0; i < n; i++) {
		gs_buf_cstr(out, "<code class=\"l\">");
		put_text(out, labels[i].name);
		gs_buf_cstr(out, "=&quot;");
		put_text(out, labels[i].value);
		gs_buf_cstr(out, "&quot;</code>");
	}
}

static void put_seconds(struct gs_buf *out, int64_t ms) {
	char text[GS_NUM_DOUBLE_MAX];
	gs_buf_add(out, text, gs_num_print_ms_as_seconds(text, ms));
	gs_buf_cstr(out, " s");
}

static void put_discovered(struct gs_buf *out, const struct target *target) {
	gs_buf_cstr(out, "<details><summary>before relabelling</summary>");
	put_labels(out, target->discovered, target->ndiscovered);
	gs_buf_cstr(out, "</details>");
}

static void put_url(struct gs_buf *out, struct gs_buf *scratch, const char *url) {
	gs_buf_clear(scratch);
	gs_page_url(scratch, gs_str_of(url));
	gs_buf_cstr(out, "<a rel=\"noreferrer\" href=\"");
	put_text(out, gs_buf_slice(scratch));
	gs_buf_cstr(out, "\"><code>");
	put_text(out, gs_buf_slice(scratch));
	gs_buf_cstr(out, "</code></a>");
}

static void put_row(
    struct gs_buf *out, struct gs_buf *scratch, const struct target *target, const struct shown *shown) {
	gs_buf_printf(out, "<tr class=\"target\"><td class=\"%s\">%s</td><td>", shown->health, shown->health);
	put_url(out, scratch, target->url);
	gs_buf_cstr(out, "</td><td>");
	put_labels(out, target->labels, target->nlabels);
	put_discovered(out, target);
	gs_buf_cstr(out, "</td><td class=\"n\">");
	if (shown->state.time_ms != 0) {
		int64_t ago = gs_clock_wall_ms() - shown->state.time_ms;
		put_seconds(out, ago > 0 ? ago : 0);
		gs_buf_cstr(out, " ago</td><td class=\"n\">");
		gs_buf_double(out, (double)shown->state.duration_us / 1000);
		gs_buf_cstr(out, " ms</td><td class=\"n\">");
		gs_buf_u64(out, shown->state.samples);
	} else {
		gs_buf_cstr(out, "never</td><td></td><td>");
	}
	gs_buf_cstr(out, "</td><td>");
	put_text(out, gs_str_of(shown->error));
	gs_buf_cstr(out, "</td></tr>\n");
}

struct counts {
	size_t up;
	size_t total;
	size_t dropped;
	size_t refused;
};

static struct counts count(struct gs_manager *manager, const struct view *view) {
	struct counts counts = {0};
	struct shown shown;
	for (size_t i = 0; i < view->n; i++) {
		counts.dropped += view->targets[i]->kind == TARGET_DROPPED;
		counts.refused += view->targets[i]->kind == TARGET_REFUSED;
		if (view->targets[i]->kind != TARGET_SCRAPED)
			continue;
		gs_page_state(manager, view->targets[i], &shown);
		counts.total++;
		counts.up += strcmp(shown.health, "up") == 0;
	}
	return counts;
}

static void put_more(struct gs_buf *out, const struct view *view, size_t left) {
	gs_buf_printf(out, "<p>%zu more: <a href=\"?job=", left);
	put_escaped(out, gs_str_of(view->name));
	gs_buf_cstr(out, "&amp;limit=1000000\">all of them</a></p>");
}

static void put_targets(struct gs_manager *manager, const struct gs_manager_filter *filter, struct gs_buf *out,
    struct gs_buf *scratch, const struct view *view) {
	size_t limit = filter->limit != 0 ? filter->limit : GS_MANAGER_PAGE_TARGETS, left = 0, n = 0;
	struct shown shown;
	gs_buf_cstr(out, "<table><tr><th>state</th><th>URL</th><th>labels</th><th>last scrape</th><th>took</th>"
			 "<th>samples</th><th>error</th></tr>\n");
	for (size_t i = 0; i < view->n && out->status == GS_OK; i++) {
		const struct target *target = view->targets[i];
		if (target->kind != TARGET_SCRAPED)
			continue;
		gs_page_state(manager, target, &shown);
		if (filter->health.n != 0 && !gs_str_eq(filter->health, gs_str_of(shown.health)))
			continue;
		if (n++ < limit)
			put_row(out, scratch, target, &shown);
		else
			left++;
	}
	gs_buf_cstr(out, "</table>\n");
	if (left != 0)
		put_more(out, view, left);
}

/* What is not scraped: dropped by relabelling, or no target at all. */
static void put_others(const struct gs_manager_filter *filter, struct gs_buf *out, const struct view *view,
    enum target_kind kind, size_t n) {
	size_t limit = filter->limit != 0 ? filter->limit : GS_MANAGER_PAGE_TARGETS;
	if (n == 0)
		return;
	gs_buf_printf(out, "<details><summary>%zu %s</summary><ul>", n,
	    kind == TARGET_DROPPED ? "dropped by relabelling" : "that cannot be scraped");
	for (size_t i = 0; i < view->n && limit != 0 && out->status == GS_OK; i++) {
		const struct target *target = view->targets[i];
		if (target->kind != kind)
			continue;
		limit--;
		gs_buf_cstr(out, "<li>");
		put_labels(out, target->discovered, target->ndiscovered);
		if (kind == TARGET_REFUSED)
			put_text(out, gs_str_of(atomic_load(&target->error)));
		gs_buf_cstr(out, "</li>\n");
	}
	gs_buf_cstr(out, "</ul></details>\n");
}

static void put_job(struct gs_manager *manager, const struct gs_manager_filter *filter, struct gs_buf *out,
    struct gs_buf *scratch, const struct view *view) {
	struct counts counts = count(manager, view);
	gs_buf_cstr(out, "<h2><a href=\"?job=");
	put_escaped(out, gs_str_of(view->name));
	gs_buf_cstr(out, "\">");
	put_text(out, gs_str_of(view->name));
	gs_buf_printf(out, "</a> <span class=\"%s\">%zu/%zu up</span></h2>\n",
	    counts.up == counts.total ? "up" : "down", counts.up, counts.total);
	if (counts.total != 0)
		put_targets(manager, filter, out, scratch, view);
	put_others(filter, out, view, TARGET_REFUSED, counts.refused);
	put_others(filter, out, view, TARGET_DROPPED, counts.dropped);
}

void gs_manager_targets_html(struct gs_manager *manager, const struct gs_manager_filter *filter, struct gs_buf *out) {
	struct board *board = gs_page_board(manager);
	struct gs_buf scratch;
	gs_buf_init(&scratch, (size_t)1024 * 1024);
	gs_buf_cstr(out, head);
	gs_buf_cstr(out,
	    "<nav><a href=\"?\">all</a><a href=\"?health=down\">down</a><a href=\"?health=unknown\">unknown</a>"
	    "<a href=\"?health=up\">up</a><a href=\"/api/v1/targets\">JSON</a></nav>\n");
	for (size_t i = 0; i < board->n && out->status == GS_OK; i++) {
		if (filter->job.n == 0 || gs_str_eq(filter->job, gs_str_of(board->views[i]->name)))
			put_job(manager, filter, out, &scratch, board->views[i]);
	}
	gs_buf_cstr(out, "</body></html>\n");
	if (out->status == GS_OK && scratch.status != GS_OK)
		out->status = scratch.status;
	gs_buf_free(&scratch);
	gs_board_unref(board);
}
