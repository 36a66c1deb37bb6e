/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes parse or fail with a position; what parses survives the writer: the same samples come back. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "gravel/expo/expo.h"

static void must(int holds) {
	if (!holds)
		abort();
}

static void rewrite(struct gs_buf *out, const struct gs_expo_event *e) {
	if (e->kind == GS_EXPO_TYPE)
		gs_expo_write_meta(out, e->name, e->type, (struct gs_str){0});
	if (e->kind == GS_EXPO_HELP)
		gs_expo_write_meta(out, e->name, GS_TYPE_UNTYPED, e->text);
	if (e->kind == GS_EXPO_SAMPLE)
		gs_expo_write_sample(out, e->name, (struct gs_str){0}, e->labels, e->nlabels, NULL, e->value);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct gs_expo_parser *first, *second;
	struct gs_str in = gs_str_make((const char *)data, size);
	struct gs_expo_event event;
	struct gs_error err = {0};
	struct gs_buf out;
	if (first == NULL) {
		first = gs_expo_parser_new();
		second = gs_expo_parser_new();
		must(first != NULL && second != NULL);
	}
	gs_buf_init(&out, 64 << 20);
	gs_expo_begin_text(first, in);
	enum gs_status status;
	do {
		status = gs_expo_next(first, &event, &err);
		if (status == GS_OK)
			rewrite(&out, &event);
	} while (status == GS_OK && event.kind != GS_EXPO_END);
	must(out.status == GS_OK);
	if (status == GS_OK)
		compare_bodies(first, in, second, gs_buf_slice(&out));
	else
		must(err.line >= 1 && err.column >= 1 && err.column <= size + 1 && err.text[0] != '\0');
	gs_buf_free(&out);
	return 0;
}
