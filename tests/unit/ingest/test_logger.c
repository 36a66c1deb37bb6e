/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <pthread.h>

#include "durable.h"

#define BODY "# TYPE c counter\nc 1\n"

static void test_in_order(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest *ingest = durable_open(folder);
	for (int i = 1; i <= 5; i++) {
		assert_int_equal(push(ingest, "", BODY), GS_OK);
		assert_true(durable_metric(GS_M_JOURNAL_POSITION) == i);
	}
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 5\n");
	assert_true(durable_metric(GS_M_LOG_ENTRIES) == 5);
	assert_true(durable_metric(GS_M_LOG_WRITABLE) == 1);
	assert_true(durable_metric(GS_M_LOG_BYTES) > 0);
	/* What does not parse is not logged; what the store refuses is, and stays refused. */
	assert_int_equal(push(ingest, "", "c{ 1\n"), GS_EINVAL);
	assert_true(durable_metric(GS_M_LOG_ENTRIES) == 5);
	assert_int_equal(push(ingest, "", "# TYPE c gauge\nc 1\n"), GS_ECONFLICT);
	assert_true(durable_metric(GS_M_LOG_ENTRIES) == 6);
	gs_ingest_free(ingest);
	folder_free(folder);
}

static void test_keys(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest *ingest = durable_open(folder);
	assert_int_equal(push(ingest, "k", BODY), GS_OK);
	assert_int_equal(push(ingest, "k", BODY), GS_OK);
	assert_int_equal(push(ingest, "l", "# TYPE c gauge\nc 1\n"), GS_ECONFLICT);
	assert_int_equal(push(ingest, "l", BODY), GS_OK);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 2\n");
	assert_true(durable_metric(GS_M_DUPLICATES) == 1);
	gs_ingest_free(ingest);
	ingest = durable_open(folder);
	assert_int_equal(push(ingest, "k", BODY), GS_OK);
	assert_int_equal(push(ingest, "l", BODY), GS_OK);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 2\n");
	gs_ingest_free(ingest);
	folder_free(folder);
}

struct pusher {
	pthread_t thread;
	struct gs_ingest *ingest;
	unsigned taken;
};

static void *push_many(void *arg) {
	struct pusher *pusher = arg;
	for (int i = 0; i < 100; i++)
		pusher->taken += push(pusher->ingest, "", BODY) == GS_OK;
	return NULL;
}

