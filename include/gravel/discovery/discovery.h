/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_DISCOVERY_DISCOVERY_H
#define GRAVEL_DISCOVERY_DISCOVERY_H

#include "gravel/config/config.h"
#include "gravel/expo/expo.h"

/*
 * Where targets come from: files, DNS, HTTP, etcd, NATS KV (static ones need no discovery and are the caller's). One thread refreshes all sources. A source that fails
 * keeps its last list, and says so: GS_M_SD_FAILURES by job and kind, the age of its list, one line in the log when it begins and ends.
 */
struct gs_discovery;

/* A group of targets as Prometheus has them: an address each, and labels that all share (__meta_* among them). */
struct gs_discovered {
	const struct gs_label *labels; /* of one target, __address__ among them; sorted by name, distinct */
	size_t nlabels;
};

/* The whole list of a source, again whenever it changed (also the first one, also when empty). On the thread of discovery; slices are valid during the
 * call. ${source} is the number that gs_discovery_add gave. */
typedef void gs_discovery_fn(void *ctx, size_t source, const struct gs_discovered *targets, size_t n);

struct gs_discovery_options {
	const char *user_agent;
	struct gs_bus *bus; /* for NATS KV: its connection is used; may be NULL if no source needs it */
	gs_discovery_fn *on_list;
	void *ctx;
};

/** gs_discovery_new(options, ret_discovery, err): Without sources. GS_ENOMEM, GS_EIO. */
GS_MUST_USE enum gs_status gs_discovery_new(
    const struct gs_discovery_options *options, struct gs_discovery **ret_discovery, struct gs_error *err);

/** gs_discovery_add(discovery, job, sd, ret_source): Before gs_discovery_start. ${job} and ${sd} must live as long as the discovery. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_discovery_add(
    struct gs_discovery *discovery, const char *job, const struct gs_config_sd *sd, size_t *ret_source);

/** gs_discovery_start(discovery, err): Start the thread. GS_EIO. */
GS_MUST_USE enum gs_status gs_discovery_start(struct gs_discovery *discovery, struct gs_error *err);

/** gs_discovery_free(discovery): Stop within a second whatever is under way, join, free. No callback runs after it. NULL is nothing. */
void gs_discovery_free(struct gs_discovery *discovery);

#endif
