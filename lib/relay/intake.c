/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include "gravel/base/mem.h"
#include "gravel/expo/format.h"

/* Fixed: level 1, for level 3 takes twice the time and saves 3 % (docs/LESSONS.md). */
#define ZSTD_LEVEL 1
/* Fixed: memory that is kept from one exposition to the next. */
#define KEEP_MAX (1024 * 1024)

struct gs_intake {
	struct gs_intake_options options;
	struct gs_expo_parser *parser;
	struct gs_expo_options format;
	struct gs_buf windows
	    [2]; /* what the parser has not used yet, and the next piece; by turns, for the transform needs the one before */
	struct gs_buf *window;
	struct gs_buf text; /* to be sent, and in no part yet */
	struct gs_transform *transform; /* of this scrape; NULL: none */
	struct gs_transform *shared; /* ours alone; NULL: transform is the job's */
	bool transforming; /* between its begin and end */
	bool waits; /* for all of the body */
	struct gs_transform_result transformed;
	struct gs_series_run run;
	struct gs_buf *data; /* of the parts, [0, cap) */
	struct gs_outgoing_part *parts;
	size_t nparts;
	size_t cap;
	size_t sent; /* bytes in parts, before compression */
	uint64_t samples;
	size_t used; /* of the window */
	bool begun; /* something came already */
	bool ended;
	enum gs_status status; /* sticky */
	struct gs_error error;
};

struct gs_intake *gs_intake_new(void) {
	struct gs_intake *intake = gs_alloc(sizeof(*intake));
	if (intake == NULL)
		return NULL;
	gs_buf_init(&intake->windows[0], GS_LIMIT_WIRE_BODY);
	gs_buf_init(&intake->windows[1], GS_LIMIT_WIRE_BODY);
	intake->window = &intake->windows[0];
	gs_buf_init(&intake->text, GS_LIMIT_WIRE_BODY);
	intake->parser = gs_expo_parser_new();
	if (intake->parser != NULL)
		return intake;
	gs_intake_free(intake);
	return NULL;
}

static void free_parts(struct gs_intake *intake) {
	for (size_t i = 0; i < intake->cap; i++)
		gs_buf_free(&intake->data[i]);
	gs_free(intake->data);
	gs_free(intake->parts);
	intake->data = NULL;
	intake->parts = NULL;
	intake->nparts = intake->cap = 0;
}

void gs_intake_free(struct gs_intake *intake) {
	if (intake == NULL)
		return;
	gs_intake_drop(intake);
	free_parts(intake);
	gs_buf_free(&intake->windows[0]);
	gs_buf_free(&intake->windows[1]);
	gs_buf_free(&intake->text);
	gs_expo_parser_free(intake->parser);
	gs_free(intake);
}

static void shrink(struct gs_buf *buf) {
	gs_buf_clear(buf);
	if (buf->cap > KEEP_MAX)
		gs_buf_free(buf);
}

static enum gs_status end_transform(struct gs_intake *intake, bool ok, struct gs_error *err) {
	if (!intake->transforming)
		return GS_OK;
	intake->transforming = false;
	return gs_transform_end(intake->transform, ok, &intake->transformed, err);
}

void gs_intake_drop(struct gs_intake *intake) {
	gs_series_run_drop(&intake->run);
	end_transform(intake, false, NULL);
	gs_transform_free(intake->shared);
	intake->transform = intake->shared = NULL;
	shrink(&intake->windows[0]);
	shrink(&intake->windows[1]);
	shrink(&intake->text);
	if (intake->cap > 1)
		free_parts(intake);
	intake->nparts = 0;
}

/* Which transform this scrape has, and whether it must have the body whole. */
static enum gs_status choose_transform(struct gs_intake *intake) {
	const struct gs_intake_options *options = &intake->options;
	intake->transform = options->transform;
	intake->waits = false;
	if (options->transform == NULL || !options->pieces)
		return GS_OK;
	enum gs_status status = gs_transform_share(options->transform, &intake->shared);
	intake->waits = status == GS_EUNSUPPORTED;
	if (intake->shared != NULL)
		intake->transform = intake->shared;
	return intake->waits ? GS_OK : status;
}

