/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/random.h>

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "private.h"

#define DEFAULT_PENDING 4096
#define DEFAULT_PENDING_BYTES (32 * 1024 * 1024)
#define DEFAULT_PAYLOAD (1024 * 1024)

bool gs_bus_say(struct gs_bus_reason *reason, const char *text) {
	char cut[GS_BUS_REASON];
	snprintf(cut, sizeof(cut), "%s", text);
	if (strcmp(reason->text, cut) == 0)
		return false;
	memcpy(reason->text, cut, sizeof(cut));
	return true;
}

/* nats.c begins with "(file.c:line): ", which tells our reader nothing. */
static const char *without_place(const char *text) {
	const char *end = text[0] == '(' ? strstr(text, "): ") : NULL;
	return end != NULL ? end + 3 : text;
}

void gs_bus_why(natsStatus status, char *out, size_t n) {
	natsStatus last = NATS_OK;
	const char *text = nats_GetLastError(&last);
	if (last != status || text == NULL || text[0] == '\0')
		text = natsStatus_GetText(status);
	if (status == NATS_NO_SERVER)
		text = "no NATS server answers there";
	snprintf(out, n, "%s", without_place(text));
	for (char *p = out; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '"')
			*p = '\'';
	}
}

/* Opening and closing. */

static enum gs_status check_stream(const struct gs_bus_options *o, struct gs_error *err) {
	if (o->stream.name == NULL || o->stream.name[0] == '\0' || strpbrk(o->stream.name, " .*>/\\\t\r\n") != NULL)
		return gs_error_set(err, GS_EINVAL, 0, 0, "the name of a stream has no spaces and none of .*>/\\");
	if (o->stream.subjects == NULL || o->stream.subjects[0] == '\0' ||
	    strpbrk(o->stream.subjects, " \t\r\n") != NULL)
		return gs_error_set(err, GS_EINVAL, 0, 0, "the subjects of a stream are one subject without spaces");
	return GS_OK;
}

static enum gs_status check_options(const struct gs_bus_options *o, struct gs_error *err) {
	if (o->nurls == 0)
		return gs_error_set(err, GS_EINVAL, 0, 0, "no NATS URL is given");
	for (size_t i = 0; i < o->nurls; i++) {
		enum gs_status status = gs_url_check(gs_str_of(o->urls[i]), err);
		if (status != GS_OK)
			return status;
	}
	return check_stream(o, err);
}

static bool copy_strings(struct gs_bus *bus, const struct gs_bus_options *o) {
	bus->urls = gs_alloc_array(o->nurls, sizeof(*bus->urls));
	bus->url_said = gs_alloc_array(o->nurls, sizeof(*bus->url_said));
	bus->name = gs_strdup(gs_str_of(o->name));
	bool ok = bus->urls != NULL && bus->url_said != NULL && bus->name != NULL;
	for (; ok && bus->nurls < o->nurls; bus->nurls += ok) {
		bus->urls[bus->nurls] = gs_strdup(gs_str_of(o->urls[bus->nurls]));
		ok = bus->urls[bus->nurls] != NULL;
	}
	return ok;
}

/* Also when it fails, lane_free takes it back. */
static enum gs_status lane_init(struct gs_bus_lane_state *lane, uint32_t number, const struct gs_bus_options *o) {
	lane->number = number;
	lane->stream_name = gs_strdup(gs_str_of(o->stream.name));
	lane->subjects = gs_strdup(gs_str_of(o->stream.subjects));
	lane->stream = o->stream;
	lane->stream.name = lane->stream_name;
	lane->stream.subjects = lane->subjects;
	lane->on_ack = o->on_ack;
	lane->on_state = o->on_state;
	lane->ctx = o->ctx;
	if (lane->stream_name == NULL || lane->subjects == NULL)
		return GS_ENOMEM;
	/* What only consumes has no publishes in flight. */
	size_t max = o->on_ack == NULL ? 1 : o->max_pending != 0 ? o->max_pending : DEFAULT_PENDING;
	return gs_flight_init(
	    &lane->flight, max, o->max_pending_bytes != 0 ? o->max_pending_bytes : DEFAULT_PENDING_BYTES);
}

static void lane_free(struct gs_bus_lane_state *lane) {
	gs_free(lane->stream_name);
	gs_free(lane->subjects);
	gs_free(lane->consumer);
	gs_flight_free(&lane->flight);
	*lane = (struct gs_bus_lane_state){0};
}

