/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes that pollers took, as they come from the bus. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

#include "../../../lib/ingest/ingest_internal.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/ingest/read.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/wire/push.h"

static struct gs_ingest *open_with(int64_t expiration_ms) {
	struct gs_ingest_options options = {
	    .store = {.max_age_ms = 80000, .expiration_ms = expiration_ms},
	    .topic = "t",
	    .push_samples = 100,
	    .pushes_in_flight = 1, /* of others: pushes of the edge do not count */
	};
	struct gs_ingest *ingest = NULL;
	gs_telemetry_reset();
	assert_int_equal(gs_ingest_new(&options, &ingest, NULL), GS_OK);
	return ingest;
}

static struct gs_wire_push push_of(enum gs_wire_push_op op, const char *id) {
	return (struct gs_wire_push){
	    .op = op, .time_ms = gs_clock_wall_ms(), .parts = 1, .publisher = GS_STR("dc1"), .id = gs_str_of(id)};
}

static int64_t stored_after; /* what the server's clock is ahead of the publisher's */

/* Send these bytes as one part. */
static void send_part(struct gs_ingest *ingest, struct gs_wire_push push, struct gs_str content) {
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf line, data;
	gs_buf_init(&line, GS_LIMIT_HEADER);
	gs_buf_init(&data, 1 << 20);
	push.body_size = content.n;
	gs_wire_push_write(&line, &push);
	if (content.n != 0)
		assert_int_equal(gs_codec_compress(codec, GS_CODEC_ZSTD, 0, content, &data), GS_OK);
	struct gs_ingest_message message = {.subject = GS_STR("t.push.0"),
	    .header = gs_buf_slice(&line),
	    .data = gs_buf_slice(&data),
	    .stored_ms = push.time_ms + stored_after};
	gs_ingest_pushed(ingest, &message);
	gs_buf_free(&line);
	gs_buf_free(&data);
	gs_codec_free(codec);
}

/* A label job="a" (NULL: none) and a body. */
static void send(struct gs_ingest *ingest, struct gs_wire_push push, const char *job, const char *body) {
	struct gs_buf content;
	struct gs_label label = {GS_STR("job"), gs_str_of(job != NULL ? job : "")};
	gs_buf_init(&content, 1 << 20);
	gs_wire_push_add_labels(&content, &label, job != NULL);
	push.labels_size = content.n;
	gs_buf_cstr(&content, body);
	send_part(ingest, push, gs_buf_slice(&content));
	gs_buf_free(&content);
}

static double dropped(const char *reason) {
	return gs_metric_get(GS_M_EDGE_DROPPED, reason, NULL);
}

static double applied(void) {
	return gs_metric_get(GS_M_EDGE_APPLIED, NULL, NULL);
}

/* One family, once everything queued before is applied; static memory. */
static const char *family(struct gs_ingest *ingest, const char *name) {
	static char text[65536];
	struct gs_buf out;
	gs_buf_init(&out, sizeof(text) - 1);
	gs_ingest_refresh(ingest);
	gs_ingest_refresh(ingest);
	struct gs_str names[] = {gs_str_of(name)};
	struct gs_ingest_query query = {.names = names, .nnames = 1};
	assert_int_equal(gs_ingest_read_all(ingest, &query, &out, NULL), GS_OK);
	memcpy(text, out.p != NULL ? out.p : "", out.n);
	text[out.n] = '\0';
	gs_buf_free(&out);
	return text;
}

