/* SPDX-License-Identifier: Apache-2.0 */
/* From a message of the stream to an entry for the writer. Every byte here comes from outside. */
#include "gravel/base/clock.h"
#include "gravel/base/mem.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "ingest_internal.h"

#define INTERVAL_MAX_MS                                                                                                \
	(24 * 3600 * 1000) /* as the configuration; three of them are the patience with a silent group */
#define JOINER_BYTES ((size_t)256 * 1024 * 1024)
#define TARGET_LABELS_MAX (GS_BATCH_LABELS_MAX - 3)
#define LABELS_MAX (TARGET_LABELS_MAX + 3)

enum gs_status gs_message_open(struct gs_ingest *ingest) {
	ingest->codec = gs_codec_new();
	ingest->joiner = gs_wire_joiner_new(JOINER_BYTES);
	gs_buf_init(&ingest->subject_scratch, GS_LIMIT_SUBJECT + 1);
	gs_buf_init(&ingest->header_scratch, GS_LIMIT_HEADER);
	gs_buf_init(&ingest->part, GS_LIMIT_WIRE_BODY);
	return ingest->codec != NULL && ingest->joiner != NULL ? GS_OK : GS_ENOMEM;
}

void gs_message_close(struct gs_ingest *ingest) {
	gs_codec_free(ingest->codec);
	gs_wire_joiner_free(ingest->joiner);
	gs_buf_free(&ingest->subject_scratch);
	gs_buf_free(&ingest->header_scratch);
	gs_buf_free(&ingest->part);
}

/* Count a message that is not applied; the first of a kind in a minute is told to the operator. */
static void drop(const struct gs_ingest_message *message, const char *reason, const char *text) {
	static struct gs_log_limit limit;
	gs_metric_add_l(GS_M_DROPPED, 1, reason, NULL);
	gs_log_limited(&limit, 60000, GS_LOG_WARN, "dropped a message on \"%.*s\": %s: %s", GS_FMT(message->subject),
	    reason, text);
}

/* The labels of the target, read by the parser of expositions as those of a sample; copies in the arena of the entry. An empty value is one: it takes the
 * label away. */
static enum gs_status read_labels(
    struct gs_expo_parser *parser, struct gs_str text, struct gs_arena *arena, struct gs_label *labels, size_t *n) {
	struct gs_buf line;
	struct gs_expo_event event = {0};
	if (text.n == 0)
		return GS_OK;
	gs_buf_init(&line, GS_LIMIT_HEADER + 16);
	gs_buf_cstr(&line, "t{");
	gs_buf_str(&line, text);
	gs_buf_cstr(&line, "} 1\n");
	gs_expo_begin_text(parser, gs_buf_slice(&line));
	enum gs_status status = line.status != GS_OK ? line.status : gs_expo_next(parser, &event, NULL);
	if (status == GS_OK && (event.kind != GS_EXPO_SAMPLE || event.nlabels > TARGET_LABELS_MAX))
		status = GS_EINVAL;
	for (size_t i = 0; status == GS_OK && i < event.nlabels; i++) {
		struct gs_label label = {
		    gs_arena_dup(arena, event.labels[i].name), gs_arena_dup(arena, event.labels[i].value)};
		if (label.name.n != event.labels[i].name.n || label.value.n != event.labels[i].value.n)
			status = GS_ENOMEM;
		bool ours = gs_str_eq(label.name, GS_STR("publisher")) || gs_str_eq(label.name, GS_STR("clearmode"));
		if (status == GS_OK && !ours)
			labels[(*n)++] = label;
	}
	/* Text that closes the braces itself and goes on is none. */
	if (status == GS_OK && (gs_expo_next(parser, &event, NULL) != GS_OK || event.kind != GS_EXPO_END))
		status = GS_EINVAL;
	gs_buf_free(&line);
	return status;
}

struct own_gauge {
	struct gs_str name;
	struct gs_str help;
	double value;
};

/* What every scrape carries, named and meant as by Prometheus. */
static enum gs_status add_gauges(struct gs_batch *batch, const struct scrape_gauges *scrape) {
	const struct own_gauge gauges[] = {
	    {GS_STR("up"), GS_STR("1 if the target could be scraped, 0 if not."), scrape->up},
	    {GS_STR("scrape_duration_seconds"), GS_STR("How long the scrape took."), scrape->duration_s},
	    {GS_STR("scrape_samples_scraped"), GS_STR("Samples that the target exposed."), scrape->samples},
	    {GS_STR("scrape_samples_post_metric_relabeling"), GS_STR("Samples left after relabeling."),
		scrape->samples_kept},
	    {GS_STR("scrape_series_added"), GS_STR("Series that the scrape before did not have."),
		scrape->series_added},
	};
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		enum gs_status status = gs_batch_gauge(batch, gauges[i].name, gauges[i].help, gauges[i].value);
		if (status != GS_OK)
			return status;
	}
	return GS_OK;
}

