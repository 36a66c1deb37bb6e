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
#include "gravel/base/lock.h"
#include "gravel/base/map.h"
#include "gravel/base/mem.h"
#include "gravel/telemetry/telemetry.h"
#include "places.h"
#include "schedule.h"

/* Not OpenMetrics: it is read strictly, and brings nothing that the store keeps. Who has nothing else may send it all the same. */
#define ACCEPT "text/plain;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.9,*/*;q=0.1"

/* Fixed: what keeps all sums of times far from the end of an int64_t. */
#define INTERVAL_MAX_MS (366LL * 86400 * 1000)

/* Fixed: when to try again to give a target room for which there was no memory. */
#define RETRY_NS INT64_C(1000000000)

/* Request headers as they were built once; transfers under way may use older ones than those that begin. */
struct headers {
	unsigned refs;
	struct curl_slist *list;
};

/* What determines a form: its key in the map, so there are no gaps in it. */
struct form_key {
	const struct gs_config_http *http;
	int64_t timeout_ms;
	int64_t identity;
};

/* How the targets of a job ask: the same for all that have the same key. */
struct form {
	struct form_key key;
	size_t targets; /* that have it; under the lock */
	/* The thread alone. */
	struct gs_settings *settings;
	struct headers *headers; /* for the serial below; NULL: none yet */
	uint64_t serial;
};

struct target {
	struct gs_schedule_item due; /* first */
	struct gs_scrape_target given;
	struct form *form;
	struct gs_route route;
	struct headers *headers; /* of the scrape that runs; one reference */
	int64_t offset_ms;
	size_t place; /* in the fetcher */
	struct gs_transfer *transfer; /* of the scrape that runs */
	bool running;
	struct target *next; /* in added, also while the thread takes it over */
	struct target *next_removed;
	struct target *next_waiting;
	/* Under the lock. */
	bool taken; /* by the thread; else it stands in added */
	bool removed;
};

/*
 * Invariants:
 * 1. Each target that was added and not removed stands in users, once; a new one in added as well, one that was removed in removed or added.
 * 2. What the thread has taken over and did not find room for stands in waiting, the rest of it in schedule.
 * 3. Each target has a form, which lives as long as one of its targets.
 * 4. From start to stop only the thread touches what is not said to be under the lock, but for stop_ns and fetcher's wake.
 */
struct gs_scraper {
	struct gs_scraper_options options;
	char *user_agent;
	char *identity;
	struct gs_fetcher *fetcher;
	struct gs_schedule *schedule;
	struct gs_places *places;
	struct target *waiting; /* for memory */
	pthread_t thread;
	bool started;
	_Atomic int64_t stop_ns; /* 0: run. Else start nothing, and leave at this time of the monotonic clock */
	struct gs_lock lock; /* of what follows */
	bool has_lock;
	struct gs_map *users; /* bytes of given.user -> target */
	struct gs_map *forms; /* form_key -> form */
	struct target *added, **added_end;
	struct target *removed;
};

static void headers_unref(struct headers *headers) {
	if (headers == NULL || --headers->refs != 0)
		return;
	curl_slist_free_all(headers->list);
	gs_free(headers);
}

/* A scrape is over. */
static void let_go(struct target *target) {
	headers_unref(target->headers);
	target->headers = NULL;
}

static void on_done(void *ctx, void *user, struct gs_scrape_result *result) {
	struct gs_scraper *scraper = ctx;
	struct target *target = user;
	target->running = false;
	let_go(target);
	result->target = &target->given;
	scraper->options.on_result(scraper->options.ctx, result);
}

