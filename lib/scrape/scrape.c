/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/scrape/scrape.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <strings.h>

#include "fetch.h"
#include "gravel/base/clock.h"
#include "gravel/base/limits.h"
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "schedule.h"

/* Not OpenMetrics: it is read strictly, and brings nothing that the store keeps. Who has nothing else may send it all the same. */
#define ACCEPT "text/plain;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.9,*/*;q=0.1"

/* Fixed: what keeps all sums of times far from the end of an int64_t. */
#define INTERVAL_MAX_MS (366LL * 86400 * 1000)

/* The request headers of all targets with the same timeout. */
struct headers {
	struct headers *next;
	int64_t timeout_ms;
	struct curl_slist *list;
};

struct target {
	struct gs_scrape_target given;
	const struct headers *headers;
	int64_t offset_ms;
	size_t place; /* in the fetcher and in targets */
	bool running;
};

/*
 * Invariants:
 * 1. Each of targets is in schedule once.
 * 2. From start to stop only the thread touches anything here but stop_ns and fetcher's wake.
 */
struct gs_scraper {
	struct gs_scraper_options options;
	char *user_agent;
	char *identity;
	struct gs_fetcher *fetcher;
	struct gs_schedule *schedule;
	struct headers *headers;
	struct target **targets;
	size_t ntargets;
	size_t cap;
	pthread_t thread;
	bool started;
	_Atomic int64_t stop_ns; /* 0: run. Else start nothing, and leave at this time of the monotonic clock */
};

static void on_done(void *ctx, void *user, struct gs_scrape_result *result) {
	struct gs_scraper *scraper = ctx;
	struct target *target = user;
	target->running = false;
	result->target = &target->given;
	scraper->options.on_result(scraper->options.ctx, result);
}

static enum gs_status copy_options(struct gs_scraper *scraper, const struct gs_scraper_options *options) {
	scraper->options = *options;
	if (scraper->options.body_limit == 0)
		scraper->options.body_limit = GS_LIMIT_SCRAPE_BODY;
	scraper->user_agent = gs_strdup(gs_str_of(options->user_agent));
	scraper->identity = gs_strdup(gs_str_of(options->identity));
	return scraper->user_agent != NULL && scraper->identity != NULL ? GS_OK : GS_ENOMEM;
}

enum gs_status gs_scraper_new(
    const struct gs_scraper_options *options, struct gs_scraper **ret_scraper, struct gs_error *err) {
	struct gs_scraper *scraper = gs_alloc(sizeof(*scraper));
	enum gs_status status = GS_ENOMEM;
	if (scraper == NULL || copy_options(scraper, options) != GS_OK)
		goto out;
	scraper->schedule = gs_schedule_new();
	if (scraper->schedule == NULL)
		goto out;
	struct gs_fetcher_options fetch = {
	    .user_agent = scraper->user_agent,
	    .body_limit = scraper->options.body_limit,
	    .on_done = on_done,
	    .ctx = scraper,
	};
	status = gs_fetcher_new(&fetch, &scraper->fetcher, err);
	if (status != GS_OK)
		goto out;
	*ret_scraper = scraper;
	scraper = NULL;
out:
	if (status == GS_ENOMEM)
		(void)gs_error_set(err, status, 0, 0, "out of memory");
	gs_scraper_free(scraper);
	return status;
}

static void free_headers(struct headers *headers) {
	while (headers != NULL) {
		struct headers *next = headers->next;
		curl_slist_free_all(headers->list);
		gs_free(headers);
		headers = next;
	}
}

void gs_scraper_free(struct gs_scraper *scraper) {
	if (scraper == NULL)
		return;
	gs_scraper_stop(scraper, 0);
	gs_fetcher_free(scraper->fetcher);
	gs_schedule_free(scraper->schedule);
	free_headers(scraper->headers);
	for (size_t i = 0; i < scraper->ntargets; i++)
		gs_free(scraper->targets[i]);
	gs_free(scraper->targets);
	gs_free(scraper->user_agent);
	gs_free(scraper->identity);
	gs_free(scraper);
}

