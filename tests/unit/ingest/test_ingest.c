/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver's heart without a network: messages as they come from the bus, pushes as they come from HTTP. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../../../lib/ingest/ingest_internal.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/codec/codec.h"
#include "gravel/ingest/read.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/wire/wire.h"

static const struct gs_wire_group group_a = {GS_STR_INIT("pub"), GS_STR_INIT("job"), GS_STR_INIT("a:1")};

static struct gs_ingest *open_ingest(void) {
	struct gs_ingest_options options = {
	    .store = {.max_age_ms = 80000},
	    .publisher_label = true,
	    .topic = "prometheus",
	    .push_samples = 5000,
	    .pushes_in_flight = 64,
	};
	struct gs_ingest *ingest = NULL;
	gs_telemetry_reset();
	assert_int_equal(gs_ingest_new(&options, &ingest, NULL), GS_OK);
	return ingest;
}

static struct gs_wire_header header_at(int64_t time_ms) {
	return (struct gs_wire_header){
	    .kind = GS_WIRE_SCRAPE,
	    .up = true,
	    .time_ms = time_ms,
	    .sent_ms = time_ms,
	    .interval_ms = 1000,
	    .duration_us = 1500,
	    .samples = 2,
	    .samples_kept = 2,
	    .series_added = 1,
	    .parts = 1,
	};
}

/* Send one part; ${claim} replaces the size of the body in the header if it is not 0. */
static void send_part(struct gs_ingest *ingest, struct gs_wire_header header, const char *body, uint64_t claim) {
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf subject, line, data;
	gs_buf_init(&subject, 4096);
	gs_buf_init(&line, GS_LIMIT_HEADER);
	gs_buf_init(&data, 1 << 20);
	header.body_size = claim != 0 ? claim : strlen(body);
	gs_wire_subject(&subject, GS_STR("prometheus"), &group_a, header.part);
	gs_wire_header_write(&line, &header);
	if (body[0] != '\0')
		assert_int_equal(gs_codec_compress(codec, GS_CODEC_ZSTD, 0, gs_str_of(body), &data), GS_OK);
	struct gs_ingest_message message = {
	    .subject = gs_buf_slice(&subject),
	    .header = gs_buf_slice(&line),
	    .data = gs_buf_slice(&data),
	    .stored_ms = header.time_ms,
	};
	gs_ingest_message(ingest, &message);
	gs_buf_free(&subject);
	gs_buf_free(&line);
	gs_buf_free(&data);
	gs_codec_free(codec);
}

static double dropped(const char *reason) {
	return gs_metric_get(GS_M_DROPPED, reason, NULL);
}

/* One family, once everything queued before is applied; static memory. */
static const char *family(struct gs_ingest *ingest, const char *name) {
	static char text[65536];
	struct gs_buf out;
	gs_buf_init(&out, sizeof(text) - 1);
	gs_ingest_refresh(ingest);
	gs_ingest_refresh(ingest); /* the first may be served before the queue is */
	struct gs_str names[] = {gs_str_of(name)};
	struct gs_ingest_query query = {.names = names, .nnames = 1};
	assert_int_equal(gs_ingest_read_all(ingest, &query, &out, NULL), GS_OK);
	memcpy(text, out.p != NULL ? out.p : "", out.n);
	text[out.n] = '\0';
	gs_buf_free(&out);
	return text;
}

