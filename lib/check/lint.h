/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_CHECK_LINT_H
#define GRAVEL_LIB_CHECK_LINT_H

#include "gravel/check/check.h"

#define GS_CHECK_LINT_MAX 8 /* warnings of one family at most */

/** gs_check_lint(family, format, ret): Fill ${ret} with what is against the customs in a family and return their number. */
size_t gs_check_lint(
    const struct gs_check_family *family, enum gs_expo_format format, struct gs_error ret[GS_CHECK_LINT_MAX]);

#endif
