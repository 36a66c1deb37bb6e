/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>

#include "gravel/base/mem.h"
#include "gravel/scrape/rules.h"
#include "gravel/scrape/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gs_expo_options text_format = {.format = GS_FORMAT_TEXT};

static const struct gs_rule given[] = {{"a.*", "sum"}, {"[b-y]+_total", "replace\"\\\n"}};

/* What gs_rules_apply makes of an exposition is one again, with as many samples, and every sample that matches has its label: a second time changes
 * nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_str body = gs_str_make((const char *)data, size);
	struct gs_expo_parser *parser = gs_expo_parser_new();
	struct gs_series_set *set = gs_series_set_new();
	struct gs_scrape_stats before = {0}, after = {0};
	struct gs_rules *rules = NULL;
	struct gs_buf once, twice;
	enum gs_status status = gs_rules_new(given, 2, &rules, NULL);
	assert(parser != NULL && set != NULL && status == GS_OK);
	gs_buf_init(&once, size * 64 + 1024);
	gs_buf_init(&twice, size * 64 + 1024);
	enum gs_status inspected = gs_scrape_inspect(parser, &text_format, body, set, &before, NULL);
	status = gs_rules_apply(rules, parser, &text_format, body, &once);
	assert(status == inspected);
	/* A label more may be one too many, or make a line too long. */
	if (status == GS_OK &&
	    gs_scrape_inspect(parser, &text_format, gs_buf_slice(&once), set, &after, NULL) == GS_OK) {
		assert(after.samples == before.samples && once.n >= size);
		status = gs_rules_apply(rules, parser, &text_format, gs_buf_slice(&once), &twice);
		assert(status == GS_OK && gs_str_eq(gs_buf_slice(&once), gs_buf_slice(&twice)));
	}
	gs_buf_free(&once);
	gs_buf_free(&twice);
	gs_rules_free(rules);
	gs_series_set_free(set);
	gs_expo_parser_free(parser);
	return 0;
}