static bool on_body(void *ctx, void *user, struct gs_str content_type, struct gs_str piece) {
	struct gs_scraper *scraper = ctx;
	struct target *target = user;
	return scraper->options.on_body(scraper->options.ctx, &target->given, content_type, piece);
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
	scraper->places = gs_places_new();
	scraper->users = gs_map_new(GS_LIMIT_TARGETS);
	scraper->forms = gs_map_new(GS_LIMIT_TARGETS);
	scraper->added_end = &scraper->added;
	if (scraper->schedule == NULL || scraper->places == NULL || scraper->users == NULL || scraper->forms == NULL)
		goto out;
	scraper->has_lock = gs_lock_init(&scraper->lock, GS_RANK_SCRAPE) == GS_OK;
	if (!scraper->has_lock)
		goto out;
	struct gs_fetcher_options fetch = {
	    .user_agent = scraper->user_agent,
	    .body_limit = scraper->options.body_limit,
	    .on_done = on_done,
	    .on_body = scraper->options.on_body != NULL ? on_body : NULL,
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

static void form_free(struct form *form) {
	if (form == NULL)
		return;
	gs_settings_free(form->settings);
	headers_unref(form->headers);
	gs_free(form);
}

static struct gs_str form_name(const struct form_key *key) {
	return gs_str_make((const char *)key, sizeof(*key));
}

/* One target less has it. */
static void form_drop_locked(struct gs_scraper *scraper, struct form *form) {
	if (form == NULL || --form->targets != 0)
		return;
	gs_map_remove(scraper->forms, form_name(&form->key));
	form_free(form);
}

static void target_free(struct target *target) {
	let_go(target);
	gs_route_free(&target->route);
	gs_free(target);
}

/* Free those of added that were removed, and removed; the others stand in the map. */
static void free_removed(struct gs_scraper *scraper) {
	for (struct target *target = scraper->added, *next; target != NULL; target = next) {
		next = target->next;
		if (target->removed)
			target_free(target);
	}
	for (struct target *target = scraper->removed, *next; target != NULL; target = next) {
		next = target->next_removed;
		target_free(target);
	}
}

static void free_targets(struct gs_scraper *scraper) {
	struct target *target;
	size_t cursor = 0;
	free_removed(scraper);
	while (scraper->users != NULL && (target = gs_map_next(scraper->users, &cursor, NULL)) != NULL)
		target_free(target);
	gs_map_free(scraper->users);
}

static void free_forms(struct gs_scraper *scraper) {
	struct form *form;
	size_t cursor = 0;
	while (scraper->forms != NULL && (form = gs_map_next(scraper->forms, &cursor, NULL)) != NULL)
		form_free(form);
	gs_map_free(scraper->forms);
}

void gs_scraper_free(struct gs_scraper *scraper) {
	if (scraper == NULL)
		return;
	gs_scraper_stop(scraper, 0);
	gs_fetcher_free(scraper->fetcher);
	gs_schedule_free(scraper->schedule);
	gs_places_free(scraper->places);
	free_targets(scraper);
	free_forms(scraper);
	if (scraper->has_lock)
		gs_lock_destroy(&scraper->lock);
	gs_free(scraper->user_agent);
	gs_free(scraper->identity);
	gs_free(scraper);
}

/* Forms */

static enum gs_status append(struct curl_slist **list, const char *line) {
	struct curl_slist *longer = curl_slist_append(*list, line);
	if (longer == NULL)
		return GS_ENOMEM;
	*list = longer;
	return GS_OK;
}

static enum gs_status fill_headers(struct headers *headers, const struct form *form) {
	char room[128];
	struct gs_buf line;
	gs_buf_init(&line, sizeof(room));
	gs_buf_cstr(&line, "X-Prometheus-Scrape-Timeout-Seconds: ");
	gs_buf_double(&line, (double)form->key.timeout_ms / 1000);
	gs_buf_char(&line, '\0');
	enum gs_status status = line.status;
	if (status == GS_OK)
		status = append(&headers->list, line.p);
	if (status == GS_OK)
		status = append(&headers->list, "Accept: " ACCEPT);
	if (status == GS_OK)
		status = append(
		    &headers->list, form->key.identity ? "Accept-Encoding: identity" : "Accept-Encoding: gzip, zstd");
	if (status == GS_OK)
		status = gs_settings_headers(form->settings, &headers->list);
	gs_buf_free(&line);
	return status;
}

/* Bring the form up to date with the files of its secrets. */
static enum gs_status refresh(struct form *form, struct gs_error *err) {
	enum gs_status status = gs_settings_refresh(form->settings, err);
	uint64_t serial = gs_settings_serial(form->settings);
	if (status != GS_OK || (form->headers != NULL && form->serial == serial))
		return status;
	struct headers *headers = gs_alloc(sizeof(*headers));
	if (headers != NULL)
		headers->refs = 1;
	if (headers == NULL || fill_headers(headers, form) != GS_OK) {
		headers_unref(headers);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	}
	headers_unref(form->headers);
	form->headers = headers;
	form->serial = serial;
	return GS_OK;
}

static enum gs_status form_for_locked(
    struct gs_scraper *scraper, const struct gs_scrape_target *given, struct form **ret_form) {
	struct form_key key = {given->http, given->timeout_ms, given->identity};
	struct form *form = gs_map_get(scraper->forms, form_name(&key));
	enum gs_status status = GS_OK;
	if (form == NULL) {
		form = gs_alloc(sizeof(*form));
		if (form == NULL)
			return GS_ENOMEM;
		form->key = key;
		status = gs_settings_new(given->http, &form->settings);
		if (status == GS_OK)
			status = gs_map_put(scraper->forms, form_name(&form->key), form);
	}
	if (status != GS_OK) {
		form_free(form);
		return status;
	}
	form->targets++;
	*ret_form = form;
	return GS_OK;
}

/* Targets */

static bool is_valid(const struct gs_scrape_target *target) {
	return target->interval_ms > 0 && target->interval_ms <= INTERVAL_MAX_MS && target->timeout_ms > 0 &&
	       target->timeout_ms <= INTERVAL_MAX_MS &&
	       (strncasecmp(target->url, "http://", 7) == 0 || strncasecmp(target->url, "https://", 8) == 0);
}

static struct gs_str user_key(void *const *user) {
	return gs_str_make((const char *)user, sizeof(*user));
}

static enum gs_status add_locked(struct gs_scraper *scraper, struct target *target, bool *ret_wake) {
	struct gs_str key = user_key(&target->given.user);
	if (gs_map_get(scraper->users, key) != NULL)
		return GS_EINVAL;
	enum gs_status status = form_for_locked(scraper, &target->given, &target->form);
	if (status == GS_OK)
		status = gs_route_init(&target->route, target->form->settings, target->given.url);
	if (status == GS_OK)
		status = gs_map_put(scraper->users, key, target);
	if (status != GS_OK) {
		form_drop_locked(scraper, target->form);
		return status;
	}
	*ret_wake = scraper->added == NULL;
	*scraper->added_end = target;
	scraper->added_end = &target->next;
	return GS_OK;
}

enum gs_status gs_scraper_add(struct gs_scraper *scraper, const struct gs_scrape_target *given) {
	bool wake = false;
	if (!is_valid(given))
		return GS_EINVAL;
	struct target *target = gs_alloc(sizeof(*target));
	if (target == NULL)
		return GS_ENOMEM;
	target->given = *given;
	target->offset_ms = gs_schedule_offset(scraper->identity, given);
	gs_lock_take(&scraper->lock);
	enum gs_status status = add_locked(scraper, target, &wake);
	gs_lock_release(&scraper->lock);
	if (status != GS_OK)
		target_free(target);
	if (wake)
		gs_fetcher_wake(scraper->fetcher);
	return status;
}

enum gs_status gs_scraper_remove(struct gs_scraper *scraper, const void *user) {
	bool wake = false;
	void *key = (void *)(uintptr_t)user; /* only its value counts */
	gs_lock_take(&scraper->lock);
	struct target *target = gs_map_remove(scraper->users, user_key(&key));
	if (target != NULL) {
		target->removed = true;
		wake = scraper->removed == NULL;
	}
	if (target != NULL && target->taken) {
		target->next_removed = scraper->removed; /* next may be what take_over walks now */
		scraper->removed = target;
	}
	gs_lock_release(&scraper->lock);
	if (wake)
		gs_fetcher_wake(scraper->fetcher);
	return target != NULL ? GS_OK : GS_ENOTFOUND;
}

/* Targets that come and go, on the thread. */

/* After on_removed what the target points to may be gone, so its form goes before. */
static void tell_removed(struct gs_scraper *scraper, struct target *target) {
	gs_lock_take(&scraper->lock);
	form_drop_locked(scraper, target->form);
	gs_lock_release(&scraper->lock);
	if (scraper->options.on_removed != NULL)
		scraper->options.on_removed(scraper->options.ctx, &target->given);
	target_free(target);
}

static void stop_waiting(struct gs_scraper *scraper, struct target *target) {
	struct target **link = &scraper->waiting;
	while (*link != target)
		link = &(*link)->next_waiting;
	*link = target->next_waiting;
}

static void leave(struct gs_scraper *scraper, struct target *target) {
	if (target->transfer != NULL)
		gs_fetcher_stop(scraper->fetcher, target->transfer);
	if (target->due.place == 0) {
		stop_waiting(scraper, target);
	} else {
		gs_schedule_remove(scraper->schedule, &target->due);
		gs_places_give(scraper->places, target->place);
	}
	tell_removed(scraper, target);
}

/* The monotonic time of the target's next slot after ${now_ns}. */
static int64_t next_start(const struct target *target, int64_t now_ns) {
	int64_t wall = gs_clock_wall_ms();
	int64_t slot = gs_schedule_slot(wall, target->given.interval_ms, target->offset_ms);
	return now_ns + (slot - wall) * 1000000;
}

/* Give it a place and its first slot. */
static enum gs_status place(struct gs_scraper *scraper, struct target *target) {
	enum gs_status status = gs_places_take(scraper->places, target->given.url, &target->place);
	if (status != GS_OK)
		return status;
	status = gs_fetcher_reserve(scraper->fetcher, gs_places_count(scraper->places));
	if (status == GS_OK)
		status = gs_schedule_add(scraper->schedule, next_start(target, gs_clock_mono_ns()), &target->due);
	if (status != GS_OK)
		gs_places_give(scraper->places, target->place);
	return status;
}

static void place_or_wait(struct gs_scraper *scraper, struct target *target) {
	if (place(scraper, target) == GS_OK)
		return;
	target->next_waiting = scraper->waiting;
	scraper->waiting = target;
}

/* Take over what came and went since the last time. Who goes is first, so that who comes finds his place and connection. */
static void take_over(struct gs_scraper *scraper) {
	gs_lock_take(&scraper->lock);
	struct target *added = scraper->added, *removed = scraper->removed;
	scraper->added = scraper->removed = NULL;
	scraper->added_end = &scraper->added;
	for (struct target *target = added; target != NULL; target = target->next)
		target->taken = !target->removed;
	gs_lock_release(&scraper->lock);
	for (struct target *target = removed, *next; target != NULL; target = next) {
		next = target->next_removed;
		leave(scraper, target);
	}
	struct target *waiting = scraper->waiting;
	scraper->waiting = NULL;
	for (struct target *target = waiting, *next; target != NULL; target = next) {
		next = target->next_waiting;
		place_or_wait(scraper, target);
	}
	for (struct target *target = added, *next; target != NULL; target = next) {
		next = target->next;
		if (target->taken)
			place_or_wait(scraper, target);
		else
			tell_removed(scraper, target);
	}
}

/* The one that follows the slot of ${due_ns}. The wall clock may have fallen behind the monotonic one since, so that it has this very slot
 * still to come. */
static int64_t following_start(const struct target *target, int64_t now_ns, int64_t due_ns) {
	int64_t interval_ns = target->given.interval_ms * 1000000;
	int64_t next = next_start(target, now_ns);
	return next - due_ns < interval_ns / 2 ? next + interval_ns : next;
}

static void report_unstarted(
    struct gs_scraper *scraper, struct target *target, enum gs_scrape_cause cause, const struct gs_error *err) {
	struct gs_scrape_result result = {
	    .cause = cause,
	    .text = err->text,
	    .time_ms = gs_clock_wall_ms(),
	};
	on_done(scraper, target, &result);
}

static struct gs_transfer_request request_of(struct target *target) {
	struct gs_transfer_request request = {
	    .url = target->given.url,
	    .timeout_ms = target->given.timeout_ms,
	    .headers = target->headers->list,
	    .settings = target->form->settings,
	    .body_limit = target->given.body_limit,
	    .handle = &target->transfer,
	    .user = target,
	};
	if (target->route.url == NULL)
		return request;
	request.url = target->route.url;
	request.shown_url = target->given.url;
	request.connect_to = target->route.connect_to;
	target->route.host.next = request.headers;
	request.headers = &target->route.host;
	return request;
}

static void start(struct gs_scraper *scraper, struct target *target) {
	struct gs_error err = {0};
	const char *refusal = NULL;
	target->running = true;
	if (scraper->options.on_start != NULL)
		refusal = scraper->options.on_start(scraper->options.ctx, &target->given);
	if (refusal != NULL) {
		(void)gs_error_set(&err, GS_ECLOSED, 0, 0, "%s", refusal);
		report_unstarted(scraper, target, GS_SCRAPE_OTHER, &err);
		return;
	}
	enum gs_status status = refresh(target->form, &err);
	if (status != GS_OK) {
		report_unstarted(scraper, target, status == GS_ENOMEM ? GS_SCRAPE_OTHER : GS_SCRAPE_SECRET, &err);
		return;
	}
	target->headers = target->form->headers;
	target->headers->refs++;
	struct gs_transfer_request request = request_of(target);
	status = gs_fetcher_start(scraper->fetcher, target->place, &request);
	if (status == GS_OK)
		return;
	(void)gs_error_set(&err, status, 0, 0, "out of memory");
	report_unstarted(scraper, target, GS_SCRAPE_OTHER, &err);
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
	struct gs_schedule_item *first;
	while ((first = gs_schedule_first(scraper->schedule, &due)) != NULL && due <= now)
		gs_schedule_move_first(scraper->schedule, run_slot(scraper, (struct target *)(void *)first, due));
}

static void *run(void *ctx) {
	struct gs_scraper *scraper = ctx;
	for (;;) {
		int64_t until, stop = atomic_load(&scraper->stop_ns);
		take_over(scraper);
		if (stop == 0) {
			start_due(scraper);
			(void)gs_schedule_first(scraper->schedule, &until);
			if (scraper->waiting != NULL && until > gs_clock_mono_ns() + RETRY_NS)
				until = gs_clock_mono_ns() + RETRY_NS;
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
