/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peer.h"

static void delete_stream(jsCtx *js) {
	assert_int_equal(js_DeleteStream(js, "GRAVEL", NULL, NULL), NATS_OK);
}

static void test_stream_deleted_while_running(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	struct peer *c = open_peer(1);
	consume(c);
	publish_range(p, 0, 10, 100);
	assert_true(wait_for(c, &c->n, 10, 5000));
	publish_range(p, 10, 20, 100);
	assert_true(wait_for(c, &c->n, 20, 5000));
	admin(delete_stream);
	int64_t start = gs_clock_mono_ms();
	publish_range(p, 20, 25, 100);
	print_message(
	    "publishing again %lld ms after the stream was deleted\n", (long long)(gs_clock_mono_ms() - start));
	assert_true(gs_clock_mono_ms() - start < 10000);
	assert_true(wait_for(c, &c->n, 25, 20000));
	/* Each once; what failed while there was no stream was published again behind the others. */
	unsigned seen = 0;
	for (int i = 20; i < 25; i++)
		seen |= 1U << (c->values[i] - 20);
	assert_int_equal(seen, 0x1f);
	assert_true(c->seqs[20] <= 5); /* of the new stream */
	assert_in_range(log_count("made the stream"), 2, 4); /* both buses may have found none */
	assert_int_equal(log_count("the stream was made anew"), 1);
}

static void make_wrong_stream(jsCtx *js) {
	const char *subjects[] = {"gs.>", "other"};
	jsStreamConfig config;
	jsStreamConfig_Init(&config);
	config.Name = "GRAVEL";
	config.Subjects = subjects;
	config.SubjectsLen = 2;
	config.Storage = js_MemoryStorage;
	config.Discard = js_DiscardNew;
	config.MaxAge = 3600LL * 1000000000;
	config.MaxMsgsPerSubject = 7;
	config.Duplicates = 1000000000;
	assert_int_equal(js_AddStream(NULL, js, &config, NULL, NULL), NATS_OK);
}

static void test_wrong_settings_are_named_once(void **state) {
	(void)state;
	static const char *const named[] = {"subjects are gs.> other, wanted gs.>", "storage is memory, wanted file",
	    "discard is not old", "max_age is 1h, wanted 10m", "max_msgs_per_subject is 7, wanted -1",
	    "duplicate_window is 1s, wanted 2m"};
	server_start(&server);
	admin(make_wrong_stream);
	struct peer *p = open_peer(0);
	publish_range(p, 0, 3, 100); /* it works all the same */
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		assert_int_equal(log_count(named[i]), 1);
	assert_int_equal(log_count("num_replicas"), 0);
	server_kill(&server, SIGTERM);
	assert_true(wait_connected(p, false, 5000));
	server_start(&server);
	assert_true(wait_connected(p, true, 5000));
	/* A memory stream is gone after a restart, and ours is made; ours does not differ from ours. */
	assert_int_equal(log_count("other settings"), 1);
}

static void test_without_jetstream(void **state) {
	(void)state;
	server.no_jetstream = true;
	server_start(&server);
	struct peer *p = open_peer(0);
	consume(p);
	sleep_ms(1500);
	assert_false(gs_bus_connected(p->bus));
	assert_int_equal(publish(p, "gs.a", 1, 100), GS_EAGAIN);
	assert_int_equal(log_count("JetStream"), 1);
	server_kill(&server, SIGTERM);
	server.no_jetstream = false;
	server_start(&server);
	assert_true(wait_connected(p, true, 5000));
	publish_range(p, 0, 3, 100);
	assert_true(wait_for(p, &p->n, 3, 5000));
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    BUS_TEST(test_stream_deleted_while_running),
	    BUS_TEST(test_wrong_settings_are_named_once),
	    BUS_TEST(test_without_jetstream),
	};
	return RUN_BUS_TESTS(tests, argc, argv);
}
