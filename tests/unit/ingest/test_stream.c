/* SPDX-License-Identifier: Apache-2.0 */
/* A log that is the stream of pushes: whoever reads it, from wherever, comes to the same state. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "durable.h"
#include "gravel/wire/push.h"

/* The hooks */

static struct {
	char token[300];
	enum gs_status status;
	char text[sizeof((struct gs_error){0}.text)];
	int applied;
	int saved;
	_Atomic int woken;
	_Atomic int failed;
	enum gs_status fetched;
} seen;

static void on_applied(void *ctx, struct gs_str token, enum gs_status status, const struct gs_error *err) {
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* there may be two of them */
	(void)ctx;
	pthread_mutex_lock(&mutex);
	snprintf(seen.token, sizeof(seen.token), "%.*s", GS_FMT(token));
	snprintf(seen.text, sizeof(seen.text), "%s", err->text);
	seen.status = status;
	seen.applied++;
	pthread_mutex_unlock(&mutex);
}

static enum gs_status on_fetch(void *ctx, uint64_t position, struct gs_error *err) {
	(void)ctx;
	if (seen.fetched != GS_OK)
		return gs_error_set(
		    err, seen.fetched, 0, 0, "no way to NATS beyond %llu", (unsigned long long)position);
	return GS_OK;
}

static void on_saved(void *ctx, uint64_t position, int64_t time_ms) {
	(void)ctx;
	assert_true(position != 0 && time_ms != 0);
	seen.saved++;
}

static void on_wake(void *ctx) {
	(void)ctx;
	seen.woken++;
}

static void on_failed(void *ctx) {
	(void)ctx;
	seen.failed++;
}

static const struct gs_ingest_stream hooks = {
    .applied = on_applied, .fetch = on_fetch, .saved = on_saved, .wake = on_wake, .failed = on_failed};

static struct gs_ingest *open_stream(const char *folder, uint64_t *ret_sequence) {
	struct gs_ingest_options options = durable_options(folder);
	struct gs_ingest *ingest = NULL;
	struct gs_error err = {0};
	int64_t stored_ms = 0;
	options.log.stream = &hooks;
	gs_telemetry_reset();
	if (gs_ingest_new(&options, &ingest, &err) != GS_OK)
		fail_msg("%s", err.text);
	while (gs_ingest_pushed_from(ingest, ret_sequence, &stored_ms) == GS_EAGAIN)
		gs_clock_sleep_ms(1);
	return ingest;
}

/* Messages */

struct message {
	uint64_t sequence;
	int64_t stored_ms;
	struct gs_buf header;
	struct gs_buf data;
};

#define MESSAGES 400
#define NAMES 4 /* of counters */
#define START_MS 1795000000000

static struct message messages[MESSAGES];

static void fill(struct message *message, struct gs_wire_push push, struct gs_str content) {
	struct gs_codec *codec = gs_codec_new();
	gs_buf_init(&message->header, GS_LIMIT_HEADER);
	gs_buf_init(&message->data, 1 << 20);
	push.body_size = content.n;
	gs_wire_push_write(&message->header, &push);
	if (content.n != 0)
		assert_int_equal(gs_codec_compress(codec, GS_CODEC_ZSTD, 0, content, &message->data), GS_OK);
	gs_codec_free(codec);
}

static void clear(struct message *message) {
	gs_buf_free(&message->header);
	gs_buf_free(&message->data);
}

static void feed(struct gs_ingest *ingest, const struct message *message) {
	struct gs_ingest_message taken = {.subject = GS_STR("t.push.0"),
	    .header = gs_buf_slice(&message->header),
	    .data = gs_buf_slice(&message->data),
	    .sequence = message->sequence,
	    .stored_ms = message->stored_ms};
	gs_ingest_pushed(ingest, &taken);
}

static unsigned below(unsigned n) {
	static uint64_t x = 0x9e3779b97f4a7c15;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x % n);
}

/* A push in two parts, of which the second may be left out: the rest of it comes some messages later. */
static struct {
	char id[32];
	int64_t time_ms;
	size_t due; /* 0: none is open */
} open_push;

static void fill_part(struct message *message, int part, int64_t time_ms) {
	struct gs_wire_push push = {.op = GS_WIRE_PUSH,
	    .time_ms = time_ms,
	    .parts = 2,
	    .part = (uint32_t)part,
	    .publisher = GS_STR("dc1"),
	    .id = gs_str_of(open_push.id)};
	fill(message, push, part == 0 ? GS_STR("# TYPE parted coun") : GS_STR("ter\nparted 1\n"));
}

