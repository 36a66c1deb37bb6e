/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/bus/outbox.h"

#define MAX_SENT 4096

/* What the send function was given, and what it shall answer. */
struct sink {
	struct gs_outbox *outbox;
	char subjects[MAX_SENT][32];
	uint64_t tokens[MAX_SENT];
	size_t n;
	size_t room; /* answers GS_EAGAIN once so many were taken */
	enum gs_status refuse; /* answer for subjects that begin with "bad" */
	int early; /* 1: ack inside the call, -1: fail inside the call, once each */
	const char *put_inside; /* key to put inside the call, once */
};

static enum gs_status put(struct gs_outbox *outbox, const char *key, size_t nparts, size_t size) {
	static const char filler[65536];
	char subjects[8][32];
	struct gs_outbox_part parts[8];
	for (size_t i = 0; i < nparts; i++) {
		snprintf(subjects[i], sizeof(subjects[i]), "%s.%zu", key, i);
		parts[i] = (struct gs_outbox_part){
		    .subject = subjects[i], .header = "h", .msg_id = "id", .data = gs_str_make(filler, size)};
	}
	return gs_outbox_put(outbox, gs_str_of(key), parts, nparts);
}

static enum gs_status sink_fn(void *ctx, const struct gs_outbox_part *part, uint64_t token) {
	struct sink *sink = ctx;
	if (sink->refuse != GS_OK && strncmp(part->subject, "bad", 3) == 0)
		return sink->refuse;
	if (sink->n >= sink->room)
		return GS_EAGAIN;
	assert_string_equal(part->header, "h");
	assert_string_equal(part->msg_id, "id");
	if (sink->put_inside != NULL) {
		const char *key = sink->put_inside;
		sink->put_inside = NULL;
		assert_int_equal(put(sink->outbox, key, 1, 10), GS_OK);
		gs_outbox_check(sink->outbox);
		gs_outbox_send(sink->outbox, sink_fn, sink); /* returns at once */
	}
	if (sink->early != 0) {
		gs_outbox_ack(sink->outbox, token, sink->early > 0);
		gs_outbox_check(sink->outbox);
		sink->early = 0;
	}
	snprintf(sink->subjects[sink->n], sizeof(sink->subjects[0]), "%s", part->subject);
	sink->tokens[sink->n++] = token;
	return GS_OK;
}

static struct sink sink_of(struct gs_outbox *outbox) {
	return (struct sink){.outbox = outbox, .room = MAX_SENT};
}

static void send_all(struct sink *sink) {
	gs_outbox_send(sink->outbox, sink_fn, sink);
	gs_outbox_check(sink->outbox);
}

static void test_sends_in_order_of_puts(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	struct sink sink = sink_of(outbox);
	assert_int_equal(put(outbox, "a", 2, 100), GS_OK);
	assert_int_equal(put(outbox, "b", 1, 100), GS_OK);
	assert_int_equal(gs_outbox_stats(outbox).messages, 3);
	send_all(&sink);
	assert_int_equal(sink.n, 3);
	assert_string_equal(sink.subjects[0], "a.0");
	assert_string_equal(sink.subjects[1], "a.1");
	assert_string_equal(sink.subjects[2], "b.0");
	send_all(&sink);
	assert_int_equal(sink.n, 3); /* what is in flight is not sent again */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(gs_outbox_stats(outbox).messages, 3 - i);
		gs_outbox_ack(outbox, sink.tokens[i], true);
		gs_outbox_check(outbox);
	}
	assert_int_equal(gs_outbox_stats(outbox).bytes, 0);
	gs_outbox_free(outbox);
}

static void test_parts_are_copies(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	char subject[8] = "s.0", data[4] = "abc";
	struct gs_outbox_part part = {.subject = subject, .header = "h", .msg_id = "id", .data = gs_str_make(data, 3)};
	struct sink sink = sink_of(outbox);
	assert_int_equal(gs_outbox_put(outbox, GS_STR("k"), &part, 1), GS_OK);
	memset(subject, 'x', 3);
	send_all(&sink);
	assert_string_equal(sink.subjects[0], "s.0");
	gs_outbox_free(outbox);
}

