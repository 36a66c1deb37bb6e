/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "peer.h"

/* The subscription that was given up last. Of one consumer at a time. */
static struct given_up {
	_Atomic bool fails; /* the round trip behind it */
	_Atomic(natsSubscription *) sub;
	_Atomic bool flushed;
	_Atomic int destroyed; /* after a round trip */
	_Atomic int early; /* without one */
} given_up;

natsStatus __real_natsSubscription_Unsubscribe(natsSubscription *sub);
natsStatus __wrap_natsSubscription_Unsubscribe(natsSubscription *sub);
natsStatus __real_natsConnection_FlushTimeout(natsConnection *nc, int64_t timeout);
natsStatus __wrap_natsConnection_FlushTimeout(natsConnection *nc, int64_t timeout);
void __real_natsSubscription_Destroy(natsSubscription *sub);
void __wrap_natsSubscription_Destroy(natsSubscription *sub);

natsStatus __wrap_natsSubscription_Unsubscribe(natsSubscription *sub) {
	given_up.flushed = false;
	given_up.sub = sub;
	return __real_natsSubscription_Unsubscribe(sub);
}

natsStatus __wrap_natsConnection_FlushTimeout(natsConnection *nc, int64_t timeout) {
	natsStatus s = given_up.fails ? NATS_TIMEOUT : __real_natsConnection_FlushTimeout(nc, timeout);
	given_up.flushed = s == NATS_OK;
	return s;
}

void __wrap_natsSubscription_Destroy(natsSubscription *sub) {
	if (sub != NULL && sub == given_up.sub && given_up.flushed)
		given_up.destroyed++;
	else if (sub != NULL && sub == given_up.sub)
		given_up.early++;
	__real_natsSubscription_Destroy(sub);
}

