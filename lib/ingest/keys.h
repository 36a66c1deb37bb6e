/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_INGEST_KEYS_H
#define GRAVEL_LIB_INGEST_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gravel/base/buf.h"
#include "gravel/base/status.h"

/*
 * The keys of pushes that were applied, by their hashes, in the order of their entries: what comes again under one of them is not applied again. A key is forgotten
 * when entries have gone on by the window, or when it is the oldest and there is no room. No clock, no lock.
 * Invariants (gs_push_keys_check):
 * 1. The times in the ring do not fall from the oldest to the newest.
 * 2. The table holds each place of the ring that is taken once, and at most half of it is taken.
 */
struct gs_push_keys;

struct gs_key_hash {
	uint64_t a;
	uint64_t b;
};

/** gs_key_hash(key): The same on every machine. */
struct gs_key_hash gs_key_hash(struct gs_str key);

/** gs_push_keys_new(window_ms, max): NULL: no memory. */
struct gs_push_keys *gs_push_keys_new(int64_t window_ms, size_t max);
void gs_push_keys_free(struct gs_push_keys *keys);

size_t gs_push_keys_held(const struct gs_push_keys *keys);
bool gs_push_keys_has(const struct gs_push_keys *keys, struct gs_key_hash hash);

/** gs_push_keys_reserve(keys): Room for one more. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_push_keys_reserve(struct gs_push_keys *keys);

/** gs_push_keys_add(keys, hash, time_ms): Remember one that is not there, after gs_push_keys_reserve. A time before that of the newest counts as that. */
void gs_push_keys_add(struct gs_push_keys *keys, struct gs_key_hash hash, int64_t time_ms);

/** gs_push_keys_forget(keys, now_ms): Forget those that are older than the window. */
void gs_push_keys_forget(struct gs_push_keys *keys, int64_t now_ms);

#define GS_KEY_SAVED 24 /* bytes */

/** gs_push_keys_save(keys, i, out): Write the ${i}-th, from the oldest on, as GS_KEY_SAVED bytes that are the same on every machine. */
void gs_push_keys_save(const struct gs_push_keys *keys, size_t i, unsigned char out[GS_KEY_SAVED]);

/** gs_push_keys_load(keys, in): Add one that gs_push_keys_save wrote. GS_EINVAL for one that is there, or older than the one before; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_push_keys_load(struct gs_push_keys *keys, const unsigned char in[GS_KEY_SAVED]);

void gs_push_keys_check(const struct gs_push_keys *keys);

#endif
