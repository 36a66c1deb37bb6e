/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/relay/relay.h"

#include <stdio.h>

#include "gravel/base/clock.h"
#include "gravel/base/lock.h"
#include "gravel/base/mem.h"
#include "gravel/expo/write.h"
#include "gravel/log/log.h"
#include "gravel/telemetry/telemetry.h"
#include "intake.h"
#include "outgoing.h"

/* Fixed: what is kept for the next large bodies; more of them at once take their memory when they come. */
#define SPARE_MAX 2

struct gs_relay_target {
	struct gs_relay_target *next, **link; /* all of the relay's, under its lock */
	struct gs_relay_target_options options;
	struct gs_wire_group group;
	char *key; /* of the outbox */
	char *labels; /* for the header */
	struct gs_label *own_labels; /* for the transform */
	char *label_text; /* what those point to */
	/* The scraper's thread alone. */
	struct gs_series_set *series;
	bool known; /* to its transform */
	struct gs_intake *intake; /* of a body that comes in pieces */
	enum gs_scrape_cause last_cause; /* that was logged */
	/* Under the relay's lock. */
	enum gs_scrape_cause cause;
	int64_t time_ms;
	int64_t duration_us;
	uint64_t samples;
	char *text; /* NULL: nothing to say */
};

struct gs_relay {
	struct gs_outgoing *outgoing;
	char *identity;
	char *topic;
	struct gs_lock lock; /* of the list of targets and how they are */
	bool has_lock;
	struct gs_relay_target *targets;
	/* The scraper's thread alone. */
	struct gs_codec *codec;
	struct gs_intake *intake; /* of bodies that come whole */
	struct gs_intake *spare[SPARE_MAX];
	size_t nspare;
};

/* From a scrape to messages */

static struct gs_outgoing_scrape scrape_of(const struct gs_relay *relay, const struct gs_relay_target *target) {
	return (struct gs_outgoing_scrape){
	    .topic = gs_str_of(relay->topic),
	    .group = &target->group,
	    .key = gs_str_of(target->key),
	};
}

static struct gs_intake *get_intake(struct gs_relay *relay) {
	return relay->nspare != 0 ? relay->spare[--relay->nspare] : gs_intake_new();
}

static void put_intake(struct gs_relay *relay, struct gs_intake *intake) {
	if (relay->nspare == SPARE_MAX) {
		gs_intake_free(intake);
		return;
	}
	gs_intake_drop(intake);
	relay->spare[relay->nspare++] = intake;
}

/* What its scrapes are to a transform. */
static uint64_t target_number(const struct gs_relay_target *target) {
	return (uint64_t)(uintptr_t)target;
}

static void begin_intake(struct gs_relay *relay, struct gs_relay_target *target, struct gs_intake *intake,
    struct gs_str content_type, bool pieces) {
	struct gs_intake_options options = {
	    .content_type = content_type,
	    .series = target->series,
	    .transform = target->options.transform,
	    .labels = target->own_labels,
	    .nlabels = target->options.nlabels,
	    .target = target_number(target),
	    .pieces = pieces,
	    .codec = relay->codec,
	    .part_size = gs_outgoing_part_size(relay->outgoing),
	};
	target->known = true;
	gs_intake_begin(intake, &options);
}