static void write_random_body(struct gs_buf *out, struct gs_wire_push *push, size_t i) {
	gs_buf_printf(out, "3:job1:%c", 'a' + (int)below(3));
	push->labels_size = out->n;
	if (push->op == GS_WIRE_PUSH && below(6) == 0) {
		push->ttl_ms = 1 + below(3000);
		gs_buf_cstr(out, "# TYPE left gauge\nleft 1\n");
	} else if (push->op == GS_WIRE_PUSH && below(10) == 0) {
		gs_buf_cstr(out, "# TYPE c1 gauge\nc1 1\n"); /* refused where c1 is a counter */
	} else if (push->op == GS_WIRE_PUSH || push->op == GS_WIRE_PUSH_INGEST) {
		gs_buf_printf(out, "# TYPE c%zu counter\nc%zu %u\n", i % NAMES, i % NAMES, below(100));
		gs_buf_printf(out, "# TYPE p%zu gauge\np%zu{clearmode=\"mean10s\"} %u\n", i % 2, i % 2, below(9));
	} else if (push->op == GS_WIRE_PUSH_GATEWAY_PUT || push->op == GS_WIRE_PUSH_GATEWAY_POST) {
		gs_buf_printf(out, below(5) == 0 ? "g %u 5000\n" : "g %u\n", below(9));
	}
}

static void fill_random(struct message *message, size_t i, int64_t time_ms) {
	static const enum gs_wire_push_op ops[] = {GS_WIRE_PUSH, GS_WIRE_PUSH, GS_WIRE_PUSH, GS_WIRE_PUSH_INGEST,
	    GS_WIRE_PUSH_DELETE, GS_WIRE_PUSH_GATEWAY_PUT, GS_WIRE_PUSH_GATEWAY_POST, GS_WIRE_PUSH_GATEWAY_DELETE};
	struct gs_wire_push push = {.op = ops[below(8)], .time_ms = time_ms, .parts = 1, .publisher = GS_STR("r1")};
	char token[32], key[32];
	struct gs_buf body;
	gs_buf_init(&body, 1000);
	snprintf(token, sizeof(token), "0123456789abcdef-%zu", i);
	snprintf(key, sizeof(key), "key-%u", below(40));
	write_random_body(&body, &push, i);
	push.token = below(3) != 0 ? gs_str_of(token) : GS_STR("");
	push.id = push.token.n != 0 && below(2) == 0 ? push.token : gs_str_of(key);
	fill(message, push, gs_buf_slice(&body));
	gs_buf_free(&body);
}

/* What a stream may hold: pushes of pollers and receivers, parts, what nobody understands. */
static void make_messages(void) {
	int64_t stored_ms = START_MS;
	uint64_t sequence = 0;
	for (size_t i = 0; i < MESSAGES; i++) {
		struct message *message = &messages[i];
		stored_ms += below(20) == 0 ? below(4000) : below(300);
		sequence += below(30) == 0 ? 2 : 1; /* somebody deleted one */
		message->sequence = sequence;
		message->stored_ms = stored_ms;
		if (open_push.due == 0 && below(12) == 0) {
			snprintf(open_push.id, sizeof(open_push.id), "parted-%zu", i);
			open_push.time_ms = stored_ms;
			open_push.due = i + 1 + below(15);
			fill_part(message, 0, open_push.time_ms);
		} else if (open_push.due != 0 && i >= open_push.due) {
			open_push.due = 0;
			fill_part(message, 1, open_push.time_ms);
		} else if (below(30) == 0) {
			fill(message, (struct gs_wire_push){.id = GS_STR("x"), .publisher = GS_STR("y"), .parts = 1},
			    GS_STR("{"));
			message->header.p[2] = '9';
		} else {
			fill_random(message, i, stored_ms + below(1000) - 500);
		}
	}
}

/* Until what was queued is applied and answered: the writer refreshes before he applies, and on a busy machine a refresh is not waited for long enough. */
static void settle(struct gs_ingest *ingest) {
	for (int round = 0; round < 2; round++) {
		for (bool done = false; !done;) {
			gs_ingest_refresh(ingest);
			gs_lock_take(&ingest->queue_lock);
			done = ingest->refresh_done == ingest->refresh_asked;
			gs_lock_release(&ingest->queue_lock);
		}
	}
}

