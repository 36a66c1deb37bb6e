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

/* The labels of the options as text: first those of a target. */
static bool add_set(struct gs_batch *batch, bool of_target) {
	struct ready *ready = &batch->ready;
	bool odd = false;
	for (size_t i = 0; i < batch->options.nlabels; i++) {
		struct gs_label label = batch->labels[i];
		if (gs_label_is_target(label.name) != of_target || label.value.n == 0)
			continue;
		char *p = gs_arena_alloc(batch->arena, GS_LABEL_TEXT_MAX(label.name, label.value));
		if (p == NULL || is_bound(label.name))
			return false;
		label.value = gs_str_make(p, (size_t)(gs_label_put(p, label.name, label.value, &odd) - p));
		ready->set[ready->nset++] = label;
	}
	return !odd;
}

void gs_ready_begin(struct gs_batch *batch) {
	struct ready *ready = &batch->ready;
	ready->n = 0;
	ready->nset = 0;
	ready->possible = add_set(batch, true);
	ready->nset_target = ready->nset;
	ready->possible = ready->possible && add_set(batch, false);
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
	       !gs_str_starts(name, GS_STR("__")) && !is_set_by_options(batch, name);
}

static struct gs_str name_of(const struct ready *ready, const struct gs_label *labels, size_t n, size_t k) {
	return k < n ? labels[k].name : ready->set[k - n].name;
}

/* Put k into order[from .. norder), by its name. */
static void insert(struct ready *ready, const struct gs_label *labels, size_t n, size_t from, size_t k) {
	size_t at = ready->norder++;
	struct gs_str name = name_of(ready, labels, n, k);
	for (; at > from && gs_str_cmp(name_of(ready, labels, n, ready->order[at - 1]), name) > 0; at--)
		ready->order[at] = ready->order[at - 1];
	ready->order[at] = (uint8_t)k;
}

static void order_target(struct ready *ready, const struct gs_label *labels, size_t n) {
	ready->norder = 0;
	for (size_t i = 0; i < n; i++) {
		if (gs_label_is_target(labels[i].name))
			insert(ready, labels, n, 0, i);
	}
	for (size_t i = 0; i < ready->nset_target && ready->norder != 0; i++)
		insert(ready, labels, n, 0, n + i);
	ready->ntarget = ready->norder;
}

static void order_own(struct ready *ready, const struct gs_label *labels, size_t n) {
	size_t bound = n;
	for (size_t i = 0; i < n; i++) {
		if (is_bound(labels[i].name))
			bound = i;
		else if (!gs_label_is_target(labels[i].name))
			insert(ready, labels, n, ready->ntarget, i);
	}
	for (size_t i = ready->nset_target; i < ready->nset; i++)
		insert(ready, labels, n, ready->ntarget, n + i);
	if (bound != n)
		ready->order[ready->norder++] = (uint8_t)bound;
}

/* Labels that the sample before had not, or had in another order. False where one is not ordinary, or le and quantile are both there. */
static bool learn_order(struct gs_batch *batch, const struct gs_label *labels, size_t n) {
	struct ready *ready = &batch->ready;
	size_t bounds = 0;
	ready->n = 0;
	for (size_t i = 0; i < n; i++) {
		bounds += is_bound(labels[i].name);
		if (bounds > 1 || !is_ordinary(batch, labels[i].name) ||
		    (batch->options.gateway && gs_label_is_target(labels[i].name)))
			return false;
		ready->names[i] = labels[i].name;
	}
	order_target(ready, labels, n);
	order_own(ready, labels, n);
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
	if (ready->ntarget != 0 || ready->norder != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (ready->order[i] != i)
			return false;
	}
	return true;
}

/* order[from .. to) as text behind ${at}. */
static struct gs_str put(
    char *at, const struct ready *ready, const struct gs_label *labels, size_t n, size_t from, size_t to) {
	const char *text = at;
	for (size_t i = from; i < to; i++) {
		size_t k = ready->order[i];
		struct gs_str piece = k < n ? gs_str_make(labels[k].name.p, labels[k].name.n + labels[k].value.n + 3)
					    : ready->set[k - n].value;
		memcpy(at, piece.p, piece.n);
		at += piece.n;
		*at++ = ',';
	}
	return at == text ? (struct gs_str){0} : gs_str_make(text, (size_t)(at - text) - 1);
}

/* Put the texts together; false without memory. */
static bool put_together(
    struct gs_batch *batch, const struct gs_label *labels, size_t n, size_t size, struct raw_sample *sample) {
	const struct ready *ready = &batch->ready;
	for (size_t i = 0; i < ready->nset; i++)
		size += ready->set[i].value.n + 1;
	char *room = gs_arena_alloc(batch->arena, size + 1);
	if (room == NULL)
		return false;
	sample->target = put(room, ready, labels, n, 0, ready->ntarget);
	if (sample->target.n != 0 && gs_str_eq(sample->target, batch->last_target))
		sample->target = batch->last_target;
	else if (sample->target.n != 0)
		batch->last_target = sample->target;
	sample->text = put(
	    room + (ready->ntarget != 0 ? sample->target.n + 1 : 0), ready, labels, n, ready->ntarget, ready->norder);
	return true;
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
	sample->target = sample->text = (struct gs_str){0};
	if (is_in_order(ready, n))
		sample->text = n != 0 ? gs_str_make(event->labels[0].name.p, size - 1) : sample->text;
	else if (!put_together(batch, event->labels, n, size, sample))
		return false;
	sample->ready = true;
	sample->nlabels = (uint32_t)n;
	/* Joined: what the sample before was, without its clearmode, would be this one's too, had it one. */
	sample->joined = event->joined && batch->nsamples > 1 && sample[-1].ready;
	return true;
}

size_t gs_ready_read(const struct gs_batch *batch, const struct raw_sample *sample, struct gs_label *labels) {
	struct gs_str texts[] = {sample->target, sample->text};
	struct gs_label label;
	size_t n = 0;
	for (size_t i = 0; i < 2; i++) {
		while (gs_label_next(&texts[i], &label)) {
			if (!is_set_by_options(batch, label.name))
				labels[n++] = label;
		}
	}
	return n;
}