static void begin_transform(struct gs_intake *intake) {
	const struct gs_intake_options *options = &intake->options;
	if (intake->transform == NULL || intake->transforming)
		return;
	gs_transform_begin(
	    intake->transform, options->labels, options->nlabels, options->target, &intake->format, &intake->text);
	intake->transforming = true;
}

void gs_intake_begin(struct gs_intake *intake, const struct gs_intake_options *options) {
	gs_intake_drop(intake);
	intake->options = *options;
	intake->transformed = (struct gs_transform_result){0};
	intake->samples = 0;
	intake->sent = 0;
	intake->used = 0;
	intake->begun = intake->ended = false;
	intake->error = (struct gs_error){0};
	intake->format = (struct gs_expo_options){0};
	intake->status = gs_expo_read_content_type(options->content_type, &intake->format, &intake->error);
	if (intake->status == GS_OK)
		intake->status = choose_transform(intake);
	gs_series_run_begin(&intake->run, options->series);
	gs_expo_begin(intake->parser, &intake->format);
}

/* Parts */

static enum gs_status reserve_part(struct gs_intake *intake) {
	if (intake->nparts == GS_LIMIT_PARTS)
		return GS_ELIMIT;
	if (intake->nparts < intake->cap)
		return GS_OK;
	size_t cap = intake->cap != 0 ? 2 * intake->cap : 1;
	struct gs_outgoing_part *parts = gs_realloc_array(intake->parts, cap, sizeof(*parts));
	if (parts == NULL)
		return GS_ENOMEM;
	intake->parts = parts;
	struct gs_buf *data = gs_realloc_array(intake->data, cap, sizeof(*data));
	if (data == NULL)
		return GS_ENOMEM;
	intake->data = data;
	for (; intake->cap < cap; intake->cap++)
		gs_buf_init(&data[intake->cap], GS_LIMIT_WIRE_BODY);
	return GS_OK;
}

static enum gs_status add_part(struct gs_intake *intake, struct gs_str text) {
	if (text.n > GS_LIMIT_WIRE_BODY - intake->sent)
		return GS_ELIMIT;
	enum gs_status status = reserve_part(intake);
	if (status != GS_OK)
		return status;
	struct gs_buf *data = &intake->data[intake->nparts];
	gs_buf_clear(data);
	status = gs_codec_compress(intake->options.codec, GS_CODEC_ZSTD, ZSTD_LEVEL, text, data);
	if (status != GS_OK)
		return status;
	intake->parts[intake->nparts++] = (struct gs_outgoing_part){.data = gs_buf_slice(data), .size = text.n};
	intake->sent += text.n;
	return GS_OK;
}

/* Make parts of ${text}: of all of it, or as many as are full. Returns what is left. */
static struct gs_str cut(struct gs_intake *intake, struct gs_str text, bool all, enum gs_status *ret_status) {
	size_t size = intake->options.part_size, cursor = 0;
	*ret_status = GS_OK;
	while (*ret_status == GS_OK && (text.n - cursor >= size || (all && cursor < text.n)))
		*ret_status = add_part(intake, gs_wire_split(text, size, &cursor));
	return gs_str_make(text.p + cursor, text.n - cursor);
}

/* Bytes */

static enum gs_status take_event(struct gs_intake *intake, const struct gs_expo_event *event) {
	enum gs_status status = GS_OK;
	if (intake->transform != NULL)
		status = gs_transform_event(intake->transform, event, &intake->error);
	if (status != GS_OK || event->kind != GS_EXPO_SAMPLE)
		return status;
	intake->samples++;
	if (intake->options.series == NULL || (intake->transform != NULL && !gs_transform_kept(intake->transform)))
		return GS_OK;
	return gs_series_run_add(&intake->run, event);
}

/* All events of ${window}, up to its last whole line. ${used}: of the window before. */
static enum gs_status parse(struct gs_intake *intake, size_t used, struct gs_str window, bool last) {
	struct gs_expo_event event = {0};
	enum gs_status status;
	begin_transform(intake);
	if (intake->transform != NULL)
		gs_transform_window(intake->transform, used, window);
	gs_expo_feed(intake->parser, window, last);
	while ((status = gs_expo_next(intake->parser, &event, &intake->error)) == GS_OK && event.kind != GS_EXPO_END) {
		status = take_event(intake, &event);
		if (status != GS_OK)
			return status;
	}
	if (status == GS_OK && last)
		return end_transform(intake, true, &intake->error);
	return status == GS_EAGAIN && !last ? GS_OK : status;
}

