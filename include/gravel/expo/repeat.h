/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_EXPO_REPEAT_H
#define GRAVEL_EXPO_REPEAT_H

#include "gravel/expo/expo.h"

/*
 * Repeat scrapes: a target's exposition differs from its last one in some values, and now and then in a line. A layout remembers where the
 * lines and values of the last body stand; against it a new body is compared at nearly the speed of memcmp, and only what changed is parsed.
 *
 * What is accepted, and each error with its line and column, is what gs_expo_next gives for the new body.
 *
 * A sample is the same as one before if its line has the same bytes up to the value and stands in the same order among those that stay: one that
 * moved is REMOVED and ADDED. Its value, timestamp and exemplar are compared as text: 1 and 1.0 differ. Since the type of a family says what its
 * samples mean, all samples between a TYPE line that is new, gone or says something else and the next one that both bodies have are REMOVED and
 * ADDED; in OpenMetrics also where another line begins or ends a family, HELP, UNIT or a sample. HELP and UNIT lines that are new or changed
 * are reported; that one is gone is not, nor are other comments.
 */
struct gs_layout;

/** gs_layout_new(): The layout of an empty body, or NULL. It grows to 8 bytes a line and refers to no body. */
struct gs_layout *gs_layout_new(void);
void gs_layout_free(struct gs_layout *layout);

/** gs_layout_samples(layout): How many samples the body has. */
size_t gs_layout_samples(const struct gs_layout *layout);

/** gs_layout_memory(layout): Bytes that the layout holds. */
size_t gs_layout_memory(const struct gs_layout *layout);

enum gs_change_kind {
	GS_CHANGE_END,
	GS_CHANGE_VALUE, /* sample ${index} of the previous body has a new value, timestamp or exemplar */
	GS_CHANGE_META, /* event: a TYPE, HELP or UNIT that the previous body did not have at this place */
	GS_CHANGE_ADDED, /* event: a sample that the previous body did not have at this place */
	GS_CHANGE_REMOVED, /* sample ${index} of the previous body is gone */
};

/*
 * One difference. They come in the order of the bodies: index rises among VALUE and REMOVED, new_index among VALUE and ADDED, so that a list
 * of the samples is brought up to date in one pass. Pointers are valid until the next call.
 */
struct gs_change {
	enum gs_change_kind kind;
	bool has_timestamp; /* VALUE: this and what follows but for the event */
	size_t index; /* among the samples of the previous body, from 0; VALUE and REMOVED */
	size_t new_index; /* among the samples of the new body; VALUE and ADDED */
	double value;
	int64_t timestamp_ms;
	const struct gs_exemplar *exemplar; /* NULL if the sample has none */
	const struct gs_expo_event *event; /* META and ADDED: as gs_expo_next gives it for the new body */
};

/* A comparison; one after the other, of any targets. Not thread-safe: one owner at a time. */
struct gs_repeat;

/** gs_repeat_new(): NULL when out of memory. About 100 KiB; it grows to 8 bytes a line of the largest body, and where lines come and go by as
 * much again. */
struct gs_repeat *gs_repeat_new(void);
void gs_repeat_free(struct gs_repeat *repeat);

/** gs_repeat_begin(repeat, layout, previous, next, options):
 * Start to compare ${next} to ${previous}, the very bytes that ${layout} was made of (a new one: the empty slice). Both and the layout must
 * live until the end. ${options} as for gs_expo_begin, and copied; where the format is another than that of the layout, everything is
 * REMOVED and ADDED. With options.seen the lines behind the first one that is new or gone are parsed, changed or not. */
void gs_repeat_begin(struct gs_repeat *repeat, struct gs_layout *layout, struct gs_str previous, struct gs_str next,
    const struct gs_expo_options *options);

/** gs_repeat_next(repeat, change, err):
 * Give the next difference; after the last one GS_CHANGE_END, again at every further call; the layout is then that of the new body, and the
 * previous body is no longer needed. Failing that, it stays that of the previous one: errors as gs_expo_next; GS_ENOMEM; GS_EUNSUPPORTED for
 * protobuf; GS_ELIMIT for bodies of 4 GiB and more. Every further call gives the same answer. Cost is linear in the sizes of the bodies. */
GS_MUST_USE enum gs_status gs_repeat_next(struct gs_repeat *repeat, struct gs_change *change, struct gs_error *err);

#endif
