/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_SCRAPE_SCRAPE_H
#define GRAVEL_SCRAPE_SCRAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/error.h"
#include "gravel/base/str.h"
#include "gravel/config/config.h"

/*
 * Scraping: schedule and fetch with libcurl's multi interface on one thread. The only module that includes curl.h.
 *
 * What goes out is Prometheus' GET for the text formats: its Accept, X-Prometheus-Scrape-Timeout-Seconds, gzip and zstd; connections are
 * kept. Only http and https, on redirects too; no proxy, no netrc, no cookies. Only status 200 is a success, and an empty body with it is
 * one. What a body holds is for the consumer of results to judge (gs_scrape_inspect, GS_SCRAPE_PARSE).
 *
 * Counted here: GS_M_SCRAPE_DELAY and GS_M_SCRAPES_SKIPPED (slots that passed while the scrape before still ran, or while the process did not
 * run). Counted by the consumer, who knows whether the body parsed: GS_M_SCRAPES, _SCRAPE_FAILURES, _SCRAPE_BYTES, _SCRAPE_SAMPLES, _TARGETS.
 *
 * A target needs a descriptor for its connection: the program raises its limit of open files. With libcurl before 7.87 (EL 8, EL 9) a
 * name server that does not answer holds up all scrapes for as long as the system's resolver waits for it.
 */
struct gs_scraper;

struct gs_scrape_target {
	const char *job;
	const char *instance;
	const char *url; /* http or https */
	const struct gs_config_http *http; /* how to ask; NULL: as the defaults of the configuration */
	int64_t interval_ms; /* 1 ms .. 366 days */
	int64_t timeout_ms; /* of everything: name, connection, redirects, body; in the same range */
	size_t body_limit; /* bytes of a body, before and after decompression; 0: that of the scraper */
	bool identity; /* enable_compression: false */
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

/** gs_scrape_cause_name(cause): The word above; "ok" for GS_SCRAPE_OK. Static. */
const char *gs_scrape_cause_name(enum gs_scrape_cause cause);

struct gs_scrape_result {
	const struct gs_scrape_target *target;
	enum gs_scrape_cause cause;
	const char *text; /* one sentence on the cause, without secrets of the URL; "" when OK. As the body */
	int64_t time_ms; /* wall clock at the start */
	int64_t duration_us;
	struct gs_str body; /* decompressed; empty unless OK, or if it came in pieces. Valid during the call */
	bool in_pieces; /* pieces came */
	struct gs_str content_type; /* of the answer, empty if there is none. Valid during the call */
};

/* On the scraper's thread; should take well under the shortest interval: nothing else is scraped meanwhile. */
typedef void gs_scrape_fn(void *ctx, const struct gs_scrape_result *result);

/* A piece of a large body, decoded, while the rest is still on its way, so that 100 MB do not hold up the others at their end; bodies below 256 KiB come with the result
 * alone. Pieces of several targets alternate. False: enough of it, the result comes at once with GS_SCRAPE_PARSE. */
typedef bool gs_scrape_body_fn(
    void *ctx, const struct gs_scrape_target *target, struct gs_str content_type, struct gs_str piece);

/* A target was removed: nothing of it is used any more, no result of it comes. On the scraper's thread. */
typedef void gs_scrape_removed_fn(void *ctx, const struct gs_scrape_target *target);

struct gs_scraper_options {
	const char *user_agent;
	const char *identity; /* with job and instance the seed of a target's place in its interval */
	size_t body_limit; /* bytes of a body, before and after decompression; GS_LIMIT_SCRAPE_BODY if 0 */
	gs_scrape_fn *on_result;
	gs_scrape_body_fn *on_body; /* NULL: whole bodies come with their results */
	gs_scrape_removed_fn *on_removed; /* may be NULL */
	void *ctx;
};

/** gs_scraper_new(options, ret_scraper, err):
 * Make a scraper without targets. Strings of ${options} are copied. GS_ENOMEM, or GS_EIO where the system gives no descriptors. */
GS_MUST_USE enum gs_status gs_scraper_new(
    const struct gs_scraper_options *options, struct gs_scraper **ret_scraper, struct gs_error *err);

/** gs_scraper_add(scraper, target): Before or after gs_scraper_start, any thread. What ${target} points to must live until it is removed; the struct is copied. GS_EINVAL for a URL or
 * a time outside what struct gs_scrape_target says, GS_ELIMIT above GS_LIMIT_TARGETS, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_scraper_add(struct gs_scraper *scraper, const struct gs_scrape_target *target);

/** gs_scraper_remove(scraper, user): Remove the target with that ${user}, whose running scrape ends without a result; on_removed says when. Any thread; does not wait. Its connection
 * is kept for a target of the same host that follows. GS_ENOTFOUND. */
GS_MUST_USE enum gs_status gs_scraper_remove(struct gs_scraper *scraper, const void *user);

/** gs_scraper_start(scraper): Run the schedule on a thread: each target at a point of its interval that a stable hash gives, so that the load is
 * even and stays the same over restarts, counted on the wall clock. A target whose last scrape still runs is skipped and counted. Once in the
 * life of a scraper. Signals are blocked on the thread. GS_EIO. */
GS_MUST_USE enum gs_status gs_scraper_start(struct gs_scraper *scraper, struct gs_error *err);

/** gs_scraper_stop(scraper, grace_ms): Start no more, give running scrapes ${grace_ms} to end, cancel the rest (GS_SCRAPE_SHUTDOWN, not reported),
 * join the thread. Not from on_result. A scraper that does not run is left alone. */
void gs_scraper_stop(struct gs_scraper *scraper, int64_t grace_ms);

/** gs_scraper_free(scraper): Stop it without grace if it runs, and free it. NULL is nothing. */
void gs_scraper_free(struct gs_scraper *scraper);

#endif
