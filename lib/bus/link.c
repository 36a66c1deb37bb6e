/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "private.h"

static uint64_t random_below(struct gs_bus *bus, uint64_t n) {
	bus->random ^= bus->random << 13;
	bus->random ^= bus->random >> 7;
	bus->random ^= bus->random << 17;
	return bus->random % n;
}

/* The next delay: doubled up to the maximum, and half of it drawn by lot, so that a thousand pollers do not come back as one. */
static int64_t backoff(struct gs_bus *bus, int64_t *wait_ms) {
	int64_t wait = *wait_ms;
	*wait_ms = wait * 2 < GS_BUS_BACKOFF_MAX_MS ? wait * 2 : GS_BUS_BACKOFF_MAX_MS;
	return wait / 2 + (int64_t)random_below(bus, (uint64_t)(wait / 2 + 1));
}

/* Publishes and their ends. */

/* Give up a slot in state QUEUED or SENT, or end one that was acknowledged. Releases the lock for the callback. */
static void settle_locked(
    struct gs_bus *bus, struct gs_bus_lane_state *lane, uint32_t i, enum gs_status status, const char *reason) {
	struct gs_flight_slot *slot = &lane->flight.slots[i];
	uint64_t token = slot->token;
	natsMsg *msg = slot->msg;
	slot->msg = NULL;
	gs_flight_move(&lane->flight, i, GS_FLIGHT_FREE);
	if (bus->closing || lane->flight.lists[GS_FLIGHT_QUEUED].head != GS_FLIGHT_NONE)
		gs_cond_broadcast(&bus->cond);
	gs_lock_release(&bus->lock);
	natsMsg_Destroy(msg);
	lane->on_ack(lane->ctx, token, status, reason);
	gs_lock_take(&bus->lock);
}

static void settle_all_locked(struct gs_bus *bus, struct gs_bus_lane_state *lane, enum gs_flight_state state,
    enum gs_status status, const char *reason) {
	while (lane->flight.lists[state].head != GS_FLIGHT_NONE)
		settle_locked(bus, lane, lane->flight.lists[state].head, status, reason);
}

/* An answer to a publish; on the thread of nats.c that belongs to the ack subscription. */
static void on_reply(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure) {
	(void)nc;
	(void)sub;
	struct gs_bus_session *session = closure;
	struct gs_bus *bus = session->bus;
	uint64_t slot, serial;
	char reason[GS_BUS_REASON] = "";
	enum gs_status status = GS_EAGAIN;
	bool no_stream = natsMsg_IsNoResponders(msg);
	if (no_stream)
		snprintf(reason, sizeof(reason), "no stream takes this subject");
	else
		status = gs_reply_ack(
		    gs_str_make(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)), reason, sizeof(reason));
	if (gs_reply_token(gs_str_of(natsMsg_GetSubject(msg)), &slot, &serial) == GS_OK) {
		struct gs_bus_lane_state *lane = &bus->lanes[slot % GS_BUS_LANES];
		slot /= GS_BUS_LANES;
		gs_lock_take(&bus->lock);
		bus->last_ack_ms = gs_clock_mono_ms();
		if (no_stream) {
			lane->check_stream = true;
			gs_cond_broadcast(&bus->cond);
		}
		if (gs_flight_find(&lane->flight, slot, serial))
			settle_locked(bus, lane, (uint32_t)slot, status, reason);
		gs_lock_release(&bus->lock);
	}
	natsMsg_Destroy(msg);
}

/* The ack subscription is complete: the connection is closed, and on_reply will not run again. */
static void on_replies_end(void *closure) {
	struct gs_bus_session *session = closure;
	struct gs_bus *bus = session->bus;
	gs_lock_take(&bus->lock);
	session->ended = true;
	gs_cond_broadcast(&bus->cond);
	gs_lock_release(&bus->lock);
}

