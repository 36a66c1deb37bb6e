/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "compare.h"
#include "gravel/base/mem.h"

struct gs_repeat *gs_repeat_new(void) {
	struct gs_repeat *repeat = gs_alloc(sizeof(*repeat));
	if (repeat == NULL)
		return NULL;
	repeat->parser = gs_expo_parser_new();
	if (repeat->parser == NULL) {
		gs_free(repeat);
		return NULL;
	}
	repeat->common = gs_expo_common_best();
	repeat->mode = GS_COMPARE_END;
	return repeat;
}

void gs_repeat_free(struct gs_repeat *repeat) {
	if (repeat == NULL)
		return;
	gs_expo_parser_free(repeat->parser);
	gs_resync_free(&repeat->resync);
	gs_free(repeat->out.lines);
	gs_free(repeat);
}

enum gs_status gs_compare_fail(struct gs_repeat *r, enum gs_status status, const char *text) {
	r->status = status;
	return gs_error_set(&r->error, status, 0, 0, "%s", text);
}

enum gs_status gs_compare_no_memory(struct gs_repeat *r) {
	return gs_compare_fail(r, GS_ENOMEM, "out of memory while comparing two scrapes");
}

static struct gs_str not_null(struct gs_str s) {
	return s.n != 0 ? s : GS_STR("");
}

void gs_repeat_begin(struct gs_repeat *r, struct gs_layout *layout, struct gs_str previous, struct gs_str next,
    const struct gs_expo_options *options) {
	assert(previous.n == layout->bytes);
	r->layout = layout;
	r->options = options != NULL ? *options : (struct gs_expo_options){.format = GS_FORMAT_TEXT};
	r->openmetrics = r->options.format == GS_FORMAT_OPENMETRICS;
	r->max_samples = r->options.max_samples != 0 ? r->options.max_samples : SIZE_MAX;
	r->place = (struct gs_resync_place){.previous = not_null(previous),
	    .next = not_null(next),
	    .lines = &layout->of,
	    .openmetrics = r->openmetrics};
	r->out.n = 0;
	r->marks =
	    (struct gs_compare_marks){.meta = GS_COMPARE_NONE, .type = GS_COMPARE_NONE, .sample_type = GS_COMPARE_NONE};
	r->index = r->new_index = r->quiet = r->added = r->valid = 0;
	r->line = 0;
	r->pending = false;
	r->status = GS_OK;
	bool same_format = layout->format == r->options.format && layout->utf8_names == r->options.utf8_names;
	r->gone = same_format ? 0 : layout->of.n;
	r->may_be_fast = same_format;
	r->mode = GS_COMPARE_FAST;
	if (r->options.format == GS_FORMAT_PROTOBUF)
		gs_compare_fail(r, GS_EUNSUPPORTED, "scrapes in protobuf are not compared");
	else if (next.n >= UINT32_MAX)
		gs_compare_fail(r, GS_ELIMIT, "the body is too large to be compared");
	else if (gs_lines_reserve(&r->out, layout->of.n) != GS_OK)
		gs_compare_no_memory(r);
}

void gs_compare_note_meta(struct gs_repeat *r, enum gs_line_kind kind) {
	struct gs_compare_marks *m = &r->marks;
	m->meta = r->out.n;
	if (kind != GS_LINE_TYPE)
		return;
	if (m->type_samples != r->new_index)
		m->sample_type = m->type;
	m->type = r->out.n;
	m->type_samples = r->new_index;
}

void gs_compare_begin_parser(struct gs_repeat *r) {
	struct gs_expo_options options = r->options;
	options.max_samples = 0;
	gs_expo_begin(r->parser, &options);
}

void gs_compare_place_parser(struct gs_repeat *r) {
	r->parser->line = r->line;
	r->parser->samples = r->new_index;
	r->parser->options.max_samples = r->options.max_samples;
}

struct gs_str gs_compare_old_value(const struct gs_repeat *r, const struct gs_line *line) {
	const char *body = r->place.previous.p;
	return gs_line_content(body + line->start + line->at, body + line[1].start);
}

void gs_compare_set_value(struct gs_repeat *r, struct gs_change *change) {
	const struct gs_expo_event *event = &r->event;
	*change = (struct gs_change){.kind = GS_CHANGE_VALUE,
	    .index = r->index,
	    .new_index = r->new_index,
	    .value = event->value,
	    .has_timestamp = event->has_timestamp,
	    .timestamp_ms = event->timestamp_ms,
	    .exemplar = event->exemplar};
}

enum gs_status gs_compare_finish(struct gs_repeat *r) {
	struct gs_layout *layout = r->layout;
	if (gs_lines_reserve(&r->out, r->out.n) != GS_OK)
		return gs_compare_no_memory(r);
	r->out.lines[r->out.n] = (struct gs_line){.start = (uint32_t)r->place.next.n};
	if (gs_lines_copy(&layout->of, &r->out) != GS_OK)
		return gs_compare_no_memory(r);
	layout->samples = r->new_index;
	layout->bytes = r->place.next.n;
	layout->format = r->options.format;
	layout->utf8_names = r->options.utf8_names;
	r->mode = GS_COMPARE_END;
	return GS_OK;
}

enum gs_status gs_repeat_next(struct gs_repeat *r, struct gs_change *change, struct gs_error *err) {
	bool changed = false;
	enum gs_status status = r->status;
	while (status == GS_OK && !changed && r->mode != GS_COMPARE_END)
		status = r->mode == GS_COMPARE_FAST ? gs_compare_fast(r, change, &changed)
						    : gs_compare_slow(r, change, &changed);
	if (status == GS_OK && !changed)
		*change = (struct gs_change){.kind = GS_CHANGE_END};
	if (status != GS_OK && err != NULL)
		*err = r->error;
	return status;
}