static enum gs_status append(struct curl_slist **list, const char *line) {
	struct curl_slist *longer = curl_slist_append(*list, line);
	if (longer == NULL)
		return GS_ENOMEM;
	*list = longer;
	return GS_OK;
}

static enum gs_status fill_headers(struct headers *headers) {
	char room[128];
	struct gs_buf line;
	gs_buf_init(&line, sizeof(room));
	gs_buf_cstr(&line, "X-Prometheus-Scrape-Timeout-Seconds: ");
	gs_buf_double(&line, (double)headers->timeout_ms / 1000);
	gs_buf_char(&line, '\0');
	enum gs_status status = line.status;
	if (status == GS_OK)
		status = append(&headers->list, line.p);
	if (status == GS_OK)
		status = append(&headers->list, "Accept: " ACCEPT);
	if (status == GS_OK)
		status = append(&headers->list, "Accept-Encoding: gzip, zstd");
	gs_buf_free(&line);
	return status;
}

/* The headers for a timeout; few timeouts exist, so a list will do. NULL when out of memory. */
static const struct headers *headers_for(struct gs_scraper *scraper, int64_t timeout_ms) {
	struct headers *headers = scraper->headers;
	while (headers != NULL && headers->timeout_ms != timeout_ms)
		headers = headers->next;
	if (headers != NULL)
		return headers;
	headers = gs_alloc(sizeof(*headers));
	if (headers == NULL)
		return NULL;
	headers->timeout_ms = timeout_ms;
	if (fill_headers(headers) != GS_OK) {
		free_headers(headers);
		return NULL;
	}
	headers->next = scraper->headers;
	scraper->headers = headers;
	return headers;
}

static enum gs_status grow(struct gs_scraper *scraper) {
	if (scraper->ntargets == GS_LIMIT_TARGETS)
		return GS_ELIMIT;
	struct target **targets =
	    gs_grow_array(scraper->targets, &scraper->cap, scraper->ntargets, sizeof(struct target *));
	if (targets == NULL)
		return GS_ENOMEM;
	scraper->targets = targets;
	return GS_OK;
}

static bool is_valid(const struct gs_scrape_target *target) {
	return target->interval_ms > 0 && target->interval_ms <= INTERVAL_MAX_MS && target->timeout_ms > 0 &&
	       target->timeout_ms <= INTERVAL_MAX_MS &&
	       (strncasecmp(target->url, "http://", 7) == 0 || strncasecmp(target->url, "https://", 8) == 0);
}

enum gs_status gs_scraper_add(struct gs_scraper *scraper, const struct gs_scrape_target *given) {
	assert(!scraper->started);
	if (!is_valid(given))
		return GS_EINVAL;
	enum gs_status status = grow(scraper);
	if (status == GS_OK)
		status = gs_fetcher_reserve(scraper->fetcher, scraper->ntargets + 1);
	if (status != GS_OK)
		return status;
	const struct headers *headers = headers_for(scraper, given->timeout_ms);
	struct target *target = headers != NULL ? gs_alloc(sizeof(*target)) : NULL;
	if (target == NULL)
		return GS_ENOMEM;
	target->given = *given;
	target->headers = headers;
	target->place = scraper->ntargets;
	target->offset_ms = gs_schedule_offset(scraper->identity, given);
	status = gs_schedule_add(scraper->schedule, 0, target);
	if (status != GS_OK)
		gs_free(target);
	else
		scraper->targets[scraper->ntargets++] = target;
	return status;
}

/* The monotonic time of the target's next slot after ${now_ns}. */
static int64_t next_start(const struct target *target, int64_t now_ns) {
	int64_t wall = gs_clock_wall_ms();
	int64_t slot = gs_schedule_slot(wall, target->given.interval_ms, target->offset_ms);
	return now_ns + (slot - wall) * 1000000;
}

