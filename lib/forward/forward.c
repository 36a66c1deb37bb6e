/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/forward/forward.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "gravel/base/clock.h"
#include "gravel/base/lock.h"
#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/codec/codec.h"
#include "gravel/gravel/batch.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"

/* Room in a message for everything but its part of the content: subject, headers, and what zstd adds to what does not compress. */
#define MESSAGE_OVERHEAD (GS_LIMIT_SUBJECT + GS_LIMIT_HEADER + 8192)
#define PART_MIN 4096
#define ZSTD_LEVEL 3
#define MESSAGES_MAX 8192 /* in flight */
#define ID_MAX 48
#define SHARD 0 /* there is one yet */

/* A push that waits for its acks. */
struct flying {
	uint32_t next_free;
	uint32_t serial; /* so that the token of another push in this slot finds nothing */
	uint32_t owed; /* acks that are still to come, and one while its parts are being published */
	bool awaited; /* it has not come back yet */
	bool applied; /* it has, and the two below say what became of it */
	enum gs_status status;
	int64_t since_ns; /* monotonic */
	size_t bytes;
	bool failed;
	bool refused; /* published only so that its group remembers the failure */
	struct gs_error err;
	gs_ingest_done_fn *done;
	void *ctx;
};

/* What one thread needs to make messages of a push. */
struct kit {
	struct kit *next;
	struct gs_batch *batch;
	struct gs_expo_parser *parser;
	struct gs_codec *codec;
	struct gs_buf content;
	struct gs_buf data;
	struct gs_buf header;
	struct gs_buf id;
	struct gs_buf mode;
};

/*
 * Invariants: count is the number of slots that are not free, bytes the sum of theirs.
 */
struct gs_forward {
	struct gs_bus *bus;
	char *topic;
	char *identity;
	struct gs_buf subject; /* constant */
	struct gs_forward_options options;
	char random[20]; /* "<hex>-" */

	struct gs_lock lock;
	/* Under it. */
	struct flying *slots;
	uint32_t free_slot;
	size_t count;
	size_t bytes;
	struct kit *kits;
};

#define NO_SLOT UINT32_MAX

/* Kits */

static void kit_free(struct kit *kit) {
	if (kit == NULL)
		return;
	gs_batch_free(kit->batch);
	gs_expo_parser_free(kit->parser);
	gs_codec_free(kit->codec);
	gs_buf_free(&kit->content);
	gs_buf_free(&kit->data);
	gs_buf_free(&kit->header);
	gs_buf_free(&kit->id);
	gs_buf_free(&kit->mode);
	gs_free(kit);
}

static struct kit *kit_new(void) {
	struct kit *kit = gs_alloc(sizeof(*kit));
	if (kit == NULL)
		return NULL;
	gs_buf_init(&kit->content, GS_LIMIT_WIRE_BODY);
	gs_buf_init(&kit->data, SIZE_MAX / 2);
	gs_buf_init(&kit->header, GS_LIMIT_HEADER);
	gs_buf_init(&kit->id, 2 * ID_MAX);
	gs_buf_init(&kit->mode, ID_MAX);
	kit->batch = gs_batch_new();
	kit->parser = gs_expo_parser_new();
	kit->codec = gs_codec_new();
	if (kit->batch != NULL && kit->parser != NULL && kit->codec != NULL)
		return kit;
	kit_free(kit);
	return NULL;
}

static struct kit *kit_get(struct gs_forward *forward) {
	gs_lock_take(&forward->lock);
	struct kit *kit = forward->kits;
	if (kit != NULL)
		forward->kits = kit->next;
	gs_lock_release(&forward->lock);
	return kit != NULL ? kit : kit_new();
}

