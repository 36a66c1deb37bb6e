/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_MANAGER_MANAGER_H
#define GRAVEL_MANAGER_MANAGER_H

#include "gravel/config/config.h"
#include "gravel/relay/relay.h"

/*
 * Which targets are scraped now: from the jobs of a configuration and what discovery finds, over relabelling, to the scraper and the relay. What stays the same from one list or configuration to
 * the next keeps its schedule, its connection and its counters; what leaves is published as gone.
 */
struct gs_manager;

struct gs_manager_options {
	struct gs_relay *relay; /* must outlive it */
	const char *user_agent;
	const char *self_url; /* our own metrics, scraped as job prometheus_streams; NULL: not */
};

/** gs_manager_new(options, config, ret_manager, err): Start to scrape what ${config} says; it takes ${config} over with GS_OK. GS_EINVAL with ${err} for what only
 * compiling a job can find (but gs_manager_check was there before), GS_ENOMEM, GS_EIO. */
GS_MUST_USE enum gs_status gs_manager_new(const struct gs_manager_options *options, struct gs_config *config,
    struct gs_manager **ret_manager, struct gs_error *err);

/** gs_manager_reload(manager, config, err): Let ${config} take the place of the last one, which it takes over with GS_OK; otherwise nothing has changed. One thread at a time. */
GS_MUST_USE enum gs_status gs_manager_reload(
    struct gs_manager *manager, struct gs_config *config, struct gs_error *err);

/** gs_manager_free(manager, grace_ms): Stop discovery, start no more scrapes, give running ones ${grace_ms}. Nothing is published as gone. NULL is nothing. */
void gs_manager_free(struct gs_manager *manager, int64_t grace_ms);

/* A problem that only compiling finds: a rule of relabelling or aggregation, a clearmode. */
typedef void gs_manager_problem_fn(void *ctx, uint32_t line, uint32_t column, const char *text);

/** gs_manager_check(config, fn, ctx): Compile all jobs; false after telling every problem. For --check-config and before a reload. */
bool gs_manager_check(const struct gs_config *config, gs_manager_problem_fn *fn, void *ctx);

/** gs_manager_targets_json(manager, out), gs_manager_targets_html(manager, out): /api/v1/targets as Prometheus has it, and the page of it. Any thread. */
void gs_manager_targets_json(struct gs_manager *manager, struct gs_buf *out);
void gs_manager_targets_html(struct gs_manager *manager, struct gs_buf *out);

#endif
