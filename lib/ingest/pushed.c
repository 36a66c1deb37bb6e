/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes that a poller took: from a message of their stream to an entry for the writer. Every byte here comes from outside. */
#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/base/num.h"
#include "gravel/ingest/path.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

#define UNFINISHED_MS (10 * 60 * 1000)
#define JOINER_BYTES ((size_t)256 * 1024 * 1024)

/* The push thread's alone. */
struct gs_pushed {
	struct gs_codec *codec;
	struct gs_wire_joiner *joiner;
	struct gs_buf scratch;
	int64_t open_ms; /* when the oldest part that waits for others was stored; 0: none does */
};

struct gs_pushed *gs_pushed_new(void) {
	struct gs_pushed *pushed = gs_alloc(sizeof(*pushed));
	if (pushed == NULL)
		return NULL;
	gs_buf_init(&pushed->scratch, GS_LIMIT_HEADER);
	pushed->codec = gs_codec_new();
	pushed->joiner = gs_wire_joiner_new(JOINER_BYTES);
	if (pushed->codec != NULL && pushed->joiner != NULL)
		return pushed;
	gs_pushed_free(pushed);
	return NULL;
}

void gs_pushed_free(struct gs_pushed *pushed) {
	if (pushed == NULL)
		return;
	gs_codec_free(pushed->codec);
	gs_wire_joiner_free(pushed->joiner);
	gs_buf_free(&pushed->scratch);
	gs_free(pushed);
}

/* The receiver that wrote it may be this one, and its client waits. */
static void tell_receiver(
    struct gs_ingest *ingest, struct gs_str token, enum gs_status status, const struct gs_error *err) {
	if (gs_ingest_reads_log(ingest))
		ingest->stream.applied(ingest->stream.ctx, token, status, err);
}

/* The client of a poller heard 200 and cannot be told: count it, and tell the operator who lost what. */
static void drop(struct gs_ingest *ingest, const struct gs_wire_push *push, const char *reason, const char *text) {
	static struct gs_log_limit limit;
	struct gs_error err = {0};
	if (push != NULL && push->token.n != 0) {
		gs_error_set(&err, GS_EIO, 0, 0, "the push cannot be read back from the push log: %s", text);
		tell_receiver(ingest, push->token, GS_EIO, &err);
	}
	struct gs_str publisher = push != NULL ? push->publisher : GS_STR("?");
	struct gs_str id = push != NULL ? push->id : GS_STR("?");
	gs_metric_add_l(GS_M_EDGE_DROPPED, 1, reason, NULL);
	gs_log_limited(&limit, 1000, GS_LOG_WARN, "dropped a push of publisher \"%.*s\", id \"%.*s\": %s: %s",
	    GS_FMT(publisher), GS_FMT(id), reason, text);
}

static const char *refusal(enum gs_status status) {
	switch (status) {
	case GS_ECONFLICT:
		return "conflict";
	case GS_EINVAL:
		return "parse";
	case GS_ELIMIT:
		return "limit";
	case GS_ENOMEM:
	case GS_OK:
	case GS_ENOTFOUND:
	case GS_EIO:
	case GS_EAGAIN:
	case GS_ECLOSED:
	case GS_ESTALE:
	case GS_EUNSUPPORTED:
		break;
	}
	return gs_status_name(status);
}

/* The writer is through with it. */
static void on_done(void *ctx, enum gs_status status, const struct gs_error *err) {
	const struct entry *entry = ctx;
	char text[sizeof(err->text) + 32];
	if (entry->token.n != 0) {
		tell_receiver(entry->ingest, entry->token, status, err);
		return;
	}
	if (entry->duplicate) {
		gs_metric_add_l(GS_M_EDGE_DROPPED, 1, "duplicate", NULL);
		return;
	}
	if (status == GS_OK) {
		gs_metric_add(GS_M_EDGE_APPLIED, 1);
		return;
	}
	if (entry->refused != NULL) {
		/* The poller refused it, and sent it only so that its group remembers that. */
		gs_metric_add_l(GS_M_EDGE_DROPPED, 1, "refused", NULL);
		return;
	}
	struct gs_wire_push push = {.publisher = entry->info.key.publisher, .id = entry->info.key.instance};
	snprintf(text, sizeof(text), "%u:%u: %s", err->line, err->column, err->text);
	drop(entry->ingest, &push, refusal(status), text);
}