/* Kept without the memory of a large push: there are never more than threads that push. */
static void kit_put(struct gs_forward *forward, struct kit *kit) {
	bool large =
	    kit->content.cap + kit->data.cap > (size_t)4 * 1024 * 1024 || gs_batch_stats(kit->batch).samples > 50000;
	if (large) {
		kit_free(kit);
		return;
	}
	gs_lock_take(&forward->lock);
	kit->next = forward->kits;
	forward->kits = kit;
	gs_lock_release(&forward->lock);
}

/* Slots */

/* What is never the same for two pushes of a process. */
static uint64_t token_of(uint32_t serial, uint32_t slot) {
	return (uint64_t)serial << 32 | slot;
}

/* What its client is told. */
static void answer(struct flying *over) {
	const char *result = over->applied ? "applied" : over->failed ? "failed" : "acknowledged";
	enum gs_status status = over->applied ? over->status : over->failed ? GS_EIO : GS_OK;
	if (!over->applied && over->refused)
		status = GS_EINVAL;
	gs_metric_add_l(GS_M_FORWARDED, 1, result, NULL);
	over->done(over->ctx, status, &over->err);
}

/* Whether nothing is owed any more: acks that fail are not waited behind, for it may never come back. Then it is copied and its slot is free. */
static bool is_over_locked(struct gs_forward *forward, uint32_t i, struct flying *ret) {
	struct flying *flying = &forward->slots[i];
	if (flying->owed != 0 || (flying->awaited && !flying->failed))
		return false;
	*ret = *flying;
	forward->count--;
	forward->bytes -= flying->bytes;
	flying->serial++;
	flying->awaited = false;
	flying->next_free = forward->free_slot;
	forward->free_slot = i;
	gs_metric_set(GS_M_FORWARDING, (double)forward->count);
	return true;
}

/* For a receiver the stream is its push log. */
static void count_logged(int64_t took_ns, bool failed) {
	gs_metric_observe(GS_M_LOG_COMMIT, (double)took_ns / 1e9);
	gs_metric_add(failed ? GS_M_LOG_FAILURES : GS_M_LOG_ENTRIES, 1);
}

/* Give back what the push owes no more; the last one answers. */
static void settle(struct gs_forward *forward, uint32_t i, uint32_t n, bool failed) {
	struct flying over;
	gs_lock_take(&forward->lock);
	struct flying *flying = &forward->slots[i];
	assert(flying->owed >= n);
	flying->owed -= n;
	flying->failed |= failed;
	bool logged = forward->options.awaits && flying->owed == 0;
	int64_t took_ns = gs_clock_mono_ns() - flying->since_ns;
	failed = flying->failed;
	bool is_over = is_over_locked(forward, i, &over);
	gs_lock_release(&forward->lock);
	if (logged)
		count_logged(took_ns, failed);
	if (is_over)
		answer(&over);
}

static void on_ack(void *ctx, uint64_t token, enum gs_status status, const char *reason) {
	static struct gs_log_limit limit;
	struct gs_forward *forward = ctx;
	uint32_t i = (uint32_t)token, serial = (uint32_t)(token >> 32);
	assert(i < forward->options.pushes_in_flight && forward->slots[i].serial == serial);
	if (status != GS_OK) {
		gs_metric_add_l(GS_M_PUBLISH_ERRORS, 1, gs_status_name(status), NULL);
		gs_log_limited(
		    &limit, 60000, GS_LOG_WARN, "a push was not acknowledged: %s", reason != NULL ? reason : "");
	}
	settle(forward, i, 1, status != GS_OK);
}

static enum gs_status no_room(struct gs_error *err, const char *reason, const char *text) {
	gs_metric_add_l(GS_M_FORWARD_REFUSED, 1, reason, NULL);
	return gs_error_set(err, GS_EIO, 0, 0, "%s; try again", text);
}

