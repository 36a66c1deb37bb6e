/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that may happen to a receiver's store at the same time: pushers, groups of the Pushgateway's dialect, deletions, a stream of scrapes;
 * readers of the whole and of families, pages, numbers. Readers see every family as it was at one moment and counters that never fall; at the end
 * every count is exact. Made for TSan.
 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gravel/base/clock.h"
#include "gravel/codec/codec.h"
#include "gravel/ingest/ingest.h"
#include "gravel/ingest/read.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/wire/wire.h"

#define PUSHERS 3
#define PUSHES 300 /* of each */
#define REMOVALS 100
#define PUTS 100
#define SCRAPES 200
#define WIDTH 50 /* series of the family that shows whether it is read at one moment */
#define READS_MIN 5

/* The samples of a push. */
#define PUSH_SAMPLES 6
#define PUSH                                                                                                           \
	"# TYPE shared_total counter\nshared_total 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\n"                      \
	"h_bucket{le=\"+Inf\"} 2\nh_sum 3\nlast{clearmode=\"p50:1h\"} 5\nby_pusher 1\n"

struct stress {
	struct gs_ingest *ingest;
	atomic_int pushers; /* started so far */
	atomic_bool stop;
	atomic_int failures;
	atomic_int reads;
};

/* cmocka's asserts are for the main thread. */
static void expect(struct stress *s, bool condition, const char *what) {
	if (condition)
		return;
	if (atomic_fetch_add(&s->failures, 1) < 10)
		fprintf(stderr, "%s\n", what);
}

/* Changing */

struct outcome {
	atomic_bool done;
	enum gs_status status;
};

static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct outcome *outcome = ctx;
	(void)err;
	outcome->status = status;
	atomic_store(&outcome->done, true);
}

enum change { CHANGE_PUSH, CHANGE_DELETE, CHANGE_PUT, CHANGE_REMOVE };

/* Until it is taken; what is not taken has changed nothing. */
static enum gs_status change(
    struct stress *s, enum change kind, const char *name, const char *value, const char *body) {
	for (;;) {
		struct outcome outcome = {0};
		struct gs_label label = {gs_str_of(name), gs_str_of(value)};
		struct gs_ingest_push what = {
		    .body = gs_str_of(body), .labels = &label, .nlabels = 1, .done = on_done, .ctx = &outcome};
		enum gs_status status = GS_EINVAL;
		if (kind == CHANGE_PUSH)
			status = gs_ingest_push(s->ingest, &what, NULL);
		else if (kind == CHANGE_DELETE)
			status = gs_ingest_delete(s->ingest, &what, NULL);
		else
			status = gs_ingest_gateway(
			    s->ingest, kind == CHANGE_PUT ? GS_GATEWAY_PUT : GS_GATEWAY_DELETE, &what, NULL);
		if (status == GS_EAGAIN)
			continue;
		while (status == GS_OK && !atomic_load(&outcome.done))
			gs_clock_sleep_ms(1);
		return status == GS_OK ? outcome.status : status;
	}
}

static void *pusher(void *arg) {
	struct stress *s = arg;
	char name[16];
	snprintf(name, sizeof(name), "%d", atomic_fetch_add(&s->pushers, 1));
	for (int i = 0; i < PUSHES; i++) {
		expect(s, change(s, CHANGE_PUSH, "pusher", name, PUSH) == GS_OK, "a push is refused");
		expect(s, change(s, CHANGE_PUSH, "all", "1", "of_all 1\n") == GS_OK, "a push is refused");
	}
	return NULL;
}

static void *remover(void *arg) {
	for (int i = 0; i < REMOVALS; i++) {
		expect(arg, change(arg, CHANGE_PUSH, "job", "gone", "gone{x=\"1\"} 1\ngone{x=\"2\"} 1\n") == GS_OK,
		    "a push is refused");
		expect(arg, change(arg, CHANGE_DELETE, "job", "gone", "") == GS_OK, "a deletion is refused");
	}
	return NULL;
}

static void *putter(void *arg) {
	char body[64];
	for (int i = 0; i < PUTS; i++) {
		snprintf(body, sizeof(body), "put %d\nput{x=\"1\"} %d\n", i, i);
		expect(arg, change(arg, CHANGE_PUT, "job", i % 2 != 0 ? "odd" : "even", body) == GS_OK,
		    "a PUT is refused");
		expect(
		    arg, i % 2 != 0 || change(arg, CHANGE_REMOVE, "job", "even", "") == GS_OK, "a DELETE is refused");
	}
	return NULL;
}