static void test_every_operation(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_with(0);
	struct gs_wire_push push = push_of(GS_WIRE_PUSH, "1");
	send(ingest, push, "a", "# TYPE c counter\nc 1\n");
	push.id = GS_STR("2");
	send(ingest, push, "a", "# TYPE c counter\nc 2\n");
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc{job=\"a\"} 3\n");
	push.id = GS_STR("3");
	push.mode = GS_STR("replace");
	send(ingest, push, "a", "# TYPE c counter\nc 7\n");
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc{job=\"a\"} 7\n");
	send(ingest, push_of(GS_WIRE_PUSH_INGEST, "4"), NULL, "# TYPE c counter\nc 5\n");
	send(ingest, push_of(GS_WIRE_PUSH_INGEST, "5"), NULL, "# TYPE c counter\nc 6\n");
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc 6\nc{job=\"a\"} 7\n");
	send(ingest, push_of(GS_WIRE_PUSH_DELETE, "6"), "a", "");
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc 6\n");
	send(ingest, push_of(GS_WIRE_PUSH_GATEWAY_PUT, "7"), "a", "g 1\nh 1\n");
	send(ingest, push_of(GS_WIRE_PUSH_GATEWAY_POST, "8"), "a", "h 2\n");
	assert_string_equal(family(ingest, "g"), "# TYPE g untyped\ng{instance=\"\",job=\"a\"} 1\n");
	assert_string_equal(family(ingest, "h"), "# TYPE h untyped\nh{instance=\"\",job=\"a\"} 2\n");
	send(ingest, push_of(GS_WIRE_PUSH_GATEWAY_PUT, "9"), "a", "g 1 5000\n");
	assert_null(strstr(family(ingest, "push_failure_time_seconds"), "} 0\n"));
	assert_true(dropped("refused") == 1);
	send(ingest, push_of(GS_WIRE_PUSH_GATEWAY_DELETE, "10"), "a", "");
	assert_string_equal(family(ingest, "g"), "");
	assert_string_equal(family(ingest, "push_time_seconds"), "");
	assert_true(applied() == 9);
	assert_true(gs_metric_get(GS_M_JOURNAL_POSITION, NULL, NULL) == 10);
	gs_ingest_free(ingest);
}

static void test_duplicates(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_with(0);
	struct gs_wire_push push = push_of(GS_WIRE_PUSH, "x");
	const char *body = "# TYPE c counter\nc 1\n";
	send(ingest, push, "a", body);
	send(ingest, push, "a", body);
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc{job=\"a\"} 1\n");
	assert_true(dropped("duplicate") == 1);
	/* Two hours of entries later nobody remembers. */
	push.time_ms += GS_LIMIT_KEY_WINDOW_MS;
	push.id = GS_STR("y");
	send(ingest, push, "a", body);
	push.id = GS_STR("x");
	send(ingest, push, "a", body);
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc{job=\"a\"} 2\n");
	assert_true(dropped("duplicate") == 2);
	push.time_ms++;
	push.id = GS_STR("z");
	send(ingest, push, "a", body);
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc{job=\"a\"} 3\n");
	push.id = GS_STR("x");
	send(ingest, push, "a", body);
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc{job=\"a\"} 4\n");
	assert_true(dropped("duplicate") == 2);
	gs_ingest_free(ingest);
}

static void test_parts(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_with(0);
	struct gs_wire_push push = push_of(GS_WIRE_PUSH, "x");
	push.parts = 3;
	push.labels_size = 8;
	send_part(ingest, push, GS_STR("3:job1")); /* a cut anywhere, in the labels too */
	send_part(ingest, push, GS_STR("3:job1"));
	assert_true(dropped("part") == 1);
	push.part = 1;
	send_part(ingest, push, GS_STR(":ax 1\n"));
	assert_true(applied() == 0);
	push.part = 2;
	send_part(ingest, push, GS_STR("y 2\n"));
	assert_string_equal(family(ingest, "x"), "# TYPE x untyped\nx{job=\"a\"} 1\n");
	assert_string_equal(family(ingest, "y"), "# TYPE y untyped\ny{job=\"a\"} 2\n");
	send_part(ingest, push, GS_STR("y 2\n"));
	assert_true(dropped("duplicate") == 1);
	assert_true(applied() == 1);
	gs_ingest_free(ingest);
}

