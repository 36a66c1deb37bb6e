/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BUS_PRIVATE_H
#define GRAVEL_LIB_BUS_PRIVATE_H

#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>

#include "gravel/base/lock.h"
#include "gravel/bus/bus.h"
#include "gravel/bus/shelf.h"

/*
 * How the parts of this module fit together.
 *
 * A session is one TCP connection. nats.c's own reconnect is off: a lost connection ends the session, everything that was made on it
 * goes with it, and the link thread makes a new one. So there is one way to come up, for the first time and the hundredth.
 * Threads: link (connects, keeps the stream, sends), consumer (delivers), and the thread on which nats.c delivers publish acks. gs_bus.lock
 * guards all that they share; no call into nats.c that can block and no callback happens under it.
 */

enum {
	GS_BUS_CONNECT_MS = 2000, /* for one server */
	GS_BUS_REQUEST_MS = 2000, /* for one answer of JetStream's API */
	GS_BUS_WRITE_MS = 5000, /* that one write may block before the connection is given up */
	GS_BUS_PING_MS = 5000, /* two unanswered pings end a connection */
	GS_BUS_ACK_STALL_MS = 5000, /* a publish fails when no ack at all has come for so long, */
	GS_BUS_ACK_MAX_MS = 30000, /* or its own not for so long */
	GS_BUS_WINDOW =
	    4 * 1024 * 1024, /* bytes sent and not acknowledged: bounds what a slow line must carry in the time above */
	GS_BUS_BACKOFF_MIN_MS = 100,
	GS_BUS_BACKOFF_MAX_MS = 2000,
	GS_BUS_LIVED_MS = 5000, /* a session that lasted so long was no failed attempt */
	GS_BUS_HEARTBEAT_MS = 1000, /* of the consumer; three missed ones and it is made anew */
	GS_BUS_TICK_MS = 100, /* how often what has no event of its own is looked at */
	GS_BUS_REASON = 256,
	GS_BUS_INBOX = 64,
	GS_BUS_LANES = 2, /* streams on one connection */
	GS_BUS_SUB_MSGS =
	    1000000, /* limits of the consumer's queue; flow control keeps below, a gap is found and fetched again */
	GS_BUS_SUB_BYTES = 128 * 1024 * 1024,
};

#define GS_BUS_HEADER "Gravel"
#define GS_BUS_NS_PER_MS 1000000

/* A text that is logged only when it differs from the last one. */
struct gs_bus_reason {
	char text[GS_BUS_REASON];
};

/* url.c */

/** gs_url_check(url, err): GS_EINVAL with ${err} unless ${url} is [nats://|tls://][user[:password]@]host[:port]. The text never quotes the userinfo. */
GS_MUST_USE enum gs_status gs_url_check(struct gs_str url, struct gs_error *err);

/** gs_url_redact(url, out, n): Write ${url} with its userinfo replaced by "***". */
void gs_url_redact(struct gs_str url, char *out, size_t n);

/** gs_url_scrub(text, url): Overwrite in ${text} every occurrence of the userinfo of ${url} and of its password, and of anything before an '@' in a URL. */
void gs_url_scrub(char *text, struct gs_str url);

/* flight.c: publishes that owe an on_ack. Pure; the caller holds the bus's lock. */

enum gs_flight_state { GS_FLIGHT_FREE, GS_FLIGHT_RESERVED, GS_FLIGHT_QUEUED, GS_FLIGHT_SENT };

struct gs_flight_slot {
	uint64_t token;
	uint64_t serial; /* never used twice, so that a late ack finds nothing */
	size_t bytes;
	int64_t sent_ms;
	natsMsg *msg; /* while QUEUED */
	uint32_t prev, next; /* in the list of its state */
	enum gs_flight_state state;
};

struct gs_flight_list {
	uint32_t head, tail; /* GS_FLIGHT_NONE: empty */
	size_t bytes;
};

#define GS_FLIGHT_NONE UINT32_MAX

/*
 * Invariants (gs_flight_check):
 * 1. Each slot is in the list of its state; the bytes of a list are those of its slots.
 * 2. count and bytes are over all slots that are not FREE; count <= max, bytes <= max_bytes unless count is 1.
 * 3. The SENT list rises in sent_ms.
 */