static void test_scrape(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	int64_t now = gs_clock_wall_ms();
	struct gs_wire_header header = header_at(now);
	header.labels = GS_STR("rack=\"r1\",say=\"a\\\"b\"");
	send_part(ingest, header, "# TYPE x gauge\nx{job=\"inner\"} 5\n", 0);
	assert_string_equal(family(ingest, "x"), "# TYPE x "
						 "gauge\nx{instance=\"a:1\",job=\"job\",publisher=\"pub\","
						 "exported_job=\"inner\",rack=\"r1\",say=\"a\\\"b\"} 5\n");
	assert_non_null(strstr(
	    family(ingest, "up"), "up{instance=\"a:1\",job=\"job\",publisher=\"pub\",rack=\"r1\",say=\"a\\\"b\"} 1\n"));
	assert_non_null(strstr(family(ingest, "scrape_duration_seconds"), "} 0.0015\n"));
	assert_non_null(strstr(family(ingest, "scrape_samples_scraped"), "} 2\n"));
	assert_non_null(strstr(family(ingest, "scrape_series_added"), "} 1\n"));
	assert_non_null(
	    strstr(family(ingest, "gravel_scrape_age_seconds"), "# HELP gravel_scrape_age_seconds How old"));
	assert_non_null(strstr(family(ingest, "gravel_scrape_timestamp_seconds"),
	    "gravel_scrape_timestamp_seconds{instance=\"a:1\",job=\"job\",publisher=\"pub\"} "));
	assert_non_null(strstr(family(ingest, "gravel_publisher_clock_skew_seconds"), "{publisher=\"pub\"} 0\n"));
	assert_true(gs_metric_get(GS_M_APPLIED, NULL, NULL) == 1);

	/* A failed scrape: no series, up 0. */
	header = header_at(now + 1);
	header.up = false;
	header.cause = GS_STR("connect");
	send_part(ingest, header, "", 0);
	assert_string_equal(family(ingest, "x"), "");
	assert_non_null(strstr(family(ingest, "up"), "} 0\n"));
	gs_ingest_free(ingest);
}

static void test_honor_labels(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct gs_wire_header header = header_at(gs_clock_wall_ms());
	header.honor_labels = true;
	send_part(ingest, header, "x{job=\"inner\",publisher=\"me\"} 5\n", 0);
	assert_string_equal(
	    family(ingest, "x"), "# TYPE x untyped\nx{instance=\"a:1\",job=\"inner\",publisher=\"me\"} 5\n");
	gs_ingest_free(ingest);
}

static void test_parts(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct gs_wire_header header = header_at(gs_clock_wall_ms());
	header.parts = 2;
	header.part = 1;
	send_part(ingest, header, "y 2\n", 0);
	assert_string_equal(family(ingest, "y"), "");
	header.part = 0;
	send_part(ingest, header, "x 1\n", 0);
	assert_non_null(strstr(family(ingest, "x"), "} 1\n"));
	assert_non_null(strstr(family(ingest, "y"), "} 2\n"));
	gs_ingest_free(ingest);
}

/* Series and freshness leave at once; what is older, whole or in parts, does not come back. */
static void test_gone(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	int64_t now = gs_clock_wall_ms();
	struct gs_wire_header gone = header_at(now);
	gone.kind = GS_WIRE_GONE;
	send_part(ingest, header_at(now - 5), "x 1\n", 0);
	assert_non_null(strstr(family(ingest, "x"), "} 1\n"));
	assert_non_null(strstr(family(ingest, "gravel_scrape_age_seconds"), "instance=\"a:1\""));
	struct gs_wire_header old = header_at(now - 4);
	old.parts = 3;
	old.part = 1;
	send_part(ingest, old, "x 2\n", 0);
	send_part(ingest, gone, "", 0);
	assert_string_equal(family(ingest, "x"), "");
	assert_null(strstr(family(ingest, "up"), "a:1"));
	assert_null(strstr(family(ingest, "gravel_scrape_age_seconds"), "a:1"));
	assert_true(gs_metric_get(GS_M_GONE, NULL, NULL) == 1);
	assert_true(dropped("incomplete") == 1);
	old.part = 2;
	send_part(ingest, old, "x 3\n", 0);
	send_part(ingest, header_at(now), "x 4\n", 0);
	assert_string_equal(family(ingest, "x"), "");
	assert_true(dropped("out_of_order") == 1);
	/* A newer scrape is there: this one says nothing. */
	send_part(ingest, header_at(now + 2), "x 5\n", 0);
	gone.time_ms = now + 1;
	send_part(ingest, gone, "", 0);
	assert_non_null(strstr(family(ingest, "x"), "} 5\n"));
	assert_true(dropped("out_of_order") == 2);
	gone.time_ms = now - 80001;
	send_part(ingest, gone, "", 0);
	assert_true(dropped("max_age") == 1);
	assert_true(gs_metric_get(GS_M_GONE, NULL, NULL) == 1);
	gs_ingest_free(ingest);
}

