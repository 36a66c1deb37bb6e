/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_INGEST_INTERNAL_H
#define GRAVEL_LIB_INGEST_INTERNAL_H

#include "gravel/base/arena.h"
#include "gravel/base/lock.h"
#include "gravel/base/map.h"
#include "gravel/codec/codec.h"
#include "gravel/ingest/ingest.h"
#include "gravel/journal/journal.h"
#include "gravel/wire/wire.h"
#include "pieces.h"

enum entry_kind { ENTRY_PUSH, ENTRY_DELETE, ENTRY_GATEWAY, ENTRY_SCRAPE, ENTRY_GONE };

/* What every scrape carries beside its samples. */
struct scrape_gauges {
	double up;
	double duration_s;
	double samples;
	double samples_kept;
	double series_added;
};

/* One thing to apply, parsed. Made by any thread, then the writer's; back in the pool afterwards. */
struct entry {
	struct entry *next;
	enum entry_kind kind;
	struct gs_batch *batch;
	struct gs_arena *arena; /* copies that the entry needs */
	struct gs_buf text; /* of a scrape: its body */
	const struct gs_label *labels; /* of the path, or of the target */
	size_t nlabels;
	/* push, delete, gateway */
	bool edge; /* a poller took it: of its info.key publisher is who, instance the id of the push */
	int64_t time_ms; /* of an edge push */
	size_t held; /* its samples, as they count in ingest->samples */
	struct gs_str body;
	gs_ingest_done_fn *done;
	void *ctx;
	enum gs_status status; /* of applying it */
	struct gs_error err;
	struct gs_store_result result;
	enum gs_gateway_op op;
	const struct gs_error *refused; /* of GS_GATEWAY_FAILED: why; stands in arena */
	/* scrape; gone has the key and the times */
	bool results; /* of an aggregation: without gauges */
	enum gs_label_rule rule;
	struct scrape_gauges gauges;
	struct gs_scrape_info info;
	int64_t end_ms; /* of the scrape */
	int64_t sent_ms; /* publisher's clock */
	int64_t stored_ms; /* NATS server's clock */
};

/* What a parse needs besides its result. */
struct kit {
	struct kit *next;
	struct gs_expo_parser *parser;
};

/* A poller, as long as it has groups. */
struct publisher {
	struct gs_str name; /* stands behind the struct, terminated */
	bool seen; /* the writer's */
	int64_t seen_ms; /* the others under store_lock */
	int64_t lag_ms;
	int64_t skew_ms;
};

struct gs_pushed;

struct gs_ingest {
	struct gs_ingest_options options;
	char *topic;
	int64_t start_ms;
	struct gs_journal *journal;

	/* Under store_lock. Whoever wants it takes turn_lock first and keeps that until he has it: so a writer in a hurry and many
	 * readers alternate instead of one starving the other. */
	struct gs_lock turn_lock;
	struct gs_lock store_lock;
	struct gs_store *store;

	struct gs_pieces *pieces; /* has a lock of its own */

	/* Under queue_lock. */
	struct gs_lock queue_lock;
	struct gs_cond work; /* for the writer */
	struct gs_cond space; /* for the thread that brings messages */
	struct gs_cond fresh; /* for those who wait for a refresh */
	struct entry *first;
	struct entry **tail;
	size_t queued; /* scrapes */
	size_t pushes; /* pushes and deletions queued or being applied */
	size_t samples; /* theirs: the sum of held */
	uint64_t refresh_asked;
	uint64_t refresh_done;
	bool stopping;
	struct entry *free_entries;
	size_t nfree_entries;
	struct kit *free_kits;

	pthread_t thread;
	bool thread_started;

	/* The writer's alone. */
	struct gs_batch *own_batch;
	struct gs_expo_parser *own_parser;
	struct gs_buf own_text;
	int64_t next_tick_ms; /* monotonic */
	struct gs_map *publishers; /* changed under store_lock, for those who read it */

	struct gs_pushed *pushed; /* the push thread's alone */
	bool edge_waits; /* under queue_lock: it waits for samples to be applied */

	/* The message thread's alone. */
	struct gs_codec *codec;
	struct gs_wire_joiner *joiner;
	struct gs_buf subject_scratch;
	struct gs_buf header_scratch;
	struct gs_buf part;
};

/* Whether it came in a message of scrapes, and not as a push. */
static inline bool gs_entry_is_scraped(const struct entry *entry) {
	return entry->kind == ENTRY_SCRAPE || entry->kind == ENTRY_GONE;
}

/* entry.c */
struct entry *gs_entry_get(struct gs_ingest *ingest, enum entry_kind kind); /* NULL: no memory */
void gs_entry_put(struct gs_ingest *ingest, struct entry *entry);
void gs_entry_free(struct entry *entry);
struct kit *gs_kit_get(struct gs_ingest *ingest);
void gs_kit_put(struct gs_ingest *ingest, struct kit *kit);
void gs_kit_free(struct kit *kit);

/* ingest.c: queue an entry; a scrape waits for room. */
void gs_ingest_queue(struct gs_ingest *ingest, struct entry *entry);
void gs_ingest_store_take(struct gs_ingest *ingest);
/* Take the store if nobody has it or waits for it: who only tries would pass readers that wait for ever. */
bool gs_ingest_store_try(struct gs_ingest *ingest);
void gs_ingest_store_release(struct gs_ingest *ingest);

/* ingest.c: begin the batch of a push, read its body, and take over what it says; of an edge push, count its samples in, waiting for room. What a gateway push
 * is refused for is an entry that says so. */
GS_MUST_USE enum gs_status gs_ingest_fill_push(
    struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_push *push, struct gs_error *err);

/* pushed.c; NULL: no memory */
struct gs_pushed *gs_pushed_new(void);
void gs_pushed_free(struct gs_pushed *pushed);

/* apply.c: on the writer's thread: apply the first of a list, and of pushes those that follow it. Returns what is left. */
struct entry *gs_ingest_apply(struct gs_ingest *ingest, struct entry *entry);

/* On any thread: apply and answer a push now if the store is free and nothing has to be waited for; false: queue it. */
bool gs_ingest_apply_at_once(struct gs_ingest *ingest, struct entry *entry);

/* limit.c: what gs_ingest_limited does, of a scrape, which becomes one that failed: up 0, and none of its samples. GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_ingest_limited_scrape(struct gs_ingest *ingest, struct entry *entry, const char *limit);

/* own.c: on the writer's thread. */
void gs_ingest_refresh_own(struct gs_ingest *ingest);

/* publisher.c: on the writer's thread; the first with the store's lock. */
void gs_publisher_saw(struct gs_ingest *ingest, const struct entry *entry, int64_t now_ms);
void gs_publishers_forget(struct gs_ingest *ingest); /* those without a group */
void gs_publishers_free(struct gs_ingest *ingest);

/* message.c */
/* Begin the batch of a scrape with the gauges of the entry. */
GS_MUST_USE enum gs_status gs_message_begin(struct gs_ingest *ingest, struct entry *entry, bool limited);
GS_MUST_USE enum gs_status gs_message_open(struct gs_ingest *ingest);
void gs_message_close(struct gs_ingest *ingest);

#endif