/* Whether the bytes of the target are what is sent. */
static bool copies(const struct gs_intake *intake) {
	return intake->transform == NULL || gs_transform_copies(intake->transform);
}

static enum gs_status take_whole(struct gs_intake *intake, struct gs_str body) {
	enum gs_status status = parse(intake, 0, body, true);
	if (status == GS_OK)
		(void)cut(intake, copies(intake) ? body : gs_buf_slice(&intake->text), true, &status);
	return status;
}

/* The window that follows, with what the parser left of the one before. */
static enum gs_status move_window(struct gs_intake *intake, size_t used, struct gs_str piece) {
	struct gs_buf *old = intake->window;
	struct gs_buf *next = &intake->windows[old == &intake->windows[0]];
	gs_buf_clear(next);
	gs_buf_add(next, old->p + used, old->n - used);
	gs_buf_str(next, piece);
	intake->window = next;
	return next->status;
}

/* Put what is to be sent, and stands in text, into parts, as far as they are full. */
static enum gs_status cut_text(struct gs_intake *intake, bool all) {
	enum gs_status status;
	struct gs_buf *text = &intake->text;
	size_t left = cut(intake, gs_buf_slice(text), all, &status).n, gone = text->n - left;
	if (gone != 0)
		memmove(text->p, text->p + gone, left);
	text->n = left;
	return status;
}

static enum gs_status take_piece(struct gs_intake *intake, struct gs_str piece, bool last) {
	struct gs_buf *text = &intake->text;
	size_t used = intake->used;
	enum gs_status status;
	if (intake->waits) {
		gs_buf_str(intake->window, piece);
		if (intake->window->status != GS_OK || !last)
			return intake->window->status;
		return take_whole(intake, gs_buf_slice(intake->window));
	}
	status = move_window(intake, used, piece);
	if (status == GS_OK)
		status = parse(intake, used, gs_buf_slice(intake->window), last);
	if (status != GS_OK)
		return status;
	intake->used = last ? intake->window->n : gs_expo_used(intake->parser);
	if (copies(intake))
		gs_buf_add(text, intake->window->p, intake->used);
	if (text->status != GS_OK)
		return text->status;
	/* What is written anew is the transform's until its end. */
	return copies(intake) || last ? cut_text(intake, last) : GS_OK;
}

bool gs_intake_feed(struct gs_intake *intake, struct gs_str piece, bool last) {
	if (intake->status != GS_OK || intake->ended)
		return false;
	bool whole = last && !intake->begun;
	intake->begun = true;
	intake->ended = last;
	intake->status = whole ? take_whole(intake, piece) : take_piece(intake, piece, last);
	if (intake->status != GS_OK)
		(void)end_transform(intake, false, NULL);
	return intake->status == GS_OK;
}

static void fill_result(const struct gs_intake *intake, struct gs_intake_result *ret) {
	*ret = (struct gs_intake_result){.samples = intake->samples, .kept = intake->samples, .format = intake->format};
	if (intake->transform == NULL)
		return;
	ret->samples = intake->transformed.samples;
	ret->kept = intake->transformed.kept;
	ret->honor_labels = intake->transformed.honor_labels;
	ret->format.format = intake->transformed.format;
	ret->format.utf8_names = intake->transformed.utf8_names;
}

enum gs_status gs_intake_end(struct gs_intake *intake, struct gs_intake_result *ret, struct gs_error *err) {
	uint64_t added = 0;
	enum gs_status status = intake->status;
	if (status == GS_OK && !intake->ended)
		status = GS_EINVAL;
	(void)end_transform(intake, false, NULL);
	if (status == GS_OK && intake->options.series != NULL)
		status = gs_series_run_end(&intake->run, intake->options.series, &added);
	fill_result(intake, ret);
	if (status == GS_OK) {
		ret->series_added = added;
		ret->parts = intake->parts;
		ret->nparts = intake->nparts;
		return GS_OK;
	}
	if (err != NULL)
		*err = intake->error;
	if (intake->error.text[0] == '\0')
		(void)gs_error_set(err, status, 0, 0, "%s",
		    status == GS_ENOMEM ? "out of memory" : "an exposition is larger than what can be sent");
	return status;
}