static void *scraper(void *arg) {
	static const struct gs_wire_group group = {GS_STR_INIT("pub"), GS_STR_INIT("job"), GS_STR_INIT("a:1")};
	struct stress *s = arg;
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf subject, line, data, body;
	int64_t now = gs_clock_wall_ms() - SCRAPES;
	gs_buf_init(&subject, 4096);
	gs_buf_init(&line, GS_LIMIT_HEADER);
	gs_buf_init(&data, 1 << 20);
	gs_buf_init(&body, 1 << 20);
	gs_wire_subject(&subject, GS_STR("prometheus"), &group, 0);
	for (int i = 0; i < SCRAPES; i++) {
		gs_buf_clear(&line);
		gs_buf_clear(&data);
		gs_buf_clear(&body);
		for (int k = 0; k < WIDTH; k++)
			gs_buf_printf(&body, "wide{k=\"%d\"} %d\n", k, i);
		gs_buf_printf(&body, "new_%d 1\n", i);
		struct gs_wire_header header = {.kind = GS_WIRE_SCRAPE,
		    .up = true,
		    .time_ms = now + i,
		    .sent_ms = now + i,
		    .interval_ms = 60000,
		    .parts = 1,
		    .body_size = body.n};
		gs_wire_header_write(&line, &header);
		expect(s, gs_codec_compress(codec, GS_CODEC_ZSTD, 0, gs_buf_slice(&body), &data) == GS_OK, "zstd");
		gs_ingest_message(s->ingest, &(struct gs_ingest_message){.subject = gs_buf_slice(&subject),
						 .header = gs_buf_slice(&line),
						 .data = gs_buf_slice(&data),
						 .stored_ms = now + i});
	}
	gs_buf_free(&subject);
	gs_buf_free(&line);
	gs_buf_free(&data);
	gs_buf_free(&body);
	gs_codec_free(codec);
	return NULL;
}

/* Reading */

/* The value behind the first line that begins with ${series}; -1: there is none. */
static double value_of(const char *text, const char *series) {
	size_t n = strlen(series);
	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
		if (strncmp(line, series, n) == 0 && line[n] == ' ')
			return strtod(line + n, NULL);
	}
	return -1;
}

/* All series of the family came with one scrape, so they have one value. */
static void check_wide(struct stress *s, const char *text) {
	const char *line = strstr(text, "\nwide{");
	double first = -1;
	int n = 0;
	for (; line != NULL && strncmp(line, "\nwide{", 6) == 0; line = strchr(line + 1, '\n')) {
		double value = strtod(strchr(line, '}') + 1, NULL);
		expect(s, n == 0 || value == first, "a family is read at two moments");
		first = value;
		n++;
	}
	expect(s, n == 0 || n == WIDTH, "a part of a family is missing");
}

static void check_text(struct stress *s, const char *text, double *last) {
	double shared = value_of(text, "of_all{all=\"1\"}");
	double one = value_of(text, "h_bucket{pusher=\"0\",le=\"1\"}"),
	       inf = value_of(text, "h_bucket{pusher=\"0\",le=\"+Inf\"}");
	expect(s, shared >= *last, "a counter falls");
	expect(s, one < 0 || inf == 2 * one, "a histogram is read at two moments");
	*last = shared;
	check_wide(s, text);
}

/* NUL-terminated. */
static void read_text(struct stress *s, const struct gs_ingest_query *query, struct gs_buf *out) {
	gs_buf_clear(out);
	expect(s, gs_ingest_read_all(s->ingest, query, out, NULL) == GS_OK, "reading fails");
	gs_buf_char(out, '\0');
	atomic_fetch_add(&s->reads, 1);
}

static void *reader(void *arg) {
	struct stress *s = arg;
	struct gs_buf out;
	double last = -1;
	gs_buf_init(&out, SIZE_MAX);
	for (int i = 0; i < READS_MIN || !atomic_load(&s->stop); i++) {
		read_text(s, &(struct gs_ingest_query){.nnames = 0}, &out);
		check_text(s, out.p, &last);
	}
	gs_buf_free(&out);
	return NULL;
}

static void *compressed_reader(void *arg) {
	struct stress *s = arg;
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf out, text;
	double last = -1;
	gs_buf_init(&out, SIZE_MAX);
	gs_buf_init(&text, 1 << 24);
	for (int i = 0; i < READS_MIN || !atomic_load(&s->stop); i++) {
		gs_buf_clear(&out);
		gs_buf_clear(&text);
		struct gs_ingest_query query = {.encoding = GS_CODEC_GZIP};
		expect(s, gs_ingest_read_all(s->ingest, &query, &out, NULL) == GS_OK, "reading fails");
		expect(s, gs_codec_decompress(codec, GS_CODEC_GZIP, gs_buf_slice(&out), &text) == GS_OK, "gzip");
		gs_buf_char(&text, '\0');
		check_text(s, text.p, &last);
	}
	gs_buf_free(&out);
	gs_buf_free(&text);
	gs_codec_free(codec);
	return NULL;
}

