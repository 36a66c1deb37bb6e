/* SPDX-License-Identifier: Apache-2.0 */
/* From the result of a scrape to what a reader finds in the stream, over a real nats-server. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <pthread.h>

#include "bus/server.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/codec/codec.h"
#include "gravel/relay/relay.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/wire/wire.h"

/* What the reader got: the newest messages, taken apart. */
struct reader {
	pthread_mutex_t mutex;
	struct gs_bus *bus;
	int n;
	struct {
		char group[64];
		uint32_t slot;
		struct gs_wire_header header;
		char cause[32];
		char labels[64];
		char body[256]; /* its beginning */
		size_t size;
	} got[64];
};

static struct server server;
static struct reader reader;
static struct gs_relay *relay;
static struct gs_bus_options bus;
static const char *urls[1];

static void on_message(void *ctx, const struct gs_bus_message *message) {
	struct reader *r = ctx;
	struct gs_wire_group group;
	struct gs_buf subject, line, body;
	struct gs_codec *codec = gs_codec_new();
	gs_buf_init(&subject, 4096);
	gs_buf_init(&line, GS_LIMIT_HEADER);
	gs_buf_init(&body, SIZE_MAX);
	pthread_mutex_lock(&r->mutex);
	assert_true(r->n < 64);
	assert_int_equal(
	    gs_wire_parse_subject(message->subject, GS_STR("prometheus"), &subject, &group, &r->got[r->n].slot), GS_OK);
	assert_int_equal(gs_wire_header_parse(message->header, &line, &r->got[r->n].header, NULL), GS_OK);
	if (message->data.n != 0)
		assert_int_equal(gs_codec_decompress(codec, GS_CODEC_ZSTD, message->data, &body), GS_OK);
	assert_int_equal(body.n, r->got[r->n].header.body_size);
	snprintf(r->got[r->n].group, sizeof(r->got[0].group), "%.*s/%.*s/%.*s", GS_FMT(group.publisher),
	    GS_FMT(group.job), GS_FMT(group.instance));
	snprintf(r->got[r->n].cause, sizeof(r->got[0].cause), "%.*s", GS_FMT(r->got[r->n].header.cause));
	snprintf(r->got[r->n].labels, sizeof(r->got[0].labels), "%.*s", GS_FMT(r->got[r->n].header.labels));
	snprintf(r->got[r->n].body, sizeof(r->got[0].body), "%.*s", (int)(body.n < 255 ? body.n : 255),
	    body.n ? body.p : "");
	r->got[r->n].size = body.n;
	r->n++;
	pthread_mutex_unlock(&r->mutex);
	gs_buf_free(&subject);
	gs_buf_free(&line);
	gs_buf_free(&body);
	gs_codec_free(codec);
}

static bool wait_messages(int n, int64_t ms) {
	for (int64_t until = gs_clock_mono_ms() + ms; gs_clock_mono_ms() < until; gs_clock_sleep_ms(2)) {
		pthread_mutex_lock(&reader.mutex);
		bool enough = reader.n >= n;
		pthread_mutex_unlock(&reader.mutex);
		if (enough)
			return true;
	}
	return false;
}

static bool wait_metric(enum gs_metric id, double at_least, int64_t ms) {
	for (int64_t until = gs_clock_mono_ms() + ms; gs_clock_mono_ms() < until; gs_clock_sleep_ms(2)) {
		if (gs_metric_get(id, NULL, NULL) >= at_least)
			return true;
	}
	return false;
}