/* The one that follows the slot of ${due_ns}. The wall clock may have fallen behind the monotonic one since, so that it has this very slot
 * still to come. */
static int64_t following_start(const struct target *target, int64_t now_ns, int64_t due_ns) {
	int64_t interval_ns = target->given.interval_ms * 1000000;
	int64_t next = next_start(target, now_ns);
	return next - due_ns < interval_ns / 2 ? next + interval_ns : next;
}

static void report_unstarted(struct gs_scraper *scraper, struct target *target) {
	struct gs_scrape_result result = {
	    .cause = GS_SCRAPE_OTHER,
	    .text = "out of memory",
	    .time_ms = gs_clock_wall_ms(),
	};
	on_done(scraper, target, &result);
}

static void start(struct gs_scraper *scraper, struct target *target) {
	struct gs_transfer_request request = {
	    .url = target->given.url,
	    .timeout_ms = target->given.timeout_ms,
	    .headers = target->headers->list,
	    .user = target,
	};
	target->running = true;
	if (gs_fetcher_start(scraper->fetcher, target->place, &request) != GS_OK)
		report_unstarted(scraper, target);
}

/* One target is due: start it, or count that it cannot. Returns when it is due again. */
static int64_t run_slot(struct gs_scraper *scraper, struct target *target, int64_t due_ns) {
	int64_t now = gs_clock_mono_ns();
	int64_t late_ms = (now - due_ns) / 1000000;
	int64_t missed = late_ms / target->given.interval_ms; /* whole slots that went by while we did not run */
	if (target->running)
		missed++;
	else
		gs_metric_observe(GS_M_SCRAPE_DELAY, (double)(now - due_ns) / 1e9);
	if (missed != 0)
		gs_metric_add(GS_M_SCRAPES_SKIPPED, (double)missed);
	if (!target->running)
		start(scraper, target);
	return following_start(target, now, due_ns);
}

static void start_due(struct gs_scraper *scraper) {
	int64_t now = gs_clock_mono_ns(), due;
	struct target *target;
	while ((target = gs_schedule_first(scraper->schedule, &due)) != NULL && due <= now)
		gs_schedule_move_first(scraper->schedule, run_slot(scraper, target, due));
}

static void place_all(struct gs_scraper *scraper) {
	int64_t now = gs_clock_mono_ns(), due;
	struct target *target;
	while ((target = gs_schedule_first(scraper->schedule, &due)) != NULL && due == 0)
		gs_schedule_move_first(scraper->schedule, next_start(target, now));
}

static void *run(void *ctx) {
	struct gs_scraper *scraper = ctx;
	for (;;) {
		int64_t until, stop = atomic_load(&scraper->stop_ns);
		if (stop == 0) {
			start_due(scraper);
			(void)gs_schedule_first(scraper->schedule, &until);
		} else {
			if (gs_fetcher_running(scraper->fetcher) == 0 || gs_clock_mono_ns() >= stop)
				break;
			until = stop;
		}
		gs_fetcher_poll(scraper->fetcher, until);
	}
	gs_fetcher_cancel(scraper->fetcher);
	return NULL;
}

enum gs_status gs_scraper_start(struct gs_scraper *scraper, struct gs_error *err) {
	sigset_t all, before;
	assert(!scraper->started && atomic_load(&scraper->stop_ns) == 0);
	place_all(scraper);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&scraper->thread, NULL, run, scraper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return gs_error_set(
		    err, GS_EIO, 0, 0, "cannot start the scraper's thread: the system refuses more threads");
	(void)pthread_setname_np(scraper->thread, "gs-scrape");
	scraper->started = true;
	return GS_OK;
}

void gs_scraper_stop(struct gs_scraper *scraper, int64_t grace_ms) {
	if (!scraper->started)
		return;
	atomic_store(&scraper->stop_ns, gs_clock_mono_ns() + grace_ms * 1000000);
	gs_fetcher_wake(scraper->fetcher);
	pthread_join(scraper->thread, NULL);
	scraper->started = false;
}
