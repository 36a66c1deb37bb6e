/* SPDX-License-Identifier: Apache-2.0 */
#include "outgoing.h"

#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/bus/outbox.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"

/* Room in a message for everything but the body: subject, headers, and what zstd adds to a body that does not compress. */
#define MESSAGE_OVERHEAD (GS_LIMIT_SUBJECT + GS_LIMIT_HEADER + 8192)
#define PART_MIN 4096
#define CLOSE_POLL_MS 10

/* What stands around the data of one message; the outbox copies it. */
struct envelope {
	struct gs_buf subject;
	struct gs_buf header;
	struct gs_buf msg_id;
};

struct gs_outgoing {
	struct gs_bus *bus;
	struct gs_outbox *outbox;
	/* The thread that puts alone. */
	struct envelope *envelopes; /* scratch, [0, cap) */
	struct gs_outbox_part *parts;
	size_t cap;
	struct gs_outbox_stats counted; /* what the metrics know */
	/* The thread inside gs_outbox_send alone. */
	struct gs_buf sent_header;
};

/* Sending */

/* The time of sending is written last, so that the receiver can tell a late message from a wrong clock. What the header says already is put aside: its key stands before all
 * that is not ours. */
static enum gs_status stamp(struct gs_outgoing *outgoing, const char *header) {
	struct gs_buf *out = &outgoing->sent_header;
	const char *at = strstr(header, " s=");
	if (at == NULL)
		return GS_EINVAL;
	at += 3;
	gs_buf_clear(out);
	gs_buf_add(out, header, (size_t)(at - header));
	gs_buf_i64(out, gs_clock_wall_ms());
	gs_buf_cstr(out, at + strspn(at, "0123456789"));
	gs_buf_char(out, '\0');
	return out->status;
}

static enum gs_status send_part(void *ctx, const struct gs_outbox_part *part, uint64_t token) {
	struct gs_outgoing *outgoing = ctx;
	if (!gs_bus_connected(outgoing->bus))
		return GS_EAGAIN;
	enum gs_status status = stamp(outgoing, part->header);
	if (status != GS_OK)
		return status;
	status = gs_bus_publish(outgoing->bus, part->subject, outgoing->sent_header.p, part->msg_id, part->data, token);
	if (status == GS_OK)
		gs_metric_add(GS_M_PUBLISHED_BYTES, (double)(part->data.n + outgoing->sent_header.n - 1));
	else if (status != GS_EAGAIN)
		gs_metric_add_l(GS_M_PUBLISH_ERRORS, 1, gs_status_name(status), NULL);
	return status;
}

static void on_ack(void *ctx, uint64_t token, enum gs_status status, const char *reason) {
	static struct gs_log_limit limit;
	struct gs_outgoing *outgoing = ctx;
	gs_outbox_ack(outgoing->outbox, token, status == GS_OK);
	if (status == GS_OK) {
		gs_metric_add(GS_M_PUBLISHED, 1);
	} else {
		gs_metric_add_l(GS_M_PUBLISH_ERRORS, 1, gs_status_name(status), NULL);
		gs_log_limited(&limit, 60000, GS_LOG_WARN, "a publish failed and will be tried again: %s",
		    reason != NULL ? reason : "");
	}
	gs_outbox_send(outgoing->outbox, send_part, outgoing);
}

static void on_state(void *ctx, bool connected) {
	struct gs_outgoing *outgoing = ctx;
	if (connected)
		gs_outbox_send(outgoing->outbox, send_part, outgoing);
}

/* What the outbox lost since the last look. */
static void count_outbox(struct gs_outgoing *outgoing) {
	struct gs_outbox_stats stats = gs_outbox_stats(outgoing->outbox);
	gs_metric_add(GS_M_PUBLISH_REPLACED, (double)(stats.replaced - outgoing->counted.replaced));
	if (stats.evicted != outgoing->counted.evicted)
		gs_metric_add_l(
		    GS_M_PUBLISH_DROPPED, (double)(stats.evicted - outgoing->counted.evicted), "buffer", NULL);
	gs_metric_set(GS_M_PUBLISH_PENDING, (double)stats.messages);
	gs_metric_set(GS_M_PUBLISH_PENDING_BYTES, (double)stats.bytes);
	outgoing->counted = stats;
}

/* Messages */

static void envelope_free(struct envelope *envelope) {
	gs_buf_free(&envelope->subject);
	gs_buf_free(&envelope->header);
	gs_buf_free(&envelope->msg_id);
}

static enum gs_status reserve(struct gs_outgoing *outgoing, size_t n) {
	if (n <= outgoing->cap)
		return GS_OK;
	struct gs_outbox_part *parts = gs_realloc_array(outgoing->parts, n, sizeof(*parts));
	if (parts == NULL)
		return GS_ENOMEM;
	outgoing->parts = parts;
	struct envelope *envelopes = gs_realloc_array(outgoing->envelopes, n, sizeof(*envelopes));
	if (envelopes == NULL)
		return GS_ENOMEM;
	outgoing->envelopes = envelopes;
	for (; outgoing->cap < n; outgoing->cap++) {
		struct envelope *envelope = &envelopes[outgoing->cap];
		gs_buf_init(&envelope->subject, GS_LIMIT_SUBJECT + 1);
		gs_buf_init(&envelope->header, GS_LIMIT_HEADER);
		gs_buf_init(&envelope->msg_id, GS_LIMIT_SUBJECT);
	}
	return GS_OK;
}

