/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_BUS_OUTBOX_H
#define GRAVEL_BUS_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "gravel/base/status.h"
#include "gravel/base/str.h"

/*
 * What was scraped and is not acknowledged yet: for each key (a target) the parts of its newest scrape, in bounded memory. Pure bookkeeping,
 * no nats.h, its own lock (GS_RANK_OUTBOX); any thread.
 * Invariants (gs_outbox_check):
 * 1. bytes is the sum over all parts held, and <= max. A part being sent is never freed under its sender: what was replaced or evicted
 *    in its hands is no longer counted, and goes when the send function returns.
 * 2. A key has at most one entry that waits or is in flight; a newer put replaces it whole, acks of the replaced one are ignored.
 * 3. Every entry that has an unsent part stands in the queue, in the order of its put.
 */
struct gs_outbox;

struct gs_outbox_part {
	const char *subject; /* NUL-terminated, as the next two */
	const char *header;
	const char *msg_id;
	struct gs_str data;
};

struct gs_outbox_stats {
	uint64_t replaced; /* entries replaced before they were acknowledged */
	uint64_t evicted; /* entries given up, oldest first, because the memory was used up */
	size_t messages; /* parts held now */
	size_t bytes;
};

struct gs_outbox *gs_outbox_new(size_t max_bytes);
void gs_outbox_free(struct gs_outbox *outbox);

/** gs_outbox_put(outbox, key, parts, nparts): Take copies of the parts of the newest scrape of ${key}. GS_ELIMIT if it alone exceeds the memory, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_outbox_put(
    struct gs_outbox *outbox, struct gs_str key, const struct gs_outbox_part *parts, size_t nparts);

/** gs_outbox_send(outbox, fn, ctx):
 * Hand unsent parts to ${fn} (oldest entry first, outside the lock) with a fresh token each until nothing is left. When ${fn} returns GS_EAGAIN,
 * GS_ENOMEM or GS_ECLOSED, that part stays unsent and the call ends; any other status but GS_OK gives the whole entry up as evicted and goes on with the
 * next. Calls do not overlap: a second caller returns at once, and the first one then tries again where it would have ended. */
typedef enum gs_status gs_outbox_send_fn(void *ctx, const struct gs_outbox_part *part, uint64_t token);
void gs_outbox_send(struct gs_outbox *outbox, gs_outbox_send_fn *fn, void *ctx);

/** gs_outbox_ack(outbox, token, ok): The result of a part: gone when ${ok}, unsent again otherwise. Unknown tokens (of replaced entries) are ignored.
 * May be called before the send function of that token has returned. */
void gs_outbox_ack(struct gs_outbox *outbox, uint64_t token, bool ok);

struct gs_outbox_stats gs_outbox_stats(struct gs_outbox *outbox);
void gs_outbox_check(struct gs_outbox *outbox);

#endif
