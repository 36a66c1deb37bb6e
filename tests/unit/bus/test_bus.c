/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gravel/base/mem.h"
#include "peer.h"

static void test_too_large_a_message(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	assert_true(wait_connected(p, true, 5000));
	/* "NATS/1.0", "Gravel: v=1 test", "Nats-Msg-Id: id-1", "", each with CR LF. */
	size_t headers = 10 + 18 + 19 + 2;
	assert_int_equal(publish(p, "gs.a", 2, 1048576 - headers + 1), GS_ELIMIT);
	assert_int_equal(publish(p, "gs.a", 1, 1048576 - headers), GS_OK);
	assert_true(wait_for(p, &p->acks, 1, 5000));
	assert_int_equal(p->result[1], GS_OK);
	assert_int_equal(p->calls[2], 0);
}

static void test_wrong_arguments(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	assert_true(wait_connected(p, true, 5000));
	struct gs_str data = GS_STR("x");
	assert_int_equal(gs_bus_publish(p->bus, "", "h", "i", data, 1), GS_EINVAL);
	assert_int_equal(gs_bus_publish(p->bus, "gs.a b", "h", "i", data, 1), GS_EINVAL);
	assert_int_equal(gs_bus_publish(p->bus, "gs.a\r\nPUB x 1", "h", "i", data, 1), GS_EINVAL);
	assert_int_equal(gs_bus_publish(p->bus, "gs.a", "h\r\nx: y", "i", data, 1), GS_EINVAL);
	assert_int_equal(gs_bus_publish(p->bus, "gs.a", "h", "i\n", data, 1), GS_EINVAL);
	struct gs_error err;
	consume(p);
	assert_int_equal(gs_bus_consume(p->bus, on_message, p, &err), GS_EINVAL);
	static const char *const bad[] = {
	    "http://h", "nats://", "nats://h:0", "nats://h:70000", "nats://h:x", "nats://a b", "nats://u:p@", ""};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gs_bus_options o = options(&peers[1]);
		struct gs_bus *bus = NULL;
		o.urls = &bad[i];
		assert_int_equal(gs_bus_open(&o, &bus, &err), GS_EINVAL);
		assert_null(bus);
	}
	struct gs_bus_options o = options(&peers[1]);
	o.stream.name = "a.b";
	assert_int_equal(gs_bus_open(&o, &peers[1].bus, &err), GS_EINVAL);
}

static void test_bounds_what_is_in_flight(void **state) {
	(void)state;
	server_start(&server);
	struct gs_bus_options o = options(&peers[0]);
	o.max_pending = 5;
	struct peer *p = open_with(0, &o);
	assert_true(wait_connected(p, true, 5000));
	server_freeze(&server);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(publish(p, "gs.a", i, 100), GS_OK);
	assert_int_equal(publish(p, "gs.a", 5, 100), GS_EAGAIN);
	/* No ack ever comes: each still ends, once, in bounded time. */
	assert_true(wait_for(p, &p->acks, 5, 12000));
	for (uint64_t i = 0; i < 5; i++) {
		assert_int_equal(p->calls[i], 1);
		assert_true(p->result[i] == GS_EIO || p->result[i] == GS_EAGAIN);
	}
	kill(server.pid, SIGCONT);
	sleep_ms(300); /* the late acks change nothing */
	assert_int_equal(p->acks, 5);
	publish_range(p, 6, 10, 100);
	close_peer(p);
	o.max_pending = 0;
	o.max_pending_bytes = 50000;
	p = open_with(0, &o);
	assert_true(wait_connected(p, true, 5000));
	server_freeze(&server);
	assert_int_equal(publish(p, "gs.a", 20, 30000), GS_OK);
	assert_int_equal(publish(p, "gs.a", 21, 30000), GS_EAGAIN);
	kill(server.pid, SIGCONT);
	assert_true(wait_for(p, &p->acks, 10, 5000));
}

static void test_close_waits_for_acks_but_not_long(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	assert_true(wait_connected(p, true, 5000));
	for (uint64_t i = 0; i < 500; i++)
		publish_surely(p, "gs.a", i, 10000);
	close_peer(p);
	assert_int_equal(p->acks, 500);
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(p->result[i], GS_OK);
	p = open_peer(0);
	consume(p);
	assert_true(wait_connected(p, true, 5000));
	server_freeze(&server);
	assert_int_equal(publish(p, "gs.a", 600, 100), GS_OK);
	int64_t start = gs_clock_mono_ms();
	gs_bus_close(p->bus, 300);
	p->bus = NULL;
	int64_t took = gs_clock_mono_ms() - start;
	kill(server.pid, SIGCONT);
	assert_true(took >= 300 && took < 10000); /* bounded, on a busy machine too */
	assert_int_equal(p->calls[600], 1);
	assert_int_equal(p->result[600], GS_EIO);
}