static int setup(void **state) {
	(void)state;
	gs_telemetry_reset();
	server_init(&server);
	server_start(&server);
	urls[0] = server.url;
	bus = (struct gs_bus_options){
	    .urls = urls,
	    .nurls = 1,
	    .name = "test",
	    .stream = {.name = "P",
		.subjects = "prometheus.scrape.>",
		.replicas = 1,
		.max_age_ms = 600000,
		.max_msgs_per_subject = 1},
	};
	struct gs_relay_options options = {.identity = "dc.1", .topic = "prometheus", .buffer = 1 << 20, .bus = bus};
	memset(&reader, 0, sizeof(reader));
	pthread_mutex_init(&reader.mutex, NULL);
	return gs_relay_open(&options, &relay, NULL) == GS_OK && gs_bus_open(&bus, &reader.bus, NULL) == GS_OK &&
		       gs_bus_consume(reader.bus, on_message, &reader, NULL) == GS_OK
		   ? 0
		   : -1;
}

static int teardown(void **state) {
	(void)state;
	gs_relay_close(relay, 2000);
	gs_bus_close(reader.bus, 1000);
	server_remove(&server);
	return 0;
}

static struct gs_relay_target *target(const char *instance, struct gs_transform *transform) {
	struct gs_label labels[] = {{GS_STR("instance"), gs_str_of(instance)}, {GS_STR("job"), GS_STR("node")},
	    {GS_STR("rack"), GS_STR("r\"1")}};
	struct gs_relay_target_options options = {
	    .job = "node",
	    .instance = instance,
	    .interval_ms = 15000,
	    .labels = labels,
	    .nlabels = 3,
	    .transform = transform,
	};
	struct gs_relay_target *added = NULL;
	assert_int_equal(gs_relay_add(relay, &options, &added), GS_OK);
	return added;
}

static void scraped(struct gs_relay_target *user, int64_t time_ms, enum gs_scrape_cause cause, struct gs_str body) {
	struct gs_scrape_target of = {.user = user};
	struct gs_scrape_result result = {
	    .target = &of, .cause = cause, .text = "because", .time_ms = time_ms, .duration_us = 2500, .body = body};
	gs_relay_result(relay, &result);
}

static void test_good_scrape(void **state) {
	(void)state;
	struct gs_relay_target *t = target("host:9100", NULL);
	int64_t now = gs_clock_wall_ms();
	scraped(t, now, GS_SCRAPE_OK, GS_STR("a 1\nb{x=\"y\"} 2\n"));
	assert_true(wait_messages(1, 5000));
	assert_string_equal(reader.got[0].group, "dc.1/node/host:9100");
	assert_string_equal(reader.got[0].body, "a 1\nb{x=\"y\"} 2\n");
	assert_string_equal(reader.got[0].labels, "rack=\"r\\\"1\"");
	const struct gs_wire_header *h = &reader.got[0].header;
	assert_true(h->up && h->samples == 2 && h->samples_kept == 2 && h->series_added == 2 && h->parts == 1);
	assert_true(h->time_ms == now && h->interval_ms == 15000 && h->duration_us == 2500 && h->sent_ms >= now);
	scraped(t, now + 1, GS_SCRAPE_OK, GS_STR("a 1\nb{x=\"y\"} 3\nc 1\n"));
	assert_true(wait_messages(2, 5000));
	assert_int_equal(reader.got[1].header.series_added, 1);
	assert_true(wait_metric(GS_M_PUBLISHED, 2, 5000));
	assert_true(
	    gs_metric_get(GS_M_SCRAPES, NULL, NULL) == 2 && gs_metric_get(GS_M_SCRAPE_SAMPLES, NULL, NULL) == 5);
}

static void test_failed_scrapes(void **state) {
	(void)state;
	struct gs_relay_target *t = target("host", NULL);
	scraped(t, 1000, GS_SCRAPE_CONNECT, GS_STR(""));
	assert_true(wait_messages(1, 5000)); /* or the next would replace it */
	scraped(t, 2000, GS_SCRAPE_OK, GS_STR("<!DOCTYPE html>\n"));
	assert_true(wait_messages(2, 5000));
	for (int i = 0; i < 2; i++) {
		assert_false(reader.got[i].header.up);
		assert_int_equal(reader.got[i].size, 0);
		assert_int_equal(reader.got[i].header.samples, 0);
	}
	assert_string_equal(reader.got[0].cause, "connect");
	assert_string_equal(reader.got[1].cause, "parse");
	assert_true(gs_metric_get(GS_M_SCRAPE_FAILURES, "connect", NULL) == 1);
	assert_true(gs_metric_get(GS_M_SCRAPE_FAILURES, "parse", NULL) == 1);
}

