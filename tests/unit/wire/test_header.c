/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/wire/wire.h"

#include "wire/examples.h"

#define BASE "v=1 k=s t=1 s=2 i=3 d=4 u=1 n=5 b=6"

static const struct gs_wire_header full = {
    .kind = GS_WIRE_SCRAPE,
    .up = true,
    .honor_labels = true,
    .time_ms = 1795219398123,
    .sent_ms = 1795219398171,
    .interval_ms = 15000,
    .duration_us = 41250,
    .samples = 1054,
    .samples_kept = 1000,
    .series_added = 12,
    .body_size = 118220,
    .part = 0,
    .parts = 1,
    .labels = GS_STR_INIT("dc=\"fra\",note=\"a b 100%\""),
};

static void assert_str(struct gs_str got, struct gs_str want) {
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.n != 0 ? got.p : "", want.n != 0 ? want.p : "", got.n);
}

static void assert_same(const struct gs_wire_header *got, const struct gs_wire_header *want) {
	assert_int_equal(got->kind, want->kind);
	assert_int_equal(got->up, want->up);
	assert_int_equal(got->honor_labels, want->honor_labels);
	assert_int_equal(got->results, want->results);
	assert_int_equal(got->time_ms, want->time_ms);
	assert_int_equal(got->sent_ms, want->sent_ms);
	assert_int_equal(got->interval_ms, want->interval_ms);
	assert_int_equal(got->duration_us, want->duration_us);
	assert_int_equal(got->samples, want->samples);
	assert_int_equal(got->samples_kept, want->samples_kept);
	assert_int_equal(got->series_added, want->series_added);
	assert_int_equal(got->body_size, want->body_size);
	assert_int_equal(got->part, want->part);
	assert_int_equal(got->parts, want->parts);
	assert_int_equal(got->format, want->format);
	assert_int_equal(got->utf8_names, want->utf8_names);
	assert_str(got->cause, want->cause);
	assert_str(got->labels, want->labels);
}

struct fixture {
	struct gs_buf out;
	struct gs_buf scratch;
	struct gs_wire_header header;
	struct gs_error err;
};

static struct fixture f;

static int setup(void **state) {
	(void)state;
	f = (struct fixture){0};
	gs_buf_init(&f.out, 3 * GS_LIMIT_HEADER);
	gs_buf_init(&f.scratch, 2 * GS_LIMIT_HEADER);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	gs_buf_free(&f.out);
	gs_buf_free(&f.scratch);
	return 0;
}

static enum gs_status parse(struct gs_str line) {
	return gs_wire_header_parse(line, &f.scratch, &f.header, &f.err);
}

static struct gs_str write_line(const struct gs_wire_header *header) {
	gs_buf_clear(&f.out);
	gs_wire_header_write(&f.out, header);
	assert_int_equal(f.out.status, GS_OK);
	return gs_buf_slice(&f.out);
}

static void round_trip(const struct gs_wire_header *header) {
	struct gs_str line = write_line(header);
	for (size_t i = 0; i < line.n; i++)
		assert_in_range(line.p[i], 0x20, 0x7e);
	assert_int_equal(parse(line), GS_OK);
	assert_same(&f.header, header);
}

static void refused(const char *line, enum gs_status want, const char *reason) {
	enum gs_status status = parse(gs_str_of(line));
	if (status != want || strstr(f.err.text, reason) == NULL)
		fail_msg(
		    "%s: %s (%s), not %s (%s)", line, gs_status_name(status), f.err.text, gs_status_name(want), reason);
}

static void check_written(struct gs_str line) {
	char *before = gs_strdup(line);
	if (parse(line) != GS_OK)
		fail_msg("%s: %s", before, f.err.text);
	assert_str(write_line(&f.header), gs_str_of(before));
	gs_free(before);
}