/* Everything that comes by the log; to be freed. */
static char *everything(struct gs_ingest *ingest) {
	static const char *const names[] = {"c0", "c1", "c2", "c3", "p0", "p1", "left", "parted", "g",
	    "push_time_seconds", "push_failure_time_seconds"};
	struct gs_buf out;
	size_t n;
	gs_buf_init(&out, 1 << 20);
	settle(ingest);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		gs_buf_cstr(&out, durable_text(ingest, names[i]));
	gs_lock_take(&ingest->turn_lock);
	gs_lock_pass(&ingest->turn_lock, &ingest->store_lock);
	gs_buf_printf(&out, "position %llu, time %lld, keys %zu\n", (unsigned long long)ingest->applied.position,
	    (long long)ingest->applied.time_ms, gs_push_keys_held(ingest->keys));
	gs_lock_release(&ingest->store_lock);
	gs_buf_char(&out, '\0');
	return gs_buf_take(&out, &n);
}

static void begin(struct gs_ingest *ingest, size_t pending) {
	gs_ingest_pushed_begin(ingest, 1, pending, false);
}

/* The first message behind one that has this sequence. */
static size_t behind(uint64_t sequence) {
	size_t i = 0;
	while (i < MESSAGES && messages[i].sequence <= sequence)
		i++;
	return i;
}

/* One reads all at once. The other one is stopped and started at random, sometimes with the snapshot before the last, and hears some messages twice. */
static void test_equal(void **state) {
	(void)state;
	char *folder = folder_new(), *other = folder_new(), *older = folder_new();
	uint64_t sequence = 0;
	make_messages();
	struct gs_ingest *one = open_stream(folder, &sequence);
	assert_int_equal(sequence, 0);
	begin(one, 0);
	assert_int_equal(gs_ingest_ready(one, NULL), GS_OK);
	struct gs_ingest *two = open_stream(other, &sequence);
	begin(two, 0);
	size_t at = 0, restarts = 0, rereads = 0;
	for (size_t i = 0; i < MESSAGES; i++) {
		feed(one, &messages[i]);
		while (at <= i)
			feed(two, &messages[at++]);
		if (below(3) == 0)
			feed(two, &messages[below((unsigned)at)]);
		if (below(15) != 0)
			continue;
		char *expected = everything(one), *found = everything(two);
		assert_string_equal(found, expected);
		gs_ingest_free(two);
		if (below(2) == 0) { /* as if it had been killed: what it wrote last is lost */
			folder_each(other, NULL);
			folder_each(older, other);
		}
		folder_each(older, NULL);
		folder_each(other, older);
		two = open_stream(other, &sequence);
		assert_int_equal(gs_ingest_ready(two, NULL), GS_EAGAIN);
		assert_true(gs_metric_get(GS_M_JOURNAL_POSITION, NULL, NULL) == (double)two->applied.position);
		at = behind(sequence);
		rereads += i + 1 - at;
		begin(two, i + 1 - at);
		while (at <= i)
			feed(two, &messages[at++]);
		assert_int_equal(gs_ingest_ready(two, NULL), GS_OK);
		gs_free(found);
		found = everything(two);
		assert_string_equal(found, expected);
		gs_free(expected);
		gs_free(found);
		restarts++;
	}
	assert_true(restarts > 10 && rereads > 50);
	char *all = everything(one);
	assert_non_null(strstr(all, "parted "));
	assert_non_null(strstr(all, "g{"));
	gs_free(all);
	/* Whatever a message is: the position is that of the last one. */
	assert_int_equal(one->applied.position, messages[MESSAGES - 1].sequence);
	assert_int_equal(seen.failed, 0);
	gs_ingest_free(one);
	gs_ingest_free(two);
	for (size_t i = 0; i < MESSAGES; i++)
		clear(&messages[i]);
	folder_free(folder);
	folder_free(other);
	folder_free(older);
}

/* One message with a body, all of it given. */
static void say(struct gs_ingest *ingest, uint64_t sequence, int64_t stored_ms, const char *id, const char *token,
    const char *body) {
	struct message message = {.sequence = sequence, .stored_ms = stored_ms};
	struct gs_wire_push push = {.op = GS_WIRE_PUSH,
	    .time_ms = stored_ms,
	    .parts = 1,
	    .publisher = GS_STR("r1"),
	    .id = gs_str_of(id),
	    .token = gs_str_of(token)};
	fill(&message, push, gs_str_of(body));
	feed(ingest, &message);
	clear(&message);
	settle(ingest);
}