static int compare_i64(const void *a, const void *b) {
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void test_publish_ack_consume(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	struct peer *c = open_peer(1);
	consume(c);
	assert_true(wait_connected(p, true, 5000));
	assert_int_equal(gs_bus_max_payload(p->bus), 1048576);
	/* With retries: a stream that was made this moment may answer the first publish with "no stream takes this subject". */
	publish_range(p, 1, 2, 100);
	assert_int_equal(p->result[1], GS_OK);
	assert_true(wait_connected(p, true, 5000));
	int states = get(p, &p->states), acks = get(p, &p->acks);
	assert_true(wait_for(c, &c->n, 1, 5000));
	assert_string_equal(c->subjects[0], "gs.t1");
	assert_string_equal(c->header, "v=1 test");
	assert_int_equal(c->size, 100);
	assert_int_equal(c->seqs[0], 1);
	assert_int_equal(c->pending[0], 0);
	assert_true(llabs(c->time_ms[0] - gs_clock_wall_ms()) < 10000);
	/* Idle, one at a time: the median from publish to callback. */
	int64_t took[21];
	for (int i = 0; i < 21; i++) {
		int64_t start = gs_clock_mono_ns();
		publish_surely(p, "gs.a", (uint64_t)(10 + i), 20000);
		assert_true(wait_for(c, &c->n, 2 + i, 2000));
		took[i] = c->at_ns[1 + i] - start;
		sleep_ms(5);
	}
	qsort(took, 21, sizeof(took[0]), compare_i64);
	print_message(
	    "publish to callback, idle: median %.2f ms, max %.2f ms\n", (double)took[10] / 1e6, (double)took[20] / 1e6);
	assert_true(took[10] < 250000000); /* it does not wait for a heartbeat */
	assert_true(gs_metric_get(GS_M_BUS_CONNECTED, NULL, NULL) == 1);
	assert_true(gs_metric_get(GS_M_BUS_CONNECTS, NULL, NULL) == 2);
	assert_int_equal(get(p, &p->states), states);
	/* The same id again is acknowledged and not stored. */
	publish_surely(p, "gs.a", 10, 20000);
	publish_surely(p, "gs.a", 50, 100);
	assert_true(wait_for(c, &c->n, 23, 2000));
	assert_true(wait_for(p, &p->acks, acks + 23, 2000));
	assert_int_equal(p->result[10], GS_OK);
	assert_int_equal(c->values[22], 50);
}

static void test_starts_at_the_last_of_each_subject(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	for (uint64_t i = 0; i < 30; i++) {
		char subject[16];
		snprintf(subject, sizeof(subject), "gs.t%d", (int)(i % 10));
		publish_surely(p, subject, i, 100);
	}
	assert_true(wait_for(p, &p->acks, 30, 5000));
	struct peer *c = open_peer(1);
	consume(c);
	assert_true(wait_for(c, &c->n, 10, 5000));
	publish_surely(p, "gs.t0", 100, 100);
	assert_true(wait_for(c, &c->n, 11, 5000));
	sleep_ms(100);
	assert_int_equal(c->n, 11);
	for (int i = 0; i < 10; i++)
		assert_int_equal(c->values[i], 20 + i);
	assert_int_equal(c->values[10], 100);
	check_rising(c);
}

static void test_slow_callback_loses_nothing(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	struct peer *c = open_peer(1);
	consume(c);
	publish_range(p, 0, 1, 100);
	assert_true(wait_for(c, &c->n, 1, 5000));
	pthread_mutex_lock(&c->mutex);
	c->blocked = true;
	pthread_mutex_unlock(&c->mutex);
	publish_range(p, 1, 2100, 100000); /* 210 MB while the callback sits on the first */
	sleep_ms(4000); /* longer than the heartbeats may be missing */
	pthread_mutex_lock(&c->mutex);
	c->sleep_us = 300;
	c->blocked = false;
	pthread_mutex_unlock(&c->mutex);
	assert_true(wait_for(c, &c->n, 2100, 60000));
	sleep_ms(200);
	assert_int_equal(c->n, 2100);
	for (int i = 0; i < c->n; i++) {
		assert_int_equal(c->values[i], i);
		assert_int_equal(c->seqs[i], i + 1);
	}
	assert_int_equal(log_count("consumer starts anew"), 0); /* flow control, not gaps */
}

static void test_conflated_under_a_slow_start(void **state) {
	(void)state;
	server_start(&server);
	struct gs_bus_options o = options(&peers[0]);
	o.stream.max_msgs_per_subject = 1;
	struct peer *p = open_with(0, &o);
	char subject[16];
	for (uint64_t i = 0; i < 1000; i++) {
		snprintf(subject, sizeof(subject), "gs.t%d", (int)i);
		publish_surely(p, subject, i, 100000);
	}
	assert_true(wait_for(p, &p->acks, 1000, 20000));
	o.ctx = &peers[1];
	struct peer *c = open_with(1, &o);
	c->blocked = true;
	consume(c);
	sleep_ms(500); /* it has begun with the last per subject, and is stalled by flow control */
	for (uint64_t i = 1000; i < 2000; i++) {
		snprintf(subject, sizeof(subject), "gs.t%d", (int)(i - 1000));
		publish_surely(p, subject, i, 1000);
	}
	assert_true(wait_for(p, &p->acks, 2000, 20000));
	pthread_mutex_lock(&c->mutex);
	c->blocked = false;
	pthread_mutex_unlock(&c->mutex);
	/* Whatever of the first thousand was replaced meanwhile: the newest of every subject comes. */
	for (int64_t until = gs_clock_mono_ms() + 20000; gs_clock_mono_ms() < until; sleep_ms(5)) {
		pthread_mutex_lock(&c->mutex);
		bool done = c->n != 0 && c->values[c->n - 1] == 1999;
		pthread_mutex_unlock(&c->mutex);
		if (done)
			break;
	}
	int newest = 0;
	for (int i = 0; i < c->n; i++)
		newest += c->values[i] >= 1000;
	assert_int_equal(newest, 1000);
	check_rising(c);
}

static void test_memory_stream_made_anew_by_a_restart(void **state) {
	(void)state;
	server_start(&server);
	struct gs_bus_options o = options(&peers[0]);
	o.stream.memory = true;
	struct peer *p = open_with(0, &o);
	consume(p);
	publish_range(p, 0, 10, 100);
	assert_true(wait_for(p, &p->n, 10, 5000));
	publish_range(p, 10, 50, 100);
	assert_true(wait_for(p, &p->n, 50, 5000));
	server_kill(&server, SIGKILL);
	assert_true(wait_connected(p, false, 5000));
	server_start(&server);
	assert_true(wait_connected(p, true, 5000));
	publish_range(p, 50, 60, 100);
	assert_true(wait_for(p, &p->n, 60, 5000));
	assert_int_equal(p->n, 60);
	assert_int_equal(p->seqs[50], 1);
	assert_int_equal(p->values[59], 59);
}

static struct gs_bus_begin begun;
static int begins, pauses, anew;

static void delete_eighth(jsCtx *js) {
	assert_int_equal(js_DeleteMsg(js, "GRAVEL", 8, NULL, NULL), NATS_OK);
}

static void on_begin(void *ctx, const struct gs_bus_begin *begin) {
	struct peer *p = ctx;
	pthread_mutex_lock(&p->mutex);
	bool pause = begin->first == 0 && begin->last == 0 && begin->pending == 0;
	if (!pause)
		begun = *begin;
	begins += !pause;
	anew += begin->anew;
	pauses += pause;
	pthread_mutex_unlock(&p->mutex);
}

static void consume_from(struct peer *p, uint64_t sequence, int64_t time_ms) {
	struct gs_bus_start start = {sequence, time_ms};
	struct gs_error err;
	begins = pauses = anew = 0;
	assert_int_equal(gs_bus_consume_from(p->bus, GS_BUS_FIRST, &start, on_begin, on_message, p, &err), GS_OK);
	assert_true(wait_for(p, &begins, 1, 5000));
}

static void close_and_open(struct peer **p, const struct gs_bus_options *o) {
	close_peer(*p);
	(*p)->n = 0;
	*p = open_with(1, o);
}

/* Behind the message that is known, if it is the same one; what there is is said before. */
static void test_from_a_position(void **state) {
	(void)state;
	server_start(&server);
	struct gs_bus_options o = options(&peers[0]), log = options(&peers[1]);
	o.stream.whole = log.stream.whole = true;
	struct peer *p = open_with(0, &o), *c = open_with(1, &log);
	publish_range(p, 0, 10, 100);
	consume_from(c, 0, 0);
	assert_true(begun.first == 1 && begun.last == 10 && begun.pending == 10 && !begun.anew);
	assert_true(wait_for(c, &c->n, 10, 5000));
	int64_t fourth_ms = c->time_ms[3], last_ms = c->time_ms[9];
	close_and_open(&c, &log);
	consume_from(c, 4, fourth_ms);
	assert_true(begun.pending == 6 && !begun.anew);
	assert_true(wait_for(c, &c->n, 6, 5000));
	assert_int_equal(c->seqs[0], 5);
	close_and_open(&c, &log);
	consume_from(c, 10, last_ms);
	assert_true(begun.first == 1 && begun.last == 10 && begun.pending == 0 && !begun.anew);
	publish_range(p, 10, 12, 100);
	assert_true(wait_for(c, &c->n, 2, 5000));
	assert_int_equal(c->seqs[0], 11);
	/* A reconnect goes on where it was, and says so. */
	server_kill(&server, SIGKILL);
	assert_true(wait_connected(c, false, 5000));
	server_start(&server);
	assert_true(wait_for(c, &begins, 2, 10000));
	assert_true(begun.last == 12 && begun.pending == 0 && !begun.anew);
	/* Nothing comes, and that is said. */
	assert_true(wait_for(c, &pauses, 1, 5000));
	/* One is missing on the way. */
	admin(delete_eighth);
	close_and_open(&c, &log);
	consume_from(c, 4, fourth_ms);
	assert_true(wait_for(c, &c->n, 7, 5000));
	assert_int_equal(c->seqs[2], 7);
	assert_int_equal(c->seqs[3], 9);
	assert_int_equal(begins, 2);
	assert_true(begun.first == 1 && begun.last == 12 && !begun.anew);
	/* Another message stands there, or none. */
	static const uint64_t strange[] = {4, 100};
	for (size_t i = 0; i < 2; i++) {
		close_and_open(&c, &log);
		consume_from(c, strange[i], fourth_ms - 5);
		assert_int_equal(get(c, &anew), 1);
		assert_true(wait_for(c, &c->n, 11, 5000));
		assert_int_equal(c->seqs[0], 1);
	}
}

/* The name of the one consumer and the subject that it delivers to. */
static struct {
	char name[64];
	char deliver[128];
} found;

static void find_consumer(jsCtx *js) {
	jsConsumerInfoList *list = NULL;
	assert_int_equal(js_Consumers(&list, js, "GRAVEL", NULL, NULL), NATS_OK);
	assert_int_equal(list->Count, 1);
	snprintf(found.name, sizeof(found.name), "%s", list->List[0]->Name);
	snprintf(found.deliver, sizeof(found.deliver), "%s", list->List[0]->Config->DeliverSubject);
	jsConsumerInfoList_Destroy(list);
}

static void delete_consumer(jsCtx *js) {
	find_consumer(js);
	assert_int_equal(js_DeleteConsumer(js, "GRAVEL", found.name, NULL, NULL), NATS_OK);
}

static void test_deleted_consumer_is_made_again(void **state) {
	(void)state;
	server_start(&server);
	struct peer *p = open_peer(0);
	consume(p);
	publish_range(p, 0, 10, 100);
	assert_true(wait_for(p, &p->n, 10, 5000));
	admin(delete_consumer);
	publish_range(p, 10, 30, 100);
	assert_true(wait_for(p, &p->n, 30, 8000));
	sleep_ms(100);
	assert_int_equal(p->n, 30);
	for (int i = 0; i < 30; i++)
		assert_int_equal(p->values[i], i);
	assert_int_equal(log_count("no heartbeat"), 1);
}

/* What a lost message looks like: a heartbeat says that more was sent than has come. (The server lets no client forge a
 * message of the stream itself.) */
static void inject_gap(jsCtx *js) {
	natsConnection *nc = NULL;
	natsMsg *msg = NULL;
	find_consumer(js);
	assert_int_equal(natsConnection_ConnectTo(&nc, server.url), NATS_OK);
	assert_int_equal(natsMsg_Create(&msg, found.deliver, NULL, NULL, 0), NATS_OK);
	assert_int_equal(natsMsgHeader_Set(msg, "Status", "100"), NATS_OK);
	assert_int_equal(natsMsgHeader_Set(msg, "Nats-Last-Consumer", "900"), NATS_OK);
	assert_int_equal(natsConnection_PublishMsg(nc, msg), NATS_OK);
	assert_int_equal(natsConnection_Flush(nc), NATS_OK);
	natsMsg_Destroy(msg);
	natsConnection_Destroy(nc);
}

static void inject_junk(jsCtx *js) {
	natsConnection *nc = NULL;
	find_consumer(js);
	assert_int_equal(natsConnection_ConnectTo(&nc, server.url), NATS_OK);
	assert_int_equal(natsConnection_PublishString(nc, found.deliver, "junk"), NATS_OK);
	assert_int_equal(natsConnection_Flush(nc), NATS_OK);
	natsConnection_Destroy(nc);
}

static void check_disturbed(void (*disturb)(jsCtx *js)) {
	server_start(&server);
	struct peer *p = open_peer(0);
	consume(p);
	publish_range(p, 0, 10, 100);
	assert_true(wait_for(p, &p->n, 10, 5000));
	admin(disturb);
	publish_range(p, 10, 30, 100);
	assert_true(wait_for(p, &p->n, 30, 8000));
	sleep_ms(100);
	assert_int_equal(p->n, 30);
	for (int i = 0; i < 30; i++)
		assert_int_equal(p->values[i], i);
	assert_true(log_count("consumer starts anew") >= 1);
}

static void test_gap_is_fetched_again(void **state) {
	(void)state;
	check_disturbed(inject_gap);
	assert_int_equal(log_count("messages were lost on the way"), 1);
}

/* nats.c may have a message for it in hand: it lives until that cannot be any more. */
static void test_subscription_outlives_its_last_message(void **state) {
	(void)state;
	given_up.destroyed = given_up.early = 0;
	check_disturbed(inject_gap);
	assert_int_equal(given_up.destroyed, 1);
	assert_int_equal(given_up.early, 0);
}

/* Without an answer it lives as long as the connection. */
static void test_subscription_outlives_a_silent_server(void **state) {
	(void)state;
	given_up.destroyed = given_up.early = 0;
	given_up.fails = true;
	check_disturbed(inject_gap);
	assert_int_equal(given_up.destroyed, 0);
	assert_int_equal(given_up.early, 0);
	given_up.sub = NULL;
	given_up.fails = false;
}

static void test_junk_does_no_harm(void **state) {
	(void)state;
	check_disturbed(inject_junk);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    BUS_TEST(test_publish_ack_consume),
	    BUS_TEST(test_starts_at_the_last_of_each_subject),
	    BUS_TEST(test_slow_callback_loses_nothing),
	    BUS_TEST(test_conflated_under_a_slow_start),
	    BUS_TEST(test_deleted_consumer_is_made_again),
	    BUS_TEST(test_gap_is_fetched_again),
	    BUS_TEST(test_subscription_outlives_its_last_message),
	    BUS_TEST(test_subscription_outlives_a_silent_server),
	    BUS_TEST(test_junk_does_no_harm),
	    BUS_TEST(test_memory_stream_made_anew_by_a_restart),
	    BUS_TEST(test_from_a_position),
	};
	return RUN_BUS_TESTS(tests, argc, argv);
}
