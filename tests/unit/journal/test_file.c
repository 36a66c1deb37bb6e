/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gravel/base/mem.h"
#include "gravel/journal/journal.h"
#include "gravel/telemetry/telemetry.h"

/* A folder of its own for each test. */
struct place {
	char folder[64];
	char path[96];
	struct gs_journal *journal;
	struct gs_error err;
};

static enum gs_status open_limited(struct place *place, uint64_t max_bytes) {
	struct gs_journal_file_options options = {.path = place->path, .max_bytes = max_bytes};
	place->journal = NULL;
	place->err = (struct gs_error){0};
	return gs_journal_open_file(&options, &place->journal, &place->err);
}

static void open_place(struct place *place) {
	*place = (struct place){.folder = "/tmp/gravel-journal-XXXXXX"};
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/push.db", place->folder);
	if (open_limited(place, 0) != GS_OK)
		fail_msg("%s", place->err.text);
}

static void close_place(struct place *place) {
	char name[128];
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	gs_journal_close(place->journal);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", place->path, suffixes[i]);
		unlink(name);
	}
	assert_int_equal(rmdir(place->folder), 0);
}

static void again(struct place *place) {
	gs_journal_close(place->journal);
	if (open_limited(place, 0) != GS_OK)
		fail_msg("%s", place->err.text);
}

/* Append ${n} entries, the i-th of which says its own position. */
static enum gs_status append(struct place *place, size_t n) {
	struct gs_journal_entry entries[64];
	char headers[64][32], bodies[64][32];
	uint64_t last = 0, before = gs_journal_last(place->journal);
	assert_true(n <= 64);
	for (size_t i = 0; i < n; i++) {
		unsigned long long position = (unsigned long long)(before + i + 1);
		snprintf(headers[i], sizeof(headers[i]), "header %llu", position);
		snprintf(bodies[i], sizeof(bodies[i]), "body%c%llu", '\0', position);
		entries[i] = (struct gs_journal_entry){.time_ms = (int64_t)position * 10,
		    .header = gs_str_of(headers[i]),
		    .body = gs_str_make(bodies[i], 5 + strlen(bodies[i] + 5))};
	}
	enum gs_status status = gs_journal_append_all(place->journal, entries, n, &last, &place->err);
	assert_true(gs_journal_last(place->journal) == (status == GS_OK ? before + n : before));
	assert_true(status != GS_OK || last == before + n);
	return status;
}

struct seen {
	uint64_t next;
	uint64_t n;
	uint64_t stop_at; /* 0: never */
};

static enum gs_status on_entry(void *ctx, uint64_t position, const struct gs_journal_entry *entry) {
	struct seen *seen = ctx;
	char header[32], body[32];
	assert_true(position == seen->next);
	snprintf(header, sizeof(header), "header %llu", (unsigned long long)position);
	snprintf(body, sizeof(body), "%llu", (unsigned long long)position);
	assert_true(gs_str_eq(entry->header, gs_str_of(header)));
	assert_int_equal(entry->body.n, 5 + strlen(body));
	assert_memory_equal(entry->body.p, "body", 5);
	assert_memory_equal(entry->body.p + 5, body, strlen(body));
	assert_true(entry->time_ms == (int64_t)position * 10);
	seen->next++;
	seen->n++;
	return position == seen->stop_at ? GS_ECLOSED : GS_OK;
}

static void assert_has(struct place *place, uint64_t after, uint64_t first, uint64_t n) {
	struct seen seen = {.next = first};
	assert_int_equal(gs_journal_replay(place->journal, after, on_entry, &seen, &place->err), GS_OK);
	assert_true(seen.n == n);
}

