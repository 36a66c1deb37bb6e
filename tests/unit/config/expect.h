/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_CONFIG_EXPECT_H
#define GRAVEL_TESTS_CONFIG_EXPECT_H

/* After cmocka.h. What the tests of this module share. */
#include "gravel/config/config.h"

/* Read ${text}, which must be right but for the warnings ${warnings} (lines of "f:line:column: warning: ..."). */
static inline struct gs_config *accept_with(const char *text, const char *warnings) {
	struct gs_config_report report;
	struct gs_config *config = NULL;
	enum gs_status status = gs_config_parse(gs_str_of(text), "f", &report, &config);
	gs_buf_char(&report.text, '\0');
	assert_string_equal(report.text.p, warnings);
	assert_int_equal(status, GS_OK);
	assert_non_null(config);
	gs_config_report_free(&report);
	return config;
}

static inline struct gs_config *accept(const char *text) {
	return accept_with(text, "");
}

/* Read ${text}, which must be refused with exactly the report ${want}. */
static inline void refuse_with(const char *text, const char *want) {
	struct gs_config_report report;
	struct gs_config *config = NULL;
	enum gs_status status = gs_config_parse(gs_str_of(text), "f", &report, &config);
	gs_buf_char(&report.text, '\0');
	if (strcmp(report.text.p, want) != 0)
		fail_msg("of\n%s\nexpected\n%s\nbut got\n%s", text, want, report.text.p);
	assert_int_equal(status, GS_EINVAL);
	assert_true(report.errors != 0);
	assert_null(config);
	gs_config_report_free(&report);
}

struct refused {
	const char *text;
	const char *want;
};

static inline void refuse_all(const struct refused *cases, size_t n) {
	for (size_t i = 0; i < n; i++)
		refuse_with(cases[i].text, cases[i].want);
}

#endif
