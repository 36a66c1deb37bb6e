/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels that become text without a look at each. Most targets write them without blanks and escapes, and many sorted, as we would: then the
 * text is the sample's own. Where they are in another order, or the options set some, the text is put together from the pieces in the
 * order that the sample before had.
 */
#include "batch_internal.h"
#include "label.h"

static bool is_bound(struct gs_str name) {
	return gs_str_eq(name, GS_STR("le")) || gs_str_eq(name, GS_STR("quantile"));
}

void gs_ready_begin(struct gs_batch *batch) {
	struct ready *ready = &batch->ready;
	ready->possible = true;
	ready->nset = 0;
	ready->n = 0;
	for (size_t i = 0; i < batch->options.nlabels && ready->possible; i++) {
		struct gs_label label = batch->labels[i];
		bool odd = false;
		if (gs_label_is_target(label.name) || label.value.n == 0)
			continue;
		char *p = gs_arena_alloc(batch->arena, GS_LABEL_TEXT_MAX(label.name, label.value));
		if (p == NULL || is_bound(label.name)) {
			ready->possible = false;
			break;
		}
		label.value = gs_str_make(p, (size_t)(gs_label_put(p, label.name, label.value, &odd) - p));
		ready->possible = !odd;
		size_t at = ready->nset++;
		for (; at > 0 && gs_str_cmp(ready->set[at - 1].name, label.name) > 0; at--)
			ready->set[at] = ready->set[at - 1];
		ready->set[at] = label;
	}
}

static bool is_set_by_options(const struct gs_batch *batch, struct gs_str name) {
	for (size_t i = 0; i < batch->options.nlabels; i++) {
		if (gs_str_eq(batch->labels[i].name, name))
			return true;
	}
	return false;
}

/* What clearmode or a name of its own meaning makes of a sample is for others to see. */
static bool is_ordinary(const struct gs_batch *batch, struct gs_str name) {
	return !gs_str_eq(name, GS_STR("clearmode")) && !gs_str_starts(name, GS_STR("U__")) &&
	       !gs_str_starts(name, GS_STR("__")) && !gs_label_is_target(name) && !is_set_by_options(batch, name);
}

/* Labels that the sample before had not, or had in another order. False where one is not ordinary, or le and quantile are both there. */
static bool learn_order(struct gs_batch *batch, const struct gs_label *labels, size_t n) {
	struct ready *ready = &batch->ready;
	size_t sorted = 0, bounds = 0, bound = 0;
	ready->n = 0;
	for (size_t i = 0; i < n + ready->nset; i++) {
		struct gs_str name = i < n ? labels[i].name : ready->set[i - n].name;
		if (i < n && !is_ordinary(batch, name))
			return false;
		if (i < n && is_bound(name)) {
			bound = i;
			bounds++;
			continue;
		}
		size_t at = sorted++;
		for (; at > 0; at--) {
			size_t k = ready->order[at - 1];
			if (gs_str_cmp(k < n ? labels[k].name : ready->set[k - n].name, name) < 0)
				break;
			ready->order[at] = ready->order[at - 1];
		}
		ready->order[at] = (uint8_t)i;
	}
	if (bounds > 1)
		return false;
	if (bounds == 1)
		ready->order[sorted] = (uint8_t)bound;
	for (size_t i = 0; i < n; i++)
		ready->names[i] = labels[i].name;
	ready->n = n;
	return true;
}

static bool is_order_known(const struct ready *ready, const struct gs_label *labels, size_t n) {
	if (ready->n != n || n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gs_str_eq(ready->names[i], labels[i].name))
			return false;
	}
	return true;
}

/* The bytes that the labels take as we write them, with a comma behind each; 0 if one has no value. */
static size_t size_of(const struct gs_label *labels, size_t n) {
	size_t size = 0;
	for (size_t i = 0; i < n; i++) {
		if (labels[i].value.n == 0)
			return 0;
		size += labels[i].name.n + labels[i].value.n + 4;
	}
	return size;
}

static bool is_in_order(const struct ready *ready, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (ready->order[i] != i)
			return false;
	}
	return ready->nset == 0;
}

/* Put the text together; empty without memory. */
static struct gs_str put_together(struct gs_batch *batch, const struct gs_label *labels, size_t n) {
	const struct ready *ready = &batch->ready;
	size_t size = size_of(labels, n);
	for (size_t i = 0; i < ready->nset; i++)
		size += ready->set[i].value.n + 1;
	char *text = gs_arena_alloc(batch->arena, size), *at = text;
	if (text == NULL)
		return (struct gs_str){0};
	for (size_t i = 0; i < n + ready->nset; i++) {
		size_t k = ready->order[i];
		struct gs_str piece = k < n ? gs_str_make(labels[k].name.p, labels[k].name.n + labels[k].value.n + 3)
					    : ready->set[k - n].value;
		memcpy(at, piece.p, piece.n);
		at += piece.n;
		*at++ = ',';
	}
	return gs_str_make(text, size - 1);
}

/* Whether its labels stand in the sample as they would in a text, one behind the other: without escapes and blanks the lengths say so. */
static bool is_written_so(const struct gs_expo_event *event, size_t size) {
	size_t n = event->nlabels, name = event->name.n;
	if (event->name.p != event->series.p)
		return false;
	if (n == 0)
		return event->series.n == name;
	return size != 0 && event->series.n == name + size + 1 && event->labels[0].name.p == event->series.p + name + 1;
}

bool gs_ready_take(struct gs_batch *batch, const struct gs_expo_event *event, struct raw_sample *sample) {
	const struct ready *ready = &batch->ready;
	size_t n = event->nlabels, size = size_of(event->labels, n);
	if (!ready->possible || !is_written_so(event, size))
		return false;
	if (!is_order_known(ready, event->labels, n) && !learn_order(batch, event->labels, n))
		return false;
	if (n + ready->nset == 0)
		sample->text = (struct gs_str){0};
	else if (is_in_order(ready, n))
		sample->text = gs_str_make(event->labels[0].name.p, size - 1);
	else
		sample->text = put_together(batch, event->labels, n);
	if (n + ready->nset != 0 && sample->text.n == 0)
		return false;
	sample->ready = true;
	sample->nlabels = (uint32_t)n;
	/* Joined: what the sample before was, without its clearmode, would be this one's too, had it one. */
	sample->joined = event->joined && batch->nsamples > 1 && sample[-1].ready;
	return true;
}

size_t gs_ready_read(const struct gs_batch *batch, const struct raw_sample *sample, struct gs_label *labels) {
	struct gs_str rest = sample->text;
	struct gs_label label;
	size_t n = 0;
	while (gs_label_next(&rest, &label)) {
		if (!is_set_by_options(batch, label.name))
			labels[n++] = label;
	}
	return n;
}
