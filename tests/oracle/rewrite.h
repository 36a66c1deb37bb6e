/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_ORACLE_REWRITE_H
#define GRAVEL_TESTS_ORACLE_REWRITE_H

#include "gravel/expo/write.h"

/** rewrite(out, parser, options, body, dialect, err):
 * Read ${body} and append it to ${out} as our writer has it in ${dialect}: family by family in the order of their samples, those without
 * any at the end. What is wrong with the body, or with a family in OpenMetrics, is in ${err}. */
GS_MUST_USE enum gs_status rewrite(struct gs_buf *out, struct gs_expo_parser *parser,
    const struct gs_expo_options *options, struct gs_str body, struct gs_expo_dialect dialect, struct gs_error *err);

#endif