/* The poller has checked them, but anybody may write to a stream. */
static bool are_labels(const struct gs_label *labels, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (!gs_expo_is_label_name(labels[i].name) || gs_str_starts(labels[i].name, GS_STR("__")) ||
		    labels[i].value.n > GS_LIMIT_LABEL_VALUE || !gs_str_is_utf8(labels[i].value))
			return false;
		for (size_t k = 0; k < i; k++) {
			if (gs_str_eq(labels[i].name, labels[k].name))
				return false;
		}
	}
	return true;
}

static enum gs_status read_labels(
    struct entry *entry, const struct gs_wire_push *push, struct gs_str content, struct gs_ingest_push *what) {
	struct gs_label *labels = gs_arena_alloc(entry->arena, GS_PATH_LABELS_MAX * sizeof(*labels));
	if (labels == NULL)
		return GS_ENOMEM;
	if (push->labels_size > content.n)
		return GS_EINVAL;
	if (content.p == NULL)
		content = GS_STR("");
	size_t n = (size_t)push->labels_size;
	enum gs_status status =
	    gs_wire_push_read_labels(gs_str_make(content.p, n), labels, GS_PATH_LABELS_MAX, &what->nlabels);
	if (status == GS_OK && !are_labels(labels, what->nlabels))
		status = GS_EINVAL;
	what->labels = labels;
	what->body = gs_str_make(content.p + n, content.n - n);
	return status;
}

/* What a client would have asked for here. */
enum gs_status gs_pushed_request(
    struct entry *entry, const struct gs_wire_push *push, struct gs_str content, struct gs_ingest_push *what) {
	*what = (struct gs_ingest_push){
	    .format = {.format = push->format, .utf8_names = push->utf8_names},
	    .ttl_ms = push->ttl_ms,
	    .leaves = push->op == GS_WIRE_PUSH_INGEST,
	};
	if (push->ttl_ms > GS_LIMIT_TTL_MS || !gs_str_is_utf8(push->publisher) || !gs_str_is_utf8(push->id))
		return GS_EINVAL;
	if (push->mode.n != 0 && gs_mode_parse(push->mode, &what->mode, NULL) != GS_OK)
		return GS_EINVAL;
	entry->info.key.publisher = gs_arena_dup(entry->arena, push->publisher);
	entry->info.key.instance = gs_arena_dup(entry->arena, push->id);
	entry->token = gs_arena_dup(entry->arena, push->token);
	enum gs_status status = read_labels(entry, push, content, what);
	if (status == GS_OK && push->op == GS_WIRE_PUSH_DELETE && what->nlabels == 0)
		status = GS_EINVAL; /* would delete everything */
	return status;
}

enum entry_kind gs_pushed_kind(enum gs_wire_push_op op) {
	switch (op) {
	case GS_WIRE_PUSH:
	case GS_WIRE_PUSH_INGEST:
		return ENTRY_PUSH;
	case GS_WIRE_PUSH_DELETE:
		return ENTRY_DELETE;
	case GS_WIRE_PUSH_GATEWAY_PUT:
	case GS_WIRE_PUSH_GATEWAY_POST:
	case GS_WIRE_PUSH_GATEWAY_DELETE:
		break;
	}
	return ENTRY_GATEWAY;
}

enum gs_gateway_op gs_pushed_gateway_op(enum gs_wire_push_op op) {
	if (op == GS_WIRE_PUSH_GATEWAY_DELETE)
		return GS_GATEWAY_DELETE;
	return op == GS_WIRE_PUSH_GATEWAY_PUT ? GS_GATEWAY_PUT : GS_GATEWAY_POST;
}