static enum gs_status draw_random(struct gs_bus *bus) {
	uint64_t r[3];
	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return GS_EIO;
	snprintf(bus->inbox, sizeof(bus->inbox), "_INBOX.gs%016llx%016llx", (unsigned long long)r[0],
	    (unsigned long long)r[1]);
	bus->random = r[2] | 1;
	return GS_OK;
}

static enum gs_status init(struct gs_bus *bus, const struct gs_bus_options *o) {
	enum gs_status status = draw_random(bus);
	if (status != GS_OK)
		return status;
	if (!copy_strings(bus, o))
		return GS_ENOMEM;
	bus->max_payload = DEFAULT_PAYLOAD;
	bus->wait_ms = GS_BUS_BACKOFF_MIN_MS;
	bus->nlanes = 1;
	return lane_init(&bus->lanes[GS_BUS_FIRST], GS_BUS_FIRST, o);
}

void gs_bus_destroy(struct gs_bus *bus) {
	for (size_t i = 0; i < bus->nurls; i++)
		gs_free(bus->urls[i]);
	gs_free(bus->urls);
	gs_free(bus->url_said);
	gs_free(bus->name);
	for (size_t l = 0; l < GS_BUS_LANES; l++)
		lane_free(&bus->lanes[l]);
	gs_cond_destroy(&bus->cond);
	gs_lock_destroy(&bus->lock);
	gs_free(bus);
}

static struct gs_bus *bus_new(void) {
	struct gs_bus *bus = gs_alloc(sizeof(*bus));
	if (bus == NULL)
		return NULL;
	if (gs_lock_init(&bus->lock, GS_RANK_BUS) != GS_OK) {
		gs_free(bus);
		return NULL;
	}
	if (gs_cond_init(&bus->cond) != GS_OK) {
		gs_lock_destroy(&bus->lock);
		gs_free(bus);
		return NULL;
	}
	return bus;
}

enum gs_status gs_bus_open(const struct gs_bus_options *options, struct gs_bus **ret_bus, struct gs_error *err) {
	enum gs_status status = check_options(options, err);
	if (status != GS_OK)
		return status;
	struct gs_bus *bus = bus_new();
	if (bus == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	status = init(bus, options);
	if (status == GS_OK && pthread_create(&bus->link, NULL, gs_link_main, bus) != 0)
		status = GS_ENOMEM;
	if (status != GS_OK) {
		gs_bus_destroy(bus);
		return gs_error_set(err, status, 0, 0, "the bus cannot start: %s", gs_status_name(status));
	}
	*ret_bus = bus;
	return GS_OK;
}

enum gs_status gs_bus_add_stream(struct gs_bus *bus, const struct gs_bus_options *options, struct gs_error *err) {
	struct gs_bus_lane_state *lane = &bus->lanes[GS_BUS_SECOND];
	if (bus->nlanes != 1)
		return gs_error_set(err, GS_EINVAL, 0, 0, "the bus has two streams already");
	enum gs_status status = check_stream(options, err);
	if (status != GS_OK)
		return status;
	status = lane_init(lane, GS_BUS_SECOND, options);
	if (status != GS_OK) {
		lane_free(lane);
		return gs_error_set(err, status, 0, 0, "out of memory");
	}
	gs_lock_take(&bus->lock);
	bus->nlanes = GS_BUS_LANES;
	gs_cond_broadcast(&bus->cond);
	gs_lock_release(&bus->lock);
	return GS_OK;
}

static size_t in_flight_locked(const struct gs_bus *bus) {
	size_t n = 0;
	for (size_t l = 0; l < bus->nlanes; l++)
		n += bus->lanes[l].flight.count;
	return n;
}

static bool has_reserved_locked(const struct gs_bus *bus) {
	for (size_t l = 0; l < bus->nlanes; l++) {
		if (bus->lanes[l].flight.lists[GS_FLIGHT_RESERVED].head != GS_FLIGHT_NONE)
			return true;
	}
	return false;
}

/* Wait until nothing is in flight, or there is no connection on which an ack could come, or the time is up. */
static void await_acks(struct gs_bus *bus, int64_t until_ms) {
	gs_lock_take(&bus->lock);
	bus->closing = true;
	gs_cond_broadcast(&bus->cond);
	for (int64_t now; bus->session != NULL && in_flight_locked(bus) != 0 && (now = gs_clock_mono_ms()) < until_ms;)
		gs_cond_wait(&bus->cond, &bus->lock, until_ms - now);
	bus->stopping = true;
	gs_cond_broadcast(&bus->cond);
	struct gs_bus_session *session = bus->session;
	if (session != NULL)
		session->refs++;
	gs_lock_release(&bus->lock);
	if (session == NULL)
		return;
	natsConnection_Close(session->nc); /* wakes whoever waits for an answer on it */
	gs_link_unref(session);
}

/* True when the link thread is through; false when it is caught in a connect until after the time. */
static bool await_link(struct gs_bus *bus, int64_t until_ms) {
	gs_lock_take(&bus->lock);
	for (;;) {
		bool reserved = has_reserved_locked(bus);
		int64_t now = gs_clock_mono_ms();
		if (bus->link_done && !reserved)
			break;
		if (!bus->link_done && !reserved && bus->connecting && now >= until_ms)
			break;
		gs_cond_wait(
		    &bus->cond, &bus->lock, bus->connecting && now < until_ms ? until_ms - now : GS_BUS_TICK_MS);
	}
	bool done = bus->link_done;
	bus->abandoned = !done;
	if (!done)
		pthread_detach(bus->link); /* under the lock: afterwards it may free the bus at any time */
	gs_lock_release(&bus->lock);
	return done;
}

/* Watches of KV that were closed, and still waited for an answer of the connection that is gone now. */
static void await_kvs(struct gs_bus *bus) {
	gs_lock_take(&bus->lock);
	while (bus->kvs != 0)
		gs_cond_wait(&bus->cond, &bus->lock, -1);
	gs_lock_release(&bus->lock);
}

void gs_bus_close(struct gs_bus *bus, int64_t timeout_ms) {
	if (bus == NULL)
		return;
	int64_t until_ms = gs_clock_mono_ms() + timeout_ms;
	await_acks(bus, until_ms);
	for (size_t l = 0; l < bus->nlanes; l++) {
		if (bus->lanes[l].consumer != NULL)
			pthread_join(bus->lanes[l].consumer->thread, NULL);
	}
	await_kvs(bus);
	if (!await_link(bus, until_ms))
		return;
	pthread_join(bus->link, NULL);
	gs_bus_destroy(bus);
}

bool gs_bus_connected(const struct gs_bus *bus) {
	return gs_bus_lane_connected(bus, GS_BUS_FIRST);
}

bool gs_bus_lane_connected(const struct gs_bus *bus, enum gs_bus_lane lane) {
	return bus->lanes[lane].ready;
}

size_t gs_bus_max_payload(const struct gs_bus *bus) {
	return bus->lanes[GS_BUS_FIRST].ready || bus->lanes[GS_BUS_SECOND].ready ? bus->max_payload : DEFAULT_PAYLOAD;
}

/* Publishing. */

/* What would break the line protocol or the header block. */
static bool fit_subject(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	}
	return s.n != 0;
}

