/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two or more bodies, one scrape after the other: what the comparison says of each agrees with full parses. The first byte chooses the format and
 * options, a line "%%" stands between two bodies.
 */
#include <stdint.h>

#include "../unit/expo/repeat_model.h"
#include "gravel/expo/repeat.h"

#define LIMITED 4 /* samples, with the option */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cut the next body off *rest. */
static struct gs_str next_body(struct gs_str *rest, bool *ret_more) {
	static const char between[] = "%%\n";
	const char *at = memmem(rest->p, rest->n, between, sizeof(between) - 1);
	struct gs_str body = *rest;
	*ret_more = at != NULL;
	if (at != NULL) {
		body.n = (size_t)(at - rest->p);
		*rest = gs_str_make(at + sizeof(between) - 1, rest->n - body.n - (sizeof(between) - 1));
	}
	return body;
}

static char *copy_of(struct gs_str s) {
	/* Of its very size, so that a sanitizer sees what reads behind it. */
	char *p = gs_alloc(s.n);
	MODEL_MUST(p != NULL);
	if (s.n != 0)
		memcpy(p, s.p, s.n);
	return p;
}

/* The body of the layout is *previous; next takes its place if it is in order. */
static void compare(struct gs_repeat *repeat, struct gs_layout *layout, struct gs_expo_parser *parser,
    const struct gs_expo_options *options, struct gs_str *previous, struct gs_str next) {
	char *p = copy_of(next);
	struct model_result result = model_compare(repeat, layout, parser, *previous, gs_str_make(p, next.n), options);
	if (result.status != GS_OK) {
		gs_free(p);
		return;
	}
	gs_free((void *)(uintptr_t)previous->p);
	*previous = gs_str_make(p, next.n);
	/* Again the same: nothing has changed. */
	result = model_compare(repeat, layout, parser, *previous, *previous, options);
	MODEL_MUST(result.status == GS_OK);
	MODEL_MUST(result.changed + result.added + result.removed + result.metas == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct gs_repeat *repeat;
	static struct gs_expo_parser *parser;
	static struct gs_expo_seen *seen;
	if (repeat == NULL) {
		repeat = gs_repeat_new();
		parser = gs_expo_parser_new();
		seen = gs_expo_seen_new();
		MODEL_MUST(repeat != NULL && parser != NULL && seen != NULL);
	}
	if (size == 0)
		return 0;
	struct gs_expo_options options = {.format = (data[0] & 1) != 0 ? GS_FORMAT_OPENMETRICS : GS_FORMAT_TEXT,
	    .utf8_names = (data[0] & 2) != 0,
	    .max_samples = (data[0] & 4) != 0 ? LIMITED : 0,
	    .seen = (data[0] & 8) != 0 ? seen : NULL};
	struct gs_layout *layout = gs_layout_new();
	MODEL_MUST(layout != NULL);
	struct gs_str rest = gs_str_make((const char *)data + 1, size - 1), previous = {0};
	bool more;
	do
		compare(repeat, layout, parser, &options, &previous, next_body(&rest, &more));
	while (more);
	gs_free((void *)(uintptr_t)previous.p);
	gs_layout_free(layout);
	return 0;
}
