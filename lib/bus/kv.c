/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/bus/kv.h"

#include <stdio.h>

#include "gravel/base/buf.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "private.h"

#define NS_PER_MS 1000000

/*
 * As in consume.c: an ephemeral push consumer without acks, whose own sequence proves that nothing was lost, of the stream that a bucket is. There is no position
 * to go on from: whatever is amiss, the next attempt lists all keys again. nats.c's own watcher is not used: it stands on its ordered consumer, and takes the
 * marker of an expired key for a value.
 */

/* Fixed: what waits here while a callback blocks; flow control keeps below, and more is a new listing. */
enum { SUB_MSGS = 100000, SUB_BYTES = 64 * 1024 * 1024 };

struct gs_kv {
	struct gs_bus *bus;
	char *stream; /* "KV_<bucket>" */
	char *filter; /* subject of what is watched */
	char *prefix;
	size_t nsubject; /* bytes of a subject before the key */
	int64_t relist_ms;
	gs_kv_fn *fn;
	void *ctx;

	/* Guarded by the bus's lock. */
	bool closing; /* fn is not called any more */
	bool calling; /* fn runs */

	/* The thread's own, as all below. */
	struct gs_bus_session *session;
	struct gs_bus_sub *sub;
	uint64_t delivered; /* consumer sequence of this attempt */
	bool complete; /* the listing of this attempt is */
	struct gs_bus_reason said;
	int64_t wait_ms;
};

static bool is_over_locked(const struct gs_kv *kv) {
	return kv->closing || kv->bus->closing;
}

/* False: no more of it. */
static bool tell(struct gs_kv *kv, const struct gs_kv_event *event) {
	struct gs_bus *bus = kv->bus;
	gs_lock_take(&bus->lock);
	bool go = !is_over_locked(kv);
	kv->calling = go;
	gs_lock_release(&bus->lock);
	if (!go)
		return false;
	kv->fn(kv->ctx, event);
	gs_lock_take(&bus->lock);
	kv->calling = false;
	gs_cond_broadcast(&bus->cond);
	go = !is_over_locked(kv);
	gs_lock_release(&bus->lock);
	return go;
}

static void lost(struct gs_kv *kv, const char *reason) {
	if (gs_bus_say(&kv->said, reason))
		(void)tell(kv, &(struct gs_kv_event){.kind = GS_KV_LOST, .reason = reason});
}

static bool tell_complete(struct gs_kv *kv) {
	kv->complete = true;
	kv->wait_ms = GS_BUS_BACKOFF_MIN_MS;
	gs_bus_say(&kv->said, "");
	return tell(kv, &(struct gs_kv_event){.kind = GS_KV_COMPLETE});
}

/* Starting. */

static natsStatus create(struct gs_kv *kv, const char *deliver, uint64_t *ret_pending) {
	jsConsumerConfig config;
	jsConsumerInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus s = jsConsumerConfig_Init(&config);
	if (s != NATS_OK)
		return s;
	config.DeliverSubject = deliver;
	config.DeliverPolicy = js_DeliverLastPerSubject;
	config.FilterSubject = kv->filter;
	config.AckPolicy = js_AckNone;
	config.ReplayPolicy = js_ReplayInstant;
	config.FlowControl = true;
	config.Heartbeat = (int64_t)GS_BUS_HEARTBEAT_MS * NS_PER_MS;
	config.MemoryStorage = true;
	config.Replicas = 1;
	s = js_AddConsumer(&info, kv->session->js, kv->stream, &config, NULL, &code);
	/* What was sent already is not pending any more. */
	if (s == NATS_OK)
		*ret_pending = info->NumPending + info->Delivered.Consumer;
	jsConsumerInfo_Destroy(info);
	return code == JSStreamNotFoundErr ? NATS_NOT_FOUND : s;
}

static natsStatus start(struct gs_kv *kv, uint64_t *ret_pending) {
	static _Atomic uint64_t
	    attempts; /* a deliver subject of its own for each: what an older consumer still sends never mixes in */
	char deliver[GS_BUS_INBOX + 32];
	snprintf(deliver, sizeof(deliver), "%s.kv.%llu", kv->bus->inbox, (unsigned long long)++attempts);
	kv->delivered = 0;
	kv->complete = false;
	natsStatus s = gs_link_subscribe(kv->session, deliver, &kv->sub);
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(kv->sub->nats, SUB_MSGS, SUB_BYTES);
	return s == NATS_OK ? create(kv, deliver, ret_pending) : s;
}

static void stop(struct gs_kv *kv) {
	/* The server removes the consumer some seconds after it has lost its listener. */
	gs_link_unsubscribe(kv->session, kv->sub);
	kv->sub = NULL;
}

/* Running. Each false ends the attempt. */

static struct gs_str header(natsMsg *msg, const char *name) {
	const char *value = NULL;
	return natsMsgHeader_Get(msg, name, &value) == NATS_OK ? gs_str_of(value) : (struct gs_str){0};
}

