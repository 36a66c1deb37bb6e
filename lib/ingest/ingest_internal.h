/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_INGEST_INTERNAL_H
#define GRAVEL_LIB_INGEST_INTERNAL_H

#include <stdatomic.h>

#include "gravel/base/arena.h"
#include "gravel/base/lock.h"
#include "gravel/base/map.h"
#include "gravel/codec/codec.h"
#include "gravel/ingest/ingest.h"
#include "gravel/journal/journal.h"
#include "gravel/journal/snapshots.h"
#include "gravel/wire/push.h"
#include "keys.h"
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

/* How far the stream of pushes was read: all up to this message is in the state, or never will be. */
struct stream_mark {
	uint64_t sequence; /* 0: nothing was read */
	int64_t stored_ms; /* tells the message of that number from one of a stream that was made anew */
};

/* One thing to apply, parsed. Made by any thread, then the writer's; back in the pool afterwards. */
struct entry {
	struct entry *next;
	struct gs_ingest *ingest; /* of one that came by the stream of pushes */
	enum entry_kind kind;
	struct gs_batch *batch;
	struct gs_arena *arena; /* copies that the entry needs */
	struct gs_buf text; /* of a scrape: its body */
	const struct gs_label *labels; /* of the path, or of the target */
	size_t nlabels;
	/* push, delete, gateway */
	bool edge; /* a poller took it: of its info.key publisher is who, instance the id of the push */
	int64_t time_ms; /* of an edge push when it was taken; of any when it is logged that of its entry */
	struct stream_mark mark; /* of an edge push */
	struct stream_mark last; /* of one of a log that is a stream: the message that completed it */
	struct gs_str token; /* of one that a receiver wrote; in arena */
	bool once; /* it has a key */
	struct gs_key_hash key;
	bool duplicate; /* the key is known: there was nothing to apply */
	uint64_t position; /* in the log */
	struct gs_buf head; /* as it stands in a log that is kept: header line ... */
	struct gs_buf content; /* ... and content */
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
	struct gs_codec *codec; /* of a log that is kept, as is ... */
	struct gs_buf plain; /* ... what is to be compressed */
	struct gs_buf mode;
};

/* A poller, as long as it has groups. */
struct publisher {
	struct gs_str name; /* stands behind the struct, terminated */
	bool seen; /* the writer's */
	int64_t seen_ms; /* the others under store_lock */
	int64_t lag_ms;
	int64_t skew_ms;
};

/* Where the log is the stream of pushes, how far it is read. The push thread's alone. */
struct reading {
	struct stream_mark read; /* the last message that came */
	struct stream_mark safe; /* no push has a part up to here, and another one behind */
	struct stream_mark taken; /* what these complete was applied before the program started */
	uint64_t base; /* of positions: more than 0 where the stream is not the first one */
	uint64_t placed; /* the last message that is an entry */
	int64_t begun_ms; /* monotonic: when catching up began */
};

struct gs_pushed;
struct gs_logger;

/* How far the state is, under store_lock. */
struct applied {
	uint64_t position; /* of the log */
	int64_t time_ms; /* of the entry there; never falls */
	struct stream_mark mark;
	struct stream_mark last; /* where the log is a stream: the message of that entry */
	uint64_t changes; /* entries and scrapes, since the start */
	bool streamed; /* what was loaded had this log, the stream of pushes */
};

/* CATCHING_UP: with a log that is a stream, from the snapshot to what was its end when its reader began. */
enum ingest_phase { PHASE_RECOVERING, PHASE_CATCHING_UP, PHASE_READY, PHASE_FAILED };

/* The snapshot that is being written, and when the next one is. The writer's alone. */
struct snapper {
	pid_t child; /* 0: none */
	int pipe; /* where it says how it went */
	int64_t time_ms; /* when it was begun */
	int64_t due_ms; /* monotonic; INT64_MAX: never */
	uint64_t changes; /* as they were when the last one was begun */
	uint64_t position; /* likewise */
	uint64_t bytes; /* likewise, of all that was logged */
};

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
	struct gs_push_keys *keys;
	struct applied applied;

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
	struct entry *log_first; /* for the log thread, where the log is kept */
	struct entry **log_tail;
	struct gs_cond log_work; /* for it */
	size_t log_queued; /* of them those of a stream */
	int64_t log_time_ms; /* the last time that an entry got */
	size_t unapplied; /* entries that have a time, and are not applied yet */
	uint64_t cut_upto; /* what of the log is needed no more */
	uint64_t logged_bytes; /* since the start */
	bool log_stop;
	bool let_go;
	struct gs_error failure; /* of PHASE_FAILED */
	uint64_t refresh_asked;
	uint64_t refresh_done;
	bool stopping;
	struct entry *free_entries;
	size_t nfree_entries;
	struct kit *free_kits;

	/* The log that is kept, or its snapshots; all NULL where it is not. */
	char *folder;
	struct gs_ingest_stream stream; /* zeroed where the log is none */
	struct gs_logger *logger;
	_Atomic int phase; /* enum ingest_phase; the writer changes it */
	_Atomic uint64_t to_replay; /* entries; 0: the snapshot is being read */
	_Atomic uint64_t replayed;
	_Atomic bool give_up; /* the recovery */

	pthread_t thread;
	bool thread_started;

	/* The writer's alone. */
	struct snapper snapper;
	struct gs_batch *own_batch;
	struct gs_expo_parser *own_parser;
	struct gs_buf own_text;
	int64_t next_tick_ms; /* monotonic */
	struct gs_map *publishers; /* changed under store_lock, for those who read it */

	struct gs_pushed *pushed; /* the push thread's alone, as is ... */
	struct reading reading;
	struct stream_mark start; /* where it begins; set before the phase says that it is known */
	bool edge_waits; /* under queue_lock: it waits for pushes to be applied */

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