static void test_append_and_replay(void **state) {
	(void)state;
	struct place place;
	struct seen seen = {.next = 1, .stop_at = 5};
	gs_telemetry_reset();
	open_place(&place);
	assert_false(gs_journal_is_instant(place.journal));
	assert_true(gs_journal_last(place.journal) == 0);
	assert_int_equal(append(&place, 0), GS_OK);
	assert_int_equal(append(&place, 1), GS_OK);
	assert_int_equal(append(&place, 64), GS_OK);
	assert_true(gs_metric_get(GS_M_JOURNAL_POSITION, NULL, NULL) == 65);
	assert_has(&place, 0, 1, 65);
	assert_has(&place, 64, 65, 1);
	assert_has(&place, 65, 0, 0);
	assert_int_equal(gs_journal_replay(place.journal, 0, on_entry, &seen, &place.err), GS_ECLOSED);
	assert_true(seen.n == 5);
	assert_true(gs_journal_bytes(place.journal) > 8192);
	again(&place);
	assert_true(gs_journal_last(place.journal) == 65);
	assert_has(&place, 0, 1, 65);
	assert_int_equal(append(&place, 2), GS_OK);
	assert_has(&place, 60, 61, 7);
	close_place(&place);
}

static void test_empty_texts(void **state) {
	(void)state;
	struct place place;
	struct gs_journal_entry entry = {.time_ms = -1};
	uint64_t last;
	open_place(&place);
	assert_int_equal(gs_journal_append(place.journal, &entry, &last), GS_OK);
	again(&place);
	assert_true(gs_journal_last(place.journal) == 1);
	close_place(&place);
}

/* Positions go on behind what a snapshot knows, also if the file has lost it. */
static void test_start(void **state) {
	(void)state;
	struct place place;
	open_place(&place);
	assert_int_equal(append(&place, 3), GS_OK);
	gs_journal_start(place.journal, 2);
	assert_true(gs_journal_last(place.journal) == 3);
	gs_journal_start(place.journal, 100);
	assert_int_equal(append(&place, 1), GS_OK);
	assert_true(gs_journal_last(place.journal) == 101);
	assert_has(&place, 100, 101, 1);
	close_place(&place);
}

/* In as many steps as it takes. */
static int cut_all(struct place *place, uint64_t upto) {
	int steps = 1;
	for (; gs_journal_cut(place->journal, upto, &place->err) == GS_EAGAIN; steps++)
		assert_true(steps < 100);
	return steps;
}

static void test_cut(void **state) {
	(void)state;
	struct place place;
	open_place(&place);
	for (int i = 0; i < 200; i++)
		assert_int_equal(append(&place, 64), GS_OK);
	assert_int_equal(gs_journal_cut(place.journal, 0, &place.err), GS_OK);
	assert_has(&place, 0, 1, 12800);
	assert_int_equal(gs_journal_cut(place.journal, 100, &place.err), GS_OK);
	assert_has(&place, 0, 101, 12700);
	assert_int_equal(gs_journal_cut(place.journal, 12000, &place.err), GS_EAGAIN);
	assert_has(&place, 0, 2101, 10700);
	assert_int_equal(cut_all(&place, 12000), 5);
	assert_has(&place, 0, 12001, 800);
	assert_int_equal(cut_all(&place, 12800), 1);
	assert_has(&place, 0, 0, 0);
	assert_int_equal(append(&place, 1), GS_OK);
	assert_has(&place, 0, 12801, 1);
	close_place(&place);
}

/* The room of what was cut is used again. */
static void test_room_is_used_again(void **state) {
	(void)state;
	struct place place;
	uint64_t size = 0;
	open_place(&place);
	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < 100; i++)
			assert_int_equal(append(&place, 64), GS_OK);
		assert_int_equal(cut_all(&place, gs_journal_last(place.journal)), 4);
		if (round == 5)
			size = gs_journal_bytes(place.journal);
	}
	assert_true(gs_journal_bytes(place.journal) <= size + size / 4);
	close_place(&place);
}

/* What was appended is there after a kill. */
static void test_killed(void **state) {
	(void)state;
	struct place place;
	int pipes[2];
	open_place(&place);
	gs_journal_close(place.journal);
	place.journal = NULL;
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (open_limited(&place, 0) != GS_OK)
			_exit(1);
		for (;;) {
			uint64_t last = append(&place, 3) == GS_OK ? gs_journal_last(place.journal) : 0;
			if (write(pipes[1], &last, sizeof(last)) != sizeof(last))
				_exit(2);
		}
	}
	uint64_t told = 0;
	for (int i = 0; i < 50; i++)
		assert_int_equal(read(pipes[0], &told, sizeof(told)), sizeof(told));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(open_limited(&place, 0), GS_OK);
	assert_true(told == 150 && gs_journal_last(place.journal) >= told && gs_journal_last(place.journal) % 3 == 0);
	assert_has(&place, 0, 1, gs_journal_last(place.journal));
	close_place(&place);
}

