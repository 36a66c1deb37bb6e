/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "gravel/expo/write.h"
#include "store_internal.h"

/* Labels of the longest series: those of the sample and those that a batch sets. */
#define RENDER_LABELS_MAX 256

#define AHEAD 8 /* series whose memory is asked for before it is their turn */

/* Which lines a reader asked for. */
struct filter {
	gs_store_wanted_fn *wanted; /* NULL: all */
	void *ctx;
	char name[GS_LIMIT_NAME + 16]; /* that of the family, then the suffix */
	size_t nname;
};

struct view {
	struct gs_expo_writer *writer;
	struct filter *filter; /* NULL: all are wanted */
	struct gs_label *looked; /* all labels, for the filter, with room for one more before and behind */
	size_t nlooked;
	struct gs_str ready[2]; /* the texts of target and series */
	const struct gs_label *labels; /* instead of them, where a name must be escaped */
	size_t nlabels;
	enum gs_expo_type type;
	const struct value *value;
	bool timed; /* write ... */
	int64_t time_ms; /* ... this behind every sample */
};

static bool is_wanted(const struct view *view, struct gs_str suffix, const struct gs_label *bound) {
	struct filter *filter = view->filter;
	if (filter == NULL || filter->wanted == NULL)
		return true;
	struct gs_label *labels = view->looked - 1;
	size_t n = view->nlooked + 1;
	if (suffix.n != 0)
		memcpy(filter->name + filter->nname, suffix.p, suffix.n);
	labels[0] = (struct gs_label){GS_STR("__name__"), gs_str_make(filter->name, filter->nname + suffix.n)};
	if (bound != NULL)
		labels[n++] = *bound;
	return filter->wanted(filter->ctx, labels, n);
}

static void write_one(const struct view *view, struct gs_str suffix, const struct gs_label *bound, double value) {
	struct gs_expo_sample sample = {.suffix = suffix,
	    .ready = {view->ready[0], view->ready[1]},
	    .labels = view->labels,
	    .nlabels = view->nlabels,
	    .bound = bound,
	    .value = value,
	    .has_timestamp = view->timed,
	    .timestamp_ms = view->time_ms};
	if (is_wanted(view, suffix, bound))
		gs_expo_write_sample(view->writer, &sample);
}

static void write_bounds(const struct view *view) {
	bool summary = gs_kind_of_type(view->type) == KIND_SUMMARY;
	struct gs_str suffix = summary ? GS_STR("") : gs_part_suffix(view->type, SUFFIX_BUCKET);
	const struct parts *parts = view->value->parts;
	for (uint32_t i = 0; i < parts->layout->n; i++) {
		struct gs_label bound = {
		    .name = summary ? GS_STR("quantile") : GS_STR("le"), .value = parts->layout->text[i]};
		write_one(view, suffix, &bound, parts->v[i]);
	}
}

static void write_sum(const struct view *view) {
	const struct parts *parts = view->value->parts;
	if (parts->has_sum)
		write_one(view, gs_part_suffix(view->type, SUFFIX_SUM), NULL, parts->sum);
}

static void write_count(const struct view *view) {
	const struct parts *parts = view->value->parts;
	if (parts->has_count)
		write_one(view, gs_part_suffix(view->type, SUFFIX_COUNT), NULL, parts->count);
}

/* Which lines of a series: all of them, or in a family of several types those of one metric name at a time, because a name must stand
 * together. */
enum pass { PASS_ALL, PASS_NAME, PASS_BUCKET, PASS_SUM, PASS_COUNT, PASS_GSUM, PASS_GCOUNT, PASSES };

static void write_pass(const struct view *view, enum pass pass) {
	bool simple = gs_kind_of_type(view->type) == KIND_SIMPLE;
	enum pass bounds = gs_kind_of_type(view->type) == KIND_SUMMARY ? PASS_NAME : PASS_BUCKET;
	if (simple) {
		if (pass == PASS_ALL || pass == PASS_NAME)
			write_one(view, GS_STR(""), NULL, view->value->simple);
		return;
	}
	if (pass == PASS_ALL || pass == bounds)
		write_bounds(view);
	bool gauge = view->type == GS_TYPE_GAUGEHISTOGRAM;
	if (pass == PASS_ALL || pass == (gauge ? PASS_GSUM : PASS_SUM))
		write_sum(view);
	if (pass == PASS_ALL || pass == (gauge ? PASS_GCOUNT : PASS_COUNT))
		write_count(view);
}