/* A slot for a push whose messages take so many bytes. */
static enum gs_status begin(struct gs_forward *forward, size_t bytes, const struct gs_ingest_push *push,
    const struct gs_error *refused, uint32_t *ret_slot, uint64_t *ret_id, struct gs_error *err) {
	gs_lock_take(&forward->lock);
	bool slot = forward->free_slot != NO_SLOT;
	bool room = forward->count == 0 || forward->bytes + bytes <= forward->options.bytes_in_flight;
	if (slot && room) {
		struct flying *flying = &forward->slots[ *ret_slot = forward->free_slot];
		forward->free_slot = flying->next_free;
		forward->count++;
		forward->bytes += bytes;
		*flying = (struct flying){.serial = flying->serial,
		    .owed = 1,
		    .awaited = forward->options.awaits,
		    .since_ns = gs_clock_mono_ns(),
		    .bytes = bytes,
		    .refused = refused != NULL,
		    .done = push->done,
		    .ctx = push->ctx};
		if (refused != NULL)
			flying->err = *refused;
		else
			gs_error_set(&flying->err, GS_EIO, 0, 0,
			    "NATS has not acknowledged the push in time; it may count all the same");
		*ret_id = token_of(flying->serial, *ret_slot);
		gs_metric_set(GS_M_FORWARDING, (double)forward->count);
	}
	gs_lock_release(&forward->lock);
	if (!slot)
		return no_room(err, "pushes", "too many pushes wait for NATS (receiver.limits.pushes_in_flight)");
	return room ? GS_OK : no_room(err, "bytes", "too many bytes of pushes wait for NATS");
}

/* Messages */

static enum gs_status publish_part(struct gs_forward *forward, struct kit *kit, const struct gs_wire_push *push,
    struct gs_str id, struct gs_str data, uint32_t slot) {
	gs_buf_clear(&kit->header);
	gs_wire_push_write(&kit->header, push);
	gs_buf_char(&kit->header, '\0');
	gs_buf_clear(&kit->id);
	gs_wire_push_message_id(&kit->id, id, push->part);
	gs_buf_char(&kit->id, '\0');
	if (kit->header.status != GS_OK || kit->id.status != GS_OK)
		return GS_ENOMEM;
	uint64_t token = token_of(forward->slots[slot].serial, slot); /* ours while we owe */
	gs_lock_take(&forward->lock);
	forward->slots[slot].owed++;
	gs_lock_release(&forward->lock);
	enum gs_status status =
	    gs_bus_publish_on(forward->bus, GS_BUS_SECOND, forward->subject.p, kit->header.p, kit->id.p, data, token);
	if (status != GS_OK) {
		gs_lock_take(&forward->lock);
		forward->slots[slot].owed--;
		gs_lock_release(&forward->lock);
		return status;
	}
	gs_metric_add(GS_M_FORWARDED_BYTES, (double)(data.n + kit->header.n - 1));
	return GS_OK;
}

static size_t room_in_message(const struct gs_forward *forward) {
	size_t max = gs_bus_max_payload(forward->bus);
	return max > MESSAGE_OVERHEAD + PART_MIN ? max - MESSAGE_OVERHEAD : PART_MIN;
}

/* How many parts the content takes. Whole, if it is small enough when it is compressed, which is then in kit->data. */
static enum gs_status divide(struct gs_forward *forward, struct kit *kit, size_t *ret_part_size, uint32_t *ret_parts) {
	size_t room = room_in_message(forward), n = kit->content.n;
	gs_buf_clear(&kit->data);
	*ret_part_size = n;
	*ret_parts = 1;
	if (n == 0)
		return GS_OK;
	enum gs_status status =
	    gs_codec_compress(kit->codec, GS_CODEC_ZSTD, ZSTD_LEVEL, gs_buf_slice(&kit->content), &kit->data);
	if (status != GS_OK || kit->data.n <= room)
		return status;
	*ret_part_size = room;
	if ((n + room - 1) / room > GS_LIMIT_PARTS)
		return GS_ELIMIT;
	*ret_parts = (uint32_t)((n + room - 1) / room);
	return GS_OK;
}