/* ${content} stands in entry->text already, unless it was put together from parts. */
static enum gs_status queue_push(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_message *message,
    const struct gs_wire_push *push, struct gs_str content) {
	struct gs_ingest_push what;
	struct gs_error err = {0};
	if (content.p != entry->text.p && content.n != 0) {
		gs_buf_clear(&entry->text);
		entry->text.max = GS_LIMIT_WIRE_BODY;
		gs_buf_str(&entry->text, content);
		content = gs_buf_slice(&entry->text);
	}
	enum gs_status status = entry->text.status;
	if (status == GS_OK)
		status = gs_pushed_request(entry, push, content, &what);
	if (status != GS_OK) {
		drop(ingest, push, status == GS_ENOMEM ? "memory" : "header", "what it asks for cannot be read");
		gs_entry_put(ingest, entry);
		return status;
	}
	/* A receiver that had no key of its client gave it its token: nobody will send that again. */
	if (!gs_str_eq(push->id, push->token))
		what.key = push->id;
	what.done = on_done;
	what.ctx = entry;
	entry->edge = true;
	entry->mark = ingest->reading.safe;
	entry->op = gs_pushed_gateway_op(push->op);
	/* A clock that is ahead would keep its pushes from expiring. */
	entry->time_ms = push->time_ms < message->stored_ms ? push->time_ms : message->stored_ms;
	/* Limits may differ from receiver to receiver, what is in a log may not. */
	status = gs_ingest_fill_push(ingest, entry, &what, gs_ingest_reads_log(ingest), &err);
	if (status == GS_OK && gs_ingest_keeps_log(ingest)) {
		struct record record = {.op = push->op,
		    .push = &what,
		    .publisher = push->publisher,
		    .id = what.key,
		    .time_ms = push->time_ms,
		    .mark = entry->mark};
		status = gs_record_write(ingest, entry, &record, &err);
	}
	if (status != GS_OK) {
		on_done(entry, status, &err);
		gs_entry_put(ingest, entry);
		return status;
	}
	gs_ingest_hold_edge(ingest, entry);
	if (gs_ingest_reads_log(ingest))
		gs_stream_place(ingest, entry, push->time_ms);
	gs_ingest_queue(ingest, entry);
	return GS_OK;
}

/* See how far the stream is read for good. A push that stays unfinished for so long will never be whole: whoever published it is gone, and nobody was told that it counts. */
static void advance(struct gs_ingest *ingest, const struct gs_ingest_message *message) {
	struct gs_pushed *pushed = ingest->pushed;
	if (gs_wire_joiner_bytes(pushed->joiner) == 0) {
		pushed->open_ms = 0;
		ingest->reading.safe = (struct stream_mark){message->sequence, message->stored_ms};
		return;
	}
	if (pushed->open_ms == 0)
		pushed->open_ms = message->stored_ms;
	if (message->stored_ms - pushed->open_ms < UNFINISHED_MS)
		return;
	struct gs_wire_joiner *joiner = gs_wire_joiner_new(JOINER_BYTES);
	if (joiner == NULL)
		return;
	gs_wire_joiner_free(pushed->joiner);
	pushed->joiner = joiner;
	pushed->open_ms = 0;
	gs_metric_add_l(GS_M_EDGE_DROPPED, 1, "incomplete", NULL);
}

/* Whether all of it was taken before: by an earlier run of the program, or in another message. */
static bool was_taken(struct gs_ingest *ingest, const struct gs_ingest_message *message, struct gs_str id) {
	const struct stream_mark *start = &ingest->start;
	gs_ingest_store_take(ingest);
	bool known = gs_push_keys_has(ingest->keys, gs_key_hash(id));
	gs_ingest_store_release(ingest);
	return known || (message->sequence != 0 && message->sequence <= start->sequence &&
			    message->stored_ms <= start->stored_ms);
}

/* Decompress into the entry, put parts together, and leave out what came before. ${taken}: what it completes was applied. */
static enum gs_status take_content(struct gs_ingest *ingest, struct entry *entry,
    const struct gs_ingest_message *message, const struct gs_wire_push *push, bool taken) {
	struct gs_pushed *pushed = ingest->pushed;
	enum gs_wire_joined joined = GS_WIRE_DROP;
	char time[24];
	size_t n =
	    gs_num_print_i64(time, push->time_ms); /* a push that is tried again is another one, until it is whole */
	struct gs_wire_group group = {push->publisher, gs_str_make(time, n), push->id};
	struct gs_wire_header header = {.time_ms = push->time_ms, .part = push->part, .parts = push->parts};
	struct gs_str content = {0};
	size_t discarded = 0;
	const char *reason = NULL;
	enum gs_status status = GS_OK;
	if (message->data.n != 0 || push->body_size != 0)
		status = gs_codec_decompress(pushed->codec, GS_CODEC_ZSTD, message->data, &entry->text);
	if (status != GS_OK || entry->text.n != push->body_size) {
		drop(ingest, push, "body", "it does not decompress to the size that its header says");
		gs_entry_put(ingest, entry);
		return status;
	}
	status = gs_wire_joiner_add(
	    pushed->joiner, &group, &header, gs_buf_slice(&entry->text), &joined, &content, &discarded);
	if (discarded != 0)
		gs_metric_add_l(GS_M_EDGE_DROPPED, (double)discarded, "incomplete", NULL);
	advance(ingest, message);
	if (status != GS_OK)
		reason = "memory";
	else if (joined == GS_WIRE_DROP)
		reason = "part";
	if (reason != NULL)
		drop(ingest, push, reason,
		    reason[0] == 'm' ? "no room for it" : "it repeats or contradicts other parts");
	if (reason == NULL && joined == GS_WIRE_WHOLE && !taken)
		return queue_push(ingest, entry, message, push, content);
	gs_entry_put(ingest, entry);
	return status;
}

