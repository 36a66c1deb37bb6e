/* SPDX-License-Identifier: Apache-2.0 */
/* What limits refuse: counted, named, and of a scrape a failure. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/codec/codec.h"
#include "gravel/ingest/read.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/wire/wire.h"

static struct gs_ingest *open_ingest(struct gs_ingest_options options) {
	struct gs_ingest *ingest = NULL;
	options.topic = "t";
	if (options.pushes_in_flight == 0)
		options.pushes_in_flight = 4;
	options.push_samples = options.push_samples != 0 ? options.push_samples : 1000;
	gs_telemetry_reset();
	assert_int_equal(gs_ingest_new(&options, &ingest, NULL), GS_OK);
	return ingest;
}

static double limited(const char *limit) {
	return gs_metric_get(GS_M_LIMITED, limit, NULL);
}

static double dropped(const char *reason) {
	return gs_metric_get(GS_M_DROPPED, reason, NULL);
}

/* A scrape of ${instance} in one message; memory fails when ${fail_after} allocations were made from there on (-1: never). */
static void send_failing(struct gs_ingest *ingest, const char *instance, const char *body, int fail_after) {
	static int64_t last_ms;
	struct gs_codec *codec = gs_codec_new();
	struct gs_wire_group group = {GS_STR("pub"), GS_STR("job"), gs_str_of(instance)};
	struct gs_buf subject, line, data;
	int64_t now_ms = gs_clock_wall_ms();
	last_ms = now_ms > last_ms ? now_ms : last_ms + 1;
	struct gs_wire_header header = {
	    .kind = GS_WIRE_SCRAPE,
	    .up = true,
	    .time_ms = last_ms,
	    .sent_ms = last_ms,
	    .interval_ms = 1000,
	    .samples = 7,
	    .samples_kept = 6,
	    .series_added = 5,
	    .parts = 1,
	    .body_size = strlen(body),
	    .labels = GS_STR("rack=\"r1\""),
	};
	gs_buf_init(&subject, 4096);
	gs_buf_init(&line, GS_LIMIT_HEADER);
	gs_buf_init(&data, 1 << 20);
	gs_wire_subject(&subject, GS_STR("t"), &group, 0);
	gs_wire_header_write(&line, &header);
	assert_int_equal(gs_codec_compress(codec, GS_CODEC_ZSTD, 0, gs_str_of(body), &data), GS_OK);
	struct gs_ingest_message message = {.subject = gs_buf_slice(&subject),
	    .header = gs_buf_slice(&line),
	    .data = gs_buf_slice(&data),
	    .stored_ms = last_ms};
	gs_mem_fail_after(fail_after);
	gs_ingest_message(ingest, &message);
	gs_buf_free(&subject);
	gs_buf_free(&line);
	gs_buf_free(&data);
	gs_codec_free(codec);
}

static void send_scrape(struct gs_ingest *ingest, const char *instance, const char *body) {
	send_failing(ingest, instance, body, -1);
}

/* One family without HELP and TYPE, once everything queued before is applied; static memory. */
static const char *family(struct gs_ingest *ingest, const char *name) {
	static char text[65536];
	struct gs_buf out;
	gs_buf_init(&out, sizeof(text) - 1);
	gs_ingest_refresh(ingest);
	gs_ingest_refresh(ingest); /* the first may be served before the queue is */
	struct gs_str names[] = {gs_str_of(name)};
	struct gs_ingest_query query = {.names = names, .nnames = 1};
	assert_int_equal(gs_ingest_read_all(ingest, &query, &out, NULL), GS_OK);
	gs_buf_char(&out, '\0');
	const char *p = out.p;
	while (*p == '#')
		p = strchr(p, '\n') + 1;
	memcpy(text, p, strlen(p) + 1);
	gs_buf_free(&out);
	return text;
}

#define TARGET "instance=\"a\",job=\"job\",rack=\"r1\""

/* What is left of the target a: that it is not up, and why. */
static void assert_failed(struct gs_ingest *ingest) {
	assert_string_equal(family(ingest, "x"), "");
	assert_string_equal(family(ingest, "up"), "up{" TARGET "} 0\n");
	assert_string_equal(family(ingest, "scrape_samples_scraped"), "scrape_samples_scraped{" TARGET "} 7\n");
	assert_string_equal(family(ingest, "scrape_series_added"), "scrape_series_added{" TARGET "} 5\n");
}

static void assert_scraped(struct gs_ingest *ingest) {
	send_scrape(ingest, "a", "x 1\n");
	assert_string_equal(family(ingest, "x"), "x{" TARGET "} 1\n");
	assert_string_equal(family(ingest, "up"), "up{" TARGET "} 1\n");
}

