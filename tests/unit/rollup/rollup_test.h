/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ROLLUP_TEST_H
#define TESTS_ROLLUP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "gravel/rollup/rollup.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define BY(...) .labels = (const char *const[]){__VA_ARGS__}, .nlabels = N(((const char *const[]){__VA_ARGS__}))

/* A rollup, and what brings expositions to it as a poller does. */
struct fixture {
	struct gs_rollup *rollup;
	struct gs_expo_parser *parser;
	struct gs_labels *labels;
	struct gs_buf out;
	struct gs_buf dropped; /* names of the samples that the last scrape dropped, a line each */
};

static void close_fixture(struct fixture *f) {
	gs_rollup_free(f->rollup);
	gs_expo_parser_free(f->parser);
	gs_labels_free(f->labels);
	gs_buf_free(&f->out);
	gs_buf_free(&f->dropped);
}

static struct fixture open_rules(const struct gs_rollup_rule *rules, size_t n, size_t max_series) {
	struct fixture f = {.parser = gs_expo_parser_new(), .labels = gs_labels_new()};
	struct gs_error err = {0};
	gs_buf_init(&f.out, SIZE_MAX);
	gs_buf_init(&f.dropped, SIZE_MAX);
	assert_int_equal(gs_rollup_new(rules, n, max_series, &f.rollup, &err), GS_OK);
	return f;
}

static inline struct fixture open_rule(struct gs_rollup_rule rule) {
	return open_rules(&rule, 1, 1000);
}

static enum gs_status put_labels(struct fixture *f, const struct gs_expo_event *event, const char *instance) {
	gs_labels_clear(f->labels);
	enum gs_status status = gs_labels_put(f->labels, GS_STR("__name__"), event->name);
	for (size_t i = 0; status == GS_OK && i < event->nlabels; i++)
		status = gs_labels_put(f->labels, event->labels[i].name, event->labels[i].value);
	if (status == GS_OK)
		status = gs_labels_put(f->labels, GS_STR("instance"), gs_str_of(instance));
	return status == GS_OK ? gs_labels_put(f->labels, GS_STR("job"), GS_STR("j")) : status;
}

/* Bring the samples of a body, without an end; the first error. */
static enum gs_status feed(struct fixture *f, enum gs_expo_format format, const char *instance, const char *body) {
	struct gs_expo_options options = {.format = format};
	struct gs_expo_event event;
	enum gs_status status = GS_OK;
	gs_expo_begin(f->parser, &options);
	gs_expo_feed(f->parser, gs_str_of(body), true);
	gs_buf_clear(&f->dropped);
	for (;;) {
		assert_int_equal(gs_expo_next(f->parser, &event, NULL), GS_OK);
		if (event.kind == GS_EXPO_END)
			return status;
		bool drop = false;
		if (event.kind != GS_EXPO_SAMPLE)
			continue;
		assert_int_equal(put_labels(f, &event, instance), GS_OK);
		enum gs_status one = gs_rollup_sample(f->rollup, &event, f->labels, &drop);
		status = status == GS_OK ? one : status;
		if (drop) {
			gs_buf_str(&f->dropped, event.name);
			gs_buf_char(&f->dropped, '\n');
		}
	}
}

/* A whole scrape of target ${t}, whose instance is "t" and its number. */
static enum gs_status scrape_as(struct fixture *f, enum gs_expo_format format, unsigned t, const char *body, bool ok) {
	char instance[16];
	snprintf(instance, sizeof(instance), "t%u", t);
	gs_rollup_begin(f->rollup, t);
	enum gs_status status = feed(f, format, instance, body);
	gs_rollup_end(f->rollup, ok);
	gs_rollup_check(f->rollup);
	return status;
}

static inline void scrape(struct fixture *f, unsigned t, const char *body) {
	assert_int_equal(scrape_as(f, GS_FORMAT_TEXT, t, body, true), GS_OK);
}

static inline void fail_scrape(struct fixture *f, unsigned t, const char *body) {
	assert_int_equal(scrape_as(f, GS_FORMAT_TEXT, t, body, false), GS_OK);
}

static inline const char *written(struct fixture *f) {
	gs_buf_clear(&f->out);
	assert_int_equal(gs_rollup_write(f->rollup, &f->out), GS_OK);
	gs_buf_char(&f->out, '\0');
	return f->out.p;
}

static inline const char *dropped(struct fixture *f) {
	gs_buf_char(&f->dropped, '\0');
	return f->dropped.p;
}

#define assert_results(f, text) assert_string_equal(written(f), text)

#endif