static void write_series(struct gs_store *store, struct gs_expo_writer *writer, struct filter *filter,
    const struct series *series, int64_t now_ms, enum pass pass) {
	struct gs_label room[RENDER_LABELS_MAX + 2], *labels = room + 1;
	enum gs_expo_type type = (enum gs_expo_type)series->type;
	const struct extra *extra = gs_extra_of(store, series);
	const struct text *own = gs_text_at(store, series->own);
	struct value value = {.simple = series->value, .parts = extra != NULL ? extra->parts : NULL};
	struct view view = {
	    .writer = writer, .filter = filter, .looked = labels, .labels = labels, .type = type, .value = &value};
	bool escaped = own->odd && writer->dialect.escaping != GS_ESCAPE_NONE;
	if (escaped || filter->wanted != NULL) {
		view.nlooked = gs_text_labels(store, series, labels, RENDER_LABELS_MAX);
		/* Without its labels it would be another series. */
		if (store->scratch.status != GS_OK) {
			writer->out->status = store->scratch.status;
			return;
		}
	}
	if (escaped) {
		view.nlabels = view.nlooked;
	} else {
		view.ready[0] = gs_text_str(gs_text_at(store, series->target));
		view.ready[1] = gs_text_str(own);
	}
	bool pebble = extra != NULL && extra->pebble != NULL;
	enum gs_status status =
	    pebble ? gs_pebble_read(store, extra->pebble, gs_kind_of_type(type), now_ms, &value) : GS_OK;
	if (status == GS_ENOMEM && writer->out->status == GS_OK)
		writer->out->status = status; /* else nobody would know that something is missing */
	if (status != GS_OK)
		return;
	write_pass(&view, pass);
	if (pebble)
		gs_parts_free(store, value.parts);
}

/* Series stand in memory as they came, not as they are served: without this most of a rendering waits for them. */
static void write_range(struct gs_store *store, struct gs_expo_writer *writer, struct filter *filter,
    const struct family *family, uint32_t from, uint32_t to, int64_t now_ms, enum pass pass) {
	for (uint32_t i = from; i < to; i++) {
		if (i + AHEAD < family->n)
			__builtin_prefetch(gs_series_at(store, family->series[i + AHEAD]));
		write_series(store, writer, filter, gs_series_at(store, family->series[i]), now_ms, pass);
	}
}

/* Whether its series are written one after the other under one head. Text has no gaugehistogram: to its readers the parts are metrics of their own. */
static bool is_uniform(const struct family *family) {
	enum gs_expo_type type;
	return gs_family_type(family, &type) && type != GS_TYPE_GAUGEHISTOGRAM;
}

static void write_family(struct gs_store *store, struct family *family, struct filter *filter, int64_t now_ms,
    struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct gs_expo_writer writer;
	bool one = is_uniform(family);
	struct gs_expo_family head = {.name = family->name, .help = family->help, .type = GS_TYPE_UNTYPED};
	if (one)
		gs_family_type(family, &head.type);
	gs_family_sort(store, family);
	size_t start = out->n;
	gs_expo_writer_init(&writer, out, dialect);
	gs_expo_write_family(&writer, &head);
	size_t meta = out->n;
	for (enum pass pass = one ? PASS_ALL : PASS_NAME; pass < PASSES; pass++) {
		write_range(store, &writer, filter, family, 0, family->n, now_ms, pass);
		if (one)
			break;
	}
	if (out->n == meta && out->status == GS_OK)
		out->n = start; /* every pebble is empty: no family without samples */
}

/* Parts */

#define PART_LINES 1024 /* about; no reader stops the writer for longer */

/* How many series a part has: the same for all parts of a version. */
static uint32_t part_size(const struct gs_store *store, const struct family *family) {
	const struct parts *parts = gs_series_parts(store, gs_series_at(store, family->series[0]));
	uint32_t lines = parts != NULL ? parts->layout->n + 2 : 1;
	return lines < PART_LINES ? PART_LINES / lines : 1;
}

