/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>

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

/* Where to, and how. */
struct output {
	struct gs_expo_writer *text; /* one of both */
	struct binary *binary;
	struct filter *filter; /* NULL: all are wanted */
	struct form form;
	int64_t now_ms; /* of pebbles */
	bool timed; /* write ... */
	int64_t time_ms; /* ... this behind every sample */
};

struct view {
	const struct output *output;
	struct gs_label *looked; /* all labels, for filter and messages, with room for one more before and behind */
	size_t nlooked;
	struct gs_str ready[2]; /* the texts of target and series */
	const struct gs_label *labels; /* instead of them, where a name must be escaped */
	size_t nlabels;
	enum gs_expo_type type;
	const struct value *value;
	const struct exemplars *exemplars; /* NULL: none, or not to be written */
};

static bool is_filtered(const struct output *output) {
	return output->filter != NULL && output->filter->wanted != NULL;
}

static bool is_wanted(const struct view *view, struct gs_str suffix, const struct gs_label *bound) {
	struct filter *filter = view->output->filter;
	if (!is_filtered(view->output))
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

static void write_number(const struct view *view, const struct gs_label *bound, double value) {
	if (bound != NULL)
		view->looked[view->nlooked] = *bound;
	gs_binary_number(view->output->binary, view->looked, view->nlooked + (bound != NULL), value);
}

static void write_sample(const struct view *view, struct gs_expo_sample *sample, double at) {
	struct exemplar_room room;
	struct gs_exemplar exemplar;
	const struct exemplar *found = gs_exemplars_find(view->exemplars, at);
	if (found != NULL) {
		exemplar = gs_exemplar_read(view->exemplars, found, &room);
		sample->exemplar = &exemplar;
	}
	gs_expo_write_sample(view->output->text, sample);
}

/* ${at}: the bound of a bucket, +Inf of a number: which exemplar it has; NaN: none. */
static void write_one(
    const struct view *view, struct gs_str suffix, const struct gs_label *bound, double at, double value) {
	const struct gs_expo_writer *text = view->output->text;
	if (!is_wanted(view, suffix, bound))
		return;
	if (text == NULL) {
		write_number(view, bound, value);
		return;
	}
	struct gs_expo_sample sample = {.suffix = suffix,
	    .ready = {view->ready[0], view->ready[1]},
	    .labels = view->labels,
	    .nlabels = view->nlabels,
	    .bound = bound,
	    .bound_stands = bound != NULL && text->strict && gs_form_bound_stands(bound->value),
	    .value = value,
	    .has_timestamp = view->output->timed,
	    .timestamp_ms = view->output->time_ms};
	if (view->exemplars != NULL)
		write_sample(view, &sample, at);
	else
		gs_expo_write_sample(view->output->text, &sample);
}

static void write_bounds(const struct view *view) {
	bool summary = gs_kind_of_type(view->type) == KIND_SUMMARY;
	struct gs_str suffix = summary ? GS_STR("") : gs_part_suffix(view->type, SUFFIX_BUCKET);
	const struct parts *parts = view->value->parts;
	for (uint32_t i = 0; i < parts->layout->n; i++) {
		struct gs_label bound = {
		    .name = summary ? GS_STR("quantile") : GS_STR("le"), .value = parts->layout->text[i]};
		write_one(view, suffix, &bound, parts->layout->at[i], parts->v[i]);
	}
}

static void write_sum(const struct view *view) {
	const struct parts *parts = view->value->parts;
	if (parts->has_sum)
		write_one(view, gs_part_suffix(view->type, SUFFIX_SUM), NULL, (double)NAN, parts->sum);
}

static void write_count(const struct view *view) {
	const struct parts *parts = view->value->parts;
	if (parts->has_count)
		write_one(view, gs_part_suffix(view->type, SUFFIX_COUNT), NULL, (double)NAN, parts->count);
}

/* Which lines of a series: all of them, or in a family of several types those of one metric name at a time, because a name must stand
 * together. */
enum pass { PASS_ALL, PASS_NAME, PASS_BUCKET, PASS_SUM, PASS_COUNT, PASS_GSUM, PASS_GCOUNT, PASSES };

static void write_pass(const struct view *view, enum pass pass) {
	bool simple = gs_kind_of_type(view->type) == KIND_SIMPLE;
	enum pass bounds = gs_kind_of_type(view->type) == KIND_SUMMARY ? PASS_NAME : PASS_BUCKET;
	if (simple) {
		if (pass == PASS_ALL || pass == PASS_NAME)
			write_one(view, GS_STR(""), NULL, (double)INFINITY, view->value->simple);
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

static void write_created(struct gs_store *store, const struct view *view, const struct series *series) {
	const struct family *created = view->output->form.created;
	const struct series *twin = created != NULL ? gs_series_twin(store, series, created) : NULL;
	if (twin != NULL)
		write_one(view, GS_STR("_created"), NULL, (double)NAN, twin->value);
}

static void write_view(struct gs_store *store, const struct view *view, const struct series *series, enum pass pass) {
	if (view->output->text != NULL || pass != PASS_ALL)
		write_pass(view, pass);
	else if (is_wanted(view, GS_STR(""), NULL))
		gs_binary_series(
		    view->output->binary, view->looked, view->nlooked, gs_extra_of(store, series), view->value);
	if (view->output->text != NULL && pass == PASS_ALL)
		write_created(store, view, series);
}

static struct gs_buf *out_of(const struct output *output) {
	return output->text != NULL ? output->text->out : output->binary->writer.out;
}

/* How its labels are written. False: no memory; without them it would be another series. */
static bool take_labels(struct gs_store *store, struct view *view, const struct series *series) {
	const struct output *output = view->output;
	const struct text *own = gs_text_at(store, series->own);
	bool escaped = own->odd && output->text != NULL && output->text->dialect.escaping != GS_ESCAPE_NONE;
	if (escaped || output->text == NULL || is_filtered(output)) {
		view->nlooked = gs_text_labels(store, series, view->looked, RENDER_LABELS_MAX);
		if (store->scratch.status != GS_OK) {
			out_of(output)->status = store->scratch.status;
			return false;
		}
	}
	if (escaped) {
		view->labels = view->looked;
		view->nlabels = view->nlooked;
	} else {
		view->ready[0] = gs_text_str(gs_text_at(store, series->target));
		view->ready[1] = gs_text_str(own);
	}
	return true;
}

static void write_series(
    struct gs_store *store, const struct output *output, const struct series *series, enum pass pass) {
	struct gs_label room[RENDER_LABELS_MAX + 2];
	enum gs_expo_type type = (enum gs_expo_type)series->type;
	const struct extra *extra = gs_extra_of(store, series);
	struct value value = {.simple = series->value, .parts = extra != NULL ? extra->parts : NULL};
	struct view view = {.output = output, .looked = room + 1, .type = type, .value = &value};
	if (!take_labels(store, &view, series))
		return;
	if (extra != NULL && output->text != NULL && output->text->strict)
		view.exemplars = extra->exemplars;
	bool pebble = extra != NULL && extra->pebble != NULL;
	enum gs_status status =
	    pebble ? gs_pebble_read(store, extra->pebble, gs_kind_of_type(type), output->now_ms, &value) : GS_OK;
	if (status == GS_ENOMEM && out_of(output)->status == GS_OK)
		out_of(output)->status = status; /* else nobody would know that something is missing */
	if (status != GS_OK)
		return;
	write_view(store, &view, series, pass);
	if (pebble)
		gs_parts_free(store, value.parts);
}

/* Series stand in memory as they came, not as they are served: without this most of a rendering waits for them. */
static void write_range(struct gs_store *store, const struct output *output, const struct family *family, uint32_t from,
    uint32_t to, enum pass pass) {
	for (uint32_t i = from; i < to; i++) {
		if (i + AHEAD < family->n)
			__builtin_prefetch(gs_series_at(store, family->series[i + AHEAD]));
		write_series(store, output, gs_series_at(store, family->series[i]), pass);
	}
}

static enum form_rules rules_of(struct gs_expo_dialect dialect) {
	if (dialect.format == GS_FORMAT_PROTOBUF)
		return FORM_BINARY;
	return dialect.format == GS_FORMAT_OPENMETRICS ? FORM_STRICT : FORM_TEXT;
}

/* What stands behind the name in a pass of that name. */
static struct gs_str pass_suffix(enum pass pass) {
	static const struct gs_str suffixes[PASSES] = {
	    [PASS_BUCKET] = GS_STR_INIT("_bucket"),
	    [PASS_SUM] = GS_STR_INIT("_sum"),
	    [PASS_COUNT] = GS_STR_INIT("_count"),
	    [PASS_GSUM] = GS_STR_INIT("_gsum"),
	    [PASS_GCOUNT] = GS_STR_INIT("_gcount"),
	};
	return suffixes[pass];
}

/* Series [from, to) as messages; of a family whose parts do not stand together all of it, each name a family of its own. */
static void write_messages(struct gs_store *store, struct output *output, const struct family *family, uint32_t from,
    uint32_t to, struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct binary binary;
	output->binary = &binary;
	for (enum pass pass = output->form.together ? PASS_ALL : PASS_NAME; pass < PASSES; pass++) {
		gs_binary_begin(&binary, family, pass_suffix(pass), output->form.type, dialect.escaping, out);
		write_range(store, output, family, from, to, pass);
		gs_binary_end(&binary);
		if (pass == PASS_ALL)
			break;
	}
}

/* The same as lines, with the head unless *headed, which then says whether it stands there: not where every pebble is empty. */
static void write_lines(struct gs_store *store, struct output *output, const struct family *family, uint32_t from,
    uint32_t to, bool *headed, struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct gs_expo_writer writer;
	struct gs_expo_family head = {
	    .name = family->name, .help = family->help, .unit = family->unit, .type = output->form.type};
	size_t start = out->n;
	output->text = &writer;
	gs_expo_writer_init(&writer, out, dialect);
	gs_expo_write_family(&writer, &head);
	if (*headed && out->status == GS_OK)
		out->n = start;
	size_t meta = out->n;
	for (enum pass pass = output->form.together ? PASS_ALL : PASS_NAME; pass < PASSES; pass++) {
		write_range(store, output, family, from, to, pass);
		if (pass == PASS_ALL)
			break;
	}
	if (out->n != meta)
		*headed = true;
	else if (out->status == GS_OK)
		out->n = start;
}

static void write_series_of(struct gs_store *store, struct output *output, const struct family *family, uint32_t from,
    uint32_t to, bool *headed, struct gs_expo_dialect dialect, struct gs_buf *out) {
	if (output->form.hidden)
		return;
	if (dialect.format == GS_FORMAT_PROTOBUF)
		write_messages(store, output, family, from, to, dialect, out);
	else
		write_lines(store, output, family, from, to, headed, dialect, out);
}

static void write_family(struct gs_store *store, struct family *family, enum form_scope scope, struct filter *filter,
    int64_t now_ms, struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct output output = {
	    .filter = filter, .form = gs_form_of(store, family, rules_of(dialect), scope), .now_ms = now_ms};
	bool headed = false;
	gs_family_sort(store, family);
	write_series_of(store, &output, family, 0, family->n, &headed, dialect, out);
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

/* How the family is written: as its first part was, whatever changed since. */
static struct form form_of_part(
    struct gs_store *store, struct family *family, struct gs_family_place *place, struct gs_expo_dialect dialect) {
	if (place->part == 0) {
		struct form form = gs_form_of(store, family, rules_of(dialect), FORM_ALL);
		place->type = form.type;
		place->created = form.created != NULL;
		return form;
	}
	return (struct form){
	    .type = place->type, .together = true, .created = place->created ? gs_form_created(store, family) : NULL};
}

bool gs_store_render_part(struct gs_store *store, struct gs_str name, struct gs_family_place *place, int64_t now_ms,
    struct gs_expo_dialect dialect, struct gs_buf *out) {
	struct family *family = gs_family_find(store, name);
	if (family == NULL)
		return false;
	uint64_t version = gs_form_version(store, family);
	gs_family_sort(store, family);
	if (place->version != 0 && place->version != version) {
		place->moved = true;
		place->next = find_next(store, family, place);
		if (place->last.status != GS_OK && out != NULL)
			out->status = place->last.status; /* where was it? */
	}
	struct output output = {.form = form_of_part(store, family, place, dialect), .now_ms = now_ms};
	place->version = version;
	place->part++;
	uint32_t size = part_size(store, family), end = family->n;
	if (output.form.together && !output.form.hidden && size < family->n - place->next)
		end = place->next + size;
	if (out != NULL)
		write_series_of(store, &output, family, place->next, end, &place->headed, dialect, out);
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
	struct output output = {.text = &writer, .timed = true, .time_ms = time_ms};
	struct gs_expo_family from = {
	    .name = family->name, .help = family->help, .type = (enum gs_expo_type)series->type};
	size_t start = out->n;
	gs_expo_writer_init(
	    &writer, out, (struct gs_expo_dialect){.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE});
	gs_expo_write_family(&writer, &from);
	if (!head && out->status == GS_OK)
		out->n = start;
	write_series(store, &output, series, PASS_ALL);
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
	write_family(store, family, FORM_ALL, NULL, now_ms, dialect, out);
	*after = family->name;
	return true;
}

static bool view_family(struct gs_store *store, struct family *family, struct gs_family_view *ret) {
	if (family == NULL)
		return false;
	*ret = (struct gs_family_view){
	    .name = family->name,
	    .version = gs_form_version(store, family),
	    .series = gs_family_count(family),
	    .timed = family->npebbles != 0,
	};
	return true;
}

bool gs_store_family_next(struct gs_store *store, struct gs_str after, struct gs_family_view *ret) {
	return view_family(store, family_after(store, after), ret);
}

bool gs_store_family(struct gs_store *store, struct gs_str name, struct gs_family_view *ret) {
	return view_family(store, gs_family_find(store, name), ret);
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
	write_family(store, family, wanted != NULL ? FORM_LINES : FORM_FAMILY, &filter, now_ms, dialect, out);
	return true;
}
