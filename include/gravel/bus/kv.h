/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BUS_KV_H
#define GRAVEL_BUS_KV_H

#include "gravel/bus/bus.h"

/*
 * The keys of a bucket of NATS KV, as they are and as they change, over the connection of a bus and over all its reconnects. Each listing begins with
 * GS_KV_BEGIN and has every key; after GS_KV_COMPLETE come changes, until something is amiss or the time for a fresh look has come and a new listing begins:
 * what was in the last one and is not in a complete new one is gone.
 */
struct gs_kv;

enum gs_kv_kind {
	GS_KV_BEGIN, /* a listing begins */
	GS_KV_PUT, /* key, value */
	GS_KV_DELETE, /* key: deleted, purged, or expired with a marker */
	GS_KV_COMPLETE, /* the listing is complete: since GS_KV_BEGIN every key came that there is */
	GS_KV_LOST, /* reason: no listing for now; again when the reason is another one */
};

/* Slices and text are valid during the call. */
struct gs_kv_event {
	enum gs_kv_kind kind;
	struct gs_str key; /* without the bucket */
	struct gs_str value;
	const char *reason; /* without secrets */
};

/* On a thread of the watch, without locks. May block: that is the back-pressure; but not once gs_kv_close was called. */
typedef void gs_kv_fn(void *ctx, const struct gs_kv_event *event);

struct gs_kv_options {
	const char *bucket; /* [A-Za-z0-9_-]+ */
	const char *
	    prefix; /* of the keys; NULL or empty: all. What ends in a '.' or begins with whole tokens the server filters */
	int64_t
	    relist_ms; /* a fresh listing is made so often: keys that a limit of the bucket removed have no event. 0: never */
	gs_kv_fn *fn;
	void *ctx;
};

/** gs_kv_watch(bus, options, ret_kv, err): Start; does not wait for a connection. Options are copied. GS_EINVAL for a bucket or prefix that is none; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_kv_watch(
    struct gs_bus *bus, const struct gs_kv_options *options, struct gs_kv **ret_kv, struct gs_error *err);

/** gs_kv_close(kv): Waits for a callback that runs, and for nothing else: what is under way on the connection ends later, before gs_bus_close returns. Before gs_bus_close. NULL is
 * nothing. */
void gs_kv_close(struct gs_kv *kv);

#endif