static enum gs_status build(
    struct gs_outgoing *outgoing, const struct gs_outgoing_scrape *scrape, struct gs_wire_header *header, size_t i) {
	struct envelope *envelope = &outgoing->envelopes[i];
	gs_buf_clear(&envelope->subject);
	gs_buf_clear(&envelope->header);
	gs_buf_clear(&envelope->msg_id);
	header->part = (uint32_t)i;
	header->body_size = scrape->nparts != 0 ? scrape->parts[i].size : 0;
	gs_wire_subject(&envelope->subject, scrape->topic, scrape->group, header->part);
	gs_wire_header_write(&envelope->header, header);
	if (header->kind == GS_WIRE_GONE)
		gs_wire_gone_id(&envelope->msg_id, scrape->group, header->time_ms);
	else
		gs_wire_message_id(&envelope->msg_id, scrape->group, header->time_ms, header->part);
	gs_buf_char(&envelope->subject, '\0');
	gs_buf_char(&envelope->header, '\0');
	gs_buf_char(&envelope->msg_id, '\0');
	outgoing->parts[i] = (struct gs_outbox_part){
	    .subject = envelope->subject.p,
	    .header = envelope->header.p,
	    .msg_id = envelope->msg_id.p,
	    .data = scrape->nparts != 0 ? scrape->parts[i].data : (struct gs_str){0},
	};
	enum gs_status status = envelope->subject.status != GS_OK ? envelope->subject.status : envelope->header.status;
	return status == GS_OK ? envelope->msg_id.status : status;
}

enum gs_status gs_outgoing_put(struct gs_outgoing *outgoing, const struct gs_outgoing_scrape *scrape) {
	size_t n = scrape->nparts != 0 ? scrape->nparts : 1;
	struct gs_wire_header header = scrape->header;
	if (n > GS_LIMIT_PARTS)
		return GS_ELIMIT;
	enum gs_status status = reserve(outgoing, n);
	header.parts = (uint32_t)n;
	for (size_t i = 0; i < n && status == GS_OK; i++)
		status = build(outgoing, scrape, &header, i);
	if (status == GS_OK)
		status = gs_outbox_put(outgoing->outbox, scrape->key, outgoing->parts, n);
	gs_outbox_send(outgoing->outbox, send_part, outgoing);
	count_outbox(outgoing);
	return status;
}

/* Opening and closing */

struct gs_bus *gs_outgoing_bus(struct gs_outgoing *outgoing) {
	return outgoing->bus;
}

bool gs_outgoing_connected(const struct gs_outgoing *outgoing) {
	return gs_bus_connected(outgoing->bus);
}

size_t gs_outgoing_part_size(const struct gs_outgoing *outgoing) {
	size_t max = gs_bus_max_payload(outgoing->bus);
	return max > MESSAGE_OVERHEAD + PART_MIN ? max - MESSAGE_OVERHEAD : PART_MIN;
}

static void outgoing_free(struct gs_outgoing *outgoing) {
	for (size_t i = 0; i < outgoing->cap; i++)
		envelope_free(&outgoing->envelopes[i]);
	gs_free(outgoing->envelopes);
	gs_free(outgoing->parts);
	gs_buf_free(&outgoing->sent_header);
	gs_outbox_free(outgoing->outbox);
	gs_free(outgoing);
}

enum gs_status gs_outgoing_open(
    const struct gs_bus_options *options, size_t buffer, struct gs_outgoing **ret, struct gs_error *err) {
	struct gs_outgoing *outgoing = gs_alloc(sizeof(*outgoing));
	struct gs_bus_options bus = *options;
	if (outgoing == NULL)
		return gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	gs_buf_init(&outgoing->sent_header, GS_LIMIT_HEADER + 64);
	outgoing->outbox = gs_outbox_new(buffer);
	bus.on_ack = on_ack;
	bus.on_state = on_state;
	bus.ctx = outgoing;
	enum gs_status status = outgoing->outbox != NULL ? gs_bus_open(&bus, &outgoing->bus, err)
							 : gs_error_set(err, GS_ENOMEM, 0, 0, "out of memory");
	if (status != GS_OK) {
		outgoing_free(outgoing);
		return status;
	}
	*ret = outgoing;
	return GS_OK;
}

void gs_outgoing_close(struct gs_outgoing *outgoing, int64_t timeout_ms) {
	if (outgoing == NULL)
		return;
	int64_t until = gs_clock_mono_ms() + timeout_ms;
	struct gs_outbox_stats stats = gs_outbox_stats(outgoing->outbox);
	while (stats.messages != 0 && gs_bus_connected(outgoing->bus) && gs_clock_mono_ms() < until) {
		gs_outbox_send(outgoing->outbox, send_part, outgoing);
		gs_clock_sleep_ms(CLOSE_POLL_MS);
		stats = gs_outbox_stats(outgoing->outbox);
	}
	int64_t left = until - gs_clock_mono_ms();
	gs_bus_close(outgoing->bus, left > 0 ? left : 0);
	stats = gs_outbox_stats(outgoing->outbox);
	if (stats.messages != 0)
		gs_log(GS_LOG_WARN, "stopping with %zu messages that NATS did not acknowledge", stats.messages);
	outgoing_free(outgoing);
}