/* Whether the state outlives the process, and what is applied must be a function of a log. */
static inline bool gs_ingest_is_kept(const struct gs_ingest *ingest) {
	return ingest->folder != NULL;
}

/* Whether the stream of pushes is that log. */
static inline bool gs_ingest_reads_log(const struct gs_ingest *ingest) {
	return ingest->options.log.stream != NULL;
}

/* Whether pushes are written down here. */
static inline bool gs_ingest_keeps_log(const struct gs_ingest *ingest) {
	return gs_ingest_is_kept(ingest) && !gs_ingest_reads_log(ingest);
}

/* entry.c */
struct entry *gs_entry_get(struct gs_ingest *ingest, enum entry_kind kind); /* NULL: no memory */
void gs_entry_reset(struct entry *entry, enum entry_kind kind); /* make it as new */
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

/* ingest.c: begin the batch of a push, read its body, and take over what it says. What a gateway push is refused for is an entry that says so. One that was logged is
 * bound by fixed limits alone: those of the configuration may have changed since. */
GS_MUST_USE enum gs_status gs_ingest_fill_push(struct gs_ingest *ingest, struct entry *entry,
    const struct gs_ingest_push *push, bool logged, struct gs_error *err);
/* ingest.c: count the samples of an edge push in, waiting for room. */
void gs_ingest_hold_edge(struct gs_ingest *ingest, struct entry *entry);

/* record.c: what the log says of a push. */
struct record {
	enum gs_wire_push_op op;
	const struct gs_ingest_push *push;
	struct gs_str publisher;
	struct gs_str id; /* its key; empty: none */
	int64_t time_ms; /* when it was taken */
	struct stream_mark mark;
};

/* Fill head and content of the entry. GS_ENOMEM, GS_ELIMIT with ${err}. */
GS_MUST_USE enum gs_status gs_record_write(
    struct gs_ingest *ingest, struct entry *entry, const struct record *record, struct gs_error *err);
/* Make the entry, new or used, the one that was written down; ${scratch} and ${codec} are for that. GS_EINVAL with ${err} for what is no record, or says what this version refuses; GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_record_read(struct gs_ingest *ingest, struct entry *entry, struct gs_buf *scratch,
    struct gs_codec *codec, const struct gs_journal_entry *logged, struct gs_error *err);

/* logger.c: the log thread. */
GS_MUST_USE enum gs_status gs_logger_new(struct gs_ingest *ingest, struct gs_error *err);
void gs_logger_free(struct gs_ingest *ingest); /* logs what is queued; then the writer has it */
/* The last position of a log that stands in the folder of a receiver which has none there; 0: there is none. As gs_journal_open_file. */
GS_MUST_USE enum gs_status gs_logger_last(const struct gs_ingest *ingest, uint64_t *ret_last, struct gs_error *err);

/* recover.c: on the writer's thread, before all else. */
void gs_ingest_recover(struct gs_ingest *ingest);
/* recover.c: the state cannot be that of the log, now or any more. Any thread. */
void gs_ingest_fail(struct gs_ingest *ingest, const struct gs_error *err);

/* snapshot.c: on the writer's thread, which the child dies with; the last as the last of all. */
void gs_snapper_init(struct gs_ingest *ingest);
void gs_snapper_tick(
    struct gs_ingest *ingest); /* see after the one that is being written, and begin one if it is time */
void gs_snapper_finish(struct gs_ingest *ingest);
GS_MUST_USE enum gs_status gs_snapshot_load(
    struct gs_ingest *ingest, struct gs_snapshot_reader *reader, struct gs_error *err);

/* pushed.c: what a client asked for, from the header and content of a push; slices stand in ${content}, and in the entry's arena. GS_EINVAL, GS_ENOMEM. */
GS_MUST_USE enum gs_status gs_pushed_request(
    struct entry *entry, const struct gs_wire_push *push, struct gs_str content, struct gs_ingest_push *ret);
enum entry_kind gs_pushed_kind(enum gs_wire_push_op op);
enum gs_gateway_op gs_pushed_gateway_op(enum gs_wire_push_op op);

/* stream.c: where the log is the stream of pushes. After loading, before messages come: begin behind ingest->applied. */
void gs_stream_start(struct gs_ingest *ingest);
/* stream.c: on the push thread: what a message is; only a new one counts, but one that was taken may have a part of a push that was not. */
enum stream_news { STREAM_NEW, STREAM_TAKEN, STREAM_SEEN };
enum stream_news gs_stream_see(struct gs_ingest *ingest, const struct gs_ingest_message *message);
/* stream.c: likewise: give an entry that the last message completes its position and its time; from then on it is under way. */
void gs_stream_place(struct gs_ingest *ingest, struct entry *entry, int64_t pushed_ms);
/* stream.c: likewise: a message was seen to. */
void gs_stream_count(struct gs_ingest *ingest);

/* pushed.c; NULL: no memory */
struct gs_pushed *gs_pushed_new(void);
void gs_pushed_free(struct gs_pushed *pushed);

/* apply.c: on the writer's thread: apply the first of a list, and of pushes those that follow it. Returns what is left. */
struct entry *gs_ingest_apply(struct gs_ingest *ingest, struct entry *entry);

/* apply.c: with the store's lock: apply a push that is logged, and remember its key. */
enum gs_status gs_apply_push_locked(struct gs_ingest *ingest, struct entry *entry);
/* apply.c: count and answer what was applied, or could not be logged, and take it back into the pool. */
void gs_apply_finish(struct gs_ingest *ingest, struct entry *entry);
/* apply.c: take it back unanswered. */
void gs_apply_drop(struct gs_ingest *ingest, struct entry *entry);

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