static bool fit_header(struct gs_str s) {
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

/* The encoded header block: "NATS/1.0", a line for each, an empty line. */
static size_t headers_size(struct gs_str header, struct gs_str msg_id) {
	static const size_t fixed = sizeof("NATS/1.0\r\n") - 1 + sizeof("\r\n") - 1;
	size_t n = fixed;
	if (header.n != 0)
		n += sizeof(GS_BUS_HEADER ": \r\n") - 1 + header.n;
	if (msg_id.n != 0)
		n += sizeof("Nats-Msg-Id: \r\n") - 1 + msg_id.n;
	return n != fixed ? n : 0;
}

static natsMsg *make_message(const struct gs_bus *bus, const struct gs_bus_lane_state *lane, const char *subject,
    const char *header, const char *msg_id, struct gs_str data, uint32_t slot, uint64_t serial) {
	char reply[GS_BUS_INBOX + 48];
	natsMsg *msg = NULL;
	snprintf(reply, sizeof(reply), "%s.ack.%u-%llu", bus->inbox, slot * GS_BUS_LANES + lane->number,
	    (unsigned long long)serial);
	natsStatus s = natsMsg_Create(&msg, subject, reply, data.p, (int)data.n);
	if (s == NATS_OK && header[0] != '\0')
		s = natsMsgHeader_Set(msg, GS_BUS_HEADER, header);
	if (s == NATS_OK && msg_id[0] != '\0')
		s = natsMsgHeader_Set(msg, "Nats-Msg-Id", msg_id);
	if (s == NATS_OK)
		return msg;
	natsMsg_Destroy(msg);
	return NULL;
}

static enum gs_status reserve(struct gs_bus *bus, struct gs_bus_lane_state *lane, size_t payload, size_t size,
    uint64_t token, uint32_t *slot, uint64_t *epoch) {
	enum gs_status status = GS_OK;
	gs_lock_take(&bus->lock);
	if (bus->closing)
		status = GS_ECLOSED;
	else if (!lane->ready)
		status = GS_EAGAIN;
	else if (payload > bus->max_payload || payload > INT32_MAX)
		status = GS_ELIMIT;
	else if ((*slot = gs_flight_reserve(&lane->flight, size, token)) == GS_FLIGHT_NONE)
		status = GS_EAGAIN;
	*epoch = lane->epoch;
	gs_lock_release(&bus->lock);
	return status;
}

/* Put the message in its slot, unless the world has changed since that was reserved; then it is given back. */
static enum gs_status commit(
    struct gs_bus *bus, struct gs_bus_lane_state *lane, uint32_t slot, uint64_t epoch, natsMsg **msg) {
	enum gs_status status = GS_OK;
	gs_lock_take(&bus->lock);
	if (*msg == NULL)
		status = GS_ENOMEM;
	else if (bus->closing)
		status = GS_ECLOSED;
	else if (!lane->ready || lane->epoch != epoch)
		status = GS_EAGAIN;
	if (status == GS_OK) {
		lane->flight.slots[slot].msg = *msg;
		*msg = NULL;
	}
	gs_flight_move(&lane->flight, slot, status == GS_OK ? GS_FLIGHT_QUEUED : GS_FLIGHT_FREE);
	gs_cond_broadcast(&bus->cond);
	gs_lock_release(&bus->lock);
	return status;
}

enum gs_status gs_bus_publish(struct gs_bus *bus, const char *subject, const char *header, const char *msg_id,
    struct gs_str data, uint64_t token) {
	return gs_bus_publish_on(bus, GS_BUS_FIRST, subject, header, msg_id, data, token);
}

enum gs_status gs_bus_publish_on(struct gs_bus *bus, enum gs_bus_lane number, const char *subject, const char *header,
    const char *msg_id, struct gs_str data, uint64_t token) {
	struct gs_bus_lane_state *lane = &bus->lanes[number];
	uint32_t slot = GS_FLIGHT_NONE;
	uint64_t epoch;
	if (number >= bus->nlanes || lane->on_ack == NULL || !fit_subject(gs_str_of(subject)) ||
	    !fit_header(gs_str_of(header)) || !fit_header(gs_str_of(msg_id)))
		return GS_EINVAL;
	size_t payload = headers_size(gs_str_of(header), gs_str_of(msg_id)) + data.n;
	enum gs_status status = reserve(bus, lane, payload, payload + strlen(subject), token, &slot, &epoch);
	if (status != GS_OK)
		return status;
	/* The slot is ours alone while it is reserved, and the copy is made without the lock. */
	uint64_t serial = lane->flight.slots[slot].serial;
	natsMsg *msg = make_message(bus, lane, subject, header, msg_id, data, slot, serial);
	status = commit(bus, lane, slot, epoch, &msg);
	natsMsg_Destroy(msg);
	return status;
}

/* Consuming. */

enum gs_status gs_bus_consume(struct gs_bus *bus, gs_bus_message_fn *fn, void *ctx, struct gs_error *err) {
	return gs_bus_consume_on(bus, GS_BUS_FIRST, fn, ctx, err);
}

enum gs_status gs_bus_consume_on(
    struct gs_bus *bus, enum gs_bus_lane number, gs_bus_message_fn *fn, void *ctx, struct gs_error *err) {
	return gs_bus_consume_from(bus, number, NULL, NULL, fn, ctx, err);
}

enum gs_status gs_bus_consume_from(struct gs_bus *bus, enum gs_bus_lane number, const struct gs_bus_start *start,
    gs_bus_begin_fn *begin, gs_bus_message_fn *fn, void *ctx, struct gs_error *err) {
	struct gs_bus_lane_state *lane = &bus->lanes[number];
	if (number >= bus->nlanes || lane->consumer != NULL)
		return gs_error_set(err, GS_EINVAL, 0, 0,
		    lane->consumer != NULL ? "the bus consumes already" : "the bus has no such stream");
	struct gs_bus_consumer *c = gs_alloc(sizeof(*c));
	if (c == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	c->bus = bus;
	c->lane = lane;
	c->fn = fn;
	c->begin = begin;
	c->ctx = ctx;
	if (start != NULL) {
		c->last = start->sequence;
		c->last_ns = start->time_ms * GS_BUS_NS_PER_MS;
	}
	if (pthread_create(&c->thread, NULL, gs_consume_main, c) != 0) {
		gs_free(c);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "the consumer's thread cannot start");
	}
	lane->consumer = c;
	return GS_OK;
}
