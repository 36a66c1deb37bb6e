/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a config: no crash; and what is accepted is dumped to something that is accepted again, without a word, and
 * dumps to the same. */
#include <stdint.h>
#include <stdlib.h>

#include "gravel/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gs_config *parse(struct gs_str text, size_t *ret_errors, size_t *ret_all) {
	struct gs_config_report report;
	struct gs_config *config = NULL;
	enum gs_status status = gs_config_parse(text, "fuzz.yaml", &report, &config);
	if ((status == GS_OK) != (report.errors == 0) || (status == GS_OK) != (config != NULL))
		abort();
	*ret_errors = report.errors;
	*ret_all = report.errors + report.warnings;
	if (*ret_all != 0 && report.text.n == 0)
		abort();
	gs_config_report_free(&report);
	return config;
}

static void dump(const struct gs_config *config, struct gs_buf *out) {
	gs_buf_init(out, (size_t)64 * 1024 * 1024);
	gs_config_dump(config, out);
	if (out->status != GS_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_buf first, second;
	size_t errors, all;
	struct gs_config *config = parse(gs_str_make((const char *)data, size), &errors, &all);
	if (config == NULL)
		return 0;
	dump(config, &first);
	struct gs_config *again = parse(gs_buf_slice(&first), &errors, &all);
	if (again == NULL || all != 0)
		abort();
	dump(again, &second);
	if (!gs_str_eq(gs_buf_slice(&first), gs_buf_slice(&second)))
		abort();
	gs_config_free(config);
	gs_config_free(again);
	gs_buf_free(&first);
	gs_buf_free(&second);
	return 0;
}