static void check_read(struct gs_str line) {
	struct gs_wire_header want = {.kind = GS_WIRE_SCRAPE,
	    .up = true,
	    .time_ms = 1,
	    .sent_ms = 2,
	    .interval_ms = 3,
	    .duration_us = 4,
	    .samples = 5,
	    .samples_kept = 5,
	    .body_size = 6,
	    .parts = 1};
	assert_int_equal(parse(line), GS_OK);
	assert_same(&f.header, &want);
	assert_str(write_line(&f.header), GS_STR(BASE));
}

static void check_refused(struct gs_str line) {
	struct gs_str cell[2];
	example_cells(line, cell, 2);
	char *text = gs_strdup(cell[1]);
	const char *status = gs_status_name(parse(cell[1]));
	if (!gs_str_eq(gs_str_of(status), cell[0]))
		fail_msg("%s: %s", text, status);
	gs_free(text);
}

static void test_examples_of_the_protocol(void **state) {
	(void)state;
	assert_true(for_each_example("header", check_written) >= 4);
	assert_true(for_each_example("header-read", check_read) >= 3);
	assert_true(for_each_example("header-refused", check_refused) >= 15);
}

static void test_line_of_a_full_header(void **state) {
	(void)state;
	assert_str(write_line(&full),
	    GS_STR("v=1 k=s t=1795219398123 s=1795219398171 i=15000 d=41250 u=1 n=1054 m=1000 a=12 b=118220 h=1 "
		   "l=dc=\"fra\",note=\"a%20b%20100%25\""));
	round_trip(&full);
}

static void test_every_field_at_its_edges(void **state) {
	(void)state;
	struct gs_wire_header h = full;
	h.time_ms = h.sent_ms = h.interval_ms = h.duration_us = INT64_C(1) << 53;
	h.samples = h.samples_kept = h.series_added = UINT64_C(1) << 53;
	h.body_size = GS_LIMIT_WIRE_BODY;
	h.parts = GS_LIMIT_PARTS;
	h.part = GS_LIMIT_PARTS - 1;
	round_trip(&h);
	h = (struct gs_wire_header){.kind = GS_WIRE_SCRAPE, .up = true, .parts = 1};
	round_trip(&h);
	h.samples = 9; /* kept none of them: not the default */
	round_trip(&h);
	h = (struct gs_wire_header){.kind = GS_WIRE_SCRAPE, .parts = 1, .cause = GS_STR("body_limit")};
	round_trip(&h);
	h.cause = GS_STR("abcdefghijklmnopqrstuvwxyz______");
	round_trip(&h);
}

/* Only its two times count, and no other key can spoil it. */
static void test_gone(void **state) {
	(void)state;
	struct gs_wire_header h = full;
	h.kind = GS_WIRE_GONE;
	assert_str(write_line(&h), GS_STR("v=1 k=g t=1795219398123 s=1795219398171"));
	round_trip(&(struct gs_wire_header){.kind = GS_WIRE_GONE, .time_ms = 7, .sent_ms = 8, .parts = 1});
	assert_int_equal(parse(GS_STR("v=1 k=g s=8 zone=x u=0 q=0 p=9 f=csv l=%41 b=x t=7")), GS_OK);
	assert_same(&f.header, &(struct gs_wire_header){.kind = GS_WIRE_GONE, .time_ms = 7, .sent_ms = 8, .parts = 1});
	refused("v=1 k=g s=8", GS_EINVAL, "key t is missing");
	refused("v=1 k=g t=7", GS_EINVAL, "key s is missing");
	refused("v=1 k=g t=x s=8", GS_EINVAL, "key t is no number");
	refused("v=1 k=g t=7 s=8 k=s", GS_EINVAL, "key k twice");
	refused("v=1 k=gs t=7 s=8", GS_EUNSUPPORTED, "kind gs");
}

static void test_results(void **state) {
	(void)state;
	struct gs_wire_header h = full;
	h.results = true;
	round_trip(&h);
	assert_int_equal(parse(GS_STR(BASE " e=0")), GS_OK);
	assert_false(f.header.results);
	assert_int_equal(parse(GS_STR(BASE " e=1")), GS_OK);
	assert_true(f.header.results);
	refused(BASE " e=1 e=1", GS_EINVAL, "key e twice");
}