static void send_locked(struct gs_bus *bus, struct gs_bus_lane_state *lane, struct gs_bus_session *session) {
	uint32_t i = lane->flight.lists[GS_FLIGHT_QUEUED].head;
	struct gs_flight_slot *slot = &lane->flight.slots[i];
	uint64_t serial = slot->serial;
	natsMsg *msg = slot->msg;
	slot->msg = NULL;
	slot->sent_ms = gs_clock_mono_ms();
	gs_flight_move(&lane->flight, i, GS_FLIGHT_SENT); /* now: the ack may come before the write returns */
	gs_lock_release(&bus->lock);
	natsStatus s = natsConnection_PublishMsg(session->nc, msg);
	natsMsg_Destroy(msg);
	char reason[GS_BUS_REASON];
	if (s != NATS_OK)
		gs_bus_why(s, reason, sizeof(reason));
	/* What was written in part has spoilt the connection. */
	if (s != NATS_OK && s != NATS_MAX_PAYLOAD && s != NATS_NO_MEMORY)
		natsConnection_Close(session->nc);
	gs_lock_take(&bus->lock);
	if (!gs_flight_find(&lane->flight, i, serial))
		return;
	if (s != NATS_OK)
		settle_locked(bus, lane, i, GS_EIO, reason);
	else
		slot->sent_ms = gs_clock_mono_ms(); /* from here the server has time to answer */
}

static bool may_send_locked(const struct gs_bus_lane_state *lane) {
	uint32_t i = lane->flight.lists[GS_FLIGHT_QUEUED].head;
	const struct gs_flight_list *sent = &lane->flight.lists[GS_FLIGHT_SENT];
	if (!lane->ready || i == GS_FLIGHT_NONE)
		return false;
	return sent->head == GS_FLIGHT_NONE || sent->bytes + lane->flight.slots[i].bytes <= GS_BUS_WINDOW;
}

/* Fail what waits too long for its ack. The list is in the order of sending, so the head tells. */
static void sweep_locked(struct gs_bus *bus, struct gs_bus_lane_state *lane) {
	int64_t now = gs_clock_mono_ms();
	for (;;) {
		uint32_t i = lane->flight.lists[GS_FLIGHT_SENT].head;
		if (i == GS_FLIGHT_NONE)
			return;
		int64_t sent = lane->flight.slots[i].sent_ms;
		int64_t since = sent > bus->last_ack_ms ? sent : bus->last_ack_ms;
		if (now - since < GS_BUS_ACK_STALL_MS && now - sent < GS_BUS_ACK_MAX_MS)
			return;
		settle_locked(bus, lane, i, GS_EIO, "not acknowledged in time");
	}
}

/* Sessions. */

static void sub_free(struct gs_bus_sub *sub) {
	natsSubscription_Destroy(sub->nats);
	gs_free(sub);
}

natsStatus gs_link_subscribe(struct gs_bus_session *session, const char *subject, struct gs_bus_sub **ret_sub) {
	struct gs_bus_sub *sub = gs_alloc(sizeof(*sub));
	if (sub == NULL)
		return NATS_NO_MEMORY;
	natsStatus s = natsConnection_SubscribeSync(&sub->nats, session->nc, subject);
	if (s == NATS_OK)
		*ret_sub = sub;
	else
		gs_free(sub);
	return s;
}

/* nats.c before 3.6 keeps no reference to the subscription whose message its reading thread has in hand. With the answer to a ping it has come past that; else it has when the
 * connection is closed, and whoever closes it has a reference to the session until then. */
void gs_link_unsubscribe(struct gs_bus_session *session, struct gs_bus_sub *sub) {
	struct gs_bus *bus = session->bus;
	if (sub == NULL)
		return;
	natsSubscription_Unsubscribe(sub->nats);
	if (natsConnection_FlushTimeout(session->nc, GS_BUS_REQUEST_MS) == NATS_OK) {
		sub_free(sub);
		return;
	}
	gs_lock_take(&bus->lock);
	sub->next = session->given_up;
	session->given_up = sub;
	gs_lock_release(&bus->lock);
}

