/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_TESTS_EXPO_REPEAT_MODEL_H
#define GRAVEL_TESTS_EXPO_REPEAT_MODEL_H

/*
 * What a comparison of two bodies must say, checked against full parses of both. Which of several equal lines is the old one is the
 * comparison's choice, so its answer is not predicted but judged: applied to the samples of the old body it must give those of the new one, it
 * must not call anything changed that is not, and what it leaves out must mean the same in both. Used by the unit test and the fuzz target.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gravel/base/mem.h"
#include "gravel/expo/repeat.h"

/* A sample or a HELP, TYPE or UNIT line of a body. */
struct model_item {
	struct gs_expo_event event; /* without slices that do not stand in the body */
	struct gs_str head; /* the line up to the value; all of a line that is no sample */
	struct gs_str tail; /* from the value on */
	uint64_t digest; /* of all that the event says */
	uint64_t meaning; /* of a TYPE: its name and type; of a sample: its family */
	uint64_t exemplar;
};

/* A body as the parser reads it. */
struct model_body {
	struct model_item *items;
	size_t n;
	size_t cap;
	size_t samples;
	enum gs_status status;
	struct gs_error error;
};

/* Whoever checks is told, with the bodies at hand, and ends the program. */
#define MODEL_MUST(holds)                                                                                              \
	do {                                                                                                           \
		if (!(holds)) {                                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds);                                    \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static inline void model_mix(uint64_t *digest, const void *p, size_t n) {
	const unsigned char *bytes = p;
	for (size_t i = 0; i < n; i++)
		*digest = (*digest ^ bytes[i]) * UINT64_C(1099511628211);
	*digest = (*digest ^ n) * UINT64_C(1099511628211);
}

static inline void model_mix_str(uint64_t *digest, struct gs_str s) {
	model_mix(digest, s.p, s.n);
}

static inline void model_mix_labels(uint64_t *digest, const struct gs_label *labels, size_t n) {
	model_mix(digest, &n, sizeof(n));
	for (size_t i = 0; i < n; i++) {
		model_mix_str(digest, labels[i].name);
		model_mix_str(digest, labels[i].value);
	}
}

/* A number as bytes; all NaNs are one. */
static inline void model_mix_double(uint64_t *digest, double v) {
	double one = isnan(v) ? (double)NAN : v;
	model_mix(digest, &one, sizeof(one));
}

static inline uint64_t model_digest_exemplar(const struct gs_exemplar *exemplar) {
	uint64_t digest = 1;
	if (exemplar == NULL)
		return 0;
	model_mix_labels(&digest, exemplar->labels, exemplar->nlabels);
	model_mix_double(&digest, exemplar->value);
	model_mix(&digest, &exemplar->has_timestamp, sizeof(exemplar->has_timestamp));
	if (exemplar->has_timestamp)
		model_mix(&digest, &exemplar->timestamp_ms, sizeof(exemplar->timestamp_ms));
	return digest;
}

static inline uint64_t model_digest(const struct gs_expo_event *e) {
	int words[] = {(int)e->kind, (int)e->type, (int)e->part, (int)e->line, e->has_timestamp, e->joined};
	uint64_t digest = model_digest_exemplar(e->exemplar);
	model_mix(&digest, words, sizeof(words));
	model_mix_str(&digest, e->name);
	model_mix_str(&digest, e->text);
	model_mix_str(&digest, e->family);
	model_mix_str(&digest, e->series);
	model_mix_labels(&digest, e->labels, e->nlabels);
	model_mix_double(&digest, e->value);
	model_mix_double(&digest, e->bound);
	if (e->has_timestamp)
		model_mix(&digest, &e->timestamp_ms, sizeof(e->timestamp_ms));
	return digest;
}

/* The line of that number; it goes on from *at, where *line of them ended. */
static inline struct gs_str model_line(struct gs_str body, size_t *at, uint32_t *line, uint32_t number) {
	struct gs_str content = {0};
	while (*line < number) {
		const char *start = body.p + *at;
		const char *lf = memchr(start, '\n', body.n - *at);
		content = gs_str_make(start, lf != NULL ? (size_t)(lf - start) : body.n - *at);
		*at += content.n + (lf != NULL);
		*line += 1;
	}
	if (content.n != 0 && content.p[content.n - 1] == '\r')
		content.n--;
	return content;
}

static inline void model_add(struct model_body *body, const struct gs_expo_event *e, struct gs_str line) {
	struct model_item *items = gs_grow_array(body->items, &body->cap, body->n, sizeof(*items));
	MODEL_MUST(items != NULL);
	body->items = items;
	struct model_item *item = &items[body->n++];
	*item = (struct model_item){.event = *e, .head = line, .digest = model_digest(e)};
	item->event.exemplar = NULL;
	item->exemplar = model_digest_exemplar(e->exemplar);
	model_mix_str(&item->meaning, e->family);
	if (e->kind == GS_EXPO_TYPE) {
		item->meaning = 0;
		model_mix_str(&item->meaning, e->name);
		model_mix(&item->meaning, &e->type, sizeof(e->type));
	}
	if (e->kind != GS_EXPO_SAMPLE)
		return;
	const char *value = e->series.p + e->series.n;
	while (*value == ' ' || *value == '\t')
		value++;
	item->head.n = (size_t)(value - line.p);
	item->tail = gs_str_make(value, line.n - item->head.n);
	item->event.family = (struct gs_str){0};
	body->samples++;
}

/* Parse all of a body, up to its error if it has one. */
static inline struct model_body model_parse(
    struct gs_expo_parser *parser, struct gs_str body, const struct gs_expo_options *options) {
	struct model_body m = {0};
	struct gs_expo_event event;
	size_t at = 0;
	uint32_t line = 0;
	gs_expo_begin(parser, options);
	gs_expo_feed(parser, body, true);
	while ((m.status = gs_expo_next(parser, &event, &m.error)) == GS_OK && event.kind != GS_EXPO_END)
		model_add(&m, &event, model_line(body, &at, &line, event.line));
	return m;
}

static inline void model_free(struct model_body *m) {
	gs_free(m->items);
	*m = (struct model_body){0};
}

/* What the changes have said so far. */
struct model_walk {
	const struct model_body *old;
	const struct model_body *new;
	size_t old_item;
	size_t new_item;
	size_t old_meta; /* the old item behind the last one that a line of the new body was found to be */
	size_t old_sample;
	size_t new_sample;
	bool openmetrics; /* there a family has its TYPE, and no other line is in force */
	uint64_t old_type; /* the meaning of the last TYPE line passed over */
	uint64_t new_type;
	size_t kept;
};

static inline void model_pass_old_meta(struct model_walk *w) {
	while (w->old_item < w->old->n && w->old->items[w->old_item].event.kind != GS_EXPO_SAMPLE) {
		const struct model_item *item = &w->old->items[w->old_item++];
		if (item->event.kind == GS_EXPO_TYPE)
			w->old_type = item->meaning;
	}
}

/* What of the HELP, TYPE and UNIT lines of the new body is not reported must be in the old one, in this order. */
static inline void model_pass_new_meta(struct model_walk *w, bool reported) {
	const struct model_item *item = &w->new->items[w->new_item++];
	MODEL_MUST(item->event.kind != GS_EXPO_SAMPLE);
	if (item->event.kind == GS_EXPO_TYPE)
		w->new_type = item->meaning;
	if (reported)
		return;
	while (w->old_meta < w->old->n && (w->old->items[w->old_meta].event.kind == GS_EXPO_SAMPLE ||
					      !gs_str_eq(w->old->items[w->old_meta].head, item->head)))
		w->old_meta++;
	MODEL_MUST(w->old_meta < w->old->n);
	w->old_meta++;
}

static inline const struct model_item *model_next_old(struct model_walk *w) {
	model_pass_old_meta(w);
	MODEL_MUST(w->old_item < w->old->n);
	w->old_sample++;
	return &w->old->items[w->old_item++];
}

static inline const struct model_item *model_next_new(struct model_walk *w) {
	while (w->new_item < w->new->n && w->new->items[w->new_item].event.kind != GS_EXPO_SAMPLE)
		model_pass_new_meta(w, false);
	MODEL_MUST(w->new_item < w->new->n);
	w->new_sample++;
	return &w->new->items[w->new_item++];
}

/* A pair of samples that are the same. */
static inline void model_keep(struct model_walk *w, const struct gs_change *change) {
	const struct model_item *old = model_next_old(w), *new = model_next_new(w);
	MODEL_MUST(gs_str_eq(old->head, new->head));
	MODEL_MUST(old->event.type == new->event.type && old->event.part == new->event.part);
	MODEL_MUST(old->meaning == new->meaning);
	MODEL_MUST(w->openmetrics || w->old_type == w->new_type);
	MODEL_MUST(gs_str_eq(old->tail, new->tail) == (change == NULL));
	w->kept++;
	if (change == NULL)
		return;
	const struct gs_expo_event *e = &new->event;
	MODEL_MUST(model_digest_exemplar(change->exemplar) == new->exemplar);
	MODEL_MUST(change->value == e->value || (isnan(change->value) && isnan(e->value)));
	MODEL_MUST(isnan(e->value) || signbit(change->value) == signbit(e->value));
	MODEL_MUST(change->has_timestamp == e->has_timestamp);
	MODEL_MUST(!e->has_timestamp || change->timestamp_ms == e->timestamp_ms);
}

/* Samples of the new body up to the one of that number are as they were. */
static inline void model_keep_up_to(struct model_walk *w, size_t new_sample) {
	while (w->new_sample < new_sample)
		model_keep(w, NULL);
}

static inline void model_apply(struct model_walk *w, const struct gs_change *change) {
	switch (change->kind) {
	case GS_CHANGE_VALUE:
		model_keep_up_to(w, change->new_index);
		MODEL_MUST(w->old_sample == change->index && w->new_sample == change->new_index);
		model_keep(w, change);
		MODEL_MUST(change->event == NULL);
		break;
	case GS_CHANGE_REMOVED:
		while (w->old_sample < change->index)
			model_keep(w, NULL);
		MODEL_MUST(w->old_sample == change->index);
		model_next_old(w);
		break;
	case GS_CHANGE_ADDED:
		model_keep_up_to(w, change->new_index);
		MODEL_MUST(w->new_sample == change->new_index);
		MODEL_MUST(model_next_new(w)->digest == model_digest(change->event));
		break;
	case GS_CHANGE_META:
		while (w->new_item < w->new->n && w->new->items[w->new_item].event.line < change->event->line) {
			if (w->new->items[w->new_item].event.kind == GS_EXPO_SAMPLE)
				model_keep(w, NULL);
			else
				model_pass_new_meta(w, false);
		}
		MODEL_MUST(w->new_item < w->new->n);
		MODEL_MUST(w->new->items[w->new_item].digest == model_digest(change->event));
		model_pass_new_meta(w, true);
		break;
	case GS_CHANGE_END:
		break;
	}
}

/* What a comparison was like. */
struct model_result {
	enum gs_status status;
	size_t changed;
	size_t added;
	size_t removed;
	size_t metas;
	size_t kept; /* changed ones as well */
};

/* Compare next to previous, which the layout is of, and judge the answer. The layout is then that of next if it is in order. */
static inline struct model_result model_compare(struct gs_repeat *repeat, struct gs_layout *layout,
    struct gs_expo_parser *parser, struct gs_str previous, struct gs_str next, const struct gs_expo_options *options) {
	/* The memory of what stands twice belongs to one parse at a time. */
	struct gs_expo_options plain = options != NULL ? *options : (struct gs_expo_options){0};
	plain.max_samples = 0;
	plain.seen = NULL;
	/* A layout that is new is of an empty body, which is no OpenMetrics. */
	struct model_body old = {0}, new = model_parse(parser, next, options);
	if (previous.n != 0)
		old = model_parse(parser, previous, &plain);
	struct model_walk w = {.old = &old, .new = &new, .openmetrics = plain.format == GS_FORMAT_OPENMETRICS};
	struct model_result result = {0};
	struct gs_change change;
	struct gs_error error = {0};
	MODEL_MUST(old.status == GS_OK && old.samples == gs_layout_samples(layout));
	gs_repeat_begin(repeat, layout, previous, next, options);
	while ((result.status = gs_repeat_next(repeat, &change, &error)) == GS_OK && change.kind != GS_CHANGE_END) {
		model_apply(&w, &change);
		result.changed += change.kind == GS_CHANGE_VALUE;
		result.added += change.kind == GS_CHANGE_ADDED;
		result.removed += change.kind == GS_CHANGE_REMOVED;
		result.metas += change.kind == GS_CHANGE_META;
	}
	MODEL_MUST(result.status == new.status);
	if (result.status == GS_OK) {
		model_keep_up_to(&w, new.samples);
		model_pass_old_meta(&w);
		MODEL_MUST(w.old_sample == old.samples && gs_layout_samples(layout) == new.samples);
	} else {
		MODEL_MUST(error.line == new.error.line &&error.column == new.error.column);
		MODEL_MUST(strcmp(error.text, new.error.text) == 0);
		MODEL_MUST(gs_layout_samples(layout) == old.samples);
	}
	MODEL_MUST(gs_repeat_next(repeat, &change, &error) == result.status);
	MODEL_MUST(result.status != GS_OK || change.kind == GS_CHANGE_END);
	result.kept = w.kept;
	model_free(&old);
	model_free(&new);
	return result;
}

#endif
