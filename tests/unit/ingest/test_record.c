/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "durable.h"

struct stand {
	struct gs_ingest *ingest;
	struct entry *entry;
	struct gs_buf scratch;
	struct gs_codec *codec;
};

static struct stand open_stand(void) {
	struct gs_ingest_options options = durable_options(NULL);
	struct stand stand = {.codec = gs_codec_new()};
	assert_int_equal(gs_ingest_new(&options, &stand.ingest, NULL), GS_OK);
	stand.entry = gs_entry_get(stand.ingest, ENTRY_PUSH);
	gs_buf_init(&stand.scratch, GS_LIMIT_HEADER);
	return stand;
}

static void close_stand(struct stand *stand) {
	gs_entry_put(stand->ingest, stand->entry);
	gs_buf_free(&stand->scratch);
	gs_codec_free(stand->codec);
	gs_ingest_free(stand->ingest);
}

/* Write it, and read it into another entry. */
static enum gs_status round_trip(struct stand *stand, const struct record *record, struct entry *to) {
	struct gs_error err = {0};
	assert_int_equal(gs_record_write(stand->ingest, stand->entry, record, &err), GS_OK);
	struct gs_journal_entry logged = {.time_ms = 1234567,
	    .header = gs_buf_slice(&stand->entry->head),
	    .body = gs_buf_slice(&stand->entry->content)};
	return gs_record_read(stand->ingest, to, &stand->scratch, stand->codec, &logged, &err);
}

static void test_every_operation(void **state) {
	(void)state;
	struct stand stand = open_stand();
	struct entry *to = gs_entry_get(stand.ingest, ENTRY_PUSH);
	const struct gs_label labels[] = {
	    {GS_STR_INIT("job"), GS_STR_INIT("a b=\"c\"\n\xc3\xa4")}, {GS_STR_INIT("instance"), GS_STR_INIT("")}};
	static const struct {
		enum gs_wire_push_op op;
		enum entry_kind kind;
		size_t samples;
	} ops[] = {
	    {GS_WIRE_PUSH, ENTRY_PUSH, 2},
	    {GS_WIRE_PUSH_INGEST, ENTRY_PUSH, 2},
	    {GS_WIRE_PUSH_DELETE, ENTRY_DELETE, 0},
	    {GS_WIRE_PUSH_GATEWAY_PUT, ENTRY_GATEWAY, 2},
	    {GS_WIRE_PUSH_GATEWAY_POST, ENTRY_GATEWAY, 2},
	    {GS_WIRE_PUSH_GATEWAY_DELETE, ENTRY_GATEWAY, 0},
	};
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct gs_ingest_push push = {
		    .body = GS_STR("a 1\nb 2\n"), .labels = labels, .nlabels = 2, .ttl_ms = 5000};
		struct record record = {.op = ops[i].op,
		    .push = &push,
		    .publisher = GS_STR("dc 1"),
		    .id = i % 2 == 0 ? GS_STR("a key = \"x\" %") : GS_STR(""),
		    .time_ms = 99,
		    .mark = {.sequence = i * 7, .stored_ms = 55}};
		assert_int_equal(round_trip(&stand, &record, to), GS_OK);
		assert_int_equal(to->kind, ops[i].kind);
		assert_int_equal(to->time_ms, 1234567);
		assert_int_equal(to->once, i % 2 == 0);
		struct gs_key_hash hash = gs_key_hash(GS_STR("a key = \"x\" %"));
		assert_true(!to->once || (to->key.a == hash.a && to->key.b == hash.b));
		assert_int_equal(to->mark.sequence, i * 7);
		assert_int_equal(to->mark.stored_ms, i == 0 ? 0 : 55);
		assert_int_equal(to->nlabels, 2);
		assert_true(gs_str_eq(to->labels[0].value, labels[0].value));
		if (ops[i].samples != 0)
			assert_int_equal(gs_batch_stats(to->batch).samples, 2);
		if (ops[i].kind == ENTRY_GATEWAY)
			assert_int_equal(to->op, gs_pushed_gateway_op(ops[i].op));
	}
	gs_entry_put(stand.ingest, to);
	close_stand(&stand);
}