void gs_link_unref(struct gs_bus_session *session) {
	struct gs_bus *bus = session->bus;
	gs_lock_take(&bus->lock);
	bool last = --session->refs == 0;
	gs_lock_release(&bus->lock);
	if (!last)
		return;
	while (session->given_up != NULL) {
		struct gs_bus_sub *next = session->given_up->next;
		sub_free(session->given_up);
		session->given_up = next;
	}
	natsSubscription_Destroy(session->acks);
	jsCtx_Destroy(session->js);
	natsConnection_Destroy(session->nc);
	gs_free(session);
}

struct gs_bus_session *gs_link_wait_ready(struct gs_bus *bus, const struct gs_bus_lane_state *lane) {
	gs_lock_take(&bus->lock);
	/* A session that ends takes the streams one after the other: one may be ready when it is gone already. */
	while (!bus->closing && (!lane->ready || bus->session == NULL || bus->session->ended))
		gs_cond_wait(&bus->cond, &bus->lock, -1);
	struct gs_bus_session *session = bus->closing ? NULL : bus->session;
	if (session != NULL)
		session->refs++;
	gs_lock_release(&bus->lock);
	return session;
}

struct gs_bus_session *gs_link_session(struct gs_bus *bus) {
	gs_lock_take(&bus->lock);
	struct gs_bus_session *session = bus->session != NULL && !bus->session->ended ? bus->session : NULL;
	if (session != NULL)
		session->refs++;
	gs_lock_release(&bus->lock);
	return session;
}

/* nats.c's default handler prints to stderr; what it reports reaches us by other ways. */
static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus err, void *closure) {
	(void)nc;
	(void)sub;
	(void)err;
	(void)closure;
}

static natsStatus set_options(natsOptions *o, const struct gs_bus *bus, const char *url) {
	natsStatus s = natsOptions_SetURL(o, url);
	if (s == NATS_OK)
		s = natsOptions_SetName(o, bus->name);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, GS_BUS_CONNECT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	if (s == NATS_OK)
		s = natsOptions_SetIgnoreDiscoveredServers(o, true);
	if (s == NATS_OK)
		s = natsOptions_SetSendAsap(o, true);
	if (s == NATS_OK)
		s = natsOptions_SetWriteDeadline(o, GS_BUS_WRITE_MS);
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(o, GS_BUS_PING_MS);
	if (s == NATS_OK)
		s = natsOptions_SetMaxPingsOut(o, 2);
	if (s == NATS_OK)
		s = natsOptions_SetErrorHandler(o, on_error, NULL);
	/* nats.c draws its inbox names from rand() seeded by the time: two programs started at once would share them. */
	return s == NATS_OK ? natsOptions_SetCustomInboxPrefix(o, bus->inbox) : s;
}

static natsStatus dial(struct gs_bus *bus, const char *url, natsConnection **nc) {
	natsOptions *options = NULL;
	natsStatus s = natsOptions_Create(&options);
	if (s == NATS_OK)
		s = set_options(options, bus, url);
	if (s == NATS_OK)
		s = natsConnection_Connect(nc, options);
	natsOptions_Destroy(options);
	return s;
}

static natsStatus furnish(struct gs_bus *bus, struct gs_bus_session *session) {
	char subject[GS_BUS_INBOX + 8];
	jsOptions js;
	natsStatus s = jsOptions_Init(&js);
	js.Wait = GS_BUS_REQUEST_MS;
	if (s == NATS_OK)
		s = natsConnection_JetStream(&session->js, session->nc, &js);
	snprintf(subject, sizeof(subject), "%s.ack.*", bus->inbox);
	if (s == NATS_OK)
		s = natsConnection_Subscribe(&session->acks, session->nc, subject, on_reply, session);
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(session->acks, -1, -1); /* what is in flight bounds it */
	return s == NATS_OK ? natsSubscription_SetOnCompleteCB(session->acks, on_replies_end, session) : s;
}

