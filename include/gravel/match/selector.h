/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_MATCH_SELECTOR_H
#define GRAVEL_MATCH_SELECTOR_H

#include "gravel/expo/expo.h"

/*
 * Series selectors as Prometheus' match[] has them: name{a="b",c!="d",e=~"x|y",f!~"z"}, with names of any UTF-8 in quotes, {"a.b","c.d"="e"}. Strings
 * stand in "", '' or ``. A label that a series does not have is empty to a matcher. As in Prometheus one matcher at least must not match the
 * empty text. Words of PromQL are names like others here.
 */
struct gs_selector;

/** gs_selector_parse(text, ret_selector, err):
 * Read a selector. Nothing of ${text} is kept. GS_EINVAL or GS_ELIMIT with ${err} (line, column in bytes, reason), GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_selector_parse(
    struct gs_str text, struct gs_selector **ret_selector, struct gs_error *err);
void gs_selector_free(struct gs_selector *selector);

/** gs_selector_name(selector): The metric name that everything selected has; the empty slice where none is asked for by "=". */
struct gs_str gs_selector_name(const struct gs_selector *selector);

/** gs_selector_match(selector, labels, n, ret_matches):
 * Whether the series of these labels, its name among them as __name__, is selected. GS_ELIMIT when an expression takes too many steps,
 * GS_ENOMEM. One thread at a time: the last answers are remembered. */
GS_MUST_USE enum gs_status gs_selector_match(
    struct gs_selector *selector, const struct gs_label *labels, size_t n, bool *ret_matches);

#endif