static void test_transform(void **state) {
	(void)state;
	struct gs_clearmode_rule rule = {.metric = "b.*", .clearmode = "sum5m"};
	struct gs_transform_options options = {
	    .clearmodes = &rule, .nclearmodes = 1, .honor_labels = true, .honor_timestamps = true};
	struct gs_transform *transform = NULL;
	assert_int_equal(gs_transform_new(&options, &transform, NULL), GS_OK);
	scraped(target("host", transform), 1000, GS_SCRAPE_OK, GS_STR("a 1\nbb 2\n"));
	assert_true(wait_messages(1, 5000));
	assert_string_equal(reader.got[0].body, "a 1\nbb{clearmode=\"sum5m\"} 2\n");
	assert_true(reader.got[0].header.honor_labels && reader.got[0].header.samples_kept == 2);
	gs_transform_free(transform);
}

static void test_limits_and_relabelling(void **state) {
	(void)state;
	struct gs_relabel_rule drop = {.action = GS_RELABEL_DROP,
	    .source_labels = (const char *const[]){"__name__"},
	    .nsource_labels = 1,
	    .separator = ";",
	    .regex = "bad.*"};
	struct gs_transform_options options = {
	    .relabel = &drop, .nrelabel = 1, .honor_timestamps = true, .sample_limit = 2};
	struct gs_transform *transform = NULL;
	assert_int_equal(gs_transform_new(&options, &transform, NULL), GS_OK);
	struct gs_relay_target *t = target("host", transform);
	scraped(t, 1000, GS_SCRAPE_OK, GS_STR("a 1\nbad 2\nb 3\n"));
	assert_true(wait_messages(1, 5000));
	const struct gs_wire_header *h = &reader.got[0].header;
	assert_true(h->up && h->samples == 3 && h->samples_kept == 2 && h->series_added == 2 && h->honor_labels);
	scraped(t, 2000, GS_SCRAPE_OK, GS_STR("a 1\nbad 2\nb 3\nc 4\n"));
	assert_true(wait_messages(2, 5000));
	h = &reader.got[1].header;
	assert_true(!h->up && h->samples == 4 && h->samples_kept == 3 && h->series_added == 0); /* as in Prometheus */
	struct gs_relay_target_state s;
	gs_relay_target_state(relay, t, &s);
	assert_int_equal(s.cause, GS_SCRAPE_PARSE);
	assert_non_null(strstr(s.text, "sample"));
	gs_transform_free(transform);
}

/* A body that is larger than a message comes in parts that make the whole again. */
static void test_parts(void **state) {
	(void)state;
	struct gs_buf body;
	gs_buf_init(&body, SIZE_MAX);
	while (body.n < 3500000)
		gs_buf_printf(&body, "metric_of_a_large_body{n=\"%zu\"} %zu\n", body.n, body.n * 7);
	scraped(target("big", NULL), 1000, GS_SCRAPE_OK, gs_buf_slice(&body));
	assert_true(wait_messages(4, 5000));
	size_t sum = 0;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(reader.got[i].header.parts, 4);
		assert_int_equal(reader.got[i].header.part, reader.got[i].slot);
		assert_int_equal(strncmp(reader.got[i].body, "metric_of", 9), 0);
		sum += reader.got[i].size;
	}
	assert_int_equal(sum, body.n);
	gs_buf_free(&body);
}