/* One attempt at one URL. NULL, with the reason, when it failed. */
static struct gs_bus_session *session_open(struct gs_bus *bus, const char *url, char *reason, size_t n) {
	snprintf(reason, n, "out of memory");
	struct gs_bus_session *session = gs_alloc(sizeof(*session));
	if (session == NULL)
		return NULL;
	session->bus = bus;
	session->refs = 1;
	natsStatus s = dial(bus, url, &session->nc);
	if (s == NATS_OK)
		s = furnish(bus, session);
	session->since_ms = gs_clock_mono_ms();
	if (s == NATS_OK)
		return session;
	gs_bus_why(s, reason, n);
	/* Without its completion handler nothing was published on it, so on_reply cannot run. */
	natsConnection_Close(session->nc);
	gs_link_unref(session);
	return NULL;
}

static void set_ready_locked(struct gs_bus *bus, struct gs_bus_lane_state *lane, bool ready) {
	if (lane->ready == ready)
		return;
	lane->ready = ready;
	lane->epoch += ready;
	gs_cond_broadcast(&bus->cond);
	if (!ready)
		settle_all_locked(
		    bus, lane, GS_FLIGHT_QUEUED, GS_EAGAIN, "the connection or the stream was lost before it was sent");
	gs_lock_release(&bus->lock);
	if (lane->on_state != NULL)
		lane->on_state(lane->ctx, ready);
	gs_lock_take(&bus->lock);
}

/* Look for the stream, make it, become ready. Not more often than the backoff allows, whoever asks. */
static void tend_stream_locked(struct gs_bus *bus, struct gs_bus_lane_state *lane, struct gs_bus_session *session) {
	char reason[GS_BUS_REASON];
	lane->check_stream = false;
	gs_lock_release(&bus->lock);
	enum gs_stream_result result = gs_stream_ensure(lane, session->js, reason, sizeof(reason));
	int64_t now = gs_clock_mono_ms();
	if (now - lane->stream_next_ms > GS_BUS_LIVED_MS)
		lane->stream_wait_ms = GS_BUS_BACKOFF_MIN_MS;
	lane->stream_next_ms = now + backoff(bus, &lane->stream_wait_ms);
	bool closed = natsConnection_IsClosed(session->nc);
	if (result == GS_STREAM_FAILED && !closed && gs_bus_say(&lane->stream_said, reason))
		gs_log(GS_LOG_WARN, "no stream; trying on stream=\"%s\" reason=\"%s\"", lane->stream_name, reason);
	if (result == GS_STREAM_THERE && lane->stream_said.text[0] != '\0')
		gs_log(GS_LOG_INFO, "the stream is there stream=\"%s\"", lane->stream_name);
	if (result != GS_STREAM_FAILED)
		gs_bus_say(&lane->stream_said, "");
	gs_lock_take(&bus->lock);
	lane->stream_epoch += result == GS_STREAM_MADE;
	if (result != GS_STREAM_FAILED && !session->ended)
		set_ready_locked(bus, lane, true);
}

/* What a session has to do now and then. */
static void tick_locked(struct gs_bus *bus, struct gs_bus_session *session, int64_t now) {
	for (size_t l = 0; l < bus->nlanes; l++)
		sweep_locked(bus, &bus->lanes[l]);
	gs_lock_release(&bus->lock);
	int64_t max_payload = natsConnection_GetMaxPayload(session->nc);
	if (bus->muted && now - session->since_ms >= GS_BUS_LIVED_MS) {
		bus->muted = false;
		gs_log(GS_LOG_INFO, "connected to NATS for good");
	}
	gs_lock_take(&bus->lock);
	bus->max_payload = (size_t)max_payload;
}