static bool control(struct gs_kv *kv, natsMsg *msg) {
	const char *reply = natsMsg_GetReply(msg);
	uint64_t sent;
	if (!gs_str_eq(header(msg, "Status"), GS_STR("100"))) {
		lost(kv, "the server ended the watch");
		return false;
	}
	/* Messages that were lost are no reason to speak of: the next listing has them. */
	if (gs_num_parse_u64(header(msg, "Nats-Last-Consumer"), &sent) == GS_OK && sent != kv->delivered)
		return false;
	if (reply == NULL || reply[0] == '\0')
		reply = header(msg, "Nats-Consumer-Stalled").p;
	if (reply != NULL)
		natsConnection_Publish(kv->session->nc, reply, NULL, 0);
	return true;
}

/* DEL or PURGE by a client, a marker by the server (2.11): the key is gone. */
static bool is_gone(natsMsg *msg) {
	struct gs_str operation = header(msg, "KV-Operation");
	return gs_str_eq(operation, GS_STR("DEL")) || gs_str_eq(operation, GS_STR("PURGE")) ||
	       header(msg, "Nats-Marker-Reason").n != 0;
}

static bool deliver(struct gs_kv *kv, natsMsg *msg) {
	struct gs_str subject = gs_str_of(natsMsg_GetSubject(msg));
	if (subject.n <= kv->nsubject)
		return true;
	struct gs_kv_event event = {
	    .kind = is_gone(msg) ? GS_KV_DELETE : GS_KV_PUT,
	    .key = gs_str_make(subject.p + kv->nsubject, subject.n - kv->nsubject),
	    .value = gs_str_make(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)),
	};
	return !gs_str_starts(event.key, gs_str_of(kv->prefix)) || tell(kv, &event);
}

static bool handle(struct gs_kv *kv, natsMsg *msg) {
	struct gs_reply_meta meta;
	if (gs_reply_meta(gs_str_of(natsMsg_GetReply(msg)), &meta) != GS_OK)
		return control(kv, msg);
	if (meta.consumer_seq != kv->delivered + 1)
		return false;
	kv->delivered++;
	if (!deliver(kv, msg))
		return false;
	return kv->complete || meta.pending != 0 || tell_complete(kv);
}

static bool ended(struct gs_kv *kv) {
	struct gs_bus *bus = kv->bus;
	gs_lock_take(&bus->lock);
	bool gone = is_over_locked(kv) || kv->session->ended;
	gs_lock_release(&bus->lock);
	return gone;
}

static void run(struct gs_kv *kv) {
	int64_t until = kv->relist_ms > 0 ? gs_clock_mono_ms() + kv->relist_ms : INT64_MAX;
	bool go = true;
	for (int64_t idle_ms = 0; go && !ended(kv) && gs_clock_mono_ms() < until;) {
		natsMsg *msg = NULL;
		natsStatus s = natsSubscription_NextMsg(&msg, kv->sub->nats, GS_BUS_TICK_MS);
		idle_ms = s == NATS_TIMEOUT ? idle_ms + GS_BUS_TICK_MS : 0;
		if (s == NATS_OK)
			go = handle(kv, msg);
		else if (s != NATS_TIMEOUT)
			go = false;
		if (idle_ms >= 3 * GS_BUS_HEARTBEAT_MS) {
			lost(kv, "no heartbeat");
			go = false;
		}
		natsMsg_Destroy(msg);
	}
}

static void attempt(struct gs_kv *kv) {
	uint64_t pending = 0;
	char reason[GS_BUS_REASON];
	natsStatus s = start(kv, &pending);
	if (s == NATS_NOT_FOUND)
		snprintf(reason, sizeof(reason), "no such bucket");
	else if (s == NATS_NO_RESPONDERS)
		snprintf(reason, sizeof(reason), "JetStream does not answer");
	else if (s != NATS_OK)
		gs_bus_why(s, reason, sizeof(reason));
	if (s != NATS_OK) {
		if (!ended(kv))
			lost(kv, reason);
		return;
	}
	if (!tell(kv, &(struct gs_kv_event){.kind = GS_KV_BEGIN}) || (pending == 0 && !tell_complete(kv)))
		return;
	run(kv);
}

/* The thread. */

static void rest(struct gs_kv *kv) {
	struct gs_bus *bus = kv->bus;
	int64_t until = gs_clock_mono_ms() + kv->wait_ms;
	kv->wait_ms = kv->wait_ms * 2 < GS_BUS_BACKOFF_MAX_MS ? kv->wait_ms * 2 : GS_BUS_BACKOFF_MAX_MS;
	gs_lock_take(&bus->lock);
	for (int64_t now; !is_over_locked(kv) && (now = gs_clock_mono_ms()) < until;)
		gs_cond_wait(&bus->cond, &bus->lock, until - now);
	gs_lock_release(&bus->lock);
}

