/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes that a poller took: from a message of their stream to an entry for the writer. Every byte here comes from outside. */
#include <stdio.h>

#include "gravel/base/mem.h"
#include "gravel/ingest/path.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "gravel/wire/push.h"
#include "ingest_internal.h"

#define JOINER_BYTES ((size_t)256 * 1024 * 1024)

/* The id of a push that came: in a list, oldest first, and in a map. */
struct seen_push {
	struct seen_push *newer;
	int64_t stored_ms;
	size_t n;
	char id[];
};

/* The push thread's alone. */
struct gs_pushed {
	struct gs_codec *codec;
	struct gs_wire_joiner *joiner;
	struct gs_buf scratch;
	struct gs_map *ids;
	struct seen_push *oldest;
	struct seen_push *newest;
};

struct gs_pushed *gs_pushed_new(void) {
	struct gs_pushed *pushed = gs_alloc(sizeof(*pushed));
	if (pushed == NULL)
		return NULL;
	gs_buf_init(&pushed->scratch, GS_LIMIT_HEADER);
	pushed->codec = gs_codec_new();
	pushed->joiner = gs_wire_joiner_new(JOINER_BYTES);
	pushed->ids = gs_map_new(GS_LIMIT_PUSH_IDS);
	if (pushed->codec != NULL && pushed->joiner != NULL && pushed->ids != NULL)
		return pushed;
	gs_pushed_free(pushed);
	return NULL;
}

static void forget_oldest(struct gs_pushed *pushed) {
	struct seen_push *seen = pushed->oldest;
	gs_map_remove(pushed->ids, gs_str_make(seen->id, seen->n));
	pushed->oldest = seen->newer;
	if (pushed->oldest == NULL)
		pushed->newest = NULL;
	gs_free(seen);
}

void gs_pushed_free(struct gs_pushed *pushed) {
	if (pushed == NULL)
		return;
	while (pushed->oldest != NULL)
		forget_oldest(pushed);
	gs_map_free(pushed->ids);
	gs_codec_free(pushed->codec);
	gs_wire_joiner_free(pushed->joiner);
	gs_buf_free(&pushed->scratch);
	gs_free(pushed);
}

/* Remember the id, by the clock of the stream, so that every reader of it forgets the same ones. */
static enum gs_status remember(struct gs_pushed *pushed, struct gs_str id, int64_t stored_ms) {
	while (pushed->oldest != NULL && (pushed->oldest->stored_ms < stored_ms - GS_LIMIT_PUSH_ID_MS ||
					     gs_map_count(pushed->ids) >= GS_LIMIT_PUSH_IDS))
		forget_oldest(pushed);
	struct seen_push *seen = gs_alloc(sizeof(*seen) + id.n);
	if (seen == NULL)
		return GS_ENOMEM;
	memcpy(seen->id, id.p, id.n);
	seen->n = id.n;
	seen->stored_ms = stored_ms;
	enum gs_status status = gs_map_put(pushed->ids, gs_str_make(seen->id, seen->n), seen);
	if (status != GS_OK) {
		gs_free(seen);
		return status;
	}
	*(pushed->newest != NULL ? &pushed->newest->newer : &pushed->oldest) = seen;
	pushed->newest = seen;
	return GS_OK;
}

