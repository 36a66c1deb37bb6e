/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <pthread.h>

#include "gravel/base/limits.h"
#include "gravel/base/mem.h"

/* What the document that this thread reads may still allocate; freeing gives nothing back. "[[],[],..." takes fifty times its size. */
static _Thread_local size_t budget;
/* Why take failed: jansson itself does not always say that it was memory. */
static _Thread_local enum gs_status starved;

static void *take(size_t n) {
	if (n > budget) {
		starved = GS_ELIMIT;
		return NULL;
	}
	budget -= n;
	void *p = gs_alloc(n);
	if (p == NULL)
		starved = GS_ENOMEM;
	return p;
}

static void install(void) {
	json_set_alloc_funcs(take, gs_free);
}

json_t *gs_sd_json_load(struct gs_str text, enum gs_status *ret_status, struct gs_error *err) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	json_error_t error = {.line = 0};
	pthread_once(&once, install);
	budget = GS_LIMIT_SD_MEMORY;
	starved = GS_OK;
	json_t *root = json_loadb(text.n != 0 ? text.p : "", text.n, JSON_DECODE_ANY, &error);
	budget = SIZE_MAX; /* what is asked of the values later on is bounded by them */
	*ret_status = GS_OK;
	if (root != NULL)
		return root;
	if (starved == GS_ELIMIT)
		*ret_status = gs_error_set(err, GS_ELIMIT, 0, 0, "reading it takes too much memory");
	else if (starved == GS_ENOMEM)
		*ret_status = gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	else
		*ret_status = gs_error_set(err, GS_EINVAL, error.line > 0 ? (uint32_t)error.line : 1,
		    error.column > 0 ? (uint32_t)error.column : 1, "this is no JSON: %s", error.text);
	return NULL;
}

struct gs_str gs_sd_json_str(const json_t *value) {
	return gs_str_make(json_string_value(value), json_string_length(value));
}
