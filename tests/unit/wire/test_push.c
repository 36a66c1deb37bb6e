/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "gravel/base/mem.h"
#include "gravel/wire/push.h"

#include "wire/examples.h"

#define BASE "v=1 k=p t=1 o=push w=a i=b b=0"

static struct gs_buf out, scratch;
static struct gs_wire_push got;
static struct gs_error err;

static int setup(void **state) {
	(void)state;
	gs_buf_init(&out, 3 * GS_LIMIT_HEADER);
	gs_buf_init(&scratch, GS_LIMIT_HEADER);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_buf_free(&out);
	gs_buf_free(&scratch);
	return 0;
}

static enum gs_status parse(struct gs_str line) {
	return gs_wire_push_parse(line, &scratch, &got, &err);
}

static void assert_str(struct gs_str is, struct gs_str want) {
	assert_int_equal(is.n, want.n);
	assert_memory_equal(is.n != 0 ? is.p : "", want.n != 0 ? want.p : "", is.n);
}

static struct gs_str write_line(const struct gs_wire_push *push) {
	gs_buf_clear(&out);
	gs_wire_push_write(&out, push);
	assert_int_equal(out.status, GS_OK);
	return gs_buf_slice(&out);
}

static void check_written(struct gs_str line) {
	char *before = gs_strdup(line);
	if (parse(line) != GS_OK)
		fail_msg("%s: %s", before, err.text);
	assert_str(write_line(&got), gs_str_of(before));
	gs_free(before);
}

static void check_refused(struct gs_str line) {
	struct gs_str cell[2];
	example_cells(line, cell, 2);
	const char *status = gs_status_name(parse(cell[1]));
	if (!gs_str_eq(gs_str_of(status), cell[0]))
		fail_msg("%.*s: %s", GS_FMT(cell[1]), status);
	assert_true(err.text[0] != '\0');
}

static void test_examples_of_the_protocol(void **state) {
	(void)state;
	assert_int_equal(for_each_example("push-header", check_written), 4);
	assert_true(for_each_example("push-header-refused", check_refused) >= 17);
}

static void test_every_field(void **state) {
	(void)state;
	const struct gs_wire_push full = {
	    .op = GS_WIRE_PUSH_GATEWAY_POST,
	    .time_ms = INT64_C(1) << 53,
	    .ttl_ms = 90000,
	    .body_size = GS_LIMIT_WIRE_BODY,
	    .labels_size = 14,
	    .part = GS_LIMIT_PARTS - 1,
	    .parts = GS_LIMIT_PARTS,
	    .format = GS_FORMAT_OPENMETRICS,
	    .utf8_names = true,
	    .publisher = GS_STR("dc 1 \xc3\xa9"),
	    .id = GS_STR("a=b %\n"),
	    .mode = GS_STR("p99.9:1h"),
	};
	assert_str(write_line(&full),
	    GS_STR("v=1 k=p t=9007199254740992 o=gateway-post w=dc%201%20%C3%A9 i=a=b%20%25%0A c=p99.9:1h x=90000 "
		   "f=openmetrics-utf8 l=14 b=134217728 p=1023 q=1024"));
	assert_int_equal(parse(gs_buf_slice(&out)), GS_OK);
	assert_int_equal(got.op, full.op);
	assert_int_equal(got.time_ms, full.time_ms);
	assert_int_equal(got.ttl_ms, full.ttl_ms);
	assert_int_equal(got.body_size, full.body_size);
	assert_int_equal(got.labels_size, full.labels_size);
	assert_int_equal(got.part, full.part);
	assert_int_equal(got.parts, full.parts);
	assert_int_equal(got.format, full.format);
	assert_true(got.utf8_names);
	assert_str(got.publisher, full.publisher);
	assert_str(got.id, full.id);
	assert_str(got.mode, full.mode);
}

static void refused(const char *line, enum gs_status want, const char *reason) {
	enum gs_status status = parse(gs_str_of(line));
	if (status != want || strstr(err.text, reason) == NULL)
		fail_msg("%s: %s (%s)", line, gs_status_name(status), err.text);
}

