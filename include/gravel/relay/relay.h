/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_RELAY_RELAY_H
#define GRAVEL_RELAY_RELAY_H

#include "gravel/bus/bus.h"
#include "gravel/expo/expo.h"
#include "gravel/scrape/rules.h"
#include "gravel/scrape/scrape.h"

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
	const char *job; /* strings must live as long as the relay */
	const char *instance;
	int64_t interval_ms;
	bool honor_labels;
	const struct gs_label *labels; /* of the target; not kept */
	size_t nlabels;
	struct gs_rules *rules; /* of the job, NULL for none; must outlive the relay */
};

/** gs_relay_add(relay, options, ret): What the relay keeps of a target; to be the user pointer of its gs_scrape_target. GS_ENOMEM; GS_ELIMIT for labels that do
 * not fit into a header. */
GS_MUST_USE enum gs_status gs_relay_add(
    struct gs_relay *relay, const struct gs_relay_target_options *options, struct gs_relay_target **ret);

/** gs_relay_result(relay, result): A gs_scrape_fn: take the result of a scrape. One thread at a time. */
void gs_relay_result(void *relay, const struct gs_scrape_result *result);

/** gs_relay_connected(relay): Whether NATS is there now. Any thread. */
bool gs_relay_connected(const struct gs_relay *relay);

#endif