/* While NATS is away the newest scrape of each target is kept, and sent when it is back. */
static void test_nats_away(void **state) {
	(void)state;
	struct gs_relay_target *a = target("a", NULL), *b = target("b", NULL);
	scraped(a, 1000, GS_SCRAPE_OK, GS_STR("a 1\n"));
	assert_true(wait_messages(1, 5000));
	assert_true(wait_metric(GS_M_PUBLISHED, 1, 5000));
	server_kill(&server, SIGKILL);
	for (int i = 0; i < 1000 && gs_relay_connected(relay); i++)
		gs_clock_sleep_ms(5);
	assert_false(gs_relay_connected(relay));
	for (int i = 2; i < 6; i++)
		scraped(a, 1000 * i, GS_SCRAPE_OK, i == 5 ? GS_STR("a 5\n") : GS_STR("a 0\n"));
	scraped(b, 5000, GS_SCRAPE_OK, GS_STR("b 5\n"));
	assert_true(gs_metric_get(GS_M_PUBLISH_REPLACED, NULL, NULL) == 3);
	assert_true(gs_metric_get(GS_M_PUBLISH_PENDING, NULL, NULL) == 2);
	server_start(&server);
	assert_true(wait_messages(3, 15000));
	assert_string_equal(reader.got[1].body, "a 5\n");
	assert_string_equal(reader.got[2].body, "b 5\n");
	/* Sent late, and says so: the clock of the publisher is not to blame. */
	assert_true(gs_clock_wall_ms() - reader.got[1].header.sent_ms < 15000);
	assert_int_equal(reader.got[1].header.time_ms, 5000);
}

static void test_buffer_is_bounded(void **state) {
	(void)state;
	struct gs_buf body;
	gs_buf_init(&body, SIZE_MAX);
	server_kill(&server, SIGKILL);
	for (int i = 0; i < 1000 && gs_relay_connected(relay); i++)
		gs_clock_sleep_ms(5);
	unsigned random = 1;
	while (body.n < 900000) {
		random = random * 1103515245 + 12345;
		gs_buf_printf(&body, "m{n=\"%u\"} %u\n", random, random * 2654435761U);
	}
	char names[6][8];
	for (int i = 0; i < 6; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d", i);
		scraped(target(names[i], NULL), 1000, GS_SCRAPE_OK, gs_buf_slice(&body));
	}
	assert_true(gs_metric_get(GS_M_PUBLISH_DROPPED, "buffer", NULL) >= 1);
	assert_true(gs_metric_get(GS_M_PUBLISH_PENDING_BYTES, NULL, NULL) <= 1 << 20);
	gs_buf_free(&body);
}

/* Where the labels of a target are not what its subject says. */
static void test_labels_that_differ_from_the_subject(void **state) {
	(void)state;
	struct gs_label labels[] = {{GS_STR("a"), GS_STR("1")}, {GS_STR("instance"), GS_STR("host")}};
	struct gs_relay_target_options options = {
	    .job = "node", .instance = "host;00ff", .interval_ms = 1, .labels = labels, .nlabels = 2};
	struct gs_relay_target *added = NULL;
	assert_int_equal(gs_relay_add(relay, &options, &added), GS_OK);
	scraped(added, 1000, GS_SCRAPE_OK, GS_STR("a 1\n"));
	assert_true(wait_messages(1, 5000));
	assert_string_equal(reader.got[0].group, "dc.1/node/host;00ff");
	assert_string_equal(reader.got[0].labels, "a=\"1\",job=\"\",instance=\"host\"");
}