/* GS_ENOMEM: it could not be taken in, whatever it is. */
static enum gs_status take_push(struct gs_ingest *ingest, const struct gs_ingest_message *message, bool taken) {
	struct gs_wire_push push;
	struct gs_error err = {0};
	uint32_t shard = 0;
	if (gs_wire_push_parse_subject(message->subject, gs_str_of(ingest->topic), &shard) != GS_OK) {
		drop(ingest, NULL, "subject", "not a subject of ours");
		return GS_OK;
	}
	enum gs_status status = gs_wire_push_parse(message->header, &ingest->pushed->scratch, &push, &err);
	if (status != GS_OK) {
		drop(ingest, NULL, status == GS_EUNSUPPORTED ? "version" : "header", err.text);
		return status;
	}
	if (taken && push.parts == 1)
		return GS_OK;
	if (!gs_ingest_reads_log(ingest) && was_taken(ingest, message, push.id)) {
		gs_metric_add_l(GS_M_EDGE_DROPPED, 1, "duplicate", NULL);
		return GS_OK;
	}
	struct entry *entry = gs_entry_get(ingest, gs_pushed_kind(push.op));
	if (entry == NULL) {
		drop(ingest, &push, "memory", "no entry");
		return GS_ENOMEM;
	}
	entry->ingest = ingest;
	/* A bomb gets no more than its header admits. */
	entry->text.max = push.body_size > entry->text.cap ? push.body_size : entry->text.cap;
	return take_content(ingest, entry, message, &push, taken);
}

static void on_nothing(void *ctx, enum gs_status status, const struct gs_error *err) {
	(void)ctx;
	(void)status;
	(void)err;
}

/* What is no push, or a part of one, is an entry that does nothing: the position is that of the last message, whatever it was. */
static enum gs_status queue_nothing(struct gs_ingest *ingest, const struct gs_ingest_message *message) {
	struct gs_ingest_push nothing = {.done = on_nothing};
	struct entry *entry = gs_entry_get(ingest, ENTRY_PUSH);
	if (entry == NULL)
		return GS_ENOMEM;
	enum gs_status status = gs_ingest_fill_push(ingest, entry, &nothing, true, NULL);
	if (status != GS_OK) {
		gs_entry_put(ingest, entry);
		return status;
	}
	entry->edge = true;
	entry->mark = ingest->reading.safe;
	gs_stream_place(ingest, entry, message->stored_ms);
	gs_ingest_queue(ingest, entry);
	return GS_OK;
}

/* A message of a stream that is the log. */
static void take_logged(struct gs_ingest *ingest, const struct gs_ingest_message *message) {
	struct gs_error err = {0};
	enum stream_news news = gs_stream_see(ingest, message);
	enum gs_status status = GS_OK;
	if (news != STREAM_SEEN)
		status = take_push(ingest, message, news == STREAM_TAKEN);
	if (news == STREAM_NEW && status != GS_ENOMEM && ingest->reading.placed != message->sequence)
		status = queue_nothing(ingest, message);
	if (status == GS_ENOMEM) {
		gs_error_set(&err, GS_ENOMEM, 0, 0, "out of memory while reading the push log");
		gs_ingest_fail(ingest, &err);
	}
	gs_stream_count(ingest);
}

void gs_ingest_pushed(struct gs_ingest *ingest, const struct gs_ingest_message *message) {
	gs_metric_add(GS_M_RECEIVED, 1);
	gs_metric_add(GS_M_RECEIVED_BYTES, (double)(message->data.n + message->header.n));
	if (gs_ingest_reads_log(ingest))
		take_logged(ingest, message);
	else
		(void)!take_push(ingest, message, false);
}