static void test_results(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct gs_wire_header header = header_at(gs_clock_wall_ms());
	header.results = true;
	header.honor_labels = true;
	send_part(ingest, header, "x{job=\"web\"} 5\n", 0);
	assert_string_equal(family(ingest, "x"), "# TYPE x untyped\nx{job=\"web\",publisher=\"pub\"} 5\n");
	static const char *const own[] = {"up", "scrape_duration_seconds", "scrape_samples_scraped",
	    "scrape_samples_post_metric_relabeling", "scrape_series_added"};
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		assert_string_equal(family(ingest, own[i]), "");
	assert_non_null(strstr(family(ingest, "gravel_scrape_age_seconds"),
	    "gravel_scrape_age_seconds{instance=\"a:1\",job=\"job\",publisher=\"pub\"} "));
	/* The next scrape of the same group replaces it, with all of its own again. */
	send_part(ingest, header_at(header.time_ms + 1), "y 6\n", 0);
	assert_string_equal(family(ingest, "x"), "");
	assert_non_null(strstr(family(ingest, "up"), "} 1\n"));
	gs_ingest_free(ingest);
}

/* Labels of the target that stand in place of those of the subject, and none in their place. */
static void test_labels_for_the_subject_s(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct gs_wire_header header = header_at(gs_clock_wall_ms());
	header.labels = GS_STR("job=\"web\",instance=\"\"");
	send_part(ingest, header, "x{job=\"inner\"} 5\n", 0);
	assert_string_equal(
	    family(ingest, "x"), "# TYPE x untyped\nx{job=\"web\",publisher=\"pub\",exported_job=\"inner\"} 5\n");
	assert_non_null(strstr(family(ingest, "up"), "\nup{job=\"web\",publisher=\"pub\"} 1\n"));
	assert_non_null(strstr(family(ingest, "gravel_scrape_age_seconds"),
	    "gravel_scrape_age_seconds{instance=\"a:1\",job=\"job\",publisher=\"pub\"} "));
	gs_ingest_free(ingest);
}

/* Everything that is not ours, broken, of a later version or too large is counted by reason, and nothing else happens. */
static void test_bad_messages(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	int64_t now = gs_clock_wall_ms();
	static const struct {
		const char *subject;
		const char *header;
		const char *reason;
	} rows[] = {
	    {"other.scrape.p.j.i.0", "", "subject"},
	    {"prometheus.scrape.p.j", "", "subject"},
	    {"prometheus.scrape.p.j.=ZZ.0", "", "subject"},
	    {"prometheus.scrape.=FF.j.i.0", "", "subject"},
	    {"prometheus.scrape.p.=C3=28.i.0", "", "subject"},
	    {"prometheus.scrape.p.j.=ED=A0=80.0", "", "subject"},
	    {"prometheus.scrape.p.j.i.0", "", "header"},
	    {"prometheus.scrape.p.j.i.0", "hello", "header"},
	    {"prometheus.scrape.p.j.i.0", "v=9 k=s", "version"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double before = dropped(rows[i].reason);
		struct gs_ingest_message message = {
		    .subject = gs_str_of(rows[i].subject), .header = gs_str_of(rows[i].header)};
		gs_ingest_message(ingest, &message);
		assert_true(dropped(rows[i].reason) == before + 1);
	}
	send_part(ingest, header_at(now), "x 1\n", 5);
	assert_true(dropped("body") == 1);
	send_part(ingest, header_at(now), "x 1\n", UINT64_C(4) << 30);
	assert_true(dropped("header") == 3);
	send_part(ingest, header_at(now), "<!DOCTYPE html>\n", 0);
	assert_true(dropped("parse") == 1);
	struct gs_wire_header labels = header_at(now);
	labels.labels = GS_STR("a=\"b\"} 1\nevil{x=\"y\"");
	send_part(ingest, labels, "x 1\n", 0);
	assert_true(dropped("parse") == 2);
	send_part(ingest, header_at(now - 80001), "x 1\n", 0);
	assert_true(dropped("max_age") == 1);
	send_part(ingest, header_at(now + 90000), "x 1\n", 0);
	assert_string_equal(family(ingest, "x"), "");
	assert_true(dropped("future") == 1);
	assert_string_equal(family(ingest, "evil"), "");
	send_part(ingest, header_at(now + 5), "x 1\n", 0);
	send_part(ingest, header_at(now + 4), "x 2\n", 0);
	assert_non_null(strstr(family(ingest, "x"), "} 1\n"));
	assert_true(dropped("out_of_order") == 1);
	gs_ingest_free(ingest);
}

struct outcome {
	_Atomic int done;
	pthread_t thread; /* that said so */
	enum gs_status status;
	struct gs_error err;
};

static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct outcome *outcome = ctx;
	outcome->status = status;
	outcome->err = *err;
	outcome->thread = pthread_self();
	atomic_store(&outcome->done, 1);
}

