/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TEST_TRANSFORM_H
#define GRAVEL_TEST_TRANSFORM_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/transform/transform.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* What most tests scrape: job="j", instance="i". */
static const struct gs_label usual_target[] = {
    {GS_STR_INIT("instance"), GS_STR_INIT("i")}, {GS_STR_INIT("job"), GS_STR_INIT("j")}};

/* One scrape and what came of it. */
struct scrape {
	struct gs_transform_options options;
	const struct gs_label *target;
	size_t ntarget;
	struct gs_expo_options format;
	bool windows; /* gs_transform_window is called */
	size_t piece; /* bytes that the body comes in; 0: all at once */
	enum gs_status status;
	struct gs_error err;
	struct gs_transform_result result;
	struct gs_buf out;
	size_t kept_events;
};

static inline void scrape_init(struct scrape *s) {
	*s = (struct scrape){.options.honor_timestamps = true, .target = usual_target, .ntarget = N(usual_target)};
	gs_buf_init(&s->out, 1 << 26);
}

/* Feed the events, as the relay does. */
static inline enum gs_status scrape_events(
    struct scrape *s, struct gs_transform *transform, struct gs_expo_parser *parser, struct gs_str body) {
	struct gs_expo_event event = {0};
	size_t piece = s->piece != 0 ? s->piece : body.n, end = 0, used = 0, start = 0;
	enum gs_status status = GS_EAGAIN;
	gs_expo_begin(parser, &s->format);
	while (status == GS_EAGAIN) {
		start += used;
		end = body.n - end < piece ? body.n : end + piece;
		struct gs_str window = gs_str_make(body.p + start, end - start);
		if (s->windows)
			gs_transform_window(transform, used, window);
		gs_expo_feed(parser, window, end == body.n);
		while ((status = gs_expo_next(parser, &event, &s->err)) == GS_OK) {
			status = gs_transform_event(transform, &event, &s->err);
			s->kept_events += gs_transform_kept(transform);
			if (status != GS_OK || event.kind == GS_EXPO_END)
				return status;
		}
		used = gs_expo_used(parser);
	}
	return status;
}

/* One scrape by a transform that is there. */
static inline void scrape_by(struct scrape *s, struct gs_transform *transform, struct gs_str body) {
	struct gs_expo_parser *parser = gs_expo_parser_new();
	gs_buf_clear(&s->out);
	s->err = (struct gs_error){0};
	s->kept_events = 0;
	if (parser == NULL) {
		s->status = GS_ENOMEM;
		return;
	}
	gs_transform_begin(transform, s->target, s->ntarget, 1, &s->format, &s->out);
	s->status = scrape_events(s, transform, parser, body);
	enum gs_status ended = gs_transform_end(transform, s->status == GS_OK, &s->result, &s->err);
	if (s->status == GS_OK)
		s->status = ended;
	assert_int_equal(s->kept_events, s->result.kept);
	gs_expo_parser_free(parser);
}

static inline void scrape_run(struct scrape *s, struct gs_str body) {
	struct gs_transform *transform = NULL;
	s->err = (struct gs_error){0};
	s->status = gs_transform_new(&s->options, &transform, &s->err);
	if (s->status == GS_OK)
		scrape_by(s, transform, body);
	gs_transform_free(transform);
}

static inline void scrape_close(struct scrape *s) {
	gs_buf_free(&s->out);
}

static inline void assert_written(struct scrape *s, const char *expected) {
	if (s->status != GS_OK)
		fail_msg("%s: %s", gs_status_name(s->status), s->err.text);
	gs_buf_char(&s->out, '\0');
	assert_string_equal(s->out.p, expected);
}

/* ${body} becomes ${expected} by the options of ${s}, with these numbers. */
static inline void becomes(struct scrape *s, const char *body, const char *expected, uint64_t samples, uint64_t kept) {
	scrape_run(s, gs_str_of(body));
	assert_written(s, expected);
	assert_int_equal(s->result.samples, samples);
	assert_int_equal(s->result.kept, kept);
}

/* ${body} makes the scrape fail. */
static inline void fails(struct scrape *s, const char *body, enum gs_status status, const char *text, const char *limit,
    uint64_t samples, uint64_t kept) {
	scrape_run(s, gs_str_of(body));
	assert_int_equal(s->status, status);
	assert_string_equal(s->err.text, text);
	if (limit != NULL)
		assert_string_equal(s->err.limit, limit);
	else
		assert_null(s->err.limit);
	assert_int_equal(s->result.samples, samples);
	assert_int_equal(s->result.kept, kept);
	assert_int_equal(s->out.n, 0);
	assert_int_equal(s->out.status, GS_OK);
}

/* Rules, with the defaults filled in. */
static inline struct gs_relabel_rule rule_of(enum gs_relabel_action action, const char *const *source,
    const char *regex, const char *target, const char *replacement) {
	size_t n = 0;
	while (source != NULL && source[n] != NULL)
		n++;
	return (struct gs_relabel_rule){.action = action,
	    .source_labels = source,
	    .nsource_labels = n,
	    .separator = ";",
	    .regex = regex != NULL ? regex : "(.*)",
	    .target_label = target,
	    .replacement = replacement != NULL ? replacement : "$1"};
}

#define SOURCE(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