static void test_close_while_disconnected(void **state) {
	(void)state;
	struct peer *p = open_peer(0); /* refused at once */
	consume(p);
	sleep_ms(200);
	int64_t start = gs_clock_mono_ms();
	close_peer(p);
	assert_true(gs_clock_mono_ms() - start < 1000);
	/* A server that accepts and says nothing: the connect cannot be interrupted, so it is left behind. */
	int fd;
	char url[64];
	const char *urls[] = {url};
	snprintf(url, sizeof(url), "nats://127.0.0.1:%d", free_port(&fd));
	assert_int_equal(listen(fd, 8), 0);
	struct gs_bus_options o = options(p);
	o.urls = urls;
	p = open_with(0, &o);
	sleep_ms(200);
	start = gs_clock_mono_ms();
	gs_bus_close(p->bus, 100);
	p->bus = NULL;
	assert_true(gs_clock_mono_ms() - start < 1000);
	gs_bus_close(NULL, 100);
	sleep_ms(2500); /* let it find out that it was left */
	close(fd);
}

static void test_failing_allocations_of_open(void **state) {
	(void)state;
	for (int64_t n = 0; n < 100; n++) {
		struct gs_bus_options o = options(&peers[0]);
		struct gs_bus *bus = NULL;
		struct gs_error err;
		gs_mem_fail_after(n);
		enum gs_status status = gs_bus_open(&o, &bus, &err);
		gs_mem_fail_after(-1);
		if (status == GS_OK) {
			gs_bus_close(bus, 0);
			assert_true(n >= 5);
			return;
		}
		assert_int_equal(status, GS_ENOMEM);
		assert_null(bus);
	}
	fail();
}

/* The second stream of the bus of peers[0], told to peers[1]. */
static struct gs_bus_options second(const char *subjects) {
	struct gs_bus_options o = options(&peers[1]);
	o.stream = (struct gs_bus_stream){
	    .name = "SECOND", .subjects = subjects, .replicas = 1, .max_age_ms = 600000, .whole = true};
	return o;
}

static bool wait_second(struct peer *p, bool connected) {
	for (int64_t until = gs_clock_mono_ms() + 10000; gs_bus_lane_connected(p->bus, GS_BUS_SECOND) != connected;
	     sleep_ms(1)) {
		if (gs_clock_mono_ms() > until)
			return false;
	}
	return true;
}

/* Publish the values from..to under one subject, until each is acknowledged. */
static void publish_second(struct peer *p, uint64_t from, uint64_t to) {
	struct peer *q = &peers[1];
	for (uint64_t i = from; i < to; i++) {
		char text[32], id[32];
		int acks = get(q, &q->acks);
		snprintf(text, sizeof(text), "%d xxx", (int)i);
		snprintf(id, sizeof(id), "id-%d", (int)i);
		assert_int_equal(gs_bus_publish_on(p->bus, GS_BUS_SECOND, "gp.0", "h", id, gs_str_of(text), i), GS_OK);
		assert_true(wait_for(q, &q->acks, acks + 1, 10000));
		assert_int_equal(q->result[i], GS_OK);
	}
}

/* Both on one connection, each with its own callbacks; the second is read from its first message, and after a reconnect from where it was. */
static void test_two_streams(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0), *q = &peers[1];
	struct gs_bus_options o = second("gp.>");
	struct gs_error err;
	assert_int_equal(gs_bus_publish_on(p->bus, GS_BUS_SECOND, "gp.0", "h", "i", GS_STR("x"), 1), GS_EINVAL);
	assert_int_equal(gs_bus_consume_on(p->bus, GS_BUS_SECOND, on_message, q, &err), GS_EINVAL);
	assert_false(gs_bus_lane_connected(p->bus, GS_BUS_SECOND));
	assert_int_equal(gs_bus_add_stream(p->bus, &o, &err), GS_OK);
	assert_int_equal(gs_bus_add_stream(p->bus, &o, &err), GS_EINVAL);
	assert_true(wait_second(p, true));
	assert_true(wait_connected(p, true, 5000));
	publish_second(p, 0, 5);
	assert_int_equal(gs_bus_consume_on(p->bus, GS_BUS_SECOND, on_message, q, &err), GS_OK);
	assert_int_equal(gs_bus_consume_on(p->bus, GS_BUS_SECOND, on_message, q, &err), GS_EINVAL);
	consume(p);
	assert_true(wait_for(q, &q->n, 5, 5000));
	publish_range(p, 10, 20, 100);
	assert_true(wait_for(p, &p->n, 10, 5000));
	sleep_ms(1500); /* a heartbeat of each */
	assert_int_equal(get(q, &q->n), 5);
	assert_int_equal(get(p, &p->n), 10);
	assert_int_equal(log_count("starts anew"), 0);
	pthread_mutex_lock(&p->mutex);
	p->lost_ms = 200; /* meanwhile the second stream is not told, and there is no session any more */
	pthread_mutex_unlock(&p->mutex);
	server_kill(&server, SIGKILL);
	assert_true(wait_second(p, false));
	assert_true(wait_connected(p, false, 5000));
	server_start(&server);
	assert_true(wait_second(p, true));
	publish_second(p, 5, 8);
	assert_true(wait_for(q, &q->n, 8, 10000));
	for (uint64_t i = 0; i < 8; i++) {
		assert_int_equal(q->values[i], i);
		assert_int_equal(q->calls[i], 1);
	}
	assert_int_equal(get(q, &q->n), 8);
	assert_int_equal(p->acks, 10);
	assert_int_equal(p->states, 1002);
	assert_int_equal(q->states, 1002);
}