static enum gs_status push(struct gs_ingest *ingest, const char *body, struct gs_error *err) {
	struct outcome outcome = {0};
	struct gs_ingest_push what = {.body = gs_str_of(body), .done = on_done, .ctx = &outcome};
	enum gs_status status = gs_ingest_push(ingest, &what, err);
	if (status != GS_OK)
		return status;
	while (!atomic_load(&outcome.done))
		gs_clock_sleep_ms(1);
	*err = outcome.err;
	return outcome.status;
}

static void test_push(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct gs_error err = {0};
	assert_int_equal(push(ingest, "# TYPE c counter\nc 1\n", &err), GS_OK);
	assert_int_equal(push(ingest, "# TYPE c counter\nc 2\n", &err), GS_OK);
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc 3\n");
	assert_int_equal(push(ingest, "c{\n", &err), GS_EINVAL);
	assert_int_equal(err.line, 1);
	assert_int_equal(push(ingest, "# TYPE c gauge\nc 2\n", &err), GS_ECONFLICT);
	assert_int_equal(err.line, 2);
	assert_true(gs_metric_get(GS_M_JOURNAL_POSITION, NULL, NULL) == 3);
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc 3\n");

	struct outcome outcome = {0};
	struct gs_label label = {GS_STR("x"), GS_STR("y")};
	struct gs_ingest_push what = {.labels = &label, .nlabels = 1, .done = on_done, .ctx = &outcome};
	assert_int_equal(push(ingest, "d{x=\"y\"} 1\n", &err), GS_OK);
	assert_int_equal(gs_ingest_delete(ingest, &what, NULL), GS_OK);
	while (!atomic_load(&outcome.done))
		gs_clock_sleep_ms(1);
	assert_string_equal(family(ingest, "d"), "");
	gs_ingest_free(ingest);
}

#define AT_ONCE 4096 /* samples of the largest push that is applied where it came */

/* Push ${n} samples; whether they were applied on this thread, before the call returned. */
static bool push_here(struct gs_ingest *ingest, int n) {
	struct outcome outcome = {0};
	struct gs_buf body;
	gs_buf_init(&body, SIZE_MAX);
	for (int i = 0; i < n; i++)
		gs_buf_printf(&body, "s%d 1\n", i);
	struct gs_ingest_push what = {.body = gs_buf_slice(&body), .done = on_done, .ctx = &outcome};
	assert_int_equal(gs_ingest_push(ingest, &what, NULL), GS_OK);
	bool at_once = atomic_load(&outcome.done);
	while (!atomic_load(&outcome.done))
		gs_clock_sleep_ms(1);
	assert_int_equal(outcome.status, GS_OK);
	bool here = pthread_equal(outcome.thread, pthread_self());
	assert_true(at_once || !here);
	gs_buf_free(&body);
	return here;
}

