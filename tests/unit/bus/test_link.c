/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peer.h"

static void *killer(void *arg) {
	struct server *s = arg;
	for (int i = 0; i < 3; i++) {
		sleep_ms(300);
		server_kill(s, SIGKILL);
		sleep_ms(200);
		server_start(s);
	}
	return NULL;
}

static void test_survives_kill_9_of_the_server(void **state) {
	(void)state;
	static unsigned char seen[TOKENS];
	memset(seen, 0, sizeof(seen));
	server_start(&server);
	struct peer *p = open_peer(0);
	struct peer *c = open_peer(1);
	consume(c);
	publish_range(p, 0, 10, 100);
	assert_true(wait_for(c, &c->n, 10, 5000)); /* it has its start; from here on every message counts */
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, killer, &server), 0);
	uint64_t n = 10;
	for (int64_t until = gs_clock_mono_ms() + 2500; gs_clock_mono_ms() < until && n < TOKENS - 200; n += 100)
		publish_range(p, n, n + 100, 2000);
	pthread_join(thread, NULL);
	publish_range(p, n, n + 10, 100);
	n += 10;
	assert_true(wait_for(c, &c->n, (int)n, 20000));
	sleep_ms(200);
	assert_int_equal(c->n, n);
	check_rising(c);
	for (int i = 0; i < c->n; i++)
		assert_int_equal(seen[c->values[i]]++, 0);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(p->calls[i], 1);
	/* These sessions were short: the same reason again is not said again. */
	assert_in_range(log_count("lost the connection to NATS"), 1, 3);
	print_message("%d messages over 3 kills\n", (int)n);
}

static void test_server_down_at_the_start(void **state) {
	(void)state;
	struct peer *p = open_peer(0);
	consume(p);
	assert_int_equal(publish(p, "gs.a", 1, 100), GS_EAGAIN);
	sleep_ms(1500);
	assert_false(gs_bus_connected(p->bus));
	assert_int_equal(log_count("not connected to NATS"), 1); /* the reason, once, not once a try */
	assert_int_equal(log_count("level=error"), 0);
	server_start(&server);
	assert_true(wait_connected(p, true, 5000));
	publish_range(p, 1, 2, 100);
	assert_true(wait_for(p, &p->n, 1, 5000));
	assert_int_equal(log_count("connected to NATS"), 2);
	assert_int_equal(p->states, 1);
}

static void test_auth_failure_recovers(void **state) {
	(void)state;
	char url[96];
	const char *urls[] = {url};
	server.extra = "authorization { user: scraper, password: other }";
	server_start(&server);
	snprintf(url, sizeof(url), "nats://scraper:s3cret@127.0.0.1:%d", server.port);
	struct gs_bus_options o = options(&peers[0]);
	o.urls = urls;
	struct peer *p = open_with(0, &o);
	consume(p);
	sleep_ms(2500);
	assert_false(gs_bus_connected(p->bus));
	assert_int_equal(log_count("not connected to NATS"), 1);
	assert_int_equal(log_count("uthorization"), 1);
	server.extra = "authorization { user: scraper, password: s3cret }";
	server_configure(&server);
	kill(server.pid, SIGHUP);
	assert_true(wait_connected(p, true, 6000));
	publish_range(p, 0, 3, 100);
	assert_true(wait_for(p, &p->n, 3, 5000));
	/* And thrown out while it runs. */
	server.extra = "authorization { user: scraper, password: third }";
	server_configure(&server);
	kill(server.pid, SIGHUP);
	assert_true(wait_connected(p, false, 6000));
	sleep_ms(500);
	server.extra = "authorization { user: scraper, password: s3cret }";
	server_configure(&server);
	kill(server.pid, SIGHUP);
	assert_true(wait_connected(p, true, 6000));
	publish_range(p, 3, 6, 100);
	assert_true(wait_for(p, &p->n, 6, 5000));
	assert_int_equal(log_count("s3cret"), 0);
	assert_true(log_count("***@127.0.0.1") > 0);
}

static void test_second_server_takes_over(void **state) {
	(void)state;
	char dead[64];
	snprintf(dead, sizeof(dead), "nats://127.0.0.1:%d", free_port(NULL));
	const char *urls[] = {dead, server.url};
	server_start(&server);
	struct gs_bus_options o = options(&peers[0]);
	o.urls = urls;
	o.nurls = 2;
	struct peer *p = open_with(0, &o);
	assert_true(wait_connected(p, true, 5000));
	publish_range(p, 0, 3, 100);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    BUS_TEST(test_survives_kill_9_of_the_server),
	    BUS_TEST(test_server_down_at_the_start),
	    BUS_TEST(test_auth_failure_recovers),
	    BUS_TEST(test_second_server_takes_over),
	};
	return RUN_BUS_TESTS(tests, argc, argv);
}