static enum gs_status publish_parts(struct gs_forward *forward, struct kit *kit, struct gs_wire_push *push,
    struct gs_str id, size_t part_size, uint32_t slot) {
	enum gs_status status = GS_OK;
	for (; push->part < push->parts && status == GS_OK; push->part++) {
		size_t at = push->part * part_size, left = kit->content.n - at;
		struct gs_str part = gs_str_make(kit->content.p + at, left < part_size ? left : part_size);
		push->body_size = part.n;
		if (push->parts > 1) {
			gs_buf_clear(&kit->data);
			status = gs_codec_compress(kit->codec, GS_CODEC_ZSTD, ZSTD_LEVEL, part, &kit->data);
		}
		if (status == GS_OK)
			status = publish_part(forward, kit, push, id, gs_buf_slice(&kit->data), slot);
	}
	return status;
}

/* Publish what stands in kit->content; whoever pushed is answered, unless nothing of it was published. */
static enum gs_status send(struct gs_forward *forward, struct kit *kit, struct gs_wire_push *push,
    const struct gs_ingest_push *from, const struct gs_error *refused, struct gs_error *err) {
	size_t part_size = 0;
	uint32_t slot = NO_SLOT;
	uint64_t number = 0;
	char id[ID_MAX];
	enum gs_status status = divide(forward, kit, &part_size, &push->parts);
	if (status == GS_ELIMIT) {
		gs_metric_add_l(GS_M_FORWARD_REFUSED, 1, "size", NULL);
		return gs_error_set(err, status, 0, 0, "the push is larger than the messages of NATS can carry");
	}
	if (status != GS_OK)
		return status;
	size_t bytes = push->parts > 1 ? kit->content.n : kit->data.n; /* of parts, at most */
	status = begin(forward, bytes, from, refused, &slot, &number, err);
	if (status != GS_OK)
		return status;
	snprintf(id, sizeof(id), "%s%" PRIu64, forward->random, number);
	/* The stream must not take the parts of a push for those of an earlier try with the same key: only whole ones are alike. */
	push->id = from->key.n != 0 ? from->key : gs_str_of(id);
	if (forward->options.awaits)
		push->token = gs_str_of(id);
	status = publish_parts(forward, kit, push, gs_str_of(id), part_size, slot);
	/* With a part on its way it is the ack of that one, or of the last one, that answers; without one it is this. */
	settle(forward, slot, 1, status != GS_OK);
	return GS_OK;
}

/* Pushes */

static enum gs_status validate(struct gs_forward *forward, struct kit *kit, bool gateway,
    const struct gs_ingest_push *push, struct gs_error *err) {
	struct gs_batch_options options = {
	    .labels = push->labels,
	    .nlabels = push->nlabels,
	    .rule = GS_LABELS_OVERRIDE,
	    .mode = push->leaves ? (struct gs_mode){.kind = GS_MODE_REPLACE} : push->mode,
	    .ttl_ms = push->ttl_ms,
	    .gateway = gateway,
	    .max_samples = forward->options.push_samples,
	    .max_labels = forward->options.max_labels,
	    .max_name = forward->options.max_name,
	    .max_value = forward->options.max_value,
	};
	gs_batch_begin(kit->batch, &options);
	enum gs_status status = gs_batch_read(kit->batch, kit->parser, &push->format, push->body, err);
	if (status == GS_ELIMIT)
		gs_ingest_limited(err);
	return status;
}

static enum gs_status fill_content(struct kit *kit, const struct gs_ingest_push *push, size_t *ret_labels) {
	gs_buf_clear(&kit->content);
	kit->content.max = GS_LIMIT_WIRE_BODY;
	gs_wire_push_add_labels(&kit->content, push->labels, push->nlabels);
	*ret_labels = kit->content.n;
	gs_buf_str(&kit->content, push->body);
	return kit->content.status;
}

