/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any body and some sets of options: what is written parses again, has as many samples as are said to be kept, splits no family and names no type twice, and every part of a
 * histogram is read as one; the store's batch takes it too. Byte 0 chooses the options, byte 1 format and size of the pieces.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/arena.h"
#include "gravel/base/map.h"
#include "gravel/gravel/batch.h"
#include "gravel/transform/transform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition, const char *what) {
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static const char *const source_name[] = {"__name__"};
static const char *const source_x[] = {"x"};
static const char *const source_all[] = {"__name__", "job", "x", "le"};

#define RULE(act, source, count, expression, target, text)                                                             \
	{                                                                                                              \
		.action = (act), .source_labels = (source), .nsource_labels = (count), .separator = ";",               \
		.regex = (expression), .target_label = (target), .replacement = (text)                                 \
	}

/* What breaks families, names and labels in every way. */
static const struct gs_relabel_rule rules[] = {
    RULE(GS_RELABEL_REPLACE, source_name, 1, "a(.*)", "__name__", "b$1"),
    RULE(GS_RELABEL_REPLACE, source_name, 1, "(.*)_sum", "__name__", "${1}_count"),
    RULE(GS_RELABEL_LABELDROP, NULL, 0, "le|quantile", NULL, "$1"),
    RULE(GS_RELABEL_REPLACE, source_name, 1, "(.).*", "__name__", "$1_bucket"),
    RULE(GS_RELABEL_REPLACE, source_x, 1, "(.*)", "le", "$1"),
    RULE(GS_RELABEL_LABELDROP, NULL, 0, "instance|job|y", NULL, "$1"),
    RULE(GS_RELABEL_REPLACE, source_all, 4, "(.*)", "all", "$1"),
    RULE(GS_RELABEL_LABELMAP, NULL, 0, "(.)(.*)", NULL, "$2"),
    RULE(GS_RELABEL_REPLACE, source_name, 1, "(.*)_(bucket|sum|count)", "__name__", "$1"),
    RULE(GS_RELABEL_DROP, source_x, 1, "1", NULL, "$1"),
    RULE(GS_RELABEL_REPLACE, source_name, 1, "(.)(.*)", "__name__", "$1"),
};

static const struct gs_clearmode_rule modes[] = {{"a.*|.*_sum", "sum"}, {"b", "min"}};

static const struct gs_label target[] = {{GS_STR_INIT("instance"), GS_STR_INIT("i")},
    {GS_STR_INIT("job"), GS_STR_INIT("j")}, {GS_STR_INIT("y"), GS_STR_INIT("1")}};

static struct gs_transform_options options_of(unsigned set) {
	struct gs_transform_options options = {.honor_timestamps = (set & 16) == 0, .honor_labels = (set & 32) != 0};
	size_t n = sizeof(rules) / sizeof(rules[0]);
	if ((set & 15) < n) {
		options.relabel = &rules[set & 15];
		options.nrelabel = (set & 64) != 0 && (set & 15) + 1 < n ? 2 : 1;
	}
	if ((set & 128) != 0 || (set & 15) == 15) {
		options.clearmodes = modes;
		options.nclearmodes = 2;
	}
	if ((set & 15) == 14) {
		options.sample_limit = 3;
		options.label_limit = 5;
		options.label_name_length_limit = 12;
		options.label_value_length_limit = 9;
	}
	return options;
}

static enum gs_status feed(struct gs_transform *transform, struct gs_expo_parser *parser, struct gs_str body,
    const struct gs_expo_options *format, size_t piece) {
	struct gs_expo_event event = {0};
	size_t start = 0, end = 0, used = 0;
	enum gs_status status = GS_EAGAIN;
	gs_expo_begin(parser, format);
	while (status == GS_EAGAIN) {
		start += used;
		end = body.n - end < piece ? body.n : end + piece;
		struct gs_str window = gs_str_make(body.p + start, end - start);
		gs_transform_window(transform, used, window);
		gs_expo_feed(parser, window, end == body.n);
		do {
			status = gs_expo_next(parser, &event, NULL);
			if (status == GS_OK)
				status = gs_transform_event(transform, &event, NULL);
		} while (status == GS_OK && event.kind != GS_EXPO_END);
		used = gs_expo_used(parser);
	}
	return status;
}

/* The families of a text, each with its type + 1. */
struct families {
	struct gs_map *map;
	struct gs_arena *arena;
	struct gs_str last;
};

static enum gs_expo_type *family_of(struct families *f, struct gs_str name, bool *ret_new) {
	enum gs_expo_type *type = gs_map_get(f->map, name);
	*ret_new = type == NULL;
	if (type != NULL)
		return type;
	type = gs_arena_alloc(f->arena, sizeof(*type));
	name = gs_arena_dup(f->arena, name);
	demand(type != NULL && name.p != NULL && gs_map_put(f->map, name, type) == GS_OK, "memory");
	*type = GS_TYPE_UNTYPED;
	return type;
}

static void check_event(struct families *f, const struct gs_expo_event *event) {
	bool is_new;
	struct gs_str name = event->kind == GS_EXPO_SAMPLE ? event->family : event->name;
	enum gs_expo_type *type = family_of(f, name, &is_new);
	demand(is_new || gs_str_eq(name, f->last), "a family is split");
	if (event->kind == GS_EXPO_TYPE) {
		demand(*type == GS_TYPE_UNTYPED, "a second TYPE");
		*type = event->type;
	}
	if (event->kind == GS_EXPO_SAMPLE) {
		demand(event->type == *type, "a sample is of another type than its family");
		demand(event->exemplar == NULL || event->exemplar->nlabels <= GS_LIMIT_LABELS, "an exemplar");
	}
	f->last = gs_arena_dup(f->arena, name);
}

