/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/relay/relay.h"

#include <stdio.h>

#include "gravel/base/buf.h"
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/bus/outbox.h"
#include "gravel/codec/codec.h"
#include "gravel/expo/format.h"
#include "gravel/expo/write.h"
#include "gravel/log/log.h"
#include "gravel/scrape/series.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/wire/wire.h"

/* Room in a message for everything but the body: subject, headers, and what zstd adds to a body that does not compress. */
#define MESSAGE_OVERHEAD (GS_LIMIT_SUBJECT + GS_LIMIT_HEADER + 8192)
#define PART_MIN 4096
#define ZSTD_LEVEL 3
#define CLOSE_POLL_MS 10

struct gs_relay_target {
	struct gs_relay_target *next;
	struct gs_relay_target_options options;
	struct gs_wire_group group;
	char *key; /* of the outbox */
	char *labels; /* for the header */
	struct gs_series_set *series;
	enum gs_scrape_cause last_cause;
};

/* One message of a scrape, in bytes that the outbox copies. */
struct message {
	struct gs_buf subject;
	struct gs_buf header;
	struct gs_buf msg_id;
	struct gs_buf data;
};

struct gs_relay {
	struct gs_bus *bus;
	struct gs_outbox *outbox;
	char *identity;
	char *topic;
	struct gs_relay_target *targets;
	/* The scraper's thread alone. */
	struct gs_expo_parser *parser;
	struct gs_codec *codec;
	struct gs_buf ruled;
	struct message *messages; /* scratch, [0, cap) */
	size_t cap_messages;
	struct gs_outbox_stats counted; /* what the metrics know */
	/* The thread inside gs_outbox_send alone. */
	struct gs_buf sent_scratch;
	struct gs_buf sent_header;
};

/* Sending */

/* The time of sending is written last, so that the receiver can tell a late message from a wrong clock. */
static enum gs_status stamp(struct gs_relay *relay, const char *header) {
	struct gs_wire_header parsed;
	enum gs_status status = gs_wire_header_parse(gs_str_of(header), &relay->sent_scratch, &parsed, NULL);
	if (status != GS_OK)
		return status;
	parsed.sent_ms = gs_clock_wall_ms();
	gs_buf_clear(&relay->sent_header);
	gs_wire_header_write(&relay->sent_header, &parsed);
	gs_buf_char(&relay->sent_header, '\0');
	return relay->sent_header.status;
}

static enum gs_status send_part(void *ctx, const struct gs_outbox_part *part, uint64_t token) {
	struct gs_relay *relay = ctx;
	if (!gs_bus_connected(relay->bus))
		return GS_EAGAIN;
	enum gs_status status = stamp(relay, part->header);
	if (status != GS_OK)
		return status;
	status = gs_bus_publish(relay->bus, part->subject, relay->sent_header.p, part->msg_id, part->data, token);
	if (status == GS_OK)
		gs_metric_add(GS_M_PUBLISHED_BYTES, (double)(part->data.n + relay->sent_header.n - 1));
	else if (status != GS_EAGAIN)
		gs_metric_add_l(GS_M_PUBLISH_ERRORS, 1, gs_status_name(status), NULL);
	return status;
}

static void on_ack(void *ctx, uint64_t token, enum gs_status status, const char *reason) {
	static struct gs_log_limit limit;
	struct gs_relay *relay = ctx;
	gs_outbox_ack(relay->outbox, token, status == GS_OK);
	if (status == GS_OK) {
		gs_metric_add(GS_M_PUBLISHED, 1);
	} else {
		gs_metric_add_l(GS_M_PUBLISH_ERRORS, 1, gs_status_name(status), NULL);
		gs_log_limited(&limit, 60000, GS_LOG_WARN, "a publish failed and will be tried again: %s",
		    reason != NULL ? reason : "");
	}
	gs_outbox_send(relay->outbox, send_part, relay);
}

static void on_state(void *ctx, bool connected) {
	struct gs_relay *relay = ctx;
	if (connected)
		gs_outbox_send(relay->outbox, send_part, relay);
}

/* What the outbox lost since the last look. */
static void count_outbox(struct gs_relay *relay) {
	struct gs_outbox_stats stats = gs_outbox_stats(relay->outbox);
	gs_metric_add(GS_M_PUBLISH_REPLACED, (double)(stats.replaced - relay->counted.replaced));
	if (stats.evicted != relay->counted.evicted)
		gs_metric_add_l(GS_M_PUBLISH_DROPPED, (double)(stats.evicted - relay->counted.evicted), "buffer", NULL);
	gs_metric_set(GS_M_PUBLISH_PENDING, (double)stats.messages);
	gs_metric_set(GS_M_PUBLISH_PENDING_BYTES, (double)stats.bytes);
	relay->counted = stats;
}

