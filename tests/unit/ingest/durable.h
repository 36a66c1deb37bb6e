/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_INGEST_DURABLE_H
#define GRAVEL_TESTS_INGEST_DURABLE_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../lib/ingest/ingest_internal.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/ingest/read.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"

/* An ingest with a log in a folder of its own, and pushes that wait for their answers. */

static inline char *folder_new(void) {
	char *folder = strdup("/tmp/gravel-durable-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return folder;
}

/* Copy (to not NULL) or remove all files of a folder. */
static inline void folder_each(const char *folder, const char *to) {
	char path[PATH_MAX], command[2 * PATH_MAX];
	DIR *dir = opendir(folder);
	struct dirent *entry;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (to == NULL) {
			assert_int_equal(unlink(path), 0);
			continue;
		}
		snprintf(command, sizeof(command), "cp %s %s/", path, to);
		assert_int_equal(system(command), 0);
	}
	closedir(dir);
}

static inline void folder_free(char *folder) {
	folder_each(folder, NULL);
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

static inline struct gs_ingest_options durable_options(const char *folder) {
	return (struct gs_ingest_options){
	    .store = {.max_age_ms = 80000},
	    .log = {.folder = folder, .key_window_ms = 3600000},
	    .publisher_label = true,
	    .topic = "t",
	    .push_samples = 5000,
	    .pushes_in_flight = 64,
	};
}

/* Until it is known how the recovery went. */
static inline enum gs_status durable_wait(struct gs_ingest *ingest, struct gs_error *err) {
	enum gs_status status;
	while ((status = gs_ingest_ready(ingest, err)) == GS_EAGAIN)
		gs_clock_sleep_ms(1);
	return status;
}

static inline struct gs_ingest *durable_open_with(const struct gs_ingest_options *options) {
	struct gs_ingest *ingest = NULL;
	struct gs_error err = {0};
	gs_telemetry_reset();
	if (gs_ingest_new(options, &ingest, &err) != GS_OK || durable_wait(ingest, &err) != GS_OK)
		fail_msg("%s", err.text);
	return ingest;
}

static inline struct gs_ingest *durable_open(const char *folder) {
	struct gs_ingest_options options = durable_options(folder);
	return durable_open_with(&options);
}

struct answer {
	_Atomic bool came;
	enum gs_status status;
	struct gs_error err;
};

static inline void on_answer(void *ctx, enum gs_status status, const struct gs_error *err) {
	struct answer *answer = ctx;
	answer->status = status;
	answer->err = *err;
	answer->came = true;
}

static inline enum gs_status answer_of(enum gs_status status, struct answer *answer) {
	if (status != GS_OK)
		return status;
	while (!answer->came)
		gs_clock_sleep_ms(1);
	return answer->status;
}

static inline enum gs_status push_full(struct gs_ingest *ingest, struct gs_ingest_push push, struct gs_error *err) {
	struct answer answer = {0};
	push.done = on_answer;
	push.ctx = &answer;
	enum gs_status status = answer_of(gs_ingest_push(ingest, &push, err), &answer);
	if (err != NULL && answer.came)
		*err = answer.err;
	return status;
}

static inline enum gs_status push(struct gs_ingest *ingest, const char *key, const char *body) {
	return push_full(ingest, (struct gs_ingest_push){.key = gs_str_of(key), .body = gs_str_of(body)}, NULL);
}

/* All that is there but for the program's own metrics and times; static memory. */
static inline const char *durable_text(struct gs_ingest *ingest, const char *name) {
	static char text[65536];
	struct gs_buf out;
	gs_buf_init(&out, sizeof(text) - 1);
	struct gs_str names[] = {gs_str_of(name)};
	struct gs_ingest_query query = {.names = names, .nnames = 1};
	assert_int_equal(gs_ingest_read_all(ingest, &query, &out, NULL), GS_OK);
	memcpy(text, out.p != NULL ? out.p : "", out.n);
	text[out.n] = '\0';
	gs_buf_free(&out);
	return text;
}

static inline double durable_metric(enum gs_metric id) {
	return gs_metric_get(id, NULL, NULL);
}

#endif