/* Two consumers that start at once, each in its first attempt, hear of their own stream alone. */
static void test_two_consumers_do_not_mix(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0), *q = &peers[1];
	struct gs_bus_options o = second("gp.>");
	struct gs_error err;
	assert_int_equal(gs_bus_add_stream(p->bus, &o, &err), GS_OK);
	assert_true(wait_second(p, true));
	assert_true(wait_connected(p, true, 5000));
	consume(p);
	assert_int_equal(gs_bus_consume_on(p->bus, GS_BUS_SECOND, on_message, q, &err), GS_OK);
	publish_range(p, 0, 1, 100);
	assert_true(wait_for(p, &p->n, 1, 10000)); /* it is there: what follows comes one by one */
	publish_range(p, 1, 200, 100);
	publish_second(p, 0, 20);
	assert_true(wait_for(p, &p->n, 200, 10000));
	assert_true(wait_for(q, &q->n, 20, 10000));
	for (int i = 0; i < 200; i++)
		assert_int_equal(p->values[i], i);
	for (int i = 0; i < 20; i++)
		assert_int_equal(q->values[i], i);
	assert_int_equal(get(p, &p->n), 200);
	assert_int_equal(get(q, &q->n), 20);
	assert_int_equal(log_count("starts anew"), 0);
}

/* A stream that cannot be made is alone in that. */
static void test_a_second_stream_that_cannot_be(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0), *q = &peers[1];
	struct gs_bus_options o = second("gs.inner.>"); /* those of the first: the server refuses it */
	struct gs_error err;
	assert_true(wait_connected(p, true, 5000));
	assert_int_equal(gs_bus_add_stream(p->bus, &o, &err), GS_OK);
	publish_range(p, 0, 500, 100);
	for (int i = 0; i < 10000 && log_count("no stream; trying on") == 0; i++)
		sleep_ms(1);
	publish_range(p, 500, 1000, 100);
	assert_true(gs_bus_connected(p->bus));
	assert_false(gs_bus_lane_connected(p->bus, GS_BUS_SECOND));
	assert_int_equal(gs_bus_publish_on(p->bus, GS_BUS_SECOND, "gp.0", "h", "i", GS_STR("x"), 1), GS_EAGAIN);
	assert_int_equal(p->states, 1);
	assert_int_equal(q->states, 0);
	assert_int_equal(log_count("no stream; trying on"), 1);
	o.stream.name = "a b";
	close_peer(p);
	p = open_peer(0);
	assert_int_equal(gs_bus_add_stream(p->bus, &o, &err), GS_EINVAL);
	o.stream.name = "SECOND";
	bool failed = true;
	for (int64_t n = 0; failed && n < 20; n++) {
		gs_mem_fail_after(n);
		enum gs_status status = gs_bus_add_stream(p->bus, &o, &err);
		failed = status == GS_ENOMEM;
		gs_mem_fail_after(-1);
		assert_int_equal(status, failed ? GS_ENOMEM : GS_OK);
	}
	assert_false(failed);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    BUS_TEST(test_too_large_a_message),
	    BUS_TEST(test_wrong_arguments),
	    BUS_TEST(test_bounds_what_is_in_flight),
	    BUS_TEST(test_close_waits_for_acks_but_not_long),
	    BUS_TEST(test_close_while_disconnected),
	    BUS_TEST(test_failing_allocations_of_open),
	    BUS_TEST(test_two_streams),
	    BUS_TEST(test_two_consumers_do_not_mix),
	    BUS_TEST(test_a_second_stream_that_cannot_be),
	};
	return RUN_BUS_TESTS(tests, argc, argv);
}