/* From a scrape to messages */

static struct message *message_at(struct gs_relay *relay, size_t i) {
	if (i < relay->cap_messages)
		return &relay->messages[i];
	struct message *messages = gs_realloc_array(relay->messages, i + 1, sizeof(*messages));
	if (messages == NULL)
		return NULL;
	relay->messages = messages;
	relay->cap_messages = i + 1;
	struct message *message = &messages[i];
	gs_buf_init(&message->subject, GS_LIMIT_SUBJECT);
	gs_buf_init(&message->header, GS_LIMIT_HEADER);
	gs_buf_init(&message->msg_id, GS_LIMIT_SUBJECT);
	gs_buf_init(&message->data, GS_LIMIT_WIRE_BODY);
	return message;
}

static void message_free(struct message *message) {
	gs_buf_free(&message->subject);
	gs_buf_free(&message->header);
	gs_buf_free(&message->msg_id);
	gs_buf_free(&message->data);
}

static enum gs_status build_message(struct gs_relay *relay, size_t i, const struct gs_relay_target *target,
    const struct gs_wire_header *header, struct gs_str body) {
	struct message *message = message_at(relay, i);
	if (message == NULL)
		return GS_ENOMEM;
	gs_buf_clear(&message->subject);
	gs_buf_clear(&message->header);
	gs_buf_clear(&message->msg_id);
	gs_buf_clear(&message->data);
	gs_wire_subject(&message->subject, gs_str_of(relay->topic), &target->group, header->part);
	gs_wire_header_write(&message->header, header);
	gs_wire_message_id(&message->msg_id, &target->group, header->time_ms, header->part);
	gs_buf_char(&message->subject, '\0');
	gs_buf_char(&message->header, '\0');
	gs_buf_char(&message->msg_id, '\0');
	enum gs_status status = GS_OK;
	if (body.n != 0)
		status = gs_codec_compress(relay->codec, GS_CODEC_ZSTD, ZSTD_LEVEL, body, &message->data);
	if (status == GS_OK)
		status = message->subject.status != GS_OK ? message->subject.status : message->header.status;
	return status == GS_OK ? message->msg_id.status : status;
}

static enum gs_status put_messages(struct gs_relay *relay, const struct gs_relay_target *target, size_t n) {
	struct gs_outbox_part *parts = gs_alloc_array(n, sizeof(*parts));
	if (parts == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		parts[i] = (struct gs_outbox_part){
		    .subject = relay->messages[i].subject.p,
		    .header = relay->messages[i].header.p,
		    .msg_id = relay->messages[i].msg_id.p,
		    .data = gs_buf_slice(&relay->messages[i].data),
		};
	}
	enum gs_status status = gs_outbox_put(relay->outbox, gs_str_of(target->key), parts, n);
	gs_free(parts);
	return status;
}

/* Split, compress, keep. A body is cut so small that each part fits even if it does not compress. */
static enum gs_status enqueue(
    struct gs_relay *relay, const struct gs_relay_target *target, struct gs_wire_header *header, struct gs_str body) {
	size_t max = gs_bus_max_payload(relay->bus);
	size_t part_size = max > MESSAGE_OVERHEAD + PART_MIN ? max - MESSAGE_OVERHEAD : PART_MIN;
	size_t cursor = 0, parts = 0, i = 0;
	while (gs_wire_split(body, part_size, &cursor).n != 0)
		parts++;
	if (parts > GS_LIMIT_PARTS)
		return GS_ELIMIT;
	header->parts = parts != 0 ? (uint32_t)parts : 1;
	cursor = 0;
	enum gs_status status = GS_OK;
	for (; i < header->parts && status == GS_OK; i++) {
		struct gs_str part = gs_wire_split(body, part_size, &cursor);
		header->part = (uint32_t)i;
		header->body_size = part.n;
		status = build_message(relay, i, target, header, part);
	}
	return status == GS_OK ? put_messages(relay, target, i) : status;
}

/* One line when a target changes its state; while it stays as it is, only those get lines who asked for more. */
static void log_result(
    struct gs_relay_target *target, enum gs_scrape_cause cause, const char *text, const struct gs_wire_header *header) {
	const char *instance = target->options.instance, *job = target->options.job;
	bool changed = cause != target->last_cause;
	target->last_cause = cause;
	if (cause != GS_SCRAPE_OK)
		gs_log(changed ? GS_LOG_WARN : GS_LOG_VERBOSE, "target \"%s\" of job \"%s\" is down: %s: %s", instance,
		    job, gs_scrape_cause_name(cause), text);
	else if (changed)
		gs_log(GS_LOG_INFO, "target \"%s\" of job \"%s\" is up again", instance, job);
	else
		gs_log(GS_LOG_DEBUG, "scraped target \"%s\" of job \"%s\": %llu samples in %lld us", instance, job,
		    (unsigned long long)header->samples, (long long)header->duration_us);
}