/* A reference to the session, as soon as there is one; NULL when it is over. */
static struct gs_bus_session *wait_session(struct gs_kv *kv) {
	struct gs_bus *bus = kv->bus;
	int64_t since = gs_clock_mono_ms();
	bool said = false;
	gs_lock_take(&bus->lock);
	while (!is_over_locked(kv) && (bus->session == NULL || bus->session->ended)) {
		gs_cond_wait(&bus->cond, &bus->lock, GS_BUS_TICK_MS);
		/* A reconnect is no loss. */
		if (said || is_over_locked(kv) || gs_clock_mono_ms() - since < GS_BUS_BACKOFF_MAX_MS)
			continue;
		said = true;
		gs_lock_release(&bus->lock);
		lost(kv, "not connected to NATS");
		gs_lock_take(&bus->lock);
	}
	struct gs_bus_session *session = is_over_locked(kv) ? NULL : bus->session;
	if (session != NULL)
		session->refs++;
	gs_lock_release(&bus->lock);
	return session;
}

static void free_kv(struct gs_kv *kv) {
	gs_free(kv->stream);
	gs_free(kv->filter);
	gs_free(kv->prefix);
	gs_free(kv);
}

/* Detached: whoever closes a watch does not wait for what the server owes it. */
static void *kv_main(void *arg) {
	struct gs_kv *kv = arg;
	struct gs_bus *bus = kv->bus;
	kv->wait_ms = GS_BUS_BACKOFF_MIN_MS;
	while ((kv->session = wait_session(kv)) != NULL) {
		attempt(kv);
		stop(kv);
		gs_link_unref(kv->session);
		rest(kv);
	}
	nats_ReleaseThreadMemory();
	gs_lock_take(&bus->lock);
	/* The owner may still have to say that he wants no more of it. */
	while (!kv->closing)
		gs_cond_wait(&bus->cond, &bus->lock, -1);
	gs_lock_release(&bus->lock);
	free_kv(kv);
	gs_lock_take(&bus->lock);
	bus->kvs--;
	gs_cond_broadcast(&bus->cond);
	gs_lock_release(&bus->lock);
	return NULL;
}

void gs_kv_close(struct gs_kv *kv) {
	if (kv == NULL)
		return;
	struct gs_bus *bus = kv->bus;
	gs_lock_take(&bus->lock);
	while (kv->calling)
		gs_cond_wait(&bus->cond, &bus->lock, -1);
	kv->closing = true;
	gs_cond_broadcast(&bus->cond);
	gs_lock_release(&bus->lock);
}

/* Making. */

static bool is_bucket(const char *s) {
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
	return n != 0 && n <= 200 && s[n] == '\0';
}

static bool is_key_part(const char *s) {
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-/=.");
	return n <= 1000 && s[n] == '\0' && s[0] != '.' && strstr(s, "..") == NULL;
}

static char *join(const char *a, const char *b, struct gs_str c, const char *d) {
	struct gs_buf out;
	gs_buf_init(&out, 4096);
	gs_buf_cstr(&out, a);
	gs_buf_cstr(&out, b);
	gs_buf_str(&out, c);
	gs_buf_cstr(&out, d);
	gs_buf_char(&out, '\0');
	size_t n;
	char *text = gs_buf_take(&out, &n);
	gs_buf_free(&out);
	return text;
}

/* The tokens of the prefix that are whole: up to its last dot. */
static struct gs_str whole_tokens(const char *prefix) {
	const char *dot = strrchr(prefix, '.');
	return gs_str_make(prefix, dot != NULL ? (size_t)(dot - prefix) + 1 : 0);
}

static bool fill(struct gs_kv *kv, const struct gs_kv_options *o, const char *prefix) {
	kv->fn = o->fn;
	kv->ctx = o->ctx;
	kv->relist_ms = o->relist_ms;
	kv->nsubject = strlen("$KV.") + strlen(o->bucket) + 1;
	kv->prefix = gs_strdup(gs_str_of(prefix));
	kv->stream = join("KV_", o->bucket, (struct gs_str){0}, "");
	char *head = join("$KV.", o->bucket, (struct gs_str){0}, ".");
	if (head != NULL)
		kv->filter = join(head, "", whole_tokens(prefix), ">");
	gs_free(head);
	return kv->prefix != NULL && kv->stream != NULL && kv->filter != NULL;
}

enum gs_status gs_kv_watch(
    struct gs_bus *bus, const struct gs_kv_options *options, struct gs_kv **ret_kv, struct gs_error *err) {
	const char *prefix = options->prefix != NULL ? options->prefix : "";
	pthread_t thread;
	if (!is_bucket(options->bucket))
		return gs_error_set(err, GS_EINVAL, 0, 0, "a bucket has a name of letters, digits, '_' and '-'");
	if (!is_key_part(prefix))
		return gs_error_set(
		    err, GS_EINVAL, 0, 0, "a key has letters, digits, '_', '-', '/', '=' and single dots");
	struct gs_kv *kv = gs_alloc(sizeof(*kv));
	if (kv == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	kv->bus = bus;
	if (!fill(kv, options, prefix)) {
		free_kv(kv);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	}
	gs_lock_take(&bus->lock);
	bus->kvs++;
	gs_lock_release(&bus->lock);
	if (pthread_create(&thread, NULL, kv_main, kv) != 0) {
		gs_lock_take(&bus->lock);
		bus->kvs--;
		gs_lock_release(&bus->lock);
		free_kv(kv);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "the thread of a watch cannot start");
	}
	pthread_detach(thread);
	*ret_kv = kv;
	return GS_OK;
}