static void test_a_scrape_beyond_a_limit_of_the_store_failed(void **state) {
	(void)state;
	static const struct {
		struct gs_store_options store;
		const char *limit;
	} cases[] = {
	    /* the scrape's own five, and one or two */
	    {{.max_series = 6}, "series"},
	    {{.max_series_per_group = 1}, "series_per_group"},
	    {{.max_series_per_family = 1}, "series_per_family"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gs_ingest *ingest = open_ingest((struct gs_ingest_options){.store = cases[i].store});
		assert_scraped(ingest);
		send_scrape(ingest, "a", "x 1\nx{y=\"1\"} 1\n");
		assert_failed(ingest);
		assert_true(limited(cases[i].limit) == 1);
		assert_true(dropped("limit") == 1);
		/* As soon as it is within the limit, it is back. */
		assert_scraped(ingest);
		assert_true(limited(cases[i].limit) == 1);
		gs_ingest_free(ingest);
	}
}

static void test_a_scrape_that_is_too_large_itself_failed(void **state) {
	(void)state;
	static const struct {
		struct gs_ingest_options options;
		const char *body;
		const char *limit;
	} cases[] = {
	    {{.max_labels = 3}, "x{y=\"1\"} 1\n", "labels_per_series"},
	    {{.max_name = 8}, "z{long_name=\"1\"} 1\n", "name_length"},
	    {{.max_value = 3}, "x{y=\"1234\"} 1\n", "value_length"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gs_ingest *ingest = open_ingest(cases[i].options);
		assert_scraped(ingest);
		send_scrape(ingest, "a", cases[i].body);
		assert_failed(ingest);
		assert_true(limited(cases[i].limit) == 1);
		assert_true(dropped("limit") == 1);
		assert_true(dropped("parse") == 0);
		assert_scraped(ingest);
		gs_ingest_free(ingest);
	}
}

static void test_a_target_for_which_there_is_no_group(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest((struct gs_ingest_options){.store = {.max_groups = 1}});
	assert_scraped(ingest);
	send_scrape(ingest, "b", "x 1\n");
	assert_string_equal(family(ingest, "up"), "up{" TARGET "} 1\n");
	assert_true(limited("groups") == 1);
	assert_true(dropped("limit") == 1);
	gs_ingest_free(ingest);
}

struct outcome {
	enum gs_status status;
	struct gs_error err;
	atomic_bool done;
};

static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct outcome *outcome = ctx;
	outcome->status = status;
	outcome->err = *err;
	atomic_store(&outcome->done, true);
}

/* What a push comes to; ${expect_queued}: whether the writer says so, or who parses it. */
static struct gs_error push(struct gs_ingest *ingest, const char *body, enum gs_status expected, bool expect_queued) {
	struct outcome outcome = {0};
	struct gs_ingest_push what = {.body = gs_str_of(body), .done = on_done, .ctx = &outcome};
	struct gs_error err = {0};
	enum gs_status status = gs_ingest_push(ingest, &what, &err);
	bool queued = status == GS_OK;
	while (queued && !atomic_load(&outcome.done))
		gs_clock_sleep_ms(1);
	assert_int_equal(queued ? outcome.status : status, expected);
	assert_int_equal(queued, expect_queued);
	return queued ? outcome.err : err;
}

static void test_the_answer_names_the_key(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest(
	    (struct gs_ingest_options){.store = {.max_series_per_family = 1}, .push_samples = 2, .max_labels = 1});
	struct gs_error err = push(ingest, "a 1\na{x=\"1\"} 1\n", GS_ELIMIT, true);
	assert_string_equal(err.text, "family \"a\" is full: it may have 1 series (receiver.limits.series_per_family)");
	assert_int_equal(err.line, 2);
	assert_true(limited("series_per_family") == 1);
	err = push(ingest, "a 1\nb 1\nc 1\n", GS_ELIMIT, false);
	assert_string_equal(err.text, "more than 2 samples (receiver.limits.push_samples)");
	assert_true(limited("push_samples") == 1);
	err = push(ingest, "a{x=\"1\",y=\"1\"} 1\n", GS_ELIMIT, false);
	assert_string_equal(err.text, "\"a\" has more than 1 labels (receiver.limits.labels_per_series)");
	assert_true(limited("labels_per_series") == 1);
	assert_string_equal(family(ingest, "a"), "");
	push(ingest, "a 1\n", GS_OK, true);
	gs_ingest_free(ingest);
}

/* The parser's own limits are no keys, or the highest that a key can be. */
static void test_limits_of_the_parser(void **state) {
	(void)state;
	static char body[GS_LIMIT_LINE + 64];
	struct gs_ingest *ingest = open_ingest((struct gs_ingest_options){0});
	memset(body, 'a', sizeof(body) - 1);
	body[GS_LIMIT_NAME + 1] = ' ';
	struct gs_error err = push(ingest, body, GS_ELIMIT, false);
	assert_string_equal(err.text, "the line is longer than 1048576 bytes");
	assert_true(limited("other") == 1);
	memcpy(body + GS_LIMIT_NAME + 1, " 1\n", 4);
	err = push(ingest, body, GS_ELIMIT, false);
	assert_non_null(strstr(err.text, "is longer than 1024 bytes (receiver.limits.name_length)"));
	assert_true(limited("name_length") == 1);
	gs_ingest_free(ingest);
}

/* Counter a and more samples than what is applied at once may have. */
static const char *large_body(void) {
	static char body[6000 * 16];
	size_t n = (size_t)snprintf(body, sizeof(body), "a 1\n");
	for (int i = 0; i < 5000; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, "b{x=\"%d\"} 1\n", i);
	return body;
}

/* The pushes wait for the writer, which waits in here for the end of the first. */
static void wait_in_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct outcome *outcome = ctx;
	outcome->status = status;
	(void)err;
	while (!atomic_load(&outcome->done))
		gs_clock_sleep_ms(1);
}

