/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_UNIT_DISCOVERY_RUN_H
#define GRAVEL_TESTS_UNIT_DISCOVERY_RUN_H

/* Discovery with its lists as texts. For tests that have included cmocka.h. */

#include <pthread.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "show.h"

struct run {
	struct gs_discovery *discovery;
	pthread_mutex_t mutex;
	char *last; /* list of the source that reported last; NULL: none yet */
	int lists;
};

static inline void run_on_list(void *ctx, size_t source, const struct gs_discovered *targets, size_t n) {
	struct run *run = ctx;
	(void)source;
	pthread_mutex_lock(&run->mutex);
	free(run->last);
	run->last = show(targets, n);
	run->lists++;
	pthread_mutex_unlock(&run->mutex);
}

/* What status the start ended with. */
static inline enum gs_status run_start(
    struct run *run, const struct gs_config_sd *sd, const char *dns_servers, struct gs_bus *bus) {
	struct gs_error err;
	size_t source;
	*run = (struct run){.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct gs_discovery_options options = {
	    .user_agent = "test", .bus = bus, .dns_servers = dns_servers, .on_list = run_on_list, .ctx = run};
	enum gs_status status = gs_discovery_new(&options, &run->discovery, &err);
	if (status == GS_OK)
		status = gs_discovery_add(run->discovery, "job", sd, &source, &err);
	if (status == GS_OK)
		status = gs_discovery_start(run->discovery, &err);
	return status;
}

static inline void run_stop(struct run *run) {
	gs_discovery_free(run->discovery);
	run->discovery = NULL;
	free(run->last);
	run->last = NULL;
}

static inline bool run_is(struct run *run, const char *wanted) {
	pthread_mutex_lock(&run->mutex);
	bool is = run->last != NULL && strcmp(run->last, wanted) == 0;
	pthread_mutex_unlock(&run->mutex);
	return is;
}

static inline void run_wait(struct run *run, const char *wanted) {
	for (int i = 0; i < 1500 && !run_is(run, wanted); i++)
		gs_clock_sleep_ms(10);
	pthread_mutex_lock(&run->mutex);
	if (run->last == NULL)
		fail_msg("no list, not even %s", wanted);
	assert_string_equal(run->last, wanted);
	pthread_mutex_unlock(&run->mutex);
}

static inline void run_wait_failures(const char *kind, double n) {
	for (int i = 0; i < 1500 && gs_metric_get(GS_M_SD_FAILURES, "job", kind) < n; i++)
		gs_clock_sleep_ms(10);
	assert_true(gs_metric_get(GS_M_SD_FAILURES, "job", kind) >= n);
}

/* Whatever allocation fails, discovery starts or says that it does not, and a source that started gets to ${wanted} all the same: with its next refresh. */
static inline void run_without_memory(
    const struct gs_config_sd *sd, const char *dns_servers, const char *wanted, int64_t upto) {
	for (int64_t i = 0; i < upto; i++) {
		struct run run;
		gs_mem_fail_after(i);
		enum gs_status status = run_start(&run, sd, dns_servers, NULL);
		if (status == GS_OK)
			run_wait(&run, wanted);
		else
			assert_int_equal(status, GS_ENOMEM);
		bool failed = gs_mem_failed();
		gs_mem_fail_after(-1);
		run_stop(&run);
		if (!failed)
			return;
	}
}

#endif