static void test_failed_ack_is_sent_again_in_its_place(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	struct sink sink = sink_of(outbox);
	assert_int_equal(put(outbox, "a", 1, 10), GS_OK);
	send_all(&sink);
	assert_int_equal(put(outbox, "b", 1, 10), GS_OK);
	gs_outbox_ack(outbox, sink.tokens[0], false);
	gs_outbox_check(outbox);
	send_all(&sink);
	assert_int_equal(sink.n, 3);
	assert_string_equal(sink.subjects[1], "a.0"); /* older than b */
	assert_string_equal(sink.subjects[2], "b.0");
	assert_true(sink.tokens[1] != sink.tokens[0]);
	gs_outbox_ack(outbox, sink.tokens[0], true); /* the token of the first try means nothing any more */
	assert_int_equal(gs_outbox_stats(outbox).messages, 2);
	gs_outbox_free(outbox);
}

static void test_newer_put_replaces_whole(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	struct sink sink = sink_of(outbox);
	assert_int_equal(put(outbox, "a", 3, 10), GS_OK);
	sink.room = 2;
	send_all(&sink);
	assert_int_equal(put(outbox, "a", 1, 10), GS_OK);
	gs_outbox_check(outbox);
	assert_int_equal(gs_outbox_stats(outbox).replaced, 1);
	assert_int_equal(gs_outbox_stats(outbox).messages, 1);
	gs_outbox_ack(outbox, sink.tokens[0], true);
	gs_outbox_ack(outbox, sink.tokens[1], false);
	gs_outbox_check(outbox);
	assert_int_equal(gs_outbox_stats(outbox).messages, 1);
	sink.room = MAX_SENT;
	send_all(&sink);
	assert_int_equal(sink.n, 3);
	gs_outbox_ack(outbox, sink.tokens[2], true);
	assert_int_equal(gs_outbox_stats(outbox).messages, 0);
	assert_int_equal(gs_outbox_stats(outbox).evicted, 0);
	gs_outbox_free(outbox);
}

static void test_evicts_oldest_first(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(10000);
	struct sink sink = sink_of(outbox);
	for (int i = 0; i < 10; i++) {
		char key[8];
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(put(outbox, key, 1, 3000), GS_OK);
		gs_outbox_check(outbox);
		assert_true(gs_outbox_stats(outbox).bytes <= 10000);
	}
	assert_int_equal(gs_outbox_stats(outbox).messages, 3);
	assert_int_equal(gs_outbox_stats(outbox).evicted, 7);
	assert_int_equal(gs_outbox_stats(outbox).replaced, 0);
	send_all(&sink);
	assert_string_equal(sink.subjects[0], "k7.0");
	assert_int_equal(put(outbox, "huge", 1, 10001), GS_ELIMIT);
	assert_int_equal(gs_outbox_stats(outbox).messages, 3);
	gs_outbox_free(outbox);
}

static void test_own_old_entry_makes_room_first(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(10000);
	assert_int_equal(put(outbox, "old", 1, 1000), GS_OK);
	assert_int_equal(put(outbox, "big", 1, 7000), GS_OK);
	assert_int_equal(put(outbox, "big", 1, 7000), GS_OK);
	gs_outbox_check(outbox);
	assert_int_equal(gs_outbox_stats(outbox).evicted, 0);
	assert_int_equal(gs_outbox_stats(outbox).messages, 2);
	gs_outbox_free(outbox);
}

static void test_refused_part_gives_up_its_entry_alone(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	struct sink sink = sink_of(outbox);
	sink.refuse = GS_ELIMIT;
	assert_int_equal(put(outbox, "bad", 2, 10), GS_OK);
	assert_int_equal(put(outbox, "good", 1, 10), GS_OK);
	send_all(&sink);
	assert_int_equal(sink.n, 1);
	assert_string_equal(sink.subjects[0], "good.0");
	assert_int_equal(gs_outbox_stats(outbox).evicted, 1);
	assert_int_equal(gs_outbox_stats(outbox).messages, 1);
	gs_outbox_free(outbox);
}