/* The writer may be at the store for a moment, but not at every one of so many. A large push is always the writer's. */
static void test_push_at_once(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	int here = 0;
	for (int i = 0; i < 1000; i++)
		here += push_here(ingest, 1);
	assert_true(here > 0);
	assert_string_equal(family(ingest, "s0"), "# TYPE s0 untyped\ns0 1000\n");
	assert_false(push_here(ingest, AT_ONCE + 1));
	assert_string_equal(family(ingest, "s0"), "# TYPE s0 untyped\ns0 1001\n");
	assert_true(gs_metric_get(GS_M_JOURNAL_POSITION, NULL, NULL) == 1001);
	gs_ingest_free(ingest);
}

/* Who waits for the store has the turn; a push that could take the store all the same leaves it to him. */
static void test_push_passes_nobody(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct outcome outcome = {0};
	struct gs_ingest_push what = {.body = GS_STR("s0 1\n"), .done = on_done, .ctx = &outcome};
	assert_true(pthread_mutex_lock(&ingest->turn_lock.mutex) == 0); /* as another thread would */
	assert_int_equal(gs_ingest_push(ingest, &what, NULL), GS_OK);
	assert_false(atomic_load(&outcome.done));
	assert_true(pthread_mutex_unlock(&ingest->turn_lock.mutex) == 0);
	while (!atomic_load(&outcome.done))
		gs_clock_sleep_ms(1);
	assert_false(pthread_equal(outcome.thread, pthread_self()));
	gs_ingest_free(ingest);
}

static enum gs_status gateway(
    struct gs_ingest *ingest, enum gs_gateway_op op, const char *job, const char *body, struct gs_error *err) {
	struct outcome outcome = {0};
	struct gs_label label = {GS_STR("job"), gs_str_of(job)};
	struct gs_ingest_push what = {
	    .body = gs_str_of(body), .labels = &label, .nlabels = 1, .done = on_done, .ctx = &outcome};
	enum gs_status status = gs_ingest_gateway(ingest, op, &what, err);
	if (status != GS_OK)
		return status;
	while (!atomic_load(&outcome.done))
		gs_clock_sleep_ms(1);
	*err = outcome.err;
	return outcome.status;
}

/* What does not parse leaves no trace; what parses and is refused sets the time of failure before it is answered. */
static void test_gateway(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct gs_error err = {0};
	assert_int_equal(gateway(ingest, GS_GATEWAY_PUT, "x", "a{ 1\n", &err), GS_EINVAL);
	assert_int_equal(err.line, 1);
	assert_string_equal(family(ingest, "push_time_seconds"), "");
	assert_int_equal(gateway(ingest, GS_GATEWAY_PUT, "x", "b 1\na 1 5\n", &err), GS_EINVAL);
	assert_int_equal(err.line, 2);
	assert_string_equal(err.text, "\"a\" has a timestamp: pushed metrics must not");
	assert_non_null(strstr(family(ingest, "push_time_seconds"), "push_time_seconds{instance=\"\",job=\"x\"} 0\n"));
	assert_non_null(strstr(family(ingest, "push_failure_time_seconds"), "{instance=\"\",job=\"x\"} 1."));
	assert_string_equal(family(ingest, "b"), "");
	assert_int_equal(gateway(ingest, GS_GATEWAY_PUT, "x", "a 1\nb 1\n", &err), GS_OK);
	assert_int_equal(gateway(ingest, GS_GATEWAY_POST, "x", "b{clearmode=\"sum5m\"} 2\n", &err), GS_OK);
	assert_string_equal(
	    family(ingest, "b"), "# TYPE b untyped\nb{instance=\"\",job=\"x\",clearmode=\"sum5m\"} 2\n");
	assert_int_equal(gateway(ingest, GS_GATEWAY_PUT, "y", "# TYPE a gauge\na 1\n", &err), GS_ECONFLICT);
	assert_int_equal(err.line, 2);
	assert_non_null(strstr(family(ingest, "push_failure_time_seconds"), "{instance=\"\",job=\"y\"} 1."));
	assert_int_equal(gateway(ingest, GS_GATEWAY_DELETE, "x", "not looked at {", &err), GS_OK);
	assert_int_equal(gateway(ingest, GS_GATEWAY_DELETE, "y", "", &err), GS_OK);
	assert_string_equal(family(ingest, "push_failure_time_seconds"), "");
	gs_ingest_free(ingest);
}

