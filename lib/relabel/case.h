/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RELABEL_CASE_H
#define RELABEL_CASE_H

#include "gravel/base/buf.h"

/** gs_case_lower(text, out), gs_case_upper(text, out): Append ${text} with each character mapped alone, in any script, as Go's strings.ToLower and ToUpper do;
 * a byte that is no UTF-8 becomes U+FFFD. Errors stick to ${out}. */
void gs_case_lower(struct gs_str text, struct gs_buf *out);
void gs_case_upper(struct gs_str text, struct gs_buf *out);

#endif