/* What has no room is not there, in no part, and what was there stays. */
static void test_full(void **state) {
	(void)state;
	struct place place;
	static char large[200000];
	struct gs_journal_entry entries[] = {
	    {.header = GS_STR_INIT("small")}, {.header = GS_STR_INIT("large"), .body = {large, sizeof(large)}}};
	uint64_t last;
	open_place(&place);
	gs_journal_close(place.journal);
	assert_int_equal(open_limited(&place, 100000), GS_OK);
	assert_int_equal(append(&place, 3), GS_OK);
	assert_int_equal(gs_journal_append_all(place.journal, entries, 2, &last, &place.err), GS_EIO);
	assert_non_null(strstr(place.err.text, "full: make room"));
	assert_non_null(strstr(place.err.text, place.path));
	assert_true(gs_journal_last(place.journal) == 3);
	assert_int_equal(append(&place, 2), GS_OK);
	assert_has(&place, 0, 1, 5);
	again(&place);
	assert_has(&place, 0, 1, 5);
	close_place(&place);
}

static void assert_refused(struct place *place, enum gs_status status, const char *why) {
	assert_int_equal(open_limited(place, 0), status);
	assert_null(place->journal);
	if (strstr(place->err.text, why) == NULL || strstr(place->err.text, place->path) == NULL)
		fail_msg("the error is: %s", place->err.text);
}

static void test_two_receivers(void **state) {
	(void)state;
	struct place place, other;
	open_place(&place);
	assert_int_equal(append(&place, 1), GS_OK);
	other = place;
	assert_refused(&other, GS_EIO, "one receiver has one file");
	assert_int_equal(append(&place, 1), GS_OK);
	close_place(&place);
}

static void run_sql(const struct place *place, const char *sql) {
	char command[300];
	snprintf(command, sizeof(command),
	    "python3 -c \"import sqlite3; d = sqlite3.connect('%s'); d.executescript('%s')\"", place->path, sql);
	assert_int_equal(system(command), 0);
}

static void test_others_files(void **state) {
	(void)state;
	struct place place;
	open_place(&place);
	assert_int_equal(append(&place, 1), GS_OK);
	gs_journal_close(place.journal);
	run_sql(&place, "PRAGMA user_version = 2");
	assert_refused(&place, GS_EUNSUPPORTED, "by a later version");
	run_sql(&place, "PRAGMA user_version = 1; PRAGMA application_id = 7");
	assert_refused(&place, GS_EIO, "a database of something else");
	FILE *text = fopen(place.path, "w");
	assert_non_null(text);
	for (int i = 0; i < 1000; i++)
		fputs("identity: not a database\n", text);
	fclose(text);
	assert_refused(&place, GS_EIO, "move it away");
	close_place(&place);
}

static void test_no_folder(void **state) {
	(void)state;
	struct place place;
	open_place(&place);
	close_place(&place);
	assert_refused(&place, GS_EIO, "look at the permissions");
}

static void test_out_of_memory(void **state) {
	(void)state;
	struct place place;
	open_place(&place);
	gs_journal_close(place.journal);
	for (int64_t n = 0; n < 3; n++) {
		gs_mem_fail_after(n);
		assert_int_equal(open_limited(&place, 0), GS_ENOMEM);
		gs_mem_fail_after(-1);
	}
	assert_int_equal(open_limited(&place, 0), GS_OK);
	close_place(&place);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_append_and_replay),
	    cmocka_unit_test(test_empty_texts),
	    cmocka_unit_test(test_start),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_room_is_used_again),
	    cmocka_unit_test(test_killed),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_two_receivers),
	    cmocka_unit_test(test_others_files),
	    cmocka_unit_test(test_no_folder),
	    cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
