/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_SCRAPE_FETCH_H
#define GRAVEL_LIB_SCRAPE_FETCH_H

#include "transfer.h"

/*
 * Many GETs at once: libcurl's multi handles driven by their socket interface and epoll, so that a wakeup costs what is ready and not
 * what exists. Each requester has a place; a few places share a multi handle, because libcurl walks all connections of one whenever
 * a transfer leaves it (7.88: 10 us for each thousand). Easy handles belong to running transfers and are reused, idle connections wait in the
 * multi handle, found by host and port. Private to the module; one thread, but for gs_fetcher_wake.
 */
struct gs_fetcher;

/* ${result} is complete but for its target; ${user} is the request's. It may start transfers. */
typedef void gs_fetcher_fn(void *ctx, void *user, struct gs_scrape_result *result);

/* The next piece of a large body; as gs_scrape_body_fn. */
typedef bool gs_fetcher_body_fn(void *ctx, void *user, struct gs_str content_type, struct gs_str piece);

struct gs_fetcher_options {
	const char *user_agent; /* must live as long as the fetcher */
	size_t body_limit;
	gs_fetcher_fn *on_done;
	gs_fetcher_body_fn *on_body; /* NULL: whole bodies come with their results */
	void *ctx;
};

GS_MUST_USE enum gs_status gs_fetcher_new(
    const struct gs_fetcher_options *options, struct gs_fetcher **ret_fetcher, struct gs_error *err);

/** gs_fetcher_free(fetcher): Cancels what runs. NULL is nothing. */
void gs_fetcher_free(struct gs_fetcher *fetcher);

/** gs_fetcher_reserve(fetcher, places): Make the places 0 .. ${places} - 1 usable; each keeps a connection. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_fetcher_reserve(struct gs_fetcher *fetcher, size_t places);

/** gs_fetcher_start(fetcher, place, request): Begin a GET; its end is told to on_done from gs_fetcher_poll. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_fetcher_start(
    struct gs_fetcher *fetcher, size_t place, const struct gs_transfer_request *request);

/** gs_fetcher_stop(fetcher, transfer): End it without telling; not from on_done. Its connection is closed. */
void gs_fetcher_stop(struct gs_fetcher *fetcher, struct gs_transfer *transfer);

size_t gs_fetcher_running(const struct gs_fetcher *fetcher);

/** gs_fetcher_poll(fetcher, until_ns): Work until something happened or the monotonic clock says ${until_ns}, whichever is first. */
void gs_fetcher_poll(struct gs_fetcher *fetcher, int64_t until_ns);

/** gs_fetcher_fd(fetcher), gs_fetcher_timer_ns(fetcher): For a loop of someone else's: readable when there is something to poll for; when to poll at the latest (INT64_MAX: never). */
int gs_fetcher_fd(const struct gs_fetcher *fetcher);
int64_t gs_fetcher_timer_ns(const struct gs_fetcher *fetcher);

/** gs_fetcher_wake(fetcher): From any thread: the running or next poll returns at once. */
void gs_fetcher_wake(struct gs_fetcher *fetcher);

/** gs_fetcher_cancel(fetcher): End all transfers without telling. */
void gs_fetcher_cancel(struct gs_fetcher *fetcher);

#endif