bool gs_relay_body(void *ctx, const struct gs_scrape_target *of, struct gs_str content_type, struct gs_str piece) {
	struct gs_relay *relay = ctx;
	struct gs_relay_target *target = of->user;
	gs_metric_add(GS_M_SCRAPE_BYTES, (double)piece.n);
	if (target->intake == NULL) {
		target->intake = get_intake(relay);
		if (target->intake == NULL)
			return false;
		begin_intake(relay, target, target->intake, content_type, true);
	}
	return gs_intake_feed(target->intake, piece, false);
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

static void lose(const struct gs_relay_target *target, enum gs_status status) {
	static struct gs_log_limit limit;
	const char *reason = status == GS_ELIMIT ? "too_large" : gs_status_name(status);
	gs_metric_add_l(GS_M_PUBLISH_DROPPED, 1, reason, NULL);
	gs_log_limited(&limit, 60000, GS_LOG_WARN,
	    "a scrape of target \"%s\" of job \"%s\" cannot be sent: %s; see poller_stream.buffer",
	    target->options.instance, target->options.job, reason);
}

/* For pages. */
static void note_state(struct gs_relay *relay, struct gs_relay_target *target, const struct gs_scrape_result *result,
    enum gs_scrape_cause cause, const char *text, uint64_t samples) {
	char *copy = text[0] != '\0' ? gs_strdup(gs_str_of(text)) : NULL;
	gs_lock_take(&relay->lock);
	char *old = target->text;
	target->text = copy;
	target->cause = cause;
	target->time_ms = result->time_ms;
	target->duration_us = result->duration_us;
	target->samples = samples;
	gs_lock_release(&relay->lock);
	gs_free(old);
}

/* What the body was. Returns the cause, with ${err} where that is not of the fetch. */
static enum gs_scrape_cause examine(struct gs_relay *relay, struct gs_relay_target *target,
    const struct gs_scrape_result *result, struct gs_intake_result *ret, struct gs_error *err) {
	struct gs_intake *intake = target->intake;
	if (result->cause != GS_SCRAPE_OK && (intake == NULL || result->cause != GS_SCRAPE_PARSE))
		return result->cause;
	if (intake == NULL) {
		intake = relay->intake;
		begin_intake(relay, target, intake, result->content_type, false);
	}
	if (result->cause == GS_SCRAPE_OK)
		(void)gs_intake_feed(intake, result->body, true);
	enum gs_status status = gs_intake_end(intake, ret, err);
	if (status == GS_OK)
		return GS_SCRAPE_OK;
	return status == GS_ENOMEM ? GS_SCRAPE_OTHER : GS_SCRAPE_PARSE;
}

static void describe(struct gs_wire_header *header, const struct gs_intake_result *intake) {
	header->samples = intake->samples;
	header->samples_kept = intake->kept;
	header->honor_labels = intake->honor_labels;
	header->series_added = intake->series_added;
	header->format = intake->format.format;
	header->utf8_names = intake->format.utf8_names;
}

static void say_why(char *text, size_t n, const struct gs_error *err, const struct gs_scrape_result *result) {
	if (err->line != 0)
		snprintf(text, n, "%u:%u: %s", err->line, err->column, err->text);
	else
		snprintf(text, n, "%s", err->text[0] != '\0' ? err->text : result->text);
}

void gs_relay_result(void *ctx, const struct gs_scrape_result *result) {
	struct gs_relay *relay = ctx;
	struct gs_relay_target *target = result->target->user;
	struct gs_intake_result intake = {0};
	struct gs_error err = {0};
	char text[sizeof(err.text) + 32];
	struct gs_outgoing_scrape scrape = scrape_of(relay, target);
	gs_metric_add(GS_M_SCRAPES, 1);
	gs_metric_add(GS_M_SCRAPE_BYTES, (double)result->body.n);
	enum gs_scrape_cause cause = examine(relay, target, result, &intake, &err);
	scrape.header = (struct gs_wire_header){
	    .kind = GS_WIRE_SCRAPE,
	    .up = cause == GS_SCRAPE_OK,
	    .time_ms = result->time_ms,
	    .sent_ms = result->time_ms,
	    .interval_ms = target->options.interval_ms,
	    .duration_us = result->duration_us,
	    .labels = gs_str_of(target->labels),
	};
	describe(&scrape.header, &intake); /* as in Prometheus a body that failed has what came before it did */
	if (cause == GS_SCRAPE_OK) {
		scrape.parts = intake.parts;
		scrape.nparts = intake.nparts;
		gs_metric_add(GS_M_SCRAPE_SAMPLES, (double)intake.samples);
	} else {
		gs_metric_add_l(GS_M_SCRAPE_FAILURES, 1, gs_scrape_cause_name(cause), NULL);
		scrape.header.cause = gs_str_of(gs_scrape_cause_name(cause));
		scrape.header.format = GS_FORMAT_TEXT; /* of no body: an empty one is no OpenMetrics */
		scrape.header.utf8_names = false;
	}
	say_why(text, sizeof(text), &err, result);
	log_result(target, cause, text, &scrape.header);
	note_state(relay, target, result, cause, text, intake.samples);
	enum gs_status status = gs_outgoing_put(relay->outgoing, &scrape);
	if (status != GS_OK)
		lose(target, status);
	if (target->intake != NULL)
		put_intake(relay, target->intake);
	target->intake = NULL;
}

/* What is no scrape */

static void target_free(struct gs_relay_target *target);
static enum gs_status target_new(
    struct gs_relay *relay, const struct gs_relay_target_options *options, struct gs_relay_target **ret);

void gs_relay_exposition(struct gs_relay *relay, const char *job, const char *instance, int64_t interval_ms,
    int64_t time_ms, struct gs_str body) {
	struct gs_relay_target_options options = {.job = job, .instance = instance, .interval_ms = interval_ms};
	struct gs_intake_options taken = {.codec = relay->codec, .part_size = gs_outgoing_part_size(relay->outgoing)};
	struct gs_relay_target *target = NULL;
	struct gs_intake_result result = {0};
	enum gs_status status = target_new(relay, &options, &target);
	gs_intake_begin(relay->intake, &taken);
	(void)gs_intake_feed(relay->intake, body, true);
	if (status == GS_OK)
		status = gs_intake_end(relay->intake, &result, NULL);
	if (status == GS_OK) {
		struct gs_outgoing_scrape scrape = scrape_of(relay, target);
		scrape.header = (struct gs_wire_header){
		    .kind = GS_WIRE_SCRAPE,
		    .up = true,
		    .results = true,
		    .time_ms = time_ms,
		    .sent_ms = time_ms,
		    .interval_ms = interval_ms,
		};
		describe(&scrape.header, &result);
		scrape.header.honor_labels = true;
		scrape.parts = result.parts;
		scrape.nparts = result.nparts;
		status = gs_outgoing_put(relay->outgoing, &scrape);
	}
	if (status != GS_OK) {
		struct gs_relay_target lost = {.options = options};
		lose(&lost, status);
	}
	target_free(target);
}

static enum gs_status tell_gone(struct gs_relay *relay, const struct gs_relay_target *target) {
	struct gs_outgoing_scrape scrape = scrape_of(relay, target);
	int64_t now = gs_clock_wall_ms();
	/* The clock may have been set back since its last scrape, which must not bring it back. */
	scrape.header = (struct gs_wire_header){
	    .kind = GS_WIRE_GONE, .time_ms = now > target->time_ms ? now : target->time_ms, .sent_ms = now};
	return gs_outgoing_put(relay->outgoing, &scrape);
}

/* Opening, targets, closing */

struct gs_bus *gs_relay_bus(struct gs_relay *relay) {
	return gs_outgoing_bus(relay->outgoing);
}

bool gs_relay_connected(const struct gs_relay *relay) {
	return gs_outgoing_connected(relay->outgoing);
}

static void target_free(struct gs_relay_target *target) {
	if (target == NULL)
		return;
	gs_series_set_free(target->series);
	gs_intake_free(target->intake);
	gs_free(target->key);
	gs_free(target->labels);
	gs_free(target->own_labels);
	gs_free(target->label_text);
	gs_free(target->text);
	gs_free(target);
}

static char *terminated(struct gs_buf *buf) {
	size_t n;
	gs_buf_char(buf, '\0');
	return gs_buf_take(buf, &n);
}

static void write_label(struct gs_buf *out, struct gs_str name, struct gs_str value) {
	gs_expo_write_label(out, out->n == 0, name, value);
}

/* A label that the subject says as well is written only where it differs: another value, or an empty one for none. */
static void write_named(
    struct gs_buf *out, const struct gs_relay_target_options *options, struct gs_str name, const char *in_subject) {
	struct gs_str value = {0};
	for (size_t i = 0; i < options->nlabels; i++) {
		if (gs_str_eq(options->labels[i].name, name))
			value = options->labels[i].value;
	}
	if (!gs_str_eq(value, gs_str_of(in_subject)))
		write_label(out, name, value);
}

static enum gs_status write_labels(struct gs_relay_target *target) {
	static const struct gs_str job = GS_STR_INIT("job"), instance = GS_STR_INIT("instance");
	const struct gs_relay_target_options *options = &target->options;
	struct gs_buf buf;
	gs_buf_init(&buf, GS_LIMIT_HEADER / 2);
	for (size_t i = 0; i < options->nlabels; i++) {
		const struct gs_label *label = &options->labels[i];
		if (!gs_str_eq(label->name, job) && !gs_str_eq(label->name, instance))
			write_label(&buf, label->name, label->value);
	}
	if (options->nlabels != 0) {
		write_named(&buf, options, job, options->job);
		write_named(&buf, options, instance, options->instance);
	}
	target->labels = terminated(&buf);
	gs_buf_free(&buf);
	return target->labels != NULL ? GS_OK : buf.status;
}

static struct gs_str append_copy(char **at, struct gs_str s) {
	char *p = *at;
	if (s.n != 0)
		memcpy(p, s.p, s.n);
	*at += s.n;
	return gs_str_make(p, s.n);
}

static enum gs_status copy_labels(struct gs_relay_target *target) {
	const struct gs_relay_target_options *options = &target->options;
	size_t bytes = 1;
	for (size_t i = 0; i < options->nlabels; i++)
		bytes += options->labels[i].name.n + options->labels[i].value.n;
	target->own_labels = gs_alloc_array(options->nlabels, sizeof(*target->own_labels));
	target->label_text = gs_alloc(bytes);
	if (target->own_labels == NULL || target->label_text == NULL)
		return GS_ENOMEM;
	char *at = target->label_text;
	for (size_t i = 0; i < options->nlabels; i++) {
		target->own_labels[i].name = append_copy(&at, options->labels[i].name);
		target->own_labels[i].value = append_copy(&at, options->labels[i].value);
	}
	return GS_OK;
}

static enum gs_status fill_target(struct gs_relay *relay, struct gs_relay_target *target) {
	struct gs_buf key;
	enum gs_status status = write_labels(target);
	if (status == GS_OK && target->options.transform != NULL)
		status = copy_labels(target);
	if (status != GS_OK)
		return status;
	target->group = (struct gs_wire_group){
	    .publisher = gs_str_of(relay->identity),
	    .job = gs_str_of(target->options.job),
	    .instance = gs_str_of(target->options.instance),
	};
	gs_buf_init(&key, GS_LIMIT_HEADER);
	gs_wire_subject(&key, gs_str_of(relay->topic), &target->group, GS_LIMIT_PARTS);
	if (key.n > GS_LIMIT_SUBJECT)
		status = GS_ELIMIT;
	target->key = status == GS_OK ? terminated(&key) : NULL;
	if (status == GS_OK)
		status = key.status;
	gs_buf_free(&key);
	target->series = gs_series_set_new();
	return status == GS_OK && target->series == NULL ? GS_ENOMEM : status;
}

static enum gs_status target_new(
    struct gs_relay *relay, const struct gs_relay_target_options *options, struct gs_relay_target **ret) {
	struct gs_relay_target *target = gs_alloc(sizeof(*target));
	if (target == NULL)
		return GS_ENOMEM;
	target->options = *options;
	enum gs_status status = fill_target(relay, target);
	target->options.labels = NULL; /* the caller's */
	if (status != GS_OK)
		target_free(target);
	else
		*ret = target;
	return status;
}

enum gs_status gs_relay_add(
    struct gs_relay *relay, const struct gs_relay_target_options *options, struct gs_relay_target **ret) {
	struct gs_relay_target *target = NULL;
	enum gs_status status = target_new(relay, options, &target);
	if (status != GS_OK)
		return status;
	gs_lock_take(&relay->lock);
	target->next = relay->targets;
	target->link = &relay->targets;
	if (target->next != NULL)
		target->next->link = &target->next;
	relay->targets = target;
	gs_lock_release(&relay->lock);
	*ret = target;
	return GS_OK;
}

void gs_relay_remove(struct gs_relay *relay, struct gs_relay_target *target, bool gone) {
	enum gs_status status = gone ? tell_gone(relay, target) : GS_OK;
	if (status != GS_OK)
		lose(target, status);
	gs_lock_take(&relay->lock);
	*target->link = target->next;
	if (target->next != NULL)
		target->next->link = target->link;
	gs_lock_release(&relay->lock);
	struct gs_transform *transform = target->options.transform;
	uint64_t number = target_number(target);
	bool known = target->known;
	target_free(target);
	if (transform != NULL && known)
		gs_transform_remove(transform, number);
}

void gs_relay_target_state(
    struct gs_relay *relay, const struct gs_relay_target *target, struct gs_relay_target_state *ret) {
	gs_lock_take(&relay->lock);
	ret->cause = target->cause;
	ret->time_ms = target->time_ms;
	ret->duration_us = target->duration_us;
	ret->samples = target->samples;
	snprintf(ret->text, sizeof(ret->text), "%s", target->text != NULL ? target->text : "");
	gs_lock_release(&relay->lock);
}

static void relay_free(struct gs_relay *relay) {
	while (relay->targets != NULL) {
		struct gs_relay_target *next = relay->targets->next;
		target_free(relay->targets);
		relay->targets = next;
	}
	while (relay->nspare != 0)
		gs_intake_free(relay->spare[--relay->nspare]);
	gs_intake_free(relay->intake);
	gs_codec_free(relay->codec);
	if (relay->has_lock)
		gs_lock_destroy(&relay->lock);
	gs_free(relay->identity);
	gs_free(relay->topic);
	gs_free(relay);
}

enum gs_status gs_relay_open(const struct gs_relay_options *options, struct gs_relay **ret, struct gs_error *err) {
	struct gs_relay *relay = gs_alloc(sizeof(*relay));
	if (relay == NULL)
		return GS_ENOMEM;
	relay->has_lock = gs_lock_init(&relay->lock, GS_RANK_RELAY) == GS_OK;
	relay->codec = gs_codec_new();
	relay->intake = gs_intake_new();
	relay->identity = gs_strdup(gs_str_of(options->identity));
	relay->topic = gs_strdup(gs_str_of(options->topic));
	enum gs_status status = GS_ENOMEM;
	if (relay->has_lock && relay->codec != NULL && relay->intake != NULL && relay->identity != NULL &&
	    relay->topic != NULL)
		status = gs_outgoing_open(&options->bus, options->buffer, &relay->outgoing, err);
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
	gs_outgoing_close(relay->outgoing, timeout_ms);
	relay_free(relay);
}