static void test_ttl(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	struct outcome outcome = {0};
	struct gs_ingest_push what = {.body = GS_STR("short 1\n"), .ttl_ms = 1, .done = on_done, .ctx = &outcome};
	struct gs_error err = {0};
	assert_int_equal(push(ingest, "stays 1\n", &err), GS_OK);
	assert_int_equal(gs_ingest_push(ingest, &what, &err), GS_OK);
	while (!atomic_load(&outcome.done))
		gs_clock_sleep_ms(1);
	assert_int_equal(outcome.status, GS_OK);
	while (strcmp(family(ingest, "short"), "") != 0)
		gs_clock_sleep_ms(10);
	assert_string_equal(family(ingest, "stays"), "# TYPE stays untyped\nstays 1\n");
	gs_ingest_free(ingest);
}

#define PUSHERS 4
#define PUSHES 200
#define PEBBLES                                                                                                        \
	"# TYPE h histogram\nh_bucket{le=\"1\",clearmode=\"sum1s\"} 1\nh_bucket{le=\"+Inf\",clearmode=\"sum1s\"} 2\n"  \
	"h_sum{clearmode=\"sum1s\"} 3\n"

static void *pusher(void *arg) {
	struct gs_error err = {0};
	for (int i = 0; i < PUSHES; i++) {
		while (push(arg, "# TYPE c counter\nc{a=\"b\"} 1\nt 1\n" PEBBLES, &err) == GS_EAGAIN)
			continue;
	}
	return NULL;
}

/* Pushers, a stream of scrapes and readers at once: nothing is lost, and every exposition read is whole. For TSan as well. */
static void test_concurrent(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_ingest();
	pthread_t threads[PUSHERS];
	int64_t now = gs_clock_wall_ms();
	for (int i = 0; i < PUSHERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pusher, ingest), 0);
	for (int i = 0; i < 100; i++) {
		struct gs_buf out;
		gs_buf_init(&out, SIZE_MAX);
		send_part(ingest, header_at(now + i), "x 1\ny 2\n", 0);
		gs_ingest_refresh(ingest);
		assert_int_equal(gs_ingest_read_all(ingest, &(struct gs_ingest_query){.nnames = 0}, &out, NULL), GS_OK);
		gs_buf_free(&out);
	}
	for (int i = 0; i < PUSHERS; i++)
		pthread_join(threads[i], NULL);
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc{a=\"b\"} 800\n");
	assert_string_equal(family(ingest, "t"), "# TYPE t untyped\nt 800\n");
	assert_true(gs_metric_get(GS_M_APPLIED, NULL, NULL) == 100);
	gs_ingest_free(ingest);
}

static void test_out_of_memory(void **state) {
	(void)state;
	bool done = false;
	for (int n = 0; !done; n++) {
		struct gs_ingest_options options = {.topic = "t", .pushes_in_flight = 1};
		struct gs_ingest *ingest = NULL;
		gs_mem_fail_after(n);
		enum gs_status status = gs_ingest_new(&options, &ingest, NULL);
		done = !gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_true(status == GS_OK || status == GS_ENOMEM);
		if (status == GS_OK)
			gs_ingest_free(ingest);
		assert_true(n < 200);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scrape),
	    cmocka_unit_test(test_honor_labels),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_results),
	    cmocka_unit_test(test_labels_for_the_subject_s),
	    cmocka_unit_test(test_bad_messages),
	    cmocka_unit_test(test_push),
	    cmocka_unit_test(test_push_at_once),
	    cmocka_unit_test(test_push_passes_nobody),
	    cmocka_unit_test(test_gateway),
	    cmocka_unit_test(test_ttl),
	    cmocka_unit_test(test_concurrent),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
