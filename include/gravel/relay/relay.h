/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_RELAY_RELAY_H
#define GRAVEL_RELAY_RELAY_H

#include "gravel/bus/bus.h"
#include "gravel/expo/expo.h"
#include "gravel/scrape/rules.h"
#include "gravel/scrape/scrape.h"
#include "gravel/transform/transform.h"

/*
 * The poller's half of the way: the result of a scrape is checked, counted, put into messages, kept in the outbox until JetStream has
 * acknowledged it, and sent. Every loss is counted.
 */
struct gs_relay;
struct gs_relay_target;

struct gs_relay_options {
	const char *identity; /* the publisher; copied, as is the topic */
	const char *topic;
	size_t buffer; /* bytes of scrapes that could not be sent */
	struct gs_bus_options bus; /* without callbacks and ctx: those are the relay's */
};

/** gs_relay_open(options, ret, err): Open the bus and start. Does not wait for a connection. As gs_bus_open. */
GS_MUST_USE enum gs_status gs_relay_open(
    const struct gs_relay_options *options, struct gs_relay **ret, struct gs_error *err);

/** gs_relay_close(relay, timeout_ms): Send what is left and wait for its acks, ${timeout_ms} at most; close and free, targets too. Nothing
 * may be scraping for it any more. NULL is nothing. */
void gs_relay_close(struct gs_relay *relay, int64_t timeout_ms);

struct gs_relay_target_options {
	const char *
	    job; /* with instance the name of its group, unique in a publisher; strings must live as long as the target */
	const char *instance;
	int64_t interval_ms;
	const struct gs_label
	    *labels; /* of the target, after relabelling: job and instance too, where it has them; not kept */
	size_t nlabels;
	struct gs_transform *transform; /* of the job; must outlive it */
	bool honor_labels; /* until transform has these two */
	struct gs_rules *rules;
};

/** gs_relay_add(relay, options, ret): What the relay keeps of a target; to be the user pointer of its gs_scrape_target. Any thread. GS_ENOMEM; GS_ELIMIT for labels that do
 * not fit into a header. */
GS_MUST_USE enum gs_status gs_relay_add(
    struct gs_relay *relay, const struct gs_relay_target_options *options, struct gs_relay_target **ret);

/** gs_relay_remove(relay, target, gone): Free it. ${gone}: it left for good, so say so to the receivers, who drop its series; else another target of the same name takes its place. The
 * scraper's thread (gs_scrape_removed_fn). */
void gs_relay_remove(struct gs_relay *relay, struct gs_relay_target *target, bool gone);

/* What a page of targets says of one. */
struct gs_relay_target_state {
	enum gs_scrape_cause cause; /* of the last scrape; as of OK, too, before the first */
	int64_t time_ms; /* of its begin; 0: there was none yet */
	int64_t duration_us;
	uint64_t samples;
	char text[256]; /* why it failed: "line:column: reason" for a body that is none */
};

/** gs_relay_target_state(relay, target, ret): Any thread. */
void gs_relay_target_state(
    struct gs_relay *relay, const struct gs_relay_target *target, struct gs_relay_target_state *ret);

/** gs_relay_exposition(relay, job, instance, interval_ms, time_ms, body): Publish what no target exposed: the results of a job's aggregation (rollup.h), as a group of its own without up. Its samples have
 * all their labels. The scraper's thread. */
void gs_relay_exposition(struct gs_relay *relay, const char *job, const char *instance, int64_t interval_ms,
    int64_t time_ms, struct gs_str body);

/** gs_relay_body(relay, target, content_type, piece): A gs_scrape_body_fn. */
bool gs_relay_body(void *relay, const struct gs_scrape_target *target, struct gs_str content_type, struct gs_str piece);

/** gs_relay_result(relay, result): A gs_scrape_fn: take the result of a scrape. One thread at a time. */
void gs_relay_result(void *relay, const struct gs_scrape_result *result);

/** gs_relay_bus(relay): Its bus, for a second stream. Lives as long as the relay. */
struct gs_bus *gs_relay_bus(struct gs_relay *relay);

/** gs_relay_connected(relay): Whether NATS is there now. Any thread. */
bool gs_relay_connected(const struct gs_relay *relay);

#endif