static void test_what_may_work_later_stays(void **state) {
	(void)state;
	static const enum gs_status answers[] = {GS_EAGAIN, GS_ENOMEM, GS_ECLOSED};
	for (size_t i = 0; i < 3; i++) {
		struct gs_outbox *outbox = gs_outbox_new(1 << 20);
		struct sink sink = sink_of(outbox);
		sink.refuse = answers[i];
		assert_int_equal(put(outbox, "bad", 1, 10), GS_OK);
		assert_int_equal(put(outbox, "good", 1, 10), GS_OK);
		send_all(&sink);
		assert_int_equal(sink.n, 0);
		sink.refuse = GS_OK;
		send_all(&sink);
		assert_int_equal(sink.n, 2);
		assert_int_equal(gs_outbox_stats(outbox).evicted, 0);
		gs_outbox_free(outbox);
	}
}

static void test_ack_before_the_send_returns(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	struct sink sink = sink_of(outbox);
	assert_int_equal(put(outbox, "a", 1, 10), GS_OK);
	sink.early = 1;
	send_all(&sink);
	assert_int_equal(gs_outbox_stats(outbox).messages, 0);
	assert_int_equal(put(outbox, "b", 1, 10), GS_OK);
	sink.early = -1;
	send_all(&sink); /* fails inside, so the same call sends it again */
	assert_int_equal(sink.n, 3);
	assert_string_equal(sink.subjects[2], "b.0");
	gs_outbox_ack(outbox, sink.tokens[2], true);
	assert_int_equal(gs_outbox_stats(outbox).messages, 0);
	gs_outbox_free(outbox);
}

static void test_replaced_while_being_sent(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	struct sink sink = sink_of(outbox);
	assert_int_equal(put(outbox, "a", 2, 10), GS_OK);
	sink.put_inside = "a";
	send_all(&sink);
	/* The old one's first part was in the function's hands; its second part never goes out, the new one does in the same call. */
	assert_int_equal(sink.n, 2);
	assert_int_equal(gs_outbox_stats(outbox).messages, 1);
	assert_int_equal(gs_outbox_stats(outbox).replaced, 1);
	gs_outbox_ack(outbox, sink.tokens[0], true);
	assert_int_equal(gs_outbox_stats(outbox).messages, 1);
	gs_outbox_ack(outbox, sink.tokens[1], true);
	assert_int_equal(gs_outbox_stats(outbox).messages, 0);
	gs_outbox_free(outbox);
}

/* Says "not now" once, after room was made and announced while it was still saying so. */
static enum gs_status late_room_fn(void *ctx, const struct gs_outbox_part *part, uint64_t token) {
	struct sink *sink = ctx;
	if (sink->room == 0) {
		sink->room = 10;
		gs_outbox_send(sink->outbox, late_room_fn, sink);
		return GS_EAGAIN;
	}
	return sink_fn(ctx, part, token);
}

static void test_a_second_caller_is_not_forgotten(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	struct sink sink = sink_of(outbox);
	sink.room = 0;
	assert_int_equal(put(outbox, "a", 1, 10), GS_OK);
	gs_outbox_send(outbox, late_room_fn, &sink);
	assert_int_equal(sink.n, 1);
	gs_outbox_free(outbox);
}

static void test_nothing_to_put(void **state) {
	(void)state;
	struct gs_outbox *outbox = gs_outbox_new(1 << 20);
	assert_int_equal(gs_outbox_put(outbox, GS_STR("k"), NULL, 0), GS_EINVAL);
	gs_outbox_ack(outbox, 77, true);
	gs_outbox_check(outbox);
	gs_outbox_free(outbox);
	gs_outbox_free(NULL);
}

static void test_failing_allocations(void **state) {
	(void)state;
	for (int64_t n = 0;; n++) {
		gs_mem_fail_after(n);
		struct gs_outbox *outbox = gs_outbox_new(1 << 20);
		bool failed = outbox == NULL;
		if (!failed) {
			struct sink sink = sink_of(outbox);
			failed = put(outbox, "a", 2, 10) != GS_OK;
			gs_outbox_check(outbox);
			assert_int_equal(gs_outbox_stats(outbox).messages, failed ? 0 : 2);
			bool replaced = put(outbox, "a", 3, 10) == GS_OK;
			failed |= !replaced;
			gs_outbox_check(outbox);
			send_all(&sink);
			failed |= sink.n != gs_outbox_stats(outbox).messages;
			gs_outbox_free(outbox);
		}
		assert_int_equal(failed, gs_mem_failed());
		gs_mem_fail_after(-1);
		if (!failed)
			break;
	}
}

