/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "durable.h"

/* What every kind of push leaves, and what is refused. */
static void push_all(struct gs_ingest *ingest) {
	const struct gs_label job[] = {{GS_STR_INIT("job"), GS_STR_INIT("a")}},
			      odd[] = {{GS_STR_INIT("job"), GS_STR_INIT("/x y\xc3\xa4")}};
	struct answer answer = {0};
	assert_int_equal(push(ingest, "1", "# TYPE c counter\nc 1\n"), GS_OK);
	assert_int_equal(push(ingest, "", "# TYPE c gauge\nc 1\n"), GS_ECONFLICT);
	struct gs_ingest_push what = {
	    .body = GS_STR("d 1\n"), .labels = job, .nlabels = 1, .mode = {.kind = GS_MODE_AGGREGATE}};
	assert_int_equal(push_full(ingest, what, NULL), GS_OK);
	assert_int_equal(push_full(ingest, what, NULL), GS_OK);
	what = (struct gs_ingest_push){.body = GS_STR("e 1\n"), .leaves = true};
	assert_int_equal(push_full(ingest, what, NULL), GS_OK);
	what = (struct gs_ingest_push){.body = GS_STR("f 1\n"), .labels = odd, .nlabels = 1, .ttl_ms = 100000};
	assert_int_equal(push_full(ingest, what, NULL), GS_OK);
	what = (struct gs_ingest_push){
	    .body = GS_STR("g 1\n"), .labels = odd, .nlabels = 1, .done = on_answer, .ctx = &answer};
	assert_int_equal(answer_of(gs_ingest_gateway(ingest, GS_GATEWAY_PUT, &what, NULL), &answer), GS_OK);
	what.body = GS_STR("g 1 5000\n");
	answer.came = false;
	assert_int_equal(answer_of(gs_ingest_gateway(ingest, GS_GATEWAY_PUT, &what, NULL), &answer), GS_EINVAL);
	assert_int_equal(push(ingest, "", "gone{job=\"x\"} 1\n"), GS_OK);
	const struct gs_label x[] = {{GS_STR_INIT("job"), GS_STR_INIT("x")}};
	what = (struct gs_ingest_push){.labels = x, .nlabels = 1, .done = on_answer, .ctx = &answer};
	answer.came = false;
	assert_int_equal(answer_of(gs_ingest_delete(ingest, &what, NULL), &answer), GS_OK);
}

static const char *const names[] = {"c", "d", "e", "f", "g", "gone", "push_time_seconds", "push_failure_time_seconds"};

static void copy_text(struct gs_ingest *ingest, char *out, size_t n) {
	size_t at = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		at += (size_t)snprintf(out + at, n - at, "%s", durable_text(ingest, names[i]));
}

/* As it is on the disk while the program runs is how a crash leaves it. */
static void test_crash(void **state) {
	(void)state;
	char *folder = folder_new(), *after = folder_new();
	char before[8192], now[8192];
	struct gs_ingest *ingest = durable_open(folder);
	push_all(ingest);
	copy_text(ingest, before, sizeof(before));
	assert_non_null(strstr(before, "d{job=\"a\"} 2\n"));
	assert_null(strstr(before, "gone"));
	folder_each(folder, after);
	struct gs_ingest *again = durable_open(after);
	copy_text(again, now, sizeof(now));
	assert_string_equal(now, before);
	assert_int_equal(again->replayed, 10);
	assert_int_equal(again->applied.position, 10);
	assert_int_equal(again->applied.time_ms, ingest->applied.time_ms);
	assert_int_equal(push(again, "1", "# TYPE c counter\nc 1\n"), GS_OK);
	copy_text(again, now, sizeof(now));
	assert_string_equal(now, before);
	assert_int_equal(push(again, "2", "# TYPE c counter\nc 1\n"), GS_OK);
	assert_string_equal(durable_text(again, "c"), "# TYPE c counter\nc 2\n");
	gs_ingest_free(again);
	gs_ingest_free(ingest);
	/* Behind the snapshots that both wrote at their ends nothing is to be replayed. */
	again = durable_open(after);
	assert_int_equal(again->replayed, 0);
	assert_string_equal(durable_text(again, "c"), "# TYPE c counter\nc 2\n");
	gs_ingest_free(again);
	again = durable_open(folder);
	copy_text(again, now, sizeof(now));
	assert_string_equal(now, before);
	gs_ingest_free(again);
	folder_free(folder);
	folder_free(after);
}

/* Positions go on where the snapshot ends, even if the log is lost. */
static void test_lost_log(void **state) {
	(void)state;
	char *folder = folder_new(), path[PATH_MAX];
	struct gs_ingest *ingest = durable_open(folder);
	push_all(ingest);
	gs_ingest_free(ingest);
	snprintf(path, sizeof(path), "%s/push.log", folder);
	assert_int_equal(unlink(path), 0);
	ingest = durable_open(folder);
	assert_int_equal(push(ingest, "", "# TYPE c counter\nc 1\n"), GS_OK);
	assert_int_equal(ingest->applied.position, 11);
	gs_ingest_free(ingest);
	folder_free(folder);
}

static void write_log(const char *folder, uint64_t start, const char *header) {
	char path[PATH_MAX];
	struct gs_journal *journal;
	uint64_t last;
	snprintf(path, sizeof(path), "%s/push.log", folder);
	struct gs_journal_file_options options = {.path = path};
	assert_int_equal(gs_journal_open_file(&options, &journal, NULL), GS_OK);
	gs_journal_start(journal, start);
	struct gs_journal_entry entry = {.header = gs_str_of(header), .body = GS_STR("a 1\n")};
	assert_int_equal(gs_journal_append_all(journal, &entry, 1, &last, NULL), GS_OK);
	gs_journal_close(journal);
}

static void expect_failure(const char *folder, const char *text) {
	struct gs_ingest_options options = durable_options(folder);
	struct gs_ingest *ingest = NULL;
	struct gs_error err = {0};
	assert_int_equal(gs_ingest_new(&options, &ingest, NULL), GS_OK);
	assert_int_equal(durable_wait(ingest, &err), GS_EIO);
	if (strstr(err.text, text) == NULL)
		fail_msg("\"%s\" is not in: %s", text, err.text);
	/* It takes nothing, and leaves everything as it was. */
	assert_int_equal(push(ingest, "", "a 1\n"), GS_EIO);
	gs_ingest_free(ingest);
	uint64_t oldest;
	assert_int_equal(gs_snapshots_oldest(folder, &oldest), GS_ENOTFOUND);
}

static void test_what_cannot_be(void **state) {
	(void)state;
	char *folder = folder_new();
	write_log(folder, 5, "v=1 k=p t=1 o=push w= i=- b=4");
	expect_failure(folder, "lacks the entries from 1 to 5");
	folder_free(folder);
	folder = folder_new();
	write_log(folder, 0, "nonsense");
	expect_failure(folder, "entry 1 of the push log in");
	folder_free(folder);
	folder = folder_new();
	write_log(folder, 0, "v=1 k=p t=1 o=push w= i=- b=4");
	struct gs_ingest *ingest = durable_open(folder);
	assert_string_equal(durable_text(ingest, "a"), "# TYPE a untyped\na 1\n");
	gs_ingest_free(ingest);
	folder_free(folder);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_crash),
	    cmocka_unit_test(test_lost_log),
	    cmocka_unit_test(test_what_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
