/* SPDX-License-Identifier: Apache-2.0 */
#include "gravel/gravel/batch.h"

#include <assert.h>

#include "batch_internal.h"
#include "gravel/base/hash.h"
#include "gravel/base/mem.h"

/* Memory of one batch; the body itself is the caller's. A sample takes about 80 bytes and 32 a label. */
#define BATCH_BYTES_MAX ((size_t)4 * 1024 * 1024 * 1024)
/* All labels of a sample as text. */
#define TEXT_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct gs_batch *gs_batch_new(void) {
	struct gs_batch *batch = gs_alloc(sizeof(*batch));
	if (batch == NULL)
		return NULL;
	gs_buf_init(&batch->text, TEXT_BYTES_MAX);
	batch->arena = gs_arena_new(BATCH_BYTES_MAX);
	batch->families = gs_map_new(SIZE_MAX);
	if (batch->arena == NULL || batch->families == NULL) {
		gs_batch_free(batch);
		return NULL;
	}
	return batch;
}

void gs_batch_free(struct gs_batch *batch) {
	if (batch == NULL)
		return;
	gs_arena_free(batch->arena);
	gs_map_free(batch->families);
	gs_buf_free(&batch->text);
	gs_free(batch->order);
	gs_free(batch->samples);
	gs_free(batch->index);
	gs_free(batch);
}

static void set_default(size_t *limit, size_t number) {
	if (*limit == 0)
		*limit = number;
}

void gs_batch_begin(struct gs_batch *batch, const struct gs_batch_options *options) {
	assert(options->nlabels <= GS_BATCH_LABELS_MAX);
	gs_map_clear(batch->families);
	gs_arena_clear(batch->arena);
	gs_buf_clear(&batch->text); /* also of an error */
	batch->norder = 0;
	batch->recent = NULL;
	batch->nsamples = 0;
	batch->last_target = (struct gs_str){0};
	batch->stats = (struct gs_batch_stats){0};
	batch->body = (struct gs_str){0};
	batch->options = *options;
	set_default(&batch->options.max_samples, GS_LIMIT_PUSH_SAMPLES);
	set_default(&batch->options.max_labels, GS_LIMIT_LABELS);
	set_default(&batch->options.max_name, GS_LIMIT_NAME);
	set_default(&batch->options.max_value, GS_LIMIT_LABEL_VALUE);
	batch->tight = batch->options.max_name < GS_LIMIT_NAME || batch->options.max_value < GS_LIMIT_LABEL_VALUE;
	for (size_t i = 0; i < options->nlabels; i++)
		batch->labels[i] = options->labels[i];
	batch->options.labels = batch->labels;
	gs_ready_begin(batch);
}

/* HELP, TYPE and samples of a family stand together. */
struct batch_family *gs_batch_find_family(struct gs_batch *batch, struct gs_str name) {
	if (batch->recent != NULL && gs_str_eq(batch->recent->name, name))
		return batch->recent;
	struct batch_family *family = gs_map_get(batch->families, name);
	if (family != NULL)
		batch->recent = family;
	return family;
}

struct batch_family *gs_batch_family_of(struct gs_batch *batch, struct gs_str name) {
	struct batch_family *family = gs_batch_find_family(batch, name);
	if (family != NULL)
		return family;
	struct batch_family **order =
	    gs_grow_array(batch->order, &batch->cap_order, batch->norder, sizeof(struct batch_family *));
	if (order == NULL)
		return NULL;
	batch->order = order;
	family = gs_arena_alloc(batch->arena, sizeof(*family));
	if (family == NULL)
		return NULL;
	*family = (struct batch_family){.name = name, .hash = gs_hash(name)};
	family->tail = &family->first;
	if (gs_map_put(batch->families, name, family) != GS_OK)
		return NULL;
	batch->order[batch->norder++] = family;
	batch->recent = family;
	return family;
}

/* Slices of an event that do not stand in the body are the parser's and die with the event. */
static bool keep(struct gs_batch *batch, struct gs_str *s) {
	if (s->n == 0 || (s->p >= batch->body.p && s->p < batch->body.p + batch->body.n))
		return true;
	*s = gs_arena_dup(batch->arena, *s);
	return s->p != NULL;
}