static void test_pushes_in_flight(void **state) {
	(void)state;
	enum { IN_FLIGHT = 3 };
	struct outcome first = {0}, others[IN_FLIGHT] = {{0}};
	struct gs_error err = {0};
	struct gs_ingest *ingest =
	    open_ingest((struct gs_ingest_options){.pushes_in_flight = IN_FLIGHT, .push_samples = 10000});
	struct gs_ingest_push what = {.body = gs_str_of(large_body()), .done = wait_in_done, .ctx = &first};
	first.status = GS_EIO;
	assert_int_equal(gs_ingest_push(ingest, &what, &err), GS_OK);
	/* The first is counted until it was applied; then the writer is in its done. */
	what.done = on_done;
	for (int i = 0; i < IN_FLIGHT; i++) {
		what.ctx = &others[i];
		while (gs_ingest_push(ingest, &what, &err) == GS_EAGAIN)
			gs_clock_sleep_ms(1);
	}
	double before = limited("pushes_in_flight");
	assert_int_equal(gs_ingest_push(ingest, &what, &err), GS_EAGAIN);
	assert_string_equal(err.text, "there are 3 pushes in flight; try again (receiver.limits.pushes_in_flight)");
	assert_int_equal(gs_ingest_delete(ingest, &what, NULL), GS_EAGAIN);
	assert_true(limited("pushes_in_flight") == before + 2);
	atomic_store(&first.done, true);
	for (int i = 0; i < IN_FLIGHT; i++) {
		while (!atomic_load(&others[i].done))
			gs_clock_sleep_ms(1);
		assert_int_equal(others[i].status, GS_OK);
	}
	assert_string_equal(family(ingest, "a"), "a 4\n");
	gs_ingest_free(ingest);
}

static void test_samples_in_flight(void **state) {
	(void)state;
	struct outcome first = {0}, second = {0};
	struct gs_error err = {0};
	struct gs_ingest *ingest = open_ingest(
	    (struct gs_ingest_options){.pushes_in_flight = 100, .push_samples = 10000, .samples_in_flight = 6000});
	struct gs_ingest_push what = {.body = gs_str_of(large_body()), .done = wait_in_done, .ctx = &first};
	assert_int_equal(gs_ingest_push(ingest, &what, &err), GS_OK);
	/* The first is counted until it was applied. */
	what.done = on_done;
	what.ctx = &second;
	while (gs_ingest_push(ingest, &what, &err) == GS_EAGAIN)
		gs_clock_sleep_ms(1);
	double before = limited("samples");
	assert_int_equal(gs_ingest_push(ingest, &what, &err), GS_EAGAIN);
	assert_string_equal(err.text, "there are 6000 samples in flight; try again");
	assert_true(limited("samples") == before + 1);
	push(ingest, "c 1\n", GS_OK, true);
	atomic_store(&first.done, true);
	while (!atomic_load(&second.done))
		gs_clock_sleep_ms(1);
	assert_int_equal(second.status, GS_OK);
	assert_string_equal(family(ingest, "a"), "a 2\n");
	gs_ingest_free(ingest);
}

/* Whatever allocation fails, the scrape before stands or the failure does. */
static void test_out_of_memory(void **state) {
	(void)state;
	bool done = false;
	for (int n = 0; !done; n++) {
		struct gs_ingest *ingest =
		    open_ingest((struct gs_ingest_options){.store = {.max_series_per_group = 1}});
		assert_scraped(ingest);
		send_failing(ingest, "a", "x 1\nx{y=\"1\"} 1\n", n);
		gs_ingest_refresh(ingest);
		gs_ingest_refresh(ingest); /* now it is applied, or was dropped */
		done = !gs_mem_failed();
		gs_mem_fail_after(-1);
		const char *up = family(ingest, "up");
		bool failed = strcmp(up, "up{" TARGET "} 0\n") == 0;
		assert_true(failed || strcmp(up, "up{" TARGET "} 1\n") == 0);
		assert_string_equal(family(ingest, "x"), failed ? "" : "x{" TARGET "} 1\n");
		assert_true(failed || !done);
		gs_ingest_free(ingest);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_scrape_beyond_a_limit_of_the_store_failed),
	    cmocka_unit_test(test_a_scrape_that_is_too_large_itself_failed),
	    cmocka_unit_test(test_a_target_for_which_there_is_no_group),
	    cmocka_unit_test(test_the_answer_names_the_key),
	    cmocka_unit_test(test_limits_of_the_parser),
	    cmocka_unit_test(test_pushes_in_flight),
	    cmocka_unit_test(test_samples_in_flight),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