#define BODY "# TYPE c counter\nc 1\n"

/* Whoever wrote a push hears what became of it, whatever that is. */
static void test_answers(void **state) {
	(void)state;
	char *folder = folder_new();
	uint64_t sequence = 0;
	struct gs_ingest *ingest = open_stream(folder, &sequence);
	begin(ingest, 0);
	memset(&seen, 0, sizeof(seen));
	static const struct {
		const char *id, *token, *body;
		enum gs_status status;
		const char *text, *c;
	} rows[] = {
	    {"t-1", "t-1", BODY, GS_OK, "", "1"},
	    {"t-1", "t-1", BODY, GS_OK, "", "2"}, /* an id that is the token is no key */
	    {"key", "t-2", BODY, GS_OK, "", "3"},
	    {"key", "t-3", BODY, GS_OK, "", "3"},
	    {"t-4", "t-4", "# TYPE c gauge\nc 1\n", GS_ECONFLICT, "pushed as gauge", "3"},
	    {"t-5", "t-5", "c{\n", GS_EINVAL, "", "3"},
	    {"key", "", BODY, GS_EINVAL, "", "3"}, /* a poller's: nobody hears */
	    {"edge", "", BODY, GS_EINVAL, "", "4"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[60];
		int before = seen.applied;
		say(ingest, i + 1, START_MS + (int64_t)i, rows[i].id, rows[i].token, rows[i].body);
		snprintf(text, sizeof(text), "# TYPE c counter\nc %s\n", rows[i].c);
		assert_string_equal(durable_text(ingest, "c"), text);
		assert_int_equal(seen.applied, before + (rows[i].token[0] != '\0'));
		if (rows[i].token[0] == '\0')
			continue;
		assert_string_equal(seen.token, rows[i].token);
		assert_int_equal(seen.status, rows[i].status);
		assert_non_null(strstr(seen.text, rows[i].text));
	}
	assert_true(durable_metric(GS_M_EDGE_APPLIED) == 1);
	assert_true(gs_metric_get(GS_M_EDGE_DROPPED, "duplicate", NULL) == 1);
	assert_true(durable_metric(GS_M_JOURNAL_POSITION) == 8);
	/* What cannot be unpacked. */
	struct gs_ingest_message broken = {.subject = GS_STR("t.push.0"),
	    .header = GS_STR("v=1 k=p t=1 o=push w=a i=t-9 r=t-9 b=4"),
	    .data = GS_STR("junk"),
	    .sequence = 9,
	    .stored_ms = START_MS + 9};
	gs_ingest_pushed(ingest, &broken);
	assert_string_equal(seen.token, "t-9");
	assert_int_equal(seen.status, GS_EIO);
	assert_int_equal(seen.failed, 0);
	gs_ingest_free(ingest);
	folder_free(folder);
}

/* A stream that lost its end, or was made anew, has numbers again that were there before: positions go on. */
static void test_made_anew(void **state) {
	(void)state;
	char *folder = folder_new();
	uint64_t sequence = 0;
	struct gs_ingest *ingest = open_stream(folder, &sequence);
	begin(ingest, 0);
	for (unsigned i = 1; i <= 10; i++)
		say(ingest, i, START_MS + i, "t-1", "t-1", BODY);
	gs_ingest_pushed_begin(ingest, 1, 8, true);
	for (unsigned i = 1; i <= 7; i++)
		say(ingest, i, START_MS + i, "t-1", "t-1", BODY);
	say(ingest, 8, START_MS + 100, "t-1", "t-1", BODY);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 11\n");
	assert_true(durable_metric(GS_M_JOURNAL_POSITION) == 11);
	gs_ingest_pushed_begin(ingest, 1, 2, true);
	say(ingest, 1, START_MS + 200, "t-1", "t-1", BODY);
	gs_ingest_free(ingest);
	/* And after a restart. */
	ingest = open_stream(folder, &sequence);
	assert_int_equal(sequence, 1);
	begin(ingest, 1);
	say(ingest, 2, START_MS + 201, "t-1", "t-1", BODY);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 13\n");
	assert_true(durable_metric(GS_M_JOURNAL_POSITION) == 13);
	/* And if it happens while a push has one of its parts there. */
	struct message part = {.sequence = 3, .stored_ms = START_MS + 202};
	snprintf(open_push.id, sizeof(open_push.id), "half");
	fill_part(&part, 0, part.stored_ms);
	feed(ingest, &part);
	clear(&part);
	say(ingest, 4, START_MS + 203, "t-1", "t-1", BODY);
	assert_true(durable_metric(GS_M_JOURNAL_POSITION) == 15);
	gs_ingest_free(ingest);
	ingest = open_stream(folder, &sequence);
	assert_int_equal(sequence, 2);
	gs_ingest_pushed_begin(ingest, 1, 1, true);
	say(ingest, 1, START_MS + 300, "t-1", "t-1", BODY);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 15\n");
	assert_true(durable_metric(GS_M_JOURNAL_POSITION) == 16);
	assert_int_equal(seen.failed, 0);
	gs_ingest_free(ingest);
	folder_free(folder);
}

static void test_gap(void **state) {
	(void)state;
	char *folder = folder_new();
	uint64_t sequence = 0;
	struct gs_error err = {0};
	struct gs_ingest *ingest = open_stream(folder, &sequence);
	gs_ingest_pushed_begin(ingest, 5, 2, false); /* what was before nobody has: begin with what there is */
	assert_int_equal(gs_ingest_ready(ingest, &err), GS_EAGAIN);
	assert_string_equal(err.text, "starting: replaying: 0 of 2 entries");
	say(ingest, 5, START_MS, "t-1", "t-1", BODY);
	say(ingest, 6, START_MS, "t-1", "t-1", BODY);
	assert_int_equal(gs_ingest_ready(ingest, &err), GS_OK);
	gs_ingest_pushed_begin(ingest, 7, 3, false);
	assert_int_equal(gs_ingest_ready(ingest, &err), GS_OK);
	gs_ingest_free(ingest);
	ingest = open_stream(folder, &sequence);
	assert_int_equal(sequence, 6);
	seen.failed = 0;
	gs_ingest_pushed_begin(ingest, 8, 3, false);
	assert_int_equal(gs_ingest_ready(ingest, &err), GS_EIO);
	assert_non_null(strstr(err.text, "no messages from 7 to 7 any more"));
	assert_int_equal(seen.failed, 1);
	/* It stays what it was in its folder. */
	say(ingest, 8, START_MS + 1, "t-1", "t-1", BODY);
	gs_ingest_free(ingest);
	ingest = open_stream(folder, &sequence);
	assert_int_equal(sequence, 6);
	gs_ingest_free(ingest);
	folder_free(folder);
}

/* What stood before the position of the state may be gone, though it was read again for a part that waits for others. */
static void test_gap_in_what_was_taken(void **state) {
	(void)state;
	char *folder = folder_new();
	uint64_t sequence = 0;
	struct gs_error err = {0};
	struct gs_ingest *ingest = open_stream(folder, &sequence);
	begin(ingest, 0);
	say(ingest, 1, START_MS, "t-1", "t-1", BODY);
	struct message message = {.sequence = 2, .stored_ms = START_MS};
	struct gs_wire_push push = {
	    .op = GS_WIRE_PUSH, .time_ms = START_MS, .parts = 2, .publisher = GS_STR("r1"), .id = GS_STR("x")};
	fill(&message, push, gs_str_of(BODY));
	feed(ingest, &message);
	clear(&message);
	say(ingest, 3, START_MS, "t-1", "t-1", BODY);
	gs_ingest_free(ingest);
	for (uint64_t first = 4; first <= 5; first++) {
		ingest = open_stream(folder, &sequence);
		assert_int_equal(sequence, 1);
		gs_ingest_pushed_begin(ingest, first, 0, false);
		assert_int_equal(gs_ingest_ready(ingest, &err), first == 4 ? GS_OK : GS_EIO);
		gs_ingest_free(ingest);
	}
	assert_non_null(strstr(err.text, "no messages from 4 to 4 any more"));
	folder_free(folder);
}

/* What is due waits for an entry. */
static void test_expiry(void **state) {
	(void)state;
	char *folder = folder_new();
	uint64_t sequence = 0;
	struct gs_ingest *ingest = open_stream(folder, &sequence);
	begin(ingest, 0);
	struct message message = {.sequence = 1, .stored_ms = START_MS};
	struct gs_wire_push push = {.op = GS_WIRE_PUSH,
	    .time_ms = START_MS,
	    .ttl_ms = 1000,
	    .parts = 1,
	    .publisher = GS_STR("r1"),
	    .id = GS_STR("x")};
	fill(&message, push, gs_str_of(BODY));
	seen.woken = 0;
	feed(ingest, &message);
	clear(&message);
	while (seen.woken == 0)
		gs_clock_sleep_ms(1);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 1\n");
	say(ingest, 2, START_MS + 1000, "t-2", "t-2", "");
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 1\n");
	say(ingest, 3, START_MS + 1001, "t-3", "t-3", "");
	assert_string_equal(durable_text(ingest, "c"), "");
	assert_true(durable_metric(GS_M_EXPIRED) == 1);
	gs_ingest_free(ingest);
	folder_free(folder);
}

/* From a log in a file and back: the state comes along, unless something of it is in that log only. */
static void test_other_homes(void **state) {
	(void)state;
	char *folder = folder_new(), *copy = folder_new();
	uint64_t sequence = 0;
	struct gs_error err = {0};
	struct gs_ingest *ingest = durable_open(folder);
	assert_int_equal(push(ingest, "key", BODY), GS_OK);
	folder_each(folder, copy);
	gs_ingest_free(ingest);
	ingest = open_stream(folder, &sequence);
	assert_int_equal(sequence, 0);
	begin(ingest, 2);
	say(ingest, 1, START_MS, "key", "t-1", BODY);
	say(ingest, 2, START_MS, "t-2", "t-2", BODY);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 2\n");
	assert_true(durable_metric(GS_M_JOURNAL_POSITION) == 3);
	gs_ingest_free(ingest);
	ingest = durable_open(folder);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 2\n");
	assert_int_equal(push(ingest, "key", BODY), GS_OK);
	assert_int_equal(push(ingest, "", BODY), GS_OK);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 3\n");
	assert_true(durable_metric(GS_M_JOURNAL_POSITION) == 5);
	gs_ingest_free(ingest);
	/* As if the first one had been killed: its push stands in its log only. */
	ingest = open_stream(copy, &sequence);
	assert_int_equal(gs_ingest_ready(ingest, &err), GS_EIO);
	assert_non_null(strstr(err.text, "start once with receiver.log.kind: file"));
	gs_ingest_free(ingest);
	folder_free(folder);
	folder_free(copy);
}

static void test_no_way_to_a_snapshot(void **state) {
	(void)state;
	char *folder = folder_new();
	uint64_t sequence = 0;
	struct gs_error err = {0};
	seen.fetched = GS_EIO;
	seen.failed = 0;
	struct gs_ingest *ingest = open_stream(folder, &sequence);
	assert_int_equal(gs_ingest_ready(ingest, &err), GS_EIO);
	assert_string_equal(err.text, "no way to NATS beyond 0");
	assert_int_equal(seen.failed, 1);
	seen.fetched = GS_OK;
	gs_ingest_free(ingest);
	folder_free(folder);
}

/* What a replica cannot take in for want of memory others have: it must not go on as if nothing were amiss. */
static void test_out_of_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int n = 0; failed; n++) {
		char *folder = folder_new();
		uint64_t sequence = 0;
		struct message message = {.sequence = 1, .stored_ms = START_MS};
		struct gs_wire_push push = {
		    .op = GS_WIRE_PUSH, .time_ms = START_MS, .parts = 1, .publisher = GS_STR("r1"), .id = GS_STR("x")};
		struct gs_ingest *ingest = open_stream(folder, &sequence);
		begin(ingest, 0);
		gs_ingest_refresh(ingest);
		fill(&message, push, gs_str_of(BODY));
		seen.failed = 0;
		gs_mem_fail_after(n);
		feed(ingest, &message);
		gs_lock_take(&ingest->queue_lock);
		while (ingest->unapplied != 0) {
			gs_lock_release(&ingest->queue_lock);
			gs_clock_sleep_ms(1);
			gs_lock_take(&ingest->queue_lock);
		}
		gs_lock_release(&ingest->queue_lock);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (seen.failed != 0)
			assert_int_equal(gs_ingest_ready(ingest, NULL), GS_EIO);
		else
			assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 1\n");
		clear(&message);
		gs_ingest_free(ingest);
		folder_free(folder);
		assert_true(n < 300);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_made_anew),
	    cmocka_unit_test(test_gap),
	    cmocka_unit_test(test_gap_in_what_was_taken),
	    cmocka_unit_test(test_expiry),
	    cmocka_unit_test(test_other_homes),
	    cmocka_unit_test(test_no_way_to_a_snapshot),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
