/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "gravel/base/clock.h"
#include "gravel/base/num.h"
#include "gravel/log/log.h"
#include "private.h"

#define NS_PER_MS GS_BUS_NS_PER_MS

/*
 * An ephemeral push consumer without acks, made anew whenever anything is amiss: its own sequence (1, 2, 3, ...) proves that nothing was lost
 * on the way, heartbeats prove that it lives, and flow control keeps what waits here bounded. We answer a flow control request
 * when we come to it in the queue, that is after everything before it was delivered: a callback that blocks slows the server down.
 */

/* Why an attempt ended. */
enum end {
	END_NONE,
	END_SESSION, /* the connection is gone, or everything is closing */
	END_STREAM, /* look for the stream before the next attempt */
	END_CONSUMER, /* the consumer is no good any more */
};

static void say(struct gs_bus_consumer *c, const char *reason) {
	if (gs_bus_say(&c->said, reason))
		gs_log(GS_LOG_WARN, "consumer starts anew stream=\"%s\" last=%llu reason=\"%s\"", c->lane->stream_name,
		    (unsigned long long)c->last, reason);
}

static bool ended(struct gs_bus_consumer *c) {
	struct gs_bus *bus = c->bus;
	gs_lock_take(&bus->lock);
	bool gone = bus->closing || c->session->ended;
	gs_lock_release(&bus->lock);
	return gone;
}

/* Starting. */

/* Whether the stream still has our last message as we know it. A stream in memory, or one that lost its tail, can have come past
 * our position with other messages; a message that merely aged out cannot be compared. */
static bool same_history(struct gs_bus_consumer *c) {
	natsMsg *msg = NULL;
	natsStatus s = js_GetMsg(&msg, c->session->js, c->lane->stream_name, c->last, NULL, NULL);
	/* What a caller began with is known by the millisecond. */
	bool same = s != NATS_OK || natsMsg_GetTime(msg) / NS_PER_MS == c->last_ns / NS_PER_MS;
	natsMsg_Destroy(msg);
	return same;
}

/* Forget our position if the stream is not the one that it belongs to. */
static natsStatus check_position(struct gs_bus_consumer *c, struct gs_bus_begin *ret) {
	jsStreamInfo *info = NULL;
	natsStatus s = js_GetStreamInfo(&info, c->session->js, c->lane->stream_name, NULL, NULL);
	if (s != NATS_OK)
		return s;
	bool other = c->created_ns != 0 && info->Created != c->created_ns;
	bool anew = c->last != 0 && (other || info->State.LastSeq < c->last || !same_history(c));
	c->created_ns = info->Created;
	*ret = (struct gs_bus_begin){.first = info->State.FirstSeq, .last = info->State.LastSeq};
	jsStreamInfo_Destroy(info);
	if (anew) {
		gs_log(GS_LOG_WARN, "the stream was made anew; starting over stream=\"%s\" last=%llu",
		    c->lane->stream_name, (unsigned long long)c->last);
		c->last = 0;
	}
	c->anew |= anew;
	ret->anew = c->anew;
	return NATS_OK;
}

static natsStatus create(struct gs_bus_consumer *c, const char *deliver, uint64_t *ret_pending) {
	jsConsumerConfig config;
	jsConsumerInfo *info = NULL;
	natsStatus s = jsConsumerConfig_Init(&config);
	if (s != NATS_OK)
		return s;
	config.DeliverSubject = deliver;
	config.DeliverPolicy = c->last != 0            ? js_DeliverByStartSequence
			       : c->lane->stream.whole ? js_DeliverAll
						       : js_DeliverLastPerSubject;
	config.OptStartSeq = c->last != 0 ? c->last + 1 : 0;
	config.FilterSubject = c->lane->subjects;
	config.AckPolicy = js_AckNone;
	config.ReplayPolicy = js_ReplayInstant;
	config.FlowControl = true;
	config.Heartbeat = (int64_t)GS_BUS_HEARTBEAT_MS * NS_PER_MS;
	config.MemoryStorage = true;
	config.Replicas = 1;
	s = js_AddConsumer(&info, c->session->js, c->lane->stream_name, &config, NULL, NULL);
	/* What was sent already is not pending any more. */
	if (s == NATS_OK)
		*ret_pending = info->NumPending + info->Delivered.Consumer;
	jsConsumerInfo_Destroy(info);
	return s;
}