static struct raw_sample *new_sample(struct gs_batch *batch) {
	struct raw_sample *samples =
	    gs_grow_array(batch->samples, &batch->cap_samples, batch->nsamples, sizeof(*samples));
	if (samples == NULL)
		return NULL;
	batch->samples = samples;
	struct raw_sample *sample = &batch->samples[batch->nsamples++];
	*sample = (struct raw_sample){.mode = batch->options.mode};
	return sample;
}

/* Give an error about a clearmode its place, and the sample that it is about. */
static enum gs_status mode_error(const struct gs_batch *batch, const struct gs_expo_event *event, struct gs_str value,
    enum gs_status status, struct gs_error *err) {
	if (err == NULL)
		return status;
	struct gs_error reason = *err;
	if (event->series.n == 0)
		return gs_error_set(err, status, event->line, 1, "%s: metric \"%.*s\"", reason.text,
		    event->name.n < 120 ? (int)event->name.n : 120, event->name.p);
	const char *line = event->series.p;
	while (line > batch->body.p && line[-1] != '\n')
		line--;
	bool in_body = value.p >= batch->body.p && value.p < batch->body.p + batch->body.n;
	const char *at = in_body ? value.p : event->series.p; /* a value with escapes stands in the parser */
	struct gs_str shown = gs_str_make(event->series.p, event->series.n < 120 ? event->series.n : 120);
	return gs_error_set(
	    err, status, event->line, (uint32_t)(at - line) + 1, "%s: %.*s", reason.text, GS_FMT(shown));
}

/* An empty label is absent to Prometheus; but where the sample's labels win it keeps away the one that the options set. */
static bool keeps_away(const struct gs_batch *batch, struct gs_str name) {
	for (size_t i = 0; batch->options.rule == GS_LABELS_HONOR && i < batch->options.nlabels; i++) {
		if (gs_str_eq(batch->labels[i].name, name))
			return true;
	}
	return false;
}

/* Copy the labels of the event without clearmode and without those that are as good as absent. */
static enum gs_status take_labels(
    struct gs_batch *batch, const struct gs_expo_event *event, struct raw_sample *sample, struct gs_error *err) {
	sample->labels = gs_arena_alloc(batch->arena, event->nlabels * sizeof(struct gs_label) + 1);
	if (sample->labels == NULL)
		return GS_ENOMEM;
	for (size_t i = 0; i < event->nlabels; i++) {
		struct gs_label label = event->labels[i];
		if (!batch->options.gateway && gs_str_eq(label.name, GS_STR("clearmode"))) {
			enum gs_status status = gs_mode_parse(label.value, &sample->mode, err);
			if (status != GS_OK)
				return mode_error(batch, event, label.value, status, err);
			continue;
		}
		if (gs_str_eq(label.name, GS_STR("__name__")))
			return gs_error_set(err, GS_EINVAL, event->line, 1,
			    "label \"__name__\" is reserved for the name of the metric");
		if (label.value.n == 0 && !keeps_away(batch, label.name))
			continue;
		if (!keep(batch, &label.name) || !keep(batch, &label.value))
			return GS_ENOMEM;
		sample->labels[sample->nlabels++] = label;
	}
	return GS_OK;
}

/* Prometheus' name for the time of creation, which OpenMetrics and protobuf have as a part of the metric. */
static enum gs_status type_created(struct gs_batch *batch, struct gs_str name) {
	struct batch_family *family = gs_batch_family_of(batch, name);
	if (family == NULL)
		return GS_ENOMEM;
	if (!family->typed)
		family->type = GS_TYPE_GAUGE;
	family->typed = true;
	return GS_OK;
}

struct gs_str gs_batch_shortened(struct gs_str s) {
	size_t n = s.n < 120 ? s.n : 120;
	while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a character */
	return gs_str_make(s.p, n);
}