/* Those that wait share a transaction. */
static void test_groups(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest *ingest = durable_open(folder);
	struct pusher pushers[4];
	unsigned taken = 0;
	for (int i = 0; i < 4; i++) {
		pushers[i] = (struct pusher){.ingest = ingest};
		assert_int_equal(pthread_create(&pushers[i].thread, NULL, push_many, &pushers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(pushers[i].thread, NULL);
		taken += pushers[i].taken;
	}
	assert_int_equal(taken, 400);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 400\n");
	assert_true(gs_metric_get(GS_M_LOG_COMMIT, NULL, NULL) <= 400);
	gs_ingest_free(ingest);
	folder_free(folder);
}

static void send_edge(struct gs_ingest *ingest, uint64_t sequence, const char *id, int64_t time_ms) {
	struct gs_wire_push wire = {.op = GS_WIRE_PUSH,
	    .time_ms = time_ms,
	    .parts = 1,
	    .publisher = GS_STR("dc1"),
	    .id = gs_str_of(id),
	    .body_size = strlen(BODY)};
	struct gs_codec *codec = gs_codec_new();
	struct gs_buf line, data;
	gs_buf_init(&line, GS_LIMIT_HEADER);
	gs_buf_init(&data, 1 << 20);
	gs_wire_push_write(&line, &wire);
	assert_int_equal(gs_codec_compress(codec, GS_CODEC_ZSTD, 0, GS_STR(BODY), &data), GS_OK);
	struct gs_ingest_message message = {.subject = GS_STR("t.push.0"),
	    .header = gs_buf_slice(&line),
	    .data = gs_buf_slice(&data),
	    .sequence = sequence,
	    .stored_ms = time_ms};
	gs_ingest_pushed(ingest, &message);
	gs_buf_free(&line);
	gs_buf_free(&data);
	gs_codec_free(codec);
}

/* Full: who pushes is told, and nothing is applied; what comes by a stream waits until there is room. */
static void test_full(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest_options options = durable_options(folder);
	options.log.max_bytes = 200000;
	struct gs_ingest *ingest = durable_open_with(&options);
	struct gs_error err = {0};
	struct gs_buf body;
	gs_buf_init(&body, 1 << 20);
	gs_buf_cstr(&body, "# TYPE c counter\nc 1\n");
	uint64_t noise = 88172645463325252u;
	for (int i = 0; i < 1000; i++) {
		noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
		gs_buf_printf(&body, "# %016llx\n", (unsigned long long)noise);
	}
	int taken = 0;
	enum gs_status status;
	while ((status = push_full(ingest, (struct gs_ingest_push){.body = gs_buf_slice(&body)}, &err)) == GS_OK)
		taken++;
	assert_int_equal(status, GS_EAGAIN);
	assert_true(taken > 0 && taken < 40);
	assert_non_null(strstr(err.text, "receiver.log.max_size"));
	assert_non_null(strstr(err.text, "nothing was applied"));
	assert_true(durable_metric(GS_M_LOG_WRITABLE) == 0);
	char text[64];
	snprintf(text, sizeof(text), "# TYPE c counter\nc %d\n", taken);
	assert_string_equal(durable_text(ingest, "c"), text);
	/* It stands behind one that does not fit, and is not lost. */
	for (int i = 0; i < 2000; i++) {
		noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
		gs_buf_printf(&body, "# %016llx\n", (unsigned long long)noise);
	}
	assert_int_equal(push_full(ingest, (struct gs_ingest_push){.body = gs_buf_slice(&body)}, &err), GS_EAGAIN);
	send_edge(ingest, 1, "e", gs_clock_wall_ms());
	while (push(ingest, "", BODY) == GS_OK && taken < 10000)
		taken++;
	gs_buf_free(&body);
	gs_ingest_free(ingest);
	options.log.max_bytes = 0;
	ingest = durable_open_with(&options);
	send_edge(ingest, 1, "e", gs_clock_wall_ms());
	assert_int_equal(push(ingest, "", BODY), GS_OK);
	taken += 2;
	snprintf(text, sizeof(text), "# TYPE c counter\nc %d\n", taken);
	assert_string_equal(durable_text(ingest, "c"), text);
	gs_ingest_free(ingest);
	folder_free(folder);
}

/* Of a stream all is known up to the message that was logged last: by its number and by when it was stored. */
static void test_stream(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest_options options = durable_options(folder);
	options.log.key_window_ms = 1; /* so that it is not the keys that know them */
	struct gs_ingest *ingest = durable_open_with(&options);
	int64_t now_ms = gs_clock_wall_ms();
	send_edge(ingest, 7, "a", now_ms - 5000);
	send_edge(ingest, 8, "b", now_ms - 4000);
	assert_int_equal(push(ingest, "", BODY), GS_OK);
	assert_int_equal(ingest->applied.mark.sequence, 8);
	gs_ingest_free(ingest);
	ingest = durable_open_with(&options);
	assert_int_equal(ingest->applied.mark.sequence, 8);
	assert_int_equal(ingest->applied.mark.stored_ms, now_ms - 4000);
	send_edge(ingest, 7, "a", now_ms - 5000);
	send_edge(ingest, 8, "b", now_ms - 4000);
	assert_true(gs_metric_get(GS_M_EDGE_DROPPED, "duplicate", NULL) == 2);
	send_edge(ingest, 9, "c", now_ms - 3000);
	send_edge(ingest, 2, "d", now_ms - 2000); /* of a stream that was made anew */
	assert_int_equal(push(ingest, "", BODY), GS_OK);
	assert_string_equal(durable_text(ingest, "c"), "# TYPE c counter\nc 6\n");
	gs_ingest_free(ingest);
	folder_free(folder);
}

/* The second receiver on a log is refused, and the first does not notice. */
static void test_one_owner(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest *ingest = durable_open(folder), *second = NULL;
	struct gs_ingest_options options = durable_options(folder);
	struct gs_error err = {0};
	assert_int_equal(gs_ingest_new(&options, &second, &err), GS_EIO);
	assert_non_null(strstr(err.text, "another process has it open"));
	assert_int_equal(push(ingest, "", BODY), GS_OK);
	gs_ingest_free(ingest);
	options.log.folder = "/proc/no/such";
	assert_int_equal(gs_ingest_new(&options, &second, &err), GS_EIO);
	assert_non_null(strstr(err.text, "/proc/no/such"));
	folder_free(folder);
}

static void test_no_memory(void **state) {
	(void)state;
	char *folder = folder_new();
	struct gs_ingest_options options = durable_options(folder);
	bool failed = true;
	for (int64_t n = 0; failed; n++) {
		struct gs_ingest *ingest = NULL;
		gs_mem_fail_after(n);
		enum gs_status status = gs_ingest_new(&options, &ingest, NULL);
		if (status == GS_OK)
			status = durable_wait(ingest, NULL);
		if (status == GS_OK)
			status = push(ingest, "k", BODY);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		if (!failed)
			assert_int_equal(status, GS_OK);
		gs_ingest_free(ingest);
	}
	folder_free(folder);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_order),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_stream),
	    cmocka_unit_test(test_one_owner),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