static uint64_t draw(uint64_t *seed) {
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void random_step(struct gs_outbox *outbox, struct sink *sink, uint64_t *seed) {
	char key[8];
	switch (draw(seed) % 6) {
	case 0:
	case 1:
		snprintf(key, sizeof(key), "%s%u", draw(seed) % 8 == 0 ? "bad" : "k", (unsigned)(draw(seed) % 30));
		/* Parts of up to 4,000 bytes, up to 5 of them: sometimes above the memory. */
		(void)!put(outbox, key, 1 + draw(seed) % 5, draw(seed) % 4000);
		break;
	case 2:
		sink->n = sink->n > MAX_SENT / 2 ? 0 : sink->n;
		sink->room = sink->n + draw(seed) % 8;
		sink->refuse = draw(seed) % 2 == 0 ? GS_ELIMIT : GS_ENOMEM;
		sink->early = (int)(draw(seed) % 3) - 1;
		sink->put_inside = draw(seed) % 4 == 0 ? "k1" : NULL;
		gs_outbox_send(outbox, sink_fn, sink);
		break;
	default:
		if (sink->n != 0)
			gs_outbox_ack(outbox, sink->tokens[draw(seed) % sink->n], draw(seed) % 3 != 0);
		break;
	}
	gs_outbox_check(outbox);
}

static void test_random_operations(void **state) {
	(void)state;
	uint64_t seed = 0x9e3779b97f4a7c15;
	struct gs_outbox *outbox = gs_outbox_new(16000);
	struct sink sink = sink_of(outbox);
	for (int i = 0; i < 30000; i++)
		random_step(outbox, &sink, &seed);
	struct gs_outbox_stats stats = gs_outbox_stats(outbox);
	assert_true(stats.replaced > 100 && stats.evicted > 100);
	/* Whatever happened: what is left goes out and can be acknowledged. */
	struct sink last = sink_of(outbox);
	send_all(&last);
	for (size_t i = 0; i < sink.n; i++)
		gs_outbox_ack(outbox, sink.tokens[i], true);
	for (size_t i = 0; i < last.n; i++)
		gs_outbox_ack(outbox, last.tokens[i], true);
	gs_outbox_check(outbox);
	gs_outbox_free(outbox);
}

static enum gs_status ack_at_once_fn(void *ctx, const struct gs_outbox_part *part, uint64_t token) {
	(void)part;
	gs_outbox_ack(ctx, token, token % 3 != 0);
	return token % 7 == 0 ? GS_EAGAIN : GS_OK;
}

static void *hammer(void *arg) {
	struct gs_outbox *outbox = arg;
	for (int i = 0; i < 500; i++) {
		char key[8];
		snprintf(key, sizeof(key), "k%d", i % 20);
		(void)!put(outbox, key, 1 + (size_t)i % 3, 100);
		gs_outbox_send(outbox, ack_at_once_fn, outbox);
	}
	return NULL;
}

static void test_threads(void **state) {
	(void)state;
	pthread_t threads[3];
	struct gs_outbox *outbox = gs_outbox_new(4000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, outbox), 0);
	for (int i = 0; i < 100; i++)
		gs_outbox_check(outbox);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 100 && gs_outbox_stats(outbox).messages != 0; i++)
		gs_outbox_send(outbox, ack_at_once_fn, outbox);
	assert_int_equal(gs_outbox_stats(outbox).messages, 0);
	gs_outbox_check(outbox);
	gs_outbox_free(outbox);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sends_in_order_of_puts),
	    cmocka_unit_test(test_parts_are_copies),
	    cmocka_unit_test(test_failed_ack_is_sent_again_in_its_place),
	    cmocka_unit_test(test_newer_put_replaces_whole),
	    cmocka_unit_test(test_evicts_oldest_first),
	    cmocka_unit_test(test_own_old_entry_makes_room_first),
	    cmocka_unit_test(test_refused_part_gives_up_its_entry_alone),
	    cmocka_unit_test(test_what_may_work_later_stays),
	    cmocka_unit_test(test_ack_before_the_send_returns),
	    cmocka_unit_test(test_replaced_while_being_sent),
	    cmocka_unit_test(test_a_second_caller_is_not_forgotten),
	    cmocka_unit_test(test_nothing_to_put),
	    cmocka_unit_test(test_failing_allocations),
	    cmocka_unit_test(test_random_operations),
	    cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