static enum gs_status wrap_and_send(struct gs_forward *forward, struct kit *kit, enum gs_wire_push_op op,
    const struct gs_ingest_push *push, const struct gs_error *refused, struct gs_error *err) {
	size_t labels = 0;
	enum gs_status status = fill_content(kit, push, &labels);
	gs_buf_clear(&kit->mode);
	gs_mode_print(&kit->mode, &push->mode);
	if (status == GS_ELIMIT)
		gs_error_set(err, status, 0, 0, "the push is larger than the messages of NATS can carry");
	if (status == GS_OK)
		status = kit->mode.status;
	if (status != GS_OK)
		return status;
	struct gs_wire_push wrapped = {
	    .op = op,
	    .time_ms = gs_clock_wall_ms(),
	    .ttl_ms = push->ttl_ms,
	    .labels_size = labels,
	    .format = push->format.format,
	    .utf8_names = push->format.utf8_names,
	    .publisher = gs_str_of(forward->identity),
	    .mode = gs_buf_slice(&kit->mode),
	};
	return send(forward, kit, &wrapped, push, refused, err);
}

enum gs_status gs_forward_push(
    struct gs_forward *forward, enum gs_wire_push_op op, const struct gs_ingest_push *push, struct gs_error *err) {
	struct gs_error why = {0};
	bool gateway = op == GS_WIRE_PUSH_GATEWAY_PUT || op == GS_WIRE_PUSH_GATEWAY_POST;
	bool reads = gateway || op == GS_WIRE_PUSH || op == GS_WIRE_PUSH_INGEST;
	struct kit *kit = kit_get(forward);
	if (kit == NULL)
		return GS_ENOMEM;
	enum gs_status status = reads ? validate(forward, kit, gateway, push, &why) : GS_OK;
	/* As at the receiver: a body that could be read and is refused makes its group remember the failure. */
	bool told = status == GS_EINVAL && gateway && gs_batch_stats(kit->batch).parsed;
	if (told || status == GS_OK) {
		struct gs_error refused = why;
		if (!gs_bus_lane_connected(forward->bus, GS_BUS_SECOND))
			status = no_room(&why, "disconnected", "not connected to the stream of pushes in NATS");
		else
			status = wrap_and_send(forward, kit, op, push, told ? &refused : NULL, &why);
	}
	if (status != GS_OK)
		*err = why;
	kit_put(forward, kit);
	return status;
}

/* What came back */

/* Read "<random>-<token>" of ours. */
static bool read_token(const struct gs_forward *forward, struct gs_str text, uint64_t *ret) {
	struct gs_str ours = gs_str_of(forward->random), tail;
	if (!gs_str_starts(text, ours))
		return false;
	tail = gs_str_make(text.p + ours.n, text.n - ours.n);
	return gs_num_parse_u64(tail, ret) == GS_OK;
}

void gs_forward_applied(
    struct gs_forward *forward, struct gs_str text, enum gs_status status, const struct gs_error *err) {
	struct flying over;
	uint64_t token = 0;
	if (!read_token(forward, text, &token) || (uint32_t)token >= forward->options.pushes_in_flight)
		return;
	uint32_t i = (uint32_t)token;
	gs_lock_take(&forward->lock);
	struct flying *flying = &forward->slots[i];
	bool is_over = false;
	if (flying->awaited && flying->serial == (uint32_t)(token >> 32)) {
		flying->awaited = false;
		flying->applied = true;
		flying->status = status;
		flying->err = *err;
		is_over = is_over_locked(forward, i, &over);
	}
	gs_lock_release(&forward->lock);
	if (is_over)
		answer(&over);
}

