/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes parse or fail with a position, as text and as OpenMetrics; in pieces as at once; and what parses as text survives the writer: the same
 * samples come back. The first byte says how: its two low bits which format, the others the length of the pieces; 63: a hundred times as long.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../lib/expo/fast.h"
#include "gravel/expo/write.h"

static void must(int holds) {
	if (!holds)
		abort();
}

/* What a parse said, as bytes to compare. */

static void note_str(struct gs_buf *out, struct gs_str s) {
	gs_buf_printf(out, "%zu:", s.n);
	gs_buf_str(out, s);
}

static void note_labels(struct gs_buf *out, const struct gs_label *labels, size_t n) {
	gs_buf_printf(out, "{%zu", n);
	for (size_t i = 0; i < n; i++) {
		note_str(out, labels[i].name);
		note_str(out, labels[i].value);
	}
}

static void note_event(struct gs_buf *out, const struct gs_expo_event *e) {
	gs_buf_printf(out, "%d/%d/%d/%u/%d/%d ", e->kind, e->type, e->part, e->line, e->has_timestamp, e->joined);
	note_str(out, e->name);
	note_str(out, e->text);
	note_str(out, e->family);
	note_str(out, e->series);
	note_labels(out, e->labels, e->nlabels);
	gs_buf_double(out, e->value);
	gs_buf_printf(out, " %lld ", e->has_timestamp ? (long long)e->timestamp_ms : 0);
	if (e->part == GS_PART_BUCKET || e->part == GS_PART_QUANTILE)
		gs_buf_double(out, e->bound);
	if (e->exemplar != NULL) {
		note_labels(out, e->exemplar->labels, e->exemplar->nlabels);
		gs_buf_double(out, e->exemplar->value);
		gs_buf_printf(out, " %lld", e->exemplar->has_timestamp ? (long long)e->exemplar->timestamp_ms : -1);
	}
}

static void check_event(const struct gs_expo_event *e) {
	if (e->kind == GS_EXPO_END)
		return;
	must(e->name.n != 0 && e->name.n <= GS_LIMIT_NAME && gs_str_is_utf8(e->name));
	must(gs_str_is_utf8(e->text));
	must(e->nlabels <= GS_LIMIT_LABELS);
	for (size_t i = 0; i < e->nlabels; i++) {
		must(e->labels[i].name.n != 0 && gs_str_is_utf8(e->labels[i].name));
		must(e->labels[i].value.n <= GS_LIMIT_LABEL_VALUE && gs_str_is_utf8(e->labels[i].value));
		for (size_t k = 0; k < i; k++)
			must(!gs_str_eq(e->labels[i].name, e->labels[k].name));
	}
}

/* One body and what is given of it. */
struct feeder {
	struct gs_expo_parser *parser;
	struct gs_str rest;
	size_t given;
	size_t step; /* 0: all at once */
	char *window; /* of exactly its size */
};

static void feed(struct feeder *f) {
	char *window = malloc(f->given != 0 ? f->given : 1);
	must(window != NULL);
	if (f->given != 0)
		memcpy(window, f->rest.p, f->given);
	gs_expo_feed(f->parser, gs_str_make(window, f->given), f->given == f->rest.n);
	free(f->window);
	f->window = window;
}

static void feed_more(struct feeder *f) {
	size_t used = gs_expo_used(f->parser);
	must(used <= f->given && f->given < f->rest.n);
	f->rest = gs_str_make(f->rest.p + used, f->rest.n - used);
	f->given += f->step - used;
	f->given = f->given < f->rest.n ? f->given : f->rest.n;
	feed(f);
}

/* All events and errors of body. Returns whether there was no error. */
static bool parse(struct gs_expo_parser *parser, const struct gs_expo_options *options, struct gs_str body, size_t step,
    struct gs_buf *out) {
	struct feeder f = {.parser = parser, .rest = body, .step = step};
	struct gs_expo_event event = {.kind = GS_EXPO_SAMPLE};
	bool fine = true;
	gs_expo_begin(parser, options);
	f.given = step == 0 || step > body.n ? body.n : step;
	feed(&f);
	for (bool more = true; more;) {
		struct gs_error err = {0};
		enum gs_status status = gs_expo_next(parser, &event, &err);
		if (status == GS_EAGAIN) {
			feed_more(&f);
		} else if (status == GS_OK) {
			check_event(&event);
			note_event(out, &event);
			more = event.kind != GS_EXPO_END;
		} else {
			must(status == GS_EINVAL || status == GS_ELIMIT);
			must(err.line >= 1 && err.column >= 1 && err.column <= body.n + 1 && err.text[0] != '\0');
			gs_buf_printf(out, "! %d %u:%u %s\n", status, err.line, err.column, err.text);
			fine = false;
			more = gs_expo_recover(parser);
		}
	}
	free(f.window);
	must(out->status == GS_OK);
	return fine;
}