/* Check and count the body, apply the rules. Returns what to send, and the cause if it is nothing. */
static struct gs_str examine(struct gs_relay *relay, struct gs_relay_target *target,
    const struct gs_scrape_result *result, struct gs_wire_header *header, enum gs_scrape_cause *cause,
    struct gs_error *err) {
	struct gs_scrape_stats stats = {0};
	struct gs_expo_options format = {0};
	struct gs_str body = result->body;
	enum gs_status status = gs_expo_read_content_type(result->content_type, &format, err);
	if (status == GS_OK)
		status = gs_scrape_inspect(relay->parser, &format, body, target->series, &stats, err);
	if (status == GS_OK && target->options.rules != NULL) {
		gs_buf_clear(&relay->ruled);
		status = gs_rules_apply(target->options.rules, relay->parser, &format, body, &relay->ruled);
		body = gs_buf_slice(&relay->ruled);
		if (status != GS_OK)
			gs_error_set(err, status, 0, 0, "the clearmode rules of the job cannot be applied");
	}
	if (status != GS_OK) {
		*cause = status == GS_ENOMEM ? GS_SCRAPE_OTHER : GS_SCRAPE_PARSE;
		return (struct gs_str){0};
	}
	header->samples = header->samples_kept = stats.samples;
	header->series_added = stats.series_added;
	header->format = format.format;
	header->utf8_names = format.utf8_names;
	gs_metric_add(GS_M_SCRAPE_SAMPLES, (double)stats.samples);
	return body;
}

static void lose(const struct gs_relay_target *target, enum gs_status status) {
	static struct gs_log_limit limit;
	const char *reason = status == GS_ELIMIT ? "too_large" : gs_status_name(status);
	gs_metric_add_l(GS_M_PUBLISH_DROPPED, 1, reason, NULL);
	gs_log_limited(&limit, 60000, GS_LOG_WARN,
	    "a scrape of target \"%s\" of job \"%s\" cannot be sent: %s; see poller_stream.buffer",
	    target->options.instance, target->options.job, reason);
}

void gs_relay_result(void *ctx, const struct gs_scrape_result *result) {
	struct gs_relay *relay = ctx;
	struct gs_relay_target *target = result->target->user;
	struct gs_error err = {0};
	char text[sizeof(err.text) + 32];
	enum gs_scrape_cause cause = result->cause;
	struct gs_wire_header header = {
	    .kind = GS_WIRE_SCRAPE,
	    .honor_labels = target->options.honor_labels,
	    .time_ms = result->time_ms,
	    .sent_ms = result->time_ms,
	    .interval_ms = target->options.interval_ms,
	    .duration_us = result->duration_us,
	    .labels = gs_str_of(target->labels),
	};
	struct gs_str body = {0};
	gs_metric_add(GS_M_SCRAPES, 1);
	gs_metric_add(GS_M_SCRAPE_BYTES, (double)result->body.n);
	if (cause == GS_SCRAPE_OK)
		body = examine(relay, target, result, &header, &cause, &err);
	if (cause != GS_SCRAPE_OK) {
		gs_metric_add_l(GS_M_SCRAPE_FAILURES, 1, gs_scrape_cause_name(cause), NULL);
		header.cause = gs_str_of(gs_scrape_cause_name(cause));
	}
	if (err.line != 0)
		snprintf(text, sizeof(text), "%u:%u: %s", err.line, err.column, err.text);
	else
		snprintf(text, sizeof(text), "%s", err.text[0] != '\0' ? err.text : result->text);
	log_result(target, cause, text, &header);
	header.up = cause == GS_SCRAPE_OK;
	enum gs_status status = enqueue(relay, target, &header, body);
	if (status != GS_OK)
		lose(target, status);
	gs_outbox_send(relay->outbox, send_part, relay);
	count_outbox(relay);
}

/* Opening, targets, closing */

bool gs_relay_connected(const struct gs_relay *relay) {
	return gs_bus_connected(relay->bus);
}

static void target_free(struct gs_relay_target *target) {
	if (target == NULL)
		return;
	gs_series_set_free(target->series);
	gs_free(target->key);
	gs_free(target->labels);
	gs_free(target);
}

static char *terminated(struct gs_buf *buf) {
	size_t n;
	gs_buf_char(buf, '\0');
	return gs_buf_take(buf, &n);
}

