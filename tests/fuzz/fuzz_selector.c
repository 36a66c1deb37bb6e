/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>

#include "gravel/match/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A selector is refused with a position inside of it, or it selects: the name that it asks for is that of what it selects, and nothing without
 * labels is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct gs_selector *selector = NULL;
	struct gs_error err = {0};
	struct gs_label labels[] = {{GS_STR("__name__"), GS_STR("other")}, {GS_STR("a"), GS_STR("b")}};
	bool matches;
	enum gs_status status = gs_selector_parse(gs_str_make((const char *)data, size), &selector, &err);
	if (status != GS_OK) {
		assert(status == GS_EINVAL || status == GS_ELIMIT);
		assert(selector == NULL && err.line >= 1 && err.column >= 1 && err.column <= size + 1 &&
		       err.text[0] != '\0');
		return 0;
	}
	struct gs_str name = gs_selector_name(selector);
	status = gs_selector_match(selector, labels, 2, &matches);
	assert(status == GS_OK || status == GS_ELIMIT);
	if (status == GS_OK && matches && name.n != 0)
		assert(gs_str_eq(name, labels[0].value));
	status = gs_selector_match(selector, NULL, 0, &matches);
	assert(status == GS_ELIMIT || !matches);
	gs_selector_free(selector);
	return 0;
}
