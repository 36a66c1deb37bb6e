/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TEST_GRAVEL_H
#define GRAVEL_TEST_GRAVEL_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <string.h>

#include "gravel/base/mem.h"
#include "gravel/gravel/store.h"

#define T0 INT64_C(1700000000000)

/* A store and what is needed to feed it. */
struct bench {
	struct gs_store *store;
	struct gs_expo_parser *parser;
	struct gs_batch *batch;
	struct gs_store_result result;
	struct gs_error err;
	int64_t now;
};

static inline void bench_open(struct bench *b, const struct gs_store_options *options) {
	*b = (struct bench){.now = T0};
	b->store = gs_store_new(options);
	b->parser = gs_expo_parser_new();
	b->batch = gs_batch_new();
	assert_non_null(b->store);
	assert_non_null(b->parser);
	assert_non_null(b->batch);
}

static inline void bench_close(struct bench *b) {
	gs_batch_free(b->batch);
	gs_expo_parser_free(b->parser);
	gs_store_free(b->store);
}

/* "k=v,k=v" to labels. */
static inline size_t labels_of(const char *text, struct gs_label *labels) {
	struct gs_str rest = gs_str_of(text), one;
	size_t n = 0;
	while (rest.n != 0) {
		gs_str_cut(rest, ',', &one, &rest);
		gs_str_cut(one, '=', &labels[n].name, &labels[n].value);
		n++;
	}
	return n;
}

static inline enum gs_status push_at(struct bench *b, const char *path, const char *body) {
	struct gs_label labels[8];
	struct gs_batch_options options = {.labels = labels, .nlabels = labels_of(path, labels)};
	b->err = (struct gs_error){0};
	gs_batch_begin(b->batch, &options);
	enum gs_status status = gs_batch_read(b->batch, b->parser, NULL, gs_str_of(body), &b->err);
	if (status == GS_OK)
		status = gs_store_push(b->store, b->batch, b->now, &b->result, &b->err);
	gs_store_check(b->store);
	return status;
}

static inline enum gs_status push(struct bench *b, const char *body) {
	return push_at(b, "", body);
}

/* A scrape of group p/j/${instance}, labelled so, at ${time}. */
static inline enum gs_status scrape_at(struct bench *b, const char *instance, int64_t time, const char *body) {
	struct gs_label labels[] = {
	    {GS_STR_INIT("job"), GS_STR_INIT("j")},
	    {GS_STR_INIT("instance"), gs_str_of(instance)},
	};
	struct gs_batch_options options = {.labels = labels, .nlabels = 2, .rule = GS_LABELS_EXPORT, .lenient = true};
	struct gs_scrape_info info = {
	    .key = {.publisher = GS_STR("p"), .job = GS_STR("j"), .instance = gs_str_of(instance)},
	    .time_ms = time,
	    .interval_ms = 1000,
	};
	b->err = (struct gs_error){0};
	gs_batch_begin(b->batch, &options);
	enum gs_status status = gs_batch_read(b->batch, b->parser, NULL, gs_str_of(body), &b->err);
	if (status == GS_OK)
		status = gs_store_scrape(b->store, &info, b->batch, b->now, &b->result);
	gs_store_check(b->store);
	return status;
}

/* The whole exposition, NUL-terminated; to be freed with gs_free. */
static inline char *exposition_in(struct bench *b, struct gs_expo_dialect dialect) {
	struct gs_buf out;
	struct gs_str after = {0};
	size_t n;
	gs_buf_init(&out, SIZE_MAX);
	while (gs_store_render_next(b->store, &after, b->now, dialect, &out))
		continue;
	gs_store_check(b->store);
	gs_buf_char(&out, '\0');
	return gs_buf_take(&out, &n);
}

static inline char *exposition(struct bench *b) {
	return exposition_in(b, (struct gs_expo_dialect){.format = GS_FORMAT_TEXT, .escaping = GS_ESCAPE_VALUES});
}

#define assert_exposition(b, expected)                                                                                 \
	do {                                                                                                           \
		char *text_ = exposition(b);                                                                           \
		assert_string_equal(text_, expected);                                                                  \
		gs_free(text_);                                                                                        \
	} while (0)

#define assert_pushed(b, body)                                                                                         \
	do {                                                                                                           \
		enum gs_status status_ = push(b, body);                                                                \
		if (status_ != GS_OK)                                                                                  \
			fail_msg("push: %u:%u: %s", (b)->err.line, (b)->err.column, (b)->err.text);                    \
	} while (0)

#endif
