/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_MANAGER_MANAGER_H
#define GRAVEL_MANAGER_MANAGER_H

#include "gravel/config/config.h"
#include "gravel/relay/relay.h"

/*
 * Which targets are scraped now: from the jobs of a configuration and what discovery finds, over relabelling, to the scraper and the relay. What stays the same from one list or configuration to
 * the next keeps its schedule, its connection and its counters; what leaves is published as gone.
 *
 * A target is the same while its labels, URL, interval, timeout and the settings of its job that touch a scrape are. Its group on the wire is (job, instance) after
 * relabelling; the second target of a pair is "<instance>;<16 hex of its labels>" there, as long as it is scraped.
 */
struct gs_manager;

struct gs_manager_options {
	struct gs_relay *relay; /* must outlive it */
	struct gs_bus *bus; /* for discovery from NATS KV: must outlive it; NULL: none */
	const char *user_agent;
	const char *self_url; /* our own metrics, scraped as job prometheus_streams; NULL: not */
};

/** gs_manager_new(options, config, ret_manager, err): Start to scrape what ${config} says; it takes ${config} over with GS_OK. GS_EINVAL with ${err} for what only
 * compiling a job can find (but gs_manager_check was there before), GS_ENOMEM, GS_EIO. */
GS_MUST_USE enum gs_status gs_manager_new(const struct gs_manager_options *options, struct gs_config *config,
    struct gs_manager **ret_manager, struct gs_error *err);

/* What a new list or configuration changed. */
struct gs_manager_changes {
	size_t targets; /* that are scraped now */
	size_t came;
	size_t left;
};

/** gs_manager_reload(manager, config, ret_changes, err): Let ${config} take the place of the last one, which it takes over with GS_OK; otherwise nothing has changed. The identity
 * stays that of the first one. Not from a callback of the relay; ${ret_changes} may be NULL. */
GS_MUST_USE enum gs_status gs_manager_reload(
    struct gs_manager *manager, struct gs_config *config, struct gs_manager_changes *ret_changes, struct gs_error *err);

/** gs_manager_stop(manager, grace_ms): Stop discovery, start no more scrapes, give running ones ${grace_ms}. Nothing is published as gone; pages still say how it was. No reload after it. */
void gs_manager_stop(struct gs_manager *manager, int64_t grace_ms);

/** gs_manager_free(manager): Stop it without grace if it runs, and free it. NULL is nothing. */
void gs_manager_free(struct gs_manager *manager);

/* A problem that only compiling finds: a rule of relabelling or aggregation, a clearmode. */
typedef void gs_manager_problem_fn(void *ctx, uint32_t line, uint32_t column, const char *text);

/** gs_manager_check(config, fn, ctx): Compile all jobs; false after telling every problem. For --check-config and before a reload. */
bool gs_manager_check(const struct gs_config *config, gs_manager_problem_fn *fn, void *ctx);

/* Which targets a page shows. */
struct gs_manager_filter {
	struct gs_str job; /* of this job (Prometheus: scrape pool) only; empty: all */
	struct gs_str health; /* "up", "down", "unknown" only; empty: all. HTML */
	bool active; /* JSON: those that are scraped */
	bool dropped; /* JSON: those that relabelling dropped */
	size_t limit; /* HTML: targets of a job, 0: GS_MANAGER_PAGE_TARGETS */
};

#define GS_MANAGER_PAGE_TARGETS 1000

/** gs_manager_targets_json(manager, filter, out), gs_manager_targets_html(manager, filter, out): /api/v1/targets as Prometheus has it, and the page of it. What is too much for ${out} is
 * its error. Any thread. */
void gs_manager_targets_json(struct gs_manager *manager, const struct gs_manager_filter *filter, struct gs_buf *out);
void gs_manager_targets_html(struct gs_manager *manager, const struct gs_manager_filter *filter, struct gs_buf *out);

#endif