static enum gs_status fill_target(struct gs_relay *relay, struct gs_relay_target *target) {
	struct gs_buf buf;
	gs_buf_init(&buf, GS_LIMIT_HEADER / 2);
	for (size_t i = 0; i < target->options.nlabels; i++)
		gs_expo_write_label(&buf, i == 0, target->options.labels[i].name, target->options.labels[i].value);
	target->labels = terminated(&buf);
	enum gs_status status = buf.status;
	gs_buf_clear(&buf);
	target->group = (struct gs_wire_group){
	    .publisher = gs_str_of(relay->identity),
	    .job = gs_str_of(target->options.job),
	    .instance = gs_str_of(target->options.instance),
	};
	gs_wire_subject(&buf, gs_str_of(relay->topic), &target->group, GS_LIMIT_PARTS);
	if (buf.n > GS_LIMIT_SUBJECT)
		status = GS_ELIMIT;
	target->key = status == GS_OK ? terminated(&buf) : NULL;
	if (status == GS_OK)
		status = buf.status;
	gs_buf_free(&buf);
	target->series = gs_series_set_new();
	return status == GS_OK && target->series == NULL ? GS_ENOMEM : status;
}

enum gs_status gs_relay_add(
    struct gs_relay *relay, const struct gs_relay_target_options *options, struct gs_relay_target **ret) {
	struct gs_relay_target *target = gs_alloc(sizeof(*target));
	if (target == NULL)
		return GS_ENOMEM;
	target->options = *options;
	enum gs_status status = fill_target(relay, target);
	if (status != GS_OK) {
		target_free(target);
		return status;
	}
	target->options.labels = NULL; /* the caller's */
	target->next = relay->targets;
	relay->targets = target;
	*ret = target;
	return GS_OK;
}

static void relay_free(struct gs_relay *relay) {
	while (relay->targets != NULL) {
		struct gs_relay_target *next = relay->targets->next;
		target_free(relay->targets);
		relay->targets = next;
	}
	for (size_t i = 0; i < relay->cap_messages; i++)
		message_free(&relay->messages[i]);
	gs_free(relay->messages);
	gs_buf_free(&relay->ruled);
	gs_buf_free(&relay->sent_scratch);
	gs_buf_free(&relay->sent_header);
	gs_outbox_free(relay->outbox);
	gs_expo_parser_free(relay->parser);
	gs_codec_free(relay->codec);
	gs_free(relay->identity);
	gs_free(relay->topic);
	gs_free(relay);
}

enum gs_status gs_relay_open(const struct gs_relay_options *options, struct gs_relay **ret, struct gs_error *err) {
	struct gs_relay *relay = gs_alloc(sizeof(*relay));
	if (relay == NULL)
		return GS_ENOMEM;
	gs_buf_init(&relay->ruled, GS_LIMIT_WIRE_BODY);
	gs_buf_init(&relay->sent_scratch, GS_LIMIT_HEADER);
	gs_buf_init(&relay->sent_header, GS_LIMIT_HEADER + 64);
	relay->outbox = gs_outbox_new(options->buffer);
	relay->parser = gs_expo_parser_new();
	relay->codec = gs_codec_new();
	relay->identity = gs_strdup(gs_str_of(options->identity));
	relay->topic = gs_strdup(gs_str_of(options->topic));
	enum gs_status status = GS_ENOMEM;
	if (relay->outbox != NULL && relay->parser != NULL && relay->codec != NULL && relay->identity != NULL &&
	    relay->topic != NULL) {
		struct gs_bus_options bus = options->bus;
		bus.on_ack = on_ack;
		bus.on_state = on_state;
		bus.ctx = relay;
		status = gs_bus_open(&bus, &relay->bus, err);
	}
	if (status != GS_OK) {
		relay_free(relay);
		return status;
	}
	*ret = relay;
	return GS_OK;
}

void gs_relay_close(struct gs_relay *relay, int64_t timeout_ms) {
	if (relay == NULL)
		return;
	int64_t until = gs_clock_mono_ms() + timeout_ms;
	struct gs_outbox_stats stats = gs_outbox_stats(relay->outbox);
	while (stats.messages != 0 && gs_bus_connected(relay->bus) && gs_clock_mono_ms() < until) {
		gs_outbox_send(relay->outbox, send_part, relay);
		gs_clock_sleep_ms(CLOSE_POLL_MS);
		stats = gs_outbox_stats(relay->outbox);
	}
	int64_t left = until - gs_clock_mono_ms();
	gs_bus_close(relay->bus, left > 0 ? left : 0);
	stats = gs_outbox_stats(relay->outbox);
	if (stats.messages != 0)
		gs_log(GS_LOG_WARN, "stopping with %zu messages that NATS did not acknowledge", stats.messages);
	relay_free(relay);
}

struct gs_bus *gs_relay_bus(struct gs_relay *relay) {
	return relay->bus;
}
