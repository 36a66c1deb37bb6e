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
	struct gs_buf window; /* what the parser has not used yet, and the next piece */
	struct gs_buf text; /* to be sent, and in no part yet */
	struct gs_buf ruled;
	struct gs_series_run run;
	struct gs_buf *data; /* of the parts, [0, cap) */
	struct gs_outgoing_part *parts;
	size_t nparts;
	size_t cap;
	size_t sent; /* bytes in parts, before compression */
	uint64_t samples;
	bool begun; /* something came already */
	bool ended;
	enum gs_status status; /* sticky */
	struct gs_error error;
};

struct gs_intake *gs_intake_new(void) {
	struct gs_intake *intake = gs_alloc(sizeof(*intake));
	if (intake == NULL)
		return NULL;
	gs_buf_init(&intake->window, GS_LIMIT_WIRE_BODY);
	gs_buf_init(&intake->text, GS_LIMIT_WIRE_BODY);
	gs_buf_init(&intake->ruled, GS_LIMIT_WIRE_BODY);
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
	gs_buf_free(&intake->window);
	gs_buf_free(&intake->text);
	gs_buf_free(&intake->ruled);
	gs_expo_parser_free(intake->parser);
	gs_free(intake);
}

static void shrink(struct gs_buf *buf) {
	gs_buf_clear(buf);
	if (buf->cap > KEEP_MAX)
		gs_buf_free(buf);
}

void gs_intake_drop(struct gs_intake *intake) {
	gs_series_run_drop(&intake->run);
	shrink(&intake->window);
	shrink(&intake->text);
	shrink(&intake->ruled);
	if (intake->cap > 1)
		free_parts(intake);
	intake->nparts = 0;
}

void gs_intake_begin(struct gs_intake *intake, const struct gs_intake_options *options) {
	gs_intake_drop(intake);
	intake->options = *options;
	intake->samples = 0;
	intake->sent = 0;
	intake->begun = intake->ended = false;
	intake->error = (struct gs_error){0};
	intake->format = (struct gs_expo_options){0};
	intake->status = gs_expo_read_content_type(options->content_type, &intake->format, &intake->error);
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

/* All events of the parser's window, up to its last whole line. */
static enum gs_status parse(struct gs_intake *intake, bool last) {
	struct gs_expo_event event = {0};
	enum gs_status status;
	while ((status = gs_expo_next(intake->parser, &event, &intake->error)) == GS_OK && event.kind != GS_EXPO_END) {
		if (event.kind != GS_EXPO_SAMPLE)
			continue;
		intake->samples++;
		status = intake->options.series != NULL ? gs_series_run_add(&intake->run, &event) : GS_OK;
		if (status != GS_OK)
			return status;
	}
	return status == GS_EAGAIN && !last ? GS_OK : status;
}

/* ${buf} without its first ${n} bytes. */
static void drop_front(struct gs_buf *buf, size_t n) {
	buf->n -= n;
	memmove(buf->p, buf->p + n, buf->n);
}

static enum gs_status take_whole(struct gs_intake *intake, struct gs_str body) {
	gs_expo_feed(intake->parser, body, true);
	enum gs_status status = parse(intake, true);
	if (status == GS_OK && intake->options.rules != NULL) {
		gs_buf_clear(&intake->ruled);
		status = gs_rules_apply(intake->options.rules, intake->parser, &intake->format, body, &intake->ruled);
		body = gs_buf_slice(&intake->ruled);
		if (status != GS_OK)
			gs_error_set(&intake->error, status, 0, 0, "the clearmode rules of the job cannot be applied");
	}
	if (status == GS_OK)
		(void)cut(intake, body, true, &status);
	return status;
}

static enum gs_status take_piece(struct gs_intake *intake, struct gs_str piece, bool last) {
	struct gs_buf *window = &intake->window, *text = &intake->text;
	gs_buf_str(window, piece);
	if (window->status != GS_OK)
		return window->status;
	if (intake->options.rules != NULL) /* they want all of it */
		return last ? take_whole(intake, gs_buf_slice(window)) : GS_OK;
	gs_expo_feed(intake->parser, gs_buf_slice(window), last);
	enum gs_status status = parse(intake, last);
	if (status != GS_OK)
		return status;
	size_t used = last ? window->n : gs_expo_used(intake->parser);
	gs_buf_add(text, window->p, used);
	if (text->status != GS_OK)
		return text->status;
	if (used != 0)
		drop_front(window, used);
	struct gs_str rest = cut(intake, gs_buf_slice(text), last, &status);
	if (rest.n != text->n)
		drop_front(text, text->n - rest.n);
	return status;
}

bool gs_intake_feed(struct gs_intake *intake, struct gs_str piece, bool last) {
	if (intake->status != GS_OK || intake->ended)
		return false;
	bool whole = last && !intake->begun;
	intake->begun = true;
	intake->ended = last;
	intake->status = whole ? take_whole(intake, piece) : take_piece(intake, piece, last);
	return intake->status == GS_OK;
}

enum gs_status gs_intake_end(struct gs_intake *intake, struct gs_intake_result *ret, struct gs_error *err) {
	uint64_t added = 0;
	enum gs_status status = intake->status;
	if (status == GS_OK && !intake->ended)
		status = GS_EINVAL;
	if (status == GS_OK && intake->options.series != NULL)
		status = gs_series_run_end(&intake->run, intake->options.series, &added);
	if (status != GS_OK && err != NULL)
		*err = intake->error;
	if (status == GS_OK)
		*ret = (struct gs_intake_result){
		    .samples = intake->samples,
		    .series_added = added,
		    .format = intake->format,
		    .parts = intake->parts,
		    .nparts = intake->nparts,
		};
	else if (intake->error.text[0] == '\0')
		(void)gs_error_set(err, status, 0, 0, "%s",
		    status == GS_ENOMEM ? "out of memory" : "an exposition is larger than what can be sent");
	return status;
}