/* A deliver subject of its own for each attempt of each stream, so that what an older consumer still sends never mixes in. */
static natsStatus start(struct gs_bus_consumer *c, struct gs_bus_begin *begin) {
	char deliver[GS_BUS_INBOX + 32];
	snprintf(deliver, sizeof(deliver), "%s.msg.%u.%llu", c->bus->inbox, c->lane->number,
	    (unsigned long long)++c->attempts);
	c->delivered = 0;
	natsStatus s = check_position(c, begin);
	if (s == NATS_OK)
		s = gs_link_subscribe(c->session, deliver, &c->sub);
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(c->sub->nats, GS_BUS_SUB_MSGS, GS_BUS_SUB_BYTES);
	return s == NATS_OK ? create(c, deliver, &begin->pending) : s;
}

static void stop(struct gs_bus_consumer *c) {
	/* The server removes the consumer some seconds after it has lost its listener. */
	gs_link_unsubscribe(c->session, c->sub);
	c->sub = NULL;
}

/* Running. */

static struct gs_str header(natsMsg *msg, const char *name) {
	const char *value = NULL;
	return natsMsgHeader_Get(msg, name, &value) == NATS_OK ? gs_str_of(value) : (struct gs_str){0};
}

/* Heartbeat, flow control, or the end of the consumer. */
static enum end control(struct gs_bus_consumer *c, natsMsg *msg) {
	const char *reply = natsMsg_GetReply(msg);
	struct gs_str stalled = header(msg, "Nats-Consumer-Stalled");
	uint64_t sent;
	if (!gs_str_eq(header(msg, "Status"), GS_STR("100"))) {
		say(c, "the server ended it");
		return END_CONSUMER;
	}
	if (gs_num_parse_u64(header(msg, "Nats-Last-Consumer"), &sent) == GS_OK && sent != c->delivered) {
		say(c, "messages were lost on the way");
		return END_CONSUMER;
	}
	if (reply == NULL || reply[0] == '\0')
		reply = stalled.p;
	if (reply != NULL)
		natsConnection_Publish(c->session->nc, reply, NULL, 0);
	else if (c->begin != NULL)
		c->begin(c->ctx, &(struct gs_bus_begin){0});
	return END_NONE;
}

/* Messages that should come next are not there: somebody deleted them, or they left by age before they were sent. */
static bool tell_gap(struct gs_bus_consumer *c, const struct gs_reply_meta *meta) {
	jsStreamInfo *info = NULL;
	natsStatus s = js_GetStreamInfo(&info, c->session->js, c->lane->stream_name, NULL, NULL);
	if (s != NATS_OK)
		return false;
	struct gs_bus_begin begin = {.first = info->State.FirstSeq,
	    .last = info->State.LastSeq,
	    .pending = meta->pending + 1}; /* of a stream with gaps the server says too few */
	jsStreamInfo_Destroy(info);
	c->begin(c->ctx, &begin);
	return true;
}

static void deliver(struct gs_bus_consumer *c, natsMsg *msg, const struct gs_reply_meta *meta) {
	struct gs_bus_message message = {
	    .subject = gs_str_of(natsMsg_GetSubject(msg)),
	    .header = header(msg, GS_BUS_HEADER),
	    .data = gs_str_make(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)),
	    .sequence = meta->stream_seq,
	    .time_ms = meta->time_ns / NS_PER_MS,
	    .pending = meta->pending,
	};
	c->last = meta->stream_seq;
	c->last_ns = meta->time_ns;
	c->fn(c->ctx, &message);
}

static enum end handle(struct gs_bus_consumer *c, natsMsg *msg) {
	struct gs_reply_meta meta;
	if (gs_reply_meta(gs_str_of(natsMsg_GetReply(msg)), &meta) != GS_OK)
		return control(c, msg);
	if (meta.consumer_seq != c->delivered + 1) {
		say(c, "messages were lost on the way");
		return END_CONSUMER;
	}
	c->delivered++;
	if (c->begin != NULL && c->last != 0 && meta.stream_seq > c->last + 1 && !tell_gap(c, &meta)) {
		say(c, "no word of messages that are missing");
		return END_CONSUMER;
	}
	if (meta.stream_seq > c->last)
		deliver(c, msg, &meta);
	return END_NONE;
}

