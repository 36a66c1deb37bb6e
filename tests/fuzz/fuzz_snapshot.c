/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are refused, or become a store in order, which saved and loaded again is the same: it shows the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/buf.h"
#include "gravel/gravel/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1700000000000)

static enum gs_status put(void *ctx, struct gs_str bytes) {
	struct gs_buf *saved = ctx;
	gs_buf_str(saved, bytes);
	return saved->status;
}

static enum gs_status get(void *ctx, struct gs_str *ret) {
	struct gs_str *rest = ctx;
	*ret = *rest;
	*rest = (struct gs_str){0};
	return GS_OK;
}

static struct gs_store *load(struct gs_str bytes) {
	static const struct gs_store_options options = {.max_age_ms = 10000};
	struct gs_store *store = gs_store_new(&options);
	struct gs_error err = {0};
	if (store == NULL)
		abort();
	enum gs_status status = gs_store_load(store, get, &bytes, &err);
	if (status == GS_OK) {
		gs_store_check(store);
		return store;
	}
	if (err.text[0] == '\0')
		abort();
	gs_store_free(store);
	return NULL;
}

static void render(struct gs_store *store, struct gs_buf *out) {
	static const enum gs_expo_format formats[] = {GS_FORMAT_TEXT_1, GS_FORMAT_OPENMETRICS, GS_FORMAT_PROTOBUF};
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct gs_expo_dialect dialect = {.format = formats[i], .escaping = GS_ESCAPE_NONE};
		struct gs_str after = {0};
		while (gs_store_render_next(store, &after, NOW, dialect, out))
			continue;
	}
}

static void demand_same(struct gs_store *store) {
	struct gs_buf saved, one, two;
	gs_buf_init(&saved, SIZE_MAX);
	gs_buf_init(&one, SIZE_MAX);
	gs_buf_init(&two, SIZE_MAX);
	if (gs_store_save(store, put, &saved) != GS_OK)
		abort();
	struct gs_store *again = load(gs_buf_slice(&saved));
	if (again == NULL)
		abort();
	render(store, &one);
	render(again, &two);
	if (!gs_str_eq(gs_buf_slice(&one), gs_buf_slice(&two))) {
		fprintf(stderr, "not the same:\n%.*s\n---\n%.*s\n", GS_FMT(one), GS_FMT(two));
		abort();
	}
	gs_store_free(again);
	gs_buf_free(&saved);
	gs_buf_free(&one);
	gs_buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	size_t stale, expired;
	struct gs_store *store = load(gs_str_make((const char *)data, size));
	if (store == NULL)
		return 0;
	demand_same(store);
	gs_store_expire(store, NOW, &stale, &expired);
	gs_store_check(store);
	gs_store_free(store);
	return 0;
}