static void test_a_target_that_is_gone(void **state) {
	(void)state;
	struct gs_relay_target *a = target("a", NULL), *b = target("b", NULL);
	int64_t now = gs_clock_wall_ms();
	scraped(a, now - 5, GS_SCRAPE_OK, GS_STR("a 1\n"));
	assert_true(wait_messages(1, 5000));
	gs_relay_remove(relay, b, false); /* replaced: nothing is said */
	gs_relay_remove(relay, a, true);
	assert_true(wait_messages(2, 5000));
	assert_string_equal(reader.got[1].group, "dc.1/node/a");
	assert_int_equal(reader.got[1].slot, 0);
	assert_int_equal(reader.got[1].header.kind, GS_WIRE_GONE);
	assert_true(reader.got[1].header.time_ms >= now && reader.got[1].header.sent_ms >= now);
	assert_int_equal(reader.got[1].size, 0);
	/* Of a clock that was set back it is not older than the last scrape. */
	a = target("a", NULL);
	scraped(a, now + 1000000, GS_SCRAPE_OK, GS_STR("a 1\n"));
	assert_true(wait_messages(3, 5000));
	gs_relay_remove(relay, a, true);
	assert_true(wait_messages(4, 5000));
	assert_int_equal(reader.got[3].header.kind, GS_WIRE_GONE);
	assert_int_equal(reader.got[3].header.time_ms, now + 1000000);
}

static void test_state_of_a_target(void **state) {
	(void)state;
	struct gs_relay_target_state s;
	struct gs_relay_target *t = target("host", NULL);
	gs_relay_target_state(relay, t, &s);
	assert_int_equal(s.time_ms, 0);
	assert_int_equal(s.cause, GS_SCRAPE_OK);
	scraped(t, 1000, GS_SCRAPE_OK, GS_STR("a 1\nb 2\n"));
	gs_relay_target_state(relay, t, &s);
	assert_true(s.cause == GS_SCRAPE_OK && s.time_ms == 1000 && s.duration_us == 2500 && s.samples == 2);
	assert_string_equal(s.text, "because");
	scraped(t, 2000, GS_SCRAPE_OK, GS_STR("a 1\nb 2 3 4\n"));
	gs_relay_target_state(relay, t, &s);
	assert_true(s.cause == GS_SCRAPE_PARSE && s.time_ms == 2000 && s.samples == 1);
	assert_int_equal(strncmp(s.text, "2:7: ", 5), 0);
	scraped(t, 3000, GS_SCRAPE_TIMEOUT, GS_STR(""));
	gs_relay_target_state(relay, t, &s);
	assert_true(s.cause == GS_SCRAPE_TIMEOUT && s.time_ms == 3000);
	assert_string_equal(s.text, "because");
}

static void test_results_of_an_aggregation(void **state) {
	(void)state;
	gs_relay_exposition(relay, "node", "aggregation", 15000, 5000, GS_STR("# TYPE a gauge\na{b=\"c\"} 1\na 2\n"));
	assert_true(wait_messages(1, 5000));
	const struct gs_wire_header *h = &reader.got[0].header;
	assert_string_equal(reader.got[0].group, "dc.1/node/aggregation");
	assert_true(h->results && h->up && h->samples == 2 && h->samples_kept == 2 && h->time_ms == 5000);
	assert_int_equal(h->interval_ms, 15000);
	assert_string_equal(reader.got[0].body, "# TYPE a gauge\na{b=\"c\"} 1\na 2\n");
	gs_relay_exposition(relay, "node", "aggregation", 15000, 6000, GS_STR("not one\n"));
	assert_true(gs_metric_get(GS_M_PUBLISH_DROPPED, "invalid", NULL) == 1);
}