static void test_formats(void **state) {
	(void)state;
	static const struct {
		enum gs_expo_format format;
		bool utf8_names;
		const char *line;
	} rows[] = {
	    {GS_FORMAT_TEXT, false, "v=1 k=s t=0 s=0 i=0 d=0 u=1 n=0 b=0"},
	    {GS_FORMAT_OPENMETRICS, false, "v=1 k=s t=0 s=0 i=0 d=0 u=1 n=0 b=0 f=openmetrics"},
	    {GS_FORMAT_OPENMETRICS, true, "v=1 k=s t=0 s=0 i=0 d=0 u=1 n=0 b=0 f=openmetrics-utf8"},
	    {GS_FORMAT_PROTOBUF, false, "v=1 k=s t=0 s=0 i=0 d=0 u=1 n=0 b=0 f=protobuf"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gs_wire_header h = {.kind = GS_WIRE_SCRAPE,
		    .up = true,
		    .parts = 1,
		    .format = rows[i].format,
		    .utf8_names = rows[i].utf8_names};
		assert_str(write_line(&h), gs_str_of(rows[i].line));
		round_trip(&h);
	}
	/* Text of both versions is read alike, and always has names in quotes. */
	struct gs_wire_header text = {
	    .kind = GS_WIRE_SCRAPE, .up = true, .parts = 1, .format = GS_FORMAT_TEXT_1, .utf8_names = true};
	assert_str(write_line(&text), gs_str_of(rows[0].line));
	refused(BASE " f=text", GS_EUNSUPPORTED, "format text");
	assert_int_equal(f.err.column, sizeof(BASE) + 1);
	refused(BASE " f=", GS_EINVAL, "format");
}

static void test_numbers_are_bounded(void **state) {
	(void)state;
	static const char *const rest = " v2=1";
	const struct {
		const char *key;
		const char *limit;
		enum gs_status above;
	} keys[] = {{"t", "9007199254740993", GS_EINVAL}, {"s", "9007199254740993", GS_EINVAL},
	    {"i", "9007199254740993", GS_EINVAL}, {"d", "9007199254740993", GS_EINVAL}, {"u", "2", GS_EINVAL},
	    {"n", "9007199254740993", GS_EINVAL}, {"b", "134217729", GS_ELIMIT}, {"m", "9007199254740993", GS_EINVAL},
	    {"a", "9007199254740993", GS_EINVAL}, {"p", "1024", GS_EINVAL}, {"q", "1025", GS_ELIMIT},
	    {"h", "2", GS_EINVAL}, {"e", "2", GS_EINVAL}};
	static const char *const junk[] = {"", "-1", "+1", "1.0", "0x1", "1e3", "1,", "\"1\"", "one"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char line[256], want[32];
		snprintf(want, sizeof(want), "key %s is above", keys[i].key);
		snprintf(line, sizeof(line), "v=1 k=s %s=%s%s", keys[i].key, keys[i].limit, rest);
		refused(line, keys[i].above, want);
		snprintf(line, sizeof(line), "v=1 k=s %s=18446744073709551616", keys[i].key);
		refused(line, keys[i].above, want);
		snprintf(want, sizeof(want), "key %s is no number", keys[i].key);
		for (size_t j = 0; j < sizeof(junk) / sizeof(junk[0]); j++) {
			snprintf(line, sizeof(line), "v=1 k=s %s=%s%s", keys[i].key, junk[j], rest);
			refused(line, GS_EINVAL, want);
		}
	}
}

static void test_missing_keys_are_named(void **state) {
	(void)state;
	static const char all[][8] = {"t=1", "s=2", "i=3", "d=4", "u=1", "n=5", "b=6"};
	for (size_t skip = 0; skip < 7; skip++) {
		char line[128] = "v=1 k=s", want[32];
		size_t at = strlen(line);
		for (size_t i = 0; i < 7; i++) {
			if (i != skip)
				at += (size_t)snprintf(line + at, sizeof(line) - at, " %s", all[i]);
		}
		snprintf(want, sizeof(want), "key %c is missing", all[skip][0]);
		refused(line, GS_EINVAL, want);
	}
	refused("v=1", GS_EINVAL, "key k is missing");
	refused("v=1 k=s t=1 s=2 i=3 d=4 u=0 n=0 b=0", GS_EINVAL, "key c is missing");
}

static void test_duplicates_are_refused(void **state) {
	(void)state;
	static const char *const pairs[] = {"v=1", "k=s", "t=1", "s=2", "i=3", "d=4", "u=1", "n=5", "b=6"};
	static const char *const optional[] = {"m=1", "a=1", "p=0", "q=1", "h=1", "f=protobuf", "c=x", "l=a", "l="};
	char line[256], want[32];
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		snprintf(line, sizeof(line), BASE " %s", pairs[i]);
		snprintf(want, sizeof(want), "key %c twice", pairs[i][0]);
		refused(line, GS_EINVAL, want);
	}
	for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
		snprintf(line, sizeof(line), BASE " %s %s", optional[i], optional[i]);
		snprintf(want, sizeof(want), "key %c twice", optional[i][0]);
		refused(line, GS_EINVAL, want);
	}
}