/* Do the next thing that a stream has to do, if there is one. */
static bool turn_locked(
    struct gs_bus *bus, struct gs_bus_lane_state *lane, struct gs_bus_session *session, int64_t now) {
	if (lane->check_stream)
		set_ready_locked(bus, lane, false);
	if (!lane->ready && !bus->closing && now >= lane->stream_next_ms)
		tend_stream_locked(bus, lane, session);
	else if (may_send_locked(lane))
		send_locked(bus, lane, session);
	else
		return false;
	return true;
}

static void session_run(struct gs_bus *bus, struct gs_bus_session *session) {
	int64_t tick = 0;
	gs_lock_take(&bus->lock);
	while (!bus->stopping && !session->ended) {
		int64_t now = gs_clock_mono_ms();
		bool busy = false;
		if (now >= tick) {
			tick = now + GS_BUS_TICK_MS;
			tick_locked(bus, session, now);
		}
		/* In turns, so that no stream waits behind all that another has to send. */
		for (size_t l = 0; l < bus->nlanes && !bus->stopping && !session->ended; l++)
			busy |= turn_locked(bus, &bus->lanes[l], session, now);
		if (!busy && !bus->stopping && !session->ended)
			gs_cond_wait(&bus->cond, &bus->lock, tick > now ? tick - now : 1);
	}
	gs_lock_release(&bus->lock);
}

static void session_begin(struct gs_bus *bus, struct gs_bus_session *session) {
	gs_metric_add(GS_M_BUS_CONNECTS, 1);
	gs_metric_set(GS_M_BUS_CONNECTED, 1);
	int64_t max_payload = natsConnection_GetMaxPayload(session->nc);
	gs_lock_take(&bus->lock);
	bus->session = session;
	bus->max_payload = (size_t)max_payload;
	for (size_t l = 0; l < GS_BUS_LANES; l++) {
		bus->lanes[l].check_stream = false;
		bus->lanes[l].stream_next_ms = 0;
		bus->lanes[l].stream_wait_ms = GS_BUS_BACKOFF_MIN_MS;
	}
	gs_lock_release(&bus->lock);
}

static void session_shut(struct gs_bus *bus, struct gs_bus_session *session) {
	natsConnection_Close(session->nc);
	gs_lock_take(&bus->lock);
	while (!session->ended)
		gs_cond_wait(&bus->cond, &bus->lock, -1);
	gs_lock_release(&bus->lock);
}

/* Close it and settle all that was in flight on it: acks of a lost connection never come back. */
static void session_end(struct gs_bus *bus, struct gs_bus_session *session) {
	gs_lock_take(&bus->lock);
	bus->session = NULL;
	const char *why =
	    bus->stopping ? "not acknowledged before the close" : "the connection was lost before the ack";
	for (size_t l = 0; l < bus->nlanes; l++)
		set_ready_locked(bus, &bus->lanes[l], false);
	gs_lock_release(&bus->lock);
	session_shut(bus, session);
	gs_lock_take(&bus->lock);
	for (size_t l = 0; l < bus->nlanes; l++)
		settle_all_locked(bus, &bus->lanes[l], GS_FLIGHT_SENT, GS_EIO, why);
	gs_cond_broadcast(&bus->cond);
	gs_lock_release(&bus->lock);
	gs_metric_set(GS_M_BUS_CONNECTED, 0);
}

/* The link thread. */

static void say_failed(struct gs_bus *bus, size_t url, const char *shown, char *reason) {
	gs_url_scrub(reason, gs_str_of(bus->urls[url]));
	if (gs_bus_say(&bus->url_said[url], reason))
		gs_log(GS_LOG_WARN, "not connected to NATS; trying on url=\"%s\" reason=\"%s\"", shown, reason);
}