struct gs_flight {
	struct gs_flight_slot *slots;
	struct gs_flight_list lists[GS_FLIGHT_SENT + 1];
	size_t max;
	size_t max_bytes;
	size_t count;
	size_t bytes;
	uint64_t next_serial;
};

GS_MUST_USE enum gs_status gs_flight_init(struct gs_flight *flight, size_t max, size_t max_bytes);
void gs_flight_free(struct gs_flight *flight);

/** gs_flight_reserve(flight, bytes, token): A RESERVED slot, or GS_FLIGHT_NONE when that is too much. */
uint32_t gs_flight_reserve(struct gs_flight *flight, size_t bytes, uint64_t token);
void gs_flight_move(struct gs_flight *flight, uint32_t slot, enum gs_flight_state state);

/** gs_flight_find(flight, slot, serial): Whether ${slot} is SENT and carries ${serial}. */
bool gs_flight_find(const struct gs_flight *flight, uint64_t slot, uint64_t serial);
void gs_flight_check(const struct gs_flight *flight);

/* reply.c: what the subjects and bodies that the server answers with mean. Pure. */

struct gs_reply_meta {
	uint64_t stream_seq;
	uint64_t consumer_seq;
	int64_t time_ns;
	uint64_t pending;
};

/** gs_reply_meta(reply, ret): Read a "$JS.ACK..." subject in its old (9 tokens) or new (11 and more) form. */
GS_MUST_USE enum gs_status gs_reply_meta(struct gs_str reply, struct gs_reply_meta *ret);

/** gs_reply_ack(body, reason, n): What a JetStream answered to a publish: GS_OK, or GS_EIO with its description in ${reason}. */
GS_MUST_USE enum gs_status gs_reply_ack(struct gs_str body, char *reason, size_t n);

/** gs_reply_token(subject, ret_slot, ret_serial): Read the last token of ${subject}, "<slot>-<serial>". */
GS_MUST_USE enum gs_status gs_reply_token(struct gs_str subject, uint64_t *ret_slot, uint64_t *ret_serial);

/* The bus itself. */

/* A subscription whose messages its thread takes one by one. */
struct gs_bus_sub {
	struct gs_bus_sub *next; /* of those that are given up */
	natsSubscription *nats;
};

struct gs_bus_session {
	struct gs_bus *bus;
	natsConnection *nc;
	jsCtx *js;
	natsSubscription *acks;
	struct gs_bus_sub *given_up; /* guarded by the bus's lock, as refs and ended */
	int refs;
	bool ended; /* the ack subscription is complete: no callback of nats.c into us comes any more */
	int64_t since_ms;
};

struct gs_bus_consumer {
	struct gs_bus *bus;
	struct gs_bus_lane_state *lane;
	gs_bus_message_fn *fn;
	gs_bus_begin_fn *begin; /* may be NULL */
	void *ctx;
	pthread_t thread;
	struct gs_bus_session *session; /* of this attempt */
	struct gs_bus_sub *sub;
	uint64_t attempts; /* makes the names of deliver subjects unique */
	uint64_t delivered; /* consumer sequence of this attempt */
	uint64_t last; /* stream sequence delivered last, 0: none */
	int64_t last_ns; /* and the time of that message */
	int64_t created_ns; /* of the stream that last belongs to; 0: not known */
	bool anew; /* and the stream is another one since then */
	struct gs_bus_reason said;
	int64_t wait_ms;
};

/* One stream: what is published to it and who consumes it. */
struct gs_bus_lane_state {
	/* Constant once the bus counts it. */
	uint32_t number;
	char *stream_name;
	char *subjects;
	struct gs_bus_stream stream; /* its strings are the two above */
	gs_bus_ack_fn *on_ack;
	gs_bus_state_fn *on_state;
	void *ctx;

	/* Guarded by the bus's lock. */
	struct gs_flight flight;
	uint64_t epoch; /* one more for each time it became ready */
	uint64_t stream_epoch; /* one more for each time the stream was made */
	bool check_stream; /* someone found no stream */
	_Atomic bool ready; /* connected and the stream is there; set under the lock */

	/* The link thread's own. */
	struct gs_bus_reason stream_said;
	struct gs_bus_reason stream_warned;
	int64_t stream_next_ms;
	int64_t stream_wait_ms;