/* Its client heard 200 and cannot be told: count it, and tell the operator who lost what. */
static void drop(const struct gs_wire_push *push, const char *reason, const char *text) {
	static struct gs_log_limit limit;
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
	drop(&push, refusal(status), text);
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
static enum gs_status read_request(
    struct entry *entry, const struct gs_wire_push *push, struct gs_str content, struct gs_ingest_push *what) {
	*what = (struct gs_ingest_push){
	    .format = {.format = push->format, .utf8_names = push->utf8_names},
	    .ttl_ms = push->ttl_ms,
	    .leaves = push->op == GS_WIRE_PUSH_INGEST,
	    .done = on_done,
	    .ctx = entry,
	};
	if (push->ttl_ms > GS_LIMIT_TTL_MS || !gs_str_is_utf8(push->publisher) || !gs_str_is_utf8(push->id))
		return GS_EINVAL;
	if (push->mode.n != 0 && gs_mode_parse(push->mode, &what->mode, NULL) != GS_OK)
		return GS_EINVAL;
	entry->info.key.publisher = gs_arena_dup(entry->arena, push->publisher);
	entry->info.key.instance = gs_arena_dup(entry->arena, push->id);
	enum gs_status status = read_labels(entry, push, content, what);
	if (status == GS_OK && push->op == GS_WIRE_PUSH_DELETE && what->nlabels == 0)
		status = GS_EINVAL; /* would delete everything */
	return status;
}

static enum entry_kind kind_of(enum gs_wire_push_op op) {
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

static enum gs_gateway_op gateway_op(enum gs_wire_push_op op) {
	if (op == GS_WIRE_PUSH_GATEWAY_DELETE)
		return GS_GATEWAY_DELETE;
	return op == GS_WIRE_PUSH_GATEWAY_PUT ? GS_GATEWAY_PUT : GS_GATEWAY_POST;
}

/* ${content} stands in entry->text already, unless it was put together from parts. */
static void queue_push(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_message *message,
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
		status = read_request(entry, push, content, &what);
	if (status != GS_OK) {
		drop(push, status == GS_ENOMEM ? "memory" : "header", "what it asks for cannot be read");
		gs_entry_put(ingest, entry);
		return;
	}
	entry->edge = true;
	entry->op = gateway_op(push->op);
	/* A clock that is ahead would keep its pushes from expiring. */
	entry->time_ms = push->time_ms < message->stored_ms ? push->time_ms : message->stored_ms;
	status = gs_ingest_fill_push(ingest, entry, &what, &err);
	if (status != GS_OK) {
		on_done(entry, status, &err);
		gs_entry_put(ingest, entry);
		return;
	}
	gs_ingest_queue(ingest, entry);
}

/* Decompress into the entry, put parts together, and leave out what came before. */
static void take_content(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_message *message,
    const struct gs_wire_push *push) {
	struct gs_pushed *pushed = ingest->pushed;
	enum gs_wire_joined joined = GS_WIRE_DROP;
	struct gs_wire_group group = {push->publisher, GS_STR("push"), push->id};
	struct gs_wire_header header = {.time_ms = push->time_ms, .part = push->part, .parts = push->parts};
	struct gs_str content = {0};
	size_t discarded = 0;
	const char *reason = NULL;
	enum gs_status status = GS_OK;
	if (message->data.n != 0 || push->body_size != 0)
		status = gs_codec_decompress(pushed->codec, GS_CODEC_ZSTD, message->data, &entry->text);
	if (status != GS_OK || entry->text.n != push->body_size) {
		drop(push, "body", "it does not decompress to the size that its header says");
		gs_entry_put(ingest, entry);
		return;
	}
	status = gs_wire_joiner_add(
	    pushed->joiner, &group, &header, gs_buf_slice(&entry->text), &joined, &content, &discarded);
	if (discarded != 0)
		gs_metric_add_l(GS_M_EDGE_DROPPED, (double)discarded, "incomplete", NULL);
	if (status == GS_OK && joined == GS_WIRE_WHOLE)
		status = remember(pushed, push->id, message->stored_ms);
	if (status != GS_OK)
		reason = "memory";
	else if (joined == GS_WIRE_DROP)
		reason = "part";
	if (reason != NULL)
		drop(push, reason, reason[0] == 'm' ? "no room for it" : "it repeats or contradicts other parts");
	if (reason == NULL && joined == GS_WIRE_WHOLE)
		queue_push(ingest, entry, message, push, content);
	else
		gs_entry_put(ingest, entry);
}

void gs_ingest_pushed(struct gs_ingest *ingest, const struct gs_ingest_message *message) {
	struct gs_wire_push push;
	struct gs_error err = {0};
	uint32_t shard = 0;
	gs_metric_add(GS_M_RECEIVED, 1);
	gs_metric_add(GS_M_RECEIVED_BYTES, (double)(message->data.n + message->header.n));
	if (gs_wire_push_parse_subject(message->subject, gs_str_of(ingest->topic), &shard) != GS_OK) {
		drop(NULL, "subject", "not a subject of ours");
		return;
	}
	enum gs_status status = gs_wire_push_parse(message->header, &ingest->pushed->scratch, &push, &err);
	if (status != GS_OK) {
		drop(NULL, status == GS_EUNSUPPORTED ? "version" : "header", err.text);
		return;
	}
	if (gs_map_get(ingest->pushed->ids, push.id) != NULL) {
		gs_metric_add_l(GS_M_EDGE_DROPPED, 1, "duplicate", NULL);
		return;
	}
	struct entry *entry = gs_entry_get(ingest, kind_of(push.op));
	if (entry == NULL) {
		drop(&push, "memory", "no entry");
		return;
	}
	/* A bomb gets no more than its header admits. */
	entry->text.max = push.body_size > entry->text.cap ? push.body_size : entry->text.cap;
	take_content(ingest, entry, message, &push);
}
