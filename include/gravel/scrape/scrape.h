/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_SCRAPE_SCRAPE_H
#define GRAVEL_SCRAPE_SCRAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"

/*
 * Scraping: schedule and fetch with libcurl's multi interface on one thread. The only module that includes curl.h.
 */
struct gs_scraper;

struct gs_scrape_target {
	const char *job;
	const char *instance;
	const char *url;
	int64_t interval_ms;
	int64_t timeout_ms;
	void *user; /* given back with each result */
};

/* Why a scrape failed: one word each, the value of label reason and the cause on the wire. */
enum gs_scrape_cause {
	GS_SCRAPE_OK,
	GS_SCRAPE_RESOLVE, /* "resolve": the name has no address */
	GS_SCRAPE_CONNECT, /* "connect": refused, unreachable */
	GS_SCRAPE_TIMEOUT, /* "timeout" */
	GS_SCRAPE_TLS, /* "tls" */
	GS_SCRAPE_STATUS, /* "status": not 200 */
	GS_SCRAPE_REDIRECTS, /* "redirects": a loop, or too many */
	GS_SCRAPE_BODY_LIMIT, /* "body_limit" */
	GS_SCRAPE_EMPTY, /* "empty": closed before an answer came */
	GS_SCRAPE_TRUNCATED, /* "truncated": closed in the middle of the body */
	GS_SCRAPE_ENCODING, /* "encoding": a content encoding unknown or damaged */
	GS_SCRAPE_PARSE, /* "parse": not an exposition; set by the consumer of results */
	GS_SCRAPE_SHUTDOWN, /* "shutdown": we are stopping */
	GS_SCRAPE_OTHER, /* "other": text says which */
	GS_SCRAPE_CAUSES,
};

const char *gs_scrape_cause_name(enum gs_scrape_cause cause);

struct gs_scrape_result {
	const struct gs_scrape_target *target;
	enum gs_scrape_cause cause;
	const char *text; /* one sentence on the cause; "" when OK */
	int64_t time_ms; /* wall clock at the start */
	int64_t duration_us;
	struct gs_str body; /* decompressed; empty unless OK. Valid during the call */
	struct gs_str content_type;
};

/* On the scraper's thread; should take well under the shortest interval. */
typedef void gs_scrape_fn(void *ctx, const struct gs_scrape_result *result);

struct gs_scraper_options {
	const char *user_agent;
	const char *identity; /* with job and instance the seed of a target's place in its interval */
	size_t body_limit; /* bytes after decompression; GS_LIMIT_SCRAPE_BODY if 0 */
	gs_scrape_fn *on_result;
	void *ctx;
};

/** gs_scraper_new(options, ret_scraper, err): */
GS_MUST_USE enum gs_status gs_scraper_new(
    const struct gs_scraper_options *options, struct gs_scraper **ret_scraper, struct gs_error *err);

/** gs_scraper_add(scraper, target): Before gs_scraper_start. Strings must live as long as the scraper; the struct is copied. */
GS_MUST_USE enum gs_status gs_scraper_add(struct gs_scraper *scraper, const struct gs_scrape_target *target);

/** gs_scraper_start(scraper): Run the schedule on a thread: each target at a point of its interval that a stable hash gives, so that the load is
 * even and stays the same over restarts. A target whose last scrape still runs is skipped and counted. */
GS_MUST_USE enum gs_status gs_scraper_start(struct gs_scraper *scraper, struct gs_error *err);

/** gs_scraper_stop(scraper, grace_ms): Start no more, give running scrapes ${grace_ms} to end, cancel the rest (GS_SCRAPE_SHUTDOWN, not reported),
 * join the thread. */
void gs_scraper_stop(struct gs_scraper *scraper, int64_t grace_ms);
void gs_scraper_free(struct gs_scraper *scraper);

#endif