/* Nothing came for a tick. The stream that was made anew under us would leave us waiting for ever. */
static enum end idle(struct gs_bus_consumer *c, int64_t idle_ms, uint64_t stream_epoch) {
	struct gs_bus *bus = c->bus;
	gs_lock_take(&bus->lock);
	bool remade = c->lane->stream_epoch != stream_epoch;
	gs_lock_release(&bus->lock);
	if (remade)
		return END_CONSUMER;
	if (idle_ms < 3 * GS_BUS_HEARTBEAT_MS)
		return END_NONE;
	say(c, "no heartbeat");
	return END_STREAM;
}

static enum end run(struct gs_bus_consumer *c, uint64_t stream_epoch) {
	enum end end = END_NONE;
	for (int64_t idle_ms = 0; end == END_NONE;) {
		natsMsg *msg = NULL;
		natsStatus s = natsSubscription_NextMsg(&msg, c->sub->nats, GS_BUS_TICK_MS);
		if (ended(c)) {
			end = END_SESSION;
		} else if (s == NATS_OK) {
			idle_ms = 0;
			end = handle(c, msg);
		} else if (s == NATS_TIMEOUT) {
			/* Only waiting counts: a callback may block for as long as it likes. */
			idle_ms += GS_BUS_TICK_MS;
			end = idle(c, idle_ms, stream_epoch);
		} else if (s == NATS_SLOW_CONSUMER) {
			say(c, "the queue overflowed");
			end = END_CONSUMER;
		} else {
			end = END_SESSION;
		}
		natsMsg_Destroy(msg);
	}
	return end;
}

/* Whether a look at the stream may help; everything else is only tried again. */
static bool stream_missing(natsStatus s) {
	return s == NATS_NOT_FOUND || s == NATS_NO_RESPONDERS || s == NATS_TIMEOUT;
}

static enum end begin_and_run(struct gs_bus_consumer *c) {
	struct gs_bus *bus = c->bus;
	char reason[GS_BUS_REASON];
	gs_lock_take(&bus->lock);
	uint64_t stream_epoch = c->lane->stream_epoch;
	gs_lock_release(&bus->lock);
	struct gs_bus_begin begin = {0};
	natsStatus s = start(c, &begin);
	if (s == NATS_OK && c->begin != NULL)
		c->begin(c->ctx, &begin);
	if (s == NATS_OK) {
		c->anew = false;
		return run(c, stream_epoch);
	}
	gs_bus_why(s, reason, sizeof(reason));
	if (ended(c))
		return END_SESSION;
	say(c, reason);
	return stream_missing(s) ? END_STREAM : END_CONSUMER;
}

static void rest(struct gs_bus_consumer *c, bool check_stream) {
	struct gs_bus *bus = c->bus;
	int64_t until = gs_clock_mono_ms() + c->wait_ms;
	c->wait_ms = c->wait_ms * 2 < GS_BUS_BACKOFF_MAX_MS ? c->wait_ms * 2 : GS_BUS_BACKOFF_MAX_MS;
	gs_lock_take(&bus->lock);
	c->lane->check_stream |= check_stream;
	gs_cond_broadcast(&bus->cond);
	for (int64_t now; !bus->closing && (now = gs_clock_mono_ms()) < until;)
		gs_cond_wait(&bus->cond, &bus->lock, until - now);
	gs_lock_release(&bus->lock);
}

/* An attempt that lasted, or ended with the connection, was no failure: the next one starts without delay. */
static void attempt(struct gs_bus_consumer *c) {
	int64_t since = gs_clock_mono_ms();
	enum end end = begin_and_run(c);
	stop(c);
	bool lived = gs_clock_mono_ms() - since >= GS_BUS_LIVED_MS;
	if (lived)
		gs_bus_say(&c->said, "");
	if (lived || end == END_SESSION)
		c->wait_ms = GS_BUS_BACKOFF_MIN_MS;
	if (end != END_SESSION)
		rest(c, end == END_STREAM);
}

void *gs_consume_main(void *arg) {
	struct gs_bus_consumer *c = arg;
	pthread_setname_np(pthread_self(), "consumer");
	c->wait_ms = GS_BUS_BACKOFF_MIN_MS;
	while ((c->session = gs_link_wait_ready(c->bus, c->lane)) != NULL) {
		attempt(c);
		gs_link_unref(c->session);
		c->session = NULL;
	}
	nats_ReleaseThreadMemory();
	return NULL;
}