static void test_form_of_the_line(void **state) {
	(void)state;
	assert_int_equal(parse(GS_STR(BASE " zone=eu z=")), GS_OK);
	refused("", GS_EINVAL, "empty line");
	refused(BASE " ", GS_EINVAL, "blank");
	refused("v=1  k=p", GS_EINVAL, "blank");
	refused(BASE " x", GS_EINVAL, "key=value");
	refused(BASE " k=p", GS_EINVAL, "key k twice");
	refused(BASE " f=protobuf f=protobuf", GS_EINVAL, "key f twice");
	refused(BASE " i=c", GS_EINVAL, "key i twice");
	refused(BASE " x=-1", GS_EINVAL, "key x is no number");
	refused(BASE " x=9007199254740993", GS_EINVAL, "key x is too large");
	refused("k=p v=1", GS_EINVAL, "key v must come first");
	refused("v=1", GS_EINVAL, "key k is missing");
	refused("v=1 t=1", GS_EINVAL, "key k must come second");
	refused("v=1 k=p\tt=1", GS_EINVAL, "not printable");
	for (size_t n = 0; n < sizeof(BASE) - 1; n++)
		assert_int_not_equal(parse(gs_str_make(BASE, n)), GS_OK);
}

static void test_ids_are_bounded(void **state) {
	(void)state;
	char line[1024], id[GS_WIRE_PUSH_ID_MAX + 2];
	memset(id, 'x', sizeof(id));
	for (int n = GS_WIRE_PUSH_ID_MAX; n <= GS_WIRE_PUSH_ID_MAX + 1; n++) {
		snprintf(line, sizeof(line), "v=1 k=p t=1 o=push w=a i=%.*s b=0", n, id);
		assert_int_equal(parse(gs_str_of(line)), n <= GS_WIRE_PUSH_ID_MAX ? GS_OK : GS_EINVAL);
	}
	gs_buf_clear(&out);
	gs_wire_push_message_id(&out, GS_STR("a b"), 7);
	assert_str(gs_buf_slice(&out), GS_STR("a%20b.7"));
}

static void test_subjects(void **state) {
	(void)state;
	uint32_t shard = 9;
	gs_wire_push_subject(&out, GS_STR("eu.metrics"), 0);
	assert_str(gs_buf_slice(&out), GS_STR("eu.metrics.push.0"));
	assert_int_equal(gs_wire_push_parse_subject(gs_buf_slice(&out), GS_STR("eu.metrics"), &shard), GS_OK);
	assert_int_equal(shard, 0);
	assert_int_equal(gs_wire_push_parse_subject(GS_STR("t.push.4294967295"), GS_STR("t"), &shard), GS_OK);
	assert_int_equal(shard, UINT32_MAX);
	static const char *const others[] = {"t.push.", "t.push", "t.push.00", "t.push.1.2", "t.push.4294967296",
	    "t.scrape.0", "u.push.0", "t.push.x", ""};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(gs_wire_push_parse_subject(gs_str_of(others[i]), GS_STR("t"), &shard), GS_EINVAL);
}

static void test_labels(void **state) {
	(void)state;
	const struct gs_label labels[] = {
	    {GS_STR("job"), GS_STR("backup")}, {GS_STR("x"), GS_STR("")}, {GS_STR("path"), GS_STR("1:2\n\"")}};
	struct gs_label back[3];
	size_t n = 9;
	gs_wire_push_add_labels(&out, labels, 3);
	assert_str(gs_buf_slice(&out), GS_STR("3:job6:backup1:x0:4:path5:1:2\n\""));
	assert_int_equal(gs_wire_push_read_labels(gs_buf_slice(&out), back, 3, &n), GS_OK);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_str(back[i].name, labels[i].name);
		assert_str(back[i].value, labels[i].value);
	}
	assert_int_equal(gs_wire_push_read_labels(gs_buf_slice(&out), back, 2, &n), GS_ELIMIT);
	assert_int_equal(gs_wire_push_read_labels(GS_STR(""), back, 3, &n), GS_OK);
	assert_int_equal(n, 0);
	static const char *const junk[] = {"3:job", "3:job6:backu", ":a1:b", "x", "3", "-1:a1:b", "1:a1:b1:c",
	    "99999999999999999999:a1:b", "18446744073709551615:a1:b"};
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		assert_int_equal(gs_wire_push_read_labels(gs_str_of(junk[i]), back, 3, &n), GS_EINVAL);
}

static void test_failing_allocation(void **state) {
	(void)state;
	gs_mem_fail_after(0);
	assert_int_equal(parse(GS_STR(BASE)), GS_ENOMEM);
	gs_mem_fail_after(-1);
	assert_int_equal(parse(GS_STR(BASE)), GS_OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    T(test_examples_of_the_protocol),
	    T(test_every_field),
	    T(test_form_of_the_line),
	    T(test_ids_are_bounded),
	    T(test_subjects),
	    T(test_labels),
	    T(test_failing_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