/* Through the writer and back. */

static void rewrite(struct gs_expo_writer *writer, const struct gs_expo_event *e) {
	struct gs_expo_family family = {.name = e->name, .type = e->type, .no_type = e->kind != GS_EXPO_TYPE};
	struct gs_expo_sample sample = {.labels = e->labels, .nlabels = e->nlabels, .value = e->value};
	if (e->kind == GS_EXPO_HELP)
		family.help = e->text;
	if (e->kind == GS_EXPO_END || e->kind == GS_EXPO_UNIT)
		return;
	gs_expo_write_family(writer, &family);
	if (e->kind == GS_EXPO_SAMPLE)
		gs_expo_write_sample(writer, &sample);
}

static void rewrite_body(struct gs_expo_parser *parser, struct gs_str body, struct gs_buf *out) {
	struct gs_expo_dialect dialect = {.format = GS_FORMAT_TEXT_1, .escaping = GS_ESCAPE_NONE};
	struct gs_expo_writer writer;
	struct gs_expo_event event;
	gs_expo_writer_init(&writer, out, dialect);
	gs_expo_begin_text(parser, body);
	do {
		must(gs_expo_next(parser, &event, NULL) == GS_OK);
		rewrite(&writer, &event);
	} while (event.kind != GS_EXPO_END);
	must(out->status == GS_OK);
}

static void compare_samples(const struct gs_expo_event *a, const struct gs_expo_event *b) {
	must(gs_str_eq(a->name, b->name));
	must(a->value == b->value || (isnan(a->value) && isnan(b->value)));
	must(signbit(a->value) == signbit(b->value) || isnan(a->value));
	must(a->nlabels == b->nlabels);
	for (size_t i = 0; i < a->nlabels; i++) {
		must(gs_str_eq(a->labels[i].name, b->labels[i].name));
		must(gs_str_eq(a->labels[i].value, b->labels[i].value));
	}
}

/* The next sample or the end; what was written before must parse. */
static void next_sample(struct gs_expo_parser *parser, struct gs_expo_event *event) {
	do
		must(gs_expo_next(parser, event, NULL) == GS_OK);
	while (event->kind != GS_EXPO_SAMPLE && event->kind != GS_EXPO_END);
}

static void compare_bodies(struct gs_expo_parser *a, struct gs_str in, struct gs_expo_parser *b, struct gs_str out) {
	struct gs_expo_event left, right;
	gs_expo_begin_text(a, in);
	gs_expo_begin_text(b, out);
	do {
		next_sample(a, &left);
		next_sample(b, &right);
		must(left.kind == right.kind);
		if (left.kind == GS_EXPO_SAMPLE)
			compare_samples(&left, &right);
	} while (left.kind != GS_EXPO_END);
}

static struct gs_expo_options options_of(uint8_t how) {
	return (struct gs_expo_options){
	    .format = (how & 3) == 0 || (how & 3) == 3 ? GS_FORMAT_TEXT : GS_FORMAT_OPENMETRICS,
	    .utf8_names = (how & 3) == 2,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct gs_expo_parser *first, *second;
	struct gs_buf whole, pieces;
	if (size == 0)
		return 0;
	if (first == NULL) {
		first = gs_expo_parser_new();
		second = gs_expo_parser_new();
		must(first != NULL && second != NULL);
	}
	struct gs_expo_options options = options_of(data[0]);
	struct gs_str in = gs_str_make((const char *)data + 1, size - 1);
	gs_buf_init(&whole, 64 << 20);
	gs_buf_init(&pieces, 64 << 20);
	/* The second reads with any of the kinds of blocks, or with none; the first with the widest. */
	gs_expo_use_blocks(second, (enum gs_expo_blocks)(size & 3));
	bool fine = parse(first, &options, in, 0, &whole);
	size_t step = (size_t)(data[0] >> 2) + 1;
	parse(second, &options, in, step < 64 ? step : 6400, &pieces);
	must(gs_str_eq(gs_buf_slice(&whole), gs_buf_slice(&pieces)));
	if (fine && options.format == GS_FORMAT_TEXT) {
		gs_buf_clear(&pieces);
		rewrite_body(first, in, &pieces);
		compare_bodies(first, in, second, gs_buf_slice(&pieces));
	}
	gs_buf_free(&whole);
	gs_buf_free(&pieces);
	return 0;
}