static enum gs_status check_name(
    const struct gs_batch *batch, const char *what, struct gs_str name, uint32_t line, struct gs_error *err) {
	if (name.n <= batch->options.max_name)
		return GS_OK;
	gs_error_set(err, GS_ELIMIT, line, line != 0, "the name of %s \"%.*s\" is longer than %zu bytes", what,
	    GS_FMT(gs_batch_shortened(name)), batch->options.max_name);
	return gs_error_limit(err, "name_length");
}

enum gs_status gs_batch_check_lengths(
    const struct gs_batch *batch, const struct gs_label *labels, size_t n, uint32_t line, struct gs_error *err) {
	for (size_t i = 0; i < n; i++) {
		if (check_name(batch, "label", labels[i].name, line, err) != GS_OK)
			return GS_ELIMIT;
		if (labels[i].value.n <= batch->options.max_value)
			continue;
		gs_error_set(err, GS_ELIMIT, line, line != 0, "the value of label \"%.*s\" is longer than %zu bytes",
		    GS_FMT(gs_batch_shortened(labels[i].name)), batch->options.max_value);
		return gs_error_limit(err, "value_length");
	}
	return GS_OK;
}

static enum gs_status check_sample(
    const struct gs_batch *batch, const struct gs_expo_event *event, struct gs_error *err) {
	if (batch->stats.samples >= batch->options.max_samples) {
		gs_error_set(err, GS_ELIMIT, event->line, 1, "more than %zu samples", batch->options.max_samples);
		return gs_error_limit(err, "push_samples");
	}
	if (!batch->tight)
		return GS_OK;
	enum gs_status status = check_name(batch, "metric", event->name, event->line, err);
	return status == GS_OK ? gs_batch_check_lengths(batch, event->labels, event->nlabels, event->line, err)
			       : status;
}

/* Of a group of the Pushgateway's dialect, for the store to set: as there, what a client sends in their name is not looked at. */
static bool is_push_time(struct gs_str name) {
	return gs_str_eq(name, GS_STR("push_time_seconds")) || gs_str_eq(name, GS_STR("push_failure_time_seconds"));
}

static enum gs_status take_sample(struct gs_batch *batch, const struct gs_expo_event *event, struct gs_error *err) {
	if (check_sample(batch, event, err) != GS_OK)
		return GS_ELIMIT;
	batch->stats.samples++;
	if (batch->options.gateway && is_push_time(event->name))
		return GS_OK;
	struct raw_sample *sample = new_sample(batch);
	if (sample == NULL)
		return GS_ENOMEM;
	enum gs_status status = gs_ready_take(batch, event, sample) ? GS_OK : take_labels(batch, event, sample, err);
	if (status == GS_EINVAL && batch->options.lenient) {
		batch->nsamples--;
		batch->stats.dropped++;
		return GS_OK;
	}
	if (status != GS_OK)
		return status;
	sample->name = event->name;
	sample->line = event->line;
	sample->value = event->value;
	sample->has_timestamp = event->has_timestamp;
	sample->timestamp_ms = event->timestamp_ms;
	if (!keep(batch, &sample->name))
		return GS_ENOMEM;
	if (event->exemplar != NULL && gs_batch_exemplar(batch, event->exemplar, &sample->exemplar) != GS_OK)
		return GS_ENOMEM;
	return event->part == GS_PART_CREATED ? type_created(batch, sample->name) : GS_OK;
}

/* The native part of a histogram, whose classic samples came before it. It counts as none. */
static enum gs_status take_native(struct gs_batch *batch, const struct gs_expo_event *event, struct gs_error *err) {
	struct raw_sample *sample = new_sample(batch);
	if (sample == NULL)
		return GS_ENOMEM;
	enum gs_status status = take_labels(batch, event, sample, err);
	if (status == GS_EINVAL && batch->options.lenient) {
		batch->nsamples--;
		return GS_OK;
	}
	sample->name = event->name;
	sample->line = event->line;
	sample->native = gs_batch_native(batch, event->native);
	if (status == GS_OK && (sample->native == NULL || !keep(batch, &sample->name)))
		status = GS_ENOMEM;
	return status;
}