/* Pieces of two targets by turns are what the bodies would be. */
static void test_a_body_in_pieces(void **state) {
	(void)state;
	struct gs_relay_target *users[2] = {target("a", NULL), target("b", NULL)};
	struct gs_scrape_target of[2] = {{.user = users[0]}, {.user = users[1]}};
	struct gs_buf body;
	gs_buf_init(&body, SIZE_MAX);
	while (body.n < 3500000)
		gs_buf_printf(&body, "metric_of_a_large_body{n=\"%zu\"} %zu\n", body.n, body.n * 7);
	for (size_t at = 0; at < body.n; at += 70001) {
		size_t n = body.n - at < 70001 ? body.n - at : 70001;
		for (int i = 0; i < 2; i++)
			assert_true(gs_relay_body(relay, &of[i], GS_STR("text/plain"), gs_str_make(body.p + at, n)));
	}
	for (int i = 0; i < 2; i++) {
		struct gs_scrape_result result = {
		    .target = &of[i], .cause = GS_SCRAPE_OK, .text = "", .time_ms = 1000, .in_pieces = true};
		gs_relay_result(relay, &result);
		assert_true(wait_messages(4 * (i + 1), 5000));
	}
	for (int i = 0; i < 2; i++) {
		size_t sum = 0;
		for (int k = 4 * i; k < 4 * i + 4; k++) {
			assert_int_equal(reader.got[k].header.parts, 4);
			assert_int_equal(reader.got[k].header.part, k % 4);
			assert_int_equal(strncmp(reader.got[k].body, "metric_of", 9), 0);
			assert_true(reader.got[k].header.samples == reader.got[k].header.series_added);
			sum += reader.got[k].size;
		}
		assert_int_equal(sum, body.n);
		assert_string_equal(reader.got[4 * i].group, i == 0 ? "dc.1/node/a" : "dc.1/node/b");
	}
	assert_true(gs_metric_get(GS_M_SCRAPE_BYTES, NULL, NULL) == 2 * (double)body.n);
	gs_buf_free(&body);
}

static void test_pieces_that_are_no_exposition(void **state) {
	(void)state;
	struct gs_scrape_target of = {.user = target("a", NULL)};
	struct gs_scrape_result result = {.target = &of, .cause = GS_SCRAPE_PARSE, .text = "", .in_pieces = true};
	assert_true(gs_relay_body(relay, &of, GS_STR(""), GS_STR("a 1\nb ")));
	assert_false(gs_relay_body(relay, &of, GS_STR(""), GS_STR("2\nc zzz\n")));
	gs_relay_result(relay, &result);
	struct gs_relay_target_state s;
	gs_relay_target_state(relay, of.user, &s);
	assert_int_equal(s.cause, GS_SCRAPE_PARSE);
	assert_int_equal(strncmp(s.text, "3:3: ", 5), 0);
	/* One that breaks off is what the fetch says it is; and a target that leaves in the middle leaves nothing. */
	assert_true(gs_relay_body(relay, &of, GS_STR(""), GS_STR("a 1\nb ")));
	result.cause = GS_SCRAPE_TRUNCATED;
	gs_relay_result(relay, &result);
	gs_relay_target_state(relay, of.user, &s);
	assert_int_equal(s.cause, GS_SCRAPE_TRUNCATED);
	assert_true(gs_relay_body(relay, &of, GS_STR(""), GS_STR("a 1\nb ")));
	gs_relay_remove(relay, of.user, false);
}

static void test_names_too_long(void **state) {
	(void)state;
	static char name[1200];
	memset(name, 'x', sizeof(name) - 1);
	struct gs_relay_target_options options = {.job = "j", .instance = name, .interval_ms = 1};
	struct gs_relay_target *added = NULL;
	assert_int_equal(gs_relay_add(relay, &options, &added), GS_ELIMIT);
}

#define RELAY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    RELAY_TEST(test_good_scrape),
	    RELAY_TEST(test_failed_scrapes),
	    RELAY_TEST(test_transform),
	    RELAY_TEST(test_limits_and_relabelling),
	    RELAY_TEST(test_parts),
	    RELAY_TEST(test_nats_away),
	    RELAY_TEST(test_buffer_is_bounded),
	    RELAY_TEST(test_labels_that_differ_from_the_subject),
	    RELAY_TEST(test_a_target_that_is_gone),
	    RELAY_TEST(test_state_of_a_target),
	    RELAY_TEST(test_results_of_an_aggregation),
	    RELAY_TEST(test_a_body_in_pieces),
	    RELAY_TEST(test_pieces_that_are_no_exposition),
	    RELAY_TEST(test_names_too_long),
	};
	if (server_program() == NULL) {
		print_message("SKIPPED: no nats-server; set GRAVEL_NATS_SERVER to its path\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