/* The next one from ${from} on that waits for nothing but to be applied, and that for too long. */
static bool give_up_one(struct gs_forward *forward, uint32_t *from, int64_t before_ns, struct flying *over) {
	bool found = false;
	gs_lock_take(&forward->lock);
	for (; !found && forward->count != 0 && *from < forward->options.pushes_in_flight; ++*from) {
		struct flying *flying = &forward->slots[*from];
		if (!flying->awaited || flying->owed != 0 || flying->since_ns > before_ns)
			continue;
		flying->failed = true;
		gs_error_set(
		    &flying->err, GS_EIO, 0, 0, "the push is in the log, and counts, but is not applied here yet");
		found = is_over_locked(forward, *from, over);
	}
	gs_lock_release(&forward->lock);
	return found;
}

void gs_forward_sweep(struct gs_forward *forward, int64_t max_ms) {
	int64_t before_ns = gs_clock_mono_ns() - max_ms * 1000000;
	struct flying over;
	for (uint32_t i = 0; give_up_one(forward, &i, before_ns, &over);)
		answer(&over);
}

/* Life */

static enum gs_status init(struct gs_forward *forward, const struct gs_forward_options *options) {
	forward->options = *options;
	if (forward->options.bytes_in_flight == 0)
		forward->options.bytes_in_flight = GS_LIMIT_FORWARD;
	forward->bus = options->bus;
	forward->topic = gs_strdup(gs_str_of(options->topic));
	forward->identity = gs_strdup(gs_str_of(options->identity));
	forward->slots = gs_alloc_array(options->pushes_in_flight, sizeof(*forward->slots));
	gs_buf_init(&forward->subject, GS_LIMIT_SUBJECT);
	gs_wire_push_subject(&forward->subject, gs_str_of(options->topic), SHARD);
	gs_buf_char(&forward->subject, '\0');
	if (forward->topic == NULL || forward->identity == NULL || forward->slots == NULL ||
	    forward->subject.status != GS_OK)
		return GS_ENOMEM;
	forward->free_slot = NO_SLOT;
	for (size_t i = options->pushes_in_flight; i-- > 0;) {
		forward->slots[i].next_free = forward->free_slot;
		forward->free_slot = (uint32_t)i;
	}
	/* Half of an id that no other process has; the other half is its token. */
	uint64_t random = 0;
	bool drawn = getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random);
	snprintf(forward->random, sizeof(forward->random), "%016" PRIx64 "-", random);
	return drawn ? GS_OK : GS_EIO;
}

static enum gs_status add_stream(struct gs_forward *forward, struct gs_error *err) {
	struct gs_bus_options bus = {
	    .stream = forward->options.stream,
	    .max_pending = MESSAGES_MAX,
	    /* What is bounded here is never refused there. */
	    .max_pending_bytes = 2 * forward->options.bytes_in_flight + GS_LIMIT_WIRE_BODY,
	    .on_ack = on_ack,
	    .ctx = forward,
	};
	bus.stream.whole = true;
	return gs_bus_add_stream(forward->bus, &bus, err);
}

enum gs_status gs_forward_new(const struct gs_forward_options *options, struct gs_forward **ret, struct gs_error *err) {
	struct gs_forward *forward = gs_alloc(sizeof(*forward));
	if (forward == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	enum gs_status status = gs_lock_init(&forward->lock, GS_RANK_FORWARD);
	if (status != GS_OK) {
		gs_free(forward);
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	}
	status = init(forward, options);
	if (status != GS_OK)
		gs_error_set(err, status, 0, 0, "cannot take pushes: %s", gs_status_name(status));
	else
		status = add_stream(forward, err);
	if (status != GS_OK)
		gs_forward_free(forward);
	else
		*ret = forward;
	return status;
}

void gs_forward_free(struct gs_forward *forward) {
	if (forward == NULL)
		return;
	assert(forward->count == 0);
	while (forward->kits != NULL) {
		struct kit *next = forward->kits->next;
		kit_free(forward->kits);
		forward->kits = next;
	}
	gs_free(forward->topic);
	gs_free(forward->identity);
	gs_free(forward->slots);
	gs_buf_free(&forward->subject);
	gs_lock_destroy(&forward->lock);
	gs_free(forward);
}