/* The family that text has for one that OpenMetrics calls without its suffix. */
static struct batch_family *text_family(struct gs_batch *batch, struct batch_family *family, struct gs_str suffix) {
	struct gs_str name = {.n = family->name.n + suffix.n};
	char *p = gs_arena_alloc(batch->arena, name.n);
	if (p == NULL)
		return NULL;
	memcpy(p, family->name.p, family->name.n);
	memcpy(p + family->name.n, suffix.p, suffix.n);
	name.p = p;
	family->text = gs_batch_family_of(batch, name);
	if (family->text != NULL && family->text->help.n == 0)
		family->text->help = family->help;
	if (family->text != NULL && family->text->unit.n == 0)
		family->text->unit = family->unit;
	return family->text;
}

static struct batch_family *family_of_type(
    struct gs_batch *batch, struct batch_family *family, enum gs_expo_type type) {
	bool bare = batch->format == GS_FORMAT_OPENMETRICS && family->text == NULL && !family->typed;
	if (bare && type == GS_TYPE_COUNTER)
		return text_family(batch, family, GS_STR("_total"));
	if (bare && type == GS_TYPE_INFO)
		return text_family(batch, family, GS_STR("_info"));
	return family->text != NULL ? family->text : family;
}

static enum gs_status take_meta(struct gs_batch *batch, struct gs_expo_event *event, struct gs_error *err) {
	if (!keep(batch, &event->name) || !keep(batch, &event->text))
		return GS_ENOMEM;
	struct batch_family *family = gs_batch_family_of(batch, event->name);
	if (family != NULL && event->kind == GS_EXPO_TYPE)
		family = family_of_type(batch, family, event->type);
	else if (family != NULL && family->text != NULL)
		family = family->text;
	if (family == NULL)
		return GS_ENOMEM;
	if (event->kind == GS_EXPO_HELP && event->text.n != 0)
		family->help = event->text;
	if (event->kind == GS_EXPO_UNIT && event->text.n != 0)
		family->unit = event->text;
	if (event->kind != GS_EXPO_TYPE)
		return GS_OK;
	if (family->typed && family->type != event->type && !batch->options.lenient)
		return gs_error_set(err, GS_EINVAL, event->line, 1, "second TYPE of \"%.*s\": %s after %s",
		    GS_FMT(event->name), gs_expo_type_name(event->type), gs_expo_type_name(family->type));
	if (!family->typed)
		family->type = event->type;
	family->typed = true;
	return GS_OK;
}

enum gs_status gs_batch_gauge(struct gs_batch *batch, struct gs_str name, struct gs_str help, double value) {
	struct batch_family *family = gs_batch_family_of(batch, name);
	struct raw_sample *sample = family != NULL ? new_sample(batch) : NULL;
	if (sample == NULL)
		return GS_ENOMEM;
	family->type = GS_TYPE_GAUGE;
	family->typed = true;
	family->help = help;
	sample->name = name;
	sample->value = value;
	return GS_OK;
}

enum gs_status gs_batch_read(struct gs_batch *batch, struct gs_expo_parser *parser,
    const struct gs_expo_options *options, struct gs_str body, struct gs_error *err) {
	struct gs_expo_event event = {0};
	gs_expo_begin(parser, options);
	gs_expo_feed(parser, body, true);
	batch->format = options != NULL ? options->format : GS_FORMAT_TEXT;
	batch->body = body;
	for (;;) {
		enum gs_status status = gs_expo_next(parser, &event, err);
		if (status == GS_OK && event.kind == GS_EXPO_END)
			break;
		if (status == GS_OK && event.native != NULL)
			status = take_native(batch, &event, err);
		else if (status == GS_OK && event.kind == GS_EXPO_SAMPLE)
			status = take_sample(batch, &event, err);
		else if (status == GS_OK)
			status = take_meta(batch, &event, err);
		if (status != GS_OK)
			return status;
	}
	batch->stats.parsed = true;
	return gs_batch_resolve(batch, err);
}

struct gs_batch_stats gs_batch_stats(const struct gs_batch *batch) {
	return batch->stats;
}