	struct gs_bus_consumer *consumer;
};

struct gs_bus {
	struct gs_lock lock;
	struct gs_cond cond; /* anything below changed */

	/* Constant after gs_bus_open. */
	char **urls;
	size_t nurls;
	char *name;
	char inbox[GS_BUS_INBOX]; /* prefix of all our inboxes, random */

	/* Guarded by lock. */
	struct gs_bus_lane_state lanes[GS_BUS_LANES];
	_Atomic size_t nlanes; /* those that are there; set under the lock */
	struct gs_bus_session *session;
	_Atomic size_t max_payload;
	int64_t last_ack_ms;
	bool connecting; /* the link thread is inside natsConnection_Connect, which nothing can interrupt */
	bool stopping; /* close everything now */
	bool link_done;
	bool abandoned; /* gs_bus_close did not wait: the link thread frees the bus */
	_Atomic bool closing; /* no more publishes or deliveries; set under the lock */

	/* The link thread's own. */
	pthread_t link;
	size_t next_url;
	struct gs_bus_reason *url_said; /* one for each URL */
	struct gs_bus_reason lost_said;
	bool muted; /* sessions break soon after they are made, for a reason that was said */
	int64_t wait_ms;
	uint64_t random;
	size_t kvs; /* watches of KV whose threads run; guarded by lock */
};

/* bus.c */

/** gs_bus_say(reason, text): Whether ${text} is new; it is remembered. */
bool gs_bus_say(struct gs_bus_reason *reason, const char *text);

/** gs_bus_why(status, out, n): Describe the failure of nats.c that this thread just saw; without quotes and control bytes. */
void gs_bus_why(natsStatus status, char *out, size_t n);

/** gs_bus_destroy(bus): Free what is left when no thread runs any more. */
void gs_bus_destroy(struct gs_bus *bus);

/* link.c */
void *gs_link_main(void *bus);

/** gs_link_wait_ready(bus, lane): A reference to the session when the stream is ready; NULL when the bus is closing. */
struct gs_bus_session *gs_link_wait_ready(struct gs_bus *bus, const struct gs_bus_lane_state *lane);

/** gs_link_session(bus): A reference to the session, however its streams are; NULL while there is none. */
struct gs_bus_session *gs_link_session(struct gs_bus *bus);
void gs_link_unref(struct gs_bus_session *session);

/** gs_link_subscribe(session, subject, ret_sub): What comes there is taken by natsSubscription_NextMsg. With the caller's reference to the session. */
natsStatus gs_link_subscribe(struct gs_bus_session *session, const char *subject, struct gs_bus_sub **ret_sub);
/** gs_link_unsubscribe(session, sub): Of the same session, with a reference to it. Blocks for one round trip, GS_BUS_REQUEST_MS at most. NULL is nothing. */
void gs_link_unsubscribe(struct gs_bus_session *session, struct gs_bus_sub *sub);

/* stream.c */

enum gs_stream_result { GS_STREAM_THERE, GS_STREAM_MADE, GS_STREAM_FAILED };

/** gs_stream_ensure(lane, js, reason, n): Make the stream, or compare it and warn; on the link thread. ${reason} says why it failed. */
enum gs_stream_result gs_stream_ensure(struct gs_bus_lane_state *lane, jsCtx *js, char *reason, size_t n);

/** gs_stream_add(js, wanted, ret_code): Make the stream, with limits retention, the old discarded; the code of a refusal, which may be NULL. */
natsStatus gs_stream_add(jsCtx *js, const struct gs_bus_stream *wanted, jsErrCode *ret_code);

/* shelf.c */

enum { GS_SHELF_HEAD = GS_SHELF_KEPT * 512 }; /* bytes of a head that we write */

/** gs_shelf_read_head(text, sequence, files): Read the lines of a head, which stands under ${sequence}, that can be true: at most GS_SHELF_KEPT; returns how many. Pure. */
size_t gs_shelf_read_head(struct gs_str text, uint64_t sequence, struct gs_shelf_file *files);

/** gs_shelf_write_head(files, n, out): Write a head of GS_SHELF_HEAD bytes at most; returns its length. Pure. */
size_t gs_shelf_write_head(const struct gs_shelf_file *files, size_t n, char *out);

/* consume.c */
void *gs_consume_main(void *consumer);

#endif