static void say_lost(struct gs_bus *bus, struct gs_bus_session *session, size_t url, const char *shown, bool lived) {
	const char *text = NULL;
	char reason[GS_BUS_REASON];
	natsStatus s = natsConnection_GetLastError(session->nc, &text);
	snprintf(reason, sizeof(reason), "%s", text != NULL && text[0] != '\0' ? text : natsStatus_GetText(s));
	if (s == NATS_OK)
		snprintf(reason, sizeof(reason), "the server closed it");
	gs_url_scrub(reason, gs_str_of(bus->urls[url]));
	if (lived)
		gs_bus_say(&bus->lost_said, "");
	/* A server that throws us out again and again is said once, not at each turn. */
	bus->muted = !gs_bus_say(&bus->lost_said, reason);
	if (!bus->muted)
		gs_log(GS_LOG_WARN, "lost the connection to NATS url=\"%s\" reason=\"%s\"", shown, reason);
}

/* One connection from its first byte to its last; true if it lasted. */
static bool session_live(struct gs_bus *bus, struct gs_bus_session *session, size_t url, const char *shown) {
	if (!bus->muted)
		gs_log(GS_LOG_INFO, "connected to NATS url=\"%s\"", shown);
	session_begin(bus, session);
	session_run(bus, session);
	session_end(bus, session);
	bool lived = gs_clock_mono_ms() - session->since_ms >= GS_BUS_LIVED_MS;
	for (size_t i = 0; lived && i < bus->nurls; i++)
		gs_bus_say(&bus->url_said[i], "");
	if (!bus->closing)
		say_lost(bus, session, url, shown, lived);
	return lived;
}

static bool attempt(struct gs_bus *bus, size_t url) {
	char reason[GS_BUS_REASON], shown[GS_BUS_REASON];
	bool lived = false;
	gs_url_redact(gs_str_of(bus->urls[url]), shown, sizeof(shown));
	struct gs_bus_session *session = session_open(bus, bus->urls[url], reason, sizeof(reason));
	gs_lock_take(&bus->lock);
	bool closing = bus->closing;
	/* While closing nobody may wait for us, so nothing is called back from here on. */
	bus->connecting = closing;
	gs_lock_release(&bus->lock);
	if (session != NULL && closing)
		session_shut(bus, session);
	else if (session != NULL)
		lived = session_live(bus, session, url, shown);
	else if (!closing)
		say_failed(bus, url, shown, reason);
	if (session != NULL)
		gs_link_unref(session);
	return lived;
}

static void rest(struct gs_bus *bus, int64_t ms) {
	int64_t until = gs_clock_mono_ms() + ms;
	gs_lock_take(&bus->lock);
	for (int64_t now; !bus->closing && (now = gs_clock_mono_ms()) < until;)
		gs_cond_wait(&bus->cond, &bus->lock, until - now);
	gs_lock_release(&bus->lock);
}

static bool begin_attempt(struct gs_bus *bus) {
	gs_lock_take(&bus->lock);
	bus->connecting = !bus->closing;
	bool go = bus->connecting;
	gs_lock_release(&bus->lock);
	return go;
}

void *gs_link_main(void *arg) {
	struct gs_bus *bus = arg;
	pthread_setname_np(pthread_self(), "bus");
	bus->next_url = random_below(bus, bus->nurls);
	for (size_t tried = 1; begin_attempt(bus); tried++) {
		bool lived = attempt(bus, bus->next_url);
		bus->next_url = (bus->next_url + 1) % bus->nurls;
		if (lived)
			bus->wait_ms = GS_BUS_BACKOFF_MIN_MS;
		if (lived || tried % bus->nurls == 0)
			rest(bus, backoff(bus, &bus->wait_ms));
	}
	nats_ReleaseThreadMemory();
	gs_lock_take(&bus->lock);
	bus->link_done = true;
	bool abandoned = bus->abandoned;
	gs_cond_broadcast(&bus->cond);
	gs_lock_release(&bus->lock);
	if (abandoned)
		gs_bus_destroy(bus);
	return NULL;
}
