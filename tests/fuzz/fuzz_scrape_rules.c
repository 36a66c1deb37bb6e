/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>

#include "gravel/base/mem.h"
#include "gravel/scrape/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gs_expo_options text_format = {.format = GS_FORMAT_TEXT};

static const struct gs_rule given[] = {{"a.*", "sum"}, {"[b-y]+_total", "replace\"\\\n"}};

static enum gs_status count(struct gs_expo_parser *parser, struct gs_str body, size_t *ret_samples) {
	struct gs_expo_event event;
	enum gs_status status;
	gs_expo_begin_text(parser, body);
	while ((status = gs_expo_next(parser, &event, NULL)) == GS_OK && event.kind != GS_EXPO_END)
		*ret_samples += event.kind == GS_EXPO_SAMPLE;
	return status;
}

/* What gs_rules_apply makes of an exposition is one again, with as many samples, and every sample that matches has its label: a second time changes
 * nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_str body = gs_str_make((const char *)data, size);
	struct gs_expo_parser *parser = gs_expo_parser_new();
	size_t before = 0, after = 0;
	struct gs_rules *rules = NULL;
	struct gs_buf once, twice;
	enum gs_status status = gs_rules_new(given, 2, &rules, NULL);
	assert(parser != NULL && status == GS_OK);
	gs_buf_init(&once, size * 64 + 1024);
	gs_buf_init(&twice, size * 64 + 1024);
	enum gs_status inspected = count(parser, body, &before);
	status = gs_rules_apply(rules, parser, &text_format, body, &once);
	assert(status == inspected);
	/* A label more may be one too many, or make a line too long. */
	if (status == GS_OK && count(parser, gs_buf_slice(&once), &after) == GS_OK) {
		assert(after == before && once.n >= size);
		status = gs_rules_apply(rules, parser, &text_format, gs_buf_slice(&once), &twice);
		assert(status == GS_OK && gs_str_eq(gs_buf_slice(&once), gs_buf_slice(&twice)));
	}
	gs_buf_free(&once);
	gs_buf_free(&twice);
	gs_rules_free(rules);
	gs_expo_parser_free(parser);
	return 0;
}