static void test_form_of_the_line(void **state) {
	(void)state;
	refused("", GS_EINVAL, "empty");
	refused(" " BASE, GS_EINVAL, "empty key");
	refused(BASE " ", GS_EINVAL, "blank at the end");
	refused("v=1 ", GS_EINVAL, "blank at the end");
	refused("v=1  k=s", GS_EINVAL, "empty key");
	refused(BASE " x", GS_EINVAL, "not key=value");
	refused(BASE " =1", GS_EINVAL, "not key=value");
	refused("v=1\tk=s", GS_EINVAL, "not printable");
	refused(BASE "\x7f", GS_EINVAL, "not printable");
	refused(BASE "\r", GS_EINVAL, "not printable");
	refused(BASE " l=\xc3\xa9", GS_EINVAL, "not printable");
	refused("v=x k=s", GS_EINVAL, "key v");
	refused("v=65536 k=s", GS_EINVAL, "key v");
	refused("v= k=s", GS_EINVAL, "key v");
	refused("w=1 k=s", GS_EINVAL, "key v");
	refused("v=1 k=", GS_EINVAL, "key k");
	refused("v=1 t=1 k=s", GS_EINVAL, "key k must come second");
	refused("v=65535", GS_EUNSUPPORTED, "version 65535");
	refused("v=1 k=S", GS_EUNSUPPORTED, "kind S");
	assert_int_equal(f.err.column, 5);
	assert_int_equal(parse(gs_str_make(BASE "\0", sizeof(BASE))), GS_EINVAL);
}

static void test_causes(void **state) {
	(void)state;
	static const char *const bad[] = {"", "A", "a-b", "a1", "a%20b", "abcdefghijklmnopqrstuvwxyz_______"};
	char line[256];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "v=1 k=s t=1 s=2 i=3 d=4 u=0 n=0 b=0 c=%s", bad[i]);
		refused(line, GS_EINVAL, "key c is no cause");
	}
}

/* Whatever the fields hold, the line stays one line that a reader takes. */
static void test_writer_bends_causes(void **state) {
	(void)state;
	struct gs_wire_header h = {.kind = GS_WIRE_SCRAPE, .parts = 1};
	static const struct {
		struct gs_str cause, want;
	} cases[] = {
	    {GS_STR_INIT(""), GS_STR_INIT("unknown")},
	    {GS_STR_INIT("a b=c\r\nd\0e"), GS_STR_INIT("a_b_c__d_e")},
	    {GS_STR_INIT("HTTP 500 \xff"), GS_STR_INIT("__________")},
	    {GS_STR_INIT("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"),
		GS_STR_INIT("abcdefghijklmnopqrstuvwxyzabcdef")},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		h.cause = cases[i].cause;
		assert_int_equal(parse(write_line(&h)), GS_OK);
		assert_str(f.header.cause, cases[i].want);
	}
	h.up = true; /* a cause is for failures only */
	assert_int_equal(parse(write_line(&h)), GS_OK);
	assert_int_equal(f.header.cause.n, 0);
}