static enum gs_status copy_key(struct entry *entry, const struct gs_wire_group *group) {
	entry->info.key.publisher = gs_arena_dup(entry->arena, group->publisher);
	entry->info.key.job = gs_arena_dup(entry->arena, group->job);
	entry->info.key.instance = gs_arena_dup(entry->arena, group->instance);
	bool whole = entry->info.key.publisher.n == group->publisher.n && entry->info.key.job.n == group->job.n &&
		     entry->info.key.instance.n == group->instance.n;
	return whole ? GS_OK : GS_ENOMEM;
}

static bool has_label(const struct gs_label *labels, size_t n, struct gs_str name) {
	for (size_t i = 0; i < n; i++) {
		if (gs_str_eq(labels[i].name, name))
			return true;
	}
	return false;
}

/* The labels of every series of the scrape, in the arena of the entry. */
static enum gs_status set_labels(
    struct gs_ingest *ingest, struct entry *entry, struct gs_expo_parser *parser, const struct gs_wire_header *header) {
	struct gs_label *labels = gs_arena_alloc(entry->arena, LABELS_MAX * sizeof(*labels));
	size_t n = 0;
	if (labels == NULL)
		return GS_ENOMEM;
	enum gs_status status = read_labels(parser, header->labels, entry->arena, labels, &n);
	if (!header->results && !has_label(labels, n, GS_STR("job")))
		labels[n++] = (struct gs_label){GS_STR("job"), entry->info.key.job};
	if (!header->results && !has_label(labels, n, GS_STR("instance")))
		labels[n++] = (struct gs_label){GS_STR("instance"), entry->info.key.instance};
	if (ingest->options.publisher_label)
		labels[n++] = (struct gs_label){GS_STR("publisher"), entry->info.key.publisher};
	entry->labels = labels;
	entry->nlabels = n;
	return status;
}

enum gs_status gs_message_begin(struct gs_ingest *ingest, struct entry *entry, bool limited) {
	struct gs_batch_options options = {
	    .labels = entry->labels,
	    .nlabels = entry->nlabels,
	    .rule = entry->rule,
	    .lenient = true,
	    .max_samples = SIZE_MAX,
	};
	if (limited) {
		options.max_labels = ingest->options.max_labels;
		options.max_name = ingest->options.max_name;
		options.max_value = ingest->options.max_value;
	}
	gs_batch_begin(entry->batch, &options);
	return entry->results ? GS_OK : add_gauges(entry->batch, &entry->gauges);
}

static enum gs_status fill_entry(struct gs_ingest *ingest, struct entry *entry, struct gs_expo_parser *parser,
    const struct gs_wire_group *group, const struct gs_wire_header *header, struct gs_str body, struct gs_error *err) {
	enum gs_status status = copy_key(entry, group);
	if (status == GS_OK)
		status = set_labels(ingest, entry, parser, header);
	if (status != GS_OK)
		return gs_error_set(err, status, 0, 0, "the labels of the target cannot be read");
	entry->results = header->results;
	entry->rule = header->honor_labels ? GS_LABELS_HONOR : GS_LABELS_EXPORT;
	entry->gauges = (struct scrape_gauges){
	    .up = header->up,
	    .duration_s = (double)header->duration_us / 1e6,
	    .samples = (double)header->samples,
	    .samples_kept = (double)header->samples_kept,
	    .series_added = (double)header->series_added,
	};
	status = gs_message_begin(ingest, entry, true);
	if (status != GS_OK)
		return status;
	struct gs_expo_options format = {
	    .format = header->format, .utf8_names = header->utf8_names, .lines_only = true};
	return gs_batch_read(entry->batch, parser, &format, body, err);
}

/* ${body} stands in entry->text already, unless it was put together from parts. */
static void queue_scrape(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_message *message,
    const struct gs_wire_group *group, const struct gs_wire_header *header, struct gs_str body) {
	struct gs_error err = {0};
	if (body.p != entry->text.p && body.n != 0) {
		gs_buf_clear(&entry->text);
		entry->text.max = GS_LIMIT_WIRE_BODY;
		gs_buf_str(&entry->text, body);
		body = gs_buf_slice(&entry->text);
	}
	struct kit *kit = entry->text.status == GS_OK ? gs_kit_get(ingest) : NULL;
	enum gs_status status = GS_ENOMEM;
	if (kit != NULL) {
		status = fill_entry(ingest, entry, kit->parser, group, header, body, &err);
		gs_kit_put(ingest, kit);
	}
	if (status == GS_ELIMIT) {
		drop(message, "limit", err.text);
		status = gs_ingest_limited_scrape(ingest, entry, err.limit);
	}
	if (status != GS_OK) {
		drop(message, status == GS_ENOMEM ? "memory" : "parse", err.text);
		gs_entry_put(ingest, entry);
		return;
	}
	entry->info.time_ms = header->time_ms;
	entry->info.interval_ms = header->interval_ms < INTERVAL_MAX_MS ? header->interval_ms : INTERVAL_MAX_MS;
	entry->end_ms = header->time_ms + header->duration_us / 1000;
	entry->sent_ms = header->sent_ms;
	entry->stored_ms = message->stored_ms;
	gs_ingest_queue(ingest, entry);
}

