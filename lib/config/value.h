/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CONFIG_VALUE_H
#define GRAVEL_CONFIG_VALUE_H

#include "gravel/base/buf.h"

/* How values are written in a config. All take the whole slice or fail with GS_EINVAL; GS_ELIMIT where it does not fit 63 bits. */

/** gs_value_bool(s, ret): true, yes, on, false, no, off; also capitalised or in capitals. */
GS_MUST_USE enum gs_status gs_value_bool(struct gs_str s, bool *ret);

/** gs_value_duration(s, ret_ms): As Prometheus writes it, or digits alone: seconds. */
GS_MUST_USE enum gs_status gs_value_duration(struct gs_str s, int64_t *ret_ms);

/** gs_value_size(s, ret): Bytes: digits, with KB MB GB (powers of 1000) or KiB MiB GiB (of 1024) behind them. */
GS_MUST_USE enum gs_status gs_value_size(struct gs_str s, int64_t *ret);

/** gs_value_binary_size(s, ret): The same where KB, MB, GB are powers of 1024 too, TB, PB and their kin as well, and a fraction is allowed. */
GS_MUST_USE enum gs_status gs_value_binary_size(struct gs_str s, int64_t *ret);

/** gs_value_print_duration(out, ms), gs_value_print_size(out, bytes): In the form that reads back as the same. */
void gs_value_print_duration(struct gs_buf *out, int64_t ms);
void gs_value_print_size(struct gs_buf *out, int64_t bytes);

/** gs_value_print_string(out, s): As a YAML string in double quotes; of what gs_check_raw takes. */
void gs_value_print_string(struct gs_buf *out, struct gs_str s);

#endif