/* The first series behind those that were rendered. */
static uint32_t find_next(
    const struct gs_store *store, const struct family *family, const struct gs_family_place *place) {
	struct gs_str target = gs_str_make(place->last.p, place->ntarget);
	struct gs_str own = gs_str_make(place->last.p + place->ntarget, place->last.n - place->ntarget);
	uint32_t low = 0, high = family->n;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct series *series = gs_series_at(store, family->series[middle]);
		int order = gs_str_cmp(gs_text_str(gs_text_at(store, series->target)), target);
		if (order == 0)
			order = gs_str_cmp(gs_text_str(gs_text_at(store, series->own)), own);
		if (order > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void remember_last(const struct gs_store *store, const struct family *family, struct gs_family_place *place) {
	const struct series *series = gs_series_at(store, family->series[place->next - 1]);
	if (place->last.max == 0)
		gs_buf_init(&place->last, SIZE_MAX / 2);
	gs_buf_clear(&place->last);
	gs_buf_str(&place->last, gs_text_str(gs_text_at(store, series->target)));
	place->ntarget = place->last.n;
	gs_buf_str(&place->last, gs_text_str(gs_text_at(store, series->own)));
}

void gs_family_place_close(struct gs_family_place *place) {
	gs_buf_free(&place->last);
}

/* [place->next, end) of a family of one type. */
static void write_part(struct gs_store *store, const struct family *family, struct gs_family_place *place, uint32_t end,
    int64_t now_ms, struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct gs_expo_writer writer;
	struct filter all = {.wanted = NULL};
	struct gs_expo_family head = {.name = family->name, .help = family->help};
	gs_family_type(family, &head.type);
	size_t start = out->n;
	gs_expo_writer_init(&writer, out, dialect);
	gs_expo_write_family(&writer, &head);
	if (place->headed && out->status == GS_OK)
		out->n = start;
	size_t meta = out->n;
	write_range(store, &writer, &all, family, place->next, end, now_ms, PASS_ALL);
	if (out->n != meta)
		place->headed = true;
	else if (out->status == GS_OK)
		out->n = start; /* every pebble is empty so far */
}

bool gs_store_render_part(struct gs_store *store, struct gs_str name, struct gs_family_place *place, int64_t now_ms,
    struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct family *family = gs_family_find(store, name);
	struct filter all = {.wanted = NULL};
	if (family == NULL)
		return false;
	gs_family_sort(store, family);
	if (place->version != 0 && place->version != family->version) {
		place->moved = true;
		place->next = find_next(store, family, place);
		if (place->last.status != GS_OK && out != NULL)
			out->status = place->last.status; /* where was it? */
	}
	place->version = family->version;
	place->part++;
	if (place->next == 0 && !is_uniform(family)) {
		if (out != NULL)
			write_family(store, family, &all, now_ms, dialect, out);
		return false;
	}
	uint32_t size = part_size(store, family);
	uint32_t end = size < family->n - place->next ? place->next + size : family->n;
	if (out != NULL)
		write_part(store, family, place, end, now_ms, dialect, out);
	else
		place->headed = true; /* only what is not timed is passed */
	place->next = end;
	if (end == family->n)
		return false;
	remember_last(store, family, place);
	return true;
}

void gs_render_timed(
    struct gs_store *store, struct gs_buf *out, const struct series *series, bool head, int64_t time_ms) {
	struct gs_expo_writer writer;
	const struct family *family = gs_family_of(store, series);
	enum gs_expo_type type = (enum gs_expo_type)series->type;
	struct gs_expo_family from = {.name = family->name, .help = family->help, .type = type};
	struct value value = {.simple = series->value, .parts = gs_series_parts(store, series)};
	struct view view = {
	    .writer = &writer,
	    .ready = {gs_text_str(gs_text_at(store, series->target)), gs_text_str(gs_text_at(store, series->own))},
	    .type = type,
	    .value = &value,
	    .timed = true,
	    .time_ms = time_ms,
	};
	size_t start = out->n;
	gs_expo_writer_init(
	    &writer, out, (struct gs_expo_dialect){.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE});
	gs_expo_write_family(&writer, &from);
	if (!head && out->status == GS_OK)
		out->n = start;
	write_pass(&view, PASS_ALL);
}

/* The first family whose name is greater, or NULL. */
static struct family *family_after(struct gs_store *store, struct gs_str after) {
	gs_store_sort(store);
	size_t low = 0, high = store->norder;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (gs_str_cmp(store->order[middle]->name, after) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low != store->norder ? store->order[low] : NULL;
}

bool gs_store_render_next(
    struct gs_store *store, struct gs_str *after, int64_t now_ms, struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct family *family = family_after(store, *after);
	if (family == NULL)
		return false;
	struct filter all = {.wanted = NULL};
	write_family(store, family, &all, now_ms, dialect, out);
	*after = family->name;
	return true;
}

static bool view_family(const struct family *family, struct gs_family_view *ret) {
	if (family == NULL)
		return false;
	*ret = (struct gs_family_view){
	    .name = family->name,
	    .version = family->version,
	    .series = gs_family_count(family),
	    .timed = family->npebbles != 0,
	};
	return true;
}

bool gs_store_family_next(struct gs_store *store, struct gs_str after, struct gs_family_view *ret) {
	return view_family(family_after(store, after), ret);
}

bool gs_store_family(const struct gs_store *store, struct gs_str name, struct gs_family_view *ret) {
	return view_family(gs_family_find(store, name), ret);
}

bool gs_store_render_family(
    struct gs_store *store, struct gs_str name, int64_t now_ms, struct gs_expo_dialect dialect, struct gs_buf *out) {
	return gs_store_render_family_if(store, name, now_ms, dialect, NULL, NULL, out);
}

bool gs_store_render_family_if(struct gs_store *store, struct gs_str name, int64_t now_ms,
    struct gs_expo_dialect dialect, gs_store_wanted_fn *wanted, void *ctx, struct gs_buf *out) {
	struct family *family = gs_family_find(store, name);
	struct filter filter = {.wanted = wanted, .ctx = ctx, .nname = name.n};
	if (family == NULL)
		return false;
	assert(name.n <= GS_LIMIT_NAME);
	memcpy(filter.name, name.p, name.n);
	write_family(store, family, &filter, now_ms, dialect, out);
	return true;
}