/* Decompress into the entry and put parts together. */
static void take_body(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_message *message,
    const struct gs_wire_group *group, const struct gs_wire_header *header) {
	enum gs_wire_joined joined = GS_WIRE_DROP;
	struct gs_str body = {0};
	size_t discarded = 0;
	enum gs_status status = GS_OK;
	if (message->data.n != 0 || header->body_size != 0)
		status = gs_codec_decompress(ingest->codec, GS_CODEC_ZSTD, message->data, &entry->text);
	if (status != GS_OK || entry->text.n != header->body_size) {
		drop(message, "body", "it does not decompress to the size that its header says");
		gs_entry_put(ingest, entry);
		return;
	}
	status =
	    gs_wire_joiner_add(ingest->joiner, group, header, gs_buf_slice(&entry->text), &joined, &body, &discarded);
	if (discarded != 0)
		gs_metric_add_l(GS_M_DROPPED, (double)discarded, "incomplete", NULL);
	if (status == GS_OK && joined == GS_WIRE_WHOLE) {
		queue_scrape(ingest, entry, message, group, header, body);
		return;
	}
	if (status != GS_OK)
		drop(message, "memory", "a part of a scrape");
	else if (joined == GS_WIRE_DROP)
		drop(message, "part", "it repeats or contradicts other parts of its scrape");
	gs_entry_put(ingest, entry);
}

/* What came of the group before this message says nothing any more; nor does what its parts could still have become. */
static void take_gone(struct gs_ingest *ingest, struct entry *entry, const struct gs_ingest_message *message,
    const struct gs_wire_group *group, const struct gs_wire_header *header) {
	size_t discarded = 0;
	enum gs_status status = gs_wire_joiner_forget(ingest->joiner, group, header->time_ms, &discarded);
	if (discarded != 0)
		gs_metric_add_l(GS_M_DROPPED, (double)discarded, "incomplete", NULL);
	if (status == GS_OK)
		status = copy_key(entry, group);
	if (status != GS_OK) {
		drop(message, "memory", "a target that is gone");
		gs_entry_put(ingest, entry);
		return;
	}
	entry->info.time_ms = entry->end_ms = header->time_ms;
	entry->sent_ms = header->sent_ms;
	entry->stored_ms = message->stored_ms;
	gs_ingest_queue(ingest, entry);
}

/* They become label values, and one that is not UTF-8 would cost Prometheus the whole exposition. */
static bool names_are_text(const struct gs_wire_group *group) {
	return gs_str_is_utf8(group->publisher) && gs_str_is_utf8(group->job) && gs_str_is_utf8(group->instance);
}

void gs_ingest_message(struct gs_ingest *ingest, const struct gs_ingest_message *message) {
	struct gs_wire_group group;
	struct gs_wire_header header;
	struct gs_error err = {0};
	uint32_t slot = 0;
	gs_metric_add(GS_M_RECEIVED, 1);
	gs_metric_add(GS_M_RECEIVED_BYTES, (double)(message->data.n + message->header.n));
	enum gs_status status =
	    gs_wire_parse_subject(message->subject, gs_str_of(ingest->topic), &ingest->subject_scratch, &group, &slot);
	if (status != GS_OK || !names_are_text(&group)) {
		drop(message, "subject", "not a subject of ours");
		return;
	}
	status = gs_wire_header_parse(message->header, &ingest->header_scratch, &header, &err);
	if (status != GS_OK) {
		drop(message, status == GS_EUNSUPPORTED ? "version" : "header", err.text);
		return;
	}
	/* What is too old is not worth unpacking; the writer looks again. */
	int64_t max_age = ingest->options.store.max_age_ms;
	if (max_age != 0 && gs_clock_wall_ms() - header.time_ms > max_age) {
		gs_metric_add_l(GS_M_DROPPED, 1, "max_age", NULL);
		return;
	}
	struct entry *entry = gs_entry_get(ingest, header.kind == GS_WIRE_GONE ? ENTRY_GONE : ENTRY_SCRAPE);
	if (entry == NULL) {
		drop(message, "memory", "no entry");
		return;
	}
	if (header.kind == GS_WIRE_GONE) {
		take_gone(ingest, entry, message, &group, &header);
		return;
	}
	/* A bomb gets no more than its header admits. */
	entry->text.max = header.body_size > entry->text.cap ? header.body_size : entry->text.cap;
	take_body(ingest, entry, message, &group, &header);
}