/* What was refused is said where it can be seen, for its client cannot hear it. */
static void test_refused(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_with(0);
	send(ingest, push_of(GS_WIRE_PUSH, "1"), NULL, "# TYPE t gauge\nt 1\n");
	send(ingest, push_of(GS_WIRE_PUSH, "2"), NULL, "# TYPE t counter\nt 1\n");
	send(ingest, push_of(GS_WIRE_PUSH, "3"), NULL, "t{\n");
	send(ingest, push_of(GS_WIRE_PUSH_GATEWAY_PUT, "4"), "a", "t{\n");
	struct gs_buf many;
	gs_buf_init(&many, 10000);
	for (int i = 0; i < 101; i++)
		gs_buf_printf(&many, "m%d 1\n", i);
	gs_buf_char(&many, '\0');
	send(ingest, push_of(GS_WIRE_PUSH, "5"), NULL, many.p);
	gs_buf_free(&many);
	send(ingest, push_of(GS_WIRE_PUSH_DELETE, "6"), NULL, "");
	struct gs_wire_push push = push_of(GS_WIRE_PUSH, "7");
	push.mode = GS_STR("agregate");
	send(ingest, push, NULL, "u 1\n");
	push = push_of(GS_WIRE_PUSH, "8");
	push.ttl_ms = GS_LIMIT_TTL_MS + 1;
	send(ingest, push, NULL, "u 1\n");
	push = push_of(GS_WIRE_PUSH, "9");
	push.labels_size = 99;
	send_part(ingest, push, GS_STR("u 1\n"));
	static const char *const labels[] = {"3:__x1:a", "3:job2:\xc3\x28", "1:a1:b1:a1:b", "4:a\"b}1:c", "3:j b1:c"};
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		push = push_of(GS_WIRE_PUSH, (char[]){(char)('a' + i), '\0'});
		push.labels_size = strlen(labels[i]);
		send_part(ingest, push, gs_str_of(labels[i]));
	}
	assert_string_equal(family(ingest, "t"), "# TYPE t gauge\nt 1\n");
	assert_string_equal(family(ingest, "u"), "");
	assert_true(dropped("conflict") == 1);
	assert_true(dropped("parse") == 2);
	assert_true(dropped("limit") == 1);
	assert_true(dropped("header") == 4 + sizeof(labels) / sizeof(labels[0]));
	assert_true(applied() == 1);
	gs_ingest_free(ingest);
}

static void test_strangers(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_with(0);
	static const struct {
		const char *subject, *header, *data, *reason;
	} rows[] = {
	    {"t.scrape.0", "", "", "subject"},
	    {"t.push.0", "", "", "header"},
	    {"t.push.0", "v=2 k=p", "", "version"},
	    {"t.push.0", "v=1 k=p t=1 o=push w=a i=1 b=4", "junk", "body"},
	    {"t.push.0", "v=1 k=p t=1 o=push w=a i=1 b=0", "junk", "body"},
	    {"t.push.0", "v=1 k=p t=1 o=push w=a i=1 b=9", "", "body"},
	    {"t.push.0", "v=1 k=p t=1 o=push w=%FF i=1 b=0", "", "header"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double before = dropped(rows[i].reason);
		struct gs_ingest_message message = {.subject = gs_str_of(rows[i].subject),
		    .header = gs_str_of(rows[i].header),
		    .data = gs_str_of(rows[i].data)};
		gs_ingest_pushed(ingest, &message);
		assert_true(dropped(rows[i].reason) == before + 1);
	}
	gs_ingest_free(ingest);
}

/* What had expired when it was taken does not count then, however late it is read; and a clock ahead of the server's is not believed. */
static void test_time(void **state) {
	(void)state;
	struct gs_ingest *ingest = open_with(600000);
	struct gs_wire_push push = push_of(GS_WIRE_PUSH, "1");
	int64_t now = push.time_ms;
	push.time_ms = now - 700001;
	send(ingest, push, NULL, "# TYPE c counter\nc 1\n");
	push.id = GS_STR("2");
	push.time_ms = now - 100000;
	send(ingest, push, NULL, "# TYPE c counter\nc 2\n");
	assert_string_equal(family(ingest, "c"), "# TYPE c counter\nc 2\n");
	assert_true(gs_metric_get(GS_M_EXPIRED, NULL, NULL) == 1);
	push = push_of(GS_WIRE_PUSH_GATEWAY_PUT, "3");
	push.time_ms = 4102444800000;
	stored_after = 1700000000000 - push.time_ms;
	send(ingest, push, "a", "g 1\n");
	stored_after = 0;
	assert_non_null(strstr(family(ingest, "push_time_seconds"), "} 1700000000\n"));
	gs_ingest_free(ingest);
}

static void test_out_of_memory(void **state) {
	(void)state;
	bool failed = true;
	for (int n = 0; failed; n++) {
		struct gs_pushed *pushed;
		gs_mem_fail_after(n);
		pushed = gs_pushed_new();
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		assert_true((pushed == NULL) == failed);
		gs_pushed_free(pushed);
		assert_true(n < 50);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_operation),
	    cmocka_unit_test(test_duplicates),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_strangers),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