/* What is long is compressed, what does not get shorter is not; and limits of the configuration bind only what comes. */
static void test_sizes(void **state) {
	(void)state;
	struct stand stand = open_stand();
	struct entry *to = gs_entry_get(stand.ingest, ENTRY_PUSH);
	struct gs_buf body;
	gs_buf_init(&body, 1 << 22);
	for (int i = 0; i < 6000; i++) /* push_samples is 5000 */
		gs_buf_printf(&body, "metric_of_some_name{i=\"%d\"} %d\n", i, i);
	struct gs_ingest_push push = {.body = gs_buf_slice(&body)};
	struct record record = {.op = GS_WIRE_PUSH, .push = &push};
	assert_int_equal(round_trip(&stand, &record, to), GS_OK);
	assert_int_equal(gs_batch_stats(to->batch).samples, 6000);
	assert_true(stand.entry->content.n < body.n / 4);
	push.body = GS_STR("short 1\n");
	assert_int_equal(round_trip(&stand, &record, to), GS_OK);
	assert_int_equal(stand.entry->content.n, 8);
	assert_int_equal(gs_batch_stats(to->batch).samples, 1);
	/* Noise, in a comment. */
	gs_buf_clear(&body);
	gs_buf_cstr(&body, "a 1\n# ");
	uint64_t noise = 88172645463325252u;
	for (int i = 0; i < 2000; i++) {
		noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
		gs_buf_char(&body, (char)(33 + noise % 90));
	}
	gs_buf_char(&body, '\n');
	push.body = gs_buf_slice(&body);
	assert_int_equal(round_trip(&stand, &record, to), GS_OK);
	assert_int_equal(gs_batch_stats(to->batch).samples, 1);
	gs_buf_free(&body);
	gs_entry_put(stand.ingest, to);
	close_stand(&stand);
}

static void test_what_is_no_record(void **state) {
	(void)state;
	struct stand stand = open_stand();
	static const char *const headers[] = {
	    "",
	    "v=1 k=s t=1",
	    "v=1 k=p t=1 o=push w= i=- b=5", /* neither as long, nor compressed */
	    "v=1 k=p t=1 o=push w= i=- l=9 b=4", /* labels beyond the content */
	    "v=1 k=p t=1 o=delete w= i=- b=4", /* of everything */
	    "v=1 k=p t=1 o=push w= i=- c=nonsense b=4",
	    "v=1 k=p t=1 o=nothing w= i=- b=4",
	};
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct gs_error err = {0};
		struct gs_journal_entry logged = {.header = gs_str_of(headers[i]), .body = GS_STR("a 1\n")};
		assert_int_not_equal(
		    gs_record_read(stand.ingest, stand.entry, &stand.scratch, stand.codec, &logged, &err), GS_OK);
		assert_true(err.text[0] != '\0');
	}
	close_stand(&stand);
}

static void test_no_memory(void **state) {
	(void)state;
	struct stand stand = open_stand();
	const struct gs_label labels[] = {{GS_STR_INIT("job"), GS_STR_INIT("a")}};
	char body[2000] = "a 1\n#";
	memset(body + 5, 'x', sizeof(body) - 7);
	body[sizeof(body) - 2] = '\n';
	struct gs_ingest_push push = {.body = gs_str_of(body), .labels = labels, .nlabels = 1};
	struct record record = {.op = GS_WIRE_PUSH, .push = &push};
	bool failed = true;
	for (int64_t n = 0; failed; n++) {
		struct entry *entry = gs_entry_get(stand.ingest, ENTRY_PUSH),
			     *to = gs_entry_get(stand.ingest, ENTRY_PUSH);
		gs_mem_fail_after(n);
		enum gs_status status = gs_record_write(stand.ingest, entry, &record, NULL);
		struct gs_journal_entry logged = {
		    .header = gs_buf_slice(&entry->head), .body = gs_buf_slice(&entry->content)};
		if (status == GS_OK)
			status = gs_record_read(stand.ingest, to, &stand.scratch, stand.codec, &logged, NULL);
		failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		/* What only makes it faster or smaller it does without. */
		assert_true(status == GS_OK || (failed && status == GS_ENOMEM));
		gs_entry_free(entry);
		gs_entry_free(to);
	}
	close_stand(&stand);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_operation),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_what_is_no_record),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