/* Samples of a name that a part of a histogram or summary has are that part. */
static void check_parts(struct families *f) {
	static const struct gs_str suffixes[] = {GS_STR_INIT("_sum"), GS_STR_INIT("_count"), GS_STR_INIT("_bucket")};
	size_t cursor = 0;
	struct gs_str name;
	enum gs_expo_type *type;
	while ((type = gs_map_next(f->map, &cursor, &name)) != NULL) {
		char text[GS_LIMIT_NAME + 16];
		memcpy(text, name.p, name.n);
		for (size_t i = 0; i < (*type == GS_TYPE_SUMMARY ? 2 : 3); i++) {
			if (*type != GS_TYPE_HISTOGRAM && *type != GS_TYPE_SUMMARY)
				break;
			memcpy(text + name.n, suffixes[i].p, suffixes[i].n);
			demand(gs_map_get(f->map, gs_str_make(text, name.n + suffixes[i].n)) == NULL,
			    "a part beside its family");
		}
	}
}

static size_t check_text(
    struct gs_expo_parser *parser, struct gs_str text, const struct gs_expo_options *format, bool anew) {
	struct families f = {.map = gs_map_new(SIZE_MAX), .arena = gs_arena_new(SIZE_MAX / 2)};
	struct gs_expo_event event = {0};
	struct gs_error err = {0};
	size_t samples = 0;
	demand(f.map != NULL && f.arena != NULL, "memory");
	gs_expo_begin(parser, format);
	gs_expo_feed(parser, text, true);
	for (;;) {
		demand(gs_expo_next(parser, &event, &err) == GS_OK, err.text);
		if (event.kind == GS_EXPO_END)
			break;
		samples += event.kind == GS_EXPO_SAMPLE;
		if (anew)
			check_event(&f, &event);
	}
	if (anew)
		check_parts(&f);
	gs_map_free(f.map);
	gs_arena_free(f.arena);
	return samples;
}

static void check_batch(struct gs_expo_parser *parser, struct gs_str text, const struct gs_expo_options *format) {
	struct gs_batch *batch = gs_batch_new();
	struct gs_batch_options options = {
	    .labels = target, .nlabels = 3, .rule = GS_LABELS_HONOR, .lenient = true, .max_samples = SIZE_MAX};
	struct gs_error err = {0};
	demand(batch != NULL, "memory");
	gs_batch_begin(batch, &options);
	enum gs_status status = gs_batch_read(batch, parser, format, text, &err);
	demand(status == GS_OK || status == GS_ELIMIT, err.text);
	gs_batch_free(batch);
}

static bool run(struct gs_transform *transform, struct gs_expo_parser *parser, struct gs_str body,
    const struct gs_expo_options *format, size_t piece, struct gs_buf *out, struct gs_transform_result *result) {
	struct gs_error err = {0};
	gs_transform_begin(transform, target, 3, 1, format, out);
	enum gs_status status = feed(transform, parser, body, format, piece);
	bool fine = status == GS_OK;
	fine = gs_transform_end(transform, fine, result, &err) == GS_OK && fine;
	demand(fine || out->n == 0, "something is left of a scrape that failed");
	demand(result->kept <= result->samples, "more is kept than came");
	return fine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct gs_expo_parser *parser;
	struct gs_transform *transform = NULL;
	struct gs_transform_result result, again;
	struct gs_buf out, pieces;
	if (parser == NULL)
		parser = gs_expo_parser_new();
	if (size < 2)
		return 0;
	struct gs_expo_options format = {
	    .format = (enum gs_expo_format)(data[1] & 3), .utf8_names = (data[1] & 4) != 0};
	struct gs_transform_options options = options_of(data[0]);
	struct gs_str body = gs_str_make((const char *)data + 2, size - 2);
	demand(parser != NULL && gs_transform_new(&options, &transform, NULL) == GS_OK, "the options");
	gs_buf_init(&out, SIZE_MAX);
	gs_buf_init(&pieces, SIZE_MAX);
	bool fine = run(transform, parser, body, &format, SIZE_MAX, &out, &result);
	bool fine_again = run(transform, parser, body, &format, (size_t)(data[1] >> 3) + 1, &pieces, &again);
	demand(
	    fine == fine_again && result.samples == again.samples && result.kept == again.kept, "pieces are counted");
	demand(gs_str_eq(gs_buf_slice(&out), gs_buf_slice(&pieces)), "pieces show");
	if (fine && !gs_transform_copies(transform)) {
		struct gs_expo_options written = {
		    .format = result.format, .utf8_names = result.utf8_names, .lines_only = true};
		bool anew = options.nrelabel != 0 || !options.honor_timestamps;
		demand(check_text(parser, gs_buf_slice(&out), &written, anew) == result.kept, "samples are lost");
		check_batch(parser, gs_buf_slice(&out), &written);
	}
	gs_buf_free(&out);
	gs_buf_free(&pieces);
	gs_transform_free(transform);
	return 0;
}