static void *family_reader(void *arg) {
	struct stress *s = arg;
	struct gs_str names[] = {GS_STR("wide"), GS_STR("of_all"), GS_STR("gone"), GS_STR("put")};
	struct gs_buf out;
	double last = -1;
	gs_buf_init(&out, SIZE_MAX);
	for (int i = 0; i < READS_MIN || !atomic_load(&s->stop); i++) {
		read_text(s, &(struct gs_ingest_query){.names = names, .nnames = 4}, &out);
		check_text(s, out.p, &last);
		/* Two series that come and go with one change. */
		expect(s,
		    (strstr(out.p, "gone{job=\"gone\",x=\"1\"}") != NULL) ==
			(strstr(out.p, "gone{job=\"gone\",x=\"2\"}") != NULL),
		    "half of a push is read");
	}
	gs_buf_free(&out);
	return NULL;
}

static void *watcher(void *arg) {
	struct stress *s = arg;
	struct gs_buf out;
	gs_buf_init(&out, SIZE_MAX);
	for (int i = 0; i < READS_MIN || !atomic_load(&s->stop); i++) {
		struct gs_store_stats stats = gs_ingest_stats(s->ingest);
		expect(s, stats.groups_gateway <= 2 && stats.groups_fresh <= 1, "there are groups too many");
		gs_buf_clear(&out);
		gs_ingest_page(s->ingest, (enum gs_ingest_page)(i % (GS_PAGE_PUBLISHERS + 1)), &out);
		expect(s, out.status == GS_OK && out.n != 0, "a page fails");
		gs_ingest_refresh(s->ingest);
	}
	gs_buf_free(&out);
	return NULL;
}

/* The end */

static void assert_exact(struct stress *s) {
	struct gs_buf out;
	gs_buf_init(&out, SIZE_MAX);
	gs_ingest_refresh(s->ingest);
	gs_ingest_refresh(s->ingest); /* the first may be served before the queue is */
	read_text(s, &(struct gs_ingest_query){.nnames = 0}, &out);
	assert_true(value_of(out.p, "of_all{all=\"1\"}") == PUSHERS * PUSHES);
	for (int i = 0; i < PUSHERS; i++) {
		char series[64];
		snprintf(series, sizeof(series), "shared_total{pusher=\"%d\"}", i);
		assert_true(value_of(out.p, series) == PUSHES);
		snprintf(series, sizeof(series), "h_bucket{pusher=\"%d\",le=\"+Inf\"}", i);
		assert_true(value_of(out.p, series) == 2 * PUSHES);
		snprintf(series, sizeof(series), "last{pusher=\"%d\"}", i);
		assert_true(value_of(out.p, series) == 5);
	}
	assert_null(strstr(out.p, "\ngone"));
	assert_null(strstr(out.p, "job=\"even\""));
	assert_true(value_of(out.p, "put{instance=\"\",job=\"odd\",x=\"1\"}") == PUTS - 1);
	assert_true(value_of(out.p, "wide{instance=\"a:1\",job=\"job\",publisher=\"pub\",k=\"0\"}") == SCRAPES - 1);
	assert_null(strstr(out.p, "new_0{"));
	gs_buf_free(&out);
	assert_true(gs_metric_get(GS_M_APPLIED, NULL, NULL) == SCRAPES);
	assert_true(gs_metric_get(GS_M_APPLIED_SAMPLES, "push", NULL) ==
		    PUSHERS * PUSHES * (PUSH_SAMPLES + 1) + 2 * REMOVALS + 2 * PUTS);
	assert_true(
	    gs_metric_get(GS_M_JOURNAL_POSITION, NULL, NULL) == 2 * PUSHERS * PUSHES + 2 * REMOVALS + PUTS + PUTS / 2);
	assert_int_equal(gs_ingest_stats(s->ingest).groups_gateway, 1);
}

static void test_everything_at_once(void **state) {
	static void *(*const changers[])(void *) = {pusher, pusher, pusher, remover, putter, scraper};
	static void *(*const readers[])(void *) = {reader, reader, compressed_reader, family_reader, watcher};
	enum { CHANGERS = sizeof(changers) / sizeof(changers[0]), READERS = sizeof(readers) / sizeof(readers[0]) };
	pthread_t threads[CHANGERS + READERS];
	struct stress s = {0};
	struct gs_ingest_options options = {
	    .store = {.max_age_ms = 80000},
	    .publisher_label = true,
	    .topic = "prometheus",
	    .push_samples = 5000,
	    .pushes_in_flight = 4,
	};
	(void)state;
	gs_telemetry_reset();
	assert_int_equal(gs_ingest_new(&options, &s.ingest, NULL), GS_OK);
	for (int i = 0; i < CHANGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, changers[i], &s), 0);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[CHANGERS + i], NULL, readers[i], &s), 0);
	for (int i = 0; i < CHANGERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&s.stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[CHANGERS + i], NULL);
	assert_int_equal(atomic_load(&s.failures), 0);
	assert_exact(&s);
	gs_ingest_free(s.ingest);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything_at_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
