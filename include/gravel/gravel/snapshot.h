/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_GRAVEL_SNAPSHOT_H
#define GRAVEL_GRAVEL_SNAPSHOT_H

#include "gravel/gravel/store.h"

/*
 * A whole store as bytes, the same on every machine (docs/STORE.md, "Saved"): series of pushers and groups with all that they have, but not the program's own
 * metrics, which are of the process. What is loaded is written, aggregated and expired bit by bit as what was saved. Neither compressed nor
 * checked for damage beyond what would break the store: whoever keeps the bytes does that.
 */

#define GS_SNAPSHOT_VERSION 1

/* Take the next bytes; another status than GS_OK ends the saving. */
typedef enum gs_status gs_snapshot_put_fn(void *ctx, struct gs_str bytes);

/** gs_store_save(store, put, ctx):
 * Hand all of it to ${put}, in pieces of 64 KiB. Changes nothing that is read; whoever calls has the store for himself, or is a fork of the
 * one who had. GS_ENOMEM, or what ${put} said. */
GS_MUST_USE enum gs_status gs_store_save(struct gs_store *store, gs_snapshot_put_fn *put, void *ctx);

/* Give the next bytes, some or many, valid until the next call; none at the end. Another status than GS_OK ends the loading. */
typedef enum gs_status gs_snapshot_get_fn(void *ctx, struct gs_str *ret_bytes);

/** gs_store_load(store, get, ctx, err):
 * Fill ${store}, which is new. Bytes may be anything: GS_EINVAL with ${err} for what gs_store_save cannot have written, GS_EUNSUPPORTED for a later version, GS_ELIMIT
 * for more groups or times to live than the store may have, GS_ENOMEM, or what ${get} said; ${store} then holds a part, and is only to be freed. Other limits hold for
 * what comes later. */
GS_MUST_USE enum gs_status gs_store_load(
    struct gs_store *store, gs_snapshot_get_fn *get, void *ctx, struct gs_error *err);

#endif