static void test_labels_round_trip_byte_for_byte(void **state) {
	(void)state;
	char text[256];
	struct gs_wire_header h = full;
	for (int i = 0; i < 256; i++)
		text[i] = (char)i;
	h.labels = gs_str_make(text, sizeof(text));
	round_trip(&h);
	for (size_t i = 0; i < sizeof(text); i++) {
		h.labels = gs_str_make(text + i, 1);
		round_trip(&h);
	}
	h.labels = GS_STR("a=\"\\\"\\n\" t=9 v=2");
	round_trip(&h);
	refused(BASE " l=%4", GS_EINVAL, "key l");
	refused(BASE " l=%2g", GS_EINVAL, "key l");
	refused(BASE " l=%0a", GS_EINVAL, "key l");
	refused(BASE " l=a%", GS_EINVAL, "key l");
	assert_int_equal(parse(GS_STR(BASE " l=")), GS_OK);
	assert_int_equal(f.header.labels.n, 0);
}

static void test_numbers_out_of_range_are_the_readers_to_refuse(void **state) {
	(void)state;
	struct gs_wire_header h = full;
	h.time_ms = -1;
	assert_int_equal(parse(write_line(&h)), GS_EINVAL);
	h = full;
	h.part = h.parts = 5;
	assert_int_equal(parse(write_line(&h)), GS_EINVAL);
	h = full;
	h.body_size = UINT64_MAX;
	assert_int_equal(parse(write_line(&h)), GS_ELIMIT);
}

static void test_length_is_bounded(void **state) {
	(void)state;
	char line[GS_LIMIT_HEADER + 2] = BASE " l=";
	size_t front = strlen(line);
	memset(line + front, 'x', sizeof(line) - front);
	assert_int_equal(parse(gs_str_make(line, GS_LIMIT_HEADER)), GS_OK);
	assert_int_equal(f.header.labels.n, GS_LIMIT_HEADER - front);
	assert_int_equal(parse(gs_str_make(line, GS_LIMIT_HEADER + 1)), GS_ELIMIT);
}

/* Cut anywhere, a line is refused or says less, and never more than it has. */
static void test_every_prefix(void **state) {
	(void)state;
	struct gs_str line = write_line(&full);
	for (size_t n = 0; n < line.n; n++) {
		char *copy = gs_strdup(gs_str_make(line.p, n));
		enum gs_status status = parse(gs_str_make(copy, n));
		if (status == GS_OK)
			assert_int_equal(f.header.time_ms, full.time_ms);
		else
			assert_int_equal(status, GS_EINVAL);
		gs_free(copy);
	}
}

static void test_failing_allocation_and_small_scratch(void **state) {
	(void)state;
	gs_mem_fail_after(0);
	assert_int_equal(parse(GS_STR(BASE)), GS_ENOMEM);
	assert_true(gs_mem_failed());
	gs_mem_fail_after(-1);
	assert_int_equal(parse(GS_STR(BASE)), GS_OK);
	gs_buf_free(&f.scratch);
	gs_buf_init(&f.scratch, 8);
	assert_int_equal(parse(GS_STR(BASE)), GS_ELIMIT);
	assert_int_equal(gs_wire_header_parse(GS_STR("v=1"), &f.scratch, &f.header, NULL), GS_EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    T(test_examples_of_the_protocol),
	    T(test_line_of_a_full_header),
	    T(test_every_field_at_its_edges),
	    T(test_gone),
	    T(test_results),
	    T(test_formats),
	    T(test_numbers_are_bounded),
	    T(test_missing_keys_are_named),
	    T(test_duplicates_are_refused),
	    T(test_form_of_the_line),
	    T(test_causes),
	    T(test_writer_bends_causes),
	    T(test_labels_round_trip_byte_for_byte),
	    T(test_numbers_out_of_range_are_the_readers_to_refuse),
	    T(test_length_is_bounded),
	    T(test_every_prefix),
	    T(test_failing_allocation_and_small_scratch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
